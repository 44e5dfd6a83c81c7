//! `miyu key`: passphrases and forms of key files, as typed, and both ways with openssl.

use std::path::Path;

use tempfile::TempDir;

use super::{fails, json, names, ok, openssl, out, run};

/// A folder with a key `k.pem`, passphrases in `p` and `q`, and the key's line.
fn home() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let made = json(&ok(&["keygen", "--out", "k.pem", "--json"], folder.path()));
    for (name, phrase) in [("p", "first words"), ("q", "other words")] {
        std::fs::write(folder.path().join(name), format!("{phrase}\n")).unwrap();
    }
    (folder, made[0]["public"].as_str().unwrap().to_owned())
}

fn text(home: &Path, name: &str) -> String {
    std::fs::read_to_string(home.join(name)).unwrap()
}

fn is_private(home: &Path, name: &str) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    #[cfg(not(unix))]
    let _ = (home, name);
}

#[test]
fn a_passphrase_is_added_changed_and_removed() {
    let (folder, line) = home();
    let home = folder.path();
    let plain = text(home, "k.pem");
    let before = names(home);
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut old = std::fs::File::open(home.join("k.pem")).unwrap();
    let said = ok(&["key", "passwd", "k.pem", "--new-passphrase-file", "p"], home);
    #[cfg(unix)]
    {
        // another file took the name: who had the old one open has it whole, and so would a crash
        let mut kept = String::new();
        std::io::Read::read_to_string(&mut old, &mut kept).unwrap();
        assert_eq!(kept, plain);
    }
    drop(old);
    assert!(said.starts_with("wrote k.pem (locked") && said.contains(&line), "{said}");
    is_private(home, "k.pem");
    assert!(text(home, "k.pem").contains("ENCRYPTED"));
    fails(&["id", "k.pem"], home, "passphrase", "--passphrase-file");
    // the old passphrase is needed, and a wrong one changes nothing
    let locked = text(home, "k.pem");
    fails(&["key", "passwd", "k.pem", "--new-passphrase-file", "q"], home, "needs a passphrase", "--passphrase-file");
    let wrong = ["key", "passwd", "k.pem", "--new-passphrase-file", "q", "--passphrase-file", "q"];
    fails(&wrong, home, "passphrase is wrong", "");
    assert_eq!(text(home, "k.pem"), locked);
    ok(&["key", "passwd", "k.pem", "--new-passphrase-file", "q", "--passphrase-file", "p"], home);
    fails(&["id", "k.pem", "--passphrase-file", "p"], home, "passphrase is wrong", "");
    let done = json(&ok(&["key", "passwd", "k.pem", "--remove", "--passphrase-file", "q", "--json"], home));
    assert_eq!(
        (&done[0]["event"], &done[0]["form"], done[0]["public"].as_str()),
        (&"key".into(), &"plain".into(), Some(&*line))
    );
    assert_eq!(text(home, "k.pem"), plain);
    is_private(home, "k.pem");
    assert_eq!(names(home), before, "nothing else is left");
    fails(&["key", "passwd", "p", "--remove"], home, "", "");
    fails(&["key", "passwd", "no-such", "--remove"], home, "no-such", "keygen");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_key_stays_one() {
    let (folder, _) = home();
    let home = folder.path();
    std::os::unix::fs::symlink("k.pem", home.join("link.pem")).unwrap();
    ok(&["key", "passwd", "link.pem", "--new-passphrase-file", "p"], home);
    assert!(home.join("link.pem").is_symlink());
    assert!(text(home, "k.pem").contains("ENCRYPTED"));
}

#[test]
fn every_form_becomes_every_other() {
    let (folder, line) = home();
    let home = folder.path();
    for form in ["plain", "gmssl", "openssl"] {
        ok(&["key", "convert", "k.pem", "--to", form, "-o", form, "--new-passphrase-file", "p"], home);
        is_private(home, form);
        fails(&["key", "convert", "k.pem", "--to", form, "-o", form, "--new-passphrase-file", "p"], home, "exists", "");
    }
    for from in ["plain", "gmssl", "openssl"] {
        for to in ["plain", "gmssl", "openssl"] {
            // a passphrase stays the same where only the form changes
            let new: &[&str] = if from == "plain" { &["--new-passphrase-file", "p"] } else { &[] };
            let name = format!("{from}-{to}");
            let convert = ["key", "convert", from, "--to", to, "-o", &name, "--passphrase-file", "p"];
            ok(&[&convert[..], new].concat(), home);
            let shown = json(&ok(&["id", &name, "--passphrase-file", "p", "--json"], home));
            assert_eq!(shown[0]["public"].as_str(), Some(&*line), "{name}");
        }
        assert_eq!(ok(&["key", "convert", from, "--to", "line", "--passphrase-file", "p"], home), format!("{line}\n"));
    }
    assert_eq!(text(home, "openssl-plain"), text(home, "k.pem"));
    let pem = ok(&["key", "convert", "k.pem", "--to", "public"], home);
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    std::fs::write(home.join("k.pub"), &pem).unwrap();
    assert_eq!(ok(&["key", "convert", "k.pub", "--to", "line"], home), format!("{line}\n"));
    assert_eq!(ok(&["key", "convert", &line, "--to", "public"], home), pem);
    assert!(ok(&["id", "k.pub"], home).contains(&line));
    assert_eq!(out(&run(&["key", "convert", "k.pem", "--to", "plain", "-o", "-"], home)), text(home, "k.pem"));
    fails(&["key", "convert", "k.pub", "--to", "plain", "-o", "x"], home, "k.pub is no private key", "private");
    fails(
        &["key", "convert", &line, "--to", "plain", "-o", "x"],
        home,
        "none can be made from a public one",
        "private",
    );
    fails(&["key", "convert", "k.pem", "--to", "plain"], home, "where", "-o OUT");
}

#[test]
fn key_forms_go_both_ways_with_openssl() {
    let (folder, line) = home();
    let home = folder.path();
    ok(&["key", "convert", "k.pem", "--to", "openssl", "-o", "o.pem", "--new-passphrase-file", "p"], home);
    let Some(opened) = openssl("pkey -in o.pem -passin file:p", home) else { return };
    assert_eq!(opened.unwrap(), text(home, "k.pem").as_bytes());
    ok(&["key", "convert", "k.pem", "--to", "public", "-o", "k.pub"], home);
    let public = openssl("pkey -in k.pem -pubout", home).unwrap().unwrap();
    assert_eq!(public, text(home, "k.pub").as_bytes());
    openssl("pkcs8 -topk8 -in k.pem -v2 sm4-cbc -v2prf hmacWithSHA256 -passout file:p -out theirs.pem", home)
        .unwrap()
        .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(home.join("theirs.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(
        ok(&["key", "convert", "theirs.pem", "--to", "line", "--passphrase-file", "p"], home),
        format!("{line}\n")
    );
    // a changed passphrase keeps openssl's form
    ok(&["key", "passwd", "theirs.pem", "--passphrase-file", "p", "--new-passphrase-file", "q"], home);
    let opened = openssl("pkey -in theirs.pem -passin file:q", home).unwrap();
    assert_eq!(opened.unwrap(), text(home, "k.pem").as_bytes());
    // public keys on another curve are refused by name
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem", home).unwrap().unwrap();
    openssl("pkey -in p256.pem -pubout -out p256.pub", home).unwrap().unwrap();
    fails(&["key", "convert", "p256.pub", "--to", "line"], home, "sm2 SubjectPublicKeyInfo", "");
}
