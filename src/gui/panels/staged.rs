//! Files and pictures that go with the next message, and the text that the first picture is to hide.

use std::sync::Arc;

use egui::{Frame, Label, Margin, RichText, Sense, TextEdit, TextureHandle, TextureOptions, Ui, vec2};

use super::{View, recorder, size};
use crate::gui::look;
use crate::gui::model::capacity;
use crate::gui::model::draft::Draft;
use crate::gui::talk::{Staged, StagedBody};

/// Points of a preview's side.
const PREVIEW: f32 = 48.0;
/// Points of height that all of them take at most; more are scrolled.
const HEIGHT_MAX: f32 = 180.0;

/// Previews that are drawn.
#[derive(Default)]
pub struct State {
    textures: Vec<(Arc<Staged>, TextureHandle)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("staged::State")
    }
}

impl State {
    fn texture(&mut self, ui: &Ui, staged: &Arc<Staged>) -> Option<&TextureHandle> {
        let StagedBody::Picture { preview, .. } = &staged.body else { return None };
        let at = match self.textures.iter().position(|(drawn, _)| Arc::ptr_eq(drawn, staged)) {
            Some(at) => at,
            None => {
                let texture = ui.ctx().load_texture("staged", preview.clone(), TextureOptions::LINEAR);
                self.textures.push((staged.clone(), texture));
                self.textures.len() - 1
            }
        };
        self.textures.get(at).map(|(_, texture)| texture)
    }
}

/// Shows what waits.
pub fn show(ui: &mut Ui, state: &mut State, draft: &mut Draft, view: View<'_>) {
    state.textures.retain(|(drawn, _)| draft.staged.iter().any(|staged| Arc::ptr_eq(staged, drawn)));
    if draft.staged.iter().all(|staged| recorder::shows(staged)) {
        draft.hide = None;
        return;
    }
    let mut removed = None;
    egui::ScrollArea::vertical().id_salt("staged").max_height(HEIGHT_MAX).auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            for (at, staged) in draft.staged.iter().enumerate().filter(|(_, staged)| !recorder::shows(staged)) {
                if one(ui, state, staged, view) {
                    removed = Some(at);
                }
            }
        });
    });
    if let Some(at) = removed {
        draft.staged.remove(at);
    }
    hide(ui, draft, view);
    ui.add_space(4.0);
}

/// One of them; whether it is not to be sent.
fn one(ui: &mut Ui, state: &mut State, staged: &Arc<Staged>, view: View<'_>) -> bool {
    let palette = look::palette(ui.visuals());
    let frame = Frame::new().fill(palette.hovered).corner_radius(10).inner_margin(Margin::same(6));
    frame
        .show(ui, |ui| {
            ui.set_width(220.0);
            ui.horizontal(|ui| {
                match state.texture(ui, staged) {
                    Some(texture) => {
                        let pixels = texture.size_vec2();
                        let shown = pixels * (PREVIEW / pixels.max_elem().max(1.0));
                        let image = egui::Image::new((texture.id(), shown)).corner_radius(6).alt_text(&staged.name);
                        ui.add_sized(vec2(PREVIEW, PREVIEW), image);
                    }
                    None => {
                        let (rect, _) = ui.allocate_exact_size(vec2(32.0, PREVIEW), Sense::hover());
                        let font = egui::FontId::proportional(22.0);
                        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "📄", font, palette.weak);
                    }
                }
                ui.vertical(|ui| {
                    ui.set_width((ui.available_width() - 30.0).max(20.0));
                    ui.spacing_mut().item_spacing.y = 0.0;
                    ui.add(Label::new(&staged.name).truncate());
                    ui.label(RichText::new(size(staged.bytes)).small().weak());
                });
                let remove = view.words.with("composer-remove", &[("name", staged.name.clone().into())]);
                ui.small_button("✖").accessible_name(remove).clicked()
            })
            .inner
        })
        .inner
}

/// What the first picture hides, with the room for it told while one types.
fn hide(ui: &mut Ui, draft: &mut Draft, view: View<'_>) {
    let Some(capacity) = draft.staged.iter().find_map(|staged| capacity(staged)) else {
        draft.hide = None;
        return;
    };
    let mut hides = draft.hide.is_some();
    if ui.checkbox(&mut hides, view.get("composer-hide")).changed() {
        draft.hide = hides.then(String::new);
    }
    let Some(text) = &mut draft.hide else { return };
    let edit =
        TextEdit::multiline(text).desired_rows(2).desired_width(f32::INFINITY).hint_text(view.get("composer-hidden"));
    ui.add(edit).accessible_name(view.get("composer-hidden"));
    let (used, room) = (text.len() as u64, capacity as u64);
    match room.checked_sub(used) {
        Some(left) => {
            let told = view.words.with("hidden-left", &[("left", left.into()), ("room", room.into())]);
            ui.label(RichText::new(told).small().weak());
        }
        None => {
            let over = [("over", (used - room).into()), ("room", room.into())];
            ui.colored_label(ui.visuals().error_fg_color, view.words.with("hidden-over", &over));
        }
    }
}
