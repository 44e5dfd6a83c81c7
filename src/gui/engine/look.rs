//! Reading the history for the window: one reader, so that what is told last is what is true last.

use tokio::sync::mpsc;

use super::Out;
use crate::gui::model::conversation::PAGE_LINES;
use crate::gui::talk::{Fault, Line, News, Summary};
use crate::identity::PeerId;
use crate::node::history::{History, Kind, Message, Place, Query, StoreError, Target};
use crate::node::text::harmless;

/// What may wait to be read.
const LOOKS_MAX: usize = 1_024;
/// What is read in one go: news of a flood of messages come in few pieces.
const BATCH_LOOKS: usize = 256;
/// Characters of an answered message that are shown above the answer.
const QUOTE_CHARS: usize = 120;
/// Messages that a search finds at most.
const FOUND_MAX: usize = 100;

/// Something to read.
pub(super) enum Look {
    /// Messages that may have changed.
    Lines { peer: PeerId, targets: Vec<Target>, arrived: bool },
    /// A page.
    Page { peer: PeerId, place: Place },
    /// Unread messages and last ones.
    Summaries,
    /// Deletes a message here.
    Forget { peer: PeerId, target: Target },
    /// Looks for a message.
    Locate { peer: PeerId, target: Target },
    /// What was being written to them.
    Drafts(Vec<PeerId>),
}

/// Starts the reader.
pub(super) fn start(history: History, out: Out) -> mpsc::Sender<Look> {
    let (looks, mut waiting) = mpsc::channel::<Look>(LOOKS_MAX);
    tokio::spawn(async move {
        while let Some(first) = waiting.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH_LOOKS
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            let history = history.clone();
            let read = tokio::task::spawn_blocking(move || read(&history, batch)).await;
            for news in read.unwrap_or_else(|died| vec![News::Trouble(Fault::of(&died))]) {
                out.tell(news).await;
            }
        }
    });
    looks
}

/// The summaries are read once for a batch, at its end.
fn read(history: &History, batch: Vec<Look>) -> Vec<News> {
    let mut news = Vec::new();
    let mut summaries = false;
    for look in batch {
        let outcome = match look {
            Look::Lines { peer, targets, arrived } => {
                summaries = true;
                lines(history, peer, &targets, arrived, &mut news)
            }
            Look::Page { peer, place } => {
                page(history, peer, place, &mut news).inspect_err(|_| news.push(News::PageFailed { peer, place }))
            }
            Look::Summaries => {
                summaries = true;
                Ok(())
            }
            Look::Forget { peer, target } => {
                summaries = true;
                history.delete(&peer, target.direction, &target.id).map(|_| news.push(News::Gone { peer, target }))
            }
            Look::Drafts(peers) => {
                // One that is damaged hides no other one.
                for peer in peers {
                    match history.draft(&peer) {
                        Ok(Some(text)) => news.push(News::Draft { peer, text }),
                        Ok(None) => {}
                        Err(error) => news.push(News::Trouble(Fault::of(&error))),
                    }
                }
                Ok(())
            }
            Look::Locate { peer, target } => history.message(&peer, target.direction, &target.id).map(|found| {
                if let Some(message) = found {
                    news.push(News::Located { peer, line: line(history, &message) });
                }
            }),
        };
        if let Err(error) = outcome {
            news.push(News::Trouble(Fault::of(&error)));
        }
    }
    if summaries {
        match history.conversations() {
            Ok(found) => news.push(News::Summaries(
                found
                    .into_iter()
                    .map(|talk| Summary {
                        peer: talk.peer,
                        unread: talk.unread,
                        last: talk.last.map(|message| line(history, &message)),
                    })
                    .collect(),
            )),
            Err(error) => news.push(News::Trouble(Fault::of(&error))),
        }
    }
    news
}

fn lines(
    history: &History,
    peer: PeerId,
    targets: &[Target],
    arrived: bool,
    news: &mut Vec<News>,
) -> Result<(), StoreError> {
    let mut lines = Vec::new();
    for target in targets {
        match history.message(&peer, target.direction, &target.id)? {
            // Edits and reactions are seen in what they are about.
            Some(message) if message.kind.is_content() || message.kind == Kind::Deletion => {
                lines.push(line(history, &message));
            }
            Some(_) => {}
            None => news.push(News::Gone { peer, target: *target }),
        }
    }
    if !lines.is_empty() {
        news.push(News::Lines { peer, lines, arrived });
    }
    Ok(())
}

fn page(history: &History, peer: PeerId, place: Place, news: &mut Vec<News>) -> Result<(), StoreError> {
    let query = Query { peer: Some(&peer), from: place, limit: PAGE_LINES + 1, words: None };
    let mut messages = history.page(&query)?;
    // One more than a page has tells that there is more.
    let more = messages.len() > PAGE_LINES;
    if more {
        match place {
            Place::Newest | Place::Before(_) => drop(messages.remove(0)),
            Place::Oldest | Place::After(_) => drop(messages.pop()),
        }
    }
    let lines = messages.iter().map(|message| line(history, message)).collect();
    news.push(News::Page { peer, place, lines, more });
    Ok(())
}

/// Messages with the words, newest last. Blocking, and seconds long the first time in a long history.
pub(super) fn search(history: &History, words: &str, peer: Option<PeerId>) -> Result<Vec<(PeerId, Line)>, StoreError> {
    let query = Query { peer: peer.as_ref(), from: Place::Newest, limit: FOUND_MAX, words: Some(words) };
    Ok(history.page(&query)?.iter().map(|message| (message.peer, line(history, message))).collect())
}

/// A message as it is shown.
fn line(history: &History, message: &Message) -> Line {
    let shown = |text: &Option<String>| text.as_ref().map(|text| harmless(text, "\n"));
    let reply = message.target.filter(|_| message.kind.is_content()).map(|target| {
        let answered = history.message(&message.peer, target.direction, &target.id).ok().flatten();
        (target, answered.and_then(|answered| quote(&answered)))
    });
    Line {
        target: Target { direction: message.direction, id: message.id },
        order_ms: message.order_ms,
        seq: message.seq,
        kind: message.kind,
        sent_ms: message.sent_at_ms,
        state: message.state,
        text: shown(&message.text),
        hidden: shown(&message.hidden),
        name: message.name.as_ref().map(|name| harmless(name, " ")),
        bytes: message.bytes,
        reason: message.reason.as_ref().map(|reason| harmless(reason, " ")),
        reply,
        edited: message.edited_at_ms.is_some(),
        reactions: message
            .reactions
            .iter()
            .map(|reaction| crate::node::history::Reaction { text: harmless(&reaction.text, " "), ..reaction.clone() })
            .collect(),
        damaged: message.damaged,
    }
}

/// The beginning of a message, in one line.
fn quote(message: &Message) -> Option<String> {
    let text = message.text.as_ref().or(message.name.as_ref())?;
    let mut quote: String = harmless(text, " ").chars().take(QUOTE_CHARS + 1).collect();
    if quote.chars().count() > QUOTE_CHARS {
        quote.pop();
        quote.push('…');
    }
    Some(quote)
}
