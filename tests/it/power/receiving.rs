//! The receiver loses its power: whatever it receipted is there, and the rest comes when it is back.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use miyu::identity::{Identity, PeerId};
use miyu::node::{Direction, Event, MessageId, State};
use miyu::store::Store;
use rand::RngExt;
use rand::rngs::StdRng;

use super::home::{Home, Letter, Notes, copy, is_sound, open, promises_are_kept, stored};
use super::shim::{self, Log};
use super::{Cut, aim, cuts, log, nothing_was_missed, scratch, seeded};
use crate::cli::Peer;
use crate::support::{Actor, CHAT, entry};

/// Of all cuts, so many of so many are made here.
const SHARE: (u64, u64) = (3, 5);
/// More than may be under way at one time, from each of two.
const TEXTS: usize = 90;
const SYNC_MS: (u64, u64) = (3, 12);
/// The outboxes of the senders are looked at so often.
const LOOK: Duration = Duration::from_millis(20);
const NAMES: [&str; 2] = ["ann", "ben"];

/// One that sends: its key, its messages, and its data folder when all of them wait.
struct Sender {
    identity: Identity,
    letters: Vec<Letter>,
    waiting: PathBuf,
}

struct Recording {
    receiver: Home,
    senders: [Sender; 2],
    log: Vec<u8>,
    notes: Notes,
    /// How long the log was when each process began.
    starts: Vec<u64>,
}

/// How the receiver ends while messages come.
#[derive(Debug, Clone, Copy)]
enum End {
    Killed,
    Told,
}

impl Sender {
    fn new(rng: &mut StdRng, receiver: &Home, name: &str, identity: Identity) -> Self {
        let letters = Letter::conversation(rng, name, TEXTS);
        let waiting = receiver.beside(&format!("{name}-waiting"));
        let store = open(&waiting, &identity);
        letters.iter().for_each(|letter| letter.enqueue(&store, receiver.identity.peer_id()));
        Self { identity, letters, waiting }
    }

    /// Its node, on a copy of its folder as it was in the beginning.
    fn actor(&self, receiver: &Home, data: PathBuf) -> Actor {
        copy(&self.waiting, &data);
        let table = vec![entry("receiver", &receiver.identity, Some(receiver.address.udp), CHAT)];
        let mut actor = Actor::new(&self.identity, table);
        actor.settings.data = data;
        actor
    }
}

fn home(rng: &mut StdRng, identity: &Identity, senders: [&Identity; 2]) -> Home {
    Home::new(rng, identity, &[(NAMES[0], senders[0], None), (NAMES[1], senders[1], None)])
}

/// The id of the next message that was delivered.
async fn delivered(actor: &mut Actor) -> MessageId {
    let told = actor.wait("a receipt", |event| match event {
        Event::Delivered { id, .. } => Some(Ok(id)),
        Event::Failed { id, reason, .. } => Some(Err(format!("{id}: {reason}"))),
        _ => None,
    });
    told.await.unwrap()
}

/// The outboxes of two nodes, looked at beside them.
struct Outboxes([Store; 2], PeerId);

impl Outboxes {
    fn of(actors: &[Actor; 2], receiver: &Home) -> Self {
        let open = |at: usize| open(&actors[at].settings.data, &actors[at].identity);
        Self([open(0), open(1)], receiver.identity.peer_id())
    }

    /// Notes what the senders know to be delivered, told or not.
    fn note(&self, senders: &[Sender; 2], notes: &mut Notes, log: &Log) {
        for (store, sender) in self.0.iter().zip(senders) {
            for letter in &sender.letters {
                let message = store.message(&self.1, Direction::Out, &letter.id).unwrap().unwrap();
                if message.state == State::Delivered {
                    notes.entry(letter.id).or_insert_with(|| log.length());
                }
            }
        }
    }

    fn pending(&self) -> u64 {
        self.0.iter().map(|store| store.outgoing_pending(&self.1).unwrap()).sum()
    }
}

/// Lets messages come until so many are noted, or none waits.
async fn until(actors: &mut [Actor; 2], outboxes: &Outboxes, log: &Log, notes: &mut Notes, enough: usize) {
    let mut look = tokio::time::interval(LOOK);
    while notes.len() < enough {
        let [one, other] = &mut *actors;
        let id = tokio::select! {
            biased;
            id = delivered(one) => id,
            id = delivered(other) => id,
            _ = look.tick() => match outboxes.pending() {
                0 => return,
                _ => continue,
            },
        };
        notes.entry(id).or_insert_with(|| log.length());
    }
}

fn end(peer: Peer, log: &Log, how: End) {
    match how {
        End::Killed => log.while_still(|| peer.kill()),
        End::Told => peer.end(),
    }
}

/// Two conversations at once, the receiver started again twice on the way, with everything that it did to its folder.
async fn record(library: PathBuf, seed: u64) -> Recording {
    let mut rng = seeded(seed);
    let [me, ann, ben] = std::array::from_fn(|_| Identity::generate());
    let receiver = home(&mut rng, &me, [&ann, &ben]);
    let senders = [ann, ben];
    let mut number = 0;
    let senders = senders.map(|identity| {
        number += 1;
        Sender::new(&mut rng, &receiver, NAMES[number - 1], identity)
    });
    let log = Log::new(receiver.beside("power.log"));
    let recorded = |command: &mut Command| {
        shim::put_below(command, &library, &receiver.path());
        log.record(command, SYNC_MS);
    };
    let all: usize = senders.iter().map(|sender| sender.letters.len()).sum();
    let mut ends = [End::Killed, if rng.random_bool(0.5) { End::Told } else { End::Killed }];
    if rng.random_bool(0.5) {
        ends.reverse();
    }
    let (mut notes, mut starts) = (Notes::new(), Vec::new());
    let mut actors = [0, 1].map(|at| senders[at].actor(&receiver, receiver.beside(NAMES[at])));
    let outboxes = Outboxes::of(&actors, &receiver);
    for (number, how) in ends.into_iter().chain([End::Killed]).enumerate() {
        starts.push(log.length());
        let peer = receiver.run(recorded);
        for actor in &mut actors {
            actor.start().await;
        }
        let enough = match number {
            2 => usize::MAX,
            _ => notes.len() + rng.random_range(1..all / 2),
        };
        until(&mut actors, &outboxes, &log, &mut notes, enough).await;
        outboxes.note(&senders, &mut notes, &log);
        end(peer, &log, how);
        for actor in &mut actors {
            actor.stop().await;
        }
    }
    let bytes = log.read();
    println!("seed {seed}: {} receipts noted over {} bytes of operations, ends: {ends:?}", notes.len(), bytes.len());
    assert_eq!(notes.len(), all, "everything was delivered in the end");
    nothing_was_missed(&log::parse(&bytes), &receiver.path());
    Recording { receiver, senders, log: bytes, notes, starts }
}

async fn judge(recording: Arc<Recording>, seed: u64) {
    let mut rng = seeded(seed);
    let records = log::parse(&recording.log);
    let cut = aim(&mut rng, seed, &records, &recording.notes, &recording.starts);
    let senders = &recording.senders;
    let receiver = home(&mut rng, &recording.receiver.identity, [&senders[0].identity, &senders[1].identity]);
    cut.tree(&mut rng).write(&receiver.path());
    let _told = cut.told_of_a_failure();
    what_was_receipted_is_there(&recording, &receiver, &cut);
    the_rest_comes(&recording, &receiver, &cut).await;
}

fn what_was_receipted_is_there(recording: &Recording, receiver: &Home, cut: &Cut<'_>) {
    let store = receiver.store();
    is_sound(&receiver.data());
    for sender in &recording.senders {
        let found = stored(&store, sender.identity.peer_id(), Direction::In, &sender.letters);
        let mut own = recording.notes.clone();
        own.retain(|id, _| sender.letters.iter().any(|letter| letter.id == *id));
        promises_are_kept(&own, cut.at, &found);
    }
}

/// The senders know of the receipts that they had before the cut.
async fn the_rest_comes(recording: &Recording, receiver: &Home, cut: &Cut<'_>) {
    let folder = scratch();
    let me = receiver.identity.peer_id();
    let mut actors = [0, 1].map(|at| recording.senders[at].actor(receiver, folder.path().join(NAMES[at])));
    let outboxes = Outboxes::of(&actors, receiver);
    for (store, sender) in outboxes.0.iter().zip(&recording.senders) {
        for letter in &sender.letters {
            if recording.notes.get(&letter.id).is_some_and(|noted| *noted <= cut.at) {
                assert!(store.delivered(&me, &letter.id, 0).unwrap());
            }
        }
    }
    let peer = receiver.run(|_| {});
    for actor in &mut actors {
        actor.start().await;
    }
    let mut look = tokio::time::interval(LOOK);
    while outboxes.pending() > 0 {
        look.tick().await;
    }
    for actor in &mut actors {
        actor.stop().await;
    }
    peer.kill();
    let store = receiver.store();
    for sender in &recording.senders {
        let found = stored(&store, sender.identity.peer_id(), Direction::In, &sender.letters);
        assert_eq!(found.len(), sender.letters.len(), "all of them came, once");
    }
    is_sound(&receiver.data());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_receipted_survives_a_power_cut_and_the_rest_comes_afterwards() {
    let Some(library) = shim::library() else { return };
    cuts("receiving", SHARE, |seed| record(library.clone(), seed), judge).await;
}
