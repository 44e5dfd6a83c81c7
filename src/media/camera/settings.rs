//! What is asked of a source.

use std::fmt;
use std::str::FromStr;

use super::{
    CameraError, FPS_DEFAULT, FPS_MAX, FPS_MIN, QUALITY_DEFAULT, QUALITY_MAX, QUALITY_MIN, SIDE_MAX, SIDE_MIN,
};

/// What is asked of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Width and height in pixels, before the picture is turned; `None` keeps the size of a file or folder, and is
    /// [`super::SIZE_DEFAULT`] for the test pattern and for cameras. A camera takes the closest that it has.
    pub size: Option<(u32, u32)>,
    /// Frames a second.
    pub fps: f32,
    /// JPEG quality for frames that are encoded by the caller. Sources only check it.
    pub quality: u8,
    /// How far the picture is turned, clockwise.
    pub rotate: Rotation,
    /// How it is mirrored after that.
    pub flip: Flip,
    /// Controls of the camera (brightness, exposure, focus) by name, set in this order whenever it is opened.
    pub controls: Vec<(String, ControlValue)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            size: None,
            fps: FPS_DEFAULT,
            quality: QUALITY_DEFAULT,
            rotate: Rotation::None,
            flip: Flip::None,
            controls: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether all values are within their bounds.
    ///
    /// # Errors
    /// [`CameraError::Size`], [`CameraError::Fps`], [`CameraError::Quality`].
    pub fn check(&self) -> Result<(), CameraError> {
        if let Some((width, height)) = self.size {
            let sides = SIDE_MIN..=SIDE_MAX;
            if !sides.contains(&width) || !sides.contains(&height) {
                return Err(CameraError::Size { width, height });
            }
        }
        // A rate that is not a number is in no range.
        if !(FPS_MIN..=FPS_MAX).contains(&self.fps) {
            return Err(CameraError::Fps { fps: self.fps });
        }
        if !(QUALITY_MIN..=QUALITY_MAX).contains(&self.quality) {
            return Err(CameraError::Quality { quality: self.quality });
        }
        Ok(())
    }
}

/// Reads a size such as `640x480`; `None` for a text that is none.
pub fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', 'X'])?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// How far a picture is turned, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    Around,
    /// By 270 degrees.
    Left,
}

impl Rotation {
    /// From degrees; `None` for other angles than 0, 90, 180 and 270.
    pub fn from_degrees(degrees: u64) -> Option<Rotation> {
        match degrees {
            0 => Some(Rotation::None),
            90 => Some(Rotation::Right),
            180 => Some(Rotation::Around),
            270 => Some(Rotation::Left),
            _ => None,
        }
    }

    /// In degrees.
    pub fn degrees(self) -> u16 {
        match self {
            Rotation::None => 0,
            Rotation::Right => 90,
            Rotation::Around => 180,
            Rotation::Left => 270,
        }
    }
}

impl FromStr for Rotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Rotation, String> {
        let degrees = text.parse().ok().and_then(Rotation::from_degrees);
        degrees.ok_or_else(|| format!("{text:?} is no rotation: write 0, 90, 180 or 270"))
    }
}

/// How a picture is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left and right change sides.
    Horizontal,
    /// Top and bottom change sides.
    Vertical,
    /// Both.
    Both,
}

impl Flip {
    /// The words that it is written with.
    pub const WORDS: [&str; 4] = ["none", "horizontal", "vertical", "both"];
}

impl FromStr for Flip {
    type Err = String;

    fn from_str(text: &str) -> Result<Flip, String> {
        match text {
            "none" => Ok(Flip::None),
            "horizontal" => Ok(Flip::Horizontal),
            "vertical" => Ok(Flip::Vertical),
            "both" => Ok(Flip::Both),
            _ => Err(format!("{text:?} is no way to flip: write {}", Flip::WORDS.join(", "))),
        }
    }
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Flip::WORDS[*self as usize])
    }
}

/// What a control of a camera is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlValue {
    /// A number; 0 and 1 for off and on.
    Number(i64),
    /// The name of a menu's entry, or another word.
    Text(String),
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlValue::Number(number) => number.fmt(f),
            ControlValue::Text(text) => text.fmt(f),
        }
    }
}
