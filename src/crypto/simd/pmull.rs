//! Products of polynomials on NEON, as [`super::ghash`] wants them: of 64 bits by PMULL, or of bytes.

/// What both share.
macro_rules! integers {
    () => {
        use std::arch::aarch64::*;

        type W = uint8x16_t;

        #[inline]
        #[target_feature(enable = "neon")]
        pub(in crate::crypto::simd) fn from_u128(x: u128) -> W {
            vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(x as u64), vcreate_u64((x >> 64) as u64)))
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub(in crate::crypto::simd) fn to_u128(x: W) -> u128 {
            let x = vreinterpretq_u64_u8(x);
            u128::from(vgetq_lane_u64::<1>(x)) << 64 | u128::from(vgetq_lane_u64::<0>(x))
        }
    };
}

/// By PMULL.
pub(super) mod wide {
    integers!();

    /// x⁶³ + x⁶² + x⁵⁷, what folding 64 bits of POLYVAL's modulus multiplies by (RFC 8452 §3).
    const FOLD: u64 = 0xc200_0000_0000_0000;

    /// An unreduced product: low, middle and high.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    pub(in crate::crypto::simd) fn multiply(a: W, b: W) -> [W; 3] {
        let swapped = vextq_u8::<8>(b, b);
        let middle = veorq_u8(low_by_low(a, swapped), high_by_high(a, swapped));
        [low_by_low(a, b), middle, high_by_high(a, b)]
    }

    /// The product times x⁻¹²⁸, modulo.
    #[inline]
    #[target_feature(enable = "neon,aes")]
    pub(in crate::crypto::simd) fn reduce([low, middle, high]: [W; 3]) -> W {
        let (zero, fold) = (vdupq_n_u8(0), from_u128(u128::from(FOLD)));
        let mut low = veorq_u8(low, vextq_u8::<8>(zero, middle));
        let high = veorq_u8(high, vextq_u8::<8>(middle, zero));
        for _ in 0..2 {
            low = veorq_u8(vextq_u8::<8>(low, low), low_by_low(low, fold));
        }
        veorq_u8(high, low)
    }

    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn low_by_low(a: W, b: W) -> W {
        let (a, b) = (vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b));
        vreinterpretq_u8_p128(vmull_p64(vgetq_lane_u64::<0>(a), vgetq_lane_u64::<0>(b)))
    }

    #[inline]
    #[target_feature(enable = "neon,aes")]
    fn high_by_high(a: W, b: W) -> W {
        vreinterpretq_u8_p128(vmull_high_p64(vreinterpretq_p64_u8(a), vreinterpretq_p64_u8(b)))
    }
}

/// By the polynomial product of bytes, which every NEON has.
pub(super) mod narrow {
    use crate::crypto::simd::portable;

    integers!();

    /// An unreduced product: low, middle and high (Karatsuba).
    #[inline]
    #[target_feature(enable = "neon")]
    pub(in crate::crypto::simd) fn multiply(a: W, b: W) -> [W; 3] {
        let (a_low, a_high, b_low, b_high) = (vget_low_u8(a), vget_high_u8(a), vget_low_u8(b), vget_high_u8(b));
        let (low, high) = (by_bytes(a_low, b_low), by_bytes(a_high, b_high));
        let both = by_bytes(veor_u8(a_low, a_high), veor_u8(b_low, b_high));
        [low, veorq_u8(both, veorq_u8(low, high)), high]
    }

    /// The product times x⁻¹²⁸, modulo.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(in crate::crypto::simd) fn reduce([low, middle, high]: [W; 3]) -> W {
        from_u128(portable::reduce(to_u128(low), to_u128(middle), to_u128(high)))
    }

    /// 64 by 64 bits. Turning one factor by k bytes gives in lane i the product of bytes i and i + k, which belongs
    /// 2·i + k bytes up: of the lanes that ran over the end, it belongs 8 further down. `K` such products of each
    /// sign of k are added, their overrunning lanes put right, and all is moved up by k bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    fn by_bytes(a: uint8x8_t, b: uint8x8_t) -> W {
        let mut sum = lanes(a, b);
        let one = veorq_u8(lanes(vext_u8::<1>(a, a), b), lanes(a, vext_u8::<1>(b, b)));
        let two = veorq_u8(lanes(vext_u8::<2>(a, a), b), lanes(a, vext_u8::<2>(b, b)));
        let three = veorq_u8(lanes(vext_u8::<3>(a, a), b), lanes(a, vext_u8::<3>(b, b)));
        // turning by four is the same either way
        let four = lanes(a, vext_u8::<4>(b, b));
        sum = veorq_u8(sum, place::<15, 6>(one));
        sum = veorq_u8(sum, place::<14, 4>(two));
        sum = veorq_u8(sum, place::<13, 2>(three));
        veorq_u8(sum, place::<12, 0>(four))
    }

    /// Byte by byte, each product in 16 bits.
    #[inline]
    #[target_feature(enable = "neon")]
    fn lanes(a: uint8x8_t, b: uint8x8_t) -> W {
        vreinterpretq_u8_p16(vmull_p8(vreinterpret_p8_u8(a), vreinterpret_p8_u8(b)))
    }

    /// Of the upper half, all but the first `KEPT` bytes ran over: they go to the lower half. Then all moves up by
    /// 16 − `TURN` bytes.
    #[inline]
    #[target_feature(enable = "neon")]
    fn place<const TURN: i32, const KEPT: usize>(x: W) -> W {
        let upper = vget_high_u8(x);
        let kept = vand_u8(upper, vcreate_u8((1 << (8 * KEPT)) - 1));
        let x = vcombine_u8(veor_u8(vget_low_u8(x), veor_u8(upper, kept)), kept);
        vextq_u8::<TURN>(x, x)
    }
}
