//! Recording and playing on devices that are made up: odd pieces, stalls, death, silence.

use std::time::Duration;

use cpal::SampleFormat;

use super::convert::{encoder, to_wav};
use super::fake::{After, Ear, LONG, Microphone, SHORT, Speaker};
use super::*;
use crate::media::clip;

/// A tone of 440 Hz of half the full scale, as a device gives it, the same on every channel.
fn tone(format: Format, frames: usize) -> Vec<u8> {
    let encode = encoder(format.sample).unwrap();
    let mut bytes = vec![0; frames * format.frame_bytes()];
    for (index, frame) in bytes.chunks_exact_mut(format.frame_bytes()).enumerate() {
        let angle = index as f64 * 440.0 / f64::from(format.rate) * std::f64::consts::TAU;
        frame.chunks_exact_mut(format.sample.sample_size()).for_each(|b| encode(0.5 * angle.sin() as f32, b));
    }
    bytes
}

fn microphone(format: Format, bytes: Vec<u8>, after: After) -> Microphone {
    Microphone { format, bytes, pieces: vec![441, 1, 2_048, 7, 512, 9_999], after }
}

fn format(sample: SampleFormat, rate: u32, channels: u16) -> Format {
    Format { sample, rate, channels }
}

#[test]
fn a_clip_is_five_seconds_whatever_the_device() {
    for (sample, rate, channels) in [
        (SampleFormat::I16, 44_100, 2),
        (SampleFormat::U8, 8_000, 1),
        (SampleFormat::F32, 48_000, 6),
        (SampleFormat::I24, 96_000, 2),
        (SampleFormat::I32, 192_000, 8),
        (SampleFormat::U16, 16_000, 1),
    ] {
        let format = format(sample, rate, channels);
        // a little more than is wanted
        let device = microphone(format, tone(format, rate as usize * 51 / 10), After::Stalls);
        let recording = Recorder::start_with(device, RECORD_MAX, LONG).finish().unwrap();
        let info = clip::check(&recording.wav).unwrap();
        assert_eq!(
            (info.sample_rate, info.channels, info.bits, info.duration_ms),
            (16_000, 1, 16, 5_000),
            "{format:?}"
        );
        assert_eq!((recording.length, recording.gaps), (RECORD_MAX, 0), "{format:?}");
        assert!((recording.level.rms_db() + 9.03).abs() < 0.1, "{format:?}: {:?}", recording.level);
    }
}

#[test]
fn a_clip_may_be_shorter() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let device = microphone(format, tone(format, 96_000), After::Stalls);
    let recording = Recorder::start_with(device, Duration::from_millis(1_234), LONG).finish().unwrap();
    assert_eq!(clip::check(&recording.wav).unwrap().duration_ms, 1_234);
    // and never longer than the longest
    let device = microphone(format, tone(format, 48_000 * 6), After::Stalls);
    let recording = Recorder::start_with(device, Duration::from_secs(60), LONG).finish().unwrap();
    assert_eq!(recording.length, RECORD_MAX);
}

#[test]
fn a_stop_keeps_what_there_is() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let recorder = Recorder::start_with(microphone(format, tone(format, 24_000), After::Stalls), RECORD_MAX, LONG);
    while recorder.recorded() < Duration::from_millis(500) {
        std::thread::yield_now();
    }
    assert!((recorder.level().rms_db() + 9.03).abs() < 0.1, "{:?}", recorder.level());
    assert!(!recorder.is_finished());
    recorder.stop();
    assert_eq!(recorder.finish().unwrap().length, Duration::from_millis(500));
}

#[test]
fn a_stop_before_the_first_sample_leaves_nothing() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let recorder = Recorder::start_with(microphone(format, Vec::new(), After::Stalls), RECORD_MAX, LONG);
    recorder.stop();
    assert_eq!(recorder.finish().unwrap_err(), AudioError::Nothing { device: "fake".into() });
}

#[test]
fn silence_is_refused() {
    let format = format(SampleFormat::U8, 48_000, 2);
    for value in [0x80, 0x7f] {
        let device = microphone(format, vec![value; 96_000 * 5], After::Stalls);
        let error = Recorder::start_with(device, RECORD_MAX, LONG).finish().unwrap_err();
        assert_eq!(error, AudioError::Silent { device: "fake".into(), heard: RECORD_MAX });
        assert!(error.hint().unwrap().contains("muted"));
    }
    // a noise that no 16 bits can hold is silence as well
    let float = super::Format { sample: SampleFormat::F32, rate: 16_000, channels: 1 };
    let bytes = (0..16_000).flat_map(|i| if i % 2 == 0 { 1e-6f32 } else { -1e-6 }.to_ne_bytes()).collect();
    let error = Recorder::start_with(microphone(float, bytes, After::Stalls), Duration::from_secs(1), LONG).finish();
    assert!(matches!(error, Err(AudioError::Silent { .. })), "{error:?}");
}

#[test]
fn a_device_that_gives_nothing_is_given_up() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let error = Recorder::start_with(microphone(format, Vec::new(), After::Stalls), RECORD_MAX, SHORT).finish();
    let error = error.unwrap_err();
    assert!(matches!(error, AudioError::Stalled { after: Duration::ZERO, .. }), "{error:?}");
    assert!(error.to_string().starts_with("fake gives no samples: none for "), "{error}");
}

#[test]
fn a_device_that_stalls_is_given_up() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let patience = Patience { first: LONG.first, next: SHORT.next };
    let device = microphone(format, tone(format, 48_000), After::Stalls);
    let error = Recorder::start_with(device, RECORD_MAX, patience).finish().unwrap_err();
    assert!(error.to_string().starts_with("fake gives no samples after 1.0 s: none for "), "{error}");
}

#[test]
fn a_device_that_dies_says_so() {
    let format = format(SampleFormat::I16, 48_000, 1);
    let device = microphone(format, tone(format, 48_000), After::Dies);
    let error = Recorder::start_with(device, RECORD_MAX, LONG).finish().unwrap_err();
    assert_eq!(error.to_string(), "fake is not there (any more) after 1.0 s: pulled out");
    assert!(error.hint().unwrap().contains("plug it in again"));
}

#[test]
fn a_device_of_an_unknown_format_is_refused() {
    for (sample, rate, channels) in
        [(SampleFormat::DsdU8, 48_000, 2), (SampleFormat::I16, 1, 1), (SampleFormat::I16, 48_000, 999)]
    {
        let format = format(sample, rate, channels);
        let error = Recorder::start_with(microphone(format, Vec::new(), After::Stalls), RECORD_MAX, LONG).finish();
        assert!(matches!(error, Err(AudioError::Format { .. })), "{error:?}");
    }
}

#[test]
fn samples_that_nobody_takes_are_lost_and_no_memory_is_taken() {
    let format = format(SampleFormat::I16, 48_000, 2);
    let (mut tap, blocks) = Tap::new(format);
    let second = tone(format, 48_000);
    for _ in 0..10 {
        tap.give(&second);
    }
    let held: usize = blocks.full.try_iter().map(|block| block.len()).sum();
    assert!((second.len()..=2 * second.len()).contains(&held), "{held}");
    let lost = blocks.lost.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(held as u64 + lost, 10 * second.len() as u64);
}

/// A clip of one second at 16 kHz whose samples count up, so that each says where it stands.
fn counting() -> Vec<u8> {
    let samples: Vec<f32> = (0..16_000).map(|i| (i - 8_000) as f32 / 32_768.0).collect();
    to_wav(&samples).unwrap()
}

const PLAIN: super::Format = super::Format { sample: SampleFormat::I16, rate: 16_000, channels: 1 };

fn player(format: super::Format, latency: Duration, buffer: u64, from: Duration) -> (Player, Ear) {
    let (speaker, ear) = Speaker::new(format, latency, buffer);
    (Player::start_with(speaker, &counting(), from, LONG).unwrap(), ear)
}

fn numbers(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_ne_bytes([b[0], b[1]])).collect()
}

#[test]
fn a_clip_is_played_sample_by_sample_and_ends_when_it_was_heard() {
    let (player, ear) = player(PLAIN, Duration::from_millis(100), 0, Duration::ZERO);
    let mut heard = Vec::new();
    for frames in [1, 999, 5_000, 10_000] {
        heard.extend(numbers(&ear.take(frames)));
    }
    let clip: Vec<i16> = (0..16_000).map(|i| i - 8_000).collect();
    assert_eq!(heard, clip);
    // the device holds a tenth of a second still, and the last piece: until then it plays
    assert!(numbers(&ear.take(5_800)).iter().all(|sample| *sample == 0));
    assert_eq!(player.state(), State::Playing);
    assert!(player.position() < player.duration());
    let _ = ear.take(5_800);
    assert_eq!(player.state(), State::Ended);
    assert_eq!(player.position(), player.duration());
    player.finish().unwrap();
}

#[test]
fn what_a_device_buffers_is_waited_for_where_it_knows_no_latency() {
    let (player, ear) = player(PLAIN, Duration::ZERO, 2_400, Duration::from_millis(900));
    assert_eq!(numbers(&ear.take(1_600)).last(), Some(&7_999));
    let _ = ear.take(3_999);
    assert_eq!(player.state(), State::Playing);
    let _ = ear.take(1);
    assert_eq!(player.state(), State::Ended);
    player.finish().unwrap();
}

#[test]
fn pause_keeps_the_place_and_seek_moves_it() {
    let (player, ear) = player(PLAIN, Duration::ZERO, 0, Duration::from_millis(250));
    assert_eq!(player.position(), Duration::from_millis(250));
    assert_eq!(numbers(&ear.take(2))[..], [-4_000, -3_999]);
    player.pause();
    assert_eq!(numbers(&ear.take(3)), [0, 0, 0]);
    assert_eq!(player.state(), State::Paused);
    player.seek(Duration::from_millis(500));
    assert_eq!(player.position(), Duration::from_millis(500));
    assert_eq!(numbers(&ear.take(1)), [0]);
    assert_eq!(player.position(), Duration::from_millis(500));
    player.resume();
    assert_eq!(numbers(&ear.take(2))[..], [0, 1]);
    assert_eq!(player.state(), State::Playing);
    player.seek(Duration::ZERO);
    assert_eq!(numbers(&ear.take(2))[..], [-8_000, -7_999]);
    // beyond the end is the end
    player.seek(Duration::from_secs(9));
    assert_eq!(player.position(), player.duration());
    let _ = ear.take(1);
    let _ = ear.take(1);
    player.finish().unwrap();
}

#[test]
fn the_position_is_what_is_heard() {
    let (player, ear) = player(PLAIN, Duration::from_millis(50), 0, Duration::ZERO);
    let _ = ear.take(1_600);
    // the device has taken 100 ms and plays the first of them in 50
    assert_eq!(player.position(), Duration::ZERO);
    let _ = ear.take(1_600);
    assert_eq!(player.position(), Duration::from_millis(50));
    player.stop();
    player.finish().unwrap();
}

#[test]
fn one_channel_goes_to_the_first_two_and_the_rate_is_the_devices() {
    let format = format(SampleFormat::F32, 48_000, 4);
    let (player, ear) = player(format, Duration::ZERO, 0, Duration::from_millis(500));
    let bytes = ear.take(4_800);
    let frames: Vec<[f32; 4]> = bytes
        .chunks_exact(16)
        .map(|frame| std::array::from_fn(|i| f32::from_ne_bytes(frame[i * 4..i * 4 + 4].try_into().unwrap())))
        .collect();
    for (index, [left, right, third, fourth]) in frames.into_iter().enumerate() {
        let wanted = index as f32 / 3.0 / 32_768.0;
        assert!((left - wanted).abs() < 2.0 / 32_768.0, "{index}: {left}, not {wanted}");
        assert_eq!((right, third, fourth), (left, 0.0, 0.0));
    }
    drop(player);
}

#[test]
fn two_channels_stay_two_or_become_one() {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
    (0..1_600).for_each(|_| [1_000i16, 3_000].into_iter().for_each(|s| writer.write_sample(s).unwrap()));
    writer.finalize().unwrap();
    for (channels, wanted) in [(1, vec![2_000]), (2, vec![1_000, 3_000]), (3, vec![1_000, 3_000, 0])] {
        let (speaker, ear) = Speaker::new(format(SampleFormat::I16, 16_000, channels), Duration::ZERO, 0);
        let player = Player::start_with(speaker, wav.get_ref(), Duration::ZERO, LONG).unwrap();
        assert_eq!(numbers(&ear.take(1)), wanted);
        drop(player);
    }
}

#[test]
fn a_speaker_that_takes_nothing_is_given_up() {
    let (speaker, ear) = Speaker::new(PLAIN, Duration::ZERO, 0);
    let player = Player::start_with(speaker, &counting(), Duration::ZERO, SHORT).unwrap();
    let error = player.finish().unwrap_err();
    assert!(error.to_string().starts_with("fake takes no samples: none for "), "{error}");
    drop(ear);
}

#[test]
fn a_speaker_that_dies_says_so() {
    let (player, ear) = player(PLAIN, Duration::ZERO, 0, Duration::ZERO);
    let _ = ear.take(8_000);
    ear.alarm.lock().unwrap().take().unwrap().raise(fake::gone());
    assert_eq!(player.state(), State::Failed);
    assert!(player.finish().unwrap_err().to_string().starts_with("fake is not there (any more)"));
}

#[test]
fn what_is_no_clip_is_not_played() {
    let (speaker, _ear) = Speaker::new(PLAIN, Duration::ZERO, 0);
    assert!(matches!(Player::start(speaker, b"no", Duration::ZERO), Err(AudioError::Clip(_))));
}
