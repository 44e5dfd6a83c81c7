//! The `[sound]` part: which microphone and which speaker.

use super::fault::{Faults, shown};
use super::section::Section;

/// Bytes of a device's name at most.
pub const DEVICE_BYTES_MAX: usize = 256;

const KEYS: &[&str] = &["input", "output"];
const INPUT: &str = "input = \"NAME\", a name or id that `miyu devices` lists";
const OUTPUT: &str = "output = \"NAME\", a name or id that `miyu devices` lists";

/// The `[sound]` part. Whether there are such devices shows when they are used: they come and go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SoundSettings {
    /// Name or id of the microphone; `None` for the system's default.
    pub input: Option<String>,
    /// Name or id of the speaker; `None` for the system's default.
    pub output: Option<String>,
}

pub(super) fn read(section: &Section<'_, '_>, faults: &mut Faults<'_>) -> SoundSettings {
    section.refuse_unknown(KEYS, faults);
    let mut device = |key: &str, example: &str| {
        let (at, name) = section.text(key, example, faults).ok()??;
        let what = if name.trim().is_empty() {
            format!("`{key}` in [sound] names no device")
        } else if name.len() > DEVICE_BYTES_MAX || name.chars().any(char::is_control) {
            format!("`{key}` in [sound] is no name of a device: {}", shown(name))
        } else {
            return Some(name.to_owned());
        };
        faults.add(at, what, format!("write {example}; or leave it out for the system's default"));
        None
    };
    SoundSettings { input: device("input", INPUT), output: device("output", OUTPUT) }
}
