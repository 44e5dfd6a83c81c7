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
mod tests;
