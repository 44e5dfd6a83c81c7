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
    /// A node on a free port of loopback.
    pub(crate) async fn start(identity: &Identity, peers: Vec<Peer>) -> Result<Self> {
        let folder = TempDir::new()?;
        let settings = Settings {
            role: Role::LongLived,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: folder.path().join("data"),
            peers,
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
    let bob_actor = Actor::start(&bob, vec![entry("alice", &alice, None)]).await?;
    let port = bob_actor.node.address().port();
    let alice_actor = Actor::start(&alice, vec![entry("bob", &bob, Some(port))]).await?;
    alice_actor.node.connect("bob").await?;
    Ok((alice_actor, bob_actor))
}

/// Someone who may do everything, on a port of loopback where there is one.
pub(crate) fn entry(name: &str, identity: &Identity, port: Option<u16>) -> Peer {
    Peer {
        name: name.to_owned(),
        key: identity.public().clone(),
        id: PeerId::of(identity.public()),
        addresses: port.map(|port| Address { host: Ipv4Addr::LOCALHOST.to_string(), port }).into_iter().collect(),
        allow: Allow { chat: true, camera: true },
    }
}
