//! Sealing and opening the stream of a file, a batch of chunks at a time.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::error::SealError;
use super::{Progress, read_full};
use crate::crypto::gcm::NONCE_BYTES;
use crate::crypto::stream::{CHUNK_BYTES, OVERHEAD_BYTES, Place, RECORD_BYTES, StreamKey, fresh_nonce};

/// Records that are read and written at a time: about 1 MiB, all the memory that a file of any size takes.
const BATCH_RECORDS: usize = 16;

/// Seals all of `input`; gives the number of bytes read and written.
pub(super) fn seal(
    key: &StreamKey,
    input: &mut dyn Read,
    output: &mut dyn Write,
    rng: &mut impl CryptoRng,
    progress: &mut Progress<'_>,
) -> Result<(u64, u64), SealError> {
    // it holds clear text meanwhile
    let mut batch = Zeroizing::new(vec![0u8; BATCH_RECORDS * RECORD_BYTES]);
    let mut ahead = None;
    let (mut index, mut read, mut written) = (0u64, 0u64, 0u64);
    loop {
        let clear = fill(input, &mut batch, ahead)?;
        // whether a full batch is the last one, only the byte behind it can tell
        let mut next = [0u8];
        let more = clear == BATCH_RECORDS * CHUNK_BYTES && read_full(input, &mut next)? == 1;
        ahead = more.then_some(next[0]);
        let count = clear.div_ceil(CHUNK_BYTES).max(1);
        let sealed = clear + count * OVERHEAD_BYTES;
        for (number, record) in batch[..sealed].chunks_mut(RECORD_BYTES).enumerate() {
            fresh_nonce(record, rng);
            key.seal(Place { index, last: !more && number + 1 == count }, record)?;
            index += 1;
        }
        output.write_all(&batch[..sealed]).map_err(SealError::Write)?;
        read += clear as u64;
        written += sealed as u64;
        step(progress, clear)?;
        if !more {
            return Ok((read, written));
        }
    }
}

/// Reads chunks into the records of `batch`, the byte that was read `ahead` first; gives the bytes of clear text.
fn fill(input: &mut dyn Read, batch: &mut [u8], ahead: Option<u8>) -> Result<usize, SealError> {
    let mut clear = 0;
    for (number, record) in batch.chunks_mut(RECORD_BYTES).enumerate() {
        let chunk = &mut record[NONCE_BYTES..][..CHUNK_BYTES];
        let mut have = 0;
        if let (0, Some(byte)) = (number, ahead) {
            chunk[0] = byte;
            have = 1;
        }
        have += read_full(input, &mut chunk[have..])?;
        clear += have;
        if have < CHUNK_BYTES {
            break;
        }
    }
    Ok(clear)
}

/// Opens all of `input`; gives the number of bytes written. Nothing is written that was not authenticated.
pub(super) fn open(
    key: &StreamKey,
    input: &mut dyn Read,
    output: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<u64, SealError> {
    // one byte more than a batch, to see whether something follows it
    let mut batch = Zeroizing::new(vec![0u8; BATCH_RECORDS * RECORD_BYTES + 1]);
    let (mut index, mut written, mut have) = (0u64, 0u64, 0usize);
    loop {
        have += read_full(input, &mut batch[have..])?;
        let more = have > BATCH_RECORDS * RECORD_BYTES;
        let sealed = have.min(BATCH_RECORDS * RECORD_BYTES);
        if sealed == 0 {
            return Err(SealError::NoChunk);
        }
        let count = sealed.div_ceil(RECORD_BYTES);
        for (number, record) in batch[..sealed].chunks_mut(RECORD_BYTES).enumerate() {
            let last = !more && number + 1 == count;
            let chunk = if last { open_last(key, index, record)? } else { key.open(Place { index, last }, record)? };
            output.write_all(chunk).map_err(SealError::Write)?;
            written += chunk.len() as u64;
            index += 1;
        }
        step(progress, sealed)?;
        if !more {
            return Ok(written);
        }
        batch[0] = batch[BATCH_RECORDS * RECORD_BYTES];
        have = 1;
    }
}

/// Opens the record that the input ends with. If it does not open there, but would in the middle, the file was cut
/// off behind it; that is worth telling apart.
fn open_last<'a>(key: &StreamKey, index: u64, record: &'a mut [u8]) -> Result<&'a [u8], SealError> {
    let mut copy = Zeroizing::new(record.to_vec());
    key.open(Place { index, last: true }, record).map_err(|bad| {
        match key.open(Place { index, last: false }, &mut copy) {
            Ok(_) => SealError::Truncated { index },
            Err(_) => SealError::from(bad),
        }
    })
}

fn step(progress: &mut Progress<'_>, bytes: usize) -> Result<(), SealError> {
    if progress(bytes as u64).is_break() { Err(SealError::Interrupted) } else { Ok(()) }
}
