//! Time as the clock on the wall tells it, and as the processor spent it.

use std::time::{Duration, Instant};

use nix::sys::time::TimeValLike;
use nix::time::ClockId;

/// Processor time, user and system, of this thread: what other work on the machine does not stretch.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time of all threads of this process.
fn process_cpu() -> Duration {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: ClockId) -> Duration {
    // Both clocks exist on every system that this runs on; a zero would show as a ratio that is no number.
    clock.now().map_or(Duration::ZERO, |now| Duration::from_nanos(now.num_nanoseconds().unsigned_abs()))
}

/// What a piece of work cost this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// Counts from its making on.
pub(crate) struct Meter {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: process_cpu() }
    }

    pub(crate) fn stop(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), cpu: process_cpu().saturating_sub(self.cpu) }
    }
}
