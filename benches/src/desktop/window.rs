//! The app in a window of its own, as a process of its own, with a peer in this one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use miyu::node::Event;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::{CHILD, PATIENCE, home, other};
use crate::history;
use crate::paired::Series;
use crate::peers::{Actor, entry};
use crate::process;
use crate::report::{Row, Unit};

const ROUNDS: usize = 3;
/// What has just begun is left alone for this long.
const SETTLING: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);

struct Window(Child);

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let names = || Series::new("miyu");
    let (mut first, mut idle, mut memory) = (names(), names(), names());
    Runtime::new()?.block_on(async {
        let mut bob = Actor::start(&other(), vec![entry("alice", &history::owner(), None)]).await?;
        let table = home(folder, Some(bob.node.address().port()))?;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let app = Command::new(std::env::current_exe()?).env(CHILD, &table).stdin(Stdio::null()).spawn()?;
            let app = Window(app);
            // eframe shows its window when the first frame has been drawn
            while !is_visible()? {
                ensure!(begun.elapsed() < PATIENCE, "no window came");
            }
            first.figures.push(history::ms(begun));
            bob.wait(|event| matches!(event, Event::Connected(_)).then_some(())).await?;
            sleep(SETTLING).await;
            let before = process::cpu_without_renderer(app.0.id())?;
            sleep(IDLE).await;
            let used = process::cpu_without_renderer(app.0.id())?.saturating_sub(before);
            idle.figures.push(100.0 * used.as_secs_f64() / IDLE.as_secs_f64());
            memory.figures.push(process::resident_mib(app.0.id())?);
            drop(app);
            bob.wait(|event| matches!(event, Event::Disconnected { .. }).then_some(())).await?;
        }
        anyhow::Ok(())
    })?;
    let path = miyu::crypto::gcm::Backend::chosen().name();
    Ok(vec![
        Row::alone("a window: from the start to its first frame", path, Unit::Milliseconds, &first),
        Row::alone("a window with a peer, nothing happens", path, Unit::PercentOfCore, &idle),
        Row::alone("a window with a peer, in memory", path, Unit::Mebibytes, &memory),
    ])
}

fn is_visible() -> Result<bool> {
    let found = Command::new("xdotool")
        .args(["search", "--onlyvisible", "--name", "^miyu"])
        .stderr(Stdio::null())
        .output()
        .context("xdotool looks for the window: install it")?;
    Ok(!found.stdout.is_empty())
}
