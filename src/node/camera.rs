//! The published camera: captured once, encoded once for each size class that somebody watches.
//!
//! One thread captures and encodes. Viewers follow the newest frame of their class; a viewer that is slow or dead
//! costs that thread nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tracing::{info, warn};

use super::shared::{Shared, lock, now_us};
use super::types::Event;
use crate::media::camera::{self, Captured, Picture, Settings, Source, SourceSpec};
use crate::media::jpeg;
use crate::wire::SizeClass;
use crate::wire::limits::CAMERA_FRAME_BYTES_MAX;

/// Quality of a still picture that was asked for.
const STILL_QUALITY: u8 = 95;
/// Pictures of full quality that may be asked for at one time.
const STILLS_MAX: usize = 16;
/// The quality falls to this at the lowest when every viewer is late.
const QUALITY_FLOOR: u8 = 40;
/// The shared quality is looked at this often.
const QUALITY_PERIOD: Duration = Duration::from_secs(2);
/// A source that fails is asked again after this long, doubling to the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(8);
const SLEEP_STEP: Duration = Duration::from_millis(50);

/// What to capture and how.
#[derive(Debug, Clone)]
pub struct CameraPlan {
    /// Where frames come from.
    pub source: SourceSpec,
    /// Size, rate and quality.
    pub settings: Settings,
}

/// One encoded frame, shared by all viewers of its class.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) seq: u64,
    pub(super) captured_at_us: u64,
    pub(super) encoded_at_us: u64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) jpeg: Bytes,
}

type Newest = watch::Receiver<Option<Arc<Encoded>>>;

fn not_encoded(error: jpeg::JpegError) -> String {
    format!("a frame could not be encoded: {error}")
}

/// What the capture thread shares with viewers.
pub(super) struct Feed {
    classes: [watch::Sender<Option<Arc<Encoded>>>; 3],
    stills: Mutex<Vec<oneshot::Sender<Arc<Encoded>>>>,
    stop: AtomicBool,
    viewers: AtomicUsize,
    late_viewers: AtomicUsize,
    width: u32,
    height: u32,
    /// Frames are JPEG already and go through untouched: every class has the full size.
    passes: AtomicBool,
    pub(super) fps: f32,
}

impl Feed {
    fn new(width: u32, height: u32, fps: f32) -> Self {
        Self {
            classes: [watch::Sender::new(None), watch::Sender::new(None), watch::Sender::new(None)],
            stills: Mutex::default(),
            stop: AtomicBool::new(false),
            viewers: AtomicUsize::new(0),
            late_viewers: AtomicUsize::new(0),
            width,
            height,
            passes: AtomicBool::new(false),
            fps,
        }
    }

    /// What a viewer of this class gets, in pixels.
    pub(super) fn size(&self, size: SizeClass) -> (u32, u32) {
        let part = match size {
            _ if self.passes.load(Ordering::Relaxed) => 1,
            SizeClass::Full => 1,
            SizeClass::Half => 2,
            SizeClass::Quarter => 4,
        };
        ((self.width / part).max(1), (self.height / part).max(1))
    }

    fn class(&self, size: SizeClass) -> &watch::Sender<Option<Arc<Encoded>>> {
        match size {
            SizeClass::Full => &self.classes[0],
            SizeClass::Half => &self.classes[1],
            SizeClass::Quarter => &self.classes[2],
        }
    }

    /// The newest frames of a class, from the next one on.
    pub(super) fn follow(&self, size: SizeClass) -> Newest {
        let mut newest = self.class(size).subscribe();
        newest.mark_unchanged();
        newest
    }

    /// The next picture in full quality. `None` where too many wait.
    pub(super) fn still(&self) -> Option<oneshot::Receiver<Arc<Encoded>>> {
        let mut stills = lock(&self.stills);
        stills.retain(|still| !still.is_closed());
        if stills.len() >= STILLS_MAX {
            return None;
        }
        let (send, receive) = oneshot::channel();
        stills.push(send);
        Some(receive)
    }

    /// Counts a viewer while it watches.
    pub(super) fn viewer(self: &Arc<Self>) -> Viewer {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        Viewer { feed: self.clone(), late: false }
    }

    /// Ends the capture, and wakes every viewer to see it.
    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for class in &self.classes {
            class.send_replace(None);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A viewer in the counts.
pub(super) struct Viewer {
    feed: Arc<Feed>,
    late: bool,
}

impl Viewer {
    pub(super) fn set_late(&mut self, late: bool) {
        if late != self.late {
            self.late = late;
            if late {
                self.feed.late_viewers.fetch_add(1, Ordering::Relaxed);
            } else {
                self.feed.late_viewers.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.set_late(false);
        self.feed.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The camera of a node, if it publishes one.
pub(super) struct Hub {
    feed: Mutex<Option<Arc<Feed>>>,
}

impl Hub {
    pub(super) fn new() -> Self {
        Self { feed: Mutex::new(None) }
    }

    pub(super) fn is_published(&self) -> bool {
        lock(&self.feed).is_some()
    }

    pub(super) fn feed(&self) -> Option<Arc<Feed>> {
        lock(&self.feed).clone()
    }

    /// Starts the capture thread; one that runs already ends.
    pub(super) fn publish(&self, shared: &Arc<Shared>, plan: CameraPlan) {
        let (width, height) = plan.settings.size.unwrap_or(camera::SIZE_DEFAULT);
        let source = camera::open(&plan.source, &plan.settings);
        let (width, height, fps) = match &source {
            Ok(source) => (source.size().0, source.size().1, source.fps()),
            Err(_) => (width, height, plan.settings.fps),
        };
        let feed = Arc::new(Feed::new(width, height, fps));
        if let Some(old) = lock(&self.feed).replace(feed.clone()) {
            old.end();
        }
        let shared = shared.clone();
        let spawned = std::thread::Builder::new().name("camera".into()).spawn(move || {
            let mut capture = Capture::new(shared, feed, plan);
            match source {
                Ok(source) => capture.run(source),
                Err(error) => capture.trouble(&error.to_string()),
            }
            capture.retry();
        });
        if let Err(error) = spawned {
            warn!(%error, "the camera thread did not start");
            self.stop();
        }
    }

    pub(super) fn stop(&self) {
        if let Some(feed) = lock(&self.feed).take() {
            feed.end();
        }
    }
}

/// The capture thread.
struct Capture {
    shared: Arc<Shared>,
    feed: Arc<Feed>,
    plan: CameraPlan,
    quality: u8,
    quality_at: Instant,
    pass_every: u32,
    told: Option<String>,
    working: bool,
}

impl Capture {
    fn new(shared: Arc<Shared>, feed: Arc<Feed>, plan: CameraPlan) -> Self {
        let quality = plan.settings.quality;
        Self { shared, feed, plan, quality, quality_at: Instant::now(), pass_every: 1, told: None, working: false }
    }

    fn stopped(&self) -> bool {
        self.feed.is_stopped() || self.shared.is_stopped()
    }

    /// Captures until the source fails or the node stops.
    fn run(&mut self, mut source: Box<dyn Source>) {
        info!(source = %source.describe(), "camera");
        while !self.stopped() {
            match source.next() {
                Ok(captured) => {
                    if !self.working {
                        self.working = true;
                        self.told = None;
                        self.tell(source.describe(), None);
                    }
                    if let Err(problem) = self.share(&captured) {
                        self.trouble(&problem);
                    }
                }
                Err(error) => {
                    self.trouble(&error.to_string());
                    return;
                }
            }
        }
    }

    /// Opens the source again and again, with pauses, until the node stops.
    fn retry(&mut self) {
        let mut pause = RETRY_MIN;
        while !self.stopped() {
            self.sleep(pause);
            if self.stopped() {
                return;
            }
            pause = (pause * 2).min(RETRY_MAX);
            match camera::open(&self.plan.source, &self.plan.settings) {
                Ok(source) => {
                    let begun = Instant::now();
                    self.run(source);
                    if begun.elapsed() > RETRY_MAX {
                        pause = RETRY_MIN;
                    }
                }
                Err(error) => self.trouble(&error.to_string()),
            }
        }
    }

    /// Sleeps in short steps: a node that stops must not wait for a camera.
    fn sleep(&self, length: Duration) {
        let end = Instant::now() + length;
        while !self.stopped() && Instant::now() < end {
            std::thread::sleep(SLEEP_STEP);
        }
    }

    fn trouble(&mut self, problem: &str) {
        self.working = false;
        if self.told.as_deref() == Some(problem) {
            return;
        }
        warn!(problem, "camera");
        self.told = Some(problem.to_owned());
        self.tell(format!("{:?}", self.plan.source), Some(problem.to_owned()));
    }

    fn tell(&self, source: String, problem: Option<String>) {
        self.shared.emit(Event::Camera { source, problem });
    }

    /// Encodes for every class that somebody follows.
    fn share(&mut self, captured: &Captured) -> Result<(), String> {
        self.adapt();
        self.serve_stills(captured)?;
        self.feed.passes.store(matches!(captured.picture, Picture::Jpeg(_)), Ordering::Relaxed);
        match &captured.picture {
            Picture::Jpeg(bytes) => {
                // Taken through untouched: no class of its own, and where all viewers are late it skips frames.
                if captured.seq.is_multiple_of(u64::from(self.pass_every)) {
                    let frame = Arc::new(self.encoded(captured, captured.width, captured.height, bytes.clone())?);
                    for class in &self.feed.classes {
                        if class.receiver_count() > 0 {
                            class.send_replace(Some(frame.clone()));
                        }
                    }
                }
            }
            picture => {
                for (size, part) in [(SizeClass::Full, 1), (SizeClass::Half, 2), (SizeClass::Quarter, 4)] {
                    if self.feed.class(size).receiver_count() > 0 {
                        let frame = self.encode(captured, picture, part)?;
                        self.feed.class(size).send_replace(Some(Arc::new(frame)));
                    }
                }
            }
        }
        Ok(())
    }

    fn encode(&self, captured: &Captured, picture: &Picture, part: u32) -> Result<Encoded, String> {
        let encoded = picture.encode(part, self.quality).map_err(not_encoded)?;
        self.encoded(captured, encoded.width, encoded.height, encoded.jpeg)
    }

    /// A frame as it goes out; one that the wire does not take is said here, not blamed on a viewer.
    fn encoded(&self, captured: &Captured, width: u32, height: u32, jpeg: Bytes) -> Result<Encoded, String> {
        if jpeg.len() as u64 > CAMERA_FRAME_BYTES_MAX {
            return Err(format!(
                "a frame of {} bytes is over the limit of {CAMERA_FRAME_BYTES_MAX}: lower --size or --quality",
                jpeg.len()
            ));
        }
        Ok(Encoded {
            seq: captured.seq,
            captured_at_us: captured.captured_at_us,
            encoded_at_us: now_us(),
            width,
            height,
            jpeg,
        })
    }

    fn serve_stills(&self, captured: &Captured) -> Result<(), String> {
        let stills = std::mem::take(&mut *lock(&self.feed.stills));
        if stills.is_empty() {
            return Ok(());
        }
        let encoded = captured.picture.encode(1, STILL_QUALITY).map_err(not_encoded)?;
        let frame = Arc::new(self.encoded(captured, encoded.width, encoded.height, encoded.jpeg)?);
        for still in stills {
            let _ = still.send(frame.clone());
        }
        Ok(())
    }

    /// The shared quality falls only when every viewer is late, and rises again slowly.
    fn adapt(&mut self) {
        if self.quality_at.elapsed() < QUALITY_PERIOD {
            return;
        }
        self.quality_at = Instant::now();
        let viewers = self.feed.viewers.load(Ordering::Relaxed);
        let late = self.feed.late_viewers.load(Ordering::Relaxed);
        if viewers > 0 && late >= viewers {
            self.quality = self.quality.saturating_sub(10).max(QUALITY_FLOOR.min(self.plan.settings.quality));
            self.pass_every = (self.pass_every + 1).min(4);
        } else {
            self.quality = self.quality.saturating_add(2).min(self.plan.settings.quality);
            self.pass_every = (self.pass_every - 1).max(1);
        }
    }
}
