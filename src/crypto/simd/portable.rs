//! SM4 and GHASH for every machine, in constant time: no branch and no address depends on a secret.
//!
//! SM4 is bitsliced: 32 blocks go through together, bit i of byte k of a word of all of them in one `u32`,
//! the four bytes side by side, so that the S-box is a circuit on 128-bit values that compilers put into
//! vector registers. GHASH multiplies integers whose bits stand four apart, so that no carry reaches a neighbour;
//! this is constant-time where integer multiplication is.

use std::array::from_fn;
use std::ops::{BitAnd, BitXor};

use super::{BLOCK_BYTES, Block, Rounds};

/// Blocks of one pass.
pub(super) const LANES: usize = 32;

/// One bit of each of a word's four bytes, lowest first, of each block.
type Plane = [u32; 4];

/// Enciphers up to [`LANES`] blocks in place (GB/T 32907 §7.1).
// in bitsliced code a position is a number, whatever array it is looked up in
#[allow(clippy::needless_range_loop)]
pub(super) fn encrypt(rounds: &Rounds, blocks: &mut [Block]) {
    let mut words = [[0u32; LANES]; 4];
    for (lane, block) in blocks.iter().enumerate() {
        for (word, bytes) in block.as_chunks::<4>().0.iter().enumerate() {
            words[word][lane] = u32::from_be_bytes(*bytes);
        }
    }
    let mut state = words.map(slice);
    for keys in rounds.as_chunks::<4>().0 {
        for (step, key) in keys.iter().enumerate() {
            let [a, b, c] = [1, 2, 3].map(|ahead| state[(step + ahead) % 4]);
            let mut planes = [[0; 4]; 8];
            for bit in 0..8 {
                for byte in 0..4 {
                    let key = (key >> (8 * byte + bit) & 1).wrapping_neg();
                    planes[bit][byte] = a[bit][byte] ^ b[bit][byte] ^ c[bit][byte] ^ key;
                }
            }
            // a loop whose turns are alike is what compilers make vectors of
            for byte in 0..4 {
                let out = sbox(from_fn(|bit| planes[bit][byte]), !0);
                (0..8).for_each(|bit| planes[bit][byte] = out[bit]);
            }
            add_linear(&mut state[step], &planes);
        }
    }
    let words = state.map(unslice);
    for (lane, block) in blocks.iter_mut().enumerate() {
        for (word, bytes) in block.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *bytes = words[3 - word][lane].to_be_bytes();
        }
    }
}

/// Adds the CTR stream to `data` (see [`super::BlockKey::stream`]).
pub(super) fn stream(rounds: &Rounds, nonce: &[u8; 12], counter: u32, data: &mut [u8], mut mask: Option<&mut Block>) {
    const PASS_BYTES: usize = LANES * BLOCK_BYTES;
    let mut counter = counter;
    let mut rest = data;
    while !rest.is_empty() || mask.is_some() {
        let (now, later) = rest.split_at_mut(rest.len().min(PASS_BYTES));
        let count = now.len().div_ceil(BLOCK_BYTES);
        let mut blocks: [Block; LANES] = from_fn(|lane| {
            // a lane that the data leaves free is for the mask
            let counter = if lane == count { 1 } else { counter.wrapping_add(lane as u32) };
            let mut block = [0; BLOCK_BYTES];
            block[..12].copy_from_slice(nonce);
            block[12..].copy_from_slice(&counter.to_be_bytes());
            block
        });
        encrypt(rounds, &mut blocks);
        now.iter_mut().zip(blocks.as_flattened()).for_each(|(byte, stream)| *byte ^= stream);
        if let (true, Some(block), Some(mask)) = (later.is_empty(), blocks.get(count), mask.as_deref_mut()) {
            *mask = *block;
            break;
        }
        counter = counter.wrapping_add(LANES as u32);
        rest = later;
    }
}

/// The S-box on each byte of a word (the key schedule).
pub(super) fn sbox_word(word: u32) -> u32 {
    const EACH: u32 = 0x0101_0101;
    let planes = sbox(from_fn(|bit| word >> bit & EACH), EACH);
    planes.iter().zip(0u32..).fold(0, |word, (plane, bit)| word | plane << bit)
}

/// Adds L(B) = B + (B⋘2) + (B⋘10) + (B⋘18) + (B⋘24) to `sum` (GB/T 32907 §6.2).
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn add_linear(sum: &mut [Plane; 8], planes: &[Plane; 8]) {
    for bit in 0..8 {
        let (from, carried) = ((bit + 6) % 8, usize::from(bit < 2));
        // what rotating by 2 puts here comes, for the lowest two bits, from the byte below
        let by_2: Plane = from_fn(|byte| planes[from][(byte + 4 - carried) % 4]);
        for byte in 0..4 {
            sum[bit][byte] ^= planes[bit][byte] ^ planes[bit][(byte + 1) % 4];
            sum[bit][byte] ^= by_2[byte] ^ by_2[(byte + 3) % 4] ^ by_2[(byte + 2) % 4];
        }
    }
}

/// Bit matrix of 32 words to the planes of their 32 bits.
fn slice(mut words: [u32; LANES]) -> [Plane; 8] {
    transpose(&mut words);
    from_fn(|bit| from_fn(|byte| words[8 * byte + bit]))
}

fn unslice(planes: [Plane; 8]) -> [u32; LANES] {
    let mut words = from_fn(|bit| planes[bit % 8][bit / 8]);
    transpose(&mut words);
    words
}

/// Transposes a 32 × 32 bit matrix: swaps off-diagonal squares of half the size, five times over.
fn transpose(rows: &mut [u32; 32]) {
    let mut mask = 0x0000_ffffu32;
    for size in [16, 8, 4, 2, 1] {
        for pair in 0..16 {
            let low = pair / size * 2 * size + pair % size;
            let swap = (rows[low] >> size ^ rows[low + size]) & mask;
            rows[low] ^= swap << size;
            rows[low + size] ^= swap;
        }
        mask ^= mask << (size / 2);
    }
}

/// The S-box on eight planes, lowest bit first; `one` is the plane of ones.
///
/// A·x + d3 carried to GF(((2²)²)²) = GF(16)\[z\]/(z² + z + (w·y + 1)), inverted there, and carried back.
#[inline(always)]
fn sbox<P: Bit>(x: [P; 8], one: P) -> [P; 8] {
    let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
    let t8 = x0 ^ x6;
    let t10 = x4 ^ x5;
    let t11 = t8 ^ x1 ^ x2;
    let t14 = x3 ^ t10;
    let low = [t8 ^ t10, x1 ^ t10, x5 ^ one, x5 ^ t11];
    let high = [x4 ^ t11, x6 ^ one, x2 ^ x7 ^ one, t11 ^ t14 ^ one];
    let [[y0, y1, y2, y3], [y4, y5, y6, y7]] = invert_256(low, high);
    let t8 = y0 ^ y4;
    let t9 = y1 ^ y3;
    let t10 = y6 ^ y7;
    let t13 = y1 ^ y2;
    let t20 = t8 ^ y1 ^ y5;
    let t22 = y2 ^ t8 ^ t9 ^ t10;
    [y0 ^ y2 ^ one, y6 ^ t8 ^ one, y4 ^ t13, y0 ^ t10, y5 ^ t9 ^ one, y7 ^ t9, t20 ^ one, t22 ^ one]
}

/// What the S-box's circuit is drawn in.
trait Bit: Copy + BitXor<Output = Self> + BitAnd<Output = Self> {}
impl<P: Copy + BitXor<Output = P> + BitAnd<Output = P>> Bit for P {}

type Pair<P> = [P; 2];
type Nibble<P> = [P; 4];

/// (high·z + low)⁻¹: the conjugate over the norm, 0 for 0.
#[inline(always)]
fn invert_256<P: Bit>(low: Nibble<P>, high: Nibble<P>) -> [Nibble<P>; 2] {
    let sum = add(low, high);
    let squared = square_16(high);
    // (w·y + 1) times the square
    let (lower, upper) = ([squared[0], squared[1]], [squared[2], squared[3]]);
    let upper = times_w(times_w(upper));
    let scaled = join(pair_add(upper, lower), pair_add(upper, times_w(lower)));
    let norm = invert_16(add(multiply_16(low, sum), scaled));
    [multiply_16(sum, norm), multiply_16(high, norm)]
}

/// In GF(4)\[y\]/(y² + y + w).
#[inline(always)]
fn invert_16<P: Bit>([a, b, c, d]: Nibble<P>) -> Nibble<P> {
    let (low, high) = ([a, b], [c, d]);
    let sum = pair_add(low, high);
    let norm = pair_add(multiply_4(low, sum), times_w(square_4(high)));
    // in GF(4) the inverse is the square
    let norm = square_4(norm);
    join(multiply_4(sum, norm), multiply_4(high, norm))
}

#[inline(always)]
fn multiply_16<P: Bit>([a0, a1, a2, a3]: Nibble<P>, [b0, b1, b2, b3]: Nibble<P>) -> Nibble<P> {
    let low = multiply_4([a0, a1], [b0, b1]);
    let high = multiply_4([a2, a3], [b2, b3]);
    let both = multiply_4([a0 ^ a2, a1 ^ a3], [b0 ^ b2, b1 ^ b3]);
    join(pair_add(low, times_w(high)), pair_add(both, low))
}

#[inline(always)]
fn square_16<P: Bit>([a, b, c, d]: Nibble<P>) -> Nibble<P> {
    let high = square_4([c, d]);
    join(pair_add(square_4([a, b]), times_w(high)), high)
}

/// In GF(2)\[w\]/(w² + w + 1).
#[inline(always)]
fn multiply_4<P: Bit>([a0, a1]: Pair<P>, [b0, b1]: Pair<P>) -> Pair<P> {
    let low = a0 & b0;
    [low ^ (a1 & b1), low ^ ((a0 ^ a1) & (b0 ^ b1))]
}

#[inline(always)]
fn square_4<P: Bit>([low, high]: Pair<P>) -> Pair<P> {
    [low ^ high, high]
}

#[inline(always)]
fn times_w<P: Bit>([low, high]: Pair<P>) -> Pair<P> {
    [high, low ^ high]
}

#[inline(always)]
fn pair_add<P: Bit>(a: Pair<P>, b: Pair<P>) -> Pair<P> {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

#[inline(always)]
fn add<P: Bit>(a: Nibble<P>, b: Nibble<P>) -> Nibble<P> {
    from_fn(|bit| a[bit] ^ b[bit])
}

#[inline(always)]
fn join<P: Bit>(low: Pair<P>, high: Pair<P>) -> Nibble<P> {
    [low[0], low[1], high[0], high[1]]
}

/// Adds the blocks of `pieces`, each padded with zeros, to the GHASH `state` (see [`super::HashKey`]).
pub(super) fn absorb(power: u128, state: u128, pieces: &[&[u8]]) -> u128 {
    let blocks = pieces.iter().flat_map(|piece| piece.chunks(BLOCK_BYTES));
    blocks.fold(state, |state, bytes| {
        let mut block = [0; BLOCK_BYTES];
        block[..bytes.len()].copy_from_slice(bytes);
        multiply(state ^ u128::from_be_bytes(block), power)
    })
}

/// a·b·x⁻¹²⁸ modulo x¹²⁸+x¹²⁷+x¹²⁶+x¹²¹+1 (POLYVAL's product, RFC 8452 §3).
pub(super) fn multiply(a: u128, b: u128) -> u128 {
    let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
    let low = carryless(a0, b0);
    let high = carryless(a1, b1);
    let middle = carryless(a0 ^ a1, b0 ^ b1) ^ low ^ high;
    reduce(low, middle, high)
}

/// The product times x⁻¹²⁸, modulo.
pub(super) fn reduce(low: u128, middle: u128, high: u128) -> u128 {
    let ([v0, v1], [v2, v3]) = (halves(low ^ middle << 64), halves(high ^ middle >> 64));
    // adding a multiple of the modulus that clears the lowest 64 bits, twice
    let v1 = v1 ^ v0 << 63 ^ v0 << 62 ^ v0 << 57;
    let v2 = v2 ^ v0 ^ v0 >> 1 ^ v0 >> 2 ^ v0 >> 7;
    let v2 = v2 ^ v1 << 63 ^ v1 << 62 ^ v1 << 57;
    let v3 = v3 ^ v1 ^ v1 >> 1 ^ v1 >> 2 ^ v1 >> 7;
    u128::from(v3) << 64 | u128::from(v2)
}

fn halves(x: u128) -> [u64; 2] {
    [x as u64, (x >> 64) as u64]
}

/// The product of two polynomials over GF(2).
fn carryless(a: u64, b: u64) -> u128 {
    let low = carryless_low(a, b);
    let high = carryless_low(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    u128::from(high) << 64 | u128::from(low)
}

/// The lower half: of each factor, every fourth bit at a time. At most 16 ones meet in one place; the sum of 16
/// would carry into the next of the same residue only beyond bit 63, where it is cut off.
fn carryless_low(a: u64, b: u64) -> u64 {
    const FOURTH: u64 = 0x1111_1111_1111_1111;
    let part = |x: u64, residue: usize| x & FOURTH << residue;
    let residues = from_fn::<u64, 4, _>(|residue| {
        let products = (0..4).map(|i| part(a, i).wrapping_mul(part(b, (residue + 4 - i) % 4)));
        part(products.fold(0, |sum, product| sum ^ product), residue)
    });
    residues[0] | residues[1] | residues[2] | residues[3]
}
