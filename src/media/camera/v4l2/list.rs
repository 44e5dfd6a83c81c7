//! Which cameras there are, what they offer, and who has one open.

use std::io;
use std::path::{Path, PathBuf};

use v4l::capability;
use v4l::device::Device;
use v4l::format::FourCC;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;

use super::{guarded, open_node};
use crate::media::camera::choose::{Intervals, Offer, Sizes, is_jpeg, rate};
use crate::media::camera::devices::{Camera, Format, Mode};
use crate::media::camera::raw::Layout;
use crate::media::camera::{CameraError, SourceSpec};

/// Most programs that are named as holding a camera.
const HOLDERS_MAX: usize = 4;
/// Most nodes that are looked at.
const NODES_MAX: usize = 256;

fn known(fourcc: [u8; 4]) -> bool {
    is_jpeg(fourcc) || Layout::from_fourcc(fourcc).is_some()
}

/// What the camera has that we know, at the size of each format that is closest to `wanted`.
pub(super) fn offers(device: &Device, wanted: (u32, u32)) -> io::Result<Vec<Offer>> {
    let mut offers = Vec::new();
    for format in device.enum_formats()? {
        let fourcc = format.fourcc.repr;
        if !known(fourcc) {
            continue;
        }
        // A driver that names no sizes is asked for the very size, and says what it makes of it.
        let sizes = sizes(device, format.fourcc);
        let sizes = if sizes.is_empty() { vec![Sizes::One(wanted.0, wanted.1)] } else { sizes };
        for size in sizes.into_iter().map(|sizes| sizes.closest(wanted)) {
            let intervals = intervals(device, format.fourcc, size);
            offers.push(Offer { fourcc, size, intervals });
        }
    }
    Ok(offers)
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<Sizes> {
    let listed = device.enum_framesizes(fourcc).unwrap_or_default();
    let read = |size| match size {
        FrameSizeEnum::Discrete(one) => Sizes::One(one.width, one.height),
        FrameSizeEnum::Stepwise(steps) => Sizes::Steps(
            (steps.min_width, steps.max_width, steps.step_width),
            (steps.min_height, steps.max_height, steps.step_height),
        ),
    };
    listed.into_iter().map(|listed| read(listed.size)).collect()
}

fn intervals(device: &Device, fourcc: FourCC, (width, height): (u32, u32)) -> Intervals {
    let Ok(listed) = device.enum_frameintervals(fourcc, width, height) else {
        return Intervals::Unknown;
    };
    let pair = |fraction: v4l::Fraction| (fraction.numerator, fraction.denominator);
    let mut list = Vec::new();
    for listed in listed {
        match listed.interval {
            FrameIntervalEnum::Discrete(one) => list.push(pair(one)),
            FrameIntervalEnum::Stepwise(steps) => return Intervals::Between(pair(steps.min), pair(steps.max)),
        }
    }
    if list.is_empty() { Intervals::Unknown } else { Intervals::Some(list) }
}

/// The four characters of every format, known or not.
pub(super) fn all_formats(device: &Device) -> io::Result<Vec<String>> {
    Ok(device.enum_formats()?.into_iter().map(|format| format.fourcc.to_string()).collect())
}

/// The nodes `/dev/video*` by their numbers.
fn nodes() -> Vec<PathBuf> {
    let mut nodes = Vec::new();
    for entry in std::fs::read_dir("/dev").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(number) = name.strip_prefix("video").and_then(|number| number.parse::<u32>().ok()) {
            nodes.push((number, entry.path()));
        }
    }
    nodes.sort();
    nodes.truncate(NODES_MAX);
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Every node that gives pictures, or that cannot be looked at.
pub(in crate::media::camera) fn cameras() -> Vec<Camera> {
    nodes().into_iter().filter_map(|path| camera(&path)).collect()
}

fn camera(path: &Path) -> Option<Camera> {
    let source = SourceSpec::V4l2(path.to_owned());
    match open_node(path) {
        Ok((device, capabilities)) => Some(Camera {
            source,
            name: capabilities.card,
            driver: capabilities.driver,
            formats: guarded(|| formats(&device)).unwrap_or_default(),
            problem: None,
        }),
        // A node of another kind, of which a camera has several.
        Err(CameraError::NotACamera { .. } | CameraError::Missing { .. }) => None,
        Err(error) => Some(Camera {
            source,
            name: String::new(),
            driver: String::new(),
            formats: Vec::new(),
            problem: Some(error.to_string()),
        }),
    }
}

fn formats(device: &Device) -> io::Result<Vec<Format>> {
    let mut formats = Vec::new();
    for format in device.enum_formats()? {
        let mode = |sizes: Sizes| {
            let (size, up_to) = match sizes {
                Sizes::One(width, height) => ((width, height), None),
                Sizes::Steps(width, height) => ((width.0, height.0), Some((width.1, height.1))),
            };
            let rates = match intervals(device, format.fourcc, size) {
                Intervals::Unknown => Vec::new(),
                Intervals::Some(list) => list.into_iter().map(rate).collect(),
                Intervals::Between(shortest, longest) => vec![rate(longest), rate(shortest)],
            };
            Mode { size, up_to, rates }
        };
        let modes = sizes(device, format.fourcc).into_iter().map(mode).collect();
        formats.push(Format { name: format.fourcc.to_string(), usable: known(format.fourcc.repr), modes });
    }
    Ok(formats)
}

/// The cameras by name, for a hint.
pub(super) fn names() -> Vec<String> {
    let name = |path: &PathBuf| {
        let device = guarded(|| Device::with_path(path)).ok()?;
        let capabilities = guarded(|| device.query_caps()).ok()?;
        let gives = capabilities.capabilities.contains(capability::Flags::VIDEO_CAPTURE);
        gives.then(|| format!("v4l2:{} ({})", path.display(), capabilities.card))
    };
    nodes().iter().filter_map(name).collect()
}

/// Another node of the camera that `path` is a node of, which gives pictures.
pub(super) fn sibling(path: &Path, card: &str, bus: &str) -> Option<PathBuf> {
    let own = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    nodes().into_iter().filter(|node| *node != own).find(|node| {
        let Ok(device) = guarded(|| Device::with_path(node)) else { return false };
        guarded(|| device.query_caps()).is_ok_and(|other| {
            other.card == card && other.bus == bus && other.capabilities.contains(capability::Flags::VIDEO_CAPTURE)
        })
    })
}

/// The programs that have the device open, as far as this account may see: `name (process 123)`.
pub(super) fn holders(path: &Path) -> Vec<String> {
    let device = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut holders = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(number) = name.parse::<u32>() else { continue };
        // we have just opened it ourselves, to ask
        if number == std::process::id() {
            continue;
        }
        let open = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let holds = open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target == device);
        if holds {
            let command = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            holders.push(format!("{} (process {number})", command.trim()));
        }
        if holders.len() == HOLDERS_MAX {
            break;
        }
    }
    holders
}
