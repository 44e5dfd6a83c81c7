//! First start, a locked key, and the first peer.

use egui_kittest::kittest::Queryable;
use miyu::config::edit::Change;
use miyu::gui::talk::{Ask, Check, Fault, News, Pong, Stage};
use miyu::gui::words::Language;
use miyu::identity::key_line;

use super::{asked, key, peer, running, tell, window, words};

fn no_identity(fault: Option<Fault>) -> News {
    News::Stage(Stage::NoIdentity { table: "peers.toml".into(), only_key: false, fault })
}

#[test]
fn an_identity_is_made_with_a_name_and_a_passphrase_typed_twice() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = window(language);
        tell(&mut window, no_identity(None));
        let make = words.get("start-make");
        window.get_by_label(&make).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "no name yet");
        window.get_by_label(&words.get("start-name")).focus();
        window.run();
        window.get_by_label(&words.get("start-name")).type_text("爱丽丝");
        window.run();
        window.get_by_label(&words.get("start-lock")).click();
        window.run();
        for (field, typed) in [("start-passphrase", "secret"), ("start-passphrase-again", "other")] {
            window.get_by_label(&words.get(field)).focus();
            window.run();
            window.get_by_label(&words.get(field)).type_text(typed);
            window.run();
        }
        window.get_by_label(&words.get("start-passphrase-differs"));
        window.get_by_label(&make).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "the passphrases differ");
        window.get_by_label(&words.get("start-lock")).click();
        window.run();
        window.get_by_label(&make).click();
        window.run();
        let asks = asked(&mut window);
        assert!(
            matches!(asks.as_slice(), [Ask::MakeIdentity { name, passphrase: None, listen: None }] if name == "爱丽丝"),
            "{} asks",
            asks.len()
        );
        // A fault is shown with its mend, and it can be tried again.
        tell(&mut window, no_identity(Some(Fault::new("the disk is full", Some("make room".into())))));
        window.get_by_label("the disk is full");
        window.get_by_label("make room");
        window.get_by_label(&make).click();
        window.run();
        assert_eq!(asked(&mut window).len(), 1);
    }
}

#[test]
fn a_first_identity_may_listen_elsewhere_and_enter_makes_it() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = window(language);
        tell(&mut window, no_identity(None));
        // The name has the keyboard at once.
        window.event(egui::Event::Text("bob".into()));
        window.run();
        window.get_by_label(&words.get("start-more")).click();
        window.run();
        let listen = words.get("start-listen");
        window.get_by_label(&listen).focus();
        window.run();
        window.get_by_label(&listen).type_text("127.0.0.1:0");
        window.run();
        window.get_by_label(&words.get("start-listen-form"));
        window.get_by_label(&words.get("start-make")).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "port 0 is none");
        window.get_by_label(&listen).focus();
        window.run();
        window.key_press(egui::Key::Backspace);
        window.event(egui::Event::Text("7001".into()));
        window.run();
        window.get_by_label(&words.get("start-name")).focus();
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        let asks = asked(&mut window);
        let [Ask::MakeIdentity { name, passphrase: None, listen }] = asks.as_slice() else {
            panic!("{} asks", asks.len())
        };
        assert_eq!(
            (name.as_str(), listen.map(|listen| listen.to_string()).as_deref()),
            ("bob", Some("127.0.0.1:7001"))
        );
    }
}

#[test]
fn a_locked_key_asks_for_its_passphrase_until_it_is_right() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = window(language);
        tell(&mut window, News::Stage(Stage::Locked { key: "keys/a.pem".into(), fault: None }));
        let field = words.get("locked-passphrase");
        window.get_by_label(&field).type_text("wrong");
        window.run();
        window.key_press(egui::Key::Enter);
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Unlock(phrase)] if **phrase == "wrong"));
        let fault = Some(Fault::new("passphrase is wrong", None));
        tell(&mut window, News::Stage(Stage::Locked { key: "keys/a.pem".into(), fault }));
        window.get_by_label("passphrase is wrong");
    }
}

#[test]
fn the_first_peer_is_added_beside_our_own_key() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = running(language, &[]);
        window.get_by_label(&key_line(&key(1)));
        window.get_by_label(&words.get("own-key-qr"));
        let add = words.get("add-add");
        for (field, typed) in [("add-name", "bob"), ("add-key", "sm2:short"), ("add-address", "nowhere")] {
            window.get_by_label(&words.get(field)).focus();
            window.run();
            window.get_by_label(&words.get(field)).type_text(typed);
            window.run();
        }
        // What is wrong is said while it is typed, and nothing is asked for.
        let bytes = [("bytes", 3.into())];
        window.get_by_label(&words.with("fault-line-length", &bytes));
        window.get_by_label(&words.with("fault-address-no-port", &[("address", "nowhere".into())]));
        window.get_by_label(&add).click();
        window.run();
        assert!(asked(&mut window).is_empty());
    }
}

#[test]
fn a_second_peer_is_added_in_the_dialog() {
    for language in Language::ALL {
        let words = words(language);
        let mut window = running(language, &[]);
        // On the page of the first start, and then in the dialog.
        let mut peers = vec![];
        for (n, name) in [(2, "bob"), (3, "carol")] {
            for (field, typed) in [("add-name", name), ("add-key", &key_line(&key(n)))] {
                window.get_by_label(&words.get(field)).focus();
                window.run();
                window.get_by_label(&words.get(field)).type_text(typed);
                window.run();
            }
            window.get_by_label(&words.get("add-add")).scroll_to_me();
            window.run();
            window.get_by_label(&words.get("add-add")).click();
            window.run();
            assert!(asked(&mut window).iter().any(|ask| matches!(ask, Ask::Table(_))), "{name}");
            peers.push(peer(n, name));
            tell(&mut window, News::Peers(peers.clone()));
            assert!(window.query_by_label(&words.get("add-key")).is_none(), "the form is gone");
            window.get_by_label(&words.get("peers-add")).click();
            window.run();
            window.get_by_label(&words.get("add-key"));
        }
    }
}

#[test]
fn a_peer_is_changed_compared_and_removed_in_its_dialog() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        window.get_by_label_contains("bob").click();
        window.run();
        asked(&mut window);
        window.get_by_label(&words.get("head-about")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::SafetyNumber { peer }] if *peer == bob.id));
        tell(&mut window, News::SafetyNumber { peer: bob.id, number: "01234 56789".into() });
        window.get_by_label("01234");
        window.get_by_label("56789");
        let save = words.get("peer-save");
        window.get_by_label(&save).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "nothing is changed yet");
        window.get_by_label(&words.get("add-camera")).click();
        window.run();
        window.get_by_label(&words.get("peer-name")).focus();
        window.run();
        window.get_by_label(&words.get("peer-name")).type_text("by");
        window.run();
        window.get_by_label(&save).click();
        window.run();
        let asks = asked(&mut window);
        let [Ask::Table(changes)] = asks.as_slice() else { panic!("{} asks", asks.len()) };
        assert!(
            matches!(&changes[..], [Change::Allow { allow, .. }, Change::Rename { name, .. }] if allow.camera && name == "bob")
        );
        tell(&mut window, News::TableRefused(Fault::new("the name is taken", None)));
        window.get_by_label("the name is taken");
        let remove = words.get("peer-remove");
        window.get_by_label(&remove).click();
        window.run();
        assert!(asked(&mut window).is_empty(), "not by one click");
        window.get_by_label(&words.get("peer-removes")).click();
        window.run();
        window.get_by_label(&remove).click();
        window.run();
        let asks = asked(&mut window);
        assert!(
            matches!(asks.as_slice(), [Ask::Table(changes)] if matches!(&changes[..], [Change::Remove { name }] if name == "bob"))
        );
        tell(&mut window, News::Peers(Vec::new()));
        window.run();
        assert!(window.query_by_label(&save).is_none());
        window.get_by_label(&words.get("welcome-title"));
    }
}

#[test]
fn the_page_about_a_connection_says_which_step_fails_and_the_mend() {
    for language in Language::ALL {
        let words = words(language);
        let bob = peer(2, "bob");
        let mut window = running(language, std::slice::from_ref(&bob));
        window.get_by_label_contains("bob").click();
        window.run();
        asked(&mut window);
        window.get_by_label(&words.get("head-why")).click();
        window.run();
        assert!(matches!(asked(&mut window).as_slice(), [Ask::Check { peer }] if *peer == bob.id));
        window.get_by_label(&words.get("check-running"));
        let fault = Fault::new("nothing heard", Some("open the port".into()));
        let check = Check { received: 0, strangers: 2, addresses: Vec::new(), pong: Err(fault) };
        tell(&mut window, News::Checked { peer: bob.id, check });
        for key in ["check-silence", "check-firewall", "check-no-address", "check-not-reached"] {
            window.get_by_label(&words.get(key));
        }
        window.get_by_label(&words.with("check-strangers", &[("count", 2.into())]));
        window.get_by_label("open the port");
        window.get_by_label(&words.get("check-again")).click();
        window.run();
        assert_eq!(asked(&mut window).len(), 1);
        let pong = Pong { rtt_ms: 4, suite: "x".into(), clock_offset_ms: -9_500 };
        tell(
            &mut window,
            News::Checked {
                peer: bob.id,
                check: Check { received: 9, strangers: 0, addresses: Vec::new(), pong: Ok(pong) },
            },
        );
        window.get_by_label(&words.with("check-reached", &[("ms", 4.into()), ("suite", "x".into())]));
        window.get_by_label(&words.with("check-clock-off", &[("seconds", 9.into())]));
    }
}

#[test]
fn a_dialog_adds_a_peer_and_closes_when_the_table_has_it() {
    let words = words(Language::English);
    let mut window = running(Language::English, &[peer(2, "bob")]);
    window.get_by_label(&words.get("peers-add")).click();
    window.run();
    for (field, typed) in [("add-name", "carol"), ("add-key", &key_line(&key(3))), ("add-address", "10.0.0.9:9999")] {
        window.get_by_label(&words.get(field)).focus();
        window.run();
        window.get_by_label(&words.get(field)).type_text(typed);
        window.run();
    }
    window.get_by_label(&words.get("add-add")).click();
    window.run();
    let asks = asked(&mut window);
    let [Ask::Table(changes)] = asks.as_slice() else { panic!("{} asks", asks.len()) };
    assert!(
        matches!(&changes[..], [Change::Add(entry)] if entry.name == "carol" && entry.addresses == ["10.0.0.9:9999"])
    );
    tell(&mut window, News::TableRefused(Fault::new("the name is taken already", Some("give another".into()))));
    window.get_by_label("the name is taken already");
    window.get_by_label(&words.get("add-add")).click();
    window.run();
    assert_eq!(asked(&mut window).len(), 1, "it can be tried again");
    tell(&mut window, News::Peers(vec![peer(2, "bob"), peer(3, "carol")]));
    window.run();
    assert!(window.query_by_label(&words.get("add-add")).is_none(), "the dialog has closed");
    window.get_by_label_contains("carol");
}
