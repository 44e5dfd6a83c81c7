//! The app in a window of its own, as a process of its own, with a peer in this one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use miyu::media::camera::{Settings, SourceSpec};
use miyu::node::{CameraPlan, Event};
use tokio::runtime::Runtime;
use tokio::time::sleep;

use super::{CHILD, PATIENCE, home, other};
use crate::camera::SIZE;
use crate::history;
use crate::paired::Series;
use crate::peers::{Actor, entry};
use crate::process;
use crate::report::{Row, Unit};

const ROUNDS: usize = 3;
/// What has just begun is left alone for this long.
const SETTLING: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);
const VIDEO: Duration = Duration::from_secs(10);
/// What the app is asked by to show its peers' cameras.
const CAMERAS: &str = "ctrl+d";

struct Window(Child);

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let names = || Series::new("miyu");
    let (mut first, mut idle, mut video, mut memory) = (names(), names(), names(), names());
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
            idle.figures.push(share(&app, IDLE).await?);
            memory.figures.push(process::resident_mib(app.0.id())?);
            bob.node.publish(camera()).await;
            keys(CAMERAS)?;
            let begun = Instant::now();
            while !bob.node.status().camera.is_some_and(|camera| camera.viewers > 0) {
                ensure!(begun.elapsed() < PATIENCE, "the app does not watch the camera");
                sleep(Duration::from_millis(50)).await;
            }
            sleep(SETTLING).await;
            video.figures.push(share(&app, VIDEO).await?);
            drop(app);
            bob.wait(|event| matches!(event, Event::Disconnected { .. }).then_some(())).await?;
        }
        anyhow::Ok(())
    })?;
    let path = miyu::crypto::gcm::Backend::chosen().name();
    Ok(vec![
        Row::alone("a window: from the start to its first frame", path, Unit::Milliseconds, &first),
        Row::alone("a window with a peer, nothing happens", path, Unit::PercentOfCore, &idle),
        Row::alone("a window that shows 1280x720 at 30 a second", path, Unit::PercentOfCore, &video),
        Row::alone("a window with a peer, in memory", path, Unit::Mebibytes, &memory),
    ])
}

/// Processor time of the app while nothing is asked of it, in percent of a core.
async fn share(app: &Window, span: Duration) -> Result<f64> {
    let before = process::cpu_without_renderer(app.0.id())?;
    let begun = Instant::now();
    sleep(span).await;
    let used = process::cpu_without_renderer(app.0.id())?.saturating_sub(before);
    Ok(100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64())
}

/// A moving picture, encoded in this process.
fn camera() -> CameraPlan {
    let settings = Settings { size: Some(SIZE), fps: 30.0, quality: 85, ..Settings::default() };
    CameraPlan { source: SourceSpec::Test, bandwidth_bits: None, settings }
}

fn keys(keys: &str) -> Result<()> {
    let window = find()?;
    let window = window.lines().next().context("the window is gone")?;
    let done = Command::new("xdotool").args(["windowfocus", "--sync", window, "key", keys]).status()?;
    ensure!(done.success(), "xdotool could not type {keys}");
    Ok(())
}

fn is_visible() -> Result<bool> {
    Ok(!find()?.is_empty())
}

fn find() -> Result<String> {
    let found = Command::new("xdotool")
        .args(["search", "--onlyvisible", "--name", "^miyu"])
        .stderr(Stdio::null())
        .output()
        .context("xdotool looks for the window: install it")?;
    Ok(String::from_utf8_lossy(&found.stdout).into_owned())
}
