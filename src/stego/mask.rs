//! Which samples may carry a bit.

use super::Canvas;

/// Least difference between the brightest and the darkest of the four neighbours of a usable
/// sample, in levels of 255.
///
/// Chosen by trial on 16 natural photographs: sample-pair and weighted-stego analysis estimate the
/// same for pictures filled to capacity as for clean ones. A photograph of much detail keeps two
/// thirds of its odd samples or more, a soft one about a third.
pub const TEXTURE_MIN: u8 = 4;
/// Neighbours of a usable sample keep this distance from 0 and from 255: next to clipped samples
/// a change by one stands out.
pub const CLIP_MARGIN: u8 = 3;

/// Words of 64 bits that share one running count.
const BLOCK_WORDS: usize = 8;

/// The usable samples of a picture as a bitmap with running counts: one bit for each sample of an
/// odd pixel, so 12 MiB for 64 megapixels.
pub(super) struct Mask {
    /// Odd pixels in a row, at most; the last is left out in rows that have one less.
    row_pixels: usize,
    /// Samples of a pixel that carry bits of their own: 3, or 1 in a picture without colour.
    own_samples: usize,
    stride: usize,
    channels: usize,
    words: Vec<u64>,
    /// Usable samples before each block of words.
    before: Vec<u32>,
    usable: usize,
}

impl Mask {
    /// Judges every odd pixel of `canvas` by its even neighbours.
    pub(super) fn of(canvas: &Canvas<'_>) -> Mask {
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let row_pixels = width.div_ceil(2);
        let own_samples = if colourless(canvas) { 1 } else { 3 };
        let bits = row_pixels * height * own_samples;
        let mut mask = Mask {
            row_pixels,
            own_samples,
            stride: canvas.stride(),
            channels: usize::from(canvas.channels),
            words: vec![0; bits.div_ceil(64)],
            before: Vec::new(),
            usable: 0,
        };
        for y in 1..height.saturating_sub(1) {
            mask.judge_row(canvas.data, y, width);
        }
        mask.count();
        mask
    }

    /// Marks the usable samples of the odd pixels of row `y`. Pixels at the border lack a neighbour
    /// and are never used.
    fn judge_row(&mut self, data: &[u8], y: usize, width: usize) {
        let (stride, channels) = (self.stride, self.channels);
        let rows = &data[(y - 1) * stride..(y + 2) * stride];
        let (above, rest) = rows.split_at(stride);
        let (row, below) = rest.split_at(stride);
        let first = odd_column(y, 0);
        let start = if first == 0 { 2 } else { first };
        for x in (start..width.saturating_sub(1)).step_by(2) {
            let at = x * channels;
            if channels == 4 && row[at + 3] == 0 {
                // Colours of invisible pixels are often all alike; nobody looks, but programs do.
                continue;
            }
            let bit = (y * self.row_pixels + x / 2) * self.own_samples;
            for channel in 0..self.own_samples {
                let at = at + channel;
                let around = [above[at], below[at], row[at - channels], row[at + channels]];
                if textured(around) {
                    self.words[(bit + channel) / 64] |= 1 << ((bit + channel) % 64);
                }
            }
        }
    }

    fn count(&mut self) {
        let mut total = 0u32;
        for block in self.words.chunks(BLOCK_WORDS) {
            self.before.push(total);
            total += block.iter().map(|word| word.count_ones()).sum::<u32>();
        }
        self.usable = total as usize;
    }

    /// How many samples are usable.
    pub(super) fn usable(&self) -> usize {
        self.usable
    }

    /// How many samples from [`Mask::sample`] on change together.
    pub(super) fn samples_together(&self) -> usize {
        if self.own_samples == 1 { 3 } else { 1 }
    }

    /// Place in the picture's data of usable sample number `rank`, which is below `usable()`.
    pub(super) fn sample(&self, rank: u32) -> usize {
        let bit = self.select(rank);
        let (pixel, channel) = (bit / self.own_samples, bit % self.own_samples);
        let (y, half) = (pixel / self.row_pixels, pixel % self.row_pixels);
        y * self.stride + odd_column(y, half) * self.channels + channel
    }

    /// Index of the bit that has `rank` set bits before it.
    fn select(&self, rank: u32) -> usize {
        let block = self.before.partition_point(|&before| before <= rank) - 1;
        let mut left = rank - self.before[block];
        let mut index = block * BLOCK_WORDS;
        let mut word = self.words[index];
        while left >= word.count_ones() {
            left -= word.count_ones();
            index += 1;
            word = self.words[index];
        }
        for _ in 0..left {
            word &= word - 1;
        }
        index * 64 + word.trailing_zeros() as usize
    }
}

/// Column of odd pixel number `half` of row `y`.
fn odd_column(y: usize, half: usize) -> usize {
    2 * half + (y + 1) % 2
}

/// Whether a sample with these neighbours is usable.
fn textured(around: [u8; 4]) -> bool {
    let low = around[0].min(around[1]).min(around[2]).min(around[3]);
    let high = around[0].max(around[1]).max(around[2]).max(around[3]);
    high - low >= TEXTURE_MIN && low >= CLIP_MARGIN && high <= 255 - CLIP_MARGIN
}

/// Whether all even pixels are grey.
fn colourless(canvas: &Canvas<'_>) -> bool {
    canvas.data.chunks_exact(canvas.stride()).enumerate().all(|(y, row)| {
        let pixels = row.chunks_exact(usize::from(canvas.channels));
        pixels.skip(y % 2).step_by(2).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
    })
}
