//! Promise 3 over a hostile link: what is sent both ways arrives once, whole and in order, and no receipt lies, whatever
//! the link does and whoever restarts meanwhile.

use std::time::{Duration, Instant};

use miyu::identity::{Identity, PeerId};
use miyu::node::history::History;
use miyu::node::{Direction, Event, Message, MessageId, State};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::line::{Counts, Relay};
use super::messages::{self, Sent};
use super::weather::Weather;
use crate::support::{Actor, CHAT, entry};

/// Runs under way at one time: they wait for timers most of the time.
const RUNS_AT_ONCE: usize = 16;
/// Nothing a link does may hold a run up for longer.
const RUN_PATIENCE: Duration = Duration::from_secs(150);

/// One peer of a run, and what it sent.
struct Side {
    actor: Actor,
    /// How the other one is called in its table, and its key.
    other: (&'static str, PeerId),
    /// Its files, opened a second time: what they say is on the disk, whatever the node believes.
    history: History,
    sent: Vec<Sent>,
}

impl Side {
    fn new(actor: Actor, name: &'static str, other: &Identity) -> Self {
        let history = History::open(&actor.settings.data).unwrap();
        Self { actor, other: (name, other.peer_id()), history, sent: Vec::new() }
    }

    async fn send(&mut self, rng: &mut StdRng) {
        let (kind, content) = messages::drawn(rng, self.actor.folder.path());
        let id = self.actor.send(self.other.0, kind).await;
        self.sent.push(Sent { id, content });
    }

    /// What is stored in one direction, in the order in which it is shown.
    fn stored(&self, direction: Direction) -> Vec<Message> {
        let mut all = self.history.page(Some(&self.other.1), None, 1_000, None).unwrap();
        all.retain(|message| message.direction == direction);
        all
    }

    /// Waits until at most `left` messages have no receipt. Each receipt is held against the receiver's files.
    async fn deliver(&mut self, receiver: &History, left: u64) {
        let me = self.actor.identity.peer_id();
        while self.history.pending(&self.other.1).unwrap() > left {
            let news = |event| match event {
                Event::Delivered { id, .. } => Some(Ok(id)),
                Event::Failed { reason, .. } => Some(Err(reason)),
                _ => None,
            };
            let id = self.actor.wait("delivery", news).await.unwrap_or_else(|reason| panic!("it failed: {reason}"));
            assert!(is_stored(receiver, &me, &id), "{id} was receipted and is not stored");
        }
    }
}

fn is_stored(receiver: &History, sender: &PeerId, id: &MessageId) -> bool {
    receiver.message(sender, Direction::In, id).unwrap().is_some()
}

/// Whoever has a receipt in its files, the other one has the message in its own.
fn receipts_are_true(sender: &Side, receiver: &Side) {
    for message in sender.stored(Direction::Out) {
        let stored = is_stored(&receiver.history, &sender.actor.identity.peer_id(), &message.id);
        assert!(stored || message.state != State::Delivered, "{message:?} was receipted and is not stored");
    }
}

/// Everything arrived, once, in order, whole.
fn compare(sender: &Side, receiver: &Side) {
    let (own, came) = (sender.stored(Direction::Out), receiver.stored(Direction::In));
    let ids = |messages: &[Message]| messages.iter().map(|message| message.id).collect::<Vec<_>>();
    let sent: Vec<_> = sender.sent.iter().map(|sent| sent.id).collect();
    assert_eq!(ids(&own), sent, "the sender's own history");
    assert_eq!(ids(&came), sent, "each once, in the order in which they were sent");
    for (number, ((sent, own), came)) in (1..).zip(sender.sent.iter().zip(&own).zip(&came)) {
        assert_eq!((own.seq, own.state, came.state), (number, State::Delivered, State::Received));
        messages::compare(sent, came, own);
    }
}

/// What a run was.
#[derive(Default)]
struct Figures {
    counts: Counts,
    messages: usize,
    bytes: u64,
    restarts: usize,
}

/// Alice dials bob through the relay; both send, one of them may restart in the middle, both send again.
async fn run(seed: u64) -> Figures {
    let mut rng = StdRng::seed_from_u64(!seed);
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("alice", &alice_id, None, CHAT)]);
    let relay = Relay::start(bob.start().await, seed, Weather::drawn(seed)).await;
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, Some(relay.address()), CHAT)]);
    alice.start().await;
    let mut sides = [Side::new(alice, "bob", &bob_id), Side::new(bob, "alice", &alice_id)];

    let mut restarts = 0;
    for _ in 0..rng.random_range(1..3) {
        for _ in 0..rng.random_range(3..10) {
            sides[rng.random_range(0..2)].send(&mut rng).await;
        }
        if rng.random_bool(0.5) {
            let [alice, bob] = &mut sides;
            // In the middle: some have their receipt, others are on their way.
            let waiting = alice.history.pending(&alice.other.1).unwrap();
            alice.deliver(&bob.history, rng.random_range(0..=waiting)).await;
            let leaving = &mut sides[rng.random_range(0..2)];
            leaving.actor.stop().await;
            leaving.actor.start().await;
            restarts += 1;
            receipts_are_true(&sides[0], &sides[1]);
            receipts_are_true(&sides[1], &sides[0]);
        }
    }
    let [alice, bob] = &mut sides;
    let (of_alice, of_bob) = (alice.history.clone(), bob.history.clone());
    tokio::join!(alice.deliver(&of_bob, 0), bob.deliver(&of_alice, 0));
    compare(alice, bob);
    compare(bob, alice);
    let all: Vec<_> = sides.iter().flat_map(|side| side.stored(Direction::Out)).collect();
    let bytes = all.iter().map(|message| message.bytes).sum();
    Figures { counts: relay.counts(), messages: all.len(), bytes, restarts }
}

/// A run with its time limit; a failure is told with its seed.
async fn judged(seed: u64) -> Result<Figures, String> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    running.spawn(run(seed));
    let said = match tokio::time::timeout(RUN_PATIENCE, running.join_next()).await {
        Ok(Some(Ok(figures))) => {
            println!("seed {seed}: {} messages, {:?}, {:.1?}", figures.messages, figures.counts, begun.elapsed());
            return Ok(figures);
        }
        Ok(Some(Err(error))) => match error.into_panic().downcast::<String>() {
            Ok(words) => *words,
            Err(other) => {
                other.downcast::<&str>().map_or_else(|_| "it panicked".to_owned(), |words| (*words).to_owned())
            }
        },
        Ok(None) | Err(_) => format!("not done after {RUN_PATIENCE:?}: {:#?}", Weather::drawn(seed)),
    };
    Err(format!("MIYU_RELAY_SEED={seed} meets it again: {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_arrives_once_and_in_order_over_a_hostile_link() {
    let mut waiting = super::seeds();
    println!("seeds {waiting:?}");
    let (mut running, mut done, mut failures) = (JoinSet::new(), Vec::new(), Vec::new());
    loop {
        while running.len() < RUNS_AT_ONCE
            && let Some(seed) = waiting.next()
        {
            running.spawn(judged(seed));
        }
        match running.join_next().await {
            None => break,
            Some(judgement) => match judgement.unwrap() {
                Ok(figures) => done.push(figures),
                Err(failure) => {
                    println!("{failure}");
                    failures.push(failure);
                }
            },
        }
    }
    assert!(failures.is_empty(), "{} runs failed:\n{}", failures.len(), failures.join("\n"));
    let sum = |pick: fn(&Figures) -> u64| done.iter().map(pick).sum::<u64>();
    println!(
        "{} runs: {} messages, {} bytes, {} restarts; datagrams: {} passed, {} lost, {} damaged, {} twice; {} cuts, {} moves",
        done.len(),
        sum(|figures| figures.messages as u64),
        sum(|figures| figures.bytes),
        sum(|figures| figures.restarts as u64),
        sum(|figures| figures.counts.passed),
        sum(|figures| figures.counts.lost),
        sum(|figures| figures.counts.damaged),
        sum(|figures| figures.counts.twice),
        sum(|figures| figures.counts.cuts),
        sum(|figures| figures.counts.moves),
    );
}
