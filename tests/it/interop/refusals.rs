//! What miyu and Tongsuo must refuse each other: each case is one thing wrong in a conversation that would succeed.

use std::sync::Arc;

use miyu::crypto::sm2::{DEFAULT_ID, TLS_ID};
use miyu::identity::Identity;
use miyu::tls;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, PeerIncompatible, ServerConfig, SignatureScheme,
};

use super::line::{Line, Listening};
use super::tongsuo::{ASKS, Program, RAW_KEYS, Running, SHANGMI, STRICT};
use crate::tls::{Forger, only};

/// A client that supports raw keys and has none.
#[derive(Debug)]
struct Keyless;

impl ResolvesClientCert for Keyless {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Our client with a server of Tongsuo's, to the refusal that our side sees.
fn refused_by_server(config: ClientConfig, server: &Running) -> Error {
    Line::dial(config, server.port()).refusal()
}

/// A client of Tongsuo's with our server, to the refusal that our side sees.
fn refused_by_client(
    program: &Program,
    key: Option<&Identity>,
    expected: &Identity,
    options: &str,
    config: ServerConfig,
) -> (Error, Running) {
    let listening = Listening::new();
    let client = program.client(key, expected, listening.port, options);
    let mut line = listening.answer(config);
    let error = line.refusal();
    // s_client ends when the connection does, and has told why by then
    drop(line);
    (error, client)
}

fn alert(description: AlertDescription) -> Error {
    Error::AlertReceived(description)
}

fn forger(shown: &Identity, signer: &Identity, id: &'static [u8]) -> Forger {
    Forger {
        shown: shown.public().spki_der().to_vec(),
        secret: signer.secret().clone(),
        id,
        scheme: tls::SIGNATURE_SCHEME,
    }
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_server_of_tongsuo_with_another_key_is_refused() {
    let (ours, theirs, expected) = (Identity::generate(), Identity::generate(), Identity::generate());
    let server = Program::tongsuo().server(&theirs, &format!("{SHANGMI} {RAW_KEYS} {STRICT} {ASKS}"));
    let error = refused_by_server(tls::client_config(&ours, expected.public()).unwrap(), &server);
    assert_eq!(error, Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
    server.stderr.says("access denied");
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_of_tongsuo_whose_key_is_not_in_the_table_is_refused() {
    let (ours, theirs, expected) = (Identity::generate(), Identity::generate(), Identity::generate());
    let (error, client) = refused_by_client(
        &Program::tongsuo(),
        Some(&theirs),
        &ours,
        &format!("{SHANGMI} {RAW_KEYS} {STRICT}"),
        tls::server_config(&ours, only(&expected)).unwrap(),
    );
    assert_eq!(error, Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
    client.stderr.says("access denied");
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_of_tongsuo_refuses_our_key_when_it_expects_another() {
    let (ours, theirs, expected) = (Identity::generate(), Identity::generate(), Identity::generate());
    let (error, client) = refused_by_client(
        &Program::tongsuo(),
        Some(&theirs),
        &expected,
        &format!("{SHANGMI} {RAW_KEYS} {STRICT}"),
        tls::server_config(&ours, only(&theirs)).unwrap(),
    );
    assert_eq!(error, alert(AlertDescription::BadCertificate));
    client.stderr.says("certificate verify failed");
}

/// One key shown, signed with another, or with the right one under the ID that is right everywhere but in TLS
/// (RFC 8998 §3.2.1).
#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn tongsuo_refuses_our_signature_by_another_key_or_under_the_default_id() {
    let (ours, theirs, thief) = (Identity::generate(), Identity::generate(), Identity::generate());
    let tongsuo = Program::tongsuo();
    let options = format!("{SHANGMI} {RAW_KEYS} {STRICT}");
    for forger in [forger(&ours, &thief, TLS_ID), forger(&ours, &ours, DEFAULT_ID)] {
        let server = tongsuo.server(&theirs, &format!("{options} {ASKS}"));
        let mut config = forger.clone().into_client(&theirs);
        config.alpn_protocols.clear();
        assert_eq!(refused_by_server(config, &server), alert(AlertDescription::DecryptError));
        server.stderr.says("bad signature");

        let config = forger.into_server(&theirs);
        let (error, client) = refused_by_client(&tongsuo, Some(&theirs), &ours, &options, config);
        assert_eq!(error, alert(AlertDescription::DecryptError));
        client.stderr.says("bad signature");
    }
    // the forger's tools are not what is refused
    let server = tongsuo.server(&theirs, &format!("{options} {ASKS}"));
    let mut line = Line::dial(forger(&ours, &ours, TLS_ID).into_client(&theirs), server.port());
    line.handshake().unwrap();
    server.stdout.says("CIPHER is TLS_SM4_GCM_SM3");
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn signatures_of_tongsuo_under_another_id_are_refused() {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let other = Program::with_another_id();
    let options = format!("{SHANGMI} {RAW_KEYS} {STRICT}");
    let bad = Error::InvalidCertificate(CertificateError::BadSignature);

    let server = other.server(&theirs, &format!("{options} {ASKS}"));
    assert_eq!(refused_by_server(tls::client_config(&ours, theirs.public()).unwrap(), &server), bad);
    server.stderr.says("decrypt error");

    // a client would refuse our signature first: it is given one under its own ID
    let config = forger(&ours, &ours, b"12345678123456781234567").into_server(&theirs);
    let (error, client) = refused_by_client(&other, Some(&theirs), &ours, &options, config);
    assert_eq!(error, bad);
    client.stderr.says("decrypt error");
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_without_a_key_is_refused() {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let tongsuo = Program::tongsuo();
    let options = format!("{SHANGMI} {RAW_KEYS} {STRICT}");

    let server = tongsuo.server(&theirs, &format!("{options} {ASKS}"));
    let mut config = tls::client_config(&ours, theirs.public()).unwrap();
    config.client_auth_cert_resolver = Arc::new(Keyless);
    assert_eq!(refused_by_server(config, &server), alert(AlertDescription::CertificateRequired));

    let config = tls::server_config(&ours, only(&theirs)).unwrap();
    let (error, client) = refused_by_client(&tongsuo, None, &ours, &options, config);
    assert_eq!(error, Error::NoCertificatesPresented);
    client.stderr.says("certificate required");
}

/// What a server or a client of Tongsuo's offers instead, and what it hears from our server.
const OTHERWISE: [(&str, &str); 5] = [
    // another group
    ("-tls1_3 -ciphersuites TLS_SM4_GCM_SM3 -groups P-256 -sigalgs sm2sig_sm3", "handshake failure"),
    // another cipher suite
    ("-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256 -groups curveSM2 -sigalgs sm2sig_sm3", "handshake failure"),
    // SM4 in another mode
    ("-tls1_3 -ciphersuites TLS_SM4_CCM_SM3 -groups curveSM2 -sigalgs sm2sig_sm3", "handshake failure"),
    // another signature
    ("-tls1_3 -ciphersuites TLS_SM4_GCM_SM3 -groups curveSM2 -sigalgs ecdsa_secp256r1_sha256", "handshake failure"),
    // another version
    ("-tls1_2", "protocol version"),
];

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_server_of_tongsuo_that_offers_anything_else_gets_nowhere() {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let tongsuo = Program::tongsuo();
    for (options, alert_name) in OTHERWISE {
        let server = tongsuo.server(&theirs, &format!("{options} {RAW_KEYS} {ASKS}"));
        let error = refused_by_server(tls::client_config(&ours, theirs.public()).unwrap(), &server);
        let expected = match alert_name {
            "protocol version" => AlertDescription::ProtocolVersion,
            _ => AlertDescription::HandshakeFailure,
        };
        assert_eq!(error, alert(expected), "{options}");
    }
}

#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn a_client_of_tongsuo_that_offers_anything_else_is_refused() {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let tongsuo = Program::tongsuo();
    for (options, alert_name) in OTHERWISE {
        let config = tls::server_config(&ours, only(&theirs)).unwrap();
        let options = format!("{options} {RAW_KEYS}");
        let (error, client) = refused_by_client(&tongsuo, Some(&theirs), &ours, &options, config);
        assert!(matches!(error, Error::PeerIncompatible(_)), "{options}: {error}");
        client.stderr.says(alert_name);
    }
}

/// Certificates are not spoken here, not even those of SM2 keys.
#[test]
#[ignore = "needs Tongsuo: ./x interop"]
fn certificates_instead_of_raw_keys_are_refused() {
    let (ours, theirs) = (Identity::generate(), Identity::generate());
    let tongsuo = Program::tongsuo();
    let refusal = Error::PeerIncompatible(PeerIncompatible::IncorrectCertificateTypeExtension);
    for raw in ["", "-enable_server_rpk", "-enable_client_rpk"] {
        let server = tongsuo.server(&theirs, &format!("{SHANGMI} {STRICT} {ASKS} {raw}"));
        let error = refused_by_server(tls::client_config(&ours, theirs.public()).unwrap(), &server);
        assert_eq!(error, refusal, "server {raw:?}");

        let config = tls::server_config(&ours, only(&theirs)).unwrap();
        let options = format!("{SHANGMI} {STRICT} {raw}");
        let (error, _) = refused_by_client(&tongsuo, Some(&theirs), &ours, &options, config);
        assert_eq!(error, refusal, "client {raw:?}");
    }
}
