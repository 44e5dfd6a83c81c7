//! What panels draw with their own hands: faces, badges, states, bars. What is seen is said in words by whoever calls.

use std::sync::Arc;

use egui::{
    Align2, Button, Color32, FontId, Frame, Galley, Margin, Painter, Pos2, Rect, Response, RichText, Stroke, TextStyle,
    TextWrapMode, Ui, Vec2, WidgetText, pos2, vec2,
};

use crate::gui::look;
use crate::gui::talk::PeerRow;
use crate::node::history::State;

/// Points between a bar's frame and its text.
const BAR_MARGIN: Margin = Margin { left: 12, right: 12, top: 8, bottom: 8 };

/// A round face: the first letter of the name on a colour of the key, and a dot that says whether somebody is here.
pub fn face(ui: &Ui, rect: Rect, row: &PeerRow, here: Option<bool>, behind: Color32) {
    let painter = ui.painter();
    let (centre, radius) = (rect.center(), rect.width() / 2.0);
    painter.circle_filled(centre, radius, look::face(row.id.as_bytes()));
    let font = FontId::proportional(rect.width() * 0.46);
    painter.text(centre, Align2::CENTER_CENTER, initial(&row.name), font, Color32::WHITE);
    if let Some(here) = here {
        let dot = rect.right_bottom() - Vec2::splat(rect.width() * 0.14);
        let size = (rect.width() * 0.14).max(4.0);
        painter.circle_filled(dot, size + 2.0, behind);
        if here {
            painter.circle_filled(dot, size, look::here(ui.visuals()));
        } else {
            // Hollow, for those who do not see its colour.
            painter.circle_stroke(dot, size - 0.75, Stroke::new(1.5, ui.visuals().weak_text_color()));
        }
    }
}

/// The letter of a face.
fn initial(name: &str) -> String {
    let letter = name.chars().find(|c| c.is_alphanumeric()).or_else(|| name.chars().next());
    letter.map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

/// Text in one line, cut off where the width ends.
pub fn one_line(ui: &Ui, text: RichText, width: f32) -> Arc<Galley> {
    WidgetText::from(text).into_galley(ui, Some(TextWrapMode::Truncate), width.max(0.0), TextStyle::Body)
}

/// Text in a weight that the font lacks: drawn twice, a little apart.
pub fn bold(painter: &Painter, place: Pos2, galley: &Arc<Galley>, colour: Color32) {
    painter.galley(place, galley.clone(), colour);
    painter.galley(place + vec2(0.35, 0.0), galley.clone(), colour);
}

/// A count in a pill, with its right end there. How wide it is.
pub fn badge(ui: &Ui, right_centre: Pos2, count: u64) -> f32 {
    let palette = look::palette(ui.visuals());
    let text = if count > 999 { "999+".to_owned() } else { count.to_string() };
    let galley = ui.painter().layout_no_wrap(text, FontId::proportional(12.0), palette.on_accent);
    let size = vec2((galley.size().x + 12.0).max(20.0), 20.0);
    let rect = Rect::from_min_size(right_centre - vec2(size.x, size.y / 2.0), size);
    ui.painter().rect_filled(rect, size.y / 2.0, palette.accent);
    bold(ui.painter(), rect.center() - galley.size() / 2.0, &galley, palette.on_accent);
    size.x
}

/// How wide the sign of a state is.
pub const STATE_WIDTH: f32 = 16.0;

/// The sign of how far a message has come: a clock, an arrow, one tick, two, or a mark.
pub fn state(ui: &Ui, rect: Rect, state: State) {
    let palette = look::palette(ui.visuals());
    let (painter, centre) = (ui.painter(), rect.center());
    let at = |x: f32, y: f32| centre + vec2(x, y);
    let line = |points: &[(f32, f32)], colour: Color32| {
        painter.line(points.iter().map(|(x, y)| at(*x, *y)).collect(), Stroke::new(1.5, colour));
    };
    match state {
        State::Queued => {
            painter.circle_stroke(centre, 5.0, Stroke::new(1.3, palette.weak));
            line(&[(0.0, -3.0), (0.0, 0.0), (2.2, 1.4)], palette.weak);
        }
        State::Sending => {
            line(&[(0.0, 5.0), (0.0, -4.5)], palette.weak);
            line(&[(-3.5, -1.0), (0.0, -4.5), (3.5, -1.0)], palette.weak);
        }
        State::Delivered => line(&[(-4.5, 0.5), (-1.0, 4.0), (5.0, -3.5)], palette.weak),
        State::Read => {
            line(&[(-7.0, 0.5), (-3.5, 4.0), (2.5, -3.5)], palette.accent_text);
            line(&[(-0.5, 3.2), (0.3, 4.0), (6.5, -3.5)], palette.accent_text);
        }
        State::Failed => {
            painter.circle_filled(centre, 6.0, palette.error);
            let back = look::bubble(ui.visuals(), true);
            line(&[(0.0, -3.5), (0.0, 1.0)], back);
            painter.circle_filled(at(0.0, 3.2), 0.9, back);
        }
        State::Received | State::Seen => {}
    }
}

/// What is pressed first: filled with the accent.
pub fn primary<'a>(ui: &Ui, text: impl Into<String>) -> Button<'a> {
    let palette = look::palette(ui.visuals());
    Button::new(RichText::new(text).color(palette.on_accent)).fill(palette.accent)
}

/// Points of a button of one sign.
pub const SIGN: f32 = 30.0;

/// A button of one sign, with a name for those who hear and those who wait with the pointer over it.
pub fn sign(ui: &mut Ui, sign: &str, name: String) -> Response {
    let button = Button::new(RichText::new(sign).size(17.0)).frame_when_inactive(false).min_size(Vec2::splat(SIGN));
    ui.add(button).on_hover_text(&name).accessible_name(name)
}

/// A bar over the whole width for what should be seen first; of an error where `error`.
pub fn bar<R>(ui: &mut Ui, error: bool, add: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = look::palette(ui.visuals());
    let (fill, edge) =
        if error { (palette.error_back, palette.error) } else { (palette.selected, palette.accent_text) };
    let frame = Frame::new().fill(fill).corner_radius(8).inner_margin(BAR_MARGIN);
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        add(ui)
    });
    let rect = shown.response.rect;
    let stripe = Rect::from_min_max(rect.left_top() + vec2(0.0, 6.0), pos2(rect.left() + 3.0, rect.bottom() - 6.0));
    ui.painter().rect_filled(stripe, 1.5, edge);
    shown.inner
}

/// A dialog above everything; whether it is to be closed, where `add` does not say so itself.
pub fn dialog(ui: &Ui, name: &'static str, width: f32, add: impl FnOnce(&mut Ui) -> bool) -> bool {
    let frame = Frame::popup(ui.style()).inner_margin(Margin::same(20)).corner_radius(14);
    let shown = egui::Modal::new(egui::Id::unique(name)).frame(frame).show(ui.ctx(), |ui| {
        let room = ui.ctx().content_rect().size();
        ui.set_width(width.min(room.x - 60.0));
        // What does not fit is scrolled.
        let height = (room.y - 84.0).max(120.0);
        let area = egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height);
        let area = area.auto_shrink([false, true]);
        let closes = area.show(ui, add).inner;
        super::settle(ui);
        closes
    });
    shown.inner || shown.should_close()
}

/// What the choices below it are about.
pub fn section(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add_space(8.0);
    let colour = look::palette(ui.visuals()).accent_text;
    ui.label(RichText::new(text).size(13.0).color(colour))
}

/// A card in the middle of a page, below the app's mark.
pub fn card<R>(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = look::palette(ui.visuals());
    let width = width.min(ui.available_width() - 16.0);
    let side = (ui.available_width() - width) / 2.0;
    ui.add_space((ui.ctx().content_rect().height() * 0.08).max(8.0));
    let mark = Rect::from_center_size(ui.cursor().min + vec2(side + width / 2.0, 28.0), Vec2::splat(56.0));
    ui.painter().rect_filled(mark, 16.0, palette.accent);
    ui.painter().text(mark.center(), Align2::CENTER_CENTER, "密", FontId::proportional(30.0), palette.on_accent);
    ui.add_space(70.0);
    ui.horizontal(|ui| {
        ui.add_space(side);
        let edge = Stroke::new(1.0, palette.line);
        let frame = Frame::new().fill(palette.panel).stroke(edge).corner_radius(16).inner_margin(Margin::same(24));
        ui.vertical(|ui| {
            frame
                .show(ui, |ui| {
                    ui.set_width(width - 48.0);
                    add(ui)
                })
                .inner
        })
        .inner
    })
    .inner
}

/// Something that is empty: a sign, what it is, and what to do.
pub fn empty(ui: &mut Ui, sign: &str, title: &str, about: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.30).max(12.0));
        ui.label(RichText::new(sign).size(44.0).weak());
        ui.add_space(4.0);
        ui.label(RichText::new(title).heading());
        if !about.is_empty() {
            ui.label(RichText::new(about).weak());
        }
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::initial;

    #[test]
    fn a_face_has_the_first_letter() {
        for (name, letter) in [("bob", "B"), ("小雨", "小"), ("“q”", "Q"), ("…", "…"), ("", ""), (" élan", "É")]
        {
            assert_eq!(initial(name), letter);
        }
    }
}
