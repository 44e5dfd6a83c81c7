//! Messages as the window has them, and files before they are messages.

use std::path::PathBuf;
use std::sync::Arc;

use egui::ColorImage;

use crate::gui::sound;
use crate::identity::PeerId;
use crate::node::history::{Cursor, Direction, Kind, Reaction, State, Target};

/// A conversation in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// With whom.
    pub peer: PeerId,
    /// Messages that were not seen.
    pub unread: u64,
    /// The newest message.
    pub last: Option<Line>,
}

/// A message, ready to be shown: text from the peer is made harmless.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Direction and id.
    pub target: Target,
    /// Its place in the history.
    pub order_ms: i64,
    /// Its number among all of its direction.
    pub seq: u64,
    /// What it is.
    pub kind: Kind,
    /// When it was sent, by the sender's clock, in ms since 1970.
    pub sent_ms: i64,
    /// How far it has come.
    pub state: State,
    /// Its text.
    pub text: Option<String>,
    /// What is hidden in it.
    pub hidden: Option<String>,
    /// The name of its file.
    pub name: Option<String>,
    /// Bytes of its body.
    pub bytes: u64,
    /// Why it failed.
    pub reason: Option<String>,
    /// What it answers, with the beginning of that.
    pub reply: Option<(Target, Option<String>)>,
    /// Whether its text was changed.
    pub edited: bool,
    /// What both sides say to it.
    pub reactions: Vec<Reaction>,
    /// Whether it was changed on the disk.
    pub damaged: bool,
}

// contents stay out of logs
impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({} {} {} {})", self.target.direction, self.target.id, self.kind, self.state)
    }
}

impl Line {
    /// For [`Place`].
    pub fn cursor(&self) -> Cursor {
        (self.order_ms, self.target.id)
    }

    /// Whether we sent it.
    pub fn is_ours(&self) -> bool {
        self.target.direction == Direction::Out
    }
}

/// A file or a picture that is to be sent.
pub struct Staged {
    /// The name that the peer will see.
    pub name: String,
    /// Bytes of it.
    pub bytes: u64,
    /// What it is.
    pub body: StagedBody,
}

/// What a staged file is.
pub enum StagedBody {
    /// A picture.
    Picture {
        /// The file's bytes.
        file: Vec<u8>,
        /// As it is shown before it is sent.
        preview: Arc<ColorImage>,
        /// Bytes of text that it can hide.
        capacity: usize,
    },
    /// Anything else.
    File(PathBuf),
    /// A voice clip.
    Clip(Arc<sound::Clip>),
}

// contents stay out of logs
impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staged({} bytes)", self.bytes)
    }
}
