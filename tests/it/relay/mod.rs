//! A hostile link: two peers whose real datagrams pass through a relay that loses, delays, reorders, duplicates and
//! damages them, is cut for a while, and gives the dialler another address.
//!
//! What the relay does to the n-th datagram of a direction is a function of the seed, the direction and n, so that a
//! failure that names its seed is met again with it (`MIYU_RELAY_SEED=… ./x test relay::runs`). `MIYU_RELAY_RUNS` asks
//! for another number of runs; `./x soak` does both.
//!
//! A run waits for timers most of the time: many of them go on at once in one process, and each kind is split in two
//! tests.

mod killed;
mod ledger;
mod line;
mod messages;
mod restarts;
mod runs;
mod weather;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use tokio::task::JoinSet;

use weather::Weather;

/// The seed of the first run; the next one has the next number.
const SEED: u64 = 1;
/// Runs of one test under way at one time: they wait for timers most of the time.
const RUNS_AT_ONCE: usize = 24;
/// Nothing a link does may hold a run up for longer.
const RUN_PATIENCE: Duration = Duration::from_secs(300);
/// Ports that systems do not give to sockets that ask for any.
const PORTS: RangeInclusive<u16> = 10_240..=32_000;

/// The number in an environment variable, if it is set.
fn asked(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value:?}")))
}

/// The seeds of `runs` runs; of those that are asked for instead, one in `share` is made.
fn seeds(runs: u64, share: u64) -> Vec<u64> {
    let first = asked("MIYU_RELAY_SEED");
    // A seed by itself is a failure that somebody wants to see again.
    let usual = if first.is_some() { 1 } else { runs };
    let runs = asked("MIYU_RELAY_RUNS").map_or(usual, |asked| asked.div_ceil(share));
    let first = first.unwrap_or(SEED);
    (first..first + runs).collect()
}

/// The odd ones (1) or the even ones (0) of the seeds: two tests that may run beside each other.
fn half(seeds: Vec<u64>, half: u64) -> Vec<u64> {
    seeds.into_iter().filter(|seed| seed % 2 == half).collect()
}

/// Makes a run for each seed and gives what they came to. Every failure is told with its seed.
async fn all<T: Send + 'static, F>(test: &str, seeds: Vec<u64>, at_once: usize, run: impl Fn(u64) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    println!("{} seeds: {:?} to {:?}", seeds.len(), seeds.first(), seeds.last());
    let (mut waiting, mut running) = (seeds.into_iter(), JoinSet::new());
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    loop {
        while running.len() < at_once
            && let Some(seed) = waiting.next()
        {
            running.spawn(judged(seed, run(seed)));
        }
        match running.join_next().await {
            None => break,
            Some(judgement) => match judgement.unwrap() {
                Ok(figures) => done.push(figures),
                Err((seed, said)) => {
                    let failure = format!("MIYU_RELAY_SEED={seed} ./x test {test} meets it again: {said}");
                    println!("{failure}");
                    failures.push(failure);
                }
            },
        }
    }
    assert!(failures.is_empty(), "{} runs failed:\n{}", failures.len(), failures.join("\n"));
    done
}

/// A run with its time limit.
async fn judged<T: Send + 'static>(
    seed: u64,
    run: impl Future<Output = T> + Send + 'static,
) -> Result<T, (u64, String)> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    running.spawn(run);
    let said = match tokio::time::timeout(RUN_PATIENCE, running.join_next()).await {
        Ok(Some(Ok(figures))) => {
            println!("seed {seed}: {:.1?}", begun.elapsed());
            return Ok(figures);
        }
        Ok(Some(Err(error))) => match error.into_panic().downcast::<String>() {
            Ok(words) => *words,
            Err(other) => {
                other.downcast::<&str>().map_or_else(|_| "it panicked".to_owned(), |words| (*words).to_owned())
            }
        },
        Ok(None) | Err(_) => format!("not done after {RUN_PATIENCE:?}: {:#?}", Weather::drawn(seed)),
    };
    Err((seed, said))
}

/// An address that is its holder's also while nothing listens there: between the end of a node and its next start no
/// other run takes it.
pub(crate) struct Address {
    pub(crate) udp: SocketAddr,
    _held: TcpListener,
}

impl Address {
    pub(crate) fn free(rng: &mut impl Rng) -> Self {
        loop {
            let udp = SocketAddr::from((Ipv4Addr::LOCALHOST, rng.random_range(PORTS)));
            // The same number in TCP is nobody's concern but that of these tests.
            if let (Ok(held), Ok(_)) = (TcpListener::bind(udp), UdpSocket::bind(udp)) {
                return Self { udp, _held: held };
            }
        }
    }
}
