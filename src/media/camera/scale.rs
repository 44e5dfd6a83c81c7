//! Scaling by area averages (down) and linear interpolation (up), in fixed point.

use crate::media::jpeg::{self, JpegError, Rgb, Yuv};

/// Bits of the fixed-point weights; the weights of one output pixel add up to `1 << WEIGHT_BITS`.
const WEIGHT_BITS: u32 = 12;

/// The input pixels that one output pixel is made of.
struct Span {
    first: usize,
    weights: Vec<u32>,
}

/// Scales to `width` x `height` (at least 1 each), each side on its own: the aspect is the
/// caller's affair. Every input pixel counts when scaling down, so thin lines do not vanish.
pub fn scale(rgb: &Rgb, width: u32, height: u32) -> Rgb {
    let mut out = Rgb::filled(width, height, [0, 0, 0]);
    if rgb.check().is_err() {
        return out;
    }
    if (out.width, out.height) == (rgb.width, rgb.height) {
        return rgb.clone();
    }
    let sides = |rgb: &Rgb| (rgb.width as usize, rgb.height as usize);
    let to = sides(&out);
    resample::<3>(&rgb.data, sides(rgb), &mut out.data, to);
    out
}

/// [`scale`] for a picture in planes: each plane on its own.
///
/// # Errors
/// [`JpegError::Size`] and [`JpegError::Pixels`], as for [`Yuv::new`].
pub fn scale_yuv(yuv: &Yuv, width: u32, height: u32) -> Result<Yuv, JpegError> {
    let mut out = Yuv { width, height, data: vec![0; jpeg::yuv_bytes(width, height)?] };
    let mut rest = out.data.as_mut_slice();
    let chroma = (width.div_ceil(2) as usize, height.div_ceil(2) as usize);
    let sides = [(width as usize, height as usize), chroma, chroma];
    for (plane, to) in yuv.planes()?.into_iter().zip(sides) {
        let (data, behind) = rest.split_at_mut(to.0 * to.1);
        resample::<1>(plane.data, (plane.width, plane.height), data, to);
        rest = behind;
    }
    Ok(out)
}

/// Scales samples of `N` channels. The slices have the lengths that the sides ask for, and no side is 0.
fn resample<const N: usize>(from: &[u8], (width, height): (usize, usize), out: &mut [u8], to: (usize, usize)) {
    if (to.0 * 2, to.1 * 2) == (width, height) {
        return halve::<N>(from, width, out);
    }
    let columns = spans(width, to.0);
    let rows = spans(height, to.1);
    let stride = width * N;
    let mut sums = vec![0u32; stride];
    for (row, line) in rows.iter().zip(out.chunks_exact_mut(to.0 * N)) {
        sums.fill(0);
        let inputs = from[row.first * stride..].chunks_exact(stride);
        for (&weight, input) in row.weights.iter().zip(inputs) {
            for (sum, &sample) in sums.iter_mut().zip(input) {
                *sum += weight * u32::from(sample);
            }
        }
        across::<N>(&columns, &sums, line);
    }
}

/// Makes one output row of the weighted column sums.
fn across<const N: usize>(columns: &[Span], sums: &[u32], line: &mut [u8]) {
    // A sum is at most 255 << WEIGHT_BITS; 4 bits are dropped so that the product fits 32 bits.
    const DROP: u32 = 4;
    const SHIFT: u32 = 2 * WEIGHT_BITS - DROP;
    const HALF: u32 = 1 << (SHIFT - 1);
    for (column, pixel) in columns.iter().zip(line.chunks_exact_mut(N)) {
        let mut total = [HALF; N];
        let inputs = sums[column.first * N..].chunks_exact(N);
        for (&weight, input) in column.weights.iter().zip(inputs) {
            for (sum, &sample) in total.iter_mut().zip(input) {
                *sum += weight * (sample >> DROP);
            }
        }
        for (sample, sum) in pixel.iter_mut().zip(total) {
            *sample = (sum >> SHIFT).min(255) as u8;
        }
    }
}

/// Half the size: the mean of each 2 x 2 block, rounded. Rows are added first, which the compiler
/// turns into vector code whatever the pixels are.
fn halve<const N: usize>(from: &[u8], width: usize, out: &mut [u8]) {
    let stride = width * N;
    let mut sums = vec![0u16; stride];
    for (pair, line) in from.chunks_exact(stride * 2).zip(out.chunks_exact_mut(width / 2 * N)) {
        let (upper, lower) = pair.split_at(stride);
        for ((sum, &up), &low) in sums.iter_mut().zip(upper).zip(lower) {
            *sum = u16::from(up) + u16::from(low) + 1;
        }
        for (block, pixel) in sums.chunks_exact(2 * N).zip(line.chunks_exact_mut(N)) {
            for (channel, sample) in pixel.iter_mut().enumerate() {
                *sample = ((block[channel] + block[channel + N]) / 4) as u8;
            }
        }
    }
}

/// Which inputs each of `outputs` takes from a side of `inputs`, and how much of each.
fn spans(inputs: usize, outputs: usize) -> Vec<Span> {
    let ratio = inputs as f64 / outputs as f64;
    (0..outputs)
        .map(|output| {
            if ratio > 1.0 {
                let from = output as f64 * ratio;
                covered(from, from + ratio, inputs)
            } else {
                between((output as f64 + 0.5) * ratio - 0.5, inputs)
            }
        })
        .collect()
}

/// The inputs within `from..to`, the outer ones by the part that lies inside.
fn covered(from: f64, to: f64, inputs: usize) -> Span {
    let first = (from as usize).min(inputs - 1);
    let end = (to.ceil() as usize).clamp(first + 1, inputs);
    let parts: Vec<f64> =
        (first..end).map(|input| (to.min((input + 1) as f64) - from.max(input as f64)).max(0.0)).collect();
    Span { first, weights: fixed(&parts) }
}

/// The two inputs around the position `at`.
fn between(at: f64, inputs: usize) -> Span {
    let at = at.clamp(0.0, (inputs - 1) as f64);
    let first = at as usize;
    let part = at - first as f64;
    if first + 1 >= inputs {
        return Span { first, weights: fixed(&[1.0]) };
    }
    Span { first, weights: fixed(&[1.0 - part, part]) }
}

/// Fixed-point weights in proportion to `parts` that add up exactly.
fn fixed(parts: &[f64]) -> Vec<u32> {
    let total: f64 = parts.iter().sum();
    let one = f64::from(1u32 << WEIGHT_BITS);
    let mut done = 0u32;
    let mut so_far = 0.0;
    parts
        .iter()
        .map(|part| {
            so_far += part;
            let upto = (so_far / total * one).round() as u32;
            let weight = upto - done;
            done = upto;
            weight
        })
        .collect()
}
