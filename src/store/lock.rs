//! One long-lived process a folder: a lock on the file `lock`, with the holder's pid inside.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::StoreError;
use super::files::{self, Folders};

const LOCK_NAME: &str = "lock";
/// SQLite's write-ahead log of our database.
const WAL_NAME: &str = "miyu.db-wal";

/// Holds the folder for one long-lived process. The lock goes with this value, or with the process.
#[derive(Debug)]
pub struct LockGuard {
    _file: File,
}

/// Takes the folder (making it if need be) for a process that stays: the app, `miyu run`, `miyu camera`. What the one
/// before it left is on the disk when this returns.
/// One-shot commands need no lock.
///
/// # Errors
/// [`StoreError::InUse`] with the pid of the process that has it, or a fault of the folder.
pub fn lock_long_lived(folder: &Path) -> Result<LockGuard, StoreError> {
    let folders = Folders::create(folder)?;
    let path = folders.root.join(LOCK_NAME);
    let fault = |error| folders.fault("lock", &path, error);
    let mut file = files::open_private(&path, false).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Windows hides the content of a locked file; a pid has at most 10 digits
            let pid = match file.take(16).read_to_string(&mut text) {
                Ok(_) => text.trim().parse().ok(),
                Err(_) => None,
            };
            return Err(StoreError::InUse { folder: folders.root.clone(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(fault(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(fault)?;
    sync_left(&folders.root.join(WAL_NAME)).map_err(|error| folders.fault("sync", &folders.root, error))?;
    Ok(LockGuard { _file: file })
}

/// What a process that was killed had written is visible to the next one, and may not be on the disk yet: nothing of it
/// may be receipted before it is. (SQLite syncs its log with each commit, but not when it finds one.)
fn sync_left(wal: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).open(wal) {
        Ok(wal) => wal.sync_all(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
