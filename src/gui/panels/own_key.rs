//! What the other side needs from us: the public key line, to copy and as a QR code.

use std::sync::Arc;

use egui::{Color32, ColorImage, RichText, TextureHandle, TextureOptions, Ui};

use super::View;
use crate::gui::talk::Me;

/// Light modules around the code (ISO/IEC 18004 asks for four).
const QUIET_MODULES: usize = 4;

/// The drawn code.
#[derive(Default)]
pub struct State {
    code: Option<(String, TextureHandle)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("own_key::State")
    }
}

/// Shows our key.
pub fn show(ui: &mut Ui, state: &mut State, me: &Me, view: View<'_>) {
    ui.label(view.get("own-key-about"));
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(&me.key_line).monospace());
        if ui.button(view.get("own-key-copy")).clicked() {
            ui.ctx().copy_text(me.key_line.clone());
        }
    });
    let listen = [("address", me.listen.clone().into())];
    ui.weak(view.words.with("own-key-listen", &listen));
    if !me.reached.is_empty() {
        let reached = [("addresses", me.reached.join(", ").into())];
        ui.label(view.words.with("own-key-reached", &reached));
    }
    let drawn = state.code.as_ref().is_some_and(|(line, _)| *line == me.key_line);
    if !drawn && let Some(code) = qr(&me.key_line) {
        let texture = ui.ctx().load_texture("qr", Arc::new(code), TextureOptions::NEAREST);
        state.code = Some((me.key_line.clone(), texture));
    }
    if let Some((_, texture)) = &state.code {
        let image = egui::Image::new((texture.id(), egui::vec2(180.0, 180.0))).alt_text(view.get("own-key-qr"));
        ui.add(image);
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
