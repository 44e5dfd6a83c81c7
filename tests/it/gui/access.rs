//! The app without a mouse and without eyes: every control has a name, in both languages; the keyboard comes to each; the
//! list of keys has them all.

use std::collections::BTreeSet;
use std::path::Path;

use egui::Role;
use egui::accesskit::Action;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use miyu::gui::said::Said;
use miyu::gui::talk::{Check, Fault, Line, News, Presence, Stage};
use miyu::gui::words::{Language, Words};
use miyu::node::history::{Direction, Kind, Place, State};

use super::{Window, asked, peer, running, tell, text, window, words};

/// Names and roles of what can be pressed, typed into or moved and has no name.
fn nameless(window: &Harness<'_, Window>) -> Vec<String> {
    let root = window.root();
    root.children_recursive()
        .filter(|node| {
            let node = node.accesskit_node();
            let acts = [Action::Click, Action::Focus, Action::SetValue]
                .iter()
                .any(|action| node.data().supports_action(*action));
            // A place that scrolls is no control, and its bar says by its role what it is.
            acts && !matches!(
                node.role(),
                Role::ScrollView | Role::ScrollBar | Role::GenericContainer | Role::Window | Role::Pane
            ) && node.label().or_else(|| node.value()).is_none_or(|name| name.trim().is_empty())
        })
        .map(|node| format!("{:?} {:?}", node.accesskit_node().role(), node.rect()))
        .collect()
}

fn check(window: &Harness<'_, Window>, panel: &str) {
    assert_eq!(nameless(window), Vec::<String>::new(), "{panel}");
}

/// A window with peers, a conversation with one of each kind of message, and a notice.
fn full(language: Language) -> Harness<'static, Window> {
    let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
    let mut window = running(language, &[bob.clone(), carol]);
    let here = Presence::Here { address: "10.0.0.2:9999".into(), suite: "x".into(), camera: false };
    tell(&mut window, News::Presence { peer: bob.id, presence: here });
    window.get_by_label_contains("bob").click();
    window.run();
    let kind = |n, kind, direction| Line { kind, name: Some("名".into()), text: None, ..text(n, direction, "") };
    let failed = Line { state: State::Failed, reason: Some("busy".into()), ..text(5, Direction::Out, "lost") };
    let queued = Line { state: State::Queued, ..text(6, Direction::Out, "waits") };
    let hides = Line { hidden: Some("psst".into()), ..kind(4, Kind::Picture, Direction::In) };
    let lines = vec![
        text(1, Direction::In, "你好"),
        text(2, Direction::Out, "hello"),
        kind(3, Kind::File, Direction::In),
        hides,
        failed,
        queued,
    ];
    tell(&mut window, News::Page { peer: bob.id, place: Place::Newest, lines, more: false });
    tell(&mut window, News::Trouble(Fault::own(Said::new("fault-task"), "x")));
    tell(&mut window, News::Saved("/tmp/名".into()));
    asked(&mut window);
    window
}

/// Opens what a button opens, looks at it, and closes it.
fn dialog(window: &mut Harness<'_, Window>, words: &Words, button: &'static str) {
    window.get_by_label(&words.get(button)).click();
    window.run();
    check(window, button);
    window.get_by_label(&words.get("dialog-close")).click();
    window.run();
}

#[test]
fn every_control_has_a_name_in_both_languages() {
    for language in Language::ALL {
        let words = words(language);
        let mut first = window(language);
        let fault = || Some(Fault::own(Said::new("fault-passphrase"), "x"));
        tell(&mut first, News::Stage(Stage::NoIdentity { table: "t".into(), only_key: false, fault: fault() }));
        first.get_by_label(&words.get("start-lock")).click();
        first.run();
        check(&first, "first start");
        tell(&mut first, News::Stage(Stage::Locked { key: "k".into(), fault: fault() }));
        check(&first, "locked");
        tell(&mut first, News::Stage(Stage::Broken(fault().unwrap())));
        check(&first, "broken");
        check(&running(language, &[]), "the first peer");

        let mut window = full(language);
        check(&window, "conversation");
        for button in ["settings-title", "help-title", "peers-own-key", "peers-add", "head-about"] {
            dialog(&mut window, &words, button);
        }
        let bob = peer(2, "bob").id;
        tell(&mut window, News::Presence { peer: bob, presence: Presence::Away(None) });
        window.get_by_label(&words.get("head-why")).click();
        window.run();
        let found =
            Check { received: 0, strangers: 3, addresses: vec!["10.0.0.1:9".into()], pong: Err(fault().unwrap()) };
        tell(&mut window, News::Checked { peer: bob, check: found });
        check(&window, "connection");
    }
}

#[test]
fn the_keyboard_comes_to_every_control() {
    for open in [None, Some("settings-title"), Some("peers-add"), Some("head-about")] {
        let words = words(Language::English);
        let mut window = full(Language::English);
        if let Some(open) = open {
            window.get_by_label(&words.get(open)).click();
            window.run();
        }
        let controls = |window: &Harness<'_, Window>| -> BTreeSet<String> {
            let root = window.root();
            let mut inside: Vec<_> = root.children_recursive().collect();
            // what lies behind a dialog is not for the keyboard
            if open.is_some() {
                let close = words.get("dialog-close");
                let at = inside.iter().position(|node| node.accesskit_node().label() == Some(close.clone())).unwrap();
                let around = inside[at].parent().unwrap();
                inside = around.children_recursive().collect();
            }
            let named = inside.into_iter().filter_map(|node| {
                let node = node.accesskit_node();
                let roles =
                    [Role::Button, Role::CheckBox, Role::RadioButton, Role::TextInput, Role::MultilineTextInput];
                (roles.contains(&node.role()) && !node.is_disabled()).then(|| node.label()).flatten()
            });
            named.collect()
        };
        let wanted = controls(&window);
        assert!(wanted.len() >= 5, "{open:?}: {wanted:?}");
        let mut come_to = BTreeSet::new();
        for _ in 0..80 {
            window.key_press(egui::Key::Tab);
            window.run();
            let root = window.root();
            come_to.extend(
                root.children_recursive()
                    .filter(|node| node.is_focused())
                    .filter_map(|node| node.accesskit_node().label()),
            );
        }
        let missed: Vec<&String> = wanted.difference(&come_to).collect();
        assert!(missed.is_empty(), "{open:?}: the keyboard does not come to {missed:?}");
    }
}

/// The names of the keys that a source listens to.
fn keys(source: &str) -> impl Iterator<Item = &str> {
    source.split("Key::").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        // `KeyFileError::X` and the like end in `Error::`
        Some(&rest[..end]).filter(|key| !key.is_empty())
    })
}

#[test]
fn the_list_of_keys_has_every_key_that_is_listened_to() {
    let panels = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gui/panels");
    let help = std::fs::read_to_string(panels.join("help.rs")).unwrap();
    for entry in std::fs::read_dir(&panels).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        for key in keys(&source) {
            let listed = match key {
                "Escape" => "Esc",
                "ArrowLeft" => "←",
                "ArrowRight" => "→",
                "Num0" => "0",
                "Plus" | "Equals" => "+",
                "Minus" => "−",
                key => key,
            };
            assert!(help.contains(listed), "{}: the list of keys does not have {key}", path.display());
        }
    }
}
