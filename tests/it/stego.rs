//! Hidden bytes: what goes in comes out, nothing else changes, and the limits hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use miyu::stego::{
    Canvas, CanvasError, PathKey, TooLong, capacity_bytes, digest_invariant, embed, embedder, extractor,
};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// A key stream from a seed.
struct Seeded(StdRng);

impl Seeded {
    fn new(seed: u64) -> Seeded {
        Seeded(StdRng::seed_from_u64(seed))
    }
}

impl PathKey for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// A picture with slopes, noise, flat and clipped parts.
fn picture(width: u32, height: u32, channels: u8, seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    let noise = rng.random_range(2..40);
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                let flat = x < width / 8;
                let base = ((x * 3 + y * 2 + u32::from(channel) * 40) % 330) as i32 - 30;
                let value = if flat { 100 } else { base + rng.random_range(-noise..=noise) };
                let alpha = if x % 16 == 5 { 0 } else { 200 };
                data.push(if channel == 3 { alpha } else { value.clamp(0, 255) as u8 });
            }
        }
    }
    data
}

fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut out = vec![0; count];
    StdRng::seed_from_u64(seed).fill_bytes(&mut out);
    out
}

fn invariant(width: u32, height: u32, channels: u8, data: &mut [u8]) -> Vec<u8> {
    let canvas = Canvas::new(width, height, channels, data).unwrap();
    let mut all = Vec::new();
    digest_invariant(&canvas, &mut |part| all.extend_from_slice(part));
    all
}

#[test]
fn round_trips_over_many_sizes() {
    let sizes = [(1, 1), (1, 9), (2, 2), (3, 3), (4, 4), (5, 7), (31, 17), (64, 64), (127, 33), (33, 128), (200, 151)];
    for (seed, (width, height)) in (1u64..).zip(sizes) {
        for channels in [3, 4] {
            let clean = picture(width, height, channels, seed);
            let mut data = clean.clone();
            let mut canvas = Canvas::new(width, height, channels, &mut data).unwrap();
            let capacity = capacity_bytes(&canvas);
            let payload = bytes(capacity, seed ^ 55);
            embed(&mut canvas, &mut Seeded::new(seed), &payload).unwrap();

            assert_eq!(capacity_bytes(&canvas), capacity, "the receiver finds the same capacity");
            let read = extractor(&canvas, Seeded::new(seed)).read(capacity).unwrap();
            assert_eq!(read, payload, "{width}x{height}x{channels}");
            for (index, (before, after)) in clean.iter().zip(&data).enumerate() {
                assert!(before.abs_diff(*after) <= 1, "sample {index} of {width}x{height}: {before} to {after}");
            }
        }
    }
}

#[test]
fn small_pictures_hold_nothing_and_say_so() {
    for (width, height) in [(1, 1), (3, 1), (2, 2), (3, 3)] {
        let mut data = picture(width, height, 3, 4);
        let mut canvas = Canvas::new(width, height, 3, &mut data).unwrap();
        assert_eq!(capacity_bytes(&canvas), 0);
        let refused = embed(&mut canvas, &mut Seeded::new(1), b"x");
        assert_eq!(refused, Err(TooLong { capacity: 0, wanted: 1 }));
        assert_eq!(extractor(&canvas, Seeded::new(1)).read(1), None);
        assert_eq!(extractor(&canvas, Seeded::new(1)).read(0), Some(Vec::new()));
    }
}

#[test]
fn flat_and_clipped_pictures_hold_nothing() {
    let mut flat = vec![90; 64 * 64 * 3];
    assert_eq!(capacity_bytes(&Canvas::new(64, 64, 3, &mut flat).unwrap()), 0);
    let mut clipped: Vec<u8> = (0..64 * 64 * 3).map(|at| if at / 3 % 3 == 0 { 0 } else { 255 }).collect();
    assert_eq!(capacity_bytes(&Canvas::new(64, 64, 3, &mut clipped).unwrap()), 0);
}

#[test]
fn capacity_is_exact() {
    let clean = picture(90, 71, 3, 8);
    let mut data = clean.clone();
    let mut canvas = Canvas::new(90, 71, 3, &mut data).unwrap();
    let capacity = capacity_bytes(&canvas);
    assert!(capacity > 100);
    let refused = embed(&mut canvas, &mut Seeded::new(2), &bytes(capacity + 1, 3));
    assert_eq!(refused, Err(TooLong { capacity, wanted: capacity + 1 }));
    assert_eq!(data, clean, "a refusal changes nothing");
    let mut canvas = Canvas::new(90, 71, 3, &mut data).unwrap();
    embed(&mut canvas, &mut Seeded::new(2), &bytes(capacity, 3)).unwrap();
    let mut reader = extractor(&canvas, Seeded::new(2));
    assert_eq!(reader.read(usize::MAX), None);
    assert_eq!(reader.read(capacity), Some(bytes(capacity, 3)));
    assert_eq!(reader.read(1), None);
}

#[test]
fn header_then_body_share_one_path() {
    let mut data = picture(120, 80, 4, 12);
    let mut canvas = Canvas::new(120, 80, 4, &mut data).unwrap();
    let (header, body) = (bytes(20, 1), bytes(333, 2));
    let mut writer = embedder(&mut canvas, Seeded::new(6));
    writer.write(&header).unwrap();
    let room = writer.remaining();
    assert!(writer.write(&bytes(room + 1, 0)).is_err());
    writer.write(&body).unwrap();
    assert_eq!(writer.remaining(), room - 333);

    let mut key = Seeded::new(6);
    let mut reader = extractor(&canvas, &mut key);
    assert_eq!(reader.read(20), Some(header.clone()));
    assert_eq!(reader.read(333), Some(body.clone()));

    let at_once = [header, body].concat();
    let mut other = picture(120, 80, 4, 12);
    let mut canvas = Canvas::new(120, 80, 4, &mut other).unwrap();
    embed(&mut canvas, &mut Seeded::new(6), &at_once).unwrap();
    assert_eq!(other, data, "in pieces or at once is the same");
}

#[test]
fn another_key_finds_noise() {
    let mut data = picture(160, 120, 3, 21);
    let mut canvas = Canvas::new(160, 120, 3, &mut data).unwrap();
    let capacity = capacity_bytes(&canvas);
    let payload = bytes(capacity, 5);
    embed(&mut canvas, &mut Seeded::new(1), &payload).unwrap();
    let read = extractor(&canvas, Seeded::new(2)).read(capacity).unwrap();
    let same: u32 = read.iter().zip(&payload).map(|(a, b)| (a ^ b).count_zeros()).sum();
    let share = f64::from(same) / (capacity * 8) as f64;
    assert!((0.47..0.53).contains(&share), "{share}");
}

#[test]
fn what_embedding_keeps_is_what_the_digest_sees() {
    for channels in [3, 4] {
        let clean = picture(61, 47, channels, 31);
        let mut data = clean.clone();
        let before = invariant(61, 47, channels, &mut data);
        let mut canvas = Canvas::new(61, 47, channels, &mut data).unwrap();
        let capacity = capacity_bytes(&canvas);
        embed(&mut canvas, &mut Seeded::new(4), &bytes(capacity, 9)).unwrap();
        assert_ne!(data, clean);
        assert_eq!(invariant(61, 47, channels, &mut data), before);
        // Everything else is in it: one even sample and, where there is one, alpha anywhere.
        let mut even = clean.clone();
        even[0] ^= 1;
        assert_ne!(invariant(61, 47, channels, &mut even), before);
        if channels == 4 {
            let mut alpha = clean.clone();
            alpha[7] ^= 1;
            assert_ne!(invariant(61, 47, channels, &mut alpha), before);
        }
        assert_ne!(invariant(47, 61, channels, &mut clean.clone()), before);
    }
}

#[test]
fn alpha_and_invisible_pixels_stay() {
    let clean = picture(96, 64, 4, 17);
    let mut data = clean.clone();
    let mut canvas = Canvas::new(96, 64, 4, &mut data).unwrap();
    let capacity = capacity_bytes(&canvas);
    embed(&mut canvas, &mut Seeded::new(4), &bytes(capacity, 9)).unwrap();
    let mut changed = 0;
    for (before, after) in clean.chunks_exact(4).zip(data.chunks_exact(4)) {
        assert_eq!(before[3], after[3]);
        if before[3] == 0 {
            assert_eq!(before, after);
        }
        changed += u32::from(before != after);
    }
    assert!(changed > 50, "{changed}");
}

#[test]
fn grey_pictures_stay_grey() {
    let mut rng = StdRng::seed_from_u64(3);
    let clean: Vec<u8> = (0..80 * 80).flat_map(|_| [rng.random_range(0..=255u8); 3]).collect();
    let mut data = clean.clone();
    let mut canvas = Canvas::new(80, 80, 3, &mut data).unwrap();
    let capacity = capacity_bytes(&canvas);
    let payload = bytes(capacity, 1);
    assert!(capacity > 50);
    embed(&mut canvas, &mut Seeded::new(8), &payload).unwrap();
    assert_eq!(extractor(&canvas, Seeded::new(8)).read(capacity), Some(payload));
    assert_ne!(data, clean);
    for pixel in data.chunks_exact(3) {
        assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2], "{pixel:?}");
    }
}

#[test]
fn half_of_the_placed_bits_change_a_sample_evenly_up_and_down() {
    let (mut placed, mut up, mut down) = (0u64, 0u64, 0u64);
    for seed in 0..200 {
        let clean = picture(72, 50, 3, seed);
        let mut data = clean.clone();
        let mut canvas = Canvas::new(72, 50, 3, &mut data).unwrap();
        let capacity = capacity_bytes(&canvas);
        embed(&mut canvas, &mut Seeded::new(seed + 1000), &bytes(capacity, seed + 7)).unwrap();
        placed += capacity as u64 * 8;
        for (before, after) in clean.iter().zip(&data) {
            up += u64::from(after > before);
            down += u64::from(after < before);
        }
    }
    let changed = (up + down) as f64 / placed as f64;
    let upward = up as f64 / (up + down) as f64;
    assert!(placed > 50_000, "{placed}");
    assert!((0.49..0.51).contains(&changed), "{changed} of the bits changed a sample");
    assert!((0.48..0.52).contains(&upward), "{upward} of the changes went up");
}

#[test]
fn extremes_of_the_scale_never_wrap() {
    // Odd pixels are all black or white between textured even ones.
    let (width, height) = (60u32, 60u32);
    let mut rng = StdRng::seed_from_u64(77);
    let mut clean = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let odd = (x + y) % 2 == 1;
            for _ in 0..3 {
                clean.push(if odd { if x % 4 < 2 { 0 } else { 255 } } else { rng.random_range(20..230) });
            }
        }
    }
    let mut data = clean.clone();
    let mut canvas = Canvas::new(width, height, 3, &mut data).unwrap();
    let capacity = capacity_bytes(&canvas);
    let payload = bytes(capacity, 4);
    assert!(capacity > 200);
    embed(&mut canvas, &mut Seeded::new(9), &payload).unwrap();
    assert_eq!(extractor(&canvas, Seeded::new(9)).read(capacity), Some(payload));
    assert!(clean.iter().zip(&data).all(|(before, after)| before.abs_diff(*after) <= 1));
}

#[test]
fn wrong_buffers_are_named() {
    let mut data = vec![0; 48];
    assert_eq!(Canvas::new(4, 4, 2, &mut data).unwrap_err(), CanvasError::Channels { channels: 2 });
    assert_eq!(Canvas::new(0, 4, 3, &mut data).unwrap_err(), CanvasError::Size { width: 0, height: 4 });
    assert_eq!(
        Canvas::new(u32::MAX, u32::MAX, 3, &mut data).unwrap_err(),
        CanvasError::Size { width: u32::MAX, height: u32::MAX }
    );
    assert_eq!(Canvas::new(5, 4, 3, &mut data).unwrap_err(), CanvasError::Length { wanted: 60, got: 48 });
    assert!(Canvas::new(4, 4, 3, &mut data).is_ok());
}
