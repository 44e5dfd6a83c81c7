//! `miyu gui`: the desktop app.

use super::{Failure, Global, Outcome, passphrase};
use crate::gui::{self, Launch};

/// Opens the window and runs until it is closed.
pub(super) fn run(global: &Global) -> Outcome {
    let passphrase = global.passphrase_file.as_deref().map(passphrase::from_file).transpose()?;
    let launch = Launch { config: global.config.clone(), data: global.data.clone(), downloads: None, passphrase };
    gui::run(launch).map_err(|error| {
        let hint = error.hint();
        let failure = Failure::new(error.to_string());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}
