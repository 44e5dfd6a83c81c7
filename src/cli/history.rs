//! `miyu history`: stored messages.

mod export;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::node::Loaded;
use super::print::{Printer, count, shown, size};
use super::{Failure, Global, Outcome, node};
use crate::identity::PeerId;
use crate::node::history::{Conversation, Cursor, History, Kind, Place, Query, StoreError};
use crate::node::{Direction, Message, MessageId};

/// Flags of `miyu history`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("act"))]
pub(super) struct Options {
    /// Only the conversation with this peer
    peer: Option<String>,
    /// Only messages that contain these words, whatever the case
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["mark_read", "retry", "cancel", "delete", "delete_all", "check"])]
    search: Option<String>,
    /// At most this many, the newest ones; 0 for all [default: 50]
    #[arg(long, value_name = "N", conflicts_with = "act")]
    limit: Option<usize>,
    /// Those before this message
    #[arg(long, value_name = "ID", conflicts_with_all = ["after", "act"])]
    before: Option<MessageId>,
    /// Those after this message, the oldest ones first
    #[arg(long, value_name = "ID", conflicts_with_all = ["mark_read", "retry", "cancel", "delete", "delete_all", "check"])]
    after: Option<MessageId>,
    /// List the conversations: unread messages and the last one of each
    #[arg(long, group = "act", conflicts_with_all = ["search", "before", "after"])]
    conversations: bool,
    /// Count everything from PEER as read
    #[arg(long, group = "act", requires = "peer")]
    mark_read: bool,
    /// Send this failed message again, with the next `miyu run` or `miyu send`
    #[arg(long, value_name = "ID", group = "act", requires = "peer")]
    retry: Option<MessageId>,
    /// Take this message out of the outbox
    #[arg(long, value_name = "ID", group = "act", requires = "peer")]
    cancel: Option<MessageId>,
    /// Delete this message here, with its attachment (`miyu send PEER --delete ID` takes it back on both sides)
    #[arg(long, value_name = "ID", group = "act", requires = "peer")]
    delete: Option<MessageId>,
    /// Delete the whole conversation with PEER here
    #[arg(long, group = "act", requires = "peer")]
    delete_all: bool,
    /// Write the messages as JSON lines, and their attachments, into a new folder, in the clear: all of them, those with
    /// PEER, those that --search finds, those --after a message
    #[arg(long, value_name = "DIR", group = "act")]
    export: Option<PathBuf>,
    /// Open everything that is stored, to see whether all of it is there and unchanged
    #[arg(long, group = "act")]
    check: bool,
}

/// Messages that are listed when nothing else is said.
const LIMIT_DEFAULT: usize = 50;
/// Messages read from the store at once.
const PAGE: usize = 500;

/// The table, the history, and what was asked.
struct Reading<'a> {
    options: &'a Options,
    printer: &'a Printer,
    loaded: Loaded,
    history: History,
    peer: Option<PeerId>,
}

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let loaded = node::load(global)?;
    let peer = options.peer.as_deref().map(|name| loaded.config.peer_named(name).map(|peer| peer.id)).transpose()?;
    let history = History::open(&loaded.data, &loaded.identity)?;
    let reading = Reading { options, printer, loaded, history, peer };
    if let Some(folder) = &options.export {
        return export::run(&reading, folder);
    }
    if options.conversations {
        return reading.conversations();
    }
    if options.check {
        return reading.check();
    }
    match peer {
        Some(peer) => reading.act(&peer).unwrap_or_else(|| reading.list()),
        None => reading.list(),
    }
}

impl Reading<'_> {
    /// What is to be done to a conversation, if anything is.
    fn act(&self, peer: &PeerId) -> Option<Outcome> {
        let options = self.options;
        if let Some(id) = &options.retry {
            return Some(self.done(self.history.retry(peer, id), id, "retried", "it has not failed"));
        }
        if let Some(id) = &options.cancel {
            return Some(self.done(self.history.cancel(peer, id), id, "cancelled", "it is not in the outbox"));
        }
        if let Some(id) = &options.delete {
            let deleted = self.history.find(peer, id).and_then(|message| match message {
                Some(message) => self.history.delete(peer, message.direction, id),
                None => Ok(false),
            });
            return Some(self.done(deleted, id, "deleted", "it is not in this conversation"));
        }
        if options.delete_all {
            return Some(self.counted(self.history.delete_conversation(peer), "conversation_deleted", "deleted"));
        }
        if options.mark_read {
            let query = Query { peer: Some(peer), limit: 1, ..Query::default() };
            let marked = self.history.page(&query).and_then(|page| match page.first() {
                Some(last) => self.history.mark_read(peer, &last.cursor()),
                None => Ok(0),
            });
            return Some(self.counted(marked, "marked_read", "marked as read"));
        }
        None
    }

    fn done(&self, result: Result<bool, StoreError>, id: &MessageId, event: &str, why_not: &str) -> Outcome {
        if !result? {
            return Err(Failure::new(format!("message {id} was not {event}: {why_not}"))
                .hint("`miyu history PEER --json` lists the messages with their ids and states"));
        }
        self.printer.result(&json!({ "event": event, "id": id.to_string() }), || format!("{event} {id}"));
        Ok(())
    }

    fn counted(&self, result: Result<u64, StoreError>, event: &str, words: &str) -> Outcome {
        let messages = result?;
        let value = json!({ "event": event, "messages": messages });
        let number = usize::try_from(messages).unwrap_or(usize::MAX);
        self.printer.result(&value, || format!("{words}: {}", count(number, "message")));
        Ok(())
    }

    /// The place that an id names, in the conversation or in all.
    fn place(&self, id: &MessageId) -> Outcome<Cursor> {
        let peers: Vec<PeerId> = match self.peer {
            Some(peer) => vec![peer],
            None => self.history.conversations()?.iter().map(|conversation| conversation.peer).collect(),
        };
        for peer in &peers {
            if let Some(found) = self.history.find(peer, id)? {
                return Ok(found.cursor());
            }
        }
        Err(Failure::new(format!("there is no message {id}"))
            .hint("`miyu history --json` lists the messages with their ids"))
    }

    fn list(&self) -> Outcome {
        let options = self.options;
        let from = match (&options.before, &options.after) {
            (Some(id), _) => Place::Before(self.place(id)?),
            (_, Some(id)) => Place::After(self.place(id)?),
            _ => Place::Newest,
        };
        let limit = match options.limit {
            None => LIMIT_DEFAULT,
            Some(0) => usize::MAX,
            Some(limit) => limit,
        };
        let mut pages = Vec::new();
        self.pages(from, limit, |page| {
            pages.push(page);
            Ok(())
        })?;
        if !matches!(from, Place::After(_)) {
            pages.reverse();
        }
        for message in pages.iter().flatten() {
            self.printer
                .result(&value(&self.name(&message.peer), message), || line(&self.name(&message.peer), message));
        }
        if pages.is_empty() {
            self.printer.note("no messages");
        }
        Ok(())
    }

    /// Hands the pages from a place on to `each`, up to `limit` messages in all.
    fn pages(&self, mut from: Place, mut limit: usize, mut each: impl FnMut(Vec<Message>) -> Outcome) -> Outcome {
        while limit > 0 {
            let words = self.options.search.as_deref();
            let page = self.history.page(&Query { peer: self.peer.as_ref(), from, limit: limit.min(PAGE), words })?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            from = match from {
                Place::Newest | Place::Before(_) => Place::Before(first.cursor()),
                Place::Oldest | Place::After(_) => Place::After(last.cursor()),
            };
            limit = limit.saturating_sub(page.len());
            each(page)?;
        }
        Ok(())
    }

    fn conversations(&self) -> Outcome {
        let all = self.history.conversations()?;
        for Conversation { peer, unread, last } in
            all.iter().filter(|one| self.peer.is_none_or(|peer| peer == one.peer))
        {
            let name = self.name(peer);
            let found = json!({
                "event": "conversation", "peer": name, "unread": unread,
                "last": last.as_ref().map(|last| value(&name, last)),
            });
            self.printer.result(&found, || {
                let last = last.as_ref().map(|last| line(&name, last)).unwrap_or_default();
                format!("{name}: {unread} unread\n  {last}")
            });
        }
        if all.is_empty() {
            self.printer.note("no messages");
        }
        Ok(())
    }

    fn check(&self) -> Outcome {
        let found = self.history.check(true)?;
        let ids = |ids: &[MessageId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (damaged, attachments) = (ids(&found.damaged), ids(&found.attachments));
        let value = json!({
            "event": "checked", "messages": found.messages, "damaged": damaged, "attachments": attachments,
            "rows_missing": found.rows_missing, "database_damaged": found.database_damaged,
        });
        self.printer.result(&value, || {
            let number = usize::try_from(found.messages).unwrap_or(usize::MAX);
            let mut words = format!("{} opened", count(number, "message"));
            for id in &damaged {
                words.push_str(&format!("\nchanged: message {id}"));
            }
            for id in &attachments {
                words.push_str(&format!("\nchanged or missing: the attachment of message {id}"));
            }
            words
        });
        if found.database_damaged {
            return Err(Failure::new("the database is damaged: lists of messages may have gaps")
                .hint("restore the data folder from a backup; --export writes what can still be read"));
        }
        match (found.is_sound(), found.rows_missing) {
            (true, _) => Ok(()),
            (false, true) => {
                Err(Failure::new("messages are missing that were stored, or stand there in an older form")
                    .hint("something else than miyu wrote into the data folder: restore it from a backup"))
            }
            (false, false) => Err(Failure::new("what is stored was changed on the disk")
                .hint("restore the data folder from a backup, or delete these messages with --delete")),
        }
    }

    /// The peer's name in the table, or its id.
    fn name(&self, peer: &PeerId) -> String {
        self.loaded.config.peer_by_id(peer).map_or_else(|| peer.to_string(), |peer| peer.name.clone())
    }
}

fn value(peer: &str, message: &Message) -> Value {
    let reactions: Vec<Value> = message
        .reactions
        .iter()
        .map(|reaction| json!({ "direction": reaction.direction.as_str(), "text": reaction.text }))
        .collect();
    json!({
        "event": "stored", "id": message.id.to_string(), "peer": peer, "direction": message.direction.as_str(),
        "kind": message.kind.as_str(), "sent_at": message.sent_at_ms, "state": message.state.as_str(),
        "text": message.text, "hidden": message.hidden, "name": message.name, "bytes": message.bytes,
        "seq": message.seq, "mime": message.mime, "reason": message.reason,
        "target": message.target.map(|target| target.id.to_string()), "edited_at": message.edited_at_ms,
        "reactions": reactions, "damaged": message.damaged,
    })
}

fn line(peer: &str, message: &Message) -> String {
    let arrow = match message.direction {
        Direction::In => format!("{peer} →"),
        Direction::Out => format!("→ {peer}"),
    };
    let mut what = match &message.text {
        _ if message.damaged => "[changed on the disk, cannot be opened]".to_owned(),
        _ if message.kind == Kind::Deletion => "[taken back]".to_owned(),
        Some(text) if message.kind == Kind::Text => shown(text),
        text => {
            let name = message.name.as_deref().map(|name| format!(" {}", shown(name))).unwrap_or_default();
            let text = text.as_deref().map(|text| format!(" {}", shown(text))).unwrap_or_default();
            format!("[{}{name}, {}]{text}", message.kind.as_str(), size(message.bytes))
        }
    };
    if let Some(hidden) = &message.hidden {
        what.push_str(&format!(" hides: {}", shown(hidden)));
    }
    for reaction in &message.reactions {
        what.push_str(&format!(" [{}]", shown(&reaction.text)));
    }
    let edited = if message.edited_at_ms.is_some() { ", edited" } else { "" };
    let reason = message.reason.as_deref().map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
    format!("{}  {arrow}  {what}  ({}{edited}{reason})", time(message.sent_at_ms), message.state.as_str())
}

/// A Unix time in this machine's time zone, to the second.
fn time(unix_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(unix_ms) {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        // A peer's clock can say anything.
        Err(_) => "at an impossible time".to_owned(),
    }
}
