//! Which cameras this machine has, and their controls.

use super::controls::{Control, ControlError};
#[cfg(all(feature = "camera", target_os = "linux"))]
use super::rpicam;
#[cfg(all(feature = "camera", target_os = "linux"))]
use super::v4l2;
use super::{CameraError, ControlValue, SourceSpec};

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// What to ask for: `v4l2:/dev/video0`.
    pub source: SourceSpec,
    /// What its maker calls it; empty where it cannot be asked.
    pub name: String,
    /// The driver, or the program that serves it.
    pub driver: String,
    /// What it offers; empty where that is not known before it runs.
    pub formats: Vec<Format>,
    /// Why it cannot be used now.
    pub problem: Option<String>,
}

/// One format of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// Its four characters: `MJPG`, `YUYV`.
    pub name: String,
    /// Whether miyu can read it.
    pub usable: bool,
    /// Its sizes.
    pub modes: Vec<Mode>,
}

/// A size of a format.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    /// Width and height; the smallest where `up_to` is given.
    pub size: (u32, u32),
    /// The largest, of a camera that has any size in between.
    pub up_to: Option<(u32, u32)>,
    /// Frames a second; empty where the camera does not say.
    pub rates: Vec<f32>,
}

/// The cameras of this machine that the sources `v4l2` and `rpicam` can use; none in a build without them.
pub fn devices() -> Vec<Camera> {
    #[cfg(all(feature = "camera", target_os = "linux"))]
    {
        let mut cameras = v4l2::list::cameras();
        cameras.extend(rpicam::camera());
        cameras
    }
    #[cfg(all(feature = "camera", any(target_os = "macos", windows)))]
    {
        super::other::cameras()
    }
    #[cfg(not(all(feature = "camera", any(target_os = "linux", target_os = "macos", windows))))]
    {
        Vec::new()
    }
}

/// The controls of a source, with their values now.
///
/// # Errors
/// [`CameraError`], for a camera that cannot be asked and a source without controls.
pub fn controls(spec: &SourceSpec) -> Result<Vec<Control>, CameraError> {
    match spec {
        #[cfg(all(feature = "camera", target_os = "linux"))]
        SourceSpec::V4l2(path) => v4l2::controls::list(path),
        #[cfg(all(feature = "camera", target_os = "linux"))]
        SourceSpec::Rpicam => Ok(rpicam::controls()),
        #[cfg(not(all(feature = "camera", target_os = "linux")))]
        SourceSpec::V4l2(_) | SourceSpec::Rpicam => Err(CameraError::NotInThisBuild { source_name: spec.to_string() }),
        _ => Err(ControlError::None { source_name: spec.to_string() }.into()),
    }
}

/// Checks names and values, and sets those that stay set in the device. Those of `rpicam` are flags of its program:
/// they are only checked, and take effect when it is started with them.
///
/// # Errors
/// [`CameraError::Control`] for the first that is wrong, and as [`controls`].
pub fn set_controls(spec: &SourceSpec, wanted: &[(String, ControlValue)]) -> Result<(), CameraError> {
    match spec {
        #[cfg(all(feature = "camera", target_os = "linux"))]
        SourceSpec::V4l2(path) => v4l2::controls::set(path, wanted),
        _ => {
            let controls = controls(spec)?;
            for (name, value) in wanted {
                super::controls::find(&controls, name)?.check(value)?;
            }
            Ok(())
        }
    }
}
