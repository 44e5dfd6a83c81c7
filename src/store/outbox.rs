//! The outbox: messages wait here until the peer's receipt, whichever process sends them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::body::{BodyReader, BodyWriter};
use super::commit::Tx;
use super::row::{self, Clear, NewRow, Private, Raw};
use super::usage::Reservation;
use super::vault::BodyId;
use super::{
    Body, CLAIM_MESSAGES_MAX, Direction, Kind, LEASE_MS_MAX, Lease, Message, MessageId, NewOutgoing,
    REACTION_BYTES_MAX, State, Store, StoreError, TEXT_BYTES_MAX, amend, check_length, check_texts, files,
    stored_bytes,
};
use crate::crypto::sm3;
use crate::identity::PeerId;

// Queries over what waits name the partial index: SQLite would rather walk all that was ever sent.

/// Bytes copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// A body that is on the disk under a name that does not count yet.
struct Staged {
    path: PathBuf,
    bytes: u64,
    sm3: [u8; 32],
    room: Reservation,
    // keeps its lock until the body counts: without one it is nobody's
    file: Option<File>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // after the rename there is nothing of this name
        let _ = files::remove(&self.path);
    }
}

impl Store {
    /// Stores a message to be sent and numbers it. With a lease it is claimed at once for the caller, who
    /// is about to send it.
    ///
    /// The body is on the disk, a file copied and hashed as it was copied, before the row says so. An edit or a deletion
    /// is done to its target at once.
    ///
    /// # Errors
    /// A text or file over a limit, no room, an id that was used before, a file that cannot be read.
    pub fn enqueue(&self, new: NewOutgoing, now_ms: i64, lease: Option<Lease>) -> Result<Message, StoreError> {
        check_texts(&[
            ("text", &new.text),
            ("hidden text", &new.hidden),
            ("name", &new.name),
            ("media type", &new.mime),
        ])?;
        let (text, staged, bytes, digest) = match (new.kind, new.body) {
            (Kind::Text | Kind::Edit | Kind::Deletion | Kind::Reaction, Body::Text(text)) => {
                let bytes_max = match new.kind {
                    Kind::Deletion => 0,
                    Kind::Reaction => REACTION_BYTES_MAX,
                    _ => TEXT_BYTES_MAX,
                };
                check_length("text", text.len(), bytes_max)?;
                let (bytes, digest) = (text.len() as u64, sm3::digest(text.as_bytes()));
                (Some(text), None, bytes, digest)
            }
            (Kind::Text | Kind::Edit | Kind::Deletion | Kind::Reaction, _) => return Err(StoreError::NotText),
            (_, body) => {
                // before a large file is copied in vain
                self.read(|connection| refuse_used(connection, &new.peer, &new.id))?;
                let staged = self.stage(&new.peer, &new.id, body)?;
                let (bytes, digest) = (staged.bytes, staged.sm3);
                (new.text, Some(staged), bytes, digest)
            }
        };
        let new_row = NewRow {
            clear: Clear {
                peer: new.peer,
                direction: Direction::Out,
                id: new.id,
                seq: 0,
                kind: new.kind,
                sent_at_ms: now_ms,
                stored_at_ms: now_ms,
                order_ms: now_ms,
                bytes,
                attached: staged.is_some(),
                target: new.target,
            },
            state: if lease.is_some() { State::Sending } else { State::Queued },
            lease,
            private: Private { text, hidden: new.hidden, name: new.name, mime: new.mime, ..Private::of(digest) },
        };
        let result = self.write(|tx| self.enqueue_row(tx, new_row, staged.as_ref()));
        if let (Err(_), Some(staged)) = (&result, &staged) {
            self.take_back(&outgoing_body(&new.peer, &new.id), &staged.path);
        }
        result.map(|(message, orphan)| {
            self.remove_orphaned(orphan);
            message
        })
    }

    /// Places the body, numbers the message and inserts its row.
    fn enqueue_row(
        &self,
        tx: &Tx<'_>,
        mut new: NewRow,
        staged: Option<&Staged>,
    ) -> Result<(Message, Option<PathBuf>), StoreError> {
        let folders = &self.inner.folders;
        let (peer, id) = (new.clear.peer, new.clear.id);
        // now that nobody else writes: the rename must not hit another message's body
        refuse_used(tx, &peer, &id)?;
        check_target(tx, &new.clear)?;
        // taking something back makes room
        if staged.is_none() && new.clear.kind != Kind::Deletion {
            let (stored, free) = (stored_bytes(tx)?, self.free_bytes()?);
            self.inner.usage.check(self.folder(), stored, free, new.clear.bytes)?;
        }
        if let Some(staged) = staged {
            folders.place(&staged.path, &folders.attachment(&outgoing_body(&peer, &id)))?;
        }
        let seq: i64 = tx
            .prepare_cached(
                "INSERT INTO counters (peer, last_seq) VALUES (?1, 1) \
                 ON CONFLICT (peer) DO UPDATE SET last_seq = last_seq + 1 RETURNING last_seq",
            )?
            .query_row([peer.as_bytes()], |row| row.get(0))?;
        new.clear.seq = seq.unsigned_abs();
        amend::insert(tx, folders, new)
    }

    fn stage(&self, peer: &PeerId, id: &MessageId, body: Body) -> Result<Staged, StoreError> {
        match body {
            Body::Text(text) => self.stage_bytes(peer, id, text.as_bytes()),
            Body::Bytes(bytes) => self.stage_bytes(peer, id, &bytes),
            Body::File(path) => self.stage_file(peer, id, &path),
        }
    }

    fn stage_bytes(&self, peer: &PeerId, id: &MessageId, body: &[u8]) -> Result<Staged, StoreError> {
        let bytes = body.len() as u64;
        let mut source = body;
        self.stage_from(peer, id, &mut source, bytes, Path::new("memory"))
    }

    fn stage_file(&self, peer: &PeerId, id: &MessageId, path: &Path) -> Result<Staged, StoreError> {
        let fault = |error| self.inner.folders.fault("read", path, error);
        // asked before opening: opening a pipe would wait for its other end
        if !std::fs::metadata(path).map_err(fault)?.is_file() {
            return Err(StoreError::NotAFile { path: path.to_path_buf() });
        }
        let mut file = File::open(path).map_err(fault)?;
        let bytes = file.metadata().map_err(fault)?.len();
        self.stage_from(peer, id, &mut file, bytes, path)
    }

    /// Copies at most `bytes` bytes (a file that grows meanwhile is sent as it was), hashing what is written.
    fn stage_from(
        &self,
        peer: &PeerId,
        id: &MessageId,
        source: &mut dyn Read,
        bytes: u64,
        name: &Path,
    ) -> Result<Staged, StoreError> {
        let room = self.reserve(bytes, 0)?;
        let path = self.staging_path(peer, id)?;
        let mut staged = Staged { path: path.clone(), bytes: 0, sm3: [0; 32], room, file: None };
        let body = outgoing_body(peer, id);
        let mut writer = BodyWriter::create(&self.inner.folders, self.vault(), &path, &body, bytes)?;
        let mut source = source.take(bytes);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    writer.append(&buffer[..count])?;
                    staged.room.wrote(count as u64);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.inner.folders.fault("read", name, error)),
            }
        }
        let (file, bytes, digest) = writer.finish().map_err(|error| match error {
            StoreError::BodyMismatch { got, offered } => {
                StoreError::Shrunk { path: name.to_path_buf(), got, wanted: offered }
            }
            other => other,
        })?;
        (staged.file, staged.bytes, staged.sm3) = (Some(file), bytes, digest);
        Ok(staged)
    }

    /// Claims up to `limit` messages to `peer` that are queued, or whose lease has run out, in the order of
    /// `seq`. No other caller, in this or another process, gets them before the lease is over. A lease of more than
    /// [`LEASE_MS_MAX`] counts as run out.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn claim(&self, peer: &PeerId, lease: Lease, now_ms: i64, limit: usize) -> Result<Vec<Message>, StoreError> {
        let limit = i64::try_from(limit.min(CLAIM_MESSAGES_MAX)).unwrap_or(0);
        let sql = format!(
            "UPDATE messages SET state = 1, state_at_ms = ?2, lease_owner = ?3, lease_until_ms = ?4 \
             WHERE row IN (SELECT row FROM messages INDEXED BY messages_outbox \
             WHERE peer = ?1 AND direction = 1 AND state IN (0, 1) \
             AND (state = 0 OR lease_until_ms IS NULL OR lease_until_ms NOT BETWEEN ?2 + 1 AND ?6) \
             ORDER BY seq LIMIT ?5) \
             RETURNING {}",
            row::COLUMNS
        );
        // asked for often and mostly in vain: no write lock for nothing
        if self.outgoing_pending(peer)? == 0 {
            return Ok(Vec::new());
        }
        let until_max = now_ms.saturating_add(LEASE_MS_MAX);
        let mut claimed = self.write(|tx| {
            let mut statement = tx.prepare_cached(&sql)?;
            let rows = statement.query_map(
                params![peer.as_bytes(), now_ms, lease.owner, lease.until_ms, limit, until_max],
                Raw::read,
            )?;
            let claimed = rows.map(|raw| Ok(raw?.message(self.vault())));
            claimed.collect::<Result<Vec<Message>, StoreError>>()
        })?;
        // RETURNING promises no order
        claimed.sort_by_key(|message| message.seq);
        Ok(claimed)
    }

    /// Prolongs the caller's claim. `false`: it is lost, and the message is another's or done.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn renew(&self, id: &MessageId, peer: &PeerId, lease: Lease) -> Result<bool, StoreError> {
        self.change(
            "UPDATE messages SET lease_until_ms = ?4 WHERE peer = ?1 AND direction = 1 AND id = ?2 \
             AND state = 1 AND lease_owner = ?3",
            params![peer.as_bytes(), id.0, lease.owner, lease.until_ms],
        )
    }

    /// Gives a claimed message back to the outbox. `false`: it was not `owner`'s.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn release(&self, id: &MessageId, peer: &PeerId, owner: &[u8; 16]) -> Result<bool, StoreError> {
        self.change(
            "UPDATE messages SET state = 0, lease_owner = NULL, lease_until_ms = NULL \
             WHERE peer = ?1 AND direction = 1 AND id = ?2 AND state = 1 AND lease_owner = ?3",
            params![peer.as_bytes(), id.0, owner],
        )
    }

    /// Gives all messages claimed by `owner` back, as before the end of a process; gives their number.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn release_owned(&self, owner: &[u8; 16]) -> Result<u64, StoreError> {
        self.write(|tx| {
            let count = tx
                .prepare_cached(
                    "UPDATE messages INDEXED BY messages_outbox \
                     SET state = 0, lease_owner = NULL, lease_until_ms = NULL \
                     WHERE direction = 1 AND state IN (0, 1) AND state = 1 AND lease_owner = ?1",
                )?
                .execute([owner])?;
            Ok(count as u64)
        })
    }

    /// Notes the peer's receipt, whoever holds the claim. `false`: it was noted before, or is unknown.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn delivered(&self, peer: &PeerId, id: &MessageId, now_ms: i64) -> Result<bool, StoreError> {
        self.write(|tx| {
            let sql = "UPDATE messages SET state = 2, state_at_ms = ?3, reason = NULL, lease_owner = NULL, \
                 lease_until_ms = NULL WHERE peer = ?1 AND direction = 1 AND id = ?2 AND state NOT IN (2, 5)";
            let changed = tx.prepare_cached(sql)?.execute(params![peer.as_bytes(), id.0, now_ms])? > 0;
            if changed {
                amend::arrived(tx, peer, id)?;
            }
            Ok(changed)
        })
    }

    /// Notes that the message will never be delivered, and why. `false`: it has been, or is unknown.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn failed(&self, peer: &PeerId, id: &MessageId, reason: &str) -> Result<bool, StoreError> {
        check_length("reason", reason.len(), TEXT_BYTES_MAX)?;
        self.write(|tx| {
            let Some(row) = outgoing_row(tx, peer, id, "0, 1")? else { return Ok(false) };
            let sql = "UPDATE messages SET state = 3, reason = ?2, lease_owner = NULL, lease_until_ms = NULL \
                 WHERE row = ?1";
            tx.prepare_cached(sql)?.execute(params![row, row::seal_reason(tx, row, reason)?])?;
            Ok(true)
        })
    }

    /// Puts a message that failed back into the outbox, at its old place. `false`: it has not failed.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn retry(&self, peer: &PeerId, id: &MessageId) -> Result<bool, StoreError> {
        self.change(
            "UPDATE messages SET state = 0, reason = NULL WHERE peer = ?1 AND direction = 1 AND id = ?2 AND state = 3",
            params![peer.as_bytes(), id.0],
        )
    }

    /// Takes a message that waits or failed out of the outbox for good, with its body. `false`: there is none, or it has
    /// been delivered. One that another process is sending at this moment may arrive all the same.
    ///
    /// # Errors
    /// A fault of the database, or an attachment that cannot be removed.
    pub fn cancel(&self, peer: &PeerId, id: &MessageId, now_ms: i64) -> Result<bool, StoreError> {
        let cancelled = self.write(|tx| {
            let found = row::find_raw(tx, peer, Direction::Out, id)?;
            let Some(found) = found.filter(|raw| matches!(raw.state, State::Queued | State::Sending | State::Failed))
            else {
                return Ok(None);
            };
            if !found.clear.kind.is_content() {
                return Err(StoreError::NotPossible {
                    id: *id,
                    problem: "is about another message, which has it by now",
                });
            }
            amend::drop_unsent(tx, &found, now_ms)?;
            found.delete(tx, now_ms)?;
            Ok(Some(found.clear.attached))
        })?;
        if cancelled == Some(true) {
            self.remove_attachment(&outgoing_body(peer, id))?;
        }
        Ok(cancelled.is_some())
    }

    /// Notes that the peer has read everything of ours up to that message. Gives the messages that count as read now.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn read_by_peer(&self, peer: &PeerId, id: &MessageId, now_ms: i64) -> Result<Vec<MessageId>, StoreError> {
        self.write(|tx| {
            // whoever has read it has it: the receipt may come, or be noted, after this word
            let sql = "UPDATE messages SET state = 2, state_at_ms = ?3, reason = NULL, lease_owner = NULL, \
                 lease_until_ms = NULL WHERE peer = ?1 AND direction = 1 AND id = ?2 AND state = 1";
            if tx.prepare_cached(sql)?.execute(params![peer.as_bytes(), id.0, now_ms])? > 0 {
                amend::arrived(tx, peer, id)?;
            }
            let mut statement = tx.prepare_cached(
                "UPDATE messages INDEXED BY messages_unread SET state = 5, state_at_ms = ?3 \
                 WHERE peer = ?1 AND direction = 1 AND state IN (2, 4) AND state = 2 AND seq <= \
                 (SELECT seq FROM messages WHERE peer = ?1 AND direction = 1 AND id = ?2) RETURNING seq, id, kind <= 3",
            )?;
            let rows = statement.query_map(params![peer.as_bytes(), id.0, now_ms], |row| {
                Ok((row.get::<_, i64>(0)?, MessageId(row.get(1)?), row.get::<_, bool>(2)?))
            })?;
            let mut read = rows.collect::<Result<Vec<_>, _>>()?;
            read.sort();
            Ok(read.into_iter().filter(|(_, _, is_content)| *is_content).map(|(_, id, _)| id).collect())
        })
    }

    /// Messages to `peer` that are neither delivered nor failed.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn outgoing_pending(&self, peer: &PeerId) -> Result<u64, StoreError> {
        self.read(|connection| {
            let count: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM messages INDEXED BY messages_outbox \
             WHERE peer = ?1 AND direction = 1 AND state IN (0, 1)",
                )?
                .query_row([peer.as_bytes()], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// The peers that have messages waiting, in the order of their ids.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn peers_with_outbox(&self) -> Result<Vec<PeerId>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT peer FROM messages INDEXED BY messages_outbox \
                 WHERE direction = 1 AND state IN (0, 1) ORDER BY peer",
            )?;
            let peers = statement.query_map([], |row| Ok(PeerId(row.get(0)?)))?;
            Ok(peers.collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// The body of a stored message.
    ///
    /// # Errors
    /// An attachment that is missing, unreadable, or not as long as it was.
    pub fn body(&self, message: &Message) -> Result<BodyReader, StoreError> {
        if message.damaged {
            return Err(StoreError::MessageChanged { id: message.id });
        }
        if message.attached {
            let body = BodyId { peer: message.peer, direction: message.direction, id: message.id };
            let path = self.inner.folders.attachment(&body);
            return BodyReader::disk(&self.inner.folders, self.vault(), &path, &body, message.bytes);
        }
        let text = message.original.as_ref().or(message.text.as_ref());
        Ok(BodyReader::memory(text.cloned().unwrap_or_default().into_bytes()))
    }

    fn change(&self, sql: &str, params: impl rusqlite::Params) -> Result<bool, StoreError> {
        self.write(|tx| Ok(tx.prepare_cached(sql)?.execute(params)? > 0))
    }
}

/// Ids are used once, also those of messages that were deleted.
fn refuse_used(connection: &Connection, peer: &PeerId, id: &MessageId) -> Result<(), StoreError> {
    let stored = row::exists(connection, peer, Direction::Out, id)?;
    match stored || row::tombstone(connection, peer, Direction::Out, id)?.is_some() {
        true => Err(StoreError::DuplicateId { id: *id }),
        false => Ok(()),
    }
}

fn outgoing_body(peer: &PeerId, id: &MessageId) -> BodyId {
    BodyId { peer: *peer, direction: Direction::Out, id: *id }
}

/// The number of our message of that key, if it has one of these states.
fn outgoing_row(tx: &Tx<'_>, peer: &PeerId, id: &MessageId, states: &'static str) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT row FROM messages WHERE peer = ?1 AND direction = 1 AND id = ?2 AND state IN ({states})");
    let found = tx.prepare_cached(&sql)?.query_row(params![peer.as_bytes(), id.0], |row| row.get(0)).optional()?;
    Ok(found)
}

/// Refuses what could do nothing: an edit of what is not ours or has no text, a message about one that is not there.
fn check_target(tx: &Tx<'_>, new: &Clear) -> Result<(), StoreError> {
    let Some(target) = new.target else {
        return match new.kind.is_content() {
            true => Ok(()),
            false => Err(StoreError::NotPossible { id: new.id, problem: "names no message that it is about" }),
        };
    };
    let refuse = |problem| Err(StoreError::NotPossible { id: target.id, problem });
    let Some(found) = row::find_raw(tx, &new.peer, target.direction, &target.id)? else {
        return refuse("is not in this conversation");
    };
    match new.kind {
        Kind::Edit | Kind::Deletion if target.direction == Direction::In => refuse("is not one of ours"),
        _ if !found.clear.kind.is_content() => refuse("is not a message by itself"),
        _ => Ok(()),
    }
}
