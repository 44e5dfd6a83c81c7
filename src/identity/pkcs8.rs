//! The DER of private keys: PrivateKeyInfo (PKCS#8, RFC 5208 and 5958) and ECPrivateKey (SEC1, RFC 5915).

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber, Tagged};
use zeroize::{Zeroize, Zeroizing};

use super::error::KeyFileError;
use crate::crypto::sm2::{COMPRESSED_BYTES, SECRET_BYTES, SecretKey, UNCOMPRESSED_BYTES};

/// id-ecPublicKey (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The recommended curve of GB/T 32918.5 (GM/T 0006-2012).
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

/// Keys of these are met in practice: named, they are easier to recognise than by number.
const NAMES: [(&str, &str); 8] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.112", "Ed25519"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.3.132.0.10", "secp256k1"),
];

/// PrivateKeyInfo up to the OCTET STRING that holds the ECPrivateKey.
const INFO_START: [u8; 24] = [
    0x02, 0x01, 0x00, // version 0
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, // the curve
];
/// Version 1 and the head of the OCTET STRING that holds the secret.
const SECRET_HEAD: [u8; 5] = [0x02, 0x01, 0x01, 0x04, 0x20];
/// \[0\] the curve.
const CURVE_FIELD: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];
/// \[1\] BIT STRING of 65 bytes.
const POINT_HEAD: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// Whether the inner ECPrivateKey names the curve once more: OpenSSL leaves it out, GmSSL wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InnerCurve {
    Omitted,
    Named,
}

/// A SEQUENCE that is read field by field; errors name the part of the file.
pub(super) struct Fields<'a> {
    reader: SliceReader<'a>,
    part: &'static str,
}

impl<'a> Fields<'a> {
    /// All of `der` must be one SEQUENCE.
    pub(super) fn whole(part: &'static str, der: &'a [u8]) -> Result<Self, KeyFileError> {
        let any = AnyRef::from_der(der).map_err(|error| fault(part, &error))?;
        Self::of(part, any)
    }

    fn of(part: &'static str, any: AnyRef<'a>) -> Result<Self, KeyFileError> {
        if any.tag() != Tag::Sequence {
            return Err(KeyFileError::Malformed { part });
        }
        let reader = SliceReader::new(any.value()).map_err(|error| fault(part, &error))?;
        Ok(Self { reader, part })
    }

    /// The next field, which must be a SEQUENCE.
    pub(super) fn sequence(&mut self, part: &'static str) -> Result<Fields<'a>, KeyFileError> {
        Self::of(part, self.any()?)
    }

    /// The next field, whatever it is.
    pub(super) fn any(&mut self) -> Result<AnyRef<'a>, KeyFileError> {
        self.reader.decode().map_err(|error| fault(self.part, &error))
    }

    /// The contents of the next field, which must have `tag`.
    pub(super) fn value(&mut self, tag: Tag) -> Result<&'a [u8], KeyFileError> {
        let any = self.any()?;
        if any.tag() == tag { Ok(any.value()) } else { Err(KeyFileError::Malformed { part: self.part }) }
    }

    /// The contents of the next field if it has `tag`; `None` at the end or before another field.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, KeyFileError> {
        if self.at_end() {
            return Ok(None);
        }
        let next = Tag::peek(&self.reader).map_err(|error| fault(self.part, &error))?;
        if next == tag { self.value(tag).map(Some) } else { Ok(None) }
    }

    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, KeyFileError> {
        self.reader.decode().map_err(|error| fault(self.part, &error))
    }

    /// The next field, a non-negative INTEGER; one that does not fit is `u64::MAX`.
    pub(super) fn integer(&mut self) -> Result<u64, KeyFileError> {
        let integer: der::asn1::UintRef<'_> = self.reader.decode().map_err(|error| fault(self.part, &error))?;
        let digits = integer.as_bytes();
        if digits.len() > 8 {
            return Ok(u64::MAX);
        }
        Ok(digits.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn at_end(&self) -> bool {
        self.reader.is_finished()
    }

    pub(super) fn end(self) -> Result<(), KeyFileError> {
        if self.at_end() { Ok(()) } else { Err(KeyFileError::TrailingData { part: self.part }) }
    }
}

fn fault(part: &'static str, error: &der::Error) -> KeyFileError {
    match error.kind() {
        ErrorKind::Incomplete { .. } => KeyFileError::Truncated { part },
        ErrorKind::TrailingData { .. } => KeyFileError::TrailingData { part },
        _ => KeyFileError::Malformed { part },
    }
}

const fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// The common name of `oid`, or its numbers.
pub(super) fn oid_name(oid: &ObjectIdentifier) -> String {
    let numbers = oid.to_string();
    let named = NAMES.iter().find(|(known, _)| *known == numbers);
    named.map_or(numbers, |(_, name)| (*name).to_owned())
}

/// PrivateKeyInfo with the algorithm id-ecPublicKey on the SM2 curve, or the curve itself as the algorithm.
pub(super) fn parse_info(der: &[u8]) -> Result<SecretKey, KeyFileError> {
    let mut info = Fields::whole("the private key", der)?;
    if info.integer()? > 1 {
        return Err(KeyFileError::Malformed { part: "the version of the private key" });
    }
    check_algorithm(info.sequence("the algorithm of the private key")?)?;
    let inner = info.value(Tag::OctetString)?;
    info.optional(context(0, true))?; // attributes: nothing we know of
    let point = info.optional(context(1, false))?;
    info.end()?;
    let key = parse_sec1(inner, true)?;
    point.map_or(Ok(()), |bits| check_point(&key, bits))?;
    Ok(key)
}

fn check_algorithm(mut algorithm: Fields<'_>) -> Result<(), KeyFileError> {
    let oid = algorithm.oid()?;
    if oid != EC_PUBLIC_KEY && oid != SM2_CURVE {
        return Err(KeyFileError::OtherAlgorithm { algorithm: oid_name(&oid) });
    }
    let named_already = oid == SM2_CURVE;
    if algorithm.at_end() {
        return if named_already { Ok(()) } else { Err(KeyFileError::NoCurve) };
    }
    let parameters = algorithm.any()?;
    algorithm.end()?;
    match parameters.tag() {
        Tag::Null if named_already => Ok(()),
        Tag::Null => Err(KeyFileError::NoCurve),
        _ => check_curve(parameters),
    }
}

/// A block of curve parameters must name the SM2 curve.
pub(super) fn check_parameters(der: &[u8]) -> Result<(), KeyFileError> {
    let part = "the curve parameters";
    check_curve(AnyRef::from_der(der).map_err(|error| fault(part, &error))?)
}

fn check_curve(parameters: AnyRef<'_>) -> Result<(), KeyFileError> {
    let part = "the curve parameters";
    match parameters.tag() {
        Tag::ObjectIdentifier => {
            let oid = parameters.decode_as::<ObjectIdentifier>().map_err(|error| fault(part, &error))?;
            if oid == SM2_CURVE { Ok(()) } else { Err(KeyFileError::OtherCurve { curve: oid_name(&oid) }) }
        }
        Tag::Sequence => Err(KeyFileError::ExplicitCurve),
        _ => Err(KeyFileError::Malformed { part }),
    }
}

/// ECPrivateKey; unless `curve_named` outside of it, it must name the curve itself.
pub(super) fn parse_sec1(der: &[u8], curve_named: bool) -> Result<SecretKey, KeyFileError> {
    let part = "the elliptic-curve key";
    let mut fields = Fields::whole(part, der)?;
    if fields.integer()? != 1 {
        return Err(KeyFileError::Malformed { part: "the version of the elliptic-curve key" });
    }
    let secret = fields.value(Tag::OctetString)?;
    match fields.optional(context(0, true))? {
        Some(parameters) => check_parameters(parameters)?,
        None if !curve_named => return Err(KeyFileError::NoCurve),
        None => {}
    }
    let point = fields.optional(context(1, true))?;
    fields.end()?;
    let mut secret: [u8; SECRET_BYTES] =
        secret.try_into().map_err(|_| KeyFileError::Malformed { part: "the secret number" })?;
    let key = SecretKey::from_bytes(&secret).map_err(|_| KeyFileError::OutOfRange);
    secret.zeroize();
    let key = key?;
    if let Some(der) = point {
        let part = "the public key";
        let bits = AnyRef::from_der(der).map_err(|error| fault(part, &error))?;
        if bits.tag() != Tag::BitString {
            return Err(KeyFileError::Malformed { part });
        }
        check_point(&key, bits.value())?;
    }
    Ok(key)
}

/// The contents of a BIT STRING (a count of unused bits, then the point) must be the public key of `key`.
fn check_point(key: &SecretKey, bits: &[u8]) -> Result<(), KeyFileError> {
    let Some((0, point)) = bits.split_first() else {
        return Err(KeyFileError::Malformed { part: "the public key" });
    };
    let public = key.public_key();
    let fits = match point.len() {
        UNCOMPRESSED_BYTES => point == public.to_uncompressed(),
        COMPRESSED_BYTES => point == public.to_compressed(),
        _ => {
            return Err(KeyFileError::Malformed { part: "the public key" });
        }
    };
    if fits { Ok(()) } else { Err(KeyFileError::PublicKeyMismatch) }
}

/// Whether `der` could be a PrivateKeyInfo at all: one whole SEQUENCE that starts with a version. Tells noise
/// (a wrong passphrase) from a key with a fault.
pub(super) fn looks_like_info(der: &[u8]) -> bool {
    Fields::whole("", der).is_ok_and(|mut info| info.integer().is_ok_and(|version| version <= 1))
}

/// PrivateKeyInfo with the public key: 138 bytes, or 150 with the inner curve.
pub(super) fn encode_info(key: &SecretKey, inner_curve: InnerCurve) -> Zeroizing<Vec<u8>> {
    let curve: &[u8] = if inner_curve == InnerCurve::Named { &CURVE_FIELD } else { &[] };
    let inner = SECRET_HEAD.len() + SECRET_BYTES + curve.len() + POINT_HEAD.len() + UNCOMPRESSED_BYTES;
    // lengths of 119 and 147 at most: one byte inside, 0x81 and one byte for the whole
    let (inner_length, octets_length) = (inner as u8, inner as u8 + 2);
    let info_length = INFO_START.len() as u8 + octets_length + 2;
    let mut out = Zeroizing::new(Vec::with_capacity(usize::from(info_length) + 3));
    out.extend_from_slice(&[0x30, 0x81, info_length]);
    out.extend_from_slice(&INFO_START);
    out.extend_from_slice(&[0x04, octets_length, 0x30, inner_length]);
    out.extend_from_slice(&SECRET_HEAD);
    out.extend_from_slice(&*key.to_bytes());
    out.extend_from_slice(curve);
    out.extend_from_slice(&POINT_HEAD);
    out.extend_from_slice(&key.public_key().to_uncompressed());
    out
}
