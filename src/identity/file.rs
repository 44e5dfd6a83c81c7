//! Key files on disk: read only if their owner alone can, written once and whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rand_core::Rng;
use zeroize::Zeroizing;

use super::pem::{self, KEY_FILE_BYTES_MAX};
use super::{Identity, system_rng};
use crate::crypto::sm2::PublicKey;

pub use super::error::KeyFileError;

/// Asks whoever can know for the passphrase of the key file at a path; `None` if there is no way to ask.
pub type AskPassphrase<'a> = dyn FnMut(&Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> + 'a;

/// Reads the identity in the key file at `path`.
///
/// `passphrase` is asked, with the path, only if the key is encrypted; `None` from it means that there is no
/// way to ask. It is asked once: who wants more tries on [`KeyFileError::WrongPassphrase`] calls again.
///
/// # Errors
/// [`KeyFileError`]. On Unix a file whose mode has any bit for group or others is refused unread.
pub fn load(path: &Path, passphrase: &mut AskPassphrase<'_>) -> Result<Identity, KeyFileError> {
    let text = read(path)?;
    let phrase = if pem::is_encrypted(&text) {
        passphrase(path).map_err(|source| fault(path, "ask for the passphrase of", source))?
    } else {
        None
    };
    let phrase = phrase.as_ref().map(|phrase| phrase.as_slice());
    pem::parse(&text, phrase).map(Identity::new)
}

/// The contents of the key file at `path`, after the same checks as [`load`]; to change its format.
///
/// # Errors
/// [`KeyFileError::Io`], [`KeyFileError::NotAFile`], [`KeyFileError::OpenToOthers`], [`KeyFileError::TooLong`].
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let broken = |source| fault(path, "read", source);
    let (file, metadata) = open(path)?;
    check_mode(path, &metadata)?;
    let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(broken)?;
    if text.len() > KEY_FILE_BYTES_MAX { Err(KeyFileError::TooLong) } else { Ok(text) }
}

/// The public key in the file at `path`, which everybody may read; `None` if something else is in it.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_public(path: &Path) -> Result<Option<PublicKey>, KeyFileError> {
    let (file, _) = open(path)?;
    let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
    let read = file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text);
    read.map_err(|source| fault(path, "read", source))?;
    pem::is_public(&text).then(|| pem::parse_public(&text)).transpose()
}

fn open(path: &Path) -> Result<(File, fs::Metadata), KeyFileError> {
    let broken = |source| fault(path, "read", source);
    // looked at before it is opened, because opening a pipe would wait for its other end
    check_kind(path, &fs::metadata(path).map_err(broken)?)?;
    let file = File::open(path).map_err(broken)?;
    // and again on what was opened: the name may mean another file by now
    let metadata = file.metadata().map_err(broken)?;
    check_kind(path, &metadata)?;
    Ok((file, metadata))
}

fn check_kind(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    if metadata.is_file() { Ok(()) } else { Err(KeyFileError::NotAFile { path: path.to_owned() }) }
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::OpenToOthers { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

/// Writes `pem` to a new file at `path`, readable by its owner alone; missing folders are made for the owner
/// alone too.
///
/// The text is written and synced under another name in the same folder and only then linked to `path`, which
/// fails if anything is there: whatever happens in between, `path` holds a whole key or nothing.
///
/// # Errors
/// [`KeyFileError::AlreadyExists`], or [`KeyFileError::Io`].
pub fn save_new(path: &Path, pem: &str) -> Result<(), KeyFileError> {
    let folder = folder_of(path);
    create_folder(folder).map_err(|source| fault(folder, "make a folder for the", source))?;
    if fs::symlink_metadata(path).is_ok() {
        return Err(KeyFileError::AlreadyExists { path: path.to_owned() });
    }
    let draft = Draft::write(path, folder, pem).map_err(|source| fault(path, "write", source))?;
    match publish(&draft.path, path) {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::AlreadyExists { path: path.to_owned() });
        }
        Err(source) => return Err(fault(path, "write", source)),
    }
    drop(draft);
    sync_folder(folder).map_err(|source| fault(folder, "sync the folder of the", source))
}

/// Puts `pem` in the place of the key file at `path`, readable by its owner alone.
///
/// The text is written and synced under another name in the same folder and then takes the name in one step: whatever
/// happens in between, `path` holds the old key whole or the new one. A link stays, and what it points to is replaced.
///
/// # Errors
/// [`KeyFileError::Io`]; [`KeyFileError::NotAFile`].
pub fn replace(path: &Path, pem: &str) -> Result<(), KeyFileError> {
    let broken = |source| fault(path, "replace", source);
    let path = &fs::canonicalize(path).map_err(broken)?;
    check_kind(path, &fs::metadata(path).map_err(broken)?)?;
    let folder = folder_of(path);
    let draft = Draft::write(path, folder, pem).map_err(broken)?;
    fs::rename(&draft.path, path).map_err(broken)?;
    drop(draft);
    sync_folder(folder).map_err(|source| fault(folder, "sync the folder of the", source))
}

/// The folder that `path` lies in; for a bare name the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The key under a temporary name, which goes when this is dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(path: &Path, folder: &Path, pem: &str) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{:016x}", system_rng().next_u64()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = folder.join(hidden);
        let mut file = options.open(&path)?;
        let draft = Self { path };
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // it may be gone already, renamed; a draft that stays is readable by its owner alone
        let _ = fs::remove_file(&self.path);
    }
}

/// Gives the finished draft its name, which must be free.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => claim_and_rename(draft, path),
        other => other,
    }
}

/// For file systems without hard links (FAT): takes the name by an empty file, then replaces that in one step.
fn claim_and_rename(draft: &Path, path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::rename(draft, path).inspect_err(|_| {
        // ours and empty
        let _ = fs::remove_file(path);
    })
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn fault(path: &Path, action: &'static str, source: io::Error) -> KeyFileError {
    KeyFileError::Io { path: path.to_owned(), action, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// The way without hard links is not taken on the file systems that tests run on.
    #[test]
    fn claiming_a_name_works_once() {
        let folder = tempfile::TempDir::new().unwrap();
        let [draft, path] = ["draft", "path"].map(|name| folder.path().join(name));
        fs::write(&draft, "first").unwrap();
        claim_and_rename(&draft, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert!(!draft.exists());
        fs::write(&draft, "second").unwrap();
        let error = claim_and_rename(&draft, &path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        // a draft that cannot be moved gives the name back
        fs::remove_file(&draft).unwrap();
        fs::remove_file(&path).unwrap();
        claim_and_rename(&draft, &path).unwrap_err();
        assert!(!path.exists());
    }
}
