//! Where messages are written. Enter sends, Shift+Enter breaks the line; while an input method composes, Enter belongs to
//! it alone.

use egui::{Button, Event, Id, ImeEvent, Key, KeyboardShortcut, Modifiers, RichText, TextEdit, Ui};

use super::{View, recorder, size};
use crate::gui::model::Model;
use crate::gui::model::capacity;
use crate::gui::talk::Ask;
use crate::identity::PeerId;

/// A peer is told again that we are writing after so many ms.
const TYPING_AGAIN_MS: i64 = 4_000;

/// What is not part of the draft.
#[derive(Debug, Default)]
pub struct State {
    keys: Keys,
    wants_focus: bool,
    typing_told_ms: Option<i64>,
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
    ui.add_space(4.0);
    about(ui, model, peer, view);
    staged(ui, model, peer, view);
    recorder::bar(ui, model, peer, view, asks);
    let id = text_id(&peer);
    let has_focus = ui.memory(|memory| memory.has_focus(id));
    let entered = has_focus && ui.input_mut(|input| state.keys.take_enters(&mut input.events));
    take_files(ui, peer, has_focus, asks);
    let mut sends = entered;
    ui.horizontal(|ui| {
        let attach = view.get("composer-attach");
        if ui.button("📎").on_hover_text(&attach).accessible_name(attach).clicked() {
            state.attaches = true;
        }
        recorder::button(ui, &mut state.recorder, model, peer, view, asks);
        let width = (ui.available_width() - 80.0).max(80.0);
        let draft = model.draft(&peer);
        let rows = draft_rows(&draft.text);
        let text = TextEdit::multiline(&mut draft.text)
            .id(id)
            .hint_text(view.get("composer-hint"))
            .desired_rows(rows)
            .desired_width(width)
            .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
        let text = ui.add(text).accessible_name(view.get("composer-hint"));
        if std::mem::take(&mut state.wants_focus) {
            text.request_focus();
        }
        if text.changed() {
            tell_typing(state, peer, !draft.text.is_empty(), view.clock.now_ms, asks);
        }
        if has_focus && ui.input(|input| input.key_pressed(Key::Escape)) {
            draft.let_go();
        }
        sends |= ui.add_enabled(draft.can_send(), Button::new(view.get("composer-send"))).clicked();
    });
    if sends {
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
    ui.add_space(4.0);
}

/// As high as the text, within bounds.
fn draft_rows(text: &str) -> usize {
    text.lines().count().clamp(1, 8)
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

/// Pictures that are pasted, files that are dropped.
fn take_files(ui: &Ui, peer: PeerId, has_focus: bool, asks: &mut Vec<Ask>) {
    ui.input(|input| {
        for file in &input.raw.dropped_files {
            asks.push(Ask::Stage { peer, path: file.path().to_owned() });
        }
        if has_focus {
            for event in &input.events {
                if let Event::PasteImage(picture) = event {
                    asks.push(Ask::StagePasted { peer, picture: picture.clone() });
                }
            }
        }
    });
}

/// What is answered or changed.
fn about(ui: &mut Ui, model: &mut Model, peer: PeerId, view: View<'_>) {
    let answered = model.draft(&peer).reply_to;
    let quote = answered.map(|target| {
        let line = model.conversation(&peer).line(&target).cloned();
        line.map(|line| super::peers::preview(&line, view)).unwrap_or_default()
    });
    let draft = model.draft(&peer);
    let text = match (quote, draft.editing) {
        (Some(quote), _) => view.words.with("composer-answers", &[("text", quote.into())]),
        (None, Some(_)) => view.get("composer-edits"),
        (None, None) => return,
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(text).small().weak());
        if ui.small_button("✖").accessible_name(view.get("composer-let-go")).clicked() {
            draft.let_go();
        }
    });
}

/// Files and pictures that go with the text, and what the first picture hides.
fn staged(ui: &mut Ui, model: &mut Model, peer: PeerId, view: View<'_>) {
    let draft = model.draft(&peer);
    let mut removed = None;
    for (at, staged) in draft.staged.iter().enumerate().filter(|(_, staged)| !recorder::shows(staged)) {
        ui.horizontal(|ui| {
            let icon = if capacity(staged).is_some() { "🖼" } else { "📄" };
            ui.label(format!("{icon} {} · {}", staged.name, size(staged.bytes)));
            let remove = view.words.with("composer-remove", &[("name", staged.name.clone().into())]);
            if ui.small_button("✖").accessible_name(remove).clicked() {
                removed = Some(at);
            }
        });
    }
    if let Some(at) = removed {
        draft.staged.remove(at);
    }
    let Some(capacity) = draft.staged.iter().find_map(|staged| capacity(staged)) else {
        draft.hide = None;
        return;
    };
    let mut hides = draft.hide.is_some();
    if ui.checkbox(&mut hides, view.get("composer-hide")).changed() {
        draft.hide = hides.then(String::new);
    }
    if let Some(text) = &mut draft.hide {
        let edit = TextEdit::multiline(text).desired_rows(2).hint_text(view.get("composer-hidden"));
        ui.add(edit).accessible_name(view.get("composer-hidden"));
        let (used, room) = (text.len() as u64, capacity as u64);
        let told = view.words.with("composer-capacity", &[("used", used.into()), ("room", room.into())]);
        if used > room {
            ui.colored_label(ui.visuals().error_fg_color, told);
        } else {
            ui.weak(told);
        }
    }
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
