//! `miyu stego`: a hidden text in a picture, without the network.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde_json::json;
use zeroize::Zeroizing;

use super::print::{Printer, shown};
use super::{Failure, Global, Outcome, node};
use crate::node::hidden::{self, HIDDEN_BYTES_MAX};
use crate::node::limits::PICTURE_BYTES_MAX;

/// What to do with a picture.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// How many bytes of text a picture can hide
    Capacity {
        /// The picture: PNG, JPEG, WebP, BMP or GIF
        picture: PathBuf,
    },
    /// Hide a text under a passphrase; writes a PNG
    Hide {
        /// The carrier: PNG, JPEG, WebP, BMP or GIF
        picture: PathBuf,
        /// The text
        #[arg(long, value_name = "TEXT", required_unless_present = "text_file")]
        text: Option<String>,
        /// A file with the text
        #[arg(long, value_name = "FILE", conflicts_with = "text")]
        text_file: Option<PathBuf>,
        /// The PNG to write; an existing file is never overwritten
        #[arg(long, value_name = "FILE.png")]
        out: PathBuf,
    },
    /// Find the text that was hidden under a passphrase
    Reveal {
        /// The PNG
        picture: PathBuf,
        /// Write the text into this file instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn run(command: &Command, global: &Global, printer: &Printer) -> Outcome {
    match command {
        Command::Capacity { picture } => {
            let file = node::read_file(picture, PICTURE_BYTES_MAX)?;
            let (bytes, conversion) = hidden::capacity(&file, true)?;
            let (peer_bytes, _) = hidden::capacity(&file, false)?;
            let value = json!({
                "event": "capacity", "path": picture.display().to_string(), "bytes": bytes,
                "peer_bytes": peer_bytes, "note": conversion,
            });
            printer.result(&value, || {
                let note = conversion.map(|note| format!(" ({note})")).unwrap_or_default();
                format!("{}: {bytes} bytes under a passphrase, {peer_bytes} to a peer{note}", picture.display())
            });
            Ok(())
        }
        Command::Hide { picture, text, text_file: file, out } => {
            let text = match (text, file) {
                (Some(text), _) => text.clone(),
                (None, Some(file)) => text_file(file)?,
                (None, None) => {
                    return Err(Failure::new("no text to hide").hint("give --text or --text-file"));
                }
            };
            hide(picture, &text, out, global, printer)
        }
        Command::Reveal { picture, out } => reveal(picture, out.as_deref(), global, printer),
    }
}

fn hide(picture: &Path, text: &str, out: &Path, global: &Global, printer: &Printer) -> Outcome {
    if out.exists() {
        return Err(Failure::new(format!("{} exists", out.display())).hint("choose another --out"));
    }
    let file = node::read_file(picture, PICTURE_BYTES_MAX)?;
    let passphrase = passphrase(global, true)?;
    let made = hidden::hide_with_passphrase(&passphrase, &file, text)?;
    if let Some(conversion) = made.conversion {
        printer.note(&format!("note: {conversion}"));
    }
    std::fs::write(out, &made.png).map_err(|error| Failure::file("write", out, &error))?;
    let path = out.display().to_string();
    let value = json!({
        "event": "hidden", "path": path, "bytes": text.len(), "note": made.conversion,
    });
    printer.result(&value, || format!("wrote {path}; it hides {} bytes", text.len()));
    Ok(())
}

fn reveal(picture: &Path, out: Option<&Path>, global: &Global, printer: &Printer) -> Outcome {
    let file = node::read_file(picture, PICTURE_BYTES_MAX)?;
    let passphrase = passphrase(global, false)?;
    let text = hidden::reveal_with_passphrase(&passphrase, &file)?;
    if let Some(out) = out {
        std::fs::write(out, &text).map_err(|error| Failure::file("write", out, &error))?;
    }
    let path = out.map(|out| out.display().to_string());
    let value = json!({ "event": "revealed", "text": text, "bytes": text.len(), "path": path });
    printer.result(&value, || match &path {
        Some(path) => format!("wrote {path}"),
        None => shown(&text),
    });
    Ok(())
}

/// A text to hide, from a file.
pub(super) fn text_file(path: &Path) -> Outcome<String> {
    let bytes = node::read_file(path, HIDDEN_BYTES_MAX as u64)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("{} is no UTF-8 text", path.display())).hint("only text can be hidden"))
}

fn passphrase(global: &Global, twice: bool) -> Outcome<Zeroizing<Vec<u8>>> {
    if let Some(file) = &global.passphrase_file {
        return node::read_passphrase(file).map_err(|error| Failure::new(error.to_string()));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("a passphrase is needed, and there is no terminal to ask on")
            .hint("give it with --passphrase-file FILE"));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| Failure::new(format!("cannot ask for the passphrase: {error}")))
    };
    let first = ask("passphrase: ")?;
    if twice && *ask("the same again: ")? != *first {
        return Err(Failure::new("the two passphrases differ").hint("run the command again"));
    }
    if first.is_empty() {
        return Err(Failure::new("the passphrase is empty").hint("type at least a few words"));
    }
    Ok(Zeroizing::new(first.as_bytes().to_vec()))
}
