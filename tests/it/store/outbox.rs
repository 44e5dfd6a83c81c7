//! Sending: numbers, claims and receipts.

use super::*;

#[test]
fn a_queued_message_survives_a_crash_with_all_it_has() {
    let (folder, store) = open();
    let body = bytes(1, LARGE);
    let source = folder.path().join("photo.png");
    fs::write(&source, &body).unwrap();
    let mut new = outgoing(1, Kind::Picture, Body::File(source.clone()));
    new.text = Some("看".into());
    new.hidden = Some("hidden".into());
    new.name = Some("photo.png".into());
    new.mime = Some("image/png".into());
    let message = store.enqueue(new, NOW, None).unwrap();
    store.enqueue(text(2), NOW, None).unwrap();
    fs::remove_file(&source).unwrap();

    let (_other, store) = crash(&store);
    let found = store.message(&peer(1), Direction::Out, &id(1)).unwrap().unwrap();
    assert_eq!((found.seq, found.state, found.kind), (1, State::Queued, Kind::Picture));
    assert_eq!(found.text.as_deref(), Some("看"));
    assert_eq!(found.hidden.as_deref(), Some("hidden"));
    assert_eq!(found.name.as_deref(), Some("photo.png"));
    assert_eq!(found.mime.as_deref(), Some("image/png"));
    assert_eq!((found.sent_at_ms, found.stored_at_ms), (NOW, NOW));
    assert_eq!((found.bytes, found.sm3), (body.len() as u64, sm3::digest(&body)));
    assert_eq!(found.sm3, message.sm3);
    let path = place(&store, &found);
    assert!(path.is_absolute() && path.ends_with(format!("{}.out", id(1))));
    let reader = store.body(&found).unwrap();
    let mut piece = vec![0; 1000];
    assert_eq!(reader.read_at(70_000, &mut piece).unwrap(), 1000);
    assert_eq!(piece, body[70_000..71_000]);
    assert_eq!(reader.read_at(reader.len() - 10, &mut piece).unwrap(), 10);
    assert_eq!(reader.read_at(u64::MAX, &mut piece).unwrap(), 0);
    assert_eq!(reader.read_all(LARGE as u64).unwrap(), body);
    assert!(matches!(reader.read_all(LARGE as u64 - 1), Err(StoreError::BodyTooLarge { .. })));

    let found = store.message(&peer(1), Direction::Out, &id(2)).unwrap().unwrap();
    assert_eq!((found.seq, found.attached), (2, false));
    assert_eq!(store.body(&found).unwrap().read_all(100).unwrap(), b"text 2");
    assert_eq!(found.sm3, sm3::digest(b"text 2"));
}

#[test]
fn a_thousand_messages_are_claimed_in_order_each_once() {
    let (_folder, store) = open();
    for n in 1..=1000 {
        assert_eq!(store.enqueue(text(n), NOW, None).unwrap().seq, u64::from(n));
    }
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), 1000);
    assert_eq!(store.peers_with_outbox().unwrap(), [peer(1)]);
    let mut seqs = Vec::new();
    loop {
        let page = store.claim(&peer(1), lease(1, NOW + 1000), NOW, 64).unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 64);
        assert!(seqs.len() < 1000, "some come twice");
        for message in page {
            assert_eq!(message.state, State::Sending);
            seqs.push(message.seq);
        }
    }
    assert_eq!(seqs, (1..=1000).collect::<Vec<u64>>());
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), 1000);
}

#[test]
fn two_stores_that_claim_at_once_get_each_message_once() {
    let (_folder, store) = open();
    for n in 1..=200 {
        store.enqueue(text(n), NOW, None).unwrap();
    }
    let claimed: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|claimer| {
                let folder = store.folder().to_path_buf();
                scope.spawn(move || {
                    let store = Store::open(&folder, &owner()).unwrap();
                    let mut mine = Vec::new();
                    loop {
                        let page = store.claim(&peer(1), lease(claimer, NOW + 1), NOW, 3).unwrap();
                        if page.is_empty() {
                            return mine;
                        }
                        mine.extend(page.iter().map(|message| message.seq));
                        assert!(mine.len() <= 200, "some come twice");
                    }
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    for mine in &claimed {
        assert!(mine.is_sorted());
    }
    let mut all = claimed.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=200).collect::<Vec<u64>>());
}

#[test]
fn leases_end_and_are_prolonged_released_and_lost() {
    let (_folder, store) = open();
    let to = peer(1);
    let other = Store::open(store.folder(), &owner()).unwrap();
    // claimed from the start by the one-shot that is about to send it
    let message = store.enqueue(text(1), NOW, Some(lease(1, NOW + 100))).unwrap();
    assert_eq!(message.state, State::Sending);
    assert!(other.claim(&to, lease(2, NOW + 500), NOW + 99, 9).unwrap().is_empty());
    assert!(store.renew(&id(1), &to, lease(1, NOW + 200)).unwrap());
    assert!(!other.renew(&id(1), &to, lease(2, NOW + 900)).unwrap());
    assert!(other.claim(&to, lease(2, NOW + 500), NOW + 199, 9).unwrap().is_empty());
    assert_eq!(other.claim(&to, lease(2, NOW + 500), NOW + 200, 9).unwrap().len(), 1);
    assert!(!store.renew(&id(1), &to, lease(1, NOW + 900)).unwrap());
    assert!(!store.release(&id(1), &to, &[1; 16]).unwrap());
    assert!(other.release(&id(1), &to, &[2; 16]).unwrap());
    assert_eq!(store.claim(&to, lease(1, NOW + 500), NOW, 9).unwrap().len(), 1);
    store.enqueue(text(2), NOW, Some(lease(1, NOW + 500))).unwrap();
    store.enqueue(text(3), NOW, Some(lease(2, NOW + 500))).unwrap();
    assert_eq!(store.release_owned(&[1; 16]).unwrap(), 2);
    let seqs: Vec<u64> =
        other.claim(&to, lease(2, NOW + 500), NOW, 9).unwrap().iter().map(|message| message.seq).collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn receipts_and_refusals_end_the_sending() {
    let (_folder, store) = open();
    let to = peer(1);
    let state = |n| store.message(&to, Direction::Out, &id(n)).unwrap().unwrap();
    store.enqueue(text(1), NOW, None).unwrap();
    store.enqueue(text(2), NOW, None).unwrap();
    assert!(store.delivered(&to, &id(1), NOW + 1).unwrap());
    assert!(!store.delivered(&to, &id(1), NOW + 2).unwrap());
    assert_eq!(state(1).state, State::Delivered);
    // a late refusal does not undo a receipt; a late receipt does undo a refusal
    assert!(!store.failed(&to, &id(1), "no").unwrap());
    assert!(store.failed(&to, &id(2), "not allowed").unwrap());
    assert_eq!((state(2).state, state(2).reason.as_deref()), (State::Failed, Some("not allowed")));
    assert_eq!(store.outgoing_pending(&to).unwrap(), 0);
    assert!(store.peers_with_outbox().unwrap().is_empty());
    assert!(store.claim(&to, lease(1, NOW + 9), NOW + 99_999, 9).unwrap().is_empty());
    assert!(store.delivered(&to, &id(2), NOW + 3).unwrap());
    assert_eq!((state(2).state, state(2).reason), (State::Delivered, None));
    assert!(!store.delivered(&to, &id(3), NOW).unwrap());
    assert!(!store.delivered(&peer(2), &id(1), NOW).unwrap());
}

#[test]
fn numbers_are_per_peer_and_never_used_again() {
    let (_folder, store) = open();
    let seq = |n, to: u8| {
        let mut new = text(n);
        new.peer = peer(to);
        store.enqueue(new, NOW, None).unwrap().seq
    };
    assert_eq!((seq(1, 1), seq(2, 1), seq(3, 2)), (1, 2, 1));
    assert!(store.delete_message(&peer(1), Direction::Out, &id(2), NOW).unwrap());
    assert_eq!((seq(4, 1), seq(5, 2)), (3, 2));
    for used in [1, 2] {
        let error = store.enqueue(text(used), NOW, None).unwrap_err();
        assert!(matches!(error, StoreError::DuplicateId { .. }), "{error}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_and_leaves_nothing() {
    let (folder, store) = open();
    let refuse = |kind, body| store.enqueue(outgoing(1, kind, body), NOW, None).unwrap_err();
    let long = "x".repeat(TEXT_BYTES_MAX as usize + 1);
    let error = refuse(Kind::Text, Body::Text(long.clone()));
    assert_eq!(error.to_string(), "the text has 65537 bytes, the limit is 65536");
    let mut named = outgoing(1, Kind::File, Body::Bytes(vec![1]));
    named.name = Some(long);
    assert!(matches!(store.enqueue(named, NOW, None), Err(StoreError::TooLong { what: "name", .. })));
    assert!(matches!(refuse(Kind::Text, Body::Bytes(vec![1])), StoreError::NotText));
    let error = refuse(Kind::File, Body::File(folder.path().to_path_buf()));
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    assert!(error.hint().is_some());
    let error = refuse(Kind::File, Body::File(folder.path().join("none")));
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    store.set_quota(99);
    let error = refuse(Kind::File, Body::Bytes(vec![0; 100]));
    assert!(matches!(error, StoreError::QuotaFull { used: 0, wanted: 100, quota: 99 }), "{error}");
    assert!(matches!(refuse(Kind::Text, Body::Text("x".repeat(100))), StoreError::QuotaFull { .. }));
    assert_eq!(store.outgoing_pending(&peer(1)).unwrap(), 0);
    assert!(files_in(&store.folder().join("attachments")).is_empty());
    assert!(files_in(&store.folder().join("incoming")).is_empty());
    // the first good one has the first number
    assert_eq!(store.enqueue(text(1), NOW, None).unwrap().seq, 1);
}

#[test]
fn a_lease_from_a_clock_that_was_set_back_has_run_out() {
    let (_folder, store) = open();
    let to = peer(1);
    let year = 365 * 24 * 3600 * 1000;
    store.enqueue(text(1), NOW + year, Some(lease(1, NOW + year + 30_000))).unwrap();
    store.enqueue(text(2), NOW, Some(lease(1, NOW + LEASE_MS_MAX))).unwrap();
    let seqs = |claimed: Vec<Message>| claimed.iter().map(|message| message.seq).collect::<Vec<_>>();
    assert_eq!(seqs(store.claim(&to, lease(2, NOW + 500), NOW, 9).unwrap()), [1]);
    assert_eq!(seqs(store.claim(&to, lease(2, NOW + 500), NOW, 9).unwrap()), [0; 0]);
    assert_eq!(seqs(store.claim(&to, lease(2, NOW + 500), NOW - 1, 9).unwrap()), [2], "a lease may not be longer");
}
