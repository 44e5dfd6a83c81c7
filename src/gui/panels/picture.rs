//! A picture in full size: to zoom, to move, to save.

use std::sync::Arc;

use egui::{ColorImage, Modal, Rect, Scene, TextureHandle, TextureOptions, Ui, Vec2};

use super::{View, tell_fault};
use crate::gui::model::{Model, Picture};
use crate::gui::talk::Ask;
use crate::identity::PeerId;
use crate::node::history::Target;

/// Pixels of a picture's longer side at most: more than graphics cards take is shown smaller, and saved whole.
const SIDE_MAX: u32 = 8_192;

/// The part of the picture that is seen.
pub struct State {
    seen: Rect,
    drawn: Option<(Arc<ColorImage>, TextureHandle)>,
}

impl Default for State {
    fn default() -> Self {
        Self { seen: Rect::ZERO, drawn: None }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "picture::State({})", self.seen)
    }
}

impl State {
    fn texture(&mut self, ui: &Ui, image: &Arc<ColorImage>) -> egui::TextureId {
        match &self.drawn {
            Some((drawn, texture)) if Arc::ptr_eq(drawn, image) => texture.id(),
            _ => {
                let texture = ui.ctx().load_texture("picture", image.clone(), TextureOptions::LINEAR);
                let id = texture.id();
                self.drawn = Some((image.clone(), texture));
                id
            }
        }
    }
}

/// Shows the picture over everything; whether it is to be closed.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, target): (PeerId, Target),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> bool {
    let room = ui.ctx().content_rect().size() * 0.9;
    let side_max = ui.input(|input| u32::try_from(input.max_texture_side).unwrap_or(SIDE_MAX)).min(SIDE_MAX);
    let shown = Modal::new(egui::Id::unique("picture")).show(ui.ctx(), |ui| {
        ui.set_min_size(room);
        let mut closes = false;
        ui.horizontal(|ui| {
            closes = ui.button(view.get("dialog-close")).clicked();
            if ui.button(view.get("message-save")).clicked() {
                asks.push(Ask::Save { peer, target });
            }
            if ui.button(view.get("picture-whole")).clicked() {
                state.seen = Rect::ZERO;
            }
        });
        match model.picture(peer, target, side_max, asks) {
            Picture::Here(image) => {
                let size = Vec2::new(image.width() as f32, image.height() as f32) / ui.pixels_per_point();
                let texture = state.texture(ui, image);
                Scene::new().zoom_range(0.05..=8.0).show(ui, &mut state.seen, |ui| {
                    let label = view.get("kind-picture");
                    ui.add(egui::Image::new((texture, size)).alt_text(label));
                });
            }
            Picture::Awaited => drop(ui.weak(view.get("picture-loading"))),
            Picture::Faulty(fault) => tell_fault(ui, fault, view),
        }
        closes
    });
    let closes = shown.inner || shown.should_close();
    if closes {
        *state = State::default();
    }
    closes
}
