//! The sender loses its power: whatever was told to be in the outbox is there, and goes out when it is back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use miyu::identity::{Identity, file};
use miyu::node::{Direction, MessageId, State};
use rand::RngExt;
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::home::{Home, Letter, Notes, all, is_sound, open, promises_are_kept, stored};
use super::shim::{self, Log};
use super::{Cut, aim, cuts, log, nothing_was_missed, scratch, seeded};
use crate::cli::Peer;
use crate::support::{Actor, CHAT, entry};

/// Of all cuts, so many of so many are made here.
const SHARE: (u64, u64) = (2, 5);
/// Put into the outbox by each of two processes.
const TEXTS: usize = 40;
/// Threads of each that do.
const THREADS: usize = 3;
/// Messages of `miyu send`.
const ONE_SHOTS: usize = 3;
const SYNC_MS: (u64, u64) = (2, 8);
const LOOK: Duration = Duration::from_millis(20);

struct Recording {
    sender: Home,
    receiver: Identity,
    letters: Vec<Letter>,
    log: Vec<u8>,
    notes: Notes,
    /// How long the log was when each process began.
    starts: Vec<u64>,
}

/// What the `number`-th process of a recording puts into the outbox.
fn letters(seed: u64, number: u64) -> Vec<Letter> {
    Letter::conversation(&mut seeded(seed.wrapping_add(number << 32)), &format!("process {number}"), TEXTS)
}

#[test]
#[ignore = "a process of another test"]
fn child_enqueues() {
    let asked = |name: &str| std::env::var(name).ok();
    let (Some(home), Some(to)) = (asked("MIYU_TEST_HOME"), asked("MIYU_TEST_TO")) else { return };
    let number = |name: &str| asked(name).unwrap().parse::<u64>().unwrap();
    let letters = letters(number("MIYU_TEST_SEED"), number("MIYU_TEST_NUMBER"));
    let home = Path::new(&home);
    let identity = file::load(&home.join("me.pem"), &mut |_: &Path| Ok(None)).unwrap();
    let table = miyu::config::Config::load(&home.join("peers.toml")).unwrap();
    let to = table.peer_named(&to).unwrap().id;
    let store = open(&home.join("data"), &identity);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, letters) = (store.clone(), &letters);
            scope.spawn(move || {
                for letter in letters.iter().skip(thread).step_by(THREADS) {
                    letter.enqueue(&store, to);
                    // The test runner's own words may stand before it.
                    println!("\n{{\"event\":\"queued\",\"id\":\"{}\"}}", letter.id);
                }
            });
        }
    });
    println!("\n{{\"event\":\"done\"}}");
}

/// Runs [`child_enqueues`] in a process of its own.
fn enqueuing(sender: &Home, seed: u64, number: u64) -> Command {
    let module = module_path!().split_once("::").unwrap().1;
    let name = format!("{module}::child_enqueues");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name.as_str(), "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("MIYU_TEST_HOME", sender.path()).env("MIYU_TEST_TO", "receiver");
    command.env("MIYU_TEST_SEED", seed.to_string()).env("MIYU_TEST_NUMBER", number.to_string());
    command
}

/// The receiver of a recording, and of each cut anew, on a folder of its own.
fn receiver(identity: &Identity, sender: &Identity, folder: &TempDir) -> Actor {
    let mut actor = Actor::new(identity, vec![entry("sender", sender, None, CHAT)]);
    actor.settings.data = folder.path().join("data");
    actor
}

/// Takes notes of what a process says that it has put into the outbox, until `enough` or all of it.
fn note(peer: &mut Peer, log: &Log, notes: &mut Notes, enough: usize) {
    for _ in 0..enough {
        let Some(line) = peer.next() else { return };
        match line["event"].as_str() {
            Some("queued" | "delivered") => {
                notes.insert(line["id"].as_str().unwrap().parse().unwrap(), log.length());
            }
            Some("done") => return,
            _ => {}
        }
    }
}

/// Two processes fill the outbox one after the other, the first one killed on its way; `miyu run` empties it, is killed
/// too and comes again; `miyu send` does both.
fn fill(sender: &Home, library: &Path, log: &Log, seed: u64, rng: &mut StdRng) -> (Notes, Vec<u64>) {
    let recorded = |command: &mut Command| {
        shim::put_below(command, library, &sender.path());
        log.record(command, SYNC_MS);
    };
    let (mut notes, mut starts) = (Notes::new(), Vec::new());
    for number in 0..2 {
        starts.push(log.length());
        let run = sender.run(recorded);
        let mut command = enqueuing(sender, seed, number);
        recorded(&mut command);
        let mut child = Peer::spawn(&mut command);
        let mut one_shots: Vec<Peer> = (0..ONE_SHOTS)
            .map(|shot| {
                let mut command = sender.command(&["send", "receiver", &one_shot(number, shot)]);
                recorded(&mut command);
                Peer::spawn(&mut command)
            })
            .collect();
        let enough = if number == 0 { rng.random_range(1..TEXTS) } else { usize::MAX };
        note(&mut child, log, &mut notes, enough);
        one_shots.iter_mut().for_each(|shot| note(shot, log, &mut notes, usize::MAX));
        log.while_still(|| {
            child.kill();
            run.kill();
        });
    }
    (notes, starts)
}

fn one_shot(number: u64, shot: usize) -> String {
    format!("one shot {number}.{shot}")
}

async fn record(library: PathBuf, seed: u64) -> Recording {
    let mut rng = seeded(seed);
    let (me, other) = (Identity::generate(), Identity::generate());
    let folder = scratch();
    let mut actor = receiver(&other, &me, &folder);
    let address = actor.start().await;
    let sender = Home::new(&mut rng, &me, &[("receiver", &other, Some(address))]);
    let log = Log::new(sender.beside("power.log"));
    let (sender, log, (notes, starts)) = tokio::task::spawn_blocking(move || {
        let notes = fill(&sender, &library, &log, seed, &mut rng);
        (sender, log, notes)
    })
    .await
    .unwrap();
    actor.stop().await;
    let bytes = log.read();
    println!("seed {seed}: {} messages noted over {} bytes of operations", notes.len(), bytes.len());
    assert!(notes.len() > TEXTS);
    nothing_was_missed(&log::parse(&bytes), &sender.path());
    let mut letters: Vec<Letter> = (0..2).flat_map(|number| letters(seed, number)).collect();
    // The ids of one-shots are their own.
    let store = sender.store();
    for message in all(&store, None) {
        let text = message.text.filter(|text| text.starts_with("one shot"));
        letters.extend(text.map(|text| Letter::known(message.id, &text)));
    }
    drop(store);
    Recording { sender, receiver: other, letters, log: bytes, notes, starts }
}

async fn judge(recording: Arc<Recording>, seed: u64) {
    let mut rng = seeded(seed);
    let records = log::parse(&recording.log);
    let cut = aim(&mut rng, seed, &records, &recording.notes, &recording.starts);
    let _told = cut.told_of_a_failure();
    let folder = scratch();
    let mut actor = receiver(&recording.receiver, &recording.sender.identity, &folder);
    let address = actor.start().await;
    let others = [("receiver", &recording.receiver, Some(address))];
    let sender = Home::new(&mut rng, &recording.sender.identity, &others);
    cut.tree(&mut rng).write(&sender.path());
    let found = what_was_queued_is_there(&recording, &sender, &cut);
    it_goes_out(&recording, &sender, &mut actor, &found).await;
}

fn what_was_queued_is_there(recording: &Recording, sender: &Home, cut: &Cut<'_>) -> BTreeMap<MessageId, State> {
    let store = sender.store();
    is_sound(&sender.data());
    let found = stored(&store, recording.receiver.peer_id(), Direction::Out, &recording.letters);
    promises_are_kept(&recording.notes, cut.at, &found);
    assert!(found.values().all(|state| *state != State::Failed), "{found:?}");
    found
}

/// What tells the living from the dead is not synced: what had been claimed by a process that lost its power waits for its
/// lease to run out.
fn half_a_minute_passes(data: &Path) {
    let database = rusqlite::Connection::open(data.join("miyu.db")).unwrap();
    database.execute("UPDATE messages SET lease_until_ms = 1 WHERE lease_until_ms IS NOT NULL", []).unwrap();
}

/// The receiver is another one with the same key, and gets what waits.
async fn it_goes_out(recording: &Recording, sender: &Home, actor: &mut Actor, found: &BTreeMap<MessageId, State>) {
    half_a_minute_passes(&sender.data());
    let store = sender.store();
    let peer = sender.run(|_| {});
    let mut look = tokio::time::interval(LOOK);
    while store.outgoing_pending(&recording.receiver.peer_id()).unwrap() > 0 {
        look.tick().await;
    }
    peer.kill();
    actor.stop().await;
    let came = open(&actor.settings.data, &actor.identity);
    let came = stored(&came, sender.identity.peer_id(), Direction::In, &recording.letters);
    let mut wanted: Vec<_> = found.keys().copied().collect();
    wanted.retain(|id| found[id] != State::Delivered);
    assert_eq!(came.keys().copied().collect::<Vec<_>>(), wanted, "what waited came, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_survives_a_power_cut_and_goes_out_afterwards() {
    let Some(library) = shim::library() else { return };
    cuts("sending", SHARE, |seed| record(library.clone(), seed), judge).await;
}
