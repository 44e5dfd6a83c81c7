//! SM4 on 256-bit registers: by AES-NI's inversion, by VAES's, or by GFNI's.
//!
//! The three back-ends differ in how they apply a byte's map and the S-box, and in how wide GHASH goes.

/// The operations that [`super::groups`] and [`super::batches`] want and all three share.
macro_rules! operations {
    ($features:literal) => {
        use std::arch::x86_64::*;

        use crate::crypto::simd::{batches, clmul, groups};

        type V = __m256i;
        const BASIS: field::Map = field::ENTER;
        use ghash::Sum as Hash;
        pub(in crate::crypto::simd) use ghash::{absorb, powers};

        #[inline]
        #[target_feature(enable = $features)]
        fn xor(a: V, b: V) -> V {
            _mm256_xor_si256(a, b)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn xor3(a: V, b: V, c: V) -> V {
            xor(xor(a, b), c)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn and(a: V, b: V) -> V {
            _mm256_and_si256(a, b)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn splat(word: u32) -> V {
            _mm256_set1_epi32(word.cast_signed())
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_bytes(a: V, b: V) -> V {
            _mm256_add_epi8(a, b)
        }

        /// All ones in each byte of `a` that is not below that of `b`.
        #[inline]
        #[target_feature(enable = $features)]
        fn at_least(a: V, b: V) -> V {
            _mm256_cmpeq_epi8(_mm256_max_epu8(a, b), a)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn zip_low(a: V, b: V) -> V {
            _mm256_unpacklo_epi8(a, b)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn zip_high(a: V, b: V) -> V {
            _mm256_unpackhi_epi8(a, b)
        }

        /// Each word turned left by `BYTES`.
        #[inline]
        #[target_feature(enable = $features)]
        fn turn<const BYTES: usize>(x: V) -> V {
            let order = match BYTES {
                1 => [3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14],
                2 => [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13],
                _ => [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12],
            };
            _mm256_shuffle_epi8(x, bytes(order))
        }

        /// Transposes the 4 × 4 words of each 128-bit lane.
        #[inline]
        #[target_feature(enable = $features)]
        fn transpose([a, b, c, d]: [V; 4]) -> [V; 4] {
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
        fn reverse_words(x: V) -> V {
            _mm256_shuffle_epi8(x, bytes([3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]))
        }

        /// The 16 bytes in both lanes.
        #[inline]
        #[target_feature(enable = $features)]
        fn bytes(bytes: [u8; 16]) -> V {
            _mm256_broadcastsi128_si256(clmul::from_u128(u128::from_le_bytes(bytes)))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn load(bytes: &[u8; WIDTH]) -> V {
            // SAFETY: the array is the 32 bytes that are read; the load needs no alignment.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn store(bytes: &mut [u8; WIDTH], x: V) {
            // SAFETY: the array is the 32 bytes that are written; the store needs no alignment.
            unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), x) }
        }

        /// The first 32 bytes, zeros where there are fewer.
        #[inline]
        #[target_feature(enable = $features)]
        fn load_some(bytes: &[u8]) -> V {
            let mut padded = [0; WIDTH];
            let count = bytes.len().min(WIDTH);
            padded[..count].copy_from_slice(&bytes[..count]);
            load(&padded)
        }

        /// Overwrites the first 32 bytes, or as many as there are.
        #[inline]
        #[target_feature(enable = $features)]
        fn store_some(bytes: &mut [u8], x: V) {
            let mut padded = [0; WIDTH];
            store(&mut padded, x);
            let count = bytes.len().min(WIDTH);
            bytes[..count].copy_from_slice(&padded[..count]);
        }
    };
}

/// AVX2 with GFNI.
pub(super) mod gfni {
    use crate::crypto::simd::Avx2Gfni;

    operations!("avx2,gfni");
    groups::groups!(Avx2Gfni, "avx2,ssse3,gfni,pclmulqdq,vpclmulqdq");
    batches::batches!(Avx2Gfni, "avx2,ssse3,gfni,pclmulqdq,vpclmulqdq");

    mod ghash {
        crate::crypto::simd::clmul::ghash_256!(crate::crypto::simd::Avx2Gfni);
    }

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
    fn enter(x: V) -> V {
        _mm256_gf2p8affine_epi64_epi8::<0>(x, _mm256_set1_epi64x(field::ENTER_MATRIX))
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn leave(x: V) -> V {
        _mm256_gf2p8affine_epi64_epi8::<0>(x, _mm256_set1_epi64x(field::LEAVE_MATRIX))
    }

    #[inline]
    #[target_feature(enable = "avx2,gfni")]
    fn maps(inner: V) -> [V; 3] {
        const CONSTANT: i32 = field::Z1_CONSTANT as i32;
        [
            _mm256_gf2p8affineinv_epi64_epi8::<CONSTANT>(inner, _mm256_set1_epi64x(field::A_MATRIX)),
            _mm256_gf2p8affineinv_epi64_epi8::<CONSTANT>(inner, _mm256_set1_epi64x(field::Z1_MATRIX)),
            _mm256_gf2p8affineinv_epi64_epi8::<0>(inner, _mm256_set1_epi64x(field::Z3_MATRIX)),
        ]
    }
}

/// What the two back-ends share whose inversion is AES's.
macro_rules! by_aes {
    ($token:ident, $features:literal, $kernel_features:literal, $ghash:ident) => {
        use crate::crypto::simd::field::nibbles;
        use crate::crypto::simd::$token;

        operations!($features);
        groups::groups!($token, $kernel_features);
        batches::batches!($token, $kernel_features);

        mod ghash {
            crate::crypto::simd::clmul::$ghash!(crate::crypto::simd::$token);
        }

        const ENTER: [[u8; 16]; 2] = nibbles(&field::ENTER, 0);
        const LEAVE: [[u8; 16]; 2] = nibbles(&field::LEAVE, 0);
        const A: [[u8; 16]; 2] = nibbles(&field::AES_A, field::AES_Z1_CONSTANT);
        const Z1: [[u8; 16]; 2] = nibbles(&field::AES_Z1, field::AES_Z1_CONSTANT);
        const Z3: [[u8; 16]; 2] = nibbles(&field::AES_Z3, 0);

        /// The S-box on each byte of a word.
        pub(in crate::crypto::simd) fn sbox_word(_: $token, word: u32) -> u32 {
            #[target_feature(enable = $features)]
            fn inner(word: u32) -> u32 {
                let word = field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, word);
                // with equal columns ShiftRows changes nothing
                let changed = _mm_aesenclast_si128(_mm_set1_epi32(word.cast_signed()), _mm_setzero_si128());
                let changed = _mm_cvtsi128_si32(changed).cast_unsigned();
                field::apply_to_bytes(&field::AES_SBOX, field::AES_SBOX_CONSTANT, changed)
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(word) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn enter(x: V) -> V {
            look_up(split(x), ENTER)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn leave(x: V) -> V {
            look_up(split(x), LEAVE)
        }

        /// AES's last round with a zero key is SubBytes after ShiftRows, which is undone beforehand.
        #[inline]
        #[target_feature(enable = $features)]
        fn maps(inner: V) -> [V; 3] {
            let unshift = bytes([0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3]);
            let halves = split(sub_bytes(_mm256_shuffle_epi8(inner, unshift)));
            [look_up(halves, A), look_up(halves, Z1), look_up(halves, Z3)]
        }

        /// The low and the high nibbles of each byte.
        #[inline]
        #[target_feature(enable = $features)]
        fn split(x: V) -> [V; 2] {
            let low = _mm256_set1_epi8(0x0f);
            [_mm256_and_si256(x, low), _mm256_and_si256(_mm256_srli_epi32::<4>(x), low)]
        }

        /// Tables of 16 bytes in a register, read by a shuffle: no address depends on the data.
        #[inline]
        #[target_feature(enable = $features)]
        fn look_up([low, high]: [V; 2], [low_table, high_table]: [[u8; 16]; 2]) -> V {
            xor(_mm256_shuffle_epi8(bytes(low_table), low), _mm256_shuffle_epi8(bytes(high_table), high))
        }
    };
}

/// AVX2 with AES-NI.
pub(super) mod aes {
    by_aes!(Avx2Aes, "avx2,aes", "avx2,ssse3,aes,pclmulqdq", ghash_128);

    #[inline]
    #[target_feature(enable = "avx2,aes")]
    fn sub_bytes(x: V) -> V {
        let low = _mm_aesenclast_si128(_mm256_castsi256_si128(x), _mm_setzero_si128());
        let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(x), _mm_setzero_si128());
        _mm256_set_m128i(high, low)
    }
}

/// AVX2 with VAES.
pub(super) mod vaes {
    by_aes!(Avx2Vaes, "avx2,aes,vaes", "avx2,ssse3,aes,vaes,pclmulqdq,vpclmulqdq", ghash_256);

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    fn sub_bytes(x: V) -> V {
        _mm256_aesenclast_epi128(x, _mm256_setzero_si256())
    }
}
