//! Sweeping out what a crash left behind: bodies that never got a row, partial bodies that nobody resumed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::body::body_bytes;
use super::files::{self, Folders, unhex};
use super::receive::{OFFER, PART};
use super::vault::BodyId;
use super::{Direction, STAGED, Store, StoreError, row, schema};
use crate::identity::PeerId;

/// What is younger may still be wanted: by a peer that comes back, or by another process.
const SWEEP_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The folders are looked through this often at most.
const SWEEP_EVERY_MS: i64 = 24 * 3600 * 1000;
const SWEPT_KEY: &str = "swept_at_ms";
/// Between the making of a staged body and its lock, and between its last byte and its name, there is less than this.
const STAGED_AGE: Duration = Duration::from_secs(60);

impl Store {
    pub(super) fn sweep_if_due(&self, now: SystemTime) -> Result<(), StoreError> {
        let now_ms = unix_ms(now);
        let last = self.get_meta(SWEPT_KEY)?.and_then(|value| value.try_into().ok()).map(i64::from_be_bytes);
        // a time in the future says that the clock was wrong: sweep, and set it right
        let is_due = last.is_none_or(|last| !(0..SWEEP_EVERY_MS).contains(&now_ms.saturating_sub(last)));
        if is_due {
            self.sweep(now)?;
            self.set_meta(SWEPT_KEY, &now_ms.to_be_bytes())?;
        }
        Ok(())
    }

    /// Removes attachments that no row names and bodies that never got so far, where they are older than a
    /// week before `now` and nobody is writing them. Gives their number. Opening does this once a day.
    ///
    /// # Errors
    /// A fault of the database; a file that cannot be removed is left for the next time.
    pub fn sweep(&self, now: SystemTime) -> Result<usize, StoreError> {
        let mut removed = 0;
        for (_, path) in files_below(&self.inner.folders.incoming()) {
            let is_offer = path.extension().is_some_and(|end| end == OFFER);
            // an offer is as old as the first byte of its body, which may be growing still
            if !is_old(&path, now) || (is_offer && path.with_extension(PART).exists()) {
                continue;
            }
            let bytes = body_bytes(fs::metadata(&path).map_or(0, |about| about.len()));
            let is_free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if is_free && files::remove(&path).is_ok() {
                removed += 1;
                if path.extension().is_some_and(|end| end == PART) {
                    self.inner.usage.release_held(bytes);
                    let _ = files::remove(&path.with_extension(OFFER));
                }
            }
        }
        for (folder, path) in files_below(&self.inner.folders.attachments()) {
            let Some(body) = parse_names(&folder, &path) else {
                continue;
            };
            if is_old(&path, now) && self.remove_orphan(&body, &path, now)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes copies for the outbox whose process died before they were whole: nobody goes on with them, and they may be
    /// as large as any file.
    pub(super) fn sweep_staged(&self, now: SystemTime) {
        for (_, path) in files_below(&self.inner.folders.incoming()) {
            if path.extension().is_some_and(|end| end == STAGED)
                && is_older(&path, now, STAGED_AGE)
                && File::open(&path).is_ok_and(|file| file.try_lock().is_ok())
            {
                let _ = files::remove(&path);
            }
        }
    }

    fn remove_orphan(&self, body: &BodyId, path: &Path, now: SystemTime) -> Result<bool, StoreError> {
        let has_row = |connection: &rusqlite::Connection| row::exists(connection, &body.peer, body.direction, &body.id);
        if self.read(has_row)? {
            return Ok(false);
        }
        // An attachment that is older than the database is no orphan of it: its database was put aside, or lost.
        let made_at_ms =
            self.get_meta(schema::MADE_KEY)?.and_then(|value| value.try_into().ok()).map(i64::from_be_bytes);
        let written = fs::metadata(path).and_then(|about| about.modified());
        if written.is_ok_and(|written| made_at_ms.is_some_and(|made| unix_ms(written) < made)) {
            return Ok(false);
        }
        // looked at again where nobody else writes: the body may have come anew, and be about to get its row
        self.write(|tx| {
            let orphan = !has_row(tx)? && is_old(path, now);
            Ok(orphan && files::remove(path).is_ok())
        })
    }
}

/// The bytes of all partial bodies.
pub(super) fn held_bytes(folders: &Folders) -> u64 {
    files_below(&folders.incoming())
        .filter(|(_, path)| path.extension().is_some_and(|end| end == PART))
        .filter_map(|(_, path)| fs::metadata(path).ok())
        .fold(0, |sum: u64, about| sum.saturating_add(body_bytes(about.len())))
}

/// The files of each peer's folder below `top`, with the folder's name.
pub(super) fn files_below(top: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let folders = fs::read_dir(top).into_iter().flatten().flatten();
    folders.flat_map(|folder| {
        let name = folder.file_name().to_string_lossy().into_owned();
        let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        entries.map(move |entry| (name.clone(), entry.path()))
    })
}

fn parse_names(folder: &str, path: &Path) -> Option<BodyId> {
    let direction = match path.extension()?.to_str()? {
        "in" => Direction::In,
        "out" => Direction::Out,
        _ => return None,
    };
    let id = path.file_stem()?.to_str()?.parse().ok()?;
    Some(BodyId { peer: PeerId(unhex(folder)?), direction, id })
}

/// A time of this machine in ms since 1970; 0 before.
pub(super) fn unix_ms(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

fn is_old(path: &Path, now: SystemTime) -> bool {
    is_older(path, now, SWEEP_AGE)
}

/// Whether a file was last written more than `limit` before `now`.
pub(super) fn is_older(path: &Path, now: SystemTime, limit: Duration) -> bool {
    let written = fs::metadata(path).and_then(|about| about.modified());
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > limit))
}
