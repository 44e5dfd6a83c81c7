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
    let mut orphan = None;
    match (clear.kind, clear.target) {
        (Kind::Edit, Some(target)) => {
            let target = row::find_raw(tx, &clear.peer, clear.direction, &target.id)?;
            if let Some(target) = target.filter(|target| target.clear.kind.is_content()) {
                let newer = newest_edit(tx, &clear.peer, clear.direction, &target.clear.id)?;
                if newer.is_none_or(|(seq, ..)| seq < clear.seq) {
                    let text = new.private.text.clone().unwrap_or_default();
                    rewrite(tx, &target, text, clear.sent_at_ms)?;
                    erase_edits(tx, &target)?;
                }
            }
        }
        (Kind::Deletion, Some(target)) => {
            let found = row::find_raw(tx, &clear.peer, clear.direction, &target.id)?;
            match found.filter(|found| found.clear.kind.is_content()) {
                Some(found) => {
                    let message = row::insert(tx, new)?;
                    erase_edits(tx, &found)?;
                    found.delete(tx, clear.stored_at_ms)?;
                    orphan = found.clear.attached.then(|| folders.attachment(&found.body_id()));
                    return Ok((message, orphan));
                }
                // it is on its way still: when it comes it is told as arrived, and not shown
                None => row::bury(tx, &clear.peer, clear.direction, &target.id, clear.stored_at_ms)?,
            }
        }
        (kind, _) if kind.is_content() => {
            if let Some((_, text, at_ms)) = newest_edit(tx, &clear.peer, clear.direction, &clear.id)? {
                new.private.text = Some(text);
                new.private.edited_at_ms = Some(at_ms);
            }
        }
        _ => {}
    }
    Ok((row::insert(tx, new)?, orphan))
}

/// The edit of that message with the highest number: its number, text and time.
fn newest_edit(
    tx: &Tx<'_>,
    peer: &PeerId,
    direction: Direction,
    id: &MessageId,
) -> Result<Option<(u64, String, i64)>, StoreError> {
    let sql = format!(
        "SELECT {} FROM messages INDEXED BY messages_by_target \
         WHERE peer = ?1 AND target_direction = ?2 AND target = ?3 AND direction = ?2 AND kind = ?4 \
         ORDER BY seq DESC LIMIT 1",
        row::COLUMNS
    );
    let found = tx
        .prepare_cached(&sql)?
        .query_row(params![peer.as_bytes(), direction.code(), id.0, Kind::Edit.code()], Raw::read)
        .optional()?;
    let opened = found.and_then(|raw| {
        let text = raw.open(tx.vault()).ok()?.text.unwrap_or_default();
        Some((raw.clear.seq, text, raw.clear.sent_at_ms))
    });
    Ok(opened)
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

/// What earlier edits of a message said goes with what it said: their rows stay, as they were delivered, without the text.
/// One that is still to be sent keeps it until then.
pub(super) fn erase_edits(tx: &Tx<'_>, target: &Raw) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {} FROM messages INDEXED BY messages_by_target \
         WHERE peer = ?1 AND target_direction = ?2 AND target = ?3 AND kind = ?4 AND state NOT IN (0, 1)",
        row::COLUMNS
    );
    let clear = &target.clear;
    let key = params![clear.peer.as_bytes(), clear.direction.code(), clear.id.0, Kind::Edit.code()];
    let edits = tx.prepare_cached(&sql)?.query_map(key, Raw::read)?.collect::<Result<Vec<_>, _>>()?;
    for edit in edits {
        if let Ok(private) = edit.open(tx.vault())
            && private.text.is_some()
        {
            edit.reseal(tx, &Private { text: None, ..private })?;
        }
    }
    Ok(())
}

/// Once a message is delivered nobody needs what it said before it was edited.
pub(super) fn forget_original(tx: &Tx<'_>, peer: &PeerId, id: &MessageId) -> Result<(), StoreError> {
    if newest_edit(tx, peer, Direction::Out, id)?.is_none() {
        return Ok(());
    }
    if let Some(raw) = row::find_raw(tx, peer, Direction::Out, id)?
        && let Ok(private) = raw.open(tx.vault())
        && private.original.is_some()
    {
        raw.reseal(tx, &Private { original: None, ..private })?;
    }
    Ok(())
}
