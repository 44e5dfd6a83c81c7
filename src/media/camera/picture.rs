//! The picture of a frame, and how it becomes a JPEG.

use std::sync::Arc;

use bytes::Bytes;

use super::scale::{scale, scale_yuv};
use crate::media::jpeg::{self, JpegError, Rgb, Yuv};

/// The picture of one frame.
#[derive(Clone, Debug)]
pub enum Picture {
    /// A whole JPEG, to be sent as it is.
    Jpeg(Bytes),
    /// Pixels, to be encoded.
    Rgb(Arc<Rgb>),
    /// Planes as cameras give them, to be encoded.
    Yuv(Arc<Yuv>),
}

/// A picture that has been made a JPEG.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The JPEG.
    pub jpeg: Bytes,
}

impl Picture {
    /// The picture as a JPEG with each side divided by `part` (1, 2 or 4; rounded down, at least 1 pixel), at
    /// `quality` (1 to 100). A JPEG that is wanted whole stays as it is, whatever its quality.
    ///
    /// # Errors
    /// [`JpegError`], for a JPEG that does not decode and for pixels that do not fit their size.
    pub fn encode(&self, part: u32, quality: u8) -> Result<Encoded, JpegError> {
        let part = part.max(1);
        let sides = |width: u32, height: u32| ((width / part).max(1), (height / part).max(1));
        let ((width, height), bytes) = match self {
            Picture::Jpeg(bytes) if part == 1 => {
                let info = jpeg::info(bytes)?;
                return Ok(Encoded { width: info.width, height: info.height, jpeg: bytes.clone() });
            }
            Picture::Jpeg(bytes) => {
                let info = jpeg::info(bytes)?;
                let (width, height) = sides(info.width, info.height);
                let rgb = jpeg::decode_covering(bytes, width, height)?;
                ((width, height), jpeg::encode(&scale(&rgb, width, height), quality)?)
            }
            Picture::Rgb(rgb) if part == 1 => ((rgb.width, rgb.height), jpeg::encode(rgb, quality)?),
            Picture::Rgb(rgb) => {
                let (width, height) = sides(rgb.width, rgb.height);
                ((width, height), jpeg::encode(&scale(rgb, width, height), quality)?)
            }
            Picture::Yuv(yuv) if part == 1 => ((yuv.width, yuv.height), jpeg::encode_yuv(yuv, quality)?),
            Picture::Yuv(yuv) => {
                let (width, height) = sides(yuv.width, yuv.height);
                ((width, height), jpeg::encode_yuv(&scale_yuv(yuv, width, height)?, quality)?)
            }
        };
        Ok(Encoded { width, height, jpeg: bytes.into() })
    }
}
