//! One message of a conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use egui::{
    Align, Button, Color32, ColorImage, CornerRadius, FontId, Frame, Layout, Margin, Rect, RichText, Role, Sense,
    Stroke, TextureHandle, TextureOptions, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{View, message_menu, message_text, paint, size};
use crate::gui::look;
use crate::gui::model::{Model, Picture};
use crate::gui::said::Said;
use crate::gui::talk::{Ask, Line, Outgoing};
use crate::identity::PeerId;
use crate::node::history::{Direction, Kind, State as Sent, Target};

/// The part of the page's width that a bubble takes at most.
const WIDTH_PART: f32 = 0.75;
/// Points that a bubble is wide at most: longer lines are hard to read.
const WIDTH_MAX: f32 = 620.0;
/// Points of a picture's longer side.
const PICTURE_SIDE: f32 = 320.0;
/// The width of what is shown of a body on its way.
const PROGRESS_WIDTH: f32 = 220.0;

/// What is opened, and what is drawn of it.
#[derive(Default)]
pub struct State {
    /// Messages whose hidden text is shown.
    revealed: HashSet<Target>,
    textures: HashMap<Target, (Arc<ColorImage>, TextureHandle)>,
    widths: HashMap<Target, f32>,
    texts: message_text::State,
    menu: message_menu::State,
    /// A picture that is to be seen in full.
    pub full: Option<Target>,
    /// A link that was clicked: nothing is opened without a question.
    link: Option<String>,
    /// An answered message that is to be shown.
    pub jump: Option<Target>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bubble::State")
    }
}

impl State {
    /// Lets go of what is no longer near the page.
    pub fn keep(&mut self, model: &mut Model, peer: PeerId) {
        self.textures.retain(|target, _| model.holds_picture(peer, *target));
        let talk = model.conversation(&peer);
        self.revealed.retain(|target| talk.row(target).is_some());
        self.widths.retain(|target, _| talk.row(target).is_some());
        self.texts.retain(|target| talk.row(target).is_some());
    }

    /// A link that is to be opened, after a question.
    pub fn link(&mut self) -> Option<String> {
        self.link = self.menu.link.take().or(self.link.take());
        self.link.clone()
    }

    /// The question is answered.
    pub fn let_go_of_link(&mut self) {
        self.link = None;
    }

    fn texture(&mut self, ui: &Ui, target: Target, picture: &Arc<ColorImage>) -> &TextureHandle {
        let stale = self.textures.get(&target).is_some_and(|(drawn, _)| !Arc::ptr_eq(drawn, picture));
        if stale {
            self.textures.remove(&target);
        }
        let load = || {
            let texture = ui.ctx().load_texture("picture", picture.clone(), TextureOptions::LINEAR);
            (picture.clone(), texture)
        };
        &self.textures.entry(target).or_insert_with(load).1
    }
}

/// Shows one message; `begins`: the one above it is not of the same side, or long ago.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line, begins): (PeerId, &Line, bool),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let ours = line.is_ours();
    let page = ui.available_rect_before_wrap();
    let width_max = (page.width() * WIDTH_PART).min(WIDTH_MAX);
    // Ours stand at the right, as wide as they were: a bubble knows its width when it is drawn.
    let width = state.widths.get(&line.target).copied().unwrap_or(width_max).min(width_max);
    let left = if ours { page.right() - width } else { page.left() };
    let rect = Rect::from_min_size(pos2(left, page.top()), vec2(width_max, f32::INFINITY));
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::LEFT)));
    let drawn = frame(ui, line, begins)
        .show(&mut inside, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            answered(ui, state, model, (peer, line), view);
            content(ui, state, model, (peer, line), view, asks);
            hidden(ui, state, line, view);
            progress(ui, model, (peer, line), view, asks);
            reactions(ui, model, (peer, line), view, asks);
            // What is wider comes first: the time stands at the bubble's end.
            failed(ui, (peer, line), view, asks);
            foot(ui, line, view);
        })
        .response
        .rect;
    if (drawn.width() - width).abs() > 0.5 {
        state.widths.insert(line.target, drawn.width());
        // One that is drawn beyond the page stands right before it is seen.
        if ours && ui.is_rect_visible(drawn) {
            ui.ctx().request_discard("a bubble has another width");
        }
    }
    ui.advance_cursor_after_rect(drawn);
    message_menu::show(ui, &mut state.menu, model, (peer, line, drawn), view, asks);
}

/// The shape of a bubble: its corner points to whoever wrote it, where it begins a group.
fn frame(ui: &Ui, line: &Line, begins: bool) -> Frame {
    let ours = line.is_ours();
    let mut corners = CornerRadius::same(14);
    match (begins, ours) {
        (true, true) => corners.ne = 4,
        (true, false) => corners.nw = 4,
        (false, _) => {}
    }
    let frame = Frame::new().corner_radius(corners).inner_margin(Margin { left: 12, right: 12, top: 8, bottom: 6 });
    let edge = Stroke::new(1.0, look::palette(ui.visuals()).line);
    match line.kind {
        Kind::Deletion => frame.stroke(edge),
        _ if ours => frame.fill(look::bubble(ui.visuals(), true)),
        _ => frame.fill(look::bubble(ui.visuals(), false)).stroke(edge),
    }
}

/// What it answers: a click goes there.
fn answered(ui: &mut Ui, state: &mut State, model: &Model, (peer, line): (PeerId, &Line), view: View<'_>) {
    let Some((target, quote)) = &line.reply else { return };
    let who = match target.direction {
        Direction::Out => view.get("quote-ours"),
        Direction::In => model.peer(&peer).map(|peer| peer.row.name.clone()).unwrap_or_default(),
    };
    let gone = quote.is_none();
    let quote = quote.clone().unwrap_or_else(|| view.get("reply-gone"));
    let palette = look::palette(ui.visuals());
    let room = ui.available_width() - 18.0;
    let who = paint::one_line(ui, RichText::new(who).small().color(palette.accent_text), room);
    let text = paint::one_line(ui, RichText::new(&quote).small().color(palette.weak), room);
    let size = vec2(who.size().x.max(text.size().x) + 18.0, who.size().y + text.size().y + 8.0);
    let (rect, response) = ui.allocate_exact_size(size, if gone { Sense::hover() } else { Sense::click() });
    let said = view.words.with("quote-jump", &[("text", quote.into())]);
    response.widget_info(|| WidgetInfo::labeled(if gone { Role::Label } else { Role::Button }, ui.is_enabled(), &said));
    let lit = response.hovered() || response.has_focus();
    let fill = palette.text.gamma_multiply(if lit && !gone { 0.14 } else { 0.06 });
    ui.painter().rect_filled(rect, 6.0, fill);
    let stripe = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
    ui.painter().rect_filled(stripe, 1.5, palette.accent_text);
    let place = rect.min + vec2(10.0, 4.0);
    let below = place + vec2(0.0, who.size().y);
    ui.painter().galley(place, who, palette.accent_text);
    ui.painter().galley(below, text, palette.weak);
    if response.clicked() {
        state.jump = Some(*target);
    }
}

fn content(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    if line.damaged {
        ui.colored_label(ui.visuals().error_fg_color, view.get("message-damaged"));
        return;
    }
    match line.kind {
        Kind::Text | Kind::Edit | Kind::Reaction => {
            let text = line.text.as_deref().unwrap_or_default();
            if let Some(link) = message_text::show(ui, &mut state.texts, line.target, text, view) {
                state.link = Some(link);
            }
        }
        Kind::Deletion => drop(ui.label(RichText::new(view.get("kind-deletion")).italics().weak())),
        Kind::Picture => picture(ui, state, model, (peer, line), view, asks),
        Kind::Clip => super::clip::message(ui, model, (peer, line), view, asks),
        Kind::File => file(ui, model, (peer, line), view, asks),
    }
}

fn picture(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let side = PICTURE_SIDE.min(ui.available_width()).max(16.0);
    let pixels = (side * ui.pixels_per_point()).ceil() as u32;
    let name = line.name.clone().unwrap_or_else(|| view.get("kind-picture"));
    match model.picture(peer, line.target, pixels, asks) {
        Picture::Here(image) => {
            let image = image.clone();
            let [width, height] = image.size.map(|pixels| pixels as f32);
            let scale = (side / width.max(height).max(1.0)).min(1.0 / ui.pixels_per_point());
            let shown = vec2(width * scale, height * scale);
            let texture = state.texture(ui, line.target, &image);
            let image = egui::Image::new((texture.id(), shown)).corner_radius(8);
            let label = view.words.with("picture-open", &[("name", name.into())]);
            let button = Button::image(image).frame(false);
            if ui.add(button).accessible_name(label).clicked() {
                state.full = Some(line.target);
            }
        }
        Picture::Awaited => {
            // Room for it, so that the page does not jump when it comes.
            let (rect, response) = ui.allocate_exact_size(vec2(side, side * 0.75), Sense::hover());
            ui.painter().rect_filled(rect, 8, Color32::from_gray(128).gamma_multiply(0.3));
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, view.get("picture-loading")));
        }
        Picture::Faulty(fault) => {
            let fault = fault.clone();
            ui.label(format!("🖼 {name}"));
            super::tell_fault(ui, &fault, view);
        }
    }
}

/// A file: its name and size, and what can be done with it.
fn file(ui: &mut Ui, model: &Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    let name = line.name.clone().unwrap_or_else(|| view.get("kind-file"));
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(38.0, 38.0), Sense::hover());
        let palette = look::palette(ui.visuals());
        ui.painter().circle_filled(rect.center(), 19.0, palette.accent);
        let font = FontId::proportional(17.0);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "📄", font, palette.on_accent);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.add(egui::Label::new(RichText::new(&name)).truncate());
            ui.label(RichText::new(size(line.bytes)).small().weak());
        });
    });
    ui.horizontal(|ui| {
        if ui.button(view.get("file-save")).clicked() {
            asks.push(Ask::Save { peer, target: line.target });
        }
        if let Some(path) = model.extras.saved_as(peer, line.target)
            && ui.button(view.get("notice-open-folder")).clicked()
        {
            asks.push(Ask::OpenFolder(path.clone()));
        }
    });
}

fn hidden(ui: &mut Ui, state: &mut State, line: &Line, view: View<'_>) {
    let Some(text) = &line.hidden else { return };
    if state.revealed.contains(&line.target) {
        ui.label(format!("🔓 {text}"));
        if ui.small_button(view.get("hidden-close")).clicked() {
            state.revealed.remove(&line.target);
        }
    } else if ui.add(Button::new(format!("🔒 {}", view.get("hidden-open"))).wrap()).clicked() {
        state.revealed.insert(line.target);
    }
}

/// A body on its way: how far, of how much, and the way to stop it.
fn progress(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    if !matches!(line.state, Sent::Queued | Sent::Sending) || !line.is_ours() {
        return;
    }
    let Some((sent, total)) = model.conversation(&peer).progress(&line.target.id).filter(|(_, total)| *total > 0)
    else {
        return;
    };
    let palette = look::palette(ui.visuals());
    let told = view.words.with("progress-bytes", &[("sent", size(sent).into()), ("total", size(total).into())]);
    ui.horizontal(|ui| {
        let width = PROGRESS_WIDTH.min((ui.available_width() - 40.0).max(40.0));
        let (rect, response) = ui.allocate_exact_size(vec2(width, 6.0), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &told));
        ui.painter().rect_filled(rect, 3.0, palette.text.gamma_multiply(0.18));
        let part = (sent as f64 / total as f64).clamp(0.0, 1.0) as f32;
        let done = Rect::from_min_size(rect.min, vec2(width * part, rect.height()));
        ui.painter().rect_filled(done, 3.0, palette.accent_text);
        if ui.small_button("✖").accessible_name(view.get("message-cancel")).clicked() {
            asks.push(Ask::Cancel { peer, id: line.target.id });
        }
    });
    ui.label(RichText::new(told).small().weak());
}

/// What both say to it: pills that are pressed to say the same or take it back.
fn reactions(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    if line.reactions.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().button_padding = vec2(8.0, 2.0);
        for reaction in &line.reactions {
            let ours = reaction.direction == Direction::Out;
            let whose = view.get(if ours { "reaction-ours" } else { "reaction-theirs" });
            let said = format!("{}, {whose}", reaction.text);
            let pill =
                Button::selectable(ours, RichText::new(&reaction.text)).corner_radius(12).frame_when_inactive(true);
            if ui.add(pill).on_hover_text(&whose).accessible_name(said).clicked() {
                let text = if ours { String::new() } else { reaction.text.clone() };
                model.send(peer, Outgoing::React(line.target, text), None, asks);
            }
        }
    });
}

/// When it was sent and how far it has come, at the right end.
fn foot(ui: &mut Ui, line: &Line, view: View<'_>) {
    let mut parts = vec![view.clock.time(line.sent_ms)];
    if line.edited {
        parts.push(view.get("message-edited"));
    }
    let seen = parts.join(" · ");
    let state = (line.is_ours() && line.kind != Kind::Deletion).then_some(line.state);
    let word_of = state.map(|state| view.get(word(state)));
    parts.extend(word_of.clone());
    let palette = look::palette(ui.visuals());
    let galley = paint::one_line(ui, RichText::new(seen).small().color(palette.weak), ui.available_width());
    let needs = galley.size().x + if state.is_some() { paint::STATE_WIDTH + 4.0 } else { 0.0 };
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.min_rect().width().max(needs), galley.size().y), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, parts.join(" · ")));
    let left = rect.right() - needs;
    ui.painter().galley(pos2(left, rect.top()), galley, palette.weak);
    if let Some(state) = state {
        let sign = Rect::from_min_max(pos2(rect.right() - paint::STATE_WIDTH, rect.top()), rect.max);
        paint::state(ui, sign, state);
        response.on_hover_text(word_of.unwrap_or_default());
    }
}

/// Why it did not get there, and what to do.
fn failed(ui: &mut Ui, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    if line.state != Sent::Failed {
        return;
    }
    let reason = crate::gui::told::failed(line.reason.as_deref().unwrap_or_default());
    let why = Said::new("state-failed-why").said("why", reason).tell(view.words);
    ui.add(egui::Label::new(RichText::new(why).color(ui.visuals().error_fg_color)).wrap());
    ui.horizontal(|ui| {
        if ui.button(view.get("message-retry")).clicked() {
            asks.push(Ask::Retry { peer, id: line.target.id });
        }
        if ui.button(view.get("message-give-up")).clicked() {
            asks.push(Ask::Cancel { peer, id: line.target.id });
        }
    });
}

fn word(state: Sent) -> &'static str {
    match state {
        Sent::Queued => "state-queued",
        Sent::Sending => "state-sending",
        Sent::Delivered => "state-delivered",
        Sent::Read => "state-read",
        Sent::Failed => "state-failed",
        Sent::Received | Sent::Seen => "state-received",
    }
}
