//! The tables, and the way from each form of them to the next. `docs/storage.md` describes the newest.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::body::BodyWriter;
use super::commit::Tx;
use super::files::{self, Folders};
use super::row::{self, Clear, NewRow, Private, Raw};
use super::tally::Tally;
use super::vault::{BodyId, Vault};
use super::{DATABASE_NAME, Lease, ROW_BYTES, STAGED, StoreError};
use crate::identity::Identity;

/// "miyu" in the header of the file: tells our databases from others'.
const APPLICATION_ID: i64 = 0x6d69_7975;
/// The schema that this code reads and writes.
const SCHEMA_VERSION: i64 = 2;

// Clear: ids, order, kind, sizes, state, and which message another one is about. Private, and therefore under one seal:
// the digest (it would give a short text away), texts, names. The seal is bound to the row and to all that stands clear in
// it and never changes; the numbers of rows are never used again.
const MESSAGES: &str = "
CREATE TABLE messages (
    row              INTEGER PRIMARY KEY,
    peer             BLOB NOT NULL CHECK (length(peer) = 32),
    direction        INTEGER NOT NULL,
    id               BLOB NOT NULL CHECK (length(id) = 16),
    seq              INTEGER NOT NULL,
    kind             INTEGER NOT NULL,
    state            INTEGER NOT NULL,
    sent_at_ms       INTEGER NOT NULL,
    stored_at_ms     INTEGER NOT NULL,
    order_ms         INTEGER NOT NULL,
    state_at_ms      INTEGER NOT NULL,
    bytes            INTEGER NOT NULL CHECK (bytes >= 0),
    attached         INTEGER NOT NULL,
    target           BLOB CHECK (target IS NULL OR length(target) = 16),
    target_direction INTEGER,
    lease_owner      BLOB,
    lease_until_ms   INTEGER,
    private          BLOB NOT NULL,
    reason           BLOB,
    UNIQUE (peer, direction, id)
) STRICT;
CREATE INDEX messages_by_order ON messages (order_ms, seq, row) WHERE kind <= 4;
CREATE INDEX messages_by_peer ON messages (peer, order_ms, seq, row) WHERE kind <= 4;
CREATE INDEX messages_by_seq ON messages (peer, direction, seq);
CREATE INDEX messages_by_target ON messages (peer, target_direction, target, seq) WHERE target IS NOT NULL;
CREATE INDEX messages_outbox ON messages (peer, seq) WHERE direction = 1 AND state IN (0, 1);
CREATE INDEX messages_unread ON messages (peer, direction, seq) WHERE state IN (2, 4);
CREATE INDEX messages_seen ON messages (peer, order_ms, seq, row) WHERE state = 6 AND kind <= 3;

CREATE TABLE tally (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    sealed BLOB NOT NULL
) STRICT;
";

const OTHERS: &str = "
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

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
";

/// When the database was made, in ms since 1970.
pub(super) const MADE_KEY: &str = "made_at_ms";

/// Bytes of an attachment of version 1 that are sealed at once.
const COPY_BYTES: usize = 256 * 1024;

/// Each row is charged for itself beside its body: many small ones take room too.
fn triggers() -> String {
    format!(
        "CREATE TRIGGER usage_grows AFTER INSERT ON messages
             BEGIN UPDATE usage SET bytes = bytes + new.bytes + {ROW_BYTES}; END;
         CREATE TRIGGER usage_shrinks AFTER DELETE ON messages
             BEGIN UPDATE usage SET bytes = bytes - old.bytes - {ROW_BYTES}; END;"
    )
}

/// [`check`] within one transaction: between two of its reads another process may make the schema.
pub(super) fn check_at_once(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let transaction = connection.unchecked_transaction()?;
    let found = check(&transaction, path)?;
    transaction.commit()?;
    Ok(found)
}

/// The schema of the file; refuses what is newer than we are, and what is not ours.
fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
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

/// Brings the database to the newest schema and gives the keys of the folder.
pub(super) fn migrate(
    connection: &mut Connection,
    folders: &Arc<Folders>,
    identity: &Identity,
) -> Result<Vault, StoreError> {
    let path = folders.root.join(DATABASE_NAME);
    if check_at_once(connection, &path)? == SCHEMA_VERSION {
        return open_vault(connection, folders, identity);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // looked at again under the lock: another process may have been faster
    let found = check(&transaction, &path)?;
    if found == SCHEMA_VERSION {
        transaction.commit()?;
        return open_vault(connection, folders, identity);
    }
    // the key outlives a database that was lost: attachments are opened with it
    let vault = match Vault::open(folders, identity)? {
        Some(vault) => vault,
        None => Vault::create(folders, identity)?,
    };
    if found == 0 {
        transaction.execute_batch(OTHERS)?;
        transaction.execute_batch(MESSAGES)?;
        transaction.execute_batch(&triggers())?;
        Tally::default().write(&transaction, &vault)?;
        let now_ms = super::sweep::unix_ms(SystemTime::now());
        transaction.execute("INSERT INTO meta VALUES (?1, ?2)", params![MADE_KEY, now_ms.to_be_bytes()])?;
    } else {
        from_1(&transaction, folders, &vault)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    if found > 0 {
        // The old pages are overwritten (secure_delete); the log has them still.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(vault)
}

fn open_vault(connection: &Connection, folders: &Folders, identity: &Identity) -> Result<Vault, StoreError> {
    let missing = || StoreError::KeyMissing { path: folders.root.join(super::vault::KEY_NAME) };
    let vault = Vault::open(folders, identity)?.ok_or_else(missing)?;
    // a key of another store opens no tally
    Tally::read(connection, &vault)?;
    Ok(vault)
}

/// Version 1 kept everything in the clear. Rows and attachments are sealed, partial bodies dropped: they come again.
///
/// Attachments first, each under its own name at once: one that is sealed already (a crash came between) is known by
/// its size, so that this can be begun anew at any point.
fn from_1(transaction: &Transaction<'_>, folders: &Arc<Folders>, vault: &Vault) -> Result<(), StoreError> {
    each_of_1(transaction, "messages", "attached", |old| seal_attachment(folders, vault, &old.new.clear))?;
    for (_, path) in super::sweep::files_below(&folders.incoming()) {
        files::remove(&path).map_err(|error| folders.fault("remove", &path, error))?;
    }
    transaction.execute_batch(
        "DROP TRIGGER usage_grows; DROP TRIGGER usage_shrinks; UPDATE usage SET bytes = 0; \
         DROP INDEX messages_by_order; DROP INDEX messages_by_peer; DROP INDEX messages_by_seq; \
         DROP INDEX messages_outbox; ALTER TABLE messages RENAME TO messages_1;",
    )?;
    transaction.execute_batch(MESSAGES)?;
    transaction.execute_batch(&triggers())?;
    let tx = Tx::new(transaction, vault, Some(Tally::default()));
    each_of_1(transaction, "messages_1", "1", |Old { row, state_at_ms, reason, new }| {
        row::insert_at(&tx, row, &new)?;
        let reason = reason.map(|reason| row::seal_reason(&tx, row, &reason)).transpose()?;
        tx.prepare_cached("UPDATE messages SET state_at_ms = ?2, reason = ?3 WHERE row = ?1")?.execute(params![
            row,
            state_at_ms,
            reason
        ])?;
        Ok(())
    })?;
    transaction.execute_batch("DROP TABLE messages_1")?;
    let last_row = transaction.query_row("SELECT max(row) FROM messages", [], |row| row.get::<_, Option<i64>>(0))?;
    tx.tally(|tally| tally.last_row = last_row.unwrap_or(0))?;
    match tx.into_tally() {
        Some(tally) => tally.write(transaction, vault),
        None => Ok(()),
    }
}

/// A row of version 1.
struct Old {
    row: i64,
    state_at_ms: i64,
    reason: Option<String>,
    new: NewRow,
}

/// One row after the other: a history may be larger than the memory.
fn each_of_1(
    connection: &Connection,
    table: &str,
    condition: &str,
    mut each: impl FnMut(Old) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(&format!(
        "SELECT row, peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, bytes, attached, \
         NULL, NULL, x'', NULL, state_at_ms, reason, lease_owner, lease_until_ms, sm3, text, hidden, name, mime \
         FROM {table} WHERE {condition} ORDER BY row",
    ))?;
    let rows = statement.query_map([], |row| {
        // the first columns are those of today's rows
        let raw = Raw::read(row)?;
        let lease = match (row.get(18)?, row.get(19)?) {
            (Some(owner), Some(until_ms)) => Some(Lease { owner, until_ms }),
            _ => None,
        };
        let sm3: [u8; 32] = row.get(20)?;
        Ok(Old {
            row: raw.row,
            state_at_ms: row.get(16)?,
            reason: row.get(17)?,
            new: NewRow {
                clear: raw.clear,
                state: raw.state,
                lease,
                private: Private {
                    text: row.get(21)?,
                    hidden: row.get(22)?,
                    name: row.get(23)?,
                    mime: row.get(24)?,
                    ..Private::of(sm3)
                },
            },
        })
    })?;
    for old in rows {
        each(old?)?;
    }
    Ok(())
}

/// Seals the attachment of a message in its place. One that is missing or has another size stays what it is: damaged.
fn seal_attachment(folders: &Arc<Folders>, vault: &Vault, clear: &Clear) -> Result<(), StoreError> {
    let body = BodyId { peer: clear.peer, direction: clear.direction, id: clear.id };
    let path = folders.attachment(&body);
    let fault = |error| folders.fault("read", &path, error);
    let Ok(mut plain) = File::open(&path) else { return Ok(()) };
    // a sealed one is larger
    if plain.metadata().map_err(fault)?.len() != clear.bytes {
        return Ok(());
    }
    let staged = path.with_extension(STAGED);
    let mut seal = || {
        let mut writer = BodyWriter::create(folders, vault, &staged, &body, clear.bytes)?;
        let mut piece = vec![0; COPY_BYTES];
        loop {
            let count = plain.read(&mut piece).map_err(fault)?;
            if count == 0 {
                break;
            }
            writer.append(&piece[..count])?;
        }
        writer.finish()?;
        folders.place(&staged, &path)
    };
    let sealed = seal();
    if sealed.is_err() {
        // on a full disk it would stand in the way of the next try
        let _ = files::remove(&staged);
    }
    sealed
}
