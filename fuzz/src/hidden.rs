//! A text sealed into a picture and found again, between peers and under a passphrase.

use std::sync::OnceLock;

use miyu::crypto::sm2::SecretKey;
use miyu::identity::Identity;
use miyu::media::picture;
use miyu::node::MessageId;
use miyu::node::hidden::{self, Between, HiddenError};

use super::bytes::Bytes;
use super::stego::pixels;

/// Derived once: what a key costs is no subject here.
fn pair() -> &'static (Identity, Identity) {
    static PAIR: OnceLock<(Identity, Identity)> = OnceLock::new();
    let identity = |number: u8| Identity::new(SecretKey::from_bytes(&[number; 32]).expect("within the order"));
    PAIR.get_or_init(|| (identity(1), identity(2)))
}

/// A text and a picture that may hide it, and may already hide something of the fuzzer's making.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let id = MessageId([input.byte(); 16]);
    let text = [['a', '密', '\u{1f600}'][usize::from(input.byte() % 3)]];
    let text: String = text.iter().cycle().take(usize::from(input.byte())).collect();
    let (width, height, channels, samples) = pixels(&mut input);
    let file = picture::encode_png(width, height, channels == 4, &samples).expect("size and samples fit");
    let (alice, bob) = pair();
    let sends = Between { me: alice, peer: bob.public(), message: id };
    let takes = Between { me: bob, peer: alice.public(), message: id };
    assert!(matches!(hidden::reveal(takes, &file), Ok(None)), "found where nothing was hidden");
    let (room, _) = hidden::capacity(&file, false).expect("a picture");
    match hidden::hide(sends, &file, &text) {
        Ok(hidden) => {
            assert!(text.len() <= room);
            let found = hidden::reveal(takes, &hidden.png).expect("a picture");
            assert_eq!(found.as_deref(), Some(&text[..]), "it does not come back");
            let other = Between { message: MessageId([!id.0[0]; 16]), ..takes };
            assert!(matches!(hidden::reveal(other, &hidden.png), Ok(None)), "another message finds it");
            assert!(matches!(hidden::reveal(sends, &hidden.png), Ok(None)), "the other direction finds it");
        }
        Err(HiddenError::DoesNotFit { bytes, capacity }) => assert!(bytes > room && capacity == room, "{bytes} {room}"),
        Err(HiddenError::Empty) => assert!(text.is_empty()),
        Err(error) => panic!("{error}"),
    }
    // The derivation is slow by design; the build for the fuzzer takes few rounds.
    if cfg!(fuzzing) {
        under_passphrase(&file, &text);
    }
}

fn under_passphrase(file: &[u8], text: &str) {
    assert!(matches!(hidden::reveal_with_passphrase(b"right", file), Err(HiddenError::NotFound)));
    let (room, _) = hidden::capacity(file, true).expect("a picture");
    match hidden::hide_with_passphrase(b"right", file, text) {
        Ok(hidden) => {
            let found = hidden::reveal_with_passphrase(b"right", &hidden.png);
            assert_eq!(found.ok().as_deref(), Some(text), "it does not come back");
            assert!(hidden::reveal_with_passphrase(b"wrong", &hidden.png).is_err());
        }
        Err(HiddenError::DoesNotFit { bytes, capacity }) => assert!(bytes > room && capacity == room, "{bytes} {room}"),
        Err(HiddenError::Empty) => assert!(text.is_empty()),
        Err(error) => panic!("{error}"),
    }
}
