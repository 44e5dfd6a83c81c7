//! SM4 on registers of any width: the two arrangements of blocks that every vector back-end has.
//!
//! *Batch*: one byte of each of as many blocks as a register has bytes, so 16 registers hold the state. Rotations
//! by whole bytes are then a choice of register and cost nothing. With `a`, `z3` of [`super::field`] and
//! u\[j\] = a\[j + 1\] + z3\[j\], byte j of the round's sum is that of all other u.
//! *Group*: one word of each block in a register, a quarter of a batch: for short messages and single blocks.
//!
//! Of the module that it stands in, the macro wants: `V`, `Hash` (a `Sum` of [`super::clmul`] or its like), and
//! `xor`, `xor3`, `and`, `add_bytes`, `splat`, `load`, `store`, `load_some`, `store_some`, `at_least`, `enter`, `leave`, `maps`,
//! `zip_low`, `zip_high` (by bytes), `transpose` (4 × 4 words), `turn` (words, left, by bytes), `reverse_words`.

/// `encrypt`, `stream` and `batches` for a module with the operations above.
macro_rules! kernel {
    ($token:ty, $features:literal) => {
        use crate::crypto::simd::keys::{BlockKey, Direction, HashKey};
        use crate::crypto::simd::{BLOCK_BYTES, Block, POWERS, Rounds, field};

        /// Bytes of a register.
        const WIDTH: usize = size_of::<V>();
        const GROUP_BLOCKS: usize = WIDTH / 4;
        const GROUP_BYTES: usize = GROUP_BLOCKS * BLOCK_BYTES;
        const BATCH_BLOCKS: usize = WIDTH;
        /// What [`batches`] takes at a time.
        pub(in crate::crypto::simd) const BATCH_BYTES: usize = BATCH_BLOCKS * BLOCK_BYTES;
        /// Rounds are done two at a time; between two steps there is room for other work.
        const STEPS: usize = 16;

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

        /// Adds the CTR stream to `data` (see `BlockKey::stream`).
        pub(in crate::crypto::simd) fn stream(
            _: $token,
            key: &BlockKey,
            nonce: &[u8; 12],
            counter: u32,
            data: &mut [u8],
            mask: Option<&mut Block>,
        ) {
            #[target_feature(enable = $features)]
            fn inner(key: &BlockKey, nonce: &[u8; 12], counter: u32, data: &mut [u8], mask: Option<&mut Block>) {
                let nonce = enter_nonce(nonce);
                let (masked, spare) = (mask.is_some(), if mask.is_some() { BLOCK_BYTES } else { 0 });
                let (mut rest, mut counter) = (data, counter);
                while rest.len() + spare > BATCH_BYTES + 2 * GROUP_BYTES {
                    let (now, later) = rest.split_at_mut(rest.len().min(BATCH_BYTES));
                    add(now, &finish(batch(key, &nonce, counter, false, |_| ())));
                    counter = counter.wrapping_add(BATCH_BLOCKS as u32);
                    rest = later;
                }
                let blocks = (rest.len() + spare).div_ceil(BLOCK_BYTES);
                let last = if blocks == 0 {
                    return;
                } else if blocks <= GROUP_BLOCKS {
                    groups::<1>(key, &nonce, counter, rest, masked)
                } else if blocks <= 2 * GROUP_BLOCKS {
                    groups::<2>(key, &nonce, counter, rest, masked)
                } else if blocks <= BATCH_BLOCKS {
                    let stream = finish(batch(key, &nonce, counter, masked, |_| ()));
                    add(rest, &stream);
                    stream[15]
                } else if blocks <= BATCH_BLOCKS + GROUP_BLOCKS {
                    batch_and_groups::<1>(key, &nonce, counter, rest, masked)
                } else {
                    batch_and_groups::<2>(key, &nonce, counter, rest, masked)
                };
                if let Some(mask) = mask {
                    *mask = last_block(last);
                }
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(key, nonce, counter, data, mask) }
        }

        /// Adds the CTR stream to whole batches of `data`, gives the block of counter 1, and adds the ciphertext to
        /// the GHASH `state` meanwhile: when opening all of it, when sealing all but [`BATCHES_UNHASHED`] batches.
        ///
        /// The rounds of a batch leave much of the machine idle, as each waits for the one before. Beside them go
        /// the hash, and what is left to do for the batch before.
        pub(in crate::crypto::simd) fn batches(
            _: $token,
            key: (&BlockKey, &HashKey),
            direction: Direction,
            nonce: &[u8; 12],
            counter: u32,
            state: &mut u128,
            data: &mut [u8],
        ) -> Block {
            #[target_feature(enable = $features)]
            fn inner(
                (key, hash): (&BlockKey, &HashKey),
                direction: Direction,
                nonce: &[u8; 12],
                counter: u32,
                state: &mut u128,
                data: &mut [u8],
            ) -> Block {
                let nonce = enter_nonce(nonce);
                let mut counter = counter;
                let batches = data.as_chunks_mut::<BATCH_BYTES>().0;
                // the powers that a batch meets, a step's together
                let powers = hash.powers[POWERS - BATCH_BLOCKS..POWERS].as_chunks::<{ BATCH_BLOCKS / STEPS }>().0;
                let [mut rows, mut columns] = [[splat(0); 16]; 2];
                let [mut group] = groups_start::<1>(&nonce, counter, true);
                let keys = key.rounds.as_chunks::<4>().0;
                for at in 0..batches.len() {
                    let (older, rest) = batches.split_at_mut(at.saturating_sub(1));
                    let (before, now) = rest.split_at_mut(at.min(1));
                    let mut before = before.first_mut();
                    let hashed = match direction {
                        Direction::Open => now.first(),
                        Direction::Seal => older.last(),
                    };
                    let mut sum = Hash::start(*state, powers[0][0]);
                    let next = batch(key, &nonce, counter, false, |step| {
                        if let Some(bytes) = hashed {
                            let bytes = &bytes.as_chunks::<{ BATCH_BYTES / STEPS }>().0[step];
                            let data = bytes.as_chunks::<{ Hash::UNIT * BLOCK_BYTES }>().0;
                            for (data, powers) in data.iter().zip(powers[step].as_chunks().0) {
                                sum.add(data, powers);
                            }
                        }
                        match (&mut before, step) {
                            (None, _) if step.is_multiple_of(2) => [group] = group_step(&keys[step / 2], [group]),
                            (Some(_), 0..4) => finish_rows(&rows, &mut columns, step),
                            (Some(data), 8..12) => {
                                let data = &mut data.as_chunks_mut::<{ 4 * WIDTH }>().0[step - 8];
                                add(data, &finish_columns(&columns, step - 8));
                            }
                            _ => {}
                        }
                    });
                    if hashed.is_some() {
                        *state = sum.finish();
                    }
                    rows = next;
                    counter = counter.wrapping_add(BATCH_BLOCKS as u32);
                }
                if let Some(data) = batches.last_mut() {
                    add(data, &finish(rows));
                }
                last_block(group_finish(group)[3])
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(key, direction, nonce, counter, state, data) }
        }

        /// The nonce's words in the basis.
        #[inline]
        #[target_feature(enable = $features)]
        fn enter_nonce(nonce: &[u8; 12]) -> [u32; 3] {
            let mut words = [0; 3];
            for (word, bytes) in words.iter_mut().zip(nonce.as_chunks::<4>().0) {
                *word = field::apply_to_bytes(&field::ENTER, 0, u32::from_be_bytes(*bytes));
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

        /// The batch that begins at `counter`: its bytes in the basis, a row for each of a block's 16. If `masked`,
        /// its last block is that of counter 1.
        #[inline]
        #[target_feature(enable = $features)]
        fn batch(
            key: &BlockKey,
            nonce: &[u32; 3],
            counter: u32,
            masked: bool,
            mut beside: impl FnMut(usize),
        ) -> [V; 16] {
            // words by bytes, the lowest first
            let mut state = [[splat(0); 4]; 4];
            for (words, word) in state.iter_mut().zip(nonce) {
                for (vector, byte) in words.iter_mut().zip(word.to_le_bytes()) {
                    *vector = splat(u32::from_ne_bytes([byte; 4]));
                }
            }
            state[3] = batch_counters(counter, masked);
            for (step, keys) in key.slices.as_chunks::<4>().0.iter().enumerate() {
                beside(2 * step);
                kernel::rounds!(state, 0, 1, 2, 3, keys[0], keys[1]);
                beside(2 * step + 1);
                kernel::rounds!(state, 2, 3, 0, 1, keys[2], keys[3]);
            }
            let mut rows = [splat(0); 16];
            for (row, to) in rows.iter_mut().enumerate() {
                *to = state[3 - row / 4][3 - row % 4];
            }
            rows
        }

        /// From rows to the stream in memory's order.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish(rows: [V; 16]) -> [V; 16] {
            let [mut columns, mut stream] = [[splat(0); 16]; 2];
            for part in 0..4 {
                finish_rows(&rows, &mut columns, part);
            }
            for part in 0..4 {
                stream[4 * part..][..4].copy_from_slice(&finish_columns(&columns, part));
            }
            stream
        }

        /// The first half of transposing 16 × 16 bytes, a quarter of it.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish_rows(rows: &[V; 16], columns: &mut [V; 16], part: usize) {
            let [a, b, c, d] = [rows[part], rows[part + 4], rows[part + 8], rows[part + 12]];
            columns[4 * part..][..4].copy_from_slice(&interleave([leave(a), leave(b), leave(c), leave(d)]));
        }

        /// The second half, a quarter of it: four registers of the stream.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish_columns(columns: &[V; 16], part: usize) -> [V; 4] {
            interleave([columns[part], columns[part + 4], columns[part + 8], columns[part + 12]])
        }

        /// Moves, per 16 bytes, the two highest bits of the row's number to the lowest of the column's, and those of
        /// the column's to the lowest of the row's: twice over, rows have become columns.
        #[inline]
        #[target_feature(enable = $features)]
        fn interleave([a, b, c, d]: [V; 4]) -> [V; 4] {
            let (ac_low, ac_high) = (zip_low(a, c), zip_high(a, c));
            let (bd_low, bd_high) = (zip_low(b, d), zip_high(b, d));
            [zip_low(ac_low, bd_low), zip_high(ac_low, bd_low), zip_low(ac_high, bd_high), zip_high(ac_high, bd_high)]
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

        /// The bytes of the counters, in the order that taking the rows apart brings to memory's.
        #[inline]
        #[target_feature(enable = $features)]
        fn batch_counters(counter: u32, masked: bool) -> [V; 4] {
            const ORDER: [u8; WIDTH] = {
                let (mut order, mut at) = ([0; WIDTH], 0);
                while at < WIDTH {
                    order[at] = (at % 16 * (WIDTH / 16) + at / 16) as u8;
                    at += 1;
                }
                order
            };
            const LAST: [u8; WIDTH] = {
                let mut last = [0; WIDTH];
                last[WIDTH - 1] = 0xff;
                last
            };
            let (order, each) = (load(&ORDER), |byte: u8| u32::from_ne_bytes([byte; 4]));
            let low = add_bytes(splat(each(counter as u8)), order);
            // where the lowest byte has run over, the rest is one more
            let within = at_least(low, order);
            let [_, upper @ ..] = counter.to_le_bytes();
            let [upper_1 @ .., _] = ((counter >> 8) + 1).to_le_bytes();
            let mut counters = [low; 4];
            for byte in 0..3 {
                let both = and(within, splat(each(upper[byte] ^ upper_1[byte])));
                counters[byte + 1] = xor(splat(each(upper_1[byte])), both);
            }
            if masked {
                let last = load(&LAST);
                for (byte, vector) in counters.iter_mut().enumerate() {
                    let wanted = splat(each(u8::from(byte == 0)));
                    *vector = xor(*vector, and(last, xor(*vector, wanted)));
                }
            }
            for vector in &mut counters {
                *vector = enter(*vector);
            }
            counters
        }

        /// At most a batch and `G` groups of stream onto `data`, and the last register of it; if `masked`, its last
        /// block is that of counter 1.
        #[inline]
        #[target_feature(enable = $features)]
        fn batch_and_groups<const G: usize>(
            key: &BlockKey,
            nonce: &[u32; 3],
            counter: u32,
            data: &mut [u8],
            masked: bool,
        ) -> V {
            let mut state = groups_start::<G>(nonce, counter.wrapping_add(BATCH_BLOCKS as u32), masked);
            let keys = key.rounds.as_chunks::<4>().0;
            let rows = batch(key, nonce, counter, false, |step| {
                if step.is_multiple_of(2) {
                    state = group_step(&keys[step / 2], state);
                }
            });
            let (now, later) = data.split_at_mut(data.len().min(BATCH_BYTES));
            add(now, &finish(rows));
            for group in &mut state {
                *group = group_finish(*group);
            }
            add(later, state.as_flattened());
            state[G - 1][3]
        }

        /// At most `G` groups of stream onto `data`, and the last register of it; if `masked`, its last block is that
        /// of counter 1.
        #[inline]
        #[target_feature(enable = $features)]
        fn groups<const G: usize>(
            key: &BlockKey,
            nonce: &[u32; 3],
            counter: u32,
            data: &mut [u8],
            masked: bool,
        ) -> V {
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

/// Two rounds (GB/T 32907 §7.1) in the basis, which change the words A and B; the sum of C and D serves both.
/// A macro, as compilers leave functions of this size out of line.
macro_rules! rounds {
    ($state:ident, $a:literal, $b:literal, $c:literal, $d:literal, $first:expr, $second:expr) => {
        let [mut both, mut inner] = [[splat(0); 4]; 2];
        for byte in 0..4 {
            both[byte] = xor($state[$c][byte], $state[$d][byte]);
            inner[byte] = xor3(both[byte], $state[$b][byte], splat($first[byte]));
        }
        kernel::change!($state[$a], inner);
        for byte in 0..4 {
            inner[byte] = xor3(both[byte], $state[$a][byte], splat($second[byte]));
        }
        kernel::change!($state[$b], inner);
    };
}

/// Adds L(S(inner)) to a word.
macro_rules! change {
    ($word:expr, $inner:ident) => {
        let [mut a, mut z3, mut u] = [[splat(0); 4]; 3];
        for byte in 0..4 {
            [a[byte], _, z3[byte]] = maps($inner[byte]);
        }
        for byte in 0..4 {
            u[byte] = xor(a[(byte + 1) % 4], z3[byte]);
        }
        let (lower, upper) = (xor(u[0], u[1]), xor(u[2], u[3]));
        $word[0] = xor3($word[0], u[1], upper);
        $word[1] = xor3($word[1], u[0], upper);
        $word[2] = xor3($word[2], u[3], lower);
        $word[3] = xor3($word[3], u[2], lower);
    };
}

pub(super) use {change, kernel, rounds};
