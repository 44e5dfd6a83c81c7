//! The keys of one data folder: the store key in its file, wrapped under the identity, and what is derived from it.
//! The format stands in `docs/storage.md`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rand_core::Rng;
use zeroize::Zeroizing;

use super::files::{self, Folders};
use super::{Direction, MessageId, StoreError};
use crate::crypto::gcm::{NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use crate::crypto::kdf::{hkdf_expand, hkdf_extract};
use crate::crypto::sm4::Sm4;
use crate::crypto::stream::{SALT_BYTES, StreamKey};
use crate::identity::{Identity, PeerId, system_rng};

/// The file of the wrapped store key.
pub(super) const KEY_NAME: &str = "store.key";
/// What that file begins with: its kind and version.
const KEY_MAGIC: &[u8; 16] = b"miyu store key 1";
const STORE_KEY_BYTES: usize = 32;
/// Magic, the owner's [`PeerId`], salt, nonce, the key, tag.
const KEY_FILE_BYTES: usize = 16 + 32 + SALT_BYTES + NONCE_BYTES + STORE_KEY_BYTES + TAG_BYTES;

/// Under this label the private scalar gives the key that wraps the store key.
const WRAP_LABEL: &[u8] = b"miyu/1 store";
const COLUMNS_LABEL: &[u8] = b"miyu/1 store columns";
const TALLY_LABEL: &[u8] = b"miyu/1 store tally";
const OFFER_LABEL: &[u8] = b"miyu/1 store offer";
const ATTACHMENT_LABEL: &[u8] = b"miyu/1 store attachment";

/// A sealed value: the number of its key, nonce, ciphertext, tag.
const GENERATION_BYTES: usize = 4;
/// What a sealed value has beside its content, in bytes.
pub(super) const SEALED_OVERHEAD_BYTES: usize = GENERATION_BYTES + NONCE_BYTES + TAG_BYTES;
/// Values that one key seals at most, with random nonces (NIST SP 800-38D §8.3).
pub(super) const SEALS_PER_KEY_MAX: u64 = 1 << 32;

/// A sealed value that does not open: changed, moved, or of another store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value was changed, moved, or belongs to another store")]
pub(super) struct BadSeal;

/// Seals and opens what one store keeps.
pub(super) struct Vault {
    store_key: Zeroizing<[u8; STORE_KEY_BYTES]>,
    // the key used last, with its number: nearly always the only one
    columns: Mutex<(u32, Arc<Sm4Gcm>)>,
    marker: Sm4,
}

impl Vault {
    /// The keys of the folder, if it has a key file.
    pub(super) fn open(folders: &Folders, identity: &Identity) -> Result<Option<Vault>, StoreError> {
        let path = folders.root.join(KEY_NAME);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(folders.fault("read", &path, error)),
        };
        let store_key = unwrap(&path, &file, identity)?;
        Ok(Some(Self::over(store_key)))
    }

    /// Draws a store key and writes its file. Only where there is none, and while nobody else does the same.
    pub(super) fn create(folders: &Folders, identity: &Identity) -> Result<Vault, StoreError> {
        let path = folders.root.join(KEY_NAME);
        let mut store_key = Zeroizing::new([0; STORE_KEY_BYTES]);
        system_rng().fill_bytes(store_key.as_mut());
        let new = path.with_extension("new");
        let fault = |error| folders.fault("write", &new, error);
        let mut file = files::open_private(&new, true).map_err(fault)?;
        file.write_all(&wrap(&store_key, identity)).and_then(|()| file.sync_all()).map_err(fault)?;
        // what is sealed from here on can be opened after a power cut
        folders.place(&new, &path)?;
        Ok(Self::over(store_key))
    }

    fn over(store_key: Zeroizing<[u8; STORE_KEY_BYTES]>) -> Vault {
        let columns = Mutex::new((0, Arc::new(column_key(&store_key, 0))));
        let marker = Sm4::new(&derive(&store_key, &[TALLY_LABEL]));
        Vault { store_key, columns, marker }
    }

    /// The key of that number.
    fn columns(&self, generation: u32) -> Arc<Sm4Gcm> {
        let mut last = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != generation {
            *last = (generation, Arc::new(column_key(&self.store_key, generation)));
        }
        Arc::clone(&last.1)
    }

    /// Seals a value with the key of that number. `place` says which value it is, and opens it only there.
    pub(super) fn seal(&self, generation: u32, place: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(plain.len() + SEALED_OVERHEAD_BYTES);
        let mut nonce = [0; NONCE_BYTES];
        system_rng().fill_bytes(&mut nonce);
        out.extend_from_slice(&generation.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let tag = self.columns(generation).seal_in_place(&nonce, place, &mut out[GENERATION_BYTES + NONCE_BYTES..]);
        out.extend_from_slice(&tag);
        out
    }

    /// Opens a value.
    pub(super) fn open_value(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadSeal> {
        let (generation, rest) = sealed.split_first_chunk::<GENERATION_BYTES>().ok_or(BadSeal)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(BadSeal)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(BadSeal)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let key = self.columns(u32::from_be_bytes(*generation));
        key.open_in_place(nonce, place, &mut plain, tag).map_err(|_| BadSeal)?;
        Ok(plain)
    }

    /// What a sealed value adds to the tally: a pseudo-random function of its tag. Nobody without the key can tell which
    /// values would make up for one that was taken away.
    pub(super) fn mark(&self, sealed: &[u8]) -> [u8; 16] {
        let mut mark = [0; 16];
        if let Some(tag) = sealed.last_chunk::<TAG_BYTES>() {
            mark = *tag;
        }
        self.marker.encrypt_block(&mut mark);
        mark
    }

    /// What stands beside a partial body, to know its offer again: a pseudo-random function of size and digest.
    pub(super) fn offer_mark(&self, body: &BodyId, bytes: u64, sm3: &[u8; 32]) -> [u8; 32] {
        let mut mark = [0; 32];
        let info: [&[u8]; 5] = [OFFER_LABEL, body.peer.as_bytes(), &body.id.0, &bytes.to_be_bytes(), sm3];
        let _ = hkdf_expand(&self.store_key, &info, &mut mark);
        mark
    }

    /// The key of one attachment: it opens the body of that message alone.
    pub(super) fn attachment(&self, salt: &[u8; SALT_BYTES], body: &BodyId, bytes: u64) -> Result<StreamKey, BadSeal> {
        let BodyId { peer, direction, id } = body;
        let context = [peer.as_bytes().as_slice(), &[direction.code() as u8], &id.0].concat();
        StreamKey::derive(self.store_key.as_slice(), salt, ATTACHMENT_LABEL, &context, Some(bytes)).map_err(|_| BadSeal)
    }
}

/// Whose body an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BodyId {
    pub(super) peer: PeerId,
    pub(super) direction: Direction,
    pub(super) id: MessageId,
}

fn column_key(store_key: &[u8; STORE_KEY_BYTES], generation: u32) -> Sm4Gcm {
    Sm4Gcm::new(&derive(store_key, &[COLUMNS_LABEL, &generation.to_be_bytes()]))
}

/// 16 bytes of HKDF-SM3 (RFC 5869 §2.3). The store key is uniform and needs no extraction.
fn derive(prk: &[u8; STORE_KEY_BYTES], info: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut key = Zeroizing::new([0; 16]);
    // 16 bytes are far below the limit at which this fails
    let _ = hkdf_expand(prk, info, key.as_mut());
    key
}

/// HKDF-SM3(the private scalar, salt, "miyu/1 store"). Wrapping to the public key would let anyone put
/// another history in this one's place.
fn wrapping_key(identity: &Identity, salt: &[u8]) -> Sm4Gcm {
    let scalar = identity.secret().to_bytes();
    let prk = Zeroizing::new(hkdf_extract(salt, scalar.as_slice()));
    Sm4Gcm::new(&derive(&prk, &[WRAP_LABEL]))
}

fn wrap(store_key: &[u8; STORE_KEY_BYTES], identity: &Identity) -> Vec<u8> {
    let mut salt = [0; SALT_BYTES];
    let mut nonce = [0; NONCE_BYTES];
    system_rng().fill_bytes(&mut salt);
    system_rng().fill_bytes(&mut nonce);
    let owner = identity.peer_id();
    let header = [KEY_MAGIC.as_slice(), owner.as_bytes(), &salt].concat();
    let mut wrapped = Zeroizing::new(*store_key);
    let tag = wrapping_key(identity, &salt).seal_in_place(&nonce, &header, wrapped.as_mut());
    [&header, nonce.as_slice(), wrapped.as_slice(), &tag].concat()
}

fn unwrap(path: &Path, file: &[u8], identity: &Identity) -> Result<Zeroizing<[u8; STORE_KEY_BYTES]>, StoreError> {
    let damaged = || StoreError::KeyDamaged { path: PathBuf::from(path) };
    if file.len() != KEY_FILE_BYTES || !file.starts_with(KEY_MAGIC) {
        return Err(damaged());
    }
    let (header, rest) = file.split_at(16 + 32 + SALT_BYTES);
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
    let (wrapped, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(damaged)?;
    let mut store_key = Zeroizing::new([0; STORE_KEY_BYTES]);
    store_key.copy_from_slice(wrapped);
    if header[16..48] != *identity.peer_id().as_bytes() {
        return Err(StoreError::ForeignKey { path: PathBuf::from(path) });
    }
    let opened = wrapping_key(identity, &header[48..]).open_in_place(nonce, header, store_key.as_mut(), tag);
    opened.map_err(|_| damaged())?;
    Ok(store_key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn vault() -> (tempfile::TempDir, Folders, Identity, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::create(folder.path()).unwrap();
        let identity = Identity::generate();
        assert!(Vault::open(&folders, &identity).unwrap().is_none());
        let vault = Vault::create(&folders, &identity).unwrap();
        (folder, folders, identity, vault)
    }

    #[test]
    fn values_open_in_their_place_only_and_after_a_restart() {
        let (_folder, folders, identity, vault) = vault();
        let sealed = vault.seal(3, b"here", b"secret");
        assert_eq!(sealed.len(), 6 + SEALED_OVERHEAD_BYTES);
        assert_ne!(sealed, vault.seal(3, b"here", b"secret"), "nonces are fresh");
        let again = Vault::open(&folders, &identity).unwrap().unwrap();
        assert_eq!(*again.open_value(b"here", &sealed).unwrap(), b"secret");
        assert_eq!(again.mark(&sealed), vault.mark(&sealed));
        assert_eq!(again.open_value(b"there", &sealed), Err(BadSeal));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(again.open_value(b"here", &changed), Err(BadSeal), "byte {index}");
            assert_eq!(again.open_value(b"here", &sealed[..index]), Err(BadSeal), "{index} bytes");
        }
    }

    #[test]
    fn the_key_file_opens_for_its_owner_and_unchanged_only() {
        let (_folder, folders, identity, _vault) = vault();
        let path = folders.root.join(KEY_NAME);
        assert!(matches!(Vault::open(&folders, &Identity::generate()), Err(StoreError::ForeignKey { .. })));
        let good = fs::read(&path).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 0x40;
            fs::write(&path, &bad).unwrap();
            assert!(Vault::open(&folders, &identity).is_err(), "byte {index}");
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(matches!(Vault::open(&folders, &identity), Err(StoreError::KeyDamaged { .. })));
        fs::write(&path, &good).unwrap();
        assert!(Vault::open(&folders, &identity).unwrap().is_some());
    }
}
