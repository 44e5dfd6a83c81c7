//! Two whole nodes on loopback, each with its own key, table and folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use miyu::config::{Address, Allow, HistorySettings, Peer};
use miyu::identity::{Identity, PeerId};
use miyu::node::{Event, Node, Role, Settings};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Nothing takes this long on loopback; where it does, the bench ends with an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A node, and what it tells.
pub(crate) struct Actor {
    pub(crate) node: Node,
    pub(crate) events: mpsc::Receiver<Event>,
    _folder: TempDir,
}

impl Actor {
    async fn start(identity: &Identity, peer: Peer) -> Result<Self> {
        let folder = TempDir::new()?;
        let settings = Settings {
            role: Role::LongLived,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: folder.path().join("data"),
            peers: vec![peer],
            table: None,
            key_update: Duration::from_secs(600),
            new_handshake: Duration::from_secs(3600),
            history: HistorySettings::default(),
        };
        let (node, events) = Node::start(identity.clone(), settings).await?;
        Ok(Self { node, events, _folder: folder })
    }

    /// The first event that `pick` takes.
    pub(crate) async fn wait<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> Result<T> {
        let waiting = async {
            loop {
                let event = self.events.recv().await.context("the node stopped")?;
                if let Some(found) = pick(event) {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.context("the node had nothing to tell")?
    }
}

/// Alice, who has dialled bob. Each may do everything with the other.
pub(crate) async fn pair() -> Result<(Actor, Actor)> {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let entry = |name: &str, identity: &Identity, address: Option<SocketAddr>| Peer {
        name: name.to_owned(),
        key: identity.public().clone(),
        id: PeerId::of(identity.public()),
        addresses: address.map(|at| Address { host: at.ip().to_string(), port: at.port() }).into_iter().collect(),
        allow: Allow { chat: true, camera: true },
    };
    let bob_actor = Actor::start(&bob, entry("alice", &alice, None)).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, bob_actor.node.address().port()));
    let alice_actor = Actor::start(&alice, entry("bob", &bob, Some(address))).await?;
    alice_actor.node.connect("bob").await?;
    Ok((alice_actor, bob_actor))
}
