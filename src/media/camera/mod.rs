//! Camera sources: where the frames of a published camera come from.
//!
//! Every source is a [`Source`]: it blocks until its next frame is due and hands it over. A frame
//! is either a JPEG that goes out as it is, or pixels that the caller encodes.

mod fit;
mod folder;
mod mjpeg;
mod pace;
pub mod pattern;
mod picture;
mod scale;
mod settings;
mod slate;

pub use folder::{FOLDER_CACHE_BYTES_MAX, FOLDER_PICTURES_MAX, Folder};
pub use mjpeg::Mjpeg;
pub use pace::Pace;
pub use pattern::{Stamp, TestPattern, read_back};
pub use picture::{Encoded, Picture};
pub use scale::{scale, scale_yuv};
pub use settings::{ControlValue, Flip, Rotation, Settings};
pub use slate::slate;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::jpeg::JpegError;

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

    /// Reads `test`, `rpicam`, `v4l2:DEVICE`, `FILE.mjpeg` (or `.mjpg`); anything else is a folder.
    fn from_str(text: &str) -> Result<SourceSpec, CameraError> {
        let unknown = || CameraError::UnknownSource { text: text.to_owned() };
        if let Some(device) = text.strip_prefix("v4l2:") {
            return if device.is_empty() { Err(unknown()) } else { Ok(SourceSpec::V4l2(PathBuf::from(device))) };
        }
        match text {
            "" => Err(unknown()),
            "test" => Ok(SourceSpec::Test),
            "rpicam" => Ok(SourceSpec::Rpicam),
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

/// Why a camera source does not open or has no frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The text names no source.
    #[error("{text:?} names no camera source")]
    UnknownSource {
        /// What was written.
        text: String,
    },
    /// A side out of bounds.
    #[error("camera size {width}x{height}: each side must be {SIDE_MIN} to {SIDE_MAX} pixels")]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// A frame rate out of bounds.
    #[error("camera rate of {fps} frames a second: must be {FPS_MIN} to {FPS_MAX}")]
    Fps {
        /// Rate asked for.
        fps: f32,
    },
    /// A quality out of bounds.
    #[error("JPEG quality {quality}: must be {QUALITY_MIN} to {QUALITY_MAX}")]
    Quality {
        /// Quality asked for.
        quality: u8,
    },
    /// This program was built without that kind of source.
    #[error("camera source {source_name} is not in this build of miyu")]
    NotInThisBuild {
        /// The source as written.
        source_name: String,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no JPEG that decodes.
    #[error("{} holds no whole JPEG ({broken} broken)", path.display())]
    NoFrames {
        /// The file.
        path: PathBuf,
        /// Pictures that began and were unusable.
        broken: u64,
    },
    /// The folder holds no picture that decodes.
    #[error("folder {} holds no picture that can be read ({skipped} skipped)", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// Files with a picture's name that could not be decoded.
        skipped: usize,
    },
    /// The folder holds more than [`FOLDER_PICTURES_MAX`] pictures.
    #[error("folder {} holds more than {FOLDER_PICTURES_MAX} pictures", path.display())]
    TooManyPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A frame could not be scaled or decoded.
    #[error("camera frame: {0}")]
    Jpeg(#[from] JpegError),
}

impl CameraError {
    /// The mend, where there is one that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        const SYNTAX: &str = "sources are: test, v4l2:/dev/video0, rpicam, FILE.mjpeg, or a folder of pictures";
        Some(match self {
            CameraError::UnknownSource { .. } => SYNTAX.into(),
            CameraError::NotInThisBuild { .. } => {
                "use test, FILE.mjpeg or a folder of pictures, or a build that has it".into()
            }
            CameraError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => SYNTAX.into(),
            CameraError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotADirectory => SYNTAX.into(),
            CameraError::NoFrames { .. } => {
                "the file must be JPEG pictures one after the other, as rpicam-vid --codec mjpeg writes".into()
            }
            CameraError::NoPictures { .. } => {
                "put .jpg, .jpeg, .png, .webp, .bmp or .gif files directly into it".into()
            }
            CameraError::TooManyPictures { .. } => "point at a smaller folder, or make an .mjpeg file of them".into(),
            CameraError::Jpeg(error) => return error.hint(),
            CameraError::Size { .. }
            | CameraError::Fps { .. }
            | CameraError::Quality { .. }
            | CameraError::Io { .. } => {
                return None;
            }
        })
    }
}

/// Opens a source.
///
/// # Errors
/// [`CameraError`], also for settings out of bounds and for sources that this build lacks.
pub fn open(spec: &SourceSpec, settings: &Settings) -> Result<Box<dyn Source>, CameraError> {
    settings.check()?;
    Ok(match spec {
        SourceSpec::Test => {
            let (width, height) = settings.size.unwrap_or(SIZE_DEFAULT);
            Box::new(pattern::TestSource::new(width, height, settings.fps))
        }
        SourceSpec::Mjpeg(path) => Box::new(Mjpeg::open(path, settings)?),
        SourceSpec::Folder(path) => Box::new(Folder::open(path, settings)?),
        SourceSpec::V4l2(_) | SourceSpec::Rpicam => {
            return Err(CameraError::NotInThisBuild { source_name: spec.to_string() });
        }
    })
}

/// Microseconds of Unix time now; 0 for a clock that stands before 1970.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
