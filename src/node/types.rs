//! What goes in and comes out: commands, events and the plain types that they carry.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::camera::{CameraPlan, CameraStatus, Opener};
use super::dial::DialError;
use super::history::{Cursor, Kind, MessageId, Target};
use super::reasons::Matter;
use super::watch::{WatchError, WatchHandle, WatchOptions};
use crate::config::{Config, ConfigErrors, HistorySettings, Peer};
use crate::identity::PeerId;
use crate::quic::Traffic;
use crate::store::StoreError;

/// What kind of process the node is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The app, `run`, `camera`: listens, receives, keeps links to all peers. One per data folder.
    LongLived,
    /// A command that does one thing: an ephemeral port, no deliveries taken, dials only whom it needs.
    OneShot,
}

/// What a node needs to start, besides its identity.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What kind of process this is.
    pub role: Role,
    /// Where to listen; a one-shot node takes a free port instead.
    pub listen: SocketAddr,
    /// History, attachments, outbox.
    pub data: PathBuf,
    /// The peers of the table.
    pub peers: Vec<Peer>,
    /// The table that the peers came from: a long-lived node reads it again when its file changes.
    pub table: Option<Arc<Config>>,
    /// A QUIC key update at least this often.
    pub key_update: Duration,
    /// A fresh SM2 handshake at least this often.
    pub new_handshake: Duration,
    /// What is kept, and what others learn of our reading.
    pub history: HistorySettings,
}

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it is.
    pub kind: DraftKind,
    /// The name that the receiver sees; files and pictures have one.
    pub name: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<Target>,
}

/// The body of a draft.
#[derive(Clone)]
pub enum DraftKind {
    /// UTF-8 text.
    Text(String),
    /// A picture as it is; with `hide`, it is converted to PNG and the text is hidden in it.
    Picture {
        /// The picture file's bytes.
        bytes: Vec<u8>,
        /// What only the receiver can find.
        hide: Option<String>,
    },
    /// A WAV clip.
    Clip(Vec<u8>),
    /// A file on disk; it is copied, so that it may change or go afterwards.
    File(PathBuf),
    /// Another text for a message of ours.
    Edit {
        /// Which.
        of: MessageId,
        /// What it says from now on.
        text: String,
    },
    /// Takes a message of ours back, here and at the peer.
    Delete {
        /// Which.
        of: MessageId,
    },
    /// A few characters beside a message; none take the last ones back.
    React {
        /// Which, of either side.
        to: Target,
        /// At most 64 bytes.
        text: String,
    },
}

impl std::fmt::Debug for DraftKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Picture { bytes, hide } => {
                write!(f, "Picture({} bytes, hides a text: {})", bytes.len(), hide.is_some())
            }
            Self::Clip(bytes) => write!(f, "Clip({} bytes)", bytes.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Edit { of, text } => write!(f, "Edit({of}, {} bytes)", text.len()),
            Self::Delete { of } => write!(f, "Delete({of})"),
            Self::React { to, .. } => write!(f, "React({})", to.id),
        }
    }
}

/// What a node is told.
#[derive(Debug)]
pub enum Command {
    /// See [`super::Node::send`].
    Send {
        /// Name in the table.
        peer: String,
        /// What to send.
        draft: Draft,
        /// The message's id once it is in the outbox.
        reply: oneshot::Sender<Result<MessageId, SendError>>,
    },
    /// See [`super::Node::connect`].
    Connect {
        /// Name in the table.
        peer: String,
        /// The link, or why there is none.
        reply: oneshot::Sender<Result<LinkInfo, DialError>>,
    },
    /// See [`super::Node::ping`].
    Ping {
        /// Name in the table.
        peer: String,
        /// The round trip.
        reply: oneshot::Sender<Result<PongInfo, DialError>>,
    },
    /// See [`super::Node::watch`].
    Watch {
        /// Name in the table.
        peer: String,
        /// How.
        options: WatchOptions,
        /// Frames, or why there are none.
        reply: oneshot::Sender<Result<WatchHandle, WatchError>>,
    },
    /// See [`super::Node::publish`].
    Publish {
        /// What to capture and how.
        plan: CameraPlan,
        /// What opens the source, where the plan does not say.
        opener: Option<Opener>,
        /// Told when it is published.
        reply: oneshot::Sender<()>,
    },
    /// Does nothing: for whoever asks whether commands are carried out at all.
    Answer {
        /// Told when it is its turn.
        reply: oneshot::Sender<()>,
    },
    /// See [`super::Node::typing`].
    Typing {
        /// Name in the table.
        peer: String,
        /// Whether we are writing.
        active: bool,
    },
    /// See [`super::Node::mark_read`].
    MarkRead {
        /// Name in the table.
        peer: String,
        /// The last message that was read.
        up_to: Cursor,
    },
    /// See [`super::Node::retry`].
    Retry {
        /// Name in the table.
        peer: String,
        /// Which message.
        id: MessageId,
        /// Whether it had failed.
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// See [`super::Node::cancel`].
    Cancel {
        /// Name in the table.
        peer: String,
        /// Which message.
        id: MessageId,
        /// Whether there was something to cancel.
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// See [`super::Node::set_peers`].
    SetPeers {
        /// All of them.
        peers: Vec<Peer>,
        /// What that changed.
        reply: oneshot::Sender<TableChange>,
    },
    /// See [`super::Node::reload`].
    Reload {
        /// What that changed, or what is wrong with the file.
        reply: oneshot::Sender<Result<TableChange, TableError>>,
    },
    /// See [`super::Node::shutdown`].
    Shutdown {
        /// Told when all is closed.
        reply: oneshot::Sender<()>,
    },
}

/// What a node tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// The first link to a peer is up, or another one took over.
    Connected(LinkInfo),
    /// The last link to a peer is gone.
    Disconnected {
        /// Name in the table.
        peer: String,
        /// Why.
        reason: String,
    },
    /// A dial failed in another way than the one before.
    DialFailed {
        /// Name in the table.
        peer: String,
        /// Why.
        error: DialError,
    },
    /// The table has changed.
    Table(TableChange),
    /// A message is on disk.
    Message(Arrived),
    /// A body is on its way.
    Progress {
        /// Which message.
        id: MessageId,
        /// Bytes handed to the transport so far.
        sent: u64,
        /// Bytes of the body.
        total: u64,
    },
    /// The peer has the message on its disk.
    Delivered {
        /// Which message.
        id: MessageId,
        /// Name in the table.
        to: String,
        /// Bytes of the body.
        bytes: u64,
        /// From the offer to the receipt, milliseconds.
        ms: u64,
    },
    /// The peer has read messages of ours.
    Read {
        /// Name in the table.
        by: String,
        /// Which are read now that were not before, in the order that they were sent.
        ids: Vec<MessageId>,
    },
    /// The peer refused for good, or the body is gone.
    Failed {
        /// Which message.
        id: MessageId,
        /// Name in the table.
        to: String,
        /// Why.
        reason: String,
    },
    /// The peer refused for now; the message stays in the outbox.
    Deferred {
        /// Which message.
        id: MessageId,
        /// Name in the table.
        to: String,
        /// Why.
        reason: String,
    },
    /// The peer writes, or no longer.
    Typing {
        /// Name in the table.
        peer: String,
        /// Whether it is writing.
        active: bool,
    },
    /// A peer that is connected publishes a camera from now on, or no longer.
    Published {
        /// Name in the table.
        peer: String,
        /// Whether it does.
        camera: bool,
    },
    /// The camera has a signal, or none and why. Told at each change.
    Camera {
        /// What it captures.
        source: String,
        /// `None` while frames come.
        problem: Option<String>,
        /// The mend, where there is one. Viewers do not get it.
        hint: Option<String>,
    },
    /// Something that needs a person.
    Trouble {
        /// What and why.
        error: String,
        /// The mend.
        hint: Option<String>,
        /// The same for programs.
        matter: Matter,
    },
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its id.
    pub id: MessageId,
    /// Name in the table.
    pub from: String,
    /// Who that is.
    pub peer: PeerId,
    /// Its number among all of that peer: events may come in another order, the history has this one.
    pub seq: u64,
    /// When it was sent, by the sender's clock, in ms since 1970.
    pub sent_at_ms: i64,
    /// What it is.
    pub kind: Kind,
    /// The text of a text, an edit or a reaction.
    pub text: Option<String>,
    /// What it answers, edits, takes back or reacts to.
    pub target: Option<Target>,
    /// What was hidden in a picture.
    pub hidden: Option<String>,
    /// The sender's name for it, untrusted.
    pub name: Option<String>,
    /// Media type as the sender says.
    pub mime: Option<String>,
    /// Bytes of the body.
    pub bytes: u64,
}

/// A link that is up.
#[derive(Debug, Clone)]
pub struct LinkInfo {
    /// Name in the table.
    pub peer: String,
    /// Where the peer is.
    pub address: SocketAddr,
    /// Cipher suite.
    pub suite: String,
    /// Key exchange group.
    pub group: String,
    /// Since the SM2 handshake.
    pub key_age: Duration,
    /// Whether the peer publishes a camera.
    pub camera: bool,
}

/// What a change of the table brought, by the peers' names. Whoever is removed loses its links at once; whoever
/// lost a right or was renamed gets new ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableChange {
    /// New peers.
    pub added: Vec<String>,
    /// Peers that are not in it any more.
    pub removed: Vec<String>,
    /// Peers with another name, other addresses or other rights, by their new names.
    pub changed: Vec<String>,
}

/// Why the table was not read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The node was started without a file.
    #[error("the peers of this node came from no file")]
    NoFile,
    /// The one before holds.
    #[error("the table has changed and is faulty, the one before holds: {0}")]
    Faulty(ConfigErrors),
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

/// A round trip.
#[derive(Debug, Clone)]
pub struct PongInfo {
    /// The link it went over.
    pub link: LinkInfo,
    /// From ping to pong.
    pub rtt: Duration,
    /// The peer's clock minus ours, microseconds.
    pub clock_offset_us: i64,
    /// How far off that may be, microseconds.
    pub clock_error_us: u64,
}

/// Counters and links.
#[derive(Debug, Clone)]
pub struct Status {
    /// At the socket.
    pub traffic: Traffic,
    /// QUIC key updates over all connections.
    pub key_updates: u64,
    /// Links, one row each.
    pub links: Vec<LinkInfo>,
    /// The camera, where one is published.
    pub camera: Option<CameraStatus>,
}

/// Why a message did not get into the outbox.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No such peer.
    #[error("no peer {0:?} in the table")]
    NoPeer(String),
    /// Over a limit.
    #[error("{what} has {bytes} bytes, at most {bytes_max} are allowed")]
    TooLarge {
        /// "the text", "the picture" …
        what: &'static str,
        /// What it has.
        bytes: u64,
        /// What it may have.
        bytes_max: u64,
    },
    /// There is nothing to send.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Not a picture, or one over the limits.
    #[error("the picture cannot be sent: {0}")]
    Picture(String),
    /// Not a clip that can be sent.
    #[error("the clip cannot be sent: {0}")]
    Clip(String),
    /// The text does not fit into the picture.
    #[error("the hidden text has {bytes} bytes, this picture can hide {capacity}")]
    DoesNotFit {
        /// What it has.
        bytes: usize,
        /// What fits.
        capacity: usize,
    },
    /// The store would not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl SendError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPeer(_) => Some("`peers.toml` names the peers; add a [[peer]] with this name".into()),
            Self::TooLarge { what: "the reaction", .. } => {
                Some("a reaction is an emoji or a word: use fewer characters".into())
            }
            Self::TooLarge { what, .. } => Some(format!("send {what} in parts, or as a file with --file")),
            Self::Empty(_) => Some("give something to send".into()),
            Self::Picture(_) => Some("send it as a file with --file if the bytes are what matters".into()),
            Self::Clip(_) => Some("PCM or float WAV of up to 60 s can be sent; anything else goes with --file".into()),
            Self::DoesNotFit { .. } => Some("shorten the text or take a larger picture with more texture".into()),
            Self::Store(error) => error.hint(),
            Self::Stopped => None,
        }
    }
}
