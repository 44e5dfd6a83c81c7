//! Packet and header keys for quinn, the Initial keys, and the keys that quinn wants but that never reach the wire.

use bytes::BytesMut;
use quinn_proto::crypto::{AeadKey, CryptoError, HandshakeTokenKey, HeaderKey, HmacKey, KeyPair, Keys, PacketKey};
use quinn_proto::{ConnectionId, Side};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::gcm::{NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use crate::crypto::kdf::{HKDF_OUTPUT_BYTES_MAX, hkdf_extract, hmac};
use crate::crypto::sm2::PublicKey;
use crate::crypto::sm3::Sm3;
use crate::tls::{HeaderProtection, PacketProtection, hkdf_expand_label};

const KNOCK_LABEL: &[u8] = b"miyu/1 knock";

/// The salt of a responder's Initial secrets: SM3("miyu/1 knock" ‖ SPKI). Who does not know the responder's public
/// key does not know it, and cannot form an Initial that opens.
#[derive(Clone)]
pub struct KnockSalt([u8; 32]);

impl KnockSalt {
    /// The salt of the responder that holds `responder`.
    pub fn of(responder: &PublicKey) -> Self {
        let mut hash = Sm3::new();
        hash.update(KNOCK_LABEL);
        hash.update(&responder.spki_der());
        Self(hash.finish())
    }

    /// What both directions' secrets of an attempt come from (RFC 9001 §5.2 with our salt and SM3).
    fn initial_secret(&self, client_dcid: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(hkdf_extract(&self.0, client_dcid))
    }

    /// The secret that protects the client's Initials of the attempt with this DCID.
    pub fn client_secret(&self, client_dcid: &[u8]) -> Zeroizing<[u8; 32]> {
        expand(&self.initial_secret(client_dcid), b"client in")
    }

    /// Both directions as quinn wants them.
    pub(super) fn initial_keys(&self, client_dcid: &ConnectionId, side: Side) -> Keys {
        let initial = self.initial_secret(client_dcid);
        let (client, server) = (expand(&initial, b"client in"), expand(&initial, b"server in"));
        let client = (header_protection(&client), packet_protection(&client));
        let server = (header_protection(&server), packet_protection(&server));
        let (local, remote) = if side.is_client() { (client, server) } else { (server, client) };
        Keys {
            header: KeyPair {
                local: Box::new(Header(Box::new(local.0))),
                remote: Box::new(Header(Box::new(remote.0))),
            },
            packet: KeyPair {
                local: Box::new(Packet(Box::new(local.1))),
                remote: Box::new(Packet(Box::new(remote.1))),
            },
        }
    }
}

/// The header key of one direction (RFC 9001 §5.1).
pub(super) fn header_protection(secret: &[u8; 32]) -> HeaderProtection {
    HeaderProtection::new(&expand(secret, b"quic hp"))
}

/// The packet key and IV of one direction (RFC 9001 §5.1).
pub(super) fn packet_protection(secret: &[u8; 32]) -> PacketProtection {
    PacketProtection::new(&expand(secret, b"quic key"), *expand::<NONCE_BYTES>(secret, b"quic iv"))
}

fn expand<const N: usize>(secret: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; N]> {
    // More than 255 digests of output is the only way in which the expansion can fail.
    const { assert!(N <= HKDF_OUTPUT_BYTES_MAX) };
    let mut out = Zeroizing::new([0; N]);
    let _ = hkdf_expand_label(secret, label, out.as_mut());
    out
}

/// A rustls packet key as quinn wants it.
pub(super) struct Packet(pub(super) Box<dyn rustls::quic::PacketKey>);

impl PacketKey for Packet {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let (header, sealed) = buf.split_at_mut(header_len);
        let (payload, tag_space) = sealed.split_at_mut(sealed.len() - self.0.tag_len());
        match self.0.encrypt_in_place(packet, header, payload) {
            Ok(tag) => tag_space.copy_from_slice(tag.as_ref()),
            // The trait has no error. Our key never fails; if it ever did, nothing in the clear may leave.
            Err(_) => sealed.fill(0),
        }
    }

    fn decrypt(&self, packet: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let plain_len = self.0.decrypt_in_place(packet, header, payload.as_mut()).map_err(|_| CryptoError)?.len();
        payload.truncate(plain_len);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

/// A rustls header key as quinn wants it.
pub(super) struct Header(pub(super) Box<dyn rustls::quic::HeaderProtectionKey>);

impl Header {
    /// Splits a packet into first byte, packet number field (4 bytes at most) and sample (RFC 9001 §5.4.2).
    fn parts(packet: &mut [u8], pn_offset: usize, sample_len: usize) -> Option<(&mut u8, &mut [u8], &[u8])> {
        let (header, rest) = packet.split_at_mut_checked(pn_offset.checked_add(4)?)?;
        let sample = rest.get(..sample_len)?;
        let (first, header) = header.split_first_mut()?;
        Some((first, header.get_mut(pn_offset.checked_sub(1)?..)?, sample))
    }
}

impl HeaderKey for Header {
    fn decrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        if let Some((first, number, sample)) = Self::parts(packet, pn_offset, self.0.sample_len()) {
            // quinn checks lengths before it calls; a packet left masked fails authentication.
            let _ = self.0.decrypt_in_place(sample, first, number);
        }
    }

    fn encrypt(&self, pn_offset: usize, packet: &mut [u8]) {
        if let Some((first, number, sample)) = Self::parts(packet, pn_offset, self.0.sample_len()) {
            let _ = self.0.encrypt_in_place(sample, first, number);
        }
    }

    fn sample_size(&self) -> usize {
        self.0.sample_len()
    }
}

/// Stateless reset tokens. No reset is ever sent; the tokens in transport parameters must still be unguessable.
pub(super) struct ResetKey([u8; 32]);

impl ResetKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        for (to, from) in signature_out.iter_mut().zip(hmac(&self.0, &[data])) {
            *to = from;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        if bool::from(hmac(&self.0, &[data]).as_slice().ct_eq(signature)) { Ok(()) } else { Err(CryptoError) }
    }
}

/// Address-validation tokens. None is issued and none is accepted; if a setting ever changed that, they would be
/// sealed by SM4-GCM like all else.
pub(super) struct TokenKey([u8; 32]);

impl TokenKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl HandshakeTokenKey for TokenKey {
    fn aead_from_hkdf(&self, random_bytes: &[u8]) -> Box<dyn AeadKey> {
        let secret = Zeroizing::new(hkdf_extract(&self.0, random_bytes));
        Box::new(TokenAead(Sm4Gcm::new(&expand::<16>(&secret, b"token key"))))
    }
}

/// quinn derives a fresh key for every token, so that the nonce may be fixed.
struct TokenAead(Sm4Gcm);

impl AeadKey for TokenAead {
    fn seal(&self, data: &mut Vec<u8>, additional_data: &[u8]) -> Result<(), CryptoError> {
        let tag = self.0.seal_in_place(&[0; NONCE_BYTES], additional_data, data);
        data.extend_from_slice(&tag);
        Ok(())
    }

    fn open<'a>(&self, data: &'a mut [u8], additional_data: &[u8]) -> Result<&'a mut [u8], CryptoError> {
        let plain_len = data.len().checked_sub(TAG_BYTES).ok_or(CryptoError)?;
        let (plain, tag) = data.split_at_mut(plain_len);
        let tag: &[u8; TAG_BYTES] = (&*tag).try_into().map_err(|_| CryptoError)?;
        self.0.open_in_place(&[0; NONCE_BYTES], additional_data, plain, tag).map_err(|_| CryptoError)?;
        Ok(plain)
    }
}
