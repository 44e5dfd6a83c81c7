//! Devices for tests: they give what they are told, in the pieces that they are told, and fail when they are told.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{Alarm, AudioError, Format, InputDevice, OutputDevice, Patience, Stream, Tap, Voice};

/// Long enough for a loaded machine that does something, for tests where it does.
pub(super) const LONG: Patience = Patience { first: Duration::from_secs(60), next: Duration::from_secs(60) };
/// For tests where it does nothing.
pub(super) const SHORT: Patience = Patience { first: Duration::from_millis(60), next: Duration::from_millis(60) };

/// What happens after the last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing more comes.
    Stalls,
    /// The device is pulled out.
    Dies,
}

/// A microphone with these bytes.
pub(super) struct Microphone {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
    /// Lengths of the pieces in frames, over and over.
    pub(super) pieces: Vec<usize>,
    pub(super) after: After,
}

pub(super) fn gone() -> AudioError {
    AudioError::Gone { device: "fake".to_owned(), after: Duration::ZERO, why: "pulled out".to_owned() }
}

impl InputDevice for Microphone {
    fn name(&self) -> String {
        "fake".to_owned()
    }

    fn format(&self) -> Result<Format, AudioError> {
        Ok(self.format)
    }

    fn start(&self, format: Format, mut tap: Tap, alarm: Alarm) -> Result<Stream, AudioError> {
        let (bytes, pieces, after) = (self.bytes.clone(), self.pieces.clone(), self.after);
        thread::spawn(move || {
            let mut rest = bytes.as_slice();
            for frames in pieces.iter().cycle() {
                let (now, later) = rest.split_at((frames * format.frame_bytes()).min(rest.len()));
                tap.give_all(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            match after {
                // a tap that is dropped is a stream that is closed
                After::Stalls => thread::sleep(Duration::from_secs(5)),
                After::Dies => alarm.raise(gone()),
            }
        });
        Ok(Box::new(()))
    }
}

/// A speaker that takes pieces of so many frames when the test says so.
pub(super) struct Speaker {
    pub(super) format: Format,
    pub(super) latency: Duration,
    pub(super) buffer: u64,
    pub(super) turns: Mutex<Option<Receiver<usize>>>,
    pub(super) taken: SyncSender<Vec<u8>>,
    pub(super) alarm: Arc<Mutex<Option<Alarm>>>,
}

/// The test's end of a [`Speaker`].
pub(super) struct Ear {
    turns: SyncSender<usize>,
    taken: Receiver<Vec<u8>>,
    pub(super) alarm: Arc<Mutex<Option<Alarm>>>,
}

impl Speaker {
    pub(super) fn new(format: Format, latency: Duration, buffer: u64) -> (Speaker, Ear) {
        let (turns, turned) = sync_channel(0);
        let (taken, heard) = sync_channel(1);
        let alarm = Arc::new(Mutex::new(None));
        let speaker = Speaker { format, latency, buffer, turns: Mutex::new(Some(turned)), taken, alarm: alarm.clone() };
        (speaker, Ear { turns, taken: heard, alarm })
    }
}

impl Ear {
    /// Lets the device take `frames` frames, and gives what it took.
    pub(super) fn take(&self, frames: usize) -> Vec<u8> {
        self.turns.send(frames).unwrap();
        self.taken.recv().unwrap()
    }
}

impl OutputDevice for Speaker {
    fn name(&self) -> String {
        "fake".to_owned()
    }

    fn format(&self) -> Result<Format, AudioError> {
        Ok(self.format)
    }

    fn start(&self, format: Format, mut voice: Voice, alarm: Alarm) -> Result<Stream, AudioError> {
        let (turns, taken) = (self.turns.lock().unwrap().take().unwrap(), self.taken.clone());
        let (latency, buffer) = (self.latency, self.buffer);
        *self.alarm.lock().unwrap() = Some(alarm);
        thread::spawn(move || {
            for frames in turns {
                // what stands there before is not silence
                let mut bytes = vec![0x55; frames * format.frame_bytes()];
                voice.take(&mut bytes, latency, buffer);
                if taken.send(bytes).is_err() {
                    return;
                }
            }
        });
        Ok(Box::new(()))
    }
}
