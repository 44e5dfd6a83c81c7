//! The microphone of the composer: held or clicked, it records; what was recorded is listened to before it is sent.

use egui::{Button, Id, Key, Modifiers, Rect, RichText, Sense, Ui, UiBuilder, WidgetInfo, vec2};

use super::{View, clip, paint};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::model::sound::{Recording, track_of};
use crate::gui::sound::HAS_SOUND;
use crate::gui::talk::{Ask, Staged, StagedBody};
use crate::identity::PeerId;

/// A button that is held down for so many seconds records until it is let go; one let go sooner was clicked.
const HOLD: f64 = 0.4;
/// Points of the level meter.
const METER: egui::Vec2 = vec2(140.0, 12.0);
/// The part of the meter from which it is too loud: -6 dB.
const LOUD: u8 = 90;

/// The button under the pointer.
#[derive(Debug, Default)]
pub struct State {
    pressed: Option<Press>,
}

#[derive(Debug)]
struct Press {
    /// In seconds of the window's clock.
    at: f64,
    /// Whether it began a recording, rather than ends one.
    begins: bool,
}

/// Shows the button that records.
pub fn button(ui: &mut Ui, state: &mut State, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    let recording = model.sound.recording();
    let can = HAS_SOUND && (recording.is_some() || model.can_record(&peer));
    let (icon, name) = match recording {
        Some(_) => ("⏹", view.get("recorder-finish")),
        None if HAS_SOUND => ("🎤", view.get("recorder-record")),
        None => ("🎤", view.get("sound-absent")),
    };
    // Rows that come and go above must not let go of a button that is held.
    let scope = UiBuilder::new().scope_id(Id::unique(("recorder", peer.as_bytes())));
    // as its neighbours
    let sign = Button::new(RichText::new(icon).size(17.0)).sense(Sense::click_and_drag());
    let sign = sign.frame_when_inactive(recording.is_some()).min_size(egui::Vec2::splat(paint::SIGN));
    let response = ui.scope_builder(scope, |ui| ui.add_enabled(can, sign));
    let mut response = response.inner.on_disabled_hover_text(&name);
    if recording.is_none() {
        // it would lie over the countdown
        response = response.on_hover_text(&name);
    }
    let response = response.accessible_name(name);
    let (now, down) = ui.input(|input| (input.time, input.pointer.primary_down()));
    if response.is_pointer_button_down_on() && down {
        if state.pressed.is_none() {
            state.pressed = Some(Press { at: now, begins: recording.is_none() });
            if recording.is_none() {
                model.record(peer, asks);
            }
        }
    } else if let Some(press) = state.pressed.take() {
        if !press.begins || now - press.at >= HOLD {
            model.finish_recording(asks);
        }
    } else if response.clicked() {
        match recording {
            Some(_) => model.finish_recording(asks),
            None => model.record(peer, asks),
        }
    }
}

/// Shows what is recorded, and the clips that wait to be sent.
pub fn bar(ui: &mut Ui, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    waiting(ui, model, peer, view, asks);
    model.stop_draft(asks);
    let Some(recording) = model.sound.recording() else { return };
    ui.horizontal(|ui| {
        ui.label(RichText::new("⏺").color(ui.visuals().error_fg_color));
        meter(ui, &recording, view);
        let left = format!("{}.{}", recording.left_ms() / 1_000, recording.left_ms() % 1_000 / 100);
        let name = model.peer(&recording.peer).map(|peer| peer.row.name.clone()).unwrap_or_default();
        let key = match (recording.ending, recording.recorded_ms) {
            (true, _) => "recorder-ending",
            (false, 0) => "recorder-opening",
            (false, _) => "recorder-left",
        };
        ui.label(match key {
            "recorder-left" => view.words.with("recorder-left", &[("seconds", left.into()), ("name", name.into())]),
            key => view.get(key),
        });
        let leaves = ui.button(view.get("recorder-give-up")).clicked();
        if leaves || ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            model.give_up_recording(asks);
        }
    });
}

fn meter(ui: &mut Ui, recording: &Recording, view: View<'_>) {
    let (rect, response) = ui.allocate_exact_size(METER, Sense::hover());
    let label = view.get("recorder-level");
    response.widget_info(|| WidgetInfo {
        value: Some(f64::from(recording.level)),
        ..WidgetInfo::labeled(egui::Role::ProgressIndicator, true, &label)
    });
    let visuals = ui.visuals();
    let palette = look::palette(visuals);
    let colour = if recording.level >= LOUD { palette.warn } else { palette.accent_text };
    let size = vec2(rect.width() * f32::from(recording.level) / 100.0, rect.height());
    ui.painter().rect_filled(rect, 3, palette.field);
    ui.painter().rect_filled(Rect::from_min_size(rect.min, size), 3, colour);
}

/// The clips that go with the draft: each can be listened to, or left out.
fn waiting(ui: &mut Ui, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    let staged = model.draft(&peer).staged.clone();
    for staged in staged {
        let (Some(track), StagedBody::Clip(waits)) = (track_of(&staged), &staged.body) else { continue };
        ui.horizontal(|ui| {
            clip::show(ui, model, &track, Some(&waits.wave), view, asks);
            let remove = view.words.with("composer-remove", &[("name", staged.name.clone().into())]);
            if ui.small_button("✖").on_hover_text(&remove).accessible_name(remove).clicked() {
                model.draft(&peer).staged.retain(|other| !std::sync::Arc::ptr_eq(other, &staged));
            }
        });
        // below, as a row must not be wider than the window
        for (told, key) in [(waits.gaps, "recorder-gaps"), (waits.quiet, "recorder-quiet")] {
            if told {
                ui.colored_label(ui.visuals().warn_fg_color, view.get(key));
            }
        }
    }
}

/// Whether a row of its own shows it.
pub fn shows(staged: &Staged) -> bool {
    matches!(staged.body, StagedBody::Clip(_))
}
