//! Mutual handshakes a second, and what one costs the processor at both ends together.
//!
//! A responder of miyu answers 20 handshakes a second and 8 at once, by design. So there are many responders, on both
//! sides of the comparison, and none of them comes near that limit.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::clock::{Cost, Meter};
use crate::paired::Series;
use crate::report::{Row, Unit};
use crate::stacks::{Ends, Stack};

/// Responders, each dialled once in a round.
const RESPONDERS: usize = 64;
/// Handshakes under way at one time.
const AT_ONCE: usize = 8;
const ROUNDS: u32 = 25;
/// No handshake on loopback takes this long unless its first datagram was dropped.
const HELD_BACK: Duration = Duration::from_millis(900);

pub(crate) fn run(rounds: Option<u32>, only: Option<Stack>) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let stacks: Vec<Stack> =
            Stack::BOTH.into_iter().filter(|stack| only.is_none_or(|only| only == *stack)).collect();
        let mut ends = Vec::new();
        for stack in &stacks {
            let bound = Arc::new(Ends::bind(*stack, RESPONDERS)?);
            // Once each, unmeasured.
            round(&bound).await?;
            ends.push(bound);
        }
        let mut rates: Vec<Series> = stacks.iter().map(|stack| Series::new(stack.name())).collect();
        let mut costs = rates.clone();
        for number in 0..rounds.unwrap_or(ROUNDS) as usize {
            for turn in 0..ends.len() {
                let at = (number + turn) % ends.len();
                let cost = round(&ends[at]).await?;
                rates[at].figures.push(RESPONDERS as f64 / cost.wall.as_secs_f64());
                costs[at].figures.push(cost.cpu.as_secs_f64() * 1e3 / RESPONDERS as f64);
            }
        }
        let path = miyu::crypto::gcm::Backend::chosen().name();
        Ok(match (&rates[..], &costs[..]) {
            ([rate], [cost]) => vec![
                Row::alone("handshakes", path, Unit::PerSecond, rate),
                Row::alone("one handshake, both ends", path, Unit::CpuMilliseconds, cost),
            ],
            (rates, costs) => vec![
                Row::beside("handshakes", path, Unit::PerSecond, &rates[0], &rates[1]),
                Row::beside("one handshake, both ends", path, Unit::CpuMilliseconds, &costs[0], &costs[1]),
            ],
        })
    })
}

/// Each responder is dialled once.
async fn round(ends: &Arc<Ends>) -> Result<Cost> {
    let meter = Meter::start();
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let ends = ends.clone();
        tasks.spawn(async move {
            let mut slowest = Duration::ZERO;
            for responder in (first..RESPONDERS).step_by(AT_ONCE) {
                let meter = Meter::start();
                let (near, _far) = ends.connect(responder).await?;
                slowest = slowest.max(meter.stop().wall);
                near.close(0_u32.into(), b"");
            }
            anyhow::Ok(slowest)
        });
    }
    while let Some(slowest) = tasks.join_next().await {
        let slowest = slowest??;
        ensure!(slowest < HELD_BACK, "a handshake took {} ms: a first datagram was lost", slowest.as_millis());
    }
    Ok(meter.stop())
}
