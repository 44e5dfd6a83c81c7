//! `miyu watch`: a peer's camera as JPEG files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::print::Printer;
use super::{Failure, Global, Outcome, node};
use crate::node::{Node, Role, SizeClass, WatchFrame, WatchHandle, WatchNews, WatchOptions};

/// Flags of `miyu watch`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// A peer of the table
    peer: String,
    /// End after this many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// End after this long
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Write every frame as a JPEG file into DIR
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take one picture of full quality
    #[arg(long, conflicts_with_all = ["frames", "max_fps", "size"])]
    still: bool,
    /// Frames a second at most; 0 for as many as there are
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_fps: u16,
    /// full, half or quarter of each side
    #[arg(long, value_name = "SIZE", default_value = "full")]
    size: Size,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Size {
    Full,
    Half,
    Quarter,
}

/// Without any frame for this long, a watch with a wanted number of frames has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

pub(super) async fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    if options.seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= 1e9)) {
        return Err(Failure::new("--seconds must be above 0").hint("for example --seconds 10"));
    }
    let loaded = node::load(global)?;
    node::check_peer(&loaded, &options.peer)?;
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    }
    let (node, events) = node::start(&loaded, Role::OneShot).await?;
    // Nobody reads them here.
    drop(events);
    let outcome = watch(options, &node, printer).await;
    node.shutdown().await;
    outcome
}

async fn watch(options: &Options, node: &Node, printer: &Printer) -> Outcome {
    let size = match options.size {
        Size::Full => SizeClass::Full,
        Size::Half => SizeClass::Half,
        Size::Quarter => SizeClass::Quarter,
    };
    let how = WatchOptions { max_fps: options.max_fps, size, still: options.still };
    let mut handle = node.watch(&options.peer, how).await?;
    printer.note(&format!(
        "watching {}: {}x{} at {:.1} frames a second",
        options.peer,
        handle.info.width,
        handle.info.height,
        f64::from(handle.info.fps_milli) / 1000.0
    ));
    let mut view = View { options, printer, begun: Instant::now(), frames: 0, latencies_us: Vec::new(), error_us: 0 };
    let outcome = view.run(&mut handle).await;
    view.summary(&handle);
    outcome
}

struct View<'a> {
    options: &'a Options,
    printer: &'a Printer,
    begun: Instant,
    frames: u64,
    latencies_us: Vec<i64>,
    error_us: u64,
}

/// Latencies kept for the percentiles: over three hours at 30 frames a second.
const LATENCIES_MAX: usize = 400_000;

impl View<'_> {
    async fn run(&mut self, handle: &mut WatchHandle) -> Outcome {
        let wanted = if self.options.still { Some(1) } else { self.options.frames };
        let stop = node::interrupted();
        tokio::pin!(stop);
        let end = self.options.seconds.map(|seconds| self.begun + Duration::from_secs_f64(seconds));
        let mut quiet_since = Instant::now();
        loop {
            if wanted.is_some_and(|wanted| self.frames >= wanted) {
                return Ok(());
            }
            let silence = quiet_since + SILENCE_MAX;
            let deadline = end.unwrap_or(silence).min(if wanted.is_some() { silence } else { end.unwrap_or(silence) });
            tokio::select! {
                news = handle.next() => match news {
                    Some(WatchNews::Frame(frame)) => {
                        quiet_since = Instant::now();
                        self.frame(&frame)?;
                    }
                    Some(WatchNews::Paused(why)) => self.printer.note(&format!("no signal: {why}")),
                    Some(WatchNews::Resumed(_)) => self.printer.note("frames come again"),
                    Some(WatchNews::Ended(error)) => return Err(error.into()),
                    None => return self.ended(wanted),
                },
                () = tokio::time::sleep_until(deadline.into()) => {
                    if end.is_some_and(|end| Instant::now() >= end) {
                        return self.ended(wanted);
                    }
                    if wanted.is_some() {
                        return Err(self.short(wanted));
                    }
                    quiet_since = Instant::now();
                }
                () = &mut stop => return Ok(()),
            }
        }
    }

    fn ended(&self, wanted: Option<u64>) -> Outcome {
        match wanted {
            Some(wanted) if self.frames < wanted => Err(self.short(Some(wanted))),
            None if self.frames == 0 => Err(Failure::new(format!("not one frame came from {}", self.options.peer))
                .hint("does the camera still run? `miyu ping` tells whether its peer is there")),
            _ => Ok(()),
        }
    }

    fn short(&self, wanted: Option<u64>) -> Failure {
        let wanted = wanted.unwrap_or(0);
        Failure::new(format!("{} of {wanted} frames came from {}", self.frames, self.options.peer))
            .hint("does the camera still run? `miyu ping` tells whether its peer is there")
    }

    fn frame(&mut self, frame: &WatchFrame) -> Outcome {
        self.frames += 1;
        if self.latencies_us.len() < LATENCIES_MAX {
            self.latencies_us.push(frame.latency_us);
        }
        self.error_us = frame.latency_error_us;
        let path = match &self.options.out {
            Some(folder) => Some(save(folder, self.frames, frame)?),
            None => None,
        };
        if self.printer.is_json() {
            let value = json!({
                "event": "frame", "seq": frame.seq, "width": frame.width, "height": frame.height,
                "bytes": frame.jpeg.len(), "latency_ms": frame.latency_us as f64 / 1000.0,
                "latency_error_ms": frame.latency_error_us as f64 / 1000.0,
                "encode_ms": frame.encode_us as f64 / 1000.0,
                "path": path.as_ref().map(|path| path.display().to_string()),
            });
            self.printer.result(&value, String::new);
        } else if self.frames % 30 == 1 {
            self.printer.note(&format!(
                "frame {} {}x{} {} bytes, {:.1} ms old",
                frame.seq,
                frame.width,
                frame.height,
                frame.jpeg.len(),
                frame.latency_us as f64 / 1000.0
            ));
        }
        Ok(())
    }

    fn summary(&mut self, handle: &WatchHandle) {
        let counts = handle.counts();
        let seconds = self.begun.elapsed().as_secs_f64();
        let fps = if seconds > 0.0 { self.frames as f64 / seconds } else { 0.0 };
        self.latencies_us.sort_unstable();
        let p50 = percentile(&self.latencies_us, 50);
        let p99 = percentile(&self.latencies_us, 99);
        let value = json!({
            "event": "summary", "frames": self.frames, "lost": counts.lost, "late": counts.late,
            "fps": (fps * 100.0).round() / 100.0, "latency_p50_ms": p50, "latency_p99_ms": p99,
            "latency_error_ms": self.error_us as f64 / 1000.0, "bytes": counts.bytes,
        });
        self.printer.result(&value, || {
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} ms"));
            format!(
                "{} frame{} in {seconds:.1} s ({fps:.1} a second), {} lost, {} late, latency {} median, {} p99 (± {:.1} ms)",
                self.frames,
                if self.frames == 1 { "" } else { "s" },
                counts.lost,
                counts.late,
                shown(p50),
                shown(p99),
                self.error_us as f64 / 1000.0
            )
        });
    }
}

fn percentile(sorted_us: &[i64], percent: usize) -> Option<f64> {
    let last = sorted_us.len().checked_sub(1)?;
    sorted_us.get(last * percent / 100).map(|us| *us as f64 / 1000.0)
}

fn save(folder: &Path, number: u64, frame: &WatchFrame) -> Outcome<PathBuf> {
    let path = folder.join(format!("frame-{number:06}.jpg"));
    std::fs::write(&path, &frame.jpeg).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}
