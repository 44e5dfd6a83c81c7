//! Files on their own, without a peer on the line: encrypted to public keys and passphrases, and signed.
//!
//! A sealed file is a header with one stanza for each key or passphrase that opens it, then a sealed stream
//! ([`crate::crypto::stream`]); `docs/sealed-file.md` has every byte. Both directions take memory for some chunks,
//! whatever the size, and give out nothing that is not authenticated.
//!
//! - [`encrypt`] writes one; [`Header::read`], [`Header::unlock_with_key`] or [`Header::unlock_with_passphrase`], and
//!   [`Opener::open`] read one.
//! - [`sign`] and [`verify`] make and check detached signatures (GB/T 32918.2) without holding the file in memory.
//!
//! Reads and writes what it is given; opens no file itself.

mod error;
mod header;
mod signature;
mod stanza;
mod transfer;

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use rand_core::CryptoRng;

pub use error::SealError;
pub use header::{HEADER_BYTES_MAX, Header, MAGIC, Opener};
pub use signature::{SIGNATURE_FILE_BYTES_MAX, sign, verify};
pub use stanza::{ITERATIONS_DEFAULT, ITERATIONS_MAX, RECIPIENTS_MAX, Recipient};

/// Told how many bytes of the input were done since the last time; stops the work with [`SealError::Interrupted`] if
/// it says so.
pub type Progress<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// Encrypts `input` to every one of `recipients`, each of whom opens it alone. The file key, salts and nonces come
/// from `rng`. Gives the number of bytes read and written.
///
/// # Errors
/// [`SealError`]: no or too many recipients, two passphrases, reading, writing, interrupted, or a message that is too
/// long.
pub fn encrypt(
    recipients: &[Recipient],
    input: &mut dyn Read,
    output: &mut dyn Write,
    rng: &mut impl CryptoRng,
    progress: &mut Progress<'_>,
) -> Result<(u64, u64), SealError> {
    let (header, key) = header::make(recipients, rng)?;
    output.write_all(&header).map_err(SealError::Write)?;
    let (read, written) = transfer::seal(&key, input, output, rng, progress)?;
    Ok((read, written + header.len() as u64))
}

/// Fills as much of `buf` as there is to read; less than its length at the end of the input only.
fn read_full(input: &mut dyn Read, buf: &mut [u8]) -> Result<usize, SealError> {
    let mut filled = 0;
    while filled < buf.len() {
        match input.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SealError::Read(error)),
        }
    }
    Ok(filled)
}
