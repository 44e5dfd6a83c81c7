//! Dialling a peer, and saying what is wrong where it does not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use minicbor::bytes::ByteArray;
use quinn::{ConnectionError, VarInt};
use rand_core::Rng;
use tokio::task::JoinSet;
use tracing::debug;

use super::io::{self, StreamError};
use super::link::{Link, NotTaken, Settled, close};
use super::run::{prepare_link, start_link};
use super::shared::Shared;
use super::table::Entry;
use super::text::one_line;
use super::types::Role;
use crate::identity::{key_line, system_rng};
use crate::quic::endpoint::HANDSHAKE_TIMEOUT;
use crate::wire::{Hello, Opening, Welcome};

/// Names are given this long to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The next address is tried this long after the one before, which goes on.
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses that are tried in one dial.
const ADDRESSES_MAX: usize = 16;
/// TLS alerts (RFC 8446 §6.2) in QUIC's error codes (RFC 9001 §4.8).
const CRYPTO_ERROR: u64 = 0x100;
const ALERT_ACCESS_DENIED: u64 = 49;
/// bad_certificate, certificate_unknown, access_denied, decrypt_error: what a wrong key or signature ends in.
const KEY_ALERTS: [u64; 4] = [42, 46, ALERT_ACCESS_DENIED, 51];

/// Why there is no link to a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No such peer.
    #[error("no peer {0:?} in the table")]
    NoPeer(String),
    /// The table has no address for it, and it has not dialled us.
    #[error("{peer} has no address in the table, and has not dialled us")]
    NoAddress {
        /// Name in the table.
        peer: String,
    },
    /// A name does not resolve.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// As in the table.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Not one datagram came back.
    #[error("nothing heard from {peer} at {}", list(addresses))]
    NothingHeard {
        /// Name in the table.
        peer: String,
        /// Where we tried.
        addresses: Vec<SocketAddr>,
        /// The key that we expect there, as it stands in our table.
        expected: String,
    },
    /// The responder heard us and does not know our key.
    #[error("{peer} refused: our key is not in their table")]
    NotInTheirTable {
        /// Name in the table.
        peer: String,
        /// The line that they need.
        our_key: String,
    },
    /// Whoever answered could not prove to hold the peer's private key.
    #[error("whoever answers for {peer} at {} does not hold its private key: {reason}", list(addresses))]
    Impostor {
        /// Name in the table.
        peer: String,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// What failed.
        reason: String,
    },
    /// The handshake failed otherwise.
    #[error("the handshake with {peer} failed: {reason}")]
    Handshake {
        /// Name in the table.
        peer: String,
        /// What failed.
        reason: String,
    },
    /// The responder closed the link and said why.
    #[error("{peer} closed the connection: {reason}")]
    Closed {
        /// Name in the table.
        peer: String,
        /// What it said.
        reason: String,
    },
    /// Something on this side.
    #[error("cannot dial {peer}: {reason}")]
    Local {
        /// Name in the table.
        peer: String,
        /// What.
        reason: String,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl DialError {
    /// The mend.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPeer(_) => "`peers.toml` names the peers; add a [[peer]] with this name".into(),
            Self::NoAddress { peer } => {
                format!("add `address = \"host:9999\"` to {peer} in the table, or let {peer} dial us")
            }
            Self::Resolve { .. } => "check the spelling, or put the IP address into the table".into(),
            Self::NothingHeard { peer, expected, .. } => format!(
                "is miyu running there, are address and UDP port right, does a firewall let it through? A peer also \
                 stays silent to who does not know its key: compare {expected} with `miyu id` on {peer}'s side"
            ),
            Self::NotInTheirTable { our_key, .. } => {
                format!("they need a [[peer]] with key = \"{our_key}\" in their table")
            }
            Self::Impostor { .. } => "do not trust that address; ask the peer which machine this is".into(),
            Self::Handshake { .. } => "do both sides run the same version of miyu?".into(),
            Self::Closed { .. } => return None,
            Self::Local { .. } => "check the network of this machine".into(),
            Self::Stopped => return None,
        })
    }
}

/// Dials the peer and settles a link. `replaces` is the link that the new one takes over.
pub(super) async fn dial(
    shared: &Arc<Shared>,
    peer: &Arc<Entry>,
    replaces: Option<[u8; 16]>,
) -> Result<Arc<Link>, DialError> {
    let addresses = resolve(peer).await?;
    let conn = race(shared, peer, &addresses).await?;
    let introducing = introduce(shared, peer, conn.clone(), replaces);
    let result = match tokio::time::timeout(HANDSHAKE_TIMEOUT, introducing).await {
        Ok(result) => result,
        Err(_) => Err(silent_after_handshake(peer)),
    };
    if result.is_err() {
        conn.close(close::BYE.into(), b"");
    }
    result
}

/// It proved its key and then said nothing: that is not "nothing heard".
fn silent_after_handshake(peer: &Entry) -> DialError {
    let reason = format!("no answer within {} s after the handshake", HANDSHAKE_TIMEOUT.as_secs());
    DialError::Closed { peer: peer.name.clone(), reason }
}

/// Resolves every address of the peer anew: a laptop moves.
async fn resolve(peer: &Arc<Entry>) -> Result<Vec<SocketAddr>, DialError> {
    let mut addresses = Vec::new();
    let mut failure = None;
    for address in &peer.addresses {
        let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
        let reason = match tokio::time::timeout(RESOLVE_TIMEOUT, lookup).await {
            Ok(Ok(found)) => {
                addresses.extend(found);
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the resolver does not answer".to_owned(),
        };
        failure = Some(DialError::Resolve { host: address.host.clone(), reason });
    }
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(ADDRESSES_MAX);
    match (addresses.is_empty(), failure) {
        (false, _) => Ok(addresses),
        (true, Some(failure)) => Err(failure),
        (true, None) => Err(DialError::NoAddress { peer: peer.name.clone() }),
    }
}

/// Tries all addresses, one shortly after the other; the first finished handshake wins.
async fn race(
    shared: &Arc<Shared>,
    peer: &Arc<Entry>,
    addresses: &[SocketAddr],
) -> Result<quinn::Connection, DialError> {
    let mut attempts = JoinSet::new();
    for (number, address) in addresses.iter().copied().enumerate() {
        let endpoint = shared.endpoint.clone();
        let key = peer.key.clone();
        attempts.spawn(async move {
            tokio::time::sleep(STAGGER * u32::try_from(number).unwrap_or(u32::MAX)).await;
            let connecting = endpoint.dial(address, &key).map_err(Attempt::Local)?;
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, connecting).await {
                Ok(result) => result.map_err(Attempt::Connection),
                Err(_) => Err(Attempt::Connection(ConnectionError::TimedOut)),
            }
        });
    }
    // The most telling failure wins: an answer says more than silence.
    let mut failure = None;
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(Attempt::Local(error))) => {
                failure.get_or_insert(DialError::Local { peer: peer.name.clone(), reason: error.to_string() });
            }
            Ok(Err(Attempt::Connection(error))) => {
                let error = diagnose(shared, peer, addresses, &error);
                let weak = matches!(failure, None | Some(DialError::Local { .. }));
                if weak || !matches!(error, DialError::NothingHeard { .. }) {
                    failure = Some(error);
                }
            }
            Err(error) => debug!(%error, "a dial task ended"),
        }
    }
    Err(failure.unwrap_or(DialError::Stopped))
}

enum Attempt {
    Local(crate::quic::EndpointError),
    Connection(ConnectionError),
}

/// Sends `Hello` and waits for `Welcome`: in TLS 1.3 a client finishes before its key is judged, so that only the
/// answer says that we are in.
async fn introduce(
    shared: &Arc<Shared>,
    peer: &Arc<Entry>,
    conn: quinn::Connection,
    replaces: Option<[u8; 16]>,
) -> Result<Arc<Link>, DialError> {
    let broken = |error: StreamError| match conn.close_reason() {
        Some(ConnectionError::TimedOut) => silent_after_handshake(peer),
        Some(reason) => diagnose(shared, peer, &[conn.remote_address()], &reason),
        None => DialError::Handshake { peer: peer.name.clone(), reason: error.to_string() },
    };
    let (mut send, mut recv) = conn.open_bi().await.map_err(|error| broken(error.into()))?;
    let mut link_id = [0; 16];
    system_rng().fill_bytes(&mut link_id);
    let hello = Hello {
        instance: ByteArray::from(shared.instance),
        link: ByteArray::from(link_id),
        receives: shared.settings.role == Role::LongLived,
        replaces: replaces.map(ByteArray::from),
        camera: shared.camera.is_published(),
        agent: Some(super::run::AGENT.to_owned()),
    };
    io::write(&mut send, &Opening::Control(hello)).await.map_err(broken)?;
    let welcome: Welcome = match io::read(&mut recv).await {
        Ok(welcome) => welcome,
        Err(error) => {
            // The close that explains the end may be a moment behind the end of the stream.
            let closed = tokio::time::timeout(STAGGER, conn.closed()).await;
            let duplicate = VarInt::from_u32(close::DUPLICATE);
            if matches!(closed, Ok(ConnectionError::ApplicationClosed(frame)) if frame.error_code == duplicate) {
                return existing(shared, peer);
            }
            return Err(broken(error));
        }
    };
    let settled = Settled {
        id: link_id,
        peer: peer.clone(),
        instance: *welcome.instance,
        receives: welcome.receives,
        camera: welcome.camera,
        ours: true,
        conn: conn.clone(),
    };
    match prepare_link(shared, settled, replaces) {
        Ok(prepared) => Ok(start_link(shared, prepared, (send, recv))),
        Err(NotTaken::Duplicate) => {
            conn.close(close::DUPLICATE.into(), b"duplicate");
            existing(shared, peer)
        }
        Err(NotTaken::NotInTable) => Err(DialError::NoPeer(peer.name.clone())),
        Err(NotTaken::TooMany) => {
            Err(DialError::Local { peer: peer.name.clone(), reason: "too many links to this peer".into() })
        }
    }
}

/// The link that made ours a duplicate.
fn existing(shared: &Arc<Shared>, peer: &Arc<Entry>) -> Result<Arc<Link>, DialError> {
    shared
        .link_to(&peer.id)
        .ok_or_else(|| DialError::Closed { peer: peer.name.clone(), reason: "another connection took over".into() })
}

fn diagnose(shared: &Arc<Shared>, peer: &Arc<Entry>, addresses: &[SocketAddr], error: &ConnectionError) -> DialError {
    let name = peer.name.clone();
    match error {
        ConnectionError::TimedOut | ConnectionError::Reset => {
            DialError::NothingHeard { peer: name, addresses: addresses.to_vec(), expected: key_line(&peer.key) }
        }
        ConnectionError::ConnectionClosed(frame) => {
            let code = u64::from(frame.error_code);
            if code == CRYPTO_ERROR + ALERT_ACCESS_DENIED {
                let our_key = key_line(shared.identity.public());
                return DialError::NotInTheirTable { peer: name, our_key };
            }
            DialError::Handshake { peer: name, reason: format!("{} ({code:#x})", readable(&frame.reason)) }
        }
        ConnectionError::ApplicationClosed(frame) => DialError::Closed { peer: name, reason: readable(&frame.reason) },
        // Our own verifier refused the key or the signature.
        ConnectionError::TransportError(error) if KEY_ALERTS.contains(&(u64::from(error.code) ^ CRYPTO_ERROR)) => {
            DialError::Impostor { peer: name, addresses: addresses.to_vec(), reason: error.reason.clone() }
        }
        ConnectionError::LocallyClosed => DialError::Stopped,
        other => DialError::Handshake { peer: name, reason: other.to_string() },
    }
}

/// A reason from the peer is shown with its control characters escaped.
fn readable(reason: &[u8]) -> String {
    let text = String::from_utf8_lossy(reason);
    if text.is_empty() { "no reason given".into() } else { one_line(&text) }
}
