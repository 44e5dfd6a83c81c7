//! Files on their own: sealed files that open whole or not at all, and signatures.

use std::io::{self, Read, Write};
use std::num::NonZeroU32;
use std::ops::ControlFlow;

use miyu::crypto::sm2::{DEFAULT_ID, ID_BYTES_MAX, PublicKey, SecretKey};
use miyu::crypto::sm3;
use miyu::crypto::sm4::Keystream;
use miyu::crypto::stream::{CHUNK_BYTES, OVERHEAD_BYTES, RECORD_BYTES};
use miyu::seal::{self, Header, Opener, Recipient, SealError};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::sample::Index;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use zeroize::Zeroizing;

use crate::crypto::{Case, cases, hex, hex_array, random};

/// Records that are read and written at a time: sizes about it are edges.
const BATCH: usize = 16;

/// Randomness that others can make again: SM4-CTR of a seed.
struct Fixed(Keystream);

impl rand_core::TryRng for Fixed {
    type Error = io::Error;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!()
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!()
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Fixed {}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

fn to(key: &SecretKey) -> Recipient {
    Recipient::Key(key.public_key())
}

fn under(passphrase: &str, iterations: u32) -> Recipient {
    let passphrase = Zeroizing::new(passphrase.as_bytes().to_vec());
    Recipient::Passphrase { passphrase, iterations: NonZeroU32::new(iterations).unwrap() }
}

fn encrypt(recipients: &[Recipient], message: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut out = Vec::new();
    let sizes = seal::encrypt(recipients, &mut &message[..], &mut out, rng, &mut go_on).unwrap();
    assert_eq!(sizes, (message.len() as u64, out.len() as u64));
    out
}

fn unlock<'a>(key: &SecretKey, mut sealed: &'a [u8]) -> Result<(Opener, &'a [u8]), SealError> {
    let header = Header::read(&mut sealed)?;
    Ok((header.unlock_with_key(key)?.ok_or(SealError::NoRecipient)?, sealed))
}

/// What is written before the end or an error, and which it was.
fn decrypt(key: &SecretKey, sealed: &[u8]) -> (Vec<u8>, Result<u64, SealError>) {
    let mut out = Vec::new();
    let result = unlock(key, sealed).and_then(|(opener, mut rest)| opener.open(&mut rest, &mut out, &mut go_on));
    (out, result)
}

/// Gives a few bytes at a time, as a pipe may, and says now and then that it was interrupted.
struct Drops<'a>(&'a [u8], StdRng);

impl Read for Drops<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.1.random_range(0..20) == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let some = self.1.random_range(1..40_000).min(buf.len());
        self.0.read(&mut buf[..some])
    }
}

#[test]
fn files_of_every_size_come_back() {
    let mut rng = StdRng::seed_from_u64(0x5ea1);
    let (alice, bob) = (secret(3), secret(4));
    let c = CHUNK_BYTES;
    let sizes = [0, 1, c - 1, c, c + 1, 2 * c, BATCH * c - 1, BATCH * c, BATCH * c + 1, (BATCH + 1) * c, 33 * c + 5];
    for size in sizes {
        let message = random(&mut rng, size);
        let sealed = encrypt(&[to(&alice), to(&bob)], &message, &mut rng);
        for key in [&alice, &bob] {
            let (out, result) = decrypt(key, &sealed);
            assert_eq!(result.unwrap(), size as u64);
            assert!(out == message, "{size} bytes");
        }
        // however the input is cut by whoever delivers it
        let mut again = Vec::new();
        let mut drops = Drops(&message, StdRng::seed_from_u64(size as u64));
        seal::encrypt(&[to(&bob)], &mut drops, &mut again, &mut rng, &mut go_on).unwrap();
        let mut drops = Drops(&again, StdRng::seed_from_u64(!size as u64));
        let opener = Header::read(&mut drops).unwrap().unlock_with_key(&bob).unwrap().unwrap();
        let mut out = Vec::new();
        opener.open(&mut drops, &mut out, &mut go_on).unwrap();
        assert!(out == message, "{size} bytes in drops");
    }
}

#[test]
fn keys_and_a_passphrase_open_one_file_each_alone() {
    let mut rng = StdRng::seed_from_u64(0x5ea2);
    let keys: Vec<_> = (0..5).map(|_| SecretKey::generate(&mut rng)).collect();
    let mut recipients: Vec<_> = keys.iter().map(to).collect();
    recipients.insert(2, under("three word phrase", 10));
    let sealed = encrypt(&recipients, b"for all of you", &mut rng);
    for key in &keys {
        assert_eq!(decrypt(key, &sealed).0, b"for all of you");
    }
    let mut rest = &sealed[..];
    let header = Header::read(&mut rest).unwrap();
    assert_eq!((header.keys(), header.has_passphrase()), (5, true));
    assert!(header.unlock_with_key(&SecretKey::generate(&mut rng)).unwrap().is_none());
    assert!(header.unlock_with_passphrase(b"three word phrases").unwrap().is_none());
    let mut out = Vec::new();
    let opener = header.unlock_with_passphrase(b"three word phrase").unwrap().unwrap();
    opener.open(&mut rest, &mut out, &mut go_on).unwrap();
    assert_eq!(out, b"for all of you");
    // no name and no key of a recipient is in the file
    for key in &keys {
        let point = key.public_key().to_uncompressed();
        assert!(!sealed.windows(32).any(|window| window == &point[1..33]));
    }
}

#[test]
fn recipients_are_counted() {
    let mut rng = StdRng::seed_from_u64(0x5ea3);
    let mut out = Vec::new();
    let mut refused = |recipients: &[Recipient]| {
        seal::encrypt(recipients, &mut io::empty(), &mut out, &mut rng, &mut go_on).unwrap_err()
    };
    assert!(matches!(refused(&[]), SealError::NoRecipient));
    assert!(matches!(refused(&[under("a", 1), under("b", 1)]), SealError::TwoPassphrases));
    let many = vec![to(&secret(3)); seal::RECIPIENTS_MAX + 1];
    assert!(matches!(refused(&many), SealError::TooManyRecipients { got: 1025 }));
    assert!(out.is_empty());
    let most = encrypt(&many[1..], b"x", &mut StdRng::seed_from_u64(1));
    assert!(most.len() < seal::HEADER_BYTES_MAX);
    assert_eq!(decrypt(&secret(3), &most).0, b"x");
}

/// Three chunks and a bit, the header before them, and the key that opens them.
fn sample() -> (SecretKey, Vec<u8>, Vec<u8>, usize) {
    let mut rng = StdRng::seed_from_u64(0x5ea4);
    let key = secret(7);
    let message = random(&mut rng, 3 * CHUNK_BYTES + 1000);
    let sealed = encrypt(&[to(&secret(8)), to(&key), under("p", 2)], &message, &mut rng);
    let header = sealed.len() - 3 * RECORD_BYTES - 1000 - OVERHEAD_BYTES;
    (key, message, sealed, header)
}

/// Whatever came out is a beginning of the message that ends where a chunk does, and an error was told.
fn check_refused(key: &SecretKey, message: &[u8], sealed: &[u8], what: &str) -> SealError {
    let (out, result) = decrypt(key, sealed);
    assert!(out.len() < message.len() || out == message, "{what}");
    assert!(message.starts_with(&out), "{what}: bytes that are not of the message came out");
    assert!(out.len().is_multiple_of(CHUNK_BYTES), "{what}: a part of a chunk came out");
    result.expect_err(what)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_bit_opens(at in any::<Index>(), bit in 0..8u32, in_header in any::<bool>()) {
        let (key, message, mut sealed, header) = sample();
        let at = at.index(if in_header { header } else { sealed.len() });
        sealed[at] ^= 1 << bit;
        check_refused(&key, &message, &sealed, &format!("bit {bit} of byte {at}"));
    }

    #[test]
    fn no_beginning_opens(length in any::<Index>()) {
        let (key, message, sealed, _) = sample();
        let length = length.index(sealed.len());
        check_refused(&key, &message, &sealed[..length], &format!("cut to {length}"));
    }

    #[test]
    fn no_other_order_of_chunks_opens(order in proptest::collection::vec(0..4usize, 0..7)) {
        let (key, message, sealed, header) = sample();
        let (head, stream) = sealed.split_at(header);
        let records: Vec<_> = stream.chunks(RECORD_BYTES).collect();
        let mut other = head.to_vec();
        order.iter().for_each(|number| other.extend_from_slice(records[*number]));
        if order == [0, 1, 2, 3] {
            assert_eq!(decrypt(&key, &other).0, message);
        } else {
            check_refused(&key, &message, &other, &format!("{order:?}"));
        }
    }

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..3000), start in 0..20usize) {
        let (key, _, sealed, header) = sample();
        let _ = decrypt(&key, &bytes);
        let start = if start < 17 { start } else { header };
        assert!(decrypt(&key, &[&sealed[..start], &bytes].concat()).1.is_err());
    }
}

#[test]
fn a_file_that_is_cut_off_between_two_chunks_is_told_so() {
    let (key, message, sealed, header) = sample();
    for chunks in 1..=3 {
        let cut = &sealed[..header + chunks * RECORD_BYTES];
        let error = check_refused(&key, &message, cut, "between chunks");
        assert!(matches!(error, SealError::Truncated { index } if index == chunks as u64 - 1), "{error}");
    }
    for length in [0, 5, 13, 14, 40, header - 1, header] {
        let error = check_refused(&key, &message, &sealed[..length], "within the header");
        let cut = matches!(error, SealError::NoChunk);
        assert!(cut || matches!(error, SealError::NotSealed { .. }) && length < 12, "{length}: {error}");
    }
    for more in [1, 27, 28, 100, RECORD_BYTES] {
        let longer = [&sealed[..], &vec![0; more]].concat();
        check_refused(&key, &message, &longer, "something after the last chunk");
    }
}

#[test]
fn chunks_of_another_file_do_not_open() {
    let mut rng = StdRng::seed_from_u64(0x5ea5);
    let (key, message, sealed, header) = sample();
    let twin = encrypt(&[to(&secret(8)), to(&key), under("p", 2)], &message, &mut rng);
    assert_eq!(twin[..16], sealed[..16]);
    let tail = sealed.len() - header;
    let mut spliced = sealed.clone();
    spliced[header + RECORD_BYTES..][..RECORD_BYTES]
        .copy_from_slice(&twin[twin.len() - tail + RECORD_BYTES..][..RECORD_BYTES]);
    check_refused(&key, &message, &spliced, "one chunk of a twin");
    let all = [&sealed[..header], &twin[twin.len() - tail..]].concat();
    check_refused(&key, &message, &all, "all chunks of a twin");
}

/// A header as its writer made it, but for one part; the MAC, which nobody could make, is left.
#[test]
fn headers_are_read_strictly() {
    let (key, message, sealed, header) = sample();
    let spoil = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut other = sealed.clone();
        change(&mut other);
        check_refused(&key, &message, &other, what)
    };
    let lengths = |error: SealError| matches!(error, SealError::BadHeader { .. });
    assert!(lengths(spoil("no stanza", &|bytes| bytes[14..16].fill(0))));
    assert!(lengths(spoil("too many stanzas", &|bytes| bytes[14..16].copy_from_slice(&1025u16.to_be_bytes()))));
    assert!(lengths(spoil("a long stanza", &|bytes| bytes[17..19].copy_from_slice(&1025u16.to_be_bytes()))));
    assert!(matches!(spoil("a later version", &|bytes| bytes[12] = b'2'), SealError::OtherVersion));
    assert!(matches!(spoil("crlf", &|bytes| bytes[13] = b'\r'), SealError::OtherVersion));
    let der = |byte| SealError::NotSealed { looks_like_der: byte == 0x30 }.to_string();
    for byte in [0, 0x30] {
        assert_eq!(spoil("another file", &|bytes| bytes[0] = byte).to_string(), der(byte));
    }
    // a stanza that is left out, and one of a kind that is not known
    let first = 3 + usize::from(u16::from_be_bytes([sealed[17], sealed[18]]));
    let fewer = |bytes: &mut Vec<u8>| {
        bytes.drain(16..16 + first);
        bytes[15] = 2;
    };
    assert!(matches!(spoil("a recipient less", &fewer), SealError::HeaderChanged));
    assert!(matches!(spoil("an unknown stanza", &|bytes| bytes[16] = 9), SealError::HeaderChanged));
    assert!(matches!(spoil("another salt", &|bytes| bytes[header - 64] ^= 1), SealError::HeaderChanged));
    assert!(matches!(spoil("another mac", &|bytes| bytes[header - 1] ^= 1), SealError::HeaderChanged));
    let passphrase = header - 64 - 68;
    assert!(lengths(spoil("no rounds", &|bytes| bytes[passphrase + 16..][..4].fill(0))));
    assert!(lengths(spoil("a short passphrase stanza", &|bytes| {
        bytes.remove(passphrase);
        bytes[passphrase - 1] -= 1;
    })));
    let twice = |bytes: &mut Vec<u8>| {
        let stanza = bytes[passphrase - 3..passphrase + 68].to_vec();
        bytes.splice(passphrase..passphrase, stanza[3..].iter().copied().chain(stanza[..3].iter().copied()));
        bytes[15] = 4;
    };
    assert!(lengths(spoil("two passphrases", &twice)));
}

#[test]
fn rounds_without_end_are_refused() {
    let mut rng = StdRng::seed_from_u64(0x5ea6);
    let mut sealed = encrypt(&[under("p", 3)], b"x", &mut rng);
    let iterations = 16 + 3 + 16;
    assert_eq!(sealed[iterations..][..4], [0, 0, 0, 3]);
    sealed[iterations..][..4].copy_from_slice(&10_000_001u32.to_be_bytes());
    let refused = Header::read(&mut &sealed[..]).unwrap().unlock_with_passphrase(b"p");
    assert!(matches!(refused, Err(SealError::TooManyIterations { iterations: 10_000_001 })));
}

/// A recipient can open a file and make another header for it; the chunks must not follow.
#[test]
fn a_stanza_of_one_file_in_another_does_not_open_it() {
    let mut rng = StdRng::seed_from_u64(0x5ea7);
    let key = secret(7);
    let [one, two] = [b"first", b"other"].map(|message| encrypt(&[to(&key)], message, &mut rng));
    // signs of the integers make DER lengths differ; only a stanza of equal length can be put in place
    let stanza = |file: &[u8]| 19 + usize::from(u16::from_be_bytes([file[17], file[18]]));
    let mixed = [&one[..14], &two[14..stanza(&two)], &one[stanza(&one)..]].concat();
    assert!(matches!(decrypt(&key, &mixed).1, Err(SealError::HeaderChanged)));
}

#[test]
fn faults_of_input_and_output_are_told_apart_and_work_can_be_stopped() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut rng = StdRng::seed_from_u64(0x5ea8);
    let recipients = [to(&secret(7))];
    let mut out = Vec::new();
    let error = seal::encrypt(&recipients, &mut Broken, &mut out, &mut rng, &mut go_on).unwrap_err();
    assert!(matches!(error, SealError::Read(_)));
    let error = seal::encrypt(&recipients, &mut &b"x"[..], &mut Broken, &mut rng, &mut go_on).unwrap_err();
    assert!(matches!(error, SealError::Write(_)));
    let mut seen = 0;
    let mut stop = |bytes| {
        seen += bytes;
        if seen > 2_000_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut endless = io::repeat(7);
    let error = seal::encrypt(&recipients, &mut endless, &mut out, &mut rng, &mut stop).unwrap_err();
    assert!(matches!(error, SealError::Interrupted));
    let error = seal::sign(&secret(7), DEFAULT_ID, &mut endless, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error, SealError::Interrupted));
}

#[test]
fn signatures_are_those_of_the_whole_message() {
    let mut rng = StdRng::seed_from_u64(0x5ea9);
    let key = secret(7);
    for size in [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 600_000] {
        let message = random(&mut rng, size);
        let mut drops = Drops(&message, StdRng::seed_from_u64(size as u64));
        let signature = seal::sign(&key, DEFAULT_ID, &mut drops, &mut go_on).unwrap();
        assert_eq!(signature, key.sign(DEFAULT_ID, &message), "{size} bytes");
        let check = |public: &PublicKey, id: &[u8], signature: &[u8], message: &[u8]| {
            seal::verify(public, id, signature, &mut &message[..], &mut go_on)
        };
        check(&key.public_key(), DEFAULT_ID, &signature, &message).unwrap();
        let refused = |result| assert!(matches!(result, Err(SealError::BadSignature)));
        refused(check(&secret(8).public_key(), DEFAULT_ID, &signature, &message));
        refused(check(&key.public_key(), b"alice", &signature, &message));
        refused(check(&key.public_key(), DEFAULT_ID, &signature[1..], &message));
        refused(check(&key.public_key(), DEFAULT_ID, &signature, &[&message[..], b"!"].concat()));
    }
    let long = vec![b'a'; ID_BYTES_MAX + 1];
    let refused = seal::sign(&key, &long, &mut io::empty(), &mut go_on);
    assert!(matches!(refused, Err(SealError::IdTooLong { got: 8192 })));
}

fn fixed(seed: &str) -> Keystream {
    Keystream::new(&hex_array(seed))
}

fn message(case: &Case) -> Vec<u8> {
    match case.get("message") {
        Some(message) => hex(message),
        None => {
            let mut message = vec![0; case["message_bytes"].parse().unwrap()];
            fixed(case["message_seed"]).fill(&mut message);
            message
        }
    }
}

#[test]
fn the_format_is_that_of_the_vectors() {
    for case in cases(include_str!("../vectors/sealed_file.txt")) {
        let keys: Vec<SecretKey> =
            case["secrets"].split_whitespace().map(|key| SecretKey::from_bytes(&hex_array(key)).unwrap()).collect();
        let mut recipients: Vec<_> = keys.iter().map(to).collect();
        if let Some(passphrase) = case.get("passphrase") {
            recipients.push(under(passphrase, case["iterations"].parse().unwrap()));
        }
        let message = message(&case);
        let mut sealed = Vec::new();
        let mut rng = rand_core::UnwrapErr(Fixed(fixed(case["random_seed"])));
        seal::encrypt(&recipients, &mut &message[..], &mut sealed, &mut rng, &mut go_on).unwrap();
        assert_eq!(sm3::digest(&sealed).to_vec(), hex(case["sealed_sm3"]), "{}", case["name"]);
        if let Some(whole) = case.get("sealed") {
            assert_eq!(sealed, hex(whole), "{}", case["name"]);
        }
        for key in &keys {
            assert!(decrypt(key, &sealed).0 == message, "{}", case["name"]);
        }
        if let Some(passphrase) = case.get("passphrase") {
            let mut rest = &sealed[..];
            let header = Header::read(&mut rest).unwrap();
            let opener = header.unlock_with_passphrase(passphrase.as_bytes()).unwrap().unwrap();
            let mut out = Vec::new();
            opener.open(&mut rest, &mut out, &mut go_on).unwrap();
            assert!(out == message, "{}", case["name"]);
        }
    }
}
