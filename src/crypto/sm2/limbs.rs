//! Numbers of 256 bits as four 64-bit limbs, the least significant first: carries, masks, products and bytes. Nothing
//! here branches on a number or uses one as an index; so sums that are known to fit are written as wrapping ones, which
//! have no check in any build.

use std::hint::black_box;

/// Four limbs, the least significant first.
pub(super) type Limbs = [u64; 4];

/// Sum of two limbs and a carry of 0 or 1: the low limb and the carry.
#[inline(always)]
pub(super) const fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (first, over) = a.overflowing_add(b);
    let (second, again) = first.overflowing_add(carry);
    (second, over as u64 | again as u64)
}

/// a - b - borrow, with a borrow of 0 or 1: the low limb and the borrow.
#[inline(always)]
pub(super) const fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (first, under) = a.overflowing_sub(b);
    let (second, again) = first.overflowing_sub(borrow);
    (second, under as u64 | again as u64)
}

/// sum + a b + carry, which is always below 2¹²⁸: the low and the high limb.
#[inline(always)]
pub(super) const fn mac(sum: u64, a: u64, b: u64, carry: u64) -> (u64, u64) {
    let all = a as u128 * b as u128 + sum as u128 + carry as u128;
    (all as u64, (all >> 64) as u64)
}

/// a + b mod 2²⁵⁶, and the carry.
#[inline(always)]
pub(super) const fn add(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, carry) = adc(a[0], b[0], 0);
    let (r1, carry) = adc(a[1], b[1], carry);
    let (r2, carry) = adc(a[2], b[2], carry);
    let (r3, carry) = adc(a[3], b[3], carry);
    ([r0, r1, r2, r3], carry)
}

/// a - b mod 2²⁵⁶, and the borrow.
#[inline(always)]
pub(super) const fn sub(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, borrow) = sbb(a[0], b[0], 0);
    let (r1, borrow) = sbb(a[1], b[1], borrow);
    let (r2, borrow) = sbb(a[2], b[2], borrow);
    let (r3, borrow) = sbb(a[3], b[3], borrow);
    ([r0, r1, r2, r3], borrow)
}

/// `a` where the bits of `mask` are set, `b` elsewhere.
#[inline(always)]
pub(super) const fn pick(mask: u64, a: &Limbs, b: &Limbs) -> Limbs {
    [
        b[0] ^ (mask & (a[0] ^ b[0])),
        b[1] ^ (mask & (a[1] ^ b[1])),
        b[2] ^ (mask & (a[2] ^ b[2])),
        b[3] ^ (mask & (a[3] ^ b[3])),
    ]
}

/// carry·2²⁵⁶ + a, known to be below 2·modulus, brought below the modulus.
#[inline(always)]
pub(super) const fn reduce_once(a: &Limbs, carry: u64, modulus: &Limbs) -> Limbs {
    let (less, borrow) = sub(a, modulus);
    // too small to subtract from: a borrow that the carry does not pay for
    let (_, short) = sbb(carry, 0, borrow);
    pick(short.wrapping_neg(), a, &less)
}

/// a + b mod the modulus, for a and b below it.
#[inline(always)]
pub(super) const fn add_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (sum, carry) = add(a, b);
    reduce_once(&sum, carry, modulus)
}

/// a - b mod the modulus, for a and b below it.
#[inline(always)]
pub(super) const fn sub_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    let mask = borrow.wrapping_neg();
    let back = [modulus[0] & mask, modulus[1] & mask, modulus[2] & mask, modulus[3] & mask];
    add(&difference, &back).0
}

/// a b, of eight limbs: row by row, each with two chains of carries.
#[inline(always)]
pub(super) const fn product(a: &Limbs, b: &Limbs) -> [u64; 8] {
    let [r0, r1, r2, r3, r4] = row(a[0], b);
    let ([r1, r2, r3, r4], r5) = add_row(&[r1, r2, r3, r4], &row(a[1], b));
    let ([r2, r3, r4, r5], r6) = add_row(&[r2, r3, r4, r5], &row(a[2], b));
    let ([r3, r4, r5, r6], r7) = add_row(&[r3, r4, r5, r6], &row(a[3], b));
    [r0, r1, r2, r3, r4, r5, r6, r7]
}

/// a b, of five limbs.
#[inline(always)]
const fn row(a: u64, b: &Limbs) -> [u64; 5] {
    let (l0, h0) = mac(0, a, b[0], 0);
    let (l1, h1) = mac(0, a, b[1], 0);
    let (l2, h2) = mac(0, a, b[2], 0);
    let (l3, h3) = mac(0, a, b[3], 0);
    let (r1, c) = adc(l1, h0, 0);
    let (r2, c) = adc(l2, h1, c);
    let (r3, c) = adc(l3, h2, c);
    [l0, r1, r2, r3, h3.wrapping_add(c)]
}

/// The sum of four and five limbs that is known to fit five.
#[inline(always)]
const fn add_row(sum: &Limbs, row: &[u64; 5]) -> (Limbs, u64) {
    let (low, carry) = add(sum, &[row[0], row[1], row[2], row[3]]);
    (low, row[4].wrapping_add(carry))
}

/// a², of eight limbs: the squares of the limbs, and the mixed products twice. They are added twice rather than
/// shifted: a shift that spans two registers is slow on many machines.
#[inline(always)]
pub(super) const fn square(a: &Limbs) -> [u64; 8] {
    let (m1, c) = mac(0, a[0], a[1], 0);
    let (m2, c) = mac(0, a[0], a[2], c);
    let (m3, m4) = mac(0, a[0], a[3], c);
    let (m3, c) = mac(m3, a[1], a[2], 0);
    let (m4, m5) = mac(m4, a[1], a[3], c);
    let (m5, m6) = mac(m5, a[2], a[3], 0);
    let (s0, h0) = mac(0, a[0], a[0], 0);
    let (s2, h2) = mac(0, a[1], a[1], 0);
    let (s4, h4) = mac(0, a[2], a[2], 0);
    let (s6, h6) = mac(0, a[3], a[3], 0);
    let once = add_mixed(&[h0, s2, h2, s4, h4, s6, h6], &[m1, m2, m3, m4, m5, m6]);
    let [r1, r2, r3, r4, r5, r6, r7] = add_mixed(&once, &[m1, m2, m3, m4, m5, m6]);
    [s0, r1, r2, r3, r4, r5, r6, r7]
}

/// The sum of seven and six limbs that is known to fit seven.
#[inline(always)]
const fn add_mixed(sum: &[u64; 7], mixed: &[u64; 6]) -> [u64; 7] {
    let (r1, c) = adc(sum[0], mixed[0], 0);
    let (r2, c) = adc(sum[1], mixed[1], c);
    let (r3, c) = adc(sum[2], mixed[2], c);
    let (r4, c) = adc(sum[3], mixed[3], c);
    let (r5, c) = adc(sum[4], mixed[4], c);
    let (r6, c) = adc(sum[5], mixed[5], c);
    [r1, r2, r3, r4, r5, r6, sum[6].wrapping_add(c)]
}

/// The number that 32 big-endian bytes say.
pub(super) const fn from_be_bytes(bytes: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    let mut index = 0;
    while index < 32 {
        limbs[3 - index / 8] = limbs[3 - index / 8] << 8 | bytes[index] as u64;
        index += 1;
    }
    limbs
}

/// The number as 32 big-endian bytes.
pub(super) fn to_be_bytes(limbs: &Limbs) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// All ones if `a` is zero, else zero. The optimiser cannot see where the mask comes from, so it cannot turn what
/// is done with it into a branch.
#[inline(always)]
pub(super) fn mask_if_zero(a: u64) -> u64 {
    black_box((a | a.wrapping_neg()) >> 63).wrapping_sub(1)
}

/// All ones if every limb is zero, else zero.
#[inline(always)]
pub(super) fn is_zero(a: &Limbs) -> u64 {
    mask_if_zero(a[0] | a[1] | a[2] | a[3])
}

/// All ones if both are the same number, else zero.
#[inline(always)]
pub(super) fn is_equal(a: &Limbs, b: &Limbs) -> u64 {
    mask_if_zero((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]))
}

/// All ones if a < b, else zero.
#[inline(always)]
pub(super) fn is_less(a: &Limbs, b: &Limbs) -> u64 {
    black_box(sub(a, b).1).wrapping_neg()
}
