//! What the window knows: plain values that news are applied to. No egui, no clock, no node: the time is a parameter.

pub mod attention;
pub mod camera;
pub mod conversation;
pub mod draft;
pub mod extras;
mod pictures;
#[cfg(test)]
mod sample;
pub mod scroll;
pub mod settings;
pub mod sound;
pub mod time;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use super::talk::{
    Ask, Check, Fault, Folder, Line, News, Outgoing, PeerRow, Presence, Stage, Staged, StagedBody, Summary,
};
use crate::identity::PeerId;
use crate::node::history::Target;
use conversation::{Anchor, Conversation};
use draft::Draft;
use pictures::Pictures;
pub use pictures::{PICTURES_BYTES_MAX, PICTURES_MAX, Picture};
use settings::Settings;

/// Notices that are shown at most; the oldest go first.
pub const NOTICES_MAX: usize = 8;
/// A peer that does not say so again is taken to have stopped writing.
pub const TYPING_MS: i64 = 8_000;

/// All that is known.
pub struct Model {
    /// How far the start has come.
    pub stage: Stage,
    /// The peers of the table, in the order of the list.
    pub peers: Vec<Peer>,
    /// The conversation that is open.
    pub open: Option<PeerId>,
    /// What went wrong, newest last.
    pub notices: VecDeque<Fault>,
    /// What was saved last, until somebody has read it.
    pub saved: Option<PathBuf>,
    /// Why the table was not changed.
    pub table_fault: Option<Fault>,
    /// Counts the tables that came: a dialog that waits for its change to hold looks at it.
    pub table_revision: u64,
    /// What the reader has chosen.
    pub settings: Settings,
    /// What a search found.
    pub found: Option<Found>,
    /// Why the desktop shows no notifications.
    pub notify_fault: Option<Fault>,
    /// Where others reach us; none inside while that is awaited.
    addresses: Option<Option<Vec<String>>>,
    conversations: HashMap<PeerId, Conversation>,
    drafts: HashMap<PeerId, Draft>,
    pictures: Pictures,
    sending: HashMap<u64, Sending>,
    tickets: u64,
    /// Those that were asked for; none while one is awaited.
    safety_numbers: HashMap<PeerId, Option<String>>,
    /// The peer that is checked, and what was found.
    check: Option<(PeerId, Option<Check>)>,
    /// The folder that a file is chosen from; none inside while it is awaited.
    folder: Option<Option<Folder>>,
    /// What is recorded, played and drawn of clips.
    pub sound: sound::Sound,
    /// What the conversation knows beside its messages.
    pub extras: extras::Extras,
}

/// One peer, as the list has it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What the table says.
    pub row: PeerRow,
    /// Whether it is there.
    pub presence: Presence,
    /// The round trip in ms.
    pub rtt_ms: Option<u64>,
    /// Messages that were not seen.
    pub unread: u64,
    /// The newest message.
    pub last: Option<Line>,
    /// Until when it is taken to be writing.
    typing_until_ms: i64,
}

impl Peer {
    fn new(row: PeerRow) -> Self {
        Self { row, presence: Presence::Unknown, rtt_ms: None, unread: 0, last: None, typing_until_ms: i64::MIN }
    }

    /// Whether it writes.
    pub fn is_typing(&self, now_ms: i64) -> bool {
        now_ms < self.typing_until_ms
    }

    /// Whether there is a link to it.
    pub fn is_here(&self) -> bool {
        matches!(self.presence, Presence::Here { .. })
    }

    /// Whether it publishes a camera.
    pub fn has_camera(&self) -> bool {
        matches!(self.presence, Presence::Here { camera: true, .. })
    }
}

/// What a search found.
#[derive(Clone)]
pub struct Found {
    /// The words.
    pub words: String,
    ticket: u64,
    /// Whether the answer has come.
    pub done: bool,
    /// With whom, and what.
    pub lines: Vec<(PeerId, Line)>,
}

/// Something on its way to the outbox: given back to the composer when it does not get there.
struct Sending {
    peer: PeerId,
    what: Outgoing,
    reply_to: Option<Target>,
}

/// Something that is more than a change of what is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A message came that may be worth a notification.
    Arrived {
        /// From whom.
        peer: PeerId,
        /// What.
        line: Box<Line>,
    },
    /// The conversation is to be opened, and the window to be seen.
    Pressed(PeerId),
}

// contents stay out of logs
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({:?}, {} peers)", self.stage, self.peers.len())
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({} messages)", self.lines.len())
    }
}

impl Default for Model {
    fn default() -> Self {
        Self {
            stage: Stage::Starting,
            peers: Vec::new(),
            open: None,
            notices: VecDeque::new(),
            saved: None,
            table_fault: None,
            table_revision: 0,
            settings: Settings::default(),
            found: None,
            notify_fault: None,
            addresses: None,
            conversations: HashMap::new(),
            drafts: HashMap::new(),
            pictures: Pictures::default(),
            sending: HashMap::new(),
            tickets: 0,
            safety_numbers: HashMap::new(),
            check: None,
            folder: None,
            sound: sound::Sound::default(),
            extras: extras::Extras::default(),
        }
    }
}

impl Model {
    /// The peer, if the table has it.
    pub fn peer(&self, id: &PeerId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.row.id == *id)
    }

    fn peer_mut(&mut self, id: &PeerId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.row.id == *id)
    }

    /// The conversation with a peer.
    pub fn conversation(&mut self, peer: &PeerId) -> &mut Conversation {
        self.conversations.entry(*peer).or_default()
    }

    /// What is being written to a peer.
    pub fn draft(&mut self, peer: &PeerId) -> &mut Draft {
        self.drafts.entry(*peer).or_default()
    }

    /// Whether something is being written to a peer.
    pub fn has_draft(&self, peer: &PeerId) -> bool {
        self.drafts.get(peer).is_some_and(|draft| !draft.is_empty())
    }

    /// Opens the conversation with a peer.
    pub fn open(&mut self, id: PeerId, asks: &mut Vec<Ask>) {
        if self.open == Some(id) || self.peer(&id).is_none() {
            return;
        }
        self.leave(asks);
        self.open = Some(id);
        let unread = self.peer(&id).map_or(0, |peer| peer.unread);
        let talk = self.conversation(&id);
        if talk.is_open() {
            talk.mark_unread(unread);
        }
        talk.try_again();
        if let Some(place) = talk.wanted(0, 0) {
            asks.push(Ask::Page { peer: id, place });
        }
    }

    /// Nobody looks at the open conversation any more.
    pub fn leave(&mut self, asks: &mut Vec<Ask>) {
        if let Some(before) = self.open.take() {
            self.conversation(&before).attention.look(false);
            self.keep_draft(before, None, asks);
        }
    }

    /// Opens the conversation that stands so far below the open one in the list; the first where none is open.
    pub fn step(&mut self, rows: isize, asks: &mut Vec<Ask>) {
        let row = self.open.and_then(|open| self.peers.iter().position(|peer| peer.row.id == open));
        let to = row.map_or(Some(0), |row| row.checked_add_signed(rows));
        if let Some(peer) = to.and_then(|to| self.peers.get(to)) {
            self.open(peer.row.id, asks);
        }
    }

    /// Looks for words in all conversations; none end the search.
    pub fn search(&mut self, words: &str, asks: &mut Vec<Ask>) {
        let words = words.trim();
        if words.is_empty() {
            self.found = None;
            return;
        }
        let ticket = self.ticket();
        let lines = self.found.take().map(|found| found.lines).unwrap_or_default();
        self.found = Some(Found { words: words.to_owned(), ticket, done: false, lines });
        asks.push(Ask::Search { words: words.to_owned(), peer: None, ticket });
    }

    /// Keeps the settings as they are now.
    pub fn keep_settings(&self, asks: &mut Vec<Ask>) {
        asks.push(Ask::KeepSettings(self.settings.clone()));
    }

    /// Remembers whose key is whose, once the settings and the table are here.
    pub fn meet(&mut self, asks: &mut Vec<Ask>) {
        let rows: Vec<PeerRow> = self.peers.iter().map(|peer| peer.row.clone()).collect();
        if self.settings.meet(&rows) {
            self.keep_settings(asks);
        }
    }

    /// Goes to a message that was found.
    pub fn go_to(&mut self, peer: PeerId, line: &Line, asks: &mut Vec<Ask>) {
        if self.open != Some(peer) {
            self.leave(asks);
            self.open = Some(peer);
        }
        self.extras.mark(line.target);
        if let Some(place) = self.conversation(&peer).to_line(line) {
            asks.push(Ask::Page { peer, place });
        }
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Sends what was written to a peer, and takes it out of the composer.
    pub fn send(&mut self, peer: PeerId, what: Outgoing, reply_to: Option<Target>, asks: &mut Vec<Ask>) {
        let ticket = self.ticket();
        self.sending.insert(ticket, Sending { peer, what: what.clone(), reply_to });
        asks.push(Ask::Send { peer, what, reply_to, ticket });
    }

    /// A decoded picture of a conversation; asks for it where there is none.
    pub fn picture(&mut self, peer: PeerId, target: Target, side_max: u32, asks: &mut Vec<Ask>) -> &Picture {
        self.pictures.get(peer, target, side_max, asks)
    }

    /// A picture is no longer looked at in full: the small one is decoded again.
    pub fn let_go_of_picture(&mut self, peer: PeerId, target: Target) {
        self.pictures.forget(&peer, &target);
    }

    /// Whether a picture is held; what was drawn of others can go.
    pub fn holds_picture(&self, peer: PeerId, target: Target) -> bool {
        self.pictures.holds(peer, target)
    }

    /// The number that we and a peer compare; asks for it where it is not known.
    pub fn safety_number(&mut self, peer: PeerId, asks: &mut Vec<Ask>) -> Option<&str> {
        self.safety_numbers
            .entry(peer)
            .or_insert_with(|| {
                asks.push(Ask::SafetyNumber { peer });
                None
            })
            .as_deref()
    }

    /// The folder that a file is chosen from; asks for the home where none was looked at.
    pub fn folder(&mut self, asks: &mut Vec<Ask>) -> Option<&Folder> {
        if self.folder.is_none() {
            self.folder = Some(None);
            asks.push(Ask::List(None));
        }
        self.folder.as_ref()?.as_ref()
    }

    /// Looks into another folder; the one before is shown until it has come.
    pub fn list(&mut self, path: Option<PathBuf>, asks: &mut Vec<Ask>) {
        asks.push(Ask::List(path));
    }

    /// Checks what stands between us and a peer, once.
    pub fn check(&mut self, peer: PeerId, asks: &mut Vec<Ask>) {
        if self.check.as_ref().is_none_or(|(checked, _)| *checked != peer) {
            self.check_again(peer, asks);
        }
    }

    /// Checks it anew.
    pub fn check_again(&mut self, peer: PeerId, asks: &mut Vec<Ask>) {
        self.check = Some((peer, None));
        asks.push(Ask::Check { peer });
    }

    /// The next check is made anew.
    pub fn end_check(&mut self) {
        self.check = None;
    }

    /// What the check has found.
    pub fn checked(&self, peer: &PeerId) -> Option<&Check> {
        self.check.as_ref().filter(|(checked, _)| checked == peer)?.1.as_ref()
    }

    /// Where others reach us; asks for it where it is not known.
    pub fn addresses(&mut self, asks: &mut Vec<Ask>) -> Option<&[String]> {
        if self.addresses.is_none() {
            self.addresses = Some(None);
            asks.push(Ask::Addresses);
        }
        self.addresses.as_ref()?.as_deref()
    }

    /// The next look at the addresses is a new one: a machine is carried about.
    pub fn forget_addresses(&mut self) {
        self.addresses = None;
    }

    /// Says something that a person should know.
    pub fn notice(&mut self, fault: Fault) {
        // the same again is no news
        self.notices.retain(|other| *other != fault);
        self.notices.push_back(fault);
        while self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
    }

    /// Takes news.
    pub fn apply(&mut self, news: News, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match news {
            News::Stage(stage) => self.stage = stage,
            News::Peers(rows) => self.take_peers(rows),
            News::TableRefused(fault) => self.table_fault = Some(fault),
            News::SafetyNumber { peer, number } => drop(self.safety_numbers.insert(peer, Some(number))),
            News::Checked { peer, check } => {
                if let Some((_, found)) = self.check.as_mut().filter(|(checked, _)| *checked == peer) {
                    *found = Some(check);
                }
            }
            News::Presence { peer, presence } => self.take_presence(&peer, presence),
            News::RoundTrip { peer, rtt } => {
                if let Some(peer) = self.peer_mut(&peer) {
                    peer.rtt_ms = u64::try_from(rtt.as_millis()).ok();
                }
            }
            News::Typing { peer, active } => {
                if let Some(peer) = self.peer_mut(&peer) {
                    peer.typing_until_ms = if active { now_ms + TYPING_MS } else { i64::MIN };
                }
            }
            News::Summaries(summaries) => self.take_summaries(&summaries),
            News::Page { peer, place, lines, more } => self.take_page(peer, place, lines, more),
            News::Lines { peer, lines, arrived } => self.take_lines(peer, lines, arrived, &mut effects),
            News::Gone { peer, target } => {
                self.conversation(&peer).take_gone(&target);
                self.pictures.forget(&peer, &target);
                self.sound.forget(&peer, &target);
            }
            News::Progress { id, sent, total } => {
                self.conversations.values_mut().for_each(|talk| talk.take_progress(id, sent, total));
            }
            News::Sent { ticket } => drop(self.sending.remove(&ticket)),
            News::NotSent { ticket, fault } => self.take_back(ticket, fault),
            News::Staged { peer, staged } => match staged {
                Ok(staged) => self.draft(&peer).stage(staged),
                Err(fault) => self.notice(fault),
            },
            News::Picture { peer, target, picture } => self.pictures.put(peer, target, picture),
            News::Found { ticket, lines } => {
                if let Some(found) = self.found.as_mut().filter(|found| found.ticket == ticket) {
                    found.done = true;
                    found.lines = lines;
                }
            }
            News::Folder(folder) => self.folder = Some(Some(folder)),
            News::Saved(path) => self.saved = Some(path),
            News::Settings(settings) => self.settings = settings,
            News::PageFailed { peer, place } => self.conversation(&peer).page_failed(place),
            News::Trouble(fault) => self.notice(fault),
            // the window's own affair
            News::Interrupted => {}
            News::Sound(news) => self.take_sound(news),
            news @ (News::SavedAs { .. } | News::Located { .. } | News::Draft { .. }) => self.take_extra(news),
            News::NotificationPressed(peer) => effects.push(Effect::Pressed(peer)),
            News::Notifies(works) => self.notify_fault = works.err(),
            News::Missed => self.conversations.values_mut().for_each(Conversation::has_missed),
            News::Addresses(found) => self.addresses = Some(Some(found)),
        }
        effects
    }

    fn take_lines(&mut self, peer: PeerId, lines: Vec<Line>, arrived: bool, effects: &mut Vec<Effect>) {
        for line in lines {
            if arrived && !line.is_ours() && line.kind.is_content() {
                self.conversation(&peer).came(line.target);
                effects.push(Effect::Arrived { peer, line: Box::new(line.clone()) });
            }
            self.conversation(&peer).take_line(line);
        }
        if let Some(peer) = self.peer_mut(&peer).filter(|_| arrived) {
            peer.typing_until_ms = i64::MIN;
        }
    }

    fn take_peers(&mut self, rows: Vec<PeerRow>) {
        let mut before: HashMap<PeerId, Peer> = self.peers.drain(..).map(|peer| (peer.row.id, peer)).collect();
        self.peers = rows
            .into_iter()
            .map(|row| match before.remove(&row.id) {
                Some(peer) => Peer { row, ..peer },
                None => Peer::new(row),
            })
            .collect();
        if self.open.is_some_and(|open| self.peer(&open).is_none()) {
            self.open = None;
        }
        self.table_fault = None;
        self.table_revision += 1;
        self.sort();
    }

    fn take_presence(&mut self, peer: &PeerId, presence: Presence) {
        let Some(peer) = self.peer_mut(peer) else { return };
        if !matches!(presence, Presence::Here { .. }) {
            peer.rtt_ms = None;
            peer.typing_until_ms = i64::MIN;
        }
        peer.presence = presence;
    }

    fn take_summaries(&mut self, summaries: &[Summary]) {
        for peer in &mut self.peers {
            let summary = summaries.iter().find(|summary| summary.peer == peer.row.id);
            peer.unread = summary.map_or(0, |summary| summary.unread);
            peer.last = summary.and_then(|summary| summary.last.clone());
        }
        self.sort();
    }

    /// The latest conversation first; without one, the table's order.
    fn sort(&mut self) {
        self.peers.sort_by_key(|peer| std::cmp::Reverse(peer.last.as_ref().map(|line| line.order_ms)));
    }

    fn take_page(&mut self, peer: PeerId, place: crate::node::history::Place, lines: Vec<Line>, more: bool) {
        let unread = self.peer(&peer).map_or(0, |peer| peer.unread);
        let talk = self.conversation(&peer);
        let first = !talk.is_open();
        talk.take_page(place, lines, more);
        if first && talk.is_open() && talk.anchor == Anchor::Bottom {
            talk.mark_unread(unread);
            if let Some(target) = talk.unread_from {
                // with the divider in view
                talk.anchor = Anchor::At { target, above: -48.0 };
            }
        }
    }

    fn take_back(&mut self, ticket: u64, fault: Fault) {
        if let Some(Sending { peer, what, reply_to }) = self.sending.remove(&ticket) {
            let draft = self.draft(&peer);
            match what {
                Outgoing::Text(text) => draft.take_back(Some(text), None),
                // It stays a change of that message; another change that is under way stays what it is.
                Outgoing::Edit(id, text) if draft.editing.is_none() => draft.edit(id, text),
                Outgoing::Edit(_, text) => draft.take_back(Some(text), None),
                Outgoing::Staged(staged, hidden) => draft.take_back(hidden, Some(staged)),
                Outgoing::Delete(_) | Outgoing::React(..) => {}
            }
            draft.reply_to = draft.reply_to.or(reply_to);
        }
        self.notice(fault);
    }
}

/// How many bytes of text a staged picture can hide; none for what is no picture.
pub fn capacity(staged: &Staged) -> Option<usize> {
    match &staged.body {
        StagedBody::Picture { capacity, .. } => Some(*capacity),
        StagedBody::File(_) | StagedBody::Clip(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
