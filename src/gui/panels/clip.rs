//! A clip: a button that plays and pauses it, its wave form, which is clicked, dragged or stepped through, and its length.

use egui::{
    Align, Button, EventFilter, Key, Layout, Rect, RichText, Sense, Ui, Vec2, WidgetInfo, accesskit, pos2, vec2,
};

use super::{View, size, tell_fault};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::model::sound::{Form, Spot};
use crate::gui::sound::{BARS, HAS_SOUND, Track, Wave};
use crate::gui::talk::{Ask, Line};
use crate::identity::PeerId;

/// Points of the button: more than either of its signs needs, so that nothing moves.
const BUTTON: Vec2 = vec2(38.0, FORM.y);
/// Points of a wave form at most; a narrow window makes it shorter.
const FORM: Vec2 = vec2(200.0, 32.0);
/// The least of it.
const FORM_WIDTH_MIN: f32 = 48.0;
/// Points of the length, which must not move what stands beside it.
const LENGTH: Vec2 = vec2(84.0, 20.0);
/// The part of a bar's place that is empty.
const BETWEEN: f32 = 0.35;
/// Steps of the arrow keys through a whole clip, and the shortest step.
const STEPS: u64 = 20;
const STEP_MS_MIN: u64 = 500;

/// Shows a clip of a conversation.
pub fn message(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    let track = Track::Message(peer, line.target);
    match model.sound.form(peer, line.target, asks) {
        Form::Awaited => show(ui, model, &track, None, view, asks),
        Form::Here(wave) => show(ui, model, &track, Some(&wave), view, asks),
        Form::Faulty(fault) => {
            ui.label(format!("🎵 {} · {}", view.get("kind-clip"), size(line.bytes)));
            tell_fault(ui, &fault, view);
        }
    }
}

/// Shows a clip; without a wave form there is room for it, so that nothing jumps when it comes.
pub fn show(ui: &mut Ui, model: &mut Model, track: &Track, wave: Option<&Wave>, view: View<'_>, asks: &mut Vec<Ask>) {
    let spot = model.sound.spot(track);
    let length_ms = wave.map_or(0, |wave| wave.duration_ms);
    ui.horizontal(|ui| {
        let (icon, key) = if spot.plays { ("⏸", "clip-pause") } else { ("▶", "clip-play") };
        let name = view.words.with(key, &[("length", time(length_ms, true).into())]);
        let button = ui.add_enabled(
            HAS_SOUND && wave.is_some(),
            Button::new(RichText::new(icon).size(16.0)).corner_radius(FORM.y / 2.0).min_size(BUTTON),
        );
        let button = button.on_hover_text(&name).accessible_name(name);
        let button = if HAS_SOUND { button } else { button.on_disabled_hover_text(view.get("sound-absent")) };
        if button.clicked() {
            model.play_or_pause(track, asks);
        }
        form(ui, model, track, wave, spot, view, asks);
        let mut text = time(length_ms, true);
        if spot.position_ms > 0 {
            text = format!("{} / {text}", time(spot.position_ms, false));
        }
        let text = if wave.is_some() { text } else { "…".to_owned() };
        ui.allocate_ui_with_layout(LENGTH, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_size(LENGTH);
            ui.label(RichText::new(text).small().monospace());
        });
    });
}

/// Minutes and seconds; a length is rounded, a place is not: the last second is not over before its end.
fn time(ms: u64, rounded: bool) -> String {
    let seconds = if rounded { (ms + 500) / 1_000 } else { ms / 1_000 };
    // what is there is not nothing
    let seconds = if rounded && ms > 0 { seconds.max(1) } else { seconds };
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn form(
    ui: &mut Ui,
    model: &mut Model,
    track: &Track,
    wave: Option<&Wave>,
    spot: Spot,
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let width = (ui.available_width() - LENGTH.x - 8.0).clamp(FORM_WIDTH_MIN, FORM.x);
    let sense = if HAS_SOUND && wave.is_some() { Sense::click_and_drag() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(width, FORM.y), sense);
    let length_ms = wave.map_or(0, |wave| wave.duration_ms);
    let seconds = spot.position_ms as f64 / 1_000.0;
    let label = view.get("clip-place");
    response.widget_info(|| WidgetInfo::slider(wave.is_some(), seconds, &label));
    paint(ui, rect, wave, spot, response.has_focus());
    if wave.is_none() || !HAS_SOUND {
        return;
    }
    declare(ui, response.id, length_ms);
    let moved = response.clicked() || response.drag_started() || response.drag_delta() != Vec2::ZERO;
    if let Some(at) = response.interact_pointer_pos().filter(|_| moved) {
        let part = ((at.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
        model.seek(track, (f64::from(part) * length_ms as f64) as u64, true, asks);
    } else if let Some(to_ms) = stepped(ui, &response, spot.position_ms, length_ms) {
        model.seek(track, to_ms, false, asks);
    }
}

/// Where the keyboard or a screen reader goes.
fn stepped(ui: &Ui, response: &egui::Response, position_ms: u64, length_ms: u64) -> Option<u64> {
    use accesskit::{Action, ActionData};
    let id = response.id;
    let (mut back, mut on, mut to) = (0, 0, None);
    ui.input(|input| {
        back += input.num_accesskit_action_requests(id, Action::Decrement);
        on += input.num_accesskit_action_requests(id, Action::Increment);
        to = input.accesskit_action_requests(id, Action::SetValue).find_map(|request| match request.data {
            Some(ActionData::NumericValue(seconds)) => Some((seconds.max(0.0) * 1_000.0) as u64),
            _ => None,
        });
    });
    if response.has_focus() {
        // the arrows are ours, and do not move the focus
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        ui.input(|input| {
            back += input.num_presses(Key::ArrowLeft);
            on += input.num_presses(Key::ArrowRight);
            if input.key_pressed(Key::Home) {
                to = Some(0);
            }
            if input.key_pressed(Key::End) {
                to = Some(length_ms);
            }
        });
    }
    if back == on {
        return to.map(|to| to.min(length_ms));
    }
    let step = (length_ms / STEPS).max(STEP_MS_MIN);
    let (back, on) = (back as u64 * step, on as u64 * step);
    Some((position_ms + on).saturating_sub(back).min(length_ms))
}

/// Tells a screen reader how far it can go.
fn declare(ui: &Ui, id: egui::Id, length_ms: u64) {
    use accesskit::Action;
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(length_ms as f64 / 1_000.0);
        for action in [Action::SetValue, Action::Increment, Action::Decrement] {
            node.add_action(action);
        }
    });
}

fn paint(ui: &Ui, rect: Rect, wave: Option<&Wave>, spot: Spot, focused: bool) {
    if !ui.is_rect_visible(rect) {
        return;
    }
    let visuals = ui.visuals();
    let palette = look::palette(visuals);
    let (heard, ahead) = (palette.accent_text, palette.weak);
    let part = match wave {
        Some(wave) if wave.duration_ms > 0 => spot.position_ms as f32 / wave.duration_ms as f32,
        _ => 0.0,
    };
    let place = rect.width() / BARS as f32;
    for bar in 0..BARS {
        let height = wave.and_then(|wave| wave.bars.get(bar)).map_or(0.0, |height| f32::from(*height) / 255.0);
        // silence is a line
        let size = vec2(place * (1.0 - BETWEEN), (rect.height() * height).max(2.0));
        let middle = pos2(rect.left() + place * (bar as f32 + 0.5), rect.center().y);
        let colour = if (bar as f32 + 0.5) / BARS as f32 <= part { heard } else { ahead };
        ui.painter().rect_filled(Rect::from_center_size(middle, size), 1, colour);
    }
    if focused {
        ui.painter().rect_stroke(rect, 3, visuals.selection.stroke, egui::StrokeKind::Outside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_and_places_are_not() {
        assert_eq!(
            [0, 20, 499, 1_499, 1_500, 59_600].map(|ms| time(ms, true)),
            ["0:00", "0:01", "0:01", "0:01", "0:02", "1:00"]
        );
        assert_eq!([0, 999, 1_000, 59_999, 61_000].map(|ms| time(ms, false)), ["0:00", "0:00", "0:01", "0:59", "1:01"]);
    }
}
