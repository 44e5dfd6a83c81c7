//! Texts that are not sent yet, one a peer: sealed as messages are, and under no message's name.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, TEXT_BYTES_MAX, check_length, db};
use crate::identity::PeerId;

/// What the key of a draft begins with, in the table of small facts.
const KEY: &str = "draft ";
/// A draft opens under this label and the peer alone.
const PLACE: &[u8] = b"miyu/1 draft";

fn key(peer: &PeerId) -> String {
    let hex = peer.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{KEY}{hex}")
}

fn place(peer: &PeerId) -> Vec<u8> {
    [PLACE, peer.as_bytes()].concat()
}

impl Store {
    /// Keeps what is being written to `peer`, instead of what was kept before; an empty text takes it away.
    ///
    /// # Errors
    /// A text over [`TEXT_BYTES_MAX`], or a fault of the database.
    pub fn keep_draft(&self, peer: &PeerId, text: &str) -> Result<(), StoreError> {
        check_length("draft", text.len(), TEXT_BYTES_MAX)?;
        self.write(|tx| {
            if text.is_empty() {
                tx.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key(peer)])?;
                return Ok(());
            }
            let sealed = tx.seal(&place(peer), text.as_bytes())?;
            tx.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![key(peer), sealed])?;
            Ok(())
        })
    }

    /// What was being written to `peer`.
    ///
    /// # Errors
    /// A draft that was changed on the disk, or a fault of the database.
    pub fn draft(&self, peer: &PeerId) -> Result<Option<String>, StoreError> {
        let sealed = self.read(|connection| {
            let found = connection
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
                .query_row([key(peer)], |row| row.get::<_, Vec<u8>>(0))
                .optional()?;
            Ok(found)
        })?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = self.vault().open_value(&place(peer), &sealed).map_err(|_| db::damaged("a draft was changed"))?;
        Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn a_draft_is_kept_sealed_replaced_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Identity::generate();
        let [bob, carol] = [(); 2].map(|()| PeerId::of(Identity::generate().public()));
        let store = Store::open(folder.path(), &owner).unwrap();
        assert_eq!(store.draft(&bob).unwrap(), None);
        store.keep_draft(&bob, "first").unwrap();
        store.keep_draft(&bob, "还没写完的秘密").unwrap();
        drop(store);
        let store = Store::open(folder.path(), &owner).unwrap();
        assert_eq!(store.draft(&bob).unwrap().as_deref(), Some("还没写完的秘密"));
        assert_eq!(store.draft(&carol).unwrap(), None);
        // nobody reads it beside the key
        let secret = "还没写完的秘密".as_bytes();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let Ok(file) = std::fs::read(entry.unwrap().path()) else { continue };
            assert!(!file.windows(secret.len()).any(|part| part == secret));
        }
        // nor is it anybody else's
        let sealed = store.get_meta(&key(&bob)).unwrap().unwrap();
        store.set_meta(&key(&carol), &sealed).unwrap();
        assert!(store.draft(&carol).is_err());
        store.keep_draft(&bob, "").unwrap();
        assert_eq!(store.draft(&bob).unwrap(), None);
        assert!(store.keep_draft(&bob, &"a".repeat(65_537)).is_err());
    }
}
