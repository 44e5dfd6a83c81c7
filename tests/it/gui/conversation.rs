//! The list, the conversation and the composer, by what a screen reader hears and a keyboard types.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use miyu::gui::model::settings::Settings;
use miyu::gui::talk::{Ask, Folder, FolderEntry, Line, News, Outgoing, Presence, Staged, StagedBody, Summary};
use miyu::gui::words::Language;
use miyu::node::history::{Direction, Kind, Place, State};

use super::{Window, asked, peer, running, tell, text, words};

/// A window with bob's conversation open and these messages in it.
pub(super) fn talking(language: Language, lines: Vec<Line>, more: bool) -> Harness<'static, Window> {
    let bob = peer(2, "bob");
    let mut window = running(language, std::slice::from_ref(&bob));
    window.get_by_label_contains("bob").click();
    window.run();
    assert!(matches!(asked(&mut window).as_slice(), [Ask::Page { place: Place::Newest, .. }]));
    tell(&mut window, News::Page { peer: bob.id, place: Place::Newest, lines, more });
    window
}

#[test]
fn the_list_says_who_is_here_and_what_was_said() {
    for language in Language::ALL {
        let words = words(language);
        let (bob, carol) = (peer(2, "bob"), peer(3, "小雨"));
        let mut window = running(language, &[bob.clone(), carol.clone()]);
        let last = Some(text(1, Direction::In, "你好，世界"));
        tell(&mut window, News::Summaries(vec![Summary { peer: carol.id, unread: 2, last }]));
        let presence = Presence::Here { address: "10.0.0.2:9999".into(), suite: "x".into(), camera: false };
        tell(&mut window, News::Presence { peer: carol.id, presence });
        let unread = words.with("peers-unread", &[("count", 2.into())]);
        let said = format!("小雨, {}, {unread}, 你好，世界", words.get("peers-here"));
        window.get_by_label(&said);
        window.get_by_label(&format!("bob, {}", words.get("peers-away")));
        let rtt = std::time::Duration::from_millis(7);
        tell(&mut window, News::RoundTrip { peer: carol.id, rtt });
        window.get_by_label_contains(&words.with("peers-here-rtt", &[("ms", 7.into())]));
        tell(&mut window, News::Typing { peer: carol.id, active: true });
        assert_eq!(window.get_all_by_label_contains(&words.get("peers-typing")).count(), 1);
    }
}

#[test]
fn messages_are_shown_with_their_states_and_days() {
    for language in Language::ALL {
        let words = words(language);
        let mut failed = text(3, Direction::Out, "lost");
        (failed.state, failed.reason) = (State::Failed, Some("not allowed".into()));
        let mut old = text(0, Direction::In, "long ago");
        (old.sent_ms, old.order_ms) = (old.sent_ms - 10 * 24 * 3_600_000, 1);
        let gone = Line { kind: Kind::Deletion, text: None, ..text(4, Direction::In, "") };
        let lines = vec![old, text(1, Direction::In, "你好"), text(2, Direction::Out, "hello"), failed, gone];
        let mut window = talking(language, lines, false);
        for shown in ["long ago", "你好", "hello", "lost", "2023-11-05"] {
            window.get_by_label(shown);
        }
        for key in ["day-today", "kind-deletion"] {
            window.get_by_label(&words.get(key));
        }
        window.get_by_label(&format!("07:00 · {}", words.get("state-delivered")));
        window.get_by_label(&words.with("state-failed-why", &[("why", words.get("refused-not-allowed").into())]));
        asked(&mut window);
        window.get_by_label(&words.get("message-retry")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Retry { .. }]));
    }
}

#[test]
fn enter_sends_and_shift_enter_breaks_the_line() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        asked(&mut window);
        let hint = words.get("composer-hint");
        window.get_by_label(&hint).type_text("one");
        window.run();
        window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::Enter);
        window.run();
        window.get_by_label(&hint).type_text("二");
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        let asks = asked(&mut window);
        let sent: Vec<&Ask> = asks.iter().filter(|ask| matches!(ask, Ask::Send { .. })).collect();
        assert!(
            matches!(sent.as_slice(), [Ask::Send { what: Outgoing::Text(text), .. }] if text == "one\n二"),
            "{} sent",
            sent.len()
        );
        assert!(matches!(&asks[0], Ask::Typing { active: true, .. }));
        assert_eq!(window.get_by_label(&hint).value().unwrap_or_default(), "", "the composer is empty");
        assert!(window.get_by_label(&hint).is_focused(), "and keeps the keyboard");
        // nothing to send
        window.key_press(egui::Key::Enter);
        window.run();
        assert!(asked(&mut window).is_empty());
    }
}

#[test]
fn enter_in_a_composition_is_the_input_methods() {
    use egui::{Event, ImeEvent};
    let words = words(Language::Chinese);
    let mut window = talking(Language::Chinese, vec![text(1, Direction::In, "hi")], false);
    asked(&mut window);
    window.event(Event::Ime(ImeEvent::Preedit { text: "nihao".into(), active_range_chars: None }));
    window.run();
    window.key_press(egui::Key::Enter);
    window.run();
    window.event(Event::Ime(ImeEvent::Commit("你好".into())));
    window.run();
    assert!(!asked(&mut window).iter().any(|ask| matches!(ask, Ask::Send { .. })));
    assert_eq!(window.get_by_label(&words.get("composer-hint")).value().as_deref(), Some("你好"));
    window.key_press(egui::Key::Enter);
    window.run();
    let asks = asked(&mut window);
    assert!(asks.iter().any(|ask| matches!(ask, Ask::Send { what: Outgoing::Text(text), .. } if text == "你好")));
}

#[test]
fn a_file_is_chosen_and_a_picture_tells_what_it_can_hide() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob").id;
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        asked(&mut window);
        window.get_by_label(&words.get("composer-attach")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::List(None)]));
        let entry = |name: &str, is_folder| FolderEntry { name: name.into(), path: name.into(), is_folder, bytes: 9 };
        let entries = vec![entry("photos", true), entry("cat.png", false)];
        tell(&mut window, News::Folder(Folder { path: "home".into(), parent: Some("/".into()), entries }));
        window.get_by_label_contains("photos").click();
        window.run();
        let asks = asked(&mut window);
        assert!(
            matches!(asks.as_slice(), [Ask::List(Some(path))] if path.ends_with("photos")),
            "{} asks, {:?}",
            asks.len(),
            window.query_by_label_contains("photos").map(|node| node.rect())
        );
        window.get_by_label_contains("cat.png").click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Stage { path, .. }] if path.ends_with("cat.png")));
        let preview = std::sync::Arc::new(egui::ColorImage::example());
        let body = StagedBody::Picture { file: vec![1], preview, capacity: 5 };
        let staged = std::sync::Arc::new(Staged { name: "cat.png".into(), bytes: 9, body });
        tell(&mut window, News::Staged { peer: bob, staged: Ok(staged) });
        window.get_by_label(&words.get("composer-hide")).click();
        window.run();
        let hidden = words.get("composer-hidden");
        window.get_by_label(&hidden).focus();
        window.run();
        window.get_by_label(&hidden).type_text("秘密");
        window.run();
        window.get_by_label(&words.with("hidden-over", &[("over", 1.into()), ("room", 5.into())]));
        window.get_by_label(&words.get("composer-send")).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "it does not fit");
        window.get_by_label(&hidden).focus();
        window.run();
        window.key_press(egui::Key::Backspace);
        window.run();
        window.get_by_label(&words.get("composer-send")).click();
        window.run();
        let asks = asked(&mut window);
        assert!(asks.iter().any(|ask| {
            matches!(ask, Ask::Send { what: Outgoing::Staged(_, Some(hidden)), .. } if hidden == "秘")
        }));
    }
}

#[test]
fn what_was_written_is_kept_while_another_conversation_is_open() {
    let words = words(Language::English);
    let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
    let mut window = running(Language::English, &[bob, carol]);
    window.get_by_label_contains("bob").click();
    window.run();
    window.get_by_label(&words.get("composer-hint")).type_text("for bob");
    window.run();
    window.get_by_label_contains("carol").click();
    window.run();
    assert_eq!(window.get_by_label(&words.get("composer-hint")).value().unwrap_or_default(), "");
    assert_eq!(window.get_all_by_label_contains(&words.get("peers-draft")).count(), 1);
    window.get_by_label_contains("bob, ").click();
    window.run();
    assert_eq!(window.get_by_label(&words.get("composer-hint")).value().as_deref(), Some("for bob"));
}

#[test]
fn what_is_seen_is_told_as_read_once() {
    let mut window =
        talking(Language::English, vec![text(1, Direction::In, "hi"), text(2, Direction::In, "there")], false);
    let last = text(2, Direction::In, "there").cursor();
    let asks = asked(&mut window);
    assert!(matches!(asks.as_slice(), [Ask::Read { up_to, .. }] if *up_to == last), "{} asks", asks.len());
    window.run_steps(3);
    assert!(asked(&mut window).is_empty());
}

#[test]
fn new_messages_move_the_page_only_for_a_reader_at_its_end() {
    let bob = peer(2, "bob").id;
    let lines: Vec<Line> = (1..=60).map(|n| text(n, Direction::In, &format!("message {n}"))).collect();
    let mut window = talking(Language::English, lines, true);
    window.get_by_label("message 60");
    let news =
        |n| News::Lines { peer: bob, lines: vec![text(n, Direction::In, &format!("message {n}"))], arrived: true };
    tell(&mut window, news(61));
    window.get_by_label("message 61");
    // the reader goes up
    let middle = egui::pos2(600.0, 300.0);
    window.hover_at(middle);
    let wheel = egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 1_300.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    };
    window.event(wheel);
    window.run_steps(30);
    let seen = |window: &Harness<'_, Window>| {
        let rows =
            (1..=61).filter_map(|n| window.query_by_label(&format!("message {n}")).map(|node| (n, node.rect().top())));
        rows.filter(|(_, top)| *top > 100.0).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
    };
    let before = seen(&window);
    assert!(before.0 < 50, "{before:?}");
    tell(&mut window, news(62));
    window.run_steps(4);
    assert_eq!(seen(&window), before);
    // older ones come above: the page stands
    let asks = asked(&mut window);
    let place = asks.iter().find_map(|ask| match ask {
        Ask::Page { place, .. } => Some(*place),
        _ => None,
    });
    if let Some(place) = place {
        let older = (100..160).map(|n| Line { order_ms: n as i64, ..text(n, Direction::In, "old") }).collect();
        tell(&mut window, News::Page { peer: bob, place, lines: older, more: false });
        window.run_steps(4);
        let after = seen(&window);
        assert_eq!(after.0, before.0);
        assert!((after.1 - before.1).abs() < 2.0, "{before:?} {after:?}");
    }
}

#[test]
fn the_language_changes_at_once() {
    let mut window = talking(Language::English, vec![text(1, Direction::Out, "hi")], false);
    window.get_by_label(&words(Language::English).get("composer-send"));
    let settings = Settings { language: Some(Language::Chinese), ..Settings::default() };
    tell(&mut window, News::Settings(settings));
    window.get_by_label(&words(Language::Chinese).get("composer-send"));
    assert!(window.query_by_label(&words(Language::English).get("composer-send")).is_none());
}
