//! `miyu id`: what a key is known by.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::keygen::facts;
use super::print::Printer;
use super::{Failure, Global, Outcome, node};
use crate::crypto::sm2::PublicKey;
use crate::identity::{parse_key_line, safety_number};

/// Flags of `miyu id`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// A key file, an `sm2:…` line or a peer's name [default: the key of the table]
    #[arg(value_name = "KEY")]
    first: Option<PathBuf>,
    /// A second one: prints the safety number of the two, which both sides can compare
    #[arg(value_name = "KEY")]
    second: Option<PathBuf>,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let first = match &options.first {
        Some(what) => key(what, global)?,
        None => {
            let config = node::config(global)?;
            (*node::unlock(&config.me.key, global)?.public()).clone()
        }
    };
    let second = options.second.as_deref().map(|what| key(what, global)).transpose()?;
    let number = second.as_ref().map(|second| safety_number(&first, second));
    for (public, what) in [(Some(&first), &options.first), (second.as_ref(), &options.second)] {
        let Some(public) = public else { continue };
        let (line, print) = facts(public);
        let path = what.as_deref().map(|path| path.display().to_string());
        let value = json!({
            "event": "key", "public": line, "fingerprint": print, "path": path, "safety_number": number,
        });
        printer.result(&value, || format!("public key     {line}\nfingerprint    {print}"));
    }
    if let Some(number) = &number {
        printer.line(&format!("safety number  {number}"));
    }
    Ok(())
}

/// A key file, a key line, or a name of the table.
fn key(what: &Path, global: &Global) -> Outcome<PublicKey> {
    if what.is_file() {
        return super::who::of_file(what, global);
    }
    let text = what.to_string_lossy();
    if text.starts_with("sm2:") {
        return Ok(parse_key_line(&text)?);
    }
    if let Ok(config) = node::config(global)
        && let Some(peer) = config.peer(&text)
    {
        return Ok(peer.key.clone());
    }
    Err(Failure::new(format!("{text} is no key file, no sm2:… line and no peer of the table"))
        .hint("make a key with `miyu keygen --out FILE`"))
}
