//! Identities: the names of a public key, key files good and bad, and the same keys in OpenSSL and GmSSL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod key_files;
mod on_disk;
mod openssl;

use std::collections::BTreeSet;

use miyu::crypto::sm2::{BadPoint, PublicKey, SecretKey};
use miyu::crypto::sm3;
use miyu::identity::{
    Identity, KeyLineError, PeerId, SAFETY_NUMBER_ROUNDS, fingerprint, key_line, parse_key_line, safety_number,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

fn public(byte: u8) -> PublicKey {
    secret(byte).public_key()
}

#[test]
fn key_lines_round_trip() {
    let mut rng = StdRng::seed_from_u64(0x1d01);
    for _ in 0..50 {
        let key = SecretKey::generate(&mut rng).public_key();
        let line = key_line(&key);
        assert_eq!(line.len(), 48);
        assert_eq!(parse_key_line(&line).unwrap(), key);
    }
}

#[test]
fn bad_key_lines_are_refused_by_name() {
    let line = key_line(&public(3));
    let body = line.strip_prefix("sm2:").unwrap();
    let no_point = |line: &str| matches!(parse_key_line(line), Err(KeyLineError::NotAPoint(BadPoint::NotOnCurve)));
    for (text, expected) in [
        (body.to_owned(), KeyLineError::NoPrefix),
        (format!("SM2:{body}"), KeyLineError::NoPrefix),
        (format!(" {line}"), KeyLineError::NoPrefix),
        (String::new(), KeyLineError::NoPrefix),
        (format!("{line} "), KeyLineError::NotBase64),
        (format!("{line}="), KeyLineError::NotBase64),
        (format!("{line}\n"), KeyLineError::NotBase64),
        (line.replacen(&body[5..6], "+", 1), KeyLineError::NotBase64),
        (line.replacen(&body[5..6], "密", 1), KeyLineError::NotBase64),
        ("sm2:".to_owned(), KeyLineError::Length { got: 0 }),
        (line[..47].to_owned(), KeyLineError::Length { got: 32 }),
        (line[..45].to_owned(), KeyLineError::Length { got: 30 }),
        (format!("{line}AA"), KeyLineError::Length { got: 34 }),
        (format!("sm2:{body}{body}"), KeyLineError::Length { got: 66 }),
        (format!("sm2:{}", "A".repeat(1 << 20)), KeyLineError::Length { got: 786_432 }),
    ] {
        let error = parse_key_line(&text).unwrap_err();
        assert_eq!(error, expected, "{}", &text[..text.len().min(60)]);
        assert!(error.hint().is_some());
    }
    // an uncompressed form byte, and x coordinates that no point has
    let form = parse_key_line(&format!("sm2:BA{}", &body[2..])).unwrap_err();
    assert!(matches!(form, KeyLineError::NotAPoint(BadPoint::Form { got: 4 })), "{form}");
    assert!(no_point(&format!("sm2:A{}", "_".repeat(43))) || no_point(&format!("sm2:Av{}", "_".repeat(42))));
}

#[test]
fn peer_ids_are_the_digest_of_the_spki() {
    let key = public(3);
    let id = PeerId::of(&key);
    assert_eq!(*id.as_bytes(), sm3::digest(&key.spki_der()));
    assert_eq!(Identity::new(secret(3)).peer_id(), id);
    let hex: String = id.as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(format!("{id}"), hex);
    assert_eq!(format!("{id:?}"), hex);
    let ids: BTreeSet<PeerId> = (1..50).map(|byte| PeerId::of(&public(byte))).collect();
    let mut sorted: Vec<[u8; 32]> = ids.iter().map(|id| *id.as_bytes()).collect();
    assert!(sorted.is_sorted());
    sorted.dedup();
    assert_eq!(sorted.len(), 49);
}

/// The numbers were computed by another program from the construction as `safety_number` documents it.
#[test]
fn fingerprints_and_safety_numbers_do_not_change() {
    let (a, b) = (public(3), public(5));
    assert_eq!(fingerprint(&a), "e7a1 5940 1f3d 52b6 9ec6 2ff8 e03c 6129 c3f7 5a74 386e ca2d 44da 9924 1db3 d842");
    assert_eq!(safety_number(&a, &b), "32108 35486 95685 46200 96565 06640 97917 70741 24014 97618 52057 40159");
}

#[test]
fn safety_numbers_are_the_same_on_both_sides_and_differ_for_others() {
    let keys: Vec<_> = (1..6).map(public).collect();
    let mut seen = BTreeSet::new();
    for (index, a) in keys.iter().enumerate() {
        for b in &keys[index..] {
            let number = safety_number(a, b);
            assert_eq!(number, safety_number(b, a));
            let groups: Vec<&str> = number.split(' ').collect();
            assert_eq!(groups.len(), 12);
            assert!(groups.iter().all(|group| group.len() == 5));
            assert!(groups.iter().all(|group| group.bytes().all(|digit| digit.is_ascii_digit())));
            assert!(seen.insert(number));
        }
    }
    assert_eq!(SAFETY_NUMBER_ROUNDS, 5200);
}

#[test]
fn identities_keep_one_secret_and_print_none() {
    let identity = Identity::new(secret(0xa7));
    let copy = identity.clone();
    assert_eq!(copy.secret().to_bytes(), secret(0xa7).to_bytes());
    assert_eq!(copy.public(), &public(0xa7));
    let printed = format!("{identity:?}");
    assert_eq!(printed, format!("Identity({})", identity.peer_id()));
    assert!(!printed.contains("a7a7"));
}

#[test]
fn generated_identities_differ() {
    let (a, b) = (Identity::generate(), Identity::generate());
    assert_ne!(a.peer_id(), b.peer_id());
    assert_ne!(a.public(), b.public());
}
