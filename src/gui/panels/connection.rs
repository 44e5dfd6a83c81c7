//! Why can't I see them? Each step between us and a peer, whether it holds, and what to do where it does not.

use std::net::SocketAddr;

use egui::{RichText, Ui};

use super::{View, tell_fault};
use crate::gui::look;
use crate::gui::model::Model;
use crate::gui::talk::{Ask, Check, Fault, Me, Presence};
use crate::identity::PeerId;

/// A clock that is this far off makes times and latencies misleading.
const CLOCK_OFF_MS: u64 = 2_000;

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Holds,
    Fails,
    Unknown,
}

/// Shows the page; the check runs when it is opened, and again when it is asked for.
pub fn show(ui: &mut Ui, model: &mut Model, me: &Me, id: PeerId, view: View<'_>, asks: &mut Vec<Ask>) {
    model.check(id, asks);
    let Some(peer) = model.peer(&id) else { return };
    let here = peer.is_here();
    let has_address = !peer.row.addresses.is_empty();
    let before = match &peer.presence {
        Presence::Away(fault) => fault.clone(),
        Presence::Unknown | Presence::Here { .. } => None,
    };
    match model.checked(&id) {
        None => drop(ui.weak(view.get("check-running"))),
        Some(check) => {
            ui.strong(view.get("check-us"));
            socket(ui, me, check, view);
            heard(ui, me, check, view);
            ui.strong(view.get("check-them"));
            address(ui, has_address, here, view);
            reached(ui, check, before.as_ref(), view);
        }
    }
    if ui.button(view.get("check-again")).clicked() {
        model.check_again(id, asks);
    }
}

/// Whether we listen where others reach us.
fn socket(ui: &mut Ui, me: &Me, check: &Check, view: View<'_>) {
    let listen = [("address", me.listen.clone().into())];
    let alone = me.listen.parse::<SocketAddr>().is_ok_and(|listen| listen.ip().is_loopback());
    if alone {
        step(ui, Step::Fails, &view.words.with("check-alone", &listen), view);
        return;
    }
    step(ui, Step::Holds, &view.words.with("own-key-listen", &listen), view);
    if check.addresses.is_empty() {
        step(ui, Step::Fails, &view.get("check-no-network"), view);
    }
    own(ui, &check.addresses, view);
}

/// What the other side enters for us.
pub(super) fn own(ui: &mut Ui, addresses: &[String], view: View<'_>) {
    if !addresses.is_empty() {
        ui.label(view.words.with("own-key-reached", &[("addresses", addresses.join(", ").into())]));
    }
}

/// Whether anything comes in at all, and whether it knows our key.
fn heard(ui: &mut Ui, me: &Me, check: &Check, view: View<'_>) {
    let count = [("count", check.received.into())];
    if check.received == 0 {
        step(ui, Step::Unknown, &view.get("check-silence"), view);
        firewall(ui, me, view);
    } else {
        step(ui, Step::Holds, &view.words.with("check-heard", &count), view);
    }
    if check.strangers > 0 {
        let count = [("count", check.strangers.into())];
        step(ui, Step::Fails, &view.words.with("check-strangers", &count), view);
        ui.weak(view.get("check-strangers-mend"));
    }
}

/// What lets datagrams in, in the words of the system that this is.
fn firewall(ui: &mut Ui, me: &Me, view: View<'_>) {
    ui.weak(view.get("check-firewall"));
    let Ok(listen) = me.listen.parse::<SocketAddr>() else { return };
    let port = listen.port();
    match std::env::consts::OS {
        "linux" => {
            let ufw = format!("sudo ufw allow {port}/udp");
            let nft = format!("sudo nft add rule inet filter input udp dport {port} accept");
            for command in [ufw, nft] {
                ui.label(RichText::new(command).monospace());
            }
        }
        "macos" => drop(ui.weak(view.get("check-firewall-macos"))),
        _ => drop(ui.weak(view.words.with("check-firewall-windows", &[("port", port.to_string().into())]))),
    }
}

fn address(ui: &mut Ui, has_address: bool, here: bool, view: View<'_>) {
    match (has_address, here) {
        (true, _) => step(ui, Step::Holds, &view.get("check-address"), view),
        (false, true) => step(ui, Step::Holds, &view.get("check-dialled"), view),
        (false, false) => step(ui, Step::Unknown, &view.get("check-no-address"), view),
    }
}

/// The try that was just made, and what was known `before` it.
fn reached(ui: &mut Ui, check: &Check, before: Option<&Fault>, view: View<'_>) {
    match &check.pong {
        Ok(pong) => {
            let said = [("ms", pong.rtt_ms.into()), ("suite", pong.suite.clone().into())];
            step(ui, Step::Holds, &view.words.with("check-reached", &said), view);
            step(ui, Step::Holds, &view.get("check-known"), view);
            let off = pong.clock_offset_ms.unsigned_abs();
            let seconds = [("seconds", (off / 1_000).into())];
            if off > CLOCK_OFF_MS {
                step(ui, Step::Fails, &view.words.with("check-clock-off", &seconds), view);
            } else {
                step(ui, Step::Holds, &view.get("check-clock"), view);
            }
        }
        Err(fault) => {
            step(ui, Step::Fails, &view.get("check-not-reached"), view);
            tell_fault(ui, fault, view);
            if let Some(before) = before.filter(|before| before.error != fault.error) {
                step(ui, Step::Unknown, &view.get("check-before"), view);
                tell_fault(ui, before, view);
            }
        }
    }
}

/// A line with its mark; the mark is a word for those who do not see it.
fn step(ui: &mut Ui, step: Step, text: &str, view: View<'_>) {
    let (sign, word, colour) = match step {
        Step::Holds => ("✔", "check-holds", look::here(ui.visuals())),
        Step::Fails => ("✖", "check-fails", ui.visuals().error_fg_color),
        Step::Unknown => ("❓", "check-unknown", ui.visuals().weak_text_color()),
    };
    ui.horizontal_wrapped(|ui| {
        super::mark(ui, RichText::new(sign).color(colour), view.get(word));
        ui.label(text);
    });
}
