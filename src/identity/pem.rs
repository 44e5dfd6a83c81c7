//! Private keys as text: PEM armour (RFC 7468) around PKCS#8 (RFC 5208), encrypted PKCS#8 (PBES2, RFC 8018)
//! or SEC1 (RFC 5915), read; plain and encrypted PKCS#8, written.

use base64ct::{Base64, Encoding};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::pbes2::{self, Prf};
use super::pkcs8::{self, InnerCurve};
use crate::crypto::sm2::{PublicKey, SecretKey};

pub use super::error::KeyFileError;

/// The longest key file that is read, in bytes.
pub const KEY_FILE_BYTES_MAX: usize = 64 * 1024;

/// The longest label that is looked at, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// Base64 characters a line (RFC 7468 §2).
const LINE_CHARACTERS: usize = 64;

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// In which form a key file holds its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// PKCS#8 without a passphrase.
    Plain,
    /// PKCS#8 under PBKDF2-HMAC-SM3 and SM4-CBC, as GmSSL writes it.
    GmsslEncrypted,
    /// PKCS#8 under PBKDF2-HMAC-SHA256 and SM4-CBC, as OpenSSL writes it.
    OpensslEncrypted,
    /// SEC1 `EC PRIVATE KEY`, which OpenSSL 3 labels `SM2 PRIVATE KEY`; without a passphrase.
    Sec1,
}

/// Reads the one private key of `pem`; text before its BEGIN line is skipped, a block of curve parameters
/// before it is checked, anything but white space after its END line is refused.
///
/// # Errors
/// [`KeyFileError`]; [`KeyFileError::NeedsPassphrase`] if the key is encrypted and `passphrase` is `None`.
pub fn parse(pem: &[u8], passphrase: Option<&[u8]>) -> Result<SecretKey, KeyFileError> {
    let found = key_block(pem)?;
    match found.kind {
        Kind::Plain => pkcs8::parse_info(&found.der),
        Kind::Sec1 => pkcs8::parse_sec1(&found.der, found.curve_named),
        Kind::Encrypted => {
            let sealed = pbes2::parse(&found.der)?;
            let plain = sealed.open(passphrase.ok_or(KeyFileError::NeedsPassphrase)?)?;
            // one wrong passphrase in 256 gives plausible padding; what comes out is noise even so
            if !pkcs8::looks_like_info(&plain) {
                return Err(KeyFileError::WrongPassphrase);
            }
            pkcs8::parse_info(&plain)
        }
    }
}

/// In which form `pem` holds its key, without opening it.
///
/// # Errors
/// As [`parse`], as far as it can be told without a passphrase.
pub fn format(pem: &[u8]) -> Result<KeyFormat, KeyFileError> {
    let found = key_block(pem)?;
    Ok(match found.kind {
        Kind::Plain => KeyFormat::Plain,
        Kind::Sec1 => KeyFormat::Sec1,
        Kind::Encrypted => match pbes2::parse(&found.der)?.prf() {
            Prf::HmacSm3 => KeyFormat::GmsslEncrypted,
            Prf::HmacSha256 => KeyFormat::OpensslEncrypted,
        },
    })
}

/// Whether [`parse`] would use a passphrase. Text that is no key file at all needs none.
pub fn is_encrypted(pem: &[u8]) -> bool {
    matches!(key_block(pem), Ok(Found { kind: Kind::Encrypted, .. }))
}

/// `key` as `openssl genpkey -algorithm SM2` writes it, byte for byte: PKCS#8 with the public key.
pub fn encode_plain(key: &SecretKey) -> Zeroizing<String> {
    armour(PLAIN_LABEL, &pkcs8::encode_info(key, InnerCurve::Omitted))
}

/// `key` under `passphrase` in GmSSL's format: PBKDF2-HMAC-SM3, 65,536 rounds, SM4-CBC; salt and IV from `rng`.
/// An empty passphrase protects nothing: ask again before this.
pub fn encode_gmssl(key: &SecretKey, passphrase: &[u8], rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let info = pkcs8::encode_info(key, InnerCurve::Named);
    armour(ENCRYPTED_LABEL, &pbes2::seal(&info, passphrase, Prf::HmacSm3, rng))
}

/// `key` under `passphrase` in a format that OpenSSL 3 reads: PBKDF2-HMAC-SHA256, 600,000 rounds, SM4-CBC; salt
/// and IV from `rng`. An empty passphrase protects nothing: ask again before this.
pub fn encode_openssl(key: &SecretKey, passphrase: &[u8], rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let info = pkcs8::encode_info(key, InnerCurve::Omitted);
    armour(ENCRYPTED_LABEL, &pbes2::seal(&info, passphrase, Prf::HmacSha256, rng))
}

/// `key` as `openssl pkey -pubout` writes it: a SubjectPublicKeyInfo (RFC 5480) in PEM.
pub fn encode_public(key: &PublicKey) -> String {
    armour(PUBLIC_LABEL, &key.spki_der()).to_string()
}

/// Whether the first block of `pem` is a public key.
pub fn is_public(pem: &[u8]) -> bool {
    pem.len() <= KEY_FILE_BYTES_MAX && matches!(next_block(pem), Ok(Some((Block { label: PUBLIC_LABEL, .. }, _))))
}

/// Reads the one public key of `pem`: what [`encode_public`] and `openssl pkey -pubout` write.
///
/// # Errors
/// [`KeyFileError`].
pub fn parse_public(pem: &[u8]) -> Result<PublicKey, KeyFileError> {
    if pem.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::TooLong);
    }
    let (block, rest) = next_block(pem)?.ok_or(KeyFileError::NotPem)?;
    if block.label != PUBLIC_LABEL {
        return Err(KeyFileError::OtherContent { label: block.label.to_owned() });
    }
    if !rest.trim_ascii().is_empty() {
        return Err(KeyFileError::TrailingText);
    }
    PublicKey::from_spki_der(&block.decode()?).map_err(KeyFileError::BadPublicKey)
}

fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(Base64::encode_string(der));
    let lines = body.len().div_ceil(LINE_CHARACTERS);
    // sized beforehand: a string that grows leaves copies of the key behind
    let mut out = Zeroizing::new(String::with_capacity(body.len() + lines + 2 * (label.len() + 17)));
    out.extend(["-----BEGIN ", label, "-----\n"]);
    for start in (0..body.len()).step_by(LINE_CHARACTERS) {
        out.extend([&body[start..body.len().min(start + LINE_CHARACTERS)], "\n"]);
    }
    out.extend(["-----END ", label, "-----\n"]);
    out
}

enum Kind {
    Plain,
    Encrypted,
    Sec1,
}

/// The block with the key.
struct Found {
    kind: Kind,
    der: Zeroizing<Vec<u8>>,
    /// A block of parameters before it named the SM2 curve.
    curve_named: bool,
}

fn key_block(pem: &[u8]) -> Result<Found, KeyFileError> {
    if pem.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyFileError::TooLong);
    }
    let (mut block, mut rest) = next_block(pem)?.ok_or(KeyFileError::NotPem)?;
    let mut curve_named = false;
    if matches!(block.label, "EC PARAMETERS" | "SM2 PARAMETERS") {
        pkcs8::check_parameters(&block.decode()?)?;
        curve_named = true;
        let missing = KeyFileError::BrokenPem { reason: "curve parameters, but no key after them" };
        (block, rest) = next_block(rest)?.ok_or(missing)?;
    }
    let kind = match block.label {
        PLAIN_LABEL => Kind::Plain,
        ENCRYPTED_LABEL => Kind::Encrypted,
        "EC PRIVATE KEY" | "SM2 PRIVATE KEY" => Kind::Sec1,
        PUBLIC_LABEL => return Err(KeyFileError::PublicKey),
        "RSA PRIVATE KEY" => {
            return Err(KeyFileError::OtherAlgorithm { algorithm: "RSA".to_owned() });
        }
        "DSA PRIVATE KEY" => {
            return Err(KeyFileError::OtherAlgorithm { algorithm: "DSA".to_owned() });
        }
        other => {
            return Err(KeyFileError::OtherContent { label: other.to_owned() });
        }
    };
    // the old encryption announces itself in a header inside the block
    if find(block.body, b"Proc-Type:").is_some() {
        return Err(KeyFileError::LegacyEncryption);
    }
    if !rest.trim_ascii().is_empty() {
        return Err(KeyFileError::TrailingText);
    }
    Ok(Found { kind, der: block.decode()?, curve_named })
}

/// One block between its BEGIN and END lines.
struct Block<'a> {
    label: &'a str,
    body: &'a [u8],
}

impl Block<'_> {
    fn decode(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let mut text = Zeroizing::new(Vec::with_capacity(self.body.len()));
        text.extend(self.body.iter().filter(|byte| !byte.is_ascii_whitespace()));
        let reason = "what stands between its BEGIN and END lines is not base64";
        let length = Base64::decode_in_place(&mut text).map_err(|_| KeyFileError::BrokenPem { reason })?.len();
        text.truncate(length);
        if text.is_empty() {
            return Err(KeyFileError::BrokenPem { reason: "nothing stands between its BEGIN and END lines" });
        }
        Ok(text)
    }
}

/// The first block of `text`, and what follows it; `None` if there is no BEGIN line.
fn next_block(text: &[u8]) -> Result<Option<(Block<'_>, &[u8])>, KeyFileError> {
    let Some(start) = find(text, BEGIN) else {
        return Ok(None);
    };
    let text = &text[start + BEGIN.len()..];
    let head = &text[..text.len().min(LABEL_BYTES_MAX + DASHES.len())];
    let bad_begin = KeyFileError::BrokenPem { reason: "its BEGIN line is damaged" };
    let Some(label_length) = find(head, DASHES) else {
        return Err(bad_begin);
    };
    let label = match std::str::from_utf8(&text[..label_length]) {
        Ok(label) if label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => label,
        _ => return Err(bad_begin),
    };
    let text = &text[label_length + DASHES.len()..];
    let end = format!("-----END {label}-----");
    let Some(body_length) = find(text, end.as_bytes()) else {
        return Err(KeyFileError::BrokenPem { reason: "its END line is missing or has another name" });
    };
    let body = &text[..body_length];
    Ok(Some((Block { label, body }, &text[body_length + end.len()..])))
}

/// Where `what` starts in `text`. The texts are bounded by [`KEY_FILE_BYTES_MAX`].
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
