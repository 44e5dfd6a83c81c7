//! `miyu watch` against a camera process.

#[cfg(all(target_os = "linux", feature = "camera"))]
use super::{ABSENT, err, fails, out, run};
use super::{BOTH, Hosts, Peer, json, ok};

const CAMERA: [&str; 7] = ["camera", "--source", "test", "--size", "320x240", "--fps", "30"];

#[test]
fn decoding_is_measured_where_it_is_asked_for() {
    let hosts = Hosts::new(BOTH);
    let _camera = Peer::start(&CAMERA, &hosts.bob);
    for decode in [false, true] {
        let mut arguments = vec!["watch", "bob", "--frames", "8", "--json"];
        arguments.extend(decode.then_some("--decode"));
        let lines = json(&ok(&arguments, &hosts.alice));
        let frames: Vec<_> = lines.iter().filter(|line| line["event"] == "frame").collect();
        assert_eq!(frames.len(), 8);
        for frame in frames {
            assert_eq!(frame["decode_ms"].as_f64().is_some_and(|ms| ms > 0.0), decode, "{frame}");
            assert_eq!(frame["decoded_ms"].is_number(), decode, "{frame}");
            // Whole, and then decoded.
            let whole = frame["latency_ms"].as_f64().unwrap() - frame["encode_ms"].as_f64().unwrap();
            assert!(!decode || frame["decoded_ms"].as_f64().unwrap() > whole, "{frame}");
        }
        let summary = lines.last().unwrap();
        assert_eq!((summary["event"].as_str(), summary["damaged"].as_u64()), (Some("summary"), Some(0)));
        let (p50, p99) = (summary["decoded_p50_ms"].as_f64(), summary["decoded_p99_ms"].as_f64());
        assert_eq!((p50.is_some(), p99.is_some()), (decode, decode));
        assert!(p50 <= p99, "{summary}");
    }
}

/// The camera's owner, a viewer and one who wants a picture are all told; nothing is taken for a frame.
#[cfg(all(target_os = "linux", feature = "camera"))]
#[test]
fn a_camera_whose_device_is_away_starts_and_says_so_everywhere() {
    let hosts = Hosts::new(BOTH);
    let mut camera = Peer::start(&ABSENT, &hosts.bob);
    let told = camera.wait("camera");
    assert_eq!(told["state"], "lost");
    assert!(told["reason"].as_str().unwrap().contains("absent"), "{told}");
    assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("camera")), "the owner hears the mend: {told}");
    fails(&["watch", "bob", "--still", "--out", "stills"], &hosts.alice, "no signal", "try again");
    assert!(super::names(&hosts.alice.join("stills")).is_empty(), "a slate is no still");
    let output = run(&["watch", "bob", "--seconds", "3", "--out", "frames", "--json"], &hosts.alice);
    assert_eq!(output.status.code(), Some(1));
    assert!(super::names(&hosts.alice.join("frames")).is_empty());
    let lines = json(&out(&output));
    let signal = lines.iter().find(|line| line["event"] == "signal").expect("the signal");
    assert_eq!((signal["state"].as_str(), signal["reason"].as_str()), (Some("lost"), told["reason"].as_str()));
    assert!(signal["since"].as_u64().unwrap() > 1_700_000_000_000, "{signal}");
    assert!(lines.iter().all(|line| line["event"] != "frame"), "{lines:?}");
    let summary = lines.iter().find(|line| line["event"] == "summary").unwrap();
    assert_eq!((summary["frames"].as_u64(), summary["late"].as_u64()), (Some(0), Some(0)));
    let text = err(&output);
    assert!(text.contains("error: not one frame came from bob: no signal since "), "{text}");
}
