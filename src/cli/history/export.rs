//! `miyu history --export DIR`: a conversation, or all of them, as JSON lines and files.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::json;

use super::super::print::count;
use super::{Failure, Outcome, Reading, value};
use crate::node::history::Place;
use crate::node::save;

/// The messages, one a line.
const MESSAGES: &str = "messages.jsonl";
/// The attachments, each under its id.
const FILES: &str = "files";

/// Writes everything that is asked for into a new folder, the oldest message first.
pub(super) fn run(reading: &Reading<'_>, folder: &Path) -> Outcome {
    let from = match &reading.options.after {
        Some(id) => Place::After(reading.place(id)?),
        None => Place::Oldest,
    };
    let files = folder.join(FILES);
    make(folder).and_then(|()| make(&files))?;
    let lines = folder.join(MESSAGES);
    let fault = |error: std::io::Error| Failure::file("write", &lines, &error);
    let mut out = BufWriter::new(save::create(&lines).map_err(fault)?);
    let (mut messages, mut attachments, mut missing) = (0, 0, 0);
    reading.pages(from, usize::MAX, |page| {
        for message in &page {
            let mut value = value(&reading.name(&message.peer), message);
            if message.attached && !message.damaged {
                match save::message(&reading.history, &files, message, save::Reader::Program) {
                    Ok(path) => {
                        attachments += 1;
                        let name = path.file_name().map(|name| format!("{FILES}/{}", name.to_string_lossy()));
                        value["path"] = json!(name);
                    }
                    // one that cannot be opened keeps nobody from the others
                    Err(error) => {
                        missing += 1;
                        reading.printer.note(&format!("error: {error}"));
                    }
                }
            }
            writeln!(out, "{value}").map_err(fault)?;
            messages += 1;
        }
        Ok(())
    })?;
    out.flush().map_err(fault)?;
    let value = json!({
        "event": "exported", "messages": messages, "attachments": attachments, "missing": missing,
        "path": folder.display().to_string(),
    });
    reading.printer.result(&value, || {
        let (messages, attachments) = (count(messages, "message"), count(attachments, "attachment"));
        format!("{messages} and {attachments} in {}, in the clear", folder.display())
    });
    match missing {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{} could not be opened", count(missing, "attachment")))
            .hint("`miyu history --check` tells which; everything else was exported")),
    }
}

/// A new folder for its owner alone, so that nothing is mixed with what stands there.
fn make(folder: &Path) -> Outcome {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        Failure::file("make the folder", folder, &error).hint("name a folder that is not there yet, in one that is")
    })
}
