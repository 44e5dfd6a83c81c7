//! Looking at everything that is stored: whether all of it opens, and whether anything is missing.

use super::row::{self, Raw};
use super::tally::Tally;
use super::{Message, MessageId, Store, StoreError};

/// What a look at everything found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Messages, edits, deletions and reactions that are stored.
    pub messages: u64,
    /// Those that do not open.
    pub damaged: Vec<MessageId>,
    /// Those whose attachment is missing, of a wrong size, or does not open.
    pub attachments: Vec<MessageId>,
    /// Messages were taken out of the database, or put back in an older form, by something else than miyu.
    pub rows_missing: bool,
    /// The database itself is damaged, in an index say: messages may be missing from pages although their rows are sound.
    pub database_damaged: bool,
}

impl Check {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.attachments.is_empty() && !self.rows_missing && !self.database_damaged
    }
}

impl Store {
    /// Opens every message and, where `bodies` says so, every chunk of every attachment (else only their sizes are looked
    /// at). `go_on` is asked before each message.
    ///
    /// # Errors
    /// A fault of the database: a page of it that SQLite itself finds damaged, for example.
    pub fn check(&self, bodies: bool, mut go_on: impl FnMut() -> bool) -> Result<Check, StoreError> {
        let (mut found, attached) = self.check_rows(&mut go_on)?;
        for message in attached {
            if !go_on() {
                break;
            }
            let read = self.body(&message).and_then(|body| if bodies { body.check() } else { Ok(()) });
            // deleted meanwhile: then its attachment went with it
            if read.is_err() && self.message(&message.peer, message.direction, &message.id)?.is_some() {
                found.attachments.push(message.id);
            }
        }
        Ok(found)
    }

    /// The rows and their sum, in one state of the database; and the messages with attachments.
    fn check_rows(&self, mut go_on: impl FnMut() -> bool) -> Result<(Check, Vec<Message>), StoreError> {
        self.read(|connection| {
            let mut attached = Vec::new();
            // one state of the database for the rows and their sum
            let snapshot = connection.unchecked_transaction()?;
            let stored = Tally::read(&snapshot, self.vault())?;
            let mut counted = Tally::default();
            let mut found = Check::default();
            let mut statement = snapshot.prepare(&format!("SELECT {} FROM messages ORDER BY row", row::COLUMNS))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !go_on() {
                    return Ok((found, attached));
                }
                let raw = Raw::read(row)?;
                found.messages += 1;
                counted.add(self.vault().mark(&raw.sealed));
                let message = raw.message(self.vault());
                if message.damaged {
                    found.damaged.push(message.id);
                } else if message.attached {
                    attached.push(message);
                }
            }
            let verdict: String = snapshot.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            found.database_damaged = verdict != "ok";
            found.rows_missing = (stored.rows, stored.sum) != (counted.rows, counted.sum);
            Ok((found, attached))
        })
    }
}
