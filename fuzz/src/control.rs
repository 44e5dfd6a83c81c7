//! The control stream: whatever comes on it, each ping has its pong, rubbish ends it, and nothing grows.

use miyu::node::script::{Played, Seat};
use miyu::node::{Event, limits::DETAIL_BYTES_MAX};
use miyu::wire::{self, Bye, Control, LENGTH_BYTES, Ping, Pong, Presence, Typing, WireError};

use super::bytes::Bytes;
use super::stage::{self, Theatre, settle, wait};

/// Things that the peer does for one input.
const ACTS_MAX: usize = 400;
/// Control frames that a peer may send in a second.
const CONTROL_PER_SECOND_MAX: usize = 200;
/// Frames that wait to be written.
const QUEUE_MAX: usize = 64;
/// Round trips under way.
const PINGS_MAX: usize = 64;

/// What must come of what was sent.
#[derive(Default)]
struct Expected {
    pongs: Vec<u64>,
    /// Our own pings, which take room in the same queue.
    pings: usize,
    typing: Vec<bool>,
    camera: bool,
    /// Frames in this second.
    frames: usize,
    /// Nothing is read any more.
    over: bool,
}

/// A list of what the peer does: frames, whole or in pieces, rubbish, pauses, an end.
pub fn run(data: &[u8]) {
    stage::play(async |theatre: &mut Theatre| act(theatre, data).await);
}

async fn act(theatre: &mut Theatre, data: &[u8]) {
    let mut seat = theatre.stage.link().expect("a peer in the table");
    let stream = seat.control();
    let mut expected = Expected::default();
    let mut input = Bytes(data);
    for _ in 0..ACTS_MAX {
        if input.0.is_empty() {
            break;
        }
        let what = input.byte();
        let piece = usize::from(what >> 4) + 1;
        match what % 16 {
            0..=2 => send(&stream, piece, &frame(&Control::Ping(Ping { number: number(&mut input) })), &mut expected),
            3 | 4 => send(&stream, piece, &frame(&Control::Pong(pong(&mut input))), &mut expected),
            5 => send(&stream, piece, &frame(&Control::Presence(Presence { camera: piece > 8 })), &mut expected),
            6 => send(&stream, piece, &frame(&Control::Typing(Typing { active: piece > 8 })), &mut expected),
            7 => {
                let detail = String::from_utf8_lossy(input.take(piece * 8)).into_owned();
                assert!(detail.len() <= DETAIL_BYTES_MAX);
                send(&stream, piece, &frame(&Control::Bye(Bye { detail })), &mut expected);
            }
            // A frame with any content.
            8..=10 => {
                let length = usize::from(input.byte());
                let body = input.take(length);
                let length = u32::try_from(body.len()).expect("at most 255").to_be_bytes();
                send(&stream, piece, &[&length, body].concat(), &mut expected);
            }
            11 => {
                seat.ping();
                expected.pings += 1;
            }
            12 | 13 => turn(theatre, &mut seat, &mut expected).await,
            14 => {
                turn(theatre, &mut seat, &mut expected).await;
                wait(2).await;
                expected.frames = 0;
            }
            _ => {
                // Any bytes: what they do to the frames after them is not foretold, so they are the last.
                stream.bytes(input.0);
                if piece % 2 == 0 {
                    stream.end()
                } else {
                    stream.reset(0)
                }
                settle().await;
                break;
            }
        }
        // A hundred answers would not find room in the queue.
        if expected.pongs.len() >= QUEUE_MAX / 2 {
            turn(theatre, &mut seat, &mut expected).await;
        }
        assert!(seat.pings() <= PINGS_MAX, "{} pings under way", seat.pings());
    }
    settle().await;
    assert!(!expected.over || stream.is_over(), "a breach does not end the stream");
    stream.lose().await.expect("no panic");
    while theatre.stage.event().is_some() {}
}

/// Sends one frame in pieces, and notes what must come of it.
fn send(stream: &Played, piece: usize, bytes: &[u8], expected: &mut Expected) {
    for part in bytes.chunks(piece * 3) {
        stream.bytes(part);
    }
    if expected.over {
        return;
    }
    expected.frames += 1;
    if expected.frames > CONTROL_PER_SECOND_MAX {
        expected.over = true;
        return;
    }
    match wire::decode::<Control>(&bytes[LENGTH_BYTES..]) {
        Ok(Control::Ping(ping)) => expected.pongs.push(ping.number),
        Ok(Control::Presence(presence)) => expected.camera = presence.camera,
        Ok(Control::Typing(typing)) => expected.typing.push(typing.active),
        Ok(Control::Pong(_) | Control::Bye(_) | Control::Read(_)) | Err(WireError::UnknownKind(_)) => {}
        Err(_) => expected.over = true,
    }
}

/// All that was sent is taken, and what was expected has come.
async fn turn(theatre: &mut Theatre, seat: &mut Seat, expected: &mut Expected) {
    settle().await;
    let mut pongs = Vec::new();
    while let Some(said) = seat.said() {
        match said {
            Control::Pong(pong) => {
                assert!(pong.received_at_us <= pong.replied_at_us);
                pongs.push(pong.number);
            }
            Control::Ping(_) => {}
            other => panic!("said unasked: {other:?}"),
        }
    }
    let wanted = std::mem::take(&mut expected.pongs);
    let is_room = std::mem::take(&mut expected.pings) + wanted.len() <= QUEUE_MAX;
    assert!(pongs == wanted || !is_room && wanted.starts_with(&pongs), "{pongs:?}, not {wanted:?}");
    let mut typing = Vec::new();
    while let Some(event) = theatre.stage.event() {
        match event {
            Event::Typing { active, .. } => typing.push(active),
            Event::Published { .. } => {}
            other => panic!("told unasked: {other:?}"),
        }
    }
    assert_eq!(typing, std::mem::take(&mut expected.typing));
    assert_eq!(seat.camera(), expected.camera);
    // Whatever the peer says of its clock, ours can be told from it.
    for theirs in [0, 1, u64::MAX / 2, u64::MAX] {
        seat.to_ours(theirs);
    }
}

fn frame(control: &Control) -> Vec<u8> {
    wire::encode(control).expect("within every bound")
}

/// Small numbers are those of pings that are under way.
fn number(input: &mut Bytes<'_>) -> u64 {
    match input.byte() {
        255 => u64::MAX,
        254 => u64::from_be_bytes([input.byte(); 8]),
        small => u64::from(small),
    }
}

fn pong(input: &mut Bytes<'_>) -> Pong {
    let number = number(input) % 80;
    let instant = |input: &mut Bytes<'_>| match input.byte() {
        255 => u64::MAX,
        254 => 0,
        shift => u64::from(input.short()) << (shift % 49),
    };
    Pong { number, received_at_us: instant(input), replied_at_us: instant(input) }
}
