//! WAV clips.

use miyu::media::clip::{self, ClipError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::asset;

fn wav(spec: hound::WavSpec, samples: impl Iterator<Item = f32>) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut out, spec).unwrap();
    let full = (1i64 << (spec.bits_per_sample - 1)) as f64 - 1.0;
    for sample in samples {
        match spec.sample_format {
            hound::SampleFormat::Float => writer.write_sample(sample).unwrap(),
            hound::SampleFormat::Int => writer.write_sample((f64::from(sample) * full) as i32).unwrap(),
        }
    }
    writer.finalize().unwrap();
    out.into_inner()
}

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> hound::WavSpec {
    hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format: hound::SampleFormat::Int }
}

fn tone(samples: usize) -> impl Iterator<Item = f32> {
    (0..samples).map(|at| (at as f32 * 0.05).sin() * 0.5)
}

#[test]
fn good_clips_are_described() {
    for bits in [8, 16, 24, 32] {
        for channels in [1, 2] {
            let bytes = wav(spec(channels, 16_000, bits), tone(8_000 * usize::from(channels)));
            let info = clip::check(&bytes).unwrap();
            assert_eq!((info.sample_rate, info.channels, info.bits, info.float), (16_000, channels, bits, false));
            assert_eq!((info.duration_ms, info.silent), (500, false));
            assert!((0.48..0.52).contains(&info.peak), "{} at {bits} bits", info.peak);
        }
    }
    let float = hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(2, 48_000, 32) };
    let info = clip::check(&wav(float, tone(96_000))).unwrap();
    assert_eq!((info.float, info.duration_ms), (true, 1_000));

    let info = clip::check(&std::fs::read(asset("clip.wav")).unwrap()).unwrap();
    assert_eq!((info.sample_rate, info.channels, info.bits, info.duration_ms), (16_000, 1, 16, 5_000));
    assert!(info.peak > 0.5 && !info.silent);
}

#[test]
fn a_wave_form_has_the_loudest_sample_of_each_part() {
    // a ramp on the left channel, the right one silent
    let ramp = (0..2_000).map(|at| if at % 2 == 0 { at as f32 / 2_000.0 } else { 0.0 });
    let (info, peaks) = clip::peaks(&wav(spec(2, 8_000, 16), ramp), 10).unwrap();
    assert_eq!((info.duration_ms, peaks.len()), (125, 10));
    for (part, peak) in peaks.iter().enumerate() {
        assert!((peak - (part + 1) as f32 / 10.0).abs() < 0.002, "{part}: {peak}");
    }
    // fewer frames than parts, no parts, and what is no clip
    let few = wav(spec(1, 8_000, 16), [-0.5, 0.25].into_iter());
    let halves = clip::peaks(&few, 4).unwrap().1;
    assert!(
        halves.iter().zip([0.5, 0.5, 0.25, 0.25]).all(|(peak, wanted)| (peak - wanted).abs() < 0.001),
        "{halves:?}"
    );
    assert!(clip::peaks(&few, 0).unwrap().1.is_empty());
    let float = hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(1, 8_000, 32) };
    let endless = clip::peaks(&wav(float, [0.0, f32::NAN].into_iter()), 4);
    assert_eq!(endless, Err(ClipError::NotFinite { index: 1 }));
}

#[test]
fn silence_is_reported() {
    let info = clip::check(&wav(spec(1, 8_000, 16), std::iter::repeat_n(0.0, 800))).unwrap();
    assert!(info.silent && info.peak == 0.0);
    let info = clip::check(&wav(spec(1, 8_000, 16), std::iter::repeat_n(0.25, 800))).unwrap();
    assert!(info.silent, "a constant level is no sound either");
}

#[test]
fn chunks_of_odd_length_are_stepped_over() {
    let plain = wav(spec(1, 16_000, 16), tone(1_600));
    let mut odd = plain[..12].to_vec();
    odd.extend_from_slice(b"LIST\x05\0\0\0abcde\0");
    odd.extend_from_slice(&plain[12..]);
    assert_eq!(clip::check(&odd).unwrap(), clip::check(&plain).unwrap());
}

#[test]
fn bad_clips_are_named() {
    let good = wav(spec(1, 16_000, 16), tone(16_000));
    assert_eq!(clip::check(b""), Err(ClipError::NotWav { bytes: 0 }));
    assert!(matches!(clip::check(b"OggS and so on, no WAV at all"), Err(ClipError::NotWav { .. })));
    assert_eq!(clip::check(&good[..1000]), Err(ClipError::CutShort { chunk: "data", wanted: 32_000, got: 956 }));
    assert_eq!(clip::check(&good[..12]), Err(ClipError::NoChunk { chunk: "fmt" }));
    assert!(matches!(clip::check(&good[..20]), Err(ClipError::CutShort { chunk: "fmt", .. })));
    assert_eq!(clip::check(&good[..36]), Err(ClipError::NoChunk { chunk: "data" }));
    for cut in 0..44 {
        assert!(clip::check(&good[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn clips_out_of_bounds_are_named() {
    let good = wav(spec(1, 16_000, 16), tone(16_000));
    assert_eq!(clip::check(&wav(spec(1, 16_000, 16), tone(0))), Err(ClipError::Empty));
    assert_eq!(clip::check(&wav(spec(3, 16_000, 16), tone(300))), Err(ClipError::Channels { channels: 3 }));
    assert_eq!(clip::check(&wav(spec(1, 4_000, 16), tone(300))), Err(ClipError::Rate { rate: 4_000 }));
    assert_eq!(clip::check(&wav(spec(1, 384_000, 16), tone(300))), Err(ClipError::Rate { rate: 384_000 }));
    assert!(matches!(clip::check(&wav(spec(1, 8_000, 8), tone(480_001))), Err(ClipError::TooLong { .. })));
    assert!(clip::check(&wav(spec(1, 8_000, 8), tone(480_000))).is_ok());
    let large = vec![0; clip::CLIP_BYTES_MAX + 1];
    assert_eq!(clip::check(&large), Err(ClipError::TooLarge { bytes: clip::CLIP_BYTES_MAX + 1 }));

    let mut law = good.clone();
    law[20] = 7;
    assert!(matches!(clip::check(&law), Err(ClipError::Codec { tag: 7, name: "mu-law" })));
    let mut rate = good.clone();
    rate[28] ^= 1;
    assert!(matches!(clip::check(&rate), Err(ClipError::Header { .. })));

    let float = hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(1, 16_000, 32) };
    for odd in [f32::NAN, f32::INFINITY] {
        let bytes = wav(float, [0.1, 0.2, odd, 0.3].into_iter());
        assert_eq!(clip::check(&bytes), Err(ClipError::NotFinite { index: 2 }));
    }
}

#[test]
fn random_damage_to_clips_never_panics() {
    let mut rng = StdRng::seed_from_u64(2);
    for bits in [8, 16, 24, 32] {
        let whole = wav(spec(2, 16_000, bits), tone(200));
        for _ in 0..2_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                let at = rng.random_range(0..60);
                bytes[at] = rng.random();
            }
            let _ = clip::check(&bytes).map(|info| info.peak);
        }
    }
}

/// A peer's clip may hold any number that a float can; what is played stays within the full scale.
#[test]
fn samples_far_above_the_full_scale_are_cut_to_it() {
    let float = hound::WavSpec { sample_format: hound::SampleFormat::Float, ..spec(1, 44_100, 32) };
    let bytes = wav(float, (0..4_410).map(|at| if at % 2 == 0 { 3.0e38 } else { -3.0e38 }));
    let (info, samples) = clip::decode(&bytes).unwrap();
    assert_eq!(info.peak, 3.0e38, "the check tells what is there");
    assert!(samples.iter().all(|sample| sample.abs() == 1.0));
}
