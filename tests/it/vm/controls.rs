//! What a V4L2 camera is asked and told beside its frames, and what goes wrong with one.

use miyu::media::jpeg::Rgb;

use super::camera::{VIVID, Viewer, bars, camera};
use super::guest::{Guest, step};

const DEVICE: &str = "--source v4l2:/dev/video0";

fn mean(picture: &Rgb) -> i32 {
    let sum: u32 = bars(picture).as_flattened().iter().map(|value| u32::from(*value)).sum();
    (sum / 24) as i32
}

#[test]
#[ignore = "needs an emulated machine: ./x vm"]
fn controls_are_listed_and_set_while_the_camera_is_watched() {
    let guest = Guest::boot();
    // the list of devices is without an error only where there is sound too
    guest.ok(&format!("{VIVID} && modprobe snd-aloop"));
    let mut running = camera(&guest, "--set brightness=100");
    let mut viewer = Viewer::new(&guest);
    let dark = mean(&viewer.frames(5));
    let listed = guest.ok(&format!("miyu camera {DEVICE} --list-controls"));
    let brightness = listed.lines().find(|line| line.contains("brightness")).unwrap_or_else(|| panic!("{listed}"));
    assert!(["100", "0", "255", "128"].iter().all(|word| brightness.contains(word)), "{brightness}");
    guest.ok(&format!("miyu camera {DEVICE} --list-controls --set brightness=200"));
    viewer.frame_that("the brightness that was set", |picture| (90..=110).contains(&(mean(picture) - dark)));
    guest.fails(&format!("miyu camera {DEVICE} --list-controls --set brightness=256"), "0 to 255", "--list-controls");
    guest.fails(&format!("miyu camera {DEVICE} --list-controls --set brigthness=9"), "brigthness", "brightness");

    guest.fails("miyu camera --source v4l2:/dev/video7 --list-controls", "/dev/video7", "v4l2:/dev/video0");
    guest.fails("miyu camera --source v4l2:/dev/null --list-controls", "/dev/null", "video");
    // Another table: this is about the camera, not about the port or the data.
    guest.ok("cp -r . /tmp/other && sed -i 's/:7000/:7002/' /tmp/other/peers.toml");
    let mut second = guest.start(&format!("miyu camera {DEVICE} --config /tmp/other/peers.toml"));
    step(&second.says("no signal"));
    guest.end(&mut second);
    viewer.frames(5);

    let devices = guest.ok("miyu devices");
    let found = devices.lines().find(|line| line.contains("v4l2:/dev/video0 (vivid, "));
    step(found.unwrap_or_else(|| panic!("no camera is listed: {devices}")).trim());
    guest.end(&mut viewer.process);
    guest.end(&mut running);
}

#[test]
#[ignore = "needs an emulated machine: ./x vm"]
fn faults_of_the_driver_end_no_watch() {
    let guest = Guest::boot();
    guest.ok(VIVID);
    let mut running = camera(&guest, "");
    let mut viewer = Viewer::new(&guest);
    viewer.frames(5);
    for fault in ["percentage_of_dropped_buffers=50", "inject_v4l2_buf_flag_error=1"] {
        guest.ok(&format!("miyu camera {DEVICE} --list-controls --set {fault}"));
        viewer.frames(10);
        step(fault);
    }
    for fault in ["inject_fatal_streaming_error=1", "disconnect=1"] {
        // once it is set there may be no camera whose controls could be listed
        guest.run(&format!("miyu camera {DEVICE} --list-controls --set {fault} >/dev/null"));
        let news = viewer.signal("lost");
        step(&format!("{fault}: {}", news["reason"]));
        viewer.signal("back");
        viewer.frames(10);
    }
    guest.end(&mut viewer.process);
    guest.end(&mut running);
}
