//! A clip to a speaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::convert::{encoder, frames_at, frames_of, resample, time_of};
use super::hold::{Alarm, Hold};
use super::{AudioError, Direction, Format, OutputDevice, Patience, usable};
use crate::media::clip::{self, ClipInfo};

/// How often the worker looks whether the clip has ended.
const LOOK: Duration = Duration::from_millis(20);
/// No seek is asked for.
const NOWHERE: u64 = u64::MAX;

/// What a [`Player`] is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The device is not open yet, or the clip is being made ready.
    Opening,
    /// It plays.
    Playing,
    /// It is paused: the device is given silence.
    Paused,
    /// The last sample has been played, or [`Player::stop`] was asked for.
    Ended,
    /// The device has failed; [`Player::finish`] says why.
    Failed,
}

/// What the handle, the worker and the callback tell each other. Places are in frames of the device's rate.
struct Shared {
    rate: AtomicU64,
    /// The next frame for the device.
    next: AtomicU64,
    /// Frames that the device holds and has not played.
    queued: AtomicU64,
    /// Where to go on, or [`NOWHERE`]; in microseconds, as the rate may not be known yet.
    seek: AtomicU64,
    paused: AtomicBool,
    stop: AtomicBool,
    ended: AtomicBool,
    /// How often the device has asked.
    asked: AtomicU64,
}

/// Where a device takes its samples from.
pub struct Voice {
    shared: Arc<Shared>,
    samples: Arc<[f32]>,
    clip_channels: usize,
    format: Format,
    encode: fn(f32, &mut [u8]),
    drain: Option<Drain>,
}

/// After the last frame of the clip: a device that has asked for as many frames as it held has played those.
struct Drain {
    wanted: u64,
    given: u64,
}

impl Voice {
    fn frames(&self) -> u64 {
        (self.samples.len() / self.clip_channels) as u64
    }

    /// Fills `bytes`, whole frames. `latency` is the time until the first of them is heard, as far as the system
    /// knows; `buffer` is what the device buffers at least, in frames.
    pub fn take(&mut self, bytes: &mut [u8], latency: Duration, buffer: u64) {
        let shared = self.shared.clone();
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let frame_bytes = self.format.frame_bytes();
        let (wanted, end) = ((bytes.len() / frame_bytes) as u64, self.frames());
        let seek = shared.seek.swap(NOWHERE, Ordering::AcqRel);
        if seek != NOWHERE {
            shared.next.store(frames_of(Duration::from_micros(seek), self.format.rate).min(end), Ordering::Relaxed);
            shared.queued.store(0, Ordering::Relaxed);
            self.drain = None;
        }
        let next = shared.next.load(Ordering::Relaxed);
        let paused = shared.paused.load(Ordering::Relaxed);
        let playing = if paused { 0 } else { wanted.min(end - next.min(end)) };
        for (index, frame) in (0u64..).zip(bytes.chunks_exact_mut(frame_bytes)) {
            self.put((index < playing).then_some(next + index), frame);
        }
        shared.next.store(next + playing, Ordering::Relaxed);
        // what the device says it holds is an estimate; its buffer it fills in any case
        let held = frames_of(latency, self.format.rate);
        let queued = match &mut self.drain {
            Some(drain) => {
                if drain.given >= drain.wanted {
                    shared.ended.store(true, Ordering::Release);
                }
                let left = drain.wanted.saturating_sub(drain.given);
                drain.given += wanted;
                left
            }
            None if playing > 0 => held + playing,
            None => shared.queued.load(Ordering::Relaxed).saturating_sub(wanted),
        };
        shared.queued.store(queued, Ordering::Relaxed);
        if next + playing >= end && !paused && self.drain.is_none() {
            self.drain = Some(Drain { wanted: held.max(buffer) + playing, given: wanted });
        }
    }

    /// Frame `place` of the clip, or silence, in the device's format: one channel goes to the first two.
    fn put(&self, place: Option<u64>, frame: &mut [u8]) {
        let at = place.map_or(usize::MAX, |place| place as usize * self.clip_channels);
        let (left, right) = match self.samples.get(at..).unwrap_or_default() {
            [left, right, ..] if self.clip_channels == 2 => (*left, *right),
            [one, ..] => (*one, *one),
            [] => (0.0, 0.0),
        };
        let sample_bytes = self.format.sample.sample_size();
        for (channel, bytes) in frame.chunks_exact_mut(sample_bytes).enumerate() {
            let sample = match (channel, self.format.channels) {
                (0, 1) => (left + right) / 2.0,
                (0, _) => left,
                (1, _) => right,
                _ => 0.0,
            };
            (self.encode)(sample, bytes);
        }
    }
}

/// A clip that is played.
///
/// It ends by itself when the last sample has been played, or the device fails. Dropped, it stops.
pub struct Player {
    shared: Arc<Shared>,
    alarm: Alarm,
    worker: Option<JoinHandle<Result<(), AudioError>>>,
    info: ClipInfo,
    device: String,
}

impl Player {
    /// Begins to play a WAV file at `from`.
    ///
    /// # Errors
    /// When it is no clip that [`clip::check`] accepts. What befalls the device is told by [`Player::finish`].
    pub fn start(device: impl OutputDevice, wav: &[u8], from: Duration) -> Result<Player, AudioError> {
        Self::start_with(device, wav, from, Patience::default())
    }

    /// [`Player::start`] with another patience.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(
        device: impl OutputDevice,
        wav: &[u8],
        from: Duration,
        patience: Patience,
    ) -> Result<Player, AudioError> {
        let (info, samples) = clip::decode(wav)?;
        let shared = Arc::new(Shared {
            rate: AtomicU64::new(0),
            next: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            seek: AtomicU64::new(NOWHERE),
            paused: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            asked: AtomicU64::new(0),
        });
        let alarm = Alarm::default();
        let name = device.name();
        let work = Work { shared: shared.clone(), alarm: alarm.clone(), name: name.clone(), info, patience };
        let mut player = Player { shared, alarm, worker: None, info, device: name };
        player.seek(from);
        player.worker = thread::Builder::new().name("player".to_owned()).spawn(move || work.run(device, samples)).ok();
        Ok(player)
    }

    /// What is being heard, as far as the system tells.
    pub fn position(&self) -> Duration {
        let seek = self.shared.seek.load(Ordering::Acquire);
        if seek != NOWHERE {
            return Duration::from_micros(seek).min(self.duration());
        }
        let rate = u32::try_from(self.shared.rate.load(Ordering::Relaxed)).unwrap_or(0);
        let heard = self.shared.next.load(Ordering::Relaxed).saturating_sub(self.shared.queued.load(Ordering::Relaxed));
        time_of(heard, rate).min(self.duration())
    }

    /// How long the clip is.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.info.duration_ms)
    }

    /// What is known of the clip.
    pub fn info(&self) -> ClipInfo {
        self.info
    }

    /// What it is played on.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Keeps the place, and gives the device silence.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
    }

    /// Goes on after [`Player::pause`].
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Goes on at `to`, or at the end if that is beyond it.
    pub fn seek(&self, to: Duration) {
        let micros = u64::try_from(to.min(self.duration()).as_micros()).unwrap_or(0);
        self.shared.seek.store(micros, Ordering::Release);
    }

    /// Ends it at once.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// What it is at.
    pub fn state(&self) -> State {
        let read = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        if self.alarm.error().is_some() {
            State::Failed
        } else if read(&self.shared.ended) || read(&self.shared.stop) || self.is_finished() {
            State::Ended
        } else if self.shared.asked.load(Ordering::Relaxed) == 0 {
            State::Opening
        } else if read(&self.shared.paused) {
            State::Paused
        } else {
            State::Playing
        }
    }

    /// Whether [`Player::finish`] has something to say at once.
    pub fn is_finished(&self) -> bool {
        self.worker.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the clip has been played to its end, or was stopped.
    ///
    /// # Errors
    /// What befell the device.
    pub fn finish(mut self) -> Result<(), AudioError> {
        let ended = self.worker.take().and_then(|worker| worker.join().ok());
        ended.unwrap_or_else(|| {
            let why = "no thread could do the work".to_owned();
            Err(AudioError::Other { device: self.device.clone(), after: Duration::ZERO, why })
        })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The work of playing one clip, on its thread.
struct Work {
    shared: Arc<Shared>,
    alarm: Alarm,
    name: String,
    info: ClipInfo,
    patience: Patience,
}

impl Work {
    fn run(self, device: impl OutputDevice, samples: Vec<f32>) -> Result<(), AudioError> {
        let (opened, opening) = sync_channel(1);
        let (info, shared) = (self.info, self.shared.clone());
        let hold = Hold::open(&self.name, self.alarm.clone(), {
            let alarm = self.alarm.clone();
            move || {
                let name = device.name();
                let format = usable(device.format()?, &name)?;
                let voice =
                    voice(info, samples, format, shared).map_err(|why| AudioError::Format { device: name, why })?;
                let _ = opened.send(format);
                device.start(format, voice, alarm)
            }
        });
        let outcome = self.watch(&opening);
        if let Err(error) = &outcome {
            self.alarm.raise(error.clone());
        }
        drop(hold);
        outcome
    }

    fn watch(&self, opening: &Receiver<Format>) -> Result<(), AudioError> {
        let (mut asked, mut last) = (0, Instant::now());
        loop {
            match opening.recv_timeout(LOOK) {
                Ok(format) => {
                    self.shared.rate.store(u64::from(format.rate), Ordering::Relaxed);
                    last = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
            }
            if self.shared.ended.load(Ordering::Acquire) || self.shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let rate = u32::try_from(self.shared.rate.load(Ordering::Relaxed)).unwrap_or(0);
            let queued = self.shared.queued.load(Ordering::Relaxed);
            let played = time_of(self.shared.next.load(Ordering::Relaxed).saturating_sub(queued), rate);
            if let Some(error) = self.alarm.error() {
                return Err(error.at(played));
            }
            let now = self.shared.asked.load(Ordering::Relaxed);
            if now != asked {
                (asked, last) = (now, Instant::now());
            }
            let waited = last.elapsed();
            if waited >= (if asked == 0 { self.patience.first } else { self.patience.next }) {
                let direction = Direction::Output;
                return Err(AudioError::Stalled { device: self.name.clone(), direction, after: played, waited });
            }
        }
    }
}

/// The clip at the device's rate.
fn voice(info: ClipInfo, samples: Vec<f32>, format: Format, shared: Arc<Shared>) -> Result<Voice, String> {
    let channels = usize::from(info.channels.max(1));
    let frames = samples.len() / channels;
    let samples = resample(samples, channels, info.sample_rate, format.rate)?;
    debug_assert_eq!(samples.len(), frames_at(frames, info.sample_rate, format.rate) * channels);
    let encode = encoder(format.sample).ok_or_else(|| format!("samples of {}", format.sample))?;
    Ok(Voice { shared, samples: samples.into(), clip_channels: channels, format, encode, drain: None })
}
