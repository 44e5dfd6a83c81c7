//! Contenders take turns, so that whatever else the machine does meets all of them alike.
//!
//! Not criterion: it measures one function to the end and then the next, minutes apart, which compares a function with
//! its own past (`benches/primitives.rs` does that) but not two functions on a machine that has other work too.

use std::hint::black_box;
use std::time::Duration;

use crate::clock::thread_cpu;

/// A turn lasts about this long: long against the clock's own cost, short against a change of the clock rate.
const TURN: Duration = Duration::from_millis(3);
/// Turns that each contender gets.
const ROUNDS: u32 = 41;

/// The figures of one contender, one a round.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) figures: Vec<f64>,
}

impl Series {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Vec::new() }
    }
}

/// Takes a result that nobody wants, so that the work for it is done.
pub(crate) fn keep<T>(result: T) {
    black_box(result);
}

/// A way to do the job.
pub(crate) struct Contender<'a> {
    name: &'static str,
    /// Does it this many times; what it took, preparations left out.
    run: Box<dyn FnMut(u32) -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// Repeats `operation`.
    pub(crate) fn new(name: &'static str, mut operation: impl FnMut() + 'a) -> Self {
        let run = move |count| {
            let start = thread_cpu();
            (0..count).for_each(|_| operation());
            thread_cpu().saturating_sub(start)
        };
        Self { name, run: Box::new(run) }
    }

    /// Repeats `operation`, each time on a value that `prepare` made before the clock ran.
    pub(crate) fn prepared<T>(
        name: &'static str,
        mut prepare: impl FnMut() -> T + 'a,
        mut operation: impl FnMut(T) + 'a,
    ) -> Self {
        let run = move |count| {
            let values: Vec<T> = (0..count).map(|_| prepare()).collect();
            let start = thread_cpu();
            values.into_iter().for_each(&mut operation);
            thread_cpu().saturating_sub(start)
        };
        Self { name, run: Box::new(run) }
    }

    /// Repeats `operation`, each time after `prepare`, whose own time is measured beside and taken off: values that
    /// are made beforehand would lie in a colder cache than those that a program has just received.
    pub(crate) fn after<S: 'a>(
        name: &'static str,
        mut state: S,
        prepare: impl Fn(&mut S) + 'a,
        operation: impl Fn(&mut S) + 'a,
    ) -> Self {
        let run = move |count| {
            let start = thread_cpu();
            for _ in 0..count {
                prepare(&mut state);
                operation(&mut state);
            }
            let both = thread_cpu();
            (0..count).for_each(|_| prepare(black_box(&mut state)));
            let end = thread_cpu();
            (both.saturating_sub(start)).saturating_sub(end.saturating_sub(both)).max(Duration::from_nanos(1))
        };
        Self { name, run: Box::new(run) }
    }

    /// How many repetitions fill a turn. The first ones warm caches up too.
    fn count(&mut self) -> u32 {
        let mut count = 1;
        loop {
            let took = (self.run)(count);
            if took * 2 >= TURN {
                let scaled = f64::from(count) * TURN.as_secs_f64() / took.as_secs_f64();
                return (scaled as u32).max(1);
            }
            count = count.saturating_mul(2);
        }
    }
}

/// The speed of each contender, in `amount` a second, where `amount` is what one operation does.
pub(crate) fn speeds(rounds: Option<u32>, amount: f64, mut contenders: Vec<Contender<'_>>) -> Vec<Series> {
    let counts: Vec<u32> = contenders.iter_mut().map(Contender::count).collect();
    let mut series: Vec<Series> = contenders.iter().map(|contender| Series::new(contender.name)).collect();
    for round in 0..rounds.unwrap_or(ROUNDS) as usize {
        // Nobody is always the first, or always after the same one.
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let took = (contenders[at].run)(counts[at]);
            series[at].figures.push(f64::from(counts[at]) * amount / took.as_secs_f64());
        }
    }
    series
}

/// The middle value; not a number where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The ends of the middle half.
pub(crate) fn quartiles(values: &[f64]) -> (f64, f64) {
    (quantile(values, 0.25), quantile(values, 0.75))
}

/// The value below which this part of the values lies, between two of them where need be.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = part * last as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), 2.5);
        assert_eq!(quartiles(&values), (1.75, 3.25));
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quartiles(&[7.0]), (7.0, 7.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn every_contender_has_as_many_turns() {
        let mut turns = [0, 0];
        let [first, second] = &mut turns;
        let wait = |count: &mut u32| {
            *count += 1;
            let start = thread_cpu();
            while thread_cpu().saturating_sub(start) < Duration::from_millis(2) {}
        };
        let contenders = vec![Contender::new("one", || wait(first)), Contender::new("two", || wait(second))];
        let series = speeds(Some(5), 1.0, contenders);
        assert!(series.iter().all(|series| series.figures.len() == 5));
        assert!(turns[0] >= 6 && turns[1] >= 6, "{turns:?}");
    }
}
