//! How texts and what is searched for are compared.

use zeroize::Zeroizing;

/// Folding makes a text at most this many times as long (U+0390: two bytes become six).
pub(super) const FOLD_GROWTH_MAX: usize = 3;

/// What is searched for: one substring, without the white space around it, folded. White space within counts as it is.
pub(in crate::store) struct Words {
    pub(super) folded: Zeroizing<String>,
}

impl Words {
    /// The words that a person typed.
    pub(in crate::store) fn new(words: &str) -> Words {
        Words { folded: fold(words.trim()) }
    }

    /// Whether they stand within one of these texts of a message, as [`super::Index::find`] would find them there: for
    /// rows that are not indexed. Empty words are in every message.
    pub(in crate::store) fn are_in(&self, texts: &[&str]) -> bool {
        self.folded.is_empty() || texts.iter().any(|text| fold(text).contains(self.folded.as_str()))
    }
}

/// A text as it is compared: each character in upper and then in lower case, so that ß finds SS and σ finds ς, and
/// full-width ASCII (such as Ａ and ，, and the ideographic space) as ASCII.
///
/// It does no more: no simplified for traditional characters, no pinyin, no half-width kana, no composed for decomposed
/// accents (NFC, NFKC), no language's own rules (Turkish ı and I both become i).
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    // Room for the worst, because a string that grows leaves a copy behind.
    let mut folded = Zeroizing::new(String::with_capacity(text.len() * FOLD_GROWTH_MAX));
    for character in text.chars() {
        match narrow(character) {
            ascii if ascii.is_ascii() => folded.push(ascii.to_ascii_lowercase()),
            // Han, kana and what stands between them have no case: most of a Chinese text.
            caseless @ '\u{2e80}'..='\u{9fff}' => folded.push(caseless),
            // Its upper case is itself, not SS.
            'ẞ' => folded.push_str("ss"),
            other => folded.extend(other.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    folded
}

/// The ASCII character of a full-width one; all others as they are.
fn narrow(character: char) -> char {
    match character {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from((u32::from(character) - 0xff01) as u8 + b'!'),
        other => other,
    }
}
