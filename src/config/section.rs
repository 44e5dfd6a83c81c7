//! One table of the file: its keys, with the place of each in the text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, closest, shown};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

pub(super) fn suggest(wanted: &str, known: &[&str], what: &str) -> String {
    let list = known.join(", ");
    match closest(wanted, known.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"? known {what}: {list}"),
        None => format!("known {what}: {list}"),
    }
}

/// The fault has been noted; there is no value.
pub(super) struct Faulty;

/// One table of the file, with its title for messages and the byte where it begins.
pub(super) struct Section<'t, 'i> {
    pub(super) title: &'static str,
    pub(super) at: usize,
    pub(super) table: &'t DeTable<'i>,
}

impl<'t, 'i> Section<'t, 'i> {
    pub(super) fn find(&self, key: &str) -> Option<(usize, &'t Value<'i>)> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (name.span().start, value))
    }

    pub(super) fn refuse_unknown(&self, known: &[&str], faults: &mut Faults<'_>) {
        for (name, _) in self.table.iter() {
            let key: &str = name.get_ref();
            if !known.contains(&key) {
                let what = format!("unknown key {} in {}", shown(key), self.title);
                faults.add(name.span().start, what, suggest(key, known, "keys"));
            }
        }
    }

    pub(super) fn section(
        &self,
        key: &str,
        title: &'static str,
        faults: &mut Faults<'_>,
    ) -> Result<Option<Section<'t, 'i>>, Faulty> {
        let Some((_, value)) = self.find(key) else {
            return Ok(None);
        };
        let at = value.span().start;
        match value.get_ref().as_table() {
            Some(table) => Ok(Some(Section { title, at, table })),
            None => {
                let what = format!("`{key}` in the table is not a section");
                faults.add(at, what, format!("write {title}, in one pair of brackets, once"));
                Err(Faulty)
            }
        }
    }

    /// The line of `name` in the section `key`, for messages.
    pub(super) fn section_line(&self, key: &str, faults: &Faults<'_>) -> usize {
        let section = self.find(key).map(|(_, value)| value);
        let name = section
            .and_then(|value| value.get_ref().as_table())
            .and_then(|table| table.iter().find(|(name, _)| name.get_ref() == "name"));
        faults.line(name.map_or(0, |(name, _)| name.span().start))
    }

    pub(super) fn text(
        &self,
        key: &str,
        example: &str,
        faults: &mut Faults<'_>,
    ) -> Result<Option<(usize, &'t str)>, Faulty> {
        let Some((_, value)) = self.find(key) else {
            return Ok(None);
        };
        match value.get_ref().as_str() {
            Some(text) => Ok(Some((value.span().start, text))),
            None => {
                self.wrong_type(key, value, "a text in quotes", example, faults);
                Err(Faulty)
            }
        }
    }

    pub(super) fn required(&self, key: &str, example: &str, faults: &mut Faults<'_>) -> Option<(usize, &'t str)> {
        match self.text(key, example, faults) {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                faults.add(self.at, format!("{} has no `{key}`", self.title), format!("add {example}"));
                None
            }
            Err(Faulty) => None,
        }
    }

    /// A number from 1 to `max`; `None` where there is none, or none that can be used.
    pub(super) fn whole_number(
        &self,
        key: &str,
        (example, max): (u64, u64),
        unit: &str,
        faults: &mut Faults<'_>,
    ) -> Option<u64> {
        let (_, value) = self.find(key)?;
        let example = format!("{key} = {example}, in {unit} from 1 to {max}");
        let read = match value.get_ref().as_integer() {
            Some(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            None => {
                self.wrong_type(key, value, "a whole number", &example, faults);
                return None;
            }
        };
        match read {
            Some(number) if (1..=max).contains(&number) => Some(number),
            _ => {
                let what = format!("`{key}` in {} is not within 1 to {max}", self.title);
                faults.add(value.span().start, what, format!("write {example}"));
                None
            }
        }
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        value: &Value<'_>,
        wanted: &str,
        example: &str,
        faults: &mut Faults<'_>,
    ) {
        let found = value.get_ref().type_str();
        let what = format!("`{key}` in {} must be {wanted}, but is of type {found}", self.title);
        faults.add(value.span().start, what, format!("write {example}"));
    }
}
