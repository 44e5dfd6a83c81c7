//! `miyu camera`: a headless peer that publishes a camera, and the controls of one.

use serde_json::{Number, Value, json};

use super::print::{Printer, shown};
use super::run::{self, RunOptions};
use super::{Failure, Global, Outcome, node};
use crate::config::{BANDWIDTH_MBIT_MAX, CameraSettings};
use crate::media::camera::controls::parse_setting;
use crate::media::camera::{
    self, CameraError, Control, ControlKind, ControlValue, Flip, Rotation, Settings, SourceSpec, parse_size,
};
use crate::node::CameraPlan;

/// Flags of `miyu camera`. What they leave out is taken from [camera] in the table.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// test (a moving pattern), v4l2:/dev/video0, rpicam, FILE.mjpeg or a FOLDER of pictures [default: the table's]
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceSpec>,
    /// Width and height in pixels; a camera takes its closest [default: the table's, else the source's own or 640x480]
    #[arg(long, value_name = "WxH", value_parser = picture_size)]
    size: Option<(u32, u32)>,
    /// Frames a second [default: the table's, else 30]
    #[arg(long, value_name = "N")]
    fps: Option<f32>,
    /// JPEG quality, 1 to 100 [default: the table's, else 85]
    #[arg(long, value_name = "Q")]
    quality: Option<u8>,
    /// Turn the picture clockwise: 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES")]
    rotate: Option<Rotation>,
    /// Mirror the picture, after turning it: none, horizontal, vertical or both
    #[arg(long, value_name = "HOW")]
    flip: Option<Flip>,
    /// Mbit a second that all viewers together may take
    #[arg(long, value_name = "MBIT", value_parser = bandwidth)]
    bandwidth: Option<u64>,
    /// Set a control of the camera, whenever it is opened; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, ControlValue)>,
    /// Print the controls of the camera and end; with --set, set them first
    #[arg(long)]
    list_controls: bool,
    #[command(flatten)]
    run: RunOptions,
}

fn picture_size(text: &str) -> Result<(u32, u32), String> {
    parse_size(text).ok_or_else(|| format!("{text:?} is no size: write it as 640x480"))
}

/// Mbit to bits.
fn bandwidth(text: &str) -> Result<u64, String> {
    let mbit = text.parse::<f64>().ok().filter(|mbit| *mbit > 0.0 && *mbit <= BANDWIDTH_MBIT_MAX);
    let mbit = mbit.ok_or_else(|| format!("must be a number above 0 and at most {BANDWIDTH_MBIT_MAX}"))?;
    Ok(((mbit * 1e6) as u64).max(1))
}

pub(super) async fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    if options.list_controls {
        return list_controls(options, global, printer);
    }
    // A wrong path is said now, before the passphrase is asked and anything listens.
    let plan = options.plan(&node::config(global)?.camera)?;
    check(&plan.source, &plan.settings)?;
    let loaded = node::load(global)?;
    let outcome = run::serve(&loaded, &options.run, Some(plan), printer).await;
    camera::end_programs();
    outcome
}

impl Options {
    /// The flags laid over the table.
    fn settings(&self, table: &CameraSettings) -> Settings {
        let given = &table.settings;
        // The table's controls are those of the table's camera.
        let other = self.source.as_ref().is_some_and(|source| table.source.as_ref().is_some_and(|own| own != source));
        let mut controls = if other { Vec::new() } else { given.controls.clone() };
        for (name, value) in &self.set {
            controls.retain(|(other, _)| other != name);
            controls.push((name.clone(), value.clone()));
        }
        Settings {
            size: self.size.or(given.size),
            fps: self.fps.unwrap_or(given.fps),
            quality: self.quality.unwrap_or(given.quality),
            rotate: self.rotate.unwrap_or(given.rotate),
            flip: self.flip.unwrap_or(given.flip),
            controls,
        }
    }

    fn source(&self, table: &CameraSettings) -> Outcome<SourceSpec> {
        let source = self.source.clone().or_else(|| table.source.clone());
        source.ok_or_else(|| {
            Failure::new("no camera source is named").hint(
                "give one, such as --source test or --source v4l2:/dev/video0, or write source = \"…\" under [camera] \
                 in the table",
            )
        })
    }

    fn plan(&self, table: &CameraSettings) -> Outcome<CameraPlan> {
        Ok(CameraPlan {
            source: self.source(table)?,
            settings: self.settings(table),
            bandwidth_bits: self.bandwidth.or(table.bandwidth_bits),
        })
    }
}

/// Whether the source can ever give frames as asked. A camera that is away or busy is waited for by the node; a file
/// that is not there, a control that the camera has not, and a source that this build lacks stay wrong.
fn check(source: &SourceSpec, settings: &Settings) -> Outcome {
    match source {
        SourceSpec::V4l2(_) | SourceSpec::Rpicam => {
            settings.check()?;
            match camera::set_controls(source, &settings.controls) {
                Err(error @ (CameraError::NotInThisBuild { .. } | CameraError::Control(_))) => Err(error.into()),
                Ok(()) | Err(_) => Ok(()),
            }
        }
        SourceSpec::Test | SourceSpec::Mjpeg(_) | SourceSpec::Folder(_) => {
            if let Some((name, _)) = settings.controls.first() {
                let error = format!("the source {source} has no control {name:?}, nor any other");
                return Err(Failure::new(error).hint("--set and [camera.controls] are for v4l2:/dev/videoN and rpicam"));
            }
            drop(camera::open(source, settings)?);
            Ok(())
        }
    }
}

fn list_controls(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    // With a source there is no need of a table.
    let table = if options.source.is_some() { CameraSettings::default() } else { node::config(global)?.camera };
    let source = options.source(&table)?;
    if !options.set.is_empty() {
        camera::set_controls(&source, &options.set)?;
    }
    let controls = camera::controls(&source)?;
    let width = controls.iter().map(|control| control.name.len()).max().unwrap_or(0);
    for control in &controls {
        printer.result(&as_json(control), || line(control, width));
    }
    if controls.is_empty() {
        printer.note(&format!("{source} has no controls"));
    }
    Ok(())
}

/// Whole numbers without a point.
fn plain(number: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn as_json(control: &Control) -> Value {
    let menu = match &control.kind {
        ControlKind::Menu(entries) => {
            entries.iter().map(|(index, name)| json!({ "value": index, "name": name })).collect::<Vec<_>>().into()
        }
        _ => Value::Null,
    };
    json!({
        "event": "control", "name": control.name, "id": control.id, "kind": control.kind.word(),
        "min": plain(control.min), "max": plain(control.max), "step": plain(control.step),
        "default": control.default.map(plain), "value": control.value.map(plain), "menu": menu,
        "inactive": control.inactive,
    })
}

/// `brightness  number  128 (default 128), 0 to 255`
fn line(control: &Control, width: usize) -> String {
    let name_of = |number: f64| match &control.kind {
        ControlKind::Menu(entries) => {
            let entry = entries.iter().find(|(index, _)| *index == number as i64);
            entry.map_or_else(|| number.to_string(), |(index, name)| format!("{index} {}", shown(name)))
        }
        ControlKind::Switch => (if number == 0.0 { "0 off" } else { "1 on" }).to_owned(),
        _ => number.to_string(),
    };
    let mut line = format!("{:width$}  {:7}  ", control.name, control.kind.word());
    line += &control.value.map_or_else(|| "-".to_owned(), name_of);
    if let Some(default) = control.default.filter(|_| control.kind != ControlKind::Button) {
        line += &format!(" (default {})", name_of(default));
    }
    match &control.kind {
        ControlKind::Menu(entries) => {
            let entries: Vec<String> = entries.iter().map(|(index, name)| format!("{index} {}", shown(name))).collect();
            line += &format!("; {}", entries.join(", "));
        }
        ControlKind::Number | ControlKind::Decimal | ControlKind::Bits => {
            line += &format!("; {} to {}", control.min, control.max);
            if control.step > 1.0 {
                line += &format!(" in steps of {}", control.step);
            }
        }
        ControlKind::Switch | ControlKind::Button => {}
    }
    if control.inactive {
        line += "; not now";
    }
    line
}
