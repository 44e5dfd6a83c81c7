//! Whom we know, by key, and what they may do to us. The table may change while the node runs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use super::shared::PeerState;
use crate::config::{Address, Allow, Peer};
use crate::crypto::sm2::PublicKey;
use crate::identity::PeerId;
use crate::quic::Trust;

/// The peers of the table, as the node uses them.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: RwLock<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    order: Vec<Arc<Entry>>,
    by_spki: HashMap<Vec<u8>, Arc<Entry>>,
}

/// One peer. An entry never changes: a table that says otherwise about the peer brings a new one.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) id: PeerId,
    pub(super) key: PublicKey,
    pub(super) addresses: Vec<Address>,
    pub(super) allow: Allow,
    /// Outlives the entry while the key stays in the table.
    pub(super) state: Arc<PeerState>,
    gone: watch::Sender<bool>,
}

impl Entry {
    fn new(peer: &Peer, state: Arc<PeerState>) -> Arc<Self> {
        Arc::new(Self {
            name: peer.name.clone(),
            id: peer.id,
            key: peer.key.clone(),
            addresses: peer.addresses.clone(),
            allow: peer.allow,
            state,
            gone: watch::Sender::new(false),
        })
    }

    fn says(&self, peer: &Peer) -> bool {
        self.name == peer.name && self.addresses == peer.addresses && self.allow == peer.allow
    }

    /// Resolves once the table has another entry for the peer, or none.
    pub(super) async fn gone(&self) {
        let mut gone = self.gone.subscribe();
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = gone.wait_for(|gone| *gone).await;
    }
}

/// What another table brought.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) added: Vec<Arc<Entry>>,
    pub(super) removed: Vec<Arc<Entry>>,
    /// The entry as it was, and as it is.
    pub(super) changed: Vec<(Arc<Entry>, Arc<Entry>)>,
}

impl Table {
    pub(super) fn new(peers: &[Peer]) -> Self {
        let table = Self::default();
        table.replace(peers);
        table
    }

    fn rows(&self) -> RwLockReadGuard<'_, Rows> {
        // Nothing panics while it writes.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes another table. From here on nobody gets in by the old one; tasks that follow an old entry are told.
    pub(super) fn replace(&self, peers: &[Peer]) -> Change {
        let mut change = Change::default();
        let mut next = Rows::default();
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for peer in peers {
            let entry = match rows.by_spki.remove(peer.key.spki_der().as_slice()) {
                Some(same) if same.says(peer) => same,
                Some(old) => {
                    let new = Entry::new(peer, old.state.clone());
                    change.changed.push((old, new.clone()));
                    new
                }
                None => {
                    let new = Entry::new(peer, Arc::new(PeerState::new()));
                    change.added.push(new.clone());
                    new
                }
            };
            next.by_spki.insert(peer.key.spki_der().to_vec(), entry.clone());
            next.order.push(entry);
        }
        let left = std::mem::replace(&mut rows.by_spki, next.by_spki);
        // In the order of the table, not of a hash.
        let order = std::mem::replace(&mut rows.order, next.order);
        change.removed = order.into_iter().filter(|old| left.contains_key(old.key.spki_der().as_slice())).collect();
        drop(rows);
        for old in change.removed.iter().chain(change.changed.iter().map(|(old, _)| old)) {
            old.gone.send_replace(true);
        }
        change
    }

    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Entry>> {
        self.rows().order.iter().find(|entry| entry.name == name).cloned()
    }

    pub(super) fn by_key(&self, key: &PublicKey) -> Option<Arc<Entry>> {
        self.rows().by_spki.get(key.spki_der().as_slice()).cloned()
    }

    /// The peer as the table has it now.
    pub(super) fn by_id(&self, id: &PeerId) -> Option<Arc<Entry>> {
        self.rows().order.iter().find(|entry| entry.id == *id).cloned()
    }

    /// What the peer may do to us now; nothing where it is not in the table.
    pub(super) fn allow(&self, id: &PeerId) -> Allow {
        self.by_id(id).map_or(Allow { chat: false, camera: false }, |entry| entry.allow)
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.rows().order.clone()
    }
}

impl Trust for Table {
    fn knows(&self, spki: &[u8]) -> bool {
        self.rows().by_spki.contains_key(spki)
    }
}
