//! 1 GiB over one stream: what it costs the processor at both ends together, and how long it takes.

use anyhow::{Result, ensure};
use quinn::Connection;
use tokio::runtime::Runtime;

use crate::clock::{Cost, Meter};
use crate::paired::Series;
use crate::report::{Row, Unit};
use crate::stacks::{Ends, Stack};

const BYTES: usize = 1 << 30;
/// Written at a time, as a node does with a body.
const PIECE_BYTES: usize = 64 << 10;
const ROUNDS: u32 = 5;

pub(crate) fn run(rounds: Option<u32>, only: Option<Stack>) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let stacks: Vec<Stack> =
            Stack::BOTH.into_iter().filter(|stack| only.is_none_or(|only| only == *stack)).collect();
        let ends = stacks.iter().map(|stack| Ends::bind(*stack, 1)).collect::<Result<Vec<_>>>()?;
        let mut cpu: Vec<Series> = stacks.iter().map(|stack| Series::new(stack.name())).collect();
        let mut wall = cpu.clone();
        for number in 0..rounds.unwrap_or(ROUNDS) as usize {
            for turn in 0..ends.len() {
                let at = (number + turn) % ends.len();
                let cost = transfer(stacks[at], &ends[at]).await?;
                cpu[at].figures.push(cost.cpu.as_secs_f64());
                wall[at].figures.push(cost.wall.as_secs_f64());
            }
        }
        let path = miyu::crypto::gcm::Backend::chosen().name();
        Ok(match (&cpu[..], &wall[..]) {
            ([cpu], [wall]) => {
                vec![
                    Row::alone("1 GiB, both ends", path, Unit::CpuSeconds, cpu),
                    Row::alone("1 GiB", path, Unit::Seconds, wall),
                ]
            }
            (cpu, wall) => vec![
                Row::beside("1 GiB, both ends", path, Unit::CpuSeconds, &cpu[0], &cpu[1]),
                Row::beside("1 GiB", path, Unit::Seconds, &wall[0], &wall[1]),
            ],
        })
    })
}

/// On a connection of its own: what quinn learned of the path in one transfer does not serve the next.
async fn transfer(stack: Stack, ends: &Ends) -> Result<Cost> {
    let (near, far) = ends.connect(0).await?;
    let meter = Meter::start();
    let receiving = tokio::spawn(receive(far));
    let mut stream = near.open_uni().await?;
    let piece = vec![0x5a; PIECE_BYTES];
    for _ in 0..BYTES / PIECE_BYTES {
        stream.write_all(&piece).await?;
    }
    stream.finish()?;
    // The other side's handle is kept until here: dropping it would close the connection.
    let (received, far) = receiving.await??;
    let cost = meter.stop();
    ensure!(received == BYTES, "{received} of {BYTES} bytes came");
    // Lost packets are sent and paid for twice: a round that has many says little.
    let (sent, back) = (near.stats(), far.stats());
    eprintln!(
        "bench: {}: {} datagrams in {} sends, {} of them lost, {} acknowledgements",
        stack.name(),
        sent.udp_tx.datagrams,
        sent.udp_tx.ios,
        sent.path.lost_packets,
        back.frame_tx.acks,
    );
    near.close(0_u32.into(), b"");
    Ok(cost)
}

async fn receive(connection: Connection) -> Result<(usize, Connection)> {
    let mut stream = connection.accept_uni().await?;
    let mut received = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
        received += chunk.bytes.len();
    }
    Ok((received, connection))
}
