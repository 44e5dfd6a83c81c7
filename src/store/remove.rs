//! Deleting: one message, a conversation, what is too old or too much. Every deletion leaves a tombstone, so that nothing
//! comes again, and takes its attachment with it.

use rusqlite::{OptionalExtension, ToSql};

use super::row::{self, Raw};
use super::vault::BodyId;
use super::{Direction, MessageId, ROW_BYTES, State, Store, StoreError, amend};
use crate::identity::PeerId;

/// Messages that are deleted in one transaction: others get their turn in between.
const BATCH_MESSAGES: usize = 500;
/// What was stored first goes first.
const OLDEST: &str = "ORDER BY row";

impl Store {
    /// Deletes a message here with its attachment, and remembers its id, so that it does not come again.
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
        let deleted = self.write(|tx| {
            let Some(found) = row::find_raw(tx, peer, direction, id)? else { return Ok(None) };
            amend::erase_edits(tx, &found)?;
            if matches!(found.state, State::Queued | State::Sending | State::Failed) {
                amend::drop_unsent(tx, &found, now_ms)?;
            }
            found.delete(tx, now_ms)?;
            Ok(Some((found.body_id(), found.clear.attached)))
        })?;
        self.remove_attachments(deleted.as_slice())?;
        Ok(deleted.is_some())
    }

    /// Deletes everything that is stored with `peer`; what waits for it is not sent any more. Gives the number of messages.
    ///
    /// # Errors
    /// A fault of the database, or an attachment that cannot be removed.
    pub fn delete_conversation(&self, peer: &PeerId, now_ms: i64) -> Result<u64, StoreError> {
        self.keep_draft(peer, "")?;
        self.delete_all(("peer = ?1", ""), &[peer.as_bytes()], now_ms)
    }

    /// Deletes what is older than `before_ms` (by when it was stored), and the oldest until at most `bytes_max` are stored.
    /// What waits for its receipt stays. Gives the number of messages.
    ///
    /// # Errors
    /// A fault of the database, or an attachment that cannot be removed.
    pub fn retain(&self, before_ms: Option<i64>, bytes_max: Option<u64>, now_ms: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        if let Some(before_ms) = before_ms {
            count += self.delete_all(("stored_at_ms < ?1 AND state NOT IN (0, 1)", OLDEST), &[&before_ms], now_ms)?;
        }
        while let Some(bytes_max) = bytes_max {
            let surplus = self.stored_bytes()?.saturating_sub(bytes_max);
            let mut freed = 0;
            let deleted = self.delete_batch(("state NOT IN (0, 1)", OLDEST), &[], now_ms, |raw| {
                let more = freed < surplus;
                freed += raw.clear.bytes + ROW_BYTES;
                more
            })?;
            count += deleted;
            if surplus == 0 || deleted == 0 {
                break;
            }
        }
        Ok(count)
    }

    fn delete_all(&self, which: (&str, &str), values: &[&dyn ToSql], now_ms: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let batch = self.delete_batch(which, values, now_ms, |_| true)?;
            count += batch;
            if batch == 0 {
                return Ok(count);
            }
        }
    }

    /// Deletes what meets the condition, in the order, as long as `more` says so and one transaction should last. What to
    /// delete is looked for where that holds nobody up.
    fn delete_batch(
        &self,
        (condition, order): (&str, &str),
        values: &[&dyn ToSql],
        now_ms: i64,
        mut more: impl FnMut(&Raw) -> bool,
    ) -> Result<u64, StoreError> {
        let sql = format!("SELECT row FROM messages WHERE {condition} {order} LIMIT {BATCH_MESSAGES}");
        let numbers = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let numbers = statement.query_map(values, |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok(numbers)
        })?;
        if numbers.is_empty() {
            return Ok(0);
        }
        let last = values.len() + 1;
        let sql = format!("SELECT {} FROM messages WHERE row = ?{last} AND ({condition})", row::COLUMNS);
        let deleted = self.write(|tx| {
            let mut deleted = Vec::new();
            for number in &numbers {
                // looked at again: another process may have been faster, or be sending it now
                let mut key = values.to_vec();
                key.push(number);
                let Some(raw) = tx.prepare_cached(&sql)?.query_row(key.as_slice(), Raw::read).optional()? else {
                    continue;
                };
                if !more(&raw) {
                    break;
                }
                amend::erase_edits(tx, &raw)?;
                raw.delete(tx, now_ms)?;
                deleted.push((raw.body_id(), raw.clear.attached));
            }
            Ok(deleted)
        })?;
        self.remove_attachments(&deleted)?;
        Ok(deleted.len() as u64)
    }

    /// A crash before this leaves bodies without rows, which are swept out one day.
    fn remove_attachments(&self, deleted: &[(BodyId, bool)]) -> Result<(), StoreError> {
        deleted.iter().filter(|(_, attached)| *attached).try_for_each(|(body, _)| self.remove_attachment(body))
    }
}
