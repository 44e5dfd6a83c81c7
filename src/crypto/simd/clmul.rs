//! GHASH by PCLMULQDQ, 128 bits at a time, and the powers of its key for every x86-64 back-end.
//!
//! Up to [`POWERS`] blocks are multiplied each by its own power and added before one reduction.

use std::arch::x86_64::*;

use super::{BLOCK_BYTES, HashKey, POWERS};

/// x⁶³ + x⁶² + x⁵⁷, what folding 64 bits of POLYVAL's modulus multiplies by (RFC 8452 §3).
const FOLD: i64 = 0xc200_0000_0000_0000u64.cast_signed();

/// An unreduced product: low, middle and high.
type Product = [__m128i; 3];

/// Fills the table: entry i is the (POWERS − i)-th power of `power`.
#[target_feature(enable = "ssse3,pclmulqdq")]
pub(super) fn powers(power: u128, table: &mut [u128]) {
    let first = from_u128(power);
    let mut current = first;
    for entry in table[..POWERS].iter_mut().rev() {
        *entry = to_u128(current);
        current = reduce(multiply(current, first));
    }
}

/// Adds the blocks of `pieces`, each padded with zeros, to the GHASH `state`.
#[target_feature(enable = "ssse3,pclmulqdq")]
pub(super) fn absorb(key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
    let mut left: usize = pieces.iter().map(|piece| piece.len().div_ceil(BLOCK_BYTES)).sum();
    let mut at = POWERS.saturating_sub(left);
    let mut pending = from_u128(state);
    let mut sum: Product = [_mm_setzero_si128(); 3];
    for piece in pieces {
        let (blocks, rest) = piece.as_chunks::<BLOCK_BYTES>();
        let mut last = [0; BLOCK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        let padded = if rest.is_empty() { &[][..] } else { std::slice::from_ref(&last) };
        for block in blocks.iter().chain(padded) {
            let block = _mm_xor_si128(from_u128(u128::from_be_bytes(*block)), pending);
            let product = multiply(block, from_u128(key.powers[at]));
            sum = [
                _mm_xor_si128(sum[0], product[0]),
                _mm_xor_si128(sum[1], product[1]),
                _mm_xor_si128(sum[2], product[2]),
            ];
            pending = _mm_setzero_si128();
            at += 1;
            left -= 1;
            if at == POWERS {
                pending = reduce(sum);
                sum = [_mm_setzero_si128(); 3];
                at = POWERS.saturating_sub(left);
            }
        }
    }
    to_u128(pending)
}

#[inline]
#[target_feature(enable = "pclmulqdq")]
fn multiply(a: __m128i, b: __m128i) -> Product {
    let middle = _mm_xor_si128(_mm_clmulepi64_si128::<0x01>(a, b), _mm_clmulepi64_si128::<0x10>(a, b));
    [_mm_clmulepi64_si128::<0x00>(a, b), middle, _mm_clmulepi64_si128::<0x11>(a, b)]
}

/// The product times x⁻¹²⁸, modulo.
#[inline]
#[target_feature(enable = "pclmulqdq")]
pub(super) fn reduce([low, middle, high]: Product) -> __m128i {
    let fold = _mm_set1_epi64x(FOLD);
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, fold));
    let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), _mm_clmulepi64_si128::<0x00>(low, fold));
    _mm_xor_si128(high, low)
}

#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn from_u128(x: u128) -> __m128i {
    _mm_set_epi64x(((x >> 64) as u64).cast_signed(), (x as u64).cast_signed())
}

#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn to_u128(x: __m128i) -> u128 {
    let low = _mm_cvtsi128_si64(x).cast_unsigned();
    let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x)).cast_unsigned();
    u128::from(high) << 64 | u128::from(low)
}
