//! `[camera]`: what it says, and every fault of it.

use miyu::config::CameraSettings;
use miyu::media::camera::{ControlValue, Flip, Rotation, SourceSpec};

use super::{ME, fault, parse, place};

fn with(lines: &str) -> String {
    format!("{ME}[camera]\n{lines}")
}

#[test]
fn a_camera_is_read_whole() {
    let text = with(
        "source = \"clips/a.mjpeg\"\nsize = \"1280x720\"\nfps = 29.97\nquality = 70\nrotate = 90\nflip = \"both\"\n\
         bandwidth_mbit = 2.5\n[camera.controls]\nfocus_automatic = false\nFocus-Absolute = 30\n\
         \"Auto Exposure\" = \"Manual Mode\"\nbrightness = 0.5\n",
    );
    let place = place();
    let camera = miyu::config::Config::parse(&text, &place.path).unwrap().camera;
    assert_eq!(camera.source, Some(SourceSpec::Mjpeg(place.path.parent().unwrap().join("clips/a.mjpeg"))));
    let settings = &camera.settings;
    assert_eq!((settings.size, settings.fps, settings.quality), (Some((1280, 720)), 29.97, 70));
    assert_eq!((settings.rotate, settings.flip), (Rotation::Right, Flip::Both));
    assert_eq!(camera.bandwidth_bits, Some(2_500_000));
    // In the order of the file: one may rule the other.
    let text = |text: &str| ControlValue::Text(text.into());
    let meant = [
        ("focus_automatic", ControlValue::Number(0)),
        ("focus_absolute", ControlValue::Number(30)),
        ("auto_exposure", text("Manual Mode")),
        ("brightness", text("0.5")),
    ];
    assert_eq!(settings.controls, meant.map(|(name, value)| (name.to_owned(), value)));

    assert_eq!(parse(ME).unwrap().camera, CameraSettings::default());
    assert_eq!(parse(&with("")).unwrap().camera, CameraSettings::default());
    for (source, spec) in [
        ("v4l2:/dev/video0", SourceSpec::V4l2("/dev/video0".into())),
        ("test", SourceSpec::Test),
        ("rpicam", SourceSpec::Rpicam),
    ] {
        let camera = parse(&with(&format!("source = \"{source}\"\nfps = 5\n"))).unwrap().camera;
        assert_eq!((camera.source, camera.settings.fps), (Some(spec), 5.0));
    }
    assert_eq!(parse(&with("bandwidth_mbit = 1e-9\n")).unwrap().camera.bandwidth_bits, Some(1));
}

#[test]
fn faults_of_a_camera_have_line_and_mend() {
    fault(&with("sorce = \"test\"\n"), 6, "unknown key \"sorce\" in [camera]", "did you mean \"source\"");
    fault(&with("source = \"\"\n"), 6, "names no camera", "v4l2:/dev/video0");
    fault(&with("source = \"a\\u0000\"\n"), 6, "names no path", "source = ");
    fault(&with("source = 0\n"), 6, "`source` in [camera] must be a text", "v4l2:/dev/video0");
    fault(&with("size = \"big\"\n"), 6, "no size: \"big\"", "1280x720");
    fault(&with("size = \"8x7681\"\n"), 6, "out of bounds", "16 to 7680");
    for bad in ["0", "0.5", "121", "nan", "inf", "-30"] {
        fault(&with(&format!("fps = {bad}\n")), 6, "`fps` in [camera] is out of bounds", "1 to 120");
    }
    fault(&with("fps = \"30\"\n"), 6, "must be a number", "fps = 30");
    fault(&with("quality = 101\n"), 6, "1 to 100", "quality = 85");
    fault(&with("rotate = 45\n"), 6, "none of 0, 90, 180 and 270", "rotate = 180");
    fault(&with("rotate = -90\n"), 6, "none of 0, 90, 180 and 270", "rotate = 180");
    fault(&with("rotate = \"90\"\n"), 6, "whole number", "rotate = 180");
    fault(&with("flip = \"horizontel\"\n"), 6, "no way \"horizontel\"", "did you mean \"horizontal\"");
    for bad in ["0", "-1", "1e9", "nan"] {
        fault(&with(&format!("bandwidth_mbit = {bad}\n")), 6, "`bandwidth_mbit`", "above 0");
    }
    fault(&with("bandwidth_mbit = \"20\"\n"), 6, "must be a number", "bandwidth_mbit = 20");
    fault(&with("controls = 5\n"), 6, "`controls`", "[camera.controls]");
    fault(&with("[camera.controls]\n\nbrightness = [1]\n"), 8, "`brightness` in [camera.controls]", "brightness = 128");
    fault(&with("[camera.controls]\n\"--\" = 1\n"), 7, "has no name", "brightness = 128");
    fault(&with("[camera.controls]\ngain = 99999999999999999999\n"), 7, "number of \"gain\" is too large", "128");
    let many: String = (0..201).map(|number| format!("c{number} = 1\n")).collect();
    fault(&with(&format!("[camera.controls]\n{many}")), 6, "201 controls", "200");
    fault(&format!("camera = 5\n{ME}"), 1, "`camera` in the table is not a section", "[camera]");
}
