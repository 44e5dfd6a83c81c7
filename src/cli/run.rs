//! The headless peer: `miyu run`, and what `miyu camera` does beside its camera.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::node::Loaded;
use super::print::{Printer, count, shown, size};
use super::service::Service;
use super::{Failure, Global, Outcome, node};
use crate::identity::fingerprint;
use crate::node::history::{History, Kind};
use crate::node::save;
use crate::node::{Arrived, CameraPlan, Direction, Event, Role};

/// Flags of `miyu run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunOptions {
    /// Also write what arrives, in the clear, as files into DIR
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

pub(super) async fn run(options: &RunOptions, global: &Global, printer: &Printer) -> Outcome {
    let loaded = node::load(global)?;
    serve(&loaded, options, None, printer).await
}

/// A headless peer until it is interrupted; with a plan it publishes a camera.
pub(super) async fn serve(
    loaded: &Loaded,
    options: &RunOptions,
    plan: Option<CameraPlan>,
    printer: &Printer,
) -> Outcome {
    if let Some(folder) = &options.save {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    }
    // Before anything that is to be ended in order.
    let stop = node::interrupted();
    tokio::pin!(stop);
    let (node, mut events) = node::start(loaded, Role::LongLived).await?;
    let address = node.address().to_string();
    let id = fingerprint(loaded.identity.public());
    let peers: Vec<&str> = loaded.config.peers.iter().map(|peer| peer.name.as_str()).collect();
    let value = json!({ "event": "listening", "address": address, "id": id, "peers": peers });
    printer.result(&value, || format!("listening on UDP {address} as {id}; peers: {}", peers.join(", ")));
    let mut stopped = false;
    if let Some(plan) = plan {
        // A camera takes its time to open; nobody who ends us waits for it.
        tokio::select! {
            () = node.publish(plan) => {}
            () = &mut stop => stopped = true,
        }
    }
    let saving = options.save.clone().map(|folder| Saving { folder, history: node.history() });
    let mut service = Service::new();
    service.ready(&node);
    let mut hangups = node::Hangups::new();
    while !stopped {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => show(&event, saving.as_ref(), printer),
                None => break,
            },
            () = hangups.next() => {
                service.reloading();
                // What came of it is told by events.
                drop(node.reload().await);
                service.reloaded();
            }
            () = service.due() => service.look(&node),
            () = &mut stop => stopped = true,
        }
    }
    service.stopping();
    printer.note("stopping");
    node.shutdown().await;
    // What came in the meantime is on disk, and is told.
    while let Ok(event) = events.try_recv() {
        show(&event, saving.as_ref(), printer);
    }
    Ok(())
}

/// Where to write what arrives, in the clear.
struct Saving {
    folder: PathBuf,
    history: History,
}

impl Saving {
    /// What says something about another message is no file.
    fn save(&self, arrived: &Arrived, printer: &Printer) -> Option<PathBuf> {
        if !arrived.kind.is_content() {
            return None;
        }
        let saved = match self.history.message(&arrived.peer, Direction::In, &arrived.id) {
            Ok(Some(message)) => save::message(&self.history, &self.folder, &message, save::Reader::Program),
            // deleted meanwhile
            Ok(None) => return None,
            Err(error) => Err(error.into()),
        };
        saved.map_err(|error| printer.note(&format!("error: {} could not be saved: {error}", arrived.id))).ok()
    }
}

fn show(event: &Event, saving: Option<&Saving>, printer: &Printer) {
    match event {
        Event::Message(arrived) => {
            let saved = saving.and_then(|saving| saving.save(arrived, printer));
            message(arrived, saved.as_deref(), printer);
        }
        Event::Read { by, ids } => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let value = json!({ "event": "read", "by": by, "ids": ids });
            printer.result(&value, || format!("{by} has read {}", count(ids.len(), "message")));
        }
        Event::Delivered { id, to, bytes, ms } => {
            let value = json!({ "event": "delivered", "id": id.to_string(), "to": to, "bytes": bytes, "ms": ms });
            printer.result(&value, || format!("delivered to {to}: {} in {ms} ms", size(*bytes)));
        }
        Event::Failed { id, to, reason } => {
            let value = json!({ "event": "failed", "id": id.to_string(), "to": to, "reason": reason });
            printer.result(&value, || format!("not delivered to {to}: {}", shown(reason)));
        }
        other => link_news(other, printer),
    }
}

fn message(arrived: &Arrived, saved: Option<&Path>, printer: &Printer) {
    let path = saved.map(|path| path.display().to_string());
    let value = json!({
        "event": "message", "id": arrived.id.to_string(), "from": arrived.from, "kind": arrived.kind.as_str(),
        "text": arrived.text, "hidden": arrived.hidden, "path": path, "bytes": arrived.bytes,
        "name": arrived.name, "mime": arrived.mime, "seq": arrived.seq, "sent_at": arrived.sent_at_ms,
        "target": arrived.target.map(|target| target.id.to_string()),
    });
    printer.result(&value, || {
        let from = &arrived.from;
        let mut line = match (&arrived.text, arrived.kind) {
            (_, Kind::Deletion) => format!("{from} took a message back"),
            (Some(text), Kind::Edit) => format!("{from} changed a message: {}", shown(text)),
            (Some(text), Kind::Reaction) if text.is_empty() => format!("{from} took a reaction back"),
            (Some(text), Kind::Reaction) => format!("{from} reacts: {}", shown(text)),
            (Some(text), _) => format!("{from}: {}", shown(text)),
            (None, _) => {
                let name = arrived.name.as_deref().map(|name| format!(" {}", shown(name))).unwrap_or_default();
                format!("{from} sent a {}{name} ({})", arrived.kind.as_str(), size(arrived.bytes))
            }
        };
        if let Some(hidden) = &arrived.hidden {
            line.push_str(&format!("\n  it hides: {}", shown(hidden)));
        }
        if let Some(path) = path {
            line.push_str(&format!("\n  {path}"));
        }
        line
    });
}

fn link_news(event: &Event, printer: &Printer) {
    match event {
        Event::Connected(link) => {
            let value = json!({
                "event": "peer", "name": link.peer, "state": "connected", "suite": link.suite, "group": link.group,
                "address": link.address.to_string(), "camera": link.camera,
            });
            printer.result(&value, || {
                format!("{} connected from {} ({}, {})", link.peer, link.address, link.suite, link.group)
            });
        }
        Event::Disconnected { peer, reason } => {
            let value = json!({
                "event": "peer", "name": peer, "state": "disconnected", "suite": null, "group": null,
                "address": null, "reason": reason,
            });
            printer.result(&value, || format!("{peer} disconnected: {}", shown(reason)));
        }
        Event::DialFailed { peer, error } => {
            printer.note(&format!("{peer} is not there: {error}"));
            if let Some(hint) = error.hint() {
                printer.note(&format!("hint: {hint}"));
            }
        }
        Event::Deferred { to, reason, .. } => {
            printer.note(&format!("{to} does not take a message now, it stays in the outbox: {}", shown(reason)));
        }
        Event::Camera { source, problem, hint } => {
            let state = if problem.is_none() { "live" } else { "lost" };
            let value = json!({ "event": "camera", "state": state, "source": source, "reason": problem, "hint": hint });
            printer.result(&value, || match (problem, hint) {
                (None, _) => format!("camera: {}", shown(source)),
                (Some(problem), None) => format!("camera: no signal: {}", shown(problem)),
                (Some(problem), Some(hint)) => format!("camera: no signal: {}\nhint: {}", shown(problem), shown(hint)),
            });
        }
        Event::Trouble { error, hint, .. } => printer.error(error, hint.as_deref()),
        Event::Table(change) => {
            let value = json!({
                "event": "table", "added": change.added, "removed": change.removed, "changed": change.changed,
            });
            printer.result(&value, || {
                let parts = [("added", &change.added), ("removed", &change.removed), ("changed", &change.changed)];
                let parts = parts.iter().filter(|(_, names)| !names.is_empty());
                let parts: Vec<String> = parts.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
                format!("the table has changed; {}", parts.join("; "))
            });
        }
        Event::Typing { .. } | Event::Progress { .. } | Event::Published { .. } => {}
        Event::Message(_) | Event::Delivered { .. } | Event::Failed { .. } | Event::Read { .. } => {}
    }
}
