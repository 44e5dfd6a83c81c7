//! What the window asks of the engine, and what the engine tells the window.

mod line;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use egui::ColorImage;
use zeroize::Zeroizing;

use crate::config::edit;
use crate::gui::model::camera::Watch;
use crate::gui::model::settings::Settings;
use crate::gui::said::Said;
use crate::gui::sound;
use crate::identity::PeerId;
use crate::node::history::{Cursor, MessageId, Place, Target};

pub use line::{Line, Staged, StagedBody, Summary};

/// Something that went wrong, with its mend: for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What and why.
    pub error: String,
    /// The mend, where there is one.
    pub hint: Option<String>,
    /// The same for the catalogues; without it the two above are shown.
    pub said: Option<Said>,
}

impl Fault {
    /// One from the parts that every error of ours has.
    pub fn new(error: impl ToString, hint: Option<String>) -> Self {
        Self { error: error.to_string(), hint, said: None }
    }
}

/// What the window asks for.
pub enum Ask {
    /// Makes a key and a table, or the one that is missing; answered by [`News::Stage`].
    MakeIdentity {
        /// What we are called here.
        name: String,
        /// Locks the key; none for a key without.
        passphrase: Option<Zeroizing<String>>,
        /// Where we listen; none for the usual port on every address.
        listen: Option<SocketAddr>,
    },
    /// Opens the key.
    Unlock(Zeroizing<String>),
    /// Starts again after a fault.
    TryAgain,
    /// Changes the table.
    Table(Vec<edit::Change>),
    /// The number that both sides compare; answered by [`News::SafetyNumber`].
    SafetyNumber {
        /// With whom.
        peer: PeerId,
    },
    /// Tries to reach a peer now; answered by [`News::Checked`].
    Check {
        /// Whom.
        peer: PeerId,
    },
    /// A page of a conversation; answered by [`News::Page`].
    Page {
        /// With whom.
        peer: PeerId,
        /// Which.
        place: Place,
    },
    /// Sends something; answered by [`News::Sent`] or [`News::NotSent`].
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        what: Outgoing,
        /// The message that it answers.
        reply_to: Option<Target>,
        /// Given back in the answer.
        ticket: u64,
    },
    /// We are writing, or no longer.
    Typing {
        /// To whom.
        peer: PeerId,
        /// Whether.
        active: bool,
    },
    /// All up to there was seen.
    Read {
        /// With whom.
        peer: PeerId,
        /// The last message that was seen.
        up_to: Cursor,
    },
    /// Sends a failed message again.
    Retry {
        /// To whom.
        peer: PeerId,
        /// Which.
        id: MessageId,
    },
    /// Takes a message out of the outbox.
    Cancel {
        /// To whom.
        peer: PeerId,
        /// Which.
        id: MessageId,
    },
    /// Deletes a message here alone.
    Forget {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
    },
    /// A picture of a conversation, at the size that it is shown in; answered by [`News::Picture`].
    Picture {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
        /// Pixels of its longer side at most.
        side_max: u32,
    },
    /// Writes a message as a file, in the clear; answered by [`News::Saved`].
    Save {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
    },
    /// Shows the folder of a file in the desktop's own way.
    OpenFolder(PathBuf),
    /// Lists a folder, without one the home; answered by [`News::Folder`].
    List(Option<PathBuf>),
    /// Looks at a file that is to be sent; answered by [`News::Staged`].
    Stage {
        /// To whom.
        peer: PeerId,
        /// The file.
        path: PathBuf,
    },
    /// Looks at a picture that was pasted; answered by [`News::Staged`].
    StagePasted {
        /// To whom.
        peer: PeerId,
        /// The picture.
        picture: Arc<ColorImage>,
    },
    /// Messages with these words; answered by [`News::Found`].
    Search {
        /// What to look for.
        words: String,
        /// With whom; none for everybody.
        peer: Option<PeerId>,
        /// Given back in the answer.
        ticket: u64,
    },
    /// Tells somebody who does not look at the window.
    Notify(Notification),
    /// Keeps what was chosen.
    KeepSettings(Settings),
    /// Says goodbye and ends.
    Quit,
    /// Records, plays, or draws a clip.
    Sound(sound::Ask),
    /// Looks for a message that an answer names; answered by [`News::Located`] where it is still there.
    Locate {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
    },
    /// Shows a web page in the desktop's own way.
    OpenLink(String),
    /// Keeps what is being written, for the next start; an empty text takes it away.
    KeepDraft {
        /// To whom.
        peer: PeerId,
        /// What.
        text: String,
    },
    /// Watches these cameras and no others; pictures go onto their screens.
    Watch(Vec<Watch>),
    /// Keeps a picture of a camera; answered by [`News::Saved`].
    Snapshot {
        /// Whose it is, for the file's name.
        name: String,
        /// When that was, for the file's name.
        stamp: String,
        /// The picture as it came.
        jpeg: Bytes,
    },
    /// Where others reach us; answered by [`News::Addresses`].
    Addresses,
    /// A search is likely to come.
    PrepareSearch,
}

/// What is told outside of the window.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// From whom; a later one takes its place.
    pub peer: PeerId,
    /// What opening the conversation is called.
    pub open: String,
    /// From whom, for people.
    pub title: String,
    /// What, as far as that may be seen.
    pub body: String,
}

// contents stay out of logs
impl std::fmt::Debug for Notification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notification({} bytes)", self.body.len())
    }
}

/// What is sent.
#[derive(Clone)]
pub enum Outgoing {
    /// A text.
    Text(String),
    /// A file or a picture that was looked at, with the text that the picture is to hide.
    Staged(Arc<Staged>, Option<String>),
    /// Another text for a message of ours.
    Edit(MessageId, String),
    /// Takes a message of ours back, here and there.
    Delete(MessageId),
    /// A few characters beside a message; none take the last ones back.
    React(Target, String),
}

/// What the engine tells.
pub enum News {
    /// How far the start has come.
    Stage(Stage),
    /// The peers of the table, in its order; also after each change of the table.
    Peers(Vec<PeerRow>),
    /// The table was not changed, and why.
    TableRefused(Fault),
    /// The number that both sides compare.
    SafetyNumber {
        /// With whom.
        peer: PeerId,
        /// Groups of digits, separated by spaces.
        number: String,
    },
    /// What a try to reach a peer has found.
    Checked {
        /// Whom.
        peer: PeerId,
        /// What.
        check: Check,
    },
    /// A link came up or went away.
    Presence {
        /// Whose.
        peer: PeerId,
        /// What is known of it.
        presence: Presence,
    },
    /// The round trip to a peer.
    RoundTrip {
        /// To whom.
        peer: PeerId,
        /// How long.
        rtt: Duration,
    },
    /// A peer writes, or no longer.
    Typing {
        /// Who.
        peer: PeerId,
        /// Whether.
        active: bool,
    },
    /// Unread messages and the last one, of everybody with whom something is stored.
    Summaries(Vec<Summary>),
    /// A page that was asked for.
    Page {
        /// With whom.
        peer: PeerId,
        /// Which.
        place: Place,
        /// Its messages, oldest first.
        lines: Vec<Line>,
        /// Whether there is more beyond it.
        more: bool,
    },
    /// Messages that are new or not as they were.
    Lines {
        /// With whom.
        peer: PeerId,
        /// As they are now.
        lines: Vec<Line>,
        /// Whether they came just now, from there.
        arrived: bool,
    },
    /// A message is no longer there.
    Gone {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
    },
    /// A body is on its way.
    Progress {
        /// Which message.
        id: MessageId,
        /// Bytes so far.
        sent: u64,
        /// Bytes of all.
        total: u64,
    },
    /// What was asked to be sent is in the outbox.
    Sent {
        /// Of the ask.
        ticket: u64,
    },
    /// It is not, and why.
    NotSent {
        /// Of the ask.
        ticket: u64,
        /// Why.
        fault: Fault,
    },
    /// A file or picture that was looked at.
    Staged {
        /// For whom.
        peer: PeerId,
        /// What it is, or why it cannot be sent.
        staged: Result<Arc<Staged>, Fault>,
    },
    /// A picture that was asked for.
    Picture {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
        /// The picture, or why there is none.
        picture: Result<Arc<ColorImage>, Fault>,
    },
    /// A folder, for whoever chooses a file.
    Folder(Folder),
    /// Where a message was saved.
    Saved(PathBuf),
    /// What a search found, newest last.
    Found {
        /// Of the ask.
        ticket: u64,
        /// With whom, and what.
        lines: Vec<(PeerId, Line)>,
    },
    /// What was chosen before.
    Settings(Settings),
    /// A page that was asked for cannot be read; why is told beside it.
    PageFailed {
        /// With whom.
        peer: PeerId,
        /// Which.
        place: Place,
    },
    /// Something that needs a person.
    Trouble(Fault),
    /// The system wants the app to end.
    Interrupted,
    /// Of what is recorded and played.
    Sound(sound::News),
    /// Where a message was saved.
    SavedAs {
        /// With whom.
        peer: PeerId,
        /// Which.
        target: Target,
        /// The file.
        path: PathBuf,
    },
    /// What was being written before the start.
    Draft {
        /// To whom.
        peer: PeerId,
        /// What.
        text: String,
    },
    /// A message that was looked for.
    Located {
        /// With whom.
        peer: PeerId,
        /// The message.
        line: Line,
    },
    /// The notification of a peer was pressed.
    NotificationPressed(PeerId),
    /// The desktop shows notifications, or why not.
    Notifies(Result<(), Fault>),
    /// Where others reach us, the likeliest first.
    Addresses(Vec<String>),
    /// Messages may have come or changed that nothing was told of.
    Missed,
}

/// How far the start has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Nothing is known yet.
    Starting,
    /// There is no table, or its key is not there: an identity is to be made.
    NoIdentity {
        /// Where the table is, or will be.
        table: PathBuf,
        /// Whether a table is there and only its key is missing.
        only_key: bool,
        /// Why the last try failed.
        fault: Option<Fault>,
    },
    /// The key wants its passphrase.
    Locked {
        /// The key file.
        key: PathBuf,
        /// Why the last try failed.
        fault: Option<Fault>,
    },
    /// It cannot start.
    Broken(Fault),
    /// It runs.
    Running(Me),
    /// It has ended.
    Ended,
}

/// Ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// What we are called in our own window.
    pub name: String,
    /// The line for the other side's table.
    pub key_line: String,
    /// For people to compare.
    pub fingerprint: String,
    /// Where we listen.
    pub listen: String,
    /// The table.
    pub table: PathBuf,
    /// What others may write as our address.
    pub reached: Vec<String>,
}

/// A peer of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// Who.
    pub id: PeerId,
    /// What it is called here.
    pub name: String,
    /// Its key.
    pub key_line: String,
    /// Where it is dialled.
    pub addresses: Vec<String>,
    /// Whether it may send us messages.
    pub may_chat: bool,
    /// Whether it may watch our camera.
    pub may_watch: bool,
}

/// A folder and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Which.
    pub path: PathBuf,
    /// The one that it is in.
    pub parent: Option<PathBuf>,
    /// What is in it, folders first.
    pub entries: Vec<FolderEntry>,
}

/// A file or a folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its size.
    pub bytes: u64,
}

/// What stands between us and a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Datagrams that came in since the start, from anybody.
    pub received: u64,
    /// Those among them whose sender did not know our key.
    pub strangers: u64,
    /// Where others reach us, the likeliest first.
    pub addresses: Vec<String>,
    /// The round trip of now, or why there was none.
    pub pong: Result<Pong, Fault>,
}

/// A round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// In ms.
    pub rtt_ms: u64,
    /// Cipher suite and key exchange.
    pub suite: String,
    /// The peer's clock minus ours, in ms.
    pub clock_offset_ms: i64,
}

/// Whether a peer is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Not since the start.
    Unknown,
    /// There is a link.
    Here {
        /// Where.
        address: String,
        /// Cipher suite and key exchange.
        suite: String,
        /// Whether it publishes a camera.
        camera: bool,
    },
    /// There is none, and why, as far as that is known.
    Away(Option<Fault>),
}
