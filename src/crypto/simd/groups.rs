//! SM4 with one word of each block in a register: what short messages and single blocks go through.
//!
//! A *group* is as many blocks as a register has words, in four registers.
//!
//! Of the module that it stands in, the macro wants `BASIS` (the map that `enter` applies), the register `V` and, on it, `xor`, `xor3`, `splat` (a word),
//! `load`, `store`, `load_some`, `store_some` (fewer bytes than a register's), `enter`, `leave` and `maps` of
//! [`super::field`], `transpose` (4 × 4 words), `turn` (each word left by bytes) and `reverse_words`.

/// `encrypt`, and what [`super::batches`] builds on.
macro_rules! groups {
    ($token:ty, $features:literal) => {
        use crate::crypto::simd::field;
        use crate::crypto::simd::keys::BlockKey;
        use crate::crypto::simd::{BLOCK_BYTES, Block, Rounds};

        /// Bytes of a register.
        const WIDTH: usize = size_of::<V>();
        const GROUP_BLOCKS: usize = WIDTH / 4;
        const GROUP_BYTES: usize = GROUP_BLOCKS * BLOCK_BYTES;

        type Group = [V; 4];

        /// Enciphers each block.
        pub(in crate::crypto::simd) fn encrypt(_: $token, rounds: &Rounds, blocks: &mut [Block]) {
            #[target_feature(enable = $features)]
            fn inner(rounds: &Rounds, blocks: &mut [Block]) {
                for some in blocks.chunks_mut(GROUP_BLOCKS) {
                    let bytes = some.as_flattened_mut();
                    let mut group = [splat(0); 4];
                    for (bytes, vector) in bytes.chunks(WIDTH).zip(&mut group) {
                        *vector = load_some(bytes);
                    }
                    group = transpose(group);
                    for words in &mut group {
                        *words = enter(reverse_words(*words));
                    }
                    for keys in rounds.as_chunks::<4>().0 {
                        [group] = group_step(keys, [group]);
                    }
                    for (bytes, vector) in bytes.chunks_mut(WIDTH).zip(group_finish(group)) {
                        store_some(bytes, vector);
                    }
                }
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(rounds, blocks) }
        }

        /// The nonce's words in the basis.
        #[inline]
        #[target_feature(enable = $features)]
        fn enter_nonce(nonce: &[u8; 12]) -> [u32; 3] {
            let mut words = [0; 3];
            for (word, bytes) in words.iter_mut().zip(nonce.as_chunks::<4>().0) {
                *word = field::apply_to_bytes(&BASIS, 0, u32::from_be_bytes(*bytes));
            }
            words
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add(data: &mut [u8], stream: &[V]) {
            let (whole, rest) = data.as_chunks_mut::<WIDTH>();
            for (bytes, vector) in whole.iter_mut().zip(stream) {
                store(bytes, xor(load(bytes), *vector));
            }
            if let (false, Some(vector)) = (rest.is_empty(), stream.get(whole.len())) {
                store_some(rest, xor(load_some(rest), *vector));
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn last_block(x: V) -> Block {
            let mut bytes = [0; WIDTH];
            store(&mut bytes, x);
            let mut block = [0; BLOCK_BYTES];
            block.copy_from_slice(&bytes[WIDTH - BLOCK_BYTES..]);
            block
        }

        /// At most `G` groups of stream onto `data`, and the last register of it; if `masked`, its last block is that
        /// of counter 1.
        #[inline]
        #[target_feature(enable = $features)]
        fn groups<const G: usize>(key: &BlockKey, nonce: &[u32; 3], counter: u32, data: &mut [u8], masked: bool) -> V {
            let mut state = groups_start::<G>(nonce, counter, masked);
            for keys in key.rounds.as_chunks::<4>().0 {
                state = group_step(keys, state);
            }
            for group in &mut state {
                *group = group_finish(*group);
            }
            add(data, state.as_flattened());
            state[G - 1][3]
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn groups_start<const G: usize>(nonce: &[u32; 3], counter: u32, masked: bool) -> [Group; G] {
            let mut state = [[splat(nonce[0]), splat(nonce[1]), splat(nonce[2]), splat(0)]; G];
            for (group, words) in state.iter_mut().enumerate() {
                let first = counter.wrapping_add((GROUP_BLOCKS * group) as u32);
                let mut counters = [0u8; WIDTH];
                for (at, bytes) in counters.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                    // transposing takes word 4·l + j to lane l of vector j
                    let block = at % 4 * (WIDTH / 16) + at / 4;
                    *bytes = first.wrapping_add(block as u32).to_ne_bytes();
                }
                if let (true, true, Some(last)) = (masked, group == G - 1, counters.last_chunk_mut()) {
                    *last = 1u32.to_ne_bytes();
                }
                words[3] = enter(load(&counters));
            }
            state
        }

        /// Four rounds (GB/T 32907 §7.1) in the basis.
        #[inline]
        #[target_feature(enable = $features)]
        fn group_step<const G: usize>(keys: &[u32; 4], mut state: [Group; G]) -> [Group; G] {
            for step in 0..4 {
                for words in &mut state {
                    let inner = xor3(words[(step + 1) % 4], words[(step + 2) % 4], splat(keys[step]));
                    let [a, z1, z3] = maps(xor(inner, words[(step + 3) % 4]));
                    let turned = xor3(turn::<1>(z1), turn::<2>(z1), turn::<3>(z3));
                    words[step] = xor3(words[step], a, turned);
                }
            }
            state
        }

        /// From the state after the rounds to blocks in memory's order.
        #[inline]
        #[target_feature(enable = $features)]
        fn group_finish([a, b, c, d]: Group) -> Group {
            let mut group = transpose([d, c, b, a]);
            for words in &mut group {
                *words = reverse_words(leave(*words));
            }
            group
        }
    };
}

pub(super) use groups;
