//! How loud it is: peak and RMS, in decibels below full scale, readable from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Windows of the meter in a second.
const WINDOWS_A_SECOND: u32 = 20;

/// Peak and root mean square of some samples; 1.0 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Largest magnitude.
    pub peak: f32,
    /// Root mean square.
    pub rms: f32,
}

impl Level {
    /// Of all these samples.
    pub fn of(samples: &[f32]) -> Level {
        let mut sum = Sum::default();
        samples.iter().for_each(|sample| sum.add(*sample));
        sum.level()
    }

    /// The peak in dBFS; minus infinity for silence.
    pub fn peak_db(&self) -> f32 {
        decibels(self.peak)
    }

    /// The RMS in dBFS: a sine of full scale has -3.0. Minus infinity for silence.
    pub fn rms_db(&self) -> f32 {
        decibels(self.rms)
    }
}

fn decibels(level: f32) -> f32 {
    20.0 * level.log10()
}

#[derive(Default)]
struct Sum {
    peak: f32,
    squares: f64,
    count: u32,
}

impl Sum {
    fn add(&mut self, sample: f32) {
        self.peak = self.peak.max(sample.abs());
        self.squares += f64::from(sample) * f64::from(sample);
        self.count += 1;
    }

    fn level(&self) -> Level {
        let mean = self.squares / f64::from(self.count.max(1));
        Level { peak: self.peak, rms: mean.sqrt() as f32 }
    }
}

/// The level of the last whole window, written by one thread and read by others.
#[derive(Clone, Default)]
pub(super) struct Gauge {
    peak: Arc<AtomicU32>,
    rms: Arc<AtomicU32>,
}

impl Gauge {
    pub(super) fn read(&self) -> Level {
        let read = |cell: &AtomicU32| f32::from_bits(cell.load(Ordering::Relaxed));
        Level { peak: read(&self.peak), rms: read(&self.rms) }
    }

    fn write(&self, level: Level) {
        self.peak.store(level.peak.to_bits(), Ordering::Relaxed);
        self.rms.store(level.rms.to_bits(), Ordering::Relaxed);
    }
}

/// Sums samples up and gives the level of each window of a twentieth of a second to a gauge.
pub(super) struct Meter {
    gauge: Gauge,
    window: u32,
    sum: Sum,
}

impl Meter {
    pub(super) fn new(gauge: Gauge, rate: u32) -> Self {
        Self { gauge, window: (rate / WINDOWS_A_SECOND).max(1), sum: Sum::default() }
    }

    pub(super) fn add(&mut self, sample: f32) {
        self.sum.add(sample);
        if self.sum.count >= self.window {
            self.gauge.write(self.sum.level());
            self.sum = Sum::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32, count: usize) -> Vec<f32> {
        (0..count).map(|i| amplitude * (i as f32 * std::f32::consts::TAU / 48.0).sin()).collect()
    }

    #[test]
    fn a_sine_has_its_level() {
        let level = Level::of(&sine(0.5, 4_800));
        assert!((level.peak_db() + 6.02).abs() < 0.01, "{level:?}");
        assert!((level.rms_db() + 9.03).abs() < 0.01, "{level:?}");
        assert_eq!(Level::of(&[0.0; 10]).peak_db(), f32::NEG_INFINITY);
        assert_eq!(Level::of(&[]), Level::default());
    }

    #[test]
    fn the_gauge_shows_whole_windows_only() {
        let gauge = Gauge::default();
        let mut meter = Meter::new(gauge.clone(), 48_000);
        let mut feed = |samples: &[f32]| samples.iter().for_each(|sample| meter.add(*sample));
        feed(&[1.0; 2_399]);
        assert_eq!(gauge.read(), Level::default());
        feed(&[1.0]);
        assert_eq!(gauge.read(), Level { peak: 1.0, rms: 1.0 });
        feed(&[-0.25; 2_400]);
        assert_eq!(gauge.read(), Level { peak: 0.25, rms: 0.25 });
    }
}
