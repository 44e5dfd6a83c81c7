//! Viewing a peer's camera, on the viewer's side. A watch outlives links: after a rotation or a loss it is opened
//! again, until its handle is dropped or the camera refuses.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{RecvStream, SendStream, VarInt};
use tokio::sync::{Notify, Semaphore, mpsc};
use tracing::{debug, trace};

use super::dial::DialError;
use super::io::{self, StreamError};
use super::link::Link;
use super::run::{connect, linked};
use super::shared::{Shared, lock, now_us};
use super::table::Entry;
use super::text::one_line;
use crate::wire::limits::CAMERA_FRAME_BYTES_MAX;
use crate::wire::{FrameHeader, Opening, Reason, Report, Signal, SizeClass, StreamInfo, WatchReply, WatchRequest};

/// Frames that may wait for whoever draws or writes them.
const FRAMES_WAITING_MAX: usize = 4;
/// The camera hears of our progress this often.
const REPORT_PERIOD: Duration = Duration::from_millis(500);
/// A camera that does not answer a request to watch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A frame that stands still for this long is given up.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause before a watch is opened again on the same link.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// The last frames of a watch may come this long after its end.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// Frames of one watch that are read at one time.
const BODIES_MAX: usize = 4;
/// The stream error code towards a camera whose frame belongs to no watch.
const NO_SUCH_WATCH: VarInt = VarInt::from_u32(3);

/// How to watch.
#[derive(Debug, Clone, Copy)]
pub struct WatchOptions {
    /// Frames a second at most; 0 for as many as there are.
    pub max_fps: u16,
    /// How large.
    pub size: SizeClass,
    /// One picture of full quality.
    pub still: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { max_fps: 0, size: SizeClass::Full, still: false }
    }
}

/// Why there is nothing to see.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WatchError {
    /// There is no link.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The camera's owner does not let us.
    #[error("{peer} refused the watch: {detail}")]
    Refused {
        /// Name in the table.
        peer: String,
        /// Not allowed, no camera, busy.
        reason: Reason,
        /// What it said.
        detail: String,
    },
    /// The link broke while the watch was being opened.
    #[error("the watch of {peer} could not be opened: {reason}")]
    Broken {
        /// Name in the table.
        peer: String,
        /// What broke.
        reason: String,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl WatchError {
    /// The mend, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dial(error) => error.hint(),
            Self::Refused { peer, reason: Reason::NotAllowed, .. } => {
                Some(format!("{peer} has to add \"camera\" to the `allow` of our entry in their table"))
            }
            Self::Refused { peer, reason: Reason::NoCamera, .. } => {
                Some(format!("start `miyu camera --source …` on {peer}'s side"))
            }
            Self::Refused { .. } | Self::Broken { .. } => Some("try again in a moment".into()),
            Self::Stopped => None,
        }
    }
}

/// One frame that came whole.
#[derive(Debug, Clone)]
pub struct WatchFrame {
    /// The capture's number.
    pub seq: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The picture.
    pub jpeg: Bytes,
    /// From capture to the last byte here, microseconds, by the clocks' estimated offset.
    pub latency_us: i64,
    /// How far off the latency may be, microseconds.
    pub latency_error_us: u64,
    /// From capture to the finished JPEG, microseconds, by the camera's clock.
    pub encode_us: u64,
    /// When it was whole here.
    pub arrived: Instant,
    /// Not a picture of the camera's: it says that there is none. It is in no count.
    pub slate: bool,
}

/// What a watch brings.
#[derive(Debug, Clone)]
pub enum WatchNews {
    /// A frame.
    Frame(WatchFrame),
    /// No frames for now, and why; the watch is opened again by itself.
    Paused(String),
    /// The watch is open again.
    Resumed(StreamInfo),
    /// The camera has no pictures for now; slates come meanwhile.
    NoSignal {
        /// Why, as the camera says.
        reason: String,
        /// Since when, Unix microseconds by our clock.
        since_us: u64,
    },
    /// The camera has pictures again.
    Signal,
    /// The watch is over.
    Ended(WatchError),
}

/// Counts of a watch, over all its links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Frames that came whole, slates aside.
    pub received: u64,
    /// Frames begun for this watch that never came whole.
    pub lost: u64,
    /// Frames that came after their deadline.
    pub late: u64,
    /// Bytes of JPEG.
    pub bytes: u64,
}

/// A watch under way; dropping it ends the watch.
#[derive(Debug)]
pub struct WatchHandle {
    /// What the camera sends.
    pub info: StreamInfo,
    news: mpsc::Receiver<WatchNews>,
    tally: Arc<Tally>,
}

impl WatchHandle {
    /// The next frame or piece of news; `None` after the end.
    pub async fn next(&mut self) -> Option<WatchNews> {
        self.news.recv().await
    }

    /// Counts so far.
    pub fn counts(&self) -> WatchCounts {
        self.tally.counts()
    }

    /// Tells the camera how long a frame takes to decode here.
    pub fn set_decode_us(&self, decode_us: u32) {
        self.tally.decode_us.store(decode_us, Ordering::Relaxed);
    }
}

/// The counts of a watch over all its links: those that are closed, and the one that is open.
#[derive(Debug, Default)]
pub(super) struct Tally {
    closed: Mutex<WatchCounts>,
    open: Mutex<Arc<Progress>>,
    decode_us: AtomicU32,
}

impl Tally {
    fn counts(&self) -> WatchCounts {
        lock(&self.closed).plus(lock(&self.open).counts())
    }

    /// Counts of its own for a new link: what still comes on an old one must not be taken for the new one's.
    fn begin(&self) -> Arc<Progress> {
        let mut open = lock(&self.open);
        let mut closed = lock(&self.closed);
        *closed = closed.plus(open.counts());
        *open = Arc::default();
        open.clone()
    }
}

impl WatchCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            received: self.received.saturating_add(other.received),
            lost: self.lost.saturating_add(other.lost),
            late: self.late.saturating_add(other.late),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// How far a watch has come on one link; written by frame tasks, read by the reporter.
#[derive(Debug, Default)]
pub(super) struct Progress {
    received: AtomicU64,
    slates: AtomicU64,
    late: AtomicU64,
    bytes: AtomicU64,
    /// One more than the highest index that came whole.
    whole: AtomicU64,
    /// One more than the highest index that was handed over.
    handed: AtomicU64,
    moved: Notify,
}

impl Progress {
    fn counts(&self) -> WatchCounts {
        let received = self.received.load(Ordering::Relaxed);
        WatchCounts {
            received: received.saturating_sub(self.slates.load(Ordering::Relaxed)),
            lost: self.whole.load(Ordering::Relaxed).saturating_sub(received),
            late: self.late.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Where the frames of one watch on one link go.
#[derive(Clone)]
pub(super) struct Sink {
    news: mpsc::Sender<WatchNews>,
    progress: Arc<Progress>,
    bodies: Arc<Semaphore>,
    deadline_us: Arc<AtomicI64>,
}

impl Sink {
    /// What the viewer has handled: all that came, unless somebody does not take frames away.
    fn seen(&self) -> u64 {
        if self.news.capacity() == self.news.max_capacity() {
            self.progress.whole.load(Ordering::Relaxed)
        } else {
            self.progress.handed.load(Ordering::Relaxed)
        }
    }

    fn take(&self, link: &Link, header: &FrameHeader, jpeg: Bytes) {
        let clock = lock(&link.clock).clone();
        let captured_us = clock.to_ours(header.captured_at_us);
        let latency_us = i64::try_from(i128::from(now_us()) - i128::from(captured_us)).unwrap_or(i64::MAX);
        let progress = &self.progress;
        if header.slate {
            // First, so that no count takes it for a picture in between.
            progress.slates.fetch_add(1, Ordering::Relaxed);
        } else {
            progress.bytes.fetch_add(jpeg.len() as u64, Ordering::Relaxed);
            if latency_us > self.deadline_us.load(Ordering::Relaxed) {
                progress.late.fetch_add(1, Ordering::Relaxed);
            }
        }
        progress.received.fetch_add(1, Ordering::Relaxed);
        let before = progress.whole.fetch_max(header.index.saturating_add(1), Ordering::Relaxed);
        // An older frame that was overtaken is left out: the newest one is on the screen already.
        if header.index >= before {
            let frame = WatchFrame {
                seq: header.seq,
                width: header.width,
                height: header.height,
                jpeg,
                latency_us,
                latency_error_us: clock.estimate().map_or(u64::MAX, |estimate| estimate.error_us),
                encode_us: header.encoded_at_us.saturating_sub(header.captured_at_us),
                arrived: Instant::now(),
                slate: header.slate,
            };
            if self.news.try_send(WatchNews::Frame(frame)).is_ok() {
                progress.handed.fetch_max(header.index.saturating_add(1), Ordering::Relaxed);
            }
        }
        progress.moved.notify_one();
    }
}

/// Takes in one frame stream.
pub(super) async fn take_frame(link: &Arc<Link>, mut recv: RecvStream) -> Result<(), StreamError> {
    let header: FrameHeader = io::read_within(&mut recv, FRAME_TIMEOUT).await?;
    let Some(sink) = lock(&link.watches).get(&header.watch).cloned() else {
        // A frame may be on its way when its watch ends.
        let _ = recv.stop(NO_SUCH_WATCH);
        return Ok(());
    };
    // Bounds what a camera can make us hold at one time.
    let Ok(_permit) = sink.bodies.acquire().await else {
        return Ok(());
    };
    let size = usize::try_from(header.size.min(CAMERA_FRAME_BYTES_MAX)).unwrap_or(usize::MAX);
    let body = tokio::time::timeout(FRAME_TIMEOUT, recv.read_to_end(size)).await;
    let jpeg = match body.map_err(|_| StreamError::Timeout(FRAME_TIMEOUT))? {
        Ok(jpeg) if jpeg.len() == size => jpeg,
        Ok(_) | Err(_) => {
            trace!(peer = %link.peer.name, index = header.index, "a frame did not come whole");
            return Ok(());
        }
    };
    sink.take(link, &header, jpeg.into());
    Ok(())
}

/// Opens a watch and keeps it open.
pub(super) async fn start(shared: &Arc<Shared>, name: &str, options: WatchOptions) -> Result<WatchHandle, WatchError> {
    let peer = shared.entry(name).ok_or_else(|| DialError::NoPeer(name.to_owned()))?;
    let link = match shared.links.best_camera(&peer.id) {
        Some(link) => link,
        None => connect(shared, name).await?,
    };
    let (news_in, news) = mpsc::channel(FRAMES_WAITING_MAX);
    let tally = Arc::new(Tally::default());
    let open = Open::new(&link, options, news_in.clone(), tally.clone()).await?;
    let info = open.info.clone();
    let keeper = Keeper { shared: shared.clone(), peer, options, news: news_in, tally: tally.clone() };
    tokio::spawn(keeper.run(open));
    Ok(WatchHandle { info, news, tally })
}

/// A watch on one link.
struct Open {
    link: Arc<Link>,
    number: u64,
    sink: Sink,
    tally: Arc<Tally>,
    info: StreamInfo,
    send: SendStream,
    recv: RecvStream,
}

impl Open {
    async fn new(
        link: &Arc<Link>,
        options: WatchOptions,
        news: mpsc::Sender<WatchNews>,
        tally: Arc<Tally>,
    ) -> Result<Self, WatchError> {
        let peer = link.peer.name.clone();
        let broken = |error: StreamError| WatchError::Broken { peer: peer.clone(), reason: error.to_string() };
        let number = link.new_watch();
        let WatchOptions { max_fps, size, still } = options;
        let request = WatchRequest { watch: number, max_fps, size, still, signals: true };
        let (mut send, mut recv) = link.conn.open_bi().await.map_err(|error| broken(error.into()))?;
        let _ = send.set_priority(2);
        // The first frame may overtake the answer: the sink stands ready before the request goes out.
        let sink = Sink {
            news,
            progress: tally.begin(),
            bodies: Arc::new(Semaphore::new(BODIES_MAX)),
            deadline_us: Arc::new(AtomicI64::new(i64::MAX)),
        };
        lock(&link.watches).insert(number, sink.clone());
        let answer = async {
            io::write(&mut send, &Opening::Watch(request)).await?;
            io::read_within::<WatchReply>(&mut recv, ANSWER_TIMEOUT).await
        };
        let answer = answer.await;
        if !matches!(answer, Ok(WatchReply::Info(_))) {
            lock(&link.watches).remove(&number);
        }
        match answer.map_err(broken)? {
            WatchReply::Info(info) => {
                sink.deadline_us.store(i64::from(info.deadline_ms) * 1000, Ordering::Relaxed);
                Ok(Self { link: link.clone(), number, sink, tally, info, send, recv })
            }
            WatchReply::Refusal(refusal) => {
                Err(WatchError::Refused { peer, reason: refusal.reason, detail: one_line(&refusal.detail) })
            }
            WatchReply::End(end) => Err(WatchError::Broken { peer, reason: one_line(&end.detail) }),
            WatchReply::Signal(_) => {
                Err(WatchError::Broken { peer, reason: "it spoke of its signal before it answered".into() })
            }
        }
    }

    /// Reports until the watch or the link ends; says why.
    async fn run(&mut self) -> Over {
        let mut reports = tokio::time::interval(REPORT_PERIOD);
        let Self { link, sink, tally, send, recv, .. } = self;
        let reading = next_reply(recv);
        tokio::pin!(reading);
        // Only the newest word on the signal is worth telling, and a queue that is full must not hold up the reports.
        let mut signal = None;
        loop {
            tokio::select! {
                (recv, reply) = &mut reading => match reply {
                    Ok(WatchReply::Signal(news)) => {
                        signal = Some(told(link, news));
                        reading.set(next_reply(recv));
                    }
                    Ok(WatchReply::End(end)) => {
                        last_frames(sink, end.begun).await;
                        return Over::Broken(one_line(&end.detail));
                    }
                    Ok(WatchReply::Refusal(refusal)) => {
                        return Over::Refused(refusal.reason, one_line(&refusal.detail));
                    }
                    Ok(WatchReply::Info(_)) => return Over::Broken("the camera answered twice".to_owned()),
                    Err(error) => return Over::Broken(error.to_string()),
                },
                Ok(place) = sink.news.reserve(), if signal.is_some() => {
                    if let Some(news) = signal.take() {
                        place.send(news);
                    }
                }
                _ = reports.tick() => {
                    let report = Report {
                        seen: sink.seen(),
                        received: sink.progress.received.load(Ordering::Relaxed),
                        late: sink.progress.late.load(Ordering::Relaxed),
                        decode_us: tally.decode_us.load(Ordering::Relaxed),
                    };
                    if let Err(error) = io::write(send, &report).await {
                        return Over::Broken(error.to_string());
                    }
                }
                () = link.leaving() => return Over::Broken("the link is being replaced".to_owned()),
                () = sink.news.closed() => return Over::Broken("the viewer has gone".to_owned()),
            }
        }
    }
}

/// Why a watch on one link is over.
enum Over {
    Broken(String),
    /// A picture that was asked for and could not be taken, say.
    Refused(Reason, String),
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(why) | Self::Refused(_, why) => f.write_str(why),
        }
    }
}

/// What the camera says next. Gives the stream back, so that a read which must not be dropped can be followed by another.
async fn next_reply(recv: &mut RecvStream) -> (&mut RecvStream, Result<WatchReply, StreamError>) {
    let reply = io::read(recv).await;
    (recv, reply)
}

/// What the camera says of its signal, for whoever watches.
fn told(link: &Link, news: Signal) -> WatchNews {
    match news.lost {
        Some(lost) => {
            let since_us = lock(&link.clock).to_ours(lost.since_us);
            WatchNews::NoSignal { reason: one_line(&lost.reason), since_us }
        }
        None => WatchNews::Signal,
    }
}

/// The end of a watch may overtake its last frames.
async fn last_frames(sink: &Sink, begun: u64) {
    let all = async {
        while sink.progress.whole.load(Ordering::Relaxed) < begun {
            sink.progress.moved.notified().await;
        }
    };
    let _ = tokio::time::timeout(LAST_FRAMES, all).await;
    // What was begun and has not come by now is lost.
    sink.progress.whole.fetch_max(begun, Ordering::Relaxed);
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.link.watches).remove(&self.number);
    }
}

/// Keeps a watch open over links.
struct Keeper {
    shared: Arc<Shared>,
    peer: Arc<Entry>,
    options: WatchOptions,
    news: mpsc::Sender<WatchNews>,
    tally: Arc<Tally>,
}

impl Keeper {
    async fn run(mut self, mut open: Open) {
        loop {
            let begun = Instant::now();
            let why = open.run().await;
            debug!(peer = %self.peer.name, %why, "a watch ended");
            drop(open);
            if let (true, Over::Refused(reason, detail)) = (self.options.still, &why) {
                let (peer, reason, detail) = (self.peer.name.clone(), *reason, detail.clone());
                let _ = self.news.send(WatchNews::Ended(WatchError::Refused { peer, reason, detail })).await;
            }
            if self.options.still || self.news.is_closed() || self.shared.is_stopped() {
                return;
            }
            if self.news.send(WatchNews::Paused(why.to_string())).await.is_err() {
                return;
            }
            if begun.elapsed() < REOPEN_PAUSE {
                tokio::time::sleep(REOPEN_PAUSE).await;
            }
            match self.reopen().await {
                Some(next) => open = next,
                None => return,
            }
            if self.news.send(WatchNews::Resumed(open.info.clone())).await.is_err() {
                return;
            }
        }
    }

    /// Waits for a link and opens the watch on it; gives up only where the camera's owner says no or the
    /// table has no such peer any more.
    async fn reopen(&mut self) -> Option<Open> {
        loop {
            let Some(peer) = self.shared.table.by_id(&self.peer.id) else {
                let gone = DialError::NoPeer(self.peer.name.clone());
                let _ = self.news.send(WatchNews::Ended(gone.into())).await;
                return None;
            };
            self.peer = peer;
            let link = tokio::select! {
                link = self.link() => link,
                () = self.peer.gone() => continue,
                () = self.news.closed() => return None,
                () = self.shared.stopped() => return None,
            };
            if let Some(link) = link {
                match Open::new(&link, self.options, self.news.clone(), self.tally.clone()).await {
                    Ok(open) => return Some(open),
                    Err(error @ WatchError::Refused { reason: Reason::NotAllowed, .. }) => {
                        let _ = self.news.send(WatchNews::Ended(error)).await;
                        return None;
                    }
                    Err(error) => debug!(peer = %self.peer.name, %error, "not yet"),
                }
            }
            tokio::time::sleep(REOPEN_PAUSE).await;
        }
    }

    async fn link(&self) -> Option<Arc<Link>> {
        if let Some(link) = self.shared.links.best_camera(&self.peer.id) {
            return Some(link);
        }
        if self.peer.addresses.is_empty() || self.shared.settings.role == super::types::Role::LongLived {
            // Dialled by the peer, or by the task that keeps links.
            return Some(linked(&self.shared, &self.peer).await);
        }
        connect(&self.shared, &self.peer.name).await.ok()
    }
}
