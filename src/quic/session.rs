//! quinn's crypto traits over `rustls::quic` (RFC 9001 with the suite exchanged).

use std::any::Any;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quinn_proto::crypto::{
    self, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side, TransportError, TransportErrorCode};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::quic::{Connection, KeyChange, Secrets, Version};

use super::VERSION;
use super::gate::Judge;
use super::keys::{Header, KnockSalt, Packet};

/// What a finished handshake settled, as read from the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The cipher suite's code point.
    pub suite: u16,
    /// The key exchange group's code point.
    pub group: u16,
}

/// The dialler's side: one expected responder.
pub(super) struct DialCrypto {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) salt: KnockSalt,
    pub(super) key_updates: Arc<AtomicU64>,
}

impl crypto::ClientConfig for DialCrypto {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        _server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        if version != VERSION {
            return Err(ConnectError::UnsupportedVersion);
        }
        // SNI is off and the key is pinned: this name is never sent and never looked at.
        let name =
            ServerName::try_from("miyu.invalid").map_err(|_| ConnectError::InvalidServerName("miyu.invalid".into()))?;
        let session = rustls::quic::ClientConnection::new(self.tls.clone(), Version::V1, name, encode(params))
            .map_err(|e| ConnectError::InvalidServerName(e.to_string()))?;
        Ok(Box::new(TlsSession::new(Connection::Client(session), self.salt.clone(), self.key_updates.clone())))
    }
}

/// The responder's side.
pub(super) struct ListenCrypto {
    pub(super) tls: Arc<rustls::ServerConfig>,
    pub(super) salt: KnockSalt,
    pub(super) judge: Arc<Judge>,
    pub(super) key_updates: Arc<AtomicU64>,
}

impl crypto::ServerConfig for ListenCrypto {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        // quinn asks for these keys only when an Initial belongs to no connection, and drops it silently on an error.
        // An id that we issued names a connection that is gone: nobody knocks with it.
        if version != VERSION || self.judge.issued(dst_cid) {
            return Err(UnsupportedVersion);
        }
        Ok(self.salt.initial_keys(dst_cid, Side::Server))
    }

    fn retry_tag(&self, _version: u32, _orig_dst_cid: &ConnectionId, _packet: &[u8]) -> [u8; 16] {
        // No Retry is ever sent (only holders of the public key can knock), and no peer accepts one.
        [0; 16]
    }

    fn start_session(self: Arc<Self>, _version: u32, params: &TransportParameters) -> Box<dyn Session> {
        match rustls::quic::ServerConnection::new(self.tls.clone(), Version::V1, encode(params)) {
            Ok(session) => {
                let inner = Connection::Server(session);
                Box::new(TlsSession::new(inner, self.salt.clone(), self.key_updates.clone()))
            }
            Err(error) => Box::new(BrokenSession { salt: self.salt.clone(), error: error.to_string() }),
        }
    }
}

fn encode(params: &TransportParameters) -> Vec<u8> {
    let mut bytes = Vec::new();
    params.write(&mut bytes);
    bytes
}

struct TlsSession {
    inner: Connection,
    salt: KnockSalt,
    told_handshake_data: bool,
    next_secrets: Option<Secrets>,
    key_updates: Arc<AtomicU64>,
    keys_prepared: u64,
}

impl TlsSession {
    fn new(inner: Connection, salt: KnockSalt, key_updates: Arc<AtomicU64>) -> Self {
        Self { inner, salt, told_handshake_data: false, next_secrets: None, key_updates, keys_prepared: 0 }
    }

    fn side(&self) -> Side {
        match self.inner {
            Connection::Client(_) => Side::Client,
            Connection::Server(_) => Side::Server,
        }
    }
}

impl Session for TlsSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.salt.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        let suite = u16::from(self.inner.negotiated_cipher_suite()?.suite());
        let group = u16::from(self.inner.negotiated_key_exchange_group()?.name());
        Some(Box::new(Negotiated { suite, group }))
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        let keys = self.inner.peer_certificates()?;
        let owned: Vec<CertificateDer<'static>> = keys.iter().map(|key| key.clone().into_owned()).collect();
        Some(Box::new(owned))
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        matches!(self.inner, Connection::Client(_)).then_some(false)
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_hs(buf).map_err(|error| match self.inner.alert() {
            Some(alert) => transport_error(TransportErrorCode::crypto(alert.into()), &error.to_string()),
            None => transport_error(TransportErrorCode::PROTOCOL_VIOLATION, &format!("TLS: {error}")),
        })?;
        if !self.told_handshake_data && self.inner.alpn_protocol().is_some() {
            self.told_handshake_data = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        match self.inner.quic_transport_parameters() {
            None => Ok(None),
            Some(bytes) => Ok(Some(TransportParameters::read(self.side(), &mut Cursor::new(bytes))?)),
        }
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let keys = match self.inner.write_hs(buf)? {
            KeyChange::Handshake { keys } => keys,
            KeyChange::OneRtt { keys, next } => {
                self.next_secrets = Some(next);
                keys
            }
        };
        Some(Keys {
            header: KeyPair {
                local: Box::new(Header(keys.local.header)),
                remote: Box::new(Header(keys.remote.header)),
            },
            packet: KeyPair {
                local: Box::new(Packet(keys.local.packet)),
                remote: Box::new(Packet(keys.remote.packet)),
            },
        })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.next_secrets.as_mut()?.next_packet_keys();
        // quinn fetches the next keys one update ahead: the first call belongs to the handshake.
        if self.keys_prepared > 0 {
            self.key_updates.fetch_add(1, Ordering::Relaxed);
        }
        self.keys_prepared += 1;
        Some(KeyPair { local: Box::new(Packet(keys.local)), remote: Box::new(Packet(keys.remote)) })
    }

    fn is_valid_retry(&self, _orig_dst_cid: &ConnectionId, _header: &[u8], _payload: &[u8]) -> bool {
        // No responder of ours sends Retry, so each one is forged.
        false
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner
            .export_keying_material(output, label, Some(context))
            .map(|_| ())
            .map_err(|_| ExportKeyingMaterialError)
    }
}

fn transport_error(code: TransportErrorCode, reason: &str) -> TransportError {
    let mut error: TransportError = code.into();
    error.reason = reason.to_owned();
    error
}

/// Stands in where rustls refused to start: quinn's trait has no error there, so the first bytes fail instead.
struct BrokenSession {
    salt: KnockSalt,
    error: String,
}

impl Session for BrokenSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.salt.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        true
    }

    fn read_handshake(&mut self, _buf: &[u8]) -> Result<bool, TransportError> {
        Err(transport_error(TransportErrorCode::INTERNAL_ERROR, &self.error))
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        Ok(None)
    }

    fn write_handshake(&mut self, _buf: &mut Vec<u8>) -> Option<Keys> {
        None
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        None
    }

    fn is_valid_retry(&self, _orig_dst_cid: &ConnectionId, _header: &[u8], _payload: &[u8]) -> bool {
        false
    }

    fn export_keying_material(
        &self,
        _output: &mut [u8],
        _label: &[u8],
        _context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}
