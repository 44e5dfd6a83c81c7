//! How links come to be, cross, rotate and end.

use std::time::Duration;

use miyu::identity::Identity;
use miyu::node::{DialError, DraftKind, Event, WatchNews, WatchOptions};
use miyu::wire::{Opening, Welcome};
use quinn::ConnectionError;

use crate::raw::{Eve, get, hello, put};
use crate::support::{ALL, Actor, CHAT, PATIENCE, bare, entry, file, pair};

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_tells_suite_group_and_round_trip() {
    let (alice, bob) = pair(CHAT, CHAT).await;
    let pong = alice.node().ping("bob").await.unwrap();
    assert_eq!((pong.link.suite.as_str(), pong.link.group.as_str()), ("TLS_SM4_GCM_SM3", "curveSM2"));
    assert_eq!(pong.link.address, bob.settings.listen);
    // One machine, one clock: the estimate must hold what it says.
    assert!(pong.clock_offset_us.unsigned_abs() <= pong.clock_error_us + 1_000, "{pong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_that_dial_each_other_end_with_one_link() {
    for _ in 0..5 {
        let (a_id, b_id) = (Identity::generate(), Identity::generate());
        let mut a = Actor::new(&a_id, vec![]);
        let mut b = Actor::new(&b_id, vec![]);
        let (a_address, b_address) = (a.start().await, b.start().await);
        a.stop().await;
        b.stop().await;
        a.settings.peers = vec![entry("b", &b_id, Some(b_address), ALL)];
        b.settings.peers = vec![entry("a", &a_id, Some(a_address), ALL)];
        tokio::join!(a.start(), b.start());
        let (to_b, to_a) = tokio::join!(a.node().ping("b"), b.node().ping("a"));
        to_b.unwrap();
        to_a.unwrap();
        let mut messages = Vec::new();
        for number in 0..10 {
            messages.push((a.send("b", DraftKind::Text(format!("a{number}"))).await, true));
            messages.push((b.send("a", DraftKind::Text(format!("b{number}"))).await, false));
        }
        for (id, from_a) in messages {
            let sender = if from_a { &mut a } else { &mut b };
            sender.receipt(id).await.unwrap();
        }
        // Both sides came to the same end: one link each.
        for actor in [&a, &b] {
            let mut links = actor.node().status().links.len();
            for _ in 0..50 {
                if links == 1 {
                    break;
                }
                actor.node().ping(if links > 0 && std::ptr::eq(actor, &a) { "b" } else { "a" }).await.unwrap();
                links = actor.node().status().links.len();
            }
            assert_eq!(links, 1);
        }
    }
}

/// Bob has dialled eve, and her own dial reaches him a moment later: the smaller id's dial stays.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_crossing_dials_the_one_of_the_smaller_id_stays() {
    const REPLACED: u64 = 1;
    const DUPLICATE: u64 = 2;
    for bob_is_smaller in [true, false] {
        let (bob_id, eve_id) = loop {
            let (bob, eve) = (Identity::generate(), Identity::generate());
            if (bob.peer_id() < eve.peer_id()) == bob_is_smaller {
                break (bob, eve);
            }
        };
        let endpoint = bare(&eve_id);
        let mut bob = Actor::new(&bob_id, vec![entry("eve", &eve_id, endpoint.local_addr().ok(), ALL)]);
        bob.start().await;
        let (first, _place) = endpoint.accept().await.unwrap().finish().await.unwrap();
        let (mut send, mut recv) = first.accept_bi().await.unwrap();
        let _hello: Opening = get(&mut recv).await.unwrap();
        let hello = hello(1);
        put(&mut send, &Welcome { instance: hello.instance, receives: true, camera: false, agent: None }).await;
        bob.wait("bob's link", |event| matches!(event, Event::Connected(_)).then_some(())).await;
        let second = Eve::dial(&bob, &eve_id).await;
        let (mut control, _welcome) = second.open_bi().await.unwrap();
        put(&mut control, &Opening::Control(hello)).await;

        let (goes, stays, code) =
            if bob_is_smaller { (&second, &first, DUPLICATE) } else { (&first, &second, REPLACED) };
        match tokio::time::timeout(PATIENCE, goes.closed()).await.expect("one of two goes") {
            ConnectionError::ApplicationClosed(frame) => assert_eq!(frame.error_code.into_inner(), code),
            other => panic!("{other}"),
        }
        assert!(stays.close_reason().is_none());
        assert_eq!(bob.node().status().links.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_restarts_is_found_again() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    alice.node().connect("bob").await.unwrap();
    for _ in 0..3 {
        bob.stop().await;
        alice.wait("bob's leaving", |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
        bob.start().await;
        alice.wait("bob's return", |event| matches!(event, Event::Connected(_)).then_some(())).await;
    }
    alice.node().ping("bob").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_in_the_middle_of_a_transfer_and_a_watch() {
    let (mut alice, mut bob) = pair(ALL, ALL).await;
    alice.stop().await;
    alice.settings.new_handshake = Duration::from_millis(700);
    alice.settings.key_update = Duration::from_millis(200);
    alice.start().await;
    bob.node()
        .publish(miyu::node::CameraPlan {
            source: miyu::media::camera::SourceSpec::Test,
            bandwidth_bits: None,
            settings: miyu::media::camera::Settings {
                size: Some((160, 120)),
                fps: 60.0,
                quality: 60,
                ..miyu::media::camera::Settings::default()
            },
        })
        .await;
    let first_age = alice.node().ping("bob").await.unwrap().link.key_age;
    let mut watch = alice.node().watch("bob", WatchOptions::default()).await.unwrap();
    let size = 40 * 1024 * 1024;
    let path = file(alice.folder.path(), size, 5);
    let id = alice.send("bob", DraftKind::File(path)).await;

    let (mut resumed, mut frames_after) = (0, 0);
    while resumed < 2 || frames_after < 20 {
        let news = tokio::time::timeout(crate::support::PATIENCE, watch.next()).await.expect("news").expect("open");
        match news {
            WatchNews::Resumed(_) => resumed += 1,
            WatchNews::Frame(_) if resumed >= 2 => frames_after += 1,
            WatchNews::Frame(_) | WatchNews::Paused(_) | WatchNews::NoSignal { .. } | WatchNews::Signal => {}
            WatchNews::Ended(error) => panic!("{error}"),
        }
    }
    alice.receipt(id).await.unwrap();
    let arrived = bob.arrival(id).await;
    let body = bob.body(&arrived);
    assert!(body == std::fs::read(file(bob.folder.path(), size, 5)).unwrap());
    assert!(alice.node().status().key_updates > 0);
    let age = alice.node().ping("bob").await.unwrap().link.key_age;
    assert!(age < Duration::from_secs(5) && first_age < Duration::from_secs(5), "the keys are fresh: {age:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_not_reaching_a_peer_has_its_own_words() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut unresolvable = entry("bob", &bob_id, None, ALL);
    unresolvable.addresses.push(miyu::config::Address { host: "no-such-host.invalid".into(), port: 9 });
    let mut alice = Actor::new(&alice_id, vec![unresolvable, entry("carol", &Identity::generate(), None, ALL)]);
    alice.settings.role = miyu::node::Role::OneShot;
    alice.start().await;
    let error = alice.node().connect("bob").await.unwrap_err();
    assert!(matches!(&error, DialError::Resolve { host, .. } if host == "no-such-host.invalid"), "{error}");
    let error = alice.node().connect("carol").await.unwrap_err();
    assert!(matches!(error, DialError::NoAddress { .. }), "{error}");
    assert!(error.hint().unwrap().contains("address ="));
    assert!(matches!(alice.node().connect("dave").await.unwrap_err(), DialError::NoPeer(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_addresses_serves() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("alice", &alice_id, None, ALL)]);
    let address = bob.start().await;
    // A port that is bound and never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut table = entry("bob", &bob_id, silent.local_addr().ok(), ALL);
    table.addresses.push(miyu::config::Address { host: "127.0.0.1".into(), port: address.port() });
    let mut alice = Actor::new(&alice_id, vec![table]);
    alice.start().await;
    assert_eq!(alice.node().connect("bob").await.unwrap().address, address);
}
