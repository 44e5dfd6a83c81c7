//! Live pictures: one decompressor for one after another, into a buffer of the caller's, in the form that is drawn.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

use super::{Info, JpegError, SCANS_MAX, area, damaged};

/// Bytes of one pixel: red, green, blue, and an alpha of 255.
pub const RGBA_BYTES: usize = 4;
/// Pixels along one side of a picture of a camera, as the protocol has it.
const FRAME_SIDE_MAX: u32 = 16_384;

/// Decodes pictures of one stream.
#[derive(Debug)]
pub struct LiveDecoder(Decompressor);

/// A picture whose header was read.
#[derive(Debug)]
pub struct Opened<'a> {
    decompressor: &'a mut Decompressor,
    jpeg: &'a [u8],
    /// The size that it is decoded at.
    pub size: Info,
}

impl LiveDecoder {
    /// One that has decoded nothing yet.
    ///
    /// # Errors
    /// Where libjpeg has no memory.
    pub fn new() -> Result<Self, JpegError> {
        let fail = |error| damaged(&[], error);
        let mut decompressor = Decompressor::new().map_err(fail)?;
        decompressor.set_scan_limit(SCANS_MAX).map_err(fail)?;
        Ok(Self(decompressor))
    }

    /// Reads the header. The picture will be decoded at the largest of 1, 1/2, 1/4 and 1/8 of its size whose sides are
    /// `side_max` at most. A progressive picture takes memory for all its pixels, however small it is decoded: that is
    /// why the whole size has a bound of its own.
    ///
    /// # Errors
    /// [`JpegError::NotJpeg`], [`JpegError::Damaged`], [`JpegError::Size`] where the picture or an eighth is too large.
    pub fn open<'a>(&'a mut self, jpeg: &'a [u8], side_max: u32) -> Result<Opened<'a>, JpegError> {
        if !jpeg.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err(JpegError::NotJpeg { len: jpeg.len() });
        }
        let decompressor = &mut self.0;
        let header = decompressor.read_header(jpeg).map_err(|error| damaged(jpeg, error))?;
        let side = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let (whole_width, whole_height) = (side(header.width), side(header.height));
        let too_large = || JpegError::Size { width: whole_width, height: whole_height };
        area(whole_width, whole_height)?;
        if whole_width.max(whole_height) > FRAME_SIDE_MAX {
            return Err(too_large());
        }
        let scaled = |factor: &ScalingFactor| (side(factor.scale(header.width)), side(factor.scale(header.height)));
        let factors =
            [ScalingFactor::ONE, ScalingFactor::ONE_HALF, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_EIGHTH];
        let factor = factors.into_iter().find(|factor| {
            let (width, height) = scaled(factor);
            (1..=side_max).contains(&width) && (1..=side_max).contains(&height)
        });
        let factor = factor.ok_or_else(too_large)?;
        decompressor.set_scaling_factor(factor).map_err(|error| damaged(jpeg, error))?;
        let (width, height) = scaled(&factor);
        Ok(Opened { decompressor, jpeg, size: Info { width, height } })
    }
}

impl Opened<'_> {
    /// Writes the pixels: rows from the top without padding.
    ///
    /// # Errors
    /// [`JpegError::Pixels`] where the buffer is not the picture's, [`JpegError::Damaged`].
    pub fn rgba_into(self, rgba: &mut [u8]) -> Result<(), JpegError> {
        let Info { width, height } = self.size;
        let pitch = width as usize * RGBA_BYTES;
        let wanted = pitch * height as usize;
        if rgba.len() != wanted {
            return Err(JpegError::Pixels { width, height, wanted, got: rgba.len() });
        }
        let output =
            Image { pixels: rgba, width: width as usize, pitch, height: height as usize, format: PixelFormat::RGBA };
        self.decompressor.decompress(self.jpeg, output).map_err(|error| damaged(self.jpeg, error))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::{Rgb, decode, encode};
    use super::*;

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let data = (0..width * height).flat_map(|n| [n as u8, (n / width) as u8, 77]).collect();
        encode(&Rgb::new(width, height, data).unwrap(), 90).unwrap()
    }

    #[test]
    fn pictures_one_after_another_are_what_a_decoder_of_their_own_makes_of_them() {
        let mut live = LiveDecoder::new().unwrap();
        for (width, height) in [(64, 48), (50, 30), (64, 48)] {
            let jpeg = picture(width, height);
            let opened = live.open(&jpeg, 64).unwrap();
            assert_eq!((opened.size.width, opened.size.height), (width, height));
            let mut rgba = vec![1; (width * height) as usize * RGBA_BYTES];
            opened.rgba_into(&mut rgba).unwrap();
            let rgb: Vec<u8> = rgba.chunks(RGBA_BYTES).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
            assert_eq!(rgb, decode(&jpeg).unwrap().data);
            assert!(rgba.chunks(RGBA_BYTES).all(|pixel| pixel[3] == 255));
        }
    }

    #[test]
    fn large_pictures_are_made_smaller_and_damaged_ones_refused() {
        let mut live = LiveDecoder::new().unwrap();
        let jpeg = picture(64, 48);
        let size = |live: &mut LiveDecoder, side| live.open(&jpeg, side).map(|opened| opened.size);
        assert_eq!(size(&mut live, 63).unwrap(), Info { width: 32, height: 24 });
        assert_eq!(size(&mut live, 8).unwrap(), Info { width: 8, height: 6 });
        assert!(matches!(size(&mut live, 7), Err(JpegError::Size { width: 64, height: 48 })));
        assert!(matches!(live.open(b"nothing", 64), Err(JpegError::NotJpeg { .. })));
        let short = live.open(&jpeg, 64).unwrap().rgba_into(&mut [0; 12]);
        assert!(matches!(short, Err(JpegError::Pixels { .. })));
        let cut = &jpeg[..jpeg.len() / 2];
        let cut = live.open(cut, 64).unwrap().rgba_into(&mut vec![0; 64 * 48 * RGBA_BYTES]);
        assert!(matches!(cut, Err(JpegError::Damaged { .. })));
        // and the next one is whole again
        live.open(&jpeg, 64).unwrap().rgba_into(&mut vec![0; 64 * 48 * RGBA_BYTES]).unwrap();
    }

    #[test]
    fn a_header_that_asks_for_too_much_memory_is_refused_before_it_is_taken() {
        let mut live = LiveDecoder::new().unwrap();
        let header = |width: u16, height: u16| {
            let mut jpeg = picture(64, 48);
            let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
            // a progressive picture
            jpeg[frame + 1] = 0xc2;
            jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
            jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
            jpeg
        };
        for (width, height) in [(32_768, 32_768), (8_001, 8_000), (16_385, 8), (8, 16_385)] {
            let size = live.open(&header(width, height), 4_096).map(|opened| opened.size);
            let (width, height) = (u32::from(width), u32::from(height));
            assert_eq!(size, Err(JpegError::Size { width, height }));
        }
        assert_eq!(live.open(&header(8_000, 8_000), 4_096).unwrap().size, Info { width: 4_000, height: 4_000 });
        assert_eq!(live.open(&header(16_384, 8), 4_096).unwrap().size, Info { width: 4_096, height: 2 });
    }
}
