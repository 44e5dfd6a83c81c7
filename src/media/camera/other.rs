//! Cameras of macOS (AVFoundation) and Windows (Media Foundation), by the crate `nokhwa`. Nobody has tried this on a
//! real one yet.
//!
//! Its camera stays on the thread that opened it, which also captures; the source waits for the newest frame.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use nokhwa::pixel_format::RgbFormat;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};

use super::devices::Camera;
use super::raw::{Layout, Range, Raw};
use super::{CameraError, Captured, Picture, SIZE_DEFAULT, Settings, Source, SourceSpec, unix_us};
use crate::media::jpeg;

/// Without a frame for this long the camera has stalled.
const STALL_MAX: Duration = Duration::from_secs(5);
/// Opening may ask the person for leave.
const START_MAX: Duration = Duration::from_secs(30);
/// Frames that wait for the source.
const FRAMES_MAX: usize = 2;

/// What is asked for, the best first.
const FORMATS: [FrameFormat; 3] = [FrameFormat::MJPEG, FrameFormat::NV12, FrameFormat::YUYV];

/// What the capturing thread says.
enum News {
    Opened { what: String, size: (u32, u32), fps: f32 },
    Frame { picture: Picture, size: (u32, u32), at_us: u64 },
    Failed(CameraError),
}

/// A camera by its number in the list of [`cameras`].
pub(super) struct Other {
    news: Receiver<News>,
    what: String,
    size: (u32, u32),
    fps: f32,
    seq: u64,
}

pub(super) fn cameras() -> Vec<Camera> {
    let found = nokhwa::query(ApiBackend::Auto).unwrap_or_default();
    let camera = |info: nokhwa::utils::CameraInfo| Camera {
        source: SourceSpec::V4l2(info.index().to_string().into()),
        name: info.human_name(),
        driver: info.description().to_owned(),
        formats: Vec::new(),
        problem: None,
    };
    found.into_iter().map(camera).collect()
}

fn failed(path: &Path, error: impl std::fmt::Display) -> CameraError {
    let source = std::io::Error::other(error.to_string());
    CameraError::Device { doing: "use", path: path.to_owned(), source }
}

impl Other {
    /// Opens the camera whose number `path` is.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Other, CameraError> {
        let number = path.to_str().and_then(|number| number.parse::<u32>().ok());
        let Some(number) = number else {
            let found = cameras().iter().map(|camera| format!("{} ({})", camera.source, camera.name)).collect();
            return Err(CameraError::Missing { path: path.to_owned(), found });
        };
        let (send, news) = sync_channel(FRAMES_MAX);
        let (owned, settings) = (path.to_owned(), settings.clone());
        let thread = std::thread::Builder::new().name("camera".to_owned());
        let work = move || {
            if let Err(error) = capture(&owned, number, &settings, &send) {
                let _ = send.send(News::Failed(error));
            }
        };
        thread.spawn(work).map_err(|error| failed(path, error))?;
        match news.recv_timeout(START_MAX) {
            Ok(News::Opened { what, size, fps }) => Ok(Other { news, what, size, fps, seq: 0 }),
            Ok(News::Failed(error)) => Err(error),
            Ok(News::Frame { .. }) | Err(_) => {
                Err(CameraError::Stalled { camera: path.display().to_string(), limit: START_MAX })
            }
        }
    }
}

/// Opens the camera and hands its frames over until the source is dropped.
fn capture(path: &Path, number: u32, settings: &Settings, send: &SyncSender<News>) -> Result<(), CameraError> {
    let fail = |error: nokhwa::NokhwaError| failed(path, error);
    let (width, height) = settings.size.unwrap_or(SIZE_DEFAULT);
    let rate = settings.fps.round() as u32;
    // Asks the person for leave where the system wants that.
    nokhwa::nokhwa_initialize(|_| {});
    // The closest format is looked for among those of one kind only.
    let open = |format: &FrameFormat| {
        let wish = CameraFormat::new(Resolution::new(width, height), *format, rate);
        let wish = RequestedFormat::new::<RgbFormat>(RequestedFormatType::Closest(wish));
        let mut camera = nokhwa::Camera::new(CameraIndex::Index(number), wish)?;
        camera.open_stream().map(|()| camera)
    };
    let mut tried = FORMATS.iter().map(open);
    let opened = tried.find_map(Result::ok).map_or_else(|| open(&FORMATS[0]), Ok);
    let mut camera = opened.map_err(fail)?;
    let (name, size) = (camera.info().human_name(), camera.resolution());
    let (size, fps) = ((size.width(), size.height()), camera.frame_rate() as f32);
    let what = format!("{name} {}x{} at {fps} fps", size.0, size.1);
    let mut sent = send.send(News::Opened { what, size, fps }).is_ok();
    while sent {
        let frame = camera.frame().map_err(fail)?;
        let size = (frame.resolution().width(), frame.resolution().height());
        let raw = |layout| Raw { layout, width: size.0, height: size.1, stride: 0, range: Range::Limited };
        let planes = |layout| raw(layout).planes(frame.buffer()).map(|yuv| Picture::Yuv(yuv.into()));
        let picture = match frame.source_frame_format() {
            FrameFormat::MJPEG => Ok(Picture::Jpeg(jpeg::with_huffman_tables(Bytes::copy_from_slice(frame.buffer())))),
            FrameFormat::YUYV => planes(Layout::Yuyv),
            FrameFormat::NV12 => planes(Layout::Nv12),
            FrameFormat::GRAY => planes(Layout::Grey),
            _ => return Err(CameraError::NoFormat { path: path.to_owned(), offers: Vec::new() }),
        };
        // A frame that is damaged or not fetched in time is left out.
        if let Ok(picture) = picture {
            let news = News::Frame { picture, size, at_us: unix_us() };
            sent = !matches!(send.try_send(news), Err(TrySendError::Disconnected(_)));
        }
    }
    Ok(())
}

impl Source for Other {
    fn describe(&self) -> String {
        self.what.clone()
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f32 {
        self.fps
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        match self.news.recv_timeout(STALL_MAX) {
            Ok(News::Frame { picture, size: (width, height), at_us }) => {
                let seq = self.seq;
                self.seq += 1;
                Ok(Captured { seq, captured_at_us: at_us, width, height, picture })
            }
            Ok(News::Failed(error)) => Err(error),
            Ok(News::Opened { .. }) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(CameraError::Stalled { camera: self.what.clone(), limit: STALL_MAX })
            }
        }
    }
}
