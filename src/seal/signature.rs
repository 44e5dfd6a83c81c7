//! Detached signatures over files (GB/T 32918.2), the file hashed as it is read.

use std::io::Read;

use super::error::SealError;
use super::{Progress, read_full};
use crate::crypto::sm2::{ID_BYTES_MAX, PublicKey, SecretKey};
use crate::crypto::sm3::DIGEST_BYTES;

/// The longest file that is read as a signature, in bytes; a DER signature has 72 at most.
pub const SIGNATURE_FILE_BYTES_MAX: usize = 1024;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Signs all of `input` as the signer `id` ([`crate::crypto::sm2::DEFAULT_ID`] unless both sides agreed on another);
/// DER, as `openssl pkeyutl -sign -rawin -digest sm3` writes it. Equal inputs give equal signatures.
///
/// # Errors
/// [`SealError::IdTooLong`], reading, interrupted.
pub fn sign(
    key: &SecretKey,
    id: &[u8],
    input: &mut dyn Read,
    progress: &mut Progress<'_>,
) -> Result<Vec<u8>, SealError> {
    Ok(key.sign_digest(&digest(&key.public_key(), id, input, progress)?))
}

/// Checks a signature that [`sign`] made.
///
/// # Errors
/// [`SealError::BadSignature`], [`SealError::IdTooLong`], reading, interrupted.
pub fn verify(
    key: &PublicKey,
    id: &[u8],
    signature_der: &[u8],
    input: &mut dyn Read,
    progress: &mut Progress<'_>,
) -> Result<(), SealError> {
    let digest = digest(key, id, input, progress)?;
    Ok(key.verify_digest(&digest, signature_der)?)
}

fn digest(
    key: &PublicKey,
    id: &[u8],
    input: &mut dyn Read,
    progress: &mut Progress<'_>,
) -> Result<[u8; DIGEST_BYTES], SealError> {
    if id.len() > ID_BYTES_MAX {
        return Err(SealError::IdTooLong { got: id.len() });
    }
    let mut hash = key.message_hash(id);
    let mut piece = vec![0u8; PIECE_BYTES];
    loop {
        let count = read_full(input, &mut piece)?;
        hash.update(&piece[..count]);
        if progress(count as u64).is_break() {
            return Err(SealError::Interrupted);
        }
        if count < PIECE_BYTES {
            return Ok(hash.finish());
        }
    }
}
