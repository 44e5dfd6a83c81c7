//! `miyu speed`: which kernels this machine takes, and what they do a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;

use super::print::Printer;
use super::{Failure, Outcome};
use crate::crypto::gcm::{Backend, NONCE_BYTES, Sm4Gcm};
use crate::crypto::sm2::{DEFAULT_ID, SecretKey};
use crate::crypto::sm3;
use crate::identity::system_rng;

/// Flags of `miyu speed`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Measure every path that this machine has, not only the one that it takes
    #[arg(long)]
    all: bool,
    /// How long each measurement lasts
    #[arg(long, value_name = "SECS", default_value_t = 0.3, value_parser = seconds)]
    seconds: f64,
}

/// The longest measurement that is of use to anyone.
const SECONDS_MAX: f64 = 60.0;
/// The best of so many rounds counts: what else runs on the machine only ever makes a round slower.
const ROUNDS: u32 = 5;
/// A text in a packet of its own, a full packet, a large write, a chunk of a stored file.
const SIZES: [(usize, &str); 4] = [(64, "64 B"), (1_200, "1,200 B"), (16 << 10, "16 KiB"), (64 << 10, "64 KiB")];
/// Most packets of a connection have a header of about this length, and that is what GCM authenticates with them.
const AAD: [u8; 20] = [7; 20];

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= SECONDS_MAX => Ok(value),
        _ => Err(format!("it has to be a number above 0 and up to {SECONDS_MAX}")),
    }
}

pub(super) fn run(options: &Options, printer: &Printer) -> Outcome {
    let chosen = Backend::chosen();
    printer.line(&format!("this machine takes the path {} for SM4-GCM", chosen.name()));
    let meter = Meter { printer, round: Duration::from_secs_f64(options.seconds / f64::from(ROUNDS)) };
    let mut paths = if options.all { Backend::available() } else { vec![chosen] };
    paths.reverse();
    for path in paths {
        sm4_gcm(&meter, path)?;
    }
    let buffer = vec![0x5a; 16 << 10];
    meter.bytes("sm3 16 KiB", "rust", buffer.len(), || {
        black_box(sm3::digest(black_box(&buffer)));
    });
    sm2(&meter)
}

fn sm4_gcm(meter: &Meter<'_>, path: Backend) -> Outcome {
    let key = Sm4Gcm::on(path, &[3; 16]);
    let mut number = 0u64;
    let mut nonce = || {
        number += 1;
        let mut nonce = [0; NONCE_BYTES];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        nonce
    };
    for (bytes, name) in SIZES {
        let mut buffer = vec![0; bytes];
        meter.bytes(&format!("sm4-gcm seal {name}"), path.name(), bytes, || {
            black_box(key.seal_in_place(&nonce(), &AAD, black_box(&mut buffer)));
        });
    }
    // Opening wipes what does not open, so that each round opens a copy of what was sealed once.
    let (bytes, name) = SIZES[2];
    let mut sealed = vec![0; bytes];
    let once = nonce();
    let tag = key.seal_in_place(&once, &AAD, &mut sealed);
    let mut buffer = sealed.clone();
    let mut opened = true;
    meter.bytes(&format!("sm4-gcm open {name}"), path.name(), bytes, || {
        buffer.copy_from_slice(&sealed);
        opened &= key.open_in_place(&once, &AAD, black_box(&mut buffer), &tag).is_ok();
    });
    match opened {
        true => Ok(()),
        false => Err(Failure::new(format!("the path {} does not open what it has sealed", path.name()))
            .hint("this is a defect: set MIYU_SIMD=portable for now, and report it with the name of the processor")),
    }
}

fn sm2(meter: &Meter<'_>) -> Outcome {
    let mut rng = system_rng();
    let (ours, theirs) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng).public_key());
    let public = ours.public_key();
    meter.operations("sm2 keygen", || {
        black_box(SecretKey::generate(&mut rng).public_key());
    });
    meter.operations("sm2 ecdh", || {
        black_box(ours.diffie_hellman(black_box(&theirs)));
    });
    let message = [9; 64];
    meter.operations("sm2 sign", || {
        black_box(ours.sign(DEFAULT_ID, black_box(&message)));
    });
    let signature = ours.sign(DEFAULT_ID, &message);
    let mut verified = true;
    meter.operations("sm2 verify", || verified &= public.verify(DEFAULT_ID, black_box(&message), &signature).is_ok());
    match verified {
        true => Ok(()),
        false => Err(Failure::new("SM2 does not verify what it has signed").hint("this is a defect: please report it")),
    }
}

/// Measures and prints.
struct Meter<'p> {
    printer: &'p Printer,
    round: Duration,
}

impl Meter<'_> {
    /// Megabytes (10⁶) a second of an operation over `bytes`.
    fn bytes(&self, primitive: &str, path: &str, bytes: usize, operation: impl FnMut()) {
        let value = self.rate(operation) * bytes as f64 / 1e6;
        self.print(primitive, path, value, "MB/s");
    }

    fn operations(&self, primitive: &str, operation: impl FnMut()) {
        let value = self.rate(operation);
        self.print(primitive, "rust", value, "ops/s");
    }

    fn print(&self, primitive: &str, path: &str, value: f64, unit: &str) {
        let rounded = (value * 10.0).round() / 10.0;
        let line = json!({ "event": "speed", "primitive": primitive, "path": path, "value": rounded, "unit": unit });
        self.printer.result(&line, || format!("{primitive:<24} {path:<10} {value:>10.0} {unit}"));
    }

    /// Operations a second in the best round.
    fn rate(&self, mut operation: impl FnMut()) -> f64 {
        let mut best = 0.0f64;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let (mut done, mut batch) = (0u64, 1u64);
            // Asking the clock costs as much as a small packet: it is asked ever more seldom.
            while begun.elapsed() < self.round {
                for _ in 0..batch {
                    operation();
                }
                done += batch;
                if batch < done / 16 {
                    batch *= 2;
                }
            }
            best = best.max(done as f64 / begun.elapsed().as_secs_f64());
        }
        best
    }
}
