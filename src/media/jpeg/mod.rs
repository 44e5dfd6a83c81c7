//! JPEG by libjpeg-turbo (ITU-T T.81), always 4:2:0 when encoding.
//!
//! A warning of libjpeg counts as an error: it means that the decoder made up pixels (grey where
//! data ended early), and a camera frame that is partly invented is worse than one frame less.

mod cutter;
mod live;
mod tables;
mod yuv;

pub use cutter::{Cutter, FRAME_BYTES_MAX, SEGMENTS_MAX};
pub use live::{LiveDecoder, RGBA_BYTES};
pub use tables::with_huffman_tables;
pub use turbojpeg::TransformOp as Transformation;
pub(crate) use yuv::bytes as yuv_bytes;
pub use yuv::{Plane, Yuv, encode_yuv};

use turbojpeg::{Compressor, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp, Transform, Transformer};

/// Most pixels of a picture that is decoded (64 megapixels).
pub const PIXELS_MAX: u64 = 64 * 1_000_000;
/// Largest width or height that libjpeg-turbo encodes.
pub const SIDE_MAX: u32 = 65_500;
/// Most scans of a progressive JPEG; an ordinary one has about ten, a hostile one thousands.
pub const SCANS_MAX: u32 = 64;

/// Bytes of one pixel in [`Rgb`].
const CHANNELS: usize = 3;

/// An 8-bit RGB picture: rows from the top, no padding, 3 bytes a pixel.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb({}x{}, {} bytes)", self.width, self.height, self.data.len())
    }
}

impl Rgb {
    /// Takes over `data`.
    ///
    /// # Errors
    /// [`JpegError::Size`] for an empty picture or more than [`PIXELS_MAX`],
    /// [`JpegError::Pixels`] when the length does not fit.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Rgb, JpegError> {
        let rgb = Rgb { width, height, data };
        rgb.check()?;
        Ok(rgb)
    }

    /// A picture of one colour. Sides of 0 become 1, and sides are cut to stay within [`PIXELS_MAX`].
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Rgb {
        let width = width.clamp(1, SIDE_MAX);
        let rows_max = (PIXELS_MAX / u64::from(width)) as u32;
        let height = height.clamp(1, rows_max.min(SIDE_MAX));
        let data = colour.repeat(width as usize * height as usize);
        Rgb { width, height, data }
    }

    /// Whether sizes and data agree; the fields are public, so every user asks once.
    pub(crate) fn check(&self) -> Result<(), JpegError> {
        let wanted = area(self.width, self.height)? * CHANNELS;
        if self.data.len() != wanted {
            return Err(JpegError::Pixels { width: self.width, height: self.height, wanted, got: self.data.len() });
        }
        Ok(())
    }
}

/// What the header of a JPEG says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Why a JPEG could not be read or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The bytes do not begin like a JPEG.
    #[error("not a JPEG: {len} bytes that do not begin with FF D8 FF")]
    NotJpeg {
        /// Bytes given.
        len: usize,
    },
    /// libjpeg failed or warned; what it says follows.
    #[error("damaged JPEG of {len} bytes: {reason}")]
    Damaged {
        /// Bytes given.
        len: usize,
        /// libjpeg's own words.
        reason: String,
    },
    /// No pixels, or too many.
    #[error("picture of {width}x{height} pixels: each side must be 1 to {SIDE_MAX}, the area at most {PIXELS_MAX}")]
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The buffer does not fit the size that it is said to have.
    #[error("picture of {width}x{height} pixels needs {wanted} bytes, got {got}")]
    Pixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes that the size asks for.
        wanted: usize,
        /// Bytes given.
        got: usize,
    },
    /// A quality outside 1 to 100.
    #[error("JPEG quality {quality}: must be 1 to 100")]
    Quality {
        /// The quality asked for.
        quality: u8,
    },
    /// libjpeg refused to encode.
    #[error("cannot encode a JPEG: {reason}")]
    Encode {
        /// libjpeg's own words.
        reason: String,
    },
}

impl JpegError {
    /// The mend, where there is one that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        match self {
            JpegError::NotJpeg { .. } => Some("check that the file or stream really is JPEG".into()),
            JpegError::Damaged { .. } => {
                Some("the picture was cut short or changed on its way; take or copy it again".into())
            }
            JpegError::Size { .. } => Some("scale the picture down first".into()),
            JpegError::Quality { .. } => Some("75 to 90 is usual; 85 is the default".into()),
            JpegError::Pixels { .. } | JpegError::Encode { .. } => None,
        }
    }
}

/// Pixels of a size that is allowed.
fn area(width: u32, height: u32) -> Result<usize, JpegError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > PIXELS_MAX || width > SIDE_MAX || height > SIDE_MAX {
        return Err(JpegError::Size { width, height });
    }
    Ok(pixels as usize)
}

/// Reads the header alone.
///
/// # Errors
/// [`JpegError::NotJpeg`], [`JpegError::Damaged`], [`JpegError::Size`].
pub fn info(jpeg: &[u8]) -> Result<Info, JpegError> {
    open(jpeg).map(|(_, info)| info)
}

/// Encodes with 4:2:0 chroma at `quality` (1 to 100).
///
/// # Errors
/// [`JpegError::Quality`], [`JpegError::Size`], [`JpegError::Pixels`], [`JpegError::Encode`].
pub fn encode(rgb: &Rgb, quality: u8) -> Result<Vec<u8>, JpegError> {
    check_quality(quality)?;
    rgb.check()?;
    let mut compressor = Compressor::new().map_err(refused)?;
    compressor.set_quality(i32::from(quality)).map_err(refused)?;
    compressor.set_subsamp(Subsamp::Sub2x2).map_err(refused)?;
    compressor
        .compress_to_vec(Image {
            pixels: rgb.data.as_slice(),
            width: rgb.width as usize,
            pitch: rgb.width as usize * CHANNELS,
            height: rgb.height as usize,
            format: PixelFormat::RGB,
        })
        .map_err(refused)
}

fn check_quality(quality: u8) -> Result<(), JpegError> {
    if (1..=100).contains(&quality) { Ok(()) } else { Err(JpegError::Quality { quality }) }
}

fn refused(error: turbojpeg::Error) -> JpegError {
    JpegError::Encode { reason: error.to_string() }
}

/// Decodes the whole picture; bounded by [`PIXELS_MAX`] and [`SCANS_MAX`].
///
/// # Errors
/// [`JpegError::NotJpeg`], [`JpegError::Damaged`] (also for what libjpeg would only warn of: a
/// truncated or corrupt scan), [`JpegError::Size`].
pub fn decode(jpeg: &[u8]) -> Result<Rgb, JpegError> {
    decode_scaled(jpeg, |_| ScalingFactor::ONE)
}

/// Decodes at the smallest of 1, 1/2, 1/4 and 1/8 of the size that still covers `width` x `height`;
/// libjpeg does that for a fraction of the cost. The caller scales the rest of the way.
///
/// # Errors
/// As [`decode`].
pub fn decode_covering(jpeg: &[u8], width: u32, height: u32) -> Result<Rgb, JpegError> {
    decode_scaled(jpeg, |info| {
        let covers = |factor: &ScalingFactor| {
            factor.scale(info.width as usize) >= width as usize && factor.scale(info.height as usize) >= height as usize
        };
        [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF]
            .into_iter()
            .find(covers)
            .unwrap_or(ScalingFactor::ONE)
    })
}

/// Whether the whole picture decodes, without making all its pixels: the entropy-coded data is
/// read in full, the pixels are made at an eighth.
///
/// # Errors
/// As [`decode`].
pub fn verify(jpeg: &[u8]) -> Result<Info, JpegError> {
    let (_, info) = open(jpeg)?;
    decode_scaled(jpeg, |_| ScalingFactor::ONE_EIGHTH)?;
    Ok(info)
}

/// Turns or mirrors without loss: the coefficients are moved, nothing is decoded. `None` where a block would be cut
/// by the edge of the picture, so that it cannot be done in full.
///
/// # Errors
/// As [`decode`].
pub fn transform(jpeg: &[u8], how: Transformation) -> Result<Option<Vec<u8>>, JpegError> {
    let (_, info) = open(jpeg)?;
    let fail = |error| damaged(jpeg, error);
    let mut exact = Transform::op(how);
    exact.perfect = true;
    match Transformer::new().map_err(fail)?.transform_to_vec(&exact, jpeg) {
        Ok(turned) => Ok(Some(turned)),
        // libjpeg-turbo tells the reason in words alone. No picture has blocks of more than 32 pixels, so one with
        // sides in whole 32s was refused for another reason.
        Err(error) if info.width.is_multiple_of(32) && info.height.is_multiple_of(32) => Err(damaged(jpeg, error)),
        Err(_) => Ok(None),
    }
}

/// A decompressor that has read the header of `jpeg`, and what it read.
fn open(jpeg: &[u8]) -> Result<(Decompressor, Info), JpegError> {
    if !jpeg.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err(JpegError::NotJpeg { len: jpeg.len() });
    }
    let fail = |error| damaged(jpeg, error);
    let mut decompressor = Decompressor::new().map_err(fail)?;
    decompressor.set_scan_limit(SCANS_MAX).map_err(fail)?;
    let header = decompressor.read_header(jpeg).map_err(fail)?;
    let side = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let info = Info { width: side(header.width), height: side(header.height) };
    area(info.width, info.height)?;
    Ok((decompressor, info))
}

fn decode_scaled(jpeg: &[u8], factor: impl FnOnce(&Info) -> ScalingFactor) -> Result<Rgb, JpegError> {
    let (mut decompressor, info) = open(jpeg)?;
    let factor = factor(&info);
    let fail = |error| damaged(jpeg, error);
    decompressor.set_scaling_factor(factor).map_err(fail)?;
    let width = factor.scale(info.width as usize);
    let height = factor.scale(info.height as usize);
    let mut data = vec![0; width * height * CHANNELS];
    let output =
        Image { pixels: data.as_mut_slice(), width, pitch: width * CHANNELS, height, format: PixelFormat::RGB };
    decompressor.decompress(jpeg, output).map_err(fail)?;
    Rgb::new(width as u32, height as u32, data)
}

fn damaged(jpeg: &[u8], error: turbojpeg::Error) -> JpegError {
    let reason = match error {
        turbojpeg::Error::TurboJpegError(reason) => reason,
        other => other.to_string(),
    };
    JpegError::Damaged { len: jpeg.len(), reason }
}
