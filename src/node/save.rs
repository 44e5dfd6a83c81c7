//! Messages as files, in the clear.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::history::{BodyReader, History, Kind, Message, StoreError};

/// Bytes of a body that are copied at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Pictures of one camera that are kept within one second.
const SNAPSHOTS_MAX: u32 = 1_000;

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

/// Writes a picture of a camera into the folder, named after whose it is and when that was; nothing that stands there is
/// overwritten. On the disk when this returns.
///
/// # Errors
/// [`SaveError::Write`]; then there is no file.
pub fn snapshot(folder: &Path, whose: &str, stamp: &str, jpeg: &[u8]) -> Result<PathBuf, SaveError> {
    let stem = format!("{}-{stamp}", harmless_name(whose, "camera"));
    let mut tried = 1;
    let (path, mut file) = loop {
        // several within one second
        let name = if tried == 1 { format!("{stem}.jpg") } else { format!("{stem}-{tried}.jpg") };
        let path = folder.join(name);
        match create(&path) {
            Ok(file) => break (path, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && tried < SNAPSHOTS_MAX => tried += 1,
            Err(source) => return Err(SaveError::Write { path, source }),
        }
    };
    let written = file.write_all(jpeg).and_then(|()| file.sync_all());
    if let Err(source) = written {
        let _ = std::fs::remove_file(&path);
        return Err(SaveError::Write { path, source });
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
    harmless_name(message.name.as_deref().unwrap_or(fallback), fallback)
}

fn harmless_name(name: &str, fallback: &str) -> String {
    let kept: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(100)
        .collect();
    let kept = kept.trim_start_matches('.');
    if kept.is_empty() { fallback.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_its_owners_alone_and_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let save = |jpeg: &[u8]| snapshot(folder.path(), "../花园 cam", "20231115-080000", jpeg).unwrap();
        let (first, second) = (save(b"first"), save(b"second"));
        assert_eq!(first, folder.path().join("_花园_cam-20231115-080000.jpg"));
        assert_eq!(second, folder.path().join("_花园_cam-20231115-080000-2.jpg"));
        assert_eq!(std::fs::read(&first).unwrap(), b"first");
        assert_eq!(std::fs::read(&second).unwrap(), b"second");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(first.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let nowhere = snapshot(&folder.path().join("gone"), "a", "b", b"c").unwrap_err();
        assert!(matches!(nowhere, SaveError::Write { .. }));
    }
}
