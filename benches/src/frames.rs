//! Camera frames: from the finished JPEG at the camera to the decoded picture at the viewer.
//!
//! Twice: the same JPEG bytes over a bare stream of either stack, a frame of each in turn; and through two whole nodes,
//! whose camera draws, encodes and paces by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use miyu::media::camera::{Settings, SourceSpec, TestPattern};
use miyu::media::jpeg;
use miyu::node::{CameraPlan, WatchHandle, WatchNews, WatchOptions};
use quinn::Connection;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::paired::{Series, quantile};
use crate::peers::{self, Actor, PATIENCE};
use crate::report::{Row, Unit};
use crate::stacks::{Ends, Stack};

const SIZE: (u32, u32) = (1280, 720);
const FPS: f32 = 30.0;
const QUALITY: u8 = 85;
/// Frames of each kind in a round; the round's figures are their median and their 99th percentile.
const FRAMES: usize = 60;
/// A frame is not larger.
const FRAME_BYTES_MAX: usize = 4 << 20;
const ROUNDS: u32 = 7;

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let pictures = pictures()?;
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let mut links = Vec::new();
        for stack in Stack::BOTH {
            links.push(Link::open(stack).await?);
        }
        let (alice, bob) = peers::pair().await?;
        let names = [Stack::Miyu.name(), Stack::Ring.name(), "miyu, two nodes"];
        let mut p50 = names.map(Series::new);
        let mut p99 = names.map(Series::new);
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            let [ours, theirs] = bare(&mut links, &pictures).await?;
            let whole = nodes(&alice, &bob).await?;
            for (at, times) in [ours, theirs, whole].iter().enumerate() {
                p50[at].figures.push(quantile(times, 0.5));
                p99[at].figures.push(quantile(times, 0.99));
            }
        }
        let path = miyu::crypto::gcm::Backend::chosen().name();
        Ok(vec![
            Row::beside("bare streams, p50", path, Unit::Milliseconds, &p50[0], &p50[1]),
            Row::beside("bare streams, p99", path, Unit::Milliseconds, &p99[0], &p99[1]),
            Row::beside("through two nodes, p50", path, Unit::Milliseconds, &p50[2], &p50[1]),
            Row::beside("through two nodes, p99", path, Unit::Milliseconds, &p99[2], &p99[1]),
        ])
    })
}

/// What the nodes' camera sends too: its test pattern.
fn pictures() -> Result<Vec<Vec<u8>>> {
    let pattern = TestPattern::new(SIZE.0, SIZE.1);
    let encoded = (0..FRAMES as u64).map(|frame| jpeg::encode(&pattern.render(frame, frame * 33), QUALITY));
    encoded.map(|jpeg| Ok(jpeg?)).collect()
}

/// A connection whose far side decodes what comes.
struct Link {
    near: Connection,
    decoded: mpsc::Receiver<Instant>,
    _ends: Ends,
}

impl Link {
    async fn open(stack: Stack) -> Result<Self> {
        let ends = Ends::bind(stack, 1)?;
        let (near, far) = ends.connect(0).await?;
        let (tell, decoded) = mpsc::channel(1);
        tokio::spawn(view(far, tell));
        Ok(Self { near, decoded, _ends: ends })
    }

    /// One frame on a stream of its own, as a node sends it.
    async fn frame(&mut self, jpeg: &[u8]) -> Result<f64> {
        let ready = Instant::now();
        let mut stream = self.near.open_uni().await?;
        stream.write_all(jpeg).await?;
        stream.finish()?;
        let decoded = timeout(PATIENCE, self.decoded.recv()).await?.context("the frame was not decoded")?;
        Ok(decoded.duration_since(ready).as_secs_f64() * 1e3)
    }
}

async fn view(connection: Connection, tell: mpsc::Sender<Instant>) -> Result<()> {
    loop {
        let jpeg = connection.accept_uni().await?.read_to_end(FRAME_BYTES_MAX).await?;
        decode(&jpeg)?;
        tell.send(Instant::now()).await?;
    }
}

fn decode(jpeg: &[u8]) -> Result<()> {
    let picture = jpeg::decode(jpeg)?;
    ensure!((picture.width, picture.height) == SIZE, "the picture has another size");
    Ok(())
}

/// Both stacks in turn, each at the camera's rate.
async fn bare(links: &mut [Link], pictures: &[Vec<u8>]) -> Result<[Vec<f64>; 2]> {
    let mut ticks = interval(Duration::from_secs_f32(0.5 / FPS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = [Vec::new(), Vec::new()];
    for picture in pictures {
        for (link, times) in links.iter_mut().zip(&mut times) {
            ticks.tick().await;
            times.push(link.frame(picture).await?);
        }
    }
    Ok(times)
}

/// Bob films, alice watches.
async fn nodes(alice: &Actor, bob: &Actor) -> Result<Vec<f64>> {
    let settings = Settings { size: Some(SIZE), fps: FPS, quality: QUALITY, ..Settings::default() };
    bob.node.publish(CameraPlan { source: SourceSpec::Test, bandwidth_bits: None, settings }).await;
    let mut watch = alice.node.watch("bob", WatchOptions::default()).await?;
    // Both nodes read one clock: what they take for its offset is their error, and is taken out.
    let offset_us = alice.node.ping("bob").await?.clock_offset_us;
    let mut times = Vec::new();
    while times.len() < FRAMES {
        times.push(frame(&mut watch, offset_us).await?);
    }
    drop(watch);
    Ok(times)
}

async fn frame(watch: &mut WatchHandle, offset_us: i64) -> Result<f64> {
    loop {
        match timeout(PATIENCE, watch.next()).await?.context("the watch is over")? {
            WatchNews::Frame(frame) => {
                let start = Instant::now();
                decode(&frame.jpeg)?;
                let decoding = start.elapsed().as_secs_f64() * 1e3;
                let way_us = frame.latency_us - offset_us - frame.encode_us as i64;
                return Ok(way_us as f64 / 1e3 + decoding);
            }
            WatchNews::Ended(error) => bail!("the watch ended: {error}"),
            WatchNews::Paused(_) | WatchNews::Resumed(_) | WatchNews::NoSignal { .. } | WatchNews::Signal => {}
        }
    }
}
