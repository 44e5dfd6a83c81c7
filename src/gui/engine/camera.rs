//! Peers' cameras: a task for each one that is watched. Pictures are decoded on a thread for what blocks, into buffers
//! that are used again, and go onto the camera's screen; of those that wait for their turn the newest alone is kept.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egui::{Color32, ColorImage};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Out;
use crate::gui::model::camera::{CAMERAS_MAX, Counts, Facts, Quality, Shot, Watch};
use crate::gui::talk::{Fault, News};
use crate::identity::PeerId;
use crate::media::jpeg::{JpegError, LiveDecoder};
use crate::node::{Node, Reason, SizeClass, WatchError, WatchFrame, WatchHandle, WatchNews, WatchOptions, save};

/// A watch that could not be opened is tried again after this long, and when the peer comes.
const RETRY: Duration = Duration::from_secs(3);
/// And this long where its owner does not let us: a table is not changed every second.
const RETRY_REFUSED: Duration = Duration::from_secs(15);
/// Buffers of a camera: one that is decoded into, one that waits, one that is being drawn.
const BUFFERS: usize = 3;
/// The rate is that of this many of the last pictures …
const RATE_PICTURES: usize = 90;
/// … as far as they came within this long.
const RATE_OVER: Duration = Duration::from_secs(3);
/// A camera that sends nothing for this long, and for as long as a few pictures take, has no signal: a link that is cut
/// says so much later.
const SILENCE: Duration = Duration::from_secs(3);
/// A few pictures.
const SILENCE_PICTURES: u32 = 3;

/// The cameras that are watched.
pub(super) struct Cameras {
    out: Out,
    wanted: Vec<Watch>,
    tasks: HashMap<PeerId, Task>,
}

struct Task {
    watch: Watch,
    name: String,
    /// The peer is here.
    here: Arc<Notify>,
    handle: JoinHandle<()>,
}

impl Cameras {
    pub(super) fn new(out: Out) -> Self {
        Self { out, wanted: Vec::new(), tasks: HashMap::new() }
    }

    /// Watches these, and no others.
    pub(super) fn watch(&mut self, mut wanted: Vec<Watch>, node: &Arc<Node>) {
        wanted.truncate(CAMERAS_MAX);
        self.wanted = wanted;
        self.follow(node);
    }

    /// Ends and begins watches so that they are those that are wanted, by the names of this table.
    pub(super) fn follow(&mut self, node: &Arc<Node>) {
        let wanted: Vec<(Watch, String)> =
            self.wanted.iter().filter_map(|watch| Some((watch.clone(), node.name_of(&watch.peer)?))).collect();
        self.tasks.retain(|_, task| {
            let stays = wanted.iter().any(|(watch, name)| *watch == task.watch && *name == task.name);
            if !stays {
                task.handle.abort();
            }
            stays
        });
        for (watch, name) in wanted {
            self.tasks.entry(watch.peer).or_insert_with(|| {
                let here = Arc::new(Notify::new());
                let eye = Eye {
                    node: node.clone(),
                    name: name.clone(),
                    watch: watch.clone(),
                    here: here.clone(),
                    out: self.out.clone(),
                };
                Task { watch, name, here, handle: tokio::spawn(eye.run()) }
            });
        }
    }

    /// The peer is here: its camera is tried at once.
    pub(super) fn is_here(&self, peer: &PeerId) {
        if let Some(task) = self.tasks.get(peer) {
            task.here.notify_one();
        }
    }

    /// Ends all; none holds the node afterwards.
    pub(super) async fn stop(&mut self) {
        for (_, task) in self.tasks.drain() {
            task.handle.abort();
            let _ = task.handle.await;
        }
    }
}

/// Who watches one camera.
struct Eye {
    node: Arc<Node>,
    name: String,
    watch: Watch,
    here: Arc<Notify>,
    out: Out,
}

impl Eye {
    async fn run(self) {
        loop {
            let mut seen_ms = now_ms();
            let error = match self.node.watch(&self.name, options(self.watch.quality)).await {
                Ok(handle) => self.follow(handle, &mut seen_ms).await,
                Err(error) => error,
            };
            let pause = match &error {
                WatchError::Stopped => return,
                WatchError::Refused { reason: Reason::NotAllowed, .. } => RETRY_REFUSED,
                _ => RETRY,
            };
            self.lose(seen_ms, Some(Fault::of(&error)));
            tokio::select! {
                () = self.here.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn lose(&self, since_ms: i64, fault: Option<Fault>) {
        if self.watch.screen.lose(since_ms, fault) {
            (self.out.wake)();
        }
    }

    /// Until the watch is over; why. `seen_ms` is when the last picture came.
    async fn follow(&self, mut handle: WatchHandle, seen_ms: &mut i64) -> WatchError {
        let silence = silence(handle.info.fps_milli, options(self.watch.quality).max_fps);
        let mut patience = Instant::now() + silence;
        let mut silent = false;
        *seen_ms = now_ms();
        let mut decoder = None;
        let mut decoding = None;
        let mut waiting: Option<WatchFrame> = None;
        let mut rate = Rate::default();
        // What is on its way when the signal goes is no sign that it has come back.
        let mut dark = false;
        loop {
            if decoding.is_none()
                && let Some(frame) = waiting.take()
            {
                decoding = Some(decode(decoder.take(), frame, self.watch.side_max));
            }
            let news = tokio::select! {
                news = handle.next() => news,
                (back, shot) = decoded(&mut decoding), if decoding.is_some() => {
                    (decoder, decoding) = (back, None);
                    if !dark {
                        self.show(shot, &handle, rate.fps_milli());
                    }
                    continue;
                }
                () = tokio::time::sleep_until(patience.into()), if !silent && !dark => {
                    silent = true;
                    self.lose(*seen_ms, None);
                    continue;
                }
            };
            match news {
                Some(WatchNews::Frame(frame)) if frame.slate => {}
                Some(WatchNews::Frame(frame)) => {
                    rate.count(frame.arrived);
                    (*seen_ms, patience, silent) = (now_ms(), frame.arrived + silence, false);
                    waiting = Some(frame).filter(|_| !dark);
                }
                Some(WatchNews::NoSignal { reason, since_us }) => {
                    (dark, waiting) = (true, None);
                    self.lose(i64::try_from(since_us / 1_000).unwrap_or(i64::MAX), Some(Fault::new(reason, None)));
                }
                Some(WatchNews::Paused(reason)) => {
                    (dark, waiting) = (true, None);
                    self.lose(*seen_ms, Some(Fault::new(reason, None)));
                }
                Some(WatchNews::Signal | WatchNews::Resumed(_)) => {
                    (dark, rate, patience) = (false, Rate::default(), Instant::now() + silence);
                }
                Some(WatchNews::Ended(error)) => return error,
                None => return WatchError::Stopped,
            }
        }
    }

    fn show(&self, shot: Result<Shot, Fault>, handle: &WatchHandle, fps_milli: u32) {
        match shot {
            Ok(shot) => {
                let took = shot.facts.decoded.saturating_duration_since(shot.facts.arrived);
                handle.set_decode_us(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                let sums = handle.counts();
                let counts = Counts { fps_milli, received: sums.received, lost: sums.lost, late: sums.late };
                if self.watch.screen.put(shot, counts) {
                    (self.out.wake)();
                }
            }
            Err(fault) => self.lose(now_ms(), Some(fault)),
        }
    }
}

fn options(quality: Quality) -> WatchOptions {
    let (size, max_fps) = match quality {
        Quality::Thumbnail => (SizeClass::Quarter, 1),
        Quality::Quarter => (SizeClass::Quarter, 15),
        Quality::Half => (SizeClass::Half, 0),
        Quality::Full => (SizeClass::Full, 0),
    };
    WatchOptions { max_fps, size, still: false }
}

/// How long nothing may come.
fn silence(fps_milli: u32, max_fps: u16) -> Duration {
    let wanted = if max_fps == 0 { u32::MAX } else { u32::from(max_fps) * 1_000 };
    let picture_us = 1_000_000_000 / u64::from(fps_milli.min(wanted).max(1));
    SILENCE.max(SILENCE_PICTURES * Duration::from_micros(picture_us))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The decoder that is free again, and what it made.
type Decoded = (Option<Decoder>, Result<Shot, Fault>);

/// Decodes on a thread for what blocks.
fn decode(decoder: Option<Decoder>, frame: WatchFrame, side_max: u32) -> JoinHandle<Decoded> {
    tokio::task::spawn_blocking(move || {
        let fault = |error: JpegError| Fault::of(&error);
        let mut decoder = match decoder.map_or_else(Decoder::new, Ok) {
            Ok(decoder) => decoder,
            Err(error) => return (None, Err(fault(error))),
        };
        let shot = decoder.decode(frame, side_max).map_err(fault);
        (Some(decoder), shot)
    })
}

async fn decoded(decoding: &mut Option<JoinHandle<Decoded>>) -> Decoded {
    match decoding {
        Some(decoding) => decoding.await.unwrap_or_else(|died| (None, Err(Fault::of(&died)))),
        None => std::future::pending().await,
    }
}

/// One decompressor and its buffers.
struct Decoder {
    live: LiveDecoder,
    buffers: Vec<Arc<ColorImage>>,
}

impl Decoder {
    fn new() -> Result<Self, JpegError> {
        Ok(Self { live: LiveDecoder::new()?, buffers: Vec::with_capacity(BUFFERS) })
    }

    fn decode(&mut self, frame: WatchFrame, side_max: u32) -> Result<Shot, JpegError> {
        let opened = self.live.open(&frame.jpeg, side_max)?;
        let size = [opened.size.width as usize, opened.size.height as usize];
        // One that nobody draws any more.
        let free = self.buffers.iter_mut().position(|held| held.size == size && Arc::get_mut(held).is_some());
        let mut image = match free {
            Some(free) => self.buffers.swap_remove(free),
            None => Arc::new(ColorImage::filled(size, Color32::BLACK)),
        };
        if let Some(image) = Arc::get_mut(&mut image) {
            opened.rgba_into(image.as_raw_mut())?;
        }
        if self.buffers.len() == BUFFERS {
            self.buffers.remove(0);
        }
        self.buffers.push(image.clone());
        let facts = Facts {
            seq: frame.seq,
            width: frame.width,
            height: frame.height,
            encode_us: frame.encode_us,
            latency_us: frame.latency_us,
            error_us: frame.latency_error_us,
            arrived: frame.arrived,
            decoded: Instant::now(),
        };
        Ok(Shot { facts, image, jpeg: frame.jpeg })
    }
}

/// When the last pictures came.
#[derive(Default)]
struct Rate(VecDeque<Instant>);

impl Rate {
    fn count(&mut self, at: Instant) {
        self.0.push_back(at);
        let old = |first: &Instant| at.saturating_duration_since(*first) > RATE_OVER;
        while self.0.len() > RATE_PICTURES || self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
    }

    fn fps_milli(&self) -> u32 {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return 0 };
        let over_us = last.saturating_duration_since(*first).as_micros().max(1);
        let between = self.0.len().saturating_sub(1) as u128;
        u32::try_from(between * 1_000_000_000 / over_us).unwrap_or(u32::MAX)
    }
}

/// Keeps a picture as it came.
pub(super) fn snapshot(out: &Out, folder: PathBuf, name: String, stamp: String, jpeg: Bytes) {
    let out = out.clone();
    tokio::spawn(async move {
        let work = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder).map_err(|error| Fault::file("fault-file-write", &folder, &error))?;
            save::snapshot(&folder, &name, &stamp, &jpeg).map_err(|error| Fault::of(&error))
        });
        out.tell(match work.await {
            Ok(Ok(path)) => News::Saved(path),
            Ok(Err(fault)) => News::Trouble(fault),
            Err(died) => News::Trouble(Fault::of(&died)),
        })
        .await;
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::media::jpeg::{Rgb, encode};

    fn frame(seq: u64, side: u32) -> WatchFrame {
        let jpeg = encode(&Rgb::filled(side, side, [seq as u8, 0, 0]), 90).unwrap();
        WatchFrame {
            seq,
            width: side,
            height: side,
            jpeg: jpeg.into(),
            latency_us: 0,
            latency_error_us: 0,
            encode_us: 0,
            arrived: Instant::now(),
            slate: false,
        }
    }

    #[test]
    fn buffers_are_used_again_once_they_are_drawn_and_never_before() {
        let mut decoder = Decoder::new().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        let (mut waits, mut draws) = (None, None);
        for seq in 0..20 {
            let shot = decoder.decode(frame(seq, 64), 64).unwrap();
            seen.insert(Arc::as_ptr(&shot.image) as usize);
            draws = waits.replace(shot).or(draws);
            let (waits, draws) = (waits.as_ref().unwrap(), draws.as_ref());
            assert_eq!(waits.image.pixels[0].r().abs_diff(seq as u8) / 4, 0);
            // what is being drawn is left alone
            assert!(draws.is_none_or(|shot| shot.image.pixels[0].r().abs_diff(seq as u8 - 1) / 4 == 0));
        }
        assert!(seen.len() <= BUFFERS, "{} buffers for one camera", seen.len());
        // somebody who keeps all that he gets does not make them many
        let kept: Vec<Shot> = (0..10).map(|seq| decoder.decode(frame(seq, 64), 64).unwrap()).collect();
        assert_eq!((kept.len(), decoder.buffers.len()), (10, BUFFERS));
        // another size
        assert_eq!(decoder.decode(frame(1, 64), 32).unwrap().image.size, [32, 32]);
        assert!(decoder.buffers.len() <= BUFFERS);
    }

    #[test]
    fn a_slow_camera_is_not_taken_for_a_silent_one() {
        assert_eq!(silence(30_000, 0), SILENCE);
        assert_eq!(silence(30_000, 1), SILENCE);
        assert_eq!(silence(100, 0), Duration::from_secs(30));
        assert!(silence(0, 0) > Duration::from_secs(60));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let begin = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.fps_milli(), 0);
        (0..300_u64).for_each(|n| rate.count(begin + Duration::from_millis(n * 40)));
        assert_eq!(rate.fps_milli(), 25_000);
        let later = begin + Duration::from_secs(60);
        rate.count(later);
        assert_eq!(rate.fps_milli(), 0, "a pause is no rate");
        rate.count(later + Duration::from_secs(1));
        assert_eq!(rate.fps_milli(), 1_000);
    }
}
