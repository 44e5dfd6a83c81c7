//! Reading what is stored, page by page.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::row::{self, Raw};
use super::{Conversation, Cursor, Direction, Message, MessageId, PAGE_MESSAGES_MAX, Place, Query, Store, StoreError};
use crate::identity::PeerId;

impl Store {
    /// One page of the history, oldest first, read without what lies before and behind it.
    ///
    /// Messages of one peer and direction stand in the order of `seq`, all others by when they were stored. What says
    /// something about another message (edits, reactions) is found in that message; deletions stand where the deleted
    /// message stood.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn page(&self, query: &Query<'_>) -> Result<Vec<Message>, StoreError> {
        let limit = query.limit.min(PAGE_MESSAGES_MAX);
        let words = query.words.filter(|words| !words.trim().is_empty());
        let mut page = match words {
            Some(words) => self.search(query, words, limit)?,
            None => self.read(|connection| self.walk(connection, query, limit, |_| true))?,
        };
        if query.from.is_backward() {
            page.reverse();
        }
        self.read(|connection| {
            for message in &mut page {
                message.reactions = row::reactions(connection, self.vault(), message)?;
            }
            Ok(page)
        })
    }

    /// Up to `limit` messages that `wanted` says yes to, in the direction of the query.
    pub(super) fn walk(
        &self,
        connection: &Connection,
        query: &Query<'_>,
        limit: usize,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Message>, StoreError> {
        let mut clauses = vec!["kind <= 4"];
        let mut values: Vec<Value> = Vec::new();
        if let Some(peer) = query.peer {
            clauses.push("peer = ?");
            values.push(Value::Blob(peer.as_bytes().to_vec()));
        }
        match query.from {
            Place::Newest | Place::Oldest => {}
            Place::Before(cursor) => {
                clauses.push("(order_ms, seq, row) < (?, ?, ?)");
                values.extend(cursor_values(connection, query.peer, &cursor, i64::MIN)?);
            }
            Place::After(cursor) => {
                clauses.push("(order_ms, seq, row) > (?, ?, ?)");
                values.extend(cursor_values(connection, query.peer, &cursor, i64::MAX)?);
            }
        }
        let order = if query.from.is_backward() { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {} FROM messages WHERE {} ORDER BY order_ms {order}, seq {order}, row {order}",
            row::COLUMNS,
            clauses.join(" AND ")
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut page = Vec::new();
        while page.len() < limit {
            let Some(row) = rows.next()? else { break };
            let message = Raw::read(row)?.message(self.vault());
            if wanted(&message) {
                page.push(message);
            }
        }
        Ok(page)
    }

    /// The message of that key, if it is stored.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn message(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.read(|connection| {
            let Some(mut found) = row::find(connection, self.vault(), peer, direction, id)? else { return Ok(None) };
            found.reactions = row::reactions(connection, self.vault(), &found)?;
            Ok(Some(found))
        })
    }

    /// When the message of that key was deleted, in ms since 1970, if it was.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn tombstone(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<i64>, StoreError> {
        self.read(|connection| row::tombstone(connection, peer, direction, id))
    }

    /// Everybody with whom something is stored, the latest conversation first.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        self.read(|connection| {
            let mut found = Vec::new();
            let mut after: Vec<u8> = Vec::new();
            // one look into the index for each peer, not for each message
            loop {
                let next: Option<PeerId> = connection
                    .prepare_cached(
                        "SELECT peer FROM messages INDEXED BY messages_by_peer \
                         WHERE kind <= 4 AND peer > ?1 ORDER BY peer LIMIT 1",
                    )?
                    .query_row([&after], |row| Ok(PeerId(row.get(0)?)))
                    .optional()?;
                let Some(peer) = next else { break };
                after = peer.as_bytes().to_vec();
                found.push(self.conversation(connection, peer)?);
            }
            found.sort_by_key(|conversation| std::cmp::Reverse(conversation.last.as_ref().map(Message::cursor)));
            Ok(found)
        })
    }

    fn conversation(&self, connection: &Connection, peer: PeerId) -> Result<Conversation, StoreError> {
        let query = Query { peer: Some(&peer), ..Query::default() };
        let last = self.walk(connection, &query, 1, |_| true)?.pop();
        let unread: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM messages INDEXED BY messages_unread \
                 WHERE peer = ?1 AND direction = 0 AND state IN (2, 4) AND state = 4",
            )?
            .query_row([peer.as_bytes()], |row| row.get(0))?;
        Ok(Conversation { peer, unread: unread.unsigned_abs(), last })
    }

    /// Counts what came from `peer` as read, up to that message of the history and with it. Gives how many were unread.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn mark_read(&self, peer: &PeerId, up_to: &Cursor, now_ms: i64) -> Result<u64, StoreError> {
        self.write(|tx| {
            let [order_ms, seq, row] = place_of(tx, Some(peer), up_to, i64::MAX)?;
            let count = tx
                .prepare_cached(
                    "UPDATE messages INDEXED BY messages_unread SET state = 6, state_at_ms = ?5 \
                     WHERE peer = ?1 AND direction = 0 AND state IN (2, 4) AND state = 4 \
                     AND (order_ms, messages.seq, messages.row) <= (?2, ?3, ?4)",
                )?
                .execute(params![peer.as_bytes(), order_ms, seq, row, now_ms])?;
            Ok(count as u64)
        })
    }

    /// The newest message of `peer` that was read here: what a read receipt names.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn last_read(&self, peer: &PeerId) -> Result<Option<MessageId>, StoreError> {
        self.read(|connection| {
            let found = connection
                .prepare_cached(
                    "SELECT id FROM messages INDEXED BY messages_seen WHERE peer = ?1 AND state = 6 AND kind <= 3 \
                     ORDER BY order_ms DESC, seq DESC, row DESC LIMIT 1",
                )?
                .query_row([peer.as_bytes()], |row| Ok(MessageId(row.get(0)?)))
                .optional()?;
            Ok(found)
        })
    }
}

/// The whole place in the order that a cursor names. When its message is gone, all of its millisecond counts as on the side
/// of `rest`.
pub(super) fn place_of(
    connection: &Connection,
    peer: Option<&PeerId>,
    (order_ms, id): &Cursor,
    rest: i64,
) -> Result<[i64; 3], StoreError> {
    let found: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT seq, row FROM messages WHERE kind <= 4 AND order_ms = ?1 AND id = ?2 AND (?3 IS NULL OR peer = ?3)",
        )?
        .query_row(params![order_ms, id.0, peer.map(PeerId::as_bytes)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, row) = found.unwrap_or((rest, rest));
    Ok([*order_ms, seq, row])
}

fn cursor_values(
    connection: &Connection,
    peer: Option<&PeerId>,
    cursor: &Cursor,
    rest: i64,
) -> Result<[Value; 3], StoreError> {
    Ok(place_of(connection, peer, cursor, rest)?.map(Value::Integer))
}
