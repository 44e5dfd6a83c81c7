//! Hidden text: found by the receiver, by nobody else, and not to be told from noise.

use miyu::identity::Identity;
use miyu::media::picture;
use miyu::node::hidden::{Between, HiddenError, capacity, hide, hide_with_passphrase, reveal, reveal_with_passphrase};
use miyu::node::{DraftKind, MessageId};

use crate::support::{CHAT, pair};

fn photo() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/photo.png")).unwrap()
}

const SECRET: &str = "meet at the old bridge · 老桥见";

#[test]
fn only_the_receiver_of_this_message_finds_it() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let message = MessageId::new(1_700_000_000_000, [4; 10]);
    let made = hide(Between { me: &alice, peer: bob.public(), message }, &photo(), SECRET).unwrap();
    assert_eq!(made.conversion, None);
    let found = |me: &Identity, peer: &Identity, message| {
        reveal(Between { me, peer: peer.public(), message }, &made.png).unwrap()
    };
    assert_eq!(found(&bob, &alice, message).as_deref(), Some(SECRET));
    assert_eq!(found(&eve, &alice, message), None, "another receiver");
    assert_eq!(found(&bob, &eve, message), None, "another sender");
    assert_eq!(found(&bob, &alice, MessageId::new(1_700_000_000_000, [5; 10])), None, "another message");
    assert_eq!(found(&alice, &bob, message), None, "the other direction has keys of its own");
    // A clean picture hides nothing.
    assert_eq!(reveal(Between { me: &bob, peer: alice.public(), message }, &photo()).unwrap(), None);
}

#[test]
fn the_same_text_in_the_same_picture_never_looks_the_same() {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let made = |number| {
        let message = MessageId::new(1_700_000_000_000, [number; 10]);
        picture::decode(&hide(Between { me: &alice, peer: bob.public(), message }, &photo(), SECRET).unwrap().png)
            .unwrap()
            .data
    };
    let (clean, one, two) = (picture::decode(&photo()).unwrap().data, made(1), made(2));
    let changed = |data: &[u8]| {
        clean
            .iter()
            .zip(data)
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .map(|(at, _)| at)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (one, two) = (changed(&one), changed(&two));
    assert!(!one.is_empty() && one.intersection(&two).count() * 4 < one.len(), "the paths differ");
}

#[test]
fn the_capacity_is_exact_and_told() {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let between = Between { me: &alice, peer: bob.public(), message: MessageId::new(1, [0; 10]) };
    let (fits, _) = capacity(&photo(), false).unwrap();
    let made = hide(between, &photo(), &"a".repeat(fits)).unwrap();
    let back = Between { me: &bob, peer: alice.public(), message: between.message };
    assert_eq!(reveal(back, &made.png).unwrap().map(|text| text.len()), Some(fits));
    match hide(between, &photo(), &"a".repeat(fits + 1)) {
        Err(HiddenError::DoesNotFit { bytes, capacity }) => {
            assert_eq!((bytes, capacity), (fits + 1, fits))
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(hide(between, &photo(), ""), Err(HiddenError::Empty)));
    assert!(matches!(hide(between, b"GIF89a", "x"), Err(HiddenError::Picture(_))));
}

#[test]
fn a_lossy_carrier_is_converted_and_said_so() {
    let frames = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/clip.mjpeg")).unwrap();
    let end = frames.windows(2).position(|bytes| bytes == [0xff, 0xd9]).unwrap() + 2;
    let jpeg = &frames[..end];
    let (_, conversion) = capacity(jpeg, true).unwrap();
    assert!(conversion.is_some_and(|words| words.contains("lossy")), "{conversion:?}");
}

#[test]
fn a_passphrase_finds_its_text_and_repeats_nothing() {
    let one = hide_with_passphrase(b"correct horse", &photo(), SECRET).unwrap();
    let two = hide_with_passphrase(b"correct horse", &photo(), SECRET).unwrap();
    assert_ne!(one.png, two.png, "the random salt makes every hiding differ");
    assert_eq!(reveal_with_passphrase(b"correct horse", &one.png).unwrap(), SECRET);
    assert!(matches!(reveal_with_passphrase(b"wrong horse", &one.png), Err(HiddenError::NotFound)));
    assert!(matches!(reveal_with_passphrase(b"correct horse", &photo()), Err(HiddenError::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_text_travels_with_its_picture() {
    let (alice, mut bob) = pair(CHAT, CHAT).await;
    let id = alice.send("bob", DraftKind::Picture { bytes: photo(), hide: Some(SECRET.to_owned()) }).await;
    let arrived = bob.arrival(id).await;
    assert_eq!(arrived.hidden.as_deref(), Some(SECRET));
    assert_eq!(arrived.mime.as_deref(), Some("image/png"));
    // Without a hidden text the picture arrives as it was.
    let id = alice.send("bob", DraftKind::Picture { bytes: photo(), hide: None }).await;
    let arrived = bob.arrival(id).await;
    assert_eq!(arrived.hidden, None);
    assert!(bob.body(&arrived) == photo());
}
