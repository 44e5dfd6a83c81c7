//! Folders of peers, what they send, and what must be on their disks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use miyu::crypto::sm3;
use miyu::identity::{Identity, PeerId, file, key_line, pem};
use miyu::node::history::Kind;
use miyu::node::{Direction, Message, MessageId, State};
use miyu::store::{Body, NewOutgoing, Query, Store};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use tempfile::TempDir;

use super::scratch;
use crate::cli::{Peer, miyu};
use crate::relay::Address;

/// When messages are made: any time will do.
const NOW_MS: i64 = 1_750_000_000_000;
/// Bodies over 256 KiB are kept in parts as they come.
const LARGE_BYTES: std::ops::Range<usize> = 260_000..700_000;
const SMALL_BYTES: std::ops::Range<usize> = 1..60_000;
/// More than any recording has.
const PAGE: usize = 1_000;

/// The one place where these tests open a store.
pub(super) fn open(data: &Path, identity: &Identity) -> Store {
    Store::open(data, identity).unwrap()
}

/// A peer's folder with key and table, for real processes.
pub(super) struct Home {
    top: TempDir,
    pub(super) identity: Identity,
    pub(super) address: Address,
}

impl Home {
    /// `others` are its peers by name, dialled where they have an address.
    pub(super) fn new(rng: &mut StdRng, identity: &Identity, others: &[(&str, &Identity, Option<SocketAddr>)]) -> Self {
        let home = Self { top: scratch(), identity: identity.clone(), address: Address::free(rng) };
        std::fs::create_dir(home.path()).unwrap();
        file::save_new(&home.path().join("me.pem"), &pem::encode_plain(identity.secret())).unwrap();
        let mut table =
            format!("[me]\nname = \"me\"\nkey = \"me.pem\"\nlisten = \"{}\"\ndata = \"data\"\n", home.address.udp);
        for (name, other, address) in others {
            table += &format!(
                "\n[[peer]]\nname = \"{name}\"\nkey = \"{}\"\nallow = [\"chat\", \"camera\"]\n",
                key_line(other.public())
            );
            if let Some(address) = address {
                table += &format!("address = \"{address}\"\n");
            }
        }
        std::fs::write(home.path().join("peers.toml"), table).unwrap();
        home
    }

    /// Where processes run.
    pub(super) fn path(&self) -> PathBuf {
        self.top.path().join("home")
    }

    /// Beside it, for what is not the peer's.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(super) fn store(&self) -> Store {
        open(&self.data(), &self.identity)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = miyu();
        command.args(arguments).arg("--json").current_dir(self.path()).stderr(Stdio::null());
        command
    }

    /// `miyu run`, once it listens.
    pub(super) fn run(&self, prepare: impl FnOnce(&mut Command)) -> Peer {
        let mut command = self.command(&["run"]);
        prepare(&mut command);
        let mut peer = Peer::spawn(&mut command);
        peer.wait("listening");
        peer
    }
}

/// A message that is sent, and must come.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: MessageId,
    kind: Kind,
    body: Vec<u8>,
}

impl Letter {
    pub(super) fn text(rng: &mut StdRng, words: &str) -> Self {
        Self::known(id(rng), words)
    }

    /// One that somebody else has made.
    pub(super) fn known(id: MessageId, text: &str) -> Self {
        Self { id, kind: Kind::Text, body: text.as_bytes().to_vec() }
    }

    /// `texts` small texts, which are most of a conversation, with others among them, two of them large.
    pub(super) fn conversation(rng: &mut StdRng, name: &str, texts: usize) -> Vec<Self> {
        let mut letters = Vec::new();
        for number in 0..texts {
            let words = "雨 rain ".repeat(rng.random_range(1..40));
            letters.push(Self::text(rng, &format!("{name} {number}: {words}")));
        }
        for number in 0..texts / 6 {
            let (kind, sizes) = match number {
                0 | 1 => (Kind::File, LARGE_BYTES),
                _ => ([Kind::Picture, Kind::Clip, Kind::File][rng.random_range(0..3)], SMALL_BYTES),
            };
            letters.insert(rng.random_range(0..=letters.len()), Self::body(rng, kind, sizes));
        }
        letters
    }

    pub(super) fn body(rng: &mut StdRng, kind: Kind, sizes: std::ops::Range<usize>) -> Self {
        let mut body = vec![0; rng.random_range(sizes)];
        rng.fill_bytes(&mut body);
        Self { id: id(rng), kind, body }
    }

    /// Puts it into an outbox.
    pub(super) fn enqueue(&self, store: &Store, to: PeerId) {
        let body = match self.kind {
            Kind::Text => Body::Text(String::from_utf8(self.body.clone()).unwrap()),
            _ => Body::Bytes(self.body.clone()),
        };
        let new = NewOutgoing {
            id: self.id,
            peer: to,
            kind: self.kind,
            text: None,
            hidden: None,
            name: None,
            mime: None,
            target: None,
            body,
        };
        store.enqueue(new, NOW_MS, None).unwrap();
    }

    /// What is stored of it is what was sent.
    fn is_stored(&self, store: &Store, message: &Message) {
        assert_eq!((message.kind, message.bytes), (self.kind, self.body.len() as u64), "{message:?}");
        assert!(!message.damaged && message.sm3 == sm3::digest(&self.body), "{message:?}");
        if self.kind == Kind::Text {
            assert_eq!(message.text.as_ref().map(String::as_bytes), Some(self.body.as_slice()), "{message:?}");
        }
        let body = store.body(message).unwrap_or_else(|error| panic!("{message:?}: {error}"));
        let body = body.read_all(u64::MAX).unwrap_or_else(|error| panic!("{message:?}: {error}"));
        assert!(sm3::digest(&body) == message.sm3 && body == self.body, "{message:?} has another body");
    }
}

fn id(rng: &mut StdRng) -> MessageId {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    MessageId::new(NOW_MS as u64, random)
}

/// Every message with one peer, or with all of them.
pub(super) fn all(store: &Store, peer: Option<&PeerId>) -> Vec<Message> {
    store.page(&Query { peer, limit: PAGE, ..Query::default() }).unwrap()
}

/// All that is stored with one peer in one direction, each of it once and as it was sent.
pub(super) fn stored(
    store: &Store,
    peer: PeerId,
    direction: Direction,
    letters: &[Letter],
) -> BTreeMap<MessageId, State> {
    let sent: BTreeMap<_, _> = letters.iter().map(|letter| (letter.id, letter)).collect();
    let mut found = BTreeMap::new();
    for message in all(store, Some(&peer)) {
        if message.direction == direction {
            let letter = sent.get(&message.id).unwrap_or_else(|| panic!("nobody sent {message:?}"));
            letter.is_stored(store, &message);
            assert!(found.insert(message.id, message.state).is_none(), "{message:?} is stored twice");
        }
    }
    found
}

/// The database is sound in its own eyes.
pub(super) fn is_sound(data: &Path) {
    let database = rusqlite::Connection::open(data.join("miyu.db")).unwrap();
    let words: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(words, "ok");
}

/// Notes of promises: for each message how long the log was when its sender knew.
pub(super) type Notes = BTreeMap<MessageId, u64>;

/// Every promise that was given before the cut is kept.
pub(super) fn promises_are_kept(notes: &Notes, at: u64, found: &BTreeMap<MessageId, State>) {
    let lost: Vec<_> = notes.iter().filter(|(id, noted)| **noted <= at && !found.contains_key(id)).collect();
    assert!(lost.is_empty(), "the log had {at} bytes when the power went; promised before and lost: {lost:?}");
}

/// Copies a folder of files and folders.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
