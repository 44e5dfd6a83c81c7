//! The relay itself: two sockets between a dialler and a responder, and a queue of what is on its way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::weather::{Fates, Weather};

/// Datagrams on their way in one direction; the link loses what comes beyond.
const QUEUE_MAX: usize = 4_096;
/// Asked of the kernel, so that what is lost is lost by the relay.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// What a relay did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) lost: u64,
    pub(super) damaged: u64,
    pub(super) twice: u64,
    pub(super) cuts: u64,
    pub(super) moves: u64,
}

/// Payload that arrived.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bytes {
    /// At the responder.
    pub(super) up: u64,
    /// At the dialler.
    pub(super) down: u64,
}

impl Bytes {
    pub(super) fn all(self) -> u64 {
        self.up + self.down
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.lost += other.lost;
        self.damaged += other.damaged;
        self.twice += other.twice;
        self.cuts += other.cuts;
        self.moves += other.moves;
    }
}

/// A link; it ends with the value.
pub(super) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    responder: SocketAddr,
    /// What the dialler sends to.
    front: UdpSocket,
    /// Where the responder sees the dialler.
    back: watch::Sender<Arc<UdpSocket>>,
    dialler: Mutex<Option<SocketAddr>>,
    cut_until: Mutex<Option<Instant>>,
    counts: Mutex<Counts>,
    bytes: watch::Sender<Bytes>,
}

impl Relay {
    pub(super) async fn start(responder: SocketAddr, seed: u64, weather: Weather) -> Self {
        let front = socket();
        let address = front.local_addr().unwrap();
        let shared = Arc::new(Shared {
            responder,
            front,
            back: watch::Sender::new(Arc::new(socket())),
            dialler: Mutex::default(),
            cut_until: Mutex::default(),
            counts: Mutex::default(),
            bytes: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(up(shared.clone(), Fates::new(seed, 0, &weather), weather.clone()));
        tasks.spawn(down(shared.clone(), Fates::new(seed, 1, &weather)));
        Self { address, shared, _tasks: tasks }
    }

    /// Where the dialler finds the responder.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn counts(&self) -> Counts {
        *self.shared.counts.lock().unwrap()
    }

    /// Payload that arrived so far.
    pub(super) fn bytes(&self) -> Bytes {
        *self.shared.bytes.borrow()
    }

    /// Waits until so many bytes have arrived at either end, at most for `limit`.
    pub(super) async fn until_bytes(&self, bytes: u64, limit: Duration) {
        let mut arrived = self.shared.bytes.subscribe();
        let waiting = arrived.wait_for(|arrived| arrived.all() >= bytes);
        let _ = tokio::time::timeout(limit, waiting).await;
    }
}

fn socket() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    // The kernel gives what it allows.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    UdpSocket::from_std(socket.into()).unwrap()
}

impl Shared {
    /// Cuts and moves that are due with the dialler's datagram of this number.
    fn turn(&self, weather: &mut Weather, number: u64) {
        if let Some((_, length)) = weather.cuts.front().copied().filter(|(at, _)| *at <= number) {
            weather.cuts.pop_front();
            *self.cut_until.lock().unwrap() = Some(Instant::now() + length);
            self.counts.lock().unwrap().cuts += 1;
        }
        if weather.moves.front().is_some_and(|at| *at <= number) {
            weather.moves.pop_front();
            self.back.send_replace(Arc::new(socket()));
            self.counts.lock().unwrap().moves += 1;
        }
    }

    /// Decides about one datagram and puts its copies into the queue.
    fn take(&self, fates: &mut Fates, datagram: &[u8], queue: &mut Queue) {
        let fate = fates.next();
        let cut = self.cut_until.lock().unwrap().is_some_and(|until| Instant::now() < until);
        let mut counts = self.counts.lock().unwrap();
        if cut || fate.copies.is_empty() {
            counts.lost += 1;
            return;
        }
        counts.passed += 1;
        counts.twice += u64::from(fate.copies.len() > 1);
        counts.damaged += u64::from(fate.damage.is_some());
        drop(counts);
        for (copy, delay) in fate.copies.iter().enumerate() {
            let mut datagram = datagram.to_vec();
            // Of two copies the second one is whole.
            if let Some(damage) = fate.damage.filter(|_| copy == 0) {
                damage.apply(&mut datagram);
            }
            queue.push(*delay, datagram);
        }
    }
}

/// From the dialler to the responder. Cuts and moves are counted by this direction's datagrams.
async fn up(shared: Arc<Shared>, mut fates: Fates, mut weather: Weather) {
    let mut queue = Queue::default();
    let mut buffer = vec![0; 65_536];
    let mut number = 0;
    loop {
        let datagram = tokio::select! {
            came = shared.front.recv_from(&mut buffer) => {
                let Ok((bytes, from)) = came else { continue };
                *shared.dialler.lock().unwrap() = Some(from);
                number += 1;
                shared.turn(&mut weather, number);
                shared.take(&mut fates, &buffer[..bytes], &mut queue);
                continue;
            }
            datagram = queue.due() => datagram,
        };
        let back = shared.back.borrow().clone();
        if back.send_to(&datagram, shared.responder).await.is_ok() {
            shared.bytes.send_modify(|bytes| bytes.up += datagram.len() as u64);
        }
    }
}

/// From the responder to the dialler. What comes to an address that the dialler had before is lost.
async fn down(shared: Arc<Shared>, mut fates: Fates) {
    let mut queue = Queue::default();
    let mut buffer = vec![0; 65_536];
    let mut backs = shared.back.subscribe();
    loop {
        let back = backs.borrow_and_update().clone();
        let datagram = tokio::select! {
            came = back.recv_from(&mut buffer) => {
                if let Ok((bytes, _)) = came {
                    shared.take(&mut fates, &buffer[..bytes], &mut queue);
                }
                continue;
            }
            _ = backs.changed() => continue,
            datagram = queue.due() => datagram,
        };
        let dialler = *shared.dialler.lock().unwrap();
        if let Some(dialler) = dialler
            && shared.front.send_to(&datagram, dialler).await.is_ok()
        {
            shared.bytes.send_modify(|bytes| bytes.down += datagram.len() as u64);
        }
    }
}

/// Datagrams on their way, by when they arrive; those of one moment in the order in which they were sent.
#[derive(Default)]
struct Queue {
    waiting: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    number: u64,
}

impl Queue {
    fn push(&mut self, delay: Duration, datagram: Vec<u8>) {
        if self.waiting.len() < QUEUE_MAX {
            self.number += 1;
            self.waiting.push(Reverse((Instant::now() + delay, self.number, datagram)));
        }
    }

    /// The next datagram, once its time has come. Loses nothing when it is not awaited to the end.
    async fn due(&mut self) -> Vec<u8> {
        match self.waiting.peek() {
            None => std::future::pending().await,
            Some(Reverse((at, ..))) if *at > Instant::now() => tokio::time::sleep_until((*at).into()).await,
            Some(_) => {}
        }
        self.waiting.pop().map(|Reverse((_, _, datagram))| datagram).unwrap_or_default()
    }
}
