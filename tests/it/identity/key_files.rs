//! Key files as text: every form that is read, every fault by its name, and noise.

use base64ct::{Base64, Encoding};
use miyu::crypto::sm2::SecretKey;
use miyu::crypto::{kdf, sm4};
use miyu::identity::pem::{self, KEY_FILE_BYTES_MAX, KeyFileError, KeyFormat};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::secret;

const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const SM2: &[u8] = &[6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x82, 0x2d];
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const PBES2: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0d];
const PBKDF2: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c];
const HMAC_SM3: &[u8] = &[6, 9, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11, 2];
const HMAC_SHA512: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 0x0b];
const SM4_CBC: &[u8] = &[6, 8, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x68, 2];
const AES_256_CBC: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a];
const NULL: &[u8] = &[5, 0];

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = match value.len() {
        length @ 0..0x80 => vec![length as u8],
        length @ 0x80..0x100 => vec![0x81, length as u8],
        length => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [&[tag], &length[..], &value].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

fn armour(label: &str, der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(der)).into_bytes()
}

/// ECPrivateKey of `secret`, with the optional fields as given.
fn sec1(secret: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    sequence(&[&[2, 1, 1], &tlv(4, &[secret]), &fields.concat()])
}

/// PrivateKeyInfo with the fields of its algorithm identifier, and more fields at the end.
fn info(algorithm: &[&[u8]], inner: &[u8], more: &[u8]) -> Vec<u8> {
    sequence(&[&[2, 1, 0], &sequence(algorithm), &tlv(4, &[inner]), more])
}

fn point(key: &SecretKey) -> Vec<u8> {
    tlv(0xa1, &[&tlv(3, &[&[0], &key.public_key().to_uncompressed()])])
}

fn read(text: &[u8]) -> Result<[u8; 32], KeyFileError> {
    pem::parse(text, None).map(|key| *key.to_bytes())
}

#[test]
fn every_plain_form_is_read() {
    let key = secret(3);
    let full = point(&key);
    let compressed = tlv(0xa1, &[&tlv(3, &[&[0], &key.public_key().to_compressed()])]);
    let curve = tlv(0xa0, &[SM2]);
    let inner = sec1(&[3; 32], &[&full]);
    let attributes = tlv(0xa0, &[&sequence(&[SM2])]);
    for (what, der) in [
        ("openssl's", info(&[EC, SM2], &inner, &[])),
        ("gmssl's", info(&[EC, SM2], &sec1(&[3; 32], &[&curve, &full]), &[])),
        ("the curve as algorithm", info(&[SM2], &inner, &[])),
        ("the curve as algorithm, null", info(&[SM2, NULL], &inner, &[])),
        ("the curve as algorithm, twice", info(&[SM2, SM2], &inner, &[])),
        ("without the public key", info(&[EC, SM2], &sec1(&[3; 32], &[]), &[])),
        ("compressed", info(&[EC, SM2], &sec1(&[3; 32], &[&compressed]), &[])),
        ("attributes", info(&[EC, SM2], &inner, &attributes)),
        ("rfc 5958", {
            let outer = tlv(0x81, &[&[0], &key.public_key().to_uncompressed()]);
            sequence(&[&[2, 1, 1], &sequence(&[EC, SM2]), &tlv(4, &[&inner]), &outer])
        }),
    ] {
        assert_eq!(read(&armour("PRIVATE KEY", &der)).expect(what), [3; 32], "{what}");
        assert_eq!(pem::format(&armour("PRIVATE KEY", &der)).unwrap(), KeyFormat::Plain);
    }
    let named = sec1(&[3; 32], &[&curve, &full]);
    for label in ["EC PRIVATE KEY", "SM2 PRIVATE KEY"] {
        assert_eq!(read(&armour(label, &named)).unwrap(), [3; 32]);
        assert_eq!(pem::format(&armour(label, &named)).unwrap(), KeyFormat::Sec1);
    }
    for label in ["EC PARAMETERS", "SM2 PARAMETERS"] {
        let bare = sec1(&[3; 32], &[&full]);
        let text = [armour(label, SM2), armour("EC PRIVATE KEY", &bare)].concat();
        assert_eq!(read(&text).unwrap(), [3; 32]);
    }
}

#[test]
fn the_armour_is_read_as_people_leave_it() {
    let text = pem::encode_plain(&secret(3));
    let crlf = text.replace('\n', "\r\n");
    let spaced = format!("\u{feff}my key:\n\n{}\n \t\n", text.replace("\n-", " \n-"));
    for text in [crlf, spaced, text.trim_end().to_owned()] {
        assert_eq!(read(text.as_bytes()).unwrap(), [3; 32], "{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 64));
}

#[test]
fn gmssl_keys_are_read() {
    let text = include_bytes!("../../vectors/gmssl_key.pem");
    assert!(pem::is_encrypted(text));
    assert_eq!(pem::format(text).unwrap(), KeyFormat::GmsslEncrypted);
    let key = pem::parse(text, Some("miyu 密语".as_bytes())).unwrap();
    let hex: String = key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "0807ffa679da94a4fd0e1e1798fd99d9e13f30a6cfaf6f044e5499b1c6bc1880");
    assert!(matches!(pem::parse(text, Some(b"miyu")), Err(KeyFileError::WrongPassphrase)));
    assert!(matches!(pem::parse(text, None), Err(KeyFileError::NeedsPassphrase)));
}

#[test]
fn what_is_written_is_read_again() {
    let mut rng = StdRng::seed_from_u64(0x1d05);
    let key = SecretKey::generate(&mut rng);
    let plain = pem::encode_plain(&key);
    assert!(!pem::is_encrypted(plain.as_bytes()));
    assert_eq!(read(plain.as_bytes()).unwrap(), *key.to_bytes());
    let gmssl = pem::encode_gmssl(&key, "密语".as_bytes(), &mut rng);
    let openssl = pem::encode_openssl(&key, "密语".as_bytes(), &mut rng);
    for (text, format) in [(&gmssl, KeyFormat::GmsslEncrypted), (&openssl, KeyFormat::OpensslEncrypted)] {
        assert!(pem::is_encrypted(text.as_bytes()));
        assert_eq!(pem::format(text.as_bytes()).unwrap(), format);
        let read = pem::parse(text.as_bytes(), Some("密语".as_bytes())).unwrap();
        assert_eq!(read.to_bytes(), key.to_bytes());
        let wrong = pem::parse(text.as_bytes(), Some(b""));
        assert!(matches!(wrong, Err(KeyFileError::WrongPassphrase)), "{wrong:?}");
    }
    // fresh salt and iv each time
    assert_ne!(*gmssl, *pem::encode_gmssl(&key, "密语".as_bytes(), &mut rng));
    // the layout is that of the file that GmSSL wrote
    let sample = std::str::from_utf8(include_bytes!("../../vectors/gmssl_key.pem")).unwrap();
    let body = |text: &str| {
        let base64: String = text.lines().skip_while(|line| !line.starts_with("-----B")).collect();
        let inner = base64.split("-----").nth(2).unwrap().to_owned();
        let mut der = Base64::decode_vec(&inner).unwrap();
        der[36..52].fill(0); // salt
        der[87..103].fill(0); // iv
        der.truncate(106);
        der
    };
    assert_eq!(body(&gmssl), body(sample));
}

/// The name of an error, without its data.
fn name(error: &KeyFileError) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '(', '{']).next().unwrap().to_owned()
}

#[test]
fn faults_of_the_armour_have_names() {
    let good = pem::encode_plain(&secret(3));
    let long = format!("{}\n{}", "x".repeat(KEY_FILE_BYTES_MAX), *good);
    let twice = format!("{}{}", *good, *good);
    let legacy = good.replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    let end = "-----END PRIVATE KEY-----\n";
    for (expected, text) in [
        ("NotPem", String::new()),
        ("NotPem", "sm2:AhF3".to_owned()),
        ("NotPem", good.replace("-----BEGIN", "----BEGIN")),
        ("BrokenPem", good.replace("PRIVATE KEY-----", "PRIVATE KEY")),
        ("BrokenPem", good.replace(end, "")),
        ("BrokenPem", good.replace("END PRIVATE", "END EC PRIVATE")),
        ("BrokenPem", good.replacen("MIGH", "MI*H", 1)),
        ("BrokenPem", good.replacen("MIGH", "MIG", 1)),
        ("BrokenPem", format!("-----BEGIN PRIVATE KEY-----\n{end}")),
        ("BrokenPem", format!("-----BEGIN {}-----", "A".repeat(100))),
        ("BrokenPem", "-----BEGIN \u{7}-----\n-----END \u{7}-----".to_owned()),
        ("BrokenPem", String::from_utf8(armour("EC PARAMETERS", SM2)).unwrap()),
        ("TrailingText", twice),
        ("TrailingText", format!("{}more", *good)),
        ("TooLong", long),
        ("LegacyEncryption", legacy),
        ("PublicKey", String::from_utf8(armour("PUBLIC KEY", &secret(3).public_key().spki_der())).unwrap()),
        ("OtherContent", String::from_utf8(armour("CERTIFICATE", &[0x30, 0])).unwrap()),
        ("OtherAlgorithm", String::from_utf8(armour("RSA PRIVATE KEY", &[0x30, 0])).unwrap()),
        ("OtherCurve", String::from_utf8(armour("EC PARAMETERS", P256)).unwrap()),
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(name(&error), expected, "{error}: {:.200}", text);
        assert!(!pem::is_encrypted(text.as_bytes()));
    }
}

/// PrivateKeyInfo of OpenSSL's form around an ECPrivateKey.
fn around(inner: &[u8]) -> Vec<u8> {
    info(&[EC, SM2], inner, &[])
}

/// The same, the public key in it replaced by a BIT STRING of `bits`.
fn with_point(bits: &[&[u8]]) -> Vec<u8> {
    around(&sec1(&[3; 32], &[&tlv(0xa1, &[&tlv(3, bits)])]))
}

/// Each DER must give the error of that name.
fn expect_names(cases: &[(&str, &str, Vec<u8>)]) {
    for (expected, what, der) in cases {
        let error = read(&armour("PRIVATE KEY", der)).unwrap_err();
        assert_eq!(name(&error), *expected, "{what}: {error}");
    }
}

#[test]
fn faults_of_the_der_have_names() {
    let key = secret(3);
    let (full, bare) = (point(&key), sec1(&[3; 32], &[]));
    let good = around(&sec1(&[3; 32], &[&full]));
    let version2 = sequence(&[&[2, 1, 2], &sequence(&[EC, SM2]), &tlv(4, &[&[]])]);
    expect_names(&[
        ("Truncated", "cut", good[..good.len() - 1].to_vec()),
        ("Truncated", "header only", good[..2].to_vec()),
        ("Truncated", "inner cut", around(&sec1(&[3; 32], &[&full])[..60])),
        ("Truncated", "no fields", sequence(&[])),
        ("TrailingData", "after all", [&good[..], &[0]].concat()),
        ("TrailingData", "unknown field", info(&[EC, SM2], &bare, NULL)),
        ("TrailingData", "in the algorithm", info(&[EC, SM2, NULL], &bare, &[])),
        ("TrailingData", "in the key", around(&sec1(&[3; 32], &[NULL]))),
        ("Malformed", "not a sequence", tlv(4, &[&good])),
        ("Malformed", "version 2", version2),
        ("Malformed", "sec1 version 2", around(&sequence(&[&[2, 1, 2], &tlv(4, &[&[3; 32]])]))),
        ("Malformed", "31 bytes", around(&sec1(&[3; 31], &[]))),
        ("Malformed", "33 bytes", around(&sec1(&[3; 33], &[]))),
        ("Malformed", "odd point length", with_point(&[&[0], &[4; 64]])),
        ("Malformed", "unused bits", with_point(&[&[1], &key.public_key().to_uncompressed()])),
        ("Malformed", "empty bit string", with_point(&[])),
    ]);
}

#[test]
fn keys_that_are_no_sm2_keys_are_refused_by_name() {
    let bare = sec1(&[3; 32], &[]);
    let explicit = sequence(&[&[2, 1, 1]]);
    expect_names(&[
        ("OtherAlgorithm", "rsa", info(&[RSA, NULL], &[], &[])),
        ("OtherCurve", "p-256", info(&[EC, P256], &bare, &[])),
        ("OtherCurve", "p-256 inside", around(&sec1(&[3; 32], &[&tlv(0xa0, &[P256])]))),
        ("OtherCurve", "p-256 under sm2", info(&[SM2, P256], &bare, &[])),
        ("ExplicitCurve", "explicit", info(&[EC, &explicit], &bare, &[])),
        ("NoCurve", "no parameters", info(&[EC], &bare, &[])),
        ("NoCurve", "null parameters", info(&[EC, NULL], &bare, &[])),
    ]);
    let error = read(&armour("EC PRIVATE KEY", &bare)).unwrap_err();
    assert_eq!(name(&error), "NoCurve");
}

#[test]
fn secrets_out_of_range_and_wrong_public_keys_are_refused_by_name() {
    let other = secret(4);
    let order_less_one = [
        &[0xff, 0xff, 0xff, 0xfe][..],
        &[0xff; 12],
        &[0x72, 3, 0xdf, 0x6b, 0x21, 0xc6, 5, 0x2b, 0x53, 0xbb, 0xf4, 9, 0x39, 0xd5, 0x41, 0x22],
    ]
    .concat();
    let outer = tlv(0x81, &[&[0], &other.public_key().to_uncompressed()]);
    expect_names(&[
        ("OutOfRange", "0", around(&sec1(&[0; 32], &[]))),
        ("OutOfRange", "n - 1", around(&sec1(&order_less_one, &[]))),
        ("OutOfRange", "2^256 - 1", around(&sec1(&[0xff; 32], &[]))),
        ("PublicKeyMismatch", "another's point", around(&sec1(&[3; 32], &[&point(&other)]))),
        ("PublicKeyMismatch", "off the curve", with_point(&[&[0, 4], &[1; 64]])),
        ("PublicKeyMismatch", "compressed", with_point(&[&[0], &other.public_key().to_compressed()])),
        ("PublicKeyMismatch", "rfc 5958", info(&[EC, SM2], &sec1(&[3; 32], &[]), &outer)),
    ]);
}

/// One fault put into an encrypted key.
type Spoil = &'static dyn Fn(&mut Sealed);

/// An encrypted key whose parts can be spoiled one by one.
struct Sealed {
    scheme: Vec<u8>,
    derivation: Vec<u8>,
    salt: Vec<u8>,
    iterations: Vec<u8>,
    key_length: Vec<u8>,
    function: Vec<u8>,
    cipher: Vec<u8>,
    iv: Vec<u8>,
    sealed: Vec<u8>,
}

impl Sealed {
    fn new(plain: &[u8]) -> Self {
        let mut key = [0; 16];
        kdf::pbkdf2(b"pass", &[7; 16], 2u32.try_into().unwrap(), &mut key);
        Self {
            scheme: PBES2.to_vec(),
            derivation: PBKDF2.to_vec(),
            salt: tlv(4, &[&[7; 16]]),
            iterations: vec![2, 1, 2],
            key_length: vec![2, 1, 16],
            function: sequence(&[HMAC_SM3]),
            cipher: SM4_CBC.to_vec(),
            iv: tlv(4, &[&[8; 16]]),
            sealed: tlv(4, &[&sm4::cbc_encrypt(&key, &[8; 16], plain)]),
        }
    }

    fn text(&self) -> Vec<u8> {
        let derivation =
            sequence(&[&self.derivation, &sequence(&[&self.salt, &self.iterations, &self.key_length, &self.function])]);
        let cipher = sequence(&[&self.cipher, &self.iv]);
        let scheme = sequence(&[&self.scheme, &sequence(&[&derivation, &cipher])]);
        armour("ENCRYPTED PRIVATE KEY", &sequence(&[&scheme, &self.sealed]))
    }
}

#[test]
fn faults_of_encrypted_keys_have_names() {
    let plain = info(&[EC, SM2], &sec1(&[3; 32], &[]), &[]);
    let open = |text: &[u8]| pem::parse(text, Some(b"pass")).map(|key| *key.to_bytes());
    let spoilt = |spoil: &dyn Fn(&mut Sealed)| {
        let mut sealed = Sealed::new(&plain);
        spoil(&mut sealed);
        open(&sealed.text())
    };
    assert_eq!(spoilt(&|_| {}).unwrap(), [3; 32]);
    assert_eq!(spoilt(&|s| s.function = sequence(&[HMAC_SM3, NULL])).unwrap(), [3; 32]);
    assert_eq!(spoilt(&|s| s.key_length.clear()).unwrap(), [3; 32]);
    let cases: [(&str, Spoil); 18] = [
        ("OtherEncryption", &|s| s.scheme = RSA.to_vec()),
        ("OtherEncryption", &|s| s.derivation = RSA.to_vec()),
        ("OtherEncryption", &|s| s.function = sequence(&[HMAC_SHA512, NULL])),
        ("OtherEncryption", &|s| s.function.clear()),
        ("OtherEncryption", &|s| s.cipher = AES_256_CBC.to_vec()),
        ("TooManyIterations", &|s| s.iterations = vec![2, 4, 0, 0x98, 0x96, 0x81]),
        ("TooManyIterations", &|s| s.iterations = vec![2, 4, 0x7f, 0xff, 0xff, 0xff]),
        ("TooManyIterations", &|s| s.iterations = tlv(2, &[&[0x7f; 20]])),
        ("Malformed", &|s| s.iterations = vec![2, 1, 0]),
        ("Malformed", &|s| s.iterations = vec![2, 1, 0xff]),
        ("Malformed", &|s| s.key_length = vec![2, 1, 32]),
        ("Malformed", &|s| s.salt = tlv(4, &[&[7; 1025]])),
        ("Malformed", &|s| s.iv = tlv(4, &[&[8; 12]])),
        ("Truncated", &|s| s.sealed = tlv(4, &[&[1; 47]])),
        ("Truncated", &|s| s.sealed = tlv(4, &[])),
        ("WrongPassphrase", &|s| s.salt = tlv(4, &[&[6; 16]])),
        ("WrongPassphrase", &|s| s.sealed = tlv(4, &[&[1; 48]])),
        ("TrailingData", &|s| s.sealed.extend(NULL)),
    ];
    for (index, (expected, spoil)) in cases.into_iter().enumerate() {
        let error = spoilt(spoil).unwrap_err();
        assert_eq!(name(&error), expected, "case {index}: {error}");
    }
    // the right passphrase and a fault inside is not called a wrong passphrase
    let other = info(&[EC, P256], &sec1(&[3; 32], &[]), &[]);
    assert_eq!(name(&open(&Sealed::new(&other).text()).unwrap_err()), "OtherCurve");
    // padding that happens to be right around noise is
    for noise in [&b"noise"[..], &[0x30, 0x03, 1, 1, 1], &[]] {
        assert_eq!(name(&open(&Sealed::new(noise).text()).unwrap_err()), "WrongPassphrase");
    }
}

#[test]
fn errors_are_told_in_one_style() {
    let text = armour("PRIVATE KEY", &info(&[RSA, NULL], &[], &[]));
    let error = read(&text).unwrap_err();
    assert_eq!(error.to_string(), "key file holds a key of another algorithm (RSA), not sm2");
    assert_eq!(error.hint().unwrap(), "make an sm2 key with `miyu keygen`");
}

proptest! {
    #[test]
    fn noise_never_panics(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let labels = ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS"];
        for text in labels.iter().map(|label| armour(label, &noise)).chain([noise.clone()]) {
            let _ = pem::parse(&text, None);
            let _ = pem::format(&text);
            let _ = pem::is_encrypted(&text);
        }
    }

    /// One byte of a good key replaced, in the text or in the DER: an error, or the same key.
    #[test]
    fn damage_never_gives_another_key(at in 0usize..1000, byte: u8) {
        let good = pem::encode_plain(&secret(3));
        let mut text = good.as_bytes().to_vec();
        let place = at % text.len();
        text[place] = byte;
        let der = info(&[EC, SM2], &sec1(&[3; 32], &[&point(&secret(3))]), &[]);
        let mut spoilt = der.clone();
        spoilt[at % der.len()] = byte;
        for text in [text, armour("PRIVATE KEY", &spoilt)] {
            if let Ok(key) = read(&text) {
                prop_assert_eq!(key, [3; 32]);
            }
        }
    }

    /// The structure of an encrypted key with one byte replaced; not opened, since the rounds may be many.
    #[test]
    fn damaged_encrypted_keys_never_panic(at in 0usize..200, byte: u8) {
        let mut der = Base64::decode_vec(
            std::str::from_utf8(&Sealed::new(&[1; 70]).text()).unwrap().lines().nth(1).unwrap(),
        ).unwrap();
        let place = at % der.len();
        der[place] = byte;
        let text = armour("ENCRYPTED PRIVATE KEY", &der);
        prop_assert!(pem::is_encrypted(&text));
        let _ = pem::format(&text);
    }
}
