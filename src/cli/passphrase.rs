//! Passphrases: from a file, or typed on the terminal.

use std::io::IsTerminal;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Failure, Outcome, node};

/// Whether there is somebody to ask. The terminal is asked itself, so that stdin may be a file.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

/// The first line of `file`.
pub(super) fn from_file(file: &Path) -> Outcome<Zeroizing<Vec<u8>>> {
    node::read_passphrase(file).map_err(|error| {
        Failure::new(format!("cannot read the passphrase: {error}")).hint("its first line is the passphrase")
    })
}

/// A passphrase that exists: from `file`, else typed once.
pub(super) fn known(file: Option<&Path>, of: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    match file {
        Some(file) => from_file(file),
        None => ask(&format!("passphrase of {of}: ")),
    }
}

/// A new passphrase, typed twice.
pub(super) fn new(without: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let first = ask("new passphrase: ")?;
    if first.is_empty() {
        return Err(Failure::new("the passphrase is empty").hint(without));
    }
    if *ask("the same again: ")? != *first {
        return Err(Failure::new("the two passphrases differ").hint("run the command again"));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let typed = rpassword::prompt_password(prompt).map_err(|error| {
        Failure::new(format!("cannot ask for a passphrase: {error}"))
            .hint("without a terminal, give it with --passphrase-file FILE")
    })?;
    Ok(Zeroizing::new(typed.into_bytes()))
}
