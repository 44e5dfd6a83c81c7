//! What another process has used up, as Linux tells it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a process has in memory.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Processor time of all its threads, user and system, in steps of a hundredth of a second.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    ticks(Path::new(&format!("/proc/{pid}/stat")))
}

fn ticks(stat: &Path) -> Result<Duration> {
    let stat = std::fs::read_to_string(stat)?;
    // the name in brackets may hold blanks
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let field = |at: usize| -> Result<u64> { Ok(fields.get(at).context("too short")?.parse()?) };
    // the 14th and 15th fields of the line, counted from 1 with the name as the second
    Ok(Duration::from_millis(10 * (field(11)? + field(12)?)))
}

/// Processor time of its threads but those of Mesa's software renderer, which stand for a GPU.
#[cfg(feature = "desktop")]
pub(crate) fn cpu_without_renderer(pid: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // A thread that has ended meanwhile is no longer counted, as in the window before.
        let Ok(name) = std::fs::read_to_string(task.join("comm")) else { continue };
        if !name.starts_with("llvmpipe-") {
            sum += ticks(&task.join("stat"))?;
        }
    }
    Ok(sum)
}
