//! Cameras of Video4Linux: USB webcams, capture cards, and whatever else the kernel shows as `/dev/video*`.
//!
//! The crate `v4l` makes the system calls. It panics on answers that it does not know, so it is only called through
//! [`guarded`]; what can be decided without a device is in `choose` and `raw`.

pub(super) mod controls;
pub(super) mod list;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::capability;
use v4l::device::{Device, Handle};
use v4l::format::{Colorspace, Format, FourCC, Quantization};
use v4l::io::mmap::Stream;
use v4l::io::traits::CaptureStream;
use v4l::video::Capture;
use v4l::video::capture::Parameters;

use super::choose::{self, Thinning, choose, is_jpeg, rate};
use super::raw::{Layout, Range, Raw};
use super::{CameraError, Captured, Flip, Picture, Rotation, SIZE_DEFAULT, Settings, Source, unix_us};
use crate::media::jpeg::{self, Cutter};

/// Without a frame for this long the camera has stalled. A dark scene may be at 5 frames a second or less.
const STALL_MAX: Duration = Duration::from_secs(5);
/// So many unusable frames one after the other are an error.
const BROKEN_RUN_MAX: u32 = 30;
/// Buffers that the driver fills: one is read while the others wait.
const BUFFERS: u32 = 4;
/// The flag of poll(2) for data that can be read.
const POLLIN: i16 = 1;
/// A buffer whose time lies further back has a clock that is not ours.
const AGE_MAX_US: u64 = 5_000_000;

/// An open camera. Streaming begins with the first frame that is asked for.
pub(super) struct V4l2 {
    path: PathBuf,
    camera: Camera,
    form: Form,
    size: (u32, u32),
    fps: f32,
    what: String,
    thinning: Option<Thinning>,
    broken_run: u32,
    seq: u64,
}

/// How frames come.
enum Form {
    Jpeg,
    Raw(Raw),
}

/// The device and its buffers; dropped so that a driver that balks cannot take the program down.
struct Camera {
    stream: Option<Stream<'static>>,
    handle: Arc<Handle>,
    device: Option<Device>,
    started: bool,
}

impl Drop for Camera {
    fn drop(&mut self) {
        // The stream stops and gives its buffers back; a device that was unplugged refuses both.
        let stopped = guarded(|| {
            if let Some(mut stream) = self.stream.take() {
                match v4l::io::traits::Stream::stop(&mut stream) {
                    // Unplugged: the crate knows that.
                    Err(error) if error.raw_os_error() != Some(19) => {
                        // Dropped, it would panic, and once more while that unwinds: the end of the process.
                        std::mem::forget(stream);
                        return Err(error);
                    }
                    _ => drop(stream),
                }
            }
            drop(self.device.take());
            Ok(())
        });
        if let Err(error) = stopped {
            tracing::warn!(%error, "camera was not closed in order");
        }
    }
}

/// Calls the crate `v4l`, which panics where a driver answers what it does not know.
fn guarded<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(io::Error::other("the driver gave an answer that is not understood")))
}

/// Opens a node and checks that it gives pictures.
fn open_node(path: &Path) -> Result<(Device, capability::Capabilities), CameraError> {
    // A path with a zero byte names nothing, and the crate would panic.
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(CameraError::Missing { path: path.to_owned(), found: list::names() });
    }
    let fail = |doing| move |error| from_os(path, doing, error);
    let device = guarded(|| Device::with_path(path)).map_err(fail("open"))?;
    let capabilities = match guarded(|| device.query_caps()) {
        Ok(capabilities) => capabilities,
        // ENOTTY: a file or device of another kind.
        Err(error) if error.raw_os_error() == Some(25) => {
            return Err(CameraError::NotACamera { path: path.to_owned(), instead: None });
        }
        Err(error) => return Err(from_os(path, "ask", error)),
    };
    let needed = capability::Flags::VIDEO_CAPTURE | capability::Flags::STREAMING;
    if !capabilities.capabilities.contains(needed) {
        let instead = list::sibling(path, &capabilities.card, &capabilities.bus);
        return Err(CameraError::NotACamera { path: path.to_owned(), instead });
    }
    Ok((device, capabilities))
}

/// What an error of the system means for a camera.
pub(super) fn from_os(path: &Path, doing: &'static str, error: io::Error) -> CameraError {
    let path = path.to_owned();
    // Numbers of Linux: EPERM, ENOENT, ENXIO, EACCES, EBUSY, ENODEV, ENOSPC.
    match (error.raw_os_error(), doing) {
        (Some(2), _) => CameraError::Missing { path, found: list::names() },
        (Some(6 | 19), "open") if !path.exists() => CameraError::Missing { path, found: list::names() },
        (Some(1 | 13), _) => CameraError::Permission { path },
        (Some(16), _) => {
            let holders = list::holders(&path);
            CameraError::Busy { path, holders }
        }
        (Some(6 | 19), _) => CameraError::Unplugged { path },
        (Some(28), _) => CameraError::NoBandwidth { path },
        _ => CameraError::Device { doing, path, source: error },
    }
}

impl V4l2 {
    /// Opens the device and sets the format and rate that are closest to what is asked.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<V4l2, CameraError> {
        let (device, capabilities) = open_node(path)?;
        let handle = device.handle();
        let mut camera = Camera { stream: None, handle, device: Some(device), started: false };
        let asked = settings.size.unwrap_or(SIZE_DEFAULT);
        let turned = settings.rotate != Rotation::None || settings.flip != Flip::None;
        let fail = |doing| move |error| from_os(path, doing, error);
        let Some(device) = camera.device.as_ref() else {
            return Err(CameraError::Unplugged { path: path.to_owned() });
        };
        let offers = guarded(|| list::offers(device, asked)).map_err(fail("ask"))?;
        let Some(chosen) = choose(&offers, asked, settings.fps, turned) else {
            let offers = guarded(|| list::all_formats(device)).unwrap_or_default();
            return Err(CameraError::NoFormat { path: path.to_owned(), offers });
        };
        let wish = Format::new(chosen.size.0, chosen.size.1, FourCC::new(&chosen.fourcc));
        let format = guarded(|| device.set_format(&wish)).map_err(fail("set the format of"))?;
        let form = form_of(&format)
            .ok_or_else(|| CameraError::NoFormat { path: path.to_owned(), offers: vec![format.fourcc.to_string()] })?;
        let interval = chosen.intervals.closest(settings.fps);
        let fps = set_rate(device, interval).unwrap_or_else(|| rate(interval));
        controls::apply(device, &settings.controls);
        let stream = guarded(|| Stream::with_buffers(device, Type::VideoCapture, BUFFERS));
        let mut stream = stream.map_err(fail("get buffers from"))?;
        stream.set_timeout(STALL_MAX);
        camera.stream = Some(stream);
        let size = (format.width, format.height);
        let thinning = Thinning::new(settings.fps, fps);
        let card = &capabilities.card;
        let mut what = format!(
            "{card} (v4l2:{}) {} {}x{} at {} fps",
            path.display(),
            format.fourcc,
            size.0,
            size.1,
            shown_rate(fps)
        );
        if thinning.is_some() {
            what += &format!(", of which {} are taken", shown_rate(settings.fps));
        }
        if settings.size.is_some_and(|asked| asked != size) {
            what += &format!("; it has no {}x{}", asked.0, asked.1);
        }
        let fps = if thinning.is_some() { settings.fps } else { fps };
        Ok(V4l2 { path: path.to_owned(), camera, form, size, fps, what, thinning, broken_run: 0, seq: 0 })
    }

    fn stalled(&self) -> CameraError {
        CameraError::Stalled { camera: format!("v4l2:{}", self.path.display()), limit: STALL_MAX }
    }

    /// Counts a frame that cannot be used.
    fn broken(&mut self, why: &str) -> Result<(), CameraError> {
        self.broken_run += 1;
        tracing::debug!(camera = %self.path.display(), why, "frame is left out");
        if self.broken_run < BROKEN_RUN_MAX {
            return Ok(());
        }
        let camera = format!("v4l2:{}", self.path.display());
        Err(CameraError::Broken { camera, frames: std::mem::take(&mut self.broken_run) })
    }
}

/// A rate for people: `30`, `29.97`.
fn shown_rate(fps: f32) -> String {
    let text = format!("{fps:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How frames of that format are read; `None` for one that we do not know.
fn form_of(format: &Format) -> Option<Form> {
    if is_jpeg(format.fourcc.repr) {
        return Some(Form::Jpeg);
    }
    let layout = Layout::from_fourcc(format.fourcc.repr)?;
    // Without a word from the driver YUV is limited, but for the colour space of JPEG (kernel documentation,
    // "Defining Colorspaces in V4L2"). Grey is not YUV: infrared sensors give all 256 values, and so does vivid.
    let range = match (format.quantization, format.colorspace) {
        (Quantization::FullRange, _) | (Quantization::Default, Colorspace::JPEG) => Range::Full,
        (Quantization::Default, _) if layout == Layout::Grey => Range::Full,
        _ => Range::Limited,
    };
    Some(Form::Raw(Raw { layout, width: format.width, height: format.height, stride: format.stride, range }))
}

/// Asks for a rate; what the camera made of it, or `None` where it does not say.
fn set_rate(device: &Device, (numerator, denominator): choose::Interval) -> Option<f32> {
    let wish = Parameters::new(v4l::Fraction::new(numerator, denominator));
    let got = guarded(|| device.set_params(&wish)).or_else(|_| guarded(|| device.params())).ok()?;
    Some(rate((got.interval.numerator, got.interval.denominator))).filter(|fps| fps.is_finite() && *fps > 0.0)
}

impl Camera {
    /// Whether a frame is there within `wait`; a signal in between is none.
    fn ready(&self, wait: Duration) -> io::Result<bool> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left_ms = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
            match self.handle.poll(POLLIN, left_ms) {
                Ok(count) => return Ok(count > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The newest frame: those that waited while nobody asked are passed over. Where every buffer had been filled the
    /// camera has stood still since, so that even the last of them is old, and the next one is waited for.
    fn newest<T>(&mut self, until: Instant, read: impl FnOnce(&[u8], &Metadata) -> T) -> io::Result<Option<T>> {
        let mut read = Some(read);
        for passed in 0..=BUFFERS {
            if self.started && !self.ready(until.saturating_duration_since(Instant::now()))? {
                return Ok(None);
            }
            let Some(stream) = self.stream.as_mut() else {
                return Err(io::Error::from_raw_os_error(19));
            };
            let (bytes, meta) = guarded(|| CaptureStream::next(stream))?;
            self.started = true;
            let more = passed < BUFFERS && self.handle.poll(POLLIN, 0).is_ok_and(|count| count > 0);
            // One buffer was ours, so these were all others.
            let old = passed == BUFFERS - 2;
            if let Some(read) = if more || old { None } else { read.take() } {
                let used = (meta.bytesused as usize).min(bytes.len());
                return Ok(Some(read(&bytes[..used], meta)));
            }
        }
        Ok(None)
    }
}

/// What one buffer held.
enum Content {
    Frame(Box<(Picture, (u32, u32), u64)>),
    /// Not due: the camera is faster than it was asked to be.
    Skipped,
    Broken(String),
}

impl Source for V4l2 {
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
        let until = Instant::now() + STALL_MAX;
        while Instant::now() < until {
            let (form, thinning) = (&self.form, &mut self.thinning);
            let content = self.camera.newest(until, |bytes, meta| content(form, thinning, bytes, meta));
            let content = match content {
                Ok(Some(content)) => content,
                Ok(None) => return Err(self.stalled()),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.stalled()),
                Err(error) => return Err(from_os(&self.path, "read", error)),
            };
            match content {
                Content::Skipped => {}
                Content::Broken(why) => self.broken(&why)?,
                Content::Frame(frame) => {
                    self.broken_run = 0;
                    let (picture, (width, height), captured_at_us) = *frame;
                    let seq = self.seq;
                    self.seq += 1;
                    return Ok(Captured { seq, captured_at_us, width, height, picture });
                }
            }
        }
        Err(self.stalled())
    }
}

fn content(form: &Form, thinning: &mut Option<Thinning>, bytes: &[u8], meta: &Metadata) -> Content {
    if meta.flags.contains(Flags::ERROR) {
        return Content::Broken("the driver says that it is damaged".to_owned());
    }
    let at_us = taken_at(meta);
    if thinning.as_mut().is_some_and(|thinning| !thinning.takes(at_us)) {
        return Content::Skipped;
    }
    let picture = match form {
        Form::Jpeg => whole_jpeg(bytes),
        Form::Raw(raw) => raw
            .planes(bytes)
            .map(|yuv| ((yuv.width, yuv.height), Picture::Yuv(Arc::new(yuv))))
            .map_err(|error| error.to_string()),
    };
    match picture {
        Ok((size, picture)) => Content::Frame(Box::new((picture, size, at_us))),
        Err(why) => Content::Broken(why),
    }
}

/// The JPEG in a buffer, without what stands around it and with all its tables.
fn whole_jpeg(bytes: &[u8]) -> Result<((u32, u32), Picture), String> {
    let mut input = bytes;
    let whole: Option<Bytes> = Cutter::new().cut(&mut input);
    let whole = whole.ok_or_else(|| format!("a JPEG of {} bytes is cut short", bytes.len()))?;
    let whole = jpeg::with_huffman_tables(whole);
    let info = jpeg::info(&whole).map_err(|error| error.to_string())?;
    Ok(((info.width, info.height), Picture::Jpeg(whole)))
}

/// When a frame was taken, in Unix time: drivers give the time of the monotonic clock, if any.
fn taken_at(meta: &Metadata) -> u64 {
    let clock = meta.flags & Flags::TIMESTAMP_MASK;
    // Seconds have 32 bits on some systems.
    #[allow(clippy::useless_conversion)]
    let stamp_us = i64::from(meta.timestamp.sec) * 1_000_000 + i64::from(meta.timestamp.usec);
    let stamp_us = u64::try_from(stamp_us).ok().filter(|_| clock == Flags::TIMESTAMP_MONOTONIC);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now_us = u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000;
    back_from(unix_us(), now_us, stamp_us)
}

/// Unix time of a stamp of another clock, both clocks being read now. A stamp that cannot be of that clock is now.
fn back_from(unix_now_us: u64, clock_now_us: u64, stamp_us: Option<u64>) -> u64 {
    let age = stamp_us.and_then(|stamp| clock_now_us.checked_sub(stamp)).filter(|age| *age <= AGE_MAX_US);
    unix_now_us.saturating_sub(age.unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn times_of_buffers_become_unix_time() {
        assert_eq!(back_from(1_000_000_000, 70_000, Some(30_000)), 999_960_000);
        assert_eq!(back_from(1_000_000_000, 70_000, None), 1_000_000_000);
        assert_eq!(back_from(1_000_000_000, 70_000, Some(70_001)), 1_000_000_000);
        assert_eq!(back_from(1_000_000_000, AGE_MAX_US + 2, Some(1)), 1_000_000_000);
    }

    #[test]
    fn errors_of_the_system_say_what_they_mean_for_a_camera() {
        let of = |number, doing| from_os(Path::new("/dev/video99"), doing, io::Error::from_raw_os_error(number));
        assert!(matches!(of(2, "open"), CameraError::Missing { .. }));
        assert!(matches!(of(19, "open"), CameraError::Missing { .. }));
        assert!(matches!(of(19, "read"), CameraError::Unplugged { .. }));
        assert!(matches!(of(13, "open"), CameraError::Permission { .. }));
        assert!(matches!(of(16, "set the format of"), CameraError::Busy { .. }));
        assert!(matches!(of(28, "read"), CameraError::NoBandwidth { .. }));
        assert!(matches!(of(5, "read"), CameraError::Device { doing: "read", .. }));
        for number in [2, 13, 16, 28] {
            assert!(of(number, "open").hint().is_some(), "{number}");
        }
    }

    #[test]
    fn a_panic_of_the_crate_is_an_error() {
        let error = guarded(|| -> io::Result<()> { std::panic::resume_unwind(Box::new("driver")) }).unwrap_err();
        assert!(error.to_string().contains("not understood"), "{error}");
    }

    #[test]
    fn the_range_is_the_drivers_or_that_of_television() {
        let range = |quantization, colorspace| {
            let mut format = Format::new(64, 48, FourCC::new(b"YUYV"));
            (format.quantization, format.colorspace) = (quantization, colorspace);
            match form_of(&format) {
                Some(Form::Raw(raw)) => raw.range,
                _ => panic!("YUYV is raw"),
            }
        };
        assert_eq!(range(Quantization::Default, Colorspace::SRGB), Range::Limited);
        assert_eq!(range(Quantization::Default, Colorspace::JPEG), Range::Full);
        assert_eq!(range(Quantization::FullRange, Colorspace::SRGB), Range::Full);
        assert_eq!(range(Quantization::LimitedRange, Colorspace::JPEG), Range::Limited);
        assert!(form_of(&Format::new(64, 48, FourCC::new(b"H264"))).is_none());
    }

    #[test]
    fn rates_are_shown_short() {
        assert_eq!([shown_rate(30.0), shown_rate(29.97), shown_rate(7.5)], ["30", "29.97", "7.5"]);
    }
}
