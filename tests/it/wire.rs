//! Frames and bytes: what the schema says, and nothing else, comes through.

use minicbor::bytes::ByteArray;
use miyu::wire::limits::{DETAIL_BYTES_MAX, FRAME_BYTES_MAX, NAME_BYTES_MAX};
use miyu::wire::{
    Bye, Control, DeliveryReply, Frame, FrameHeader, Hello, Kind, Lost, Offer, Opening, Ping, Read, Reason, Refusal,
    Report, Signal, SizeClass, Target, WatchReply, WatchRequest, Welcome, WireError, decode, encode, length,
};
use proptest::prelude::*;

fn offer() -> Offer {
    Offer {
        id: ByteArray::from([7; 16]),
        seq: 3,
        kind: Kind::Picture,
        sent_at_ms: -1,
        size: 1 << 63,
        sm3: ByteArray::from([9; 32]),
        name: Some("照片.png".to_owned()),
        mime: None,
        target: None,
    }
}

fn header() -> FrameHeader {
    FrameHeader {
        watch: 0,
        seq: 0,
        index: 0,
        captured_at_us: 0,
        encoded_at_us: 0,
        width: 1,
        height: 1,
        size: 0,
        slate: false,
    }
}

fn lost(reason: String) -> WatchReply {
    WatchReply::Signal(Signal { lost: Some(Lost { reason, since_us: 1_767_225_600_000_000 }) })
}

fn body<F: Frame>(frame: &F) -> Vec<u8> {
    let bytes = encode(frame).unwrap();
    let announced = length(bytes[..4].try_into().unwrap()).unwrap();
    assert_eq!(announced, bytes.len() - 4);
    bytes[4..].to_vec()
}

/// The example of `docs/protocol.md`, byte for byte.
#[test]
fn a_ping_is_these_bytes() {
    let bytes = encode(&Control::Ping(Ping { number: 258 })).unwrap();
    // array(2) 2 array(1) map(1) 0: 258
    assert_eq!(bytes, [0, 0, 0, 8, 0x82, 0x02, 0x81, 0xa1, 0x00, 0x19, 0x01, 0x02]);
}

#[test]
fn every_frame_comes_back_as_it_went() {
    fn round_trip<F: Frame + PartialEq + std::fmt::Debug>(frame: F) {
        assert_eq!(decode::<F>(&body(&frame)).unwrap(), frame);
    }
    round_trip(Opening::Deliver(offer()));
    round_trip(Opening::Control(Hello {
        instance: ByteArray::from([1; 16]),
        link: ByteArray::from([2; 16]),
        receives: false,
        replaces: Some(ByteArray::from([3; 16])),
        camera: true,
        agent: None,
    }));
    round_trip(Opening::Watch(WatchRequest {
        watch: u64::MAX,
        max_fps: 0,
        size: SizeClass::Quarter,
        still: true,
        signals: false,
    }));
    round_trip(Opening::Watch(WatchRequest {
        watch: 1,
        max_fps: 9,
        size: SizeClass::Full,
        still: false,
        signals: true,
    }));
    round_trip(DeliveryReply::Refusal(Refusal { reason: Reason::Conflict, detail: "x".into(), retry: false }));
    let target = Some(Target { id: ByteArray::from([4; 16]), yours: true });
    for kind in [Kind::Deletion, Kind::Edit, Kind::Reaction, Kind::Text] {
        round_trip(Opening::Deliver(Offer { kind, target, ..offer() }));
    }
    round_trip(Control::Read(Read { id: ByteArray::from([5; 16]) }));
    round_trip(lost("the cable".into()));
    round_trip(WatchReply::Signal(Signal { lost: None }));
    round_trip(FrameHeader { slate: true, ..header() });
    round_trip(header());
    round_trip(Report { seen: 1, received: 2, late: 3, decode_us: 4 });
}

/// The examples of `docs/protocol.md`, and that what is false costs nothing: frames of the first version stay as they
/// were.
#[test]
fn signals_and_slates_are_these_bytes() {
    assert_eq!(body(&WatchReply::Signal(Signal { lost: None })), [0x82, 0x03, 0x81, 0xa0]);
    let bytes = body(&lost("unplugged".into()));
    assert_eq!(bytes[..8], [0x82, 0x03, 0x81, 0xa1, 0x00, 0xa2, 0x00, 0x69]);
    assert_eq!(bytes[8..], [b"unplugged".as_slice(), &[0x01, 0x1b, 0, 6, 0x47, 0x48, 0x46, 0x20, 0x40, 0]].concat());
    assert_eq!(body(&header()), [0xa8, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 1, 6, 1, 7, 0]);
    assert_eq!(body(&FrameHeader { slate: true, ..header() })[17..], [8, 0xf5]);
    let request = WatchRequest { watch: 0, max_fps: 0, size: SizeClass::Half, still: false, signals: false };
    assert_eq!(body(&Opening::Watch(request))[3..], [0xa4, 0, 0, 1, 0, 2, 1, 3, 0xf4]);
}

#[test]
fn what_is_about_a_message_names_it() {
    for kind in [Kind::Deletion, Kind::Edit, Kind::Reaction] {
        let bytes = minicbor::to_vec(Opening::Deliver(Offer { kind, target: None, ..offer() })).unwrap();
        let error = decode::<Opening>(&bytes).unwrap_err();
        assert!(matches!(error, WireError::Field { field: "target", .. }), "{error}");
    }
}

#[test]
fn a_later_version_may_add_keys_and_control_kinds() {
    // A Ping whose map has the unknown key 9 beside 0.
    let longer = [0x82, 0x02, 0x81, 0xa2, 0x00, 0x05, 0x09, 0x61, b'x'];
    assert_eq!(decode::<Control>(&longer).unwrap(), Control::Ping(Ping { number: 5 }));
    let unknown = [0x82, 0x18, 0x63, 0x81, 0xa0];
    assert_eq!(decode::<Control>(&unknown), Err(WireError::UnknownKind(99)));
    // A refusal whose reason is of a later version is not a frame of an unknown kind.
    let inner = [0x82, 0x02, 0x81, 0xa3, 0x00, 0x18, 0x63, 0x01, 0x60, 0x02, 0xf4];
    assert!(matches!(decode::<DeliveryReply>(&inner), Err(WireError::Malformed(_))));
}

#[test]
fn bounds_are_kept_in_both_directions() {
    let mut long = offer();
    long.name = Some("n".repeat(NAME_BYTES_MAX + 1));
    assert!(matches!(encode(&Opening::Deliver(long)), Err(WireError::Field { field: "name", .. })));
    let mut unnumbered = offer();
    unnumbered.seq = 0;
    assert!(matches!(encode(&Opening::Deliver(unnumbered)), Err(WireError::Field { field: "seq", .. })));
    let long = Control::Bye(Bye { detail: "d".repeat(DETAIL_BYTES_MAX + 1) });
    assert!(matches!(encode(&long), Err(WireError::Field { field: "detail", .. })));
    let long = lost("r".repeat(DETAIL_BYTES_MAX + 1));
    assert!(matches!(encode(&long), Err(WireError::Field { field: "reason", .. })));
    assert!(matches!(length((FRAME_BYTES_MAX as u32 + 1).to_be_bytes()), Err(WireError::TooLong { .. })));
    assert!(matches!(length(u32::MAX.to_be_bytes()), Err(WireError::TooLong { .. })));
    let mut trailing = body(&Control::Ping(Ping { number: 1 }));
    trailing.push(0);
    assert_eq!(decode::<Control>(&trailing), Err(WireError::Trailing(1)));
    let zero = FrameHeader { width: 0, ..header() };
    assert!(matches!(encode(&zero), Err(WireError::Field { field: "width", .. })));
}

/// Decodes as everything that a stream may begin with.
fn decode_as_all(bytes: &[u8]) {
    let _ = decode::<Opening>(bytes);
    let _ = decode::<Welcome>(bytes);
    let _ = decode::<Control>(bytes);
    let _ = decode::<DeliveryReply>(bytes);
    let _ = decode::<WatchReply>(bytes);
    let _ = decode::<Report>(bytes);
    let _ = decode::<FrameHeader>(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rubbish_is_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode_as_all(&bytes);
    }

    #[test]
    fn a_damaged_frame_is_refused_or_still_valid(at in 0_usize..200, bits in 1_u8.., cut in 0_usize..200) {
        let mut bytes = body(&Opening::Deliver(offer()));
        let at = at % bytes.len();
        bytes[at] ^= bits;
        decode_as_all(&bytes);
        if let Ok(frame) = decode::<Opening>(&bytes) {
            prop_assert!(frame.check().is_ok());
        }
        bytes.truncate(cut % bytes.len());
        prop_assert!(decode::<Opening>(&bytes).is_err());
    }

    #[test]
    fn offers_come_back(seq in 1_u64..=i64::MAX as u64, sent_at_ms: i64, size: u64, name in proptest::option::of(".{0,60}")) {
        let frame = Opening::Deliver(Offer { seq, sent_at_ms, size, name, ..offer() });
        prop_assert_eq!(decode::<Opening>(&body(&frame)).unwrap(), frame);
    }
}
