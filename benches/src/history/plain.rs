//! The rival: the same columns and indexes in SQLite, in the clear.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use anyhow::Result;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};

use super::{Sink, id, peer, text, time_ms};

const TABLES: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS messages (
    row INTEGER PRIMARY KEY, peer BLOB NOT NULL, direction INTEGER NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL,
    kind INTEGER NOT NULL, state INTEGER NOT NULL, sent_at_ms INTEGER NOT NULL, stored_at_ms INTEGER NOT NULL,
    order_ms INTEGER NOT NULL, state_at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, attached INTEGER NOT NULL,
    target BLOB, target_direction INTEGER, lease_owner BLOB, lease_until_ms INTEGER, sm3 BLOB NOT NULL, text TEXT,
    hidden TEXT, name TEXT, mime TEXT, reason TEXT, UNIQUE (peer, direction, id)
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_order ON messages (order_ms, seq, row) WHERE kind <= 4;
CREATE INDEX IF NOT EXISTS messages_by_peer ON messages (peer, order_ms, seq, row) WHERE kind <= 4;
CREATE INDEX IF NOT EXISTS messages_by_seq ON messages (peer, direction, seq);
CREATE INDEX IF NOT EXISTS messages_by_target ON messages (peer, target_direction, target, seq)
    WHERE target IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_outbox ON messages (peer, seq) WHERE direction = 1 AND state IN (0, 1);
CREATE INDEX IF NOT EXISTS messages_unread ON messages (peer, direction, seq) WHERE state IN (2, 4);
CREATE TABLE IF NOT EXISTS counters (peer BLOB PRIMARY KEY, last_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (one INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO usage VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS usage_grows AFTER INSERT ON messages
    BEGIN UPDATE usage SET bytes = bytes + new.bytes + 512; END;
";

/// Plain SQLite, with miyu's settings of it, and its way of sharing a sync.
pub(super) struct Plain {
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    waiting: AtomicUsize,
}

struct Writer {
    connection: Connection,
    batch: Option<(Arc<Verdict>, usize)>,
}

#[derive(Default)]
struct Verdict {
    reached: Mutex<bool>,
    told: Condvar,
}

impl Plain {
    pub(super) fn open(folder: &Path) -> Result<Plain> {
        std::fs::create_dir_all(folder)?;
        let connection = connect(folder)?;
        connection.execute_batch(TABLES)?;
        let reader = Mutex::new(connect(folder)?);
        Ok(Plain { writer: Mutex::new(Writer { connection, batch: None }), reader, waiting: AtomicUsize::new(0) })
    }

    /// The messages of one page; gives their number.
    pub(super) fn page(&self, before_ms: i64, limit: usize) -> Result<usize> {
        let reader = self.reader.lock().expect("no panic");
        let mut statement = reader.prepare_cached(
            "SELECT row, peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, bytes, attached, \
             target, target_direction, sm3, text, hidden, name, mime, reason FROM messages \
             WHERE kind <= 4 AND order_ms < ?1 ORDER BY order_ms DESC, seq DESC, row DESC LIMIT ?2",
        )?;
        let mut about = reader.prepare_cached(
            "SELECT count(*) FROM messages WHERE peer = ?1 AND target_direction = 1 AND target = ?2 AND kind = 6",
        )?;
        let texts = statement.query_map(params![before_ms, limit as i64], |row| {
            let _: i64 =
                about.query_row(params![row.get::<_, [u8; 32]>(1)?, row.get::<_, [u8; 16]>(3)?], |row| row.get(0))?;
            row.get::<_, Option<String>>(15)
        })?;
        Ok(texts.collect::<Result<Vec<_>, _>>()?.len())
    }

    fn insert(connection: &Connection, number: u64) -> Result<()> {
        let peer = peer();
        let seq: i64 = connection
            .prepare_cached(
                "INSERT INTO counters VALUES (?1, 1) ON CONFLICT (peer) DO UPDATE SET last_seq = last_seq + 1 \
                 RETURNING last_seq",
            )?
            .query_row([peer.as_bytes()], |row| row.get(0))?;
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(order_ms) FROM messages WHERE peer = ?1 AND kind <= 4")?
            .query_row([peer.as_bytes()], |row| row.get(0))?;
        let (text, now) = (text(number), time_ms(number));
        let order = last.map_or(now, |last| now.max(last + 1));
        connection
            .prepare_cached(
                "INSERT INTO messages (peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, \
                 state_at_ms, bytes, attached, sm3, text) VALUES (?1, 1, ?2, ?3, 0, 0, ?4, ?4, ?5, ?4, ?6, 0, ?7, ?8)",
            )?
            .execute(params![
                peer.as_bytes(),
                id(number).0,
                seq,
                now,
                order,
                text.len() as i64,
                miyu::crypto::sm3::digest(text.as_bytes()),
                text
            ])?;
        Ok(())
    }
}

impl Sink for Plain {
    fn put(&self, number: u64) -> Result<()> {
        // as the store asks first whether the id was used, and whether there is room
        let used: bool = {
            let reader = self.reader.lock().expect("no panic");
            let mut statement =
                reader.prepare_cached("SELECT 1 FROM messages WHERE peer = ?1 AND direction = 1 AND id = ?2")?;
            statement.exists(params![peer().as_bytes(), id(number).0])?
        };
        anyhow::ensure!(!used, "an id twice");
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = self.writer.lock().expect("no panic");
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let verdict = match &mut writer.batch {
            Some((verdict, members)) => {
                *members += 1;
                Arc::clone(verdict)
            }
            None => {
                writer.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                let verdict = Arc::<Verdict>::default();
                writer.batch = Some((Arc::clone(&verdict), 1));
                verdict
            }
        };
        Self::insert(&writer.connection, number)?;
        let full = writer.batch.as_ref().is_some_and(|(_, members)| *members >= 256);
        if full || self.waiting.load(Ordering::SeqCst) == 0 {
            writer.connection.prepare_cached("COMMIT")?.execute([])?;
            writer.batch = None;
            *verdict.reached.lock().expect("no panic") = true;
            verdict.told.notify_all();
        }
        drop(writer);
        let mut reached = verdict.reached.lock().expect("no panic");
        while !*reached {
            reached = verdict.told.wait(reached).expect("no panic");
        }
        Ok(())
    }
}

fn connect(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("plain.db"))?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    for (name, value) in [("synchronous", "FULL"), ("secure_delete", "1"), ("cell_size_check", "1")] {
        connection.pragma_update(None, name, value)?;
    }
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
