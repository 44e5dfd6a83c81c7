//! Everything that can be wrong with a key file, by name.

use std::path::{Path, PathBuf};

use super::pbes2::ITERATIONS_MAX;
use super::pem::KEY_FILE_BYTES_MAX;
use crate::crypto::sm2::BadPoint;

/// Why a key file could not be read or written.
///
/// The variants with a path are about the file; those without are about its contents (the caller knows which).
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The operating system refused.
    #[error("cannot {action} key file {}: {source}", path.display())]
    Io {
        /// The file, or the folder that was to hold it.
        path: PathBuf,
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device stands where the key should be.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Its mode lets the group or everybody at the key.
    #[error("key file {} is open to others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// The permission bits, to be 600.
        mode: u32,
    },
    /// There is something at the path already; a key is never overwritten.
    #[error("{} exists already; a key is never overwritten", path.display())]
    AlreadyExists {
        /// What is there.
        path: PathBuf,
    },
    /// No key file is so long.
    #[error("key file is longer than {KEY_FILE_BYTES_MAX} bytes")]
    TooLong,
    /// There is no `-----BEGIN …-----` line.
    #[error("key file is not pem: it has no `-----BEGIN …-----` line")]
    NotPem,
    /// The armour or the base64 in it is damaged.
    #[error("key file is damaged: {reason}")]
    BrokenPem {
        /// What does not hold.
        reason: &'static str,
    },
    /// Something follows the key.
    #[error("key file holds more than one key: there is text after its END line")]
    TrailingText,
    /// A public key, where the private one is needed.
    #[error("key file holds a public key, not a private one")]
    PublicKey,
    /// A public key file whose key is none of SM2.
    #[error("{0}")]
    BadPublicKey(BadPoint),
    /// Another kind of PEM block.
    #[error("key file holds a `{label}`, not an sm2 private key")]
    OtherContent {
        /// The label of the block.
        label: String,
    },
    /// Encrypted the way of PEM before PKCS#8 (`Proc-Type`, one round of MD5).
    #[error("key file is encrypted in the old openssl format, which is too weak to use")]
    LegacyEncryption,
    /// It is encrypted and there is no passphrase.
    #[error("key file is encrypted and needs a passphrase")]
    NeedsPassphrase,
    /// The passphrase does not open it.
    #[error("passphrase is wrong (or the encrypted key is damaged)")]
    WrongPassphrase,
    /// The DER ends too early.
    #[error("key file is damaged: {part} is cut short")]
    Truncated {
        /// The structure that ends too early.
        part: &'static str,
    },
    /// The DER goes on where it should end.
    #[error("key file is damaged: there is more data after {part}")]
    TrailingData {
        /// The structure that should have been the last.
        part: &'static str,
    },
    /// The DER is not what the format says.
    #[error("key file is damaged: {part} is not what its format says")]
    Malformed {
        /// The structure.
        part: &'static str,
    },
    /// A key of another algorithm.
    #[error("key file holds a key of another algorithm ({algorithm}), not sm2")]
    OtherAlgorithm {
        /// Its name, or object identifier.
        algorithm: String,
    },
    /// An elliptic-curve key on another curve.
    #[error("key file holds a key on another curve ({curve}), not sm2")]
    OtherCurve {
        /// Its name, or object identifier.
        curve: String,
    },
    /// The curve is written out by its parameters, not named.
    #[error("key file spells out the parameters of its curve instead of naming sm2")]
    ExplicitCurve,
    /// The curve is not given at all.
    #[error("key file does not say which curve its key is on")]
    NoCurve,
    /// An encryption that is none of SM4-CBC under PBKDF2 with HMAC-SM3 or HMAC-SHA256.
    #[error("key file is encrypted with {what}, which is not read here")]
    OtherEncryption {
        /// The scheme, cipher or function that is not known.
        what: String,
    },
    /// So many rounds would keep us busy for minutes: a mistake or an attack.
    #[error("key file asks for {iterations} rounds of pbkdf2; at most {ITERATIONS_MAX} are read")]
    TooManyIterations {
        /// What the file says.
        iterations: u64,
    },
    /// The secret number is not in 1..=n-2.
    #[error("secret key in the file is out of range for the sm2 curve")]
    OutOfRange,
    /// The file carries a public key that is not the one of its secret key.
    #[error("public key in the file does not belong to its secret key")]
    PublicKeyMismatch,
}

impl KeyFileError {
    /// The command or the step that mends it, where there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io { source, action: "read", .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "make a key with `miyu keygen`, or give the path of the one that you have".to_owned()
            }
            Self::OpenToOthers { path, .. } => format!("chmod 600 {}", shell_word(path)),
            Self::AlreadyExists { .. } => "choose another path, or move the old key away first".to_owned(),
            Self::PublicKey => "give the file that `miyu keygen` or `openssl genpkey` wrote".to_owned(),
            Self::LegacyEncryption | Self::OtherEncryption { .. } => {
                "rewrite it: openssl pkcs8 -topk8 -v2 sm4-cbc -v2prf hmacWithSHA256 -in OLD -out NEW".to_owned()
            }
            Self::NeedsPassphrase => {
                "run it on a terminal, or give --passphrase-file FILE or MIYU_PASSPHRASE_FILE".to_owned()
            }
            Self::OtherAlgorithm { .. } | Self::OtherCurve { .. } => "make an sm2 key with `miyu keygen`".to_owned(),
            Self::ExplicitCurve | Self::NoCurve => {
                "rewrite it: openssl pkey -in OLD -out NEW -ec_param_enc named_curve".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// `path` as one word of a POSIX shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
