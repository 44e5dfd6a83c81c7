//! SM2, the elliptic-curve algorithms of GB/T 32918 on its recommended 256-bit curve (GB/T 32918.5):
//! key pairs, signatures, Diffie–Hellman, and the encodings of public keys.
//!
//! Signatures hash the signer's ID with the message: [`TLS_ID`] inside TLS 1.3, [`DEFAULT_ID`] everywhere else.

use ::sm2::elliptic_curve::Group;
use ::sm2::elliptic_curve::ff::PrimeField;
use ::sm2::elliptic_curve::ops::{MulByGeneratorVartime, Reduce};
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::elliptic_curve::sec1::ToSec1Point;
use ::sm2::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use der::asn1::UintRef;
use der::{Reader, SliceReader};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kdf;
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

/// A secret scalar d in 1..=n-2 (GB/T 32918.1 §6.1), with its public key and (1 + d)⁻¹ computed once.
/// Wiped on drop; never printed.
#[derive(Clone)]
pub struct SecretKey {
    scalar: Scalar,
    /// (1 + d)⁻¹ mod n, the inverse that every signature needs.
    inverse: Scalar,
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
        let scalar = Scalar::from_repr(FieldBytes::from(*bytes)).into_option().ok_or(BadKey)?;
        if bool::from(scalar.is_zero()) {
            return Err(BadKey);
        }
        let inverse = (scalar + Scalar::ONE).invert().into_option().ok_or(BadKey)?;
        let public =
            PublicKey::from_affine(ProjectivePoint::mul_by_generator(&scalar).to_affine()).map_err(|_| BadKey)?;
        Ok(Self { scalar, inverse, public })
    }

    /// The big-endian scalar.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SECRET_BYTES]> {
        Zeroizing::new(self.scalar.to_repr().into())
    }

    /// The public key \[d\]G.
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// The x coordinate of \[d\]P: the shared secret of RFC 8998 §3.1 (curveSM2) and of RFC 8446 §7.4.2.
    /// The cofactor is 1 and a [`PublicKey`] is never the identity, so neither is the result.
    pub fn diffie_hellman(&self, peer: &PublicKey) -> Zeroizing<[u8; 32]> {
        let shared = ProjectivePoint::from(peer.point) * self.scalar;
        Zeroizing::new(shared.to_affine().x().into())
    }

    /// Signs `message` as the signer `id` (GB/T 32918.2 §6.1); the result is DER, SEQUENCE { r, s }, of at most
    /// [`SIGNATURE_BYTES_MAX`] bytes.
    ///
    /// The nonce is deterministic: RFC 6979 with HMAC-SM3 over key and hash, so no failing random source can
    /// leak the key, and equal inputs give equal signatures. An `id` over [`ID_BYTES_MAX`] has no encoding in
    /// the standard: its signature verifies nowhere.
    pub fn sign(&self, id: &[u8], message: &[u8]) -> Vec<u8> {
        let e = self.public.message_scalar(id, message);
        let mut nonces = Nonces::new(&self.scalar, &e);
        loop {
            let mut k = nonces.next_nonce();
            let signature = self.sign_with_nonce(&e, &k);
            k.zeroize();
            if let Some((r, s)) = signature {
                return signature_der(&r, &s);
            }
        }
    }

    /// r and s of the hash `e` under the nonce `k`; `None` if the standard demands another nonce.
    fn sign_with_nonce(&self, e: &Scalar, k: &Scalar) -> Option<(Scalar, Scalar)> {
        let x = ProjectivePoint::mul_by_generator(k).to_affine().x();
        let r = *e + Scalar::reduce(&x);
        // s = (1 + d)⁻¹ (k - r d), written so that one product is enough: (1 + d)⁻¹ (k + r) - r
        let r_plus_k = r + k;
        let s = self.inverse * r_plus_k - r;
        (!bool::from(r.is_zero() | r_plus_k.is_zero() | s.is_zero())).then_some((r, s))
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl ConstantTimeEq for SecretKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.scalar.ct_eq(&other.scalar)
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
        self.inverse.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

/// A point of the curve other than the identity. The cofactor is 1: every such point is a public key.
#[derive(Clone)]
pub struct PublicKey {
    point: AffinePoint,
    /// The uncompressed encoding, kept because it is what gets hashed, compared and sent.
    encoded: [u8; UNCOMPRESSED_BYTES],
}

impl PublicKey {
    /// Reads exactly 65 bytes: 0x04, x, y, as TLS demands of curveSM2 (RFC 8446 §4.2.8.2).
    ///
    /// # Errors
    /// [`BadPoint`] for another length, another form (compressed, hybrid 06/07, identity), or a point off the curve.
    pub fn from_uncompressed(bytes: &[u8]) -> Result<Self, BadPoint> {
        Self::from_sec1(bytes, UNCOMPRESSED_BYTES, &[0x04])
    }

    /// Reads exactly 33 bytes: 0x02 or 0x03, x.
    ///
    /// # Errors
    /// [`BadPoint`] for another length or form, or an x that no point of the curve has.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, BadPoint> {
        Self::from_sec1(bytes, COMPRESSED_BYTES, &[0x02, 0x03])
    }

    fn from_sec1(bytes: &[u8], want: usize, forms: &[u8]) -> Result<Self, BadPoint> {
        match bytes.first() {
            _ if bytes.len() != want => Err(BadPoint::Length { got: bytes.len(), want }),
            Some(form) if !forms.contains(form) => Err(BadPoint::Form { got: *form }),
            _ => {
                let key = ::sm2::PublicKey::from_sec1_bytes(bytes).map_err(|_| BadPoint::NotOnCurve)?;
                Self::from_affine(*key.as_affine())
            }
        }
    }

    fn from_affine(point: AffinePoint) -> Result<Self, BadPoint> {
        let encoded = point.to_sec1_point(false).as_bytes().try_into();
        encoded.map(|encoded| Self { point, encoded }).map_err(|_| BadPoint::NotOnCurve)
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

    /// Checks a DER signature of the hash `e`.
    fn verify_hash(&self, e: &Scalar, signature_der: &[u8]) -> Result<(), BadSignature> {
        let (r, s) = signature_scalars(signature_der).ok_or(BadSignature)?;
        let t = r + s;
        if bool::from(t.is_zero()) {
            return Err(BadSignature);
        }
        let key = ProjectivePoint::from(self.point);
        let point = ProjectivePoint::mul_by_generator_and_mul_add_vartime(&s, &t, &key);
        if bool::from(point.is_identity()) {
            return Err(BadSignature);
        }
        let x = Scalar::reduce(&point.to_affine().x());
        if *e + x == r { Ok(()) } else { Err(BadSignature) }
    }

    /// e = SM3(ZA ‖ M) mod n, ZA = SM3(ENTL ‖ ID ‖ a ‖ b ‖ G ‖ this key) (GB/T 32918.2 §5.5).
    fn message_scalar(&self, id: &[u8], message: &[u8]) -> Scalar {
        // the odd value stands for an id that is too long: no id of whole bytes has it
        let id_bits = u16::try_from(id.len().saturating_mul(8)).unwrap_or(u16::MAX);
        let mut za = Sm3::new();
        za.update(&id_bits.to_be_bytes());
        za.update(id);
        za.update(CURVE_PARAMETERS.as_flattened());
        za.update(&self.encoded[1..]);
        let mut e = Sm3::new();
        e.update(&za.finish());
        e.update(message);
        Scalar::reduce(&FieldBytes::from(e.finish()))
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

/// The nonces of RFC 6979 §3.2 with HMAC-SM3; n has as many bits as SM3 gives, so one HMAC makes one candidate.
struct Nonces {
    key: [u8; 32],
    value: [u8; 32],
}

impl Nonces {
    fn new(secret: &Scalar, e: &Scalar) -> Self {
        let secret = Zeroizing::new(<[u8; 32]>::from(secret.to_repr()));
        let e: [u8; 32] = e.to_repr().into();
        let mut state = Self { key: [0; 32], value: [1; 32] };
        for step in [0u8, 1] {
            state.key = kdf::hmac(&state.key, &[&state.value, &[step], &*secret, &e]);
            state.value = kdf::hmac(&state.key, &[&state.value]);
        }
        state
    }

    /// The next k in 1..n.
    fn next_nonce(&mut self) -> Scalar {
        loop {
            self.value = kdf::hmac(&self.key, &[&self.value]);
            let candidate = Scalar::from_repr(FieldBytes::from(self.value)).into_option();
            // stepped at once, so that a caller who asks again gets another nonce
            self.key = kdf::hmac(&self.key, &[&self.value, &[0]]);
            self.value = kdf::hmac(&self.key, &[&self.value]);
            if let Some(k) = candidate.filter(|k| !bool::from(k.is_zero())) {
                return k;
            }
        }
    }
}

impl Drop for Nonces {
    fn drop(&mut self) {
        self.key.zeroize();
        self.value.zeroize();
    }
}

/// SEQUENCE { r INTEGER, s INTEGER } (GM/T 0009-2012 §7.3). Both are under 2²⁵⁶, so all lengths fit one byte.
fn signature_der(r: &Scalar, s: &Scalar) -> Vec<u8> {
    let mut body = Vec::with_capacity(SIGNATURE_BYTES_MAX);
    for scalar in [r, s] {
        let bytes: [u8; 32] = scalar.to_repr().into();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let digits = &bytes[zeros..];
        let sign_byte = digits.first().is_none_or(|byte| *byte >= 0x80);
        body.extend([0x02, (digits.len() + usize::from(sign_byte)) as u8]);
        body.extend(sign_byte.then_some(0));
        body.extend_from_slice(digits);
    }
    let mut out = vec![0x30, body.len() as u8];
    out.extend_from_slice(&body);
    out
}

/// r and s in 1..n from strict DER: minimal lengths and integers, nothing after them.
fn signature_scalars(signature: &[u8]) -> Option<(Scalar, Scalar)> {
    let mut reader = SliceReader::new(signature).ok()?;
    let (r, s) = reader
        .sequence(|inner| Ok::<_, der::Error>((inner.decode::<UintRef<'_>>()?, inner.decode::<UintRef<'_>>()?)))
        .ok()?;
    reader.finish().ok()?;
    Some((signature_scalar(r)?, signature_scalar(s)?))
}

fn signature_scalar(integer: UintRef<'_>) -> Option<Scalar> {
    let digits = integer.as_bytes();
    let mut bytes = [0u8; 32];
    bytes[32usize.checked_sub(digits.len())?..].copy_from_slice(digits);
    let scalar = Scalar::from_repr(FieldBytes::from(bytes)).into_option()?;
    (!bool::from(scalar.is_zero())).then_some(scalar)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// The signature example of GB/T 32918.5-2017 annex A.2 fixes the nonce, which no caller may.
    #[test]
    fn the_standards_nonce_gives_the_standards_signature() {
        let d = hex32(b"3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
        let k = hex32(b"59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
        let key = SecretKey::from_bytes(&d).unwrap();
        let e = key.public.message_scalar(DEFAULT_ID, b"message digest");
        let k = Scalar::from_repr(FieldBytes::from(k)).unwrap();
        let (r, s) = key.sign_with_nonce(&e, &k).unwrap();
        let bytes = |scalar: Scalar| <[u8; 32]>::from(scalar.to_repr());
        let hash = hex32(b"F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
        assert_eq!(bytes(e), hash);
        assert_eq!(bytes(r), hex32(b"F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"));
        assert_eq!(bytes(s), hex32(b"B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"));
    }

    /// r = 0, r + k = n and s = 0 must ask for another nonce, not give a signature that verifies nowhere.
    #[test]
    fn a_nonce_without_a_signature_is_refused() {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        let k = Scalar::from(11u64);
        let x = Scalar::reduce(&ProjectivePoint::mul_by_generator(&k).to_affine().x());
        assert!(key.sign_with_nonce(&-x, &k).is_none(), "r = 0");
        assert!(key.sign_with_nonce(&(-k - x), &k).is_none(), "r + k = n");
        // s = 0 when k = r d, so r = k / d
        let r = k * key.scalar.invert().unwrap();
        assert!(key.sign_with_nonce(&(r - x), &k).is_none(), "s = 0");
        assert!(key.sign_with_nonce(&Scalar::ONE, &k).is_some());
    }

    /// Signatures that solve the equation of the standard and are excluded by its ranges. No message is known
    /// to have such a hash, so the hash is chosen here.
    #[test]
    fn signatures_outside_of_the_ranges_are_refused() {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        let x_of = |secret: Scalar| Scalar::reduce(&ProjectivePoint::mul_by_generator(&secret).to_affine().x());
        let (d, seven) = (key.scalar, Scalar::from(7u64));
        let check = |r: Scalar, s: Scalar| {
            // the e that makes r = e + x([s]G + [r + s]P) true
            let e = r - x_of(s + (r + s) * d);
            key.public.verify_hash(&e, &signature_der(&r, &s))
        };
        assert_eq!(check(seven, seven), Ok(()), "the equation is right");
        assert_eq!(check(Scalar::ZERO, seven), Err(BadSignature), "r = 0");
        assert_eq!(check(seven, Scalar::ZERO), Err(BadSignature), "s = 0");
        assert_eq!(check(seven, -seven), Err(BadSignature), "t = 0");
        // [s]G + [t]P is the identity, whose x is no number: affine coordinates give 0 for it
        let s = -(seven * d) * key.inverse;
        assert_eq!(key.public.verify_hash(&seven, &signature_der(&seven, &s)), Err(BadSignature), "the identity");
    }

    #[test]
    fn asking_for_nonces_again_gives_others() {
        let mut nonces = Nonces::new(&Scalar::from(3u64), &Scalar::from(5u64));
        let first = nonces.next_nonce();
        assert_ne!(first, nonces.next_nonce());
        let mut again = Nonces::new(&Scalar::from(3u64), &Scalar::from(5u64));
        assert_eq!(first, again.next_nonce());
    }

    /// Scalars with leading zero bytes and with the top bit set are the edges of minimal DER integers.
    #[test]
    fn der_integers_are_minimal() {
        for (r, s) in [(1u64, 0x7f), (0x80, 0xff), (0x0100, u64::MAX)] {
            let der = signature_der(&Scalar::from(r), &Scalar::from(s));
            let back = signature_scalars(&der).unwrap();
            assert_eq!(back, (Scalar::from(r), Scalar::from(s)), "{r} {s}");
        }
        let longest = signature_der(&-Scalar::ONE, &-Scalar::ONE);
        assert_eq!(longest.len(), SIGNATURE_BYTES_MAX);
        assert_eq!(signature_scalars(&longest).unwrap(), (-Scalar::ONE, -Scalar::ONE));
    }
}
