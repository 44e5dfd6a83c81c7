//! What the program of the Raspberry Pi's camera is called with.

use crate::media::camera::controls::{Control, ControlError, ControlKind, find};
use crate::media::camera::{Flip, Rotation, SIZE_DEFAULT, Settings};

/// The controls that are flags of it: name, flag, lowest and highest value, and what it is without the flag
/// (documentation of rpicam-apps, "rpicam-vid options reference").
const DECIMALS: [(&str, &str, f64, f64, Option<f64>); 8] = [
    ("brightness", "--brightness", -1.0, 1.0, Some(0.0)),
    ("contrast", "--contrast", 0.0, 32.0, Some(1.0)),
    ("saturation", "--saturation", 0.0, 32.0, Some(1.0)),
    ("sharpness", "--sharpness", 0.0, 16.0, Some(1.0)),
    ("ev", "--ev", -10.0, 10.0, Some(0.0)),
    ("gain", "--gain", 0.0, 64.0, None),
    ("shutter", "--shutter", 0.0, 1e9, None),
    ("lens_position", "--lens-position", 0.0, 32.0, None),
];

const MENUS: [(&str, &str, &[&str]); 4] = [
    ("awb", "--awb", &["auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy"]),
    ("metering", "--metering", &["centre", "spot", "average"]),
    ("denoise", "--denoise", &["auto", "off", "cdn_off", "cdn_fast", "cdn_hq"]),
    ("autofocus_mode", "--autofocus-mode", &["default", "manual", "auto", "continuous"]),
];

/// All controls. What they are now is not known: the program does not say.
pub(in crate::media::camera) fn controls() -> Vec<Control> {
    let decimals = DECIMALS.into_iter().map(|(name, _, min, max, default)| {
        // Microseconds are whole.
        let kind = if name == "shutter" { ControlKind::Number } else { ControlKind::Decimal };
        let step = if name == "shutter" { 1.0 } else { 0.0 };
        Control { name: name.to_owned(), id: 0, kind, min, max, step, default, value: None, inactive: false }
    });
    let menus = MENUS.into_iter().map(|(name, _, entries)| {
        let entries: Vec<(i64, String)> = (0..).zip(entries.iter().map(|entry| (*entry).to_owned())).collect();
        let max = entries.len().saturating_sub(1) as f64;
        let kind = ControlKind::Menu(entries);
        let (id, min, step, default) = (0, 0.0, 1.0, Some(0.0));
        Control { name: name.to_owned(), id, kind, min, max, step, default, value: None, inactive: false }
    });
    decimals.chain(menus).collect()
}

/// What is done by the program itself of a rotation and a flip, and what is left: it cannot turn by 90 degrees.
pub(super) fn split_turn(rotate: Rotation, flip: Flip) -> ((bool, bool), (Rotation, Flip)) {
    let (horizontal, vertical) =
        (matches!(flip, Flip::Horizontal | Flip::Both), matches!(flip, Flip::Vertical | Flip::Both));
    match rotate {
        Rotation::None => ((horizontal, vertical), (Rotation::None, Flip::None)),
        Rotation::Around => ((!horizontal, !vertical), (Rotation::None, Flip::None)),
        Rotation::Right | Rotation::Left => ((false, false), (rotate, flip)),
    }
}

/// All arguments, in the order in which they are given.
///
/// # Errors
/// [`ControlError`] for a control that there is not, or a value that it does not take.
pub(super) fn arguments(settings: &Settings) -> Result<Vec<String>, ControlError> {
    let (width, height) = settings.size.unwrap_or(SIZE_DEFAULT);
    let mut arguments: Vec<String> = ["-n", "-t", "0", "--codec", "mjpeg"].map(str::to_owned).into();
    let mut push = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    push("--width", width.to_string());
    push("--height", height.to_string());
    push("--framerate", settings.fps.to_string());
    push("--quality", settings.quality.to_string());
    let known = controls();
    for (name, value) in &settings.controls {
        let control = find(&known, name)?;
        let number = control.check(value)?;
        let decimal = DECIMALS.iter().find(|(name, ..)| *name == control.name);
        let menu = MENUS.iter().find(|(name, ..)| *name == control.name);
        if let Some((_, flag, ..)) = decimal {
            push(flag, number.to_string());
        } else if let Some((_, flag, entries)) = menu {
            push(flag, entries.get(number as usize).copied().unwrap_or_default().to_owned());
        }
    }
    let ((horizontal, vertical), _) = split_turn(settings.rotate, settings.flip);
    match (horizontal, vertical) {
        (true, true) => push("--rotation", "180".to_owned()),
        (true, false) => arguments.push("--hflip".to_owned()),
        (false, true) => arguments.push("--vflip".to_owned()),
        (false, false) => {}
    }
    arguments.extend(["-o".to_owned(), "-".to_owned()]);
    Ok(arguments)
}
