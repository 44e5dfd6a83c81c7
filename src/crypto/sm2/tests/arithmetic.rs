//! The two fields against numbers of any size.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::super::field::Field;
use super::super::hex32;
use super::super::limbs;
use super::super::scalar::Scalar;

fn p() -> BigUint {
    BigUint::from_bytes_be(&hex32(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF"))
}

fn n() -> BigUint {
    BigUint::from_bytes_be(&hex32(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123"))
}

fn bytes(number: &BigUint) -> [u8; 32] {
    let digits = number.to_bytes_be();
    let mut bytes = [0; 32];
    bytes[32 - digits.len()..].copy_from_slice(&digits);
    bytes
}

/// Numbers of 256 bits: even ones, ones whose limbs are full or empty, and ones close to a modulus or its multiples.
fn numbers() -> impl Strategy<Value = BigUint> {
    let limb = prop_oneof![
        2 => any::<u64>(),
        2 => Just(0),
        2 => Just(u64::MAX),
        1 => (0u32..64).prop_map(|bit| 1 << bit),
        1 => Just(u64::MAX << 32),
        1 => 0u64..4,
    ];
    let limbs =
        prop::array::uniform4(limb).prop_map(|limbs| BigUint::from_bytes_be(&limbs.map(u64::to_be_bytes).concat()));
    let near = |modulus: BigUint| (0u64..1 << 20).prop_map(move |less| &modulus - less);
    prop_oneof![6 => limbs, 1 => near(p()), 1 => near(n()), 2 => any::<[u8; 32]>().prop_map(|b| BigUint::from_bytes_be(&b))]
}

fn element(number: &BigUint) -> Field {
    Field::from_be_bytes(&bytes(&(number % p()))).unwrap()
}

fn scalar(number: &BigUint) -> Scalar {
    Scalar::from_be_bytes(&bytes(&(number % n()))).unwrap()
}

fn of_element(element: &Field) -> BigUint {
    let number = BigUint::from_bytes_be(&element.to_be_bytes());
    assert!(number < p());
    // Montgomery's form is kept below p too: comparison relies on it
    assert!(BigUint::from_bytes_be(&limbs::to_be_bytes(element.limbs())) < p());
    number
}

fn of_scalar(scalar: &Scalar) -> BigUint {
    let number = BigUint::from_bytes_be(&scalar.to_be_bytes());
    assert!(number < n());
    number
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_field_of_coordinates_is_that_of_p(a in numbers(), b in numbers()) {
        let (x, y, p) = (element(&a), element(&b), p());
        let (a, b) = (a % &p, b % &p);
        prop_assert_eq!(of_element(&x), a.clone());
        prop_assert_eq!(of_element(&x.add(&y)), (&a + &b) % &p);
        prop_assert_eq!(of_element(&x.sub(&y)), (&a + &p - &b) % &p);
        prop_assert_eq!(of_element(&x.mul(&y)), &a * &b % &p);
        prop_assert_eq!(of_element(&x.square()), &a * &a % &p);
        prop_assert_eq!(of_element(&x.parts_of_product(&y).sub(&x)), (&a * &b + &p - &a) % &p);
        prop_assert_eq!(of_element(&x.parts_of_square().sub(&y)), (&a * &a + &p - &b) % &p);
        prop_assert_eq!(of_element(&x.parts_of_product(&y).triple()), 3u32 * &a * &b % &p);
        prop_assert_eq!(of_element(&x.double()), (&a << 1) % &p);
        prop_assert_eq!(of_element(&x.negate()), (&p - &a) % &p);
        prop_assert_eq!(of_element(&x.halve().double()), a.clone());
        prop_assert_eq!(x.is_zero() != 0, a == BigUint::ZERO);
        prop_assert_eq!(x.is_equal(&y) != 0, a == b);
        prop_assert_eq!(x.is_equal(&x), u64::MAX);
    }

    #[test]
    fn the_field_of_scalars_is_that_of_n(a in numbers(), b in numbers()) {
        let reduced = Scalar::reduce_be_bytes(&bytes(&a));
        prop_assert_eq!(of_scalar(&reduced), &a % n());
        let (x, y, n) = (scalar(&a), scalar(&b), n());
        let (a, b) = (a % &n, b % &n);
        prop_assert_eq!(of_scalar(&x.add(&y)), (&a + &b) % &n);
        prop_assert_eq!(of_scalar(&x.sub(&y)), (&a + &n - &b) % &n);
        prop_assert_eq!(of_scalar(&x.mul(&y)), &a * &b % &n);
        prop_assert_eq!(x.is_zero() != 0, a == BigUint::ZERO);
        let beyond = &a + &n;
        let expected = (beyond.bits() <= 256).then_some(beyond);
        let got = x.plus_order().map(|sum| BigUint::from_bytes_be(&limbs::to_be_bytes(&sum)));
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn numbers_of_a_modulus_and_more_are_refused(a in numbers()) {
        prop_assert_eq!(Field::from_be_bytes(&bytes(&a)).is_some(), a < p());
        prop_assert_eq!(Scalar::from_be_bytes(&bytes(&a)).is_some(), a < n());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn inverses_and_roots_are_those_of_powers(a in numbers()) {
        let two = BigUint::from(2u8);
        let (p, n) = (p(), n());
        prop_assert_eq!(of_element(&element(&a).invert()), a.modpow(&(&p - &two), &p));
        prop_assert_eq!(of_scalar(&scalar(&a).invert()), a.modpow(&(&n - &two), &n));
        let root = a.modpow(&((&p + 1u8) >> 2), &p);
        let is_root = &root * &root % &p == &a % &p;
        prop_assert_eq!(element(&a).square_root().map(|root| of_element(&root)), is_root.then_some(root));
    }
}

#[test]
fn the_edges_of_both_fields() {
    for (modulus, is_field) in [(p(), true), (n(), false)] {
        let accepted = |number: &BigUint| match is_field {
            true => Field::from_be_bytes(&bytes(number)).is_some(),
            false => Scalar::from_be_bytes(&bytes(number)).is_some(),
        };
        assert!(accepted(&BigUint::ZERO) && accepted(&(&modulus - 1u8)));
        assert!(!accepted(&modulus) && !accepted(&(&modulus + 1u8)));
        assert!(!accepted(&BigUint::from_bytes_be(&[0xff; 32])));
    }
    assert_eq!(of_element(&Field::ONE), BigUint::from(1u8));
    assert_eq!(of_element(&Field::ZERO.invert()), BigUint::ZERO);
    assert_eq!(of_scalar(&scalar(&BigUint::ZERO).invert()), BigUint::ZERO);
}
