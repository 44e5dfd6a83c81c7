//! The gate: a UDP socket that shows quinn only what may be answered.
//!
//! Stock quinn answers strangers before it decrypts anything (version negotiation, a close for a short DCID, a
//! refusal). So every datagram is judged here first, and one that may not be answered is made undecodable in place:
//! its fixed bit is cleared, and with `grease_quic_bit(false)` quinn drops it without a word.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};
use rand_core::Rng;
use tracing::{debug, warn};

use super::admission::{Admission, Source};
use super::keys::KnockSalt;
use super::knock::{First, Initial, inspect};
use super::replay::Replay;
use super::{CID_BYTES, lock};
use crate::identity::system_rng;

/// Connection ids of ours that are known to the gate: an Initial to one of them is a responder's reply to our dial,
/// or a dialler's later Initial, never a knock. A handshake lasts 8 s at most and uses a handful.
const ISSUED_IDS_MAX: usize = 4_096;
/// Addresses that are told apart in the log of failed knocks; the rest are counted together.
const STRANGERS_MAX: usize = 64;
/// The log names failed knocks at most this often.
const STRANGERS_LOG_PERIOD: Duration = Duration::from_secs(10);

/// What passed the socket, in both directions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Bytes of UDP payload received, strangers' included.
    pub received_bytes: u64,
    /// Datagrams received, strangers' included.
    pub received_datagrams: u64,
    /// Datagrams that did not knock with our key.
    pub strangers: u64,
    /// Knocks that were answered before, and were not answered again.
    pub replays: u64,
    /// Knocks that were not looked at or not answered because there were too many.
    pub surplus: u64,
    /// Attempts that were let in.
    pub attempts: u64,
    /// The most attempts that were under way at one time.
    pub attempts_at_once_max: u64,
}

/// What the gate knows; shared by the socket, the connection id generator and the endpoint.
#[derive(Debug)]
pub(super) struct Judge {
    salt: Salt,
    accepts: AtomicBool,
    key_line: String,
    replay: Replay,
    admission: Mutex<Admission>,
    issued: Mutex<Issued>,
    strangers: Mutex<Strangers>,
    counts: Counts,
}

/// Hides the salt from `Debug`: it is as good as the public key, which strangers must not learn from a log.
struct Salt(KnockSalt);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

#[derive(Debug, Default)]
struct Counts {
    sent_bytes: AtomicU64,
    sent_datagrams: AtomicU64,
    received_bytes: AtomicU64,
    received_datagrams: AtomicU64,
    strangers: AtomicU64,
    replays: AtomicU64,
    surplus: AtomicU64,
}

#[derive(Debug, Default)]
struct Issued {
    order: VecDeque<[u8; CID_BYTES]>,
    known: HashSet<[u8; CID_BYTES]>,
}

#[derive(Debug, Default)]
struct Strangers {
    counts: HashMap<Option<IpAddr>, u64>,
    logged_at: Option<Instant>,
}

impl Judge {
    pub(super) fn new(salt: KnockSalt, accepts: bool, key_line: String, replay: Replay) -> Self {
        Self {
            salt: Salt(salt),
            accepts: AtomicBool::new(accepts),
            key_line,
            replay,
            admission: Mutex::default(),
            issued: Mutex::default(),
            strangers: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// Makes what quinn may not see undecodable: the whole datagram, or what follows its last welcome packet.
    fn judge(&self, datagram: &mut [u8], from: SocketAddr) {
        let (first, later) = inspect(datagram);
        let admitted = match first {
            // Without a connection of that id quinn drops these silently: our generator calls no id valid.
            First::Connected => true,
            First::Unwelcome => {
                self.stranger(from);
                false
            }
            First::Initial(initial) => self.admits(&initial, datagram.len(), from),
        };
        let spoiled = if admitted { later } else { Some(0) };
        if let Some(byte) = spoiled.and_then(|at| datagram.get_mut(at)) {
            *byte = 0;
        }
    }

    fn admits(&self, initial: &Initial<'_>, datagram_len: usize, from: SocketAddr) -> bool {
        // A reply to our dial, or a later Initial of an attempt. Where that connection is gone, `initial_keys` refuses.
        if self.issued(initial.dcid) {
            return true;
        }
        if !self.accepts.load(Ordering::Relaxed) {
            return false;
        }
        // Cheapest first: most of a flood ends here, before a key is derived for it.
        if self.replay.is_over(initial.dcid) {
            self.counts.replays.fetch_add(1, Ordering::Relaxed);
            debug!(%from, "a knock that was answered before came again, dropped");
            return false;
        }
        let source = Source::of(from.ip());
        let now = Instant::now();
        let under_way = lock(&self.admission).waits(initial.dcid) || self.replay.is_live(initial.dcid);
        let room = {
            let mut admission = lock(&self.admission);
            (under_way || admission.may_begin(source, now)) && admission.may_try(source, now)
        };
        if !room {
            self.counts.surplus.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if !initial.opens(&self.salt.0, datagram_len) {
            lock(&self.admission).failed(source, now);
            self.stranger(from);
            return false;
        }
        under_way || lock(&self.admission).begin(initial.dcid, source, now)
    }

    /// Remembers where a peer is, or may be: floods from elsewhere do not keep it out.
    pub(super) fn know(&self, address: IpAddr) {
        lock(&self.admission).know(Source::of(address));
    }

    /// True for an id that we issued: no attempt begins with it.
    pub(super) fn issued(&self, dcid: &[u8]) -> bool {
        lock(&self.issued).known.contains(dcid)
    }

    /// From now on no knock is seen: quinn refuses what comes to a closing endpoint, and a refusal is an answer.
    pub(super) fn close(&self) {
        self.accepts.store(false, Ordering::Relaxed);
    }

    fn stranger(&self, from: SocketAddr) {
        self.counts.strangers.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut strangers = lock(&self.strangers);
        let address = Some(from.ip().to_canonical());
        let slot = if strangers.counts.len() < STRANGERS_MAX || strangers.counts.contains_key(&address) {
            address
        } else {
            None
        };
        *strangers.counts.entry(slot).or_insert(0) += 1;
        if strangers.logged_at.is_some_and(|at| now.duration_since(at) < STRANGERS_LOG_PERIOD) {
            return;
        }
        strangers.logged_at = Some(now);
        for (address, count) in strangers.counts.drain() {
            let address = address.map_or_else(|| "other addresses".to_owned(), |address| address.to_string());
            warn!("{count} datagrams from {address} did not knock with our key; ours is {}", self.key_line);
        }
    }

    /// Takes over an attempt that the gate let in, and notes it; it is live until the guard is dropped, and holds one
    /// of the places until the [`Place`] is.
    pub(super) fn take_in(self: &Arc<Self>, dcid: ConnectionId) -> Option<(LiveAttempt, Place)> {
        if !lock(&self.admission).waits(&dcid) {
            return None;
        }
        // Live before it no longer waits, so that its retransmissions pass all the while.
        if let Err(error) = self.replay.accept(&dcid) {
            warn!(%error, "an accepted knock could not be written down; after a restart it could be replayed once");
        }
        let live = LiveAttempt { judge: self.clone(), dcid };
        let source = lock(&self.admission).claim(&dcid)?;
        Some((live, Place { judge: self.clone(), source }))
    }

    pub(super) fn traffic(&self) -> Traffic {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (attempts, at_once_max) = lock(&self.admission).counts();
        Traffic {
            sent_bytes: read(&self.counts.sent_bytes),
            sent_datagrams: read(&self.counts.sent_datagrams),
            received_bytes: read(&self.counts.received_bytes),
            received_datagrams: read(&self.counts.received_datagrams),
            strangers: read(&self.counts.strangers),
            replays: read(&self.counts.replays),
            surplus: read(&self.counts.surplus),
            attempts,
            attempts_at_once_max: at_once_max as u64,
        }
    }
}

/// An accepted attempt whose retransmissions may pass.
#[derive(Debug)]
pub(super) struct LiveAttempt {
    judge: Arc<Judge>,
    dcid: ConnectionId,
}

impl Drop for LiveAttempt {
    fn drop(&mut self) {
        self.judge.replay.end(&self.dcid);
    }
}

/// One of the places of connections that are not links yet.
#[derive(Debug)]
pub struct Place {
    judge: Arc<Judge>,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.judge.admission).release(self.source);
    }
}

/// Issues 8 random bytes, tells the gate, and calls no id valid, so that no stateless reset is ever sent.
pub(super) struct ConnectionIds(pub(super) Arc<Judge>);

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CID_BYTES];
        system_rng().fill_bytes(&mut id);
        let mut issued = lock(&self.0.issued);
        if issued.known.insert(id) {
            issued.order.push_back(id);
        }
        if issued.order.len() > ISSUED_IDS_MAX
            && let Some(oldest) = issued.order.pop_front()
        {
            issued.known.remove(&oldest);
        }
        ConnectionId::new(&id)
    }

    fn validate(&self, _cid: &ConnectionId) -> Result<(), InvalidCid> {
        Err(InvalidCid)
    }

    fn cid_len(&self) -> usize {
        CID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The socket under quinn.
#[derive(Debug)]
pub(super) struct Gate {
    socket: Arc<dyn AsyncUdpSocket>,
    judge: Arc<Judge>,
}

impl Gate {
    pub(super) fn new(socket: Arc<dyn AsyncUdpSocket>, judge: Arc<Judge>) -> Self {
        Self { socket, judge }
    }
}

impl AsyncUdpSocket for Gate {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)?;
        let bytes = transmit.contents.len();
        let datagrams = transmit.segment_size.map_or(1, |size| bytes.div_ceil(size.max(1)));
        self.judge.counts.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.judge.counts.sent_datagrams.fetch_add(datagrams as u64, Ordering::Relaxed);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = std::task::ready!(self.socket.poll_recv(cx, bufs, meta))?;
        for (buf, meta) in bufs.iter_mut().zip(meta.iter()).take(received) {
            self.judge.counts.received_bytes.fetch_add(meta.len as u64, Ordering::Relaxed);
            // With GRO the kernel hands over several datagrams at once, a stride apart.
            for datagram in buf[..meta.len].chunks_mut(meta.stride.max(1)) {
                self.judge.counts.received_datagrams.fetch_add(1, Ordering::Relaxed);
                self.judge.judge(datagram, meta.addr);
            }
        }
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}
