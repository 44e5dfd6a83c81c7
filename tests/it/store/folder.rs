//! The folder itself: modes, damage, leftovers.

use super::*;

#[test]
fn a_crash_between_rename_and_row_harms_nothing() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let (message, _) = commit(&store, 1, &body);
    let path = place(&store, &message);
    // as after the crash: the attachment has its name, the row never came
    let orphan = path.with_file_name(format!("{}.in", id(2)));
    fs::write(&orphan, b"half of something").unwrap();
    let (_other, store) = crash(&store);
    assert_eq!(store.lookup(&peer(1), &id(2)).unwrap(), None);
    let (second, new) = commit(&store, 2, &body);
    assert!(new);
    assert_eq!(read(&store, &second), body);
    assert_eq!(store.page(&query(None, None, 9, None)).unwrap().len(), 2);
}

#[test]
fn a_whole_body_whose_row_never_came_is_not_asked_for_again() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let facts = offer(1, Kind::File, &body);
    drop(receive(&store, &facts, &body));
    let incoming = files_in(&store.folder().join("incoming"));
    let part = incoming.iter().find(|path| path.extension().is_some_and(|end| end == "part")).unwrap();
    let attachments = store.folder().join("attachments").join(part.parent().unwrap().file_name().unwrap());
    fs::create_dir(&attachments).unwrap();
    let named = attachments.join(format!("{}.in", id(1)));
    fs::rename(part, &named).unwrap();
    // as after a crash: the body has its last name, the row never came
    let (_other, store) = crash(&store);
    store.set_quota(2 * LARGE as u64 + ROW_BYTES);
    let again = store.begin_receive(&peer(1), &facts).unwrap();
    assert_eq!(again.resume_offset(), 5 * CHUNK_BYTES);
    drop(again);
    assert!(
        store.room_for(LARGE as u64 + ROW_BYTES + 1234).is_ok()
            && store.room_for(LARGE as u64 + ROW_BYTES + 1235).is_err(),
        "it is counted"
    );
    let (message, new) = commit(&store, 1, &body);
    assert!(new);
    assert_eq!(read(&store, &message), body);
    assert!(files_in(&store.folder().join("incoming")).is_empty());
    // one that counts stays where it is
    drop(receive(&store, &facts, &body));
    assert!(place(&store, &store.message(&peer(1), Direction::In, &id(1)).unwrap().unwrap()).exists());
}

#[test]
fn a_copy_whose_process_died_goes_at_the_next_start() {
    let (_folder, store) = open();
    store.enqueue(outgoing(1, Kind::File, Body::Bytes(bytes(1, 100))), NOW, None).unwrap();
    let folder = fs::read_dir(store.folder().join("incoming")).unwrap().next().unwrap().unwrap().path();
    let minutes = |name: &str, age: u64| {
        let path = folder.join(name);
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age * 60)).unwrap();
        (path, file)
    };
    let (dead, file) = minutes("a.1-0.staged", 2);
    drop(file);
    let (young, _file) = minutes("b.1-0.staged", 0);
    let (busy, file) = minutes("c.1-0.staged", 2);
    file.try_lock().unwrap();
    let (part, _file) = minutes("d.part", 2);
    Store::open(store.folder(), &owner()).unwrap();
    assert_eq!([&dead, &young, &busy, &part].map(|path| path.exists()), [false, true, true, true]);
}

#[test]
fn a_row_that_fails_gives_the_body_back_to_be_resumed() {
    let (_folder, store) = open();
    let database = rusqlite::Connection::open(store.folder().join("miyu.db")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(refuse).unwrap();
    let attachments = || files_in(&store.folder().join("attachments"));
    let body = bytes(1, LARGE);
    let facts = offer(1, Kind::File, &body);
    for size in [1000, LARGE] {
        let facts = offer(1, Kind::File, &body[..size]);
        let complete = receive(&store, &facts, &body[..size]);
        let error = store.commit_received(complete, None, None, NOW).unwrap_err();
        assert!(matches!(error, StoreError::Database(_)), "{error}");
        assert!(attachments().is_empty());
    }
    let out = outgoing(1, Kind::File, Body::Bytes(body.clone()));
    assert!(store.enqueue(out, NOW, None).is_err());
    assert!(attachments().is_empty());
    assert_eq!(files_in(&store.folder().join("incoming")).len(), 2, "part and offer");
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    let again = store.begin_receive(&peer(1), &facts).unwrap();
    assert_eq!(again.resume_offset(), 5 * CHUNK_BYTES);
    drop(again);
    assert!(commit(&store, 1, &body).1);
    assert_eq!(store.enqueue(text(1), NOW, None).unwrap().seq, 1);
}

#[test]
fn orphans_and_old_partials_are_swept_and_nothing_else() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let (kept, _) = commit(&store, 1, &body);
    let kept = place(&store, &kept);
    let orphan = kept.with_file_name(format!("{}.in", id(2)));
    let foreign = kept.with_file_name("notes.txt");
    fs::write(&orphan, "x").unwrap();
    fs::write(&foreign, "x").unwrap();
    let start = |n| {
        let facts = offer(n, Kind::File, &body);
        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        receive.write(&body[..100_000]).unwrap();
        receive
    };
    drop(start(3));
    let busy = start(4);
    let incoming = || files_in(&store.folder().join("incoming")).len();
    assert_eq!(incoming(), 4);
    let now = SystemTime::now();
    assert_eq!(store.sweep(now + 6 * DAY).unwrap(), 0);
    assert_eq!(store.sweep(now + 8 * DAY).unwrap(), 2);
    assert!(kept.exists() && foreign.exists() && !orphan.exists());
    assert_eq!(incoming(), 2, "the one that is being written stays, and so does its offer");
    drop(busy);
    assert_eq!(store.sweep(now + 8 * DAY).unwrap(), 1);
    assert_eq!(incoming(), 0);
    // opening sweeps by itself
    fs::write(&orphan, "x").unwrap();
    let file = fs::File::options().write(true).open(&orphan).unwrap();
    file.set_modified(now - 8 * DAY).unwrap();
    store.set_meta("swept_at_ms", &0i64.to_be_bytes()).unwrap();
    Store::open(store.folder(), &owner()).unwrap();
    assert!(orphan.exists(), "what is older than the database is another one's, which was put aside");
    for key in ["made_at_ms", "swept_at_ms"] {
        store.set_meta(key, &0i64.to_be_bytes()).unwrap();
    }
    Store::open(store.folder(), &owner()).unwrap();
    assert!(!orphan.exists() && kept.exists());
}

#[test]
fn databases_that_are_newer_foreign_or_damaged_are_refused() {
    let (_folder, store) = open();
    let path = store.folder().join("miyu.db");
    let folder = store.folder().to_path_buf();
    drop(store);
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let error = Store::open(&folder, &owner()).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 2, .. }), "{error}");
    assert!(error.hint().unwrap().contains("update"));

    fs::write(&path, b"this is no database, but a text that someone put here").unwrap();
    let error = Store::open(&folder, &owner()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    fs::remove_file(&path).unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(database);
    let error = Store::open(&folder, &owner()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");

    let (_folder, store) = open();
    for n in 1..=50 {
        store.enqueue(text(n), NOW, None).unwrap();
    }
    let folder = store.folder().to_path_buf();
    drop(store);
    let path = folder.join("miyu.db");
    let mut pages = fs::read(&path).unwrap();
    let start = pages.len() / 3;
    pages[start..].fill(0xa5);
    fs::write(&path, pages).unwrap();
    let error = Store::open(&folder, &owner()).and_then(|store| store.page(&query(None, None, 99, None))).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.hint().unwrap().contains("restore"));
}

#[test]
fn a_damaged_attachment_is_told_and_the_rest_goes_on() {
    let (_folder, store) = open();
    let (message, _) = commit(&store, 1, &bytes(1, 1000));
    let path = place(&store, &message);
    fs::write(&path, b"short").unwrap();
    let error = store.body(&message).unwrap_err();
    assert!(matches!(error, StoreError::BodyDamaged { found: 5, wanted: 1068, .. }), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(store.body(&message).unwrap_err().to_string().starts_with("cannot read"));
    assert_eq!(store.page(&query(None, None, 9, None)).unwrap().len(), 1);
}

#[test]
fn many_processes_may_open_a_new_folder_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| Store::open(folder.path(), &owner()).unwrap());
            }
        });
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_any_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // a folder that others can list and that holds other things keeps its mode; one of ours does not
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("theirs"), "x").unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).unwrap();
    for root in [shared.clone(), empty, folder.path().join("a/b/new")] {
        let store = Store::open(&root, &owner()).unwrap();
        let _lock = lock_long_lived(&root).unwrap();
        let body = bytes(1, LARGE);
        commit(&store, 1, &body);
        store.enqueue(outgoing(1, Kind::File, Body::Bytes(body.clone())), NOW, None).unwrap();
        let mut part = store.begin_receive(&peer(1), &offer(2, Kind::File, &body)).unwrap();
        part.write(&body[..100_000]).unwrap();
        drop(part);
        assert_eq!(mode(&root), if root == shared { 0o755 } else { 0o700 });
        let files = files_in(&root);
        assert!(files.len() >= 8, "{files:?}");
        for path in files.iter().filter(|path| !path.ends_with("theirs")) {
            assert_eq!(mode(path), 0o600, "{path:?}");
            let parent = path.parent().unwrap();
            assert!(parent == root || mode(parent) == 0o700, "{parent:?}");
        }
        assert_eq!(mode(&root.join("attachments")), 0o700);
        assert_eq!(mode(&root.join("incoming")), 0o700);
    }
}

#[test]
fn a_folder_that_cannot_be_used_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("data")] {
        let error = Store::open(&path, &owner()).unwrap_err();
        assert!(matches!(error, StoreError::FolderUnusable { .. }), "{error}");
        assert!(error.hint().unwrap().contains("--data"), "{error}");
    }
}
