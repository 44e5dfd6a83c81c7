//! What is stored, for whoever shows it. History is read through here, never from the store by itself.

use std::path::Path;

use crate::identity::PeerId;
use crate::store::Store;

pub use crate::store::{Direction, Kind, Message, MessageId, State, StoreError};

/// Read access to stored messages. Blocking: call it off the async threads.
#[derive(Clone)]
pub struct History {
    store: Store,
}

impl History {
    /// The history in a data folder, beside a running node or without one.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        Ok(Self { store: Store::open(data)? })
    }

    pub(super) fn of(store: Store) -> Self {
        Self { store }
    }

    /// One page, oldest first: the newest `limit` messages, or those before `before` ([`Message::cursor`]), of one
    /// peer or all, that contain `words` or all.
    pub fn page(
        &self,
        peer: Option<&PeerId>,
        before: Option<(i64, MessageId)>,
        limit: usize,
        words: Option<&str>,
    ) -> Result<Vec<Message>, StoreError> {
        self.store.history(peer, before, limit, words)
    }

    /// One message.
    pub fn message(&self, peer: &PeerId, direction: Direction, id: &MessageId) -> Result<Option<Message>, StoreError> {
        self.store.message(peer, direction, id)
    }

    /// Messages to the peer that wait for a receipt.
    pub fn pending(&self, peer: &PeerId) -> Result<u64, StoreError> {
        self.store.outgoing_pending(peer)
    }
}
