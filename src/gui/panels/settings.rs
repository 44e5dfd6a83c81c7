//! What can be chosen: language, light or dark, the size of text, and what is told outside of the window.

use egui::{Button, TextEdit, Ui};

use super::{View, paint, tell_fault};
use crate::gui::look::TEXT_SIZES;
use crate::gui::model::Model;
use crate::gui::model::settings::{DAY_MINUTES, Theme};
use crate::gui::talk::Ask;
use crate::gui::words::Language;

/// Quiet hours as they are typed.
#[derive(Debug, Default)]
pub struct State {
    typed: Option<(String, String)>,
}

/// Shows the settings. Each holds at once and is kept.
pub fn show(ui: &mut Ui, state: &mut State, model: &mut Model, view: View<'_>, asks: &mut Vec<Ask>) {
    let before = model.settings.clone();
    let settings = &mut model.settings;
    paint::section(ui, view.get("settings-language"));
    ui.horizontal(|ui| {
        ui.radio_value(&mut settings.language, None, view.get("settings-system"));
        for language in Language::ALL {
            ui.radio_value(&mut settings.language, Some(language), language.name());
        }
    });
    paint::section(ui, view.get("settings-theme"));
    ui.horizontal(|ui| {
        let themes =
            [(Theme::System, "settings-system"), (Theme::Light, "settings-light"), (Theme::Dark, "settings-dark")];
        for (theme, key) in themes {
            // Two rows have a choice "system": a screen reader hears which one it is.
            let name = format!("{}: {}", view.get("settings-theme"), view.get(key));
            ui.radio_value(&mut settings.theme, theme, view.get(key)).accessible_name(name);
        }
    });
    paint::section(ui, view.get("settings-text-size"));
    ui.horizontal(|ui| {
        let (smaller, larger) = (settings.text_size > 0, settings.text_size + 1 < TEXT_SIZES.len());
        let percent = TEXT_SIZES.get(settings.text_size).map_or(100.0, |size| size * 100.0).round() as u64;
        if ui.add_enabled(smaller, Button::new("−")).accessible_name(view.get("settings-smaller")).clicked() {
            settings.text_size -= 1;
        }
        ui.label(format!("{percent} %"));
        if ui.add_enabled(larger, Button::new("+")).accessible_name(view.get("settings-larger")).clicked() {
            settings.text_size += 1;
        }
    });
    ui.separator();
    ui.checkbox(&mut settings.notifies, view.get("settings-notifies"));
    ui.checkbox(&mut settings.hides_content, view.get("settings-hides-content"));
    quiet(ui, state, &mut settings.quiet, view);
    if let Some(fault) = &model.notify_fault {
        tell_fault(ui, fault, view);
    }
    if model.settings != before {
        model.keep_settings(asks);
    }
}

fn quiet(ui: &mut Ui, state: &mut State, quiet: &mut Option<(u16, u16)>, view: View<'_>) {
    let mut has = quiet.is_some();
    if ui.checkbox(&mut has, view.get("settings-quiet")).changed() {
        *quiet = has.then_some((22 * 60, 7 * 60));
        state.typed = None;
    }
    let Some(set) = *quiet else { return };
    let (from, to) = state.typed.get_or_insert_with(|| (clock(set.0), clock(set.1)));
    let mut changed = false;
    ui.horizontal(|ui| {
        for (text, key) in [(&mut *from, "settings-quiet-from"), (&mut *to, "settings-quiet-to")] {
            let edit = ui.add(TextEdit::singleline(text).desired_width(56.0)).accessible_name(view.get(key));
            changed |= edit.changed();
        }
    });
    match (minute(from), minute(to)) {
        (Some(from), Some(to)) if changed => *quiet = Some((from, to)),
        (Some(_), Some(_)) => {}
        // What holds is what was said last in full.
        _ => drop(ui.colored_label(ui.visuals().error_fg_color, view.get("settings-quiet-form"))),
    }
}

/// A minute of the day as people write it.
fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// What was typed as a minute of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once([':', '：'])?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then(|| hours.checked_mul(60)?.checked_add(minutes)).flatten().filter(|minute| *minute < DAY_MINUTES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_as_they_are_written() {
        for set in [0, 59, 7 * 60, DAY_MINUTES - 1] {
            assert_eq!(minute(&clock(set)), Some(set));
        }
        assert_eq!(minute(" 7：05 "), Some(425));
        for text in ["", "7", "24:00", "7:60", "-1:00", "65535:00", "a:b"] {
            assert_eq!(minute(text), None, "{text}");
        }
    }
}
