//! Frame number and clock as black and white cells.
//!
//! The cells lie on a grid that is a fixed part of the picture, so they are found again after the
//! picture was scaled. They carry 40 bits of the frame number, 44 bits of milliseconds of Unix
//! time and a CRC-16, in 4 lines of 25, high bits first. JPEG at low quality smears their edges;
//! only their middles are read.

use super::fill;
use crate::media::jpeg::Rgb;

/// Cells in a line and lines of cells.
const COLUMNS: u64 = 25;
const LINES: u64 = 4;
/// The grid's pitch: the picture is this many cells wide and high.
const PITCH_ACROSS: u64 = COLUMNS + 2;
const PITCH_DOWN: u64 = super::ROWS;

const FRAME_BITS: u32 = 40;
const TIME_BITS: u32 = 44;
const CRC_BITS: u32 = 16;

const BLACK: [u8; 3] = [16; 3];
const WHITE: [u8; 3] = [235; 3];
/// A cell darker than this is black, one brighter than the other is white, between is unreadable.
const BLACK_MAX: u64 = 96;
const WHITE_MIN: u64 = 160;

/// What the cells of a test picture say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Frame number; the picture carries its low 40 bits.
    pub frame: u64,
    /// Milliseconds of Unix time; the picture carries the low 44 bits (until the year 2527).
    pub unix_ms: u64,
}

/// Draws the cells of `stamp`.
pub(super) fn draw(rgb: &mut Rgb, stamp: Stamp) {
    let bits = pack(stamp);
    for number in 0..COLUMNS * LINES {
        let colour = if bits >> (COLUMNS * LINES - 1 - number) & 1 == 1 { WHITE } else { BLACK };
        let (columns, rows) = cell(rgb, number);
        fill(rgb, columns, rows, colour);
    }
}

/// Reads the stamp of a picture that the test pattern drew, also after JPEG and scaling. `None`
/// for any other picture, or when the cells are too small or too damaged to be sure.
pub fn read_back(rgb: &Rgb) -> Option<Stamp> {
    if rgb.check().is_err() || u64::from(rgb.width) < PITCH_ACROSS * 2 || u64::from(rgb.height) < PITCH_DOWN * 2 {
        return None;
    }
    let mut bits = 0u128;
    for number in 0..COLUMNS * LINES {
        bits <<= 1;
        match middle(rgb, number) {
            level if level <= BLACK_MAX => {}
            level if level >= WHITE_MIN => bits |= 1,
            _ => return None,
        }
    }
    unpack(bits)
}

/// The pixels of a cell.
fn cell(rgb: &Rgb, number: u64) -> (std::ops::Range<u64>, std::ops::Range<u64>) {
    let (column, line) = (number % COLUMNS + 1, number / COLUMNS + 1);
    let x = |column: u64| u64::from(rgb.width) * column / PITCH_ACROSS;
    let y = |line: u64| u64::from(rgb.height) * line / PITCH_DOWN;
    (x(column)..x(column + 1), y(line)..y(line + 1))
}

/// Mean green of the middle of a cell: green carries most of the brightness.
fn middle(rgb: &Rgb, number: u64) -> u64 {
    let (columns, rows) = cell(rgb, number);
    let inner = |range: std::ops::Range<u64>| {
        let margin = (range.end - range.start) / 3;
        range.start + margin..(range.end - margin).max(range.start + margin + 1)
    };
    let (columns, rows) = (inner(columns), inner(rows));
    let count = (columns.end - columns.start) * (rows.end - rows.start);
    let mut sum = 0;
    for y in rows {
        for x in columns.clone() {
            sum += u64::from(rgb.data[((y * u64::from(rgb.width) + x) * 3 + 1) as usize]);
        }
    }
    sum / count
}

fn pack(stamp: Stamp) -> u128 {
    let low = |value: u64, bits: u32| u128::from(value & ((1 << bits) - 1));
    let body = low(stamp.frame, FRAME_BITS) << TIME_BITS | low(stamp.unix_ms, TIME_BITS);
    body << CRC_BITS | u128::from(crc(body))
}

fn unpack(bits: u128) -> Option<Stamp> {
    let body = bits >> CRC_BITS;
    if u128::from(crc(body)) != bits & 0xffff {
        return None;
    }
    let unix_ms = body as u64 & ((1 << TIME_BITS) - 1);
    Some(Stamp { frame: (body >> TIME_BITS) as u64, unix_ms })
}

/// CRC-16 with polynomial 0x1021 and all ones at the start, so that an all-black picture fails.
fn crc(body: u128) -> u16 {
    let mut crc = 0xffffu16;
    for shift in (0..FRAME_BITS + TIME_BITS).rev() {
        let bit = (body >> shift & 1) as u16;
        let out = crc >> 15 ^ bit;
        crc <<= 1;
        if out == 1 {
            crc ^= 0x1021;
        }
    }
    crc
}
