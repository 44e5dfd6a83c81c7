//! What went wrong, until somebody has read it.

use egui::Ui;

use super::{View, paint, tell_fault};
use crate::gui::model::Model;
use crate::gui::talk::Ask;

/// Shows the notices, newest last, each with its mend.
pub fn show(ui: &mut Ui, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    saved(ui, model, view, asks);
    let mut read = None;
    for (at, fault) in model.notices.iter().enumerate() {
        if one(ui, true, view, |ui| tell_fault(ui, fault, view)) {
            read = Some(at);
        }
    }
    if let Some(at) = read {
        model.notices.remove(at);
    }
}

/// Where a message was saved.
fn saved(ui: &mut Ui, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    let Some(path) = &model.saved else { return };
    let read = one(ui, false, view, |ui| {
        let place = [("path", path.display().to_string().into())];
        ui.add(egui::Label::new(view.words.with("notice-saved", &place)).wrap());
        if ui.button(view.get("notice-open-folder")).clicked() {
            asks.push(Ask::OpenFolder(path.clone()));
        }
    });
    if read {
        model.saved = None;
    }
}

/// One bar; whether somebody has read it.
fn one(ui: &mut Ui, error: bool, view: View<'_>, add: impl FnOnce(&mut Ui)) -> bool {
    paint::bar(ui, error, |ui| {
        ui.horizontal_top(|ui| {
            let room = ui.available_width() - 40.0;
            ui.vertical(|ui| {
                ui.set_width(room);
                add(ui);
            });
            ui.small_button("✖").accessible_name(view.get("notice-close")).clicked()
        })
        .inner
    })
}
