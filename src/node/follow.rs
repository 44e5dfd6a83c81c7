//! The table changes while the node runs: its file is read again, and links follow it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::link::close;
use super::reasons::Matter;
use super::run::start_peer;
use super::shared::Shared;
use super::table::{Change, Entry};
use super::types::{Event, TableChange, TableError};
use crate::config::{Config, Peer};

/// The file is looked at this often. A look is one question to the file system, which works wherever the file lies
/// and however an editor writes it; what is read has stood unchanged for one such period.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of the file from another.
type Stamp = Option<(SystemTime, u64)>;

/// Reads the table again whenever its file has changed.
pub(super) async fn run(shared: Arc<Shared>, started_with: Arc<Config>) {
    let path = started_with.path.clone();
    let stamp = || -> Stamp {
        let metadata = std::fs::metadata(&path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    // What changed between the start of the process and this line is read, too.
    let (mut read, mut last) = (None, None);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = shared.stopped() => return,
        }
        let now = stamp();
        if last.replace(now) == Some(now) && read != Some(now) {
            read = Some(now);
            // It has told of a fault itself.
            let _ = again(&shared).await;
        }
    }
}

/// Reads the table again, now. A faulty one is told of and changes nothing.
pub(super) async fn again(shared: &Arc<Shared>) -> Result<TableChange, TableError> {
    let Some(before) = shared.settings.table.clone() else {
        return Err(TableError::NoFile);
    };
    let path = before.path.clone();
    let loaded = tokio::task::spawn_blocking(move || Config::load(&path)).await;
    let loaded = loaded.map_err(|_| TableError::Stopped)?;
    let checked = loaded.and_then(|config| match config.check_own_key(shared.identity.public()) {
        Ok(()) => Ok(config),
        Err(fault) => Err(fault.into()),
    });
    match checked {
        Ok(config) => {
            if config.me != before.me || config.link != before.link || config.history != before.history {
                warn!(table = %config.path.display(), "[me], [link] or [history] has changed: it holds from the next start on");
                let error = "[me], [link] or [history] of the table has changed while miyu runs".to_owned();
                let hint = Some("start miyu again for that to hold".into());
                shared.emit(Event::Trouble { error, hint, matter: Matter::Restart });
            }
            Ok(apply(shared, &config.peers))
        }
        Err(faults) => {
            warn!(%faults, "the table has changed and is faulty; the one before holds");
            let error = format!("the table has changed and is faulty, the one before holds: {faults}");
            let matter = Matter::Table(faults.clone());
            shared.emit(Event::Trouble { error, hint: faults.hint(), matter });
            Err(TableError::Faulty(faults))
        }
    }
}

/// Takes the peers of another table: whoever is no longer in it loses its links at once, whoever lost a right or has
/// another name gets new ones, whoever is new is dialled.
pub(super) fn apply(shared: &Arc<Shared>, peers: &[Peer]) -> TableChange {
    let change = shared.table.replace(peers);
    for old in &change.removed {
        close_links(shared, old, close::NOT_IN_TABLE, "removed from the table");
    }
    for (old, new) in &change.changed {
        // Streams under way live by the rights that they began with: a link without a right must not have them.
        let lost = (old.allow.chat && !new.allow.chat) || (old.allow.camera && !new.allow.camera);
        if lost || old.name != new.name {
            close_links(shared, old, close::BYE, "the table has changed");
        }
        start_peer(shared, new);
    }
    for new in &change.added {
        start_peer(shared, new);
    }
    tell(shared, &change)
}

fn close_links(shared: &Arc<Shared>, peer: &Entry, code: u32, reason: &str) {
    for link in shared.links.all().iter().filter(|link| link.peer.id == peer.id) {
        link.close(code, reason);
    }
}

fn tell(shared: &Arc<Shared>, change: &Change) -> TableChange {
    let names = |entries: &[Arc<Entry>]| entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    let told = TableChange {
        added: names(&change.added),
        removed: names(&change.removed),
        changed: change.changed.iter().map(|(_, new)| new.name.clone()).collect(),
    };
    if told == TableChange::default() {
        return told;
    }
    info!(added = ?told.added, removed = ?told.removed, changed = ?told.changed, "the table has changed");
    shared.emit(Event::Table(told.clone()));
    told
}
