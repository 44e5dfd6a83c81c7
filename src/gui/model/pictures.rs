//! Decoded pictures of conversations.

use std::collections::HashMap;
use std::sync::Arc;

use egui::ColorImage;

use crate::gui::talk::{Ask, Fault};
use crate::identity::PeerId;
use crate::node::history::Target;

/// Pictures that are kept decoded.
pub const PICTURES_MAX: usize = 64;
/// Bytes of their pixels; the one that is looked at stays, however large.
pub const PICTURES_BYTES_MAX: usize = 256 << 20;

/// A picture of a conversation.
#[derive(Clone)]
pub enum Picture {
    /// Asked for.
    Awaited,
    /// Decoded.
    Here(Arc<ColorImage>),
    /// It cannot be shown.
    Faulty(Fault),
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Awaited => "Awaited",
            Self::Here(_) => "Here",
            Self::Faulty(_) => "Faulty",
        })
    }
}

/// Decoded pictures, the longest unused of which go first.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    pub(super) held: HashMap<(PeerId, Target), (Picture, u32, u64)>,
    uses: u64,
}

impl Pictures {
    pub(super) fn get(&mut self, peer: PeerId, target: Target, side_max: u32, asks: &mut Vec<Ask>) -> &Picture {
        self.uses += 1;
        let uses = self.uses;
        let larger = self.held.get(&(peer, target)).is_some_and(|(_, side, _)| *side < side_max);
        if larger || !self.held.contains_key(&(peer, target)) {
            asks.push(Ask::Picture { peer, target, side_max });
            while self.held.len() >= PICTURES_MAX {
                let oldest = self.held.iter().min_by_key(|(_, (_, _, used))| *used).map(|(key, _)| *key);
                let Some(oldest) = oldest else { break };
                self.held.remove(&oldest);
            }
        }
        let entry = self.held.entry((peer, target)).or_insert((Picture::Awaited, side_max, uses));
        // A small one is shown until the larger one is there.
        entry.1 = entry.1.max(side_max);
        entry.2 = uses;
        &entry.0
    }

    pub(super) fn put(&mut self, peer: PeerId, target: Target, picture: Result<Arc<ColorImage>, Fault>) {
        // one that was dropped meanwhile is not wanted any more
        let Some((held, _, _)) = self.held.get_mut(&(peer, target)) else { return };
        *held = match picture {
            Ok(picture) => Picture::Here(picture),
            Err(fault) => Picture::Faulty(fault),
        };
        while self.bytes() > PICTURES_BYTES_MAX {
            let others = self
                .held
                .iter()
                .filter(|(key, (held, ..))| **key != (peer, target) && matches!(held, Picture::Here(_)));
            let oldest = others.min_by_key(|(_, (_, _, used))| *used).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.held.remove(&oldest);
        }
    }

    /// Whether it is held, or awaited.
    pub(super) fn holds(&self, peer: PeerId, target: Target) -> bool {
        self.held.contains_key(&(peer, target))
    }

    fn bytes(&self) -> usize {
        let pixels = self.held.values().map(|(held, ..)| match held {
            Picture::Here(image) => image.pixels.len(),
            Picture::Awaited | Picture::Faulty(_) => 0,
        });
        pixels.sum::<usize>() * std::mem::size_of::<egui::Color32>()
    }

    pub(super) fn forget(&mut self, peer: &PeerId, target: &Target) {
        self.held.remove(&(*peer, *target));
    }
}
