//! Whether the camera has pictures, and what viewers get while it has none.
//!
//! The capture thread says what it knows. A driver may hold that thread for ever, so a task beside it looks at the age
//! of the last picture, tells the camera's owner of each change, and draws the slates.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{Encoded, Feed};
use crate::media::{camera, jpeg};
use crate::node::shared::{Shared, now_us, steady_ms};
use crate::node::types::Event;
use crate::wire::limits::DETAIL_BYTES_MAX;
use crate::wire::{Lost, SizeClass};

/// A camera that gives no picture for this long has no signal. The slowest gives one a second.
const SILENCE_MAX_MS: u64 = 3_000;
/// The age of the last picture is looked at this often.
const LOOK: Duration = Duration::from_millis(250);
/// A slate goes out this often: a viewer for whom one was left out gets the next, and the seconds on it show that
/// only the camera stands still.
const SLATE_PERIOD: Duration = Duration::from_secs(1);
/// For viewers that come, a slate is drawn at once, but not more often than this.
const SLATE_PAUSE: Duration = Duration::from_millis(100);
const SLATE_QUALITY: u8 = 75;
/// The longer side of a slate, in pixels: it need not be as large as the largest camera's pictures.
const SLATE_SIDE_MAX: u32 = 1_920;
/// Bytes of a reason; what a viewer is told has room for it in a sentence.
const REASON_BYTES_MAX: usize = DETAIL_BYTES_MAX / 2;

/// Whether there are pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum State {
    /// The first attempt to open the source is under way.
    Opening,
    /// Pictures come.
    Live {
        /// What from, for people.
        source: String,
    },
    /// None come.
    Lost {
        /// What viewers hear.
        lost: Lost,
        /// The mend, for the camera's owner alone: it may name programs of this machine.
        hint: Option<String>,
    },
}

impl State {
    pub(in crate::node) fn lost(&self) -> Option<&Lost> {
        match self {
            Self::Lost { lost, .. } => Some(lost),
            Self::Opening | Self::Live { .. } => None,
        }
    }
}

impl Feed {
    /// Whether there are pictures, and each change of that.
    pub(in crate::node) fn signal(&self) -> watch::Receiver<State> {
        self.signal.subscribe()
    }

    pub(in crate::node) fn lost(&self) -> Option<Lost> {
        self.signal.borrow().lost().cloned()
    }

    /// Somebody waits for a slate.
    pub(in crate::node) fn want_slate(&self) {
        self.wanted.notify_one();
    }

    /// There are no pictures. The time stays that of the first reason.
    pub(super) fn lose(&self, reason: &str, hint: Option<String>) {
        let reason = bounded(reason);
        self.signal.send_if_modified(|state| {
            let since_us = match state.lost() {
                Some(lost) if lost.reason == reason => return false,
                Some(lost) => lost.since_us,
                None => now_us(),
            };
            *state = State::Lost { lost: Lost { reason, since_us }, hint };
            true
        });
    }

    /// A picture has come.
    pub(super) fn found(&self, source: impl FnOnce() -> String) {
        if !matches!(*self.signal.borrow(), State::Live { .. }) {
            self.signal.send_replace(State::Live { source: source() });
        }
    }

    /// Takes a picture that has not come for too long as a lost signal.
    fn judge(&self) {
        let age_ms = steady_ms(self.start).saturating_sub(self.picture_ms.load(Ordering::Relaxed));
        if age_ms > SILENCE_MAX_MS && self.lost().is_none() {
            self.lose(&format!("the camera has given no picture for {} s", SILENCE_MAX_MS / 1_000), None);
        }
    }

    /// Puts a slate into every class that somebody follows. Draws and encodes: not for an async thread.
    fn show_slate(&self) {
        let Some(lost) = self.lost() else { return };
        for size in [SizeClass::Full, SizeClass::Half, SizeClass::Quarter] {
            let class = self.class(size);
            if class.receiver_count() == 0 {
                continue;
            }
            let Some(slate) = slate(self.size(size), &lost) else { continue };
            // A picture that has come meanwhile is not covered.
            class.send_if_modified(|newest| {
                let shows = self.lost().is_some() && !self.is_stopped();
                if shows {
                    *newest = Some(Arc::new(slate));
                }
                shows
            });
        }
    }
}

fn slate((width, height): (u32, u32), lost: &Lost) -> Option<Encoded> {
    let longer = width.max(height);
    let fit = |side: u32| match longer > SLATE_SIDE_MAX {
        true => u32::try_from(u64::from(side) * u64::from(SLATE_SIDE_MAX) / u64::from(longer)).unwrap_or(side).max(1),
        false => side,
    };
    let now = now_us();
    let rgb = camera::slate(fit(width), fit(height), &lost.reason, lost.since_us, now);
    let jpeg = jpeg::encode(&rgb, SLATE_QUALITY).inspect_err(|error| warn!(%error, "no slate")).ok()?;
    Some(Encoded {
        seq: 0,
        captured_at_us: now,
        encoded_at_us: now_us(),
        width: rgb.width,
        height: rgb.height,
        jpeg: jpeg.into(),
        slate: true,
    })
}

/// At most [`REASON_BYTES_MAX`] bytes, cut between characters.
fn bounded(reason: &str) -> String {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

/// Ends the feed with its task, however that ends.
struct Ends(Arc<Feed>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Watches over a feed until it or the node ends.
pub(super) async fn attend(shared: Arc<Shared>, feed: Arc<Feed>, source: String) {
    let ends = Ends(feed);
    let feed = &ends.0;
    let mut signal = feed.signal();
    signal.mark_changed();
    let mut stop = feed.stop.subscribe();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = Instant::now();
    loop {
        let mut due = tokio::select! {
            _ = looks.tick() => {
                feed.judge();
                shown.elapsed() >= SLATE_PERIOD
            }
            _ = signal.changed() => {
                tell(&shared, &source, &signal.borrow_and_update());
                true
            }
            () = feed.wanted.notified() => true,
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.stopped() => return,
        };
        due &= feed.lost().is_some();
        if due {
            let drawn = feed.clone();
            let _ = tokio::task::spawn_blocking(move || drawn.show_slate()).await;
            shown = Instant::now();
            tokio::time::sleep(SLATE_PAUSE).await;
        }
    }
}

/// Tells the camera's owner.
fn tell(shared: &Shared, source: &str, state: &State) {
    let (source, problem, hint) = match state {
        State::Opening => return,
        State::Live { source } => {
            info!(%source, "the camera has a signal");
            (source.clone(), None, None)
        }
        State::Lost { lost, hint } => {
            warn!(%source, reason = %lost.reason, hint, "the camera has no signal");
            (source.to_owned(), Some(lost.reason.clone()), hint.clone())
        }
    };
    shared.emit(Event::Camera { source, problem, hint });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn feed(width: u32, height: u32) -> Feed {
        Feed::new(Shape { width, height, fps: 30.0 })
    }

    #[test]
    fn the_time_is_that_of_the_first_reason_and_each_reason_is_told_once() {
        let feed = feed(64, 48);
        let mut signal = feed.signal();
        feed.lose("unplugged", None);
        let first = feed.lost().unwrap();
        assert!(signal.has_changed().unwrap());
        signal.mark_unchanged();
        feed.lose("unplugged", None);
        assert!(!signal.has_changed().unwrap(), "nothing new");
        feed.lose("busy", Some("end the other program".into()));
        let lost = Lost { reason: "busy".into(), since_us: first.since_us };
        assert_eq!(*signal.borrow(), State::Lost { lost, hint: Some("end the other program".into()) });
        feed.found(|| "a camera".into());
        assert_eq!(*signal.borrow_and_update(), State::Live { source: "a camera".into() });
        feed.found(|| unreachable!("described once"));
        assert!(!signal.has_changed().unwrap());
    }

    #[test]
    fn a_slate_is_as_large_as_the_pictures_within_reason_and_covers_none_that_came() {
        let feed = feed(7_680, 4_320);
        let (mut full, mut quarter) = (feed.follow(SizeClass::Full), feed.follow(SizeClass::Quarter));
        feed.show_slate();
        assert!(!full.has_changed().unwrap(), "there may be pictures soon");
        feed.lose(&"设备".repeat(1_000), None);
        assert!(feed.lost().unwrap().reason.len() <= REASON_BYTES_MAX);
        feed.show_slate();
        let (large, small) = (full.borrow_and_update().clone().unwrap(), quarter.borrow_and_update().clone().unwrap());
        assert_eq!((large.width, large.height, small.width, small.height), (1_920, 1_080, 1_920, 1_080));
        assert!(large.slate && jpeg::decode(&large.jpeg).unwrap().width == 1_920);
        feed.found(String::new);
        feed.show_slate();
        assert!(!full.has_changed().unwrap());
    }

    #[test]
    fn silence_is_a_lost_signal_and_a_reason_that_is_known_stays() {
        let feed = feed(64, 48);
        feed.judge();
        assert!(feed.lost().is_none(), "not yet");
        let mut feed = feed;
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_millis(SILENCE_MAX_MS + 1_000)) else { return };
        feed.start = long_ago;
        feed.judge();
        assert!(feed.lost().unwrap().reason.contains("3 s"));
        feed.lose("the cable", None);
        feed.judge();
        assert_eq!(feed.lost().unwrap().reason, "the cable");
        feed.picture_ms.store(steady_ms(feed.start), Ordering::Relaxed);
        feed.found(String::new);
        feed.judge();
        assert!(feed.lost().is_none());
    }
}
