//! Everything that can be wrong with a sealed file or a signature, by name.

use std::io;

use super::header::HEADER_BYTES_MAX;
use super::stanza::{ITERATIONS_MAX, RECIPIENTS_MAX};
use crate::crypto::sm2::{BadSignature, ID_BYTES_MAX};
use crate::crypto::stream::{BadRecord, TOTAL_BYTES_MAX};

/// Why a file was not encrypted, decrypted, signed or verified.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The input failed.
    #[error("cannot read the input: {0}")]
    Read(#[source] io::Error),
    /// The output failed.
    #[error("cannot write the output: {0}")]
    Write(#[source] io::Error),
    /// The progress callback said stop.
    #[error("interrupted")]
    Interrupted,
    /// Nobody could open the file.
    #[error("no recipient: nobody could decrypt the file")]
    NoRecipient,
    /// More recipients than a header holds.
    #[error("{got} recipients; a file has {RECIPIENTS_MAX} at most")]
    TooManyRecipients {
        /// How many were given.
        got: usize,
    },
    /// Two passphrases for one file.
    #[error("a file has one passphrase at most")]
    TwoPassphrases,
    /// The message is longer than a stream holds.
    #[error("the input is longer than {TOTAL_BYTES_MAX} bytes")]
    TooLong,
    /// It does not begin like a sealed file.
    #[error("this is not a sealed file: it does not begin with `miyu-sealed/`")]
    NotSealed {
        /// The first byte is that of a DER SEQUENCE, as of an SM2 ciphertext.
        looks_like_der: bool,
    },
    /// A sealed file of a later form.
    #[error("this sealed file is of another version than 1")]
    OtherVersion,
    /// The header is not what its form says.
    #[error("the header of the sealed file is damaged: {what}")]
    BadHeader {
        /// What does not hold.
        what: &'static str,
    },
    /// The header goes on and on.
    #[error("the header of the sealed file is longer than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong,
    /// A passphrase that would keep us busy for minutes: a mistake or an attack.
    #[error("the passphrase of this file takes {iterations} rounds of pbkdf2; at most {ITERATIONS_MAX} are done")]
    TooManyIterations {
        /// What the file says.
        iterations: u32,
    },
    /// The header opens, and its MAC is wrong.
    #[error("the header of the sealed file was changed: its mac does not match")]
    HeaderChanged,
    /// A chunk does not open.
    #[error("the sealed file was changed or cut off: chunk {index} does not open")]
    Changed {
        /// The number of the chunk, from 0.
        index: u64,
    },
    /// The last chunk that is there is whole, and is not the last.
    #[error("the sealed file is cut off: it ends after chunk {index}, which is not the last one")]
    Truncated {
        /// The number of the chunk that it ends with, from 0.
        index: u64,
    },
    /// It ends within the header, or before the first chunk.
    #[error("the sealed file is cut off within its first bytes")]
    NoChunk,
    /// The ID of the signer is too long to be hashed.
    #[error("the id has {got} bytes; a signer's id has {ID_BYTES_MAX} at most")]
    IdTooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// The signature is not one of this file, key and ID.
    #[error("the signature does not match: another key, another id, a changed file or a damaged signature")]
    BadSignature,
}

impl SealError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoRecipient => "name one with --to PEER, --to sm2:… or --to KEY.pem, or give a passphrase",
            Self::TooManyRecipients { .. } => "encrypt it again for the others",
            Self::TwoPassphrases => "leave one out",
            Self::NotSealed { looks_like_der: true } => {
                "if it was encrypted by `openssl pkeyutl -encrypt` or with --raw-sm2, decrypt it with --raw-sm2"
            }
            Self::NotSealed { .. } => "give the file that `miyu encrypt` wrote",
            Self::OtherVersion => "a newer miyu may read it",
            Self::BadHeader { .. } | Self::HeaderTooLong | Self::HeaderChanged | Self::Changed { .. } => {
                "fetch the file again, or ask the sender for it; what this copy holds cannot be trusted"
            }
            Self::Truncated { .. } | Self::NoChunk => "fetch the rest of the file, or ask the sender for it again",
            Self::TooManyIterations { .. } => "ask the sender to encrypt it to your public key",
            Self::BadSignature => {
                "compare the signer's key (`miyu id`), the --id (the default is 1234567812345678) and both files"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<BadRecord> for SealError {
    /// For the records of a file that is read.
    fn from(bad: BadRecord) -> Self {
        match bad {
            BadRecord::Length { index, .. } | BadRecord::Tag { index } => Self::Changed { index },
            BadRecord::Place { .. } => Self::TooLong,
        }
    }
}

impl From<BadSignature> for SealError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}
