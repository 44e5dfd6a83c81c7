//! `kill -9` in the middle of a large file: it goes on from what is on the disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::line::Relay;
use super::weather::Weather;
use crate::cli::{BOTH, Hosts, Peer, fails, json, ok};
use crate::support::file;

const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Each costs the 12 s after which a sender gives up a link that fell silent.
const KILLS: u64 = 2;
/// What may come again with each kill: the pieces that were on their way or in memory, and the packets' own bytes.
const AGAIN_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A link that loses little: what passes it twice was sent again because it had to be.
fn calm() -> Weather {
    Weather { delay: Duration::from_millis(1), ..Weather::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_on_from_the_disk_after_each_kill_of_the_receiver() {
    let hosts = Hosts::new(BOTH);
    let responder = SocketAddr::from((Ipv4Addr::LOCALHOST, hosts.bob_port));
    let relay = Relay::start(responder, super::SEED, calm()).await;
    let table = std::fs::read_to_string(hosts.alice.join("peers.toml")).unwrap();
    let table = table.replace(&format!("\"{responder}\""), &format!("\"{}\"", relay.address()));
    std::fs::write(hosts.alice.join("peers.toml"), table).unwrap();

    let path = file(hosts.folder.path(), FILE_BYTES as usize, super::SEED);
    let send = ["send", "bob", "--file", path.to_str().unwrap(), "--timeout", "1"];
    fails(&send, &hosts.alice, "not delivered to bob", "queued");
    let mut bob = Peer::start(&["run"], &hosts.bob);
    let mut alice = Peer::start(&["run"], &hosts.alice);
    for kill in 1..=KILLS {
        relay.until_up_bytes(FILE_BYTES * kill / (KILLS + 1)).await;
        bob.kill();
        assert_eq!(states(&hosts.bob), Vec::<String>::new(), "it is in the middle");
        assert_ne!(states(&hosts.alice), ["delivered"], "nothing is stored, so there is no receipt");
        bob = Peer::start(&["run"], &hosts.bob);
    }
    let came = bob.wait("message");
    assert_eq!(alice.wait("delivered")["id"], came["id"]);
    assert_eq!((states(&hosts.alice), states(&hosts.bob)), (vec!["delivered".into()], vec!["received".into()]));
    let there = std::fs::read(came["path"].as_str().unwrap()).unwrap();
    assert!(there == std::fs::read(&path).unwrap(), "the same bytes");

    // From the start again it would have been the file once more.
    let passed = relay.up_bytes();
    println!("{passed} bytes passed for a file of {FILE_BYTES}");
    assert!(passed < FILE_BYTES * 104 / 100 + KILLS * AGAIN_BYTES_MAX, "{passed} bytes passed");
}

fn states(home: &std::path::Path) -> Vec<String> {
    let word = |message: &Value| message["state"].as_str().unwrap().to_owned();
    json(&ok(&["history", "--json"], home)).iter().map(word).collect()
}
