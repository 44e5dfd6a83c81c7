//! The attempts that were answered already. A recorded Initial opens under our key for ever, so the DCID of every
//! accepted attempt is remembered, across restarts, and the same DCID is not answered a second time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::knock::DCID_BYTES_MAX;
use super::lock;

/// Accepted attempts that are remembered; the oldest are forgotten first.
pub const REMEMBERED_MAX: usize = 65_536;
/// A record on disk: the length of the DCID, then the DCID padded with zeros.
const RECORD_BYTES: usize = 1 + DCID_BYTES_MAX;
/// The log is written anew once it holds this many records.
const LOG_RECORDS_MAX: usize = 2 * REMEMBERED_MAX;

type Record = [u8; RECORD_BYTES];

/// The memory of accepted attempts, and which of them are live. The file has a lock of its own: a slow disk must not
/// hold up the gate, which asks the memory for every knock.
#[derive(Debug, Default)]
pub struct Replay {
    memory: Mutex<Memory>,
    log: Mutex<Option<Log>>,
}

#[derive(Debug, Default)]
struct Memory {
    order: VecDeque<Record>,
    known: HashSet<Record>,
    live: HashMap<Record, usize>,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    records: usize,
    /// A write failed in the middle: the file is written anew before the next record.
    torn: bool,
}

impl Replay {
    /// A memory that ends with the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A memory kept in the file at `path`, which is made where it is missing. A record cut short by a crash is
    /// dropped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take((2 * LOG_RECORDS_MAX * RECORD_BYTES) as u64).read_to_end(&mut bytes)?;
        let whole = bytes.len() / RECORD_BYTES;
        let mut memory = Memory::default();
        for record in bytes.chunks_exact(RECORD_BYTES) {
            if let Ok(record) = Record::try_from(record) {
                memory.insert(record);
            }
        }
        let torn = bytes.len() % RECORD_BYTES != 0 || whole > LOG_RECORDS_MAX;
        let mut log = Log { path: path.to_owned(), file, records: whole, torn };
        if torn {
            log.rewrite(&memory.snapshot())?;
        }
        Ok(Self { memory: Mutex::new(memory), log: Mutex::new(Some(log)) })
    }

    /// True where an attempt with this DCID was accepted before and is over.
    pub fn is_over(&self, dcid: &[u8]) -> bool {
        let memory = lock(&self.memory);
        record(dcid).is_some_and(|record| memory.known.contains(&record) && !memory.live.contains_key(&record))
    }

    /// True where an attempt with this DCID was accepted and goes on.
    pub fn is_live(&self, dcid: &[u8]) -> bool {
        record(dcid).is_some_and(|record| lock(&self.memory).live.contains_key(&record))
    }

    /// Notes an accepted attempt, before anything is answered. On an error it is remembered in memory all the same.
    pub fn accept(&self, dcid: &[u8]) -> io::Result<()> {
        let Some(record) = record(dcid) else {
            return Ok(());
        };
        {
            let mut memory = lock(&self.memory);
            *memory.live.entry(record).or_insert(0) += 1;
            if !memory.insert(record) {
                return Ok(());
            }
        }
        let mut log = lock(&self.log);
        let Some(log) = log.as_mut() else {
            return Ok(());
        };
        if log.torn || log.records >= LOG_RECORDS_MAX {
            let records = lock(&self.memory).snapshot();
            return log.rewrite(&records);
        }
        log.append(&record)
    }

    /// The attempt is over: from now on its DCID is a replay.
    pub fn end(&self, dcid: &[u8]) {
        let mut memory = lock(&self.memory);
        if let Some(record) = record(dcid)
            && let Some(count) = memory.live.get_mut(&record)
        {
            *count -= 1;
            if *count == 0 {
                memory.live.remove(&record);
            }
        }
    }
}

impl Memory {
    fn insert(&mut self, record: Record) -> bool {
        if !self.known.insert(record) {
            return false;
        }
        self.order.push_back(record);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    fn snapshot(&self) -> Vec<Record> {
        self.order.iter().copied().collect()
    }
}

impl Log {
    fn append(&mut self, record: &Record) -> io::Result<()> {
        // Part of a record would shift all that follow it.
        self.torn = true;
        self.file.write_all(record)?;
        self.torn = false;
        self.records += 1;
        Ok(())
    }

    fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        self.torn = true;
        let next = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&next)?;
        file.write_all(&records.concat())?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.records = records.len();
        self.torn = false;
        Ok(())
    }
}

fn record(dcid: &[u8]) -> Option<Record> {
    let mut record = [0; RECORD_BYTES];
    record[0] = u8::try_from(dcid.len()).ok()?;
    record.get_mut(1..=dcid.len())?.copy_from_slice(dcid);
    Some(record)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_attempt_is_over_across_a_restart_and_a_torn_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("knocks");
        let replay = Replay::open(&path).unwrap();
        replay.accept(b"12345678").unwrap();
        assert!(!replay.is_over(b"12345678"), "its retransmissions pass");
        replay.end(b"12345678");
        assert!(replay.is_over(b"12345678"));
        drop(replay);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[8, 1, 2]).unwrap();

        let replay = Replay::open(&path).unwrap();
        assert!(replay.is_over(b"12345678"));
        assert!(!replay.is_over(b"1234567"), "the length counts");
        replay.accept(b"abcdefgh").unwrap();
        replay.end(b"abcdefgh");
        drop(replay);
        let replay = Replay::open(&path).unwrap();
        assert!(replay.is_over(b"12345678") && replay.is_over(b"abcdefgh"));
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_log_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("knocks");
        let replay = Replay::open(&path).unwrap();
        let rounds = (LOG_RECORDS_MAX + 10) as u64;
        for number in 0..rounds {
            replay.accept(&number.to_be_bytes()).unwrap();
            replay.end(&number.to_be_bytes());
        }
        assert!(!replay.is_over(&0_u64.to_be_bytes()));
        assert!(replay.is_over(&(rounds - 1).to_be_bytes()));
        assert_eq!(replay.memory.lock().unwrap().order.len(), REMEMBERED_MAX);
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        assert!(size <= LOG_RECORDS_MAX * RECORD_BYTES, "{size}");
        assert!(replay.memory.lock().unwrap().live.is_empty());
    }
}
