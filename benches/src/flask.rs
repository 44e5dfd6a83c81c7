//! The camera beside the way that beginners' cameras work: JPEGs in a multipart answer of Flask's server, over TLS.
//!
//! Both pass the same pictures on; the processor time of the serving process is divided by the pictures that came.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::camera::{self, Camera, Eye, FPS, WINDOW};
use crate::paired::Series;
use crate::process;
use crate::report::{Row, Unit};

/// Names the Python that has Flask, where it is not the first in the path.
const PYTHON: &str = "MIYU_BENCH_PYTHON";
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/flask/server.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/flask/client.py");
const ROUNDS: u32 = 5;
const VIEWERS: [usize; 3] = [1, 8, 32];
const WARMING: Duration = Duration::from_secs(1);

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".into());
    let has_flask = Command::new(&python).args(["-c", "import flask"]).stderr(Stdio::null()).status();
    if !has_flask.is_ok_and(|status| status.success()) {
        eprintln!("bench: {python} has no Flask ({PYTHON} may name another Python); left out");
        return Ok(Vec::new());
    }
    let folder = tempfile::tempdir()?;
    let file = camera::pictures(folder.path())?;
    certificate(folder.path())?;
    let runtime = Runtime::new()?;
    let path = ::miyu::crypto::gcm::Backend::chosen().name();
    let mut rows = Vec::new();
    for viewers in VIEWERS {
        let (mut ours, mut theirs) = (Series::new("miyu"), Series::new("Flask over TLS"));
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            ours.figures.push(runtime.block_on(miyu(&file, viewers))?);
            theirs.figures.push(flask(&python, &file, folder.path(), viewers)?);
        }
        let case = format!("a picture to each of {viewers}");
        rows.push(Row::beside(&case, path, Unit::CpuMilliseconds, &ours, &theirs));
    }
    Ok(rows)
}

async fn miyu(file: &Path, viewers: usize) -> Result<f64> {
    let camera = Camera::start(file, FPS)?;
    let mut eyes = Vec::new();
    for number in 0..viewers {
        eyes.push(Eye::open(&camera, number).await?);
    }
    let mut looking = JoinSet::new();
    for mut eye in eyes {
        looking.spawn(async move {
            eye.look(WARMING).await?;
            eye.look(WINDOW).await
        });
    }
    sleep(WARMING).await;
    let before = process::cpu(camera.pid())?;
    let mut frames = 0;
    while let Some(done) = looking.join_next().await {
        frames += done??;
    }
    each(process::cpu(camera.pid())?.saturating_sub(before), frames, viewers)
}

/// Milliseconds a picture, where as many came as were sent.
fn each(cpu: Duration, frames: u64, viewers: usize) -> Result<f64> {
    let wanted = WINDOW.as_secs() * u64::from(FPS) * viewers as u64;
    ensure!(frames * 10 >= wanted * 9, "{frames} of {wanted} pictures came: this machine has other work");
    Ok(cpu.as_secs_f64() * 1e3 / frames as f64)
}

/// A certificate as `openssl req` makes it for a beginner, with the curve that TLS likes best.
fn certificate(folder: &Path) -> Result<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=camera", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

fn flask(python: &str, file: &Path, folder: &Path, viewers: usize) -> Result<f64> {
    let mut server = Running::start(
        Command::new(python)
            .arg(SERVER)
            .arg(file)
            .arg(FPS.to_string())
            .args([folder.join("certificate.pem"), folder.join("key.pem")]),
    )?;
    let port = server.line()?;
    let seconds = WINDOW.as_secs().to_string();
    let client = || Running::start(Command::new(python).args([CLIENT, &port, &seconds]));
    let mut clients = (0..viewers).map(|_| client()).collect::<Result<Vec<_>>>()?;
    for client in &mut clients {
        client.line()?;
    }
    let before = process::cpu(server.child.id())?;
    let mut frames = 0;
    for client in &mut clients {
        frames += client.line()?.parse::<u64>().context("what the client counted")?;
    }
    each(process::cpu(server.child.id())?.saturating_sub(before), frames, viewers)
}

/// A process that says something, and ends with this.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, out })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.out.read_line(&mut line)? > 0, "it ended");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
