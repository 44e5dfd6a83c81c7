//! Promise 3 over a hostile link: what is sent both ways arrives once, whole and in order, and no receipt lies, whatever
//! the link does, whoever restarts meanwhile, and however often keys are renewed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use miyu::identity::Identity;
use miyu::node::history::History;
use miyu::node::{Direction, Event, MessageId};
use miyu::store::KEEP_PARTIAL_BYTES;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::ledger::{self, Ledger};
use super::line::{Counts, Relay};
use super::messages::{self, Sent};
use super::weather::Weather;
use super::{Address, RUNS_AT_ONCE, all, half, seeds};
use crate::support::{Actor, CHAT, entry};

/// Runs that every test run makes.
const RUNS: u64 = 500;

/// One peer of a run, and what it sent.
struct Side {
    actor: Actor,
    /// How the other one is called in its table.
    other: &'static str,
    ledger: Ledger,
    sent: Vec<Sent>,
    receipted: HashSet<MessageId>,
    /// How far each large body has come in the current try.
    progress: HashMap<MessageId, u64>,
    resumed: usize,
}

impl Side {
    fn new(actor: Actor, name: &'static str, other: &Identity) -> Self {
        let history = History::open(&actor.settings.data, &actor.identity).unwrap();
        let ledger = Ledger { other: other.peer_id(), history };
        Self {
            actor,
            other: name,
            ledger,
            sent: Vec::new(),
            receipted: HashSet::new(),
            progress: HashMap::new(),
            resumed: 0,
        }
    }

    async fn send(&mut self, rng: &mut StdRng) {
        let (kind, content) = messages::drawn(rng, self.actor.folder.path());
        let id = self.actor.send(self.other, kind).await;
        self.sent.push(Sent { id, content });
    }

    /// Waits until at most `left` messages have no receipt. Each receipt is held against the receiver's files, and is
    /// told once.
    async fn deliver(&mut self, receiver: &Ledger, left: u64) {
        while self.ledger.pending() > left {
            let (progress, resumed) = (&mut self.progress, &mut self.resumed);
            let news = |event| match event {
                Event::Delivered { id, .. } => Some(Some(id)),
                Event::Failed { reason, .. } => panic!("it failed: {reason}"),
                Event::Progress { id, sent, .. } => {
                    let before = progress.insert(id, sent);
                    // The first piece of a try that did not start at the beginning.
                    *resumed += usize::from(before.is_none_or(|before| sent <= before) && sent > KEEP_PARTIAL_BYTES);
                    // A body that moves is no stall: where a fifth is lost, a large one takes its minute.
                    Some(None)
                }
                _ => None,
            };
            let Some(id) = self.actor.wait("delivery", news).await else { continue };
            assert!(receiver.has(&id), "{id} was receipted and is not stored");
            assert!(self.receipted.insert(id), "{id} was told to be delivered twice");
        }
    }

    async fn restart(&mut self) {
        self.actor.stop().await;
        self.actor.start().await;
    }
}

/// What a run was.
#[derive(Default)]
struct Figures {
    counts: Counts,
    messages: usize,
    bytes: u64,
    restarts: usize,
    resumed: usize,
    key_updates: u64,
}

/// Alice and bob, and what lies between them. In every third run both dial, each over a link of its own.
async fn couple(seed: u64, rng: &mut StdRng) -> ([Side; 2], Vec<Relay>, Vec<Address>) {
    let identities = [Identity::generate(), Identity::generate()];
    let addresses = [Address::free(rng), Address::free(rng)];
    let mut relays = vec![Relay::start(addresses[1].udp, seed, Weather::drawn(seed)).await];
    let mut back = None;
    if seed.is_multiple_of(3) {
        let relay = Relay::start(addresses[0].udp, !seed, Weather::drawn(seed)).await;
        back = Some(relay.address());
        relays.push(relay);
    }
    let [alice_id, bob_id] = &identities;
    let mut alice = Actor::new(alice_id, vec![entry("bob", bob_id, Some(relays[0].address()), CHAT)]);
    let mut bob = Actor::new(bob_id, vec![entry("alice", alice_id, back, CHAT)]);
    for (actor, address) in [(&mut alice, &addresses[0]), (&mut bob, &addresses[1])] {
        actor.settings.listen = address.udp;
        // Every other run renews its keys all the while.
        if seed % 4 < 2 {
            actor.settings.key_update = Duration::from_millis(rng.random_range(50..1_000));
            actor.settings.new_handshake = Duration::from_millis(rng.random_range(200..3_000));
        }
        actor.start().await;
    }
    ([Side::new(alice, "bob", bob_id), Side::new(bob, "alice", alice_id)], relays, addresses.into())
}

/// Both send, one or both of them may restart in the middle, both send again.
async fn run(seed: u64) -> Figures {
    let mut rng = StdRng::seed_from_u64(!seed);
    let (mut sides, relays, _addresses) = couple(seed, &mut rng).await;
    let mut figures = Figures::default();
    for _ in 0..rng.random_range(1..3) {
        for _ in 0..rng.random_range(3..10) {
            sides[rng.random_range(0..2)].send(&mut rng).await;
        }
        if rng.random_bool(0.6) {
            let [alice, bob] = &mut sides;
            // In the middle: some have their receipt, others are on their way.
            let (waiting, other) = (alice.ledger.pending(), bob.ledger.clone());
            alice.deliver(&other, rng.random_range(0..=waiting)).await;
            figures.key_updates += alice.actor.node().status().key_updates;
            match rng.random_range(0..5) {
                0 => drop(tokio::join!(alice.restart(), bob.restart())),
                1 | 2 => alice.restart().await,
                _ => bob.restart().await,
            }
            figures.restarts += 1;
            ledger::receipts_are_true(&alice.ledger, &bob.ledger);
            ledger::receipts_are_true(&bob.ledger, &alice.ledger);
        }
    }
    let [alice, bob] = &mut sides;
    let (of_alice, of_bob) = (alice.ledger.clone(), bob.ledger.clone());
    tokio::join!(alice.deliver(&of_bob, 0), bob.deliver(&of_alice, 0));
    figures.key_updates += alice.actor.node().status().key_updates;
    ledger::compare(&alice.sent, &of_alice, &of_bob);
    ledger::compare(&bob.sent, &of_bob, &of_alice);
    for side in &sides {
        let stored = side.ledger.stored(Direction::Out);
        figures.messages += stored.len();
        figures.bytes += stored.iter().map(|message| message.bytes).sum::<u64>();
        figures.resumed += side.resumed;
    }
    for relay in &relays {
        figures.counts += relay.counts();
    }
    // Both at once, as an end without a word costs a farewell's time.
    let [mut alice, mut bob] = sides;
    tokio::join!(alice.actor.stop(), bob.actor.stop());
    figures
}

async fn deliver(odd: u64) {
    let done = all("relay::runs", half(seeds(RUNS, 1), odd), RUNS_AT_ONCE, run).await;
    let sum = |pick: fn(&Figures) -> u64| done.iter().map(pick).sum::<u64>();
    println!(
        "{} runs: {} messages, {} bytes, {} restarts, {} bodies resumed, {} key updates; datagrams: {} passed, {} lost, \
         {} damaged, {} twice; {} cuts, {} moves",
        done.len(),
        sum(|figures| figures.messages as u64),
        sum(|figures| figures.bytes),
        sum(|figures| figures.restarts as u64),
        sum(|figures| figures.resumed as u64),
        sum(|figures| figures.key_updates),
        sum(|figures| figures.counts.passed),
        sum(|figures| figures.counts.lost),
        sum(|figures| figures.counts.damaged),
        sum(|figures| figures.counts.twice),
        sum(|figures| figures.counts.cuts),
        sum(|figures| figures.counts.moves),
    );
    if done.len() >= 100 {
        assert!(sum(|figures| figures.resumed as u64) > 0, "no body went on in the middle");
        assert!(sum(|figures| figures.key_updates) > 0 && sum(|figures| figures.counts.moves) > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_arrives_once_and_in_order_over_a_hostile_link() {
    deliver(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_arrives_once_and_in_order_over_a_hostile_link_too() {
    deliver(0).await;
}
