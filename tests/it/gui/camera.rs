//! Cameras: the view and the list with pictures made by hand, and the engine with a real camera.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egui::{ColorImage, Key, Modifiers, ViewportCommand};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use miyu::config::{Allow, Peer};
use miyu::gui::model::camera::{Counts, Facts, Quality, Screen, Shot, Sight, Watch};
use miyu::gui::talk::{Ask, Fault, News, PeerRow, Presence};
use miyu::gui::words::Language;
use miyu::identity::{Identity, PeerId, key_line, parse_key_line};
use miyu::media::camera::{Settings, SourceSpec, read_back};
use miyu::media::jpeg::Rgb;
use miyu::node::CameraPlan;

use super::engine::{Desk, folder};
use super::{NOW_MS, Window, asked, peer, running, tell, words};
use crate::support::{ALL, Actor, CHAT, PATIENCE};

/// A window with these peers, who all have cameras.
fn with_cameras(language: Language, peers: &[PeerRow]) -> Harness<'static, Window> {
    let mut window = running(language, peers);
    peers.iter().for_each(|peer| here(&mut window, peer));
    window
}

fn here(window: &mut Harness<'_, Window>, peer: &PeerRow) {
    let presence = Presence::Here { address: "10.0.0.2:9999".into(), suite: "x".into(), camera: true };
    tell(window, News::Presence { peer: peer.id, presence });
}

/// What is watched now, by the last word on it.
fn watched(window: &mut Harness<'_, Window>) -> Vec<Watch> {
    let last = asked(window).into_iter().rev().find_map(|ask| match ask {
        Ask::Watch(watches) => Some(watches),
        _ => None,
    });
    last.expect("something else is watched")
}

fn how(watches: &[Watch]) -> Vec<(PeerId, Quality)> {
    let mut how: Vec<_> = watches.iter().map(|watch| (watch.peer, watch.quality)).collect();
    how.sort_by_key(|(peer, _)| *peer.as_bytes());
    how
}

fn both(one: (PeerId, Quality), other: (PeerId, Quality)) -> Vec<(PeerId, Quality)> {
    let mut both = vec![one, other];
    both.sort_by_key(|(peer, _)| *peer.as_bytes());
    both
}

fn shot(seq: u64) -> Shot {
    let now = Instant::now();
    let facts = Facts {
        seq,
        width: 1280,
        height: 720,
        encode_us: 3_000,
        latency_us: 12_000,
        error_us: 900,
        arrived: now,
        decoded: now + Duration::from_millis(4),
    };
    let image = Arc::new(ColorImage::filled([64, 36], egui::Color32::RED));
    Shot { facts, image, jpeg: Bytes::from(format!("picture {seq}")) }
}

const COUNTS: Counts = Counts { fps_milli: 29_970, received: 40, lost: 2, late: 1 };

/// The text of everything that is shown, for a part of it.
fn shows(window: &Harness<'_, Window>, part: &str) -> bool {
    window.query_all_by_label_contains(part).next().is_some()
}

#[test]
fn a_camera_in_the_list_is_watched_small_and_opens_the_view() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        assert!(asked(&mut window).is_empty(), "no camera is known yet");
        here(&mut window, &bob);
        assert_eq!(how(&watched(&mut window)), [(bob.id, Quality::Thumbnail)]);
        window.get_by_label(&words.with("camera-open", &[("name", "bob".into())])).click();
        window.run();
        let watches = watched(&mut window);
        assert_eq!(how(&watches), [(bob.id, Quality::Full)], "once, as large as it is drawn");
        let screen = &watches[0].screen;
        window.get_by_label(&words.get("camera-opening"));

        assert!(screen.put(shot(41), COUNTS));
        assert!(!screen.put(shot(42), COUNTS));
        window.run();
        window.get_by_label(&words.with("camera-frame", &[("seq", 42.into())]));
        assert!(!shows(&window, "41"), "the newest one is drawn, no other");
        window.get_by_label(&words.with("camera-picture", &[("name", "bob".into())]));
        for figure in ["1280 × 720", "30.0"] {
            assert!(shows(&window, figure), "{figure}");
        }
        let stages = |key: &'static str| words.with(key, &[("encoded", 3.into()), ("received", 9.into())]);
        let shown = stages("camera-latency");
        let encoded = shown.split('·').nth(1).unwrap();
        assert!(shows(&window, encoded.trim()), "{encoded}");
        assert!(asked(&mut window).is_empty(), "a picture changes nothing of what is watched");

        // back to the conversation, and the small one again
        window.get_by_label(&words.get("camera-back")).click();
        window.run();
        assert_eq!(how(&watched(&mut window)), [(bob.id, Quality::Thumbnail)]);
        assert!(!shows(&window, &words.get("camera-back")));
    }
}

#[test]
fn a_lost_camera_says_since_when_and_why_and_how_to_mend_it() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = with_cameras(language, std::slice::from_ref(&bob));
        window.key_press_modifiers(Modifiers::COMMAND, Key::D);
        window.run();
        let screen = watched(&mut window).remove(0).screen;
        screen.put(shot(7), COUNTS);
        window.run();
        screen.lose(NOW_MS - 60_000, None);
        window.run();
        window.get_by_label(&words.with("camera-silent", &[("time", "07:59:00".into())]));
        let why = Fault::new("the cable was pulled", Some("put it in again".into()));
        screen.lose(NOW_MS - 61_000, Some(why));
        window.run();
        let lost = words.with("camera-lost", &[("time", "07:58:59".into()), ("why", "the cable was pulled".into())]);
        window.get_by_label(&lost);
        window.get_by_label("put it in again");
        assert!(asked(&mut window).is_empty(), "it is watched all the while");
        // the peer goes and comes: its tile stays, and the next picture ends it
        tell(&mut window, News::Presence { peer: bob.id, presence: Presence::Away(None) });
        window.get_by_label(&lost);
        screen.put(shot(1), COUNTS);
        window.run();
        assert!(!shows(&window, "07:58:59"));
        window.get_by_label(&words.with("camera-frame", &[("seq", 1.into())]));
    }
}

#[test]
fn pause_stops_the_watch_and_keeps_the_picture() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = with_cameras(language, std::slice::from_ref(&bob));
        window.key_press_modifiers(Modifiers::COMMAND, Key::D);
        window.run();
        let before = watched(&mut window).remove(0).screen;
        before.put(shot(5), COUNTS);
        window.run();
        window.get_by_label(&words.get("camera-pause")).click();
        window.run();
        assert!(watched(&mut window).is_empty(), "not even small in the list");
        // one that was on its way
        before.put(shot(6), COUNTS);
        window.run();
        window.get_by_label(&words.with("camera-frame", &[("seq", 5.into())]));
        window.get_by_label(&words.get("camera-paused"));
        window.get_by_label(&words.get("camera-resume")).click();
        window.run();
        let watches = watched(&mut window);
        assert!(!Arc::ptr_eq(&watches[0].screen, &before), "what came for the pause is not drawn after it");
        watches[0].screen.put(shot(70), COUNTS);
        window.run();
        window.get_by_label(&words.with("camera-frame", &[("seq", 70.into())]));
    }
}

#[test]
fn the_picture_that_is_shown_can_be_kept() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = with_cameras(language, std::slice::from_ref(&bob));
        window.key_press_modifiers(Modifiers::COMMAND, Key::D);
        window.run();
        let keep = words.get("camera-snapshot");
        let screen = watched(&mut window).remove(0).screen;
        window.get_by_label(&keep).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "there is no picture yet");
        screen.put(shot(8), COUNTS);
        window.run();
        screen.put(shot(9), COUNTS);
        window.get_by_label(&keep).click();
        window.run();
        // The click and the next picture meet in one frame: it is the picture that was seen, or the one that is.
        let asks = asked(&mut window);
        let [Ask::Snapshot { name, stamp, jpeg }] = asks.as_slice() else { panic!("no snapshot") };
        assert_eq!((name.as_str(), stamp.as_str()), ("bob", "20231115-080000"));
        assert_eq!(jpeg.as_ref(), b"picture 9");
    }
}

#[test]
fn one_camera_can_have_the_whole_screen() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = with_cameras(language, std::slice::from_ref(&bob));
        let full = |window: &Harness<'_, Window>, on: bool| {
            let commands = &window.output().viewport_output[&egui::ViewportId::ROOT].commands;
            commands.contains(&ViewportCommand::Fullscreen(on))
        };
        window.key_press_modifiers(Modifiers::COMMAND, Key::D);
        window.run();
        let list = words.get("peers-title");
        for leaves in [Key::Escape, Key::F11] {
            // one frame for one event: the next frame has commands of its own
            window.key_down(Key::F11);
            window.run_steps(1);
            assert!(full(&window, true));
            window.key_up(Key::F11);
            window.run();
            assert!(!shows(&window, &list), "nothing but the camera");
            window.get_by_label(&words.get("camera-leave-full"));
            window.key_down(leaves);
            window.run_steps(1);
            assert!(full(&window, false));
            window.key_up(leaves);
            window.run();
            assert!(shows(&window, &list) && shows(&window, &words.get("camera-title")));
        }
        window.get_by_label(&words.get("camera-full")).click();
        window.run();
        assert!(!shows(&window, &list));
        // what was saved is told there too
        tell(&mut window, News::Saved("bob.jpg".into()));
        window.get_by_label(&words.with("notice-saved", &[("path", "bob.jpg".into())]));
        window.get_by_label(&words.get("camera-leave-full")).click();
        window.run();
        assert!(shows(&window, &list));
    }
}

#[test]
fn several_cameras_are_chosen_by_their_boxes_and_watched_as_they_are_drawn() {
    for language in Language::ALL {
        let words = words(language);
        let (bob, carol) = (peer(2, "bob"), peer(3, "小雨"));
        let mut window = with_cameras(language, &[bob.clone(), carol.clone()]);
        let thumbnails = both((bob.id, Quality::Thumbnail), (carol.id, Quality::Thumbnail));
        assert_eq!(how(&watched(&mut window)), thumbnails);
        window.key_press_modifiers(Modifiers::COMMAND, Key::D);
        window.run();
        assert_eq!(how(&watched(&mut window)), both((bob.id, Quality::Half), (carol.id, Quality::Half)));
        for name in ["bob", "小雨"] {
            window.get_by_label(&words.with("camera-picture", &[("name", name.into())]));
        }
        window.get_by_role_and_label(egui::Role::CheckBox, "bob").click();
        window.run();
        let watches = watched(&mut window);
        assert_eq!(how(&watches), both((bob.id, Quality::Thumbnail), (carol.id, Quality::Full)));
        // a camera that comes is shown where all are
        window.get_by_label(&words.get("camera-all")).click();
        window.run();
        assert_eq!(how(&watched(&mut window)), both((bob.id, Quality::Half), (carol.id, Quality::Half)));
        // a conversation that is chosen is shown, the one that is open too
        window.get_by_label_contains("bob, ").click();
        window.run();
        assert_eq!(how(&watched(&mut window)), thumbnails);
    }
}

#[test]
fn a_window_that_nobody_sees_watches_nothing() {
    let bob = peer(2, "bob");
    let mut window = with_cameras(Language::English, std::slice::from_ref(&bob));
    let before = watched(&mut window);
    let Window { shell, asks } = window.state_mut();
    shell.hidden(asks);
    assert!(watched(&mut window).is_empty());
    let Window { shell, asks } = window.state_mut();
    shell.hidden(asks);
    assert!(asked(&mut window).is_empty(), "once");
    window.run();
    assert_eq!(watched(&mut window), before);
}

/// A desk and bob, who may publish a camera.
struct Scene {
    desk: Desk,
    bob: Actor,
    id: PeerId,
    saved: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new(bob_allows: Allow) -> Self {
        let (own, table, address) = folder("alice");
        let mut desk = Desk::start(&table, &table.with_file_name("data"));
        desk.until("the question for an identity", |news| matches!(news, News::Stage(_)).then_some(()));
        desk.ask(Ask::MakeIdentity { name: String::new(), passphrase: None, listen: None });
        let key = parse_key_line(&desk.me().key_line).unwrap();
        let address = address.parse::<std::net::SocketAddr>().unwrap();
        let addresses = vec![miyu::config::Address { host: address.ip().to_string(), port: address.port() }];
        let alice = Peer { name: "alice".into(), id: PeerId::of(&key), key, addresses, allow: bob_allows };
        let identity = Identity::generate();
        let id = PeerId::of(identity.public());
        let mut bob = Actor::new(&identity, vec![alice]);
        let address = bob.start().await;
        desk.ask(Ask::Table(vec![miyu::config::edit::Change::Add(miyu::config::edit::Entry {
            name: "bob".into(),
            key: key_line(identity.public()),
            addresses: vec![address.to_string()],
            allow: Allow::default(),
        })]));
        desk.until("bob", |news| matches!(news, News::Peers(rows) if rows.len() == 1).then_some(()));
        Self { desk, bob, id, saved: table.with_file_name("saved"), _folder: own }
    }

    async fn film(&self, source: SourceSpec) {
        let settings = Settings { size: Some((320, 240)), fps: 30.0, quality: 80, ..Settings::default() };
        self.bob.node().publish(CameraPlan { source, bandwidth_bits: None, settings }).await;
    }

    fn watch(&self, quality: Quality) -> Arc<Screen> {
        let screen = Arc::<Screen>::default();
        let watch = Watch { peer: self.id, quality, side_max: 4_096, screen: screen.clone() };
        self.desk.ask(Ask::Watch(vec![watch]));
        screen
    }

    /// What `wanted` makes of the screen, looked at whenever the window would be woken.
    #[track_caller]
    fn see<T>(&mut self, what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
        loop {
            while self.desk.engine.poll().is_some() {}
            if let Some(found) = wanted() {
                return found;
            }
            self.desk.woken.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("waited for {what}"));
        }
    }

    #[track_caller]
    fn lost(&mut self, screen: &Screen, why: &str) -> (i64, Fault) {
        // Two peers that dial each other at once give one of the links up: that may be told before.
        self.see("the loss", || match screen.state().0 {
            Sight::Lost { since_ms, fault: Some(fault) } if fault.error.contains(why) => Some((since_ms, fault)),
            Sight::Lost { .. } | Sight::Opening | Sight::Live => None,
        })
    }
}

/// The number that the test pattern has in its pixels.
fn number(shot: &Shot) -> u64 {
    let [width, height] = shot.image.size.map(|side| u32::try_from(side).unwrap());
    let data = shot.image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    read_back(&Rgb::new(width, height, data).unwrap()).expect("the number is readable").frame
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_published_later_is_in_the_list() {
    let mut scene = Scene::new(ALL).await;
    let id = scene.id;
    let camera = |desk: &mut Desk, wanted: bool| {
        desk.until("the presence", |news| match news {
            News::Presence { peer, presence: Presence::Here { camera, .. } } => {
                (peer == id && camera == wanted).then_some(())
            }
            _ => None,
        });
    };
    camera(&mut scene.desk, false);
    scene.film(SourceSpec::Test).await;
    camera(&mut scene.desk, true);
    scene.desk.engine.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_one_after_another_and_a_slow_window_gets_the_newest() {
    let mut scene = Scene::new(ALL).await;
    scene.film(SourceSpec::Test).await;
    let screen = scene.watch(Quality::Full);
    let mut before = None;
    for _ in 0..10 {
        let shot = scene.see("a picture", || screen.take());
        assert_eq!(number(&shot), shot.facts.seq, "the pixels are those of the picture that they are said to be");
        assert!(before < Some(shot.facts.seq), "never backwards");
        assert_eq!((shot.facts.width, shot.facts.height), (320, 240));
        assert!(shot.facts.decoded >= shot.facts.arrived);
        before = Some(shot.facts.seq);
    }
    // Nobody draws while fifty more come.
    let first = screen.state().1.received;
    while screen.state().1.received < first + 50 {
        tokio::task::yield_now().await;
    }
    let counts = screen.state().1;
    let shot = screen.take().unwrap();
    // As many as may be on their way between the count and the screen.
    assert!(shot.facts.seq + 8 >= before.unwrap() + 50, "{} after {before:?}", shot.facts.seq);
    assert!(counts.fps_milli > 5_000, "{counts:?}");
    drop(shot);

    // The small one of the list is another stream.
    let small = scene.watch(Quality::Thumbnail);
    let shot = scene.see("a small picture", || small.take());
    assert_eq!(shot.image.size, [80, 60]);
    assert_eq!(Arc::strong_count(&screen), 1, "the other one is watched no more");

    // Nothing holds a screen that is not watched, so nothing is decoded for it.
    scene.desk.ask(Ask::Watch(Vec::new()));
    while Arc::strong_count(&small) > 1 {
        tokio::task::yield_now().await;
    }
    scene.desk.engine.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_camera_is_told_of_and_comes_back_by_itself() {
    let mut scene = Scene::new(ALL).await;
    let begun = jiff::Timestamp::now().as_millisecond();
    // a device that is not there: there is a camera, and no picture
    scene.film(SourceSpec::V4l2("/dev/no-such-camera".into())).await;
    let screen = scene.watch(Quality::Full);
    let (since, _) = scene.lost(&screen, "/dev/no-such-camera");
    assert!((begun - 1_000..=jiff::Timestamp::now().as_millisecond()).contains(&since));
    scene.film(SourceSpec::Test).await;
    scene.see("the first picture", || screen.take());
    assert_eq!(screen.state().0, Sight::Live);

    // the whole peer goes, and comes again at its address
    scene.bob.stop().await;
    let gone = scene.lost(&screen, "").0;
    assert!(gone > since);
    // what was decoded before is of no use
    screen.take();
    scene.bob.start().await;
    scene.film(SourceSpec::Test).await;
    let shot = scene.see("a picture after the restart", || screen.take());
    assert_eq!(number(&shot), shot.facts.seq);
    assert_eq!(screen.state().0, Sight::Live);
    scene.desk.engine.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_not_for_us_says_so_with_the_mend() {
    let mut scene = Scene::new(CHAT).await;
    scene.film(SourceSpec::Test).await;
    let screen = scene.watch(Quality::Thumbnail);
    let (_, fault) = scene.lost(&screen, "refused");
    assert!(fault.hint.unwrap().contains("camera"));
    scene.desk.engine.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_picture_is_the_frame_as_it_came() {
    let mut scene = Scene::new(ALL).await;
    scene.film(SourceSpec::Test).await;
    let screen = scene.watch(Quality::Full);
    let shot = scene.see("a picture", || screen.take());
    let keep = || Ask::Snapshot { name: "bob".into(), stamp: "20231115-080000".into(), jpeg: shot.jpeg.clone() };
    for name in ["bob-20231115-080000.jpg", "bob-20231115-080000-2.jpg"] {
        scene.desk.ask(keep());
        let path = scene.desk.until("the file", |news| if let News::Saved(path) = news { Some(path) } else { None });
        assert_eq!(path, scene.saved.join(name));
        assert_eq!(std::fs::read(&path).unwrap(), shot.jpeg);
    }
    let picture = miyu::media::jpeg::decode(&shot.jpeg).unwrap();
    assert_eq!(read_back(&picture).unwrap().frame, shot.facts.seq);
    scene.desk.engine.stop();
}
