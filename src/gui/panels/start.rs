//! Before there is a node: making an identity, opening the key, and what keeps it from starting.

use std::net::SocketAddr;
use std::path::Path;

use egui::{TextEdit, Ui};
use zeroize::Zeroizing;

use super::{View, field, paint, tell_fault};
use crate::gui::talk::{Ask, Fault, Stage};

/// Points of width of the page's card.
const CARD_WIDTH: f32 = 520.0;

/// What is typed.
#[derive(Default)]
pub struct State {
    name: String,
    lock: bool,
    phrase: Zeroizing<String>,
    again: Zeroizing<String>,
    listen: String,
    waiting: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("start::State")
    }
}

impl State {
    /// What was asked for has brought another stage, or the same with a fault.
    pub fn answered(&mut self) {
        self.waiting = false;
    }
}

/// Shows the page of a stage that is not running.
pub fn show(ui: &mut Ui, state: &mut State, stage: &Stage, view: View<'_>, asks: &mut Vec<Ask>) {
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        paint::card(ui, CARD_WIDTH, |ui| match stage {
            Stage::NoIdentity { table, only_key, fault } => {
                identity(ui, state, (*only_key, fault.as_ref()), view, asks);
                ui.add_space(12.0);
                let place = [("path", from_home(table).into())];
                ui.weak(view.words.with("start-place", &place));
            }
            Stage::Locked { key, fault } => {
                ui.heading(view.get("locked-title"));
                let place = [("path", from_home(key).into())];
                ui.label(view.words.with("locked-about", &place));
                unlock(ui, state, fault.as_ref(), view, asks);
            }
            Stage::Broken(fault) => {
                ui.heading(view.get("broken-title"));
                tell_fault(ui, fault, view);
                if ui.add_enabled(!state.waiting, paint::primary(ui, view.get("broken-again"))).clicked() {
                    state.waiting = true;
                    asks.push(Ask::TryAgain);
                }
            }
            Stage::Starting | Stage::Ended => {
                ui.label(view.get("starting"));
            }
            Stage::Running(_) => {}
        });
    });
}

fn identity(
    ui: &mut Ui,
    state: &mut State,
    (only_key, fault): (bool, Option<&Fault>),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    ui.heading(view.get("start-title"));
    ui.label(view.get(if only_key { "start-about-key" } else { "start-about" }));
    ui.add_space(12.0);
    let mut entered = false;
    if !only_key {
        let name = field(ui, &view.get("start-name"), TextEdit::singleline(&mut state.name).char_limit(64));
        entered = name.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if ui.memory(|memory| memory.focused().is_none()) && !state.waiting && !entered {
            name.request_focus();
        }
    }
    ui.checkbox(&mut state.lock, view.get("start-lock"));
    if state.lock {
        let (phrase, again) = (&mut *state.phrase, &mut *state.again);
        field(ui, &view.get("start-passphrase"), TextEdit::singleline(phrase).password(true));
        field(ui, &view.get("start-passphrase-again"), TextEdit::singleline(again).password(true));
        if !state.again.is_empty() && state.again != state.phrase {
            ui.colored_label(ui.visuals().error_fg_color, view.get("start-passphrase-differs"));
        }
        ui.weak(view.get("start-passphrase-about"));
    }
    let listen = if only_key { Ok(None) } else { listen(ui, state, view) };
    if let Some(fault) = fault {
        tell_fault(ui, fault, view);
    }
    ui.add_space(8.0);
    let named = only_key || !state.name.trim().is_empty();
    let locked = !state.lock || (!state.phrase.is_empty() && state.phrase == state.again);
    let make = paint::primary(ui, view.get("start-make"));
    let ready = named && locked && !state.waiting;
    let pressed = ui.add_enabled(ready && listen.is_ok(), make).clicked();
    if let Ok(listen) = listen
        && ready
        && (pressed || entered)
    {
        state.waiting = true;
        let passphrase = state.lock.then(|| std::mem::take(&mut state.phrase));
        state.again = Zeroizing::default();
        asks.push(Ask::MakeIdentity { name: state.name.trim().to_owned(), passphrase, listen });
    }
}

/// A path as people write it: from their home on.
fn from_home(path: &Path) -> String {
    let home = directories::BaseDirs::new().filter(|_| cfg!(unix));
    match home.and_then(|home| path.strip_prefix(home.home_dir()).map(|rest| Path::new("~").join(rest)).ok()) {
        Some(short) => short.display().to_string(),
        None => path.display().to_string(),
    }
}

/// Few need it: two peers on one machine, or a port that something else has.
fn listen(ui: &mut Ui, state: &mut State, view: View<'_>) -> Result<Option<SocketAddr>, ()> {
    let typed = state.listen.trim().to_owned();
    let parsed = match typed.as_str() {
        "" => Ok(None),
        typed => typed.parse::<SocketAddr>().ok().filter(|listen| listen.port() != 0).map(Some).ok_or(()),
    };
    ui.collapsing(view.get("start-more"), |ui| {
        field(ui, &view.get("start-listen"), TextEdit::singleline(&mut state.listen).hint_text("[::]:9999"));
        if parsed.is_err() {
            ui.colored_label(ui.visuals().error_fg_color, view.get("start-listen-form"));
        }
    });
    parsed
}

fn unlock(ui: &mut Ui, state: &mut State, fault: Option<&Fault>, view: View<'_>, asks: &mut Vec<Ask>) {
    let typed = field(ui, &view.get("locked-passphrase"), TextEdit::singleline(&mut *state.phrase).password(true));
    // Asked first: whoever is given the focus has not lost it.
    let entered = typed.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if ui.memory(|memory| memory.focused().is_none()) && !state.waiting {
        typed.request_focus();
    }
    if let Some(fault) = fault {
        tell_fault(ui, fault, view);
    }
    let ready = !state.phrase.is_empty() && !state.waiting;
    let pressed = ui.add_enabled(ready, paint::primary(ui, view.get("locked-open"))).clicked();
    if ready && (pressed || entered) {
        state.waiting = true;
        asks.push(Ask::Unlock(std::mem::take(&mut state.phrase)));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_home_begins_with_it() {
        let Some(dirs) = directories::BaseDirs::new() else { return };
        assert_eq!(from_home(&dirs.home_dir().join("miyu/peers.toml")), "~/miyu/peers.toml");
        assert_eq!(from_home(Path::new("peers.toml")), "peers.toml");
        assert_eq!(from_home(Path::new("/nowhere/peers.toml")), "/nowhere/peers.toml");
    }
}
