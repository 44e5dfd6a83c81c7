//! Rows of `messages` to and from plain types. What is private goes through one sealed column, both ways.

use minicbor::bytes::ByteArray;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::commit::Tx;
use super::vault::{BadSeal, BodyId, Vault};
use super::{Direction, Kind, Lease, Message, MessageId, Reaction, State, StoreError, Target};
use crate::identity::PeerId;

/// The columns that [`Raw::read`] reads, in its order.
pub(super) const COLUMNS: &str = "row, peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, \
     bytes, attached, target, target_direction, private, reason";

/// Messages that come late (a large body among small ones) are put in order when their successor is
/// younger than this. Not for ever: a peer that lost its data starts again from 1.
const REORDER_MS_MAX: i64 = 10 * 60 * 1000;

/// What stands clear in a row and never changes.
#[derive(Debug, Clone)]
pub(super) struct Clear {
    pub(super) peer: PeerId,
    pub(super) direction: Direction,
    pub(super) id: MessageId,
    pub(super) seq: u64,
    pub(super) kind: Kind,
    pub(super) sent_at_ms: i64,
    pub(super) stored_at_ms: i64,
    pub(super) order_ms: i64,
    pub(super) bytes: u64,
    pub(super) attached: bool,
    pub(super) target: Option<Target>,
}

impl Clear {
    /// What the seal of a row is bound to: the row, and everything in it that never changes.
    fn place(&self, row: i64) -> Vec<u8> {
        let mut place = b"miyu/1 messages".to_vec();
        let mut number = |number: i64| place.extend_from_slice(&number.to_be_bytes());
        [row, to_sql(self.seq), self.sent_at_ms, self.stored_at_ms, self.order_ms, to_sql(self.bytes)]
            .into_iter()
            .for_each(&mut number);
        [self.direction.code(), self.kind.code(), i64::from(self.attached)].into_iter().for_each(&mut number);
        number(self.target.map_or(-1, |target| target.direction.code()));
        place.extend_from_slice(self.peer.as_bytes());
        place.extend_from_slice(&self.id.0);
        place.extend_from_slice(&self.target.map_or([0; 16], |target| target.id.0));
        place
    }
}

/// The private part of a row. The numbers are the CBOR map keys of `docs/storage.md`.
#[derive(Clone, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub(super) struct Private {
    #[n(0)]
    pub(super) sm3: ByteArray<32>,
    #[n(1)]
    pub(super) text: Option<String>,
    #[n(2)]
    pub(super) hidden: Option<String>,
    #[n(3)]
    pub(super) name: Option<String>,
    #[n(4)]
    pub(super) mime: Option<String>,
    #[n(5)]
    pub(super) edited_at_ms: Option<i64>,
    /// The text before it was edited, for as long as it is to be sent.
    #[n(6)]
    pub(super) original: Option<String>,
}

impl Private {
    /// What has a digest and nothing else yet.
    pub(super) fn of(sm3: [u8; 32]) -> Private {
        Private {
            sm3: ByteArray::from(sm3),
            text: None,
            hidden: None,
            name: None,
            mime: None,
            edited_at_ms: None,
            original: None,
        }
    }

    fn to_cbor(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, StoreError> {
        let plain = minicbor::to_vec(self).map_err(|_| StoreError::NotText)?;
        Ok(zeroize::Zeroizing::new(plain))
    }
}

/// A row to be inserted. Its place in the order is found on the way.
pub(super) struct NewRow {
    pub(super) clear: Clear,
    pub(super) state: State,
    pub(super) lease: Option<Lease>,
    pub(super) private: Private,
}

/// Inserts `new` and gives back the message as it is stored.
pub(super) fn insert(tx: &Tx<'_>, mut new: NewRow) -> Result<Message, StoreError> {
    new.clear.order_ms = place_in_order(tx, &new.clear)?;
    let row = tx.new_row()?;
    let sealed = insert_at(tx, row, &new)?;
    let raw = Raw { row, clear: new.clear, state: new.state, sealed, reason: None, foreign: false };
    Ok(raw.with(new.private))
}

/// Inserts `new` under the number `row`. Gives the sealed part.
pub(super) fn insert_at(tx: &Tx<'_>, row: i64, new: &NewRow) -> Result<Vec<u8>, StoreError> {
    let clear = &new.clear;
    let sealed = tx.seal(&clear.place(row), &new.private.to_cbor()?)?;
    tx.prepare_cached(
        "INSERT INTO messages (row, peer, direction, id, seq, kind, state, sent_at_ms, stored_at_ms, order_ms, \
         state_at_ms, bytes, attached, target, target_direction, lease_owner, lease_until_ms, private) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?9, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        row,
        clear.peer.as_bytes(),
        clear.direction.code(),
        clear.id.0,
        to_sql(clear.seq),
        clear.kind.code(),
        new.state.code(),
        clear.sent_at_ms,
        clear.stored_at_ms,
        clear.order_ms,
        to_sql(clear.bytes),
        clear.attached,
        clear.target.map(|target| target.id.0),
        clear.target.map(|target| target.direction.code()),
        new.lease.map(|lease| lease.owner),
        new.lease.map(|lease| lease.until_ms),
        sealed,
    ])?;
    tx.added(&sealed)?;
    Ok(sealed)
}

/// Where a new message stands in the history: at the end of its conversation whatever our clock does, but
/// before the successor (by `seq`) that came in faster. A deletion takes the place of what it deletes.
fn place_in_order(tx: &Tx<'_>, new: &Clear) -> Result<i64, StoreError> {
    if let (Kind::Deletion, Some(target)) = (new.kind, new.target)
        && let Some(deleted) = find_raw(tx, &new.peer, target.direction, &target.id)?
    {
        return Ok(deleted.clear.order_ms);
    }
    let last: Option<i64> = tx
        .prepare_cached("SELECT max(order_ms) FROM messages INDEXED BY messages_by_peer WHERE peer = ?1 AND kind <= 4")?
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
            "SELECT order_ms FROM messages INDEXED BY messages_by_seq \
             WHERE peer = ?1 AND direction = ?2 AND seq > ?3 AND kind <= 3 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![new.peer.as_bytes(), new.direction.code(), to_sql(new.seq)], |row| row.get(0))
        .optional()?;
    Ok(match successor {
        Some(order) if order > end.saturating_sub(REORDER_MS_MAX) => order,
        _ => end,
    })
}

/// A row as it is stored.
pub(super) struct Raw {
    pub(super) row: i64,
    pub(super) clear: Clear,
    pub(super) state: State,
    pub(super) sealed: Vec<u8>,
    reason: Option<Vec<u8>>,
    /// A column has a value that none of ours has.
    foreign: bool,
}

impl Raw {
    /// The row, which holds [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
        // One row that was tampered with must not take its page along: what is in none of our rows is told by `foreign`.
        let mut foreign = false;
        let mut code = |index: usize, row: &Row<'_>| -> rusqlite::Result<i64> {
            let code: Option<i64> = row.get(index)?;
            foreign |= code.is_none_or(|code| code < 0);
            Ok(code.unwrap_or(0))
        };
        let target: Option<[u8; 16]> = row.get(12)?;
        let target_direction = target.map(|_| code(13, row)).transpose()?.unwrap_or(0);
        let (direction, kind, state) = (code(2, row)?, code(5, row)?, code(6, row)?);
        let (seq, bytes) = (code(4, row)?, code(10, row)?);
        foreign |= Direction::from_code(direction).is_none()
            || Direction::from_code(target_direction).is_none()
            || Kind::from_code(kind).is_none()
            || State::from_code(state).is_none();
        let way = |code| Direction::from_code(code).unwrap_or(Direction::In);
        Ok(Raw {
            row: row.get(0)?,
            clear: Clear {
                peer: PeerId(row.get(1)?),
                direction: way(direction),
                id: MessageId(row.get(3)?),
                seq: seq.unsigned_abs(),
                kind: Kind::from_code(kind).unwrap_or(Kind::Text),
                sent_at_ms: row.get(7)?,
                stored_at_ms: row.get(8)?,
                order_ms: row.get(9)?,
                bytes: bytes.unsigned_abs(),
                attached: row.get(11)?,
                target: target.map(|id| Target { id: MessageId(id), direction: way(target_direction) }),
            },
            state: State::from_code(state).unwrap_or(State::Received),
            foreign,
            sealed: row.get(14)?,
            reason: row.get(15)?,
        })
    }

    /// The private part.
    pub(super) fn open(&self, vault: &Vault) -> Result<Private, BadSeal> {
        if self.foreign {
            return Err(BadSeal);
        }
        let plain = vault.open_value(&self.clear.place(self.row), &self.sealed)?;
        minicbor::decode(&plain).map_err(|_| BadSeal)
    }

    /// The message. One that does not open is given all the same, as damaged and without what is private: it hides no
    /// other message of its page, and is not hidden itself.
    pub(super) fn message(self, vault: &Vault) -> Message {
        match self.open(vault) {
            Ok(private) => {
                let reason = self.reason.as_ref().map(|sealed| open_reason(vault, self.row, sealed));
                Message { reason, ..self.with(private) }
            }
            Err(BadSeal) => Message { damaged: true, ..self.with(Private::of([0; 32])) },
        }
    }

    fn with(self, private: Private) -> Message {
        let Clear { peer, direction, id, seq, kind, .. } = self.clear;
        Message {
            id,
            peer,
            direction,
            seq,
            kind,
            sent_at_ms: self.clear.sent_at_ms,
            stored_at_ms: self.clear.stored_at_ms,
            order_ms: self.clear.order_ms,
            state: self.state,
            text: private.text,
            hidden: private.hidden,
            name: private.name,
            mime: private.mime,
            bytes: self.clear.bytes,
            sm3: *private.sm3,
            reason: None,
            attached: self.clear.attached,
            target: self.clear.target,
            edited_at_ms: private.edited_at_ms,
            reactions: Vec::new(),
            damaged: false,
            original: private.original,
        }
    }

    /// The body's identity, for its attachment.
    pub(super) fn body_id(&self) -> BodyId {
        BodyId { peer: self.clear.peer, direction: self.clear.direction, id: self.clear.id }
    }

    /// Gives the row another private part.
    pub(super) fn reseal(&self, tx: &Tx<'_>, private: &Private) -> Result<(), StoreError> {
        let sealed = tx.seal(&self.clear.place(self.row), &private.to_cbor()?)?;
        tx.removed(&self.sealed)?;
        tx.added(&sealed)?;
        tx.prepare_cached("UPDATE messages SET private = ?2 WHERE row = ?1")?.execute(params![self.row, sealed])?;
        Ok(())
    }

    /// Deletes the row and leaves its tombstone.
    pub(super) fn delete(&self, tx: &Tx<'_>, now_ms: i64) -> Result<(), StoreError> {
        // what is stored by now: it may have been sealed anew since it was read
        let sealed: Vec<u8> = tx
            .prepare_cached("DELETE FROM messages WHERE row = ?1 RETURNING private")?
            .query_row([self.row], |row| row.get(0))?;
        tx.removed(&sealed)?;
        bury(tx, &self.clear.peer, self.clear.direction, &self.clear.id, now_ms)
    }
}

/// Seals why a message failed, for its row.
pub(super) fn seal_reason(tx: &Tx<'_>, row: i64, reason: &str) -> Result<Vec<u8>, StoreError> {
    tx.seal(&reason_place(row), reason.as_bytes())
}

fn open_reason(vault: &Vault, row: i64, sealed: &[u8]) -> String {
    match vault.open_value(&reason_place(row), sealed) {
        Ok(plain) => String::from_utf8_lossy(&plain).into_owned(),
        Err(BadSeal) => "the reason was changed on the disk".to_owned(),
    }
}

fn reason_place(row: i64) -> Vec<u8> {
    [b"miyu/1 reason".as_slice(), &row.to_be_bytes()].concat()
}

/// The row of that key, if it is stored.
pub(super) fn find_raw(
    connection: &Connection,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<Raw>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE peer = ?1 AND direction = ?2 AND id = ?3");
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![peer.as_bytes(), direction.code(), id.0], Raw::read)
        .optional()?;
    Ok(found)
}

/// The message of that key, if it is stored.
pub(super) fn find(
    connection: &Connection,
    vault: &Vault,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<Message>, StoreError> {
    Ok(find_raw(connection, peer, direction, id)?.map(|raw| raw.message(vault)))
}

/// Whether a message of that key is stored.
pub(super) fn exists(
    connection: &Connection,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM messages WHERE peer = ?1 AND direction = ?2 AND id = ?3")?;
    Ok(statement.exists(params![peer.as_bytes(), direction.code(), id.0])?)
}

/// What both sides say to a message now: the newest reaction of each, if it is not empty.
pub(super) fn reactions(
    connection: &Connection,
    vault: &Vault,
    message: &Message,
) -> Result<Vec<Reaction>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM messages INDEXED BY messages_by_target WHERE peer = ?1 AND target_direction = ?2 \
         AND target = ?3 AND kind = 6 AND direction = ?4 ORDER BY seq DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut reactions = Vec::new();
    for direction in [Direction::In, Direction::Out] {
        let key = params![message.peer.as_bytes(), message.direction.code(), message.id.0, direction.code()];
        let newest = statement.query_row(key, Raw::read).optional()?;
        let text = newest.and_then(|raw| raw.open(vault).ok()).and_then(|private| private.text);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            reactions.push(Reaction { direction, text });
        }
    }
    Ok(reactions)
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

/// Remembers that the message of that key is not to come (again).
pub(super) fn bury(
    tx: &Tx<'_>,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
    now_ms: i64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO tombstones (peer, direction, id, deleted_at_ms) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![peer.as_bytes(), direction.code(), id.0, now_ms])?;
    Ok(())
}

/// SQLite's integers are signed; what is larger was refused before (limits, quota).
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
