//! Keys and signatures both ways with the `openssl` command line; skipped, and said so, where it is missing.

use std::path::Path;
use std::process::Command;

use miyu::crypto::sm2::{DEFAULT_ID, PublicKey, SecretKey, TLS_ID};
use miyu::crypto::sm4;
use miyu::identity::pem::{self, KeyFileError, KeyFormat};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tempfile::TempDir;

/// `openssl` in a folder of its own.
struct Openssl {
    folder: TempDir,
}

impl Openssl {
    /// `None`, and a line that says so, if there is none that knows SM2.
    fn new(test: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let probe = Command::new("openssl").args(["genpkey", "-algorithm", "SM2"]).output();
        if probe.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        eprintln!("skipped {test}: there is no openssl with sm2 here");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Runs `openssl` with the words of `line` (no quoting) and returns its standard output if it succeeds.
    fn try_run(&self, line: &str) -> Result<Vec<u8>, String> {
        let words = line.split_whitespace();
        let output = Command::new("openssl").args(words).current_dir(self.path()).output().unwrap();
        if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }

    fn run(&self, line: &str) -> Vec<u8> {
        self.try_run(line).unwrap_or_else(|error| panic!("openssl {line}: {error}"))
    }
}

#[test]
fn reads_every_form_that_openssl_writes() {
    let Some(openssl) = Openssl::new("reads_every_form_that_openssl_writes") else {
        return;
    };
    for _ in 0..4 {
        let plain = openssl.run("genpkey -algorithm SM2");
        let key = pem::parse(&plain, None).unwrap();
        assert_eq!(pem::encode_plain(&key).as_bytes(), plain, "not byte for byte what openssl writes");
        assert_eq!(pem::format(&plain).unwrap(), KeyFormat::Plain);
        openssl.write("key.pem", &plain);
        for form in ["ec -in key.pem", "ec -in key.pem -no_public", "ec -in key.pem -conv_form compressed"] {
            let text = openssl.run(form);
            assert_eq!(pem::format(&text).unwrap(), KeyFormat::Sec1, "{form}");
            assert_eq!(pem::parse(&text, None).unwrap().to_bytes(), key.to_bytes(), "{form}");
        }
        let point = openssl.run("pkey -in key.pem -pubout -outform DER");
        assert_eq!(point, key.public_key().spki_der());
        for form in [
            "pkcs8 -topk8 -in key.pem -v2 sm4-cbc -passout pass:secret",
            "pkcs8 -topk8 -in key.pem -v2 sm4-cbc -v2prf hmacWithSHA256 -iter 100 -passout pass:secret",
            "pkey -in key.pem -sm4-cbc -passout pass:secret",
        ] {
            let text = openssl.run(form);
            assert!(pem::is_encrypted(&text));
            assert_eq!(pem::format(&text).unwrap(), KeyFormat::OpensslEncrypted, "{form}");
            assert_eq!(pem::parse(&text, Some(b"secret")).unwrap().to_bytes(), key.to_bytes(), "{form}");
            let wrong = pem::parse(&text, Some(b"Secret"));
            assert!(matches!(wrong, Err(KeyFileError::WrongPassphrase)), "{wrong:?}");
        }
    }
}

#[test]
fn parameters_before_the_key_are_read() {
    let Some(openssl) = Openssl::new("parameters_before_the_key_are_read") else {
        return;
    };
    let text = openssl.run("ecparam -name SM2 -genkey");
    assert!(text.starts_with(b"-----BEGIN SM2 PARAMETERS"), "openssl writes another form now");
    pem::parse(&text, None).unwrap();
}

#[test]
fn openssl_reads_what_we_write() {
    let Some(openssl) = Openssl::new("openssl_reads_what_we_write") else {
        return;
    };
    let mut rng = StdRng::seed_from_u64(0x1d02);
    let key = SecretKey::generate(&mut rng);
    let plain = pem::encode_plain(&key);
    openssl.write("plain.pem", &*plain);
    assert_eq!(openssl.run("pkey -in plain.pem"), plain.as_bytes());
    let sealed = pem::encode_openssl(&key, b"pass", &mut rng);
    openssl.write("sealed.pem", &*sealed);
    assert_eq!(openssl.run("pkey -in sealed.pem -passin pass:pass"), plain.as_bytes());
    openssl.try_run("pkey -in sealed.pem -passin pass:other").unwrap_err();
}

#[test]
fn other_keys_of_openssl_are_refused_by_name() {
    let Some(openssl) = Openssl::new("other_keys_of_openssl_are_refused_by_name") else {
        return;
    };
    openssl.write("key.pem", &*pem::encode_plain(&super::secret(3)));
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem");
    let said = |line: &str| pem::parse(&openssl.run(line), Some(b"secret")).unwrap_err().to_string();
    for (line, word) in [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", "(RSA)"),
        ("genpkey -algorithm ED25519", "(Ed25519)"),
        ("pkey -in p256.pem", "(P-256)"),
        ("ec -in p256.pem", "(P-256)"),
        ("pkey -in p256.pem -ec_param_enc explicit", "spells out"),
        ("pkey -in key.pem -pubout", "a public key"),
        ("pkey -in key.pem -aes-256-cbc -passout pass:secret", "AES-256-CBC"),
        ("pkcs8 -topk8 -in key.pem -v2 sm4-cbc -v2prf hmacWithSHA1 -passout pass:secret", "HMAC-SHA1"),
        ("pkcs8 -topk8 -in key.pem -v2 sm4-cbc -v2prf hmacWithSHA512 -passout pass:secret", "HMAC-SHA512"),
        ("pkcs8 -topk8 -in key.pem -v1 PBE-SHA1-3DES -passout pass:secret", "Triple-DES"),
        ("pkcs8 -topk8 -in key.pem -v2 sm4-cbc -scrypt -passout pass:secret", "scrypt"),
        ("ec -in key.pem -aes128 -passout pass:secret", "old openssl format"),
    ] {
        let message = said(line);
        assert!(message.contains(word), "{line}: {message}");
    }
}

#[test]
fn signatures_both_ways() {
    let Some(openssl) = Openssl::new("signatures_both_ways") else {
        return;
    };
    let mut rng = StdRng::seed_from_u64(0x1d03);
    for (length, id) in [(0, DEFAULT_ID), (1, DEFAULT_ID), (1000, DEFAULT_ID), (333, TLS_ID), (64, b"alice")] {
        let key = SecretKey::generate(&mut rng);
        let mut message = vec![0; length];
        rng.fill_bytes(&mut message);
        let name = std::str::from_utf8(id).unwrap();
        let options = format!("-rawin -in message -digest sm3 -pkeyopt distid:{name}");
        openssl.write("message", &message);
        openssl.write("key.pem", &*pem::encode_plain(&key));
        openssl.run("pkey -in key.pem -pubout -out public.pem");

        let theirs = openssl.run(&format!("pkeyutl -sign -inkey key.pem {options}"));
        key.public_key().verify(id, &message, &theirs).unwrap();
        openssl.write("signature", key.sign(id, &message));
        let verify = format!("pkeyutl -verify -pubin -inkey public.pem -sigfile signature {options}");
        openssl.run(&verify);
        openssl.write("signature", key.sign(b"another", &message));
        openssl.try_run(&verify).unwrap_err();
    }
}

#[test]
fn spki_is_read() {
    let Some(openssl) = Openssl::new("spki_is_read") else {
        return;
    };
    openssl.run("genpkey -algorithm SM2 -out key.pem");
    let der = openssl.run("pkey -in key.pem -pubout -outform DER");
    let key = pem::parse(&std::fs::read(openssl.path().join("key.pem")).unwrap(), None).unwrap();
    assert_eq!(PublicKey::from_spki_der(&der), Ok(key.public_key()));
}

#[test]
fn sm4_cbc_both_ways() {
    let Some(openssl) = Openssl::new("sm4_cbc_both_ways") else {
        return;
    };
    let mut rng = StdRng::seed_from_u64(0x1d04);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for length in [0, 1, 15, 16, 17, 1000] {
        let (key, iv): ([u8; 16], [u8; 16]) = (rng.random(), rng.random());
        let mut plain = vec![0; length];
        rng.fill_bytes(&mut plain);
        let options = format!("-sm4-cbc -K {} -iv {} -in file", hex(&key), hex(&iv));
        openssl.write("file", &plain);
        let theirs = openssl.run(&format!("enc {options}"));
        assert_eq!(sm4::cbc_encrypt(&key, &iv, &plain), theirs);
        assert_eq!(*sm4::cbc_decrypt(&key, &iv, &theirs).unwrap(), plain);
        openssl.write("file", &theirs);
        assert_eq!(openssl.run(&format!("enc -d {options}")), plain);
    }
}
