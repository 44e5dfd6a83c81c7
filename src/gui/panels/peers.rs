//! The list: who there is, who is here, what was said last, and the search over all of it.

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Key, Modifiers, Rect, Response, RichText, Role, ScrollArea, Sense, StrokeKind, TextEdit, TextStyle, Ui, WidgetInfo,
    pos2, vec2,
};

use super::{View, camera, paint};
use crate::gui::look;
use crate::gui::model::settings::KeyState;
use crate::gui::model::{Model, Peer};
use crate::gui::talk::{Ask, Line};
use crate::identity::PeerId;
use crate::node::history::{Kind, State as Sent};

/// Characters of the last message in the list.
const PREVIEW_CHARS: usize = 40;

/// How high a row of the list is.
const ROW: f32 = 62.0;
/// How wide a face in the list is.
const FACE: f32 = 42.0;
/// Characters before the first found word in what is shown of a message.
const BEFORE_FOUND: usize = 12;

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    words: String,
    wants_focus: bool,
    /// The keyboard goes from the search to the first row.
    wants_row: bool,
    /// Whether a conversation was chosen, the one that is open too.
    pub chose: bool,
    /// Whether the history was asked to make itself ready for a search.
    prepared: bool,
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
    /// A peer's camera is to be shown.
    Camera(PeerId),
}

/// Shows the list.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    cameras: &mut camera::State,
    model: &mut Model,
    view: View<'_>,
    asks: &mut Vec<Ask>,
) -> Option<Chosen> {
    let mut chosen = head(ui, view);
    let entered = search(ui, state, model, view, asks);
    ui.add_space(4.0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let words = state.words.trim().to_lowercase();
        let mut opened = None;
        for peer in model.peers.iter().filter(|peer| peer.row.name.to_lowercase().contains(&words)) {
            let is_open = model.open == Some(peer.row.id);
            let marks = (model.has_draft(&peer.row.id), model.settings.key_state(&peer.row));
            let row = row(ui, peer, is_open, marks, view);
            if std::mem::take(&mut state.wants_row) {
                row.request_focus();
            }
            // Enter in the search opens the first.
            if row.clicked() || (entered && opened.is_none()) {
                opened = Some(peer.row.id);
            }
            if peer.has_camera() && camera::thumbnail(ui, cameras, peer, view) {
                chosen = Some(Chosen::Camera(peer.row.id));
            }
        }
        let first = entered && opened.is_none();
        if let Some(peer) = opened {
            state.chose = true;
            model.open(peer, asks);
        }
        if model.peers.is_empty() {
            paint::empty(ui, "👥", &view.get("peers-none"), &view.get("peers-none-about"));
        }
        state.chose |= found(ui, model, first, view, asks);
    });
    chosen
}

fn head(ui: &mut Ui, view: View<'_>) -> Option<Chosen> {
    let mut chosen = None;
    ui.horizontal(|ui| {
        ui.heading(view.get("peers-title"));
        // At the right end, and reached by Tab in the order in which they are seen.
        let signs = [
            ("⚙", "settings-title", Chosen::Settings),
            ("❓", "help-title", Chosen::Help),
            ("🔑", "peers-own-key", Chosen::OwnKey),
            ("➕", "peers-add", Chosen::Add),
        ];
        // As wide as they were: a row that is too long by a point makes the list wider with each frame.
        let id = ui.scope_id().with("signs");
        let width = ui.data(|data| data.get_temp(id)).unwrap_or(signs.len() as f32 * 1.5 * paint::SIGN);
        ui.add_space((ui.available_width() - width - 1.0).max(0.0));
        let drawn = ui.scope(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for (sign, key, choice) in signs {
                if paint::sign(ui, sign, view.get(key)).clicked() {
                    chosen = Some(choice);
                }
            }
        });
        ui.data_mut(|data| data.insert_temp(id, drawn.response.rect.width()));
    });
    chosen
}

/// The search; whether Enter was pressed in it.
fn search(ui: &mut Ui, state: &mut State, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) -> bool {
    let hint = format!("🔍 {}", view.get("peers-search"));
    let edit = TextEdit::singleline(&mut state.words).hint_text(hint).desired_width(f32::INFINITY);
    let edit = edit.margin(egui::Margin::symmetric(10, 6));
    let search = ui.add(edit).accessible_name(view.get("peers-search"));
    if std::mem::take(&mut state.wants_focus) {
        search.request_focus();
    }
    if search.gained_focus() && !std::mem::replace(&mut state.prepared, true) {
        asks.push(Ask::PrepareSearch);
    }
    if search.changed() {
        model.search(&state.words, asks);
    }
    // The toolkit has taken the focus away by then.
    let left = ui.memory(|memory| memory.had_focus_last_frame(search.id));
    if left && ui.input(|input| input.key_pressed(Key::Escape)) {
        state.words.clear();
        model.search("", asks);
    }
    if search.has_focus() {
        state.wants_row = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowDown));
    }
    search.lost_focus() && !state.words.trim().is_empty() && ui.input(|input| input.key_pressed(Key::Enter))
}

/// One peer: face, name, round trip, time, what was said last, and how much of it is new. What it looks like is said in
/// words for screen readers.
fn row(ui: &mut Ui, peer: &Peer, is_open: bool, (has_draft, key): (bool, KeyState), view: View<'_>) -> Response {
    let presence = presence(peer, view);
    let preview = match (&peer.last, peer.is_typing(view.clock.now_ms)) {
        (_, true) => view.get("peers-typing"),
        (_, false) if has_draft => view.get("peers-draft"),
        (Some(line), _) => preview(line, view),
        (None, _) => presence.clone(),
    };
    let (badge, of_key) = match key {
        KeyState::Verified => ("✔ ", Some("head-verified")),
        KeyState::Changed => ("⚠ ", Some("head-key-changed")),
        KeyState::Unverified => ("", None),
    };
    let told = preview == presence;
    let mut said = vec![peer.row.name.clone(), presence];
    said.extend(of_key.map(|key| view.get(key)));
    if peer.unread > 0 {
        said.push(view.words.with("peers-unread", &[("count", peer.unread.into())]));
    }
    if !told {
        said.push(preview.clone());
    }
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), is_open, said.join(", ")));
    if response.gained_focus() {
        ui.scroll_to_rect(rect, None);
    }
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let palette = look::palette(ui.visuals());
    let behind = match (is_open, response.hovered()) {
        (true, _) => palette.selected,
        (false, true) => palette.hovered,
        (false, false) => palette.panel,
    };
    ui.painter().rect_filled(rect, 10.0, behind);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 10.0, ui.visuals().widgets.active.bg_stroke, StrokeKind::Inside);
    }
    let face = Rect::from_center_size(pos2(rect.left() + 10.0 + FACE / 2.0, rect.center().y), vec2(FACE, FACE));
    paint::face(ui, face, &peer.row, Some(peer.is_here()), behind);
    let inside = Rect::from_min_max(pos2(face.right() + 10.0, rect.top() + 9.0), rect.max - vec2(10.0, 9.0));
    upper(ui, inside, peer, badge, view);
    lower(ui, inside, peer, &preview, has_draft, view);
    response
}

/// Name, round trip and time; what is known of the key.
fn upper(ui: &Ui, inside: Rect, peer: &Peer, badge: &str, view: View<'_>) {
    let palette = look::palette(ui.visuals());
    let time = peer.last.as_ref().map(|line| view.moment(line.sent_ms)).unwrap_or_default();
    let time = paint::one_line(ui, RichText::new(time).small().color(palette.weak), inside.width());
    let end = inside.right() - time.size().x;
    ui.painter().galley(pos2(end, inside.top() + 2.0), time, palette.weak);
    let mut beside = String::new();
    if let Some(ms) = peer.rtt_ms {
        beside = view.words.with("peers-rtt", &[("ms", ms.into())]);
    }
    if peer.has_camera() {
        beside = format!("📷 {beside}");
    }
    beside.insert_str(0, badge);
    let beside = paint::one_line(ui, RichText::new(beside).small().color(palette.here), inside.width());
    let room = end - inside.left() - beside.size().x - 14.0;
    let name = paint::one_line(ui, RichText::new(&peer.row.name).color(palette.text), room);
    let after = inside.left() + name.size().x + 6.0;
    if peer.unread > 0 {
        paint::bold(ui.painter(), inside.min, &name, palette.text);
    } else {
        ui.painter().galley(inside.min, name, palette.text);
    }
    ui.painter().galley(pos2(after, inside.top() + 2.0), beside, palette.here);
}

/// What was said last, and how much of it is new.
fn lower(ui: &Ui, inside: Rect, peer: &Peer, preview: &str, has_draft: bool, view: View<'_>) {
    let palette = look::palette(ui.visuals());
    let right = pos2(inside.right(), inside.bottom() - 10.0);
    let taken = if peer.unread > 0 { paint::badge(ui, right, peer.unread) + 8.0 } else { 0.0 };
    let colour = if has_draft || peer.is_typing(view.clock.now_ms) { palette.accent_text } else { palette.weak };
    let text = paint::one_line(ui, RichText::new(preview).size(13.0).color(colour), inside.width() - taken);
    ui.painter().galley(pos2(inside.left(), inside.bottom() - text.size().y), text, colour);
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

/// What the search has found in the messages; `first`: the first of them is gone to. Whether one was chosen.
fn found(ui: &mut Ui, model: &mut Model, first: bool, view: View<'_>, asks: &mut Vec<Ask>) -> bool {
    let Some(found) = &model.found else { return false };
    ui.add_space(6.0);
    let count = u64::try_from(found.lines.len()).unwrap_or(u64::MAX);
    let told = match found.done {
        true => view.words.with("search-found", &[("count", count.into())]),
        false => view.get("search-running"),
    };
    ui.label(RichText::new(told).small().weak());
    let mut chosen = None;
    for (peer, line) in found.lines.iter().rev() {
        let Some(name) = model.peer(peer).map(|peer| &peer.row.name) else { continue };
        if hit(ui, name, line, &found.words, view).clicked() || (first && chosen.is_none()) {
            chosen = Some((*peer, line.clone()));
        }
    }
    if let Some((peer, line)) = &chosen {
        model.go_to(*peer, line, asks);
    }
    chosen.is_some()
}

/// One message that was found: with whom, when, and the words in their place.
fn hit(ui: &mut Ui, name: &str, line: &Line, words: &str, view: View<'_>) -> Response {
    let text = line.text.clone().or_else(|| line.name.clone()).unwrap_or_else(|| preview(line, view));
    let (before, word, after) = around(&text, words);
    let moment = view.moment(line.sent_ms);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 50.0), Sense::click());
    let said = format!("{name}, {moment}, {before}{word}{after}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &said));
    if response.gained_focus() {
        ui.scroll_to_rect(rect, None);
    }
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let palette = look::palette(ui.visuals());
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 10.0, palette.hovered);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 10.0, ui.visuals().widgets.active.bg_stroke, StrokeKind::Inside);
    }
    let inside = rect.shrink2(vec2(10.0, 6.0));
    let time = paint::one_line(ui, RichText::new(moment).small().color(palette.weak), inside.width());
    let room = inside.width() - time.size().x - 8.0;
    let name = paint::one_line(ui, RichText::new(name).size(13.0).color(palette.text), room);
    ui.painter().galley(pos2(inside.right() - time.size().x, inside.top()), time, palette.weak);
    ui.painter().galley(inside.min, name, palette.text);
    let font = TextStyle::Small.resolve(ui.style());
    let format = |colour| TextFormat { font_id: font.clone(), color: colour, ..TextFormat::default() };
    let mut job = LayoutJob::default();
    job.append(&before, 0.0, format(palette.weak));
    job.append(&word, 0.0, TextFormat { background: palette.selection, ..format(palette.text) });
    job.append(&after, 0.0, format(palette.weak));
    job.wrap = egui::text::TextWrapping::truncate_at_width(inside.width());
    let snippet = ui.painter().layout_job(job);
    ui.painter().galley(pos2(inside.left(), inside.bottom() - snippet.size().y), snippet, palette.weak);
    response
}

/// A text around the first of the words, in one line: what stands before it, the word, and what follows.
fn around(text: &str, words: &str) -> (String, String, String) {
    let chars: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let lower = |c: &char| c.to_lowercase().next().unwrap_or(*c);
    let word: Vec<char> = words.split_whitespace().next().unwrap_or_default().chars().collect();
    let is_here = |at: &usize| {
        let here = chars.get(*at..*at + word.len());
        here.is_some_and(|here| here.iter().map(lower).eq(word.iter().map(lower)))
    };
    let found = (0..chars.len()).find(is_here).filter(|_| !word.is_empty());
    let (at, length) = found.map_or((0, 0), |at| (at, word.len()));
    let from = at.saturating_sub(BEFORE_FOUND);
    let part = |from: usize, count: usize| chars.iter().skip(from).take(count).collect::<String>();
    let before = part(from, at - from);
    let before = if from > 0 { format!("…{before}") } else { before };
    (before, part(at, length), part(at + length, PREVIEW_CHARS * 2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::around;

    fn parts(text: &str, words: &str) -> [String; 3] {
        let (before, word, after) = around(text, words);
        [before, word, after]
    }

    #[test]
    fn found_words_are_shown_in_their_place() {
        assert_eq!(parts("The Map is here", "map x"), ["The ", "Map", " is here"]);
        assert_eq!(parts("明天带地图来", "地图"), ["明天带", "地图", "来"]);
        assert_eq!(parts("aaaaaaaaaaaaaaaaaaaaz!", "z"), ["…aaaaaaaaaaaa", "z", "!"]);
        assert_eq!(parts("nothing", "else"), ["", "", "nothing"]);
        assert_eq!(parts("two\nlines", ""), ["", "", "two lines"]);
        assert_eq!(parts("", "x"), ["", "", ""]);
        assert_eq!(parts("ends in ab", "abc"), ["", "", "ends in ab"]);
    }
}
