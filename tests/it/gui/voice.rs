//! Clips through a real sound server, by the app's engine: a microphone that is the monitor of a sink, a speaker that is
//! listened to. Without PulseAudio it is skipped, and says so.
//!
//! The sound libraries find their server by the environment, which a test must not change for others: the engines run in
//! a process of their own, which is this test again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miyu::gui::sound::{Ask as Wish, Clip, News as Told, Track, Wave};
use miyu::gui::talk::{Ask, Fault, News, Outgoing, Staged, StagedBody};
use miyu::media::clip;
use miyu::node::history::{Direction, Kind, Target};

use super::engine::{Desk, acquainted, folder};
use crate::sound::server::Server;
use crate::sound::signal::{fit, floats, speech};

/// Where the inner process puts what it has recorded.
const FOLDER: &str = "MIYU_TEST_VOICE";
/// What the test is called for the inner process.
const NAME: &str = "gui::voice::what_is_spoken_is_recorded_sent_and_played_by_the_app";
/// Of what is spoken: more than all recordings and all that comes before them on a slow machine.
const SPEECH_SECONDS: usize = 40;

#[test]
fn what_is_spoken_is_recorded_sent_and_played_by_the_app() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return talk(Path::new(&folder));
    }
    let Some(server) = Server::start(&["room", "speaker"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let spoken = speech(SPEECH_SECONDS, 21);
    let _speaking = server.play("room", &spoken);
    let captured = folder.path().join("captured.raw");
    let capture = server.capture("speaker", &captured);
    let mut inner = server.command(std::env::current_exe().unwrap().to_str().unwrap());
    inner.args([NAME, "--exact", "--nocapture"]).env(FOLDER, folder.path());
    let output = inner.stderr(std::process::Stdio::piped()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    // what was heard last is on its way to the file
    let bytes = std::fs::metadata(&captured).unwrap().len();
    server.until("the end of the capture", |_| std::fs::metadata(&captured).unwrap().len() > bytes + 16_000);
    drop(capture);

    let (_, recorded) = clip::decode(&std::fs::read(folder.path().join("clip.wav")).expect(&said)).unwrap();
    let found = fit(&floats(&spoken), &recorded);
    assert!(found.correlation > 0.97, "{found:?}");
    let raw = std::fs::read(&captured).unwrap();
    let heard: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let found = fit(&floats(&heard), &recorded);
    assert!(found.correlation > 0.97, "{found:?}");
}

fn wish(desk: &Desk, wish: Wish) {
    desk.ask(Ask::Sound(wish));
}

fn sound<T>(desk: &mut Desk, what: &str, mut wanted: impl FnMut(Told) -> Option<T>) -> T {
    desk.until(what, |news| if let News::Sound(told) = news { wanted(told) } else { None })
}

/// The clip of this ticket; one of another is one too many.
fn recorded(desk: &mut Desk, wanted: u64) -> Result<Arc<Clip>, Fault> {
    sound(desk, "the clip", |told| match told {
        Told::Recorded { ticket, clip } => {
            assert_eq!(ticket, wanted);
            Some(clip)
        }
        _ => None,
    })
}

/// Waits until so much is recorded.
fn level(desk: &mut Desk, wanted: u64, from_ms: u64) -> u8 {
    sound(desk, "the level", |told| match told {
        Told::Level { ticket, level, recorded_ms } if ticket == wanted && recorded_ms >= from_ms && level > 0 => {
            Some(level)
        }
        _ => None,
    })
}

/// The part of the test with the sound server as its own.
fn talk(into: &Path) {
    let (_a, table_a, at_a) = folder("alice");
    let (_b, table_b, at_b) = folder("bob");
    let with = |table: &PathBuf, section: &str| {
        let text = std::fs::read_to_string(table).unwrap();
        std::fs::write(table, format!("{text}\n[sound]\n{section}\n")).unwrap();
    };
    with(&table_b, "input = \"cellar\"\noutput = \"speaker\"");
    let [(mut alice, id_a), (mut bob, id_b)] = acquainted(&table_a, &at_a, &table_b, &at_b);

    // as long as it may be, then ended sooner, then given up
    wish(&alice, Wish::Record { ticket: 1 });
    level(&mut alice, 1, 1_000);
    let clip = recorded(&mut alice, 1).unwrap();
    assert_eq!((clip.wave.duration_ms, clip.quiet), (5_000, false));
    assert!(clip.wave == Wave::of(&clip.wav).unwrap() && clip.wave.bars.contains(&255));
    wish(&alice, Wish::Record { ticket: 2 });
    level(&mut alice, 2, 300);
    wish(&alice, Wish::Finish);
    let short = recorded(&mut alice, 2).unwrap().wave.duration_ms;
    assert!((300..5_000).contains(&short), "{short}");
    wish(&alice, Wish::Record { ticket: 3 });
    level(&mut alice, 3, 100);
    wish(&alice, Wish::GiveUp);
    wish(&alice, Wish::Record { ticket: 4 });
    level(&mut alice, 4, 1);
    wish(&alice, Wish::Finish);
    recorded(&mut alice, 4).unwrap();
    // bob's table names a microphone that is not there
    wish(&bob, Wish::Record { ticket: 5 });
    let fault = recorded(&mut bob, 5).unwrap_err();
    assert!(fault.error.contains("cellar") && fault.hint.is_some(), "{fault:?}");

    std::fs::write(into.join("clip.wav"), &clip.wav).unwrap();
    let wave = clip.wave.clone();
    let staged = Staged { name: "clip.wav".into(), bytes: clip.wav.len() as u64, body: StagedBody::Clip(clip.clone()) };
    let what = Outgoing::Staged(Arc::new(staged), None);
    alice.ask(Ask::Send { peer: id_b, what, reply_to: None, ticket: 6 });
    let line = bob.until("the clip", |news| match news {
        News::Lines { lines, .. } => lines.into_iter().find(|line| line.kind == Kind::Clip),
        _ => None,
    });
    wish(&bob, Wish::Wave { peer: id_a, target: line.target });
    let drawn =
        sound(&mut bob, "the wave form", |told| if let Told::Wave { wave, .. } = told { Some(wave) } else { None });
    assert!(drawn.unwrap() == wave);
    let nowhere = Target { direction: Direction::Out, ..line.target };
    wish(&bob, Wish::Wave { peer: id_a, target: nowhere });
    let none =
        sound(&mut bob, "no wave form", |told| if let Told::Wave { wave, .. } = told { Some(wave) } else { None });
    assert!(none.is_err());

    plays(&mut bob, &Track::Message(id_a, line.target), 7);
    // a draft is heard before it is sent
    plays(&mut alice, &Track::Draft(clip), 8);
    alice.engine.stop();
    bob.engine.stop();
}

/// Plays a clip to its end; then another time, with a pause and a seek, and stops it.
fn plays(desk: &mut Desk, track: &Track, ticket: u64) {
    let place = |desk: &mut Desk, wanted: u64, after: u64, from_ms: u64| {
        sound(desk, "its place", |told| match told {
            Told::At { ticket, seeks, position_ms } if ticket == wanted && seeks == after && position_ms >= from_ms => {
                Some(position_ms)
            }
            Told::Played { ticket, fault } => panic!("{ticket} has ended: {fault:?}"),
            _ => None,
        })
    };
    let ended = |desk: &mut Desk, wanted: u64| {
        sound(desk, "its end", |told| match told {
            Told::Played { ticket, fault } if ticket == wanted => Some(fault),
            _ => None,
        })
    };
    wish(desk, Wish::Play { track: track.clone(), from_ms: 0, ticket });
    place(desk, ticket, 0, 1);
    assert_eq!(ended(desk, ticket), None);
    let ticket = ticket + 100;
    wish(desk, Wish::Play { track: track.clone(), from_ms: 0, ticket });
    place(desk, ticket, 0, 1);
    wish(desk, Wish::Pause(true));
    wish(desk, Wish::Seek { to_ms: 3_000, seeks: 1 });
    assert_eq!(place(desk, ticket, 1, 0), 3_000);
    wish(desk, Wish::Pause(false));
    place(desk, ticket, 1, 3_100);
    // another ends it, and nothing is told of it any more
    let another = ticket + 100;
    wish(desk, Wish::Play { track: track.clone(), from_ms: 4_500, ticket: another });
    sound(desk, "the other's end", |told| match told {
        Told::Played { ticket, fault } => {
            assert_eq!((ticket, fault), (another, None));
            Some(())
        }
        _ => None,
    });
}
