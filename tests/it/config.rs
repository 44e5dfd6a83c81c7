//! The peer table: every fault with its line and its mend, and no text that panics the reader.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod camera;
mod hostile;

use std::path::{Path, PathBuf};
use std::time::Duration;

use miyu::config::{Allow, Config, ConfigErrors, FILE_BYTES_MAX, HistorySettings, PEERS_MAX, SoundSettings};
use miyu::crypto::sm2::{PublicKey, SecretKey};
use miyu::identity::{PeerId, key_line};

/// The public key whose private key is the number `n`.
fn key(n: u16) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[30..].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_bytes(&bytes).unwrap().public_key()
}

fn line(n: u16) -> String {
    key_line(&key(n))
}

/// A folder with a key file in it, and the path of a table there.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alice.pem"), "a key").unwrap();
    let path = folder.path().join("peers.toml");
    Place { _folder: folder, path }
}

const ME: &str = "[me]\nname = \"alice\"\nkey = \"alice.pem\"\ndata = \"data\"\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, &place().path)
}

/// Asserts that `text` has exactly one fault, on `line`, whose words hold `what` and whose mend holds `mend`.
#[track_caller]
fn fault(text: &str, line: usize, what: &str, mend: &str) {
    let errors = parse(text).expect_err("the table has a fault");
    let [only] = errors.faults() else {
        panic!("one fault expected: {errors}");
    };
    assert_eq!(only.line(), Some(line), "{only}");
    assert!(only.what().contains(what), "{only}");
    assert!(only.mend().contains(mend), "{}", only.mend());
    assert_eq!(errors.hint().as_deref(), Some(only.mend()));
    let message = errors.to_string();
    assert!(message.contains(&format!("peers.toml:{line}: ")), "{message}");
    assert!(message.chars().all(|c| !c.is_control()), "{message:?}");
}

fn with_peer(rest: &str) -> String {
    format!("{ME}[[peer]]\nname = \"bob\"\nkey = \"{}\"\n{rest}", line(2))
}

#[test]
fn a_good_table_is_read_whole() {
    let place = place();
    let text = format!(
        "{ME}listen = \"0.0.0.0:7000\"\n\n[[peer]]\nname = \"bob\"\nkey = \"{}\"\n\
         address = [\"bob.lan:9999\", \"[fd00::1]:8\"]\nallow = [\"camera\"]\n\
         [[peer]]\nname = \"小雨\"\nkey = \"{}\"\naddress = \"1.2.3.4:9\"\n\
         [[peer]]\nname = \"c\"\nkey = \"{}\"\nallow = []\n[link]\nkey_update_minutes = 5\n",
        line(2),
        line(3),
        line(4)
    );
    let config = Config::parse(&text, &place.path).unwrap();
    let folder = place.path.parent().unwrap();
    assert_eq!(config.path, place.path);
    assert_eq!(config.me.name, "alice");
    assert_eq!(config.me.key, folder.join("alice.pem"));
    assert_eq!(config.me.data, folder.join("data"));
    assert_eq!(config.me.listen.to_string(), "0.0.0.0:7000");
    assert_eq!(config.link.key_update, Duration::from_secs(300));
    assert_eq!(config.link.new_handshake, Duration::from_secs(3600));
    let names: Vec<&str> = config.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["bob", "小雨", "c"]);
    let bob = config.peer("bob").unwrap();
    assert_eq!((bob.key.clone(), bob.id), (key(2), PeerId::of(&key(2))));
    assert_eq!(bob.addresses[1].to_string(), "[fd00::1]:8");
    let (chat, camera) = (true, false);
    assert_eq!(bob.allow, Allow { chat: false, camera: true });
    assert_eq!(config.peers[1].allow, Allow { chat, camera });
    assert_eq!(config.peers[2].allow, Allow { chat: false, camera });
    assert_eq!(config.peer_by_id(&PeerId::of(&key(3))).unwrap().name, "小雨");
    assert!(config.peer("nobody").is_none());
}

#[test]
fn what_is_left_out_has_defaults() {
    let config = parse("[me]\nname = \"al/ice\"\nkey = \"alice.pem\"\n").unwrap();
    assert_eq!(config.me.listen.to_string(), "[::]:9999");
    assert!(config.me.data.is_absolute());
    assert!(config.me.data.ends_with("al%2fice"), "{:?}", config.me.data);
    assert!(config.peers.is_empty());
    assert_eq!(config.link.key_update, Duration::from_secs(600));
    assert_eq!(config.history, HistorySettings::default());
    assert!(config.history.read_receipts && config.history.keep.is_none() && config.history.keep_bytes.is_none());
    assert_eq!(config.history.quota_bytes, 16 << 30);
}

#[test]
fn syntax() {
    fault("[me]\nname = alice\n", 2, "not valid TOML", "double quotes");
    fault(&format!("{ME}name = \"bob\"\n"), 5, "duplicate key \"name\"", "keep one");
    fault("[me]\nkey = \"C:\\keys\"\n", 2, "not valid TOML", "single quotes");
    fault(&format!("{ME}[[peer]\n"), 5, "not valid TOML", "[[peer]]");
}

#[test]
fn unknown_keys_are_named_with_the_likely_one() {
    fault(&format!("{ME}lisen = \"[::]:1\"\n"), 5, "unknown key \"lisen\" in [me]", "did you mean \"listen\"");
    fault(&with_peer("adress = \"b:1\"\n"), 8, "unknown key \"adress\" in [[peer]]", "\"address\"");
    fault(&format!("{ME}[peers]\n"), 5, "unknown key \"peers\" in the table", "\"peer\"");
    fault(&format!("{ME}[link]\nspeed = 1\n"), 6, "unknown key \"speed\"", "new_handshake_minutes");
}

#[test]
fn missing_keys() {
    fault("", 1, "no [me]", "add [me]");
    fault("\n\n[me]\nkey = \"alice.pem\"\n", 3, "[me] has no `name`", "name = \"alice\"");
    fault("[me]\nname = \"alice\"\n", 1, "[me] has no `key`", "miyu keygen");
    fault(&format!("{ME}\n[[peer]]\nname = \"bob\"\n"), 6, "[[peer]] has no `key`", "miyu id");
    let text = format!("{ME}\n[[peer]]\nkey = \"{}\"\n", line(2));
    fault(&text, 6, "[[peer]] has no `name`", "name = \"bob\"");
}

#[test]
fn wrong_types() {
    fault("[me]\nname = 5\nkey = \"alice.pem\"\ndata = \"d\"\n", 2, "`name` in [me] must be a text", "name = ");
    fault(&format!("{ME}listen = 9999\n"), 5, "`listen`", "listen = \"[::]:9999\"");
    fault("me = 5\n", 1, "`me` in the table is not a section", "[me]");
    fault(&format!("[[me]]\n{ME}").replacen("[me]\n", "", 1), 1, "`me`", "once");
    fault(&format!("{ME}[peer]\nname = \"bob\"\n"), 5, "`peer`", "[[peer]]");
    fault(&format!("peer = [1]\n{ME}"), 1, "`peer`", "[[peer]]");
    fault(&with_peer("address = 9\n"), 8, "`address`", "address = ");
    fault(&with_peer("address = [\"b:1\",\n 9]\n"), 9, "`address`", "address = ");
    fault(&with_peer("allow = \"chat\"\n"), 8, "`allow`", "[\"chat\", \"camera\"]");
    fault(&with_peer("allow = [true]\n"), 8, "`allow`", "[\"chat\", \"camera\"]");
    let history = "[history]\nread_receipts = false\nkeep_days = 30\nkeep_gib = 2\nquota_gib = 4\n";
    let config = parse(&format!("{ME}{history}")).unwrap();
    assert_eq!(
        config.history,
        HistorySettings {
            read_receipts: false,
            keep: Some(Duration::from_secs(30 * 24 * 3600)),
            keep_bytes: Some(2 << 30),
            quota_bytes: 4 << 30,
        }
    );
    fault(&format!("{ME}[history]\nread_receipts = 1\n"), 6, "true or false", "read_receipts = false");
    fault(&format!("{ME}[history]\nkeep_days = 0\n"), 6, "1 to 36500", "keep_days = 365");
    fault(&format!("{ME}[history]\nkeep_gib = 16\n"), 6, "not below `quota_gib` (16)", "lower keep_gib");
    fault(&format!("{ME}[history]\nkeep = 3\n"), 6, "unknown key \"keep\"", "keep_days");
    fault(&format!("{ME}[link]\nkey_update_minutes = \"5\"\n"), 6, "whole number", "minutes");
}

#[test]
fn sound_devices_are_named() {
    let sound = parse(&format!("{ME}[sound]\ninput = \"Yeti Stereo\"\n")).unwrap().sound;
    assert_eq!((sound.input.as_deref(), sound.output), (Some("Yeti Stereo"), None));
    assert_eq!(parse(ME).unwrap().sound, SoundSettings::default());
    fault(&format!("{ME}[sound]\noutput = \" \"\n"), 6, "`output` in [sound] names no device", "leave it out");
    fault(&format!("{ME}[sound]\ninput = 3\n"), 6, "`input` in [sound] must be a text", "miyu devices");
    fault(&format!("{ME}[sound]\ninput = \"a\\nb\"\n"), 6, "no name of a device: \"a\\nb\"", "miyu devices");
    fault(&format!("{ME}[sound]\nmicrophone = \"a\"\n"), 6, "unknown key \"microphone\" in [sound]", "input, output");
    fault(&format!("sound = 3\n{ME}"), 1, "`sound` in the table is not a section", "[sound]");
}

#[test]
fn names() {
    let me = |name: &str| format!("[me]\nname = \"{name}\"\nkey = \"alice.pem\"\ndata = \"d\"\n");
    fault(&me(""), 2, "the name is empty", "give it a name");
    fault(&me(&"é".repeat(33)), 2, "66 bytes", "64 bytes");
    assert!(parse(&me(&"é".repeat(32))).is_ok());
    fault(&me("a\\u0007"), 2, "U+0007", "visible");
    fault(&me("bob\\u202e"), 2, "U+202E", "visible");
    fault(&me(" bob"), 2, "space", "take the space away");
    let peer = format!("{ME}[[peer]]\nname = \"\\u2066b\"\nkey = \"{}\"\n", line(2));
    fault(&peer, 6, "U+2066", "visible");
}

#[test]
fn duplicates() {
    let two = |name: &str, n: u16| with_peer(&format!("\n[[peer]]\nname = \"{name}\"\nkey = \"{}\"\n", line(n)));
    assert!(parse(&two("carol", 3)).is_ok());
    fault(&two("bob", 3), 10, "\"bob\" is taken already, on line 6", "a name of its own");
    fault(&two("alice", 3), 10, "\"alice\" is taken already, on line 2", "yourself");
    fault(&two("carol", 2), 11, "that of peer \"bob\" on line 7", "miyu id");
}

#[test]
fn keys_and_key_files() {
    let bad = |key: &str| format!("{ME}[[peer]]\nname = \"bob\"\nkey = \"{key}\"\n");
    fault(&bad("AhF3"), 7, "key of peer \"bob\" is no SM2 public key", "miyu id");
    let mut cut = line(2);
    cut.pop();
    fault(&bad(&cut), 7, "no SM2 public key", "whole line");
    // an x that is on no point: about half of all are
    let no_point = (0..=9)
        .map(|digit| format!("{}{digit}{}", &line(2)[..20], &line(2)[21..]))
        .find(|line| miyu::identity::parse_key_line(line).is_err())
        .unwrap();
    fault(&bad(&no_point), 7, "not", "whole line");
    fault("[me]\nname = \"a\"\nkey = \"none.pem\"\ndata = \"d\"\n", 3, "no such key file", "miyu keygen --out ");
    fault("[me]\nname = \"a\"\nkey = \".\"\ndata = \"d\"\n", 3, "no file", "private key file");
    fault("[me]\nname = \"a\"\nkey = \"\"\ndata = \"d\"\n", 3, "no path", "keys/alice.pem");
    fault("[me]\nname = \"a\"\nkey = \"alice.pem\"\ndata = \"\"\n", 4, "`data`", "data = ");
}

#[test]
fn addresses() {
    fault(&with_peer("address = \"bob\"\n"), 8, "no port", "bob.lan:9999");
    fault(&with_peer("address = \"bob:0\"\n"), 8, "port 0", "port that the peer listens on");
    fault(&with_peer("address = [\n\"b:1\",\n\"::1:9\"]\n"), 10, "brackets", "[fd00::12]:9999");
    fault(&format!("{ME}listen = \"[::]:0\"\n"), 5, "port 0", "[::]:9999");
    fault(&format!("{ME}listen = \"localhost:1\"\n"), 5, "no IP address", "[::]:9999");
    let many = vec!["\"b:1\""; 17].join(",");
    fault(&with_peer(&format!("address = [{many}]\n")), 8, "17 addresses", "16");
}

#[test]
fn rights_and_settings() {
    fault(&with_peer("allow = [\"chat\", \"camra\"]\n"), 8, "no right \"camra\"", "\"camera\"");
    fault(&with_peer("allow = [\"root\"]\n"), 8, "no right \"root\"", "chat, camera");
    for bad in ["0", "61", "-1", "99999999999999999999"] {
        let text = format!("{ME}[link]\nkey_update_minutes = {bad}\n");
        let errors = parse(&text).unwrap_err();
        assert_eq!(errors.faults()[0].line(), Some(6), "{errors}");
    }
    fault(&format!("{ME}[link]\nnew_handshake_minutes = 1441\n"), 6, "1 to 1440", "= 60");
    assert!(parse(&format!("{ME}[link]\nkey_update_minutes = 0x3c\n")).is_ok());
}

#[test]
fn all_faults_come_at_once_in_the_order_of_lines() {
    let text = "[me]\nnam = \"alice\"\nkey = 5\n[[peer]]\nname = \"\"\nkey = \"x\"\naddress = \"b\"\nallow = [\"x\"]\n";
    let errors = parse(text).unwrap_err();
    let lines: Vec<_> = errors.faults().iter().filter_map(|fault| fault.line()).collect();
    assert_eq!(lines, [1, 2, 3, 5, 6, 7, 8], "{errors}");
    let message = errors.to_string();
    assert!(message.starts_with("7 faults in the peer table"), "{message}");
    assert!(message.contains("did you mean \"name\""), "{message}");
    assert_eq!(errors.hint(), None);
}

#[test]
fn values_are_shown_harmless() {
    let text = with_peer("allow = [\"\\u001b[2J\\u202e\"]\n");
    fault(&text, 8, "\\u{1b}", "chat");
}

#[test]
fn our_own_key_at_a_peer_is_found_with_its_line() {
    let text = with_peer(&format!("[[peer]]\nname = \"c\"\nkey = \"{}\"\n", line(9)));
    let config = parse(&text).unwrap();
    assert!(config.check_own_key(&key(1)).is_ok());
    let error = config.check_own_key(&key(9)).unwrap_err();
    assert_eq!(error.line(), Some(10));
    assert!(error.to_string().contains("peer \"c\" has our own key"), "{error}");
    assert!(error.hint().unwrap().contains("miyu id"));
}

#[test]
fn an_unknown_peer_is_answered_with_the_likely_one() {
    let text = with_peer(&format!("[[peer]]\nname = \"carol\"\nkey = \"{}\"\n", line(3)));
    let config = parse(&text).unwrap();
    assert_eq!(config.peer_named("bob").unwrap().id, PeerId::of(&key(2)));
    let error = config.peer_named("bbo").unwrap_err();
    assert_eq!(error.to_string(), "no peer 'bbo' in the table; did you mean 'bob'? peers: bob, carol");
    let error = config.peer_named("zebra\u{1b}").unwrap_err();
    assert_eq!(error.to_string(), "no peer 'zebra\\u{1b}' in the table; peers: bob, carol");
    let error = parse(ME).unwrap().peer_named("bob").unwrap_err();
    assert_eq!(error.to_string(), "no peer 'bob' in the table");
    assert!(error.hint().unwrap().contains("[[peer]]"));
}

#[test]
fn limits_are_kept() {
    let place = place();
    let peer = |n: usize| {
        let n = u16::try_from(n).unwrap() + 1;
        format!("[[peer]]\nname = \"p{n}\"\nkey = \"{}\"\n", line(n))
    };
    let peers: String = (0..PEERS_MAX).map(peer).collect();
    let config = parse(&format!("{ME}{peers}")).unwrap();
    assert_eq!(config.peers.len(), PEERS_MAX);
    let errors = parse(&format!("{ME}{peers}{}", peer(PEERS_MAX))).unwrap_err();
    assert!(errors.to_string().contains("1025 peers"), "{errors}");

    std::fs::write(&place.path, ME).unwrap();
    assert!(Config::load(&place.path).is_ok());
    std::fs::write(&place.path, format!("{ME}#{}", "é".repeat(FILE_BYTES_MAX / 2))).unwrap();
    let errors = Config::load(&place.path).unwrap_err();
    assert!(errors.to_string().contains("larger than"), "{errors}");
    assert!(errors.hint().unwrap().contains("right file"));
    let deep = format!("{ME}x = {}", "[".repeat(100_000));
    assert!(parse(&deep).is_err());
    let many = format!("{ME}{}", "\n=".repeat(100_000));
    assert!(parse(&many).unwrap_err().faults().len() <= 50);
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let place = place();
    let folder = place.path.parent().unwrap();
    let errors = Config::load(&place.path).unwrap_err();
    assert!(errors.to_string().contains("cannot read it"), "{errors}");
    assert!(errors.hint().unwrap().contains("--config"));
    let errors = Config::load(folder).unwrap_err();
    assert!(errors.to_string().contains("it is a folder"), "{errors}");
    std::fs::write(&place.path, b"[me]\nname = \"\xff\"\n").unwrap();
    let errors = Config::load(&place.path).unwrap_err();
    assert_eq!(errors.faults()[0].line(), Some(2));
    assert!(errors.hint().unwrap().contains("UTF-8"));
}

#[test]
fn the_table_is_looked_for_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here.toml"), folder.path().join("there.toml"));
    let places = [here.clone(), there.clone()];
    let error = Config::find_among(None, &places).unwrap_err();
    let message = error.to_string();
    for part in ["here.toml", "there.toml", "no peer table"] {
        assert!(message.contains(part), "{message}");
    }
    for part in ["miyu keygen", "--config", "sample"] {
        assert!(error.mend().contains(part), "{}", error.mend());
    }
    std::fs::write(&there, "").unwrap();
    assert_eq!(Config::find_among(None, &places).unwrap(), there);
    std::fs::write(&here, "").unwrap();
    assert_eq!(Config::find_among(None, &places).unwrap(), here);
    assert_eq!(Config::find_among(Some(&there), &places).unwrap(), there);
    let error = Config::find_among(Some(Path::new("/no/such")), &places).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn the_sample_is_a_good_table() {
    let sample = include_str!("../../peers.toml");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    std::fs::write(folder.path().join("keys/alice.pem"), "a key").unwrap();
    let path = folder.path().join("peers.toml");
    let config = Config::parse(sample, &path).unwrap();
    assert_eq!(config.peers.len(), 1);
    // the parts that are commented out are good too, once they have keys
    let mut n = 100;
    let mut all = String::new();
    for text in sample.lines() {
        let bare = text.strip_prefix("# ").unwrap_or(text);
        let is_toml = bare.starts_with('[')
            || bare.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.trim_end().chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
        n += 1;
        all += &if is_toml { bare.replace("sm2:...", &line(n)) } else { String::new() };
        all.push('\n');
    }
    let config = Config::parse(&all, &path).unwrap();
    assert_eq!(config.peers.len(), 3);
    assert!(config.peers[1].allow.camera);
}
