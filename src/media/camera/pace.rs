//! When the next frame is due.

use std::time::{Duration, Instant};

/// A grid of due times, `1 / fps` apart from a start, so that errors never add up.
///
/// It reads no clock: the caller says how much time has gone by since the start.
#[derive(Clone, Debug)]
pub struct Pace {
    interval_ns: u64,
    /// Number of the next slot on the grid.
    slot: u64,
}

impl Pace {
    /// A grid for `fps` frames a second; the first frame is due at the start.
    pub fn new(fps: f32) -> Pace {
        let fps = f64::from(fps).max(0.001);
        Pace { interval_ns: (1e9 / fps).round() as u64, slot: 0 }
    }

    /// Takes the next slot and tells how long to wait for it. When its time has passed by less
    /// than an interval the frame is due at once; slots missed altogether are skipped.
    pub fn wait(&mut self, since_start: Duration) -> Duration {
        let now_ns = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        self.slot = self.slot.max(now_ns / self.interval_ns);
        let due_ns = self.slot.saturating_mul(self.interval_ns);
        self.slot += 1;
        Duration::from_nanos(due_ns.saturating_sub(now_ns))
    }
}

/// A [`Pace`] on the monotonic clock of this machine.
#[derive(Debug)]
pub(crate) struct Paced {
    pace: Pace,
    fps: f32,
    start: Option<Instant>,
}

impl Paced {
    pub(crate) fn new(fps: f32) -> Paced {
        Paced { pace: Pace::new(fps), fps, start: None }
    }

    pub(crate) fn fps(&self) -> f32 {
        self.fps
    }

    /// Sleeps until the next frame is due. The grid starts at the first call.
    pub(crate) fn sleep(&mut self) {
        let start = *self.start.get_or_insert_with(Instant::now);
        let wait = self.pace.wait(start.elapsed());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }
}
