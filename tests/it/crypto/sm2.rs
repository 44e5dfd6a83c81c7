//! SM2 against GB/T 32918.5, libsm, RustCrypto's nonces, and the edges of keys, points and signatures.

use std::collections::HashSet;

use miyu::crypto::sm2::{BadKey, BadPoint, BadSignature, DEFAULT_ID, ID_BYTES_MAX, PublicKey, SecretKey, TLS_ID};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{cases, hex, hex_array, random};

/// The order of the curve.
const N: &str = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";

/// n plus a small number, as 32 bytes.
fn order_plus(offset: i16) -> [u8; 32] {
    let mut bytes: [u8; 32] = hex_array(N);
    let low = i32::from(u16::from_be_bytes([bytes[30], bytes[31]])) + i32::from(offset);
    bytes[30..].copy_from_slice(&u16::try_from(low).unwrap().to_be_bytes());
    bytes
}

/// A DER signature from 32-byte r and s, with as few bytes as DER allows.
fn der_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len() - 1);
        let digits = &number[zeros..];
        let pad = if digits[0] >= 0x80 { &[0u8][..] } else { &[] };
        [&[2, (pad.len() + digits.len()) as u8], pad, digits].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8], &body[..]].concat()
}

#[test]
fn sm2_verifies_the_signature_of_gbt_32918() {
    for case in cases(include_str!("../../vectors/sm2_signature.txt")) {
        let secret = SecretKey::from_bytes(&hex_array(case["secret"])).unwrap();
        let public = PublicKey::from_uncompressed(&hex(case["public"])).unwrap();
        assert_eq!(secret.public_key(), public);
        let (id, message) = (hex(case["id"]), hex(case["message"]));
        assert_eq!(id, DEFAULT_ID);
        let signature = der_signature(&hex(case["r"]), &hex(case["s"]));
        public.verify(&id, &message, &signature).unwrap();
        assert_eq!(public.verify(TLS_ID, &message, &signature), Err(BadSignature));
        assert_eq!(public.verify(&id, b"message digesu", &signature), Err(BadSignature));
    }
}

/// The agreement of GB/T 32918.3 §6.1, done with the public operations: U = \[tA\]\[tB\]G, h = 1.
#[test]
fn sm2_diffie_hellman_reaches_the_point_of_gbt_32918() {
    use sm2::elliptic_curve::ff::PrimeField;
    let scalar = |bytes: &[u8]| sm2::Scalar::from_repr(bytes.try_into().unwrap()).unwrap();
    for case in cases(include_str!("../../vectors/sm2_agreement.txt")) {
        let side = |who: &str| {
            let field = |name: &str| hex(case[format!("{name}_{who}").as_str()]);
            for kind in ["", "ephemeral_"] {
                let secret = field(&format!("{kind}secret")).try_into().unwrap();
                let public = SecretKey::from_bytes(&secret).unwrap().public_key();
                assert_eq!(public.to_uncompressed().to_vec(), field(&format!("{kind}public")));
            }
            let mut x = [0; 32];
            x[16..].copy_from_slice(&field("ephemeral_public")[17..33]);
            x[16] |= 0x80;
            let t = scalar(&field("secret")) + scalar(&x) * scalar(&field("ephemeral_secret"));
            SecretKey::from_bytes(&t.to_repr().into()).unwrap()
        };
        let (a, b) = (side("a"), side("b"));
        let shared = hex(case["shared"]);
        PublicKey::from_uncompressed(&shared).unwrap();
        assert_eq!(a.diffie_hellman(&b.public_key()).to_vec(), shared[1..33]);
        assert_eq!(b.diffie_hellman(&a.public_key()).to_vec(), shared[1..33]);
    }
}

#[test]
fn sm2_signatures_both_ways_with_libsm() {
    use libsm::sm2::signature::{SigCtx, Signature};
    let mut rng = StdRng::seed_from_u64(0x5307);
    let libsm = SigCtx::new();
    for round in 0..24 {
        let secret = SecretKey::generate(&mut rng);
        let public = secret.public_key();
        let point = libsm.load_pubkey(&public.to_uncompressed()).unwrap();
        let number = libsm.load_seckey(&*secret.to_bytes()).unwrap();
        let length = rng.random_range(0..300);
        let message = random(&mut rng, length);
        let id = if round % 2 == 0 { DEFAULT_ID } else { TLS_ID };
        let hash = libsm.hash(str::from_utf8(id).unwrap(), &point, &message).unwrap();

        let ours = secret.sign(id, &message);
        let decoded = Signature::der_decode(&ours).unwrap();
        assert!(libsm.verify_raw(&hash, &point, &decoded).unwrap(), "round {round}");

        let theirs = libsm.sign_raw(&hash, &number).unwrap().der_encode();
        public.verify(id, &message, &theirs).unwrap();
        let changed = [&message[..], b"!"].concat();
        assert_eq!(public.verify(id, &changed, &theirs), Err(BadSignature));
    }
}

#[test]
fn sm2_signatures_are_those_of_rfc_6979() {
    use sm2::dsa::signature::Signer;
    let mut rng = StdRng::seed_from_u64(0x5308);
    for _ in 0..24 {
        let secret = SecretKey::generate(&mut rng);
        let oracle = sm2::dsa::SigningKey::from_slice("1234567812345678", &*secret.to_bytes()).unwrap();
        let message = random(&mut rng, 57);
        let signature = oracle.sign(&message).to_bytes();
        let ours = secret.sign(DEFAULT_ID, &message);
        assert_eq!(ours, der_signature(&signature[..32], &signature[32..]));
        secret.public_key().verify(DEFAULT_ID, &message, &ours).unwrap();
    }
}

/// Keys that [`sm2_agrees_with_rustcrypto`] goes through, unless `MIYU_SM2_KEYS` says how many.
const KEYS: usize = 1000;

/// Public keys, shared secrets, signatures and their verification, key by key, beside the `sm2` crate.
#[test]
fn sm2_agrees_with_rustcrypto() {
    use sm2::dsa::signature::{Signer, Verifier};
    use sm2::elliptic_curve::point::AffineCoordinates;
    use sm2::elliptic_curve::sec1::ToSec1Point;
    let keys = std::env::var("MIYU_SM2_KEYS").map_or(KEYS, |keys| keys.parse().unwrap());
    let mut rng = StdRng::seed_from_u64(0x5311);
    let mut peer = SecretKey::generate(&mut rng);
    for round in 0..keys {
        let secret = SecretKey::generate(&mut rng);
        let public = secret.public_key();
        let oracle = sm2::SecretKey::from_slice(&*secret.to_bytes()).unwrap();
        let oracle_public = oracle.public_key();
        assert_eq!(public.to_uncompressed(), oracle_public.to_sec1_point(false).as_bytes(), "round {round}");
        assert_eq!(public.to_compressed(), oracle_public.to_sec1_point(true).as_bytes(), "round {round}");
        assert_eq!(PublicKey::from_compressed(&public.to_compressed()), Ok(public.clone()), "round {round}");

        let theirs = sm2::PublicKey::from_sec1_bytes(&peer.public_key().to_uncompressed()).unwrap();
        let product = sm2::ProjectivePoint::from(*theirs.as_affine()) * *oracle.to_nonzero_scalar();
        let shared = secret.diffie_hellman(&peer.public_key());
        assert_eq!(shared.as_slice(), product.to_affine().x().as_slice(), "round {round}");

        let length = rng.random_range(0..200);
        let message = random(&mut rng, length);
        let signer = sm2::dsa::SigningKey::new("1234567812345678", &oracle).unwrap();
        let signature = signer.sign(&message);
        let bytes = signature.to_bytes();
        let ours = secret.sign(DEFAULT_ID, &message);
        assert_eq!(ours, der_signature(&bytes[..32], &bytes[32..]), "round {round}");
        public.verify(DEFAULT_ID, &message, &ours).unwrap();

        // one flipped bit: both refuse it, or both read it as out of range
        let (bit, mut bad) = (rng.random_range(0..512), bytes);
        bad[bit / 8] ^= 1 << (bit % 8);
        let verdict = public.verify(DEFAULT_ID, &message, &der_signature(&bad[..32], &bad[32..]));
        assert_eq!(verdict, Err(BadSignature), "round {round}, bit {bit}");
        let refused = sm2::dsa::Signature::from_slice(&bad)
            .map_or(true, |bad| signer.verifying_key().verify(&message, &bad).is_err());
        assert!(refused, "round {round}, bit {bit}");
        peer = secret;
    }
}

/// Points that are no keys and points that are, by the judgement of the `sm2` crate: random and small x, both
/// parities, x of p and more.
#[test]
fn sm2_points_are_judged_as_by_rustcrypto() {
    use sm2::elliptic_curve::sec1::ToSec1Point;
    let p: [u8; 32] = hex_array("fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff");
    let mut rng = StdRng::seed_from_u64(0x5312);
    let mut good = 0;
    for round in 0..400u16 {
        let mut x: [u8; 32] = match round % 4 {
            0 => [0; 32],
            1 => p,
            2 => [0xff; 32],
            _ => rng.random(),
        };
        if round % 4 < 3 {
            let low = u16::from_be_bytes([x[30], x[31]]).wrapping_add(round / 4).wrapping_sub(50);
            x[30..].copy_from_slice(&low.to_be_bytes());
        }
        for form in [2, 3] {
            let bytes = [&[form], &x[..]].concat();
            let ours = PublicKey::from_compressed(&bytes);
            match sm2::PublicKey::from_sec1_bytes(&bytes) {
                Ok(theirs) => {
                    let full = ours.unwrap().to_uncompressed();
                    assert_eq!(full, theirs.to_sec1_point(false).as_bytes(), "{bytes:02x?}");
                    let mut off = full;
                    off[33 + usize::from(round % 32)] ^= 1 << (round % 8);
                    assert_eq!(PublicKey::from_uncompressed(&off), Err(BadPoint::NotOnCurve), "{off:02x?}");
                    good += 1;
                }
                Err(_) => assert_eq!(ours, Err(BadPoint::NotOnCurve), "{bytes:02x?}"),
            }
        }
    }
    assert!((200..600).contains(&good), "{good}");
}

#[test]
fn sm2_signatures_must_be_strict_der() {
    let secret = SecretKey::from_bytes(&[3; 32]).unwrap();
    let public = secret.public_key();
    let good = secret.sign(DEFAULT_ID, b"text");
    let check = |signature: &[u8]| public.verify(DEFAULT_ID, b"text", signature);
    check(&good).unwrap();
    let body = &good[2..];
    let (r, s) = (&body[..2 + usize::from(body[1])], &body[2 + usize::from(body[1])..]);
    let sequence = |body: &[u8]| [&[0x30, body.len() as u8], body].concat();
    check(&sequence(&[r, s].concat())).unwrap();
    // a leading zero too many on an integer of either kind
    let padded = |integer: &[u8]| [&[2, integer[1] + 1, 0], &integer[2..]].concat();
    let bad: [(&str, Vec<u8>); 11] = [
        ("empty", vec![]),
        ("long form of the length", [&[0x30, 0x81, body.len() as u8], body].concat()),
        ("indefinite length", [&[0x30, 0x80], body, &[0, 0]].concat()),
        ("data after it", [&good[..], &[0]].concat()),
        ("a third integer", sequence(&[body, &[2, 1, 1]].concat())),
        ("one integer", sequence(r)),
        ("padded r", sequence(&[&padded(r), s].concat())),
        ("padded s", sequence(&[r, &padded(s)].concat())),
        ("cut short", good[..good.len() - 1].to_vec()),
        ("raw r and s", [&[0; 32][..], &[1; 32]].concat()),
        ("a set", [&[0x31, body.len() as u8], body].concat()),
    ];
    for (what, signature) in bad {
        assert_eq!(check(&signature), Err(BadSignature), "{what}");
    }
    let (one, n) = ([&[0; 31][..], &[1]].concat(), hex(N));
    let beyond = [0xff; 32];
    for (r, s) in [(&[0; 32][..], &one[..]), (&one, &[0; 32]), (&n, &one), (&one, &n), (&beyond, &one)] {
        assert_eq!(check(&der_signature(r, s)), Err(BadSignature), "{r:x?} {s:x?}");
    }
    // r + s = n, which makes t vanish
    assert_eq!(check(&der_signature(&one, &order_plus(-1))), Err(BadSignature));
    // negative integers
    assert_eq!(check(&sequence(&[2, 1, 0x80, 2, 1, 0x80])), Err(BadSignature));
}

#[test]
fn sm2_ids_have_a_limit() {
    let secret = SecretKey::from_bytes(&[3; 32]).unwrap();
    let public = secret.public_key();
    let longest = vec![b'a'; ID_BYTES_MAX];
    public.verify(&longest, b"x", &secret.sign(&longest, b"x")).unwrap();
    let over = vec![b'a'; ID_BYTES_MAX + 1];
    assert_eq!(public.verify(&over, b"x", &secret.sign(&over, b"x")), Err(BadSignature));
    public.verify(b"", b"", &secret.sign(b"", b"")).unwrap();
}

#[test]
fn sm2_secrets_are_in_range() {
    let small = |number: u8| [&[0; 31][..], &[number]].concat().try_into().unwrap();
    for bad in [small(0), order_plus(-1), order_plus(0), order_plus(1), [0xff; 32]] {
        assert_eq!(SecretKey::from_bytes(&bad).unwrap_err(), BadKey, "{bad:x?}");
    }
    for good in [small(1), small(2), small(3), small(16), small(17), order_plus(-6), order_plus(-3), order_plus(-2)] {
        let secret = SecretKey::from_bytes(&good).unwrap();
        assert_eq!(*secret.to_bytes(), good);
        let public = secret.public_key();
        public.verify(DEFAULT_ID, b"edge", &secret.sign(DEFAULT_ID, b"edge")).unwrap();
        let other = SecretKey::from_bytes(&[5; 32]).unwrap();
        let shared = secret.diffie_hellman(&other.public_key());
        assert_eq!(shared, other.diffie_hellman(&public));
    }
    // -2 and 2 have the same x: the negative of a point differs in the parity of y alone
    let two = SecretKey::from_bytes(&small(2)).unwrap().public_key().to_compressed();
    let minus_two = SecretKey::from_bytes(&order_plus(-2)).unwrap().public_key().to_compressed();
    assert_eq!(two[1..], minus_two[1..]);
    assert_eq!(two[0] ^ minus_two[0], 1);
}

#[test]
fn sm2_generate_skips_what_is_out_of_range() {
    /// Gives n - 1, then 0, then 9.
    struct Edges(Vec<[u8; 32]>);
    impl rand_core::TryRng for Edges {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.copy_from_slice(&self.0.remove(0));
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Edges {}
    let mut edges = Edges(vec![order_plus(-1), [0; 32], [9; 32]]);
    assert_eq!(*SecretKey::generate(&mut edges).to_bytes(), [9; 32]);
}

#[test]
fn sm2_public_keys_are_points_of_the_curve_in_one_form() {
    let public = SecretKey::from_bytes(&[3; 32]).unwrap().public_key();
    let (full, short, spki) = (public.to_uncompressed(), public.to_compressed(), public.spki_der());
    assert_eq!(PublicKey::from_uncompressed(&full), Ok(public.clone()));
    assert_eq!(PublicKey::from_compressed(&short), Ok(public.clone()));
    assert_eq!(PublicKey::from_spki_der(&spki), Ok(public));

    let parity = 6 | (full[64] & 1);
    let hybrid = [&[parity], &full[1..]].concat();
    assert_eq!(PublicKey::from_uncompressed(&hybrid), Err(BadPoint::Form { got: parity }));
    assert_eq!(PublicKey::from_uncompressed(&short), Err(BadPoint::Length { got: 33, want: 65 }));
    assert_eq!(PublicKey::from_compressed(&full), Err(BadPoint::Length { got: 65, want: 33 }));
    for form in [0, 4, 5, 6, 7] {
        let bytes = [&[form], &full[1..33]].concat();
        assert_eq!(PublicKey::from_compressed(&bytes), Err(BadPoint::Form { got: form }));
    }
}

#[test]
fn sm2_points_off_the_curve_are_refused() {
    let public = SecretKey::from_bytes(&[3; 32]).unwrap().public_key();
    let (full, spki) = (public.to_uncompressed(), public.spki_der());
    let identity = BadPoint::Length { got: 1, want: 65 };
    assert_eq!(PublicKey::from_uncompressed(&[0]), Err(identity));
    assert_eq!(PublicKey::from_uncompressed(&[0; 65]), Err(BadPoint::Form { got: 0 }));
    assert_eq!(PublicKey::from_uncompressed(&[]), Err(BadPoint::Length { got: 0, want: 65 }));

    let origin = [&[4][..], &[0; 64]].concat();
    assert_eq!(PublicKey::from_uncompressed(&origin), Err(BadPoint::NotOnCurve));
    let too_big = [&[4][..], &[0xff; 64]].concat();
    assert_eq!(PublicKey::from_uncompressed(&too_big), Err(BadPoint::NotOnCurve));
    let mut off = full;
    off[64] ^= 1;
    assert_eq!(PublicKey::from_uncompressed(&off), Err(BadPoint::NotOnCurve));
    // about half of all x have no point
    let lost = (0..64u8).filter(|x| {
        let bytes = [&[2][..], &[0; 31], &[*x]].concat();
        PublicKey::from_compressed(&bytes).is_err()
    });
    assert!((16..48).contains(&lost.count()));

    assert_eq!(PublicKey::from_spki_der(&spki[..90]), Err(BadPoint::Length { got: 90, want: 91 }));
    let mut other_curve = spki;
    other_curve[22] ^= 1;
    assert_eq!(PublicKey::from_spki_der(&other_curve), Err(BadPoint::NotSpki));
    let mut bad_point = spki;
    bad_point[90] ^= 1;
    assert_eq!(PublicKey::from_spki_der(&bad_point), Err(BadPoint::NotOnCurve));
}

#[test]
fn sm2_public_keys_are_equal_and_hash_by_value() {
    let mut rng = StdRng::seed_from_u64(0x5309);
    let keys: Vec<_> = (0..20).map(|_| SecretKey::generate(&mut rng).public_key()).collect();
    let set: HashSet<_> = keys.iter().cloned().chain(keys.iter().cloned()).collect();
    assert_eq!(set.len(), keys.len());
    for key in &keys {
        assert_eq!(PublicKey::from_compressed(&key.to_compressed()), Ok(key.clone()));
    }
}

#[test]
fn diffie_hellman_agrees_with_libsm() {
    use libsm::sm2::signature::SigCtx;
    let mut rng = StdRng::seed_from_u64(0x5310);
    let libsm = SigCtx::new();
    let curve = libsm::sm2::ecc::EccCtx::new();
    for _ in 0..12 {
        let (ours, theirs) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
        let number = libsm.load_seckey(&*theirs.to_bytes()).unwrap();
        let point = libsm.load_pubkey(&ours.public_key().to_uncompressed()).unwrap();
        let product = curve.mul(&number, &point).unwrap();
        let expected = curve.point_to_bytes(&product, false).unwrap();
        assert_eq!(ours.diffie_hellman(&theirs.public_key()).to_vec(), expected[1..33]);
    }
}
