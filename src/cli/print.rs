//! Printing: results to stdout, for people or as JSON lines; text from peers is made harmless first.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::Failure;
use crate::node::text::harmless;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    json: bool,
    quiet: bool,
}

impl Printer {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// One result: the JSON object with `--json`, else the line for people.
    pub(super) fn result(self, value: &Value, line: impl FnOnce() -> String) {
        if self.json { out(&value.to_string()) } else { out(&line()) }
    }

    /// A line for people only.
    pub(super) fn line(self, line: &str) {
        if !self.json {
            out(line);
        }
    }

    /// News on stderr that is no result.
    pub(super) fn note(self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    /// Whether moving progress can be shown.
    pub(super) fn shows_progress(self) -> bool {
        !self.json && !self.quiet && std::io::stderr().is_terminal()
    }

    pub(super) fn failure(self, failure: &Failure) {
        self.error(&failure.error.to_string(), failure.hint.as_deref());
    }

    /// An error and its mend: what a command ends with, or what a peer that goes on has to tell.
    pub(super) fn error(self, error: &str, hint: Option<&str>) {
        if self.json {
            out(&json!({ "event": "error", "error": error, "hint": hint }).to_string());
        }
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "error: {error}");
        if let Some(hint) = hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
    }
}

/// A reader that has gone away (`miyu history | head`) is no failure.
fn out(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// Text from a peer for a terminal: made harmless, and further lines are indented behind a bar.
pub(super) fn shown(text: &str) -> String {
    harmless(text, "\n  | ")
}

/// The time of day, here, of an instant in Unix microseconds.
pub(super) fn clock(unix_us: u64) -> String {
    let at = i64::try_from(unix_us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    at.map_or_else(
        || "some time".to_owned(),
        |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A number with what it counts.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
