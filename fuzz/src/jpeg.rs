//! JPEGs, as they come from a camera or a peer.

use miyu::media::jpeg;

use super::bytes::Bytes;

/// Larger ones take too long for one run here.
const PIXELS_TRIED: u64 = 512 * 1024;

/// Two bytes are the size that is wanted, the others the JPEG.
pub fn run(data: &[u8]) {
    let mut input = Bytes(data);
    let (width, height) = (u32::from(input.byte()) + 1, u32::from(input.byte()) + 1);
    let file = input.0;
    let info = match jpeg::info(file) {
        Ok(info) => info,
        Err(error) => {
            assert!(jpeg::decode(file).is_err(), "decodes without a header: {error}");
            return;
        }
    };
    let area = u64::from(info.width) * u64::from(info.height);
    assert!((1..=jpeg::PIXELS_MAX).contains(&area));
    if area > PIXELS_TRIED {
        return;
    }
    let verified = jpeg::verify(file);
    let decoded = jpeg::decode(file);
    if let Ok(rgb) = &decoded {
        assert_eq!((rgb.width, rgb.height, rgb.data.len() as u64), (info.width, info.height, area * 3));
        assert_eq!(verified, Ok(info), "decodes, but is not verified");
        let encoded = jpeg::encode(rgb, 85).expect("pixels can be encoded");
        assert_eq!(jpeg::verify(&encoded), Ok(info), "our own JPEG");
    }
    if let Ok(rgb) = jpeg::decode_covering(file, width, height) {
        assert!(rgb.width <= info.width && rgb.height <= info.height, "{rgb:?} of {info:?}");
        assert!(rgb.width >= width.min(info.width) && rgb.height >= height.min(info.height), "{rgb:?} of {info:?}");
    }
}
