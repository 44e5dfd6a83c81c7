//! What a service manager is told (systemd's `sd_notify`): ready, how it goes, that work goes on, that it ends. Without
//! a manager all of this does nothing.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::node::{Command, Node, Status};

/// Looked at this often where the manager wants no signs of life.
const LOOK: Duration = Duration::from_secs(5);
/// And not more often than this where it does.
const LOOK_MIN: Duration = Duration::from_millis(10);

/// The manager's ear.
pub(super) struct Service {
    looks: Interval,
    watched: bool,
    progress: Progress,
    /// The node's answer to the command that the last look has sent.
    answer: Option<oneshot::Receiver<()>>,
    status: String,
}

impl Service {
    /// Signs of life are given at a quarter of the time after which the manager would miss them: a camera that takes its
    /// time to open (15 s) and a look that falls into that still leave one in time.
    pub(super) fn new() -> Self {
        let watchdog = watchdog();
        let mut looks = interval(watchdog.map_or(LOOK, |time| (time / 4).max(LOOK_MIN)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let progress = Progress::default();
        Self { looks, watched: watchdog.is_some(), progress, answer: None, status: String::new() }
    }

    /// The node listens.
    pub(super) fn ready(&mut self, node: &Node) {
        tell(&["READY=1"]);
        self.tell_status(&node.status());
    }

    /// Resolves when it is time for [`Service::look`].
    pub(super) async fn due(&mut self) {
        self.looks.tick().await;
    }

    /// Tells the manager that work goes on, if it does; and how it goes, if that has changed. Waits for nothing: a node
    /// that does not answer must not keep its process from ending.
    pub(super) fn look(&mut self, node: &Node) {
        let status = node.status();
        let answered = self.answer.take().map(|mut answer| answer.try_recv().is_ok());
        let rounds = status.camera.as_ref().map(|camera| camera.rounds);
        let (reply, answer) = oneshot::channel();
        if node.commands().try_send(Command::Answer { reply }).is_ok() {
            self.answer = Some(answer);
        }
        // The first look has nothing to compare with.
        if let Some(answered) = answered
            && self.progress.made(answered, rounds)
            && self.watched
        {
            tell(&["WATCHDOG=1"]);
        }
        self.tell_status(&status);
    }

    fn tell_status(&mut self, status: &Status) {
        let status = sentence(status);
        if status != self.status {
            tell(&[&format!("STATUS={status}")]);
            self.status = status;
        }
    }

    /// The table is read again.
    pub(super) fn reloading(&self) {
        reloading();
    }

    /// The table has been read again.
    pub(super) fn reloaded(&self) {
        tell(&["READY=1"]);
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        tell(&["STOPPING=1"]);
    }
}

/// Whether work goes on. It reads no clock and asks nobody: it is told.
#[derive(Debug, Default)]
struct Progress {
    rounds: Option<u64>,
}

impl Progress {
    /// True where the node has carried out a command since the last time that this was asked, and its camera, if it
    /// has one, has taken a picture or tried to.
    fn made(&mut self, answered: bool, rounds: Option<u64>) -> bool {
        let turned = rounds.is_none_or(|rounds| rounds > 0 && self.rounds != Some(rounds));
        self.rounds = rounds;
        answered && turned
    }
}

/// How it goes, on one line. Anybody on this machine may read it: it names nobody.
fn sentence(status: &Status) -> String {
    let mut peers: Vec<&str> = status.links.iter().map(|link| link.peer.as_str()).collect();
    peers.sort_unstable();
    peers.dedup();
    let mut sentence = format!("linked to {}", super::print::count(peers.len(), "peer"));
    if let Some(camera) = &status.camera {
        let viewers = super::print::count(camera.viewers, "viewer");
        match &camera.problem {
            None => sentence.push_str(&format!("; the camera has {viewers}")),
            Some(problem) => sentence.push_str(&format!("; the camera has {viewers} and no signal: {problem}")),
        }
    }
    // A line of its own would be another message.
    sentence.replace(char::is_control, " ")
}

#[cfg(target_os = "linux")]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|time| !time.is_zero())
}

#[cfg(not(target_os = "linux"))]
fn watchdog() -> Option<Duration> {
    None
}

/// A manager that does not listen is its own affair.
#[cfg(target_os = "linux")]
fn tell(words: &[&str]) {
    let words: Vec<_> = words.iter().map(|word| sd_notify::NotifyState::Custom(word)).collect();
    if let Err(error) = sd_notify::notify(&words) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

#[cfg(not(target_os = "linux"))]
fn tell(_: &[&str]) {}

/// systemd wants to know when it began.
#[cfg(target_os = "linux")]
fn reloading() {
    use sd_notify::NotifyState;
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
    }
}

#[cfg(not(target_os = "linux"))]
fn reloading() {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::CameraStatus;

    #[test]
    fn a_camera_thread_that_stands_still_is_no_progress() {
        let mut progress = Progress::default();
        assert!(!progress.made(true, Some(0)), "it has not begun");
        assert!(progress.made(true, Some(1)));
        assert!(progress.made(true, Some(31)));
        assert!(!progress.made(true, Some(31)), "stuck");
        assert!(!progress.made(true, Some(31)), "still stuck");
        assert!(progress.made(true, Some(32)), "it goes on");
        assert!(progress.made(true, Some(3)), "another camera was published");
    }

    #[test]
    fn a_node_that_does_not_answer_is_no_progress() {
        let mut progress = Progress::default();
        assert!(progress.made(true, None), "there need not be a camera");
        assert!(!progress.made(false, None));
        assert!(!progress.made(false, Some(7)));
        assert!(progress.made(true, Some(8)));
    }

    #[test]
    fn a_status_is_one_line() {
        let problem = Some("busy\nSTOPPING=1".to_owned());
        let camera = CameraStatus { problem, viewers: 1, rounds: 9, encoded: 0, sent_bits: 0 };
        let status = Status { traffic: Default::default(), key_updates: 0, links: Vec::new(), camera: Some(camera) };
        assert_eq!(sentence(&status), "linked to 0 peers; the camera has 1 viewer and no signal: busy STOPPING=1");
    }
}
