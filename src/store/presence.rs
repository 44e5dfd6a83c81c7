//! Which processes on this folder are alive. Each holds a lock on a file of its own, which goes with the process however
//! that ends: what it had claimed is given back at once, and no number of a process can be mistaken for another's.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::files::{self, hex, unhex};
use super::{Store, StoreError, sweep};

/// The ending of a file that has no lock yet.
const NEW: &str = "new";
/// Between the making of such a file and its lock there is less than this.
const LOCKED_WITHIN: Duration = Duration::from_secs(60);
/// Files that are looked at in one go; the next one sees the rest.
const PROCESSES_MAX: usize = 1_024;

/// Tells the other processes on the folder that one is alive, for as long as this value is kept.
#[derive(Debug)]
pub struct Presence {
    _file: Option<File>,
}

impl Store {
    /// Says that `owner` is alive. To be said before it claims anything: what it has claimed when the value is dropped, or
    /// its process ends, is anybody's after [`Store::release_dead`].
    ///
    /// On a file system without locks nothing is said, and claims last until their leases run out.
    ///
    /// # Errors
    /// A fault of the folder.
    pub fn announce(&self, owner: &[u8; 16]) -> Result<Presence, StoreError> {
        let folders = &self.inner.folders;
        folders.ensure(&folders.live())?;
        let path = folders.live().join(hex(owner));
        let new = path.with_extension(NEW);
        let file = files::create_new_private(&new).map_err(|error| folders.fault("make", &new, error))?;
        if file.try_lock().is_err() {
            let _ = files::remove(&new);
            return Ok(Presence { _file: None });
        }
        // Locked before it has the name that others look for: they never see a living owner without its lock.
        fs::rename(&new, &path).map_err(|error| folders.fault("rename", &new, error))?;
        Ok(Presence { _file: Some(file) })
    }

    /// Gives back what owners claimed that are no longer alive; gives the number of messages.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn release_dead(&self) -> Result<u64, StoreError> {
        let Ok(entries) = fs::read_dir(self.inner.folders.live()) else {
            return Ok(0);
        };
        let mut released = 0;
        for path in entries.flatten().map(|entry| entry.path()).take(PROCESSES_MAX) {
            let Some(owner) = path.file_name().and_then(|name| unhex(name.to_str()?)) else {
                if sweep::is_older(&path, SystemTime::now(), LOCKED_WITHIN) {
                    let _ = files::remove(&path);
                }
                continue;
            };
            // Locked: alive. Gone: another process was faster.
            let Ok(file) = File::open(&path) else { continue };
            if file.try_lock().is_ok() {
                released += self.release_owned(&owner)?;
                let _ = files::remove(&path);
            }
        }
        Ok(released)
    }
}
