//! A sound server of a test's own: PulseAudio with null sinks, whose monitors are microphones.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::signal::RATE;
use crate::cli::miyu;
use crate::support::{PATIENCE, Running};

pub(crate) struct Server {
    // ends before its folder goes
    process: Running,
    folder: TempDir,
}

impl Server {
    /// With one null sink for each of these names; the first is the default, and its monitor the default source.
    /// `None` where there is no PulseAudio: the test is skipped, and says so.
    pub(crate) fn start(sinks: &[&str]) -> Option<Server> {
        if !Command::new("pulseaudio").arg("--version").output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: there is no pulseaudio here; ./x sound installs it");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join(".config/pulse");
        std::fs::create_dir_all(&settings).unwrap();
        std::fs::write(settings.join("client.conf"), "autospawn = no\n").unwrap();
        std::fs::write(folder.path().join(".asoundrc"), "pcm.!default pulse\nctl.!default pulse\n").unwrap();
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--use-pid-file=no"]);
        command.args(["-L", "module-native-protocol-unix"]);
        for sink in sinks {
            // without norewinds, a null sink works two seconds ahead and sleeps for as long
            let name = format!("sink_name={sink} sink_properties=device.description={sink}");
            command.args(["-L", &format!("module-null-sink {name} rate=48000 channels=2 norewinds=1")]);
        }
        at_home(&mut command, folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Server { process: Running(child), folder };
        server.until("the server to answer", |server| server.control(&["info"]).is_some());
        if let Some(first) = sinks.first() {
            server.control(&["set-default-sink", first]).unwrap();
            server.control(&["set-default-source", &format!("{first}.monitor")]).unwrap();
        }
        Some(server)
    }

    /// Asks again and again. Each question is a process of its own, which takes its time.
    pub(crate) fn until(&self, what: &str, is: impl Fn(&Server) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        }
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        at_home(&mut command, self.folder.path());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn miyu(&self, arguments: &[&str], folder: &Path) -> Command {
        let mut command = miyu();
        at_home(&mut command, self.folder.path());
        command.args(arguments).current_dir(folder);
        command
    }

    /// What `pactl` prints; `None` when it fails.
    pub(crate) fn control(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command("pactl").args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Plays these samples on a sink; returns when the server has the stream.
    pub(crate) fn play(&self, sink: &str, samples: &[i16]) -> Running {
        let path = self.folder.path().join("spoken.raw");
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap();
        let mut command = self.command("pacat");
        command.args(["--playback", "--raw", "--format=s16le", "--channels=1", "--latency-msec=500"]);
        command.arg(format!("--rate={RATE}")).arg(format!("--device={sink}")).arg(&path);
        let playing = Running(command.spawn().unwrap());
        self.until("the speaker to be heard", |server| {
            server.control(&["list", "short", "sink-inputs"]).is_some_and(|list| !list.trim().is_empty())
        });
        playing
    }

    /// Records what is played on a sink into a file of raw samples, until the process is ended.
    pub(crate) fn capture(&self, sink: &str, into: &Path) -> Running {
        let mut command = self.command("parec");
        command.args(["--raw", "--format=s16le", "--channels=1", "--latency-msec=50"]);
        command.arg(format!("--rate={RATE}")).arg(format!("--device={sink}.monitor")).arg(into);
        let running = Running(command.spawn().unwrap());
        // it has begun when something is in the file
        self.until("parec", |_| std::fs::metadata(into).is_ok_and(|file| file.len() > 0) || !self.answers());
        running
    }

    fn answers(&self) -> bool {
        self.control(&["info"]).is_some()
    }

    /// Waits until somebody records.
    pub(crate) fn until_recorded(&self) {
        self.until("a recording", |server| {
            server.control(&["list", "short", "source-outputs"]).is_some_and(|list| !list.trim().is_empty())
        });
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

/// Nothing of the sound system that the tests' user may have is touched.
fn at_home(command: &mut Command, home: &Path) {
    for name in ["PULSE_SERVER", "PULSE_COOKIE", "PULSE_RUNTIME_PATH", "PULSE_SINK", "PULSE_SOURCE", "DISPLAY"] {
        command.env_remove(name);
    }
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env("XDG_CONFIG_HOME", home.join(".config"));
    command.env("DBUS_SESSION_BUS_ADDRESS", "disabled:").env("LC_ALL", "C");
}
