//! Bytes in a picture: what is placed is read back, and nothing else changes.

use miyu::crypto::sm4::{Keystream, SEED_BYTES};
use miyu::stego::{self, Canvas, PathKey, TooLong};

use super::bytes::Bytes;

struct Key(Keystream);

impl PathKey for Key {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }
}

fn key(seed: u8) -> Key {
    Key(Keystream::new(&[seed; SEED_BYTES]))
}

/// A small picture out of an input: width, height, whether there is alpha, samples that repeat what is left.
pub fn pixels(input: &mut Bytes<'_>) -> (u32, u32, u8, Vec<u8>) {
    let (width, height) = (u32::from(input.byte() % 48) + 1, u32::from(input.byte() % 48) + 1);
    let flags = input.byte();
    let channels = 3 + (flags & 1);
    let count = width as usize * height as usize * usize::from(channels);
    let mut samples = vec![0; count];
    if flags & 2 != 0 {
        // Noise, so that there is room to hide in; the input changes it here and there.
        Keystream::new(&[flags; SEED_BYTES]).fill(&mut samples);
    }
    for (sample, byte) in samples.iter_mut().zip(input.0.iter().cycle()) {
        *sample = sample.wrapping_add(*byte);
    }
    if flags & 4 != 0 {
        for pixel in samples.chunks_exact_mut(usize::from(channels)) {
            let first = pixel[0];
            pixel[..3].fill(first);
        }
    }
    (width, height, channels, samples)
}

/// A key, a length, and a picture.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let (seed, length) = (input.byte(), usize::from(input.short() % 1024));
    let payload: Vec<u8> = (0..length).map(|at| (at as u8).wrapping_mul(31) ^ seed).collect();
    let (width, height, channels, original) = pixels(&mut input);
    let mut samples = original.clone();

    let mut canvas = Canvas::new(width, height, channels, &mut samples).expect("size and samples fit");
    let before = invariant(&canvas);
    let capacity = stego::capacity_bytes(&canvas);
    let placed = stego::embed(&mut canvas, &mut key(seed), &payload);
    assert_eq!(stego::capacity_bytes(&canvas), capacity, "hiding changes what fits");
    assert!(invariant(&canvas) == before, "what must not change has changed");
    let read = stego::extractor(&canvas, key(seed)).read(length);
    let noise = stego::extractor(&canvas, key(!seed)).read(length);
    assert_eq!(noise.is_some(), length <= capacity);
    match placed {
        Ok(()) => assert!(length <= capacity && read.as_deref() == Some(&payload[..]), "it does not come back"),
        Err(TooLong { capacity: told, wanted }) => {
            assert!(length > capacity && (told, wanted) == (capacity, length) && read.is_none());
            assert!(samples == original, "what does not fit changes nothing");
        }
    }
    assert!(original.iter().zip(&samples).all(|(old, new)| old.abs_diff(*new) <= 1), "a change of more than one");
    // Sizes that do not fit are refused.
    assert!(Canvas::new(width + 1, height, channels, &mut samples).is_err());
    assert!(Canvas::new(width, height, channels ^ 7, &mut samples).is_err());
}

fn invariant(canvas: &Canvas<'_>) -> Vec<u8> {
    let mut kept = Vec::new();
    stego::digest_invariant(canvas, &mut |bytes| kept.extend_from_slice(bytes));
    kept
}
