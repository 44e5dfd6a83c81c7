//! The tasks of a node: commands, links and their ends, who is dialled when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{RecvStream, SendStream};
use rand_core::Rng;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::camera::Opener;
use super::dial::{DialError, dial};
use super::link::{Link, NotTaken, Settled, close};
use super::shared::{Shared, lock};
use super::table::Entry;
use super::text::one_line;
use super::types::{Command, Event, PongInfo, Role};
use super::{answer, control, draft, follow, outgoing, reading, watch};
use crate::identity::system_rng;
use crate::wire::{Control, Presence, Typing};

/// Told to the other side, for its log.
pub(super) const AGENT: &str = concat!("miyu/", env!("CARGO_PKG_VERSION"));
/// The pause after the first failed dial; it doubles from there.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause between dials.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A link that lasted this long starts the pauses anew.
const STEADY: Duration = Duration::from_secs(5);
/// A ping that has no answer by then has none.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer without an address is given this long to dial us when a command needs it.
const WAIT_FOR_DIAL: Duration = Duration::from_secs(8);
/// Farewells are given this long to go out.
const FAREWELL: Duration = Duration::from_secs(2);
/// Where there is no link, only dials are given up.
const NO_FAREWELL: Duration = Duration::from_millis(100);

/// Starts every task.
pub(super) fn start(shared: Arc<Shared>, commands: mpsc::Receiver<Command>) {
    if shared.settings.role == Role::LongLived {
        tokio::spawn(answer::run(shared.clone()));
    }
    for peer in shared.table.entries() {
        start_peer(&shared, &peer);
    }
    if shared.settings.role == Role::LongLived
        && let Some(config) = shared.settings.table.clone()
    {
        tokio::spawn(follow::run(shared.clone(), config));
    }
    tokio::spawn(outgoing::inherit(shared.clone()));
    if shared.settings.role == Role::LongLived {
        tokio::spawn(reading::retain(shared.clone()));
    }
    tokio::spawn(obey(shared, commands));
}

/// Starts what runs for one entry of the table as long as the table has it.
pub(super) fn start_peer(shared: &Arc<Shared>, peer: &Arc<Entry>) {
    tokio::spawn(outgoing::run(shared.clone(), peer.clone()));
    tokio::spawn(reading::note(shared.clone(), peer.clone()));
    if shared.settings.role == Role::LongLived && !peer.addresses.is_empty() {
        tokio::spawn(keep_linked(shared.clone(), peer.clone()));
    }
}

async fn obey(shared: Arc<Shared>, mut commands: mpsc::Receiver<Command>) {
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            () = shared.stopped() => break,
        };
        let Some(command) = command else { break };
        if let Command::Shutdown { reply } = command {
            shut_down(&shared).await;
            let _ = reply.send(());
            return;
        }
        // A command may wait for a dial: it must not hold up the next one.
        tokio::spawn(carry_out(shared.clone(), command));
    }
    shared.endpoint.close(close::BYE, b"");
}

async fn carry_out(shared: Arc<Shared>, command: Command) {
    match command {
        Command::Send { peer, draft, reply } => {
            let _ = reply.send(draft::enqueue(&shared, &peer, draft).await);
        }
        Command::Connect { peer, reply } => {
            let _ = reply.send(connect(&shared, &peer).await.map(|link| link.info()));
        }
        Command::Ping { peer, reply } => {
            let _ = reply.send(ping(&shared, &peer).await);
        }
        Command::Watch { peer, options, reply } => {
            let _ = reply.send(watch::start(&shared, &peer, options).await);
        }
        Command::Publish { plan, opener, reply } => {
            let publisher = shared.clone();
            let opener = opener.unwrap_or_else(|| Opener::of(&plan));
            // It waits for the source.
            let published = tokio::task::spawn_blocking(move || publisher.camera.publish(&publisher, plan, opener));
            if published.await.is_err() {
                return;
            }
            for link in shared.links.all() {
                link.tell(Control::Presence(Presence { camera: true }));
            }
            let _ = reply.send(());
        }
        Command::Answer { reply } => {
            let _ = reply.send(());
        }
        Command::Typing { peer, active } => {
            let link = shared.entry(&peer).and_then(|entry| shared.link_to(&entry.id));
            if let Some(link) = link {
                link.tell(Control::Typing(Typing { active }));
            }
        }
        Command::MarkRead { peer, up_to } => reading::mark(&shared, &peer, up_to).await,
        Command::Retry { peer, id, reply } => {
            let _ = reply.send(outgoing::retry(&shared, &peer, id).await);
        }
        Command::Cancel { peer, id, reply } => {
            let _ = reply.send(outgoing::cancel(&shared, &peer, id).await);
        }
        Command::SetPeers { peers, reply } => {
            let _ = reply.send(follow::apply(&shared, &peers));
        }
        Command::Reload { reply } => {
            let _ = reply.send(follow::again(&shared).await);
        }
        Command::Shutdown { .. } => {}
    }
}

async fn shut_down(shared: &Arc<Shared>) {
    shared.camera.stop();
    shared.stop();
    shared.endpoint.close(close::BYE, b"goodbye");
    // After the stop, so that nothing is claimed again.
    outgoing::release_all(shared).await;
    let farewell = if shared.links.all().is_empty() { NO_FAREWELL } else { FAREWELL };
    let _ = tokio::time::timeout(farewell, shared.endpoint.wait_idle()).await;
    if let Err(error) = shared.endpoint.hang_up() {
        warn!(%error, "the UDP port is kept until the last connection has ended");
    }
    info!("node stopped");
}

/// The link to the peer, dialled now if there is none.
pub(super) async fn connect(shared: &Arc<Shared>, name: &str) -> Result<Arc<Link>, DialError> {
    let peer = shared.entry(name).ok_or_else(|| DialError::NoPeer(name.to_owned()))?;
    if let Some(link) = shared.link_to(&peer.id) {
        return Ok(link);
    }
    if peer.addresses.is_empty() {
        if shared.settings.role == Role::LongLived {
            let waited = tokio::time::timeout(WAIT_FOR_DIAL, linked(shared, &peer)).await;
            if let Ok(link) = waited {
                return Ok(link);
            }
        }
        return Err(DialError::NoAddress { peer: peer.name.clone() });
    }
    dial_once(shared, &peer).await
}

/// Dials unless another task has just brought a link up.
async fn dial_once(shared: &Arc<Shared>, peer: &Arc<Entry>) -> Result<Arc<Link>, DialError> {
    let _turn = peer.state.dialling.lock().await;
    if let Some(link) = shared.link_to(&peer.id) {
        return Ok(link);
    }
    match dial(shared, peer, None).await {
        Ok(link) => Ok(link),
        // The peer may have dialled us meanwhile.
        Err(error) => shared.link_to(&peer.id).ok_or(error),
    }
}

/// Waits for a link that takes deliveries.
pub(super) async fn linked(shared: &Arc<Shared>, peer: &Arc<Entry>) -> Arc<Link> {
    let mut changes = shared.links.changes();
    loop {
        if let Some(link) = shared.link_to(&peer.id) {
            return link;
        }
        // The sender lives as long as `shared`.
        let _ = changes.changed().await;
    }
}

async fn ping(shared: &Arc<Shared>, name: &str) -> Result<PongInfo, DialError> {
    let deadline = Instant::now() + PING_TIMEOUT;
    loop {
        let link = connect(shared, name).await?;
        let (reply, answer) = oneshot::channel();
        link.ping(Some(reply));
        let reason = tokio::select! {
            answer = answer => match answer {
                Ok(round_trip) => return Ok(pong(&link, round_trip.rtt)),
                Err(_) => "the link ended before the answer",
            },
            // Crossing dials and rotations end links whose successor stands already.
            _ = link.conn.closed() => "the link ended before the answer",
            () = tokio::time::sleep_until(deadline.into()) => "no answer to a ping",
        };
        if Instant::now() >= deadline {
            return Err(DialError::Closed { peer: name.to_owned(), reason: reason.to_owned() });
        }
    }
}

fn pong(link: &Link, rtt: Duration) -> PongInfo {
    let estimate = lock(&link.clock).estimate();
    PongInfo {
        link: link.info(),
        rtt,
        clock_offset_us: estimate.map_or(0, |estimate| estimate.offset_us),
        clock_error_us: estimate.map_or(u64::MAX, |estimate| estimate.error_us),
    }
}

/// A link that is settled and has no tasks yet.
pub(super) struct Prepared {
    pub(super) link: Arc<Link>,
    queue: mpsc::Receiver<Control>,
    first: bool,
}

/// Settles a link against those that exist.
pub(super) fn prepare_link(
    shared: &Arc<Shared>,
    settled: Settled,
    replaces: Option<[u8; 16]>,
) -> Result<Prepared, NotTaken> {
    let (link, queue) = Link::new(settled);
    let first = shared.links.add(&shared.me, &link, replaces)?;
    // The table may have changed during the handshake. Whoever changes it closes the links that are in the list
    // by then; this link is in the list, so that one of the two sees the other.
    if shared.table.by_id(&link.peer.id).is_none_or(|entry| entry.name != link.peer.name) {
        shared.links.remove(&link);
        return Err(NotTaken::NotInTable);
    }
    Ok(Prepared { link, queue, first })
}

/// Starts the tasks of a link, and tells of it.
pub(super) fn start_link(
    shared: &Arc<Shared>,
    prepared: Prepared,
    control_streams: (SendStream, RecvStream),
) -> Arc<Link> {
    let Prepared { link, queue, first } = prepared;
    let (send, recv) = control_streams;
    if first {
        let info = link.info();
        let mut told = lock(&link.peer.state.camera_told);
        *told = info.camera;
        shared.emit(Event::Connected(info));
    } else {
        shared.tell_camera(&link.peer);
    }
    tokio::spawn(control::write(shared.clone(), link.clone(), send, queue));
    tokio::spawn(control::read(shared.clone(), link.clone(), recv));
    tokio::spawn(answer::bidi_streams(shared.clone(), link.clone()));
    tokio::spawn(answer::frame_streams(link.clone()));
    tokio::spawn(tell_end(shared.clone(), link.clone()));
    if link.ours {
        spawn_rotation(shared.clone(), link.clone());
    }
    link.peer.state.outbox.notify_one();
    tokio::spawn(reading::tell(shared.clone(), link.clone()));
    // A camera that was published between the introduction and now was told to nobody.
    if shared.camera.is_published() {
        link.tell(Control::Presence(Presence { camera: true }));
    }
    link
}

async fn tell_end(shared: Arc<Shared>, link: Arc<Link>) {
    let reason = link.conn.closed().await;
    let last = shared.links.remove(&link);
    lock(&link.watches).clear();
    let lasted_s = link.since.elapsed().as_secs();
    let words = one_line(&reason.to_string());
    info!(peer = %link.peer.name, reason = words, lasted_s, "link down");
    if !last {
        shared.tell_camera(&link.peer);
    } else if !shared.is_stopped() {
        let reason = match reason {
            quinn::ConnectionError::TimedOut => "nothing heard for 12 s".to_owned(),
            quinn::ConnectionError::ApplicationClosed(frame) if frame.reason.is_empty() => "closed".to_owned(),
            _ => words,
        };
        shared.emit(Event::Disconnected { peer: link.peer.name.clone(), reason });
    }
}

/// A link's rotation starts the next link, and with it that one's rotation: the type of the task must not contain
/// itself.
fn spawn_rotation(shared: Arc<Shared>, link: Arc<Link>) {
    let task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(rotate(shared, link));
    tokio::spawn(task);
}

/// A fresh SM2 handshake on a new connection, made before the old one is given up. Started by the dialler.
async fn rotate(shared: Arc<Shared>, link: Arc<Link>) {
    let mut wait = shared.settings.new_handshake;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = link.leaving() => return,
            () = shared.stopped() => return,
        }
        // The table may have another address by now.
        let Some(peer) = shared.table.by_id(&link.peer.id) else {
            return;
        };
        let turn = peer.state.dialling.lock().await;
        let dialled = dial(&shared, &peer, Some(link.id)).await;
        drop(turn);
        match dialled {
            // Another link may have stayed in place of the new one: then this one still has to be replaced.
            Ok(_) if link.is_fresh() => wait = BACKOFF_MAX.min(shared.settings.new_handshake),
            Ok(_) => {
                info!(peer = %link.peer.name, "keys rotated by a fresh handshake");
                return;
            }
            Err(error) => {
                debug!(peer = %link.peer.name, %error, "the fresh handshake failed, the link goes on");
                wait = BACKOFF_MAX.min(shared.settings.new_handshake);
            }
        }
    }
}

/// Dials a peer whenever there is no link to it, with growing pauses.
async fn keep_linked(shared: Arc<Shared>, peer: Arc<Entry>) {
    let mut backoff = Backoff::default();
    let mut told: Option<DialError> = None;
    loop {
        if let Some(link) = shared.link_to(&peer.id) {
            told = None;
            tokio::select! {
                () = link.leaving() => {}
                () = shared.stopped() => return,
                () = peer.gone() => return,
            }
            // A link that is being replaced has its successor already; give the list a moment to say so.
            tokio::task::yield_now().await;
            if shared.link_to(&peer.id).is_some() {
                continue;
            }
            if link.since.elapsed() >= STEADY {
                backoff = Backoff::default();
            } else {
                // A peer that answers and closes at once is not dialled in a circle.
                pause(&shared, &peer, backoff.next()).await;
                continue;
            }
        }
        let result = tokio::select! {
            result = dial_once(&shared, &peer) => result,
            () = shared.stopped() => return,
            () = peer.gone() => return,
        };
        if let Err(error) = result
            && told.as_ref() != Some(&error)
        {
            info!(peer = %peer.name, %error, "no link");
            shared.emit(Event::DialFailed { peer: peer.name.clone(), error: error.clone() });
            told = Some(error);
        }
        if shared.link_to(&peer.id).is_none() {
            pause(&shared, &peer, backoff.next()).await;
        }
    }
}

/// Waits out a pause, or less: a link that came up, a command that needs the peer and a stop end it.
async fn pause(shared: &Arc<Shared>, peer: &Arc<Entry>, length: Duration) {
    tokio::select! {
        () = tokio::time::sleep(length) => {}
        _ = linked(shared, peer) => {}
        () = peer.state.dial_now.notified() => {}
        () = peer.gone() => {}
        () = shared.stopped() => {}
    }
}

/// Pauses between dials: 0.5 s doubling to 30 s, each shortened by up to a quarter so that two peers that come back
/// together do not dial in step.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF_MIN }
    }
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(BACKOFF_MAX);
        let quarters = f64::from(system_rng().next_u32()) / f64::from(u32::MAX) / 4.0;
        full.mul_f64(1.0 - quarters)
    }
}

/// How long ago, in milliseconds.
pub(super) fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
