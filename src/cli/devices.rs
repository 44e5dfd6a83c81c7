//! `miyu devices`: what this machine hears, speaks and sees with.

use serde_json::json;

use super::print::{Printer, shown};
use super::{Outcome, sound};
use crate::media::camera::{self, Camera};

/// Flags of `miyu devices`: none of its own.
#[derive(Debug, clap::Args)]
pub(super) struct Options {}

/// One section a kind. Sound that fails does not hide the cameras; it decides how the command ends.
pub(super) fn run(_options: &Options, printer: &Printer) -> Outcome {
    let sound = sound::list(printer);
    cameras(printer);
    match sound {
        // the Raspberry Pi's build, say: cameras are what it has
        Err(failure) if cfg!(not(feature = "audio")) && cfg!(feature = "camera") => {
            printer.note(&format!("note: {}", failure.error));
            Ok(())
        }
        ended => ended,
    }
}

fn cameras(printer: &Printer) {
    printer.line("cameras");
    let cameras = camera::devices();
    for camera in &cameras {
        let id = camera.source.to_string();
        let value = json!({
            "event": "device", "kind": "camera", "name": camera.name, "id": id, "host": camera.driver,
            "default": false, "formats": formats(camera), "problem": camera.problem,
        });
        printer.result(&value, || line(camera, &id));
    }
    if cameras.is_empty() {
        printer.line(if cfg!(feature = "camera") { "  none" } else { "  not in this build" });
    }
}

/// The names of the formats that miyu can read.
fn formats(camera: &Camera) -> Vec<&str> {
    camera.formats.iter().filter(|format| format.usable).map(|format| format.name.as_str()).collect()
}

fn line(camera: &Camera, id: &str) -> String {
    let name = if camera.name.is_empty() { id } else { camera.name.as_str() };
    let formats = formats(camera).join(", ");
    let formats = if formats.is_empty() { formats } else { format!(", {formats}") };
    let problem = camera.problem.as_ref().map(|problem| format!("\n    {}", shown(problem))).unwrap_or_default();
    format!("  {}\n    {} ({}{}){problem}", shown(name), shown(id), shown(&camera.driver), shown(&formats))
}
