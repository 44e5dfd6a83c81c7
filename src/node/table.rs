//! Whom we know, by key, and what they may do to us.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Address, Allow, Peer};
use crate::crypto::sm2::PublicKey;
use crate::identity::PeerId;
use crate::quic::Trust;

/// The peers of the table, as the node uses them.
#[derive(Debug, Default)]
pub(super) struct Table {
    order: Vec<Arc<Entry>>,
    by_spki: HashMap<Vec<u8>, Arc<Entry>>,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) id: PeerId,
    pub(super) key: PublicKey,
    pub(super) addresses: Vec<Address>,
    pub(super) allow: Allow,
}

impl Table {
    pub(super) fn new(peers: &[Peer]) -> Self {
        let mut table = Self::default();
        for peer in peers {
            let entry = Arc::new(Entry {
                name: peer.name.clone(),
                id: peer.id,
                key: peer.key.clone(),
                addresses: peer.addresses.clone(),
                allow: peer.allow,
            });
            table.by_spki.insert(peer.key.spki_der().to_vec(), entry.clone());
            table.order.push(entry);
        }
        table
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Arc<Entry>> {
        self.order.iter().find(|entry| entry.name == name)
    }

    pub(super) fn by_key(&self, key: &PublicKey) -> Option<&Arc<Entry>> {
        self.by_spki.get(key.spki_der().as_slice())
    }

    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        &self.order
    }
}

impl Trust for Table {
    fn knows(&self, spki: &[u8]) -> bool {
        self.by_spki.contains_key(spki)
    }
}
