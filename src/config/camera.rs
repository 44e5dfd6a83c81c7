//! The section `[camera]`: what `miyu camera` publishes when its flags do not say otherwise.

use std::path::Path;

use toml::de::DeValue;

use super::fault::{Faults, shown};
use super::section::{Faulty, Section, suggest};
use super::{BANDWIDTH_MBIT_MAX, CameraSettings};
use crate::media::camera::controls::normalised;
use crate::media::camera::{
    ControlValue, FPS_MAX, FPS_MIN, Flip, QUALITY_DEFAULT, QUALITY_MAX, Rotation, SIDE_MAX, SIDE_MIN, SourceSpec,
    parse_size,
};

const KEYS: &[&str] = &["source", "size", "fps", "quality", "rotate", "flip", "bandwidth_mbit", "controls"];
/// Controls of a table at most; cameras have about twenty.
const CONTROLS_MAX: usize = 200;

const SOURCE: &str = "source = \"v4l2:/dev/video0\"";
const SIZE: &str = "size = \"1280x720\"";
const FPS: &str = "fps = 30";
const ROTATE: &str = "rotate = 180, in degrees: 0, 90, 180 or 270";
const FLIP: &str = "flip = \"horizontal\"";
const BANDWIDTH: &str = "bandwidth_mbit = 20, the Mbit a second of all viewers together";
const CONTROL: &str = "brightness = 128, or the name of a menu's entry in quotes";

/// Reads the section; what is left out, and what is faulty, has its default.
pub(super) fn read(top: &Section<'_, '_>, folder: &Path, faults: &mut Faults<'_>) -> CameraSettings {
    let mut camera = CameraSettings::default();
    let Ok(Some(section)) = top.section("camera", "[camera]", faults) else {
        return camera;
    };
    section.refuse_unknown(KEYS, faults);
    camera.source = source(&section, folder, faults);
    let settings = &mut camera.settings;
    settings.size = size(&section, faults);
    if let Some(fps) =
        number(&section, "fps", FPS, faults, |fps| (f64::from(FPS_MIN)..=f64::from(FPS_MAX)).contains(&fps))
    {
        settings.fps = fps as f32;
    }
    let quality = (u64::from(QUALITY_DEFAULT), u64::from(QUALITY_MAX));
    if let Some(quality) = section.whole_number("quality", quality, "per cent", faults) {
        settings.quality = u8::try_from(quality).unwrap_or(QUALITY_DEFAULT);
    }
    settings.rotate = rotate(&section, faults).unwrap_or_default();
    settings.flip = flip(&section, faults).unwrap_or_default();
    let fits = |mbit: f64| mbit > 0.0 && mbit <= BANDWIDTH_MBIT_MAX;
    let mbit = number(&section, "bandwidth_mbit", BANDWIDTH, faults, fits);
    // Less than a bit a second is still a ceiling.
    camera.bandwidth_bits = mbit.map(|mbit| ((mbit * 1e6) as u64).max(1));
    camera.settings.controls = controls(&section, faults);
    camera
}

fn source(section: &Section<'_, '_>, folder: &Path, faults: &mut Faults<'_>) -> Option<SourceSpec> {
    let Ok(Some((at, text))) = section.text("source", SOURCE, faults) else {
        return None;
    };
    if text.contains('\0') {
        faults.add(at, "`source` in [camera] names no path", format!("write {SOURCE}"));
        return None;
    }
    match text.parse::<SourceSpec>() {
        Ok(source) => Some(source.within(folder)),
        Err(error) => {
            let what = format!("`source` in [camera] names no camera: {}", shown(text));
            faults.add(at, what, error.hint().unwrap_or_else(|| format!("write {SOURCE}")));
            None
        }
    }
}

fn size(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<(u32, u32)> {
    let Ok(Some((at, text))) = section.text("size", SIZE, faults) else {
        return None;
    };
    let sides = SIDE_MIN..=SIDE_MAX;
    match parse_size(text) {
        Some((width, height)) if sides.contains(&width) && sides.contains(&height) => Some((width, height)),
        Some(_) => {
            let what = format!("`size` in [camera] is out of bounds: {}", shown(text));
            faults.add(at, what, format!("each side must be {SIDE_MIN} to {SIDE_MAX} pixels, as in {SIZE}"));
            None
        }
        None => {
            let what = format!("`size` in [camera] is no size: {}", shown(text));
            faults.add(at, what, format!("write {SIZE}, width before height"));
            None
        }
    }
}

/// A number with or without decimals for which `fits` holds.
fn number(
    section: &Section<'_, '_>,
    key: &str,
    example: &str,
    faults: &mut Faults<'_>,
    fits: impl Fn(f64) -> bool,
) -> Option<f64> {
    let (_, value) = section.find(key)?;
    let number = match value.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => {
            section.wrong_type(key, value, "a number", example, faults);
            return None;
        }
    };
    let number = number.filter(|number| fits(*number));
    if number.is_none() {
        let what = format!("`{key}` in [camera] is out of bounds");
        let mend = if key == "fps" {
            format!("write {example}; {FPS_MIN} to {FPS_MAX} frames a second can be had")
        } else {
            format!("write {example}; it must be above 0 and at most {BANDWIDTH_MBIT_MAX}")
        };
        faults.add(value.span().start, what, mend);
    }
    number
}

fn rotate(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Rotation> {
    let (_, value) = section.find("rotate")?;
    let Some(number) = value.get_ref().as_integer() else {
        section.wrong_type("rotate", value, "a whole number", ROTATE, faults);
        return None;
    };
    let degrees = u64::from_str_radix(number.as_str(), number.radix()).ok();
    let rotation = degrees.and_then(Rotation::from_degrees);
    if rotation.is_none() {
        let what = "`rotate` in [camera] is none of 0, 90, 180 and 270";
        faults.add(value.span().start, what, format!("write {ROTATE}"));
    }
    rotation
}

fn flip(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Flip> {
    let Ok(Some((at, text))) = section.text("flip", FLIP, faults) else {
        return None;
    };
    let flip = text.parse().ok();
    if flip.is_none() {
        let what = format!("there is no way {} to flip a picture", shown(text));
        faults.add(at, what, suggest(text, &Flip::WORDS, "ways"));
    }
    flip
}

/// `[camera.controls]` in the order of the file: controls rule each other.
fn controls(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> Vec<(String, ControlValue)> {
    let section = match section.section("controls", "[camera.controls]", faults) {
        Ok(Some(section)) => section,
        Ok(None) | Err(Faulty) => return Vec::new(),
    };
    let mut read: Vec<(usize, String, ControlValue)> = Vec::new();
    for (name, value) in section.table.iter() {
        let at = name.span().start;
        let setting = match value.get_ref() {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(ControlValue::Number)
            }
            DeValue::Float(number) => Some(ControlValue::Text(number.as_str().to_owned())),
            DeValue::Boolean(on) => Some(ControlValue::Number(i64::from(*on))),
            DeValue::String(text) => Some(ControlValue::Text(text.to_string())),
            _ => {
                let key: &str = name.get_ref();
                section.wrong_type(&key.escape_debug().to_string(), value, "a number or a text", CONTROL, faults);
                continue;
            }
        };
        let name = normalised(name.get_ref());
        match setting {
            Some(setting) if !name.is_empty() => read.push((at, name, setting)),
            Some(_) => faults.add(at, "a control in [camera.controls] has no name", format!("write {CONTROL}")),
            None => faults.add(at, format!("the number of {} is too large", shown(&name)), format!("write {CONTROL}")),
        }
    }
    if read.len() > CONTROLS_MAX {
        let what = format!("[camera.controls] has {} controls", read.len());
        faults.add(section.at, what, format!("keep it to {CONTROLS_MAX}"));
        return Vec::new();
    }
    read.sort_by_key(|(at, ..)| *at);
    read.into_iter().map(|(_, name, setting)| (name, setting)).collect()
}
