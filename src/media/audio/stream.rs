//! The real devices, by cpal.

use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, StreamConfig, SupportedBufferSize, SupportedStreamConfig};

use super::hold::Alarm;
use super::{AudioError, Direction, Format, InputDevice, OutputDevice, Stream, Tap, Voice};

/// A callback comes about so often a second, and cpal has the system buffer two of them: a fifth of a second, which a
/// busy machine may sleep through. Sound servers left to themselves hand out two seconds at once, ALSA a hundredth.
const CALLBACKS_A_SECOND: u32 = 10;
/// Callbacks' worth of sound that an output buffers: cpal asks for two, and one is being filled.
const BUFFERED: u64 = 3;
/// A sound server that does not answer is given up after this.
const OPEN_MAX: Duration = Duration::from_secs(5);

/// A device of the sound system, chosen by [`super::devices::choose`].
pub struct Device {
    pub(super) device: cpal::Device,
    pub(super) direction: Direction,
    pub(super) name: String,
}

impl Device {
    fn config(&self) -> Result<SupportedStreamConfig, AudioError> {
        let config = match self.direction {
            Direction::Input => self.device.default_input_config(),
            Direction::Output => self.device.default_output_config(),
        };
        config.map_err(|error| explained(&self.name, &error))
    }

    pub(super) fn any_format(&self) -> Result<Format, AudioError> {
        let config = self.config()?;
        Ok(Format { sample: config.sample_format(), rate: config.sample_rate(), channels: config.channels() })
    }

    /// With callbacks of a tenth of a second where the device takes such a one.
    fn stream_config(&self, format: Format) -> StreamConfig {
        let wanted = format.rate / CALLBACKS_A_SECOND;
        let buffer_size = match self.config().map(|config| *config.buffer_size()) {
            Ok(SupportedBufferSize::Range { min, max }) if (min..=max).contains(&wanted) => BufferSize::Fixed(wanted),
            _ => BufferSize::Default,
        };
        StreamConfig { channels: format.channels, sample_rate: format.rate, buffer_size }
    }

    fn on_error(&self, alarm: Alarm) -> impl FnMut(cpal::Error) + Send + 'static {
        let name = self.name.clone();
        move |error| match error.kind() {
            ErrorKind::Xrun => {
                tracing::debug!(device = %name, "samples were lost");
                alarm.gap();
            }
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => tracing::info!(device = %name, %error, "sound"),
            _ => alarm.raise(explained(&name, &error)),
        }
    }
}

impl InputDevice for Device {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn format(&self) -> Result<Format, AudioError> {
        self.any_format()
    }

    fn start(&self, format: Format, mut tap: Tap, alarm: Alarm) -> Result<Stream, AudioError> {
        #[cfg(target_os = "linux")]
        if let Ok(id) = self.device.id()
            && id.host() == cpal::HostId::PulseAudio
        {
            return super::pulse::start(id.id(), &self.name, format, tap, alarm);
        }
        let copy = move |data: &cpal::Data, _: &cpal::InputCallbackInfo| tap.give(data.bytes());
        let on_error = self.on_error(alarm);
        let config = self.stream_config(format);
        let stream = self.device.build_input_stream_raw(config, format.sample, copy, on_error, Some(OPEN_MAX));
        running(stream, &self.name)
    }
}

impl OutputDevice for Device {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn format(&self) -> Result<Format, AudioError> {
        self.any_format()
    }

    fn start(&self, format: Format, mut voice: Voice, alarm: Alarm) -> Result<Stream, AudioError> {
        let config = self.stream_config(format);
        let buffer = u64::from(format.rate / CALLBACKS_A_SECOND) * BUFFERED;
        let fill = move |data: &mut cpal::Data, info: &cpal::OutputCallbackInfo| {
            let times = info.timestamp();
            voice.take(data.bytes_mut(), times.playback.duration_since(times.callback), buffer);
        };
        let on_error = self.on_error(alarm);
        let stream = self.device.build_output_stream_raw(config, format.sample, fill, on_error, Some(OPEN_MAX));
        running(stream, &self.name)
    }
}

fn running(stream: Result<cpal::Stream, cpal::Error>, name: &str) -> Result<Stream, AudioError> {
    let stream = stream.map_err(|error| explained(name, &error))?;
    stream.play().map_err(|error| explained(name, &error))?;
    Ok(Box::new(stream))
}

/// cpal's error in our words.
pub(super) fn explained(device: &str, error: &cpal::Error) -> AudioError {
    let (device, why, after) = (device.to_owned(), error.to_string(), Duration::ZERO);
    match error.kind() {
        ErrorKind::DeviceBusy => AudioError::Busy { device },
        ErrorKind::PermissionDenied => AudioError::Denied { device, why },
        // a sound server that has ended, or has taken the stream away, is a device that is gone
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable => {
            AudioError::Gone { device, after, why }
        }
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => AudioError::Format { device, why },
        _ => AudioError::Other { device, after, why },
    }
}
