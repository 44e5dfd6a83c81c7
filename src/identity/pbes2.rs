//! EncryptedPrivateKeyInfo: PBES2 with PBKDF2 and SM4-CBC (RFC 8018 §6.2, RFC 5958 §3).

use std::num::NonZeroU32;

use der::Tag;
use der::asn1::ObjectIdentifier;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::KeyFileError;
use super::pkcs8::{Fields, oid_name};
use crate::crypto::{kdf, sm4};

/// Most PBKDF2 rounds that are read from a file: about ten seconds of work on a small machine.
pub(super) const ITERATIONS_MAX: u32 = 10_000_000;

/// Rounds with HMAC-SM3: what GmSSL writes.
const GMSSL_ITERATIONS: u32 = 65_536;

/// Rounds with HMAC-SHA256. OpenSSL reads any number and writes 2,048, which is too few.
const OPENSSL_ITERATIONS: u32 = 600_000;

/// Length of the salt that is written, in bytes.
const SALT_BYTES: usize = 16;

/// Longest salt that is read, in bytes.
const SALT_BYTES_MAX: usize = 1024;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
/// 1.2.156.10197.1.401.2
const HMAC_SM3: &[u8] = &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11, 0x02];
/// 1.2.156.10197.1.104.2
const SM4_CBC: &[u8] = &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x02];

/// Schemes that are met in practice, for the message that refuses them.
const NAMES: [(&str, &str); 10] = [
    ("1.2.840.113549.1.5.3", "PBES1 with MD5 and DES"),
    ("1.2.840.113549.1.5.10", "PBES1 with SHA-1 and DES"),
    ("1.2.840.113549.1.12.1.3", "PKCS#12 with SHA-1 and Triple-DES"),
    ("1.3.6.1.4.1.11591.4.11", "scrypt"),
    ("1.2.840.113549.2.7", "PBKDF2 with HMAC-SHA1"),
    ("1.2.840.113549.2.11", "PBKDF2 with HMAC-SHA512"),
    ("1.2.840.113549.3.7", "Triple-DES"),
    ("2.16.840.1.101.3.4.1.2", "AES-128-CBC"),
    ("2.16.840.1.101.3.4.1.22", "AES-192-CBC"),
    ("2.16.840.1.101.3.4.1.42", "AES-256-CBC"),
];

/// The pseudo-random function of PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prf {
    HmacSm3,
    /// The one place where another hash than SM3 is computed: OpenSSL 3.0 knows no PBKDF2 with SM3.
    HmacSha256,
}

impl Prf {
    fn derive(self, passphrase: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<[u8; sm4::KEY_BYTES]> {
        let mut key = Zeroizing::new([0u8; sm4::KEY_BYTES]);
        match self {
            Self::HmacSm3 => kdf::pbkdf2(passphrase, salt, iterations, &mut *key),
            Self::HmacSha256 => key.copy_from_slice(&sha256_block(passphrase, salt, iterations)[..sm4::KEY_BYTES]),
        }
        key
    }
}

/// The first block of PBKDF2-HMAC-SHA256.
fn sha256_block(passphrase: &[u8], salt: &[u8], iterations: NonZeroU32) -> Zeroizing<[u8; 32]> {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(passphrase) else {
        // panic-ok: RFC 2104 defines HMAC for every key length
        unreachable!("hmac takes keys of every length")
    };
    let block = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut round = Zeroizing::new(block(&[salt, &1u32.to_be_bytes()]));
    let mut sum = round.clone();
    for _ in 1..iterations.get() {
        *round = block(&[&*round]);
        sum.iter_mut().zip(round.iter()).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// An encrypted key that was read but not opened.
pub(super) struct Sealed<'a> {
    prf: Prf,
    salt: &'a [u8],
    iterations: NonZeroU32,
    iv: [u8; sm4::BLOCK_BYTES],
    sealed: &'a [u8],
}

impl Sealed<'_> {
    pub(super) fn prf(&self) -> Prf {
        self.prf
    }

    /// The plain PrivateKeyInfo, or what a wrong passphrase makes of it (one in 256 passes the padding).
    pub(super) fn open(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let key = self.prf.derive(passphrase, self.salt, self.iterations);
        sm4::cbc_decrypt(&key, &self.iv, self.sealed).map_err(|_| KeyFileError::WrongPassphrase)
    }
}

/// Reads an EncryptedPrivateKeyInfo.
pub(super) fn parse(der: &[u8]) -> Result<Sealed<'_>, KeyFileError> {
    let mut whole = Fields::whole("the encrypted key", der)?;
    let mut scheme = whole.sequence("the encryption of the key")?;
    expect(&scheme.oid()?, PBES2)?;
    let mut parameters = scheme.sequence("the encryption of the key")?;
    scheme.end()?;
    let derivation = parameters.sequence("the key derivation")?;
    let cipher = parameters.sequence("the cipher of the key")?;
    parameters.end()?;
    let (prf, salt, iterations) = parse_derivation(derivation)?;
    let iv = parse_cipher(cipher)?;
    let sealed = whole.value(Tag::OctetString)?;
    whole.end()?;
    if sealed.is_empty() || !sealed.len().is_multiple_of(sm4::BLOCK_BYTES) {
        return Err(KeyFileError::Truncated { part: "the encrypted key" });
    }
    Ok(Sealed { prf, salt, iterations, iv, sealed })
}

fn parse_derivation(mut fields: Fields<'_>) -> Result<(Prf, &[u8], NonZeroU32), KeyFileError> {
    let part = "the key derivation";
    expect(&fields.oid()?, PBKDF2)?;
    let mut parameters = fields.sequence(part)?;
    fields.end()?;
    let salt = parameters.value(Tag::OctetString)?;
    if salt.len() > SALT_BYTES_MAX {
        return Err(KeyFileError::Malformed { part: "the salt" });
    }
    let iterations = parameters.integer()?;
    let bad_count = KeyFileError::Malformed { part: "the number of pbkdf2 rounds" };
    let iterations = match u32::try_from(iterations) {
        Ok(count) if count <= ITERATIONS_MAX => NonZeroU32::new(count).ok_or(bad_count)?,
        _ => return Err(KeyFileError::TooManyIterations { iterations }),
    };
    if parameters.optional(Tag::Integer)?.is_some_and(|length| length != [sm4::KEY_BYTES as u8]) {
        return Err(KeyFileError::Malformed { part: "the key length of pbkdf2" });
    }
    if parameters.at_end() {
        // the default of RFC 8018 §A.2
        return Err(KeyFileError::OtherEncryption { what: "PBKDF2 with HMAC-SHA1".to_owned() });
    }
    let mut function = parameters.sequence(part)?;
    parameters.end()?;
    let oid = function.oid()?;
    let prf = match oid.as_bytes() {
        HMAC_SM3 => Prf::HmacSm3,
        HMAC_SHA256 => Prf::HmacSha256,
        _ => return Err(other(&oid)),
    };
    if !function.at_end() {
        function.value(Tag::Null)?;
    }
    function.end()?;
    Ok((prf, salt, iterations))
}

fn parse_cipher(mut fields: Fields<'_>) -> Result<[u8; sm4::BLOCK_BYTES], KeyFileError> {
    expect(&fields.oid()?, SM4_CBC)?;
    let iv = fields.value(Tag::OctetString)?;
    fields.end()?;
    iv.try_into().map_err(|_| KeyFileError::Malformed { part: "the iv of the cipher" })
}

fn expect(oid: &ObjectIdentifier, wanted: &[u8]) -> Result<(), KeyFileError> {
    if oid.as_bytes() == wanted { Ok(()) } else { Err(other(oid)) }
}

fn other(oid: &ObjectIdentifier) -> KeyFileError {
    let numbers = oid.to_string();
    let named = NAMES.iter().find(|(known, _)| *known == numbers);
    KeyFileError::OtherEncryption { what: named.map_or_else(|| oid_name(oid), |(_, name)| (*name).to_owned()) }
}

/// Writes an EncryptedPrivateKeyInfo around `info`.
pub(super) fn seal(info: &[u8], passphrase: &[u8], prf: Prf, rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut salt = [0u8; SALT_BYTES];
    let mut iv = [0u8; sm4::BLOCK_BYTES];
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    let (iterations, function) = match prf {
        // GmSSL writes the function without parameters and the key length; OpenSSL the other way round
        Prf::HmacSm3 => (GMSSL_ITERATIONS, [tlv(0x02, &[sm4::KEY_BYTES as u8]), sequence(&[tlv(0x06, HMAC_SM3)])]),
        Prf::HmacSha256 => (OPENSSL_ITERATIONS, [Vec::new(), sequence(&[tlv(0x06, HMAC_SHA256), tlv(0x05, &[])])]),
    };
    let Some(iterations) = NonZeroU32::new(iterations) else {
        // panic-ok: the caller gives constants
        unreachable!("the numbers of rounds are constants above zero")
    };
    let key = prf.derive(passphrase, &salt, iterations);
    // three bytes, the highest below 0x80: a positive integer without a leading zero
    let [_, count @ ..] = iterations.get().to_be_bytes();
    let derivation =
        sequence(&[tlv(0x06, PBKDF2), sequence(&[tlv(0x04, &salt), tlv(0x02, &count), function.concat()])]);
    let cipher = sequence(&[tlv(0x06, SM4_CBC), tlv(0x04, &iv)]);
    let scheme = sequence(&[tlv(0x06, PBES2), sequence(&[derivation, cipher])]);
    sequence(&[scheme, tlv(0x04, &sm4::cbc_encrypt(&key, &iv, info))])
}

fn sequence(fields: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &fields.concat())
}

/// One DER element of a single-byte tag and less than 64 KiB.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    let mut out = match value.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(value);
    out
}
