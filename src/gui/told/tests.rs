//! Each fault has its words in both languages.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::*;
use crate::config::Config;
use crate::config::edit::{Change, change};
use crate::gui::words::{Language, Words};
use crate::media::picture::Format;
use crate::node::history::MessageId;

fn path() -> PathBuf {
    PathBuf::from("/place")
}

fn refusal() -> Error {
    Error::from(ErrorKind::PermissionDenied)
}

fn dials() -> Vec<DialError> {
    let (peer, reason) = (|| "小雨".to_owned(), || "because".to_owned());
    let addresses = || vec!["10.0.0.2:9999".parse().unwrap()];
    vec![
        DialError::NoPeer(peer()),
        DialError::NoAddress { peer: peer() },
        DialError::Resolve { host: "bob.lan".into(), reason: reason() },
        DialError::NothingHeard { peer: peer(), addresses: addresses(), expected: "sm2:x".into() },
        DialError::NotInTheirTable { peer: peer(), our_key: "sm2:y".into() },
        DialError::Impostor { peer: peer(), addresses: addresses(), reason: reason() },
        DialError::Handshake { peer: peer(), reason: reason() },
        DialError::Closed { peer: peer(), reason: reason() },
        DialError::Local { peer: peer(), reason: reason() },
        DialError::Stopped,
    ]
}

const REASONS: [Reason; 10] = [
    Reason::NotAllowed,
    Reason::TooLarge,
    Reason::Conflict,
    Reason::NoRoom,
    Reason::Damaged,
    Reason::Busy,
    Reason::NoCamera,
    Reason::StoreFailed,
    Reason::NotReceiving,
    Reason::Protocol,
];

fn stores() -> Vec<StoreError> {
    let detail = || "detail".to_owned();
    let id = MessageId([7; 16]);
    vec![
        StoreError::FolderUnusable { path: path(), source: refusal() },
        StoreError::File { action: "read", path: path(), source: Error::from(ErrorKind::NotFound) },
        StoreError::DiskFull { folder: path(), free: 4_096, wanted: 9 },
        StoreError::QuotaFull { used: 1, wanted: 2, quota: 3 },
        StoreError::Corrupt { path: path(), detail: detail() },
        StoreError::DiskFault { path: path(), detail: detail() },
        StoreError::NotAStore { path: path() },
        StoreError::NewerSchema { path: path(), found: 9, known: 8 },
        StoreError::Locked { path: path() },
        StoreError::InUse { folder: path(), pid: Some(1) },
        StoreError::KeyMissing { path: path() },
        StoreError::KeyDamaged { path: path() },
        StoreError::ForeignKey { path: path() },
        StoreError::BodyDamaged { path: path(), found: 1, wanted: 2 },
        StoreError::BodyChanged { path: path(), chunk: 0 },
        StoreError::MessageChanged { id },
        StoreError::NotPossible { id, problem: "is not one of ours" },
        StoreError::BodyTooLarge { bytes: 2, bytes_max: 1 },
        StoreError::TooLong { what: "text", bytes: 2, bytes_max: 1 },
        StoreError::Shrunk { path: path(), got: 1, wanted: 2 },
        StoreError::NotAFile { path: path() },
        StoreError::NotText,
        StoreError::BodyMismatch { got: 1, offered: 2 },
        StoreError::NotCommitted { detail: detail() },
        StoreError::Conflict { id },
        StoreError::Deleted { id },
        StoreError::DuplicateId { id },
        StoreError::ReceiveBusy { id },
    ]
}

fn keys() -> Vec<KeyFileError> {
    let text = || "something".to_owned();
    vec![
        KeyFileError::Io { path: path(), action: "read", source: refusal() },
        KeyFileError::NotAFile { path: path() },
        KeyFileError::OpenToOthers { path: path(), mode: 0o644 },
        KeyFileError::AlreadyExists { path: path() },
        KeyFileError::PublicKey,
        KeyFileError::NeedsPassphrase,
        KeyFileError::WrongPassphrase,
        KeyFileError::LegacyEncryption,
        KeyFileError::OtherEncryption { what: text() },
        KeyFileError::OtherAlgorithm { algorithm: text() },
        KeyFileError::OtherCurve { curve: text() },
        KeyFileError::NoCurve,
        KeyFileError::NotPem,
        KeyFileError::Truncated { part: "the key" },
        KeyFileError::PublicKeyMismatch,
    ]
}

fn pictures() -> Vec<PictureError> {
    let (format, reason) = (Format::Png, || "odd".to_owned());
    vec![
        PictureError::InputTooLong { bytes: 1 << 40 },
        PictureError::Unknown { bytes: 3 },
        PictureError::TooLarge { format, width: 90_000, height: 80_000 },
        PictureError::Memory { format },
        PictureError::CutShort { format },
        PictureError::Damaged { format, reason: reason() },
        PictureError::Unsupported { format, reason: reason() },
        PictureError::Encode { reason: reason() },
    ]
}

fn sends() -> Vec<SendError> {
    vec![
        SendError::NoPeer("小雨".into()),
        SendError::TooLarge { what: "the text", bytes: 9, bytes_max: 8 },
        SendError::TooLarge { what: "the reaction", bytes: 9, bytes_max: 8 },
        SendError::Empty("the text"),
        SendError::Picture("odd".into()),
        SendError::Clip("odd".into()),
        SendError::DoesNotFit { bytes: 1_234, capacity: 56 },
        SendError::Stopped,
    ]
}

/// What the table says to changes that a form can ask for.
fn edits() -> Vec<EditError> {
    let table = Path::new("/table/peers.toml");
    let source = || Error::from(ErrorKind::ReadOnlyFilesystem);
    vec![
        EditError::Io { path: path(), action: "write", source: source() },
        EditError::Faulty(Config::parse("[me", table).unwrap_err()),
        EditError::Faulty(Config::parse("x = 1\ny = 2\n", table).unwrap_err()),
        EditError::Unreadable("odd".into()),
        EditError::NoPeer("小雨".into()),
        EditError::Exists(path()),
        EditError::Busy,
    ]
}

#[cfg(not(feature = "audio"))]
fn sounds() -> Vec<Fault> {
    Vec::new()
}

#[cfg(feature = "audio")]
fn sounds() -> Vec<Fault> {
    use crate::media::audio::{AudioError, Direction};
    use crate::media::clip::ClipError;
    use std::time::Duration;

    let (device, why, after) = (|| "mic".to_owned(), || "odd".to_owned(), Duration::ZERO);
    let all = [
        AudioError::NoHost { why: why() },
        AudioError::NoDevice { direction: Direction::Input },
        AudioError::NoDevice { direction: Direction::Output },
        AudioError::Unknown { direction: Direction::Input, wanted: device(), names: Vec::new() },
        AudioError::Busy { device: device() },
        AudioError::Denied { device: device(), why: why() },
        AudioError::Gone { device: device(), after, why: why() },
        AudioError::Stalled { device: device(), direction: Direction::Input, after, waited: after },
        AudioError::Silent { device: device(), heard: after },
        AudioError::Nothing { device: device() },
        AudioError::Clip(ClipError::Empty),
        AudioError::Format { device: device(), why: why() },
    ];
    all.iter().map(Fault::of).collect()
}

fn all() -> Vec<Fault> {
    let mut all: Vec<Fault> = Vec::new();
    all.extend(dials().iter().map(Fault::of));
    for reason in REASONS {
        all.push(Fault::of(&WatchError::Refused { peer: "小雨".into(), reason, detail: "x".into() }));
    }
    all.push(Fault::of(&WatchError::Broken { peer: "小雨".into(), reason: "x".into() }));
    all.extend(stores().iter().map(Fault::of));
    all.extend(stores().iter().map(|error| trouble(error.to_string(), None, &error.into())));
    all.push(trouble("changed".into(), None, &Matter::Restart));
    let faults = Config::parse("[me", Path::new("/t")).unwrap_err();
    all.push(trouble("faulty".into(), None, &Matter::Table(faults.clone())));
    all.push(Fault::of(&TableError::Faulty(faults)));
    all.extend(keys().iter().map(Fault::of));
    all.extend(pictures().iter().map(Fault::of));
    all.extend(sends().iter().map(Fault::of));
    all.extend(edits().iter().map(Fault::of));
    all.extend(super::sound::all());
    all.push(Fault::of(&HiddenError::DoesNotFit { bytes: 1_234, capacity: 56 }));
    all.push(Fault::of(&HiddenError::TooLong { bytes: 1_000_000 }));
    all.push(Fault::of(&HiddenError::NotFound));
    all.push(Fault::of(&JpegError::Size { width: 0, height: 0 }));
    all.push(Fault::of(&SaveError::Write { path: path(), source: Error::from(ErrorKind::StorageFull) }));
    let address = "0.0.0.0:80".parse().unwrap();
    let bind = EndpointError::Bind { address, source: Error::from(ErrorKind::AddrInUse) };
    all.push(Fault::of(&NodeError::Endpoint(bind)));
    all.extend(sounds());
    all.push(Fault::of(&KeyLineError::NoPrefix));
    all.push(Fault::of(&KeyLineError::NotBase64));
    all.push(Fault::of(&KeyLineError::Length { got: 5 }));
    for text in ["bob", "bob:x", "::1:9", ":9"] {
        all.push(self::address(text, text.parse::<crate::config::Address>().unwrap_err()));
    }
    all.extend(["closed", "nothing heard for 12 s", "reset"].map(|reason| away(reason.to_owned())));
    all
}

#[test]
fn every_fault_has_its_words_in_both_languages() {
    let (english, chinese) = (Words::new(Language::English), Words::new(Language::Chinese));
    let mut seen = BTreeSet::new();
    for fault in all() {
        let said = fault.said.clone().unwrap_or_else(|| panic!("{fault:?} has no words of the app"));
        let (en, zh) = (said.tell(&english), said.tell(&chinese));
        let mends = [said.mend(&english), said.mend(&chinese)];
        assert_eq!(mends[0].is_some(), mends[1].is_some(), "{en}");
        assert_ne!(en, zh, "{fault:?}");
        assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{zh}");
        for text in [Some(en.clone()), Some(zh), mends[0].clone(), mends[1].clone()].into_iter().flatten() {
            // a value that is missing is shown by its name, a key that is missing as it is
            assert!(!text.contains(['{', '$']) && text.contains(|c: char| " 。：？，".contains(c)), "{text}");
        }
        seen.insert(en);
    }
    assert!(seen.len() > 80, "only {} texts", seen.len());
}

#[test]
fn figures_and_names_are_put_in() {
    let chinese = Words::new(Language::Chinese);
    let fault = Fault::of(&SendError::DoesNotFit { bytes: 1_234, capacity: 56 });
    let text = fault.said.unwrap().tell(&chinese);
    assert!(text.contains("1234") && text.contains("56"), "{text}");
    assert_eq!(fault.error, "the hidden text has 1234 bytes, this picture can hide 56");
    let text = dial(&dials()[3]).mend(&chinese).unwrap();
    assert!(text.contains("sm2:x"), "{text}");
}

#[test]
fn what_a_form_can_do_wrong_is_said_for_that_form() {
    let place = tempfile::tempdir().unwrap();
    let (table, key) = (place.path().join("peers.toml"), place.path().join("own.pem"));
    std::fs::write(key, "").unwrap();
    let lines = [(); 4].map(|()| crate::identity::key_line(crate::identity::Identity::generate().public()));
    let line = |n: usize| lines[n].clone();
    let text = format!("[me]\nname = \"a\"\nkey = \"own.pem\"\n[[peer]]\nname = \"bob\"\nkey = \"{}\"\n", line(2));
    let rename = |to: &str| Change::Rename { name: "bob".into(), to: to.into() };
    let add = |name: &str, key: String| {
        let entry = crate::config::edit::Entry { name: name.into(), key, addresses: vec![], allow: Default::default() };
        Change::Add(entry)
    };
    let many = (1..40).map(|n| format!("10.0.0.{n}:9")).collect();
    for (asked, key) in [
        (rename(""), "slip-name-empty"),
        (rename(&"长".repeat(40)), "slip-name-long"),
        (rename("a\u{202e}b"), "slip-name-misleading"),
        (rename(" bob"), "slip-name-misleading"),
        (rename("a"), "slip-name-taken"),
        (add("carol", line(2)), "slip-key-taken"),
        (Change::Addresses { name: "bob".into(), addresses: vec!["nowhere".into()] }, "fault-address-no-port"),
        (Change::Addresses { name: "bob".into(), addresses: many }, "slip-addresses"),
    ] {
        let refused = change(&text, &table, std::slice::from_ref(&asked)).unwrap_err();
        let said = Fault::of(&refused).said.unwrap();
        assert_eq!(said.key(), key, "{refused}");
    }
    let config = Config::parse(&text, &table).unwrap();
    let own = config.check_own_key(&config.peers[0].key).unwrap_err();
    assert_eq!(own.said().key(), "slip-own-key");
}

#[test]
fn reasons_of_the_history_are_understood() {
    let chinese = Words::new(Language::Chinese);
    assert_eq!(failed("no room: 3 bytes free").tell(&chinese), chinese.get("refused-no-room"));
    assert_eq!(failed("its stored copy cannot be read: gone").tell(&chinese), chinese.get("failed-unreadable"));
    assert_eq!(failed("odd").tell(&chinese), "odd");
}
