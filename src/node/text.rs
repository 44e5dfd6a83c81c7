//! Text from peers, made harmless for whoever shows it.

/// Escapes control and bidi characters, so that nobody moves a cursor, forges a line or turns the reading order. A new line
/// becomes `new_line`, a tab a space.
pub fn harmless(text: &str, new_line: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str(new_line),
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

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_peer_cannot_forge_lines_or_turn_the_text() {
        assert_eq!(harmless("hi\nalice: no", "\n  | "), "hi\n  | alice: no");
        assert_eq!(harmless("\u{1b}[2J\u{202e}abc", "\n"), "\\u{1b}[2J\\u{202e}abc");
        assert_eq!(harmless("你好, tab\there", " "), "你好, tab here");
    }
}
