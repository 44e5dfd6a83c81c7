//! \[k\]G and \[k\]P for a secret k (GB/T 32918.1 annex A.3.2), in constant time: the same additions and doublings
//! and the same reads of memory whatever k is.
//!
//! k is cut into signed digits of [`WINDOW_BITS`] bits, from -16 to 16. A digit is looked up by reading the whole row
//! of multiples through a mask, and its sign negates what was read. [`Jacobian::add`] and
//! [`Jacobian::add_affine`] fail for the sum of a point with itself, so the functions below say why none occurs.

use std::hint::black_box;
use std::sync::LazyLock;

use zeroize::Zeroize;

use super::field::Field;
use super::limbs::Limbs;
use super::point::{Affine, Cached, Jacobian, to_affine_all};
use super::scalar::Scalar;

/// Bits of a digit: the distance between windows.
const WINDOW_BITS: usize = 5;

/// Digits of a scalar: enough that the highest window holds the carry out of bit 255.
const WINDOWS: usize = 52;

/// Multiples of a point that the digits need: 1 to 16 of it, the others are their negatives.
const ROW_POINTS: usize = 1 << (WINDOW_BITS - 1);

/// Size of the table of multiples of G in bytes: for each window i, the points \[j 32^i\]G with j from 1 to 16.
pub(super) const BASE_TABLE_BYTES: usize = WINDOWS * ROW_POINTS * size_of::<Affine>();

const _: () = assert!(WINDOWS * WINDOW_BITS > 256 && BASE_TABLE_BYTES == 53_248);

/// The multiples of G, worked out when the first is asked for; all of it is public.
static BASE_TABLE: LazyLock<Vec<[Affine; ROW_POINTS]>> = LazyLock::new(base_table);

fn base_table() -> Vec<[Affine; ROW_POINTS]> {
    let mut points = Vec::with_capacity(WINDOWS * ROW_POINTS);
    let mut base = Affine::GENERATOR.to_jacobian();
    for _ in 0..WINDOWS {
        points.extend(row(&base).map(|cached| cached.point));
        base = base.double_times(WINDOW_BITS);
    }
    to_affine_all(&points).as_chunks().0.to_vec()
}

/// The multiples 1 to 16 of `point`.
fn row(point: &Jacobian) -> [Cached; ROW_POINTS] {
    let first = Cached::new(*point);
    let mut row = [first; ROW_POINTS];
    for index in 1..ROW_POINTS {
        row[index] = Cached::new(if index == 1 { point.double() } else { row[index - 1].point.add(&first) });
    }
    row
}

/// \[k\]G; the identity for k = 0.
#[inline(never)] // or `./x ct` would take it for a part of what tests/alone/ct.supp excuses
pub(super) fn multiply_base(k: &Scalar) -> Jacobian {
    let mut sum = Jacobian::IDENTITY;
    // From the lowest window up. Before window i the sum is that of digits below 32^i: s with |s| <= 16 (32^i - 1) / 31,
    // which is less than 32^i, so s = d 32^i holds for s = d = 0 alone. The two are the same point if they are equal
    // mod n. Below the highest window |s| + |d| 32^i is less than n, and there s + d 32^i = k and d is 0, 1 or 2, so
    // s = d 32^i - n would make k = 2 d 32^i - n: below 0 for d = 1, not below n for d = 2.
    for (index, row) in BASE_TABLE.iter().enumerate() {
        let digit = Digit::of(k.limbs(), index);
        let mut point = digit.select_affine(row);
        sum = sum.add_affine(&point, digit.is_zero());
        point.zeroize();
    }
    sum
}

/// \[k\]P; the identity for k = 0.
pub(super) fn multiply(k: &Scalar, point: &Affine) -> Jacobian {
    let row = row(&point.to_jacobian());
    let mut sum = Jacobian::IDENTITY;
    // From the highest window down. Before window i the sum is 32 s, with a whole s; above the lowest window
    // |32 s| + |d| is less than n, so that 32 s = d holds for zeros alone. At the lowest, 32 s + d = k and
    // 32 s = d + n is possible (k = n - 6), hence the complete sum.
    for index in (0..WINDOWS).rev() {
        let digit = Digit::of(k.limbs(), index);
        sum = sum.double_times(WINDOW_BITS);
        let mut multiple = digit.select(&row);
        sum = if index == 0 { sum.add_complete(&multiple) } else { sum.add(&multiple) };
        multiple.zeroize();
    }
    sum
}

/// A signed digit of a scalar.
struct Digit {
    /// 0 to 16.
    magnitude: u64,
    /// All ones if the digit is below zero, else zero.
    negative: u64,
}

impl Digit {
    /// Digit `index` of `k`: k is the sum of all digits d_i 32^i. A window of bits 5i to 5i + 4 that is 16 or more
    /// counts as 32 less, and the next one, which sees that by bit 5i + 4, as 1 more.
    fn of(k: &Limbs, index: usize) -> Self {
        // six bits, from the one below the window; above bit 255 and below bit 0 there are zeros
        let bits = match (index * WINDOW_BITS).checked_sub(1) {
            None => k[0] << 1,
            Some(low) => {
                let (limb, shift) = (low / 64, low % 64);
                let above = k.get(limb + 1).copied().unwrap_or_default();
                k[limb] >> shift | above << 1 << (63 - shift)
            }
        } & ((2 << WINDOW_BITS) - 1);
        let negative = black_box(bits >> WINDOW_BITS).wrapping_neg();
        let digit = (bits >> 1) + (bits & 1);
        let digit = digit.wrapping_sub(negative & (1 << WINDOW_BITS));
        Self { magnitude: (digit ^ negative).wrapping_sub(negative), negative }
    }

    /// All ones if the digit is zero, else zero.
    fn is_zero(&self) -> u64 {
        super::limbs::mask_if_zero(self.magnitude)
    }

    /// The multiple that the digit says; zeros for the digit 0.
    #[inline(always)]
    fn select_affine(&self, row: &[Affine; ROW_POINTS]) -> Affine {
        let [x, y] = self.scan(row, |point| [&point.x, &point.y]);
        Affine { x, y }.negate_if(self.negative)
    }

    /// The multiple that the digit says; the identity for the digit 0.
    #[inline(always)]
    fn select(&self, row: &[Cached; ROW_POINTS]) -> Cached {
        let [x, y, z, z_squared, z_cubed] = self.scan(row, |cached| {
            [&cached.point.x, &cached.point.y, &cached.point.z, &cached.z_squared, &cached.z_cubed]
        });
        Cached { point: Jacobian { x, y, z }, z_squared, z_cubed }.negate_if(self.negative)
    }

    /// The elements of the multiple that the digit says, out of a row that is read whole; zeros for the digit 0.
    #[inline(always)]
    fn scan<T, const N: usize>(&self, row: &[T; ROW_POINTS], elements: impl Fn(&T) -> [&Field; N]) -> [Field; N] {
        // Without the black box the optimiser sees that a mask is all or nothing, and makes a branch of it.
        let masks: [u64; ROW_POINTS] =
            black_box(std::array::from_fn(|index| u64::from(index as u64 + 1 == self.magnitude).wrapping_neg()));
        let mut found = [[0; 4]; N];
        for (mask, entry) in masks.iter().zip(row) {
            for (found, element) in found.iter_mut().zip(elements(entry)) {
                for (found, limb) in found.iter_mut().zip(element.limbs()) {
                    *found |= limb & mask;
                }
            }
        }
        found.map(Field::from_limbs)
    }
}

impl Drop for Digit {
    fn drop(&mut self) {
        self.magnitude.zeroize();
        self.negative.zeroize();
    }
}
