//! Runs of messages, and what is asked for at their ends.

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
