//! A machine that QEMU emulates, booted from what `tests/vm/build` has made: our program, the modules of a camera and
//! a sound card, and a shell for each connection to a port on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use crate::cli::{BOTH, Hosts, miyu};

/// Nothing takes this long, boot and all; where it does, the test has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// What the guest and its programs have said, for the one who looks for a fault.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// Lines of it that are shown when a test has failed.
const SHOWN_LINES_MAX: usize = 120;

impl Log {
    fn add(&self, who: &str, line: &str) {
        self.0.lock().unwrap().push(format!("{who}: {}", line.trim_end()));
    }
}

/// Lines as they come, from pipes or a connection.
struct Lines {
    who: String,
    lines: Receiver<String>,
}

impl Lines {
    fn of(who: &str, log: &Log, sources: Vec<Box<dyn Read + Send>>) -> Self {
        let (told, lines) = std::sync::mpsc::channel();
        for source in sources {
            let (who, log, told) = (who.to_owned(), log.clone(), told.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if !line.contains("\"event\":\"frame\"") {
                        log.add(&who, &line);
                    }
                    // read on when nobody listens any more: a full pipe would stop the program
                    let _ = told.send(line);
                }
            });
        }
        Self { who: who.to_owned(), lines }
    }

    /// The first line that `pick` takes.
    fn wait<T>(&self, what: &str, mut pick: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = pick(&line) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{}: no {what} within {PATIENCE:?}", self.who),
                Err(RecvTimeoutError::Disconnected) => panic!("{} ended before {what}", self.who),
            }
        }
    }

    /// Waits until there are no more.
    fn end(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("{} did not end within {PATIENCE:?}", self.who),
            }
        }
    }
}

/// The emulated machine, ended with the test. It is bob's: his table and key lie in its shells' folder, and his port is open to
/// alice, who is here.
pub(super) struct Guest {
    pub(super) hosts: Hosts,
    qemu: Child,
    control: u16,
    log: Log,
}

impl Guest {
    pub(super) fn boot() -> Self {
        let folder = std::env::var_os("MIYU_VM").map(PathBuf::from);
        let folder = folder.expect("MIYU_VM names no folder: ./x vm fills it and runs these tests");
        let hosts = Hosts::new(BOTH);
        let control = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let forwarded = format!("hostfwd=udp:127.0.0.1:{}-:7000,hostfwd=tcp:127.0.0.1:{control}-:7001", hosts.bob_port);
        // Emulated also where a machine could do better: the same everywhere.
        let machine = "-accel tcg -cpu max -m 512 -nodefaults -no-user-config -no-reboot -display none -serial stdio";
        let mut qemu = Command::new("qemu-system-x86_64")
            .args(machine.split(' '))
            .arg("-kernel")
            .arg(folder.join("vmlinuz"))
            .arg("-initrd")
            .arg(folder.join("initrd"))
            .args(["-append", "console=ttyS0 quiet panic=-1"])
            .args(["-nic", &format!("user,model=virtio-net-pci,{forwarded}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-x86_64 starts");
        let log = Log::default();
        let console = Lines::of("console", &log, vec![Box::new(qemu.stdout.take().unwrap())]);
        let guest = Self { hosts, qemu, control, log };
        let ready = console.wait("boot", |line| line.split_once("guest: ready after ").map(|(_, s)| s.to_owned()));
        step(&format!("the guest was ready after {}", ready.trim_end()));
        guest.settle();
        guest
    }

    /// Bob's table and key, and the first connection: the shell may come a moment after the guest says that it is
    /// ready.
    fn settle(&self) {
        let read = |name: &str| std::fs::read_to_string(self.hosts.bob.join(name)).unwrap();
        let here = format!("127.0.0.1:{}", self.hosts.bob_port);
        let table = read("peers.toml");
        assert!(table.contains(&here));
        let deadline = Instant::now() + PATIENCE;
        while self.connect(":").is_none() {
            assert!(Instant::now() < deadline, "the guest opens no shell");
        }
        self.put("peers.toml", table.replace(&here, "0.0.0.0:7000").as_bytes());
        self.put("keys/identity.pem", read("keys/identity.pem").as_bytes());
        self.ok("chmod 600 keys/identity.pem");
    }

    /// A shell that has been given a script, and no more input after it.
    fn connect(&self, script: &str) -> Option<(i32, String)> {
        let mut shell = TcpStream::connect(("127.0.0.1", self.control)).ok()?;
        shell.set_read_timeout(Some(PATIENCE)).unwrap();
        let script = format!("{{\n{script}\n}} </dev/null 2>&1\necho \"status $?\"\n");
        shell.write_all(script.as_bytes()).ok()?;
        shell.shutdown(std::net::Shutdown::Write).ok()?;
        let mut said = Vec::new();
        shell.read_to_end(&mut said).ok()?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let (said, status) = said.trim_end().rsplit_once("status ")?;
        Some((status.parse().ok()?, said.to_owned()))
    }

    /// Runs a script in the guest to its end: its exit status, and what it printed.
    pub(super) fn run(&self, script: &str) -> (i32, String) {
        let done = self.connect(script);
        let (status, said) = done.unwrap_or_else(|| panic!("the guest's shell broke off, or took too long: {script}"));
        let first = script.lines().next().unwrap_or_default();
        self.log.add("shell", &format!("{first:.200} -> {status}"));
        said.lines().take(SHOWN_LINES_MAX).for_each(|line| self.log.add("shell", line));
        (status, said)
    }

    /// The same, for what must succeed.
    pub(super) fn ok(&self, script: &str) -> String {
        let (status, said) = self.run(script);
        assert!(status == 0, "{script}: status {status}: {said}");
        said
    }

    /// The same, for what succeeds in a while.
    pub(super) fn until(&self, script: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, said) = self.run(script);
            if status == 0 {
                return said;
            }
            assert!(Instant::now() < deadline, "{script}: still status {status}: {said}");
        }
    }

    /// The same, for what must fail with an `error:` line and a `hint:` line that contain these words.
    pub(super) fn fails(&self, script: &str, error: &str, hint: &str) {
        let (status, said) = self.run(script);
        let line = |start: &str, words: &str| said.lines().any(|line| line.starts_with(start) && line.contains(words));
        assert!(status == 1 && line("error: ", error) && line("hint: ", hint), "{script}: status {status}: {said}");
    }

    /// Writes a file in the guest.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let lines: Vec<String> = bytes.chunks(57).map(Base64::encode_string).collect();
        self.ok(&format!("base64 -d >{path} <<'END'\n{}\nEND", lines.join("\n")));
    }

    /// Reads one.
    pub(super) fn get(&self, path: &str) -> Vec<u8> {
        let text: String = self.ok(&format!("base64 {path}")).split_whitespace().collect();
        Base64::decode_vec(&text).unwrap()
    }

    /// Starts a program in the guest.
    pub(super) fn start(&self, line: &str) -> Program {
        let mut shell = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        writeln!(shell, "echo $$\nexec {line} </dev/null 2>&1").unwrap();
        let lines = Lines::of(line, &self.log, vec![Box::new(shell)]);
        let pid = lines.wait("process id", |line| line.trim().parse().ok());
        Program { pid, lines, child: None }
    }

    /// Starts alice's program, which is no guest.
    pub(super) fn start_here(&self, arguments: &[&str]) -> Program {
        let mut command = miyu();
        command.args(arguments).current_dir(&self.hosts.alice).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let lines = Lines::of(&format!("miyu {}", arguments[0]), &self.log, vec![Box::new(out), Box::new(err)]);
        Program { pid: child.id(), lines, child: Some(child) }
    }

    /// Tells a program to end, and waits until it has.
    pub(super) fn end(&self, program: &mut Program) {
        let line = format!("kill -TERM {}", program.pid);
        match &mut program.child {
            Some(child) => {
                assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
                assert!(child.wait().unwrap().success());
            }
            None => drop(self.ok(&line)),
        }
        program.lines.end();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        if std::thread::panicking() {
            let lines = self.log.0.lock().map(|lines| lines.clone()).unwrap_or_default();
            let left_out = lines.len().saturating_sub(SHOWN_LINES_MAX);
            eprintln!("the guest's log, without its first {left_out} lines:\n{}", lines[left_out..].join("\n"));
        }
    }
}

/// A program that runs, in the guest or here.
pub(super) struct Program {
    pid: u32,
    lines: Lines,
    child: Option<Child>,
}

impl Program {
    /// The next event that is one of those.
    pub(super) fn event(&self, is: impl Fn(&Value) -> bool) -> Value {
        self.lines.wait("the event", |line| serde_json::from_str(line).ok().filter(&is))
    }

    /// A script that counts what it has open.
    pub(super) fn open_files(&self) -> String {
        format!("ls /proc/{}/fd | wc -l", self.pid)
    }

    /// The next line with these words, whatever its form.
    pub(super) fn says(&self, words: &str) -> String {
        self.lines.wait(words, |line| line.contains(words).then(|| line.to_owned()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What runs in the guest ends with it.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Says how far a test has come.
pub(super) fn step(what: &str) {
    eprintln!("x: {what}");
}
