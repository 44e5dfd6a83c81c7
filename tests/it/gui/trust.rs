//! Who is who, and why somebody is not seen: what one gives the other, how it is taken in, and the page about a connection
//! with real nodes.

use std::path::Path;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use miyu::config::edit::Change;
use miyu::gui::card::Card;
use miyu::gui::talk::{Ask, Check, Fault, Me, News, Stage};
use miyu::gui::words::Language;
use miyu::identity::key_line;

use super::engine::{Desk, acquainted, add, folder, id};
use super::{Window, asked, key, peer, running, tell, words};

/// What was put into the clipboard by pressing a button.
fn copied(window: &mut Harness<'_, Window>, button: &str) -> String {
    window.get_by_label(button).click();
    for _ in 0..8 {
        window.step();
        for command in &window.output().platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                return text.clone();
            }
        }
    }
    panic!("nothing was copied by {button}")
}

#[test]
fn what_one_copies_the_other_pastes_whole() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = running(language, &[peer(2, "bob")]);
        // each look at it is a new one: a machine is carried about
        for press in ["peers-own-key", "dialog-close", "peers-own-key"] {
            asked(&mut window);
            window.get_by_label(&words.get(press)).click();
            window.run();
        }
        let asks = asked(&mut window);
        assert_eq!(asks.iter().filter(|ask| matches!(ask, Ask::Addresses)).count(), 1, "{} asks", asks.len());
        let addresses = vec!["192.168.1.2:9999".to_owned(), "[fd00::2]:9999".to_owned()];
        tell(&mut window, News::Addresses(addresses.clone()));
        window.get_by_label(&words.get("own-key-qr"));
        let all = copied(&mut window, &words.get("own-key-copy-all"));
        window.run();
        window.get_by_label(&format!("✔ {}", words.get("own-key-copied")));
        assert_eq!(
            Card::read(&all),
            Some(Card { name: "alice".into(), key: key_line(&key(1)), addresses: addresses.clone() })
        );
        assert_eq!(copied(&mut window, &words.get("own-key-copy")), key_line(&key(1)));

        // the other side, whose key is another one
        let mut other = running(language, &[peer(2, "bob")]);
        let me = Me {
            name: "carol".into(),
            key_line: key_line(&key(9)),
            fingerprint: String::new(),
            listen: "[::]:9999".into(),
            table: "peers.toml".into(),
            reached: Vec::new(),
        };
        tell(&mut other, News::Stage(Stage::Running(me)));
        other.get_by_label(&words.get("peers-add")).click();
        other.run();
        other.get_by_label(&words.get("add-key")).focus();
        other.run();
        other.event(egui::Event::Paste(all));
        other.run();
        other.get_by_label(&words.get("add-add")).click();
        other.run();
        let asks = asked(&mut other);
        let [Ask::Table(changes)] = asks.as_slice() else { panic!("{} asks", asks.len()) };
        let [Change::Add(entry)] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((entry.name.as_str(), &entry.key, &entry.addresses), ("alice", &key_line(&key(1)), &addresses));
    }
}

#[test]
fn our_own_key_is_no_peer() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = running(language, &[peer(2, "bob")]);
        window.get_by_label(&words.get("peers-add")).click();
        window.run();
        window.get_by_label(&words.get("add-key")).focus();
        window.run();
        window.event(egui::Event::Paste(format!("me {}", key_line(&key(1)))));
        window.run();
        window.get_by_label(&words.get("add-own-key"));
        window.get_by_label(&words.get("add-add")).click();
        window.run();
        assert!(asked(&mut window).is_empty());
    }
}

#[test]
fn a_compared_key_has_its_badge_and_loses_it_with_the_key() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        let verified = words.get("head-verified");
        assert!(window.query_by_label_contains(&verified).is_none());
        window.get_by_label_contains("bob").click();
        window.run();
        window.get_by_label(&words.get("head-about")).click();
        window.run();
        tell(&mut window, News::SafetyNumber { peer: bob.id, number: "01234 56789".into() });
        window.get_by_label("alice ↔ bob");
        window.get_by_label(&words.get("peer-safety-code"));
        window.get_by_label(&words.get("peer-verified")).click();
        window.run();
        assert_eq!(window.get_all_by_label_contains(&verified).count(), 2, "in the list and above the conversation");
        tell(&mut window, News::Peers(vec![peer(3, "bob")]));
        assert!(window.query_by_label_contains(&verified).is_none());
        window.get_by_label_contains(&words.get("head-key-changed"));
    }
}

/// Lets a desk check its connection and gives what it has found.
fn check(desk: &mut Desk, peer: miyu::identity::PeerId) -> Check {
    desk.ask(Ask::Check { peer });
    desk.until("the check", |news| if let News::Checked { check, .. } = news { Some(check) } else { None })
}

/// What the page says of it, in both languages.
fn page(check: &Check, shown: impl Fn(&miyu::gui::words::Words) -> Vec<String>) {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        window.get_by_label_contains("bob").click();
        window.run();
        window.get_by_label(&words.get("head-why")).click();
        window.run();
        tell(&mut window, News::Checked { peer: bob.id, check: check.clone() });
        for text in shown(&words) {
            assert!(window.query_all_by_label_contains(&text).count() > 0, "{text}\n{:?}", window.root());
        }
    }
}

fn made(desk: &mut Desk) -> Me {
    assert!(matches!(desk.stage(), Stage::NoIdentity { only_key: true, .. }));
    desk.ask(Ask::MakeIdentity { name: String::new(), passphrase: None, listen: None });
    desk.me()
}

fn desk(table: &Path) -> Desk {
    Desk::start(table, &table.with_file_name("data"))
}

fn known(desk: &mut Desk) {
    desk.until("the table", |news| matches!(news, News::Peers(rows) if rows.len() == 1).then_some(()));
}

#[test]
fn the_page_says_when_nothing_listens_there() {
    let (_a, table, _) = folder("alice");
    // the port was free a moment ago, and nobody listens there
    let (_b, _, nowhere) = folder("bob");
    let mut alice = desk(&table);
    made(&mut alice);
    let stranger = Me {
        name: String::new(),
        key_line: key_line(&key(7)),
        fingerprint: String::new(),
        listen: String::new(),
        table: "x".into(),
        reached: Vec::new(),
    };
    alice.ask(add("bob", &stranger, &nowhere));
    known(&mut alice);
    let found = check(&mut alice, id(&stranger));
    assert_eq!(found.received, 0, "{found:?}");
    let fault = found.pong.clone().unwrap_err();
    assert_eq!(fault.said.as_ref().unwrap().key(), "fault-nothing-heard", "{fault:?}");
    page(&found, |words| {
        let mut shown = ["check-silence", "check-firewall", "check-not-reached"].map(|key| words.get(key)).to_vec();
        shown.push(fault.said.as_ref().unwrap().tell(words));
        shown.push(fault.said.as_ref().unwrap().mend(words).unwrap());
        shown
    });
    alice.engine.stop();
}

#[test]
fn the_page_says_when_they_do_not_know_us_and_they_see_a_stranger_when_we_have_a_wrong_key() {
    let (_a, table_a, at_a) = folder("alice");
    let (_b, table_b, at_b) = folder("bob");
    let (mut alice, mut bob) = (desk(&table_a), desk(&table_b));
    let (me_a, me_b) = (made(&mut alice), made(&mut bob));
    alice.ask(add("bob", &me_b, &at_b));
    known(&mut alice);
    // bob does not have us
    let found = check(&mut alice, id(&me_b));
    let fault: Fault = found.pong.clone().unwrap_err();
    assert_eq!(fault.said.as_ref().unwrap().key(), "fault-not-in-their-table", "{fault:?}");
    page(&found, |words| vec![words.get("check-not-reached"), fault.said.as_ref().unwrap().tell(words)]);
    // bob has us, with our key, and has mistaken another's address for ours: what he sends is no knock to us
    let wrong = Me { key_line: key_line(&key(7)), ..me_a.clone() };
    bob.ask(add("alice", &wrong, &at_a));
    known(&mut bob);
    let found = check(&mut bob, id(&wrong));
    assert_eq!(found.pong.unwrap_err().said.unwrap().key(), "fault-nothing-heard");
    let found = check(&mut alice, id(&me_b));
    assert!(found.strangers > 0, "{found:?}");
    let strangers = found.strangers;
    page(&found, |words| vec![words.with("check-strangers", &[("count", strangers.into())])]);
    alice.engine.stop();
    bob.engine.stop();
}

#[test]
fn the_page_says_when_all_is_well() {
    let (_a, table_a, at_a) = folder("alice");
    let (_b, table_b, at_b) = folder("bob");
    let [(mut alice, _), (bob, id_b)] = acquainted(&table_a, &at_a, &table_b, &at_b);
    let found = check(&mut alice, id_b);
    assert!(found.pong.is_ok() && found.strangers == 0, "{found:?}");
    page(&found, |words| ["check-known", "check-clock"].map(|key| words.get(key)).to_vec());
    alice.engine.stop();
    bob.engine.stop();
}
