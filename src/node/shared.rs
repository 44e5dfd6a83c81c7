//! What every task of a node shares, and how it comes to be.

use std::collections::HashSet;
use std::mem::Discriminant;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand_core::Rng;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tracing::{info, warn};

use super::camera::Hub;
use super::incoming::Receiving;
use super::link::{BODIES_MAX, Link, Links, OFFERS_MAX, WATCHES_MAX};
use super::table::{Entry, Table};
use super::types::{Event, Role, Settings, Status};
use crate::identity::{Identity, PeerId, system_rng};
use crate::quic::{Endpoint, EndpointError, Options};
use crate::store::{LockGuard, Message, MessageId, Presence, Store, StoreError, lock_long_lived};

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The port or TLS.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The bound address cannot be read back.
    #[error("the UDP socket has no address: {0}")]
    Address(std::io::Error),
    /// A blocking task died.
    #[error("a task of the node died: {0}")]
    Task(String),
}

impl NodeError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Endpoint(EndpointError::Bind { address, .. }) => Some(format!(
                "another program may use UDP port {}; choose another `listen` in the table, or end it",
                address.port()
            )),
            Self::Endpoint(EndpointError::Replay { path, .. }) => {
                Some(format!("make {} readable and writable for you", path.display()))
            }
            _ => None,
        }
    }
}

/// The state of a node.
pub(super) struct Shared {
    // Dropped before the socket, so that a port that is free again means a folder that is free again.
    _lock: Option<LockGuard>,
    // Goes when nothing can be claimed any more.
    _presence: Presence,
    pub(super) identity: Identity,
    pub(super) me: PeerId,
    pub(super) settings: Settings,
    pub(super) instance: [u8; 16],
    pub(super) address: SocketAddr,
    pub(super) table: Arc<Table>,
    pub(super) endpoint: Endpoint,
    pub(super) store: Store,
    pub(super) links: Links,
    pub(super) camera: Hub,
    pub(super) receiving: Receiving,
    events: mpsc::Sender<Event>,
    stop: watch::Sender<bool>,
    /// Faults of the store that were told since it last took a message.
    told: Mutex<HashSet<Discriminant<StoreError>>>,
    /// Pictures are decoded one at a time: one may take hundreds of MiB.
    pub(super) decoding: Semaphore,
}

/// What is kept for each peer of the table, linked or not.
#[derive(Debug)]
pub(super) struct PeerState {
    /// Held by the task that empties the outbox: after a change of the table the next one waits for the one before.
    pub(super) sending: tokio::sync::Mutex<()>,
    /// One dial at a time.
    pub(super) dialling: tokio::sync::Mutex<()>,
    /// Told when there may be something to send.
    pub(super) outbox: Notify,
    /// Messages enqueued under our own lease.
    pub(super) own: Mutex<Vec<Message>>,
    /// Told to dial now rather than at the end of the pause.
    pub(super) dial_now: Notify,
    /// Offers of the peer under way, over all its links.
    pub(super) offers: Arc<Semaphore>,
    /// Offers to the peer under way.
    pub(super) offers_out: Semaphore,
    /// Bodies over [`super::link::BULK_BYTES`] under way to the peer.
    pub(super) bodies: Semaphore,
    /// How far the peer says that it has read; only the newest word counts.
    pub(super) read: watch::Sender<Option<MessageId>>,
    /// Watches of the peer under way.
    pub(super) watches: Arc<Semaphore>,
    /// Pictures of the peer that are decoded, or wait for their turn among the peers: one, so that a peer that sends
    /// many holds up another one by one picture at most.
    pub(super) decoding: Semaphore,
    /// Whether our side was told that the peer publishes a camera.
    pub(super) camera_told: Mutex<bool>,
}

impl PeerState {
    pub(super) fn new() -> Self {
        Self {
            sending: tokio::sync::Mutex::new(()),
            dialling: tokio::sync::Mutex::new(()),
            outbox: Notify::new(),
            own: Mutex::default(),
            dial_now: Notify::new(),
            offers: Arc::new(Semaphore::new(OFFERS_MAX)),
            offers_out: Semaphore::new(OFFERS_MAX),
            bodies: Semaphore::new(BODIES_MAX),
            read: watch::Sender::new(None),
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            decoding: Semaphore::new(1),
            camera_told: Mutex::default(),
        }
    }
}

impl Shared {
    pub(super) async fn start(
        identity: Identity,
        settings: Settings,
        events: mpsc::Sender<Event>,
    ) -> Result<Arc<Self>, NodeError> {
        let long_lived = settings.role == Role::LongLived;
        let (data, quota) = (settings.data.clone(), settings.history.quota_bytes);
        let owner = identity.clone();
        let mut instance = [0; 16];
        system_rng().fill_bytes(&mut instance);
        let opened = tokio::task::spawn_blocking(move || -> Result<_, StoreError> {
            let store = Store::open(&data, &owner)?;
            store.set_quota(quota);
            let lock = long_lived.then(|| lock_long_lived(&data)).transpose()?;
            let presence = store.announce(&instance)?;
            Ok((store, lock, presence))
        });
        let (store, lock, presence) = opened.await.map_err(|error| NodeError::Task(error.to_string()))??;
        let table = Arc::new(Table::new(&settings.peers));
        let options = Options {
            listen: if long_lived { settings.listen } else { SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)) },
            accepts: long_lived,
            knocks: long_lived.then(|| settings.data.join("knocks")),
        };
        let endpoint = Endpoint::bind(&identity, table.clone(), &options)?;
        let address = endpoint.local_addr().map_err(NodeError::Address)?;
        info!(%address, role = ?settings.role, peers = table.entries().len(), "node started");
        Ok(Arc::new(Self {
            me: identity.peer_id(),
            identity,
            settings,
            instance,
            address,
            table,
            endpoint,
            store,
            links: Links::new(),
            camera: Hub::new(),
            receiving: Receiving::default(),
            events,
            stop: watch::Sender::new(false),
            told: Mutex::default(),
            decoding: Semaphore::new(1),
            _lock: lock,
            _presence: presence,
        }))
    }

    /// Tells an event. The engine never waits for its listener: one that is [`super::EVENTS_MAX`] events behind misses
    /// some, and finds in the history what it missed. What passes by itself has half of the room: a peer that floods us
    /// with it costs no other peer's message its event. Returns whether it was told.
    pub(super) fn emit(&self, event: Event) -> bool {
        let passing = matches!(
            event,
            Event::Progress { .. } | Event::Typing { .. } | Event::Camera { .. } | Event::Published { .. }
        );
        if passing && self.events.capacity() <= super::EVENTS_MAX / 2 {
            return false;
        }
        let sent = self.events.try_send(event);
        if matches!(sent, Err(TrySendError::Full(_))) && !passing {
            warn!("the listener does not keep up, it misses an event; the history has every message");
        }
        sent.is_ok()
    }

    /// Tells whether a peer publishes a camera over one of its links, where that is not what was told last. What found no
    /// room is told with the link's next ping.
    pub(super) fn tell_camera(&self, peer: &Entry) {
        // Held while it is told: of two links' tasks the later one tells what is true last.
        let mut told = lock(&peer.state.camera_told);
        let camera = self.links.with_camera(&peer.id);
        if *told != camera && self.emit(Event::Published { peer: peer.name.clone(), camera }) {
            *told = camera;
        }
    }

    /// Tells of a fault of the store that keeps messages out. Peers try again and again: each kind is told once, until
    /// the store has worked in between.
    pub(super) fn store_failed(&self, error: &StoreError) {
        if lock(&self.told).insert(std::mem::discriminant(error)) {
            let words = format!("a message could not be stored: {error}");
            self.emit(Event::Trouble { error: words, hint: error.hint(), matter: error.into() });
        }
    }

    /// The store has taken a message.
    pub(super) fn store_works(&self) {
        lock(&self.told).clear();
    }

    /// Ends every task.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves once the node stops.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// The peer's state; `None` once the peer is not in the table any more.
    pub(super) fn peer(&self, id: &PeerId) -> Option<Arc<PeerState>> {
        self.table.by_id(id).map(|entry| entry.state.clone())
    }

    pub(super) fn entry(&self, name: &str) -> Option<Arc<Entry>> {
        self.table.by_name(name)
    }

    /// Runs store work off the async threads.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(StoreError::File {
                action: "work on",
                path: self.settings.data.clone(),
                source: std::io::Error::other(error.to_string()),
            }),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            traffic: self.endpoint.traffic(),
            key_updates: self.endpoint.key_updates(),
            links: self.links.all().iter().map(|link| link.info()).collect(),
            camera: self.camera.status(),
        }
    }

    /// The link that messages to the peer go over.
    pub(super) fn link_to(&self, peer: &PeerId) -> Option<Arc<Link>> {
        self.links.best(peer)
    }
}

/// A poisoned lock only says that another task panicked; what these locks guard is valid at every step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix milliseconds; 0 before 1970.
pub(super) fn now_ms() -> i64 {
    i64::try_from(now_us() / 1000).unwrap_or(i64::MAX)
}

/// Unix microseconds; 0 before 1970.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since `start` by the steady clock.
pub(super) fn steady_ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
