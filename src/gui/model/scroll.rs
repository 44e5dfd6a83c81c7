//! Heights of rows that are only known once they were drawn, and the place in the page that must not move when rows come
//! above it.

use std::collections::HashMap;

use super::conversation::Anchor;
use crate::node::history::Target;

/// What a row is taken for until it was drawn, in points.
const GUESS: f32 = 64.0;

/// The heights of a conversation's rows, in its order.
#[derive(Debug, Default)]
pub struct Heights {
    known: HashMap<Target, f32>,
    /// Where each row begins; one more than there are rows.
    tops: Vec<f32>,
    rows: Vec<Target>,
    /// What the heights were measured at: another width or text size makes them void.
    measure: (f32, f32),
    revision: Option<u64>,
}

impl Heights {
    /// Takes the rows as they are now. `revision` and `measure` (width, text size) tell when nothing has changed.
    pub fn set_rows(&mut self, rows: impl Iterator<Item = Target>, revision: u64, measure: (f32, f32)) {
        if self.measure != measure {
            self.known.clear();
            self.measure = measure;
        } else if self.revision == Some(revision) {
            return;
        }
        self.revision = Some(revision);
        self.rows.clear();
        self.rows.extend(rows);
        if self.known.len() > 4 * self.rows.len() + 64 {
            // What was let go of is measured again when it comes back.
            let kept: std::collections::HashSet<&Target> = self.rows.iter().collect();
            self.known.retain(|target, _| kept.contains(target));
        }
        self.sum();
    }

    fn sum(&mut self) {
        self.tops.clear();
        let mut top = 0.0;
        self.tops.push(top);
        for row in &self.rows {
            top += self.known.get(row).copied().unwrap_or(GUESS);
            self.tops.push(top);
        }
    }

    /// The height of all.
    pub fn total(&self) -> f32 {
        self.tops.last().copied().unwrap_or(0.0)
    }

    /// Where the row begins.
    pub fn top(&self, row: usize) -> f32 {
        self.tops.get(row).copied().unwrap_or_else(|| self.total())
    }

    /// The rows that lie between two heights, wholly or in part.
    pub fn between(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let rows = self.rows.len();
        let first = self.tops.partition_point(|top| *top <= from).saturating_sub(1).min(rows);
        let last = self.tops.partition_point(|top| *top < to).min(rows);
        first..last.max(first)
    }

    /// Takes what a row really measures. Whether that was news.
    pub fn measured(&mut self, row: usize, height: f32) -> bool {
        let Some(target) = self.rows.get(row) else { return false };
        let before = self.known.insert(*target, height);
        before.is_none_or(|before| (before - height).abs() > 0.25)
    }

    /// Sums up again after rows were measured.
    pub fn settle(&mut self) {
        self.sum();
    }

    /// How far the page is scrolled for the reader to be at `anchor`.
    pub fn offset(&self, anchor: Anchor, page: f32) -> f32 {
        let lowest = (self.total() - page).max(0.0);
        match anchor {
            Anchor::Bottom => lowest,
            Anchor::At { target, above } => match self.rows.iter().position(|row| *row == target) {
                Some(row) => (self.top(row) + above).clamp(0.0, lowest),
                None => lowest,
            },
        }
    }

    /// Where the reader is when the page is scrolled so far. `at_end`: whether the last row is the newest message.
    pub fn anchor(&self, offset: f32, page: f32, at_end: bool) -> Anchor {
        // half a line from the end is the end
        if at_end && offset + page >= self.total() - 8.0 {
            return Anchor::Bottom;
        }
        let row = self.between(offset, offset + page).start;
        match self.rows.get(row) {
            Some(target) => Anchor::At { target: *target, above: offset - self.top(row) },
            None => Anchor::Bottom,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::sample::line;
    use super::*;

    fn rows(range: std::ops::Range<u64>) -> impl Iterator<Item = Target> {
        range.map(|n| line(n).target)
    }

    #[test]
    fn rows_that_come_above_do_not_move_the_page() {
        let mut heights = Heights::default();
        heights.set_rows(rows(100..160), 1, (400.0, 14.0));
        for row in 0..60 {
            heights.measured(row, 20.0 + row as f32);
        }
        heights.settle();
        let anchor = heights.anchor(333.0, 300.0, true);
        assert_eq!(heights.offset(anchor, 300.0), 333.0);
        let Anchor::At { target, above } = anchor else { panic!("{anchor:?}") };
        heights.set_rows(rows(40..160), 2, (400.0, 14.0));
        let offset = heights.offset(anchor, 300.0);
        assert_eq!(offset, 333.0 + 60.0 * GUESS);
        // they turn out to be of another height
        for row in 0..60 {
            assert!(heights.measured(row, 31.0));
        }
        heights.settle();
        assert_eq!(heights.offset(anchor, 300.0), 333.0 + 60.0 * 31.0);
        let row = heights.between(heights.offset(anchor, 300.0), 10_000.0).start;
        assert_eq!((heights.rows[row], heights.offset(anchor, 300.0) - heights.top(row)), (target, above));
    }

    #[test]
    fn at_the_end_the_page_follows() {
        let mut heights = Heights::default();
        heights.set_rows(rows(0..10), 1, (400.0, 14.0));
        let end = heights.total() - 300.0;
        assert_eq!(heights.anchor(end, 300.0, true), Anchor::Bottom);
        assert_ne!(heights.anchor(end, 300.0, false), Anchor::Bottom, "newer messages are not loaded yet");
        assert_ne!(heights.anchor(end - 20.0, 300.0, true), Anchor::Bottom);
        heights.set_rows(rows(0..11), 2, (400.0, 14.0));
        assert_eq!(heights.offset(Anchor::Bottom, 300.0), end + GUESS);
        // a page that has room for all
        assert_eq!(heights.offset(Anchor::Bottom, 5_000.0), 0.0);
        assert_eq!(heights.anchor(0.0, 5_000.0, true), Anchor::Bottom);
    }

    #[test]
    fn rows_between_heights() {
        let mut heights = Heights::default();
        assert_eq!(heights.between(0.0, 100.0), 0..0);
        heights.set_rows(rows(0..10), 1, (400.0, 14.0));
        assert_eq!(heights.between(0.0, GUESS), 0..1);
        assert_eq!(heights.between(GUESS, GUESS + 1.0), 1..2);
        assert_eq!(heights.between(GUESS - 1.0, GUESS + 1.0), 0..2);
        assert_eq!(heights.between(-50.0, 1e9), 0..10);
        // another width makes what was measured void
        heights.measured(0, 10.0);
        heights.settle();
        assert_eq!(heights.top(1), 10.0);
        heights.set_rows(rows(0..10), 1, (300.0, 14.0));
        assert_eq!(heights.top(1), GUESS);
        heights.measured(0, 10.0);
        heights.set_rows(rows(0..10), 1, (300.0, 14.0));
        assert_eq!(heights.top(1), GUESS, "nothing is summed up before the frame is over");
    }
}
