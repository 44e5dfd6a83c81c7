//! What went wrong, until somebody has read it.

use egui::{Frame, Ui};

use super::{View, tell_fault};
use crate::gui::model::Model;
use crate::gui::talk::Ask;

/// Shows the notices, newest last, each with its mend.
pub fn show(ui: &mut Ui, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    saved(ui, model, view, asks);
    let mut read = None;
    for (at, fault) in model.notices.iter().enumerate() {
        Frame::group(ui.style()).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.vertical(|ui| tell_fault(ui, fault, view));
                if ui.small_button("✖").accessible_name(view.get("notice-close")).clicked() {
                    read = Some(at);
                }
            });
        });
    }
    if let Some(at) = read {
        model.notices.remove(at);
    }
}

/// Where a message was saved.
fn saved(ui: &mut Ui, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    let Some(path) = &model.saved else { return };
    let mut read = false;
    ui.horizontal_wrapped(|ui| {
        ui.label(view.words.with("notice-saved", &[("path", path.display().to_string().into())]));
        if ui.button(view.get("notice-open-folder")).clicked() {
            asks.push(Ask::OpenFolder(path.clone()));
        }
        read = ui.small_button("✖").accessible_name(view.get("notice-close")).clicked();
    });
    if read {
        model.saved = None;
    }
}
