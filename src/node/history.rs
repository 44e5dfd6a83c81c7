//! What is stored, for whoever shows it. History is read through here, never from the store by itself.

use std::path::Path;

use super::shared::now_ms;
use crate::identity::{Identity, PeerId};
use crate::store::Store;

pub use crate::store::{
    BodyReader, Check, Conversation, Cursor, Direction, Kind, Message, MessageId, Place, Query, Reaction, State,
    StoreError, Target,
};

/// Stored messages. Blocking: call it off the async threads.
#[derive(Clone)]
pub struct History {
    store: Store,
}

impl History {
    /// The history of `owner` in a data folder, beside a running node or without one.
    pub fn open(data: &Path, owner: &Identity) -> Result<Self, StoreError> {
        Ok(Self { store: Store::open(data, owner)? })
    }

    pub(super) fn of(store: Store) -> Self {
        Self { store }
    }

    /// One page, oldest first.
    pub fn page(&self, query: &Query<'_>) -> Result<Vec<Message>, StoreError> {
        self.store.page(query)
    }

    /// Everybody with whom something is stored, the latest conversation first.
    pub fn conversations(&self) -> Result<Vec<Conversation>, StoreError> {
        self.store.conversations()
    }

    /// One message.
    pub fn message(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.store.message(peer, direction, id)
    }

    /// A message by its id, whichever side wrote it; the peer's where both used the id.
    pub fn find(&self, peer: &PeerId, id: &MessageId) -> Result<Option<Message>, StoreError> {
        match self.message(peer, Direction::In, id)? {
            Some(found) => Ok(Some(found)),
            None => self.message(peer, Direction::Out, id),
        }
    }

    /// The body of a message: of an attachment, or the text.
    pub fn body(&self, message: &Message) -> Result<BodyReader, StoreError> {
        self.store.body(message)
    }

    /// Keeps what is being written to the peer, sealed as messages are; an empty text takes it away.
    pub fn keep_draft(&self, peer: &PeerId, text: &str) -> Result<(), StoreError> {
        self.store.keep_draft(peer, text)
    }

    /// What was being written to the peer.
    pub fn draft(&self, peer: &PeerId) -> Result<Option<String>, StoreError> {
        self.store.draft(peer)
    }

    /// Messages to the peer that wait for a receipt.
    pub fn pending(&self, peer: &PeerId) -> Result<u64, StoreError> {
        self.store.outgoing_pending(peer)
    }

    /// Sends a message again that failed, as soon as a node runs. `false`: it has not failed.
    pub fn retry(&self, peer: &PeerId, id: &MessageId) -> Result<bool, StoreError> {
        self.store.retry(peer, id)
    }

    /// Takes a message out of the outbox for good. `false`: there is none that waits or failed.
    pub fn cancel(&self, peer: &PeerId, id: &MessageId) -> Result<bool, StoreError> {
        self.store.cancel(peer, id, now_ms())
    }

    /// Counts what came from the peer as read, up to that message; a node tells the peer at its next link.
    pub fn mark_read(&self, peer: &PeerId, up_to: &Cursor) -> Result<u64, StoreError> {
        self.store.mark_read(peer, up_to, now_ms())
    }

    /// Deletes a message here, with its attachment. `false`: there was none.
    pub fn delete(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<bool, StoreError> {
        self.store.delete_message(peer, direction, id, now_ms())
    }

    /// Deletes everything that is stored with a peer. Gives the number of messages.
    pub fn delete_conversation(&self, peer: &PeerId) -> Result<u64, StoreError> {
        self.store.delete_conversation(peer, now_ms())
    }

    /// Deletes what is older than `age` and the oldest beyond `bytes_max`. Gives the number of messages.
    pub fn retain(&self, age: Option<std::time::Duration>, bytes_max: Option<u64>) -> Result<u64, StoreError> {
        let now_ms = now_ms();
        let age_ms = age.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        self.store.retain(age_ms.map(|age_ms| now_ms.saturating_sub(age_ms)), bytes_max, now_ms)
    }

    /// Reads all texts for the first search, which is quick then; gives the bytes that they take in memory. For a thread of
    /// its own: a million messages take seconds. `go_on` is asked now and then.
    pub fn prepare_search(&self, go_on: impl FnMut() -> bool) -> Result<usize, StoreError> {
        self.store.prepare_search(go_on)
    }

    /// Opens everything, to see whether anything was changed or is missing; `bodies`: the attachments to their ends too.
    pub fn check(&self, bodies: bool) -> Result<Check, StoreError> {
        self.store.check(bodies, || true)
    }
}
