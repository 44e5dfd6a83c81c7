//! Receiving: each body once, as it was offered.

use super::*;

#[test]
fn small_and_large_bodies_arrive_once() {
    let (_folder, store) = open();
    let from = peer(1);
    for (n, size) in [(1, 0), (2, 10), (3, KEEP_PARTIAL_BYTES as usize), (4, LARGE), (5, 8 * CHUNK_BYTES as usize)] {
        let body = bytes(u64::from(n), size);
        assert_eq!(store.lookup(&from, &id(n)).unwrap(), None);
        let facts = offer(n, Kind::Picture, &body);
        let complete = receive(&store, &facts, &body);
        assert_eq!(complete.offer(), &facts);
        assert_eq!(complete.peek().unwrap(), body);
        assert_eq!(complete.reader().unwrap().len(), size as u64);
        assert_eq!(store.lookup(&from, &id(n)).unwrap(), None, "nothing counts before the commit");
        let (message, new) = store.commit_received(complete, Some("看".into()), Some("found".into()), NOW + 7).unwrap();
        assert!(new);
        let (kind, count, digest) = (Kind::Picture, size as u64, sm3::digest(&body));
        let known = store.lookup(&from, &id(n)).unwrap().unwrap();
        assert_eq!(known, Known::Stored { kind, bytes: count, sm3: digest });
        assert!(known.is_same(&facts));
        assert!(!known.is_same(&offer(n, Kind::File, &body)));
        assert_eq!((message.state, message.direction), (State::Received, Direction::In));
        assert_eq!((message.sent_at_ms, message.stored_at_ms), (NOW - 5, NOW + 7));
        assert_eq!(message.text.as_deref(), Some("看"));
        assert_eq!(message.hidden.as_deref(), Some("found"));
        assert_eq!(message.name.as_deref(), Some("../../etc/passwd"));
        assert_eq!(read(&store, &message), body);
        assert_eq!(store.message(&from, Direction::In, &id(n)).unwrap().unwrap(), message);

        let again = receive(&store, &facts, &body);
        let (same, new) = store.commit_received(again, None, None, NOW + 9).unwrap();
        assert!(!new);
        assert_eq!(same, message);
    }
    assert_eq!(files_in(&store.folder().join("attachments")).len(), 5);
    assert!(files_in(&store.folder().join("incoming")).is_empty());
    let (_other, store) = crash(&store);
    assert_eq!(store.page(&query(Some(&from), None, 99, None)).unwrap().len(), 5);
}

#[test]
fn a_text_is_its_own_body() {
    let (_folder, store) = open();
    let facts = offer(1, Kind::Text, "你好".as_bytes());
    let complete = receive(&store, &facts, "你好".as_bytes());
    let (message, _) = store.commit_received(complete, None, None, NOW).unwrap();
    assert_eq!((message.text.as_deref(), message.attached), (Some("你好"), false));
    let complete = receive(&store, &offer(2, Kind::Text, b"\xff"), b"\xff");
    assert!(matches!(store.commit_received(complete, None, None, NOW), Err(StoreError::NotText)));
    let long = vec![b'x'; TEXT_BYTES_MAX as usize + 1];
    let error = store.begin_receive(&peer(1), &offer(3, Kind::Text, &long)).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { what: "text", .. }), "{error}");
}

#[test]
fn the_same_id_with_another_content_is_a_conflict() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let (first, _) = commit(&store, 1, &body);
    for other in [bytes(2, LARGE), bytes(3, 100), Vec::new()] {
        let complete = receive(&store, &offer(1, Kind::File, &other), &other);
        let error = store.commit_received(complete, None, None, NOW).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(read(&store, &first), body);
    }
    assert!(files_in(&store.folder().join("incoming")).is_empty());
    // another peer may use the same id, and so may we
    let mut receive = store.begin_receive(&peer(2), &offer(1, Kind::File, b"two")).unwrap();
    receive.write(b"two").unwrap();
    let complete = receive.finish().unwrap();
    assert!(store.commit_received(complete, None, None, NOW).unwrap().1);
    store.enqueue(outgoing(1, Kind::File, Body::Bytes(b"out".to_vec())), NOW, None).unwrap();
    assert_eq!(read(&store, &first), body);
    assert_eq!(files_in(&store.folder().join("attachments")).len(), 3);
}

#[test]
fn a_broken_large_body_goes_on_at_a_whole_chunk() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let facts = offer(1, Kind::File, &body);
    let mut offset = 0;
    for upto in [100, CHUNK_BYTES as usize, 3 * CHUNK_BYTES as usize + 77, LARGE] {
        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        assert_eq!(receive.resume_offset(), offset);
        assert_eq!(receive.written(), offset);
        receive.write(&body[offset as usize..upto]).unwrap();
        assert_eq!(receive.written(), upto as u64);
        drop(receive);
        offset = upto as u64 / CHUNK_BYTES * CHUNK_BYTES;
    }
    let (_other, store) = crash(&store);
    let complete = receive(&store, &facts, &body);
    // whole but not committed, and the process dies: it need not come again from the start
    drop(complete);
    let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
    assert_eq!(receive.resume_offset(), 5 * CHUNK_BYTES);
    receive.write(&body[5 * CHUNK_BYTES as usize..]).unwrap();
    let complete = receive.finish().unwrap();
    let (message, new) = store.commit_received(complete, None, None, NOW).unwrap();
    assert!(new);
    assert_eq!(read(&store, &message), body);
    assert!(files_in(&store.folder().join("incoming")).is_empty());
}

#[test]
fn a_partial_body_of_another_offer_is_dropped() {
    let (_folder, store) = open();
    let (body, other) = (bytes(1, LARGE), bytes(2, LARGE));
    let mut receive_one = store.begin_receive(&peer(1), &offer(1, Kind::File, &body)).unwrap();
    receive_one.write(&body[..200_000]).unwrap();
    drop(receive_one);
    let next = store.begin_receive(&peer(1), &offer(1, Kind::File, &other)).unwrap();
    assert_eq!(next.resume_offset(), 0);
    drop(next);
    let complete = receive(&store, &offer(1, Kind::File, &other), &other);
    let (message, _) = store.commit_received(complete, None, None, NOW).unwrap();
    assert_eq!(read(&store, &message), other);
}

#[test]
fn a_body_that_is_not_as_offered_is_refused_and_gone() {
    let (_folder, store) = open();
    for size in [1000, LARGE] {
        let body = bytes(1, size);
        let facts = offer(1, Kind::File, &body);
        let mut wrong = body.clone();
        wrong[size / 2] ^= 1;
        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        receive.write(&wrong).unwrap();
        let error = receive.finish().unwrap_err();
        assert!(matches!(error, StoreError::BodyMismatch { .. }), "{error}");
        assert!(error.to_string().contains("SM3"), "{error}");

        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        assert_eq!(receive.resume_offset(), 0, "nothing of it is kept");
        receive.write(&body[1..]).unwrap();
        let error = receive.finish().unwrap_err();
        assert!(matches!(error, StoreError::BodyMismatch { .. }), "{error}");

        let mut receive = store.begin_receive(&peer(1), &facts).unwrap();
        receive.write(&body).unwrap();
        let error = receive.write(b"x").unwrap_err();
        assert!(matches!(error, StoreError::BodyMismatch { .. }), "{error}");
        assert!(receive.finish().is_ok(), "what was offered did come");
    }
}

#[test]
fn what_our_own_disk_damaged_of_a_partial_body_is_asked_for_again() {
    let (_folder, store) = open();
    let body = bytes(7, LARGE);
    let mut begun = store.begin_receive(&peer(1), &offer(2, Kind::File, &body)).unwrap();
    begun.write(&body[..LARGE - 10]).unwrap();
    drop(begun);
    let folder = files_in(&store.folder().join("incoming"));
    let part = folder.iter().find(|path| path.ends_with(format!("{}.part", id(2)))).unwrap();
    let whole = fs::read(part).unwrap();
    let (side, facts) = (part.with_extension("offer"), fs::read(part.with_extension("offer")).unwrap());
    // in the header; in the fourth chunk; the last bytes
    let record = CHUNK_BYTES as usize + 28;
    for (place, chunks) in [(5, 0), (40 + 3 * record + 100, 3), (whole.len() - 1, 4)] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(part, damaged).unwrap();
        fs::write(&side, &facts).unwrap();
        let again = store.begin_receive(&peer(1), &offer(2, Kind::File, &body)).unwrap();
        assert_eq!(again.resume_offset(), chunks * CHUNK_BYTES, "byte {place}");
    }
    let complete = receive(&store, &offer(2, Kind::File, &body), &body);
    assert_eq!(complete.peek().unwrap(), body);
}

#[test]
fn one_body_is_received_by_one_at_a_time() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let facts = offer(1, Kind::File, &body);
    let first = store.begin_receive(&peer(1), &facts).unwrap();
    for store in [store.clone(), Store::open(store.folder(), &owner()).unwrap()] {
        let error = store.begin_receive(&peer(1), &facts).unwrap_err();
        assert!(matches!(error, StoreError::ReceiveBusy { .. }), "{error}");
    }
    drop(first);
    assert!(store.begin_receive(&peer(1), &facts).is_ok());
}

#[test]
fn the_oldest_partials_of_a_peer_give_way() {
    let (_folder, store) = open();
    let body = bytes(1, KEEP_PARTIAL_BYTES as usize + 1);
    for n in 1..=PARTIALS_PER_PEER_MAX as u16 + 2 {
        let mut receive = store.begin_receive(&peer(1), &offer(n, Kind::File, &body)).unwrap();
        receive.write(&body[..CHUNK_BYTES as usize]).unwrap();
        drop(receive);
        let part = files_in(&store.folder().join("incoming"))
            .into_iter()
            .find(|path| path.ends_with(format!("{}.part", id(n))))
            .unwrap();
        let file = fs::File::options().write(true).open(part).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(n))).unwrap();
    }
    let left = files_in(&store.folder().join("incoming"));
    assert_eq!(left.len(), 2 * PARTIALS_PER_PEER_MAX);
    let first = store.begin_receive(&peer(1), &offer(1, Kind::File, &body)).unwrap();
    assert_eq!(first.resume_offset(), 0);
    let last = store.begin_receive(&peer(1), &offer(60, Kind::File, &body)).unwrap();
    assert_eq!(last.resume_offset(), CHUNK_BYTES);
}

#[test]
fn the_quota_counts_what_is_stored_held_and_promised() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let large = LARGE as u64;
    // room for three bodies, and for the row of the first
    store.set_quota(3 * large + ROW_BYTES);
    commit(&store, 1, &body);
    assert_eq!(store.stored_bytes().unwrap(), large + ROW_BYTES);
    assert!(store.room_for(2 * large).is_ok());
    let promised = store.begin_receive(&peer(1), &offer(2, Kind::File, &body)).unwrap();
    assert!(store.room_for(large).is_ok());
    let error = store.room_for(large + 1).unwrap_err();
    assert!(matches!(error, StoreError::QuotaFull { .. }), "{error}");
    assert!(error.hint().unwrap().contains("16 GiB"));
    drop(promised);
    assert!(store.room_for(2 * large).is_ok());
    let mut held = store.begin_receive(&peer(1), &offer(2, Kind::File, &body)).unwrap();
    held.write(&body[..2 * CHUNK_BYTES as usize]).unwrap();
    drop(held);
    let check = |store: &Store| {
        assert!(store.room_for(2 * large - 2 * CHUNK_BYTES).is_ok());
        assert!(store.room_for(2 * large - 2 * CHUNK_BYTES + 1).is_err());
    };
    check(&store);
    let (_other, copy) = crash(&store);
    copy.set_quota(3 * large + ROW_BYTES);
    check(&copy);
    commit(&store, 2, &body);
    assert_eq!(store.stored_bytes().unwrap(), 2 * (large + ROW_BYTES));
    assert!(store.delete_message(&peer(1), Direction::In, &id(1), NOW).unwrap());
    assert!(store.room_for(2 * large).is_ok() && store.room_for(2 * large + 1).is_err());
    // an offer of an absurd size is refused before anything is made
    store.set_quota(u64::MAX);
    let mut absurd = offer(9, Kind::File, &body);
    absurd.bytes = 1 << 63;
    let error = store.begin_receive(&peer(1), &absurd).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains(&DISK_RESERVE_BYTES.to_string()), "{error}");
    assert!(files_in(&store.folder().join("incoming")).is_empty());
}
