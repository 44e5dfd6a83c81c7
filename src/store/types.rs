//! The plain types of the store: ids, kinds, states and messages.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::identity::PeerId;

/// The id of a message: a UUIDv7 (RFC 9562 §5.7), made by its sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The id for the time `unix_ms` and 10 random bytes, of which 74 bits are used.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid();
        MessageId(uuid.into_bytes())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// A text that is no message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message id: 32 hexadecimal digits with hyphens are wanted")]
pub struct MessageIdError;

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let uuid = uuid::Uuid::try_parse(text).map_err(|_| MessageIdError)?;
        Ok(MessageId(uuid.into_bytes()))
    }
}

/// Declares an enum with a number for the database and a word for people and JSON.
macro_rules! coded {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The word of the JSON lines.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            pub(super) fn code(self) -> i64 {
                match self { $($name::$variant => $code,)* }
            }

            pub(super) fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

coded! {
    /// What a message is.
    Kind {
        /// Text; it is its own body.
        Text = 0, "text";
        /// A picture, perhaps with a hidden text.
        Picture = 1, "picture";
        /// A voice clip.
        Clip = 2, "clip";
        /// Any file.
        File = 3, "file";
        /// Takes a message back that its author has sent.
        Deletion = 4, "deletion";
        /// Another text for a message that its author has sent.
        Edit = 5, "edit";
        /// A short answer to a message, shown beside it; an empty one takes the last one back.
        Reaction = 6, "reaction";
    }
}

coded! {
    /// Which way a message went.
    Direction {
        /// From the peer to us.
        In = 0, "in";
        /// From us to the peer.
        Out = 1, "out";
    }
}

coded! {
    /// How far a message has come.
    State {
        /// Waits in the outbox.
        Queued = 0, "queued";
        /// A process has claimed it and is sending.
        Sending = 1, "sending";
        /// The peer's receipt came.
        Delivered = 2, "delivered";
        /// The peer refused it for good.
        Failed = 3, "failed";
        /// It came from the peer and is stored.
        Received = 4, "received";
        /// The peer has read it.
        Read = 5, "read";
        /// It came from the peer and was read here.
        Seen = 6, "seen";
    }
}

impl Kind {
    /// Whether it says something by itself: a text, a picture, a clip, a file. The others say something about another
    /// message.
    pub fn is_content(self) -> bool {
        matches!(self, Kind::Text | Kind::Picture | Kind::Clip | Kind::File)
    }
}

/// The message that another one is about: what it answers, edits, deletes or reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Which way the message went, seen from here: `In` is the peer's.
    pub direction: Direction,
    /// Its id.
    pub id: MessageId,
}

/// What one side says to a message, beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Reaction {
    /// `In` is the peer's, `Out` ours.
    pub direction: Direction,
    /// A few characters, such as an emoji.
    pub text: String,
}

/// A stored message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's id for it.
    pub id: MessageId,
    /// The other side.
    pub peer: PeerId,
    /// Which way it went.
    pub direction: Direction,
    /// Its number among all of this peer and direction, from 1.
    pub seq: u64,
    /// What it is.
    pub kind: Kind,
    /// When the sender sent it, by the sender's clock, in ms since 1970.
    pub sent_at_ms: i64,
    /// When we stored it, by our clock, in ms since 1970.
    pub stored_at_ms: i64,
    /// Its place in the history; see [`Message::cursor`].
    pub order_ms: i64,
    /// How far it has come.
    pub state: State,
    /// The text of a text message, or what was said with an attachment.
    pub text: Option<String>,
    /// The text that was hidden in a picture.
    pub hidden: Option<String>,
    /// The file name that the sender gave: data, never a path of ours.
    pub name: Option<String>,
    /// The media type that the sender gave.
    pub mime: Option<String>,
    /// The size of the body.
    pub bytes: u64,
    /// The SM3 of the body.
    pub sm3: [u8; 32],
    /// Why it failed.
    pub reason: Option<String>,
    /// Whether its body is a file of its own, to be read with [`super::Store::body`].
    pub attached: bool,
    /// What it answers, edits, deletes or reacts to.
    pub target: Option<Target>,
    /// When its text was changed, by the author's clock, in ms since 1970.
    pub edited_at_ms: Option<i64>,
    /// What both sides say to it now; filled in by [`super::Store::page`] alone.
    pub reactions: Vec<Reaction>,
    /// It was changed on the disk: what is private in it is missing here.
    pub damaged: bool,
    /// What is to be sent, where the text was edited before.
    pub(super) original: Option<String>,
}

/// A place in the history: see [`Message::cursor`].
pub type Cursor = (i64, MessageId);

/// Which page of the history.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// With whom; `None` for everybody.
    pub peer: Option<&'a PeerId>,
    /// From where, and in which direction.
    pub from: Place,
    /// Messages at most; [`super::PAGE_MESSAGES_MAX`] is more than enough.
    pub limit: usize,
    /// Only messages whose text, hidden text or file name has this, whatever the case.
    pub words: Option<&'a str>,
}

// contents stay out of logs
impl fmt::Debug for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reaction({}, {} bytes …)", self.direction, self.text.len())
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({:?}, limit {}, words: {})", self.from, self.limit, self.words.is_some())
    }
}

impl Default for Query<'_> {
    /// The newest page, of 50 messages.
    fn default() -> Self {
        Query { peer: None, from: Place::Newest, limit: 50, words: None }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest messages.
    Newest,
    /// Those before a message.
    Before(Cursor),
    /// Those after a message.
    After(Cursor),
    /// The oldest messages.
    Oldest,
}

impl Place {
    pub(super) fn is_backward(self) -> bool {
        matches!(self, Place::Newest | Place::Before(_))
    }
}

/// A conversation in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// With whom.
    pub peer: PeerId,
    /// Messages from there that were not read here.
    pub unread: u64,
    /// The newest message.
    pub last: Option<Message>,
}

impl Message {
    /// Its place in the history, for [`Place`].
    pub fn cursor(&self) -> Cursor {
        (self.order_ms, self.id)
    }
}

// contents stay out of logs
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .field("seq", &self.seq)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// The body of a message to send.
pub enum Body {
    /// Text in UTF-8.
    Text(String),
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file, which is copied: it may change or go afterwards.
    File(PathBuf),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Text(text) => write!(f, "Text({} bytes …)", text.len()),
            Body::Bytes(bytes) => write!(f, "Bytes({} bytes …)", bytes.len()),
            Body::File(_) => write!(f, "File(…)"),
        }
    }
}

/// A message to put into the outbox.
pub struct NewOutgoing {
    /// A fresh id.
    pub id: MessageId,
    /// To whom.
    pub peer: PeerId,
    /// What it is. A text has a [`Body::Text`] and no `text` beside it.
    pub kind: Kind,
    /// What is said with an attachment.
    pub text: Option<String>,
    /// The text that was hidden in the picture, for our own history.
    pub hidden: Option<String>,
    /// The file name to tell the peer.
    pub name: Option<String>,
    /// The media type to tell the peer.
    pub mime: Option<String>,
    /// What it answers, edits, deletes or reacts to.
    pub target: Option<Target>,
    /// What is sent. Edits, deletions and reactions have a [`Body::Text`].
    pub body: Body,
}

impl fmt::Debug for NewOutgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOutgoing")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// A process's claim on an outgoing message: nobody else sends it before the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The instance that claims, random per process.
    pub owner: [u8; 16],
    /// Until when, in ms since 1970.
    pub until_ms: i64,
}

/// What an offer of a peer says about a body to come.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The sender's id for it.
    pub id: MessageId,
    /// The sender's number for it.
    pub seq: u64,
    /// What it is.
    pub kind: Kind,
    /// The sender's time, in ms since 1970.
    pub sent_at_ms: i64,
    /// The size of the body.
    pub bytes: u64,
    /// A file name, from the peer: data, never a path.
    pub name: Option<String>,
    /// A media type, from the peer.
    pub mime: Option<String>,
    /// The SM3 of the body.
    pub sm3: [u8; 32],
    /// What it answers, edits, deletes or reacts to.
    pub target: Option<Target>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("id", &self.id)
            .field("seq", &self.seq)
            .field("kind", &self.kind)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What the store knows of an incoming id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is stored, with these facts.
    Stored {
        /// What it is.
        kind: Kind,
        /// Its size.
        bytes: u64,
        /// Its SM3.
        sm3: [u8; 32],
    },
    /// It was stored and has been deleted since.
    Tombstone,
}

impl Known {
    /// Whether `offer` is the very message that is known: then it needs a receipt and nothing else.
    pub fn is_same(&self, offer: &Incoming) -> bool {
        match self {
            Known::Stored { kind, bytes, sm3 } => (*kind, *bytes, *sm3) == (offer.kind, offer.bytes, offer.sm3),
            Known::Tombstone => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuid_v7_and_sort_by_time() {
        let early = MessageId::new(0x0123_4567_89ab, [0xff; 10]);
        assert_eq!(early.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early < MessageId::new(0x0123_4567_89ac, [0; 10]));
        assert_eq!("nonsense".parse::<MessageId>(), Err(MessageIdError));
    }

    #[test]
    fn codes_come_back() {
        for code in 0..7 {
            assert_eq!(State::from_code(code).unwrap().code(), code);
            assert_eq!(Kind::from_code(code).unwrap().code(), code);
        }
        assert_eq!(State::from_code(7), None);
        assert_eq!(Kind::Clip.as_str(), "clip");
    }

    #[test]
    fn contents_stay_out_of_debug() {
        let body = Body::Text("secret".into());
        assert!(!format!("{body:?}").contains("secret"));
    }
}
