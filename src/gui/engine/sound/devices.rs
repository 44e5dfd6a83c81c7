//! Microphone and speaker, for the window: what they are at is looked at now and then, and told when it has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Out, Wanted};
use crate::gui::sound::{Clip, News, Wave};
use crate::gui::talk::Fault;
use crate::media::audio::{AudioError, Direction, Level, Player, RECORD_MAX, Recorder, Recording, devices};

/// A recording whose peak stays below this is told to be very quiet: -40 dB.
const QUIET_PEAK: f32 = 0.01;

/// How often the meter moves.
const LEVEL_EVERY: Duration = Duration::from_millis(55);
/// How often the place of what plays is told.
const PLACE_EVERY: Duration = Duration::from_millis(120);
/// Decibels below full scale where the meter begins.
const METER_FLOOR: f32 = -60.0;

/// Records until the clip is as long as it may be, or is to end; `None` when it is given up.
pub(super) async fn record(
    out: &Out,
    ticket: u64,
    device: Option<String>,
    mut finish: watch::Receiver<bool>,
) -> Result<Option<Arc<Clip>>, Fault> {
    let device = work(move || devices::choose(Direction::Input, device.as_deref()).map_err(fault)).await?;
    if finish.has_changed().is_err() {
        return Ok(None);
    }
    let recorder = Recorder::start(device, RECORD_MAX);
    let mut look = tokio::time::interval(LEVEL_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = (0, 0);
    while !recorder.is_finished() {
        tokio::select! {
            _ = look.tick() => {
                let now = (percent(recorder.level()), ms(recorder.recorded()));
                if now != told {
                    told = now;
                    out.sound(News::Level { ticket, level: now.0, recorded_ms: now.1 }).await;
                }
            }
            changed = finish.changed() => match changed {
                Ok(()) => recorder.stop(),
                // nobody wants it any more
                Err(_) => {
                    recorder.stop();
                    let _ = work(move || recorder.finish().map_err(fault)).await;
                    return Ok(None);
                }
            }
        }
    }
    work(move || clip(recorder.finish().map_err(fault)?).map(Some)).await
}

fn clip(recording: Recording) -> Result<Arc<Clip>, Fault> {
    let wave = Wave::of(&recording.wav).map_err(|error| Fault::of(&error))?;
    let (gaps, quiet) = (recording.gaps > 0, recording.level.peak < QUIET_PEAK);
    Ok(Arc::new(Clip { wav: recording.wav, wave, gaps, quiet }))
}

/// Plays until the end; false when it was not wanted that long.
pub(super) async fn play(
    out: &Out,
    ticket: u64,
    device: Option<String>,
    wav: impl FnOnce() -> Result<Vec<u8>, Fault> + Send + 'static,
    from_ms: u64,
    mut wanted: watch::Receiver<Wanted>,
) -> Result<bool, Fault> {
    if wanted.has_changed().is_err() {
        return Ok(false);
    }
    let from = Duration::from_millis(from_ms);
    let opening = move || {
        let wav = wav()?;
        let device = devices::choose(Direction::Output, device.as_deref()).map_err(fault)?;
        Player::start(device, &wav, from).map_err(fault)
    };
    let player = work(opening).await?;
    let mut look = tokio::time::interval(PLACE_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut done) = ((0, from_ms), Wanted::default());
    while !player.is_finished() {
        tokio::select! {
            _ = look.tick() => {
                let now = (done.seeks, ms(player.position()));
                if now != told {
                    told = now;
                    out.sound(News::At { ticket, seeks: now.0, position_ms: now.1 }).await;
                }
            }
            changed = wanted.changed() => {
                if changed.is_err() {
                    player.stop();
                    let _ = work(move || player.finish().map_err(fault)).await;
                    return Ok(false);
                }
                let now = *wanted.borrow_and_update();
                if now.seeks != done.seeks {
                    player.seek(Duration::from_millis(now.to_ms));
                }
                if now.paused { player.pause() } else { player.resume() }
                done = now;
            }
        }
    }
    work(move || player.finish().map_err(fault)).await?;
    Ok(true)
}

/// Sound servers, drivers and samples take their time.
async fn work<T: Send + 'static>(task: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(task).await.unwrap_or_else(|died| Err(Fault::of(&died)))
}

fn fault(error: AudioError) -> Fault {
    Fault::of(&error)
}

fn percent(level: Level) -> u8 {
    ((1.0 - level.rms_db().max(METER_FLOOR) / METER_FLOOR) * 100.0).clamp(0.0, 100.0) as u8
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_goes_from_silence_to_full_scale() {
        let of = |rms| percent(Level { peak: 1.0, rms });
        assert_eq!([of(0.0), of(0.001), of(0.031_623), of(1.0), of(2.0)], [0, 0, 50, 100, 100]);
    }
}
