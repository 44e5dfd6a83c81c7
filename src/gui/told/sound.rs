//! What befalls clips, microphones and speakers.

use super::Told;
use crate::gui::said::Said;
#[cfg(feature = "audio")]
use crate::media::audio::{AudioError, Direction};
use crate::media::clip::ClipError;

impl Told for ClipError {
    fn mend(&self) -> Option<String> {
        self.hint()
    }

    fn said(&self) -> Said {
        match self {
            Self::TooLarge { .. } | Self::TooLong { .. } => Said::new("fault-clip-long"),
            Self::NotWav { .. } => Said::new("fault-clip-unknown"),
            Self::CutShort { .. } | Self::NoChunk { .. } => Said::new("fault-clip-cut"),
            Self::Codec { .. } | Self::Bits { .. } | Self::Channels { .. } | Self::Rate { .. } => {
                Said::new("fault-clip-format").text("what", self)
            }
            Self::Empty => Said::new("fault-clip-empty"),
            Self::Header { .. } | Self::NotFinite { .. } => Said::new("fault-clip-damaged"),
        }
    }
}

#[cfg(feature = "audio")]
impl Told for AudioError {
    fn mend(&self) -> Option<String> {
        self.hint()
    }

    fn said(&self) -> Said {
        match self {
            Self::NoHost { why } => Said::new("fault-sound-none").text("why", why),
            Self::NoDevice { direction: Direction::Input } => Said::new("fault-microphone-none"),
            Self::NoDevice { direction: Direction::Output } => Said::new("fault-speaker-none"),
            Self::Unknown { wanted, names, .. } => {
                Said::new("fault-sound-unknown").text("wanted", wanted).text("names", names.join(", "))
            }
            Self::Busy { device } => Said::new("fault-sound-busy").text("device", device),
            Self::Denied { device, why } => Said::new("fault-sound-denied").text("device", device).text("why", why),
            Self::Gone { device, why, .. } => Said::new("fault-sound-gone").text("device", device).text("why", why),
            Self::Format { device, why } | Self::Other { device, why, .. } => {
                Said::new("fault-sound-failed").text("device", device).text("why", why)
            }
            Self::Stalled { device, direction: Direction::Input, .. } => {
                Said::new("fault-microphone-stalled").text("device", device)
            }
            Self::Stalled { device, direction: Direction::Output, .. } => {
                Said::new("fault-speaker-stalled").text("device", device)
            }
            Self::Silent { device, .. } => Said::new("fault-microphone-silent").text("device", device),
            Self::Nothing { device } => Said::new("fault-microphone-nothing").text("device", device),
            Self::Clip(error) => error.said(),
        }
    }
}

/// One of each.
#[cfg(test)]
pub(super) fn all() -> Vec<crate::gui::talk::Fault> {
    use crate::gui::talk::Fault;
    let clips = [
        ClipError::TooLarge { bytes: 1 << 30 },
        ClipError::NotWav { bytes: 3 },
        ClipError::CutShort { chunk: "data", wanted: 9, got: 8 },
        ClipError::NoChunk { chunk: "fmt" },
        ClipError::Codec { tag: 2, name: "ADPCM" },
        ClipError::Header { reason: "odd".into() },
        ClipError::Bits { bits: 12 },
        ClipError::Channels { channels: 6 },
        ClipError::Rate { rate: 1 },
        ClipError::Empty,
        ClipError::TooLong { seconds: 61.0 },
        ClipError::NotFinite { index: 7 },
    ];
    let all = clips.iter().map(Fault::of);
    #[cfg(feature = "audio")]
    let all = all.chain(devices().iter().map(Fault::of).collect::<Vec<_>>());
    all.collect()
}

#[cfg(all(test, feature = "audio"))]
fn devices() -> Vec<AudioError> {
    let (device, why, after) = (|| "USB".to_owned(), || "odd".to_owned(), std::time::Duration::ZERO);
    let mut all = vec![
        AudioError::NoHost { why: why() },
        AudioError::Busy { device: device() },
        AudioError::Denied { device: device(), why: why() },
        AudioError::Gone { device: device(), after, why: why() },
        AudioError::Format { device: device(), why: why() },
        AudioError::Silent { device: device(), heard: after },
        AudioError::Nothing { device: device() },
        AudioError::Clip(ClipError::Empty),
        AudioError::Other { device: device(), after, why: why() },
    ];
    for direction in [Direction::Input, Direction::Output] {
        all.push(AudioError::NoDevice { direction });
        all.push(AudioError::Unknown { direction, wanted: device(), names: vec!["a".into(), "b".into()] });
        all.push(AudioError::Stalled { device: device(), direction, after, waited: after });
    }
    all
}
