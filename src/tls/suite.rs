//! TLS_SM4_GCM_SM3 as rustls sees it: the hash, HMAC, the record AEAD and the QUIC packet protection.

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm, UnsupportedOperationError,
    make_tls13_aad,
};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, hash};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, Tls13CipherSuite, quic};

use crate::crypto::gcm::{NONCE_BYTES, Sm4Gcm, TAG_BYTES};
use crate::crypto::kdf::{HmacSm3, OutputTooLong, hkdf_expand};
use crate::crypto::sm3::{self, Sm3};
use crate::crypto::sm4::Sm4;

/// SM4's key length, for records, packets and header protection alike.
const KEY_BYTES: usize = 16;
/// Packets that one key may protect. RFC 9001 §B.1.1 gives 2^23 for AES-128-GCM, whose block and tag sizes SM4-GCM
/// shares; the bound comes from those sizes alone.
const CONFIDENTIALITY_PACKETS_MAX: u64 = 1 << 23;
/// Forged packets after which a connection must end (RFC 9001 §B.1.2, as above).
const INTEGRITY_PACKETS_MAX: u64 = 1 << 52;

/// TLS_SM4_GCM_SM3, RFC 8998 §2.
pub(super) static TLS13_SM4_GCM_SM3: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: super::CIPHER_SUITE,
        hash_provider: &Sm3Hash,
        confidentiality_limit: CONFIDENTIALITY_PACKETS_MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&Sm3Hmac),
    aead_alg: &RecordAead,
    quic: Some(&QuicAlgorithm),
};

/// HKDF-Expand-Label with an empty context (RFC 8446 §7.1), on SM3. Fails only where `out` is longer than
/// 255 digests.
pub fn hkdf_expand_label(secret: &[u8; 32], label: &[u8], out: &mut [u8]) -> Result<(), OutputTooLong> {
    let out_len = u16::try_from(out.len()).map_err(|_| OutputTooLong { asked: out.len() })?.to_be_bytes();
    let label_len = [u8::try_from(b"tls13 ".len() + label.len()).map_err(|_| OutputTooLong { asked: out.len() })?];
    hkdf_expand(secret, &[&out_len, &label_len, b"tls13 ", label, &[0]], out)
}

struct Sm3Hash;

impl Hash for Sm3Hash {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Sm3Context(Sm3::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&sm3::digest(data))
    }

    fn output_len(&self) -> usize {
        sm3::DIGEST_BYTES
    }

    fn algorithm(&self) -> HashAlgorithm {
        // The TLS HashAlgorithm registry stops before SM3; rustls compares this for equality only.
        HashAlgorithm::Unknown(0x07)
    }
}

struct Sm3Context(Sm3);

impl Context for Sm3Context {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finish())
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finish())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

struct Sm3Hmac;

impl Hmac for Sm3Hmac {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Sm3HmacKey(HmacSm3::new(key)))
    }

    fn hash_output_len(&self) -> usize {
        sm3::DIGEST_BYTES
    }
}

struct Sm3HmacKey(HmacSm3);

impl Key for Sm3HmacKey {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        for part in middle {
            mac.update(part);
        }
        mac.update(last);
        Tag::new(&mac.finish())
    }

    fn tag_len(&self) -> usize {
        sm3::DIGEST_BYTES
    }
}

/// The record layer (RFC 8446 §5.2), used when the provider runs over TCP.
struct RecordAead;

impl Tls13AeadAlgorithm for RecordAead {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(RecordCipher { gcm: cipher(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(RecordCipher { gcm: cipher(&key), iv })
    }

    fn key_len(&self) -> usize {
        KEY_BYTES
    }

    fn extract_keys(&self, _key: AeadKey, _iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        // Handing traffic keys to anyone else is not something that miyu does.
        Err(UnsupportedOperationError)
    }
}

struct RecordCipher {
    gcm: Sm4Gcm,
    iv: Iv,
}

impl MessageEncrypter for RecordCipher {
    fn encrypt(&mut self, msg: OutboundPlainMessage<'_>, seq: u64) -> Result<OutboundOpaqueMessage, Error> {
        let total = self.encrypted_payload_len(msg.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&msg.typ.to_array());
        let nonce = Nonce::new(&self.iv, seq).0;
        let tag = self.gcm.seal_in_place(&nonce, &make_tls13_aad(total), payload.as_mut());
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_BYTES
    }
}

impl MessageDecrypter for RecordCipher {
    fn decrypt<'a>(&mut self, mut msg: InboundOpaqueMessage<'a>, seq: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let total = msg.payload.len();
        let nonce = Nonce::new(&self.iv, seq).0;
        let plain_len = open(&self.gcm, &nonce, &make_tls13_aad(total), &mut msg.payload)?;
        msg.payload.truncate(plain_len);
        msg.into_tls13_unpadded_message()
    }
}

/// Opens `ciphertext ‖ tag` in place; gives the length of the plaintext.
fn open(gcm: &Sm4Gcm, nonce: &[u8; NONCE_BYTES], aad: &[u8], sealed: &mut [u8]) -> Result<usize, Error> {
    let plain_len = sealed.len().checked_sub(TAG_BYTES).ok_or(Error::DecryptError)?;
    let (body, tag) = sealed.split_at_mut(plain_len);
    let tag: &[u8; TAG_BYTES] = (&*tag).try_into().map_err(|_| Error::DecryptError)?;
    gcm.open_in_place(nonce, aad, body, tag).map_err(|_| Error::DecryptError)?;
    Ok(plain_len)
}

/// rustls cuts keys to `key_len()`; a shorter one would be its bug, and gives a key that nobody else has.
fn cipher(key: &AeadKey) -> Sm4Gcm {
    Sm4Gcm::new(&key_bytes(key))
}

fn key_bytes(key: &AeadKey) -> zeroize::Zeroizing<[u8; KEY_BYTES]> {
    let mut bytes = zeroize::Zeroizing::new([0; KEY_BYTES]);
    for (to, from) in bytes.iter_mut().zip(key.as_ref()) {
        *to = *from;
    }
    bytes
}

struct QuicAlgorithm;

impl quic::Algorithm for QuicAlgorithm {
    fn packet_key(&self, key: AeadKey, iv: Iv) -> Box<dyn quic::PacketKey> {
        let mut iv_bytes = [0; NONCE_BYTES];
        iv_bytes.copy_from_slice(iv_xor_zero(&iv).as_slice());
        Box::new(PacketProtection::new(&key_bytes(&key), iv_bytes))
    }

    fn header_protection_key(&self, key: AeadKey) -> Box<dyn quic::HeaderProtectionKey> {
        Box::new(HeaderProtection::new(&key_bytes(&key)))
    }

    fn aead_key_len(&self) -> usize {
        KEY_BYTES
    }
}

/// `Iv` shows its bytes only through a nonce; packet number 0 leaves them as they are.
fn iv_xor_zero(iv: &Iv) -> [u8; NONCE_BYTES] {
    Nonce::new(iv, 0).0
}

/// QUIC packet protection by SM4-GCM (RFC 9001 §5.3 with the AEAD exchanged).
pub struct PacketProtection {
    gcm: Sm4Gcm,
    iv: [u8; NONCE_BYTES],
}

impl PacketProtection {
    /// A packet key from its key and IV.
    pub fn new(key: &[u8; KEY_BYTES], iv: [u8; NONCE_BYTES]) -> Self {
        Self { gcm: Sm4Gcm::new(key), iv }
    }

    fn nonce(&self, packet_number: u64) -> [u8; NONCE_BYTES] {
        let mut nonce = self.iv;
        for (to, from) in nonce[4..].iter_mut().zip(packet_number.to_be_bytes()) {
            *to ^= from;
        }
        nonce
    }
}

impl quic::PacketKey for PacketProtection {
    fn encrypt_in_place(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Result<quic::Tag, Error> {
        let tag = self.gcm.seal_in_place(&self.nonce(packet_number), header, payload);
        Ok(quic::Tag::from(tag.as_slice()))
    }

    fn decrypt_in_place<'a>(
        &self,
        packet_number: u64,
        header: &[u8],
        payload: &'a mut [u8],
    ) -> Result<&'a [u8], Error> {
        let plain_len = open(&self.gcm, &self.nonce(packet_number), header, payload)?;
        Ok(&payload[..plain_len])
    }

    fn tag_len(&self) -> usize {
        TAG_BYTES
    }

    fn confidentiality_limit(&self) -> u64 {
        CONFIDENTIALITY_PACKETS_MAX
    }

    fn integrity_limit(&self) -> u64 {
        INTEGRITY_PACKETS_MAX
    }
}

/// QUIC header protection: the mask is one SM4 block over the sample (RFC 9001 §5.4.3 with the cipher exchanged).
pub struct HeaderProtection(Sm4);

impl HeaderProtection {
    /// Bytes of ciphertext that make the mask.
    pub const SAMPLE_BYTES: usize = 16;

    /// A header key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Sm4::new(key))
    }

    fn mask(&self, sample: &[u8]) -> Result<[u8; Self::SAMPLE_BYTES], Error> {
        let mut block: [u8; Self::SAMPLE_BYTES] =
            sample.try_into().map_err(|_| Error::General("header protection sample is not 16 bytes".into()))?;
        self.0.encrypt_block(&mut block);
        Ok(block)
    }

    /// RFC 9001 §5.4.1: the low bits of the first byte (4 of a long header, 5 of a short one), then as many bytes of
    /// the packet number as it says it has. `masked` tells whether `first` is still masked on entry.
    fn apply(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8], masked: bool) -> Result<(), Error> {
        let mask = self.mask(sample)?;
        let bits = if *first & 0x80 != 0 { 0x0f } else { 0x1f };
        let unmasked_first = if masked { *first ^ (mask[0] & bits) } else { *first };
        let length = usize::from(unmasked_first & 0x03) + 1;
        *first ^= mask[0] & bits;
        for (byte, mask) in packet_number.iter_mut().zip(&mask[1..]).take(length) {
            *byte ^= mask;
        }
        Ok(())
    }
}

impl quic::HeaderProtectionKey for HeaderProtection {
    fn encrypt_in_place(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]) -> Result<(), Error> {
        self.apply(sample, first, packet_number, false)
    }

    fn decrypt_in_place(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]) -> Result<(), Error> {
        self.apply(sample, first, packet_number, true)
    }

    fn sample_len(&self) -> usize {
        Self::SAMPLE_BYTES
    }
}
