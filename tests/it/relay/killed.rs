//! `kill -9` of a real process at any moment, over a hostile link: what was receipted is there, what was not goes out
//! later, nothing comes twice, and large files go on from what is on the disk.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use miyu::crypto::sm3;
use miyu::identity::{Identity, PeerId, file, key_line, pem};
use miyu::node::history::{History, Kind};
use miyu::node::{Direction, DraftKind, Event, MessageId};
use miyu::store::{Body, NewOutgoing, Store};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tempfile::TempDir;

use super::ledger::{self, Ledger};
use super::line::Relay;
use super::messages::{self, Content, Sent};
use super::weather::Weather;
use super::{Address, RUNS_AT_ONCE, all, half, seeds};
use crate::cli::miyu;
use crate::support::{Actor, CHAT, entry, partial_bytes};

/// Runs that every test run makes, beside [`LARGE_RUNS`].
const RUNS: u64 = 194;
/// Runs with a large file.
const LARGE_RUNS: u64 = 6;
/// Of the runs that are asked for, one in so many has a large file.
const LARGE_SHARE: u64 = 50;
/// Large files on their way at one time.
const LARGE_AT_ONCE: usize = 2;
const LARGE_BYTES: u64 = 200 * 1024 * 1024;
/// What may come again with each kill: the pieces that were on their way or in memory.
const AGAIN_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A moment that does not come is not waited for any longer.
const MOMENT_MAX: Duration = Duration::from_secs(3);
/// Cuts beyond this test how links end, which other runs do.
const CUT_MAX: Duration = Duration::from_secs(3);

/// A peer whose processes are killed: its folder, with a table and a key.
struct Victim {
    folder: TempDir,
    me: Identity,
    other: PeerId,
    sent: Vec<Sent>,
    /// `miyu run`, and a `miyu send` beside it.
    run: Option<Child>,
    send: Option<Child>,
}

impl Victim {
    /// The other one is called "peer" in its table, and is dialled where it has an address.
    fn new(me: &Identity, listen: &Address, other: &Identity, address: Option<String>) -> Self {
        let folder = TempDir::new().unwrap();
        file::save_new(&folder.path().join("me.pem"), &pem::encode_plain(me.secret())).unwrap();
        let address = address.map(|address| format!("address = \"{address}\"\n")).unwrap_or_default();
        let table = format!(
            "[me]\nname = \"me\"\nkey = \"me.pem\"\nlisten = \"{}\"\ndata = \"data\"\n\n\
             [[peer]]\nname = \"peer\"\nkey = \"{}\"\n{address}",
            listen.udp,
            key_line(other.public()),
        );
        std::fs::write(folder.path().join("peers.toml"), table).unwrap();
        Self { folder, me: me.clone(), other: other.peer_id(), sent: Vec::new(), run: None, send: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn ledger(&self) -> Ledger {
        Ledger { other: self.other, history: History::open(&self.data(), &self.me).unwrap() }
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = miyu();
        command.args(arguments).current_dir(self.folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn start(&mut self) {
        if self.run.is_none() {
            self.run = Some(self.spawn(&["run"]));
        }
    }

    /// One more message in the outbox, as another process puts it there. A picture hides nothing.
    fn enqueue(&mut self, rng: &mut StdRng) {
        let (kind, content) = messages::drawn(rng, self.folder.path());
        let (kind, body, content) = match kind {
            DraftKind::Text(text) => (Kind::Text, Body::Text(text), content),
            DraftKind::Picture { bytes, .. } => {
                (Kind::Picture, Body::Bytes(bytes.clone()), Content::Body(Kind::Picture, bytes))
            }
            DraftKind::Clip(bytes) => (Kind::Clip, Body::Bytes(bytes), content),
            DraftKind::File(path) => (Kind::File, Body::File(path), content),
            other => panic!("{other:?} is not drawn"),
        };
        let id = self.put(rng, kind, body);
        self.sent.push(Sent { id, content });
    }

    fn put(&self, rng: &mut StdRng, kind: Kind, body: Body) -> MessageId {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        let id = MessageId::new(now_ms, random);
        let new = NewOutgoing {
            id,
            peer: self.other,
            kind,
            text: None,
            hidden: None,
            name: None,
            mime: None,
            target: None,
            body,
        };
        Store::open(&self.data(), &self.me).unwrap().enqueue(new, now_ms as i64, None).unwrap();
        id
    }

    /// Notes what a `miyu send` that was killed had put into the outbox: its text, or nothing.
    fn note(&mut self, ledger: &Ledger, text: &str) {
        for message in ledger.stored(Direction::Out) {
            if self.sent.iter().all(|sent| sent.id != message.id) {
                assert_eq!(message.text.as_deref(), Some(text));
                self.sent.push(Sent { id: message.id, content: Content::Text(text.to_owned()) });
            }
        }
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        kill(&mut self.run);
        kill(&mut self.send);
    }
}

/// The peer that is killed, the one that is not, and the link between them; either dials the other.
struct Couple {
    victim: Victim,
    actor: Actor,
    own: Ledger,
    sent: Vec<Sent>,
    relay: Relay,
    victim_dials: bool,
    _addresses: [Address; 2],
}

impl Couple {
    async fn new(seed: u64, rng: &mut StdRng, weather: Weather) -> Self {
        let identities = [Identity::generate(), Identity::generate()];
        let addresses = [Address::free(rng), Address::free(rng)];
        let victim_dials = rng.random_bool(0.5);
        let relay = Relay::start(addresses[usize::from(victim_dials)].udp, seed, weather).await;
        let (for_victim, for_actor) = match victim_dials {
            true => (Some(relay.address().to_string()), None),
            false => (None, Some(relay.address())),
        };
        let victim = Victim::new(&identities[0], &addresses[0], &identities[1], for_victim);
        let mut actor = Actor::new(&identities[1], vec![entry("victim", &identities[0], for_actor, CHAT)]);
        actor.settings.listen = addresses[1].udp;
        if seed.is_multiple_of(3) {
            actor.settings.key_update = Duration::from_millis(rng.random_range(50..1_000));
            actor.settings.new_handshake = Duration::from_millis(rng.random_range(200..3_000));
        }
        actor.start().await;
        let history = History::open(&actor.settings.data, &actor.identity).unwrap();
        let own = Ledger { other: identities[0].peer_id(), history };
        Self { victim, actor, own, sent: Vec::new(), relay, victim_dials, _addresses: addresses }
    }

    async fn send(&mut self, rng: &mut StdRng) {
        let (kind, content) = messages::drawn(rng, self.actor.folder.path());
        let id = self.actor.send("victim", kind).await;
        self.sent.push(Sent { id, content });
    }

    /// The moment of a kill: some time after the start, when so many bytes have passed, or when a message of the victim or
    /// a receipt of it has just come.
    async fn moment(&mut self, rng: &mut StdRng) {
        match rng.random_range(0..3) {
            0 => tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_000))).await,
            1 => {
                // As often in the first handshake as in the middle of a file.
                let bytes = 1_u64 << rng.random_range(8..20);
                let until = self.relay.bytes().all() + rng.random_range(bytes..2 * bytes);
                self.relay.until_bytes(until, MOMENT_MAX).await;
            }
            _ => {
                let comes = |event| matches!(event, Event::Delivered { .. } | Event::Message(_)).then_some(());
                let _ = tokio::time::timeout(MOMENT_MAX, self.actor.wait("news", comes)).await;
            }
        }
    }

    /// What both have on the disk now, when the victim has just been killed.
    fn receipts_are_true(&self) {
        let theirs = self.victim.ledger();
        ledger::receipts_are_true(&self.own, &theirs);
        ledger::receipts_are_true(&theirs, &self.own);
    }

    /// Waits until everything has come, and holds it against what was sent.
    async fn end(&mut self) {
        self.victim.start();
        let theirs = self.victim.ledger();
        ledger::delivered(&self.own, &theirs).await;
        ledger::compare(&self.sent, &self.own, &theirs);
        ledger::compare(&self.victim.sent, &theirs, &self.own);
        kill(&mut self.victim.run);
        self.actor.stop().await;
    }
}

/// Messages both ways; the victim is killed one to three times, or a `miyu send` of it beside its `miyu run`.
async fn run(seed: u64) -> usize {
    let mut rng = StdRng::seed_from_u64(!seed);
    let mut weather = Weather::drawn(seed);
    weather.cuts.retain(|(_, length)| *length <= CUT_MAX);
    let mut couple = Couple::new(seed, &mut rng, weather).await;
    for number in 0..rng.random_range(1..=3) {
        for _ in 0..rng.random_range(1..5) {
            match rng.random_bool(0.5) {
                true => couple.victim.enqueue(&mut rng),
                false => couple.send(&mut rng).await,
            }
        }
        let text = format!("one shot {number}");
        let one_shot = couple.victim_dials && rng.random_bool(0.4);
        // Beside a process that stays, or alone.
        if !one_shot || rng.random_bool(0.5) {
            couple.victim.start();
        }
        if one_shot {
            couple.victim.send = Some(couple.victim.spawn(&["send", "peer", &text]));
        }
        couple.moment(&mut rng).await;
        if !one_shot || rng.random_bool(0.5) {
            kill(&mut couple.victim.run);
        }
        kill(&mut couple.victim.send);
        couple.receipts_are_true();
        let theirs = couple.victim.ledger();
        couple.victim.note(&theirs, &text);
    }
    couple.end().await;
    couple.sent.len() + couple.victim.sent.len()
}

async fn kill_often(odd: u64) {
    let seeds = half(seeds(RUNS, 1), odd);
    let messages: usize = all("relay::killed::a_process", seeds, RUNS_AT_ONCE, run).await.iter().sum();
    println!("{messages} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_nothing_and_doubles_nothing() {
    kill_often(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_nothing_and_doubles_nothing_either() {
    kill_often(0).await;
}

/// A large file one way, and a kill at up to three places of it, the last bytes and the hashing among them.
async fn large(seed: u64) {
    let mut rng = StdRng::seed_from_u64(!seed);
    // A link that loses little: what passes it twice was sent again because it had to be.
    let calm = Weather { delay: Duration::from_millis(1), ..Weather::default() };
    let mut couple = Couple::new(seed, &mut rng, calm).await;
    let path = crate::support::file(couple.actor.folder.path(), LARGE_BYTES as usize, seed);
    let digest = {
        let mut hash = sm3::Sm3::new();
        hash.update(&std::fs::read(&path).unwrap());
        hash.finish()
    };
    let victim_sends = seed.is_multiple_of(2);
    let id = match victim_sends {
        true => couple.victim.put(&mut rng, Kind::File, Body::File(path.clone())),
        false => couple.actor.send("victim", DraftKind::File(path.clone())).await,
    };
    std::fs::remove_file(path).unwrap();
    let receiver = if victim_sends { couple.actor.settings.data.clone() } else { couple.victim.data() };
    let kills = rng.random_range(1..=3);
    let mut places: Vec<u64> = (0..kills).map(|_| rng.random_range(LARGE_BYTES / 50..LARGE_BYTES)).collect();
    if rng.random_bool(0.5) {
        places.push(rng.random_range(LARGE_BYTES..LARGE_BYTES * 105 / 100));
    }
    places.sort_unstable();
    for place in &places {
        couple.victim.start();
        couple.relay.until_bytes(LARGE_BYTES.min(*place), super::RUN_PATIENCE).await;
        couple.relay.until_bytes(*place, MOMENT_MAX).await;
        kill(&mut couple.victim.run);
        couple.receipts_are_true();
        let there = partial_bytes(&receiver);
        let known = couple.own.has(&id) || couple.victim.ledger().has(&id);
        assert!(
            known || there + AGAIN_BYTES_MAX * places.len() as u64 > *place * 95 / 100,
            "{there} of {place} bytes are on the disk"
        );
    }
    couple.victim.start();
    let theirs = couple.victim.ledger();
    ledger::delivered(&couple.own, &theirs).await;
    let came = if victim_sends { couple.own.stored(Direction::In) } else { theirs.stored(Direction::In) };
    assert_eq!(
        came.iter().map(|message| (message.id, message.bytes, message.sm3)).collect::<Vec<_>>(),
        [(id, LARGE_BYTES, digest)]
    );
    let receiver = if victim_sends { &couple.own } else { &theirs };
    assert_eq!(sm3::digest(&crate::support::body(&receiver.history, &came[0])), digest, "the same bytes");

    // From the start again it would have been the file once more.
    let passed = couple.relay.bytes().all();
    let again = places.len() as u64 * AGAIN_BYTES_MAX;
    println!("seed {seed}: {passed} bytes passed for a file of {LARGE_BYTES}, killed at {places:?}");
    assert!(passed < LARGE_BYTES * 106 / 100 + again, "{passed} bytes passed for {LARGE_BYTES}");
    kill(&mut couple.victim.run);
    couple.actor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_on_from_the_disk_after_each_kill() {
    all("relay::killed::a_large", seeds(LARGE_RUNS, LARGE_SHARE), LARGE_AT_ONCE, large).await;
}
