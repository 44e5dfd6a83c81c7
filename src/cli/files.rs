//! Files in and out: stdin and stdout as `-`, outputs that are there whole or not at all, progress, interruption.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use super::print::Printer;
use super::{Failure, Outcome, block_on, node};

/// What stands for stdin and stdout.
const DASH: &str = "-";
/// How long an interrupted command waits for its work to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// A file or stdin, to be read from its beginning to its end.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    /// Its length, where it is known.
    bytes: Option<u64>,
    /// What it is called in messages.
    pub(super) name: String,
}

impl Input {
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        if path.as_os_str() == DASH {
            return Ok(Self { reader: Box::new(io::stdin()), bytes: None, name: "stdin".to_owned() });
        }
        let broken = |error| Failure::file("read", path, &error);
        let file = File::open(path).map_err(broken)?;
        let metadata = file.metadata().map_err(broken)?;
        if metadata.is_dir() {
            return Err(Failure::new(format!("{} is a folder", path.display()))
                .hint(format!("pack it first: tar -c {} | miyu encrypt … -", path.display())));
        }
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { reader: Box::new(file), bytes, name: path.display().to_string() })
    }

    /// All of it, if it has at most `bytes_max` bytes; one byte more is read to see that.
    pub(super) fn read_short(mut self, bytes_max: usize) -> Outcome<zeroize::Zeroizing<Vec<u8>>> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(bytes_max + 1));
        let read = self.reader.by_ref().take(bytes_max as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", self.name)))?;
        Ok(bytes)
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// Where an output goes, checked before the work begins.
pub(super) enum Target {
    Stdout,
    File { path: PathBuf, replaces: bool },
}

impl Target {
    /// `out` if it is given; else stdout for stdin, and for a file what `name` makes of it.
    pub(super) fn choose(
        out: Option<&Path>,
        input: &Path,
        force: bool,
        printer: &Printer,
        name: impl FnOnce(&Path) -> Outcome<PathBuf>,
    ) -> Outcome<Self> {
        let path = match out {
            Some(out) => out.to_owned(),
            None if input.as_os_str() == DASH => PathBuf::from(DASH),
            None => name(input)?,
        };
        if path.as_os_str() == DASH {
            if printer.is_json() {
                return Err(Failure::new("stdout cannot take both the output and --json results")
                    .hint("write the output into a file with -o FILE"));
            }
            return Ok(Self::Stdout);
        }
        let Ok(found) = fs::symlink_metadata(&path) else {
            return Ok(Self::File { path, replaces: false });
        };
        if !force {
            return Err(Failure::new(format!("{} exists already", path.display()))
                .hint("choose another name with -o FILE, or replace it with --force"));
        }
        // a link keeps pointing to the file that it pointed to
        let path = if found.is_symlink() { fs::canonicalize(&path).unwrap_or(path) } else { path };
        if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            return Err(Failure::new(format!("{} is not a file, it will not be replaced", path.display()))
                .hint("write to it with `-o - > …`"));
        }
        Ok(Self::File { path, replaces: true })
    }

    /// The path for results; none for stdout.
    pub(super) fn path(&self) -> Option<String> {
        match self {
            Self::Stdout => None,
            Self::File { path, .. } => Some(path.display().to_string()),
        }
    }

    /// Refuses a terminal, for outputs that are never text.
    pub(super) fn refuse_terminal(&self) -> Outcome {
        match self {
            Self::Stdout if io::stdout().is_terminal() => Err(Failure::new("stdout is a terminal, this is not text")
                .hint("write into a file with -o FILE, or send it on with | or >")),
            _ => Ok(()),
        }
    }

    /// Opens the output. `private` files are for their owner alone; others have the mode that the umask gives.
    pub(super) fn create(self, private: bool, stop: &Stop) -> Outcome<Output> {
        let (path, replaces) = match self {
            Self::Stdout => return Ok(Output::Stdout { only_text: io::stdout().is_terminal() }),
            Self::File { path, replaces } => (path, replaces),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".miyu-").suffix(".part");
        #[cfg(unix)]
        {
            let mode = if private { 0o600 } else { 0o666 };
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        }
        #[cfg(not(unix))]
        let _ = private;
        let file = builder.tempfile_in(folder_of(&path)).map_err(|error| Failure::file("write", &path, &error))?;
        stop.unfinished(file.path());
        Ok(Output::File { file, path, replaces })
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// An output under way. A file has another name until [`Output::finish`], and is gone if that is never reached.
pub(super) enum Output {
    Stdout { only_text: bool },
    File { file: NamedTempFile, path: PathBuf, replaces: bool },
}

impl Output {
    /// Waits until the disk has it, and gives it its name; not where `stop` was asked for meanwhile: Ctrl+C ends the
    /// program that writes our stdin too, and what it has left is no whole input.
    pub(super) fn finish(self, stop: &Stop) -> Outcome {
        let (file, path, replaces) = match self {
            Self::Stdout { .. } => {
                return io::stdout().flush().map_err(|error| Failure::new(format!("cannot write to stdout: {error}")));
            }
            Self::File { file, path, replaces } => (file, path, replaces),
        };
        let broken = |error: &io::Error| Failure::file("write", &path, error);
        file.as_file().sync_all().map_err(|error| broken(&error))?;
        if stop.asked() {
            return Err(interrupted());
        }
        // whatever came to be there since the work began is kept
        let named = if replaces { file.persist(&path) } else { file.persist_noclobber(&path) };
        named.map_err(|error| broken(&error.error))?;
        #[cfg(unix)]
        File::open(folder_of(&path)).and_then(|folder| folder.sync_all()).map_err(|error| broken(&error))?;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout { only_text: true } if !is_text(bytes) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "stdout is a terminal, and this is not text; use -o FILE",
            )),
            Self::Stdout { .. } => io::stdout().write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout { .. } => io::stdout().flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

/// Whether a terminal shows these bytes and does nothing else: no control characters but line ends and tabs, neither
/// those of ASCII nor the second set (U+0080 to U+009F), which some terminals obey too.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| (*byte < 0x20 && !b"\n\r\t".contains(byte)) || *byte == 0x7f;
    let second_set = |pair: &[u8]| pair[0] == 0xc2 && (0x80..0xa0).contains(&pair[1]);
    !bytes.iter().any(control) && !bytes.windows(2).any(second_set)
}

/// Says to work under way that it is to stop, and knows which file it would leave behind.
#[derive(Default)]
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    unfinished: Mutex<Option<PathBuf>>,
}

impl Stop {
    fn unfinished(&self, path: &Path) {
        *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Progress for the library: moves the bar, and stops the work when it is asked to.
    pub(super) fn watch<'a>(&'a self, bar: &'a ProgressBar) -> impl FnMut(u64) -> ControlFlow<()> + 'a {
        move |bytes| {
            bar.inc(bytes);
            if self.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
}

/// Runs `work` so that Ctrl+C and SIGTERM end it without leaving an unfinished file behind.
pub(super) fn interruptible<T: Send + 'static>(work: impl FnOnce(&Stop) -> Outcome<T> + Send + 'static) -> Outcome<T> {
    block_on(async {
        let stop = Arc::new(Stop::default());
        // At the very moment of the signal: the end of the input that comes with it may be seen before any task runs.
        #[cfg(unix)]
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // where this fails, the task below notices a little later
            let _ = signal_hook::flag::register(signal, Arc::clone(&stop.asked));
        }
        let for_work = Arc::clone(&stop);
        let mut task = tokio::task::spawn_blocking(move || work(&for_work));
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = node::interrupted() => {
                stop.asked.store(true, Ordering::Relaxed);
                // work that waits for its input notices nothing, and ends with the process
                let noticed = tokio::time::timeout(NOTICE, &mut task).await;
                if let Ok(Ok(done @ Ok(_))) = noticed {
                    // it had its name before it was asked to stop
                    return done;
                }
                if let Some(path) = stop.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    // gone already if the work noticed, or finished
                    let _ = fs::remove_file(path);
                }
                return Err(interrupted());
            }
        };
        ended.map_err(|error| Failure::new(format!("the work stopped: {error}")))?
    })
}

fn interrupted() -> Failure {
    Failure::new("interrupted").hint("nothing was written; run the command again")
}

/// Writes an output that is in memory already.
pub(super) fn write_whole(target: Target, private: bool, bytes: Vec<u8>) -> Outcome {
    let bytes = zeroize::Zeroizing::new(bytes);
    interruptible(move |stop| {
        let mut output = target.create(private, stop)?;
        output.write_all(&bytes).map_err(|error| Failure::new(format!("cannot write the output: {error}")))?;
        output.finish(stop)
    })
}

/// A bar over the bytes of `input` on a terminal, nothing elsewhere.
pub(super) fn bar(input: &Input, printer: &Printer) -> ProgressBar {
    if !printer.shows_progress() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match input.bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::no_length(), "{msg} {bytes} {bytes_per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(input.name.clone());
    bar
}

/// `path` with `suffix` behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// `path` without `suffix` behind its name; none if it has another one, or nothing else.
pub(super) fn without_suffix(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(suffix).filter(|name| !name.is_empty())?;
    Some(path.with_file_name(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_text_only() {
        for text in ["", "two\r\nlines\tand 密语\n", "¡ÿ"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"\x1b[2J"[..], b"\0", b"a\x7f", "\u{9b}2J".as_bytes(), b"\x08"] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn suffixes_come_and_go() {
        assert_eq!(with_suffix(Path::new("a/b.pdf"), ".miyu"), Path::new("a/b.pdf.miyu"));
        assert_eq!(without_suffix(Path::new("a/b.pdf.miyu"), ".miyu").unwrap(), Path::new("a/b.pdf"));
        assert_eq!(without_suffix(Path::new("a/.miyu"), ".miyu"), None);
        assert_eq!(without_suffix(Path::new("a/b.pdf"), ".miyu"), None);
    }
}
