//! What cameras give, brought into pictures: raw layouts, JPEGs without tables, choices, controls, turned pictures.

use miyu::media::camera::choose::{Intervals, Offer, Sizes, Thinning, choose};
use miyu::media::camera::controls::{self, ControlError, parse_setting};
use miyu::media::camera::raw::{Layout, Range, Raw};
use miyu::media::camera::{
    self, CameraError, Control, ControlKind, ControlValue, Flip, Picture, Rotation, Settings, SourceSpec, Turn,
    scale_yuv, turn_rgb,
};
use miyu::media::jpeg::{self, JpegError, Rgb, Yuv};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::drawn;

/// A picture without fine colour: what 4:2:0 cannot hold is no fault of a conversion.
fn smooth(width: u32, height: u32) -> Rgb {
    camera::scale(&drawn(6, 5, 3), width, height)
}

fn psnr(a: &Rgb, b: &Rgb) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: f64 = a.data.iter().zip(&b.data).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum();
    let mean = sum / a.data.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// Y, U and V of BT.601 in full range, from its defining weights (ITU-T T.871 §7).
fn yuv_of(pixel: &[u8]) -> [f64; 3] {
    let [r, g, b] = [0, 1, 2].map(|channel| f64::from(pixel[channel]));
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    [y, (b - y) / 1.772 + 128.0, (r - y) / 1.402 + 128.0]
}

/// What a camera would send of a picture. `padding` bytes of rubbish stand behind each row.
fn raw_of(rgb: &Rgb, layout: Layout, range: Range, padding: usize) -> (Raw, Vec<u8>) {
    let (width, height) = (rgb.width as usize, rgb.height as usize);
    let at = |x: usize, y: usize, part: usize| {
        let (x, y) = (x.min(width - 1), y.min(height - 1));
        let value = yuv_of(&rgb.data[(y * width + x) * 3..][..3])[part];
        let value = match (range, part) {
            (Range::Full, _) => value,
            (Range::Limited, 0) => value * 219.0 / 255.0 + 16.0,
            (Range::Limited, _) => (value - 128.0) * 224.0 / 255.0 + 128.0,
        };
        value.round().clamp(0.0, 255.0) as u8
    };
    let mut rng = StdRng::seed_from_u64(7);
    let mut bytes = Vec::new();
    let mut pad = |bytes: &mut Vec<u8>, count: usize| bytes.extend((0..count).map(|_| rng.random::<u8>()));
    let packed = match layout {
        Layout::Yuyv => Some([(0, 0), (0, 1), (1, 0), (0, 2)]),
        Layout::Uyvy => Some([(0, 1), (0, 0), (0, 2), (1, 0)]),
        Layout::Yvyu => Some([(0, 0), (0, 2), (1, 0), (0, 1)]),
        _ => None,
    };
    let row_bytes = if packed.is_some() { width.div_ceil(2) * 4 } else { width };
    // The planes of Y U 1 2 have half the padding, so that must be even.
    let stride = (row_bytes + padding).next_multiple_of(2);
    for y in 0..height {
        match packed {
            Some(order) => {
                for x in (0..width).step_by(2) {
                    bytes.extend(order.map(|(right, part)| at(x + right, y, part)));
                }
            }
            None => bytes.extend((0..width).map(|x| at(x, y, 0))),
        }
        pad(&mut bytes, stride - row_bytes);
    }
    let chroma = |bytes: &mut Vec<u8>, parts: &[usize], pad: &mut dyn FnMut(&mut Vec<u8>, usize)| {
        let row = if parts.len() == 2 { stride } else { stride / 2 };
        for y in (0..height).step_by(2) {
            let begin = bytes.len();
            for x in (0..width).step_by(2) {
                bytes.extend(parts.iter().map(|part| at(x, y, *part)));
            }
            let filled = bytes.len() - begin;
            pad(bytes, row - filled);
        }
    };
    match layout {
        Layout::Nv12 => chroma(&mut bytes, &[1, 2], &mut pad),
        Layout::Nv21 => chroma(&mut bytes, &[2, 1], &mut pad),
        Layout::Yu12 => [1, 2].iter().for_each(|part| chroma(&mut bytes, &[*part], &mut pad)),
        Layout::Yv12 => [2, 1].iter().for_each(|part| chroma(&mut bytes, &[*part], &mut pad)),
        _ => {}
    }
    let stride = if padding == 0 { 0 } else { stride as u32 };
    (Raw { layout, width: rgb.width, height: rgb.height, stride, range }, bytes)
}

const COLOURED: [Layout; 7] =
    [Layout::Yuyv, Layout::Uyvy, Layout::Yvyu, Layout::Nv12, Layout::Nv21, Layout::Yu12, Layout::Yv12];

#[test]
fn raw_frames_become_the_picture_that_was_before_the_camera() {
    for (width, height) in [(64, 48), (66, 50), (640, 360)] {
        let scene = smooth(width, height);
        for layout in COLOURED {
            for (range, padding) in [(Range::Full, 0), (Range::Limited, 0), (Range::Limited, 26)] {
                let (raw, bytes) = raw_of(&scene, layout, range, padding);
                let yuv = raw.planes(&bytes).unwrap();
                let encoded = Picture::Yuv(yuv.into()).encode(1, 95).unwrap();
                assert_eq!((encoded.width, encoded.height), (width, height));
                let seen = psnr(&jpeg::decode(&encoded.jpeg).unwrap(), &scene);
                assert!(seen > 35.0, "{layout:?} {range:?} {width}x{height} padding {padding}: {seen:.1} dB");
            }
        }
    }
}

#[test]
fn a_grey_camera_gives_grey_pictures() {
    let scene = smooth(64, 48);
    let (raw, bytes) = raw_of(&scene, Layout::Grey, Range::Full, 10);
    let picture = jpeg::decode(&jpeg::encode_yuv(&raw.planes(&bytes).unwrap(), 95).unwrap()).unwrap();
    for (seen, meant) in picture.data.chunks_exact(3).zip(scene.data.chunks_exact(3)) {
        let grey = yuv_of(meant)[0];
        assert!(seen.iter().all(|sample| (f64::from(*sample) - grey).abs() < 8.0), "{seen:?} for {grey}");
    }
}

#[test]
fn black_and_white_of_television_are_those_of_a_jpeg() {
    let grey = |range, value: u8| {
        let raw = Raw { layout: Layout::Nv12, width: 2, height: 2, stride: 0, range };
        raw.planes(&[value, value, value, value, 240, 16]).unwrap().data
    };
    assert_eq!(grey(Range::Limited, 16), [0, 0, 0, 0, 255, 1]);
    assert_eq!(grey(Range::Limited, 235), [255, 255, 255, 255, 255, 1]);
    assert_eq!(grey(Range::Limited, 4)[0], 0);
    assert_eq!(grey(Range::Limited, 250)[0], 255);
    assert_eq!(grey(Range::Full, 16), [16, 16, 16, 16, 240, 16]);
}

#[test]
fn a_raw_frame_that_is_cut_short_is_an_error() {
    for layout in [Layout::Yuyv, Layout::Nv12, Layout::Yu12, Layout::Grey] {
        let (raw, mut bytes) = raw_of(&smooth(34, 30), layout, Range::Full, 0);
        assert!(raw.planes(&bytes).is_ok(), "{layout:?}");
        bytes.pop();
        assert!(matches!(raw.planes(&bytes), Err(JpegError::Pixels { .. })), "{layout:?}");
        assert!(raw.planes(&[]).is_err());
        let empty = Raw { width: 0, ..raw };
        assert!(matches!(empty.planes(&bytes), Err(JpegError::Size { .. })), "{layout:?}");
    }
}

#[test]
fn no_answer_of_a_driver_panics_the_conversion() {
    let mut rng = StdRng::seed_from_u64(12);
    let mut converted = 0;
    for _ in 0..4000 {
        let layout = [&COLOURED[..], &[Layout::Grey]].concat()[rng.random_range(0..8)];
        let range = [Range::Full, Range::Limited][rng.random_range(0..2)];
        let stride = [0, rng.random_range(0..200), u32::MAX][rng.random_range(0..3)];
        let raw = Raw { layout, width: rng.random_range(0..40), height: rng.random_range(0..40), stride, range };
        let bytes: Vec<u8> = (0..rng.random_range(0..6000)).map(|_| rng.random()).collect();
        if let Ok(yuv) = raw.planes(&bytes) {
            assert!(yuv.planes().is_ok() && (yuv.width, yuv.height) == (raw.width, raw.height));
            converted += 1;
        }
    }
    assert!(converted > 1000, "{converted}");
}

#[test]
fn planes_with_odd_sides_are_encoded_and_scaled() {
    let scene = smooth(75, 41);
    let (raw, bytes) = raw_of(&scene, Layout::Nv12, Range::Full, 0);
    // 75 is odd: a row of colour is 76 bytes long.
    let yuv = Raw { stride: 76, ..raw }.planes(&padded(&bytes, 75, 41)).unwrap();
    let back = jpeg::decode(&jpeg::encode_yuv(&yuv, 95).unwrap()).unwrap();
    assert!(psnr(&back, &scene) > 33.0, "{}", psnr(&back, &scene));
    let half = Picture::Yuv(yuv.clone().into()).encode(2, 95).unwrap();
    assert_eq!((half.width, half.height), (37, 20));
    let seen = psnr(&jpeg::decode(&half.jpeg).unwrap(), &camera::scale(&scene, 37, 20));
    assert!(seen > 30.0, "{seen}");
    assert!(matches!(scale_yuv(&yuv, 0, 4), Err(JpegError::Size { .. })));
    let lying = Yuv { data: vec![0; 5], ..yuv };
    assert!(scale_yuv(&lying, 4, 4).is_err() && jpeg::encode_yuv(&lying, 80).is_err());
    assert!(matches!(Yuv::new(4, 4, vec![0; 24]), Ok(Yuv { width: 4, .. })));
    assert!(matches!(Yuv::new(4, 4, vec![0; 23]), Err(JpegError::Pixels { wanted: 24, got: 23, .. })));
}

/// The same NV12 frame with one byte behind each row of brightness.
fn padded(bytes: &[u8], width: usize, height: usize) -> Vec<u8> {
    let (luma, chroma) = bytes.split_at(width.next_multiple_of(2) * height);
    [luma, chroma].concat()
}

#[test]
fn each_class_of_size_holds_the_same_picture() {
    let scene = smooth(320, 240);
    let (raw, bytes) = raw_of(&scene, Layout::Yuyv, Range::Limited, 0);
    let pictures = [
        Picture::Rgb(scene.clone().into()),
        Picture::Yuv(raw.planes(&bytes).unwrap().into()),
        Picture::Jpeg(jpeg::encode(&scene, 95).unwrap().into()),
    ];
    for picture in &pictures {
        for (part, width, height) in [(1, 320, 240), (2, 160, 120), (4, 80, 60)] {
            let encoded = picture.encode(part, 95).unwrap();
            assert_eq!((encoded.width, encoded.height), (width, height));
            let seen = psnr(&jpeg::decode(&encoded.jpeg).unwrap(), &camera::scale(&scene, width, height));
            assert!(seen > 35.0, "part {part} of {picture:?}: {seen:.1} dB");
        }
    }
    let Picture::Jpeg(bytes) = &pictures[2] else { panic!("a JPEG") };
    assert_eq!(pictures[2].encode(1, 10).unwrap().jpeg, *bytes, "a JPEG stays as it is");
}

// --- JPEGs of cameras

/// The JPEG without its Huffman tables, as many cameras send it.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let length = 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match jpeg[at + 1] {
            0xda => break,
            0xc4 => {}
            _ => out.extend_from_slice(&jpeg[at..at + length]),
        }
        at += length;
    }
    out.extend_from_slice(&jpeg[at..]);
    out
}

#[test]
fn a_jpeg_without_its_tables_gets_the_typical_ones() {
    // libjpeg-turbo writes the typical tables, so the picture must come back the same, pixel for pixel.
    let whole = jpeg::encode(&drawn(160, 120, 9), 85).unwrap();
    let bare = without_tables(&whole);
    assert!(bare.len() < whole.len() - 400);
    let mended = jpeg::with_huffman_tables(bare.clone().into());
    assert_eq!(jpeg::decode(&mended).unwrap(), jpeg::decode(&whole).unwrap());
    // A decoder that knows no typical tables: this one is not libjpeg-turbo.
    let other = image::load_from_memory_with_format(&mended, image::ImageFormat::Jpeg);
    assert_eq!(other.unwrap().to_rgb8().dimensions(), (160, 120));
    for same in [whole, b"no JPEG".to_vec(), bare[..40].to_vec(), Vec::new()] {
        assert_eq!(jpeg::with_huffman_tables(same.clone().into()), same);
    }
}

// --- turned pictures

/// The pixel of the turned picture that shows `(x, y)` of the original, by the words of the settings.
fn shown_at((x, y): (u32, u32), (width, height): (u32, u32), rotate: Rotation, flip: Flip) -> (u32, u32) {
    let ((x, y), (width, height)) = match rotate {
        Rotation::None => ((x, y), (width, height)),
        Rotation::Right => ((height - 1 - y, x), (height, width)),
        Rotation::Around => ((width - 1 - x, height - 1 - y), (width, height)),
        Rotation::Left => ((y, width - 1 - x), (height, width)),
    };
    let x = if matches!(flip, Flip::Horizontal | Flip::Both) { width - 1 - x } else { x };
    let y = if matches!(flip, Flip::Vertical | Flip::Both) { height - 1 - y } else { y };
    (x, y)
}

fn every_turn() -> Vec<(Rotation, Flip)> {
    let rotations = [0, 90, 180, 270].map(|degrees| Rotation::from_degrees(degrees).unwrap());
    let flips = Flip::WORDS.map(|word| word.parse::<Flip>().unwrap());
    rotations.into_iter().flat_map(|rotate| flips.map(|flip| (rotate, flip))).collect()
}

#[test]
fn pixels_go_where_they_belong() {
    let rgb = drawn(7, 5, 1);
    for (rotate, flip) in every_turn() {
        let turned = turn_rgb(&rgb, Turn::new(rotate, flip)).unwrap();
        for y in 0..5 {
            for x in 0..7 {
                let (to_x, to_y) = shown_at((x, y), (7, 5), rotate, flip);
                let before = &rgb.data[(y * 7 + x) as usize * 3..][..3];
                let after = &turned.data[(to_y * turned.width + to_x) as usize * 3..][..3];
                assert_eq!(before, after, "{rotate:?} {flip:?} {x},{y}");
            }
        }
    }
}

#[test]
fn every_kind_of_picture_is_turned_alike() {
    // Whole blocks, and sides that cut one: the latter cannot be turned without decoding.
    for (width, height) in [(64, 48), (60, 44)] {
        let scene = smooth(width, height);
        let (raw, bytes) = raw_of(&scene, Layout::Nv12, Range::Full, 0);
        let yuv = Picture::Yuv(raw.planes(&bytes).unwrap().into());
        let whole = Picture::Jpeg(jpeg::encode(&scene, 95).unwrap().into());
        for (rotate, flip) in every_turn() {
            let turn = Turn::new(rotate, flip);
            let meant = turn_rgb(&scene, turn).unwrap();
            for picture in [&yuv, &whole] {
                let turned = picture.clone().turned(turn).unwrap();
                let encoded = turned.encode(1, 95).unwrap();
                assert_eq!((encoded.width, encoded.height), turn.size((width, height)));
                let seen = psnr(&jpeg::decode(&encoded.jpeg).unwrap(), &meant);
                assert!(seen > 35.0, "{picture:?} {rotate:?} {flip:?}: {seen:.1} dB");
            }
            if width == 64 {
                let turned = whole.clone().turned(turn).unwrap();
                assert!(matches!(turned, Picture::Jpeg(_)), "nothing is decoded for {rotate:?} {flip:?}");
            }
        }
    }
    let Err(error) = Picture::Jpeg(vec![0xff, 0xd8, 0xff, 0].into()).turned(Turn::new(Rotation::Right, Flip::None))
    else {
        panic!("a JPEG without an end was turned");
    };
    assert!(matches!(error, JpegError::Damaged { .. }), "{error}");
}

#[test]
fn a_source_is_turned_as_its_settings_say() {
    let settings = Settings {
        size: Some((64, 48)),
        fps: 120.0,
        rotate: Rotation::Right,
        flip: Flip::Vertical,
        ..Settings::default()
    };
    let mut source = camera::open(&SourceSpec::Test, &settings).unwrap();
    assert_eq!(source.size(), (48, 64));
    assert_eq!(source.describe(), "test pattern 64x48 at 120 fps, turned by 90 degrees, flipped: vertical");
    let frame = source.next().unwrap();
    let Picture::Rgb(rgb) = &frame.picture else { panic!("the pattern is pixels") };
    assert_eq!((frame.width, frame.height, rgb.width, rgb.height), (48, 64, 48, 64));
    for bad in ["45", "-90", "", "left"] {
        assert!(bad.parse::<Rotation>().unwrap_err().contains("90"), "{bad}");
    }
    assert_eq!("270".parse::<Rotation>().unwrap().degrees(), 270);
    assert!("sideways".parse::<Flip>().unwrap_err().contains("horizontal"));
}

// --- what to ask a camera for

fn offer(fourcc: &[u8; 4], size: (u32, u32), rates: &[u32]) -> Offer {
    let intervals = Intervals::Some(rates.iter().map(|fps| (1, *fps)).collect());
    Offer { fourcc: *fourcc, size, intervals }
}

#[test]
fn the_closest_size_is_chosen_then_the_rate_then_the_least_work() {
    let yuyv = [offer(b"YUYV", (640, 480), &[30]), offer(b"YUYV", (1280, 720), &[10])];
    let mjpg = [offer(b"MJPG", (640, 480), &[30]), offer(b"MJPG", (1280, 720), &[30])];
    let both = [yuyv.clone(), mjpg].concat();
    let name = |offers: &[Offer], size, fps, turned| {
        let chosen = choose(offers, size, fps, turned).unwrap();
        (String::from_utf8(chosen.fourcc.into()).unwrap(), chosen.size)
    };
    let mjpg = |size| ("MJPG".to_owned(), size);
    let yuyv_of = |size| ("YUYV".to_owned(), size);
    assert_eq!(name(&both, (1280, 720), 30.0, false), mjpg((1280, 720)));
    assert_eq!(name(&both, (640, 480), 30.0, false), mjpg((640, 480)));
    assert_eq!(name(&both, (640, 480), 30.0, true), yuyv_of((640, 480)), "planes lose nothing by turning");
    assert_eq!(name(&both, (1280, 720), 30.0, true), mjpg((1280, 720)), "but not at a third of the rate");
    assert_eq!(name(&yuyv, (1300, 700), 30.0, false), yuyv_of((1280, 720)), "the size counts before the rate");
    assert_eq!(name(&yuyv, (16, 16), 30.0, false), yuyv_of((640, 480)));
    let nv12 = [yuyv[0].clone(), offer(b"NV12", (640, 480), &[30])];
    assert_eq!(name(&nv12, (640, 480), 30.0, false), ("NV12".to_owned(), (640, 480)));
    // 29.97 is 30 for this purpose.
    let ntsc = Offer { intervals: Intervals::Some(vec![(1001, 30_000)]), ..offer(b"MJPG", (640, 480), &[]) };
    assert_eq!(name(&[nv12[1].clone(), ntsc], (640, 480), 30.0, false), mjpg((640, 480)));
    assert!(choose(&[], (640, 480), 30.0, false).is_none());
}

#[test]
fn ranges_of_sizes_and_rates_give_what_is_closest() {
    let any = Sizes::Steps((48, 1000, 8), (32, 720, 2));
    assert_eq!(any.closest((640, 480)), (640, 480));
    assert_eq!(any.closest((643, 481)), (640, 482));
    assert_eq!(any.closest((4000, 10)), (1000, 32));
    assert_eq!(Sizes::Steps((16, 100, 24), (16, 16, 0)).closest((99, 99)), (88, 16));
    assert_eq!(Sizes::One(320, 240).closest((1, 1)), (320, 240));
    let some = Intervals::Some(vec![(1, 5), (1001, 30_000), (1, 60), (0, 0)]);
    assert_eq!(some.closest(30.0), (1001, 30_000));
    assert_eq!(some.closest(1.0), (1, 5));
    assert_eq!(some.closest(500.0), (1, 60));
    assert_eq!(Intervals::Some(vec![(1, 20), (1, 40)]).closest(30.0), (1, 40), "of two as near, the faster");
    let between = Intervals::Between((1, 60), (1, 2));
    assert_eq!([between.closest(100.0), between.closest(1.0)], [(1, 60), (1, 2)]);
    assert_eq!(between.closest(29.97), (1000, 29_970));
    assert_eq!(Intervals::Unknown.closest(15.0), (1000, 15_000));
}

#[test]
fn a_camera_that_is_too_fast_is_thinned_out_evenly() {
    assert!(Thinning::new(30.0, 30.0).is_none() && Thinning::new(30.0, 33.0).is_none());
    assert!(Thinning::new(30.0, 15.0).is_none());
    let mut thinning = Thinning::new(10.0, 30.0).unwrap();
    let mut rng = StdRng::seed_from_u64(3);
    let start = 1_700_000_000_000_000u64;
    let taken: Vec<u64> = (0..300u64)
        .map(|frame| start + frame * 33_333 + rng.random_range(0..4000))
        .filter(|at| thinning.takes(*at))
        .collect();
    assert!((99..=101).contains(&taken.len()), "{}", taken.len());
    assert!(taken.windows(2).all(|two| (90_000..=110_000).contains(&(two[1] - two[0]))));
    // After a gap there is no burst, and a clock that was set back does not stop the camera.
    assert!(thinning.takes(start + 60_000_000) && !thinning.takes(start + 60_033_333));
    assert!(thinning.takes(start) && !thinning.takes(start + 33_333));
}

// --- controls

fn control(name: &str, kind: ControlKind, (min, max, step): (f64, f64, f64)) -> Control {
    let name = controls::normalised(name);
    Control { name, id: 1, kind, min, max, step, default: Some(min), value: None, inactive: false }
}

#[test]
fn controls_are_named_as_people_find_them_elsewhere() {
    for (name, normal) in [
        ("Brightness", "brightness"),
        ("Exposure Time, Absolute", "exposure_time_absolute"),
        ("White Balance, Automatic", "white_balance_automatic"),
        (" Zoom (Absolute) ", "zoom_absolute"),
        ("--", ""),
    ] {
        assert_eq!(controls::normalised(name), normal);
    }
    let value = |text: &str| parse_setting(text).unwrap();
    assert_eq!(value("Brightness=12"), ("brightness".into(), ControlValue::Number(12)));
    assert_eq!(value("gain=-3").1, ControlValue::Number(-3));
    assert_eq!(value("awb = daylight").1, ControlValue::Text("daylight".into()));
    for bad in ["brightness", "=5", "gain=", ""] {
        assert!(matches!(parse_setting(bad), Err(ControlError::Form { .. })), "{bad}");
    }
}

#[test]
fn values_of_controls_are_checked_against_what_the_camera_says() {
    let list = [
        control("Brightness", ControlKind::Number, (-64.0, 64.0, 1.0)),
        control("Exposure Time, Absolute", ControlKind::Number, (10.0, 100.0, 10.0)),
        control(
            "Auto Exposure",
            ControlKind::Menu(vec![(1, "Manual Mode".into()), (3, "Aperture Priority".into())]),
            (0.0, 3.0, 1.0),
        ),
        control("Focus, Automatic", ControlKind::Switch, (0.0, 1.0, 1.0)),
        control("Contrast", ControlKind::Decimal, (0.0, 32.0, 0.0)),
    ];
    let text = |text: &str| ControlValue::Text(text.into());
    let check = |name: &str, value| controls::find(&list, name).and_then(|control| control.check(&value));
    assert_eq!(check("brightness", ControlValue::Number(-64)).unwrap(), -64.0);
    assert_eq!(check("Auto Exposure", text("manual mode")).unwrap(), 1.0);
    assert_eq!(check("auto_exposure", ControlValue::Number(3)).unwrap(), 3.0);
    assert_eq!(check("focus_automatic", text("off")).unwrap(), 0.0);
    assert_eq!(check("contrast", text("1.5")).unwrap(), 1.5);
    let error = check("brightness", ControlValue::Number(65)).unwrap_err();
    assert!(matches!(error, ControlError::Range { .. }) && error.to_string().contains("-64 to 64"), "{error}");
    let error = check("exposure_time_absolute", ControlValue::Number(15)).unwrap_err();
    assert!(error.to_string().contains("steps of 10"), "{error}");
    assert!(check("brightness", text("bright")).is_err() && check("contrast", text("NaN")).is_err());
    let error = check("auto_exposure", ControlValue::Number(2)).unwrap_err();
    assert!(error.hint().unwrap().contains("3 (Aperture Priority)"), "{error}");
    for (wrong, meant) in
        [("brigtness", "brightness"), ("exposure_time", "exposure_time_absolute"), ("focus", "focus_automatic")]
    {
        let error = check(wrong, ControlValue::Number(1)).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.starts_with(&format!("did you mean {meant}?")), "{wrong}: {hint}");
    }
    let error = check("zzz", ControlValue::Number(1)).unwrap_err();
    assert!(error.hint().unwrap().starts_with("controls: brightness, "), "{error}");
    let error = camera::controls(&SourceSpec::Test).unwrap_err();
    assert!(matches!(error, CameraError::Control(ControlError::None { .. })) && error.hint().is_some());
}
