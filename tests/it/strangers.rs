//! Promise 2: a stranger gets no datagram back. Every probe here is sent to a real node on a real socket; that the
//! silence is the gate's and not the test's own is shown by the probe that must be answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use miyu::crypto::sm2::PublicKey;
use miyu::identity::Identity;
use miyu::node::DialError;
use miyu::quic::Traffic;
use rand::{Rng, RngExt, SeedableRng};
use tokio::net::UdpSocket;

use crate::support::{ALL, Actor, PATIENCE, bare, entry, pair};

pub(crate) async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// The first Initial that a dialler sends who expects `key`, caught on a socket that never answers.
pub(crate) async fn recorded_initial(from: &Identity, key: &PublicKey) -> Vec<u8> {
    let tap = socket().await;
    let endpoint = bare(from);
    let _dial = endpoint.dial(tap.local_addr().unwrap(), key).unwrap();
    let mut bytes = vec![0; 2048];
    let (length, _) = tokio::time::timeout(PATIENCE, tap.recv_from(&mut bytes)).await.unwrap().unwrap();
    bytes.truncate(length);
    assert!(length >= 1200 && bytes[0] & 0x80 != 0);
    bytes
}

/// Sends in portions that fit the socket's buffer, each followed by a live link's round trip: when that comes back, the
/// node has read and judged everything before it.
pub(crate) async fn probe(socket: &UdpSocket, target: &Actor, friend: &Actor, datagrams: &[Vec<u8>]) -> Traffic {
    let address = target.settings.listen;
    for portion in datagrams.chunks(100) {
        for datagram in portion {
            socket.send_to(datagram, address).await.unwrap();
        }
        friend.node().ping("bob").await.unwrap();
    }
    target.node().status().traffic
}

/// What the kernel holds for this socket now.
pub(crate) fn answers(socket: &UdpSocket) -> usize {
    let mut bytes = [0; 2048];
    std::iter::from_fn(|| socket.try_recv_from(&mut bytes).ok()).count()
}

/// Sends a knock as a dialler does, again and again: after many failed ones it may not be looked at at once.
pub(crate) async fn is_answered(socket: &UdpSocket, knock: &[u8], address: SocketAddr) -> bool {
    let mut bytes = [0; 2048];
    for _ in 0..40 {
        socket.send_to(knock, address).await.unwrap();
        if tokio::time::timeout(Duration::from_millis(250), socket.recv_from(&mut bytes)).await.is_ok() {
            return true;
        }
    }
    false
}

pub(crate) async fn linked_pair() -> (Actor, Actor) {
    let (mut alice, bob) = pair(ALL, ALL).await;
    alice.node().connect("bob").await.unwrap();
    alice.wait("link", |event| matches!(event, miyu::node::Event::Connected(_)).then_some(())).await;
    (alice, bob)
}

/// A long header of any version with any DCID length, padded.
pub(crate) fn long_header(first: u8, version: [u8; 4], dcid: &[u8], rest: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(version);
    bytes.push(dcid.len() as u8);
    bytes.extend(dcid);
    bytes.extend(rest);
    bytes.resize(size.max(bytes.len()), 0);
    bytes
}

fn forged(rng: &mut impl Rng) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    // Random bytes of every size, as they are and with the form and fixed bits set.
    for size in (0..64).chain((64..1500).step_by(23)) {
        for first in [None, Some(0x40), Some(0xc0), Some(0xff)] {
            let mut bytes = vec![0; size];
            rng.fill_bytes(&mut bytes);
            if let (Some(first), Some(byte)) = (first, bytes.first_mut()) {
                *byte = first | (*byte & 0x3f);
            }
            all.push(bytes);
        }
    }
    // Initials, 0-RTT, Handshake and Retry of version 0, 1 and ours, DCIDs of 0 to 20 bytes, with and without a token.
    for version in [[0; 4], [0, 0, 0, 1], [0x6b, 0x33, 0x43, 0xcf], *b"SMQ1", [0x0a, 0x1a, 0x2a, 0x3a]] {
        for kind in [0xc0, 0xd0, 0xe0, 0xf0, 0x80] {
            for dcid_len in 0..=21 {
                let mut dcid = vec![0; dcid_len];
                rng.fill_bytes(&mut dcid);
                let mut random = vec![0; 1300];
                rng.fill_bytes(&mut random);
                // SCID of 8, no token, a length of 1100.
                let rest = [&[8][..], &random[..8], &[0, 0x44, 0x4c], &random[8..1108]].concat();
                all.push(long_header(kind | 0x03, version, &dcid, &rest, 1200));
                // A token of 32 bytes.
                let rest = [&[8][..], &random[..8], &[32], &random[..32], &[0x44, 0x4c], &random[8..1108]].concat();
                all.push(long_header(kind | 0x03, version, &dcid, &rest, 1252));
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_probe_of_a_stranger_is_answered() {
    let (alice, bob) = linked_pair().await;
    let eve = Identity::generate();
    let seed = 0x6d69_7975;
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut probes = forged(&mut rng);

    // A real Initial under another responder's key, and real ones under bob's key that are spoiled in one place.
    probes.push(recorded_initial(&eve, eve.public()).await);
    let good = recorded_initial(&eve, bob.identity.public()).await;
    for _ in 0..400 {
        let mut bytes = good.clone();
        let at = rng.random_range(0..bytes.len());
        bytes[at] ^= 1 << rng.random_range(0..8);
        probes.push(bytes);
    }
    for length in [0, 1, 5, 26, 27, 50, 600, 1199] {
        probes.push(good[..length].to_vec());
    }
    let mut versioned = good.clone();
    versioned[1..5].copy_from_slice(&[0, 0, 0, 1]);
    probes.push(versioned);
    // The same in bursts.
    let burst = probes[probes.len() - 20..].to_vec();
    for _ in 0..20 {
        probes.extend(burst.clone());
    }

    let socket = socket().await;
    let before = bob.node().status().traffic;
    let after = probe(&socket, &bob, &alice, &probes).await;
    assert_eq!(answers(&socket), 0, "a stranger was answered (seed {seed:#x})");
    assert!(after.strangers > before.strangers + 1_000, "the node has seen the probes: {after:?}");

    // The unspoiled one is answered: eve knows bob's public key. It then is judged, and nothing more comes of it.
    assert!(is_answered(&socket, &good, bob.settings.listen).await, "or this test could not fail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_knock_is_not_answered_again_after_a_restart() {
    let (alice, mut bob) = linked_pair().await;
    let good = recorded_initial(&alice.identity, bob.identity.public()).await;
    let first = socket().await;
    first.send_to(&good, bob.settings.listen).await.unwrap();
    let mut bytes = [0; 2048];
    tokio::time::timeout(PATIENCE, first.recv_from(&mut bytes)).await.expect("the first time").unwrap();

    bob.stop().await;
    bob.start().await;
    let second = socket().await;
    alice.node().connect("bob").await.unwrap();
    let traffic = probe(&second, &bob, &alice, &vec![good; 50]).await;
    assert_eq!(answers(&second), 0, "a recorded knock was answered after a restart");
    assert_eq!(traffic.replays, 50);
}

/// The datagrams that a relay saw, in order.
pub(crate) type Recorded = Arc<std::sync::Mutex<Vec<Vec<u8>>>>;

/// Stands between a dialler and a node, and keeps what it saw.
async fn relay(target: SocketAddr) -> (SocketAddr, Recorded) {
    let outside = socket().await;
    let inside = socket().await;
    inside.connect(target).await.unwrap();
    let address = outside.local_addr().unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = seen.clone();
    tokio::spawn(async move {
        let (mut there, mut back) = ([0; 2048], [0; 2048]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((length, from)) = outside.recv_from(&mut there) => {
                    client = Some(from);
                    record.lock().unwrap().push(there[..length].to_vec());
                    let _ = inside.send(&there[..length]).await;
                }
                Ok(length) = inside.recv(&mut back) => {
                    if let Some(client) = client {
                        let _ = outside.send_to(&back[..length], client).await;
                    }
                }
            }
        }
    });
    (address, seen)
}

/// Carol, who is in bob's table too, and is linked to him through a relay that records her datagrams.
pub(crate) async fn carol_through_a_relay(bob: &mut Actor) -> (Actor, Recorded) {
    let carol_id = Identity::generate();
    bob.stop().await;
    bob.settings.peers.push(entry("carol", &carol_id, None, ALL));
    bob.start().await;
    let (through, seen) = relay(bob.settings.listen).await;
    let mut carol = Actor::new(&carol_id, vec![entry("bob", &bob.identity, Some(through), ALL)]);
    carol.start().await;
    carol.node().ping("bob").await.unwrap();
    (carol, seen)
}

/// The connection id that the responder issued: it stands in the short headers of what the dialler sent it.
pub(crate) fn issued_id(seen: &Recorded) -> Vec<u8> {
    let seen = seen.lock().unwrap();
    seen.iter().find(|datagram| datagram[0] & 0x80 == 0).unwrap()[1..9].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_session_replayed_from_elsewhere_is_not_answered() {
    let (alice, mut bob) = linked_pair().await;
    let (mut carol, seen) = carol_through_a_relay(&mut bob).await;
    alice.node().ping("bob").await.unwrap();

    let recorded = seen.lock().unwrap().clone();
    assert!(recorded.len() > 3);
    let stranger = socket().await;
    probe(&stranger, &bob, &alice, &recorded).await;
    assert_eq!(answers(&stranger), 0, "a live session's datagrams were answered to a stranger");
    carol.node().ping("bob").await.expect("the live session goes on");

    carol.stop().await;
    let recorded = seen.lock().unwrap().clone();
    probe(&stranger, &bob, &alice, &recorded).await;
    assert_eq!(answers(&stranger), 0, "an ended session's datagrams were answered to a stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialler_that_is_not_in_the_table_is_told_so() {
    let (_alice, bob) = linked_pair().await;
    let eve_id = Identity::generate();
    let mut eve = Actor::new(&eve_id, vec![entry("bob", &bob.identity, Some(bob.settings.listen), ALL)]);
    eve.start().await;
    let error = eve.node().connect("bob").await.unwrap_err();
    assert!(matches!(error, DialError::NotInTheirTable { .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains(&miyu::identity::key_line(eve_id.public())), "the mend names the key that they need: {hint}");
    assert!(bob.node().status().links.iter().all(|link| link.peer == "alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_in_our_table_hears_nothing_and_says_what_to_compare() {
    let (_alice, bob) = linked_pair().await;
    let (carol_id, wrong) = (Identity::generate(), Identity::generate());
    let mut carol = Actor::new(&carol_id, vec![entry("bob", &wrong, Some(bob.settings.listen), ALL)]);
    carol.start().await;
    let error = carol.node().connect("bob").await.unwrap_err();
    assert!(matches!(error, DialError::NothingHeard { .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("firewall") && hint.contains("miyu id"), "{hint}");
    let traffic = bob.node().status().traffic;
    assert!(traffic.strangers > 0);
}

/// The holder of an address that has stolen nothing but a public key cannot answer for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_responder_with_another_key_is_never_taken_for_the_peer() {
    let (alice_id, bob_id, eve_id) = (Identity::generate(), Identity::generate(), Identity::generate());
    let eve = bare(&eve_id);
    let accepting = eve.clone();
    tokio::spawn(async move {
        while let Some(attempt) = accepting.accept().await {
            let _ = attempt.finish().await;
        }
    });
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, Some(eve.local_addr().unwrap()), ALL)]);
    alice.start().await;
    let error = tokio::time::timeout(Duration::from_secs(30), alice.node().connect("bob")).await.unwrap().unwrap_err();
    assert!(matches!(error, DialError::NothingHeard { .. }), "{error}");
    assert!(alice.node().status().links.is_empty());
}

/// A coalesced Retry or Version Negotiation is not authenticated either: it must not end a session, nor be answered.
pub(crate) fn coalesced(live: &[u8]) -> Vec<Vec<u8>> {
    let mut first = vec![0xe3];
    first.extend(*b"SMQ1");
    first.push(8);
    first.extend(live);
    first.extend([0, 30]);
    first.extend([0x5a; 30]);
    let mut retry = vec![0xf0];
    retry.extend(*b"SMQ1");
    retry.push(8);
    retry.extend(live);
    retry.push(0);
    retry.extend([7; 60]);
    let mut negotiation = vec![0xc0, 0, 0, 0, 0, 8];
    negotiation.extend(live);
    negotiation.extend([0, 0, 0, 0, 1]);
    let mut endless = vec![0xe3];
    endless.extend(*b"SMQ1");
    endless.push(8);
    endless.extend(live);
    // A length of 2^32 - 16.
    endless.extend([0, 0xc0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0]);
    endless.extend([1; 64]);
    let mut all = vec![endless.clone()];
    for second in [retry, negotiation, endless] {
        all.push([first.clone(), second].concat());
    }
    all
}

/// Initials of random bytes to a connection id that was seen on the wire.
pub(crate) fn initials_to(id: &[u8], rng: &mut impl Rng) -> Vec<Vec<u8>> {
    let one = |_| {
        let mut random = vec![0; 1180];
        rng.fill_bytes(&mut random);
        let rest = [&[0, 0, 0x44, 0x80][..], &random].concat();
        long_header(0xc0 | (random[0] & 0x0f), *b"SMQ1", id, &rest, 1200)
    };
    (0..200).map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_seen_on_the_wire_open_nothing_and_end_nothing() {
    let (alice, mut bob) = linked_pair().await;
    let (mut carol, seen) = carol_through_a_relay(&mut bob).await;
    alice.node().ping("bob").await.unwrap();
    let live = &issued_id(&seen);

    let stranger = socket().await;
    let mut rng = rand::rngs::StdRng::seed_from_u64(11);
    let mut probes = coalesced(live);
    let initials = initials_to(live, &mut rng);
    probes.extend(initials.clone());
    probe(&stranger, &bob, &alice, &probes).await;
    assert_eq!(answers(&stranger), 0, "while the session lives");
    carol.node().ping("bob").await.expect("the session goes on");

    // The id of a connection that is gone opens nothing, and costs no honest handshake its place.
    carol.stop().await;
    probe(&stranger, &bob, &alice, &initials).await;
    assert_eq!(answers(&stranger), 0, "after the session");
    carol.start().await;
    carol.node().ping("bob").await.expect("200 forged Initials have used up no handshake");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_refuses_nobody_aloud() {
    let (alice, mut bob) = linked_pair().await;
    let (mut carol, seen) = carol_through_a_relay(&mut bob).await;
    let gone = issued_id(&seen);
    carol.stop().await;
    alice.node().ping("bob").await.unwrap();

    // Under another key, and to the id of a connection that is gone: quinn refuses whatever comes to an endpoint that
    // closes, before it looks whether it opens.
    let eve = Identity::generate();
    let mut probes = initials_to(&gone, &mut rand::rngs::StdRng::seed_from_u64(12));
    probes.push(recorded_initial(&eve, eve.public()).await);
    let stranger = Arc::new(socket().await);
    let (sender, address) = (stranger.clone(), bob.settings.listen);
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let knocking = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            for probe in &probes {
                let _ = sender.send_to(probe, address).await;
            }
            tokio::task::yield_now().await;
        }
    });
    bob.stop().await;
    let _ = stop.send(());
    knocking.await.unwrap();
    assert_eq!(answers(&stranger), 0);
}
