//! `miyu clip`: voice clips from the microphone into a file, and from a file to the speaker.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::files::{Target, write_whole};
use super::print::{Printer, shown};
use super::{Failure, Global, Outcome, block_on, node, sound};
use crate::config::{Config, SoundSettings};
use crate::node::limits::CLIP_BYTES_MAX;

/// What was recorded.
#[cfg_attr(not(feature = "audio"), allow(dead_code))] // never made there
pub(super) struct Clip {
    pub(super) wav: Vec<u8>,
    pub(super) seconds: f64,
    pub(super) peak_db: f64,
    pub(super) rms_db: f64,
    pub(super) device: String,
    /// How often samples were lost on the way.
    pub(super) gaps: u32,
    /// Whether it was Ctrl+C that ended it.
    pub(super) interrupted: bool,
}

/// What was played.
#[cfg_attr(not(feature = "audio"), allow(dead_code))] // as above
pub(super) struct Played {
    pub(super) seconds: f64,
    pub(super) to: f64,
    pub(super) device: String,
}

/// What to do with a clip.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Record up to 5 seconds; Enter or Ctrl+C ends it sooner and keeps what was recorded
    Record {
        /// The WAV file to write (`-`: stdout)
        #[arg(value_name = "OUT.wav")]
        out: PathBuf,
        /// How long
        #[arg(long, value_name = "S", default_value_t = sound::SECONDS_MAX)]
        seconds: f64,
        /// The microphone, a name or id of `miyu devices` [default: the table's, else the system's]
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Play a WAV file of up to 60 s; Enter pauses and goes on, Ctrl+C ends it
    Play {
        /// The WAV file
        file: PathBuf,
        /// Begin so many seconds after its beginning
        #[arg(long, value_name = "S", default_value_t = 0.0)]
        from: f64,
        /// The speaker, a name or id of `miyu devices` [default: the table's, else the system's]
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
    },
}

pub(super) fn run(command: &Command, global: &Global, printer: &Printer) -> Outcome {
    match command {
        Command::Record { out, seconds, device, force } => {
            let device = named(device.as_ref(), global, printer, |table| table.input)?;
            record(out, *seconds, device.as_deref(), *force, printer)
        }
        Command::Play { file, from, device } => {
            let device = named(device.as_ref(), global, printer, |table| table.output)?;
            play(file, *from, device.as_deref(), printer)
        }
    }
}

/// The device of the command line, else the table's.
fn named(
    device: Option<&String>,
    global: &Global,
    printer: &Printer,
    of_table: impl FnOnce(SoundSettings) -> Option<String>,
) -> Outcome<Option<String>> {
    match device {
        Some(device) => Ok(Some(device.clone())),
        None => Ok(of_table(settings(global, printer)?)),
    }
}

/// The table's `[sound]`, where there is a table: these commands need no key and no peer. A table that was named must be
/// sound itself: another microphone than its would be a surprise.
fn settings(global: &Global, printer: &Printer) -> Outcome<SoundSettings> {
    let loaded = match Config::find(global.config.as_deref()) {
        Ok(path) => Config::load(&path).map_err(Failure::from),
        Err(error) if global.config.is_some() => Err(error.into()),
        Err(_) => return Ok(SoundSettings::default()),
    };
    match loaded {
        Ok(config) => Ok(config.sound),
        Err(failure) if global.config.is_some() => Err(failure),
        Err(failure) => {
            let error = failure.error;
            printer.note(&format!("note: the system's default device is used, as the table cannot be: {error}"));
            Ok(SoundSettings::default())
        }
    }
}

fn record(out: &Path, seconds: f64, device: Option<&str>, force: bool, printer: &Printer) -> Outcome {
    if !(0.1..=sound::SECONDS_MAX).contains(&seconds) {
        return Err(Failure::new(format!("--seconds {seconds} is not within 0.1 and {}", sound::SECONDS_MAX))
            .hint("a longer sound can be recorded with another program and sent with --clip (60 s) or --file"));
    }
    if !force && std::fs::symlink_metadata(out).is_ok() {
        return Err(Failure::new(format!("{} exists already", out.display()))
            .hint("choose another name, or replace it with --force"));
    }
    let no_name = |_: &Path| Err(Failure::new("no output is named").hint("name a WAV file"));
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(
            Failure::new(format!("there is no folder {}", folder.display())).hint("make it first, or name another")
        );
    }
    let target = Target::choose(Some(out), out, force, printer, no_name)?;
    target.refuse_terminal()?;
    let path = target.path();
    let clip = block_on(sound::record(device, seconds, printer))?;
    write_whole(target, false, clip.wav)?;
    let Some(path) = path else {
        return Ok(());
    };
    let value = json!({
        "event": "clip", "path": path, "seconds": clip.seconds, "peak_db": clip.peak_db, "rms_db": clip.rms_db,
        "device": clip.device, "gaps": clip.gaps,
    });
    printer.result(&value, || {
        let (seconds, peak, rms) = (clip.seconds, clip.peak_db, clip.rms_db);
        format!("{path}: {seconds:.2} s, peak {peak:.1} dB, mean {rms:.1} dB, from {}", shown(&clip.device))
    });
    Ok(())
}

fn play(file: &Path, from: f64, device: Option<&str>, printer: &Printer) -> Outcome {
    if !(0.0..1e6).contains(&from) {
        return Err(Failure::new(format!("--from {from} is no time in the clip")).hint("for example --from 2.5"));
    }
    let wav = node::read_file(file, CLIP_BYTES_MAX)?;
    let played = block_on(sound::play(file, &wav, from, device, printer))?;
    let value = json!({
        "event": "played", "path": file.display().to_string(), "seconds": played.seconds, "from": from,
        "to": played.to, "device": played.device,
    });
    printer.result(&value, || {
        format!("{}: played {from:.2} to {:.2} s on {}", file.display(), played.to, shown(&played.device))
    });
    Ok(())
}
