//! Still pictures: PNG, JPEG, WebP, GIF and BMP, decoded under limits; PNG out.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits,
};

use super::jpeg::{self, JpegError, PIXELS_MAX, Rgb};

/// Longest picture file in bytes.
pub const INPUT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes that a decoder may allocate: 64 megapixels of 8 bytes, and room to work.
pub const DECODER_BYTES_MAX: u64 = 768 * 1024 * 1024;
/// Longest colour profile that is kept.
pub const PROFILE_BYTES_MAX: usize = 1024 * 1024;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// GIF; the first picture of an animation.
    Gif,
    /// Windows bitmap.
    Bmp,
}

impl Format {
    /// The format of a file by its first bytes.
    pub fn guess(bytes: &[u8]) -> Option<Format> {
        Some(match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Format::Png,
            ImageFormat::Jpeg => Format::Jpeg,
            ImageFormat::WebP => Format::WebP,
            ImageFormat::Gif => Format::Gif,
            ImageFormat::Bmp => Format::Bmp,
            _ => return None,
        })
    }

    /// The media type, as in RFC 2046.
    pub fn mime(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::WebP => "image/webp",
            Format::Gif => "image/gif",
            Format::Bmp => "image/bmp",
        }
    }

    fn of_image(self) -> ImageFormat {
        match self {
            Format::Png => ImageFormat::Png,
            Format::Jpeg => ImageFormat::Jpeg,
            Format::WebP => ImageFormat::WebP,
            Format::Gif => ImageFormat::Gif,
            Format::Bmp => ImageFormat::Bmp,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
        })
    }
}

/// A decoded picture: 8-bit RGB or RGBA, rows from the top, no padding, upright.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Pixels in a row, after it was turned upright.
    pub width: u32,
    /// Rows, after it was turned upright.
    pub height: u32,
    /// Whether `data` has 4 bytes a pixel (RGBA) or 3 (RGB).
    pub has_alpha: bool,
    /// `width * height * channels()` bytes.
    pub data: Vec<u8>,
    /// Whether the file kept every sample as it was (PNG, BMP, GIF, lossless WebP).
    pub lossless_source: bool,
    /// Whether the file had a palette instead of colours of its own.
    pub palette: bool,
    /// Whether the file had more than 8 bits a sample; they were rounded to 8.
    pub deep: bool,
    /// Whether the file said how to turn the picture, and it was turned.
    pub turned: bool,
    /// Format of the file.
    pub format: Format,
    /// The colour profile (ICC) of the file.
    pub profile: Option<Vec<u8>>,
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoded({} {}x{}, {} channels)", self.format, self.width, self.height, self.channels())
    }
}

impl Decoded {
    /// Bytes of a pixel: 3 or 4.
    pub fn channels(&self) -> u8 {
        if self.has_alpha { 4 } else { 3 }
    }

    /// What becomes different when this picture is sent as an 8-bit PNG, in words for its owner;
    /// `None` when every pixel stays as it was.
    pub fn conversion(&self) -> Option<&'static str> {
        if !self.lossless_source {
            Some("lossy picture is converted to PNG")
        } else if self.palette {
            Some("palette picture is converted to full colour PNG")
        } else if self.deep {
            Some("picture of more than 8 bits a colour is rounded to 8")
        } else if self.turned {
            Some("picture is turned upright")
        } else {
            None
        }
    }

    /// The colours alone; transparent pixels are laid over black.
    pub fn into_rgb(self) -> Rgb {
        let (width, height) = (self.width, self.height);
        if !self.has_alpha {
            return Rgb { width, height, data: self.data };
        }
        let over_black = |sample: u8, alpha: u8| ((u16::from(sample) * u16::from(alpha) + 127) / 255) as u8;
        let data = self
            .data
            .chunks_exact(4)
            .flat_map(|pixel| [0, 1, 2].map(|channel: usize| over_black(pixel[channel], pixel[3])))
            .collect();
        Rgb { width, height, data }
    }

    /// Encodes as PNG, with the colour profile of the file.
    ///
    /// # Errors
    /// [`PictureError::Encode`], [`PictureError::Pixels`].
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        png(self.width, self.height, self.has_alpha, &self.data, self.profile.as_deref())
    }
}

/// Why a picture is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// More bytes than a picture file may have.
    #[error("picture file of {bytes} bytes: at most {INPUT_BYTES_MAX}")]
    InputTooLong {
        /// Bytes of the file.
        bytes: u64,
    },
    /// The first bytes are of no format that is read.
    #[error("not a picture: {bytes} bytes that begin like no format we read")]
    Unknown {
        /// Bytes given.
        bytes: usize,
    },
    /// The picture is too large once decoded.
    #[error("{format} picture of {width}x{height} pixels: at most {PIXELS_MAX} pixels")]
    TooLarge {
        /// Format of the file.
        format: Format,
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Decoding would need more memory than is allowed.
    #[error("{format} picture needs more memory to decode than the {DECODER_BYTES_MAX} bytes allowed")]
    Memory {
        /// Format of the file.
        format: Format,
    },
    /// The file ends before the picture does.
    #[error("{format} picture cut short")]
    CutShort {
        /// Format of the file.
        format: Format,
    },
    /// The decoder found a fault.
    #[error("damaged {format} picture: {reason}")]
    Damaged {
        /// Format of the file.
        format: Format,
        /// The decoder's own words.
        reason: String,
    },
    /// A kind of its format that is not read.
    #[error("{format} picture of a kind that is not read: {reason}")]
    Unsupported {
        /// Format of the file.
        format: Format,
        /// The decoder's own words.
        reason: String,
    },
    /// The buffer does not fit the size that it is said to have.
    #[error("picture of {width}x{height} pixels needs {wanted} bytes, got {got}")]
    Pixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes that the size asks for.
        wanted: u64,
        /// Bytes given.
        got: usize,
    },
    /// The PNG could not be written.
    #[error("cannot encode a PNG: {reason}")]
    Encode {
        /// The encoder's own words.
        reason: String,
    },
}

impl PictureError {
    /// The mend, where there is one that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            PictureError::Unknown { .. } => "use PNG, JPEG, WebP, GIF or BMP; any other file goes with --file",
            PictureError::InputTooLong { .. } | PictureError::TooLarge { .. } | PictureError::Memory { .. } => {
                "scale the picture down, or send it with --file"
            }
            PictureError::CutShort { .. } | PictureError::Damaged { .. } => {
                "it was cut short or changed on its way; copy it again"
            }
            PictureError::Unsupported { .. } => "save it as PNG first",
            PictureError::Pixels { .. } | PictureError::Encode { .. } => return None,
        };
        Some(text.into())
    }
}

/// The media type of a picture by its first bytes; `None` for formats that are not read.
pub fn mime(bytes: &[u8]) -> Option<&'static str> {
    Format::guess(bytes).map(Format::mime)
}

/// Decodes a picture to 8-bit RGB or RGBA and turns it upright.
///
/// Sizes are checked before pixels are made, so a small file that claims a huge picture costs
/// nothing. Of an animation, the first picture.
///
/// # Errors
/// [`PictureError`] names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<Decoded, PictureError> {
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(PictureError::InputTooLong { bytes: bytes.len() as u64 });
    }
    let format = Format::guess(bytes).ok_or(PictureError::Unknown { bytes: bytes.len() })?;
    let strict = strict_jpeg(bytes, format)?;
    let mut decoder = match decoder(bytes, format) {
        Ok(decoder) => Some(decoder),
        // Only the Exif block and the profile are lost.
        Err(_) if strict.is_some() => None,
        Err(error) => return Err(error),
    };
    let orientation = decoder.as_mut().and_then(|decoder| decoder.orientation().ok());
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let profile = decoder.as_mut().and_then(|decoder| decoder.icc_profile().ok().flatten());
    let profile = profile.filter(|profile| profile.len() <= PROFILE_BYTES_MAX);
    let mut image = match (strict, decoder) {
        (Some(rgb), _) => from_rgb(rgb, format)?,
        (None, Some(decoder)) => pixels(decoder, format)?,
        (None, None) => return Err(PictureError::Unknown { bytes: bytes.len() }),
    };
    let deep = image.color().bytes_per_pixel() > image.color().channel_count();
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let has_alpha = image.color().has_alpha();
    let data = if has_alpha { image.into_rgba8().into_raw() } else { image.into_rgb8().into_raw() };
    Ok(Decoded {
        width,
        height,
        has_alpha,
        data,
        lossless_source: lossless(bytes, format),
        palette: palette(bytes, format),
        deep,
        turned: orientation != Orientation::NoTransforms,
        format,
        profile,
    })
}

/// Whether the file asks for no turning or mirroring.
pub fn is_upright(bytes: &[u8]) -> bool {
    let orientation = Format::guess(bytes)
        .and_then(|format| decoder(bytes, format).ok())
        .and_then(|mut decoder| decoder.orientation().ok());
    matches!(orientation, None | Some(Orientation::NoTransforms))
}

/// Encodes 8-bit RGB, or RGBA when `has_alpha`, as PNG.
///
/// # Errors
/// [`PictureError::Pixels`] when `data` does not fit the size, [`PictureError::Encode`].
pub fn encode_png(width: u32, height: u32, has_alpha: bool, data: &[u8]) -> Result<Vec<u8>, PictureError> {
    png(width, height, has_alpha, data, None)
}

fn png(width: u32, height: u32, has_alpha: bool, data: &[u8], profile: Option<&[u8]>) -> Result<Vec<u8>, PictureError> {
    let colour = if has_alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    let wanted = u64::from(width) * u64::from(height) * if has_alpha { 4 } else { 3 };
    if wanted != data.len() as u64 || wanted == 0 {
        return Err(PictureError::Pixels { width, height, wanted, got: data.len() });
    }
    let mut out = Vec::with_capacity(data.len() / 2);
    // On photographs as small as the default level, and twenty times as quick.
    let mut encoder = PngEncoder::new_with_quality(&mut out, CompressionType::Fast, FilterType::Adaptive);
    let fail = |reason: String| PictureError::Encode { reason };
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).map_err(|error| fail(error.to_string()))?;
    }
    encoder.write_image(data, width, height, colour).map_err(|error| fail(error.to_string()))?;
    Ok(out)
}

fn decoder(bytes: &[u8], format: Format) -> Result<impl ImageDecoder + '_, PictureError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.of_image());
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    reader.into_decoder().map_err(|error| refused(format, error))
}

/// JPEGs go through libjpeg-turbo: it is quicker, and it tells when it made up pixels. Where it is
/// not content although the file has its end (odd bytes in the data, four inks), the lenient
/// decoder gets its turn: a still picture is looked at by a person, who can judge.
fn strict_jpeg(bytes: &[u8], format: Format) -> Result<Option<Rgb>, PictureError> {
    if format != Format::Jpeg {
        return Ok(None);
    }
    match jpeg::decode(bytes) {
        Ok(rgb) => Ok(Some(rgb)),
        Err(JpegError::Size { width, height }) => Err(PictureError::TooLarge { format, width, height }),
        Err(_) if jpeg::Cutter::new().cut(&mut &bytes[..]).is_none() && bytes.len() <= jpeg::FRAME_BYTES_MAX => {
            Err(PictureError::CutShort { format })
        }
        Err(_) => Ok(None),
    }
}

/// All pixels, if they are not too many.
fn pixels(decoder: impl ImageDecoder, format: Format) -> Result<DynamicImage, PictureError> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(PictureError::TooLarge { format, width, height });
    }
    DynamicImage::from_decoder(decoder).map_err(|error| refused(format, error))
}

fn from_rgb(rgb: Rgb, format: Format) -> Result<DynamicImage, PictureError> {
    let Rgb { width, height, data } = rgb;
    image::RgbImage::from_raw(width, height, data).map(DynamicImage::ImageRgb8).ok_or(PictureError::Memory { format })
}

fn refused(format: Format, error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::Memory { format },
        ImageError::Unsupported(error) => PictureError::Unsupported { format, reason: error.to_string() },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::CutShort { format }
        }
        other => PictureError::Damaged { format, reason: other.to_string() },
    }
}

/// Whether a file of this format kept all samples. In WebP the lossless bitstream has a chunk of
/// its own; in the extended form it comes after others.
fn lossless(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Png | Format::Gif | Format::Bmp => true,
        Format::Jpeg => false,
        Format::WebP => webp_chunks(bytes).any(|kind| kind == b"VP8L"),
    }
}

/// Names of the chunks of a WebP file.
fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, body) = rest.split_at_checked(8)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some(&head[..4])
    })
}

/// Whether the file has a palette: colour type 3 of PNG's IHDR, 8 bits a pixel or fewer of BMP.
fn palette(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => true,
        Format::Png => bytes.get(25) == Some(&3),
        Format::Bmp => bytes.get(28..30).is_some_and(|depth| u16::from_le_bytes([depth[0], depth[1]]) <= 8),
        Format::WebP | Format::Jpeg => false,
    }
}
