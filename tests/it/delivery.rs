//! Promise 3: what the sender was told is delivered is on the receiver's disk, once; what was not stays in the outbox.

use std::time::Duration;

use miyu::node::{Direction, DraftKind, Event, Node, Role, SendError, State};

use crate::support::{ALL, Actor, CHAT, NOTHING, file, pair};

fn text(text: &str) -> DraftKind {
    DraftKind::Text(text.to_owned())
}

/// What the receiver's store holds, in the order of the history.
fn stored(actor: &Actor) -> Vec<miyu::node::Message> {
    crate::support::stored(&actor.node().history(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_both_ways_in_order_and_once() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let mut ids = Vec::new();
    for number in 0..200 {
        ids.push(alice.send("bob", text(&format!("message {number} 第{number}条"))).await);
    }
    for id in &ids {
        alice.receipt(*id).await.unwrap();
    }
    let there = stored(&bob);
    assert_eq!(there.len(), 200);
    for (number, (message, id)) in there.iter().zip(&ids).enumerate() {
        assert_eq!(message.id, *id, "the order is the sender's");
        assert_eq!(message.text.as_deref(), Some(format!("message {number} 第{number}条").as_str()));
        assert_eq!((message.direction, message.state), (Direction::In, State::Received));
    }
    let back = bob.send("alice", text("yes")).await;
    assert_eq!(alice.arrival(back).await.text.as_deref(), Some("yes"));
    bob.receipt(back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_never_ahead_of_the_disk() {
    let (mut alice, bob) = pair(CHAT, CHAT).await;
    for number in 0..30 {
        let id = alice.send("bob", text(&format!("{number}"))).await;
        alice.receipt(id).await.unwrap();
        // A second store on the same files sees what is on the disk, not what a process holds.
        let history = miyu::node::history::History::open(&bob.settings.data, &bob.identity).unwrap();
        let found = history.message(&alice.identity.peer_id(), Direction::In, &id).unwrap();
        assert!(found.is_some(), "receipted and not stored: {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_arrives_as_it_was() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let path = file(alice.folder.path(), 5 * 1024 * 1024 + 17, 1);
    let id = alice.send("bob", DraftKind::File(path.clone())).await;
    // The sender keeps a copy: the original may change afterwards.
    std::fs::write(&path, b"changed").unwrap();
    let arrived = bob.arrival(id).await;
    alice.receipt(id).await.unwrap();
    let body = bob.body(&arrived);
    let again = file(bob.folder.path(), 5 * 1024 * 1024 + 17, 1);
    assert!(body == std::fs::read(again).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_peer_that_is_away_waits_and_goes_out_in_order() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let before = alice.send("bob", text("before")).await;
    alice.receipt(before).await.unwrap();
    bob.stop().await;
    let mut ids = vec![before];
    for number in 0..20 {
        ids.push(alice.send("bob", text(&format!("while away {number}"))).await);
    }
    // Alice restarts too: the outbox is on the disk.
    alice.stop().await;
    alice.start().await;
    bob.start().await;
    for id in &ids[1..] {
        alice.receipt(*id).await.unwrap();
    }
    let there: Vec<_> = stored(&bob).iter().map(|message| message.id).collect();
    assert_eq!(there, ids);
    assert_eq!(alice.node().history().pending(&bob.identity.peer_id()).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_from_what_is_on_disk() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let size = 24 * 1024 * 1024;
    let path = file(alice.folder.path(), size, 2);
    let id = alice.send("bob", DraftKind::File(path)).await;
    // The receiver goes in the middle of the body, without a goodbye to the transfer.
    let half = size as u64 / 3;
    alice
        .wait("a third", |event| match event {
            Event::Progress { id: moving, sent, .. } if moving == id && sent >= half => Some(()),
            _ => None,
        })
        .await;
    bob.stop().await;
    bob.start().await;
    alice.receipt(id).await.unwrap();
    let arrived = bob.arrival(id).await;
    let body = bob.body(&arrived);
    assert!(body == std::fs::read(file(bob.folder.path(), size, 2)).unwrap());
    // What came before the stop did not come again.
    let received = bob.node().status().traffic.received_bytes;
    assert!(received < size as u64 * 9 / 10, "{received} bytes came after the restart");
    let messages = stored(&bob);
    assert_eq!(messages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_chat_is_refused_by_name_and_for_good() {
    let (mut alice, bob) = pair(NOTHING, CHAT).await;
    let id = alice.send("bob", text("let me in")).await;
    let reason = alice.receipt(id).await.unwrap_err();
    assert!(reason.contains("not allowed") && reason.contains("chat"), "{reason}");
    assert!(stored(&bob).is_empty());
    assert_eq!(stored(&alice)[0].state, State::Failed);
    // The link itself stands: a ping tells the two cases apart.
    alice.node().ping("bob").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_before_it_is_queued() {
    let (alice, _bob) = pair(CHAT, CHAT).await;
    let send = |kind| alice.node().send("bob", miyu::node::Draft { kind, name: None, reply_to: None });
    let long = "x".repeat(64 * 1024 + 1);
    let error = send(text(&long)).await.unwrap_err();
    assert!(matches!(error, SendError::TooLarge { bytes_max: 65_536, .. }), "{error}");
    assert!(matches!(send(text("")).await.unwrap_err(), SendError::Empty(_)));
    let picture =
        |bytes: &[u8], hide: Option<&str>| DraftKind::Picture { bytes: bytes.to_vec(), hide: hide.map(str::to_owned) };
    assert!(matches!(send(picture(b"no picture", None)).await.unwrap_err(), SendError::Picture(_)));
    let clip = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/clip.wav")).unwrap();
    let error = send(DraftKind::Clip(clip[..clip.len() / 2].to_vec())).await.unwrap_err();
    assert!(matches!(error, SendError::Clip(_)), "{error}");
    let photo = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photo.png")).unwrap();
    let error = send(picture(&photo, Some(&"y".repeat(60_000)))).await.unwrap_err();
    let SendError::DoesNotFit { bytes: 60_000, capacity } = error else { panic!("{error}") };
    assert!(capacity > 1_000, "{capacity}");
    let error = send(DraftKind::File("/no/such/file".into())).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
    assert!(matches!(
        alice.node().send("bbo", miyu::node::Draft { kind: text("x"), name: None, reply_to: None }).await.unwrap_err(),
        SendError::NoPeer(_)
    ));
    assert!(stored(&alice).is_empty());
}

/// Text of exactly the limit passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_64_kib_arrives() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let long = "密".repeat(21_845) + "!";
    assert_eq!(long.len(), 64 * 1024);
    let id = alice.send("bob", text(&long)).await;
    assert_eq!(bob.arrival(id).await.text.as_deref(), Some(long.as_str()));
    alice.receipt(id).await.unwrap();
}

/// `miyu send` beside `miyu run` on one data folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_one_shot_sends_beside_a_long_lived_peer() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    alice.node().connect("bob").await.unwrap();
    let settings = miyu::node::Settings { role: Role::OneShot, ..alice.settings.clone() };
    let (node, mut events) = Node::start(alice.identity.clone(), settings.clone()).await.unwrap();
    let draft = miyu::node::Draft { kind: text("from the one-shot"), name: None, reply_to: None };
    let id = node.send("bob", draft).await.unwrap();
    node.connect("bob").await.unwrap();
    let delivered = async {
        while let Some(event) = events.recv().await {
            if matches!(event, Event::Delivered { id: delivered, .. } if delivered == id) {
                return;
            }
        }
        panic!("the one-shot stopped");
    };
    tokio::time::timeout(Duration::from_secs(30), delivered).await.unwrap();
    assert_eq!(bob.arrival(id).await.text.as_deref(), Some("from the one-shot"));

    // It leaves before anything is delivered: the long-lived peer takes its message over.
    let (second, _events) = Node::start(alice.identity.clone(), settings).await.unwrap();
    let draft = miyu::node::Draft { kind: text("left behind"), name: None, reply_to: None };
    let id = second.send("bob", draft).await.unwrap();
    second.shutdown().await;
    assert_eq!(bob.arrival(id).await.text.as_deref(), Some("left behind"));
    node.shutdown().await;
    // Messages for alice never go to a one-shot.
    let back = bob.send("alice", text("to the app")).await;
    assert_eq!(alice.arrival(back).await.text.as_deref(), Some("to the app"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_long_lived_peers_on_one_folder_are_refused() {
    let (alice, _bob) = pair(CHAT, CHAT).await;
    let second = Node::start(alice.identity.clone(), alice.settings.clone()).await;
    let error = second.err().expect("refused").to_string();
    assert!(error.contains(&std::process::id().to_string()), "it names the other's pid: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_an_address_is_reached_over_its_own_dial() {
    let (alice, mut bob) = pair(ALL, ALL).await;
    alice.node().connect("bob").await.unwrap();
    // Bob's table has no address for alice.
    let id = bob.send("alice", text("over your link")).await;
    bob.receipt(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_copy_that_rots_fails_by_name_and_is_not_sent_for_ever() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    alice.node().connect("bob").await.unwrap();
    bob.stop().await;
    let id = alice.send("bob", DraftKind::File(file(alice.folder.path(), 300_000, 3))).await;
    let attachments = alice.settings.data.join("attachments");
    let folder = std::fs::read_dir(attachments).unwrap().next().unwrap().unwrap().path();
    let path = folder.join(format!("{id}.out"));
    let mut body = std::fs::read(&path).unwrap();
    body[150_000] ^= 1;
    std::fs::write(&path, body).unwrap();
    bob.start().await;
    let reason = alice.receipt(id).await.unwrap_err();
    assert!(reason.contains("stored copy"), "{reason}");
    assert!(stored(&bob).is_empty());
}
