//! What a reader does with a conversation: following answers, long texts, links, pictures, files, new messages.

use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use miyu::gui::talk::{Ask, Line, News, Outgoing, Summary};
use miyu::gui::words::{Language, Words};
use miyu::node::history::{Direction, Kind, Place, Reaction, State, Target};

use super::conversation::talking;
use super::{Window, asked, peer, running, tell, text, words};

/// Opens the menu of the message with that text and presses something in it.
fn choose(window: &mut Harness<'_, Window>, words: &Words, message: &str, item: &str) {
    window.get_by_label(&words.with("message-menu", &[("text", message.into())])).click();
    window.run();
    window.get_by_label(item).click();
    window.run();
}

#[test]
fn an_answer_leads_to_what_it_answers() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob").id;
        let near = text(5, Direction::Out, "near").target;
        let far = text(900, Direction::In, "far away");
        let answer = |n, to: Target, quote: &str| Line {
            reply: Some((to, Some(quote.to_owned()))),
            ..text(n, Direction::In, &format!("answer {n}"))
        };
        let mut lines: Vec<Line> = (1..=40).map(|n| text(n, Direction::Out, &format!("message {n}"))).collect();
        lines.extend([answer(41, near, "near"), answer(42, far.target, "far away")]);
        let mut window = talking(language, lines, false);
        asked(&mut window);
        assert!(window.query_by_label("message 5").is_none(), "it is above the page");
        let jump = |quote: &str| words.with("quote-jump", &[("text", quote.into())]);
        window.get_by_label(&jump("near")).click();
        window.run_steps(6);
        window.get_by_label("message 5");
        assert!(asked(&mut window).iter().all(|ask| !matches!(ask, Ask::Locate { .. })), "it was loaded");
        // one that is not loaded is looked for
        window.get_by_label_contains(&words.get("conversation-newest")).click();
        window.run_steps(6);
        window.get_by_label(&jump("far away")).click();
        window.run_steps(6);
        let asks = asked(&mut window);
        assert!(asks.iter().any(|ask| matches!(ask, Ask::Locate { target, .. } if *target == far.target)));
        tell(&mut window, News::Located { peer: bob, line: far.clone() });
        let asks = asked(&mut window);
        let place = asks.iter().find_map(|ask| match ask {
            Ask::Page { place: place @ Place::After(_), .. } => Some(*place),
            _ => None,
        });
        tell(&mut window, News::Page { peer: bob, place: place.unwrap(), lines: vec![far.clone()], more: false });
        window.get_by_label("far away");
    }
}

#[test]
fn signs_are_said_chosen_and_taken_back() {
    for language in Language::ALL {
        let words = words(language);
        let line = Line {
            reactions: vec![Reaction { direction: Direction::Out, text: "🎉".into() }],
            ..text(1, Direction::In, "hi")
        };
        let mut window = talking(language, vec![line], false);
        let said = |window: &mut Harness<'_, Window>| -> Vec<String> {
            let asks = asked(window).into_iter();
            asks.filter_map(|ask| match ask {
                Ask::Send { what: Outgoing::React(_, text), .. } => Some(text),
                _ => None,
            })
            .collect()
        };
        choose(&mut window, &words, "hi", &words.with("reaction-say", &[("text", "👍".into())]));
        assert_eq!(said(&mut window), ["👍"]);
        // the one that is ours goes by a press on it
        window.get_by_label(&format!("🎉, {}", words.get("reaction-ours"))).click();
        window.run();
        assert_eq!(said(&mut window), [""]);
        // any other is typed
        window.get_by_label(&words.with("message-menu", &[("text", "hi".into())])).click();
        window.run();
        let other = words.get("reaction-other");
        window.get_by_label(&other).focus();
        window.run();
        window.get_by_label(&other).type_text("很".repeat(30).as_str());
        window.run();
        window.get_by_label(&words.get("reaction-too-long"));
        for _ in 0..27 {
            window.key_press(egui::Key::Backspace);
        }
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        assert_eq!(said(&mut window), ["很很很"]);
        assert!(window.query_by_label(&other).is_none(), "the menu is closed");
    }
}

#[test]
fn a_message_is_answered_changed_and_taken_back_from_its_menu() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = talking(language, vec![text(1, Direction::Out, "helo")], false);
        asked(&mut window);
        choose(&mut window, &words, &words.with("peers-ours", &[("text", "helo".into())]), &words.get("message-edit"));
        window.run();
        let hint = words.get("composer-hint");
        assert_eq!(window.get_by_label(&hint).value().as_deref(), Some("helo"));
        assert!(window.get_by_label(&hint).is_focused());
        window.get_by_label(&hint).type_text("!");
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        let asks = asked(&mut window);
        assert!(
            asks.iter().any(|ask| matches!(ask, Ask::Send { what: Outgoing::Edit(_, text), .. } if text == "helo!"))
        );
        choose(&mut window, &words, &words.with("peers-ours", &[("text", "helo".into())]), &words.get("message-reply"));
        window.get_by_label(&hint).type_text("so");
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        let target = text(1, Direction::Out, "").target;
        let asks = asked(&mut window);
        assert!(asks.iter().any(|ask| matches!(ask, Ask::Send { reply_to: Some(to), .. } if *to == target)));
        choose(
            &mut window,
            &words,
            &words.with("peers-ours", &[("text", "helo".into())]),
            &words.get("message-delete"),
        );
        assert!(asked(&mut window).is_empty(), "it asks first");
        window.get_by_label(&words.get("message-sure")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Send { what: Outgoing::Delete(_), .. }]));
    }
}

#[test]
fn a_long_text_is_shown_by_and_by() {
    for language in Language::ALL {
        let words = words(language);
        let long = format!("{}END", "很长的话。".repeat(2_000));
        let mut window = talking(language, vec![text(1, Direction::In, &long)], false);
        assert!(window.query_by_label_contains("END").is_none());
        for left in [8_803, 2_803] {
            window.get_by_label(&words.with("text-more", &[("count", left.into())])).scroll_to_me();
            window.run_steps(8);
            window.get_by_label(&words.with("text-more", &[("count", left.into())])).click();
            window.run_steps(8);
        }
        assert!(window.query_by_label_contains("END").is_some());
    }
}

#[test]
fn a_link_is_opened_after_a_question() {
    for language in Language::ALL {
        let words = words(language);
        let link = "https://example.org/a";
        let said = format!("see {link}.");
        let mut window = talking(language, vec![text(1, Direction::In, &said)], false);
        asked(&mut window);
        choose(&mut window, &words, &said, &words.with("link-open", &[("link", link.into())]));
        window.run();
        assert!(asked(&mut window).is_empty(), "not yet");
        window.get_by_label(link);
        window.get_by_label(&words.get("link-yes")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::OpenLink(opened)] if opened == link));
        assert!(window.query_by_label(&words.get("link-title")).is_none());
    }
}

#[test]
fn a_body_on_its_way_tells_bytes_and_can_be_stopped() {
    for language in Language::ALL {
        let words = words(language);
        let line = Line {
            kind: Kind::File,
            state: State::Sending,
            text: None,
            name: Some("地图.pdf".into()),
            bytes: 4 << 20,
            ..text(1, Direction::Out, "")
        };
        let id = line.target.id;
        let mut window = talking(language, vec![line], false);
        asked(&mut window);
        tell(&mut window, News::Progress { id, sent: 1 << 20, total: 4 << 20 });
        let told = words.with("progress-bytes", &[("sent", "1.00 MiB".into()), ("total", "4.00 MiB".into())]);
        assert_eq!(window.get_all_by_label(&told).count(), 2, "the bar and the words below it");
        window.get_by_label(&words.get("message-cancel")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Cancel { id: stopped, .. }] if *stopped == id));
    }
}

#[test]
fn a_saved_file_has_a_way_to_its_folder() {
    for language in Language::ALL {
        let words = words(language);
        let line =
            Line { kind: Kind::File, text: None, name: Some("map.pdf".into()), bytes: 9, ..text(1, Direction::In, "") };
        let target = line.target;
        let mut window = talking(language, vec![line], false);
        asked(&mut window);
        let folder = words.get("notice-open-folder");
        assert!(window.query_by_label(&folder).is_none());
        window.get_by_label(&words.get("file-save")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Save { .. }]));
        tell(&mut window, News::SavedAs { peer: peer(2, "bob").id, target, path: "saved/map.pdf".into() });
        assert_eq!(window.get_all_by_label(&folder).count(), 2, "in the notice and in the bubble");
        window.get_by_label(&words.get("notice-close")).click();
        window.run();
        window.get_by_label(&folder).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::OpenFolder(path)] if path.ends_with("map.pdf")));
    }
}

#[test]
fn a_picture_is_seen_in_full_zoomed_and_saved() {
    for language in Language::ALL {
        let words = words(language);
        let line = Line {
            kind: Kind::Picture,
            text: None,
            name: Some("cat.png".into()),
            hidden: Some("秘密".into()),
            ..text(1, Direction::In, "")
        };
        let (bob, target) = (peer(2, "bob").id, line.target);
        let mut window = talking(language, vec![line], false);
        assert!(asked(&mut window).iter().any(|ask| matches!(ask, Ask::Picture { .. })));
        let image = Arc::new(egui::ColorImage::filled([300, 200], egui::Color32::GRAY));
        tell(&mut window, News::Picture { peer: bob, target, picture: Ok(image) });
        // what is hidden is behind a lock
        assert!(window.query_by_label_contains("秘密").is_none());
        window.get_by_label_contains(&words.get("hidden-open")).click();
        window.run();
        window.get_by_label_contains("秘密");
        window.get_by_label(&words.with("picture-open", &[("name", "cat.png".into())])).click();
        window.run();
        asked(&mut window);
        for key in ["picture-larger", "picture-smaller", "picture-whole"] {
            window.get_by_label(&words.get(key)).click();
            window.run();
        }
        for key in [egui::Key::Plus, egui::Key::ArrowLeft, egui::Key::Minus, egui::Key::Num0] {
            window.key_press(key);
            window.run();
        }
        window.get_by_label(&words.get("message-save")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Save { .. }]));
        window.key_press(egui::Key::Escape);
        window.run();
        assert!(window.query_by_label(&words.get("picture-larger")).is_none());
    }
}

#[test]
fn new_messages_are_counted_for_a_reader_who_is_above() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob").id;
        let lines: Vec<Line> = (1..=60).map(|n| text(n, Direction::In, &format!("message {n}"))).collect();
        let mut window = talking(language, lines, false);
        let came = |n: u64| News::Lines {
            peer: bob,
            lines: vec![text(n, Direction::In, &format!("message {n}"))],
            arrived: true,
        };
        scroll(&mut window, 900.0);
        tell(&mut window, came(61));
        tell(&mut window, came(62));
        let fresh = words.with("conversation-fresh", &[("count", 2.into())]);
        window.get_by_label_contains(&fresh).click();
        window.run_steps(6);
        window.get_by_label("message 62");
        window.get_by_label(&words.get("conversation-unread"));
        // away and back: the divider has done its work
        scroll(&mut window, 900.0);
        scroll(&mut window, -3_000.0);
        window.get_by_label("message 62");
        assert!(window.query_by_label(&words.get("conversation-unread")).is_none());
    }
}

fn scroll(window: &mut Harness<'_, Window>, points: f32) {
    window.hover_at(egui::pos2(650.0, 300.0));
    window.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, points),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    });
    window.run_steps(40);
}

#[test]
fn a_search_is_done_with_the_keyboard_and_leads_to_the_message() {
    for language in Language::ALL {
        let words = words(language);
        let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
        let mut window = running(language, &[bob.clone(), carol.clone()]);
        let search = words.get("peers-search");
        window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::F);
        window.run();
        window.get_by_label(&search).type_text("地图");
        window.run();
        let asks = asked(&mut window);
        let [Ask::PrepareSearch, Ask::Search { ticket, .. }] = asks.as_slice() else { panic!("{} asks", asks.len()) };
        let found = text(500, Direction::In, "明天带地图来");
        tell(&mut window, News::Found { ticket: *ticket, lines: vec![(carol.id, found.clone())] });
        window.get_by_label_contains("明天带地图来");
        window.key_press(egui::Key::Enter);
        window.run();
        let asks = asked(&mut window);
        assert!(matches!(asks.as_slice(), [Ask::Page { peer, place: Place::After(_) }] if *peer == carol.id));
        // a name is found too, and the arrow leads into the list
        window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::F);
        window.run();
        window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        window.get_by_label(&search).type_text("bo");
        window.run();
        asked(&mut window);
        window.key_press(egui::Key::ArrowDown);
        window.run();
        assert!(window.get_by_label_contains("bob, ").is_focused());
        window.key_press(egui::Key::Space);
        window.run();
        assert!(asked(&mut window).iter().any(|ask| matches!(ask, Ask::Page { peer, .. } if *peer == bob.id)));
    }
}

#[test]
fn a_narrow_window_shows_the_list_or_the_conversation() {
    for language in Language::ALL {
        let words = words(language);
        let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
        let mut window = running(language, &[bob, carol.clone()]);
        window.set_size(egui::vec2(520.0, 500.0));
        window.run();
        let summary = Summary { peer: carol.id, unread: 1, last: Some(text(1, Direction::In, "hi")) };
        tell(&mut window, News::Summaries(vec![summary]));
        window.get_by_label_contains("carol, ").click();
        window.run();
        assert!(window.query_by_label(&words.get("peers-title")).is_none());
        window.get_by_label(&words.get("composer-hint"));
        window.get_by_label(&words.get("head-back")).click();
        window.run();
        window.get_by_label(&words.get("peers-title"));
        assert!(window.query_by_label(&words.get("composer-hint")).is_none());
    }
}

#[test]
fn the_list_keeps_its_width() {
    for language in Language::ALL {
        let mut window = running(language, &[peer(2, "bob")]);
        let search = words(language).get("peers-search");
        let width = |window: &Harness<'_, Window>| window.get_by_label(&search).rect().width();
        let before = width(&window);
        window.run_steps(40);
        assert_eq!(width(&window), before);
    }
}
