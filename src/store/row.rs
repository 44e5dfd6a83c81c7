//! Rows of `messages` to and from plain types.
//!
//! What is private goes through [`Private`] alone, both ways: the one place where columns will be sealed.

use rusqlite::types::{FromSql, FromSqlError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::files::Folders;
use super::{Direction, Kind, Lease, Message, MessageId, State, StoreError};
use crate::identity::PeerId;

/// The columns that [`message`] reads, in its order.
pub(super) const COLUMNS: &str = "row, peer, direction, id, seq, kind, state, sent_at_ms, \
     stored_at_ms, order_ms, bytes, attached, sm3, text, hidden, name, mime, reason";

/// Messages that come late (a large body among small ones) are put in order when their successor is
/// younger than this. Not for ever: a peer that lost its data starts again from 1.
const REORDER_MS_MAX: i64 = 10 * 60 * 1000;

/// The private columns of a row.
pub(super) struct Private {
    pub(super) sm3: [u8; 32],
    pub(super) text: Option<String>,
    pub(super) hidden: Option<String>,
    pub(super) name: Option<String>,
    pub(super) mime: Option<String>,
    pub(super) reason: Option<String>,
}

impl Private {
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Private> {
        Ok(Private {
            sm3: row.get(first)?,
            text: row.get(first + 1)?,
            hidden: row.get(first + 2)?,
            name: row.get(first + 3)?,
            mime: row.get(first + 4)?,
            reason: row.get(first + 5)?,
        })
    }
}

/// A row to be inserted.
pub(super) struct NewRow {
    pub(super) peer: PeerId,
    pub(super) direction: Direction,
    pub(super) id: MessageId,
    pub(super) seq: u64,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) sent_at_ms: i64,
    pub(super) stored_at_ms: i64,
    pub(super) bytes: u64,
    pub(super) attached: bool,
    pub(super) lease: Option<Lease>,
    pub(super) private: Private,
}

/// Inserts `new` and gives back the message as it is stored.
pub(super) fn insert(tx: &Transaction<'_>, folders: &Folders, new: &NewRow) -> Result<Message, StoreError> {
    let order_ms = place_in_order(tx, new)?;
    let private = &new.private;
    tx.prepare_cached(
        "INSERT INTO messages (peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, \
         state_at_ms, bytes, attached, lease_owner, lease_until_ms, sm3, text, hidden, name, mime, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?8, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?
    .execute(params![
        new.peer.as_bytes(),
        new.direction.code(),
        new.id.0,
        to_sql(new.seq),
        new.kind.code(),
        new.state.code(),
        new.sent_at_ms,
        new.stored_at_ms,
        order_ms,
        to_sql(new.bytes),
        new.attached,
        new.lease.map(|lease| lease.owner),
        new.lease.map(|lease| lease.until_ms),
        private.sm3,
        private.text,
        private.hidden,
        private.name,
        private.mime,
        private.reason,
    ])?;
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE row = ?1");
    let row = tx.last_insert_rowid();
    let stored = tx.prepare_cached(&sql)?.query_row([row], |row| message(row, folders))?;
    Ok(stored)
}

/// Where a new message stands in the history: at the end of its conversation whatever our clock does, but
/// before the successor (by `seq`) that came in faster.
fn place_in_order(tx: &Transaction<'_>, new: &NewRow) -> Result<i64, StoreError> {
    let last: Option<i64> = tx
        .prepare_cached("SELECT max(order_ms) FROM messages WHERE peer = ?1")?
        .query_row([new.peer.as_bytes()], |row| row.get(0))?;
    let end = match last {
        Some(last) => new.stored_at_ms.max(last.saturating_add(1)),
        None => new.stored_at_ms,
    };
    if new.direction == Direction::Out {
        return Ok(end);
    }
    let successor: Option<i64> = tx
        .prepare_cached(
            "SELECT order_ms FROM messages WHERE peer = ?1 AND direction = ?2 AND seq > ?3 \
             ORDER BY seq LIMIT 1",
        )?
        .query_row(params![new.peer.as_bytes(), new.direction.code(), to_sql(new.seq)], |row| row.get(0))
        .optional()?;
    Ok(match successor {
        Some(order) if order > end.saturating_sub(REORDER_MS_MAX) => order,
        _ => end,
    })
}

/// The message in `row`, which holds [`COLUMNS`].
pub(super) fn message(row: &Row<'_>, folders: &Folders) -> rusqlite::Result<Message> {
    let peer = PeerId(row.get(1)?);
    let direction = coded(row, 2, Direction::from_code)?;
    let id = MessageId(row.get(3)?);
    let attached: bool = row.get(11)?;
    let private = Private::read(row, 12)?;
    Ok(Message {
        id,
        peer,
        direction,
        seq: unsigned(row, 4)?,
        kind: coded(row, 5, Kind::from_code)?,
        sent_at_ms: row.get(7)?,
        stored_at_ms: row.get(8)?,
        order_ms: row.get(9)?,
        state: coded(row, 6, State::from_code)?,
        text: private.text,
        hidden: private.hidden,
        name: private.name,
        mime: private.mime,
        bytes: unsigned(row, 10)?,
        sm3: private.sm3,
        reason: private.reason,
        path: attached.then(|| folders.attachment(&peer, direction, &id)),
    })
}

/// The message of that key, if it is stored.
pub(super) fn find(
    connection: &Connection,
    folders: &Folders,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<Message>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE peer = ?1 AND direction = ?2 AND id = ?3");
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![peer.as_bytes(), direction.code(), id.0], |row| message(row, folders))
        .optional()?;
    Ok(found)
}

/// When the message of that key was deleted, if it was.
pub(super) fn tombstone(
    connection: &Connection,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<i64>, StoreError> {
    let found = connection
        .prepare_cached("SELECT deleted_at_ms FROM tombstones WHERE peer = ?1 AND direction = ?2 AND id = ?3")?
        .query_row(params![peer.as_bytes(), direction.code(), id.0], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// SQLite's integers are signed; what is larger was refused before (limits, quota).
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

fn coded<T>(row: &Row<'_>, index: usize, from: fn(i64) -> Option<T>) -> rusqlite::Result<T> {
    let value = row.get_ref(index)?;
    i64::column_result(value)
        .and_then(|code| from(code).ok_or(FromSqlError::OutOfRange(code)))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, value.data_type(), Box::new(error)))
}
