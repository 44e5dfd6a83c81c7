//! Microphones and speakers: clips of a few seconds, recorded and played.
//!
//! - [`devices`]: what the sound system has, and which of it is used;
//! - [`Recorder`]: a clip from a microphone, with its level while it is recorded;
//! - [`Player`]: any clip that [`clip::check`](crate::media::clip::check) accepts, with position, pause and seek.
//!
//! Both are handles: the work is done on threads of their own, what they tell is read from atomics, and they may be
//! polled from a window's frame. Time is counted in samples, never by the clock: the clock only says that a device has
//! stopped giving or taking any.
//!
//! In the sound system's callbacks bytes are copied and nothing else: no allocation, no lock, no system call that
//! waits. The real devices stand behind [`InputDevice`] and [`OutputDevice`]; the tests put worse ones there.

pub mod devices;

#[cfg(target_os = "linux")]
mod alsa;
mod convert;
mod error;
mod hold;
mod level;
mod play;
#[cfg(target_os = "linux")]
mod pulse;
mod record;
mod stream;

use std::time::Duration;

pub use convert::CLIP_RATE;
pub use error::{AudioError, Direction};
pub use hold::Alarm;
pub use level::Level;
pub use play::{Player, State, Voice};
pub use record::{Recorder, Recording, Tap};

/// The longest clip that is recorded.
pub const RECORD_MAX: Duration = Duration::from_secs(5);

/// How a device gives or takes samples: frames of interleaved channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The numbers.
    pub sample: cpal::SampleFormat,
    /// Frames a second.
    pub rate: u32,
    /// Samples in a frame.
    pub channels: u16,
}

impl Format {
    fn frame_bytes(&self) -> usize {
        self.sample.sample_size() * usize::from(self.channels.max(1))
    }
}

/// The lowest and highest rates of devices that are used.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=768_000;
/// Most channels of a device that is used: MADI has so many.
const CHANNELS_MAX: u16 = 64;

/// Whether a device can be used in this format at all.
fn usable(format: Format, device: &str) -> Result<Format, AudioError> {
    let why = if !RATES.contains(&format.rate) {
        format!("{} samples a second, not within {} to {}", format.rate, RATES.start(), RATES.end())
    } else if !(1..=CHANNELS_MAX).contains(&format.channels) {
        format!("{} channels, not within 1 to {CHANNELS_MAX}", format.channels)
    } else if convert::decoder(format.sample).is_none() {
        format!("samples of type {}", format.sample)
    } else {
        return Ok(format);
    };
    Err(AudioError::Format { device: device.to_owned(), why })
}

/// A running stream; dropping it closes the device.
pub type Stream = Box<dyn std::any::Any>;

/// A microphone.
pub trait InputDevice: Send + 'static {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// How it gives its samples.
    ///
    /// # Errors
    /// When it is not there, or may not be asked.
    fn format(&self) -> Result<Format, AudioError>;

    /// Opens it: from now on it gives whole frames to `tap`, and what befalls it to `alarm`. May block.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn start(&self, format: Format, tap: Tap, alarm: Alarm) -> Result<Stream, AudioError>;
}

/// A speaker.
pub trait OutputDevice: Send + 'static {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// How it takes its samples.
    ///
    /// # Errors
    /// When it is not there, or may not be asked.
    fn format(&self) -> Result<Format, AudioError>;

    /// Opens it: from now on it takes whole frames from `voice`, and gives what befalls it to `alarm`. May block.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn start(&self, format: Format, voice: Voice, alarm: Alarm) -> Result<Stream, AudioError>;
}

/// How long a device may be quiet before it is given up.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the first samples: a Bluetooth headset changes its profile, and a sound server may have to end a pause
    /// of its own (PulseAudio's null sink sleeps for up to two seconds) before its monitor says anything.
    pub first: Duration,
    /// Between samples.
    pub next: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_secs(6), next: Duration::from_secs(3) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod fake;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
