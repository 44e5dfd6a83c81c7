//! Sources that need hardware: how they fail without it, and the Raspberry Pi's camera played by a script.

use std::path::{Path, PathBuf};
use std::time::Duration;

use miyu::media::camera::{
    self, CameraError, ControlValue, Flip, Picture, Rotation, Rpicam, Settings, Source, SourceSpec,
};
use miyu::media::jpeg;

use super::drawn;

// --- Video4Linux

#[test]
fn a_device_that_is_no_camera_is_told_from_one_that_is_missing() {
    let open = |path: &str| camera::open(&SourceSpec::V4l2(path.into()), &Settings::default()).err().unwrap();
    let error = open("/dev/video-none");
    assert!(matches!(error, CameraError::Missing { .. }), "{error}");
    assert_eq!(error.to_string(), "there is no camera /dev/video-none");
    assert!(error.hint().unwrap().contains("camera"), "{error}");
    for path in ["/dev/null", "/proc/version"] {
        let error = open(path);
        let fits = matches!(error, CameraError::NotACamera { instead: None, .. } | CameraError::Permission { .. });
        assert!(fits, "{path}: {error}");
        assert!(error.hint().is_some());
    }
    assert!(matches!(open("/dev/nu\0ll"), CameraError::Missing { .. }));
    let error = camera::controls(&SourceSpec::V4l2("/dev/video-none".into())).unwrap_err();
    assert!(matches!(error, CameraError::Missing { .. }), "{error}");
}

// --- a stand-in for rpicam-vid

/// A POSIX script that takes the flags of rpicam-vid and no others, writes down what it was given, ends after its
/// time unless `-t 0` is given, and writes pictures as fast as they are read. `$MODE` says what goes wrong.
const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s ' "$@" > "$here/arguments"
echo $$ > "$here/process"
. "$here/mode"
time=5000 out= codec=
while [ $# -gt 0 ]; do
    case "$1" in
    -n | --hflip | --vflip) shift ;;
    -t) time=$2; shift 2 ;;
    --codec) codec=$2; shift 2 ;;
    -o) out=$2; shift 2 ;;
    --width | --height | --framerate | --quality | --rotation | --brightness | --contrast | --saturation | \
    --sharpness | --ev | --gain | --shutter | --lens-position | --awb | --metering | --denoise | --autofocus-mode)
        shift 2 ;;
    *) echo "ERROR: *** unrecognised option '$1' ***" >&2; exit 255 ;;
    esac
done
if [ "$codec" != mjpeg ] || [ "$out" != - ]; then
    echo "ERROR: *** not the stream that was wanted ***" >&2
    exit 255
fi
if [ "$MODE" = none ]; then
    echo "[0:01:02] INFO Camera camera_manager.cpp:325 libcamera v0.5.0" >&2
    echo "ERROR: *** no cameras available ***" >&2
    exit 255
fi
frame=0
while :; do
    cat "$here/$((frame % 3)).jpg" || exit 1
    frame=$((frame + 1))
    if [ "$frame" = "$FRAMES" ]; then
        case "$MODE" in
        die) echo "Device timeout detected, attempting a restart!!!" >&2; exit 3 ;;
        stall) sleep 1000 ;;
        end) [ "$time" = 0 ] || exit 0 ;;
        broken) head -c 700 "$here/0.jpg" ;;
        damaged) cat "$here/damaged.jpg" ;;
        rubbish) while :; do head -c 700 "$here/0.jpg"; done ;;
        esac
    fi
done
"#;

struct StandIn {
    folder: tempfile::TempDir,
    frames: Vec<Vec<u8>>,
}

impl StandIn {
    fn new(mode: &str, frames: u32) -> StandIn {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let pictures: Vec<Vec<u8>> = (0..3).map(|seed| jpeg::encode(&drawn(64, 48, seed), 80).unwrap()).collect();
        for (number, picture) in pictures.iter().enumerate() {
            write(&format!("{number}.jpg"), picture);
        }
        // whole by its markers, and short of a part of its last scan
        let mut damaged = pictures[0].clone();
        let end = damaged.len() - 2;
        damaged.drain(end - 200..end);
        assert!(jpeg::decode(&damaged).is_err());
        write("damaged.jpg", &damaged);
        write("mode", format!("MODE={mode} FRAMES={frames}\n").as_bytes());
        write("rpicam-vid", STAND_IN.as_bytes());
        let program = folder.path().join("rpicam-vid");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        StandIn { folder, frames: pictures }
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("rpicam-vid")
    }

    fn open(&self, settings: &Settings) -> Result<Box<dyn Source>, CameraError> {
        self.open_within(settings, Duration::from_secs(60))
    }

    fn open_within(&self, settings: &Settings, stall: Duration) -> Result<Box<dyn Source>, CameraError> {
        Rpicam::with_program(self.program(), Duration::from_secs(60), stall).open(settings)
    }

    fn arguments(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("arguments")).unwrap().trim().to_owned()
    }

    /// Whether the script still runs, or lies there unburied.
    fn is_there(&self) -> bool {
        let process = std::fs::read_to_string(self.folder.path().join("process")).unwrap();
        Path::new("/proc").join(process.trim()).exists()
    }
}

fn jpeg_of(source: &mut dyn Source) -> Result<Vec<u8>, CameraError> {
    Ok(match source.next()?.picture {
        Picture::Jpeg(bytes) => bytes.to_vec(),
        other => panic!("a JPEG passed through, not {other:?}"),
    })
}

fn small() -> Settings {
    Settings { size: Some((64, 48)), fps: 30.0, ..Settings::default() }
}

#[test]
fn frames_of_the_pi_come_untouched_and_the_program_ends_with_the_source() {
    let pi = StandIn::new("none-of-these", 0);
    let mut source = pi.open(&small()).unwrap();
    assert_eq!((source.size(), source.fps()), ((64, 48), 30.0));
    assert!(source.describe().ends_with("rpicam-vid 64x48 at 30 fps"), "{}", source.describe());
    for seq in 0..20 {
        let frame = source.next().unwrap();
        assert_eq!((frame.seq, frame.width, frame.height), (seq, 64, 48));
        let Picture::Jpeg(bytes) = &frame.picture else { panic!("a JPEG") };
        assert!(pi.frames.iter().any(|known| known[..] == bytes[..]));
    }
    let flags = "-n -t 0 --codec mjpeg --width 64 --height 48 --framerate 30 --quality 85 -o -";
    assert_eq!(pi.arguments(), flags);
    assert!(pi.is_there());
    drop(source);
    assert!(!pi.is_there(), "the program has ended, and its exit status was taken");
}

#[test]
fn a_rate_of_30_runs_on_where_the_program_would_end_by_itself() {
    let pi = StandIn::new("end", 4);
    let mut source = pi.open(&small()).unwrap();
    for _ in 0..12 {
        jpeg_of(&mut *source).unwrap();
    }
}

#[test]
fn controls_and_turns_are_flags_of_the_program() {
    let flags = |settings: &Settings| {
        let pi = StandIn::new("none-of-these", 0);
        let size = pi.open(settings).unwrap().size();
        let all = pi.arguments();
        let (_, after) = all.split_once("--quality 85 ").unwrap();
        (after.strip_suffix("-o -").unwrap().trim().to_owned(), size)
    };
    let text = |text: &str| ControlValue::Text(text.into());
    let controls = vec![
        ("brightness".to_owned(), text("-0.25")),
        ("Shutter".to_owned(), ControlValue::Number(20_000)),
        ("awb".to_owned(), text("Daylight")),
        ("autofocus-mode".to_owned(), ControlValue::Number(3)),
        ("lens_position".to_owned(), text("2.5")),
    ];
    let (given, _) = flags(&Settings { controls, ..small() });
    let meant = "--brightness -0.25 --shutter 20000 --awb daylight --autofocus-mode continuous --lens-position 2.5";
    assert_eq!(given, meant);
    let turned = |rotate, flip| flags(&Settings { rotate, flip, ..small() });
    assert_eq!(turned(Rotation::Around, Flip::None), ("--rotation 180".into(), (64, 48)));
    assert_eq!(turned(Rotation::None, Flip::Horizontal), ("--hflip".into(), (64, 48)));
    assert_eq!(turned(Rotation::Around, Flip::Horizontal), ("--vflip".into(), (64, 48)));
    assert_eq!(turned(Rotation::Around, Flip::Both), (String::new(), (64, 48)));
    assert_eq!(turned(Rotation::Right, Flip::Vertical), (String::new(), (48, 64)), "that is done here");

    let pi = StandIn::new("none-of-these", 0);
    let wrong =
        |name: &str, value| pi.open(&Settings { controls: vec![(name.to_owned(), value)], ..small() }).err().unwrap();
    let error = wrong("brightnes", ControlValue::Number(0));
    assert!(error.hint().unwrap().contains("did you mean brightness"), "{error}");
    let error = wrong("brightness", ControlValue::Number(2));
    assert!(error.to_string().contains("-1 to 1"), "{error}");
    assert!(camera::set_controls(&SourceSpec::Rpicam, &[("ev".into(), text("1.5"))]).is_ok());
    assert!(camera::set_controls(&SourceSpec::Rpicam, &[("ev".into(), text("x"))]).is_err());
}

#[test]
fn a_quarter_turn_of_the_pi_loses_nothing() {
    let pi = StandIn::new("none-of-these", 0);
    let mut source = pi.open(&Settings { rotate: Rotation::Left, ..small() }).unwrap();
    let turned = jpeg_of(&mut *source).unwrap();
    assert_eq!(jpeg::info(&turned).unwrap(), jpeg::Info { width: 48, height: 64 });
}

#[test]
fn a_program_that_dies_says_why_and_can_be_started_again() {
    let pi = StandIn::new("die", 5);
    for _ in 0..2 {
        let mut source = pi.open(&small()).unwrap();
        let error = loop {
            match source.next() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let message = error.to_string();
        assert!(matches!(error, CameraError::ProgramEnded { .. }), "{message}");
        assert!(message.contains("exit status: 3") && message.contains("Device timeout detected"), "{message}");
        assert!(error.hint().is_some() && !pi.is_there());
    }
}

#[test]
fn without_a_camera_or_a_program_the_mend_is_named() {
    let pi = StandIn::new("none", 0);
    let error = pi.open(&small()).err().unwrap();
    let message = error.to_string();
    assert!(message.contains("exit status: 255") && message.contains("no cameras available"), "{message}");
    assert!(error.hint().unwrap().contains("ribbon cable"), "{error}");
    let missing = Rpicam::with_program("rpicam-none", Duration::from_secs(60), Duration::from_secs(60));
    let error = missing.open(&small()).err().unwrap();
    assert!(matches!(error, CameraError::Program { .. }), "{error}");
    assert!(error.hint().unwrap().contains("rpicam-apps"), "{error}");
    // The stand-in is as strict as the program: a flag that it does not know is an error.
    let refused = std::process::Command::new(pi.program()).arg("--no-such").output().unwrap();
    assert_eq!(refused.status.code(), Some(255));
}

#[test]
fn a_program_that_stalls_is_ended_with_all_that_it_started() {
    let pi = StandIn::new("stall", 3);
    let mut source = pi.open_within(&small(), Duration::from_millis(300)).unwrap();
    let error = loop {
        match source.next() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CameraError::Stalled { .. }), "{error}");
    assert!(error.to_string().contains("no frame from") && error.hint().is_some());
    drop(source);
    assert!(!pi.is_there());
}

#[test]
fn broken_frames_of_the_pi_are_left_out_and_a_run_of_them_is_an_error() {
    let pi = StandIn::new("broken", 5);
    let mut source = pi.open(&small()).unwrap();
    for _ in 0..20 {
        assert!(pi.frames.contains(&jpeg_of(&mut *source).unwrap()));
    }
    let pi = StandIn::new("rubbish", 2);
    let mut source = pi.open(&small()).unwrap();
    let error = loop {
        match source.next() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CameraError::Broken { frames, .. } if frames >= 30), "{error}");
}

/// What goes through untouched is not decoded; what is turned is, and one bad frame of a cable opens no camera anew.
#[test]
fn a_damaged_picture_of_a_turned_camera_is_left_out() {
    for (rotate, flip) in [(Rotation::Right, Flip::None), (Rotation::Left, Flip::Horizontal)] {
        let stand_in = StandIn::new("damaged", 2);
        let mut source = stand_in.open(&Settings { rotate, flip, ..Settings::default() }).unwrap();
        for _ in 0..20 {
            let captured = source.next().unwrap();
            assert_eq!((captured.width, captured.height), (48, 64));
            let Picture::Jpeg(bytes) = &captured.picture else { panic!("{captured:?}") };
            assert_eq!(jpeg::decode(bytes).unwrap().width, 48);
        }
    }
}
