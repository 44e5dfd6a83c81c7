//! Brings pictures to the size of the source, with their aspect kept.

use super::{SIDE_MAX, SIDE_MIN, scale};
use crate::media::jpeg::Rgb;

/// Colour of the bars beside a picture of another aspect.
const BAR: [u8; 3] = [0, 0, 0];

/// The largest size within `width` x `height` that has the aspect of `from`.
pub(super) fn inner_size(from: (u32, u32), width: u32, height: u32) -> (u32, u32) {
    let (from_width, from_height) = (u64::from(from.0.max(1)), u64::from(from.1.max(1)));
    let (width, height) = (u64::from(width), u64::from(height));
    let rounded = |value: u64, by: u64| (value + by / 2) / by;
    let (inner_width, inner_height) = if from_width * height >= from_height * width {
        (width, rounded(from_height * width, from_width).clamp(1, height))
    } else {
        (rounded(from_width * height, from_height).clamp(1, width), height)
    };
    (inner_width as u32, inner_height as u32)
}

/// Scales `rgb` into `width` x `height` with black bars where the aspects differ.
pub(super) fn letterbox(rgb: &Rgb, width: u32, height: u32) -> Rgb {
    let (inner_width, inner_height) = inner_size((rgb.width, rgb.height), width, height);
    let inner = scale(rgb, inner_width, inner_height);
    if (inner_width, inner_height) == (width, height) {
        return inner;
    }
    let mut out = Rgb::filled(width, height, BAR);
    let left = ((width - inner_width) / 2) as usize * 3;
    let top = ((height - inner_height) / 2) as usize;
    let stride = width as usize * 3;
    let inner_stride = inner_width as usize * 3;
    let lines = out.data.chunks_exact_mut(stride).skip(top);
    for (line, row) in lines.zip(inner.data.chunks_exact(inner_stride)) {
        line[left..left + inner_stride].copy_from_slice(row);
    }
    out
}

/// The size that a source takes from its first picture when none is asked for: the picture's own,
/// brought within the bounds of a camera picture.
pub(super) fn own_size(width: u32, height: u32) -> (u32, u32) {
    let (width, height) = if width > SIDE_MAX || height > SIDE_MAX {
        inner_size((width, height), SIDE_MAX, SIDE_MAX)
    } else {
        (width, height)
    };
    (width.max(SIDE_MIN), height.max(SIDE_MIN))
}
