//! TLS 1.3 on the national ciphers (RFC 8998) as a `rustls` provider, with raw public keys (RFC 7250).
//!
//! The provider offers exactly one of everything: TLS_SM4_GCM_SM3, curveSM2, sm2sig_sm3. There is nothing to
//! negotiate down to. Both sides authenticate; a key is trusted because it is in the peer table, never because
//! of a certificate. Resumption, tickets, 0-RTT and SNI are off.

mod kx;
mod sign;
mod suite;

use std::sync::Arc;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, NamedGroup, SignatureScheme, SupportedCipherSuite};

use crate::crypto::sm2::PublicKey;
use crate::identity::Identity;

pub use suite::{HeaderProtection, PacketProtection, hkdf_expand_label};

/// TLS_SM4_GCM_SM3 (RFC 8998 §2).
pub const CIPHER_SUITE: CipherSuite = CipherSuite::Unknown(0x00c6);
/// curveSM2 (RFC 8998 §2).
pub const GROUP: NamedGroup = NamedGroup::Unknown(41);
/// sm2sig_sm3 (RFC 8998 §2).
pub const SIGNATURE_SCHEME: SignatureScheme = SignatureScheme::Unknown(0x0708);
/// The name of the only cipher suite, for people.
pub const CIPHER_SUITE_NAME: &str = "TLS_SM4_GCM_SM3";
/// The name of the only key exchange group, for people.
pub const GROUP_NAME: &str = "curveSM2";
/// The protocol spoken inside, as ALPN (RFC 7301).
pub const ALPN: &[u8] = b"miyu/1";

/// Whether a key may finish a handshake with us. Asked once for each handshake, with the exact SPKI bytes that the
/// other side sent.
pub trait Trust: Send + Sync + std::fmt::Debug {
    /// True for the 91-byte SubjectPublicKeyInfo of a peer in the table.
    fn knows(&self, spki: &[u8]) -> bool;
}

/// The ShangMi provider: one suite, one group, one signature scheme.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls13(&suite::TLS13_SM4_GCM_SM3)],
        kx_groups: vec![&kx::CurveSm2],
        // Certificates are not used: keys are raw and pinned.
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &SystemRandom,
        key_provider: &NoKeyProvider,
    }
}

/// A client that expects exactly `server` and proves `identity`.
pub fn client_config(identity: &Identity, server: &PublicKey) -> Result<rustls::ClientConfig, rustls::Error> {
    let verifier = sign::PinnedServer::new(server);
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    config.enable_early_data = false;
    Ok(config)
}

/// A server that proves `identity` and accepts whom `trust` knows.
pub fn server_config(identity: &Identity, trust: Arc<dyn Trust>) -> Result<rustls::ServerConfig, rustls::Error> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(sign::TableClient::new(trust)))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let spki = CertificateDer::from(identity.public().spki_der().to_vec());
    Arc::new(CertifiedKey::new(vec![spki], Arc::new(sign::Sm2SigningKey::new(identity))))
}

/// Randomness from the operating system.
#[derive(Debug)]
struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(buf).map_err(|_| GetRandomFailed)
    }
}

/// Keys come from `identity`, never through rustls.
#[derive(Debug)]
struct NoKeyProvider;

impl KeyProvider for NoKeyProvider {
    fn load_private_key(
        &self,
        _key_der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General("private keys are loaded by the identity module".into()))
    }
}
