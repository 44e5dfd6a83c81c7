//! Bodies on disk: sealed in whole chunks, read at any place. All bytes of attachments pass through here.
//!
//! A file is a header (what it is, and the salt of its key) and the records of one sealed stream
//! ([`crate::crypto::stream`]); `docs/storage.md` has the format.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::Rng;

use super::files::{self, Folders};
use super::vault::{BodyId, Vault};
use super::{CHUNK_BYTES, StoreError};
use crate::crypto::gcm::{NONCE_BYTES, TAG_BYTES};
use crate::crypto::sm3::Sm3;
use crate::crypto::stream::{
    OVERHEAD_BYTES, Place, RECORD_BYTES, SALT_BYTES, StreamKey, chunk_bytes, chunks, fresh_nonce, record_offset,
    sealed_bytes,
};
use crate::identity::system_rng;

const CHUNK: usize = CHUNK_BYTES as usize;
/// What a file begins with: its kind and version.
const MAGIC: &[u8; 8] = b"miyuatt1";
const HEADER_BYTES: usize = 8 + SALT_BYTES;

/// The size of the file of a body of `bytes` bytes.
pub(super) fn file_bytes(bytes: u64) -> u64 {
    (HEADER_BYTES as u64).saturating_add(sealed_bytes(bytes))
}

/// The bytes of a body whose file has `file_bytes` bytes, as far as its records are whole or the last.
pub(super) fn body_bytes(file_bytes: u64) -> u64 {
    let records = file_bytes.saturating_sub(HEADER_BYTES as u64);
    let whole = records / RECORD_BYTES as u64;
    let rest = (records % RECORD_BYTES as u64).saturating_sub(OVERHEAD_BYTES as u64);
    whole * CHUNK_BYTES + rest
}

/// Writes a body in whole chunks, with its SM3 along the way.
pub(super) struct BodyWriter {
    folders: Arc<Folders>,
    path: PathBuf,
    file: File,
    key: StreamKey,
    total: u64,
    hash: Sm3,
    // room for a nonce, then the bytes after the last whole chunk
    record: Vec<u8>,
    whole_bytes: u64,
}

impl BodyWriter {
    /// Starts a body of `total` bytes in `path`, dropping what is there.
    pub(super) fn create(
        folders: &Arc<Folders>,
        vault: &Vault,
        path: &Path,
        body: &BodyId,
        total: u64,
    ) -> Result<Self, StoreError> {
        let file = files::open_private(path, true).map_err(|error| folders.fault("make", path, error))?;
        // tells a body that is being written from one that a crash left
        let _ = file.try_lock();
        Self::start(folders, vault, path, file, body, total)
    }

    fn start(
        folders: &Arc<Folders>,
        vault: &Vault,
        path: &Path,
        mut file: File,
        body: &BodyId,
        total: u64,
    ) -> Result<Self, StoreError> {
        let mut salt = [0; SALT_BYTES];
        system_rng().fill_bytes(&mut salt);
        let fault = |error| folders.fault("write", path, error);
        file.set_len(0).map_err(fault)?;
        file.seek(SeekFrom::Start(0)).map_err(fault)?;
        file.write_all(&[MAGIC.as_slice(), &salt].concat()).map_err(fault)?;
        let key = stream_key(vault, path, &salt, body, total)?;
        Ok(Self::over(folders, path, file, key, total))
    }

    /// Goes on with the whole chunks of `file` that open; they are hashed again. What was cut or torn is dropped.
    pub(super) fn resume(
        folders: &Arc<Folders>,
        vault: &Vault,
        path: &Path,
        mut file: File,
        body: &BodyId,
        total: u64,
    ) -> Result<Self, StoreError> {
        let fault = |error| folders.fault("read", path, error);
        let Some(salt) = read_header(&mut file).map_err(fault)? else {
            return Self::start(folders, vault, path, file, body, total);
        };
        let key = stream_key(vault, path, &salt, body, total)?;
        let mut writer = Self::over(folders, path, file, key, total);
        let mut record = vec![0; RECORD_BYTES];
        while writer.whole_bytes + CHUNK_BYTES <= total {
            match writer.file.read_exact(&mut record) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(fault(error)),
            }
            let Ok(chunk) = writer.key.open(writer.place(), &mut record) else { break };
            writer.hash.update(chunk);
            writer.whole_bytes += CHUNK_BYTES;
        }
        let end = HEADER_BYTES as u64 + record_offset(writer.whole_bytes / CHUNK_BYTES);
        writer.file.set_len(end).map_err(fault)?;
        writer.file.seek(SeekFrom::Start(end)).map_err(fault)?;
        Ok(writer)
    }

    fn over(folders: &Arc<Folders>, path: &Path, file: File, key: StreamKey, total: u64) -> Self {
        let mut record = Vec::with_capacity(RECORD_BYTES);
        record.resize(NONCE_BYTES, 0);
        BodyWriter {
            folders: Arc::clone(folders),
            path: path.to_path_buf(),
            file,
            key,
            total,
            hash: Sm3::new(),
            record,
            whole_bytes: 0,
        }
    }

    /// Bytes taken so far.
    pub(super) fn len(&self) -> u64 {
        self.whole_bytes + self.tail_bytes() as u64
    }

    /// Bytes in whole chunks: those that outlive [`BodyWriter::keep`].
    pub(super) fn whole_bytes(&self) -> u64 {
        self.whole_bytes
    }

    fn tail_bytes(&self) -> usize {
        self.record.len() - NONCE_BYTES
    }

    /// Where the chunk after the whole ones stands.
    fn place(&self) -> Place {
        let index = self.whole_bytes / CHUNK_BYTES;
        Place { index, last: index + 1 == chunks(self.total) }
    }

    pub(super) fn append(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let take = CHUNK.saturating_sub(self.tail_bytes()).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            self.record.extend_from_slice(now);
            bytes = later;
            if self.tail_bytes() == CHUNK {
                self.put_tail()?;
                self.whole_bytes += CHUNK_BYTES;
                self.record.truncate(NONCE_BYTES);
            }
        }
        Ok(())
    }

    fn put_tail(&mut self) -> Result<(), StoreError> {
        self.hash.update(&self.record[NONCE_BYTES..]);
        let place = self.place();
        self.record.extend_from_slice(&[0; TAG_BYTES]);
        fresh_nonce(&mut self.record, &mut system_rng());
        let (got, offered) = (self.len(), self.total);
        let wrong = |_| StoreError::BodyMismatch { got, offered };
        self.key.seal(place, &mut self.record).map_err(wrong)?;
        self.file.write_all(&self.record).map_err(|error| self.folders.fault("write", &self.path, error))
    }

    /// Writes the rest and waits until all is on the disk. Gives the file, the size and the SM3.
    ///
    /// # Errors
    /// [`StoreError::BodyMismatch`] when fewer bytes came than were announced; or a fault of the disk.
    pub(super) fn finish(mut self) -> Result<(File, u64, [u8; 32]), StoreError> {
        let bytes = self.len();
        if bytes != self.total {
            return Err(StoreError::BodyMismatch { got: bytes, offered: self.total });
        }
        if self.tail_bytes() > 0 || bytes == 0 {
            self.put_tail()?;
        }
        self.file.sync_all().map_err(|error| self.folders.fault("sync", &self.path, error))?;
        Ok((self.file, bytes, self.hash.finish()))
    }

    /// Leaves the whole chunks for a later [`BodyWriter::resume`].
    pub(super) fn keep(self) {
        // a chunk that was cut by a failed write is cut off again when it is resumed
        let _ = self.file.set_len(HEADER_BYTES as u64 + record_offset(self.whole_bytes / CHUNK_BYTES));
    }
}

/// The salt of a file, which is left at its first record; `None` where there is no header of ours.
fn read_header(file: &mut File) -> std::io::Result<Option<[u8; SALT_BYTES]>> {
    let mut header = [0; HEADER_BYTES];
    file.seek(SeekFrom::Start(0))?;
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    Ok(header.strip_prefix(MAGIC.as_slice()).and_then(|salt| salt.try_into().ok()))
}

fn stream_key(
    vault: &Vault,
    path: &Path,
    salt: &[u8; SALT_BYTES],
    body: &BodyId,
    total: u64,
) -> Result<StreamKey, StoreError> {
    let damaged = |_| StoreError::BodyDamaged { path: path.to_path_buf(), found: total, wanted: total };
    vault.attachment(salt, body, total).map_err(damaged)
}

enum Source {
    Memory(Vec<u8>),
    Disk { path: PathBuf, file: File, key: StreamKey },
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
    pub(super) fn disk(
        folders: &Folders,
        vault: &Vault,
        path: &Path,
        body: &BodyId,
        bytes: u64,
    ) -> Result<Self, StoreError> {
        let fault = |error| folders.fault("read", path, error);
        let mut file = File::open(path).map_err(fault)?;
        let found = file.metadata().map_err(fault)?.len();
        let damaged = || StoreError::BodyDamaged { path: path.to_path_buf(), found, wanted: file_bytes(bytes) };
        if found != file_bytes(bytes) {
            return Err(damaged());
        }
        let salt = read_header(&mut file).map_err(fault)?.ok_or_else(damaged)?;
        let key = stream_key(vault, path, &salt, body, bytes)?;
        Ok(BodyReader { source: Source::Disk { path: path.to_path_buf(), file, key }, bytes })
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
    /// When the file cannot be read, has become shorter, or was changed.
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
            Source::Disk { path, file, key } => self.read_chunks(path, file, key, offset, buf)?,
        }
        Ok(want)
    }

    fn read_chunks(
        &self,
        path: &Path,
        file: &File,
        key: &StreamKey,
        offset: u64,
        mut buf: &mut [u8],
    ) -> Result<(), StoreError> {
        let mut position = offset;
        let mut record = vec![0; RECORD_BYTES];
        while !buf.is_empty() {
            let index = position / CHUNK_BYTES;
            let place = Place { index, last: index + 1 == chunks(self.bytes) };
            let record = &mut record[..chunk_bytes(self.bytes, index) + OVERHEAD_BYTES];
            read_exact_at(file, HEADER_BYTES as u64 + record_offset(index), record)
                .map_err(|source| StoreError::File { action: "read", path: path.to_path_buf(), source })?;
            let opened = key.open(place, record);
            let chunk = opened.map_err(|_| StoreError::BodyChanged { path: path.to_path_buf(), chunk: index })?;
            // below a chunk's length
            let start = (position % CHUNK_BYTES) as usize;
            let take = (chunk.len() - start).min(buf.len());
            let (now, later) = buf.split_at_mut(take);
            now.copy_from_slice(&chunk[start..start + take]);
            position += take as u64;
            buf = later;
        }
        Ok(())
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

    /// Opens every chunk, so that a change anywhere is found.
    ///
    /// # Errors
    /// As [`BodyReader::read_at`].
    pub fn check(&self) -> Result<(), StoreError> {
        let mut piece = vec![0; CHUNK];
        let mut position = 0;
        while position < self.bytes {
            position += self.read_at(position, &mut piece)? as u64;
        }
        Ok(())
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
