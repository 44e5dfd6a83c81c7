//! The command line as a user runs it: real processes, real files, real sockets.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::Value;
use tempfile::TempDir;

mod alone;
mod camera;
mod forms;
mod history;
mod keys;
mod peers;
mod sealed;
#[cfg(target_os = "linux")]
mod service;
mod signed;
mod streams;
mod watch;

pub(crate) fn miyu() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_miyu"));
    command.stdin(Stdio::null()).env_remove("MIYU_PASSPHRASE_FILE").env_remove("MIYU_LOG");
    command
}

pub(crate) fn run(arguments: &[&str], folder: &Path) -> Output {
    miyu().args(arguments).current_dir(folder).output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn ok(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}{}", out(&output), err(&output));
    out(&output)
}

/// Fails with status 1, an `error:` line and a `hint:` line that contain these words.
pub(crate) fn fails(arguments: &[&str], folder: &Path, error: &str, hint: &str) {
    let output = run(arguments, folder);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    let line = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>().join("\n");
    assert!(text.contains("error: ") && text.contains(error), "{arguments:?}: {text}");
    assert!(line("hint: ").contains(hint), "{arguments:?}: no {hint:?} among the hints of: {text}");
}

pub(crate) fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that prints JSON lines, ended with the test.
pub(crate) struct Peer {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    pub(crate) fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = miyu();
        command.args(arguments).arg("--json").current_dir(folder).stderr(Stdio::null());
        let mut peer = Self::spawn(&mut command);
        peer.wait("listening");
        peer
    }

    /// Its lines are taken as they come: a process that nobody listens to does not stand still.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Self { child, lines }
    }

    /// The next event of this name.
    pub(crate) fn wait(&mut self, event: &str) -> Value {
        loop {
            let line = self.lines.recv().unwrap_or_else(|_| panic!("the peer ended before {event}"));
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["event"] == event {
                return value;
            }
        }
    }

    /// The next line, if it is an object; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        self.lines.iter().find_map(|line| serde_json::from_str(&line).ok())
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end (SIGTERM), and waits until it has.
    #[cfg(target_os = "linux")]
    pub(crate) fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
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
pub(crate) struct Hosts {
    pub(crate) folder: TempDir,
    pub(crate) alice: PathBuf,
    pub(crate) bob: PathBuf,
    pub(crate) bob_port: u16,
}

impl Hosts {
    pub(crate) fn new(bob_allows: &str) -> Self {
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
        let of_bob = format!("name = \"bob\"\nkey = \"{}\"\naddress = \"127.0.0.1:{bob_port}\"\n", lines[1]);
        let of_alice = format!("name = \"alice\"\nkey = \"{}\"\nallow = {bob_allows}\n", lines[0]);
        std::fs::write(alice.join("peers.toml"), table("alice", free_port(), &of_bob)).unwrap();
        std::fs::write(bob.join("peers.toml"), table("bob", bob_port, &of_alice)).unwrap();
        Self { folder, alice, bob, bob_port }
    }
}

pub(crate) const BOTH: &str = "[\"chat\", \"camera\"]";
/// A camera that is not there, and may come.
#[cfg(all(target_os = "linux", feature = "camera"))]
pub(crate) const ABSENT: [&str; 3] = ["camera", "--source", "v4l2:/dev/video-absent"];
pub(crate) const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

/// Runs `openssl` with the words of `line` (no quoting); its standard output, or what it complained of. `None` where
/// there is no openssl that knows SM2: the test is skipped, and says so.
pub(crate) fn openssl(line: &str, folder: &Path) -> Option<Result<Vec<u8>, String>> {
    let probe = Command::new("openssl").args(["genpkey", "-algorithm", "SM2"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no openssl with sm2 here");
        return None;
    }
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { Ok(output.stdout) } else { Err(complaint) })
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
