//! Hidden bytes in a picture: least-significant-bit matching along a keyed path. Pure: no key, no
//! cipher and no picture format of its own.
//!
//! How it hides:
//! - The pixels are coloured like a checkerboard. Only odd pixels (`(x + y) % 2 == 1`) may change;
//!   whether a sample of an odd pixel is *usable* is judged from its four neighbours, which are
//!   even and never change. So the receiver finds the same set ([`capacity_bytes`]).
//! - Usable means textured and unclipped: there, changes of one level are within the noise of the
//!   camera. A flat or overexposed picture has little capacity, and is told so.
//! - A sample that does not carry the wanted bit yet goes up or down by one, by the toss of a coin
//!   from the key stream. Replacing the lowest bit instead would only ever go up from even and down
//!   from odd values, which is what steganalysis looks for (J. Mielikainen, "LSB matching
//!   revisited", 2006, explains both).
//! - A picture without colour (all even pixels have equal red, green and blue) stays so: the three
//!   samples of a pixel change together and count as one.
//!
//! What is placed must look random, or it shows: the caller seals it first.

mod mask;
mod path;

pub use mask::{CLIP_MARGIN, TEXTURE_MIN};
pub use path::PathKey;

use mask::Mask;
use path::Path;

/// Most pixels of a picture that is worked on (64 megapixels).
pub const PIXELS_MAX: u64 = 64 * 1_000_000;
/// One usable sample in this many carries a bit at most. Half of those change.
pub const SAMPLES_PER_BIT: usize = 2;

/// A picture to hide in or to read from: 8-bit samples, rows from the top, no padding.
pub struct Canvas<'a> {
    width: u32,
    height: u32,
    channels: u8,
    data: &'a mut [u8],
}

impl std::fmt::Debug for Canvas<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canvas({}x{}, {} channels)", self.width, self.height, self.channels)
    }
}

impl<'a> Canvas<'a> {
    /// Borrows the samples of a picture of `channels` 3 (RGB) or 4 (RGBA; alpha is never touched).
    ///
    /// # Errors
    /// [`CanvasError`] when size, channels and length do not fit together.
    pub fn new(width: u32, height: u32, channels: u8, data: &'a mut [u8]) -> Result<Canvas<'a>, CanvasError> {
        if !matches!(channels, 3 | 4) {
            return Err(CanvasError::Channels { channels });
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > PIXELS_MAX {
            return Err(CanvasError::Size { width, height });
        }
        let wanted = pixels * u64::from(channels);
        if wanted != data.len() as u64 {
            return Err(CanvasError::Length { wanted, got: data.len() });
        }
        Ok(Canvas { width, height, channels, data })
    }

    /// Bytes of a row.
    fn stride(&self) -> usize {
        self.width as usize * usize::from(self.channels)
    }
}

/// Why a picture cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanvasError {
    /// Neither RGB nor RGBA.
    #[error("picture of {channels} channels: must be 3 or 4")]
    Channels {
        /// Channels given.
        channels: u8,
    },
    /// No pixels, or too many.
    #[error("picture of {width}x{height} pixels: must have 1 to {PIXELS_MAX}")]
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The buffer does not fit the size.
    #[error("picture needs {wanted} bytes, got {got}")]
    Length {
        /// Bytes that the size asks for.
        wanted: u64,
        /// Bytes given.
        got: usize,
    },
}

/// More bytes than the picture can hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes do not fit: this picture can hide {capacity}")]
pub struct TooLong {
    /// Bytes that fit.
    pub capacity: usize,
    /// Bytes that were given, with those placed before.
    pub wanted: usize,
}

impl TooLong {
    /// The mend.
    pub fn hint(&self) -> Option<String> {
        Some("use a larger picture, or one with more detail and less plain sky or wall".into())
    }
}

/// Bytes that [`embed`] can place in this picture; the same before and after embedding.
pub fn capacity_bytes(canvas: &Canvas<'_>) -> usize {
    capacity_of(&Mask::of(canvas))
}

fn capacity_of(mask: &Mask) -> usize {
    mask.usable() / SAMPLES_PER_BIT / 8
}

/// Places `payload` along the path that `key` gives. Nothing changes when it does not fit.
///
/// # Errors
/// [`TooLong`] with the capacity.
pub fn embed<K: PathKey>(canvas: &mut Canvas<'_>, key: &mut K, payload: &[u8]) -> Result<(), TooLong> {
    embedder(canvas, key).write(payload)
}

/// Begins to place bytes along the path that `key` gives, piece after piece.
pub fn embedder<'c, 'a, K: PathKey>(canvas: &'c mut Canvas<'a>, key: K) -> Embedder<'c, 'a, K> {
    let mask = Mask::of(canvas);
    let path = Path::new(mask.usable(), key);
    Embedder { capacity: capacity_of(&mask), placed: 0, mask, path, canvas }
}

/// Places bytes one after the other along one path.
pub struct Embedder<'c, 'a, K> {
    canvas: &'c mut Canvas<'a>,
    mask: Mask,
    path: Path<K>,
    capacity: usize,
    placed: usize,
}

impl<K: PathKey> Embedder<'_, '_, K> {
    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.capacity - self.placed
    }

    /// Places all of `bytes` after what was placed before, or nothing.
    ///
    /// # Errors
    /// [`TooLong`] with the capacity of the picture.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if bytes.len() > self.remaining() {
            return Err(TooLong { capacity: self.capacity, wanted: self.placed.saturating_add(bytes.len()) });
        }
        for byte in bytes {
            for shift in (0..8).rev() {
                self.place(byte >> shift & 1);
            }
        }
        self.placed += bytes.len();
        Ok(())
    }

    fn place(&mut self, bit: u8) {
        let step = self.path.step();
        let at = self.mask.sample(step.rank);
        let sample = self.canvas.data[at];
        if sample & 1 == bit {
            return;
        }
        // Inward at the ends of the scale, so that nothing wraps.
        let delta: i8 = match sample {
            0 => 1,
            255 => -1,
            _ if step.up => 1,
            _ => -1,
        };
        for sample in &mut self.canvas.data[at..at + self.mask.samples_together()] {
            *sample = sample.saturating_add_signed(delta);
        }
    }
}

/// Begins to read along the path that `key` gives. With another key, or where nothing was placed,
/// it reads noise: only the caller can tell, by a seal.
pub fn extractor<'c, K: PathKey>(canvas: &'c Canvas<'_>, key: K) -> Extractor<'c, K> {
    let mask = Mask::of(canvas);
    let path = Path::new(mask.usable(), key);
    Extractor { capacity: capacity_of(&mask), taken: 0, mask, path, data: canvas.data }
}

/// Reads bytes one after the other along one path.
pub struct Extractor<'c, K> {
    data: &'c [u8],
    mask: Mask,
    path: Path<K>,
    capacity: usize,
    taken: usize,
}

impl<K: PathKey> Extractor<'_, K> {
    /// Bytes that can still be read.
    pub fn remaining(&self) -> usize {
        self.capacity - self.taken
    }

    /// The next `count` bytes; `None`, and nothing read, when there are not so many.
    pub fn read(&mut self, count: usize) -> Option<Vec<u8>> {
        if count > self.remaining() {
            return None;
        }
        self.taken += count;
        Some((0..count).map(|_| self.byte()).collect())
    }

    fn byte(&mut self) -> u8 {
        (0..8).fold(0, |byte, _| {
            let at = self.mask.sample(self.path.step().rank);
            byte << 1 | self.data[at] & 1
        })
    }
}

/// Feeds everything that embedding does not change to `sink`: width, height (32 bits each, high
/// byte first), channels (8 bits), then in rows the whole even pixels and the alpha of odd ones.
pub fn digest_invariant(canvas: &Canvas<'_>, sink: &mut dyn FnMut(&[u8])) {
    let mut head = [0; 9];
    head[..4].copy_from_slice(&canvas.width.to_be_bytes());
    head[4..8].copy_from_slice(&canvas.height.to_be_bytes());
    head[8] = canvas.channels;
    sink(&head);
    let mut kept = Vec::with_capacity(canvas.stride());
    for (y, row) in canvas.data.chunks_exact(canvas.stride()).enumerate() {
        kept.clear();
        for (x, pixel) in row.chunks_exact(usize::from(canvas.channels)).enumerate() {
            let from = if (x + y).is_multiple_of(2) { 0 } else { 3 };
            kept.extend_from_slice(&pixel[from..]);
        }
        sink(&kept);
    }
}
