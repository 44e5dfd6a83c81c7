//! Bodies that come in: small ones in memory, large ones in a file that outlives a broken connection.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::body::{self, BodyReader, BodyWriter};
use super::commit::Tx;
use super::row::{self, Clear, NewRow, Private};
use super::usage::Reservation;
use super::vault::BodyId;
use super::{
    CHUNK_BYTES, Direction, Incoming, KEEP_PARTIAL_BYTES, Kind, Known, Message, MessageId, PARTIALS_PER_PEER_MAX,
    PEEK_BYTES_MAX, REACTION_BYTES_MAX, State, Store, StoreError, TEXT_BYTES_MAX, amend, check_length, check_texts,
    files,
};
use crate::crypto::sm3::Sm3;
use crate::identity::PeerId;

/// Endings of the files in `incoming/`: the chunks, and which offer they belong to.
pub(super) const PART: &str = "part";
pub(super) const OFFER: &str = "offer";
/// A body that is coming in. Dropping it keeps the whole chunks of a large one for a later resumption.
pub struct Receive {
    store: Store,
    peer: PeerId,
    offer: Incoming,
    // None only once `finish` has taken it
    sink: Option<(Sink, Reservation)>,
    resume_offset: u64,
}

enum Sink {
    Memory(Vec<u8>, Sm3),
    Disk(BodyWriter),
}

/// A body that has come whole, with the right size and SM3, but counts only once it is committed.
pub struct Complete {
    store: Store,
    peer: PeerId,
    offer: Incoming,
    body: Option<CompleteBody>,
    room: Option<Reservation>,
}

enum CompleteBody {
    Memory(Vec<u8>),
    // the file keeps its lock until it is placed
    Disk(File),
}

impl std::fmt::Debug for Receive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receive({:?})", self.offer)
    }
}

impl std::fmt::Debug for Complete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Complete({:?})", self.offer)
    }
}

impl Store {
    /// What is known of the incoming message `id` of `peer`.
    ///
    /// # Errors
    /// A fault of the database.
    pub fn lookup(&self, peer: &PeerId, id: &MessageId) -> Result<Option<Known>, StoreError> {
        self.read(|connection| {
            if let Some(found) = row::find_raw(connection, peer, Direction::In, id)? {
                return self.known(&found).map(Some);
            }
            let deleted = row::tombstone(connection, peer, Direction::In, id)?;
            Ok(deleted.map(|_| Known::Tombstone))
        })
    }

    fn known(&self, found: &row::Raw) -> Result<Known, StoreError> {
        let private = found.open(self.vault()).map_err(|_| StoreError::MessageChanged { id: found.clear.id })?;
        Ok(Known::Stored { kind: found.clear.kind, bytes: found.clear.bytes, sm3: *private.sm3 })
    }

    /// Starts, or goes on with, the body of `offer`. What is kept of it is hashed again first.
    ///
    /// # Errors
    /// No room, a text over its limit, the same body under way already, a fault of the folder.
    pub fn begin_receive(&self, peer: &PeerId, offer: &Incoming) -> Result<Receive, StoreError> {
        check_texts(&[("name", &offer.name), ("media type", &offer.mime)])?;
        let bytes = usize::try_from(offer.bytes).unwrap_or(usize::MAX);
        match offer.kind {
            Kind::Text | Kind::Edit => check_length("text", bytes, TEXT_BYTES_MAX)?,
            Kind::Reaction => check_length("reaction", bytes, REACTION_BYTES_MAX)?,
            Kind::Deletion => check_length("deletion", bytes, 0)?,
            Kind::Picture | Kind::Clip | Kind::File => {}
        }
        let (sink, room) = if offer.bytes <= KEEP_PARTIAL_BYTES {
            let room = self.reserve(offer.bytes, 0)?;
            let capacity = usize::try_from(offer.bytes).unwrap_or(0);
            (Sink::Memory(Vec::with_capacity(capacity), Sm3::new()), room)
        } else {
            let (writer, room) = self.open_partial(peer, offer)?;
            (Sink::Disk(writer), room)
        };
        let resume_offset = match &sink {
            Sink::Memory(..) => 0,
            Sink::Disk(writer) => writer.whole_bytes(),
        };
        Ok(Receive { store: self.clone(), peer: *peer, offer: offer.clone(), sink: Some((sink, room)), resume_offset })
    }

    fn part_path(&self, peer: &PeerId, id: &MessageId) -> PathBuf {
        let folder = self.inner.folders.incoming_of(peer);
        folder.join(format!("{id}.{PART}"))
    }

    fn open_partial(&self, peer: &PeerId, offer: &Incoming) -> Result<(BodyWriter, Reservation), StoreError> {
        let folders = &self.inner.folders;
        folders.ensure(&folders.incoming_of(peer))?;
        let path = self.part_path(peer, &offer.id);
        let side = path.with_extension(OFFER);
        let fault = |error| folders.fault("open", &path, error);
        self.take_up(peer, &offer.id, &path)?;
        if !path.exists() {
            // asked before anything is made, so that a refusal leaves no file
            self.room_for(offer.bytes)?;
            self.drop_oldest_partials(&folders.incoming_of(peer));
        }
        let file = files::open_private(&path, false).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::ReceiveBusy { id: offer.id }),
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        let present = body::body_bytes(file.metadata().map_err(fault)?.len());
        let wanted = self.vault().offer_mark(&incoming_body(peer, offer), offer.bytes, &offer.sm3);
        let is_same = fs::read(&side).is_ok_and(|facts| facts == wanted) && present <= offer.bytes;
        if !is_same {
            file.set_len(0).map_err(fault)?;
            self.inner.usage.release_held(present);
            files::open_private(&side, true)
                .and_then(|mut file| file.write_all(&wanted))
                .map_err(|error| folders.fault("write", &side, error))?;
        }
        let present = if is_same { present } else { 0 };
        let room = match self.reserve(offer.bytes, present) {
            Ok(room) => room,
            Err(error) => {
                // an empty file would be no use to anybody
                if present == 0 {
                    remove_partial(&path);
                }
                return Err(error);
            }
        };
        let writer = BodyWriter::resume(folders, self.vault(), &path, file, &incoming_body(peer, offer), offer.bytes)?;
        Ok((writer, room))
    }

    /// A crash between a body's last name and its row leaves a whole body that does not count: it becomes the partial
    /// body again that it was, and goes on from its end.
    fn take_up(&self, peer: &PeerId, id: &MessageId, part: &Path) -> Result<(), StoreError> {
        let place = self.inner.folders.attachment(&BodyId { peer: *peer, direction: Direction::In, id: *id });
        if part.exists() || !place.exists() {
            return Ok(());
        }
        // nobody else places a body or commits its row meanwhile
        self.write(|tx| {
            let is_free = || File::open(&place).is_ok_and(|file| file.try_lock().is_ok());
            if !row::exists(tx, peer, Direction::In, id)? && is_free() {
                let bytes = body::body_bytes(fs::metadata(&place).map_or(0, |about| about.len()));
                fs::rename(&place, part).map_err(|error| self.inner.folders.fault("rename", &place, error))?;
                self.inner.usage.hold(bytes);
            }
            Ok(())
        })
    }

    /// Makes place for one more partial body in `folder`. Those that are being written stay.
    fn drop_oldest_partials(&self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        let mut parts: Vec<(std::time::SystemTime, PathBuf, u64)> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == PART))
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, entry.path(), body::body_bytes(about.len())))
            })
            .collect();
        parts.sort();
        let surplus = (parts.len() + 1).saturating_sub(PARTIALS_PER_PEER_MAX);
        for (_, path, bytes) in parts.into_iter().take(surplus) {
            let is_free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            if is_free && remove_partial(&path) {
                self.inner.usage.release_held(bytes);
            }
        }
    }

    /// Makes a whole body count: it gets its last name and its row, both on the disk when this returns.
    /// `text` is what was said with an attachment (a text message brings its own), `hidden` what was found
    /// in a picture. An edit or a deletion is done to its target at once. The second value is `false` when the very message was stored before: nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the id is stored with another content, [`StoreError::Deleted`] when it
    /// was deleted, [`StoreError::NotText`]; or a fault of folder or database.
    pub fn commit_received(
        &self,
        mut complete: Complete,
        text: Option<String>,
        hidden: Option<String>,
        now_ms: i64,
    ) -> Result<(Message, bool), StoreError> {
        check_texts(&[("text", &text), ("hidden text", &hidden)])?;
        let peer = complete.peer;
        let offer = complete.offer.clone();
        let in_row = matches!(offer.kind, Kind::Text | Kind::Edit | Kind::Deletion | Kind::Reaction);
        let text = match &complete.body {
            Some(CompleteBody::Memory(body)) if in_row => {
                Some(String::from_utf8(body.clone()).map_err(|_| StoreError::NotText)?)
            }
            _ => text,
        };
        let staged = if in_row { None } else { Some(self.stage_complete(&mut complete)?) };
        let new_row = incoming_row(&peer, &offer, staged.is_some(), (text, hidden), now_ms);
        let result = self.write(|tx| self.commit_row(tx, &offer, new_row, staged.as_deref()));
        let result = result.map(|(message, new, orphan)| {
            self.remove_orphaned(orphan);
            (message, new)
        });
        let Some(staged) = staged else {
            return result;
        };
        match &result {
            Ok(_) | Err(StoreError::Conflict { .. } | StoreError::Deleted { .. }) => {
                // after the rename there is nothing of this name; otherwise nobody wants the bytes
                remove_partial(&staged);
                complete.body = None;
            }
            Err(_) => {
                self.take_back(&incoming_body(&peer, &offer), &staged);
                if matches!(complete.body, Some(CompleteBody::Memory(_))) {
                    let _ = files::remove(&staged);
                }
            }
        }
        result
    }

    fn commit_row(
        &self,
        tx: &Tx<'_>,
        offer: &Incoming,
        new_row: NewRow,
        staged: Option<&Path>,
    ) -> Result<(Message, bool, Option<PathBuf>), StoreError> {
        let folders = &self.inner.folders;
        let (peer, id) = (&new_row.clear.peer, &new_row.clear.id);
        if let Some(stored) = row::find_raw(tx, peer, Direction::In, id)? {
            return match self.known(&stored)?.is_same(offer) {
                true => Ok((stored.message(self.vault()), false, None)),
                false => Err(StoreError::Conflict { id: *id }),
            };
        }
        if row::tombstone(tx, peer, Direction::In, id)?.is_some() {
            return Err(StoreError::Deleted { id: *id });
        }
        if let Some(staged) = staged {
            folders.place(staged, &folders.attachment(&incoming_body(peer, offer)))?;
        }
        let (message, orphan) = amend::insert(tx, folders, new_row)?;
        Ok((message, true, orphan))
    }

    /// The file of a whole body, synced.
    fn stage_complete(&self, complete: &mut Complete) -> Result<PathBuf, StoreError> {
        match &complete.body {
            Some(CompleteBody::Memory(body)) => {
                let path = self.staging_path(&complete.peer, &complete.offer.id)?;
                let id = incoming_body(&complete.peer, &complete.offer);
                let mut writer =
                    BodyWriter::create(&self.inner.folders, self.vault(), &path, &id, complete.offer.bytes)?;
                if let Err(error) = writer.append(body).and_then(|()| writer.finish()) {
                    // a sender tries again and again: nothing is left behind each time
                    let _ = files::remove(&path);
                    return Err(error);
                }
                Ok(path)
            }
            _ => Ok(self.part_path(&complete.peer, &complete.offer.id)),
        }
    }
}

impl Receive {
    /// From which byte on the sender is to send: a multiple of [`CHUNK_BYTES`], 0 for a small body.
    pub fn resume_offset(&self) -> u64 {
        debug_assert_eq!(self.resume_offset % CHUNK_BYTES, 0);
        self.resume_offset
    }

    /// The bytes that are here, those from before the resumption included.
    pub fn written(&self) -> u64 {
        match &self.sink {
            Some((Sink::Memory(body, _), _)) => body.len() as u64,
            Some((Sink::Disk(writer), _)) => writer.len(),
            None => 0,
        }
    }

    /// Appends what came.
    ///
    /// # Errors
    /// [`StoreError::BodyMismatch`] when more comes than was offered; or a fault of the disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let got = self.written().saturating_add(bytes.len() as u64);
        if got > self.offer.bytes {
            return Err(StoreError::BodyMismatch { got, offered: self.offer.bytes });
        }
        match &mut self.sink {
            Some((Sink::Memory(body, hash), _)) => {
                hash.update(bytes);
                body.extend_from_slice(bytes);
                Ok(())
            }
            Some((Sink::Disk(writer), room)) => {
                room.wrote(bytes.len() as u64);
                writer.append(bytes)
            }
            None => Ok(()),
        }
    }

    /// Ends the body: syncs it and checks its size and SM3.
    ///
    /// # Errors
    /// [`StoreError::BodyMismatch`], after which nothing of the body is kept; or a fault of the disk.
    pub fn finish(mut self) -> Result<Complete, StoreError> {
        let offered = self.offer.bytes;
        let mismatch = |got| StoreError::BodyMismatch { got, offered };
        let Some((sink, room)) = self.sink.take() else {
            return Err(mismatch(0));
        };
        let (body, got, digest) = match sink {
            Sink::Memory(body, hash) => {
                let got = body.len() as u64;
                (CompleteBody::Memory(body), got, hash.finish())
            }
            Sink::Disk(writer) => {
                let kept = writer.whole_bytes();
                match writer.finish() {
                    Ok((file, got, digest)) => (CompleteBody::Disk(file), got, digest),
                    Err(StoreError::BodyMismatch { got, .. }) => {
                        remove_partial(&self.store.part_path(&self.peer, &self.offer.id));
                        return Err(mismatch(got));
                    }
                    Err(error) => {
                        room.hold(kept);
                        return Err(error);
                    }
                }
            }
        };
        if (got, digest) != (offered, self.offer.sm3) {
            if let CompleteBody::Disk(file) = body {
                drop(file);
                remove_partial(&self.store.part_path(&self.peer, &self.offer.id));
            }
            return Err(mismatch(got));
        }
        Ok(Complete {
            store: self.store.clone(),
            peer: self.peer,
            offer: self.offer.clone(),
            body: Some(body),
            room: Some(room),
        })
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        if let Some((Sink::Disk(writer), room)) = self.sink.take() {
            let kept = writer.whole_bytes();
            if kept == 0 {
                remove_partial(&self.store.part_path(&self.peer, &self.offer.id));
            }
            writer.keep();
            room.hold(kept);
        }
    }
}

impl Complete {
    /// What was offered.
    pub fn offer(&self) -> &Incoming {
        &self.offer
    }

    /// The bytes of the body, to be looked at before it counts: a picture is searched for a hidden text, say.
    ///
    /// # Errors
    /// A body over [`PEEK_BYTES_MAX`], or a file that cannot be read.
    pub fn peek(&self) -> Result<Vec<u8>, StoreError> {
        self.reader()?.read_all(PEEK_BYTES_MAX)
    }

    /// The body, to be looked at in pieces.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn reader(&self) -> Result<BodyReader, StoreError> {
        match &self.body {
            Some(CompleteBody::Memory(body)) => Ok(BodyReader::memory(body.clone())),
            _ => {
                let path = self.store.part_path(&self.peer, &self.offer.id);
                let id = incoming_body(&self.peer, &self.offer);
                BodyReader::disk(&self.store.inner.folders, self.store.vault(), &path, &id, self.offer.bytes)
            }
        }
    }
}

impl Drop for Complete {
    fn drop(&mut self) {
        // not committed: a large body stays to be resumed at its end
        if let (Some(CompleteBody::Disk(_)), Some(room)) = (&self.body, self.room.take()) {
            room.hold(self.offer.bytes);
        }
    }
}

fn incoming_body(peer: &PeerId, offer: &Incoming) -> BodyId {
    BodyId { peer: *peer, direction: Direction::In, id: offer.id }
}

fn incoming_row(
    peer: &PeerId,
    offer: &Incoming,
    attached: bool,
    (text, hidden): (Option<String>, Option<String>),
    now_ms: i64,
) -> NewRow {
    NewRow {
        clear: Clear {
            peer: *peer,
            direction: Direction::In,
            id: offer.id,
            seq: offer.seq,
            kind: offer.kind,
            sent_at_ms: offer.sent_at_ms,
            stored_at_ms: now_ms,
            order_ms: now_ms,
            bytes: offer.bytes,
            attached,
            target: offer.target,
        },
        // what says something about another message is not counted as unread
        state: if offer.kind.is_content() { State::Received } else { State::Seen },
        lease: None,
        private: Private { text, hidden, name: offer.name.clone(), mime: offer.mime.clone(), ..Private::of(offer.sm3) },
    }
}

/// Removes a partial body and its offer; whether the body is gone.
pub(super) fn remove_partial(part: &Path) -> bool {
    let gone = files::remove(part).is_ok();
    let _ = files::remove(&part.with_extension(OFFER));
    gone
}
