//! The desktop app: a messenger and a camera viewer over the node's commands and events.
//!
//! - [`engine`]: a thread with the node, the history and all work that takes time. [`talk::Ask`] in, [`talk::News`] out,
//!   both bounded; the window is woken only when there is news;
//! - [`model`]: what is known, fed by news: plain values, without egui, clock or node;
//! - [`words`]: every string that is shown, in English and Chinese;
//! - [`look`]: fonts, colours, sizes.
//!
//! No network, file, database or decoding work happens on the thread of the interface.

pub mod engine;
pub mod look;
pub mod model;
pub mod talk;
pub mod words;

use std::path::PathBuf;

use zeroize::Zeroizing;

/// What the app is started with.
#[derive(Clone, Default)]
pub struct Launch {
    /// The table, where the command line names one.
    pub config: Option<PathBuf>,
    /// History and attachments, instead of the table's.
    pub data: Option<PathBuf>,
    /// The passphrase of a locked key, where the command line gives it.
    pub passphrase: Option<Zeroizing<Vec<u8>>>,
}

// a passphrase stays out of logs
impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Launch({:?}, {:?})", self.config, self.data)
    }
}
