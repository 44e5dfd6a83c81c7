//! SM4-GCM (RFC 8998 §2: SM4 in the GCM of NIST SP 800-38D): 16-byte key, 12-byte nonce, 16-byte tag.
//!
//! One nonce must never seal twice under one key: both messages and the authentication key would be lost.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::simd::{BlockKey, HashKey};

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

/// A message is enciphered and hashed in pieces that stay in the first-level cache meanwhile. A whole number
/// of passes of every kernel.
const PIECE_BYTES: usize = 12 << 10;

/// Counter 1 masks the tag, so the message begins at 2 (SP 800-38D §7.1).
const FIRST_COUNTER: u32 = 2;

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

/// Which of the two operations goes over a piece: the hash is over ciphertext, so it comes after or before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Seal,
    Open,
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
        if !lengths_allowed(aad, buf) {
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
        let right = lengths_allowed(aad, buf) && {
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
        let lengths = (((aad.len() as u128 * 8) << 64) | (buf.len() as u128 * 8)).to_be_bytes();
        let (mut state, mut aad, mut counter) = (0, aad, FIRST_COUNTER);
        let mut mask = [0; TAG_BYTES];
        let mut rest = buf;
        loop {
            let (piece, later) = rest.split_at_mut(rest.len().min(PIECE_BYTES));
            let last = later.is_empty();
            let lengths: &[u8] = if last { &lengths } else { &[] };
            if direction == Direction::Open {
                state = hash.absorb(state, &[aad, piece, lengths]);
            }
            block.stream(nonce, counter, piece, last.then_some(&mut mask));
            if direction == Direction::Seal {
                state = hash.absorb(state, &[aad, piece, lengths]);
            }
            if last {
                break;
            }
            counter = counter.wrapping_add((PIECE_BYTES / super::sm4::BLOCK_BYTES) as u32);
            (aad, rest) = (&[], later);
        }
        let tag = (state ^ u128::from_be_bytes(mask)).to_be_bytes();
        mask.zeroize();
        tag
    }
}

fn lengths_allowed(aad: &[u8], buf: &[u8]) -> bool {
    buf.len() as u64 <= MESSAGE_BYTES_MAX && aad.len() as u64 <= AAD_BYTES_MAX
}

impl std::fmt::Debug for Sm4Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Gcm(…)")
    }
}
