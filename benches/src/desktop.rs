//! The desktop app. Without a window: how soon a conversation of 100,000 messages is open, and what the interface's
//! thread does for a frame while it is scrolled through some thousand of them and back. With one, where there is a display: how soon
//! it is there, and what it costs while nothing happens.

mod window;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use egui::{Context, Event, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, RawInput, Rect, TouchPhase, vec2};
use miyu::crypto::sm2::SecretKey;
use miyu::crypto::sm3;
use miyu::gui::app::Shell;
use miyu::gui::engine::Engine;
use miyu::gui::model::time::Clock;
use miyu::gui::talk::Stage;
use miyu::gui::words::Language;
use miyu::gui::{Launch, look};
use miyu::identity::{Identity, PeerId, file, key_line, pem};
use miyu::store::{Body, Incoming, Kind, NewOutgoing, Store};

use crate::history;
use crate::paired::Series;
use crate::report::{Row, Unit};

/// The word of the environment by which the bench calls itself, to be the app.
pub(crate) const CHILD: &str = "MIYU_BENCH_DESKTOP";
const ROUNDS: u32 = 5;
const MESSAGES: u64 = 100_000;
const WRITERS: u64 = 64;
const SIZE: Pos2 = Pos2::new(1000.0, 700.0);
/// Frames of one way, up or down.
const SCROLLED: usize = 1_500;
/// Points that the wheel moves the page by in a frame: a quick turn.
const WHEEL: f32 = 240.0;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let table = home(folder.path(), None)?;
    eprintln!("bench: making a conversation of {MESSAGES} messages; half a minute");
    fill(&Store::open(&folder.path().join("data"), &history::owner())?)?;
    let (mut opened, mut median, mut worst) = (Series::new("miyu"), Series::new("miyu"), Series::new("miyu"));
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let mut window = Headless::start(&table)?;
        opened.figures.push(window.open()?);
        let mut frames = window.scroll(WHEEL)?;
        frames.extend(window.scroll(-WHEEL)?);
        frames.sort_by(f64::total_cmp);
        median.figures.push(frames[frames.len() / 2]);
        worst.figures.push(frames[frames.len() * 99 / 100]);
        window.engine.stop();
    }
    let path = miyu::crypto::gcm::Backend::chosen().name();
    let mut rows = vec![
        Row::alone("100,000 messages: the conversation opened and drawn", path, Unit::Milliseconds, &opened),
        Row::alone("scrolled, a frame of the interface, median", path, Unit::Milliseconds, &median),
        Row::alone("scrolled, a frame of the interface, p99", path, Unit::Milliseconds, &worst),
    ];
    match std::env::var_os("DISPLAY") {
        Some(_) => rows.extend(window::run(folder.path())?),
        None => {
            eprintln!("bench: there is no display, so nothing is said of the window (`./x bench desktop` makes one)")
        }
    }
    Ok(rows)
}

/// The app itself, in a process of its own.
pub(crate) fn child(table: PathBuf) -> ExitCode {
    let launch = Launch { config: Some(table), ..Launch::default() };
    match miyu::gui::run(launch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn other() -> Identity {
    // as the owner: no secret
    Identity::new(SecretKey::from_bytes(&[8; 32]).expect("below the order"))
}

fn bob() -> PeerId {
    PeerId::of(other().public())
}

/// A table with one peer, its key and its folder.
fn home(folder: &Path, peer: Option<u16>) -> Result<PathBuf> {
    let key = folder.join("key.pem");
    if !key.exists() {
        file::save_new(&key, &pem::encode_plain(&history::secret()))?;
    }
    // Free a moment ago, and so it is now.
    let listen = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let address = peer.map(|port| format!("address = \"127.0.0.1:{port}\"\n")).unwrap_or_default();
    let table = folder.join("peers.toml");
    let text = format!(
        "[me]\nname = \"alice\"\nkey = \"key.pem\"\nlisten = \"{listen}\"\ndata = \"data\"\n\n\
         [[peer]]\nname = \"bob\"\nkey = \"{}\"\n{address}allow = [\"chat\", \"camera\"]\n",
        key_line(other().public()),
    );
    std::fs::write(&table, text)?;
    Ok(table)
}

/// Half of the messages are ours, and delivered.
fn fill(store: &Store) -> Result<()> {
    let write = |number: u64| -> Result<()> {
        let (id, at_ms, text) = (history::id(number), history::time_ms(number), history::text(number));
        if number.is_multiple_of(2) {
            let new = NewOutgoing {
                id,
                peer: bob(),
                kind: Kind::Text,
                text: None,
                hidden: None,
                name: None,
                mime: None,
                target: None,
                body: Body::Text(text),
            };
            store.enqueue(new, at_ms, None)?;
            store.delivered(&bob(), &id, at_ms)?;
        } else {
            let offer = Incoming {
                id,
                seq: number,
                kind: Kind::Text,
                sent_at_ms: at_ms,
                bytes: text.len() as u64,
                name: None,
                mime: None,
                sm3: sm3::digest(text.as_bytes()),
                target: None,
            };
            let mut receive = store.begin_receive(&bob(), &offer)?;
            receive.write(text.as_bytes())?;
            store.commit_received(receive.finish()?, None, None, at_ms)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let work = |thread: u64| (thread..MESSAGES).step_by(WRITERS as usize).try_for_each(write);
        let running: Vec<_> = (0..WRITERS).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a writer died"))?)
    })
}

/// The app with its engine, and nobody who paints.
struct Headless {
    ctx: Context,
    shell: Shell,
    engine: Engine,
    frames: f64,
}

impl Headless {
    fn start(table: &Path) -> Result<Self> {
        let ctx = Context::default();
        look::bundled_fonts(&ctx);
        look::style(&ctx);
        let launch = Launch { config: Some(table.to_owned()), ..Launch::default() };
        let engine = Engine::start(launch, Arc::new(|| {}))?;
        let mut window = Self { ctx, shell: Shell::new(Language::English, Clock::now()), engine, frames: 0.0 };
        window.until("the app runs", |shell| {
            matches!(shell.model.stage, Stage::Running(_)) && shell.model.peers.iter().any(|peer| peer.last.is_some())
        })?;
        // Fonts are laid out once a program, not once a conversation.
        for _ in 0..3 {
            window.frame(Vec::new());
        }
        Ok(window)
    }

    fn news(&mut self) {
        while let Some(news) = self.engine.poll() {
            self.shell.take(news);
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Shell) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !done(&self.shell) {
            ensure!(begun.elapsed() < PATIENCE, "it took too long until {what}");
            match self.engine.poll() {
                Some(news) => self.shell.take(news),
                None => std::thread::yield_now(),
            }
        }
        Ok(())
    }

    /// One frame up to what the GPU is given; what it took, in ms.
    fn frame(&mut self, events: Vec<Event>) -> f64 {
        self.frames += 1.0;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_max(Pos2::ZERO, SIZE)),
            time: Some(self.frames / 60.0),
            focused: true,
            events,
            ..RawInput::default()
        };
        let begun = Instant::now();
        self.news();
        let mut asks = Vec::new();
        let output = self.ctx.run_ui(input, |ui| self.shell.show(ui, &mut asks));
        let drawn = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let took = history::ms(begun);
        std::hint::black_box(drawn);
        for ask in asks {
            // 256 may wait; a frame asks for a few.
            let _ = self.engine.ask(ask);
        }
        took
    }

    /// From the click to the frame that shows the messages, in ms.
    fn open(&mut self) -> Result<f64> {
        let begun = Instant::now();
        let mut asks = Vec::new();
        self.shell.model.open(bob(), &mut asks);
        for ask in asks {
            ensure!(self.engine.ask(ask).is_ok(), "the engine is busy");
        }
        while self.shell.model.conversation(&bob()).lines().is_empty() {
            ensure!(begun.elapsed() < PATIENCE, "no page came");
            self.news();
            std::thread::yield_now();
        }
        self.frame(Vec::new());
        Ok(history::ms(begun))
    }

    /// Turns the wheel for many frames, as quickly as pages come; what each frame took.
    fn scroll(&mut self, points: f32) -> Result<Vec<f64>> {
        let mut took = Vec::new();
        let middle = Pos2::new(SIZE.x * 0.65, SIZE.y * 0.5);
        for _ in 0..SCROLLED {
            let wheel = Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: vec2(0.0, points),
                phase: TouchPhase::Move,
                source: MouseWheelSource::Unknown,
                modifiers: Modifiers::NONE,
            };
            took.push(self.frame(vec![Event::PointerMoved(middle), wheel]));
            // What a screen waits for anyway gives the engine its turn.
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(took)
    }
}
