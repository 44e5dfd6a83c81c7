//! `miyu watch` against a camera process.

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
