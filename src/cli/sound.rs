//! Recording and playing for the commands that do so: the device, the meter, the keys.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::clip::{Clip, Played};
use super::print::{Printer, shown};
use super::{Failure, Outcome, node};
use crate::media::audio::{AudioError, Direction, Level, Player, RECORD_MAX, Recorder, devices};

/// The longest recording.
pub(super) const SECONDS_MAX: f64 = RECORD_MAX.as_secs() as f64;
/// How often the meter moves.
const TICK: Duration = Duration::from_millis(50);
/// Decibels below full scale where the meter begins.
const METER_FLOOR: f32 = -60.0;

/// Records until `seconds` have been recorded, Enter is pressed, or Ctrl+C.
pub(super) async fn record(device: Option<&str>, seconds: f64, printer: &Printer) -> Outcome<Clip> {
    let length = Duration::from_secs_f64(seconds);
    let recorder = Recorder::start(choose(Direction::Input, device).await?, length);
    if printer.shows_progress() {
        printer.note(&format!("recording from {}; Enter ends it", shown(recorder.device())));
    }
    let bar = bar(printer, 100, "{msg} {bar:30}");
    let (mut enter, mut stop) = (lines(), pin!(node::interrupted()));
    let mut tick = tokio::time::interval(TICK);
    let (mut ending, mut interrupted) = (false, false);
    while !recorder.is_finished() {
        tokio::select! {
            _ = tick.tick() => show_level(&bar, recorder.level(), length.saturating_sub(recorder.recorded())),
            Some(()) = enter.recv(), if !ending => ending = true,
            () = &mut stop, if !interrupted => (ending, interrupted) = (true, true),
        }
        if ending {
            recorder.stop();
        }
    }
    bar.finish_and_clear();
    let recording = recorder.finish()?;
    if recording.gaps > 0 {
        printer.note(&format!("note: the clip has gaps: samples were lost {} times", recording.gaps));
    }
    Ok(Clip {
        seconds: recording.length.as_secs_f64(),
        peak_db: tenths(recording.level.peak_db()),
        rms_db: tenths(recording.level.rms_db()),
        wav: recording.wav,
        gaps: recording.gaps,
        device: recording.device,
        interrupted,
    })
}

/// Plays until the end, or Ctrl+C.
pub(super) async fn play(
    file: &Path,
    wav: &[u8],
    from: f64,
    device: Option<&str>,
    printer: &Printer,
) -> Outcome<Played> {
    let about = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", file.display()));
    let info = crate::media::clip::check(wav).map_err(|error| {
        let failure = about(&error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let length = Duration::from_millis(info.duration_ms);
    let from = Duration::from_secs_f64(from);
    if from >= length {
        let seconds = length.as_secs_f64();
        return Err(about(&format!("it is {seconds:.2} s long")).hint("begin sooner with --from, or leave that out"));
    }
    let player = Player::start(choose(Direction::Output, device).await?, wav, from)?;
    let bar = bar(printer, info.duration_ms, "{msg} {bar:30}");
    let (mut enter, mut stop) = (lines(), pin!(node::interrupted()));
    let mut tick = tokio::time::interval(TICK);
    let (mut paused, mut ending) = (false, false);
    while !player.is_finished() {
        tokio::select! {
            _ = tick.tick() => show_place(&bar, player.position(), length, paused),
            Some(()) = enter.recv() => {
                paused = !paused;
                if paused { player.pause() } else { player.resume() }
            }
            () = &mut stop, if !ending => {
                ending = true;
                player.stop();
            }
        }
    }
    bar.finish_and_clear();
    let (to, device) = (player.position().as_secs_f64(), player.device().to_owned());
    player.finish()?;
    Ok(Played { seconds: length.as_secs_f64(), to, device })
}

/// Asking a sound server may take a while.
async fn choose(direction: Direction, wanted: Option<&str>) -> Outcome<devices::Device> {
    let wanted = wanted.map(str::to_owned);
    let task = tokio::task::spawn_blocking(move || devices::choose(direction, wanted.as_deref()));
    let chosen: Result<_, AudioError> =
        task.await.map_err(|error| Failure::new(format!("the search for a device stopped: {error}")))?;
    Ok(chosen?)
}

/// The devices as results.
pub(super) fn list(printer: &Printer) -> Outcome {
    let listed = devices::list()?;
    for direction in [Direction::Input, Direction::Output] {
        printer.line(&format!("sound {direction}s"));
        let mut any = false;
        for device in listed.iter().filter(|device| device.direction == direction) {
            any = true;
            let format = device.format;
            let value = serde_json::json!({
                "event": "device", "kind": direction.name(), "name": device.name, "id": device.id,
                "host": device.host, "default": device.default, "rate": format.map(|format| format.rate),
                "channels": format.map(|format| format.channels),
                "format": format.map(|format| format.sample.to_string()),
            });
            printer.result(&value, || line(device));
        }
        if !any {
            printer.line("  none");
        }
    }
    Ok(())
}

fn line(device: &devices::Listed) -> String {
    let format = device.format.map(|format| {
        let channels = super::print::count(usize::from(format.channels), "channel");
        format!(", {} Hz, {channels}, {}", format.rate, format.sample)
    });
    let default = if device.default { " (default)" } else { "" };
    let (name, id) = (shown(&device.name), shown(&device.id));
    format!("  {name}{default}\n    {id} ({}{})", device.host, format.unwrap_or_default())
}

/// Whether keys are for us: a process in the background that reads from its terminal is stopped.
fn has_keys() -> bool {
    let stdin = std::io::stdin();
    #[cfg(target_os = "linux")]
    if !rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp()) {
        return false;
    }
    stdin.is_terminal()
}

/// One `()` for each line on a terminal; nothing, for ever, elsewhere.
fn lines() -> mpsc::Receiver<()> {
    let (told, lines) = mpsc::channel(1);
    let terminal = has_keys();
    // it waits for a key until the process ends: nothing can call it back
    std::thread::spawn(move || {
        let mut line = String::new();
        while terminal && std::io::stdin().lock().read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            line.clear();
            if told.blocking_send(()).is_err() {
                return;
            }
        }
    });
    lines
}

fn bar(printer: &Printer, length: u64, template: &str) -> ProgressBar {
    let bar = if printer.shows_progress() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn show_level(bar: &ProgressBar, level: Level, left: Duration) {
    let loudness = level.rms_db().max(METER_FLOOR);
    bar.set_message(format!("{:.1} s left {:>4.0} dB", left.as_secs_f64(), loudness));
    bar.set_position(((1.0 - loudness / METER_FLOOR) * 100.0) as u64);
}

fn show_place(bar: &ProgressBar, position: Duration, length: Duration, paused: bool) {
    let paused = if paused { " paused" } else { "" };
    bar.set_message(format!("{:.1} of {:.1} s{paused}", position.as_secs_f64(), length.as_secs_f64()));
    bar.set_position(u64::try_from(position.as_millis()).unwrap_or(0));
}

fn tenths(decibels: f32) -> f64 {
    (f64::from(decibels) * 10.0).round() / 10.0
}
