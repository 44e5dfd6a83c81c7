//! At rest: what lies on the disk says nothing, and whatever is changed there is found.

use rusqlite::Connection;

use super::*;

const SECRETS: [&str; 5] = ["text-secret", "hidden-secret", "name-secret", "mime/secret", "body-secret"];

/// A store with one of everything: texts both ways, attachments both ways, a partial body, a failure.
fn full() -> (tempfile::TempDir, Store) {
    let (folder, store) = open();
    let mut body = SECRETS[4].repeat(30_000).into_bytes();
    body.truncate(LARGE);
    let mut facts = offer(1, Kind::Picture, &body);
    (facts.name, facts.mime) = (Some(SECRETS[2].into()), Some(SECRETS[3].into()));
    let complete = receive(&store, &facts, &body);
    store.commit_received(complete, Some(SECRETS[0].into()), Some(SECRETS[1].into()), NOW).unwrap();
    let text = facts_of_text(2, SECRETS[0]);
    let complete = receive(&store, &text, SECRETS[0].as_bytes());
    store.commit_received(complete, None, None, NOW).unwrap();
    for n in [3, 4] {
        let new = NewOutgoing {
            name: Some(SECRETS[2].into()),
            hidden: Some(SECRETS[1].into()),
            ..outgoing(n, Kind::File, Body::Bytes(body.clone()))
        };
        store.enqueue(new, NOW, None).unwrap();
    }
    store.enqueue(outgoing(5, Kind::Text, Body::Text(SECRETS[0].into())), NOW, None).unwrap();
    store.failed(&peer(1), &id(5), SECRETS[0]).unwrap();
    let mut facts = offer(6, Kind::File, &body);
    facts.name = Some(SECRETS[2].into());
    let mut part = store.begin_receive(&peer(1), &facts).unwrap();
    part.write(&body[..200_000]).unwrap();
    drop(part);
    (folder, store)
}

fn facts_of_text(n: u16, text: &str) -> Incoming {
    Incoming { name: None, mime: None, ..offer(n, Kind::Text, text.as_bytes()) }
}

fn database(store: &Store) -> Connection {
    Connection::open(store.folder().join("miyu.db")).unwrap()
}

fn all(store: &Store) -> Vec<Message> {
    store.page(&query(None, None, 99, None)).unwrap()
}

#[test]
fn nothing_private_lies_on_the_disk() {
    let (_folder, store) = full();
    let digest = all(&store)[0].sm3;
    for path in files_in(store.folder()) {
        let bytes = fs::read(&path).unwrap();
        let lies = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        for secret in SECRETS {
            assert!(!lies(secret.as_bytes()), "{secret} in {path:?}");
        }
        assert!(!lies(&digest), "a digest in {path:?}");
        assert!(!path.to_string_lossy().contains("secret"), "{path:?}");
    }
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn a_row_that_was_changed_moved_or_exchanged_is_shown_as_damaged_beside_the_rest() {
    let changes = [
        "UPDATE messages SET private = (SELECT private FROM messages WHERE row = 2) WHERE row = 1",
        "UPDATE messages SET seq = seq + 10 WHERE row = 1",
        "UPDATE messages SET sent_at_ms = sent_at_ms + 1 WHERE row = 1",
        "UPDATE messages SET order_ms = order_ms + 1 WHERE row = 1",
        "UPDATE messages SET bytes = bytes + 1 WHERE row = 1",
        "UPDATE messages SET kind = 3 WHERE row = 1",
        "UPDATE messages SET direction = 1 WHERE row = 1",
        "UPDATE messages SET id = x'00000000000000000000000000000000' WHERE row = 1",
        "UPDATE messages SET peer = zeroblob(32) WHERE row = 1",
        "UPDATE messages SET target = zeroblob(16), target_direction = 0 WHERE row = 1",
        "UPDATE messages SET row = 100 WHERE row = 1",
        "UPDATE messages SET private = x'' WHERE row = 1",
        "UPDATE messages SET state = 9 WHERE row = 1",
        "UPDATE messages SET seq = -seq WHERE row = 1",
        "UPDATE messages SET direction = 7 WHERE row = 1",
    ];
    for change in changes {
        let (_folder, store) = full();
        assert_eq!(database(&store).execute(change, []).unwrap(), 1, "{change}");
        let page = all(&store);
        assert_eq!(page.len(), 5, "{change}");
        let damaged: Vec<&Message> = page.iter().filter(|message| message.damaged).collect();
        let [damaged] = damaged.as_slice() else { panic!("{change}: {damaged:?}") };
        assert!(damaged.text.is_none() && damaged.hidden.is_none() && damaged.name.is_none(), "{change}");
        assert!(matches!(store.body(damaged), Err(StoreError::MessageChanged { .. })), "{change}");
        let found = store.check(false, || true).unwrap();
        assert_eq!((found.damaged.as_slice(), found.messages), ([damaged.id].as_slice(), 5), "{change}");
    }
}

#[test]
fn a_row_that_is_missing_or_older_than_it_was_is_noticed() {
    let (_folder, store) = full();
    let edit = NewOutgoing {
        target: Some(Target { direction: Direction::Out, id: id(5) }),
        ..outgoing(7, Kind::Edit, Body::Text("edited".into()))
    };
    let before: Vec<u8> =
        database(&store).query_row("SELECT private FROM messages WHERE row = 5", [], |row| row.get(0)).unwrap();
    store.enqueue(edit, NOW, None).unwrap();
    assert!(store.check(true, || true).unwrap().is_sound());
    let now: Vec<u8> =
        database(&store).query_row("SELECT private FROM messages WHERE row = 5", [], |row| row.get(0)).unwrap();
    assert_ne!(before, now);
    let put = |private: &[u8]| {
        database(&store).execute("UPDATE messages SET private = ?1 WHERE row = 5", [private]).unwrap();
    };
    put(&before);
    let found = store.check(true, || true).unwrap();
    assert!(found.damaged.is_empty() && found.rows_missing, "an older form opens, and is noticed: {found:?}");
    put(&now);
    assert!(store.check(true, || true).unwrap().is_sound());
    database(&store).execute("DELETE FROM messages WHERE row = 2", []).unwrap();
    let found = store.check(true, || true).unwrap();
    assert!(found.rows_missing && found.messages == 5, "{found:?}");
    // what comes later does not cover it up
    store.enqueue(text(8), NOW, None).unwrap();
    assert!(store.check(true, || true).unwrap().rows_missing);
}

#[test]
fn an_index_that_hides_messages_is_noticed() {
    let (_folder, store) = full();
    // messages that an index does not list: as a damaged page of it would have it
    let database = database(&store);
    database.execute_batch("PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON;").unwrap();
    let root: i64 = database
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_by_order'", [], |row| row.get(0))
        .unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let size: i64 = database.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let root_folder = store.folder().to_path_buf();
    drop((database, store));
    let path = root_folder.join("miyu.db");
    let mut pages = fs::read(&path).unwrap();
    // the number of cells in the index's only page (SQLite's file format, §1.6)
    let at = ((root - 1) * size) as usize + 3;
    pages[at..at + 2].copy_from_slice(&1u16.to_be_bytes());
    fs::write(&path, pages).unwrap();
    let store = Store::open(&root_folder, &owner()).unwrap();
    assert!(all(&store).len() < 5, "a page shows less than there is");
    let found = store.check(true, || true).unwrap();
    assert!(found.database_damaged && !found.is_sound(), "{found:?}");
}

#[test]
fn an_attachment_that_was_changed_cut_or_exchanged_is_refused() {
    let (_folder, store) = full();
    let files: Vec<Message> = all(&store).into_iter().filter(|message| message.attached).collect();
    let [_, first, second] = files.as_slice() else { panic!("{files:?}") };
    let (one, other) = (place(&store, first), place(&store, second));
    let good = fs::read(&one).unwrap();
    let record = CHUNK_BYTES as usize + 28;
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&one, bytes).unwrap();
        let read = store.body(first).and_then(|body| body.read_all(u64::MAX));
        let error = read.map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::BodyChanged { .. } | StoreError::BodyDamaged { .. }), "{what}: {error}");
        assert!(error.hint().is_some() || matches!(error, StoreError::BodyDamaged { .. }), "{what}");
        assert_eq!(store.check(true, || true).unwrap().attachments, [first.id], "{what}");
    };
    for byte in (0..40).chain([40, 52, 40 + record - 1, 40 + 2 * record, good.len() - 1]) {
        let mut bad = good.clone();
        bad[byte] ^= 1;
        refused(&bad, &format!("byte {byte}"));
    }
    refused(&good[..good.len() - 1], "cut by a byte");
    refused(&good[..40 + record], "cut by chunks");
    refused(&[good.as_slice(), b"x"].concat(), "longer by a byte");
    let mut swapped = good.clone();
    swapped[40..40 + 2 * record].rotate_left(record);
    refused(&swapped, "two chunks exchanged");
    refused(&fs::read(&other).unwrap(), "another message's attachment of the same body");
    let mut spliced = good.clone();
    spliced[40..40 + record].copy_from_slice(&fs::read(&other).unwrap()[40..40 + record]);
    refused(&spliced, "another attachment's chunk");
    fs::write(&one, &good).unwrap();
    assert!(store.check(true, || true).unwrap().is_sound());
    // at any place, with any length
    let body = store.body(first).unwrap();
    let whole = body.read_all(u64::MAX).unwrap();
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..200 {
        use rand::RngExt;
        let start = rng.random_range(0..=whole.len());
        let mut piece = vec![0; rng.random_range(0..200_000)];
        let read = body.read_at(start as u64, &mut piece).unwrap();
        assert_eq!(piece[..read], whole[start..start + read]);
        assert!(read == piece.len() || start + read == whole.len());
    }
}

#[test]
fn a_store_opens_for_its_owner_with_its_own_key_and_database_only() {
    let (_folder, store) = full();
    let (_other_folder, other) = full();
    let root = store.folder().to_path_buf();
    let theirs = other.folder().to_path_buf();
    drop((store, other));
    let error = Store::open(&root, &Identity::generate()).unwrap_err();
    assert!(matches!(error, StoreError::ForeignKey { .. }), "{error}");
    assert!(error.hint().unwrap().contains("key file"), "{error}");
    let key = fs::read(root.join("store.key")).unwrap();
    // the key of another folder of the same owner opens nothing here
    fs::copy(theirs.join("store.key"), root.join("store.key")).unwrap();
    assert!(matches!(Store::open(&root, &owner()).unwrap_err(), StoreError::Corrupt { .. }));
    fs::remove_file(root.join("store.key")).unwrap();
    let error = Store::open(&root, &owner()).unwrap_err();
    assert!(matches!(error, StoreError::KeyMissing { .. }) && error.hint().unwrap().contains("backup"), "{error}");
    assert!(!root.join("store.key").exists(), "no new key is made for an old history");
    fs::write(root.join("store.key"), &key[..40]).unwrap();
    assert!(matches!(Store::open(&root, &owner()).unwrap_err(), StoreError::KeyDamaged { .. }));
    fs::write(root.join("store.key"), &key).unwrap();
    assert_eq!(all(&Store::open(&root, &owner()).unwrap()).len(), 5);
}

#[test]
fn no_nonce_is_used_twice_when_a_body_goes_on_after_a_crash() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let facts = offer(1, Kind::File, &body);
    let part = || {
        let files = files_in(&store.folder().join("incoming"));
        let part = files.iter().find(|path| path.extension().is_some_and(|end| end == "part")).unwrap();
        fs::read(part).unwrap()
    };
    let record = CHUNK_BYTES as usize + 28;
    let mut seen = BTreeSet::new();
    let mut headers = BTreeSet::new();
    for _ in 0..4 {
        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        let start = receive.resume_offset() as usize;
        receive.write(&body[start..(start + 2 * CHUNK_BYTES as usize).min(body.len())]).unwrap();
        drop(receive);
        // the last chunk is torn by the crash, and written again
        let mut torn = part();
        headers.insert(torn[..40].to_vec());
        for (index, record) in torn[40..].chunks_exact(record).enumerate() {
            seen.insert((index, record[..12].to_vec(), record[12..].to_vec()));
        }
        let length = torn.len();
        torn[length - 5..].fill(0);
        let files = files_in(&store.folder().join("incoming"));
        fs::write(files.iter().find(|path| path.extension().is_some_and(|end| end == "part")).unwrap(), &torn).unwrap();
    }
    assert_eq!(headers.len(), 1, "one key for the whole body");
    let nonces: BTreeSet<&Vec<u8>> = seen.iter().map(|(_, nonce, _)| nonce).collect();
    assert_eq!(nonces.len(), seen.len(), "a nonce for each sealed chunk");
    assert!(seen.len() > 5, "chunks were sealed again");
    assert!(commit(&store, 1, &body).1);
}
