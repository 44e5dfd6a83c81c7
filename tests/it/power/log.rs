//! What shim.c wrote down: every operation below one folder, in order.

/// Bytes before the names and the content of a record.
const HEAD_BYTES: usize = 32;

/// One operation that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op<'a> {
    /// A new, empty file.
    Create {
        path: &'a str,
        inode: u64,
    },
    MakeFolder {
        path: &'a str,
    },
    Write {
        inode: u64,
        offset: u64,
        bytes: &'a [u8],
    },
    Resize {
        inode: u64,
        bytes: u64,
    },
    SyncBegin {
        inode: u64,
        sync: u64,
    },
    SyncEnd {
        inode: u64,
        sync: u64,
    },
    SyncNamesBegin {
        folder: &'a str,
        sync: u64,
    },
    SyncNamesEnd {
        folder: &'a str,
        sync: u64,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Remove {
        path: &'a str,
    },
    Link {
        from: &'a str,
        to: &'a str,
    },
    /// Somebody may write into this file through a map, which no shim sees.
    Map {
        path: &'a str,
    },
    Unknown {
        path: &'a str,
    },
}

/// An operation, and how long the log was after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) op: Op<'a>,
    pub(super) end: u64,
}

/// The whole records of a log.
pub(super) fn parse(log: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + HEAD_BYTES) {
        let number = |from: usize| u64::from_le_bytes(head[from..from + 8].try_into().unwrap());
        let names_bytes = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        let names_at = at + HEAD_BYTES;
        let content_at = names_at + names_bytes;
        at = content_at + number(8) as usize;
        let Some(content) = log.get(content_at..at) else { break };
        let names = std::str::from_utf8(&log[names_at..content_at]).unwrap();
        let (path, to) = names.split_once('\0').unwrap_or((names, ""));
        let (inode, number) = (number(16), number(24));
        let op = match head[0] {
            1 => Op::Create { path, inode },
            2 => Op::MakeFolder { path },
            3 => Op::Write { inode, offset: number, bytes: content },
            4 => Op::Resize { inode, bytes: number },
            5 => Op::SyncBegin { inode, sync: number },
            6 => Op::SyncEnd { inode, sync: number },
            7 => Op::SyncNamesBegin { folder: path, sync: number },
            8 => Op::SyncNamesEnd { folder: path, sync: number },
            9 => Op::Rename { from: path, to },
            10 => Op::Remove { path },
            11 => Op::Link { from: path, to },
            12 => Op::Map { path },
            _ => Op::Unknown { path },
        };
        records.push(Record { op, end: at as u64 });
    }
    records
}
