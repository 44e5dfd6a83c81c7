//! What a link does to datagrams: drawn from a seed once a run, and then once a datagram.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// At most this share of the datagrams is lost without a cut.
const LOSS_MAX: f64 = 0.2;

/// One run's link.
#[derive(Debug, Clone, Default)]
pub(super) struct Weather {
    /// Shares of the datagrams, 0 to 1.
    pub(super) loss: f64,
    pub(super) damage: f64,
    pub(super) twice: f64,
    pub(super) late: f64,
    /// Every datagram takes this long.
    pub(super) delay: Duration,
    /// One that is late takes up to this much longer: others overtake it.
    pub(super) late_max: Duration,
    /// When the dialler has sent so many datagrams, nothing passes for so long.
    pub(super) cuts: VecDeque<(u64, Duration)>,
    /// When the dialler has sent so many datagrams, it gets another address.
    pub(super) moves: VecDeque<u64>,
}

impl Weather {
    /// One run in four has the worst of everything, one in eight has none of it but cuts and moves.
    pub(super) fn drawn(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let strength = match rng.random_range(0..8) {
            0 | 1 => 1.0,
            2 => 0.0,
            _ => rng.random_range(0.0..1.0),
        };
        let ms = |range: std::ops::Range<u64>, rng: &mut StdRng| Duration::from_millis(rng.random_range(range));
        let mut cuts: Vec<_> =
            (0..rng.random_range(0..3)).map(|_| (rng.random_range(5..600), ms(100..2_000, &mut rng))).collect();
        if rng.random_bool(0.1) {
            // Longer than the links live without a word.
            cuts.push((rng.random_range(5..300), ms(12_500..14_000, &mut rng)));
        }
        cuts.sort();
        let mut moves: Vec<u64> = (0..rng.random_range(0..3)).map(|_| rng.random_range(1..500)).collect();
        moves.sort_unstable();
        Self {
            loss: LOSS_MAX * strength,
            damage: 0.04 * strength,
            twice: 0.1 * strength,
            late: 0.2 * strength,
            delay: ms(0..6, &mut rng),
            late_max: ms(1..25, &mut rng),
            cuts: cuts.into(),
            moves: moves.into(),
        }
    }
}

/// What happens to one datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    /// One entry for each copy that arrives: how much later than it was sent.
    pub(super) copies: Vec<Duration>,
    /// Where and how it is damaged.
    pub(super) damage: Option<Damage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage {
    place: u32,
    bits: u8,
    cut_short: bool,
}

impl Damage {
    /// Changes some bits of one byte, or takes the end away.
    pub(super) fn apply(self, datagram: &mut Vec<u8>) {
        let place = self.place as usize % datagram.len().max(1);
        if self.cut_short {
            datagram.truncate(place);
        } else if let Some(byte) = datagram.get_mut(place) {
            *byte ^= self.bits;
        }
    }
}

/// The fates of one direction's datagrams, in their order.
pub(super) struct Fates {
    rng: StdRng,
    weather: Weather,
}

impl Fates {
    pub(super) fn new(seed: u64, direction: u64, weather: &Weather) -> Self {
        let rng = StdRng::seed_from_u64(seed.wrapping_mul(4).wrapping_add(direction + 1));
        Self { rng, weather: weather.clone() }
    }

    /// As many draws for every datagram, so that the n-th has its own whatever became of those before it.
    pub(super) fn next(&mut self) -> Fate {
        let Self { rng, weather } = self;
        let mut happens = |share: f64| rng.random_bool(share);
        let (lost, damaged, twice) = (happens(weather.loss), happens(weather.damage), happens(weather.twice));
        let late = [happens(weather.late), happens(weather.late)];
        let delays = late.map(|late| {
            let more = weather.late_max.mul_f64(rng.random_range(0.0..1.0));
            if late { weather.delay + more } else { weather.delay }
        });
        let damage = Damage { place: rng.random(), bits: rng.random_range(1..=255), cut_short: rng.random_bool(0.2) };
        // Some are harmed in their first bytes, where the headers stand.
        let place = if rng.random_bool(0.3) { damage.place % 48 } else { damage.place };
        let copies = match (lost, twice) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        Fate { copies: delays[..copies].to_vec(), damage: damaged.then_some(Damage { place, ..damage }) }
    }
}

#[test]
fn a_seed_says_what_becomes_of_each_datagram() {
    let fates = |seed, direction| {
        let mut fates = Fates::new(seed, direction, &Weather::drawn(seed));
        (0..1_000).map(|_| fates.next()).collect::<Vec<_>>()
    };
    assert_eq!(fates(7, 0), fates(7, 0));
    assert_ne!(fates(7, 0), fates(7, 1));
    assert_ne!(fates(7, 0), fates(8, 0));
    let worst = Weather { loss: LOSS_MAX, damage: 0.04, twice: 0.1, late: 0.2, ..Weather::drawn(1) };
    let mut drawn = Fates::new(1, 0, &worst);
    let drawn: Vec<_> = (0..10_000).map(|_| drawn.next()).collect();
    let count = |pick: fn(&Fate) -> bool| drawn.iter().filter(|fate| pick(fate)).count();
    assert!((1_800..2_200).contains(&count(|fate| fate.copies.is_empty())), "a fifth is lost");
    assert!((300..500).contains(&count(|fate| fate.damage.is_some())));
    assert!((650..950).contains(&count(|fate| fate.copies.len() == 2)));
}
