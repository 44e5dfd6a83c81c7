//! `miyu watch`: a peer's camera as JPEG files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use super::print::{Printer, clock, shown};
use super::{Failure, Global, Outcome, node};
use crate::media::jpeg;
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
    /// Write every frame as a JPEG file into DIR, beside those that are there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take one picture of full quality, and keep it in DIR or here
    #[arg(long, conflicts_with_all = ["frames", "max_fps", "size"])]
    still: bool,
    /// Decode every frame, and measure how long after its encoding it is decoded here
    #[arg(long)]
    decode: bool,
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
    let album = match (&options.out, options.still) {
        (Some(folder), still) => Some(Album::open(folder, if still { "still" } else { "frame" })?),
        // A picture that was asked for is kept.
        (None, true) => Some(Album::open(Path::new("."), "still")?),
        (None, false) => None,
    };
    let (node, events) = node::start(&loaded, Role::OneShot).await?;
    // Nobody reads them here.
    drop(events);
    let outcome = watch(options, album, &node, printer).await;
    node.shutdown().await;
    outcome
}

async fn watch(options: &Options, album: Option<Album>, node: &Node, printer: &Printer) -> Outcome {
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
    let mut view = View {
        options,
        printer,
        album,
        begun: Instant::now(),
        frames: 0,
        latencies_us: Vec::new(),
        decoded_us: Vec::new(),
        decoded: 0,
        decoding: Duration::ZERO,
        damaged: 0,
        error_us: 0,
        no_signal: None,
    };
    let outcome = view.run(&mut handle).await;
    view.summary(&handle);
    outcome
}

struct View<'a> {
    options: &'a Options,
    printer: &'a Printer,
    album: Option<Album>,
    begun: Instant,
    frames: u64,
    latencies_us: Vec<i64>,
    /// From the finished JPEG at the camera to the pixels here.
    decoded_us: Vec<i64>,
    decoded: u32,
    decoding: Duration,
    damaged: u64,
    error_us: u64,
    /// Why there are no pictures now, with the time.
    no_signal: Option<String>,
}

/// What decoding a frame took.
struct Decoded {
    decode_us: i64,
    /// Since its JPEG was ready.
    age_us: i64,
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
                    // Never one of the frames that were asked for: what it shows is told as news.
                    Some(WatchNews::Frame(frame)) if frame.slate => {}
                    Some(WatchNews::Frame(frame)) => {
                        quiet_since = Instant::now();
                        let decoded = self.decode(&frame, handle).await;
                        self.frame(&frame, decoded)?;
                    }
                    Some(WatchNews::Ended(error)) => return Err(error.into()),
                    Some(news) => self.signal(&news),
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

    /// News of pictures that stop and come again.
    fn signal(&mut self, news: &WatchNews) {
        let (state, reason, since_us) = match news {
            WatchNews::NoSignal { reason, since_us } => {
                let told = format!("no signal since {}: {}", clock(*since_us), shown(reason));
                self.printer.note(&told);
                self.no_signal = Some(told);
                ("lost", Some(reason), Some(*since_us))
            }
            WatchNews::Signal => {
                self.no_signal = None;
                self.printer.note("frames come again");
                ("back", None, None)
            }
            WatchNews::Paused(why) => {
                self.printer
                    .note(&format!("the watch is interrupted, and opened again when it can be: {}", shown(why)));
                return;
            }
            WatchNews::Resumed(_) => {
                self.no_signal = None;
                self.printer.note("the watch is open again");
                return;
            }
            WatchNews::Frame(_) | WatchNews::Ended(_) => return,
        };
        if self.printer.is_json() {
            let since = since_us.map(|us| us / 1_000);
            let value = json!({ "event": "signal", "state": state, "reason": reason, "since": since });
            self.printer.result(&value, String::new);
        }
    }

    /// Decodes a frame, where that was asked for, and tells the camera how long it takes.
    async fn decode(&mut self, frame: &WatchFrame, handle: &WatchHandle) -> Option<Decoded> {
        if !self.options.decode {
            return None;
        }
        let jpeg: Bytes = frame.jpeg.clone();
        let decoding = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            // The pixels are nobody's: what is asked is whether and when they are there.
            jpeg::decode(&jpeg).map(|_| (start.elapsed(), Instant::now()))
        });
        let Ok(Ok((took, done))) = decoding.await else {
            self.damaged += 1;
            self.printer.note(&format!("frame {} does not decode", frame.seq));
            return None;
        };
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let decode_us = us(took);
        self.decoding += took;
        self.decoded = self.decoded.saturating_add(1);
        handle.set_decode_us(u32::try_from((self.decoding / self.decoded).as_micros()).unwrap_or(u32::MAX));
        let encode_us = i64::try_from(frame.encode_us).unwrap_or(i64::MAX);
        let way_us = frame.latency_us.saturating_sub(encode_us);
        let age_us = way_us.saturating_add(us(done.saturating_duration_since(frame.arrived)));
        if self.decoded_us.len() < LATENCIES_MAX {
            self.decoded_us.push(age_us);
        }
        Some(Decoded { decode_us, age_us })
    }

    fn ended(&self, wanted: Option<u64>) -> Outcome {
        match wanted {
            Some(wanted) if self.frames < wanted => Err(self.short(Some(wanted))),
            None if self.frames == 0 => Err(self.missing(&format!("not one frame came from {}", self.options.peer))),
            _ => Ok(()),
        }
    }

    fn short(&self, wanted: Option<u64>) -> Failure {
        let wanted = wanted.unwrap_or(0);
        self.missing(&format!("{} of {wanted} frames came from {}", self.frames, self.options.peer))
    }

    fn missing(&self, what: &str) -> Failure {
        match &self.no_signal {
            Some(why) => Failure::new(format!("{what}: {why}"))
                .hint("its peer is there, its camera is not: look at the camera and its cable there"),
            None => Failure::new(what).hint("does the camera still run? `miyu ping` tells whether its peer is there"),
        }
    }

    fn frame(&mut self, frame: &WatchFrame, decoded: Option<Decoded>) -> Outcome {
        self.frames += 1;
        if self.latencies_us.len() < LATENCIES_MAX {
            self.latencies_us.push(frame.latency_us);
        }
        self.error_us = frame.latency_error_us;
        let path = self.album.as_mut().map(|album| album.save(frame)).transpose()?;
        if self.printer.is_json() {
            let value = json!({
                "event": "frame", "seq": frame.seq, "width": frame.width, "height": frame.height,
                "bytes": frame.jpeg.len(), "latency_ms": frame.latency_us as f64 / 1000.0,
                "latency_error_ms": frame.latency_error_us as f64 / 1000.0,
                "encode_ms": frame.encode_us as f64 / 1000.0,
                "decode_ms": decoded.as_ref().map(|decoded| decoded.decode_us as f64 / 1000.0),
                "decoded_ms": decoded.as_ref().map(|decoded| decoded.age_us as f64 / 1000.0),
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
        self.decoded_us.sort_unstable();
        let (decoded_p50, decoded_p99) = (percentile(&self.decoded_us, 50), percentile(&self.decoded_us, 99));
        let value = json!({
            "event": "summary", "frames": self.frames, "lost": counts.lost, "late": counts.late,
            "fps": (fps * 100.0).round() / 100.0, "latency_p50_ms": p50, "latency_p99_ms": p99,
            "latency_error_ms": self.error_us as f64 / 1000.0, "bytes": counts.bytes,
            "decoded_p50_ms": decoded_p50, "decoded_p99_ms": decoded_p99, "damaged": self.damaged,
        });
        self.printer.result(&value, || {
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} ms"));
            let decoded = match self.options.decode {
                true => format!(
                    ", decoded {} after encoding (median), {} (p99), {} damaged",
                    shown(decoded_p50),
                    shown(decoded_p99),
                    self.damaged
                ),
                false => String::new(),
            };
            format!(
                "{} frame{} in {seconds:.1} s ({fps:.1} a second), {} lost, {} late, latency {} median, {} p99 (± {:.1} ms){decoded}",
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

/// Where pictures are kept: never over another one, counted on from those of earlier runs.
struct Album {
    folder: PathBuf,
    kind: &'static str,
    last: u64,
}

impl Album {
    /// Makes the folder where it is not there, and looks for the last `KIND-NUMBER.jpg` in it.
    fn open(folder: &Path, kind: &'static str) -> Outcome<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
        let entries = std::fs::read_dir(folder).map_err(|error| Failure::file("read", folder, &error))?;
        let number = |name: &str| name.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(".jpg")?.parse().ok();
        let numbers = entries.flatten().filter_map(|entry| number(&entry.file_name().to_string_lossy()));
        Ok(Self { folder: folder.to_owned(), kind, last: numbers.max().unwrap_or(0) })
    }

    fn save(&mut self, frame: &WatchFrame) -> Outcome<PathBuf> {
        use std::io::Write;
        self.last = self.last.saturating_add(1);
        let path = self.folder.join(format!("{}-{:06}.jpg", self.kind, self.last));
        let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let written = made.and_then(|mut file| file.write_all(&frame.jpeg));
        written.map_err(|error| Failure::file("write", &path, &error))?;
        Ok(path)
    }
}
