//! The window's icon: a bubble with a keyhole, drawn here so that it has any size without a file.

use egui::IconData;

/// Pixels of a side.
const SIDE: u32 = 64;
/// Points of a pixel's side at which the shapes are looked at, for smooth edges.
const PARTS: u32 = 4;
const GROUND: [f32; 3] = [31.0, 122.0, 92.0];
const BUBBLE: [f32; 3] = [250.0, 250.0, 248.0];

/// How far a point is outside of a box with round corners; negative within.
fn from_box((x, y): (f32, f32), (left, top, right, bottom): (f32, f32, f32, f32), round: f32) -> f32 {
    let beyond = |at: f32, from: f32, to: f32| (from + round - at).max(at - to + round);
    let (across, down) = (beyond(x, left, right), beyond(y, top, bottom));
    across.max(0.0).hypot(down.max(0.0)) + across.max(down).min(0.0) - round
}

/// The colour at a point of the 64 × 64; `None` outside.
fn at(x: f32, y: f32) -> Option<[f32; 3]> {
    if from_box((x, y), (2.0, 2.0, 62.0, 62.0), 15.0) > 0.0 {
        return None;
    }
    let keyhole =
        (x - 32.0).hypot(y - 26.0) < 5.0 || ((27.0..38.0).contains(&y) && (x - 32.0).abs() < 1.6 + (y - 27.0) * 0.22);
    let tail = x > 20.0 && y > 40.0 && (x - 20.0) + (y - 40.0) < 13.0;
    let bubble = tail || from_box((x, y), (11.0, 13.0, 53.0, 43.0), 10.0) <= 0.0;
    Some(if bubble && !keyhole { BUBBLE } else { GROUND })
}

/// The icon.
pub(super) fn icon() -> IconData {
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for place in 0..SIDE * SIDE {
        let (left, top) = (place % SIDE, place / SIDE);
        let (mut sum, mut inside) = ([0.0; 3], 0.0);
        for part in 0..PARTS * PARTS {
            let within = |n: u32| (n as f32 + 0.5) / PARTS as f32;
            if let Some(colour) = at(left as f32 + within(part % PARTS), top as f32 + within(part / PARTS)) {
                inside += 1.0;
                sum.iter_mut().zip(colour).for_each(|(sum, part)| *sum += part);
            }
        }
        rgba.extend(sum.map(|sum| (sum / f32::max(inside, 1.0)) as u8));
        rgba.push((inside * 255.0 / (PARTS * PARTS) as f32) as u8);
    }
    IconData { rgba, width: SIDE, height: SIDE }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_has_a_bubble_with_a_keyhole_and_no_corners() {
        let icon = icon();
        let pixel = |x: u32, y: u32| {
            let from = ((y * SIDE + x) * 4) as usize;
            <[u8; 4]>::try_from(&icon.rgba[from..from + 4]).unwrap()
        };
        assert_eq!(pixel(0, 0)[3], 0);
        assert_eq!(pixel(32, 26), [31, 122, 92, 255]);
        assert_eq!(pixel(18, 20), [250, 250, 248, 255]);
        assert_eq!(pixel(23, 46), [250, 250, 248, 255], "the tail");
        assert_eq!(pixel(5, 32), [31, 122, 92, 255]);
    }
}
