//! A camera that is missing, busy, unplugged or stands still: viewers see a slate and hear why, and see pictures again.

use std::sync::{Arc, Condvar, Mutex};

use miyu::media::camera::{self, CameraError, Captured, Settings, Source, SourceSpec};
use miyu::media::jpeg;
use miyu::node::{Event, Opener, Reason, WatchError, WatchFrame, WatchHandle, WatchNews, WatchOptions};
use miyu::wire::{self, Opening, SizeClass, WatchReply, WatchRequest};

use super::plan;
use crate::support::{ALL, Actor, PATIENCE, pair};

/// What the camera does from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It does not open.
    Missing,
    Films,
    /// It fails while it films.
    Fails,
    /// Its driver does not come back.
    Hangs,
}

/// A camera that does what a test says.
#[derive(Clone)]
struct Fake(Arc<(Mutex<Act>, Condvar)>);

impl Fake {
    fn new(act: Act) -> Self {
        Self(Arc::new((Mutex::new(act), Condvar::new())))
    }

    fn act(&self, act: Act) {
        *self.0.0.lock().unwrap() = act;
        self.0.1.notify_all();
    }

    fn now(&self) -> Act {
        *self.0.0.lock().unwrap()
    }

    fn opener(&self, size: (u32, u32)) -> Opener {
        let fake = self.clone();
        Opener::new(move || match fake.now() {
            Act::Missing => Err(trouble("it is not plugged in")),
            _ => {
                let settings = Settings { size: Some(size), fps: 60.0, ..Settings::default() };
                let films = camera::open(&SourceSpec::Test, &settings)?;
                Ok(Box::new(Filming { fake: fake.clone(), films }))
            }
        })
    }
}

fn trouble(words: &str) -> CameraError {
    CameraError::Io { path: "/dev/garden".into(), source: std::io::Error::other(words) }
}

struct Filming {
    fake: Fake,
    films: Box<dyn Source>,
}

impl Source for Filming {
    fn describe(&self) -> String {
        "the garden".into()
    }

    fn size(&self) -> (u32, u32) {
        self.films.size()
    }

    fn fps(&self) -> f32 {
        self.films.fps()
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        match self.fake.now() {
            Act::Films => self.films.next(),
            Act::Missing | Act::Fails => Err(trouble("the cable was pulled")),
            Act::Hangs => {
                let (act, changed) = &*self.fake.0;
                drop(changed.wait_while(act.lock().unwrap(), |act| *act == Act::Hangs).unwrap());
                Err(trouble("it had stood still"))
            }
        }
    }
}

async fn news(watch: &mut WatchHandle) -> WatchNews {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("news").expect("the watch is open")
}

/// The next loss of signal and its slate, in whatever order they come.
async fn loss(watch: &mut WatchHandle) -> (String, WatchFrame) {
    let (mut why, mut slate) = (None, None);
    loop {
        match news(watch).await {
            WatchNews::NoSignal { reason, since_us } => {
                assert!(since_us > 1_700_000_000_000_000);
                why = Some(reason);
            }
            WatchNews::Frame(frame) if frame.slate => slate = Some(frame),
            WatchNews::Frame(_) => {}
            other => panic!("{other:?}"),
        }
        if let (Some(why), Some(slate)) = (&why, &slate) {
            return (why.clone(), slate.clone());
        }
    }
}

/// The next picture after the news that they come again, in whatever order both come.
async fn recovery(watch: &mut WatchHandle) -> WatchFrame {
    let (mut back, mut picture) = (false, None);
    loop {
        match news(watch).await {
            WatchNews::Signal => back = true,
            WatchNews::Frame(frame) if !frame.slate => picture = Some(frame),
            WatchNews::Frame(_) | WatchNews::NoSignal { .. } => {}
            other => panic!("{other:?}"),
        }
        if let (true, Some(picture)) = (back, &picture) {
            return picture.clone();
        }
    }
}

async fn film(bob: &Actor, fake: &Fake, size: (u32, u32)) {
    bob.node().publish_opened_by(plan(size, 60.0), fake.opener(size)).await;
}

async fn told(bob: &mut Actor) -> Option<String> {
    bob.wait("news of the camera", |event| match event {
        Event::Camera { problem, .. } => Some(problem),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_missing_at_first_is_told_of_and_its_pictures_come_when_it_does() {
    let (alice, mut bob) = pair(ALL, ALL).await;
    let fake = Fake::new(Act::Missing);
    film(&bob, &fake, (320, 240)).await;
    assert!(told(&mut bob).await.unwrap().contains("not plugged in"));
    let quarter = WatchOptions { size: SizeClass::Quarter, ..WatchOptions::default() };
    let (mut full, mut small) = (super::watch(&alice).await, alice.node().watch("bob", quarter).await.unwrap());
    for (watch, width) in [(&mut full, 320), (&mut small, 80)] {
        let (why, slate) = loss(watch).await;
        assert!(why.contains("/dev/garden") && why.contains("not plugged in"), "{why}");
        assert_eq!((slate.width, jpeg::decode(&slate.jpeg).unwrap().width), (width, width));
        assert_eq!((watch.counts().received, watch.counts().late, watch.counts().bytes), (0, 0, 0));
    }
    fake.act(Act::Films);
    let picture = recovery(&mut full).await;
    assert!(camera::read_back(&jpeg::decode(&picture.jpeg).unwrap()).is_some(), "a picture of the camera's");
    assert!(full.counts().received > 0 && full.counts().lost == 0, "{:?}", full.counts());
    recovery(&mut small).await;
    assert_eq!(told(&mut bob).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_unplugged_and_plugged_in_again_is_told_of_once_each() {
    let (alice, mut bob) = pair(ALL, ALL).await;
    let fake = Fake::new(Act::Films);
    film(&bob, &fake, (160, 120)).await;
    assert_eq!(told(&mut bob).await, None);
    let mut watch = super::watch(&alice).await;
    for _ in 0..2 {
        super::frame(&mut watch).await;
        fake.act(Act::Fails);
        let (why, _) = loss(&mut watch).await;
        assert!(why.contains("cable"), "{why}");
        // It opens each time, and fails each time: that is no other news.
        for _ in 0..2 {
            let (frame, before) = (news(&mut watch).await, watch.counts().received);
            assert!(matches!(&frame, WatchNews::Frame(frame) if frame.slate), "{frame:?}");
            assert_eq!(watch.counts().received, before);
        }
        fake.act(Act::Films);
        recovery(&mut watch).await;
        assert!(told(&mut bob).await.unwrap().contains("cable"));
        assert_eq!(told(&mut bob).await, None);
    }
    assert_eq!(watch.counts().lost, 0, "{:?}", watch.counts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_never_returns_is_seen_and_does_not_hold_the_node() {
    let (alice, mut bob) = pair(ALL, ALL).await;
    let fake = Fake::new(Act::Films);
    film(&bob, &fake, (160, 120)).await;
    let mut watch = super::watch(&alice).await;
    super::frame(&mut watch).await;
    fake.act(Act::Hangs);
    let (why, _) = loss(&mut watch).await;
    assert!(why.contains("no picture for 3 s"), "{why}");
    // One who comes now is told at once, like the one who watches all the while.
    loss(&mut super::watch(&alice).await).await;
    let rounds = |bob: &Actor| bob.node().status().camera.unwrap().rounds;
    let before = rounds(&bob);
    loss(&mut super::watch(&alice).await).await;
    assert_eq!(rounds(&bob), before, "a thread that stands still has no progress to show");
    // The folder is free for the next process, whatever the driver does.
    bob.stop().await;
    bob.start().await;
    film(&bob, &Fake::new(Act::Films), (160, 120)).await;
    super::frame(&mut watch).await;
    fake.act(Act::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_still_is_no_slate_but_an_error_with_the_reason() {
    let (alice, mut bob) = pair(ALL, ALL).await;
    let fake = Fake::new(Act::Missing);
    film(&bob, &fake, (160, 120)).await;
    told(&mut bob).await;
    let options = WatchOptions { still: true, ..WatchOptions::default() };
    let mut still = alice.node().watch("bob", options).await.unwrap();
    match news(&mut still).await {
        WatchNews::Ended(WatchError::Refused { reason: Reason::Busy, detail, .. }) => {
            assert!(detail.contains("no signal") && detail.contains("not plugged in"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    assert!(still.next().await.is_none());
    // And one is taken while others watch, in a quality of its own.
    fake.act(Act::Films);
    let mut watch = super::watch(&alice).await;
    super::frame(&mut watch).await;
    let mut still = alice.node().watch("bob", options).await.unwrap();
    assert!(!super::frame(&mut still).await.slate);
}

/// A viewer of the first version takes an answer that it does not know for a fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_knows_no_signals_gets_none_and_slates_all_the_same() {
    let (viewer, camera) = (miyu::identity::Identity::generate(), miyu::identity::Identity::generate());
    let mut bob = Actor::new(&camera, vec![crate::support::entry("viewer", &viewer, None, ALL)]);
    let address = bob.start().await;
    film(&bob, &Fake::new(Act::Missing), (160, 120)).await;
    told(&mut bob).await;
    let endpoint = crate::support::bare(&viewer);
    let (conn, _control) = super::linked(&endpoint, address, camera.public()).await;
    let request = WatchRequest { watch: 0, max_fps: 0, size: SizeClass::Full, still: false, signals: false };
    let (mut send, mut replies) = conn.open_bi().await.unwrap();
    send.write_all(&wire::encode(&Opening::Watch(request)).unwrap()).await.unwrap();
    let info: WatchReply = super::read(&mut replies).await;
    assert!(matches!(info, WatchReply::Info(_)), "{info:?}");
    for index in 0..2 {
        let mut frame = conn.accept_uni().await.unwrap();
        let header: wire::FrameHeader = super::read(&mut frame).await;
        assert!(header.slate && header.index == index, "{header:?}");
        assert_eq!(frame.read_to_end(1 << 20).await.unwrap().len() as u64, header.size);
    }
    bob.node().publish(plan((160, 120), 30.0)).await;
    let end: WatchReply = super::read(&mut replies).await;
    assert!(matches!(end, WatchReply::End(_)), "nothing else was said: {end:?}");
}
