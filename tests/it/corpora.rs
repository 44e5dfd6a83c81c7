//! The kept corpora of the fuzz targets, through the very functions that the fuzzer calls. (`control`, `delivery` and
//! `sending` need a clock that a test can turn, which the program is not built with: `./x fuzz` replays theirs.)

#[path = "../../fuzz/src/lib.rs"]
mod bodies;

use std::path::{Path, PathBuf};

/// Bytes of the corpus of one target.
const CORPUS_BYTES_MAX: u64 = 200 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Names the input when a target panics over it.
struct Input(PathBuf);

impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the input was {}", self.0.display());
        }
    }
}

fn replay(target: &str, run: fn(&[u8])) {
    for file in files(&folder("corpus").join(target)) {
        let bytes = std::fs::read(&file).unwrap();
        let _named = Input(file);
        run(&bytes);
    }
}

#[test]
fn clips() {
    replay("clip", bodies::clip::run);
}

#[test]
fn hidden_texts() {
    replay("hidden", bodies::hidden::run);
}

#[test]
fn jpegs() {
    replay("jpeg", bodies::jpeg::run);
}

#[test]
fn key_files() {
    replay("key_file", bodies::key_file::run);
}

#[test]
fn mjpeg_streams() {
    replay("mjpeg", bodies::mjpeg::run);
}

#[test]
fn pictures() {
    replay("picture", bodies::picture::run);
}

#[test]
fn hidden_bytes() {
    replay("stego", bodies::stego::run);
}

#[test]
fn sealed_files() {
    replay("sealed", bodies::sealed::run);
}

#[test]
fn tables() {
    replay("table", bodies::table::run);
}

#[test]
fn frames() {
    replay("wire", bodies::wire::run);
}

#[test]
fn every_target_has_a_small_corpus() {
    for target in files(&folder("fuzz_targets")) {
        let corpus = folder("corpus").join(target.file_stem().unwrap());
        let bytes: u64 = files(&corpus).iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(bytes <= CORPUS_BYTES_MAX, "{} has {bytes} bytes, at most {CORPUS_BYTES_MAX}", corpus.display());
    }
}
