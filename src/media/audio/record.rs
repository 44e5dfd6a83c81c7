//! A clip from a microphone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::convert::{CLIP_RATE, Mixer, frames_of, resample, time_of, to_wav};
use super::hold::{Alarm, Hold};
use super::level::{Gauge, Level, Meter};
use super::{AudioError, Direction, Format, InputDevice, Patience, RECORD_MAX, usable};

/// Bytes of a block on its way out of the callback.
const BLOCK_BYTES: usize = 8 * 1024;
/// The blocks hold this much sound: what the callback gives while nobody takes it.
const BLOCKS_HOLD: Duration = Duration::from_secs(2);
/// Memory for blocks at most, for devices with many channels and a high rate.
const BLOCKS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often the worker looks whether it is to stop when no samples come.
const LOOK: Duration = Duration::from_millis(20);

/// Where a device gives its samples. Copies them into blocks that were made beforehand; when none is free they are
/// lost, and counted.
pub struct Tap {
    free: Receiver<Vec<u8>>,
    full: SyncSender<Vec<u8>>,
    spare: Option<Vec<u8>>,
    block_bytes: usize,
    lost: Arc<AtomicU64>,
}

/// The other end of a [`Tap`].
pub(super) struct Blocks {
    pub(super) full: Receiver<Vec<u8>>,
    free: SyncSender<Vec<u8>>,
    pub(super) lost: Arc<AtomicU64>,
}

impl Tap {
    pub(super) fn new(format: Format) -> (Tap, Blocks) {
        let frame = format.frame_bytes();
        let block_bytes = (BLOCK_BYTES / frame).max(1) * frame;
        let wanted = usize::try_from(frames_of(BLOCKS_HOLD, format.rate)).unwrap_or(usize::MAX).saturating_mul(frame);
        let count = (wanted.min(BLOCKS_BYTES_MAX) / block_bytes).max(4);
        let (free, empty) = sync_channel(count);
        let (full, filled) = sync_channel(count);
        for _ in 0..count {
            let _ = free.try_send(Vec::with_capacity(block_bytes));
        }
        let lost = Arc::new(AtomicU64::new(0));
        let tap = Tap { free: empty, full, spare: None, block_bytes, lost: lost.clone() };
        (tap, Blocks { full: filled, free, lost })
    }

    /// Takes the bytes of whole frames.
    pub fn give(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let part = bytes.len().min(self.block_bytes);
            let (now, rest) = bytes.split_at(part);
            bytes = rest;
            let Some(mut block) = self.spare.take().or_else(|| self.free.try_recv().ok()) else {
                self.lost.fetch_add(part as u64, Ordering::Relaxed);
                continue;
            };
            block.clear();
            block.extend_from_slice(now);
            match self.full.try_send(block) {
                Ok(()) => {}
                Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) => {
                    self.lost.fetch_add(part as u64, Ordering::Relaxed);
                    self.spare = Some(block);
                }
            }
        }
    }
}

#[cfg(test)]
impl Tap {
    /// [`Tap::give`] by a device that waits for its samples to be taken, until nobody takes them any more.
    pub(super) fn give_all(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(self.block_bytes) {
            self.spare = self.spare.take().or_else(|| self.free.recv().ok());
            self.give(part);
        }
    }
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recording {
    /// A WAV file: 16 bits, one channel, [`CLIP_RATE`].
    pub wav: Vec<u8>,
    /// Its length.
    pub length: Duration,
    /// Its level as a whole.
    pub level: Level,
    /// What it was recorded from.
    pub device: String,
    /// How often samples were lost on the way, as far as the system tells.
    pub gaps: u32,
}

/// What the handle sees of the work.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    frames: AtomicU64,
    rate: AtomicU64,
    gauge: Gauge,
}

/// A recording under way.
///
/// It ends by itself when the clip has its full length, when the device fails, or when [`Recorder::stop`] asks for it.
/// Dropped, it is given up.
pub struct Recorder {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<Result<Recording, AudioError>>>,
    device: String,
}

impl Recorder {
    /// Begins to record at most `length`, itself [`RECORD_MAX`] at most.
    pub fn start(device: impl InputDevice, length: Duration) -> Recorder {
        Self::start_with(device, length, Patience::default())
    }

    /// [`Recorder::start`] with another patience.
    pub fn start_with(device: impl InputDevice, length: Duration, patience: Patience) -> Recorder {
        let shared = Arc::new(Shared::default());
        let name = device.name();
        let work = Work { shared: shared.clone(), name: name.clone(), length: length.min(RECORD_MAX), patience };
        let worker = thread::Builder::new().name("recorder".to_owned()).spawn(move || work.run(device)).ok();
        Recorder { shared, worker, device: name }
    }

    /// The level of the last twentieth of a second.
    pub fn level(&self) -> Level {
        self.shared.gauge.read()
    }

    /// How much is recorded.
    pub fn recorded(&self) -> Duration {
        let rate = u32::try_from(self.shared.rate.load(Ordering::Relaxed)).unwrap_or(0);
        time_of(self.shared.frames.load(Ordering::Relaxed), rate)
    }

    /// What it records from.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Whether [`Recorder::finish`] has something to say at once.
    pub fn is_finished(&self) -> bool {
        self.worker.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks it to end; what has been recorded is kept.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until it has ended, and gives the clip.
    ///
    /// # Errors
    /// What befell the device; [`AudioError::Silent`] when it gave nothing but one and the same value.
    pub fn finish(mut self) -> Result<Recording, AudioError> {
        let ended = self.worker.take().and_then(|worker| worker.join().ok());
        ended.unwrap_or_else(|| {
            let why = "no thread could do the work".to_owned();
            Err(AudioError::Other { device: self.device.clone(), after: Duration::ZERO, why })
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The work of one recording, on its thread.
struct Work {
    shared: Arc<Shared>,
    name: String,
    length: Duration,
    patience: Patience,
}

impl Work {
    fn run(self, device: impl InputDevice) -> Result<Recording, AudioError> {
        let alarm = Alarm::default();
        let (opened, opening) = sync_channel(1);
        let hold = Hold::open(&self.name, alarm.clone(), {
            let alarm = alarm.clone();
            move || {
                let format = usable(device.format()?, &device.name())?;
                let (tap, blocks) = Tap::new(format);
                let _ = opened.send((format, blocks));
                device.start(format, tap, alarm)
            }
        });
        let begun = Instant::now();
        let (format, blocks) = self.opened(&opening, &alarm, begun)?;
        let frames = usize::try_from(frames_of(self.length, format.rate)).unwrap_or(usize::MAX);
        let unread = || AudioError::Format { device: self.name.clone(), why: format!("samples of {}", format.sample) };
        let mut mixer = Mixer::new(&format, frames).ok_or_else(unread)?;
        self.shared.rate.store(u64::from(format.rate), Ordering::Relaxed);
        self.listen(&mut mixer, &format, &blocks, &alarm, begun)?;
        drop(hold);
        let lost = blocks.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(device = %self.name, bytes = lost, "samples were lost: this machine was too busy to take them");
        }
        self.clip(mixer, &format, alarm.gaps() + u32::from(lost > 0))
    }

    fn opened(
        &self,
        opening: &Receiver<(Format, Blocks)>,
        alarm: &Alarm,
        begun: Instant,
    ) -> Result<(Format, Blocks), AudioError> {
        loop {
            match opening.recv_timeout(LOOK) {
                Ok(opened) => return Ok(opened),
                Err(ended) => {
                    self.look(alarm, begun, Duration::ZERO, self.patience.first)?;
                    if ended == RecvTimeoutError::Disconnected {
                        // it has no format: the alarm says why in a moment
                        thread::sleep(LOOK);
                    }
                }
            }
            if self.shared.stop.load(Ordering::Relaxed) {
                return Err(AudioError::Nothing { device: self.name.clone() });
            }
        }
    }

    /// Whether there is reason to give up.
    fn look(&self, alarm: &Alarm, since: Instant, done: Duration, patience: Duration) -> Result<(), AudioError> {
        if let Some(error) = alarm.error() {
            return Err(error.at(done));
        }
        let waited = since.elapsed();
        if waited < patience {
            return Ok(());
        }
        let direction = Direction::Input;
        Err(AudioError::Stalled { device: self.name.clone(), direction, after: done, waited })
    }

    /// Takes samples until there are enough.
    fn listen(
        &self,
        mixer: &mut Mixer,
        format: &Format,
        blocks: &Blocks,
        alarm: &Alarm,
        begun: Instant,
    ) -> Result<(), AudioError> {
        let mut meter = Meter::new(self.shared.gauge.clone(), format.rate);
        let mut last = begun;
        while !mixer.is_full() && !self.shared.stop.load(Ordering::Relaxed) {
            match blocks.full.recv_timeout(LOOK) {
                Ok(block) => {
                    mixer.add(&block, &mut meter);
                    let _ = blocks.free.try_send(block);
                    last = Instant::now();
                    self.shared.frames.store(mixer.frames() as u64, Ordering::Relaxed);
                }
                Err(ended) => {
                    let done = time_of(mixer.frames() as u64, format.rate);
                    let patience = if done.is_zero() { self.patience.first } else { self.patience.next };
                    self.look(alarm, last, done, patience)?;
                    if ended == RecvTimeoutError::Disconnected {
                        // the device is closed and has said nothing: that is for the patience to end
                        thread::sleep(LOOK);
                    }
                }
            }
        }
        Ok(())
    }

    fn clip(self, mixer: Mixer, format: &Format, gaps: u32) -> Result<Recording, AudioError> {
        let Work { name: device, .. } = self;
        if mixer.frames() == 0 {
            return Err(AudioError::Nothing { device });
        }
        let heard = time_of(mixer.frames() as u64, format.rate);
        if mixer.is_silent() {
            return Err(AudioError::Silent { device, heard });
        }
        let failed = |device: &str, why| AudioError::Other { device: device.to_owned(), after: heard, why };
        let mut mono = resample(mixer.into_mono(), 1, format.rate, CLIP_RATE).map_err(|why| failed(&device, why))?;
        // a filter may swing a little over the full scale; the file cannot
        mono.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
        if mono.is_empty() {
            return Err(AudioError::Nothing { device });
        }
        let wav = to_wav(&mono).map_err(|why| failed(&device, why))?;
        // what rounds to nothing in 16 bits is silence too
        if !crate::media::clip::check(&wav).is_ok_and(|info| !info.silent) {
            return Err(AudioError::Silent { device, heard });
        }
        let length = time_of(mono.len() as u64, CLIP_RATE);
        Ok(Recording { wav, length, level: Level::of(&mono), device, gaps })
    }
}
