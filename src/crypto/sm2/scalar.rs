//! Numbers modulo n, the order of the base point (GB/T 32918.5 §2), in constant time: secret keys, nonces, and the
//! parts of signatures.

use zeroize::{DefaultIsZeroes, Zeroize};

use super::limbs::{self, Limbs, mac};

/// n.
const ORDER: Limbs = [0x53bb_f409_39d5_4123, 0x7203_df6b_21c6_052b, 0xffff_ffff_ffff_ffff, 0xffff_fffe_ffff_ffff];

/// -n⁻¹ mod 2⁶⁴.
const ORDER_INVERSE: u64 = 0x327f_9e88_7235_0975;

/// 2²⁵⁶ mod n, the Montgomery form of 1.
const R: Limbs = [0xac44_0bf6_c62a_bedd, 0x8dfc_2094_de39_fad4, 0x0000_0000_0000_0000, 0x0000_0001_0000_0000];

/// 2⁵¹² mod n, which takes a number into Montgomery's form.
const R_SQUARED: Limbs = [0x9011_92af_7c11_4f20, 0x3464_504a_de6f_a2fa, 0x620f_c84c_3aff_e0d4, 0x1eb5_e412_a22b_3d3b];

/// Bits that the exponent of an inversion is read by.
const EXPONENT_WINDOW_BITS: usize = 4;

/// A number below n.
#[derive(Clone, Copy, Default)]
pub(super) struct Scalar(Limbs);

impl DefaultIsZeroes for Scalar {}

impl Scalar {
    pub(super) const ONE: Self = Self([1, 0, 0, 0]);

    /// The big-endian number; `None` from n on.
    pub(super) fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let limbs = limbs::from_be_bytes(bytes);
        (limbs::is_less(&limbs, &ORDER) != 0).then_some(Self(limbs))
    }

    /// The big-endian number mod n. Both n and 2²⁵⁶ - n make one subtraction enough.
    pub(super) fn reduce_be_bytes(bytes: &[u8; 32]) -> Self {
        Self(limbs::reduce_once(&limbs::from_be_bytes(bytes), 0, &ORDER))
    }

    /// As 32 big-endian bytes.
    pub(super) fn to_be_bytes(self) -> [u8; 32] {
        limbs::to_be_bytes(&self.0)
    }

    /// The number.
    #[inline(always)]
    pub(super) const fn limbs(&self) -> &Limbs {
        &self.0
    }

    /// This plus n; `None` from 2²⁵⁶ on.
    pub(super) const fn plus_order(&self) -> Option<Limbs> {
        match limbs::add(&self.0, &ORDER) {
            (sum, 0) => Some(sum),
            _ => None,
        }
    }

    #[inline]
    pub(super) const fn add(&self, other: &Self) -> Self {
        Self(limbs::add_mod(&self.0, &other.0, &ORDER))
    }

    #[inline]
    pub(super) const fn sub(&self, other: &Self) -> Self {
        Self(limbs::sub_mod(&self.0, &other.0, &ORDER))
    }

    pub(super) const fn mul(&self, other: &Self) -> Self {
        Self(montgomery_product(&montgomery_product(&self.0, &R_SQUARED), &other.0))
    }

    /// All ones if this is zero, else zero.
    pub(super) fn is_zero(&self) -> u64 {
        limbs::is_zero(&self.0)
    }

    /// x⁻¹ = xⁿ⁻² (Fermat), and 0 for 0. The exponent is public: it is read in windows of four bits.
    #[inline(never)] // or `./x ct` would take it for a part of what tests/alone/ct.supp excuses
    pub(super) fn invert(&self) -> Self {
        let x = montgomery_product(&self.0, &R_SQUARED);
        let mut powers = [R; 1 << EXPONENT_WINDOW_BITS];
        for index in 1..powers.len() {
            powers[index] = montgomery_product(&powers[index - 1], &x);
        }
        let exponent = limbs::sub(&ORDER, &[2, 0, 0, 0]).0;
        let mut power = R;
        for at in (0..256).step_by(EXPONENT_WINDOW_BITS).rev() {
            for _ in 0..EXPONENT_WINDOW_BITS {
                power = montgomery_product(&power, &power);
            }
            let digit = exponent[at / 64] >> (at % 64) & ((1 << EXPONENT_WINDOW_BITS) - 1);
            power = montgomery_product(&power, &powers[digit as usize]);
        }
        let inverse = Self(montgomery_product(&power, &[1, 0, 0, 0]));
        powers.zeroize();
        inverse
    }
}

/// a b 2⁻²⁵⁶ mod n, for a and b below n.
const fn montgomery_product(a: &Limbs, b: &Limbs) -> Limbs {
    let t = limbs::product(a, b);
    let (low, high) = ([t[0], t[1], t[2], t[3]], [t[4], t[5], t[6], t[7]]);
    let low = clear_lowest(&clear_lowest(&clear_lowest(&clear_lowest(&low))));
    let (sum, carry) = limbs::add(&low, &high);
    limbs::reduce_once(&sum, carry, &ORDER)
}

/// (t + m n) / 2⁶⁴ with the m below 2⁶⁴ that makes it whole: below 2²⁵⁶, as 2²⁵⁶ + (2⁶⁴ - 1) n is below 2³²⁰.
#[inline(always)]
const fn clear_lowest(t: &Limbs) -> Limbs {
    let m = t[0].wrapping_mul(ORDER_INVERSE);
    let (_, carry) = mac(t[0], m, ORDER[0], 0);
    let (t1, carry) = mac(t[1], m, ORDER[1], carry);
    let (t2, carry) = mac(t[2], m, ORDER[2], carry);
    let (t3, carry) = mac(t[3], m, ORDER[3], carry);
    [t1, t2, t3, carry]
}
