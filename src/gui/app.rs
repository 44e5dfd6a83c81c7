//! The shell: the window, the engine, and the panels between them.

use std::collections::VecDeque;
use std::sync::Arc;

use eframe::NativeOptions;
use egui::{CentralPanel, Context, Frame, Margin, Panel, Ui, UserAttentionType, ViewportBuilder, ViewportCommand};

use super::engine::Engine;
use super::model::time::Clock;
use super::model::{Effect, Model, TYPING_MS};
use super::panels::help::Action;
use super::panels::{
    View, add_peer, camera, connection, conversation, help, notices, own_key, paint, peer, peers, settings, start,
};
use super::said::Said;
use super::talk::{Ask, Fault, Line, Me, News, Notification, Stage};
use super::words::{Language, Words};
use super::{GuiError, Launch, icon, look};
use crate::identity::PeerId;

/// Points of width below which the list and a conversation do not stand side by side.
const NARROW: f32 = 620.0;
/// Points of width from which on the first page has two columns.
const COLUMNS: f32 = 600.0;
/// Asks that may wait for the engine to have room; a window that asks for more has gone wild.
const BACKLOG_MAX: usize = 4_096;

/// Everything that is shown, without the engine: tests drive it by news and look at what it asks.
#[derive(Debug)]
pub struct Shell {
    /// What is known.
    pub model: Model,
    /// The time, set before each frame.
    pub clock: Clock,
    words: Words,
    start: start::State,
    peers: peers::State,
    conversation: conversation::State,
    add_peer: add_peer::State,
    own_key: own_key::State,
    peer: peer::State,
    settings: settings::State,
    cameras: camera::State,
    /// The table whose peers were met.
    met: u64,
    /// Messages that came since the last frame.
    arrived: Vec<(PeerId, Line)>,
    /// Whose notification was pressed since the last frame.
    pressed: Option<PeerId>,
    language: Language,
    chosen: Option<peers::Chosen>,
}

impl Shell {
    /// Nothing is known yet.
    pub fn new(language: Language, clock: Clock) -> Self {
        Self {
            model: Model::default(),
            clock,
            words: Words::new(language),
            start: start::State::default(),
            peers: peers::State::default(),
            conversation: conversation::State::default(),
            add_peer: add_peer::State::default(),
            own_key: own_key::State::default(),
            peer: peer::State::default(),
            settings: settings::State::default(),
            cameras: camera::State::default(),
            met: 0,
            arrived: Vec::new(),
            pressed: None,
            language,
            chosen: None,
        }
    }

    /// Makes what is shown follow the settings.
    fn follow(&mut self, ctx: &Context) {
        let settings = &self.model.settings;
        let language = settings.language.unwrap_or(self.language);
        if self.words.language() != language {
            self.words = Words::new(language);
        }
        look::theme(ctx, settings.theme);
        look::text_size(ctx, settings.text_size);
    }

    /// What goes on outside of the window, also while it is hidden: tells of messages that nobody sees, and shows the
    /// conversation whose notification was pressed.
    fn outside(&mut self, ctx: &Context, asks: &mut Vec<Ask>) {
        if let Some(peer) = self.pressed.take() {
            self.chosen = None;
            self.cameras.close(ctx);
            self.model.open(peer, asks);
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(ViewportCommand::Focus);
        }
        let before = asks.len();
        self.tell(ctx.input(|input| input.focused), asks);
        if asks.len() > before {
            ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Informational));
        }
    }

    /// Tells of messages that nobody sees.
    fn tell(&mut self, focused: bool, asks: &mut Vec<Ask>) {
        for (id, line) in std::mem::take(&mut self.arrived) {
            let seen = focused && self.model.open == Some(id) && !self.cameras.is_open();
            let minute = self.clock.minute();
            let Some(peer) = self.model.peer(&id).filter(|_| self.model.settings.tells_of(&line, minute, seen)) else {
                continue;
            };
            let view = View { words: &self.words, clock: &self.clock };
            let body = match self.model.settings.hides_content {
                true => view.get("notify-hidden"),
                false => peers::preview(&line, view),
            };
            let (title, open) = (peer.row.name.clone(), view.get("notify-open"));
            asks.push(Ask::Notify(Notification { peer: id, open, title, body }));
        }
    }

    /// Takes news.
    pub fn take(&mut self, news: News) {
        if matches!(news, News::Stage(_)) {
            self.start.answered();
        }
        for effect in self.model.apply(news, self.clock.now_ms) {
            match effect {
                Effect::Arrived { peer, line } => self.arrived.push((peer, *line)),
                Effect::Pressed(peer) => self.pressed = Some(peer),
            }
        }
    }

    /// Nobody sees the window.
    pub fn hidden(&mut self, asks: &mut Vec<Ask>) {
        self.cameras.hide(asks);
    }

    /// Shows the window's contents; what is asked for is pushed.
    pub fn show(&mut self, ui: &mut Ui, asks: &mut Vec<Ask>) {
        self.follow(ui.ctx());
        self.outside(ui.ctx(), asks);
        if self.met != self.model.table_revision {
            self.met = self.model.table_revision;
            self.model.meet(asks);
            if self.add_peer.added(self.met) && self.chosen == Some(peers::Chosen::Add) {
                self.chosen = None;
            }
        }
        if matches!(self.model.stage, Stage::Running(_)) {
            self.keys(ui, asks);
        }
        self.model.follow(asks);
        self.panels(ui, asks);
    }

    /// What the keyboard asks for, wherever its focus is.
    fn keys(&mut self, ui: &Ui, asks: &mut Vec<Ask>) {
        let escapes = self.cameras.is_full() && self.chosen.is_none();
        if escapes && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Escape)) {
            self.cameras.leave_full(ui.ctx());
        }
        match help::pressed(ui) {
            None => {}
            Some(Action::Search) => {
                self.cameras.leave_full(ui.ctx());
                self.peers.focus();
            }
            Some(Action::Previous) => {
                self.cameras.close(ui.ctx());
                self.model.step(-1, asks);
            }
            Some(Action::Next) => {
                self.cameras.close(ui.ctx());
                self.model.step(1, asks);
            }
            Some(Action::Cameras) => self.cameras.toggle(&self.model, ui.ctx()),
            Some(Action::FullScreen) => self.cameras.toggle_full(&self.model, ui.ctx()),
            Some(Action::Newest) => {
                if let Some(peer) = self.model.open
                    && let Some(place) = self.model.conversation(&peer).to_newest()
                {
                    asks.push(Ask::Page { peer, place });
                }
            }
            Some(Action::Add) => self.chosen = Some(peers::Chosen::Add),
            Some(Action::Settings) => self.chosen = Some(peers::Chosen::Settings),
            Some(Action::Help) => self.chosen = Some(peers::Chosen::Help),
        }
    }

    fn panels(&mut self, ui: &mut Ui, asks: &mut Vec<Ask>) {
        let view = View { words: &self.words, clock: &self.clock };
        let Stage::Running(me) = self.model.stage.clone() else {
            let stage = self.model.stage.clone();
            let page = Frame::new().fill(look::palette(ui.visuals()).page).inner_margin(Margin::same(8));
            CentralPanel::default().frame(page).show(ui, |ui| start::show(ui, &mut self.start, &stage, view, asks));
            self.cameras.forget();
            return;
        };
        self.cameras.begin();
        match self.cameras.is_full() {
            true => {
                self.notices(ui, asks);
                let view = View { words: &self.words, clock: &self.clock };
                let black = Frame::new().fill(egui::Color32::BLACK);
                CentralPanel::default().frame(black).show(ui, |ui| {
                    camera::show_full(ui, &mut self.cameras, &self.model, view, asks);
                });
            }
            false => self.sides(ui, &me, asks),
        }
        if let Some(peers::Chosen::Camera(peer)) = self.chosen {
            self.cameras.open(peer);
            self.chosen = None;
        }
        self.dialog(ui, &me, asks);
        self.cameras.settle(ui.ctx(), asks);
    }

    /// What a person should know, above all that is shown.
    fn notices(&mut self, ui: &mut Ui, asks: &mut Vec<Ask>) {
        let view = View { words: &self.words, clock: &self.clock };
        if !self.model.notices.is_empty() || self.model.saved.is_some() {
            Panel::top("notices").show(ui, |ui| notices::show(ui, &mut self.model, view, asks));
        }
    }

    /// The list, and beside it what is open.
    fn sides(&mut self, ui: &mut Ui, me: &Me, asks: &mut Vec<Ask>) {
        let palette = look::palette(ui.visuals());
        // Where there is no room for both, the list gives way to the conversation, which has the way back.
        let narrow = ui.available_width() < NARROW;
        self.conversation.narrow = narrow;
        let list = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(8, 8));
        if narrow {
            self.notices(ui, asks);
        }
        let open = self.model.open.is_some() || self.cameras.is_open();
        if !narrow || !open {
            let view = View { words: &self.words, clock: &self.clock };
            let alone = narrow && !self.model.peers.is_empty();
            let peers = |ui: &mut Ui| peers::show(ui, &mut self.peers, &mut self.cameras, &mut self.model, view, asks);
            let chosen = if alone {
                CentralPanel::default().frame(list).show(ui, peers).inner
            } else {
                let panel = Panel::left("peers").resizable(true).default_size(300.0).size_range(220.0..=460.0);
                panel.frame(list).show(ui, peers).inner
            };
            self.chosen = chosen.or(self.chosen);
            if std::mem::take(&mut self.peers.chose) {
                self.cameras.close(ui.ctx());
            }
        }
        if !narrow {
            self.notices(ui, asks);
        }
        if !narrow || open || self.model.peers.is_empty() {
            self.right(ui, me, asks);
        }
    }

    /// The cameras, the open conversation, or what to do where there is none.
    fn right(&mut self, ui: &mut Ui, me: &Me, asks: &mut Vec<Ask>) {
        let view = View { words: &self.words, clock: &self.clock };
        let palette = look::palette(ui.visuals());
        match self.model.open {
            _ if self.cameras.is_open() => {
                let page = Frame::new().fill(palette.page).inner_margin(Margin::same(8));
                CentralPanel::default().frame(page).show(ui, |ui| {
                    camera::show(ui, &mut self.cameras, &self.model, view, asks);
                });
            }
            Some(peer) => {
                // The conversation's parts have frames of their own, from edge to edge.
                CentralPanel::default().frame(Frame::new().fill(palette.page)).show(ui, |ui| {
                    let chosen = conversation::show(ui, &mut self.conversation, &mut self.model, peer, view, asks);
                    self.chosen = chosen.or(self.chosen);
                });
                if std::mem::take(&mut self.conversation.goes_back) {
                    self.model.leave(asks);
                    ui.ctx().request_repaint();
                }
            }
            None if self.model.peers.is_empty() => {
                let page = Frame::new().fill(palette.page).inner_margin(Margin::same(24));
                CentralPanel::default().frame(page).show(ui, |ui| {
                    egui::ScrollArea::vertical().show(ui, |ui| {
                        ui.heading(view.get("welcome-title"));
                        ui.label(view.get("welcome-about"));
                        ui.add_space(12.0);
                        // What is given stands beside what is asked for, where there is room for both.
                        let columns = if ui.available_width() < COLUMNS { 1 } else { 2 };
                        ui.columns(columns, |columns| {
                            // Columns stretch what stands in them.
                            if let [first, ..] = columns {
                                first.vertical(|ui| {
                                    ui.heading(view.get("own-key-title"));
                                    own_key::show(ui, &mut self.own_key, &mut self.model, me, view, asks);
                                });
                            }
                            if let [.., last] = columns {
                                last.vertical(|ui| {
                                    ui.heading(view.get("add-title"));
                                    add_peer::show(ui, &mut self.add_peer, &mut self.model, view, asks);
                                });
                            }
                        });
                    });
                });
            }
            None => {
                CentralPanel::default().frame(Frame::new().fill(palette.page)).show(ui, |ui| {
                    paint::empty(ui, "💬", &view.get("conversation-none"), &view.get("conversation-none-about"));
                });
            }
        }
    }

    /// What was chosen beside the conversation, above everything.
    fn dialog(&mut self, ui: &mut Ui, me: &Me, asks: &mut Vec<Ask>) {
        let view = View { words: &self.words, clock: &self.clock };
        let Some(chosen) = self.chosen else { return };
        let closes = paint::dialog(ui, "dialog", 480.0, |ui| {
            let done = match chosen {
                peers::Chosen::Add => {
                    ui.heading(view.get("add-title"));
                    add_peer::show(ui, &mut self.add_peer, &mut self.model, view, asks);
                    false
                }
                peers::Chosen::OwnKey => {
                    ui.heading(view.get("own-key-title"));
                    own_key::show(ui, &mut self.own_key, &mut self.model, me, view, asks);
                    false
                }
                peers::Chosen::Help => {
                    ui.heading(view.get("help-title"));
                    help::show(ui, view);
                    false
                }
                peers::Chosen::Settings => {
                    ui.heading(view.get("settings-title"));
                    settings::show(ui, &mut self.settings, &mut self.model, view, asks);
                    false
                }
                peers::Chosen::Connection(id) => {
                    ui.heading(view.get("head-why"));
                    connection::show(ui, &mut self.model, me, id, view, asks);
                    false
                }
                peers::Chosen::Peer(id) => {
                    ui.heading(view.get("head-about"));
                    peer::show(ui, &mut self.peer, &mut self.model, (me, id), view, asks)
                }
                // no dialog
                peers::Chosen::Camera(_) => true,
            };
            ui.add_space(8.0);
            ui.button(view.get("dialog-close")).clicked() || done
        });
        if closes {
            self.chosen = None;
            self.peer = peer::State::default();
            self.own_key = own_key::State::default();
            self.model.end_check();
            self.model.forget_addresses();
        }
    }

    /// Asks for the frame at which what is shown becomes wrong by itself.
    fn wake(&self, ctx: &Context) {
        ctx.request_repaint_after(self.clock.until_midnight());
        if self.model.peers.iter().any(|peer| peer.is_typing(self.clock.now_ms)) {
            ctx.request_repaint_after(std::time::Duration::from_millis(TYPING_MS.unsigned_abs()));
        }
    }
}

/// The app, as the window system drives it.
struct App {
    shell: Shell,
    engine: Option<Engine>,
    backlog: VecDeque<Ask>,
}

impl App {
    fn new(ctx: &Context, launch: Launch) -> std::io::Result<Self> {
        let language = Language::of_system();
        look::bundled_fonts(ctx);
        look::system_fonts(ctx, language);
        look::style(ctx);
        let waker = ctx.clone();
        let engine = Engine::start(launch, Arc::new(move || waker.request_repaint()))?;
        Ok(Self { shell: Shell::new(language, Clock::now()), engine: Some(engine), backlog: VecDeque::new() })
    }

    fn take_news(&mut self, ctx: &Context) {
        self.shell.clock = Clock::now();
        let Some(engine) = &mut self.engine else { return };
        while let Some(news) = engine.poll() {
            if matches!(news, News::Interrupted) {
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            self.shell.take(news);
        }
    }

    fn pass_on(&mut self, asks: Vec<Ask>) {
        self.backlog.extend(asks);
        let Some(engine) = &self.engine else { return };
        while let Some(ask) = self.backlog.pop_front() {
            if let Err(ask) = engine.ask(ask) {
                self.backlog.push_front(ask);
                break;
            }
        }
        if self.backlog.len() > BACKLOG_MAX {
            self.backlog.clear();
            let fault = Fault::own(Said::new("engine-busy"), "too many asks at once");
            self.shell.model.notice(fault);
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.take_news(ctx);
        // Hidden, it is told all the same what came.
        let mut asks = Vec::new();
        self.shell.outside(ctx, &mut asks);
        if ctx.input(|input| input.viewport().visible()) == Some(false) {
            self.shell.hidden(&mut asks);
        }
        self.pass_on(asks);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        // A screen reader that is told of this window says its name.
        ui.ctx().accesskit_node_builder(egui::accesskit_root_id(), |node| node.set_label("miyu"));
        let mut asks = Vec::new();
        self.shell.show(ui, &mut asks);
        self.pass_on(asks);
        self.shell.wake(ui.ctx());
        if !self.backlog.is_empty() {
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(20));
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        let mut asks = Vec::new();
        self.shell.model.leave(&mut asks);
        self.pass_on(asks);
        if let Some(engine) = self.engine.take() {
            engine.stop();
        }
    }
}

/// Opens the window and runs until it is closed.
pub(super) fn run(launch: Launch) -> Result<(), GuiError> {
    let viewport = ViewportBuilder::default()
        .with_title("miyu 密语")
        .with_app_id("miyu")
        .with_icon(icon::icon())
        .with_inner_size([1000.0, 700.0])
        .with_min_inner_size([520.0, 360.0])
        .with_drag_and_drop(true);
    let options =
        NativeOptions { viewport, system_font_fallback: false, persist_window: false, ..NativeOptions::default() };
    let create: eframe::AppCreator<'_> = Box::new(move |cc| Ok(Box::new(App::new(&cc.egui_ctx, launch)?)));
    eframe::run_native("miyu", options, create).map_err(|error| GuiError::Window(error.to_string()))
}
