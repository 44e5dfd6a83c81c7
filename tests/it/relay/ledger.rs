//! What a peer has on its disk, held against what was sent.

use std::time::Duration;

use miyu::identity::PeerId;
use miyu::node::history::History;
use miyu::node::{Direction, Message, MessageId, State};

use super::messages::{self, Sent};

/// How often files are looked at that another process writes.
const LOOK: Duration = Duration::from_millis(50);

/// One peer's files, opened beside whoever works on them: what they say is on the disk, whatever a process believes.
#[derive(Clone)]
pub(super) struct Ledger {
    pub(super) other: PeerId,
    pub(super) history: History,
}

impl Ledger {
    /// What is stored in one direction, in the order in which it is shown.
    pub(super) fn stored(&self, direction: Direction) -> Vec<Message> {
        let mut all = crate::support::stored(&self.history, Some(&self.other));
        all.retain(|message| message.direction == direction);
        all
    }

    /// Messages that have no receipt yet.
    pub(super) fn pending(&self) -> u64 {
        self.history.pending(&self.other).unwrap()
    }

    /// Whether the other one's message has come.
    pub(super) fn has(&self, id: &MessageId) -> bool {
        self.history.message(&self.other, Direction::In, id).unwrap().is_some()
    }
}

/// Whoever has a receipt in its files, the other one has the message in its own.
pub(super) fn receipts_are_true(sender: &Ledger, receiver: &Ledger) {
    for message in sender.stored(Direction::Out) {
        assert_ne!(message.state, State::Failed, "{message:?}: {:?}", message.reason);
        let stored = receiver.has(&message.id);
        assert!(stored || message.state != State::Delivered, "{message:?} was receipted and is not stored");
    }
}

/// Waits until neither has anything to send; receipts must be true all the while.
pub(super) async fn delivered(one: &Ledger, other: &Ledger) {
    let mut look = tokio::time::interval(LOOK);
    while one.pending() + other.pending() > 0 {
        look.tick().await;
        receipts_are_true(one, other);
        receipts_are_true(other, one);
    }
}

/// Everything that was sent has come: once, in order, whole, and its sender knows.
pub(super) fn compare(sent: &[Sent], sender: &Ledger, receiver: &Ledger) {
    let (own, came) = (sender.stored(Direction::Out), receiver.stored(Direction::In));
    let ids = |messages: &[Message]| messages.iter().map(|message| message.id).collect::<Vec<_>>();
    let wanted: Vec<_> = sent.iter().map(|sent| sent.id).collect();
    assert_eq!(ids(&own), wanted, "the sender's own history");
    assert_eq!(ids(&came), wanted, "each once, in the order in which they were sent");
    for (number, ((sent, own), came)) in (1..).zip(sent.iter().zip(&own).zip(&came)) {
        assert_eq!((own.seq, own.state, came.state), (number, State::Delivered, State::Received));
        messages::compare(sent, (came, &receiver.history), (own, &sender.history));
    }
}
