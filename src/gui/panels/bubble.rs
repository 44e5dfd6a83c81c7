//! One message of a conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use egui::{
    Align, Color32, ColorImage, Frame, Layout, Margin, Rect, RichText, TextureHandle, TextureOptions, Ui, UiBuilder,
    Vec2, pos2, vec2,
};

use super::{View, size};
use crate::gui::look;
use crate::gui::model::{Model, Picture};
use crate::gui::said::Said;
use crate::gui::talk::{Ask, Line, Outgoing};
use crate::identity::PeerId;
use crate::node::history::{Direction, Kind, State as Sent, Target};

/// The part of the page's width that a bubble takes at most.
const WIDTH_PART: f32 = 0.75;
/// Points of a picture's longer side.
const PICTURE_SIDE: f32 = 320.0;
/// Room for the menu beside a bubble.
const MENU: Vec2 = vec2(28.0, 20.0);
/// What can be said beside a message with one click.
const REACTIONS: [&str; 5] = ["👍", "❤", "😄", "🎉", "👀"];

/// What is opened, and what is drawn of it.
#[derive(Default)]
pub struct State {
    /// Messages whose hidden text is shown.
    revealed: HashSet<Target>,
    textures: HashMap<Target, (Arc<ColorImage>, TextureHandle)>,
    widths: HashMap<Target, f32>,
    /// A picture that is to be seen in full.
    pub full: Option<Target>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bubble::State")
    }
}

impl State {
    /// Lets go of what is no longer near the page.
    pub fn keep(&mut self, model: &mut Model, peer: PeerId) {
        let talk = model.conversation(&peer);
        self.textures.retain(|target, _| talk.row(target).is_some());
        self.revealed.retain(|target| talk.row(target).is_some());
        self.widths.retain(|target, _| talk.row(target).is_some());
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

/// Shows one message.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let ours = line.is_ours();
    let page = ui.available_rect_before_wrap();
    let width_max = page.width() * WIDTH_PART;
    // Ours stand at the right, as wide as they were: a bubble knows its width when it is drawn.
    let width = state.widths.get(&line.target).copied().unwrap_or(width_max).min(width_max);
    let left = if ours { page.right() - width } else { page.left() };
    let rect = Rect::from_min_size(pos2(left, page.top()), vec2(width_max, f32::INFINITY));
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::LEFT)));
    let fill = look::bubble(ui.visuals(), ours);
    Frame::new().fill(fill).corner_radius(8).inner_margin(Margin::symmetric(10, 6)).show(&mut inside, |ui| {
        answered(ui, line, view);
        content(ui, state, model, (peer, line), view, asks);
        hidden(ui, state, line, view);
        foot(ui, model, (peer, line), view, asks);
    });
    let drawn = inside.min_rect();
    if (drawn.width() - width).abs() > 0.5 {
        state.widths.insert(line.target, drawn.width());
        if ours {
            ui.ctx().request_discard("a bubble has another width");
        }
    }
    ui.advance_cursor_after_rect(drawn);
    if line.kind != Kind::Deletion {
        let left = if ours { drawn.left() - MENU.x - 4.0 } else { drawn.right() + 4.0 };
        let rect = Rect::from_min_size(pos2(left, drawn.top()), MENU);
        let mut beside = ui.new_child(UiBuilder::new().max_rect(rect));
        menu(&mut beside, model, (peer, line), view, asks);
    }
}

fn answered(ui: &mut Ui, line: &Line, view: View<'_>) {
    if let Some((_, quote)) = &line.reply {
        let quote = quote.clone().unwrap_or_else(|| view.get("reply-gone"));
        ui.label(RichText::new(format!("↪ {quote}")).small().weak().italics());
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
    let name = || line.name.clone().unwrap_or_default();
    match line.kind {
        Kind::Text | Kind::Edit | Kind::Reaction => {
            drop(ui.label(RichText::new(line.text.as_deref().unwrap_or_default()).strong()));
        }
        Kind::Deletion => drop(ui.label(RichText::new(view.get("kind-deletion")).italics().weak())),
        Kind::Picture => picture(ui, state, model, (peer, line), view, asks),
        Kind::Clip => super::clip::message(ui, model, (peer, line), view, asks),
        Kind::File => drop(ui.label(format!("📄 {} · {}", name(), size(line.bytes)))),
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
            let image = egui::Image::new((texture.id(), shown));
            let label = view.words.with("picture-open", &[("name", name.into())]);
            let button = egui::Button::image(image).frame(false);
            if ui.add(button).accessible_name(label).clicked() {
                state.full = Some(line.target);
            }
        }
        Picture::Awaited => {
            // Room for it, so that the page does not jump when it comes.
            let (rect, response) = ui.allocate_exact_size(vec2(side, side * 0.75), egui::Sense::hover());
            ui.painter().rect_filled(rect, 4, Color32::from_gray(128).gamma_multiply(0.3));
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, view.get("picture-loading")));
        }
        Picture::Faulty(fault) => {
            let fault = fault.clone();
            ui.label(format!("🖼 {name}"));
            super::tell_fault(ui, &fault, view);
        }
    }
}

fn hidden(ui: &mut Ui, state: &mut State, line: &Line, view: View<'_>) {
    let Some(text) = &line.hidden else { return };
    if state.revealed.contains(&line.target) {
        ui.label(format!("🔓 {text}"));
        if ui.small_button(view.get("hidden-close")).clicked() {
            state.revealed.remove(&line.target);
        }
    } else if ui.button(format!("🔒 {}", view.get("hidden-open"))).clicked() {
        state.revealed.insert(line.target);
    }
}

/// Time, state, reactions.
fn foot(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    for reaction in &line.reactions {
        let whose = match reaction.direction {
            Direction::Out => view.get("reaction-ours"),
            Direction::In => view.get("reaction-theirs"),
        };
        ui.label(RichText::new(&reaction.text)).on_hover_text(whose);
    }
    let mut parts = vec![view.clock.time(line.sent_ms)];
    if line.edited {
        parts.push(view.get("message-edited"));
    }
    if line.is_ours() && line.kind != Kind::Deletion {
        parts.push(match (line.state, model.conversation(&peer).progress(&line.target.id)) {
            (Sent::Sending | Sent::Queued, Some((sent, total))) if total > 0 => {
                let percent = sent.saturating_mul(100) / total;
                view.words.with("state-progress", &[("percent", percent.into())])
            }
            (state, _) => view.get(word(state)),
        });
    }
    ui.label(RichText::new(parts.join(" · ")).small().weak());
    if line.state == Sent::Failed {
        let reason = crate::gui::told::failed(line.reason.as_deref().unwrap_or_default());
        ui.colored_label(ui.visuals().error_fg_color, Said::new("state-failed-why").said("why", reason).tell(view.words));
        ui.horizontal(|ui| {
            if ui.button(view.get("message-retry")).clicked() {
                asks.push(Ask::Retry { peer, id: line.target.id });
            }
            if ui.button(view.get("message-give-up")).clicked() {
                asks.push(Ask::Cancel { peer, id: line.target.id });
            }
        });
    }
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

/// What can be done with a message.
fn menu(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    let what = super::peers::preview(line, view);
    let menu = ui.menu_button(RichText::new("…").weak(), |ui| {
        ui.horizontal(|ui| {
            for reaction in REACTIONS {
                let ours = line.reactions.iter().any(|one| one.direction == Direction::Out && one.text == reaction);
                if ui.selectable_label(ours, reaction).clicked() {
                    // The same again takes it back.
                    let text = if ours { String::new() } else { reaction.to_owned() };
                    model.send(peer, Outgoing::React(line.target, text), None, asks);
                    ui.close();
                }
            }
        });
        if ui.button(view.get("message-reply")).clicked() {
            let draft = model.draft(&peer);
            draft.let_go();
            draft.reply_to = Some(line.target);
            ui.close();
        }
        if let Some(text) = &line.text
            && ui.button(view.get("message-copy")).clicked()
        {
            ui.ctx().copy_text(text.clone());
            ui.close();
        }
        if line.is_ours() {
            own_menu(ui, model, (peer, line), view, asks);
        }
        if matches!(line.kind, Kind::Picture | Kind::Clip | Kind::File) && ui.button(view.get("message-save")).clicked()
        {
            asks.push(Ask::Save { peer, target: line.target });
            ui.close();
        }
        if ui.button(view.get("message-forget")).clicked() {
            asks.push(Ask::Forget { peer, target: line.target });
            ui.close();
        }
    });
    menu.response.accessible_name(view.words.with("message-menu", &[("text", what.into())]));
}

fn own_menu(ui: &mut Ui, model: &mut Model, (peer, line): (PeerId, &Line), view: View<'_>, asks: &mut Vec<Ask>) {
    if line.kind == Kind::Text
        && let Some(text) = &line.text
        && ui.button(view.get("message-edit")).clicked()
    {
        model.draft(&peer).edit(line.target.id, text.clone());
        ui.close();
    }
    let waits = matches!(line.state, Sent::Queued | Sent::Sending);
    if waits && ui.button(view.get("message-cancel")).clicked() {
        asks.push(Ask::Cancel { peer, id: line.target.id });
        ui.close();
    }
    if !waits && ui.button(view.get("message-delete")).clicked() {
        model.send(peer, Outgoing::Delete(line.target.id), None, asks);
        ui.close();
    }
}
