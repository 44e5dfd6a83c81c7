//! The steps of the demo, each of which checks what arrived on the other side.

use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use super::cast::{Actor, Cast};
use crate::cli::print::size;
use crate::media::camera::read_back;
use crate::media::{clip, jpeg};
use crate::node::history::Query;
use crate::node::{Arrived, Direction, Draft, DraftKind, Event, MessageId, WatchNews, WatchOptions};

/// The steps, in order.
pub(super) const NAMES: [&str; 7] = ["handshake", "text", "hidden text", "voice clip", "camera", "away", "stranger"];
const PATIENCE: Duration = Duration::from_secs(20);
const PHOTO: &[u8] = include_bytes!("../../../assets/photo.png");
const CLIP: &[u8] = include_bytes!("../../../assets/clip.wav");
const SECRET: &str = "the spare key is under the third flower pot · 备用钥匙在第三个花盆下";

/// What the steps measured, for the table.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) suite: String,
    pub(super) group: String,
    pub(super) rtt_ms: f64,
    pub(super) texts: u64,
    pub(super) pictures: u64,
    pub(super) clips: u64,
    pub(super) body_bytes: u64,
    pub(super) frames: u64,
    pub(super) frame_bytes: u64,
    pub(super) fps: f64,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) latency_p50_ms: f64,
    pub(super) latency_p99_ms: f64,
}

pub(super) async fn play(name: &str, cast: &mut Cast, seen: &mut Seen, seconds: u64) -> Result<String, String> {
    match name {
        "handshake" => handshake(cast, seen).await,
        "text" => text(cast, seen).await,
        "hidden text" => hidden(cast, seen).await,
        "voice clip" => voice(cast, seen).await,
        "camera" => camera(cast, seen, seconds).await,
        "away" => away(cast, seen).await,
        _ => stranger(cast).await,
    }
}

async fn handshake(cast: &mut Cast, seen: &mut Seen) -> Result<String, String> {
    let begun = Instant::now();
    let link = cast.alice.node()?.connect("bob").await.map_err(|error| error.to_string())?;
    let took = begun.elapsed();
    cast.alice.node()?.connect("camera").await.map_err(|error| error.to_string())?;
    let pong = cast.alice.node()?.ping("bob").await.map_err(|error| error.to_string())?;
    seen.suite = link.suite;
    seen.group = link.group;
    seen.rtt_ms = pong.rtt.as_secs_f64() * 1000.0;
    Ok(format!(
        "alice and bob, alice and the camera: {}, {}, {:.1} ms",
        seen.suite,
        seen.group,
        took.as_secs_f64() * 1000.0
    ))
}

async fn send(actor: &mut Actor, to: &str, draft: Draft) -> Result<MessageId, String> {
    actor.node()?.send(to, draft).await.map_err(|error| error.to_string())
}

async fn arrival(actor: &mut Actor, id: MessageId) -> Result<Arrived, String> {
    actor
        .wait(PATIENCE, "arrival", |event| match event {
            Event::Message(arrived) if arrived.id == id => Some(arrived),
            _ => None,
        })
        .await
}

async fn receipt(actor: &mut Actor, id: MessageId) -> Result<u64, String> {
    actor
        .wait(PATIENCE, "receipt", |event| match event {
            Event::Delivered { id: delivered, ms, .. } if delivered == id => Some(Ok(ms)),
            Event::Failed { id: failed, reason, .. } if failed == id => Some(Err(reason)),
            _ => None,
        })
        .await?
}

/// Sends, and checks that exactly this came and that the sender has a receipt.
async fn exchange(from: &mut Actor, to: &mut Actor, name: &str, draft: Draft) -> Result<(Arrived, u64), String> {
    let id = send(from, name, draft).await?;
    let arrived = arrival(to, id).await?;
    let ms = receipt(from, id).await?;
    Ok((arrived, ms))
}

fn says(text: &str) -> Draft {
    Draft { kind: DraftKind::Text(text.to_owned()), name: None, reply_to: None }
}

fn expect(arrived: &Arrived, text: &str) -> Result<(), String> {
    if arrived.text.as_deref() == Some(text) { Ok(()) } else { Err("another text arrived".to_owned()) }
}

async fn text(cast: &mut Cast, seen: &mut Seen) -> Result<String, String> {
    let (to_bob, to_alice) = ("hello bob, can you read this?", "每个字都清楚。 Every word of it.");
    let (arrived, ms) = exchange(&mut cast.alice, &mut cast.bob, "bob", says(to_bob)).await?;
    expect(&arrived, to_bob)?;
    let (arrived, back_ms) = exchange(&mut cast.bob, &mut cast.alice, "alice", says(to_alice)).await?;
    expect(&arrived, to_alice)?;
    seen.texts += 2;
    seen.body_bytes += (to_bob.len() + to_alice.len()) as u64;
    Ok(format!("both ways, on disk with a receipt in {ms} and {back_ms} ms"))
}

async fn hidden(cast: &mut Cast, seen: &mut Seen) -> Result<String, String> {
    let kind = DraftKind::Picture { bytes: PHOTO.to_vec(), hide: Some(SECRET.to_owned()) };
    let draft = Draft { kind, name: Some("photo.png".to_owned()), reply_to: None };
    let (arrived, ms) = exchange(&mut cast.alice, &mut cast.bob, "bob", draft).await?;
    if arrived.hidden.as_deref() != Some(SECRET) {
        return Err("the hidden text was not found".to_owned());
    }
    seen.pictures += 1;
    seen.body_bytes += arrived.bytes;
    Ok(format!("{} bytes in a photograph of {}, found by bob, receipt in {ms} ms", SECRET.len(), size(arrived.bytes)))
}

async fn voice(cast: &mut Cast, seen: &mut Seen) -> Result<String, String> {
    let draft = Draft { kind: DraftKind::Clip(CLIP.to_vec()), name: Some("hello.wav".to_owned()), reply_to: None };
    let (arrived, ms) = exchange(&mut cast.alice, &mut cast.bob, "bob", draft).await?;
    let history = cast.bob.node()?.history();
    let stored = history.message(&arrived.peer, Direction::In, &arrived.id).map_err(|error| error.to_string())?;
    let body = history.body(&stored.ok_or("the clip was not stored")?).map_err(|error| error.to_string())?;
    let bytes = body.read_all(arrived.bytes).map_err(|error| error.to_string())?;
    if bytes != CLIP {
        return Err("another clip arrived".to_owned());
    }
    let info = clip::check(&bytes).map_err(|error| error.to_string())?;
    seen.clips += 1;
    seen.body_bytes += arrived.bytes;
    Ok(format!("{:.1} s of speech, {}, receipt in {ms} ms", info.duration_ms as f64 / 1000.0, size(arrived.bytes)))
}

async fn camera(cast: &mut Cast, seen: &mut Seen, seconds: u64) -> Result<String, String> {
    let mut handle =
        cast.alice.node()?.watch("camera", WatchOptions::default()).await.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let mut latencies = Vec::new();
    let (mut first, mut last) = (None, None);
    loop {
        let news = tokio::select! {
            news = handle.next() => news,
            () = tokio::time::sleep_until(end.into()) => break,
        };
        match news {
            Some(WatchNews::Frame(frame)) if !frame.slate => {
                latencies.push(frame.latency_us);
                first.get_or_insert_with(|| frame.clone());
                last = Some(frame);
            }
            Some(WatchNews::Ended(error)) => return Err(error.to_string()),
            Some(_) => {}
            None => return Err("the watch ended".to_owned()),
        }
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let counts = handle.counts();
    let stamp = |frame: Option<crate::node::WatchFrame>| {
        let picture = jpeg::decode(&frame?.jpeg).ok()?;
        read_back(&picture).map(|stamp| stamp.frame)
    };
    let (Some(from), Some(to)) = (stamp(first), stamp(last)) else {
        return Err("the frame number cannot be read back from the pictures".to_owned());
    };
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let last = latencies.len().saturating_sub(1);
        latencies.get(last * percent / 100).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    seen.frames = latencies.len() as u64;
    seen.frame_bytes = counts.bytes;
    seen.fps = seen.frames as f64 / elapsed;
    (seen.lost, seen.late) = (counts.lost, counts.late);
    (seen.latency_p50_ms, seen.latency_p99_ms) = (percentile(50), percentile(99));
    if to <= from || seen.frames < seconds * 15 {
        return Err(format!("{} frames came, numbers {from} to {to} in the pictures", seen.frames));
    }
    Ok(format!("640x480, {} frames, numbers {from} to {to} read back from the pictures", seen.frames))
}

async fn away(cast: &mut Cast, seen: &mut Seen) -> Result<String, String> {
    cast.bob.leave().await;
    let text = "read this when you are back";
    let id = send(&mut cast.alice, "bob", says(text)).await?;
    let pending = |cast: &Cast| {
        let history = cast.alice.node()?.history();
        let bob = history.page(&Query { limit: 1, ..Query::default() }).map_err(|error| error.to_string())?;
        Ok::<_, String>(bob.last().map(|message| (message.id, message.state)))
    };
    let waiting = pending(cast)?;
    if waiting.is_none_or(|(waiting, state)| waiting != id || state == crate::node::State::Delivered) {
        return Err("the message does not wait in the outbox".to_owned());
    }
    cast.bob.start().await.map_err(|failure| failure.error.to_string())?;
    let arrived = arrival(&mut cast.bob, id).await?;
    expect(&arrived, text)?;
    receipt(&mut cast.alice, id).await?;
    seen.texts += 1;
    seen.body_bytes += text.len() as u64;
    Ok("bob left, the message waited in alice's outbox and came when he was back".to_owned())
}

/// A QUIC v1 Initial, as any scanner sends it.
async fn stranger(cast: &mut Cast) -> Result<String, String> {
    let error = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind("127.0.0.1:0").await.map_err(error)?;
    let mut probe = vec![0_u8; 1200];
    probe[..7].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8, 0x5a]);
    for version in [[0, 0, 0, 1], [0, 0, 0, 0], *b"SMQ1"] {
        probe[1..5].copy_from_slice(&version);
        socket.send_to(&probe, cast.camera.address()).await.map_err(error)?;
    }
    let mut answer = [0; 2048];
    let waited = tokio::time::timeout(Duration::from_millis(500), socket.recv_from(&mut answer)).await;
    // A live link shows that the datagrams were taken in before the silence is believed.
    cast.alice.node()?.ping("camera").await.map_err(|error| error.to_string())?;
    let strangers = cast.camera.node()?.status().traffic.strangers;
    match waited {
        Ok(_) => Err("the camera answered a stranger".to_owned()),
        Err(_) if strangers < 3 => Err(format!("only {strangers} of 3 probes were seen")),
        Err(_) => Ok("3 probes of a stranger at the camera's port: no datagram back".to_owned()),
    }
}
