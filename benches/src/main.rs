//! miyu beside other implementations of the same job, in one run, as ratios.
//!
//! Absolute figures say more about the machine and its other work than about the code. So miyu and its rivals take
//! turns within a run, each turn gives one ratio, and the median of the ratios is what is told, with the range of
//! their middle half. `docs/benchmarks.md` says what each figure means.

mod bulk;
mod camera;
mod ciphers;
mod clock;
#[cfg(feature = "desktop")]
mod desktop;
mod flask;
mod frames;
mod handshakes;
mod history;
mod openssl;
mod paired;
mod peers;
mod pinned;
mod process;
mod report;
mod roundtrip;
mod sealed;
mod sm2;
mod sm3;
mod stacks;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use report::{Report, Row};

/// Measure miyu beside other implementations, as ratios within one run.
#[derive(Parser)]
#[command(name = "miyu-bench")]
struct Args {
    /// Which to run; all where none is named
    names: Vec<Name>,
    /// One JSON object a line instead of tables
    #[arg(long)]
    json: bool,
    /// Turns that each contender gets, instead of a number that fits the bench
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// For a profiler: run one side of `handshakes` or `bulk` alone, and tell only what it costs
    #[arg(long, value_name = "SIDE")]
    only: Option<stacks::Stack>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Mutual handshakes over QUIC on loopback
    Handshakes,
    /// 1 GiB over one QUIC stream on loopback
    Bulk,
    /// A message from offer to receipt, and a bare ping
    Roundtrip,
    /// A camera frame, from the JPEG to the decoded picture
    Frames,
    /// What each further viewer costs a camera
    Viewers,
    /// Pictures to viewers, beside Flask's server over TLS
    Flask,
    /// A camera's memory over 100,000 frames
    Endurance,
    /// SM4-GCM
    Ciphers,
    /// SM3
    Sm3,
    /// SM2
    Sm2,
    /// Sealed files beside age
    Sealed,
    /// Messages stored with the durability of a receipt, beside plain SQLite
    Durable,
    /// A history of a million messages
    History,
    /// The desktop app: a long conversation, and a window where there is a display
    #[cfg(feature = "desktop")]
    Desktop,
}

impl Name {
    fn run(self, args: &Args) -> Result<Vec<Row>> {
        match self {
            Self::Handshakes => handshakes::run(args.rounds, args.only),
            Self::Bulk => bulk::run(args.rounds, args.only),
            Self::Roundtrip => roundtrip::run(args.rounds),
            Self::Frames => frames::run(args.rounds),
            Self::Viewers => camera::viewers(args.rounds),
            Self::Flask => flask::run(args.rounds),
            Self::Endurance => camera::endurance(),
            Self::Ciphers => ciphers::run(args.rounds),
            Self::Sm3 => sm3::run(args.rounds),
            Self::Sm2 => sm2::run(args.rounds),
            Self::Sealed => sealed::run(args.rounds),
            Self::Durable => history::durable(args.rounds),
            Self::History => history::long(),
            #[cfg(feature = "desktop")]
            Self::Desktop => desktop::run(args.rounds),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes: mutual, raw public keys, QUIC on loopback",
            Self::Bulk => "bulk: 1 GiB over one QUIC stream on loopback, both ends in one process",
            Self::Roundtrip => "roundtrip: a message and its receipt, and a bare ping of 64 bytes, on loopback",
            Self::Frames => "frames: 1280x720 at 30 a second on loopback, from the JPEG to the decoded picture",
            Self::Viewers => "viewers: 1280x720 at 30 a second passed through, 1 to 64 peers watching on loopback",
            Self::Flask => "flask: 1280x720 at 30 a second to each viewer, the processor time of the camera's process",
            Self::Endurance => "endurance: 100,000 frames of 1280x720, beside a viewer that takes nothing away",
            Self::Ciphers => "ciphers: SM4-GCM with 20 bytes of associated data, on every path of this machine",
            Self::Sm3 => "sm3: the digest of one buffer",
            Self::Sm2 => "sm2: one operation at a time",
            Self::Durable => "durable: messages stored with the durability of a receipt, sealed beside plain SQLite",
            Self::History => "history: a million messages, sealed beside plain SQLite",
            #[cfg(feature = "desktop")]
            Self::Desktop => "desktop: the app, with a conversation of 100,000 messages, and in a window",
            Self::Sealed => "sealed: 1 GiB to one public key, beside the age library",
        }
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "desktop")]
    if let Some(table) = std::env::var_os(desktop::CHILD) {
        return desktop::child(table.into());
    }
    let told = match (std::env::var_os(history::CHILD), std::env::var(camera::CHILD)) {
        (Some(folder), _) => history::child(folder.as_ref()),
        (None, Ok(camera)) => camera::child(&camera),
        (None, Err(_)) => all(&Args::parse()),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn all(args: &Args) -> Result<()> {
    let mut report = Report::new(args.json);
    report.machine();
    let names = if args.names.is_empty() { Name::value_variants() } else { &args.names };
    for name in names {
        eprintln!("bench: {}", name.title());
        let rows = name.run(args).with_context(|| name.title())?;
        report.section(name.title(), &rows);
    }
    Ok(())
}
