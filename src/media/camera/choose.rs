//! Which of a camera's formats, sizes and rates comes closest to what was asked.

/// A range of sizes, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// One size.
    One(u32, u32),
    /// From the lowest to the highest in steps, width and height apart: (lowest, highest, step).
    Steps((u32, u32, u32), (u32, u32, u32)),
}

impl Sizes {
    /// The size of these that is closest to `wanted`.
    pub fn closest(self, wanted: (u32, u32)) -> (u32, u32) {
        match self {
            Sizes::One(width, height) => (width, height),
            Sizes::Steps(width, height) => (nearest(width, wanted.0), nearest(height, wanted.1)),
        }
    }
}

fn nearest((lowest, highest, step): (u32, u32, u32), wanted: u32) -> u32 {
    let highest = highest.max(lowest);
    let step = step.max(1);
    let steps = (wanted.clamp(lowest, highest) - lowest + step / 2) / step;
    // Half a step up may lie beyond the end.
    lowest + steps.min((highest - lowest) / step) * step
}

/// A time between frames, in seconds: numerator and denominator.
pub type Interval = (u32, u32);

/// Frames a second.
pub fn rate((numerator, denominator): Interval) -> f32 {
    if numerator == 0 { 0.0 } else { denominator as f32 / numerator as f32 }
}

/// The times between frames that a camera has for one format and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervals {
    /// It does not say.
    Unknown,
    /// These.
    Some(Vec<Interval>),
    /// All between the shortest and the longest.
    Between(Interval, Interval),
}

impl Intervals {
    /// The interval to ask for: that of the rate which is closest to `fps`, the higher one of two as near.
    pub fn closest(&self, fps: f32) -> Interval {
        // 29.97 is 1000 / 29970
        let wanted = (1000, (fps * 1000.0).round().max(1.0) as u32);
        match self {
            Intervals::Unknown => wanted,
            Intervals::Some(list) => {
                let off = |interval: &Interval| (rate(*interval) - fps).abs();
                let usable = list.iter().filter(|interval| interval.0 > 0 && interval.1 > 0);
                let best = usable.min_by(|a, b| off(a).total_cmp(&off(b)).then(rate(**b).total_cmp(&rate(**a))));
                best.copied().unwrap_or(wanted)
            }
            Intervals::Between(shortest, longest) => {
                if fps >= rate(*shortest) {
                    *shortest
                } else if fps <= rate(*longest) {
                    *longest
                } else {
                    wanted
                }
            }
        }
    }
}

/// One way that a camera can be used: a format that we know, at a size of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The four characters of the format.
    pub fourcc: [u8; 4],
    /// Width and height.
    pub size: (u32, u32),
    /// The rates at that size.
    pub intervals: Intervals,
}

/// A frame whose parts are JPEG already.
pub fn is_jpeg(fourcc: [u8; 4]) -> bool {
    matches!(&fourcc, b"MJPG" | b"JPEG")
}

/// How far sizes are apart: the difference of the areas, and the aspect where that is the same.
fn distance(size: (u32, u32), wanted: (u32, u32)) -> u64 {
    u64::from(size.0.abs_diff(wanted.0)) * u64::from(wanted.1)
        + u64::from(size.1.abs_diff(wanted.1)) * u64::from(wanted.0)
}

/// The offer that is closest to `wanted` and `fps`: the size counts first, then whether the rate is reached, then the
/// work that it makes. A JPEG is taken through untouched; where pictures are turned, planes lose nothing by it.
pub fn choose(offers: &[Offer], wanted: (u32, u32), fps: f32, turned: bool) -> Option<&Offer> {
    // Rates such as 29.97 for 30 are the same for people.
    let short = |offer: &Offer| (fps * 0.97 - rate(offer.intervals.closest(fps))).max(0.0);
    let work = |offer: &Offer| match &offer.fourcc {
        b"MJPG" | b"JPEG" => {
            if turned {
                3
            } else {
                0
            }
        }
        b"NV12" | b"NV21" | b"YU12" | b"YV12" => 1,
        b"GREY" => 4,
        _ => 2,
    };
    offers.iter().min_by(|a, b| {
        let size = distance(a.size, wanted).cmp(&distance(b.size, wanted));
        size.then(short(a).total_cmp(&short(b))).then(work(a).cmp(&work(b)))
    })
}

/// Which frames to take of a camera that is faster than it was asked to be.
#[derive(Clone, Debug)]
pub struct Thinning {
    interval_us: u64,
    due_us: Option<u64>,
}

impl Thinning {
    /// `None` where the camera is not much faster.
    pub fn new(asked_fps: f32, camera_fps: f32) -> Option<Thinning> {
        let faster = asked_fps > 0.0 && camera_fps > asked_fps * 1.2;
        faster.then(|| Thinning { interval_us: (1e6 / asked_fps) as u64, due_us: None })
    }

    /// Whether to take the frame of this time. A due time that was missed is not made up for.
    pub fn takes(&mut self, at_us: u64) -> bool {
        // A frame that is a little early is the one that was meant.
        let early = self.interval_us / 8;
        match self.due_us {
            Some(due) if at_us + early < due && due - at_us <= self.interval_us * 2 => false,
            Some(due) if at_us.abs_diff(due) <= self.interval_us => {
                self.due_us = Some(due + self.interval_us);
                true
            }
            _ => {
                self.due_us = Some(at_us + self.interval_us);
                true
            }
        }
    }
}
