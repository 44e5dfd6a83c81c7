//! Disks that are full, read-only or failing, and files that are damaged: the node says what is wrong and how to mend it,
//! goes on with what it can, harms nothing, and takes the message when the fault has gone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use miyu::identity::Identity;
use miyu::node::history::Kind;
use miyu::node::{Direction, Event, MessageId, State};
use rand::rngs::StdRng;
use serde_json::Value;

use super::home::{Home, Letter, all, is_sound, open, stored};
use super::{seeded, shim};
use crate::cli::{Peer, err};
use crate::support::{ALL, Actor, entry, partial_bytes, watch_published};

/// SQLite's own choice.
const PAGE_BYTES: usize = 4096;

/// A receiver with a camera whose files can be made to fail, and a node that sends to it.
struct Stage {
    receiver: Home,
    faults: PathBuf,
    shim: PathBuf,
    actor: Actor,
    rng: StdRng,
    letters: Vec<Letter>,
}

impl Stage {
    fn new(seed: u64) -> Option<Self> {
        let library = shim::library()?;
        let mut rng = seeded(seed);
        let (me, sender) = (Identity::generate(), Identity::generate());
        let receiver = Home::new(&mut rng, &me, &[("sender", &sender, None)]);
        let mut actor = Actor::new(&sender, vec![entry("receiver", &me, Some(receiver.address.udp), ALL)]);
        actor.settings.data = receiver.beside("sender");
        let faults = receiver.beside("faults");
        Some(Self { receiver, faults, shim: library, actor, rng, letters: Vec::new() })
    }

    fn put_shim(&self, command: &mut Command) {
        shim::put_below(command, &self.shim, &self.receiver.path());
        command.env("MIYU_POWER_FAULTS", &self.faults);
    }

    /// From now on, and the end of it with "".
    fn fault(&self, rules: &str) {
        // In one step: the other processes never read half of it.
        let new = self.faults.with_extension("new");
        std::fs::write(&new, rules).unwrap();
        std::fs::rename(new, &self.faults).unwrap();
    }

    /// The receiver as a camera: everything that `miyu run` does, and something that has nothing to do with the disk.
    fn start_receiver(&self) -> Peer {
        let mut command = self.receiver.command(&["camera", "--source", "test", "--fps", "10"]);
        self.put_shim(&mut command);
        let mut peer = Peer::spawn(&mut command);
        peer.wait("listening");
        peer
    }

    /// The receiver as `miyu run`, which writes for no other reason than what comes.
    fn start_run(&self) -> Peer {
        self.receiver.run(|command| self.put_shim(command))
    }

    /// A command on the receiver's folder, to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.receiver.command(arguments);
        self.put_shim(&mut command);
        command.stderr(Stdio::piped()).output().unwrap()
    }

    /// Puts a message into the sender's outbox.
    fn send(&mut self, letter: Letter) -> MessageId {
        letter.enqueue(&open(&self.actor.settings.data, &self.actor.identity), self.receiver.identity.peer_id());
        self.letters.push(letter);
        self.letters.last().unwrap().id
    }

    fn send_text(&mut self, words: &str) -> MessageId {
        let letter = Letter::text(&mut self.rng, words);
        self.send(letter)
    }

    fn send_file(&mut self, bytes: usize) -> MessageId {
        let letter = Letter::body(&mut self.rng, Kind::File, bytes..bytes + 1);
        self.send(letter)
    }

    /// Waits until the receiver has refused the message for now, for a reason that has this word.
    async fn deferred(&mut self, wanted: MessageId, word: &str) {
        let told = self.actor.wait("a refusal for now", |event| match event {
            Event::Deferred { id, reason, .. } if id == wanted => Some(reason),
            Event::Failed { id, reason, .. } => panic!("{id} failed for good: {reason}"),
            _ => None,
        });
        let reason = told.await;
        assert!(reason.contains(word), "{reason}");
    }

    /// A frame comes from the receiver's camera.
    async fn camera_goes_on(&self) {
        let mut watch = watch_published(&self.actor, "receiver").await;
        assert!(watch.next().await.is_some(), "a frame");
    }

    /// All that was sent is in the receiver's store, once.
    fn all_is_there(&self) {
        let store = self.receiver.store();
        let found = stored(&store, self.actor.identity.peer_id(), Direction::In, &self.letters);
        assert_eq!(found.len(), self.letters.len());
        is_sound(&self.receiver.data());
    }
}

fn says(event: &Value, error: &str, hint: &str) {
    let has = |key: &str, words: &str| event[key].as_str().is_some_and(|text| text.contains(words));
    assert!(has("error", error) && has("hint", hint), "not {error:?} and {hint:?}: {event}");
}

/// While `rules` hold, messages are refused for now, with `reason`; the receiver tells `error` and `hint`, and its camera
/// goes on. Afterwards all comes, without a restart.
async fn messages_wait_while(seed: u64, rules: &str, reason: &str, (error, hint): (&str, &str)) {
    let Some(mut stage) = Stage::new(seed) else { return };
    let mut peer = stage.start_receiver();
    let before = stage.send_text("before");
    stage.actor.start().await;
    stage.actor.receipt(before).await.unwrap();
    stage.fault(rules);
    let text = stage.send_text("small");
    stage.deferred(text, reason).await;
    let large = stage.send_file(3_000_000);
    stage.deferred(large, reason).await;
    says(&peer.wait("error"), error, hint);
    stage.camera_goes_on().await;
    stage.fault("");
    for id in [text, large] {
        stage.actor.receipt(id).await.unwrap();
    }
    stage.actor.stop().await;
    peer.kill();
    stage.all_is_there();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_messages_for_now_and_takes_them_when_there_is_room() {
    messages_wait_while(1, "full 0", "full", ("too few to go on", "free some space")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_of_a_body_keeps_what_came() {
    let Some(mut stage) = Stage::new(2) else { return };
    let mut peer = stage.start_receiver();
    let before = stage.send_text("before");
    stage.actor.start().await;
    stage.actor.receipt(before).await.unwrap();
    stage.fault("full 20");
    let large = stage.send_file(3_000_000);
    stage.deferred(large, "full").await;
    says(&peer.wait("error"), "too few to go on", "free some space");
    let kept: u64 = partial_bytes(&stage.receiver.data());
    assert!((500_000..3_000_000).contains(&kept), "{kept} bytes were kept");
    stage.fault("");
    stage.actor.receipt(large).await.unwrap();
    stage.actor.stop().await;
    peer.kill();
    stage.all_is_there();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_refuses_messages_for_now() {
    messages_wait_while(3, "readonly", "receiver's log", ("", "read-only")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_sync_or_write_or_read_refuses_messages_for_now() {
    for (seed, rule) in [(4, "eio sync 0 data/"), (5, "eio write 0 data/"), (6, "eio write 3 miyu.db")] {
        messages_wait_while(seed, rule, "receiver's log", ("", "disk")).await;
    }
}

/// A commit whose sync fails has been written whole, and only what is written next takes its place in SQLite's log; its
/// body was taken back meanwhile. A kill makes the log speak: what was refused last is what would come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_commit_could_not_be_synced_does_not_come_back_without_its_body() {
    /// Up to 256 KiB a body is held in memory, above it in a file of its own until it counts.
    const SMALL: usize = 40_000;
    const LARGE: usize = 300_000;
    let Some(mut stage) = Stage::new(10) else { return };
    let mut peer = stage.start_run();
    for sizes in [[LARGE, SMALL], [SMALL, LARGE]] {
        // The first commit of a log syncs its head before anything else, and would fail there.
        let before = stage.send_text("before");
        stage.actor.start().await;
        stage.actor.receipt(before).await.unwrap();
        stage.fault("eio sync 0 miyu.db-wal");
        let mut refused = vec![stage.send_text("refused")];
        stage.deferred(refused[0], "receiver's log").await;
        for bytes in sizes {
            let file = stage.send_file(bytes);
            stage.deferred(file, "receiver's log").await;
            refused.push(file);
        }
        // In this order: a goodbye might be written down, and take the place of what was refused.
        peer.kill();
        stage.actor.stop().await;
        stage.fault("");
        let store = stage.receiver.store();
        let check = store.check(true, || true).unwrap();
        assert!(check.is_sound(), "{check:?} after refusing {refused:?}");
        let found = stored(&store, stage.actor.identity.peer_id(), Direction::In, &stage.letters);
        assert!(found.contains_key(&before));
        drop(store);
        peer = stage.start_run();
        stage.actor.start().await;
        for id in refused {
            stage.actor.receipt(id).await.unwrap();
        }
        stage.actor.stop().await;
        stage.all_is_there();
    }
    peer.kill();
}

fn fails(output: &Output, error: &str, hint: &str) {
    let text = err(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: ") && text.contains(error), "not {error:?}: {text}");
    assert!(text.lines().any(|line| line.starts_with("hint: ") && line.contains(hint)), "not {hint:?}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_or_read_is_told_of_at_the_start_and_not_harmed() {
    let Some(mut stage) = Stage::new(7) else { return };
    // One that has never been used.
    stage.fault("readonly");
    fails(&stage.run(&["run"]), "cannot use the data folder", "make ");
    stage.fault("full 0");
    fails(&stage.run(&["run"]), "too few to go on", "free some space");
    stage.fault("");
    let peer = stage.start_receiver();
    let (text, file) = (stage.send_text("before"), stage.send_file(400_000));
    stage.actor.start().await;
    for id in [text, file] {
        stage.actor.receipt(id).await.unwrap();
    }
    peer.kill();
    for (rule, error, hint) in [
        ("readonly", "cannot use the data folder", "make "),
        ("full 0", "too few to go on", "free some space"),
        ("eio read 0 miyu.db", "", "disk"),
        ("eio write 0 miyu.db", "", "disk"),
        ("eio sync 0 data", "", "disk"),
    ] {
        stage.fault(rule);
        println!("{rule}");
        fails(&stage.run(&["run"]), error, hint);
    }
    stage.fault("");
    stage.all_is_there();
    stage.actor.stop().await;
}

/// Turns a page of the database into something else; the page before.
fn damage(database: &Path, page: i64) -> Vec<u8> {
    let whole = std::fs::read(database).unwrap();
    let mut damaged = whole.clone();
    let start = (page as usize - 1) * PAGE_BYTES;
    for byte in &mut damaged[start..start + 64] {
        *byte ^= 0x5a;
    }
    std::fs::write(database, damaged).unwrap();
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_told_of_and_a_copy_brings_everything_back() {
    let Some(mut stage) = Stage::new(8) else { return };
    let peer = stage.start_receiver();
    let (text, file) = (stage.send_text("before"), stage.send_file(400_000));
    stage.actor.start().await;
    for id in [text, file] {
        stage.actor.receipt(id).await.unwrap();
    }
    stage.actor.stop().await;
    peer.end();
    let database = stage.receiver.data().join("miyu.db");
    // The last one that closes it moves everything into this one file.
    is_sound(&stage.receiver.data());
    assert!(!database.with_extension("db-wal").exists());
    let root_of_messages: i64 = {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'messages'";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // The first page tells what the file is.
    let whole = damage(&database, 1);
    fails(&stage.run(&["run"]), "is no miyu database", "another folder");
    std::fs::write(&database, &whole).unwrap();
    damage(&database, root_of_messages);
    // A copy that is held back meanwhile: the node may start, but whatever needs the page says what is wrong.
    fails(&stage.run(&["history"]), "is damaged", "restore a copy");
    let mut peer = stage.start_receiver();
    let after = stage.send_text("after");
    stage.actor.start().await;
    stage.deferred(after, "receiver's log").await;
    says(&peer.wait("error"), "is damaged", "restore a copy");
    stage.camera_goes_on().await;
    peer.end();
    stage.actor.stop().await;
    // As the hint says.
    for part in ["miyu.db-wal", "miyu.db-shm"] {
        let _ = std::fs::remove_file(stage.receiver.data().join(part));
    }
    std::fs::write(&database, &whole).unwrap();
    let peer = stage.start_receiver();
    stage.actor.start().await;
    stage.actor.receipt(after).await.unwrap();
    stage.actor.stop().await;
    peer.kill();
    stage.all_is_there();
}

/// The attachment of a message in a data folder, found by its id.
fn attachment(data: &Path, id: MessageId) -> PathBuf {
    let folders = std::fs::read_dir(data.join("attachments")).unwrap().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten());
    let mut paths = files.map(|file| file.path());
    paths.find(|path| path.file_stem().is_some_and(|stem| *stem == *id.to_string())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_attachment_fails_its_message_and_no_other() {
    let mut rng = seeded(9);
    let (me, other) = (Identity::generate(), Identity::generate());
    let mut actor = Actor::new(&other, vec![entry("sender", &me, None, ALL)]);
    let address = actor.start().await;
    let sender = Home::new(&mut rng, &me, &[("receiver", &other, Some(address))]);
    let letters: Vec<_> = (0..3).map(|_| Letter::body(&mut rng, Kind::File, 300_000..400_000)).collect();
    let store = sender.store();
    letters.iter().for_each(|letter| letter.enqueue(&store, other.peer_id()));
    let cut = attachment(&sender.data(), letters[1].id);
    std::fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(100_000).unwrap();
    let mut peer = sender.run(|_| {});
    let failed = peer.wait("failed");
    assert_eq!(failed["id"].as_str(), Some(letters[1].id.to_string().as_str()));
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("damaged")), "{failed}");
    for letter in [&letters[0], &letters[2]] {
        actor.arrival(letter.id).await;
    }
    actor.stop().await;
    peer.kill();
    let found = all(&store, None);
    assert_eq!(found.iter().filter(|message| message.state == State::Failed).count(), 1);
    let came = open(&actor.settings.data, &actor.identity);
    assert_eq!(stored(&came, me.peer_id(), Direction::In, &letters).len(), 2);
}
