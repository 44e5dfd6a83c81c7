//! The database: schema, migrations, connections.
//!
//! One connection writes, a few read; in WAL mode a reader is never held up by a writer. The file is shared
//! with other processes: whatever must be decided once is decided within a `BEGIN IMMEDIATE`.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::files::{self, Folders};
use super::{DATABASE_NAME, StoreError};

/// How long one process waits for another one's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read at the same time.
const READERS: usize = 3;
/// Bytes that the write-ahead log keeps on disk when it is not in use.
const WAL_KEPT_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// "miyu" in the header of the file: tells our databases from others'.
const APPLICATION_ID: i64 = 0x6d69_7975;

/// Each entry takes the database from the version of its index to the next.
const MIGRATIONS: &[&str] = &[SCHEMA_1];

/// The schema that this code reads and writes.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

// Clear: ids, order, kind, sizes, state. Private, and therefore together at the end of `messages`: the digest
// (it would give a short text away), texts, names, reasons. Row ids are never used again (AUTOINCREMENT), so
// that a sealed column can be bound to its row.
const SCHEMA_1: &str = "
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    row            INTEGER PRIMARY KEY AUTOINCREMENT,
    peer           BLOB NOT NULL CHECK (length(peer) = 32),
    direction      INTEGER NOT NULL,
    id             BLOB NOT NULL CHECK (length(id) = 16),
    seq            INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    sent_at_ms     INTEGER NOT NULL,
    stored_at_ms   INTEGER NOT NULL,
    order_ms       INTEGER NOT NULL,
    state_at_ms    INTEGER NOT NULL,
    bytes          INTEGER NOT NULL CHECK (bytes >= 0),
    attached       INTEGER NOT NULL,
    lease_owner    BLOB,
    lease_until_ms INTEGER,
    sm3            BLOB NOT NULL,
    text           TEXT,
    hidden         TEXT,
    name           TEXT,
    mime           TEXT,
    reason         TEXT,
    UNIQUE (peer, direction, id)
) STRICT;
CREATE INDEX messages_by_order ON messages (order_ms, seq, row);
CREATE INDEX messages_by_peer ON messages (peer, order_ms, seq, row);
CREATE INDEX messages_by_seq ON messages (peer, direction, seq);
CREATE INDEX messages_outbox ON messages (peer, seq) WHERE direction = 1 AND state IN (0, 1);

CREATE TABLE tombstones (
    peer          BLOB NOT NULL,
    direction     INTEGER NOT NULL,
    id            BLOB NOT NULL,
    deleted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (peer, direction, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    peer     BLOB PRIMARY KEY,
    last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO usage VALUES (1, 0);
CREATE TRIGGER usage_grows AFTER INSERT ON messages
    BEGIN UPDATE usage SET bytes = bytes + new.bytes; END;
CREATE TRIGGER usage_shrinks AFTER DELETE ON messages
    BEGIN UPDATE usage SET bytes = bytes - old.bytes; END;
";

/// The connections of one [`super::Store`].
pub(super) struct Database {
    writer: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
    next_reader: AtomicUsize,
    // PRAGMA data_version compares only with itself on the same connection, which must not write
    watcher: Mutex<Connection>,
}

impl Database {
    /// Opens the database of `folders`, making or migrating it if need be.
    pub(super) fn open(folders: &Folders) -> Result<Database, StoreError> {
        let path = folders.root.join(DATABASE_NAME);
        let place = |error: StoreError| error.refine(&folders.root);
        create(&path).map_err(|source| StoreError::FolderUnusable { path: path.clone(), source })?;
        // the database itself is synced by SQLite; its name is ours to make last
        files::sync_folder(&folders.root).map_err(|error| folders.fault("sync", &folders.root, error))?;
        let mut writer = connect(&path).map_err(place)?;
        check_version_at_once(&writer, &path).map_err(place)?;
        switch_to_wal(&writer).map_err(place)?;
        migrate(&mut writer, &path).map_err(place)?;
        let reader = || -> Result<Mutex<Connection>, StoreError> {
            let connection = connect(&path).map_err(place)?;
            connection.pragma_update(None, "query_only", true).map_err(|error| place(error.into()))?;
            Ok(Mutex::new(connection))
        };
        Ok(Database {
            writer: Mutex::new(writer),
            readers: [reader()?, reader()?, reader()?],
            next_reader: AtomicUsize::new(0),
            watcher: reader()?,
        })
    }

    /// Runs `work` within one write transaction, which is synced to the disk when this returns.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
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

/// A panic while the lock was held has rolled its transaction back: the connection is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// [`check_version`] within one transaction: between two of its reads another process may make the schema.
fn check_version_at_once(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let found = check_version(&transaction, path)?;
    transaction.commit()?;
    Ok(found)
}

/// The schema of the file; refuses what is newer than we are, and what is not ours.
fn check_version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let is_new = application == 0 && found == 0 && tables == 0;
    if (application != APPLICATION_ID && !is_new) || found < 0 {
        return Err(StoreError::NotAStore { path: path.to_path_buf() });
    }
    if found > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema { path: path.to_path_buf(), found, known: SCHEMA_VERSION });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if check_version_at_once(connection, path)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // looked at again under the lock: another process may have been faster
    let found = check_version(&transaction, path)?;
    let done = usize::try_from(found).unwrap_or(MIGRATIONS.len());
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
}
