//! Which of two links between the same two processes stays. Pure: both sides come to the same end whatever the order
//! in which they hear of it.
//!
//! The rules (for one peer, their instance, our instance): a newer connection of the same dialler replaces the older;
//! when first dials cross, the one dialled by the smaller PeerId stays; a connection with `replaces` is no duplicate.

use std::time::Duration;

use crate::identity::PeerId;

/// Two dials cross only while both handshakes are young. A connection from a process whose link is older than this
/// means that the other side has given that link up.
pub const CROSSING_MAX: Duration = Duration::from_secs(8);

/// What is known of a link when two meet.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Whether we dialled it.
    pub ours: bool,
    /// Since it was settled; zero for the new one.
    pub age: Duration,
}

/// What becomes of the new link beside one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The new one stays, the old one is closed at once.
    Replace,
    /// The new one stays, the old one finishes what it has under way.
    TakeOver,
    /// The old one stays, the new one is closed as a duplicate.
    Duplicate,
}

/// Settles `new` against `old`. `replaces_old` tells whether the new one names the old one in its `Hello`.
pub fn settle(me: &PeerId, peer: &PeerId, old: Facts, new: Facts, replaces_old: bool) -> Verdict {
    if replaces_old {
        return Verdict::TakeOver;
    }
    if old.ours == new.ours || old.age > CROSSING_MAX {
        return Verdict::Replace;
    }
    let smaller_dialled_new = new.ours == (me < peer);
    if smaller_dialled_new { Verdict::Replace } else { Verdict::Duplicate }
}
