//! The settings, what is told outside of the window, and keys that change.

use egui_kittest::kittest::Queryable;
use miyu::gui::model::settings::Settings;
use miyu::gui::talk::{Ask, News};
use miyu::gui::words::Language;
use miyu::node::history::Direction;

use super::{asked, peer, running, tell, text, words};

/// The settings that were last asked to be kept.
fn kept(asks: &[Ask]) -> Option<&Settings> {
    asks.iter().rev().find_map(|ask| if let Ask::KeepSettings(settings) = ask { Some(settings) } else { None })
}

#[test]
fn each_choice_holds_at_once_and_is_kept() {
    let english = words(Language::English);
    let chinese = words(Language::Chinese);
    let mut window = running(Language::English, &[peer(2, "bob")]);
    window.get_by_label(&english.get("settings-title")).click();
    window.run();
    window.get_by_label(Language::Chinese.name()).click();
    window.run();
    assert_eq!(kept(&asked(&mut window)).unwrap().language, Some(Language::Chinese));
    window.get_by_label(&chinese.get("settings-notifies")).click();
    window.run();
    assert!(!kept(&asked(&mut window)).unwrap().notifies);
    window.get_by_label(&chinese.get("settings-larger")).click();
    window.run();
    assert_eq!(kept(&asked(&mut window)).unwrap().text_size, 2);
    assert!((window.ctx.zoom_factor() - miyu::gui::look::TEXT_SIZES[2]).abs() < 0.01);
}

#[test]
fn the_keyboard_opens_what_its_list_says() {
    let words = words(Language::English);
    let mut window = running(Language::English, &[peer(2, "bob"), peer(3, "carol")]);
    window.key_press(egui::Key::F1);
    window.run();
    window.get_by_label(&words.get("key-previous"));
    window.get_by_label(&words.get("key-paste"));
    window.get_by_label(&words.get("dialog-close")).click();
    window.run();
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Comma);
    window.run();
    window.get_by_label(&words.get("settings-quiet"));
    window.get_by_label(&words.get("dialog-close")).click();
    window.run();
    window.key_press_modifiers(egui::Modifiers::ALT, egui::Key::ArrowDown);
    window.run();
    let opened: Vec<_> = asked(&mut window).into_iter().filter(|ask| matches!(ask, Ask::Page { .. })).collect();
    assert_eq!(opened.len(), 1);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::F);
    window.run();
    assert!(window.get_by_label(&words.get("peers-search")).is_focused());
}

#[test]
fn messages_that_nobody_sees_are_told_as_far_as_is_wanted() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        let mut told = |settings: Settings| {
            tell(&mut window, News::Settings(settings));
            asked(&mut window);
            let line = text(1, Direction::In, "psst");
            tell(&mut window, News::Lines { peer: bob.id, lines: vec![line], arrived: true });
            let asks = asked(&mut window);
            asks.into_iter()
                .find_map(|ask| if let Ask::Notify(told) = ask { Some((told.title, told.body)) } else { None })
        };
        // the test's clock says 08:00, and nobody has opened the conversation
        let settings = || Settings { language: Some(language), ..Settings::default() };
        assert_eq!(told(settings()), Some(("bob".into(), "psst".into())));
        let hidden = Settings { hides_content: true, ..settings() };
        assert_eq!(told(hidden), Some(("bob".into(), words.get("notify-hidden"))));
        assert_eq!(told(Settings { quiet: Some((7 * 60, 9 * 60)), ..settings() }), None);
        assert_eq!(told(Settings { notifies: false, ..settings() }), None);
    }
}

#[test]
fn another_key_under_a_name_is_shown_until_it_is_accepted() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = running(language, &[peer(2, "bob")]);
        tell(&mut window, News::Peers(vec![peer(3, "bob")]));
        window.get_by_label_contains("bob").click();
        window.run();
        window.get_by_label(&words.get("head-key-changed"));
        window.get_by_label(&words.get("head-about")).click();
        window.run();
        asked(&mut window);
        window.get_by_label(&words.get("peer-accept")).click();
        window.run();
        assert_eq!(kept(&asked(&mut window)).unwrap().known["bob"], peer(3, "bob").key_line);
        assert!(window.query_by_label(&words.get("head-key-changed")).is_none());
        window.get_by_label(&words.get("peer-verified")).click();
        window.run();
        assert!(kept(&asked(&mut window)).unwrap().verified.contains(&peer(3, "bob").key_line));
    }
}
