//! What can be done with a message: a menu beside it, which a click with the other button opens too.

use egui::{
    Align2, Button, FontId, Id, Key, Popup, PopupCloseBehavior, Rect, Role, Sense, TextEdit, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use super::{View, message_text};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::talk::{Ask, Line, Outgoing};
use crate::identity::PeerId;
use crate::node::history::{Direction, Kind, State as Sent, Target};
use crate::node::limits::REACTION_BYTES_MAX;

/// Room for the button beside a bubble.
const BUTTON: Vec2 = vec2(30.0, 26.0);
/// What can be said beside a message with one click.
pub const REACTIONS: [&str; 8] = ["👍", "❤", "😄", "🎉", "👀", "😢", "🙏", "👎"];
/// Links of one message that its menu has.
const LINKS_MAX: usize = 3;
/// Characters of a link in the menu.
const LINK_CHARS: usize = 40;

/// What is typed.
#[derive(Default)]
pub struct State {
    /// The message whose menu is open.
    of: Option<Target>,
    reaction: String,
    /// What was pressed once, and is done when it is pressed again.
    sure: Option<&'static str>,
    /// A link that was chosen.
    pub link: Option<String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("message_menu::State")
    }
}

/// Shows the button beside the bubble `drawn`, and the menu while it is open.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line, drawn): (PeerId, &Line, Rect),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let left = if line.is_ours() { drawn.left() - BUTTON.x - 4.0 } else { drawn.right() + 4.0 };
    let rect = Rect::from_min_size(pos2(left, drawn.top()), BUTTON);
    let id = Id::unique(("message-menu", peer.as_bytes(), line.target));
    let button = ui.interact(rect, id, Sense::click());
    let what = super::peers::preview(line, view);
    let label = view.words.with("message-menu", &[("text", what.into())]);
    button.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &label));
    let popup = Popup::default_response_id(&button);
    let is_open = Popup::is_id_open(ui.ctx(), popup);
    if is_open != (state.of == Some(line.target)) {
        // What was typed and pressed belongs to one message, and to one time that its menu was open.
        if is_open || state.of == Some(line.target) {
            (state.reaction, state.sure) = (String::new(), None);
            state.of = is_open.then_some(line.target);
        }
    }
    // It is there for the keyboard and for screen readers, and seen by whoever points at the message.
    let row = Rect::from_x_y_ranges(ui.max_rect().x_range(), drawn.y_range());
    let pointed = ui.rect_contains_pointer(row);
    if pointed || is_open || button.has_focus() {
        let palette = look::palette(ui.visuals());
        let fill = if button.hovered() || is_open { palette.button } else { palette.page };
        ui.painter().rect_filled(rect, 8.0, fill);
        if button.has_focus() {
            ui.painter().rect_stroke(rect, 8.0, ui.visuals().widgets.active.bg_stroke, egui::StrokeKind::Inside);
        }
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, "…", FontId::proportional(16.0), palette.weak);
    }
    if ui.rect_contains_pointer(drawn) && ui.input(|input| input.pointer.secondary_clicked()) {
        Popup::open_id(ui.ctx(), popup);
    }
    Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        ui.set_min_width(200.0);
        if items(ui, state, model, (peer, line), view, asks) {
            state.reaction.clear();
            ui.close();
        }
    });
}

/// The menu; whether something was chosen.
fn items(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> bool {
    let mut done = line.kind != Kind::Deletion && reactions(ui, state, model, (peer, line), view, asks);
    if line.kind != Kind::Deletion && ui.button(view.get("message-reply")).clicked() {
        let draft = model.draft(&peer);
        draft.let_go();
        draft.reply_to = Some(line.target);
        done = true;
    }
    if let Some(text) = &line.text {
        if ui.button(view.get("message-copy")).clicked() {
            ui.ctx().copy_text(text.clone());
            done = true;
        }
        for link in message_text::links(text).into_iter().take(LINKS_MAX) {
            let link = text.get(link).unwrap_or_default();
            let short: String = link.chars().take(LINK_CHARS).collect();
            if ui.button(view.words.with("link-open", &[("link", short.into())])).clicked() {
                state.link = Some(link.to_owned());
                done = true;
            }
        }
    }
    if line.is_ours() && line.kind != Kind::Deletion {
        done |= own(ui, state, model, (peer, line), view, asks);
    }
    if matches!(line.kind, Kind::Picture | Kind::Clip | Kind::File) && ui.button(view.get("message-save")).clicked() {
        asks.push(Ask::Save { peer, target: line.target });
        done = true;
    }
    if twice(ui, state, "message-forget", view) {
        asks.push(Ask::Forget { peer, target: line.target });
        done = true;
    }
    done
}

/// A few signs to choose from, and room for any other.
fn reactions(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> bool {
    let mut said = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for reaction in REACTIONS {
            let ours = line.reactions.iter().any(|one| one.direction == Direction::Out && one.text == reaction);
            let button = Button::selectable(ours, egui::RichText::new(reaction).size(18.0));
            let name = view.words.with("reaction-say", &[("text", reaction.into())]);
            if ui.add(button).accessible_name(name).clicked() {
                // The same again takes it back.
                said = Some(if ours { String::new() } else { reaction.to_owned() });
            }
        }
    });
    let other = view.get("reaction-other");
    let edit = TextEdit::singleline(&mut state.reaction).hint_text(&other).desired_width(190.0);
    let typed = ui.add(edit).accessible_name(other);
    let fits = state.reaction.len() as u64 <= REACTION_BYTES_MAX;
    if !fits {
        ui.colored_label(ui.visuals().error_fg_color, view.get("reaction-too-long"));
    }
    let text = state.reaction.trim();
    if fits && !text.is_empty() && typed.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        said = Some(text.to_owned());
    }
    ui.separator();
    match said {
        Some(text) => {
            model.send(peer, Outgoing::React(line.target, text), None, asks);
            true
        }
        None => false,
    }
}

/// What can be done with a message of ours alone.
fn own(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, line): (PeerId, &Line),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> bool {
    if line.kind == Kind::Text
        && let Some(text) = &line.text
        && ui.button(view.get("message-edit")).clicked()
    {
        model.draft(&peer).edit(line.target.id, text.clone());
        return true;
    }
    let waits = matches!(line.state, Sent::Queued | Sent::Sending);
    if waits && ui.button(view.get("message-cancel")).clicked() {
        asks.push(Ask::Cancel { peer, id: line.target.id });
        return true;
    }
    if !waits && twice(ui, state, "message-delete", view) {
        model.send(peer, Outgoing::Delete(line.target.id), None, asks);
        return true;
    }
    false
}

/// A button for what cannot be undone: pressed once it asks, pressed again it is done.
fn twice(ui: &mut Ui, state: &mut State, key: &'static str, view: View<'_>) -> bool {
    let asks = state.sure == Some(key);
    let text = egui::RichText::new(view.get(if asks { "message-sure" } else { key }));
    let text = if asks { text.color(ui.visuals().error_fg_color) } else { text };
    let pressed = ui.button(text).clicked();
    if pressed {
        state.sure = (!asks).then_some(key);
    }
    pressed && asks
}
