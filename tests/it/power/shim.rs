//! Compiling the shim, and putting it in front of a program.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use miyu::crypto::sm3;

const SOURCE: &str = include_str!("shim.c");

/// The compiled shim. `None` where there is no C compiler: the test is skipped, and says so.
pub(super) fn library() -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(compile).clone()
}

fn compile() -> Option<PathBuf> {
    let digest = sm3::digest(SOURCE.as_bytes());
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("power-{name}.so"));
    if library.exists() {
        return Some(library);
    }
    // Other processes may meet here; a name appears when the file is whole.
    let new = folder.join(format!("power-{name}.{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/power/shim.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&new).arg(source).arg("-ldl");
    match compiler.status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no C compiler (cc) here, and the layer below the files is written in C");
            return None;
        }
        status => assert!(status.unwrap().success(), "shim.c does not compile"),
    }
    std::fs::rename(&new, &library).unwrap();
    Some(library)
}

/// Puts the shim between the program and what it does below `folder`.
pub(super) fn put_below(command: &mut Command, library: &Path, folder: &Path) {
    command.env("LD_PRELOAD", library).env("MIYU_POWER_ROOT", folder.canonicalize().unwrap());
}

/// A log that processes write to through the shim.
pub(super) struct Log {
    path: PathBuf,
    lock: File,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        let lock = File::create(path.with_extension("log.lock")).unwrap();
        File::create(&path).unwrap();
        Self { path, lock }
    }

    pub(super) fn record(&self, command: &mut Command, sync_ms: (u64, u64)) {
        command.env("MIYU_POWER_LOG", &self.path).env("MIYU_POWER_SYNC_MS", format!("{}-{}", sync_ms.0, sync_ms.1));
    }

    /// How long it is now.
    pub(super) fn length(&self) -> u64 {
        self.path.metadata().unwrap().len()
    }

    /// Does `work` while no process is between an operation and its record: the moment for a kill.
    pub(super) fn while_still<T>(&self, work: impl FnOnce() -> T) -> T {
        self.lock.lock().unwrap();
        let done = work();
        self.lock.unlock().unwrap();
        done
    }

    pub(super) fn read(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }
}
