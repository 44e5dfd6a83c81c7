//! News and what becomes of them.

use std::sync::Arc;

use egui::ColorImage;

use super::sample::{line, row, theirs};
use super::*;
use crate::gui::talk::Summary;
use crate::node::history::{MessageId, Place, State};

fn running() -> (Model, PeerId, PeerId) {
    let mut model = Model::default();
    let (bob, carol) = (row(1, "bob"), row(2, "carol"));
    let ids = (bob.id, carol.id);
    model.apply(News::Peers(vec![bob, carol]), 0);
    (model, ids.0, ids.1)
}

fn names(model: &Model) -> Vec<&str> {
    model.peers.iter().map(|peer| peer.row.name.as_str()).collect()
}

fn here() -> Presence {
    Presence::Here { address: "10.0.0.2:9999".into(), suite: "x".into(), camera: true }
}

#[test]
fn the_latest_conversation_stands_first() {
    let (mut model, _, carol) = running();
    assert_eq!(names(&model), ["bob", "carol"], "as the table has them");
    model.apply(News::Summaries(vec![Summary { peer: carol, unread: 2, last: Some(theirs(7)) }]), 0);
    assert_eq!(names(&model), ["carol", "bob"]);
    assert_eq!(model.peers[0].unread, 2);
    // a change of the table keeps what is known of whom it keeps
    model.apply(News::Presence { peer: carol, presence: here() }, 0);
    model.apply(News::Peers(vec![row(3, "dora"), row(2, "caroline")]), 0);
    assert_eq!(names(&model), ["caroline", "dora"]);
    assert!(model.peers[0].has_camera() && model.peers[0].unread == 2);
}

#[test]
fn a_peer_that_is_removed_closes_its_conversation() {
    let (mut model, bob, _) = running();
    model.open(bob, &mut Vec::new());
    model.apply(News::Peers(vec![row(2, "carol")]), 0);
    assert_eq!(model.open, None);
}

#[test]
fn writing_ends_by_word_by_time_by_message_and_with_the_link() {
    let (mut model, bob, _) = running();
    let typing = |model: &Model, now| model.peer(&bob).unwrap().is_typing(now);
    let begin = |model: &mut Model| drop(model.apply(News::Typing { peer: bob, active: true }, 1_000));
    begin(&mut model);
    assert!(typing(&model, 2_000));
    assert!(!typing(&model, 1_000 + TYPING_MS));
    model.apply(News::Typing { peer: bob, active: false }, 1_500);
    assert!(!typing(&model, 1_600));
    begin(&mut model);
    model.apply(News::Lines { peer: bob, lines: vec![theirs(1)], arrived: true }, 1_500);
    assert!(!typing(&model, 1_600));
    begin(&mut model);
    model.apply(News::Presence { peer: bob, presence: Presence::Away(None) }, 1_500);
    assert!(!typing(&model, 1_600));
}

#[test]
fn opening_asks_for_the_newest_once_and_shows_the_divider() {
    let (mut model, bob, carol) = running();
    model.apply(News::Summaries(vec![Summary { peer: bob, unread: 1, last: Some(theirs(3)) }]), 0);
    let mut asks = Vec::new();
    model.open(bob, &mut asks);
    model.open(bob, &mut asks);
    assert!(matches!(asks.as_slice(), [Ask::Page { place: Place::Newest, .. }]), "{}", asks.len());
    let lines = vec![theirs(1), line(2), theirs(3)];
    model.apply(News::Page { peer: bob, place: Place::Newest, lines, more: false }, 0);
    assert_eq!(model.conversation(&bob).unread_from, Some(theirs(3).target));
    assert!(matches!(model.conversation(&bob).anchor, Anchor::At { .. }));
    // away and back: all is there
    model.open(carol, &mut asks);
    model.open(bob, &mut asks);
    assert_eq!(asks.len(), 2);
}

#[test]
fn the_list_is_walked_from_end_to_end() {
    let (mut model, bob, carol) = running();
    let mut step = |rows| {
        model.step(rows, &mut Vec::new());
        model.open
    };
    assert_eq!(step(-1), Some(bob), "the first where none is open");
    assert_eq!(step(1), Some(carol));
    assert_eq!(step(1), Some(carol));
    assert_eq!(step(-1), Some(bob));
    assert_eq!(step(-1), Some(bob));
    Model::default().step(1, &mut Vec::new());
}

#[test]
fn messages_that_come_are_told_once_and_ours_are_not() {
    let (mut model, bob, _) = running();
    let effects = model.apply(News::Lines { peer: bob, lines: vec![theirs(1), line(2)], arrived: true }, 0);
    assert_eq!(effects, [Effect::Arrived { peer: bob, line: Box::new(theirs(1)) }]);
    let seen = crate::gui::talk::Line { state: State::Seen, ..theirs(1) };
    assert!(model.apply(News::Lines { peer: bob, lines: vec![seen], arrived: false }, 0).is_empty());
}

#[test]
fn what_was_not_sent_is_given_back_with_the_reason() {
    let (mut model, bob, carol) = running();
    let mut asks = Vec::new();
    model.send(bob, Outgoing::Text("hello".into()), None, &mut asks);
    model.send(carol, Outgoing::Text("fine".into()), None, &mut asks);
    let tickets: Vec<u64> =
        asks.iter().map(|ask| if let Ask::Send { ticket, .. } = ask { *ticket } else { 0 }).collect();
    let fault = Fault::new("the disk is full", None);
    model.apply(News::NotSent { ticket: tickets[0], fault: fault.clone() }, 0);
    model.apply(News::Sent { ticket: tickets[1] }, 0);
    assert_eq!(model.draft(&bob).text, "hello");
    assert!(model.has_draft(&bob) && !model.has_draft(&carol));
    assert_eq!(model.notices, std::slice::from_ref(&fault));
    // a second word on the same ticket gives nothing twice
    model.apply(News::NotSent { ticket: tickets[0], fault }, 0);
    assert_eq!(model.draft(&bob).text, "hello");
}

#[test]
fn notices_are_bounded_and_not_repeated() {
    let mut model = Model::default();
    for n in 0..30 {
        model.apply(News::Trouble(Fault::new(n, None)), 0);
    }
    assert_eq!(model.notices.len(), NOTICES_MAX);
    model.apply(News::Trouble(Fault::new(29, None)), 0);
    assert_eq!(model.notices.len(), NOTICES_MAX);
    assert_eq!(model.notices.back().unwrap().error, "29");
}

#[test]
fn pictures_are_asked_for_once_and_bounded() {
    let (mut model, bob, _) = running();
    let mut asks = Vec::new();
    let target = |n| line(n).target;
    assert!(matches!(model.picture(bob, target(1), 320, &mut asks), Picture::Awaited));
    model.picture(bob, target(1), 320, &mut asks);
    assert_eq!(asks.len(), 1);
    let picture = Arc::new(ColorImage::example());
    model.apply(News::Picture { peer: bob, target: target(1), picture: Ok(picture) }, 0);
    assert!(matches!(model.picture(bob, target(1), 320, &mut asks), Picture::Here(_)));
    assert!(
        matches!(model.picture(bob, target(1), 2_000, &mut asks), Picture::Here(_)),
        "until the larger one is there"
    );
    assert_eq!(asks.len(), 2);
    for n in 2..200 {
        model.picture(bob, target(n), 320, &mut asks);
    }
    assert_eq!(model.pictures.held.len(), PICTURES_MAX);
    // its answer comes too late
    let late = Arc::new(ColorImage::example());
    model.apply(News::Picture { peer: bob, target: target(2), picture: Ok(late) }, 0);
    assert!(!model.pictures.held.contains_key(&(bob, target(2))));
}

#[test]
fn a_search_that_was_overtaken_is_not_shown() {
    let (mut model, bob, _) = running();
    let mut asks = Vec::new();
    model.search("one", &mut asks);
    model.search(" two ", &mut asks);
    let ticket = |ask: &Ask| if let Ask::Search { ticket, .. } = ask { *ticket } else { 0 };
    let (first, second) = (ticket(&asks[0]), ticket(&asks[1]));
    model.apply(News::Found { ticket: second, lines: vec![(bob, line(2))] }, 0);
    model.apply(News::Found { ticket: first, lines: Vec::new() }, 0);
    let found = model.found.as_ref().unwrap();
    assert_eq!((found.words.as_str(), found.lines.len(), found.done), ("two", 1, true));
    model.search("  ", &mut asks);
    assert!(model.found.is_none());
}

#[test]
fn progress_finds_its_message() {
    let (mut model, bob, _) = running();
    model.open(bob, &mut Vec::new());
    model.apply(News::Page { peer: bob, place: Place::Newest, lines: vec![line(1)], more: false }, 0);
    model.apply(News::Progress { id: line(1).target.id, sent: 1, total: 2 }, 0);
    model.apply(News::Progress { id: MessageId([7; 16]), sent: 1, total: 2 }, 0);
    assert_eq!(model.conversation(&bob).progress(&line(1).target.id), Some((1, 2)));
}
