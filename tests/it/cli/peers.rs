//! Two hosts: real processes over real sockets.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{ASSETS, BOTH, Hosts, Peer, err, fails, json, miyu, ok, run};
use crate::support::file;

#[test]
fn a_peer_and_a_sender_do_the_whole_job() {
    let hosts = Hosts::new(BOTH);
    let mut bob = Peer::start(&["run", "--save", "saved"], &hosts.bob);
    let pong = json(&ok(&["ping", "bob", "--count", "2", "--json"], &hosts.alice));
    assert_eq!(pong.len(), 2);
    assert_eq!((pong[0]["suite"].as_str(), pong[0]["group"].as_str()), (Some("TLS_SM4_GCM_SM3"), Some("curveSM2")));

    let sent = json(&ok(&["send", "bob", "你好, bob", "--json"], &hosts.alice)).pop().unwrap();
    assert_eq!((sent["event"].as_str(), sent["to"].as_str()), (Some("delivered"), Some("bob")));
    let came = bob.wait("message");
    assert_eq!((came["text"].as_str(), came["from"].as_str()), (Some("你好, bob"), Some("alice")));
    assert_eq!(came["id"], sent["id"]);
    assert_eq!(std::fs::read_to_string(hosts.bob.join(came["path"].as_str().unwrap())).unwrap(), "你好, bob");

    let photo = format!("{ASSETS}/photo.png");
    ok(&["send", "bob", "--image", &photo, "--hide", "under the pot"], &hosts.alice);
    let came = bob.wait("message");
    assert_eq!((came["kind"].as_str(), came["hidden"].as_str()), (Some("picture"), Some("under the pot")));
    ok(&["send", "bob", "--clip", &format!("{ASSETS}/clip.wav")], &hosts.alice);
    assert_eq!(
        bob.wait("message")["bytes"].as_u64(),
        std::fs::metadata(format!("{ASSETS}/clip.wav")).ok().map(|m| m.len())
    );
    let big = file(hosts.folder.path(), 3_000_000, 9);
    let sent = json(&ok(&["send", "bob", "--file", big.to_str().unwrap(), "--json"], &hosts.alice));
    assert!(sent.iter().any(|event| event["event"] == "progress"));
    let came = bob.wait("message");
    let saved = hosts.bob.join(came["path"].as_str().unwrap());
    assert!(std::fs::read(saved).unwrap() == std::fs::read(&big).unwrap());

    the_history_has_it_all(&hosts);
}

fn the_history_has_it_all(hosts: &Hosts) {
    let stored = json(&ok(&["history", "alice", "--json"], &hosts.bob));
    let kinds: Vec<_> = stored.iter().map(|message| message["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "picture", "clip", "file"]);
    assert!(stored.iter().all(|message| message["state"] == "received" && message["direction"] == "in"));
    let found = json(&ok(&["history", "--search", "你好", "--json"], &hosts.alice));
    assert_eq!((found.len(), found[0]["state"].as_str()), (1, Some("delivered")));
}

#[test]
fn kill_9_harms_nothing_that_was_receipted_and_the_queue_goes_out_later() {
    let hosts = Hosts::new(BOTH);
    for number in 0..3 {
        let bob = Peer::start(&["run"], &hosts.bob);
        ok(&["send", "bob", &format!("delivered {number}")], &hosts.alice);
        bob.kill();
        let text = format!("queued {number}");
        fails(&["send", "bob", &text, "--timeout", "1"], &hosts.alice, "not delivered to bob", "queued");
    }
    let bob = Peer::start(&["run"], &hosts.bob);
    ok(&["send", "bob", "the last one"], &hosts.alice);
    let texts = |home: &Path, state: &str| -> Vec<String> {
        json(&ok(&["history", "--json"], home))
            .iter()
            .filter(|message| message["state"] == state)
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let wanted = ["delivered 0", "queued 0", "delivered 1", "queued 1", "delivered 2", "queued 2", "the last one"];
    assert_eq!(texts(&hosts.alice, "delivered"), wanted, "the next send takes the queue along");
    bob.kill();
    assert_eq!(texts(&hosts.bob, "received"), wanted);
}

#[test]
fn a_camera_is_watched_as_files() {
    let hosts = Hosts::new(BOTH);
    let _bob = Peer::start(&["camera", "--source", &format!("{ASSETS}/clip.mjpeg"), "--fps", "60"], &hosts.bob);
    let events = json(&ok(&["watch", "bob", "--frames", "40", "--out", "frames", "--json"], &hosts.alice));
    let frames: Vec<_> = events.iter().filter(|event| event["event"] == "frame").collect();
    assert_eq!(frames.len(), 40);
    let bytes = std::fs::read(hosts.alice.join(frames[7]["path"].as_str().unwrap())).unwrap();
    let picture = miyu::media::jpeg::decode(&bytes).unwrap();
    assert_eq!((picture.width, picture.height), (320, 240));
    // A source that is JPEG of the right size already passes through untouched.
    let source = std::fs::read(format!("{ASSETS}/clip.mjpeg")).unwrap();
    assert!(source.windows(bytes.len()).any(|window| window == bytes));
    let summary = events.last().unwrap();
    assert_eq!(
        (summary["event"].as_str(), summary["frames"].as_u64(), summary["lost"].as_u64()),
        (Some("summary"), Some(40), Some(0))
    );
    ok(&["watch", "bob", "--still", "--out", "still"], &hosts.alice);
    ok(&["watch", "bob", "--still", "--out", "still"], &hosts.alice);
    assert_eq!(super::names(&hosts.alice.join("still")), ["still-000001.jpg", "still-000002.jpg"], "none over another");
}

#[test]
fn a_refused_watch_and_a_silent_peer_are_told_apart() {
    let hosts = Hosts::new("[\"chat\"]");
    let bob = Peer::start(&["camera", "--source", "test"], &hosts.bob);
    fails(&["watch", "bob", "--frames", "1"], &hosts.alice, "does not allow", "allow");
    bob.kill();
    fails(&["ping", "bob"], &hosts.alice, "nothing heard from bob", "firewall");
    let output = err(&run(&["ping", "bob"], &hosts.alice));
    assert!(output.contains(&hosts.bob_port.to_string()), "{output}");
}

#[test]
fn a_text_comes_from_stdin() {
    let hosts = Hosts::new(BOTH);
    let mut bob = Peer::start(&["run"], &hosts.bob);
    let mut send = miyu()
        .args(["send", "bob", "-"])
        .current_dir(&hosts.alice)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    send.stdin.take().unwrap().write_all("piped\ntext\n".as_bytes()).unwrap();
    assert!(send.wait().unwrap().success());
    assert_eq!(bob.wait("message")["text"], "piped\ntext");
}
