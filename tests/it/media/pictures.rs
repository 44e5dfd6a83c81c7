//! Still pictures.

use miyu::media::jpeg::{self, Rgb};
use miyu::media::picture::{self, Format, PictureError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{asset, drawn};

/// Bytes of a small picture in the given format.
fn written(format: image::ImageFormat, picture: image::DynamicImage) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

#[test]
fn formats_are_told_apart() {
    let rgb =
        image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(20, 10, |x, y| image::Rgb([x as u8, y as u8, 99])));
    let formats = [
        (image::ImageFormat::Png, Format::Png, "image/png", true),
        (image::ImageFormat::Jpeg, Format::Jpeg, "image/jpeg", false),
        (image::ImageFormat::WebP, Format::WebP, "image/webp", true),
        (image::ImageFormat::Gif, Format::Gif, "image/gif", true),
        (image::ImageFormat::Bmp, Format::Bmp, "image/bmp", true),
    ];
    for (written_as, format, mime, lossless) in formats {
        let bytes = written(written_as, rgb.clone());
        let decoded = picture::decode(&bytes).unwrap();
        assert_eq!((decoded.width, decoded.height, decoded.format), (20, 10, format));
        assert_eq!(picture::mime(&bytes), Some(mime));
        assert_eq!(decoded.lossless_source, lossless, "{format}");
        assert_eq!(decoded.palette, format == Format::Gif, "{format}");
        assert_eq!(decoded.data.len(), 20 * 10 * usize::from(decoded.channels()));
        let kept = matches!(format, Format::Png | Format::WebP | Format::Bmp);
        assert_eq!(decoded.conversion().is_none(), kept, "{format}: {:?}", decoded.conversion());
        if kept {
            assert_eq!(decoded.clone().into_rgb().data, rgb.to_rgb8().into_raw(), "{format}");
        }
        let again = picture::decode(&decoded.to_png().unwrap()).unwrap();
        assert_eq!(again.data, decoded.data, "{format} as PNG");
        assert!(!again.palette && again.conversion().is_none());
    }
    assert_eq!(picture::mime(b"RIFF....WAVEfmt "), None);
    assert_eq!(picture::mime(b""), None);
}

#[test]
fn alpha_depth_and_palette_are_seen() {
    let rgba = image::RgbaImage::from_fn(8, 8, |x, y| image::Rgba([200, x as u8, y as u8, (x * 30) as u8]));
    let decoded =
        picture::decode(&written(image::ImageFormat::Png, image::DynamicImage::ImageRgba8(rgba.clone()))).unwrap();
    assert!(decoded.has_alpha && decoded.channels() == 4);
    assert_eq!(decoded.data, rgba.into_raw());
    assert_eq!(decoded.into_rgb().data[..3], [0, 0, 0], "clear pixels over black");

    let deep = image::DynamicImage::ImageRgb16(image::ImageBuffer::from_pixel(4, 4, image::Rgb([65_535, 32_896, 0])));
    let decoded = picture::decode(&written(image::ImageFormat::Png, deep)).unwrap();
    assert!(decoded.deep && decoded.conversion().is_some());
    assert_eq!(decoded.data[..3], [255, 128, 0]);

    let grey = image::DynamicImage::ImageLuma8(image::GrayImage::from_pixel(4, 4, image::Luma([77])));
    let decoded = picture::decode(&written(image::ImageFormat::Png, grey)).unwrap();
    assert_eq!(decoded.data[..3], [77, 77, 77]);
}

#[test]
fn pictures_are_turned_upright() {
    // A JPEG of two halves, with an Exif block that says: turn by 90 degrees (orientation 6).
    let mut rgb = Rgb::filled(32, 16, [250, 250, 250]);
    for line in rgb.data.chunks_exact_mut(32 * 3) {
        line[..16 * 3].fill(5);
    }
    let plain = jpeg::encode(&rgb, 95).unwrap();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let mut turned = vec![0xff, 0xd8, 0xff, 0xe1];
    turned.extend_from_slice(&u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    turned.append(&mut exif);
    turned.extend_from_slice(&plain[2..]);
    assert!(picture::is_upright(&plain));
    assert!(!picture::is_upright(&turned));
    let decoded = picture::decode(&turned).unwrap();
    assert!(decoded.turned);
    assert_eq!((decoded.width, decoded.height), (16, 32));
    assert!(decoded.data[0] < 20 && decoded.data[decoded.data.len() - 1] > 230, "dark half on top");
}

#[test]
fn bad_pictures_are_named() {
    let error = picture::decode(b"this is no picture").unwrap_err();
    assert_eq!(error, PictureError::Unknown { bytes: 18 });
    assert!(error.hint().unwrap().contains("PNG"));
    assert!(matches!(picture::decode(&[]), Err(PictureError::Unknown { bytes: 0 })));

    let png = std::fs::read(asset("photo.png")).unwrap();
    let error = picture::decode(&png[..png.len() / 2]).unwrap_err();
    assert!(matches!(error, PictureError::CutShort { .. } | PictureError::Damaged { .. }), "{error}");
    let jpeg_bytes = jpeg::encode(&drawn(64, 48, 1), 85).unwrap();
    let error = picture::decode(&jpeg_bytes[..jpeg_bytes.len() / 2]).unwrap_err();
    assert_eq!(error, PictureError::CutShort { format: Format::Jpeg });

    // The header claims 60,000 x 60,000 pixels; its checksum is made to fit.
    let mut bomb = png.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let sum = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&sum.to_be_bytes());
    let error = picture::decode(&bomb).unwrap_err();
    assert!(matches!(error, PictureError::TooLarge { .. } | PictureError::Memory { .. }), "{error}");

    let long = vec![0; picture::INPUT_BYTES_MAX + 1];
    assert!(matches!(picture::decode(&long), Err(PictureError::InputTooLong { .. })));
    assert!(matches!(picture::encode_png(4, 4, true, &[0; 48]), Err(PictureError::Pixels { wanted: 64, got: 48, .. })));
    assert!(picture::encode_png(0, 0, false, &[]).is_err());
}

/// CRC-32 as PNG uses it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn random_damage_to_pictures_never_panics() {
    let rgb =
        image::DynamicImage::ImageRgb8(image::RgbImage::from_fn(24, 24, |x, y| image::Rgb([x as u8, y as u8, 99])));
    let mut rng = StdRng::seed_from_u64(8);
    use image::ImageFormat::{Bmp, Gif, Png, WebP};
    for format in [Png, WebP, Gif, Bmp] {
        let whole = written(format, rgb.clone());
        for _ in 0..300 {
            let mut bytes = whole.clone();
            bytes.truncate(rng.random_range(1..=bytes.len()));
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
            let _ = picture::decode(&bytes).map(|picture| picture.data.len());
        }
    }
}
