//! The desktop app, headless: catalogues, panels in both languages, the engine with real nodes.

mod access;
mod camera;
mod catalogue;
#[cfg(feature = "audio")]
mod clip;
mod conversation;
mod engine;
#[cfg(target_os = "linux")]
mod notify;
mod raster;
mod reading;
mod settings;
mod snapshots;
mod start;
mod trust;
#[cfg(all(feature = "audio", target_os = "linux"))]
mod voice;
mod writing;

use egui_kittest::Harness;
use jiff::tz::TimeZone;
use miyu::crypto::sm2::SecretKey;
use miyu::gui::app::Shell;
use miyu::gui::look;
use miyu::gui::model::time::Clock;
use miyu::gui::talk::{Ask, Line, Me, News, PeerRow, Stage};
use miyu::gui::words::{Language, Words};
use miyu::identity::{PeerId, key_line};
use miyu::node::history::{Direction, Kind, MessageId, State, Target};

/// 2023-11-15 08:00 in China.
const NOW_MS: i64 = 1_700_006_400_000;

/// A shell and all that it has asked for.
struct Window {
    shell: Shell,
    asks: Vec<Ask>,
}

/// A window of that language, without a GPU and without an engine.
fn window(language: Language) -> Harness<'static, Window> {
    let clock = Clock { now_ms: NOW_MS, zone: TimeZone::fixed(jiff::tz::offset(8)) };
    let window = Window { shell: Shell::new(language, clock), asks: Vec::new() };
    Harness::builder()
        .with_size([1000.0, 700.0])
        .with_max_steps(64)
        .renderer(raster::Raster::default())
        .with_context_setup(|ctx| {
            look::bundled_fonts(ctx);
            look::style(ctx);
        })
        .build_ui_state(|ui, window: &mut Window| window.shell.show(ui, &mut window.asks), window)
}

/// Tells the window something and lets it settle.
fn tell(window: &mut Harness<'_, Window>, news: News) {
    window.state_mut().shell.take(news);
    window.run();
}

/// All that was asked for since the last time.
fn asked(window: &mut Harness<'_, Window>) -> Vec<Ask> {
    std::mem::take(&mut window.state_mut().asks)
}

fn words(language: Language) -> Words {
    Words::new(language)
}

fn key(n: u8) -> miyu::crypto::sm2::PublicKey {
    let mut bytes = [0; 32];
    bytes[31] = n;
    SecretKey::from_bytes(&bytes).unwrap().public_key()
}

fn peer(n: u8, name: &str) -> PeerRow {
    PeerRow {
        id: PeerId::of(&key(n)),
        name: name.to_owned(),
        key_line: key_line(&key(n)),
        addresses: Vec::new(),
        may_chat: true,
        may_watch: false,
    }
}

/// A window that runs, with these peers.
fn running(language: Language, peers: &[PeerRow]) -> Harness<'static, Window> {
    let mut window = window(language);
    let me = Me {
        name: "alice".into(),
        key_line: key_line(&key(1)),
        fingerprint: "0000".into(),
        listen: "127.0.0.1:9999".into(),
        table: "peers.toml".into(),
        reached: vec!["192.168.1.12:9999".into()],
    };
    tell(&mut window, News::Stage(Stage::Running(me)));
    tell(&mut window, News::Peers(peers.to_vec()));
    // The keys of the peers are remembered; that is not what tests of panels are about.
    asked(&mut window);
    window
}

/// A text message.
fn text(n: u64, direction: Direction, text: &str) -> Line {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    let at_ms = NOW_MS - 3_600_000 + 1_000 * n as i64;
    Line {
        target: Target { direction, id: MessageId(id) },
        order_ms: at_ms,
        seq: n,
        kind: Kind::Text,
        sent_ms: at_ms,
        state: if direction == Direction::Out { State::Delivered } else { State::Received },
        text: Some(text.to_owned()),
        hidden: None,
        name: None,
        bytes: text.len() as u64,
        reason: None,
        reply: None,
        edited: false,
        reactions: Vec::new(),
        damaged: false,
    }
}
