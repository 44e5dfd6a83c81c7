//! `miyu send`: one message, and its receipt.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc;

use super::node::Loaded;
use super::print::{Printer, shown, size};
use super::{Failure, Global, Outcome, node, sound};
use crate::identity::PeerId;
use crate::media::clip;
use crate::node::hidden;
use crate::node::history::History;
use crate::node::limits::{CLIP_BYTES_MAX, PICTURE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::node::{DialError, Direction, Draft, DraftKind, Event, LinkInfo, MessageId, Node, Role, State, Target};

/// Flags of `miyu send`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "miyu send [OPTIONS] <PEER> <TEXT|--image FILE|--clip WAV|--record|--file FILE|--delete ID>"
)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["text", "image", "clip", "record", "file", "delete"]))]
pub(super) struct Options {
    /// A peer of the table
    peer: String,
    /// The text; `-` reads it from stdin
    text: Option<String>,
    /// Send a picture
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Hide this text in the picture: only the receiver can find it
    #[arg(long, value_name = "TEXT", requires = "image", conflicts_with_all = ["text", "clip", "record", "file", "delete"])]
    hide: Option<String>,
    /// Hide the text in this file in the picture
    #[arg(long, value_name = "FILE", requires = "image")]
    #[arg(conflicts_with_all = ["hide", "text", "clip", "record", "file", "delete"])]
    hide_file: Option<PathBuf>,
    /// Send a voice clip (WAV of up to 60 s)
    #[arg(long, value_name = "WAV")]
    clip: Option<PathBuf>,
    /// Record a voice clip of up to 5 s, and send it; Enter ends it sooner, Ctrl+C sends nothing
    #[arg(long)]
    record: bool,
    /// The microphone, a name or id of `miyu devices` [default: the table's, else the system's]
    #[arg(long, value_name = "NAME", requires = "record", conflicts_with_all = ["text", "image", "clip", "file", "delete"])]
    device: Option<String>,
    /// Send any file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The message that this one answers
    #[arg(long, value_name = "ID", conflicts_with_all = ["edit", "react", "delete"])]
    reply_to: Option<MessageId>,
    /// Give this message of ours the new TEXT
    #[arg(long, value_name = "ID", requires = "text", conflicts_with_all = ["image", "clip", "record", "file", "react", "delete"])]
    edit: Option<MessageId>,
    /// Put TEXT, an emoji say, beside this message; an empty TEXT takes it back
    #[arg(long, value_name = "ID", requires = "text", conflicts_with_all = ["image", "clip", "record", "file", "delete"])]
    react: Option<MessageId>,
    /// Take this message of ours back, on both sides
    #[arg(long, value_name = "ID")]
    delete: Option<MessageId>,
    /// Give up after this long without progress; the message stays in the outbox
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// Between two dials.
const REDIAL: Duration = Duration::from_secs(1);
/// What was queued before is waited for this long after the receipt.
const REST_OF_QUEUE: Duration = Duration::from_secs(2);
/// How often the store is asked whether another process has delivered the message.
const POLL: Duration = Duration::from_millis(500);

pub(super) async fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let loaded = node::load(global)?;
    node::check_peer(&loaded, &options.peer)?;
    let mut draft = if options.record { recorded(options, &loaded, printer).await? } else { draft(options, printer)? };
    about_another(options, &loaded, &mut draft)?;
    let (node, events) = node::start(&loaded, Role::OneShot).await?;
    let queued = node.send(&options.peer, draft).await.map_err(Failure::from);
    let wait = match queued.and_then(|id| Wait::new(options, printer, &loaded, id)) {
        Ok(wait) => wait,
        Err(failure) => {
            node.shutdown().await;
            return Err(failure);
        }
    };
    let outcome = tokio::select! {
        outcome = wait.deliver(&node, events) => outcome,
        () = node::interrupted() => Err(wait.queued("interrupted")),
    };
    if outcome.is_ok() {
        wait.rest_of_queue().await;
    }
    node.shutdown().await;
    wait.bar.finish_and_clear();
    match outcome {
        // Whoever runs on this folder may get it through although we cannot dial.
        Err(Stuck::NoAddress(error)) => wait.by_another(error).await,
        Err(Stuck::Failed(failure)) => Err(failure),
        Ok(()) => Ok(()),
    }
}

/// Replies, edits, deletions and reactions name a message of the history.
fn about_another(options: &Options, loaded: &Loaded, draft: &mut Draft) -> Outcome {
    let target = |id: MessageId| -> Outcome<Target> {
        let history = History::open(&loaded.data, &loaded.identity)?;
        let peer = loaded.config.peer_named(&options.peer)?.id;
        let found = history.find(&peer, &id)?.ok_or_else(|| {
            Failure::new(format!("there is no message {id} in the conversation with {}", options.peer))
                .hint(format!("`miyu history {} --json` lists the messages with their ids", options.peer))
        })?;
        Ok(Target { direction: found.direction, id })
    };
    draft.reply_to = options.reply_to.map(target).transpose()?;
    let text = match &draft.kind {
        DraftKind::Text(text) => text.clone(),
        _ => String::new(),
    };
    let own = |id: MessageId| match target(id)?.direction {
        Direction::Out => Ok(id),
        Direction::In => Err(Failure::new(format!("message {id} is not one of yours"))
            .hint("only its author can edit a message or take it back")),
    };
    if let Some(of) = options.edit {
        draft.kind = DraftKind::Edit { of: own(of)?, text };
    } else if let Some(to) = options.react {
        draft.kind = DraftKind::React { to: target(to)?, text };
    } else if let Some(of) = options.delete {
        draft.kind = DraftKind::Delete { of: own(of)? };
    }
    Ok(())
}

fn draft(options: &Options, printer: &Printer) -> Outcome<Draft> {
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(text) = &options.text {
        let text = if text == "-" { stdin_text()? } else { text.clone() };
        return Ok(Draft { kind: DraftKind::Text(text), name: None, reply_to: None });
    }
    if let Some(path) = &options.image {
        let bytes = node::read_file(path, PICTURE_BYTES_MAX)?;
        let hide = hidden_text(options)?;
        if hide.is_some()
            && let (_, Some(conversion)) = hidden::capacity(&bytes, false)?
        {
            printer.note(&format!("note: {conversion}"));
        }
        return Ok(Draft { kind: DraftKind::Picture { bytes, hide }, name: name(path), reply_to: None });
    }
    if let Some(path) = &options.clip {
        let bytes = node::read_file(path, CLIP_BYTES_MAX)?;
        let info = clip::check(&bytes).map_err(|error| {
            let hint = error.hint();
            let failure = Failure::new(format!("{}: {error}", path.display()));
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        if info.silent {
            printer.note("note: this clip is silent throughout");
        }
        return Ok(Draft { kind: DraftKind::Clip(bytes), name: name(path), reply_to: None });
    }
    if let Some(of) = options.delete {
        return Ok(Draft { kind: DraftKind::Delete { of }, name: None, reply_to: None });
    }
    let Some(path) = &options.file else {
        return Err(Failure::new("nothing to send").hint("give a text, --image, --clip, --record or --file"));
    };
    Ok(Draft { kind: DraftKind::File(path.clone()), name: name(path), reply_to: None })
}

/// A clip from the microphone.
async fn recorded(options: &Options, loaded: &Loaded, printer: &Printer) -> Outcome<Draft> {
    let device = options.device.as_deref().or(loaded.config.sound.input.as_deref());
    let clip = sound::record(device, sound::SECONDS_MAX, printer).await?;
    if clip.interrupted {
        return Err(Failure::new("interrupted").hint("nothing was sent; Enter ends a recording and sends it"));
    }
    Ok(Draft { kind: DraftKind::Clip(clip.wav), name: Some("clip.wav".to_owned()), reply_to: None })
}

fn hidden_text(options: &Options) -> Outcome<Option<String>> {
    match (&options.hide, &options.hide_file) {
        (Some(text), _) => Ok(Some(text.clone())),
        (None, Some(path)) => super::stego::text_file(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn stdin_text() -> Outcome<String> {
    use std::io::Read;
    let mut text = String::new();
    // One byte more than allowed is enough to be refused with the limit.
    let read = std::io::stdin().lock().take(TEXT_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("cannot read the text from stdin: {error}")))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

type Dialling<'a> = Pin<Box<dyn Future<Output = Result<LinkInfo, DialError>> + Send + 'a>>;

/// Why the waiting ends without a receipt.
enum Stuck {
    NoAddress(DialError),
    Failed(Failure),
}

/// Waiting for the receipt of one message.
struct Wait<'a> {
    options: &'a Options,
    printer: &'a Printer,
    history: History,
    peer: PeerId,
    id: MessageId,
    begun: Instant,
    bar: ProgressBar,
}

impl<'a> Wait<'a> {
    fn new(options: &'a Options, printer: &'a Printer, loaded: &Loaded, id: MessageId) -> Outcome<Self> {
        let history = History::open(&loaded.data, &loaded.identity)?;
        let peer = loaded.config.peer_named(&options.peer)?.id;
        let bar = if printer.shows_progress() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(format!("to {}", options.peer));
        Ok(Self { options, printer, history, peer, id, begun: Instant::now(), bar })
    }

    /// What waited for the peer from before goes out with this message: it is given a moment for its receipts.
    async fn rest_of_queue(&self) {
        let end = Instant::now() + REST_OF_QUEUE;
        while Instant::now() < end && self.history.pending(&self.peer).is_ok_and(|count| count > 0) {
            tokio::time::sleep(REST_OF_QUEUE / 100).await;
        }
    }

    fn queued(&self, why: &str) -> Stuck {
        Stuck::Failed(self.queued_failure(why))
    }

    fn queued_failure(&self, why: &str) -> Failure {
        Failure::new(format!("not delivered to {}: {why}", self.options.peer)).hint(format!(
            "the message is queued in the outbox: `miyu run`, or the next `miyu send {0}`, delivers it when the peer is \
             there; `miyu history {0} --cancel {1}` takes it out",
            self.options.peer, self.id
        ))
    }

    /// Dials and waits, until the receipt, a refusal for good, or too long without progress.
    async fn deliver(&self, node: &Node, mut events: mpsc::Receiver<Event>) -> Result<(), Stuck> {
        let limit = Duration::from_secs(self.options.timeout);
        let mut progress_at = Instant::now();
        let mut last_error: Option<String> = None;
        let mut last_hint = None;
        let mut poll = tokio::time::interval(POLL);
        let mut dialling: Dialling<'_> = Box::pin(node.connect(&self.options.peer));
        let mut linked = false;
        loop {
            let left = limit.saturating_sub(progress_at.elapsed());
            tokio::select! {
                result = &mut dialling, if !linked => match result {
                    Ok(_) => linked = true,
                    Err(error @ DialError::NoAddress { .. }) => return Err(Stuck::NoAddress(error)),
                    Err(error @ (DialError::NotInTheirTable { .. } | DialError::Impostor { .. })) => {
                        let failure = self.queued_failure(&error.to_string());
                        return Err(Stuck::Failed(failure.hint(both(&error, &self.options.peer))));
                    }
                    Err(error) => {
                        last_hint = error.hint();
                        last_error = Some(error.to_string());
                        let again = async { tokio::time::sleep(REDIAL).await; node.connect(&self.options.peer).await };
                        dialling = Box::pin(again);
                    }
                },
                event = events.recv() => match event {
                    None => return Err(self.queued("the node has stopped")),
                    Some(Event::Progress { id, sent, total }) if id == self.id => {
                        progress_at = Instant::now();
                        self.progress(sent, total);
                    }
                    Some(Event::Delivered { id, bytes, ms, .. }) if id == self.id => {
                        self.delivered(bytes, ms);
                        return Ok(());
                    }
                    Some(Event::Failed { id, reason, .. }) if id == self.id => return Err(Stuck::Failed(self.refused(&reason))),
                    Some(Event::Deferred { id, reason, .. }) if id == self.id => last_error = Some(shown(&reason)),
                    Some(Event::Disconnected { .. }) => {
                        linked = false;
                        dialling = Box::pin(node.connect(&self.options.peer));
                    }
                    Some(_) => {}
                },
                _ = poll.tick() => {
                    if let Some(bytes) = self.concluded_by_another().map_err(Stuck::Failed)? {
                        self.delivered(bytes, self.elapsed_ms());
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(left) => {
                    let why = last_error.unwrap_or_else(|| format!("no progress for {} s", limit.as_secs()));
                    let failure = self.queued_failure(&why);
                    let hint = match (last_hint, &failure.hint) {
                        (Some(mend), Some(queued)) => format!("{queued}\nhint: {mend}"),
                        (None, Some(queued)) => format!("{queued}\nhint: `miyu ping {}` tells what is wrong", self.options.peer),
                        (_, None) => String::new(),
                    };
                    return Err(Stuck::Failed(failure.hint(hint)));
                }
            }
        }
    }

    /// Without an address: a running peer on this folder may have a link.
    async fn by_another(&self, error: DialError) -> Outcome {
        let limit = Duration::from_secs(self.options.timeout);
        self.printer.note(&format!("{error}; waiting for a `miyu run` on this data folder to deliver it"));
        while self.begun.elapsed() < limit {
            if let Some(bytes) = self.concluded_by_another()? {
                self.delivered(bytes, self.elapsed_ms());
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = node::interrupted() => break,
            }
        }
        let failure = self.queued_failure(&error.to_string());
        Err(failure.hint(both(&error, &self.options.peer)))
    }

    /// The bytes of the message once another process has its receipt.
    fn concluded_by_another(&self) -> Outcome<Option<u64>> {
        let Some(message) = self.history.message(&self.peer, Direction::Out, &self.id)? else {
            return Err(
                Failure::new("the message was cancelled or deleted meanwhile").hint("send it again if it is wanted")
            );
        };
        match message.state {
            State::Delivered | State::Read => Ok(Some(message.bytes)),
            State::Failed => Err(self.refused(message.reason.as_deref().unwrap_or("no reason given"))),
            _ => Ok(None),
        }
    }

    fn refused(&self, reason: &str) -> Failure {
        Failure::new(format!("{} refused: {}", self.options.peer, shown(reason)))
            .hint("the message is kept in the history as failed")
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn progress(&self, sent: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(sent);
        if self.printer.is_json() {
            let value = json!({ "event": "progress", "id": self.id.to_string(), "sent": sent, "total": total });
            self.printer.result(&value, String::new);
        }
    }

    fn delivered(&self, bytes: u64, ms: u64) {
        self.bar.finish_and_clear();
        let to = &self.options.peer;
        let value = json!({ "event": "delivered", "id": self.id.to_string(), "to": to, "bytes": bytes, "ms": ms });
        self.printer.result(&value, || format!("delivered to {to}: {} in {ms} ms", size(bytes)));
    }
}

fn both(error: &DialError, peer: &str) -> String {
    let queued = format!(
        "the message is queued in the outbox: `miyu run`, or the next `miyu send {peer}`, delivers it when that is mended"
    );
    match error.hint() {
        Some(mend) => format!("{mend}\nhint: {queued}"),
        None => queued,
    }
}
