//! What messages say about messages, over a link: replies, edits, deletions, reactions, read receipts, retry, cancel.

use miyu::node::history::{History, Kind, Reaction};
use miyu::node::{Direction, Draft, DraftKind, Event, Message, MessageId, Reason, State, Target};
use miyu::wire::{self, DeliveryReply};

use crate::raw::{Eve, bob_and_eve, offer, refused};
use crate::support::{Actor, CHAT, NOTHING, entry, pair};

fn text(text: &str) -> DraftKind {
    DraftKind::Text(text.to_owned())
}

fn stored(actor: &Actor) -> Vec<Message> {
    crate::support::stored(&actor.node().history(), None)
}

fn theirs(id: MessageId) -> Target {
    Target { direction: Direction::In, id }
}

/// Sends, and waits for the receipt.
async fn deliver(from: &mut Actor, to: &str, kind: DraftKind) -> MessageId {
    let id = from.send(to, kind).await;
    from.receipt(id).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_edits_reactions_and_deletions_reach_the_other_side() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let first = deliver(&mut alice, "bob", text("the kettel is on")).await;
    bob.arrival(first).await;
    let reply = Draft { kind: text("good"), name: None, reply_to: Some(theirs(first)) };
    let answer = bob.node().send("alice", reply).await.unwrap();
    bob.receipt(answer).await.unwrap();
    assert_eq!(alice.arrival(answer).await.target, Some(Target { direction: Direction::Out, id: first }));

    let edit = deliver(&mut alice, "bob", DraftKind::Edit { of: first, text: "the kettle is on".into() }).await;
    let arrived = bob.arrival(edit).await;
    assert_eq!((arrived.kind, arrived.target), (Kind::Edit, Some(theirs(first))));
    deliver(&mut bob, "alice", DraftKind::React { to: theirs(first), text: "👍".into() }).await;
    for (actor, by) in [(&alice, Direction::In), (&bob, Direction::Out)] {
        let page = stored(actor);
        assert_eq!(page.len(), 2, "what is about another message is no message by itself");
        assert_eq!(page[0].text.as_deref(), Some("the kettle is on"));
        assert!(page[0].edited_at_ms.is_some());
        assert_eq!(page[0].reactions, [Reaction { direction: by, text: "👍".into() }]);
        assert_eq!(page[1].target.unwrap().id, first);
    }
    let gone = deliver(&mut alice, "bob", DraftKind::Delete { of: first }).await;
    bob.arrival(gone).await;
    for actor in [&alice, &bob] {
        let kinds: Vec<Kind> = stored(actor).iter().map(|message| message.kind).collect();
        assert_eq!(kinds, [Kind::Deletion, Kind::Text]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_edits_or_deletes_what_another_wrote() {
    let (mut bob, eve_id) = bob_and_eve(CHAT).await;
    let eve = Eve::enter(&bob, &eve_id).await;
    let ours = bob.send("eve", text("ours")).await;
    for (id, kind) in [(1, wire::Kind::Edit), (2, wire::Kind::Deletion)] {
        let mut lie = offer(id, kind, b"");
        lie.target = Some(wire::Target { id: ours.0.into(), yours: true });
        let (reason, detail, retry) = refused(eve.offer(lie.clone(), b"").await);
        assert_eq!((reason, retry), (Reason::NotAllowed, false));
        assert!(detail.contains("author"), "{detail}");
        // said to be the peer's own, it is taken, and hits nothing
        lie.target = Some(wire::Target { id: ours.0.into(), yours: false });
        assert!(matches!(eve.offer(lie, b"").await, Ok(DeliveryReply::Receipt(_))));
    }
    let page = stored(&bob);
    let message = page.iter().find(|message| message.id == ours).unwrap();
    assert_eq!((message.text.as_deref(), message.edited_at_ms), (Some("ours"), None));
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_author_hears_how_far_the_other_side_has_read_now_or_later() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(deliver(&mut alice, "bob", text(&format!("{number}"))).await);
    }
    let read = |event| match event {
        Event::Read { by, ids } => Some((by, ids)),
        _ => None,
    };
    bob.node().mark_read("alice", stored(&bob)[1].cursor()).await;
    assert_eq!(alice.wait("a read receipt", read).await, ("bob".to_owned(), ids[..2].to_vec()));
    // what is read while nobody listens is told at the next link
    alice.stop().await;
    bob.wait("the end of the link", |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
    bob.node().mark_read("alice", stored(&bob)[3].cursor()).await;
    while stored(&bob)[3].state != State::Seen {
        tokio::task::yield_now().await;
    }
    alice.start().await;
    assert_eq!(alice.wait("the rest", read).await.1, ids[2..]);
    assert!(stored(&alice).iter().all(|message| message.state == State::Read));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_marks_as_read_is_told_by_the_one_that_has_the_link() {
    let (mut alice, bob) = pair(CHAT, CHAT).await;
    let id = deliver(&mut alice, "bob", text("seen?")).await;
    let other = History::open(&bob.settings.data, &bob.identity).unwrap();
    assert_eq!(other.mark_read(&alice.identity.peer_id(), &stored(&bob)[0].cursor()).unwrap(), 1);
    let ids = alice.wait("a read receipt", |event| match event {
        Event::Read { ids, .. } => Some(ids),
        _ => None,
    });
    assert_eq!(ids.await, [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_switched_read_receipts_off_tells_nobody() {
    let (mut alice, mut bob) = pair(CHAT, CHAT).await;
    bob.stop().await;
    bob.settings.history.read_receipts = false;
    bob.start().await;
    deliver(&mut alice, "bob", text("are you there?")).await;
    bob.node().mark_read("alice", stored(&bob)[0].cursor()).await;
    while stored(&bob)[0].state != State::Seen {
        tokio::task::yield_now().await;
    }
    // over the same stream as a read receipt, and after it
    bob.node().ping("alice").await.unwrap();
    deliver(&mut bob, "alice", text("no")).await;
    let last = deliver(&mut alice, "bob", text("really?")).await;
    let states: Vec<State> =
        stored(&alice).iter().filter(|message| message.id != last).map(|message| message.state).collect();
    assert_eq!(states, [State::Delivered, State::Received]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_retried_and_what_waits_is_cancelled() {
    let (mut alice, mut bob) = pair(NOTHING, CHAT).await;
    let failed = alice.send("bob", text("may I?")).await;
    assert!(alice.receipt(failed).await.is_err());
    assert_eq!(stored(&alice)[0].state, State::Failed);
    let peers = vec![entry("alice", &alice.identity, None, CHAT)];
    bob.node().set_peers(peers.clone()).await.unwrap();
    bob.settings.peers = peers;
    assert!(alice.node().retry("bob", failed).await.unwrap());
    assert!(!alice.node().retry("bob", failed).await.unwrap() || stored(&alice)[0].state == State::Failed);
    alice.wait("the receipt", |event| matches!(event, Event::Delivered { id, .. } if id == failed).then_some(())).await;
    bob.arrival(failed).await;

    bob.stop().await;
    let cancelled = alice.send("bob", text("forget this")).await;
    assert!(alice.node().cancel("bob", cancelled).await.unwrap());
    assert!(!alice.node().cancel("bob", cancelled).await.unwrap());
    bob.start().await;
    let after = deliver(&mut alice, "bob", text("after")).await;
    let there: Vec<MessageId> = stored(&bob).iter().map(|message| message.id).collect();
    assert_eq!(there, [failed, after]);
}
