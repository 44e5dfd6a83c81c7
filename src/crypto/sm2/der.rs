//! Signatures as bytes: SEQUENCE { r INTEGER, s INTEGER } in DER (GM/T 0009-2012 §7.3).

use ::der::asn1::UintRef;
use ::der::{Reader, SliceReader};

use super::SIGNATURE_BYTES_MAX;
use super::scalar::Scalar;

/// r and s as DER. Both are under 2²⁵⁶, so all lengths fit one byte.
pub(super) fn encode(r: &Scalar, s: &Scalar) -> Vec<u8> {
    let mut body = Vec::with_capacity(SIGNATURE_BYTES_MAX);
    for scalar in [r, s] {
        let bytes = scalar.to_be_bytes();
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

/// r and s in 1..n (GB/T 32918.2 §7.1 steps 1 and 2) from strict DER: minimal lengths and integers, nothing after.
pub(super) fn decode(signature: &[u8]) -> Option<(Scalar, Scalar)> {
    let mut reader = SliceReader::new(signature).ok()?;
    let (r, s) = reader
        .sequence(|inner| Ok::<_, ::der::Error>((inner.decode::<UintRef<'_>>()?, inner.decode::<UintRef<'_>>()?)))
        .ok()?;
    reader.finish().ok()?;
    Some((in_range(r)?, in_range(s)?))
}

fn in_range(integer: UintRef<'_>) -> Option<Scalar> {
    let digits = integer.as_bytes();
    let mut bytes = [0u8; 32];
    bytes[32usize.checked_sub(digits.len())?..].copy_from_slice(digits);
    Scalar::from_be_bytes(&bytes).filter(|scalar| scalar.is_zero() == 0)
}
