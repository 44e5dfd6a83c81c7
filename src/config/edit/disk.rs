//! The table's file: read, changed, and put in place in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Change;
use crate::config::{Config, ConfigError, ConfigErrors, FILE_BYTES_MAX};
use crate::crypto::sm2::PublicKey;

/// How often a change is made again because somebody else wrote the file meanwhile.
const TRIES_MAX: usize = 4;

/// Why the table was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The operating system refused.
    #[error("cannot {action} the peer table {}: {source}", path.display())]
    Io {
        /// The file, or its folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file had faults before.
    #[error("the peer table is not changed, as it has a fault: {0}")]
    Faulty(ConfigErrors),
    /// Our two readers of TOML do not agree.
    #[error("the peer table is not changed, as it cannot be read for that: {0}")]
    Unreadable(String),
    /// No peer of that name.
    #[error("no peer {0:?} in the table")]
    NoPeer(String),
    /// The change would leave a table with these faults. The lines of a text that nobody has seen are not told.
    #[error("{}", .0.iter().map(ConfigError::what).collect::<Vec<_>>().join("; "))]
    Refused(Vec<ConfigError>),
    /// There is a table already.
    #[error("{} exists already; a table is never overwritten", .0.display())]
    Exists(PathBuf),
    /// Another program writes the file again and again.
    #[error("the peer table changes while it is being changed")]
    Busy,
}

impl EditError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => Some("make the file and its folder writable for this user".to_owned()),
            Self::Faulty(faults) => faults.hint(),
            Self::Unreadable(_) => Some("change it with a text editor".to_owned()),
            Self::NoPeer(_) => Some("it may have been renamed or removed in the file meanwhile".to_owned()),
            Self::Refused(faults) => Some(faults.iter().map(ConfigError::mend).collect::<Vec<_>>().join("; ")),
            Self::Exists(_) => Some("start miyu with it: --config FILE".to_owned()),
            Self::Busy => Some("close the editor that has it open, and try again".to_owned()),
        }
    }
}

/// Makes the changes in the table at `path` and gives the table that it is now.
///
/// The text is written and synced under another name in the same folder and takes the place of the old one in one step; the
/// file's mode stays, a link stays and what it points to is replaced. Where somebody else wrote the file meanwhile, the
/// changes are made to what stands there then.
///
/// # Errors
/// [`EditError`]; then the file is as it was.
pub fn write(path: &Path, changes: &[Change]) -> Result<Config, EditError> {
    write_checked(path, changes, None)
}

/// As [`write`], for the owner of the key `own`: no peer may carry it.
///
/// # Errors
/// As [`write`].
pub fn write_as(path: &Path, changes: &[Change], own: &PublicKey) -> Result<Config, EditError> {
    write_checked(path, changes, Some(own))
}

fn write_checked(path: &Path, changes: &[Change], own: Option<&PublicKey>) -> Result<Config, EditError> {
    let real = fs::canonicalize(path).map_err(|source| fault(path, "find", source))?;
    for _ in 0..TRIES_MAX {
        let before = read(&real)?;
        let (text, _) = super::change(&before, path, changes)?;
        let config = Config::parse(&text, path).map_err(EditError::Faulty)?;
        if let Some(own) = own {
            config.check_own_key(own).map_err(|fault| EditError::Refused(vec![fault]))?;
        }
        let draft = Draft::write(&real, &text).map_err(|source| fault(path, "write", source))?;
        if read(&real)? == before {
            fs::rename(&draft.path, &real).map_err(|source| fault(path, "write", source))?;
            sync_folder(&real).map_err(|source| fault(path, "write", source))?;
            return Ok(config);
        }
    }
    Err(EditError::Busy)
}

/// Writes a first table to `path`, where there must be none; missing folders are made for their owner alone.
///
/// # Errors
/// [`EditError::Exists`], [`EditError::Io`].
pub fn create(path: &Path, text: &str) -> Result<(), EditError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|source| fault(folder, "make the folder of", source))?;
    }
    let broken = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => EditError::Exists(path.to_owned()),
        _ => fault(path, "write", source),
    };
    let mut file = new_file(path).map_err(broken)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // half a table would be in the way of the next try
        let _ = fs::remove_file(path);
    }
    written.map_err(broken)?;
    sync_folder(path).map_err(broken)
}

fn read(path: &Path) -> Result<String, EditError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| fault(path, "read", source))?;
    String::from_utf8(bytes).map_err(|_| {
        EditError::Faulty(ConfigError::new(path, None, "it is not UTF-8 text", "save the file as UTF-8").into())
    })
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // whom we know is nobody else's business
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The new text under a name of its own, which goes when this is dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(beside: &Path, text: &str) -> io::Result<Self> {
        let mode = fs::metadata(beside)?.permissions();
        let name = beside.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let path = beside.with_file_name(hidden);
        // one of a process that died with our number
        let _ = fs::remove_file(&path);
        let mut file = new_file(&path)?;
        let draft = Self { path };
        file.write_all(text.as_bytes())?;
        fs::set_permissions(&draft.path, mode)?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // gone already where it took its place
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn fault(path: &Path, action: &'static str, source: io::Error) -> EditError {
    EditError::Io { path: path.to_owned(), action, source }
}
