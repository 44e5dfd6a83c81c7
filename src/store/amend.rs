//! Messages about messages: edits, deletions, and what is done where they and their targets come in another order.
//!
//! They are rows like any other, so that they too are delivered exactly once and in order; what they do to their target is
//! done in the same transaction. Only the author's own messages are looked at: an edit that came from a peer names a message
//! that came from that peer, or nothing.

use std::path::PathBuf;

use rusqlite::{OptionalExtension, params};

use super::commit::Tx;
use super::files::Folders;
use super::row::{self, NewRow, Private, Raw};
use super::{Direction, Kind, MessageId, State, StoreError};
use crate::identity::PeerId;

/// Inserts a message and does to others, and to it, what the two have to do with each other. The second value is an
/// attachment whose message is gone, to be removed after the commit.
pub(super) fn insert(
    tx: &Tx<'_>,
    folders: &Folders,
    mut new: NewRow,
) -> Result<(super::Message, Option<PathBuf>), StoreError> {
    let clear = new.clear.clone();
    if let (Kind::Edit | Kind::Reaction, Direction::In, Some(target)) = (clear.kind, clear.direction, clear.target)
        && row::tombstone(tx, &clear.peer, target.direction, &target.id)?.is_some()
    {
        // it is delivered, once; nobody is shown what it says of a message that is gone
        new.private.text = None;
    }
    match (clear.kind, clear.target) {
        (Kind::Edit, Some(target)) => {
            let target = row::find_raw(tx, &clear.peer, clear.direction, &target.id)?;
            if let Some(target) = target.filter(|target| target.clear.kind.is_content()) {
                let before = newest_edit(tx, &clear.peer, clear.direction, &target.clear.id)?;
                if before.as_ref().is_none_or(|(edit, _)| edit.clear.seq < clear.seq) {
                    let text = new.private.text.clone().unwrap_or_default();
                    rewrite(tx, &target, text, clear.sent_at_ms)?;
                    before.map_or(Ok(()), |before| erase_sent(tx, before))?;
                } else if clear.direction == Direction::In {
                    // overtaken by a later one: nobody needs what it says
                    new.private.text = None;
                }
            }
        }
        (Kind::Deletion, Some(target)) => {
            let found = row::find_raw(tx, &clear.peer, clear.direction, &target.id)?;
            match found.filter(|found| found.clear.kind.is_content()) {
                Some(found) => {
                    let message = row::insert(tx, new)?;
                    erase_edits(tx, &found)?;
                    drop_unsent(tx, &found, clear.stored_at_ms)?;
                    found.delete(tx, clear.stored_at_ms)?;
                    return Ok((message, found.clear.attached.then(|| folders.attachment(&found.body_id()))));
                }
                // it is on its way still: when it comes it is told as arrived, and not shown
                None => row::bury(tx, &clear.peer, clear.direction, &target.id, clear.stored_at_ms)?,
            }
        }
        (kind, _) if kind.is_content() => {
            if let Some((edit, private)) = newest_edit(tx, &clear.peer, clear.direction, &clear.id)? {
                new.private.text = Some(private.text.unwrap_or_default());
                new.private.edited_at_ms = Some(edit.clear.sent_at_ms);
            }
        }
        _ => {}
    }
    Ok((row::insert(tx, new)?, None))
}

/// The edit of that message with the highest number, if it opens.
fn newest_edit(
    tx: &Tx<'_>,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<(Raw, Private)>, StoreError> {
    let sql = format!(
        "SELECT {} FROM messages INDEXED BY messages_by_target \
         WHERE peer = ?1 AND target_direction = ?2 AND target = ?3 AND direction = ?2 AND kind = ?4 \
         ORDER BY seq DESC LIMIT 1",
        row::COLUMNS
    );
    let key = params![peer.as_bytes(), direction.code(), id.0, Kind::Edit.code()];
    let found = tx.prepare_cached(&sql)?.query_row(key, Raw::read).optional()?;
    Ok(found.and_then(|raw| raw.open(tx.vault()).ok().map(|private| (raw, private))))
}

/// Gives a message another text. What was said first is kept only as long as it is still to be sent.
fn rewrite(tx: &Tx<'_>, target: &Raw, text: String, at_ms: i64) -> Result<(), StoreError> {
    // one that does not open stays as it is, and is shown as damaged
    let Ok(private) = target.open(tx.vault()) else { return Ok(()) };
    let unsent =
        target.clear.kind == Kind::Text && matches!(target.state, State::Queued | State::Sending | State::Failed);
    let original = if unsent { private.original.or(private.text) } else { None };
    target.reseal(tx, &Private { text: Some(text), edited_at_ms: Some(at_ms), original, ..private })
}

/// What the last edit of a message said goes with what the message said: its row stays, as it was delivered, without the
/// text. (The edits before it have lost theirs to it.) One that is still to be sent keeps it until then.
pub(super) fn erase_edits(tx: &Tx<'_>, target: &Raw) -> Result<(), StoreError> {
    let clear = &target.clear;
    newest_edit(tx, &clear.peer, clear.direction, &clear.id)?.map_or(Ok(()), |edit| erase_sent(tx, edit))
}

fn erase_sent(tx: &Tx<'_>, (edit, private): (Raw, Private)) -> Result<(), StoreError> {
    match edit.state {
        State::Queued | State::Sending => Ok(()),
        _ => erase(tx, &edit, private),
    }
}

/// What we have not sent yet about a message that is taken back never goes out: edits and reactions.
pub(super) fn drop_unsent(tx: &Tx<'_>, target: &Raw, now_ms: i64) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {} FROM messages INDEXED BY messages_by_target WHERE peer = ?1 AND target_direction = ?2 \
         AND target = ?3 AND kind IN (5, 6) AND direction = 1 AND state IN (0, 3)",
        row::COLUMNS
    );
    let clear = &target.clear;
    let key = params![clear.peer.as_bytes(), clear.direction.code(), clear.id.0];
    let unsent = tx.prepare_cached(&sql)?.query_map(key, Raw::read)?.collect::<Result<Vec<_>, _>>()?;
    unsent.iter().try_for_each(|raw| raw.delete(tx, now_ms))
}

fn erase(tx: &Tx<'_>, edit: &Raw, private: Private) -> Result<(), StoreError> {
    match private.text {
        Some(_) => edit.reseal(tx, &Private { text: None, ..private }),
        None => Ok(()),
    }
}

/// Our message has arrived: of an edit that a later one or a deletion has overtaken, nobody needs the words any more, and
/// of an edited message not what it said first.
pub(super) fn arrived(tx: &Tx<'_>, peer: &PeerId, id: &MessageId) -> Result<(), StoreError> {
    let Some(raw) = row::find_raw(tx, peer, Direction::Out, id)? else { return Ok(()) };
    let Ok(private) = raw.open(tx.vault()) else { return Ok(()) };
    match (raw.clear.kind, raw.clear.target) {
        (Kind::Edit, Some(target)) => {
            let newest = newest_edit(tx, peer, Direction::Out, &target.id)?;
            let is_newest = newest.is_some_and(|(edit, _)| edit.clear.seq == raw.clear.seq);
            match is_newest && row::exists(tx, peer, Direction::Out, &target.id)? {
                true => Ok(()),
                false => erase(tx, &raw, private),
            }
        }
        _ if private.original.is_some() => raw.reseal(tx, &Private { original: None, ..private }),
        _ => Ok(()),
    }
}
