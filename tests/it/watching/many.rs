//! What all viewers share: one encoding, one ceiling.

use miyu::identity::Identity;
use miyu::node::limits::CAMERA_FRAME_BYTES_MAX;
use miyu::node::{CameraPlan, WatchOptions};

use super::{frame, plan};
use crate::support::{ALL, Actor, entry, pair};

/// As many as one peer may have.
const WATCHES: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_viewers_get_the_pictures_of_one_encoding() {
    let viewers: Vec<Identity> = (0..4).map(|_| Identity::generate()).collect();
    let table = viewers.iter().enumerate().map(|(number, viewer)| entry(&format!("viewer{number}"), viewer, None, ALL));
    let mut camera = Actor::new(&Identity::generate(), table.collect());
    let address = camera.start().await;
    camera.node().publish(plan((160, 120), 10.0)).await;
    let (mut actors, mut watches) = (Vec::new(), Vec::new());
    for viewer in &viewers {
        let mut actor = Actor::new(viewer, vec![entry("bob", &camera.identity, Some(address), ALL)]);
        actor.start().await;
        watches.push(super::watch(&actor).await);
        for _ in 1..WATCHES {
            watches.push(actor.node().watch("bob", WatchOptions::default()).await.unwrap());
        }
        actors.push(actor);
    }
    let mut last = 0;
    for round in 0..20 {
        for watch in &mut watches {
            last = last.max(frame(watch).await.seq);
        }
        assert!(last >= round);
    }
    let status = camera.node().status().camera.unwrap();
    assert_eq!((status.viewers, status.problem), (watches.len(), None));
    assert!(status.encoded <= last + 3, "{} encodings of {last} pictures", status.encoded);
    let received: u64 = watches.iter().map(|watch| watch.counts().bytes).sum();
    assert!(status.sent_bits >= received * 8, "all that was sent is counted: {} of {received}", status.sent_bits);
    assert!(watches.iter().all(|watch| watch.counts().lost == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quality_falls_below_the_ceiling_and_is_not_touched_without_one() {
    let (alice, bob) = pair(ALL, ALL).await;
    // Noise of the clock and the stamp aside, the pictures are alike: their size is their quality.
    let ceiling = CameraPlan { bandwidth_bits: Some(1_000_000), ..plan((320, 240), 60.0) };
    for (plan, falls) in [(plan((320, 240), 60.0), false), (ceiling, true)] {
        bob.node().publish(plan).await;
        let mut watch = super::watch(&alice).await;
        let first = frame(&mut watch).await;
        let mut smallest = CAMERA_FRAME_BYTES_MAX as usize;
        // The first is longer than three looks at the load, and the other longer than ten.
        let frames_max = if falls { 1_500 } else { 400 };
        while smallest * 10 > first.jpeg.len() * 7 && watch.counts().received < frames_max {
            smallest = smallest.min(frame(&mut watch).await.jpeg.len());
        }
        assert_eq!(smallest * 10 <= first.jpeg.len() * 7, falls, "{} bytes, then {smallest}", first.jpeg.len());
    }
}
