//! Folders and files that only their owner can read, and making their names last.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::StoreError;
use super::vault::BodyId;
use crate::identity::PeerId;

const ATTACHMENTS: &str = "attachments";
const INCOMING: &str = "incoming";
const LIVE: &str = "live";

/// The folders of one store. All names in them are ours; nothing that a peer says becomes a name.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) root: PathBuf,
    /// Folders whose own names this process has made last.
    lasting: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Makes what is missing, with mode 0700.
    pub(super) fn create(folder: &Path) -> Result<Folders, StoreError> {
        let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let folders = Folders { root, lasting: Mutex::default() };
        create_private_folder(&folders.root).map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => folders.fault("make", &folders.root, source),
            _ => StoreError::FolderUnusable { path: folders.root.clone(), source },
        })?;
        if let Some(parent) = folders.root.parent() {
            // Whoever made the folder may have been killed before its name was on the disk. Where the parent is not ours
            // to read, somebody else has made it.
            let _ = sync_folder(parent);
        }
        for part in [folders.attachments(), folders.incoming()] {
            folders.ensure(&part)?;
        }
        Ok(folders)
    }

    pub(super) fn attachments(&self) -> PathBuf {
        self.root.join(ATTACHMENTS)
    }

    pub(super) fn incoming(&self) -> PathBuf {
        self.root.join(INCOMING)
    }

    /// One file for each process that works on this store.
    pub(super) fn live(&self) -> PathBuf {
        self.root.join(LIVE)
    }

    /// Two peers may use the same id, by malice: each has a folder of its own.
    pub(super) fn attachment(&self, body: &BodyId) -> PathBuf {
        let BodyId { peer, direction, id } = body;
        self.attachments().join(hex(peer.as_bytes())).join(format!("{id}.{direction}"))
    }

    /// The folder of partial bodies from and staged bodies for `peer`.
    pub(super) fn incoming_of(&self, peer: &PeerId) -> PathBuf {
        self.incoming().join(hex(peer.as_bytes()))
    }

    /// Makes one folder with mode 0700 if it is not there; its parent is.
    pub(super) fn ensure(&self, folder: &Path) -> Result<(), StoreError> {
        if folder.is_dir() {
            return Ok(());
        }
        create_private_folder(folder).map_err(|error| self.fault("make", folder, error))
    }

    pub(super) fn fault(&self, action: &'static str, path: &Path, error: io::Error) -> StoreError {
        StoreError::from_io(&self.root, action, path, error)
    }

    /// Gives a synced file its last name, so that it has it after a power cut too.
    pub(super) fn place(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        if let Some(parent) = to.parent() {
            self.ensure(parent)?;
        }
        fs::rename(from, to).map_err(|error| self.fault("rename", from, error))?;
        let Some(parent) = to.parent() else {
            return Ok(());
        };
        sync_folder(parent).map_err(|error| self.fault("sync", parent, error))?;
        self.make_last(parent)
    }

    /// Makes the name of a folder last, once in the life of a process: whoever made it may have been killed before that.
    fn make_last(&self, folder: &Path) -> Result<(), StoreError> {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        if let (false, Some(above)) = (lasting.contains(folder), folder.parent()) {
            sync_folder(above).map_err(|error| self.fault("sync", above, error))?;
            lasting.insert(folder.to_path_buf());
        }
        Ok(())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // writing to a String cannot fail
        let _ = write!(out, "{byte:02x}");
        out
    })
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(out)
}

/// Makes the folder (and its parents) unless it is there. A folder that we make, or find empty, becomes
/// 0700; one that holds other things (a home folder, say) keeps its mode: what we put in it is private by itself.
fn create_private_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let made = match private_folder_builder().create(folder) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => false,
        Err(error) => return Err(error),
    };
    if let (true, Some(parent)) = (made, folder.parent()) {
        sync_folder(parent)?;
    }
    if made || (fs::read_dir(folder)?.next().is_none() && !is_shared(folder)?) {
        set_mode(folder, 0o700)?;
    }
    Ok(())
}

/// Private from the first moment; the mode is set once more because the umask may take from it.
fn private_folder_builder() -> fs::DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
}

/// Opens a file that only its owner can read, making it if need be, whatever the umask.
pub(super) fn open_private(path: &Path, truncate: bool) -> io::Result<File> {
    let file = private_file_options().create(true).open(path)?;
    make_private(path)?;
    if truncate {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Makes a file that only its owner can read; fails when there is one of that name.
pub(super) fn create_new_private(path: &Path) -> io::Result<File> {
    let file = private_file_options().create_new(true).open(path)?;
    make_private(path)?;
    Ok(file)
}

/// Sets the mode of a file of ours right, without opening it.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    set_mode(path, 0o600)
}

fn private_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    // a user's data folder inherits an access list that shuts other users out
    Ok(())
}

/// Whether the folder is one that everybody uses, such as /tmp.
#[cfg(unix)]
fn is_shared(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(folder)?.permissions().mode() & 0o1000 != 0)
}

#[cfg(not(unix))]
fn is_shared(_folder: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Makes the names in `folder` last through a power cut.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_folder: &Path) -> io::Result<()> {
    // the file system's own journal has to do
    Ok(())
}

/// Removes a file; one that is gone already is no fault.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
