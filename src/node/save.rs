//! Messages as files, in the clear.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::history::{BodyReader, History, Kind, Message, StoreError};

/// Bytes of a body that are copied at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a message did not become a file.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The message could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SaveError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Write { .. } => None,
        }
    }
}

/// Writes a message into the folder. Names are ours but for a harmless rest of the sender's; nothing that stands there is
/// overwritten.
///
/// # Errors
/// [`SaveError`]; then there is no file.
pub fn message(history: &History, folder: &Path, message: &Message) -> Result<PathBuf, SaveError> {
    let name = match message.kind {
        Kind::Text => format!("{}.txt", message.id),
        _ => format!("{}-{}", message.id, harmless(message)),
    };
    let path = folder.join(name);
    let fault = |source| SaveError::Write { path: path.clone(), source };
    // one that cannot be opened leaves no file
    let body = history.body(message)?;
    let mut file = create(&path).map_err(fault)?;
    let written = match (&message.text, message.kind) {
        // as it reads now, where it was edited
        (Some(text), Kind::Text) => file.write_all(text.as_bytes()).map_err(fault),
        _ => copy(&body, &mut file, fault),
    };
    if written.is_err() {
        // half of a file looks like the file
        let _ = std::fs::remove_file(&path);
    }
    written?;
    if let Some(hidden) = &message.hidden {
        create(&folder.join(format!("{}.hidden.txt", message.id)))
            .and_then(|mut file| file.write_all(hidden.as_bytes()))
            .map_err(fault)?;
    }
    Ok(path)
}

fn copy(body: &BodyReader, file: &mut File, fault: impl Fn(std::io::Error) -> SaveError) -> Result<(), SaveError> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut position = 0;
    while position < body.len() {
        let read = body.read_at(position, &mut piece)?;
        file.write_all(&piece[..read]).map_err(&fault)?;
        position += read as u64;
    }
    Ok(())
}

/// A new file for its owner alone; a file or link that stands there is left as it is.
///
/// # Errors
/// What the system says.
pub fn create(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Letters, digits, dots, dashes and underscores of the sender's name, without a leading dot; the id before it makes
/// it unique.
fn harmless(message: &Message) -> String {
    let fallback = match message.kind {
        Kind::Picture => "picture.png",
        Kind::Clip => "clip.wav",
        _ => "file",
    };
    let name = message.name.as_deref().unwrap_or(fallback);
    let kept: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(100)
        .collect();
    let kept = kept.trim_start_matches('.');
    if kept.is_empty() { fallback.to_owned() } else { kept.to_owned() }
}
