//! Recording from a sound server by PulseAudio's protocol.
//!
//! cpal lists the server's devices and plays on them; its recordings have gaps. It has the server keep one fragment at
//! most for a client, so that the server drops, and tells nobody, what comes before that one is fetched: 3 % of the
//! samples where something with a buffer of half a second played on the recorded monitor. Left to its defaults it gets
//! two seconds at a time, which is no meter, and loses the end of a clip that is stopped. Here the server keeps as much
//! as it can and hands it out 20 times a second, and never puts another microphone in the place of one that is gone.

use std::ffi::CString;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use cpal::SampleFormat;
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{self, RecordStreamParams, SampleSpec, SourceInfo};
use pulseaudio::{Client, ClientError, RecordStream};

use super::hold::Alarm;
use super::stream::explained;
use super::{AudioError, Format, Stream, Tap};

/// Fragments that the server sends in a second: as often the meter moves.
const FRAGMENTS_A_SECOND: u32 = 20;
/// How often the server is asked whether the stream is there still: it does not tell by itself when a device goes.
const ASK: Duration = Duration::from_millis(250);

/// Opens the source of this name, called `device` in messages.
pub(super) fn start(
    source: &str,
    device: &str,
    format: Format,
    mut tap: Tap,
    alarm: Alarm,
) -> Result<Stream, AudioError> {
    let failed = |error: ClientError| explained(device, &cpal::Error::from(error));
    let unread = |why: String| AudioError::Format { device: device.to_owned(), why };
    let name = CString::new(source).map_err(|error| unread(error.to_string()))?;
    let sample = sample_format(format.sample).ok_or_else(|| unread(format!("samples of type {}", format.sample)))?;
    let (client, info) = find(name).map_err(failed)?;
    let channels = info.channel_map.num_channels();
    if u16::from(channels) != format.channels {
        return Err(unread(format!("it has changed to {channels} channels")));
    }
    let fragment = (format.rate / FRAGMENTS_A_SECOND).max(1) as usize * format.frame_bytes();
    let params = RecordStreamParams {
        sample_spec: SampleSpec { format: sample, channels, sample_rate: format.rate },
        channel_map: info.channel_map,
        source_index: Some(info.index),
        buffer_attr: BufferAttr {
            max_length: u32::MAX,
            fragment_size: u32::try_from(fragment).unwrap_or(u32::MAX),
            ..BufferAttr::default()
        },
        flags: StreamFlags { adjust_latency: true, no_move: true, ..StreamFlags::default() },
        ..RecordStreamParams::default()
    };
    let stream = block_on(client.create_record_stream(params, move |bytes: &[u8]| tap.give(bytes))).map_err(failed)?;
    Ok(Box::new(Open::new(stream, device.to_owned(), alarm)))
}

/// The client, and what the server says of the source.
///
/// There is one client for the life of the process, or of the server: the thread of a client that is dropped waits for
/// the server still, with its connection, and the server takes 64 of those.
fn find(source: CString) -> Result<(Client, SourceInfo), ClientError> {
    static KEPT: Mutex<Option<Client>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = kept.as_ref() {
        match block_on(client.source_info_by_name(source.clone())) {
            Ok(info) => return Ok((client.clone(), info)),
            // it answers, and has no such source
            Err(error @ ClientError::ServerError(_)) => return Err(error),
            Err(error) => tracing::info!(%error, "the connection to the sound server has ended"),
        }
    }
    let client = Client::from_env(c"miyu")?;
    *kept = Some(client.clone());
    let info = block_on(client.source_info_by_name(source))?;
    Ok((client, info))
}

fn sample_format(format: SampleFormat) -> Option<protocol::SampleFormat> {
    use protocol::SampleFormat as Server;
    let little = cfg!(target_endian = "little");
    Some(match format {
        SampleFormat::U8 => Server::U8,
        SampleFormat::I16 if little => Server::S16Le,
        SampleFormat::I16 => Server::S16Be,
        SampleFormat::I24 if little => Server::S24In32Le,
        SampleFormat::I24 => Server::S24In32Be,
        SampleFormat::I32 if little => Server::S32Le,
        SampleFormat::I32 => Server::S32Be,
        SampleFormat::F32 if little => Server::Float32Le,
        SampleFormat::F32 => Server::Float32Be,
        _ => return None,
    })
}

/// A stream, closed when this is dropped.
struct Open {
    closed: Arc<AtomicBool>,
    asking: Option<Thread>,
    _stream: RecordStream,
}

impl Open {
    fn new(stream: RecordStream, device: String, alarm: Alarm) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let (until, asked) = (closed.clone(), stream.clone());
        let ask = move || {
            while !until.load(Ordering::Acquire) {
                if let Err(error) = block_on(asked.timing_info()) {
                    if !until.load(Ordering::Acquire) {
                        alarm.raise(explained(&device, &cpal::Error::from(error)));
                    }
                    return;
                }
                thread::park_timeout(ASK);
            }
        };
        // without this thread a device that goes is found by its silence
        let asking = thread::Builder::new().name("sound server".to_owned()).spawn(ask).ok();
        Self { closed, asking: asking.map(|asking| asking.thread().clone()), _stream: stream }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        if let Some(asking) = &self.asking {
            asking.unpark();
        }
    }
}

/// The client's futures need no runtime: a thread of its own wakes them.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}
