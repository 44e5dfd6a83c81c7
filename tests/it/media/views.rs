//! Scaling, the test pattern, and the pace of frames.

use std::time::Duration;

use miyu::media::camera::{Pace, Stamp, TestPattern, read_back, scale};
use miyu::media::jpeg::{self, Rgb};
use miyu::media::picture;

use super::{asset, drawn, mean_difference};

// --- scaling

#[test]
fn scaling_keeps_flat_colours_and_the_mean() {
    let flat = Rgb::filled(97, 61, [10, 200, 255]);
    for (width, height) in [(1, 1), (48, 30), (49, 31), (96, 60), (194, 122), (300, 200)] {
        let out = scale(&flat, width, height);
        assert_eq!((out.width, out.height), (width, height));
        for pixel in out.data.chunks_exact(3) {
            let off = pixel.iter().zip([10u8, 200, 255]).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= 1, "{pixel:?} at {width}x{height}");
        }
    }
    let busy = drawn(320, 240, 9);
    let mean = |rgb: &Rgb| rgb.data.iter().map(|&v| f64::from(v)).sum::<f64>() / rgb.data.len() as f64;
    for (width, height) in [(160, 120), (80, 60), (107, 33)] {
        let off = mean(&scale(&busy, width, height)) - mean(&busy);
        assert!(off.abs() < 0.3, "{off} at {width}x{height}");
    }
}

#[test]
fn half_size_agrees_with_the_general_way() {
    let rgb = drawn(64, 48, 2);
    let quick = scale(&rgb, 32, 24);
    // One side off the quick way, then compared where both are defined alike.
    let rows = scale(&rgb, 64, 24);
    let both = scale(&rows, 32, 24);
    assert!(mean_difference(&quick, &both) < 1.0);
}

// --- the test pattern

#[test]
fn the_stamp_survives_jpeg_and_scaling() {
    for (width, height) in [(320, 240), (640, 480), (641, 479), (1280, 720), (480, 640)] {
        let pattern = TestPattern::new(width, height);
        for (frame, unix_ms) in [(0, 0), (1, 1_795_319_260_123), (123_456_789, 4_000_000_000_000)] {
            let stamp = Some(Stamp { frame, unix_ms });
            let rgb = pattern.render(frame, unix_ms);
            assert_eq!(read_back(&rgb), stamp);
            let lossy = jpeg::decode(&jpeg::encode(&rgb, 50).unwrap()).unwrap();
            assert_eq!(read_back(&lossy), stamp, "{width}x{height} after JPEG");
            let half = scale(&lossy, width / 2, height / 2);
            let half = jpeg::decode(&jpeg::encode(&half, 50).unwrap()).unwrap();
            assert_eq!(read_back(&half), stamp, "half of {width}x{height}");
            if width >= 640 {
                let quarter = scale(&rgb, width / 4, height / 4);
                let quarter = jpeg::decode(&jpeg::encode(&quarter, 50).unwrap()).unwrap();
                assert_eq!(read_back(&quarter), stamp, "quarter of {width}x{height}");
            }
        }
    }
}

#[test]
fn only_the_test_pattern_is_read_back() {
    assert_eq!(read_back(&Rgb::filled(640, 480, [0; 3])), None);
    assert_eq!(read_back(&Rgb::filled(640, 480, [255; 3])), None);
    assert_eq!(read_back(&drawn(640, 480, 1)), None);
    assert_eq!(read_back(&Rgb { width: 640, height: 480, data: vec![] }), None);
    let photo = picture::decode(&std::fs::read(asset("photo.png")).unwrap()).unwrap().into_rgb();
    assert_eq!(read_back(&photo), None);
    // One cell turned over is found out.
    let mut rgb = TestPattern::new(640, 480).render(5, 6);
    for y in 20..40 {
        for x in 24..47 {
            let at = (y * 640 + x) * 3;
            let turned = 255 - rgb.data[at + 1];
            rgb.data[at..at + 3].fill(turned);
        }
    }
    assert_eq!(read_back(&rgb), None);
}

#[test]
fn the_pattern_moves_and_draws_at_any_size() {
    for (width, height) in [(16, 16), (16, 7680), (7680, 16), (33, 90), (640, 480)] {
        let pattern = TestPattern::new(width, height);
        for frame in [0, 1, 50, 101, 5_000, u64::MAX] {
            let rgb = pattern.render(frame, frame);
            assert_eq!(rgb.data.len(), (width * height * 3) as usize);
        }
    }
    let pattern = TestPattern::new(640, 480);
    let ball = |frame| pattern.render(frame, 0).data[640 * 180 * 3..640 * 380 * 3].to_vec();
    assert!((0..30).all(|frame| ball(frame) != ball(frame + 1)), "the ball moves with every frame");
}

// --- pace

#[test]
fn pace_keeps_the_grid_and_never_bursts() {
    let ms = Duration::from_millis;
    let mut pace = Pace::new(10.0);
    assert_eq!(pace.wait(ms(0)), ms(0));
    assert_eq!(pace.wait(ms(5)), ms(95));
    assert_eq!(pace.wait(ms(130)), ms(70), "due at 200");
    assert_eq!(pace.wait(ms(340)), ms(0), "the one of 300 is late, at once");
    assert_eq!(pace.wait(ms(341)), ms(59), "then 400");
    assert_eq!(pace.wait(ms(1_250)), ms(0), "500 to 1100 are skipped");
    assert_eq!(pace.wait(ms(1_250)), ms(50), "no burst after that");

    let mut pace = Pace::new(30.0);
    let mut now = Duration::ZERO;
    for _ in 0..30_000 {
        now += pace.wait(now);
    }
    let drift = now.as_secs_f64() - 29_999.0 / 30.0;
    assert!(drift.abs() < 0.001, "{drift}");
}
