//! A running node and the window: events become news, asks become commands.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use super::behind::Behind;
use super::look::{self, Look};
use super::notify::{Heard, Notifier};
use super::seek::Seeker;
use super::sender::{Job, Sender};
use super::settings::File;
use super::sound::Sound;
use super::start::Loaded;
use super::{End, Out, addresses, camera, desktop, folder, pictures};
use crate::config::{Config, Peer, edit};
use crate::gui::said::Said;
use crate::gui::talk::{Ask, Check, Fault, Me, News, PeerRow, Pong, Presence, Stage};
use crate::gui::told;
use crate::identity::{Identity, PeerId, fingerprint, key_line, safety_number};
use crate::node::history::{Cursor, Direction, Target};
use crate::node::limits::PICTURE_BYTES_MAX;
use crate::node::{Event, LinkInfo, MessageId, Node, Role, Settings, save};

/// Round trips are measured this often.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Pictures that are decoded at one time.
const DECODERS: usize = 2;
/// Read receipts of one event whose messages are looked up; the rest are seen when their page is read again.
const READ_MAX: usize = 200;
/// What was read is counted anew after this long.
const READ_SETTLES: Duration = Duration::from_millis(150);

/// Runs until the window is gone or everything is to start again.
pub(super) async fn run(loaded: Loaded, asks: &mut mpsc::Receiver<Ask>, out: &Out) -> End {
    let settings = Settings {
        role: Role::LongLived,
        listen: loaded.config.me.listen,
        data: loaded.data.clone(),
        peers: loaded.config.peers.clone(),
        table: Some(Arc::new(loaded.config.clone())),
        key_update: loaded.config.link.key_update,
        new_handshake: loaded.config.link.new_handshake,
        history: loaded.config.history,
    };
    let (node, mut events) = match Node::start(loaded.identity.clone(), settings).await {
        Ok(started) => started,
        Err(error) => {
            out.stage(Stage::Broken(Fault::of(&error))).await;
            return again(asks).await;
        }
    };
    let me = Me {
        name: loaded.config.me.name.clone(),
        key_line: key_line(loaded.identity.public()),
        fingerprint: fingerprint(loaded.identity.public()),
        listen: node.address().to_string(),
        table: loaded.config.path.clone(),
        reached: addresses::reachable(node.address()),
    };
    let settings = File::of(&loaded.data);
    let reading = settings.clone();
    let (chosen, unread) = tokio::task::spawn_blocking(move || reading.read()).await.unwrap_or_default();
    let looks = look::start(node.history(), out.clone());
    let decoders = Arc::new(Semaphore::new(DECODERS));
    let sound = Sound::new(node.history(), out.clone(), decoders.clone(), loaded.config.sound.clone());
    let seeker = Seeker::new(node.history(), out.clone());
    let node = Arc::new(node);
    let sender = Sender::new(node.clone(), looks.clone(), out.clone());
    let mut session = Session {
        node,
        identity: loaded.identity,
        peers: loaded.config.peers,
        table: me.table.clone(),
        looks,
        out: out.clone(),
        decoders,
        seeker,
        rtt_ms: HashMap::new(),
        settings,
        notifier: notifier(out),
        downloads: loaded.downloads,
        sound,
        cameras: camera::Cameras::new(out.clone()),
        sender,
    };
    out.tell(News::Settings(chosen)).await;
    if let Some(fault) = unread {
        out.tell(News::Trouble(fault)).await;
    }
    out.stage(Stage::Running(me)).await;
    session.tell_peers().await;
    session.look(Look::Summaries).await;
    session.look(Look::Drafts(session.peers.iter().map(|peer| peer.id).collect())).await;
    let end = session.serve(asks, &mut events).await;
    session.stop().await;
    end
}

/// Who tells the desktop. Without a thread for it, the window has the messages all the same.
fn notifier(out: &Out) -> Option<Notifier> {
    let out = out.clone();
    let hear = move |heard| {
        out.tell_blocking(match heard {
            Heard::Pressed(peer) => News::NotificationPressed(peer),
            Heard::Works(works) => News::Notifies(works),
        });
    };
    Notifier::start(None, Arc::new(hear)).ok()
}

async fn again(asks: &mut mpsc::Receiver<Ask>) -> End {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::TryAgain => return End::Again,
            Ask::Quit => return End::Quit,
            _ => {}
        }
    }
    End::Quit
}

struct Session {
    node: Arc<Node>,
    identity: Identity,
    peers: Vec<Peer>,
    table: std::path::PathBuf,
    looks: mpsc::Sender<Look>,
    out: Out,
    decoders: Arc<Semaphore>,
    seeker: Seeker,
    /// What was told last of those that are here.
    rtt_ms: HashMap<PeerId, Option<u128>>,
    settings: File,
    notifier: Option<Notifier>,
    downloads: std::path::PathBuf,
    sound: Sound,
    cameras: camera::Cameras,
    sender: Sender,
}

impl Session {
    async fn serve(&mut self, asks: &mut mpsc::Receiver<Ask>, events: &mut mpsc::Receiver<Event>) -> End {
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut behind = Behind::default();
        let (measured, mut measures) = mpsc::channel(crate::config::PEERS_MAX);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => {
                        self.event(event).await;
                        if behind.caught_up(events.len()) {
                            self.read_anew().await;
                        }
                    }
                    None => return End::Quit,
                },
                ask = asks.recv() => match ask {
                    None | Some(Ask::Quit) => return End::Quit,
                    Some(ask) => self.ask(ask).await,
                },
                _ = pings.tick() => self.ping(&measured),
                Some((peer, rtt)) = measures.recv() => self.measured(peer, rtt).await,
            }
        }
    }

    /// The window says goodbye, and so do we.
    async fn stop(mut self) {
        self.cameras.stop().await;
        self.sender.stop().await;
        drop(self.sound);
        self.seeker.stop();
        match Arc::try_unwrap(self.node) {
            Ok(node) => node.shutdown().await,
            // Something is still being sent: the node is told all the same, and its folder is free a little later.
            Err(node) => {
                let (reply, done) = tokio::sync::oneshot::channel();
                let _ = node.commands().send(crate::node::Command::Shutdown { reply }).await;
                let _ = done.await;
            }
        }
    }

    fn id_of(&self, name: &str) -> Option<PeerId> {
        self.peers.iter().find(|peer| peer.name == name).map(|peer| peer.id)
    }

    /// By the node's table: ours may be the one before.
    fn name_of(&self, id: &PeerId) -> Option<String> {
        self.node.name_of(id)
    }

    async fn look(&self, look: Look) {
        let _ = self.looks.send(look).await;
    }

    async fn tell_peers(&self) {
        let rows = self.peers.iter().map(row).collect();
        self.out.tell(News::Peers(rows)).await;
    }

    async fn presence(&self, name: &str, presence: Presence) {
        if let Some(peer) = self.id_of(name) {
            self.out.tell(News::Presence { peer, presence }).await;
        }
    }

    async fn here(&mut self, link: &LinkInfo) {
        if let Some(peer) = self.id_of(&link.peer) {
            self.rtt_ms.entry(peer).or_insert(None);
            self.cameras.is_here(&peer);
        }
        let suite = format!("{}, {}", link.suite, link.group);
        let here = Presence::Here { address: link.address.to_string(), suite, camera: link.camera };
        self.presence(&link.peer, here).await;
    }

    /// Events were missed: what they would have told is read and told again.
    async fn read_anew(&mut self) {
        tracing::warn!("events of the node were missed, what they were about is read again");
        let links = self.node.status().links;
        self.rtt_ms.clear();
        for peer in self.peers.clone() {
            match links.iter().find(|link| link.peer == peer.name) {
                Some(link) => self.here(link).await,
                None => self.presence(&peer.name, Presence::Away(None)).await,
            }
        }
        self.read_table().await;
        self.out.tell(News::Missed).await;
    }

    /// Messages of ours that are not as they were.
    async fn ours(&self, to: &str, ids: impl IntoIterator<Item = MessageId>) {
        if let Some(peer) = self.id_of(to) {
            let targets = ids.into_iter().map(|id| Target { direction: Direction::Out, id }).collect();
            self.look(Look::Lines { peer, targets, arrived: false }).await;
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Connected(link) => self.here(&link).await,
            Event::Disconnected { peer, reason } => {
                if let Some(peer) = self.id_of(&peer) {
                    self.rtt_ms.remove(&peer);
                }
                self.presence(&peer, Presence::Away(Some(told::away(reason)))).await;
            }
            Event::Published { peer, camera } => {
                let links = self.node.status().links;
                if let Some(link) = links.into_iter().find(|link| link.peer == peer) {
                    self.here(&LinkInfo { camera, ..link }).await;
                }
            }
            Event::DialFailed { peer, error } => {
                let fault = Fault::of(&error);
                self.presence(&peer, Presence::Away(Some(fault))).await;
            }
            Event::Table(_) => self.read_table().await,
            Event::Message(arrived) => {
                let own = Target { direction: Direction::In, id: arrived.id };
                // Where it says something about another message, that one is not as it was.
                let about = arrived.target.filter(|_| !arrived.kind.is_content());
                let targets = std::iter::once(own).chain(about).collect();
                self.look(Look::Lines { peer: arrived.peer, targets, arrived: true }).await;
            }
            Event::Progress { id, sent, total } => self.out.tell(News::Progress { id, sent, total }).await,
            Event::Delivered { id, to, .. } | Event::Failed { id, to, .. } | Event::Deferred { id, to, .. } => {
                self.ours(&to, [id]).await;
            }
            Event::Read { by, ids } => {
                let late = ids.len().saturating_sub(READ_MAX);
                self.ours(&by, ids.into_iter().skip(late)).await;
            }
            Event::Typing { peer, active } => {
                if let Some(peer) = self.id_of(&peer) {
                    self.out.tell(News::Typing { peer, active }).await;
                }
            }
            Event::Trouble { error, hint, matter } => {
                self.out.tell(News::Trouble(told::trouble(error, hint, &matter))).await;
            }
            // The app publishes no camera.
            Event::Camera { .. } => {}
        }
    }

    /// The node has taken another table: so do we.
    async fn read_table(&mut self) {
        let path = self.table.clone();
        let read = tokio::task::spawn_blocking(move || Config::load(&path)).await;
        // The node has told of a fault.
        if let Ok(Ok(config)) = read {
            self.peers = config.peers;
            self.sound.devices = config.sound;
            self.cameras.follow(&self.node);
            self.tell_peers().await;
            self.look(Look::Summaries).await;
        }
    }

    async fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Page { peer, place } => self.look(Look::Page { peer, place }).await,
            Ask::Send { peer, what, reply_to, ticket } => {
                self.sender.send(peer, Job { what, reply_to, ticket }).await;
            }
            Ask::Typing { peer, active } => {
                if let Some(name) = self.name_of(&peer) {
                    self.node.typing(&name, active).await;
                }
            }
            Ask::Read { peer, up_to } => self.read(peer, up_to).await,
            Ask::Retry { peer, id } => self.again(peer, id, true),
            Ask::Cancel { peer, id } => self.again(peer, id, false),
            Ask::Forget { peer, target } => self.look(Look::Forget { peer, target }).await,
            Ask::Picture { peer, target, side_max } => self.picture(peer, target, side_max),
            Ask::Save { peer, target } => self.save(peer, target),
            Ask::OpenFolder(path) => drop(tokio::task::spawn_blocking(move || desktop::open_folder(&path))),
            Ask::List(path) => self.list(path),
            Ask::Stage { peer, path } => self.stage(peer, move || pictures::stage(&path)),
            Ask::StagePasted { peer, picture } => self.stage(peer, move || pictures::stage_pasted(&picture)),
            Ask::Search { words, peer, ticket } => self.seeker.search(words, peer, ticket),
            Ask::PrepareSearch => self.seeker.prepare(),
            Ask::Check { peer } => self.check(peer),
            Ask::SafetyNumber { peer } => self.safety_number(peer),
            Ask::Notify(notification) => {
                if let Some(notifier) = &self.notifier {
                    notifier.tell(notification);
                }
            }
            Ask::KeepSettings(chosen) => {
                // One after the other: the last word is what is kept.
                let file = self.settings.clone();
                let kept = tokio::task::spawn_blocking(move || file.write(&chosen)).await;
                if let Ok(Err(fault)) = kept {
                    self.out.tell(News::Trouble(fault)).await;
                }
            }
            Ask::Addresses => {
                let (listen, out) = (self.node.address(), self.out.clone());
                tokio::spawn(async move {
                    let found = tokio::task::spawn_blocking(move || addresses::reachable(listen)).await;
                    out.tell(News::Addresses(found.unwrap_or_default())).await;
                });
            }
            Ask::Table(changes) => self.change_table(changes).await,
            Ask::Locate { peer, target } => self.look(Look::Locate { peer, target }).await,
            Ask::KeepDraft { peer, text } => {
                // Done before the next ask, which may be the last.
                let history = self.node.history();
                let kept = tokio::task::spawn_blocking(move || history.keep_draft(&peer, &text)).await;
                if let Ok(Err(error)) = kept {
                    self.out.tell(News::Trouble(Fault::of(&error))).await;
                }
            }
            Ask::OpenLink(link) => drop(tokio::task::spawn_blocking(move || desktop::open_link(&link))),
            Ask::Watch(wanted) => self.cameras.watch(wanted, &self.node),
            Ask::Snapshot { name, stamp, jpeg } => {
                camera::snapshot(&self.out, self.downloads.clone(), name, stamp, jpeg);
            }
            // They belong to the start, which is over.
            Ask::MakeIdentity { .. } | Ask::Unlock(_) | Ask::TryAgain | Ask::Quit => {}
            Ask::Sound(ask) => self.sound.ask(ask),
        }
    }

    async fn read(&self, peer: PeerId, up_to: Cursor) {
        let Some(name) = self.name_of(&peer) else { return };
        if let Some(notifier) = &self.notifier {
            notifier.withdraw(peer);
        }
        self.node.mark_read(&name, up_to).await;
        let looks = self.looks.clone();
        tokio::spawn(async move {
            tokio::time::sleep(READ_SETTLES).await;
            let _ = looks.send(Look::Summaries).await;
        });
    }

    fn list(&self, path: Option<std::path::PathBuf>) {
        let out = self.out.clone();
        tokio::spawn(async move {
            let listed = tokio::task::spawn_blocking(move || folder::list(path.as_deref())).await;
            out.tell(match listed {
                Ok(Ok(folder)) => News::Folder(folder),
                Ok(Err(fault)) => News::Trouble(fault),
                Err(died) => News::Trouble(Fault::of(&died)),
            })
            .await;
        });
    }

    /// Dials now where there is no link, and measures it.
    fn check(&self, peer: PeerId) {
        let Some(name) = self.name_of(&peer) else { return };
        let (node, out) = (self.node.clone(), self.out.clone());
        tokio::spawn(async move {
            let pong = match node.ping(&name).await {
                Ok(pong) => Ok(Pong {
                    rtt_ms: u64::try_from(pong.rtt.as_millis()).unwrap_or(u64::MAX),
                    suite: format!("{}, {}", pong.link.suite, pong.link.group),
                    clock_offset_ms: pong.clock_offset_us / 1_000,
                }),
                Err(error) => Err(Fault::of(&error)),
            };
            let traffic = node.status().traffic;
            let listen = node.address();
            let addresses = tokio::task::spawn_blocking(move || addresses::reachable(listen)).await.unwrap_or_default();
            let check = Check { received: traffic.received_datagrams, strangers: traffic.strangers, addresses, pong };
            out.tell(News::Checked { peer, check }).await;
        });
    }

    /// Thousands of hashes: not for the threads that carry messages.
    fn safety_number(&self, id: PeerId) {
        let Some(peer) = self.peers.iter().find(|peer| peer.id == id).cloned() else { return };
        let (identity, out) = (self.identity.clone(), self.out.clone());
        tokio::spawn(async move {
            let work = tokio::task::spawn_blocking(move || safety_number(identity.public(), &peer.key));
            if let Ok(number) = work.await {
                out.tell(News::SafetyNumber { peer: id, number }).await;
            }
        });
    }

    /// Sends a failed message again, or takes one out of the outbox.
    fn again(&self, peer: PeerId, id: MessageId, retry: bool) {
        let Some(name) = self.name_of(&peer) else { return };
        let (node, looks, out) = (self.node.clone(), self.looks.clone(), self.out.clone());
        tokio::spawn(async move {
            let done = if retry { node.retry(&name, id).await } else { node.cancel(&name, id).await };
            if let Err(error) = done {
                out.tell(News::Trouble(Fault::of(&error))).await;
            }
            let targets = vec![Target { direction: Direction::Out, id }];
            let _ = looks.send(Look::Lines { peer, targets, arrived: false }).await;
        });
    }

    fn picture(&self, peer: PeerId, target: Target, side_max: u32) {
        let (history, decoders, out) = (self.node.history(), self.decoders.clone(), self.out.clone());
        tokio::spawn(async move {
            let Ok(_turn) = decoders.acquire().await else { return };
            let decoded = tokio::task::spawn_blocking(move || {
                let fault = |error: crate::node::history::StoreError| Fault::of(&error);
                let found = history.message(&peer, target.direction, &target.id).map_err(fault)?;
                let message = found.ok_or_else(gone)?;
                let body = history.body(&message).map_err(fault)?;
                let file = body.read_all(PICTURE_BYTES_MAX).map_err(fault)?;
                pictures::decode(&file, side_max).map(Arc::new)
            });
            let picture = decoded.await.unwrap_or_else(|died| Err(Fault::of(&died)));
            out.tell(News::Picture { peer, target, picture }).await;
        });
    }

    fn save(&self, peer: PeerId, target: Target) {
        let (history, folder, out) = (self.node.history(), self.downloads.clone(), self.out.clone());
        tokio::spawn(async move {
            let work = tokio::task::spawn_blocking(move || {
                let fault = |error: crate::node::history::StoreError| Fault::of(&error);
                let found = history.message(&peer, target.direction, &target.id).map_err(fault)?;
                let message = found.ok_or_else(gone)?;
                std::fs::create_dir_all(&folder).map_err(|error| Fault::file("fault-file-write", &folder, &error))?;
                save::message(&history, &folder, &message, save::Reader::Person).map_err(|error| Fault::of(&error))
            });
            out.tell(match work.await {
                Ok(Ok(path)) => News::SavedAs { peer, target, path },
                Ok(Err(fault)) => News::Trouble(fault),
                Err(died) => News::Trouble(Fault::of(&died)),
            })
            .await;
        });
    }

    fn stage(&self, peer: PeerId, look: impl FnOnce() -> Result<crate::gui::talk::Staged, Fault> + Send + 'static) {
        let out = self.out.clone();
        tokio::spawn(async move {
            let staged = pictures::in_turn(look).await.map(Arc::new);
            out.tell(News::Staged { peer, staged }).await;
        });
    }

    async fn change_table(&mut self, changes: Vec<edit::Change>) {
        let path = self.table.clone();
        let own = self.identity.public().clone();
        let written = tokio::task::spawn_blocking(move || edit::write_as(&path, &changes, &own)).await;
        match written {
            Ok(Ok(config)) => {
                // The node tells of what it changed for it; the names are ours from now on.
                self.peers = config.peers;
                if let Err(error) = self.node.reload().await {
                    self.out.tell(News::Trouble(Fault::of(&error))).await;
                }
                self.cameras.follow(&self.node);
                self.tell_peers().await;
                self.look(Look::Summaries).await;
            }
            Ok(Err(error)) => self.out.tell(News::TableRefused(Fault::of(&error))).await,
            Err(died) => self.out.tell(News::TableRefused(Fault::of(&died))).await,
        }
    }

    fn ping(&self, measured: &mpsc::Sender<(PeerId, Duration)>) {
        for peer in self.rtt_ms.keys().copied() {
            let Some(name) = self.name_of(&peer) else { continue };
            let (node, measured) = (self.node.clone(), measured.clone());
            tokio::spawn(async move {
                let pong = tokio::time::timeout(PING_EVERY, node.ping(&name)).await;
                if let Ok(Ok(pong)) = pong {
                    let _ = measured.try_send((peer, pong.rtt));
                }
            });
        }
    }

    /// The window is not woken for a figure that it shows already.
    async fn measured(&mut self, peer: PeerId, rtt: Duration) {
        if let Some(told) = self.rtt_ms.get_mut(&peer)
            && told.replace(rtt.as_millis()) != Some(rtt.as_millis())
        {
            self.out.tell(News::RoundTrip { peer, rtt }).await;
        }
    }
}

/// A message that was deleted while it was asked for.
fn gone() -> Fault {
    Fault::own(Said::new("fault-gone"), "the message is gone")
}

fn row(peer: &Peer) -> PeerRow {
    PeerRow {
        id: peer.id,
        name: peer.name.clone(),
        key_line: key_line(&peer.key),
        addresses: peer.addresses.iter().map(ToString::to_string).collect(),
        may_chat: peer.allow.chat,
        may_watch: peer.allow.camera,
    }
}
