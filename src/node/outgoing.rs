//! Sending: from a draft to the outbox, from the outbox over a link, to the receipt.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use minicbor::bytes::ByteArray;
use quinn::SendStream;
use rand_core::Rng;
use tokio::task::{self, JoinSet};
use tracing::{debug, info, warn};

use super::hidden::{self, Between, HiddenError};
use super::io::{self, StreamError};
use super::link::{BULK_BYTES, Link};
use super::run::elapsed_ms;
use super::shared::{Shared, lock, now_ms};
use super::table::Entry;
use super::types::{Draft, DraftKind, Event, Role, SendError};
use crate::identity::{PeerId, system_rng};
use crate::media::{clip, picture};
use crate::store::{self, Body, BodyReader, Lease, Message, MessageId, NewOutgoing, StoreError};
use crate::wire::limits::{
    CLIP_BYTES_MAX, FILE_BYTES_MAX, NAME_BYTES_MAX, PICTURE_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::wire::{self, DeliveryReply, Offer, Opening, Reason, Refusal};

/// A claim on an outbox row lasts this long and is renewed while its body moves.
const LEASE: Duration = Duration::from_secs(30);
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

/// Puts a draft into the outbox and wakes the sender.
pub(super) async fn enqueue(
    shared: &Arc<Shared>,
    name: &str,
    draft: Draft,
) -> Result<MessageId, SendError> {
    let peer = shared
        .entry(name)
        .ok_or_else(|| SendError::NoPeer(name.to_owned()))?;
    let state = shared
        .peer(&peer.id)
        .ok_or_else(|| SendError::NoPeer(name.to_owned()))?;
    let mut random = [0; 10];
    system_rng().fill_bytes(&mut random);
    let id = MessageId::new(u64::try_from(now_ms()).unwrap_or(0), random);
    let preparer = (shared.identity.clone(), peer.clone());
    let prepared =
        tokio::task::spawn_blocking(move || prepare(&preparer.0, &preparer.1, id, draft));
    let message = prepared
        .await
        .map_err(|error| SendError::Picture(error.to_string()))??;
    // A one-shot command delivers its own message itself, beside a `run` on the same folder.
    let own = shared.settings.role == Role::OneShot;
    let lease = own.then(|| new_lease(shared));
    let stored = shared
        .blocking(move |store| store.enqueue(message, now_ms(), lease))
        .await?;
    if own {
        lock(&state.own).push(stored);
    }
    state.outbox.notify_one();
    state.dial_now.notify_one();
    Ok(id)
}

fn new_lease(shared: &Shared) -> Lease {
    Lease {
        owner: shared.instance,
        until_ms: now_ms() + LEASE.as_millis() as i64,
    }
}

/// Checks a draft and makes its body. Blocking: pictures are decoded here.
fn prepare(
    me: &crate::identity::Identity,
    peer: &Entry,
    id: MessageId,
    draft: Draft,
) -> Result<NewOutgoing, SendError> {
    let mut hidden = None;
    let mut name = draft.name.map(|name| short_name(&name));
    let (kind, mime, body) = match draft.kind {
        DraftKind::Text(text) => {
            bounded("the text", text.len() as u64, TEXT_BYTES_MAX)?;
            (store::Kind::Text, None, Body::Text(text))
        }
        DraftKind::Picture { bytes, hide } => {
            bounded("the picture", bytes.len() as u64, PICTURE_BYTES_MAX)?;
            let bytes = match &hide {
                Some(text) => {
                    // What leaves is a PNG, whatever came in.
                    name = name.map(|name| {
                        Path::new(&name)
                            .with_extension("png")
                            .to_string_lossy()
                            .into_owned()
                    });
                    let made = hidden::hide(
                        Between {
                            me,
                            peer: &peer.key,
                            message: id,
                        },
                        &bytes,
                        text,
                    )?;
                    made.png
                }
                None => {
                    picture::decode(&bytes)
                        .map_err(|error| SendError::Picture(error.to_string()))?;
                    bytes
                }
            };
            bounded("the picture as PNG", bytes.len() as u64, PICTURE_BYTES_MAX)?;
            hidden = hide;
            (
                store::Kind::Picture,
                picture::mime(&bytes).map(str::to_owned),
                Body::Bytes(bytes),
            )
        }
        DraftKind::Clip(bytes) => {
            bounded("the clip", bytes.len() as u64, CLIP_BYTES_MAX)?;
            clip::check(&bytes).map_err(|error| SendError::Clip(error.to_string()))?;
            (
                store::Kind::Clip,
                Some("audio/wav".to_owned()),
                Body::Bytes(bytes),
            )
        }
        DraftKind::File(path) => {
            let bytes = std::fs::metadata(&path).map(|data| data.len()).unwrap_or(0);
            if bytes > FILE_BYTES_MAX {
                return Err(SendError::TooLarge {
                    what: "the file",
                    bytes,
                    bytes_max: FILE_BYTES_MAX,
                });
            }
            (store::Kind::File, None, Body::File(path))
        }
    };
    Ok(NewOutgoing {
        id,
        peer: peer.id,
        kind,
        text: None,
        hidden,
        name,
        mime,
        body,
    })
}

fn bounded(what: &'static str, bytes: u64, bytes_max: u64) -> Result<(), SendError> {
    match bytes {
        0 => Err(SendError::Empty(what)),
        bytes if bytes > bytes_max => Err(SendError::TooLarge {
            what,
            bytes,
            bytes_max,
        }),
        _ => Ok(()),
    }
}

impl From<HiddenError> for SendError {
    fn from(error: HiddenError) -> Self {
        match error {
            HiddenError::DoesNotFit { bytes, capacity } => Self::DoesNotFit { bytes, capacity },
            HiddenError::TooLong { bytes } => Self::TooLarge {
                what: "the hidden text",
                bytes: bytes as u64,
                bytes_max: hidden::HIDDEN_BYTES_MAX as u64,
            },
            HiddenError::Empty => Self::Empty("the hidden text"),
            other => Self::Picture(other.to_string()),
        }
    }
}

/// The wire takes names of 255 bytes at most; a longer one is cut at a character, its extension kept.
fn short_name(name: &str) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = Path::new(name)
        .extension()
        .and_then(|text| text.to_str())
        .filter(|text| text.len() <= 16);
    let suffix = extension.map(|text| format!(".{text}")).unwrap_or_default();
    let mut end = NAME_BYTES_MAX - suffix.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
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
    let Some(state) = shared.peer(&peer.id) else {
        return;
    };
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
    loop {
        if look {
            if let Some(link) = shared.link_to(&peer.id) {
                let room = CLAIMS_MAX.saturating_sub(under_way.len());
                for message in claim(&shared, &peer, room, &mut told).await {
                    let id = message.id;
                    if !under_way.values().any(|other| *other == id) {
                        let task = tasks.spawn(send_one(shared.clone(), link.clone(), message));
                        under_way.insert(task.id(), id);
                    }
                }
            }
        }
        look = tokio::select! {
            () = shared.stopped() => return,
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
                std::mem::replace(&mut seen_version, version) != version || expired_leases_due()
            }
        };
    }
}

/// Leases of processes that died run out without a commit; looking every 10 s finds their rows.
fn expired_leases_due() -> bool {
    now_ms() / 1000 % 10 == 0
}

/// Claims what waits for the peer. `told` keeps the last fault of the store, so that it is told once.
async fn claim(
    shared: &Arc<Shared>,
    peer: &Arc<Entry>,
    room: usize,
    told: &mut Option<String>,
) -> Vec<Message> {
    if room == 0 {
        return Vec::new();
    }
    let own = match shared.peer(&peer.id) {
        Some(state) => std::mem::take(&mut *lock(&state.own)),
        None => Vec::new(),
    };
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
                shared.emit(Event::Trouble {
                    error: words.clone(),
                    hint: error.hint(),
                });
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
    let outcome = match deliver(&shared, &link, &message).await {
        Ok(Answer::Receipt) => Outcome::Delivered {
            ms: elapsed_ms(begun),
        },
        Ok(Answer::Refusal(refusal)) => Outcome::Refused(refusal),
        Err(Trouble::Store(error)) if is_lost(&error) => Outcome::Unreadable(error),
        Err(Trouble::Store(error)) => Outcome::Failed(error.to_string()),
        Err(Trouble::Stream(error)) if link.is_fresh() => Outcome::Failed(error.to_string()),
        Err(Trouble::Stream(error)) => Outcome::Broken(error.to_string()),
    };
    (message, outcome)
}

/// Only a body that is not there any more can never be sent; every other fault of the store may pass.
fn is_lost(error: &StoreError) -> bool {
    match error {
        StoreError::BodyDamaged { .. } => true,
        StoreError::File { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

async fn conclude(shared: &Arc<Shared>, peer: &Arc<Entry>, message: Message, outcome: Outcome) {
    let (id, peer_id, to) = (message.id, peer.id, peer.name.clone());
    let owner = shared.instance;
    let noted = match outcome {
        Outcome::Delivered { ms } => {
            let noted = shared
                .blocking(move |store| store.delivered(&peer_id, &id, now_ms()))
                .await;
            shared.emit(Event::Delivered {
                id,
                to,
                bytes: message.bytes,
                ms,
            });
            noted.map(|_| ())
        }
        Outcome::Refused(refusal) if refusal.retry => {
            debug!(peer = %to, reason = ?refusal.reason, "refused for now");
            let noted = pause(shared, peer_id, id).await;
            shared.emit(Event::Deferred {
                id,
                to,
                reason: told(&refusal),
            });
            noted
        }
        Outcome::Failed(reason) => {
            info!(peer = %to, reason, "a delivery failed, the message stays in the outbox");
            pause(shared, peer_id, id).await
        }
        Outcome::Refused(refusal) => {
            info!(peer = %to, reason = ?refusal.reason, "refused");
            let reason = told(&refusal);
            let stored = reason.clone();
            let noted = shared
                .blocking(move |store| store.failed(&peer_id, &id, &stored))
                .await;
            shared.emit(Event::Failed { id, to, reason });
            noted.map(|_| ())
        }
        Outcome::Unreadable(error) => {
            warn!(peer = %to, %error, "a message cannot be sent: its stored body is unreadable");
            let reason = format!("its stored copy cannot be read: {error}");
            let stored = reason.clone();
            let noted = shared
                .blocking(move |store| store.failed(&peer_id, &id, &stored))
                .await;
            shared.emit(Event::Failed { id, to, reason });
            noted.map(|_| ())
        }
        Outcome::Broken(reason) => {
            debug!(peer = %to, reason, "a delivery broke, the message stays in the outbox");
            shared
                .blocking(move |store| store.release(&id, &peer_id, &owner))
                .await
                .map(|_| ())
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
    shared
        .blocking(move |store| store.renew(&id, &peer, Lease { owner, until_ms }))
        .await?;
    let shared = shared.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => {}
            () = shared.stopped() => return,
        }
        // Where this fails, the claim runs out a little later.
        let _ = shared
            .blocking(move |store| store.release(&id, &peer, &owner))
            .await;
        if let Some(state) = shared.peer(&peer) {
            state.outbox.notify_one();
        }
    });
    Ok(())
}

/// The peer's words are bounded by the wire and escaped here.
fn told(refusal: &Refusal) -> String {
    let word = match refusal.reason {
        Reason::NotAllowed => "not allowed",
        Reason::TooLarge => "too large",
        Reason::Conflict => "the same id with another content",
        Reason::NoRoom => "no room",
        Reason::Damaged => "damaged on the way",
        Reason::Busy => "busy",
        Reason::NoCamera => "no camera",
        Reason::StoreFailed => "the receiver could not store it",
        Reason::NotReceiving => "not receiving",
        Reason::Protocol => "protocol",
    };
    if refusal.detail.is_empty() {
        word.into()
    } else {
        format!("{word}: {}", refusal.detail.escape_debug())
    }
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

async fn deliver(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    message: &Message,
) -> Result<Answer, Trouble> {
    let bulk = message.bytes > BULK_BYTES;
    let state = shared.peer(&message.peer);
    // A closed semaphore or a peer without state cannot be: both are made with the node.
    let _places = match state {
        Some(state) => {
            let body = if bulk {
                state.bodies.acquire().await.ok()
            } else {
                None
            };
            (body, state.offers_out.acquire().await.ok())
        }
        None => (None, None),
    };
    if !link.is_fresh() {
        return Err(Trouble::Stream(StreamError::Link(
            quinn::ConnectionError::LocallyClosed,
        )));
    }
    let (mut send, mut recv) = link.conn.open_bi().await?;
    let _ = send.set_priority(if bulk { 0 } else { 1 });
    let offer = Offer {
        id: ByteArray::from(message.id.0),
        seq: message.seq,
        kind: kind_to_wire(message.kind),
        sent_at_ms: message.sent_at_ms,
        size: message.bytes,
        sm3: ByteArray::from(message.sm3),
        name: message.name.clone(),
        mime: message.mime.clone(),
    };
    io::write(&mut send, &Opening::Deliver(offer)).await?;
    // The receiver hashes what it has of a large body before it answers.
    let answer_timeout = if bulk {
        RECEIPT_TIMEOUT
    } else {
        ANSWER_TIMEOUT
    };
    let offset = match io::read_within(&mut recv, answer_timeout).await? {
        DeliveryReply::Resume(resume) => resume.offset.min(message.bytes),
        DeliveryReply::Receipt(_) => return Ok(Answer::Receipt),
        DeliveryReply::Refusal(refusal) => return Ok(Answer::Refusal(refusal)),
    };
    let copy = message.clone();
    let body = shared
        .blocking(move |store| store.body(&copy))
        .await
        .map_err(Trouble::Store)?;
    // The receiver may refuse in the middle of a body: its answer is awaited all the while.
    let answer = {
        let sending = send_body(shared, message, body, offset, &mut send);
        tokio::pin!(sending);
        let reply = io::read::<DeliveryReply>(&mut recv);
        tokio::pin!(reply);
        tokio::select! {
            biased;
            reply = &mut reply => reply?,
            sent = &mut sending => {
                match sent {
                    Ok(()) => {}
                    // A receiver that stops the stream says why in its answer.
                    Err(Trouble::Stream(StreamError::Write(quinn::WriteError::Stopped(_)))) => {}
                    Err(trouble) => return Err(trouble),
                }
                let waited = tokio::time::timeout(RECEIPT_TIMEOUT, reply).await;
                waited.map_err(|_| Trouble::Stream(StreamError::Timeout(RECEIPT_TIMEOUT)))??
            }
        }
    };
    match answer {
        DeliveryReply::Receipt(_) => Ok(Answer::Receipt),
        DeliveryReply::Refusal(refusal) => Ok(Answer::Refusal(refusal)),
        DeliveryReply::Resume(_) => {
            let error = wire::WireError::Field {
                field: "reply",
                problem: "is a second Resume".into(),
            };
            Err(Trouble::Stream(error.into()))
        }
    }
}

async fn send_body(
    shared: &Arc<Shared>,
    message: &Message,
    body: BodyReader,
    offset: u64,
    send: &mut SendStream,
) -> Result<(), Trouble> {
    let mut position = offset;
    let mut reader = Some((
        body,
        vec![0; PIECE_BYTES.min(usize::try_from(message.bytes).unwrap_or(PIECE_BYTES))],
    ));
    while position < message.bytes {
        let Some((body, mut piece)) = reader.take() else {
            break;
        };
        let want = usize::try_from(message.bytes - position)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        let read = shared.blocking(move |_| {
            body.read_at(position, &mut piece[..want])?;
            Ok((body, piece))
        });
        let (body, piece) = read.await.map_err(Trouble::Store)?;
        let written = tokio::time::timeout(WRITE_STALLED, send.write_all(&piece[..want])).await;
        written.map_err(|_| StreamError::Timeout(WRITE_STALLED))??;
        position += want as u64;
        reader = Some((body, piece));
        shared.emit(Event::Progress {
            id: message.id,
            sent: position,
            total: message.bytes,
        });
    }
    send.finish()
        .map_err(|_| Trouble::Stream(StreamError::Write(quinn::WriteError::ClosedStream)))?;
    Ok(())
}

/// Gives back what this process has claimed, so that another one need not wait for the leases to run out.
pub(super) async fn release_all(shared: &Arc<Shared>) {
    let owner = shared.instance;
    if let Err(error) = shared
        .blocking(move |store| store.release_owned(&owner))
        .await
    {
        debug!(%error, "claims run out by themselves in 30 s");
    }
}

fn kind_to_wire(kind: store::Kind) -> wire::Kind {
    match kind {
        store::Kind::Text => wire::Kind::Text,
        store::Kind::Picture => wire::Kind::Picture,
        store::Kind::Clip => wire::Kind::Clip,
        store::Kind::File => wire::Kind::File,
    }
}
