//! The capture thread: opens the source, takes its pictures, and makes JPEGs of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::{debug, info};

use super::quality::Quality;
use super::{CameraPlan, Encoded, Feed, Opener, Shape};
use crate::media::camera::{Captured, Picture, Source};
use crate::media::jpeg::JpegError;
use crate::node::shared::{lock, now_us, steady_ms};
use crate::wire::SizeClass;
use crate::wire::limits::CAMERA_FRAME_BYTES_MAX;

/// Quality of a still picture that was asked for.
const STILL_QUALITY: u8 = 95;
/// Pictures of full quality are taken this often at most, whoever asks: they are in no viewer's pace.
const STILL_PERIOD: Duration = Duration::from_secs(1);
/// A source that fails is asked again after this long, doubling to the longest.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(8);
/// A source that has worked for this long is asked soon again.
const STEADY: Duration = Duration::from_secs(2);
const SLEEP_STEP: Duration = Duration::from_millis(50);
/// The classes, and by what each side is divided.
const CLASSES: [(SizeClass, u32); 3] = [(SizeClass::Full, 1), (SizeClass::Half, 2), (SizeClass::Quarter, 4)];

/// What the thread works with.
pub(super) struct Capture {
    feed: Arc<Feed>,
    opener: Opener,
    quality: Quality,
    /// Of the plan, before anything lowers it.
    top: u8,
    still_due: Instant,
}

/// Frames that are ready to go out, each for its class.
type Ready = Vec<(SizeClass, Arc<Encoded>)>;

fn not_encoded(error: JpegError) -> String {
    format!("a frame could not be encoded: {error}")
}

impl Capture {
    pub(super) fn new(feed: Arc<Feed>, plan: &CameraPlan, opener: Opener) -> Self {
        let top = plan.settings.quality;
        Self { feed, opener, quality: Quality::new(top, plan.bandwidth_bits), top, still_due: Instant::now() }
    }

    /// Opens the source again and again, with pauses, until the feed ends. The first attempt is told to `opened`.
    pub(super) fn run(mut self, opened: &Sender<()>) {
        let mut pause = RETRY_MIN;
        while !self.feed.is_stopped() {
            let source = (self.opener.0)();
            self.feed.round();
            let begun = Instant::now();
            match source {
                Ok(source) => {
                    let (width, height) = source.size();
                    *lock(&self.feed.shape) = Shape { width, height, fps: source.fps() };
                    let _ = opened.send(());
                    self.film(source);
                    if begun.elapsed() > STEADY {
                        pause = RETRY_MIN;
                    }
                }
                Err(error) => {
                    self.feed.lose(&error.to_string(), error.hint());
                    let _ = opened.send(());
                }
            }
            self.sleep(pause);
            pause = (pause * 2).min(RETRY_MAX);
        }
    }

    /// Captures until the source fails or the feed ends.
    fn film(&mut self, mut source: Box<dyn Source>) {
        info!(source = %source.describe(), "camera");
        while !self.feed.is_stopped() {
            let captured = source.next();
            self.feed.round();
            let shared = match &captured {
                Ok(captured) => self.share(captured, source.as_ref()).map_err(|problem| (problem, None)),
                Err(error) => Err((error.to_string(), error.hint())),
            };
            if let Err((problem, hint)) = shared {
                self.feed.lose(&problem, hint);
            }
            if captured.is_err() {
                return;
            }
        }
    }

    /// Sleeps in short steps: a feed that ends must not wait for its camera. Each step shows that the thread lives.
    fn sleep(&self, length: Duration) {
        let end = Instant::now() + length;
        while !self.feed.is_stopped() && Instant::now() < end {
            std::thread::sleep(SLEEP_STEP);
            self.feed.round();
        }
    }

    /// Encodes for every class that somebody follows, and hands over.
    fn share(&mut self, captured: &Captured, source: &dyn Source) -> Result<(), String> {
        let passes = matches!(captured.picture, Picture::Jpeg(_));
        self.feed.passes.store(passes, Ordering::Relaxed);
        if self.quality.look(self.feed.load(passes)) {
            debug!(quality = self.quality.quality(), share = self.quality.share(), "the shared quality");
        }
        self.serve_stills(captured);
        let ready = if self.quality.takes() { self.encode(captured)? } else { Ready::new() };
        self.feed.picture_ms.store(steady_ms(self.feed.start), Ordering::Relaxed);
        // Before the pictures: what follows in a class is no slate.
        self.feed.found(|| source.describe());
        for (size, frame) in ready {
            self.feed.class(size).send_replace(Some(frame));
        }
        Ok(())
    }

    fn encode(&self, captured: &Captured) -> Result<Ready, String> {
        let followed = CLASSES.into_iter().filter(|(size, _)| self.feed.class(*size).receiver_count() > 0);
        if let Picture::Jpeg(bytes) = &captured.picture {
            // Taken through untouched: all classes have the same.
            let frame = Arc::new(self.encoded(captured, captured.width, captured.height, bytes.clone())?);
            return Ok(followed.map(|(size, _)| (size, frame.clone())).collect());
        }
        let encoded = followed.map(|(size, part)| {
            let encoded = captured.picture.encode(part, self.quality.quality()).map_err(not_encoded)?;
            let frame = self.encoded(captured, encoded.width, encoded.height, encoded.jpeg)?;
            Ok((size, Arc::new(frame)))
        });
        // A size that is too large for the wire is not the loss of those who watch a smaller one.
        let (mut ready, mut problem) = (Ready::new(), None);
        for one in encoded {
            match one {
                Ok(frame) => ready.push(frame),
                Err(error) => problem = Some(error),
            }
        }
        match problem {
            Some(problem) if ready.is_empty() => Err(problem),
            _ => Ok(ready),
        }
    }

    /// A frame as it goes out; one that the wire does not take is said here, not blamed on a viewer.
    fn encoded(&self, captured: &Captured, width: u32, height: u32, jpeg: Bytes) -> Result<Encoded, String> {
        if jpeg.len() as u64 > CAMERA_FRAME_BYTES_MAX {
            return Err(format!(
                "a frame of {} bytes is over the limit of {CAMERA_FRAME_BYTES_MAX}: lower --size or --quality",
                jpeg.len()
            ));
        }
        self.feed.encoded.fetch_add(1, Ordering::Relaxed);
        Ok(Encoded {
            seq: captured.seq,
            captured_at_us: captured.captured_at_us,
            encoded_at_us: now_us(),
            width,
            height,
            jpeg,
            slate: false,
        })
    }

    /// All who wait get the same picture. One that cannot be made is their loss alone.
    fn serve_stills(&mut self, captured: &Captured) {
        if Instant::now() < self.still_due {
            return;
        }
        let stills = std::mem::take(&mut *lock(&self.feed.stills));
        if stills.is_empty() {
            return;
        }
        self.still_due = Instant::now() + STILL_PERIOD;
        let still = |quality| {
            let encoded = captured.picture.encode(1, quality).map_err(not_encoded)?;
            self.encoded(captured, encoded.width, encoded.height, encoded.jpeg)
        };
        match still(STILL_QUALITY).or_else(|_| still(self.top)) {
            Ok(frame) => {
                let frame = Arc::new(frame);
                stills.into_iter().for_each(|still| drop(still.send(frame.clone())));
            }
            Err(problem) => debug!(problem, "no still"),
        }
    }
}
