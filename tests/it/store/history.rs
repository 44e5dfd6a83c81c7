//! Reading, deleting, and noticing changes.

use super::*;

#[test]
fn history_is_paged_and_ordered_by_number_within_a_direction() {
    let (_folder, store) = open();
    // the large body 2 comes after the small 3 and 4; our clock steps back before 5; an answer in between
    for (n, now) in [(1, 0), (3, 10), (4, 20)] {
        let complete = receive(&store, &offer(n, Kind::Clip, b"c"), b"c");
        store.commit_received(complete, Some(format!("n{n}")), None, NOW + now).unwrap();
    }
    store.enqueue(text(100), NOW + 30, None).unwrap();
    for (n, now) in [(2, 40), (5, -5000)] {
        let complete = receive(&store, &offer(n, Kind::Clip, b"c"), b"c");
        store.commit_received(complete, Some(format!("n{n}")), None, NOW + now).unwrap();
    }
    let mut other = text(200);
    other.peer = peer(2);
    store.enqueue(other, NOW + 60_000, None).unwrap();
    let texts =
        |page: &[Message]| -> Vec<String> { page.iter().map(|message| message.text.clone().unwrap()).collect() };
    let all = store.page(&query(Some(&peer(1)), None, 99, None)).unwrap();
    assert_eq!(texts(&all), ["n1", "n2", "n3", "n4", "text 100", "n5"]);
    let all = store.page(&query(None, None, 99, None)).unwrap();
    assert_eq!(texts(&all), ["n1", "n2", "n3", "n4", "text 100", "n5", "text 200"]);
    for size in 1..=8 {
        for of in [None, Some(peer(1))] {
            let mut paged: Vec<Message> = Vec::new();
            let mut before = None;
            loop {
                let page = store.page(&query(of.as_ref(), before, size, None)).unwrap();
                let Some(first) = page.first() else { break };
                assert!(page.len() <= size);
                before = Some(first.cursor());
                paged.splice(0..0, page);
            }
            assert_eq!(paged, store.page(&query(of.as_ref(), None, 99, None)).unwrap());
        }
    }
    let found = store.page(&query(None, None, 99, Some("TEXT"))).unwrap();
    assert_eq!(texts(&found), ["text 100", "text 200"]);
    let found = store.page(&query(Some(&peer(1)), None, 2, Some("PASSWD"))).unwrap();
    assert_eq!(texts(&found), ["n4", "n5"]);
    assert!(store.page(&query(None, None, 0, None)).unwrap().is_empty());
}

#[test]
fn a_peer_that_starts_again_from_one_is_not_lost_in_the_past() {
    let (_folder, store) = open();
    for (n, seq, now) in [(1, 1, 0), (2, 2, 10), (3, 1, 3_600_000), (4, 2, 3_600_010)] {
        let mut facts = offer(n, Kind::Clip, b"c");
        facts.seq = seq;
        let complete = receive(&store, &facts, b"c");
        store.commit_received(complete, None, None, NOW + now).unwrap();
    }
    let ids: Vec<MessageId> =
        store.page(&query(None, None, 9, None)).unwrap().iter().map(|message| message.id).collect();
    assert_eq!(ids, [id(1), id(2), id(3), id(4)]);
}

#[test]
fn what_is_deleted_stays_deleted() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let (message, _) = commit(&store, 1, &body);
    let (from, way) = (peer(1), Direction::In);
    assert_eq!(store.tombstone(&from, way, &id(1)).unwrap(), None);
    assert!(store.delete_message(&from, way, &id(1), NOW + 3).unwrap());
    assert!(!store.delete_message(&from, way, &id(1), NOW + 4).unwrap());
    assert!(!place(&store, &message).exists());
    assert_eq!(store.message(&from, way, &id(1)).unwrap(), None);
    assert_eq!(store.tombstone(&from, way, &id(1)).unwrap(), Some(NOW + 3));
    assert_eq!(store.lookup(&from, &id(1)).unwrap(), Some(Known::Tombstone));
    let complete = receive(&store, &offer(1, Kind::File, &body), &body);
    let error = store.commit_received(complete, None, None, NOW).unwrap_err();
    assert!(matches!(error, StoreError::Deleted { .. }), "{error}");
    assert!(files_in(&store.folder().join("incoming")).is_empty());
    assert!(files_in(&store.folder().join("attachments")).is_empty());
}

#[test]
fn small_facts_are_kept_and_changes_are_noticed() {
    let (_folder, store) = open();
    let other = Store::open(store.folder(), &owner()).unwrap();
    let before = (store.version().unwrap(), other.version().unwrap());
    assert_eq!(store.version().unwrap(), before.0);
    assert_eq!(store.get_meta("instance").unwrap(), None);
    store.set_meta("instance", b"one").unwrap();
    store.set_meta("instance", b"two").unwrap();
    assert_eq!(other.get_meta("instance").unwrap().as_deref(), Some(&b"two"[..]));
    assert_ne!(store.version().unwrap(), before.0, "our own commits count");
    assert_ne!(other.version().unwrap(), before.1, "and so do another's");
}

#[test]
fn a_reader_is_not_held_up_by_a_long_write() {
    let (_folder, store) = open();
    commit(&store, 1, b"x");
    let mut writer = rusqlite::Connection::open(store.folder().join("miyu.db")).unwrap();
    let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO meta VALUES ('k', x'00')", []).unwrap();
    assert_eq!(store.page(&query(None, None, 9, None)).unwrap().len(), 1);
    assert!(store.claim(&peer(1), lease(1, NOW), NOW, 9).unwrap().is_empty(), "nothing to claim, no lock");
    transaction.rollback().unwrap();
}

#[test]
fn no_content_reaches_a_debug_line() {
    let (_folder, store) = open();
    let facts = offer(1, Kind::Clip, b"secret body");
    let complete = receive(&store, &facts, b"secret body");
    let mut shown = format!("{facts:?} {complete:?} {:?}", complete.reader().unwrap());
    let (message, _) = store.commit_received(complete, Some("secret text".into()), None, NOW).unwrap();
    shown += &format!("{message:?} {store:?}");
    shown += &format!("{:?}", outgoing(1, Kind::Text, Body::Text("secret".into())));
    assert!(!shown.contains("secret") && !shown.contains("passwd"), "{shown}");
}
