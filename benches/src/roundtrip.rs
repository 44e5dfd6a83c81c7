//! What a user waits for the receipt of a text, through two nodes that store it on disk; and the bare round trip under
//! it, beside ring's.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use miyu::node::{Draft, DraftKind, Event};
use quinn::Connection;
use tokio::runtime::Runtime;

use crate::paired::{Series, median};
use crate::peers::{self, Actor};
use crate::report::{Row, Unit};
use crate::stacks::{Ends, Stack};

const PING_BYTES: usize = 64;
/// Pings of each stack in a round; the round's figure is their median.
const PINGS: usize = 100;
/// Texts in a round.
const TEXTS: usize = 20;
const ROUNDS: u32 = 21;

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let mut links = Vec::new();
        for stack in Stack::BOTH {
            let ends = Ends::bind(stack, 1)?;
            let (near, far) = ends.connect(0).await?;
            tokio::spawn(echo(far));
            links.push((near, ends));
        }
        let (mut alice, _bob) = peers::pair().await?;
        let mut pings = Stack::BOTH.map(|stack| Series::new(stack.name()));
        let mut texts = Series::new(Stack::Miyu.name());
        // The first round warms up.
        for number in 0..=rounds.unwrap_or(ROUNDS) {
            let mut times = [Vec::new(), Vec::new()];
            for turn in 0..2 * PINGS {
                let at = turn % 2;
                times[at].push(micros(ping(&links[at].0).await?));
            }
            let mut waited = Vec::new();
            for _ in 0..TEXTS {
                waited.push(micros(text(&mut alice).await?));
            }
            if number > 0 {
                pings.iter_mut().zip(&times).for_each(|(series, times)| series.figures.push(median(times)));
                texts.figures.push(median(&waited));
            }
        }
        let path = miyu::crypto::gcm::Backend::chosen().name();
        Ok(vec![
            Row::beside("bare ping of 64 bytes, a stream each", path, Unit::Microseconds, &pings[0], &pings[1]),
            Row::beside("text, send to receipt, stored at both ends", path, Unit::Microseconds, &texts, &pings[1]),
        ])
    })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// There and back on a stream of its own, as every delivery of a node has one.
async fn ping(connection: &Connection) -> Result<Duration> {
    let start = Instant::now();
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&[7; PING_BYTES]).await?;
    send.finish()?;
    let answer = recv.read_to_end(PING_BYTES).await?;
    let took = start.elapsed();
    ensure!(answer.len() == PING_BYTES, "the echo has {} bytes", answer.len());
    Ok(took)
}

async fn echo(connection: Connection) -> Result<()> {
    loop {
        let (mut send, mut recv) = connection.accept_bi().await?;
        let bytes = recv.read_to_end(PING_BYTES).await?;
        send.write_all(&bytes).await?;
        send.finish()?;
    }
}

/// From the call to the event that says "delivered".
async fn text(alice: &mut Actor) -> Result<Duration> {
    let start = Instant::now();
    let draft = Draft { kind: DraftKind::Text("is the kettle on?".to_owned()), name: None, reply_to: None };
    let sent = alice.node.send("bob", draft).await?;
    alice.wait(|event| matches!(event, Event::Delivered { id, .. } if id == sent).then_some(())).await?;
    Ok(start.elapsed())
}
