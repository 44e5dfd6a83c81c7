//! Emoji to choose from, for those whose keyboard has none.

use egui::text::CCursor;
use egui::text_selection::CCursorRange;
use egui::{Button, Context, Grid, Id, RichText, TextEdit, Ui, Vec2};

use super::View;

/// Those that are offered: what people use most, in the order of faces, hands, hearts and things.
pub const EMOJI: [&str; 48] = [
    "😀", "😄", "😁", "😂", "😊", "😉", "😍", "😘", "😋", "😎", "😏", "😐", "😒", "😔", "😢", "😭", "😱", "😡", "😴",
    "😷", "😇", "😅", "😜", "😳", "👍", "👎", "👌", "✌", "👏", "🙏", "💪", "👋", "❤", "💔", "💯", "🎉", "🎁", "🌹",
    "☕", "🍺", "🎂", "☀", "🌙", "⭐", "🔥", "✅", "❓", "⏰",
];
/// Emoji in a row.
const IN_ROW: usize = 8;

/// The button that offers them; the one that was chosen.
pub fn button(ui: &mut Ui, view: View<'_>) -> Option<&'static str> {
    let label = view.get("composer-emoji");
    let button = Button::new(RichText::new("😊").size(16.0)).frame_when_inactive(false).min_size(Vec2::splat(30.0));
    let (response, chosen) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        let mut chosen = None;
        Grid::new("emoji").spacing([2.0, 2.0]).show(ui, |ui| {
            for row in EMOJI.chunks(IN_ROW) {
                for emoji in row {
                    let button = Button::new(RichText::new(*emoji).size(20.0)).frame_when_inactive(false);
                    if ui.add(button.min_size(Vec2::splat(34.0))).clicked() {
                        chosen = Some(*emoji);
                        ui.close();
                    }
                }
                ui.end_row();
            }
        });
        chosen
    });
    response.on_hover_text(&label).accessible_name(label);
    chosen.and_then(|chosen| chosen.inner)
}

/// Puts what was chosen where the cursor of a text stands.
pub fn insert(ctx: &Context, id: Id, text: &mut String, chosen: &str) {
    let mut state = TextEdit::load_state(ctx, id).unwrap_or_default();
    let end = text.chars().count();
    let range = state.cursor.char_range().map(|range| range.as_sorted_char_range());
    let (from, to) = range.map_or((end, end), |range| (range.start.0.min(end), range.end.0.min(end)));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    text.replace_range(byte(from)..byte(to), chosen);
    let after = CCursor::new(from + chosen.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::one(after)));
    TextEdit::store_state(ctx, id, state);
}

/// The cursor of a text goes to its end.
pub fn to_end(ctx: &Context, id: Id, text: &str) {
    let mut state = TextEdit::load_state(ctx, id).unwrap_or_default();
    state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(text.chars().count()))));
    TextEdit::store_state(ctx, id, state);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_stands_where_the_cursor_is() {
        let (ctx, id) = (Context::default(), Id::unique("text"));
        let mut text = "你好".to_owned();
        insert(&ctx, id, &mut text, "😄");
        assert_eq!(text, "你好😄", "at the end where there is no cursor");
        let mut state = TextEdit::load_state(&ctx, id).unwrap();
        state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(1))));
        TextEdit::store_state(&ctx, id, state);
        insert(&ctx, id, &mut text, "🎉");
        insert(&ctx, id, &mut text, "!");
        assert_eq!(text, "你🎉!好😄");
        text.clear();
        insert(&ctx, id, &mut text, "a");
        assert_eq!(text, "a", "a cursor behind the end is at the end");
    }
}
