//! GHASH by PCLMULQDQ and by VPCLMULQDQ on 256 and 512 bits, and the powers of its key.
//!
//! Up to [`POWERS`] blocks are multiplied each by its own power and added before one reduction.

use std::arch::x86_64::*;

use super::POWERS;

/// x⁶³ + x⁶² + x⁵⁷, what folding 64 bits of POLYVAL's modulus multiplies by (RFC 8452 §3).
const FOLD: i64 = 0xc200_0000_0000_0000u64.cast_signed();

/// An unreduced product: low, middle and high.
type Product = [__m128i; 3];

/// Fills the table: entry i is the (POWERS − i)-th power of `power`. Four chains of every fourth power, so that
/// the products of one hide the latency of another's.
#[target_feature(enable = "avx2,ssse3,pclmulqdq")]
pub(super) fn fill(power: u128, table: &mut [u128]) {
    let first = from_u128(power);
    let second = reduce(multiply(first, first));
    let fourth = reduce(multiply(second, second));
    let mut current = [fourth, reduce(multiply(second, first)), second, first];
    for entries in table[..POWERS].as_chunks_mut::<4>().0.iter_mut().rev() {
        for (entry, current) in entries.iter_mut().zip(&mut current) {
            *entry = to_u128(*current);
            *current = reduce(multiply(*current, fourth));
        }
    }
}

/// `Sum`, `absorb` and `powers` for a module with `W` and, on it, `zero`, `add_product` and `fold`.
macro_rules! ghash {
    ($token:ty, $features:literal, $unit:literal) => {
        /// Products of blocks and powers, added up before one reduction.
        pub(in crate::crypto::simd) struct Sum([W; 3]);

        impl Sum {
            /// Blocks that are added at a time.
            pub(in crate::crypto::simd) const UNIT: usize = $unit;

            /// The state times the power of the first block that will be added.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn start(state: u128, power: u128) -> Self {
                let [low, middle, high] = clmul::multiply(clmul::from_u128(state), clmul::from_u128(power));
                Self([widen(low), widen(middle), widen(high)])
            }

            /// Adds blocks, each times its power.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn add(
                &mut self,
                data: &[u8; Self::UNIT * BLOCK_BYTES],
                powers: &[u128; Self::UNIT],
            ) {
                add_product(&mut self.0, load(data), powers);
            }

            /// Adds the blocks of at most a unit, padded with zeros.
            #[inline]
            #[target_feature(enable = $features)]
            fn add_some(&mut self, data: &[u8], powers: &[u128; Self::UNIT]) {
                add_product(&mut self.0, load_some(data), powers);
            }

            /// The new state.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn finish(self) -> u128 {
                let [low, middle, high] = self.0;
                clmul::to_u128(clmul::reduce([fold(low), fold(middle), fold(high)]))
            }
        }

        /// Fills the table of powers (see `HashKey`).
        pub(in crate::crypto::simd) fn powers(_: $token, power: u128, table: &mut [u128]) {
            // SAFETY: the token stands for the features.
            unsafe { clmul::fill(power, table) }
        }

        /// Adds the blocks of `pieces`, each padded with zeros, to the GHASH `state`.
        pub(in crate::crypto::simd) fn absorb(_: $token, key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
            #[target_feature(enable = $features)]
            fn inner(key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
                let mut left: usize = pieces.iter().map(|piece| piece.len().div_ceil(BLOCK_BYTES)).sum();
                let mut at = POWERS - left.min(POWERS);
                let mut state = state;
                let mut sum = Sum::start(state, key.powers[at]);
                for piece in pieces {
                    let mut rest = *piece;
                    while !rest.is_empty() {
                        let units_max = (POWERS - at) / Sum::UNIT;
                        let (whole, _) = rest.as_chunks::<{ Sum::UNIT * BLOCK_BYTES }>();
                        let whole = &whole[..whole.len().min(units_max)];
                        let powers = key.powers[at..].as_chunks::<{ Sum::UNIT }>().0;
                        for (data, powers) in whole.iter().zip(powers) {
                            sum.add(data, powers);
                        }
                        let (mut blocks, mut later) =
                            (whole.len() * Sum::UNIT, &rest[whole.len() * Sum::UNIT * BLOCK_BYTES..]);
                        // less than a unit of data, or of powers
                        let some;
                        (some, later) = later.split_at(match whole.len() == units_max {
                            true => later.len().min((POWERS - at - blocks) * BLOCK_BYTES),
                            false => later.len(),
                        });
                        if let (false, Some(powers)) = (some.is_empty(), key.powers[at + blocks..].first_chunk()) {
                            sum.add_some(some, powers);
                            blocks += some.len().div_ceil(BLOCK_BYTES);
                        }
                        (at, left, rest) = (at + blocks, left - blocks, later);
                        if at == POWERS {
                            state = sum.finish();
                            at = POWERS - left.min(POWERS);
                            sum = Sum::start(state, key.powers[at]);
                        }
                    }
                }
                state
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(key, state, pieces) }
        }
    };
}

/// 128 bits at a time, for a token that stands for AVX2, SSSE3 and PCLMULQDQ.
macro_rules! ghash_128 {
    ($token:ty) => {
        use std::arch::x86_64::*;

        use crate::crypto::simd::keys::HashKey;
        use crate::crypto::simd::{BLOCK_BYTES, POWERS, clmul};

        type W = __m128i;

        clmul::ghash!($token, "avx2,ssse3,pclmulqdq", 1);

        #[inline]
        #[target_feature(enable = "avx2,ssse3,pclmulqdq")]
        fn add_product(sum: &mut [W; 3], data: W, [power]: &[u128; 1]) {
            let product = clmul::multiply(data, clmul::from_u128(*power));
            for (sum, product) in sum.iter_mut().zip(product) {
                *sum = _mm_xor_si128(*sum, product);
            }
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn widen(x: __m128i) -> W {
            x
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn fold(x: W) -> __m128i {
            x
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn load(data: &[u8; BLOCK_BYTES]) -> W {
            clmul::from_u128(u128::from_be_bytes(*data))
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn load_some(data: &[u8]) -> W {
            let mut block = [0; BLOCK_BYTES];
            block[..data.len()].copy_from_slice(data);
            load(&block)
        }
    };
}

/// 256 bits at a time, for a token that stands for AVX2, PCLMULQDQ and VPCLMULQDQ.
macro_rules! ghash_256 {
    ($token:ty) => {
        use std::arch::x86_64::*;

        use crate::crypto::simd::keys::HashKey;
        use crate::crypto::simd::{BLOCK_BYTES, POWERS, clmul};

        type W = __m256i;

        clmul::ghash!($token, "avx2,ssse3,pclmulqdq,vpclmulqdq", 2);

        #[inline]
        #[target_feature(enable = "avx2,ssse3,pclmulqdq,vpclmulqdq")]
        fn add_product([low, middle, high]: &mut [W; 3], data: W, powers: &[u128; 2]) {
            // SAFETY: two powers are the 32 bytes that are read; the load needs no alignment.
            let powers = unsafe { _mm256_loadu_si256(powers.as_ptr().cast()) };
            *low = _mm256_xor_si256(*low, _mm256_clmulepi64_epi128::<0x00>(data, powers));
            *high = _mm256_xor_si256(*high, _mm256_clmulepi64_epi128::<0x11>(data, powers));
            *middle = _mm256_xor_si256(*middle, _mm256_clmulepi64_epi128::<0x01>(data, powers));
            *middle = _mm256_xor_si256(*middle, _mm256_clmulepi64_epi128::<0x10>(data, powers));
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn widen(x: __m128i) -> W {
            _mm256_zextsi128_si256(x)
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn fold(x: W) -> __m128i {
            _mm_xor_si128(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x))
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn load(data: &[u8; 2 * BLOCK_BYTES]) -> W {
            let order = _mm256_broadcastsi128_si256(clmul::reversed());
            // SAFETY: the array is the 32 bytes that are read; the load needs no alignment.
            _mm256_shuffle_epi8(unsafe { _mm256_loadu_si256(data.as_ptr().cast()) }, order)
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn load_some(data: &[u8]) -> W {
            let mut blocks = [0; 2 * BLOCK_BYTES];
            blocks[..data.len()].copy_from_slice(data);
            load(&blocks)
        }
    };
}

pub(super) use {ghash, ghash_128, ghash_256};

#[inline]
#[target_feature(enable = "avx2,pclmulqdq")]
pub(super) fn multiply(a: __m128i, b: __m128i) -> Product {
    let middle = _mm_xor_si128(_mm_clmulepi64_si128::<0x01>(a, b), _mm_clmulepi64_si128::<0x10>(a, b));
    [_mm_clmulepi64_si128::<0x00>(a, b), middle, _mm_clmulepi64_si128::<0x11>(a, b)]
}

/// The product times x⁻¹²⁸, modulo.
#[inline]
#[target_feature(enable = "avx2,pclmulqdq")]
pub(super) fn reduce([low, middle, high]: Product) -> __m128i {
    let fold = _mm_set1_epi64x(FOLD);
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, fold));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, fold));
    _mm_xor_si128(high, low)
}

/// The shuffle that turns a block of GCM into the integer that it stands for.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn reversed() -> __m128i {
    _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn from_u128(x: u128) -> __m128i {
    _mm_set_epi64x(((x >> 64) as u64).cast_signed(), (x as u64).cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn to_u128(x: __m128i) -> u128 {
    let low = _mm_cvtsi128_si64(x).cast_unsigned();
    let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x)).cast_unsigned();
    u128::from(high) << 64 | u128::from(low)
}
