//! Sending: from the outbox over a link, to the receipt.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use minicbor::bytes::ByteArray;
use tokio::task::{self, JoinSet};
use tracing::{debug, info, warn};

use super::io::{self, ReadHalf, StreamError, WriteHalf};
use super::link::{BULK_BYTES, Link};
use super::run::elapsed_ms;
use super::shared::{Shared, lock, now_ms};
use super::table::Entry;
use super::types::Event;
use super::{reading, reasons};
use crate::crypto::sm3::Sm3;
use crate::identity::PeerId;
use crate::store::{self, BodyReader, Direction, Lease, Message, MessageId, Store, StoreError};
use crate::wire::{self, DeliveryReply, Offer, Opening, Reason, Refusal, WireError};

/// A claim on an outbox row lasts this long and is renewed while its body moves.
const LEASE: Duration = Duration::from_secs(30);
const _: () = assert!(LEASE.as_millis() <= store::LEASE_MS_MAX as u128);
/// Claims are renewed this often.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);
/// Another process's messages are noticed this quickly.
const OUTBOX_POLL: Duration = Duration::from_millis(500);
/// A refusal for now is tried again after this long, and so is a delivery that broke while its link lives on.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Messages to one peer that are claimed at one time. More than may be under way, so that a text need not wait for a
/// row of pictures.
const CLAIMS_MAX: usize = 256;
/// A receiver that takes not one byte for this long while its link lives.
const WRITE_STALLED: Duration = Duration::from_secs(60);
/// Bytes read from disk and handed to the transport at once.
const PIECE_BYTES: usize = 256 * 1024;
/// A receiver that answers neither yes nor no to an offer for this long has lost it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The receiver hashes and syncs a large body before its receipt.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(300);

/// A claim of this process, from now.
pub(super) fn new_lease(shared: &Shared) -> Lease {
    Lease { owner: shared.instance, until_ms: now_ms() + LEASE.as_millis() as i64 }
}

/// What became of one try.
enum Outcome {
    Delivered {
        ms: u64,
    },
    Refused(Refusal),
    /// The link broke: the message goes out over the next one.
    Broken(String),
    /// The link lives and the delivery failed all the same: another try after a pause.
    Failed(String),
    /// Our own copy is gone or damaged.
    Unreadable(StoreError),
}

/// Sends the peer's outbox whenever there is a link.
pub(super) async fn run(shared: Arc<Shared>, peer: Arc<Entry>) {
    let state = &peer.state;
    let _alone = state.sending.lock().await;
    let mut changes = shared.links.changes();
    let mut under_way: HashMap<task::Id, MessageId> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut renewals = tokio::time::interval(LEASE_RENEWAL);
    renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = None;
    let mut poll = tokio::time::interval(OUTBOX_POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen_version = None;
    let mut look = true;
    let mut looked_at = Instant::now();
    loop {
        if look && let Some(link) = shared.link_to(&peer.id) {
            looked_at = Instant::now();
            let room = CLAIMS_MAX.saturating_sub(under_way.len());
            for message in claim(&shared, &peer, room, &mut told).await {
                let id = message.id;
                if !under_way.values().any(|other| *other == id) {
                    let task = tasks.spawn(send_one(shared.clone(), link.clone(), message));
                    under_way.insert(task.id(), id);
                }
            }
        }
        look = tokio::select! {
            () = shared.stopped() => return,
            () = peer.gone() => break,
            () = state.outbox.notified() => true,
            _ = changes.changed() => true,
            Some(done) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                match done {
                    Ok((task, (message, outcome))) => {
                        under_way.remove(&task);
                        conclude(&shared, &peer, message, outcome).await;
                    }
                    // Its lease runs out, and it is claimed again.
                    Err(error) => {
                        warn!(peer = %peer.name, %error, "a delivery task died");
                        under_way.remove(&error.id());
                    }
                }
                true
            }
            _ = renewals.tick() => {
                renew(&shared, &peer, under_way.values().copied().collect()).await;
                false
            }
            _ = poll.tick() => {
                // Cheap, and it notices what another process on this folder puts into the outbox.
                let version = shared.store.version().ok();
                let changed = std::mem::replace(&mut seen_version, version) != version;
                if changed && let Some(link) = shared.link_to(&peer.id) {
                    tokio::spawn(reading::tell(shared.clone(), link));
                }
                // The lease of a process that died runs out without a commit.
                changed || looked_at.elapsed() >= LEASE_RENEWAL
            }
        };
    }
    tasks.shutdown().await;
    let ids = under_way.into_values().collect();
    give_back(&shared, &peer, ids).await;
}

/// The peer has another entry in the table now, or none: what was claimed for the old one waits for the next.
async fn give_back(shared: &Arc<Shared>, peer: &Arc<Entry>, ids: Vec<MessageId>) {
    let (peer_id, owner) = (peer.id, shared.instance);
    let released = shared.blocking(move |store| {
        for id in ids {
            store.release(&id, &peer_id, &owner)?;
        }
        Ok(())
    });
    if let Err(error) = released.await {
        debug!(peer = %peer.name, %error, "claims run out by themselves in 30 s");
    }
}

/// Gives back what processes on this folder had claimed that have died: at once at the start, and then while this one
/// lives. Each peer's sender sees the change of the store.
pub(super) async fn inherit(shared: Arc<Shared>) {
    let mut poll = tokio::time::interval(OUTBOX_POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = poll.tick() => {}
            () = shared.stopped() => return,
        }
        match shared.blocking(Store::release_dead).await {
            Ok(0) => {}
            Ok(messages) => info!(messages, "taken over from a process that died"),
            Err(error) => debug!(%error, "claims of dead processes run out by themselves"),
        }
    }
}

/// Claims what waits for the peer. `told` keeps the last fault of the store, so that it is told once.
async fn claim(shared: &Arc<Shared>, peer: &Arc<Entry>, room: usize, told: &mut Option<String>) -> Vec<Message> {
    if room == 0 {
        return Vec::new();
    }
    let own = std::mem::take(&mut *lock(&peer.state.own));
    let id = peer.id;
    let lease = new_lease(shared);
    let claimed = shared.blocking(move |store| {
        let mut messages = Vec::new();
        for message in own {
            // The copy of a large file may have outlasted the lease: then somebody else may have it.
            if store.renew(&message.id, &id, lease)? {
                messages.push(message);
            }
        }
        messages.extend(store.claim(&id, lease, now_ms(), room)?);
        // What waited longer goes out first.
        messages.sort_by_key(|message| message.seq);
        Ok(messages)
    });
    match claimed.await {
        Ok(messages) => {
            *told = None;
            messages
        }
        Err(error) => {
            let words = error.to_string();
            if told.as_ref() != Some(&words) {
                warn!(peer = %peer.name, error = words, "the outbox cannot be read");
                shared.emit(Event::Trouble { error: words.clone(), hint: error.hint(), matter: (&error).into() });
                *told = Some(words);
            }
            Vec::new()
        }
    }
}

/// Keeps the claims on what is under way. One that is lost shows when the other process's offer takes the stream over.
async fn renew(shared: &Arc<Shared>, peer: &Arc<Entry>, ids: Vec<MessageId>) {
    if ids.is_empty() {
        return;
    }
    let (peer_id, lease) = (peer.id, new_lease(shared));
    let renewed = shared.blocking(move |store| {
        for id in ids {
            store.renew(&id, &peer_id, lease)?;
        }
        Ok(())
    });
    if let Err(error) = renewed.await {
        warn!(peer = %peer.name, %error, "claims could not be renewed");
    }
}

async fn send_one(shared: Arc<Shared>, link: Arc<Link>, message: Message) -> (Message, Outcome) {
    let _busy = link.busy();
    let begun = Instant::now();
    let answer = deliver(&shared, &link, &message).await;
    let outcome = judge(&shared, &link, &message, begun, answer).await;
    (message, outcome)
}

/// One try over streams that are open already, with all that follows from it.
pub(super) async fn try_over(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    message: Message,
    (send, recv): (impl WriteHalf, impl ReadHalf),
) {
    let begun = Instant::now();
    let answer = converse(shared, &message, send, recv).await;
    let outcome = judge(shared, link, &message, begun, answer).await;
    conclude(shared, &link.peer, message, outcome).await;
}

async fn judge(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    message: &Message,
    begun: Instant,
    answer: Result<Answer, Trouble>,
) -> Outcome {
    match answer {
        Ok(Answer::Receipt) => Outcome::Delivered { ms: elapsed_ms(begun) },
        // Is it our copy that is damaged? Then no repetition mends it.
        Ok(Answer::Refusal(refusal)) if refusal.reason == Reason::Damaged => match verify(shared, message).await {
            Ok(()) => Outcome::Refused(refusal),
            Err(error) => Outcome::Unreadable(error),
        },
        Ok(Answer::Refusal(refusal)) => Outcome::Refused(refusal),
        Err(Trouble::Store(error)) if is_lost(&error) => Outcome::Unreadable(error),
        Err(Trouble::Store(error)) => Outcome::Failed(error.to_string()),
        Err(Trouble::Stream(error)) if link.is_fresh() => Outcome::Failed(error.to_string()),
        Err(Trouble::Stream(error)) => Outcome::Broken(error.to_string()),
    }
}

/// Hashes the stored copy of a message again.
async fn verify(shared: &Arc<Shared>, message: &Message) -> Result<(), StoreError> {
    let message = message.clone();
    shared
        .blocking(move |store| {
            let body = store.body(&message)?;
            let mut hash = Sm3::new();
            let mut piece = vec![0; PIECE_BYTES];
            let mut position = 0;
            while position < message.bytes {
                let read = body.read_at(position, &mut piece)?;
                if read == 0 {
                    break;
                }
                hash.update(&piece[..read]);
                position += read as u64;
            }
            if hash.finish() == message.sm3 {
                return Ok(());
            }
            Err(StoreError::MessageChanged { id: message.id })
        })
        .await
}

/// Only a body that is not there any more can never be sent; every other fault of the store may pass.
fn is_lost(error: &StoreError) -> bool {
    match error {
        StoreError::BodyDamaged { .. } | StoreError::BodyChanged { .. } | StoreError::MessageChanged { .. } => true,
        StoreError::File { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

async fn conclude(shared: &Arc<Shared>, peer: &Arc<Entry>, message: Message, outcome: Outcome) {
    let (id, peer_id, to) = (message.id, peer.id, peer.name.clone());
    let owner = shared.instance;
    let noted = match outcome {
        Outcome::Delivered { ms } => {
            let noted = shared.blocking(move |store| store.delivered(&peer_id, &id, now_ms())).await;
            shared.emit(Event::Delivered { id, to, bytes: message.bytes, ms });
            noted.map(|_| ())
        }
        Outcome::Refused(refusal) if refusal.retry => {
            debug!(peer = %to, reason = ?refusal.reason, "refused for now");
            let noted = pause(shared, peer_id, id).await;
            shared.emit(Event::Deferred { id, to, reason: reasons::refused(&refusal) });
            noted
        }
        Outcome::Failed(reason) => {
            info!(peer = %to, reason, "a delivery failed, the message stays in the outbox");
            let noted = pause(shared, peer_id, id).await;
            shared.emit(Event::Deferred { id, to, reason });
            noted
        }
        Outcome::Refused(refusal) => {
            info!(peer = %to, reason = ?refusal.reason, "refused");
            let reason = reasons::refused(&refusal);
            let stored = reason.clone();
            let noted = shared.blocking(move |store| store.failed(&peer_id, &id, &stored)).await;
            shared.emit(Event::Failed { id, to, reason });
            noted.map(|_| ())
        }
        Outcome::Unreadable(error) => {
            warn!(peer = %to, %error, "a message cannot be sent: its stored body is unreadable");
            let reason = reasons::unreadable(&error);
            let stored = reason.clone();
            let noted = shared.blocking(move |store| store.failed(&peer_id, &id, &stored)).await;
            shared.emit(Event::Failed { id, to, reason });
            noted.map(|_| ())
        }
        Outcome::Broken(reason) => {
            debug!(peer = %to, reason, "a delivery broke, the message stays in the outbox");
            shared.blocking(move |store| store.release(&id, &peer_id, &owner)).await.map(|_| ())
        }
    };
    if let Err(error) = noted {
        // Nothing is lost: the lease runs out, the message is offered again and the receiver knows it.
        warn!(%error, "the outbox could not be updated");
    }
}

/// Keeps the claim for a while and gives it back then, so that nobody tries at once.
async fn pause(shared: &Arc<Shared>, peer: PeerId, id: MessageId) -> Result<(), StoreError> {
    let owner = shared.instance;
    let until_ms = now_ms() + 2 * RETRY_AFTER.as_millis() as i64;
    shared.blocking(move |store| store.renew(&id, &peer, Lease { owner, until_ms })).await?;
    let shared = shared.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => {}
            () = shared.stopped() => return,
        }
        // Where this fails, the claim runs out a little later.
        let _ = shared.blocking(move |store| store.release(&id, &peer, &owner)).await;
        if let Some(state) = shared.peer(&peer) {
            state.outbox.notify_one();
        }
    });
    Ok(())
}

enum Answer {
    Receipt,
    Refusal(Refusal),
}

enum Trouble {
    Stream(StreamError),
    Store(StoreError),
}

impl<E: Into<StreamError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Stream(error.into())
    }
}

/// Offers one message and takes it to an answer.
async fn deliver(shared: &Arc<Shared>, link: &Arc<Link>, message: &Message) -> Result<Answer, Trouble> {
    let bulk = message.bytes > BULK_BYTES;
    // The semaphores are never closed.
    let state = &link.peer.state;
    let _body = if bulk { state.bodies.acquire().await.ok() } else { None };
    let _offer = state.offers_out.acquire().await.ok();
    if !link.is_fresh() {
        return Err(Trouble::Stream(StreamError::Link(quinn::ConnectionError::LocallyClosed)));
    }
    // A receiver that lets us open no stream, or takes nothing, is not waited for without end.
    let opening = tokio::time::timeout(ANSWER_TIMEOUT, link.conn.open_bi()).await;
    let (send, recv) = opening.map_err(|_| StreamError::Timeout(ANSWER_TIMEOUT))??;
    converse(shared, message, send, recv).await
}

/// Offers a message on its stream, sends the body where it is wanted, and gives the answer.
async fn converse(
    shared: &Arc<Shared>,
    message: &Message,
    mut send: impl WriteHalf,
    mut recv: impl ReadHalf,
) -> Result<Answer, Trouble> {
    let bulk = message.bytes > BULK_BYTES;
    send.set_priority(if bulk { 0 } else { 1 });
    io::write(&mut send, &Opening::Deliver(offer_of(message))).await?;
    // The receiver hashes what it has of a large body before it answers.
    let patience = if bulk { RECEIPT_TIMEOUT } else { ANSWER_TIMEOUT };
    let offset = match io::read_within(&mut recv, patience).await? {
        DeliveryReply::Resume(resume) if resume.offset <= message.bytes => resume.offset,
        DeliveryReply::Resume(resume) => {
            let problem = format!("is {}, beyond the {} bytes of the body", resume.offset, message.bytes);
            return Err(Trouble::Stream(WireError::Field { field: "offset", problem }.into()));
        }
        DeliveryReply::Receipt(_) => return Ok(Answer::Receipt),
        DeliveryReply::Refusal(refusal) => return Ok(Answer::Refusal(refusal)),
    };
    match send_and_await(shared, message, offset, send, recv).await? {
        DeliveryReply::Receipt(_) => Ok(Answer::Receipt),
        DeliveryReply::Refusal(refusal) => Ok(Answer::Refusal(refusal)),
        DeliveryReply::Resume(_) => {
            let problem = "is a second Resume".into();
            Err(Trouble::Stream(WireError::Field { field: "reply", problem }.into()))
        }
    }
}

fn offer_of(message: &Message) -> Offer {
    Offer {
        id: ByteArray::from(message.id.0),
        seq: message.seq,
        kind: kind_to_wire(message.kind),
        sent_at_ms: message.sent_at_ms,
        size: message.bytes,
        sm3: ByteArray::from(message.sm3),
        name: message.name.clone(),
        mime: message.mime.clone(),
        target: message
            .target
            .map(|target| wire::Target { id: ByteArray::from(target.id.0), yours: target.direction == Direction::In }),
    }
}

/// Sends the body from `offset` on. The receiver may refuse in the middle of it: its answer is awaited all the while.
async fn send_and_await(
    shared: &Arc<Shared>,
    message: &Message,
    offset: u64,
    mut send: impl WriteHalf,
    mut recv: impl ReadHalf,
) -> Result<DeliveryReply, Trouble> {
    let copy = message.clone();
    let body = shared.blocking(move |store| store.body(&copy)).await.map_err(Trouble::Store)?;
    let sending = send_body(shared, message, body, offset, &mut send);
    tokio::pin!(sending);
    let reply = io::read::<DeliveryReply>(&mut recv);
    tokio::pin!(reply);
    tokio::select! {
        biased;
        reply = &mut reply => return Ok(reply?),
        sent = &mut sending => match sent {
            // A receiver that stops the stream says why in its answer.
            Ok(()) | Err(Trouble::Stream(StreamError::Write(quinn::WriteError::Stopped(_)))) => {}
            Err(trouble) => return Err(trouble),
        },
    }
    let waited = tokio::time::timeout(RECEIPT_TIMEOUT, reply).await;
    Ok(waited.map_err(|_| Trouble::Stream(StreamError::Timeout(RECEIPT_TIMEOUT)))??)
}

async fn send_body(
    shared: &Arc<Shared>,
    message: &Message,
    body: BodyReader,
    offset: u64,
    send: &mut impl WriteHalf,
) -> Result<(), Trouble> {
    let mut position = offset;
    let mut reader = Some((body, vec![0; PIECE_BYTES.min(usize::try_from(message.bytes).unwrap_or(PIECE_BYTES))]));
    while position < message.bytes {
        let Some((body, mut piece)) = reader.take() else {
            break;
        };
        let want = usize::try_from(message.bytes - position).unwrap_or(usize::MAX).min(piece.len());
        let read = shared.blocking(move |_| {
            body.read_at(position, &mut piece[..want])?;
            Ok((body, piece))
        });
        let (body, piece) = read.await.map_err(Trouble::Store)?;
        let written = tokio::time::timeout(WRITE_STALLED, send.write_all(&piece[..want])).await;
        written.map_err(|_| StreamError::Timeout(WRITE_STALLED))??;
        position += want as u64;
        reader = Some((body, piece));
        shared.emit(Event::Progress { id: message.id, sent: position, total: message.bytes });
    }
    Ok(send.finish()?)
}

/// Puts a message that failed back into the outbox.
pub(super) async fn retry(shared: &Arc<Shared>, name: &str, id: MessageId) -> Result<bool, StoreError> {
    let Some(peer) = shared.entry(name) else { return Ok(false) };
    let peer_id = peer.id;
    let retried = shared.blocking(move |store| store.retry(&peer_id, &id)).await?;
    peer.state.outbox.notify_one();
    peer.state.dial_now.notify_one();
    Ok(retried)
}

/// Takes a message out of the outbox. One that is being sent at this moment may arrive all the same.
pub(super) async fn cancel(shared: &Arc<Shared>, name: &str, id: MessageId) -> Result<bool, StoreError> {
    let Some(peer) = shared.entry(name) else { return Ok(false) };
    let peer_id = peer.id;
    shared.blocking(move |store| store.cancel(&peer_id, &id, now_ms())).await
}

/// Gives back what this process has claimed, so that another one need not wait for the leases to run out.
pub(super) async fn release_all(shared: &Arc<Shared>) {
    let owner = shared.instance;
    if let Err(error) = shared.blocking(move |store| store.release_owned(&owner)).await {
        debug!(%error, "claims run out by themselves in 30 s");
    }
}

fn kind_to_wire(kind: store::Kind) -> wire::Kind {
    match kind {
        store::Kind::Text => wire::Kind::Text,
        store::Kind::Picture => wire::Kind::Picture,
        store::Kind::Clip => wire::Kind::Clip,
        store::Kind::File => wire::Kind::File,
        store::Kind::Deletion => wire::Kind::Deletion,
        store::Kind::Edit => wire::Kind::Edit,
        store::Kind::Reaction => wire::Kind::Reaction,
    }
}
