//! A conversation as the window has it: a run of messages without a gap, of bounded length, somewhere in a history of any
//! length. Pages are asked for when the reader comes near an end of it.

use std::collections::{HashMap, VecDeque};

use super::attention::Attention;
use crate::gui::talk::Line;
use crate::node::history::{Cursor, Direction, Kind, MessageId, Place, State, Target};

/// Messages that are held at most; those furthest from the reader go first.
pub const LINES_MAX: usize = 400;
/// Messages of a page.
pub const PAGE_LINES: usize = 60;
/// Rows from an end at which the next page is asked for.
const NEAR_ROWS: usize = 25;

/// Points of the page above a message that was gone to.
const ABOVE: f32 = 120.0;

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Anchor {
    /// At the newest message: what comes moves the page up.
    Bottom,
    /// At a message: what comes or is loaded leaves it where it is.
    At {
        /// The first message that is seen.
        target: Target,
        /// How far its top lies above the top of the page.
        above: f32,
    },
}

/// One run of messages.
#[derive(Debug)]
pub struct Conversation {
    lines: VecDeque<Line>,
    places: HashMap<Target, i64>,
    /// What `places` counts from: the number of the first line.
    first: i64,
    reaches_oldest: bool,
    reaches_newest: bool,
    awaited: Option<Place>,
    failed: bool,
    opened: bool,
    /// Where the reader is.
    pub anchor: Anchor,
    /// The first message that was unread when the conversation was opened: the divider stands above it.
    pub unread_from: Option<Target>,
    /// What the reader has had before his eyes.
    pub attention: Attention,
    progress: HashMap<MessageId, (u64, u64)>,
    read_told: Option<Cursor>,
    /// Counts every change of the lines, so that what is derived from them can be kept until the next.
    revision: u64,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            places: HashMap::new(),
            first: 0,
            reaches_oldest: false,
            reaches_newest: false,
            awaited: None,
            failed: false,
            opened: false,
            anchor: Anchor::Bottom,
            unread_from: None,
            attention: Attention::default(),
            progress: HashMap::new(),
            read_told: None,
            revision: 0,
        }
    }
}

impl Conversation {
    /// The messages, oldest first.
    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// Counts the changes of the lines.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether its first page has come.
    pub fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether there is nothing before the first line.
    pub fn reaches_oldest(&self) -> bool {
        self.reaches_oldest
    }

    /// Whether there is nothing behind the last line.
    pub fn reaches_newest(&self) -> bool {
        self.reaches_newest
    }

    /// How far a body has come: bytes, and bytes of all.
    pub fn progress(&self, id: &MessageId) -> Option<(u64, u64)> {
        self.progress.get(id).copied()
    }

    /// The message, if it is among the lines.
    pub fn line(&self, target: &Target) -> Option<&Line> {
        self.lines.get(self.row(target)?)
    }

    /// Where the message stands among the lines.
    pub fn row(&self, target: &Target) -> Option<usize> {
        usize::try_from(self.places.get(target)? - self.first).ok()
    }

    /// The page to ask for now, when rows `from` to `to` are seen; none while one is awaited.
    pub fn wanted(&mut self, from: usize, to: usize) -> Option<Place> {
        if self.awaited.is_some() || self.failed {
            return None;
        }
        let place = match (self.lines.front(), self.lines.back()) {
            (Some(first), _) if from < NEAR_ROWS && !self.reaches_oldest => Place::Before(first.cursor()),
            (_, Some(last)) if to + NEAR_ROWS >= self.lines.len() && !self.reaches_newest => {
                Place::After(last.cursor())
            }
            (Some(_), Some(_)) => return None,
            _ if self.opened => return None,
            _ => Place::Newest,
        };
        self.awaited = Some(place);
        Some(place)
    }

    /// Goes to the newest messages; the page to ask for, where they are not here.
    pub fn to_newest(&mut self) -> Option<Place> {
        self.anchor = Anchor::Bottom;
        if self.reaches_newest || self.awaited == Some(Place::Newest) {
            return None;
        }
        self.awaited = Some(Place::Newest);
        Some(Place::Newest)
    }

    /// Goes to a message that a search has found: the messages from it on.
    pub fn to_line(&mut self, line: &Line) -> Option<Place> {
        // with what was said before it in view
        self.anchor = Anchor::At { target: line.target, above: -ABOVE };
        if self.row(&line.target).is_some() {
            return None;
        }
        // The cursor before it, by the order that pages have.
        let place = Place::After((line.order_ms - 1, MessageId([0; 16])));
        self.clear();
        self.opened = false;
        self.awaited = Some(place);
        Some(place)
    }

    /// Messages may have come or changed that nothing was told of: a reader at the end gets the newest page again, one
    /// further up keeps what he reads, and gets what follows it as if it were not here.
    pub fn has_missed(&mut self) {
        self.awaited = None;
        if self.anchor == Anchor::Bottom {
            self.clear();
            self.opened = false;
        } else {
            self.reaches_newest = false;
        }
    }

    /// A page cannot be read: it is not asked for again with every frame.
    pub fn page_failed(&mut self, place: Place) {
        if self.awaited == Some(place) {
            self.awaited = None;
            self.failed = true;
        }
    }

    /// What failed is tried again: somebody has come back.
    pub fn try_again(&mut self) {
        self.failed = false;
    }

    fn clear(&mut self) {
        self.lines.clear();
        self.places.clear();
        self.first = 0;
        self.reaches_newest = false;
        self.reaches_oldest = false;
        self.revision += 1;
    }

    /// Takes a page that was asked for; others are too late.
    pub fn take_page(&mut self, place: Place, lines: Vec<Line>, more: bool) {
        if self.awaited != Some(place) {
            return;
        }
        self.awaited = None;
        self.opened = true;
        match place {
            Place::Newest | Place::Oldest => {
                self.clear();
                self.reaches_newest = matches!(place, Place::Newest) || !more;
                self.reaches_oldest = matches!(place, Place::Oldest) || !more;
                lines.into_iter().for_each(|line| self.push_back(line));
            }
            Place::Before(_) => {
                self.reaches_oldest = !more;
                lines.into_iter().rev().for_each(|line| self.push_front(line));
                while self.lines.len() > LINES_MAX {
                    self.pop_back();
                }
            }
            Place::After(_) => {
                self.reaches_newest = !more;
                lines.into_iter().for_each(|line| self.push_back(line));
                while self.lines.len() > LINES_MAX {
                    self.pop_front();
                }
            }
        }
    }

    fn push_back(&mut self, line: Line) {
        if self.places.contains_key(&line.target) {
            return self.replace(line);
        }
        self.places.insert(line.target, self.first + self.lines.len() as i64);
        self.lines.push_back(line);
        self.revision += 1;
    }

    fn push_front(&mut self, line: Line) {
        if self.places.contains_key(&line.target) {
            return self.replace(line);
        }
        self.first -= 1;
        self.places.insert(line.target, self.first);
        self.lines.push_front(line);
        self.revision += 1;
    }

    fn pop_back(&mut self) {
        if let Some(line) = self.lines.pop_back() {
            self.places.remove(&line.target);
            self.reaches_newest = false;
            self.revision += 1;
        }
    }

    fn pop_front(&mut self) {
        if let Some(line) = self.lines.pop_front() {
            self.places.remove(&line.target);
            self.first += 1;
            self.reaches_oldest = false;
            self.revision += 1;
        }
    }

    fn replace(&mut self, line: Line) {
        let row = self.row(&line.target);
        if let Some(old) = row.and_then(|row| self.lines.get_mut(row))
            && *old != line
        {
            *old = line;
            self.revision += 1;
        }
    }

    /// Takes a message that is new or not as it was. One that belongs where nothing is loaded is left to its page.
    pub fn take_line(&mut self, line: Line) {
        if !matches!(line.state, State::Queued | State::Sending) {
            self.progress.remove(&line.target.id);
        }
        if self.places.contains_key(&line.target) {
            return self.replace(line);
        }
        if !self.opened {
            // The page that comes has it.
            return;
        }
        let place = |line: &Line| (line.order_ms, line.seq, line.target.id);
        let after = self.lines.partition_point(|other| place(other) < place(&line));
        if after == self.lines.len() {
            if self.reaches_newest {
                self.push_back(line);
                self.shorten();
            }
        } else if after > 0 || self.reaches_oldest {
            self.insert(after, line);
            self.shorten();
        }
    }

    /// Lets go of what is far from the reader: above whoever reads the newest, below whoever reads older ones.
    fn shorten(&mut self) {
        while self.lines.len() > LINES_MAX {
            match self.anchor {
                Anchor::Bottom => self.pop_front(),
                Anchor::At { .. } => self.pop_back(),
            }
        }
    }

    fn insert(&mut self, row: usize, line: Line) {
        self.lines.insert(row, line);
        self.number_anew();
    }

    fn number_anew(&mut self) {
        self.first = 0;
        self.places = self.lines.iter().enumerate().map(|(row, line)| (line.target, row as i64)).collect();
        self.revision += 1;
    }

    /// A message is no longer there.
    pub fn take_gone(&mut self, target: &Target) {
        let Some(row) = self.row(target) else { return };
        if let Anchor::At { target: held, above } = self.anchor
            && held == *target
        {
            // The reader stays at what stood below it.
            let next = self.lines.get(row + 1).map(|line| line.target);
            self.anchor = next.map_or(Anchor::Bottom, |target| Anchor::At { target, above });
        }
        self.lines.remove(row);
        self.number_anew();
    }

    /// A body is on its way.
    pub fn take_progress(&mut self, id: MessageId, sent: u64, total: u64) {
        if self.places.contains_key(&Target { direction: Direction::Out, id }) {
            self.progress.insert(id, (sent, total));
        }
    }

    /// Puts the divider above the oldest of so many unread messages, once for each time that the conversation is opened.
    pub fn mark_unread(&mut self, unread: u64) {
        if !self.reaches_newest {
            // The unread ones are not among the lines.
            self.unread_from = None;
            return;
        }
        self.attention.begin();
        let unread = usize::try_from(unread).unwrap_or(usize::MAX);
        let mut theirs = self.lines.iter().rev().filter(|line| !line.is_ours() && line.kind != Kind::Deletion);
        self.unread_from = match unread {
            0 => None,
            count => theirs.nth(count - 1).or(self.lines.front()).map(|line| line.target),
        };
    }

    /// The reader is at the end of it and looks, or not.
    pub fn look(&mut self, at_end: bool) {
        if self.attention.look(at_end) {
            self.unread_from = None;
        }
    }

    /// The other side has written that: the divider moves to the first that nobody has seen.
    pub fn came(&mut self, target: Target) {
        if self.attention.came() {
            self.unread_from = Some(target);
        }
    }

    /// What to tell as read when rows up to `to` are seen; none where it was told.
    pub fn seen(&mut self, to: usize) -> Option<Cursor> {
        let upper = to.min(self.lines.len());
        let newest = self.lines.range(..upper).rev().find(|line| !line.is_ours())?;
        if newest.state != State::Received {
            return None;
        }
        let cursor = newest.cursor();
        (self.read_told != Some(cursor)).then(|| {
            self.read_told = Some(cursor);
            cursor
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::sample::{line, theirs};
    use super::*;

    fn page(range: std::ops::Range<u64>) -> Vec<Line> {
        range.map(line).collect()
    }

    fn opened(range: std::ops::Range<u64>, more: bool) -> Conversation {
        let mut talk = Conversation::default();
        assert_eq!(talk.wanted(0, 0), Some(Place::Newest));
        assert_eq!(talk.wanted(0, 0), None, "one page at a time");
        talk.take_page(Place::Newest, page(range), more);
        talk
    }

    fn seqs(talk: &Conversation) -> Vec<u64> {
        talk.lines().iter().map(|line| line.seq).collect()
    }

    #[track_caller]
    fn is_whole(talk: &Conversation) {
        for (row, line) in talk.lines().iter().enumerate() {
            assert_eq!(talk.row(&line.target), Some(row));
        }
        let seqs = seqs(talk);
        assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    }

    #[test]
    fn pages_are_asked_for_near_the_ends_alone() {
        let mut talk = opened(1_000..1_060, true);
        assert_eq!(talk.wanted(40, 60), None, "the newest is here, the oldest is far");
        let before = talk.lines()[0].cursor();
        assert_eq!(talk.wanted(10, 30), Some(Place::Before(before)));
        talk.take_page(Place::Before(before), page(940..1_000), true);
        assert_eq!(talk.lines().len(), 120);
        is_whole(&talk);
        let mut all = opened(1..10, false);
        assert_eq!(all.wanted(0, 9), None, "there is nothing beyond");
        assert_eq!(opened(0..0, false).wanted(0, 0), None, "nor in an empty one");
    }

    #[test]
    fn a_walk_through_a_long_history_keeps_the_run_short_and_whole() {
        let total = 100_000;
        let mut talk = opened(total - 60..total, true);
        // up to the oldest, and down again
        for _ in 0..total {
            let Some(place) = talk.wanted(0, 20) else { break };
            let Place::Before(_) = place else { panic!("{place:?}") };
            let first = talk.lines()[0].seq;
            let from = first.saturating_sub(60);
            talk.take_page(place, page(from..first), from > 0);
            assert!(talk.lines().len() <= LINES_MAX);
        }
        assert!(talk.reaches_oldest() && !talk.reaches_newest());
        assert_eq!(talk.lines()[0].seq, 0);
        is_whole(&talk);
        for _ in 0..total {
            let rows = talk.lines().len();
            let Some(place) = talk.wanted(rows - 20, rows) else { break };
            let Place::After(_) = place else { panic!("{place:?}") };
            let from = talk.lines()[rows - 1].seq + 1;
            let to = (from + 60).min(total);
            talk.take_page(place, page(from..to), to < total);
            assert!(talk.lines().len() <= LINES_MAX);
        }
        assert!(talk.reaches_newest() && !talk.reaches_oldest());
        assert_eq!(talk.lines().back().unwrap().seq, total - 1);
        is_whole(&talk);
    }

    #[test]
    fn new_messages_are_taken_where_the_newest_is_here() {
        let mut talk = opened(100..160, true);
        talk.take_line(line(160));
        assert_eq!(seqs(&talk).last(), Some(&160));
        // the reader is far up: the end was let go of
        let mut far = opened(10_000..10_060, true);
        far.anchor = Anchor::At { target: far.lines()[0].target, above: 0.0 };
        for _ in 0..10 {
            let first = far.lines()[0].seq;
            let place = far.wanted(0, 20).unwrap();
            far.take_page(place, page(first - 60..first), true);
        }
        assert!(!far.reaches_newest());
        let before = seqs(&far);
        far.take_line(line(10_060));
        assert_eq!(seqs(&far), before, "there would be a gap");
        is_whole(&far);
    }

    #[test]
    fn a_flood_does_not_lengthen_the_run_of_somebody_who_reads_older_messages() {
        let mut talk = opened(0..60, false);
        let held = talk.lines()[3].target;
        talk.anchor = Anchor::At { target: held, above: 0.0 };
        (60..10_000).for_each(|n| talk.take_line(line(n)));
        assert_eq!(talk.lines().len(), LINES_MAX);
        assert!(talk.row(&held).is_some() && !talk.reaches_newest(), "the place is kept, the rest has its page");
        is_whole(&talk);
        let rows = talk.lines().len();
        assert_eq!(talk.wanted(rows - 20, rows), Some(Place::After(talk.lines()[rows - 1].cursor())));
    }

    #[test]
    fn late_messages_stand_where_they_belong() {
        let mut talk = Conversation::default();
        assert!(talk.wanted(0, 0).is_some());
        talk.take_page(Place::Newest, vec![line(1), line(2), line(5)], false);
        talk.take_line(line(3));
        talk.take_line(line(4));
        talk.take_line(line(4));
        assert_eq!(seqs(&talk), [1, 2, 3, 4, 5]);
        is_whole(&talk);
        // older than all, and it is not known what lies between
        let mut part = opened(100..110, true);
        part.take_line(line(50));
        assert_eq!(seqs(&part)[0], 100);
    }

    #[test]
    fn what_was_missed_is_asked_for_again() {
        let mut talk = opened(1..4, false);
        talk.has_missed();
        assert_eq!(talk.wanted(0, 0), Some(Place::Newest), "the reader is at the end");
        talk.take_page(Place::Newest, page(1..6), false);
        assert_eq!(seqs(&talk), [1, 2, 3, 4, 5]);
        talk.anchor = Anchor::At { target: line(2).target, above: 0.0 };
        talk.has_missed();
        assert_eq!(seqs(&talk), [1, 2, 3, 4, 5], "he reads");
        let place = talk.wanted(0, 5).unwrap();
        assert_eq!(place, Place::After(line(5).cursor()));
        talk.take_page(place, page(6..8), false);
        assert_eq!(seqs(&talk), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_change_replaces_and_is_counted_once() {
        let mut talk = opened(1..5, false);
        let before = talk.revision();
        talk.take_line(line(3));
        assert_eq!(talk.revision(), before, "nothing has changed");
        talk.take_line(Line { edited: true, ..line(3) });
        assert_eq!(talk.revision(), before + 1);
        assert!(talk.line(&line(3).target).unwrap().edited);
        assert_eq!(talk.lines().len(), 4);
    }

    #[test]
    fn the_reader_stays_where_he_is_when_his_message_goes() {
        let mut talk = opened(1..5, false);
        talk.anchor = Anchor::At { target: line(2).target, above: 7.0 };
        talk.take_gone(&line(2).target);
        assert_eq!(talk.anchor, Anchor::At { target: line(3).target, above: 7.0 });
        assert_eq!(seqs(&talk), [1, 3, 4]);
        is_whole(&talk);
        talk.take_gone(&line(2).target);
        assert_eq!(seqs(&talk), [1, 3, 4]);
    }

    #[test]
    fn a_page_that_was_not_asked_for_is_left() {
        let mut talk = opened(1..5, false);
        talk.take_page(Place::Newest, page(7..9), false);
        assert_eq!(seqs(&talk), [1, 2, 3, 4]);
        let found = line(900);
        let place = talk.to_line(&found).unwrap();
        talk.take_page(Place::Newest, page(7..9), false);
        assert!(talk.lines().is_empty());
        talk.take_page(place, page(900..960), true);
        assert_eq!(talk.anchor, Anchor::At { target: found.target, above: -ABOVE });
        assert!(!talk.reaches_newest());
        assert_eq!(talk.to_newest(), Some(Place::Newest));
    }

    #[test]
    fn the_divider_stands_above_the_first_unread_of_theirs() {
        let mut talk = Conversation::default();
        talk.wanted(0, 0);
        talk.take_page(Place::Newest, vec![theirs(1), line(2), theirs(3), line(4), theirs(5)], false);
        talk.mark_unread(2);
        assert_eq!(talk.unread_from, Some(theirs(3).target));
        talk.mark_unread(9);
        assert_eq!(talk.unread_from, Some(theirs(1).target), "more than is loaded: above all");
        talk.mark_unread(0);
        assert_eq!(talk.unread_from, None);
    }

    #[test]
    fn what_is_seen_is_told_once_and_ours_is_not() {
        let mut talk = Conversation::default();
        talk.wanted(0, 0);
        talk.take_page(Place::Newest, vec![theirs(1), theirs(2), line(3)], false);
        assert_eq!(talk.seen(1), Some(theirs(1).cursor()));
        assert_eq!(talk.seen(3), Some(theirs(2).cursor()));
        assert_eq!(talk.seen(3), None);
        talk.take_line(Line { state: State::Seen, ..theirs(2) });
        assert_eq!(talk.seen(3), None);
    }

    #[test]
    fn progress_ends_with_the_sending() {
        let mut talk = opened(1..3, false);
        let id = line(2).target.id;
        talk.take_line(Line { state: State::Sending, ..line(2) });
        talk.take_progress(id, 5, 10);
        assert_eq!(talk.progress(&id), Some((5, 10)));
        talk.take_progress(MessageId([9; 16]), 1, 2);
        assert_eq!(talk.progress(&MessageId([9; 16])), None);
        talk.take_line(Line { state: State::Delivered, ..line(2) });
        assert_eq!(talk.progress(&id), None);
    }
}
