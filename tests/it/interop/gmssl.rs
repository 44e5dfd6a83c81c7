//! miyu and GmSSL: encrypted key files, signatures, SM2 encryption and SM4-GCM, each both ways.

use std::process::Command;

use miyu::crypto::gcm::Sm4Gcm;
use miyu::crypto::sm2::{DEFAULT_ID, SecretKey, TLS_ID};
use miyu::crypto::sm2_encrypt::{self, DecryptError};
use miyu::identity::pem::{self, KeyFileError, KeyFormat};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tempfile::TempDir;

use super::hex;
use crate::crypto::hex as bytes;

/// Lets GmSSL do one job, with the words that `tests/interop/gmssl.py` takes.
fn gmssl(words: &[&str]) -> String {
    let python = std::env::var_os("MIYU_GMSSL_PYTHON")
        .expect("MIYU_GMSSL_PYTHON names no python with gmssl-pyx: ./x interop installs it and runs these cases");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/gmssl.py");
    let output = Command::new(python).arg(script).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// x and y, as GmSSL's Python takes a public key.
fn point(key: &SecretKey) -> String {
    hex(&key.public_key().to_uncompressed()[1..])
}

#[test]
#[ignore = "needs GmSSL: ./x interop"]
fn encrypted_key_files() {
    let mut rng = StdRng::seed_from_u64(0x6d01);
    let folder = TempDir::new().unwrap();
    for (index, phrase) in
        ["p", "miyu 密语", "with spaces, and longer than a block of sm3: 0123456789 0123456789 0123456789"]
            .into_iter()
            .enumerate()
    {
        let path = folder.path().join(format!("{index}.pem"));
        let (path, phrase_hex) = (path.to_str().unwrap(), hex(phrase.as_bytes()));

        let secret = gmssl(&["new_key_file", &phrase_hex, path]);
        let text = std::fs::read(path).unwrap();
        assert_eq!(pem::format(&text).unwrap(), KeyFormat::GmsslEncrypted);
        assert_eq!(hex(&*pem::parse(&text, Some(phrase.as_bytes())).unwrap().to_bytes()), secret);
        assert!(matches!(pem::parse(&text, Some(b"another")), Err(KeyFileError::WrongPassphrase)));

        let key = SecretKey::generate(&mut rng);
        std::fs::write(path, &*pem::encode_gmssl(&key, phrase.as_bytes(), &mut rng)).unwrap();
        assert_eq!(gmssl(&["open_key_file", &phrase_hex, path]), hex(&*key.to_bytes()));
        assert_eq!(gmssl(&["open_key_file", &hex(b"another"), path]), "refused");
    }
}

#[test]
#[ignore = "needs GmSSL: ./x interop"]
fn signatures() {
    let mut rng = StdRng::seed_from_u64(0x6d02);
    for (length, id) in [(1, DEFAULT_ID), (64, DEFAULT_ID), (1000, TLS_ID), (333, b"alice".as_slice())] {
        let key = SecretKey::generate(&mut rng);
        let mut message = vec![0; length];
        rng.fill_bytes(&mut message);
        let (point, id_hex, text) = (point(&key), hex(id), hex(&message));

        let theirs = bytes(&gmssl(&["sign", &hex(&*key.to_bytes()), &point, &id_hex, &text]));
        key.public_key().verify(id, &message, &theirs).unwrap();
        key.public_key().verify(b"another", &message, &theirs).unwrap_err();

        let ours = hex(&key.sign(id, &message));
        assert_eq!(gmssl(&["verify", &point, &id_hex, &text, &ours]), "good");
        assert_eq!(gmssl(&["verify", &point, &hex(b"another"), &text, &ours]), "refused");
    }
}

/// Many short ones: a coordinate that begins with a zero, or with a bit that needs a byte before it, is written in its
/// own way in DER.
#[test]
#[ignore = "needs GmSSL: ./x interop"]
fn sm2_encryption() {
    /// GmSSL takes no longer message.
    const BYTES_MAX: usize = 255;
    let mut rng = StdRng::seed_from_u64(0x6d04);
    let (key, other) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    let (point, secret) = (point(&key), hex(&*key.to_bytes()));
    for length in [1, 2, 16, 31, 32, 33, 64, 127, 128, 200, BYTES_MAX].into_iter().chain([16; 20]) {
        let mut message = vec![0; length];
        rng.fill_bytes(&mut message);

        let theirs = bytes(&gmssl(&["encrypt", &point, &hex(&message)]));
        assert_eq!(*sm2_encrypt::decrypt(&key, &theirs).unwrap(), message);
        assert_eq!(sm2_encrypt::decrypt(&other, &theirs).unwrap_err(), DecryptError::Wrong);

        let mut ours = sm2_encrypt::encrypt(&key.public_key(), &message, &mut rng).unwrap();
        assert_eq!(gmssl(&["decrypt", &secret, &hex(&ours)]), hex(&message));
        *ours.last_mut().unwrap() ^= 1;
        assert_eq!(gmssl(&["decrypt", &secret, &hex(&ours)]), "refused");
    }
}

#[test]
#[ignore = "needs GmSSL: ./x interop"]
fn sm4_gcm() {
    let mut rng = StdRng::seed_from_u64(0x6d03);
    for (associated, length) in [(0, 1), (20, 16), (13, 1200), (64, 4097)] {
        let (key, nonce): ([u8; 16], [u8; 12]) = (rng.random(), rng.random());
        let mut about = vec![0; associated];
        let mut plain = vec![0; length];
        rng.fill_bytes(&mut about);
        rng.fill_bytes(&mut plain);
        let mut sealed = plain.clone();
        let tag = Sm4Gcm::new(&key).seal_in_place(&nonce, &about, &mut sealed);
        sealed.extend(tag);

        let words = [hex(&key), hex(&nonce), hex(&about)];
        let job = |name, data: &[u8]| gmssl(&[name, &words[0], &words[1], &words[2], &hex(data)]);
        assert_eq!(job("seal", &plain), hex(&sealed));
        assert_eq!(job("unseal", &sealed), hex(&plain));
        sealed[0] ^= 1;
        assert_eq!(job("unseal", &sealed), "refused");
    }
}
