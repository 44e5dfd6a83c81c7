//! The frames, one type each. The numbers are the CBOR map keys of `docs/protocol.md`; a number is never used again
//! for something else.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::limits::{
    AGENT_BYTES_MAX, CAMERA_FRAME_BYTES_MAX, CAMERA_SIDE_PIXELS_MAX, CLIP_BYTES_MAX, DETAIL_BYTES_MAX, FILE_BYTES_MAX,
    MIME_BYTES_MAX, NAME_BYTES_MAX, PICTURE_BYTES_MAX, REACTION_BYTES_MAX, TEXT_BYTES_MAX,
};
use super::{Frame, WireError};

/// The first frame of every bidirectional stream: what the stream is for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Opening {
    /// The control stream, the first one of a connection, opened by the dialler.
    #[n(0)]
    Control(#[n(0)] Hello),
    /// One message, opened by its sender.
    #[n(1)]
    Deliver(#[n(0)] Offer),
    /// A view of the camera, opened by the viewer.
    #[n(2)]
    Watch(#[n(0)] WatchRequest),
}

/// The dialler introduces its process and this connection. It carries no name: names come from the table.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Random for each process: two processes of one identity are told apart.
    #[n(0)]
    pub instance: ByteArray<16>,
    /// Names this connection, so that a later one can replace it.
    #[n(1)]
    pub link: ByteArray<16>,
    /// False for a one-shot command, which takes no deliveries.
    #[n(2)]
    pub receives: bool,
    /// The connection that this one takes over.
    #[n(3)]
    pub replaces: Option<ByteArray<16>>,
    /// Whether a camera is published.
    #[n(4)]
    pub camera: bool,
    /// Software and version, for people.
    #[n(5)]
    pub agent: Option<String>,
}

/// The responder takes the dialler in: only now is the link up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Welcome {
    /// As in [`Hello`].
    #[n(0)]
    pub instance: ByteArray<16>,
    /// As in [`Hello`].
    #[n(1)]
    pub receives: bool,
    /// As in [`Hello`].
    #[n(2)]
    pub camera: bool,
    /// As in [`Hello`].
    #[n(3)]
    pub agent: Option<String>,
}

/// What follows `Hello` and `Welcome` on the control stream, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Control {
    /// The state of the other side.
    #[n(0)]
    Presence(#[n(0)] Presence),
    /// The other side writes a message.
    #[n(1)]
    Typing(#[n(0)] Typing),
    /// Asks for a [`Pong`].
    #[n(2)]
    Ping(#[n(0)] Ping),
    /// Answers a [`Ping`].
    #[n(3)]
    Pong(#[n(0)] Pong),
    /// The other side goes.
    #[n(4)]
    Bye(#[n(0)] Bye),
    /// The other side has read what we sent, so far.
    #[n(5)]
    Read(#[n(0)] Read),
}

/// The state of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Presence {
    /// Whether a camera is published.
    #[n(0)]
    pub camera: bool,
}

/// Whether the peer is writing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Typing {
    /// True from the first key until the message is sent or given up.
    #[n(0)]
    pub active: bool,
}

/// A round trip begins.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ping {
    /// Chosen by the asker.
    #[n(0)]
    pub number: u64,
}

/// A round trip ends; the two instants give the asker the offset between the clocks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Pong {
    /// From the [`Ping`].
    #[n(0)]
    pub number: u64,
    /// When the ping came, Unix microseconds by the answerer's clock.
    #[n(1)]
    pub received_at_us: u64,
    /// When this answer went, by the same clock.
    #[n(2)]
    pub replied_at_us: u64,
}

/// How far the sender of this frame has read. It says so when it reads on and whenever a link comes up, so that one that
/// was lost is made up for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Read {
    /// The last message of ours that was read; all that we sent before it count too.
    #[n(0)]
    pub id: ByteArray<16>,
}

/// A farewell, for people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bye {
    /// Why.
    #[n(0)]
    pub detail: String,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Kind {
    /// UTF-8 text.
    #[n(0)]
    Text,
    /// A PNG, JPEG or other picture; it may hide a text.
    #[n(1)]
    Picture,
    /// A WAV clip.
    #[n(2)]
    Clip,
    /// Any file.
    #[n(3)]
    File,
    /// Takes back the message that is its target. No body.
    #[n(4)]
    Deletion,
    /// Another text for the message that is its target; UTF-8.
    #[n(5)]
    Edit,
    /// A few characters said to the message that is its target, UTF-8; none take the last ones back.
    #[n(6)]
    Reaction,
}

impl Kind {
    /// Bytes that a body of this kind may have.
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Text => TEXT_BYTES_MAX,
            Self::Picture => PICTURE_BYTES_MAX,
            Self::Clip => CLIP_BYTES_MAX,
            Self::File => FILE_BYTES_MAX,
            Self::Deletion => 0,
            Self::Edit => TEXT_BYTES_MAX,
            Self::Reaction => REACTION_BYTES_MAX,
        }
    }

    /// Whether it means nothing without a target.
    pub fn needs_target(self) -> bool {
        matches!(self, Self::Deletion | Self::Edit | Self::Reaction)
    }
}

/// The sender offers one message. An offer over its kind's limit is a valid frame: it is answered with a refusal that
/// names the limit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Offer {
    /// UUIDv7 made by the sender.
    #[n(0)]
    pub id: ByteArray<16>,
    /// Counts per pair of identities and direction; orders the conversation.
    #[n(1)]
    pub seq: u64,
    /// What the body is.
    #[n(2)]
    pub kind: Kind,
    /// Unix milliseconds by the sender's clock.
    #[n(3)]
    pub sent_at_ms: i64,
    /// Bytes of the body.
    #[n(4)]
    pub size: u64,
    /// SM3 of the body.
    #[n(5)]
    pub sm3: ByteArray<32>,
    /// A file name, without folders.
    #[n(6)]
    pub name: Option<String>,
    /// Media type.
    #[n(7)]
    pub mime: Option<String>,
    /// What it answers, edits, takes back or reacts to.
    #[n(8)]
    pub target: Option<Target>,
}

/// The message that another one is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Target {
    /// Its id.
    #[n(0)]
    pub id: ByteArray<16>,
    /// True if the receiver of this frame wrote it, false if its sender did.
    #[n(1)]
    pub yours: bool,
}

/// The receiver's answers on a delivery stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum DeliveryReply {
    /// Send the body from here on.
    #[n(0)]
    Resume(#[n(0)] Resume),
    /// The message is on disk.
    #[n(1)]
    Receipt(#[n(0)] Receipt),
    /// The message is not taken.
    #[n(2)]
    Refusal(#[n(0)] Refusal),
}

/// Where the body goes on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Resume {
    /// Bytes that are on the receiver's disk already.
    #[n(0)]
    pub offset: u64,
}

/// The message is stored, and survives `kill -9`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Receipt {
    /// Unix milliseconds by the receiver's clock.
    #[n(0)]
    pub stored_at_ms: i64,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Reason {
    /// The table does not give this right.
    #[n(0)]
    NotAllowed,
    /// Over a limit; the detail names it.
    #[n(1)]
    TooLarge,
    /// The same id came before with another kind, size or digest.
    #[n(2)]
    Conflict,
    /// No room on the receiver's disk, or over its quota.
    #[n(3)]
    NoRoom,
    /// The body is not what was offered.
    #[n(4)]
    Damaged,
    /// Too many at once.
    #[n(5)]
    Busy,
    /// No camera is published.
    #[n(6)]
    NoCamera,
    /// The receiver could not store it; its own log says more.
    #[n(7)]
    StoreFailed,
    /// This process takes no deliveries.
    #[n(8)]
    NotReceiving,
    /// The frames do not follow the protocol.
    #[n(9)]
    Protocol,
}

/// What is refused, why, and whether it may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refusal {
    /// For programs.
    #[n(0)]
    pub reason: Reason,
    /// For people.
    #[n(1)]
    pub detail: String,
    /// True where a later try may do.
    #[n(2)]
    pub retry: bool,
}

/// How large the pictures of a watch are: at most three encodings exist at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum SizeClass {
    /// As captured.
    #[n(0)]
    Full,
    /// Half of each side.
    #[n(1)]
    Half,
    /// A quarter of each side.
    #[n(2)]
    Quarter,
}

/// The viewer asks for the camera.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WatchRequest {
    /// Chosen by the viewer, new for each watch of a connection; frames carry it.
    #[n(0)]
    pub watch: u64,
    /// Frames a second at most; 0 for as many as there are.
    #[n(1)]
    pub max_fps: u16,
    /// How large.
    #[n(2)]
    pub size: SizeClass,
    /// One picture of full quality, then the watch ends.
    #[n(3)]
    pub still: bool,
    /// Whether the viewer understands [`WatchReply::Signal`]. Viewers of the first version do not.
    #[n(4)]
    #[cbor(skip_if = "is_false")]
    pub signals: bool,
}

/// The camera's answers on a watch stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum WatchReply {
    /// Frames will come.
    #[n(0)]
    Info(#[n(0)] StreamInfo),
    /// They will not.
    #[n(1)]
    Refusal(#[n(0)] Refusal),
    /// The watch ends.
    #[n(2)]
    End(#[n(0)] WatchEnd),
    /// The camera has no picture, or has pictures again. Only for viewers that asked for it.
    #[n(3)]
    Signal(#[n(0)] Signal),
}

/// Whether the camera has pictures.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Signal {
    /// Why not, while it has none.
    #[n(0)]
    pub lost: Option<Lost>,
}

/// No signal: until pictures come again, slates come in their place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Lost {
    /// Why, for people.
    #[n(0)]
    pub reason: String,
    /// Since when, Unix microseconds by the camera's clock.
    #[n(1)]
    pub since_us: u64,
}

/// What will come.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct StreamInfo {
    /// Pixels.
    #[n(0)]
    pub width: u32,
    /// Pixels.
    #[n(1)]
    pub height: u32,
    /// Thousandths of a frame a second.
    #[n(2)]
    pub fps_milli: u32,
    /// A frame older than this when it goes out has missed its time, milliseconds.
    #[n(3)]
    pub deadline_ms: u32,
}

/// The camera ends a watch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WatchEnd {
    /// Why, for people.
    #[n(0)]
    pub detail: String,
    /// Frames begun for this watch.
    #[n(1)]
    pub begun: u64,
}

/// The viewer's report, every 500 ms.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Report {
    /// One more than the highest frame index that the viewer has handled.
    #[n(0)]
    pub seen: u64,
    /// Frames that came whole so far.
    #[n(1)]
    pub received: u64,
    /// Frames that came after their deadline so far.
    #[n(2)]
    pub late: u64,
    /// Mean time to decode a frame, microseconds; 0 where the viewer does not decode.
    #[n(3)]
    pub decode_us: u32,
}

/// The first frame of a frame stream; the JPEG follows to the end of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FrameHeader {
    /// The viewer's number from [`WatchRequest`].
    #[n(0)]
    pub watch: u64,
    /// The capture's number; it has gaps where frames were dropped.
    #[n(1)]
    pub seq: u64,
    /// Counts the frames begun for this watch, without gaps: what is missing is lost.
    #[n(2)]
    pub index: u64,
    /// Unix microseconds by the camera's clock.
    #[n(3)]
    pub captured_at_us: u64,
    /// When the JPEG was ready, by the same clock.
    #[n(4)]
    pub encoded_at_us: u64,
    /// Pixels.
    #[n(5)]
    pub width: u32,
    /// Pixels.
    #[n(6)]
    pub height: u32,
    /// Bytes of the JPEG.
    #[n(7)]
    pub size: u64,
    /// Not a picture of the camera's: it says in the camera's place that there is none.
    #[n(8)]
    #[cbor(skip_if = "is_false")]
    pub slate: bool,
}

/// What is false is not written: a reader takes what is absent for false.
fn is_false(value: &bool) -> bool {
    !value
}

fn bounded(field: &'static str, text: &str, bytes_max: usize) -> Result<(), WireError> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(WireError::Field { field, problem: format!("has {} bytes, at most {bytes_max} are allowed", text.len()) })
}

fn opt_bounded(field: &'static str, text: &Option<String>, bytes_max: usize) -> Result<(), WireError> {
    text.as_deref().map_or(Ok(()), |text| bounded(field, text, bytes_max))
}

fn side(field: &'static str, pixels: u32) -> Result<(), WireError> {
    if (1..=CAMERA_SIDE_PIXELS_MAX).contains(&pixels) {
        return Ok(());
    }
    Err(WireError::Field { field, problem: format!("is {pixels}, it must be 1 to {CAMERA_SIDE_PIXELS_MAX}") })
}

impl Frame for Opening {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Control(hello) => opt_bounded("agent", &hello.agent, AGENT_BYTES_MAX),
            Self::Deliver(offer) => {
                opt_bounded("name", &offer.name, NAME_BYTES_MAX)?;
                opt_bounded("mime", &offer.mime, MIME_BYTES_MAX)?;
                // SQLite's integers are signed; a count that large is never reached honestly.
                if i64::try_from(offer.seq).is_err() || offer.seq == 0 {
                    return Err(WireError::Field { field: "seq", problem: "must be 1 to 2^63 - 1".into() });
                }
                if offer.kind.needs_target() && offer.target.is_none() {
                    let problem = format!("is missing: {:?} is about another message", offer.kind);
                    return Err(WireError::Field { field: "target", problem });
                }
                Ok(())
            }
            Self::Watch(_) => Ok(()),
        }
    }
}

impl Frame for Welcome {
    fn check(&self) -> Result<(), WireError> {
        opt_bounded("agent", &self.agent, AGENT_BYTES_MAX)
    }
}

impl Frame for Control {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Bye(bye) => bounded("detail", &bye.detail, DETAIL_BYTES_MAX),
            Self::Presence(_) | Self::Typing(_) | Self::Ping(_) | Self::Pong(_) | Self::Read(_) => Ok(()),
        }
    }
}

impl Frame for DeliveryReply {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Refusal(refusal) => bounded("detail", &refusal.detail, DETAIL_BYTES_MAX),
            Self::Resume(_) | Self::Receipt(_) => Ok(()),
        }
    }
}

impl Frame for WatchReply {
    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Info(info) => {
                side("width", info.width)?;
                side("height", info.height)
            }
            Self::Refusal(refusal) => bounded("detail", &refusal.detail, DETAIL_BYTES_MAX),
            Self::End(end) => bounded("detail", &end.detail, DETAIL_BYTES_MAX),
            Self::Signal(signal) => {
                signal.lost.as_ref().map_or(Ok(()), |lost| bounded("reason", &lost.reason, DETAIL_BYTES_MAX))
            }
        }
    }
}

impl Frame for Report {
    fn check(&self) -> Result<(), WireError> {
        Ok(())
    }
}

impl Frame for FrameHeader {
    fn check(&self) -> Result<(), WireError> {
        side("width", self.width)?;
        side("height", self.height)?;
        if self.size > CAMERA_FRAME_BYTES_MAX {
            return Err(WireError::Field {
                field: "size",
                problem: format!("is {} bytes, at most {CAMERA_FRAME_BYTES_MAX} are allowed", self.size),
            });
        }
        Ok(())
    }
}
