//! Power cuts and faulty disks. A shim (shim.c) between the real `miyu` and its files writes down every operation, or
//! lets some fail; from what it wrote down a folder is rebuilt as a disk may hold it when the power goes at any moment.
//! `kill -9` proves less: the kernel still has everything.
//!
//! What a run records depends on the machine's pace; what is made of a recording is a function of the seed of the cut.
//! `MIYU_POWER_CUTS` asks for more than the usual number, `MIYU_POWER_SEED` for other ones.

mod faults;
mod home;
mod log;
mod rebuild;
mod receiving;
mod sending;
mod shim;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::task::JoinSet;

use home::Notes;
use log::Record;
use rebuild::{Disk, Fate, Fates, Nothing, Tree};

/// Cuts of all tests together, unless another number is asked for.
const CUTS: u64 = 200;
/// Recordings of one test; its cuts are spread over them.
const RECORDINGS: u64 = 4;
const SEED: u64 = 1;
/// Cuts under way at one time: each has processes and nodes of its own, which wait for each other.
const CUTS_AT_ONCE: usize = 6;
/// Cuts that are aimed fall less than so many records after a promise.
const AIMED_RECORDS_MAX: usize = 8;
/// Promises of a process that count as its first.
const FIRST_NOTES: usize = 3;
/// Operations that are shown of a cut that fails.
const LAST_RECORDS: usize = 30;
/// A file system in memory, where there is one.
const MEMORY: &str = "/dev/shm";
/// The store keeps 256 MiB of a disk free.
const ROOM_BYTES: u64 = 1 << 30;

fn asked(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}

/// A folder to be rebuilt and thrown away: in memory where there is room, for nothing in it is worth a disk's time.
fn scratch() -> TempDir {
    match fs4::available_space(MEMORY) {
        Ok(free) if free >= ROOM_BYTES => TempDir::new_in(MEMORY),
        _ => TempDir::new(),
    }
    .unwrap()
}

/// One cut of a recording.
struct Cut<'a> {
    seed: u64,
    records: &'a [Record<'a>],
    /// As long as the log was: every promise that was noted by then must be kept.
    at: u64,
}

/// Draws where the power goes: anywhere, just after a promise was given, or just after one of the first promises of a
/// process that found what another one had left.
fn aim<'a>(rng: &mut StdRng, seed: u64, records: &'a [Record<'a>], notes: &Notes, starts: &[u64]) -> Cut<'a> {
    let mut notes: Vec<u64> = notes.values().copied().collect();
    notes.sort_unstable();
    let from = match rng.random_range(0..3) {
        0 => None,
        1 => Some(rng.random_range(0..notes.len())),
        _ => {
            let start = starts[rng.random_range(0..starts.len())];
            Some(notes.partition_point(|note| *note < start) + rng.random_range(0..FIRST_NOTES))
        }
    };
    let count = match from {
        None => rng.random_range(1..=records.len()),
        Some(note) => {
            let note = notes[note.min(notes.len() - 1)];
            records.partition_point(|record| record.end < note) + rng.random_range(0..AIMED_RECORDS_MAX)
        }
    };
    let records = &records[..count.clamp(1, records.len())];
    Cut { seed, records, at: records.last().unwrap().end }
}

impl Cut<'_> {
    /// Every other disk is the cruellest one; the others keep a share of what they were not told to keep.
    fn tree(&self, rng: &mut StdRng) -> Tree {
        let disk = Disk::after(self.records);
        assert_eq!(disk.unknown, Vec::<String>::new(), "the shim could not follow this");
        match self.seed.is_multiple_of(2) {
            true => disk.cut(&mut Nothing),
            false => disk.cut(&mut Drawn { kept: rng.random_range(0.1..0.9), rng }),
        }
    }

    /// For whoever reads of a failure: what came last before the cut.
    fn told_of_a_failure(&self) -> Told {
        let last = self.records.iter().rev().take(LAST_RECORDS).rev();
        let lines = last.map(|record| match &record.op {
            log::Op::Write { inode, offset, bytes } => {
                format!("  {}: Write {{ inode: {inode}, offset: {offset}, bytes: {} }}\n", record.end, bytes.len())
            }
            other => format!("  {}: {other:?}\n", record.end),
        });
        let count = self.records.len();
        Told(format!(
            "seed {}: the cut came after {count} operations, of which the last are\n{}",
            self.seed,
            lines.collect::<String>()
        ))
    }
}

/// Words that are printed where a test fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

struct Drawn<'a> {
    kept: f64,
    rng: &'a mut StdRng,
}

impl Fates for Drawn<'_> {
    fn of_write(&mut self) -> Fate {
        match (self.rng.random_bool(self.kept), self.rng.random_bool(0.4)) {
            (_, true) => Fate::Torn,
            (true, _) => Fate::Kept,
            (false, _) => Fate::Lost,
        }
    }

    fn of_sector(&mut self) -> bool {
        self.rng.random_bool(self.kept)
    }

    fn of_name(&mut self) -> bool {
        self.rng.random_bool(self.kept)
    }
}

/// What the shim wrote down is what the folder holds: nothing passed it by.
fn nothing_was_missed(records: &[Record<'_>], home: &Path) {
    let disk = Disk::after(records);
    assert_eq!(disk.unknown, Vec::<String>::new());
    let (noted, found) = (disk.seen(), Tree::read(home, "data"));
    assert_eq!(noted.folders, found.folders);
    assert_eq!(noted.files.keys().collect::<Vec<_>>(), found.files.keys().collect::<Vec<_>>());
    for (path, bytes) in &found.files {
        assert!(noted.files[path] == *bytes, "{path} differs from what was written down");
    }
}

/// Makes `share` of [`CUTS`] over recordings that are made first, all at once.
async fn cuts<R, M, F>(
    test: &'static str,
    share: (u64, u64),
    record: impl Fn(u64) -> M,
    judge: impl Fn(Arc<R>, u64) -> F,
) where
    R: Send + Sync + 'static,
    M: Future<Output = R> + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let first = asked("MIYU_POWER_SEED").unwrap_or(SEED);
    let count = (asked("MIYU_POWER_CUTS").unwrap_or(CUTS) * share.0).div_ceil(share.1);
    println!("{count} cuts, seeds {first} to {}", first + count - 1);
    let begun = Instant::now();
    let mut making = JoinSet::new();
    for number in 0..RECORDINGS.min(count) {
        making.spawn(record(first + number));
    }
    let recordings: Vec<Arc<R>> = making.join_all().await.into_iter().map(Arc::new).collect();
    println!("recorded in {:.1?}", begun.elapsed());
    let (mut waiting, mut running, mut failed) = (first..first + count, JoinSet::new(), Vec::new());
    loop {
        while running.len() < CUTS_AT_ONCE
            && let Some(seed) = waiting.next()
        {
            let judging = tokio::spawn(judge(recordings[(seed % recordings.len() as u64) as usize].clone(), seed));
            running.spawn(async move { (seed, judging.await) });
        }
        let Some(judged) = running.join_next().await else { break };
        let (seed, outcome) = judged.unwrap();
        if outcome.is_err() {
            println!("the cut with MIYU_POWER_SEED={seed} failed");
            failed.push(seed);
        }
    }
    println!("{test}: {count} cuts in {:.1?}", begun.elapsed());
    assert!(failed.is_empty(), "{} of {count} cuts failed, see above: seeds {failed:?}", failed.len());
}

fn seeded(seed: u64) -> StdRng {
    StdRng::seed_from_u64(!seed)
}
