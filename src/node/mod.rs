//! The engine: links to peers, delivery, camera fan-out. One value with a bounded [`Command`] channel in and
//! [`Event`]s out.
//!
//! - [`table`]: whom we know and what they may do; [`follow`]: the table changes; - [`link`]: one connection that both sides settled on;
//! - [`dial`], [`answer`]: how links come to be; - [`settle`]: which of two links stays (pure);
//! - [`control`], [`clock`]: pings, presence, the offset between the clocks;
//! - [`draft`], [`outgoing`], [`incoming`]: messages; - [`hidden`]: text sealed for a picture;
//! - [`reading`]: what was read, and how long it is kept; - [`reasons`]: why something was not done;
//! - [`camera`], [`viewer`], [`pacing`], [`watch`]: live frames; - [`history`]: what is stored; - [`text`]: of peers.

mod answer;
pub mod camera;
pub mod clock;
mod control;
pub mod dial;
mod draft;
mod follow;
pub mod hidden;
pub mod history;
mod incoming;
mod io;
mod link;
mod outgoing;
pub mod pacing;
mod reading;
pub mod reasons;
mod run;
pub mod save;
#[doc(hidden)]
pub mod script;
pub mod settle;
mod shared;
mod table;
pub mod text;
mod types;
mod viewer;
pub mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use crate::quic::EndpointError;
pub use crate::wire::{Reason, SizeClass, limits};
pub use camera::{CameraPlan, CameraStatus, Opener};
pub use dial::DialError;
pub use history::{Direction, Message, MessageId, State, Target};
pub use shared::NodeError;
pub use types::{
    Arrived, Command, Draft, DraftKind, Event, LinkInfo, PongInfo, Role, SendError, Settings, Status, TableChange,
    TableError,
};
pub use watch::{WatchCounts, WatchError, WatchFrame, WatchHandle, WatchNews, WatchOptions};

use crate::identity::{Identity, PeerId};
use shared::Shared;

/// Commands that may wait; a sender waits for room.
pub const COMMANDS_MAX: usize = 64;
/// Events that may wait. Whoever does not read them slows the node's news, never its links.
pub const EVENTS_MAX: usize = 1_024;

/// The last tasks of a node that was shut down end within this time.
const FREED: Duration = Duration::from_secs(3);
/// Looked at this often meanwhile.
const TASKS_POLL: Duration = Duration::from_millis(2);

/// A running node. Dropping it stops the node without farewells; [`Node::shutdown`] says goodbye.
pub struct Node {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl Node {
    /// Opens the store, binds the port and starts. Needs a tokio runtime.
    pub async fn start(identity: Identity, settings: Settings) -> Result<(Self, mpsc::Receiver<Event>), NodeError> {
        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let (commands, commands_out) = mpsc::channel(COMMANDS_MAX);
        let shared = Shared::start(identity, settings, events_in).await?;
        run::start(shared.clone(), commands_out);
        Ok((Self { commands, shared }, events))
    }

    /// Where commands go in; for an owner that keeps the channel apart from the node.
    pub fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// The bound UDP address.
    pub fn address(&self) -> std::net::SocketAddr {
        self.shared.address
    }

    /// What a peer is called in the table as it is now; none for one that is not in it.
    pub fn name_of(&self, id: &PeerId) -> Option<String> {
        self.shared.table.by_id(id).map(|entry| entry.name.clone())
    }

    /// Puts a message into the outbox and starts its delivery. The result is its id; news of it come as events.
    pub async fn send(&self, peer: &str, draft: Draft) -> Result<MessageId, SendError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Send { peer: peer.to_owned(), draft, reply }).await;
        answer.await.unwrap_or(Err(SendError::Stopped))
    }

    /// Waits for a link to the peer, dialling now, or says why there is none.
    pub async fn connect(&self, peer: &str) -> Result<LinkInfo, DialError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Connect { peer: peer.to_owned(), reply }).await;
        answer.await.unwrap_or(Err(DialError::Stopped))
    }

    /// One round trip over the link to the peer.
    pub async fn ping(&self, peer: &str) -> Result<PongInfo, DialError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Ping { peer: peer.to_owned(), reply }).await;
        answer.await.unwrap_or(Err(DialError::Stopped))
    }

    /// Views the peer's camera until the handle is dropped.
    pub async fn watch(&self, peer: &str, options: WatchOptions) -> Result<WatchHandle, WatchError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Watch { peer: peer.to_owned(), options, reply }).await;
        answer.await.unwrap_or(Err(WatchError::Stopped))
    }

    /// Publishes a camera; a second one takes the place of the first. Resolves when viewers can come, after 2 s at the
    /// latest. A camera that is not there yet is published all the same: its viewers are told that there is no signal,
    /// and why.
    pub async fn publish(&self, plan: CameraPlan) {
        self.publish_by(plan, None).await;
    }

    /// Publishes a camera whose source is opened by `opener`, not by the plan's name for it.
    pub async fn publish_opened_by(&self, plan: CameraPlan, opener: Opener) {
        self.publish_by(plan, Some(opener)).await;
    }

    async fn publish_by(&self, plan: CameraPlan, opener: Option<Opener>) {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Publish { plan, opener, reply }).await;
        let _ = answer.await;
    }

    /// Tells a peer that we are writing, or no longer.
    pub async fn typing(&self, peer: &str, active: bool) {
        self.command(Command::Typing { peer: peer.to_owned(), active }).await;
    }

    /// Counts what came from the peer as read, up to that message ([`Message::cursor`]), and tells the peer unless the
    /// table says not to.
    pub async fn mark_read(&self, peer: &str, up_to: history::Cursor) {
        self.command(Command::MarkRead { peer: peer.to_owned(), up_to }).await;
    }

    /// Sends a message again that failed. `false`: it has not failed.
    pub async fn retry(&self, peer: &str, id: MessageId) -> Result<bool, crate::store::StoreError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Retry { peer: peer.to_owned(), id, reply }).await;
        answer.await.unwrap_or(Ok(false))
    }

    /// Takes a message out of the outbox for good. `false`: there is none that waits or failed.
    pub async fn cancel(&self, peer: &str, id: MessageId) -> Result<bool, crate::store::StoreError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Cancel { peer: peer.to_owned(), id, reply }).await;
        answer.await.unwrap_or(Ok(false))
    }

    /// Takes another list of peers in place of the table's: see [`TableChange`].
    pub async fn set_peers(&self, peers: Vec<crate::config::Peer>) -> Result<TableChange, TableError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::SetPeers { peers, reply }).await;
        answer.await.map_err(|_| TableError::Stopped)
    }

    /// Reads the table's file again, now rather than when its change is noticed. A faulty one changes nothing.
    pub async fn reload(&self) -> Result<TableChange, TableError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Reload { reply }).await;
        answer.await.unwrap_or(Err(TableError::Stopped))
    }

    /// Counters and links, now.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// What is stored, as `miyu history` reads it.
    pub fn history(&self) -> history::History {
        history::History::of(self.shared.store.clone())
    }

    /// Says goodbye to every peer and stops. Deliveries under way go back to the outbox.
    /// The port and the folder are free afterwards.
    pub async fn shutdown(self) {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Shutdown { reply }).await;
        let _ = answer.await;
        let port = self.shared.endpoint.port();
        let store = self.shared.store.clone();
        let shared = Arc::downgrade(&self.shared);
        drop(self);
        // The folder's lock goes with the last task that shares it, and none of them tells when it has ended.
        let deadline = Instant::now() + FREED;
        while shared.strong_count() > 0 && Instant::now() < deadline {
            tokio::time::sleep(TASKS_POLL).await;
        }
        port.freed(deadline.saturating_duration_since(Instant::now())).await;
        // A claim that was under way when the node stopped came after all had been given back.
        let _ = tokio::task::spawn_blocking(move || store.release_dead()).await;
    }

    /// A node that has stopped drops the command, and with it the reply: the caller sees that.
    async fn command(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
