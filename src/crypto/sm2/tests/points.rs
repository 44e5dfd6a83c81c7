//! Sums and multiples of points against the `sm2` crate, above all where formulas have exceptions.

use ::sm2::elliptic_curve::ff::PrimeField;
use ::sm2::elliptic_curve::sec1::ToSec1Point;
use ::sm2::{FieldBytes, ProjectivePoint};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::multiply::{multiply, multiply_base};
use super::super::point::{Affine, Cached, Jacobian};
use super::super::scalar::Scalar;
use super::super::verify;
use super::{negative, number};

/// The encoding of a point as the `sm2` crate writes it: one zero byte for the identity.
fn ours(point: &Jacobian) -> Vec<u8> {
    if point.is_identity() != 0 {
        return vec![0];
    }
    let affine = point.to_affine();
    assert_eq!(affine.x.to_be_bytes(), point.to_x().to_be_bytes());
    assert!(point.has_x(&affine.x) && !point.has_x(&affine.y));
    [&[4][..], &affine.x.to_be_bytes(), &affine.y.to_be_bytes()].concat()
}

fn theirs(point: &ProjectivePoint) -> Vec<u8> {
    point.to_affine().to_sec1_point(false).as_bytes().to_vec()
}

fn oracle(scalar: &Scalar) -> ::sm2::Scalar {
    ::sm2::Scalar::from_repr(FieldBytes::from(scalar.to_be_bytes())).unwrap()
}

fn random_scalar(rng: &mut StdRng) -> Scalar {
    Scalar::reduce_be_bytes(&rng.random())
}

/// Small numbers and their negatives, powers of two and their neighbours, rows of ones, and the middle of the range:
/// every carry between digits, and the scalars at which a sum meets its own end (n - 6 in windows of 5 bits).
fn edge_scalars() -> Vec<Scalar> {
    let mut edges: Vec<Scalar> = (0..70).map(number).collect();
    let mut power = Scalar::ONE;
    for _ in 0..257 {
        edges.extend([power.sub(&Scalar::ONE), power, power.add(&Scalar::ONE)]);
        power = power.add(&power);
    }
    for fill in [0x10, 0x42, 0x84, 0x0f, 0xf0, 0x55, 0xaa, 0xef, 0x7f, 0x80] {
        edges.push(Scalar::reduce_be_bytes(&[fill; 32]));
    }
    let negatives: Vec<Scalar> = edges.iter().map(negative).collect();
    edges.extend(negatives);
    edges
}

#[test]
fn multiples_are_those_of_the_sm2_crate() {
    let mut rng = StdRng::seed_from_u64(0x5320);
    let point = multiply_base(&number(0xdeca_fbad)).to_affine();
    let oracle_point = ProjectivePoint::GENERATOR * oracle(&number(0xdeca_fbad));
    let random: Vec<Scalar> = (0..300).map(|_| random_scalar(&mut rng)).collect();
    for k in edge_scalars().iter().chain(&random) {
        let number = oracle(k);
        let shown = k.to_be_bytes();
        assert_eq!(ours(&multiply_base(k)), theirs(&(ProjectivePoint::GENERATOR * number)), "{shown:02x?}");
        assert_eq!(ours(&multiply(k, &point)), theirs(&(oracle_point * number)), "{shown:02x?}");
    }
}

/// Sums of \[s\]G and \[t\]P where P is a small multiple of G or its negative meet each other all the time.
#[test]
fn sums_of_two_multiples_are_those_of_the_sm2_crate() {
    let mut rng = StdRng::seed_from_u64(0x5321);
    let edges = edge_scalars();
    let some = |rng: &mut StdRng| match rng.random_range(0..3) {
        0 => random_scalar(rng),
        1 => edges[rng.random_range(0..edges.len())],
        _ => number(rng.random_range(0..40)),
    };
    for round in 0..1500 {
        let (s, t) = (some(&mut rng), some(&mut rng));
        let factor = loop {
            let factor = some(&mut rng);
            if factor.is_zero() == 0 {
                break factor;
            }
        };
        let point = multiply_base(&factor).to_affine();
        let expected = ProjectivePoint::GENERATOR * (oracle(&s) + oracle(&t) * oracle(&factor));
        assert_eq!(ours(&verify::multiply_and_add(&s, &t, &point)), theirs(&expected), "round {round}");
    }
}

/// Every pair of small multiples, the identity, equals and negatives among them, with Z other than 1.
#[test]
fn sums_have_no_exception() {
    let multiples: Vec<(i64, Jacobian)> = (-6..=6i64)
        .map(|k| {
            let magnitude = number(k.unsigned_abs());
            (k, multiply_base(&if k < 0 { negative(&magnitude) } else { magnitude }))
        })
        .collect();
    let expected = |k: i64| {
        let magnitude = ::sm2::Scalar::from(k.unsigned_abs());
        theirs(&(ProjectivePoint::GENERATOR * if k < 0 { -magnitude } else { magnitude }))
    };
    for (a, left) in &multiples {
        assert_eq!(ours(left), expected(*a));
        assert_eq!(ours(&left.double()), expected(2 * a));
        for (b, right) in &multiples {
            let cached = Cached::new(*right);
            assert_eq!(ours(&left.add_complete(&cached)), expected(a + b), "{a} + {b}");
            assert_eq!(ours(&left.add_complete(&cached.negate_if(u64::MAX))), expected(a - b), "{a} - {b}");
            if a != b || *a == 0 {
                assert_eq!(ours(&left.add(&cached)), expected(a + b), "{a} + {b}");
            }
            if *b == 0 {
                continue;
            }
            assert_eq!(ours(&left.add_public(&cached)), expected(a + b), "{a} + {b}");
            let affine = right.to_affine();
            assert_eq!(ours(&left.add_affine_public(&affine)), expected(a + b), "{a} + {b}");
            assert_eq!(ours(&left.add_affine(&affine, u64::MAX)), expected(*a));
            if a != b {
                assert_eq!(ours(&left.add_affine(&affine, 0)), expected(a + b), "{a} + {b}");
            }
        }
    }
}

#[test]
fn coordinates_are_read_only_if_they_are_of_the_curve() {
    let g = Affine::GENERATOR;
    let (x, y) = (g.x.to_be_bytes(), g.y.to_be_bytes());
    assert!(Affine::from_be_bytes(&x, &y).is_some());
    assert!(Affine::from_be_bytes(&x, &g.y.negate().to_be_bytes()).is_some());
    assert!(Affine::from_be_bytes(&y, &x).is_none());
    assert!(Affine::from_be_bytes(&[0; 32], &[0; 32]).is_none());
    for odd in [false, true] {
        let point = Affine::from_x(&x, odd).unwrap();
        assert_eq!(point.y.to_be_bytes()[31] & 1 == 1, odd);
        assert!(Affine::from_be_bytes(&x, &point.y.to_be_bytes()).is_some());
    }
    // small coordinates plus p are the same numbers mod p, and are refused: one encoding a point
    let p = super::hex32(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF");
    let mut beyond = 0;
    for small in 0..64u8 {
        let mut low = [0; 32];
        low[31] = small;
        let high: [u8; 32] = {
            let sum = num_bigint::BigUint::from_bytes_be(&p) + small;
            sum.to_bytes_be().try_into().unwrap()
        };
        if let Some(point) = Affine::from_x(&low, false) {
            assert!(Affine::from_x(&high, false).is_none(), "p + {small}");
            assert!(Affine::from_be_bytes(&high, &point.y.to_be_bytes()).is_none(), "p + {small}");
            beyond += 1;
        }
    }
    assert!(beyond > 20, "{beyond}");
}
