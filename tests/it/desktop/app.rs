//! One window of the app: a process that is looked at through what it tells screen readers, and driven by a mouse and a
//! keyboard that the X server makes up.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use miyu::gui::words::{Language, Words};
use zbus::zvariant::OwnedObjectPath;

use super::desk::{Desk, until};

/// Roles of AT-SPI 2 (`Atspi.Role`) that are asked for by number.
const LABEL: u32 = 29;
/// States of AT-SPI 2 (`Atspi.StateType`), by their bits.
const FOCUSED: u64 = 1 << 12;
const SENSITIVE: u64 = 1 << 24;

/// Points at the window's lower edge where a page that is too long may be cut off.
const CUT: i32 = 20;

/// Something in a window, as a screen reader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Widget {
    pub(super) name: String,
    role: u32,
    states: u64,
    has_text: bool,
    has_place: bool,
    path: OwnedObjectPath,
}

impl Widget {
    /// Whether it can be clicked.
    fn is_control(&self) -> bool {
        self.role != LABEL && self.has_place && self.states & SENSITIVE != 0
    }
}

type Reference = (String, OwnedObjectPath);
/// An item of `org.a11y.atspi.Cache.GetItems`: itself, program, parent, place among the children, number of children,
/// interfaces, name, role, description, states.
type Item = (Reference, Reference, Reference, i32, i32, Vec<String>, String, u32, String, Vec<u32>);

/// Where something is on the screen: left, top, width, height.
pub(super) type Place = (i32, i32, i32, i32);

pub(super) struct App<'a> {
    desk: &'a Desk,
    pub(super) name: &'static str,
    pub(super) home: PathBuf,
    pub(super) words: Words,
    /// Variables that the process has beside those of the desktop.
    extra: Vec<(String, String)>,
    left: i32,
    child: RefCell<Option<Child>>,
    bus_name: String,
    pub(super) window: String,
}

impl<'a> App<'a> {
    /// An app with a home of its own, whose window begins at `left`.
    pub(super) fn new(desk: &'a Desk, name: &'static str, language: Language, left: i32) -> Self {
        let home = desk.folder().join(name);
        std::fs::create_dir_all(home.join("Downloads")).unwrap();
        Self {
            desk,
            name,
            home,
            words: Words::new(language),
            extra: Vec::new(),
            left,
            child: RefCell::new(None),
            bus_name: String::new(),
            window: String::new(),
        }
    }

    /// Variables that the process is to have.
    pub(super) fn with(mut self, extra: &[(String, String)]) -> Self {
        self.extra.extend_from_slice(extra);
        self
    }

    pub(super) fn table(&self) -> PathBuf {
        self.home.join("config/miyu/peers.toml")
    }

    /// Starts the process and waits for its window.
    pub(super) fn start(&mut self) {
        let locale = match self.words.language() {
            Language::English => "en_US.UTF-8",
            Language::Chinese => "zh_CN.UTF-8",
        };
        let mut command = self.desk.command(env!("CARGO_BIN_EXE_miyu"));
        for name in ["MIYU_LOG", "MIYU_PASSPHRASE_FILE", "LANGUAGE", "LC_MESSAGES"] {
            command.env_remove(name);
        }
        command.env("LC_ALL", locale).env("LANG", locale).env("HOME", &self.home);
        command.env("XDG_CONFIG_HOME", self.home.join("config")).env("XDG_DATA_HOME", self.home.join("share"));
        command.envs(self.extra.iter().cloned());
        let log = std::fs::File::create(self.log()).unwrap();
        let child = command.arg("gui").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let pid = child.id();
        self.child.replace(Some(child));
        self.bus_name = until("the window to tell screen readers of itself", || {
            self.desk.programs().into_iter().find(|program| self.desk.process_of(program) == Some(pid))
        });
        self.window = until("the window", || {
            let found = self.desk.xdotool(&["search", "--onlyvisible", "--pid", &pid.to_string()])?;
            found.lines().last().map(str::to_owned)
        });
        self.desk.xdotool(&["windowmove", &self.window, &self.left.to_string(), "10"]).unwrap();
        self.wait("the window in its place", |app| {
            let frame = app.widgets().into_iter().find(|widget| widget.has_place)?;
            let (left, top, ..) = app.place(&frame)?;
            ((self.left..self.left + 20).contains(&left) && top >= 10).then_some(())
        });
    }

    fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// What the process has written to its standard error.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(super) fn runs(&self) -> bool {
        self.child.borrow().is_some()
    }

    /// Waits until nothing in the window moves, what a camera shows aside.
    pub(super) fn settled(&self) {
        let mut before = None;
        self.wait("a window that stands still", |app| {
            let places = |widget: &Widget| (app.place(widget), widget.path.clone());
            let now = Some(app.widgets().iter().map(places).collect::<Vec<_>>());
            let stands = now == before;
            before = now;
            stands.then_some(())
        });
    }

    /// A string of the catalogues.
    pub(super) fn word(&self, key: &'static str) -> String {
        self.words.get(key)
    }

    /// All that the window shows.
    pub(super) fn widgets(&self) -> Vec<Widget> {
        let (path, interface) = ("/org/a11y/atspi/cache", "org.a11y.atspi.Cache");
        let service = Some(self.bus_name.as_str());
        let answer = self.desk.readers.call_method(service, path, Some(interface), "GetItems", &());
        let items: Vec<Item> = answer.ok().and_then(|answer| answer.body().deserialize().ok()).unwrap_or_default();
        let widget = |((_, path), _, _, _, _, interfaces, name, role, _, states): Item| {
            let has = |interface: &str| interfaces.iter().any(|one| one == interface);
            Widget {
                name,
                role,
                states: states.iter().rev().fold(0, |all, part| all << 32 | u64::from(*part)),
                has_text: has("org.a11y.atspi.Text"),
                has_place: has("org.a11y.atspi.Component"),
                path,
            }
        };
        items.into_iter().map(widget).collect()
    }

    /// What is written in it.
    pub(super) fn text(&self, widget: &Widget) -> Option<String> {
        let service = Some(self.bus_name.as_str());
        let all = (0i32, -1i32);
        let interface = Some("org.a11y.atspi.Text");
        let answer = self.desk.readers.call_method(service, &widget.path, interface, "GetText", &all);
        answer.ok()?.body().deserialize().ok()
    }

    /// Where it is.
    pub(super) fn place(&self, widget: &Widget) -> Option<Place> {
        let service = Some(self.bus_name.as_str());
        // 0: on the screen
        let interface = Some("org.a11y.atspi.Component");
        let answer = self.desk.readers.call_method(service, &widget.path, interface, "GetExtents", &0u32);
        answer.ok()?.body().deserialize::<(Place,)>().ok().map(|(place,)| place)
    }

    /// Looks until there is something; a process that has ended shows nothing more.
    pub(super) fn wait<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        until(&format!("{what}, by {}", self.name), || {
            let ended = self.child.borrow_mut().as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "{} ended while waited for {what}: {ended:?}", self.name);
            look(self)
        })
    }

    /// Waits until the window shows these words, alone or within others.
    pub(super) fn shows(&self, words: &str) -> Widget {
        self.wait(words, |app| app.widgets().into_iter().find(|widget| widget.name.contains(words)))
    }

    /// The one control whose name is so, and its place, once it stands still.
    pub(super) fn control(&self, what: &str, is: impl Fn(&str) -> bool) -> (Widget, Place) {
        let mut before = None;
        self.wait(&format!("the control {what}"), |app| {
            let mut found = app.widgets().into_iter().filter(|widget| widget.is_control() && is(&widget.name));
            let (first, second) = (found.next(), found.next());
            let now = first.filter(|_| second.is_none()).and_then(|widget| Some((app.place(&widget)?, widget)));
            let stands = now.is_some() && now == before;
            before = now;
            before.clone().filter(|_| stands).map(|(place, widget)| (widget, place))
        })
    }

    fn click(&self, what: &str, is: impl Fn(&str) -> bool) {
        until(&format!("{what} under the pointer of {}", self.name), || {
            let (_, place) = self.control(what, &is);
            let (left, top, width, height) = place;
            let (x, y) = ((left + width / 2).to_string(), (top + height / 2).to_string());
            if top + height > self.bottom() {
                // The wheel, until it is there: the page may be longer than the window. What does not follow it is all there.
                let middle = (self.bottom() / 2).to_string();
                self.desk.xdotool(&["mousemove", &x, &middle, "click", "5"]).unwrap();
                if self.control(what, &is).1 != place {
                    return None;
                }
            }
            self.desk.xdotool(&["windowactivate", "--sync", &self.window, "mousemove", &x, &y]).unwrap();
            // Under the pointer it may move once more.
            let (_, now) = self.control(what, &is);
            (now == place).then_some(())
        });
        self.desk.xdotool(&["click", "1"]).unwrap();
    }

    /// Where the window ends, without what may be cut off there.
    fn bottom(&self) -> i32 {
        let frame = self.widgets().into_iter().find(|widget| widget.has_place);
        let (_, top, _, height) = frame.and_then(|frame| self.place(&frame)).expect("a window has a place");
        top + height - CUT
    }

    /// Clicks on the control of this name.
    pub(super) fn press(&self, name: &str) {
        self.click(name, |own| own == name);
    }

    /// Clicks on the control whose name contains these words.
    pub(super) fn press_with(&self, words: &str) {
        self.click(words, |name| name.contains(words));
    }

    /// Presses keys together, such as `ctrl+v`.
    pub(super) fn keys(&self, keys: &str) {
        self.desk.xdotool(&["windowactivate", "--sync", &self.window, "key", keys]).unwrap();
    }

    /// Clicks into a field and waits for the keyboard.
    pub(super) fn enter(&self, field: &str) {
        self.press(field);
        self.wait(&format!("the keyboard in {field}"), |app| {
            app.widgets().into_iter().find(|widget| widget.name == field && widget.states & FOCUSED != 0)
        });
    }

    /// Replaces what a field has, key by key.
    pub(super) fn write(&self, field: &str, text: &str) {
        self.enter(field);
        self.keys("ctrl+a");
        self.desk.xdotool(&["type", "--delay", "4", text]).unwrap();
        self.has(field, text);
    }

    /// Puts a text into a field by the clipboard: key by key, the X server knows ASCII alone.
    pub(super) fn paste(&self, field: &str, text: &str) {
        self.enter(field);
        self.desk.copy("UTF8_STRING", text.as_bytes());
        self.keys("ctrl+a");
        self.keys("ctrl+v");
        self.has(field, text);
    }

    /// Waits until a field has this text.
    pub(super) fn has(&self, field: &str, text: &str) {
        let fields = |app: &Self| {
            let widgets = app.widgets().into_iter().filter(|widget| widget.name == field && widget.role != LABEL);
            widgets.filter(|widget| widget.has_text).filter_map(|widget| app.text(&widget)).collect::<Vec<_>>()
        };
        self.wait(&format!("{text:?} in {field}"), |app| fields(app).iter().any(|own| own == text).then_some(()));
    }

    /// Closes the window as the window manager does, and waits for the end of the process.
    pub(super) fn close(&mut self) -> Duration {
        let begun = Instant::now();
        self.keys("alt+F4");
        let mut child = self.child.take().expect("the app runs");
        let status = until("the end of the app", || child.try_wait().unwrap());
        assert!(status.success(), "{}: {status}: {}", self.name, self.said());
        begun.elapsed()
    }

    /// The picture of a part of the screen.
    pub(super) fn picture(&self, (left, top, width, height): Place) -> image::RgbImage {
        let size = [left, top, width, height].map(|n| u32::try_from(n).expect("on the screen"));
        image::imageops::crop_imm(&self.desk.picture("root"), size[0], size[1], size[2], size[3]).to_image()
    }

    /// What is shown, for whoever looks for a fault.
    fn described(&self) -> String {
        let line = |widget: Widget| {
            let place = self.place(&widget);
            let text = self.text(&widget).filter(|_| widget.role != LABEL && widget.has_text);
            format!("{:3} {:?} {:#x} {place:?} {text:?}\n", widget.role, widget.name, widget.states)
        };
        self.widgets().into_iter().map(line).collect()
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if std::thread::panicking() {
            let picture = self.desk.keep(self.name);
            let _ = std::fs::write(picture.with_extension("txt"), self.described() + &self.said());
            eprintln!("x: what {} showed: {} and .txt beside it", self.name, picture.display());
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
