//! Sound clips.

use miyu::media::clip::{self, CHANNELS_MAX, CLIP_SECONDS_MAX, SAMPLE_RATE_MAX, SAMPLE_RATE_MIN};

/// The input is a WAV file.
pub fn run(data: &[u8]) {
    match clip::check(data) {
        Ok(info) => {
            assert!((SAMPLE_RATE_MIN..=SAMPLE_RATE_MAX).contains(&info.sample_rate));
            assert!((1..=CHANNELS_MAX).contains(&info.channels));
            assert!(info.duration_ms <= u64::from(CLIP_SECONDS_MAX) * 1_000);
            assert!(info.peak.is_finite() && (info.float || info.peak <= 1.0), "{info:?}");
            let bytes = info.duration_ms * u64::from(info.sample_rate) / 1_000;
            assert!(bytes * u64::from(info.channels) * u64::from(info.bits / 8) <= data.len() as u64, "{info:?}");
            assert_eq!(clip::check(data), Ok(info));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
