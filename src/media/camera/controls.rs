//! Controls of cameras: brightness, exposure, focus. They are named as Video4Linux names them, in small letters.

use super::settings::ControlValue;

/// What a control takes.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlKind {
    /// A whole number.
    Number,
    /// A number that may have decimals.
    Decimal,
    /// Off or on: 0 or 1.
    Switch,
    /// One of a list: number and name of each entry.
    Menu(Vec<(i64, String)>),
    /// It does something when it is set, to whatever.
    Button,
    /// Bits.
    Bits,
}

impl ControlKind {
    /// One word for people and programs.
    pub fn word(&self) -> &'static str {
        match self {
            ControlKind::Number => "number",
            ControlKind::Decimal => "decimal",
            ControlKind::Switch => "switch",
            ControlKind::Menu(_) => "menu",
            ControlKind::Button => "button",
            ControlKind::Bits => "bits",
        }
    }
}

/// One control of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Its name in small letters: `exposure_time_absolute`.
    pub name: String,
    /// Its number in Video4Linux; 0 where it has none.
    pub id: u32,
    /// What it takes.
    pub kind: ControlKind,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Between two values.
    pub step: f64,
    /// What it is at the start; `None` where the camera decides.
    pub default: Option<f64>,
    /// What it is now; `None` where it cannot be read.
    pub value: Option<f64>,
    /// It has no effect now, because another control rules it, or can never be set.
    pub inactive: bool,
}

/// Why a control was not set.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No control has that name.
    #[error("the camera has no control {name:?}")]
    Unknown {
        /// What was written.
        name: String,
        /// The one that was probably meant.
        meant: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// The source has no controls at all.
    #[error("the camera source {source_name} has no controls")]
    None {
        /// The source as written.
        source_name: String,
    },
    /// The value is out of bounds.
    #[error("{name} cannot be {value}: it goes from {min} to {max}{}", steps(*step))]
    Range {
        /// The control.
        name: String,
        /// What was written.
        value: String,
        /// Lowest value.
        min: f64,
        /// Highest value.
        max: f64,
        /// Between two values.
        step: f64,
    },
    /// The menu has no such entry.
    #[error("{name} cannot be {value:?}: it is a menu")]
    Entry {
        /// The control.
        name: String,
        /// What was written.
        value: String,
        /// Its entries, for people.
        entries: Vec<String>,
    },
    /// It is not written as NAME=VALUE.
    #[error("{text:?} sets no control: write NAME=VALUE")]
    Form {
        /// What was written.
        text: String,
    },
    /// The camera refused.
    #[error("the camera does not set {name} to {value}: {source}")]
    Refused {
        /// The control.
        name: String,
        /// What was written.
        value: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn steps(step: f64) -> String {
    if step > 1.0 { format!(" in steps of {step}") } else { String::new() }
}

/// The names, cut to what can be read.
fn listed(known: &[String]) -> String {
    const NAMES_MAX: usize = 30;
    let shown = known.get(..NAMES_MAX).unwrap_or(known).join(", ");
    match known.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more (`miyu camera --list-controls`)"),
    }
}

impl ControlError {
    /// The mend.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            ControlError::Unknown { meant: Some(meant), known, .. } => {
                format!("did you mean {meant}? controls: {}", listed(known))
            }
            ControlError::Unknown { known, .. } if known.is_empty() => "this camera has no controls".into(),
            ControlError::Unknown { known, .. } => format!("controls: {}", listed(known)),
            ControlError::None { .. } => "v4l2:/dev/videoN and rpicam have some: `miyu camera --list-controls`".into(),
            ControlError::Range { .. } => "`miyu camera --list-controls` shows what it is now".into(),
            ControlError::Entry { entries, .. } => format!("write one of: {}", entries.join(", ")),
            ControlError::Form { .. } => "for example brightness=128".into(),
            ControlError::Refused { .. } => {
                "another control may rule it: an automatic one has to be switched off first".into()
            }
        })
    }
}

/// A name as controls are asked for: small letters and digits, all else one `_`.
pub fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

/// Reads `NAME=VALUE`.
///
/// # Errors
/// [`ControlError::Form`].
pub fn parse_setting(text: &str) -> Result<(String, ControlValue), ControlError> {
    let form = || ControlError::Form { text: text.to_owned() };
    let (name, value) = text.split_once('=').ok_or_else(form)?;
    let (name, value) = (normalised(name), value.trim());
    if name.is_empty() || value.is_empty() {
        return Err(form());
    }
    let value = value.parse().map_or_else(|_| ControlValue::Text(value.to_owned()), ControlValue::Number);
    Ok((name, value))
}

impl Control {
    /// The value as a number of this control, checked.
    ///
    /// # Errors
    /// [`ControlError::Range`] and [`ControlError::Entry`].
    pub fn check(&self, value: &ControlValue) -> Result<f64, ControlError> {
        if let ControlKind::Menu(entries) = &self.kind {
            return self.entry(entries, value);
        }
        let number = match (value, &self.kind) {
            (ControlValue::Number(number), _) => Some(*number as f64),
            (ControlValue::Text(text), ControlKind::Switch) => match text.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" => Some(1.0),
                "off" | "false" | "no" => Some(0.0),
                _ => None,
            },
            (ControlValue::Text(text), ControlKind::Decimal) => text.parse().ok(),
            (ControlValue::Text(_), ControlKind::Button) => Some(0.0),
            (ControlValue::Text(_), _) => None,
        };
        let fits = |number: &f64| {
            self.kind == ControlKind::Button
                || (number.is_finite()
                    && (self.min..=self.max).contains(number)
                    && (self.step <= 1.0 || (number - self.min) % self.step == 0.0))
        };
        number.filter(fits).ok_or_else(|| ControlError::Range {
            name: self.name.clone(),
            value: value.to_string(),
            min: self.min,
            max: self.max,
            step: self.step,
        })
    }

    fn entry(&self, entries: &[(i64, String)], value: &ControlValue) -> Result<f64, ControlError> {
        let found = match value {
            ControlValue::Number(number) => entries.iter().find(|(index, _)| index == number),
            ControlValue::Text(text) => {
                let wanted = normalised(text);
                entries.iter().find(|(_, name)| normalised(name) == wanted)
            }
        };
        let found = found.map(|(index, _)| *index as f64);
        found.ok_or_else(|| ControlError::Entry {
            name: self.name.clone(),
            value: value.to_string(),
            entries: entries.iter().map(|(index, name)| format!("{index} ({name})")).collect(),
        })
    }
}

/// The control of that name.
///
/// # Errors
/// [`ControlError::Unknown`], with the likely one.
pub fn find<'c>(controls: &'c [Control], name: &str) -> Result<&'c Control, ControlError> {
    let wanted = normalised(name);
    controls.iter().find(|control| control.name == wanted).ok_or_else(|| ControlError::Unknown {
        name: name.to_owned(),
        meant: likeliest(&wanted, controls.iter().map(|control| control.name.as_str())),
        known: controls.iter().map(|control| control.name.clone()).collect(),
    })
}

/// The name that shares the most pairs of letters with `wanted`: names of controls are long, and what is left out of
/// them (`exposure` for `exposure_time_absolute`) is more often wrong than one letter.
fn likeliest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let pairs = |name: &str| name.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let wanted = pairs(wanted);
    let score = |name: &str| {
        let mut rest = pairs(name);
        let all = rest.len() + wanted.len();
        let shared = wanted.iter().filter(|pair| {
            let at = rest.iter().position(|other| other == *pair);
            at.map(|at| rest.swap_remove(at)).is_some()
        });
        shared.count() * 200 / all.max(1)
    };
    let best = names.map(|name| (score(name), name)).max_by_key(|(score, _)| *score);
    best.filter(|(score, _)| *score >= 40).map(|(_, name)| name.to_owned())
}

/// A control that is made up of itself: unique names, as two controls of a camera may have one name.
#[cfg(all(feature = "camera", target_os = "linux"))]
pub(super) fn with_unique_names(mut controls: Vec<Control>) -> Vec<Control> {
    for at in 1..controls.len() {
        let (before, rest) = controls.split_at_mut(at);
        let taken = |name: &str| before.iter().any(|control| control.name == name);
        if let Some(control) = rest.first_mut() {
            let base = control.name.clone();
            let mut number = 2;
            while taken(&control.name) {
                control.name = format!("{base}_{number}");
                number += 1;
            }
        }
    }
    controls
}
