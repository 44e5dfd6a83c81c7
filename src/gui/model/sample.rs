//! Messages and peers for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use crate::gui::talk::{Line, PeerRow};
use crate::identity::{Identity, PeerId, key_line};
use crate::node::history::{Direction, Kind, MessageId, State, Target};

fn of(n: u64, direction: Direction, state: State) -> Line {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    Line {
        target: Target { direction, id: MessageId(id) },
        order_ms: 1_000 * n as i64,
        seq: n,
        kind: Kind::Text,
        sent_ms: 1_000 * n as i64,
        state,
        text: Some(format!("text {n}")),
        hidden: None,
        name: None,
        bytes: 6,
        reason: None,
        reply: None,
        edited: false,
        reactions: Vec::new(),
        damaged: false,
    }
}

/// One of ours, which was delivered.
pub(crate) fn line(n: u64) -> Line {
    of(n, Direction::Out, State::Delivered)
}

/// One of the peer's, not seen yet.
pub(crate) fn theirs(n: u64) -> Line {
    of(n, Direction::In, State::Received)
}

/// Keys that stay the same for as long as a test runs.
static KEYS: LazyLock<Vec<Identity>> = LazyLock::new(|| (0..8).map(|_| Identity::generate()).collect());

/// A peer of the table.
pub(crate) fn row(n: usize, name: &str) -> PeerRow {
    let key = KEYS[n].public();
    PeerRow {
        id: PeerId::of(key),
        name: name.to_owned(),
        key_line: key_line(key),
        addresses: Vec::new(),
        may_chat: true,
        may_watch: false,
    }
}
