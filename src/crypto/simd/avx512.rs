//! SM4 by GFNI on 512-bit registers, and GHASH by VPCLMULQDQ.

use std::arch::x86_64::*;

use super::{Avx512, batches, groups};

type V = __m512i;
const BASIS: field::Map = field::ENTER;
use ghash::Sum as Hash;
pub(super) use ghash::{absorb, powers};

groups::groups!(Avx512, "avx512f,avx512bw,avx512vl,avx2,ssse3,gfni,pclmulqdq,vpclmulqdq");
batches::batches!(Avx512, "avx512f,avx512bw,avx512vl,avx2,ssse3,gfni,pclmulqdq,vpclmulqdq");

/// `vpternlog`'s table for the sum of three.
const ADD3: i32 = 0x96;

/// The S-box on each byte of a word.
pub(super) fn sbox_word(_: Avx512, word: u32) -> u32 {
    #[target_feature(enable = "avx512f,avx512vl,gfni")]
    fn inner(word: u32) -> u32 {
        let word = field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, word);
        let inverse = _mm_set1_epi32(word.cast_signed());
        let map = _mm_set1_epi64x(field::SBOX_MATRIX);
        let out = _mm_gf2p8affineinv_epi64_epi8::<{ field::SBOX_CONSTANT as i32 }>(inverse, map);
        _mm_cvtsi128_si32(out).cast_unsigned()
    }
    // SAFETY: the token stands for the features.
    unsafe { inner(word) }
}

/// From the state's bytes to the sums that L∘S is made of (see [`super::field`]).
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn maps(inner: V) -> [V; 3] {
    [
        _mm512_gf2p8affineinv_epi64_epi8::<{ field::Z1_CONSTANT as i32 }>(inner, _mm512_set1_epi64(field::A_MATRIX)),
        _mm512_gf2p8affineinv_epi64_epi8::<{ field::Z1_CONSTANT as i32 }>(inner, _mm512_set1_epi64(field::Z1_MATRIX)),
        _mm512_gf2p8affineinv_epi64_epi8::<0>(inner, _mm512_set1_epi64(field::Z3_MATRIX)),
    ]
}

#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn enter(x: V) -> V {
    _mm512_gf2p8affine_epi64_epi8::<0>(x, _mm512_set1_epi64(field::ENTER_MATRIX))
}

#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn leave(x: V) -> V {
    _mm512_gf2p8affine_epi64_epi8::<0>(x, _mm512_set1_epi64(field::LEAVE_MATRIX))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: V, b: V) -> V {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: V, b: V, c: V) -> V {
    _mm512_ternarylogic_epi32::<ADD3>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn and(a: V, b: V) -> V {
    _mm512_and_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> V {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add_bytes(a: V, b: V) -> V {
    _mm512_add_epi8(a, b)
}

/// All ones in each byte of `a` that is not below that of `b`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn at_least(a: V, b: V) -> V {
    _mm512_movm_epi8(_mm512_cmpge_epu8_mask(a, b))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn zip_low(a: V, b: V) -> V {
    _mm512_unpacklo_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn zip_high(a: V, b: V) -> V {
    _mm512_unpackhi_epi8(a, b)
}

/// Each word turned left by `BYTES`.
#[inline]
#[target_feature(enable = "avx512f")]
fn turn<const BYTES: usize>(x: V) -> V {
    match BYTES {
        1 => _mm512_rol_epi32::<8>(x),
        2 => _mm512_rol_epi32::<16>(x),
        _ => _mm512_rol_epi32::<24>(x),
    }
}

/// Transposes the 4 × 4 words of each 128-bit lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose([a, b, c, d]: [V; 4]) -> [V; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Reverses the bytes of each word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn reverse_words(x: V) -> V {
    let order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; WIDTH]) -> V {
    // SAFETY: the array is the 64 bytes that are read; the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(bytes: &mut [u8; WIDTH], x: V) {
    // SAFETY: the array is the 64 bytes that are written; the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), x) }
}

/// The first 64 bytes, zeros where there are fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_some(bytes: &[u8]) -> V {
    // SAFETY: only the bytes that the mask names are read, and it names none past the slice's end.
    unsafe { _mm512_maskz_loadu_epi8(first(bytes.len()), bytes.as_ptr().cast()) }
}

/// Overwrites the first 64 bytes, or as many as there are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_some(bytes: &mut [u8], x: V) {
    // SAFETY: only the bytes that the mask names are written, and it names none past the slice's end.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first(bytes.len()), x) }
}

/// A mask of the first `count` of 64, of all if there are more.
#[inline]
fn first(count: usize) -> u64 {
    match count {
        0 => 0,
        _ => u64::MAX >> (WIDTH - count.min(WIDTH)),
    }
}

mod ghash {
    use std::arch::x86_64::*;

    use super::ADD3;
    use crate::crypto::simd::clmul as product;
    use crate::crypto::simd::keys::HashKey;
    use crate::crypto::simd::{Avx512, BLOCK_BYTES, POWERS, ghash};

    type W = __m512i;

    ghash::ghash!(Avx512, "avx512f,avx512bw,avx512vl,avx2,ssse3,pclmulqdq,vpclmulqdq", 4);

    #[inline]
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    fn add_product([low, middle, high]: &mut [W; 3], data: W, powers: &[u128; 4]) {
        // SAFETY: four powers are the 64 bytes that are read; the load needs no alignment.
        let powers = unsafe { _mm512_loadu_si512(powers.as_ptr().cast()) };
        let crossed = _mm512_clmulepi64_epi128::<0x01>(data, powers);
        *low = _mm512_xor_si512(*low, _mm512_clmulepi64_epi128::<0x00>(data, powers));
        *high = _mm512_xor_si512(*high, _mm512_clmulepi64_epi128::<0x11>(data, powers));
        *middle = _mm512_ternarylogic_epi32::<ADD3>(*middle, crossed, _mm512_clmulepi64_epi128::<0x10>(data, powers));
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn widen(x: __m128i) -> W {
        _mm512_zextsi128_si512(x)
    }

    /// The sum of the four lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn fold(x: W) -> __m128i {
        let half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
        _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(data: &[u8; 4 * BLOCK_BYTES]) -> W {
        _mm512_shuffle_epi8(super::load(data), _mm512_broadcast_i32x4(product::reversed()))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load_some(data: &[u8]) -> W {
        _mm512_shuffle_epi8(super::load_some(data), _mm512_broadcast_i32x4(product::reversed()))
    }
}
