//! What the window and the engine say to each other of clips: recorded, played, drawn.

use std::sync::Arc;

use super::talk::Fault;
use crate::identity::PeerId;
use crate::media::clip::{self, ClipError};
use crate::node::history::Target;

/// Bars of a wave form.
pub const BARS: usize = 80;
/// The longest clip that is recorded, in ms.
pub const RECORD_MS_MAX: u64 = 5_000;
/// A clip is drawn so many times as high as it is loud, at most: a whisper is seen, noise stays small.
const GAIN_MAX: f32 = 12.0;

/// Whether this build records and plays.
pub const HAS_SOUND: bool = cfg!(feature = "audio");

/// What the window asks for. At most one clip is recorded and one played: another ends the one before.
pub enum Ask {
    /// Records a clip; answered by [`News::Level`] while it lasts and [`News::Recorded`] at its end.
    Record {
        /// Given back in the answers.
        ticket: u64,
    },
    /// Ends the recording; what is recorded is kept.
    Finish,
    /// Gives the recording up.
    GiveUp,
    /// The wave form of a clip; answered by [`News::Wave`].
    Wave {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
    },
    /// Plays a clip; answered by [`News::At`] while it lasts and [`News::Played`] at its end.
    Play {
        /// Which.
        track: Track,
        /// Where to begin, in ms.
        from_ms: u64,
        /// Given back in the answers.
        ticket: u64,
    },
    /// Holds what plays, or lets it go on.
    Pause(bool),
    /// What plays goes on there.
    Seek {
        /// The place, in ms.
        to_ms: u64,
        /// Counts the seeks of this clip: what was told before this one is out of date.
        seeks: u64,
    },
    /// Ends what plays.
    Stop,
}

/// What the engine tells.
pub enum News {
    /// How loud it is, and how much is recorded.
    Level {
        /// Of the ask.
        ticket: u64,
        /// From 0 to 100, in equal steps of decibels.
        level: u8,
        /// In ms.
        recorded_ms: u64,
    },
    /// A recording has ended.
    Recorded {
        /// Of the ask.
        ticket: u64,
        /// The clip, or why there is none.
        clip: Result<Arc<Clip>, Fault>,
    },
    /// A wave form that was asked for.
    Wave {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
        /// The wave form, or why there is none.
        wave: Result<Wave, Fault>,
    },
    /// Where what plays is.
    At {
        /// Of the ask.
        ticket: u64,
        /// The last seek that it knows of.
        seeks: u64,
        /// The place, in ms.
        position_ms: u64,
    },
    /// What played has ended.
    Played {
        /// Of the ask.
        ticket: u64,
        /// Why, where it was not the end of the clip.
        fault: Option<Fault>,
    },
}

/// A clip that can be played.
#[derive(Clone)]
pub enum Track {
    /// One of a conversation.
    Message(PeerId, Target),
    /// One that waits in a composer.
    Draft(Arc<Clip>),
}

impl PartialEq for Track {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Message(peer, target), Self::Message(other, of)) => (peer, target) == (other, of),
            // the same words said twice are two clips
            (Self::Draft(clip), Self::Draft(other)) => Arc::ptr_eq(clip, other),
            _ => false,
        }
    }
}

/// A clip that is not sent yet.
pub struct Clip {
    /// A WAV file.
    pub wav: Vec<u8>,
    /// Its form.
    pub wave: Wave,
    /// Samples were lost while it was recorded.
    pub gaps: bool,
    /// It was recorded, and hardly anything is to be heard.
    pub quiet: bool,
}

// contents stay out of logs
impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clip({} ms)", self.wave.duration_ms)
    }
}

/// The form of a clip, as it is drawn.
#[derive(Clone, PartialEq, Eq)]
pub struct Wave {
    /// [`BARS`] heights; 255 is the whole height.
    pub bars: Vec<u8>,
    /// How long it is.
    pub duration_ms: u64,
}

impl Wave {
    /// Of a WAV file, which may be anything. Blocking: every sample is looked at.
    ///
    /// # Errors
    /// When it is no clip.
    pub fn of(wav: &[u8]) -> Result<Self, ClipError> {
        let (info, peaks) = clip::peaks(wav, BARS)?;
        let loudest = peaks.iter().copied().fold(0.0, f32::max);
        let gain = (1.0 / loudest.max(1e-6)).min(GAIN_MAX);
        let bars = peaks.iter().map(|peak| (peak * gain * 255.0).round() as u8).collect();
        Ok(Self { bars, duration_ms: info.duration_ms })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn wav(samples: &[i16]) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut out = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut out, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        out.into_inner()
    }

    #[test]
    fn a_whisper_is_drawn_high_and_noise_stays_small() {
        // silence, then something a quarter as loud as can be
        let half: Vec<i16> = (0..8_000).map(|n| if n < 4_000 { 0 } else { -8_192 }).collect();
        let wave = Wave::of(&wav(&half)).unwrap();
        assert_eq!((wave.bars.len(), wave.duration_ms), (BARS, 1_000));
        assert_eq!((wave.bars[0], wave.bars[BARS / 2 - 1], wave.bars[BARS / 2], wave.bars[BARS - 1]), (0, 0, 255, 255));
        let noise = Wave::of(&wav(&[33; 800])).unwrap();
        assert!(noise.bars.iter().all(|bar| *bar < 10), "{:?}", noise.bars[0]);
        assert!(Wave::of(&wav(&[0; 800])).unwrap().bars.iter().all(|bar| *bar == 0));
    }

    #[test]
    fn a_clip_of_few_samples_has_all_bars_and_what_is_none_is_refused() {
        let wave = Wave::of(&wav(&[32_767, 0, 16_384])).unwrap();
        assert_eq!((wave.bars[0], wave.bars[BARS / 2], wave.bars[BARS - 1]), (255, 0, 128));
        assert!(Wave::of(b"RIFF....WAVE").is_err());
    }
}
