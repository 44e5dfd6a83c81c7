//! Bodies on disk: written in whole chunks, read at any place.
//!
//! All bytes of attachments pass through here, so that they can be sealed without anybody else noticing.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Folders};
use super::{CHUNK_BYTES, StoreError};
use crate::crypto::sm3::Sm3;

const CHUNK: usize = CHUNK_BYTES as usize;

/// Writes a body in whole chunks, with its SM3 along the way.
pub(super) struct BodyWriter {
    folders: Arc<Folders>,
    path: PathBuf,
    file: File,
    hash: Sm3,
    // the bytes after the last whole chunk; shorter than a chunk
    tail: Vec<u8>,
    whole_bytes: u64,
}

impl BodyWriter {
    /// Starts a body in `path`, dropping what is there.
    pub(super) fn create(folders: &Arc<Folders>, path: &Path) -> Result<Self, StoreError> {
        let file = files::open_private(path, true).map_err(|error| folders.fault("make", path, error))?;
        // tells a body that is being written from one that a crash left
        let _ = file.try_lock();
        Ok(Self::over(folders, path, file))
    }

    /// Goes on with the whole chunks of `file`, at most up to `bytes_max`; they are hashed again.
    pub(super) fn resume(folders: &Arc<Folders>, path: &Path, file: File, bytes_max: u64) -> Result<Self, StoreError> {
        let fault = |error| folders.fault("read", path, error);
        let length = file.metadata().map_err(fault)?.len().min(bytes_max);
        let whole_bytes = length - length % CHUNK_BYTES;
        file.set_len(whole_bytes).map_err(fault)?;
        let mut writer = Self::over(folders, path, file);
        let mut chunk = vec![0; CHUNK];
        while writer.whole_bytes < whole_bytes {
            writer.file.read_exact(&mut chunk).map_err(fault)?;
            writer.hash.update(&chunk);
            writer.whole_bytes += CHUNK_BYTES;
        }
        Ok(writer)
    }

    fn over(folders: &Arc<Folders>, path: &Path, file: File) -> Self {
        BodyWriter {
            folders: Arc::clone(folders),
            path: path.to_path_buf(),
            file,
            hash: Sm3::new(),
            tail: Vec::with_capacity(CHUNK),
            whole_bytes: 0,
        }
    }

    /// Bytes taken so far.
    pub(super) fn len(&self) -> u64 {
        self.whole_bytes + self.tail.len() as u64
    }

    /// Bytes in whole chunks: those that outlive [`BodyWriter::keep`].
    pub(super) fn whole_bytes(&self) -> u64 {
        self.whole_bytes
    }

    pub(super) fn append(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let take = (CHUNK - self.tail.len()).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            self.tail.extend_from_slice(now);
            bytes = later;
            if self.tail.len() == CHUNK {
                self.put_tail()?;
                self.whole_bytes += CHUNK_BYTES;
                self.tail.clear();
            }
        }
        Ok(())
    }

    fn put_tail(&mut self) -> Result<(), StoreError> {
        self.hash.update(&self.tail);
        self.file.write_all(&self.tail).map_err(|error| self.folders.fault("write", &self.path, error))
    }

    /// Writes the rest and waits until all is on the disk. Gives the file, the size and the SM3.
    pub(super) fn finish(mut self) -> Result<(File, u64, [u8; 32]), StoreError> {
        let bytes = self.len();
        self.put_tail()?;
        self.file.sync_all().map_err(|error| self.folders.fault("sync", &self.path, error))?;
        Ok((self.file, bytes, self.hash.finish()))
    }

    /// Leaves the whole chunks for a later [`BodyWriter::resume`].
    pub(super) fn keep(self) {
        // a chunk that was cut by a failed write is cut off again when it is resumed
        let _ = self.file.set_len(self.whole_bytes);
    }
}

enum Source {
    Memory(Vec<u8>),
    Disk { path: PathBuf, file: File },
}

/// Reads a body at any place. Shared between threads without locks.
pub struct BodyReader {
    source: Source,
    bytes: u64,
}

impl std::fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BodyReader({} bytes …)", self.bytes)
    }
}

impl BodyReader {
    pub(super) fn memory(body: Vec<u8>) -> Self {
        BodyReader { bytes: body.len() as u64, source: Source::Memory(body) }
    }

    /// The body in `path`, which must have `bytes` bytes.
    pub(super) fn disk(folders: &Folders, path: &Path, bytes: u64) -> Result<Self, StoreError> {
        let fault = |error| folders.fault("read", path, error);
        let file = File::open(path).map_err(fault)?;
        let found = file.metadata().map_err(fault)?.len();
        if found != bytes {
            return Err(StoreError::BodyDamaged { path: path.to_path_buf(), found, wanted: bytes });
        }
        Ok(BodyReader { source: Source::Disk { path: path.to_path_buf(), file }, bytes })
    }

    /// The size of the body in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether the body has no byte.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Fills `buf` with the bytes from `offset` on; gives their number, less than asked for at the end only.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, StoreError> {
        let left = self.bytes.saturating_sub(offset);
        let want = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let buf = &mut buf[..want];
        match &self.source {
            Source::Memory(body) => {
                // 0 when the offset is past the end, so the range is good
                let start = usize::try_from(offset).unwrap_or(0).min(body.len());
                buf.copy_from_slice(&body[start..start + want]);
            }
            Source::Disk { path, file } => {
                read_exact_at(file, offset, buf).map_err(|source| StoreError::File {
                    action: "read",
                    path: path.clone(),
                    source,
                })?;
            }
        }
        Ok(want)
    }

    /// The whole body, if it has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When it is larger, or the file cannot be read.
    pub fn read_all(&self, bytes_max: u64) -> Result<Vec<u8>, StoreError> {
        let too_large = || StoreError::BodyTooLarge { bytes: self.bytes, bytes_max };
        if self.bytes > bytes_max {
            return Err(too_large());
        }
        let mut body = vec![0; usize::try_from(self.bytes).map_err(|_| too_large())?];
        self.read_at(0, &mut body)?;
        Ok(body)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buf: &mut [u8]) -> std::io::Result<()> {
    while !buf.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, buf, offset)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        offset += count as u64;
        buf = &mut buf[count..];
    }
    Ok(())
}
