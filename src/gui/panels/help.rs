//! The keyboard: what can be done with it, in one table that is both listened to and shown.

use egui::{Frame, Grid, Key, KeyboardShortcut, Margin, Modifiers, RichText, Ui};

use super::View;
use crate::gui::look;

/// What a key does wherever the focus is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The keyboard goes to the search.
    Search,
    /// The conversation above in the list.
    Previous,
    /// The conversation below.
    Next,
    /// To the newest message.
    Newest,
    /// A new peer.
    Add,
    /// The settings.
    Settings,
    /// This page.
    Help,
    /// The cameras, or back from them.
    Cameras,
    /// A camera over the whole screen, or no longer.
    FullScreen,
}

/// Keys, what they do, and what that is called.
const SHORTCUTS: [(KeyboardShortcut, Action, &str); 9] = [
    (KeyboardShortcut::new(Modifiers::COMMAND, Key::F), Action::Search, "key-search"),
    (KeyboardShortcut::new(Modifiers::ALT, Key::ArrowUp), Action::Previous, "key-previous"),
    (KeyboardShortcut::new(Modifiers::ALT, Key::ArrowDown), Action::Next, "key-next"),
    (KeyboardShortcut::new(Modifiers::COMMAND, Key::End), Action::Newest, "key-newest"),
    (KeyboardShortcut::new(Modifiers::COMMAND, Key::N), Action::Add, "key-add"),
    (KeyboardShortcut::new(Modifiers::COMMAND, Key::Comma), Action::Settings, "key-settings"),
    (KeyboardShortcut::new(Modifiers::NONE, Key::F1), Action::Help, "key-help"),
    (KeyboardShortcut::new(Modifiers::COMMAND, Key::D), Action::Cameras, "key-cameras"),
    (KeyboardShortcut::new(Modifiers::NONE, Key::F11), Action::FullScreen, "key-full-screen"),
];

/// Keys that the composer and the toolkit listen to.
const OTHERS: [(&str, &str); 10] = [
    ("Enter", "key-send"),
    ("Shift+Enter", "key-line"),
    ("Tab", "key-tab"),
    ("Space", "key-space"),
    ("Esc", "key-escape"),
    ("Ctrl+V", "key-paste"),
    ("↑", "key-edit-last"),
    ("Tab, Space", "key-menu"),
    ("+  −  0", "key-zoom"),
    ("← → Home End", "key-seek"),
];

/// What the keys of this frame ask for.
pub fn pressed(ui: &Ui) -> Option<Action> {
    ui.input_mut(|input| {
        SHORTCUTS.iter().find(|(shortcut, _, _)| input.consume_shortcut(shortcut)).map(|(_, action, _)| *action)
    })
}

/// Shows the list.
pub fn show(ui: &mut Ui, view: View<'_>) {
    Grid::new("keys").num_columns(2).spacing([18.0, 5.0]).min_row_height(22.0).show(ui, |ui| {
        let own = SHORTCUTS.iter().map(|(shortcut, _, about)| (ui.ctx().format_shortcut(shortcut), *about));
        let rows: Vec<(String, &'static str)> =
            own.chain(OTHERS.iter().map(|(keys, about)| (keys.to_string(), *about))).collect();
        for (keys, about) in rows {
            let cap = Frame::new().fill(look::palette(ui.visuals()).button).corner_radius(5);
            cap.inner_margin(Margin::symmetric(7, 2))
                .show(ui, |ui| ui.label(RichText::new(keys).monospace().size(12.0)));
            ui.label(view.get(about));
            ui.end_row();
        }
    });
}
