//! Results as a table for people and as JSON lines for programs.

use serde_json::json;

use crate::paired::{Series, median, quartiles};

/// What a figure counts, and which way is better.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    MegabytesPerSecond,
    PerSecond,
    Microseconds,
    Milliseconds,
    CpuMilliseconds,
    CpuSeconds,
    Seconds,
    Mebibytes,
    PercentOfCore,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "MB/s",
            Self::PerSecond => "1/s",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::CpuMilliseconds => "CPU ms",
            Self::CpuSeconds => "CPU s",
            Self::Seconds => "s",
            Self::Mebibytes => "MiB",
            Self::PercentOfCore => "% of a core",
        }
    }

    fn more_is_better(self) -> bool {
        matches!(self, Self::MegabytesPerSecond | Self::PerSecond)
    }
}

/// miyu beside one rival.
#[derive(Debug)]
pub(crate) struct Row {
    case: String,
    /// Which kernels of SM4 and GHASH miyu used.
    path: String,
    unit: Unit,
    miyu: f64,
    /// The rival's name and figure, and the ratio: miyu's figure divided by the rival's, as its median over the
    /// rounds and the ends of the middle half. `None` where a side ran alone.
    beside: Option<Beside>,
    rounds: usize,
}

#[derive(Debug)]
struct Beside {
    rival: String,
    figure: f64,
    ratio: f64,
    low: f64,
    high: f64,
}

impl Row {
    /// Figures of the same round belong together.
    pub(crate) fn beside(case: &str, path: &str, unit: Unit, miyu: &Series, rival: &Series) -> Self {
        let ratios: Vec<f64> = miyu.figures.iter().zip(&rival.figures).map(|(ours, theirs)| ours / theirs).collect();
        let (low, high) = quartiles(&ratios);
        let beside =
            Beside { rival: rival.name.clone(), figure: median(&rival.figures), ratio: median(&ratios), low, high };
        Self {
            case: case.to_owned(),
            path: path.to_owned(),
            unit,
            miyu: median(&miyu.figures),
            beside: Some(beside),
            rounds: ratios.len(),
        }
    }

    /// A side on its own.
    pub(crate) fn alone(case: &str, path: &str, unit: Unit, series: &Series) -> Self {
        Self {
            case: format!("{case}, {} alone", series.name),
            path: path.to_owned(),
            unit,
            miyu: median(&series.figures),
            beside: None,
            rounds: series.figures.len(),
        }
    }

    fn cells(&self) -> [String; 7] {
        let better = if self.unit.more_is_better() { "more" } else { "less" };
        let (rival, figure, ratio, spread) = match &self.beside {
            None => Default::default(),
            Some(beside) => (
                beside.rival.clone(),
                short(beside.figure),
                short(beside.ratio),
                format!("{}-{}", short(beside.low), short(beside.high)),
            ),
        };
        [
            self.case.clone(),
            format!("{} ({better} is better)", self.unit.name()),
            short(self.miyu),
            rival,
            figure,
            ratio,
            spread,
        ]
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Where results go.
pub(crate) struct Report {
    json: bool,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// What a reader must know of the machine to read the figures. Never its name.
    pub(crate) fn machine(&self) {
        let path = miyu::crypto::gcm::Backend::chosen().name();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let features = features().join(" ");
        if self.json {
            let line = json!({
                "event": "machine", "arch": std::env::consts::ARCH, "cores": cores, "features": features, "path": path,
            });
            println!("{line}");
        } else {
            println!("{} with {cores} cores; features: {features}; miyu's path: {path}", std::env::consts::ARCH);
        }
    }

    pub(crate) fn section(&mut self, title: &str, rows: &[Row]) {
        if self.json {
            rows.iter().for_each(|row| println!("{}", line(title, row)));
        } else {
            println!("\n{title}");
            table(rows);
        }
    }
}

fn line(title: &str, row: &Row) -> serde_json::Value {
    let bench = title.split(':').next().unwrap_or(title);
    let mut line = json!({
        "event": "bench", "bench": bench, "case": row.case, "path": row.path, "unit": row.unit.name(),
        "more_is_better": row.unit.more_is_better(), "miyu": row.miyu, "rounds": row.rounds,
    });
    if let Some(beside) = &row.beside {
        line["rival"] = json!(beside.rival);
        line["rival_figure"] = json!(beside.figure);
        line["ratio"] = json!(beside.ratio);
        line["ratio_low"] = json!(beside.low);
        line["ratio_high"] = json!(beside.high);
    }
    line
}

fn table(rows: &[Row]) {
    let head = ["case", "unit", "miyu", "rival", "rival's", "miyu/rival", "middle half"].map(str::to_owned);
    let lines: Vec<[String; 7]> = [head].into_iter().chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> =
        (0..7).map(|cell| lines.iter().map(|line| line[cell].chars().count()).max().unwrap_or(0)).collect();
    for line in &lines {
        let text: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            // Figures stand under each other, words begin under each other.
            .map(|(cell, (text, width))| match cell {
                2 | 4 | 5 => format!("{text:>width$}"),
                _ => format!("{text:<width$}"),
            })
            .collect();
        println!("  {}", text.join("  ").trim_end());
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    [
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("vaes", is_x86_feature_detected!("vaes")),
        ("gfni", is_x86_feature_detected!("gfni")),
        ("vpclmulqdq", is_x86_feature_detected!("vpclmulqdq")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("adx", is_x86_feature_detected!("adx")),
        ("sha", is_x86_feature_detected!("sha")),
    ]
    .into_iter()
    .filter_map(|(name, found)| found.then_some(name))
    .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
