//! What the installed `openssl speed` says, where there is one. It takes turns with miyu by the second.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clock::thread_cpu;
use crate::paired::Series;

/// The name in the tables.
const NAME: &str = "OpenSSL";
/// Turns of a second each.
const ROUNDS: u32 = 3;
/// miyu's own turn, once before and once after each of OpenSSL's.
const TURN: Duration = Duration::from_millis(200);

/// miyu's `operation` and OpenSSL's figures in turn, as operations a second; `pick` takes OpenSSL's out of a line of
/// its machine-readable output. `None`, with a word about it, where OpenSSL is missing or does not know the algorithm.
pub(crate) fn beside(
    rounds: Option<u32>,
    arguments: &[&str],
    pick: impl Fn(&str) -> Option<f64>,
    mut operation: impl FnMut(),
) -> Option<(Series, Series)> {
    let (mut ours, mut theirs) = (Series::new("miyu"), Series::new(NAME));
    for _ in 0..rounds.unwrap_or(ROUNDS).min(ROUNDS) {
        let before = rate(&mut operation);
        let Some(figure) = speed(arguments, &pick) else {
            eprintln!("bench: no figure from openssl speed {}", arguments.join(" "));
            return None;
        };
        let after = rate(&mut operation);
        ours.figures.push((before + after) / 2.0);
        theirs.figures.push(figure);
    }
    Some((ours, theirs))
}

fn rate(operation: &mut impl FnMut()) -> f64 {
    let start = thread_cpu();
    let mut count = 0_u32;
    loop {
        operation();
        count += 1;
        let took = thread_cpu().saturating_sub(start);
        if took >= TURN {
            return f64::from(count) / took.as_secs_f64();
        }
    }
}

fn speed(arguments: &[&str], pick: &impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "1"])
        .args(arguments)
        .env("OPENSSL_CONF", "/dev/null")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).lines().find_map(pick)
}
