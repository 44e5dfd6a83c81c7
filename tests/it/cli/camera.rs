//! `miyu camera`: what is taken from the table, what flags change, controls, and faults before anything listens.

use super::{ASSETS, BOTH, Hosts, Peer, fails, json, ok, run};

/// Puts a `[camera]` at the end of Bob's table.
fn with_camera(hosts: &Hosts, lines: &str) {
    let path = hosts.bob.join("peers.toml");
    let table = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{table}\n[camera]\n{lines}")).unwrap();
}

#[test]
fn the_table_says_what_is_shown_and_flags_win() {
    let hosts = Hosts::new(BOTH);
    fails(&["camera"], &hosts.bob, "no camera source", "[camera]");
    with_camera(&hosts, &format!("source = \"{ASSETS}/clip.mjpeg\"\nrotate = 90\nfps = 60\n"));
    let frame = |arguments: &[&str]| {
        let bob = Peer::start(arguments, &hosts.bob);
        let frames = json(&ok(&["watch", "bob", "--frames", "1", "--json"], &hosts.alice));
        let frame = frames.iter().find(|line| line["event"] == "frame").unwrap();
        let size = (frame["width"].as_u64().unwrap(), frame["height"].as_u64().unwrap());
        drop(bob);
        size
    };
    assert_eq!(frame(&["camera"]), (240, 320), "the clip is 320x240");
    assert_eq!(frame(&["camera", "--rotate", "0", "--flip", "both"]), (320, 240));
    assert_eq!(frame(&["camera", "--source", "test", "--size", "64x48", "--bandwidth", "5"]), (48, 64));
}

#[test]
fn faults_of_a_camera_are_said_before_anything_listens() {
    let hosts = Hosts::new(BOTH);
    fails(&["camera", "--source", "test", "--fps", "0"], &hosts.bob, "0 frames a second", "");
    fails(&["camera", "--source", "test", "--set", "gain=1"], &hosts.bob, "no control \"gain\"", "--set");
    for usage in [
        ["--rotate", "45"],
        ["--flip", "sideways"],
        ["--bandwidth", "0"],
        ["--bandwidth", "many"],
        ["--set", "gain"],
        ["--size", "big"],
    ] {
        let arguments = [&["camera", "--source", "test"][..], &usage].concat();
        assert_eq!(run(&arguments, &hosts.bob).status.code(), Some(2), "{usage:?}");
    }
    with_camera(&hosts, "source = \"none.mjpeg\"\n");
    let path = hosts.bob.join("none.mjpeg");
    fails(&["camera"], &hosts.bob, &path.display().to_string(), "");
}

#[test]
fn controls_are_listed_and_set_without_a_table() {
    let folder = tempfile::TempDir::new().unwrap();
    let home = folder.path();
    fails(&["camera", "--list-controls", "--source", "test"], home, "test has no controls", "rpicam");
    fails(&["camera", "--list-controls"], home, "peers.toml", "");
    if cfg!(not(all(feature = "camera", target_os = "linux"))) {
        fails(&["camera", "--list-controls", "--source", "rpicam"], home, "not in this build", "");
        return;
    }
    let controls = json(&ok(&["camera", "--list-controls", "--source", "rpicam", "--json"], home));
    let named = |name: &str| controls.iter().find(|control| control["name"] == name).unwrap();
    let brightness = named("brightness");
    assert_eq!((&brightness["event"], &brightness["kind"]), (&"control".into(), &"decimal".into()));
    assert_eq!((&brightness["min"], &brightness["max"], &brightness["default"]), (&(-1).into(), &1.into(), &0.into()));
    assert!(brightness["value"].is_null() && brightness["menu"].is_null());
    assert_eq!(named("awb")["menu"][5], serde_json::json!({ "value": 5, "name": "daylight" }));
    let people = ok(&["camera", "--list-controls", "--source", "rpicam", "--set", "awb=cloudy"], home);
    assert!(people.lines().any(|line| line.starts_with("brightness") && line.ends_with("; -1 to 1")), "{people}");
    let set = |set: &str, error: &str, hint: &str| {
        fails(&["camera", "--list-controls", "--source", "rpicam", "--set", set], home, error, hint);
    };
    set("brightnes=0", "no control \"brightnes\"", "did you mean brightness?");
    set("brightness=2", "-1 to 1", "--list-controls");
    set("awb=dusk", "it is a menu", "6 (cloudy)");
    let missing = ["camera", "--list-controls", "--source", "v4l2:/dev/video-none"];
    fails(&missing, home, "there is no camera /dev/video-none", "camera");
}

/// The program of the Pi's camera ends with miyu, also where it gives nothing and so hears of no broken pipe.
#[cfg(all(feature = "camera", target_os = "linux"))]
#[test]
fn a_camera_program_that_hangs_does_not_outlive_miyu() {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    let hosts = Hosts::new(BOTH);
    let (program, life) = (hosts.bob.join("rpicam-vid"), hosts.bob.join("life"));
    // It holds one end of a pipe for as long as it lives: opening and reading the other wait for its start and its end.
    assert!(std::process::Command::new("mkfifo").arg(&life).status().unwrap().success());
    std::fs::write(&program, "#!/bin/sh\nexec 3>life\necho lives >&3\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", hosts.bob.display(), std::env::var("PATH").unwrap());
    let mut command = super::miyu();
    command.args(["camera", "--source", "rpicam", "--json"]).current_dir(&hosts.bob).env("PATH", path);
    let mut peer = Peer::spawn(command.stderr(std::process::Stdio::null()));
    peer.wait("listening");
    let mut life = std::fs::File::open(life).unwrap();
    let mut word = [0; 6];
    life.read_exact(&mut word).unwrap();
    peer.end();
    assert_eq!(life.read(&mut word).unwrap(), 0, "the program ends with miyu");
}
