//! Keys, tables, and wrong usage.

use tempfile::TempDir;

use super::{BOTH, Hosts, fails, json, ok, out, run};

#[test]
fn keygen_and_id_tell_the_same_key_and_never_overwrite_one() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    let made = json(&ok(&["keygen", "--out", "keys/alice.pem", "--json"], home));
    assert_eq!(made[0]["event"], "key");
    let line = made[0]["public"].as_str().unwrap();
    assert!(line.starts_with("sm2:") && line.len() == 4 + 44);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(home.join("keys/alice.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let shown = json(&ok(&["id", "keys/alice.pem", "--json"], home));
    assert_eq!((&shown[0]["public"], &shown[0]["fingerprint"]), (&made[0]["public"], &made[0]["fingerprint"]));
    let before = std::fs::read(home.join("keys/alice.pem")).unwrap();
    fails(&["keygen", "--out", "keys/alice.pem"], home, "keys/alice.pem", "");
    assert_eq!(std::fs::read(home.join("keys/alice.pem")).unwrap(), before);

    ok(&["keygen", "--out", "bob.pem"], home);
    let one = json(&ok(&["id", "keys/alice.pem", "bob.pem", "--json"], home));
    let two = json(&ok(&["id", "bob.pem", "keys/alice.pem", "--json"], home));
    let number = one[0]["safety_number"].as_str().unwrap();
    assert_eq!(number.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(one[0]["safety_number"], two[0]["safety_number"]);
    let people = ok(&["id", "keys/alice.pem"], home);
    assert!(people.contains(line) && people.contains("fingerprint"), "{people}");
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    std::fs::write(home.join("right"), "correct horse\n").unwrap();
    std::fs::write(home.join("wrong"), "battery staple\n").unwrap();
    ok(&["keygen", "--out", "k.pem", "--passphrase", "--passphrase-file", "right"], home);
    assert!(std::fs::read_to_string(home.join("k.pem")).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    ok(&["id", "k.pem", "--passphrase-file", "right"], home);
    fails(&["id", "k.pem", "--passphrase-file", "wrong"], home, "passphrase", "");
    fails(&["id", "k.pem"], home, "passphrase", "--passphrase-file");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_with_the_mend() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    ok(&["keygen", "--out", "k.pem"], folder.path());
    std::fs::set_permissions(folder.path().join("k.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    fails(&["id", "k.pem"], folder.path(), "k.pem", "chmod 600");
}

#[test]
fn wrong_usage_is_status_2_and_failure_status_1() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["sned"][..], &["send"], &["send", "bob"], &["send", "bob", "hi", "--file", "x"], &["watch"]] {
        assert_eq!(run(arguments, folder.path()).status.code(), Some(2), "{arguments:?}");
    }
    fails(&["ping", "bob"], folder.path(), "peers.toml", "");
    let hosts = Hosts::new(BOTH);
    fails(&["ping", "bbo"], &hosts.alice, "did you mean 'bob'", "");
    let output = run(&["ping", "bbo", "--json"], &hosts.alice);
    let last = json(&out(&output)).pop().unwrap();
    assert_eq!(last["event"], "error");
    fails(&["camera", "--source", "no/such.mjpeg"], &hosts.bob, "no/such.mjpeg", "");
    fails(&["send", "bob", "--clip", "peers.toml"], &hosts.alice, "not a WAV file", "sox");
}
