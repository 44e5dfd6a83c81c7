//! The house rules that a compiler does not know: who may use whom, where `unsafe` may stand, what may panic, how
//! long a file may be, and that the documents' links lead somewhere. Each rule reads the sources as text, collects
//! every fault with its place, and fails with the whole list.
//!
//! The rules are functions from text to faults; each has tests of its own that show it failing on a small example.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arrows;
mod documents;
mod scan;
mod shape;
mod words;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use scan::Source;

/// A fault that a rule found: where, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Path below the repository's top, with `/` between its parts.
    pub(crate) path: String,
    /// Line number, counted from 1.
    pub(crate) line: usize,
    /// What is wrong, and where it is not plain, the mend.
    pub(crate) message: String,
}

impl Fault {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

/// The repository's top.
fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Fails with every fault on a line of its own.
#[track_caller]
fn report(rule: &str, mut faults: Vec<Fault>) {
    faults.sort();
    let mut list = String::new();
    for fault in &faults {
        let _ = writeln!(list, "  {}:{}: {}", fault.path, fault.line, fault.message);
    }
    assert!(faults.is_empty(), "{rule}: {} found\n{list}", faults.len());
}

/// Every file below `folder` (none if there is no such folder), as paths below the top, in order of name.
fn files_below(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, name: &str, found: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        let mut entries: Vec<_> = entries.map(|entry| entry.expect("a readable folder")).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                // What a build leaves behind is not ours.
                if entry.file_name() != "target" {
                    walk(&entry.path(), &below, found);
                }
            } else {
                found.push(below);
            }
        }
    }
    let mut found = Vec::new();
    walk(&top().join(folder), folder, &mut found);
    found
}

/// Every Rust file below the given folders, read and scanned.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut read: Vec<Source> = folders
        .iter()
        .flat_map(|folder| files_below(folder))
        .filter(|path| path.ends_with(".rs"))
        .map(|path| Source::new(&path, &std::fs::read_to_string(top().join(&path)).expect("UTF-8 source")))
        .collect();
    scan::mark_test_files(&mut read);
    read
}

/// Every text file that we wrote, with its content. `peers.toml` is left out: it is there to be edited.
fn texts() -> Vec<(String, String)> {
    let mut paths: Vec<String> = ["src", "tests", "benches", "fuzz", "docs", "assets", "packaging", ".config", ".ci"]
        .iter()
        .flat_map(|folder| files_below(folder))
        .collect();
    paths.push("keys/README.md".to_owned());
    for entry in std::fs::read_dir(top()).expect("the top folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if name != "peers.toml" {
            paths.push(name);
        }
    }
    paths.sort();
    let ours = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(name, "x" | "run" | ".gitignore" | "LICENSE-MIT" | "LICENSE-APACHE")
            || path.starts_with("packaging/")
            || [".rs", ".md", ".toml", ".txt", ".cddl", ".sh", ".json"].iter().any(|end| name.ends_with(end))
    };
    paths
        .into_iter()
        .filter(ours)
        .filter_map(|path| std::fs::read_to_string(top().join(&path)).ok().map(|text| (path, text)))
        .collect()
}

#[test]
fn modules_use_only_whom_the_design_lets_them() {
    let sources = sources(&["src"]);
    assert!(!sources.is_empty(), "no sources found: is the path right?");
    report("arrows between modules", arrows::faults(&sources));
}

#[test]
fn unsafe_code_stands_in_crypto_simd_alone() {
    report("unsafe code", sources(&["src"]).iter().flat_map(shape::unsafe_faults).collect());
}

#[test]
fn nothing_outside_tests_panics_without_a_reason() {
    report("calls that can panic", sources(&["src"]).iter().flat_map(shape::panic_faults).collect());
}

#[test]
fn files_and_functions_are_short() {
    report("lengths", shape::length_faults(&sources(&["src", "tests", "benches", "fuzz"])));
}

#[test]
fn every_module_says_what_it_is_for() {
    report("module documentation", sources(&["src"]).iter().flat_map(shape::head_faults).collect());
}

#[test]
fn texts_are_clean() {
    let texts = texts();
    report("texts", texts.iter().flat_map(|(path, text)| words::faults(path, text)).collect());
}

#[test]
fn every_vector_names_its_source() {
    let folder = "tests/vectors";
    let index = std::fs::read_to_string(top().join(folder).join("README.md")).unwrap_or_default();
    let faults = files_below(folder)
        .iter()
        .filter_map(|path| documents::vector_fault(path, &std::fs::read(top().join(path)).expect("readable"), &index))
        .collect();
    report("sources of vectors", faults);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let faults = texts()
        .iter()
        .filter(|(path, _)| path.ends_with(".md"))
        .flat_map(|(path, text)| documents::link_faults(path, text, &|target| top().join(target).exists()))
        .collect();
    report("links", faults);
}

#[test]
fn every_promise_of_the_threat_model_names_its_tests() {
    let tests: Vec<String> = sources(&["src", "tests"]).iter().flat_map(shape::tests_of).collect();
    let path = "docs/threat-model.md";
    let text = std::fs::read_to_string(top().join(path)).expect("the threat model");
    let is_test = |name: &str| tests.iter().any(|test| test == name);
    report("promises and tests", documents::guard_faults(path, &text, "## Promise and test", &is_test));
}
