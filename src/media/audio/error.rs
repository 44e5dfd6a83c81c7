//! What can go wrong with microphones and speakers, in words for people.

use std::fmt;
use std::time::Duration;

use crate::media::clip::ClipError;

/// Names that an error lists at most.
const NAMES_SHOWN_MAX: usize = 12;

/// Which way the sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a microphone.
    Input,
    /// To a speaker.
    Output,
}

impl Direction {
    /// `input` or `output`, as in the table's `[sound]`.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Input => "input",
            Direction::Output => "output",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why nothing is recorded or played.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AudioError {
    /// No sound system at all.
    #[error("there is no sound system to talk to: {why}")]
    NoHost {
        /// What the system said.
        why: String,
    },
    /// The sound system has no device of this direction.
    #[error("there is no sound {direction}")]
    NoDevice {
        /// What was looked for.
        direction: Direction,
    },
    /// No device has the name that was asked for.
    #[error("there is no sound {direction} \"{wanted}\"; {}", listed(*.direction, .names))]
    Unknown {
        /// What was looked for.
        direction: Direction,
        /// The name or id that was asked for.
        wanted: String,
        /// The ids of the devices that there are.
        names: Vec<String>,
    },
    /// Somebody else has the device.
    #[error("{device} is busy: another program has it")]
    Busy {
        /// Its name.
        device: String,
    },
    /// This user may not use the device.
    #[error("{device} may not be used by this account: {why}")]
    Denied {
        /// Its name.
        device: String,
        /// What the system said.
        why: String,
    },
    /// The device cannot be opened, or was there and is gone.
    #[error("{device} is not there (any more){}: {why}", past(.after))]
    Gone {
        /// Its name.
        device: String,
        /// How much had been recorded or played; zero before the beginning.
        after: Duration,
        /// What the system said.
        why: String,
    },
    /// The device gives or takes samples in a way that is not known here.
    #[error("{device} cannot be used: {why}")]
    Format {
        /// Its name.
        device: String,
        /// What does not fit.
        why: String,
    },
    /// The device was opened and gives or takes nothing, or stopped doing so.
    #[error(
        "{device} {} no samples{}: none for {:.1} s",
        if *.direction == Direction::Input { "gives" } else { "takes" },
        past(.after),
        waited.as_secs_f64()
    )]
    Stalled {
        /// Its name.
        device: String,
        /// Which way.
        direction: Direction,
        /// How much had been recorded or played.
        after: Duration,
        /// How long was waited.
        waited: Duration,
    },
    /// Every sample was the same.
    #[error("{device} gave nothing but silence for {:.1} s", heard.as_secs_f64())]
    Silent {
        /// Its name.
        device: String,
        /// How long was listened.
        heard: Duration,
    },
    /// It was stopped before the first sample.
    #[error("stopped before {device} gave a sample")]
    Nothing {
        /// Its name.
        device: String,
    },
    /// The clip to be played is none.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// Whatever else the sound system says.
    #[error("{device} failed{}: {why}", past(.after))]
    Other {
        /// Its name.
        device: String,
        /// How much had been recorded or played.
        after: Duration,
        /// What the system said.
        why: String,
    },
}

fn listed(direction: Direction, names: &[String]) -> String {
    if names.is_empty() {
        return format!("there are no {direction}s at all");
    }
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{direction}s: {}{rest}", shown.join(", "))
}

fn past(after: &Duration) -> String {
    if after.is_zero() { String::new() } else { format!(" after {:.1} s", after.as_secs_f64()) }
}

impl AudioError {
    /// The same after so much was recorded or played.
    pub(super) fn at(mut self, position: Duration) -> Self {
        match &mut self {
            AudioError::Gone { after, .. } | AudioError::Stalled { after, .. } | AudioError::Other { after, .. } => {
                *after = position;
            }
            _ => {}
        }
        self
    }

    /// The mend.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            AudioError::NoHost { .. } => {
                "start the sound server (PipeWire or PulseAudio), or check that this account may use /dev/snd"
            }
            AudioError::NoDevice { direction: Direction::Input } => {
                "plug in a microphone; `miyu devices` lists what there is"
            }
            AudioError::NoDevice { direction: Direction::Output } => {
                "plug in a speaker or headphones; `miyu devices` lists what there is"
            }
            AudioError::Unknown { .. } => {
                "`miyu devices` lists names and ids; give one to --device or in the table's [sound], or leave it out for \
                 the system's default"
            }
            AudioError::Busy { .. } => {
                "close the other program, or use the sound server's device, which several programs can share"
            }
            AudioError::Denied { .. } => {
                "allow it in the system's privacy settings; on Linux without a sound server, add the account to the group \
                 audio"
            }
            AudioError::Gone { .. } => "plug it in again, or choose another with --device; `miyu devices` lists them",
            AudioError::Format { .. } | AudioError::Other { .. } => {
                "choose another device with --device; `miyu devices` lists them, and -v tells more"
            }
            AudioError::Stalled { direction: Direction::Input, .. } => {
                "is it suspended, or held by another program? try another with --device; `miyu devices` lists them"
            }
            AudioError::Stalled { direction: Direction::Output, .. } => {
                "is the sound server suspended? try another output with --device; `miyu devices` lists them"
            }
            AudioError::Silent { .. } => {
                "is it muted, or is it not the microphone that you speak into? `miyu devices` lists them, --device chooses"
            }
            AudioError::Nothing { .. } => "let it run a little longer",
            AudioError::Clip(error) => return error.hint(),
        };
        Some(text.into())
    }
}
