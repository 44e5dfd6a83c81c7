//! What a command ends with when it fails: what happened, and the mend.

use crate::config::{ConfigError, ConfigErrors, UnknownPeer};
use crate::identity::{KeyFileError, KeyLineError};
use crate::media::camera::CameraError;
use crate::node::hidden::HiddenError;
use crate::node::history::StoreError;
use crate::node::{DialError, NodeError, SendError, WatchError};
use crate::seal::SealError;

/// How a command ends.
pub type Outcome<T = ()> = Result<T, Failure>;

/// An error for people, with its mend.
#[derive(Debug)]
pub struct Failure {
    pub(super) error: anyhow::Error,
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A failure without a mend.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: anyhow::Error::msg(error.into()), hint: None }
    }

    /// The same with a mend.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failure of a function that asked or read, and says itself about what.
    pub(super) fn from_io(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }

    /// A failure about a file.
    pub(super) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {what} {}: {error}", path.display()))
    }
}

macro_rules! from_library {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let hint = error.hint();
                Self { error: error.into(), hint }
            }
        }
    )*};
}

from_library!(
    ConfigError,
    ConfigErrors,
    UnknownPeer,
    KeyFileError,
    KeyLineError,
    CameraError,
    HiddenError,
    StoreError,
    NodeError,
    SendError,
    DialError,
    WatchError,
    SealError,
);

#[cfg(feature = "audio")]
from_library!(crate::media::audio::AudioError);
