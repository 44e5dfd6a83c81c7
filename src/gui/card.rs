//! What one side gives the other: name, public key line and addresses in one text, for their table or their form, through
//! whatever else they talk by. What comes back is read leniently: line breaks get lost, and people write it by hand.

use crate::config::Address;
use crate::identity::{KEY_LINE_PREFIX, parse_key_line};

/// Characters of a pasted text that are looked at.
const CHARS_MAX: usize = 8_192;
/// Words of the table's form that are no names.
const WORDS: [&str; 7] = ["peer", "name", "key", "address", "allow", "chat", "camera"];

/// All that is needed to add a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    /// What they call themselves.
    pub name: String,
    /// Their public key line.
    pub key: String,
    /// Where they are dialled.
    pub addresses: Vec<String>,
}

impl Card {
    /// As it stands in a table.
    pub fn to_text(&self) -> String {
        let list: Vec<String> = self.addresses.iter().map(|address| quoted(address)).collect();
        let mut text = format!("[[peer]]\nname = {}\nkey = {}\n", quoted(&self.name), quoted(&self.key));
        match list.as_slice() {
            [] => {}
            [only] => text.push_str(&format!("address = {only}\n")),
            several => text.push_str(&format!("address = [{}]\n", several.join(", "))),
        }
        text
    }

    /// What a text says, as far as it says it: the first public key line, all addresses, a name. None without a key.
    pub fn read(text: &str) -> Option<Self> {
        let mut card = Self::default();
        let mut named = false;
        for token in tokens(text) {
            let word = match &token {
                // brackets may be those of a list
                Token::Bare(word) if word.parse::<Address>().is_err() => word.trim_matches(['[', ']']),
                Token::Quoted(word) | Token::Bare(word) => word.as_str(),
            };
            if named {
                word.clone_into(&mut card.name);
            } else if word.starts_with(KEY_LINE_PREFIX) {
                if card.key.is_empty() && parse_key_line(word).is_ok() {
                    word.clone_into(&mut card.key);
                }
            } else if word.parse::<Address>().is_ok() {
                card.addresses.push(word.to_owned());
            } else if card.name.is_empty() && !WORDS.contains(&word) && !word.ends_with(':') {
                word.clone_into(&mut card.name);
            }
            // what stands behind `name` is one, whatever else could be
            named = matches!(&token, Token::Bare(word) if word == "name");
        }
        card.addresses.dedup();
        (!card.key.is_empty()).then_some(card)
    }
}

enum Token {
    Quoted(String),
    Bare(String),
}

/// Words and quoted texts; brackets, commas and signs of equality keep them apart.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().take(CHARS_MAX).peekable();
    while let Some(first) = rest.next() {
        if first == '"' {
            let mut word = String::new();
            while let Some(next) = rest.next().filter(|next| *next != '"') {
                word.push(if next == '\\' { rest.next().unwrap_or(next) } else { next });
            }
            tokens.push(Token::Quoted(word));
        } else if !parts(first) {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|next| !parts(*next) && *next != '"') {
                word.push(next);
            }
            // the brackets of an IPv6 address are its own
            tokens.push(Token::Bare(word));
        } else if first == '[' && rest.peek().is_some_and(|next| next.is_ascii_hexdigit() || *next == ':') {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|next| *next == ']' || (!parts(*next) && *next != '"')) {
                word.push(next);
            }
            tokens.push(Token::Bare(word));
        }
    }
    tokens
}

fn parts(c: char) -> bool {
    c.is_whitespace() || matches!(c, '[' | ']' | '=' | ',' | ';' | '，' | '、' | '；')
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const KEY: &str = "sm2:AoFMaSZTXccmFXAflPTwqPJfZ2HDM0lvWjNfiDHkdgPj";

    fn card(name: &str, addresses: &[&str]) -> Card {
        Card { name: name.into(), key: KEY.into(), addresses: addresses.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn what_is_copied_is_read_again_with_and_without_its_lines() {
        for name in ["alice", "小雨", "a \"b\" \\ [c] = d", "name", "sm3", "peer", "10.0.0.1"] {
            for addresses in [&[][..], &["192.168.1.2:9999"], &["bob.lan:9999", "[fd00::2]:9999"]] {
                let card = card(name, addresses);
                let text = card.to_text();
                assert_eq!(Card::read(&text), Some(card.clone()), "{text}");
                assert_eq!(Card::read(&text.replace('\n', " ")), Some(card), "{text}");
            }
        }
    }

    #[test]
    fn what_is_copied_is_a_part_of_a_table() {
        let text = card("a \"b\" \\", &["192.168.1.2:9999", "[fd00::2]:9999"]).to_text();
        let table: toml_edit::DocumentMut = text.parse().unwrap();
        let peer = table["peer"].as_array_of_tables().unwrap().get(0).unwrap();
        assert_eq!(peer["name"].as_str(), Some("a \"b\" \\"));
        assert_eq!(peer["address"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn people_write_it_in_their_own_ways() {
        let both = card("小雨", &["192.168.1.2:9999", "[fd00::2]:9"]);
        for text in [
            format!("小雨 {KEY} 192.168.1.2:9999 [fd00::2]:9"),
            format!("miyu: 小雨，{KEY}，192.168.1.2:9999、[fd00::2]:9"),
            format!("address=192.168.1.2:9999,[fd00::2]:9;key={KEY};name=小雨"),
            format!("key = {KEY} name = 小雨 address = [192.168.1.2:9999] [fd00::2]:9"),
        ] {
            assert_eq!(Card::read(&text), Some(both.clone()), "{text}");
        }
        assert_eq!(Card::read(KEY), Some(card("", &[])));
        for text in ["", "alice", "sm2:short", "sm2:", "\"", "\\\"[[["] {
            assert_eq!(Card::read(text), None, "{text}");
        }
    }
}
