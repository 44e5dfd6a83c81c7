//! Messages as files, in the clear.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::history::{BodyReader, History, Kind, Message, StoreError};

/// Bytes of a body that are copied at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Files of one name, told apart by a number.
const NUMBERS_MAX: u32 = 1_000;
/// Bytes of a file's name, on the usual file systems.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of an extension with its dot; what is longer is a part of the name.
const EXTENSION_BYTES_MAX: usize = 24;

/// For whom a message becomes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A program, which knows the name by the message: one that is taken is a fault. A hidden text is a file beside it.
    Program,
    /// A person: a name that is taken gets a number, and what is hidden in a picture stays hidden.
    Person,
}

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

/// Writes a message into the folder: the whole file or none. Names are ours but for a harmless rest of the sender's; nothing
/// that stands there is overwritten. On the disk when this returns.
///
/// # Errors
/// [`SaveError`]; then there is no file.
pub fn message(history: &History, folder: &Path, message: &Message, reader: Reader) -> Result<PathBuf, SaveError> {
    let id = message.id.to_string();
    let name = match message.kind {
        Kind::Text => Name { start: id.clone(), stem: String::new(), end: ".txt".to_owned() },
        _ => Name::of(format!("{id}-"), &harmless(message)),
    };
    let path = folder.join(name.numbered(1));
    let fault = |source| SaveError::Write { path: path.clone(), source };
    // one that cannot be opened leaves no file
    let body = history.body(message)?;
    let mut draft = draft(folder).map_err(fault)?;
    match (&message.text, message.kind) {
        // as it reads now, where it was edited
        (Some(text), Kind::Text) => draft.write_all(text.as_bytes()).map_err(fault)?,
        _ => copy(&body, &mut draft, fault)?,
    }
    let Reader::Program = reader else { return put(draft, folder, &name, NUMBERS_MAX) };
    let Some(text) = &message.hidden else { return put(draft, folder, &name, 1) };
    let mut hidden = self::draft(folder).map_err(fault)?;
    hidden.write_all(text.as_bytes()).map_err(fault)?;
    let path = put(draft, folder, &name, 1)?;
    let name = Name { start: id, stem: String::new(), end: ".hidden.txt".to_owned() };
    if let Err(error) = put(hidden, folder, &name, 1) {
        // made a moment ago, by us
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(path)
}

/// Writes a picture of a camera into the folder, named after whose it is and when that was; nothing that stands there is
/// overwritten. On the disk when this returns.
///
/// # Errors
/// [`SaveError::Write`]; then there is no file.
pub fn snapshot(folder: &Path, whose: &str, stamp: &str, jpeg: &[u8]) -> Result<PathBuf, SaveError> {
    // several within one second get numbers
    let name = Name { start: String::new(), stem: harmless_name(whose, "camera"), end: format!("-{stamp}.jpg") };
    let fault = |source| SaveError::Write { path: folder.join(name.numbered(1)), source };
    let mut draft = draft(folder).map_err(fault)?;
    draft.write_all(jpeg).map_err(fault)?;
    put(draft, folder, &name, NUMBERS_MAX)
}

/// A file's name, of which the stem is cut where all of it is too long.
struct Name {
    start: String,
    stem: String,
    end: String,
}

impl Name {
    /// One that keeps the extension of `rest`.
    fn of(start: String, rest: &str) -> Self {
        let dot = rest.rfind('.').filter(|dot| *dot > 0 && rest.len() - dot <= EXTENSION_BYTES_MAX);
        let (stem, end) = rest.split_at(dot.unwrap_or(rest.len()));
        Self { start, stem: stem.to_owned(), end: end.to_owned() }
    }

    /// The name, from the second one on with its number before the extension.
    fn numbered(&self, number: u32) -> String {
        let Self { start, stem, end } = self;
        let (before, extension) = end.split_at(end.rfind('.').unwrap_or(end.len()));
        let number = if number > 1 { format!("-{number}") } else { String::new() };
        let room = NAME_BYTES_MAX.saturating_sub(start.len() + end.len() + number.len());
        let mut cut = room.min(stem.len());
        while !stem.is_char_boundary(cut) {
            cut -= 1;
        }
        format!("{start}{}{before}{number}{extension}", &stem[..cut])
    }
}

/// A file for its owner alone that goes with its value; [`put`] makes one of it that stays.
fn draft(folder: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)
}

/// Gives a draft that is on the disk its name in one step: the first of `numbers_max` that is free.
fn put(mut draft: NamedTempFile, folder: &Path, name: &Name, numbers_max: u32) -> Result<PathBuf, SaveError> {
    let path = folder.join(name.numbered(1));
    draft.as_file().sync_all().map_err(|source| SaveError::Write { path, source })?;
    let mut number = 1;
    loop {
        let path = folder.join(name.numbered(number));
        match draft.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(taken) if taken.error.kind() == std::io::ErrorKind::AlreadyExists && number < numbers_max => {
                draft = taken.file;
                number += 1;
            }
            Err(refused) => return Err(SaveError::Write { path, source: refused.error }),
        }
    }
}

fn copy(
    body: &BodyReader,
    file: &mut impl Write,
    fault: impl Fn(std::io::Error) -> SaveError,
) -> Result<(), SaveError> {
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
    let kept: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
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
    fn bytes_of(start: &str, rest: &str, number: u32) -> String {
        Name::of(start.to_owned(), rest).numbered(number)
    }

    #[test]
    fn long_names_are_cut_between_characters_and_keep_their_extension() {
        let start = format!("{}-", "0".repeat(36));
        let long = format!("{}.pdf", "长".repeat(85));
        assert_eq!(bytes_of(&start, &long, 1), format!("{start}{}.pdf", "长".repeat(71)));
        for (number, ending) in [(1, ".pdf"), (2, "-2.pdf"), (NUMBERS_MAX, "-1000.pdf")] {
            let name = bytes_of(&start, &long, number);
            assert!(name.len() <= NAME_BYTES_MAX && name.ends_with(ending), "{name}");
            std::fs::write(tempfile::tempdir().unwrap().path().join(name), b"").unwrap();
        }
        assert_eq!(bytes_of(&start, &"a".repeat(300), 1).len(), NAME_BYTES_MAX);
        assert_eq!(bytes_of("", "no dot", 2), "no dot-2");
        assert_eq!(bytes_of("", "a.tar.gz", 3), "a.tar-3.gz");
        let whose = snapshot(tempfile::tempdir().unwrap().path(), &"园".repeat(99), "20231115-080000", b"x").unwrap();
        assert!(whose.to_string_lossy().ends_with("园-20231115-080000.jpg"), "{whose:?}");
    }

    #[test]
    fn a_file_is_whole_or_not_there_and_takes_no_other_ones_place() {
        let folder = tempfile::tempdir().unwrap();
        let begin = || {
            let mut file = draft(folder.path()).unwrap();
            file.write_all(b"new").unwrap();
            file
        };
        let name = Name::of("id-".to_owned(), "a.txt");
        let listed = || {
            let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
            names.sort();
            names
        };
        drop(begin());
        assert!(listed().is_empty(), "what was not finished goes");
        std::fs::write(folder.path().join("id-a.txt"), b"old").unwrap();
        let refused = put(begin(), folder.path(), &name, 1).unwrap_err();
        assert!(matches!(refused, SaveError::Write { .. }));
        assert_eq!(put(begin(), folder.path(), &name, NUMBERS_MAX).unwrap(), folder.path().join("id-a-2.txt"));
        assert_eq!(std::fs::read(folder.path().join("id-a.txt")).unwrap(), b"old");
        assert_eq!(std::fs::read(folder.path().join("id-a-2.txt")).unwrap(), b"new");
        assert_eq!(listed(), ["id-a-2.txt", "id-a.txt"]);
    }
}
