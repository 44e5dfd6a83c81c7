//! SM4 on NEON's registers: by AES's inversion, or by tables in registers where the machine has no AES.

/// The operations that [`super::groups`] and [`super::batches`] want and both share.
macro_rules! operations {
    ($token:ident, $features:literal, $product:ident) => {
        use std::arch::aarch64::*;

        use crate::crypto::simd::{batches, groups, $token};

        type V = uint8x16_t;
        use hash::Sum as Hash;
        pub(in crate::crypto::simd) use hash::{absorb, powers};

        groups::groups!($token, $features);
        batches::batches!($token, $features);

        mod hash {
            use std::arch::aarch64::*;

            use crate::crypto::simd::keys::HashKey;
            use crate::crypto::simd::pmull::$product as product;
            use crate::crypto::simd::{BLOCK_BYTES, POWERS, ghash};

            type W = uint8x16_t;

            ghash::ghash!(crate::crypto::simd::$token, $features, 1);

            #[inline]
            #[target_feature(enable = $features)]
            fn add_product(sum: &mut [W; 3], data: W, [power]: &[u128; 1]) {
                let product = product::multiply(data, product::from_u128(*power));
                for (sum, product) in sum.iter_mut().zip(product) {
                    *sum = veorq_u8(*sum, product);
                }
            }

            #[inline]
            #[target_feature(enable = "neon")]
            fn widen(x: W) -> W {
                x
            }

            #[inline]
            #[target_feature(enable = "neon")]
            fn fold(x: W) -> W {
                x
            }

            #[inline]
            #[target_feature(enable = "neon")]
            fn load(data: &[u8; BLOCK_BYTES]) -> W {
                let halves = vrev64q_u8(super::load(data));
                vextq_u8::<8>(halves, halves)
            }

            #[inline]
            #[target_feature(enable = "neon")]
            fn load_some(data: &[u8]) -> W {
                let mut block = [0; BLOCK_BYTES];
                block[..data.len()].copy_from_slice(data);
                load(&block)
            }
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn xor(a: V, b: V) -> V {
            veorq_u8(a, b)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn xor3(a: V, b: V, c: V) -> V {
            xor(xor(a, b), c)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn and(a: V, b: V) -> V {
            vandq_u8(a, b)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn splat(word: u32) -> V {
            vreinterpretq_u8_u32(vdupq_n_u32(word))
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn add_bytes(a: V, b: V) -> V {
            vaddq_u8(a, b)
        }

        /// All ones in each byte of `a` that is not below that of `b`.
        #[inline]
        #[target_feature(enable = "neon")]
        fn at_least(a: V, b: V) -> V {
            vcgeq_u8(a, b)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn zip_low(a: V, b: V) -> V {
            vzip1q_u8(a, b)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn zip_high(a: V, b: V) -> V {
            vzip2q_u8(a, b)
        }

        /// Each word turned left by `BYTES`.
        #[inline]
        #[target_feature(enable = "neon")]
        fn turn<const BYTES: usize>(x: V) -> V {
            let order = match BYTES {
                1 => [3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14],
                2 => [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13],
                _ => [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12],
            };
            vqtbl1q_u8(x, load(&order))
        }

        /// Transposes 4 × 4 words.
        #[inline]
        #[target_feature(enable = "neon")]
        fn transpose(rows: [V; 4]) -> [V; 4] {
            let mut words = [vdupq_n_u32(0); 4];
            for (words, row) in words.iter_mut().zip(rows) {
                *words = vreinterpretq_u32_u8(row);
            }
            let [a, b, c, d] = words;
            let (ab_low, ab_high) = (vzip1q_u32(a, b), vzip2q_u32(a, b));
            let (cd_low, cd_high) = (vzip1q_u32(c, d), vzip2q_u32(c, d));
            let (ab_low, ab_high) = (vreinterpretq_u64_u32(ab_low), vreinterpretq_u64_u32(ab_high));
            let (cd_low, cd_high) = (vreinterpretq_u64_u32(cd_low), vreinterpretq_u64_u32(cd_high));
            [
                vreinterpretq_u8_u64(vzip1q_u64(ab_low, cd_low)),
                vreinterpretq_u8_u64(vzip2q_u64(ab_low, cd_low)),
                vreinterpretq_u8_u64(vzip1q_u64(ab_high, cd_high)),
                vreinterpretq_u8_u64(vzip2q_u64(ab_high, cd_high)),
            ]
        }

        /// Reverses the bytes of each word.
        #[inline]
        #[target_feature(enable = "neon")]
        fn reverse_words(x: V) -> V {
            vrev32q_u8(x)
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn load(bytes: &[u8; WIDTH]) -> V {
            // SAFETY: the array is the 16 bytes that are read; the load needs no alignment.
            unsafe { vld1q_u8(bytes.as_ptr()) }
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn store(bytes: &mut [u8; WIDTH], x: V) {
            // SAFETY: the array is the 16 bytes that are written; the store needs no alignment.
            unsafe { vst1q_u8(bytes.as_mut_ptr(), x) }
        }

        /// The first 16 bytes, zeros where there are fewer.
        #[inline]
        #[target_feature(enable = "neon")]
        fn load_some(bytes: &[u8]) -> V {
            let mut padded = [0; WIDTH];
            let count = bytes.len().min(WIDTH);
            padded[..count].copy_from_slice(&bytes[..count]);
            load(&padded)
        }

        /// Overwrites the first 16 bytes, or as many as there are.
        #[inline]
        #[target_feature(enable = "neon")]
        fn store_some(bytes: &mut [u8], x: V) {
            let mut padded = [0; WIDTH];
            store(&mut padded, x);
            let count = bytes.len().min(WIDTH);
            bytes[..count].copy_from_slice(&padded[..count]);
        }
    };
}

/// With AES and PMULL.
pub(super) mod aes {
    use crate::crypto::simd::field::nibbles;

    operations!(NeonAes, "neon,aes", wide);

    const BASIS: field::Map = field::ENTER;
    const ENTER: [[u8; 16]; 2] = nibbles(&field::ENTER, 0);
    const LEAVE: [[u8; 16]; 2] = nibbles(&field::LEAVE, 0);
    const A: [[u8; 16]; 2] = nibbles(&field::AES_A, field::AES_Z1_CONSTANT);
    const Z1: [[u8; 16]; 2] = nibbles(&field::AES_Z1, field::AES_Z1_CONSTANT);
    const Z3: [[u8; 16]; 2] = nibbles(&field::AES_Z3, 0);

    /// The S-box on each byte of a word.
    pub(in crate::crypto::simd) fn sbox_word(_: NeonAes, word: u32) -> u32 {
        #[target_feature(enable = "neon,aes")]
        fn inner(word: u32) -> u32 {
            let word = field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, word);
            // with equal columns ShiftRows changes nothing
            let changed = vreinterpretq_u32_u8(vaeseq_u8(splat(word), splat(0)));
            field::apply_to_bytes(&field::AES_SBOX, field::AES_SBOX_CONSTANT, vgetq_lane_u32::<0>(changed))
        }
        // SAFETY: the token stands for the features.
        unsafe { inner(word) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn enter(x: V) -> V {
        look_up(x, ENTER)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn leave(x: V) -> V {
        look_up(x, LEAVE)
    }

    /// AES's round with a zero key is SubBytes after ShiftRows, which is undone beforehand.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn maps(inner: V) -> [V; 3] {
        let unshift = load(&[0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3]);
        let changed = vaeseq_u8(vqtbl1q_u8(inner, unshift), splat(0));
        [look_up(changed, A), look_up(changed, Z1), look_up(changed, Z3)]
    }

    /// Tables of 16 bytes in a register, looked up by nibble: no address depends on the data.
    #[inline]
    #[target_feature(enable = "neon")]
    fn look_up(x: V, [low_table, high_table]: [[u8; 16]; 2]) -> V {
        let low = vqtbl1q_u8(load(&low_table), vandq_u8(x, vdupq_n_u8(0x0f)));
        xor(low, vqtbl1q_u8(load(&high_table), vshrq_n_u8::<4>(x)))
    }
}

/// Without AES: plain bytes, and the S-box's table in 16 registers.
pub(super) mod plain {
    operations!(Neon, "neon", narrow);

    const BASIS: field::Map = field::SAME;

    /// The S-box on each byte of a word.
    pub(in crate::crypto::simd) fn sbox_word(_: Neon, word: u32) -> u32 {
        #[target_feature(enable = "neon")]
        fn inner(word: u32) -> u32 {
            vgetq_lane_u32::<0>(vreinterpretq_u32_u8(sbox(splat(word))))
        }
        // SAFETY: the token stands for the features.
        unsafe { inner(word) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn enter(x: V) -> V {
        x
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn leave(x: V) -> V {
        x
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn maps(inner: V) -> [V; 3] {
        let changed = sbox(inner);
        let carried = vshrq_n_u8::<6>(changed);
        let (z1, z3) = (vorrq_u8(vshlq_n_u8::<2>(changed), carried), xor(changed, carried));
        [xor(z1, z3), z1, z3]
    }

    /// A lookup gives nothing for a place outside of its 64 bytes, so the four quarters of the table are asked one
    /// after the other. No address depends on the data.
    #[inline]
    #[target_feature(enable = "neon")]
    fn sbox(x: V) -> V {
        let mut quarters = [uint8x16x4_t(splat(0), splat(0), splat(0), splat(0)); 4];
        for (quarter, bytes) in quarters.iter_mut().zip(field::TABLE.as_chunks::<16>().0.as_chunks::<4>().0) {
            *quarter = uint8x16x4_t(load(&bytes[0]), load(&bytes[1]), load(&bytes[2]), load(&bytes[3]));
        }
        let quarter = |at: u8| vdupq_n_u8(64 * at);
        let changed = vqtbl4q_u8(quarters[0], x);
        let changed = vqtbx4q_u8(changed, quarters[1], vsubq_u8(x, quarter(1)));
        let changed = vqtbx4q_u8(changed, quarters[2], vsubq_u8(x, quarter(2)));
        vqtbx4q_u8(changed, quarters[3], vsubq_u8(x, quarter(3)))
    }
}
