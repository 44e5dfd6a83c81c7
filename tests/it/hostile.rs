//! A peer that is in the table and does not follow the protocol: each breach ends in a named refusal or a closed link,
//! and the node goes on.

use minicbor::bytes::ByteArray;
use miyu::identity::Identity;
use miyu::node::{DraftKind, Event, WatchError, WatchNews, WatchOptions};
use miyu::wire::{
    self, Control, DeliveryReply, FrameHeader, Kind, Opening, Pong, Reason, Receipt, Refusal, StreamInfo, WatchEnd,
    WatchReply, WatchRequest, Welcome,
};
use quinn::ConnectionError;

use crate::raw::{Eve, bob_and_eve, get, hello, offer, put, refused};
use crate::support::{ALL, Actor, CHAT, PATIENCE, bare, entry, stored};

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_over_a_limit_is_refused_with_the_limit() {
    let (bob, eve_id) = bob_and_eve(CHAT).await;
    let eve = Eve::enter(&bob, &eve_id).await;
    for (id, kind, size, limit) in [
        (1, Kind::File, 1 << 63, "68719476736"),
        (2, Kind::Text, 64 * 1024 + 1, "65536"),
        (3, Kind::Picture, 64 * 1024 * 1024 + 1, "67108864"),
        (4, Kind::Clip, u64::MAX, "16777216"),
    ] {
        let mut offer = offer(id, kind, b"");
        offer.size = size;
        let (reason, detail, retry) = refused(eve.offer(offer, b"").await);
        assert_eq!((reason, retry), (Reason::TooLarge, false));
        assert!(detail.contains(limit), "{detail}");
    }
    // 60 GiB would be allowed, and does not fit the quota.
    let mut large = offer(5, Kind::File, b"");
    large.size = 60 << 30;
    let (reason, _, retry) = refused(eve.offer(large, b"").await);
    assert_eq!((reason, retry), (Reason::NoRoom, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_was_offered_is_not_stored() {
    let (mut bob, eve_id) = bob_and_eve(CHAT).await;
    let eve = Eve::enter(&bob, &eve_id).await;
    let (reason, ..) = refused(eve.offer(offer(1, Kind::File, b"what was offered"), b"what has come!!!").await);
    assert_eq!(reason, Reason::Damaged);
    let (reason, ..) = refused(eve.offer(offer(2, Kind::File, b"short"), b"shorter or longer").await);
    assert_eq!(reason, Reason::Protocol);
    let (reason, ..) = refused(eve.offer(offer(3, Kind::File, b"all of this"), b"all of").await);
    assert_eq!(reason, Reason::Damaged);
    let (reason, ..) = refused(eve.offer(offer(4, Kind::Text, b"\xff\xfe"), b"\xff\xfe").await);
    assert_eq!(reason, Reason::Protocol);
    assert!(stored(&bob.node().history(), None).is_empty());

    // The same id with the right body is taken, again with a receipt, and with other content refused.
    assert!(matches!(eve.offer(offer(1, Kind::File, b"right"), b"right").await, Ok(DeliveryReply::Receipt(_))));
    assert!(matches!(eve.offer(offer(1, Kind::File, b"right"), b"right").await, Ok(DeliveryReply::Receipt(_))));
    let (reason, _, retry) = refused(eve.offer(offer(1, Kind::File, b"other"), b"other").await);
    assert_eq!((reason, retry), (Reason::Conflict, false));
    let stored = stored(&bob.node().history(), None);
    assert_eq!(stored.len(), 1);
    let attachments = std::fs::read_dir(bob.settings.data.join("attachments")).unwrap();
    let names: Vec<_> = attachments.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap()).collect();
    let [Ok(file)] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(*file.file_name(), *format!("{}.in", stored[0].id), "a peer's name is no path");
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_on_a_stream_closes_the_link_and_nothing_else() {
    let (bob, eve_id) = bob_and_eve(ALL).await;
    let breaches: [&[u8]; 4] =
        [&[0, 0, 0, 4, 1, 2, 3, 4], &[0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 1, 0xff], &[0, 0, 0, 0]];
    for (number, bytes) in breaches.into_iter().enumerate() {
        let eve = Eve::enter(&bob, &eve_id).await;
        let (mut send, _recv) = eve.conn.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        let _ = send.finish();
        let (code, reason) = eve.closed().await;
        assert_eq!(code, 4, "breach {number}: {reason}");
        assert!(!reason.is_empty());
    }
    // A purpose of a later version costs its stream and nothing else.
    let eve = Eve::enter(&bob, &eve_id).await;
    let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
    send.write_all(&[0, 0, 0, 5, 0x82, 0x18, 0x63, 0x81, 0xa0]).await.unwrap();
    assert!(recv.read(&mut [0; 1]).await.is_err());
    assert!(matches!(eve.offer(offer(8, Kind::Text, b"on"), b"on").await, Ok(DeliveryReply::Receipt(_))));
    // On the control stream, and a second control stream.
    let mut eve = Eve::enter(&bob, &eve_id).await;
    eve.control.0.write_all(&[0, 0, 0, 2, 0x82, 0xff]).await.unwrap();
    assert_eq!(eve.closed().await.0, 4);
    let eve = Eve::enter(&bob, &eve_id).await;
    let (mut send, _recv) = eve.conn.open_bi().await.unwrap();
    put(&mut send, &Opening::Control(hello(2))).await;
    assert_eq!(eve.closed().await, (4, "a second control stream".to_owned()));
    // An offer before Hello.
    let conn = Eve::dial(&bob, &eve_id).await;
    let (mut send, _recv) = conn.open_bi().await.unwrap();
    put(&mut send, &Opening::Deliver(offer(1, Kind::Text, b"x"))).await;
    let closed = tokio::time::timeout(PATIENCE, conn.closed()).await.unwrap();
    assert!(matches!(closed, ConnectionError::ApplicationClosed(frame) if frame.error_code == 4_u32.into()));
    assert!(Eve::enter(&bob, &eve_id).await.conn.close_reason().is_none(), "bob goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_what_was_never_asked_are_ignored() {
    let (bob, eve_id) = bob_and_eve(ALL).await;
    let mut eve = Eve::enter(&bob, &eve_id).await;
    put(&mut eve.control.0, &Control::Pong(Pong { number: 77, received_at_us: u64::MAX, replied_at_us: 0 })).await;
    // A kind of a later version.
    eve.control.0.write_all(&[0, 0, 0, 5, 0x82, 0x18, 0x63, 0x81, 0xa0]).await.unwrap();
    // Frames of a watch that nobody opened, whole and broken off.
    for watch in 0..50 {
        let mut frame = eve.conn.open_uni().await.unwrap();
        let header = FrameHeader {
            watch,
            seq: 0,
            index: u64::MAX,
            captured_at_us: 0,
            encoded_at_us: 0,
            width: 1,
            height: 1,
            size: 8_000_000,
            slate: false,
        };
        put(&mut frame, &header).await;
        let _ = frame.write_all(&[0; 1000]).await;
        let _ = frame.finish();
    }
    // A receipt where an offer belongs is no frame of that place.
    let reply = eve.offer(offer(9, Kind::Text, "still there?".as_bytes()), b"still there?").await;
    assert!(matches!(reply, Ok(DeliveryReply::Receipt(Receipt { .. }))), "{reply:?}");
    assert!(eve.conn.close_reason().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_without_the_right_or_without_a_camera_is_refused_by_name() {
    for (allow, reason, words) in
        [(CHAT, Reason::NotAllowed, "camera"), (ALL, Reason::NoCamera, "no camera is published")]
    {
        let (bob, eve_id) = bob_and_eve(allow).await;
        let eve = Eve::enter(&bob, &eve_id).await;
        let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
        let request = WatchRequest { watch: 0, max_fps: 0, size: wire::SizeClass::Full, still: false, signals: false };
        put(&mut send, &Opening::Watch(request)).await;
        match get(&mut recv).await {
            Ok(WatchReply::Refusal(refusal)) => {
                assert_eq!(refusal.reason, reason);
                assert!(refusal.detail.contains(words), "{}", refusal.detail);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_keeps_offering_one_message_gets_one_message() {
    let (bob, eve_id) = bob_and_eve(CHAT).await;
    let eve = Eve::enter(&bob, &eve_id).await;
    let body = vec![5; 700_000];
    // The first offer is left hanging in the middle of its body; the second takes over.
    let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
    put(&mut send, &Opening::Deliver(offer(1, Kind::File, &body))).await;
    assert!(matches!(get(&mut recv).await, Ok(DeliveryReply::Resume(_))));
    send.write_all(&body[..400_000]).await.unwrap();
    let (mut again, mut reply) = eve.conn.open_bi().await.unwrap();
    put(&mut again, &Opening::Deliver(offer(1, Kind::File, &body))).await;
    let Ok(DeliveryReply::Resume(resume)) = get(&mut reply).await else { panic!("no resume") };
    assert_eq!(resume.offset % 65_536, 0);
    again.write_all(&body[resume.offset as usize..]).await.unwrap();
    again.finish().unwrap();
    assert!(matches!(get(&mut reply).await, Ok(DeliveryReply::Receipt(_))));
    let stored = stored(&bob.node().history(), None);
    assert_eq!(stored.len(), 1);
    assert!(crate::support::body(&bob.node().history(), &stored[0]) == body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_that_is_a_liar_leaves_the_message_in_the_outbox() {
    // Eve answers the dial, welcomes, and says "Resume" past the end, or closes: alice keeps her message.
    let (alice_id, eve_id) = (Identity::generate(), Identity::generate());
    let endpoint = bare(&eve_id);
    let address = endpoint.local_addr().unwrap();
    let serving = endpoint.clone();
    tokio::spawn(async move {
        while let Some(attempt) = serving.accept().await {
            let Ok((conn, _place)) = attempt.finish().await else {
                continue;
            };
            let Ok((mut send, mut recv)) = conn.accept_bi().await else {
                continue;
            };
            let _: Result<Opening, String> = get(&mut recv).await;
            put(&mut send, &Welcome { instance: ByteArray::from([9; 16]), receives: true, camera: false, agent: None })
                .await;
            if let Ok((mut send, mut recv)) = conn.accept_bi().await {
                let _: Result<Opening, String> = get(&mut recv).await;
                put(&mut send, &DeliveryReply::Resume(wire::Resume { offset: u64::MAX })).await;
                // And never a receipt: the stream just ends.
                let _ = send.finish();
            }
        }
    });
    let mut alice = Actor::new(&alice_id, vec![entry("eve", &eve_id, Some(address), CHAT)]);
    alice.start().await;
    alice.send("eve", DraftKind::Text("are you honest?".into())).await;
    alice.node().ping("eve").await.unwrap_err();
    let pending = alice.node().history().pending(&eve_id.peer_id()).unwrap();
    assert_eq!(pending, 1, "no receipt, no delivery");
}

/// What a peer may write where people read it: orders to a terminal, a line of its own, a direction of its own.
const WORDS: &str = "\u{1b}[2Jfine\nINFO link up \u{202e}evil";

fn assert_harmless(words: &str) {
    assert!(words.contains("fine") && words.contains("evil"), "{words:?} does not tell what the peer said");
    assert!(!words.contains(['\u{1b}', '\n', '\u{202e}']), "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_peer_are_escaped_wherever_they_are_told() {
    let (mut bob, eve_id) = bob_and_eve(ALL).await;
    let said = wire::Hello { camera: true, ..hello(1) };
    let eve = Eve::enter_as(&bob, &eve_id, said).await;
    // A watch that is refused, and one that ends.
    for refused in [true, false] {
        let answering = async {
            let (mut send, mut recv) = eve.conn.accept_bi().await.unwrap();
            let Ok(Opening::Watch(_)) = get(&mut recv).await else { panic!("no watch") };
            let detail = WORDS.to_owned();
            if refused {
                put(&mut send, &WatchReply::Refusal(Refusal { reason: Reason::NoCamera, detail, retry: true })).await;
            } else {
                put(&mut send, &WatchReply::Info(StreamInfo { width: 1, height: 1, fps_milli: 1, deadline_ms: 1 }))
                    .await;
                put(&mut send, &WatchReply::End(WatchEnd { detail, begun: 0 })).await;
            }
        };
        let (watch, ()) = tokio::join!(bob.node().watch("eve", WatchOptions::default()), answering);
        match watch {
            Err(WatchError::Refused { detail, .. }) if refused => assert_harmless(&detail),
            Ok(mut watch) => match watch.next().await {
                Some(WatchNews::Paused(why)) if !refused => assert_harmless(&why),
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{error}"),
        }
    }
    // A message that is refused for good, and one that is refused for now.
    for retry in [false, true] {
        bob.send("eve", DraftKind::Text("well?".into())).await;
        let (mut send, mut recv) = eve.conn.accept_bi().await.unwrap();
        let Ok(Opening::Deliver(_)) = get(&mut recv).await else { panic!("no offer") };
        let refusal = Refusal { reason: Reason::Busy, detail: WORDS.to_owned(), retry };
        put(&mut send, &DeliveryReply::Refusal(refusal)).await;
        let told = bob.wait("what became of it", |event| match event {
            Event::Failed { reason, .. } | Event::Deferred { reason, .. } => Some(reason),
            _ => None,
        });
        assert_harmless(&told.await);
    }
    // Why a camera has no signal.
    let answering = async {
        let (mut send, mut recv) = eve.conn.accept_bi().await.unwrap();
        let Ok(Opening::Watch(_)) = get(&mut recv).await else { panic!("no watch") };
        put(&mut send, &WatchReply::Info(StreamInfo { width: 1, height: 1, fps_milli: 1, deadline_ms: 1 })).await;
        let lost = wire::Lost { reason: WORDS.to_owned(), since_us: u64::MAX };
        put(&mut send, &WatchReply::Signal(wire::Signal { lost: Some(lost) })).await;
        (send, recv)
    };
    let (watch, _streams) = tokio::join!(bob.node().watch("eve", WatchOptions::default()), answering);
    match watch.unwrap().next().await {
        Some(WatchNews::NoSignal { reason, .. }) => assert_harmless(&reason),
        other => panic!("{other:?}"),
    }
    eve.conn.close(4_u32.into(), WORDS.as_bytes());
    let told = bob.wait("the end of the link", |event| match event {
        Event::Disconnected { reason, .. } => Some(reason),
        _ => None,
    });
    assert_harmless(&told.await);
}
