//! Camera sources.

use miyu::media::camera::{self, CameraError, Folder, Mjpeg, Picture, Settings, SourceSpec, Stamp, read_back};
use miyu::media::jpeg::{self, Rgb};
use miyu::media::picture;

use super::drawn;

#[test]
fn sources_are_read_from_the_command_line() {
    let spec = |text: &str| text.parse::<SourceSpec>().unwrap();
    assert_eq!(spec("test"), SourceSpec::Test);
    assert_eq!(spec("rpicam"), SourceSpec::Rpicam);
    assert_eq!(spec("v4l2:/dev/video0"), SourceSpec::V4l2("/dev/video0".into()));
    assert_eq!(spec("a/b.mjpeg"), SourceSpec::Mjpeg("a/b.mjpeg".into()));
    assert_eq!(spec("B.MJPG"), SourceSpec::Mjpeg("B.MJPG".into()));
    assert_eq!(spec("photos"), SourceSpec::Folder("photos".into()));
    for text in ["test", "rpicam", "v4l2:/dev/video0", "a/b.mjpeg", "photos"] {
        assert_eq!(spec(text).to_string(), text);
    }
    for bad in ["", "v4l2:"] {
        let error = bad.parse::<SourceSpec>().unwrap_err();
        assert!(matches!(error, CameraError::UnknownSource { .. }));
        assert!(error.hint().unwrap().contains("v4l2:/dev/video0"));
    }
}

#[test]
fn settings_out_of_bounds_and_missing_sources_are_named() {
    let open = |spec: &str, settings: Settings| camera::open(&spec.parse().unwrap(), &settings).err().unwrap();
    let ok = Settings::default();
    assert!(matches!(open("test", Settings { size: Some((15, 480)), ..ok.clone() }), CameraError::Size { .. }));
    assert!(matches!(open("test", Settings { size: Some((640, 7681)), ..ok.clone() }), CameraError::Size { .. }));
    for fps in [0.0, 0.9, 120.5, f32::NAN, f32::INFINITY, -1.0] {
        assert!(matches!(open("test", Settings { fps, ..ok.clone() }), CameraError::Fps { .. }), "{fps}");
    }
    assert!(matches!(open("test", Settings { quality: 0, ..ok.clone() }), CameraError::Quality { quality: 0 }));
    #[cfg(not(feature = "camera"))]
    for absent in ["v4l2:/dev/video9", "rpicam"] {
        let error = open(absent, ok.clone());
        assert!(matches!(error, CameraError::NotInThisBuild { .. }));
        assert!(error.to_string().contains(absent) && error.hint().is_some());
    }
    let error = open("no-such-folder", ok.clone());
    assert!(matches!(error, CameraError::Io { .. }) && error.hint().unwrap().contains("test"));
    assert!(matches!(open("no-such.mjpeg", ok), CameraError::Io { .. }));
}

#[test]
fn the_test_source_stamps_its_frames() {
    let settings = Settings { size: Some((320, 240)), fps: 120.0, ..Settings::default() };
    let mut source = camera::open(&SourceSpec::Test, &settings).unwrap();
    assert_eq!((source.size(), source.fps()), ((320, 240), 120.0));
    assert_eq!(source.describe(), "test pattern 320x240 at 120 fps");
    let mut last_us = 0;
    for seq in 0..3 {
        let frame = source.next().unwrap();
        assert_eq!((frame.seq, frame.width, frame.height), (seq, 320, 240));
        assert!(frame.captured_at_us >= last_us);
        last_us = frame.captured_at_us;
        let Picture::Rgb(rgb) = frame.picture else { panic!("the pattern is pixels") };
        assert_eq!(read_back(&rgb), Some(Stamp { frame: seq, unix_ms: frame.captured_at_us / 1000 }));
    }
}

fn jpeg_of(picture: Picture) -> Vec<u8> {
    match picture {
        Picture::Jpeg(bytes) => bytes.to_vec(),
        _ => panic!("expected a JPEG passed through"),
    }
}

fn rgb_of(picture: Picture) -> Rgb {
    match picture {
        Picture::Rgb(rgb) => Rgb::clone(&rgb),
        _ => panic!("expected pixels"),
    }
}

#[test]
fn an_mjpeg_file_loops_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mjpeg");
    let frames: Vec<Vec<u8>> = (0..3).map(|seed| jpeg::encode(&drawn(64, 48, seed), 85).unwrap()).collect();
    std::fs::write(&path, frames.concat()).unwrap();
    let mut source = Mjpeg::open(&path, &Settings::default()).unwrap();
    for round in 0..3 {
        for frame in &frames {
            assert_eq!(&jpeg_of(source.picture().unwrap()), frame, "round {round}");
        }
    }
    assert_eq!(source.broken(), 0);
    let mut source = Mjpeg::open(&path, &Settings { size: Some((32, 32)), ..Settings::default() }).unwrap();
    let rgb = rgb_of(source.picture().unwrap());
    assert_eq!((rgb.width, rgb.height), (32, 32));
    assert!(rgb.data[..32 * 3 * 4].iter().all(|&sample| sample == 0), "bars above");
    assert!(rgb.data[32 * 3 * 8..32 * 3 * 9].iter().any(|&sample| sample > 40), "the picture between");
}

#[test]
fn broken_frames_of_a_file_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mjpeg");
    let frames: Vec<Vec<u8>> = (0..4).map(|seed| jpeg::encode(&drawn(64, 48, seed), 85).unwrap()).collect();
    let mut corrupt = frames[1].clone();
    let at = corrupt.len() * 2 / 3;
    corrupt.drain(at..at + 40);
    let cut = frames[2][..frames[2].len() / 2].to_vec();
    let stream = [corrupt, frames[0].clone(), cut, frames[3].clone(), frames[2][..30].to_vec()].concat();
    std::fs::write(&path, stream).unwrap();
    let mut source = Mjpeg::open(&path, &Settings::default()).unwrap();
    for round in 1..4 {
        assert_eq!(jpeg_of(source.picture().unwrap()), frames[0], "round {round}");
        assert_eq!(jpeg_of(source.picture().unwrap()), frames[3], "round {round}");
    }
    assert!(source.broken() >= 3, "{}", source.broken());

    for (name, bytes) in
        [("empty.mjpeg", Vec::new()), ("cut.mjpeg", frames[0][..500].to_vec()), ("text.mjpeg", b"hello".to_vec())]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = Mjpeg::open(&path, &Settings::default()).err().unwrap();
        assert!(matches!(error, CameraError::NoFrames { .. }), "{name}: {error}");
    }
    let error = Mjpeg::open(folder.path(), &Settings::default()).err().unwrap();
    assert!(matches!(error, CameraError::Io { .. }), "{error}");
}

#[test]
fn a_folder_is_shown_by_name_and_letterboxed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let jpeg_bytes = jpeg::encode(&drawn(64, 48, 1), 85).unwrap();
    write("b.JPG", &jpeg_bytes);
    let red = Rgb::filled(48, 48, [255, 0, 0]);
    write("a.png", &picture::encode_png(48, 48, false, &red.data).unwrap());
    write("c.jpg", b"not a picture");
    write("d.txt", b"ignored");
    let settings = Settings { size: Some((64, 48)), ..Settings::default() };
    let mut source = Folder::open(folder.path(), &settings).unwrap();
    for round in 0..2 {
        let rgb = rgb_of(source.picture().unwrap());
        assert_eq!((rgb.width, rgb.height), (64, 48));
        let pixel = |x: usize, y: usize| rgb.data[(y * 64 + x) * 3..][..3].to_vec();
        assert_eq!(pixel(3, 20), [0, 0, 0], "a bar on the left");
        assert_eq!(pixel(60, 20), [0, 0, 0], "a bar on the right");
        assert_eq!(pixel(32, 24), [255, 0, 0]);
        assert_eq!(jpeg_of(source.picture().unwrap()), jpeg_bytes, "round {round}");
    }
    // Its own size is that of the first picture by name.
    let source = Folder::open(folder.path(), &Settings::default()).unwrap();
    assert_eq!(camera::Source::size(&source), (48, 48));
    // A file that changes is shown as it is now.
    let mut source = Folder::open(folder.path(), &settings).unwrap();
    rgb_of(source.picture().unwrap());
    jpeg_of(source.picture().unwrap());
    let green = Rgb::filled(64, 48, [0, 255, 0]);
    write("a.png", &picture::encode_png(64, 48, false, &green.data).unwrap());
    assert_eq!(rgb_of(source.picture().unwrap()), green);

    let empty = tempfile::tempdir().unwrap();
    let error = Folder::open(empty.path(), &settings).err().unwrap();
    assert!(matches!(error, CameraError::NoPictures { skipped: 0, .. }) && error.hint().is_some());
    std::fs::write(empty.path().join("x.png"), b"nothing").unwrap();
    let error = Folder::open(empty.path(), &settings).err().unwrap();
    assert!(matches!(error, CameraError::NoPictures { skipped: 1, .. }), "{error}");
}
