//! Controls of a Video4Linux camera.

use std::path::Path;

use v4l::control::{Control as Setting, Description, Flags, MenuItem, Type, Value};
use v4l::device::Device;

use super::{from_os, guarded, open_node};
use crate::media::camera::controls::{Control, ControlError, ControlKind, find, normalised, with_unique_names};
use crate::media::camera::{CameraError, ControlValue};

/// The controls of the camera at `path`.
pub(in crate::media::camera) fn list(path: &Path) -> Result<Vec<Control>, CameraError> {
    let (device, _) = open_node(path)?;
    of(&device).map_err(|error| from_os(path, "ask the controls of", error))
}

/// Sets controls of the camera at `path`, which others may be watching.
pub(in crate::media::camera) fn set(path: &Path, wanted: &[(String, ControlValue)]) -> Result<(), CameraError> {
    let (device, _) = open_node(path)?;
    let controls = of(&device).map_err(|error| from_os(path, "ask the controls of", error))?;
    for (name, value) in wanted {
        find(&controls, name)?.check(value)?;
    }
    match set_all(&device, &controls, wanted).into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Sets controls of a camera that is being opened. A picture with another brightness is better than none, so what
/// cannot be set is told in the log.
pub(super) fn apply(device: &Device, wanted: &[(String, ControlValue)]) {
    if wanted.is_empty() {
        return;
    }
    let controls = match of(device) {
        Ok(controls) => controls,
        Err(error) => {
            tracing::warn!(%error, "the camera does not tell its controls");
            return;
        }
    };
    for error in set_all(device, &controls, wanted) {
        tracing::warn!(%error, "a control of the camera is not set");
    }
}

/// Sets them in order; what is refused is tried once more at the end, for controls that rule each other.
fn set_all(device: &Device, controls: &[Control], wanted: &[(String, ControlValue)]) -> Vec<ControlError> {
    let mut refused = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in wanted {
        match set_one(device, controls, name, value) {
            Ok(()) => {}
            Err(ControlError::Refused { .. }) => refused.push((name, value)),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(refused.into_iter().filter_map(|(name, value)| set_one(device, controls, name, value).err()));
    errors
}

fn set_one(device: &Device, controls: &[Control], name: &str, value: &ControlValue) -> Result<(), ControlError> {
    let control = find(controls, name)?;
    let number = control.check(value)?;
    let setting = match control.kind {
        ControlKind::Switch => Value::Boolean(number != 0.0),
        _ => Value::Integer(number as i64),
    };
    guarded(|| device.set_control(Setting { id: control.id, value: setting })).map_err(|source| ControlError::Refused {
        name: control.name.clone(),
        value: value.to_string(),
        source,
    })
}

fn of(device: &Device) -> std::io::Result<Vec<Control>> {
    let described = match guarded(|| device.query_controls()) {
        Ok(described) => described,
        // A camera without any says so in one of two ways: EINVAL or ENOTTY.
        Err(error) if matches!(error.raw_os_error(), Some(22 | 25)) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(with_unique_names(described.iter().filter_map(|described| control(device, described)).collect()))
}

fn control(device: &Device, described: &Description) -> Option<Control> {
    if described.flags.contains(Flags::DISABLED) {
        return None;
    }
    let kind = match described.typ {
        Type::Integer | Type::Integer64 => ControlKind::Number,
        Type::Boolean => ControlKind::Switch,
        Type::Button => ControlKind::Button,
        Type::Bitmask => ControlKind::Bits,
        Type::Menu | Type::IntegerMenu => {
            let items = described.items.iter().flatten();
            ControlKind::Menu(items.map(|(index, item)| (i64::from(*index), entry(item))).collect())
        }
        // A heading, texts and matrices.
        _ => return None,
    };
    let readable = !described.flags.contains(Flags::WRITE_ONLY) && kind != ControlKind::Button;
    let value = if readable { guarded(|| device.control(described.id)).ok() } else { None };
    let value = value.and_then(|control| match control.value {
        Value::Integer(number) => Some(number as f64),
        Value::Boolean(on) => Some(f64::from(u8::from(on))),
        _ => None,
    });
    let ruled = Flags::INACTIVE | Flags::GRABBED | Flags::READ_ONLY;
    Some(Control {
        name: normalised(&described.name),
        id: described.id,
        kind,
        min: described.minimum as f64,
        max: described.maximum as f64,
        step: described.step as f64,
        default: Some(described.default as f64),
        value,
        inactive: described.flags.intersects(ruled),
    })
}

fn entry(item: &MenuItem) -> String {
    match item {
        MenuItem::Name(name) => name.clone(),
        MenuItem::Value(value) => value.to_string(),
    }
}
