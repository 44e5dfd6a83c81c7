//! The engine with real tables, keys and nodes: what a window would be told.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use miyu::config::{Allow, edit};
use miyu::gui::Launch;
use miyu::gui::engine::Engine;
use miyu::gui::talk::{Ask, Line, Me, News, Outgoing, Presence, Stage, StagedBody};
use miyu::identity::{PeerId, parse_key_line};
use miyu::node::history::{Direction, Kind, Place, State};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::support::PATIENCE;

/// An engine without a window.
pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) woken: mpsc::Receiver<()>,
}

impl Desk {
    pub(super) fn start(table: &Path, data: &Path) -> Self {
        let (wake, woken) = mpsc::channel();
        let wake = std::sync::Mutex::new(wake);
        let launch = Launch {
            config: Some(table.to_owned()),
            data: Some(data.to_owned()),
            downloads: Some(data.with_file_name("saved")),
            ..Launch::default()
        };
        let engine = Engine::start(launch, Arc::new(move || _ = wake.lock().unwrap().send(()))).unwrap();
        Self { engine, woken }
    }

    /// The first news that `wanted` makes something of.
    #[track_caller]
    pub(super) fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(News) -> Option<T>) -> T {
        loop {
            while let Some(news) = self.engine.poll() {
                if let News::Trouble(fault) = &news {
                    println!("trouble: {fault:?}");
                }
                if let Some(found) = wanted(news) {
                    return found;
                }
            }
            self.woken.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("waited for {what}"));
        }
    }

    pub(super) fn ask(&self, ask: Ask) {
        assert!(self.engine.ask(ask).is_ok(), "there is room");
    }

    pub(super) fn stage(&mut self) -> Stage {
        self.until("a stage", |news| if let News::Stage(stage) = news { Some(stage) } else { None })
    }

    pub(super) fn me(&mut self) -> Me {
        match self.stage() {
            Stage::Running(me) => me,
            other => panic!("{other:?}"),
        }
    }

    /// The newest state of the message whose text is `text`, once it is `wanted`.
    fn line(&mut self, text: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        self.until(text, |news| match news {
            News::Lines { lines, .. } => {
                lines.into_iter().find(|line| line.text.as_deref() == Some(text) && wanted(line))
            }
            _ => None,
        })
    }
}

/// A folder with a table that names a key which is not there, and a port of its own.
pub(super) fn folder(name: &str) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    // The port is free now; nobody else in this test takes it.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let table = folder.path().join("peers.toml");
    let text = format!("# mine\n[me]\nname = \"{name}\"\nkey = \"keys/own.pem\"\nlisten = \"{address}\"\n");
    std::fs::write(&table, text).unwrap();
    (folder, table, address)
}

pub(super) fn id(me: &Me) -> PeerId {
    PeerId::of(&parse_key_line(&me.key_line).unwrap())
}

pub(super) fn add(name: &str, me: &Me, address: &str) -> Ask {
    Ask::Table(vec![edit::Change::Add(edit::Entry {
        name: name.into(),
        key: me.key_line.clone(),
        addresses: vec![address.into()],
        allow: Allow::default(),
    })])
}

#[test]
fn a_first_start_makes_a_key_and_a_table_and_a_locked_key_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (table, data) = (folder.path().join("miyu/peers.toml"), folder.path().join("data"));
    let mut desk = Desk::start(&table, &data);
    assert!(matches!(desk.stage(), Stage::NoIdentity { only_key: false, fault: None, .. }));
    // a name that no table takes leaves nothing behind
    desk.ask(Ask::MakeIdentity { name: String::new(), passphrase: None, listen: None });
    assert!(matches!(desk.stage(), Stage::NoIdentity { fault: Some(_), .. }));
    assert!(!table.exists() && !folder.path().join("miyu/keys/identity.pem").exists());
    let passphrase = Some(Zeroizing::new("open sesame".to_owned()));
    desk.ask(Ask::MakeIdentity { name: "爱丽丝".into(), passphrase, listen: None });
    // Port 9999 may be another test's: made is made, started or not.
    assert!(matches!(desk.stage(), Stage::Running(_) | Stage::Broken(_)));
    desk.engine.stop();
    let text = std::fs::read_to_string(&table).unwrap();
    let listen = format!("key = \"keys/identity.pem\"\nlisten = \"{}\"", folder_port());
    std::fs::write(&table, text.replace("key = \"keys/identity.pem\"", &listen)).unwrap();
    let mut desk = Desk::start(&table, &data);
    assert!(matches!(desk.stage(), Stage::Locked { fault: None, .. }));
    desk.ask(Ask::Unlock(Zeroizing::new("wrong".to_owned())));
    assert!(matches!(desk.stage(), Stage::Locked { fault: Some(_), .. }));
    desk.ask(Ask::Unlock(Zeroizing::new("open sesame".to_owned())));
    assert_eq!(desk.me().name, "爱丽丝");
    desk.engine.stop();
}

fn folder_port() -> String {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("127.0.0.1:{port}")
}

#[test]
fn a_faulty_table_is_told_with_its_mend_and_read_again() {
    let (_folder, table, _) = folder("alice");
    let good = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, good.replace("name", "nmae")).unwrap();
    std::fs::create_dir(table.parent().unwrap().join("keys")).unwrap();
    std::fs::write(table.parent().unwrap().join("keys/own.pem"), "no key").unwrap();
    let mut desk = Desk::start(&table, &table.with_file_name("data"));
    let Stage::Broken(fault) = desk.stage() else { panic!("no fault") };
    assert!(fault.error.contains("nmae"), "{fault:?}");
    std::fs::write(&table, good).unwrap();
    std::fs::remove_file(table.parent().unwrap().join("keys/own.pem")).unwrap();
    desk.ask(Ask::TryAgain);
    assert!(matches!(desk.stage(), Stage::NoIdentity { only_key: true, .. }));
}

/// Two desks that have made their keys and added each other: their ids are given beside them.
pub(super) fn acquainted(table_a: &Path, at_a: &str, table_b: &Path, at_b: &str) -> [(Desk, PeerId); 2] {
    let mut desks = [table_a, table_b].map(|table| Desk::start(table, &table.with_file_name("data")));
    let mes = desks.each_mut().map(|desk| {
        assert!(matches!(desk.stage(), Stage::NoIdentity { only_key: true, .. }));
        desk.ask(Ask::MakeIdentity { name: String::new(), passphrase: None, listen: None });
        desk.me()
    });
    desks[0].ask(add("波波", &mes[1], at_b));
    desks[1].ask(add("alice", &mes[0], at_a));
    for desk in &mut desks {
        desk.until("presence", |news| {
            matches!(news, News::Presence { presence: Presence::Here { .. }, .. }).then_some(())
        });
    }
    let [alice, bob] = desks;
    [(alice, id(&mes[0])), (bob, id(&mes[1]))]
}

#[test]
fn two_desks_add_each_other_and_talk_and_keep_it() {
    let (_a, table_a, at_a) = folder("alice");
    let (_b, table_b, at_b) = folder("bob");
    let data_b = table_b.with_file_name("data");
    let [(mut alice, id_a), (mut bob, id_b)] = acquainted(&table_a, &at_a, &table_b, &at_b);
    assert!(std::fs::read_to_string(&table_a).unwrap().starts_with("# mine\n"), "comments stay");

    let text =
        |to, text: &str, ticket| Ask::Send { peer: to, what: Outgoing::Text(text.into()), reply_to: None, ticket };
    alice.ask(text(id_b, "你好 \u{202e}bob", 1));
    let came = bob.line("你好 \\u{202e}bob", |line| line.state == State::Received);
    alice.line("你好 \\u{202e}bob", |line| line.state == State::Delivered);
    bob.ask(Ask::Read { peer: id_a, up_to: came.cursor() });
    alice.line("你好 \\u{202e}bob", |line| line.state == State::Read);
    bob.ask(Ask::Send { peer: id_a, what: Outgoing::React(came.target, "👍".into()), reply_to: None, ticket: 2 });
    alice.line("你好 \\u{202e}bob", |line| line.reactions.iter().any(|one| one.text == "👍"));

    alice.ask(Ask::Check { peer: id_b });
    let check =
        alice.until("the check", |news| if let News::Checked { check, .. } = news { Some(check) } else { None });
    assert!(check.pong.is_ok() && check.received > 0, "{check:?}");

    // a picture with a hidden text, as it is dropped on the window
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photo.png");
    alice.ask(Ask::Stage { peer: id_b, path: photo });
    let staged = alice
        .until("the staged picture", |news| if let News::Staged { staged, .. } = news { Some(staged) } else { None });
    let staged = staged.unwrap();
    assert!(matches!(&staged.body, StagedBody::Picture { capacity, .. } if *capacity > 20));
    let what = Outgoing::Staged(staged, Some("秘密".into()));
    alice.ask(Ask::Send { peer: id_b, what, reply_to: None, ticket: 3 });
    let picture = bob.until("the picture", |news| match news {
        News::Lines { lines, .. } => lines.into_iter().find(|line| line.kind == Kind::Picture),
        _ => None,
    });
    assert_eq!(picture.hidden.as_deref(), Some("秘密"));
    bob.ask(Ask::Picture { peer: id_a, target: picture.target, side_max: 64 });
    let decoded =
        bob.until("its pixels", |news| if let News::Picture { picture, .. } = news { Some(picture) } else { None });
    assert_eq!(decoded.unwrap().size.into_iter().max(), Some(64));

    bob.ask(Ask::Save { peer: id_a, target: picture.target });
    let saved = bob.until("the file", |news| if let News::SavedAs { path, .. } = news { Some(path) } else { None });
    assert_eq!(saved.parent(), Some(data_b.with_file_name("saved").as_path()));
    assert!(std::fs::read(&saved).unwrap().starts_with(b"\x89PNG"));

    // all of it is there after a restart
    bob.engine.stop();
    let mut bob = Desk::start(&table_b, &data_b);
    bob.me();
    bob.ask(Ask::Page { peer: id_a, place: Place::Newest });
    let lines = bob.until("the page", |news| if let News::Page { lines, .. } = news { Some(lines) } else { None });
    assert_eq!(lines.len(), 2, "{lines:?}");
    bob.ask(Ask::Search { words: "你好".into(), peer: None, ticket: 9 });
    let found =
        bob.until("the search", |news| if let News::Found { ticket: 9, lines } = news { Some(lines) } else { None });
    assert_eq!(found.len(), 1);
    bob.ask(Ask::Forget { peer: id_a, target: picture.target });
    bob.until("the end of the picture", |news| matches!(news, News::Gone { .. }).then_some(()));
    assert_eq!(found[0].1.target.direction, Direction::In);
    alice.engine.stop();
    bob.engine.stop();
}

#[test]
fn what_is_sent_is_stored_in_its_order_also_when_the_window_is_closed_at_once() {
    let (place, table, _) = folder("alice");
    let data = place.path().join("data");
    let mut desk = Desk::start(&table, &data);
    assert!(matches!(desk.stage(), Stage::NoIdentity { only_key: true, .. }));
    desk.ask(Ask::MakeIdentity { name: String::new(), passphrase: None, listen: None });
    let me = desk.me();
    let bob = Me { key_line: miyu::identity::key_line(miyu::identity::Identity::generate().public()), ..me };
    desk.ask(add("bob", &bob, "127.0.0.1:9"));
    let there = |news| if let News::Peers(rows) = news { rows.first().map(|row| row.id) } else { None };
    let peer = desk.until("bob", there);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photo.png");
    desk.ask(Ask::Stage { peer, path });
    let staged = desk.until("the picture", |news| match news {
        News::Staged { staged, .. } => Some(staged.unwrap()),
        _ => None,
    });
    // A text is stored in a moment, a picture is decoded and filled first.
    let picture = Outgoing::Staged(staged, Some("藏在里面".into()));
    desk.ask(Ask::Send { peer, what: picture, reply_to: None, ticket: 1 });
    desk.ask(Ask::Send { peer, what: Outgoing::Text("behind it".into()), reply_to: None, ticket: 2 });
    desk.engine.stop();

    let mut desk = Desk::start(&table, &data);
    desk.me();
    desk.ask(Ask::Page { peer, place: Place::Newest });
    let lines = desk.until("the page", |news| if let News::Page { lines, .. } = news { Some(lines) } else { None });
    let kinds: Vec<Kind> = lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [Kind::Picture, Kind::Text]);
    assert_eq!(lines[0].hidden.as_deref(), Some("藏在里面"));
    desk.engine.stop();
}
