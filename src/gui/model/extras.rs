//! What the conversation knows beside its messages: where a search or an answer has led, what was saved where.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Model;
use crate::gui::talk::{Ask, Line, News};
use crate::identity::PeerId;
use crate::node::history::Target;

/// A message that was gone to is marked for so many ms.
pub const MARKED_MS: i64 = 3_000;
/// Saved messages whose places are remembered.
const SAVED_MAX: usize = 64;

/// See the module.
#[derive(Default)]
pub struct Extras {
    /// The message, and until when, once it was seen.
    marked: Option<(Target, Option<i64>)>,
    saved: HashMap<(PeerId, Target), PathBuf>,
    located: Option<(PeerId, Line)>,
}

// contents stay out of logs
impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Extras({} saved)", self.saved.len())
    }
}

impl Extras {
    /// Marks a message that was gone to, from when it is first seen.
    pub(super) fn mark(&mut self, target: Target) {
        self.marked = Some((target, None));
    }

    /// For how many ms a message that is seen is still marked; none where it is not.
    pub fn marked(&mut self, target: &Target, now_ms: i64) -> Option<i64> {
        let (_, until_ms) = self.marked.as_mut().filter(|(marked, _)| marked == target)?;
        let left_ms = *until_ms.get_or_insert(now_ms + MARKED_MS) - now_ms;
        if left_ms <= 0 {
            self.marked = None;
        }
        Some(left_ms).filter(|left| *left > 0)
    }

    /// Where a message was saved since the start.
    pub fn saved_as(&self, peer: PeerId, target: Target) -> Option<&PathBuf> {
        self.saved.get(&(peer, target))
    }
}

impl Model {
    /// Goes to a message by what it is called: where it is not among the loaded ones, it is looked for.
    pub fn jump(&mut self, peer: PeerId, target: Target, asks: &mut Vec<Ask>) {
        match self.conversation(&peer).line(&target).cloned() {
            Some(line) => self.go_to(peer, &line, asks),
            None => asks.push(Ask::Locate { peer, target }),
        }
    }

    /// News of these things.
    pub(super) fn take_extra(&mut self, news: News) {
        match news {
            News::SavedAs { peer, target, path } => {
                if self.extras.saved.len() >= SAVED_MAX {
                    self.extras.saved.clear();
                }
                self.extras.saved.insert((peer, target), path.clone());
                self.saved = Some(path);
            }
            News::Draft { peer, text } => self.draft(&peer).restore(text),
            News::Located { peer, line } => self.extras.located = Some((peer, line)),
            _ => {}
        }
    }

    /// Keeps what is being written to a peer, where that is due; without a time, at once.
    pub fn keep_draft(&mut self, peer: PeerId, now_ms: Option<i64>, asks: &mut Vec<Ask>) {
        if let Some(text) = self.draft(&peer).to_keep(now_ms) {
            asks.push(Ask::KeepDraft { peer, text });
        }
    }

    /// Goes where an answer has led, once it is known where that is.
    pub fn follow(&mut self, asks: &mut Vec<Ask>) {
        if let Some((peer, line)) = self.extras.located.take()
            && self.open == Some(peer)
        {
            self.go_to(peer, &line, asks);
        }
    }
}
