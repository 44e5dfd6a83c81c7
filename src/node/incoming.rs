//! Receiving: from an offer to a message on disk, and only then the receipt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quinn::VarInt;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::hidden::{self, Between};
use super::io::{self, ReadHalf, StreamError, WriteHalf};
use super::link::Link;
use super::shared::{Shared, lock, now_ms};
use super::types::{Arrived, Event, Role};
use crate::identity::PeerId;
use crate::store::{self, Complete, Direction, Incoming, Known, MessageId, Receive, StoreError, Target};
use crate::wire::{DeliveryReply, Kind, Offer, Reason, Receipt, Refusal, Resume};

/// Bytes gathered from the network before they go to the disk at once.
const PIECE_BYTES: usize = 256 * 1024;
/// A sender whose stream brings nothing for this long while its link lives has given the body up.
const STALLED: Duration = Duration::from_secs(60);
/// Bytes a second that a body must come with after that time; below, it only holds a place.
const RATE_MIN_BYTES: u64 = 256;
/// The stream's error code towards a sender whose body is not read on.
const STOP_BODY: VarInt = VarInt::from_u32(1);

/// Bodies that are being received: one at a time for each message, the newest offer wins.
#[derive(Default)]
pub(super) struct Receiving {
    slots: Mutex<HashMap<(PeerId, MessageId), Arc<Slot>>>,
}

struct Slot {
    newest: watch::Sender<u64>,
    turn: tokio::sync::Mutex<()>,
}

impl Receiving {
    /// Stops whoever receives this message now; the caller then waits for its turn.
    fn claim(&self, key: (PeerId, MessageId)) -> (Arc<Slot>, u64) {
        let mut slots = lock(&self.slots);
        let slot = slots
            .entry(key)
            .or_insert_with(|| Arc::new(Slot { newest: watch::Sender::new(0), turn: tokio::sync::Mutex::new(()) }))
            .clone();
        let mut mine = 0;
        slot.newest.send_modify(|newest| {
            *newest += 1;
            mine = *newest;
        });
        (slot, mine)
    }

    /// Messages that are being received.
    pub(super) fn len(&self) -> usize {
        lock(&self.slots).len()
    }

    /// Forgets a slot that nobody waits for.
    fn release(&self, key: (PeerId, MessageId), slot: &Arc<Slot>) {
        let mut slots = lock(&self.slots);
        // One count is the map's, one the caller's: more means that a newer offer waits.
        if Arc::strong_count(slot) <= 2 {
            slots.remove(&key);
        }
    }
}

/// Why a body is not taken to its end.
enum Stop {
    Refuse(Refusal),
    Stream(StreamError),
    /// A newer offer of the same message has come.
    Superseded,
}

impl From<StreamError> for Stop {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

/// Answers one offer.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    offer: Offer,
    mut send: impl WriteHalf,
    mut recv: impl ReadHalf,
) -> Result<(), StreamError> {
    send.set_priority(2);
    // Until the receipt has arrived: a link that is being replaced waits for it.
    let _busy = link.busy();
    let reply = match admit(shared, link, &offer) {
        Err(refusal) => DeliveryReply::Refusal(refusal),
        Ok(_permit) => {
            let incoming = to_incoming(&offer);
            let key = (link.peer.id, incoming.id);
            let (slot, mine) = shared.receiving.claim(key);
            let result = take_turn(shared, link, &incoming, &slot, mine, (&mut send, &mut recv)).await;
            shared.receiving.release(key, &slot);
            match result {
                Ok(stored_at_ms) => DeliveryReply::Receipt(Receipt { stored_at_ms }),
                Err(Stop::Refuse(refusal)) => DeliveryReply::Refusal(refusal),
                Err(Stop::Stream(error)) => return Err(error),
                Err(Stop::Superseded) => {
                    debug!(peer = %link.peer.name, id = %incoming.id, "a newer offer of the same message took over");
                    return Ok(());
                }
            }
        }
    };
    if let DeliveryReply::Refusal(refusal) = &reply {
        info!(peer = %link.peer.name, reason = ?refusal.reason, detail = %refusal.detail, "refused a message");
        recv.stop(STOP_BODY);
    }
    io::write(&mut send, &reply).await?;
    let _ = send.finish();
    send.done().await;
    Ok(())
}

/// What can be said before anything is looked up.
fn admit(shared: &Shared, link: &Link, offer: &Offer) -> Result<tokio::sync::OwnedSemaphorePermit, Refusal> {
    if shared.settings.role == Role::OneShot {
        return Err(refusal(Reason::NotReceiving, "this is a one-shot command", true));
    }
    if !shared.table.allow(&link.peer.id).chat {
        return Err(refusal(Reason::NotAllowed, "the table does not allow you \"chat\"", false));
    }
    let bytes_max = offer.kind.bytes_max();
    if offer.size > bytes_max {
        let detail = format!("{:?} has {} bytes, at most {bytes_max} are taken", offer.kind, offer.size);
        return Err(refusal(Reason::TooLarge, &detail.to_lowercase(), false));
    }
    if matches!(offer.kind, Kind::Edit | Kind::Deletion) && offer.target.is_some_and(|target| target.yours) {
        return Err(refusal(Reason::NotAllowed, "only its author may change a message or take it back", false));
    }
    let state = shared.peer(&link.peer.id).ok_or_else(|| refusal(Reason::NotAllowed, "not in the table", false))?;
    let permit = state.offers.clone().try_acquire_owned();
    permit.map_err(|_| refusal(Reason::Busy, "at most 64 offers may be under way", true))
}

fn refusal(reason: Reason, detail: &str, retry: bool) -> Refusal {
    Refusal { reason, detail: detail.to_owned(), retry }
}

async fn take_turn(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    incoming: &Incoming,
    slot: &Arc<Slot>,
    mine: u64,
    streams: (&mut impl WriteHalf, &mut impl ReadHalf),
) -> Result<i64, Stop> {
    let _turn = slot.turn.lock().await;
    let turn = Turn { newest: slot.newest.subscribe(), mine };
    take(shared, link, incoming, turn, streams).await
}

/// Tells whether a newer offer of the same message has come. Asked only while bytes are awaited: work on the disk is
/// never left behind half done.
struct Turn {
    newest: watch::Receiver<u64>,
    mine: u64,
}

impl Turn {
    async fn over(&mut self) {
        let mine = self.mine;
        // The sender lives in the slot, which outlives the turn.
        let _ = self.newest.wait_for(|newest| *newest != mine).await;
    }
}

/// Takes one message to its receipt. Gives when it was stored.
async fn take(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    incoming: &Incoming,
    turn: Turn,
    (send, recv): (&mut impl WriteHalf, &mut impl ReadHalf),
) -> Result<i64, Stop> {
    let (peer, id) = (link.peer.id, incoming.id);
    match shared.blocking(move |store| store.lookup(&peer, &id)).await.map_err(|error| store_refusal(shared, &error))? {
        Some(known @ Known::Stored { .. }) if !known.is_same(incoming) => {
            let detail = "this id came before with another kind, size or digest";
            return Err(Stop::Refuse(refusal(Reason::Conflict, detail, false)));
        }
        // It is stored, or was and has been deleted here since: the sender is told so again.
        Some(_) => return Ok(now_ms()),
        None => {}
    }
    let offer = incoming.clone();
    // What is kept of it is hashed first, and room is promised for the rest.
    let begun = shared.blocking(move |store| store.begin_receive(&peer, &offer));
    let receive = begun.await.map_err(|error| store_refusal(shared, &error))?;
    let offset = receive.resume_offset();
    io::write(send, &DeliveryReply::Resume(Resume { offset })).await?;
    let receive = body(shared, receive, (incoming.bytes, offset), turn, recv).await?;
    let complete = shared.blocking(move |_| receive.finish()).await.map_err(|error| store_refusal(shared, &error))?;
    let message = commit(shared, link, incoming, complete).await?;
    Ok(message)
}

/// Reads the body to its end. What comes beyond the offered size is a breach of the protocol.
async fn body(
    shared: &Arc<Shared>,
    mut receive: Receive,
    (size, offset): (u64, u64),
    mut turn: Turn,
    recv: &mut impl ReadHalf,
) -> Result<Receive, Stop> {
    let begun = Instant::now();
    let mut came = 0_u64;
    let mut missing = size - offset.min(size);
    let mut piece = Vec::with_capacity(PIECE_BYTES.min(usize::try_from(missing).unwrap_or(PIECE_BYTES)));
    loop {
        let chunk = tokio::select! {
            chunk = tokio::time::timeout(STALLED, recv.read_chunk(PIECE_BYTES)) => chunk,
            () = turn.over() => return Err(Stop::Superseded),
        };
        let chunk = chunk.map_err(|_| StreamError::Timeout(STALLED))?.map_err(StreamError::from)?;
        let ended = chunk.is_none();
        if let Some(chunk) = chunk {
            let bytes = chunk.len() as u64;
            if bytes > missing {
                return Err(Stop::Refuse(refusal(Reason::Protocol, "more bytes came than were offered", false)));
            }
            missing -= bytes;
            came += bytes;
            if is_too_slow(came, begun.elapsed()) {
                return Err(Stop::Refuse(refusal(Reason::Busy, "the body comes too slowly", true)));
            }
            piece.extend_from_slice(&chunk);
        }
        if piece.len() >= PIECE_BYTES || (ended && !piece.is_empty()) {
            let full = std::mem::take(&mut piece);
            let written = shared.blocking(move |_| {
                receive.write(&full)?;
                Ok(receive)
            });
            receive = written.await.map_err(|error| store_refusal(shared, &error))?;
        }
        if ended {
            break;
        }
    }
    if missing > 0 {
        return Err(Stop::Refuse(refusal(Reason::Damaged, "the body ended early", true)));
    }
    Ok(receive)
}

/// A body of which so much came in this time only holds a place.
fn is_too_slow(came: u64, elapsed: Duration) -> bool {
    elapsed > STALLED && came < elapsed.as_secs() * RATE_MIN_BYTES
}

/// Looks for a hidden text, stores, and tells.
async fn commit(shared: &Arc<Shared>, link: &Arc<Link>, incoming: &Incoming, complete: Complete) -> Result<i64, Stop> {
    let (kind, id) = (incoming.kind, incoming.id);
    let identity = shared.identity.clone();
    let key = link.peer.key.clone();
    // The peer's own turn first, then the turn among all peers.
    let state = shared.peer(&link.peer.id);
    let _decoding = match (kind, &state) {
        (store::Kind::Picture, Some(state)) => {
            Some((state.decoding.acquire().await.ok(), shared.decoding.acquire().await.ok()))
        }
        _ => None,
    };
    let stored = shared.blocking(move |store| {
        let mut text = None;
        let mut found = None;
        match kind {
            store::Kind::Text => text = Some(String::from_utf8(complete.peek()?).map_err(|_| StoreError::NotText)?),
            store::Kind::Picture => {
                let between = Between { me: &identity, peer: &key, message: id };
                // A picture that cannot be read hides nothing for us; it is stored all the same.
                found = hidden::reveal(between, &complete.peek()?).ok().flatten();
            }
            store::Kind::Clip
            | store::Kind::File
            | store::Kind::Deletion
            | store::Kind::Edit
            | store::Kind::Reaction => {}
        }
        store.commit_received(complete, text, found, now_ms())
    });
    let (message, new) = match stored.await {
        Ok(stored) => stored,
        // Deleted here while it came: the sender is told that it arrived, and it does not come back.
        Err(StoreError::Deleted { .. }) => return Ok(now_ms()),
        Err(error) => return Err(store_refusal(shared, &error)),
    };
    shared.store_works();
    let stored_at_ms = message.stored_at_ms;
    if new {
        let arrived = Arrived {
            id: message.id,
            from: link.peer.name.clone(),
            peer: message.peer,
            seq: message.seq,
            sent_at_ms: message.sent_at_ms,
            kind: message.kind,
            text: message.text,
            hidden: message.hidden,
            name: message.name,
            mime: message.mime,
            target: message.target,
            bytes: message.bytes,
        };
        shared.emit(Event::Message(arrived));
    }
    Ok(stored_at_ms)
}

/// What a peer is told of a fault of our store; the log has the rest, and so has the listener where somebody has to do
/// something about it.
fn store_refusal(shared: &Shared, error: &StoreError) -> Stop {
    let (reason, detail, retry) = match error {
        StoreError::QuotaFull { .. } => (Reason::NoRoom, "the receiver's quota is full", true),
        StoreError::DiskFull { .. } => (Reason::NoRoom, "the receiver's disk is full", true),
        StoreError::BodyMismatch { .. } => (Reason::Damaged, "size or SM3 differ from the offer", true),
        StoreError::Conflict { .. } => (Reason::Conflict, "this id came before with another content", false),
        StoreError::NotText => (Reason::Protocol, "a text must be UTF-8", false),
        StoreError::ReceiveBusy { .. } => (Reason::Busy, "this message is being received already", true),
        StoreError::TooLong { .. } => (Reason::TooLarge, "a field is too long", false),
        _ => (Reason::StoreFailed, "see the receiver's log", true),
    };
    warn!(%error, "a message could not be stored");
    if matches!(reason, Reason::NoRoom | Reason::StoreFailed) {
        shared.store_failed(error);
    }
    Stop::Refuse(refusal(reason, detail, retry))
}

fn to_incoming(offer: &Offer) -> Incoming {
    let kind = match offer.kind {
        Kind::Text => store::Kind::Text,
        Kind::Picture => store::Kind::Picture,
        Kind::Clip => store::Kind::Clip,
        Kind::File => store::Kind::File,
        Kind::Deletion => store::Kind::Deletion,
        Kind::Edit => store::Kind::Edit,
        Kind::Reaction => store::Kind::Reaction,
    };
    // what is theirs is ours to receive, and the other way round
    let target = offer.target.map(|target| Target {
        direction: if target.yours { Direction::Out } else { Direction::In },
        id: MessageId(*target.id),
    });
    Incoming {
        id: MessageId(*offer.id),
        seq: offer.seq,
        kind,
        sent_at_ms: offer.sent_at_ms,
        bytes: offer.size,
        name: offer.name.clone(),
        mime: offer.mime.clone(),
        sm3: *offer.sm3,
        target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_trickles_is_too_slow_and_a_slow_link_is_not() {
        assert!(!is_too_slow(1, STALLED), "the first minute is everybody's");
        assert!(is_too_slow(61, Duration::from_secs(61)), "a byte a second");
        assert!(!is_too_slow(61 * RATE_MIN_BYTES, Duration::from_secs(61)));
        assert!(
            is_too_slow(61 * RATE_MIN_BYTES, Duration::from_secs(3600)),
            "a first minute does not pay for the rest"
        );
    }
}
