//! The store: what was stored is there, once, whoever crashed in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod amended;
mod folder;
mod history;
mod migrated;
mod outbox;
mod process;
mod reading;
mod receive;
mod sealed;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm3;
use miyu::identity::{Identity, PeerId};
use miyu::store::{
    Body, CHUNK_BYTES, Complete, DISK_RESERVE_BYTES, Direction, Incoming, KEEP_PARTIAL_BYTES, Kind, Known,
    LEASE_MS_MAX, Lease, Message, MessageId, NewOutgoing, PARTIALS_PER_PEER_MAX, Place, Query, ROW_BYTES, Reaction,
    State, Store, StoreError, TEXT_BYTES_MAX, Target, lock_long_lived,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const NOW: i64 = 1_800_000_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// More than is kept in memory, and no multiple of a chunk.
const LARGE: usize = 5 * CHUNK_BYTES as usize + 1234;

fn peer(n: u8) -> PeerId {
    PeerId::of(&SecretKey::from_bytes(&[n; 32]).unwrap().public_key())
}

/// Whose store it is.
fn owner() -> Identity {
    Identity::new(SecretKey::from_bytes(&[99; 32]).unwrap())
}

fn query<'a>(
    peer: Option<&'a PeerId>,
    before: Option<(i64, MessageId)>,
    limit: usize,
    words: Option<&'a str>,
) -> Query<'a> {
    Query { peer, from: before.map_or(Place::Newest, Place::Before), limit, words }
}

/// The body of a stored message.
fn read(store: &Store, message: &Message) -> Vec<u8> {
    store.body(message).unwrap().read_all(u64::MAX).unwrap()
}

/// Where the attachment of a message lies.
fn place(store: &Store, message: &Message) -> PathBuf {
    let folder = message.peer.as_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    store.folder().join("attachments").join(folder).join(format!("{}.{}", message.id, message.direction))
}

fn id(n: u16) -> MessageId {
    let mut random = [0; 10];
    random[8..].copy_from_slice(&n.to_be_bytes());
    MessageId::new(1_800_000_000_000, random)
}

fn lease(owner: u8, until_ms: i64) -> Lease {
    Lease { owner: [owner; 16], until_ms }
}

fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut body = vec![0; count];
    StdRng::seed_from_u64(seed).fill_bytes(&mut body);
    body
}

fn outgoing(n: u16, kind: Kind, body: Body) -> NewOutgoing {
    NewOutgoing { id: id(n), peer: peer(1), kind, text: None, hidden: None, name: None, mime: None, target: None, body }
}

fn text(n: u16) -> NewOutgoing {
    outgoing(n, Kind::Text, Body::Text(format!("text {n}")))
}

fn offer(n: u16, kind: Kind, body: &[u8]) -> Incoming {
    Incoming {
        id: id(n),
        seq: u64::from(n),
        kind,
        sent_at_ms: NOW - 5,
        bytes: body.len() as u64,
        name: Some("../../etc/passwd".into()),
        mime: Some("image/png".into()),
        sm3: sm3::digest(body),
        target: None,
    }
}

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data"), &owner()).unwrap();
    (folder, store)
}

/// Receives a body whole, up to the commit.
fn receive(store: &Store, offer: &Incoming, body: &[u8]) -> Complete {
    let mut receive = store.begin_receive(&peer(1), offer).unwrap();
    for piece in body[receive.resume_offset() as usize..].chunks(10_000) {
        receive.write(piece).unwrap();
    }
    receive.finish().unwrap()
}

fn commit(store: &Store, n: u16, body: &[u8]) -> (Message, bool) {
    let complete = receive(store, &offer(n, Kind::File, body), body);
    store.commit_received(complete, None, None, NOW).unwrap()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_in(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// What a power cut or `kill -9` leaves: the files as they are now, without the last process's goodbye.
fn crash(store: &Store) -> (tempfile::TempDir, Store) {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            match path.is_dir() {
                true => copy(&path, &target),
                false => drop(fs::copy(&path, &target).unwrap()),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(store.folder(), &folder.path().join("data"));
    let store = Store::open(&folder.path().join("data"), &owner()).unwrap();
    (folder, store)
}
