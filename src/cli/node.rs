//! From flags to a table, an identity and a node.

#[cfg(unix)]
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{Failure, Global, Outcome};
use crate::config::Config;
use crate::identity::{self, Identity};
use crate::node::{Event, Node, Role, Settings};

/// Longest passphrase that is read from a file.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// The table, with its own key loaded and checked against it.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) data: PathBuf,
}

/// Finds and reads the table, and unlocks the key.
pub(super) fn load(global: &Global) -> Outcome<Loaded> {
    let config = config(global)?;
    let identity = unlock(&config.me.key, global)?;
    config.check_own_key(identity.public())?;
    let data = data(&config, global);
    Ok(Loaded { config, identity, data })
}

/// Finds and reads the table alone.
pub(super) fn config(global: &Global) -> Outcome<Config> {
    let path = Config::find(global.config.as_deref())?;
    Ok(Config::load(&path)?)
}

/// The data folder: `--data`, else the table's.
pub(super) fn data(config: &Config, global: &Global) -> PathBuf {
    global.data.clone().unwrap_or_else(|| config.me.data.clone())
}

/// Loads a key file; a locked one takes its passphrase from `--passphrase-file`, else from the terminal.
pub(super) fn unlock(path: &Path, global: &Global) -> Outcome<Identity> {
    Ok(identity::file::load(path, &mut |path: &Path| passphrase(path, global))?)
}

/// The passphrase of the key file at `path`; none if there is nobody to ask.
pub(super) fn passphrase(path: &Path, global: &Global) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    if let Some(file) = &global.passphrase_file {
        return read_passphrase(file).map(Some);
    }
    if !super::passphrase::can_ask() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(format!("passphrase of {}: ", path.display()))?;
    Ok(Some(Zeroizing::new(typed.into_bytes())))
}

/// The first line of a file.
pub(super) fn read_passphrase(file: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = Zeroizing::new(Vec::new());
    let about = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let opened = std::fs::File::open(file).map_err(about)?;
    opened.take(PASSPHRASE_BYTES_MAX).read_to_end(&mut bytes).map_err(about)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(std::io::Error::other(format!("{} has no passphrase in its first line", file.display())));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

/// Starts a node of the given role.
pub(super) async fn start(loaded: &Loaded, role: Role) -> Outcome<(Node, mpsc::Receiver<Event>)> {
    let settings = Settings {
        role,
        listen: loaded.config.me.listen,
        data: loaded.data.clone(),
        peers: loaded.config.peers.clone(),
        table: Some(std::sync::Arc::new(loaded.config.clone())),
        key_update: loaded.config.link.key_update,
        new_handshake: loaded.config.link.new_handshake,
        history: loaded.config.history,
    };
    Ok(Node::start(loaded.identity.clone(), settings).await?)
}

/// Checks a peer's name before anything is started, with a guess at what was meant.
pub(super) fn check_peer(loaded: &Loaded, name: &str) -> Outcome {
    loaded.config.peer_named(name)?;
    Ok(())
}

/// Resolves on Ctrl+C, and on SIGTERM where there is one. From this call on neither ends the process by itself.
#[cfg(unix)]
pub(super) fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        match (interrupt, terminate) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            (Ok(mut one), Err(_)) | (Err(_), Ok(mut one)) => drop(one.recv().await),
            (Err(_), Err(_)) => std::future::pending().await,
        }
    }
}

/// Resolves on Ctrl+C.
#[cfg(not(unix))]
pub(super) async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Resolves when the table is to be read again: on SIGHUP, where no terminal can hang up.
pub(super) struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// A process that was started on a terminal ends with it, as ever; a service is told by SIGHUP to read anew.
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let service = !std::io::stdin().is_terminal();
            Self { signal: service.then(|| signal(SignalKind::hangup()).ok()).flatten() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Reads a file that is sent or searched, bounded.
pub(super) fn read_file(path: &Path, bytes_max: u64) -> Outcome<Vec<u8>> {
    use std::io::Read;
    let unread = |error: std::io::Error| Failure::file("read", path, &error);
    let file = std::fs::File::open(path).map_err(unread)?;
    let size = file.metadata().map_err(unread)?.len();
    let mut bytes = Vec::new();
    if size <= bytes_max {
        // a device or a pipe tells no size, and may have no end
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
    }
    if size > bytes_max || bytes.len() as u64 > bytes_max {
        let has = if size > bytes_max { format!("has {size} bytes") } else { "goes on".to_owned() };
        let error = format!("{} {has}, at most {bytes_max} are allowed", path.display());
        return Err(Failure::new(error).hint("send it with --file, which takes files of up to 64 GiB"));
    }
    Ok(bytes)
}
