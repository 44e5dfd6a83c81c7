//! From what the app was started with to a table and an open key, or to what is missing for that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::{Config, FILE_NAME, edit};
use crate::gui::Launch;
use crate::gui::talk::Fault;
use crate::identity::pem::{encode_gmssl, encode_plain};
use crate::identity::{Identity, KeyFileError, file, system_rng};

/// Where a first key lies, seen from the table.
const FIRST_KEY: &str = "keys/identity.pem";

/// What there is.
pub(super) enum Opened {
    /// All of it.
    Ready(Box<Loaded>),
    /// No table, or no key.
    NoIdentity { table: PathBuf, only_key: bool },
    /// The key wants a passphrase, or another one.
    Locked { key: PathBuf, fault: Option<Fault> },
    /// Something that a person must mend.
    Broken(Fault),
}

/// A table and the key that it names.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) data: PathBuf,
    pub(super) downloads: PathBuf,
}

pub(super) struct Start {
    launch: Launch,
}

impl Start {
    pub(super) fn new(launch: Launch) -> Self {
        Self { launch }
    }

    /// The table that is used, or where one is to be made.
    fn table(&self) -> PathBuf {
        if let Some(named) = &self.launch.config {
            return named.clone();
        }
        // a system account without a home has the folder that it was started in
        let first = || Config::default_path().unwrap_or_else(|| PathBuf::from(FILE_NAME));
        Config::find(None).unwrap_or_else(|_| first())
    }

    /// Reads the table and opens the key. Blocking.
    pub(super) fn open(&self, typed: Option<&Zeroizing<Vec<u8>>>) -> Opened {
        let table = self.table();
        if !table.exists() {
            return Opened::NoIdentity { table, only_key: false };
        }
        if key_of(&table).is_some_and(|key| !key.exists()) {
            return Opened::NoIdentity { table, only_key: true };
        }
        let config = match Config::load(&table) {
            Ok(config) => config,
            Err(faults) => return Opened::Broken(Fault::of(&faults)),
        };
        let given = typed.or(self.launch.passphrase.as_ref());
        let identity = match file::load(&config.me.key, &mut |_: &Path| Ok(given.cloned())) {
            Ok(identity) => identity,
            Err(KeyFileError::NeedsPassphrase) => return Opened::Locked { key: config.me.key, fault: None },
            Err(error @ KeyFileError::WrongPassphrase) => {
                return Opened::Locked { key: config.me.key, fault: Some(Fault::of(&error)) };
            }
            Err(error) => return Opened::Broken(Fault::of(&error)),
        };
        if let Err(fault) = config.check_own_key(identity.public()) {
            return Opened::Broken(Fault::of(&fault));
        }
        let data = self.launch.data.clone().unwrap_or_else(|| config.me.data.clone());
        let downloads = self.launch.downloads.clone().or_else(downloads).unwrap_or_else(|| data.join("saved"));
        Opened::Ready(Box::new(Loaded { config, identity, data, downloads }))
    }

    /// Makes what is missing: the key, and the table where there is none. Blocking.
    pub(super) fn make(
        &self,
        name: &str,
        passphrase: Option<&Zeroizing<Vec<u8>>>,
        listen: Option<SocketAddr>,
    ) -> Result<(), Fault> {
        let table = self.table();
        let there = table.exists();
        let beside = table.parent().unwrap_or(Path::new("")).join(FIRST_KEY);
        let key = if there { key_of(&table).unwrap_or(beside) } else { beside };
        // A key that lies there already is somebody's: it is used, never replaced.
        let made = !key.exists();
        if made {
            let identity = Identity::generate();
            let pem = match passphrase {
                Some(passphrase) => encode_gmssl(identity.secret(), passphrase, &mut system_rng()),
                None => encode_plain(identity.secret()),
            };
            file::save_new(&key, &pem).map_err(|error| Fault::of(&error))?;
        }
        if there {
            return Ok(());
        }
        let written = edit::first(&table, name.trim(), FIRST_KEY, listen).and_then(|text| edit::create(&table, &text));
        written.map_err(|error| {
            if made {
                // Nobody has seen it, and the next try makes another.
                let _ = std::fs::remove_file(&key);
            }
            Fault::of(&error)
        })
    }
}

/// The system's folder for what was loaded down, else the home.
fn downloads() -> Option<PathBuf> {
    let dirs = directories::UserDirs::new()?;
    Some(dirs.download_dir().unwrap_or_else(|| dirs.home_dir()).to_path_buf())
}

fn key_of(table: &Path) -> Option<PathBuf> {
    // One that is too long or no text is told of by the reader of tables.
    let metadata = std::fs::metadata(table).ok()?;
    if metadata.len() > crate::config::FILE_BYTES_MAX as u64 {
        return None;
    }
    edit::key_path(&std::fs::read_to_string(table).ok()?, table)
}
