//! The desktop app: a messenger and a camera viewer over the node's commands and events.
//!
//! - [`engine`]: a thread with the node, the history and all work that takes time. [`talk::Ask`] in, [`talk::News`] out,
//!   both bounded; the window is woken only when there is news;
//! - [`model`]: what is known, fed by news: plain values, without egui, clock or node;
//! - [`panels`]: one file a panel, functions from the model to widgets and asks;
//! - [`sound`]: what is said of clips that are recorded and played;
//! - [`words`]: every string that is shown, in English and Chinese; [`said`], [`told`]: what is told before it has a language;
//! - [`look`]: fonts, colours, sizes; - [`app`]: the shell that holds them together.
//!
//! No network, file, database or decoding work happens on the thread of the interface.

pub mod app;
pub mod card;
pub mod engine;
mod icon;
pub mod look;
pub mod model;
pub mod panels;
pub mod said;
pub mod sound;
pub mod talk;
pub mod told;
pub mod words;

use std::path::PathBuf;
use std::pin::Pin;

use zeroize::Zeroizing;

/// Resolves when the system wants the app to end: Ctrl+C where it was started, or a signal.
pub type Interrupted = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the app is started with.
#[derive(Clone, Default)]
pub struct Launch {
    /// The table, where the command line names one.
    pub config: Option<PathBuf>,
    /// History and attachments, instead of the table's.
    pub data: Option<PathBuf>,
    /// Where files are saved, instead of the system's folder for that.
    pub downloads: Option<PathBuf>,
    /// The passphrase of a locked key, where the command line gives it.
    pub passphrase: Option<Zeroizing<Vec<u8>>>,
    /// What ends the app in order when it resolves; called on the engine's runtime.
    pub interrupted: Option<fn() -> Interrupted>,
}

// a passphrase stays out of logs
impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Launch({:?}, {:?})", self.config, self.data)
    }
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum GuiError {
    /// No display, no OpenGL, or the window system refused.
    #[error("the window cannot be opened: {0}")]
    Window(String),
}

impl GuiError {
    /// The mend.
    pub fn hint(&self) -> Option<String> {
        let Self::Window(_) = self;
        Some("the app needs a display with OpenGL 2 or newer; `miyu run` and `miyu send` work without one".to_owned())
    }
}

/// Opens the window and runs until it is closed.
///
/// # Errors
/// [`GuiError`] when there is no window to be had.
pub fn run(launch: Launch) -> Result<(), GuiError> {
    app::run(launch)
}
