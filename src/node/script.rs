//! Streams that are played rather than brought by a network: whatever a peer may send, in any pieces and with any end,
//! meets the code that serves real streams, before a real store. For fuzz targets and tests; a program has no use for
//! it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quinn::{ConnectionError, ReadError, ReadExactError, VarInt, WriteError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::io::{ReadHalf, StreamError, WriteHalf};
use super::link::{Link, OFFERS_MAX, Settled};
use super::shared::{NodeError, Shared, lock};
use super::table::Table;
use super::types::{Event, Role, Settings};
use super::{EVENTS_MAX, answer, control, outgoing};
use crate::config::{Allow, HistorySettings, Peer};
use crate::identity::{Identity, PeerId};
use crate::quic::{Endpoint, Options};
use crate::store::{Message, Store};
use crate::wire::Control;

/// A node without tasks of its own, connected to a peer that says nothing by itself.
pub struct Stage {
    shared: Arc<Shared>,
    conn: quinn::Connection,
    events: mpsc::Receiver<Event>,
    // its sockets close when it goes
    _far: Endpoint,
}

impl Stage {
    /// A node with its store in `folder`, and a real connection to `peer`, over loopback. The runtime that this is
    /// awaited in keeps the connection; streams may be played in another one.
    ///
    /// # Errors
    /// The store, the port, or [`NodeError::Task`] where the two do not connect.
    pub async fn new(me: &Identity, peer: &Identity, folder: &Path) -> Result<Self, NodeError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = Settings {
            role: Role::LongLived,
            listen,
            data: folder.to_owned(),
            peers: vec![entry("peer", peer)],
            table: None,
            key_update: Duration::from_secs(600),
            new_handshake: Duration::from_secs(3600),
            history: HistorySettings::default(),
        };
        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let shared = Shared::start(me.clone(), settings, events_in).await?;
        let options = Options { listen, accepts: true, knocks: None };
        let far = Endpoint::bind(peer, Arc::new(Table::new(&[entry("me", me)])), &options)?;
        let address = far.local_addr().map_err(NodeError::Address)?;
        let failed = |error: &dyn std::fmt::Display| NodeError::Task(error.to_string());
        let (conn, answered) = tokio::join!(shared.endpoint.dial(address, peer.public())?, async {
            match far.accept().await {
                Some(attempt) => attempt.finish().await.map(drop),
                None => Err(ConnectionError::LocallyClosed),
            }
        });
        answered.map_err(|error| failed(&error))?;
        let conn = conn.map_err(|error| failed(&error))?;
        Ok(Self { shared, conn, events, _far: far })
    }

    /// Where messages are kept.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The other side.
    pub fn peer(&self) -> Option<PeerId> {
        self.shared.table.entries().first().map(|entry| entry.id)
    }

    /// Who claims messages here.
    pub fn instance(&self) -> [u8; 16] {
        self.shared.instance
    }

    /// The next event that was told.
    pub fn event(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Places among the offers of the peer that are taken, and messages that are being received.
    pub fn under_way(&self) -> (usize, usize) {
        let offers =
            self.shared.table.entries().iter().map(|entry| OFFERS_MAX - entry.state.offers.available_permits()).sum();
        (offers, self.shared.receiving.len())
    }

    /// A new link with nothing on it.
    pub fn link(&self) -> Option<Seat> {
        let settled = Settled {
            id: [0; 16],
            peer: self.shared.table.entries().first()?.clone(),
            instance: [0; 16],
            receives: true,
            camera: false,
            ours: false,
            conn: self.conn.clone(),
        };
        let (link, said) = Link::new(settled);
        Some(Seat { shared: self.shared.clone(), link, said })
    }
}

fn entry(name: &str, identity: &Identity) -> Peer {
    Peer {
        name: name.to_owned(),
        key: identity.public().clone(),
        id: identity.peer_id(),
        addresses: Vec::new(),
        allow: Allow { chat: true, camera: true },
    }
}

/// One link, seen from the peer's end.
pub struct Seat {
    shared: Arc<Shared>,
    link: Arc<Link>,
    said: mpsc::Receiver<Control>,
}

impl Seat {
    /// The peer opens a stream.
    pub fn open(&self) -> Played {
        let (shared, link) = (self.shared.clone(), self.link.clone());
        Played::start(|send, recv| async move {
            match answer::bidi_stream(&shared, &link, send, recv).await {
                Err(StreamError::Wire(error)) => Some(error.to_string()),
                Ok(()) | Err(_) => None,
            }
        })
    }

    /// The peer speaks on the control stream; what the node says there comes by [`Seat::said`].
    pub fn control(&self) -> Played {
        let (shared, link) = (self.shared.clone(), self.link.clone());
        Played::start(|_, recv| async move {
            control::read(shared, link, recv).await;
            None
        })
    }

    /// The node offers a message that it has claimed.
    pub fn offered(&self, message: Message) -> Played {
        let (shared, link) = (self.shared.clone(), self.link.clone());
        Played::start(|send, recv| async move {
            outgoing::try_over(&shared, &link, message, (send, recv)).await;
            None
        })
    }

    /// The next control frame that the node wants to send.
    pub fn said(&mut self) -> Option<Control> {
        self.said.try_recv().ok()
    }

    /// The node asks for a round trip.
    pub fn ping(&self) {
        self.link.ping(None);
    }

    /// Round trips whose end has not come.
    pub fn pings(&self) -> usize {
        self.link.pings_under_way()
    }

    /// Whether the peer says that it publishes a camera.
    pub fn camera(&self) -> bool {
        self.link.info().camera
    }

    /// One of the peer's instants by our clock, Unix microseconds.
    pub fn to_ours(&self, theirs_us: u64) -> u64 {
        lock(&self.link.clock).to_ours(theirs_us)
    }
}

/// What the peer does on a stream.
enum Act {
    Bytes(Bytes),
    End,
    Reset(VarInt),
}

/// Whether the peer takes what is written to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    Held,
    Stopped,
}

/// What was written to the peer.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Nothing more comes.
    pub finished: bool,
    /// The stream was given up.
    pub reset: bool,
}

/// A stream under way, seen from the peer's end. Once it is dropped, the connection is gone.
pub struct Played {
    acts: mpsc::UnboundedSender<Act>,
    flow: watch::Sender<Flow>,
    written: Arc<Mutex<Written>>,
    task: JoinHandle<Option<String>>,
}

impl Played {
    fn start<F: Future<Output = Option<String>> + Send + 'static>(serve: impl FnOnce(Writing, Reading) -> F) -> Self {
        let (acts, acts_out) = mpsc::unbounded_channel();
        let flow = watch::Sender::new(Flow::Open);
        let written = Arc::new(Mutex::new(Written::default()));
        let send = Writing { flow: flow.subscribe(), written: written.clone() };
        let recv = Reading { acts: acts_out, held: Bytes::new(), end: None };
        let task = tokio::spawn(serve(send, recv));
        Self { acts, flow, written, task }
    }

    /// Bytes arrive together.
    pub fn bytes(&self, bytes: &[u8]) {
        self.act(Act::Bytes(Bytes::copy_from_slice(bytes)));
    }

    /// The peer has no more to say.
    pub fn end(&self) {
        self.act(Act::End);
    }

    /// The peer gives the stream up.
    pub fn reset(&self, code: u32) {
        self.act(Act::Reset(VarInt::from_u32(code)));
    }

    fn act(&self, act: Act) {
        // After its end the stream is nobody's any more.
        let _ = self.acts.send(act);
    }

    /// The peer takes nothing for now, or goes on.
    pub fn hold(&self, held: bool) {
        self.flow.send_if_modified(|flow| {
            let wanted = if held { Flow::Held } else { Flow::Open };
            *flow != Flow::Stopped && std::mem::replace(flow, wanted) != wanted
        });
    }

    /// The peer wants nothing more.
    pub fn stop(&self) {
        self.flow.send_replace(Flow::Stopped);
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        lock(&self.written).clone()
    }

    /// Whether the stream is served to its end.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// The connection goes; what the link would have been closed for once the stream has been served, if anything.
    ///
    /// # Errors
    /// The task panicked.
    pub async fn lose(self) -> Result<Option<String>, tokio::task::JoinError> {
        let Self { acts, flow, task, .. } = self;
        drop((acts, flow));
        task.await
    }
}

struct Reading {
    acts: mpsc::UnboundedReceiver<Act>,
    held: Bytes,
    /// How the stream ended.
    end: Option<Option<VarInt>>,
}

impl Reading {
    /// Waits for bytes; false at the end.
    async fn fill(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.end {
                Some(Some(code)) => return Err(ReadError::Reset(code)),
                _ if !self.held.is_empty() => return Ok(true),
                Some(None) => return Ok(false),
                None => {}
            }
            match self.acts.recv().await {
                Some(Act::Bytes(bytes)) => self.held = bytes,
                Some(Act::End) => self.end = Some(None),
                Some(Act::Reset(code)) => self.end = Some(Some(code)),
                None => return Err(ReadError::ConnectionLost(ConnectionError::TimedOut)),
            }
        }
    }
}

impl ReadHalf for Reading {
    async fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), ReadExactError> {
        let mut done = 0;
        while done < bytes.len() {
            if !self.fill().await.map_err(ReadExactError::ReadError)? {
                return Err(ReadExactError::FinishedEarly(done));
            }
            let taken = self.held.split_to(self.held.len().min(bytes.len() - done));
            bytes[done..done + taken.len()].copy_from_slice(&taken);
            done += taken.len();
        }
        Ok(())
    }

    async fn read_chunk(&mut self, bytes_max: usize) -> Result<Option<Bytes>, ReadError> {
        let more = self.fill().await?;
        Ok(more.then(|| self.held.split_to(self.held.len().min(bytes_max))))
    }

    fn stop(&mut self, _: VarInt) {
        self.acts.close();
    }
}

struct Writing {
    flow: watch::Receiver<Flow>,
    written: Arc<Mutex<Written>>,
}

impl Writing {
    async fn open(&mut self) -> Result<(), WriteError> {
        match self.flow.wait_for(|flow| *flow != Flow::Held).await.map(|flow| *flow) {
            Ok(Flow::Stopped) => Err(WriteError::Stopped(VarInt::from_u32(0))),
            Ok(Flow::Open | Flow::Held) => Ok(()),
            Err(_) => Err(WriteError::ConnectionLost(ConnectionError::TimedOut)),
        }
    }
}

impl WriteHalf for Writing {
    fn set_priority(&self, _: i32) {}

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.open().await?;
        let mut written = lock(&self.written);
        if written.finished || written.reset {
            return Err(WriteError::ClosedStream);
        }
        written.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        if *self.flow.borrow() == Flow::Stopped {
            return Err(WriteError::Stopped(VarInt::from_u32(0)));
        }
        lock(&self.written).finished = true;
        Ok(())
    }

    fn reset(&mut self, _: VarInt) {
        lock(&self.written).reset = true;
    }

    async fn done(&mut self) {
        let _ = self.open().await;
    }
}
