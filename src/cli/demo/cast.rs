//! The three peers of the demo.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::cli::{Failure, Outcome};
use crate::config::{Address, Allow, HistorySettings, Peer};
use crate::identity::{Identity, PeerId};
use crate::media::camera::{Settings as CameraSettings, SourceSpec};
use crate::node::{CameraPlan, Event, Node, Role, Settings};

/// Keys are updated this often, so that a short demo shows it.
const KEY_UPDATE: Duration = Duration::from_secs(1);

/// One peer: what it is known by, and its node while it is there.
pub(super) struct Actor {
    identity: Identity,
    folder: PathBuf,
    address: SocketAddr,
    peers: Vec<Peer>,
    node: Option<(Node, mpsc::Receiver<Event>)>,
    gone_traffic: (u64, u64),
    gone_updates: u64,
}

/// All three, in a folder that goes with them.
pub(super) struct Cast {
    pub(super) alice: Actor,
    pub(super) bob: Actor,
    pub(super) camera: Actor,
    folder: TempDir,
}

impl Cast {
    /// Where everybody's keys and messages are.
    #[cfg(feature = "gui")]
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn new() -> Outcome<Self> {
        let folder =
            TempDir::new().map_err(|error| Failure::new(format!("cannot make a temporary folder: {error}")))?;
        let [alice, bob, camera] = [Identity::generate(), Identity::generate(), Identity::generate()];
        let chat = Allow { chat: true, camera: false };
        let both = Allow { chat: true, camera: true };
        // Bob and the camera are dialled by alice, and know her key only.
        let mut bob = Actor::new(&bob, folder.path(), "bob", vec![peer("alice", &alice, None, chat)]);
        let mut camera = Actor::new(&camera, folder.path(), "camera", vec![peer("alice", &alice, None, both)]);
        bob.start().await?;
        camera.start().await?;
        let peers = vec![
            peer("bob", &bob.identity, Some(bob.address), chat),
            peer("camera", &camera.identity, Some(camera.address), chat),
        ];
        let mut alice = Actor::new(&alice, folder.path(), "alice", peers);
        alice.start().await?;
        let plan = CameraPlan {
            source: SourceSpec::Test,
            bandwidth_bits: None,
            settings: CameraSettings { size: Some((640, 480)), fps: 30.0, quality: 85, ..CameraSettings::default() },
        };
        camera.node()?.publish(plan).await;
        Ok(Self { alice, bob, camera, folder })
    }

    /// Bytes and datagrams that left the three sockets.
    pub(super) fn traffic(&self) -> (u64, u64) {
        [&self.alice, &self.bob, &self.camera].iter().fold((0, 0), |(bytes, datagrams), actor| {
            let (more_bytes, more_datagrams) = actor.traffic();
            (bytes + more_bytes, datagrams + more_datagrams)
        })
    }

    /// QUIC key updates at all three.
    pub(super) fn key_updates(&self) -> u64 {
        [&self.alice, &self.bob, &self.camera].iter().map(|actor| actor.key_updates()).sum()
    }

    pub(super) async fn close(mut self) {
        self.alice.leave().await;
        self.bob.leave().await;
        self.camera.leave().await;
        // after those who write there
        drop(self.folder);
    }
}

fn peer(name: &str, identity: &Identity, address: Option<SocketAddr>, allow: Allow) -> Peer {
    let addresses = address.map(|address| Address { host: address.ip().to_string(), port: address.port() });
    Peer {
        name: name.to_owned(),
        key: (*identity.public()).clone(),
        id: PeerId::of(identity.public()),
        addresses: addresses.into_iter().collect(),
        allow,
    }
}

impl Actor {
    fn new(identity: &Identity, folder: &Path, name: &str, peers: Vec<Peer>) -> Self {
        Self {
            identity: identity.clone(),
            folder: folder.join(name),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            peers,
            node: None,
            gone_traffic: (0, 0),
            gone_updates: 0,
        }
    }

    /// Starts the node, at the address that it had before if it had one.
    pub(super) async fn start(&mut self) -> Outcome {
        let settings = Settings {
            role: Role::LongLived,
            listen: self.address,
            data: self.folder.clone(),
            peers: self.peers.clone(),
            key_update: KEY_UPDATE,
            new_handshake: Duration::from_secs(3600),
            history: HistorySettings::default(),
            table: None,
        };
        let (node, events) = Node::start(self.identity.clone(), settings).await?;
        self.address = node.address();
        self.node = Some((node, events));
        Ok(())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    #[cfg(feature = "gui")]
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where its messages are.
    #[cfg(feature = "gui")]
    pub(super) fn data(&self) -> &Path {
        &self.folder
    }

    pub(super) fn node(&self) -> Result<&Node, String> {
        self.node.as_ref().map(|(node, _)| node).ok_or_else(|| "this peer is away".to_owned())
    }

    /// Waits for the first event that `pick` takes.
    pub(super) async fn wait<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> Result<T, String> {
        let Some((_, events)) = &mut self.node else {
            return Err("this peer is away".to_owned());
        };
        let waiting = async {
            while let Some(event) = events.recv().await {
                if let Some(found) = pick(event) {
                    return Ok(found);
                }
            }
            Err(format!("the node stopped before {what}"))
        };
        tokio::time::timeout(limit, waiting)
            .await
            .unwrap_or_else(|_| Err(format!("no {what} within {} s", limit.as_secs())))
    }

    /// The node and what it tells, for whoever goes on with it.
    #[cfg(feature = "gui")]
    pub(super) fn take(&mut self) -> Option<(Node, mpsc::Receiver<Event>)> {
        self.node.take()
    }

    pub(super) async fn leave(&mut self) {
        let (traffic, updates) = (self.traffic(), self.key_updates());
        if let Some((node, _)) = self.node.take() {
            (self.gone_traffic, self.gone_updates) = (traffic, updates);
            node.shutdown().await;
        }
    }

    fn traffic(&self) -> (u64, u64) {
        let (bytes, datagrams) = self.gone_traffic;
        match &self.node {
            Some((node, _)) => {
                let now = node.status().traffic;
                (bytes + now.sent_bytes, datagrams + now.sent_datagrams)
            }
            None => (bytes, datagrams),
        }
    }

    fn key_updates(&self) -> u64 {
        self.gone_updates + self.node.as_ref().map_or(0, |(node, _)| node.status().key_updates)
    }
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::new(error)
    }
}
