//! A message of ours, and a receiver that answers anything: it is delivered where a receipt came, and nowhere else.

use miyu::node::script::Written;
use miyu::node::{Direction, Event, MessageId, State};
use miyu::store::{Body, Kind, Lease, Message, NewOutgoing};
use miyu::wire::{self, DeliveryReply, LENGTH_BYTES, Opening, Reason, Receipt, Refusal, Resume};

use super::bytes::Bytes;
use super::stage::{self, Theatre, settle, wait};

/// Things that the receiver does for one input.
const ACTS_MAX: usize = 32;
const SIZES: [usize; 8] = [0, 1, 700, 65_536, 262_144, 262_145, 300_000, 600_000];
/// Longer than every patience of the sender.
const LONG_S: u64 = 3_600;

/// What the receiver has said so far, as a sender may take it.
#[derive(Default)]
struct Said {
    receipt: bool,
    final_refusal: bool,
}

/// A message, then a list of what the receiver does: answers, rubbish, pauses, ends.
pub fn run(data: &[u8]) {
    stage::play(async |theatre: &mut Theatre| act(theatre, data).await);
}

async fn act(theatre: &mut Theatre, data: &[u8]) {
    let mut input = Bytes(data);
    let peer = theatre.stage.peer().expect("a peer");
    let store = theatre.stage.store().clone();
    let (message, body) = enqueue(theatre, &mut input);
    let seat = theatre.stage.link().expect("a peer in the table");
    let played = seat.offered(message.clone());
    let mut said = Said::default();
    for _ in 0..ACTS_MAX {
        if input.0.is_empty() {
            break;
        }
        let what = input.byte();
        match what % 12 {
            0..=2 => played.bytes(&frame(&DeliveryReply::Resume(Resume { offset: offset(&mut input) }))),
            3 => {
                said.receipt = true;
                played.bytes(&frame(&DeliveryReply::Receipt(Receipt { stored_at_ms: i64::from(what) << 56 })));
            }
            4 => {
                let refusal = refusal(&mut input);
                said.final_refusal |= !refusal.retry;
                played.bytes(&frame(&DeliveryReply::Refusal(refusal)));
            }
            5 => {
                let length = usize::from(input.byte());
                let bytes = input.take(length);
                // Among any bytes there may be any frame.
                said = Said { receipt: true, final_refusal: true };
                played.bytes(bytes);
            }
            6 => played.end(),
            7 => played.reset(what.into()),
            8 => played.hold(what > 128),
            9 => played.stop(),
            10 => wait(u64::from(what)).await,
            _ => settle().await,
        }
        written(&played.written(), &message, &body);
    }
    settle().await;
    // However silent the receiver is, the sender does not wait for ever.
    wait(LONG_S).await;
    assert!(played.is_over(), "a delivery hangs while its link lives");
    let last = played.written();
    played.lose().await.expect("no panic");
    written(&last, &message, &body);
    // A failed try keeps its claim for a while.
    wait(LONG_S).await;
    concluded(theatre, &message, &said);
    store.delete_message(&peer, Direction::Out, &message.id, 0).expect("a store that works");
}

fn enqueue(theatre: &Theatre, input: &mut Bytes<'_>) -> (Message, Vec<u8>) {
    let size = SIZES[usize::from(input.byte()) % SIZES.len()];
    let body: Vec<u8> = (0..size).map(letter).collect();
    let is_text = size <= 65_536;
    let mut id = [0; 16];
    id[..8].copy_from_slice(&theatre.number.to_be_bytes());
    let new = NewOutgoing {
        id: MessageId(id),
        peer: theatre.stage.peer().expect("a peer"),
        kind: if is_text { Kind::Text } else { Kind::File },
        body: match is_text {
            true => Body::Text(String::from_utf8(body.clone()).expect("letters")),
            false => Body::Bytes(body.clone()),
        },
        text: None,
        hidden: None,
        name: None,
        mime: None,
        target: None,
    };
    let lease = Lease { owner: theatre.stage.instance(), until_ms: i64::MAX };
    (theatre.stage.store().enqueue(new, 0, Some(lease)).expect("room for it"), body)
}

fn letter(at: usize) -> u8 {
    b'a' + (at % 23) as u8
}

fn frame(reply: &DeliveryReply) -> Vec<u8> {
    wire::encode(reply).expect("within every bound")
}

fn offset(input: &mut Bytes<'_>) -> u64 {
    match input.byte() {
        255 => u64::MAX,
        byte if byte % 2 == 0 => u64::from(byte / 2) * 65_536 / 8,
        _ => u64::from(input.short()) * 11,
    }
}

fn refusal(input: &mut Bytes<'_>) -> Refusal {
    const REASONS: [Reason; 10] = [
        Reason::NotAllowed,
        Reason::TooLarge,
        Reason::Conflict,
        Reason::NoRoom,
        Reason::Damaged,
        Reason::Busy,
        Reason::NoCamera,
        Reason::StoreFailed,
        Reason::NotReceiving,
        Reason::Protocol,
    ];
    let byte = input.byte();
    let detail = String::from_utf8_lossy(input.take(16)).into_owned();
    Refusal { reason: REASONS[usize::from(byte) % REASONS.len()], detail, retry: byte & 128 != 0 }
}

/// First the offer of this message, then its body, from somewhere on and without a gap.
fn written(written: &Written, message: &Message, body: &[u8]) {
    let Some((prefix, rest)) = written.bytes.split_first_chunk::<LENGTH_BYTES>() else {
        assert!(written.bytes.is_empty() && !written.finished, "half an offer");
        return;
    };
    let (offer, sent) = rest.split_at(wire::length(*prefix).expect("our own frame"));
    let Ok(Opening::Deliver(offer)) = wire::decode(offer) else {
        panic!("no offer");
    };
    assert_eq!((*offer.id, offer.size, *offer.sm3), (message.id.0, message.bytes, message.sm3));
    assert!(sent.len() <= body.len(), "more than the body");
    // The letters repeat, so that the first one tells the place of all others.
    let from = sent.first().map_or(0, |letter| usize::from(letter - b'a'));
    assert!(sent.iter().enumerate().all(|(at, letter)| *letter == self::letter(from + at)), "a gap in the body");
    assert!(!written.finished || body.ends_with(sent), "what was sent is not the rest of the body");
}

fn concluded(theatre: &mut Theatre, message: &Message, said: &Said) {
    let store = theatre.stage.store();
    let now = store.message(&message.peer, Direction::Out, &message.id).expect("a store that works");
    let now = now.expect("a message of ours stays");
    match now.state {
        State::Delivered => assert!(said.receipt, "delivered without a receipt"),
        State::Failed => assert!(said.final_refusal, "failed without a final refusal: {:?}", now.reason),
        State::Queued => assert_eq!(store.outgoing_pending(&message.peer).expect("a number"), 1),
        other => panic!("left {other:?}"),
    }
    let mut told = 0;
    while let Some(event) = theatre.stage.event() {
        match event {
            Event::Delivered { id, .. } => {
                assert_eq!((id, now.state), (message.id, State::Delivered));
                told += 1;
            }
            Event::Failed { id, .. } => assert_eq!((id, now.state), (message.id, State::Failed)),
            Event::Deferred { id, .. } => assert_eq!((id, now.state), (message.id, State::Queued)),
            Event::Progress { sent, total, .. } => assert!(sent <= total && total == message.bytes),
            other => panic!("told unasked: {other:?}"),
        }
    }
    assert_eq!(told, usize::from(now.state == State::Delivered), "delivered is told once");
}
