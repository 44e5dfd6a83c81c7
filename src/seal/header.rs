//! The header of a sealed file: who can open it, and the MAC over that.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::SealError;
use super::stanza::{FILE_KEY_BYTES, FileKey, RECIPIENTS_MAX, Recipient, STANZA_BYTES_MAX, Stanza};
use super::{Progress, read_full, transfer};
use crate::crypto::kdf;
use crate::crypto::sm2::SecretKey;
use crate::crypto::sm3::DIGEST_BYTES;
use crate::crypto::stream::{SALT_BYTES, StreamKey};

/// What a sealed file of version 1 begins with.
pub const MAGIC: &[u8; 14] = b"miyu-sealed/1\n";

/// What sealed files of every version begin with.
const FAMILY: &[u8] = b"miyu-sealed/";

/// The longest header in bytes, all told.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;

/// HKDF's info for the key of the MAC over the header.
const MAC_LABEL: &[u8] = b"miyu/1 sealed file header";

/// HKDF's info for the key of the stream.
const STREAM_LABEL: &[u8] = b"miyu/1 sealed file";

/// Header and stream key of a new file.
pub(super) fn make(recipients: &[Recipient], rng: &mut impl CryptoRng) -> Result<(Vec<u8>, StreamKey), SealError> {
    let count = match u16::try_from(recipients.len()) {
        Ok(0) => return Err(SealError::NoRecipient),
        Ok(count) if recipients.len() <= RECIPIENTS_MAX => count,
        _ => return Err(SealError::TooManyRecipients { got: recipients.len() }),
    };
    if recipients.iter().filter(|recipient| matches!(recipient, Recipient::Passphrase { .. })).count() > 1 {
        return Err(SealError::TwoPassphrases);
    }
    let mut file_key = Zeroizing::new([0u8; FILE_KEY_BYTES]);
    rng.fill_bytes(&mut *file_key);
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&count.to_be_bytes());
    for recipient in recipients {
        let (kind, body) = recipient.wrap(&file_key, rng)?;
        let length = u16::try_from(body.len()).map_err(|_| SealError::HeaderTooLong)?;
        header.push(kind);
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&body);
    }
    let mut salt = [0u8; SALT_BYTES];
    rng.fill_bytes(&mut salt);
    header.extend_from_slice(&salt);
    let mac = mac(&file_key, &header)?;
    header.extend_from_slice(&mac);
    Ok((header, stream_key(&file_key, &salt)?))
}

/// HMAC-SM3 over the header up to the MAC. HMAC-SM3 binds the file key: no second one gives the same MAC, whereas
/// SM4-GCM alone would let a file open differently for two recipients.
fn mac(file_key: &FileKey, header: &[u8]) -> Result<[u8; DIGEST_BYTES], SealError> {
    let prk = Zeroizing::new(kdf::hkdf_extract(&[], &**file_key));
    let mut key = Zeroizing::new([0u8; DIGEST_BYTES]);
    kdf::hkdf_expand(&prk, &[MAC_LABEL], &mut *key).map_err(|_| SealError::HeaderTooLong)?;
    Ok(kdf::hmac(&*key, &[header]))
}

fn stream_key(file_key: &FileKey, salt: &[u8; SALT_BYTES]) -> Result<StreamKey, SealError> {
    Ok(StreamKey::derive(&**file_key, salt, STREAM_LABEL, &[], None)?)
}

/// A header that was read; nothing in it is authenticated until it is unlocked.
pub struct Header {
    /// What the MAC covers.
    covered: Vec<u8>,
    stanzas: Vec<Stanza>,
    salt: [u8; SALT_BYTES],
    mac: [u8; DIGEST_BYTES],
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({} stanzas …)", self.stanzas.len())
    }
}

impl Header {
    /// Reads the header of a sealed file, and not a byte beyond it.
    ///
    /// # Errors
    /// [`SealError::NotSealed`], [`SealError::OtherVersion`], [`SealError::BadHeader`], [`SealError::HeaderTooLong`],
    /// [`SealError::NoChunk`] if it ends too early, [`SealError::Read`].
    pub fn read(input: &mut dyn Read) -> Result<Self, SealError> {
        let mut reader = HeaderReader { input, covered: Vec::with_capacity(1024) };
        reader.magic()?;
        let count = usize::from(u16::from_be_bytes(reader.array()?));
        if count == 0 || count > RECIPIENTS_MAX {
            return Err(SealError::BadHeader { what: "the number of recipients is 0 or over 1024" });
        }
        let mut stanzas = Vec::new();
        for _ in 0..count {
            let [kind] = reader.array()?;
            let length = usize::from(u16::from_be_bytes(reader.array()?));
            if length > STANZA_BYTES_MAX {
                return Err(SealError::BadHeader { what: "a stanza is longer than 1024 bytes" });
            }
            let body = reader.take(length)?;
            stanzas.push(Stanza::parse(kind, body)?);
        }
        if stanzas.iter().filter(|stanza| matches!(stanza, Stanza::Passphrase { .. })).count() > 1 {
            return Err(SealError::BadHeader { what: "there is more than one passphrase stanza" });
        }
        let salt = reader.array()?;
        let covered = std::mem::take(&mut reader.covered);
        let mac = reader.array()?;
        Ok(Self { covered, stanzas, salt, mac })
    }

    /// How many public keys open the file.
    pub fn keys(&self) -> usize {
        self.stanzas.iter().filter(|stanza| matches!(stanza, Stanza::Sm2(_))).count()
    }

    /// Whether a passphrase opens the file.
    pub fn has_passphrase(&self) -> bool {
        self.stanzas.iter().any(|stanza| matches!(stanza, Stanza::Passphrase { .. }))
    }

    /// Unlocks the file with `key`; `None` if no stanza is for it. A stanza does not say whose it is: each is tried.
    ///
    /// # Errors
    /// [`SealError::HeaderChanged`].
    pub fn unlock_with_key(&self, key: &SecretKey) -> Result<Option<Opener>, SealError> {
        let found = self.stanzas.iter().find_map(|stanza| stanza.open_with_key(key));
        found.map(|file_key| self.opener(&file_key)).transpose()
    }

    /// Unlocks the file with `passphrase`; `None` if it is wrong, or the file has none.
    ///
    /// # Errors
    /// [`SealError::HeaderChanged`], [`SealError::TooManyIterations`].
    pub fn unlock_with_passphrase(&self, passphrase: &[u8]) -> Result<Option<Opener>, SealError> {
        for stanza in &self.stanzas {
            if let Some(file_key) = stanza.open_with_passphrase(passphrase)? {
                return self.opener(&file_key).map(Some);
            }
        }
        Ok(None)
    }

    fn opener(&self, file_key: &FileKey) -> Result<Opener, SealError> {
        if !bool::from(mac(file_key, &self.covered)?.ct_eq(&self.mac)) {
            return Err(SealError::HeaderChanged);
        }
        Ok(Opener { key: stream_key(file_key, &self.salt)? })
    }
}

/// Opens the stream behind a header that was unlocked and found unchanged.
#[derive(Debug)]
pub struct Opener {
    key: StreamKey,
}

impl Opener {
    /// Decrypts the rest of `input` into `output`, chunk by chunk: each is written only after it was authenticated in
    /// its place. An error can follow a beginning that was written: whoever cannot take that back (a pipe) must heed
    /// it. Gives the number of bytes written.
    ///
    /// # Errors
    /// [`SealError::Changed`], [`SealError::Truncated`], [`SealError::NoChunk`], reading, writing, interrupted.
    pub fn open(
        &self,
        input: &mut dyn Read,
        output: &mut dyn Write,
        progress: &mut Progress<'_>,
    ) -> Result<u64, SealError> {
        transfer::open(&self.key, input, output, progress)
    }
}

/// Reads a header and keeps what was read.
struct HeaderReader<'a> {
    input: &'a mut dyn Read,
    covered: Vec<u8>,
}

impl HeaderReader<'_> {
    fn magic(&mut self) -> Result<(), SealError> {
        let mut start = [0u8; MAGIC.len()];
        let got = read_full(self.input, &mut start)?;
        if !start[..got].starts_with(FAMILY) {
            return Err(SealError::NotSealed { looks_like_der: got > 0 && start[0] == 0x30 });
        }
        if start[..got] != MAGIC[..got] {
            return Err(SealError::OtherVersion);
        }
        if got < MAGIC.len() {
            return Err(SealError::NoChunk);
        }
        self.covered.extend_from_slice(MAGIC);
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&[u8], SealError> {
        let start = self.covered.len();
        if start + length > HEADER_BYTES_MAX {
            return Err(SealError::HeaderTooLong);
        }
        self.covered.resize(start + length, 0);
        let buf = &mut self.covered[start..];
        if read_full(self.input, buf)? < length {
            return Err(SealError::NoChunk);
        }
        Ok(buf)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], SealError> {
        let mut out = [0u8; LENGTH];
        out.copy_from_slice(self.take(LENGTH)?);
        Ok(out)
    }
}
