//! The field that the coordinates of points live in: numbers modulo p = 2²⁵⁶ - 2²²⁴ - 2⁹⁶ + 2⁶⁴ - 1
//! (GB/T 32918.5 §2), in constant time.
//!
//! An element is kept as x·2²⁵⁶ mod p, Montgomery's form, always below p. p ends in 64 ones, so p⁻¹ = -1 mod 2⁶⁴:
//! the multiple of p that clears the lowest limb m of a number is m p itself, and p is so sparse that adding it takes
//! two shifts and no multiplication.

use zeroize::DefaultIsZeroes;

use super::limbs::{self, Limbs, adc, sbb};
use crate::crypto::simd::with_wide_products;

/// p.
const MODULUS: Limbs = [0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000, 0xffff_ffff_ffff_ffff, 0xffff_fffe_ffff_ffff];

/// 2²⁵⁶ mod p, the Montgomery form of 1.
const R: Limbs = [0x0000_0000_0000_0001, 0x0000_0000_ffff_ffff, 0x0000_0000_0000_0000, 0x0000_0001_0000_0000];

/// 2⁵¹² mod p, which takes a number into Montgomery's form.
const R_SQUARED: Limbs = [0x0000_0002_0000_0003, 0x0000_0002_ffff_ffff, 0x0000_0001_0000_0001, 0x0000_0004_0000_0002];

/// An element of the field.
#[derive(Clone, Copy, Default)]
pub(super) struct Field(Limbs);

impl DefaultIsZeroes for Field {}

impl Field {
    pub(super) const ZERO: Self = Self([0; 4]);
    pub(super) const ONE: Self = Self(R);

    /// The element with this big-endian number, at compile time; the number must be below p.
    pub(super) const fn constant(bytes: &[u8; 32]) -> Self {
        Self(limbs::from_be_bytes(bytes)).mul(&Self(R_SQUARED))
    }

    /// The element with this big-endian number; `None` from p on (GB/T 32918.1 §4.2.6 has no such element).
    pub(super) fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Self::from_number(&limbs::from_be_bytes(bytes))
    }

    /// The element with this number; `None` from p on.
    pub(super) fn from_number(number: &Limbs) -> Option<Self> {
        (limbs::is_less(number, &MODULUS) != 0).then(|| Self(*number).mul(&Self(R_SQUARED)))
    }

    /// The number, below p.
    pub(super) const fn to_number(self) -> Limbs {
        Parts::of(&[self.0[0], self.0[1], self.0[2], self.0[3], 0, 0, 0, 0]).sum().0
    }

    /// The number as 32 big-endian bytes.
    pub(super) fn to_be_bytes(self) -> [u8; 32] {
        limbs::to_be_bytes(&self.to_number())
    }

    #[inline(always)]
    pub(super) const fn add(&self, other: &Self) -> Self {
        let (sum, carry) = limbs::add(&self.0, &other.0);
        Self(reduce_once(&sum, carry))
    }

    #[inline(always)]
    pub(super) const fn sub(&self, other: &Self) -> Self {
        Self(limbs::sub_mod(&self.0, &other.0, &MODULUS))
    }

    #[inline(always)]
    pub(super) const fn double(&self) -> Self {
        self.add(self)
    }

    /// x / 2.
    #[inline(always)]
    pub(super) const fn halve(&self) -> Self {
        // an odd number becomes even with p
        let mask = (self.0[0] & 1).wrapping_neg();
        let odd = [MODULUS[0] & mask, MODULUS[1] & mask, MODULUS[2] & mask, MODULUS[3] & mask];
        let ([r0, r1, r2, r3], carry) = limbs::add(&self.0, &odd);
        Self([r0 >> 1 | r1 << 63, r1 >> 1 | r2 << 63, r2 >> 1 | r3 << 63, r3 >> 1 | carry << 63])
    }

    #[inline(always)]
    pub(super) const fn negate(&self) -> Self {
        Self::ZERO.sub(self)
    }

    #[inline(always)]
    pub(super) const fn mul(&self, other: &Self) -> Self {
        self.parts_of_product(other).sum()
    }

    #[inline(always)]
    pub(super) const fn square(&self) -> Self {
        self.parts_of_square().sum()
    }

    /// What is left to add up for a product.
    #[inline(always)]
    pub(super) const fn parts_of_product(&self, other: &Self) -> Parts {
        Parts::of(&limbs::product(&self.0, &other.0))
    }

    /// What is left to add up for a square.
    #[inline(always)]
    pub(super) const fn parts_of_square(&self) -> Parts {
        Parts::of(&limbs::square(&self.0))
    }

    /// Squared `count` times.
    fn square_times(&self, count: usize) -> Self {
        with_wide_products(
            #[inline(always)]
            || {
                let mut power = *self;
                for _ in 0..count {
                    power = power.square();
                }
                power
            },
        )
    }

    /// All ones if this is zero, else zero.
    #[inline(always)]
    pub(super) fn is_zero(&self) -> u64 {
        limbs::is_zero(&self.0)
    }

    /// All ones if both are the same element, else zero.
    #[inline(always)]
    pub(super) fn is_equal(&self, other: &Self) -> u64 {
        limbs::is_equal(&self.0, &other.0)
    }

    /// `a` where the bits of `mask` are set, `b` elsewhere.
    #[inline(always)]
    pub(super) const fn pick(mask: u64, a: &Self, b: &Self) -> Self {
        Self(limbs::pick(mask, &a.0, &b.0))
    }

    /// The limbs of Montgomery's form, for tables that are read through a mask.
    #[inline(always)]
    pub(super) const fn limbs(&self) -> &Limbs {
        &self.0
    }

    /// The element with these limbs of [`Self::limbs`].
    #[inline(always)]
    pub(super) const fn from_limbs(limbs: Limbs) -> Self {
        Self(limbs)
    }

    /// x⁻¹ = xᵖ⁻² (Fermat), and 0 for 0: 256 squarings and 16 products whatever x is. In binary, p - 2 is 31 ones,
    /// a zero, 128 ones, 32 zeros, 62 ones, a zero and a one.
    pub(super) fn invert(&self) -> Self {
        let ones = Ones::of(self);
        let (head, x30) = (ones.head(), ones.x30);
        let power = head.square_times(64).mul(&ones.x32);
        let power = power.square_times(30).mul(&x30);
        power.square_times(2).mul(self)
    }

    /// A root of x, if x is a square: p = 3 mod 4, so it is x to the (p + 1) / 4 (GB/T 32918.1 annex B.1.4). In
    /// binary, that exponent is 31 ones, a zero, 128 ones, 31 zeros, a one and 62 zeros.
    pub(super) fn square_root(&self) -> Option<Self> {
        let root = Ones::of(self).head().square_times(32).mul(self).square_times(62);
        (root.square().is_equal(self) != 0).then_some(root)
    }
}

/// Powers of x whose exponent is a row of ones.
struct Ones {
    x30: Field,
    x31: Field,
    x32: Field,
}

impl Ones {
    fn of(x: &Field) -> Self {
        let x2 = x.square().mul(x);
        let x4 = x2.square_times(2).mul(&x2);
        let x8 = x4.square_times(4).mul(&x4);
        let x16 = x8.square_times(8).mul(&x8);
        let x24 = x16.square_times(8).mul(&x8);
        let x28 = x24.square_times(4).mul(&x4);
        let x30 = x28.square_times(2).mul(&x2);
        let x31 = x30.square().mul(x);
        let x32 = x31.square().mul(x);
        Self { x30, x31, x32 }
    }

    /// The exponent of 31 ones, a zero and 128 ones, with which both exponents start.
    fn head(&self) -> Field {
        let start = self.x31.square().square_times(32).mul(&self.x32);
        (0..3).fold(start, |power, _| power.square_times(32).mul(&self.x32))
    }
}

/// carry·2²⁵⁶ + a, known to be below 2p, brought below p: adding 2²⁵⁶ - p, which is R, leaves 256 bits if and only if
/// it is p or more.
#[inline(always)]
const fn reduce_once(a: &Limbs, carry: u64) -> Limbs {
    // in halves, or the compiler makes comparisons with constants of the carries
    let (low, carry_low) = half(a[0], a[1]).overflowing_add(half(R[0], R[1]));
    let (high, over) = half(a[2], a[3]).overflowing_add(half(R[2], R[3]));
    let (high, again) = high.overflowing_add(carry_low as u128);
    let less = [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64];
    limbs::pick((carry | over as u64 | again as u64).wrapping_neg(), &less, a)
}

/// low + high·2⁶⁴.
#[inline(always)]
const fn half(low: u64, high: u64) -> u128 {
    low as u128 | (high as u128) << 64
}

/// Two numbers whose sum is a product in Montgomery's form. The low one takes long to get: what is to be done with the
/// product is done with the high one meanwhile, and costs no time where one product waits for another.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// At most p: it is (t + m p)·2⁻²⁵⁶ with t and m below 2²⁵⁶.
    low: Limbs,
    /// Below p.
    high: Limbs,
}

impl Parts {
    /// The parts of t·2⁻²⁵⁶ mod p, for t below p·2²⁵⁶.
    #[inline(always)]
    const fn of(t: &[u64; 8]) -> Self {
        // Each step adds the lowest limb times p, which clears that limb, and drops it.
        let (t1, t2, t3, t4) = clear_lowest(t[0], t[1], t[2], t[3]);
        let (t2, t3, t4, t5) = clear_lowest(t1, t2, t3, t4);
        let (t3, t4, t5, t6) = clear_lowest(t2, t3, t4, t5);
        let (t4, t5, t6, t7) = clear_lowest(t3, t4, t5, t6);
        Self { low: [t4, t5, t6, t7], high: [t[4], t[5], t[6], t[7]] }
    }

    /// The product.
    #[inline(always)]
    pub(super) const fn sum(&self) -> Field {
        let (sum, carry) = limbs::add(&self.low, &self.high);
        Field(reduce_once(&sum, carry))
    }

    /// The product less `other`.
    #[inline(always)]
    pub(super) const fn sub(&self, other: &Field) -> Field {
        Self { low: self.low, high: limbs::sub_mod(&self.high, &other.0, &MODULUS) }.sum()
    }

    /// The product three times.
    #[inline(always)]
    pub(super) const fn triple(&self) -> Field {
        let ([r0, r1, r2, r3], carry) = limbs::add(&self.low, &self.high);
        let twice = [r0 << 1, r1 << 1 | r0 >> 63, r2 << 1 | r1 >> 63, r3 << 1 | r2 >> 63];
        let (sum, over) = limbs::add(&twice, &[r0, r1, r2, r3]);
        // the sum is below 2 p, so three times the sum is `high` times 2²⁵⁶ too large, 5 at most
        let high = (carry << 1 | r3 >> 63).wrapping_add(carry).wrapping_add(over);
        let (sum, carry) = limbs::add(&sum, &[high, (high << 32).wrapping_sub(high), 0, high << 32]);
        Field(reduce_once(&sum, carry))
    }
}

/// (m + t1·2⁶⁴ + t2·2¹²⁸ + t3·2¹⁹² + m p) / 2⁶⁴, which is below 2²⁵⁶: the sum is less than 2²⁵⁶ + 2⁶⁴ p.
#[inline(always)]
const fn clear_lowest(m: u64, t1: u64, t2: u64, t3: u64) -> (u64, u64, u64, u64) {
    // (m p + m) / 2⁶⁴ = m 2¹⁹² - m 2¹⁶⁰ - m 2³² + m
    let (low, high) = (m << 32, m >> 32);
    let (t1, carry) = adc(t1, m, 0);
    let (t2, carry) = adc(t2, 0, carry);
    let (t3, carry) = adc(t3, 0, carry);
    let t4 = m.wrapping_add(carry);
    let (t1, borrow) = sbb(t1, low, 0);
    let (t2, borrow) = sbb(t2, high, borrow);
    let (t3, borrow) = sbb(t3, low, borrow);
    let (t4, _) = sbb(t4, high, borrow);
    (t1, t2, t3, t4)
}
