//! A desktop of a test's own: an X server without a screen, a window manager, a session bus with the service of screen
//! readers, and a home. Nothing of the desktop that the tests' user may have is touched.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;
use tempfile::TempDir;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::names::BusName;
use zbus::zvariant::{OwnedObjectPath, Value};

use crate::support::Running;

/// Nothing on the desktop takes this long; where it does, the test has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is waited for: the machine is left to those who work.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Room for two windows side by side.
const SCREEN: &str = "2080x800x24";

/// Where pictures of a test that failed are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/desktop");

/// Looks again and again until there is something.
pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Says how far a test has come.
pub(super) fn step(what: &str) {
    eprintln!("x: {what}");
}

pub(super) struct Desk {
    /// The bus of screen readers: the windows tell there what they show.
    pub(super) readers: Connection,
    display: String,
    session: String,
    clipboard: std::cell::RefCell<Option<Running>>,
    // ended in this order
    _manager: Running,
    _bus: Running,
    _server: Running,
    folder: TempDir,
}

impl Desk {
    pub(super) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("run")).unwrap();
        // It finds a free number itself, and says it when it takes connections.
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", SCREEN, "+extension", "GLX", "-nolisten", "tcp", "-noreset"]);
        let (server, said) = spawn(server.stderr(Stdio::null()));
        let display = format!(":{}", first_line(said, "the X server"));

        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let (bus, said) = spawn(at_home(&mut bus, folder.path(), &display).stderr(Stdio::null()));
        let session = first_line(said, "the session bus");

        let mut manager = Command::new("openbox");
        at_home(&mut manager, folder.path(), &display).env("DBUS_SESSION_BUS_ADDRESS", &session);
        let manager = Running(manager.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("openbox starts"));

        let readers = readers(&session);
        let clipboard = std::cell::RefCell::new(None);
        let desk = Self { readers, display, session, clipboard, _manager: manager, _bus: bus, _server: server, folder };
        until("the window manager", || {
            let output = desk.command("xprop").args(["-root", "_NET_SUPPORTING_WM_CHECK"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains("window id").then_some(())
        });
        desk
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program on this desktop.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        at_home(&mut command, self.folder(), &self.display).env("DBUS_SESSION_BUS_ADDRESS", &self.session);
        command
    }

    /// What `xdotool` says; `None` when it fails.
    pub(super) fn xdotool(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command("xdotool").args(arguments).output().expect("xdotool runs");
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Puts something into the clipboard, as another program does with "copy".
    pub(super) fn copy(&self, form: &str, content: &[u8]) {
        let path = self.folder().join("copied");
        std::fs::write(&path, content).unwrap();
        let mut xclip = self.command("xclip");
        xclip.args(["-quiet", "-selection", "clipboard", "-target", form, "-in"]).arg(path);
        let owner = Running(xclip.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("xclip starts"));
        // The one before loses the clipboard to it, and ends.
        let before = self.clipboard.borrow_mut().replace(owner);
        until("the clipboard", || {
            let mut paste = self.command("xclip");
            let output = paste.args(["-selection", "clipboard", "-target", form, "-out"]).output().unwrap();
            (output.stdout == content).then_some(())
        });
        drop(before);
    }

    /// What the clipboard has.
    pub(super) fn copied(&self) -> String {
        let mut paste = self.command("xclip");
        let output = paste.args(["-selection", "clipboard", "-target", "UTF8_STRING", "-out"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The picture of a window, or of the screen ("root"), as a PNG file.
    pub(super) fn png(&self, window: &str) -> Option<Vec<u8>> {
        let output = self.command("import").args(["-silent", "-window", window, "png:-"]).output().ok()?;
        output.status.success().then_some(output.stdout)
    }

    /// The same as pixels.
    pub(super) fn picture(&self, window: &str) -> RgbImage {
        image::load_from_memory(&self.png(window).expect("import takes pictures")).unwrap().to_rgb8()
    }

    /// Keeps a picture of the screen for whoever looks for the fault.
    pub(super) fn keep(&self, name: &str) -> PathBuf {
        let path = Path::new(KEPT).join(name).with_extension("png");
        let _ = std::fs::create_dir_all(KEPT);
        let _ = std::fs::write(&path, self.png("root").unwrap_or_default());
        path
    }

    /// Calls a method of the bus itself, such as `GetConnectionUnixProcessID`.
    pub(super) fn process_of(&self, name: &str) -> Option<u32> {
        let service = "org.freedesktop.DBus";
        let answer = self.readers.call_method(
            Some(service),
            "/org/freedesktop/DBus",
            Some(service),
            "GetConnectionUnixProcessID",
            &BusName::try_from(name).ok()?,
        );
        answer.ok()?.body().deserialize().ok()
    }

    /// The programs that have told the service of screen readers of themselves, by their names on its bus.
    pub(super) fn programs(&self) -> Vec<String> {
        let answer = self.readers.call_method(
            Some("org.a11y.atspi.Registry"),
            "/org/a11y/atspi/accessible/root",
            Some("org.a11y.atspi.Accessible"),
            "GetChildren",
            &(),
        );
        let children: Vec<(String, OwnedObjectPath)> =
            answer.ok().and_then(|answer| answer.body().deserialize().ok()).unwrap_or_default();
        children.into_iter().map(|(name, _)| name).collect()
    }
}

/// Starts the service of screen readers, says that there is one, and connects to its bus.
fn readers(session: &str) -> Connection {
    let connect =
        |address: &str| Builder::address(address).and_then(Builder::build).expect("a bus that was just named");
    let session = connect(session);
    let call = |interface, method, body: &dyn Fn() -> zbus::Result<zbus::Message>| {
        body().unwrap_or_else(|error| panic!("{interface}.{method}: {error}; is at-spi2-core installed?"))
    };
    let (service, path) = ("org.a11y.Bus", "/org/a11y/bus");
    let address =
        call(service, "GetAddress", &|| session.call_method(Some(service), path, Some(service), "GetAddress", &()));
    let address: String = address.body().deserialize().unwrap();
    for property in ["IsEnabled", "ScreenReaderEnabled"] {
        call("org.a11y.Status", property, &|| {
            let body = ("org.a11y.Status", property, Value::from(true));
            session.call_method(Some(service), path, Some("org.freedesktop.DBus.Properties"), "Set", &body)
        });
    }
    connect(&address)
}

/// An environment with nothing of the desktop that is here.
fn at_home<'a>(command: &'a mut Command, home: &Path, display: &str) -> &'a mut Command {
    for name in ["WAYLAND_DISPLAY", "XAUTHORITY", "XMODIFIERS", "AT_SPI_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env_remove(name);
    }
    for name in ["PULSE_SERVER", "PULSE_COOKIE", "PULSE_RUNTIME_PATH", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.env("DISPLAY", display).env("HOME", home).env("XDG_RUNTIME_DIR", home.join("run"));
    command.env("XDG_CONFIG_HOME", home.join("config")).env("XDG_DATA_HOME", home.join("share"));
    command.env("LC_ALL", "C.UTF-8").current_dir(home).stdin(Stdio::null())
}

fn spawn(command: &mut Command) -> (Running, ChildStdout) {
    let program = command.get_program().to_owned();
    let mut child: Child = command
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program:?}: {error}; ./x desktop installs what is needed"));
    let said = child.stdout.take().unwrap();
    (Running(child), said)
}

/// The first line; what follows is read, so that nobody who says more stands still.
fn first_line(said: ChildStdout, whose: &str) -> String {
    let mut said = BufReader::new(said);
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "{whose} does not start");
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    line.trim().to_owned()
}
