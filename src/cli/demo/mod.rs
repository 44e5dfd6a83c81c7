//! `miyu demo`: alice, bob and a camera in one process, over UDP on loopback, with throw-away keys.
//!
//! Nothing is handed over in memory: each peer has its own keys, table, folder and socket, and the bytes are counted
//! at the sockets. Every step checks what arrived; the exit status says whether all of them held.

#[cfg(feature = "gui")]
mod app;
mod cast;
mod steps;

use std::time::Instant;

use serde_json::json;

use super::print::{Printer, size};
use super::{Failure, Outcome, node};
use cast::Cast;
use steps::Seen;

/// Flags of `miyu demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Seconds of camera
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Never open the app, even where there is a display; it stays closed with --json too
    #[arg(long)]
    headless: bool,
}

/// One step as it is told.
pub(super) struct Step {
    name: &'static str,
    result: Result<String, String>,
    seconds: f64,
}

pub(super) async fn run(options: &Options, printer: &Printer) -> Outcome {
    tokio::select! {
        outcome = play(options, printer) => outcome,
        () = node::interrupted() => Err(Failure::new("interrupted")),
    }
}

async fn play(options: &Options, printer: &Printer) -> Outcome {
    let begun = Instant::now();
    printer.line("miyu demo: alice, bob and a camera on 127.0.0.1, with throw-away keys\n");
    let mut cast = Cast::new().await?;
    let mut seen = Seen::default();
    let mut failed = 0;
    for name in steps::NAMES {
        let started = Instant::now();
        let result = steps::play(name, &mut cast, &mut seen, options.seconds).await;
        let step = Step { name, result, seconds: started.elapsed().as_secs_f64() };
        failed += usize::from(step.result.is_err());
        tell(&step, printer);
        if step.result.is_err() && name == steps::NAMES[0] {
            // Without links every other step would only wait.
            break;
        }
    }
    let traffic = cast.traffic();
    let updates = cast.key_updates();
    let seconds = begun.elapsed().as_secs_f64();
    summary(&seen, traffic, updates, failed, seconds, printer);
    #[cfg(feature = "gui")]
    if failed == 0 && !options.headless && !printer.is_json() && app::has_display() {
        return app::show(cast, printer).await;
    }
    cast.close().await;
    if failed > 0 {
        return Err(Failure::new(format!("{failed} of {} steps failed", steps::NAMES.len()))
            .hint("run it again with -v for the log"));
    }
    Ok(())
}

fn tell(step: &Step, printer: &Printer) {
    let ok = step.result.is_ok();
    let detail = match &step.result {
        Ok(detail) | Err(detail) => detail,
    };
    let value = json!({ "event": "step", "name": step.name, "ok": ok, "detail": detail, "seconds": step.seconds });
    printer.result(&value, || {
        format!("{} {:<11} {detail}  ({:.1} s)", if ok { "ok  " } else { "FAIL" }, step.name, step.seconds)
    });
}

fn summary(
    seen: &Seen,
    (bytes, datagrams): (u64, u64),
    key_updates: u64,
    failed: usize,
    seconds: f64,
    printer: &Printer,
) {
    let value = json!({
        "event": "summary", "ok": failed == 0, "steps": steps::NAMES.len(), "failed": failed, "seconds": seconds,
        "suite": seen.suite, "group": seen.group, "rtt_ms": seen.rtt_ms,
        "texts": seen.texts, "pictures": seen.pictures, "clips": seen.clips, "body_bytes": seen.body_bytes,
        "frames": seen.frames, "frame_bytes": seen.frame_bytes, "fps": seen.fps, "lost": seen.lost, "late": seen.late,
        "latency_p50_ms": seen.latency_p50_ms, "latency_p99_ms": seen.latency_p99_ms,
        "wire_bytes": bytes, "datagrams": datagrams, "key_updates": key_updates,
    });
    printer.result(&value, || {
        let rows = rows(seen, (bytes, datagrams), key_updates);
        let mut table = String::from("\n");
        for (name, value) in rows {
            table.push_str(&format!("  {name:<12} {value}\n"));
        }
        let verdict = if failed == 0 { "everything worked".to_owned() } else { format!("{failed} steps failed") };
        table.push_str(&format!("\n{verdict}, in {seconds:.1} s"));
        table
    });
}

/// The table for people: what was sent, what it took, how it went.
fn rows(seen: &Seen, (bytes, datagrams): (u64, u64), key_updates: u64) -> Vec<(&'static str, String)> {
    vec![
        (
            "sent",
            format!("{} texts, {} picture, {} clip: {}", seen.texts, seen.pictures, seen.clips, size(seen.body_bytes)),
        ),
        ("camera", format!("{} frames, {}, {:.1} a second", seen.frames, size(seen.frame_bytes), seen.fps)),
        ("loss", format!("{} frames lost, {} late", seen.lost, seen.late)),
        (
            "latency",
            format!("{:.1} ms median, {:.1} ms p99, capture to viewer", seen.latency_p50_ms, seen.latency_p99_ms),
        ),
        ("round trip", format!("{:.2} ms", seen.rtt_ms)),
        ("on the wire", format!("{} in {datagrams} UDP datagrams, all three sockets", size(bytes))),
        ("cipher", format!("{}, {}, SM2 signatures", seen.suite, seen.group)),
        ("key updates", key_updates.to_string()),
    ]
}
