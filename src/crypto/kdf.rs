//! Keys from keys and keys from passphrases, all on SM3: HMAC (RFC 2104, GB/T 15852.2), HKDF (RFC 5869)
//! and PBKDF2 (RFC 8018 §5.2).

use std::num::NonZeroU32;

use zeroize::{Zeroize, Zeroizing};

use super::sm3::{self, BLOCK_BYTES, DIGEST_BYTES, Sm3};

/// The most that [`hkdf_expand`] can give, in bytes: 255 blocks (RFC 5869 §2.3).
pub const HKDF_OUTPUT_BYTES_MAX: usize = 255 * DIGEST_BYTES;

/// More output was asked of HKDF than its one-byte block counter reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hkdf was asked for {asked} bytes; it gives {HKDF_OUTPUT_BYTES_MAX} at most")]
pub struct OutputTooLong {
    /// The length that was asked for, in bytes.
    pub asked: usize,
}

/// HMAC-SM3 over data that comes in pieces.
///
/// A new one has hashed its key already: clone it to authenticate many messages under one key.
#[derive(Clone)]
pub struct HmacSm3 {
    inner: Sm3,
    outer: Sm3,
}

impl HmacSm3 {
    /// Starts under `key`, which may have any length (over [`BLOCK_BYTES`] it is hashed first).
    pub fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0u8; BLOCK_BYTES]);
        if key.len() > BLOCK_BYTES {
            let mut short = sm3::digest(key);
            block[..DIGEST_BYTES].copy_from_slice(&short);
            short.zeroize();
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let mut mac = Self { inner: Sm3::new(), outer: Sm3::new() };
        block.iter_mut().for_each(|byte| *byte ^= 0x36);
        mac.inner.update(&*block);
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        mac.outer.update(&*block);
        mac
    }

    /// Appends `data` to the message.
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// The tag of the message. Compare tags in constant time (`subtle`).
    pub fn finish(self) -> [u8; DIGEST_BYTES] {
        let Self { inner, mut outer } = self;
        outer.update(&inner.finish());
        outer.finish()
    }
}

impl std::fmt::Debug for HmacSm3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacSm3(…)")
    }
}

/// HMAC-SM3 under `key` of the concatenation of `parts`.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    hmac_from(HmacSm3::new(key), parts)
}

fn hmac_from(mut mac: HmacSm3, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    for part in parts {
        mac.update(part);
    }
    mac.finish()
}

/// HKDF-Extract (RFC 5869 §2.2): a uniform 32-byte key from `ikm`, which has enough entropy but no shape.
/// An empty `salt` means 32 zero bytes.
pub fn hkdf_extract(salt: &[u8], ikm: &[u8]) -> [u8; DIGEST_BYTES] {
    hmac(salt, &[ikm])
}

/// HKDF-Expand (RFC 5869 §2.3): fills `out` from `prk`, bound to the concatenation of the parts of `info`.
///
/// # Errors
/// [`OutputTooLong`] if `out` is longer than [`HKDF_OUTPUT_BYTES_MAX`]; `out` is untouched then.
pub fn hkdf_expand(prk: &[u8; DIGEST_BYTES], info: &[&[u8]], out: &mut [u8]) -> Result<(), OutputTooLong> {
    if out.len() > HKDF_OUTPUT_BYTES_MAX {
        return Err(OutputTooLong { asked: out.len() });
    }
    let keyed = HmacSm3::new(prk);
    let mut block = Zeroizing::new([0u8; DIGEST_BYTES]);
    for (counter, chunk) in (1u8..=255).zip(out.chunks_mut(DIGEST_BYTES)) {
        let mut mac = keyed.clone();
        if counter > 1 {
            mac.update(&*block);
        }
        for part in info {
            mac.update(part);
        }
        mac.update(&[counter]);
        *block = mac.finish();
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    Ok(())
}

/// PBKDF2-HMAC-SM3 (RFC 8018 §5.2): fills `out` from a passphrase, at the price of `iterations` HMACs for
/// every 32 bytes of it. `salt` should be random, of 16 bytes or more.
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    let keyed = HmacSm3::new(password);
    for (index, chunk) in (1u32..=u32::MAX).zip(out.chunks_mut(DIGEST_BYTES)) {
        let mut round = Zeroizing::new(hmac_from(keyed.clone(), &[salt, &index.to_be_bytes()]));
        let mut sum = round.clone();
        for _ in 1..iterations.get() {
            *round = hmac_from(keyed.clone(), &[&*round]);
            sum.iter_mut().zip(round.iter()).for_each(|(sum, byte)| *sum ^= byte);
        }
        chunk.copy_from_slice(&sum[..chunk.len()]);
    }
}
