//! Private keys as files: PEM, PKCS#8, SEC1 and PBES2.

use std::num::NonZeroU32;

use base64ct::{Base64, Encoding};
use miyu::crypto::{kdf, sm2::SecretKey, sm4};
use miyu::identity::pem::{self, KeyFileError, KeyFormat};

use super::bytes::Bytes;

const PASSPHRASE: &[u8] = b"passphrase";
/// What the derivation of a key costs here at most; a file may ask for ten million rounds.
const ROUNDS_MAX: u16 = 8;
const LABELS: [&str; 6] =
    ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY", "SM2 PARAMETERS", "PUBLIC KEY"];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_SM3: &[u8] = &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11, 0x02];
const SM4_CBC: &[u8] = &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x02];

/// The first byte picks what the others are: a file, its DER, or a key to be put under a passphrase.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    match input.byte() % 4 {
        0 => file(input.0),
        1 => {
            let label = LABELS[usize::from(input.byte()) % LABELS.len()];
            file(armour(label, input.0).as_bytes());
        }
        2 => {
            let (first, second) = (input.byte(), input.byte());
            let first = LABELS[usize::from(first) % LABELS.len()];
            let second = LABELS[usize::from(second) % LABELS.len()];
            let length = usize::from(input.byte());
            let parameters = armour(first, input.take(length));
            file((parameters + &armour(second, input.0)).as_bytes());
        }
        _ => sealed(&mut input),
    }
}

/// A file without a passphrase: no work is done that the file could ask for.
fn file(text: &[u8]) {
    let format = pem::format(text);
    match pem::parse(text, None) {
        Ok(key) => {
            assert!(matches!(format, Ok(KeyFormat::Plain | KeyFormat::Sec1)), "{format:?}");
            assert!(!pem::is_encrypted(text));
            comes_back(&key);
        }
        Err(KeyFileError::NeedsPassphrase) => {
            assert!(matches!(format, Ok(KeyFormat::GmsslEncrypted | KeyFormat::OpensslEncrypted)), "{format:?}");
            assert!(pem::is_encrypted(text));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn comes_back(key: &SecretKey) {
    let again = pem::parse(pem::encode_plain(key).as_bytes(), None).expect("our own file");
    assert_eq!(*again.to_bytes(), *key.to_bytes());
}

/// What stands under a passphrase is judged as it would be without one.
fn sealed(input: &mut Bytes<'_>) {
    let rounds = input.short() % ROUNDS_MAX;
    let salt_length = usize::from(input.short() % 1100);
    let salt = [input.byte()].repeat(salt_length);
    let iv = [input.byte(); sm4::BLOCK_BYTES];
    let info = input.0;
    let mut key = [0; sm4::KEY_BYTES];
    let count = NonZeroU32::new(rounds.into());
    kdf::pbkdf2(PASSPHRASE, &salt, count.unwrap_or(NonZeroU32::MIN), &mut key);
    let secret = sm4::cbc_encrypt(&key, &iv, info);
    let [high, low] = rounds.to_be_bytes();
    let function = tlv(0x30, &tlv(0x06, HMAC_SM3));
    let derivation = [tlv(0x04, &salt), tlv(0x02, &[0, high, low][usize::from(high == 0)..]), function].concat();
    let derivation = tlv(0x30, &[tlv(0x06, PBKDF2), tlv(0x30, &derivation)].concat());
    let cipher = tlv(0x30, &[tlv(0x06, SM4_CBC), tlv(0x04, &iv)].concat());
    let scheme = tlv(0x30, &[tlv(0x06, PBES2), tlv(0x30, &[derivation, cipher].concat())].concat());
    let text = armour(LABELS[1], &tlv(0x30, &[scheme, tlv(0x04, &secret)].concat()));

    let opened = pem::parse(text.as_bytes(), Some(PASSPHRASE));
    let plain = pem::parse(armour(LABELS[0], info).as_bytes(), None);
    match (opened, plain) {
        (Ok(opened), Ok(plain)) => assert_eq!(*opened.to_bytes(), *plain.to_bytes()),
        (Ok(_), Err(error)) => panic!("opened, but refused in the clear: {error}"),
        (Err(error), Ok(_)) => assert!(count.is_none() || salt.len() > 1024, "a sound key is refused: {error}"),
        (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
    }
    let wrong = pem::parse(text.as_bytes(), Some(b"another"));
    assert!(wrong.is_err(), "a wrong passphrase opens a key");
}

fn armour(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(der))
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    let head: &[u8] = match value.len() {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, value].concat()
}
