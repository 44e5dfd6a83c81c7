//! What was read, here and there, and how long it is kept.

use std::sync::Arc;
use std::time::Duration;

use minicbor::bytes::ByteArray;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::link::Link;
use super::shared::{Shared, lock, now_ms};
use super::table::Entry;
use super::types::Event;
use crate::store::{Cursor, MessageId};
use crate::wire::{Control, Read};

/// What is too old or too much is looked for this often.
const RETAIN_EVERY: Duration = Duration::from_secs(3600);

/// Counts messages as read, and tells their sender.
pub(super) async fn mark(shared: &Arc<Shared>, name: &str, up_to: Cursor) {
    let Some(peer) = shared.entry(name) else { return };
    let id = peer.id;
    match shared.blocking(move |store| store.mark_read(&id, &up_to, now_ms())).await {
        Ok(0) => {}
        Ok(_) => {
            if let Some(link) = shared.link_to(&id) {
                tell(shared.clone(), link).await;
            }
        }
        Err(error) => warn!(peer = %name, %error, "messages could not be marked as read"),
    }
}

/// Tells the peer how far we have read, unless it knows: after reading, in this process or another one, and when a link
/// comes up, as the last word may have been lost.
pub(super) async fn tell(shared: Arc<Shared>, link: Arc<Link>) {
    if !shared.settings.history.read_receipts {
        return;
    }
    let peer = link.peer.id;
    match shared.blocking(move |store| store.last_read(&peer)).await {
        Ok(Some(id)) => {
            if lock(&link.read_told).replace(id) != Some(id) {
                link.tell(Control::Read(Read { id: ByteArray::from(id.0) }));
            }
        }
        Ok(None) => {}
        Err(error) => debug!(peer = %link.peer.name, %error, "what was read is told at the next link"),
    }
}

/// The peer has read so far. However often it says so, one word waits, and one is worked on.
pub(super) fn told(link: &Link, id: MessageId) {
    link.peer.state.read.send_replace(Some(id));
}

/// Notes how far a peer has read, for as long as it is in the table.
pub(super) async fn note(shared: Arc<Shared>, peer: Arc<Entry>) {
    let mut words = peer.state.read.subscribe();
    loop {
        tokio::select! {
            changed = words.changed() => if changed.is_err() { return },
            () = shared.stopped() => return,
            () = peer.gone() => return,
        }
        let Some(id) = *words.borrow_and_update() else { continue };
        let peer_id = peer.id;
        match shared.blocking(move |store| store.read_by_peer(&peer_id, &id, now_ms())).await {
            Ok(ids) if ids.is_empty() => {}
            Ok(ids) => {
                shared.emit(Event::Read { by: peer.name.clone(), ids });
            }
            Err(error) => debug!(peer = %peer.name, %error, "a read receipt was not noted; it comes again"),
        }
    }
}

/// Deletes what is older, and what is more, than the table says, now and then.
pub(super) async fn retain(shared: Arc<Shared>) {
    let settings = shared.settings.history;
    if settings.keep.is_none() && settings.keep_bytes.is_none() {
        return;
    }
    let keep_ms = settings.keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let mut due = interval(RETAIN_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => {}
            () = shared.stopped() => return,
        }
        let before_ms = keep_ms.map(|keep_ms| now_ms().saturating_sub(keep_ms));
        match shared.blocking(move |store| store.retain(before_ms, settings.keep_bytes, now_ms())).await {
            Ok(0) => {}
            Ok(messages) => info!(messages, "deleted what is beyond the table's keep_days and keep_gib"),
            Err(error) => warn!(%error, "old messages could not be deleted"),
        }
    }
}
