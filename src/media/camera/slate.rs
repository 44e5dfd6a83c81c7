//! The picture that is shown when there is none: that there is no signal, since when, and why.

use super::pattern::{ACCENT, DARK, LIGHT, date_time, fill, font};
use crate::media::jpeg::Rgb;

const TITLE: &str = "NO SIGNAL";
/// Characters that a line of the reason has at least before its letters are drawn larger.
const COLUMNS_MIN: u64 = 40;
/// Dots between two lines.
const LEADING: u64 = 3;

/// A slate of `width` x `height` pixels. The letters are as large as the picture allows; what finds no room in a small
/// one is left out at the end of the reason.
pub fn slate(width: u32, height: u32, reason: &str, since_us: u64, now_us: u64) -> Rgb {
    let mut rgb = Rgb::filled(width, height, DARK);
    let (width, height) = (u64::from(rgb.width), u64::from(rgb.height));
    let margin = (width / 24).max(1);
    let room = width.saturating_sub(2 * margin);
    let title_dot = (room / font::width(TITLE)).clamp(1, (height / (5 * font::HEIGHT)).max(1));
    let dot = (room / (COLUMNS_MIN * font::ADVANCE)).max(1).min(title_dot);
    let mut y = (height / 6).min(title_dot * font::HEIGHT);
    line(&mut rgb, margin, y, title_dot, TITLE, ACCENT);
    y += title_dot * (font::HEIGHT + LEADING);
    let columns = usize::try_from(room / (dot * font::ADVANCE)).unwrap_or(1).max(1);
    let pitch = dot * (font::HEIGHT + LEADING);
    for (text, colour) in [(times(since_us, now_us), LIGHT), (reason.to_owned(), LIGHT)] {
        for part in wrapped(&text, columns) {
            if y + dot * font::HEIGHT > height {
                return rgb;
            }
            line(&mut rgb, margin, y, dot, &part, colour);
            y += pitch;
        }
        y += pitch / 2;
    }
    rgb
}

/// `since 2026-01-31 23:59:58 UTC, for 12 s`.
fn times(since_us: u64, now_us: u64) -> String {
    let since = date_time(since_us / 1_000);
    let to_the_second = since.split('.').next().unwrap_or(&since);
    format!("since {to_the_second} UTC, for {} s", now_us.saturating_sub(since_us) / 1_000_000)
}

fn line(rgb: &mut Rgb, left: u64, top: u64, dot: u64, text: &str, colour: [u8; 3]) {
    font::draw(text, |column, row, run| {
        let (x, y) = (left + column * dot, top + row * dot);
        fill(rgb, x..x + run * dot, y..y + dot, colour);
    });
}

/// Cut into lines of at most `columns` characters, between words where that can be.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > columns {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > columns {
            let rest = word.split_off(columns);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        length += word.len();
        line.extend(word);
    }
    if length > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright(rgb: &Rgb) -> usize {
        rgb.data.chunks_exact(3).filter(|pixel| *pixel != DARK).count()
    }

    #[test]
    fn a_slate_of_any_size_and_reason_is_drawn_within_its_picture() {
        let words = ["", "unplugged", "设备不在", &"no end ".repeat(400), &"x".repeat(1_000)];
        for (width, height) in
            [(1, 1), (16, 16), (80, 60), (160, 120), (640, 480), (1920, 1080), (7680, 16), (16, 7680)]
        {
            for reason in words {
                let rgb = slate(width, height, reason, 5, u64::MAX);
                assert_eq!((rgb.width, rgb.height), (width, height));
                assert!(rgb.check().is_ok());
            }
        }
    }

    #[test]
    fn the_reason_and_the_time_can_be_seen() {
        let now = 1_767_225_600_000_000;
        for (width, height) in [(160, 120), (320, 240), (1280, 720)] {
            let first = slate(width, height, "the cable is out", now, now);
            assert!(bright(&first) > 200, "{width}x{height}: {} pixels", bright(&first));
            assert_ne!(first, slate(width, height, "the camera is busy", now, now), "another reason");
            assert_ne!(first, slate(width, height, "the cable is out", now, now + 2_000_000), "another time");
        }
        // Every printable character has dots of its own.
        let glyphs: std::collections::BTreeSet<Vec<u8>> =
            (' '..='~').map(|c| slate(160, 120, &c.to_string().repeat(4), now, now).data).collect();
        assert_eq!(glyphs.len(), 95);
    }

    #[test]
    fn lines_are_cut_between_words() {
        assert_eq!(wrapped("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(
            wrapped("  /dev/video-with-a-long-name is busy", 10),
            ["/dev/video", "-with-a-lo", "ng-name is", "busy"]
        );
        assert!(wrapped(" ", 10).is_empty());
    }
}
