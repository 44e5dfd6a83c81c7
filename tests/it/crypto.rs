//! The ciphers against the vectors of their standards and against other implementations.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sm2;
mod sm2_encrypt;
mod stream;

use std::collections::HashMap;
use std::num::NonZeroU32;

use miyu::crypto::gcm::{Sm4Gcm, TagMismatch};
use miyu::crypto::kdf::{self, HKDF_OUTPUT_BYTES_MAX, HmacSm3, OutputTooLong};
use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm3::{self, Sm3};
use miyu::crypto::sm4::{self, BadPadding, Keystream, Sm4};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

pub(crate) type Case = HashMap<&'static str, &'static str>;

/// The cases of a vector file: `name = hex` lines, blank lines between cases, `#` comments.
pub(crate) fn cases(text: &'static str) -> Vec<Case> {
    let mut cases = vec![Case::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once('=') {
            Some((name, value)) => {
                cases.last_mut().unwrap().insert(name.trim(), value.trim());
            }
            None => cases.push(Case::new()),
        }
    }
    cases.retain(|case| !case.is_empty());
    assert!(!cases.is_empty());
    cases
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn hex_array<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    hex(text).try_into().unwrap()
}

pub(crate) fn random(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn sm3_matches_gbt_32905() {
    for case in cases(include_str!("../vectors/sm3.txt")) {
        assert_eq!(sm3::digest(&hex(case["message"])).to_vec(), hex(case["digest"]), "{case:?}");
    }
}

#[test]
fn sm3_agrees_with_libsm_however_the_data_is_cut() {
    let mut rng = StdRng::seed_from_u64(0x5301);
    for length in (0..=200).chain([255, 256, 1000, 4095, 4096, 4200]) {
        let data = random(&mut rng, length);
        let expected = libsm::sm3::hash::Sm3Hash::new(&data).get_hash();
        assert_eq!(sm3::digest(&data), expected, "length {length}");
        let mut pieces = Sm3::new();
        let mut rest = &data[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rng.random_range(0..=rest.len()));
            pieces.update(now);
            rest = later;
        }
        assert_eq!(pieces.finish(), expected, "length {length} in pieces");
    }
}

#[test]
fn hmac_matches_openssl() {
    for case in cases(include_str!("../vectors/hmac_sm3.txt")) {
        let (key, message, tag) = (hex(case["key"]), hex(case["message"]), hex(case["tag"]));
        let (left, right) = message.split_at(message.len() / 3);
        assert_eq!(kdf::hmac(&key, &[left, right]).to_vec(), tag, "{case:?}");
        let mut mac = HmacSm3::new(&key);
        let unused = mac.clone();
        mac.update(&message);
        assert_eq!(mac.finish().to_vec(), tag, "{case:?}");
        assert_ne!(unused.finish().to_vec(), if message.is_empty() { vec![] } else { tag });
    }
}

#[test]
fn hkdf_matches_openssl() {
    for case in cases(include_str!("../vectors/hkdf_sm3.txt")) {
        let prk = kdf::hkdf_extract(&hex(case["salt"]), &hex(case["ikm"]));
        assert_eq!(prk.to_vec(), hex(case["prk"]), "{case:?}");
        let (info, okm) = (hex(case["info"]), hex(case["okm"]));
        let (left, right) = info.split_at(info.len() / 2);
        let mut out = vec![0; okm.len()];
        kdf::hkdf_expand(&prk, &[left, &[], right], &mut out).unwrap();
        assert_eq!(out, okm, "{case:?}");
    }
}

#[test]
fn hkdf_gives_255_blocks_and_not_a_byte_more() {
    // SM3 of the 8,160 bytes that OpenSSL 3.0.19 gives for ikm 0b × 22, salt 00, info 00
    let prk = kdf::hkdf_extract(&[0], &[0x0b; 22]);
    let mut out = vec![0; HKDF_OUTPUT_BYTES_MAX];
    kdf::hkdf_expand(&prk, &[&[0]], &mut out).unwrap();
    let digest = "ae1bea86028587024d50c29395424a808c33cf95d52efaee82c6ce3cd05238a2";
    assert_eq!(sm3::digest(&out).to_vec(), hex(digest));
    let mut long = vec![0; HKDF_OUTPUT_BYTES_MAX + 1];
    let refused = kdf::hkdf_expand(&prk, &[], &mut long);
    assert_eq!(refused, Err(OutputTooLong { asked: HKDF_OUTPUT_BYTES_MAX + 1 }));
    assert!(long.iter().all(|byte| *byte == 0));
}

#[test]
fn pbkdf2_matches_openssl() {
    for case in cases(include_str!("../vectors/pbkdf2_sm3.txt")) {
        let iterations: NonZeroU32 = case["iterations"].parse().unwrap();
        let expected = hex(case["out"]);
        let mut out = vec![0; expected.len()];
        kdf::pbkdf2(&hex(case["password"]), &hex(case["salt"]), iterations, &mut out);
        assert_eq!(out, expected, "{case:?}");
    }
}

#[test]
fn sm4_matches_gbt_32907() {
    for case in cases(include_str!("../vectors/sm4.txt")) {
        let cipher = Sm4::new(&hex_array(case["key"]));
        let plain: [u8; 16] = hex_array(case["plain"]);
        let rounds: u32 = case["rounds"].parse().unwrap();
        let mut block = plain;
        (0..rounds).for_each(|_| cipher.encrypt_block(&mut block));
        assert_eq!(block.to_vec(), hex(case["cipher"]), "{case:?}");
        (0..rounds).for_each(|_| cipher.decrypt_block(&mut block));
        assert_eq!(block, plain);
    }
}

#[test]
fn sm4_agrees_with_libsm() {
    let mut rng = StdRng::seed_from_u64(0x5302);
    for _ in 0..200 {
        let (key, block): ([u8; 16], [u8; 16]) = (rng.random(), rng.random());
        let mut ours = block;
        Sm4::new(&key).encrypt_block(&mut ours);
        let theirs = libsm::sm4::cipher::Sm4Cipher::new(&key).unwrap();
        assert_eq!(ours, theirs.encrypt(&block).unwrap());
    }
}

#[test]
fn cbc_round_trips_and_refuses_bad_padding() {
    let mut rng = StdRng::seed_from_u64(0x5303);
    let (key, iv): ([u8; 16], [u8; 16]) = (rng.random(), rng.random());
    for length in 0..=65 {
        let plain = random(&mut rng, length);
        let sealed = sm4::cbc_encrypt(&key, &iv, &plain);
        assert_eq!(sealed.len(), (length / 16 + 1) * 16);
        assert_eq!(*sm4::cbc_decrypt(&key, &iv, &sealed).unwrap(), plain, "length {length}");
        for cut in [1, 15] {
            let short = &sealed[..sealed.len() - cut];
            assert_eq!(sm4::cbc_decrypt(&key, &iv, short).unwrap_err(), BadPadding);
        }
    }
    assert_eq!(sm4::cbc_decrypt(&key, &iv, &[]).unwrap_err(), BadPadding);
    // the iv is xored onto the first block, so it sets the padding bytes of a one-block message at will
    let sealed = sm4::cbc_encrypt(&key, &iv, b"0123456789abc"); // padding 03 03 03
    for (at, flip, good) in [
        (15, 3, false),        // 00
        (15, 3 ^ 17, false),   // 17
        (15, 3 ^ 0xff, false), // 255
        (15, 3 ^ 16, false),   // 16, but the rest are not
        (15, 3 ^ 1, true),     // one byte of padding
        (15, 3 ^ 2, false),    // 2, and 3 before it
        (14, 1, false),
        (13, 1, false),
        (12, 1, true), // the last byte of the text
    ] {
        let mut changed = iv;
        changed[at] ^= flip;
        let opened = sm4::cbc_decrypt(&key, &changed, &sealed);
        assert_eq!(opened.is_ok(), good, "byte {at} flipped by {flip}");
    }
}

#[test]
fn keystream_is_ctr_from_the_seed_however_it_is_read() {
    let mut rng = StdRng::seed_from_u64(0x5304);
    let mut seed: [u8; 32] = rng.random();
    // the counter wraps as one 128-bit number after three blocks
    seed[16..].copy_from_slice(&(u128::MAX - 2).to_be_bytes());
    let cipher = Sm4::new(seed[..16].try_into().unwrap());
    let mut expected = Vec::new();
    for count in 0..64u128 {
        let mut block = (u128::MAX - 2).wrapping_add(count).to_be_bytes();
        cipher.encrypt_block(&mut block);
        expected.extend_from_slice(&block);
    }
    let mut whole = vec![0xff; expected.len()];
    Keystream::new(&seed).fill(&mut whole);
    assert_eq!(whole, expected);
    let mut pieces = Keystream::new(&seed);
    let mut rest = &expected[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rng.random_range(0..=rest.len().min(40)));
        let mut out = vec![0; now.len()];
        pieces.fill(&mut out);
        assert_eq!(out, now);
        rest = later;
    }
}

#[test]
fn gcm_matches_rfc_8998() {
    for case in cases(include_str!("../vectors/sm4_gcm.txt")) {
        let (aad, plain) = (hex(case["aad"]), hex(case["plain"]));
        let (nonce, key): ([u8; 12], [u8; 16]) = (hex_array(case["nonce"]), hex_array(case["key"]));
        let aead = Sm4Gcm::new(&key);
        let mut buf = plain.clone();
        let tag = aead.seal_in_place(&nonce, &aad, &mut buf);
        assert_eq!(buf, hex(case["cipher"]));
        assert_eq!(tag.to_vec(), hex(case["tag"]));
        aead.clone().open_in_place(&nonce, &aad, &mut buf, &tag).unwrap();
        assert_eq!(buf, plain);
    }
}

/// GCM as SP 800-38D writes it down, one bit at a time: slow, and nothing like the implementation.
fn gcm_by_the_book(key: &[u8; 16], nonce: &[u8; 12], aad: &[u8], plain: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let cipher = Sm4::new(key);
    let encrypt = |mut block: [u8; 16]| {
        cipher.encrypt_block(&mut block);
        block
    };
    let counter = |count: u32| {
        let mut block = [0; 16];
        block[..12].copy_from_slice(nonce);
        block[12..].copy_from_slice(&count.to_be_bytes());
        encrypt(block)
    };
    let multiply = |x: u128, y: u128| {
        let (mut z, mut v) = (0, y);
        for bit in (0..128).rev() {
            z ^= if x >> bit & 1 == 1 { v } else { 0 };
            v = v >> 1 ^ if v & 1 == 1 { 0xe1 << 120 } else { 0 };
        }
        z
    };
    let mut sealed = plain.to_vec();
    for (chunk, count) in sealed.chunks_mut(16).zip(2..) {
        chunk.iter_mut().zip(counter(count)).for_each(|(byte, key)| *byte ^= key);
    }
    let h = u128::from_be_bytes(encrypt([0; 16]));
    let lengths = ((aad.len() as u128 * 8) << 64) | (sealed.len() as u128 * 8);
    let mut sum = 0u128;
    for chunk in aad.chunks(16).chain(sealed.chunks(16)) {
        let mut block = [0; 16];
        block[..chunk.len()].copy_from_slice(chunk);
        sum = multiply(sum ^ u128::from_be_bytes(block), h);
    }
    sum = multiply(sum ^ lengths, h) ^ u128::from_be_bytes(counter(1));
    (sealed, sum.to_be_bytes())
}

#[test]
fn gcm_agrees_with_the_definition() {
    let mut rng = StdRng::seed_from_u64(0x5305);
    for (length, aad_length) in (0..=80).map(|length| (length, length * 7 % 41)).chain([(1200, 20), (4200, 200)]) {
        let (key, nonce): ([u8; 16], [u8; 12]) = (rng.random(), rng.random());
        let (plain, aad) = (random(&mut rng, length), random(&mut rng, aad_length));
        let mut buf = plain.clone();
        let tag = Sm4Gcm::new(&key).seal_in_place(&nonce, &aad, &mut buf);
        assert_eq!((buf, tag), gcm_by_the_book(&key, &nonce, &aad, &plain), "{length} {aad_length}");
    }
}

#[test]
fn gcm_refuses_every_flipped_bit_and_wipes_the_buffer() {
    let mut rng = StdRng::seed_from_u64(0x5306);
    let (key, nonce): ([u8; 16], [u8; 12]) = (rng.random(), rng.random());
    let (aad, plain) = (random(&mut rng, 13), random(&mut rng, 37));
    let aead = Sm4Gcm::new(&key);
    let mut sealed = plain.clone();
    let tag = aead.seal_in_place(&nonce, &aad, &mut sealed);
    let refused = |aead: &Sm4Gcm, nonce: &[u8; 12], aad: &[u8], sealed: &[u8], tag: &[u8; 16]| {
        let mut buf = sealed.to_vec();
        assert_eq!(aead.open_in_place(nonce, aad, &mut buf, tag), Err(TagMismatch));
        assert!(buf.iter().all(|byte| *byte == 0), "the buffer is not wiped");
    };
    for bit in 0..8 * 37 {
        let flip = |bytes: &mut [u8]| bytes[bit / 8] ^= 1 << (bit % 8);
        let (mut sealed2, mut tag2, mut aad2, mut nonce2) = (sealed.clone(), tag, aad.clone(), nonce);
        flip(&mut sealed2);
        refused(&aead, &nonce, &aad, &sealed2, &tag);
        if bit < 8 * 16 {
            flip(&mut tag2);
            refused(&aead, &nonce, &aad, &sealed, &tag2);
        }
        if bit < 8 * 13 {
            flip(&mut aad2);
            refused(&aead, &nonce, &aad2, &sealed, &tag);
        }
        if bit < 8 * 12 {
            flip(&mut nonce2);
            refused(&aead, &nonce2, &aad, &sealed, &tag);
        }
    }
    refused(&aead, &nonce, &aad, &sealed[..36], &tag);
    refused(&aead, &nonce, &aad[..12], &sealed, &tag);
    refused(&Sm4Gcm::new(&rng.random()), &nonce, &aad, &sealed, &tag);
    aead.open_in_place(&nonce, &aad, &mut sealed, &tag).unwrap();
    assert_eq!(sealed, plain);
}

#[test]
fn debug_output_holds_no_secret() {
    let bytes = [0xa7; 32];
    let key: [u8; 16] = [0xa7; 16];
    let secret = SecretKey::from_bytes(&bytes).unwrap();
    let mut mac = HmacSm3::new(&bytes);
    mac.update(&bytes);
    let mut hash = Sm3::new();
    hash.update(&bytes);
    let printed = [
        (format!("{secret:?} {secret:#?}"), "SecretKey(…) SecretKey(…)"),
        (format!("{:?}", Sm4::new(&key)), "Sm4(…)"),
        (format!("{:?}", Sm4Gcm::new(&key)), "Sm4Gcm(…)"),
        (format!("{:?}", Keystream::new(&bytes)), "Keystream(…)"),
        (format!("{mac:?}"), "HmacSm3(…)"),
        (format!("{hash:?}"), "Sm3(…)"),
    ];
    for (got, expected) in printed {
        assert_eq!(got, expected);
    }
}
