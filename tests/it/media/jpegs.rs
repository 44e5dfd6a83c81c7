//! JPEG and the cutter.

use miyu::media::camera::scale;
use miyu::media::jpeg::{self, JpegError, Rgb};
use miyu::media::picture::{self, PictureError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{cut_all, drawn, mean_difference};

// --- JPEG

#[test]
fn jpeg_round_trips() {
    for (width, height) in [(1, 1), (16, 16), (17, 33), (640, 480)] {
        let smooth = scale(&drawn(8, 8, 1), width, height);
        let bytes = jpeg::encode(&smooth, 95).unwrap();
        assert_eq!(jpeg::info(&bytes).unwrap(), jpeg::Info { width, height });
        let back = jpeg::decode(&bytes).unwrap();
        let difference = mean_difference(&smooth, &back);
        assert!(difference < 12.0, "{width}x{height}: {difference}");
        assert_eq!(jpeg::verify(&bytes).unwrap(), jpeg::Info { width, height });
    }
}

#[test]
fn quality_changes_the_size() {
    let rgb = drawn(320, 240, 3);
    let sizes: Vec<usize> = [10, 50, 90].map(|quality| jpeg::encode(&rgb, quality).unwrap().len()).into();
    assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
    for quality in [0, 101] {
        assert_eq!(jpeg::encode(&rgb, quality), Err(JpegError::Quality { quality }));
    }
}

#[test]
fn damaged_jpegs_are_errors_not_grey_pixels() {
    let whole = jpeg::encode(&drawn(160, 120, 5), 85).unwrap();
    for cut in (0..whole.len()).step_by(whole.len() / 60) {
        let part = &whole[..cut];
        let error = jpeg::decode(part).unwrap_err();
        assert!(matches!(error, JpegError::NotJpeg { .. } | JpegError::Damaged { .. }), "{cut}: {error}");
        assert!(jpeg::verify(part).is_err(), "{cut}");
    }
    assert!(matches!(jpeg::decode(b"GIF89a..."), Err(JpegError::NotJpeg { len: 9 })));
    assert!(matches!(jpeg::info(&[]), Err(JpegError::NotJpeg { len: 0 })));
    let mut holed = whole.clone();
    let middle = holed.len() / 2;
    holed[middle..middle + 2].copy_from_slice(&[0xff, 0xd9]);
    assert!(matches!(jpeg::decode(&holed), Err(JpegError::Damaged { .. })));
}

#[test]
fn random_damage_never_panics() {
    let whole = jpeg::encode(&drawn(64, 48, 6), 85).unwrap();
    let mut rng = StdRng::seed_from_u64(4);
    for _ in 0..500 {
        let mut bytes = whole.clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        let _ = jpeg::decode(&bytes).map(|rgb| rgb.data.len());
        let _ = picture::decode(&bytes).map(|picture| picture.data.len());
    }
}

#[test]
fn a_jpeg_that_claims_too_many_pixels_is_refused_before_decoding() {
    let mut bytes = jpeg::encode(&drawn(16, 16, 1), 85).unwrap();
    let frame = bytes.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);
    assert_eq!(jpeg::decode(&bytes), Err(JpegError::Size { width: 65_000, height: 65_000 }));
    assert!(matches!(picture::decode(&bytes), Err(PictureError::TooLarge { .. })));
}

#[test]
fn wrong_pixel_buffers_are_named() {
    assert!(matches!(Rgb::new(0, 5, vec![]), Err(JpegError::Size { .. })));
    assert!(matches!(Rgb::new(70_000, 70_000, vec![]), Err(JpegError::Size { .. })));
    assert!(matches!(Rgb::new(4, 4, vec![0; 47]), Err(JpegError::Pixels { wanted: 48, got: 47, .. })));
    let lying = Rgb { width: 9, height: 9, data: vec![0; 3] };
    assert!(jpeg::encode(&lying, 80).is_err());
    assert_eq!(scale(&lying, 4, 4).data.len(), 48);
}

#[test]
fn decoding_at_a_part_of_the_size_covers_what_was_asked() {
    let bytes = jpeg::encode(&drawn(640, 480, 2), 85).unwrap();
    let sizes = [((640, 480), 640), ((321, 200), 640), ((320, 240), 320), ((100, 100), 160), ((10, 10), 80)];
    for ((width, height), got) in sizes {
        assert_eq!(jpeg::decode_covering(&bytes, width, height).unwrap().width, got);
    }
}

// --- the cutter

#[test]
fn a_stream_is_cut_whatever_the_chunks() {
    let frames: Vec<Vec<u8>> = (0..5).map(|seed| jpeg::encode(&drawn(48, 40, seed), 85).unwrap()).collect();
    let mut stream = b"junk \xff\xd8 before".to_vec();
    for frame in &frames {
        stream.extend_from_slice(frame);
        stream.extend_from_slice(b"\r\n--boundary\xff\r\n");
    }
    for bite in [1, 2, 3, 7, 1000, 1 << 20] {
        let (got, cutter) = cut_all(&stream, bite);
        assert_eq!(got, frames, "in bites of {bite}");
        assert_eq!(cutter.broken(), 0);
        let whole: usize = frames.iter().map(Vec::len).sum();
        assert!(cutter.skipped_bytes() as usize >= stream.len() - whole - 2);
    }
}

#[test]
fn a_thumbnail_within_a_header_is_no_frame() {
    let inner = jpeg::encode(&drawn(16, 16, 1), 60).unwrap();
    let outer = jpeg::encode(&drawn(64, 64, 2), 85).unwrap();
    let mut frame = vec![0xff, 0xd8, 0xff, 0xe1];
    frame.extend_from_slice(&u16::try_from(inner.len() + 2).unwrap().to_be_bytes());
    frame.extend_from_slice(&inner);
    frame.extend_from_slice(&outer[2..]);
    let (got, _) = cut_all(&[frame.clone(), frame.clone()].concat(), 100);
    assert_eq!(got, [frame.clone(), frame]);
}

#[test]
fn broken_frames_are_dropped_and_the_next_ones_found() {
    let frames: Vec<Vec<u8>> = (0..4).map(|seed| jpeg::encode(&drawn(48, 40, seed), 85).unwrap()).collect();
    let scan = frames[1].windows(2).position(|two| two == [0xff, 0xda]).unwrap();
    for cut in [2, 3, 4, 10, 25, scan, scan + 5, scan + 40, frames[1].len() - 1] {
        let stream = [&frames[0], &frames[1][..cut], &frames[2], &frames[3]].map(|part| part.to_vec()).concat();
        let (got, cutter) = cut_all(&stream, 512);
        assert!(got.contains(&frames[0]) && got.contains(&frames[3]), "cut at {cut}");
        // Cut within the scan header, the next start is taken for its rest: that frame goes too.
        let lost = usize::from(cut == scan + 5);
        assert_eq!(got.contains(&frames[2]), lost == 0, "cut at {cut}");
        assert_eq!(got.len(), 3 - lost, "cut at {cut}");
        assert!(cutter.broken() >= 1, "cut at {cut}");
    }
}

#[test]
fn a_frame_that_is_too_long_is_given_up() {
    let frame = jpeg::encode(&drawn(48, 40, 1), 85).unwrap();
    for filling in [jpeg::FRAME_BYTES_MAX, 3 * jpeg::FRAME_BYTES_MAX] {
        let mut stream = frame[..frame.len() - 2].to_vec();
        stream.resize(stream.len() + filling, 0x55);
        stream.extend_from_slice(&[0xff, 0xd9]);
        stream.extend_from_slice(&frame);
        let (got, cutter) = cut_all(&stream, 1 << 16);
        assert_eq!(got, [&frame[..]], "{filling} bytes too many");
        assert_eq!(cutter.broken(), 1);
    }
}

#[test]
fn a_start_and_an_end_alone_are_no_frame() {
    let frame = jpeg::encode(&drawn(48, 40, 1), 85).unwrap();
    let stream = [&[0xff, 0xd8, 0xff, 0xd9][..], &frame].concat();
    assert_eq!(cut_all(&stream, 100).0, [frame]);
}

#[test]
fn the_cutter_takes_any_bytes() {
    let mut rng = StdRng::seed_from_u64(11);
    let whole = jpeg::encode(&drawn(32, 32, 1), 85).unwrap();
    for _ in 0..300 {
        let mut stream: Vec<u8> = (0..3).flat_map(|_| whole.clone()).collect();
        for _ in 0..20 {
            let at = rng.random_range(0..stream.len());
            stream[at] = if rng.random_bool(0.5) { 0xff } else { rng.random() };
        }
        let (frames, mut cutter) = cut_all(&stream, rng.random_range(1..900));
        for frame in frames {
            assert!(frame.starts_with(&[0xff, 0xd8, 0xff]) && frame.ends_with(&[0xff, 0xd9]));
        }
        assert_eq!(cutter.cut(&mut &whole[..]).as_deref(), Some(&whole[..]), "ready for another stream");
    }
}
