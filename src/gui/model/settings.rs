//! What the reader has chosen, and which keys were compared. Kept as a small file in the data folder; text to value and back
//! here, the file itself is the engine's.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::gui::look::TEXT_SIZES;
use crate::gui::talk::{Line, PeerRow};
use crate::gui::words::Language;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// All that is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// None: the system's.
    pub language: Option<Language>,
    /// Light or dark.
    pub theme: Theme,
    /// Which of [`TEXT_SIZES`].
    pub text_size: usize,
    /// Whether messages that come are told outside of the window.
    pub notifies: bool,
    /// Whether such a notification keeps to itself what was said.
    pub hides_content: bool,
    /// Minutes of the day from which and up to which nothing is told.
    pub quiet: Option<(u16, u16)>,
    /// Keys whose safety number was compared, by their lines.
    pub verified: BTreeSet<String>,
    /// The key that each name of the table had when it was last looked at.
    pub known: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: None,
            theme: Theme::System,
            text_size: 1,
            notifies: true,
            hides_content: false,
            quiet: None,
            verified: BTreeSet::new(),
            known: BTreeMap::new(),
        }
    }
}

/// What is known of a peer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The safety number was compared.
    Verified,
    /// It was not.
    Unverified,
    /// The table has another key under this name than before, and nobody has said that this is right.
    Changed,
}

impl Settings {
    /// Reads what [`Settings::to_text`] has written. What is missing or makes no sense is as at the beginning.
    pub fn from_text(text: &str) -> Self {
        let mut read = Self::default();
        let Ok(document) = text.parse::<DocumentMut>() else { return read };
        let word = |key: &str| document.get(key).and_then(Item::as_str);
        let flag = |key: &str, default| document.get(key).and_then(Item::as_bool).unwrap_or(default);
        let number =
            |item: Option<&Item>| item.and_then(Item::as_integer).and_then(|number| u16::try_from(number).ok());
        read.language = Language::ALL.into_iter().find(|language| word("language") == Some(language.tag()));
        read.theme = match word("theme") {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::System,
        };
        let size = number(document.get("text_size")).map(usize::from).filter(|size| *size < TEXT_SIZES.len());
        read.text_size = size.unwrap_or(read.text_size);
        read.notifies = flag("notifies", read.notifies);
        read.hides_content = flag("hides_content", read.hides_content);
        let minute = |key| number(document.get(key)).filter(|minute| *minute < DAY_MINUTES);
        read.quiet = minute("quiet_from").zip(minute("quiet_to"));
        if let Some(keys) = document.get("verified").and_then(Item::as_array) {
            read.verified = keys.iter().filter_map(|key| key.as_str()).map(str::to_owned).collect();
        }
        if let Some(known) = document.get("known").and_then(Item::as_table) {
            let pairs = known.iter().filter_map(|(name, key)| Some((name.to_owned(), key.as_str()?.to_owned())));
            read.known = pairs.collect();
        }
        read
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        let mut document = DocumentMut::new();
        if let Some(language) = self.language {
            document["language"] = value(language.tag());
        }
        let theme = match self.theme {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        document["theme"] = value(theme);
        document["text_size"] = value(i64::try_from(self.text_size).unwrap_or(0));
        document["notifies"] = value(self.notifies);
        document["hides_content"] = value(self.hides_content);
        if let Some((from, to)) = self.quiet {
            document["quiet_from"] = value(i64::from(from));
            document["quiet_to"] = value(i64::from(to));
        }
        document["verified"] = value(self.verified.iter().map(String::as_str).collect::<Array>());
        let mut known = Table::new();
        for (name, key) in &self.known {
            known.insert(name, value(key.as_str()));
        }
        document["known"] = Item::Table(known);
        document.to_string()
    }

    /// What is known of the key of a peer.
    pub fn key_state(&self, row: &PeerRow) -> KeyState {
        if self.known.get(&row.name).is_some_and(|known| *known != row.key_line) {
            KeyState::Changed
        } else if self.verified.contains(&row.key_line) {
            KeyState::Verified
        } else {
            KeyState::Unverified
        }
    }

    /// Remembers the keys of names that are new here. Whether there were any. A name whose key has changed keeps the one
    /// before until [`Settings::accept`].
    pub fn meet(&mut self, rows: &[PeerRow]) -> bool {
        let mut met = false;
        for row in rows {
            if !self.known.contains_key(&row.name) {
                // one that was only renamed is no stranger
                self.known.retain(|name, key| *key != row.key_line || rows.iter().any(|row| row.name == *name));
                self.known.insert(row.name.clone(), row.key_line.clone());
                met = true;
            }
        }
        met
    }

    /// Takes the key that a peer has now for the right one.
    pub fn accept(&mut self, row: &PeerRow) {
        self.known.insert(row.name.clone(), row.key_line.clone());
    }

    /// Marks the safety number with a peer as compared, or not.
    pub fn verify(&mut self, row: &PeerRow, verified: bool) {
        if verified {
            self.accept(row);
            self.verified.insert(row.key_line.clone());
        } else {
            self.verified.remove(&row.key_line);
        }
    }

    /// Whether nothing is told at that minute of the day. The time may go over midnight.
    pub fn is_quiet(&self, minute: u16) -> bool {
        match self.quiet {
            None => false,
            Some((from, to)) if from <= to => (from..to).contains(&minute),
            Some((from, to)) => minute >= from || minute < to,
        }
    }

    /// Whether a message that came is told outside of the window: not where the reader sees it anyway.
    pub fn tells_of(&self, line: &Line, minute: u16, seen: bool) -> bool {
        self.notifies && !seen && !line.is_ours() && !self.is_quiet(minute)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::sample::{line, row, theirs};
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut settings = Settings {
            language: Some(Language::Chinese),
            theme: Theme::Dark,
            text_size: 3,
            notifies: false,
            hides_content: true,
            quiet: Some((22 * 60, 7 * 60)),
            ..Settings::default()
        };
        settings.verify(&row(1, "小雨"), true);
        settings.meet(&[row(2, "a = \"b\"\n[c]")]);
        assert_eq!(Settings::from_text(&settings.to_text()), settings);
        assert_eq!(Settings::from_text(&Settings::default().to_text()), Settings::default());
    }

    #[test]
    fn nonsense_is_left_out() {
        let text = "language = 7\ntheme = \"pink\"\ntext_size = 99\nquiet_from = -1\nquiet_to = 5\nverified = \"x\"\nknown = 1\n";
        assert_eq!(Settings::from_text(text), Settings::default());
        assert_eq!(Settings::from_text("[[[").theme, Theme::System);
    }

    #[test]
    fn quiet_hours_may_go_over_midnight() {
        let quiet =
            |from: u16, to: u16, minute| Settings { quiet: Some((from, to)), ..Settings::default() }.is_quiet(minute);
        assert!(quiet(600, 660, 600) && quiet(600, 660, 659) && !quiet(600, 660, 660) && !quiet(600, 660, 0));
        assert!(quiet(1_320, 420, 1_320) && quiet(1_320, 420, 0) && quiet(1_320, 420, 419) && !quiet(1_320, 420, 420));
        assert!(!Settings::default().is_quiet(0));
    }

    #[test]
    fn only_what_nobody_sees_is_told() {
        let settings = Settings { quiet: Some((0, 60)), ..Settings::default() };
        assert!(settings.tells_of(&theirs(1), 61, false));
        assert!(!settings.tells_of(&theirs(1), 61, true), "it is on the screen");
        assert!(!settings.tells_of(&theirs(1), 59, false), "it is night");
        assert!(!settings.tells_of(&line(1), 61, false), "it is ours");
        assert!(!Settings { notifies: false, ..settings }.tells_of(&theirs(1), 61, false));
    }

    #[test]
    fn another_key_under_a_name_is_told_until_it_is_accepted() {
        let mut settings = Settings::default();
        assert!(settings.meet(&[row(1, "bob"), row(2, "carol")]));
        assert!(!settings.meet(&[row(1, "bob"), row(2, "carol")]), "nothing new");
        settings.verify(&row(1, "bob"), true);
        assert_eq!(settings.key_state(&row(1, "bob")), KeyState::Verified);
        let other = row(3, "bob");
        settings.meet(std::slice::from_ref(&other));
        assert_eq!(settings.key_state(&other), KeyState::Changed);
        settings.accept(&other);
        assert_eq!(settings.key_state(&other), KeyState::Unverified);
        // the same key under another name stays verified
        settings.meet(&[row(1, "robert")]);
        assert_eq!(settings.key_state(&row(1, "robert")), KeyState::Verified);
        settings.verify(&row(1, "robert"), false);
        assert_eq!(settings.key_state(&row(1, "robert")), KeyState::Unverified);
    }
}
