//! Stopping and starting over a link that answers late or not at all.

use std::time::Duration;

use miyu::identity::Identity;
use miyu::node::DraftKind;

use super::line::Relay;
use super::weather::Weather;
use crate::support::{Actor, CHAT, entry};

/// A closed connection lasts for three probe timeouts, here some 7 s: the port must not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_on_a_slow_link_starts_again_at_its_port() {
    let (alice_id, bob_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("alice", &alice_id, None, CHAT)]);
    let slow = Weather { delay: Duration::from_millis(400), ..Weather::default() };
    let relay = Relay::start(bob.start().await, super::SEED, slow).await;
    let mut alice = Actor::new(&alice_id, vec![entry("bob", &bob_id, Some(relay.address()), CHAT)]);
    alice.start().await;
    alice.node().connect("bob").await.unwrap();
    tokio::join!(alice.stop(), bob.stop());
    // Both would be refused with "address in use".
    tokio::join!(alice.start(), bob.start());
    let id = alice.send("bob", DraftKind::Text("here again".to_owned())).await;
    alice.receipt(id).await.unwrap();
}
