//! Notifications, told to a desktop of our own on a bus of our own. Skipped where there is no D-Bus daemon.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use egui_kittest::kittest::Queryable;
use miyu::gui::engine::notify::{Heard, Notifier};
use miyu::gui::said::Said;
use miyu::gui::talk::{Ask, Fault, News, Notification};
use miyu::gui::words::Language;
use miyu::node::history::Direction;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::OwnedValue;

use super::{asked, peer, running, tell, text, words};
use crate::support::PATIENCE;

const PATH: &str = "/org/freedesktop/Notifications";
const NAME: &str = "org.freedesktop.Notifications";

/// A session bus that ends with the test.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    /// None where the system has no daemon.
    fn start() -> Option<Self> {
        let arguments = ["--session", "--nofork", "--nopidfile", "--print-address"];
        let started = Command::new("dbus-daemon").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut daemon = started.inspect_err(|error| println!("skipped: dbus-daemon: {error}")).ok()?;
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { daemon, address: address.trim().to_owned() })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What a desktop was asked for.
#[derive(Debug, PartialEq)]
enum Call {
    Notify { id: u32, replaces: u32, title: String, body: String, actions: Vec<String>, entry: String },
    Close(u32),
}

struct Desktop {
    calls: mpsc::Sender<Call>,
    able: Vec<&'static str>,
    last: u32,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    fn get_capabilities(&self) -> Vec<String> {
        self.able.iter().map(ToString::to_string).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "the specification has so many")]
    fn notify(
        &mut self,
        app: &str,
        replaces: u32,
        _icon: &str,
        title: &str,
        body: &str,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _ms: i32,
    ) -> u32 {
        assert_eq!(app, "miyu");
        if replaces == 0 {
            self.last += 1;
        }
        let id = if replaces == 0 { self.last } else { replaces };
        let entry = <&str>::try_from(&hints["desktop-entry"]).unwrap().to_owned();
        let (title, body) = (title.to_owned(), body.to_owned());
        self.calls.send(Call::Notify { id, replaces, title, body, actions, entry }).unwrap();
        id
    }

    fn close_notification(&self, id: u32) {
        self.calls.send(Call::Close(id)).unwrap();
    }
}

/// A desktop on the bus, and what it is asked for.
fn desktop(bus: &Bus, able: &[&'static str]) -> (Connection, mpsc::Receiver<Call>) {
    let (calls, called) = mpsc::channel();
    let desktop = Desktop { calls, able: able.to_vec(), last: 0 };
    let builder = Builder::address(bus.address.as_str()).unwrap().name(NAME).unwrap();
    (builder.serve_at(PATH, desktop).unwrap().build().unwrap(), called)
}

fn notifier(bus: &Bus) -> (Notifier, mpsc::Receiver<Heard>) {
    let (hear, heard) = mpsc::channel();
    let hear = Mutex::new(hear);
    let hear = Arc::new(move |news| _ = hear.lock().unwrap().send(news));
    (Notifier::start(Some(bus.address.clone()), hear).unwrap(), heard)
}

fn of(n: u8, body: &str) -> Notification {
    Notification { peer: peer(n, "x").id, open: "Open".into(), title: format!("peer {n}"), body: body.into() }
}

#[test]
fn the_desktop_shows_one_a_peer_and_tells_which_is_pressed() {
    let Some(bus) = Bus::start() else { return };
    let (desktop, calls) = desktop(&bus, &["actions", "body-markup"]);
    let (notifier, heard) = notifier(&bus);
    let next = |n: u8, body: &str| {
        notifier.tell(of(n, body));
        calls.recv_timeout(PATIENCE).unwrap()
    };
    let shown = |id, replaces, title: &str, body: &str| Call::Notify {
        id,
        replaces,
        title: title.into(),
        body: body.into(),
        actions: vec!["default".into(), "Open".into()],
        entry: "miyu".into(),
    };
    // what looks like markup is text
    assert_eq!(next(2, "<b>5 & 6</b>"), shown(1, 0, "peer 2", "&lt;b&gt;5 &amp; 6&lt;/b&gt;"));
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), Heard::Works(Ok(())));
    assert_eq!(next(3, "hi"), shown(2, 0, "peer 3", "hi"));
    assert_eq!(next(2, "again"), shown(1, 1, "peer 2", "again"), "it takes the place of the one before");
    // told only after the desktop's answer to the one before was taken
    assert_eq!(next(3, "ho"), shown(2, 2, "peer 3", "ho"));
    // pressed: those of other programs are not ours
    let pressed = |id: u32| desktop.emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(id, "default")).unwrap();
    pressed(77);
    pressed(2);
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), Heard::Pressed(peer(3, "x").id));
    // the next one after the end of one is a new one
    desktop.emit_signal(None::<&str>, PATH, NAME, "NotificationClosed", &(1_u32, 2_u32)).unwrap();
    pressed(2);
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), Heard::Pressed(peer(3, "x").id), "the signal before was heard");
    assert_eq!(next(2, "new"), shown(3, 0, "peer 2", "new"));
    // what was read is taken away, once
    notifier.withdraw(peer(2, "x").id);
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), Call::Close(3));
    notifier.withdraw(peer(2, "x").id);
    notifier.tell(of(2, "last"));
    assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), shown(4, 0, "peer 2", "last"));
}

#[test]
fn a_desktop_without_markup_and_actions_gets_none() {
    let Some(bus) = Bus::start() else { return };
    let (_desktop, calls) = desktop(&bus, &["body"]);
    let (notifier, _heard) = notifier(&bus);
    notifier.tell(of(2, "1 < 2"));
    let call = calls.recv_timeout(PATIENCE).unwrap();
    let Call::Notify { body, actions, .. } = call else { panic!("{call:?}") };
    assert_eq!((body.as_str(), actions.len()), ("1 < 2", 0));
}

#[test]
fn a_desktop_that_is_not_there_is_told_once_and_found_when_it_comes() {
    let Some(bus) = Bus::start() else { return };
    let (notifier, heard) = notifier(&bus);
    notifier.tell(of(2, "one"));
    notifier.tell(of(2, "two"));
    let Heard::Works(Err(fault)) = heard.recv_timeout(PATIENCE).unwrap() else { panic!("there is no desktop") };
    assert!(fault.said.is_some(), "{fault:?}");
    let (_desktop, calls) = desktop(&bus, &[]);
    notifier.tell(of(2, "three"));
    calls.recv_timeout(PATIENCE).unwrap();
    // the second failure was not told: what comes next is that it works
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), Heard::Works(Ok(())));
}

#[test]
fn a_pressed_notification_opens_its_conversation_and_a_failing_desktop_is_told_in_the_settings() {
    for language in Language::ALL {
        let words = words(language);
        let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
        let mut window = running(language, &[bob.clone(), carol.clone()]);
        tell(&mut window, News::NotificationPressed(carol.id));
        assert_eq!(window.state().shell.model.open, Some(carol.id));
        assert!(asked(&mut window).iter().any(|ask| matches!(ask, Ask::Page { peer, .. } if *peer == carol.id)));
        // what comes to the conversation that is looked at is not told, what comes to another one is
        for (from, told) in [(carol.id, 0), (bob.id, 1)] {
            tell(&mut window, News::Lines { peer: from, lines: vec![text(9, Direction::In, "hi")], arrived: true });
            let asks = asked(&mut window);
            let notes = asks.iter().filter(|ask| matches!(ask, Ask::Notify(note) if note.peer == from));
            assert_eq!(notes.count(), told);
        }
        let fault = || Fault::own(Said::new("fault-notify").text("what", "no desktop"), "no desktop");
        tell(&mut window, News::Notifies(Err(fault())));
        let shown = words.with("fault-notify", &[("what", "no desktop".into())]);
        assert!(window.query_by_label(&shown).is_none(), "it is no notice");
        window.get_by_label(&words.get("settings-title")).click();
        window.run();
        window.get_by_label(&shown);
        tell(&mut window, News::Notifies(Ok(())));
        assert!(window.query_by_label(&shown).is_none());
    }
}
