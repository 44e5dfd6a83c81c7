//! Who a peer is: an SM2 key pair, the names that are derived from its public half, and the key files.
//!
//! A public key has four faces: the `sm2:` line that goes into a table, the [`PeerId`] that programs
//! compare, the [`fingerprint`] that people compare, and the [`safety_number`] of two keys that people read to
//! each other. All are derived from the 91-byte SubjectPublicKeyInfo, the bytes that TLS pins.

pub mod file;
pub mod pem;

mod error;
mod names;
mod pbes2;
mod pkcs8;

use std::sync::Arc;

use rand_core::{CryptoRng, UnwrapErr};

use crate::crypto::sm2::{PublicKey, SecretKey};

pub use error::KeyFileError;
pub use names::{
    KEY_LINE_PREFIX, KeyLineError, PeerId, SAFETY_NUMBER_ROUNDS, fingerprint, key_line, parse_key_line, safety_number,
};

/// The operating system's random source. Everything outside `crypto` that needs randomness takes this, or is
/// given a seeded one by a test.
///
/// # Panics
/// Drawing from it panics if the operating system refuses to give random bytes: there is nothing safe to do then.
pub fn system_rng() -> impl CryptoRng {
    UnwrapErr(getrandom::SysRng)
}

/// A key pair of ours with its [`PeerId`]. Clones share one secret.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    secret: SecretKey,
    public: PublicKey,
    peer_id: PeerId,
}

impl Identity {
    /// The identity that owns `secret`.
    pub fn new(secret: SecretKey) -> Self {
        let public = secret.public_key();
        let peer_id = PeerId::of(&public);
        Self { inner: Arc::new(Inner { secret, public, peer_id }) }
    }

    /// A new identity from the system's random source.
    pub fn generate() -> Self {
        Self::new(SecretKey::generate(&mut system_rng()))
    }

    /// The secret key.
    pub fn secret(&self) -> &SecretKey {
        &self.inner.secret
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.inner.public
    }

    /// The digest of the public key by which others name us.
    pub fn peer_id(&self) -> PeerId {
        self.inner.peer_id
    }
}

impl std::fmt::Debug for Identity {
    /// The [`PeerId`]; nothing secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.inner.peer_id)
    }
}
