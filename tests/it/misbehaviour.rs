//! A peer that is in the table and misbehaves with care: each breach ends in a named refusal or a closed link, what it
//! costs is counted, and carol, who chats and watches at the same time, notices nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use miyu::identity::Identity;
use miyu::media::camera::{Settings, SourceSpec};
use miyu::node::{CameraPlan, DraftKind, Event, WatchHandle, WatchNews, WatchOptions};
use miyu::wire::{
    self, Control, DeliveryReply, FrameHeader, Kind, Opening, Ping, Pong, Presence, Reason, Receipt, Report, Resume,
    SizeClass, StreamInfo, Typing, WatchReply, WatchRequest,
};
use tokio::runtime::Handle;

use crate::raw::{Eve, get, hello, offer, put, refused};
use crate::support::{ALL, Actor, PATIENCE, entry, stored, watch_published};

/// The code with which a link is closed for a breach.
const PROTOCOL: u64 = 4;
/// The code of a link that is one too many.
const TOO_MANY_LINKS: u64 = 6;
const TEN_YEARS_US: u64 = 10 * 365 * 24 * 3600 * 1_000_000;

/// Bob with a camera, carol who is linked and watches it, and eve's key.
struct Three {
    bob: Actor,
    carol: Actor,
    watch: WatchHandle,
    eve: Identity,
}

impl Three {
    async fn new() -> Self {
        let (bob_id, carol_id, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
        let mut bob = Actor::new(&bob_id, vec![entry("eve", &eve, None, ALL), entry("carol", &carol_id, None, ALL)]);
        let address = bob.start().await;
        let plan = CameraPlan {
            source: SourceSpec::Test,
            bandwidth_bits: None,
            settings: Settings { size: Some((160, 120)), fps: 20.0, quality: 70, ..Settings::default() },
        };
        bob.node().publish(plan).await;
        let mut carol = Actor::new(&carol_id, vec![entry("bob", &bob_id, Some(address), ALL)]);
        carol.start().await;
        let watch = watch_published(&carol, "bob").await;
        Self { bob, carol, watch, eve }
    }

    async fn eve(&self) -> Eve {
        Eve::enter(&self.bob, &self.eve).await
    }

    /// A text of carol's arrives, and three more frames come on the watch that she has had all the while.
    async fn carol_notices_nothing(&mut self) {
        let text = self.carol.send("bob", DraftKind::Text("all well?".into())).await;
        assert_eq!(self.carol.receipt(text).await, Ok(()));
        for _ in 0..3 {
            let news = tokio::time::timeout(PATIENCE, self.watch.next()).await.expect("frames").expect("the watch");
            assert!(matches!(news, WatchNews::Frame(_)), "{news:?}");
        }
    }
}

/// A frame by hand: the length and these bytes.
fn framed(cbor: &[u8]) -> Vec<u8> {
    [&u32::try_from(cbor.len()).unwrap().to_be_bytes()[..], cbor].concat()
}

fn encoded<F: wire::Frame>(frame: &F) -> Vec<u8> {
    wire::encode(frame).unwrap()
}

fn watch_request(watch: u64) -> WatchRequest {
    WatchRequest { watch, max_fps: 0, size: SizeClass::Full, still: false, signals: false }
}

fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Control,
    Stream,
    Frame,
}

/// What stands in the wrong place, or is larger than it may be.
fn breaches() -> Vec<(&'static str, Place, Vec<u8>)> {
    let text = |count: usize| [&[0x79][..], &u16::try_from(count).unwrap().to_be_bytes(), &vec![b'n'; count]].concat();
    let offer_with = |key: u8, value: &[u8]| {
        let whole = encoded(&Opening::Deliver(offer(1, Kind::Text, b"x")));
        // Of the map with seven pairs only the six that must be there, and one more.
        let mut six = offer(1, Kind::Text, b"x");
        six.name = None;
        let six = encoded(&Opening::Deliver(six));
        assert_eq!((whole[7], six[7]), (0xa7, 0xa6));
        framed(&[&six[4..7], &[0xa7], &six[8..], &[key], value].concat())
    };
    vec![
        ("an offer", Place::Control, encoded(&Opening::Deliver(offer(1, Kind::Text, b"x")))),
        ("a second Hello", Place::Control, encoded(&Opening::Control(hello(1)))),
        ("a second Hello", Place::Stream, encoded(&Opening::Control(hello(1)))),
        ("a receipt of nothing", Place::Stream, encoded(&DeliveryReply::Receipt(Receipt { stored_at_ms: 1 }))),
        ("a Resume of nothing", Place::Stream, encoded(&DeliveryReply::Resume(Resume { offset: 1 }))),
        ("a report of no watch", Place::Stream, encoded(&Report { seen: 1, received: 1, late: 0, decode_us: 0 })),
        ("a presence", Place::Stream, encoded(&Control::Presence(Presence { camera: true }))),
        ("an offer", Place::Frame, encoded(&Opening::Deliver(offer(1, Kind::Text, b"x")))),
        ("a frame of 64 KiB and a byte", Place::Stream, vec![0, 1, 0, 1]),
        ("a frame of 4 GiB", Place::Control, vec![0xff; 4]),
        ("a frame of 4 GiB", Place::Frame, vec![0xff; 4]),
        ("a name of 256 bytes", Place::Stream, offer_with(6, &text(256))),
        ("a media type of 128 bytes", Place::Stream, offer_with(7, &text(128))),
        ("a farewell of 1,025 bytes", Place::Control, framed(&[&[0x82, 4, 0x81, 0xa1, 0][..], &text(1025)].concat())),
        ("2^64 - 1 elements", Place::Stream, framed(&[&[0x9b][..], &[0xff; 8]].concat())),
        ("2^63 bytes", Place::Control, framed(&[&[0x82, 4, 0x81, 0xa1, 0, 0x7b, 0x80][..], &[0; 7]].concat())),
        ("60,000 arrays in each other", Place::Stream, framed(&vec![0x81; 60_000])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_wrong_place_or_is_too_large_closes_the_link() {
    let mut three = Three::new().await;
    for (what, place, bytes) in breaches() {
        let mut eve = three.eve().await;
        let mut kept = Vec::new();
        match place {
            Place::Control => drop(eve.control.0.write_all(&bytes).await),
            Place::Stream => {
                let (mut send, recv) = eve.conn.open_bi().await.unwrap();
                let _ = send.write_all(&bytes).await;
                kept.push((send, Some(recv)));
            }
            Place::Frame => {
                let mut send = eve.conn.open_uni().await.unwrap();
                let _ = send.write_all(&bytes).await;
                kept.push((send, None));
            }
        }
        let (code, reason) = eve.closed().await;
        assert_eq!(code, PROTOCOL, "{what} ({place:?}): {reason}");
        assert!(!reason.is_empty(), "{what} ({place:?})");
        println!("{what} ({place:?}): {reason}");
    }
    // Before Hello nothing else opens a link, and a Hello over its bounds does not either.
    let mut long = encoded(&Opening::Control(hello(1)));
    let agent = long.len() - 5;
    long.truncate(agent);
    long.extend([&[0x78, 65][..], &[b'a'; 65]].concat());
    let long = framed(&long[4..]);
    let openings = [encoded(&Opening::Watch(watch_request(0))), encoded(&Control::Ping(Ping { number: 1 })), long];
    for bytes in openings {
        let conn = Eve::dial(&three.bob, &three.eve).await;
        let (mut send, _recv) = conn.open_bi().await.unwrap();
        send.write_all(&bytes).await.unwrap();
        match tokio::time::timeout(PATIENCE, conn.closed()).await.unwrap() {
            quinn::ConnectionError::ApplicationClosed(frame) => assert_eq!(frame.error_code.into_inner(), PROTOCOL),
            other => panic!("{other}"),
        }
    }
    three.carol_notices_nothing().await;
    assert!(three.bob.node().status().links.iter().all(|link| link.peer == "carol"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_streams_cost_their_tasks_and_nothing_stays() {
    let mut three = Three::new().await;
    let eve = three.eve().await;
    three.carol_notices_nothing().await;
    let before = Handle::current().metrics().num_alive_tasks();
    // Opened, begun and reset: each makes room for the next.
    for _ in 0..1000 {
        let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
        send.write_all(&[0, 0]).await.unwrap();
        send.reset(9_u32.into()).unwrap();
        let _ = recv.stop(9_u32.into());
        let mut frame = eve.conn.open_uni().await.unwrap();
        frame.write_all(&[0]).await.unwrap();
        frame.reset(9_u32.into()).unwrap();
    }
    // As many as QUIC allows, each with a byte, and then silence.
    let (mut streams, mut frames) = (Vec::new(), Vec::new());
    while let Ok(stream) = tokio::time::timeout(Duration::from_secs(1), eve.conn.open_bi()).await {
        let (mut send, recv) = stream.unwrap();
        send.write_all(&[0]).await.unwrap();
        streams.push((send, recv));
    }
    while let Ok(stream) = tokio::time::timeout(Duration::from_secs(1), eve.conn.open_uni()).await {
        let mut send = stream.unwrap();
        send.write_all(&[0]).await.unwrap();
        frames.push(send);
    }
    // The control stream is one of them; QUIC may give credit back in steps.
    assert!((80..=95).contains(&streams.len()) && (30..=40).contains(&frames.len()), "{}", streams.len());
    three.carol_notices_nothing().await;
    let during = Handle::current().metrics().num_alive_tasks();
    assert!(during <= before + 95 + 40 + 8, "{during} tasks after {before}");

    // Bob drops each of them when nothing has come for 10 s.
    for send in streams.iter_mut().map(|(send, _)| send).chain(&mut frames) {
        let stopped = tokio::time::timeout(PATIENCE, send.stopped()).await.expect("bob drops the stream");
        assert!(matches!(stopped, Ok(Some(_))), "{stopped:?}");
    }
    three.carol_notices_nothing().await;
    let after = Handle::current().metrics().num_alive_tasks();
    assert!(after <= before + 8, "{after} tasks after {before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_without_end_stop_at_their_limit() {
    let mut three = Three::new().await;
    let eve = three.eve().await;
    let mut held = Vec::new();
    let mut busy = 0;
    for number in 0..70_u8 {
        let mut offer = offer(number + 1, Kind::File, b"");
        offer.size = 1000;
        offer.seq = if number % 2 == 0 { u64::from(u32::MAX) << 31 } else { 1 };
        // As long as they may be.
        offer.name = Some("n".repeat(255));
        offer.mime = Some("m".repeat(127));
        let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
        put(&mut send, &Opening::Deliver(offer)).await;
        match get::<DeliveryReply>(&mut recv).await.unwrap() {
            DeliveryReply::Resume(resume) => assert_eq!(resume.offset, 0),
            DeliveryReply::Refusal(refusal) => {
                assert_eq!((refusal.reason, refusal.retry), (Reason::Busy, true));
                assert!(refusal.detail.contains("64"), "{}", refusal.detail);
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
        held.push((send, recv));
    }
    assert_eq!(busy, 6);
    three.carol_notices_nothing().await;
    drop(held);
    let history = stored(&three.bob.node().history(), Some(&three.eve.peer_id()));
    assert!(history.is_empty(), "nothing that did not come is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_without_end_stop_at_their_limit() {
    let mut three = Three::new().await;
    let eve = three.eve().await;
    let (mut held, mut busy) = (Vec::new(), 0);
    for number in 0..20 {
        let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
        // One number for all of them.
        put(&mut send, &Opening::Watch(watch_request(number % 2))).await;
        match get::<WatchReply>(&mut recv).await.unwrap() {
            WatchReply::Info(_) => {}
            WatchReply::Refusal(refusal) => {
                assert_eq!((refusal.reason, refusal.retry), (Reason::Busy, true));
                assert!(refusal.detail.contains("16"), "{}", refusal.detail);
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
        // It has seen everything that there ever will be, again and again.
        put(&mut send, &Report { seen: u64::MAX, received: u64::MAX, late: u64::MAX, decode_us: u32::MAX }).await;
        held.push((send, recv));
    }
    assert_eq!(busy, 4);
    three.carol_notices_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_without_end_stop_at_their_limit() {
    const LINKS_MAX: u8 = 16;
    let mut three = Three::new().await;
    let mut eves = Vec::new();
    for instance in 1..=LINKS_MAX {
        eves.push(Eve::enter_as(&three.bob, &three.eve, hello(instance)).await);
    }
    for _ in 0..3 {
        let conn = Eve::dial(&three.bob, &three.eve).await;
        let (mut send, _recv) = conn.open_bi().await.unwrap();
        put(&mut send, &Opening::Control(hello(LINKS_MAX + 1))).await;
        match tokio::time::timeout(PATIENCE, conn.closed()).await.expect("bob closes the link") {
            quinn::ConnectionError::ApplicationClosed(frame) => {
                assert_eq!(frame.error_code.into_inner(), TOO_MANY_LINKS);
                assert!(frame.reason.starts_with(b"too many links"));
            }
            other => panic!("{other}"),
        }
    }
    assert!(eves.iter().all(|eve| eve.conn.close_reason().is_none()), "whoever is there stays");
    // A process that comes anew takes its own place, and one that goes makes room.
    eves[0] = Eve::enter_as(&three.bob, &three.eve, hello(1)).await;
    let links = three.bob.node().status().links;
    assert_eq!(links.iter().filter(|link| link.peer == "eve").count(), usize::from(LINKS_MAX));
    three.carol_notices_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_without_end_close_the_link() {
    let mut three = Three::new().await;
    let mut eve = three.eve().await;
    for number in 0..1000 {
        put(&mut eve.control.0, &Control::Ping(Ping { number })).await;
    }
    assert_eq!(eve.closed().await, (PROTOCOL, "too many control frames a second".to_owned()));
    let mut eve = three.eve().await;
    for number in 0..1000 {
        put(&mut eve.control.0, &Control::Presence(Presence { camera: number % 2 == 0 })).await;
    }
    assert_eq!(eve.closed().await.0, PROTOCOL);
    three.carol_notices_nothing().await;
}

/// Nobody reads bob's events while eve writes more of them than there is room for.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_typing_costs_no_other_peer_its_event() {
    let mut three = Three::new().await;
    let mut eves = Vec::new();
    for instance in 1..=8 {
        let mut eve = Eve::enter_as(&three.bob, &three.eve, hello(instance)).await;
        // Under what closes the link.
        for number in 0..180 {
            put(&mut eve.control.0, &Control::Typing(Typing { active: number % 2 == 0 })).await;
        }
        // Answered in order: all of it has been taken.
        put(&mut eve.control.0, &Control::Ping(Ping { number: 4711 })).await;
        while !matches!(get(&mut eve.control.1).await.unwrap(), Control::Pong(pong) if pong.number == 4711) {}
        eves.push(eve);
    }
    assert!(eves.len() * 180 > miyu::node::EVENTS_MAX);
    let text = three.carol.send("bob", DraftKind::Text("did you hear?".into())).await;
    assert_eq!(three.carol.receipt(text).await, Ok(()));
    let heard = three.bob.wait("carol's message", |event| match event {
        Event::Message(message) if message.id == text => Some(message.from),
        _ => None,
    });
    assert_eq!(heard.await, "carol");
    assert!(eves.iter().all(|eve| eve.conn.close_reason().is_none()));
}

/// A PNG that is small and takes long to decode.
fn heavy() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(4000, 4000).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_heavy_pictures_holds_up_another_peers_by_one() {
    const HEAVY: usize = 16;
    let mut three = Three::new().await;
    let eve = Arc::new(three.eve().await);
    let body = Arc::new(heavy());
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=HEAVY {
        let (eve, body, done) = (eve.clone(), body.clone(), done.clone());
        tasks.spawn(async move {
            let reply = eve.offer(offer(number as u8, Kind::Picture, &body), &body).await;
            assert!(matches!(reply, Ok(DeliveryReply::Receipt(_))), "{reply:?}");
            done.fetch_add(1, Ordering::Relaxed);
        });
    }
    // The first of them is decoded, the others have come and wait.
    tasks.join_next().await.unwrap().unwrap();
    let mut small = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 8).write_to(&mut small, image::ImageFormat::Png).unwrap();
    let picture = three.carol.send("bob", DraftKind::Picture { bytes: small.into_inner(), hide: None }).await;
    assert_eq!(three.carol.receipt(picture).await, Ok(()));
    let before = done.load(Ordering::Relaxed);
    println!("{before} of {HEAVY} before carol's");
    assert!(before <= HEAVY / 2, "{before} of {HEAVY} went before carol's");
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

/// Answers a watch with frames whose times and numbers are as far off as they can be, and goes on with nothing.
async fn frames_beyond_time(conn: &quinn::Connection, shift: i64) {
    let (mut send, mut recv) = conn.accept_bi().await.unwrap();
    let Ok(Opening::Watch(request)) = get(&mut recv).await else { panic!("no watch") };
    let info = StreamInfo { width: 1, height: 1, fps_milli: 1, deadline_ms: u32::MAX };
    put(&mut send, &WatchReply::Info(info)).await;
    let ours = now_us().saturating_add_signed(shift);
    for (index, captured_at_us) in [(0, ours), (1, 0), (u64::MAX, u64::MAX)] {
        let mut frame = conn.open_uni().await.unwrap();
        let (seq, encoded_at_us) = (u64::MAX, 0);
        let header = FrameHeader {
            watch: request.watch,
            seq,
            index,
            captured_at_us,
            encoded_at_us,
            width: 1,
            height: 1,
            size: 1,
            slate: false,
        };
        put(&mut frame, &header).await;
        frame.write_all(b"j").await.unwrap();
        frame.finish().unwrap();
        let _ = frame.stopped().await;
    }
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_ten_years_off_costs_nothing_but_its_own_times() {
    let mut three = Three::new().await;
    for (number, shift) in [(1, TEN_YEARS_US.cast_signed()), (2, -TEN_YEARS_US.cast_signed())] {
        let said = wire::Hello { camera: true, ..hello(number) };
        let mut eve = Eve::enter_as(&three.bob, &three.eve, said).await;
        let theirs = now_us().saturating_add_signed(shift);
        let times = [theirs.cast_signed() / 1000, i64::MIN, i64::MAX, -1];
        for (sent_at_ms, id) in times.into_iter().zip(1..) {
            let body = format!("{number} {sent_at_ms}");
            let mut offer = offer(number * 10 + id, Kind::Text, body.as_bytes());
            offer.sent_at_ms = sent_at_ms;
            let reply = eve.offer(offer, body.as_bytes()).await;
            assert!(matches!(reply, Ok(DeliveryReply::Receipt(_))), "{reply:?}");
        }
        // Bob pings and watches; eve answers by her clock, and with frames from beyond time.
        let (pinged, watched) = tokio::join!(three.bob.node().ping("eve"), async {
            let answering = async {
                let control = &mut eve.control;
                loop {
                    if let Control::Ping(ping) = get(&mut control.1).await.unwrap() {
                        let at = now_us().saturating_add_signed(shift);
                        let pong = Pong { number: ping.number, received_at_us: at, replied_at_us: at };
                        put(&mut control.0, &Control::Pong(pong)).await;
                    }
                }
            };
            let camera = frames_beyond_time(&eve.conn, shift);
            let watching = async {
                let mut watch = three.bob.node().watch("eve", WatchOptions::default()).await.unwrap();
                for _ in 0..3 {
                    let news = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
                    assert!(matches!(news, WatchNews::Frame(_)), "{news:?}");
                }
                watch.counts()
            };
            tokio::select! {
                counts = watching => counts,
                () = answering => unreachable!(),
                () = camera => unreachable!(),
            }
        });
        assert_eq!(watched.received, 3);
        if let Ok(pong) = pinged {
            assert!((pong.clock_offset_us - shift).unsigned_abs() < 60_000_000, "{}", pong.clock_offset_us);
        }
        eve.conn.close(0_u32.into(), b"");
    }
    three.carol_notices_nothing().await;
    let history = stored(&three.bob.node().history(), Some(&three.eve.peer_id()));
    assert_eq!(history.len(), 8);
}

/// Goes on behind the end of the body, and says then that it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_resume_beyond_the_body_is_no_delivery() {
    let mut three = Three::new().await;
    let eve = three.eve().await;
    let text = three.bob.send("eve", DraftKind::Text("five!".into())).await;
    let (mut send, mut recv) = eve.conn.accept_bi().await.unwrap();
    let Ok(Opening::Deliver(offer)) = get(&mut recv).await else { panic!("no offer") };
    assert_eq!(offer.size, 5);
    put(&mut send, &DeliveryReply::Resume(Resume { offset: 6 })).await;
    put(&mut send, &DeliveryReply::Receipt(Receipt { stored_at_ms: 1 })).await;
    let reason = three.bob.wait("what became of it", |event| match event {
        Event::Deferred { id, reason, .. } if id == text => Some(Ok(reason)),
        Event::Delivered { id, .. } if id == text => Some(Err("delivered")),
        _ => None,
    });
    assert!(reason.await.is_ok_and(|reason| reason.contains("beyond the 5 bytes")));
    assert_eq!(three.bob.node().history().pending(&three.eve.peer_id()).unwrap(), 1);
    three.carol_notices_nothing().await;
}

/// Takes an offer, and a byte a second of its body, until the stream ends.
async fn read_slowly(eve: Eve) {
    let (mut send, mut recv) = eve.conn.accept_bi().await.unwrap();
    let _: Opening = get(&mut recv).await.unwrap();
    put(&mut send, &DeliveryReply::Resume(Resume { offset: 0 })).await;
    while recv.read(&mut [0; 1]).await.is_ok_and(|read| read.is_some()) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The link stays: what was given up is the delivery.
    eve.conn.closed().await;
}

/// Offers a file, and a byte a second of its body, until it is no longer taken.
async fn write_slowly(eve: Arc<Eve>) -> Result<DeliveryReply, String> {
    let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
    let mut offer = offer(1, Kind::File, b"");
    offer.size = 1000;
    put(&mut send, &Opening::Deliver(offer)).await;
    let _resume: DeliveryReply = get(&mut recv).await.unwrap();
    while send.write_all(&[0]).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    get(&mut recv).await
}

/// Opens a watch and never reports.
async fn watch_silently(eve: Arc<Eve>) -> Result<WatchReply, String> {
    let (mut send, mut recv) = eve.conn.open_bi().await.unwrap();
    put(&mut send, &Opening::Watch(watch_request(1))).await;
    let _info: WatchReply = get(&mut recv).await.unwrap();
    get(&mut recv).await
}

/// A minute of those who are slow on purpose, all at once: bob sends to eve, who reads nothing, and to mallory, who
/// reads a byte a second; trudy writes a byte a second, and watches without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_slow_on_purpose_is_given_up_by_name() {
    const TEXTS: usize = 110;
    let mut three = Three::new().await;
    let (mallory_id, trudy_id) = (Identity::generate(), Identity::generate());
    three.bob.stop().await;
    for (name, identity) in [("mallory", &mallory_id), ("trudy", &trudy_id)] {
        three.bob.settings.peers.push(entry(name, identity, None, ALL));
    }
    three.bob.start().await;
    let plan = CameraPlan {
        source: SourceSpec::Test,
        bandwidth_bits: None,
        settings: Settings { size: Some((160, 120)), fps: 20.0, quality: 70, ..Settings::default() },
    };
    three.bob.node().publish(plan).await;
    let eve = three.eve().await;
    let mallory = Eve::enter(&three.bob, &mallory_id).await;
    let trudy = Arc::new(Eve::enter(&three.bob, &trudy_id).await);
    three.carol.node().connect("bob").await.unwrap();
    let watch = watch_published(&three.carol, "bob").await;
    three.watch = watch;

    let mut unread = HashSet::new();
    for number in 0..TEXTS {
        unread.insert(three.bob.send("eve", DraftKind::Text(format!("{number}"))).await);
    }
    let large = crate::support::file(three.bob.folder.path(), 3 << 20, 1);
    let large = three.bob.send("mallory", DraftKind::File(large)).await;
    let reading = tokio::spawn(read_slowly(mallory));
    let writing = tokio::spawn(write_slowly(trudy.clone()));
    let viewing = tokio::spawn(watch_silently(trudy.clone()));

    match viewing.await.unwrap() {
        Ok(WatchReply::End(end)) => assert!(end.detail.contains("has not reported for 30 s"), "{}", end.detail),
        other => panic!("{other:?}"),
    }
    three.carol_notices_nothing().await;
    let (mut slow, mut gone) = (None, HashSet::new());
    let begun = std::time::Instant::now();
    while slow.is_none() || gone.len() < TEXTS {
        let (id, reason) = three
            .bob
            .wait("a delivery that is given up", |event| match event {
                Event::Deferred { id, reason, .. } => Some((id, reason)),
                _ => None,
            })
            .await;
        if id == large {
            slow = Some(reason);
        } else if unread.contains(&id) {
            assert!(reason.contains("nothing came for 30 s"), "{reason}");
            gone.insert(id);
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "{} of {TEXTS} given up, and {slow:?}", gone.len());
    }
    assert!(slow.as_ref().is_some_and(|reason| reason.contains("nothing came for 60 s")), "{slow:?}");
    let written = tokio::time::timeout(PATIENCE, writing).await.expect("bob does not read bytes without end");
    let (reason, detail, retry) = refused(written.unwrap());
    assert_eq!((reason, retry), (Reason::Busy, true));
    assert!(detail.contains("too slowly"), "{detail}");
    three.carol_notices_nothing().await;
    // All of it waits in the outbox, and nothing was delivered.
    assert_eq!(three.bob.node().history().pending(&three.eve.peer_id()).unwrap(), TEXTS as u64);
    assert!(eve.conn.close_reason().is_none() && trudy.conn.close_reason().is_none());
    reading.abort();
}
