//! What a public key is called: `PeerId`, `sm2:` line, fingerprint, safety number.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::crypto::sm2::{BadPoint, COMPRESSED_BYTES, PublicKey};
use crate::crypto::sm3::{self, DIGEST_BYTES, Sm3};

/// What a public key line starts with.
pub const KEY_LINE_PREFIX: &str = "sm2:";

/// SM3 computations that make one half of a safety number. They slow down a search for a key whose digits
/// resemble another's.
pub const SAFETY_NUMBER_ROUNDS: u32 = 5200;

/// Separates the digests of safety numbers from all other uses of SM3.
const SAFETY_NUMBER_DOMAIN: &[u8] = b"miyu/1 safety number";

/// The SM3 digest of a peer's SubjectPublicKeyInfo; ordered by its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub(crate) [u8; DIGEST_BYTES]);

impl PeerId {
    /// The id of the owner of `key`.
    pub fn of(key: &PublicKey) -> Self {
        Self(sm3::digest(&key.spki_der()))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    /// The first 8 bytes in hexadecimal: enough to tell the peers of a table apart, not to trust one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a public key line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyLineError {
    /// It does not start with [`KEY_LINE_PREFIX`].
    #[error("public key does not start with `sm2:`")]
    NoPrefix,
    /// What follows is not base64url without padding.
    #[error("public key is not base64url after `sm2:` (letters, digits, - and _, without = or spaces)")]
    NotBase64,
    /// It is base64url of another number of bytes.
    #[error("public key has {got} bytes after `sm2:` instead of 33; was it cut or pasted twice?")]
    Length {
        /// The bytes that the line holds.
        got: usize,
    },
    /// The 33 bytes are no compressed point of the curve.
    #[error("{0}; is a character mistyped?")]
    NotAPoint(BadPoint),
}

impl KeyLineError {
    /// How the line should look.
    pub fn hint(&self) -> Option<String> {
        Some("copy the whole line that `miyu id` prints on the other side: sm2: and 44 characters".to_owned())
    }
}

/// The line that the other side puts into its table: `sm2:` and base64url (RFC 4648 §5, no padding) of the
/// compressed point, 48 characters in all.
pub fn key_line(key: &PublicKey) -> String {
    format!("{KEY_LINE_PREFIX}{}", Base64UrlUnpadded::encode_string(&key.to_compressed()))
}

/// Reads what [`key_line`] writes.
///
/// # Errors
/// [`KeyLineError`] says which part is wrong.
pub fn parse_key_line(line: &str) -> Result<PublicKey, KeyLineError> {
    let text = line.strip_prefix(KEY_LINE_PREFIX).ok_or(KeyLineError::NoPrefix)?;
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(KeyLineError::NotBase64);
    }
    // four characters hold three bytes; told before decoding, so that a line of any length costs nothing
    let length = text.len() / 4 * 3 + (text.len() % 4).saturating_sub(1);
    if length != COMPRESSED_BYTES || text.len() % 4 == 1 {
        return Err(KeyLineError::Length { got: length });
    }
    let mut bytes = [0u8; COMPRESSED_BYTES];
    Base64UrlUnpadded::decode(text, &mut bytes).map_err(|_| KeyLineError::NotBase64)?;
    PublicKey::from_compressed(&bytes).map_err(KeyLineError::NotAPoint)
}

/// The whole [`PeerId`] for people: 64 hexadecimal digits in 16 groups of 4, separated by spaces.
pub fn fingerprint(key: &PublicKey) -> String {
    let groups: Vec<String> =
        PeerId::of(key).0.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    groups.join(" ")
}

/// A number that two people compare to be sure that each has the other's key: 60 digits in 12 groups of 5,
/// separated by spaces, the same whichever key is `a`.
///
/// Each key gives 30 digits: h₁ = SM3("miyu/1 safety number" ‖ SPKI), hᵢ = SM3(hᵢ₋₁ ‖ SPKI) up to
/// i = [`SAFETY_NUMBER_ROUNDS`]; the first 30 bytes of the last h are six numbers of 5 bytes, big-endian,
/// each modulo 100,000 as five digits. The smaller half, compared as text, comes first.
pub fn safety_number(a: &PublicKey, b: &PublicKey) -> String {
    let (a, b) = (safety_half(a), safety_half(b));
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    format!("{first} {second}")
}

fn safety_half(key: &PublicKey) -> String {
    let spki = key.spki_der();
    let chain = |before: &[u8]| {
        let mut hash = Sm3::new();
        hash.update(before);
        hash.update(&spki);
        hash.finish()
    };
    let first = chain(SAFETY_NUMBER_DOMAIN);
    let last = (1..SAFETY_NUMBER_ROUNDS).fold(first, |before, _| chain(&before));
    let groups: Vec<String> = last
        .chunks_exact(5)
        .map(|chunk| chunk.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
        .map(|number| format!("{:05}", number % 100_000))
        .collect();
    groups.join(" ")
}
