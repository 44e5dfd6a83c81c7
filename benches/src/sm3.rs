//! SM3 beside other SM3s.

use std::hint::black_box;

use ::sm3::Digest;
use anyhow::Result;
use libsm::sm3::hash::Sm3Hash;
use miyu::crypto::sm3;

use crate::ciphers::SIZES;
use crate::openssl;
use crate::paired::{Contender, keep, speeds};
use crate::report::{Row, Unit};

pub(crate) fn run(rounds: Option<u32>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        let data = vec![3; size];
        let contenders = vec![
            Contender::new("miyu", || keep(sm3::digest(black_box(&data)))),
            Contender::new("sm3 (RustCrypto)", || keep(::sm3::Sm3::digest(black_box(&data)))),
            Contender::new("libsm", || keep(Sm3Hash::new(black_box(&data)).get_hash())),
        ];
        let series = speeds(rounds, size as f64 / 1e6, contenders);
        let case = format!("{size} B");
        rows.extend(
            series[1..].iter().map(|rival| Row::beside(&case, "", Unit::MegabytesPerSecond, &series[0], rival)),
        );
        rows.extend(openssl(rounds, size, &data));
    }
    Ok(rows)
}

/// A line like `+F:25:sm3:224384595.35` has bytes a second.
fn openssl(rounds: Option<u32>, size: usize, data: &[u8]) -> Option<Row> {
    let pick = |line: &str| line.strip_prefix("+F:")?.rsplit(':').next()?.trim().parse().ok();
    let bytes = size.to_string();
    let arguments = ["-evp", "sm3", "-bytes", &bytes];
    let (mut ours, mut theirs) = openssl::beside(rounds, &arguments, pick, || keep(sm3::digest(black_box(data))))?;
    ours.figures.iter_mut().for_each(|figure| *figure *= size as f64 / 1e6);
    theirs.figures.iter_mut().for_each(|figure| *figure /= 1e6);
    Some(Row::beside(&format!("{size} B"), "", Unit::MegabytesPerSecond, &ours, &theirs))
}
