//! What the sound system has, and which of it is used.
//!
//! On Linux the sound server is asked where one answers (PipeWire speaks PulseAudio's protocol too), else ALSA.
//! `alsa:` before a name asks ALSA in any case.

use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::{Mutex, PoisonError};

use cpal::traits::{DeviceTrait, HostTrait};

pub use super::stream::Device;
use super::stream::explained;
use super::{AudioError, Direction, Format};

/// Devices that are listed at most.
const DEVICES_MAX: usize = 256;
/// What ALSA names among its devices and is none, whatever machine this is; they can be chosen all the same.
const ALSA_PLUGINS: &[&str] =
    &["null", "lavrate", "samplerate", "speexrate", "speex", "jack", "oss", "upmix", "vdownmix"];

/// One device as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Microphone or speaker.
    pub direction: Direction,
    /// What it is called for people.
    pub name: String,
    /// What the sound system calls it; this chooses it in the table and for `--device`.
    pub id: String,
    /// The sound system: `pulseaudio`, `alsa`, `coreaudio`, `wasapi` …
    pub host: String,
    /// Whether it is used where none is chosen.
    pub default: bool,
    /// How it gives or takes samples, where it can be asked without disturbing it.
    pub format: Option<Format>,
}

/// The sound system that is used here.
#[cfg(target_os = "linux")]
fn host() -> Result<Arc<cpal::Host>, AudioError> {
    match server() {
        Ok(host) => {
            tracing::info!("sound by the sound server (PulseAudio's protocol)");
            Ok(host)
        }
        Err(error) => {
            tracing::info!(%error, "sound by ALSA: no sound server answers");
            alsa()
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn host() -> Result<Arc<cpal::Host>, AudioError> {
    Ok(Arc::new(cpal::default_host()))
}

/// The connection to the sound server is kept for as long as it works: when it is dropped, its thread goes on waiting
/// for the server, which takes 64 connections.
#[cfg(target_os = "linux")]
fn server() -> Result<Arc<cpal::Host>, cpal::Error> {
    static KEPT: Mutex<Option<Arc<cpal::Host>>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(host) = kept.as_ref().filter(|host| host.devices().is_ok()) {
        return Ok(host.clone());
    }
    let host = Arc::new(cpal::host_from_id(cpal::HostId::PulseAudio)?);
    *kept = Some(host.clone());
    Ok(host)
}

#[cfg(target_os = "linux")]
fn alsa() -> Result<Arc<cpal::Host>, AudioError> {
    cpal::host_from_id(cpal::HostId::Alsa).map(Arc::new).map_err(|error| AudioError::NoHost { why: error.to_string() })
}

/// Every device, inputs first, the default first of each. May take two seconds when a sound server hangs.
///
/// # Errors
/// When there is no sound system.
pub fn list() -> Result<Vec<Listed>, AudioError> {
    #[cfg(target_os = "linux")]
    let _quiet = super::alsa::Quiet::new();
    let host = host()?;
    let mut listed = Vec::new();
    for direction in [Direction::Input, Direction::Output] {
        listed.extend(all(&host, direction)?.into_iter().map(|(listed, _)| listed).filter(is_device));
    }
    Ok(listed)
}

fn is_device(listed: &Listed) -> bool {
    listed.host != "alsa" || !ALSA_PLUGINS.contains(&listed.id.as_str())
}

/// The device of that id or name; the system's default without one.
///
/// An id may have its sound system before it (`pulseaudio:` or `alsa:`). Names are compared without regard to case.
///
/// # Errors
/// [`AudioError::Unknown`] with the ids that there are, or why there is no sound at all.
pub fn choose(direction: Direction, wanted: Option<&str>) -> Result<Device, AudioError> {
    #[cfg(target_os = "linux")]
    let _quiet = super::alsa::Quiet::new();
    let Some(wanted) = wanted else {
        return default(direction);
    };
    #[cfg(target_os = "linux")]
    let host = if wanted.starts_with("alsa:") { alsa()? } else { host()? };
    #[cfg(not(target_os = "linux"))]
    let host = host()?;
    let mut devices = all(&host, direction)?;
    let is = |listed: &Listed, exact: bool| match exact {
        true => listed.id == wanted || wanted.strip_prefix(&format!("{}:", listed.host)) == Some(listed.id.as_str()),
        false => listed.name.to_lowercase() == wanted.to_lowercase(),
    };
    let found = [true, false].iter().find_map(|exact| devices.iter().position(|(listed, _)| is(listed, *exact)));
    match found {
        Some(index) => {
            let (listed, device) = devices.swap_remove(index);
            Ok(Device { device, direction, name: listed.name })
        }
        None => {
            let names =
                devices.into_iter().map(|(listed, _)| listed).filter(is_device).map(|listed| listed.id).collect();
            Err(AudioError::Unknown { direction, wanted: wanted.to_owned(), names })
        }
    }
}

fn default(direction: Direction) -> Result<Device, AudioError> {
    let host = host()?;
    let device = default_of(&host, direction).ok_or(AudioError::NoDevice { direction })?;
    let name = name_of(&device);
    tracing::info!(%direction, device = %name, "the system's default");
    Ok(Device { device, direction, name })
}

fn default_of(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

fn name_of(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| "a device without a name".to_owned(), |said| said.name().to_owned())
}

fn all(host: &cpal::Host, direction: Direction) -> Result<Vec<(Listed, cpal::Device)>, AudioError> {
    let broken = |error: cpal::Error| explained("the sound system", &error);
    let default = default_of(host, direction);
    let default_id = default.as_ref().and_then(|device| device.id().ok());
    let mut devices: Vec<cpal::Device> = match direction {
        Direction::Input => host.input_devices().map_err(broken)?.take(DEVICES_MAX).collect(),
        Direction::Output => host.output_devices().map_err(broken)?.take(DEVICES_MAX).collect(),
    };
    // ALSA's own default need not be among those that it names
    if let Some(default) = default.filter(|_| !devices.iter().any(|device| device.id().ok() == default_id)) {
        devices.insert(0, default);
    }
    let mut all: Vec<_> = devices
        .into_iter()
        .filter_map(|device| {
            let id = device.id().ok()?;
            let is_default = Some(&id) == default_id.as_ref();
            let listed = listed(&device, direction, &id, is_default);
            Some((listed, device))
        })
        .collect();
    all.sort_by_key(|(listed, _)| !listed.default);
    Ok(all)
}

fn listed(device: &cpal::Device, direction: Direction, id: &cpal::DeviceId, default: bool) -> Listed {
    let host = id.host().to_string().to_lowercase();
    // A sound server knows; ALSA has to open a device for that, which some of its plug-ins take badly.
    let tells = host != "alsa" || default || id.id().starts_with("hw:");
    let opened = tells.then(|| Device { device: device.clone(), direction, name: String::new() });
    let format = opened.and_then(|device| device.any_format().ok());
    Listed { direction, name: name_of(device), id: id.id().to_owned(), host, default, format }
}
