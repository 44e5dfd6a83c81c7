//! One file a panel: functions that show the model and collect what is asked for. They own nothing but what is typed and
//! not yet asked.

pub mod add_peer;
pub mod bubble;
pub mod camera;
pub mod clip;
pub mod composer;
pub mod connection;
pub mod conversation;
pub mod emoji;
pub mod files;
pub mod help;
pub mod link;
pub mod message_menu;
pub mod message_text;
pub mod notices;
pub mod own_key;
pub mod paint;
pub mod peer;
pub mod peers;
pub mod picture;
pub mod recorder;
pub mod settings;
pub mod staged;
pub mod start;
mod tile;

use egui::{RichText, TextEdit, Ui};

use super::model::time::{Clock, Day};
use super::talk::Fault;
use super::words::Words;

/// What every panel is given.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The strings.
    pub words: &'a Words,
    /// The time.
    pub clock: &'a Clock,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
    }
}

impl View<'_> {
    /// A string.
    pub fn get(&self, key: &'static str) -> String {
        self.words.get(key)
    }

    /// A day, as a separator or a list has it.
    pub fn day(&self, ms: i64) -> String {
        match self.clock.day(ms) {
            Day::Today => self.get("day-today"),
            Day::Yesterday => self.get("day-yesterday"),
            Day::Other(date) => date.to_string(),
        }
    }

    /// The time of today, the day of anything older.
    pub fn moment(&self, ms: i64) -> String {
        match self.clock.day(ms) {
            Day::Today => self.clock.time(ms),
            Day::Yesterday | Day::Other(_) => self.day(ms),
        }
    }
}

/// A line to type in, with its label above.
fn field(ui: &mut Ui, label: &str, edit: TextEdit<'_>) -> egui::Response {
    let label = ui.label(label);
    let width = ui.available_width().min(420.0);
    ui.add(edit.desired_width(width)).labelled_by(label.id)
}

/// A sign for those who see it, and its meaning for those who hear it: a screen reader reads the text of a label.
fn mark(ui: &mut Ui, sign: impl Into<RichText>, meaning: String) -> egui::Response {
    let label = ui.add(egui::Label::new(sign.into()).selectable(false)).on_hover_text(&meaning);
    ui.ctx().accesskit_node_builder(label.id, |node| node.set_value(meaning));
    label
}

/// What went wrong, and the mend, in the language of the window. What the library says itself is shown on hovering.
fn tell_fault(ui: &mut Ui, fault: &Fault, view: View<'_>) {
    let Some(said) = &fault.said else {
        // what has no words of the app is said in the library's
        ui.colored_label(ui.visuals().error_fg_color, &fault.error);
        if let Some(hint) = &fault.hint {
            ui.label(RichText::new(hint).weak());
        }
        return;
    };
    let mut detail = fault.error.clone();
    if let Some(hint) = &fault.hint {
        detail.push('\n');
        detail.push_str(hint);
    }
    ui.colored_label(ui.visuals().error_fg_color, said.tell(view.words)).on_hover_text(detail);
    if let Some(mend) = said.mend(view.words) {
        ui.label(RichText::new(mend).weak());
    }
}

/// A dialog that has grown is in the middle one frame later: that frame is asked for, else it moves away from under the
/// pointer that is about to click.
pub fn settle(ui: &Ui) {
    let (id, now) = (ui.scope_id().with("settled"), ui.min_rect());
    let before = ui.data_mut(|data| {
        let before = data.get_temp::<egui::Rect>(id);
        data.insert_temp(id, now);
        before
    });
    let moved = |before: egui::Rect| (before.min - now.min).length() + (before.max - now.max).length() > 0.5;
    if before.is_none_or(moved) {
        ui.ctx().request_repaint();
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
