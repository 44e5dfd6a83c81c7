//! Choosing a file, in the app's own window: it needs no service of the desktop and speaks the app's language.

use std::path::PathBuf;

use egui::{Button, Key, RichText, Role, ScrollArea, Sense, StrokeKind, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::{View, paint, size};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::talk::{Ask, Folder, FolderEntry};

/// Points of the list of files.
const LIST_HEIGHT: f32 = 340.0;
/// Points of one of them.
const ROW: f32 = 30.0;

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
    let closes = paint::dialog(ui, "files", 540.0, |ui| {
        ui.heading(view.get("files-title"));
        let edit = TextEdit::singleline(&mut state.path).desired_width(f32::INFINITY);
        let typed = ui.add(edit).accessible_name(view.get("files-path"));
        if typed.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            model.list(Some(PathBuf::from(state.path.trim())), asks);
        }
        let parent = folder.as_ref().and_then(|folder| folder.parent.clone());
        let up = Button::new(format!("⬆ {}", view.get("files-parent")));
        if ui.add_enabled(parent.is_some(), up).clicked() {
            model.list(parent, asks);
        }
        // As high before the files are known as after: what is pressed does not move away.
        ui.allocate_ui(vec2(ui.available_width(), LIST_HEIGHT), |ui| {
            ui.set_min_height(LIST_HEIGHT);
            match &folder {
                None => drop(ui.weak(view.get("conversation-loading"))),
                Some(folder) => {
                    if let Some(entry) = entries(ui, folder, view) {
                        match entry.is_folder {
                            true => model.list(Some(entry.path.clone()), asks),
                            false => choice = Choice::File(entry.path.clone()),
                        }
                    }
                }
            }
        });
        ui.button(view.get("dialog-close")).clicked()
    });
    if choice == Choice::Open && closes {
        choice = Choice::Cancelled;
    }
    choice
}

/// What is in a folder; the one that was chosen.
fn entries<'a>(ui: &mut Ui, folder: &'a Folder, view: View<'_>) -> Option<&'a FolderEntry> {
    let mut chosen = None;
    if folder.entries.is_empty() {
        ui.weak(view.get("files-none"));
    }
    let area = ScrollArea::vertical().max_height(LIST_HEIGHT).auto_shrink(false);
    area.show_rows(ui, ROW, folder.entries.len(), |ui, rows| {
        for entry in folder.entries.get(rows).unwrap_or_default() {
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
            let bytes = if entry.is_folder { String::new() } else { size(entry.bytes) };
            let said = if entry.is_folder { entry.name.clone() } else { format!("{}, {bytes}", entry.name) };
            response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &said));
            if response.gained_focus() {
                ui.scroll_to_rect(rect, None);
            }
            let palette = look::palette(ui.visuals());
            if response.hovered() || response.has_focus() {
                ui.painter().rect_filled(rect, 8.0, palette.hovered);
            }
            if response.has_focus() {
                ui.painter().rect_stroke(rect, 8.0, ui.visuals().widgets.active.bg_stroke, StrokeKind::Inside);
            }
            let sign = if entry.is_folder { "📁" } else { "📄" };
            let told = paint::one_line(ui, RichText::new(bytes).small().color(palette.weak), 120.0);
            let room = rect.width() - told.size().x - 28.0;
            let name = paint::one_line(ui, RichText::new(format!("{sign}  {}", entry.name)).color(palette.text), room);
            let middle = |height: f32| rect.center().y - height / 2.0;
            ui.painter().galley(pos2(rect.left() + 8.0, middle(name.size().y)), name, palette.text);
            ui.painter().galley(pos2(rect.right() - 8.0 - told.size().x, middle(told.size().y)), told, palette.weak);
            if response.clicked() {
                chosen = Some(entry);
            }
        }
    });
    chosen
}
