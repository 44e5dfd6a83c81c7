//! A store of the first schema, in the clear, becomes one of today.

use rusqlite::{Connection, params};

use super::*;

/// What version 1 made.
const SCHEMA_1: &str = "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x6d697975; PRAGMA user_version = 1;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    row            INTEGER PRIMARY KEY AUTOINCREMENT,
    peer           BLOB NOT NULL CHECK (length(peer) = 32),
    direction      INTEGER NOT NULL,
    id             BLOB NOT NULL CHECK (length(id) = 16),
    seq            INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    sent_at_ms     INTEGER NOT NULL,
    stored_at_ms   INTEGER NOT NULL,
    order_ms       INTEGER NOT NULL,
    state_at_ms    INTEGER NOT NULL,
    bytes          INTEGER NOT NULL CHECK (bytes >= 0),
    attached       INTEGER NOT NULL,
    lease_owner    BLOB,
    lease_until_ms INTEGER,
    sm3            BLOB NOT NULL,
    text           TEXT,
    hidden         TEXT,
    name           TEXT,
    mime           TEXT,
    reason         TEXT,
    UNIQUE (peer, direction, id)
) STRICT;
CREATE INDEX messages_by_order ON messages (order_ms, seq, row);
CREATE INDEX messages_by_peer ON messages (peer, order_ms, seq, row);
CREATE INDEX messages_by_seq ON messages (peer, direction, seq);
CREATE INDEX messages_outbox ON messages (peer, seq) WHERE direction = 1 AND state IN (0, 1);

CREATE TABLE tombstones (
    peer          BLOB NOT NULL,
    direction     INTEGER NOT NULL,
    id            BLOB NOT NULL,
    deleted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (peer, direction, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    peer     BLOB PRIMARY KEY,
    last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO usage VALUES (1, 0);
CREATE TRIGGER usage_grows AFTER INSERT ON messages
    BEGIN UPDATE usage SET bytes = bytes + new.bytes; END;
CREATE TRIGGER usage_shrinks AFTER DELETE ON messages
    BEGIN UPDATE usage SET bytes = bytes - old.bytes; END;
";

const SECRET: &str = "written-in-the-clear";

/// A folder as version 1 left it: rows, attachments and a partial body, all in the clear.
fn version_1(root: &Path, body: &[u8]) {
    let peer_folder = |top: &str| {
        let hex = peer(1).as_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let folder = root.join(top).join(hex);
        fs::create_dir_all(&folder).unwrap();
        folder
    };
    fs::write(peer_folder("attachments").join(format!("{}.in", id(2))), body).unwrap();
    fs::write(peer_folder("attachments").join(format!("{}.out", id(3))), b"").unwrap();
    fs::write(peer_folder("incoming").join(format!("{}.part", id(9))), SECRET).unwrap();
    fs::write(peer_folder("incoming").join(format!("{}.offer", id(9))), b"miyu offer 1\n").unwrap();
    let database = Connection::open(root.join("miyu.db")).unwrap();
    database.execute_batch(SCHEMA_1).unwrap();
    // row, direction, id, seq, kind, state, body, attached, text, reason
    let rows = [
        (1, 0, 1_u16, 1, 0, 4, SECRET.as_bytes(), false, Some(SECRET), None::<&str>),
        (4, 0, 2, 2, 3, 4, body, true, Some("a caption"), None),
        (5, 1, 3, 1, 3, 0, b"", true, None, None),
        (7, 1, 4, 2, 0, 3, b"refused", false, Some("refused"), Some(SECRET)),
    ];
    for (row, direction, n, seq, kind, state, body, attached, text, reason) in rows {
        database
            .execute(
                "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8 + ?1, ?8, ?9, ?10, NULL, NULL, \
                 ?11, ?12, NULL, ?13, NULL, ?14)",
                params![
                    row,
                    peer(1).as_bytes(),
                    direction,
                    id(n).0,
                    seq,
                    kind,
                    state,
                    NOW,
                    body.len() as i64,
                    attached,
                    sm3::digest(body),
                    text,
                    attached.then_some(SECRET),
                    reason,
                ],
            )
            .unwrap();
    }
    database.execute("INSERT INTO counters VALUES (?1, 2)", [peer(1).as_bytes()]).unwrap();
    database.execute("INSERT INTO tombstones VALUES (?1, 0, ?2, 5)", params![peer(1).as_bytes(), id(8).0]).unwrap();
    database.execute("INSERT INTO meta VALUES ('kept', x'0102')", []).unwrap();
}

fn check(root: &Path, body: &[u8]) {
    let store = Store::open(root, &owner()).unwrap();
    let page = store.page(&query(None, None, 99, None)).unwrap();
    let summary: Vec<_> = page.iter().map(|message| (message.id, message.state, message.text.as_deref())).collect();
    assert_eq!(
        summary,
        [
            (id(1), State::Received, Some(SECRET)),
            (id(2), State::Received, Some("a caption")),
            (id(3), State::Queued, None),
            (id(4), State::Failed, Some("refused")),
        ]
    );
    assert_eq!(page[3].reason.as_deref(), Some(SECRET));
    assert_eq!((read(&store, &page[1]), read(&store, &page[2])), (body.to_vec(), Vec::new()));
    assert_eq!(page[1].name.as_deref(), Some(SECRET));
    let stored = page.iter().map(|message| message.bytes + ROW_BYTES).sum::<u64>();
    assert_eq!(store.stored_bytes().unwrap(), stored);
    assert_eq!(store.tombstone(&peer(1), Direction::In, &id(8)).unwrap(), Some(5));
    assert_eq!(store.get_meta("kept").unwrap(), Some(vec![1, 2]));
    assert!(store.check(true, || true).unwrap().is_sound());
    assert_eq!(store.enqueue(text(50), NOW, None).unwrap().seq, 3);
    assert!(store.delete_message(&peer(1), Direction::Out, &id(50), NOW).unwrap());
    for path in files_in(root) {
        let bytes = fs::read(&path).unwrap();
        let lies = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!lies(SECRET.as_bytes()) && !lies(&body[..40]), "{path:?} has something in the clear");
    }
}

#[test]
fn a_store_of_version_1_is_sealed_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let body = bytes(3, LARGE);
    version_1(folder.path(), &body);
    check(folder.path(), &body);
    check_again(folder.path());
}

fn check_again(root: &Path) {
    assert_eq!(Store::open(root, &owner()).unwrap().page(&query(None, None, 99, None)).unwrap().len(), 4);
}

#[test]
fn a_migration_that_was_cut_short_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let body = bytes(3, LARGE);
    version_1(folder.path(), &body);
    let old = fs::read(folder.path().join("miyu.db")).unwrap();
    drop(Store::open(folder.path(), &owner()).unwrap());
    // as after a power cut before the commit: the attachments are sealed, the rows are not
    for name in ["miyu.db-wal", "miyu.db-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    fs::write(folder.path().join("miyu.db"), old).unwrap();
    check(folder.path(), &body);
}
