//! Pictures as cameras give them: brightness and colour in planes of their own, so that nothing is converted to RGB
//! and back on the way to a JPEG.

use turbojpeg::{Compressor, Subsamp, YuvImage};

use super::{JpegError, area, check_quality, refused};

/// An 8-bit picture in planes, 4:2:0, full range, matrix of BT.601 (what JFIF 1.02 asks for).
///
/// Y comes first, `width * height` bytes; then U, then V, each with one sample for a block of 2 x 2 pixels (sides
/// rounded up). Rows start at the top and have no padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Yuv {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The three planes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Yuv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Yuv({}x{}, {} bytes)", self.width, self.height, self.data.len())
    }
}

/// Sides and samples of one plane.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Samples in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` samples.
    pub data: &'a [u8],
}

/// Sides of a colour plane.
pub(crate) fn chroma_sides(width: u32, height: u32) -> (usize, usize) {
    (width.div_ceil(2) as usize, height.div_ceil(2) as usize)
}

impl Yuv {
    /// Takes over `data`.
    ///
    /// # Errors
    /// [`JpegError::Size`] for an empty picture or more than [`super::PIXELS_MAX`], [`JpegError::Pixels`] when the
    /// length does not fit.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Yuv, JpegError> {
        let yuv = Yuv { width, height, data };
        yuv.check()?;
        Ok(yuv)
    }

    /// Whether sizes and data agree; the fields are public, so every user asks once.
    pub(crate) fn check(&self) -> Result<(), JpegError> {
        let wanted = bytes(self.width, self.height)?;
        if self.data.len() != wanted {
            return Err(JpegError::Pixels { width: self.width, height: self.height, wanted, got: self.data.len() });
        }
        Ok(())
    }

    /// The planes Y, U, V.
    ///
    /// # Errors
    /// As [`Yuv::new`].
    pub fn planes(&self) -> Result<[Plane<'_>; 3], JpegError> {
        self.check()?;
        let (width, height) = (self.width as usize, self.height as usize);
        let (chroma_width, chroma_height) = chroma_sides(self.width, self.height);
        let (luma, chroma) = self.data.split_at(width * height);
        let (u, v) = chroma.split_at(chroma_width * chroma_height);
        let chroma = |data| Plane { width: chroma_width, height: chroma_height, data };
        Ok([Plane { width, height, data: luma }, chroma(u), chroma(v)])
    }
}

/// Bytes of the planes together.
pub(crate) fn bytes(width: u32, height: u32) -> Result<usize, JpegError> {
    let (chroma_width, chroma_height) = chroma_sides(width, height);
    Ok(area(width, height)? + 2 * chroma_width * chroma_height)
}

/// Encodes as it is, 4:2:0, at `quality` (1 to 100).
///
/// # Errors
/// [`JpegError::Quality`], [`JpegError::Size`], [`JpegError::Pixels`], [`JpegError::Encode`].
pub fn encode_yuv(yuv: &Yuv, quality: u8) -> Result<Vec<u8>, JpegError> {
    check_quality(quality)?;
    let planes = yuv.planes()?;
    // libjpeg-turbo wants the brightness of whole blocks of 2 x 2.
    let padded;
    let pixels = if yuv.width.is_multiple_of(2) && yuv.height.is_multiple_of(2) {
        yuv.data.as_slice()
    } else {
        padded = pad(&planes);
        padded.as_slice()
    };
    let mut compressor = Compressor::new().map_err(refused)?;
    compressor.set_quality(i32::from(quality)).map_err(refused)?;
    let (width, height) = (yuv.width as usize, yuv.height as usize);
    let image = YuvImage { pixels, width, align: 1, height, subsamp: Subsamp::Sub2x2 };
    compressor.compress_yuv_to_vec(image).map_err(refused)
}

/// The same planes, the brightness with its last column and row repeated where their number is odd.
fn pad([luma, u, v]: &[Plane<'_>; 3]) -> Vec<u8> {
    let width = luma.width.next_multiple_of(2);
    let mut data = Vec::with_capacity(width * luma.height.next_multiple_of(2) + 2 * u.data.len());
    for row in luma.data.chunks_exact(luma.width) {
        data.extend_from_slice(row);
        data.extend_from_slice(if width > luma.width { &row[luma.width - 1..] } else { &[] });
    }
    if !luma.height.is_multiple_of(2) {
        data.extend_from_within(data.len() - width..);
    }
    data.extend_from_slice(u.data);
    data.extend_from_slice(v.data);
    data
}
