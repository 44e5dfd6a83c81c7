//! Frames: what decodes can be encoded, and decodes to the same again.

use std::fmt::Debug;

use miyu::wire::{
    self, Control, DeliveryReply, Frame, FrameHeader, LENGTH_BYTES, Opening, Report, WatchReply, Welcome, WireError,
    limits::FRAME_BYTES_MAX,
};

/// The first byte picks the type of frame, the others are the frame without its length.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 7 {
        0 => round_trip::<Opening>(bytes),
        1 => round_trip::<Welcome>(bytes),
        2 => round_trip::<Control>(bytes),
        3 => round_trip::<DeliveryReply>(bytes),
        4 => round_trip::<WatchReply>(bytes),
        5 => round_trip::<Report>(bytes),
        _ => round_trip::<FrameHeader>(bytes),
    }
}

fn round_trip<F: Frame + PartialEq + Debug>(bytes: &[u8]) {
    let frame = match wire::decode::<F>(bytes) {
        Ok(frame) => frame,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            // A kind that may be skipped says so in the first two bytes: an array of two.
            assert!(!matches!(error, WireError::UnknownKind(_)) || bytes.first().is_some_and(|head| head >> 5 == 4));
            return;
        }
    };
    let encoded = wire::encode(&frame).expect("a frame that was decoded can be encoded");
    let (prefix, body) = encoded.split_first_chunk::<LENGTH_BYTES>().expect("a frame has a length");
    assert_eq!(wire::length(*prefix), Ok(body.len()), "the length is not the body's");
    assert!(body.len() <= FRAME_BYTES_MAX);
    assert_eq!(wire::decode::<F>(body).as_ref(), Ok(&frame), "another frame came back");
    assert_eq!(wire::encode(&frame).as_ref(), Ok(&encoded), "one frame has two encodings");
    for end in (0..body.len()).rev().take(64) {
        assert!(wire::decode::<F>(&body[..end]).is_err(), "a frame that is cut short is none");
    }
    let mut longer = body.to_vec();
    longer.push(0);
    assert_eq!(wire::decode::<F>(&longer), Err(WireError::Trailing(1)));
}
