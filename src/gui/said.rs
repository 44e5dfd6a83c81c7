//! What is to be said to a person, before it is said in a language: a key of the catalogues with its values. It is put
//! into words when it is drawn, so that another language holds at once for what is on the screen already.

use std::io::{Error, ErrorKind};

use super::words::{Value, Words};

/// A text of the catalogues with its values. Where the text has a `.mend`, that is what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    key: &'static str,
    values: Vec<(&'static str, Part)>,
}

/// A value of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Number(u64),
    Said(Said),
}

impl Said {
    /// The text of that key.
    pub fn new(key: &'static str) -> Self {
        Self { key, values: Vec::new() }
    }

    /// The same with a text put in as it is.
    pub fn text(mut self, name: &'static str, text: impl ToString) -> Self {
        self.values.push((name, Part::Text(text.to_string())));
        self
    }

    /// The same with a number put in.
    pub fn number(mut self, name: &'static str, number: impl TryInto<u64>) -> Self {
        self.values.push((name, Part::Number(number.try_into().unwrap_or(u64::MAX))));
        self
    }

    /// The same with another text of the catalogues put in.
    pub fn said(mut self, name: &'static str, said: Said) -> Self {
        self.values.push((name, Part::Said(said)));
        self
    }

    /// The same with what the system said; the catalogues have the answers that people meet.
    pub fn system(self, name: &'static str, error: &Error) -> Self {
        let key = match error.kind() {
            ErrorKind::NotFound => "system-not-found",
            ErrorKind::PermissionDenied => "system-not-allowed",
            ErrorKind::AlreadyExists => "system-exists",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "system-full",
            ErrorKind::ReadOnlyFilesystem => "system-read-only",
            ErrorKind::AddrInUse => "system-in-use",
            ErrorKind::AddrNotAvailable => "system-no-such-address",
            ErrorKind::NotADirectory => "system-no-folder",
            _ => return self.text(name, error),
        };
        self.said(name, Self::new(key))
    }

    /// Its key in the catalogues.
    pub fn key(&self) -> &'static str {
        self.key
    }

    fn values<'s>(&'s self, words: &Words) -> Vec<(&'static str, Value<'s>)> {
        let value = |part: &'s Part| match part {
            Part::Text(text) => Value::from(text.as_str()),
            Part::Number(number) => Value::from(*number),
            Part::Said(said) => Value::from(said.tell(words)),
        };
        self.values.iter().map(|(name, part)| (*name, value(part))).collect()
    }

    /// In words.
    pub fn tell(&self, words: &Words) -> String {
        words.with(self.key, &self.values(words))
    }

    /// What to do about it, where the catalogues say so.
    pub fn mend(&self, words: &Words) -> Option<String> {
        words.mend(self.key, &self.values(words))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::gui::words::Language;

    #[test]
    fn texts_stand_in_texts_and_in_each_language() {
        let refused = Error::from(ErrorKind::PermissionDenied);
        let said = Said::new("fault-file-read").text("path", "/a").system("why", &refused);
        let (english, chinese) = (Words::new(Language::English), Words::new(Language::Chinese));
        assert_eq!(said.tell(&english), format!("/a cannot be read: {}.", english.get("system-not-allowed")));
        assert!(said.tell(&chinese).contains(&chinese.get("system-not-allowed")));
        assert!(said.mend(&chinese).is_none());
        let odd = Error::other("odd");
        assert!(Said::new("fault-file-read").text("path", "/a").system("why", &odd).tell(&chinese).contains("odd"));
        assert!(Said::new("fault-no-address").text("peer", "bob").mend(&english).unwrap().contains("bob"));
    }
}
