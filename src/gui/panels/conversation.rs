//! The open conversation: its head, its page, and the composer below.

use egui::{Align, Layout, Panel, Rect, RichText, ScrollArea, Ui, UiBuilder};

use super::files::Choice;
use super::peers::Chosen;
use super::{View, bubble, composer, files, picture};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::model::conversation::Anchor;
use crate::gui::model::scroll::Heights;
use crate::gui::model::settings::KeyState;
use crate::gui::talk::{Ask, Presence};
use crate::identity::PeerId;

/// Points above and below the page that are drawn too, so that a quick scroll finds rows of known height.
const BEYOND: f32 = 160.0;
/// Points between two messages.
const GAP: f32 = 6.0;

/// What is drawn of the conversation that is open.
#[derive(Debug, Default)]
pub struct State {
    peer: Option<PeerId>,
    heights: Heights,
    /// Where the page stood at the end of the last frame.
    offset: f32,
    bubbles: bubble::State,
    composer: composer::State,
    picture: picture::State,
    files: files::State,
}

/// Shows the conversation with a peer.
///
/// What is asked for beside it.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    peer: PeerId,
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> Option<Chosen> {
    if state.peer != Some(peer) {
        *state = State { peer: Some(peer), ..State::default() };
        state.composer.focus();
        model.stop_playing(asks);
    }
    let chosen = Panel::top("conversation-head").show(ui, |ui| head(ui, model, peer, view)).inner;
    Panel::bottom("composer").show(ui, |ui| composer::show(ui, &mut state.composer, model, peer, view, asks));
    egui::CentralPanel::default().show(ui, |ui| page(ui, state, model, peer, view, asks));
    if state.composer.attaches {
        match files::show(ui, &mut state.files, model, view, asks) {
            Choice::Open => {}
            Choice::Cancelled => state.composer.attaches = false,
            Choice::File(path) => {
                state.composer.attaches = false;
                asks.push(Ask::Stage { peer, path });
            }
        }
    }
    if let Some(target) = state.bubbles.full
        && picture::show(ui, &mut state.picture, model, (peer, target), view, asks)
    {
        state.bubbles.full = None;
    }
    chosen
}

fn head(ui: &mut Ui, model: &Model, id: PeerId, view: View<'_>) -> Option<Chosen> {
    let peer = model.peer(&id)?;
    let mut chosen = None;
    ui.horizontal(|ui| {
        ui.heading(&peer.row.name);
        if model.settings.key_state(&peer.row) == KeyState::Verified {
            ui.label("✔").accessible_name(view.get("head-verified"));
        }
        match &peer.presence {
            Presence::Here { address, suite, .. } => {
                let here = match peer.rtt_ms {
                    Some(ms) => view.words.with("peers-here-rtt", &[("ms", ms.into())]),
                    None => view.get("peers-here"),
                };
                ui.label(RichText::new(here).color(look::here(ui.visuals())))
                    .on_hover_text(format!("{address} · {suite}"));
            }
            Presence::Away(_) | Presence::Unknown => drop(ui.weak(view.get("peers-away"))),
        }
        if peer.is_typing(view.clock.now_ms) {
            ui.weak(view.get("peers-typing"));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let label = view.get("head-about");
            if ui.button("ℹ").on_hover_text(&label).accessible_name(label).clicked() {
                chosen = Some(Chosen::Peer(id));
            }
            if !peer.is_here() && ui.button(view.get("head-why")).clicked() {
                chosen = Some(Chosen::Connection(id));
            }
        });
    });
    if model.settings.key_state(&peer.row) == KeyState::Changed {
        ui.colored_label(ui.visuals().error_fg_color, view.get("head-key-changed"));
        ui.label(view.get("head-key-changed-about"));
    }
    chosen
}

fn page(ui: &mut Ui, state: &mut State, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    let talk = model.conversation(&peer);
    if !talk.is_open() {
        if let Some(place) = talk.wanted(0, 0) {
            asks.push(Ask::Page { peer, place });
        }
        ui.weak(view.get("conversation-loading"));
        return;
    }
    if talk.lines().is_empty() {
        ui.weak(view.get("conversation-empty"));
        return;
    }
    let measure = (ui.available_width(), ui.text_style_height(&egui::TextStyle::Body));
    let revision = talk.revision();
    state.heights.set_rows(talk.lines().iter().map(|line| line.target), revision, measure);
    let height = ui.available_height();
    let offset = state.heights.offset(talk.anchor, height);
    let mut area = ScrollArea::vertical().id_salt(peer.as_bytes()).auto_shrink(false);
    if (offset - state.offset).abs() > 0.5 {
        area = area.vertical_scroll_offset(offset);
    }
    let mut drawn = Drawn::default();
    let output = area.show_viewport(ui, |ui, seen| {
        ui.set_height(state.heights.total());
        drawn = rows(ui, state, model, peer, seen, view, asks);
    });
    let now = output.state.clamped_offset().y;
    let talk = model.conversation(&peer);
    if (now - offset).abs() > 0.5 {
        // The reader has moved the page.
        talk.anchor = state.heights.anchor(now, height, talk.reaches_newest());
    }
    let away = state.heights.anchor(now, height, talk.reaches_newest()) != Anchor::Bottom;
    state.offset = now;
    if drawn.measured {
        state.heights.settle();
        ui.ctx().request_repaint();
    }
    if let Some(place) = talk.wanted(drawn.first, drawn.last) {
        asks.push(Ask::Page { peer, place });
    }
    if ui.input(|input| input.focused)
        && let Some(up_to) = talk.seen(drawn.last)
    {
        asks.push(Ask::Read { peer, up_to });
    }
    if away {
        newest(ui, model, peer, output.inner_rect, view, asks);
    }
    state.bubbles.keep(model, peer);
}

/// What of a page was drawn.
#[derive(Default)]
struct Drawn {
    first: usize,
    /// One behind the last row that is seen.
    last: usize,
    measured: bool,
}

fn rows(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    peer: PeerId,
    seen: Rect,
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> Drawn {
    let range = state.heights.between(seen.min.y - BEYOND, seen.max.y + BEYOND);
    let visible = state.heights.between(seen.min.y, seen.max.y);
    let mut drawn = Drawn { first: visible.start, last: visible.end, measured: false };
    let (left, width) = (ui.max_rect().left(), ui.max_rect().width());
    let mut top = ui.max_rect().top() + state.heights.top(range.start);
    let unread_from = model.conversation(&peer).unread_from;
    for row in range {
        let lines = model.conversation(&peer).lines();
        let Some(line) = lines.get(row).cloned() else { break };
        let before = row.checked_sub(1).and_then(|row| lines.get(row));
        let day_begins = before.is_none_or(|before| view.clock.date(before.sent_ms) != view.clock.date(line.sent_ms));
        let rect = Rect::from_min_size(egui::pos2(left, top), egui::vec2(width, f32::INFINITY));
        let mut child = ui.new_child(UiBuilder::new().id_salt((peer.as_bytes(), line.target)).max_rect(rect));
        if day_begins {
            separator(&mut child, &view.day(line.sent_ms));
        }
        if unread_from == Some(line.target) {
            separator(&mut child, &view.get("conversation-unread"));
        }
        bubble::show(&mut child, &mut state.bubbles, model, (peer, &line), view, asks);
        let height = child.min_rect().height() + GAP;
        drawn.measured |= state.heights.measured(row, height);
        top += height;
    }
    drawn
}

fn separator(ui: &mut Ui, text: &str) {
    ui.with_layout(Layout::top_down(Align::Center), |ui| ui.label(RichText::new(text).small().weak()));
    ui.add_space(GAP);
}

/// The way back to the newest message.
fn newest(ui: &mut Ui, model: &mut Model, peer: PeerId, page: Rect, view: View<'_>, asks: &mut Vec<Ask>) {
    let size = egui::vec2(120.0, 26.0);
    let rect = Rect::from_min_size(page.right_bottom() - size - egui::vec2(16.0, 8.0), size);
    if ui.put(rect, egui::Button::new(format!("⬇ {}", view.get("conversation-newest")))).clicked()
        && let Some(place) = model.conversation(&peer).to_newest()
    {
        asks.push(Ask::Page { peer, place });
    }
}
