//! The keyed order in which usable samples are visited.

use std::collections::HashMap;

/// Bytes taken from the key stream at a time.
const STREAM_BYTES: usize = 1024;
/// The shuffle is kept as a table of differences until it has this part of the samples, then whole.
const SPARSE_PART: usize = 8;

/// A stream of key bytes: the same for sender and receiver, random to everybody else. The path
/// takes it in blocks, so it must serve for nothing else.
pub trait PathKey {
    /// Writes the next bytes of the stream over `out`.
    fn fill(&mut self, out: &mut [u8]);
}

impl<K: PathKey + ?Sized> PathKey for &mut K {
    fn fill(&mut self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

/// One step along the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Number of the usable sample.
    pub(super) rank: u32,
    /// Which way to go if it has to change.
    pub(super) up: bool,
}

/// A random permutation of `0..count`, made as far as it is walked: a Fisher-Yates shuffle (Knuth,
/// The Art of Computer Programming, 3.4.2, algorithm P) whose draws come from the key stream without bias.
pub(super) struct Path<K> {
    key: K,
    stream: [u8; STREAM_BYTES],
    used: usize,
    count: u32,
    walked: u32,
    table: Table,
}

/// Where the shuffle differs from the order `0..count`.
enum Table {
    /// Only the entries that differ: little memory for a short message in a large picture.
    Sparse(HashMap<u32, u32>),
    /// Every entry.
    Whole(Vec<u32>),
}

impl<K: PathKey> Path<K> {
    /// The path over `count` samples; `count` is below 2^31 by the limit on pixels.
    pub(super) fn new(count: usize, key: K) -> Path<K> {
        Path {
            key,
            stream: [0; STREAM_BYTES],
            used: STREAM_BYTES,
            count: count as u32,
            walked: 0,
            table: Table::Sparse(HashMap::new()),
        }
    }

    /// The next sample. Not to be called more than `count` times.
    pub(super) fn step(&mut self) -> Step {
        let here = self.walked;
        let (draw, up) = self.draw(self.count - here);
        self.walked += 1;
        if let Table::Sparse(differ) = &self.table
            && differ.len() > self.count as usize / SPARSE_PART
        {
            let mut whole: Vec<u32> = (0..self.count).collect();
            for (&at, &value) in differ {
                whole[at as usize] = value;
            }
            self.table = Table::Whole(whole);
        }
        let rank = match &mut self.table {
            Table::Sparse(differ) => {
                let mine = differ.remove(&here).unwrap_or(here);
                if draw == 0 { mine } else { differ.insert(here + draw, mine).unwrap_or(here + draw) }
            }
            Table::Whole(whole) => {
                whole.swap(here as usize, (here + draw) as usize);
                whole[here as usize]
            }
        };
        Step { rank, up }
    }

    /// A number below `below`, each as likely as the other, and a coin toss.
    ///
    /// The number is drawn with just as many bits as it needs and thrown away when too large; the
    /// coin is the highest bit of the word, which the number never uses.
    fn draw(&mut self, below: u32) -> (u32, bool) {
        let bits = u32::MAX.checked_shr((below.saturating_sub(1)).leading_zeros()).unwrap_or(0);
        loop {
            let word = self.word();
            let number = word & bits;
            if number < below.max(1) {
                return (number, word >> 31 == 1);
            }
        }
    }

    fn word(&mut self) -> u32 {
        if self.used == STREAM_BYTES {
            self.key.fill(&mut self.stream);
            self.used = 0;
        }
        let at = self.used;
        self.used += 4;
        u32::from_le_bytes([self.stream[at], self.stream[at + 1], self.stream[at + 2], self.stream[at + 3]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator (xorshift64*), good enough to walk with.
    struct Toy(u64);

    impl PathKey for Toy {
        fn fill(&mut self, out: &mut [u8]) {
            for byte in out {
                self.0 ^= self.0 >> 12;
                self.0 ^= self.0 << 25;
                self.0 ^= self.0 >> 27;
                *byte = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8;
            }
        }
    }

    #[test]
    fn every_sample_is_visited_once() {
        for count in [1usize, 2, 3, 7, 8, 64, 1000] {
            let mut path = Path::new(count, Toy(9));
            let mut ranks: Vec<u32> = (0..count).map(|_| path.step().rank).collect();
            ranks.sort_unstable();
            assert_eq!(ranks, (0..count as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sparse_and_whole_tables_walk_alike() {
        let count = 4096;
        let mut sparse = Path::new(count, Toy(5));
        let mut whole = Path::new(count, Toy(5));
        whole.table = Table::Whole((0..count as u32).collect());
        let steps = |path: &mut Path<Toy>| (0..count).map(|_| path.step()).collect::<Vec<_>>();
        assert_eq!(steps(&mut sparse), steps(&mut whole));
        assert!(matches!(sparse.table, Table::Whole(_)));
    }

    #[test]
    fn draws_are_even() {
        // 6 of 8 numbers that three bits can make; a fault in the rejection doubles some.
        let mut path = Path::new(6, Toy(77));
        let mut seen = [0u32; 6];
        let mut ups = 0;
        for _ in 0..60_000 {
            let (number, up) = path.draw(6);
            seen[number as usize] += 1;
            ups += u32::from(up);
        }
        assert!(seen.iter().all(|&times| (9_600..10_400).contains(&times)), "{seen:?}");
        assert!((29_400..30_600).contains(&ups), "{ups}");
    }
}
