//! The errors of the library as the app tells them: each that a user of the app can meet has a text and a mend in both
//! catalogues. What the library says itself stays beside it, for whoever wants to know all.

mod sound;

use std::fmt::Display;

use super::panels::size;
use super::said::Said;
use super::talk::Fault;
use crate::config::edit::EditError;
use crate::config::{AddressError, ConfigError, ConfigErrors, Slip};
use crate::identity::{KeyFileError, KeyLineError};
use crate::media::jpeg::JpegError;
use crate::media::picture::PictureError;
use crate::node::hidden::HiddenError;
use crate::node::history::StoreError;
use crate::node::reasons::{Cause, Matter, cause};
use crate::node::save::SaveError;
use crate::node::{DialError, EndpointError, NodeError, Reason, SendError, TableError, WatchError};

/// An error of the library that the app has words of its own for.
pub trait Told: Display {
    /// The mend in the library's words, where there is one.
    fn mend(&self) -> Option<String>;

    /// What the app says.
    fn said(&self) -> Said;
}

impl Fault {
    /// What the app says of an error of the library.
    pub fn of(error: &impl Told) -> Self {
        Self { said: Some(error.said()), ..Self::new(error, error.mend()) }
    }

    /// A fault that only the app knows. `detail` is for logs and for whoever asks what exactly happened.
    pub fn own(said: Said, detail: impl ToString) -> Self {
        Self { said: Some(said), ..Self::new(detail, None) }
    }

    /// A file or a folder that the system refuses.
    pub fn file(key: &'static str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let said = Said::new(key).text("path", path.display()).system("why", error);
        Self::own(said, format!("{}: {error}", path.display()))
    }
}

/// What the node calls a trouble.
pub fn trouble(error: String, hint: Option<String>, matter: &Matter) -> Fault {
    let said = match matter {
        Matter::Table(faults) => Said::new("fault-table-changed").said("what", faults.said()),
        Matter::Restart => Said::new("fault-table-restart"),
        Matter::DiskFull { free } => Said::new("fault-not-stored-disk").text("free", size(*free)),
        Matter::QuotaFull { used, quota } => {
            Said::new("fault-not-stored-quota").text("used", size(*used)).text("quota", size(*quota))
        }
        Matter::Store => Said::new("fault-store").text("what", &error),
    };
    Fault { said: Some(said), ..Fault::new(error, hint) }
}

/// Why a link ended, as the node says it.
pub fn away(reason: String) -> Fault {
    let said = match reason.as_str() {
        "closed" => Said::new("away-closed"),
        _ if reason.starts_with("nothing heard") => Said::new("away-silent"),
        _ => Said::new("away-other").text("what", &reason),
    };
    Fault { said: Some(said), ..Fault::new(reason, None) }
}

/// Why a message failed, as the history keeps it.
pub fn failed(reason: &str) -> Said {
    match cause(reason) {
        Some(Cause::Refused(reason)) => refused(reason),
        Some(Cause::Unreadable) => Said::new("failed-unreadable"),
        None => Said::new("failed-other").text("what", reason),
    }
}

fn refused(reason: Reason) -> Said {
    Said::new(match reason {
        Reason::NotAllowed => "refused-not-allowed",
        Reason::TooLarge => "refused-too-large",
        Reason::Conflict => "refused-conflict",
        Reason::NoRoom => "refused-no-room",
        Reason::Damaged => "refused-damaged",
        Reason::Busy => "refused-busy",
        Reason::NoCamera => "refused-no-camera",
        Reason::StoreFailed => "refused-store",
        Reason::NotReceiving => "refused-not-receiving",
        Reason::Protocol => "refused-protocol",
    })
}

fn list(addresses: &[std::net::SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

macro_rules! told {
    ($($error:ty => $said:expr),* $(,)?) => {$(
        impl Told for $error {
            fn mend(&self) -> Option<String> {
                self.hint()
            }

            fn said(&self) -> Said {
                $said(self)
            }
        }
    )*};
}

told!(
    DialError => dial,
    WatchError => watch,
    NodeError => node,
    SendError => send,
    StoreError => store,
    SaveError => save,
    KeyFileError => key_file,
    KeyLineError => key_line,
    ConfigErrors => config,
    EditError => edit,
    PictureError => picture,
    JpegError => jpeg,
    HiddenError => hidden,
);

impl Told for ConfigError {
    fn mend(&self) -> Option<String> {
        self.hint()
    }

    fn said(&self) -> Said {
        config_fault(self)
    }
}

/// Work of ours that has ended in a panic.
impl Told for tokio::task::JoinError {
    fn mend(&self) -> Option<String> {
        None
    }

    fn said(&self) -> Said {
        Said::new("fault-task")
    }
}

impl Told for TableError {
    fn mend(&self) -> Option<String> {
        match self {
            Self::Faulty(faults) => faults.hint(),
            Self::NoFile | Self::Stopped => None,
        }
    }

    fn said(&self) -> Said {
        match self {
            Self::Faulty(faults) => Said::new("fault-table-changed").said("what", faults.said()),
            Self::NoFile => Said::new("fault-other").text("what", self),
            Self::Stopped => Said::new("fault-stopped"),
        }
    }
}

fn dial(error: &DialError) -> Said {
    match error {
        DialError::NoPeer(peer) => Said::new("fault-no-peer").text("peer", peer),
        DialError::NoAddress { peer } => Said::new("fault-no-address").text("peer", peer),
        DialError::Resolve { host, reason } => Said::new("fault-resolve").text("host", host).text("what", reason),
        DialError::NothingHeard { peer, addresses, expected } => {
            Said::new("fault-nothing-heard").text("peer", peer).text("address", list(addresses)).text("key", expected)
        }
        DialError::NotInTheirTable { peer, our_key } => {
            Said::new("fault-not-in-their-table").text("peer", peer).text("key", our_key)
        }
        DialError::Impostor { peer, addresses, .. } => {
            Said::new("fault-impostor").text("peer", peer).text("address", list(addresses))
        }
        DialError::Handshake { peer, reason } => Said::new("fault-handshake").text("peer", peer).text("what", reason),
        DialError::Closed { peer, reason } => Said::new("fault-closed").text("peer", peer).text("what", reason),
        DialError::Local { peer, reason } => Said::new("fault-local").text("peer", peer).text("what", reason),
        DialError::Stopped => Said::new("fault-stopped"),
    }
}

fn watch(error: &WatchError) -> Said {
    match error {
        WatchError::Dial(error) => error.said(),
        WatchError::Refused { peer, reason: Reason::NotAllowed, .. } => {
            Said::new("fault-watch-not-allowed").text("peer", peer)
        }
        WatchError::Refused { peer, reason: Reason::NoCamera, .. } => {
            Said::new("fault-watch-no-camera").text("peer", peer)
        }
        WatchError::Refused { peer, reason, .. } => {
            Said::new("fault-watch-refused").text("peer", peer).said("why", refused(*reason))
        }
        WatchError::Broken { peer, reason } => Said::new("fault-watch-broken").text("peer", peer).text("what", reason),
        WatchError::Stopped => Said::new("fault-stopped"),
    }
}

fn node(error: &NodeError) -> Said {
    match error {
        NodeError::Store(error) => error.said(),
        NodeError::Endpoint(EndpointError::Bind { address, source }) => {
            // a port is no quantity
            Said::new("fault-port").text("port", address.port()).text("address", address).system("why", source)
        }
        NodeError::Endpoint(EndpointError::Replay { path, source }) => {
            Said::new("fault-folder").text("path", path.display()).system("why", source)
        }
        NodeError::Endpoint(EndpointError::Tls(_) | EndpointError::Dial { .. })
        | NodeError::Address(_)
        | NodeError::Task(_) => Said::new("fault-other").text("what", error),
    }
}

fn send(error: &SendError) -> Said {
    match error {
        SendError::NoPeer(peer) => Said::new("fault-no-peer").text("peer", peer),
        SendError::TooLarge { what, bytes, bytes_max } => {
            let key = if *what == "the reaction" { "fault-reaction-too-large" } else { "fault-too-large" };
            Said::new(key).text("size", size(*bytes)).text("most", size(*bytes_max))
        }
        SendError::Empty(_) => Said::new("fault-empty"),
        SendError::Picture(what) => Said::new("fault-picture").text("what", what),
        SendError::Clip(what) => Said::new("fault-clip").text("what", what),
        SendError::DoesNotFit { bytes, capacity } => {
            Said::new("fault-does-not-fit").number("bytes", *bytes).number("room", *capacity)
        }
        SendError::Store(error) => error.said(),
        SendError::Stopped => Said::new("fault-stopped"),
    }
}

fn store(error: &StoreError) -> Said {
    match error {
        StoreError::FolderUnusable { path, source } => {
            Said::new("fault-folder").text("path", path.display()).system("why", source)
        }
        StoreError::File { path, source, .. } => {
            Said::new("fault-file-read").text("path", path.display()).system("why", source)
        }
        StoreError::DiskFull { folder, free, .. } => {
            Said::new("fault-disk-full").text("path", folder.display()).text("free", size(*free))
        }
        StoreError::QuotaFull { used, wanted, quota } => Said::new("fault-quota-full")
            .text("used", size(*used))
            .text("quota", size(*quota))
            .text("size", size(*wanted)),
        StoreError::Corrupt { path, .. } | StoreError::DiskFault { path, .. } => {
            Said::new("fault-database").text("path", path.display())
        }
        StoreError::NotAStore { path } => Said::new("fault-no-database").text("path", path.display()),
        StoreError::NewerSchema { path, .. } => Said::new("fault-newer").text("path", path.display()),
        StoreError::Locked { path } => Said::new("fault-locked").text("path", path.display()),
        StoreError::InUse { folder, .. } => Said::new("fault-in-use").text("path", folder.display()),
        StoreError::KeyMissing { path } => Said::new("fault-history-key-missing").text("path", path.display()),
        StoreError::KeyDamaged { path } => Said::new("fault-history-key-damaged").text("path", path.display()),
        StoreError::ForeignKey { path } => Said::new("fault-history-key-foreign").text("path", path.display()),
        StoreError::BodyDamaged { .. } | StoreError::BodyChanged { .. } | StoreError::MessageChanged { .. } => {
            Said::new("fault-message-changed")
        }
        StoreError::NotPossible { .. } => Said::new("fault-not-possible"),
        StoreError::BodyTooLarge { bytes, bytes_max } => {
            Said::new("fault-too-large").text("size", size(*bytes)).text("most", size(*bytes_max))
        }
        StoreError::TooLong { bytes, bytes_max, .. } => {
            Said::new("fault-too-large").text("size", size(*bytes)).text("most", size(*bytes_max))
        }
        StoreError::Shrunk { path, .. } => Said::new("fault-shrunk").text("path", path.display()),
        StoreError::NotAFile { path } => Said::new("fault-no-file").text("path", path.display()),
        StoreError::NotText => Said::new("fault-not-text"),
        StoreError::Database(_)
        | StoreError::BodyMismatch { .. }
        | StoreError::NotCommitted { .. }
        | StoreError::Conflict { .. }
        | StoreError::Deleted { .. }
        | StoreError::DuplicateId { .. }
        | StoreError::ReceiveBusy { .. } => Said::new("fault-store").text("what", error),
    }
}

fn save(error: &SaveError) -> Said {
    match error {
        SaveError::Store(error) => error.said(),
        SaveError::Write { path, source } => {
            Said::new("fault-file-write").text("path", path.display()).system("why", source)
        }
    }
}

fn key_file(error: &KeyFileError) -> Said {
    match error {
        KeyFileError::Io { path, source, .. } => {
            Said::new("fault-key-file").text("path", path.display()).system("why", source)
        }
        KeyFileError::NotAFile { path } => Said::new("fault-no-file").text("path", path.display()),
        KeyFileError::OpenToOthers { path, mode } => {
            Said::new("fault-key-open").text("path", path.display()).text("mode", format_args!("{mode:03o}"))
        }
        KeyFileError::AlreadyExists { path } => Said::new("fault-key-exists").text("path", path.display()),
        KeyFileError::PublicKey => Said::new("fault-key-public"),
        KeyFileError::NeedsPassphrase => Said::new("fault-key-locked"),
        KeyFileError::WrongPassphrase => Said::new("fault-passphrase"),
        KeyFileError::LegacyEncryption | KeyFileError::OtherEncryption { .. } => {
            Said::new("fault-key-encryption").text("what", error)
        }
        KeyFileError::OtherAlgorithm { .. }
        | KeyFileError::OtherCurve { .. }
        | KeyFileError::ExplicitCurve
        | KeyFileError::NoCurve
        | KeyFileError::OtherContent { .. } => Said::new("fault-key-other").text("what", error),
        KeyFileError::TooLong
        | KeyFileError::NotPem
        | KeyFileError::BrokenPem { .. }
        | KeyFileError::TrailingText
        | KeyFileError::BadPublicKey(_)
        | KeyFileError::Truncated { .. }
        | KeyFileError::TrailingData { .. }
        | KeyFileError::Malformed { .. }
        | KeyFileError::TooManyIterations { .. }
        | KeyFileError::OutOfRange
        | KeyFileError::PublicKeyMismatch => Said::new("fault-key-damaged").text("what", error),
    }
}

fn key_line(error: &KeyLineError) -> Said {
    match error {
        KeyLineError::NoPrefix => Said::new("fault-line-prefix"),
        KeyLineError::NotBase64 => Said::new("fault-line-letters"),
        KeyLineError::Length { got } => Said::new("fault-line-length").number("bytes", *got),
        KeyLineError::NotAPoint(_) => Said::new("fault-line-typo"),
    }
}

/// Why a text is no address.
pub fn address(text: &str, error: AddressError) -> Fault {
    let said = Some(address_said(text, error));
    Fault { said, ..Fault::new(format!("{text}: {error}"), error.hint()) }
}

fn address_said(text: &str, error: AddressError) -> Said {
    let key = match error {
        AddressError::NoPort => "fault-address-no-port",
        AddressError::BadPort | AddressError::ZeroPort => "fault-address-port",
        AddressError::NoBrackets | AddressError::BadIpv6 => "fault-address-brackets",
        AddressError::BadHost => "fault-address-host",
    };
    Said::new(key).text("address", text)
}

fn config(faults: &ConfigErrors) -> Said {
    match faults.faults() {
        [only] => config_fault(only),
        [first, ..] => {
            Said::new("fault-table-several").number("count", faults.faults().len()).said("what", config_fault(first))
        }
        [] => Said::new("fault-other").text("what", faults),
    }
}

fn config_fault(fault: &ConfigError) -> Said {
    if let Some(slip) = fault.slip() {
        return slip_said(slip);
    }
    let path = fault.path().display();
    match fault.line() {
        Some(line) => Said::new("fault-table-line").text("path", path).text("line", line).text("what", fault.what()),
        None => Said::new("fault-table").text("path", path).text("what", fault.what()),
    }
}

fn slip_said(slip: &Slip) -> Said {
    match slip {
        Slip::NameEmpty => Said::new("slip-name-empty"),
        Slip::NameTooLong => Said::new("slip-name-long"),
        Slip::NameMisleading => Said::new("slip-name-misleading"),
        Slip::NameTaken(name) => Said::new("slip-name-taken").text("name", name),
        Slip::KeyTaken { by } => Said::new("slip-key-taken").text("name", by),
        Slip::OwnKey { peer } => Said::new("slip-own-key").text("name", peer),
        Slip::Address { text, error } => address_said(text, *error),
        Slip::TooManyAddresses => Said::new("slip-addresses"),
        Slip::TooManyPeers => Said::new("slip-peers"),
    }
}

fn edit(error: &EditError) -> Said {
    match error {
        EditError::Io { path, source, .. } => {
            Said::new("fault-file-write").text("path", path.display()).system("why", source)
        }
        EditError::Faulty(faults) => faults.said(),
        EditError::Refused(faults) => match faults.first() {
            Some(fault) => config_fault(fault),
            None => Said::new("fault-other").text("what", error),
        },
        EditError::Unreadable(what) => Said::new("fault-table-unreadable").text("what", what),
        EditError::NoPeer(peer) => Said::new("fault-no-peer").text("peer", peer),
        EditError::Exists(path) => Said::new("fault-table-exists").text("path", path.display()),
        EditError::Busy => Said::new("fault-table-busy"),
    }
}

fn picture(error: &PictureError) -> Said {
    match error {
        PictureError::InputTooLong { bytes } => Said::new("fault-picture-long").text("size", size(*bytes)),
        PictureError::Unknown { .. } => Said::new("fault-picture-unknown"),
        PictureError::TooLarge { width, height, .. } => {
            Said::new("fault-picture-large").text("width", width).text("height", height)
        }
        PictureError::Memory { .. } => Said::new("fault-picture-memory"),
        PictureError::CutShort { .. } => Said::new("fault-picture-cut"),
        PictureError::Damaged { .. } => Said::new("fault-picture-damaged"),
        PictureError::Unsupported { .. } | PictureError::Pixels { .. } | PictureError::Encode { .. } => {
            Said::new("fault-picture").text("what", error)
        }
    }
}

fn jpeg(error: &JpegError) -> Said {
    match error {
        JpegError::NotJpeg { .. } | JpegError::Damaged { .. } => Said::new("fault-picture-damaged"),
        JpegError::Size { width, height } => {
            Said::new("fault-picture-large").text("width", width).text("height", height)
        }
        JpegError::Pixels { .. } | JpegError::Quality { .. } | JpegError::Encode { .. } => {
            Said::new("fault-picture").text("what", error)
        }
    }
}

fn hidden(error: &HiddenError) -> Said {
    match error {
        HiddenError::Picture(error) => error.said(),
        HiddenError::Canvas(_) => Said::new("fault-picture").text("what", error),
        HiddenError::DoesNotFit { bytes, capacity } => {
            Said::new("fault-does-not-fit").number("bytes", *bytes).number("room", *capacity)
        }
        HiddenError::TooLong { bytes } => Said::new("fault-hidden-long").number("bytes", *bytes),
        HiddenError::Empty => Said::new("fault-empty"),
        HiddenError::NotFound => Said::new("fault-nothing-hidden"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
