//! The command line as a user runs it: real processes, real files, real sockets.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::file;

fn miyu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miyu"));
    command
        .stdin(Stdio::null())
        .env_remove("MIYU_PASSPHRASE_FILE")
        .env_remove("MIYU_LOG");
    command
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    miyu().args(arguments).current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn ok(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(
        output.status.success(),
        "{arguments:?}: {}{}",
        out(&output),
        err(&output)
    );
    out(&output)
}

/// Fails with status 1, an `error:` line and a `hint:` line that contain these words.
fn fails(arguments: &[&str], folder: &Path, error: &str, hint: &str) {
    let output = run(arguments, folder);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    let line = |start: &str| {
        text.lines()
            .filter(|line| line.starts_with(start))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(
        text.contains("error: ") && text.contains(error),
        "{arguments:?}: {text}"
    );
    assert!(
        line("hint: ").contains(hint),
        "{arguments:?}: no {hint:?} among the hints of: {text}"
    );
}

fn json(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A process that prints JSON lines, ended with the test.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Peer {
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut child = miyu()
            .args(arguments)
            .arg("--json")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut peer = Self { child, lines };
        peer.wait("listening");
        peer
    }

    /// The next event of this name.
    fn wait(&mut self, event: &str) -> Value {
        loop {
            let line = self
                .lines
                .next()
                .unwrap_or_else(|| panic!("the peer ended before {event}"))
                .unwrap();
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == event {
                return value;
            }
        }
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two hosts, as in the README: keys made by `keygen`, tables written by hand.
struct Hosts {
    folder: TempDir,
    alice: PathBuf,
    bob: PathBuf,
    bob_port: u16,
}

impl Hosts {
    fn new(bob_allows: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (alice, bob) = (folder.path().join("alice"), folder.path().join("bob"));
        let mut lines = Vec::new();
        for home in [&alice, &bob] {
            std::fs::create_dir(home).unwrap();
            let made = json(&ok(&["keygen", "--json"], home));
            lines.push(made[0]["public"].as_str().unwrap().to_owned());
        }
        let bob_port = free_port();
        let table = |name: &str, port: u16, peer: &str| {
            format!(
                "[me]\nname = \"{name}\"\nkey = \"keys/identity.pem\"\nlisten = \"127.0.0.1:{port}\"\ndata = \"data\"\n\n\
                 [[peer]]\n{peer}"
            )
        };
        let of_bob = format!(
            "name = \"bob\"\nkey = \"{}\"\naddress = \"127.0.0.1:{bob_port}\"\n",
            lines[1]
        );
        let of_alice = format!(
            "name = \"alice\"\nkey = \"{}\"\nallow = {bob_allows}\n",
            lines[0]
        );
        std::fs::write(
            alice.join("peers.toml"),
            table("alice", free_port(), &of_bob),
        )
        .unwrap();
        std::fs::write(bob.join("peers.toml"), table("bob", bob_port, &of_alice)).unwrap();
        Self {
            folder,
            alice,
            bob,
            bob_port,
        }
    }
}

const BOTH: &str = "[\"chat\", \"camera\"]";
const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

#[test]
fn keygen_and_id_tell_the_same_key_and_never_overwrite_one() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    let made = json(&ok(&["keygen", "--out", "keys/alice.pem", "--json"], home));
    assert_eq!(made[0]["event"], "key");
    let line = made[0]["public"].as_str().unwrap();
    assert!(line.starts_with("sm2:") && line.len() == 4 + 44);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.join("keys/alice.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let shown = json(&ok(&["id", "keys/alice.pem", "--json"], home));
    assert_eq!(
        (&shown[0]["public"], &shown[0]["fingerprint"]),
        (&made[0]["public"], &made[0]["fingerprint"])
    );
    let before = std::fs::read(home.join("keys/alice.pem")).unwrap();
    fails(
        &["keygen", "--out", "keys/alice.pem"],
        home,
        "keys/alice.pem",
        "",
    );
    assert_eq!(std::fs::read(home.join("keys/alice.pem")).unwrap(), before);

    ok(&["keygen", "--out", "bob.pem"], home);
    let one = json(&ok(&["id", "keys/alice.pem", "bob.pem", "--json"], home));
    let two = json(&ok(&["id", "bob.pem", "keys/alice.pem", "--json"], home));
    let number = one[0]["safety_number"].as_str().unwrap();
    assert_eq!(number.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(one[0]["safety_number"], two[0]["safety_number"]);
    let people = ok(&["id", "keys/alice.pem"], home);
    assert!(
        people.contains(line) && people.contains("fingerprint"),
        "{people}"
    );
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    std::fs::write(home.join("right"), "correct horse\n").unwrap();
    std::fs::write(home.join("wrong"), "battery staple\n").unwrap();
    ok(
        &[
            "keygen",
            "--out",
            "k.pem",
            "--passphrase",
            "--passphrase-file",
            "right",
        ],
        home,
    );
    assert!(
        std::fs::read_to_string(home.join("k.pem"))
            .unwrap()
            .contains("ENCRYPTED PRIVATE KEY")
    );
    ok(&["id", "k.pem", "--passphrase-file", "right"], home);
    fails(
        &["id", "k.pem", "--passphrase-file", "wrong"],
        home,
        "passphrase",
        "",
    );
    fails(&["id", "k.pem"], home, "passphrase", "--passphrase-file");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_with_the_mend() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    ok(&["keygen", "--out", "k.pem"], folder.path());
    std::fs::set_permissions(
        folder.path().join("k.pem"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    fails(&["id", "k.pem"], folder.path(), "k.pem", "chmod 600");
}

#[test]
fn wrong_usage_is_status_2_and_failure_status_1() {
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["sned"][..],
        &["send"],
        &["send", "bob"],
        &["send", "bob", "hi", "--file", "x"],
        &["watch"],
    ] {
        assert_eq!(
            run(arguments, folder.path()).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    fails(&["ping", "bob"], folder.path(), "peers.toml", "");
    let hosts = Hosts::new(BOTH);
    fails(&["ping", "bbo"], &hosts.alice, "did you mean 'bob'", "");
    let output = run(&["ping", "bbo", "--json"], &hosts.alice);
    let last = json(&out(&output)).pop().unwrap();
    assert_eq!(last["event"], "error");
    fails(
        &["camera", "--source", "no/such.mjpeg"],
        &hosts.bob,
        "no/such.mjpeg",
        "",
    );
    fails(
        &["send", "bob", "--clip", "peers.toml"],
        &hosts.alice,
        "not a WAV file",
        "sox",
    );
}

#[test]
fn a_peer_and_a_sender_do_the_whole_job() {
    let hosts = Hosts::new(BOTH);
    let mut bob = Peer::start(&["run", "--save", "saved"], &hosts.bob);
    let pong = json(&ok(
        &["ping", "bob", "--count", "2", "--json"],
        &hosts.alice,
    ));
    assert_eq!(pong.len(), 2);
    assert_eq!(
        (pong[0]["suite"].as_str(), pong[0]["group"].as_str()),
        (Some("TLS_SM4_GCM_SM3"), Some("curveSM2"))
    );

    let sent = json(&ok(&["send", "bob", "你好, bob", "--json"], &hosts.alice))
        .pop()
        .unwrap();
    assert_eq!(
        (sent["event"].as_str(), sent["to"].as_str()),
        (Some("delivered"), Some("bob"))
    );
    let came = bob.wait("message");
    assert_eq!(
        (came["text"].as_str(), came["from"].as_str()),
        (Some("你好, bob"), Some("alice"))
    );
    assert_eq!(came["id"], sent["id"]);
    assert_eq!(
        std::fs::read_to_string(hosts.bob.join(came["path"].as_str().unwrap())).unwrap(),
        "你好, bob"
    );

    let photo = format!("{ASSETS}/photo.png");
    ok(
        &["send", "bob", "--image", &photo, "--hide", "under the pot"],
        &hosts.alice,
    );
    let came = bob.wait("message");
    assert_eq!(
        (came["kind"].as_str(), came["hidden"].as_str()),
        (Some("picture"), Some("under the pot"))
    );
    ok(
        &["send", "bob", "--clip", &format!("{ASSETS}/clip.wav")],
        &hosts.alice,
    );
    assert_eq!(
        bob.wait("message")["bytes"].as_u64(),
        std::fs::metadata(format!("{ASSETS}/clip.wav"))
            .ok()
            .map(|m| m.len())
    );
    let big = file(hosts.folder.path(), 3_000_000, 9);
    let sent = json(&ok(
        &["send", "bob", "--file", big.to_str().unwrap(), "--json"],
        &hosts.alice,
    ));
    assert!(sent.iter().any(|event| event["event"] == "progress"));
    let came = bob.wait("message");
    let saved = hosts.bob.join(came["path"].as_str().unwrap());
    assert!(std::fs::read(saved).unwrap() == std::fs::read(&big).unwrap());

    let stored = json(&ok(&["history", "alice", "--json"], &hosts.bob));
    let kinds: Vec<_> = stored
        .iter()
        .map(|message| message["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["text", "picture", "clip", "file"]);
    assert!(
        stored
            .iter()
            .all(|message| message["state"] == "received" && message["direction"] == "in")
    );
    let found = json(&ok(
        &["history", "--search", "你好", "--json"],
        &hosts.alice,
    ));
    assert_eq!(
        (found.len(), found[0]["state"].as_str()),
        (1, Some("delivered"))
    );
}

#[test]
fn kill_9_harms_nothing_that_was_receipted_and_the_queue_goes_out_later() {
    let hosts = Hosts::new(BOTH);
    for number in 0..3 {
        let bob = Peer::start(&["run"], &hosts.bob);
        ok(
            &["send", "bob", &format!("delivered {number}")],
            &hosts.alice,
        );
        bob.kill();
        let text = format!("queued {number}");
        fails(
            &["send", "bob", &text, "--timeout", "1"],
            &hosts.alice,
            "not delivered to bob",
            "queued",
        );
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
    let wanted = [
        "delivered 0",
        "queued 0",
        "delivered 1",
        "queued 1",
        "delivered 2",
        "queued 2",
        "the last one",
    ];
    assert_eq!(
        texts(&hosts.alice, "delivered"),
        wanted,
        "the next send takes the queue along"
    );
    bob.kill();
    assert_eq!(texts(&hosts.bob, "received"), wanted);
}

#[test]
fn a_camera_is_watched_as_files() {
    let hosts = Hosts::new(BOTH);
    let _bob = Peer::start(
        &[
            "camera",
            "--source",
            &format!("{ASSETS}/clip.mjpeg"),
            "--fps",
            "60",
        ],
        &hosts.bob,
    );
    let events = json(&ok(
        &[
            "watch", "bob", "--frames", "40", "--out", "frames", "--json",
        ],
        &hosts.alice,
    ));
    let frames: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "frame")
        .collect();
    assert_eq!(frames.len(), 40);
    let bytes = std::fs::read(hosts.alice.join(frames[7]["path"].as_str().unwrap())).unwrap();
    let picture = miyu::media::jpeg::decode(&bytes).unwrap();
    assert_eq!((picture.width, picture.height), (320, 240));
    // A source that is JPEG of the right size already passes through untouched.
    let source = std::fs::read(format!("{ASSETS}/clip.mjpeg")).unwrap();
    assert!(source.windows(bytes.len()).any(|window| window == bytes));
    let summary = events.last().unwrap();
    assert_eq!(
        (
            summary["event"].as_str(),
            summary["frames"].as_u64(),
            summary["lost"].as_u64()
        ),
        (Some("summary"), Some(40), Some(0))
    );
    ok(&["watch", "bob", "--still", "--out", "still"], &hosts.alice);
    assert_eq!(
        std::fs::read_dir(hosts.alice.join("still"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn a_refused_watch_and_a_silent_peer_are_told_apart() {
    let hosts = Hosts::new("[\"chat\"]");
    let bob = Peer::start(&["camera", "--source", "test"], &hosts.bob);
    fails(
        &["watch", "bob", "--frames", "1"],
        &hosts.alice,
        "does not allow",
        "allow",
    );
    bob.kill();
    fails(
        &["ping", "bob"],
        &hosts.alice,
        "nothing heard from bob",
        "firewall",
    );
    let output = err(&run(&["ping", "bob"], &hosts.alice));
    assert!(output.contains(&hosts.bob_port.to_string()), "{output}");
}

#[test]
fn stego_hides_and_reveals_without_the_network() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    std::fs::write(home.join("p"), "three word phrase\n").unwrap();
    let photo = format!("{ASSETS}/photo.png");
    let capacity = json(&ok(&["stego", "capacity", &photo, "--json"], home));
    assert!(capacity[0]["bytes"].as_u64().unwrap() > 1_000);
    ok(
        &[
            "stego",
            "hide",
            &photo,
            "--text",
            "灯塔 lighthouse",
            "--out",
            "s.png",
            "--passphrase-file",
            "p",
        ],
        home,
    );
    let found = json(&ok(
        &[
            "stego",
            "reveal",
            "s.png",
            "--passphrase-file",
            "p",
            "--json",
        ],
        home,
    ));
    assert_eq!(found[0]["text"], "灯塔 lighthouse");
    fails(
        &["stego", "reveal", &photo, "--passphrase-file", "p"],
        home,
        "nothing was found",
        "PNG",
    );
    fails(
        &[
            "stego",
            "hide",
            &photo,
            "--text",
            "x",
            "--out",
            "s.png",
            "--passphrase-file",
            "p",
        ],
        home,
        "s.png exists",
        "--out",
    );
    std::fs::write(home.join("long"), "z".repeat(60_000)).unwrap();
    fails(
        &[
            "stego",
            "hide",
            &photo,
            "--text-file",
            "long",
            "--out",
            "t.png",
            "--passphrase-file",
            "p",
        ],
        home,
        "60000 bytes",
        "larger picture",
    );
    std::fs::write(home.join("no.png"), "no picture").unwrap();
    fails(&["stego", "capacity", "no.png"], home, "", "");
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
    send.stdin
        .take()
        .unwrap()
        .write_all("piped\ntext\n".as_bytes())
        .unwrap();
    assert!(send.wait().unwrap().success());
    assert_eq!(bob.wait("message")["text"], "piped\ntext");
}

#[test]
fn the_demo_does_the_whole_job() {
    let folder = TempDir::new().unwrap();
    let events = json(&ok(
        &["demo", "--seconds", "1", "--headless", "--json"],
        folder.path(),
    ));
    let steps: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "step")
        .collect();
    assert_eq!(steps.len(), 7);
    assert!(steps.iter().all(|step| step["ok"] == true));
    assert_eq!(events.last().unwrap()["ok"], true);
}
