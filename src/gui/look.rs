//! Fonts, colours and sizes.

use std::sync::Arc;

use egui::style::WidgetVisuals;
use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Shadow, Stroke, TextStyle,
    ThemePreference, Visuals,
};
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
        // Latin letters are its own too where widths may differ: one line of both scripts has one weight and one height.
        // Either way it stands before the fonts of emoji, which have full-width marks such as ！ in a form of their own.
        let place = usize::from(family == FontFamily::Monospace);
        let names = fonts.families.entry(family).or_default();
        names.insert(names.len().min(place), CHINESE.to_owned());
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

/// The colours of a theme. Each pair that stands on one another has a contrast of 4.5 at least (WCAG 2.2, 1.4.3); a test
/// computes it.
#[derive(Debug)]
pub struct Palette {
    /// What is filled to be pressed first.
    pub accent: Color32,
    /// Text on it.
    pub on_accent: Color32,
    /// Text and lines in that colour.
    pub accent_text: Color32,
    /// Behind a conversation.
    pub page: Color32,
    /// Behind the list, the heads and the composer.
    pub panel: Color32,
    /// Where one types.
    pub field: Color32,
    /// Between panels.
    pub line: Color32,
    /// Around what is pressed or written in: 3 to 1 at least (WCAG 2.2, 1.4.11).
    pub edge: Color32,
    /// A bubble of ours.
    pub ours: Color32,
    /// A bubble of theirs.
    pub theirs: Color32,
    /// The row that is open.
    pub selected: Color32,
    /// Text that is marked, a choice that is made.
    pub selection: Color32,
    /// A row or button under the pointer.
    pub hovered: Color32,
    /// A button.
    pub button: Color32,
    /// What is read first.
    pub text: Color32,
    /// What is read second.
    pub weak: Color32,
    /// Something is wrong.
    pub error: Color32,
    /// Behind what is wrong.
    pub error_back: Color32,
    /// Something is to be thought of.
    pub warn: Color32,
    /// Somebody is here.
    pub here: Color32,
}

const LIGHT: Palette = Palette {
    accent: Color32::from_rgb(11, 107, 93),
    on_accent: Color32::WHITE,
    accent_text: Color32::from_rgb(10, 98, 85),
    page: Color32::from_rgb(241, 244, 245),
    panel: Color32::from_rgb(252, 253, 253),
    field: Color32::WHITE,
    line: Color32::from_rgb(221, 226, 229),
    edge: Color32::from_rgb(133, 143, 151),
    ours: Color32::from_rgb(211, 239, 227),
    theirs: Color32::WHITE,
    selected: Color32::from_rgb(218, 239, 232),
    selection: Color32::from_rgb(178, 226, 212),
    hovered: Color32::from_rgb(236, 241, 242),
    button: Color32::from_rgb(229, 234, 237),
    text: Color32::from_rgb(26, 31, 36),
    weak: Color32::from_rgb(83, 93, 102),
    error: Color32::from_rgb(172, 32, 26),
    error_back: Color32::from_rgb(253, 235, 233),
    warn: Color32::from_rgb(122, 74, 0),
    here: Color32::from_rgb(13, 108, 64),
};

const DARK: Palette = Palette {
    accent: Color32::from_rgb(13, 122, 106),
    on_accent: Color32::WHITE,
    accent_text: Color32::from_rgb(86, 211, 184),
    page: Color32::from_rgb(16, 19, 22),
    panel: Color32::from_rgb(23, 27, 31),
    field: Color32::from_rgb(13, 16, 19),
    line: Color32::from_rgb(42, 49, 55),
    edge: Color32::from_rgb(106, 117, 126),
    ours: Color32::from_rgb(14, 66, 57),
    theirs: Color32::from_rgb(34, 40, 46),
    selected: Color32::from_rgb(25, 58, 52),
    selection: Color32::from_rgb(24, 84, 74),
    hovered: Color32::from_rgb(35, 41, 47),
    button: Color32::from_rgb(44, 52, 59),
    text: Color32::from_rgb(232, 236, 239),
    weak: Color32::from_rgb(170, 181, 190),
    error: Color32::from_rgb(255, 145, 136),
    error_back: Color32::from_rgb(62, 28, 27),
    warn: Color32::from_rgb(240, 190, 98),
    here: Color32::from_rgb(96, 208, 146),
};

/// What faces are filled with: white letters are read on each.
const FACES: [Color32; 10] = [
    Color32::from_rgb(176, 42, 48),
    Color32::from_rgb(158, 74, 4),
    Color32::from_rgb(120, 92, 0),
    Color32::from_rgb(63, 107, 28),
    Color32::from_rgb(11, 107, 93),
    Color32::from_rgb(8, 104, 136),
    Color32::from_rgb(32, 88, 168),
    Color32::from_rgb(82, 76, 178),
    Color32::from_rgb(124, 60, 156),
    Color32::from_rgb(164, 44, 106),
];

/// The colours of the theme that is shown.
pub fn palette(visuals: &Visuals) -> &'static Palette {
    if visuals.dark_mode { &DARK } else { &LIGHT }
}

/// What the face of a peer is filled with: always the same for the same key.
pub fn face(key: &[u8]) -> Color32 {
    // A key's identifier is a hash: its first byte is as good as any.
    let first = usize::from(key.first().copied().unwrap_or(0));
    FACES.get(first % FACES.len()).copied().unwrap_or(Color32::DARK_GRAY)
}

/// The widgets' manners.
pub fn style(ctx: &Context) {
    // The size of texts is one of our settings: the toolkit's own keys would only flicker.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    for (theme, palette, visuals) in
        [(egui::Theme::Light, &LIGHT, Visuals::light()), (egui::Theme::Dark, &DARK, Visuals::dark())]
    {
        ctx.set_visuals_of(theme, colours(visuals, palette));
    }
    ctx.all_styles_mut(|style| {
        let sizes = [
            (TextStyle::Small, FontId::proportional(12.0)),
            (TextStyle::Body, FontId::proportional(14.5)),
            (TextStyle::Button, FontId::proportional(14.0)),
            (TextStyle::Heading, FontId::proportional(19.0)),
            (TextStyle::Monospace, FontId::monospace(13.0)),
        ];
        style.text_styles = sizes.into_iter().collect();
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.button_padding = egui::vec2(10.0, 5.0);
        style.spacing.interact_size.y = 28.0;
        // It would hold the page back from where it has to be when messages have come.
        style.spacing.scroll.kinetic.rubber_band = false;
        style.spacing.icon_width = 18.0;
        style.spacing.icon_width_inner = 11.0;
        style.spacing.icon_spacing = 8.0;
        style.spacing.menu_margin = egui::Margin::same(8);
        style.spacing.window_margin = egui::Margin::same(18);
        // A blinking cursor would redraw the window for as long as it is open.
        style.visuals.text_cursor.blink = false;
    });
}

fn colours(mut visuals: Visuals, palette: &Palette) -> Visuals {
    let radius = CornerRadius::same(8);
    let widget = |fill: Color32, line: Stroke| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: line,
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, palette.text),
        expansion: 0.0,
    };
    let line = Stroke::new(1.0, palette.line);
    // What has the keyboard is told by its frame.
    let focus = Stroke::new(2.0, palette.accent_text);
    visuals.widgets.noninteractive = widget(palette.panel, line);
    visuals.widgets.inactive = widget(palette.button, Stroke::new(1.0, palette.edge));
    visuals.widgets.hovered = widget(palette.hovered, Stroke::new(1.0, palette.accent_text));
    visuals.widgets.active = widget(palette.hovered, focus);
    visuals.widgets.open = widget(palette.hovered, line);
    visuals.selection.bg_fill = palette.selection;
    visuals.selection.stroke = Stroke::new(1.5, palette.accent_text);
    visuals.hyperlink_color = palette.accent_text;
    visuals.faint_bg_color = palette.hovered;
    visuals.extreme_bg_color = palette.field;
    visuals.text_edit_bg_color = Some(palette.field);
    visuals.code_bg_color = palette.hovered;
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.error;
    visuals.weak_text_color = Some(palette.weak);
    visuals.panel_fill = palette.panel;
    visuals.window_fill = palette.panel;
    visuals.window_stroke = line;
    visuals.window_corner_radius = CornerRadius::same(14);
    visuals.menu_corner_radius = CornerRadius::same(10);
    visuals.popup_shadow = Shadow {
        offset: [0, 4],
        blur: 16,
        spread: 0,
        color: Color32::from_black_alpha(if visuals.dark_mode { 110 } else { 36 }),
    };
    visuals.window_shadow = visuals.popup_shadow;
    visuals
}

/// What a bubble is filled with.
pub fn bubble(visuals: &Visuals, ours: bool) -> Color32 {
    let palette = palette(visuals);
    if ours { palette.ours } else { palette.theirs }
}

/// The dot beside a peer that is here.
pub fn here(visuals: &Visuals) -> Color32 {
    palette(visuals).here
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: Color32) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(one: Color32, other: Color32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast(Color32::WHITE, Color32::BLACK) - 21.0).abs() < 0.01);
        // #767676 is the lightest grey that is read on white
        assert!((contrast(Color32::WHITE, Color32::from_gray(0x76)) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_text_is_read_on_what_it_stands_on() {
        for (name, palette) in [("light", &LIGHT), ("dark", &DARK)] {
            let backs = [
                ("page", palette.page),
                ("panel", palette.panel),
                ("field", palette.field),
                ("ours", palette.ours),
                ("theirs", palette.theirs),
                ("selected", palette.selected),
                ("hovered", palette.hovered),
                ("button", palette.button),
            ];
            let fronts = [
                ("text", palette.text),
                ("weak", palette.weak),
                ("accent", palette.accent_text),
                ("error", palette.error),
                ("warn", palette.warn),
                ("here", palette.here),
            ];
            for (back, behind) in backs {
                for (front, before) in fronts {
                    let found = contrast(before, behind);
                    assert!(found >= 4.5, "{name}: {front} on {back} has {found:.2}");
                }
            }
            for front in [palette.text, palette.accent_text] {
                assert!(contrast(front, palette.selection) >= 4.5, "{name}: selection");
            }
            assert!(contrast(palette.on_accent, palette.accent) >= 4.5, "{name}: accent");
            for behind in [palette.panel, palette.field] {
                assert!(contrast(palette.edge, behind) >= 3.0, "{name}: edge");
            }
            for front in [palette.text, palette.error, palette.weak] {
                assert!(contrast(front, palette.error_back) >= 4.5, "{name}: error bar");
            }
        }
        for face in FACES {
            assert!(contrast(Color32::WHITE, face) >= 4.5, "{face:?}");
        }
    }

    #[test]
    fn a_key_has_one_face() {
        assert_eq!(face(&[7, 1]), face(&[7, 2]));
        assert_ne!(face(&[7]), face(&[8]));
        face(&[]);
    }
}
