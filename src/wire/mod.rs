//! Frames and bytes, pure: no clock, no socket. The schema stands in CDDL in `docs/protocol.md`.
//!
//! Every stream begins with one frame; a frame is its length (4 bytes, big-endian) and one CBOR item (RFC 8949).
//! Structures are CBOR maps with small integer keys, so that a later version adds keys which an older one skips.
//! A frame that exists is valid: [`decode`] checks every bound before it gives one away.

mod frames;
pub mod limits;

use minicbor::{Decode, Encode};

pub use frames::{
    Bye, Control, DeliveryReply, FrameHeader, Hello, Kind, Lost, Offer, Opening, Ping, Pong, Presence, Read, Reason,
    Receipt, Refusal, Report, Resume, Signal, SizeClass, StreamInfo, Target, Typing, WatchEnd, WatchReply,
    WatchRequest, Welcome,
};
use limits::FRAME_BYTES_MAX;

/// Bytes of the length before every frame.
pub const LENGTH_BYTES: usize = 4;

/// Why bytes are not a frame. All of these are the sender's fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    /// The length says more than a frame may have.
    #[error("a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX} bytes")]
    TooLong {
        /// The length that was announced.
        length: u64,
    },
    /// Not the CBOR that is expected here.
    #[error("a frame is not what the protocol says: {0}")]
    Malformed(String),
    /// A frame kind of a later version. In a control stream it may be skipped.
    #[error("a frame of the unknown kind {0}")]
    UnknownKind(i64),
    /// Bytes after the end of the item.
    #[error("{0} bytes follow the end of a frame")]
    Trailing(usize),
    /// A field is out of its bounds.
    #[error("field {field} {problem}")]
    Field {
        /// The field's name in the CDDL.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// A frame that knows its bounds.
pub trait Frame: for<'b> Decode<'b, ()> + Encode<()> {
    /// Checks what CBOR cannot say.
    fn check(&self) -> Result<(), WireError>;
}

/// The bytes of a frame, length first. Fails where a field of ours is out of bounds: a defect of ours, found here
/// rather than by the peer.
pub fn encode<F: Frame>(frame: &F) -> Result<Vec<u8>, WireError> {
    frame.check()?;
    let mut bytes = vec![0; LENGTH_BYTES];
    minicbor::encode(frame, &mut bytes).map_err(|error| WireError::Malformed(error.to_string()))?;
    let length = bytes.len() - LENGTH_BYTES;
    let prefix = u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX);
    let prefix = prefix.ok_or(WireError::TooLong { length: length as u64 })?;
    bytes[..LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(bytes)
}

/// The length of the frame that follows.
pub fn length(prefix: [u8; LENGTH_BYTES]) -> Result<usize, WireError> {
    let length = u32::from_be_bytes(prefix);
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or(WireError::TooLong { length: length.into() })
}

/// A frame from its bytes, without the length.
pub fn decode<F: Frame>(bytes: &[u8]) -> Result<F, WireError> {
    if bytes.len() > FRAME_BYTES_MAX {
        return Err(WireError::TooLong { length: bytes.len() as u64 });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let frame: F = decoder.decode().map_err(|error| malformed(bytes, &error))?;
    let rest = bytes.len() - decoder.position();
    if rest != 0 {
        return Err(WireError::Trailing(rest));
    }
    frame.check()?;
    Ok(frame)
}

/// Tells a frame of a later version (an array that begins with a number nobody here knows) from rubbish.
fn malformed(bytes: &[u8], error: &minicbor::decode::Error) -> WireError {
    if error.is_unknown_variant() {
        let mut decoder = minicbor::Decoder::new(bytes);
        if let (Ok(Some(2)), Ok(kind)) = (decoder.array(), decoder.i64()) {
            // Further in, it is an unknown reason or size: the frame's own kind is known.
            if error.position().is_some_and(|at| at <= decoder.position()) {
                return WireError::UnknownKind(kind);
            }
        }
    }
    WireError::Malformed(error.to_string())
}
