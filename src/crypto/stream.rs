//! Sealed streams: a long message as SM4-GCM chunks of 64 KiB, each of which opens by itself, in its place only.
//!
//! A stream is a row of records, `nonce ‖ ciphertext ‖ tag`, one a chunk: every chunk has [`CHUNK_BYTES`] but the last,
//! which has what is left, and is empty only if the whole message is. The key of a stream is derived from a secret
//! and 32 random bytes, so that no two streams share one; nonces are random and stand beside their chunk, so that a
//! chunk can be written again (after a crash, say) without meeting its old nonce. The associated data of a chunk name
//! the stream, the place, the size of the message where it is known beforehand, and whether this chunk is the last:
//! moving, leaving out, cutting off or appending chunks, and taking them from other streams, is refused.
//!
//! Two have it: files on their own, read in order, their size unknown beforehand ([`StreamKey::derive`] with
//! `total_bytes` of `None`), and the store's attachments, read at any place and resumed.
//!
//! Pure: no I/O. Each record is sealed and opened in place in the caller's buffer.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::gcm::{KEY_BYTES, NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use super::kdf;

/// Bytes of the message in every chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// What a record has beside its chunk, in bytes: nonce and tag.
pub const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Length of every record but the last, in bytes.
pub const RECORD_BYTES: usize = CHUNK_BYTES + OVERHEAD_BYTES;

/// Length of the random bytes that make the key of a stream its own.
pub const SALT_BYTES: usize = 32;

/// Chunks of one stream at most: so many random nonces one key can bear (NIST SP 800-38D §8.3). 256 TiB.
pub const CHUNKS_MAX: u64 = 1 << 32;

/// The longest message in bytes.
pub const TOTAL_BYTES_MAX: u64 = CHUNKS_MAX * CHUNK_BYTES as u64;

/// Stands in the associated data for a size that is not known beforehand; no message has it.
const TOTAL_UNKNOWN: u64 = u64::MAX;

/// Index, total and flag in the associated data, in bytes.
const PLACE_BYTES: usize = 8 + 8 + 1;

/// Where a chunk stands in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub index: u64,
    /// Whether the message ends with it.
    pub last: bool,
}

/// A record that is not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// No chunk at this place has this length.
    #[error("a record of {got} bytes cannot be chunk {index} of a sealed stream")]
    Length {
        /// The length of the record in bytes.
        got: usize,
        /// The number of the chunk.
        index: u64,
    },
    /// The place lies beyond [`CHUNKS_MAX`], beyond the end of the message, or is not where it ends.
    #[error("there is no chunk {index} in this sealed stream")]
    Place {
        /// The number of the chunk.
        index: u64,
    },
    /// The tag does not match: another key, stream, place or end, or changed bytes.
    #[error("chunk {index} of the sealed stream was changed, moved or cut off, or is another stream's")]
    Tag {
        /// The number of the chunk.
        index: u64,
    },
}

/// The key of one stream. Wiped on drop.
#[derive(Clone)]
pub struct StreamKey {
    gcm: Sm4Gcm,
    /// What the associated data of every chunk begin with; room for the place behind it.
    context: Vec<u8>,
    total_bytes: Option<u64>,
}

impl StreamKey {
    /// The key SM4 = HKDF-SM3(salt = `salt`, ikm = `secret`, info = `label`)\[..16\].
    ///
    /// `label` keeps uses of one secret apart; `context` (an id of the stream, or nothing) is part of the associated
    /// data of every chunk, and so is `total_bytes`, the length of the message, if it is known.
    ///
    /// # Errors
    /// [`BadRecord::Place`] if `total_bytes` is over [`TOTAL_BYTES_MAX`].
    pub fn derive(
        secret: &[u8],
        salt: &[u8; SALT_BYTES],
        label: &[u8],
        context: &[u8],
        total_bytes: Option<u64>,
    ) -> Result<Self, BadRecord> {
        if total_bytes.is_some_and(|total| total > TOTAL_BYTES_MAX) {
            return Err(BadRecord::Place { index: CHUNKS_MAX });
        }
        let prk = Zeroizing::new(kdf::hkdf_extract(salt, secret));
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        // 16 bytes are under HKDF's limit; were they not, a key of zeros must not be used
        kdf::hkdf_expand(&prk, &[label], &mut *key).map_err(|_| BadRecord::Place { index: 0 })?;
        Ok(Self { gcm: Sm4Gcm::new(&key), context: context.to_vec(), total_bytes })
    }

    /// Seals a record in place. Before: [`NONCE_BYTES`] that [`fresh_nonce`] wrote for this one call, the chunk,
    /// [`TAG_BYTES`] of anything. After: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// [`BadRecord::Length`] or [`BadRecord::Place`] if no chunk of the stream is so long or stands there; the record
    /// is untouched then.
    pub fn seal(&self, place: Place, record: &mut [u8]) -> Result<(), BadRecord> {
        self.check(place, record.len())?;
        let (nonce, chunk, tag) = parts(record, place.index)?;
        *tag = self.gcm.seal_in_place(nonce, &self.associated(place), chunk);
        Ok(())
    }

    /// Opens a record in place and gives the chunk, which lies in the record behind the nonce.
    ///
    /// # Errors
    /// [`BadRecord`]; the chunk is all zeros if its tag does not match, and untouched otherwise.
    pub fn open<'a>(&self, place: Place, record: &'a mut [u8]) -> Result<&'a [u8], BadRecord> {
        self.check(place, record.len())?;
        let (nonce, chunk, tag) = parts(record, place.index)?;
        let opened = self.gcm.open_in_place(nonce, &self.associated(place), chunk, tag);
        opened.map_err(|_| BadRecord::Tag { index: place.index })?;
        Ok(chunk)
    }

    /// Whether a record of this length can stand at this place.
    fn check(&self, place: Place, record_bytes: usize) -> Result<(), BadRecord> {
        let Place { index, last } = place;
        let length = BadRecord::Length { got: record_bytes, index };
        let chunk = record_bytes.checked_sub(OVERHEAD_BYTES).ok_or(length)?;
        if index >= CHUNKS_MAX {
            return Err(BadRecord::Place { index });
        }
        if let Some(total) = self.total_bytes {
            if index >= chunks(total) || last != (index + 1 == chunks(total)) {
                return Err(BadRecord::Place { index });
            }
            return if chunk == chunk_bytes(total, index) { Ok(()) } else { Err(length) };
        }
        let fits = if last { chunk <= CHUNK_BYTES && (chunk > 0 || index == 0) } else { chunk == CHUNK_BYTES };
        if fits { Ok(()) } else { Err(length) }
    }

    /// context ‖ index ‖ total ‖ last; what follows the context has a fixed length, so that no two streams or
    /// places share it.
    fn associated(&self, place: Place) -> Vec<u8> {
        let mut aad = Vec::with_capacity(self.context.len() + PLACE_BYTES);
        aad.extend_from_slice(&self.context);
        aad.extend_from_slice(&place.index.to_be_bytes());
        aad.extend_from_slice(&self.total_bytes.unwrap_or(TOTAL_UNKNOWN).to_be_bytes());
        aad.push(u8::from(place.last));
        aad
    }
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKey(…)")
    }
}

/// Writes a new nonce into the beginning of `record`, for the [`StreamKey::seal`] that follows. A record without room
/// for one is left as it is: sealing it is refused.
pub fn fresh_nonce(record: &mut [u8], rng: &mut impl CryptoRng) {
    if let Some(nonce) = record.first_chunk_mut::<NONCE_BYTES>() {
        rng.fill_bytes(nonce);
    }
}

type Parts<'a> = (&'a mut [u8; NONCE_BYTES], &'a mut [u8], &'a mut [u8; TAG_BYTES]);

fn parts(record: &mut [u8], index: u64) -> Result<Parts<'_>, BadRecord> {
    let length = BadRecord::Length { got: record.len(), index };
    let (nonce, rest) = record.split_first_chunk_mut::<NONCE_BYTES>().ok_or(length)?;
    let (chunk, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(length)?;
    Ok((nonce, chunk, tag))
}

/// The number of chunks of a message of `total_bytes`: one at least.
pub const fn chunks(total_bytes: u64) -> u64 {
    let chunks = total_bytes.div_ceil(CHUNK_BYTES as u64);
    if chunks == 0 { 1 } else { chunks }
}

/// The length in bytes of chunk `index` of a message of `total_bytes`; 0 beyond its end.
pub const fn chunk_bytes(total_bytes: u64, index: u64) -> usize {
    let left = total_bytes.saturating_sub(index.saturating_mul(CHUNK_BYTES as u64));
    if left < CHUNK_BYTES as u64 { left as usize } else { CHUNK_BYTES }
}

/// Where record `index` begins, in bytes from the first.
pub const fn record_offset(index: u64) -> u64 {
    index.saturating_mul(RECORD_BYTES as u64)
}

/// The length in bytes of all records of a message of `total_bytes`.
pub const fn sealed_bytes(total_bytes: u64) -> u64 {
    total_bytes.saturating_add(chunks(total_bytes).saturating_mul(OVERHEAD_BYTES as u64))
}
