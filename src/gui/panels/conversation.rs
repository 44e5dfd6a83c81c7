//! The open conversation: its head, its page, and the composer below.

use egui::{Align, Frame, Layout, Margin, Panel, Rect, RichText, ScrollArea, Stroke, Ui, UiBuilder, vec2};

use super::files::Choice;
use super::peers::Chosen;
use super::{View, bubble, composer, files, link, paint, picture};
use crate::gui::look;
use crate::gui::model::conversation::Anchor;
use crate::gui::model::scroll::Heights;
use crate::gui::model::settings::KeyState;
use crate::gui::model::{Model, Peer};
use crate::gui::talk::{Ask, Line, Presence};
use crate::identity::PeerId;

/// Points above and below the page that are drawn too, so that a quick scroll finds rows of known height.
const BEYOND: f32 = 160.0;
/// Points between two messages.
const GAP: f32 = 10.0;
/// Points between two messages of one group.
const GROUP_GAP: f32 = 3.0;
/// Messages of one side that follow each other within so many ms are a group.
const GROUP_MS: i64 = 5 * 60_000;
/// Points between the page and the window's edges.
const PAGE_MARGIN: i8 = 12;

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
    /// How high the message was that is marked.
    marked_height: f32,
    /// Whether there is no room for the list beside it.
    pub narrow: bool,
    /// The way back to the list was chosen.
    pub goes_back: bool,
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
        *state = State { peer: Some(peer), narrow: state.narrow, ..State::default() };
        state.composer.focus();
        model.stop_playing(asks);
    }
    let palette = look::palette(ui.visuals());
    let head_frame = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(12, 8));
    let shown = Panel::top("conversation-head").frame(head_frame).show(ui, |ui| head(ui, state, model, peer, view));
    let chosen = shown.inner;
    let foot_frame = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(12, 6));
    Panel::bottom("composer")
        .frame(foot_frame)
        .show(ui, |ui| composer::show(ui, &mut state.composer, model, peer, view, asks));
    let page_frame = Frame::new().fill(palette.page).inner_margin(Margin::symmetric(PAGE_MARGIN, 4));
    egui::CentralPanel::default().frame(page_frame).show(ui, |ui| page(ui, state, model, peer, view, asks));
    if let Some(target) = state.bubbles.jump.take() {
        model.jump(peer, target, asks);
        ui.ctx().request_repaint();
    }
    drop_target(ui, model, peer, view);
    dialogs(ui, state, model, peer, view, asks);
    chosen
}

/// While files are dragged over the window: where they go when they are dropped.
fn drop_target(ui: &Ui, model: &Model, peer: PeerId, view: View<'_>) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let name = model.peer(&peer).map(|peer| peer.row.name.clone()).unwrap_or_default();
    let palette = look::palette(ui.visuals());
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop-target"));
    let painter = ui.ctx().layer_painter(layer);
    let rect = ui.max_rect().shrink(14.0);
    painter.rect_filled(rect, 14.0, palette.selected.gamma_multiply(0.92));
    painter.rect_stroke(rect, 14.0, Stroke::new(2.0, palette.accent_text), egui::StrokeKind::Inside);
    let text = view.words.with("drop-here", &[("name", name.into())]);
    let galley = painter.layout(text, egui::FontId::proportional(20.0), palette.accent_text, rect.width() - 40.0);
    painter.galley(rect.center() - galley.size() / 2.0, galley, palette.accent_text);
}

/// What is asked for above the conversation: a file, a picture in full, a link.
fn dialogs(ui: &mut Ui, state: &mut State, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
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
        model.let_go_of_picture(peer, target);
    }
    if let Some(link) = state.bubbles.link()
        && link::show(ui, &link, view, asks)
    {
        state.bubbles.let_go_of_link();
    }
}

fn head(ui: &mut Ui, state: &mut State, model: &Model, id: PeerId, view: View<'_>) -> Option<Chosen> {
    let peer = model.peer(&id)?;
    let mut chosen = None;
    let key_state = model.settings.key_state(&peer.row);
    ui.horizontal(|ui| {
        if state.narrow {
            let back = view.get("head-back");
            state.goes_back = paint::sign(ui, "⬅", back).clicked();
        }
        let (rect, _) = ui.allocate_exact_size(vec2(36.0, 36.0), egui::Sense::hover());
        paint::face(ui, rect, &peer.row, Some(peer.is_here()), look::palette(ui.visuals()).panel);
        // What is chosen is placed first, so that a long name takes what is left.
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if paint::sign(ui, "ℹ", view.get("head-about")).clicked() {
                chosen = Some(Chosen::Peer(id));
            }
            let camera = view.get("head-camera");
            if peer.has_camera() && ui.button("📷").on_hover_text(&camera).accessible_name(camera).clicked() {
                chosen = Some(Chosen::Camera(id));
            }
            if !peer.is_here() && ui.button(view.get("head-why")).clicked() {
                chosen = Some(Chosen::Connection(id));
            }
            ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                ui.horizontal(|ui| {
                    let room = ui.available_width() - 24.0;
                    let name = paint::one_line(ui, RichText::new(&peer.row.name).size(16.0), room);
                    let colour = ui.visuals().text_color();
                    let (rect, response) = ui.allocate_exact_size(name.size(), egui::Sense::hover());
                    paint::bold(ui.painter(), rect.min, &name, colour);
                    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Heading, true, &peer.row.name));
                    response.on_hover_text(&peer.row.name);
                    if key_state == KeyState::Verified {
                        let colour = look::here(ui.visuals());
                        super::mark(ui, RichText::new("✔").color(colour), view.get("head-verified"));
                    }
                });
                presence(ui, peer, view);
            });
        });
    });
    if key_state == KeyState::Changed {
        paint::bar(ui, true, |ui| {
            ui.colored_label(ui.visuals().error_fg_color, view.get("head-key-changed"));
            ui.label(view.get("head-key-changed-about"));
        });
    }
    chosen
}

/// The line below the name.
fn presence(ui: &mut Ui, peer: &Peer, view: View<'_>) {
    if peer.is_typing(view.clock.now_ms) {
        let colour = look::palette(ui.visuals()).accent_text;
        ui.label(RichText::new(view.get("peers-typing")).small().color(colour));
        return;
    }
    match &peer.presence {
        Presence::Here { address, suite, .. } => {
            let here = match peer.rtt_ms {
                Some(ms) => view.words.with("peers-here-rtt", &[("ms", ms.into())]),
                None => view.get("peers-here"),
            };
            ui.label(RichText::new(here).small().color(look::here(ui.visuals())))
                .on_hover_text(format!("{address} · {suite}"));
        }
        Presence::Away(_) | Presence::Unknown => drop(ui.label(RichText::new(view.get("peers-away")).small().weak())),
    }
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
        model.conversation(&peer).look(ui.input(|input| input.focused));
        paint::empty(ui, "✉", &view.get("conversation-empty"), &view.get("conversation-empty-about"));
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
    let focused = ui.input(|input| input.focused);
    talk.look(focused && !away);
    if focused && let Some(up_to) = talk.seen(drawn.last) {
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
        let unread_begins = unread_from == Some(line.target);
        let begins = day_begins || unread_begins || before.is_none_or(|before| !is_group(before, &line));
        // The gap stands above: a row's height changes by nothing that comes below it.
        let gap = if begins { GAP } else { GROUP_GAP };
        let rect = Rect::from_min_size(egui::pos2(left, top), egui::vec2(width, f32::INFINITY));
        let mut child = ui.new_child(UiBuilder::new().id_salt((peer.as_bytes(), line.target)).max_rect(rect));
        child.spacing_mut().item_spacing.y = 0.0;
        child.add_space(gap);
        if day_begins {
            day(&mut child, &view.day(line.sent_ms));
        }
        if unread_begins {
            divider(&mut child, &view.get("conversation-unread"));
        }
        let marked = mark(&child, model, &line, vec2(width, state.marked_height), view);
        let above = child.min_rect().height();
        bubble::show(&mut child, &mut state.bubbles, model, (peer, &line, begins), view, asks);
        let height = child.min_rect().height();
        if marked {
            state.marked_height = height - above;
        }
        drawn.measured |= state.heights.measured(row, height);
        top += height;
    }
    drawn
}

/// Whether a message stands close below the one before.
fn is_group(before: &Line, line: &Line) -> bool {
    before.is_ours() == line.is_ours() && (line.sent_ms - before.sent_ms).abs() < GROUP_MS
}

/// A day, in a pill of its own.
fn day(ui: &mut Ui, text: &str) {
    let palette = look::palette(ui.visuals());
    let galley = paint::one_line(ui, RichText::new(text).small().color(palette.weak), ui.available_width());
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), galley.size().y + 6.0), egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
    let pill = Rect::from_center_size(rect.center(), galley.size() + vec2(20.0, 6.0));
    ui.painter().rect_filled(pill, pill.height() / 2.0, palette.hovered);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, palette.weak);
    ui.add_space(GAP);
}

/// The line above what was not read.
fn divider(ui: &mut Ui, text: &str) {
    let palette = look::palette(ui.visuals());
    let shown = ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.label(RichText::new(text).small().color(palette.accent_text))
    });
    let (words, whole) = (shown.inner.rect, ui.max_rect().x_range());
    let line = Stroke::new(1.0, palette.accent_text);
    ui.painter().hline(whole.min..=words.left() - 10.0, words.center().y, line);
    ui.painter().hline(words.right() + 10.0..=whole.max, words.center().y, line);
    ui.add_space(GAP);
}

/// The light behind a message that was gone to, for a while; whether it is that one.
fn mark(ui: &Ui, model: &mut Model, line: &Line, size: egui::Vec2, view: View<'_>) -> bool {
    let Some(left_ms) = model.extras.marked(&line.target, view.clock.now_ms) else { return false };
    let rect = Rect::from_min_size(ui.cursor().min, size);
    ui.painter().rect_filled(
        rect.expand2(vec2(f32::from(PAGE_MARGIN), 3.0)),
        0.0,
        look::palette(ui.visuals()).selection,
    );
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(left_ms.unsigned_abs()));
    true
}

/// The way back to the newest message, with the count of what came meanwhile.
fn newest(ui: &mut Ui, model: &mut Model, peer: PeerId, page: Rect, view: View<'_>, asks: &mut Vec<Ask>) {
    let fresh = model.conversation(&peer).attention.fresh();
    let text = match fresh {
        0 => view.get("conversation-newest"),
        count => view.words.with("conversation-fresh", &[("count", count.into())]),
    };
    let palette = look::palette(ui.visuals());
    let text = format!("⬇ {text}");
    let button = match fresh {
        0 => egui::Button::new(text).stroke(Stroke::new(1.0, palette.line)),
        _ => paint::primary(ui, text),
    };
    let size = vec2(if fresh == 0 { 110.0 } else { 190.0 }, 30.0);
    let rect = Rect::from_min_size(page.right_bottom() - size - vec2(16.0, 10.0), size);
    if ui.put(rect, button.corner_radius(15)).clicked() {
        if let Some(place) = model.conversation(&peer).to_newest() {
            asks.push(Ask::Page { peer, place });
        }
        ui.ctx().request_repaint();
    }
}
