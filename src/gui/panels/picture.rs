//! A picture in full size: to zoom, to move, to save.

use std::sync::Arc;

use egui::{
    Button, Color32, ColorImage, Key, Modal, Modifiers, Pos2, Rect, RichText, Role, Sense, TextureHandle,
    TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::{View, tell_fault};
use crate::gui::look;
use crate::gui::model::{Model, Picture};
use crate::gui::talk::Ask;
use crate::identity::PeerId;
use crate::node::history::Target;

/// Pixels of a picture's longer side at most: more than graphics cards take is shown smaller, and saved whole.
const SIDE_MAX: u32 = 8_192;
/// How much one step makes it larger.
const STEP: f32 = 1.25;
/// The largest that a picture's pixel is shown.
const SCALE_MAX: f32 = 16.0;
/// Points of the wheel that make it larger by the base of the natural logarithm.
const WHEEL: f32 = 240.0;
/// Points that an arrow key moves it.
const MOVE: f32 = 60.0;

/// The part of the picture that is seen.
#[derive(Default)]
pub struct State {
    /// Points of one pixel; none: the whole picture fits.
    scale: Option<f32>,
    /// The pixel in the middle, counted from the picture's middle.
    middle: Vec2,
    drawn: Option<(Arc<ColorImage>, TextureHandle)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "picture::State({:?}, {})", self.scale, self.middle)
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

    /// Makes it larger by a factor, with the pixel under `at` (from the middle of the page) where it is.
    fn zoom(&mut self, factor: f32, at: Vec2, fit: f32) {
        let before = self.scale.unwrap_or(fit);
        let after = (before * factor).clamp(fit.min(1.0) * 0.5, SCALE_MAX);
        self.middle += at / before - at / after;
        self.scale = Some(after);
    }

    fn whole(&mut self) {
        self.scale = None;
        self.middle = Vec2::ZERO;
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
    let room = ui.ctx().content_rect().size() * 0.94 - vec2(40.0, 40.0);
    let side_max = ui.input(|input| u32::try_from(input.max_texture_side).unwrap_or(SIDE_MAX)).min(SIDE_MAX);
    let shown = Modal::new(egui::Id::unique("picture")).show(ui.ctx(), |ui| {
        ui.set_min_size(room);
        ui.set_max_size(room);
        let factor = keys(ui, state);
        let (closes, pressed) = bar(ui, state, (peer, target), view, asks);
        match model.picture(peer, target, side_max, asks) {
            Picture::Here(image) => {
                let texture = state.texture(ui, image);
                let size = vec2(image.width() as f32, image.height() as f32);
                page(ui, state, (texture, size), factor * pressed, view);
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

/// The buttons above it: whether it is closed, and how much larger it becomes.
fn bar(
    ui: &mut Ui,
    state: &mut State,
    (peer, target): (PeerId, Target),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> (bool, f32) {
    let (mut closes, mut factor) = (false, 1.0);
    ui.horizontal_wrapped(|ui| {
        closes = ui.button(view.get("dialog-close")).clicked();
        if ui.button(view.get("message-save")).clicked() {
            asks.push(Ask::Save { peer, target });
        }
        if ui.button(view.get("picture-whole")).clicked() {
            state.whole();
        }
        for (sign, key, by) in [("−", "picture-smaller", 1.0 / STEP), ("+", "picture-larger", STEP)] {
            let button = ui.add(Button::new(sign).min_size(vec2(30.0, 0.0)));
            if button.on_hover_text(view.get(key)).accessible_name(view.get(key)).clicked() {
                factor *= by;
            }
        }
        ui.label(RichText::new(view.get("picture-help")).small().weak());
    });
    (closes, factor)
}

/// Keys that move it and change its size; how much larger it becomes.
fn keys(ui: &Ui, state: &mut State) -> f32 {
    ui.input_mut(|input| {
        let mut pressed = |key| input.consume_key(Modifiers::NONE, key);
        if pressed(Key::Num0) {
            state.whole();
        }
        let larger = pressed(Key::Plus) || pressed(Key::Equals);
        let smaller = pressed(Key::Minus);
        if state.scale.is_some() {
            let step = MOVE / state.scale.unwrap_or(1.0);
            for (key, by) in [
                (Key::ArrowLeft, vec2(-step, 0.0)),
                (Key::ArrowRight, vec2(step, 0.0)),
                (Key::ArrowUp, vec2(0.0, -step)),
                (Key::ArrowDown, vec2(0.0, step)),
            ] {
                if pressed(key) {
                    state.middle += by;
                }
            }
        }
        match (larger, smaller) {
            (true, false) => STEP,
            (false, true) => 1.0 / STEP,
            _ => 1.0,
        }
    })
}

/// The picture itself: the wheel zooms where the pointer is, dragging moves it, a double click goes there and back.
fn page(ui: &mut Ui, state: &mut State, (texture, size): (egui::TextureId, Vec2), factor: f32, view: View<'_>) {
    let (rect, response) = ui.allocate_exact_size(ui.available_size().max(vec2(40.0, 40.0)), Sense::click_and_drag());
    let pixel = 1.0 / ui.pixels_per_point();
    let fit = (rect.size() / size.max(Vec2::splat(1.0))).min_elem().min(pixel);
    let mut by = factor;
    let mut at = Vec2::ZERO;
    if let Some(pointer) = response.hover_pos() {
        let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        if wheel != 0.0 || pinch != 1.0 {
            by *= (wheel / WHEEL).exp() * pinch;
            at = pointer - rect.center();
        }
    }
    if response.double_clicked() {
        match state.scale {
            Some(_) => state.whole(),
            None => {
                at = response.interact_pointer_pos().map_or(Vec2::ZERO, |pointer| pointer - rect.center());
                by = (pixel.max(2.0 * fit)) / fit;
            }
        }
    }
    if by != 1.0 {
        state.zoom(by, at, fit);
    }
    let scale = state.scale.unwrap_or(fit);
    state.middle -= response.drag_delta() / scale;
    let half = size / 2.0;
    // It may be moved until its edge is in the middle.
    state.middle = if state.scale.is_some() { state.middle.clamp(-half, half) } else { Vec2::ZERO };
    let place = Rect::from_center_size(rect.center() - state.middle * scale, size * scale);
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, 8.0, look::palette(ui.visuals()).page);
    painter.image(texture, place, whole, Color32::WHITE);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, view.get("kind-picture")));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let mut state = State { scale: Some(2.0), middle: vec2(10.0, 5.0), drawn: None };
        let at = vec2(100.0, -40.0);
        let pixel = |state: &State| state.middle + at / state.scale.unwrap();
        let before = pixel(&state);
        state.zoom(1.5, at, 0.5);
        assert_eq!(state.scale, Some(3.0));
        assert!((pixel(&state) - before).length() < 0.001);
        state.zoom(1e9, at, 0.5);
        assert_eq!(state.scale, Some(SCALE_MAX));
        state.whole();
        assert_eq!((state.scale, state.middle), (None, Vec2::ZERO));
    }
}
