//! GHASH for every back-end whose machine multiplies polynomials.
//!
//! Up to [`super::POWERS`] blocks are multiplied each by its own power of the key and added before one reduction.
//!
//! Of the module that it stands in, the macro wants: `product` with `multiply` (128 bits, into low, middle and high),
//! `reduce`, `from_u128` and `to_u128`; and a type `W` of so many blocks as `$unit` says with `load`, `load_some` (fewer
//! bytes than a unit's), `add_product`, `widen` (128 bits to it) and `fold` (the sum of its parts).

/// `Sum`, `absorb` and `powers`.
macro_rules! ghash {
    ($token:ty, $features:literal, $unit:literal) => {
        /// Products of blocks and powers, added up before one reduction.
        pub(in crate::crypto::simd) struct Sum([W; 3]);

        impl Sum {
            /// Blocks that are added at a time.
            pub(in crate::crypto::simd) const UNIT: usize = $unit;

            /// The state times the power of the first block that will be added.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn start(state: u128, power: u128) -> Self {
                let [low, middle, high] = product::multiply(product::from_u128(state), product::from_u128(power));
                Self([widen(low), widen(middle), widen(high)])
            }

            /// Adds blocks, each times its power.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn add(
                &mut self,
                data: &[u8; Self::UNIT * BLOCK_BYTES],
                powers: &[u128; Self::UNIT],
            ) {
                add_product(&mut self.0, load(data), powers);
            }

            /// Adds the blocks of at most a unit, padded with zeros.
            #[inline]
            #[target_feature(enable = $features)]
            fn add_some(&mut self, data: &[u8], powers: &[u128; Self::UNIT]) {
                add_product(&mut self.0, load_some(data), powers);
            }

            /// The new state.
            #[inline]
            #[target_feature(enable = $features)]
            pub(in crate::crypto::simd) fn finish(self) -> u128 {
                let [low, middle, high] = self.0;
                product::to_u128(product::reduce([fold(low), fold(middle), fold(high)]))
            }
        }

        /// Makes entry i of the table the (POWERS − i)-th power of `power`. Four chains of every fourth power, so that
        /// the products of one hide the latency of another's.
        pub(in crate::crypto::simd) fn powers(_: $token, power: u128, table: &mut [u128]) {
            #[target_feature(enable = $features)]
            fn inner(power: u128, table: &mut [u128]) {
                let first = product::from_u128(power);
                let second = product::reduce(product::multiply(first, first));
                let third = product::reduce(product::multiply(second, first));
                let fourth = product::reduce(product::multiply(second, second));
                let mut current = [fourth, third, second, first];
                for entries in table[..POWERS].as_chunks_mut::<4>().0.iter_mut().rev() {
                    for (entry, current) in entries.iter_mut().zip(&mut current) {
                        *entry = product::to_u128(*current);
                        *current = product::reduce(product::multiply(*current, fourth));
                    }
                }
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(power, table) }
        }

        /// Adds the blocks of `pieces`, each padded with zeros, to the GHASH `state`.
        pub(in crate::crypto::simd) fn absorb(_: $token, key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
            #[target_feature(enable = $features)]
            fn inner(key: &HashKey, state: u128, pieces: &[&[u8]]) -> u128 {
                let mut left: usize = pieces.iter().map(|piece| piece.len().div_ceil(BLOCK_BYTES)).sum();
                let mut at = POWERS - left.min(POWERS);
                let mut state = state;
                let mut sum = Sum::start(state, key.powers[at]);
                for piece in pieces {
                    let mut rest = *piece;
                    while !rest.is_empty() {
                        let units_max = (POWERS - at) / Sum::UNIT;
                        let (whole, _) = rest.as_chunks::<{ Sum::UNIT * BLOCK_BYTES }>();
                        let whole = &whole[..whole.len().min(units_max)];
                        let powers = key.powers[at..].as_chunks::<{ Sum::UNIT }>().0;
                        for (data, powers) in whole.iter().zip(powers) {
                            sum.add(data, powers);
                        }
                        let (mut blocks, mut later) =
                            (whole.len() * Sum::UNIT, &rest[whole.len() * Sum::UNIT * BLOCK_BYTES..]);
                        // less than a unit of data, or of powers
                        let some;
                        (some, later) = later.split_at(match whole.len() == units_max {
                            true => later.len().min((POWERS - at - blocks) * BLOCK_BYTES),
                            false => later.len(),
                        });
                        if let (false, Some(powers)) = (some.is_empty(), key.powers[at + blocks..].first_chunk()) {
                            sum.add_some(some, powers);
                            blocks += some.len().div_ceil(BLOCK_BYTES);
                        }
                        (at, left, rest) = (at + blocks, left - blocks, later);
                        if at == POWERS {
                            state = sum.finish();
                            at = POWERS - left.min(POWERS);
                            sum = Sum::start(state, key.powers[at]);
                        }
                    }
                }
                state
            }
            // SAFETY: the token stands for the features.
            unsafe { inner(key, state, pieces) }
        }
    };
}

pub(super) use ghash;
