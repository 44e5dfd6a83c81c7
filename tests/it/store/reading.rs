//! The list of conversations, what is unread, paging in both directions, searching, retention.

use super::*;

/// `count` texts from `peer(1)` and an answer to every third.
fn conversation(store: &Store, count: u16) {
    for n in 1..=count {
        let body = format!("Nachricht {n} 你好 Straße");
        let complete = receive(store, &offer(n, Kind::Text, body.as_bytes()), body.as_bytes());
        store.commit_received(complete, None, None, NOW + i64::from(n) * 10).unwrap();
        if n.is_multiple_of(3) {
            store.enqueue(text(1000 + n), NOW + i64::from(n) * 10 + 1, None).unwrap();
        }
    }
}

#[test]
fn pages_go_both_ways_and_meet() {
    let (_folder, store) = open();
    conversation(&store, 40);
    let all = store.page(&query(None, None, 999, None)).unwrap();
    assert_eq!(all.len(), 53);
    for size in [1, 7, 53, 54] {
        let mut paged = Vec::new();
        let mut from = Place::Oldest;
        loop {
            let page = store.page(&Query { from, limit: size, ..Query::default() }).unwrap();
            let Some(last) = page.last() else { break };
            from = Place::After(last.cursor());
            paged.extend(page);
        }
        assert_eq!(paged, all, "pages of {size}");
    }
    let middle = all[20].cursor();
    let after = store.page(&Query { from: Place::After(middle), limit: 3, ..Query::default() }).unwrap();
    let before = store.page(&Query { from: Place::Before(middle), limit: 3, ..Query::default() }).unwrap();
    assert_eq!((before.as_slice(), after.as_slice()), (&all[17..20], &all[21..24]));
    // the message that a page began at may go meanwhile
    assert!(store.delete_message(&peer(1), all[20].direction, &all[20].id, NOW).unwrap());
    assert_eq!(store.page(&Query { from: Place::After(middle), limit: 3, ..Query::default() }).unwrap(), all[21..24]);
}

#[test]
fn conversations_have_their_last_message_and_what_is_unread() {
    let (_folder, store) = open();
    assert!(store.conversations().unwrap().is_empty());
    conversation(&store, 7);
    let mut other = text(2000);
    other.peer = peer(2);
    store.enqueue(other, NOW + 5_000, None).unwrap();
    let found = store.conversations().unwrap();
    let summary: Vec<_> = found.iter().map(|one| (one.peer, one.unread, one.last.as_ref().unwrap().id)).collect();
    assert_eq!(summary, [(peer(2), 0, id(2000)), (peer(1), 7, id(7))]);
    assert_eq!(store.last_read(&peer(1)).unwrap(), None);
    // up to the fourth
    let page = store.page(&query(Some(&peer(1)), None, 99, None)).unwrap();
    let fourth = page.iter().find(|message| message.id == id(4)).unwrap();
    assert_eq!(store.mark_read(&peer(1), &fourth.cursor(), NOW).unwrap(), 4);
    assert_eq!(store.mark_read(&peer(1), &fourth.cursor(), NOW).unwrap(), 0);
    assert_eq!(store.last_read(&peer(1)).unwrap(), Some(id(4)));
    assert_eq!(store.conversations().unwrap()[1].unread, 3);
    let states: Vec<State> = store
        .page(&query(Some(&peer(1)), None, 99, None))
        .unwrap()
        .iter()
        .filter(|message| message.direction == Direction::In)
        .map(|message| message.state)
        .collect();
    assert_eq!(states, [[State::Seen; 4].as_slice(), &[State::Received; 3]].concat());
}

#[test]
fn what_the_peer_has_read_is_noted_up_to_its_word_and_only_where_it_arrived() {
    let (_folder, store) = open();
    for n in 1..=5 {
        store.enqueue(text(n), NOW, None).unwrap();
    }
    for n in [1, 2, 4] {
        store.delivered(&peer(1), &id(n), NOW).unwrap();
    }
    assert!(store.read_by_peer(&peer(1), &id(99), NOW).unwrap().is_empty(), "an id that we never sent");
    assert!(store.read_by_peer(&peer(2), &id(4), NOW).unwrap().is_empty(), "another peer's word");
    assert_eq!(store.read_by_peer(&peer(1), &id(3), NOW).unwrap(), [id(1), id(2)]);
    assert_eq!(store.read_by_peer(&peer(1), &id(5), NOW).unwrap(), [id(4)]);
    let states: Vec<State> =
        store.page(&query(None, None, 9, None)).unwrap().iter().map(|message| message.state).collect();
    assert_eq!(states, [State::Read, State::Read, State::Queued, State::Read, State::Queued]);
    assert!(!store.delivered(&peer(1), &id(1), NOW).unwrap(), "a late receipt takes nothing back");
}

#[test]
fn a_message_that_failed_is_retried_at_its_place_and_one_that_waits_can_be_cancelled() {
    let (_folder, store) = open();
    for n in 1..=3 {
        store.enqueue(text(n), NOW, None).unwrap();
    }
    let body = Body::Bytes(bytes(1, 1000));
    let file = store.enqueue(outgoing(4, Kind::File, body), NOW, None).unwrap();
    assert!(store.failed(&peer(1), &id(1), "not allowed").unwrap());
    assert!(!store.retry(&peer(1), &id(2)).unwrap(), "it has not failed");
    let found = store.message(&peer(1), Direction::Out, &id(1)).unwrap().unwrap();
    assert_eq!((found.state, found.reason.as_deref()), (State::Failed, Some("not allowed")));
    assert!(store.retry(&peer(1), &id(1)).unwrap());
    assert!(store.cancel(&peer(1), &id(2), NOW).unwrap());
    assert!(store.cancel(&peer(1), &id(4), NOW).unwrap());
    assert!(!place(&store, &file).exists());
    let claimed = store.claim(&peer(1), lease(1, NOW + 1000), NOW, 9).unwrap();
    assert_eq!(claimed.iter().map(|message| message.id).collect::<Vec<_>>(), [id(1), id(3)]);
    store.delivered(&peer(1), &id(1), NOW).unwrap();
    assert!(!store.cancel(&peer(1), &id(1), NOW).unwrap(), "it has arrived");
    let error = store.enqueue(text(2), NOW, None).unwrap_err();
    assert!(matches!(error, StoreError::DuplicateId { .. }), "an id that was cancelled is not used again: {error}");
}

#[test]
fn words_are_found_in_both_processes_whatever_was_changed_since() {
    let (_folder, store) = open();
    let second = Store::open(store.folder(), &owner()).unwrap();
    conversation(&store, 20);
    let found = |store: &Store, words: &str| -> Vec<MessageId> {
        let page = store.page(&query(None, None, 999, Some(words))).unwrap();
        page.iter().map(|message| message.id).collect()
    };
    assert_eq!(found(&store, "STRASSE").len(), 20);
    assert_eq!(found(&second, "nachricht 1"), found(&store, "Nachricht 1"));
    assert_eq!(found(&store, "好 s").len(), 20);
    assert!(found(&store, "nowhere").is_empty());
    // an edit, a deletion and a new message, by the other process
    let edit = Incoming {
        target: Some(Target { direction: Direction::In, id: id(5) }),
        ..offer(50, Kind::Edit, b"somewhere else")
    };
    let complete = receive(&second, &edit, b"somewhere else");
    second.commit_received(complete, None, None, NOW + 5_000).unwrap();
    second.delete_message(&peer(1), Direction::In, &id(12), NOW).unwrap();
    second.enqueue(outgoing(60, Kind::Text, Body::Text("ELSEWHERE".into())), NOW + 6_000, None).unwrap();
    assert_eq!(found(&store, "where"), [id(5), id(60)]);
    assert_eq!(found(&store, "nachricht 5"), []);
    assert_eq!(found(&store, "nachricht 1 你"), [id(1)]);
    assert_eq!(found(&store, "nachricht 12"), []);
    // paged, in both directions, in one conversation
    let all = found(&store, "NACHRICHT");
    assert_eq!(all.len(), 18);
    for (first, backward) in [(Place::Newest, true), (Place::Oldest, false)] {
        let (mut from, mut paged) = (first, Vec::new());
        loop {
            let page = store.page(&Query { peer: Some(&peer(1)), from, limit: 5, words: Some("nachricht") }).unwrap();
            let (Some(oldest), Some(newest)) = (page.first(), page.last()) else { break };
            from = if backward { Place::Before(oldest.cursor()) } else { Place::After(newest.cursor()) };
            let ids = page.iter().map(|message| message.id);
            match backward {
                true => drop(paged.splice(0..0, ids)),
                false => paged.extend(ids),
            }
        }
        assert_eq!(paged, all);
    }
    assert!(store.page(&query(Some(&peer(2)), None, 9, Some("nachricht"))).unwrap().is_empty());
    assert!(store.prepare_search(|| true).unwrap() > 0);
}

#[test]
fn what_is_too_old_or_too_much_goes_and_what_waits_stays() {
    let (_folder, store) = open();
    conversation(&store, 30);
    let file = commit(&store, 500, &bytes(1, LARGE)).0;
    // an edit that goes together with its message
    let edit =
        Incoming { target: Some(Target { direction: Direction::In, id: id(2) }), ..offer(501, Kind::Edit, b"x") };
    let complete = receive(&store, &edit, b"x");
    store.commit_received(complete, None, None, NOW).unwrap();
    let waiting = store.outgoing_pending(&peer(1)).unwrap();
    assert_eq!(store.retain(None, None, NOW).unwrap(), 0);
    assert_eq!(store.retain(Some(NOW + 105), None, NOW).unwrap(), 12, "ten messages, a file, an edit");
    assert!(store.check(true, || true).unwrap().is_sound());
    assert!(!place(&store, &file).exists());
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), waiting);
    let bytes_max = store.stored_bytes().unwrap() - 3 * ROW_BYTES;
    assert_eq!(store.retain(None, Some(bytes_max), NOW).unwrap(), 3);
    assert!(store.stored_bytes().unwrap() <= bytes_max);
    let left = store.page(&query(None, None, 99, None)).unwrap();
    assert_eq!(left.iter().find(|message| message.direction == Direction::In).unwrap().id, id(14));
    assert!(store.retain(None, Some(0), NOW).unwrap() > 0);
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), waiting, "what waits is never deleted for room");
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn a_conversation_goes_whole_with_its_attachments_and_leaves_the_others() {
    let (_folder, store) = open();
    conversation(&store, 20);
    commit(&store, 500, &bytes(1, LARGE));
    let mut other = outgoing(2000, Kind::File, Body::Bytes(bytes(2, 100)));
    other.peer = peer(2);
    store.enqueue(other, NOW, None).unwrap();
    assert_eq!(store.delete_conversation(&peer(1), NOW).unwrap(), 27);
    assert_eq!(store.delete_conversation(&peer(1), NOW).unwrap(), 0);
    assert_eq!(store.conversations().unwrap().len(), 1);
    assert_eq!(files_in(&store.folder().join("attachments")).len(), 1);
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), 0);
    assert_eq!(store.lookup(&peer(1), &id(500)).unwrap(), Some(Known::Tombstone));
    assert_eq!(store.enqueue(text(3000), NOW, None).unwrap().seq, 7, "numbers go on");
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn writers_share_a_transaction_and_one_that_fails_takes_nothing_with_it() {
    let (_folder, store) = open();
    store.enqueue(text(1), NOW, None).unwrap();
    let done: Vec<(u16, Result<(), String>)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16u16)
            .map(|writer| {
                let store = store.clone();
                scope.spawn(move || {
                    let mut done = Vec::new();
                    for round in 0..20u16 {
                        let n = 100 + writer * 20 + round;
                        // each seventh uses an id that is taken
                        let used = if n.is_multiple_of(7) { 1 } else { n };
                        let result = store.enqueue(text(used), NOW, None).map(drop).map_err(|error| error.to_string());
                        done.push((n, result));
                    }
                    done
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    for (n, result) in &done {
        assert_eq!(result.is_err(), n.is_multiple_of(7), "{n}: {result:?}");
    }
    let stored = store.page(&query(None, None, 999, None)).unwrap();
    let wanted = 1 + done.iter().filter(|(_, result)| result.is_ok()).count();
    assert_eq!(stored.len(), wanted);
    let seqs: BTreeSet<u64> = stored.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=wanted as u64).collect(), "numbered without gaps");
    assert!(store.check(true, || true).unwrap().is_sound());
}
