//! The text of a message: long ones by and by, and links that are followed only after a question.

use std::collections::HashMap;
use std::ops::Range;

use egui::text::{LayoutJob, TextFormat};
use egui::text_selection::LabelSelectionState;
use egui::{CursorIcon, FontId, Label, Role, Stroke, TextStyle, Ui, WidgetInfo};

use super::View;
use crate::gui::look;
use crate::node::history::Target;

/// Characters of a text that are shown at first.
const CHARS_FIRST: usize = 1_200;
/// Lines of a text that are shown at first.
const LINES_FIRST: usize = 24;
/// Characters that each wish for more brings.
const CHARS_MORE: usize = 6_000;
/// Lines that each wish for more brings.
const LINES_MORE: usize = 120;
/// An address is not longer than this.
const LINK_BYTES_MAX: usize = 2_048;
/// A text of so few signs, all of them emoji, is drawn large.
const LARGE_SIGNS: usize = 3;

/// How much of long texts is shown.
#[derive(Debug, Default)]
pub struct State {
    wishes: HashMap<Target, usize>,
}

impl State {
    /// Forgets what no longer is near the page.
    pub fn retain(&mut self, keep: impl Fn(&Target) -> bool) {
        self.wishes.retain(|target, _| keep(target));
    }
}

/// Shows the text; the link that was clicked.
pub fn show(ui: &mut Ui, state: &mut State, target: Target, text: &str, view: View<'_>) -> Option<String> {
    let wishes = state.wishes.get(&target).copied().unwrap_or(0);
    let end = cut(text, CHARS_FIRST + wishes * CHARS_MORE, LINES_FIRST + wishes * LINES_MORE);
    let shown = text.get(..end).unwrap_or(text);
    let clicked = piece(ui, shown);
    if end < text.len() {
        let left = text.get(end..).map_or(0, |rest| rest.chars().count()) as u64;
        let more = view.words.with("text-more", &[("count", left.into())]);
        if ui.link(more).clicked() {
            *state.wishes.entry(target).or_default() += 1;
        }
    }
    clicked
}

/// Where a text is cut for so many characters and lines.
fn cut(text: &str, chars: usize, lines: usize) -> usize {
    // A little more than the bound is shown whole: to hide the last word helps nobody.
    if text.len() <= chars && text.lines().count() <= lines {
        return text.len();
    }
    let by_chars = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let by_lines = text.match_indices('\n').nth(lines.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    by_chars.min(by_lines)
}

fn piece(ui: &mut Ui, text: &str) -> Option<String> {
    let links = links(text);
    let colour = ui.visuals().text_color();
    let font = if is_signs(text) { FontId::proportional(34.0) } else { TextStyle::Body.resolve(ui.style()) };
    let plain = TextFormat { font_id: font, color: colour, ..TextFormat::default() };
    let accent = look::palette(ui.visuals()).accent_text;
    let linked = TextFormat { color: accent, underline: Stroke::new(1.0, accent), ..plain.clone() };
    let mut job = LayoutJob::default();
    let mut done = 0;
    for link in &links {
        job.append(text.get(done..link.start).unwrap_or_default(), 0.0, plain.clone());
        job.append(text.get(link.clone()).unwrap_or_default(), 0.0, linked.clone());
        done = link.end;
    }
    job.append(text.get(done..).unwrap_or_default(), 0.0, plain);
    let (place, galley, response) = Label::new(job).wrap().selectable(true).layout_in_ui(ui);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, ui.is_enabled(), galley.text()));
    if !ui.is_rect_visible(response.rect) {
        return None;
    }
    let pointed = response.hover_pos().filter(|_| !links.is_empty()).and_then(|pointer| {
        let inside = pointer - place;
        // The nearest character is told for any place: it has to lie under the pointer.
        galley
            .rows
            .iter()
            .any(|row| row.rect().contains(inside.to_pos2()))
            .then(|| galley.cursor_from_pos(inside).index)
    });
    let byte = pointed.and_then(|index| text.char_indices().nth(index.0).map(|(at, _)| at));
    let link = byte.and_then(|byte| links.iter().find(|link| link.contains(&byte)));
    if link.is_some() {
        ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
    }
    let clicked = response.clicked().then(|| link.and_then(|link| text.get(link.clone()))).flatten().map(str::to_owned);
    LabelSelectionState::label_text_selection(ui, &response, place, galley, colour, Stroke::NONE);
    clicked
}

/// The addresses of web pages in a text.
pub fn links(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, _) in text.match_indices("http") {
        let rest = text.get(start..).unwrap_or_default();
        let inside =
            text.get(..start).and_then(|before| before.chars().next_back()).is_some_and(|c| c.is_ascii_alphanumeric());
        let Some(name) = rest.strip_prefix("https://").or_else(|| rest.strip_prefix("http://")) else { continue };
        if inside || found.last().is_some_and(|last| last.end > start) {
            continue;
        }
        // An address is ASCII; what follows it in a Chinese sentence is not.
        let length = rest.find(|c: char| !c.is_ascii_graphic() || "<>\"`{}|\\^".contains(c)).unwrap_or(rest.len());
        let whole = rest.get(..length).unwrap_or_default();
        let end = whole.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'']).len();
        if end > rest.len() - name.len() && end <= LINK_BYTES_MAX {
            found.push(start..start + end);
        }
    }
    found
}

/// Whether a text is nothing but a few emoji.
fn is_signs(text: &str) -> bool {
    let sign = |c: char| matches!(u32::from(c), 0x2600..=0x27BF | 0x1F300..=0x1FAFF | 0xFE0F | 0x200D);
    !text.is_empty()
        && text.chars().all(sign)
        && text.chars().filter(|c| u32::from(*c) >= 0x2600).count() <= LARGE_SIGNS
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        links(text).into_iter().map(|link| &text[link]).collect()
    }

    #[test]
    fn links_are_found_in_both_scripts() {
        assert_eq!(
            found("see https://example.org/a?b=c#d, and http://x.y."),
            ["https://example.org/a?b=c#d", "http://x.y"]
        );
        assert_eq!(found("请看https://example.org/路径，谢谢"), ["https://example.org/"]);
        assert_eq!(found("请看（https://example.org/a）。"), ["https://example.org/a"]);
        assert_eq!(found("(https://example.org/a)"), ["https://example.org/a"]);
    }

    #[test]
    fn nothing_else_is_a_link() {
        for text in
            ["http", "https://", "http://.", "xhttp://a.b", "file:///etc/passwd", "javascript:http:alert", "ftp://a"]
        {
            assert!(found(text).is_empty(), "{text}");
        }
        assert_eq!(found("http://a.b/http://c.d").len(), 1);
        assert!(found(&format!("https://{}", "a".repeat(LINK_BYTES_MAX))).is_empty());
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("短", 10, 2), 3);
        let long = "很".repeat(2_000);
        let end = cut(&long, 1_200, 24);
        assert_eq!(long[..end].chars().count(), 1_200);
        let lines = "a\n".repeat(50);
        assert_eq!(lines[..cut(&lines, 1_200, 24)].lines().count(), 24);
        assert_eq!(cut(&lines, 1_200, 24 + LINES_MORE), lines.len());
    }

    #[test]
    fn few_emoji_alone_are_large() {
        for (text, large) in
            [("👍", true), ("❤️", true), ("😄🎉👀", true), ("😄🎉👀👍", false), ("👍 ok", false), ("", false)]
        {
            assert_eq!(is_signs(text), large, "{text}");
        }
    }
}
