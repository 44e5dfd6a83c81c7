//! A small scanner of Rust sources: tells code from comments and strings, cuts the code into tokens, and knows which
//! lines are test code. It is no parser; it needs to be right for formatted code that compiles.

/// A word, `::`, or one sign, with the line that it stands on (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// A scanned file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path below the repository's top.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// The comments of each line, without the code.
    pub(crate) comments: Vec<String>,
    /// The code, without comments and without what stands in strings.
    pub(crate) tokens: Vec<Token>,
    /// For each line whether it is compiled for tests alone.
    test_lines: Vec<bool>,
    /// Names of modules in files of their own that are compiled for tests alone.
    test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let tokens = tokens(&code);
        let (test_lines, test_modules) = test_parts(&tokens, text.lines().count());
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            comments: comments.lines().map(str::to_owned).collect(),
            tokens,
            test_lines,
            test_modules,
        }
    }

    pub(crate) fn lines(&self) -> usize {
        self.test_lines.len()
    }

    /// Is `line` (from 1) compiled for tests alone?
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line.wrapping_sub(1)).copied().unwrap_or(false)
    }

    /// The comment on `line` (from 1), empty if there is none.
    pub(crate) fn comment(&self, line: usize) -> &str {
        self.comments.get(line.wrapping_sub(1)).map_or("", String::as_str)
    }
}

/// The module that a file below `src/` holds: `["crypto", "simd"]`; empty for `lib.rs` and `main.rs`.
pub(crate) fn module_path(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    if inner == "lib" || inner == "main" {
        return Vec::new();
    }
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    inner.split('/').map(str::to_owned).collect()
}

/// Marks the files whose `mod` line, in another file, is under `#[cfg(test)]`.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let named: Vec<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            source.test_modules.iter().map(|name| {
                let mut path = module_path(&source.path);
                path.push(name.clone());
                path
            })
        })
        .collect();
    for source in sources {
        let path = module_path(&source.path);
        if named.iter().any(|test| path.starts_with(test)) {
            source.test_lines.fill(true);
        }
    }
}

/// Where the scanner stands in the text.
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// The text twice, line for line and column for column: once with comments and the insides of strings blanked, once
/// with everything but comments blanked.
fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut code, mut comments) = (String::new(), String::new());
    let mut state = State::Code;
    let mut i = 0;
    while i < chars.len() {
        let mut in_comment = false;
        let mut in_code = false;
        let mut step = 1;
        match state {
            State::Code => match (at(i), at(i + 1)) {
                ('/', '/') => (state, in_comment) = (State::LineComment, true),
                ('/', '*') => (state, in_comment, step) = (State::BlockComment { depth: 1 }, true, 2),
                ('"', _) => (state, in_code) = (State::Text, true),
                ('\'', _) => step = char_literal_length(&chars, i),
                ('r', '"' | '#') if raw_hashes(&chars, i).is_some() => {
                    let hashes = raw_hashes(&chars, i).unwrap_or(0);
                    (state, step) = (State::RawText { hashes }, hashes + 2);
                }
                _ => in_code = true,
            },
            State::LineComment if at(i) == '\n' => state = State::Code,
            State::LineComment => in_comment = true,
            State::BlockComment { depth } => {
                in_comment = true;
                match (at(i), at(i + 1)) {
                    ('/', '*') => (state, step) = (State::BlockComment { depth: depth + 1 }, 2),
                    ('*', '/') if depth == 1 => (state, step) = (State::Code, 2),
                    ('*', '/') => (state, step) = (State::BlockComment { depth: depth - 1 }, 2),
                    _ => {}
                }
            }
            State::Text if at(i) == '\\' => step = 2,
            State::Text if at(i) == '"' => (state, in_code) = (State::Code, true),
            State::Text => {}
            State::RawText { hashes } => {
                if at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#') {
                    (state, step) = (State::Code, hashes + 1);
                }
            }
        }
        for &c in chars.iter().skip(i).take(step) {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if in_code { c } else { blank });
            comments.push(if in_comment { c } else { blank });
        }
        i += step;
    }
    (code, comments)
}

/// The number of characters of the literal that begins with the quote at `i`; 1 for the quote of a lifetime.
fn char_literal_length(chars: &[char], i: usize) -> usize {
    match chars.get(i + 1) {
        // The character behind the backslash may itself be a quote.
        Some('\\') => match chars.iter().skip(i + 3).position(|&c| c == '\'') {
            Some(more) => more + 4,
            None => 1,
        },
        Some(_) if chars.get(i + 2) == Some(&'\'') => 3,
        _ => 1,
    }
}

/// The number of `#` of a raw string whose `r` is at `i`, or none if it is a name or a raw identifier.
fn raw_hashes(chars: &[char], i: usize) -> Option<usize> {
    let before = i.checked_sub(1).and_then(|p| chars.get(p)).copied().unwrap_or(' ');
    let prefix = matches!(before, 'b' | 'c');
    if (before.is_alphanumeric() || before == '_') && !prefix {
        return None;
    }
    let hashes = chars.iter().skip(i + 1).take_while(|&&c| c == '#').count();
    (chars.get(i + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn tokens(code: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let chars: Vec<char> = line.chars().collect();
        let mut i = 0;
        while let Some(&c) = chars.get(i) {
            let length = if c.is_alphanumeric() || c == '_' {
                chars.iter().skip(i).take_while(|c| c.is_alphanumeric() || **c == '_').count()
            } else if c == ':' && chars.get(i + 1) == Some(&':') {
                2
            } else {
                1
            };
            if !c.is_whitespace() {
                let text = chars.iter().skip(i).take(length).collect();
                found.push(Token { text, line: index + 1 });
            }
            i += length;
        }
    }
    found
}

/// The index of the sign that closes the bracket at `open`; the last token if it is never closed.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len().saturating_sub(1)
}

/// The index of the `{` of an item's body, or of the `;` that ends an item without one.
pub(crate) fn body_or_end(tokens: &[Token], from: usize) -> Option<usize> {
    let mut i = from;
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            "{" | ";" => return Some(i),
            "(" | "[" => i = closing(tokens, i),
            _ => {}
        }
        i += 1;
    }
    None
}

/// Which lines are under a `#[cfg(test)]`, and the names of the modules in other files that are.
fn test_parts(tokens: &[Token], lines: usize) -> (Vec<bool>, Vec<String>) {
    let mut test_lines = vec![false; lines];
    let mut modules = Vec::new();
    let word = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    for i in 0..tokens.len() {
        let inner = word(i) == "#" && word(i + 1) == "!";
        let open = if inner { i + 2 } else { i + 1 };
        if word(i) != "#" || word(open) != "[" || word(open + 1) != "cfg" {
            continue;
        }
        let close = closing(tokens, open);
        let for_tests = (open..close).any(|k| word(k) == "test" && word(k.wrapping_sub(2)) != "not");
        if !for_tests {
            continue;
        }
        if inner {
            test_lines.fill(true);
            continue;
        }
        let mut item = close + 1;
        while word(item) == "#" {
            item = closing(tokens, item + 1) + 1;
        }
        let Some(end) = body_or_end(tokens, item) else {
            continue;
        };
        if word(end) == ";" && word(end.wrapping_sub(2)) == "mod" {
            modules.push(word(end - 1).to_owned());
        }
        let last = closing(tokens, end);
        let (first, last) = (tokens[i].line, tokens[last].line);
        for line in test_lines.iter_mut().take(last).skip(first - 1) {
            *line = true;
        }
    }
    (test_lines, modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::new("src/a.rs", text).tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(words(r#"a("b \" c") d"#), ["a", "(", "\"", "\"", ")", "d"]);
        assert_eq!(words("r#\"x \" y\"# z br\"w\""), ["z", "b"]);
        assert_eq!(words("r#type"), ["r", "#", "type"]);
        assert_eq!(words("'\"' a '\\'' b '\\u{1f}' c"), ["a", "b", "c"]);
        assert_eq!(words("<'a>")[1..], ["a", ">"]);
    }

    #[test]
    fn comments_keep_their_line() {
        let source = Source::new("src/a.rs", "a\n\"// no\" // yes\n/* one\ntwo */ b\n");
        assert_eq!(source.comment(1).trim(), "");
        assert_eq!(source.comment(2).trim(), "// yes");
        assert_eq!(source.comment(4).trim(), "two */");
        assert_eq!(source.tokens.last().map(|token| token.line), Some(4));
    }

    #[test]
    fn test_code_is_known() {
        let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn b() { if c { } }\n}\nfn d() {}\n";
        let source = Source::new("src/a.rs", text);
        let marked: Vec<usize> = (1..=7).filter(|&line| source.is_test(line)).collect();
        assert_eq!(marked, [2, 3, 4, 5, 6]);
        let source = Source::new("src/a.rs", "#[cfg(not(test))]\nfn a() {}\n");
        assert!(!source.is_test(2));
        let source = Source::new("src/a.rs", "#![cfg(test)]\nfn a() {}\n");
        assert!(source.is_test(2));
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_known() {
        let mut sources = [
            Source::new("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod tests;\n"),
            Source::new("src/a/b.rs", "fn c() {}\n"),
            Source::new("src/a/tests.rs", "fn d() {}\n"),
        ];
        mark_test_files(&mut sources);
        assert!(!sources[1].is_test(1));
        assert!(sources[2].is_test(1));
    }
}
