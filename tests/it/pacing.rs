//! The pure parts of the node: which frames go, which link stays, what the clocks say.

use std::time::Duration;

use miyu::identity::{Identity, PeerId};
use miyu::node::clock::Clock;
use miyu::node::pacing::{DEADLINE_MS, Decision, IN_FLIGHT_MAX, Pacer, UNSEEN_MAX};
use miyu::node::settle::{CROSSING_MAX, Facts, Verdict, settle};
use proptest::prelude::*;

fn sent(decision: Decision) -> Option<u64> {
    match decision {
        Decision::Send(index) | Decision::Reset(_, index) => Some(index),
        Decision::Drop => None,
    }
}

#[test]
fn a_viewer_that_keeps_up_gets_every_frame() {
    let mut pacer = Pacer::new(0);
    for number in 0..1_000 {
        let index = sent(pacer.frame(number * 33)).expect("sent");
        pacer.finished(index);
        pacer.report(index + 1);
    }
    assert_eq!((pacer.begun(), pacer.dropped(), pacer.resets()), (1_000, 0, 0));
}

#[test]
fn a_viewer_that_stops_reading_costs_two_frames() {
    let mut pacer = Pacer::new(0);
    let begun = (0..3_000).filter(|number| sent(pacer.frame(number * 33)).is_some()).count();
    assert_eq!(begun, IN_FLIGHT_MAX);
}

#[test]
fn one_frame_may_always_finish() {
    // A link on which a frame takes a second, four deadlines: frames must come through all the same.
    let mut pacer = Pacer::new(0);
    let mut under_way: Vec<(u64, u64)> = Vec::new();
    let mut finished = 0;
    for now in (0..60_000).step_by(33) {
        // The link carries the oldest frame only.
        if let Some((index, _)) = under_way.first().copied().filter(|(_, begun)| now - begun >= 1_000) {
            under_way.remove(0);
            for frame in &mut under_way {
                frame.1 = now;
            }
            pacer.finished(index);
            pacer.report(index + 1);
            finished += 1;
        }
        match pacer.frame(now) {
            Decision::Send(index) => under_way.push((index, now)),
            Decision::Reset(old, index) => {
                under_way.retain(|(other, _)| *other != old);
                under_way.push((index, now));
            }
            Decision::Drop => {}
        }
        assert!(under_way.len() <= IN_FLIGHT_MAX);
    }
    assert!(finished >= 25, "{finished} frames came through in a minute");
}

#[test]
fn a_frame_past_its_deadline_is_reset_only_after_another_has_completed() {
    let mut pacer = Pacer::new(0);
    assert_eq!(pacer.frame(0), Decision::Send(0));
    assert_eq!(pacer.frame(10), Decision::Send(1));
    assert_eq!(pacer.frame(DEADLINE_MS + 100), Decision::Drop, "none has completed yet");
    pacer.finished(1);
    assert_eq!(pacer.frame(DEADLINE_MS + 110), Decision::Send(2));
    assert_eq!(pacer.frame(DEADLINE_MS + 120), Decision::Reset(0, 3));
    assert_eq!(pacer.resets(), 1);
}

#[test]
fn a_viewer_whose_reports_stand_still_is_paused_and_goes_on_with_them() {
    let mut pacer = Pacer::new(0);
    for round in 1..=3 {
        for number in 0..2 * UNSEEN_MAX {
            if let Some(index) = sent(pacer.frame(round * 1_000_000 + number * 33)) {
                pacer.finished(index);
            }
        }
        assert_eq!(pacer.begun(), round * UNSEEN_MAX, "a report of too much counts as all that was sent, and no more");
        pacer.report(u64::MAX);
    }
}

#[test]
fn a_limited_viewer_gets_its_rate_over_jitter() {
    for max_fps in [1_u16, 5, 10, 15] {
        let mut pacer = Pacer::new(max_fps);
        let mut count = 0;
        for number in 0..300_u64 {
            let jitter = number * 7 % 9;
            if let Some(index) = sent(pacer.frame(number * 1000 / 30 + jitter)) {
                count += 1;
                pacer.finished(index);
                pacer.report(index + 1);
            }
        }
        let wanted = u64::from(max_fps) * 10;
        assert!((wanted - wanted / 10..=wanted + 1).contains(&count), "{max_fps} fps gave {count} in 10 s");
    }
}

#[test]
fn an_index_that_was_not_used_is_used_again() {
    let mut pacer = Pacer::new(0);
    assert_eq!(pacer.frame(0), Decision::Send(0));
    pacer.undo(0);
    assert_eq!(pacer.frame(33), Decision::Send(0));
    assert_eq!(pacer.begun(), 1);
}

#[test]
fn crossing_dials_settle_on_the_same_link_at_both_ends() {
    let (a, b) = (PeerId::of(Identity::generate().public()), PeerId::of(Identity::generate().public()));
    let young = |ours| Facts { ours, age: Duration::from_millis(3) };
    // Each side has the link that it dialled and hears of the other's.
    let at_a = settle(&a, &b, young(true), young(false), false);
    let at_b = settle(&b, &a, young(true), young(false), false);
    assert_ne!(at_a, at_b, "one keeps its own, the other takes the new one");
    let keeper = if a < b { at_a } else { at_b };
    assert_eq!(keeper, Verdict::Duplicate, "the smaller PeerId's dial stays");
    // And the other way round in time.
    let at_a = settle(&a, &b, young(false), young(true), false);
    assert_eq!(at_a == Verdict::Replace, a < b);
}

#[test]
fn a_newer_dial_replaces_and_a_named_one_takes_over() {
    let (a, b) = (PeerId::of(Identity::generate().public()), PeerId::of(Identity::generate().public()));
    for ours in [true, false] {
        let facts = Facts { ours, age: Duration::ZERO };
        assert_eq!(settle(&a, &b, facts, facts, false), Verdict::Replace);
        assert_eq!(settle(&a, &b, facts, facts, true), Verdict::TakeOver);
        let old = Facts { ours, age: CROSSING_MAX + Duration::from_millis(1) };
        assert_eq!(settle(&a, &b, old, Facts { ours: !ours, age: Duration::ZERO }, false), Verdict::Replace);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_offset_is_within_its_error_bound(
        offset_us in -1_000_000_000_000_i64..1_000_000_000_000,
        ways in proptest::collection::vec((0_u64..50_000, 0_u64..50_000, 0_u64..1_000), 1..30),
    ) {
        let mut clock = Clock::default();
        let mut now = 2_000_000_000_000_000_u64;
        for (there, back, stay) in ways {
            let received = (now + there).saturating_add_signed(offset_us);
            clock.sample(now, received, received + stay, now + there + stay + back);
            now += 1_000_000;
        }
        let estimate = clock.estimate().unwrap();
        prop_assert!(estimate.offset_us.abs_diff(offset_us) <= estimate.error_us + 1);
    }

    #[test]
    fn a_lying_clock_does_not_panic(sent: u64, received: u64, replied: u64, returned: u64, theirs: u64) {
        let mut clock = Clock::default();
        clock.sample(sent, received, replied, returned);
        let _ = clock.to_ours(theirs);
    }

    #[test]
    fn the_pacer_never_has_more_than_two_in_flight(steps in proptest::collection::vec((0_u8..5, 0_u64..400), 0..400)) {
        let mut pacer = Pacer::new(0);
        let mut under_way = std::collections::BTreeSet::new();
        let mut now = 0;
        for (what, wait) in steps {
            now += wait;
            match what {
                0..=2 => match pacer.frame(now) {
                    Decision::Send(index) => { under_way.insert(index); }
                    Decision::Reset(old, index) => { prop_assert!(under_way.remove(&old)); under_way.insert(index); }
                    Decision::Drop => {}
                },
                3 => if let Some(index) = under_way.pop_first() { pacer.finished(index); },
                _ => if let Some(index) = under_way.pop_last() { pacer.gone(index); },
            }
            pacer.report(pacer.begun());
            prop_assert!(under_way.len() <= IN_FLIGHT_MAX);
        }
    }
}
