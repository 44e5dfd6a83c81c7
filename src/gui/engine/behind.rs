//! Whether we have missed news of the node: it drops what a full queue does not take.

use crate::node::EVENTS_MAX;

/// Looks at the queue after each event.
#[derive(Debug, Default)]
pub(super) struct Behind {
    was_full: bool,
}

impl Behind {
    /// Whether it is time to read again what may have been missed: the queue was full, and is empty now. `waiting` events
    /// are in it after one was worked on.
    pub(super) fn caught_up(&mut self, waiting: usize) -> bool {
        // One was taken out before we could look.
        self.was_full |= waiting + 1 >= EVENTS_MAX;
        waiting == 0 && std::mem::take(&mut self.was_full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_queue_has_lost_something() {
        let mut behind = Behind::default();
        assert!(!behind.caught_up(0));
        assert!(!behind.caught_up(EVENTS_MAX - 2));
        assert!(!behind.caught_up(0), "there was room to the end");
        assert!(!behind.caught_up(EVENTS_MAX - 1));
        assert!(!behind.caught_up(3), "what waits may tell of it");
        assert!(behind.caught_up(0));
        assert!(!behind.caught_up(0), "once");
    }
}
