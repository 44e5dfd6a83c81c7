//! Keeping a stream open: on a thread of its own, as opening and closing may hang in a driver or a sound server.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{AudioError, Stream};

/// A device that takes longer to close is left to itself.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Where a device tells that it has failed. The first failure counts.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    raised: Arc<Mutex<Option<AudioError>>>,
    gaps: Arc<AtomicU32>,
}

impl Alarm {
    /// The device is of no more use.
    pub fn raise(&self, error: AudioError) {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Samples were lost, others will come.
    pub fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn error(&self) -> Option<AudioError> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn gaps(&self) -> u32 {
        self.gaps.load(Ordering::Relaxed)
    }
}

/// A device that is open, or on its way there.
pub(super) struct Hold {
    close: Option<SyncSender<()>>,
    closed: Receiver<()>,
}

impl Hold {
    /// Opens a device and keeps it open until this is dropped; when that fails, the alarm says so.
    pub(super) fn open(
        name: &str,
        alarm: Alarm,
        open: impl FnOnce() -> Result<Stream, AudioError> + Send + 'static,
    ) -> Self {
        let (close, until) = sync_channel::<()>(0);
        let (done, closed) = sync_channel(1);
        let (told, device) = (alarm.clone(), name.to_owned());
        let work = move || {
            #[cfg(target_os = "linux")]
            let _quiet = super::alsa::Quiet::new();
            // what a sound library does not expect must not be taken for a device that is slow to open
            let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
                let why = "its sound system gave an answer that is not understood".to_owned();
                Err(AudioError::Other { device, after: Duration::ZERO, why })
            });
            match opened {
                // until the other end is dropped
                Ok(stream) => drop((until.recv(), stream)),
                Err(error) => alarm.raise(error),
            }
            let _ = done.send(());
        };
        if let Err(error) = thread::Builder::new().name("sound device".to_owned()).spawn(work) {
            told.raise(AudioError::Other { device: name.to_owned(), after: Duration::ZERO, why: error.to_string() });
        }
        Self { close: Some(close), closed }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.close = None;
        // so that it can be opened again at once by whoever comes next
        let _ = self.closed.recv_timeout(CLOSE_MAX);
    }
}
