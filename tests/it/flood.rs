//! Promise 2 and 4 under load: floods of strangers get not one datagram back, and cost those who are linked, or want to
//! be, little. Each flood ends with a live link's round trip: when that comes back, the node has read and judged all of
//! it.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use miyu::crypto::sm2::PublicKey;
use miyu::identity::Identity;
use miyu::media::camera::{Settings, SourceSpec};
use miyu::node::{CameraPlan, DraftKind, WatchHandle, WatchNews};
use miyu::quic::Traffic;
use miyu::quic::admission::{INCOMING_MAX, INCOMING_RESERVED};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use tokio::net::UdpSocket;

use crate::strangers::{
    answers, carol_through_a_relay, coalesced, initials_to, is_answered, issued_id, linked_pair, long_header,
    recorded_initial, socket,
};
use crate::support::{ALL, Actor, PATIENCE, bare, entry, watch_published};

/// What strangers send in all.
const DATAGRAMS: usize = 100_000;
/// Sent at once: less than a socket's buffer holds by default.
const PORTION: usize = 96;
/// Another address of this machine; only Linux has all of 127/8 without being told.
#[cfg(target_os = "linux")]
const ELSEWHERE: &str = "127.0.0.2:0";
#[cfg(not(target_os = "linux"))]
const ELSEWHERE: &str = "127.0.0.1:0";

async fn elsewhere() -> UdpSocket {
    UdpSocket::bind(ELSEWHERE).await.unwrap()
}

/// Initials of so many attempts of one dialler that expects `key`.
async fn recorded_initials(from: &Identity, key: &PublicKey, count: usize) -> Vec<Vec<u8>> {
    let tap = socket().await;
    let endpoint = bare(from);
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    while all.len() < count {
        let _dial = endpoint.dial(tap.local_addr().unwrap(), key).unwrap();
        let mut bytes = vec![0; 2048];
        // A dial that is given up says so, under the id that it had.
        loop {
            let (length, _) = tokio::time::timeout(PATIENCE, tap.recv_from(&mut bytes)).await.unwrap().unwrap();
            if seen.insert(bytes[6..14].to_vec()) {
                all.push(bytes[..length].to_vec());
                break;
            }
        }
    }
    all
}

/// What a stranger has to forge from: recordings of sessions, and Initials for somebody else.
struct Material {
    /// Datagrams of a dialler whose session lives.
    live: Vec<Vec<u8>>,
    /// Datagrams of a dialler whose session has ended.
    ended: Vec<Vec<u8>>,
    /// The connection id that the responder issued for the live one.
    live_id: Vec<u8>,
    /// Initials of random bytes to it.
    to_live_id: Vec<Vec<u8>>,
    wrong_key: Vec<u8>,
    knock: Vec<u8>,
}

const KINDS: [&str; 20] = [
    "random bytes",
    "another version",
    "version 0",
    "an Initial with a DCID of 0 to 7 bytes",
    "an Initial with a token",
    "a Retry",
    "a Version Negotiation",
    "an Initial under a wrong key",
    "a Handshake packet",
    "a 0-RTT packet",
    "a short header with a random id",
    "a short header with a live id",
    "a truncated recording",
    "a coalesced datagram",
    "an oversized datagram",
    "an empty datagram",
    "an Initial in less than 1,200 bytes",
    "a recorded datagram of a live session",
    "a recorded datagram of an ended session",
    "an Initial to a live id",
];

fn forged(kind: usize, from: &Material, rng: &mut StdRng) -> Vec<u8> {
    let random = |rng: &mut StdRng, count: usize| {
        let mut bytes = vec![0; count];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let long = |rng: &mut StdRng, first: u8, version: [u8; 4], dcid_len: usize, token: u8, body: usize| {
        let dcid = random(rng, dcid_len);
        let length = u16::try_from(body).unwrap() | 0x4000;
        let rest = [&[8][..], &random(rng, 8), &[token], &random(rng, token.into()), &length.to_be_bytes()].concat();
        let rest = [rest, random(rng, body)].concat();
        long_header(first | rng.random_range(0..16), version, &dcid, &rest, body.min(1200))
    };
    let ours = *b"SMQ1";
    match kind {
        0 => {
            let count = rng.random_range(1..1500);
            random(rng, count)
        }
        1 => {
            let version = (rng.next_u32() | 1).to_be_bytes();
            let dcid_len = rng.random_range(0..=20);
            long(rng, 0xc0, if version == ours { [1; 4] } else { version }, dcid_len, 0, 1200)
        }
        2 => {
            let first = 0xc0 | (rng.random_range(0..4) << 4);
            long(rng, first, [0; 4], 8, 0, 1200)
        }
        3 => {
            let dcid_len = rng.random_range(0..8);
            long(rng, 0xc0, ours, dcid_len, 0, 1200)
        }
        4 => long(rng, 0xc0, ours, 8, 32, 1200),
        5 => long(rng, 0xf0, ours, 8, 0, 60),
        6 => {
            let rest = [&[8][..], &random(rng, 8), &ours, &[0, 0, 0, 1]].concat();
            long_header(0xc0, [0; 4], &from.live_id, &rest, 30)
        }
        7 => {
            let mut bytes = from.wrong_key.clone();
            rng.fill_bytes(&mut bytes[6..14]);
            bytes
        }
        8 => long_header(0xe3, ours, &from.live_id, &[&[0, 0x40, 0xff][..], &random(rng, 255)].concat(), 0),
        9 => long(rng, 0xd0, ours, 8, 0, 1200),
        10 => [vec![0x40 | rng.random_range(0..64)], random(rng, 60)].concat(),
        11 => [vec![0x40 | rng.random_range(0..64)], from.live_id.clone(), random(rng, 60)].concat(),
        12 => {
            let whole = if rng.random() { &from.knock } else { &from.live[rng.random_range(0..from.live.len())] };
            whole[..rng.random_range(0..whole.len())].to_vec()
        }
        13 => {
            let all = coalesced(&from.live_id);
            all[rng.random_range(0..all.len())].clone()
        }
        14 => {
            let (first, size) = (from.live_id[0] | 0xc0, rng.random_range(1501..9000));
            long_header(first, ours, &from.live_id, &random(rng, size), 0)
        }
        15 => Vec::new(),
        16 => {
            let body = rng.random_range(20..1100);
            long(rng, 0xc0, ours, 8, 0, body)
        }
        17 => from.live[rng.random_range(0..from.live.len())].clone(),
        18 => from.ended[rng.random_range(0..from.ended.len())].clone(),
        _ => from.to_live_id[rng.random_range(0..from.to_live_id.len())].clone(),
    }
}

/// Frames that the camera took while this ran, and how many of them came.
struct Seen {
    first: u64,
    last: u64,
    came: u64,
}

fn plan() -> CameraPlan {
    CameraPlan {
        source: SourceSpec::Test,
        bandwidth_bits: None,
        settings: Settings { size: Some((320, 240)), fps: 30.0, quality: 80, ..Settings::default() },
    }
}

/// Watches until told to stop.
async fn see(mut watch: WatchHandle, stop: Arc<AtomicBool>) -> Seen {
    let mut seen: Option<Seen> = None;
    while !stop.load(Ordering::Relaxed) {
        let news = tokio::time::timeout(PATIENCE, watch.next()).await.expect("frames come").expect("the watch goes on");
        match (news, &mut seen) {
            (WatchNews::Frame(frame), Some(seen)) => {
                seen.last = frame.seq;
                seen.came += 1;
            }
            (WatchNews::Frame(frame), None) => seen = Some(Seen { first: frame.seq, last: frame.seq, came: 1 }),
            (other, _) => panic!("{other:?}"),
        }
    }
    seen.expect("a frame")
}

/// Waits until the node has read so many datagrams, or for a moment: what a full buffer lost is never read.
async fn read_by(node: &Actor, datagrams: u64) {
    let reading = async {
        while node.node().status().traffic.received_datagrams < datagrams {
            tokio::task::yield_now().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(200), reading).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_datagrams_get_none_back_and_sessions_go_on() {
    let (mut alice, mut bob) = linked_pair().await;
    let (mut carol, ended) = carol_through_a_relay(&mut bob).await;
    carol.stop().await;
    let ended = ended.lock().unwrap().clone();
    let (carol, seen) = carol_through_a_relay(&mut bob).await;
    alice.node().ping("bob").await.unwrap();
    let eve = Identity::generate();
    let live = seen.lock().unwrap().clone();
    let live_id = issued_id(&seen);
    let material = Material {
        live,
        ended,
        to_live_id: initials_to(&live_id, &mut StdRng::seed_from_u64(3)),
        live_id,
        wrong_key: recorded_initial(&eve, eve.public()).await,
        knock: recorded_initial(&eve, bob.identity.public()).await,
    };
    bob.node().publish(plan()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let watch = watch_published(&alice, "bob").await;
    let watching = tokio::spawn(see(watch, stop.clone()));

    let mut rng = StdRng::seed_from_u64(0x7374_7261);
    let sockets = [socket().await, socket().await, elsewhere().await];
    let before = bob.node().status().traffic;
    let (mut sent, mut empty, mut texts) = (0, 0, Vec::new());
    let begun = Instant::now();
    while sent < DATAGRAMS {
        // Kinds one by one, and a whole portion of one kind from one address.
        let burst = sent % (8 * PORTION) == 0;
        let read = bob.node().status().traffic.received_datagrams;
        let mut read_next = read;
        for place in 0..PORTION {
            let kind = if burst { (sent / PORTION) % KINDS.len() } else { (sent + place) % KINDS.len() };
            let datagram = forged(kind, &material, &mut rng);
            read_next += u64::from(!datagram.is_empty());
            let from = &sockets[if burst { 2 } else { place % sockets.len() }];
            from.send_to(&datagram, bob.settings.listen).await.unwrap();
        }
        sent += PORTION;
        empty += PORTION - (read_next - read) as usize;
        read_by(&bob, read_next).await;
        if sent % (10 * PORTION) == 0 {
            alice.node().ping("bob").await.expect("the session goes on");
        }
        if sent % (100 * PORTION) == 0 {
            texts.push(alice.send("bob", DraftKind::Text(format!("after {sent}"))).await);
        }
    }
    alice.node().ping("bob").await.expect("the session goes on");
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let seen = watching.await.unwrap();
    let traffic = bob.node().status().traffic;
    for socket in &sockets {
        assert_eq!(answers(socket), 0, "a stranger was answered");
    }
    let judged = traffic.received_datagrams - before.received_datagrams;
    // A full buffer may lose a few on a busy machine.
    assert!(judged as usize * 100 >= (sent - empty) * 99, "{judged} of {sent} were read");
    assert_eq!(traffic.attempts, before.attempts, "not one of them began a handshake");
    for text in texts {
        assert_eq!(alice.receipt(text).await, Ok(()));
    }
    println!("{sent} datagrams in {took:?}");
    assert_most_frames_came(&seen, before, traffic);
    carol.node().ping("bob").await.expect("the recorded session lives");
    assert_silent_after_a_restart(&alice, &mut bob, &material).await;
}

fn assert_most_frames_came(seen: &Seen, before: Traffic, after: Traffic) {
    let whole = seen.last - seen.first + 1;
    println!(
        "{} failed trials or unwelcome, {} not tried, {} replays; {} of {whole} frames",
        after.strangers - before.strangers,
        after.surplus - before.surplus,
        after.replays - before.replays,
        seen.came
    );
    assert!(seen.came * 10 >= whole * 9, "{} of {whole} frames came meanwhile", seen.came);
}

/// The recordings again, in bursts and from two addresses, to a process that never saw their sessions.
async fn assert_silent_after_a_restart(alice: &Actor, bob: &mut Actor, material: &Material) {
    bob.stop().await;
    bob.start().await;
    alice.node().connect("bob").await.unwrap();
    let sockets = [socket().await, elsewhere().await];
    let recorded: Vec<&Vec<u8>> = material.live.iter().chain(&material.ended).collect();
    for portion in recorded.chunks(PORTION / 8) {
        for from in &sockets {
            for datagram in portion.iter().cycle().take(PORTION) {
                from.send_to(datagram, bob.settings.listen).await.unwrap();
            }
            alice.node().ping("bob").await.unwrap();
        }
    }
    assert!(sockets.iter().all(|socket| answers(socket) == 0), "a recording was answered after a restart");
    assert!(is_answered(&sockets[0], &material.knock, bob.settings.listen).await, "or this test could not fail");
}

/// Floods `target` with knocks that open until told to stop, and with `least` at least; `friend` is linked to it. Says how
/// many it sent, and how many datagrams came back.
async fn knock_until(
    stop: Arc<AtomicBool>,
    knocks: Vec<Vec<u8>>,
    friend: Arc<Actor>,
    target: SocketAddr,
    least: u64,
) -> (u64, u64) {
    let from = elsewhere().await;
    let (mut sent, mut answered) = (0, 0);
    for portion in knocks.chunks(PORTION).cycle() {
        for knock in portion {
            from.send_to(knock, target).await.unwrap();
            sent += 1;
        }
        friend.node().ping("bob").await.expect("the session goes on");
        answered += answers(&from) as u64;
        if sent >= least && stop.load(Ordering::Relaxed) {
            break;
        }
    }
    (sent, answered)
}

/// Dials and finishes handshakes, one after the other; each is judged and closed.
async fn dial_until(stop: Arc<AtomicBool>, eve: Identity, bob: PublicKey, target: SocketAddr) -> u64 {
    let endpoint = bare(&eve);
    let mut closed = 0;
    while !stop.load(Ordering::Relaxed) {
        let dial = endpoint.dial(target, &bob).unwrap();
        if let Ok(Ok(conn)) = tokio::time::timeout(Duration::from_secs(1), dial).await {
            conn.closed().await;
            closed += 1;
        }
    }
    closed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_knocks_that_open_keeps_no_peer_of_the_table_out() {
    let (alice, mut bob) = linked_pair().await;
    let (carol_id, dave_id, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    bob.stop().await;
    bob.settings.peers.push(entry("carol", &carol_id, None, ALL));
    bob.settings.peers.push(entry("dave", &dave_id, None, ALL));
    bob.start().await;
    let target = bob.settings.listen;
    alice.node().ping("bob").await.unwrap();
    let knocks = recorded_initials(&eve, bob.identity.public(), 512).await;
    let stop = Arc::new(AtomicBool::new(false));
    let alice = Arc::new(alice);
    let flood = tokio::spawn(knock_until(stop.clone(), knocks, alice.clone(), target, 0));
    let dials = tokio::spawn(dial_until(stop.clone(), eve, bob.identity.public().clone(), target));
    // The rate that is open to all is used up before anybody else comes.
    let mut before = bob.node().status().traffic.surplus;
    while bob.node().status().traffic.surplus < before + 2_000 {
        alice.node().ping("bob").await.unwrap();
    }

    // Carol comes from an address that bob has had a link with, dave from one that he has not.
    for (name, identity, from) in [("carol", carol_id, "127.0.0.1:0"), ("dave", dave_id, "127.0.0.3:0")] {
        let mut peer = Actor::new(&identity, vec![entry("bob", &bob.identity, Some(target), ALL)]);
        if cfg!(target_os = "linux") {
            peer.settings.listen = from.parse().unwrap();
        }
        peer.start().await;
        let linked = peer.node().connect("bob").await;
        assert!(linked.is_ok(), "{name} is not linked by his first dial: {linked:?}");
        let text = peer.send("bob", DraftKind::Text("through the flood".into())).await;
        assert_eq!(peer.receipt(text).await, Ok(()));
        // The flood goes on: what was quicker than its next knock proves nothing for the next peer.
        while bob.node().status().traffic.surplus <= before {
            alice.node().ping("bob").await.unwrap();
        }
        before = bob.node().status().traffic.surplus;
    }
    stop.store(true, Ordering::Relaxed);
    let (sent, answered) = flood.await.unwrap();
    let closed = dials.await.unwrap();
    let traffic = bob.node().status().traffic;
    println!("{sent} knocks, {answered} answers; {closed} handshakes of a stranger closed; {traffic:?}");
    assert!(traffic.attempts_at_once_max <= INCOMING_MAX as u64, "{traffic:?}");
    assert!(closed > 0, "strangers who know the key are judged all the while");
    assert!(bob.node().status().links.iter().all(|link| link.peer != "eve"));
}

/// Knocks from so many addresses that everything is used up that strangers can have: the places, the rate for all and
/// the reserve of those who were never here. Whoever has been linked has its own.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_from_many_addresses_keeps_nobody_out_who_was_linked_before() {
    const ADDRESSES: u8 = 64;
    let (alice, mut bob) = linked_pair().await;
    let (carol_id, eve) = (Identity::generate(), Identity::generate());
    bob.stop().await;
    bob.settings.peers.push(entry("carol", &carol_id, None, ALL));
    bob.start().await;
    let target = bob.settings.listen;
    alice.node().ping("bob").await.unwrap();
    let mut carol = Actor::new(&carol_id, vec![entry("bob", &bob.identity, Some(target), ALL)]);
    carol.settings.listen = "127.0.0.3:0".parse().unwrap();
    carol.start().await;
    carol.node().ping("bob").await.unwrap();
    carol.stop().await;

    let knocks = recorded_initials(&eve, bob.identity.public(), 512).await;
    let mut sockets = Vec::new();
    for last in 1..=ADDRESSES {
        sockets.push(UdpSocket::bind(SocketAddr::from(([127, 0, 1, last], 0))).await.unwrap());
    }
    // What strangers can have: with one place more, one that is kept for others was taken.
    let full = (INCOMING_MAX - INCOMING_RESERVED) as u64;
    let places_max = || bob.node().status().traffic.attempts_at_once_max;
    let done = AtomicBool::new(false);
    let flood = async {
        let mut all = knocks.iter().cycle().zip(sockets.iter().cycle());
        while !done.load(Ordering::Relaxed) {
            let read = bob.node().status().traffic.received_datagrams;
            for (knock, from) in all.by_ref().take(PORTION) {
                from.send_to(knock, target).await.unwrap();
            }
            read_by(&bob, read + PORTION as u64).await;
        }
    };
    let comes = async {
        while places_max() < full {
            tokio::task::yield_now().await;
        }
        // Strangers may leave a place just when she comes: then she comes again.
        while places_max() <= full {
            carol.start().await;
            let linked = carol.node().connect("bob").await;
            assert!(linked.is_ok(), "carol is not linked by her first dial: {linked:?}");
            carol.stop().await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let both = async { tokio::join!(flood, comes) };
    tokio::time::timeout(PATIENCE, both).await.expect("carol has a place that strangers do not take");
    alice.node().ping("bob").await.expect("the session goes on");
}

/// The most memory that a process has had, in KiB.
#[cfg(target_os = "linux")]
fn memory_kib_max(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Handshakes of strangers are in memory for 8 s at most, and there are few of them: 48 at a time here.
#[cfg(target_os = "linux")]
const FLOODED_KIB_MAX: u64 = 24 * 1024;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_knocks_costs_a_process_little_memory() {
    use crate::cli::{Hosts, Peer, json, ok};
    let hosts = Hosts::new("[\"chat\"]");
    let made = json(&ok(&["id", "--json"], &hosts.bob));
    let bob = miyu::identity::parse_key_line(made[0]["public"].as_str().unwrap()).unwrap();
    let alice_id = Identity::generate();
    let table = std::fs::read_to_string(hosts.bob.join("peers.toml")).unwrap();
    let alice_line = miyu::identity::key_line(alice_id.public());
    let table = format!("{table}\n[[peer]]\nname = \"friend\"\nkey = \"{alice_line}\"\n");
    std::fs::write(hosts.bob.join("peers.toml"), table).unwrap();
    let process = Peer::start(&["run"], &hosts.bob);
    let target = SocketAddr::from(([127, 0, 0, 1], hosts.bob_port));
    let mut peer = entry("bob", &alice_id, Some(target), ALL);
    peer.id = miyu::identity::PeerId::of(&bob);
    peer.key = bob.clone();
    let mut alice = Actor::new(&alice_id, vec![peer]);
    alice.start().await;
    alice.node().ping("bob").await.unwrap();
    let eve = Identity::generate();
    let knocks = recorded_initials(&eve, &bob, 1024).await;
    // What a first handshake and full socket buffers need is no growth.
    let over = Arc::new(AtomicBool::new(true));
    let alice = Arc::new(alice);
    knock_until(over.clone(), knocks[..PORTION].to_vec(), alice.clone(), target, 1).await;
    let before = memory_kib_max(process.pid());

    let stop = Arc::new(AtomicBool::new(false));
    let dials = tokio::spawn(dial_until(stop.clone(), eve, bob, target));
    let (sent, answered) = knock_until(over, knocks[PORTION..].to_vec(), alice, target, 60_000).await;
    stop.store(true, Ordering::Relaxed);
    dials.await.unwrap();
    let grown = memory_kib_max(process.pid()) - before;
    println!("{sent} knocks, {answered} answers: from {before} KiB by {grown} KiB");
    assert!(grown <= FLOODED_KIB_MAX, "{grown} KiB more than before");
}

/// Windows of a transfer with and without a flood in turn.
const WINDOW: Duration = Duration::from_millis(300);
const WINDOWS: usize = 14;
/// Datagrams a millisecond while the flood is on.
const FLOOD_PER_MS: usize = 4;

/// An endpoint that takes in whatever comes, and counts it.
fn sink(identity: &Identity) -> (SocketAddr, Arc<AtomicU64>) {
    let endpoint = bare(identity);
    let address = endpoint.local_addr().unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        while let Some(attempt) = endpoint.accept().await {
            let (conn, _place) = attempt.finish().await.unwrap();
            let mut recv = conn.accept_uni().await.unwrap();
            while let Ok(Some(chunk)) = recv.read_chunk(1 << 20, true).await {
                count.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
            }
        }
    });
    (address, taken)
}

/// A claim about time, so it is a ratio within one run, and asked for by name: the flood's own sender shares the
/// machine's cores with both ends, and so does whatever else runs there. The figure is printed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a measurement: it wants the machine for itself"]
async fn a_bulk_transfer_keeps_its_rate_under_a_flood() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let (target, taken) = sink(&bob);
    let dialler = bare(&alice);
    let conn = dialler.dial(target, bob.public()).unwrap().await.unwrap();
    let mut send = conn.open_uni().await.unwrap();
    let piece = vec![3; 256 * 1024];
    let pushing = tokio::spawn(async move { while send.write_all(&piece).await.is_ok() {} });

    let material = [
        recorded_initial(&eve, eve.public()).await,
        long_header(0xc0, [0, 0, 0, 1], &[7; 8], &[0; 30], 1200),
        [&[0x40][..], &[9; 1199]].concat(),
        recorded_initial(&eve, bob.public()).await,
    ];
    let (flood, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (on, over) = (flood.clone(), done.clone());
    let flooding = std::thread::spawn(move || {
        let from = std::net::UdpSocket::bind(ELSEWHERE).unwrap();
        let mut sent = 0_usize;
        while !over.load(Ordering::Relaxed) {
            for datagram in material.iter().cycle().take(FLOOD_PER_MS).filter(|_| on.load(Ordering::Relaxed)) {
                let _ = from.send_to(datagram, target);
                sent += 1;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        sent
    });
    let mut rates = BTreeMap::from([(false, Vec::new()), (true, Vec::new())]);
    for window in 0..WINDOWS {
        let flooded = window % 2 == 1;
        flood.store(flooded, Ordering::Relaxed);
        let (before, begun) = (taken.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(WINDOW).await;
        let rate = (taken.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
        rates.entry(flooded).or_default().push(rate);
    }
    done.store(true, Ordering::Relaxed);
    pushing.abort();
    let sent = flooding.join().unwrap();
    let [calm, flooded] = [false, true].map(|key| {
        let rates = rates.get_mut(&key).unwrap();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("{sent} datagrams; {:.0} MB/s without, of which {:.2} are left with", calm / 1e6, flooded / calm);
    assert!(flooded >= calm * 0.5, "{:.2} of the rate is left", flooded / calm);
}
