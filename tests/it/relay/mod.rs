//! A hostile link: two peers whose real datagrams pass through a relay that loses, delays, reorders, duplicates and
//! damages them, is cut for a while, and gives the dialler another address.
//!
//! What the relay does to the n-th datagram of a direction is a function of the seed, the direction and n, so that a
//! failure that names its seed is met again with it (`MIYU_RELAY_SEED=… ./x test relay`). `MIYU_RELAY_RUNS` asks for
//! more runs than the usual ones; `./x soak` does both.

mod killed;
mod line;
mod messages;
mod restarts;
mod runs;
mod weather;

/// Runs that every test run makes.
const RUNS: u64 = 32;
/// The seed of the first of them; the next one has the next number.
const SEED: u64 = 1;

/// The number in an environment variable, if it is set.
fn asked(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}

/// The seeds to run with.
fn seeds() -> std::ops::Range<u64> {
    let first = asked("MIYU_RELAY_SEED");
    // A seed by itself is a failure that somebody wants to see again.
    let usual = if first.is_some() { 1 } else { RUNS };
    let first = first.unwrap_or(SEED);
    first..first + asked("MIYU_RELAY_RUNS").unwrap_or(usual)
}
