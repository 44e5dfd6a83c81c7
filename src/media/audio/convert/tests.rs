//! Formats, channels and rates, without a device.

use std::f64::consts::TAU;

use super::*;
use crate::media::audio::level::Gauge;

const FORMATS: [SampleFormat; 12] = [
    SampleFormat::I8,
    SampleFormat::U8,
    SampleFormat::I16,
    SampleFormat::U16,
    SampleFormat::I24,
    SampleFormat::U24,
    SampleFormat::I32,
    SampleFormat::U32,
    SampleFormat::I64,
    SampleFormat::U64,
    SampleFormat::F32,
    SampleFormat::F64,
];

fn sine(hertz: f64, rate: u32, frames: usize) -> Vec<f32> {
    (0..frames).map(|i| (0.5 * (TAU * hertz * i as f64 / f64::from(rate)).sin()) as f32).collect()
}

/// Amplitude of the part of the sound that has this frequency; the ends, where a filter begins and ends, left out.
fn amplitude(samples: &[f32], hertz: f64, rate: u32) -> f64 {
    let inner = &samples[samples.len() / 8..samples.len() * 7 / 8];
    // a window, so that a strong tone does not leak into the measure of another
    let window = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / inner.len() as f64).cos();
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (i, sample) in inner.iter().enumerate() {
        let angle = TAU * hertz * i as f64 / f64::from(rate);
        re += window(i) * f64::from(*sample) * angle.cos();
        im += window(i) * f64::from(*sample) * angle.sin();
        weight += window(i);
    }
    2.0 * re.hypot(im) / weight
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn every_format_is_read_as_it_is_written() {
    for format in FORMATS {
        let (encode, decode) = (encoder(format).unwrap(), decoder(format).unwrap());
        let mut bytes = vec![0; format.sample_size()];
        let step = if format.bits_per_sample() == 8 { 1.0 / 128.0 } else { 1.0 / 32_768.0 };
        for sample in [-1.0, -0.5, -0.013, 0.0, 0.25, 0.7, 0.99, 1.0, 7.0, -7.0] {
            encode(sample, &mut bytes);
            let read = decode(&bytes);
            assert!((read - sample.clamp(-1.0, 1.0)).abs() <= step, "{format}: {sample} is {read}");
        }
        encode(0.0, &mut bytes);
        assert_eq!(decode(&bytes), 0.0, "{format}: silence");
    }
    assert!(decoder(SampleFormat::DsdU8).is_none() && encoder(SampleFormat::DsdU8).is_none());
}

#[test]
fn known_bytes_have_their_meaning() {
    let read = |format, bytes: &[u8]| decoder(format).unwrap()(bytes);
    assert_eq!(read(SampleFormat::U8, &[0]), -1.0);
    assert_eq!(read(SampleFormat::U8, &[192]), 0.5);
    assert_eq!(read(SampleFormat::I16, &(-16_384i16).to_ne_bytes()), -0.5);
    assert_eq!(read(SampleFormat::U16, &49_152u16.to_ne_bytes()), 0.5);
    // the fourth byte of 24 bits is no part of the number
    assert_eq!(read(SampleFormat::I24, &0x5540_0000u32.to_ne_bytes()), 0.5);
    assert_eq!(read(SampleFormat::I24, &0x00c0_0000u32.to_ne_bytes()), -0.5);
    assert_eq!(read(SampleFormat::U24, &0xaac0_0000u32.to_ne_bytes()), 0.5);
    assert_eq!(read(SampleFormat::I32, &(1i32 << 30).to_ne_bytes()), 0.5);
    assert_eq!(read(SampleFormat::U64, &(3u64 << 62).to_ne_bytes()), 0.5);
    assert_eq!(read(SampleFormat::F32, &f32::NAN.to_ne_bytes()), 0.0);
    assert_eq!(read(SampleFormat::F64, &f64::INFINITY.to_ne_bytes()), 0.0);
}

#[test]
fn a_tone_keeps_its_pitch_and_level_at_every_rate() {
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 44_056] {
        let at_16k = resample(sine(1_000.0, rate, rate as usize), 1, rate, 16_000).unwrap();
        assert_eq!(at_16k.len(), 16_000, "{rate}");
        let level = decibels(amplitude(&at_16k, 1_000.0, 16_000) / 0.5);
        assert!(level.abs() < 0.1, "{rate}: {level} dB");
        for other in [500.0, 1_500.0, 3_000.0, 7_000.0] {
            let noise = decibels(amplitude(&at_16k, other, 16_000) / 0.5);
            assert!(noise < -80.0, "{rate}: {noise} dB at {other} Hz");
        }
    }
}

#[test]
fn what_the_clip_cannot_hold_leaves_no_alias() {
    for rate in [44_100, 48_000, 96_000] {
        for (hertz, alias) in [(10_000.0, 6_000.0), (8_600.0, 7_400.0), (15_000.0, 1_000.0)] {
            let at_16k = resample(sine(hertz, rate, rate as usize), 1, rate, 16_000).unwrap();
            let left = decibels(amplitude(&at_16k, alias, 16_000) / 0.5);
            assert!(left < -60.0, "{rate}: {hertz} Hz is {left} dB at {alias} Hz");
        }
        // what speech has is kept
        let at_16k = resample(sine(7_000.0, rate, rate as usize), 1, rate, 16_000).unwrap();
        let kept = decibels(amplitude(&at_16k, 7_000.0, 16_000) / 0.5);
        assert!(kept.abs() < 0.5, "{rate}: 7 kHz is {kept} dB");
    }
}

#[test]
fn nothing_is_shifted_and_channels_stay_apart() {
    let mut clicks = vec![0.0; 2 * 48_000];
    clicks[2 * 24_000] = 1.0;
    clicks[2 * 36_000 + 1] = 1.0;
    let at_16k = resample(clicks, 2, 48_000, 16_000).unwrap();
    let loudest = |channel: usize| {
        let level = |frame: &usize| (at_16k[2 * frame + channel] * 1e6) as i64;
        (0..16_000).max_by_key(level).unwrap()
    };
    assert_eq!((loudest(0), loudest(1)), (8_000, 12_000));
}

#[test]
fn lengths_are_the_nearest() {
    for (frames, from, to, wanted) in
        [(220_500, 44_100, 16_000, 80_000), (1, 48_000, 16_000, 0), (2, 48_000, 16_000, 1), (441, 44_100, 48_000, 480)]
    {
        assert_eq!(frames_at(frames, from, to), wanted);
        assert_eq!(resample(vec![0.1; frames], 1, from, to).unwrap().len(), wanted);
    }
    assert_eq!(time_of(80_000, 16_000), Duration::from_secs(5));
    assert_eq!(frames_of(Duration::from_secs(5), 44_100), 220_500);
    assert_eq!(frames_of(Duration::MAX, 192_000), u64::MAX);
}

fn mixed(channels: u16, frames: &[&[f32]], frames_max: usize) -> (Vec<f32>, bool) {
    let format = Format { sample: SampleFormat::F32, rate: 48_000, channels };
    let mut mixer = Mixer::new(&format, frames_max).unwrap();
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().flat_map(|s| s.to_ne_bytes())).collect();
    let mut meter = Meter::new(Gauge::default(), 48_000);
    // in pieces of whole frames
    for piece in bytes.chunks(3 * format.frame_bytes()) {
        mixer.add(piece, &mut meter);
    }
    let silent = mixer.is_silent();
    (mixer.into_mono(), silent)
}

#[test]
fn channels_are_mixed_to_one() {
    assert_eq!(mixed(1, &[&[0.5], &[-0.25]], 9), (vec![0.5, -0.25], false));
    assert_eq!(mixed(2, &[&[0.5, 0.25], &[1.0, 1.0]], 9), (vec![0.375, 1.0], false));
    // a microphone on one of many channels is as loud as it is
    assert_eq!(mixed(2, &[&[0.0, 0.5], &[0.0, -0.5]], 9), (vec![0.5, -0.5], false));
    assert_eq!(mixed(6, &[&[0.0, 0.0, 0.0, 0.5, 0.0, 0.0]], 9), (vec![0.5], false));
    // and no more than is wanted is taken
    assert_eq!(mixed(1, &[&[0.5f32][..]; 10], 4).0, [0.5; 4]);
}

#[test]
fn silence_is_known_whatever_its_value() {
    assert!(mixed(2, &[&[0.0f32, 0.0][..]; 10], 99).1);
    assert!(mixed(2, &[&[0.25f32, 0.25][..]; 10], 99).1);
    assert!(mixed(1, &[], 99).1);
    assert!(!mixed(2, &[&[0.0, 0.0], &[0.0, 1e-3]], 99).1);
}

#[test]
fn a_wav_file_holds_what_was_given() {
    let wav = to_wav(&[0.0, 0.5, -0.5, 1.0, -1.0, 3.0]).unwrap();
    let (info, samples) = crate::media::clip::decode(&wav).unwrap();
    assert_eq!((info.sample_rate, info.channels, info.bits, info.float), (CLIP_RATE, 1, 16, false));
    assert_eq!(samples, [0.0, 0.5, -0.5, 32_767.0 / 32_768.0, -1.0, 32_767.0 / 32_768.0]);
    // RIFF, its length, WAVE, fmt of 16 bytes, data of 12
    assert_eq!((wav.len(), &wav[..4], &wav[36..40]), (44 + 12, &b"RIFF"[..], &b"data"[..]));
}
