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

/// The same in one line: for names, reasons and errors.
pub fn one_line(text: &str) -> String {
    harmless(text, " ")
}

/// Characters that turn the reading order, break a line, or stand for nothing that is seen. The joiner of emoji is none.
fn is_bidi(character: char) -> bool {
    matches!(character,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_forge_lines_or_turn_the_text() {
        assert_eq!(harmless("hi\nalice: no", "\n  | "), "hi\n  | alice: no");
        assert_eq!(harmless("\u{1b}[2J\u{202e}abc", "\n"), "\\u{1b}[2J\\u{202e}abc");
        assert_eq!(harmless("你好, tab\there", " "), "你好, tab here");
        assert_eq!(one_line("one\ntwo\u{2029}\u{206e}"), "one two\\u{2029}\\u{206e}");
        assert_eq!(
            one_line("👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}"),
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
            "emoji stay whole"
        );
    }
}
