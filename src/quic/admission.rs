//! Who may begin a handshake, and whose knock is tried at all: the limits that make a flood bearable, and the shares
//! that keep one flood from shutting out everybody else. Pure: instants are given.
//!
//! Nothing is wasted where nobody competes: every rate is open to all. Only once it is used up, a source that has used
//! little lately draws on a reserve: one for sources that are known (dialled by us, or linked before), one for the
//! rest. So a flood from one address costs others nothing, and one that forges its addresses costs only those who
//! were never here.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::endpoint::HANDSHAKE_TIMEOUT;
use super::knock::DCID_BYTES_MAX;

/// Attempts that are being looked at, are in their handshake or have not said `Hello` yet, at one time.
pub const INCOMING_MAX: usize = 64;
/// Of these, places that only known sources take.
pub const INCOMING_RESERVED: usize = 16;
/// Of these, places that one source takes.
pub const INCOMING_PER_SOURCE_MAX: usize = 16;
/// Handshakes begun a second, in the long run: each costs SM2 work under quinn's endpoint lock.
pub const HANDSHAKES_PER_SECOND: f64 = 20.0;
/// Handshakes begun at once.
pub const HANDSHAKES_BURST: f64 = 8.0;
/// Handshakes a second beyond these, for known sources and again for others, that have begun few lately.
pub const HANDSHAKES_RESERVED_PER_SECOND: f64 = 5.0;
/// Failed trials of an Initial a second, in the long run: each costs about 20 SM3 blocks and the packet's SM4.
pub const TRIALS_PER_SECOND: f64 = 2_000.0;
/// Failed trials at once.
pub const TRIALS_BURST: f64 = 400.0;
/// Failed trials a second beyond these, for known sources and again for others, that have failed little lately.
pub const TRIALS_RESERVED_PER_SECOND: f64 = 500.0;
/// Sources that are told apart in one reserve.
const SOURCES_MAX: usize = 4_096;
/// Sources that are remembered as known; the oldest are forgotten first.
pub const KNOWN_SOURCES_MAX: usize = 256;
/// Sources that have used nothing of their share are forgotten at most this often.
const SWEEP_PERIOD: Duration = Duration::from_secs(1);

/// Where a datagram comes from, as far as shares go: an IPv4 address, or the network of an IPv6 one, as a single host
/// has all 2^64 addresses of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
            address => Self(address),
        }
    }
}

/// A DCID of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Dcid {
    bytes: [u8; DCID_BYTES_MAX],
    len: usize,
}

impl Dcid {
    fn of(dcid: &[u8]) -> Self {
        let mut bytes = [0; DCID_BYTES_MAX];
        let len = dcid.len().min(DCID_BYTES_MAX);
        bytes[..len].copy_from_slice(&dcid[..len]);
        Self { bytes, len }
    }
}

/// The state of all limits.
#[derive(Debug)]
pub struct Admission {
    handshakes: Shares,
    trials: Shares,
    under_way: HashMap<Source, usize>,
    total: usize,
    total_max: usize,
    let_in: u64,
    /// Let in at the gate, not yet taken over by the accept loop.
    waiting: HashMap<Dcid, (Source, Instant)>,
    known: VecDeque<Source>,
}

impl Default for Admission {
    fn default() -> Self {
        let reserved = HANDSHAKES_RESERVED_PER_SECOND;
        Self {
            // A dialler sends its Initial about four times before it gives a dial up.
            handshakes: Shares::new((HANDSHAKES_PER_SECOND, HANDSHAKES_BURST), (reserved, 8.0), (0.5, 4.0)),
            // An honest dialler fails only where its table has a wrong key for us.
            trials: Shares::new((TRIALS_PER_SECOND, TRIALS_BURST), (TRIALS_RESERVED_PER_SECOND, 100.0), (2.0, 10.0)),
            under_way: HashMap::new(),
            total: 0,
            total_max: 0,
            let_in: 0,
            waiting: HashMap::new(),
            known: VecDeque::new(),
        }
    }
}

impl Admission {
    /// Remembers a source that was dialled, or linked.
    pub fn know(&mut self, source: Source) {
        if let Some(at) = self.known.iter().position(|known| *known == source) {
            self.known.remove(at);
        }
        self.known.push_back(source);
        if self.known.len() > KNOWN_SOURCES_MAX {
            self.known.pop_front();
        }
    }

    /// Whether the gate may spend a trial on an Initial of this source.
    pub fn may_try(&mut self, source: Source, now: Instant) -> bool {
        let known = self.known.contains(&source);
        self.trials.may(source, known, now)
    }

    /// A trial has failed.
    pub fn failed(&mut self, source: Source, now: Instant) {
        let known = self.known.contains(&source);
        self.trials.spend(source, known, now);
    }

    /// Whether a new attempt of this source would be let in.
    pub fn may_begin(&mut self, source: Source, now: Instant) -> bool {
        let known = self.known.contains(&source);
        self.has_place(source, known, now) && self.handshakes.may(source, known, now)
    }

    /// Lets an attempt in, if there is room; it holds a place until [`Self::release`].
    pub fn begin(&mut self, dcid: &[u8], source: Source, now: Instant) -> bool {
        let known = self.known.contains(&source);
        if !self.has_place(source, known, now) || !self.handshakes.spend(source, known, now) {
            return false;
        }
        self.waiting.insert(Dcid::of(dcid), (source, now));
        *self.under_way.entry(source).or_insert(0) += 1;
        self.total += 1;
        self.total_max = self.total_max.max(self.total);
        self.let_in += 1;
        true
    }

    /// Whether an attempt with this DCID was let in and waits to be taken over.
    pub fn waits(&self, dcid: &[u8]) -> bool {
        self.waiting.contains_key(&Dcid::of(dcid))
    }

    /// Takes an attempt over. Its place is to be released with the source that this gives.
    pub fn claim(&mut self, dcid: &[u8]) -> Option<Source> {
        self.waiting.remove(&Dcid::of(dcid)).map(|(source, _)| source)
    }

    /// Gives a place back.
    pub fn release(&mut self, source: Source) {
        if let Some(count) = self.under_way.get_mut(&source) {
            *count -= 1;
            self.total -= 1;
            if *count == 0 {
                self.under_way.remove(&source);
            }
        }
    }

    /// Attempts let in so far, and the most that were under way at one time.
    pub fn counts(&self) -> (u64, usize) {
        (self.let_in, self.total_max)
    }

    fn has_place(&mut self, source: Source, known: bool, now: Instant) -> bool {
        let limit = if known { INCOMING_MAX } else { INCOMING_MAX - INCOMING_RESERVED };
        if self.total >= limit {
            self.expire(now);
        }
        self.total < limit && self.under_way.get(&source).is_none_or(|count| *count < INCOMING_PER_SOURCE_MAX)
    }

    /// What was let in and never became an attempt must not hold its place for ever.
    fn expire(&mut self, now: Instant) {
        let old = |since: Instant| now.saturating_duration_since(since) > HANDSHAKE_TIMEOUT;
        let gone: Vec<Source> =
            self.waiting.extract_if(|_, (_, since)| old(*since)).map(|(_, (source, _))| source).collect();
        for source in gone {
            self.release(source);
        }
    }
}

/// One rate for all, and the reserves behind it.
#[derive(Debug)]
struct Shares {
    common: TokenBucket,
    known: TokenBucket,
    others: TokenBucket,
    /// What one source may draw from a reserve: a second, and at once.
    share: (f64, f64),
    drawn: HashMap<Source, TokenBucket>,
    swept_at: Option<Instant>,
}

impl Shares {
    fn new(common: (f64, f64), reserve: (f64, f64), share: (f64, f64)) -> Self {
        Self {
            common: TokenBucket::new(common.0, common.1),
            known: TokenBucket::new(reserve.0, reserve.1),
            others: TokenBucket::new(reserve.0, reserve.1),
            share,
            drawn: HashMap::new(),
            swept_at: None,
        }
    }

    fn may(&mut self, source: Source, known: bool, now: Instant) -> bool {
        self.common.has(now)
            || (self.reserve(known).has(now) && self.drawn.get_mut(&source).is_none_or(|share| share.has(now)))
    }

    fn spend(&mut self, source: Source, known: bool, now: Instant) -> bool {
        if self.common.take(now) {
            return true;
        }
        if !self.reserve(known).has(now) || !self.draw(source, known, now) {
            return false;
        }
        self.reserve(known).take(now)
    }

    fn reserve(&mut self, known: bool) -> &mut TokenBucket {
        if known { &mut self.known } else { &mut self.others }
    }

    fn draw(&mut self, source: Source, known: bool, now: Instant) -> bool {
        if self.drawn.len() >= SOURCES_MAX && !self.drawn.contains_key(&source) {
            if self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_PERIOD) {
                self.swept_at = Some(now);
                self.drawn.retain(|_, share| !share.is_full(now));
            }
            // Known sources are few.
            if self.drawn.len() >= SOURCES_MAX && !known {
                return false;
            }
        }
        let (rate, burst) = self.share;
        self.drawn.entry(source).or_insert_with(|| TokenBucket::new(rate, burst)).take(now)
    }
}

/// A token bucket: `rate` a second in the long run, `burst` at once.
#[derive(Debug)]
struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled_at: Option<Instant>,
}

impl TokenBucket {
    fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, tokens: burst, filled_at: None }
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = self.filled_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.filled_at = Some(now);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.rate).min(self.burst);
    }

    fn has(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= 1.0
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }

    fn take(&mut self, now: Instant) -> bool {
        let has = self.has(now);
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    /// Attempts that were taken over, and until when each holds its place.
    struct Held(Duration, VecDeque<(Instant, Source)>);

    impl Held {
        /// Takes over what was let in, and gives back what has had its time.
        fn step(&mut self, admission: &mut Admission, now: Instant) {
            let waiting: Vec<Dcid> = admission.waiting.keys().copied().collect();
            for dcid in waiting {
                let source = admission.claim(&dcid.bytes[..dcid.len]).unwrap();
                self.1.push_back((now + self.0, source));
            }
            while self.1.front().is_some_and(|(until, _)| *until <= now) {
                let (_, source) = self.1.pop_front().unwrap();
                admission.release(source);
            }
        }
    }

    /// Ten seconds of a thousand knocks a second, each of which holds its place for so long; then, every 500 ms for
    /// ten more, one knock of `honest`. Gives how many of these twenty were let in.
    fn under_flood(
        admission: &mut Admission,
        honest: Source,
        hold: Duration,
        mut flood: impl FnMut(u64) -> Source,
    ) -> usize {
        let start = Instant::now();
        let mut held = Held(hold, VecDeque::new());
        let mut let_in = 0;
        for ms in 0..20_000_u64 {
            let now = start + MS * u32::try_from(ms).unwrap();
            held.step(admission, now);
            admission.begin(&ms.to_be_bytes(), flood(ms), now);
            if ms >= 10_000 && ms % 500 == 499 && admission.begin(b"honest..", honest, now) {
                let_in += 1;
                // Its handshake takes a moment.
                let source = admission.claim(b"honest..").unwrap();
                admission.release(source);
            }
        }
        assert!(admission.counts().1 <= INCOMING_MAX);
        let_in
    }

    #[test]
    fn the_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(20.0, 8.0);
        let at_once = (0..100).filter(|_| bucket.take(start)).count();
        assert_eq!(at_once, 8);
        let in_a_second = (1..=1000).filter(|ms| bucket.take(start + MS * *ms)).count();
        assert!((19..=20).contains(&in_a_second), "{in_a_second}");
        let after_an_hour = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(after_an_hour)).count(), 8, "rest saves up no more than a burst");
    }

    #[test]
    fn a_flood_from_one_address_keeps_nobody_else_out() {
        // Attempts that are closed at once, and such as say nothing more.
        for hold in [Duration::ZERO, HANDSHAKE_TIMEOUT] {
            let mut admission = Admission::default();
            let let_in = under_flood(&mut admission, source(2), hold, |_| source(1));
            // Four at once, then one every two seconds for as long as the flood lasts.
            assert!(let_in >= 8, "{let_in} of 20");
            let most = 20.0 * (HANDSHAKES_PER_SECOND + 2.0) + 20.0;
            assert!(admission.counts().0 as f64 <= most, "{:?}", admission.counts());
        }
    }

    #[test]
    fn a_flood_from_forged_addresses_keeps_nobody_out_who_is_known() {
        let forged = |ms: u64| Source::of(IpAddr::V6(Ipv6Addr::from_bits(u128::from(ms) << 64)));
        for hold in [Duration::ZERO, HANDSHAKE_TIMEOUT] {
            let mut admission = Admission::default();
            admission.know(source(2));
            let known = under_flood(&mut admission, source(2), hold, forged);
            assert!(known >= 8, "{known} of 20");
            assert!(admission.handshakes.drawn.len() <= SOURCES_MAX + KNOWN_SOURCES_MAX);
        }
    }

    #[test]
    fn who_is_alone_has_the_whole_rate() {
        let mut admission = Admission::default();
        let start = Instant::now();
        let mut let_in = 0;
        for ms in 0..10_000_u32 {
            let now = start + MS * ms;
            if admission.begin(b"a scan..", source(1), now) {
                let_in += 1;
                let source = admission.claim(b"a scan..").unwrap();
                admission.release(source);
            }
        }
        let whole = 10.0 * HANDSHAKES_PER_SECOND + HANDSHAKES_BURST;
        assert!(f64::from(let_in) >= whole, "{let_in}");
        assert!(f64::from(let_in) <= whole + 10.0, "and little more: {let_in}");
    }

    #[test]
    fn one_source_takes_a_part_of_the_places() {
        let mut admission = Admission::default();
        let mut now = Instant::now();
        for dcid in 0..1000_u64 {
            now += Duration::from_millis(7);
            admission.begin(&dcid.to_be_bytes(), source(1), now);
        }
        assert_eq!(admission.total, INCOMING_PER_SOURCE_MAX);
        for other in 2..200_u8 {
            now += Duration::from_millis(30);
            admission.begin(&[other; 8], source(other), now);
        }
        assert_eq!(admission.total, INCOMING_MAX - INCOMING_RESERVED, "the rest is for those who are known");
        admission.know(source(200));
        assert!(admission.begin(b"known...", source(200), now));
        // What nobody took over gives its place back.
        now += HANDSHAKE_TIMEOUT + MS;
        assert!(admission.begin(b"later...", source(201), now));
        assert_eq!((admission.total, admission.waiting.len()), (1, 1));
    }

    #[test]
    fn trials_are_bounded_and_a_quiet_source_is_always_tried() {
        let mut admission = Admission::default();
        let start = Instant::now();
        let (mut tried, mut quiet) = (0_u32, 0_u32);
        for tick in 0..100_000_u32 {
            let now = start + Duration::from_micros(100) * tick;
            if admission.may_try(source(1), now) {
                admission.failed(source(1), now);
                tried += 1;
            }
            if tick % 10_000 == 9_999 {
                quiet += u32::from(admission.may_try(source(2), now));
            }
        }
        let most = 10.0 * (TRIALS_PER_SECOND + 3.0) + TRIALS_BURST + 10.0;
        assert!(f64::from(tried) <= most, "{tried} of 100000");
        assert_eq!(quiet, 10);
        // Success costs nothing: a crowd of honest diallers is tried whole.
        assert!((0..10_000).all(|_| admission.may_try(source(3), start + Duration::from_secs(20))));
    }

    #[test]
    fn forged_sources_are_told_apart_up_to_a_limit() {
        let mut admission = Admission::default();
        let start = Instant::now();
        for tick in 0..200_000_u32 {
            let forged = Source::of(IpAddr::from(tick.to_be_bytes()));
            admission.failed(forged, start + Duration::from_micros(100) * tick);
            assert!(admission.trials.drawn.len() <= SOURCES_MAX);
        }
        assert!(admission.trials.drawn.len() > 100);
    }

    #[test]
    fn the_known_are_bounded_and_an_ipv6_network_is_one_source() {
        let mut admission = Admission::default();
        for number in 0..1000_u32 {
            admission.know(Source::of(IpAddr::from(number.to_be_bytes())));
        }
        assert_eq!(admission.known.len(), KNOWN_SOURCES_MAX);
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.7"), source(7));
    }
}
