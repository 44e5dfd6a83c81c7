//! The database and its connections.
//!
//! One connection writes, a few read; in WAL mode a reader is never held up by a writer. The file is shared
//! with other processes: whatever must be decided once is decided within a `BEGIN IMMEDIATE`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::commit::{Commits, Tx, lock};
use super::files::{self, Folders};
use super::vault::Vault;
use super::{DATABASE_NAME, StoreError, schema};
use crate::identity::Identity;

/// How long one process waits for another one's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read at the same time.
const READERS: usize = 3;
/// Bytes that the write-ahead log keeps on disk when it is not in use.
const WAL_KEPT_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// The connections of one [`super::Store`].
pub(super) struct Database {
    commits: Commits,
    readers: [Mutex<Connection>; READERS],
    next_reader: AtomicUsize,
    // PRAGMA data_version compares only with itself on the same connection, which must not write
    watcher: Mutex<Connection>,
    pub(super) vault: Vault,
}

impl Database {
    /// Opens the database of `folders`, making or migrating it if need be.
    pub(super) fn open(folders: &Arc<Folders>, identity: &Identity) -> Result<Database, StoreError> {
        let path = folders.root.join(DATABASE_NAME);
        let place = |error: StoreError| error.refine(&folders.root);
        create(&path).map_err(|source| StoreError::FolderUnusable { path: path.clone(), source })?;
        // the database itself is synced by SQLite; its name is ours to make last
        files::sync_folder(&folders.root).map_err(|error| folders.fault("sync", &folders.root, error))?;
        let mut writer = connect(&path).map_err(place)?;
        schema::check_at_once(&writer, &path).map_err(place)?;
        switch_to_wal(&writer).map_err(place)?;
        let vault = schema::migrate(&mut writer, folders, identity).map_err(place)?;
        let reader = || -> Result<Mutex<Connection>, StoreError> {
            let connection = connect(&path).map_err(place)?;
            connection.pragma_update(None, "query_only", true).map_err(|error| place(error.into()))?;
            Ok(Mutex::new(connection))
        };
        Ok(Database {
            commits: Commits::new(writer),
            readers: [reader()?, reader()?, reader()?],
            next_reader: AtomicUsize::new(0),
            watcher: reader()?,
            vault,
        })
    }

    /// Runs `work` within one write transaction, which is synced to the disk when this returns.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.commits.write(&self.vault, work)
    }

    /// Runs `work` on a connection that reads.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        for reader in &self.readers {
            if let Ok(connection) = reader.try_lock() {
                return work(&connection);
            }
        }
        let index = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        work(&lock(&self.readers[index]))
    }

    /// A number that changes with every commit, by whatever connection and process.
    pub(super) fn version(&self) -> Result<u64, StoreError> {
        let version: i64 = lock(&self.watcher).pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok(version.unsigned_abs())
    }
}

/// What is stored is not what was stored. The path is put in where it is known.
pub(super) fn damaged(detail: &str) -> StoreError {
    StoreError::Corrupt { path: PathBuf::from(DATABASE_NAME), detail: detail.to_owned() }
}

/// Makes the file before SQLite does, private: SQLite gives its -wal and -shm files the mode of the database.
///
/// A file that is there is not opened: closing it again would take away the locks that other connections of
/// this process have on it (POSIX locks belong to the process). For the same reason no connection of this
/// process may open the file between its making and its closing here.
fn create(path: &Path) -> std::io::Result<()> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _alone = lock(&MAKING);
    match files::create_new_private(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => files::make_private(path),
        made => made.map(drop),
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // what was deleted is overwritten, and sorting never spills private text into a shared /tmp
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES_MAX)?;
    // Else a statement that SQLite sees may meet a partial index is prepared anew at each use, for the values bound then.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Two processes that open a new folder at once may meet here, where SQLite does not always wait by itself.
fn switch_to_wal(connection: &Connection) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(_) => return Ok(()),
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
