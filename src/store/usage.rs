//! How much room there is: what is stored, what is held back for resumption, what is promised to bodies
//! under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{DISK_RESERVE_BYTES, StoreError};

/// Bytes that are no rows yet. What is stored is summed by the database itself, for all processes.
#[derive(Debug)]
pub(super) struct Usage {
    sums: Mutex<Sums>,
}

#[derive(Debug)]
struct Sums {
    quota: u64,
    // partial bodies that nobody writes at present
    held: u64,
    // full sizes of the bodies under way
    promised: u64,
    // of those, what is not on the disk yet
    unwritten: u64,
}

/// Room for one body under way, given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    usage: Arc<Usage>,
    bytes: u64,
    unwritten: u64,
}

impl Usage {
    pub(super) fn new(quota: u64, held: u64) -> Self {
        Usage { sums: Mutex::new(Sums { quota, held, promised: 0, unwritten: 0 }) }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_quota(&self, bytes: u64) {
        self.sums().quota = bytes;
    }

    /// A partial body of `bytes` bytes was found.
    pub(super) fn hold(&self, bytes: u64) {
        let mut sums = self.sums();
        sums.held = sums.held.saturating_add(bytes);
    }

    /// Partial bodies of `bytes` bytes have gone.
    pub(super) fn release_held(&self, bytes: u64) {
        let mut sums = self.sums();
        sums.held = sums.held.saturating_sub(bytes);
    }

    /// Checks that `bytes` more fit beside `stored` ones, on a disk with `free` bytes.
    pub(super) fn check(&self, folder: &std::path::Path, stored: u64, free: u64, bytes: u64) -> Result<(), StoreError> {
        self.sums().check(folder, stored, free, bytes, 0)
    }

    /// Promises room for a body of `bytes` bytes of which `present` are in a partial file already.
    pub(super) fn reserve(
        self: &Arc<Self>,
        folder: &std::path::Path,
        stored: u64,
        free: u64,
        bytes: u64,
        present: u64,
    ) -> Result<Reservation, StoreError> {
        let mut sums = self.sums();
        sums.check(folder, stored, free, bytes, present)?;
        let unwritten = bytes.saturating_sub(present);
        sums.held = sums.held.saturating_sub(present);
        sums.promised += bytes;
        sums.unwritten += unwritten;
        Ok(Reservation { usage: Arc::clone(self), bytes, unwritten })
    }
}

impl Sums {
    fn check(
        &self,
        folder: &std::path::Path,
        stored: u64,
        free: u64,
        bytes: u64,
        present: u64,
    ) -> Result<(), StoreError> {
        let used = stored.saturating_add(self.held.saturating_sub(present)).saturating_add(self.promised);
        if used.saturating_add(bytes) > self.quota {
            return Err(StoreError::QuotaFull { used, wanted: bytes, quota: self.quota });
        }
        let wanted = bytes.saturating_sub(present);
        let needed = wanted.saturating_add(self.unwritten).saturating_add(DISK_RESERVE_BYTES);
        if needed > free {
            return Err(StoreError::DiskFull { folder: folder.to_path_buf(), free, wanted });
        }
        Ok(())
    }
}

impl Reservation {
    /// `bytes` more are on the disk.
    pub(super) fn wrote(&mut self, bytes: u64) {
        let bytes = bytes.min(self.unwritten);
        self.unwritten -= bytes;
        let mut sums = self.usage.sums();
        sums.unwritten = sums.unwritten.saturating_sub(bytes);
    }

    /// Ends the promise; `bytes` stay on the disk in a partial file.
    pub(super) fn hold(self, bytes: u64) {
        self.usage.sums().held += bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut sums = self.usage.sums();
        sums.promised = sums.promised.saturating_sub(self.bytes);
        sums.unwritten = sums.unwritten.saturating_sub(self.unwritten);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::path::Path;

    const FREE: u64 = DISK_RESERVE_BYTES + 1000;

    #[test]
    fn promises_count_until_they_end() {
        let folder = Path::new("data");
        let usage = Arc::new(Usage::new(100, 10));
        let mut first = usage.reserve(folder, 20, FREE, 60, 10).unwrap();
        assert!(usage.check(folder, 20, FREE, 20).is_ok());
        assert!(matches!(
            usage.check(folder, 20, FREE, 21),
            Err(StoreError::QuotaFull { used: 80, wanted: 21, quota: 100 })
        ));
        first.wrote(30);
        first.hold(40);
        assert!(usage.check(folder, 20, FREE, 40).is_ok());
        assert!(usage.check(folder, 20, FREE, 41).is_err());
    }

    #[test]
    fn the_disk_keeps_its_reserve() {
        let folder = Path::new("data");
        let usage = Arc::new(Usage::new(u64::MAX, 0));
        let promise = usage.reserve(folder, 0, FREE, 600, 0).unwrap();
        assert!(usage.check(folder, 0, FREE, 400).is_ok());
        assert!(matches!(usage.check(folder, 0, FREE, 401), Err(StoreError::DiskFull { wanted: 401, .. })));
        drop(promise);
        assert!(usage.check(folder, 0, FREE, 1000).is_ok());
        assert!(usage.check(folder, 0, FREE, u64::MAX).is_err());
    }
}
