//! SM4 with one byte of many blocks in a register: what long messages go through.
//!
//! A *batch* is as many blocks as a register has bytes, so 16 registers hold its state. Rotations by whole bytes are
//! then a choice of register and cost nothing: with `a` and `z3` of [`super::field`] and u\[j\] = a\[j + 1\] +
//! z3\[j\], byte j of L∘S is the sum of all u but u\[j\].
//!
//! Beside the operations that [`super::groups`] names, and its own functions, the macro wants of the module that it
//! stands in: `Hash` (the `Sum` of [`super::clmul`] or its like), `and`, `add_bytes`, `at_least`, and `zip_low` and
//! `zip_high` (by bytes, per 16).

/// `stream` and `turns`.
macro_rules! batches {
    ($token:ty, $features:literal) => {
        use crate::crypto::simd::POWERS;
        use crate::crypto::simd::keys::{Direction, HashKey};

        const BATCH_BLOCKS: usize = WIDTH;
        const BATCH_BYTES: usize = BATCH_BLOCKS * BLOCK_BYTES;
        /// Batches that go through the rounds together.
        const SIDE_BY_SIDE: usize = 2;
        const TURN_BLOCKS: usize = SIDE_BY_SIDE * BATCH_BLOCKS;
        /// What [`turns`] takes at a time.
        pub(in crate::crypto::simd) const TURN_BYTES: usize = TURN_BLOCKS * BLOCK_BYTES;
        /// Rounds are done two at a time; between two steps there is room for other work.
        const STEPS: usize = 16;

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
                let mut rows = [[splat(0); 16]];
                let (masked, spare) = (mask.is_some(), if mask.is_some() { BLOCK_BYTES } else { 0 });
                let (mut rest, mut counter) = (data, counter);
                while rest.len() + spare > BATCH_BYTES + 2 * GROUP_BYTES {
                    let (now, later) = rest.split_at_mut(rest.len().min(BATCH_BYTES));
                    batch(key, &nonce, counter, false, &mut rows, |_, _| ());
                    add(now, &finish(&rows[0]));
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
                    batch(key, &nonce, counter, masked, &mut rows, |_, _| ());
                    let stream = finish(&rows[0]);
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

        /// Adds the CTR stream to `data`, whole turns, gives the block of counter 1, and adds the ciphertext to the
        /// GHASH `state` meanwhile: when opening all of it, when sealing all but the last [`TURNS_UNHASHED`] turns.
        ///
        /// The rounds leave some of the machine idle, as each waits for the one before. Beside them go the hash, and
        /// what is left to do for the turn before.
        pub(in crate::crypto::simd) fn turns(
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
                let turns = data.as_chunks_mut::<TURN_BYTES>().0;
                // the powers that a turn's blocks meet, a step's together
                let powers = hash.powers[POWERS - TURN_BLOCKS..POWERS].as_chunks::<{ TURN_BLOCKS / STEPS }>().0;
                let [mut rows, mut columns] = [[[splat(0); 16]; SIDE_BY_SIDE]; 2];
                let [mut group] = groups_start::<1>(&nonce, counter, true);
                let keys = key.rounds.as_chunks::<4>().0;
                for at in 0..turns.len() {
                    let (older, rest) = turns.split_at_mut(at.saturating_sub(1));
                    let (before, now) = rest.split_at_mut(at.min(1));
                    let mut before = before.first_mut();
                    let hashed = match direction {
                        Direction::Open => now.first(),
                        Direction::Seal => older.last(),
                    };
                    let mut sum = Hash::start(*state, powers[0][0]);
                    batch(key, &nonce, counter, false, &mut rows, |step, rows| {
                        if let Some(bytes) = hashed {
                            let bytes = &bytes.as_chunks::<{ TURN_BYTES / STEPS }>().0[step];
                            let data = bytes.as_chunks::<{ Hash::UNIT * BLOCK_BYTES }>().0;
                            for (data, powers) in data.iter().zip(powers[step].as_chunks().0) {
                                sum.add(data, powers);
                            }
                        }
                        let (batch, part) = (step / 8, step % 8);
                        match &mut before {
                            None if step.is_multiple_of(2) => [group] = group_step(&keys[step / 2], [group]),
                            Some(_) if part < 4 => finish_rows(&rows[batch], &mut columns[batch], part),
                            Some(data) => {
                                let data = &mut data.as_chunks_mut::<{ 4 * WIDTH }>().0[4 * batch + part - 4];
                                add(data, &finish_columns(&columns[batch], part - 4));
                            }
                            None => {}
                        }
                    });
                    if hashed.is_some() {
                        *state = sum.finish();
                    }
                    counter = counter.wrapping_add(TURN_BLOCKS as u32);
                }
                if let Some(data) = turns.last_mut() {
                    for (data, rows) in data.as_chunks_mut::<BATCH_BYTES>().0.iter_mut().zip(&rows) {
                        add(data, &finish(rows));
                    }
                }
                last_block(group_finish(group)[3])
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(key, direction, nonce, counter, state, data) }
        }

        /// Makes `rows` those of the batch that begins at `counter`, or of two: their bytes in the basis, a row for
        /// each of a block's 16. If `masked`, the last block is that of counter 1. `beside` sees the rows that were.
        #[inline]
        #[target_feature(enable = $features)]
        fn batch<const B: usize>(
            key: &BlockKey,
            nonce: &[u32; 3],
            counter: u32,
            masked: bool,
            rows: &mut [[V; 16]; B],
            mut beside: impl FnMut(usize, &[[V; 16]; B]),
        ) {
            const { assert!(B == 1 || B == 2) };
            // words by bytes, the lowest first
            let mut state = [[[splat(0); 4]; 4]; B];
            for (batch, words) in state.iter_mut().enumerate() {
                for (words, word) in words.iter_mut().zip(nonce) {
                    for (vector, byte) in words.iter_mut().zip(word.to_le_bytes()) {
                        *vector = splat(u32::from_ne_bytes([byte; 4]));
                    }
                }
                let first = counter.wrapping_add((batch * BATCH_BLOCKS) as u32);
                words[3] = batch_counters(first, masked && batch == B - 1);
            }
            for (step, keys) in key.slices.as_chunks::<4>().0.iter().enumerate() {
                beside(2 * step, rows);
                batches::rounds!(state[0], 0, 1, 2, 3, keys[0], keys[1]);
                if B == 2 {
                    batches::rounds!(state[B - 1], 0, 1, 2, 3, keys[0], keys[1]);
                }
                beside(2 * step + 1, rows);
                batches::rounds!(state[0], 2, 3, 0, 1, keys[2], keys[3]);
                if B == 2 {
                    batches::rounds!(state[B - 1], 2, 3, 0, 1, keys[2], keys[3]);
                }
            }
            for (rows, state) in rows.iter_mut().zip(state) {
                for (row, to) in rows.iter_mut().enumerate() {
                    *to = state[3 - row / 4][3 - row % 4];
                }
            }
        }

        /// From rows to the stream in memory's order.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish(rows: &[V; 16]) -> [V; 16] {
            let [mut columns, mut stream] = [[splat(0); 16]; 2];
            for part in 0..4 {
                finish_rows(rows, &mut columns, part);
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
            let mut rows = [[splat(0); 16]];
            batch(key, nonce, counter, false, &mut rows, |step, _| {
                if step.is_multiple_of(2) {
                    state = group_step(&keys[step / 2], state);
                }
            });
            let (now, later) = data.split_at_mut(data.len().min(BATCH_BYTES));
            add(now, &finish(&rows[0]));
            for group in &mut state {
                *group = group_finish(*group);
            }
            add(later, state.as_flattened());
            state[G - 1][3]
        }
    };
}

/// Two rounds (GB/T 32907 §7.1) in the basis, which change the words A and B; the sum of C and D serves both.
/// A macro, as compilers leave functions of this size out of line.
macro_rules! rounds {
    ($state:expr, $a:literal, $b:literal, $c:literal, $d:literal, $first:expr, $second:expr) => {
        let [mut both, mut inner] = [[splat(0); 4]; 2];
        for byte in 0..4 {
            both[byte] = xor($state[$c][byte], $state[$d][byte]);
            inner[byte] = xor3(both[byte], $state[$b][byte], splat($first[byte]));
        }
        batches::change!($state[$a], inner);
        for byte in 0..4 {
            inner[byte] = xor3(both[byte], $state[$a][byte], splat($second[byte]));
        }
        batches::change!($state[$b], inner);
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

pub(super) use {batches, change, rounds};
