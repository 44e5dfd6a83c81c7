//! SM4-GCM (RFC 8998 §2: SM4 in the GCM of NIST SP 800-38D): 16-byte key, 12-byte nonce, 16-byte tag.
//!
//! One nonce must never seal twice under one key: both messages and the authentication key would be lost.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::simd::{self, BlockKey, Direction, HashKey};

pub use super::simd::Backend;

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 16;

/// Length of a tag in bytes.
pub const TAG_BYTES: usize = 16;

/// Length of a nonce in bytes.
pub const NONCE_BYTES: usize = 12;

/// The longest message in bytes: the 32-bit block counter reaches no further (SP 800-38D §5.2.1.1).
pub const MESSAGE_BYTES_MAX: u64 = (1 << 36) - 32;

/// The longest associated data in bytes: their length in bits has 64 bits (SP 800-38D §5.2.1.1).
pub const AAD_BYTES_MAX: u64 = (1 << 61) - 1;

/// The tag is not the one that key, nonce, associated data and ciphertext give: one of them was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sm4-gcm tag does not match: wrong key, or the data was changed")]
pub struct TagMismatch;

/// SM4-GCM under one key. Round keys and the powers of the GHASH key are wiped on drop; they take up to
/// [`KEY_STATE_BYTES_MAX`](super::simd::KEY_STATE_BYTES_MAX) bytes.
#[derive(Clone)]
pub struct Sm4Gcm {
    // in a place of their own, so that moving leaves no copy behind
    keys: Box<Keys>,
}

#[derive(Clone)]
struct Keys {
    block: BlockKey,
    hash: HashKey,
}

impl Sm4Gcm {
    /// Expands `key`.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self::on(Backend::chosen(), key)
    }

    /// Expands `key` for a back-end of one's choice: to compare them.
    pub fn on(backend: Backend, key: &[u8; KEY_BYTES]) -> Self {
        let block = BlockKey::new(backend, key);
        let hash = HashKey::new(&block);
        Self { keys: Box::new(Keys { block, hash }) }
    }

    /// Enciphers `buf` in place and returns the tag over `aad` and the ciphertext.
    ///
    /// # Panics
    /// If `buf` is longer than [`MESSAGE_BYTES_MAX`] (64 GiB in one piece of memory; callers seal chunks).
    pub fn seal_in_place(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_BYTES] {
        if !lengths_allowed(aad.len() as u64, buf.len() as u64) {
            // anything but stopping would send clear text or lie about a tag
            // panic-ok: GCM's own bound (NIST SP 800-38D §5.2.1.1), 64 GiB in one buffer
            unreachable!("a message over {MESSAGE_BYTES_MAX} bytes is sealed in chunks");
        }
        self.run(Direction::Seal, nonce, aad, buf)
    }

    /// Checks `tag` in constant time and, only if it is right, lets `buf` out, deciphered in place.
    ///
    /// # Errors
    /// [`TagMismatch`] if the tag is wrong; `buf` is all zeros then.
    pub fn open_in_place(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), TagMismatch> {
        let right = lengths_allowed(aad.len() as u64, buf.len() as u64) && {
            let mut expected = self.run(Direction::Open, nonce, aad, buf);
            let right = expected.ct_eq(tag).into();
            // the tag that a forger looked for
            expected.zeroize();
            right
        };
        if !right {
            buf.zeroize();
            return Err(TagMismatch);
        }
        Ok(())
    }

    /// Enciphers or deciphers `buf` and returns the tag.
    fn run(&self, direction: Direction, nonce: &[u8; NONCE_BYTES], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_BYTES] {
        let Keys { block, hash } = &*self.keys;
        simd::crypt((block, hash), direction, nonce, aad, buf)
    }
}

/// Of lengths alone, so that its test needs no 64 GiB.
fn lengths_allowed(aad_bytes: u64, message_bytes: u64) -> bool {
    message_bytes <= MESSAGE_BYTES_MAX && aad_bytes <= AAD_BYTES_MAX
}

impl std::fmt::Debug for Sm4Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Gcm(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_end_where_sp_800_38d_ends_them() {
        // §5.2.1.1: a message of at most 2³⁹ - 256 bits, associated data of at most 2⁶⁴ - 1
        let (message_bytes, aad_bytes) = (((1u64 << 39) - 256) / 8, u64::MAX / 8);
        for (aad, message) in [(0, 0), (0, message_bytes), (aad_bytes, 0), (aad_bytes, message_bytes)] {
            assert!(lengths_allowed(aad, message), "{aad} {message}");
        }
        for (aad, message) in [(0, message_bytes + 1), (aad_bytes + 1, 0), (0, u64::MAX), (u64::MAX, 0)] {
            assert!(!lengths_allowed(aad, message), "{aad} {message}");
        }
        // the last block of the longest message has the last counter before that of the tag's mask comes again
        assert_eq!(2 + message_bytes.div_ceil(16) - 1, u64::from(u32::MAX));
    }
}
