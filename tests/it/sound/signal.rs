//! A sound that is known, and how much of it is in another.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Samples a second.
pub(crate) const RATE: usize = 16_000;
/// Frequencies of the syllables: low enough that a third of a sample more or less does not matter.
const HERTZ: std::ops::Range<f64> = 150.0..1_500.0;
/// Samples that are looked for first.
const PROBE: usize = 1_600;

/// So many seconds like speech: syllables that glide from one pitch to another, each like no other, with pauses.
pub(crate) fn speech(seconds: usize, seed: u64) -> Vec<i16> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut samples = Vec::with_capacity(seconds * RATE);
    while samples.len() < seconds * RATE {
        let length: usize = rng.random_range(RATE / 10..RATE / 3);
        let (from, to) = (rng.random_range(HERTZ), rng.random_range(HERTZ));
        let loudness = rng.random_range(3_000.0..12_000.0);
        let mut phase = 0.0f64;
        for i in 0..length {
            let part = i as f64 / length as f64;
            phase += (from + (to - from) * part) / RATE as f64 * std::f64::consts::TAU;
            let swell = (part * std::f64::consts::PI).sin();
            samples.push((loudness * swell * (phase.sin() + 0.3 * (2.0 * phase).sin())) as i16);
        }
        let pause: usize = rng.random_range(0..RATE / 20);
        samples.extend(std::iter::repeat_n(0, pause));
    }
    samples.truncate(seconds * RATE);
    samples
}

pub(crate) fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // in pieces, as a sum of many thousand squares in f32 forgets the small ones
    let pieces = a.chunks(256).zip(b.chunks(256));
    pieces.map(|(a, b)| f64::from(a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>())).sum()
}

pub(crate) fn rms_db(samples: &[f32]) -> f64 {
    10.0 * (dot(samples, samples) / samples.len() as f64).log10()
}

/// Places before and after the best one of the probe that are tried with the whole part: the longest period and more.
const AROUND: usize = 300;

/// How `part` lies in `whole`: the place where it fits best, the normalised correlation there (1 is the same sound), and
/// how much louder it is, in dB.
#[derive(Debug)]
pub(crate) struct Fit {
    pub(crate) place: usize,
    pub(crate) correlation: f64,
    pub(crate) louder_db: f64,
}

pub(crate) fn fit(whole: &[f32], part: &[f32]) -> Fit {
    let middle = (part.len() - PROBE) / 2;
    let probe = &part[middle..middle + PROBE];
    // energy before each place, so that every place costs one product
    let mut energy = vec![0.0];
    for sample in whole {
        energy.push(energy[energy.len() - 1] + f64::from(*sample) * f64::from(*sample));
    }
    let score = |place: usize| {
        let there = (energy[place + PROBE] - energy[place] + 1e-3).sqrt();
        dot(&whole[place..place + PROBE], probe) / there
    };
    let places = (0..=whole.len() - PROBE).map(|place| (place, score(place)));
    let (first, _) = places.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    // a steady tone fits nearly as well a period or two beside its place
    let around = first.saturating_sub(middle + AROUND)..=(first + AROUND).saturating_sub(middle);
    let of_part = dot(part, part);
    let fits = around.filter_map(|place| {
        let there = whole.get(place..place + part.len())?;
        let of_there = energy[place + part.len()] - energy[place];
        let correlation = dot(there, part) / (of_there * of_part + 1e-9).sqrt();
        Some(Fit { place, correlation, louder_db: 10.0 * (of_part / of_there).log10() })
    });
    fits.max_by(|a, b| a.correlation.total_cmp(&b.correlation)).expect("the part lies within the whole")
}

#[test]
fn a_sound_is_found_in_another_and_its_level_is_told() {
    let speech = floats(&speech(4, 1));
    let part: Vec<f32> = speech[20_000..40_000].iter().map(|sample| sample / 2.0).collect();
    let found = fit(&speech, &part);
    assert_eq!(found.place, 20_000);
    assert!(found.correlation > 0.999 && (found.louder_db + 6.02).abs() < 0.01, "{found:?}");
    // a piece that is left out is noticed
    let cut: Vec<f32> = [&speech[20_000..25_000], &speech[25_800..40_000]].concat();
    assert!(fit(&speech, &cut).correlation < 0.9);
    assert!(fit(&speech, &floats(&super::signal::speech(1, 2))).correlation < 0.5);
}
