//! Key files on disk: who may read them, and that a new one is there whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

use miyu::identity::file::{self, KeyFileError};
use miyu::identity::{Identity, PeerId, pem};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{public, secret};

/// Loads without a way to ask for a passphrase.
fn load(path: &Path) -> Result<Identity, KeyFileError> {
    file::load(path, &mut |_| Ok(None))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_saved_key_loads_and_leaves_nothing_beside_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys/deep/alice.pem");
    file::save_new(&path, &pem::encode_plain(&secret(3))).unwrap();
    assert_eq!(load(&path).unwrap().peer_id(), PeerId::of(&public(3)));
    assert_eq!(names(path.parent().unwrap()), ["alice.pem"]);
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("alice.pem");
    for before in ["precious", ""] {
        fs::write(&path, before).unwrap();
        let refused = file::save_new(&path, "new");
        assert!(matches!(refused, Err(KeyFileError::AlreadyExists { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
    let refused = file::save_new(folder.path(), "new");
    assert!(matches!(refused, Err(KeyFileError::AlreadyExists { .. })), "{refused:?}");
    assert_eq!(names(folder.path()), ["alice.pem"]);
}

#[test]
fn of_many_writers_one_wins_and_its_key_is_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys/alice.pem");
    let outcomes: Vec<Result<u8, KeyFileError>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=8)
            .map(|byte| {
                let path = &path;
                scope.spawn(move || file::save_new(path, &pem::encode_plain(&secret(byte))).map(|()| byte))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let winners: Vec<u8> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(load(&path).unwrap().peer_id(), PeerId::of(&public(winners[0])));
    for outcome in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(matches!(outcome, KeyFileError::AlreadyExists { .. }), "{outcome:?}");
    }
    assert_eq!(names(path.parent().unwrap()), ["alice.pem"]);
}

#[test]
fn a_passphrase_is_asked_for_only_when_it_is_needed() {
    let folder = TempDir::new().unwrap();
    let mut rng = StdRng::seed_from_u64(0x1d06);
    let (plain, sealed) = (folder.path().join("plain.pem"), folder.path().join("sealed.pem"));
    file::save_new(&plain, &pem::encode_plain(&secret(3))).unwrap();
    file::save_new(&sealed, &pem::encode_gmssl(&secret(4), b"pass", &mut rng)).unwrap();

    file::load(&plain, &mut |_| panic!("asked for the passphrase of a plain key")).unwrap();
    let mut asked = Vec::new();
    let mut answer = |phrase: Option<&'static [u8]>| {
        file::load(&sealed, &mut |path| {
            asked.push(path.to_owned());
            Ok(phrase.map(|phrase| Zeroizing::new(phrase.to_vec())))
        })
    };
    assert_eq!(answer(Some(b"pass")).unwrap().peer_id(), PeerId::of(&public(4)));
    assert!(matches!(answer(Some(b"wrong")), Err(KeyFileError::WrongPassphrase)));
    let unasked = answer(None).unwrap_err();
    assert!(matches!(unasked, KeyFileError::NeedsPassphrase));
    assert!(unasked.hint().unwrap().contains("--passphrase-file"));
    assert_eq!(asked, vec![sealed.clone(); 3]);
    let broken = file::load(&sealed, &mut |_| Err(io::Error::other("the terminal is gone")));
    assert!(broken.unwrap_err().to_string().contains("the terminal is gone"));
}

#[test]
fn what_is_no_readable_file_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let missing = load(&folder.path().join("none.pem")).unwrap_err();
    assert!(matches!(missing, KeyFileError::Io { action: "read", .. }), "{missing:?}");
    assert!(missing.to_string().contains("none.pem"));
    assert!(missing.hint().unwrap().contains("miyu keygen"));
    assert!(matches!(load(folder.path()), Err(KeyFileError::NotAFile { .. })));
    let under_a_file = folder.path().join("file");
    fs::write(&under_a_file, "x").unwrap();
    let refused = file::save_new(&under_a_file.join("key.pem"), "x");
    assert!(matches!(refused, Err(KeyFileError::Io { .. })), "{refused:?}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn new_keys_and_folders_are_their_owners_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a/b/alice.pem");
        file::save_new(&path, &pem::encode_plain(&secret(3))).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&folder.path().join("a/b")), 0o700);
        assert_eq!(mode(&folder.path().join("a")), 0o700);
    }

    #[test]
    fn keys_open_to_others_are_refused_with_the_mend() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("it's mine.pem");
        file::save_new(&path, &pem::encode_plain(&secret(3))).unwrap();
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600 | bit)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::OpenToOthers { mode, .. } if mode == 0o600 | bit));
            assert!(error.to_string().contains(&format!("{:o}", 0o600 | bit)), "{error}");
            // the hint works as it stands
            assert!(Command::new("sh").arg("-c").arg(error.hint().unwrap()).status().unwrap().success());
            assert_eq!(mode(&path), 0o600);
            load(&path).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        load(&path).unwrap();
    }

    #[test]
    fn symbolic_links_are_followed_to_read_and_never_to_write() {
        let folder = TempDir::new().unwrap();
        let (target, link) = (folder.path().join("target.pem"), folder.path().join("link.pem"));
        symlink(&target, &link).unwrap();
        let refused = file::save_new(&link, "x");
        assert!(matches!(refused, Err(KeyFileError::AlreadyExists { .. })), "{refused:?}");
        assert!(!target.exists());
        file::save_new(&target, &pem::encode_plain(&secret(3))).unwrap();
        load(&link).unwrap();
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = TempDir::new().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(load(&pipe), Err(KeyFileError::NotAFile { .. })));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("long.pem");
        file::save_new(&path, &"x".repeat(pem::KEY_FILE_BYTES_MAX + 1)).unwrap();
        assert!(matches!(load(&path), Err(KeyFileError::TooLong)));
    }
}
