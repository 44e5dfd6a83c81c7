//! Sealed streams: each chunk opens in its own place of its own stream, and nowhere else.

use miyu::crypto::gcm::{NONCE_BYTES, Sm4Gcm};
use miyu::crypto::kdf;
use miyu::crypto::stream::{
    BadRecord, CHUNK_BYTES, CHUNKS_MAX, OVERHEAD_BYTES, Place, RECORD_BYTES, StreamKey, TOTAL_BYTES_MAX, chunk_bytes,
    chunks, fresh_nonce, record_offset, sealed_bytes,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::random;

const SALT: [u8; 32] = [5; 32];

fn key(secret: &[u8], label: &[u8], context: &[u8], total: Option<u64>) -> StreamKey {
    StreamKey::derive(secret, &SALT, label, context, total).unwrap()
}

fn record(key: &StreamKey, place: Place, chunk: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut record = vec![0; chunk.len() + OVERHEAD_BYTES];
    record[NONCE_BYTES..][..chunk.len()].copy_from_slice(chunk);
    fresh_nonce(&mut record, rng);
    key.seal(place, &mut record).unwrap();
    record
}

fn place(index: u64, last: bool) -> Place {
    Place { index, last }
}

/// The bytes that the documents promise, put together from the parts.
#[test]
fn a_record_is_what_the_documents_say() {
    let mut rng = StdRng::seed_from_u64(0x5330);
    for (total, last) in [(None, true), (Some(5), true)] {
        let mut sealed = record(&key(b"secret", b"label", b"file 7", total), place(0, last), b"chunk", &mut rng);
        let mut derived = [0; 16];
        kdf::hkdf_expand(&kdf::hkdf_extract(&SALT, b"secret"), &[b"label"], &mut derived).unwrap();
        let mut aad = b"file 7".to_vec();
        aad.extend(0u64.to_be_bytes());
        aad.extend(total.unwrap_or(u64::MAX).to_be_bytes());
        aad.push(1);
        let nonce = sealed[..12].try_into().unwrap();
        let tag = sealed[17..].try_into().unwrap();
        Sm4Gcm::new(&derived).open_in_place(&nonce, &aad, &mut sealed[12..17], &tag).unwrap();
        assert_eq!(&sealed[12..17], b"chunk");
    }
}

#[test]
fn a_chunk_opens_in_its_place_only() {
    let mut rng = StdRng::seed_from_u64(0x5331);
    let chunk = random(&mut rng, CHUNK_BYTES);
    let ours = key(b"secret", b"label", b"file 7", None);
    for at in [place(0, false), place(0, true), place(3, false), place(3, true), place(CHUNKS_MAX - 1, true)] {
        let sealed = record(&ours, at, &chunk, &mut rng);
        let open = |key: &StreamKey, place: Place| {
            let mut copy = sealed.clone();
            let result = key.open(place, &mut copy).map(<[u8]>::to_vec);
            // what does not open is wiped, and no clear text is left
            assert!(result.is_ok() || copy[NONCE_BYTES..][..CHUNK_BYTES].iter().all(|byte| *byte == 0));
            result
        };
        assert_eq!(open(&ours, at).as_deref(), Ok(&chunk[..]));
        let refused = |key: &StreamKey, at: Place| assert_eq!(open(key, at), Err(BadRecord::Tag { index: at.index }));
        refused(&ours, place(at.index, !at.last));
        refused(&ours, place(at.index ^ 1, at.last));
        refused(&key(b"secret", b"label", b"file 8", None), at);
        refused(&key(b"secret", b"label", b"", None), at);
        refused(&key(b"secret", b"labels", b"file 7", None), at);
        refused(&key(b"secreT", b"label", b"file 7", None), at);
        refused(&StreamKey::derive(b"secret", &[6; 32], b"label", b"file 7", None).unwrap(), at);
        if at == place(0, true) {
            refused(&key(b"secret", b"label", b"file 7", Some(CHUNK_BYTES as u64)), at);
        }
    }
}

#[test]
fn the_size_is_part_of_every_chunk_where_it_is_known() {
    let mut rng = StdRng::seed_from_u64(0x5332);
    let total = 2 * CHUNK_BYTES as u64 + 9;
    let ours = key(b"secret", b"label", b"", Some(total));
    let chunk = random(&mut rng, CHUNK_BYTES);
    let mut first = record(&ours, place(0, false), &chunk, &mut rng);
    let other = key(b"secret", b"label", b"", Some(total + 1));
    assert_eq!(other.open(place(0, false), &mut first.clone()), Err(BadRecord::Tag { index: 0 }));
    assert_eq!(ours.open(place(0, false), &mut first), Ok(&chunk[..]));
    // where the message ends is known: no chunk claims another end, and none has another length
    let mut room = vec![0; RECORD_BYTES];
    for wrong in [place(0, true), place(1, true), place(2, false), place(3, true), place(u64::MAX, true)] {
        assert_eq!(ours.seal(wrong, &mut room), Err(BadRecord::Place { index: wrong.index }));
    }
    for wrong in [8, 10, CHUNK_BYTES] {
        let got = wrong + OVERHEAD_BYTES;
        assert_eq!(ours.seal(place(2, true), &mut room[..got]), Err(BadRecord::Length { got, index: 2 }));
    }
    ours.seal(place(2, true), &mut room[..9 + OVERHEAD_BYTES]).unwrap();
    assert!(StreamKey::derive(b"s", &SALT, b"l", b"", Some(TOTAL_BYTES_MAX)).is_ok());
    assert!(StreamKey::derive(b"s", &SALT, b"l", b"", Some(TOTAL_BYTES_MAX + 1)).is_err());
}

#[test]
fn records_have_one_length_but_the_last() {
    let ours = key(b"secret", b"label", b"", None);
    let mut room = vec![0; RECORD_BYTES + 1];
    let mut check = |at: Place, got: usize, good: bool| {
        let result = ours.seal(at, &mut room[..got]);
        let expected = if good { Ok(()) } else { Err(BadRecord::Length { got, index: at.index }) };
        assert_eq!(result, expected, "{at:?} {got}");
    };
    for short in [0, 1, 11, 27] {
        check(place(0, true), short, false);
    }
    check(place(0, true), OVERHEAD_BYTES, true);
    check(place(1, true), OVERHEAD_BYTES, false);
    check(place(1, true), OVERHEAD_BYTES + 1, true);
    check(place(0, false), RECORD_BYTES - 1, false);
    check(place(0, false), RECORD_BYTES, true);
    check(place(7, true), RECORD_BYTES, true);
    check(place(7, true), RECORD_BYTES + 1, false);
    let beyond = ours.seal(place(CHUNKS_MAX, true), &mut room[..RECORD_BYTES]);
    assert_eq!(beyond, Err(BadRecord::Place { index: CHUNKS_MAX }));
    let mut short = [1u8; 11];
    fresh_nonce(&mut short, &mut StdRng::seed_from_u64(1));
    assert_eq!(short, [1; 11]);
}

#[test]
fn every_message_has_a_layout() {
    let c = CHUNK_BYTES as u64;
    for (total, count, last) in [(0, 1, 0), (1, 1, 1), (c - 1, 1, CHUNK_BYTES - 1), (c, 1, CHUNK_BYTES), (c + 1, 2, 1)]
    {
        assert_eq!((chunks(total), chunk_bytes(total, count - 1)), (count, last), "{total}");
        assert_eq!(chunk_bytes(total, count), 0);
        assert_eq!(sealed_bytes(total), record_offset(count - 1) + (last + OVERHEAD_BYTES) as u64);
    }
    assert_eq!(chunk_bytes(5 * c, 1), CHUNK_BYTES);
    assert_eq!(chunks(TOTAL_BYTES_MAX), CHUNKS_MAX);
    assert_eq!(sealed_bytes(u64::MAX), u64::MAX);
}

/// What the store does: chunks of a body of known size are written, one of them again after a crash, and read at any
/// place.
#[test]
fn a_body_is_resumed_and_read_anywhere() {
    let mut rng = StdRng::seed_from_u64(0x5333);
    let body = random(&mut rng, 3 * CHUNK_BYTES + 100);
    let total = body.len() as u64;
    let ours = key(b"store key", b"miyu/1 attachment", b"id", Some(total));
    let mut file = vec![0u8; usize::try_from(sealed_bytes(total)).unwrap()];
    let range = |index: u64| {
        let start = usize::try_from(record_offset(index)).unwrap();
        start..start + chunk_bytes(total, index) + OVERHEAD_BYTES
    };
    let clear = |index: u64| &body[usize::try_from(index).unwrap() * CHUNK_BYTES..][..chunk_bytes(total, index)];
    for index in [0, 1, 2, 1, 3] {
        let again = record(&ours, place(index, index + 1 == chunks(total)), clear(index), &mut rng);
        assert_ne!(file[range(index)], again[..]);
        file[range(index)].copy_from_slice(&again);
    }
    for index in [3, 0, 2, 1] {
        let mut sealed = file[range(index)].to_vec();
        assert_eq!(ours.open(place(index, index == 3), &mut sealed), Ok(clear(index)), "chunk {index}");
    }
}
