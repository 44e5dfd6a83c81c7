//! Offers and bodies from a peer: what is stored is what was offered, once, and a receipt is never ahead of it.

use miyu::crypto::sm3;
use miyu::node::history::Query;
use miyu::node::script::{Played, Seat, Written};
use miyu::node::{Direction, Event, MessageId};
use miyu::store::{Incoming, Known, ROW_BYTES};
use miyu::wire::{self, DeliveryReply, Kind, LENGTH_BYTES, Offer, Opening, Reason, Refusal, Target};

use super::bytes::Bytes;
use super::stage::{self, Theatre, settle, wait};

/// Things that the peer does for one input.
const ACTS_MAX: usize = 48;
/// Streams that it opens.
const STREAMS_MAX: usize = 8;
/// Messages that it speaks of.
const IDS: u8 = 3;
/// Most of them content: what is about a message needs one.
const KINDS: [Kind; 8] =
    [Kind::Text, Kind::File, Kind::Clip, Kind::Picture, Kind::Edit, Kind::Deletion, Kind::Reaction, Kind::Text];
/// Sizes around every bound: in memory or on disk, whole chunks or not.
const SIZES: [usize; 12] = [0, 1, 5, 300, 65_535, 65_536, 65_537, 262_144, 262_145, 327_680, 330_000, 400_000];

/// A stream and what was offered on it; `None` for one with any bytes.
struct Stream {
    played: Played,
    offered: Option<(Offer, Vec<u8>)>,
    /// All that was sent where it was any bytes.
    raw: Vec<u8>,
    /// Bytes of the body that went out, from the offset that was asked for.
    sent: usize,
    over: bool,
}

/// A list of what the peer does: offers, bodies in pieces, rubbish, ends, pauses; and what the user deletes meanwhile.
pub fn run(data: &[u8]) {
    stage::play(async |theatre: &mut Theatre| act(theatre, data).await);
}

async fn act(theatre: &mut Theatre, data: &[u8]) {
    let seat = theatre.stage.link().expect("a peer in the table");
    let mut input = Bytes(data);
    let mut streams: Vec<Stream> = Vec::new();
    for _ in 0..ACTS_MAX {
        if input.0.is_empty() {
            break;
        }
        let what = input.byte();
        match what % 16 {
            0..=2 if streams.len() < STREAMS_MAX => streams.push(offer(&seat, &mut input, theatre.number)),
            3 if streams.len() < STREAMS_MAX => {
                let length = usize::from(input.byte());
                let (played, raw) = (seat.open(), input.take(length).to_vec());
                played.bytes(&raw);
                streams.push(Stream { played, offered: None, raw, sent: 0, over: false });
            }
            4 => {
                let id = id_of(what >> 4, theatre.number);
                let peer = theatre.stage.peer().expect("a peer");
                theatre.stage.store().delete_message(&peer, Direction::In, &id, 0).expect("a store that works");
            }
            5 => wait(u64::from(what)).await,
            other => {
                let at = usize::from(what >> 4) % streams.len().max(1);
                if let Some(stream) = streams.get_mut(at) {
                    on_stream(stream, other, &mut input).await;
                }
            }
        }
        check(theatre, &mut streams);
    }
    settle().await;
    check(theatre, &mut streams);
    end(theatre, streams).await;
}

fn id_of(index: u8, number: u64) -> MessageId {
    let mut id = [index % IDS; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    MessageId(id)
}

fn offer(seat: &Seat, input: &mut Bytes<'_>, number: u64) -> Stream {
    let (which, size, lie) = (input.byte(), input.byte(), input.byte());
    let size = SIZES[usize::from(size) % SIZES.len()];
    // Two bodies a message, so that an id comes again with another content.
    let body = content(size, which % IDS + (which >> 7) * 16);
    let kind = KINDS[usize::from(which / IDS) % KINDS.len()];
    // Answers, edits, deletions and reactions, of messages that come before, after, or never.
    let target = (kind.needs_target() || lie & 32 != 0)
        .then(|| Target { id: id_of(lie / 64, number).0.into(), yours: lie & 3 == 3 });
    let offered_size = match lie % 16 {
        0 => size as u64 + 1,
        1 => (size as u64).saturating_sub(1),
        2 => u64::MAX - u64::from(lie),
        3 => kind.bytes_max(),
        _ => size as u64,
    };
    let mut digest = sm3::digest(&body);
    digest[0] ^= u8::from(lie >= 0xf0);
    let name = (lie & 16 != 0).then(|| String::from_utf8_lossy(input.take(24)).into_owned());
    let offer = Offer {
        id: id_of(which, number).0.into(),
        seq: u64::from(lie) + 1,
        kind,
        sent_at_ms: i64::from(lie) << 55,
        size: offered_size,
        sm3: digest.into(),
        mime: name.clone(),
        name,
        target,
    };
    let played = seat.open();
    let frame = wire::encode(&Opening::Deliver(offer.clone())).expect("within every bound");
    let (start, rest) = frame.split_at(usize::from(lie) % frame.len());
    played.bytes(start);
    played.bytes(rest);
    Stream { played, offered: Some((offer, body)), raw: Vec::new(), sent: 0, over: false }
}

/// Text that differs from block to block, and with the seed.
fn content(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|at| b'a' + ((at / 7 + at / 65_536 + usize::from(seed)) % 26) as u8).collect()
}

async fn on_stream(stream: &mut Stream, what: u8, input: &mut Bytes<'_>) {
    let played = &stream.played;
    match what {
        // Bytes of the body, or the rest of it and the end.
        6..=9 => {
            if resume(&played.written()).is_none() {
                settle().await;
            }
            let Some((_, body)) = &stream.offered else {
                return;
            };
            // Who was not asked yet starts anywhere: such a body is another one.
            let from = resume(&played.written()).unwrap_or(1);
            let from = usize::try_from(from).unwrap_or(usize::MAX).saturating_add(stream.sent);
            let rest = body.get(from..).unwrap_or_default();
            let length = if what < 8 { usize::from(input.short()) * 3 } else { rest.len() };
            let part = &rest[..length.min(rest.len())];
            stream.sent += part.len();
            for piece in part.chunks(40_000) {
                played.bytes(piece);
            }
            if what >= 8 {
                played.end();
            }
        }
        10 => played.end(),
        11 => played.reset(7),
        12 => {
            let length = usize::from(input.byte());
            let bytes = input.take(length);
            stream.raw.extend_from_slice(bytes);
            played.bytes(bytes);
        }
        13 => played.stop(),
        14 => played.hold(input.byte() % 2 == 0),
        _ => settle().await,
    }
}

/// The answers that were written, which follow the protocol.
fn replies(written: &Written) -> Vec<DeliveryReply> {
    let mut replies = Vec::new();
    let mut rest = &written.bytes[..];
    while let Some((prefix, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let length = wire::length(*prefix).expect("our own frame");
        let (body, after) = after.split_at(length);
        rest = after;
        // On the stream of a watch comes another kind of answer.
        match wire::decode::<DeliveryReply>(body) {
            Ok(reply) => replies.push(reply),
            Err(error) => assert!(wire::decode::<wire::WatchReply>(body).is_ok(), "{error}"),
        }
    }
    assert!(rest.is_empty(), "half a frame");
    replies
}

fn resume(written: &Written) -> Option<u64> {
    replies(written).into_iter().find_map(|reply| match reply {
        DeliveryReply::Resume(resume) => Some(resume.offset),
        _ => None,
    })
}

/// What was answered so far is true.
fn check(theatre: &mut Theatre, streams: &mut [Stream]) {
    let peer = theatre.stage.peer().expect("a peer");
    for stream in streams {
        let written = stream.played.written();
        let replies = replies(&written);
        assert!(!written.finished || !replies.is_empty() || stream.offered.is_none(), "an end without an answer");
        let lasts = replies.iter().skip_while(|reply| matches!(reply, DeliveryReply::Resume(_))).count();
        assert!(replies.len() - lasts <= 1 && lasts <= 1, "{replies:?}");
        let Some((offer, _)) = &stream.offered else {
            continue;
        };
        match replies.last() {
            Some(DeliveryReply::Resume(resume)) => {
                assert!(resume.offset <= offer.size && resume.offset.is_multiple_of(65_536), "{resume:?} {offer:?}");
            }
            Some(DeliveryReply::Receipt(_)) if !stream.over => {
                stream.over = true;
                let id = MessageId(*offer.id);
                let known = theatre.stage.store().lookup(&peer, &id).expect("a store that works");
                match known {
                    Some(Known::Tombstone) => {}
                    Some(known) => assert!(known.is_same(&incoming(offer)), "a receipt for another message"),
                    None => panic!("a receipt for what is not stored"),
                }
            }
            Some(DeliveryReply::Refusal(refusal)) => refused(offer, refusal),
            Some(DeliveryReply::Receipt(_)) | None => {}
        }
    }
    assert!(theatre.stage.under_way().0 <= 64);
}

/// What was offered, also where the fuzzer found the bytes of an offer.
fn offer_on(stream: &Stream) -> Option<Offer> {
    if let Some((offer, _)) = &stream.offered {
        return Some(offer.clone());
    }
    let (prefix, rest) = stream.raw.split_first_chunk::<LENGTH_BYTES>()?;
    match wire::decode(rest.get(..wire::length(*prefix).ok()?)?) {
        Ok(Opening::Deliver(offer)) => Some(offer),
        _ => None,
    }
}

fn incoming(offer: &Offer) -> Incoming {
    let kind = match offer.kind {
        Kind::Text => miyu::store::Kind::Text,
        Kind::Picture => miyu::store::Kind::Picture,
        Kind::Clip => miyu::store::Kind::Clip,
        Kind::File => miyu::store::Kind::File,
        Kind::Deletion => miyu::store::Kind::Deletion,
        Kind::Edit => miyu::store::Kind::Edit,
        Kind::Reaction => miyu::store::Kind::Reaction,
    };
    Incoming {
        id: MessageId(*offer.id),
        seq: offer.seq,
        kind,
        sent_at_ms: offer.sent_at_ms,
        bytes: offer.size,
        name: offer.name.clone(),
        mime: offer.mime.clone(),
        sm3: *offer.sm3,
        target: None,
    }
}

fn refused(offer: &Offer, refusal: &Refusal) {
    let is_over = offer.size > offer.kind.bytes_max();
    assert_eq!(refusal.reason == Reason::TooLarge, is_over, "{refusal:?} {offer:?}");
    let theirs = matches!(offer.kind, Kind::Edit | Kind::Deletion) && offer.target.is_some_and(|target| target.yours);
    assert!(refusal.reason != Reason::NotAllowed || theirs, "{refusal:?} {offer:?}");
    let never = [Reason::StoreFailed, Reason::NotReceiving, Reason::NoCamera];
    assert!(!never.contains(&refusal.reason), "{refusal:?} {offer:?}");
}

/// The connection goes: nothing is left of it but what was stored.
async fn end(theatre: &mut Theatre, streams: Vec<Stream>) {
    let offers: Vec<Offer> = streams.iter().filter_map(offer_on).collect();
    // However silent the peer is, it keeps no place for ever, nor a stream that it takes answers from.
    wait(3_600).await;
    assert_eq!(theatre.stage.under_way(), (0, 0), "places are kept for a silent peer");
    for stream in &streams {
        stream.played.hold(false);
    }
    settle().await;
    assert!(streams.iter().all(|stream| stream.played.is_over()), "a stream hangs while its link lives");
    for stream in streams {
        let fault = stream.played.lose().await.expect("no panic");
        assert!(fault.is_none() || stream.offered.is_none(), "{fault:?}");
    }
    let (store, peer) = (theatre.stage.store().clone(), theatre.stage.peer().expect("a peer"));
    let mut arrived = Vec::new();
    while let Some(event) = theatre.stage.event() {
        match event {
            Event::Message(message) => arrived.push(message.id),
            // of an offer that is larger than the store
            Event::Trouble { .. } => {}
            other => panic!("told unasked: {other:?}"),
        }
    }
    let count = arrived.len();
    arrived.sort();
    arrived.dedup();
    assert_eq!(arrived.len(), count, "a message came twice");
    let stored = store.page(&Query { peer: Some(&peer), limit: 100, ..Query::default() }).expect("a store that works");
    let charged = stored.iter().map(|message| message.bytes + ROW_BYTES).sum::<u64>();
    // what is about a message is stored too, and is no page's
    assert!(charged <= store.stored_bytes().expect("a number"));
    assert!(store.check(true, || true).expect("a store that works").is_sound());
    for message in stored {
        let of = |offer: &&Offer| MessageId(*offer.id) == message.id && offer.size == message.bytes;
        let offer = offers.iter().find(|offer| of(offer) && *offer.sm3 == message.sm3).expect("only what was offered");
        assert!(arrived.contains(&message.id), "stored and not told");
        let body = store.body(&message).and_then(|body| body.read_all(u64::MAX)).expect("a body that can be read");
        let is_edited = message.edited_at_ms.is_some();
        assert!(is_edited || sm3::digest(&body) == *offer.sm3, "what is stored is not what was offered");
    }
    store.delete_conversation(&peer, 0).expect("a store that works");
    assert_eq!(store.stored_bytes().expect("a number"), 0);
}
