//! SM4-GCM (RFC 8998 §2: SM4 in the GCM of NIST SP 800-38D): 16-byte key, 12-byte nonce, 16-byte tag.
//!
//! One nonce must never seal twice under one key: both messages and the authentication key would be lost.

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 16;

/// Length of a tag in bytes.
pub const TAG_BYTES: usize = 16;

/// Length of a nonce in bytes.
pub const NONCE_BYTES: usize = 12;

/// The longest message in bytes: the 32-bit block counter reaches no further (SP 800-38D §5.2.1.1).
pub const MESSAGE_BYTES_MAX: u64 = (1 << 36) - 32;

/// The tag is not the one that key, nonce, associated data and ciphertext give: one of them was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sm4-gcm tag does not match: wrong key, or the data was changed")]
pub struct TagMismatch;

/// SM4-GCM under one key. Round keys and the GHASH key are wiped on drop.
#[derive(Clone)]
pub struct Sm4Gcm {
    // the generic GCM of this crate; its own block cipher is not compiled in
    aead: AesGcm<::sm4::Sm4, U12>,
}

impl Sm4Gcm {
    /// Expands `key`.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self { aead: AesGcm::new(key.into()) }
    }

    /// Enciphers `buf` in place and returns the tag over `aad` and the ciphertext.
    ///
    /// # Panics
    /// If `buf` is longer than [`MESSAGE_BYTES_MAX`] (64 GiB in one piece of memory; callers seal chunks).
    pub fn seal_in_place(&self, nonce: &[u8; NONCE_BYTES], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_BYTES] {
        match self.aead.encrypt_inout_detached(nonce.into(), aad, buf.into()) {
            Ok(tag) => tag.into(),
            // its only error is about lengths; anything but stopping would send clear text or lie about a tag
            // panic-ok: GCM's own bound (NIST SP 800-38D §5.2.1.1), 64 GiB in one buffer
            Err(_) => unreachable!("a message over {MESSAGE_BYTES_MAX} bytes is sealed in chunks"),
        }
    }

    /// Checks `tag` in constant time and, only if it is right, deciphers `buf` in place.
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
        self.aead.decrypt_inout_detached(nonce.into(), aad, (&mut *buf).into(), tag.into()).map_err(|_| {
            buf.fill(0);
            TagMismatch
        })
    }
}

impl std::fmt::Debug for Sm4Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Gcm(…)")
    }
}
