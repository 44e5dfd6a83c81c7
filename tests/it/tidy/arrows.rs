//! Who uses whom: reads every path that starts at the crate's root or climbs out with `super`, and compares the
//! arrows between top-level modules with the table that the design fixes.

use super::Fault;
use super::scan::{Source, Token, module_path};

/// A top-level module and those that it may use. `main` is `src/main.rs`; `src/lib.rs` is the map and may name all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["gui", "node", "config", "identity", "media", "stego", "seal", "crypto"]),
    ("gui", &["node", "config", "identity", "media", "stego"]),
    ("node", &["quic", "wire", "store", "media", "stego", "config", "identity", "crypto"]),
    ("seal", &["crypto", "identity"]),
    ("store", &["crypto", "identity"]),
    ("quic", &["tls", "identity", "crypto"]),
    ("tls", &["identity", "crypto"]),
    ("config", &["identity", "crypto", "media"]),
    ("identity", &["crypto"]),
    ("wire", &[]),
    ("crypto", &[]),
    ("stego", &[]),
    ("media", &[]),
];

/// The crate's own name, by which `main.rs` sees the library.
const CRATE: &str = "miyu";

/// Every arrow in `sources` that the table does not hold, and every top-level module that it does not know.
pub(crate) fn faults(sources: &[Source]) -> Vec<Fault> {
    let root_items = sources
        .iter()
        .find(|source| source.path == "src/lib.rs")
        .map(|source| items(&source.tokens))
        .unwrap_or_default();
    sources.iter().flat_map(|source| file_faults(source, &root_items)).collect()
}

fn allowed(from: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(name, _)| *name == from).map(|(_, to)| *to)
}

fn file_faults(source: &Source, root_items: &[String]) -> Vec<Fault> {
    if source.path == "src/lib.rs" {
        return Vec::new();
    }
    let module = module_path(&source.path);
    let from = module.first().map_or("main", String::as_str);
    let Some(may_use) = allowed(from) else {
        let message = format!("module {from} is not in the table of arrows: add it to the design and to ALLOWED");
        return vec![Fault::new(&source.path, 1, message)];
    };
    let mut faults = Vec::new();
    for (path, line) in used_paths(&source.tokens, &module) {
        let Some(to) = path.first().map(String::as_str) else {
            continue;
        };
        let shown = path.join("::");
        if to == from {
            continue;
        }
        let message = if to == "*" {
            "a glob of the crate's root hides whom this uses".to_owned()
        } else if allowed(to).is_none() {
            if root_items.iter().any(|item| item == to) {
                continue;
            }
            format!("crate::{shown} is no top-level module and not defined in lib.rs: name the module that it is in")
        } else if !may_use.contains(&to) {
            format!("{from} -> {to} is no arrow of the design ({from} may use {may_use:?}): crate::{shown}")
        } else if path.starts_with(&["crypto".to_owned(), "simd".to_owned()]) {
            format!("{from} -> crypto::simd: only crypto sees its kernels")
        } else {
            continue;
        };
        faults.push(Fault::new(&source.path, line, message));
    }
    faults
}

/// Names that a file defines itself at its outermost level, re-exports left out.
fn items(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate() {
        let next = |n: usize| tokens.get(i + n).map(|token| token.text.clone());
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "const" | "static" | "fn" | "struct" | "enum" | "type" | "trait" if depth == 0 => found.extend(next(1)),
            "macro_rules" if depth == 0 => found.extend(next(2)),
            _ => {}
        }
    }
    found
}

/// Every path below the crate's root that the tokens name, made absolute, with its line. Paths that neither start
/// at the root nor climb are not listed: they cannot leave their module.
fn used_paths(tokens: &[Token], module: &[String]) -> Vec<(Vec<String>, usize)> {
    let mut found = Vec::new();
    // The modules written inside the file that are open, each with the brace depth that it was opened at.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate() {
        let text = |k: usize| tokens.get(k).map_or("", |token| token.text.as_str());
        match token.text.as_str() {
            "{" => {
                if i >= 2 && text(i - 2) == "mod" {
                    inline.push((text(i - 1).to_owned(), depth));
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                inline.pop_if(|(_, opened)| *opened == depth);
            }
            "crate" | "super" | CRATE if text(i + 1) == "::" && !continues_a_path(tokens, i) => {
                let mut here: Vec<String> = module.to_vec();
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                let mut paths = Vec::new();
                expand(tokens, i, &mut Vec::new(), &mut paths);
                found.extend(paths.iter().map(|path| (absolute(path, &here), token.line)));
            }
            _ => {}
        }
    }
    found
}

/// Is the word at `i` a later part of a path (`a::crate`), so that it was or will be read with its beginning?
fn continues_a_path(tokens: &[Token], i: usize) -> bool {
    i >= 2 && tokens[i - 1].text == "::" && tokens[i - 2].is_word()
}

/// Reads the path or use tree that begins at `i` into one path for each of its leaves; returns the index behind it.
fn expand(tokens: &[Token], i: usize, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let text = |k: usize| tokens.get(k).map_or("", |token| token.text.as_str());
    let kept = prefix.len();
    let mut i = i;
    loop {
        if text(i) == "{" {
            i += 1;
            while !matches!(text(i), "}" | "") {
                i = expand(tokens, i, prefix, paths);
                // `as name`, and whatever else stands before the next entry
                while !matches!(text(i), "," | "}" | "") {
                    i += 1;
                }
                if text(i) == "," {
                    i += 1;
                }
            }
            prefix.truncate(kept);
            return i + 1;
        }
        prefix.push(text(i).to_owned());
        let more = tokens.get(i + 2).is_some_and(|token| token.is_word() || matches!(token.text.as_str(), "{" | "*"));
        if text(i + 1) != "::" || !more {
            paths.push(prefix.clone());
            prefix.truncate(kept);
            return i + 1;
        }
        i += 2;
    }
}

/// The path from the crate's root that `path` means when it is written in the module `here`.
fn absolute(path: &[String], here: &[String]) -> Vec<String> {
    let mut whole = here.to_vec();
    for part in path {
        match part.as_str() {
            "crate" | CRATE => whole.clear(),
            "super" => {
                whole.pop();
            }
            "self" => {}
            _ => whole.push(part.clone()),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        let lib = Source::new("src/lib.rs", "pub mod wire;\npub const VERSION: u8 = 1;\npub use wire::Frame;\n");
        faults(&[lib, Source::new(path, text)]).into_iter().map(|fault| (fault.line, fault.message)).collect()
    }

    #[track_caller]
    fn one(path: &str, text: &str, line: usize, part: &str) {
        let found = found(path, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, line);
        assert!(found[0].1.contains(part), "{found:?}");
    }

    #[test]
    fn arrows_of_the_design_pass() {
        let text = "use crate::quic::{Endpoint, settings::{A, B as C}};\nuse crate::wire::Frame;\n";
        assert_eq!(found("src/node/mod.rs", text), []);
        assert_eq!(found("src/main.rs", "fn main() { miyu::cli::run() }\n"), []);
        assert_eq!(found("src/node/link.rs", "use super::Command;\nuse crate::node::Event;\n"), []);
        assert_eq!(found("src/node/a.rs", "use crate::VERSION;\n"), []);
        assert_eq!(found("src/crypto/gcm.rs", "use crate::crypto::simd::Token;\n"), []);
        assert_eq!(found("src/wire/mod.rs", "pub(crate) fn a() {}\n//! [`crate::node`]\n"), []);
    }

    #[test]
    fn other_arrows_are_found() {
        one("src/wire/frame.rs", "fn a() {}\nuse crate::node::Event;\n", 2, "wire -> node");
        one("src/media/mod.rs", "fn a() -> crate::node::Event {}\n", 1, "media -> node");
        one("src/node/mod.rs", "use crate::{wire, cli::Args};\n", 1, "node -> cli");
        one("src/node/mod.rs", "use crate::{\n    wire,\n    gui,\n};\n", 1, "node -> gui");
        one("src/node/mod.rs", "use miyu::tls;\n", 1, "node -> tls");
        one("src/main.rs", "use miyu::node::Node;\n", 1, "main -> node");
        one("src/stego/mod.rs", "#[cfg(test)]\nmod tests {\n use crate::crypto::kdf;\n}\n", 3, "stego -> crypto");
    }

    #[test]
    fn climbing_out_is_found() {
        one("src/wire/mod.rs", "use super::node::Event;\n", 1, "wire -> node");
        one("src/wire/a.rs", "use super::super::{node, wire};\n", 1, "wire -> node");
        one("src/config.rs", "mod tests {\n use super::super::store::S;\n}\n", 2, "config -> store");
        assert_eq!(found("src/config.rs", "mod tests {\n use super::*;\n fn b(){}\n}\n"), []);
        assert_eq!(found("src/config.rs", "mod a {\n}\nmod b {\n use super::a::C;\n}\n"), []);
        one("src/wire/mod.rs", "use self::super::super::wire;\nuse super::node;\n", 2, "wire -> node");
    }

    #[test]
    fn hidden_arrows_are_found() {
        one("src/node/mod.rs", "use crate::*;\n", 1, "glob");
        one("src/node/mod.rs", "use crate::Frame;\n", 1, "no top-level module");
        one("src/node/mod.rs", "use crate::crypto::{gcm, simd::Token};\n", 1, "crypto::simd");
        one("src/other/mod.rs", "fn a() {}\n", 1, "not in the table");
    }

    #[test]
    fn the_table_has_no_circle() {
        fn reaches(from: &str, goal: &str, steps: usize) -> bool {
            steps > 0
                && allowed(from).is_some_and(|to| to.iter().any(|next| *next == goal || reaches(next, goal, steps - 1)))
        }
        for (name, _) in ALLOWED {
            assert!(!reaches(name, name, ALLOWED.len()), "{name} reaches itself");
        }
    }
}
