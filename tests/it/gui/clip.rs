//! Clips in the window: recorded, listened to, sent, played. The engine's part needs a sound server.

use std::sync::Arc;

use egui::{Event, Modifiers, PointerButton};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use miyu::gui::sound::{self, Clip, Track, Wave};
use miyu::gui::talk::{Ask, Fault, Line, News, Outgoing, Staged, StagedBody};
use miyu::gui::words::Language;
use miyu::node::history::{Direction, Kind};

use super::conversation::talking;
use super::{Window, asked, peer, running, tell, text, words};

/// All that was asked for of clips since the last time.
fn wishes(window: &mut Harness<'_, Window>) -> Vec<sound::Ask> {
    let sound = |ask| if let Ask::Sound(ask) = ask { Some(ask) } else { None };
    asked(window).into_iter().filter_map(sound).collect()
}

fn told(window: &mut Harness<'_, Window>, news: sound::News) {
    tell(window, News::Sound(news));
}

fn wave(duration_ms: u64) -> Wave {
    Wave { bars: (0..sound::BARS).map(|n| (n * 3) as u8).collect(), duration_ms }
}

fn clip(gaps: bool, quiet: bool) -> Arc<Clip> {
    Arc::new(Clip { wav: vec![1, 2, 3], wave: wave(3_200), gaps, quiet })
}

fn click(window: &mut Harness<'_, Window>, label: &str) {
    window.get_by_label(label).click();
    window.run();
}

/// A window that has just been asked to record, with the ticket of that.
fn recording(language: Language) -> (Harness<'static, Window>, u64) {
    let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
    asked(&mut window);
    click(&mut window, &words(language).get("recorder-record"));
    let ticket = match wishes(&mut window).as_slice() {
        [sound::Ask::Record { ticket }] => *ticket,
        other => panic!("{} wishes", other.len()),
    };
    (window, ticket)
}

#[test]
fn a_click_records_another_ends_it_and_the_clip_is_heard_before_it_is_sent() {
    for language in Language::ALL {
        let words = words(language);
        let (mut window, ticket) = recording(language);
        window.get_by_label(&words.get("recorder-opening"));
        told(&mut window, sound::News::Level { ticket, level: 40, recorded_ms: 1_850 });
        let left = words.with("recorder-left", &[("seconds", "3.1".into()), ("name", "bob".into())]);
        window.get_by_label(&left);
        assert_eq!(window.get_by_label(&words.get("recorder-level")).accesskit_node().numeric_value(), Some(40.0));
        click(&mut window, &words.get("recorder-finish"));
        assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Finish]));
        window.get_by_label(&words.get("recorder-ending"));
        let clip = clip(true, true);
        told(&mut window, sound::News::Recorded { ticket, clip: Ok(clip.clone()) });
        assert!(window.query_by_label(&words.get("recorder-level")).is_none());
        window.get_by_label(&words.get("recorder-gaps"));
        window.get_by_label(&words.get("recorder-quiet"));

        click(&mut window, &words.with("clip-play", &[("length", "0:03".into())]));
        let wishes_now = wishes(&mut window);
        let [sound::Ask::Play { track, from_ms: 0, ticket }] = wishes_now.as_slice() else { panic!("no play") };
        assert!(*track == Track::Draft(clip));
        told(&mut window, sound::News::At { ticket: *ticket, seeks: 0, position_ms: 1_500 });
        window.get_by_label("0:01 / 0:03");
        assert!(asked(&mut window).is_empty(), "nothing is sent yet");

        click(&mut window, &words.get("composer-send"));
        let asks = asked(&mut window);
        let sends = |ask: &Ask| match ask {
            Ask::Send { what: Outgoing::Staged(staged, None), .. } => matches!(staged.body, StagedBody::Clip(_)),
            _ => false,
        };
        assert_eq!(asks.iter().filter(|ask| sends(ask)).count(), 1);
        let stops = |ask: &Ask| matches!(ask, Ask::Sound(sound::Ask::Stop));
        assert!(asks.iter().any(stops), "what has no button any more is not heard any more");
        assert!(window.query_by_label(&words.get("clip-place")).is_none());
    }
}

fn pointer(window: &Harness<'_, Window>, pos: egui::Pos2, pressed: bool) {
    window.event(Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE });
}

#[test]
fn a_button_that_is_held_records_until_it_is_let_go() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = talking(language, vec![text(1, Direction::In, "hi")], false);
        asked(&mut window);
        let at = window.get_by_label(&words.get("recorder-record")).rect().center();
        window.hover_at(at);
        pointer(&window, at, true);
        window.run();
        let ticket = match wishes(&mut window).as_slice() {
            [sound::Ask::Record { ticket }] => *ticket,
            other => panic!("{} wishes", other.len()),
        };
        // rows come above the button while it is held, and the pointer slips off it
        told(&mut window, sound::News::Level { ticket, level: 40, recorded_ms: 600 });
        window.hover_at(at + egui::vec2(60.0, -200.0));
        window.run_steps(4);
        assert!(wishes(&mut window).is_empty(), "it is still held");
        pointer(&window, at, false);
        window.run();
        assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Finish]));
    }
}

#[test]
fn the_keyboard_records_as_a_click_does() {
    let words = words(Language::English);
    let mut window = talking(Language::English, vec![text(1, Direction::In, "hi")], false);
    asked(&mut window);
    window.get_by_label(&words.get("recorder-record")).focus();
    window.run();
    window.key_press(egui::Key::Space);
    window.run();
    assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Record { .. }]));
    window.key_press(egui::Key::Space);
    window.run();
    assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Finish]));
}

#[test]
fn a_recording_is_cancelled_and_nothing_is_left_of_it() {
    for (language, by_key) in Language::ALL.into_iter().zip([true, false]) {
        let words = words(language);
        let (mut window, ticket) = recording(language);
        if by_key {
            window.key_press(egui::Key::Escape);
            window.run();
        } else {
            click(&mut window, &words.get("recorder-give-up"));
        }
        assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::GiveUp]));
        // one that ended in the same moment
        told(&mut window, sound::News::Recorded { ticket, clip: Ok(clip(false, false)) });
        assert!(window.query_by_label(&words.get("clip-place")).is_none());
        window.get_by_label(&words.get("recorder-record"));
    }
}

#[test]
fn a_clip_that_waits_is_left_out_again() {
    let words = words(Language::Chinese);
    let (mut window, ticket) = recording(Language::Chinese);
    told(&mut window, sound::News::Recorded { ticket, clip: Ok(clip(false, false)) });
    click(&mut window, &words.with("composer-remove", &[("name", "clip.wav".into())]));
    assert!(window.query_by_label(&words.get("clip-place")).is_none());
    click(&mut window, &words.get("composer-send"));
    assert!(!asked(&mut window).iter().any(|ask| matches!(ask, Ask::Send { .. })));
}

#[test]
fn what_befalls_the_microphone_is_told_with_its_mend() {
    for language in Language::ALL {
        let (mut window, ticket) = recording(language);
        let fault = Fault::new("the microphone is busy", Some("close the other program".into()));
        told(&mut window, sound::News::Recorded { ticket, clip: Err(fault) });
        window.get_by_label_contains("the microphone is busy");
        window.get_by_label_contains("close the other program");
        window.get_by_label(&words(language).get("recorder-record"));
    }
}

#[test]
fn the_clip_goes_to_whom_it_was_recorded_for() {
    let words = words(Language::English);
    let (bob, carol) = (peer(2, "bob"), peer(3, "carol"));
    let mut window = running(Language::English, &[bob.clone(), carol.clone()]);
    let open = |window: &mut Harness<'_, Window>, peer| {
        window.state_mut().shell.model.open(peer, &mut Vec::new());
        window.run();
    };
    open(&mut window, bob.id);
    asked(&mut window);
    click(&mut window, &words.get("recorder-record"));
    let [sound::Ask::Record { ticket }] = wishes(&mut window)[..] else { panic!("no recording") };
    open(&mut window, carol.id);
    told(&mut window, sound::News::Level { ticket, level: 1, recorded_ms: 1_000 });
    window.get_by_label(&words.with("recorder-left", &[("seconds", "4.0".into()), ("name", "bob".into())]));
    told(&mut window, sound::News::Recorded { ticket, clip: Ok(clip(false, false)) });
    assert!(window.query_by_label(&words.get("clip-place")).is_none());
    open(&mut window, bob.id);
    window.get_by_label(&words.get("clip-place"));
}

#[test]
fn a_draft_that_is_full_takes_no_recording() {
    let mut window = talking(Language::English, vec![text(1, Direction::In, "hi")], false);
    for n in 0..miyu::gui::model::draft::STAGED_MAX {
        let staged = Staged { name: format!("{n}"), bytes: 1, body: StagedBody::File("f".into()) };
        tell(&mut window, News::Staged { peer: peer(2, "bob").id, staged: Ok(Arc::new(staged)) });
    }
    asked(&mut window);
    click(&mut window, &words(Language::English).get("recorder-record"));
    assert!(wishes(&mut window).is_empty());
}

/// A window with a clip of bob's, and its wave form where there is one.
fn with_clip(language: Language, wave: Option<Result<Wave, Fault>>) -> (Harness<'static, Window>, Track) {
    let line = Line { kind: Kind::Clip, text: None, bytes: 160_044, ..text(1, Direction::In, "") };
    let (bob, target) = (peer(2, "bob").id, line.target);
    let mut window = talking(language, vec![line], false);
    let wishes = wishes(&mut window);
    let [sound::Ask::Wave { peer, target: of }] = wishes.as_slice() else { panic!("{} wishes", wishes.len()) };
    assert!((*peer, *of) == (bob, target));
    if let Some(wave) = wave {
        told(&mut window, sound::News::Wave { peer: bob, target, wave });
    }
    (window, Track::Message(bob, target))
}

#[test]
fn a_clip_is_played_paused_and_sought() {
    for language in Language::ALL {
        let words = words(language);
        let (mut window, clip) = with_clip(language, Some(Ok(wave(10_000))));
        let length = [("length", "0:10".into())];
        window.get_by_label("0:10");
        click(&mut window, &words.with("clip-play", &length));
        let [sound::Ask::Play { track, from_ms: 0, ticket }] = &wishes(&mut window)[..] else { panic!("no play") };
        assert!(*track == clip);
        told(&mut window, sound::News::At { ticket: *ticket, seeks: 0, position_ms: 2_000 });
        window.get_by_label("0:02 / 0:10");
        click(&mut window, &words.with("clip-pause", &length));
        assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Pause(true)]));
        click(&mut window, &words.with("clip-play", &length));
        assert!(matches!(wishes(&mut window).as_slice(), [sound::Ask::Pause(false)]));

        // by the pointer, to the middle
        click(&mut window, &words.get("clip-place"));
        let [sound::Ask::Seek { to_ms, seeks: 1 }] = wishes(&mut window)[..] else { panic!("no seek") };
        assert!((4_900..5_100).contains(&to_ms), "{to_ms}");
        // what was told before that is out of date
        told(&mut window, sound::News::At { ticket: *ticket, seeks: 0, position_ms: 2_100 });
        assert_eq!(
            window.get_by_label(&words.get("clip-place")).accesskit_node().numeric_value(),
            Some(to_ms as f64 / 1_000.0)
        );
        // by the keyboard
        let place = words.get("clip-place");
        window.get_by_label(&place).focus();
        window.run();
        window.run();
        window.key_press(egui::Key::ArrowRight);
        window.run();
        assert!(matches!(wishes(&mut window)[..], [sound::Ask::Seek { to_ms: to, seeks: 2 }] if to == to_ms + 500));
        assert!(window.get_by_label(&place).is_focused(), "the arrow does not move the focus");
        window.key_press(egui::Key::ArrowLeft);
        window.run();
        assert!(matches!(wishes(&mut window)[..], [sound::Ask::Seek { to_ms: to, seeks: 3 }] if to == to_ms));
        // by a screen reader
        window.get_by_label(&place).set_value_accesskit(99.0);
        window.run();
        assert!(matches!(wishes(&mut window)[..], [sound::Ask::Seek { to_ms: 10_000, seeks: 4 }]));

        told(&mut window, sound::News::Played { ticket: *ticket, fault: None });
        window.get_by_label("0:10");
        window.get_by_label(&words.with("clip-play", &length));
    }
}

#[test]
fn a_clip_is_dragged_through() {
    let words = words(Language::English);
    let (mut window, _) = with_clip(Language::English, Some(Ok(wave(10_000))));
    let rect = window.get_by_label(&words.get("clip-place")).rect();
    let at = |part: f32| rect.left_center() + egui::vec2(rect.width() * part, 0.0);
    window.hover_at(at(0.2));
    pointer(&window, at(0.2), true);
    window.hover_at(at(0.5));
    window.run();
    window.hover_at(at(0.9));
    window.run();
    pointer(&window, at(0.9), false);
    window.run();
    let wishes = wishes(&mut window);
    // it begins where it is taken hold of, and follows
    assert!(matches!(wishes[0], sound::Ask::Play { .. }));
    let Some(sound::Ask::Seek { to_ms, .. }) = wishes.last() else { panic!("{} wishes", wishes.len()) };
    assert!((8_900..9_100).contains(to_ms), "{to_ms}");
}

#[test]
fn a_place_that_is_chosen_before_is_where_it_begins() {
    let words = words(Language::English);
    let (mut window, _) = with_clip(Language::English, Some(Ok(wave(40_000))));
    window.get_by_label(&words.get("clip-place")).increment_accesskit();
    window.run();
    assert!(wishes(&mut window).is_empty(), "a step is no wish to hear it");
    window.get_by_label("0:02 / 0:40");
    click(&mut window, &words.with("clip-play", &[("length", "0:40".into())]));
    assert!(matches!(wishes(&mut window)[..], [sound::Ask::Play { from_ms: 2_000, .. }]));
    // the fault of what plays, with its mend
    let fault = Fault::new("the speaker is gone", Some("plug it in again".into()));
    let ticket = 1_000;
    told(&mut window, sound::News::Played { ticket, fault: Some(fault.clone()) });
    assert!(window.query_by_label_contains("the speaker is gone").is_none(), "that was another clip");
}

#[test]
fn what_befalls_the_speaker_is_told_with_its_mend() {
    for language in Language::ALL {
        let words = words(language);
        let (mut window, _) = with_clip(language, Some(Ok(wave(5_000))));
        let play = words.with("clip-play", &[("length", "0:05".into())]);
        click(&mut window, &play);
        let [sound::Ask::Play { ticket, .. }] = wishes(&mut window)[..] else { panic!("no play") };
        let fault = Fault::new("the speaker is gone", Some("plug it in again".into()));
        told(&mut window, sound::News::Played { ticket, fault: Some(fault) });
        window.get_by_label_contains("the speaker is gone");
        window.get_by_label_contains("plug it in again");
        window.get_by_label(&play);
    }
}

#[test]
fn a_clip_that_is_none_says_why_and_one_that_is_awaited_has_its_room() {
    let words = words(Language::Chinese);
    let (window, _) = with_clip(Language::Chinese, None);
    let before = window.get_by_label(&words.get("clip-place")).rect().height();
    let (window, _) = with_clip(Language::Chinese, Some(Ok(wave(5_000))));
    assert_eq!(window.get_by_label(&words.get("clip-place")).rect().height(), before);
    let fault = Fault::of(&miyu::media::clip::ClipError::NotFinite { index: 7 });
    let (mut window, _) = with_clip(Language::Chinese, Some(Err(fault)));
    window.get_by_label(&words.get("fault-clip-damaged"));
    window.run_steps(3);
    assert!(asked(&mut window).is_empty(), "it is not asked for again and again");
}

#[test]
fn recording_ends_what_plays_and_playing_ends_the_recording() {
    let words = words(Language::English);
    let (mut window, _) = with_clip(Language::English, Some(Ok(wave(5_000))));
    let play = words.with("clip-play", &[("length", "0:05".into())]);
    click(&mut window, &play);
    wishes(&mut window);
    click(&mut window, &words.get("recorder-record"));
    assert!(matches!(wishes(&mut window)[..], [sound::Ask::Stop, sound::Ask::Record { .. }]));
    click(&mut window, &play);
    assert!(matches!(wishes(&mut window)[..], [sound::Ask::Finish, sound::Ask::Play { .. }]));
}
