//! The offset between two clocks, estimated over control pings. Pure: instants are given.

use std::collections::VecDeque;

/// Round trips that are looked at: the quickest of them tells most.
const SAMPLES_MAX: usize = 16;

/// What the last round trips say of the other side's clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    samples: VecDeque<Estimate>,
}

/// An offset and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Their clock minus ours, microseconds.
    pub offset_us: i64,
    /// Half the round trip that the estimate rests on, microseconds: the way there and the way back may differ.
    pub error_us: u64,
}

impl Clock {
    /// Takes in one round trip: sent and returned by our clock, received and replied by theirs, all in Unix
    /// microseconds. A round trip that is shorter than the time it spent on the other side says nothing.
    pub fn sample(&mut self, sent_us: u64, received_us: u64, replied_us: u64, returned_us: u64) {
        let away = i128::from(returned_us) - i128::from(sent_us);
        let there = i128::from(replied_us) - i128::from(received_us);
        if away < 0 || there < 0 || there > away {
            return;
        }
        let twice =
            (i128::from(received_us) - i128::from(sent_us)) + (i128::from(replied_us) - i128::from(returned_us));
        let (Ok(offset_us), Ok(error_us)) = (i64::try_from(twice / 2), u64::try_from((away - there) / 2)) else {
            return;
        };
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Estimate { offset_us, error_us: error_us.max(1) });
    }

    /// The estimate of the quickest round trip among the last ones.
    pub fn estimate(&self) -> Option<Estimate> {
        self.samples.iter().copied().min_by_key(|estimate| estimate.error_us)
    }

    /// One of their instants by our clock, Unix microseconds.
    pub fn to_ours(&self, theirs_us: u64) -> u64 {
        let offset = self.estimate().map_or(0, |estimate| estimate.offset_us);
        theirs_us.saturating_add_signed(offset.saturating_neg())
    }
}
