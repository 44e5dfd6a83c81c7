//! What needs no second process.

use tempfile::TempDir;

use super::{ASSETS, fails, json, miyu, ok, out};

#[test]
fn stego_hides_and_reveals_without_the_network() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    std::fs::write(home.join("p"), "three word phrase\n").unwrap();
    let photo = format!("{ASSETS}/photo.png");
    let capacity = json(&ok(&["stego", "capacity", &photo, "--json"], home));
    assert!(capacity[0]["bytes"].as_u64().unwrap() > 1_000);
    ok(&["stego", "hide", &photo, "--text", "灯塔 lighthouse", "--out", "s.png", "--passphrase-file", "p"], home);
    let found = json(&ok(&["stego", "reveal", "s.png", "--passphrase-file", "p", "--json"], home));
    assert_eq!(found[0]["text"], "灯塔 lighthouse");
}

#[test]
fn stego_refuses_by_name() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    std::fs::write(home.join("p"), "three word phrase\n").unwrap();
    std::fs::write(home.join("s.png"), "stands already").unwrap();
    let photo = format!("{ASSETS}/photo.png");
    fails(&["stego", "reveal", &photo, "--passphrase-file", "p"], home, "nothing was found", "PNG");
    fails(
        &["stego", "hide", &photo, "--text", "x", "--out", "s.png", "--passphrase-file", "p"],
        home,
        "s.png exists",
        "--out",
    );
    std::fs::write(home.join("long"), "z".repeat(60_000)).unwrap();
    fails(
        &["stego", "hide", &photo, "--text-file", "long", "--out", "t.png", "--passphrase-file", "p"],
        home,
        "60000 bytes",
        "larger picture",
    );
    std::fs::write(home.join("no.png"), "no picture").unwrap();
    fails(&["stego", "capacity", "no.png"], home, "picture", "");
}

#[test]
fn the_demo_does_the_whole_job() {
    let folder = TempDir::new().unwrap();
    let events = json(&ok(&["demo", "--seconds", "1", "--headless", "--json"], folder.path()));
    let steps: Vec<_> = events.iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 7);
    assert!(steps.iter().all(|step| step["ok"] == true));
    assert_eq!(events.last().unwrap()["ok"], true);
}

#[test]
fn speed_names_the_path_and_measures_every_primitive() {
    let folder = tempfile::tempdir().unwrap();
    let measured = json(&ok(&["speed", "--seconds", "0.01", "--json"], folder.path()));
    let chosen = miyu::crypto::gcm::Backend::chosen().name();
    for (primitive, path, unit) in [
        ("sm4-gcm seal 1,200 B", chosen, "MB/s"),
        ("sm4-gcm open 16 KiB", chosen, "MB/s"),
        ("sm3 16 KiB", "rust", "MB/s"),
        ("sm2 keygen", "rust", "ops/s"),
        ("sm2 ecdh", "rust", "ops/s"),
        ("sm2 sign", "rust", "ops/s"),
        ("sm2 verify", "rust", "ops/s"),
    ] {
        let line = measured.iter().find(|line| line["primitive"] == primitive).expect(primitive);
        assert_eq!((line["event"].as_str(), line["path"].as_str()), (Some("speed"), Some(path)));
        assert!(line["unit"] == unit && line["value"].as_f64().unwrap() > 0.0, "{line}");
    }
    // The switch is read by the process that measures.
    let mut portable = miyu();
    portable.args(["speed", "--seconds", "0.01", "--json"]).env("MIYU_SIMD", "portable").current_dir(folder.path());
    let measured = json(&out(&portable.output().unwrap()));
    assert!(measured.iter().all(|line| line["path"] == "portable" || line["path"] == "rust"));
}

#[cfg(not(feature = "audio"))]
#[test]
fn a_build_without_sound_says_so() {
    let hosts = super::Hosts::new(super::BOTH);
    let clip = format!("{ASSETS}/clip.wav");
    let commands: [&[&str]; 3] = [&["clip", "record", "a.wav"], &["clip", "play", &clip], &["send", "bob", "--record"]];
    for command in commands {
        fails(command, &hosts.alice, "sound is not in this build", "feature audio");
    }
    assert!(!hosts.alice.join("a.wav").exists());
}
