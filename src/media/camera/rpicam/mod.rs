//! The Raspberry Pi's own camera, by the program that its system has for it: it writes JPEGs one after the other to
//! its output, which is cut into pictures here.

mod flags;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(super) use flags::controls;

use super::devices::Camera;
use super::turn::Turned;
use super::{CameraError, Captured, Picture, SIZE_DEFAULT, Settings, Source, SourceSpec, unix_us};
use crate::media::jpeg::{self, Cutter};

/// What the program is called, the newer name first.
const PROGRAMS: [&str; 2] = ["rpicam-vid", "libcamera-vid"];
/// It looks for the camera and settles the exposure before its first frame.
const START_MAX: Duration = Duration::from_secs(15);
/// Without a frame for this long the camera has stalled.
const STALL_MAX: Duration = Duration::from_secs(5);
/// It may take this long to end when it is asked to.
const END_MAX: Duration = Duration::from_millis(500);
const END_STEP: Duration = Duration::from_millis(10);
/// So many unusable frames one after the other are an error.
const BROKEN_RUN_MAX: u64 = 30;
const READ_BYTES: usize = 64 * 1024;
/// What is kept of its last words.
const WORDS_LINES_MAX: usize = 4;
const WORD_BYTES_MAX: u64 = 300;

/// The process groups of programs that run.
#[derive(Default)]
struct Groups {
    closed: bool,
    running: Vec<rustix::process::Pid>,
}

static GROUPS: Mutex<Groups> = Mutex::new(Groups { closed: false, running: Vec::new() });

fn groups() -> MutexGuard<'static, Groups> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every program, and starts none any more: for the end of the process, which waits for no capture thread. One that
/// writes nothing would outlive it and keep the camera.
pub(super) fn end_all() {
    let mut groups = groups();
    groups.closed = true;
    for group in groups.running.drain(..) {
        // It may have ended.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// How the camera is run.
#[derive(Clone, Debug)]
pub struct Rpicam {
    programs: Vec<OsString>,
    start: Duration,
    stall: Duration,
}

impl Default for Rpicam {
    fn default() -> Rpicam {
        Rpicam { programs: PROGRAMS.map(OsString::from).into(), start: START_MAX, stall: STALL_MAX }
    }
}

impl Rpicam {
    /// Another program in its place, and how long to wait for the first frame and for each further one.
    pub fn with_program(program: impl AsRef<OsStr>, start: Duration, stall: Duration) -> Rpicam {
        Rpicam { programs: vec![program.as_ref().to_owned()], start, stall }
    }

    /// Starts the program and waits for its first frame.
    ///
    /// # Errors
    /// [`CameraError::Program`], [`CameraError::ProgramEnded`] with its last words, [`CameraError::Stalled`],
    /// [`CameraError::Control`].
    pub fn open(&self, settings: &Settings) -> Result<Box<dyn Source>, CameraError> {
        let arguments = flags::arguments(settings)?;
        let (program, child) = self.start(&arguments)?;
        let mut running = Running::new(program, child, self.stall)?;
        let first = running.frame(self.start)?;
        let asked = settings.size.unwrap_or(SIZE_DEFAULT);
        let info = jpeg::info(&first.jpeg)?;
        let size = (info.width, info.height);
        let mut what = format!("{} {}x{} at {} fps", running.program, size.0, size.1, settings.fps);
        if size != asked {
            what += &format!("; it has no {}x{}", asked.0, asked.1);
        }
        let source = Frames { running, first: Some(first), size, fps: settings.fps, what, seq: 0 };
        let (_, (rotate, flip)) = flags::split_turn(settings.rotate, settings.flip);
        Ok(Turned::wrap(Box::new(source), rotate, flip))
    }

    fn start(&self, arguments: &[String]) -> Result<(String, Child), CameraError> {
        let mut missing = None;
        for program in &self.programs {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            // A group of its own: Ctrl+C is for us, and what it starts ends with it.
            let name = program.to_string_lossy().into_owned();
            let mut groups = groups();
            if groups.closed {
                let source = std::io::Error::other("this program is about to end");
                return Err(CameraError::Program { program: name, source });
            }
            match command.process_group(0).spawn() {
                Ok(child) => {
                    groups.running.extend(group_of(&child));
                    return Ok((name, child));
                }
                Err(source) => {
                    let is_missing = source.kind() == std::io::ErrorKind::NotFound;
                    let error = CameraError::Program { program: name, source };
                    if !is_missing {
                        return Err(error);
                    }
                    missing.get_or_insert(error);
                }
            }
        }
        Err(missing.unwrap_or(CameraError::NotInThisBuild { source_name: SourceSpec::Rpicam.to_string() }))
    }
}

/// The camera for lists, where the program is there.
pub(super) fn camera() -> Option<Camera> {
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&folders).collect();
    let program = PROGRAMS.into_iter().find(|program| folders.iter().any(|folder| folder.join(program).is_file()))?;
    Some(Camera {
        source: SourceSpec::Rpicam,
        name: "Raspberry Pi camera".to_owned(),
        driver: program.to_owned(),
        formats: Vec::new(),
        problem: None,
    })
}

/// A frame as the reading thread found it.
struct Frame {
    jpeg: Bytes,
    at_us: u64,
}

/// What the reading threads leave for the source.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// The newest frame: one that is not fetched in time is replaced.
    newest: Option<Frame>,
    broken_run: u64,
    /// The stream has ended.
    ended: bool,
    /// The last lines of its standard error.
    words: VecDeque<String>,
    /// There will be no more of them.
    silent: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The group that a program was started in, by its own number.
fn group_of(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
}

/// The program while it runs. It ends with this value.
struct Running {
    program: String,
    child: Child,
    shared: Arc<Shared>,
    stall: Duration,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its exit status is of no interest here; a program that cannot be ended has ended.
        let _ = self.end();
        let group = group_of(&self.child);
        groups().running.retain(|running| Some(*running) != group);
    }
}

impl Running {
    fn new(program: String, mut child: Child, stall: Duration) -> Result<Running, CameraError> {
        let shared = Arc::new(Shared::default());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // From here on the program is ended whatever happens.
        let running = Running { program, child, shared, stall };
        let fail = |source| CameraError::Program { program: running.program.clone(), source };
        if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
            let shared = running.shared.clone();
            spawn("rpicam frames", move || read_frames(stdout, &shared)).map_err(fail)?;
            let shared = running.shared.clone();
            spawn("rpicam words", move || read_words(stderr, &shared)).map_err(fail)?;
        }
        Ok(running)
    }

    /// The next frame, within `limit`.
    fn frame(&mut self, limit: Duration) -> Result<Frame, CameraError> {
        let end = Instant::now() + limit;
        let mut state = self.shared.state();
        loop {
            if let Some(frame) = state.newest.take() {
                return Ok(frame);
            }
            if state.broken_run >= BROKEN_RUN_MAX {
                let frames = u32::try_from(std::mem::take(&mut state.broken_run)).unwrap_or(u32::MAX);
                return Err(CameraError::Broken { camera: self.program.clone(), frames });
            }
            if state.ended {
                drop(state);
                return Err(self.ended());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CameraError::Stalled { camera: self.program.clone(), limit });
            }
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Why there are no more frames.
    fn ended(&mut self) -> CameraError {
        let status = self.end();
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        // Its last words may still be on their way.
        let state = self.shared.state();
        let waited = self.shared.news.wait_timeout_while(state, END_MAX, |state| !state.silent);
        let words = Vec::from(waited.unwrap_or_else(PoisonError::into_inner).0.words.clone()).join("; ");
        CameraError::ProgramEnded { program: self.program.clone(), status, words }
    }

    /// Ends it, by force if need be, and takes its exit status, so that nothing is left behind.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        // It has closed its output, or is not wanted any more: a moment to end in order, which frees the camera.
        let group = group_of(&self.child);
        let signal = |signal| group.map(|group| rustix::process::kill_process_group(group, signal));
        if !self.shared.state().ended {
            signal(rustix::process::Signal::TERM);
        }
        let end = Instant::now() + END_MAX;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                // What it has started may live on.
                signal(rustix::process::Signal::KILL);
                return Ok(status);
            }
            std::thread::sleep(END_STEP);
        }
        signal(rustix::process::Signal::KILL);
        self.child.kill()?;
        self.child.wait()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

fn read_frames(mut stdout: impl Read, shared: &Shared) {
    let mut cutter = Cutter::new();
    let mut chunk = vec![0; READ_BYTES];
    let mut broken = 0;
    loop {
        let read = match stdout.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut input = &chunk[..read];
        while let Some(jpeg) = cutter.cut(&mut input) {
            let frame = Frame { jpeg: jpeg::with_huffman_tables(jpeg), at_us: unix_us() };
            let mut state = shared.state();
            state.broken_run = 0;
            state.newest = Some(frame);
            shared.news.notify_all();
        }
        if cutter.broken() > broken {
            let mut state = shared.state();
            state.broken_run += cutter.broken() - broken;
            broken = cutter.broken();
            shared.news.notify_all();
        }
    }
    shared.state().ended = true;
    shared.news.notify_all();
}

fn read_words(stderr: impl Read, shared: &Shared) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end comes in parts.
        match stderr.by_ref().take(WORD_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
        if text.is_empty() {
            continue;
        }
        tracing::debug!(program = "rpicam", "{text}");
        let mut state = shared.state();
        state.words.push_back(text);
        while state.words.len() > WORDS_LINES_MAX {
            state.words.pop_front();
        }
    }
    shared.state().silent = true;
    shared.news.notify_all();
}

/// The running program as a source.
struct Frames {
    running: Running,
    first: Option<Frame>,
    size: (u32, u32),
    fps: f32,
    what: String,
    seq: u64,
}

impl Source for Frames {
    fn describe(&self) -> String {
        self.what.clone()
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f32 {
        self.fps
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        let frame = match self.first.take() {
            Some(frame) => frame,
            None => self.running.frame(self.running.stall)?,
        };
        let info = jpeg::info(&frame.jpeg)?;
        let seq = self.seq;
        self.seq += 1;
        let picture = Picture::Jpeg(frame.jpeg);
        Ok(Captured { seq, captured_at_us: frame.at_us, width: info.width, height: info.height, picture })
    }
}
