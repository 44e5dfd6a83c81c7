//! Stanzas: the file key, wrapped for one key or one passphrase.

use std::num::NonZeroU32;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::error::SealError;
use crate::crypto::gcm::{KEY_BYTES, NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use crate::crypto::kdf;
use crate::crypto::sm2::{PublicKey, SecretKey};
use crate::crypto::sm2_encrypt::{self, DecryptError};

/// Recipients of one file at most; as many stanzas are read.
pub const RECIPIENTS_MAX: usize = 1024;

/// Rounds of PBKDF2-HMAC-SM3 for a passphrase.
pub const ITERATIONS_DEFAULT: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(iterations) => iterations,
    None => NonZeroU32::MIN,
};

/// Most rounds that are done because a file says so: some seconds.
pub const ITERATIONS_MAX: u32 = 10_000_000;

/// The longest body of a stanza in bytes, of a kind that is not known too.
pub(super) const STANZA_BYTES_MAX: usize = 1024;

/// Length of the key that all else in a file comes from, in bytes.
pub(super) const FILE_KEY_BYTES: usize = 32;

const SALT_BYTES: usize = 16;
const WRAPPED_BYTES: usize = FILE_KEY_BYTES + TAG_BYTES;
const PASSPHRASE_BODY_BYTES: usize = SALT_BYTES + 4 + WRAPPED_BYTES;

/// Associated data of a file key under a passphrase.
const PASSPHRASE_DOMAIN: &[u8] = b"miyu/1 sealed file passphrase";

const KIND_SM2: u8 = 1;
const KIND_PASSPHRASE: u8 = 2;

/// The key that everything else in one file comes from.
pub(super) type FileKey = Zeroizing<[u8; FILE_KEY_BYTES]>;

/// Who can open a file.
#[derive(Clone)]
pub enum Recipient {
    /// The owner of this public key.
    Key(PublicKey),
    /// Whoever knows this passphrase.
    Passphrase {
        /// The passphrase; an empty one protects nothing.
        passphrase: Zeroizing<Vec<u8>>,
        /// Rounds of PBKDF2: [`ITERATIONS_DEFAULT`].
        iterations: NonZeroU32,
    },
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => write!(f, "Key({key:?})"),
            Self::Passphrase { .. } => f.write_str("Passphrase(…)"),
        }
    }
}

impl Recipient {
    /// Kind and body of the stanza that gives this recipient the file key.
    pub(super) fn wrap(&self, file_key: &FileKey, rng: &mut impl CryptoRng) -> Result<(u8, Vec<u8>), SealError> {
        match self {
            Self::Key(key) => {
                // 32 bytes are within the lengths that SM2 takes
                let body = sm2_encrypt::encrypt(key, &**file_key, rng).map_err(|_| SealError::TooLong)?;
                Ok((KIND_SM2, body))
            }
            Self::Passphrase { passphrase, iterations } => {
                let mut body = Vec::with_capacity(PASSPHRASE_BODY_BYTES);
                let mut salt = [0u8; SALT_BYTES];
                rng.fill_bytes(&mut salt);
                body.extend_from_slice(&salt);
                body.extend_from_slice(&iterations.get().to_be_bytes());
                let (cipher, nonce) = passphrase_cipher(passphrase, &salt, *iterations);
                let mut wrapped = file_key.clone();
                let tag = cipher.seal_in_place(&nonce, PASSPHRASE_DOMAIN, &mut *wrapped);
                body.extend_from_slice(&*wrapped);
                body.extend_from_slice(&tag);
                Ok((KIND_PASSPHRASE, body))
            }
        }
    }
}

/// SM4-GCM key and nonce under which a file key is wrapped: the first 28 bytes of PBKDF2-HMAC-SM3. The salt is new
/// for every file, so that this key and nonce meet once.
fn passphrase_cipher(passphrase: &[u8], salt: &[u8], iterations: NonZeroU32) -> (Sm4Gcm, [u8; NONCE_BYTES]) {
    let mut derived = Zeroizing::new([0u8; KEY_BYTES + NONCE_BYTES]);
    kdf::pbkdf2(passphrase, salt, iterations, &mut *derived);
    let (mut key, mut nonce) = (Zeroizing::new([0u8; KEY_BYTES]), [0u8; NONCE_BYTES]);
    key.copy_from_slice(&derived[..KEY_BYTES]);
    nonce.copy_from_slice(&derived[KEY_BYTES..]);
    (Sm4Gcm::new(&key), nonce)
}

/// One stanza of a header that was read.
pub(super) enum Stanza {
    /// An SM2 ciphertext, in DER; not parsed yet, as only its owner can tell whether it is right.
    Sm2(Vec<u8>),
    /// A file key under a passphrase.
    Passphrase { salt: [u8; SALT_BYTES], iterations: NonZeroU32, wrapped: [u8; FILE_KEY_BYTES], tag: [u8; TAG_BYTES] },
    /// Of a kind that is not known here.
    Other,
}

impl Stanza {
    pub(super) fn parse(kind: u8, body: &[u8]) -> Result<Self, SealError> {
        match kind {
            KIND_SM2 => Ok(Self::Sm2(body.to_vec())),
            KIND_PASSPHRASE => parse_passphrase(body)
                .ok_or(SealError::BadHeader { what: "a passphrase stanza of another length, or with no rounds" }),
            _ => Ok(Self::Other),
        }
    }

    /// The file key, if this stanza is for `key`.
    pub(super) fn open_with_key(&self, key: &SecretKey) -> Option<FileKey> {
        let Self::Sm2(body) = self else { return None };
        let opened: Result<_, DecryptError> = sm2_encrypt::decrypt(key, body);
        file_key(&opened.ok()?)
    }

    /// The file key, if this stanza is under `passphrase`.
    ///
    /// The length of what is wrapped is fixed, so that nobody can make one stanza that opens under many passphrases and
    /// learn from an answer which of them was tried; the MAC over the header binds the file key besides.
    pub(super) fn open_with_passphrase(&self, passphrase: &[u8]) -> Result<Option<FileKey>, SealError> {
        let Self::Passphrase { salt, iterations, wrapped, tag } = self else { return Ok(None) };
        if iterations.get() > ITERATIONS_MAX {
            return Err(SealError::TooManyIterations { iterations: iterations.get() });
        }
        let (cipher, nonce) = passphrase_cipher(passphrase, salt, *iterations);
        let mut key = Zeroizing::new(*wrapped);
        Ok(cipher.open_in_place(&nonce, PASSPHRASE_DOMAIN, &mut *key, tag).is_ok().then_some(key))
    }
}

fn file_key(bytes: &[u8]) -> Option<FileKey> {
    let mut key = Zeroizing::new([0u8; FILE_KEY_BYTES]);
    if bytes.len() != FILE_KEY_BYTES {
        return None;
    }
    key.copy_from_slice(bytes);
    Some(key)
}

fn parse_passphrase(body: &[u8]) -> Option<Stanza> {
    let (salt, rest) = body.split_first_chunk()?;
    let (iterations, rest) = rest.split_first_chunk()?;
    let (wrapped, rest) = rest.split_first_chunk()?;
    let tag: &[u8; TAG_BYTES] = rest.try_into().ok()?;
    let iterations = NonZeroU32::new(u32::from_be_bytes(*iterations))?;
    Some(Stanza::Passphrase { salt: *salt, iterations, wrapped: *wrapped, tag: *tag })
}
