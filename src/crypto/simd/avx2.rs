//! SM4 on 256-bit registers: by AES-NI's inversion, or by GFNI's.
//!
//! A group is 8 blocks in four registers, one word of each block in a register. The two back-ends differ in how
//! they apply a byte's map and the S-box; [`kernels`] is what they share. The basis is explained in [`super::field`].

/// `encrypt` and `stream` for a module that has `enter`, `leave` and `z1_z3` under its features.
macro_rules! kernels {
    ($token:ty, $features:literal) => {
        use std::arch::x86_64::*;

        use crate::crypto::simd::{BLOCK_BYTES, Block, Rounds, field};

        const GROUP_BLOCKS: usize = 8;
        const GROUP_BYTES: usize = GROUP_BLOCKS * BLOCK_BYTES;
        const PASS_BYTES: usize = GROUPS * GROUP_BYTES;

        type Group = [__m256i; 4];

        /// Enciphers each block.
        pub(in crate::crypto::simd) fn encrypt(_: $token, rounds: &Rounds, blocks: &mut [Block]) {
            #[target_feature(enable = $features)]
            fn inner(rounds: &Rounds, blocks: &mut [Block]) {
                for some in blocks.chunks_mut(GROUP_BLOCKS) {
                    let mut padded = [[0; BLOCK_BYTES]; GROUP_BLOCKS];
                    padded[..some.len()].copy_from_slice(some);
                    let mut group = transpose(load(&padded));
                    for words in &mut group {
                        *words = enter(_mm256_shuffle_epi8(*words, reverse_words()));
                    }
                    let [group] = apply_rounds(rounds, [group]);
                    some.copy_from_slice(&store(finish(group))[..some.len()]);
                }
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(rounds, blocks) }
        }

        /// Adds the CTR stream to `data` (see `BlockKey::stream`).
        pub(in crate::crypto::simd) fn stream(
            _: $token,
            rounds: &Rounds,
            nonce: &[u8; 12],
            counter: u32,
            data: &mut [u8],
            mask: Option<&mut Block>,
        ) {
            #[target_feature(enable = $features)]
            fn inner(rounds: &Rounds, nonce: &[u8; 12], counter: u32, data: &mut [u8], mask: Option<&mut Block>) {
                let words =
                    [0, 4, 8].map(|at| u32::from_be_bytes([nonce[at], nonce[at + 1], nonce[at + 2], nonce[at + 3]]));
                let nonce =
                    words.map(|word| _mm256_set1_epi32(field::apply_to_bytes(&field::ENTER, 0, word).cast_signed()));
                let spare = if mask.is_some() { BLOCK_BYTES } else { 0 };
                let (mut rest, mut counter) = (data, counter);
                while rest.len() + spare > PASS_BYTES {
                    let (now, later) = rest.split_at_mut(rest.len().min(PASS_BYTES));
                    pass::<GROUPS>(rounds, &nonce, counter, now, None);
                    counter = counter.wrapping_add((GROUPS * GROUP_BLOCKS) as u32);
                    rest = later;
                }
                match (rest.len() + spare).div_ceil(GROUP_BYTES) {
                    0 => {}
                    1 => pass::<1>(rounds, &nonce, counter, rest, mask),
                    2 => pass::<2>(rounds, &nonce, counter, rest, mask),
                    _ => pass::<GROUPS>(rounds, &nonce, counter, rest, mask),
                }
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(rounds, nonce, counter, data, mask) }
        }

        /// At most `G` groups of stream onto `data`; if there is a mask, `data` leaves the last block free for it.
        #[target_feature(enable = $features)]
        fn pass<const G: usize>(
            rounds: &Rounds,
            nonce: &[__m256i; 3],
            counter: u32,
            data: &mut [u8],
            mask: Option<&mut Block>,
        ) {
            // transposing takes word 4·l + j to lane l of vector j
            let order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
            let mut state = [[nonce[0], nonce[1], nonce[2], order]; G];
            for (group, words) in state.iter_mut().enumerate() {
                let first = counter.wrapping_add((GROUP_BLOCKS * group) as u32);
                let mut counters = _mm256_add_epi32(order, _mm256_set1_epi32(first.cast_signed()));
                if group == G - 1 && mask.is_some() {
                    counters = _mm256_insert_epi32::<7>(counters, 1);
                }
                words[3] = enter(counters);
            }
            state = apply_rounds(rounds, state);
            let mut stream = [[[0; BLOCK_BYTES]; GROUP_BLOCKS]; G];
            for (group, stream) in state.iter().zip(&mut stream) {
                *stream = store(finish(*group));
            }
            for (data, stream) in data.chunks_mut(GROUP_BYTES).zip(&stream) {
                match data.as_chunks_mut::<GROUP_BYTES>() {
                    // of a length known when compiling, so this becomes whole vectors
                    ([whole], _) => add(whole, stream.as_flattened()),
                    (_, rest) => add(rest, stream.as_flattened()),
                }
            }
            if let Some(mask) = mask {
                *mask = stream[G - 1][GROUP_BLOCKS - 1];
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add(data: &mut [u8], stream: &[u8]) {
            data.iter_mut().zip(stream).for_each(|(byte, stream)| *byte ^= stream);
        }

        /// The 32 rounds (GB/T 32907 §7.1) in the basis.
        #[inline]
        #[target_feature(enable = $features)]
        fn apply_rounds<const G: usize>(rounds: &Rounds, mut state: [Group; G]) -> [Group; G] {
            // each byte of a word one, two, three places up, the highest to the bottom
            let one_up = bytes([3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14]);
            let two_up = bytes([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13]);
            let three_up = bytes([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12]);
            for keys in rounds.as_chunks::<4>().0 {
                for step in 0..4 {
                    let key = _mm256_set1_epi32(keys[step].cast_signed());
                    for words in &mut state {
                        let inner = _mm256_xor_si256(words[(step + 1) % 4], words[(step + 2) % 4]);
                        let inner = _mm256_xor_si256(inner, _mm256_xor_si256(words[(step + 3) % 4], key));
                        let [z1, z3] = z1_z3(inner);
                        let sum = _mm256_xor_si256(words[step], _mm256_xor_si256(z1, z3));
                        let turned = _mm256_xor_si256(_mm256_shuffle_epi8(z1, one_up), _mm256_shuffle_epi8(z1, two_up));
                        let turned = _mm256_xor_si256(turned, _mm256_shuffle_epi8(z3, three_up));
                        words[step] = _mm256_xor_si256(sum, turned);
                    }
                }
            }
            state
        }

        /// From the state after the rounds to blocks in memory's order.
        #[inline]
        #[target_feature(enable = $features)]
        fn finish([a, b, c, d]: Group) -> Group {
            let mut group = transpose([d, c, b, a]);
            for words in &mut group {
                *words = _mm256_shuffle_epi8(leave(*words), reverse_words());
            }
            group
        }

        /// Transposes the 4 × 4 words of each 128-bit lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose([a, b, c, d]: Group) -> Group {
            let (ab_low, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
            [
                _mm256_unpacklo_epi64(ab_low, cd_low),
                _mm256_unpackhi_epi64(ab_low, cd_low),
                _mm256_unpacklo_epi64(ab_high, cd_high),
                _mm256_unpackhi_epi64(ab_high, cd_high),
            ]
        }

        /// Reverses the bytes of each word.
        #[inline]
        #[target_feature(enable = $features)]
        fn reverse_words() -> __m256i {
            bytes([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12])
        }

        /// The 16 bytes in both lanes.
        #[inline]
        #[target_feature(enable = $features)]
        fn bytes(bytes: [u8; 16]) -> __m256i {
            _mm256_broadcastsi128_si256(crate::crypto::simd::clmul::from_u128(u128::from_le_bytes(bytes)))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load(blocks: &[Block; GROUP_BLOCKS]) -> Group {
            let mut group = [_mm256_setzero_si256(); 4];
            for (two, vector) in blocks.as_chunks::<2>().0.iter().zip(&mut group) {
                // SAFETY: two blocks are the 32 bytes that are read; the load needs no alignment.
                *vector = unsafe { _mm256_loadu_si256(two.as_ptr().cast()) };
            }
            group
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn store(group: Group) -> [Block; GROUP_BLOCKS] {
            let mut blocks = [[0; BLOCK_BYTES]; GROUP_BLOCKS];
            for (two, vector) in blocks.as_chunks_mut::<2>().0.iter_mut().zip(group) {
                // SAFETY: two blocks are the 32 bytes that are written; the store needs no alignment.
                unsafe { _mm256_storeu_si256(two.as_mut_ptr().cast(), vector) }
            }
            blocks
        }
    };
}

/// AVX2 with GFNI.
pub(super) mod gfni {
    use crate::crypto::simd::Avx2Gfni;

    kernels!(Avx2Gfni, "avx2,gfni");

    const GROUPS: usize = 3;

    /// The S-box on each byte of a word.
    pub(in crate::crypto::simd) fn sbox_word(_: Avx2Gfni, word: u32) -> u32 {
        #[target_feature(enable = "avx2,gfni")]
        fn inner(word: u32) -> u32 {
            let word = field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, word);
            let inverse = _mm_set1_epi32(word.cast_signed());
            let map = _mm_set1_epi64x(field::SBOX_MATRIX);
            let out = _mm_gf2p8affineinv_epi64_epi8::<{ field::SBOX_CONSTANT as i32 }>(inverse, map);
            _mm_cvtsi128_si32(out).cast_unsigned()
        }
        // SAFETY: the token stands for the features.
        unsafe { inner(word) }
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn enter(words: __m256i) -> __m256i {
        _mm256_gf2p8affine_epi64_epi8::<0>(words, _mm256_set1_epi64x(field::ENTER_MATRIX))
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn leave(words: __m256i) -> __m256i {
        _mm256_gf2p8affine_epi64_epi8::<0>(words, _mm256_set1_epi64x(field::LEAVE_MATRIX))
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn z1_z3(inner: __m256i) -> [__m256i; 2] {
        let z1_map = _mm256_set1_epi64x(field::Z1_MATRIX);
        let z3_map = _mm256_set1_epi64x(field::Z3_MATRIX);
        [
            _mm256_gf2p8affineinv_epi64_epi8::<{ field::Z1_CONSTANT as i32 }>(inner, z1_map),
            _mm256_gf2p8affineinv_epi64_epi8::<0>(inner, z3_map),
        ]
    }
}

/// AVX2 with AES-NI.
pub(super) mod aes {
    use crate::crypto::simd::Avx2Aes;
    use crate::crypto::simd::field::{Map, nibbles};

    kernels!(Avx2Aes, "avx2,aes");

    const GROUPS: usize = 3;

    const ENTER: [[u8; 16]; 2] = nibbles(&field::ENTER, 0);
    const LEAVE: [[u8; 16]; 2] = nibbles(&field::LEAVE, 0);
    const Z1: [[u8; 16]; 2] = nibbles(&field::AES_Z1, field::AES_Z1_CONSTANT);
    const Z3: [[u8; 16]; 2] = nibbles(&field::AES_Z3, 0);
    const SBOX: &Map = &field::AES_SBOX;

    /// The S-box on each byte of a word.
    pub(in crate::crypto::simd) fn sbox_word(_: Avx2Aes, word: u32) -> u32 {
        #[target_feature(enable = "avx2,aes")]
        fn inner(word: u32) -> u32 {
            let word = field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, word);
            // with equal columns ShiftRows changes nothing
            let changed = _mm_aesenclast_si128(_mm_set1_epi32(word.cast_signed()), _mm_setzero_si128());
            let changed = _mm_cvtsi128_si32(changed).cast_unsigned();
            field::apply_to_bytes(SBOX, field::AES_SBOX_CONSTANT, changed)
        }
        // SAFETY: the token stands for the features.
        unsafe { inner(word) }
    }

    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn enter(words: __m256i) -> __m256i {
        look_up(split(words), ENTER)
    }

    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn leave(words: __m256i) -> __m256i {
        look_up(split(words), LEAVE)
    }

    /// AES's last round with a zero key is SubBytes after ShiftRows, which is undone beforehand.
    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn z1_z3(inner: __m256i) -> [__m256i; 2] {
        let unshift = bytes([0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3]);
        let inner = _mm256_shuffle_epi8(inner, unshift);
        let low = _mm_aesenclast_si128(_mm256_castsi256_si128(inner), _mm_setzero_si128());
        let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(inner), _mm_setzero_si128());
        let halves = split(_mm256_set_m128i(high, low));
        [look_up(halves, Z1), look_up(halves, Z3)]
    }

    /// The low and the high nibbles of each byte.
    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn split(words: __m256i) -> [__m256i; 2] {
        let low = _mm256_set1_epi8(0x0f);
        [_mm256_and_si256(words, low), _mm256_and_si256(_mm256_srli_epi32::<4>(words), low)]
    }

    /// Tables of 16 bytes in a register, read by a shuffle: no address depends on the data.
    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn look_up([low, high]: [__m256i; 2], tables: [[u8; 16]; 2]) -> __m256i {
        let [low_table, high_table] = tables;
        _mm256_xor_si256(_mm256_shuffle_epi8(bytes(low_table), low), _mm256_shuffle_epi8(bytes(high_table), high))
    }
}
