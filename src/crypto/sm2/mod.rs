//! SM2, the elliptic-curve algorithms of GB/T 32918 on its recommended 256-bit curve (GB/T 32918.5):
//! key pairs, signatures, Diffie–Hellman, and the encodings of public keys.
//!
//! Signatures hash the signer's ID with the message: [`TLS_ID`] inside TLS 1.3, [`DEFAULT_ID`] everywhere else.

mod der;
mod field;
mod limbs;
mod multiply;
mod nonce;
mod point;
mod scalar;
#[cfg(test)]
mod tests;
mod verify;

use std::sync::OnceLock;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use field::Field;
use nonce::Nonces;
use point::Affine;
use scalar::Scalar;

use super::sm3::Sm3;

/// The ID of a signer that has agreed on no other (GM/T 0009-2012 §10): signatures over files.
pub const DEFAULT_ID: &[u8] = b"1234567812345678";

/// The ID in a TLS 1.3 CertificateVerify (RFC 8998 §3.2.1).
pub const TLS_ID: &[u8] = b"TLSv1.3+GM+Cipher+Suite";

/// The longest ID in bytes: its length in bits is hashed as 16 bits (GB/T 32918.2 §5.5).
pub const ID_BYTES_MAX: usize = 8191;

/// Length of a secret key (a big-endian scalar) in bytes.
pub const SECRET_BYTES: usize = 32;

/// Length of an uncompressed point in bytes: 0x04, x, y.
pub const UNCOMPRESSED_BYTES: usize = 65;

/// Length of a compressed point in bytes: 0x02 or 0x03 for the parity of y, x.
pub const COMPRESSED_BYTES: usize = 33;

/// Length of a SubjectPublicKeyInfo in bytes.
pub const SPKI_BYTES: usize = 91;

/// The DER signature has 72 bytes at most: two integers of 33 bytes with headers.
pub const SIGNATURE_BYTES_MAX: usize = 72;

/// SubjectPublicKeyInfo (RFC 5480 §2) up to the point: id-ecPublicKey, curve 1.2.156.10197.1.301,
/// then a BIT STRING of 65 bytes.
const SPKI_PREFIX: [u8; SPKI_BYTES - UNCOMPRESSED_BYTES] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf,
    0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
];

/// a, b and the base point as ZA hashes them (GB/T 32918.5 §2; GB/T 32918.2 §5.5).
const CURVE_PARAMETERS: [[u8; 32]; 4] = [
    hex32(b"FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"),
    hex32(b"28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"),
    hex32(b"32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"),
    hex32(b"BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"),
];

/// Bytes that are no secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("secret key is out of range: it must be a number from 1 to n-2, n being the order of the sm2 curve")]
pub struct BadKey;

/// Bytes that are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPoint {
    /// The length is not that of the encoding that was asked for.
    #[error("public key has {got} bytes instead of {want}")]
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes that the encoding has.
        want: usize,
    },
    /// The first byte names another encoding: uncompressed is 0x04, compressed is 0x02 or 0x03.
    #[error("public key starts with {got:#04x}, which is not the encoding that is used here")]
    Form {
        /// The first byte given.
        got: u8,
    },
    /// The coordinates are out of range or do not solve the equation of the curve.
    #[error("public key is not a point of the sm2 curve")]
    NotOnCurve,
    /// The bytes before the point are not those of an SM2 SubjectPublicKeyInfo.
    #[error("public key is not an sm2 SubjectPublicKeyInfo with an uncompressed point")]
    NotSpki,
}

/// The signature is not one of this message, ID and key, or not strict DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sm2 signature is wrong: another key, another id, a changed message or a damaged signature")]
pub struct BadSignature;

/// A secret scalar d in 1..=n-2 (GB/T 32918.1 §6.1), with its public key. Wiped on drop; never printed.
#[derive(Clone)]
pub struct SecretKey {
    scalar: Scalar,
    /// (1 + d)⁻¹ mod n, which every signature needs and no other use: worked out for the first.
    inverse: OnceLock<Scalar>,
    public: PublicKey,
}

impl SecretKey {
    /// A new key: 32 bytes of `rng`, again until they are in range (the first try is, but for 2⁻³² of cases).
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0u8; SECRET_BYTES]);
        loop {
            rng.fill_bytes(&mut *bytes);
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// Takes the big-endian scalar `bytes`.
    ///
    /// # Errors
    /// [`BadKey`] unless it is in 1..=n-2: n-1 would make 1 + d vanish, and d = 0 has no public key.
    pub fn from_bytes(bytes: &[u8; SECRET_BYTES]) -> Result<Self, BadKey> {
        let mut scalar = Scalar::from_be_bytes(bytes).ok_or(BadKey)?;
        // Whether the range is kept is no secret of a key that is kept.
        if (scalar.is_zero() | scalar.add(&Scalar::ONE).is_zero()) != 0 {
            return Err(BadKey);
        }
        let public = PublicKey::new(multiply::multiply_base(&scalar).to_affine());
        let key = Self { scalar, inverse: OnceLock::new(), public };
        scalar.zeroize();
        Ok(key)
    }

    /// The big-endian scalar.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SECRET_BYTES]> {
        Zeroizing::new(self.scalar.to_be_bytes())
    }

    /// The public key \[d\]G.
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// The x coordinate of \[d\]P: the shared secret of RFC 8998 §3.1 (curveSM2) and of RFC 8446 §7.4.2.
    /// The cofactor is 1 and a [`PublicKey`] is never the identity, so neither is the result.
    pub fn diffie_hellman(&self, peer: &PublicKey) -> Zeroizing<[u8; 32]> {
        let mut shared = multiply::multiply(&self.scalar, &peer.point);
        let mut x = shared.to_x();
        let bytes = Zeroizing::new(x.to_be_bytes());
        shared.zeroize();
        x.zeroize();
        bytes
    }

    /// Signs `message` as the signer `id` (GB/T 32918.2 §6.1); the result is DER, SEQUENCE { r, s }, of at most
    /// [`SIGNATURE_BYTES_MAX`] bytes.
    ///
    /// The nonce is deterministic: RFC 6979 with HMAC-SM3 over key and hash, so no failing random source can
    /// leak the key, and equal inputs give equal signatures. An `id` over [`ID_BYTES_MAX`] has no encoding in
    /// the standard: its signature verifies nowhere.
    pub fn sign(&self, id: &[u8], message: &[u8]) -> Vec<u8> {
        self.sign_scalar(&self.public.message_scalar(id, message))
    }

    fn sign_scalar(&self, e: &Scalar) -> Vec<u8> {
        let mut nonces = Nonces::new(&self.scalar, e);
        loop {
            let mut k = nonces.next_nonce();
            let signature = self.sign_with_nonce(e, &k);
            k.zeroize();
            if let Some((r, s)) = signature {
                return der::encode(&r, &s);
            }
        }
    }

    /// Signs a `digest` that [`PublicKey::message_hash`] began; what [`Self::sign`] gives for the whole message.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Vec<u8> {
        self.sign_scalar(&Scalar::reduce_be_bytes(digest))
    }

    /// Both coordinates of \[d\]P, x ‖ y: what encryption to a public key derives its key from
    /// (GB/T 32918.4 §6.1 A4).
    pub fn shared_point(&self, peer: &PublicKey) -> Zeroizing<[u8; UNCOMPRESSED_BYTES - 1]> {
        let mut shared = multiply::multiply(&self.scalar, &peer.point);
        let mut affine = shared.to_affine();
        let mut out = Zeroizing::new([0u8; UNCOMPRESSED_BYTES - 1]);
        out[..32].copy_from_slice(&affine.x.to_be_bytes());
        out[32..].copy_from_slice(&affine.y.to_be_bytes());
        shared.zeroize();
        affine.zeroize();
        out
    }

    /// r and s of the hash `e` under the nonce `k` (GB/T 32918.2 §6.1 steps 4 to 6); `None` if the standard demands
    /// another nonce: r = 0, r + k = n or s = 0.
    #[inline(never)] // tests/alone/ct.supp names it
    fn sign_with_nonce(&self, e: &Scalar, k: &Scalar) -> Option<(Scalar, Scalar)> {
        let mut inverse = *self.inverse.get_or_init(|| self.scalar.add(&Scalar::ONE).invert());
        let mut point = multiply::multiply_base(k);
        let r = e.add(&Scalar::reduce_be_bytes(&point.to_x().to_be_bytes()));
        // s = (1 + d)⁻¹ (k - r d), written so that one product is enough: (1 + d)⁻¹ (k + r) - r
        let mut r_plus_k = r.add(k);
        let s = inverse.mul(&r_plus_k).sub(&r);
        // r and s are published, and that r + k is not n tells nothing of k.
        let refused = r.is_zero() | r_plus_k.is_zero() | s.is_zero();
        inverse.zeroize();
        point.zeroize();
        r_plus_k.zeroize();
        (refused == 0).then_some((r, s))
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl ConstantTimeEq for SecretKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.scalar.limbs().ct_eq(other.scalar.limbs())
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
        if let Some(mut inverse) = self.inverse.take() {
            inverse.zeroize();
        }
    }
}

impl ZeroizeOnDrop for SecretKey {}

/// A point of the curve other than the identity. The cofactor is 1: every such point is a public key.
#[derive(Clone)]
pub struct PublicKey {
    point: Affine,
    /// The uncompressed encoding, kept because it is what gets hashed, compared and sent.
    encoded: [u8; UNCOMPRESSED_BYTES],
}

impl PublicKey {
    /// Reads exactly 65 bytes: 0x04, x, y, as TLS demands of curveSM2 (RFC 8446 §4.2.8.2).
    ///
    /// # Errors
    /// [`BadPoint`] for another length, another form (compressed, hybrid 06/07, identity), or a point off the curve.
    pub fn from_uncompressed(bytes: &[u8]) -> Result<Self, BadPoint> {
        let encoded = encoding::<UNCOMPRESSED_BYTES>(bytes, &[0x04])?;
        let (x, y) = encoded[1..].split_at(32);
        let coordinates = x.first_chunk().zip(y.first_chunk());
        let point = coordinates.and_then(|(x, y)| Affine::from_be_bytes(x, y)).ok_or(BadPoint::NotOnCurve)?;
        Ok(Self { point, encoded: *encoded })
    }

    /// Reads exactly 33 bytes: 0x02 or 0x03, x.
    ///
    /// # Errors
    /// [`BadPoint`] for another length or form, or an x that no point of the curve has.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, BadPoint> {
        let encoded = encoding::<COMPRESSED_BYTES>(bytes, &[0x02, 0x03])?;
        let point = encoded[1..].first_chunk().and_then(|x| Affine::from_x(x, encoded[0] == 0x03));
        point.map(Self::new).ok_or(BadPoint::NotOnCurve)
    }

    /// The key whose point is `point`, which must be one of the curve.
    fn new(point: Affine) -> Self {
        let mut encoded = [0x04; UNCOMPRESSED_BYTES];
        encoded[1..33].copy_from_slice(&point.x.to_be_bytes());
        encoded[33..].copy_from_slice(&point.y.to_be_bytes());
        Self { point, encoded }
    }

    /// 0x04, x, y.
    pub fn to_uncompressed(&self) -> [u8; UNCOMPRESSED_BYTES] {
        self.encoded
    }

    /// 0x02 for an even y or 0x03 for an odd one, x.
    pub fn to_compressed(&self) -> [u8; COMPRESSED_BYTES] {
        let mut out = [0u8; COMPRESSED_BYTES];
        out.copy_from_slice(&self.encoded[..COMPRESSED_BYTES]);
        out[0] = 0x02 | (self.encoded[UNCOMPRESSED_BYTES - 1] & 1);
        out
    }

    /// The SubjectPublicKeyInfo in DER: id-ecPublicKey, curve 1.2.156.10197.1.301, uncompressed point.
    pub fn spki_der(&self) -> [u8; SPKI_BYTES] {
        let mut out = [0u8; SPKI_BYTES];
        out[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        out[SPKI_PREFIX.len()..].copy_from_slice(&self.encoded);
        out
    }

    /// Reads what [`Self::spki_der`] writes, and no other form of the same key.
    ///
    /// # Errors
    /// [`BadPoint`] for another length, algorithm, curve or form, or a point off the curve.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, BadPoint> {
        if der.len() != SPKI_BYTES {
            return Err(BadPoint::Length { got: der.len(), want: SPKI_BYTES });
        }
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or(BadPoint::NotSpki)?;
        Self::from_uncompressed(point)
    }

    /// Checks a DER signature of `message` by the signer `id` (GB/T 32918.2 §7.1), in variable time: nothing
    /// here is secret.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not match, is not strict DER, or `id` is over [`ID_BYTES_MAX`].
    pub fn verify(&self, id: &[u8], message: &[u8], signature_der: &[u8]) -> Result<(), BadSignature> {
        if id.len() > ID_BYTES_MAX {
            return Err(BadSignature);
        }
        self.verify_hash(&self.message_scalar(id, message), signature_der)
    }

    /// Checks a DER signature of a `digest` that [`Self::message_hash`] began.
    ///
    /// # Errors
    /// [`BadSignature`] if it does not match or is not strict DER.
    pub fn verify_digest(&self, digest: &[u8; 32], signature_der: &[u8]) -> Result<(), BadSignature> {
        self.verify_hash(&Scalar::reduce_be_bytes(digest), signature_der)
    }

    /// Checks a DER signature of the hash `e`.
    fn verify_hash(&self, e: &Scalar, signature_der: &[u8]) -> Result<(), BadSignature> {
        // steps 1 and 2: r and s are in 1..n
        let (r, s) = der::decode(signature_der).ok_or(BadSignature)?;
        // step 5: t = r + s is not 0
        let t = r.add(&s);
        if t.is_zero() != 0 {
            return Err(BadSignature);
        }
        // steps 6 and 7: e + x = r mod n for the x of [s]G + [t]P, which is below p: r - e, or n more if that is below p
        let point = verify::multiply_and_add(&s, &t, &self.point);
        let x = r.sub(e);
        let fits = |x: Option<Field>| x.is_some_and(|x| point.has_x(&x));
        if fits(Field::from_number(x.limbs())) || fits(x.plus_order().and_then(|x| Field::from_number(&x))) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    /// The hash over a message signed by `id`, before its first byte: ZA = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ this key) is in
    /// it (GB/T 32918.2 §5.5). Append the message and give the digest to [`SecretKey::sign_digest`] or
    /// [`Self::verify_digest`]. An `id` over [`ID_BYTES_MAX`] has no encoding in the standard: refuse it beforehand.
    pub fn message_hash(&self, id: &[u8]) -> Sm3 {
        // the odd value stands for an id that is too long: no id of whole bytes has it
        let id_bits = u16::try_from(id.len().saturating_mul(8)).unwrap_or(u16::MAX);
        let mut za = Sm3::new();
        za.update(&id_bits.to_be_bytes());
        za.update(id);
        za.update(CURVE_PARAMETERS.as_flattened());
        za.update(&self.encoded[1..]);
        let mut e = Sm3::new();
        e.update(&za.finish());
        e
    }

    /// e = SM3(ZA ‖ M) mod n.
    fn message_scalar(&self, id: &[u8], message: &[u8]) -> Scalar {
        let mut e = self.message_hash(id);
        e.update(message);
        Scalar::reduce_be_bytes(&e.finish())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.encoded.hash(state);
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey(")?;
        self.to_compressed().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// `bytes` if they have the length and one of the first bytes of an encoding.
fn encoding<'a, const LENGTH: usize>(bytes: &'a [u8], forms: &[u8]) -> Result<&'a [u8; LENGTH], BadPoint> {
    match <&[u8; LENGTH]>::try_from(bytes) {
        Err(_) => Err(BadPoint::Length { got: bytes.len(), want: LENGTH }),
        Ok(encoded) if forms.contains(&encoded[0]) => Ok(encoded),
        Ok(encoded) => Err(BadPoint::Form { got: encoded[0] }),
    }
}

/// 32 bytes from 64 upper-case hexadecimal digits, at compile time.
const fn hex32(digits: &[u8; 64]) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        if digit >= b'A' { digit - b'A' + 10 } else { digit - b'0' }
    }
    let mut out = [0u8; 32];
    let mut index = 0;
    while index < 32 {
        out[index] = nibble(digits[2 * index]) << 4 | nibble(digits[2 * index + 1]);
        index += 1;
    }
    out
}
