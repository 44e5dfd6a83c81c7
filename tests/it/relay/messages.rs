//! What the runs send, and what must be in the receiver's store for it.

use std::path::Path;

use image::{ImageFormat, RgbImage};
use miyu::node::history::{History, Kind};
use miyu::node::{Direction, DraftKind, Message, MessageId};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::support::{body, file};

/// Bodies have at most this many bytes.
const BODY_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What was sent.
pub(super) struct Sent {
    pub(super) id: MessageId,
    pub(super) content: Content,
}

/// What must arrive.
pub(super) enum Content {
    Text(String),
    /// A picture, clip or file as it was.
    Body(Kind, Vec<u8>),
    /// A picture with this text in it.
    Hidden(String),
}

/// A message of any kind. Files are written into `folder`.
pub(super) fn drawn(rng: &mut StdRng, folder: &Path) -> (DraftKind, Content) {
    match rng.random_range(0..8) {
        0..=2 => {
            let text = words(rng, 400);
            (DraftKind::Text(text.clone()), Content::Text(text))
        }
        3 => {
            let (bytes, hide) = (picture(rng), words(rng, 100));
            (DraftKind::Picture { bytes, hide: Some(hide.clone()) }, Content::Hidden(hide))
        }
        4 => {
            let bytes = picture(rng);
            (DraftKind::Picture { bytes: bytes.clone(), hide: None }, Content::Body(Kind::Picture, bytes))
        }
        5 => {
            let bytes = clip(rng);
            (DraftKind::Clip(bytes.clone()), Content::Body(Kind::Clip, bytes))
        }
        _ => {
            // The larger ones are kept in parts on the receiver's disk.
            let bytes_max = BODY_BYTES_MAX >> (2 * rng.random_range(0..4));
            let bytes = rng.random_range(1..=bytes_max) as usize;
            let path = file(folder, bytes, rng.next_u64());
            let content = Content::Body(Kind::File, std::fs::read(&path).unwrap());
            (DraftKind::File(path), content)
        }
    }
}

fn words(rng: &mut StdRng, words_max: usize) -> String {
    let words = ["rain", "河", "\u{1f327}", "noise", "\n", "静かな", "x"];
    let length = rng.random_range(1..=words_max);
    let mut text: String = (1..length).map(|_| words[rng.random_range(0..words.len())]).collect();
    text.push('.');
    text.chars().take(words_max).collect()
}

/// A PNG of noise: texture everywhere, so that it can hide something.
fn picture(rng: &mut StdRng) -> Vec<u8> {
    let picture = RgbImage::from_fn(96, 80, |_, _| image::Rgb(std::array::from_fn(|_| rng.random_range(30..220))));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

fn clip(rng: &mut StdRng) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
    for _ in 0..rng.random_range(1_000..80_000) {
        writer.write_sample(rng.random::<i16>()).unwrap();
    }
    writer.finalize().unwrap();
    wav.into_inner()
}

/// The message that the receiver has for this one, and the sender's own row of it.
pub(super) fn compare(sent: &Sent, (came, receiver): (&Message, &History), (own, sender): (&Message, &History)) {
    assert_eq!((came.id, came.direction, came.seq), (sent.id, Direction::In, own.seq));
    assert_eq!((came.kind, came.bytes, came.sm3), (own.kind, own.bytes, own.sm3));
    let there = body(receiver, came);
    assert!(there == body(sender, own), "{came:?} has another body than its sender's copy");
    assert_eq!(miyu::crypto::sm3::digest(&there), came.sm3);
    match &sent.content {
        Content::Text(text) => assert!(came.kind == Kind::Text && came.text.as_ref() == Some(text)),
        Content::Body(kind, bytes) => {
            assert_eq!((came.kind, &came.hidden), (*kind, &None));
            assert!(there == *bytes, "{came:?} is not what was sent");
        }
        Content::Hidden(text) => assert!(came.kind == Kind::Picture && came.hidden.as_ref() == Some(text)),
    }
}
