//! `miyu encrypt` and `miyu decrypt`, as typed.

use std::path::Path;

use tempfile::TempDir;

use super::{BOTH, Hosts, err, fails, json, miyu, names, ok, openssl, out, run};

const CHUNK: usize = 64 * 1024;

/// A folder with keys `a.pem` and `b.pem`, a passphrase in `p`, and a file of some chunks.
fn home() -> (TempDir, String, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    ok(&["keygen", "--out", "a.pem"], home);
    let made = json(&ok(&["keygen", "--out", "b.pem", "--json"], home));
    std::fs::write(home.join("p"), "three word phrase\n").unwrap();
    let path = crate::support::file(home, 3 * CHUNK + 1000, 11);
    std::fs::rename(&path, home.join("f")).unwrap();
    let content = std::fs::read(home.join("f")).unwrap();
    (folder, made[0]["public"].as_str().unwrap().to_owned(), content)
}

fn read(home: &Path, name: &str) -> Vec<u8> {
    std::fs::read(home.join(name)).unwrap()
}

#[test]
fn a_file_goes_to_a_peer_of_the_table_and_comes_back() {
    let hosts = Hosts::new(BOTH);
    std::fs::write(hosts.alice.join("note.txt"), "meet me at the lighthouse\n").unwrap();
    let said = ok(&["encrypt", "--to", "bob", "note.txt"], &hosts.alice);
    assert!(said.starts_with("wrote note.txt.miyu (") && said.ends_with("for bob\n"), "{said}");
    std::fs::copy(hosts.alice.join("note.txt.miyu"), hosts.bob.join("note.txt.miyu")).unwrap();
    let said = ok(&["decrypt", "note.txt.miyu"], &hosts.bob);
    assert_eq!(said, "wrote note.txt (26 B), unlocked with the key\n");
    assert_eq!(read(&hosts.bob, "note.txt"), b"meet me at the lighthouse\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&hosts.bob.join("note.txt")), 0o600, "what was encrypted is for its owner alone");
    }
    // alice, who made it, is none of its recipients
    fails(&["decrypt", "note.txt.miyu", "-o", "x"], &hosts.alice, "not encrypted to this key", "--key FILE");
    assert!(!hosts.alice.join("x").exists());
    fails(&["encrypt", "--to", "bbo", "note.txt", "-o", "z"], &hosts.alice, "did you mean 'bob'", "sm2:");
    // our own name is one too, and a stray file does not take a peer's place
    std::fs::write(hosts.alice.join("bob"), "no key").unwrap();
    ok(&["encrypt", "--to", "alice", "--to", "bob", "note.txt", "-o", "both"], &hosts.alice);
    ok(&["decrypt", "both", "-o", "back"], &hosts.alice);
    let done = json(&ok(&["encrypt", "--to", "bob", "note.txt", "-o", "j", "--json"], &hosts.alice));
    assert_eq!(
        (&done[0]["event"], &done[0]["to"][0], &done[0]["bytes"]),
        (&"encrypted".into(), &"bob".into(), &26.into())
    );
    assert_eq!(done[0]["sealed_bytes"].as_u64().unwrap(), read(&hosts.alice, "j").len() as u64);
}

#[test]
fn every_recipient_opens_it_however_they_were_named() {
    let (folder, line, content) = home();
    let home = folder.path();
    ok(&["key", "convert", "a.pem", "--to", "public", "-o", "a.pub"], home);
    let to = ["encrypt", "--to", &line, "--to", "a.pub", "--passphrase-file", "p", "f"];
    let done = json(&ok(&[&to[..], &["--json"]].concat(), home));
    assert_eq!(done[0]["passphrase"], true);
    for (key, with) in
        [(&["--key", "a.pem"][..], "key"), (&["--key", "b.pem"], "key"), (&["--passphrase-file", "p"], "passphrase")]
    {
        let done = json(&ok(&[&["decrypt", "f.miyu", "-o", "g", "--force", "--json"], key].concat(), home));
        assert_eq!((&done[0]["with"], done[0]["bytes"].as_u64()), (&with.into(), Some(content.len() as u64)));
        assert!(read(home, "g") == content);
    }
    ok(&["keygen", "--out", "c.pem"], home);
    fails(&["decrypt", "f.miyu", "-o", "h", "--key", "c.pem"], home, "but to 2 others", "--key FILE");
    std::fs::write(home.join("q"), "other words\n").unwrap();
    fails(&["decrypt", "f.miyu", "-o", "h", "--passphrase", "--passphrase-file", "q"], home, "does not open", "again");
    // without a table, a key or somebody to ask
    fails(&["decrypt", "f.miyu", "-o", "h"], home, "peers.toml", "--passphrase-file FILE");
    ok(&["encrypt", "--to", "./a.pem", "f", "-o", "to-a"], home);
    fails(&["decrypt", "to-a", "-o", "h", "--passphrase"], home, "has no passphrase", "--key FILE");
    ok(&["encrypt", "--passphrase-file", "p", "f", "-o", "under-p"], home);
    fails(&["decrypt", "under-p", "-o", "h"], home, "passphrase alone", "--passphrase");
    fails(&["decrypt", "under-p", "-o", "h", "--passphrase-file", "q"], home, "does not open", "again");
    assert!(!home.join("h").exists());
}

/// The variable unlocks keys; it must not let one more passphrase into what is encrypted to a key.
#[test]
fn the_environment_adds_no_recipient() {
    let (folder, line, _) = home();
    let home = folder.path();
    let with_variable = |arguments: &[&str]| {
        miyu().args(arguments).env("MIYU_PASSPHRASE_FILE", "p").current_dir(home).output().unwrap()
    };
    let output = with_variable(&["encrypt", "--to", &line, "f", "--json"]);
    assert_eq!(json(&out(&output))[0]["passphrase"], false, "{}", err(&output));
    assert_eq!(with_variable(&["encrypt", "f", "-o", "g"]).status.code(), Some(2));
    ok(&["key", "passwd", "b.pem", "--new-passphrase-file", "p"], home);
    let output = with_variable(&["decrypt", "f.miyu", "-o", "g", "--key", "b.pem"]);
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn nothing_is_overwritten_unless_it_is_forced() {
    let (folder, line, content) = home();
    let home = folder.path();
    std::fs::write(home.join("f.miyu"), "mine").unwrap();
    fails(&["encrypt", "--to", &line, "f"], home, "f.miyu exists already", "--force");
    assert_eq!(read(home, "f.miyu"), b"mine");
    let mut old = std::fs::File::open(home.join("f.miyu")).unwrap();
    ok(&["encrypt", "--to", &line, "f", "--force"], home);
    let mut kept = String::new();
    std::io::Read::read_to_string(&mut old, &mut kept).unwrap();
    assert_eq!(kept, "mine", "the old file is replaced in one step, not written over");
    drop(old);
    fails(&["decrypt", "f.miyu", "--key", "b.pem"], home, "f exists already", "--force");
    fails(&["decrypt", "f", "--key", "b.pem"], home, "does not end in .miyu", "-o OUT");
    fails(&["decrypt", "f", "-o", "g", "--key", "b.pem"], home, "not a sealed file", "miyu encrypt");
    fails(&["encrypt", "--to", &line, "."], home, "folder", "tar");
    fails(&["encrypt", "--to", &line, "no-such"], home, "no-such", "");
    fails(&["encrypt", "--to", "no-such", "f", "-o", "g"], home, "no-such is no sm2", "name of the table");
    fails(&["encrypt", "--to", "sm2:AAAA", "f", "-o", "g"], home, "3 bytes", "miyu id");
    std::fs::create_dir(home.join("d")).unwrap();
    fails(&["encrypt", "--to", &line, "f", "-o", "d", "--force"], home, "d is not a file", "");
    fails(&["encrypt", "--to", &line, "f", "-o", "no/such/folder"], home, "no/such/folder", "");
    #[cfg(unix)]
    {
        // a link stays a link
        std::os::unix::fs::symlink("g", home.join("link")).unwrap();
        std::fs::write(home.join("g"), "old").unwrap();
        ok(&["decrypt", "f.miyu", "-o", "link", "--force", "--key", "b.pem"], home);
        assert!(read(home, "g") == content);
        assert!(home.join("link").is_symlink());
    }
    assert!(names(home).iter().all(|name| !name.contains(".part")), "{:?}", names(home));
}

#[test]
fn what_was_changed_leaves_nothing_behind() {
    let (folder, line, content) = home();
    let home = folder.path();
    ok(&["encrypt", "--to", &line, "f", "-o", "s"], home);
    let sealed = read(home, "s");
    let before = names(home);
    let header = sealed.len() - (3 * (CHUNK + 28) + 1028);
    let end = sealed.len();
    let swapped = {
        let (one, two) = (header..header + CHUNK + 28, header + CHUNK + 28..header + 2 * (CHUNK + 28));
        [&sealed[..header], &sealed[two], &sealed[one], &sealed[header + 2 * (CHUNK + 28)..]].concat()
    };
    let flipped = |at: usize| {
        let mut other = sealed.clone();
        other[at] ^= 1;
        other
    };
    for (what, bytes, error) in [
        ("a stanza", flipped(60), "not encrypted to this key"),
        ("the salt", flipped(header - 40), "header of the sealed file was changed"),
        ("the first chunk", flipped(header + 100), "chunk 0 does not open"),
        ("the last byte", flipped(end - 1), "chunk 3 does not open"),
        ("the end", sealed[..end - 1].to_vec(), "chunk 3 does not open"),
        ("the last chunk", sealed[..end - 1028].to_vec(), "ends after chunk 2"),
        ("all chunks", sealed[..header].to_vec(), "cut off within its first bytes"),
        ("more", [&sealed[..], b"!"].concat(), "chunk 3 does not open"),
        ("the order", swapped, "chunk 0 does not open"),
    ] {
        std::fs::write(home.join("s"), &bytes).unwrap();
        let output = run(&["decrypt", "s", "-o", "g", "--key", "b.pem"], home);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(err(&output).contains(error) && err(&output).contains("hint: "), "{what}: {}", err(&output));
        assert_eq!(names(home), before, "{what}");
        // a pipe has had the chunks before the fault, and nothing else
        let output = run(&["decrypt", "s", "-o", "-", "--key", "b.pem"], home);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(output.stdout.len().is_multiple_of(CHUNK) && content.starts_with(&output.stdout), "{what}");
    }
}

#[test]
fn short_secrets_go_both_ways_with_openssl() {
    let (folder, line, _) = home();
    let home = folder.path();
    let Some(made) = openssl("pkey -in b.pem -pubout -out b.pub", home) else { return };
    made.unwrap();
    for length in [1, 32, 200, 4096] {
        let secret: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        std::fs::write(home.join("s"), &secret).unwrap();
        ok(&["encrypt", "--raw-sm2", "--to", &line, "s", "--force"], home);
        let opened = openssl("pkeyutl -decrypt -inkey b.pem -in s.sm2", home).unwrap();
        assert_eq!(opened.unwrap(), secret, "{length} bytes to openssl");
        ok(&["decrypt", "--raw-sm2", "--key", "b.pem", "s.sm2", "--force"], home);
        assert_eq!(read(home, "s"), secret);
        if length == 1 {
            // openssl sends one byte in 256 under a key stream of zeros, which the standard forbids
            continue;
        }
        openssl("pkeyutl -encrypt -pubin -inkey b.pub -in s -out t.sm2", home).unwrap().unwrap();
        ok(&["decrypt", "--raw-sm2", "--key", "b.pem", "t.sm2", "--force"], home);
        assert_eq!(read(home, "t"), secret, "{length} bytes from openssl");
    }
    fails(&["decrypt", "--raw-sm2", "--key", "a.pem", "t.sm2", "-o", "u"], home, "another key", "--key FILE");
    fails(&["decrypt", "--raw-sm2", "--key", "b.pem", "a.pem", "-o", "u"], home, "not an sm2 ciphertext", "--raw-sm2");
    fails(&["decrypt", "--key", "b.pem", "t.sm2", "-o", "u"], home, "not a sealed file", "--raw-sm2");
    std::fs::write(home.join("s"), vec![1; 4097]).unwrap();
    fails(&["encrypt", "--raw-sm2", "--to", &line, "s", "-o", "u"], home, "longer than 4096 bytes", "--raw-sm2");
    std::fs::write(home.join("s"), "").unwrap();
    fails(&["encrypt", "--raw-sm2", "--to", &line, "s", "-o", "u"], home, "nothing to encrypt", "--raw-sm2");
    assert!(!home.join("u").exists());
}

#[test]
fn wrong_usage_of_file_commands_is_status_2() {
    let (folder, line, _) = home();
    for arguments in [
        &["encrypt", "f"][..],
        &["encrypt"],
        &["encrypt", "--raw-sm2", "f", "--to", &line, "--to", &line],
        &["encrypt", "--raw-sm2", "f", "--to", &line, "--passphrase-file", "p"],
        &["decrypt", "f.miyu", "--passphrase", "--key", "a.pem"],
        &["verify", "f"],
        &["verify", "-", "--from", &line],
        &["key", "passwd", "a.pem", "--remove", "--new-passphrase-file", "p"],
        &["key", "convert", "a.pem"],
        &["key", "convert", "a.pem", "--to", "der"],
    ] {
        let output = run(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        assert!(err(&output).starts_with("error: "), "{arguments:?}: {}", err(&output));
    }
    let help = ok(&["encrypt", "--help"], folder.path());
    assert!(help.contains("openssl enc -sm4-cbc"), "{help}");
}
