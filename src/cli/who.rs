//! Whose key is meant: a name of the table, an `sm2:` line, or a key file.

use std::path::Path;

use super::{Failure, Global, Outcome, node};
use crate::crypto::sm2::PublicKey;
use crate::identity::{Identity, file, parse_key_line};

/// A public key, and what its owner is called here.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// The name of the table, else what was given.
    pub(super) name: String,
    pub(super) key: PublicKey,
}

/// The key that `what` stands for. A name of the table comes before a file of that name, so that no file that lies
/// about can take a peer's place; a file is meant by `./NAME`.
pub(super) fn find(what: &str, global: &Global) -> Outcome<Who> {
    let named = |key: PublicKey| Who { name: what.to_owned(), key };
    if what.starts_with("sm2:") {
        return Ok(named(parse_key_line(what)?));
    }
    let config = node::config(global);
    if let Ok(config) = &config {
        if let Some(peer) = config.peer(what) {
            return Ok(named(peer.key.clone()));
        }
        if config.me.name == what {
            return Ok(named(node::unlock(&config.me.key, global)?.public().clone()));
        }
    }
    if Path::new(what).is_file() {
        return Ok(named(of_file(Path::new(what), global)?));
    }
    let hint = "give a name of the table, an sm2:… line, or the path of a key file";
    match config.as_ref().map(|config| config.peer_named(what)) {
        Ok(Err(unknown)) => Err(Failure::new(format!("{what} is no sm2:… line and no file, and {unknown}")).hint(hint)),
        Ok(Ok(peer)) => Ok(named(peer.key.clone())),
        Err(failure) => {
            let error = &failure.error;
            Err(Failure::new(format!("{what} is no sm2:… line and no file, and no table was read: {error}")).hint(hint))
        }
    }
}

/// The public key in a file: a SubjectPublicKeyInfo, or the public half of a private key.
pub(super) fn of_file(path: &Path, global: &Global) -> Outcome<PublicKey> {
    match file::read_public(path)? {
        Some(key) => Ok(key),
        None => Ok(node::unlock(path, global)?.public().clone()),
    }
}

/// The key at `path`, else our own of the table.
pub(super) fn own(path: Option<&Path>, global: &Global) -> Outcome<Identity> {
    if let Some(path) = path {
        return node::unlock(path, global);
    }
    let config = node::config(global).map_err(|failure| Failure {
        hint: Some("give your key with --key FILE, or your table with --config FILE".to_owned()),
        ..failure
    })?;
    node::unlock(&config.me.key, global)
}

/// The name by which the table knows `key`.
pub(super) fn known_as(key: &PublicKey, global: &Global) -> Option<String> {
    let config = node::config(global).ok()?;
    config.peers.iter().find(|peer| peer.key == *key).map(|peer| peer.name.clone())
}
