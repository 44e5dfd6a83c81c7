//! Camera sources: where the frames of a published camera come from.
//!
//! Every source is a [`Source`]: it blocks until its next frame is due and hands it over. A frame
//! is either a JPEG that goes out as it is, or pixels that the caller encodes.

pub mod choose;
pub mod controls;
mod devices;
mod error;
mod fit;
mod folder;
mod mjpeg;
#[cfg(all(feature = "camera", any(target_os = "macos", windows)))]
mod other;
mod pace;
pub mod pattern;
mod picture;
pub mod raw;
#[cfg(all(feature = "camera", target_os = "linux"))]
mod rpicam;
mod scale;
mod settings;
mod slate;
mod turn;
#[cfg(all(feature = "camera", target_os = "linux"))]
mod v4l2;

pub use controls::{Control, ControlError, ControlKind};
pub use devices::{Camera, Format, Mode, controls, devices, set_controls};
pub use error::CameraError;
pub use folder::{FOLDER_CACHE_BYTES_MAX, FOLDER_PICTURES_MAX, Folder};
pub use mjpeg::Mjpeg;
pub use pace::Pace;
pub use pattern::{Stamp, TestPattern, read_back};
pub use picture::{Encoded, Picture};
#[cfg(all(feature = "camera", target_os = "linux"))]
pub use rpicam::Rpicam;
pub use scale::{scale, scale_yuv};
pub use settings::{ControlValue, Flip, Rotation, Settings, parse_size};
pub use slate::slate;
pub use turn::{Turn, turn_rgb, turn_yuv};

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Smallest side of a camera picture, in pixels.
pub const SIDE_MIN: u32 = 16;
/// Largest side of a camera picture, in pixels.
pub const SIDE_MAX: u32 = 7680;
/// Lowest frame rate, in frames a second.
pub const FPS_MIN: f32 = 1.0;
/// Highest frame rate, in frames a second.
pub const FPS_MAX: f32 = 120.0;
/// Lowest JPEG quality.
pub const QUALITY_MIN: u8 = 1;
/// Highest JPEG quality.
pub const QUALITY_MAX: u8 = 100;
/// Size of the test pattern when none is asked for.
pub const SIZE_DEFAULT: (u32, u32) = (640, 480);
/// Frame rate when none is asked for.
pub const FPS_DEFAULT: f32 = 30.0;
/// JPEG quality when none is asked for.
pub const QUALITY_DEFAULT: u8 = 85;

/// One frame from a source.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Counts from 0, by one a frame.
    pub seq: u64,
    /// When the frame was taken, in microseconds of Unix time.
    pub captured_at_us: u64,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The picture.
    pub picture: Picture,
}

/// Something that yields frames at its own pace.
pub trait Source: Send {
    /// What this is, for people: `test pattern 640x480 at 30 fps`.
    fn describe(&self) -> String;
    /// Width and height of every frame, in pixels.
    fn size(&self) -> (u32, u32);
    /// Frames a second that it aims at.
    fn fps(&self) -> f32;
    /// Blocks until the next frame is due. A caller that comes late gets the next frame at the
    /// next due time: missed times are skipped, frames never come in a burst.
    ///
    /// # Errors
    /// [`CameraError`] when there is no frame to be had; calling again may succeed.
    fn next(&mut self) -> Result<Captured, CameraError>;
}

/// Which source, as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSpec {
    /// The moving test pattern.
    Test,
    /// A file of concatenated JPEGs, looped.
    Mjpeg(PathBuf),
    /// A folder of pictures, looped.
    Folder(PathBuf),
    /// A Video4Linux device.
    V4l2(PathBuf),
    /// The Raspberry Pi's own camera.
    Rpicam,
}

impl FromStr for SourceSpec {
    type Err = CameraError;

    /// Reads `test`, `rpicam`, `v4l2:DEVICE`, `FILE.mjpeg` (or `.mjpg`); anything else but a device is a folder.
    fn from_str(text: &str) -> Result<SourceSpec, CameraError> {
        let unknown = || CameraError::UnknownSource { text: text.to_owned() };
        if let Some(device) = text.strip_prefix("v4l2:") {
            return if device.is_empty() { Err(unknown()) } else { Ok(SourceSpec::V4l2(PathBuf::from(device))) };
        }
        match text {
            "" => Err(unknown()),
            "test" => Ok(SourceSpec::Test),
            "rpicam" => Ok(SourceSpec::Rpicam),
            // a device without the word for what it is
            _ if text.starts_with("/dev/") => Err(unknown()),
            _ => {
                let path = PathBuf::from(text);
                let extension = path.extension().map(|ext| ext.to_ascii_lowercase());
                Ok(match extension.as_ref().and_then(|ext| ext.to_str()) {
                    Some("mjpeg" | "mjpg") => SourceSpec::Mjpeg(path),
                    _ => SourceSpec::Folder(path),
                })
            }
        }
    }
}

impl SourceSpec {
    /// The same with a relative path seen from `folder`.
    pub fn within(self, folder: &Path) -> SourceSpec {
        match self {
            SourceSpec::Mjpeg(path) => SourceSpec::Mjpeg(folder.join(path)),
            SourceSpec::Folder(path) => SourceSpec::Folder(folder.join(path)),
            // A device is named absolutely, or by a number.
            other => other,
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceSpec::Test => write!(f, "test"),
            SourceSpec::Rpicam => write!(f, "rpicam"),
            SourceSpec::V4l2(path) => write!(f, "v4l2:{}", path.display()),
            SourceSpec::Mjpeg(path) | SourceSpec::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Ends what sources have started: for the end of the process. No source that needs a program opens after this.
pub fn end_programs() {
    #[cfg(all(target_os = "linux", feature = "camera"))]
    rpicam::end_all();
}

/// Opens a source.
///
/// # Errors
/// [`CameraError`], also for settings out of bounds and for sources that this build lacks. Calling again may succeed:
/// nothing of a camera that failed is kept open.
pub fn open(spec: &SourceSpec, settings: &Settings) -> Result<Box<dyn Source>, CameraError> {
    settings.check()?;
    let source: Box<dyn Source> = match spec {
        SourceSpec::Test => {
            let (width, height) = settings.size.unwrap_or(SIZE_DEFAULT);
            Box::new(pattern::TestSource::new(width, height, settings.fps))
        }
        SourceSpec::Mjpeg(path) => Box::new(Mjpeg::open(path, settings)?),
        SourceSpec::Folder(path) => Box::new(Folder::open(path, settings)?),
        #[cfg(all(feature = "camera", target_os = "linux"))]
        SourceSpec::V4l2(path) => Box::new(v4l2::V4l2::open(path, settings)?),
        // It turns most pictures itself.
        #[cfg(all(feature = "camera", target_os = "linux"))]
        SourceSpec::Rpicam => return Rpicam::default().open(settings),
        #[cfg(all(feature = "camera", any(target_os = "macos", windows)))]
        SourceSpec::V4l2(path) => Box::new(other::Other::open(path, settings)?),
        #[cfg(not(all(feature = "camera", target_os = "linux")))]
        _ => return Err(CameraError::NotInThisBuild { source_name: spec.to_string() }),
    };
    Ok(turn::Turned::wrap(source, settings.rotate, settings.flip))
}

/// Microseconds of Unix time now; 0 for a clock that stands before 1970.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
