//! What needs no second process.

use tempfile::TempDir;

use super::{ASSETS, fails, json, ok};

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
