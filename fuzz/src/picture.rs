//! Still pictures of every format that is read.

use std::io::Cursor;

use miyu::media::jpeg::PIXELS_MAX;
use miyu::media::picture::{self, Format, PictureError};

/// Larger ones are refused by their header or take too long for one run here.
const PIXELS_TRIED: u64 = 1024 * 1024;
/// Up to here the picture is written and read again.
const PIXELS_WRITTEN: u64 = 64 * 1024;

/// The input is a picture file.
pub fn run(data: &[u8]) {
    let pixels = claimed_pixels(data);
    if pixels.is_some_and(|pixels| (PIXELS_TRIED..=PIXELS_MAX).contains(&pixels)) {
        return;
    }
    match picture::decode(data) {
        Ok(decoded) => {
            let area = u64::from(decoded.width) * u64::from(decoded.height);
            assert!((1..=PIXELS_MAX).contains(&area), "{decoded:?}");
            assert_eq!(decoded.data.len() as u64, area * u64::from(decoded.channels()), "{decoded:?}");
            assert_eq!(Format::guess(data), Some(decoded.format));
            assert_eq!(picture::mime(data), Some(decoded.format.mime()));
            assert!(!decoded.turned || !picture::is_upright(data));
            if area <= PIXELS_WRITTEN {
                written(&decoded);
            }
            assert_eq!(decoded.into_rgb().data.len() as u64, area * 3);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let refused = matches!(error, PictureError::TooLarge { .. } | PictureError::Memory { .. });
            assert!(!refused || pixels.is_none_or(|pixels| pixels > 0), "{error}");
        }
    }
}

/// As a PNG it keeps every sample.
fn written(decoded: &picture::Decoded) {
    let png = decoded.to_png().expect("a decoded picture can be written");
    let again = picture::decode(&png).expect("our own PNG can be read");
    assert!(again.data == decoded.data && again.has_alpha == decoded.has_alpha, "{decoded:?} became {again:?}");
    assert_eq!((again.width, again.height, again.conversion()), (decoded.width, decoded.height, None));
}

fn claimed_pixels(data: &[u8]) -> Option<u64> {
    let reader = image::ImageReader::new(Cursor::new(data)).with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some(u64::from(width) * u64::from(height))
}
