//! What stands for sound in a build without the feature `audio`.

use std::path::Path;

use super::clip::{Clip, Played};
use super::print::Printer;
use super::{Failure, Outcome};

/// The longest recording of a build that can record.
pub(super) const SECONDS_MAX: f64 = 5.0;

pub(super) async fn record(_device: Option<&str>, _seconds: f64, _printer: &Printer) -> Outcome<Clip> {
    Err(absent())
}

pub(super) async fn play(
    _file: &Path,
    _wav: &[u8],
    _from: f64,
    _device: Option<&str>,
    _printer: &Printer,
) -> Outcome<Played> {
    Err(absent())
}

pub(super) fn list(_printer: &Printer) -> Outcome {
    Err(absent())
}

fn absent() -> Failure {
    Failure::new("sound is not in this build").hint("build miyu with the feature audio: cargo build --features audio")
}
