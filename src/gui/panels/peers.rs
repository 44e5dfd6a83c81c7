//! The list: who there is, who is here, what was said last, and the search over all of it.

use egui::{Align, Button, Layout, RichText, ScrollArea, TextEdit, Ui};

use super::View;
use crate::gui::look;
use crate::gui::model::{Model, Peer};
use crate::gui::talk::{Ask, Line};
use crate::identity::PeerId;
use crate::node::history::{Kind, State as Sent};

/// Characters of the last message in the list.
const PREVIEW_CHARS: usize = 40;

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    words: String,
    wants_focus: bool,
}

impl State {
    /// The keyboard goes to the search.
    pub fn focus(&mut self) {
        self.wants_focus = true;
    }
}

/// What was chosen beside a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// A new peer is to be added.
    Add,
    /// Our own key is to be shown.
    OwnKey,
    /// The settings are to be shown.
    Settings,
    /// The list of keys is to be shown.
    Help,
    /// A peer is to be looked at and changed.
    Peer(PeerId),
    /// What stands between us and a peer is to be looked at.
    Connection(PeerId),
}

/// Shows the list.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) -> Option<Chosen> {
    let mut chosen = None;
    ui.horizontal(|ui| {
        ui.heading(view.get("peers-title"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("➕").on_hover_text(view.get("peers-add")).accessible_name(view.get("peers-add")).clicked() {
                chosen = Some(Chosen::Add);
            }
            let own = view.get("peers-own-key");
            if ui.button("🔑").on_hover_text(&own).accessible_name(own).clicked() {
                chosen = Some(Chosen::OwnKey);
            }
            let help = view.get("help-title");
            if ui.button("❓").on_hover_text(&help).accessible_name(help).clicked() {
                chosen = Some(Chosen::Help);
            }
            let settings = view.get("settings-title");
            if ui.button("⚙").on_hover_text(&settings).accessible_name(settings).clicked() {
                chosen = Some(Chosen::Settings);
            }
        });
    });
    let search =
        TextEdit::singleline(&mut state.words).hint_text(view.get("peers-search")).desired_width(f32::INFINITY);
    let search = ui.add(search).accessible_name(view.get("peers-search"));
    if std::mem::take(&mut state.wants_focus) {
        search.request_focus();
    }
    if search.changed() {
        model.search(&state.words, asks);
    }
    if search.has_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
        state.words.clear();
        model.search("", asks);
    }
    ui.separator();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let words = state.words.trim().to_lowercase();
        let mut opened = None;
        for peer in model.peers.iter().filter(|peer| peer.row.name.to_lowercase().contains(&words)) {
            let is_open = model.open == Some(peer.row.id);
            if row(ui, peer, is_open, model.has_draft(&peer.row.id), view).clicked() {
                opened = Some(peer.row.id);
            }
        }
        if let Some(peer) = opened {
            model.open(peer, asks);
        }
        if model.peers.is_empty() {
            ui.label(view.get("peers-none"));
        }
        found(ui, model, view, asks);
    });
    chosen
}

/// One peer: a button of two lines. What it looks like is said in words for screen readers.
fn row(ui: &mut Ui, peer: &Peer, is_open: bool, has_draft: bool, view: View<'_>) -> egui::Response {
    let presence = presence(peer, view);
    let preview = match (&peer.last, peer.is_typing(view.clock.now_ms)) {
        (_, true) => view.get("peers-typing"),
        (_, false) if has_draft => view.get("peers-draft"),
        (Some(line), _) => preview(line, view),
        (None, _) => presence.clone(),
    };
    let dot =
        if peer.is_here() { RichText::new("⏺").color(look::here(ui.visuals())) } else { RichText::new("○").weak() };
    let name = RichText::new(&peer.row.name).strong();
    let time = peer.last.as_ref().map(|line| view.moment(line.sent_ms)).unwrap_or_default();
    let unread = view.words.with("peers-unread", &[("count", peer.unread.into())]);
    let camera = if peer.has_camera() { " 📷" } else { "" };
    let count = if peer.unread > 0 { format!(" ({})", peer.unread) } else { String::new() };
    let mut said = vec![peer.row.name.clone(), presence];
    if peer.unread > 0 {
        said.push(unread);
    }
    said.push(preview.clone());
    let width = ui.available_width();
    let first = ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let button = Button::selectable(is_open, (dot, name, RichText::new(format!("{camera}{count}")).strong()))
            .right_text(RichText::new(time).small().weak())
            .min_size(egui::vec2(width, 0.0));
        let row = ui.add(button);
        ui.add(egui::Label::new(RichText::new(preview).small().weak()).truncate().selectable(false));
        row
    });
    ui.add_space(4.0);
    first.inner.accessible_name(said.join(", "))
}

fn presence(peer: &Peer, view: View<'_>) -> String {
    match (peer.is_here(), peer.rtt_ms) {
        (true, Some(ms)) => view.words.with("peers-here-rtt", &[("ms", ms.into())]),
        (true, None) => view.get("peers-here"),
        (false, _) => view.get("peers-away"),
    }
}

/// The last message, in a few words.
pub fn preview(line: &Line, view: View<'_>) -> String {
    let text = match line.kind {
        Kind::Picture => view.get("kind-picture"),
        Kind::Clip => view.get("kind-clip"),
        Kind::File => line.name.clone().unwrap_or_else(|| view.get("kind-file")),
        Kind::Deletion => view.get("kind-deletion"),
        Kind::Text | Kind::Edit | Kind::Reaction => line.text.clone().unwrap_or_default(),
    };
    let mut short: String = text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(PREVIEW_CHARS).collect();
    if text.chars().count() > PREVIEW_CHARS {
        short.push('…');
    }
    match line.state {
        Sent::Failed => view.words.with("peers-failed", &[("text", short.into())]),
        _ if line.is_ours() => view.words.with("peers-ours", &[("text", short.into())]),
        _ => short,
    }
}

/// What the search has found in the messages.
fn found(ui: &mut Ui, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    let Some(found) = &model.found else { return };
    ui.separator();
    let count = u64::try_from(found.lines.len()).unwrap_or(u64::MAX);
    ui.label(match found.done {
        true => view.words.with("search-found", &[("count", count.into())]),
        false => view.get("search-running"),
    });
    let mut chosen = None;
    for (peer, line) in found.lines.iter().rev() {
        let Some(name) = model.peer(peer).map(|peer| peer.row.name.clone()) else { continue };
        let text = format!("{name} · {} · {}", view.moment(line.sent_ms), preview(line, view));
        if ui.add(Button::selectable(false, text).truncate()).clicked() {
            chosen = Some((*peer, line.clone()));
        }
    }
    if let Some((peer, line)) = chosen {
        model.go_to(peer, &line, asks);
    }
}
