//! The RFC 8998 provider over in-memory TLS: who is let in and who is not.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use miyu::crypto::sm2::{DEFAULT_ID, SecretKey};
use miyu::identity::Identity;
use miyu::tls::{self, Trust};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, ConnectionCommon, Error, ServerConfig, ServerConnection,
    SignatureAlgorithm, SignatureScheme,
};

#[derive(Debug)]
struct Only(Vec<u8>);

impl Trust for Only {
    fn knows(&self, spki: &[u8]) -> bool {
        spki == self.0
    }
}

pub(crate) fn only(identity: &Identity) -> Arc<dyn Trust> {
    Arc::new(Only(identity.public().spki_der().to_vec()))
}

/// Moves bytes both ways until nothing moves; gives the errors of client and server.
fn talk(client: &mut ClientConnection, server: &mut ServerConnection) -> (Option<Error>, Option<Error>) {
    fn shift<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> (bool, Option<Error>) {
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let moved = !bytes.is_empty();
        let mut bytes = Cursor::new(bytes);
        while (bytes.position() as usize) < bytes.get_ref().len() {
            if to.read_tls(&mut bytes).unwrap() == 0 {
                break;
            }
            if let Err(error) = to.process_new_packets() {
                return (moved, Some(error));
            }
        }
        (moved, None)
    }
    let (mut client_error, mut server_error) = (None, None);
    loop {
        let (there, error) = shift(client, server);
        server_error = server_error.or(error);
        let (back, error) = shift(server, client);
        client_error = client_error.or(error);
        if !there && !back {
            return (client_error, server_error);
        }
    }
}

fn connect(
    client: ClientConfig,
    server: ServerConfig,
) -> (ClientConnection, ServerConnection, Option<Error>, Option<Error>) {
    let name = ServerName::try_from("miyu.invalid").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let (client_error, server_error) = talk(&mut client, &mut server);
    (client, server, client_error, server_error)
}

#[test]
fn two_peers_that_know_each_other_agree_on_the_shangmi_suite_alone() {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let client = tls::client_config(&alice, bob.public()).unwrap();
    let server = tls::server_config(&bob, only(&alice)).unwrap();
    assert!(!client.enable_sni && !client.enable_early_data);
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
    let (mut client, mut server, client_error, server_error) = connect(client, server);
    assert_eq!((client_error, server_error), (None, None));
    for side in [client.negotiated_cipher_suite(), server.negotiated_cipher_suite()] {
        assert_eq!(u16::from(side.unwrap().suite()), 0x00c6);
    }
    assert_eq!(u16::from(client.negotiated_key_exchange_group().unwrap().name()), 41);
    assert_eq!(server.peer_certificates().unwrap()[0].as_ref(), alice.public().spki_der());
    assert_eq!(client.peer_certificates().unwrap()[0].as_ref(), bob.public().spki_der());
    assert_eq!(server.alpn_protocol(), Some(tls::ALPN));

    // The record layer carries data both ways, over more than one record.
    let sent: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
    let mut got = Vec::new();
    for part in sent.chunks(20_000) {
        client.writer().write_all(part).unwrap();
        assert_eq!(talk(&mut client, &mut server), (None, None));
        let mut some = vec![0; part.len()];
        server.reader().read_exact(&mut some).unwrap();
        got.extend(some);
    }
    assert_eq!(got, sent);
    client.refresh_traffic_keys().unwrap();
    client.writer().write_all(b"after a key update").unwrap();
    assert_eq!(talk(&mut client, &mut server), (None, None));
    let mut some = [0; 18];
    server.reader().read_exact(&mut some).unwrap();
    assert_eq!(&some, b"after a key update");
}

#[test]
fn a_client_that_is_not_in_the_table_gets_access_denied() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let client = tls::client_config(&eve, bob.public()).unwrap();
    let server = tls::server_config(&bob, only(&alice)).unwrap();
    let (_, _, client_error, server_error) = connect(client, server);
    assert!(matches!(server_error, Some(Error::InvalidCertificate(_))), "{server_error:?}");
    assert_eq!(client_error, Some(Error::AlertReceived(AlertDescription::AccessDenied)));
}

#[test]
fn a_server_with_another_key_is_refused() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let client = tls::client_config(&alice, bob.public()).unwrap();
    let server = tls::server_config(&eve, only(&alice)).unwrap();
    let (_, _, client_error, _) = connect(client, server);
    assert!(matches!(client_error, Some(Error::InvalidCertificate(_))), "{client_error:?}");
}

/// Shows `shown` and signs with another key, another ID or another scheme.
#[derive(Debug, Clone)]
pub(crate) struct Forger {
    pub(crate) shown: Vec<u8>,
    pub(crate) secret: SecretKey,
    pub(crate) id: &'static [u8],
    pub(crate) scheme: SignatureScheme,
}

impl SigningKey for Forger {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.shown.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(7)
    }
}

impl Signer for Forger {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.secret.sign(self.id, message))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl Forger {
    fn certified(self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(vec![CertificateDer::from(self.shown.clone())], Arc::new(self)))
    }

    pub(crate) fn into_client(self, server: &Identity) -> ClientConfig {
        let mut config = tls::client_config(&Identity::generate(), server.public()).unwrap();
        config.client_auth_cert_resolver =
            Arc::new(rustls::client::AlwaysResolvesClientRawPublicKeys::new(self.certified()));
        config
    }

    pub(crate) fn into_server(self, client: &Identity) -> ServerConfig {
        let mut config = tls::server_config(&Identity::generate(), only(client)).unwrap();
        config.cert_resolver = Arc::new(rustls::server::AlwaysResolvesServerRawPublicKeys::new(self.certified()));
        config
    }
}

#[test]
fn a_stolen_public_key_without_its_private_key_opens_nothing() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let forger = |shown: &Identity| Forger {
        shown: shown.public().spki_der().to_vec(),
        secret: eve.secret().clone(),
        id: miyu::crypto::sm2::TLS_ID,
        scheme: tls::SIGNATURE_SCHEME,
    };
    // The forger itself works: with its own key it is let in.
    let server = tls::server_config(&bob, only(&eve)).unwrap();
    let (_, _, _, server_error) = connect(forger(&eve).into_client(&bob), server);
    assert_eq!(server_error, None);

    let server = tls::server_config(&bob, only(&alice)).unwrap();
    let (_, _, _, server_error) = connect(forger(&alice).into_client(&bob), server);
    assert!(matches!(server_error, Some(Error::InvalidCertificate(_))), "{server_error:?}");

    let client = tls::client_config(&alice, bob.public()).unwrap();
    let (_, _, client_error, _) = connect(client, forger(&bob).into_server(&alice));
    assert!(matches!(client_error, Some(Error::InvalidCertificate(_))), "{client_error:?}");
}

/// Who cannot prove to hold a key does not learn whether it is in the table: a key that is, and one that is not, end
/// in the same alert.
#[test]
fn the_table_is_no_oracle() {
    let (alice, bob, eve) = (Identity::generate(), Identity::generate(), Identity::generate());
    let alert = |shown: &Identity| {
        let forger = Forger {
            shown: shown.public().spki_der().to_vec(),
            secret: SecretKey::from_bytes(&[7; 32]).unwrap(),
            id: miyu::crypto::sm2::TLS_ID,
            scheme: tls::SIGNATURE_SCHEME,
        };
        let server = tls::server_config(&bob, only(&alice)).unwrap();
        let (_, _, client_error, _) = connect(forger.into_client(&bob), server);
        client_error
    };
    assert!(alert(&alice).is_some());
    assert_eq!(alert(&alice), alert(&eve));
}

#[test]
fn a_signature_under_the_default_id_or_another_scheme_is_refused() {
    let (alice, bob) = (Identity::generate(), Identity::generate());
    let forger =
        |id, scheme| Forger { shown: alice.public().spki_der().to_vec(), secret: alice.secret().clone(), id, scheme };
    for (id, scheme) in
        [(DEFAULT_ID, tls::SIGNATURE_SCHEME), (miyu::crypto::sm2::TLS_ID, SignatureScheme::ECDSA_NISTP256_SHA256)]
    {
        let server = tls::server_config(&bob, only(&alice)).unwrap();
        let (_, _, _, server_error) = connect(forger(id, scheme).into_client(&bob), server);
        assert!(server_error.is_some(), "{scheme:?}");
    }
}
