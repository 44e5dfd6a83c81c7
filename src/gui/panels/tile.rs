//! One camera as it is drawn: its newest picture, or why there is none, and its figures.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use eframe::egui_glow::CallbackFn;
use egui::{
    Align, Align2, Color32, Context, FontId, Label, Layout, PaintCallback, Rect, RichText, Role, Sense, Stroke,
    TextureHandle, TextureOptions, Ui, UiBuilder, Vec2, WidgetInfo,
};

use super::View;
use crate::gui::model::camera::{Counts, Facts, Screen, Shot, Sight};

/// Figures that change all the time are read by nobody: they are drawn anew this often.
const FIGURES_EVERY: Duration = Duration::from_millis(500);
/// What is behind a picture, and beside one of another form.
const BEHIND: Color32 = Color32::from_gray(16);
/// A picture of a camera that is gone is drawn this dark.
const DIMMED: Color32 = Color32::from_gray(70);
/// Words on it.
const WORDS: Color32 = Color32::from_gray(230);

/// One camera. Its texture goes with it.
#[derive(Default)]
pub(super) struct Tile {
    pub(super) screen: Arc<Screen>,
    /// Whether it was drawn in this frame.
    pub(super) used: bool,
    texture: Option<TextureHandle>,
    shown: Option<Shown>,
    sight: Sight,
    figures: Option<(Instant, [String; 2])>,
}

/// The picture that is drawn.
struct Shown {
    facts: Facts,
    jpeg: Bytes,
    /// When the graphics card was given it.
    drawn: Arc<OnceLock<Instant>>,
}

impl Tile {
    /// Takes the newest picture, if it has come since.
    pub(super) fn look(&mut self, ctx: &Context, view: View<'_>) {
        let (sight, counts) = self.screen.state();
        self.sight = sight;
        let Some(Shot { facts, image, jpeg }) = self.screen.take() else { return };
        match &mut self.texture {
            // A texture of that size is there: only the pixels are copied.
            Some(texture) if texture.size() == image.size => texture.set_partial([0, 0], image, TextureOptions::LINEAR),
            Some(texture) => texture.set(image, TextureOptions::LINEAR),
            None => self.texture = Some(ctx.load_texture("camera", image, TextureOptions::LINEAR)),
        }
        let now = Instant::now();
        let before = self.shown.replace(Shown { facts, jpeg, drawn: Arc::default() });
        if self.figures.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= FIGURES_EVERY) {
            // Of the one before it is known when it was drawn, of this one not yet.
            let before = before.and_then(|shown| Some((shown.facts, *shown.drawn.get()?)));
            let (facts, drawn) = before.unwrap_or((facts, now));
            self.figures = Some((now, figures(facts, counts, drawn, view)));
        }
    }

    /// Another screen: what still comes for the one before is not drawn.
    pub(super) fn renew(&mut self) {
        self.screen = Arc::default();
    }

    /// The picture that is drawn, as it came.
    pub(super) fn jpeg(&self) -> Option<Bytes> {
        self.shown.as_ref().map(|shown| shown.jpeg.clone())
    }

    /// The number of the picture that is drawn.
    pub(super) fn number(&self, view: View<'_>) -> Option<String> {
        let shown = self.shown.as_ref()?;
        Some(view.words.with("camera-frame", &[("seq", shown.facts.seq.into())]))
    }

    /// Rate, size, losses; and how long each step took.
    pub(super) fn figures(&self, ui: &mut Ui) {
        for line in self.figures.iter().flat_map(|(_, lines)| lines) {
            ui.add(Label::new(RichText::new(line).small()).truncate());
        }
    }

    /// The picture in its own form, as large as it fits; words over it where it is not live.
    pub(super) fn picture(&self, ui: &mut Ui, room: Vec2, label: &str, paused: bool, view: View<'_>) {
        let (rect, response) = ui.allocate_exact_size(room, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, label));
        self.paint(ui, rect, paused || self.sight == Sight::Live);
        self.watch_drawing(ui, rect);
        let rect = rect.shrink(12.0);
        let mut over = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Center)));
        let mut say = |text: String, strong: bool| {
            let text = RichText::new(text).color(WORDS);
            over.label(if strong { text.strong() } else { text });
        };
        match &self.sight {
            _ if paused => say(view.get("camera-paused"), true),
            Sight::Live => {}
            Sight::Opening => say(view.get("camera-opening"), true),
            Sight::Lost { since_ms, fault } => {
                let time = view.clock.seconds(*since_ms).into();
                let Some(fault) = fault else {
                    say(view.words.with("camera-silent", &[("time", time)]), true);
                    return;
                };
                let (why, mend) = match &fault.said {
                    Some(said) => (said.tell(view.words), said.mend(view.words)),
                    None => (fault.error.clone(), fault.hint.clone()),
                };
                say(view.words.with("camera-lost", &[("time", time), ("why", why.into())]), true);
                mend.into_iter().for_each(|mend| say(mend, false));
            }
        }
    }

    /// The picture beside the name in the list, as a button. Whether it was pressed.
    pub(super) fn thumbnail(&self, ui: &Ui, rect: Rect, response: &egui::Response, name: &str, view: View<'_>) {
        let live = self.sight == Sight::Live;
        let label = match &self.sight {
            Sight::Lost { .. } => view.words.with("camera-open-lost", &[("name", name.into())]),
            Sight::Live | Sight::Opening => view.words.with("camera-open", &[("name", name.into())]),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
        self.paint(ui, rect, live);
        if !live {
            let mark = if matches!(self.sight, Sight::Lost { .. }) { "📷 ✖" } else { "📷 …" };
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, mark, FontId::proportional(13.0), WORDS);
        }
        if response.has_focus() || response.hovered() {
            let stroke = Stroke::new(2.0, ui.visuals().selection.stroke.color);
            ui.painter().rect_stroke(rect, 4.0, stroke, egui::StrokeKind::Inside);
        }
    }

    /// Notes when the picture goes to the graphics card, its pixels before it.
    fn watch_drawing(&self, ui: &Ui, rect: Rect) {
        let Some(shown) = self.shown.as_ref().filter(|shown| shown.drawn.get().is_none()) else { return };
        let drawn = shown.drawn.clone();
        let callback = CallbackFn::new(move |_, _| _ = drawn.set(Instant::now()));
        ui.painter().add(PaintCallback { rect, callback: Arc::new(callback) });
    }

    fn paint(&self, ui: &Ui, rect: Rect, bright: bool) {
        ui.painter().rect_filled(rect, 4.0, BEHIND);
        let Some(texture) = &self.texture else { return };
        let size = texture.size_vec2();
        let factor = (rect.width() / size.x.max(1.0)).min(rect.height() / size.y.max(1.0));
        let place = Rect::from_center_size(rect.center(), size * factor);
        let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
        ui.painter().image(texture.id(), place, whole, if bright { Color32::WHITE } else { DIMMED });
    }
}

fn figures(facts: Facts, counts: Counts, drawn: Instant, view: View<'_>) -> [String; 2] {
    let stages = facts.stages(drawn);
    let stream = view.words.with(
        "camera-figures",
        &[
            ("width", facts.width.into()),
            ("height", facts.height.into()),
            ("rate", format!("{:.1}", f64::from(counts.fps_milli) / 1_000.0).into()),
            ("lost", counts.lost.into()),
            ("late", counts.late.into()),
        ],
    );
    let latency = view.words.with(
        "camera-latency",
        &[
            ("whole", stages.whole.into()),
            ("error", stages.error.map_or("?".to_owned(), |error| error.to_string()).into()),
            ("encoded", stages.encoded.into()),
            ("received", stages.received.into()),
            ("decoded", stages.decoded.into()),
            ("drawn", stages.drawn.into()),
        ],
    );
    [stream, latency]
}
