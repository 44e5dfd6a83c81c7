//! SM2 public-key encryption (GB/T 32918.4) of short messages, in the DER of GM/T 0009-2012 §7.2: C1, C3, C2 as
//! SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING, cipher OCTET STRING }, which `openssl pkeyutl` speaks too.
//!
//! It says nothing about who encrypted, and a ciphertext does not say for which key it is.

use der::asn1::{OctetStringRef, UintRef};
use der::{Reader, SliceReader};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::sm2::{PublicKey, SecretKey, UNCOMPRESSED_BYTES};
use super::sm3::{DIGEST_BYTES, Sm3};

/// The longest message in bytes. The standard allows far more; what is longer is sealed with SM4 under a key that is
/// encrypted this way.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// How much longer than its message a ciphertext is at most, in bytes: the heads of the SEQUENCE and of C2 (4 each),
/// two INTEGERs of 33 bytes, C3.
pub const OVERHEAD_BYTES_MAX: usize = 4 + 2 * 35 + 34 + 4;

/// The longest ciphertext in bytes.
pub const CIPHERTEXT_BYTES_MAX: usize = MESSAGE_BYTES_MAX + OVERHEAD_BYTES_MAX;

const COORDINATE_BYTES: usize = 32;

/// A message that is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// The standard has no ciphertext of nothing.
    #[error("there is nothing to encrypt: sm2 takes messages of 1 to {MESSAGE_BYTES_MAX} bytes")]
    Empty,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("the message has {got} bytes; sm2 alone takes {MESSAGE_BYTES_MAX} at most")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
}

/// A ciphertext that gives no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// It is not the DER of GM/T 0009, or longer than [`CIPHERTEXT_BYTES_MAX`].
    #[error("this is not an sm2 ciphertext in the der of GM/T 0009 (or it is damaged)")]
    Malformed,
    /// C1 is no point of the curve (GB/T 32918.4 §7.1 B1).
    #[error("the point in the sm2 ciphertext is not on the curve: it is damaged or forged")]
    NotOnCurve,
    /// C3 does not match, or the key stream is zero (GB/T 32918.4 §7.1 B4, B6).
    #[error("sm2 ciphertext does not open: it is for another key, or it was changed")]
    Wrong,
}

/// Encrypts `message` to `key` (GB/T 32918.4 §6.1); the ephemeral key comes from `rng`.
///
/// # Errors
/// [`EncryptError`] unless the message has 1 to [`MESSAGE_BYTES_MAX`] bytes.
pub fn encrypt(key: &PublicKey, message: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, EncryptError> {
    match message.len() {
        0 => return Err(EncryptError::Empty),
        got if got > MESSAGE_BYTES_MAX => return Err(EncryptError::TooLong { got }),
        _ => {}
    }
    loop {
        // A1, A2; A3 has nothing to check, as the cofactor is 1 and a public key is never the identity
        let ephemeral = SecretKey::generate(rng);
        let shared = Shared::new(&ephemeral, key);
        let mut cipher = message.to_vec();
        // A5: a key stream of zeros would send the message as it is; one byte meets it once in 256 times
        if shared.mask(&mut cipher) {
            let c1 = ephemeral.public_key().to_uncompressed();
            return Ok(encode(&c1, &shared.check(message), &cipher));
        }
        cipher.zeroize();
    }
}

/// Decrypts what [`encrypt`] makes (GB/T 32918.4 §7.1).
///
/// # Errors
/// [`DecryptError`]; nothing of the message is left in memory then.
pub fn decrypt(key: &SecretKey, ciphertext_der: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let (c1, c3, c2) = decode(ciphertext_der).ok_or(DecryptError::Malformed)?;
    let point = PublicKey::from_uncompressed(&c1).map_err(|_| DecryptError::NotOnCurve)?;
    let shared = Shared::new(key, &point);
    let mut message = Zeroizing::new(c2.to_vec());
    let masked = shared.mask(&mut message);
    let right = shared.check(&message).ct_eq(c3);
    if masked && bool::from(right) { Ok(message) } else { Err(DecryptError::Wrong) }
}

/// The point that both sides reach, x2 ‖ y2.
struct Shared(Zeroizing<[u8; UNCOMPRESSED_BYTES - 1]>);

impl Shared {
    fn new(secret: &SecretKey, public: &PublicKey) -> Self {
        Self(secret.shared_point(public))
    }

    /// Adds the key stream KDF(x2 ‖ y2, length) to `message` (GB/T 32918.4 §5.4.3); false if the stream is zero
    /// throughout, which both sides must refuse.
    fn mask(&self, message: &mut [u8]) -> bool {
        let mut keyed = Sm3::new();
        keyed.update(&*self.0);
        let mut seen = 0;
        for (counter, chunk) in (1u32..).zip(message.chunks_mut(DIGEST_BYTES)) {
            let mut hash = keyed.clone();
            hash.update(&counter.to_be_bytes());
            let stream = Zeroizing::new(hash.finish());
            for (byte, key) in chunk.iter_mut().zip(stream.iter()) {
                *byte ^= key;
                seen |= key;
            }
        }
        seen != 0
    }

    /// C3 = SM3(x2 ‖ M ‖ y2).
    fn check(&self, message: &[u8]) -> [u8; DIGEST_BYTES] {
        let (x, y) = self.0.split_at(COORDINATE_BYTES);
        let mut hash = Sm3::new();
        hash.update(x);
        hash.update(message);
        hash.update(y);
        hash.finish()
    }
}

fn encode(c1: &[u8; UNCOMPRESSED_BYTES], c3: &[u8; DIGEST_BYTES], c2: &[u8]) -> Vec<u8> {
    let (x, y) = c1[1..].split_at(COORDINATE_BYTES);
    let mut body = Vec::with_capacity(c2.len() + OVERHEAD_BYTES_MAX);
    for number in [x, y] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count().min(COORDINATE_BYTES - 1);
        let digits = &number[zeros..];
        let sign_byte = digits.first().is_some_and(|byte| *byte >= 0x80);
        head(&mut body, 0x02, digits.len() + usize::from(sign_byte));
        body.extend(sign_byte.then_some(0));
        body.extend_from_slice(digits);
    }
    head(&mut body, 0x04, c3.len());
    body.extend_from_slice(c3);
    head(&mut body, 0x04, c2.len());
    body.extend_from_slice(c2);
    let mut out = Vec::with_capacity(body.len() + 4);
    head(&mut out, 0x30, body.len());
    out.extend_from_slice(&body);
    out
}

/// Tag and length in DER; the lengths here are under 64 KiB.
fn head(out: &mut Vec<u8>, tag: u8, length: usize) {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..0x80 => out.extend([tag, low]),
        0x80..0x100 => out.extend([tag, 0x81, low]),
        _ => out.extend([tag, 0x82, high, low]),
    }
}

/// C1 (uncompressed), C3 and C2 from strict DER.
fn decode(der: &[u8]) -> Option<([u8; UNCOMPRESSED_BYTES], &[u8], &[u8])> {
    if der.len() > CIPHERTEXT_BYTES_MAX {
        return None;
    }
    let mut reader = SliceReader::new(der).ok()?;
    let fields = reader.sequence(|inner| {
        let (x, y): (UintRef<'_>, UintRef<'_>) = (inner.decode()?, inner.decode()?);
        let (c3, c2): (&OctetStringRef, &OctetStringRef) = (inner.decode()?, inner.decode()?);
        Ok::<_, der::Error>((x, y, c3, c2))
    });
    let (x, y, c3, c2) = fields.ok()?;
    reader.finish().ok()?;
    let mut c1 = [0x04; UNCOMPRESSED_BYTES];
    let (first, second) = c1[1..].split_at_mut(COORDINATE_BYTES);
    coordinate(x, first)?;
    coordinate(y, second)?;
    let (c3, c2) = (c3.as_bytes(), c2.as_bytes());
    (c3.len() == DIGEST_BYTES && !c2.is_empty() && c2.len() <= MESSAGE_BYTES_MAX).then_some((c1, c3, c2))
}

fn coordinate(number: UintRef<'_>, out: &mut [u8]) -> Option<()> {
    let digits = number.as_bytes();
    let zeros = out.len().checked_sub(digits.len())?;
    out[..zeros].fill(0);
    out[zeros..].copy_from_slice(digits);
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// One byte meets a key stream of zero once in 256 times: encryption must try again, decryption must refuse.
    #[test]
    fn a_key_stream_of_zeros_is_never_used() {
        let key = SecretKey::from_bytes(&[9; 32]).unwrap();
        let zero = |secret: &SecretKey| !Shared::new(secret, &key.public_key()).mask(&mut [0]);
        let seeds = (0u32..).map(|seed| {
            let mut bytes = [7; 32];
            bytes[28..].copy_from_slice(&seed.to_be_bytes());
            bytes
        });
        let bad = seeds.clone().find(|seed| zero(&SecretKey::from_bytes(seed).unwrap())).unwrap();
        let ephemeral = SecretKey::from_bytes(&bad).unwrap();

        let mut rng = Fixed(vec![bad, [8; 32]]);
        let sealed = encrypt(&key.public_key(), b"x", &mut rng).unwrap();
        assert!(rng.0.is_empty(), "the first ephemeral key should have been passed over");
        assert_eq!(*decrypt(&key, &sealed).unwrap(), b"x");

        let shared = Shared::new(&ephemeral, &key.public_key());
        let plain_as_cipher = encode(&ephemeral.public_key().to_uncompressed(), &shared.check(b"x"), b"x");
        assert_eq!(decrypt(&key, &plain_as_cipher), Err(DecryptError::Wrong));
    }

    /// Deals these in order.
    struct Fixed(Vec<[u8; 32]>);

    impl rand_core::TryRng for Fixed {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!()
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!()
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.copy_from_slice(&self.0.remove(0));
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Fixed {}
}
