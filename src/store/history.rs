//! Reading what is stored, and deleting it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::{Direction, Message, MessageId, PAGE_MESSAGES_MAX, Store, StoreError, files, row};
use crate::identity::PeerId;

impl Store {
    /// The newest messages before `before` (a [`Message::cursor`]; `None` for the very newest), with `peer`
    /// or with everybody, at most `limit` of them, oldest first. `contains` keeps those whose text, hidden
    /// text or file name has it, without regard to case.
    ///
    /// Messages of one peer and direction stand in the order of `seq`, all others by when they were stored.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn history(
        &self,
        peer: Option<&PeerId>,
        before: Option<(i64, MessageId)>,
        limit: usize,
        contains: Option<&str>,
    ) -> Result<Vec<Message>, StoreError> {
        let limit = limit.min(PAGE_MESSAGES_MAX);
        let wanted = contains.map(str::to_lowercase);
        self.read(|connection| {
            let mut clauses: Vec<&str> = Vec::new();
            let mut values: Vec<Value> = Vec::new();
            if let Some(peer) = peer {
                clauses.push("peer = ?");
                values.push(Value::Blob(peer.as_bytes().to_vec()));
            }
            if let Some((order_ms, id)) = before {
                clauses.push("(order_ms, seq, row) < (?, ?, ?)");
                let (seq, row) = cursor_rest(connection, peer, order_ms, &id)?;
                values.extend([order_ms, seq, row].map(Value::Integer));
            }
            let condition = match clauses.is_empty() {
                true => String::new(),
                false => format!("WHERE {}", clauses.join(" AND ")),
            };
            let sql =
                format!("SELECT {} FROM messages {condition} ORDER BY order_ms DESC, seq DESC, row DESC", row::COLUMNS);
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut page = Vec::new();
            while page.len() < limit {
                let Some(row) = rows.next()? else { break };
                let message = row::message(row, &self.inner.folders)?;
                if wanted.as_ref().is_none_or(|wanted| has(&message, wanted)) {
                    page.push(message);
                }
            }
            page.reverse();
            Ok(page)
        })
    }

    /// The message of that key, if it is stored.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn message(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.read(|connection| row::find(connection, &self.inner.folders, peer, direction, id))
    }

    /// When the message of that key was deleted, in ms since 1970, if it was.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn tombstone(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<i64>, StoreError> {
        self.read(|connection| row::tombstone(connection, peer, direction, id))
    }

    /// Deletes a message with its attachment and remembers its id, so that it does not come again.
    /// `false`: there was none.
    ///
    /// # Errors
    /// A fault of the database, or an attachment that cannot be removed.
    pub fn delete_message(
        &self,
        peer: &PeerId,
        direction: Direction,
        id: &MessageId,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let path = self.inner.folders.attachment(peer, direction, id);
        let attached = self.write(|tx| {
            let attached: Option<bool> = tx
                .prepare_cached(
                    "DELETE FROM messages WHERE peer = ?1 AND direction = ?2 AND id = ?3 RETURNING attached",
                )?
                .query_row(params![peer.as_bytes(), direction.code(), id.0], |row| row.get(0))
                .optional()?;
            if attached.is_some() {
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO tombstones (peer, direction, id, deleted_at_ms) \
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![peer.as_bytes(), direction.code(), id.0, now_ms])?;
            }
            Ok(attached)
        })?;
        if attached == Some(true) {
            files::remove(&path).map_err(|error| self.inner.folders.fault("remove", &path, error))?;
        }
        Ok(attached.is_some())
    }
}

/// The rest of the place in the order that a cursor names. When its message is gone, all of its millisecond
/// counts as read.
fn cursor_rest(
    connection: &Connection,
    peer: Option<&PeerId>,
    order_ms: i64,
    id: &MessageId,
) -> Result<(i64, i64), StoreError> {
    let found = connection
        .prepare_cached("SELECT seq, row FROM messages WHERE order_ms = ?1 AND id = ?2 AND (?3 IS NULL OR peer = ?3)")?
        .query_row(params![order_ms, id.0, peer.map(PeerId::as_bytes)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or((i64::MIN, i64::MIN)))
}

fn has(message: &Message, wanted: &str) -> bool {
    [&message.text, &message.hidden, &message.name]
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(wanted))
}
