//! What is wrong with a peer table: the place, the fault, and the mend.

use std::fmt;
use std::path::{Path, PathBuf};

use super::AddressError;

/// Faults that one reading of a table reports at most; the rest would only scroll the first away.
pub const FAULTS_MAX: usize = 50;

/// Characters of a value from the table that an error repeats at most.
const SHOWN_CHARS_MAX: usize = 60;

/// One fault of a peer table.
///
/// Displays as `FILE:LINE: what is wrong`; the mend is apart, in [`ConfigError::mend`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    path: PathBuf,
    line: Option<usize>,
    what: String,
    mend: String,
    slip: Option<Slip>,
}

/// A fault that a form for one peer can bring about, for whoever says it in words of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slip {
    /// A peer without a name.
    NameEmpty,
    /// A name of too many bytes.
    NameTooLong,
    /// A name with a character that is not seen, or a space at an end.
    NameMisleading,
    /// Another peer, or ourselves, has that name.
    NameTaken(String),
    /// Another peer has that key.
    KeyTaken {
        /// Its name.
        by: String,
    },
    /// A peer has our own key.
    OwnKey {
        /// Its name.
        peer: String,
    },
    /// An address that cannot be dialled.
    Address {
        /// As it is written.
        text: String,
        /// Why.
        error: AddressError,
    },
    /// More addresses than a peer may have.
    TooManyAddresses,
    /// More peers than a table may have.
    TooManyPeers,
}

impl ConfigError {
    pub(super) fn new(path: &Path, line: Option<usize>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        ConfigError { path: path.to_path_buf(), line, what: what.into(), mend: mend.into(), slip: None }
    }

    /// The same, told apart for programs.
    pub(super) fn slip_of(self, slip: Slip) -> Self {
        ConfigError { slip: Some(slip), ..self }
    }

    /// Which fault of a peer it is, where it is one that a form can bring about.
    pub fn slip(&self) -> Option<&Slip> {
        self.slip.as_ref()
    }

    /// The file that was read, or would have been.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line, counted from 1; `None` when the fault is with the file as a whole.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, without place and mend.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn mend(&self) -> &str {
        &self.mend
    }

    /// The mend, in the form that all errors of this crate offer it.
    pub fn hint(&self) -> Option<String> {
        Some(self.mend.clone())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

/// All faults that one reading of a table found: at least one, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    // never empty: only built by `from_list` and from one error
    list: Vec<ConfigError>,
}

impl ConfigErrors {
    /// `None` when there is no fault.
    pub(super) fn from_list(mut list: Vec<ConfigError>) -> Option<Self> {
        if list.is_empty() {
            return None;
        }
        list.sort_by_key(|fault| fault.line);
        Some(ConfigErrors { list })
    }

    /// The faults in the order of their lines.
    pub fn faults(&self) -> &[ConfigError] {
        &self.list
    }

    /// The mend when there is one fault; with several, each stands beside its fault in the message.
    pub fn hint(&self) -> Option<String> {
        match self.list.as_slice() {
            [only] => only.hint(),
            _ => None,
        }
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(fault: ConfigError) -> Self {
        ConfigErrors { list: vec![fault] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.list.as_slice() {
            return only.fmt(f);
        }
        write!(f, "{} faults in the peer table", self.list.len())?;
        for fault in &self.list {
            write!(f, "\n  {fault}; {}", fault.mend)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects the faults of one file and turns byte offsets into lines.
pub(super) struct Faults<'a> {
    path: &'a Path,
    line_ends: Vec<usize>,
    list: Vec<ConfigError>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(path: &'a Path, text: &str) -> Self {
        let line_ends = text.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at)).collect();
        Faults { path, line_ends, list: Vec::new() }
    }

    /// The line, from 1, that the byte at `offset` stands on.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|&end| end < offset) + 1
    }

    pub(super) fn add(&mut self, offset: usize, what: impl Into<String>, mend: impl Into<String>) {
        if self.list.len() < FAULTS_MAX {
            let line = Some(self.line(offset));
            self.list.push(ConfigError::new(self.path, line, what, mend));
        }
    }

    /// The same for a fault that programs tell apart.
    pub(super) fn add_slip(&mut self, offset: usize, slip: Slip, what: impl Into<String>, mend: impl Into<String>) {
        if self.list.len() < FAULTS_MAX {
            let line = Some(self.line(offset));
            self.list.push(ConfigError::new(self.path, line, what, mend).slip_of(slip));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_errors(self) -> Option<ConfigErrors> {
        ConfigErrors::from_list(self.list)
    }
}

/// A value from the table, quoted, with control and bidi characters escaped and cut to a line's length.
pub(super) fn shown(value: &str) -> String {
    let mut quoted = String::from("\"");
    for (count, c) in value.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            quoted.push('…');
            break;
        }
        quoted.extend(c.escape_debug());
    }
    quoted.push('"');
    quoted
}

/// The candidate that `wanted` is most likely a slip of, if one is close enough.
pub(super) fn closest<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let letters: Vec<char> = wanted.to_lowercase().chars().collect();
    // a long text is no slip of a short word, and the comparison is quadratic
    if letters.is_empty() || letters.len() > 64 {
        return None;
    }
    let far = (letters.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            let distance = distance(&letters, &other);
            (distance <= far || (letters.len() <= 3 && distance <= 2 && other.len() <= 3))
                .then_some((distance, candidate))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        let of = |a: &str, b: &str| {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            distance(&a, &b)
        };
        assert_eq!(of("bob", "bob"), 0);
        assert_eq!(of("bbo", "bob"), 1);
        assert_eq!(of("adress", "address"), 1);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("kitten", "sitting"), 3);
    }

    #[test]
    fn closest_prefers_the_nearest_and_refuses_the_far() {
        assert_eq!(closest("bbo", ["alice", "bob"]), Some("bob"));
        assert_eq!(closest("Lisen", ["name", "listen"]), Some("listen"));
        assert_eq!(closest("zzzzzz", ["name", "listen"]), None);
        assert_eq!(closest(&"x".repeat(65), ["name"]), None);
    }

    #[test]
    fn values_are_shown_escaped_and_cut() {
        assert_eq!(shown("a\u{202e}b\n"), "\"a\\u{202e}b\\n\"");
        assert!(shown(&"x".repeat(100_000)).len() < 80);
    }
}
