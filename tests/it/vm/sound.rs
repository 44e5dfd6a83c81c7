//! A sound card: what is played on the first device of snd-aloop is heard on the second. There is no sound server.

use std::f64::consts::TAU;

use super::guest::{Guest, step};

const RATE: u32 = 16_000;
const SPEAKER: &str = "alsa:hw:CARD=Loopback,DEV=0";
const MICROPHONE: &str = "alsa:hw:CARD=Loopback,DEV=1";

/// What is played, in seconds: longer than what is recorded meanwhile.
const PLAYED_S: u32 = 9;
const RECORDED_S: u32 = 5;
const TONE_HZ: f64 = 440.0;
const TONE_PEAK: f64 = 12_000.0;

/// A WAV file with a tone.
fn tone() -> Vec<u8> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for number in 0..PLAYED_S * RATE {
        let phase = TAU * TONE_HZ * f64::from(number) / f64::from(RATE);
        writer.write_sample((TONE_PEAK * phase.sin()) as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// How much of the power is the tone's: 1 for the tone alone, whatever its phase.
fn purity(samples: &[f64]) -> f64 {
    let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
    for (number, sample) in samples.iter().enumerate() {
        let phase = TAU * TONE_HZ * number as f64 / f64::from(RATE);
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
        power += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (samples.len() as f64 * power.max(1.0))
}

#[test]
#[ignore = "needs an emulated machine: ./x vm"]
fn a_clip_that_is_played_is_recorded() {
    let guest = Guest::boot();
    guest.ok("modprobe snd-aloop");
    let devices = guest.ok("miyu devices");
    for device in [SPEAKER, MICROPHONE] {
        assert!(devices.contains(device.trim_start_matches("alsa:")), "{device} is not among: {devices}");
    }
    guest.put("tone.wav", &tone());
    let mut player = guest.start(&format!("miyu clip play tone.wav --device {SPEAKER}"));
    guest.until("grep -q RUNNING /proc/asound/Loopback/pcm0p/sub0/status");
    guest.ok(&format!("miyu clip record heard.wav --device {MICROPHONE}"));
    guest.end(&mut player);

    let heard = guest.get("heard.wav");
    let mut reader = hound::WavReader::new(heard.as_slice()).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (1, RATE));
    let samples: Vec<f64> = reader.samples::<i16>().map(|sample| f64::from(sample.unwrap())).collect();
    assert_eq!(samples.len(), (RECORDED_S * RATE) as usize, "5 seconds, to the sample");
    // The speaker runs before its clip has been brought to the device's rate, which takes an emulated machine a while.
    let silence = samples.iter().position(|sample| sample.abs() > 50.0).unwrap();
    assert!(silence < (2 * RATE) as usize, "{silence} samples of silence before the tone");
    let samples = &samples[silence..];
    // Windows of whole periods: each is the tone, at its level, and nothing is missing between them.
    let window = (RATE / 10) as usize;
    let windows: Vec<(f64, f64)> = samples
        .chunks_exact(window)
        .map(|window| (purity(window), (window.iter().map(|s| s * s).sum::<f64>() / window.len() as f64).sqrt()))
        .collect();
    let worst = windows.iter().map(|(purity, _)| *purity).fold(1.0, f64::min);
    step(&format!("{silence} samples of silence, then {} of at least {:.1} % the tone", samples.len(), worst * 100.0));
    for (number, (purity, level)) in windows.iter().enumerate() {
        let right = TONE_PEAK / 2.0_f64.sqrt();
        assert!(*purity > 0.98 && (level / right - 1.0).abs() < 0.05, "window {number}: {purity:.3}, level {level:.0}");
    }
}
