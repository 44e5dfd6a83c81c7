//! One viewer of our camera, on the camera's side.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{SendStream, VarInt};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info};

use super::camera::signal::State;
use super::camera::{Encoded, Feed, Viewer};
use super::io::{self, ReadHalf, StreamError, WriteHalf, now_or_never};
use super::link::Link;
use super::pacing::{DEADLINE_MS, Decision, IN_FLIGHT_MAX, Pacer};
use super::shared::{Shared, steady_ms};
use crate::wire::{FrameHeader, Reason, Refusal, Report, Signal, StreamInfo, WatchEnd, WatchReply, WatchRequest};

/// Frames and watch streams give way to control and go before bodies.
const PRIORITY: i32 = 2;
/// A camera that gives no picture for this long has none.
const STILL_TIMEOUT: Duration = Duration::from_secs(10);
/// A viewer reports twice a second; one that has not done so for this long is gone, or means to hold a place.
const REPORTS_TIMEOUT: Duration = Duration::from_secs(30);
/// The stream error code of a frame that has missed its time.
const MISSED: VarInt = VarInt::from_u32(2);
/// What a viewer is told on its watch's own stream it takes within this time, or is gone.
const WORD_TIMEOUT: Duration = Duration::from_secs(10);
/// The last frames of a watch that is over may still arrive for this long.
const LAST_FRAMES: Duration = Duration::from_secs(1);
/// A viewer counts as late when it had to do without this part of the frames between two reports, in percent.
const LATE_PERCENT: u64 = 20;

/// Answers a request to watch.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    request: WatchRequest,
    mut send: impl WriteHalf,
    recv: impl ReadHalf,
) -> Result<(), StreamError> {
    send.set_priority(PRIORITY);
    let admitted = admit(shared, link);
    // A link that is being replaced waits until its viewers have gone over to the new one.
    let _busy = link.busy();
    let (feed, _permit) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => {
            info!(peer = %link.peer.name, reason = ?refusal.reason, "refused a watch");
            return last_word(&mut send, &WatchReply::Refusal(refusal)).await;
        }
    };
    let (width, height) = feed.size(request.size);
    let info = StreamInfo {
        width: width.max(1),
        height: height.max(1),
        fps_milli: (feed.fps() * 1000.0) as u32,
        deadline_ms: DEADLINE_MS as u32,
    };
    io::write(&mut send, &WatchReply::Info(info)).await?;
    if request.still {
        return still(shared, link, &feed, &request, &mut send).await;
    }
    info!(peer = %link.peer.name, size = ?request.size, max_fps = request.max_fps, "a viewer has come");
    let mut watch = Watch {
        link: link.clone(),
        feed: feed.clone(),
        number: request.watch,
        pacer: Pacer::new(request.max_fps),
        start: Instant::now(),
        resets: HashMap::new(),
        ends: mpsc::channel(2 * IN_FLIGHT_MAX),
        viewer: feed.viewer(),
        offered: 0,
        left_out: 0,
    };
    let end = watch.run(shared, &request, &mut send, recv).await;
    let (begun, left_out, resets) = (watch.pacer.begun(), watch.pacer.dropped(), watch.pacer.resets());
    info!(peer = %link.peer.name, begun, left_out, resets, "a viewer has gone");
    let end = WatchEnd { detail: end.to_owned(), begun };
    // It counts no more among those who watch.
    drop(watch);
    // The viewer may have gone with its stream.
    let _ = last_word(&mut send, &WatchReply::End(end)).await;
    Ok(())
}

async fn last_word(send: &mut impl WriteHalf, word: &WatchReply) -> Result<(), StreamError> {
    let saying = async {
        io::write(send, word).await?;
        let _ = send.finish();
        send.done().await;
        Ok(())
    };
    tokio::time::timeout(WORD_TIMEOUT, saying).await.unwrap_or(Err(StreamError::Timeout(WORD_TIMEOUT)))
}

type Admitted = (Arc<Feed>, tokio::sync::OwnedSemaphorePermit);

fn admit(shared: &Shared, link: &Arc<Link>) -> Result<Admitted, Refusal> {
    let refusal = |reason, detail: &str, retry| Refusal { reason, detail: detail.to_owned(), retry };
    if !shared.table.allow(&link.peer.id).camera {
        return Err(refusal(Reason::NotAllowed, "the table does not allow you \"camera\"", false));
    }
    let feed = shared.camera.feed().ok_or_else(|| refusal(Reason::NoCamera, "no camera is published here", true))?;
    let state = shared.peer(&link.peer.id).ok_or_else(|| refusal(Reason::NotAllowed, "not in the table", false))?;
    let permit = state.watches.clone().try_acquire_owned();
    let permit = permit.map_err(|_| refusal(Reason::Busy, "at most 16 watches may be under way", true))?;
    Ok((feed, permit))
}

async fn still(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    feed: &Arc<Feed>,
    request: &WatchRequest,
    send: &mut impl WriteHalf,
) -> Result<(), StreamError> {
    let mut signal = feed.signal();
    let frame = match feed.still() {
        None => Err("too many wait for a picture".to_owned()),
        Some(still) => tokio::select! {
            // A picture that is there goes out, whatever has become of the camera since.
            biased;
            frame = still => frame.map_err(|_| "the picture could not be made".to_owned()),
            Ok(state) = signal.wait_for(|state| state.lost().is_some()) => {
                Err(state.lost().map_or_else(String::new, |lost| format!("no signal: {}", lost.reason)))
            }
            () = tokio::time::sleep(STILL_TIMEOUT) => Err("the camera gave no picture in time".to_owned()),
            () = shared.stopped() => Err("the camera goes".to_owned()),
            _ = link.conn.closed() => Err("the link is gone".to_owned()),
        },
    };
    let frame = match frame {
        Ok(frame) => frame,
        Err(detail) => {
            let refusal = Refusal { reason: Reason::Busy, detail, retry: true };
            return last_word(send, &WatchReply::Refusal(refusal)).await;
        }
    };
    feed.sent(&frame);
    let mut stream = link.conn.open_uni().await?;
    let _ = stream.set_priority(PRIORITY);
    write_frame(&mut stream, request.watch, 0, &frame).await?;
    let _ = stream.finish();
    let _ = stream.stopped().await;
    last_word(send, &WatchReply::End(WatchEnd { detail: "one picture was asked for".into(), begun: 1 })).await
}

async fn write_frame(stream: &mut SendStream, watch: u64, index: u64, frame: &Encoded) -> Result<(), StreamError> {
    let header = FrameHeader {
        watch,
        seq: frame.seq,
        index,
        captured_at_us: frame.captured_at_us,
        encoded_at_us: frame.encoded_at_us,
        width: frame.width,
        height: frame.height,
        size: frame.jpeg.len() as u64,
        slate: frame.slate,
    };
    io::write(stream, &header).await?;
    stream.write_chunk(frame.jpeg.clone()).await?;
    Ok(())
}

/// How a frame's stream ended.
enum End {
    Finished(u64),
    Gone(u64),
}

struct Watch {
    link: Arc<Link>,
    feed: Arc<Feed>,
    number: u64,
    pacer: Pacer,
    start: Instant,
    resets: HashMap<u64, oneshot::Sender<()>>,
    ends: (mpsc::Sender<End>, mpsc::Receiver<End>),
    viewer: Viewer,
    offered: u64,
    left_out: u64,
}

impl Watch {
    /// Sends frames until one side ends; says why.
    async fn run(
        &mut self,
        shared: &Arc<Shared>,
        request: &WatchRequest,
        send: &mut impl WriteHalf,
        recv: impl ReadHalf,
    ) -> &'static str {
        let feed = self.feed.clone();
        let mut newest = feed.follow(request.size);
        let mut signal = feed.signal();
        if feed.is_stopped() {
            // It ended before it was followed, and wakes nobody any more.
            return "the camera is no longer published";
        }
        let mut told = Told { lost: false, wanted: request.signals };
        if signal.borrow().lost().is_some() {
            signal.mark_changed();
            feed.want_slate();
        }
        let (report_in, mut reports) = mpsc::channel(4);
        let reader = tokio::spawn(read_reports(recv, report_in));
        // Made once: with many viewers, what is made for each frame counts.
        let silence = tokio::time::sleep(REPORTS_TIMEOUT);
        let (conn, stopped) = (self.link.conn.clone(), shared.stopped());
        let closed = conn.closed();
        tokio::pin!(silence, stopped, closed);
        let why = loop {
            tokio::select! {
                changed = newest.changed() => {
                    if changed.is_err() || feed.is_stopped() {
                        break "the camera is no longer published";
                    }
                    let frame = newest.borrow_and_update().clone();
                    if let Some(frame) = frame {
                        self.offer(frame).await;
                    }
                }
                Some(end) = self.ends.1.recv() => self.ended(&end),
                Ok(()) = signal.changed() => {
                    let telling = tokio::time::timeout(WORD_TIMEOUT, told.tell(send, &mut signal));
                    if !matches!(telling.await, Ok(Ok(()))) {
                        break "the viewer takes nothing any more";
                    }
                }
                report = reports.recv() => match report {
                    Some(report) => {
                        silence.as_mut().reset(tokio::time::Instant::now() + REPORTS_TIMEOUT);
                        self.report(&report);
                    }
                    None => break "the viewer has ended the watch",
                },
                () = &mut silence => break "the viewer has not reported for 30 s",
                _ = &mut closed => break "the link is gone",
                () = &mut stopped => break "the camera goes",
            }
        };
        reader.abort();
        why
    }

    async fn offer(&mut self, frame: Arc<Encoded>) {
        // Slates say nothing of the viewer's speed: its pictures are judged.
        let left_out = frame.slate.then_some(self.left_out);
        self.offered += u64::from(!frame.slate);
        let dropped_before = self.pacer.dropped();
        match self.pacer.frame(steady_ms(self.start)) {
            Decision::Send(index) => self.send(index, frame).await,
            Decision::Reset(old, index) => {
                self.left_out += 1;
                if let Some(reset) = self.resets.remove(&old) {
                    let _ = reset.send(());
                }
                self.send(index, frame).await;
            }
            // A frame that the viewer's own limit leaves out says nothing of its speed.
            Decision::Drop => self.left_out += self.pacer.dropped() - dropped_before,
        }
        self.left_out = left_out.unwrap_or(self.left_out);
    }

    async fn send(&mut self, index: u64, frame: Arc<Encoded>) {
        // No stream to be had at once means that the viewer does not read: this frame is left out.
        let Some(Ok(stream)) = now_or_never(self.link.conn.open_uni()).await else {
            self.pacer.undo(index);
            self.left_out += 1;
            return;
        };
        self.feed.sent(&frame);
        let (reset, on_reset) = oneshot::channel();
        self.resets.insert(index, reset);
        let ends = self.ends.0.clone();
        let number = self.number;
        tokio::spawn(async move {
            let end = if send_frame(stream, number, index, &frame, on_reset).await {
                End::Finished(index)
            } else {
                End::Gone(index)
            };
            let _ = ends.send(end).await;
        });
    }

    fn ended(&mut self, end: &End) {
        match end {
            End::Finished(index) => {
                self.resets.remove(index);
                self.pacer.finished(*index);
            }
            End::Gone(index) => {
                self.resets.remove(index);
                self.pacer.gone(*index);
            }
        }
    }

    fn report(&mut self, report: &Report) {
        self.pacer.report(report.seen);
        if self.offered == 0 {
            // A slow camera has given nothing since: that is no news of the viewer.
            return;
        }
        let late = self.left_out * 100 >= self.offered * LATE_PERCENT;
        self.viewer.set_late(late);
        self.offered = 0;
        self.left_out = 0;
    }
}

/// What a viewer knows of the signal.
struct Told {
    lost: bool,
    /// Whether it understands.
    wanted: bool,
}

impl Told {
    /// Tells the newest state; that all is well only to who knows of a loss.
    async fn tell(
        &mut self,
        send: &mut impl WriteHalf,
        signal: &mut watch::Receiver<State>,
    ) -> Result<(), StreamError> {
        let lost = signal.borrow_and_update().lost().cloned();
        if !self.wanted || (lost.is_none() && !self.lost) {
            return Ok(());
        }
        self.lost = lost.is_some();
        io::write(send, &WatchReply::Signal(Signal { lost })).await
    }
}

/// One frame on its stream. True once the viewer's transport has all of it.
async fn send_frame(
    mut stream: SendStream,
    watch: u64,
    index: u64,
    frame: &Encoded,
    on_reset: oneshot::Receiver<()>,
) -> bool {
    let _ = stream.set_priority(PRIORITY);
    let sending = async {
        write_frame(&mut stream, watch, index, frame).await.ok()?;
        stream.finish().ok()?;
        matches!(stream.stopped().await, Ok(None)).then_some(())
    };
    let done = tokio::select! {
        done = sending => done.is_some(),
        () = missed(on_reset) => false,
    };
    if !done {
        let _ = stream.reset(MISSED);
    }
    done
}

/// Resolves when the frame is not wanted any more. Without its watch it has a moment left; who takes nothing must not
/// hold it for as long as the link lives.
async fn missed(on_reset: oneshot::Receiver<()>) {
    if on_reset.await.is_err() {
        tokio::time::sleep(LAST_FRAMES).await;
    }
}

async fn read_reports(mut recv: impl ReadHalf, reports: mpsc::Sender<Report>) {
    loop {
        match io::read::<Report>(&mut recv).await {
            Ok(report) => {
                if reports.send(report).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                debug!(%error, "the viewer's reports end");
                return;
            }
        }
    }
}
