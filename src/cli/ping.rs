//! `miyu ping`: the round trip, or what is wrong.

use std::time::Duration;

use serde_json::json;

use super::print::Printer;
use super::{Global, Outcome, node};
use crate::node::{DialError, PongInfo, Role};

/// Flags of `miyu ping`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// A peer of the table
    peer: String,
    /// How many round trips
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

/// Between two pings.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let loaded = node::load(global)?;
    node::check_peer(&loaded, &options.peer)?;
    let (node, events) = node::start(&loaded, Role::OneShot).await?;
    // Nobody reads them here.
    drop(events);
    let outcome = tokio::select! {
        outcome = pings(options, &node, printer) => outcome,
        () = node::interrupted() => Ok(()),
    };
    node.shutdown().await;
    Ok(outcome?)
}

async fn pings(options: &Options, node: &crate::node::Node, printer: &Printer) -> Result<(), DialError> {
    node.connect(&options.peer).await?;
    let mut times = Vec::new();
    for number in 0..options.count {
        if number > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let pong = node.ping(&options.peer).await?;
        times.push(pong.rtt);
        show(&options.peer, &pong, printer);
    }
    times.sort();
    if let (Some(least), Some(most)) = (times.first(), times.last()) {
        let median = times[times.len() / 2];
        printer.line(&format!(
            "{} round trip{}: min {:.2} ms, median {:.2} ms, max {:.2} ms",
            times.len(),
            if times.len() == 1 { "" } else { "s" },
            ms(*least),
            ms(median),
            ms(*most)
        ));
    }
    Ok(())
}

fn show(peer: &str, pong: &PongInfo, printer: &Printer) {
    let link = &pong.link;
    let value = json!({
        "event": "pong", "peer": peer, "rtt_ms": ms(pong.rtt), "suite": link.suite, "group": link.group,
        "address": link.address.to_string(), "key_age_s": link.key_age.as_secs_f64(), "camera": link.camera,
        "clock_offset_ms": pong.clock_offset_us as f64 / 1000.0, "clock_error_ms": pong.clock_error_us as f64 / 1000.0,
    });
    printer.result(&value, || {
        format!(
            "{peer} at {}: {:.2} ms, {} with {}, keys {:.1} s old{}",
            link.address,
            ms(pong.rtt),
            link.suite,
            link.group,
            link.key_age.as_secs_f64(),
            if link.camera { ", has a camera" } else { "" }
        )
    });
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
