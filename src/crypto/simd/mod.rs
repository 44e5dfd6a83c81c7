//! The kernels of SM4 and GHASH, and the one place that chooses among them.
//!
//! A kernel that needs a CPU feature takes a token that only finding the feature gives. All are constant-time:
//! no table is read at, and no branch taken on, a secret. `MIYU_SIMD` = `portable`, `avx2-aes`, `avx2-gfni` or
//! `avx512` switches the back-ends above the named one off; an unknown name is ignored, and one that the
//! machine lacks means the best below it.

// the only folder with unsafe code: intrinsics that read or write memory, and entering code compiled for a
// feature that was found at run time
#![allow(unsafe_code)]

mod field;
mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod clmul;

use std::sync::OnceLock;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::sm4::{BLOCK_BYTES, KEY_BYTES};

/// The environment variable that switches back-ends off.
pub const SWITCH: &str = "MIYU_SIMD";

/// Blocks that GHASH adds up before it reduces, and so the powers of its key that are kept.
const POWERS: usize = 96;
/// The table is read four powers at a time, up to three past its end; those are zero.
const POWERS_PADDED: usize = POWERS + 4;

/// What one SM4-GCM key takes in memory, in bytes: round keys and the powers of the GHASH key.
pub const KEY_STATE_BYTES_MAX: usize = 2048;
const _: () = assert!(size_of::<BlockKey>() + size_of::<HashKey>() <= KEY_STATE_BYTES_MAX);

type Block = [u8; BLOCK_BYTES];
type Rounds = [u32; 32];

/// A set of kernels that this machine can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Bitsliced integers: runs anywhere.
    Portable,
    /// AVX2, with AES-NI's inversion for the S-box and PCLMULQDQ.
    #[cfg(target_arch = "x86_64")]
    Avx2Aes(Avx2Aes),
    /// AVX2 with GFNI and PCLMULQDQ.
    #[cfg(target_arch = "x86_64")]
    Avx2Gfni(Avx2Gfni),
    /// AVX-512 (F, BW, VL) with GFNI and VPCLMULQDQ.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

/// Proof that AVX2, AES-NI and PCLMULQDQ were found on this machine.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2Aes(());

/// Proof that AVX2, GFNI and PCLMULQDQ were found on this machine.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2Gfni(());

/// Proof that AVX-512 F, BW and VL, GFNI, PCLMULQDQ and VPCLMULQDQ were found on this machine.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx2Aes {
    fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("pclmulqdq");
        found.then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2Gfni {
    fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("gfni")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("pclmulqdq");
        found.then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    fn detect() -> Option<Self> {
        let found = Avx2Gfni::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("vpclmulqdq");
        found.then_some(Self(()))
    }
}

impl Backend {
    /// The one that keys are made for: the best that this machine has and [`SWITCH`] leaves on. Found once.
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Backend> = OnceLock::new();
        *CHOSEN.get_or_init(|| Self::choose(std::env::var(SWITCH).ok().as_deref()))
    }

    /// The best that this machine has, not above the one called `limit`.
    pub fn choose(limit: Option<&str>) -> Self {
        let rank = limit.and_then(|limit| NAMES.iter().position(|name| *name == limit)).unwrap_or(NAMES.len());
        let allowed = Self::available().into_iter().filter(|backend| backend.rank() <= rank);
        allowed.max_by_key(|backend| backend.rank()).unwrap_or(Self::Portable)
    }

    /// All that this machine can run, the slowest first, whatever the switch says.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        let fast = [
            Avx2Aes::detect().map(Self::Avx2Aes),
            Avx2Gfni::detect().map(Self::Avx2Gfni),
            Avx512::detect().map(Self::Avx512),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let fast = [None; 0];
        [Self::Portable].into_iter().chain(fast.into_iter().flatten()).collect()
    }

    /// Its name as the switch has it.
    pub fn name(self) -> &'static str {
        NAMES[self.rank()]
    }

    /// Its place in [`NAMES`].
    fn rank(self) -> usize {
        match self {
            Self::Portable => 0,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Aes(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Gfni(_) => 2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => 3,
        }
    }

    /// The S-box on each byte of a word.
    fn sbox(self, word: u32) -> u32 {
        match self {
            Self::Portable => portable::sbox_word(word),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Aes(token) => avx2::aes::sbox_word(token, word),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Gfni(token) => avx2::gfni::sbox_word(token, word),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => avx512::sbox_word(token, word),
        }
    }

    /// Whether the kernels keep their state, and so want their round keys, in the basis of [`field`].
    fn in_basis(self) -> bool {
        self != Self::Portable
    }
}

/// From the slowest to the fastest.
const NAMES: [&str; 4] = ["portable", "avx2-aes", "avx2-gfni", "avx512"];

/// The round keys of one SM4 key, as its back-end wants them. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct BlockKey {
    #[zeroize(skip)]
    backend: Backend,
    rounds: Rounds,
}

impl BlockKey {
    /// Expands `key` (GB/T 32907 §7.3).
    pub(super) fn new(backend: Backend, key: &[u8; KEY_BYTES]) -> Self {
        const SYSTEM: [u32; 4] = [0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];
        let mut expanded = Self { backend, rounds: [0; 32] };
        let mut state = Zeroizing::new([0u32; 4]);
        for ((word, bytes), system) in state.iter_mut().zip(key.as_chunks::<4>().0).zip(SYSTEM) {
            *word = u32::from_be_bytes(*bytes) ^ system;
        }
        for (round, out) in (0u32..).zip(expanded.rounds.iter_mut()) {
            // byte j of constant i is 7·(4·i + j) modulo 256 (GB/T 32907 §7.3 c)
            let constant = u32::from_be_bytes([0, 1, 2, 3].map(|byte| (7 * (4 * round + byte)) as u8));
            let changed = backend.sbox(state[1] ^ state[2] ^ state[3] ^ constant);
            let key = state[0] ^ changed ^ changed.rotate_left(13) ^ changed.rotate_left(23);
            *state = [state[1], state[2], state[3], key];
            *out = match backend.in_basis() {
                true => field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, key),
                false => key,
            };
        }
        expanded
    }

    /// Enciphers each block.
    pub(super) fn encrypt(&self, blocks: &mut [Block]) {
        self.transform(&self.rounds, blocks);
    }

    /// Deciphers each block: the round keys in reverse (GB/T 32907 §7.2).
    pub(super) fn decrypt(&self, blocks: &mut [Block]) {
        let mut rounds = Zeroizing::new(self.rounds);
        rounds.reverse();
        self.transform(&rounds, blocks);
    }

    fn transform(&self, rounds: &Rounds, blocks: &mut [Block]) {
        match self.backend {
            Backend::Portable => blocks.chunks_mut(portable::LANES).for_each(|some| portable::encrypt(rounds, some)),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Aes(token) => avx2::aes::encrypt(token, rounds, blocks),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Gfni(token) => avx2::gfni::encrypt(token, rounds, blocks),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512(token) => avx512::encrypt(token, rounds, blocks),
        }
    }

    /// Adds to `data` the stream of the blocks `nonce`, `counter` and following, the counter wrapping at 2³²; if
    /// wanted, `mask` becomes the block of counter 1, which costs nothing where the last pass has room.
    pub(super) fn stream(&self, nonce: &[u8; 12], counter: u32, data: &mut [u8], mask: Option<&mut Block>) {
        let rounds = &self.rounds;
        match self.backend {
            Backend::Portable => portable::stream(rounds, nonce, counter, data, mask),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Aes(token) => avx2::aes::stream(token, rounds, nonce, counter, data, mask),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2Gfni(token) => avx2::gfni::stream(token, rounds, nonce, counter, data, mask),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512(token) => avx512::stream(token, rounds, nonce, counter, data, mask),
        }
    }
}

/// The GHASH key of one SM4-GCM key: its powers, of which the portable back-end has the first alone. Wiped on drop.
///
/// GHASH is computed as POLYVAL of the blocks' bytes in reverse under x times the key (RFC 8452 appendix A), whose
/// product needs no shift. States are integers read big-endian from GCM's blocks.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct HashKey {
    #[zeroize(skip)]
    backend: Backend,
    // entry i is the (POWERS − i)-th power
    powers: [u128; POWERS_PADDED],
}

impl HashKey {
    /// The key H is SM4 of the zero block (SP 800-38D §6.3).
    pub(super) fn new(block: &BlockKey) -> Self {
        let mut hash = Zeroizing::new([[0; BLOCK_BYTES]]);
        block.encrypt(&mut *hash);
        let hash = u128::from_be_bytes(hash[0]);
        // x·H modulo POLYVAL's x¹²⁸+x¹²⁷+x¹²⁶+x¹²¹+1
        let power = hash << 1 ^ (hash >> 127).wrapping_neg() & (0xc2 << 120 | 1);
        let mut key = Self { backend: block.backend, powers: [0; POWERS_PADDED] };
        match block.backend {
            Backend::Portable => key.powers[POWERS - 1] = power,
            #[cfg(target_arch = "x86_64")]
            // SAFETY: each of these tokens stands for PCLMULQDQ and SSSE3 too.
            Backend::Avx2Aes(_) | Backend::Avx2Gfni(_) | Backend::Avx512(_) => unsafe {
                clmul::powers(power, &mut key.powers);
            },
        }
        key
    }

    /// Adds the blocks of `pieces`, each padded with zeros, to `state`.
    pub(super) fn absorb(&self, state: u128, pieces: &[&[u8]]) -> u128 {
        match self.backend {
            Backend::Portable => portable::absorb(self.powers[POWERS - 1], state, pieces),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: each of these tokens stands for PCLMULQDQ and SSSE3 too.
            Backend::Avx2Aes(_) | Backend::Avx2Gfni(_) => unsafe { clmul::absorb(self, state, pieces) },
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512(token) => avx512::absorb(token, self, state, pieces),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
