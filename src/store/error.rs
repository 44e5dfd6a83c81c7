//! What can go wrong in the store, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::{DISK_RESERVE_BYTES, QUOTA_BYTES_DEFAULT};

/// Why the store did not do as asked. Messages name sizes and files, never contents.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder, or a file in it, refuses us.
    #[error("cannot use the data folder at {}: {source}", path.display())]
    FolderUnusable {
        /// What refused.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another fault of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried, such as "read".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The disk has no room left, or would not keep its reserve.
    #[error("{}", disk_full(folder, *free, *wanted))]
    DiskFull {
        /// The data folder.
        folder: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes that were to be stored; 0 where the disk ran full in the middle.
        wanted: u64,
    },
    /// The quota of this data folder would be passed.
    #[error("the store is full: {used} of {quota} bytes are taken, {wanted} more do not fit")]
    QuotaFull {
        /// Bytes stored, held back for resumption and promised.
        used: u64,
        /// Bytes that were to be stored.
        wanted: u64,
        /// The limit.
        quota: u64,
    },
    /// The database is damaged.
    #[error("the database {} is damaged: {detail}", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The file is a database of something else.
    #[error("{} is no miyu database", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer miyu.
    #[error("the database {} has schema {found}, this miyu knows up to {known}", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another process held the database for longer than the time-out.
    #[error("the database {} stayed locked by another process for 10 s", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// Another long-lived process works on this folder.
    #[error("the data folder {} is in use by {}", folder.display(), process(*pid))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The other process; `None` where the system hides it.
        pid: Option<u32>,
    },
    /// The disk failed the database.
    #[error("the disk failed the database {}: {detail}", path.display())]
    DiskFault {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A fault of the database that is none of the above.
    #[error("the database refused: {0}")]
    Database(rusqlite::Error),
    /// The body that came has not the size and SM3 that were offered; its partial file is gone.
    #[error("the body does not match its offer: {got} bytes came, {offered} were offered{}", digest_note(*got, *offered))]
    BodyMismatch {
        /// Bytes that came.
        got: u64,
        /// Bytes that were offered.
        offered: u64,
    },
    /// The attachment on disk has another size than its row says.
    #[error("the attachment {} is damaged: {found} bytes instead of {wanted}", path.display())]
    BodyDamaged {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The size in the row.
        wanted: u64,
    },
    /// A chunk of the attachment does not open.
    #[error("the attachment {} was changed on the disk: chunk {chunk} does not open", path.display())]
    BodyChanged {
        /// The file.
        path: PathBuf,
        /// The first chunk of 64 KiB that does not open, from 0.
        chunk: u64,
    },
    /// What is stored of the message does not open.
    #[error("message {id} was changed on the disk")]
    MessageChanged {
        /// The message.
        id: super::MessageId,
    },
    /// The file of the store key is not there, and the database needs it.
    #[error("the key of this history is missing: {}", path.display())]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// The file of the store key is no such file, or was changed.
    #[error("the key of this history is damaged: {}", path.display())]
    KeyDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The history belongs to another identity.
    #[error("this history was sealed under another key: {}", path.display())]
    ForeignKey {
        /// The file of the store key.
        path: PathBuf,
    },
    /// A transaction that was shared with other work ended with that.
    #[error("the database did not take it: {detail}")]
    NotCommitted {
        /// What went wrong.
        detail: String,
    },
    /// A message that cannot be edited, deleted for both, retried or cancelled as it stands.
    #[error("message {id} {problem}")]
    NotPossible {
        /// The message.
        id: super::MessageId,
        /// Why, such as "is not one of ours".
        problem: &'static str,
    },
    /// The body is larger than the caller takes into memory.
    #[error("the body has {bytes} bytes, at most {bytes_max} were wanted")]
    BodyTooLarge {
        /// Its size.
        bytes: u64,
        /// The caller's limit.
        bytes_max: u64,
    },
    /// The same id is stored with another kind, size or SM3.
    #[error("message {id} is stored already, with another content")]
    Conflict {
        /// The message.
        id: super::MessageId,
    },
    /// The message was deleted here; it does not come back.
    #[error("message {id} was deleted here")]
    Deleted {
        /// The message.
        id: super::MessageId,
    },
    /// An id was used twice for outgoing messages to one peer.
    #[error("the outgoing message id {id} was used before")]
    DuplicateId {
        /// The message.
        id: super::MessageId,
    },
    /// A body of this message is being received already.
    #[error("message {id} is being received already")]
    ReceiveBusy {
        /// The message.
        id: super::MessageId,
    },
    /// A text, name or other column is over its limit.
    #[error("the {what} has {bytes} bytes, the limit is {bytes_max}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A text message whose body is no text.
    #[error("the body of a text message must be UTF-8 text")]
    NotText,
    /// What is to be sent became shorter while it was copied.
    #[error("{} became shorter while it was copied: {got} of {wanted} bytes", path.display())]
    Shrunk {
        /// The path.
        path: PathBuf,
        /// Bytes that were there.
        got: u64,
        /// Its size before.
        wanted: u64,
    },
    /// What is to be sent is no regular file.
    #[error("{} is no regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
}

impl StoreError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            StoreError::FolderUnusable { path, .. } => {
                format!("make {} writable for this user, or name another folder with --data", path.display())
            }
            StoreError::DiskFull { .. } => {
                "free some space, or put the data folder on another disk with --data".to_owned()
            }
            StoreError::QuotaFull { .. } => {
                format!(
                    "delete messages, or set keep_days or keep_gib, or a larger quota_gib, under [history] in the table; \
                     the default quota is {} GiB",
                    QUOTA_BYTES_DEFAULT >> 30
                )
            }
            StoreError::Corrupt { path, .. } => format!(
                "put {} and its -wal file aside and restore a copy; attachments are not touched",
                path.display()
            ),
            StoreError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => return None,
            StoreError::DiskFault { path, .. } | StoreError::File { path, .. } => format!(
                "look whether the disk of {} is read-only, full or failing (the system's log tells); what could not be \
                 stored is tried again",
                path.display()
            ),
            StoreError::BodyDamaged { path, .. } => {
                format!("restore {} from a copy, or have it sent again", path.display())
            }
            StoreError::NotAStore { .. } => {
                "name another folder with --data; if your history was in this one, restore a copy".to_owned()
            }
            StoreError::NewerSchema { .. } => "update this miyu".to_owned(),
            StoreError::Locked { .. } => "see which process uses the folder, and whether it hangs".to_owned(),
            StoreError::InUse { .. } => {
                "end the other one, or give this one a folder of its own with --data".to_owned()
            }
            StoreError::KeyMissing { path } | StoreError::KeyDamaged { path } => format!(
                "restore {} from a backup of the data folder; without it nothing in the folder can be opened",
                path.display()
            ),
            StoreError::ForeignKey { .. } => {
                "use the key file that this folder was made with, or another folder with --data".to_owned()
            }
            StoreError::BodyChanged { .. } | StoreError::MessageChanged { .. } => {
                "somebody or something wrote into the data folder: restore it from a backup, or ask the sender again"
                    .to_owned()
            }
            StoreError::BodyMismatch { .. } => "it will be sent again from the start".to_owned(),
            StoreError::Shrunk { .. } => "send it once nobody writes to it any more".to_owned(),
            StoreError::NotAFile { .. } => "send a file, or pack a folder first".to_owned(),
            _ => return None,
        })
    }

    /// The fault of `action` on `path`, sorted by what a person has to do about it.
    pub(super) fn from_io(folder: &Path, action: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded => StoreError::DiskFull {
                folder: folder.to_path_buf(),
                free: fs4::available_space(folder).unwrap_or(0),
                wanted: 0,
            },
            PermissionDenied | ReadOnlyFilesystem => StoreError::FolderUnusable { path: path.to_path_buf(), source },
            _ => StoreError::File { action, path: path.to_path_buf(), source },
        }
    }

    /// Sorts a database fault by what a person has to do about it.
    pub(super) fn refine(self, folder: &Path) -> Self {
        use rusqlite::ErrorCode;
        let path = folder.join(super::DATABASE_NAME);
        let error = match self {
            StoreError::Database(error) => error,
            StoreError::Corrupt { detail, .. } => return StoreError::Corrupt { path, detail },
            other => return other,
        };
        let unusable = |kind: io::ErrorKind, error: &rusqlite::Error| StoreError::FolderUnusable {
            path: folder.to_path_buf(),
            source: io::Error::new(kind, error.to_string()),
        };
        match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Locked { path },
                ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path, detail: error.to_string() },
                ErrorCode::NotADatabase => StoreError::NotAStore { path },
                ErrorCode::DiskFull => StoreError::DiskFull {
                    folder: folder.to_path_buf(),
                    free: fs4::available_space(folder).unwrap_or(0),
                    wanted: 0,
                },
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => unusable(io::ErrorKind::PermissionDenied, &error),
                ErrorCode::SystemIoFailure => match refusal(folder) {
                    // SQLite calls a log that cannot grow a fault of the disk
                    Some(source)
                        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
                    {
                        Self::from_io(folder, "write in", folder, source)
                    }
                    _ => StoreError::DiskFault { path, detail: error.to_string() },
                },
                ErrorCode::CannotOpen => match refusal(folder) {
                    Some(source) => Self::from_io(folder, "write in", folder, source),
                    None => unusable(io::ErrorKind::Other, &error),
                },
                _ => StoreError::Database(error),
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt { path, detail: error.to_string() },
            _ => StoreError::Database(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Database(error)
    }
}

/// Why nothing can be written in `folder`, which SQLite does not say: what a file of our own meets there.
fn refusal(folder: &Path) -> Option<io::Error> {
    let path = folder.join(format!("try.{}", std::process::id()));
    let tried = super::files::create_new_private(&path).and_then(|mut file| io::Write::write_all(&mut file, b"?"));
    let _ = super::files::remove(&path);
    tried.err()
}

fn disk_full(folder: &Path, free: u64, wanted: u64) -> String {
    let disk = format!("the disk of {} has {free} bytes free", folder.display());
    match wanted {
        0 => format!("{disk}, too few to go on"),
        _ => format!("{disk}, too few for {wanted} more and a reserve of {DISK_RESERVE_BYTES}"),
    }
}

fn process(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

fn digest_note(got: u64, offered: u64) -> &'static str {
    if got == offered { ", but their SM3 differs" } else { "" }
}
