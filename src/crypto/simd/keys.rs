//! Keys in the form that their back-end wants, and the way of a message through it.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{BLOCK_BYTES, Backend, Block, KEY_BYTES, POWERS, POWERS_PADDED, Rounds, dispatch, field, portable};

/// What one SM4-GCM key takes in memory, in bytes: round keys twice over and the powers of the GHASH key.
pub const KEY_STATE_BYTES_MAX: usize = 2816;
const _: () = assert!(size_of::<BlockKey>() + size_of::<HashKey>() <= KEY_STATE_BYTES_MAX);

/// Counter 1 masks the tag, so the message begins at 2 (SP 800-38D §7.1).
const FIRST_COUNTER: u32 = 2;

/// From so many turns of the kernel on, hashing goes on beside the cipher. A shorter message is hashed afterwards, in one
/// turn with associated data and lengths if all are at most [`POWERS`] blocks, as a QUIC packet's are.
const TURNS_MIN: usize = 3;

/// Turns that are not yet hashed when the last has been enciphered.
const TURNS_UNHASHED: usize = 2;

/// Whether the text that comes in is clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crypto) enum Direction {
    /// Clear text comes in: what is hashed is there only after the cipher.
    Seal,
    /// Ciphertext comes in.
    Open,
}

/// The round keys of one SM4 key, as its back-end wants them. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(in crate::crypto) struct BlockKey {
    #[zeroize(skip)]
    backend: Backend,
    pub(super) rounds: Rounds,
    /// The four bytes of each, the lowest first, each in all bytes of a word.
    pub(super) slices: [[u32; 4]; 32],
}

impl BlockKey {
    /// Expands `key` (GB/T 32907 §7.3).
    pub(in crate::crypto) fn new(backend: Backend, key: &[u8; KEY_BYTES]) -> Self {
        const SYSTEM: [u32; 4] = [0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];
        let mut expanded = Self { backend, rounds: [0; 32], slices: [[0; 4]; 32] };
        let mut state = Zeroizing::new([0u32; 4]);
        for ((word, bytes), system) in state.iter_mut().zip(key.as_chunks::<4>().0).zip(SYSTEM) {
            *word = u32::from_be_bytes(*bytes) ^ system;
        }
        for (round, out) in (0u32..).zip(expanded.rounds.iter_mut()) {
            // byte j of constant i is 7·(4·i + j) modulo 256 (GB/T 32907 §7.3 c)
            let constant = u32::from_be_bytes([0, 1, 2, 3].map(|byte| (7 * (4 * round + byte)) as u8));
            let changed = backend.sbox(state[1] ^ state[2] ^ state[3] ^ constant);
            let key = state[0] ^ changed ^ changed.rotate_left(13) ^ changed.rotate_left(23);
            *state = [state[1], state[2], state[3], key];
            *out = match backend.in_basis() {
                true => field::apply_to_bytes(&field::ENTER, field::KEY_CONSTANT, key),
                false => key,
            };
        }
        for (key, slices) in expanded.rounds.iter().zip(&mut expanded.slices) {
            *slices = key.to_le_bytes().map(|byte| u32::from_ne_bytes([byte; 4]));
        }
        expanded
    }

    /// Enciphers each block.
    pub(in crate::crypto) fn encrypt(&self, blocks: &mut [Block]) {
        self.transform(&self.rounds, blocks);
    }

    /// Deciphers each block: the round keys in reverse (GB/T 32907 §7.2).
    pub(in crate::crypto) fn decrypt(&self, blocks: &mut [Block]) {
        let mut rounds = Zeroizing::new(self.rounds);
        rounds.reverse();
        self.transform(&rounds, blocks);
    }

    fn transform(&self, rounds: &Rounds, blocks: &mut [Block]) {
        let portable = |blocks: &mut [Block]| {
            blocks.chunks_mut(portable::LANES).for_each(|some| portable::encrypt(rounds, some));
        };
        dispatch!(self.backend, portable(blocks), encrypt(rounds, blocks))
    }

    /// Adds to `data` the stream of the blocks `nonce`, `counter` and following, the counter wrapping at 2³²; if
    /// wanted, `mask` becomes the block of counter 1, which costs nothing where the last pass has room.
    pub(super) fn stream(&self, nonce: &[u8; 12], counter: u32, data: &mut [u8], mask: Option<&mut Block>) {
        let portable = portable::stream;
        dispatch!(
            self.backend,
            portable(&self.rounds, nonce, counter, data, mask),
            stream(self, nonce, counter, data, mask)
        )
    }
}

/// The GHASH key of one SM4-GCM key: its powers, of which the portable back-end has the first alone. Wiped on drop.
///
/// GHASH is computed as POLYVAL of the blocks' bytes in reverse under x times the key (RFC 8452 appendix A), whose
/// product needs no shift. States are integers read big-endian from GCM's blocks.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(in crate::crypto) struct HashKey {
    #[zeroize(skip)]
    backend: Backend,
    // entry i is the (POWERS − i)-th power
    pub(super) powers: [u128; POWERS_PADDED],
}

impl HashKey {
    /// The key H is SM4 of the zero block (SP 800-38D §6.3).
    pub(in crate::crypto) fn new(block: &BlockKey) -> Self {
        let mut hash = Zeroizing::new([[0; BLOCK_BYTES]]);
        block.encrypt(&mut *hash);
        let hash = u128::from_be_bytes(hash[0]);
        // x·H modulo POLYVAL's x¹²⁸+x¹²⁷+x¹²⁶+x¹²¹+1
        let power = hash << 1 ^ (hash >> 127).wrapping_neg() & (0xc2 << 120 | 1);
        let mut key = Self { backend: block.backend, powers: [0; POWERS_PADDED] };
        dispatch!(block.backend, key.powers[POWERS - 1] = power, powers(power, &mut key.powers));
        key
    }

    /// Adds the blocks of `pieces`, each padded with zeros, to `state`.
    pub(super) fn absorb(&self, state: u128, pieces: &[&[u8]]) -> u128 {
        let portable = portable::absorb;
        dispatch!(self.backend, portable(self.powers[POWERS - 1], state, pieces), absorb(self, state, pieces))
    }
}

/// Enciphers or deciphers `data` and gives the tag (SP 800-38D §7).
pub(in crate::crypto) fn crypt(
    (block, hash): (&BlockKey, &HashKey),
    direction: Direction,
    nonce: &[u8; 12],
    aad: &[u8],
    data: &mut [u8],
) -> Block {
    let lengths = (((aad.len() as u128 * 8) << 64) | (data.len() as u128 * 8)).to_be_bytes();
    let turn_bytes = dispatch!(block.backend, usize::MAX, TURN_BYTES);
    let turns = data.len() / turn_bytes;
    let whole = if turns < TURNS_MIN { 0 } else { turns * turn_bytes };
    let (now, rest) = data.split_at_mut(whole);
    let (mut state, mut before, mut mask, mut counter) = (0, aad, Zeroizing::new([0; BLOCK_BYTES]), FIRST_COUNTER);
    if whole > 0 {
        let keys = (block, hash);
        state = hash.absorb(state, &[aad]);
        *mask = dispatch!(block.backend, *mask, turns(keys, direction, nonce, counter, &mut state, now));
        counter = counter.wrapping_add((whole / BLOCK_BYTES) as u32);
        before = match direction {
            Direction::Seal => &now[whole - TURNS_UNHASHED * turn_bytes..],
            Direction::Open => &[],
        };
    }
    let wanted = (whole == 0).then_some(&mut *mask);
    if direction == Direction::Open {
        state = hash.absorb(state, &[before, rest, &lengths]);
    }
    block.stream(nonce, counter, rest, wanted);
    if direction == Direction::Seal {
        state = hash.absorb(state, &[before, rest, &lengths]);
    }
    (state ^ u128::from_be_bytes(*mask)).to_be_bytes()
}
