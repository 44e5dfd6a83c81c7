//! The moving test pattern: colour bars, a bouncing ball, a sweep, the date and time in digits, and
//! a stamp (frame number and clock) that a program can read back from the picture ([`read_back`]).

pub(in crate::media::camera) mod font;
mod stamp;

pub use stamp::{Stamp, read_back};

use std::sync::Arc;

use super::pace::Paced;
use super::{CameraError, Captured, Picture, Source, unix_us};
use crate::media::jpeg::Rgb;

/// The picture is laid out in this many rows of equal height.
const ROWS: u64 = 24;
/// Rows of the layout where the parts begin.
const TEXT_ROW: u64 = 5;
const BARS_ROW: u64 = 9;
const RAMP_ROW: u64 = 19;
const SWEEP_ROW: u64 = 21;

pub(in crate::media::camera) const DARK: [u8; 3] = [24, 26, 30];
pub(in crate::media::camera) const LIGHT: [u8; 3] = [230, 232, 235];
pub(in crate::media::camera) const ACCENT: [u8; 3] = [240, 160, 40];
/// Bars at 75 % as in EBU and SMPTE patterns, brightest first.
const BARS: [[u8; 3]; 8] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [40, 40, 40]];
/// Frames that the ball needs from one side to the other, and from top to bottom. They share no
/// divisor, so the path is long before it repeats.
const BALL_ACROSS_FRAMES: u64 = 101;
const BALL_DOWN_FRAMES: u64 = 37;
/// Time that the sweep needs from left to right, in milliseconds.
const SWEEP_MS: u64 = 2_000;

/// Draws the pattern: what stands still is drawn once, what moves is drawn into a copy.
#[derive(Clone, Debug)]
pub struct TestPattern {
    still: Rgb,
}

impl TestPattern {
    /// A pattern of the given size in pixels.
    pub fn new(width: u32, height: u32) -> TestPattern {
        let mut still = Rgb::filled(width, height, DARK);
        let (width, height) = (u64::from(still.width), u64::from(still.height));
        let row = |number: u64| height * number / ROWS;
        for (number, colour) in (0u64..).zip(BARS) {
            let columns = width * number / 8..width * (number + 1) / 8;
            fill(&mut still, columns, row(BARS_ROW)..row(RAMP_ROW), colour);
        }
        for x in 0..width {
            let grey = (x * 255 / (width - 1).max(1)) as u8;
            fill(&mut still, x..x + 1, row(RAMP_ROW)..row(SWEEP_ROW), [grey; 3]);
        }
        TestPattern { still }
    }

    /// The picture number `frame`, showing the time `unix_ms` (milliseconds of Unix time).
    pub fn render(&self, frame: u64, unix_ms: u64) -> Rgb {
        let mut rgb = self.still.clone();
        stamp::draw(&mut rgb, Stamp { frame, unix_ms });
        draw_text(&mut rgb, frame, unix_ms);
        draw_ball(&mut rgb, frame);
        draw_sweep(&mut rgb, unix_ms);
        rgb
    }
}

/// Fills a rectangle, cut to the picture.
pub(in crate::media::camera) fn fill(
    rgb: &mut Rgb,
    columns: std::ops::Range<u64>,
    rows: std::ops::Range<u64>,
    colour: [u8; 3],
) {
    let width = rgb.width as usize;
    let from = (columns.start as usize).min(width) * 3;
    let to = (columns.end as usize).min(width) * 3;
    let top = rows.start as usize;
    let count = rows.end.saturating_sub(rows.start) as usize;
    if from >= to {
        return;
    }
    for line in rgb.data.chunks_exact_mut(width * 3).skip(top).take(count) {
        for pixel in line[from..to].chunks_exact_mut(3) {
            pixel.copy_from_slice(&colour);
        }
    }
}

/// Two lines for people: date and time, and the frame number.
fn draw_text(rgb: &mut Rgb, frame: u64, unix_ms: u64) {
    let lines = [date_time(unix_ms), format!("FRAME {frame:08}")];
    let (width, height) = (u64::from(rgb.width), u64::from(rgb.height));
    let top = height * TEXT_ROW / ROWS;
    let room = height * (BARS_ROW - TEXT_ROW) / ROWS;
    let widest = lines.iter().map(|line| font::width(line)).max().unwrap_or(1).max(1);
    // Two lines and the space above, between and below them.
    let dot = (width * 9 / 10 / widest).min(room / (2 * font::HEIGHT + 6));
    if dot == 0 {
        return;
    }
    for (number, line) in (0u64..).zip(&lines) {
        let left = width.saturating_sub(font::width(line) * dot) / 2;
        let y = top + dot * (2 + number * (font::HEIGHT + 2));
        let colour = if number == 0 { LIGHT } else { ACCENT };
        font::draw(line, |column, line_row, run| {
            let x = left + column * dot;
            let y = y + line_row * dot;
            fill(rgb, x..x + run * dot, y..y + dot, colour);
        });
    }
}

/// A ball that bounces over the bars, its place a function of the frame number.
fn draw_ball(rgb: &mut Rgb, frame: u64) {
    let (width, height) = (u64::from(rgb.width), u64::from(rgb.height));
    let (top, bottom) = (height * BARS_ROW / ROWS, height * RAMP_ROW / ROWS);
    let radius = (height / 14).min(width / 4).min((bottom - top) / 2);
    if radius == 0 {
        return;
    }
    let swing = |period: u64, room: u64| {
        let at = frame % (2 * period);
        room * at.min(2 * period - at) / period
    };
    let x = radius + swing(BALL_ACROSS_FRAMES, width.saturating_sub(2 * radius + 1));
    let y = top + radius + swing(BALL_DOWN_FRAMES, (bottom - top).saturating_sub(2 * radius + 1));
    for line in y - radius..=(y + radius).min(height - 1) {
        let down = line.abs_diff(y);
        let half = (radius * radius - down * down).isqrt();
        let inner = (radius * 4 / 5).pow(2).checked_sub(down * down).map(u64::isqrt);
        fill(rgb, x - half..x + half + 1, line..line + 1, DARK);
        if let Some(inner) = inner {
            fill(rgb, x - inner..x + inner + 1, line..line + 1, LIGHT);
        }
    }
}

/// A bar that sweeps the bottom once in [`SWEEP_MS`].
fn draw_sweep(rgb: &mut Rgb, unix_ms: u64) {
    let (width, height) = (u64::from(rgb.width), u64::from(rgb.height));
    let rows = height * SWEEP_ROW / ROWS + height / 96..height - height / 96;
    let reach = width * (unix_ms % SWEEP_MS) / SWEEP_MS;
    fill(rgb, 0..reach, rows.clone(), [60, 90, 130]);
    fill(rgb, reach..reach + (width / 80).max(1), rows, ACCENT);
}

/// `2026-01-31 23:59:58.123 UTC` for milliseconds of Unix time.
pub(in crate::media::camera) fn date_time(unix_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    // Year 9999 is the last that fits the digits; a clock beyond it is shown as that.
    let unix_ms = unix_ms.min(2_932_896 * DAY_MS + DAY_MS - 1);
    let (days, ms) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let ms = ms % 1_000;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03} UTC")
}

/// Year, month and day in the Gregorian calendar, for days since 1970-01-01.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Whole cycles of 400 years first, so that the loops below stay short.
    const CYCLE_DAYS: u64 = 146_097;
    let mut year = 1970 + 400 * (days / CYCLE_DAYS);
    days %= CYCLE_DAYS;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

/// The test pattern as a camera source.
#[derive(Debug)]
pub(super) struct TestSource {
    pattern: TestPattern,
    paced: Paced,
    seq: u64,
}

impl TestSource {
    pub(super) fn new(width: u32, height: u32, fps: f32) -> TestSource {
        TestSource { pattern: TestPattern::new(width, height), paced: Paced::new(fps), seq: 0 }
    }
}

impl Source for TestSource {
    fn describe(&self) -> String {
        let (width, height) = self.size();
        format!("test pattern {width}x{height} at {} fps", self.fps())
    }

    fn size(&self) -> (u32, u32) {
        (self.pattern.still.width, self.pattern.still.height)
    }

    fn fps(&self) -> f32 {
        self.paced.fps()
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        self.paced.sleep();
        let captured_at_us = unix_us();
        let rgb = self.pattern.render(self.seq, captured_at_us / 1_000);
        let seq = self.seq;
        self.seq += 1;
        Ok(Captured { seq, captured_at_us, width: rgb.width, height: rgb.height, picture: Picture::Rgb(Arc::new(rgb)) })
    }
}

#[cfg(test)]
mod tests {
    use super::date_time;

    #[test]
    fn dates_are_right() {
        assert_eq!(date_time(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(date_time(951_868_799_999), "2000-02-29 23:59:59.999 UTC");
        assert_eq!(date_time(1_709_164_800_000), "2024-02-29 00:00:00.000 UTC");
        assert_eq!(date_time(4_107_542_400_000), "2100-03-01 00:00:00.000 UTC");
        assert_eq!(date_time(u64::MAX), "9999-12-31 23:59:59.999 UTC");
    }
}
