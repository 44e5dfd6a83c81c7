//! Printing: results to stdout, for people or as JSON lines; text from peers is made harmless first.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::Failure;

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

/// Text from a peer for a terminal: control and bidi characters are escaped, so that nobody moves the cursor, forges a
/// line or turns the reading order; further lines are indented behind a bar.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n  | "),
            '\t' => shown.push(' '),
            c if c.is_control() || is_bidi(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

fn is_bidi(character: char) -> bool {
    matches!(character, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_peer_cannot_forge_lines_or_turn_the_text() {
        assert_eq!(shown("hi\nalice: no"), "hi\n  | alice: no");
        assert_eq!(shown("\u{1b}[2J\u{202e}abc"), "\\u{1b}[2J\\u{202e}abc");
        assert_eq!(shown("你好, tab\there"), "你好, tab here");
    }
}
