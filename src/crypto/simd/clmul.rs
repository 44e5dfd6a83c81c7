//! Products of polynomials by PCLMULQDQ and by VPCLMULQDQ on 256 bits, as [`super::ghash`] wants them.

use std::arch::x86_64::*;

/// x⁶³ + x⁶² + x⁵⁷, what folding 64 bits of POLYVAL's modulus multiplies by (RFC 8452 §3).
const FOLD: i64 = 0xc200_0000_0000_0000u64.cast_signed();

/// An unreduced product: low, middle and high.
type Product = [__m128i; 3];

/// 128 bits at a time, for a token that stands for AVX2, SSSE3 and PCLMULQDQ.
macro_rules! ghash_128 {
    ($token:ty) => {
        use std::arch::x86_64::*;

        use crate::crypto::simd::clmul as product;
        use crate::crypto::simd::keys::HashKey;
        use crate::crypto::simd::{BLOCK_BYTES, POWERS, ghash};

        type W = __m128i;

        ghash::ghash!($token, "avx2,ssse3,pclmulqdq", 1);

        #[inline]
        #[target_feature(enable = "avx2,ssse3,pclmulqdq")]
        fn add_product(sum: &mut [W; 3], data: W, [power]: &[u128; 1]) {
            let product = product::multiply(data, product::from_u128(*power));
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
            product::from_u128(u128::from_be_bytes(*data))
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

        use crate::crypto::simd::clmul as product;
        use crate::crypto::simd::keys::HashKey;
        use crate::crypto::simd::{BLOCK_BYTES, POWERS, ghash};

        type W = __m256i;

        ghash::ghash!($token, "avx2,ssse3,pclmulqdq,vpclmulqdq", 2);

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
            let order = _mm256_broadcastsi128_si256(product::reversed());
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

pub(super) use {ghash_128, ghash_256};

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
