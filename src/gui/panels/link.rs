//! A link that somebody sent is opened after a question that shows all of it.

use egui::{RichText, Ui};

use super::{View, paint};
use crate::gui::talk::Ask;

/// Shows the question; whether it is answered.
pub fn show(ui: &mut Ui, link: &str, view: View<'_>, asks: &mut Vec<Ask>) -> bool {
    paint::dialog(ui, "link", 440.0, |ui| {
        ui.heading(view.get("link-title"));
        ui.label(view.get("link-about"));
        ui.add(egui::Label::new(RichText::new(link).monospace()).wrap());
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let open = ui.add(paint::primary(ui, view.get("link-yes"))).clicked();
            if open {
                asks.push(Ask::OpenLink(link.to_owned()));
            }
            let copies = ui.button(view.get("link-copy")).clicked();
            if copies {
                ui.ctx().copy_text(link.to_owned());
            }
            open || copies || ui.button(view.get("dialog-close")).clicked()
        })
        .inner
    })
}
