//! The curveSM2 key exchange (RFC 8998 §3.2.2): ephemeral SM2 Diffie-Hellman, the secret is the x coordinate.

use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

use crate::crypto::sm2::{PublicKey, SecretKey};
use crate::identity::system_rng;

/// The group, in the provider's list.
#[derive(Debug)]
pub(super) struct CurveSm2;

impl SupportedKxGroup for CurveSm2 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = SecretKey::generate(&mut system_rng());
        let share = secret.public_key().to_uncompressed();
        Ok(Box::new(Exchange { secret, share }))
    }

    fn name(&self) -> NamedGroup {
        super::GROUP
    }
}

struct Exchange {
    secret: SecretKey,
    share: [u8; 65],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        // RFC 8998 §3.2.2 by way of RFC 8446 §4.2.8.2: the uncompressed form alone, 65 bytes that start with 4,
        // on the curve and not the identity. `from_uncompressed` checks each of these.
        let peer = PublicKey::from_uncompressed(peer_pub_key)
            .map_err(|_| Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))?;
        let secret = self.secret.diffie_hellman(&peer);
        Ok(SharedSecret::from(secret.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        super::GROUP
    }
}
