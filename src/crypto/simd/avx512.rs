//! SM4 by GFNI on 512-bit registers, and GHASH by VPCLMULQDQ.
//!
//! A group is 16 blocks in four registers, one word of each block in a register; up to [`GROUPS`] groups go
//! through the rounds together, which hides the latency of a round. The basis is explained in [`super::field`].

use std::arch::x86_64::*;

use super::clmul::{self, from_u128, to_u128};
use super::field;
use super::{Avx512, BLOCK_BYTES, Block, HashKey, POWERS, Rounds};

const GROUP_BLOCKS: usize = 16;
const GROUPS: usize = 6;
const PASS_BYTES: usize = GROUPS * GROUP_BLOCKS * BLOCK_BYTES;
const VECTOR_BYTES: usize = 64;

type Group = [__m512i; 4];

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

/// Enciphers each block.
pub(super) fn encrypt(_: Avx512, rounds: &Rounds, blocks: &mut [Block]) {
    #[target_feature(enable = "avx512f,avx512bw,gfni")]
    fn inner(rounds: &Rounds, blocks: &mut [Block]) {
        let enter = _mm512_set1_epi64(field::ENTER_MATRIX);
        for some in blocks.chunks_mut(GROUP_BLOCKS) {
            let bytes = some.as_flattened_mut();
            let mut group = [_mm512_setzero_si512(); 4];
            for (bytes, vector) in bytes.chunks(VECTOR_BYTES).zip(&mut group) {
                *vector = load(bytes);
            }
            group = transpose(group);
            for words in &mut group {
                *words = _mm512_gf2p8affine_epi64_epi8::<0>(_mm512_shuffle_epi8(*words, reverse_words()), enter);
            }
            let [group] = leave(apply_rounds(rounds, [group]));
            for (bytes, vector) in bytes.chunks_mut(VECTOR_BYTES).zip(group) {
                store(bytes, vector);
            }
        }
    }
    // SAFETY: the token stands for the features.
    unsafe { inner(rounds, blocks) }
}

/// Adds the CTR stream to `data` (see [`super::BlockKey::stream`]).
pub(super) fn stream(
    _: Avx512,
    rounds: &Rounds,
    nonce: &[u8; 12],
    counter: u32,
    data: &mut [u8],
    mask: Option<&mut Block>,
) {
    #[target_feature(enable = "avx512f,avx512bw,gfni")]
    fn inner(rounds: &Rounds, nonce: &[u8; 12], counter: u32, data: &mut [u8], mask: Option<&mut Block>) {
        let words = [0, 4, 8].map(|at| u32::from_be_bytes([nonce[at], nonce[at + 1], nonce[at + 2], nonce[at + 3]]));
        let nonce = words.map(|word| _mm512_set1_epi32(field::apply_to_bytes(&field::ENTER, 0, word).cast_signed()));
        let spare = if mask.is_some() { BLOCK_BYTES } else { 0 };
        let (mut rest, mut counter) = (data, counter);
        while rest.len() + spare > PASS_BYTES {
            let (now, later) = rest.split_at_mut(rest.len().min(PASS_BYTES));
            pass::<GROUPS>(rounds, &nonce, counter, now, None);
            counter = counter.wrapping_add((GROUPS * GROUP_BLOCKS) as u32);
            rest = later;
        }
        match (rest.len() + spare).div_ceil(GROUP_BLOCKS * BLOCK_BYTES) {
            0 => {}
            1 => pass::<1>(rounds, &nonce, counter, rest, mask),
            2 => pass::<2>(rounds, &nonce, counter, rest, mask),
            3 => pass::<3>(rounds, &nonce, counter, rest, mask),
            4 => pass::<4>(rounds, &nonce, counter, rest, mask),
            5 => pass::<5>(rounds, &nonce, counter, rest, mask),
            _ => pass::<GROUPS>(rounds, &nonce, counter, rest, mask),
        }
    }
    // SAFETY: the token stands for the features.
    unsafe { inner(rounds, nonce, counter, data, mask) }
}

/// At most `G` groups of stream onto `data`; if there is a mask, `data` leaves the last block free for it.
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn pass<const G: usize>(
    rounds: &Rounds,
    nonce: &[__m512i; 3],
    counter: u32,
    data: &mut [u8],
    mask: Option<&mut Block>,
) {
    // transposing takes word 4·l + j to lane l of vector j
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let enter = _mm512_set1_epi64(field::ENTER_MATRIX);
    let mut state = [[nonce[0], nonce[1], nonce[2], order]; G];
    for (group, words) in state.iter_mut().enumerate() {
        let first = counter.wrapping_add((GROUP_BLOCKS * group) as u32);
        let mut counters = _mm512_add_epi32(order, _mm512_set1_epi32(first.cast_signed()));
        if group == G - 1 && mask.is_some() {
            counters = _mm512_mask_set1_epi32(counters, 0x8000, 1);
        }
        words[3] = _mm512_gf2p8affine_epi64_epi8::<0>(counters, enter);
    }
    let stream: [Group; G] = leave(apply_rounds(rounds, state));
    if let Some(mask) = mask {
        *mask = to_u128(_mm512_extracti32x4_epi32::<3>(stream[G - 1][3])).to_le_bytes();
    }
    for (bytes, vector) in data.chunks_mut(VECTOR_BYTES).zip(stream.as_flattened()) {
        store(bytes, _mm512_xor_si512(load(bytes), *vector));
    }
}

/// The 32 rounds (GB/T 32907 §7.1) in the basis.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn apply_rounds<const G: usize>(rounds: &Rounds, mut state: [Group; G]) -> [Group; G] {
    let z1_map = _mm512_set1_epi64(field::Z1_MATRIX);
    let z3_map = _mm512_set1_epi64(field::Z3_MATRIX);
    for keys in rounds.as_chunks::<4>().0 {
        for step in 0..4 {
            let key = _mm512_set1_epi32(keys[step].cast_signed());
            for words in &mut state {
                let inner = _mm512_ternarylogic_epi32::<ADD3>(words[(step + 1) % 4], words[(step + 2) % 4], key);
                let inner = _mm512_xor_si512(inner, words[(step + 3) % 4]);
                let z1 = _mm512_gf2p8affineinv_epi64_epi8::<{ field::Z1_CONSTANT as i32 }>(inner, z1_map);
                let z3 = _mm512_gf2p8affineinv_epi64_epi8::<0>(inner, z3_map);
                let sum = _mm512_ternarylogic_epi32::<ADD3>(words[step], z1, z3);
                let turned = _mm512_xor_si512(_mm512_rol_epi32::<8>(z1), _mm512_rol_epi32::<16>(z1));
                words[step] = _mm512_ternarylogic_epi32::<ADD3>(sum, turned, _mm512_rol_epi32::<24>(z3));
            }
        }
    }
    state
}

/// From the state after the rounds to blocks in memory's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn leave<const G: usize>(mut state: [Group; G]) -> [Group; G] {
    let map = _mm512_set1_epi64(field::LEAVE_MATRIX);
    for group in &mut state {
        let [a, b, c, d] = *group;
        *group = transpose([d, c, b, a]);
        for words in group {
            *words = _mm512_shuffle_epi8(_mm512_gf2p8affine_epi64_epi8::<0>(*words, map), reverse_words());
        }
    }
    state
}

/// Transposes the 4 × 4 words of each 128-bit lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose([a, b, c, d]: Group) -> Group {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Adds the blocks of `pieces`, each padded with zeros, to the GHASH `state`.
pub(super) fn absorb(_: Avx512, key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
    // SAFETY: the token stands for the features.
    unsafe { absorb_inner(key, state, pieces) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,ssse3,pclmulqdq,vpclmulqdq")]
fn absorb_inner(key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
    let reverse = _mm512_broadcast_i32x4(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    let zero = _mm512_setzero_si512();
    let mut left: usize = pieces.iter().map(|piece| piece.len().div_ceil(BLOCK_BYTES)).sum();
    let mut at = POWERS.saturating_sub(left);
    let mut pending = _mm512_zextsi128_si512(from_u128(state));
    let [mut low, mut middle, mut high] = [zero; 3];
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(VECTOR_BYTES).min(BLOCK_BYTES * (POWERS - at)));
            let blocks = now.len().div_ceil(BLOCK_BYTES);
            let data = _mm512_xor_si512(_mm512_shuffle_epi8(load(now), reverse), pending);
            let power = load_powers(key, at);
            low = _mm512_xor_si512(low, _mm512_clmulepi64_epi128::<0x00>(data, power));
            high = _mm512_xor_si512(high, _mm512_clmulepi64_epi128::<0x11>(data, power));
            let cross = _mm512_clmulepi64_epi128::<0x01>(data, power);
            middle = _mm512_ternarylogic_epi32::<ADD3>(middle, cross, _mm512_clmulepi64_epi128::<0x10>(data, power));
            pending = zero;
            (at, left, rest) = (at + blocks, left - blocks, later);
            if at == POWERS {
                let sum = clmul::reduce([fold(low), fold(middle), fold(high)]);
                pending = _mm512_zextsi128_si512(sum);
                [low, middle, high] = [zero; 3];
                at = POWERS.saturating_sub(left);
            }
        }
    }
    to_u128(_mm512_castsi512_si128(pending))
}

/// The sum of the four lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn fold(x: __m512i) -> __m128i {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
    _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
}

/// Reverses the bytes of each word.
#[inline]
#[target_feature(enable = "avx512f")]
fn reverse_words() -> __m512i {
    _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12))
}

/// The first 64 bytes, zeros where there are fewer.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(bytes: &[u8]) -> __m512i {
    // SAFETY: only the bytes that the mask names are read, and it names none past the slice's end.
    unsafe { _mm512_maskz_loadu_epi8(first(bytes.len()), bytes.as_ptr().cast()) }
}

/// Overwrites the first 64 bytes, or as many as there are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(bytes: &mut [u8], vector: __m512i) {
    // SAFETY: only the bytes that the mask names are written, and it names none past the slice's end.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first(bytes.len()), vector) }
}

/// A mask of the first `count` of 64, of all if there are more.
#[inline]
fn first(count: usize) -> u64 {
    match count {
        0 => 0,
        _ => u64::MAX >> (VECTOR_BYTES - count.min(VECTOR_BYTES)),
    }
}

/// Four powers of the GHASH key, from entry `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_powers(key: &HashKey, at: usize) -> __m512i {
    let powers = &key.powers[at..at + 4];
    // SAFETY: the slice has four entries of 16 bytes; the load needs no alignment.
    unsafe { _mm512_loadu_si512(powers.as_ptr().cast()) }
}
