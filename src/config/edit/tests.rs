#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Changes of texts and of files.

use super::*;
use crate::crypto::sm2::SecretKey;
use crate::identity::key_line;

fn line(n: u8) -> String {
    let mut bytes = [0; 32];
    bytes[31] = n;
    key_line(&SecretKey::from_bytes(&bytes).unwrap().public_key())
}

struct Place {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alice.pem"), "a key").unwrap();
    let path = folder.path().join("peers.toml");
    Place { folder, path }
}

/// A table as people write them: columns, comments everywhere, a section behind the peers.
fn sample() -> String {
    format!(
        "# my peers\n\n[me]\nname = \"alice\"   # that's me\nkey  = \"alice.pem\"\ndata = \"data\"\n\n\
         # --- friends ---\n\n# bob, from school\n[[peer]]\nname    = \"bob\"     # the tall one\nkey     = \"{}\"\n\
         address = \"bob.lan:9999\"  # wired\n\n# carol\n[[peer]]\nname = \"carol\"\nkey = \"{}\"\nallow = []\n\n\
         # keys\n[link]\nkey_update_minutes = 5\n# the end\n",
        line(1),
        line(2)
    )
}

fn entry(name: &str, n: u8) -> Entry {
    Entry { name: name.into(), key: line(n), addresses: Vec::new(), allow: Allow::default() }
}

#[track_caller]
fn changed(text: &str, change_: Change) -> String {
    change(text, &place().path, &[change_]).unwrap().0
}

#[test]
fn nothing_to_change_changes_no_byte() {
    assert_eq!(change(&sample(), &place().path, &[]).unwrap().0, sample());
}

#[test]
fn values_change_where_they_stand() {
    let text = changed(&sample(), Change::Rename { name: "bob".into(), to: "小波".into() });
    assert_eq!(text, sample().replace("\"bob\" ", "\"小波\" "));
    let addresses = vec!["[fd00::1]:9999".to_owned(), "bob.lan:9".to_owned()];
    let text = changed(&sample(), Change::Addresses { name: "bob".into(), addresses });
    assert_eq!(text, sample().replace("\"bob.lan:9999\"", "[\"[fd00::1]:9999\", \"bob.lan:9\"]"));
    let allow = Allow { chat: true, camera: true };
    let text = changed(&sample(), Change::Allow { name: "carol".into(), allow });
    assert_eq!(text, sample().replace("allow = []", "allow = [\"chat\", \"camera\"]"));
    let text = changed(&sample(), Change::Addresses { name: "bob".into(), addresses: Vec::new() });
    assert_eq!(text, sample().replace("address = \"bob.lan:9999\"  # wired\n", ""));
}

#[test]
fn a_peer_is_added_behind_the_last_one() {
    let mut dora = entry("dora", 3);
    dora.addresses = vec!["10.0.0.9:9999".into()];
    let text = changed(&sample(), Change::Add(dora));
    let block = format!("\n[[peer]]\nname = \"dora\"\nkey = \"{}\"\naddress = \"10.0.0.9:9999\"\n", line(3));
    assert_eq!(text, sample().replace("allow = []\n", &format!("allow = []\n{block}")));
    // the first one, in a table that ends with comments
    let alone = "[me]\nname = \"alice\"\nkey = \"alice.pem\"\ndata = \"d\"\n# [[peer]] as a sample\n";
    let text = changed(alone, Change::Add(entry("bob", 1)));
    assert!(text.contains("# [[peer]] as a sample\n"), "{text}");
    assert!(text.contains("[[peer]]\nname = \"bob\"\n"), "{text}");
}

#[test]
fn a_peer_goes_with_its_own_comment_alone() {
    let text = changed(&sample(), Change::Remove { name: "bob".into() });
    assert!(text.contains("# --- friends ---\n"), "{text}");
    assert!(!text.contains("school") && !text.contains("tall") && !text.contains("wired"), "{text}");
    assert!(text.contains("# carol\n[[peer]]\nname = \"carol\""), "{text}");
    let text = changed(&text, Change::Remove { name: "carol".into() });
    assert!(!text.contains("carol") && !text.contains("[[peer]]"), "{text}");
    assert!(text.contains("# --- friends ---\n") && text.contains("# keys\n[link]"), "{text}");
    assert!(text.contains("# the end"), "{text}");
}

#[test]
fn peers_in_one_line_each_are_changed_too() {
    let table = format!(
        "peer = [ {{ name = \"bob\", key = \"{}\" }} ]\n[me]\nname = \"alice\"\nkey = \"alice.pem\"\ndata = \"d\"\n",
        line(1)
    );
    let text = changed(&table, Change::Add(entry("carol", 2)));
    let text = changed(&text, Change::Rename { name: "bob".into(), to: "bert".into() });
    let (text, config) = change(&text, &place().path, &[Change::Remove { name: "carol".into() }]).unwrap();
    assert_eq!(config.peers.len(), 1, "{text}");
    assert_eq!(config.peers[0].name, "bert");
    let (_, config) =
        change(&text, &place().path, &[Change::Remove { name: "bert".into() }, Change::Add(entry("x", 9))]).unwrap();
    assert_eq!(config.peers[0].name, "x");
}

#[test]
fn what_would_be_faulty_is_refused_with_its_mend() {
    let refused = |change_: Change| match change(&sample(), &place().path, &[change_]) {
        Err(error @ (EditError::Refused(_) | EditError::NoPeer(_))) => {
            assert!(error.hint().is_some());
            error.to_string()
        }
        other => panic!("{other:?}"),
    };
    assert!(refused(Change::Add(entry("bob", 3))).contains("taken already"));
    assert!(refused(Change::Add(entry("dora", 1))).contains("that of peer"));
    let slip = Entry { key: "sm2:short".into(), ..entry("dora", 3) };
    assert!(refused(Change::Add(slip)).contains("no SM2 public key"));
    let slip = Entry { addresses: vec!["nowhere".into()], ..entry("dora", 3) };
    assert!(refused(Change::Add(slip)).contains("port"));
    assert!(refused(Change::Rename { name: "bob".into(), to: "a\u{202e}b".into() }).contains("invisible"));
    assert!(refused(Change::Remove { name: "nobody".into() }).contains("nobody"));
    let broken = change("[me", &place().path, &[]).unwrap_err();
    assert!(matches!(broken, EditError::Faulty(_)), "{broken:?}");
}

#[test]
fn a_first_table_is_made_once() {
    let place = place();
    let text = first(&place.path, "爱丽丝", "alice.pem", None).unwrap();
    create(&place.path, &text).unwrap();
    let config = Config::load(&place.path).unwrap();
    assert_eq!((config.me.name.as_str(), config.peers.len()), ("爱丽丝", 0));
    assert!(matches!(create(&place.path, &text), Err(EditError::Exists(_))));
    assert!(matches!(first(&place.path, " ", "alice.pem", None), Err(EditError::Refused(_))));
    assert_eq!(key_path(&text, &place.path), Some(place.folder.path().join("alice.pem")));
    assert_eq!(key_path("[me]\nkey = \"gone.pem\"\n", &place.path), Some(place.folder.path().join("gone.pem")));
    assert_eq!(key_path("[me", &place.path), None);
}

#[cfg(unix)]
#[test]
fn the_file_keeps_its_mode_and_its_link_and_nothing_is_left_over() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    std::fs::write(&place.path, sample()).unwrap();
    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = place.folder.path().join("link.toml");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    let config = write(&link, &[Change::Add(entry("dora", 3))]).unwrap();
    assert_eq!(config.peers.len(), 3);
    assert_eq!(Config::load(&place.path).unwrap().peers[2].name, "dora");
    assert_eq!(std::fs::metadata(&place.path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    // a refused change leaves the file as it was
    let before = std::fs::read(&place.path).unwrap();
    write(&place.path, &[Change::Remove { name: "nobody".into() }]).unwrap_err();
    assert_eq!(std::fs::read(&place.path).unwrap(), before);
    let names: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn comments_among_addresses_stay() {
    let list = "[\n  # at home\n  \"bob.lan:1\", # wired\n  \"bob.lan:2\", # wireless\n]";
    let table = sample().replace("\"bob.lan:9999\"", list);
    let listed = |addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        let change_ = Change::Addresses { name: "bob".into(), addresses: addresses.clone() };
        let (text, config) = change(&table, &place().path, &[change_]).unwrap();
        let dialled: Vec<String> = config.peers[0].addresses.iter().map(ToString::to_string).collect();
        assert_eq!(dialled, addresses, "{text}");
        text
    };
    assert_eq!(listed(&["bob.lan:1", "bob.lan:2"]), table);
    let more = listed(&["bob.lan:1", "bob.lan:2", "bob.lan:3"]);
    assert_eq!(more, table.replace("# wireless\n]", "# wireless\n  \"bob.lan:3\",\n]"));
    for addresses in [&["bob.lan:2"][..], &["bob.lan:1"], &["bob.lan:3"], &["bob.lan:2", "bob.lan:4", "bob.lan:1"]] {
        let text = listed(addresses);
        for comment in ["# at home\n", "# wired\n", "# wireless\n"] {
            assert!(text.contains(comment), "{text}");
        }
    }
}

#[test]
fn our_own_key_is_no_peers() {
    let place = place();
    std::fs::write(&place.path, sample()).unwrap();
    let own = |n: u8| {
        let mut bytes = [0; 32];
        bytes[31] = n;
        SecretKey::from_bytes(&bytes).unwrap().public_key()
    };
    let refused = write_as(&place.path, &[Change::Add(entry("dora", 3))], &own(3)).unwrap_err();
    assert!(matches!(refused, EditError::Refused(_)) && refused.to_string().contains("our own key"), "{refused}");
    assert_eq!(std::fs::read_to_string(&place.path).unwrap(), sample());
    write_as(&place.path, &[Change::Add(entry("dora", 3))], &own(4)).unwrap();
}
