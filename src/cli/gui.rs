//! `miyu gui`: the desktop app.

use super::{Failure, Global, Outcome, node, passphrase};
use crate::gui::{self, Launch};

/// Opens the window and runs until it is closed.
pub(super) fn run(global: &Global) -> Outcome {
    let passphrase = global.passphrase_file.as_deref().map(passphrase::from_file).transpose()?;
    open(Launch { config: global.config.clone(), data: global.data.clone(), passphrase, ..Launch::default() })
}

/// Opens the window and runs until it is closed, or the system wants an end.
pub(super) fn open(launch: Launch) -> Outcome {
    let launch = Launch { interrupted: Some(|| Box::pin(node::interrupted())), ..launch };
    gui::run(launch).map_err(|error| {
        let hint = error.hint();
        let failure = Failure::new(error.to_string());
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}
