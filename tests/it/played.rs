//! Streams that are played without a network: faults that the fuzz targets found.

use std::time::Duration;

use miyu::identity::Identity;
use miyu::node::Event;
use miyu::node::script::{Played, Stage};
use miyu::store::{Body, Kind, Lease, MessageId, NewOutgoing};
use miyu::wire::{self, Control, Typing};
use tempfile::TempDir;

use crate::support::PATIENCE;

/// `CONTROL_PER_SECOND_MAX` of `docs/protocol.md`.
const CONTROL_PER_SECOND_MAX: usize = 200;

async fn stage() -> (Stage, TempDir) {
    let folder = TempDir::new().unwrap();
    let stage = Stage::new(&Identity::generate(), &Identity::generate(), &folder.path().join("data")).await;
    (stage.unwrap(), folder)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never {what}"));
}

fn type_on(stream: &Played, frames: usize) {
    let frame = wire::encode(&Control::Typing(Typing { active: true })).unwrap();
    stream.bytes(&frame.repeat(frames));
}

#[tokio::test]
async fn as_many_control_frames_a_second_as_are_allowed_are_taken() {
    let (mut stage, _folder) = stage().await;
    let seat = stage.link().unwrap();
    let stream = seat.control();
    type_on(&stream, CONTROL_PER_SECOND_MAX);
    let mut taken = 0;
    until("all taken", || {
        while let Some(event) = stage.event() {
            assert!(matches!(event, Event::Typing { .. }), "{event:?}");
            taken += 1;
        }
        taken == CONTROL_PER_SECOND_MAX
    })
    .await;
    // The task of the stream runs before this one goes on.
    tokio::task::yield_now().await;
    assert!(!stream.is_over(), "the link is closed for what is allowed");
    // So many that no machine is so slow that they are spread over seconds enough.
    type_on(&stream, 50 * CONTROL_PER_SECOND_MAX);
    until("closed for a flood", || stream.is_over()).await;
}

/// QUIC's windows are the receiver's to give: one that gives none, and keeps its link, must not hold a delivery.
#[tokio::test]
async fn a_receiver_whose_stream_has_no_room_is_given_up() {
    let (stage, _folder) = stage().await;
    let seat = stage.link().unwrap();
    let peer = stage.peer().unwrap();
    let new = NewOutgoing {
        id: MessageId([1; 16]),
        peer,
        kind: Kind::Text,
        body: Body::Text("is there room?".into()),
        text: None,
        hidden: None,
        name: None,
        mime: None,
        target: None,
    };
    let lease = Lease { owner: stage.instance(), until_ms: i64::MAX };
    let message = stage.store().enqueue(new, 0, Some(lease)).unwrap();
    let stream = seat.offered(message);
    stream.hold(true);
    // After 30 s; the message then waits in the outbox.
    until("given up", || stream.is_over()).await;
    assert!(stream.written().bytes.is_empty());
    assert_eq!(stage.store().outgoing_pending(&peer).unwrap(), 1);
}
