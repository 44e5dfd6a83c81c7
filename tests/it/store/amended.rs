//! Replies, edits, deletions and reactions.

use super::*;

fn target(direction: Direction, n: u16) -> Option<Target> {
    Some(Target { direction, id: id(n) })
}

/// A message of `peer(1)` that comes in, about another one or not.
fn comes(store: &Store, n: u16, kind: Kind, about: Option<Target>, text: &str) -> Result<Message, StoreError> {
    let facts = Incoming { name: None, mime: None, target: about, ..offer(n, kind, text.as_bytes()) };
    let complete = receive(store, &facts, text.as_bytes());
    store.commit_received(complete, None, None, NOW + i64::from(n)).map(|(message, _)| message)
}

fn goes(store: &Store, n: u16, kind: Kind, about: Option<Target>, text: &str) -> Result<Message, StoreError> {
    let new = NewOutgoing { target: about, ..outgoing(n, kind, Body::Text(text.into())) };
    store.enqueue(new, NOW + i64::from(n), None)
}

fn shown(store: &Store) -> Vec<(Kind, Option<String>)> {
    let page = store.page(&query(None, None, 99, None)).unwrap();
    page.into_iter().map(|message| (message.kind, message.text)).collect()
}

fn text_is(text: &str) -> (Kind, Option<String>) {
    (Kind::Text, Some(text.to_owned()))
}

#[test]
fn an_edit_changes_the_text_whenever_it_comes_and_the_newest_wins() {
    let (_folder, store) = open();
    // 3 comes before its target, 2 after 3
    comes(&store, 3, Kind::Edit, target(Direction::In, 1), "third").unwrap();
    assert!(shown(&store).is_empty(), "an edit is no message by itself");
    comes(&store, 1, Kind::Text, None, "first").unwrap();
    assert_eq!(shown(&store), [text_is("third")]);
    comes(&store, 2, Kind::Edit, target(Direction::In, 1), "second").unwrap();
    assert_eq!(shown(&store), [text_is("third")], "an older one that comes late changes nothing");
    comes(&store, 4, Kind::Edit, target(Direction::In, 1), "fourth").unwrap();
    let found = store.message(&peer(1), Direction::In, &id(1)).unwrap().unwrap();
    assert_eq!((found.text.as_deref(), found.edited_at_ms), (Some("fourth"), Some(NOW - 5)));
    // nothing else of the conversation says what was said before
    let database = rusqlite::Connection::open(store.folder().join("miyu.db")).unwrap();
    let sealed = |n: u16| -> Vec<u8> {
        database.query_row("SELECT private FROM messages WHERE id = ?1", [id(n).0], |row| row.get(0)).unwrap()
    };
    assert!(sealed(3).len() < sealed(4).len(), "the text of an earlier edit is erased");
    // the offer is known still by what it was
    let known = store.lookup(&peer(1), &id(1)).unwrap().unwrap();
    assert!(known.is_same(&offer(1, Kind::Text, b"first")));
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn only_the_author_changes_a_message() {
    let (_folder, store) = open();
    goes(&store, 1, Kind::Text, None, "ours").unwrap();
    // a peer that says that our message is its own hits nothing
    comes(&store, 2, Kind::Edit, target(Direction::In, 1), "theirs").unwrap();
    comes(&store, 3, Kind::Deletion, target(Direction::In, 1), "").unwrap();
    // nor does one that names it as ours: the direction of the edit decides
    comes(&store, 4, Kind::Edit, target(Direction::Out, 1), "theirs").unwrap();
    comes(&store, 5, Kind::Deletion, target(Direction::Out, 1), "").unwrap();
    assert_eq!(store.message(&peer(1), Direction::Out, &id(1)).unwrap().unwrap().text.as_deref(), Some("ours"));
    comes(&store, 6, Kind::Text, None, "theirs").unwrap();
    for kind in [Kind::Edit, Kind::Deletion] {
        let error = goes(&store, 7, kind, target(Direction::In, 6), "").unwrap_err();
        assert!(matches!(error, StoreError::NotPossible { problem: "is not one of ours", .. }), "{error}");
    }
    let error = goes(&store, 7, Kind::Reaction, target(Direction::In, 60), "👍").unwrap_err();
    assert!(error.to_string().contains("is not in this conversation"), "{error}");
    let error = goes(&store, 7, Kind::Edit, None, "x").unwrap_err();
    assert!(matches!(error, StoreError::NotPossible { .. }), "{error}");
}

#[test]
fn a_deletion_takes_the_message_and_its_attachment_and_marks_the_place() {
    let (_folder, store) = open();
    let body = bytes(1, LARGE);
    let (file, _) = commit(&store, 1, &body);
    comes(&store, 2, Kind::Text, None, "after").unwrap();
    comes(&store, 3, Kind::Deletion, target(Direction::In, 1), "").unwrap();
    assert_eq!(shown(&store), [(Kind::Deletion, Some(String::new())), text_is("after")]);
    assert!(!place(&store, &file).exists());
    assert!(store.check(true, || true).unwrap().is_sound());
    // it does not come again, and its sender is told that it has come
    assert_eq!(store.lookup(&peer(1), &id(1)).unwrap(), Some(Known::Tombstone));
    // one that is on its way still does not come up
    comes(&store, 5, Kind::Deletion, target(Direction::In, 4), "").unwrap();
    let error = comes(&store, 4, Kind::Text, None, "too late").unwrap_err();
    assert!(matches!(error, StoreError::Deleted { .. }), "{error}");
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn a_deletion_that_fails_in_the_middle_leaves_everything_as_it_was() {
    let (_folder, store) = open();
    comes(&store, 1, Kind::Text, None, "here").unwrap();
    let database = rusqlite::Connection::open(store.folder().join("miyu.db")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(refuse).unwrap();
    assert!(comes(&store, 2, Kind::Deletion, target(Direction::In, 1), "").is_err());
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    assert_eq!(shown(&store), [text_is("here")]);
    assert!(store.check(true, || true).unwrap().is_sound(), "rows and tally went back together");
    comes(&store, 2, Kind::Deletion, target(Direction::In, 1), "").unwrap();
    assert!(store.check(true, || true).unwrap().is_sound());
}

#[test]
fn what_was_edited_before_it_went_out_goes_out_as_it_was_offered() {
    let (_folder, store) = open();
    goes(&store, 1, Kind::Text, None, "first").unwrap();
    goes(&store, 2, Kind::Edit, target(Direction::Out, 1), "second").unwrap();
    let claimed = store.claim(&peer(1), lease(1, NOW + 10_000), NOW, 9).unwrap();
    let [message, edit] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!(message.text.as_deref(), Some("second"));
    assert_eq!(read(&store, message), b"first", "size and SM3 are those of the first text");
    assert_eq!(sm3::digest(b"first"), message.sm3);
    assert_eq!((edit.kind, edit.target), (Kind::Edit, target(Direction::Out, 1)));
    assert!(store.delivered(&peer(1), &id(1), NOW).unwrap());
    let after = store.message(&peer(1), Direction::Out, &id(1)).unwrap().unwrap();
    assert_eq!(read(&store, &after), b"second", "what it said first is forgotten once it has arrived");
}

#[test]
fn what_was_not_sent_about_a_message_that_is_taken_back_never_goes_out() {
    for taken_back_by in ["cancel", "deletion", "delete"] {
        let (_folder, store) = open();
        goes(&store, 1, Kind::Text, None, "first").unwrap();
        goes(&store, 2, Kind::Edit, target(Direction::Out, 1), "second").unwrap();
        goes(&store, 3, Kind::Reaction, target(Direction::Out, 1), "!").unwrap();
        goes(&store, 4, Kind::Text, None, "another").unwrap();
        let left = match taken_back_by {
            "cancel" => store.cancel(&peer(1), &id(1), NOW).map(|_| vec![id(4)]),
            "delete" => store.delete_message(&peer(1), Direction::Out, &id(1), NOW).map(|_| vec![id(4)]),
            _ => goes(&store, 5, Kind::Deletion, target(Direction::Out, 1), "").map(|_| vec![id(4), id(5)]),
        };
        let claimed = store.claim(&peer(1), lease(1, NOW + 10_000), NOW, 9).unwrap();
        let ids: Vec<MessageId> = claimed.iter().map(|message| message.id).collect();
        assert_eq!(ids, left.unwrap(), "{taken_back_by}");
        assert!(store.check(true, || true).unwrap().is_sound());
    }
    let (_folder, store) = open();
    goes(&store, 1, Kind::Text, None, "first").unwrap();
    goes(&store, 2, Kind::Edit, target(Direction::Out, 1), "second").unwrap();
    let error = store.cancel(&peer(1), &id(2), NOW).unwrap_err();
    assert!(matches!(error, StoreError::NotPossible { .. }), "an edit that is done here already: {error}");
}

#[test]
fn an_edit_of_what_was_deleted_here_says_nothing() {
    let (_folder, store) = open();
    comes(&store, 1, Kind::Text, None, "first").unwrap();
    store.delete_message(&peer(1), Direction::In, &id(1), NOW).unwrap();
    for (n, kind) in [(2, Kind::Edit), (3, Kind::Reaction)] {
        assert_eq!(comes(&store, n, kind, target(Direction::In, 1), "x").unwrap().text, None);
    }
    assert!(shown(&store).is_empty());
}

#[test]
fn each_side_has_one_reaction_and_can_take_it_back() {
    let (_folder, store) = open();
    goes(&store, 1, Kind::Text, None, "ours").unwrap();
    let reactions = |store: &Store| {
        let found = store.message(&peer(1), Direction::Out, &id(1)).unwrap().unwrap().reactions;
        assert_eq!(found, store.page(&query(None, None, 9, None)).unwrap()[0].reactions);
        found
    };
    let of = |direction, text: &str| Reaction { direction, text: text.to_owned() };
    comes(&store, 2, Kind::Reaction, target(Direction::Out, 1), "👍").unwrap();
    goes(&store, 3, Kind::Reaction, target(Direction::Out, 1), "好").unwrap();
    assert_eq!(reactions(&store), [of(Direction::In, "👍"), of(Direction::Out, "好")]);
    comes(&store, 4, Kind::Reaction, target(Direction::Out, 1), "").unwrap();
    goes(&store, 5, Kind::Reaction, target(Direction::Out, 1), "!").unwrap();
    assert_eq!(reactions(&store), [of(Direction::Out, "!")]);
    let long = offer(6, Kind::Reaction, &[b'x'; 65]);
    let error = store.begin_receive(&peer(1), &long).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { what: "reaction", bytes: 65, .. }), "{error}");
}
