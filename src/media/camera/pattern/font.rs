//! A tiny font of 5 x 7 dots: what the clock and the frame number need.

/// Dots of a glyph's height.
pub(super) const HEIGHT: u64 = 7;
/// Dots from one glyph to the next.
const ADVANCE: u64 = 6;
/// Dots of a glyph's width.
const WIDTH: u64 = 5;

/// One glyph: a row is five bits, the left dot the highest.
fn glyph(character: char) -> [u8; 7] {
    match character {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        '-' => [0, 0, 0, 0b01110, 0, 0, 0],
        ':' => [0, 0b00100, 0b00100, 0, 0b00100, 0b00100, 0],
        '.' => [0, 0, 0, 0, 0, 0b00110, 0b00110],
        _ => [0; 7],
    }
}

/// Width of `text` in dots.
pub(super) fn width(text: &str) -> u64 {
    text.chars().count() as u64 * ADVANCE
}

/// Calls `dots(column, row, run)` for every horizontal run of dots of `text`.
pub(super) fn draw(text: &str, mut dots: impl FnMut(u64, u64, u64)) {
    for (number, character) in (0u64..).zip(text.chars()) {
        for (row, bits) in (0u64..).zip(glyph(character)) {
            let mut column = 0;
            while column < WIDTH {
                let rest = bits << (8 - WIDTH + column);
                let run = u64::from(rest.leading_ones());
                if run > 0 {
                    dots(number * ADVANCE + column, row, run);
                }
                column += run.max(1);
            }
        }
    }
}
