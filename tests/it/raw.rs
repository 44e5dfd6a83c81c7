//! A peer that speaks by hand: our cipher suite and keys, and whatever frames a test writes.

use minicbor::bytes::ByteArray;
use miyu::crypto::sm3;
use miyu::identity::Identity;
use miyu::wire::{self, DeliveryReply, Hello, Kind, Offer, Opening, Reason, Welcome};
use quinn::{Connection, ConnectionError, RecvStream, SendStream};

use crate::support::{Actor, PATIENCE, bare, entry};

/// Eve, who is in bob's table, speaks by hand.
pub(crate) struct Eve {
    pub(crate) conn: Connection,
    pub(crate) control: (SendStream, RecvStream),
    _endpoint: miyu::quic::Endpoint,
}

impl Eve {
    pub(crate) async fn dial(bob: &Actor, identity: &Identity) -> Connection {
        let endpoint = bare(identity);
        let conn = endpoint.dial(bob.settings.listen, bob.identity.public()).unwrap().await.unwrap();
        // The endpoint lives as long as the process of the test.
        std::mem::forget(endpoint);
        conn
    }

    pub(crate) async fn enter(bob: &Actor, identity: &Identity) -> Self {
        Self::enter_as(bob, identity, hello(1)).await
    }

    pub(crate) async fn enter_as(bob: &Actor, identity: &Identity, hello: Hello) -> Self {
        let endpoint = bare(identity);
        let conn = endpoint.dial(bob.settings.listen, bob.identity.public()).unwrap().await.unwrap();
        let (mut send, mut recv) = conn.open_bi().await.unwrap();
        put(&mut send, &Opening::Control(hello)).await;
        let welcome: Welcome = get(&mut recv).await.unwrap();
        assert!(welcome.receives);
        Self { conn, control: (send, recv), _endpoint: endpoint }
    }

    pub(crate) async fn offer(&self, offer: Offer, body: &[u8]) -> Result<DeliveryReply, String> {
        let (mut send, mut recv) = self.conn.open_bi().await.unwrap();
        put(&mut send, &Opening::Deliver(offer)).await;
        let reply = get(&mut recv).await?;
        if !matches!(reply, DeliveryReply::Resume(_)) {
            return Ok(reply);
        }
        let _ = send.write_all(body).await;
        let _ = send.finish();
        get(&mut recv).await
    }

    /// How bob closed the connection.
    pub(crate) async fn closed(&self) -> (u64, String) {
        match tokio::time::timeout(PATIENCE, self.conn.closed()).await.expect("bob closes the link") {
            ConnectionError::ApplicationClosed(frame) => {
                (frame.error_code.into_inner(), String::from_utf8_lossy(&frame.reason).into_owned())
            }
            other => panic!("{other}"),
        }
    }
}

pub(crate) fn hello(instance: u8) -> Hello {
    Hello {
        instance: ByteArray::from([instance; 16]),
        link: ByteArray::from([instance; 16]),
        receives: true,
        replaces: None,
        camera: false,
        agent: Some("test".to_owned()),
    }
}

pub(crate) async fn put<F: wire::Frame>(send: &mut SendStream, frame: &F) {
    let _ = send.write_all(&wire::encode(frame).unwrap()).await;
}

pub(crate) async fn get<F: wire::Frame>(recv: &mut RecvStream) -> Result<F, String> {
    let reading = async {
        let mut prefix = [0; 4];
        recv.read_exact(&mut prefix).await.map_err(|error| error.to_string())?;
        let mut bytes = vec![0; wire::length(prefix).unwrap()];
        recv.read_exact(&mut bytes).await.map_err(|error| error.to_string())?;
        Ok(wire::decode(&bytes).unwrap())
    };
    tokio::time::timeout(PATIENCE, reading).await.map_err(|_| "nothing came".to_owned())?
}

pub(crate) fn offer(id: u8, kind: Kind, body: &[u8]) -> Offer {
    Offer {
        id: ByteArray::from([id; 16]),
        seq: u64::from(id),
        kind,
        sent_at_ms: 0,
        size: body.len() as u64,
        sm3: ByteArray::from(sm3::digest(body)),
        name: Some("../../etc/passwd".to_owned()),
        mime: None,
        target: None,
    }
}

pub(crate) async fn bob_and_eve(allow: miyu::config::Allow) -> (Actor, Identity) {
    let (bob_id, eve_id) = (Identity::generate(), Identity::generate());
    let mut bob = Actor::new(&bob_id, vec![entry("eve", &eve_id, None, allow)]);
    bob.start().await;
    (bob, eve_id)
}

pub(crate) fn refused(reply: Result<DeliveryReply, String>) -> (Reason, String, bool) {
    match reply {
        Ok(DeliveryReply::Refusal(refusal)) => (refusal.reason, refusal.detail, refusal.retry),
        other => panic!("not refused: {other:?}"),
    }
}
