//! sm2sig_sm3 signatures in CertificateVerify, and who is trusted: raw public keys pinned to the peer table.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{Signer, SigningKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, PeerMisbehaved,
    SignatureAlgorithm, SignatureScheme,
};

use super::{SIGNATURE_SCHEME, Trust};
use crate::crypto::sm2::{PublicKey, TLS_ID};
use crate::identity::Identity;

/// Our own key as rustls wants it.
#[derive(Debug, Clone)]
pub(super) struct Sm2SigningKey {
    identity: Identity,
}

impl Sm2SigningKey {
    pub(super) fn new(identity: &Identity) -> Self {
        Self { identity: identity.clone() }
    }
}

impl SigningKey for Sm2SigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SIGNATURE_SCHEME).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.identity.public().spki_der().to_vec()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        // TLS 1.2's code points have no SM2; nothing reads this in TLS 1.3.
        SignatureAlgorithm::Unknown(0x07)
    }
}

impl Signer for Sm2SigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // RFC 8998 §3.2.1: the signer's ID in a handshake is TLSv1.3+GM+Cipher+Suite, the signature is DER.
        Ok(self.identity.secret().sign(TLS_ID, message))
    }

    fn scheme(&self) -> SignatureScheme {
        SIGNATURE_SCHEME
    }
}

/// The dialler's view: one expected server key, compared as exact SPKI bytes.
#[derive(Debug)]
pub(super) struct PinnedServer {
    spki: [u8; 91],
}

impl PinnedServer {
    pub(super) fn new(server: &PublicKey) -> Self {
        Self { spki: server.spki_der() }
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if intermediates.is_empty() && end_entity.as_ref() == self.spki {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SIGNATURE_SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The responder's view: any key of the table. The answer to another is the alert access_denied, which the dialler
/// reads as "not in their table". The table is asked only after the signature has been checked: who cannot prove to
/// hold a key does not learn whether it is in the table.
#[derive(Debug)]
pub(super) struct TableClient {
    trust: Arc<dyn Trust>,
}

impl TableClient {
    pub(super) fn new(trust: Arc<dyn Trust>) -> Self {
        Self { trust }
    }
}

impl ClientCertVerifier for TableClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !intermediates.is_empty() || PublicKey::from_spki_der(end_entity.as_ref()).is_err() {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify(message, cert, dss)?;
        if !self.trust.knows(cert.as_ref()) {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SIGNATURE_SCHEME]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// rustls leaves the scheme of a raw key to the verifier, so it is checked here before the signature is.
fn verify(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    if dss.scheme != SIGNATURE_SCHEME {
        return Err(Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme));
    }
    let key = PublicKey::from_spki_der(cert.as_ref())
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    key.verify(TLS_ID, message, dss.signature())
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadSignature))?;
    Ok(HandshakeSignatureValid::assertion())
}
