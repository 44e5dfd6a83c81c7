//! A published camera in a process of its own: what each viewer costs it, and what it holds in memory.
//!
//! Its pictures are JPEGs from a file, which it passes through: what is counted is the sending, not the encoder.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use miyu::crypto::sm2::SecretKey;
use miyu::identity::Identity;
use miyu::media::camera::{Settings, SourceSpec, TestPattern};
use miyu::media::jpeg;
use miyu::node::{CameraPlan, WatchHandle, WatchNews, WatchOptions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::paired::{Series, median};
use crate::peers::{Actor, PATIENCE, entry};
use crate::process;
use crate::report::{Row, Unit};

/// The word of the environment by which the bench calls itself: viewers, frames a second, and the file.
pub(crate) const CHILD: &str = "MIYU_BENCH_CAMERA";

pub(crate) const SIZE: (u32, u32) = (1280, 720);
pub(crate) const FPS: u32 = 30;
const QUALITY: u8 = 85;
/// Pictures in the file, which goes round.
const PICTURES: u64 = 60;
/// Steps of brightness that the noise has: pictures become as large as those of a webcam.
const NOISE: u8 = 12;
/// Viewers, one step after the other.
const STEPS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const VIEWERS_MAX: usize = 64;
/// Viewers that have just come are left alone for this long.
const SETTLING: Duration = Duration::from_secs(2);
/// What one figure is measured over.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// The long run.
const FRAMES: u64 = 100_000;
const FRAMES_A_SECOND: u32 = 120;
/// Its first part fills buffers and caches.
const WARM: u64 = 10_000;

/// What one more viewer costs the camera.
pub(crate) fn viewers(rounds: Option<u32>) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let file = pictures(folder.path())?;
    Runtime::new()?.block_on(async {
        let mut shares = STEPS.map(|_| Series::new("miyu"));
        let mut rates = STEPS.map(|_| Series::new("miyu"));
        for _ in 0..rounds.unwrap_or(1) {
            let camera = Camera::start(&file, FPS)?;
            let mut eyes = Vec::new();
            for (at, count) in STEPS.iter().enumerate() {
                while eyes.len() < *count {
                    eyes.push(Eye::open(&camera, eyes.len()).await?);
                }
                let (share, rate) = step(&camera, &mut eyes).await?;
                eprintln!("bench: {count} viewers: {share:.1} % of a core, {rate:.1} frames a second each");
                shares[at].figures.push(share);
                rates[at].figures.push(rate);
            }
        }
        let path = miyu::crypto::gcm::Backend::chosen().name();
        let mut rows = Vec::new();
        for (at, count) in STEPS.iter().enumerate() {
            rows.push(Row::alone(&format!("{count} viewers, camera's share"), path, Unit::PercentOfCore, &shares[at]));
            rows.push(Row::alone(&format!("{count} viewers, rate of each"), path, Unit::PerSecond, &rates[at]));
        }
        let more = Series {
            name: "miyu".into(),
            figures: STEPS
                .iter()
                .zip(&shares)
                .skip(1)
                .map(|(count, share)| (median(&share.figures) - median(&shares[0].figures)) / (*count - 1) as f64)
                .collect(),
        };
        rows.push(Row::alone("each further viewer", path, Unit::PercentOfCore, &more));
        Ok(rows)
    })
}

/// The camera's share of a core, and the frames a second that the viewers got on average.
async fn step(camera: &Camera, eyes: &mut Vec<Eye>) -> Result<(f64, f64)> {
    let mut looking = JoinSet::new();
    for mut eye in eyes.drain(..) {
        looking.spawn(async move {
            eye.look(SETTLING).await?;
            let frames = eye.look(WINDOW).await?;
            anyhow::Ok((eye, frames))
        });
    }
    sleep(SETTLING).await;
    let (begun, before) = (Instant::now(), process::cpu(camera.pid())?);
    sleep(WINDOW).await;
    let share = (process::cpu(camera.pid())? - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let mut total = 0;
    while let Some(done) = looking.join_next().await {
        let (eye, frames) = done??;
        eyes.push(eye);
        total += frames;
    }
    Ok((share, total as f64 / eyes.len() as f64 / WINDOW.as_secs_f64()))
}

/// Memory over a long run, with one viewer that takes nothing away.
pub(crate) fn endurance() -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let file = pictures(folder.path())?;
    Runtime::new()?.block_on(async {
        let camera = Camera::start(&file, FRAMES_A_SECOND)?;
        let mut eye = Eye::open(&camera, 0).await?;
        let stalled = Eye::open(&camera, 1).await?;
        let (mut first, mut told) = (None, 0);
        let mut resident = Series::new("miyu");
        loop {
            let seq = eye.next().await?;
            let first = *first.get_or_insert(seq);
            let sent = seq - first;
            if sent >= told {
                let mib = process::resident_mib(camera.pid())?;
                eprintln!("bench: {sent} frames: {mib:.1} MiB");
                if told >= WARM {
                    resident.figures.push(mib);
                }
                told += WARM;
            }
            if sent >= FRAMES {
                break;
            }
        }
        ensure!(stalled.watch.counts().received < 1_000, "the stalled viewer was to take nothing away");
        let path = miyu::crypto::gcm::Backend::chosen().name();
        let least = resident.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = resident.figures.iter().copied().fold(0.0, f64::max);
        let growth = Series { name: "miyu".into(), figures: vec![most - least] };
        Ok(vec![
            Row::alone("100,000 frames, in memory", path, Unit::Mebibytes, &resident),
            Row::alone("100,000 frames, most less least after the first tenth", path, Unit::Mebibytes, &growth),
        ])
    })
}

/// A file of the test pattern's pictures, with the noise of a real sensor: without it they would be a third as large.
pub(crate) fn pictures(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("pictures.mjpeg");
    let pattern = TestPattern::new(SIZE.0, SIZE.1);
    let mut out = std::fs::File::create(&file)?;
    let mut noise = StdRng::seed_from_u64(1);
    let mut bytes = 0;
    for frame in 0..PICTURES {
        let mut picture = pattern.render(frame, frame * 33);
        for sample in &mut picture.data {
            *sample = sample.saturating_add(noise.random_range(0..NOISE));
        }
        let jpeg = jpeg::encode(&picture, QUALITY)?;
        bytes += jpeg.len() as u64;
        out.write_all(&jpeg)?;
    }
    eprintln!("bench: pictures of {} KiB", bytes / PICTURES / 1024);
    Ok(file)
}

/// The camera's process. It ends with its standard input.
pub(crate) struct Camera {
    child: Child,
    _stdin: Option<ChildStdin>,
    port: u16,
}

impl Camera {
    pub(crate) fn start(file: &Path, fps: u32) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(CHILD, format!("{fps} {}", file.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        let port = line.trim().parse().context("the camera did not start")?;
        Ok(Self { _stdin: child.stdin.take(), child, port })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The camera's own process: says its port, and films until nobody holds its standard input any more.
pub(crate) fn child(told: &str) -> Result<()> {
    let (fps, file) = told.split_once(' ').context("frames a second and a file")?;
    let settings = Settings { fps: fps.parse()?, ..Settings::default() };
    let plan = CameraPlan { source: SourceSpec::Mjpeg(file.into()), settings, bandwidth_bits: None };
    Runtime::new()?.block_on(async {
        let viewers = (0..VIEWERS_MAX).map(|number| entry(&format!("v{number}"), &viewer(number), None));
        let actor = Actor::start(&owner(), viewers.collect()).await?;
        actor.node.publish(plan).await;
        println!("{}", actor.node.address().port());
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        actor.node.shutdown().await;
        Ok(())
    })
}

/// A viewer with a node, a key and a link of its own.
pub(crate) struct Eye {
    watch: WatchHandle,
    _actor: Actor,
}

impl Eye {
    pub(crate) async fn open(camera: &Camera, number: usize) -> Result<Self> {
        let actor = Actor::start(&viewer(number), vec![entry("camera", &owner(), Some(camera.port))]).await?;
        let watch = timeout(PATIENCE, actor.node.watch("camera", WatchOptions::default())).await??;
        Ok(Self { watch, _actor: actor })
    }

    /// The number of the next frame.
    async fn next(&mut self) -> Result<u64> {
        loop {
            match timeout(PATIENCE, self.watch.next()).await?.context("the watch is over")? {
                WatchNews::Frame(frame) if !frame.slate => return Ok(frame.seq),
                WatchNews::Ended(error) => bail!("the watch ended: {error}"),
                _ => {}
            }
        }
    }

    /// Takes frames away for so long; how many there were.
    pub(crate) async fn look(&mut self, length: Duration) -> Result<u64> {
        let end = tokio::time::Instant::now() + length;
        let mut frames = 0;
        while let Ok(next) = tokio::time::timeout_at(end, self.next()).await {
            next?;
            frames += 1;
        }
        Ok(frames)
    }
}

/// A bench needs no secrets, and its processes the same ones.
fn owner() -> Identity {
    viewer(VIEWERS_MAX)
}

fn viewer(number: usize) -> Identity {
    let mut secret = [0; 32];
    secret[31] = u8::try_from(number + 1).expect("few viewers");
    Identity::new(SecretKey::from_bytes(&secret).expect("below the order"))
}
