//! Fonts, colours and sizes.

use std::sync::Arc;

use egui::{Color32, Context, FontData, FontDefinitions, FontFamily, ThemePreference, Visuals};
use egui_system_font_provider::SystemFontProvider;

use super::model::settings::Theme;
use super::words::Language;

/// The bundled Chinese font: all of GB 2312, so that nobody sees boxes.
const CHINESE: &str = "noto-sans-sc-gb2312";

/// Sizes of text that can be chosen, as factors.
pub const TEXT_SIZES: [f32; 5] = [0.85, 1.0, 1.15, 1.35, 1.6];

/// Puts the bundled fonts in. They come before the system's, so that a conversation looks the same everywhere.
pub fn bundled_fonts(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    let chinese = FontData::from_static(include_bytes!("../../assets/fonts/noto-sans-sc-gb2312.ttf"));
    fonts.font_data.insert(CHINESE.to_owned(), Arc::new(chinese));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        let names = fonts.families.entry(family).or_default();
        // Before the fonts of emoji, which have full-width marks such as ！ in a form of their own.
        names.insert(names.len().min(1), CHINESE.to_owned());
    }
    ctx.set_fonts(fonts);
}

/// Asks the system for the characters that the bundled fonts lack: rare ones, and other scripts.
pub fn system_fonts(ctx: &Context, language: Language) {
    ctx.set_font_providers(vec![Arc::new(SystemFontProvider::new().with_locale(Some(language.tag())))]);
}

/// Light or dark.
pub fn theme(ctx: &Context, theme: Theme) {
    let theme = match theme {
        Theme::System => ThemePreference::System,
        Theme::Light => ThemePreference::Light,
        Theme::Dark => ThemePreference::Dark,
    };
    // Set anew, it would be drawn anew.
    if ctx.options(|options| options.theme_preference) != theme {
        ctx.set_theme(theme);
    }
}

/// One of [`TEXT_SIZES`]: everything grows with the text.
pub fn text_size(ctx: &Context, size: usize) {
    let factor = TEXT_SIZES.get(size).copied().unwrap_or(1.0);
    if (ctx.zoom_factor() - factor).abs() > 0.001 {
        ctx.set_zoom_factor(factor);
    }
}

/// The widgets' manners.
pub fn style(ctx: &Context) {
    ctx.all_styles_mut(|style| {
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(8.0, 4.0);
        // A blinking cursor would redraw the window for as long as it is open.
        style.visuals.text_cursor.blink = false;
    });
}

/// What a bubble is filled with.
pub fn bubble(visuals: &Visuals, ours: bool) -> Color32 {
    match (ours, visuals.dark_mode) {
        (true, true) => Color32::from_rgb(28, 74, 58),
        (true, false) => Color32::from_rgb(214, 240, 224),
        (false, true) => Color32::from_gray(46),
        (false, false) => Color32::from_gray(236),
    }
}

/// The dot beside a peer that is here.
pub fn here(visuals: &Visuals) -> Color32 {
    if visuals.dark_mode { Color32::from_rgb(87, 196, 132) } else { Color32::from_rgb(24, 128, 72) }
}
