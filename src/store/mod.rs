//! History, outbox and attachments of one identity, in one folder.
//!
//! `store.key` is the key of the folder, wrapped under the identity; `miyu.db` is SQLite; `attachments/` holds the bodies of
//! pictures, clips and files; `incoming/` holds bodies that are still coming, or that wait to be resumed. What is private
//! is sealed: `docs/storage.md`. A method that says that something is stored returns
//! after the disk has it. All methods block: call them from threads that may.

mod amend;
mod body;
mod check;
mod commit;
mod db;
mod draft;
mod error;
mod files;
mod find;
mod history;
mod lock;
mod outbox;
mod presence;
mod receive;
mod remove;
mod row;
mod schema;
mod search;
mod sweep;
mod tally;
mod types;
mod usage;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension, params};

use crate::identity::{Identity, PeerId};
use commit::Tx;
use db::Database;
use files::Folders;
use usage::{Reservation, Usage};
use vault::{BodyId, Vault};

pub use body::BodyReader;
pub use check::Check;
pub use error::StoreError;
pub use lock::{LockGuard, lock_long_lived};
pub use presence::Presence;
pub use receive::{Complete, Receive};
pub use types::{
    Body, Conversation, Cursor, Direction, Incoming, Kind, Known, Lease, Message, MessageId, MessageIdError,
    NewOutgoing, Place, Query, Reaction, State, Target,
};

/// Bodies are kept, resumed and sealed in pieces of this size.
pub const CHUNK_BYTES: u64 = 65_536;
const _: () = assert!(CHUNK_BYTES == crate::crypto::stream::CHUNK_BYTES as u64);
/// Larger bodies are kept when a connection breaks; smaller ones come again from the start.
pub const KEEP_PARTIAL_BYTES: u64 = 256 * 1024;
/// Bytes of a text message at most, and of each other private column.
pub const TEXT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a reaction at most.
pub const REACTION_BYTES_MAX: u64 = 64;
/// Bytes that a message is charged beside its body: its row, its seals and its places in the indexes.
pub const ROW_BYTES: u64 = 512;
/// Bytes that one data folder takes unless [`Store::set_quota`] says otherwise.
pub const QUOTA_BYTES_DEFAULT: u64 = 16 * 1024 * 1024 * 1024;
/// Bytes of the disk that are left to others.
pub const DISK_RESERVE_BYTES: u64 = 256 * 1024 * 1024;
/// Partial bodies of one peer that are kept at most; the oldest goes first.
pub const PARTIALS_PER_PEER_MAX: usize = 64;
/// Bytes of a body that [`Complete::peek`] takes into memory at most: the limit of a picture.
pub const PEEK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Messages in one page of the history at most.
pub const PAGE_MESSAGES_MAX: usize = 1_000;
/// Outgoing messages claimed at once at most.
pub const CLAIM_MESSAGES_MAX: usize = 1_000;
/// The longest claim, in ms. One that ends later was made by a clock that has been set back since: it has run out.
pub const LEASE_MS_MAX: i64 = 60_000;
/// Bytes of one value of [`Store::set_meta`] at most.
pub const META_BYTES_MAX: u64 = 8 * 1024 * 1024;

const DATABASE_NAME: &str = "miyu.db";
/// The ending of a body that is being copied and does not count yet.
const STAGED: &str = "staged";

/// The store of one data folder. Clones share it; other processes may work on the same folder.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    folders: Arc<Folders>,
    database: Database,
    usage: Arc<Usage>,
    finder: find::Finder,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.folder().display())
    }
}

impl Store {
    /// Opens the store in `folder` of `owner`, making what is missing: folders 0700, files 0600. Once a day it also
    /// sweeps out bodies that a crash left behind.
    ///
    /// # Errors
    /// A folder that cannot be used, a key that is missing or another's, a database that is damaged, foreign, locked, or
    /// from a newer miyu.
    pub fn open(folder: &Path, owner: &Identity) -> Result<Store, StoreError> {
        let folders = Arc::new(Folders::create(folder)?);
        let database = Database::open(&folders, owner)?;
        let held = sweep::held_bytes(&folders);
        let usage = Arc::new(Usage::new(QUOTA_BYTES_DEFAULT, held));
        let store = Store { inner: Arc::new(Inner { folders, database, usage, finder: find::Finder::default() }) };
        store.sweep_if_due(SystemTime::now())?;
        store.sweep_staged(SystemTime::now());
        Ok(store)
    }

    /// The data folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.inner.folders.root
    }

    /// A number that differs from the one of the last call when anything was stored in between, by this or
    /// another process. Cheap enough to be asked several times a second.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn version(&self) -> Result<u64, StoreError> {
        self.placed(self.inner.database.version())
    }

    /// Sets the bytes that this store takes at most; [`QUOTA_BYTES_DEFAULT`] before.
    pub fn set_quota(&self, bytes: u64) {
        self.inner.usage.set_quota(bytes);
    }

    /// Whether a body of `bytes` bytes would be taken now.
    ///
    /// # Errors
    /// [`StoreError::QuotaFull`] or [`StoreError::DiskFull`], with the sizes.
    pub fn room_for(&self, bytes: u64) -> Result<(), StoreError> {
        let (stored, free) = (self.stored_bytes()?, self.free_bytes()?);
        self.inner.usage.check(self.folder(), stored, free, bytes)
    }

    /// The bytes of all stored messages: their bodies, texts included, and [`ROW_BYTES`] each.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn stored_bytes(&self) -> Result<u64, StoreError> {
        self.read(stored_bytes)
    }

    /// The value kept under `key`: small facts of this folder, such as what a restart should remember.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn get_meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let value = connection
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()?;
            Ok(value)
        })
    }

    /// Keeps `value` under `key`.
    ///
    /// # Errors
    /// A value over [`META_BYTES_MAX`], or a fault of the database.
    pub fn set_meta(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        check_length("meta value", value.len(), META_BYTES_MAX)?;
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![key, value])?;
            Ok(())
        })
    }

    fn free_bytes(&self) -> Result<u64, StoreError> {
        let root = &self.inner.folders.root;
        fs4::available_space(root).map_err(|error| self.inner.folders.fault("measure", root, error))
    }

    fn reserve(&self, bytes: u64, present: u64) -> Result<Reservation, StoreError> {
        let (stored, free) = (self.stored_bytes()?, self.free_bytes()?);
        self.inner.usage.reserve(self.folder(), stored, free, bytes, present)
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.placed(self.inner.database.read(work))
    }

    fn write<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.placed(self.inner.database.write(work))
    }

    fn vault(&self) -> &Vault {
        &self.inner.database.vault
    }

    fn placed<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.map_err(|error| error.refine(self.folder()))
    }

    /// After a failed commit: a body that has its last name, but no row, goes back to where it was staged.
    fn take_back(&self, body: &BodyId, staged: &Path) {
        if staged.exists() {
            return;
        }
        // where even this fails the body is an orphan, and is swept out one day
        let _ = self.write(|tx| {
            let folders = &self.inner.folders;
            if !row::exists(tx, &body.peer, body.direction, &body.id)? {
                let _ = std::fs::rename(folders.attachment(body), staged);
            }
            Ok(())
        });
    }

    /// Removes the attachment of a message that was deleted by its author; where that fails it is swept out one day.
    fn remove_orphaned(&self, orphan: Option<PathBuf>) {
        if let Some(path) = orphan {
            let _ = files::remove(&path);
        }
    }

    fn remove_attachment(&self, body: &BodyId) -> Result<(), StoreError> {
        let path = self.inner.folders.attachment(body);
        files::remove(&path).map_err(|error| self.inner.folders.fault("remove", &path, error))
    }

    /// A name in `incoming/` that no other thread or process uses.
    fn staging_path(&self, peer: &PeerId, id: &MessageId) -> Result<PathBuf, StoreError> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = self.inner.folders.incoming_of(peer);
        self.inner.folders.ensure(&folder)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(folder.join(format!("{id}.{}-{count}.{STAGED}", std::process::id())))
    }
}

fn stored_bytes(connection: &Connection) -> Result<u64, StoreError> {
    let bytes: i64 = connection.prepare_cached("SELECT bytes FROM usage")?.query_row([], |row| row.get(0))?;
    Ok(bytes.max(0).unsigned_abs())
}

fn check_length(what: &'static str, bytes: usize, bytes_max: u64) -> Result<(), StoreError> {
    let bytes = bytes as u64;
    if bytes > bytes_max {
        return Err(StoreError::TooLong { what, bytes, bytes_max });
    }
    Ok(())
}

fn check_texts(texts: &[(&'static str, &Option<String>)]) -> Result<(), StoreError> {
    for (what, text) in texts {
        if let Some(text) = text {
            check_length(what, text.len(), TEXT_BYTES_MAX)?;
        }
    }
    Ok(())
}
