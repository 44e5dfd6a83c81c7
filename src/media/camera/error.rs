//! Why a camera does not open or has no frame, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::controls::ControlError;
use super::{FOLDER_PICTURES_MAX, FPS_MAX, FPS_MIN, QUALITY_MAX, QUALITY_MIN, SIDE_MAX, SIDE_MIN};
use crate::media::jpeg::JpegError;

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
    /// There is no such device.
    #[error("there is no camera {}", path.display())]
    Missing {
        /// The device.
        path: PathBuf,
        /// The cameras that there are, for people.
        found: Vec<String>,
    },
    /// This account may not use the device.
    #[error("no permission to use the camera {}", path.display())]
    Permission {
        /// The device.
        path: PathBuf,
    },
    /// Somebody else uses the camera.
    #[error("the camera {} is in use", path.display())]
    Busy {
        /// The device.
        path: PathBuf,
        /// The programs that have it open, as far as this account can see.
        holders: Vec<String>,
    },
    /// The file is no camera, or a node of one that gives no pictures.
    #[error("{} gives no pictures", path.display())]
    NotACamera {
        /// The device.
        path: PathBuf,
        /// The node of the same camera that does.
        instead: Option<PathBuf>,
    },
    /// The camera has gone.
    #[error("the camera {} was unplugged", path.display())]
    Unplugged {
        /// The device.
        path: PathBuf,
    },
    /// It has no format that can be used.
    #[error("the camera {} has no format that miyu knows", path.display())]
    NoFormat {
        /// The device.
        path: PathBuf,
        /// What it has.
        offers: Vec<String>,
    },
    /// The bus has no room for what was asked.
    #[error("the bus of the camera {} has no room for this size and rate", path.display())]
    NoBandwidth {
        /// The device.
        path: PathBuf,
    },
    /// No frame came for too long.
    #[error("no frame from {camera} for {} s", limit.as_secs_f32())]
    Stalled {
        /// The camera.
        camera: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Frame after frame was unusable.
    #[error("{frames} frames from {camera} one after the other were cut short or damaged")]
    Broken {
        /// The camera.
        camera: String,
        /// How many.
        frames: u32,
    },
    /// The system refused something else.
    #[error("cannot {doing} the camera {}: {source}", path.display())]
    Device {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The device.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program that serves the camera could not be started.
    #[error("cannot start {program}: {source}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program that serves the camera has ended.
    #[error("{program} ended ({status}){}", said(words))]
    ProgramEnded {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// Its last words.
        words: String,
    },
    /// A control of the camera.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A frame could not be scaled or decoded.
    #[error("camera frame: {0}")]
    Jpeg(#[from] JpegError),
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

const SYNTAX: &str = "sources are: test, v4l2:/dev/video0, rpicam, FILE.mjpeg, or a folder of pictures";

impl CameraError {
    /// The mend, where there is one that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            CameraError::UnknownSource { text } if text.starts_with("/dev/") => format!("write v4l2:{text}"),
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
            CameraError::Control(error) => return error.hint(),
            CameraError::Size { .. }
            | CameraError::Fps { .. }
            | CameraError::Quality { .. }
            | CameraError::Device { .. }
            | CameraError::Io { .. } => {
                return None;
            }
            of_a_device => of_a_device.device_hint(),
        })
    }

    /// The mends of what goes wrong with real cameras.
    fn device_hint(&self) -> String {
        match self {
            CameraError::Missing { found, .. } if found.is_empty() => {
                "no camera was found: is it plugged in? the Raspberry Pi's own is the source rpicam".into()
            }
            CameraError::Missing { found, .. } => format!("cameras here: {}", found.join(", ")),
            CameraError::Permission { .. } => {
                "add this account to the group video: `sudo usermod -aG video $USER`, then log in anew".into()
            }
            CameraError::Busy { holders, .. } if holders.is_empty() => {
                "end the program that has it open: `sudo fuser -v /dev/video*` tells which".into()
            }
            CameraError::Busy { holders, .. } => format!("end what has it open: {}", holders.join(", ")),
            CameraError::NotACamera { instead: Some(path), .. } => {
                format!("the pictures of this camera come from v4l2:{}", path.display())
            }
            CameraError::NotACamera { instead: None, .. } => {
                "take a node that can capture video; the Raspberry Pi's own camera is the source rpicam".into()
            }
            CameraError::Unplugged { .. } => "plug it in again; frames go on by themselves".into(),
            CameraError::NoFormat { offers, .. } => format!(
                "it offers {}; miyu takes MJPG, YUYV, UYVY, YVYU, NV12, NV21, YU12, YV12 and GREY",
                if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") }
            ),
            CameraError::NoBandwidth { .. } => {
                "ask for a smaller --size or --fps, or move the camera to a port of its own".into()
            }
            CameraError::Stalled { .. } => "unplug the camera and plug it in again, if this goes on".into(),
            CameraError::Broken { .. } => "try another cable or port, or a smaller --size".into(),
            CameraError::Program { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "install it: `sudo apt install rpicam-apps`; for a USB camera take v4l2:/dev/video0".into()
            }
            CameraError::Program { .. } => "can it be run by hand? `rpicam-vid -n -t 1000 -o /dev/null`".into(),
            CameraError::ProgramEnded { words, .. } => {
                let words = words.to_lowercase();
                if words.contains("no cameras available") {
                    "check the ribbon cable; `rpicam-hello --list-cameras` must show the camera".into()
                } else if words.contains("busy") || words.contains("in use") || words.contains("acquire") {
                    "another program has the camera: end it".into()
                } else {
                    "does `rpicam-hello -t 2000` work by hand?".into()
                }
            }
            _ => SYNTAX.into(),
        }
    }
}
