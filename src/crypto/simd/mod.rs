//! The kernels of SM4 and GHASH, and the one place that chooses among them. `widths` has SM2's code compiled twice.
//!
//! A kernel that needs a CPU feature takes a token that only finding the feature gives. All are constant-time:
//! no table is read at, and no branch taken on, a secret. `MIYU_SIMD` = `portable`, `avx2-aes`, `avx2-vaes`,
//! `avx2-gfni`, `avx512`, `neon` or `neon-aes` switches the back-ends above the named one off; an unknown name is
//! ignored, and one that the machine lacks means the best below it. SM2 has one path beside `portable`, for BMI2.

// the only folder with unsafe code: intrinsics that read or write memory, and entering code compiled for a
// feature that was found at run time
#![allow(unsafe_code)]

// some of its forms are wanted on x86-64 alone
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod field;
mod keys;
mod portable;
mod widths;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod batches;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod ghash;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod groups;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod clmul;

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod pmull;

use std::sync::OnceLock;

use super::sm4::{BLOCK_BYTES, KEY_BYTES};
pub use keys::KEY_STATE_BYTES_MAX;
pub(super) use keys::{BlockKey, Direction, HashKey, crypt};
pub(super) use widths::with_wide_products;

/// The environment variable that switches back-ends off.
pub const SWITCH: &str = "MIYU_SIMD";

/// Blocks that GHASH adds up before it reduces, and so the powers of its key that are kept.
const POWERS: usize = 128;
/// The table is read four powers at a time, up to three past its end; those are zero.
const POWERS_PADDED: usize = POWERS + 4;

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
    /// AVX2 with VAES and VPCLMULQDQ, which do twice as much at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2Vaes(Avx2Vaes),
    /// AVX2 with GFNI and VPCLMULQDQ.
    #[cfg(target_arch = "x86_64")]
    Avx2Gfni(Avx2Gfni),
    /// AVX-512 (F, BW, VL) with GFNI and VPCLMULQDQ.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// NEON, with the S-box's table in registers and the product of bytes.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// NEON, with AES's inversion for the S-box and PMULL.
    #[cfg(target_arch = "aarch64")]
    NeonAes(NeonAes),
}

/// A type of no size that only finding the features gives.
macro_rules! token {
    ($name:ident, $document:literal, $detected:ident!($($feature:tt),*)) => {
        #[doc = $document]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(());

        impl $name {
            fn detect() -> Option<Self> {
                // the kernels take lane 0 of a register for the lowest address
                let found = cfg!(target_endian = "little") $(&& std::arch::$detected!($feature))*;
                found.then_some(Self(()))
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
token!(
    Avx2Aes,
    "Proof that AVX2, AES-NI and PCLMULQDQ were found on this machine.",
    is_x86_feature_detected!("avx2", "ssse3", "aes", "pclmulqdq")
);
#[cfg(target_arch = "x86_64")]
token!(
    Avx2Vaes,
    "Proof that AVX2, AES-NI, VAES, PCLMULQDQ and VPCLMULQDQ were found on this machine.",
    is_x86_feature_detected!("avx2", "ssse3", "aes", "vaes", "pclmulqdq", "vpclmulqdq")
);
#[cfg(target_arch = "x86_64")]
token!(
    Avx2Gfni,
    "Proof that AVX2, GFNI, PCLMULQDQ and VPCLMULQDQ were found on this machine.",
    is_x86_feature_detected!("avx2", "ssse3", "gfni", "pclmulqdq", "vpclmulqdq")
);
#[cfg(target_arch = "x86_64")]
token!(
    Avx512,
    "Proof that AVX-512 F, BW and VL, AVX2, GFNI, PCLMULQDQ and VPCLMULQDQ were found on this machine.",
    is_x86_feature_detected!("avx512f", "avx512bw", "avx512vl", "avx2", "ssse3", "gfni", "pclmulqdq", "vpclmulqdq")
);

#[cfg(target_arch = "aarch64")]
token!(Neon, "Proof that NEON was found on this machine.", is_aarch64_feature_detected!("neon"));
#[cfg(target_arch = "aarch64")]
token!(
    NeonAes,
    "Proof that NEON, AES and PMULL were found on this machine.",
    is_aarch64_feature_detected!("neon", "aes", "pmull")
);

/// What the portable back-end does, or what the named item of the others' modules is: a function, which gets the
/// token and the arguments, or a constant.
macro_rules! dispatch {
    ($backend:expr, $portable:expr, $name:ident $(($($argument:expr),*))?) => {
        match $backend {
            $crate::crypto::simd::Backend::Portable => $portable,
            #[cfg(target_arch = "x86_64")]
            $crate::crypto::simd::Backend::Avx2Aes(_token) => {
                $crate::crypto::simd::avx2::aes::$name $((_token, $($argument),*))?
            }
            #[cfg(target_arch = "x86_64")]
            $crate::crypto::simd::Backend::Avx2Vaes(_token) => {
                $crate::crypto::simd::avx2::vaes::$name $((_token, $($argument),*))?
            }
            #[cfg(target_arch = "x86_64")]
            $crate::crypto::simd::Backend::Avx2Gfni(_token) => {
                $crate::crypto::simd::avx2::gfni::$name $((_token, $($argument),*))?
            }
            #[cfg(target_arch = "x86_64")]
            $crate::crypto::simd::Backend::Avx512(_token) => {
                $crate::crypto::simd::avx512::$name $((_token, $($argument),*))?
            }
            #[cfg(target_arch = "aarch64")]
            $crate::crypto::simd::Backend::Neon(_token) => {
                $crate::crypto::simd::neon::plain::$name $((_token, $($argument),*))?
            }
            #[cfg(target_arch = "aarch64")]
            $crate::crypto::simd::Backend::NeonAes(_token) => {
                $crate::crypto::simd::neon::aes::$name $((_token, $($argument),*))?
            }
        }
    };
}
use dispatch;

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
            Avx2Vaes::detect().map(Self::Avx2Vaes),
            Avx2Gfni::detect().map(Self::Avx2Gfni),
            Avx512::detect().map(Self::Avx512),
        ];
        #[cfg(target_arch = "aarch64")]
        let fast = [Neon::detect().map(Self::Neon), NeonAes::detect().map(Self::NeonAes)];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
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
            Self::Avx2Vaes(_) => 2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Gfni(_) => 3,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => 4,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => 5,
            #[cfg(target_arch = "aarch64")]
            Self::NeonAes(_) => 6,
        }
    }

    /// The S-box on each byte of a word.
    fn sbox(self, word: u32) -> u32 {
        dispatch!(self, portable::sbox_word(word), sbox_word(word))
    }

    /// Whether the kernels keep their state, and so want their round keys, in the basis of [`field`].
    fn in_basis(self) -> bool {
        match self {
            Self::Portable => false,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => false,
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => true,
        }
    }
}

/// From the slowest to the fastest.
const NAMES: [&str; 7] = ["portable", "avx2-aes", "avx2-vaes", "avx2-gfni", "avx512", "neon", "neon-aes"];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
