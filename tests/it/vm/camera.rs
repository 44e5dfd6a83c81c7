//! A V4L2 camera: vivid shows colour bars, and above them the time and the number of the frame.

use miyu::media::jpeg::{self, Rgb};
use serde_json::Value;

use super::guest::{Guest, Program, step};

/// One camera that is like a webcam, and no other device.
pub(super) const VIVID: &str = "modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0";

/// A size and a rate that an emulated machine can encode and encrypt.
pub(super) const CAMERA: &str = "miyu camera --source v4l2:/dev/video0 --size 640x480 --fps 10 --json";

/// The formats without compression that vivid has and miyu knows.
const FORMATS: [&str; 8] = ["YUYV", "UYVY", "YVYU", "NV12", "NV21", "YU12", "YV12", "GREY"];

/// Frames that must come before the camera is unplugged, and after it has come back.
const FRAMES_BEFORE: usize = 300;
const FRAMES_AFTER: usize = 50;

/// Pixels by which two frames differ at least: the digits of the time.
const PIXELS_MOVED_MIN: usize = 20;

/// The first eight bars of "75% Colorbar" of the kernel's test pattern generator, from the left: white, yellow, cyan,
/// green, magenta, red, blue, black.
const BARS: [[u8; 3]; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0]];
/// What rounding and JPEG may add to a colour.
const COLOUR_ERROR_MAX: u8 = 6;

/// `miyu camera` in the guest, once it listens.
pub(super) fn camera(guest: &Guest, options: &str) -> Program {
    started(guest, &format!("{CAMERA} {options}"))
}

fn started(guest: &Guest, line: &str) -> Program {
    let camera = guest.start(line);
    camera.event(|event| event["event"] == "listening");
    camera
}

/// `miyu watch bob` on this side.
pub(super) struct Viewer<'a> {
    guest: &'a Guest,
    pub(super) process: Program,
    before: Option<(u64, Rgb)>,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(guest: &'a Guest) -> Self {
        let process = guest.start_here(&["watch", "bob", "--json", "--out", "frames"]);
        Self { guest, process, before: None }
    }

    /// The next frame, which must be newer and must show something else than the one before.
    pub(super) fn frame(&mut self) -> (u64, Rgb) {
        let event = self.process.event(|event| event["event"] == "frame" || event["event"] == "signal");
        assert_eq!(event["event"], "frame", "{event}");
        let path = self.guest.hosts.alice.join(event["path"].as_str().unwrap());
        let picture = jpeg::decode(&std::fs::read(&path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!((picture.width, picture.height), (640, 480));
        let seq = event["seq"].as_u64().unwrap();
        if let Some((number, before)) = self.before.replace((seq, picture.clone())) {
            let moved = moved(&before, &picture);
            assert!(seq > number, "frame {seq} came after {number}");
            assert!(moved >= PIXELS_MOVED_MIN, "{moved} pixels of frame {seq} are not those of frame {number}");
        }
        (seq, picture)
    }

    /// So many frames; the last one.
    pub(super) fn frames(&mut self, count: usize) -> Rgb {
        let begun = std::time::Instant::now();
        let (first, mut picture) = self.frame();
        let mut last = first;
        for _ in 1..count {
            (last, picture) = self.frame();
        }
        step(&format!("{count} frames of {} in {:.1} s", last - first + 1, begun.elapsed().as_secs_f32()));
        picture
    }

    /// Frames until one is as it should be: those that were on their way are passed over.
    pub(super) fn frame_that(&mut self, what: &str, is: impl Fn(&Rgb) -> bool) {
        let seen = (0..FRAMES_BEFORE).find(|_| is(&self.frame().1));
        step(&format!("{what} after {} frames", seen.unwrap_or_else(|| panic!("no frame showed {what}")) + 1));
    }

    /// Passes over frames until the signal is lost or back; the reason may be told anew in between.
    pub(super) fn signal(&mut self, state: &str) -> Value {
        // a camera that was opened anew counts anew
        self.before = None;
        self.process.event(|event| event["event"] == "signal" && event["state"] == state)
    }
}

/// Pixels that are clearly others.
fn moved(before: &Rgb, after: &Rgb) -> usize {
    let pixels = before.data.chunks_exact(3).zip(after.data.chunks_exact(3));
    pixels.filter(|(before, after)| before.iter().zip(*after).any(|(a, b)| a.abs_diff(*b) > 48)).count()
}

/// The mean colours of the bars, from below the text.
pub(super) fn bars(picture: &Rgb) -> [[u8; 3]; 8] {
    let width = picture.width as usize;
    let part = width / 8;
    std::array::from_fn(|bar| {
        let mut sums = [0_u32; 3];
        let mut pixels = 0;
        for row in picture.data.chunks_exact(3 * width).skip(400).take(16) {
            for pixel in row.chunks_exact(3).skip(bar * part + part / 4).take(part / 2) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                pixels += 1;
            }
        }
        sums.map(|sum| (sum / pixels) as u8)
    })
}

fn are_near(bars: &[[u8; 3]; 8], wanted: &[[u8; 3]; 8]) -> bool {
    let near = |(is, wanted): (&u8, &u8)| is.abs_diff(*wanted) <= COLOUR_ERROR_MAX;
    bars.as_flattened().iter().zip(wanted.as_flattened()).all(near)
}

fn are_the_bars(picture: &Rgb) {
    let bars = bars(picture);
    assert!(are_near(&bars, &BARS), "the bars are {bars:?}");
}

/// Unplugs the camera as far as its driver can tell, and unloads that as soon as nobody has it open.
fn unplug(guest: &Guest) {
    let (status, said) = guest.run("rmmod vivid");
    assert!(status != 0, "the camera was not in use: {said}");
    guest.ok("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
    guest.until("rmmod vivid");
}

#[test]
#[ignore = "needs an emulated machine: ./x vm"]
fn frames_come_and_go_with_the_camera() {
    let guest = Guest::boot();
    guest.ok(VIVID);
    let mut camera = camera(&guest, "");
    let mut viewer = Viewer::new(&guest);
    are_the_bars(&viewer.frames(FRAMES_BEFORE));
    let open = guest.ok(&camera.open_files());
    for round in 1..=2 {
        unplug(&guest);
        let news = viewer.signal("lost");
        let reason = news["reason"].as_str().unwrap();
        assert!(reason.contains("/dev/video0"), "{news}");
        step(&format!("unplugged, {round}: {reason}"));
        guest.ok(VIVID);
        viewer.signal("back");
        are_the_bars(&viewer.frames(FRAMES_AFTER));
    }
    assert_eq!(guest.ok(&camera.open_files()), open, "nothing of an unplugged camera stays open");
    guest.end(&mut viewer.process);
    guest.end(&mut camera);
}

#[test]
#[ignore = "needs an emulated machine: ./x vm"]
fn every_raw_format_shows_the_same_picture() {
    let guest = Guest::boot();
    guest.ok(VIVID);
    // vivid's grey has the weights of ITU-R BT.709, and all 256 values
    let grey = BARS.map(|[red, green, blue]| {
        let luma = 0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue);
        [luma.round() as u8; 3]
    });
    for (format, wanted) in FORMATS.iter().map(|format| (*format, if *format == "GREY" { &grey } else { &BARS })) {
        let environment = format!("env LD_PRELOAD=/lib/one_format.so ONE_FORMAT={format}");
        let mut camera = started(&guest, &format!("{environment} {CAMERA}"));
        let source = camera.event(|event| event["event"] == "camera")["source"].to_string();
        assert!(source.contains(format), "{format}: {source}");
        let mut viewer = Viewer::new(&guest);
        let bars = bars(&viewer.frames(3));
        assert!(are_near(&bars, wanted), "the bars in {format} are {bars:?}");
        step(&source);
        guest.end(&mut viewer.process);
        guest.end(&mut camera);
    }
}
