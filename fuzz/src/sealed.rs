//! Sealed files: a header of any bytes, an honest file with a few changes, a record of any bytes, an SM2 ciphertext.

use std::ops::ControlFlow;
use std::sync::OnceLock;

use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm2_encrypt;
use miyu::crypto::stream::{CHUNK_BYTES, Place, RECORD_BYTES, StreamKey};
use miyu::identity::system_rng;
use miyu::seal::{self, Header, Recipient, SealError};

use super::bytes::Bytes;

/// Changes that one input makes to an honest file.
const CHANGES_MAX: usize = 8;
const MESSAGE_BYTES: usize = 2 * CHUNK_BYTES + 300;

struct Honest {
    key: SecretKey,
    message: Vec<u8>,
    file: Vec<u8>,
}

/// The first byte says which door the rest goes to.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    match input.byte() % 4 {
        0 => any_file(input.0),
        1 => changed_file(&mut input),
        2 => any_record(&mut input),
        _ => any_ciphertext(input.0),
    }
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let key = SecretKey::from_bytes(&[7; 32]).expect("a key");
        let message: Vec<u8> = (0..MESSAGE_BYTES).map(|at| (at % 251) as u8).collect();
        let mut file = Vec::new();
        let recipients = [Recipient::Key(key.public_key())];
        seal::encrypt(&recipients, &mut &message[..], &mut file, &mut system_rng(), &mut go_on).expect("sealed");
        Honest { key, message, file }
    })
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Opens `file`; what came out, and how it ended.
fn open(mut file: &[u8]) -> (Vec<u8>, Result<u64, SealError>) {
    let mut out = Vec::new();
    let result = Header::read(&mut file).and_then(|header| {
        let opener = header.unlock_with_key(&honest().key)?.ok_or(SealError::NoRecipient)?;
        opener.open(&mut file, &mut out, &mut go_on)
    });
    (out, result)
}

fn any_file(data: &[u8]) {
    let (out, result) = open(data);
    let error = result.expect_err("a file that nobody sealed was opened");
    assert!(out.is_empty() && !error.to_string().is_empty());
}

/// Flips, cuts, moves and repeats: what comes out is the beginning of the message in whole chunks, and all of it only
/// if nothing was changed.
fn changed_file(input: &mut Bytes<'_>) {
    let honest = honest();
    let mut file = honest.file.clone();
    for _ in 0..CHANGES_MAX {
        let what = input.byte();
        let at = (usize::from(input.short()) * 3 + usize::from(input.byte())) % file.len().max(1);
        match what % 5 {
            0 if !file.is_empty() => file[at] ^= input.byte(),
            1 => file.truncate(at),
            2 => {
                let length = usize::from(input.byte());
                file.splice(at..at, input.take(length).iter().copied());
            }
            3 => {
                let record = file[at..].iter().copied().take(RECORD_BYTES).collect::<Vec<_>>();
                file.extend(record);
            }
            _ => drop(file.drain(at..file.len().min(at + usize::from(input.byte())))),
        }
        if input.0.is_empty() {
            break;
        }
    }
    let (out, result) = open(&file);
    assert!(honest.message.starts_with(&out));
    if file == honest.file {
        assert_eq!(result.expect("the honest file"), honest.message.len() as u64);
    } else {
        assert!(result.is_err(), "a changed file was opened");
        assert!(out.len() % CHUNK_BYTES == 0, "a part of a chunk came out");
    }
}

fn any_record(input: &mut Bytes<'_>) {
    let total = (input.byte() % 2 == 1).then(|| u64::from(input.short()) * 1000);
    let key = StreamKey::derive(b"secret", &[5; 32], b"label", b"", total).expect("a total within the bounds");
    let place = Place { index: u64::from(input.short()) << (input.byte() % 48), last: input.byte() % 2 == 1 };
    let mut record = input.0.to_vec();
    assert!(key.open(place, &mut record).is_err(), "a record that nobody sealed was opened");
}

fn any_ciphertext(data: &[u8]) {
    assert!(sm2_encrypt::decrypt(&honest().key, data).is_err(), "a ciphertext that nobody made was opened");
}
