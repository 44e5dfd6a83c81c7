//! `miyu history` and the messages about messages of `miyu send`, as transcripts.

use std::path::Path;

use serde_json::Value;

use super::{ASSETS, BOTH, Hosts, Peer, fails, json, names, ok, run};

fn history(arguments: &[&str], home: &Path) -> Vec<Value> {
    json(&ok(&[&["history", "--json"], arguments].concat(), home))
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["text"].as_str().unwrap_or_default()).collect()
}

/// A conversation: three texts and a picture from alice, with bob's reaction and an edit.
fn conversation() -> (Hosts, Vec<String>) {
    let hosts = Hosts::new(BOTH);
    let bob = Peer::start(&["run"], &hosts.bob);
    let send = |arguments: &[&str]| {
        let sent = json(&ok(&[&["send", "bob", "--json"], arguments].concat(), &hosts.alice)).pop().unwrap();
        sent["id"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<String> = ["one", "Zwei 二", "three"].iter().map(|text| send(&[text])).collect();
    ids.push(send(&["--image", &format!("{ASSETS}/photo.png"), "--hide", "under the pot"]));
    send(&["--edit", &ids[0], "ONE"]);
    send(&["--react", &ids[1], "👍"]);
    send(&["--reply-to", &ids[2], "four"]);
    bob.kill();
    (hosts, ids)
}

#[test]
fn the_history_is_paged_searched_and_shows_what_was_said_of_messages() {
    let (hosts, ids) = conversation();
    for home in [&hosts.alice, &hosts.bob] {
        let all = history(&[], home);
        assert_eq!(texts(&all), ["ONE", "Zwei 二", "three", "", "four"]);
        assert!(all[0]["edited_at"].is_i64() && all[1]["edited_at"].is_null());
        assert_eq!(all[1]["reactions"][0]["text"], "👍");
        assert_eq!(all[4]["target"].as_str(), Some(ids[2].as_str()));
        assert_eq!(all[3]["hidden"], "under the pot");
        assert_eq!(texts(&history(&["--limit", "2"], home)), ["", "four"]);
        assert_eq!(texts(&history(&["--before", &ids[2], "--limit", "1"], home)), ["Zwei 二"]);
        assert_eq!(texts(&history(&["--after", &ids[0], "--limit", "2"], home)), ["Zwei 二", "three"]);
        assert_eq!(texts(&history(&["--search", "zwei"], home)), ["Zwei 二"]);
        assert_eq!(history(&["--search", "THE POT"], home)[0]["kind"], "picture");
        assert!(history(&["--search", "nowhere"], home).is_empty());
        assert_eq!(history(&["--check"], home)[0]["rows_missing"], false);
    }
    let listed = history(&["--conversations"], &hosts.bob);
    assert_eq!((listed[0]["peer"].as_str(), listed[0]["unread"].as_u64()), (Some("alice"), Some(5)));
    assert_eq!(listed[0]["last"]["text"], "four");
    assert_eq!(history(&["alice", "--mark-read"], &hosts.bob)[0]["messages"], 5);
    assert_eq!(history(&["--conversations"], &hosts.bob)[0]["unread"], 0);
    let line = ok(&["history", "alice", "--limit", "4"], &hosts.bob);
    assert!(line.contains("Zwei 二 [👍]") && line.contains("(seen)"), "{line}");
}

#[test]
fn messages_are_deleted_taken_back_retried_and_cancelled_from_the_command_line() {
    let (hosts, ids) = conversation();
    history(&["alice", "--delete", &ids[3]], &hosts.bob);
    assert_eq!(history(&[], &hosts.bob).len(), 4);
    assert!(
        std::fs::read_dir(hosts.bob.join("data/attachments"))
            .unwrap()
            .all(|folder| { std::fs::read_dir(folder.unwrap().path()).unwrap().count() == 0 })
    );
    assert_eq!(history(&[], &hosts.alice).len(), 5, "the other side keeps its own");
    let bob = Peer::start(&["run"], &hosts.bob);
    ok(&["send", "bob", "--delete", &ids[1]], &hosts.alice);
    bob.kill();
    for home in [&hosts.alice, &hosts.bob] {
        assert_eq!(history(&[], home)[1]["kind"], "deletion");
    }
    let away = ["send", "bob", "not now", "--timeout", "1"];
    fails(&away, &hosts.alice, "not delivered", "queued");
    let waiting = history(&["--limit", "1"], &hosts.alice);
    assert_eq!(waiting[0]["state"], "queued");
    let id = waiting[0]["id"].as_str().unwrap();
    fails(&["history", "bob", "--retry", id], &hosts.alice, "has not failed", "--json");
    history(&["bob", "--cancel", id], &hosts.alice);
    fails(&["history", "bob", "--cancel", id], &hosts.alice, "not in the outbox", "--json");
    fails(&["history", "bob", "--delete", &ids[1]], &hosts.alice, "not in this conversation", "--json");
    fails(&["send", "bob", "--edit", id, "x"], &hosts.alice, "no message", "miyu history bob");
    fails(&["send", "alice", "--delete", &ids[0]], &hosts.bob, "not one of yours", "only its author");
    for wrong in [
        ["history", "bob", "--delete-all", "--search", "x"].as_slice(),
        &["history", "bob", "--delete-all", "--limit", "1"],
        &["send", "bob", "--react", id, "--delete", id],
        &["send", "bob", "--hide", "x", "hello"],
    ] {
        assert_eq!(run(wrong, &hosts.alice).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(history(&["bob", "--delete-all"], &hosts.alice)[0]["messages"], 7);
    assert!(history(&[], &hosts.alice).is_empty());
}

#[test]
fn a_conversation_is_exported_in_the_clear_and_only_into_a_new_folder() {
    let (hosts, ids) = conversation();
    let out = hosts.folder.path().join("out");
    let told = history(&["alice", "--export", out.to_str().unwrap()], &hosts.bob);
    assert_eq!((told[0]["messages"].as_u64(), told[0]["attachments"].as_u64()), (Some(5), Some(1)));
    let lines = std::fs::read_to_string(out.join("messages.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(texts(&lines), ["ONE", "Zwei 二", "three", "", "four"]);
    let file = lines[3]["path"].as_str().unwrap();
    assert!(file.starts_with(&format!("files/{}", ids[3])), "{file}");
    let body = std::fs::read(out.join(file)).unwrap();
    assert_eq!(body.len() as u64, lines[3]["bytes"].as_u64().unwrap());
    assert!(body.starts_with(b"\x89PNG"));
    assert_eq!(names(&out), ["files", "messages.jsonl"]);
    fails(&["history", "--export", out.to_str().unwrap()], &hosts.bob, "cannot make the folder", "not there yet");
}

#[test]
fn a_history_that_was_tampered_with_is_told_and_another_key_does_not_open_it() {
    let (hosts, _) = conversation();
    let database = rusqlite::Connection::open(hosts.bob.join("data/miyu.db")).unwrap();
    database.execute("DELETE FROM messages WHERE row = 2", []).unwrap();
    drop(database);
    fails(&["history", "--check"], &hosts.bob, "messages are missing", "restore it from a backup");
    let theirs = hosts.alice.join("data");
    fails(&["history", "--data", theirs.to_str().unwrap()], &hosts.bob, "sealed under another key", "key file");
}
