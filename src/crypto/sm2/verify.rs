//! \[s\]G + \[t\]P for numbers and a point that everyone may know, in variable time: branches and table look-ups go
//! by the numbers. Signatures are checked with this; nothing secret may come here.

use std::iter::successors;
use std::sync::LazyLock;

use super::limbs::Limbs;
use super::point::{Affine, Cached, Jacobian, to_affine_all};
use super::scalar::Scalar;

/// Width of the digits of t: odd numbers from -15 to 15.
const POINT_WIDTH_BITS: usize = 5;

/// Width of the digits of s: odd numbers from -1023 to 1023.
const BASE_WIDTH_BITS: usize = 11;

/// Odd multiples of G that the digits of s need: 1 to 1023 of it.
const BASE_POINTS: usize = 1 << (BASE_WIDTH_BITS - 2);

/// Odd multiples of P that the digits of t need: 1 to 15 of it.
const POINT_POINTS: usize = 1 << (POINT_WIDTH_BITS - 2);

/// Size of the table of odd multiples of G in bytes.
pub(super) const ODD_TABLE_BYTES: usize = BASE_POINTS * size_of::<Affine>();

const _: () = assert!(ODD_TABLE_BYTES == 32_768);

/// Digits of a number of 256 bits: one a bit, and one for the carry out of the highest.
const DIGITS: usize = 257;

/// \[G\], \[3\]G, \[5\]G, ..., worked out when the first signature is checked.
static ODD_MULTIPLES: LazyLock<Vec<Affine>> = LazyLock::new(|| {
    let twice = Cached::new(Affine::GENERATOR.to_jacobian().double());
    let odd = |multiple: &Jacobian| Some(multiple.add_public(&twice));
    let points: Vec<_> = successors(Some(Affine::GENERATOR.to_jacobian()), odd).take(BASE_POINTS).collect();
    to_affine_all(&points)
});

/// The odd multiples of `point` from 1 to 2 N - 1. They differ from each other and from twice the point.
fn odd_multiples<const N: usize>(point: &Affine) -> [Cached; N] {
    let first = Cached::new(point.to_jacobian());
    let twice = Cached::new(first.point.double());
    let mut multiples = [first; N];
    for index in 1..N {
        multiples[index] = Cached::new(multiples[index - 1].point.add(&twice));
    }
    multiples
}

/// \[s\]G + \[t\]P (GB/T 32918.2 §7.1 step 6), in variable time.
pub(super) fn multiply_and_add(s: &Scalar, t: &Scalar, point: &Affine) -> Jacobian {
    let (base_digits, point_digits) = (digits(s.limbs(), BASE_WIDTH_BITS), digits(t.limbs(), POINT_WIDTH_BITS));
    let multiples = odd_multiples::<POINT_POINTS>(point);
    let mut sum = Jacobian::IDENTITY;
    let mut doublings = 0;
    for index in (0..DIGITS).rev() {
        doublings += 1;
        if point_digits[index] == 0 && base_digits[index] == 0 {
            continue;
        }
        // those before the first digit would be of the identity
        if sum.is_identity() == 0 {
            sum = sum.double_times(doublings);
        }
        doublings = 0;
        let digit = point_digits[index];
        if digit != 0 {
            let multiple = &multiples[usize::from(digit.unsigned_abs()) / 2];
            sum = sum.add_public(&multiple.negate_if(sign(digit)));
        }
        let digit = base_digits[index];
        if digit != 0 {
            let multiple = ODD_MULTIPLES[usize::from(digit.unsigned_abs()) / 2];
            sum = sum.add_affine_public(&multiple.negate_if(sign(digit)));
        }
    }
    sum.double_times(doublings)
}

/// All ones for a digit below zero, else zero.
fn sign(digit: i16) -> u64 {
    i64::from(digit >> 15) as u64
}

/// k in the non-adjacent form of width `width`: k is the sum of digits\[i\] 2^i, each digit is 0 or odd and below
/// 2^(width - 1) in magnitude, and of `width` digits in a row one at most is not 0 (GB/T 32918.1 annex A.3.2).
fn digits(k: &Limbs, width: usize) -> [i16; DIGITS] {
    let bits = |at: usize, count: usize| {
        let (limb, shift) = (at / 64, at % 64);
        let here = k.get(limb).copied().unwrap_or_default() >> shift;
        let above = k.get(limb + 1).copied().unwrap_or_default() << 1 << (63 - shift);
        ((here | above) & ((1 << count) - 1)) as i16
    };
    let mut digits = [0; DIGITS];
    let (mut at, mut carry) = (0, 0);
    while at < DIGITS {
        if bits(at, 1) == carry {
            at += 1;
            continue;
        }
        let window = bits(at, width) + carry;
        carry = window >> (width - 1);
        digits[at] = window - (carry << width);
        at += width;
    }
    digits
}
