//! The part of the app that works: a thread with a runtime that owns the node, the history and the workers. The window
//! asks and is told; it never waits.

mod addresses;
mod behind;
mod camera;
mod desktop;
mod folder;
mod look;
pub mod notify;
mod pictures;
mod seek;
mod sender;
mod session;
mod settings;
mod sound;
mod start;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Launch;
use super::talk::{Ask, Fault, News, Stage};
use start::{Opened, Start};

/// Asks that may wait.
pub const ASKS_MAX: usize = 256;
/// News that may wait for the window.
pub const NEWS_MAX: usize = 1_024;
/// Threads of the runtime; what blocks has threads of its own.
const WORKERS: usize = 2;
/// What still runs after the goodbyes is left behind after so long.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// Wakes whoever shows the news.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The engine, from the window's side.
pub struct Engine {
    asks: Option<mpsc::Sender<Ask>>,
    news: mpsc::Receiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// Starts it. `wake` is called after news, from another thread.
    ///
    /// # Errors
    /// Where the system has no thread to give.
    pub fn start(launch: Launch, wake: Wake) -> std::io::Result<Self> {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let out = Out { news: tell, wake };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("miyu")
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new().name("miyu-engine".to_owned()).spawn(move || {
            runtime.block_on(run(launch, asked, out));
            runtime.shutdown_timeout(LAST_TASKS);
        })?;
        Ok(Self { asks: Some(asks), news, thread: Some(thread) })
    }

    /// Asks for something; gives it back where too much waits already.
    ///
    /// # Errors
    /// The ask.
    pub fn ask(&self, ask: Ask) -> Result<(), Ask> {
        let Some(asks) = &self.asks else { return Ok(()) };
        match asks.try_send(ask) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(ask)) => Err(ask),
        }
    }

    /// The next news, if there are any.
    pub fn poll(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// Waits for the next news; for tests and scripts without a window. `None` after the end.
    pub fn wait(&mut self) -> Option<News> {
        self.news.blocking_recv()
    }

    /// Says goodbye to every peer and waits for the end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.asks = None;
        // An engine that waits for room for its news must not wait for ever.
        self.news.close();
        while self.news.try_recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where news go.
#[derive(Clone)]
pub(in crate::gui) struct Out {
    news: mpsc::Sender<News>,
    wake: Wake,
}

impl Out {
    /// Tells the window. A window that is gone is told nothing.
    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_ok() {
            (self.wake)();
        }
    }

    /// The same from a thread that is none of the runtime.
    fn tell_blocking(&self, news: News) {
        if self.news.blocking_send(news).is_ok() {
            (self.wake)();
        }
    }

    async fn stage(&self, stage: Stage) {
        self.tell(News::Stage(stage)).await;
    }
}

/// How a part of the run ends.
enum End {
    /// The window is gone.
    Quit,
    /// From the beginning, with the table as it is now.
    Again,
}

async fn run(launch: Launch, mut asks: mpsc::Receiver<Ask>, out: Out) {
    if let Some(interrupted) = launch.interrupted {
        let (interrupted, out) = (interrupted(), out.clone());
        tokio::spawn(async move {
            interrupted.await;
            out.tell(News::Interrupted).await;
        });
    }
    let start = Arc::new(Start::new(launch));
    let mut passphrase = None;
    let mut fault = None;
    loop {
        let (opening, phrase) = (start.clone(), passphrase.take());
        let opened = tokio::task::spawn_blocking(move || opening.open(phrase.as_ref())).await;
        let end = match opened {
            Ok(Opened::Ready(loaded)) => session::run(*loaded, &mut asks, &out).await,
            Ok(Opened::NoIdentity { table, only_key }) => {
                out.stage(Stage::NoIdentity { table, only_key, fault: fault.take() }).await;
                wait(&mut asks, &start, &mut passphrase, &mut fault).await
            }
            Ok(Opened::Locked { key, fault }) => {
                out.stage(Stage::Locked { key, fault }).await;
                wait(&mut asks, &start, &mut passphrase, &mut None).await
            }
            Ok(Opened::Broken(fault)) => {
                out.stage(Stage::Broken(fault)).await;
                wait(&mut asks, &start, &mut passphrase, &mut None).await
            }
            Err(died) => {
                out.stage(Stage::Broken(Fault::of(&died))).await;
                wait(&mut asks, &start, &mut passphrase, &mut None).await
            }
        };
        match end {
            End::Again => {}
            End::Quit => break,
        }
    }
    out.stage(Stage::Ended).await;
}

/// Waits for whatever brings the start further.
async fn wait(
    asks: &mut mpsc::Receiver<Ask>,
    start: &Arc<Start>,
    passphrase: &mut Option<zeroize::Zeroizing<Vec<u8>>>,
    fault: &mut Option<Fault>,
) -> End {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::MakeIdentity { name, passphrase: lock, listen } => {
                let start = start.clone();
                let phrase = lock.map(|lock| zeroize::Zeroizing::new(lock.as_bytes().to_vec()));
                let opens = phrase.clone();
                let made = tokio::task::spawn_blocking(move || start.make(&name, phrase.as_ref(), listen)).await;
                *fault = match made {
                    Ok(Ok(())) => None,
                    Ok(Err(fault)) => Some(fault),
                    Err(died) => Some(Fault::of(&died)),
                };
                *passphrase = opens;
                return End::Again;
            }
            Ask::Unlock(typed) => {
                *passphrase = Some(zeroize::Zeroizing::new(typed.as_bytes().to_vec()));
                return End::Again;
            }
            Ask::TryAgain => return End::Again,
            Ask::Quit => return End::Quit,
            // The window asks for more than there is, yet.
            _ => {}
        }
    }
    End::Quit
}
