//! The control stream of a link: pings, presence, typing, farewells, and the timers that belong to the link.

use std::sync::Arc;
use std::time::Duration;

use quinn::SendStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use super::io::{self, ReadHalf, StreamError};
use super::link::{Link, close};
use super::reading;
use super::shared::{Shared, now_us};
use super::text::one_line;
use super::types::Event;
use crate::store::MessageId;
use crate::wire::{Control, Pong, WireError};

/// A round trip is measured this often, for the offset between the clocks.
const PING_PERIOD: Duration = Duration::from_secs(5);
/// The first ones come quicker, so that the first frames have a latency.
const FIRST_PINGS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// Control frames that a peer may send in one second; more is not a messenger.
const CONTROL_PER_SECOND_MAX: u32 = 200;
/// Control frames keep ahead of everything else.
const PRIORITY: i32 = 3;

/// Writes what the link queues, and keeps its timers.
pub(super) async fn write(
    shared: Arc<Shared>,
    link: Arc<Link>,
    mut stream: SendStream,
    mut queue: mpsc::Receiver<Control>,
) {
    let _ = stream.set_priority(PRIORITY);
    let mut pings = interval(PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut key_updates = interval(shared.settings.key_update);
    key_updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
    key_updates.tick().await;
    first_pings(&link);
    loop {
        tokio::select! {
            frame = queue.recv() => {
                let Some(frame) = frame else { return };
                if let Err(error) = io::write(&mut stream, &frame).await {
                    debug!(peer = %link.peer.name, %error, "control stream");
                    return;
                }
            }
            _ = pings.tick() => link.ping(None),
            _ = key_updates.tick() => {
                debug!(peer = %link.peer.name, "key update");
                link.conn.force_key_update();
            }
            _ = link.conn.closed() => return,
        }
    }
}

fn first_pings(link: &Arc<Link>) {
    for delay in FIRST_PINGS {
        let link = link.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            link.ping(None);
        });
    }
}

/// Reads what the peer says until the link ends. A frame of a later version is skipped; rubbish ends the link.
pub(super) async fn read(shared: Arc<Shared>, link: Arc<Link>, mut stream: impl ReadHalf) {
    let mut window = tokio::time::Instant::now();
    let mut in_window = 0;
    loop {
        let frame = io::read::<Control>(&mut stream).await;
        if window.elapsed() >= Duration::from_secs(1) {
            window = tokio::time::Instant::now();
            in_window = 0;
        }
        in_window += 1;
        if in_window > CONTROL_PER_SECOND_MAX {
            link.close(close::PROTOCOL, "too many control frames a second");
            return;
        }
        match frame {
            Ok(control) => take(&shared, &link, control),
            Err(StreamError::Wire(WireError::UnknownKind(kind))) => {
                debug!(peer = %link.peer.name, kind, "a control frame of a later version, skipped");
            }
            Err(StreamError::Wire(error)) => {
                info!(peer = %link.peer.name, %error, "the peer does not follow the protocol, link closed");
                link.close(close::PROTOCOL, &error.to_string());
                return;
            }
            Err(error) => {
                // A control stream that ends while the connection lives is a link nobody keeps.
                debug!(peer = %link.peer.name, %error, "control stream");
                link.close(close::BYE, "the control stream ended");
                return;
            }
        }
    }
}

fn take(shared: &Arc<Shared>, link: &Arc<Link>, control: Control) {
    match control {
        Control::Ping(ping) => {
            let now = now_us();
            link.tell(Control::Pong(Pong { number: ping.number, received_at_us: now, replied_at_us: now_us() }));
            shared.tell_camera(&link.peer);
        }
        Control::Pong(pong) => link.pong(&pong),
        Control::Presence(presence) => {
            link.set_camera(presence.camera);
            shared.tell_camera(&link.peer);
        }
        Control::Typing(typing) => {
            shared.emit(Event::Typing { peer: link.peer.name.clone(), active: typing.active });
        }
        Control::Read(read) => reading::told(link, MessageId(*read.id)),
        Control::Bye(bye) => {
            debug!(peer = %link.peer.name, detail = %one_line(&bye.detail), "the peer says goodbye");
        }
    }
}
