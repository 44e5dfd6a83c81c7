//! Every string that the app shows, by its key, in the language that is chosen. The catalogues are Fluent files
//! (`assets/i18n`): plurals are the language's own affair, and a test compares them with each other and with the code.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

pub use fluent_bundle::FluentValue as Value;

/// A language of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The one of a locale such as `zh_CN.UTF-8` or `en-GB`; English for those that there is no catalogue for.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['-', '_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }

    /// The one that the system is set to.
    pub fn of_system() -> Self {
        sys_locale::get_locale().map_or(Self::English, |locale| Self::of_locale(&locale))
    }

    /// The tag of BCP 47, which is the catalogue's file name too.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// What it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    fn catalogue(self) -> &'static str {
        match self {
            Self::English => include_str!("../../assets/i18n/en.ftl"),
            Self::Chinese => include_str!("../../assets/i18n/zh-CN.ftl"),
        }
    }
}

/// The strings of one language.
pub struct Words {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({})", self.language.tag())
    }
}

impl Words {
    /// Reads the catalogue of a language.
    pub fn new(language: Language) -> Self {
        let tags = language.tag().parse().into_iter().collect();
        let mut bundle = FluentBundle::new(tags);
        // Marks around what is put in would be drawn as boxes.
        bundle.set_use_isolating(false);
        let resource = match FluentResource::try_new(language.catalogue().to_owned()) {
            Ok(resource) => resource,
            // What can be read is better than nothing; a test sees to it that all can be.
            Err((resource, _)) => resource,
        };
        let _ = bundle.add_resource(resource);
        Self { language, bundle }
    }

    /// Which language it is.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The string of that key; the key itself where there is none.
    pub fn get(&self, key: &'static str) -> String {
        self.format(key, None)
    }

    /// The string of that key with values put in.
    pub fn with(&self, key: &'static str, values: &[(&'static str, Value<'_>)]) -> String {
        self.format(key, Some(&arguments(values)))
    }

    /// What to do about what the string of that key says, with values put in; not every string has that.
    pub fn mend(&self, key: &'static str, values: &[(&'static str, Value<'_>)]) -> Option<String> {
        let mend = self.bundle.get_message(key)?.get_attribute("mend")?;
        let text = self.bundle.format_pattern(mend.value(), Some(&arguments(values)), &mut Vec::new());
        Some(text.into_owned())
    }

    fn format(&self, key: &'static str, args: Option<&FluentArgs<'_>>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        // A value that is missing is shown by its name.
        self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }
}

fn arguments<'v>(values: &[(&'static str, Value<'v>)]) -> FluentArgs<'v> {
    let mut args = FluentArgs::with_capacity(values.len());
    for (name, value) in values {
        args.set(*name, value.clone());
    }
    args
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn locales_choose_a_language() {
        for locale in ["zh_CN.UTF-8", "zh-Hans", "ZH", "zh"] {
            assert_eq!(Language::of_locale(locale), Language::Chinese, "{locale}");
        }
        for locale in ["en_GB.UTF-8", "C", "POSIX", "", "de-DE"] {
            assert_eq!(Language::of_locale(locale), Language::English, "{locale}");
        }
    }

    #[test]
    fn plurals_are_the_languages_own() {
        let unread = |language, count: u64| Words::new(language).with("peers-unread", &[("count", count.into())]);
        assert_eq!(unread(Language::English, 1), "1 unread message");
        assert_eq!(unread(Language::English, 3), "3 unread messages");
        assert_eq!(unread(Language::Chinese, 1), "1 条未读消息");
        assert_eq!(Words::new(Language::English).get("no-such-key"), "no-such-key");
    }
}
