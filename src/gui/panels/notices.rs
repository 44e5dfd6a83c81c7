//! What went wrong, until somebody has read it.

use egui::{Frame, Ui};

use super::{View, show_fault};
use crate::gui::model::Model;

/// Shows the notices, newest last, each with its mend.
pub fn show(ui: &mut Ui, model: &mut Model, view: View<'_>) {
    let mut read = None;
    for (at, fault) in model.notices.iter().enumerate() {
        Frame::group(ui.style()).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.vertical(|ui| show_fault(ui, fault));
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
