//! Any text at all, and good tables with something changed.

use std::path::Path;

use miyu::config::Config;
use proptest::prelude::*;

use super::with_peer;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_panics_the_reader(text in "\\PC{0,200}") {
        let _ = Config::parse(&text, Path::new("peers.toml")).map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_change_of_a_good_table_panics_the_reader(
        cuts in proptest::collection::vec((0usize..520, 0usize..6, "[\\PC\n\"=\\[\\]]{0,5}"), 1..6),
    ) {
        let mut text: Vec<char> = with_peer(
            "address = [\"b:1\"]\nallow = []\n[link]\nkey_update_minutes = 1\n[camera]\nsource = \"test\"\n\
             size = \"16x16\"\nfps = 1.5\nrotate = 90\nflip = \"both\"\n[camera.controls]\nbrightness = 5\n",
        )
        .chars().collect();
        for (at, count, new) in cuts {
            let at = at.min(text.len());
            let end = (at + count).min(text.len());
            text.splice(at..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        match Config::parse(&text, Path::new("peers.toml")) {
            Ok(config) => prop_assert!(config.peers.iter().all(|peer| !peer.name.is_empty())),
            Err(errors) => prop_assert!(!errors.faults().is_empty() && !errors.to_string().is_empty()),
        }
    }
}
