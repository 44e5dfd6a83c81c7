//! Deleting: one message, a conversation, what is too old or too much. Every deletion leaves a tombstone, so that nothing
//! comes again, and takes its attachment with it.

use rusqlite::ToSql;

use super::row::{self, Raw};
use super::vault::BodyId;
use super::{Direction, MessageId, ROW_BYTES, Store, StoreError, amend};
use crate::identity::PeerId;

/// Messages that are deleted in one transaction: others get their turn in between.
const BATCH_MESSAGES: usize = 500;

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
        self.delete_all("peer = ?1", &[peer.as_bytes()], now_ms)
    }

    /// Deletes what is older than `before_ms` (by when it was stored), and the oldest until at most `bytes_max` are stored.
    /// What waits for its receipt stays. Gives the number of messages.
    ///
    /// # Errors
    /// A fault of the database, or an attachment that cannot be removed.
    pub fn retain(&self, before_ms: Option<i64>, bytes_max: Option<u64>, now_ms: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        if let Some(before_ms) = before_ms {
            count += self.delete_all("stored_at_ms < ?1 AND state NOT IN (0, 1)", &[&before_ms], now_ms)?;
        }
        while let Some(bytes_max) = bytes_max {
            let surplus = self.stored_bytes()?.saturating_sub(bytes_max);
            let mut freed = 0;
            let deleted = self.delete_batch("state NOT IN (0, 1)", &[], now_ms, |raw| {
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

    fn delete_all(&self, condition: &str, values: &[&dyn ToSql], now_ms: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let batch = self.delete_batch(condition, values, now_ms, |_| true)?;
            count += batch;
            if batch == 0 {
                return Ok(count);
            }
        }
    }

    /// Deletes what meets `condition`, the oldest first, as long as `more` says so and one transaction should last.
    fn delete_batch(
        &self,
        condition: &str,
        values: &[&dyn ToSql],
        now_ms: i64,
        mut more: impl FnMut(&Raw) -> bool,
    ) -> Result<u64, StoreError> {
        let sql =
            format!("SELECT {} FROM messages WHERE {condition} ORDER BY row LIMIT {BATCH_MESSAGES}", row::COLUMNS);
        let deleted = self.write(|tx| {
            let rows = tx.prepare_cached(&sql)?.query_map(values, Raw::read)?.collect::<Result<Vec<_>, _>>()?;
            let mut deleted = Vec::new();
            for raw in rows.iter().take_while(|raw| more(raw)) {
                amend::erase_edits(tx, raw)?;
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
