//! Tongsuo's `openssl` as a child process on loopback: a server or a client that lives as long as its value.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use miyu::crypto::sm2::TLS_ID;
use miyu::identity::{Identity, pem};
use tempfile::TempDir;

/// Nothing takes this long; where it does, the case has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What RFC 8998 has, and nothing else.
pub(super) const SHANGMI: &str = "-tls1_3 -ciphersuites TLS_SM4_GCM_SM3 -groups curveSM2 -sigalgs sm2sig_sm3";
/// RFC 7250 in both directions.
pub(super) const RAW_KEYS: &str = "-enable_server_rpk -enable_client_rpk";
/// Tongsuo then holds the other side to every MUST of RFC 8998 §3.
pub(super) const STRICT: &str = "-enable_sm_tls13_strict";
/// A server that asks for a key and takes no client without one.
pub(super) const ASKS: &str = "-Verify 1";

/// The `openssl` program, and perhaps a folder that it goes with.
pub(super) struct Program {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl Program {
    /// The one that `./x interop` has built.
    pub(super) fn tongsuo() -> Self {
        let path = std::env::var_os("MIYU_TONGSUO")
            .expect("MIYU_TONGSUO names no program: ./x interop builds it and runs these cases");
        Self { path: PathBuf::from(path), _folder: None }
    }

    /// A copy of it that signs and verifies handshakes under another signer's ID: the 23 bytes of RFC 8998 §3.2.1
    /// are exchanged for others.
    pub(super) fn with_another_id() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("openssl");
        let original = Self::tongsuo().path;
        let mut image = std::fs::read(&original).unwrap();
        let places: Vec<usize> =
            image.windows(TLS_ID.len()).enumerate().filter(|(_, bytes)| *bytes == TLS_ID).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "the program holds its ID in another way now");
        for at in places {
            image[at..at + TLS_ID.len()].copy_from_slice(b"12345678123456781234567");
        }
        // copied first, for the right to execute it
        std::fs::copy(original, &path).unwrap();
        std::fs::write(&path, image).unwrap();
        Self { path, _folder: Some(folder) }
    }

    fn command(&self, line: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.args(line.split_whitespace()).current_dir(folder).env("OPENSSL_CONF", "/dev/null");
        command
    }

    /// Runs it with the words of `line` to its end, which must be a good one.
    fn run(&self, line: &str, folder: &Path) {
        let output = self.command(line, folder).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A server with `identity` on a free port, for one connection.
    pub(super) fn server(&self, identity: &Identity, options: &str) -> Running {
        let folder = TempDir::new().unwrap();
        self.credentials(identity, folder.path());
        let line = format!("s_server -accept 127.0.0.1:0 -naccept 1 -key key.pem -cert cert.pem {options}");
        Running::start(&mut self.command(&line, folder.path()), folder)
    }

    /// A client that dials `port` and takes the key of `expected` and no other; without an identity it has no key to
    /// show.
    pub(super) fn client(&self, identity: Option<&Identity>, expected: &Identity, port: u16, options: &str) -> Running {
        let folder = TempDir::new().unwrap();
        let mut line = format!("s_client -connect 127.0.0.1:{port} {options}");
        if let Some(identity) = identity {
            self.credentials(identity, folder.path());
            line += " -key key.pem -cert cert.pem";
        }
        // RFC 7671 §5.1: a record of usage 3 that holds the key itself is how s_client is told of a raw key
        line += " -dane_tlsa_domain miyu.invalid -verify_return_error -dane_tlsa_rrdata";
        let record = format!("3 1 0 {}", super::hex(&expected.public().spki_der()));
        Running::start(self.command(&line, folder.path()).arg(record), folder)
    }

    /// s_server and s_client want a certificate beside a key even if they are to show the key alone.
    fn credentials(&self, identity: &Identity, folder: &Path) {
        std::fs::write(folder.join("key.pem"), &*pem::encode_plain(identity.secret())).unwrap();
        self.run("req -x509 -new -key key.pem -subj /CN=interop -days 1 -out cert.pem", folder);
    }
}

/// A server or a client at work; it is killed with its value.
pub(super) struct Running {
    child: Child,
    stdin: ChildStdin,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    folder: TempDir,
}

impl Running {
    fn start(command: &mut Command, folder: TempDir) -> Self {
        let command = command.args(["-msg", "-msgfile", "messages"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = Output::of(child.stdout.take().unwrap());
        let stderr = Output::of(child.stderr.take().unwrap());
        Self { child, stdin, stdout, stderr, folder }
    }

    /// The port that a server has taken.
    pub(super) fn port(&self) -> u16 {
        self.stdout.wait("a port", |text| {
            let text = String::from_utf8_lossy(text);
            let (address, _) = text.split_once("ACCEPT ")?.1.split_once('\n')?;
            address.rsplit(':').next()?.trim().parse().ok()
        })
    }

    /// Types `bytes` in, to be sent, or one of the letters that are commands at the beginning of what is typed.
    pub(super) fn type_in(&mut self, bytes: &[u8]) {
        self.stdin.write_all(bytes).unwrap();
        self.stdin.flush().unwrap();
    }

    /// The protocol messages so far, as Tongsuo logs them: `<<<` were received, `>>>` sent.
    pub(super) fn messages(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("messages")).unwrap()).into_owned()
    }

    /// Waits until it has ended by itself; true for the exit status 0.
    pub(super) fn ends_well(&mut self) -> bool {
        self.stdout.wait_for_the_end();
        self.stderr.wait_for_the_end();
        // both pipes are closed: it has ended, or is about to
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has written to a pipe, and whether the pipe is closed.
#[derive(Clone)]
pub(super) struct Output {
    shared: Arc<(Mutex<Written>, Condvar)>,
}

#[derive(Default)]
struct Written {
    text: Vec<u8>,
    ended: bool,
}

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self { shared: Arc::default() };
        let writer = output.clone();
        std::thread::spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            loop {
                let length = pipe.read(&mut piece).unwrap_or(0);
                let (written, changed) = &*writer.shared;
                let mut written = written.lock().unwrap();
                written.text.extend_from_slice(&piece[..length]);
                written.ended = length == 0;
                changed.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        output
    }

    /// Waits until `find` finds something in all that was written so far.
    #[track_caller]
    pub(super) fn wait<T>(&self, what: &str, find: impl Fn(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let (written, changed) = &*self.shared;
        let mut written = written.lock().unwrap();
        loop {
            if let Some(found) = find(&written.text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let shown = &written.text[written.text.len().saturating_sub(4096)..];
            assert!(!written.ended, "no {what} in what tongsuo said to its end:\n{}", String::from_utf8_lossy(shown));
            assert!(!left.is_zero(), "no {what} in what tongsuo has said:\n{}", String::from_utf8_lossy(shown));
            written = changed.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Waits until `words` were written.
    #[track_caller]
    pub(super) fn says(&self, words: &str) {
        self.wait(&format!("{words:?}"), |text| contains(text, words.as_bytes()).then_some(()));
    }

    #[track_caller]
    fn wait_for_the_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        let (written, changed) = &*self.shared;
        let mut written = written.lock().unwrap();
        while !written.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "tongsuo does not end:\n{}", String::from_utf8_lossy(&written.text));
            written = changed.wait_timeout(written, left).unwrap().0;
        }
    }

    /// All that was written so far.
    pub(super) fn so_far(&self) -> Vec<u8> {
        self.shared.0.lock().unwrap().text.clone()
    }
}

/// Is `part` a part of `whole`?
pub(super) fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}
