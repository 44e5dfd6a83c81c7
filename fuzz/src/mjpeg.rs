//! A stream of JPEGs: cut into pictures whatever the chunks, and played as a camera.

use std::io::Write;

use miyu::media::camera::{Mjpeg, Picture, Settings};
use miyu::media::jpeg::{self, Cutter};

use super::bytes::Bytes;

/// Pictures taken from the file.
const PICTURES_TAKEN: usize = 6;
/// Larger ones take too long for one run here.
const PIXELS_TRIED: u64 = 128 * 1024;

/// Two bytes seed the chunks, two are the size of the camera, the others the stream.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let seed = input.short();
    let size = (u32::from(input.byte()).max(16), u32::from(input.byte()).max(16));
    let stream = input.0;
    let whole = cut(stream, None);
    assert_eq!(cut(stream, Some(seed)), whole, "the chunks change what is cut out");
    let mut end = 0;
    for (at, frame) in &whole {
        let at = usize::try_from(*at).expect("a place in the input");
        assert!(at >= end, "two pictures share bytes");
        end = at + frame.len();
        assert!(stream[at..end] == frame[..], "a picture is not what stands at its place");
        assert!(frame.starts_with(&[0xff, 0xd8, 0xff]) && frame.ends_with(&[0xff, 0xd9]));
        assert!(frame.len() <= jpeg::FRAME_BYTES_MAX);
    }
    let pixels = |frame: &[u8]| jpeg::info(frame).map_or(0, |info| u64::from(info.width) * u64::from(info.height));
    if whole.iter().all(|(_, frame)| pixels(frame) <= PIXELS_TRIED) {
        play(stream, size);
    }
}

/// Every picture with its place, in chunks of a pseudo-random length.
fn cut(stream: &[u8], seed: Option<u16>) -> Vec<(u64, Vec<u8>)> {
    let mut cutter = Cutter::new();
    let mut frames = Vec::new();
    let mut state = u32::from(seed.unwrap_or_default()) | 1;
    let mut rest = stream;
    while !rest.is_empty() {
        state = state.wrapping_mul(0x9e37_79b1).rotate_left(13);
        let length = if seed.is_some() { (state as usize % 97) + 1 } else { rest.len() };
        let (mut chunk, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        while let Some(frame) = cutter.cut(&mut chunk) {
            frames.push((cutter.last_origin(), frame.to_vec()));
        }
        assert!(chunk.is_empty(), "bytes are left over");
    }
    while let Some(frame) = cutter.end_of_stream() {
        frames.push((cutter.last_origin(), frame.to_vec()));
    }
    let taken: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
    assert_eq!(taken as u64 + cutter.skipped_bytes(), stream.len() as u64, "bytes are lost or counted twice");
    frames
}

/// As a camera: every picture has the size of the source.
fn play(stream: &[u8], size: (u32, u32)) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(stream).expect("room for it");
    let settings = Settings { size: Some(size), ..Settings::default() };
    let Ok(mut camera) = Mjpeg::open(file.path(), &settings) else {
        return;
    };
    for _ in 0..PICTURES_TAKEN {
        match camera.picture() {
            Ok(Picture::Jpeg(frame)) => {
                let info = jpeg::info(&frame).expect("a frame that was checked");
                assert_eq!((info.width, info.height), size);
            }
            Ok(Picture::Rgb(rgb)) => {
                assert_eq!((rgb.width, rgb.height), size);
                assert_eq!(rgb.data.len(), size.0 as usize * size.1 as usize * 3);
            }
            Ok(Picture::Yuv(_)) => panic!("a file of JPEGs gives no planes"),
            Err(error) => panic!("a file that was opened cannot be played: {error}"),
        }
    }
}
