//! SM4, the block cipher of GB/T 32907-2016 (16-byte key, 16-byte block), and two of its modes (GB/T 17964):
//! CBC with PKCS#7 padding for key files, and CTR as a stream of pseudo-random bytes.
//!
//! Messages are sealed with [`super::gcm`], never with these modes: they do not authenticate.

use subtle::{ConstantTimeEq, ConstantTimeGreater};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::simd::{Backend, BlockKey};

/// Length of a key in bytes.
pub const KEY_BYTES: usize = 16;

/// Length of a block in bytes.
pub const BLOCK_BYTES: usize = 16;

/// The ciphertext does not end in PKCS#7 padding: a wrong key, or damaged data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sm4-cbc padding is wrong: the key does not fit or the data is damaged")]
pub struct BadPadding;

/// SM4 under one key. The round keys are wiped on drop.
#[derive(Clone)]
pub struct Sm4 {
    cipher: BlockKey,
}

impl Sm4 {
    /// Expands `key` into the 32 round keys.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self::on(Backend::chosen(), key)
    }

    /// Expands `key` for a back-end of one's choice: to compare them.
    pub fn on(backend: Backend, key: &[u8; KEY_BYTES]) -> Self {
        Self { cipher: BlockKey::new(backend, key) }
    }

    /// Enciphers one block in place.
    pub fn encrypt_block(&self, block: &mut [u8; BLOCK_BYTES]) {
        self.cipher.encrypt(std::slice::from_mut(block));
    }

    /// Enciphers each block in place, for itself; many at once take hardly longer than one.
    pub fn encrypt_blocks(&self, blocks: &mut [[u8; BLOCK_BYTES]]) {
        self.cipher.encrypt(blocks);
    }

    /// Deciphers one block in place.
    pub fn decrypt_block(&self, block: &mut [u8; BLOCK_BYTES]) {
        self.cipher.decrypt(std::slice::from_mut(block));
    }
}

impl std::fmt::Debug for Sm4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4(…)")
    }
}

/// SM4-CBC with PKCS#7 padding (RFC 5652 §6.3). The result is 1 to 16 bytes longer than `plain`, a multiple of 16.
pub fn cbc_encrypt(key: &[u8; KEY_BYTES], iv: &[u8; BLOCK_BYTES], plain: &[u8]) -> Vec<u8> {
    let cipher = Sm4::new(key);
    let mut chain = *iv;
    let mut out = Vec::with_capacity(plain.len() + BLOCK_BYTES);
    let (blocks, rest) = plain.as_chunks::<BLOCK_BYTES>();
    // rest is under 16 bytes long, so the padding is 1 to 16 and fits a byte
    let mut last = Zeroizing::new([(BLOCK_BYTES - rest.len()) as u8; BLOCK_BYTES]);
    last[..rest.len()].copy_from_slice(rest);
    for block in blocks.iter().chain([&*last]) {
        chain.iter_mut().zip(block).for_each(|(chain, byte)| *chain ^= byte);
        cipher.encrypt_block(&mut chain);
        out.extend_from_slice(&chain);
    }
    out
}

/// Undoes [`cbc_encrypt`].
///
/// # Errors
/// [`BadPadding`] if the length is not a positive multiple of 16 or the padding is not PKCS#7. All padding
/// bytes are looked at whatever they are; even so, do not let a stranger ask this question twice.
pub fn cbc_decrypt(
    key: &[u8; KEY_BYTES],
    iv: &[u8; BLOCK_BYTES],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BadPadding> {
    let (blocks, []) = sealed.as_chunks::<BLOCK_BYTES>() else {
        return Err(BadPadding);
    };
    let cipher = Sm4::new(key);
    let mut chain = iv;
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    for sealed in blocks {
        let mut block = Zeroizing::new(*sealed);
        cipher.decrypt_block(&mut block);
        block.iter_mut().zip(chain).for_each(|(byte, chain)| *byte ^= chain);
        plain.extend_from_slice(&*block);
        chain = sealed;
    }
    let Some(last) = plain.last_chunk::<BLOCK_BYTES>() else {
        return Err(BadPadding);
    };
    let padding = last[BLOCK_BYTES - 1];
    let mut bad = padding.ct_eq(&0) | padding.ct_gt(&(BLOCK_BYTES as u8));
    for (from_end, byte) in (0u8..).zip(last.iter().rev()) {
        bad |= padding.ct_gt(&from_end) & !byte.ct_eq(&padding);
    }
    if bool::from(bad) {
        return Err(BadPadding);
    }
    let length = plain.len() - usize::from(padding);
    plain.truncate(length);
    Ok(plain)
}

/// Length of the seed of a [`Keystream`] in bytes.
pub const SEED_BYTES: usize = 32;

/// How many blocks of a [`Keystream`] are made at a time.
const AHEAD_BLOCKS: usize = 32;

/// An endless stream of pseudo-random bytes: SM4-CTR over zeros, the counter 128 bits wide and big-endian.
///
/// Equal seeds give equal streams, however the reads are cut. Not a cipher: it has no nonce and no tag.
#[derive(Clone)]
pub struct Keystream {
    cipher: Sm4,
    counter: u128,
    blocks: [[u8; BLOCK_BYTES]; AHEAD_BLOCKS],
    used: usize,
}

impl Keystream {
    /// Starts the stream of `seed`: its first 16 bytes are the key, its last 16 the first counter block.
    pub fn new(seed: &[u8; SEED_BYTES]) -> Self {
        let mut key = [0u8; KEY_BYTES];
        let mut counter = [0u8; BLOCK_BYTES];
        key.copy_from_slice(&seed[..KEY_BYTES]);
        counter.copy_from_slice(&seed[KEY_BYTES..]);
        let stream = Self {
            cipher: Sm4::new(&key),
            counter: u128::from_be_bytes(counter),
            blocks: [[0; BLOCK_BYTES]; AHEAD_BLOCKS],
            used: AHEAD_BLOCKS * BLOCK_BYTES,
        };
        key.zeroize();
        stream
    }

    /// Overwrites `out` with the next bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut out = out;
        while !out.is_empty() {
            if self.used == AHEAD_BLOCKS * BLOCK_BYTES {
                for block in &mut self.blocks {
                    *block = self.counter.to_be_bytes();
                    self.counter = self.counter.wrapping_add(1);
                }
                self.cipher.encrypt_blocks(&mut self.blocks);
                self.used = 0;
            }
            let left = &self.blocks.as_flattened()[self.used..];
            let count = out.len().min(left.len());
            let (now, later) = out.split_at_mut(count);
            now.copy_from_slice(&left[..count]);
            self.used += count;
            out = later;
        }
    }
}

impl std::fmt::Debug for Keystream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keystream(…)")
    }
}

impl Drop for Keystream {
    fn drop(&mut self) {
        self.counter.zeroize();
        self.blocks.zeroize();
    }
}

impl ZeroizeOnDrop for Keystream {}
