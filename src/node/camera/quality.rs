//! The quality and the share of the frames that all viewers get alike. Pure: instants are given, in milliseconds of any
//! steady clock, and loads are told.
//!
//! It falls where the sum over all viewers is over the ceiling: first the quality down to [`QUALITY_FLOOR`], then frames
//! are left out for all. Where every viewer is late the quality falls too; frames each of them leaves out by itself. It
//! rises again slowly, and after a rise that proved too much it waits twice as long before the next: so it comes to rest
//! below the ceiling rather than swing around it.

/// The quality falls to this at the lowest.
pub const QUALITY_FLOOR: u8 = 40;
/// Loads are looked at this often.
pub const LOOK_MS: u64 = 2_000;
/// And over this many frames that went out, so that one more or less says little; where they are few, they are looked
/// at after this time at the latest.
const LOOK_FRAMES: u64 = 8;
const LOOK_LATEST_MS: u64 = 10_000;
/// All frames, in thousandths.
const WHOLE: u32 = 1_000;
/// One frame in a hundred goes out whatever the ceiling is: a slow picture rather than none.
const SHARE_MIN: u32 = 10;
/// What goes through untouched has no quality to lower: up to three of four frames are left out for late viewers.
const SHARE_LATE_MIN: u32 = 250;
/// Towards late viewers the quality falls by this at once.
const LATE_STEP: u8 = 10;
/// The largest and the smallest fall towards the ceiling.
const STEP_MAX: u8 = 25;
const STEP_MIN: u8 = 3;
/// It rises by this at once.
const RISE: u8 = 2;
/// It rises only where the load is below this part of the ceiling, in thousandths: a rise must not go over it.
const RISE_BELOW: u64 = 850;
/// After a fall it does not rise for this long, doubling to the longest where the fall came soon after a rise.
const HOLD_MIN_MS: u64 = 4_000;
const HOLD_MAX_MS: u64 = 60_000;
const SOON_MS: u64 = 10_000;
/// Without a fall for this long, the next hold is short again.
const CALM_MS: u64 = 120_000;

/// What is going on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    /// By the steady clock.
    pub now_ms: u64,
    /// Bits sent to all viewers together since the beginning.
    pub sent_bits: u64,
    /// Viewers.
    pub viewers: usize,
    /// Viewers that had to do without frames.
    pub late: usize,
    /// Frames are JPEG already and go out untouched: only their number can fall.
    pub passes: bool,
}

/// The state of the shared quality.
#[derive(Debug)]
pub struct Quality {
    top: u8,
    floor: u8,
    ceiling_bits: Option<u64>,
    quality: u8,
    share: u32,
    credit: u32,
    frames: u64,
    looked: Load,
    fell_ms: Option<u64>,
    rose_ms: Option<u64>,
    hold_ms: u64,
}

impl Quality {
    /// Frames of quality `top`, at most `ceiling_bits` a second over all viewers.
    pub fn new(top: u8, ceiling_bits: Option<u64>) -> Self {
        Self {
            top,
            floor: QUALITY_FLOOR.min(top),
            ceiling_bits,
            quality: top,
            share: WHOLE,
            // The first frame goes out.
            credit: WHOLE,
            frames: 0,
            looked: Load::default(),
            fell_ms: None,
            rose_ms: None,
            hold_ms: HOLD_MIN_MS,
        }
    }

    /// The quality to encode with, 1 to 100.
    pub fn quality(&self) -> u8 {
        self.quality
    }

    /// How many of a thousand frames go out.
    pub fn share(&self) -> u32 {
        self.share
    }

    /// Whether this frame goes out. What is left out is spread evenly.
    pub fn takes(&mut self) -> bool {
        self.credit += self.share;
        let takes = self.credit >= WHOLE;
        if takes {
            self.credit = (self.credit - WHOLE).min(WHOLE);
            self.frames += 1;
        }
        takes
    }

    /// Looks at the load, if it is time to. True where something changed.
    pub fn look(&mut self, load: Load) -> bool {
        let elapsed_ms = load.now_ms.saturating_sub(self.looked.now_ms);
        if elapsed_ms < LOOK_MS || self.frames < LOOK_FRAMES && elapsed_ms < LOOK_LATEST_MS {
            return false;
        }
        let bits = load.sent_bits.saturating_sub(self.looked.sent_bits);
        let rate = bits.saturating_mul(1_000) / elapsed_ms;
        self.looked = load;
        self.frames = 0;
        let before = (self.quality, self.share);
        match self.ceiling_bits {
            Some(ceiling) if rate > ceiling => {
                let part = u32::try_from(ceiling.saturating_mul(1_000) / rate).unwrap_or(WHOLE);
                let step = (u64::from(WHOLE - part) * 40 / 1_000).min(u64::from(STEP_MAX)) as u8;
                // A little below, so that the next look finds it there.
                self.fall(&load, step.max(STEP_MIN), part * 95 / 100, SHARE_MIN);
            }
            _ if load.viewers > 0 && load.late >= load.viewers => {
                if load.passes || self.quality > self.floor {
                    self.fall(&load, LATE_STEP, 700, SHARE_LATE_MIN);
                }
            }
            _ => self.rise(&load, rate),
        }
        before != (self.quality, self.share)
    }

    fn fall(&mut self, load: &Load, step: u8, part: u32, share_min: u32) {
        if !load.passes && self.quality > self.floor {
            self.quality = self.quality.saturating_sub(step).max(self.floor);
        } else {
            let share = u64::from(self.share) * u64::from(part) / u64::from(WHOLE);
            self.share = self.share.min((share as u32).max(share_min));
        }
        let since = |then: Option<u64>| then.map_or(u64::MAX, |then| load.now_ms.saturating_sub(then));
        if since(self.rose_ms) <= SOON_MS && self.rose_ms > self.fell_ms {
            self.hold_ms = (self.hold_ms * 2).min(HOLD_MAX_MS);
        } else if since(self.fell_ms) >= CALM_MS {
            self.hold_ms = HOLD_MIN_MS;
        }
        self.fell_ms = Some(load.now_ms);
    }

    fn rise(&mut self, load: &Load, rate: u64) {
        let held = self.fell_ms.is_some_and(|fell| load.now_ms.saturating_sub(fell) < self.hold_ms);
        let room = self.ceiling_bits.map_or(u64::MAX, |ceiling| ceiling.saturating_mul(RISE_BELOW) / 1_000);
        if held || rate > room {
            return;
        }
        if self.share < WHOLE {
            // As far as the ceiling allows, doubling at most.
            let factor = room.saturating_mul(1_000).checked_div(rate).unwrap_or(2_000).clamp(1_000, 2_000);
            let factor = if self.ceiling_bits.is_some() { factor } else { 1_250 };
            let share = u64::from(self.share) * factor / 1_000 + 1;
            self.share = u32::try_from(share).unwrap_or(WHOLE).min(WHOLE);
        } else if self.quality < self.top && !load.passes {
            self.quality = self.quality.saturating_add(RISE).min(self.top);
        } else {
            return;
        }
        self.rose_ms = Some(load.now_ms);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// A camera and its viewers, on a clock of their own.
    struct World {
        quality: Quality,
        load: Load,
        fps: u64,
        /// Bits of a frame of quality 85, for one viewer.
        frame_bits: u64,
        /// How much frames differ, in percent.
        noise: u64,
        random: StdRng,
        changes: Vec<u64>,
        /// Bits of each second.
        seconds: Vec<u64>,
    }

    impl World {
        fn new(seed: u64, ceiling: Option<u64>, fps: u64, viewers: usize) -> Self {
            Self {
                quality: Quality::new(85, ceiling),
                load: Load { viewers, ..Load::default() },
                fps,
                frame_bits: 400_000,
                noise: 20,
                random: StdRng::seed_from_u64(seed),
                changes: Vec::new(),
                seconds: Vec::new(),
            }
        }

        /// What a JPEG of this quality has beside one of 85: libjpeg's tables, roughly.
        fn weight(quality: u8) -> f64 {
            let quality = f64::from(quality);
            let scale = |quality: f64| if quality < 50.0 { 5_000.0 / quality } else { 200.0 - 2.0 * quality };
            (scale(85.0) / scale(quality).max(1.0)).powf(0.7)
        }

        fn run(&mut self, seconds: u64) {
            for _ in 0..seconds {
                let before = self.load.sent_bits;
                for _ in 0..self.fps {
                    self.load.now_ms += 1_000 / self.fps;
                    if self.quality.takes() {
                        let noise = self.random.random_range(100 - self.noise..=100 + self.noise);
                        let weight = if self.load.passes { 1.0 } else { Self::weight(self.quality.quality()) };
                        let bits = self.frame_bits as f64 * weight * noise as f64 / 100.0;
                        self.load.sent_bits += bits as u64 * self.load.viewers as u64;
                    }
                    if self.quality.look(self.load) {
                        self.changes.push(self.load.now_ms);
                    }
                }
                self.seconds.push(self.load.sent_bits - before);
            }
        }

        /// The mean rate of the last seconds.
        fn rate(&self, seconds: usize) -> u64 {
            let last = &self.seconds[self.seconds.len() - seconds..];
            last.iter().sum::<u64>() / seconds as u64
        }

        /// Changes in the worst minute from `from_ms` on.
        fn changes_a_minute(&self, from_ms: u64) -> usize {
            let late: Vec<u64> = self.changes.iter().copied().filter(|at| *at >= from_ms).collect();
            late.iter()
                .map(|start| late.iter().filter(|at| (*start..start + 60_000).contains(at)).count())
                .max()
                .unwrap_or(0)
        }
    }

    #[test]
    fn it_comes_to_rest_below_the_ceiling_and_stays_there() {
        for seed in 0..50 {
            let mut random = StdRng::seed_from_u64(seed);
            let viewers = random.random_range(1..=16);
            let fps = [5, 15, 30, 60][random.random_range(0..4)];
            let ceiling = random.random_range(1_000_000..60_000_000);
            let mut world = World::new(seed, Some(ceiling), fps, viewers);
            world.run(20);
            let about = format!("seed {seed}: {viewers} viewers, {fps} fps, ceiling {ceiling}, {:?}", world.quality);
            // One frame in a hundred is sent under any ceiling.
            let least = world.frame_bits * fps * viewers as u64 / 100;
            for _ in 0..30 {
                world.run(10);
                assert!(world.rate(10) <= (ceiling + ceiling / 20).max(least), "{about}: {}", world.rate(10));
            }
            assert!(world.changes_a_minute(80_000) <= 8, "{about}: {:?}", world.changes);
            let used = world.rate(60);
            let whole = world.quality.quality() == 85 && world.quality.share() == WHOLE;
            assert!(whole || used * 100 >= ceiling * 60, "{about}: {used} of it is used");
        }
    }

    #[test]
    fn it_recovers_when_the_load_goes_but_slowly() {
        let mut world = World::new(7, Some(10_000_000), 30, 16);
        world.run(60);
        assert_eq!(world.quality.quality(), QUALITY_FLOOR);
        assert!(world.quality.share() < WHOLE / 2);
        world.load.viewers = 1;
        world.frame_bits = 200_000;
        let before = world.quality.quality();
        world.run(4);
        assert!(world.quality.quality() <= before + 2 * RISE, "not at once: {}", world.quality.quality());
        world.run(240);
        assert_eq!((world.quality.quality(), world.quality.share()), (85, WHOLE));
    }

    #[test]
    fn one_late_viewer_of_two_changes_nothing_and_two_lower_the_quality() {
        let mut world = World::new(8, None, 30, 2);
        world.load.late = 1;
        world.run(120);
        assert!(world.changes.is_empty(), "{:?}", world.changes);
        world.load.late = 2;
        world.run(12);
        assert_eq!(world.quality.quality(), QUALITY_FLOOR);
        world.run(60);
        assert_eq!(world.quality.share(), WHOLE, "each leaves out for itself what it cannot take");
        world.load.late = 1;
        world.run(240);
        assert_eq!((world.quality.quality(), world.quality.share()), (85, WHOLE));
        world.load = Load { viewers: 0, late: 0, ..world.load };
        world.run(20);
        assert_eq!(world.quality.quality(), 85, "nobody is not everybody");
    }

    #[test]
    fn what_goes_through_untouched_is_left_out_where_all_are_late() {
        let mut world = World::new(12, None, 30, 2);
        world.load = Load { passes: true, late: 2, ..world.load };
        world.run(60);
        assert_eq!((world.quality.quality(), world.quality.share()), (85, SHARE_LATE_MIN));
        world.load.late = 1;
        world.run(120);
        assert_eq!(world.quality.share(), WHOLE);
    }

    /// A link that takes frames up to a size and no larger: the quality must not swing around it.
    #[test]
    fn a_viewer_at_its_limit_is_not_tried_again_and_again() {
        let mut world = World::new(9, None, 30, 1);
        for _ in 0..600 {
            world.load.late = usize::from(world.quality.quality() > 61);
            world.run(1);
        }
        assert!((41..=63).contains(&world.quality.quality()), "{:?}", world.quality);
        assert!(world.changes_a_minute(120_000) <= 8, "{:?}", world.changes);
    }

    #[test]
    fn what_goes_through_untouched_is_left_out_evenly() {
        let mut world = World::new(10, Some(6_000_000), 30, 1);
        world.load.passes = true;
        world.run(20);
        assert_eq!(world.quality.quality(), 85);
        world.run(60);
        assert!(world.rate(30) <= 6_300_000, "{}", world.rate(30));
        assert!(world.rate(30) >= 4_000_000, "{}", world.rate(30));
        let taken: Vec<bool> = (0..30).map(|_| world.quality.takes()).collect();
        let longest = taken.split(|taken| *taken).map(<[bool]>::len).max().unwrap();
        assert!(longest <= 2, "half of the frames, evenly: {taken:?}");
    }

    #[test]
    fn a_slow_camera_is_judged_over_frames_enough() {
        let mut world = World::new(11, Some(300_000), 1, 1);
        world.run(120);
        assert!(world.rate(60) <= 330_000, "{}", world.rate(60));
        world.run(300);
        assert!(world.changes_a_minute(200_000) <= 4, "{:?}", world.changes);
        let mut clock = Quality::new(1, Some(0));
        for now_ms in [0, u64::MAX, 0, 5_000, u64::MAX] {
            for _ in 0..LOOK_FRAMES {
                clock.takes();
            }
            let load = Load { now_ms, sent_bits: u64::MAX, viewers: usize::MAX, late: usize::MAX, passes: false };
            clock.look(load);
            assert!((1..=100).contains(&clock.quality()) && clock.share() >= SHARE_MIN);
        }
    }
}
