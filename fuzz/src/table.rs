//! The peer table.

use std::collections::HashSet;
use std::path::Path;

use miyu::config::{ADDRESSES_MAX, Config, FAULTS_MAX, NAME_BYTES_MAX, PEERS_MAX};
use miyu::identity::PeerId;

/// The input is the text of a table.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let path = Path::new("/nowhere/peers.toml");
    match Config::parse(&text, path) {
        Ok(config) => sound(&config),
        Err(errors) => {
            let faults = errors.faults();
            assert!((1..=FAULTS_MAX).contains(&faults.len()), "{} faults", faults.len());
            let lines = text.lines().count().max(1);
            for fault in faults {
                assert!(!fault.what().is_empty() && !fault.mend().is_empty(), "{fault}");
                assert!(fault.line().is_none_or(|line| (1..=lines + 1).contains(&line)), "line of {fault}");
                assert!(!fault.to_string().contains('\u{1b}'), "the terminal takes orders from the table");
            }
        }
    }
}

/// A table that is taken cannot be invalid.
fn sound(config: &Config) {
    assert!(config.me.listen.port() != 0 && config.me.key.is_absolute() && config.me.data.is_absolute());
    assert!(config.peers.len() <= PEERS_MAX);
    let (mut names, mut ids) = (HashSet::new(), HashSet::new());
    for peer in &config.peers {
        assert!((1..=NAME_BYTES_MAX).contains(&peer.name.len()) && !peer.name.chars().any(char::is_control));
        assert!(names.insert(&peer.name), "two peers of one name");
        assert!(ids.insert(peer.id), "two peers of one key");
        assert_eq!(peer.id, PeerId::of(&peer.key));
        assert!(peer.addresses.len() <= ADDRESSES_MAX && peer.addresses.iter().all(|address| address.port != 0));
        assert!(config.peer_by_id(&peer.id).is_some_and(|found| found.name == peer.name));
    }
    assert!(!config.link.key_update.is_zero() && !config.link.new_handshake.is_zero());
}
