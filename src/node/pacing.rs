//! Which frames go to one viewer. Pure: instants are given, in milliseconds of any steady clock.
//!
//! Newest first. At most [`IN_FLIGHT_MAX`] frames are on their way; one may always finish, so that a slow link shows a
//! slow picture and never none.

use std::collections::VecDeque;

/// Frames on their way to one viewer at one time.
pub const IN_FLIGHT_MAX: usize = 2;
/// A frame that has been on its way for longer has missed its time.
pub const DEADLINE_MS: u64 = 250;
/// Frames that the transport has delivered but the viewer has not yet reported, at most: the report comes every
/// 500 ms, so a viewer that handles what it gets is never stopped by this at 60 frames a second.
pub const UNSEEN_MAX: u64 = 64;

/// What to do with a new frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send it under this index.
    Send(u64),
    /// Reset the frame with the first index, then send this one under the second.
    Reset(u64, u64),
    /// Leave it out; a newer one comes soon.
    Drop,
}

/// The state of one viewer.
#[derive(Debug)]
pub struct Pacer {
    interval_us: u64,
    due_us: u64,
    next_index: u64,
    in_flight: VecDeque<InFlight>,
    completed: u64,
    seen: u64,
    dropped: u64,
    reset: u64,
}

#[derive(Debug)]
struct InFlight {
    index: u64,
    begun_ms: u64,
    completed_before: u64,
}

impl Pacer {
    /// A viewer that wants at most `max_fps` frames a second; 0 for all.
    pub fn new(max_fps: u16) -> Self {
        Self {
            interval_us: if max_fps == 0 { 0 } else { 1_000_000 / u64::from(max_fps) },
            due_us: 0,
            next_index: 0,
            in_flight: VecDeque::new(),
            completed: 0,
            seen: 0,
            dropped: 0,
            reset: 0,
        }
    }

    /// A new frame is ready at `now_ms`.
    pub fn frame(&mut self, now_ms: u64) -> Decision {
        // A frame that comes a little early for a limited viewer still counts as due: captures jitter.
        if now_ms.saturating_mul(1000) + self.interval_us / 8 < self.due_us {
            return Decision::Drop;
        }
        if self.next_index.saturating_sub(self.seen) >= UNSEEN_MAX {
            self.dropped += 1;
            return Decision::Drop;
        }
        if self.in_flight.len() < IN_FLIGHT_MAX {
            return Decision::Send(self.begin(now_ms));
        }
        let stale = self.in_flight.iter().position(|frame| {
            now_ms.saturating_sub(frame.begun_ms) > DEADLINE_MS && self.completed > frame.completed_before
        });
        match stale.and_then(|at| self.in_flight.remove(at)) {
            Some(frame) => {
                self.reset += 1;
                Decision::Reset(frame.index, self.begin(now_ms))
            }
            None => {
                self.dropped += 1;
                Decision::Drop
            }
        }
    }

    fn begin(&mut self, now_ms: u64) -> u64 {
        let index = self.next_index;
        self.next_index += 1;
        // Measured from when it was due, so that the rate is kept over jitter; but a pause is not made up for.
        self.due_us = (self.due_us + self.interval_us).max(now_ms.saturating_mul(1000));
        self.in_flight.push_back(InFlight { index, begun_ms: now_ms, completed_before: self.completed });
        index
    }

    /// The transport could not take the frame: it was never begun for the viewer.
    pub fn undo(&mut self, index: u64) {
        if self.next_index == index + 1 {
            self.next_index = index;
        }
        self.in_flight.retain(|frame| frame.index != index);
        self.dropped += 1;
    }

    /// The frame has reached the viewer's transport.
    pub fn finished(&mut self, index: u64) {
        let before = self.in_flight.len();
        self.in_flight.retain(|frame| frame.index != index);
        if self.in_flight.len() < before {
            self.completed += 1;
        }
    }

    /// The frame ended without reaching the viewer.
    pub fn gone(&mut self, index: u64) {
        self.in_flight.retain(|frame| frame.index != index);
    }

    /// The viewer reports. A number beyond what was sent counts as all of it.
    pub fn report(&mut self, seen: u64) {
        self.seen = self.seen.max(seen.min(self.next_index));
    }

    /// Frames begun for this viewer.
    pub fn begun(&self) -> u64 {
        self.next_index
    }

    /// Frames left out because the viewer was behind.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Frames reset because they had missed their time.
    pub fn resets(&self) -> u64 {
        self.reset
    }
}
