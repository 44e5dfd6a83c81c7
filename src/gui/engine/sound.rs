//! Clips: recorded and played on threads of their own, and their forms. One is recorded and one is played at most.

#[cfg(not(feature = "audio"))]
mod absent;
#[cfg(feature = "audio")]
mod devices;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore, watch};

#[cfg(not(feature = "audio"))]
use absent as devices;

use super::Out;
use crate::config::SoundSettings;
use crate::gui::said::Said;
use crate::gui::sound::{Ask, Clip, News, Track, Wave};
use crate::gui::talk::{self, Fault};
use crate::identity::PeerId;
use crate::node::history::{History, StoreError, Target};
use crate::node::limits::CLIP_BYTES_MAX;

/// What is wanted of the clip that plays; dropped, it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wanted {
    paused: bool,
    to_ms: u64,
    /// How often another place was wanted.
    seeks: u64,
}

/// What a recording is to do; dropped, it is given up.
type Finish = watch::Sender<bool>;

/// All that sounds.
pub(super) struct Sound {
    history: History,
    out: Out,
    decoders: Arc<Semaphore>,
    /// Those of the table.
    pub(super) devices: SoundSettings,
    recording: Option<Finish>,
    playing: Option<watch::Sender<Wanted>>,
    /// Held while a device is open. What comes next waits until the one before is closed: it is not heard in a
    /// recording, and PulseAudio takes no second stream of one connection while the first plays.
    turn: Arc<Mutex<()>>,
}

impl Sound {
    pub(super) fn new(history: History, out: Out, decoders: Arc<Semaphore>, devices: SoundSettings) -> Self {
        Self { history, out, decoders, devices, recording: None, playing: None, turn: Arc::default() }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Record { ticket } => self.record(ticket),
            Ask::Finish => {
                if let Some(recording) = &self.recording {
                    recording.send_replace(true);
                }
            }
            Ask::GiveUp => self.recording = None,
            Ask::Wave { peer, target } => self.wave(peer, target),
            Ask::Play { track, from_ms, ticket } => self.play(track, from_ms, ticket),
            Ask::Pause(paused) => self.want(|wanted| wanted.paused = paused),
            Ask::Seek { to_ms, seeks } => self.want(|wanted| (wanted.to_ms, wanted.seeks) = (to_ms, seeks)),
            Ask::Stop => self.playing = None,
        }
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) {
        if let Some(playing) = &self.playing {
            playing.send_modify(change);
        }
    }

    fn record(&mut self, ticket: u64) {
        self.playing = None;
        let (finish, finishes) = watch::channel(false);
        // the one before is given up
        self.recording = Some(finish);
        let (out, device, turn) = (self.out.clone(), self.devices.input.clone(), self.turn.clone());
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            let clip = match devices::record(&out, ticket, device, finishes).await {
                Ok(Some(clip)) => Ok(clip),
                Ok(None) => return,
                Err(fault) => Err(fault),
            };
            out.sound(News::Recorded { ticket, clip }).await;
        });
    }

    fn play(&mut self, track: Track, from_ms: u64, ticket: u64) {
        let (wanted, wants) = watch::channel(Wanted::default());
        // the one before ends
        self.playing = Some(wanted);
        let (out, device, turn) = (self.out.clone(), self.devices.output.clone(), self.turn.clone());
        let history = self.history.clone();
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            let bytes = move || match &track {
                Track::Message(peer, target) => body(&history, peer, target),
                Track::Draft(clip) => Ok(clip.wav.clone()),
            };
            match devices::play(&out, ticket, device, bytes, from_ms, wants).await {
                Ok(true) => out.sound(News::Played { ticket, fault: None }).await,
                // another plays, or none is wanted
                Ok(false) => {}
                Err(fault) => out.sound(News::Played { ticket, fault: Some(fault) }).await,
            }
        });
    }

    fn wave(&self, peer: PeerId, target: Target) {
        let (history, decoders, out) = (self.history.clone(), self.decoders.clone(), self.out.clone());
        tokio::spawn(async move {
            let Ok(_turn) = decoders.acquire().await else { return };
            let work = tokio::task::spawn_blocking(move || {
                let wav = body(&history, &peer, &target)?;
                Wave::of(&wav).map_err(|error| Fault::of(&error))
            });
            let wave = work.await.unwrap_or_else(|died| Err(Fault::of(&died)));
            out.sound(News::Wave { peer, target, wave }).await;
        });
    }
}

impl Out {
    async fn sound(&self, news: News) {
        self.tell(talk::News::Sound(news)).await;
    }
}

/// The bytes of a stored clip. Blocking.
fn body(history: &History, peer: &PeerId, target: &Target) -> Result<Vec<u8>, Fault> {
    let fault = |error: StoreError| Fault::of(&error);
    let found = history.message(peer, target.direction, &target.id).map_err(fault)?;
    let message = found.ok_or_else(|| Fault::own(Said::new("fault-gone"), "the message is gone"))?;
    history.body(&message).and_then(|body| body.read_all(CLIP_BYTES_MAX)).map_err(fault)
}

/// The clip that a file is; none where it is something else, or longer than clips are: that goes as the file that it is.
/// Blocking.
pub(super) fn clip_of(path: &Path, bytes: u64) -> Option<Arc<Clip>> {
    let named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("wav"));
    if !named || bytes > CLIP_BYTES_MAX {
        return None;
    }
    let wav = std::fs::read(path).ok()?;
    let wave = Wave::of(&wav).ok()?;
    Some(Arc::new(Clip { wav, wave, gaps: false, quiet: false }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::gui::engine::pictures;
    use crate::gui::talk::StagedBody;

    #[test]
    fn a_sound_file_goes_as_a_clip_where_it_is_one() {
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/clip.wav");
        let staged = pictures::stage(&good).unwrap();
        let StagedBody::Clip(clip) = &staged.body else { panic!("no clip") };
        assert_eq!((clip.wave.duration_ms, clip.wav.len() as u64), (5_000, staged.bytes));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("SONG.WAV");
        std::fs::copy(&good, &path).unwrap();
        assert!(matches!(pictures::stage(&path).unwrap().body, StagedBody::Clip(_)));
        // cut short, it is a file like any other
        std::fs::write(&path, &clip.wav[..1_000]).unwrap();
        assert!(matches!(pictures::stage(&path).unwrap().body, StagedBody::File(_)));
        let other = folder.path().join("clip.bin");
        std::fs::copy(&good, &other).unwrap();
        assert!(matches!(pictures::stage(&other).unwrap().body, StagedBody::File(_)));
    }
}
