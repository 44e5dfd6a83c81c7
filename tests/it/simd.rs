//! Every back-end of SM4-GCM that this machine has against the standards' vectors and against the `sm4` crate in
//! the generic GCM of `aes-gcm`.

use aes_gcm::aead::consts::U12;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use miyu::crypto::gcm::{Sm4Gcm, TagMismatch};
use miyu::crypto::simd::Backend;
use miyu::crypto::sm4::Sm4;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};

type Reference = AesGcm<sm4::Sm4, U12>;

fn random(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The value of `name` in a vector file with one case.
fn value(text: &str, name: &str) -> Vec<u8> {
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    hex(lines.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap())
}

/// Seals on every back-end at a random alignment, expects what the reference gives, and opens again.
fn agree(rng: &mut StdRng, length: usize, aad_length: usize) {
    let (key, nonce): ([u8; 16], [u8; 12]) = (rng.random(), rng.random());
    let (offset, aad_offset) = (rng.random_range(0..64), rng.random_range(0..64));
    let plain = random(rng, offset + length + 64);
    let aad = random(rng, aad_offset + aad_length);
    let aad = &aad[aad_offset..];
    let mut expected = plain.clone();
    let reference = Reference::new(&key.into());
    let inside = offset..offset + length;
    let tag = reference.encrypt_inout_detached(&nonce.into(), aad, (&mut expected[inside.clone()]).into()).unwrap();
    for backend in Backend::available() {
        let aead = Sm4Gcm::on(backend, &key);
        let mut buf = plain.clone();
        let name = backend.name();
        // the whole buffer is compared: nothing outside of the message is touched
        assert_eq!(aead.seal_in_place(&nonce, aad, &mut buf[inside.clone()]), *tag, "{name} {length} {aad_length}");
        assert!(buf == expected, "{name} {length} {aad_length}");
        aead.open_in_place(&nonce, aad, &mut buf[inside.clone()], &tag.into()).unwrap();
        assert!(buf == plain, "{name} {length} {aad_length}");
    }
}

#[test]
fn every_backend_matches_rfc_8998() {
    let text = include_str!("../vectors/sm4_gcm.txt");
    let key: [u8; 16] = value(text, "key").try_into().unwrap();
    let nonce: [u8; 12] = value(text, "nonce").try_into().unwrap();
    for backend in Backend::available() {
        let mut buf = value(text, "plain");
        let tag = Sm4Gcm::on(backend, &key).seal_in_place(&nonce, &value(text, "aad"), &mut buf);
        assert_eq!(buf, value(text, "cipher"), "{}", backend.name());
        assert_eq!(tag.to_vec(), value(text, "tag"), "{}", backend.name());
    }
}

#[test]
fn every_backend_matches_gbt_32907() {
    let cases = include_str!("../vectors/sm4.txt").split("\n\n").filter(|case| case.contains("key = "));
    for case in cases {
        let rounds = case.lines().find_map(|line| line.strip_prefix("rounds = ")).unwrap().parse().unwrap();
        let key: [u8; 16] = value(case, "key").try_into().unwrap();
        for backend in Backend::available() {
            let cipher = Sm4::on(backend, &key);
            let mut block: [u8; 16] = value(case, "plain").try_into().unwrap();
            (0..rounds).for_each(|_: u32| cipher.encrypt_block(&mut block));
            assert_eq!(block.to_vec(), value(case, "cipher"), "{} {rounds}", backend.name());
            cipher.decrypt_block(&mut block);
            if rounds == 1 {
                assert_eq!(block.to_vec(), value(case, "plain"), "{}", backend.name());
            }
        }
    }
}

#[test]
fn every_backend_enciphers_and_deciphers_blocks_like_the_sm4_crate() {
    let mut rng = StdRng::seed_from_u64(0x51d0);
    for count in (0..=70).chain([255, 1000]) {
        let key: [u8; 16] = rng.random();
        let plain: Vec<[u8; 16]> = (0..count).map(|_| rng.random()).collect();
        let reference = sm4::Sm4::new(&key.into());
        for backend in Backend::available() {
            let cipher = Sm4::on(backend, &key);
            let mut blocks = plain.clone();
            cipher.encrypt_blocks(&mut blocks);
            for (block, plain) in blocks.iter_mut().zip(&plain) {
                let mut expected = *plain;
                reference.encrypt_block((&mut expected).into());
                assert_eq!(*block, expected, "{} {count}", backend.name());
                cipher.decrypt_block(block);
                reference.decrypt_block((&mut expected).into());
                assert_eq!(*block, expected, "{} {count}", backend.name());
            }
        }
    }
}

#[test]
fn every_backend_agrees_on_lengths_to_4200() {
    let mut rng = StdRng::seed_from_u64(0x51d1);
    for length in 0..=4200 {
        agree(&mut rng, length, length % 201);
    }
}

#[test]
fn every_backend_agrees_on_associated_data_to_200_and_far_beyond() {
    let mut rng = StdRng::seed_from_u64(0x51d2);
    for aad_length in (0..=200).chain([1500, 1520, 1536, 1537, 5000]) {
        for length in [0, 1, 16, 61, 1200, 1504, 1519, 1520, 1521, 1536] {
            agree(&mut rng, length, aad_length);
        }
    }
}

#[test]
fn every_backend_agrees_around_the_ends_of_turns() {
    let mut rng = StdRng::seed_from_u64(0x51d3);
    for middle in [6 << 10, 8 << 10, 16 << 10, 64 << 10] {
        for length in (middle - 40..middle + 40).chain([middle + 1504, middle + 1520, middle + 1521]) {
            agree(&mut rng, length, length % 33);
        }
    }
}

#[test]
fn every_backend_refuses_every_flipped_bit_and_wipes_the_buffer() {
    let mut rng = StdRng::seed_from_u64(0x51d4);
    for (length, step) in [(37, 1), (1200, 37), (20_000, 1999)] {
        let (key, nonce): ([u8; 16], [u8; 12]) = (rng.random(), rng.random());
        let (aad, plain) = (random(&mut rng, 21), random(&mut rng, length));
        for backend in Backend::available() {
            let aead = Sm4Gcm::on(backend, &key);
            let mut sealed = plain.clone();
            let tag = aead.seal_in_place(&nonce, &aad, &mut sealed);
            let refused = |nonce: &[u8; 12], aad: &[u8], sealed: &[u8], tag: &[u8; 16]| {
                let mut buf = sealed.to_vec();
                assert_eq!(aead.open_in_place(nonce, aad, &mut buf, tag), Err(TagMismatch), "{}", backend.name());
                assert!(buf.iter().all(|byte| *byte == 0), "{} does not wipe", backend.name());
            };
            for bit in (0..8 * length).step_by(step) {
                let mut changed = sealed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                refused(&nonce, &aad, &changed, &tag);
            }
            for bit in 0..8 * 21 {
                let (mut aad2, mut tag2, mut nonce2) = (aad.clone(), tag, nonce);
                aad2[bit / 8] ^= 1 << (bit % 8);
                refused(&nonce, &aad2, &sealed, &tag);
                tag2[bit / 8 % 16] ^= 1 << (bit % 8);
                refused(&nonce, &aad, &sealed, &tag2);
                nonce2[bit / 8 % 12] ^= 1 << (bit % 8);
                refused(&nonce2, &aad, &sealed, &tag);
            }
            refused(&nonce, &aad, &sealed[..length - 1], &tag);
            refused(&nonce, &aad[..20], &sealed, &tag);
            aead.open_in_place(&nonce, &aad, &mut sealed, &tag).unwrap();
            assert!(sealed == plain);
        }
    }
}

/// What it prints tells `./x test` which paths to switch to.
#[test]
fn every_path_has_a_name() {
    let names: Vec<_> = Backend::available().iter().map(|backend| backend.name()).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name}");
        println!("\npath: {name}");
    }
}

#[test]
fn the_switch_chooses_the_named_or_the_best_below() {
    let available = Backend::available();
    let best = *available.last().unwrap();
    assert_eq!(available[0], Backend::Portable);
    assert_eq!(Backend::choose(None), best);
    assert_eq!(Backend::choose(Some("no such path")), best);
    assert_eq!(Backend::choose(Some("portable")), Backend::Portable);
    for backend in &available {
        assert_eq!(Backend::choose(Some(backend.name())), *backend);
    }
    for name in ["avx2-aes", "avx2-vaes", "avx2-gfni", "avx512", "neon", "neon-aes"] {
        let chosen = Backend::choose(Some(name));
        assert!(chosen.name() == name || available.iter().all(|backend| backend.name() != name), "{name}");
    }
}
