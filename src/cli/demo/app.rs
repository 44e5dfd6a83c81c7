//! The end of the demo where there is a display: alice's app, with bob and the camera still there.

use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};

use super::cast::{Actor, Cast};
use crate::cli::print::Printer;
use crate::cli::{Failure, Outcome, gui};
use crate::gui::Launch;
use crate::identity::{file, key_line, pem};
use crate::node::history::Kind;
use crate::node::{Arrived, Draft, DraftKind, Event, Node};

/// Whether a window could be opened at all.
pub(super) fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Opens alice's app until it is closed. Bob repeats what he is told meanwhile.
pub(super) async fn show(mut cast: Cast, printer: &Printer) -> Outcome {
    cast.alice.leave().await;
    let config = table(&cast)?;
    let (stop, stopped) = oneshot::channel();
    let bob = cast.bob.take().map(|(node, events)| tokio::spawn(repeat(node, events, stopped)));
    printer.line(
        "\nthe app is open as alice: write to bob, who repeats everything, and look at the camera; close it to end",
    );
    let launch = Launch { config: Some(config), downloads: Some(cast.folder().join("saved")), ..Launch::default() };
    let window = tokio::task::block_in_place(|| gui::open(launch));
    drop(stop);
    if let Some(bob) = bob
        && let Ok(node) = bob.await
    {
        node.shutdown().await;
    }
    cast.close().await;
    if let Err(failure) = window {
        // The job was done; a display that cannot show it does not undo that.
        printer.line(&format!("{}; `miyu demo --headless` does without", failure.error));
    }
    Ok(())
}

/// Bob, until the window is closed.
async fn repeat(node: Node, mut events: mpsc::Receiver<Event>, mut stopped: oneshot::Receiver<()>) -> Node {
    // what the steps left behind
    while events.try_recv().is_ok() {}
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = &mut stopped => None,
        };
        match event {
            None => return node,
            Some(Event::Message(Arrived { text: Some(text), kind: Kind::Text, .. })) => {
                let draft = Draft { kind: DraftKind::Text(text), name: None, reply_to: None };
                // An outbox that is full says so in the log; the next one is repeated again.
                let _ = node.send("alice", draft).await;
            }
            Some(_) => {}
        }
    }
}

/// Alice's table and key, as files.
fn table(cast: &Cast) -> Outcome<PathBuf> {
    let key = cast.folder().join("alice.pem");
    let fault = |error: &dyn std::fmt::Display| Failure::new(format!("cannot write alice's table: {error}"));
    file::save_new(&key, &pem::encode_plain(cast.alice.identity().secret())).map_err(|error| fault(&error))?;
    let peer = |name: &str, actor: &Actor| {
        let (key, address) = (key_line(actor.identity().public()), actor.address());
        format!("\n[[peer]]\nname = \"{name}\"\nkey = \"{key}\"\naddress = \"{address}\"\n")
    };
    let me = format!(
        "[me]\nname = \"alice\"\nkey = \"alice.pem\"\nlisten = \"{}\"\ndata = {:?}\n",
        cast.alice.address(),
        cast.alice.data(),
    );
    let path = cast.folder().join("peers.toml");
    let text = [me, peer("bob", &cast.bob), peer("camera", &cast.camera)].concat();
    std::fs::write(&path, text).map_err(|error| fault(&error))?;
    Ok(path)
}
