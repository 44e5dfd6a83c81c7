//! The peer table `peers.toml`: who we are, whom we know, and what they may do to us.
//!
//! A [`Config`] that exists is valid; every fault of a file is reported with its line and its mend.

mod address;
mod camera;
#[cfg(feature = "gui")]
pub mod edit;
mod fault;
mod section;
mod sound;
mod table;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crypto::sm2::PublicKey;
use crate::identity::PeerId;
use crate::media::camera::{Settings, SourceSpec};

pub use address::{Address, AddressError, HOST_BYTES_MAX};
pub use fault::{ConfigError, ConfigErrors, FAULTS_MAX, Slip};
pub use sound::{DEVICE_BYTES_MAX, SoundSettings};

/// Bytes of a table file at most.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Peers in a table at most.
pub const PEERS_MAX: usize = 1024;
/// Bytes of a name at most, in UTF-8.
pub const NAME_BYTES_MAX: usize = 64;
/// Addresses of one peer at most.
pub const ADDRESSES_MAX: usize = 16;
/// The UDP port that we listen on when the table does not say.
pub const DEFAULT_PORT: u16 = 9999;
/// The name of the table in each place where it is looked for.
pub const FILE_NAME: &str = "peers.toml";
/// Minutes between QUIC key updates when the table does not say.
pub const KEY_UPDATE_MINUTES_DEFAULT: u64 = 10;
/// Minutes between QUIC key updates at most.
pub const KEY_UPDATE_MINUTES_MAX: u64 = 60;
/// Minutes between fresh handshakes when the table does not say.
pub const NEW_HANDSHAKE_MINUTES_DEFAULT: u64 = 60;
/// Minutes between fresh handshakes at most.
pub const NEW_HANDSHAKE_MINUTES_MAX: u64 = 24 * 60;

/// GiB that history and attachments take at most when the table does not say.
pub const QUOTA_GIB_DEFAULT: u64 = 16;
/// The largest quota in GiB.
pub const QUOTA_GIB_MAX: u64 = 1 << 20;
/// The largest bandwidth of a camera in Mbit a second.
pub const BANDWIDTH_MBIT_MAX: f64 = 100_000.0;
/// The longest time that messages can be kept in days: a hundred years.
pub const KEEP_DAYS_MAX: u64 = 36_500;

/// A peer table without faults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it came from.
    pub path: PathBuf,
    /// Ourselves.
    pub me: Me,
    /// The peers in the order of the file; names, keys and ids are unique.
    pub peers: Vec<Peer>,
    /// How often the keys of a link are renewed.
    pub link: LinkSettings,
    /// What is kept of the history, and what others learn of our reading.
    pub history: HistorySettings,
    /// The camera that `miyu camera` publishes.
    pub camera: CameraSettings,
    /// Which microphone and speaker are used.
    pub sound: SoundSettings,
    // the line of each peer's key, for `check_own_key`
    key_lines: Vec<usize>,
}

/// The `[me]` part: ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Our name in our own displays; peers know us by the name in their table.
    pub name: String,
    /// Our private key file, absolute. It existed when the table was read.
    pub key: PathBuf,
    /// The UDP address that we listen on; the port is never 0.
    pub listen: SocketAddr,
    /// The folder of history and attachments, absolute. It need not exist.
    pub data: PathBuf,
}

/// One `[[peer]]`.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The name that we know it by: 1 to [`NAME_BYTES_MAX`] bytes without control or bidi characters.
    pub name: String,
    /// Its public key, a point on the curve.
    pub key: PublicKey,
    /// The digest of that key.
    pub id: PeerId,
    /// Where to dial it, in the order of the file; empty for a peer that only dials us.
    pub addresses: Vec<Address>,
    /// What it may do to us.
    pub allow: Allow,
}

/// What a peer may do to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// Send us messages, pictures, clips and files.
    pub chat: bool,
    /// Watch our camera.
    pub camera: bool,
}

impl Default for Allow {
    fn default() -> Self {
        Allow { chat: true, camera: false }
    }
}

/// The `[link]` part: how often the keys of a link are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSettings {
    /// Time between QUIC key updates (RFC 9001 §6).
    pub key_update: Duration,
    /// Time between fresh SM2 handshakes.
    pub new_handshake: Duration,
}

impl Default for LinkSettings {
    fn default() -> Self {
        LinkSettings {
            key_update: Duration::from_secs(KEY_UPDATE_MINUTES_DEFAULT * 60),
            new_handshake: Duration::from_secs(NEW_HANDSHAKE_MINUTES_DEFAULT * 60),
        }
    }
}

/// The `[history]` part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// Whether peers are told how far we have read.
    pub read_receipts: bool,
    /// How long messages are kept; `None` for ever.
    pub keep: Option<Duration>,
    /// Bytes that are kept: the oldest messages beyond them go. `None` for all, up to the quota.
    pub keep_bytes: Option<u64>,
    /// Bytes that history and attachments take at most.
    pub quota_bytes: u64,
}

impl Default for HistorySettings {
    fn default() -> Self {
        HistorySettings { read_receipts: true, keep: None, keep_bytes: None, quota_bytes: QUOTA_GIB_DEFAULT << 30 }
    }
}

/// The `[camera]` part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraSettings {
    /// Where frames come from; `None` where the table does not say.
    pub source: Option<SourceSpec>,
    /// Size, rate, quality, rotation, flip and controls, within their bounds.
    pub settings: Settings,
    /// Bits a second that all viewers together may take; `None` for as many as there are.
    pub bandwidth_bits: Option<u64>,
}

/// A name that the table does not have, with the one that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPeer {
    wanted: String,
    meant: Option<String>,
    names: Vec<String>,
}

impl fmt::Display for UnknownPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no peer '{}' in the table", self.wanted)?;
        if let Some(meant) = &self.meant {
            write!(f, "; did you mean '{meant}'?")?;
        } else if !self.names.is_empty() {
            write!(f, ";")?;
        }
        if !self.names.is_empty() {
            write!(f, " peers: {}", self.names.join(", "))?;
        }
        Ok(())
    }
}

impl UnknownPeer {
    /// The mend where the message does not hold it: an empty table.
    pub fn hint(&self) -> Option<String> {
        self.names.is_empty().then(|| "the table has no peer yet: add a [[peer]] with name, key and address".to_owned())
    }
}

impl std::error::Error for UnknownPeer {}

impl Config {
    /// Reads and checks the table in `path`.
    ///
    /// # Errors
    /// Every fault that was found, each with line and mend, or why the file cannot be read.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let unreadable = |error: std::io::Error| {
            let mend = match error.kind() {
                std::io::ErrorKind::NotFound => "name the peer table with --config FILE",
                std::io::ErrorKind::PermissionDenied => "make it readable for this user",
                _ => "it has to be a file of text in TOML",
            };
            ConfigError::new(path, None, format!("cannot read it: {error}"), mend)
        };
        if path.is_dir() {
            let mend = format!("name the file in it, such as {}", path.join(FILE_NAME).display());
            return Err(ConfigError::new(path, None, "it is a folder", mend).into());
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        // the size is judged before the characters: the cut may have split one
        if bytes.len() > FILE_BYTES_MAX {
            return Err(table::too_long(path).into());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let mend = "save the file as UTF-8";
            ConfigError::new(path, Some(line), "it is not UTF-8 text", mend)
        })?;
        Config::parse(&text, path)
    }

    /// Checks `text` as the table that stands in `path`; relative paths in it start at that file's folder.
    ///
    /// # Errors
    /// Every fault that was found, each with line and mend.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigErrors> {
        table::parse(text, path)
    }

    /// The table to use: the one named, else `peers.toml` here, else in the platform's config folder.
    ///
    /// # Errors
    /// All places that were looked at, and how to make a table.
    pub fn find(explicit: Option<&Path>) -> Result<PathBuf, ConfigError> {
        let mut places = vec![PathBuf::from(FILE_NAME)];
        if let Some(dirs) = project_dirs() {
            places.push(dirs.config_dir().join(FILE_NAME));
        }
        Config::find_among(explicit, &places)
    }

    /// Where a first table is to be made: in the platform's config folder; `None` on a system account without a home.
    pub fn default_path() -> Option<PathBuf> {
        project_dirs().map(|dirs| dirs.config_dir().join(FILE_NAME))
    }

    /// [`Config::find`] with the places given instead of the platform's.
    ///
    /// # Errors
    /// As for [`Config::find`].
    pub fn find_among(explicit: Option<&Path>, places: &[PathBuf]) -> Result<PathBuf, ConfigError> {
        if let Some(path) = explicit {
            if path.exists() {
                return Ok(path.to_path_buf());
            }
            let mend = "check what was given to --config, or leave it out to use ./peers.toml";
            return Err(ConfigError::new(path, None, "there is no such file", mend));
        }
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            return Ok(found.clone());
        }
        let looked: Vec<String> = places.iter().map(|place| absolute(place).display().to_string()).collect();
        Err(ConfigError::new(
            Path::new(FILE_NAME),
            None,
            format!("no peer table found; looked for {}", looked.join(" and ")),
            "make a key with `miyu keygen`, then copy the sample peers.toml to one of these places \
             and fill in the peers' keys; or name another file with --config FILE",
        ))
    }

    /// Whether no peer carries `own`, the public part of our own key.
    ///
    /// # Errors
    /// The peer that does, with its line.
    pub fn check_own_key(&self, own: &PublicKey) -> Result<(), ConfigError> {
        let Some(index) = self.peers.iter().position(|peer| peer.key == *own) else {
            return Ok(());
        };
        let peer = self.peers[index].name.clone();
        Err(ConfigError::new(
            &self.path,
            self.key_lines.get(index).copied(),
            format!("peer {} has our own key (the one in {})", fault::shown(&peer), self.me.key.display()),
            "put the other side's line there: what `miyu id` prints on that machine",
        )
        .slip_of(Slip::OwnKey { peer }))
    }

    /// The peer of that name.
    pub fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// The peer with that id.
    pub fn peer_by_id(&self, id: &PeerId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == *id)
    }

    /// The peer of that name, or an error that names the one probably meant, and all others.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn peer_named(&self, name: &str) -> Result<&Peer, UnknownPeer> {
        self.peer(name).ok_or_else(|| {
            let names: Vec<String> = self.peers.iter().map(|peer| peer.name.clone()).collect();
            let meant = fault::closest(name, names.iter().map(String::as_str)).map(str::to_owned);
            let quoted = fault::shown(name);
            UnknownPeer { wanted: quoted.trim_matches('"').to_owned(), meant, names }
        })
    }
}

fn project_dirs() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "miyu")
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The data folder of `name` when the table names none; `None` on a system account without a home.
fn default_data(name: &str) -> Option<PathBuf> {
    project_dirs().map(|dirs| dirs.data_dir().join(file_name_of(name)))
}

/// A file name for any peer name, different for different names: a name may hold a slash or be `..`.
fn file_name_of(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_') || (c == '.' && !out.is_empty()) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02x}"));
            }
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        assert_eq!(file_name_of("alice"), "alice");
        assert_eq!(file_name_of("小雨"), "小雨");
        assert_eq!(file_name_of(".."), "%2e.");
        assert_eq!(file_name_of("../x"), "%2e.%2fx");
        assert_eq!(file_name_of("a b%"), "a%20b%25");
        assert_eq!(file_name_of("C:\\x"), "C%3a%5cx");
    }
}
