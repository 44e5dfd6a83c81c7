//! Rules about the code itself: where `unsafe` stands, what can panic, how long things are, and that each file says
//! what it is for.

use super::Fault;
use super::scan::{Source, body_or_end, closing};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Files and functions that may be longer: path, name of the function (empty: the file), reason.
const LONGER: &[(&str, &str, &str)] = &[];

/// The one place for `unsafe`.
fn may_be_unsafe(path: &str) -> bool {
    path.starts_with("src/crypto/simd/") || path == "src/crypto/simd.rs"
}

/// `unsafe`, or leave to use it, outside the folder of the SIMD kernels.
pub(crate) fn unsafe_faults(source: &Source) -> Vec<Fault> {
    if may_be_unsafe(&source.path) {
        return Vec::new();
    }
    source
        .tokens
        .iter()
        .filter_map(|token| match token.text.as_str() {
            "unsafe" => Some(Fault::new(&source.path, token.line, "unsafe outside src/crypto/simd")),
            "unsafe_code" => Some(Fault::new(&source.path, token.line, "only src/crypto/simd may allow unsafe_code")),
            _ => None,
        })
        .collect()
}

/// Calls that can panic, outside test code, without a `panic-ok:` comment with a reason on the line or the one above.
pub(crate) fn panic_faults(source: &Source) -> Vec<Fault> {
    let text = |i: usize| source.tokens.get(i).map_or("", |token| token.text.as_str());
    let mut faults = Vec::new();
    for (i, token) in source.tokens.iter().enumerate() {
        let what = match (token.text.as_str(), text(i + 1), text(i + 2)) {
            (".", method @ ("unwrap" | "expect"), "(") => format!(".{method}()"),
            (name @ ("panic" | "todo" | "unimplemented" | "unreachable" | "dbg"), "!", _) => {
                format!("{name}!")
            }
            _ => continue,
        };
        let line = source.tokens.get(i + 1).map_or(token.line, |next| next.line);
        if !source.is_test(line) && !panic_is_explained(source, line) {
            let message = format!("{what}: return an error, or say in `// panic-ok: …` why it cannot happen");
            faults.push(Fault::new(&source.path, line, message));
        }
    }
    faults
}

fn panic_is_explained(source: &Source, line: usize) -> bool {
    [line, line.saturating_sub(1)].iter().any(|&line| {
        let comment = source.comment(line);
        comment.split_once("panic-ok:").is_some_and(|(_, reason)| !reason.trim().is_empty())
    })
}

/// Files and functions over their length that are not in the table, and entries of the table that nothing needs.
pub(crate) fn length_faults(sources: &[Source]) -> Vec<Fault> {
    length_faults_with(sources, LONGER)
}

fn length_faults_with(sources: &[Source], longer: &[(&str, &str, &str)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut used = vec![false; longer.len()];
    let mut excused = |path: &str, name: &str| {
        let entry = longer.iter().position(|(p, n, _)| *p == path && *n == name);
        if let Some(flag) = entry.and_then(|at| used.get_mut(at)) {
            *flag = true;
        }
        entry.is_some()
    };
    for source in sources {
        if source.lines() > FILE_LINES_MAX && !excused(&source.path, "") {
            let message =
                format!("{} lines, more than {FILE_LINES_MAX}: which part wants its own file?", source.lines());
            faults.push(Fault::new(&source.path, source.lines(), message));
        }
        for (name, line, lines) in functions(source) {
            if lines > FUNCTION_LINES_MAX && !excused(&source.path, &name) {
                let message = format!("fn {name} has {lines} lines, more than {FUNCTION_LINES_MAX}");
                faults.push(Fault::new(&source.path, line, message));
            }
        }
    }
    for ((path, name, reason), used) in longer.iter().zip(used) {
        if !used || reason.is_empty() {
            let message = format!("the exception for {name:?} is not needed any more, or has no reason");
            faults.push(Fault::new(path, 1, message));
        }
    }
    faults
}

/// Name, first line and number of lines of every function with a body.
fn functions(source: &Source) -> Vec<(String, usize, usize)> {
    let tokens = &source.tokens;
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(i + 1).filter(|next| token.text == "fn" && next.is_word()) else {
            continue;
        };
        let Some(open) = body_or_end(tokens, i + 2).filter(|&open| tokens[open].text == "{") else {
            continue;
        };
        let last = tokens[closing(tokens, open)].line;
        found.push((name.text.clone(), token.line, last - token.line + 1));
    }
    found
}

/// The names of the functions of a file that stand under `#[test]`, further attributes aside. Those that a macro
/// such as `proptest!` makes are among them: there the attribute stands in the macro's body.
pub(crate) fn tests_of(source: &Source) -> Vec<String> {
    let text = |i: usize| source.tokens.get(i).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    for i in 0..source.tokens.len() {
        if text(i) != "#" || text(i + 1) != "[" {
            continue;
        }
        let close = closing(&source.tokens, i + 1);
        // `#[test]`, `#[tokio::test]`, `#[tokio::test(flavor = …)]`
        let is_test = (i + 2..close).take_while(|&k| text(k) != "(").any(|k| text(k) == "test");
        let Some(end) = body_or_end(&source.tokens, close + 1).filter(|_| is_test) else {
            continue;
        };
        let name = (close + 1..end).find(|&k| text(k) == "fn").map(|k| text(k + 1).to_owned());
        found.extend(name);
    }
    found
}

/// A file that does not begin with `//!`, attributes aside.
pub(crate) fn head_faults(source: &Source) -> Vec<Fault> {
    let first = source.text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#!["));
    if first.is_some_and(|line| line.trim_start_matches("//!").len() < line.len() && line.len() > 4) {
        return Vec::new();
    }
    vec![Fault::new(&source.path, 1, "begin with a `//!` comment that says what this module is for")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("src/a.rs", text)
    }

    #[test]
    fn unsafe_is_found_in_code_alone() {
        assert_eq!(unsafe_faults(&source("fn a() {}\nfn b() { unsafe { c() } }\n"))[0].line, 2);
        assert_eq!(unsafe_faults(&source("#![allow(unsafe_code)]\n")).len(), 1);
        assert!(unsafe_faults(&source("// unsafe\nconst A: &str = \"unsafe\";\n")).is_empty());
        assert!(unsafe_faults(&Source::new("src/crypto/simd/avx2.rs", "unsafe {}\n")).is_empty());
        assert_eq!(unsafe_faults(&Source::new("src/crypto/gcm.rs", "unsafe {}\n")).len(), 1);
    }

    #[test]
    fn panics_are_found() {
        for text in ["a.unwrap();", "a.expect(\"b\");", "panic!()", "todo!()", "unimplemented!()", "dbg!(a)"] {
            assert_eq!(panic_faults(&source(text)).len(), 1, "{text}");
        }
        let chained = "a()\n    .b()\n    .unwrap();\n";
        assert_eq!(panic_faults(&source(chained))[0].line, 3);
        for text in ["a.unwrap_or(1);", "a.expect_err(b);", "// a.unwrap()", "\"panic!()\"", "std::panic::catch()"] {
            assert!(panic_faults(&source(text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_panic_in_tests_or_with_a_reason_passes() {
        assert!(panic_faults(&source("#[cfg(test)]\nmod tests {\n    fn a() { b.unwrap(); }\n}\n")).is_empty());
        assert!(panic_faults(&source("a.unwrap(); // panic-ok: a is 16 bytes\n")).is_empty());
        assert!(panic_faults(&source("// panic-ok: a is 16 bytes\na.unwrap();\n")).is_empty());
        assert_eq!(panic_faults(&source("// panic-ok:\na.unwrap();\n")).len(), 1);
        assert_eq!(panic_faults(&source("// panic-ok: a\n\na.unwrap();\n")).len(), 1);
    }

    #[test]
    fn long_files_and_functions_are_found() {
        let lines = |count: usize| "    a();\n".repeat(count);
        let function = |count: usize| source(&format!("fn b(c: [u8; 4]) -> D {{\n{}}}\n", lines(count - 2)));
        assert!(length_faults(&[function(70)]).is_empty());
        let faults = length_faults(&[function(71)]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("fn b has 71 lines"), "{faults:?}");
        assert!(length_faults(&[source(&lines(600))]).is_empty());
        assert_eq!(length_faults(&[source(&lines(601))]).len(), 1);
        assert!(length_faults(&[source("trait A { fn b(); }\ntype C = fn(u8);\n")]).is_empty());
    }

    #[test]
    fn exceptions_are_honoured_and_die_when_they_are_not_needed() {
        let long = [source(&"a();\n".repeat(601))];
        assert!(length_faults_with(&long, &[("src/a.rs", "", "a table")]).is_empty());
        assert_eq!(length_faults_with(&long, &[("src/a.rs", "", "")]).len(), 1);
        assert_eq!(length_faults_with(&[source("")], &[("src/a.rs", "", "a table")]).len(), 1);
    }

    #[test]
    fn tests_are_known_by_name() {
        let text = "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(c = \"d\")]\n#[ignore]\nasync fn e() {}\n\
                    #[cfg(test)]\nmod f { fn g() {} }\nproptest! {\n #[test]\n fn h(i in 0..9) {}\n}\n";
        assert_eq!(tests_of(&source(text)), ["a", "e", "h"]);
    }

    #[test]
    fn a_file_without_a_head_is_found() {
        assert!(head_faults(&source("//! Does this.\nfn a() {}\n")).is_empty());
        assert!(head_faults(&source("#![allow(x)]\n\n//! Does this.\n")).is_empty());
        assert_eq!(head_faults(&source("// no\n//! late\n")).len(), 1);
        assert_eq!(head_faults(&source("//!\n")).len(), 1);
        assert_eq!(head_faults(&source("")).len(), 1);
    }
}
