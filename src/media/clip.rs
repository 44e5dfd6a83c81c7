//! Sound clips: WAV files, checked before they are sent, stored or played.

use std::io::{Cursor, Read};

use hound::{SampleFormat, WavReader};

/// Longest clip in bytes.
pub const CLIP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest clip in seconds.
pub const CLIP_SECONDS_MAX: u32 = 60;
/// Lowest sample rate in hertz.
pub const SAMPLE_RATE_MIN: u32 = 8_000;
/// Highest sample rate in hertz.
pub const SAMPLE_RATE_MAX: u32 = 192_000;
/// Most channels.
pub const CHANNELS_MAX: u16 = 2;

/// What is known of a clip after its check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipInfo {
    /// Samples a second and channel.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Bits of a sample.
    pub bits: u16,
    /// Whether samples are floating point.
    pub float: bool,
    /// Length in milliseconds, rounded down.
    pub duration_ms: u64,
    /// Largest magnitude of a sample; 1.0 is full scale (float samples can be above it).
    pub peak: f32,
    /// Whether every sample is the same: the microphone heard nothing at all.
    pub silent: bool,
}

/// Why a clip is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClipError {
    /// More bytes than a clip may have.
    #[error("clip of {bytes} bytes: at most {CLIP_BYTES_MAX}")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
    },
    /// The bytes do not begin like a WAV file.
    #[error("not a WAV file: {bytes} bytes that do not begin with RIFF and WAVE")]
    NotWav {
        /// Bytes given.
        bytes: usize,
    },
    /// The file ends before a chunk does.
    #[error("WAV cut short: its {chunk} chunk says {wanted} bytes, {got} are there")]
    CutShort {
        /// `fmt`, `data`, or `header`.
        chunk: &'static str,
        /// Bytes that should be there.
        wanted: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// A chunk that every WAV file has is not there.
    #[error("WAV without a {chunk} chunk")]
    NoChunk {
        /// `fmt` or `data`.
        chunk: &'static str,
    },
    /// Samples in a codec that is not read.
    #[error("WAV with {name} samples (format tag {tag:#06x}): only PCM and 32-bit float are read")]
    Codec {
        /// The format tag of the file.
        tag: u16,
        /// Name of the codec where it is known.
        name: &'static str,
    },
    /// The header contradicts itself.
    #[error("WAV with a faulty header: {reason}")]
    Header {
        /// What is wrong.
        reason: String,
    },
    /// A depth that is not read.
    #[error("WAV with {bits} bits a sample: must be 8, 16, 24, 32, or 32-bit float")]
    Bits {
        /// Bits of a sample.
        bits: u16,
    },
    /// Too many channels.
    #[error("WAV with {channels} channels: at most {CHANNELS_MAX}")]
    Channels {
        /// Channels of the file.
        channels: u16,
    },
    /// A sample rate out of bounds.
    #[error("WAV with {rate} samples a second: must be {SAMPLE_RATE_MIN} to {SAMPLE_RATE_MAX}")]
    Rate {
        /// Rate of the file.
        rate: u32,
    },
    /// No samples at all.
    #[error("WAV without a single sample")]
    Empty,
    /// Longer than a clip may be.
    #[error("clip of {seconds:.1} seconds: at most {CLIP_SECONDS_MAX}")]
    TooLong {
        /// Length in seconds.
        seconds: f64,
    },
    /// A float sample that is infinite or not a number.
    #[error("WAV sample {index} is infinite or not a number")]
    NotFinite {
        /// Index of the sample, channels counted singly.
        index: usize,
    },
}

impl ClipError {
    /// The mend, where there is one that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            ClipError::NotWav { .. }
            | ClipError::Codec { .. }
            | ClipError::Bits { .. }
            | ClipError::Channels { .. }
            | ClipError::Rate { .. } => "convert it, for example: sox IN -r 16000 -c 1 -b 16 OUT.wav",
            ClipError::TooLarge { .. } | ClipError::TooLong { .. } => "cut it, or send it with --file",
            ClipError::CutShort { .. } | ClipError::NoChunk { .. } => "record or copy it again; it is not whole",
            ClipError::Empty => "record it again; check that the microphone is on",
            ClipError::Header { .. } | ClipError::NotFinite { .. } => return None,
        };
        Some(text.into())
    }
}

/// Checks a WAV file whole: bounds, header, and that every sample can be read.
///
/// PCM of 8, 16, 24 or 32 bits or 32-bit float, mono or stereo, 8 to 192 kHz, up to 60 s and
/// 16 MiB.
///
/// # Errors
/// [`ClipError`] names what is wrong.
pub fn check(wav: &[u8]) -> Result<ClipInfo, ClipError> {
    walk(wav, |_| {})
}

/// [`check`], and the samples of the clip: channels interleaved, 1.0 is full scale.
///
/// # Errors
/// [`ClipError`] names what is wrong.
pub fn decode(wav: &[u8]) -> Result<(ClipInfo, Vec<f32>), ClipError> {
    let mut samples = Vec::new();
    let info = walk(wav, |sample| samples.push(sample))?;
    Ok((info, samples))
}

/// [`check`], and the largest magnitude in each of `parts` equal parts of the clip, 0 to 1: its wave form.
///
/// None of the samples are kept. Where there are fewer frames than parts, neighbours share one.
///
/// # Errors
/// [`ClipError`] names what is wrong.
pub fn peaks(wav: &[u8], parts: usize) -> Result<(ClipInfo, Vec<f32>), ClipError> {
    let mut samples = 0u64;
    let info = walk(wav, |_| samples += 1)?;
    let channels = u64::from(info.channels.max(1));
    let (frames, count) = ((samples / channels).max(1), parts as u64);
    let mut peaks = vec![0.0f32; parts];
    let mut at = 0;
    walk(wav, |sample| {
        let frame = at / channels;
        at += 1;
        let (first, end) = (frame * count / frames, ((frame + 1) * count).div_ceil(frames));
        for peak in peaks.get_mut(first as usize..end.min(count) as usize).into_iter().flatten() {
            *peak = peak.max(sample.abs());
        }
    })?;
    Ok((info, peaks))
}

fn walk(wav: &[u8], mut each: impl FnMut(f32)) -> Result<ClipInfo, ClipError> {
    if wav.len() > CLIP_BYTES_MAX {
        return Err(ClipError::TooLarge { bytes: wav.len() });
    }
    let chunks = Chunks::find(wav)?;
    let mut reader = WavReader::new(chunks.minimal()).map_err(|error| refused(&chunks, error))?;
    let spec = reader.spec();
    let float = spec.sample_format == SampleFormat::Float;
    check_spec(&spec)?;
    let frames = reader.duration();
    if frames == 0 {
        return Err(ClipError::Empty);
    }
    if u64::from(frames) > u64::from(CLIP_SECONDS_MAX) * u64::from(spec.sample_rate) {
        return Err(ClipError::TooLong { seconds: f64::from(frames) / f64::from(spec.sample_rate) });
    }
    let mut level = Level::default();
    if float {
        for (index, sample) in reader.samples::<f32>().enumerate() {
            let sample = sample.map_err(|error| refused(&chunks, error))?;
            if !sample.is_finite() {
                return Err(ClipError::NotFinite { index });
            }
            level.add(sample);
            // over the full scale a speaker clips all the same, and a resampler's sums overflow far above it
            each(sample.clamp(-1.0, 1.0));
        }
    } else {
        let full = 2.0f32.powi(i32::from(spec.bits_per_sample) - 1);
        for sample in reader.samples::<i32>() {
            let sample = sample.map_err(|error| refused(&chunks, error))? as f32 / full;
            level.add(sample);
            each(sample);
        }
    }
    Ok(ClipInfo {
        sample_rate: spec.sample_rate,
        channels: spec.channels,
        bits: spec.bits_per_sample,
        float,
        duration_ms: u64::from(frames) * 1_000 / u64::from(spec.sample_rate),
        peak: level.peak,
        silent: level.low == level.high,
    })
}

fn check_spec(spec: &hound::WavSpec) -> Result<(), ClipError> {
    if spec.channels > CHANNELS_MAX {
        return Err(ClipError::Channels { channels: spec.channels });
    }
    if !(SAMPLE_RATE_MIN..=SAMPLE_RATE_MAX).contains(&spec.sample_rate) {
        return Err(ClipError::Rate { rate: spec.sample_rate });
    }
    let known = match spec.sample_format {
        SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
        SampleFormat::Float => spec.bits_per_sample == 32,
    };
    if !known {
        return Err(ClipError::Bits { bits: spec.bits_per_sample });
    }
    Ok(())
}

/// Range of the samples seen.
struct Level {
    low: f32,
    high: f32,
    peak: f32,
}

impl Default for Level {
    fn default() -> Level {
        Level { low: f32::INFINITY, high: f32::NEG_INFINITY, peak: 0.0 }
    }
}

impl Level {
    fn add(&mut self, sample: f32) {
        self.low = self.low.min(sample);
        self.high = self.high.max(sample);
        self.peak = self.peak.max(sample.abs());
    }
}

/// The two chunks of a WAV file that matter.
struct Chunks<'a> {
    format: &'a [u8],
    data: &'a [u8],
}

impl<'a> Chunks<'a> {
    /// Walks the chunks. A chunk of odd length is followed by a padding byte; hound steps over
    /// other chunks without it and loses its place, so it is given these two alone.
    fn find(wav: &'a [u8]) -> Result<Chunks<'a>, ClipError> {
        if wav.len() < 12 || &wav[..4] != b"RIFF" || &wav[8..12] != b"WAVE" {
            return Err(ClipError::NotWav { bytes: wav.len() });
        }
        let mut format = None;
        let mut rest = &wav[12..];
        while let Some((head, body)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let chunk = match &head[..4] {
                b"fmt " => "fmt",
                b"data" => "data",
                _ => "header",
            };
            let Some((content, after)) = body.split_at_checked(length) else {
                return Err(ClipError::CutShort { chunk, wanted: length, got: body.len() });
            };
            match (chunk, format) {
                ("fmt", None) => format = Some(content),
                ("data", Some(format)) => {
                    return Ok(Chunks { format, data: content });
                }
                ("data", None) => return Err(ClipError::NoChunk { chunk: "fmt" }),
                _ => {}
            }
            rest = if length % 2 == 1 && !after.is_empty() { &after[1..] } else { after };
        }
        match format {
            _ if !rest.is_empty() => Err(ClipError::CutShort { chunk: "header", wanted: 8, got: rest.len() }),
            None => Err(ClipError::NoChunk { chunk: "fmt" }),
            Some(_) => Err(ClipError::NoChunk { chunk: "data" }),
        }
    }

    /// The format tag; for the extensible form the one within its GUID.
    fn tag(&self) -> u16 {
        let at = |place: usize| self.format.get(place..place + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
        match at(0) {
            0xfffe => at(24),
            tag => tag,
        }
    }

    /// A WAV file of the two chunks alone.
    fn minimal(&self) -> impl Read + 'a {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let mut head = Vec::with_capacity(28 + self.format.len());
        head.extend_from_slice(b"RIFF");
        head.extend_from_slice(&length(20 + self.format.len() + self.data.len()));
        head.extend_from_slice(b"WAVEfmt ");
        head.extend_from_slice(&length(self.format.len()));
        head.extend_from_slice(self.format);
        head.extend_from_slice(b"data");
        head.extend_from_slice(&length(self.data.len()));
        Cursor::new(head).chain(Cursor::new(self.data))
    }
}

/// Our name for what hound says. Chunks are whole by now, so running out of bytes means that the
/// format chunk is shorter than its kind needs.
fn refused(chunks: &Chunks<'_>, error: hound::Error) -> ClipError {
    let tag = chunks.tag();
    if !matches!(tag, 1 | 3) {
        let name = match tag {
            0x0002 | 0x0011 => "ADPCM",
            0x0006 => "A-law",
            0x0007 => "mu-law",
            0x0031 => "GSM 6.10",
            0x0050 | 0x0055 => "MPEG",
            _ => "unknown",
        };
        return ClipError::Codec { tag, name };
    }
    match error {
        hound::Error::FormatError(reason) => ClipError::Header { reason: reason.into() },
        hound::Error::IoError(_) => ClipError::CutShort { chunk: "fmt", wanted: 16, got: chunks.format.len() },
        other => ClipError::Header { reason: other.to_string() },
    }
}
