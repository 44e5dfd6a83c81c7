//! Pictures, camera sources and clips.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cameras;
mod clips;
mod jpegs;
mod pictures;
#[cfg(all(feature = "camera", target_os = "linux"))]
mod real_cameras;
mod sources;
mod views;

use std::path::{Path, PathBuf};

use miyu::media::camera::read_back;
use miyu::media::jpeg::{self, Cutter, Rgb};
use miyu::media::picture;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

/// A picture with some structure.
fn drawn(width: u32, height: u32, seed: u64) -> Rgb {
    let mut rng = StdRng::seed_from_u64(seed);
    let tint: u32 = rng.random_range(0..200);
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            data.extend([(x * 2 + tint) as u8, (y * 3) as u8, (x + y + rng.random_range(0..8)) as u8]);
        }
    }
    Rgb::new(width, height, data).unwrap()
}

fn mean_difference(a: &Rgb, b: &Rgb) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a.data.iter().zip(&b.data).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
    sum as f64 / a.data.len() as f64
}

fn cut_all(stream: &[u8], bite: usize) -> (Vec<Vec<u8>>, Cutter) {
    let mut cutter = Cutter::new();
    let mut frames = Vec::new();
    for mut part in stream.chunks(bite) {
        while let Some(frame) = cutter.cut(&mut part) {
            frames.push(frame.to_vec());
        }
        assert!(part.is_empty());
    }
    while let Some(frame) = cutter.end_of_stream() {
        frames.push(frame.to_vec());
    }
    (frames, cutter)
}

#[test]
fn the_assets_are_what_they_say() {
    let photo = picture::decode(&std::fs::read(asset("photo.png")).unwrap()).unwrap();
    assert_eq!((photo.width, photo.height, photo.has_alpha), (600, 400, false));
    assert_eq!(photo.conversion(), None);
    let (frames, cutter) = cut_all(&std::fs::read(asset("clip.mjpeg")).unwrap(), 4096);
    assert_eq!((frames.len(), cutter.broken(), cutter.skipped_bytes()), (45, 0, 0));
    for (number, frame) in (0u64..).zip(&frames) {
        let rgb = jpeg::decode(frame).unwrap();
        assert_eq!((rgb.width, rgb.height), (320, 240));
        assert_eq!(read_back(&rgb).unwrap().frame, number);
    }
}
