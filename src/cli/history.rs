//! `miyu history`: stored messages.

use serde_json::json;

use super::print::{Printer, shown, size};
use super::{Global, Outcome, node};
use crate::node::history::History;
use crate::node::{Direction, Message};

/// Flags of `miyu history`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only the conversation with this peer
    peer: Option<String>,
    /// Only messages that contain these words
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// At most this many, the newest ones; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Messages read from the store at once.
const PAGE: usize = 500;

pub(super) fn run(options: &Options, global: &Global, printer: &Printer) -> Outcome {
    let config = node::config(global)?;
    let peer = options.peer.as_deref().map(|name| config.peer_named(name).map(|peer| peer.id)).transpose()?;
    let history = History::open(&node::data(&config, global))?;
    let mut pages: Vec<Vec<Message>> = Vec::new();
    let mut missing = if options.limit == 0 { usize::MAX } else { options.limit };
    let mut before = None;
    while missing > 0 {
        let page = history.page(peer.as_ref(), before, missing.min(PAGE), options.search.as_deref())?;
        let Some(oldest) = page.first() else { break };
        before = Some(oldest.cursor());
        missing = missing.saturating_sub(page.len());
        pages.push(page);
    }
    for message in pages.iter().rev().flatten() {
        let name = config.peer_by_id(&message.peer).map_or_else(|| message.peer.to_string(), |peer| peer.name.clone());
        show(&name, message, printer);
    }
    if pages.is_empty() {
        printer.note("no messages");
    }
    Ok(())
}

fn show(peer: &str, message: &Message, printer: &Printer) {
    let value = json!({
        "event": "stored", "id": message.id.to_string(), "peer": peer, "direction": message.direction.as_str(),
        "kind": message.kind.as_str(), "sent_at": message.sent_at_ms, "state": message.state.as_str(),
        "text": message.text, "hidden": message.hidden, "name": message.name, "bytes": message.bytes,
        "seq": message.seq, "mime": message.mime, "reason": message.reason,
        "path": message.path.as_ref().map(|path| path.display().to_string()),
    });
    printer.result(&value, || line(peer, message));
}

fn line(peer: &str, message: &Message) -> String {
    let arrow = match message.direction {
        Direction::In => format!("{peer} →"),
        Direction::Out => format!("→ {peer}"),
    };
    let mut what = match &message.text {
        Some(text) => shown(text),
        None => {
            let name = message.name.as_deref().map(|name| format!(" {}", shown(name))).unwrap_or_default();
            format!("[{}{name}, {}]", message.kind.as_str(), size(message.bytes))
        }
    };
    if let Some(hidden) = &message.hidden {
        what.push_str(&format!(" hides: {}", shown(hidden)));
    }
    let reason = message.reason.as_deref().map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
    format!("{}  {arrow}  {what}  ({}{reason})", time(message.sent_at_ms), message.state.as_str())
}

/// A Unix time in this machine's time zone, to the second.
fn time(unix_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(unix_ms) {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        // A peer's clock can say anything.
        Err(_) => "at an impossible time".to_owned(),
    }
}
