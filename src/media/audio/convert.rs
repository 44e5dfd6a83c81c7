//! Samples of any device to and from ours: formats, channels, rates, and WAV files.

use std::io::Cursor;
use std::time::Duration;

use cpal::SampleFormat;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::Format;
use super::level::Meter;

/// Samples a second of the clips that are recorded: speech needs no more.
pub const CLIP_RATE: u32 = 16_000;
/// Frames that the resampler takes at once. The longer, the closer to the Nyquist frequency its filter begins.
const RESAMPLER_FRAMES: usize = 2_048;

/// One sample of a device's bytes as a number from -1 to 1; `None` for a format that is not read.
pub(super) fn decoder(format: SampleFormat) -> Option<fn(&[u8]) -> f32> {
    fn number<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.try_into().unwrap_or([0; N])
    }
    // 24 bits stand in the lower three bytes of four; nobody promises what the fourth holds
    fn low_24(bytes: &[u8]) -> i32 {
        i32::from_ne_bytes(number(bytes)) << 8
    }
    // a mixer of the system may be over the full scale a little; beyond, the resampler's sums would overflow
    fn finite(sample: f32) -> f32 {
        if sample.is_finite() { sample.clamp(-8.0, 8.0) } else { 0.0 }
    }
    Some(match format {
        SampleFormat::I8 => |b| f32::from(i8::from_ne_bytes(number(b))) / 128.0,
        SampleFormat::U8 => |b| (f32::from(u8::from_ne_bytes(number(b))) - 128.0) / 128.0,
        SampleFormat::I16 => |b| f32::from(i16::from_ne_bytes(number(b))) / 32_768.0,
        SampleFormat::U16 => |b| (f32::from(u16::from_ne_bytes(number(b))) - 32_768.0) / 32_768.0,
        SampleFormat::I24 => |b| low_24(b) as f32 / 2_147_483_648.0,
        SampleFormat::U24 => |b| (low_24(b) ^ i32::MIN) as f32 / 2_147_483_648.0,
        SampleFormat::I32 => |b| i32::from_ne_bytes(number(b)) as f32 / 2_147_483_648.0,
        SampleFormat::U32 => |b| (i32::from_ne_bytes(number(b)) ^ i32::MIN) as f32 / 2_147_483_648.0,
        SampleFormat::I64 => |b| (i64::from_ne_bytes(number(b)) >> 32) as f32 / 2_147_483_648.0,
        SampleFormat::U64 => |b| ((i64::from_ne_bytes(number(b)) ^ i64::MIN) >> 32) as f32 / 2_147_483_648.0,
        SampleFormat::F32 => |b| finite(f32::from_ne_bytes(number(b))),
        SampleFormat::F64 => |b| finite(f64::from_ne_bytes(number(b)) as f32),
        _ => return None,
    })
}

/// The other way: a number, cut to -1 to 1, as the bytes of a device's sample.
pub(super) fn encoder(format: SampleFormat) -> Option<fn(f32, &mut [u8])> {
    fn put(bytes: &mut [u8], number: &[u8]) {
        if bytes.len() == number.len() {
            bytes.copy_from_slice(number);
        }
    }
    // full scale is 2^(bits - 1), which is one more than the largest number: `as` stops there
    fn scaled(sample: f32, bits: i32) -> i64 {
        let full = 2f64.powi(bits - 1);
        (f64::from(sample.clamp(-1.0, 1.0)) * full).round().clamp(-full, full - 1.0) as i64
    }
    Some(match format {
        SampleFormat::I8 => |s, b| put(b, &(scaled(s, 8) as i8).to_ne_bytes()),
        SampleFormat::U8 => |s, b| put(b, &((scaled(s, 8) + (1 << 7)) as u8).to_ne_bytes()),
        SampleFormat::I16 => |s, b| put(b, &(scaled(s, 16) as i16).to_ne_bytes()),
        SampleFormat::U16 => |s, b| put(b, &((scaled(s, 16) + (1 << 15)) as u16).to_ne_bytes()),
        SampleFormat::I24 => |s, b| put(b, &(scaled(s, 24) as i32).to_ne_bytes()),
        SampleFormat::U24 => |s, b| put(b, &((scaled(s, 24) + (1 << 23)) as i32).to_ne_bytes()),
        SampleFormat::I32 => |s, b| put(b, &(scaled(s, 32) as i32).to_ne_bytes()),
        SampleFormat::U32 => |s, b| put(b, &((scaled(s, 32) + (1 << 31)) as u32).to_ne_bytes()),
        SampleFormat::I64 => |s, b| put(b, &(scaled(s, 32) << 32).to_ne_bytes()),
        SampleFormat::U64 => |s, b| put(b, &(((scaled(s, 32) << 32) ^ i64::MIN) as u64).to_ne_bytes()),
        SampleFormat::F32 => |s, b| put(b, &s.clamp(-1.0, 1.0).to_ne_bytes()),
        SampleFormat::F64 => |s, b| put(b, &f64::from(s.clamp(-1.0, 1.0)).to_ne_bytes()),
        _ => return None,
    })
}

/// Makes one channel of many.
///
/// A microphone on a stereo input often speaks on one of its channels alone. The mean is therefore taken over the
/// channels that have given anything but zero: it is neither half as loud then, nor can it clip.
pub(super) struct Mixer {
    decode: fn(&[u8]) -> f32,
    sample_bytes: usize,
    live: Vec<bool>,
    /// Sums over the channels, one a frame.
    sums: Vec<f32>,
    frames_max: usize,
    lowest: f32,
    highest: f32,
}

impl Mixer {
    /// For a device's format, up to so many frames; `None` for a format that is not read.
    pub(super) fn new(format: &Format, frames_max: usize) -> Option<Self> {
        Some(Self {
            decode: decoder(format.sample)?,
            sample_bytes: format.sample.sample_size(),
            live: vec![false; usize::from(format.channels.max(1))],
            sums: Vec::with_capacity(frames_max),
            frames_max,
            lowest: f32::INFINITY,
            highest: f32::NEG_INFINITY,
        })
    }

    /// Takes whole frames; those over the length that is wanted are left out.
    pub(super) fn add(&mut self, bytes: &[u8], meter: &mut Meter) {
        let frame_bytes = self.sample_bytes * self.live.len();
        let room = self.frames_max - self.sums.len();
        for frame in bytes.chunks_exact(frame_bytes).take(room) {
            let mut sum = 0.0;
            for (bytes, live) in frame.chunks_exact(self.sample_bytes).zip(&mut self.live) {
                let sample = (self.decode)(bytes);
                *live |= sample != 0.0;
                self.lowest = self.lowest.min(sample);
                self.highest = self.highest.max(sample);
                sum += sample;
            }
            self.sums.push(sum);
            meter.add(sum / self.live_channels());
        }
    }

    fn live_channels(&self) -> f32 {
        self.live.iter().filter(|live| **live).count().max(1) as f32
    }

    pub(super) fn frames(&self) -> usize {
        self.sums.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.sums.len() >= self.frames_max
    }

    /// Whether every sample of every channel was the same.
    pub(super) fn is_silent(&self) -> bool {
        self.lowest >= self.highest
    }

    pub(super) fn into_mono(self) -> Vec<f32> {
        let channels = self.live_channels();
        self.sums.into_iter().map(|sum| sum / channels).collect()
    }
}

/// The same sound at another rate; `samples` are interleaved. The length is the nearest number of frames.
///
/// # Errors
/// The resampler's words, for rates that it does not take.
pub(super) fn resample(samples: Vec<f32>, channels: usize, from: u32, to: u32) -> Result<Vec<f32>, String> {
    if from == to || samples.is_empty() {
        return Ok(samples);
    }
    let frames = samples.len() / channels.max(1);
    let window = WindowFunction::BlackmanHarris2;
    let fft = Fft::new_custom(from as usize, to as usize, RESAMPLER_FRAMES, 1, channels, window, FixedSync::Both);
    let mut fft = fft.map_err(|error| error.to_string())?;
    let input = InterleavedSlice::new(&samples, channels, frames).map_err(|error| error.to_string())?;
    let output = fft.process_all(&input, frames, None).map_err(|error| error.to_string())?;
    let mut output = output.take_data();
    output.resize(frames_at(frames, from, to) * channels, 0.0);
    Ok(output)
}

/// How many frames `frames` at the rate `from` are at the rate `to`, rounded to the nearest.
pub(super) fn frames_at(frames: usize, from: u32, to: u32) -> usize {
    let (frames, from, to) = (frames as u128, u128::from(from.max(1)), u128::from(to));
    usize::try_from((frames * to + from / 2) / from).unwrap_or(usize::MAX)
}

/// How long so many frames are.
pub(super) fn time_of(frames: u64, rate: u32) -> Duration {
    let nanos = u128::from(frames) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many frames so long a time is.
pub(super) fn frames_of(time: Duration, rate: u32) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
}

/// A WAV file of 16 bits and one channel at [`CLIP_RATE`].
///
/// # Errors
/// hound's words; into memory it does not fail.
pub(super) fn to_wav(mono: &[f32]) -> Result<Vec<u8>, String> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: CLIP_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::with_capacity(44 + mono.len() * 2));
    let mut writer = hound::WavWriter::new(&mut bytes, spec).map_err(|error| error.to_string())?;
    for sample in mono {
        let number = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        writer.write_sample(number).map_err(|error| error.to_string())?;
    }
    writer.finalize().map_err(|error| error.to_string())?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
