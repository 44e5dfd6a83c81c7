//! Choosing a file, in the app's own window: it needs no service of the desktop and speaks the app's language.

use std::path::PathBuf;

use egui::{Button, Modal, ScrollArea, TextEdit, Ui};

use super::{View, settle, size};
use crate::gui::model::Model;
use crate::gui::talk::Ask;

/// Points of the whole.
const SIZE: egui::Vec2 = egui::vec2(520.0, 490.0);

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    path: String,
    /// The folder that `path` was taken from.
    listed: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Nothing yet.
    Open,
    /// None was wanted.
    Cancelled,
    /// This file.
    File(PathBuf),
}

/// Shows the chooser.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) -> Choice {
    let folder = model.folder(asks).cloned();
    if let Some(folder) = &folder
        && state.listed.as_ref() != Some(&folder.path)
    {
        state.listed = Some(folder.path.clone());
        state.path = folder.path.display().to_string();
    }
    let mut choice = Choice::Open;
    let shown = Modal::new(egui::Id::unique("files")).show(ui.ctx(), |ui| {
        // As large as it will be, also before the folder is known: nothing moves under the pointer.
        ui.set_min_size(SIZE);
        ui.set_max_width(SIZE.x);
        ui.heading(view.get("files-title"));
        let edit = TextEdit::singleline(&mut state.path).desired_width(f32::INFINITY);
        let typed = ui.add(edit).accessible_name(view.get("files-path"));
        if typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
            model.list(Some(PathBuf::from(state.path.trim())), asks);
        }
        match &folder {
            None => drop(ui.weak(view.get("conversation-loading"))),
            Some(folder) => {
                if let Some(parent) = &folder.parent
                    && ui.button(format!("⬆ {}", view.get("files-parent"))).clicked()
                {
                    model.list(Some(parent.clone()), asks);
                }
                ScrollArea::vertical().max_height(360.0).auto_shrink(false).show_rows(
                    ui,
                    ui.spacing().interact_size.y,
                    folder.entries.len(),
                    |ui, rows| {
                        for entry in folder.entries.get(rows).unwrap_or_default() {
                            let text = match entry.is_folder {
                                true => format!("📁 {}", entry.name),
                                false => format!("📄 {} · {}", entry.name, size(entry.bytes)),
                            };
                            if !ui.add(Button::selectable(false, text).truncate()).clicked() {
                                continue;
                            }
                            if entry.is_folder {
                                model.list(Some(entry.path.clone()), asks);
                            } else {
                                choice = Choice::File(entry.path.clone());
                            }
                        }
                    },
                );
            }
        }
        let closes = ui.button(view.get("dialog-close")).clicked();
        settle(ui);
        closes
    });
    if choice == Choice::Open && (shown.inner || shown.should_close()) {
        choice = Choice::Cancelled;
    }
    choice
}
