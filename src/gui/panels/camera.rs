//! Live cameras: one or several in the view, one over the whole screen, and small ones in the list. What is not drawn is
//! not watched.

use std::collections::{HashMap, HashSet};

use egui::{Align, Color32, Context, Frame, Layout, Margin, ScrollArea, Sense, Ui, Vec2, ViewportCommand, vec2};

use super::View;
use super::tile::Tile;
use crate::gui::model::camera::{CAMERAS_MAX, Quality, SIDE_MAX, Watch};
use crate::gui::model::{Model, Peer};
use crate::gui::talk::Ask;
use crate::identity::PeerId;

/// Points of a picture in the list.
const THUMBNAIL: Vec2 = vec2(96.0, 54.0);
/// Points from the list's edge to where names begin: a small picture stands below its name.
const INDENT: f32 = 62.0;
/// Points of a tile's height at least; more than fit are scrolled.
const TILE_HEIGHT_MIN: f32 = 190.0;
/// Points of it above and below the picture, about.
const AROUND: f32 = 70.0;
/// Points between tiles.
const GAP: f32 = 10.0;
/// Tiles that are watched at half of their size at most; more are watched at a quarter.
const HALF_MAX: usize = 4;

/// What of the cameras is shown.
#[derive(Default)]
pub struct State {
    open: bool,
    /// Whether cameras that come are shown too.
    all: bool,
    chosen: Vec<PeerId>,
    paused: HashSet<PeerId>,
    full: Option<PeerId>,
    tiles: HashMap<PeerId, Tile>,
    /// What this frame has drawn.
    wanted: Vec<(PeerId, Quality)>,
    /// What the engine was asked for last.
    asked: Vec<Watch>,
}

// what is seen stays out of logs
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "camera::State({} tiles)", self.tiles.len())
    }
}

impl State {
    /// Whether the view is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a camera has the whole screen.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Opens the view of one camera.
    pub fn open(&mut self, peer: PeerId) {
        (self.open, self.all, self.chosen) = (true, false, vec![peer]);
    }

    /// Opens the view of the open conversation's camera, of all where it has none; closes one that is open.
    pub fn toggle(&mut self, model: &Model, ctx: &Context) {
        if self.open {
            self.close(ctx);
            return;
        }
        match model.open.and_then(|open| model.peer(&open)).filter(|peer| peer.has_camera()) {
            Some(peer) => self.open(peer.row.id),
            None => (self.open, self.all) = (true, true),
        }
    }

    /// Leaves the view.
    pub fn close(&mut self, ctx: &Context) {
        self.leave_full(ctx);
        self.open = false;
        self.paused.clear();
    }

    /// Gives the whole screen to a camera of the view, or takes it back.
    pub fn toggle_full(&mut self, model: &Model, ctx: &Context) {
        if self.is_full() {
            self.leave_full(ctx);
            return;
        }
        if !self.open && model.open.and_then(|open| model.peer(&open)).is_some_and(Peer::has_camera) {
            self.toggle(model, ctx);
        }
        if let Some(first) = self.chosen.first().copied().filter(|_| self.open) {
            self.fill(first, ctx);
        }
    }

    /// Gives the screen back.
    pub fn leave_full(&mut self, ctx: &Context) {
        if self.full.take().is_some() {
            ctx.send_viewport_cmd(ViewportCommand::Fullscreen(false));
        }
    }

    fn fill(&mut self, peer: PeerId, ctx: &Context) {
        self.full = Some(peer);
        ctx.send_viewport_cmd(ViewportCommand::Fullscreen(true));
    }

    /// Before a frame: nothing is drawn yet.
    pub fn begin(&mut self) {
        self.wanted.clear();
        self.tiles.values_mut().for_each(|tile| tile.used = false);
    }

    /// After a frame: what was drawn is watched, the rest is let go.
    pub fn settle(&mut self, ctx: &Context, asks: &mut Vec<Ask>) {
        self.tiles.retain(|_, tile| tile.used);
        // The best first; a camera that is drawn twice is watched once.
        self.wanted.sort_by_key(|(peer, quality)| (std::cmp::Reverse(*quality), *peer.as_bytes()));
        let side_max = ctx.input(|input| u32::try_from(input.max_texture_side).unwrap_or(SIDE_MAX)).min(SIDE_MAX);
        let mut watches: Vec<Watch> = Vec::new();
        for (peer, quality) in std::mem::take(&mut self.wanted) {
            let Some(tile) = self.tiles.get(&peer) else { continue };
            if watches.len() < CAMERAS_MAX && watches.iter().all(|watch| watch.peer != peer) {
                watches.push(Watch { peer, quality, side_max, screen: tile.screen.clone() });
            }
        }
        if watches != self.asked {
            self.asked = watches.clone();
            asks.push(Ask::Watch(watches));
        }
    }

    /// Nobody sees the window: nothing is watched.
    pub fn hide(&mut self, asks: &mut Vec<Ask>) {
        if !std::mem::take(&mut self.asked).is_empty() {
            asks.push(Ask::Watch(Vec::new()));
        }
    }

    /// A new engine knows of nothing.
    pub fn forget(&mut self) {
        self.asked.clear();
    }

    /// The tile of a camera that is drawn in this frame, with its newest picture.
    fn tile(&mut self, ctx: &Context, peer: PeerId, quality: Quality, view: View<'_>) -> &mut Tile {
        let paused = self.paused.contains(&peer);
        let tile = self.tiles.entry(peer).or_default();
        tile.used = true;
        if !paused {
            self.wanted.push((peer, quality));
            tile.look(ctx, view);
        }
        tile
    }

    fn pause(&mut self, peer: PeerId) {
        if !self.paused.remove(&peer) {
            self.paused.insert(peer);
        } else if let Some(tile) = self.tiles.get_mut(&peer) {
            tile.renew();
        }
    }

    /// A tick in the box of a camera.
    fn choose(&mut self, peer: PeerId, ticked: bool) {
        self.chosen.retain(|chosen| *chosen != peer);
        if ticked {
            self.chosen.push(peer);
        } else {
            self.all = false;
        }
    }
}

/// The picture below a name in the list. Whether it was pressed.
pub fn thumbnail(ui: &mut Ui, state: &mut State, peer: &Peer, view: View<'_>) -> bool {
    let place = ui.horizontal(|ui| {
        ui.add_space(INDENT);
        ui.allocate_exact_size(THUMBNAIL, Sense::click())
    });
    let (rect, response) = place.inner;
    if response.gained_focus() {
        ui.scroll_to_rect(rect, None);
    }
    if !ui.is_rect_visible(rect) {
        // not watched, but there for the keyboard
        let label = view.words.with("camera-open", &[("name", peer.row.name.clone().into())]);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        return response.clicked();
    }
    let tile = state.tile(ui.ctx(), peer.row.id, Quality::Thumbnail, view);
    tile.thumbnail(ui, rect, &response, &peer.row.name, view);
    response.clicked()
}

/// Shows the cameras that were chosen.
pub fn show(ui: &mut Ui, state: &mut State, model: &Model, view: View<'_>, asks: &mut Vec<Ask>) {
    state.chosen.retain(|peer| model.peer(peer).is_some());
    choice(ui, state, model, view);
    if state.chosen.is_empty() {
        ui.weak(view.get("camera-none"));
        return;
    }
    let quality = match state.chosen.len() {
        1 => Quality::Full,
        2..=HALF_MAX => Quality::Half,
        _ => Quality::Quarter,
    };
    let (columns, size) = grid(state.chosen.len(), ui.available_size());
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(GAP);
        let chosen = state.chosen.clone();
        for row in chosen.chunks(columns) {
            ui.horizontal(|ui| {
                for peer in row.iter().filter_map(|peer| model.peer(peer)) {
                    let layout = Layout::top_down(Align::Min);
                    ui.allocate_ui_with_layout(size, layout, |ui| one(ui, state, peer, quality, size, view, asks));
                }
            });
        }
    });
}

/// The columns, and the size of a tile, with which this many pictures are largest.
fn grid(tiles: usize, room: Vec2) -> (usize, Vec2) {
    let part = |whole: f32, parts: usize| (whole - GAP * (parts as f32 - 1.0)) / parts as f32;
    let size = |columns: usize| {
        vec2(part(room.x, columns), part(room.y, tiles.div_ceil(columns)).max(TILE_HEIGHT_MIN)).floor()
    };
    // as wide as most cameras
    let width = |columns: &usize| size(*columns).x.min((size(*columns).y - AROUND) * 16.0 / 9.0);
    let best = (1..=tiles.max(1)).max_by(|one, other| width(one).total_cmp(&width(other)).then(other.cmp(one)));
    let columns = best.unwrap_or(1);
    (columns, size(columns))
}

/// Shows the camera that has the whole screen.
pub fn show_full(ui: &mut Ui, state: &mut State, model: &Model, view: View<'_>, asks: &mut Vec<Ask>) {
    let peer = state.full.and_then(|peer| model.peer(&peer));
    let Some(peer) = peer else {
        state.leave_full(ui.ctx());
        return;
    };
    // Dark all around, whatever the rest looks like.
    ui.style_mut().visuals = egui::Visuals::dark();
    Frame::new().fill(Color32::BLACK).inner_margin(Margin::same(6)).show(ui, |ui| {
        let room = ui.available_size();
        one(ui, state, peer, Quality::Full, room, view, asks);
    });
}

/// Which cameras are shown.
fn choice(ui: &mut Ui, state: &mut State, model: &Model, view: View<'_>) {
    let cameras: Vec<&Peer> =
        model.peers.iter().filter(|peer| peer.has_camera() || state.chosen.contains(&peer.row.id)).collect();
    ui.horizontal_wrapped(|ui| {
        if ui.button(view.get("camera-back")).clicked() {
            state.close(ui.ctx());
        }
        ui.heading(view.get("camera-title"));
        ui.checkbox(&mut state.all, view.get("camera-all"));
        for peer in &cameras {
            let id = peer.row.id;
            let mut ticked = state.chosen.contains(&id);
            let room = ticked || state.chosen.len() < CAMERAS_MAX;
            if state.all && !ticked && room {
                state.choose(id, true);
                ticked = true;
            }
            if ui.add_enabled(room, egui::Checkbox::new(&mut ticked, &peer.row.name)).changed() {
                state.choose(id, ticked);
            }
        }
    });
    ui.separator();
}

/// One camera with its name, its controls, its figures.
fn one(ui: &mut Ui, state: &mut State, peer: &Peer, quality: Quality, size: Vec2, view: View<'_>, asks: &mut Vec<Ask>) {
    let (id, name) = (peer.row.id, &peer.row.name);
    let paused = state.paused.contains(&id);
    let tile = state.tile(ui.ctx(), id, quality, view);
    let jpeg = tile.jpeg();
    let number = tile.number(view);
    ui.spacing_mut().item_spacing = vec2(8.0, 4.0);
    let top = ui.cursor().top();
    let mut pressed = None;
    ui.horizontal(|ui| {
        ui.strong(name);
        if let Some(number) = &number {
            ui.monospace(number);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| pressed = controls(ui, state, id, &jpeg, view));
    });
    let Some(tile) = state.tiles.get_mut(&id) else { return };
    let figures = 2.0 * (ui.text_style_height(&egui::TextStyle::Small) + 4.0) + 4.0;
    let height = (size.y - (ui.cursor().top() - top) - figures).max(40.0);
    let label = view.words.with("camera-picture", &[("name", name.as_str().into())]);
    tile.picture(ui, vec2(size.x.min(ui.available_width()), height), &label, paused, view);
    tile.figures(ui);
    match (pressed, jpeg) {
        (Some(Control::Pause), _) => state.pause(id),
        (Some(Control::Full), _) if state.is_full() => state.leave_full(ui.ctx()),
        (Some(Control::Full), _) => state.fill(id, ui.ctx()),
        (Some(Control::Snapshot), Some(jpeg)) => {
            asks.push(Ask::Snapshot { name: name.clone(), stamp: view.clock.stamp(), jpeg });
        }
        (Some(Control::Snapshot), None) | (None, _) => {}
    }
}

/// What a button of a camera does.
#[derive(Clone, Copy)]
enum Control {
    Pause,
    Full,
    Snapshot,
}

fn controls(ui: &mut Ui, state: &State, peer: PeerId, jpeg: &Option<bytes::Bytes>, view: View<'_>) -> Option<Control> {
    let full = if state.is_full() { ("🗙", "camera-leave-full") } else { ("⛶", "camera-full") };
    let pause = if state.paused.contains(&peer) { ("▶", "camera-resume") } else { ("⏸", "camera-pause") };
    let buttons = [
        (Control::Full, full.0, full.1, true),
        (Control::Snapshot, "📷", "camera-snapshot", jpeg.is_some()),
        (Control::Pause, pause.0, pause.1, true),
    ];
    let mut pressed = None;
    for (control, mark, key, enabled) in buttons {
        let label = view.get(key);
        let button = ui.add_enabled(enabled, egui::Button::new(mark)).on_hover_text(&label).accessible_name(label);
        if button.clicked() {
            pressed = Some(control);
        }
    }
    pressed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_the_room_lets_them_be() {
        assert_eq!(grid(1, vec2(800.0, 600.0)), (1, vec2(800.0, 600.0)));
        assert_eq!(grid(2, vec2(1600.0, 500.0)).0, 2, "a wide window");
        assert_eq!(grid(2, vec2(600.0, 900.0)).0, 1, "a high one");
        assert_eq!(grid(4, vec2(1600.0, 900.0)).0, 2);
        // more than fit are as high as they have to be, and scrolled
        let (columns, size) = grid(16, vec2(500.0, 300.0));
        assert!(size.y >= TILE_HEIGHT_MIN && size.x * columns as f32 <= 500.0, "{columns} columns of {size:?}");
    }
}
