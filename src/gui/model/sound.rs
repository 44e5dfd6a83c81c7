//! Clips: the one that is recorded, the one that is played, and the forms of those that are seen.

use std::collections::HashMap;
use std::sync::Arc;

use super::Model;
use super::draft::STAGED_MAX;
use crate::gui::sound::{Ask as Wish, News, RECORD_MS_MAX, Track, Wave};
use crate::gui::talk::{Ask, Fault, Staged, StagedBody};
use crate::identity::PeerId;
use crate::node::history::Target;

/// Wave forms that are kept.
pub const WAVES_MAX: usize = 256;
/// What a recorded clip is called for the peer.
const CLIP_NAME: &str = "clip.wav";

/// What is known of clips.
#[derive(Default)]
pub struct Sound {
    recording: Option<Recording>,
    playing: Option<Playing>,
    waves: HashMap<(PeerId, Target), (Form, u64)>,
    uses: u64,
}

// peers stay out of logs
impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({:?}, {} waves)", self.recording, self.waves.len())
    }
}

/// A recording under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    ticket: u64,
    /// To whom the clip will be sent.
    pub peer: PeerId,
    /// How loud it is, from 0 to 100.
    pub level: u8,
    /// How much is recorded.
    pub recorded_ms: u64,
    /// It was told to end.
    pub ending: bool,
}

impl Recording {
    /// How much more there can be.
    pub fn left_ms(&self) -> u64 {
        RECORD_MS_MAX.saturating_sub(self.recorded_ms)
    }
}

/// A clip that plays, is paused, or will be played from somewhere in its middle.
struct Playing {
    track: Track,
    /// None while it does not play, and only its place is known.
    ticket: Option<u64>,
    paused: bool,
    position_ms: u64,
    seeks: u64,
}

/// Where a clip is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spot {
    /// Whether it is to be heard just now.
    pub plays: bool,
    /// The place.
    pub position_ms: u64,
}

/// The form of a clip.
#[derive(Clone, PartialEq, Eq)]
pub enum Form {
    /// Asked for.
    Awaited,
    /// Here.
    Here(Arc<Wave>),
    /// It is no clip that can be played.
    Faulty(Fault),
}

impl Sound {
    /// What is being recorded.
    pub fn recording(&self) -> Option<Recording> {
        self.recording
    }

    /// Where a clip is.
    pub fn spot(&self, track: &Track) -> Spot {
        let at = |playing: &Playing| Spot {
            plays: playing.ticket.is_some() && !playing.paused,
            position_ms: playing.position_ms,
        };
        self.playing.as_ref().filter(|playing| playing.track == *track).map(at).unwrap_or_default()
    }

    /// The form of a clip of a conversation; asks for it where it is not known.
    pub fn form(&mut self, peer: PeerId, target: Target, asks: &mut Vec<Ask>) -> Form {
        self.uses += 1;
        let key = (peer, target);
        if !self.waves.contains_key(&key) {
            asks.push(Ask::Sound(Wish::Wave { peer, target }));
            while self.waves.len() >= WAVES_MAX {
                let oldest = self.waves.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
                let Some(oldest) = oldest else { break };
                self.waves.remove(&oldest);
            }
        }
        let held = self.waves.entry(key).or_insert((Form::Awaited, 0));
        held.1 = self.uses;
        held.0.clone()
    }

    /// The message is gone.
    pub(super) fn forget(&mut self, peer: &PeerId, target: &Target) {
        self.waves.remove(&(*peer, *target));
    }

    fn put(&mut self, peer: PeerId, target: Target, wave: Result<Wave, Fault>) {
        // one that was dropped meanwhile is not wanted any more
        if let Some((form, _)) = self.waves.get_mut(&(peer, target)) {
            *form = match wave {
                Ok(wave) => Form::Here(Arc::new(wave)),
                Err(fault) => Form::Faulty(fault),
            };
        }
    }

    /// What plays, if it is the one of this ticket.
    fn playing_of(&mut self, ticket: u64) -> Option<&mut Playing> {
        self.playing.as_mut().filter(|playing| playing.ticket == Some(ticket))
    }
}

impl Model {
    /// Whether a clip can be recorded for a peer: there is room for it.
    pub fn can_record(&mut self, peer: &PeerId) -> bool {
        self.draft(peer).staged.len() < STAGED_MAX
    }

    /// Begins to record. What plays would be recorded too: it ends.
    pub fn record(&mut self, peer: PeerId, asks: &mut Vec<Ask>) {
        self.stop_playing(asks);
        let ticket = self.ticket();
        self.sound.recording = Some(Recording { ticket, peer, level: 0, recorded_ms: 0, ending: false });
        asks.push(Ask::Sound(Wish::Record { ticket }));
    }

    /// Ends the recording: the clip goes to the composer.
    pub fn finish_recording(&mut self, asks: &mut Vec<Ask>) {
        if let Some(recording) = self.sound.recording.as_mut().filter(|recording| !recording.ending) {
            recording.ending = true;
            asks.push(Ask::Sound(Wish::Finish));
        }
    }

    /// Ends the recording: nothing is left of it.
    pub fn give_up_recording(&mut self, asks: &mut Vec<Ask>) {
        if self.sound.recording.take().is_some() {
            asks.push(Ask::Sound(Wish::GiveUp));
        }
    }

    /// Plays a clip from its place, or pauses it.
    pub fn play_or_pause(&mut self, track: &Track, asks: &mut Vec<Ask>) {
        match self.sound.playing.as_mut().filter(|playing| playing.track == *track) {
            Some(playing) if playing.ticket.is_some() => {
                playing.paused = !playing.paused;
                asks.push(Ask::Sound(Wish::Pause(playing.paused)));
            }
            Some(playing) => {
                let from_ms = playing.position_ms;
                self.play(track, from_ms, asks);
            }
            None => self.play(track, 0, asks),
        }
    }

    /// Goes to a place of a clip. One that does not play begins there when `begins`, and waits there otherwise.
    pub fn seek(&mut self, track: &Track, to_ms: u64, begins: bool, asks: &mut Vec<Ask>) {
        match self.sound.playing.as_mut().filter(|playing| playing.track == *track) {
            Some(playing) if playing.ticket.is_some() => {
                playing.position_ms = to_ms;
                playing.seeks += 1;
                asks.push(Ask::Sound(Wish::Seek { to_ms, seeks: playing.seeks }));
            }
            _ if begins => self.play(track, to_ms, asks),
            _ => {
                self.stop_playing(asks);
                let track = track.clone();
                self.sound.playing = Some(Playing { track, ticket: None, paused: false, position_ms: to_ms, seeks: 0 });
            }
        }
    }

    fn play(&mut self, track: &Track, from_ms: u64, asks: &mut Vec<Ask>) {
        // it would be heard in the recording
        self.finish_recording(asks);
        let ticket = self.ticket();
        let track = track.clone();
        self.sound.playing =
            Some(Playing { track: track.clone(), ticket: Some(ticket), paused: false, position_ms: from_ms, seeks: 0 });
        asks.push(Ask::Sound(Wish::Play { track, from_ms, ticket }));
    }

    /// Ends what plays.
    pub fn stop_playing(&mut self, asks: &mut Vec<Ask>) {
        if self.sound.playing.take().is_some_and(|playing| playing.ticket.is_some()) {
            asks.push(Ask::Sound(Wish::Stop));
        }
    }

    /// Ends what plays if it is a clip that waited in a composer and does so no longer.
    pub fn stop_draft(&mut self, asks: &mut Vec<Ask>) {
        let waits = |drafts: &HashMap<PeerId, super::Draft>, track: &Track| {
            drafts.values().flat_map(|draft| &draft.staged).any(|staged| track_of(staged).as_ref() == Some(track))
        };
        let track = self.sound.playing.as_ref().map(|playing| &playing.track);
        if track.is_some_and(|track| matches!(track, Track::Draft(_)) && !waits(&self.drafts, track)) {
            self.stop_playing(asks);
        }
    }

    /// Takes news of clips.
    pub(super) fn take_sound(&mut self, news: News) {
        match news {
            News::Level { ticket, level, recorded_ms } => {
                if let Some(recording) = self.sound.recording.as_mut().filter(|recording| recording.ticket == ticket) {
                    (recording.level, recording.recorded_ms) = (level, recorded_ms);
                }
            }
            News::Recorded { ticket, clip } => {
                // one that was given up is not wanted any more
                let Some(recording) = self.sound.recording.take_if(|recording| recording.ticket == ticket) else {
                    return;
                };
                match clip {
                    Ok(clip) => {
                        let (bytes, name) = (clip.wav.len() as u64, CLIP_NAME.to_owned());
                        let staged = Staged { name, bytes, body: StagedBody::Clip(clip) };
                        self.draft(&recording.peer).stage(Arc::new(staged));
                    }
                    Err(fault) => self.notice(fault),
                }
            }
            News::Wave { peer, target, wave } => self.sound.put(peer, target, wave),
            News::At { ticket, seeks, position_ms } => {
                if let Some(playing) = self.sound.playing_of(ticket).filter(|playing| playing.seeks == seeks) {
                    playing.position_ms = position_ms;
                }
            }
            News::Played { ticket, fault } => {
                if self.sound.playing_of(ticket).is_some() {
                    self.sound.playing = None;
                    if let Some(fault) = fault {
                        self.notice(fault);
                    }
                }
            }
        }
    }
}

/// The clip that a staged file is, if it is one.
pub fn track_of(staged: &Staged) -> Option<Track> {
    match &staged.body {
        StagedBody::Clip(clip) => Some(Track::Draft(clip.clone())),
        StagedBody::Picture { .. } | StagedBody::File(_) => None,
    }
}
