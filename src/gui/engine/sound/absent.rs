//! What stands for devices in a build without the feature `audio`.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Out, Wanted};
use crate::gui::said::Said;
use crate::gui::sound::Clip;
use crate::gui::talk::Fault;

pub(super) async fn record(
    _out: &Out,
    _ticket: u64,
    _device: Option<String>,
    _finish: watch::Receiver<bool>,
) -> Result<Option<Arc<Clip>>, Fault> {
    Err(absent())
}

pub(super) async fn play(
    _out: &Out,
    _ticket: u64,
    _device: Option<String>,
    _wav: impl FnOnce() -> Result<Vec<u8>, Fault> + Send + 'static,
    _from_ms: u64,
    _wanted: watch::Receiver<Wanted>,
) -> Result<bool, Fault> {
    Err(absent())
}

fn absent() -> Fault {
    Fault::own(Said::new("fault-sound-absent"), "sound is not in this build")
}
