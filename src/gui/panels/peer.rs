//! One peer: what the table says of it, to be changed, and the safety number, to be compared.

use egui::{Button, Grid, RichText, TextEdit, Ui};

use super::{View, field, own_key, paint, tell_fault};
use crate::config::{Address, Allow, edit::Change};
use crate::gui::model::Model;
use crate::gui::model::settings::KeyState;
use crate::gui::talk::{Ask, Me, PeerRow};
use crate::gui::told;
use crate::identity::PeerId;

/// Digits groups of a safety number in one row.
const GROUPS_IN_ROW: usize = 4;

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    peer: Option<PeerId>,
    name: String,
    addresses: String,
    chat: bool,
    camera: bool,
    removes: bool,
    /// The table that a change was asked for.
    asked: Option<u64>,
    code: own_key::Code,
    own_key: own_key::State,
}

impl State {
    fn of(row: &PeerRow) -> Self {
        Self {
            peer: Some(row.id),
            name: row.name.clone(),
            addresses: row.addresses.join(", "),
            chat: row.may_chat,
            camera: row.may_watch,
            removes: false,
            ..Self::default()
        }
    }

    fn list(&self) -> Vec<String> {
        super::add_peer::addresses(&self.addresses)
    }

    /// What is to be changed in the table.
    fn changes(&self, row: &PeerRow) -> Vec<Change> {
        let mut changes = Vec::new();
        let name = row.name.clone();
        if self.list() != row.addresses {
            changes.push(Change::Addresses { name: name.clone(), addresses: self.list() });
        }
        if (self.chat, self.camera) != (row.may_chat, row.may_watch) {
            changes.push(Change::Allow { name: name.clone(), allow: Allow { chat: self.chat, camera: self.camera } });
        }
        // last, as the others name the peer by its name so far
        if self.name.trim() != row.name {
            changes.push(Change::Rename { name, to: self.name.trim().to_owned() });
        }
        changes
    }
}

/// Shows the peer; whether all that was asked for is done.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (me, peer): (&Me, PeerId),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> bool {
    let done = state.asked.is_some_and(|asked| asked != model.table_revision);
    let Some(row) = model.peer(&peer).map(|peer| peer.row.clone()).filter(|_| !done) else {
        *state = State::default();
        return true;
    };
    if state.peer != Some(peer) {
        *state = State::of(&row);
        model.table_fault = None;
    }
    if model.table_fault.is_some() {
        state.asked = None;
    }
    field(ui, &view.get("peer-name"), TextEdit::singleline(&mut state.name).char_limit(64));
    field(ui, &view.get("add-address"), TextEdit::singleline(&mut state.addresses));
    let mut good = !state.name.trim().is_empty();
    for address in state.list() {
        if let Err(error) = address.parse::<Address>() {
            tell_fault(ui, &told::address(&address, error), view);
            good = false;
        }
    }
    ui.checkbox(&mut state.chat, view.get("peer-chat"));
    ui.checkbox(&mut state.camera, view.get("add-camera"));
    if let Some(fault) = &model.table_fault {
        tell_fault(ui, fault, view);
    }
    let changes = state.changes(&row);
    let ready = good && !changes.is_empty() && state.asked.is_none();
    if ui.add_enabled(ready, paint::primary(ui, view.get("peer-save"))).clicked() {
        ask(state, model, changes, asks);
    }
    ui.separator();
    safety(ui, state, model, (me, &row), view, asks);
    ui.collapsing(view.get("own-key-title"), |ui| own_key::show(ui, &mut state.own_key, model, me, view, asks));
    ui.separator();
    ui.checkbox(&mut state.removes, view.get("peer-removes"));
    if ui.add_enabled(state.removes && state.asked.is_none(), Button::new(view.get("peer-remove"))).clicked() {
        ask(state, model, vec![Change::Remove { name: row.name }], asks);
    }
    false
}

fn ask(state: &mut State, model: &mut Model, changes: Vec<Change>, asks: &mut Vec<Ask>) {
    state.asked = Some(model.table_revision);
    model.table_fault = None;
    asks.push(Ask::Table(changes));
}

/// The number that both read to each other or hold to each other's camera, and whose keys it is made of.
fn safety(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (me, row): (&Me, &PeerRow),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    ui.strong(view.get("peer-safety"));
    let own = if me.name.is_empty() { view.get("peer-us") } else { me.name.clone() };
    ui.label(format!("{own} ↔ {}", row.name));
    match model.safety_number(row.id, asks) {
        Some(number) => {
            groups(ui, number);
            let label = view.get("peer-safety-code");
            ui.collapsing(&label, |ui| state.code.show(ui, number, label.clone()));
        }
        None => drop(ui.weak(view.get("conversation-loading"))),
    }
    ui.weak(view.get("peer-safety-about"));
    let key = model.settings.key_state(row);
    let mut verified = key == KeyState::Verified;
    if ui.checkbox(&mut verified, view.get("peer-verified")).changed() {
        model.settings.verify(row, verified);
        model.keep_settings(asks);
    }
    if key == KeyState::Changed {
        ui.colored_label(ui.visuals().error_fg_color, view.get("head-key-changed"));
        if ui.button(view.get("peer-accept")).clicked() {
            model.settings.accept(row);
            model.keep_settings(asks);
        }
    }
}

/// In rows, as one reads them.
fn groups(ui: &mut Ui, number: &str) {
    let groups: Vec<&str> = number.split(' ').collect();
    Grid::new("safety").show(ui, |ui| {
        for row in groups.chunks(GROUPS_IN_ROW) {
            for group in row {
                ui.label(RichText::new(*group).monospace());
            }
            ui.end_row();
        }
    });
}
