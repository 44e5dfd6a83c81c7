//! SM2 encryption against GB/T 32918.5 and libsm, and everything that must not open.

use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm2_encrypt::{
    CIPHERTEXT_BYTES_MAX, DecryptError, EncryptError, MESSAGE_BYTES_MAX, OVERHEAD_BYTES_MAX, decrypt, encrypt,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{cases, hex, hex_array, random};

/// Deals the given bytes, and nothing else.
struct Dealt(Vec<u8>);

impl rand_core::TryRng for Dealt {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!()
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!()
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Dealt {}

fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = match value.len() {
        short @ 0..0x80 => vec![short as u8],
        long @ 0x80..0x100 => vec![0x81, long as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], &length[..], value].concat()
}

/// INTEGERs from 32-byte numbers with as few bytes as DER allows.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let sign: &[u8] = if number[zeros] >= 0x80 { &[0] } else { &[] };
    element(2, &[sign, &number[zeros..]].concat())
}

fn der(x: &[u8], y: &[u8], c3: &[u8], c2: &[u8]) -> Vec<u8> {
    element(0x30, &[integer(x), integer(y), element(4, c3), element(4, c2)].concat())
}

#[test]
fn sm2_encryption_is_that_of_gbt_32918() {
    for case in cases(include_str!("../../vectors/sm2_encryption.txt")) {
        let secret = SecretKey::from_bytes(&hex_array(case["secret"])).unwrap();
        let [x, y, c3, c2] = ["x", "y", "hash", "cipher"].map(|name| hex(case[name]));
        let sealed = encrypt(&secret.public_key(), &hex(case["message"]), &mut Dealt(hex(case["nonce"]))).unwrap();
        assert_eq!(sealed, der(&x, &y, &c3, &c2));
        assert_eq!(*decrypt(&secret, &sealed).unwrap(), hex(case["message"]));
    }
}

#[test]
fn sm2_encryption_both_ways_with_libsm() {
    let mut rng = StdRng::seed_from_u64(0x5320);
    for length in [1, 2, 15, 31, 32, 33, 63, 64, 65, 200, 1000] {
        let secret = SecretKey::generate(&mut rng);
        let context = libsm::sm2::signature::SigCtx::new();
        let point = context.load_pubkey(&secret.public_key().to_uncompressed()).unwrap();
        let number = context.load_seckey(&*secret.to_bytes()).unwrap();
        let message = random(&mut rng, length);
        // libsm's form is C1 (uncompressed), C2, C3
        let theirs = libsm::sm2::encrypt::EncryptCtx::new(length, point).encrypt(&message).unwrap();
        let (x, y, c2, c3) = (&theirs[1..33], &theirs[33..65], &theirs[65..65 + length], &theirs[65 + length..]);
        match decrypt(&secret, &der(x, y, c3, c2)) {
            Ok(opened) => assert_eq!(*opened, message),
            // libsm sends short messages under a key stream of zeros; the standard does not
            Err(error) => assert!(length <= 2 && c2 == message, "{error}"),
        }
        let ours = encrypt(&secret.public_key(), &message, &mut rng).unwrap();
        let raw = raw(&ours, length);
        assert_eq!(libsm::sm2::encrypt::DecryptCtx::new(length, number).decrypt(&raw).unwrap(), message);
    }
}

/// Our DER as libsm wants it.
fn raw(der: &[u8], length: usize) -> Vec<u8> {
    let (c2, rest) = (&der[der.len() - length..], &der[..der.len() - length]);
    let head = match length {
        0..0x80 => 2,
        0x80..0x100 => 3,
        _ => 4,
    };
    let rest = &rest[..rest.len() - head];
    let (c3, rest) = (&rest[rest.len() - 32..], &rest[..rest.len() - 34]);
    let start = rest.len() - rest.iter().rev().count() + if der[1] < 0x80 { 2 } else { usize::from(der[1]) - 0x80 + 2 };
    let (x_length, after_x) = (usize::from(rest[start + 1]), &rest[start + 2..]);
    let (x, y) = (&after_x[..x_length], &after_x[x_length + 2..]);
    let fixed = |number: &[u8]| {
        let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        [vec![0; 32 - digits.len()], digits].concat()
    };
    [&[4][..], &fixed(x), &fixed(y), c2, c3].concat()
}

#[test]
fn sm2_encryption_has_its_lengths() {
    let mut rng = StdRng::seed_from_u64(0x5321);
    let secret = SecretKey::generate(&mut rng);
    let public = secret.public_key();
    assert_eq!(encrypt(&public, &[], &mut rng), Err(EncryptError::Empty));
    let longest = random(&mut rng, MESSAGE_BYTES_MAX + 1);
    let refused = encrypt(&public, &longest, &mut rng);
    assert_eq!(refused, Err(EncryptError::TooLong { got: MESSAGE_BYTES_MAX + 1 }));
    for length in [1, 77, 78, 100, 127, 128, 255, 256, MESSAGE_BYTES_MAX] {
        let sealed = encrypt(&public, &longest[..length], &mut rng).unwrap();
        assert!(sealed.len() <= length + OVERHEAD_BYTES_MAX && sealed.len() <= CIPHERTEXT_BYTES_MAX);
        assert_eq!(*decrypt(&secret, &sealed).unwrap(), longest[..length], "length {length}");
    }
    let over = der(&[1; 32], &[1; 32], &[0; 32], &longest);
    assert_eq!(decrypt(&secret, &over), Err(DecryptError::Malformed));
}

#[test]
fn sm2_ciphertexts_that_were_changed_do_not_open() {
    let mut rng = StdRng::seed_from_u64(0x5322);
    let secret = SecretKey::generate(&mut rng);
    let sealed = encrypt(&secret.public_key(), b"a short secret", &mut rng).unwrap();
    for at in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(decrypt(&secret, &changed).is_err(), "bit {at}");
    }
    for length in 0..sealed.len() {
        assert_eq!(decrypt(&secret, &sealed[..length]), Err(DecryptError::Malformed), "cut to {length}");
    }
    assert_eq!(decrypt(&secret, &[&sealed[..], &[0]].concat()), Err(DecryptError::Malformed));
    let other = SecretKey::generate(&mut rng);
    assert_eq!(decrypt(&other, &sealed), Err(DecryptError::Wrong));
}

#[test]
fn sm2_ciphertexts_hold_a_point_of_the_curve() {
    let secret = SecretKey::from_bytes(&[3; 32]).unwrap();
    let point = secret.public_key().to_uncompressed();
    let (x, y) = (&point[1..33], &point[33..]);
    let open = |x: &[u8], y: &[u8]| decrypt(&secret, &der(x, y, &[7; 32], b"text"));
    assert_eq!(open(x, y), Err(DecryptError::Wrong), "a point");
    assert_eq!(open(y, x), Err(DecryptError::NotOnCurve));
    assert_eq!(open(&[0xff; 32], y), Err(DecryptError::NotOnCurve));
    assert_eq!(open(&[0xff; 33], y), Err(DecryptError::Malformed));
    // no minimal INTEGER, a negative one, a C3 of another length, a C2 of none
    let whole = |fields: &[Vec<u8>]| decrypt(&secret, &element(0x30, &fields.concat()));
    let (x, y, c3, c2) = (integer(x), integer(y), element(4, &[7; 32]), element(4, b"text"));
    let padded = element(2, &[&[0, 0][..], &[1; 31]].concat());
    assert_eq!(whole(&[padded, y.clone(), c3.clone(), c2.clone()]), Err(DecryptError::Malformed));
    assert_eq!(whole(&[element(2, &[0x80]), y.clone(), c3.clone(), c2.clone()]), Err(DecryptError::Malformed));
    assert_eq!(whole(&[x.clone(), y.clone(), element(4, &[7; 31]), c2.clone()]), Err(DecryptError::Malformed));
    assert_eq!(whole(&[x.clone(), y.clone(), c3.clone(), element(4, &[])]), Err(DecryptError::Malformed));
    assert_eq!(whole(&[x, y, c3, c2, element(5, &[])]), Err(DecryptError::Malformed));
}
