//! `miyu run` and `miyu camera`: the headless peer.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::node::Loaded;
use super::print::{Printer, shown, size};
use super::{Failure, Global, Outcome, node};
use crate::identity::fingerprint;
use crate::media::camera::{Settings, SourceSpec};
use crate::node::history::Kind;
use crate::node::{Arrived, CameraPlan, Event, Role};

/// Flags of `miyu run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunOptions {
    /// Also write what arrives, in the clear, as files into DIR
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

/// Flags of `miyu camera`.
#[derive(Debug, clap::Args)]
pub(super) struct CameraOptions {
    /// test (a moving pattern), FILE.mjpeg or a FOLDER of pictures
    #[arg(long, value_name = "SOURCE")]
    source: SourceSpec,
    /// Width and height in pixels [default: the source's own; 640x480 for the test pattern]
    #[arg(long, value_name = "WxH", value_parser = picture_size)]
    size: Option<(u32, u32)>,
    /// Frames a second
    #[arg(long, value_name = "N", default_value_t = crate::media::camera::FPS_DEFAULT)]
    fps: f32,
    /// JPEG quality, 1 to 100
    #[arg(long, value_name = "Q", default_value_t = crate::media::camera::QUALITY_DEFAULT)]
    quality: u8,
    #[command(flatten)]
    run: RunOptions,
}

fn picture_size(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("{text:?} is no size: write it as 640x480");
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    Ok((width.parse().map_err(|_| wrong())?, height.parse().map_err(|_| wrong())?))
}

pub(super) async fn run(options: &RunOptions, global: &Global, printer: &Printer) -> Outcome {
    let loaded = node::load(global)?;
    serve(&loaded, options, None, printer).await
}

pub(super) async fn camera(options: &CameraOptions, global: &Global, printer: &Printer) -> Outcome {
    let settings = Settings { size: options.size, fps: options.fps, quality: options.quality };
    // A wrong path is said now, before anything listens.
    drop(crate::media::camera::open(&options.source, &settings)?);
    let loaded = node::load(global)?;
    let plan = CameraPlan { source: options.source.clone(), settings };
    serve(&loaded, &options.run, Some(plan), printer).await
}

async fn serve(loaded: &Loaded, options: &RunOptions, plan: Option<CameraPlan>, printer: &Printer) -> Outcome {
    if let Some(folder) = &options.save {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    }
    let (node, mut events) = node::start(loaded, Role::LongLived).await?;
    let address = node.address().to_string();
    let id = fingerprint(loaded.identity.public());
    let peers: Vec<&str> = loaded.config.peers.iter().map(|peer| peer.name.as_str()).collect();
    let value = json!({ "event": "listening", "address": address, "id": id, "peers": peers });
    printer.result(&value, || format!("listening on UDP {address} as {id}; peers: {}", peers.join(", ")));
    if let Some(plan) = plan {
        node.publish(plan).await;
    }
    let stop = node::interrupted();
    tokio::pin!(stop);
    let mut hangups = node::Hangups::new();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => show(&event, options.save.as_deref(), printer),
                None => break,
            },
            // What came of it is told by events.
            () = hangups.next() => drop(node.reload().await),
            () = &mut stop => break,
        }
    }
    printer.note("stopping");
    node.shutdown().await;
    // What came in the meantime is on disk, and is told.
    while let Ok(event) = events.try_recv() {
        show(&event, options.save.as_deref(), printer);
    }
    Ok(())
}

fn show(event: &Event, save: Option<&Path>, printer: &Printer) {
    match event {
        Event::Message(arrived) => {
            let saved = save.and_then(|folder| match save_files(folder, arrived) {
                Ok(path) => Some(path),
                Err(error) => {
                    printer.note(&format!("error: {} could not be saved: {error}", arrived.id));
                    None
                }
            });
            message(arrived, saved.as_deref(), printer);
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
    let path = saved.or(arrived.path.as_deref()).map(|path| path.display().to_string());
    let value = json!({
        "event": "message", "id": arrived.id.to_string(), "from": arrived.from, "kind": arrived.kind.as_str(),
        "text": arrived.text, "hidden": arrived.hidden, "path": path, "bytes": arrived.bytes,
        "name": arrived.name, "mime": arrived.mime,
    });
    printer.result(&value, || {
        let from = &arrived.from;
        let mut line = match &arrived.text {
            Some(text) => format!("{from}: {}", shown(text)),
            None => {
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
        Event::Camera { source, problem: None } => printer.note(&format!("camera: {source}")),
        Event::Camera { problem: Some(problem), .. } => printer.note(&format!("camera: no signal: {problem}")),
        Event::Trouble { error, hint } => {
            printer.note(&format!("error: {error}"));
            if let Some(hint) = hint {
                printer.note(&format!("hint: {hint}"));
            }
        }
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
        Event::Typing { .. } | Event::Progress { .. } => {}
        Event::Message(_) | Event::Delivered { .. } | Event::Failed { .. } => {}
    }
}

/// Copies a message into the folder, in the clear. Names are ours but for a harmless rest of the sender's; nothing that
/// stands there is overwritten.
fn save_files(folder: &Path, arrived: &Arrived) -> std::io::Result<PathBuf> {
    let path = match (&arrived.text, &arrived.path) {
        (Some(text), _) => {
            let path = folder.join(format!("{}.txt", arrived.id));
            create(&path)?.write_all(text.as_bytes())?;
            path
        }
        (None, Some(body)) => {
            let path = folder.join(format!("{}-{}", arrived.id, harmless(arrived)));
            std::io::copy(&mut std::fs::File::open(body)?, &mut create(&path)?)?;
            path
        }
        (None, None) => return Err(std::io::Error::other("it has no body")),
    };
    if let Some(hidden) = &arrived.hidden {
        create(&folder.join(format!("{}.hidden.txt", arrived.id)))?.write_all(hidden.as_bytes())?;
    }
    Ok(path)
}

/// A new file for its owner alone; a file or link that stands there is left as it is.
fn create(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Letters, digits, dots, dashes and underscores of the sender's name, without a leading dot; the id before it makes
/// it unique.
fn harmless(arrived: &Arrived) -> String {
    let fallback = match arrived.kind {
        Kind::Text => "text.txt",
        Kind::Picture => "picture.png",
        Kind::Clip => "clip.wav",
        Kind::File => "file",
    };
    let name = arrived.name.as_deref().unwrap_or(fallback);
    let kept: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(100)
        .collect();
    let kept = kept.trim_start_matches('.');
    if kept.is_empty() { fallback.to_owned() } else { kept.to_owned() }
}
