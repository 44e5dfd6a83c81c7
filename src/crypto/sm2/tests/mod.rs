//! What the public functions do not show: chosen nonces and hashes, digits of scalars, and the arithmetic below,
//! against numbers of any size (`num-bigint`) and against the `sm2` crate's points.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arithmetic;
mod points;

use super::*;

fn number(number: u64) -> Scalar {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    Scalar::from_be_bytes(&bytes).unwrap()
}

fn negative(scalar: &Scalar) -> Scalar {
    Scalar::default().sub(scalar)
}

/// The x of \[k\]G mod n.
fn x_of(k: &Scalar) -> Scalar {
    Scalar::reduce_be_bytes(&multiply::multiply_base(k).to_x().to_be_bytes())
}

fn same(a: &Scalar, b: &Scalar) -> bool {
    a.to_be_bytes() == b.to_be_bytes()
}

/// The signature example of GB/T 32918.5-2017 annex A.2 fixes the nonce, which no caller may.
#[test]
fn the_standards_nonce_gives_the_standards_signature() {
    let d = hex32(b"3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
    let k = hex32(b"59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
    let key = SecretKey::from_bytes(&d).unwrap();
    let e = key.public.message_scalar(DEFAULT_ID, b"message digest");
    let k = Scalar::from_be_bytes(&k).unwrap();
    let (r, s) = key.sign_with_nonce(&e, &k).unwrap();
    let hash = hex32(b"F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
    assert_eq!(e.to_be_bytes(), hash);
    assert_eq!(r.to_be_bytes(), hex32(b"F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"));
    assert_eq!(s.to_be_bytes(), hex32(b"B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"));
}

/// r = 0, r + k = n and s = 0 must ask for another nonce, not give a signature that verifies nowhere.
#[test]
fn a_nonce_without_a_signature_is_refused() {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let k = number(11);
    let x = x_of(&k);
    assert!(key.sign_with_nonce(&negative(&x), &k).is_none(), "r = 0");
    assert!(key.sign_with_nonce(&negative(&k.add(&x)), &k).is_none(), "r + k = n");
    // s = 0 when k = r d, so r = k / d
    let r = k.mul(&key.scalar.invert());
    assert!(key.sign_with_nonce(&r.sub(&x), &k).is_none(), "s = 0");
    assert!(key.sign_with_nonce(&Scalar::ONE, &k).is_some());
}

/// Signatures that solve the equation of the standard and are excluded by its ranges. No message is known
/// to have such a hash, so the hash is chosen here.
#[test]
fn signatures_outside_of_the_ranges_are_refused() {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let (d, seven) = (key.scalar, number(7));
    let check = |r: &Scalar, s: &Scalar| {
        // the e that makes r = e + x([s]G + [r + s]P) true
        let e = r.sub(&x_of(&s.add(&r.add(s).mul(&d))));
        key.public.verify_hash(&e, &der::encode(r, s))
    };
    assert_eq!(check(&seven, &seven), Ok(()), "the equation is right");
    assert_eq!(check(&number(0), &seven), Err(BadSignature), "r = 0");
    assert_eq!(check(&seven, &number(0)), Err(BadSignature), "s = 0");
    assert_eq!(check(&seven, &negative(&seven)), Err(BadSignature), "t = 0");
    // [s]G + [t]P is the identity, which has no x: coordinates of 0 would make e = r fit
    let inverse = d.add(&Scalar::ONE).invert();
    let s = negative(&seven.mul(&d).mul(&inverse));
    assert_eq!(key.public.verify_hash(&seven, &der::encode(&seven, &s)), Err(BadSignature), "the identity");
}

/// x is taken mod n, and the few x from n to p are not below n: no signature is known that has one, so a key is made
/// for it.
#[test]
fn an_x_beyond_the_order_is_taken_modulo_it() {
    let order = hex32(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123");
    let mut tried = 0;
    for step in 0..40u8 {
        let mut x = order;
        x[31] += step;
        let Some(point) = Affine::from_x(&x, false) else {
            continue;
        };
        // P = [1/t](point - [s]G), so that [s]G + [t]P is the point
        let (s, t) = (number(1000 + u64::from(step)), number(12_345));
        let inverse = t.invert();
        let sum = verify::multiply_and_add(&negative(&s.mul(&inverse)), &inverse, &point);
        let key = PublicKey::new(sum.to_affine());
        let r = t.sub(&s);
        let e = r.sub(&number(u64::from(step)));
        assert_eq!(key.verify_hash(&e, &der::encode(&r, &s)), Ok(()), "n + {step}");
        assert_eq!(key.verify_hash(&e.add(&Scalar::ONE), &der::encode(&r, &s)), Err(BadSignature));
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn asking_for_nonces_again_gives_others() {
    let mut nonces = Nonces::new(&number(3), &number(5));
    let (first, second) = (nonces.next_nonce(), nonces.next_nonce());
    assert!(!same(&first, &second));
    // RFC 6979 §3.2 step h: K = HMAC_K(V ‖ 0x00), V = HMAC_K(V) between one candidate and the next
    let mut again = Nonces::new(&number(3), &number(5));
    assert!(same(&first, &again.next_nonce()));
    let key = super::super::kdf::hmac(&again.key, &[&again.value, &[0]]);
    let value = super::super::kdf::hmac(&key, &[&again.value]);
    assert_eq!(second.to_be_bytes(), super::super::kdf::hmac(&key, &[&value]));
}

/// Scalars with leading zero bytes and with the top bit set are the edges of minimal DER integers.
#[test]
fn der_integers_are_minimal() {
    for (r, s) in [(1u64, 0x7f), (0x80, 0xff), (0x0100, u64::MAX)] {
        let der = der::encode(&number(r), &number(s));
        let back = der::decode(&der).unwrap();
        assert!(same(&back.0, &number(r)) && same(&back.1, &number(s)), "{r} {s}");
    }
    let minus_one = negative(&Scalar::ONE);
    let longest = der::encode(&minus_one, &minus_one);
    assert_eq!(longest.len(), SIGNATURE_BYTES_MAX);
    let back = der::decode(&longest).unwrap();
    assert!(same(&back.0, &minus_one) && same(&back.1, &minus_one));
}
