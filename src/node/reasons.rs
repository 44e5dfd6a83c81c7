//! Why something was not done: words that are kept and shown, and what they mean to a program.

use crate::config::ConfigErrors;
use crate::store::StoreError;
use crate::wire::{Reason, Refusal};

use super::text::one_line;

/// What is said of a message whose body cannot be read any more; the fault follows.
const UNREADABLE: &str = "its stored copy cannot be read";

/// Each reason in a few words. They stand in histories: a reworded one is not understood there any more.
const WORDS: [(Reason, &str); 10] = [
    (Reason::NotAllowed, "not allowed"),
    (Reason::TooLarge, "too large"),
    (Reason::Conflict, "the same id with another content"),
    (Reason::NoRoom, "no room"),
    (Reason::Damaged, "damaged on the way"),
    (Reason::Busy, "busy"),
    (Reason::NoCamera, "no camera"),
    (Reason::StoreFailed, "the receiver could not store it"),
    (Reason::NotReceiving, "not receiving"),
    (Reason::Protocol, "protocol"),
];

/// What a failed message died of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The peer has refused it.
    Refused(Reason),
    /// What we have stored of it cannot be read.
    Unreadable,
}

/// The reason of a failed message ([`super::Message::reason`]), understood.
pub fn cause(reason: &str) -> Option<Cause> {
    let word = reason.split_once(": ").map_or(reason, |(word, _)| word);
    if word == UNREADABLE {
        return Some(Cause::Unreadable);
    }
    WORDS.iter().find(|(_, known)| *known == word).map(|(reason, _)| Cause::Refused(*reason))
}

/// A refusal in words. The peer's are bounded by the wire and escaped here.
pub(super) fn refused(refusal: &Refusal) -> String {
    let word = WORDS.iter().find(|(reason, _)| *reason == refusal.reason).map_or("", |(_, word)| word);
    if refusal.detail.is_empty() { word.to_owned() } else { format!("{word}: {}", one_line(&refusal.detail)) }
}

/// Says that what is stored of a message cannot be read.
pub(super) fn unreadable(error: &StoreError) -> String {
    format!("{UNREADABLE}: {error}")
}

/// What [`super::Event::Trouble`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// The table on the disk has these faults; the one before holds.
    Table(ConfigErrors),
    /// Parts of the table have changed that hold from the next start on.
    Restart,
    /// The disk is full: messages are not stored.
    DiskFull {
        /// Bytes free.
        free: u64,
    },
    /// The quota of the data folder is reached: messages are not stored.
    QuotaFull {
        /// Bytes that are taken.
        used: u64,
        /// The limit.
        quota: u64,
    },
    /// Another fault of the store.
    Store,
}

impl From<&StoreError> for Matter {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::DiskFull { free, .. } => Self::DiskFull { free: *free },
            StoreError::QuotaFull { used, quota, .. } => Self::QuotaFull { used: *used, quota: *quota },
            _ => Self::Store,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_refusal_is_understood_again() {
        for (reason, word) in WORDS {
            for detail in ["", "not today: \u{202e}no\nroom"] {
                let said = refused(&Refusal { reason, detail: detail.into(), retry: false });
                assert!(said.starts_with(word), "{said}");
                assert!(!said.contains(['\n', '\u{202e}']), "{said:?}");
                assert_eq!(cause(&said), Some(Cause::Refused(reason)), "{said}");
            }
        }
        let died = StoreError::NotText;
        assert_eq!(cause(&unreadable(&died)), Some(Cause::Unreadable));
        assert_eq!(cause("something else: busy"), None);
        assert_eq!(cause(""), None);
    }
}
