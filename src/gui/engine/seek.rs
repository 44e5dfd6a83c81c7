//! Searching in the background: one search at a time, and a new one ends what is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Out, look};
use crate::gui::talk::{Fault, News};
use crate::identity::PeerId;
use crate::node::history::History;

/// Who searches.
pub(super) struct Seeker {
    history: History,
    out: Out,
    /// The number of the latest search; whoever has another one gives up.
    latest: Arc<AtomicU64>,
}

impl Seeker {
    pub(super) fn new(history: History, out: Out) -> Self {
        Self { history, out, latest: Arc::default() }
    }

    /// Reads the texts of the history for a search that is likely to come: that takes seconds in a long one.
    pub(super) fn prepare(&self) {
        let (history, wanted) = (self.history.clone(), self.wanted(self.latest.load(Ordering::Relaxed)));
        // A fault of the store is told by the search that meets it.
        drop(tokio::task::spawn_blocking(move || history.prepare_search(wanted)));
    }

    pub(super) fn search(&self, words: String, peer: Option<PeerId>, ticket: u64) {
        let own = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
        let (history, out, mut wanted) = (self.history.clone(), self.out.clone(), self.wanted(own));
        tokio::spawn(async move {
            let found = tokio::task::spawn_blocking(move || {
                history.prepare_search(&mut wanted)?;
                if wanted() { look::search(&history, &words, peer).map(Some) } else { Ok(None) }
            });
            match found.await {
                Ok(Ok(Some(lines))) => out.tell(News::Found { ticket, lines }).await,
                // another one has taken its place
                Ok(Ok(None)) => {}
                Ok(Err(error)) => out.tell(News::Trouble(Fault::of(&error))).await,
                Err(died) => out.tell(News::Trouble(Fault::of(&died))).await,
            }
        });
    }

    /// Ends what is under way.
    pub(super) fn stop(&self) {
        self.latest.fetch_add(1, Ordering::Relaxed);
    }

    fn wanted(&self, own: u64) -> impl FnMut() -> bool + Send + 'static {
        let latest = self.latest.clone();
        move || latest.load(Ordering::Relaxed) == own
    }
}
