//! Peers for tests: real nodes on loopback, each with its own keys, table and folder.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use miyu::config::{Address, Allow, HistorySettings, Peer};
use miyu::identity::{Identity, PeerId};
use miyu::node::history::{History, Query};
use miyu::node::{
    Arrived, Direction, Draft, DraftKind, Event, Message, MessageId, Node, Reason, Role, Settings, WatchError,
    WatchHandle, WatchOptions,
};
use miyu::quic::{Endpoint, Options, Trust};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Nothing in a test takes this long; where it does, the test has failed. A body of 2 MiB over a link that loses a fifth
/// takes more than a minute.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) const CHAT: Allow = Allow { chat: true, camera: false };
pub(crate) const ALL: Allow = Allow { chat: true, camera: true };
pub(crate) const NOTHING: Allow = Allow { chat: false, camera: false };

/// A peer of the table.
pub(crate) fn entry(name: &str, identity: &Identity, address: Option<SocketAddr>, allow: Allow) -> Peer {
    let addresses = address.map(|address| Address { host: address.ip().to_string(), port: address.port() });
    Peer {
        name: name.to_owned(),
        key: identity.public().clone(),
        id: PeerId::of(identity.public()),
        addresses: addresses.into_iter().collect(),
        allow,
    }
}

/// A process that is ended with the test, also when it panics.
#[cfg(all(any(feature = "audio", feature = "gui"), target_os = "linux"))]
pub(crate) struct Running(pub(crate) std::process::Child);

#[cfg(all(any(feature = "audio", feature = "gui"), target_os = "linux"))]
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One peer and its node.
pub(crate) struct Actor {
    pub(crate) identity: Identity,
    pub(crate) folder: TempDir,
    pub(crate) settings: Settings,
    running: Option<(Node, mpsc::Receiver<Event>)>,
    /// Messages may arrive, and receipts come, in another order than a test asks for them.
    arrived: HashMap<MessageId, Arrived>,
    concluded: HashMap<MessageId, Result<(), String>>,
}

impl Actor {
    /// Not started yet; port 0 until it is.
    pub(crate) fn new(identity: &Identity, peers: Vec<Peer>) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = Settings {
            role: Role::LongLived,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: folder.path().join("data"),
            peers,
            key_update: Duration::from_secs(600),
            new_handshake: Duration::from_secs(3600),
            history: HistorySettings::default(),
            table: None,
        };
        Self {
            identity: identity.clone(),
            folder,
            settings,
            running: None,
            arrived: HashMap::new(),
            concluded: HashMap::new(),
        }
    }

    pub(crate) async fn start(&mut self) -> SocketAddr {
        let (node, events) = Node::start(self.identity.clone(), self.settings.clone()).await.unwrap();
        // A later start takes the same port.
        self.settings.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, node.address().port()));
        self.running = Some((node, events));
        self.settings.listen
    }

    pub(crate) fn node(&self) -> &Node {
        &self.running.as_ref().expect("the node runs").0
    }

    /// Says goodbye and stops.
    pub(crate) async fn stop(&mut self) {
        if let Some((node, _)) = self.running.take() {
            node.shutdown().await;
        }
    }

    /// The first event that `pick` takes.
    pub(crate) async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let Self { running, arrived, concluded, .. } = self;
        let events = &mut running.as_mut().expect("the node runs").1;
        let waiting = async {
            loop {
                let event = events.recv().await.unwrap_or_else(|| panic!("the node stopped before {what}"));
                match &event {
                    Event::Message(message) => {
                        let before = arrived.insert(message.id, message.clone());
                        assert!(before.is_none(), "{} was told to have come twice", message.id);
                    }
                    Event::Delivered { id, .. } => drop(concluded.insert(*id, Ok(()))),
                    Event::Failed { id, reason, .. } => drop(concluded.insert(*id, Err(reason.clone()))),
                    _ => {}
                }
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    pub(crate) async fn send(&self, to: &str, kind: DraftKind) -> MessageId {
        self.node().send(to, Draft { kind, name: Some("name.bin".to_owned()), reply_to: None }).await.unwrap()
    }

    pub(crate) async fn arrival(&mut self, id: MessageId) -> Arrived {
        while !self.arrived.contains_key(&id) {
            self.wait("arrival", |_| Some(())).await;
        }
        self.arrived[&id].clone()
    }

    /// The body of a message that came.
    pub(crate) fn body(&self, arrived: &Arrived) -> Vec<u8> {
        let history = self.node().history();
        let message = history.message(&arrived.peer, Direction::In, &arrived.id).unwrap().unwrap();
        body(&history, &message)
    }

    pub(crate) async fn receipt(&mut self, id: MessageId) -> Result<(), String> {
        while !self.concluded.contains_key(&id) {
            self.wait("receipt", |_| Some(())).await;
        }
        self.concluded[&id].clone()
    }
}

/// The body of a stored message.
pub(crate) fn body(history: &History, message: &Message) -> Vec<u8> {
    history.body(message).unwrap().read_all(u64::MAX).unwrap()
}

/// Everything that is stored, with one peer or with all.
pub(crate) fn stored(history: &History, peer: Option<&PeerId>) -> Vec<Message> {
    history.page(&Query { peer, limit: 1_000, ..Query::default() }).unwrap()
}

/// A watch of a camera that is published by now or will be in a moment.
pub(crate) async fn watch_published(viewer: &Actor, camera: &str) -> WatchHandle {
    let opening = async {
        loop {
            match viewer.node().watch(camera, WatchOptions::default()).await {
                Err(WatchError::Refused { reason: Reason::NoCamera, .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.expect("a camera")
}

/// Alice, who dials bob, both started.
pub(crate) async fn pair(bob_allows: Allow, alice_allows: Allow) -> (Actor, Actor) {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("alice", &alice_id, None, bob_allows)]);
    let address = bob.start().await;
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, Some(address), alice_allows)]);
    alice.start().await;
    (alice, bob)
}

#[derive(Debug)]
struct Anyone;

impl Trust for Anyone {
    fn knows(&self, _spki: &[u8]) -> bool {
        true
    }
}

/// A bare endpoint, for peers that do not follow the protocol.
pub(crate) fn bare(identity: &Identity) -> Endpoint {
    let options = Options { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), accepts: true, knocks: None };
    Endpoint::bind(identity, Arc::new(Anyone), &options).unwrap()
}

/// A file of `bytes` bytes that differ from block to block, and with the seed.
pub(crate) fn file(folder: &Path, bytes: usize, seed: u64) -> std::path::PathBuf {
    use rand::{Rng, SeedableRng};
    let mut content = vec![0; bytes];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut content);
    let path = folder.join(format!("file-{seed}.bin"));
    std::fs::write(&path, content).unwrap();
    path
}

/// The bytes of the body that are on the receiver's disk, once it has begun to come.
pub(crate) fn partial_bytes(data: &Path) -> u64 {
    let folders = std::fs::read_dir(data.join("incoming")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
    files
        .filter(|file| file.path().extension().is_some_and(|end| end == "part"))
        .map(|file| file.metadata().unwrap().len())
        .sum()
}
