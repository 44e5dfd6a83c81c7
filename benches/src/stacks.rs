//! The same quinn twice: with miyu's cryptography and gate, and with ring's. Settings are those of miyu.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use miyu::identity::Identity;
use miyu::quic::{Endpoint, Options, Trust, endpoint as settings};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, IdleTimeout, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::pinned;

/// Where every endpoint listens.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Whose cryptography.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stack {
    Miyu,
    Ring,
}

impl Stack {
    pub(crate) const BOTH: [Self; 2] = [Self::Miyu, Self::Ring];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Miyu => "miyu",
            Self::Ring => "quinn with ring (P-256, AES-128-GCM)",
        }
    }
}

/// A UDP port that dials and answers.
#[derive(Clone)]
pub(crate) struct End {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Miyu { endpoint: Box<Endpoint>, peer: miyu::crypto::sm2::PublicKey },
    Ring { endpoint: quinn::Endpoint },
}

/// One end that dials, and those that it may dial, which hold one key among them.
pub(crate) struct Ends {
    pub(crate) dialler: End,
    pub(crate) responders: Vec<End>,
}

impl Ends {
    pub(crate) fn bind(stack: Stack, responders: usize) -> Result<Self> {
        match stack {
            Stack::Miyu => {
                let (near, far) = (Identity::generate(), Identity::generate());
                let responders = (0..responders).map(|_| End::miyu(&far, &near)).collect::<Result<_>>()?;
                Ok(Self { dialler: End::miyu(&near, &far)?, responders })
            }
            Stack::Ring => {
                let (near, far) = (pinned::Identity::generate()?, pinned::Identity::generate()?);
                let responders = (0..responders).map(|_| End::ring(&far, &near)).collect::<Result<_>>()?;
                Ok(Self { dialler: End::ring(&near, &far)?, responders })
            }
        }
    }

    /// A connection, as both sides see it.
    pub(crate) async fn connect(&self, responder: usize) -> Result<(Connection, Connection)> {
        let responder = self.responders.get(responder).context("no such responder")?;
        let (near, far) = tokio::join!(self.dialler.dial(responder), responder.accept());
        let (near, far) = (near?, far?);
        ensure!(near.peer_identity().is_some() && far.peer_identity().is_some(), "both sides must prove a key");
        Ok((near, far))
    }
}

#[derive(Debug)]
struct Knows([u8; 91]);

impl Trust for Knows {
    fn knows(&self, spki: &[u8]) -> bool {
        spki == self.0
    }
}

impl End {
    fn miyu(own: &Identity, peer: &Identity) -> Result<Self> {
        let options = Options { listen: LOOPBACK, accepts: true, knocks: None };
        let endpoint = Endpoint::bind(own, Arc::new(Knows(peer.public().spki_der())), &options)?;
        Ok(Self { kind: Kind::Miyu { endpoint: Box::new(endpoint), peer: peer.public().clone() } })
    }

    fn ring(own: &pinned::Identity, peer: &pinned::Identity) -> Result<Self> {
        let transport = Arc::new(transport());
        let tls = QuicServerConfig::try_from(own.server(peer)?)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(tls));
        server.transport_config(transport.clone());
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // As miyu asks for: the kernel gives what it allows.
        let _ = socket.set_recv_buffer_size(settings::SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(settings::SOCKET_BUFFER_BYTES);
        socket.bind(&LOOPBACK.into())?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let config = quinn::EndpointConfig::default();
        let mut endpoint = quinn::Endpoint::new(config, Some(server), socket.into(), runtime)?;
        let tls = QuicClientConfig::try_from(own.client(peer)?)?;
        let mut client = quinn::ClientConfig::new(Arc::new(tls));
        client.transport_config(transport);
        endpoint.set_default_client_config(client);
        Ok(Self { kind: Kind::Ring { endpoint } })
    }

    fn address(&self) -> Result<SocketAddr> {
        Ok(match &self.kind {
            Kind::Miyu { endpoint, .. } => endpoint.local_addr()?,
            Kind::Ring { endpoint } => endpoint.local_addr()?,
        })
    }

    /// Dials the other end, and waits for the handshake.
    pub(crate) fn dial(&self, other: &Self) -> impl Future<Output = Result<Connection>> + Send + use<> {
        let connecting = other.address().and_then(|address| {
            Ok(match &self.kind {
                Kind::Miyu { endpoint, peer } => endpoint.dial(address, peer)?,
                Kind::Ring { endpoint } => endpoint.connect(address, "bench.invalid")?,
            })
        });
        async move { Ok(connecting?.await?) }
    }

    /// The next connection whose handshake is done, the other side's key proved.
    pub(crate) async fn accept(&self) -> Result<Connection> {
        match &self.kind {
            Kind::Miyu { endpoint, .. } => {
                let attempt = endpoint.accept().await.context("the endpoint is closed")?;
                Ok(attempt.finish().await?.0)
            }
            Kind::Ring { endpoint } => {
                let incoming = endpoint.accept().await.context("the endpoint is closed")?;
                Ok(incoming.await?)
            }
        }
    }
}

/// What miyu sets, on either side.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle = VarInt::from_u32(settings::IDLE_TIMEOUT.as_millis() as u32);
    transport
        .stream_receive_window(VarInt::from_u32(settings::STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(settings::CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(settings::CONNECTION_WINDOW_BYTES))
        .max_concurrent_uni_streams(VarInt::from_u32(settings::UNI_STREAMS_MAX))
        .max_concurrent_bidi_streams(VarInt::from_u32(settings::BIDI_STREAMS_MAX))
        .send_fairness(false)
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(settings::KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(idle)));
    transport
}
