//! A new peer for the table: its name, the line that it gave us, and where it is.

use egui::{TextEdit, Ui};

use super::{View, field, paint, tell_fault};
use crate::config::{Address, Allow, edit};
use crate::gui::card::Card;
use crate::gui::model::Model;
use crate::gui::said::Said;
use crate::gui::talk::{Ask, Fault, Stage};
use crate::gui::told;
use crate::identity::parse_key_line;

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    name: String,
    key: String,
    address: String,
    camera: bool,
    /// The table that the change was asked for.
    asked: Option<u64>,
}

impl State {
    /// Whether the peer that was asked for is in the table now. The page that it was asked on may be gone by then, so this
    /// is seen whatever is shown.
    pub fn added(&mut self, table_revision: u64) -> bool {
        let added = self.asked.is_some_and(|asked| asked != table_revision);
        if added {
            *self = Self::default();
        }
        added
    }

    /// Where all that the other side has copied was pasted into the line of the key, the other lines are filled too. What
    /// was typed into them before stays.
    fn take_card(&mut self) {
        let Some(card) = Card::read(&self.key).filter(|card| card.key != self.key.trim()) else { return };
        self.key = card.key;
        if self.name.trim().is_empty() {
            self.name = card.name;
        }
        if self.address.trim().is_empty() {
            self.address = card.addresses.join(", ");
        }
    }
}

/// The addresses of a line, however they are kept apart.
pub(super) fn addresses(line: &str) -> Vec<String> {
    line.split([',', ' ', '，', '、']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Shows the form.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    if model.table_fault.is_some() {
        state.asked = None;
    }
    ui.weak(view.get("add-about"));
    field(ui, &view.get("add-name"), TextEdit::singleline(&mut state.name).char_limit(64));
    if field(ui, &view.get("add-key"), TextEdit::singleline(&mut state.key).hint_text("sm2:…")).changed() {
        state.take_card();
    }
    let key_is_good = key(ui, state.key.trim(), model, view);
    field(ui, &view.get("add-address"), TextEdit::singleline(&mut state.address).hint_text("192.168.1.12:9999"));
    let addresses = addresses(&state.address);
    let mut addresses_are_good = true;
    for address in &addresses {
        if let Err(error) = address.parse::<Address>() {
            tell_fault(ui, &told::address(address, error), view);
            addresses_are_good = false;
        }
    }
    ui.weak(view.get("add-address-about"));
    ui.checkbox(&mut state.camera, view.get("add-camera"));
    if let Some(fault) = &model.table_fault {
        tell_fault(ui, fault, view);
    }
    let ready = key_is_good && addresses_are_good && !state.name.trim().is_empty() && state.asked.is_none();
    if ui.add_enabled(ready, paint::primary(ui, view.get("add-add"))).clicked() {
        state.asked = Some(model.table_revision);
        model.table_fault = None;
        asks.push(Ask::Table(vec![edit::Change::Add(edit::Entry {
            name: state.name.trim().to_owned(),
            key: state.key.trim().to_owned(),
            addresses,
            allow: Allow { chat: true, camera: state.camera },
        })]));
    }
}

/// Whether the line is a key that can be added; what is wrong with it is shown.
fn key(ui: &mut Ui, line: &str, model: &Model, view: View<'_>) -> bool {
    let fault = match parse_key_line(line) {
        _ if line.is_empty() => return false,
        // The table would take it, and the next start would not.
        Ok(_) if matches!(&model.stage, Stage::Running(me) if me.key_line == line) => {
            Fault::own(Said::new("add-own-key"), "our own key")
        }
        Ok(_) => return true,
        Err(error) => Fault::of(&error),
    };
    tell_fault(ui, &fault, view);
    false
}
