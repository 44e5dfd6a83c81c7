//! The table changes while the node runs; three processes of one identity; both ends restart at once.

use miyu::config::{Config, Peer};
use miyu::identity::{Identity, key_line};
use miyu::media::camera::{Settings, SourceSpec};
use miyu::node::{
    CameraPlan, DialError, DraftKind, Event, Message, Reason, Role, State, TableChange, TableError, WatchError,
    WatchNews, WatchOptions,
};

use crate::support::{ALL, Actor, CHAT, NOTHING, PATIENCE, entry, file, pair};

fn text(words: &str) -> DraftKind {
    DraftKind::Text(words.to_owned())
}

fn plan() -> CameraPlan {
    let settings = Settings { size: Some((160, 120)), fps: 30.0, quality: 60, ..Settings::default() };
    CameraPlan { source: SourceSpec::Test, bandwidth_bits: None, settings }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// News of a watch until one that `pick` takes.
async fn news<T>(watch: &mut miyu::node::WatchHandle, mut pick: impl FnMut(WatchNews) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let news = watch.next().await.expect("the watch tells how it ends");
            if let Some(found) = pick(news) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("news of the watch")
}

fn without(peers: &[Peer], name: &str) -> Vec<Peer> {
    peers.iter().filter(|peer| peer.name != name).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_peer_loses_its_link_at_once_and_comes_back_with_the_table() {
    let (alice_id, bob_id, carol_id) = (Identity::generate(), Identity::generate(), Identity::generate());
    let table = vec![entry("alice", &alice_id, None, ALL), entry("carol", &carol_id, None, ALL)];
    let mut bob = Actor::new(&bob_id, table.clone());
    let address = bob.start().await;
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, Some(address), ALL)]);
    let mut carol = Actor::new(&carol_id, vec![entry("bob", &bob_id, Some(address), ALL)]);
    alice.start().await;
    carol.start().await;
    bob.node().publish(plan()).await;
    carol.node().connect("bob").await.unwrap();
    alice.node().connect("bob").await.unwrap();
    let mut watch = alice.node().watch("bob", WatchOptions::default()).await.unwrap();
    news(&mut watch, |news| matches!(news, WatchNews::Frame(_)).then_some(())).await;

    let change = bob.node().set_peers(without(&table, "alice")).await.unwrap();
    assert_eq!(change, TableChange { removed: names(&["alice"]), ..TableChange::default() });
    bob.wait("the loss of alice", |event| {
        matches!(event, Event::Disconnected { peer, .. } if peer == "alice").then_some(())
    })
    .await;
    news(&mut watch, |news| matches!(news, WatchNews::Paused(_)).then_some(())).await;
    // What alice sends waits, and she hears why.
    let waiting = alice.send("bob", text("are you there?")).await;
    let error = alice
        .wait("a refusal", |event| match event {
            Event::DialFailed { error, .. } => Some(error),
            _ => None,
        })
        .await;
    assert!(matches!(error, DialError::NotInTheirTable { .. }), "{error}");
    assert!(bob.node().status().links.iter().all(|link| link.peer == "carol"));
    let id = carol.send("bob", text("nothing happened here")).await;
    carol.receipt(id).await.unwrap();
    assert!(matches!(bob.node().ping("alice").await.unwrap_err(), DialError::NoPeer(_)));

    let change = bob.node().set_peers(table).await.unwrap();
    assert_eq!(change, TableChange { added: names(&["alice"]), ..TableChange::default() });
    alice.node().connect("bob").await.unwrap();
    alice.receipt(waiting).await.unwrap();
    assert_eq!(bob.arrival(waiting).await.text.as_deref(), Some("are you there?"));
    news(&mut watch, |news| matches!(news, WatchNews::Resumed(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_we_remove_we_no_longer_dial_watch_or_write_to() {
    let (alice, bob) = pair(ALL, ALL).await;
    bob.node().publish(plan()).await;
    let mut watch = alice.node().watch("bob", WatchOptions::default()).await.unwrap();
    alice.node().set_peers(Vec::new()).await.unwrap();
    let ended = news(&mut watch, |news| match news {
        WatchNews::Ended(error) => Some(error),
        _ => None,
    });
    assert!(matches!(ended.await, WatchError::Dial(DialError::NoPeer(name)) if name == "bob"));
    assert!(matches!(alice.node().connect("bob").await.unwrap_err(), DialError::NoPeer(_)));
    assert!(alice.node().status().links.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_hold_from_the_moment_of_the_change() {
    let (mut alice, bob) = pair(ALL, ALL).await;
    bob.node().publish(plan()).await;
    let mut watch = alice.node().watch("bob", WatchOptions::default()).await.unwrap();
    let path = file(alice.folder.path(), 64 * 1024 * 1024, 3);
    let id = alice.send("bob", DraftKind::File(path)).await;
    alice.wait("the body under way", |event| matches!(event, Event::Progress { .. }).then_some(())).await;

    let mut table = bob.settings.peers.clone();
    table[0].allow = NOTHING;
    let change = bob.node().set_peers(table.clone()).await.unwrap();
    assert_eq!(change, TableChange { changed: names(&["alice"]), ..TableChange::default() });
    let ended = news(&mut watch, |news| match news {
        WatchNews::Ended(error) => Some(error),
        _ => None,
    });
    assert!(matches!(ended.await, WatchError::Refused { reason: Reason::NotAllowed, .. }));
    assert!(alice.receipt(id).await.unwrap_err().contains("not allowed"));

    // A right that is given needs no new link.
    alice.node().connect("bob").await.unwrap();
    table[0].allow = CHAT;
    bob.node().set_peers(table).await.unwrap();
    let id = alice.send("bob", text("and now?")).await;
    alice.receipt(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_and_a_new_address_are_followed() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("alice", &alice_id, None, ALL)]);
    let address = bob.start().await;
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, silent.local_addr().ok(), ALL)]);
    alice.start().await;
    let id = alice.send("bob", text("to an address where nobody is")).await;
    alice.node().set_peers(vec![entry("bob", &bob_id, Some(address), ALL)]).await.unwrap();
    alice.receipt(id).await.unwrap();

    bob.node().set_peers(vec![entry("alice at home", &alice_id, None, ALL)]).await.unwrap();
    let connected = |event| match event {
        Event::Connected(link) => Some(link.peer),
        _ => None,
    };
    while bob.wait("a link under the new name", connected).await != "alice at home" {}
    let id = alice.send("bob", text("who am I?")).await;
    alice.receipt(id).await.unwrap();
    assert_eq!(bob.arrival(id).await.from, "alice at home");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_again_when_it_changes_and_a_faulty_one_changes_nothing() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, Vec::new());
    let key_file = bob.folder.path().join("bob.pem");
    miyu::identity::file::save_new(&key_file, &miyu::identity::pem::encode_plain(bob_id.secret())).unwrap();
    let path = bob.folder.path().join("peers.toml");
    let me = "[me]\nname = \"bob\"\nkey = \"bob.pem\"\ndata = \"data\"\n";
    let row = format!("[[peer]]\nname = \"alice\"\nkey = \"{}\"\n", key_line(alice_id.public()));
    std::fs::write(&path, me).unwrap();
    bob.settings.table = Some(std::sync::Arc::new(Config::load(&path).unwrap()));
    bob.start().await;
    let trouble = |event| match event {
        Event::Trouble { error, .. } => Some(error),
        _ => None,
    };
    let changed = |event| match event {
        Event::Table(change) => Some(change),
        _ => None,
    };

    std::fs::write(&path, format!("{me}{row}")).unwrap();
    let change = bob.wait("the new peer", changed).await;
    assert_eq!(change, TableChange { added: names(&["alice"]), ..TableChange::default() });

    std::fs::write(&path, format!("{me}{row}colour = 3\n")).unwrap();
    let error = bob.wait("the fault", trouble).await;
    assert!(error.contains("peers.toml:8") && error.contains("the one before holds"), "{error}");
    assert!(matches!(bob.node().reload().await.unwrap_err(), TableError::Faulty(_)));
    std::fs::remove_file(&path).unwrap();
    let error = loop {
        let error = bob.wait("the loss of the file", trouble).await;
        if !error.contains("colour") {
            break error;
        }
    };
    assert!(error.contains("cannot read it"), "{error}");
    // All the while the peers are those of the last good table.
    assert_eq!(bob.node().set_peers(Vec::new()).await.unwrap().removed, ["alice"]);

    std::fs::write(&path, format!("{}{row}", me.replace("bob\"\nkey", "robert\"\nkey"))).unwrap();
    let error = bob.wait("the advice to start again", trouble).await;
    assert!(error.contains("[me]"), "{error}");
    bob.wait("the peer again", changed).await;
    let own = format!("{me}[[peer]]\nname = \"me\"\nkey = \"{}\"\n", key_line(bob_id.public()));
    std::fs::write(&path, own).unwrap();
    let error = bob.wait("the refusal of our own key", trouble).await;
    assert!(error.contains("our own key"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_of_one_identity_are_links_of_their_own() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, None, ALL)]);
    let address = alice.start().await;
    let to_alice = || vec![entry("alice", &alice_id, Some(address), ALL)];
    alice.node().publish(plan()).await;
    // Bob's laptop, his other laptop and a one-shot command.
    let mut bobs = [Actor::new(&bob_id, to_alice()), Actor::new(&bob_id, to_alice()), Actor::new(&bob_id, to_alice())];
    bobs[2].settings.role = Role::OneShot;
    let mut watches = Vec::new();
    for bob in &mut bobs {
        bob.start().await;
        bob.node().connect("alice").await.unwrap();
        watches.push(bob.node().watch("alice", WatchOptions::default()).await.unwrap());
    }
    assert_eq!(alice.node().status().links.len(), 3);
    for watch in &mut watches {
        news(watch, |news| matches!(news, WatchNews::Frame(_)).then_some(())).await;
    }
    for bob in &mut bobs {
        let id = bob.send("alice", text("from one of us")).await;
        bob.receipt(id).await.unwrap();
        assert_eq!(alice.arrival(id).await.from, "bob");
    }
    // The one that takes deliveries and came last has them; the others see nothing of it.
    for number in 0..10 {
        let id = alice.send("bob", text(&format!("to bob {number}"))).await;
        alice.receipt(id).await.unwrap();
        bobs[1].arrival(id).await;
    }
    // One after the other leaves: nobody else notices, and bob is gone with the last.
    drop(watches.pop());
    bobs[2].stop().await;
    drop(watches.pop());
    bobs[1].stop().await;
    news(&mut watches[0], |news| matches!(news, WatchNews::Frame(_)).then_some(())).await;
    let id = alice.send("bob", text("to the first again")).await;
    alice.receipt(id).await.unwrap();
    bobs[0].arrival(id).await;
    bobs[0].stop().await;
    let mut told = 0;
    alice
        .wait("the end of the last link", |event| {
            told += usize::from(matches!(event, Event::Disconnected { .. }));
            (told > 0).then_some(())
        })
        .await;
    assert!(alice.node().status().links.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_restart_at_once_and_nothing_is_lost() {
    let (a_id, b_id) = (Identity::generate(), Identity::generate());
    let (mut a, mut b) = (Actor::new(&a_id, vec![]), Actor::new(&b_id, vec![]));
    let (a_address, b_address) = (a.start().await, b.start().await);
    a.settings.peers = vec![entry("b", &b_id, Some(b_address), ALL)];
    b.settings.peers = vec![entry("a", &a_id, Some(a_address), ALL)];
    for round in 0..4 {
        tokio::join!(a.stop(), b.stop());
        tokio::join!(a.start(), b.start());
        // Some go out before the next restart, some after it.
        let to_b = a.send("b", text(&format!("a {round}"))).await;
        let to_a = b.send("a", text(&format!("b {round}"))).await;
        if round % 2 == 0 {
            a.receipt(to_b).await.unwrap();
            b.receipt(to_a).await.unwrap();
        }
    }
    for (sender, receiver, to, from) in [(&a, &b, "b", "a"), (&b, &a, "a", "b")] {
        tokio::time::timeout(PATIENCE, async {
            while sender.node().ping(to).await.is_err() || waiting(sender) > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("all delivered");
        let received: Vec<String> = stored(receiver).into_iter().filter_map(|message| message.text).collect();
        let received: Vec<&String> = received.iter().filter(|text| text.starts_with(from)).collect();
        assert_eq!(received, ["0", "1", "2", "3"].map(|round| format!("{from} {round}")).iter().collect::<Vec<_>>());
    }
}

fn stored(actor: &Actor) -> Vec<Message> {
    crate::support::stored(&actor.node().history(), None)
}

fn waiting(actor: &Actor) -> usize {
    let on_its_way = |state| !matches!(state, State::Delivered | State::Received);
    stored(actor).iter().filter(|message| on_its_way(message.state)).count()
}

#[test]
fn a_service_reads_its_table_anew_on_sighup() {
    use crate::cli::{BOTH, Hosts, Peer as Process, ok, run};
    let hosts = Hosts::new(BOTH);
    let mut bob = Process::start(&["run"], &hosts.bob);
    ok(&["ping", "bob"], &hosts.alice);
    let path = hosts.bob.join("peers.toml");
    let with_alice = std::fs::read_to_string(&path).unwrap();
    let me = with_alice.split("[[peer]]").next().unwrap();
    std::fs::write(&path, me).unwrap();
    // The change itself would be noticed a moment later; the signal asks for it now.
    let pid = bob.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let event = bob.wait("table");
    assert_eq!(event["removed"], serde_json::json!(["alice"]));
    assert!(!run(&["ping", "bob"], &hosts.alice).status.success());
    std::fs::write(&path, &with_alice).unwrap();
    assert_eq!(bob.wait("table")["added"], serde_json::json!(["alice"]));
    ok(&["ping", "bob"], &hosts.alice);
}
