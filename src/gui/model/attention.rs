//! What the reader of a conversation has had before his eyes: for the divider above what is new, and the count of it.

/// Whether he is at the end of a conversation, and was before.
#[derive(Debug, Default)]
pub struct Attention {
    at_end: bool,
    was_at_end: bool,
    fresh: u64,
}

impl Attention {
    /// Messages that came while he was not at the end.
    pub fn fresh(&self) -> u64 {
        self.fresh
    }

    /// He is at the end of it and looks, or not. Whether the divider has done its work: he has read to the end, went away
    /// and is back.
    pub fn look(&mut self, at_end: bool) -> bool {
        let back = at_end && !self.at_end && self.was_at_end;
        self.at_end = at_end;
        self.was_at_end |= at_end;
        if at_end {
            self.fresh = 0;
        }
        back
    }

    /// The other side has written. Whether the divider belongs above that: all before it was seen.
    pub fn came(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        self.fresh += 1;
        std::mem::take(&mut self.was_at_end)
    }

    /// The conversation is opened again: the divider is where it should be.
    pub fn begin(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_divider_goes_when_the_reader_comes_back_to_the_end() {
        let mut attention = Attention::default();
        assert!(!attention.look(false), "he reads his way down");
        assert!(!attention.look(true), "the first time, he has just read it");
        assert!(!attention.look(true));
        assert!(!attention.look(false), "it stays while he looks above");
        assert!(attention.look(true));
        assert!(!attention.look(true), "once");
    }

    #[test]
    fn what_comes_while_nobody_looks_is_counted_and_divided_once() {
        let mut attention = Attention::default();
        attention.look(true);
        assert!(!attention.came(), "he sees it come");
        assert_eq!(attention.fresh(), 0);
        attention.look(false);
        assert!(attention.came(), "the first that he has not seen");
        assert!(!attention.came(), "the divider stays above the first");
        assert_eq!(attention.fresh(), 2);
        assert!(!attention.look(true), "he sees the divider before it goes");
        assert_eq!(attention.fresh(), 0);
        attention.begin();
        assert!(!attention.came(), "what is unread was divided when it was opened");
    }
}
