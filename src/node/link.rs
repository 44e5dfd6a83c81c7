//! One connection that both sides settled on, and the list of all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quinn::VarInt;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info};

use super::clock::Clock;
use super::settle::{Facts, Verdict, settle};
use super::shared::{lock, now_us};
use super::table::Entry;
use super::types::LinkInfo;
use super::watch::Sink;
use crate::identity::PeerId;
use crate::store::MessageId;
use crate::wire::{Control, Ping, Pong};

/// Links of one peer at one time: its app, a camera, and some one-shot commands.
pub(super) const LINKS_PER_PEER_MAX: usize = 16;
/// Offers of a peer under way at one time.
pub(super) const OFFERS_MAX: usize = 64;
/// Bodies over [`BULK_BYTES`] under way to a peer at one time.
pub(super) const BODIES_MAX: usize = 8;
/// A body above this is bulk: lower priority, and kept in chunks by the receiver.
pub(super) const BULK_BYTES: u64 = 256 * 1024;
/// Watches of a peer at one time.
pub(super) const WATCHES_MAX: usize = 16;
/// Control frames that may wait to be written.
const CONTROL_QUEUE_MAX: usize = 64;
/// Pings that may be under way.
const PINGS_MAX: usize = 64;
/// A replaced link may finish what it has under way for this long.
pub(super) const DRAIN: Duration = Duration::from_secs(10);

/// Application close codes (`docs/protocol.md`, "Closing").
pub(super) mod close {
    pub(crate) const BYE: u32 = 0;
    pub(crate) const REPLACED: u32 = 1;
    pub(crate) const DUPLICATE: u32 = 2;
    pub(crate) const NOT_IN_TABLE: u32 = 3;
    pub(crate) const PROTOCOL: u32 = 4;
    pub(crate) const ROTATED: u32 = 5;
    pub(crate) const TOO_MANY_LINKS: u32 = 6;
}

/// A round trip as measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundTrip {
    pub(super) rtt: Duration,
}

struct PendingPing {
    sent_us: u64,
    sent: Instant,
    reply: Option<oneshot::Sender<RoundTrip>>,
}

/// A link.
pub(super) struct Link {
    pub(super) id: [u8; 16],
    pub(super) peer: Arc<Entry>,
    pub(super) instance: [u8; 16],
    pub(super) receives: bool,
    pub(super) ours: bool,
    pub(super) conn: quinn::Connection,
    pub(super) since: Instant,
    pub(super) watches: Mutex<HashMap<u64, Sink>>,
    pub(super) clock: Mutex<Clock>,
    /// How far the peer was told over this link that we have read.
    pub(super) read_told: Mutex<Option<MessageId>>,
    suite: String,
    group: String,
    camera: AtomicBool,
    retiring: watch::Sender<bool>,
    busy: AtomicUsize,
    control: mpsc::Sender<Control>,
    pings: Mutex<HashMap<u64, PendingPing>>,
    next_ping: AtomicU64,
    next_watch: AtomicU64,
}

/// What both handshakes of a link came to.
pub(super) struct Settled {
    pub(super) id: [u8; 16],
    pub(super) peer: Arc<Entry>,
    pub(super) instance: [u8; 16],
    pub(super) receives: bool,
    pub(super) camera: bool,
    pub(super) ours: bool,
    pub(super) conn: quinn::Connection,
}

impl Link {
    /// A link and the queue that its control writer empties.
    pub(super) fn new(settled: Settled) -> (Arc<Self>, mpsc::Receiver<Control>) {
        let (control, queue) = mpsc::channel(CONTROL_QUEUE_MAX);
        let (suite, group) = crate::quic::endpoint::negotiated(&settled.conn);
        let link = Self {
            id: settled.id,
            peer: settled.peer,
            instance: settled.instance,
            receives: settled.receives,
            ours: settled.ours,
            conn: settled.conn,
            since: Instant::now(),
            watches: Mutex::default(),
            clock: Mutex::default(),
            read_told: Mutex::default(),
            suite,
            group,
            camera: AtomicBool::new(settled.camera),
            retiring: watch::Sender::new(false),
            busy: AtomicUsize::new(0),
            control,
            pings: Mutex::default(),
            next_ping: AtomicU64::new(0),
            next_watch: AtomicU64::new(0),
        };
        (Arc::new(link), queue)
    }

    pub(super) fn info(&self) -> LinkInfo {
        let address = self.conn.remote_address();
        LinkInfo {
            peer: self.peer.name.clone(),
            address: std::net::SocketAddr::new(address.ip().to_canonical(), address.port()),
            suite: self.suite.clone(),
            group: self.group.clone(),
            key_age: self.since.elapsed(),
            camera: self.camera.load(Ordering::Relaxed),
        }
    }

    pub(super) fn set_camera(&self, camera: bool) {
        self.camera.store(camera, Ordering::Relaxed);
    }

    /// Neither closed nor being replaced.
    pub(super) fn is_fresh(&self) -> bool {
        !*self.retiring.borrow() && self.conn.close_reason().is_none()
    }

    /// Resolves once the link is being replaced or is closed.
    pub(super) async fn leaving(&self) {
        let mut retiring = self.retiring.subscribe();
        tokio::select! {
            _ = retiring.wait_for(|retiring| *retiring) => {}
            _ = self.conn.closed() => {}
        }
    }

    /// Counts a stream that a replaced link may finish.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Closes the connection. One that is closed already keeps the reason of whoever closed it: what we do because of
    /// that end would replace it, and the log and the event would not tell what the peer said.
    pub(super) fn close(&self, code: u32, reason: &str) {
        if self.conn.close_reason().is_none() {
            self.conn.close(VarInt::from_u32(code), reason.as_bytes());
        }
    }

    /// Queues a control frame; without room it is dropped, as a link that slow is about to die.
    pub(super) fn tell(&self, control: Control) {
        if self.control.try_send(control).is_err() {
            debug!(peer = %self.peer.name, "no room for a control frame");
        }
    }

    /// Starts a round trip; `reply` hears of its end.
    pub(super) fn ping(&self, reply: Option<oneshot::Sender<RoundTrip>>) {
        let number = self.next_ping.fetch_add(1, Ordering::Relaxed);
        let mut pings = lock(&self.pings);
        if pings.len() >= PINGS_MAX {
            // The oldest has no answer any more.
            if let Some(oldest) = pings.keys().min().copied() {
                pings.remove(&oldest);
            }
        }
        pings.insert(number, PendingPing { sent_us: now_us(), sent: Instant::now(), reply });
        drop(pings);
        self.tell(Control::Ping(Ping { number }));
    }

    /// Ends a round trip. A pong that was not asked for is ignored.
    pub(super) fn pong(&self, pong: &Pong) {
        let Some(ping) = lock(&self.pings).remove(&pong.number) else {
            return;
        };
        let rtt = ping.sent.elapsed();
        let returned_us = ping.sent_us.saturating_add(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
        lock(&self.clock).sample(ping.sent_us, pong.received_at_us, pong.replied_at_us, returned_us);
        if let Some(reply) = ping.reply {
            let _ = reply.send(RoundTrip { rtt });
        }
    }

    pub(super) fn pings_under_way(&self) -> usize {
        lock(&self.pings).len()
    }

    pub(super) fn new_watch(&self) -> u64 {
        self.next_watch.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets the link finish what it has under way, then closes it.
    fn retire(self: &Arc<Self>) {
        self.retiring.send_replace(true);
        let link = self.clone();
        tokio::spawn(async move {
            let deadline = Instant::now() + DRAIN;
            while link.busy.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
                tokio::select! {
                    _ = tokio::time::sleep(Duration::from_millis(100)) => {}
                    _ = link.conn.closed() => return,
                }
            }
            link.close(close::ROTATED, "replaced by a fresh handshake");
        });
    }
}

/// A stream under way.
pub(super) struct Busy(Arc<Link>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All links of a node, in the order in which they were settled.
pub(super) struct Links {
    list: Mutex<Vec<Arc<Link>>>,
    changed: watch::Sender<u64>,
}

/// Why a link was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Another link between the same processes stays.
    Duplicate,
    /// The table has changed meanwhile.
    NotInTable,
    /// [`LINKS_PER_PEER_MAX`].
    TooMany,
}

impl Links {
    pub(super) fn new() -> Self {
        Self { list: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Tells of every link that comes or goes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn all(&self) -> Vec<Arc<Link>> {
        lock(&self.list).clone()
    }

    /// Settles a new link against those that exist. True where it is the peer's first.
    pub(super) fn add(&self, me: &PeerId, link: &Arc<Link>, replaces: Option<[u8; 16]>) -> Result<bool, NotTaken> {
        let mut list = lock(&self.list);
        list.retain(|other| other.conn.close_reason().is_none());
        let first = !list.iter().any(|other| other.peer.id == link.peer.id);
        let of_peer = list.iter().filter(|other| other.peer.id == link.peer.id);
        let same = of_peer.clone().filter(|other| other.instance == link.instance && other.is_fresh());
        let verdicts: Vec<(Arc<Link>, Verdict)> = same
            .map(|old| {
                let old_facts = Facts { ours: old.ours, age: old.since.elapsed() };
                let new_facts = Facts { ours: link.ours, age: Duration::ZERO };
                (old.clone(), settle(me, &link.peer.id, old_facts, new_facts, replaces == Some(old.id)))
            })
            .collect();
        // All is judged before anything is done: a link that is refused changes nothing.
        if verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Duplicate) {
            return Err(NotTaken::Duplicate);
        }
        if of_peer.filter(|other| other.is_fresh()).count() - verdicts.len() >= LINKS_PER_PEER_MAX {
            return Err(NotTaken::TooMany);
        }
        for (old, verdict) in verdicts {
            match verdict {
                Verdict::TakeOver => old.retire(),
                Verdict::Replace | Verdict::Duplicate => {
                    old.close(close::REPLACED, "replaced by a newer connection");
                }
            }
        }
        list.push(link.clone());
        drop(list);
        info!(peer = %link.peer.name, ours = link.ours, receives = link.receives, "link up");
        self.changed.send_modify(|version| *version += 1);
        Ok(first)
    }

    /// Takes a link out. True where it was the peer's last.
    pub(super) fn remove(&self, link: &Arc<Link>) -> bool {
        let mut list = lock(&self.list);
        list.retain(|other| !Arc::ptr_eq(other, link));
        let last = !list.iter().any(|other| other.peer.id == link.peer.id);
        drop(list);
        self.changed.send_modify(|version| *version += 1);
        last
    }

    /// The newest link to a process of the peer that takes deliveries.
    pub(super) fn best(&self, peer: &PeerId) -> Option<Arc<Link>> {
        lock(&self.list).iter().rev().find(|link| link.peer.id == *peer && link.receives && link.is_fresh()).cloned()
    }

    /// Whether the peer publishes a camera over one of its links.
    pub(super) fn with_camera(&self, peer: &PeerId) -> bool {
        lock(&self.list).iter().any(|link| link.peer.id == *peer && link.camera.load(Ordering::Relaxed))
    }

    /// The newest link to a process of the peer that publishes a camera, else the best one: it will say why not.
    pub(super) fn best_camera(&self, peer: &PeerId) -> Option<Arc<Link>> {
        let with_camera = lock(&self.list)
            .iter()
            .rev()
            .find(|link| link.peer.id == *peer && link.is_fresh() && link.camera.load(Ordering::Relaxed))
            .cloned();
        with_camera.or_else(|| self.best(peer))
    }
}
