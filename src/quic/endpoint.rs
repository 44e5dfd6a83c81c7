//! One UDP port that dials and answers, with every limit of the design.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use quinn::{AsyncUdpSocket, IdleTimeout, Runtime, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::{NoneTokenStore, ValidationTokenConfig};
use rand_core::Rng;
use rustls::pki_types::CertificateDer;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::debug;

use super::VERSION;
use super::gate::{ConnectionIds, Gate, Judge, LiveAttempt};
use super::keys::{KnockSalt, ResetKey, TokenKey};
use super::replay::Replay;
use super::session::{DialCrypto, ListenCrypto, Negotiated};
use super::silent::Silent;
use crate::crypto::sm2::PublicKey;
use crate::identity::{Identity, key_line, system_rng};
use crate::tls::{self, Trust};

pub use super::admission::INCOMING_MAX;
pub use super::gate::{Place, Traffic};

/// Bytes kept for an attempt before it is accepted.
pub const INCOMING_BUFFER_BYTES: u64 = 16 * 1024;
/// A handshake that takes longer has failed.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);
/// A link that carries nothing sends a ping this often.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// A link that is silent for this long is dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(12);
/// Bytes that a peer may send on one stream before we have read them.
pub const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// The same over all streams of a connection, and the most that we hold unacknowledged.
pub const CONNECTION_WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// Frame streams that a peer may have open.
pub const UNI_STREAMS_MAX: u32 = 40;
/// Control, delivery and watch streams that a peer may have open.
pub const BIDI_STREAMS_MAX: u32 = 96;
/// Asked of the kernel for each direction; it gives what it allows.
pub const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Why an endpoint could not be made or a dial not be started.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The UDP port cannot be had.
    #[error("cannot listen on UDP {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file of answered knocks cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Replay {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// rustls refuses the provider; a defect of ours.
    #[error("TLS set-up failed: {0}")]
    Tls(#[from] rustls::Error),
    /// The address cannot be dialled from this socket.
    #[error("cannot dial {address}: {reason}")]
    Dial {
        /// The address.
        address: SocketAddr,
        /// What quinn said.
        reason: String,
    },
}

/// What an endpoint is for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to bind; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether strangers who know our key are answered at all. One-shot commands only dial.
    pub accepts: bool,
    /// Where answered knocks are remembered; `None` remembers them for the life of the process.
    pub knocks: Option<PathBuf>,
}

/// One UDP port. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    inner: quinn::Endpoint,
    judge: Arc<Judge>,
    identity: Identity,
    transport: Arc<TransportConfig>,
    key_updates: Arc<AtomicU64>,
    socket: Weak<dyn AsyncUdpSocket>,
}

impl Endpoint {
    /// Binds the socket and starts quinn on it. Needs a tokio runtime.
    pub fn bind(identity: &Identity, trust: Arc<dyn Trust>, options: &Options) -> Result<Self, EndpointError> {
        let replay = match &options.knocks {
            None => Replay::in_memory(),
            Some(path) => Replay::open(path).map_err(|source| EndpointError::Replay { path: path.clone(), source })?,
        };
        let salt = KnockSalt::of(identity.public());
        let line = key_line(identity.public());
        let judge = Arc::new(Judge::new(salt.clone(), options.accepts, line, replay));
        let key_updates = Arc::new(AtomicU64::new(0));
        let transport = Arc::new(transport());

        let listen = ListenCrypto {
            tls: Arc::new(tls::server_config(identity, trust)?),
            salt,
            judge: judge.clone(),
            key_updates: key_updates.clone(),
        };
        let mut server = quinn::ServerConfig::new(Arc::new(listen), Arc::new(TokenKey::new(random())));
        let mut tokens = ValidationTokenConfig::default();
        tokens.sent(0);
        server
            .transport_config(transport.clone())
            .validation_token_config(tokens)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BUFFER_BYTES)
            .incoming_buffer_size_total(INCOMING_BUFFER_BYTES * INCOMING_MAX as u64);

        let mut config = quinn::EndpointConfig::new(Arc::new(ResetKey::new(random())));
        let ids = judge.clone();
        config
            .supported_versions(vec![VERSION])
            .grease_quic_bit(false)
            .cid_generator(move || Box::new(ConnectionIds(ids.clone())));

        let bind_error = |source| EndpointError::Bind { address: options.listen, source };
        let socket = bind(options.listen).map_err(bind_error)?;
        let runtime = Arc::new(TokioRuntime);
        let socket = runtime.wrap_udp_socket(socket).map_err(bind_error)?;
        let watched = Arc::downgrade(&socket);
        let gate = Arc::new(Gate::new(socket, judge.clone()));
        let inner =
            quinn::Endpoint::new_with_abstract_socket(config, Some(server), gate, runtime).map_err(bind_error)?;
        Ok(Self { inner, judge, identity: identity.clone(), transport, key_updates, socket: watched })
    }

    /// The bound address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// What passed the socket so far.
    pub fn traffic(&self) -> Traffic {
        self.judge.traffic()
    }

    /// QUIC key updates over all connections so far, ours and theirs.
    pub fn key_updates(&self) -> u64 {
        self.key_updates.load(Ordering::Relaxed)
    }

    /// Starts a handshake with the holder of `server` at `address`. The result is not a link yet: the responder
    /// judges our key after we have finished.
    pub fn dial(&self, address: SocketAddr, server: &PublicKey) -> Result<quinn::Connecting, EndpointError> {
        self.judge.know(address.ip());
        let crypto = DialCrypto {
            tls: Arc::new(tls::client_config(&self.identity, server)?),
            salt: KnockSalt::of(server),
            key_updates: self.key_updates.clone(),
        };
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.version(VERSION).transport_config(self.transport.clone()).token_store(Arc::new(NoneTokenStore));
        self.inner
            .connect_with(config, address, "miyu.invalid")
            .map_err(|error| EndpointError::Dial { address, reason: error.to_string() })
    }

    /// Remembers where a peer is: floods from elsewhere then do not keep it out. Whom we dial is remembered anyway.
    pub fn know(&self, address: IpAddr) {
        self.judge.know(address);
    }

    /// The next attempt that may be answered; surplus ones are ignored without an answer. `None` once closed.
    pub async fn accept(&self) -> Option<Attempt> {
        loop {
            let incoming = self.inner.accept().await?;
            let from = incoming.remote_address();
            // The gate has counted it; what it has forgotten since has waited too long.
            let Some((live, place)) = self.judge.take_in(incoming.orig_dst_cid()) else {
                debug!(%from, "an attempt that waited too long, ignored");
                incoming.ignore();
                continue;
            };
            match incoming.accept() {
                Ok(connecting) => {
                    return Some(Attempt { connecting, from, _live: live, place });
                }
                Err(error) => debug!(%from, %error, "an attempt failed at once"),
            }
        }
    }

    /// Closes every connection with the application code and reason, and sees no knock from then on.
    pub fn close(&self, code: u32, reason: &[u8]) {
        self.judge.close();
        self.inner.close(VarInt::from_u32(code), reason);
    }

    /// Tells when the UDP port is free again: once every clone of this endpoint and every connection is gone, or has
    /// heard that it was let go of.
    pub fn port(&self) -> Port {
        Port(self.socket.clone())
    }

    /// Resolves once every closed connection has said so to its peer.
    pub async fn wait_idle(&self) {
        self.inner.wait_idle().await;
    }

    /// Lets go of the UDP port, after which nothing is sent or heard. A closed connection otherwise keeps it for three
    /// probe timeouts, which on a slow or cut link are many seconds.
    pub fn hang_up(&self) -> io::Result<()> {
        let silent = Arc::new(Silent::at(self.local_addr()?));
        // quinn keeps the socket before the newest one until the newest has received something.
        self.inner.rebind_abstract(silent.clone())?;
        self.inner.rebind_abstract(silent)
    }
}

/// The UDP port of an endpoint.
pub struct Port(Weak<dyn AsyncUdpSocket>);

impl Port {
    /// Resolves once the port is free, at most after `limit`.
    pub async fn freed(self, limit: Duration) {
        let deadline = Instant::now() + limit;
        // quinn drops the socket in a task of its own and tells nobody.
        while self.0.strong_count() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// An attempt that was let in and is in its handshake.
pub struct Attempt {
    connecting: quinn::Connecting,
    from: SocketAddr,
    _live: LiveAttempt,
    place: Place,
}

impl Attempt {
    /// Where it comes from.
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// Waits for the handshake, at most [`HANDSHAKE_TIMEOUT`]. The place that comes with the connection is to be kept
    /// until the peer has introduced itself: it bounds how many connections may be short of that.
    pub async fn finish(self) -> Result<(quinn::Connection, Place), quinn::ConnectionError> {
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.connecting).await {
            Ok(result) => result.map(|connection| (connection, self.place)),
            Err(_) => Err(quinn::ConnectionError::TimedOut),
        }
    }
}

/// The public key that the other side of a connection has proved to hold.
pub fn peer_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    PublicKey::from_spki_der(identity.first()?.as_ref()).ok()
}

/// Suite and group names as negotiated. There is one of each, so anything else would be a defect: it is shown as its
/// code point.
pub fn negotiated(connection: &quinn::Connection) -> (String, String) {
    let data = connection.handshake_data().and_then(|data| data.downcast::<Negotiated>().ok());
    let name = |code: Option<u16>, expected: u16, name: &str| match code {
        Some(code) if code == expected => name.to_owned(),
        Some(code) => format!("unknown({code:#06x})"),
        None => "unknown".to_owned(),
    };
    (
        name(data.as_ref().map(|data| data.suite), tls::CIPHER_SUITE.into(), tls::CIPHER_SUITE_NAME),
        name(data.as_ref().map(|data| data.group), tls::GROUP.into(), tls::GROUP_NAME),
    )
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    system_rng().fill_bytes(&mut bytes);
    bytes
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS_MAX))
        .send_fairness(false)
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT.as_millis() as u32))));
    transport
}

/// Dual-stack where there is IPv6, else IPv4.
fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    match bind_one(address) {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && no_ipv6(&error) => {
            bind_one(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    }
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.raw_os_error().is_some_and(|code| {
            // EAFNOSUPPORT on Linux and macOS, WSAEAFNOSUPPORT on Windows.
            [97, 47, 10047].contains(&code)
        })
}

fn bind_one(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Best effort: the kernel caps it, and a small buffer costs speed, not correctness.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}
