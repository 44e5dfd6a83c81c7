//! What is seen of a peer's camera. A [`Screen`] stands between whoever decodes its pictures and whoever draws them: it
//! has one place, the newest picture takes it, and neither side waits for the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use egui::ColorImage;

use crate::gui::talk::Fault;
use crate::identity::PeerId;

/// Cameras that are watched at one time, those in the list too.
pub const CAMERAS_MAX: usize = 16;
/// Pixels of each side of a picture that is drawn, where the graphics card takes as many.
pub const SIDE_MAX: u32 = 4_096;

/// How large and how often a camera is watched, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Beside the name in the list: small, once a second.
    Thumbnail,
    /// One of many.
    Quarter,
    /// One of a few.
    Half,
    /// All there is.
    Full,
}

/// A camera that is to be watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Whose.
    pub peer: PeerId,
    /// How.
    pub quality: Quality,
    /// Pixels of each side that can be drawn; a larger picture is decoded at half, a quarter or an eighth of its size.
    pub side_max: u32,
    /// Where its pictures go.
    pub screen: Arc<Screen>,
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        let how = |watch: &Self| (watch.peer, watch.quality, watch.side_max);
        how(self) == how(other) && Arc::ptr_eq(&self.screen, &other.screen)
    }
}

/// What is known of a picture beside its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The capture's number.
    pub seq: u64,
    /// Pixels of the JPEG.
    pub width: u32,
    /// Pixels of the JPEG.
    pub height: u32,
    /// From capture to the finished JPEG, microseconds.
    pub encode_us: u64,
    /// From capture to the last byte here, microseconds, by the clocks' estimated offset.
    pub latency_us: i64,
    /// How far off that may be, microseconds; the largest number where nothing is known.
    pub error_us: u64,
    /// When it was whole here.
    pub arrived: Instant,
    /// When its pixels were made.
    pub decoded: Instant,
}

/// A picture to be drawn.
#[derive(Clone)]
pub struct Shot {
    /// What is known of it.
    pub facts: Facts,
    /// Its pixels.
    pub image: Arc<ColorImage>,
    /// As it came.
    pub jpeg: Bytes,
}

// what is seen stays out of logs
impl std::fmt::Debug for Shot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shot({}, {} bytes)", self.facts.seq, self.jpeg.len())
    }
}

/// Whether there are pictures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sight {
    /// The watch is being opened.
    #[default]
    Opening,
    /// They come.
    Live,
    /// They do not; they are tried again.
    Lost {
        /// Since when, in ms since 1970.
        since_ms: i64,
        /// Why, where that is known.
        fault: Option<Fault>,
    },
}

/// Counts of a watch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Thousandths of a picture a second that came of late.
    pub fps_milli: u32,
    /// Pictures that came.
    pub received: u64,
    /// Pictures that never came whole.
    pub lost: u64,
    /// Pictures that came after their time.
    pub late: u64,
}

/// The place for the newest picture of a camera.
#[derive(Default)]
pub struct Screen(Mutex<Held>);

#[derive(Default)]
struct Held {
    shot: Option<Shot>,
    sight: Sight,
    counts: Counts,
}

// what is seen stays out of logs
impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

impl Screen {
    /// A picture was decoded; one that nobody has drawn makes room for it. Whether somebody has to be woken for it: not
    /// where he was for the one before and has not come yet.
    pub fn put(&self, shot: Shot, counts: Counts) -> bool {
        let mut held = self.held();
        let was_live = held.sight == Sight::Live;
        (held.sight, held.counts) = (Sight::Live, counts);
        held.shot.replace(shot).is_none() || !was_live
    }

    /// There are no pictures for now. Where there were none before, they are gone since then. Whether that is news.
    pub fn lose(&self, since_ms: i64, fault: Option<Fault>) -> bool {
        let mut held = self.held();
        let since_ms = match &held.sight {
            Sight::Lost { since_ms: before, .. } => since_ms.min(*before),
            Sight::Opening | Sight::Live => since_ms,
        };
        let lost = Sight::Lost { since_ms, fault };
        let is_news = held.sight != lost;
        held.sight = lost;
        is_news
    }

    /// The newest picture, once.
    pub fn take(&self) -> Option<Shot> {
        self.held().shot.take()
    }

    /// Whether there are pictures, and how many there were.
    pub fn state(&self) -> (Sight, Counts) {
        let held = self.held();
        (held.sight.clone(), held.counts)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A picture is whole or not there, whoever has panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a picture took on its way, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// From capture to JPEG.
    pub encoded: i64,
    /// From there to the last byte here.
    pub received: i64,
    /// How far off that may be; none where the clocks were not compared.
    pub error: Option<u64>,
    /// From there to pixels.
    pub decoded: i64,
    /// From there to the window.
    pub drawn: i64,
    /// All of it.
    pub whole: i64,
}

impl Facts {
    /// The stages of a picture that was drawn then.
    pub fn stages(&self, drawn: Instant) -> Stages {
        let us = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let encode_us = i64::try_from(self.encode_us).unwrap_or(i64::MAX);
        let decode_us = us(self.decoded.saturating_duration_since(self.arrived));
        let draw_us = us(drawn.saturating_duration_since(self.decoded));
        let whole_us = self.latency_us.saturating_add(decode_us).saturating_add(draw_us);
        let ms = |us: i64| us.saturating_add(500).div_euclid(1_000);
        Stages {
            encoded: ms(encode_us),
            received: ms(self.latency_us.saturating_sub(encode_us)),
            error: (self.error_us < u64::MAX).then_some(self.error_us.div_ceil(1_000)),
            decoded: ms(decode_us),
            drawn: ms(draw_us),
            whole: ms(whole_us),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn shot(seq: u64) -> Shot {
        let now = Instant::now();
        let facts = Facts {
            seq,
            width: 2,
            height: 1,
            encode_us: 3_000,
            latency_us: 11_400,
            error_us: 900,
            arrived: now,
            decoded: now + Duration::from_millis(4),
        };
        Shot { facts, image: Arc::new(ColorImage::default()), jpeg: Bytes::from_static(b"jpeg") }
    }

    #[test]
    fn the_newest_picture_takes_the_place_of_one_that_nobody_has_drawn() {
        let screen = Screen::default();
        let before = shot(1);
        let held = Arc::downgrade(&before.image);
        assert!(screen.put(before, Counts::default()), "somebody is woken");
        for seq in 2..100 {
            assert!(!screen.put(shot(seq), Counts::default()), "once");
        }
        assert!(held.upgrade().is_none(), "what nobody has drawn is let go");
        assert_eq!(screen.take().unwrap().facts.seq, 99);
        assert!(screen.take().is_none(), "a picture is drawn once");
        assert!(screen.put(shot(100), Counts::default()));
    }

    #[test]
    fn a_loss_is_as_old_as_the_first_word_of_it_and_ends_with_the_next_picture() {
        let screen = Screen::default();
        let fault = |text: &str| Some(Fault::new(text, None));
        screen.put(shot(1), Counts::default());
        assert!(screen.lose(500, fault("unplugged")));
        assert!(screen.lose(900, fault("the link is gone")));
        assert!(!screen.lose(1_300, fault("the link is gone")), "nobody is woken for what he knows");
        assert_eq!(screen.state().0, Sight::Lost { since_ms: 500, fault: fault("the link is gone") });
        assert!(screen.put(shot(2), Counts::default()), "the end of a loss is shown, drawn or not");
        assert_eq!(screen.state().0, Sight::Live);
        screen.lose(2_000, fault("unplugged"));
        assert!(matches!(screen.state().0, Sight::Lost { since_ms: 2_000, .. }));
    }

    #[test]
    fn the_stages_add_up() {
        let facts = shot(1).facts;
        let stages = facts.stages(facts.decoded + Duration::from_millis(7));
        let sum = stages.encoded + stages.received + stages.decoded + stages.drawn;
        assert_eq!((stages.encoded, stages.received, stages.decoded, stages.drawn), (3, 8, 4, 7));
        assert_eq!((stages.whole, stages.error), (22, Some(1)));
        assert_eq!(sum, stages.whole);
        let wild = Facts { encode_us: u64::MAX, latency_us: i64::MIN, error_us: u64::MAX, ..facts };
        // drawn before it was decoded, by a clock that stood still
        assert_eq!((wild.stages(facts.arrived).error, wild.stages(facts.arrived).drawn), (None, 0));
    }
}
