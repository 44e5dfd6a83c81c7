//! Notifications outside of the window (Desktop Notifications Specification 1.2, over the session bus). A thread of its own
//! tells them, so that a desktop that does not answer holds up nobody.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::gui::talk::{Fault, Notification};
use crate::identity::PeerId;

/// Notifications that may wait for the desktop; more are dropped, as the window has the messages.
const WAITING_MAX: usize = 64;

/// What the desktop makes of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Somebody has pressed the one that came last from that peer.
    Pressed(PeerId),
    /// They are shown, or they are not and why. Told when it changes.
    Works(Result<(), Fault>),
}

/// Called with what the desktop makes of notifications, from another thread.
pub type Hear = std::sync::Arc<dyn Fn(Heard) + Send + Sync>;

enum Job {
    Tell(Notification),
    Withdraw(PeerId),
}

/// Tells the desktop. Dropping it ends its threads.
pub struct Notifier {
    jobs: SyncSender<Job>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}

impl Notifier {
    /// Starts it; the desktop is asked for nothing before there is something to tell. `bus` is the address of a session bus,
    /// instead of the one that the environment names.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn start(bus: Option<String>, hear: Hear) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("miyu-notify".to_owned()).spawn(move || work(bus, &waiting, &hear))?;
        Ok(Self { jobs })
    }

    /// Tells of a message; a later one of the same peer takes its place.
    pub fn tell(&self, notification: Notification) {
        let _ = self.jobs.try_send(Job::Tell(notification));
    }

    /// The messages of that peer were seen.
    pub fn withdraw(&self, peer: PeerId) {
        let _ = self.jobs.try_send(Job::Withdraw(peer));
    }
}

/// Not made on this system yet: said once.
#[cfg(not(target_os = "linux"))]
fn work(_: Option<String>, jobs: &Receiver<Job>, hear: &Hear) {
    use crate::gui::said::Said;

    let mut told = false;
    while let Ok(job) = jobs.recv() {
        if matches!(job, Job::Tell(_)) && !std::mem::replace(&mut told, true) {
            let fault = Fault::own(Said::new("fault-notify-system"), "notifications are not made on this system yet");
            hear(Heard::Works(Err(fault)));
        }
    }
}

#[cfg(target_os = "linux")]
use desktop::work;

#[cfg(target_os = "linux")]
mod desktop {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use zbus::MatchRule;
    use zbus::blocking::connection::Builder;
    use zbus::blocking::{Connection, MessageIterator};
    use zbus::zvariant::Value;

    use super::{Fault, Hear, Heard, Job, Notification, PeerId, Receiver};
    use crate::gui::said::Said;

    const SERVICE: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";
    /// A desktop that has not answered for so long does not.
    const ANSWER: Duration = Duration::from_secs(5);
    /// The desktop decides how long it shows one.
    const SHOWN_MS: i32 = -1;
    /// The one action, which is a press on the notification itself.
    const DEFAULT: &str = "default";

    /// The number of each peer's notification, while it is shown.
    type Shown = Arc<Mutex<HashMap<PeerId, u32>>>;

    fn lock(shown: &Shown) -> std::sync::MutexGuard<'_, HashMap<PeerId, u32>> {
        shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a desktop that takes notifications.
    struct Desktop {
        bus: Connection,
        shown: Shown,
        /// Whether it reads the body as markup (§ "Markup"), and whether it has actions.
        markup: bool,
        actions: bool,
    }

    pub(super) fn work(bus: Option<String>, jobs: &Receiver<Job>, hear: &Hear) {
        let mut desktop: Option<Desktop> = None;
        let mut works = None;
        while let Ok(job) = jobs.recv() {
            let done = match (job, desktop.take()) {
                // Where nothing was told, nothing is to be withdrawn.
                (Job::Withdraw(_), None) => continue,
                (Job::Withdraw(peer), Some(open)) => open.withdraw(peer).map(|()| open),
                (Job::Tell(told), Some(open)) => open.tell(&told).map(|()| open),
                (Job::Tell(told), None) => {
                    Desktop::open(bus.as_deref(), hear).and_then(|open| open.tell(&told).map(|()| open))
                }
            };
            let now = match &done {
                Ok(_) => Ok(()),
                Err(error) => Err(Fault::own(Said::new("fault-notify").text("what", error), error)),
            };
            if works.as_ref() != Some(&now) {
                works = Some(now.clone());
                hear(Heard::Works(now));
            }
            // One that has failed is opened anew: the desktop may have started again.
            desktop = done.ok();
        }
        if let Some(open) = desktop {
            // Ends the thread that listens, too.
            let _ = open.bus.close();
        }
    }

    impl Desktop {
        fn open(bus: Option<&str>, hear: &Hear) -> zbus::Result<Self> {
            let builder = bus.map_or_else(Builder::session, Builder::address)?;
            let bus = builder.method_timeout(ANSWER).build()?;
            let reply = bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "GetCapabilities", &())?;
            let able: Vec<String> = reply.body().deserialize()?;
            let can = |what: &str| able.iter().any(|able| able == what);
            let shown = Shown::default();
            listen(&bus, shown.clone(), hear.clone())?;
            Ok(Self { shown, markup: can("body-markup"), actions: can("actions"), bus })
        }

        fn tell(&self, told: &Notification) -> zbus::Result<()> {
            let before = lock(&self.shown).get(&told.peer).copied().unwrap_or(0);
            let body = if self.markup { escaped(&told.body) } else { told.body.clone() };
            let actions: &[&str] = if self.actions { &[DEFAULT, &told.open] } else { &[] };
            let hints = HashMap::from([
                ("desktop-entry", Value::from("miyu")),
                ("category", Value::from("im.received")),
                ("urgency", Value::from(1_u8)),
            ]);
            let arguments = ("miyu", before, "miyu", &*told.title, &*body, actions, hints, SHOWN_MS);
            let reply = self.bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "Notify", &arguments)?;
            lock(&self.shown).insert(told.peer, reply.body().deserialize()?);
            Ok(())
        }

        fn withdraw(&self, peer: PeerId) -> zbus::Result<()> {
            let Some(id) = lock(&self.shown).remove(&peer) else { return Ok(()) };
            match self.bus.call_method(Some(SERVICE), PATH, Some(SERVICE), "CloseNotification", &(id,)) {
                // One that is gone already is answered with an error.
                Ok(_) | Err(zbus::Error::MethodError(..)) => Ok(()),
                Err(error) => Err(error),
            }
        }
    }

    /// Listens for what becomes of the notifications, until the connection ends.
    fn listen(bus: &Connection, shown: Shown, hear: Hear) -> zbus::Result<()> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)?
            .interface(SERVICE)?
            .path(PATH)?
            .build();
        let signals = MessageIterator::for_match_rule(rule, bus, None)?;
        std::thread::Builder::new().name("miyu-notified".to_owned()).spawn(move || {
            for signal in signals.map_while(Result::ok) {
                let (body, header) = (signal.body(), signal.header());
                match header.member().map(|member| member.as_str()) {
                    Some("ActionInvoked") => {
                        let Ok((id, action)) = body.deserialize::<(u32, String)>() else { continue };
                        // Notifications of other programs are told of too.
                        let peer = lock(&shown).iter().find(|(_, own)| **own == id).map(|(peer, _)| *peer);
                        if let Some(peer) = peer.filter(|_| action == DEFAULT) {
                            hear(Heard::Pressed(peer));
                        }
                    }
                    Some("NotificationClosed") => {
                        let Ok((id, _)) = body.deserialize::<(u32, u32)>() else { continue };
                        lock(&shown).retain(|_, own| *own != id);
                    }
                    _ => {}
                }
            }
        })?;
        Ok(())
    }

    /// What a peer writes is no markup.
    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}
