//! `miyu sign` and `miyu verify`, as typed, and both ways with openssl.

use tempfile::TempDir;

use super::{BOTH, Hosts, err, fails, json, ok, openssl, run};

#[test]
fn a_signature_says_who_signed_what() {
    let hosts = Hosts::new(BOTH);
    std::fs::write(hosts.alice.join("note"), "as agreed\n").unwrap();
    let said = ok(&["sign", "note"], &hosts.alice);
    assert!(said.starts_with("wrote note.sig: note signed by sm2:"), "{said}");
    for name in ["note", "note.sig"] {
        std::fs::copy(hosts.alice.join(name), hosts.bob.join(name)).unwrap();
    }
    let said = ok(&["verify", "note", "--from", "alice"], &hosts.bob);
    assert!(said.starts_with("good signature: note is what alice signed\npublic key   sm2:"), "{said}");
    let done = json(&ok(&["verify", "note", "--from", "alice", "--json"], &hosts.bob));
    assert_eq!((&done[0]["event"], &done[0]["from"]), (&"verified".into(), &"alice".into()));
    // by her key line too it is alice: the table knows it
    let line = done[0]["public"].as_str().unwrap();
    assert!(ok(&["verify", "note", "--from", line], &hosts.bob).contains("what alice signed"));
    let done = json(&ok(&["sign", "note", "--json", "--force"], &hosts.alice));
    assert_eq!((&done[0]["event"], done[0]["public"].as_str()), (&"signed".into(), Some(line)));

    fails(&["sign", "note"], &hosts.alice, "note.sig exists already", "--force");
    fails(&["verify", "note", "--from", "bob"], &hosts.bob, "not what bob signed", "--id");
    fails(&["verify", "note", "--from", "alice", "--id", "other"], &hosts.bob, "not what alice signed", "--id");
    fails(&["verify", "note", "--from", "alice", "--signature", "note"], &hosts.bob, "not what alice signed", "");
    fails(&["verify", "peers.toml", "--from", "alice"], &hosts.bob, "peers.toml.sig", "--signature");
    fails(&["sign", "note", "--id", &"x".repeat(8192), "-o", "y"], &hosts.alice, "8192 bytes", "");
    std::fs::write(hosts.bob.join("note"), "as agreed!\n").unwrap();
    let output = run(&["verify", "note", "--from", "alice", "--json"], &hosts.bob);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert_eq!(json(&super::out(&output))[0]["event"], "error");
}

#[test]
fn signatures_go_both_ways_with_openssl() {
    let folder = TempDir::new().unwrap();
    let home = folder.path();
    ok(&["keygen", "--out", "k.pem"], home);
    ok(&["key", "convert", "k.pem", "--to", "public", "-o", "k.pub"], home);
    for (bytes, id) in [(0, "1234567812345678"), (1, "1234567812345678"), (100 << 20, "1234567812345678"), (1, "alice")]
    {
        let path = crate::support::file(home, bytes, 12);
        let name = path.file_name().unwrap().to_str().unwrap();
        ok(&["sign", name, "--key", "k.pem", "--id", id, "-o", "ours", "--force"], home);
        let options = format!("-rawin -in {name} -digest sm3 -pkeyopt distid:{id}");
        let verify = format!("pkeyutl -verify -pubin -inkey k.pub -sigfile ours {options}");
        let Some(checked) = openssl(&verify, home) else { return };
        checked.unwrap();
        openssl(&format!("pkeyutl -sign -inkey k.pem -out theirs {options}"), home).unwrap().unwrap();
        ok(&["verify", name, "--from", "k.pub", "--signature", "theirs", "--id", id], home);
        std::fs::write(&path, "another").unwrap();
        openssl(&verify, home).unwrap().unwrap_err();
        fails(
            &["verify", name, "--from", "k.pub", "--signature", "theirs", "--id", id],
            home,
            "is not what k.pub signed",
            "",
        );
    }
}
