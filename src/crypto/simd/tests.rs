//! What only the inside can reach: counters that wrap, and the S-box alone.

use super::*;

/// The stream one block at a time.
fn stream_by_blocks(key: &BlockKey, nonce: &[u8; 12], counter: u32, data: &mut [u8]) {
    for (bytes, count) in data.chunks_mut(BLOCK_BYTES).zip(0..) {
        let mut block = [[0; BLOCK_BYTES]];
        block[0][..12].copy_from_slice(nonce);
        block[0][12..].copy_from_slice(&counter.wrapping_add(count).to_be_bytes());
        key.encrypt(&mut block);
        bytes.iter_mut().zip(block[0]).for_each(|(byte, stream)| *byte ^= stream);
    }
}

#[test]
fn counters_wrap_at_32_bits_in_every_lane() {
    let nonce = [0xa5; 12];
    for backend in Backend::available() {
        let key = BlockKey::new(backend, &[0x3c; 16]);
        let mut expected_mask = [0; BLOCK_BYTES];
        stream_by_blocks(&key, &nonce, 1, &mut expected_mask);
        for before in 0..200 {
            let counter = u32::MAX - before;
            let length = 3300 + before as usize;
            let (mut ours, mut expected, mut mask) = (vec![7; length], vec![7; length], [0; BLOCK_BYTES]);
            stream_by_blocks(&key, &nonce, counter, &mut expected);
            key.stream(&nonce, counter, &mut ours, Some(&mut mask));
            assert!(ours == expected && mask == expected_mask, "{} {before}", backend.name());
        }
    }
}

#[test]
fn the_s_box_is_the_standards() {
    // the first and the last row of the table in GB/T 32907 §6.2
    let first = 0xd690_e9fe_cce1_3db7_16b6_14c2_28fb_2c05u128.to_be_bytes();
    let last = 0x18f0_7dec_3adc_4d20_79ee_5f3e_d7cb_3948u128.to_be_bytes();
    for backend in Backend::available() {
        for at in 0..16u8 {
            for (row, expected) in [(0x00, first), (0xf0, last)] {
                let word = backend.sbox(u32::from_be_bytes([row | at, 0, row | at, 0]));
                let expected = expected[usize::from(at)];
                assert_eq!(word.to_be_bytes(), [expected, 0xd6, expected, 0xd6], "{} {at}", backend.name());
            }
        }
    }
}

#[test]
fn every_backend_hashes_like_the_portable_one() {
    let text: Vec<u8> = (0..3000u32).map(|at| ((at * at) >> 3) as u8).collect();
    let block = BlockKey::new(Backend::Portable, &[9; 16]);
    let portable = HashKey::new(&block);
    for backend in Backend::available() {
        let key = HashKey::new(&BlockKey::new(backend, &[9; 16]));
        for cut in 0..text.len() / 5 {
            let (aad, rest) = text[..5 * cut].split_at(cut);
            let state = 0x0123_4567 << 90 | cut as u128;
            let pieces = [aad, rest, &text[..16]];
            assert_eq!(key.absorb(state, &pieces), portable.absorb(state, &pieces), "{} {cut}", backend.name());
        }
    }
}
