//! What is sent: a queue for each peer, so that messages are stored in the order in which they were written, and all that
//! was written is stored before the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Out;
use super::look::Look;
use crate::gui::said::Said;
use crate::gui::talk::{Fault, News, Outgoing, StagedBody};
use crate::identity::PeerId;
use crate::node::history::{Direction, Target};
use crate::node::{Draft, DraftKind, Node, SendError};

/// Messages to one peer that may wait to be stored; pictures are held in memory meanwhile.
const WAITING_MAX: usize = 64;
/// A large file is copied before it counts: the end waits for it, but not for ever.
const LAST_SENDS: Duration = Duration::from_secs(60);

/// One message.
pub(super) struct Job {
    pub(super) what: Outgoing,
    pub(super) reply_to: Option<Target>,
    /// Given back in the answer.
    pub(super) ticket: u64,
}

/// The queues.
pub(super) struct Sender {
    node: Arc<Node>,
    looks: mpsc::Sender<Look>,
    out: Out,
    queues: HashMap<PeerId, mpsc::Sender<Job>>,
    workers: JoinSet<()>,
}

impl Sender {
    pub(super) fn new(node: Arc<Node>, looks: mpsc::Sender<Look>, out: Out) -> Self {
        Self { node, looks, out, queues: HashMap::new(), workers: JoinSet::new() }
    }

    /// Stores a message behind those that were given before.
    pub(super) async fn send(&mut self, peer: PeerId, job: Job) {
        let queue = self.queues.entry(peer).or_insert_with(|| {
            let (queue, jobs) = mpsc::channel(WAITING_MAX);
            self.workers.spawn(work(self.node.clone(), self.looks.clone(), self.out.clone(), peer, jobs));
            queue
        });
        if let Err(refused) = queue.try_send(job) {
            let job = refused.into_inner();
            let fault = Fault::own(Said::new("engine-busy"), "too many messages wait to be stored");
            self.out.tell(News::NotSent { ticket: job.ticket, fault }).await;
        }
    }

    /// Waits until all is stored; nobody holds the node afterwards.
    pub(super) async fn stop(mut self) {
        self.queues.clear();
        let all = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_SENDS, all).await.is_err() {
            tracing::warn!("something that was to be sent is not stored yet: it is lost");
            self.workers.shutdown().await;
        }
    }
}

async fn work(node: Arc<Node>, looks: mpsc::Sender<Look>, out: Out, peer: PeerId, mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { what, reply_to, ticket }) = jobs.recv().await {
        let about = match &what {
            Outgoing::Edit(id, _) | Outgoing::Delete(id) => Some(Target { direction: Direction::Out, id: *id }),
            Outgoing::React(target, _) => Some(*target),
            Outgoing::Text(_) | Outgoing::Staged(..) => None,
        };
        // The name that this key has now: a table that gives the name to another key must not give it the message.
        let sent = match node.name_of(&peer) {
            Some(name) => node.send(&name, draft(what, reply_to)).await,
            None => Err(SendError::NoPeer(String::new())),
        };
        match sent {
            Ok(id) => {
                let own = Target { direction: Direction::Out, id };
                let targets = std::iter::once(own).chain(about).collect();
                out.tell(News::Sent { ticket }).await;
                let _ = looks.send(Look::Lines { peer, targets, arrived: false }).await;
            }
            Err(error) => out.tell(News::NotSent { ticket, fault: Fault::of(&error) }).await,
        }
    }
}

fn draft(what: Outgoing, reply_to: Option<Target>) -> Draft {
    let (kind, name) = match what {
        Outgoing::Text(text) => (DraftKind::Text(text), None),
        Outgoing::Edit(of, text) => (DraftKind::Edit { of, text }, None),
        Outgoing::Delete(of) => (DraftKind::Delete { of }, None),
        Outgoing::React(to, text) => (DraftKind::React { to, text }, None),
        Outgoing::Staged(staged, hide) => {
            let kind = match &staged.body {
                StagedBody::Picture { file, .. } => DraftKind::Picture { bytes: file.clone(), hide },
                StagedBody::File(path) => DraftKind::File(path.clone()),
                StagedBody::Clip(clip) => DraftKind::Clip(clip.wav.clone()),
            };
            (kind, Some(staged.name.clone()))
        }
    };
    Draft { kind, name, reply_to }
}
