//! Points of the curve y² = x³ - 3x + b (GB/T 32918.5 §2) and their sums. The order of the curve is the prime n, so
//! no point but the identity has an order below n, and none has y = 0.
//!
//! Sums are worked out in Jacobian coordinates, x = X/Z², y = Y/Z³, and the identity has Z = 0. The formulas are
//! exception-free but for the sum of a point with itself; who calls them says why that cannot happen, or uses
//! [`Jacobian::add_complete`].

use zeroize::DefaultIsZeroes;

use super::field::Field;
use crate::crypto::simd::with_wide_products;

/// A point other than the identity, as x and y.
#[derive(Clone, Copy, Default)]
pub(super) struct Affine {
    pub(super) x: Field,
    pub(super) y: Field,
}

impl DefaultIsZeroes for Affine {}

/// b of the curve's equation.
const B: Field = Field::constant(&super::CURVE_PARAMETERS[1]);

impl Affine {
    /// G, the base point.
    pub(super) const GENERATOR: Self =
        Self { x: Field::constant(&super::CURVE_PARAMETERS[2]), y: Field::constant(&super::CURVE_PARAMETERS[3]) };

    /// The point with these big-endian coordinates; `None` unless both are below p and solve the equation of the
    /// curve (GB/T 32918.1 §6.2.1). The identity has no coordinates, so it cannot come out.
    pub(super) fn from_be_bytes(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let (x, y) = (Field::from_be_bytes(x)?, Field::from_be_bytes(y)?);
        (y.square().is_equal(&right_side(&x)) != 0).then_some(Self { x, y })
    }

    /// The point with this x and the parity of y (GB/T 32918.1 §4.2.10); `None` if x is p or more, or no point has it.
    pub(super) fn from_x(x: &[u8; 32], y_is_odd: bool) -> Option<Self> {
        let x = Field::from_be_bytes(x)?;
        let y = right_side(&x).square_root()?;
        let odd = y.to_number()[0] & 1 == 1;
        Some(Self { x, y: if odd == y_is_odd { y } else { y.negate() } })
    }

    /// The same point with Z = 1.
    pub(super) const fn to_jacobian(self) -> Jacobian {
        Jacobian { x: self.x, y: self.y, z: Field::ONE }
    }

    /// The negative of the point where the bits of `mask` are set.
    #[inline(always)]
    pub(super) const fn negate_if(&self, mask: u64) -> Self {
        Self { x: self.x, y: Field::pick(mask, &self.y.negate(), &self.y) }
    }
}

/// x³ - 3x + b.
fn right_side(x: &Field) -> Field {
    let three_x = x.double().add(x);
    x.square().mul(x).sub(&three_x).add(&B)
}

/// A point in Jacobian coordinates.
#[derive(Clone, Copy, Default)]
pub(super) struct Jacobian {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
}

impl DefaultIsZeroes for Jacobian {}

impl Jacobian {
    pub(super) const IDENTITY: Self = Self { x: Field::ONE, y: Field::ONE, z: Field::ZERO };

    /// All ones for the identity, else zero.
    #[inline(always)]
    pub(super) fn is_identity(&self) -> u64 {
        self.z.is_zero()
    }

    /// Twice the point; the identity for the identity.
    pub(super) fn double(&self) -> Self {
        self.double_times(1)
    }

    /// Doubled `count` times. Going through memory between two doublings would cost a tenth of their time.
    #[inline(never)]
    pub(super) fn double_times(&self, count: usize) -> Self {
        with_wide_products(
            #[inline(always)]
            || {
                // a loop, as what a fold calls might not be inlined
                let mut point = *self;
                for _ in 0..count {
                    point = point.double_in_line();
                }
                point
            },
        )
    }

    #[inline(always)]
    fn double_in_line(&self) -> Self {
        // With s = 2Y and m = 3(Z² - X)(Z² + X), which is 3Z⁴ - 3X²: Z' = s Z, X' = m² - 2 X s²,
        // Y' = m (X' - X s²) - s⁴/2. What the next step waits for is worked out beside what it does not wait for.
        let z_squared = self.z.square();
        let s = self.y.double();
        let z = s.mul(&self.z);
        let slope = z_squared.sub(&self.x).parts_of_product(&z_squared.add(&self.x)).triple();
        let s_squared = s.square();
        let slope_squared = slope.parts_of_square();
        let x_s = self.x.mul(&s_squared);
        let twice = x_s.double();
        let x = slope_squared.sub(&twice);
        let half = s_squared.square().halve();
        let fall = slope_squared.sub(&twice.add(&x_s));
        let y = slope.parts_of_product(&fall).sub(&half);
        Self { x, y, z }
    }

    /// This plus `other`. Either may be the identity, and they may be negatives of each other; they must not be the
    /// same point (the result is the identity then).
    #[inline]
    pub(super) fn add(&self, other: &Cached) -> Self {
        self.sum(other).0
    }

    /// This plus `other`, whatever they are.
    pub(super) fn add_complete(&self, other: &Cached) -> Self {
        let (sum, same) = self.sum(other);
        Self::pick(same, &self.double(), &sum)
    }

    /// This plus `other`, and all ones if they are the same point other than the identity.
    #[inline(always)]
    fn sum(&self, other: &Cached) -> (Self, u64) {
        let (sum, same) = self.sum_of_points(other);
        let (left, right) = (self.is_identity(), other.point.is_identity());
        let sum = Self::pick(left, &other.point, &Self::pick(right, self, &sum));
        (sum, same & !left & !right)
    }

    /// This plus `other`, and all ones if they are the same point; neither may be the identity.
    #[inline(always)]
    fn sum_of_points(&self, other: &Cached) -> (Self, u64) {
        with_wide_products(
            #[inline(always)]
            || {
                let z_squared = self.z.square();
                let u1 = self.x.mul(&other.z_squared);
                let s1 = self.y.mul(&other.z_cubed);
                let run = other.point.x.parts_of_product(&z_squared).sub(&u1);
                let rise = other.point.y.parts_of_product(&z_squared.mul(&self.z)).sub(&s1);
                let z = self.z.mul(&other.point.z).mul(&run);
                (chord(&u1, &s1, &run, &rise, z), run.is_zero() & rise.is_zero())
            },
        )
    }

    /// This plus `other`, which is not the identity, in variable time: for points that everyone may know.
    pub(super) fn add_public(&self, other: &Cached) -> Self {
        if self.is_identity() != 0 {
            return other.point;
        }
        match self.sum_of_points(other) {
            (sum, 0) => sum,
            _ => self.double(),
        }
    }

    /// This plus `other`, or this alone where the bits of `skip` are set. This may be the identity or the negative of
    /// `other`; they must not be the same point (the result is the identity then).
    #[inline]
    pub(super) fn add_affine(&self, other: &Affine, skip: u64) -> Self {
        Self::pick(skip, self, &self.sum_affine(other))
    }

    /// This plus `other`, whatever they are, in variable time: for points that everyone may know.
    pub(super) fn add_affine_public(&self, other: &Affine) -> Self {
        if self.is_identity() != 0 {
            return other.to_jacobian();
        }
        match self.sum_affine_of_points(other) {
            (sum, 0) => sum,
            _ => self.double(),
        }
    }

    /// This plus `other`; they must not be the same point.
    #[inline(always)]
    fn sum_affine(&self, other: &Affine) -> Self {
        Self::pick(self.is_identity(), &other.to_jacobian(), &self.sum_affine_of_points(other).0)
    }

    /// This plus `other`, and all ones if they are the same point; this may not be the identity.
    #[inline(always)]
    fn sum_affine_of_points(&self, other: &Affine) -> (Self, u64) {
        with_wide_products(
            #[inline(always)]
            || {
                let z_squared = self.z.square();
                let run = other.x.parts_of_product(&z_squared).sub(&self.x);
                let rise = other.y.parts_of_product(&z_squared.mul(&self.z)).sub(&self.y);
                (chord(&self.x, &self.y, &run, &rise, self.z.mul(&run)), run.is_zero() & rise.is_zero())
            },
        )
    }

    /// `a` where the bits of `mask` are set, `b` elsewhere.
    #[inline(always)]
    pub(super) const fn pick(mask: u64, a: &Self, b: &Self) -> Self {
        Self { x: Field::pick(mask, &a.x, &b.x), y: Field::pick(mask, &a.y, &b.y), z: Field::pick(mask, &a.z, &b.z) }
    }

    /// x and y. The identity has none: zeros come out, which are no point of the curve.
    pub(super) fn to_affine(self) -> Affine {
        let inverse = self.z.invert();
        let squared = inverse.square();
        Affine { x: self.x.mul(&squared), y: self.y.mul(&squared.mul(&inverse)) }
    }

    /// x alone.
    pub(super) fn to_x(self) -> Field {
        self.x.mul(&self.z.invert().square())
    }

    /// Whether the point is not the identity and its x is `x`; without an inversion.
    pub(super) fn has_x(&self, x: &Field) -> bool {
        (self.x.is_equal(&x.mul(&self.z.square())) & !self.is_identity()) != 0
    }
}

/// The third point on the chord that starts at (u1, s1) and goes `run` to the right and `rise` upwards, mirrored: with
/// the right Z, the sum of its ends. If the run is zero and the rise is not, Z is zero: the identity.
#[inline(always)]
fn chord(u1: &Field, s1: &Field, run: &Field, rise: &Field, z: Field) -> Jacobian {
    let run_squared = run.square();
    let run_cubed = run_squared.mul(run);
    let v = u1.mul(&run_squared);
    let fall = s1.mul(&run_cubed);
    let x = rise.parts_of_square().sub(&run_cubed.add(&v.double()));
    let y = rise.parts_of_product(&v.sub(&x)).sub(&fall);
    Jacobian { x, y, z }
}

/// A point with the powers of Z that every sum with it needs.
#[derive(Clone, Copy, Default)]
pub(super) struct Cached {
    pub(super) point: Jacobian,
    pub(super) z_squared: Field,
    pub(super) z_cubed: Field,
}

impl DefaultIsZeroes for Cached {}

impl Cached {
    pub(super) fn new(point: Jacobian) -> Self {
        let z_squared = point.z.square();
        Self { point, z_squared, z_cubed: z_squared.mul(&point.z) }
    }

    /// The negative of the point where the bits of `mask` are set.
    #[inline(always)]
    pub(super) const fn negate_if(&self, mask: u64) -> Self {
        let y = Field::pick(mask, &self.point.y.negate(), &self.point.y);
        Self { point: Jacobian { y, ..self.point }, ..*self }
    }
}

/// x and y of every point, with one inversion for all. None of them may be the identity.
pub(super) fn to_affine_all(points: &[Jacobian]) -> Vec<Affine> {
    // before[i] is the product of the Zs before point i
    let mut product = Field::ONE;
    let before: Vec<Field> = points
        .iter()
        .map(|point| {
            let before = product;
            product = before.mul(&point.z);
            before
        })
        .collect();
    let mut inverse = product.invert();
    let mut affine = vec![Affine::default(); points.len()];
    for ((point, before), out) in points.iter().zip(&before).zip(&mut affine).rev() {
        let z_inverse = inverse.mul(before);
        inverse = inverse.mul(&point.z);
        let squared = z_inverse.square();
        *out = Affine { x: point.x.mul(&squared), y: point.y.mul(&squared.mul(&z_inverse)) };
    }
    affine
}
