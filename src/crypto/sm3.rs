//! SM3, the hash of GB/T 32905-2016: any number of bytes to 32.

use ::sm3::Digest;

/// Length of a digest in bytes.
pub const DIGEST_BYTES: usize = 32;

/// Length of the block that the compression function takes, in bytes (HMAC pads its key to this).
pub const BLOCK_BYTES: usize = 64;

/// The SM3 digest of `data`.
pub fn digest(data: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hash = Sm3::new();
    hash.update(data);
    hash.finish()
}

/// SM3 over data that comes in pieces. A clone continues from the same state; the state is wiped on drop.
#[derive(Clone, Default)]
pub struct Sm3 {
    state: ::sm3::Sm3,
}

impl Sm3 {
    /// The state before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `data`; how it is cut into pieces does not change the digest.
    pub fn update(&mut self, data: &[u8]) {
        self.state.update(data);
    }

    /// The digest of everything appended so far.
    pub fn finish(self) -> [u8; DIGEST_BYTES] {
        self.state.finalize().into()
    }
}

impl std::fmt::Debug for Sm3 {
    /// The state may hold key material (HMAC), so nothing of it is printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm3(…)")
    }
}
