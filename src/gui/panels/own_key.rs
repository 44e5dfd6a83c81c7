//! What the other side needs from us: our public key line and our addresses, to copy in one piece and as a QR code.

use std::sync::Arc;

use egui::{Color32, ColorImage, RichText, TextureHandle, TextureOptions, Ui};

use super::View;
use crate::gui::card::Card;
use crate::gui::model::Model;
use crate::gui::talk::{Ask, Me};

/// Light modules around the code (ISO/IEC 18004 asks for four).
const QUIET_MODULES: usize = 4;
/// Points of a side of a code.
const CODE_SIDE: f32 = 180.0;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    All,
    Key,
}

/// The drawn code, and what was copied last.
#[derive(Debug, Default)]
pub struct State {
    code: Code,
    copied: Option<Copied>,
}

/// Shows our key.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, me: &Me, view: View<'_>, asks: &mut Vec<Ask>) {
    ui.label(view.get("own-key-about"));
    // those of the start are the likeliest until the answer has come
    let addresses = model.addresses(asks).unwrap_or(&me.reached).to_vec();
    let card = Card { name: me.name.clone(), key: me.key_line.clone(), addresses };
    let text = card.to_text();
    let beside = ui.available_width() - CODE_SIDE - 2.0 * ui.spacing().item_spacing.x;
    let written = |ui: &mut Ui, state: &mut State| {
        ui.add(egui::Label::new(RichText::new(&me.key_line).monospace()).wrap());
        ui.weak(view.words.with("own-key-listen", &[("address", me.listen.clone().into())]));
        super::connection::own(ui, &card.addresses, view);
        copies(ui, state, (&text, &me.key_line), view);
    };
    // Beside each other where both have room.
    if beside < CODE_SIDE {
        written(ui, state);
        state.code.show(ui, &text, view.get("own-key-qr"));
        return;
    }
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_width(beside);
            written(ui, state);
        });
        state.code.show(ui, &text, view.get("own-key-qr"));
    });
}

/// What can be copied, and what was.
fn copies(ui: &mut Ui, state: &mut State, (all, key): (&str, &str), view: View<'_>) {
    ui.horizontal_wrapped(|ui| {
        for (what, label, text) in [(Copied::All, "own-key-copy-all", all), (Copied::Key, "own-key-copy", key)] {
            if ui.button(view.get(label)).clicked() {
                ui.ctx().copy_text(text.to_owned());
                state.copied = Some(what);
            }
            if state.copied == Some(what) {
                ui.weak(format!("✔ {}", view.get("own-key-copied")));
            }
        }
    });
}

/// A QR code that is drawn once for its text.
#[derive(Default)]
pub struct Code {
    drawn: Option<(String, TextureHandle)>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

impl Code {
    /// Shows the code of a text; nothing for a text that is too long for one.
    pub fn show(&mut self, ui: &mut Ui, text: &str, label: String) {
        let is_drawn = self.drawn.as_ref().is_some_and(|(drawn, _)| drawn == text);
        if !is_drawn && let Some(code) = qr(text) {
            let texture = ui.ctx().load_texture("qr", Arc::new(code), TextureOptions::NEAREST);
            self.drawn = Some((text.to_owned(), texture));
        }
        if let Some((_, texture)) = self.drawn.as_ref().filter(|(drawn, _)| drawn == text) {
            let image = egui::Image::new((texture.id(), egui::Vec2::splat(CODE_SIDE.min(ui.available_width()))));
            ui.add(image.alt_text(label));
        }
    }
}

/// A QR code, one pixel a module, dark on light whatever the theme: that is what cameras read.
fn qr(text: &str) -> Option<ColorImage> {
    let code = qrcode::QrCode::new(text.as_bytes()).ok()?;
    let side = code.width();
    let whole = side + 2 * QUIET_MODULES;
    let mut image = ColorImage::filled([whole, whole], Color32::WHITE);
    for (at, colour) in code.to_colors().iter().enumerate() {
        if *colour == qrcode::Color::Dark {
            image[(QUIET_MODULES + at % side, QUIET_MODULES + at / side)] = Color32::BLACK;
        }
    }
    Some(image)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_corners_and_its_margin() {
        let code = qr("sm2:AoFMaSZTXccmFXAflPTwqPJfZ2HDM0lvWjNfiDHkdgPj").unwrap();
        let [width, height] = code.size;
        assert_eq!(width, height);
        for n in 0..width {
            assert_eq!(code[(n, 3)], Color32::WHITE);
            assert_eq!(code[(3, n)], Color32::WHITE);
        }
        // the finder patterns: seven dark modules from each of three corners
        let far = width - 5;
        for n in 0..7 {
            assert_eq!([code[(4 + n, 4)], code[(far - n, 4)], code[(4, far - n)]], [Color32::BLACK; 3]);
        }
    }
}
