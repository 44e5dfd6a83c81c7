//! Answering: handshakes that came in, and the streams that a linked peer opens.

use std::sync::Arc;

use minicbor::bytes::ByteArray;
use quinn::VarInt;
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use super::io::{self, FIRST_FRAME_TIMEOUT, ReadHalf, StreamError, WriteHalf};
use super::link::{Link, NotTaken, Settled, close};
use super::run::{AGENT, prepare_link, start_link};
use super::shared::Shared;
use super::types::Role;
use super::{incoming, viewer, watch};
use crate::quic::Attempt;
use crate::quic::endpoint::{HANDSHAKE_TIMEOUT, peer_key};
use crate::wire::{Opening, Welcome, WireError};

/// Frame streams of one link that are read at one time: the transport allows no more.
const FRAME_TASKS_MAX: usize = crate::quic::endpoint::UNI_STREAMS_MAX as usize;

/// The stream error code of a stream whose first frame is of a later version.
const UNKNOWN_PURPOSE: VarInt = VarInt::from_u32(4);

/// Takes in attempts until the node stops.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let attempt = tokio::select! {
            attempt = shared.endpoint.accept() => attempt,
            () = shared.stopped() => return,
        };
        let Some(attempt) = attempt else { return };
        let shared = shared.clone();
        tokio::spawn(async move {
            let from = attempt.from();
            if let Err(reason) = answer(&shared, attempt).await {
                debug!(%from, reason, "an attempt did not become a link");
            }
        });
    }
}

async fn answer(shared: &Arc<Shared>, attempt: Attempt) -> Result<(), String> {
    let (conn, _place) = attempt.finish().await.map_err(|error| error.to_string())?;
    let introduced = tokio::time::timeout(HANDSHAKE_TIMEOUT, introduce(shared, conn.clone())).await;
    introduced.unwrap_or_else(|_| {
        conn.close(close::PROTOCOL.into(), b"no introduction in time");
        Err("no introduction in time".into())
    })
}

/// Reads `Hello`, settles the link, and answers `Welcome`.
async fn introduce(shared: &Arc<Shared>, conn: quinn::Connection) -> Result<(), String> {
    // The handshake asked the table already; it is asked again for the entry.
    let key = peer_key(&conn).ok_or("the connection has no peer key")?;
    let Some(peer) = shared.table.by_key(&key) else {
        conn.close(close::NOT_IN_TABLE.into(), b"not in the table");
        return Err("not in the table".into());
    };
    let (mut send, mut recv) = conn.accept_bi().await.map_err(|error| error.to_string())?;
    let hello = match io::read(&mut recv).await {
        Ok(Opening::Control(hello)) => hello,
        Ok(_) => {
            conn.close(close::PROTOCOL.into(), b"the first stream is not a control stream");
            return Err("the first stream is not a control stream".into());
        }
        Err(error) => {
            conn.close(close::PROTOCOL.into(), b"no valid Hello");
            return Err(error.to_string());
        }
    };
    let welcome = Welcome {
        instance: ByteArray::from(shared.instance),
        receives: shared.settings.role == Role::LongLived,
        camera: shared.camera.is_published(),
        agent: Some(AGENT.to_owned()),
    };
    let settled = Settled {
        id: *hello.link,
        peer,
        instance: *hello.instance,
        receives: hello.receives,
        camera: hello.camera,
        ours: false,
        conn: conn.clone(),
    };
    // Settled first: who gets a Welcome has a link.
    match prepare_link(shared, settled, hello.replaces.map(|id| *id)) {
        Ok(prepared) => {
            if let Err(error) = io::write(&mut send, &welcome).await {
                shared.links.remove(&prepared.link);
                conn.close(close::BYE.into(), b"");
                return Err(error.to_string());
            }
            shared.endpoint.know(conn.remote_address().ip());
            start_link(shared, prepared, (send, recv));
            Ok(())
        }
        Err(NotTaken::Duplicate) => {
            conn.close(close::DUPLICATE.into(), b"duplicate");
            Err("duplicate".into())
        }
        Err(NotTaken::NotInTable) => {
            conn.close(close::NOT_IN_TABLE.into(), b"not in the table");
            Err("not in the table".into())
        }
        Err(NotTaken::TooMany) => {
            conn.close(close::TOO_MANY_LINKS.into(), b"too many links of this identity");
            Err("too many links".into())
        }
    }
}

/// Takes in the bidirectional streams of a link. Never waits for a stream: one task each, as quinn hands streams out
/// in the order of their ids.
pub(super) async fn bidi_streams(shared: Arc<Shared>, link: Arc<Link>) {
    while let Ok((send, recv)) = link.conn.accept_bi().await {
        let shared = shared.clone();
        let link = link.clone();
        tokio::spawn(async move {
            if let Err(error) = bidi_stream(&shared, &link, send, recv).await {
                match error {
                    StreamError::Wire(error) => {
                        info!(peer = %link.peer.name, %error, "the peer does not follow the protocol, link closed");
                        link.close(close::PROTOCOL, &error.to_string());
                    }
                    error => debug!(peer = %link.peer.name, %error, "a stream ended"),
                }
            }
        });
    }
}

/// Takes one stream to its end.
///
/// # Errors
/// [`StreamError::Wire`] where the peer does not follow the protocol, which ends its link.
pub(super) async fn bidi_stream(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    mut send: impl WriteHalf,
    mut recv: impl ReadHalf,
) -> Result<(), StreamError> {
    let opening = match io::read_within(&mut recv, FIRST_FRAME_TIMEOUT).await {
        Err(StreamError::Wire(WireError::UnknownKind(kind))) => {
            debug!(peer = %link.peer.name, kind, "a stream for a purpose of a later version, dropped");
            recv.stop(UNKNOWN_PURPOSE);
            send.reset(UNKNOWN_PURPOSE);
            return Ok(());
        }
        opening => opening?,
    };
    match opening {
        Opening::Control(_) => {
            warn!(peer = %link.peer.name, "a second control stream, link closed");
            link.close(close::PROTOCOL, "a second control stream");
            Ok(())
        }
        Opening::Deliver(offer) => incoming::serve(shared, link, offer, send, recv).await,
        Opening::Watch(request) => viewer::serve(shared, link, request, send, recv).await,
    }
}

/// Takes in the frame streams of a link.
pub(super) async fn frame_streams(link: Arc<Link>) {
    let tasks = Arc::new(Semaphore::new(FRAME_TASKS_MAX));
    while let Ok(recv) = link.conn.accept_uni().await {
        let Ok(permit) = tasks.clone().acquire_owned().await else {
            return;
        };
        let link = link.clone();
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = watch::take_frame(&link, recv).await {
                match error {
                    StreamError::Wire(error) => {
                        info!(peer = %link.peer.name, %error, "the peer does not follow the protocol, link closed");
                        link.close(close::PROTOCOL, &error.to_string());
                    }
                    error => tracing::trace!(peer = %link.peer.name, %error, "a frame ended early"),
                }
            }
        });
    }
}
