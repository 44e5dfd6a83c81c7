//! The published camera: captured once, encoded once for each size class that somebody watches.
//!
//! [`capture`]: one thread takes and encodes pictures. Viewers follow the newest picture of their class; a viewer that
//! is slow or dead costs that thread nothing. [`signal`]: whether there are pictures, judged from outside that thread,
//! which a driver may hold for ever; meanwhile viewers get slates. [`quality`]: what all viewers get alike. Pure.

mod capture;
pub mod quality;
pub(super) mod signal;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot, watch};
use tracing::warn;

use super::shared::{Shared, lock, steady_ms};
use crate::media::camera::{self, CameraError, Settings, Source, SourceSpec};
use crate::wire::SizeClass;
use capture::Capture;
use quality::Load;
use signal::State;

/// Pictures of full quality that may be asked for at one time.
const STILLS_MAX: usize = 16;
/// The camera is published once its source is open, or after this time whatever the source does.
const OPEN_WAIT: Duration = Duration::from_secs(2);

/// What to capture and how.
#[derive(Debug, Clone)]
pub struct CameraPlan {
    /// Where frames come from.
    pub source: SourceSpec,
    /// Size, rate and quality.
    pub settings: Settings,
    /// Bits a second that all viewers together may take; quality and rate fall below it.
    pub bandwidth_bits: Option<u64>,
}

type Open = dyn FnMut() -> Result<Box<dyn Source>, CameraError> + Send;

/// Opens the source, at first and whenever it has failed.
pub struct Opener(Box<Open>);

impl Opener {
    /// A source that is not among those of [`SourceSpec`].
    pub fn new(open: impl FnMut() -> Result<Box<dyn Source>, CameraError> + Send + 'static) -> Self {
        Self(Box::new(open))
    }

    /// The source that the plan names.
    pub(super) fn of(plan: &CameraPlan) -> Self {
        let (source, settings) = (plan.source.clone(), plan.settings.clone());
        Self::new(move || camera::open(&source, &settings))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// How the published camera does.
#[derive(Debug, Clone)]
pub struct CameraStatus {
    /// Why there is no picture; `None` while pictures come, and before the first.
    pub problem: Option<String>,
    /// Who watches now.
    pub viewers: usize,
    /// Pictures taken and attempts made. It stands still when the source holds the thread that asks it.
    pub rounds: u64,
    /// JPEGs encoded or passed through: one a picture and size class that somebody follows.
    pub encoded: u64,
    /// Bits sent to all viewers together.
    pub sent_bits: u64,
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
    pub(super) slate: bool,
}

type Newest = watch::Receiver<Option<Arc<Encoded>>>;

/// What the source gives.
#[derive(Debug, Clone, Copy)]
struct Shape {
    width: u32,
    height: u32,
    fps: f32,
}

/// What the capture thread shares with viewers. It does not know the node: a thread that a driver holds must not hold
/// the node's store.
pub(super) struct Feed {
    classes: [watch::Sender<Option<Arc<Encoded>>>; 3],
    stills: Mutex<Vec<oneshot::Sender<Arc<Encoded>>>>,
    stop: watch::Sender<bool>,
    viewers: AtomicUsize,
    late_viewers: AtomicUsize,
    shape: Mutex<Shape>,
    /// Frames are JPEG already and go through untouched: every class has the full size.
    passes: AtomicBool,
    signal: watch::Sender<State>,
    /// Somebody came while there is no signal.
    wanted: Notify,
    start: Instant,
    /// When the last picture came, by the steady clock from `start`.
    picture_ms: AtomicU64,
    rounds: AtomicU64,
    encoded: AtomicU64,
    sent_bits: AtomicU64,
}

impl Feed {
    fn new(shape: Shape) -> Self {
        Self {
            classes: [watch::Sender::new(None), watch::Sender::new(None), watch::Sender::new(None)],
            stills: Mutex::default(),
            stop: watch::Sender::new(false),
            viewers: AtomicUsize::new(0),
            late_viewers: AtomicUsize::new(0),
            shape: Mutex::new(shape),
            passes: AtomicBool::new(false),
            signal: watch::Sender::new(State::Opening),
            wanted: Notify::new(),
            start: Instant::now(),
            picture_ms: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            encoded: AtomicU64::new(0),
            sent_bits: AtomicU64::new(0),
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
        let shape = *lock(&self.shape);
        ((shape.width / part).max(1), (shape.height / part).max(1))
    }

    pub(super) fn fps(&self) -> f32 {
        lock(&self.shape).fps
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

    /// Counts a frame that goes to one viewer.
    pub(super) fn sent(&self, frame: &Encoded) {
        self.sent_bits.fetch_add(frame.jpeg.len() as u64 * 8, Ordering::Relaxed);
    }

    fn load(&self, passes: bool) -> Load {
        Load {
            now_ms: steady_ms(self.start),
            sent_bits: self.sent_bits.load(Ordering::Relaxed),
            viewers: self.viewers.load(Ordering::Relaxed),
            late: self.late_viewers.load(Ordering::Relaxed),
            passes,
        }
    }

    /// The capture thread has not stood still.
    fn round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the capture, and wakes every viewer to see it.
    fn end(&self) {
        self.stop.send_replace(true);
        for class in &self.classes {
            class.send_replace(None);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn status(&self) -> CameraStatus {
        CameraStatus {
            problem: self.lost().map(|lost| lost.reason),
            viewers: self.viewers.load(Ordering::Relaxed),
            rounds: self.rounds.load(Ordering::Relaxed),
            encoded: self.encoded.load(Ordering::Relaxed),
            sent_bits: self.sent_bits.load(Ordering::Relaxed),
        }
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

    pub(super) fn status(&self) -> Option<CameraStatus> {
        self.feed().map(|feed| feed.status())
    }

    /// Starts the capture thread; one that runs already ends. Blocks until the source is open, for [`OPEN_WAIT`] at
    /// most. Needs a tokio runtime.
    pub(super) fn publish(&self, shared: &Arc<Shared>, plan: CameraPlan, opener: Opener) {
        // A device that both want is free sooner.
        if let Some(old) = self.feed() {
            old.end();
        }
        let (width, height) = plan.settings.size.unwrap_or(camera::SIZE_DEFAULT);
        let feed = Arc::new(Feed::new(Shape { width, height, fps: plan.settings.fps }));
        let source = plan.source.to_string();
        let capture = Capture::new(feed.clone(), &plan, opener);
        let (opened_in, opened) = mpsc::channel();
        let spawned = std::thread::Builder::new().name("camera".into()).spawn(move || capture.run(&opened_in));
        match spawned {
            // An attempt that takes longer goes on; what comes of it is told as the signal.
            Ok(_) => drop(opened.recv_timeout(OPEN_WAIT)),
            Err(error) => {
                warn!(%error, "the camera thread did not start");
                feed.lose(&format!("the camera thread did not start: {error}"), None);
            }
        }
        tokio::spawn(signal::attend(shared.clone(), feed.clone(), source));
        // Two that publish at once meet here.
        if let Some(old) = lock(&self.feed).replace(feed) {
            old.end();
        }
    }

    pub(super) fn stop(&self) {
        if let Some(feed) = lock(&self.feed).take() {
            feed.end();
        }
    }
}
