//! Uncompressed frames of cameras, brought into planes: the layouts of Video4Linux, with the padding that drivers
//! put behind rows, and the range that they use.

use crate::media::jpeg::{self, JpegError, Yuv};

/// A layout of samples, by its name in Video4Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Y U Y V, 4:2:2, in one plane.
    Yuyv,
    /// U Y V Y, 4:2:2, in one plane.
    Uyvy,
    /// Y V Y U, 4:2:2, in one plane.
    Yvyu,
    /// A plane of Y, then one of U V U V, 4:2:0.
    Nv12,
    /// A plane of Y, then one of V U V U, 4:2:0.
    Nv21,
    /// Planes of Y, U and V, 4:2:0.
    Yu12,
    /// Planes of Y, V and U, 4:2:0.
    Yv12,
    /// Brightness alone.
    Grey,
}

impl Layout {
    /// From the four characters of a pixel format.
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Layout> {
        Some(match &fourcc {
            b"YUYV" => Layout::Yuyv,
            b"UYVY" => Layout::Uyvy,
            b"YVYU" => Layout::Yvyu,
            b"NV12" => Layout::Nv12,
            b"NV21" => Layout::Nv21,
            b"YU12" => Layout::Yu12,
            b"YV12" => Layout::Yv12,
            b"GREY" => Layout::Grey,
            _ => return None,
        })
    }

    /// Bytes of one row of the first plane without padding.
    fn row_bytes(self, width: usize) -> usize {
        match self {
            Layout::Yuyv | Layout::Uyvy | Layout::Yvyu => width.div_ceil(2) * 4,
            _ => width,
        }
    }
}

/// Which values mean black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 0 to 255, as in a JPEG.
    Full,
    /// 16 to 235 for Y, 16 to 240 for U and V, as in television.
    Limited,
}

/// What a raw frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Where its samples are.
    pub layout: Layout,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row of the first plane to the next; 0 for no padding.
    pub stride: u32,
    /// What its values mean.
    pub range: Range,
}

impl Raw {
    /// Brings a frame into planes.
    ///
    /// # Errors
    /// [`JpegError::Size`], and [`JpegError::Pixels`] for a frame that was cut short.
    pub fn planes(&self, bytes: &[u8]) -> Result<Yuv, JpegError> {
        match self.range {
            Range::Full => self.planes_in::<false>(bytes),
            Range::Limited => self.planes_in::<true>(bytes),
        }
    }

    fn planes_in<const LIMITED: bool>(&self, bytes: &[u8]) -> Result<Yuv, JpegError> {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut out =
            Yuv { width: self.width, height: self.height, data: vec![0; jpeg::yuv_bytes(self.width, self.height)?] };
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        let row_bytes = self.layout.row_bytes(width);
        let stride = (self.stride as usize).max(row_bytes);
        let chroma_stride = match self.layout {
            Layout::Yu12 | Layout::Yv12 => (stride / 2).max(chroma_width),
            _ => stride.max(chroma_width * 2),
        };
        // The last row of a plane needs no padding behind it. A stride that is no number of bytes asks for too many.
        let first = stride.saturating_mul(height);
        let before_last = first.saturating_add(chroma_stride.saturating_mul(chroma_height - 1));
        let (wanted, planes) = match self.layout {
            Layout::Yuyv | Layout::Uyvy | Layout::Yvyu | Layout::Grey => (first - stride + row_bytes, [0, 0]),
            Layout::Nv12 | Layout::Nv21 => (before_last.saturating_add(chroma_width * 2), [first, 0]),
            Layout::Yu12 | Layout::Yv12 => {
                let second = before_last.saturating_add(chroma_stride);
                let wanted = second.saturating_add(before_last - first).saturating_add(chroma_width);
                (wanted, [first, second])
            }
        };
        if bytes.len() < wanted {
            return Err(JpegError::Pixels { width: self.width, height: self.height, wanted, got: bytes.len() });
        }
        let (luma, chroma) = out.data.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(chroma_width * chroma_height);
        let (u, v) = match self.layout {
            Layout::Yvyu | Layout::Nv21 | Layout::Yv12 => (v, u),
            _ => (u, v),
        };
        match self.layout {
            Layout::Yuyv | Layout::Yvyu => packed::<0, LIMITED>(bytes, stride, luma, (width, height), u, v),
            Layout::Uyvy => packed::<1, LIMITED>(bytes, stride, luma, (width, height), u, v),
            Layout::Grey => {
                rows::<LIMITED>(bytes, stride, luma, width, brightness::<LIMITED>);
                u.fill(128);
                v.fill(128);
            }
            Layout::Nv12 | Layout::Nv21 => {
                rows::<LIMITED>(bytes, stride, luma, width, brightness::<LIMITED>);
                pairs::<LIMITED>(&bytes[planes[0]..], chroma_stride, chroma_width, u, v);
            }
            Layout::Yu12 | Layout::Yv12 => {
                rows::<LIMITED>(bytes, stride, luma, width, brightness::<LIMITED>);
                rows::<LIMITED>(&bytes[planes[0]..], chroma_stride, u, chroma_width, colour::<LIMITED>);
                rows::<LIMITED>(&bytes[planes[1]..], chroma_stride, v, chroma_width, colour::<LIMITED>);
            }
        }
        Ok(out)
    }
}

/// Y as JPEG has it: 16 to 235 become 0 to 255.
fn brightness<const LIMITED: bool>(sample: u8) -> u8 {
    if LIMITED {
        // 149 / 128 = 255 / 219; the product stays within 16 bits, which the compiler turns into vector code.
        ((u16::from(sample.saturating_sub(16)) * 149 + 64) >> 7).min(255) as u8
    } else {
        sample
    }
}

/// U or V as JPEG has it: 16 to 240 around 128 become 1 to 255.
fn colour<const LIMITED: bool>(sample: u8) -> u8 {
    if LIMITED {
        // 291 / 256 = 255 / 224
        let centred = i16::from(sample.clamp(16, 240)) - 128;
        (((centred * 291 + 128) >> 8) + 128).clamp(0, 255) as u8
    } else {
        sample
    }
}

/// Copies a plane without the padding.
fn rows<const LIMITED: bool>(bytes: &[u8], stride: usize, out: &mut [u8], width: usize, value: impl Fn(u8) -> u8) {
    for (row, line) in bytes.chunks(stride).zip(out.chunks_exact_mut(width)) {
        if LIMITED {
            for (sample, out) in row.iter().zip(line) {
                *out = value(*sample);
            }
        } else {
            line.copy_from_slice(&row[..width]);
        }
    }
}

/// Takes a plane of two interleaved kinds of samples apart.
fn pairs<const LIMITED: bool>(bytes: &[u8], stride: usize, width: usize, first: &mut [u8], second: &mut [u8]) {
    let lines = first.chunks_exact_mut(width).zip(second.chunks_exact_mut(width));
    for (row, (first, second)) in bytes.chunks(stride).zip(lines) {
        for ((pair, first), second) in row.chunks_exact(2).zip(first).zip(second) {
            *first = colour::<LIMITED>(pair[0]);
            *second = colour::<LIMITED>(pair[1]);
        }
    }
}

/// 4:2:2 in one plane, Y at `LUMA` of each pair of bytes; the colours of two rows become one.
fn packed<const LUMA: usize, const LIMITED: bool>(
    bytes: &[u8],
    stride: usize,
    luma: &mut [u8],
    (width, height): (usize, usize),
    u: &mut [u8],
    v: &mut [u8],
) {
    for (row, line) in bytes.chunks(stride).zip(luma.chunks_exact_mut(width)) {
        for (pair, out) in row.chunks_exact(2).zip(line) {
            *out = brightness::<LIMITED>(pair[LUMA]);
        }
    }
    let chroma_width = width.div_ceil(2);
    let lines = u.chunks_exact_mut(chroma_width).zip(v.chunks_exact_mut(chroma_width));
    for (number, (u, v)) in lines.enumerate() {
        let upper = &bytes[number * 2 * stride..];
        let lower = if number * 2 + 1 < height { &upper[stride..] } else { upper };
        let blocks = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        for (((upper, lower), u), v) in blocks.zip(u).zip(v) {
            let mean = |at: usize| ((u16::from(upper[at]) + u16::from(lower[at]) + 1) >> 1) as u8;
            *u = colour::<LIMITED>(mean(1 - LUMA));
            *v = colour::<LIMITED>(mean(3 - LUMA));
        }
    }
}
