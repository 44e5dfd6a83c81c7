//! Pictures of the main panels, compared with those in `tests/snapshots`. `UPDATE_SNAPSHOTS=1` makes them anew.

use egui_kittest::SnapshotResults;
use miyu::gui::model::settings::{Settings, Theme};
use miyu::gui::talk::{Line, News, Presence, Stage, Summary};
use miyu::gui::words::Language;
use miyu::node::history::{Direction, Kind, Place, Reaction, State};

use super::{NOW_MS, peer, running, tell, text, window};

/// A conversation with a bit of everything.
fn lines() -> Vec<Line> {
    let mut old = text(0, Direction::In, "上周见？See you next week?");
    (old.sent_ms, old.order_ms) = (NOW_MS - 10 * 24 * 3_600_000, 1);
    let mut read = text(2, Direction::Out, "好的！\nBring the camera, please.");
    (read.state, read.reactions) = (State::Read, vec![Reaction { direction: Direction::In, text: "👍".into() }]);
    let answer = Line {
        reply: Some((read.target, Some("好的！ Bring the camera, please.".into()))),
        edited: true,
        ..text(3, Direction::In, "带上了。")
    };
    let file = Line {
        kind: Kind::File,
        text: None,
        name: Some("地图.pdf".into()),
        bytes: 1_234_567,
        ..text(4, Direction::In, "")
    };
    let gone = Line { kind: Kind::Deletion, text: None, ..text(5, Direction::In, "") };
    let mut failed = text(6, Direction::Out, "Did you get the map?");
    (failed.state, failed.reason) = (State::Failed, Some("not allowed".into()));
    let waits = Line { state: State::Queued, ..text(7, Direction::Out, "在吗？") };
    vec![old, text(1, Direction::In, "你好，世界"), read, answer, file, gone, failed, waits]
}

#[test]
fn the_main_panels_look_as_they_did() {
    let mut results = SnapshotResults::new();
    for (language, theme) in [(Language::English, Theme::Dark), (Language::Chinese, Theme::Light)] {
        let name = |panel: &str| format!("{panel}-{}", language.tag());
        let settings = News::Settings(Settings { language: Some(language), theme, ..Settings::default() });

        let mut start = window(language);
        tell(&mut start, settings);
        tell(&mut start, News::Stage(Stage::NoIdentity { table: "peers.toml".into(), only_key: false, fault: None }));
        start.snapshot(name("start"));
        results.extend_harness(&mut start);

        let (bob, carol) = (peer(2, "bob"), peer(3, "小雨"));
        let mut talk = running(language, &[bob.clone(), carol.clone()]);
        let settings = Settings { language: Some(language), theme, ..Settings::default() };
        tell(&mut talk, News::Settings(settings));
        let presence =
            Presence::Here { address: "10.0.0.2:9999".into(), suite: "TLS_SM4_GCM_SM3".into(), camera: true };
        tell(&mut talk, News::Presence { peer: carol.id, presence });
        tell(&mut talk, News::RoundTrip { peer: carol.id, rtt: std::time::Duration::from_millis(3) });
        let last = lines().pop();
        tell(&mut talk, News::Summaries(vec![Summary { peer: carol.id, unread: 2, last }]));
        let mut asks = Vec::new();
        talk.state_mut().shell.model.open(carol.id, &mut asks);
        tell(&mut talk, News::Page { peer: carol.id, place: Place::Newest, lines: lines(), more: false });
        talk.snapshot(name("conversation"));
        results.extend_harness(&mut talk);
    }
}
