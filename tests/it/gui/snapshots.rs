//! Pictures of the panels, compared with those in `tests/snapshots`. `UPDATE_SNAPSHOTS=1` makes them anew.

use std::sync::Arc;
use std::time::Duration;

use egui::{Color32, ColorImage};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, SnapshotResults};
use miyu::gui::model::settings::{Settings, Theme};
use miyu::gui::talk::{Ask, Fault, Line, News, PeerRow, Presence, Stage, Staged, StagedBody, Summary};
use miyu::gui::words::Language;
use miyu::node::history::{Direction, Kind, Place, Reaction, State};

use super::{NOW_MS, Window, asked, peer, running, tell, text, window, words};

/// Each language in a theme of its own.
const LOOKS: [(Language, Theme); 2] = [(Language::English, Theme::Dark), (Language::Chinese, Theme::Light)];

/// A conversation with a bit of everything.
fn lines() -> Vec<Line> {
    let mut old = text(0, Direction::In, "上周见？See you next week?");
    (old.sent_ms, old.order_ms) = (NOW_MS - 10 * 24 * 3_600_000, 1);
    let mut read = text(2, Direction::Out, "好的！\nBring the camera, please.");
    (read.state, read.reactions) = (State::Read, vec![Reaction { direction: Direction::In, text: "👍".into() }]);
    let answer = Line {
        reply: Some((read.target, Some("好的！ Bring the camera, please.".into()))),
        edited: true,
        ..text(3, Direction::In, "带上了。地点在 https://example.org/map?q=湖边")
    };
    let file = Line {
        kind: Kind::File,
        text: None,
        name: Some("地图.pdf".into()),
        bytes: 1_234_567,
        ..text(4, Direction::In, "")
    };
    let picture = Line {
        kind: Kind::Picture,
        text: None,
        name: Some("lake.jpg".into()),
        hidden: Some("老地方见".into()),
        ..text(5, Direction::Out, "")
    };
    let gone = Line { kind: Kind::Deletion, text: None, ..text(6, Direction::In, "") };
    let mut failed = text(7, Direction::Out, "Did you get the map?");
    (failed.state, failed.reason) = (State::Failed, Some("not allowed".into()));
    let waits = Line { state: State::Queued, ..text(8, Direction::Out, "在吗？") };
    vec![old, text(1, Direction::In, "你好，世界"), read, answer, file, picture, gone, failed, waits]
}

/// Hills below a sky.
fn lake() -> Arc<ColorImage> {
    let mut image = ColorImage::filled([240, 160], Color32::from_rgb(142, 190, 222));
    for x in 0..240 {
        let hill = 70.0 + 22.0 * (x as f32 / 34.0).sin() + 9.0 * (x as f32 / 11.0).cos();
        for y in hill as usize..160 {
            image[(x, y)] = if y > 118 { Color32::from_rgb(58, 104, 138) } else { Color32::from_rgb(72, 116, 82) };
        }
    }
    Arc::new(image)
}

fn people() -> Vec<PeerRow> {
    let names = ["小雨", "bob", "Hallway camera", "An old friend with a rather long name", "王大明"];
    names.iter().zip(2..).map(|(name, n)| peer(n, name)).collect()
}

/// A window with people, one of whom is talked with.
fn talk(language: Language, settings: Settings) -> Harness<'static, Window> {
    let people = people();
    let mut talk = running(language, &people);
    tell(&mut talk, News::Settings(Settings { language: Some(language), ..settings }));
    let here = |camera| Presence::Here { address: "10.0.0.2:9999".into(), suite: "TLS_SM4_GCM_SM3".into(), camera };
    tell(&mut talk, News::Presence { peer: people[0].id, presence: here(false) });
    tell(&mut talk, News::RoundTrip { peer: people[0].id, rtt: Duration::from_millis(3) });
    tell(&mut talk, News::Presence { peer: people[2].id, presence: here(true) });
    let last = |n, said: &str| Some(text(n, Direction::In, said));
    let summaries = vec![
        Summary { peer: people[0].id, unread: 0, last: lines().pop() },
        Summary {
            peer: people[1].id,
            unread: 12,
            last: last(1, "I have put the new firmware on both of the machines"),
        },
        Summary { peer: people[3].id, unread: 0, last: last(0, "ok") },
    ];
    tell(&mut talk, News::Summaries(summaries));
    talk.state_mut().shell.model.open(people[0].id, &mut Vec::new());
    talk.run();
    tell(&mut talk, News::Page { peer: people[0].id, place: Place::Newest, lines: lines(), more: false });
    let target = lines()[5].target;
    tell(&mut talk, News::Picture { peer: people[0].id, target, picture: Ok(lake()) });
    talk.run_steps(4);
    talk
}

fn theme(theme: Theme) -> Settings {
    Settings { theme, ..Settings::default() }
}

#[test]
fn the_first_pages_look_as_they_did() {
    let mut results = SnapshotResults::new();
    for (language, look) in LOOKS {
        let name = |panel: &str| format!("{panel}-{}", language.tag());
        let mut start = window(language);
        start.set_size(egui::vec2(760.0, 520.0));
        tell(&mut start, News::Settings(Settings { language: Some(language), ..theme(look) }));
        tell(&mut start, News::Stage(Stage::NoIdentity { table: "peers.toml".into(), only_key: false, fault: None }));
        start.snapshot(name("start"));
        let fault = Some(Fault::new("wrong passphrase", None));
        tell(&mut start, News::Stage(Stage::Locked { key: "miyu.key".into(), fault }));
        start.snapshot(name("locked"));
        results.extend_harness(&mut start);
        let mut welcome = running(language, &[]);
        tell(&mut welcome, News::Settings(Settings { language: Some(language), ..theme(look) }));
        welcome.snapshot(name("welcome"));
        results.extend_harness(&mut welcome);
    }
}

#[test]
fn a_conversation_looks_as_it_did() {
    let mut results = SnapshotResults::new();
    for (language, look) in LOOKS {
        let mut talk = talk(language, theme(look));
        talk.snapshot(format!("conversation-{}", language.tag()));
        results.extend_harness(&mut talk);
    }
    let small = Settings { text_size: 0, ..theme(Theme::Light) };
    let large = Settings { text_size: 3, ..theme(Theme::Dark) };
    for (name, language, settings) in
        [("conversation-small", Language::English, small), ("conversation-large", Language::Chinese, large)]
    {
        let mut talk = talk(language, settings);
        talk.run_steps(4);
        talk.snapshot(name);
        results.extend_harness(&mut talk);
    }
    let mut narrow = talk(Language::English, theme(Theme::Light));
    narrow.set_size(egui::vec2(520.0, 600.0));
    narrow.run_steps(6);
    narrow.snapshot("conversation-narrow");
    results.extend_harness(&mut narrow);
}

#[test]
fn the_composer_looks_as_it_did() {
    let mut results = SnapshotResults::new();
    for (language, look) in LOOKS {
        let words = words(language);
        let mut talk = talk(language, theme(look));
        let peer = people()[0].id;
        let body = StagedBody::Picture { file: vec![1], preview: lake(), capacity: 40 };
        let picture = Staged { name: "lake.jpg".into(), bytes: 81_920, body };
        tell(&mut talk, News::Staged { peer, staged: Ok(Arc::new(picture)) });
        let file =
            Staged { name: "a-file-with-a-long-name.zip".into(), bytes: 5 << 20, body: StagedBody::File("x".into()) };
        tell(&mut talk, News::Staged { peer, staged: Ok(Arc::new(file)) });
        let draft = talk.state_mut().shell.model.draft(&peer);
        draft.hide = Some("藏在图片里的文字太长了一点点点点".into());
        draft.text = "One line\n第二行\nand a third".into();
        draft.reply_to = Some(lines()[1].target);
        talk.run_steps(6);
        talk.get_by_label(&words.get("composer-hidden"));
        talk.snapshot(format!("composer-{}", language.tag()));
        results.extend_harness(&mut talk);
    }
}

#[test]
fn the_dialogs_look_as_they_did() {
    let mut results = SnapshotResults::new();
    for (language, look) in LOOKS {
        let words = words(language);
        let name = |panel: &str| format!("{panel}-{}", language.tag());
        for (panel, key) in
            [("settings", "settings-title"), ("add", "peers-add"), ("help", "help-title"), ("peer", "head-about")]
        {
            let mut talk = talk(language, theme(look));
            talk.get_by_label(&words.get(key)).click();
            talk.run();
            let peer = people()[0].id;
            let number = "01234 56789 ".repeat(6).trim().to_owned();
            tell(&mut talk, News::SafetyNumber { peer, number });
            talk.snapshot(name(panel));
            results.extend_harness(&mut talk);
        }
        let mut search = talk(language, theme(look));
        asked(&mut search);
        search.get_by_label(&words.get("peers-search")).focus();
        search.run();
        search.get_by_label(&words.get("peers-search")).type_text("地图");
        search.run();
        let ticket = asked(&mut search).into_iter().find_map(|ask| match ask {
            Ask::Search { ticket, .. } => Some(ticket),
            _ => None,
        });
        let found = vec![
            (people()[0].id, text(3, Direction::In, "别忘了把上次那张地图带来")),
            (people()[1].id, text(9, Direction::Out, "地图在 U 盘里")),
        ];
        tell(&mut search, News::Found { ticket: ticket.unwrap(), lines: found });
        search.snapshot(name("search"));
        results.extend_harness(&mut search);
    }
}
