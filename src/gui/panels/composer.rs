//! Where messages are written. Enter sends, Shift+Enter breaks the line; while an input method composes, Enter belongs to
//! it alone.

use egui::{
    Align, Event, Frame, Id, ImeEvent, Key, KeyboardShortcut, Layout, Margin, Modifiers, RichText, ScrollArea, Sense,
    Stroke, TextEdit, Ui, vec2,
};

use super::{View, emoji, paint, recorder, staged};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::model::draft::{KEEP_MS, STAGED_MAX, TEXT_NEAR};
use crate::gui::talk::{Ask, Line};
use crate::identity::PeerId;
use crate::node::history::{Kind, MessageId, Target};
use crate::node::limits::TEXT_BYTES_MAX;

/// Lines of text that are seen at once; more are scrolled.
const LINES_MAX: f32 = 8.0;
/// How high the buttons beside the text are.
const BUTTONS: f32 = 36.0;

/// A peer is told again that we are writing after so many ms.
const TYPING_AGAIN_MS: i64 = 4_000;

/// What is not part of the draft.
#[derive(Debug, Default)]
pub struct State {
    keys: Keys,
    wants_focus: bool,
    typing_told_ms: Option<i64>,
    staged: staged::State,
    /// How high the text was in the last frame.
    height: f32,
    /// What was answered or changed in the last frame.
    about: (Option<Target>, Option<MessageId>),
    /// A file is to be chosen.
    pub attaches: bool,
    recorder: recorder::State,
}

impl State {
    /// The keyboard goes to the composer.
    pub fn focus(&mut self) {
        self.wants_focus = true;
    }
}

/// Whether an input method composes.
#[derive(Debug, Default)]
struct Keys {
    composing: bool,
}

impl Keys {
    /// Takes the Enters out of a frame's events that the text must not get; whether one of them sends.
    fn take_enters(&mut self, events: &mut Vec<Event>) -> bool {
        let mut sends = false;
        // The Enter that ended a composition may come behind it, in the same frame.
        let mut was_composing = self.composing;
        events.retain(|event| match event {
            Event::Ime(ImeEvent::Preedit { text, .. }) => {
                self.composing = !text.is_empty();
                was_composing |= self.composing;
                true
            }
            Event::Ime(ImeEvent::Commit(_)) => {
                self.composing = false;
                was_composing = true;
                true
            }
            Event::Key { key: Key::Enter, pressed, modifiers, .. } => {
                if was_composing {
                    return false;
                }
                if modifiers.shift {
                    return true;
                }
                sends |= *pressed;
                false
            }
            _ => true,
        });
        sends
    }
}

/// The widget in which one writes to a peer.
pub fn text_id(peer: &PeerId) -> Id {
    Id::unique(("composer", peer.as_bytes()))
}

/// Shows the composer.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, peer: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    about(ui, state, model, peer, view);
    staged::show(ui, &mut state.staged, model.draft(&peer), view);
    recorder::bar(ui, model, peer, view, asks);
    let id = text_id(&peer);
    let has_focus = ui.memory(|memory| memory.has_focus(id));
    if !has_focus {
        // A composition that the focus has left is over, and nothing tells us so.
        state.keys = Keys::default();
    }
    let mut sends = has_focus && ui.input_mut(|input| state.keys.take_enters(&mut input.events));
    take_files(ui, model, peer, has_focus, asks);
    if has_focus {
        keys(ui, state, model, peer);
    }
    // The toolkit takes the focus away at Escape: here it ends an answer, and one goes on writing.
    if ui.memory(|memory| memory.had_focus_last_frame(id)) && ui.input(|input| input.key_pressed(Key::Escape)) {
        model.draft(&peer).let_go();
        state.wants_focus = true;
    }
    let height = state.height.max(BUTTONS);
    let row = vec2(ui.available_width(), height);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Max), |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        if paint::sign(ui, "📎", view.get("composer-attach")).clicked() {
            state.attaches = true;
        }
        recorder::button(ui, &mut state.recorder, model, peer, view, asks);
        if let Some(chosen) = emoji::button(ui, view) {
            emoji::insert(ui.ctx(), id, &mut model.draft(&peer).text, chosen);
            state.wants_focus = true;
        }
        let send = view.get("composer-send");
        let told = paint::one_line(ui, RichText::new(&send), 200.0).size().x;
        let width = (ui.available_width() - told - 2.0 * ui.spacing().button_padding.x - 12.0).max(80.0);
        text(ui, state, model, (peer, width), view, asks);
        ui.add_space(4.0);
        let button = paint::primary(ui, send).corner_radius(BUTTONS / 2.0);
        // What stands at the bottom of the row would have its text there too: this has it in the middle.
        let size = vec2(told + 2.0 * ui.spacing().button_padding.x, BUTTONS);
        let (place, _) = ui.allocate_exact_size(size, Sense::hover());
        let can_send = model.draft(&peer).can_send();
        sends |= ui.add_enabled_ui(can_send, |ui| ui.put(place, button)).inner.clicked();
    });
    limits(ui, model, peer, view);
    if sends {
        send(state, model, peer, asks);
    }
    model.keep_draft(peer, Some(view.clock.now_ms), asks);
    if model.draft(&peer).waits() {
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(KEEP_MS.unsigned_abs()));
    }
}

/// Where the text is written: as high as the text, within bounds.
fn text(
    ui: &mut Ui,
    state: &mut State,
    model: &mut Model,
    (peer, width): (PeerId, f32),
    view: View<'_>,
    asks: &mut Vec<Ask>,
) {
    let id = text_id(&peer);
    let palette = look::palette(ui.visuals());
    let focused = ui.memory(|memory| memory.has_focus(id));
    let edge = if focused { Stroke::new(1.5, palette.accent_text) } else { Stroke::new(1.0, palette.line) };
    let frame = Frame::new().fill(palette.field).stroke(edge).corner_radius(16);
    let line = ui.text_style_height(&egui::TextStyle::Body);
    let shown = frame.inner_margin(Margin::symmetric(12, 6)).show(ui, |ui| {
        ui.set_width(width - 24.0);
        let area = ScrollArea::vertical().id_salt("composer").max_height(line * LINES_MAX).auto_shrink([false, true]);
        ui.vertical(|ui| {
            area.show(ui, |ui| {
                let draft = model.draft(&peer);
                let edit = TextEdit::multiline(&mut draft.text)
                    .id(id)
                    .hint_text(view.get("composer-hint"))
                    .desired_rows(1)
                    .desired_width(f32::INFINITY)
                    .frame(Frame::NONE)
                    .margin(Margin::symmetric(0, 1))
                    .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
                let edit = ui.add(edit).accessible_name(view.get("composer-hint"));
                if std::mem::take(&mut state.wants_focus) {
                    edit.request_focus();
                }
                if edit.changed() {
                    tell_typing(state, peer, !draft.text.is_empty(), view.clock.now_ms, asks);
                }
            })
        });
    });
    let height = shown.response.rect.height();
    if (state.height - height).abs() > 0.5 {
        state.height = height;
        ui.ctx().request_repaint();
    }
}

/// Keys of the composer that are not part of the text.
fn keys(ui: &Ui, state: &mut State, model: &mut Model, peer: PeerId) {
    let empty = model.draft(&peer).is_empty() && model.draft(&peer).text.is_empty() && !state.keys.composing;
    if empty && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowUp)) {
        let own = |line: &&Line| line.is_ours() && line.kind == Kind::Text;
        let last = model.conversation(&peer).lines().iter().rev().find(own);
        let last = last.and_then(|line| Some((line.target.id, line.text.clone()?)));
        if let Some((id, text)) = last {
            model.draft(&peer).edit(id, text);
        }
    }
}

/// How near to its bounds a draft is.
fn limits(ui: &mut Ui, model: &mut Model, peer: PeerId, view: View<'_>) {
    let draft = model.draft(&peer);
    let (used, room) = (draft.text.len() as u64, TEXT_BYTES_MAX);
    if draft.text_too_long() {
        let over = [("over", (used - room).into())];
        ui.colored_label(ui.visuals().error_fg_color, view.words.with("composer-too-long", &over));
    } else if used >= TEXT_NEAR {
        ui.label(RichText::new(view.words.with("composer-left", &[("left", (room - used).into())])).small().weak());
    }
    if draft.staged.len() >= STAGED_MAX {
        let told = view.words.with("composer-full", &[("count", (STAGED_MAX as u64).into())]);
        ui.label(RichText::new(told).small().weak());
    }
}

fn send(state: &mut State, model: &mut Model, peer: PeerId, asks: &mut Vec<Ask>) {
    for (what, reply_to) in model.draft(&peer).take() {
        model.send(peer, what, reply_to, asks);
        model.conversation(&peer).unread_from = None;
        if let Some(place) = model.conversation(&peer).to_newest() {
            asks.push(Ask::Page { peer, place });
        }
    }
    state.typing_told_ms = None;
    state.wants_focus = true;
}

fn tell_typing(state: &mut State, peer: PeerId, active: bool, now_ms: i64, asks: &mut Vec<Ask>) {
    let told = state.typing_told_ms.is_some_and(|told| now_ms - told < TYPING_AGAIN_MS);
    match (active, told) {
        (true, false) => {
            state.typing_told_ms = Some(now_ms);
            asks.push(Ask::Typing { peer, active: true });
        }
        (false, _) if state.typing_told_ms.take().is_some() => asks.push(Ask::Typing { peer, active: false }),
        _ => {}
    }
}

/// Pictures that are pasted, files that are dropped: as many as there is room for.
fn take_files(ui: &Ui, model: &mut Model, peer: PeerId, has_focus: bool, asks: &mut Vec<Ask>) {
    let room = STAGED_MAX.saturating_sub(model.draft(&peer).staged.len());
    ui.input(|input| {
        for file in input.raw.dropped_files.iter().take(room) {
            asks.push(Ask::Stage { peer, path: file.path().to_owned() });
        }
        if has_focus && room > 0 {
            for event in &input.events {
                if let Event::PasteImage(picture) = event {
                    asks.push(Ask::StagePasted { peer, picture: picture.clone() });
                }
            }
        }
    });
}

/// What is answered or changed.
fn about(ui: &mut Ui, state: &mut State, model: &mut Model, peer: PeerId, view: View<'_>) {
    let answered = model.draft(&peer).reply_to;
    let quote = answered.map(|target| {
        let line = model.conversation(&peer).line(&target).cloned();
        line.map(|line| super::peers::preview(&line, view)).unwrap_or_default()
    });
    let draft = model.draft(&peer);
    let now = (answered, draft.editing);
    if std::mem::replace(&mut state.about, now) != now && now != (None, None) {
        // Whoever chooses to answer wants to write, and goes on where a text ends.
        state.wants_focus = true;
        if now.1.is_some() {
            emoji::to_end(ui.ctx(), text_id(&peer), &draft.text);
        }
    }
    let text = match (quote, draft.editing) {
        (Some(quote), _) => view.words.with("composer-answers", &[("text", quote.into())]),
        (None, Some(_)) => view.get("composer-edits"),
        (None, None) => return,
    };
    paint::bar(ui, false, |ui| {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.small_button("✖").accessible_name(view.get("composer-let-go")).clicked() {
                    draft.let_go();
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(egui::Label::new(RichText::new(text).small()).truncate());
                });
            });
        });
    });
    ui.add_space(4.0);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn enter(modifiers: Modifiers) -> Event {
        Event::Key { key: Key::Enter, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    fn preedit(text: &str) -> Event {
        Event::Ime(ImeEvent::Preedit { text: text.into(), active_range_chars: None })
    }

    /// Whether the frame sends, and how many events the text gets.
    fn frame(keys: &mut Keys, events: &[Event]) -> (bool, usize) {
        let mut events = events.to_vec();
        (keys.take_enters(&mut events), events.len())
    }

    #[test]
    fn enter_sends_and_shift_enter_breaks_the_line() {
        let mut keys = Keys::default();
        assert_eq!(frame(&mut keys, &[enter(Modifiers::NONE)]), (true, 0));
        assert_eq!(frame(&mut keys, &[enter(Modifiers::SHIFT)]), (false, 1));
        assert_eq!(frame(&mut keys, &[Event::Text("a".into())]), (false, 1));
    }

    #[test]
    fn enter_while_composing_does_neither() {
        let mut keys = Keys::default();
        assert_eq!(frame(&mut keys, &[preedit("ni")]), (false, 1));
        assert_eq!(frame(&mut keys, &[enter(Modifiers::NONE)]), (false, 0));
        assert_eq!(frame(&mut keys, &[enter(Modifiers::SHIFT)]), (false, 0));
        // the Enter that commits, before and behind the commit
        assert_eq!(frame(&mut keys, &[enter(Modifiers::NONE), Event::Ime(ImeEvent::Commit("ni".into()))]), (false, 1));
        assert_eq!(frame(&mut keys, &[preedit("hao")]), (false, 1));
        assert_eq!(frame(&mut keys, &[Event::Ime(ImeEvent::Commit("好".into())), enter(Modifiers::NONE)]), (false, 1));
        // and the next one sends
        assert_eq!(frame(&mut keys, &[enter(Modifiers::NONE)]), (true, 0));
    }

    #[test]
    fn a_composition_that_is_given_up_gives_enter_back() {
        let mut keys = Keys::default();
        frame(&mut keys, &[preedit("ni")]);
        frame(&mut keys, &[preedit("")]);
        assert_eq!(frame(&mut keys, &[enter(Modifiers::NONE)]), (true, 0));
    }

    #[test]
    fn a_peer_is_told_now_and_then_that_we_write() {
        let (mut state, mut asks) = (State::default(), Vec::new());
        let peer = crate::identity::PeerId::of(crate::identity::Identity::generate().public());
        for now in [0, 100, 3_999, 4_000] {
            tell_typing(&mut state, peer, true, now, &mut asks);
        }
        assert_eq!(asks.len(), 2);
        tell_typing(&mut state, peer, false, 4_100, &mut asks);
        tell_typing(&mut state, peer, false, 4_200, &mut asks);
        assert!(matches!(asks.as_slice(), [_, _, Ask::Typing { active: false, .. }]));
    }
}
