//! Turning and mirroring pictures: exactly on pixels and planes, and without loss on JPEGs where their blocks allow it.

use std::sync::Arc;

/// Damaged pictures one after the other that are left out: what goes through untouched is not decoded, and one bad frame
/// of a cable is no reason to open the camera anew.
const DAMAGED_RUN_MAX: u32 = 8;

use super::{CameraError, Captured, Flip, Picture, Rotation, Source};
use crate::media::jpeg::{self, JpegError, Rgb, Transformation, Yuv};

/// A rotation followed by a flip: the two coordinates may change places, and each of the result's may be mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    transposed: bool,
    mirrored_x: bool,
    mirrored_y: bool,
}

impl Turn {
    /// First the rotation, then the flip: what is flipped is the picture as it is seen.
    pub fn new(rotate: Rotation, flip: Flip) -> Turn {
        let (transposed, right, down) = match rotate {
            Rotation::None => (false, false, false),
            Rotation::Right => (true, true, false),
            Rotation::Around => (false, true, true),
            Rotation::Left => (true, false, true),
        };
        Turn {
            transposed,
            mirrored_x: right != matches!(flip, Flip::Horizontal | Flip::Both),
            mirrored_y: down != matches!(flip, Flip::Vertical | Flip::Both),
        }
    }

    /// Whether it changes nothing.
    pub fn is_none(self) -> bool {
        !self.transposed && !self.mirrored_x && !self.mirrored_y
    }

    /// Width and height afterwards.
    pub fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transposed { (height, width) } else { (width, height) }
    }

    /// The same as libjpeg-turbo names it.
    fn transformation(self) -> Transformation {
        match (self.transposed, self.mirrored_x, self.mirrored_y) {
            (false, false, false) => Transformation::None,
            (false, true, false) => Transformation::Hflip,
            (false, false, true) => Transformation::Vflip,
            (false, true, true) => Transformation::Rot180,
            (true, false, false) => Transformation::Transpose,
            (true, true, false) => Transformation::Rot90,
            (true, false, true) => Transformation::Rot270,
            (true, true, true) => Transformation::Transverse,
        }
    }

    /// Turns `from`, `width` x `height` samples of `N` channels, and adds it to `out`.
    fn samples<const N: usize>(self, from: &[u8], (width, height): (usize, usize), out: &mut Vec<u8>) {
        let (columns, rows) = if self.transposed { (height, width) } else { (width, height) };
        // In samples of the source: what one step to the right and one down in the result are worth.
        let (right, down) = if self.transposed { (width, 1) } else { (1, width) };
        for y in 0..rows {
            let y = if self.mirrored_y { rows - 1 - y } else { y };
            let line = y * down;
            let mut copy = |at: usize| out.extend_from_slice(&from[at * N..at * N + N]);
            if self.mirrored_x {
                (0..columns).rev().for_each(|x| copy(line + x * right));
            } else if right == 1 {
                out.extend_from_slice(&from[line * N..(line + columns) * N]);
            } else {
                (0..columns).for_each(|x| copy(line + x * right));
            }
        }
    }
}

/// Turns pixels.
///
/// # Errors
/// [`JpegError::Size`] and [`JpegError::Pixels`] when size and data do not agree.
pub fn turn_rgb(rgb: &Rgb, turn: Turn) -> Result<Rgb, JpegError> {
    rgb.check()?;
    let (width, height) = turn.size((rgb.width, rgb.height));
    let mut data = Vec::with_capacity(rgb.data.len());
    turn.samples::<3>(&rgb.data, (rgb.width as usize, rgb.height as usize), &mut data);
    Rgb::new(width, height, data)
}

/// Turns planes. With an odd side the colour, of half the resolution, moves by half a pixel.
///
/// # Errors
/// As [`turn_rgb`].
pub fn turn_yuv(yuv: &Yuv, turn: Turn) -> Result<Yuv, JpegError> {
    let (width, height) = turn.size((yuv.width, yuv.height));
    let mut data = Vec::with_capacity(yuv.data.len());
    for plane in yuv.planes()? {
        turn.samples::<1>(plane.data, (plane.width, plane.height), &mut data);
    }
    Yuv::new(width, height, data)
}

impl Picture {
    /// The picture turned. A JPEG stays one, without loss, if its blocks allow that; else it is decoded.
    ///
    /// # Errors
    /// [`JpegError`], for a JPEG that does not decode and for pixels that do not fit their size.
    pub fn turned(self, turn: Turn) -> Result<Picture, JpegError> {
        if turn.is_none() {
            return Ok(self);
        }
        Ok(match self {
            Picture::Rgb(rgb) => Picture::Rgb(Arc::new(turn_rgb(&rgb, turn)?)),
            Picture::Yuv(yuv) => Picture::Yuv(Arc::new(turn_yuv(&yuv, turn)?)),
            Picture::Jpeg(bytes) => match jpeg::transform(&bytes, turn.transformation())? {
                Some(turned) => Picture::Jpeg(turned.into()),
                None => Picture::Rgb(Arc::new(turn_rgb(&jpeg::decode(&bytes)?, turn)?)),
            },
        })
    }
}

/// A source whose pictures are turned.
pub(super) struct Turned {
    inner: Box<dyn Source>,
    turn: Turn,
    /// For people: `turned by 90 degrees, flipped both`.
    how: String,
}

impl Turned {
    /// `inner` itself where nothing is to be done.
    pub(super) fn wrap(inner: Box<dyn Source>, rotate: Rotation, flip: Flip) -> Box<dyn Source> {
        let turn = Turn::new(rotate, flip);
        if turn.is_none() {
            return inner;
        }
        let mut how = Vec::new();
        if rotate != Rotation::None {
            how.push(format!("turned by {} degrees", rotate.degrees()));
        }
        if flip != Flip::None {
            how.push(format!("flipped: {flip}"));
        }
        Box::new(Turned { inner, turn, how: how.join(", ") })
    }
}

impl Source for Turned {
    fn describe(&self) -> String {
        format!("{}, {}", self.inner.describe(), self.how)
    }

    fn size(&self) -> (u32, u32) {
        self.turn.size(self.inner.size())
    }

    fn fps(&self) -> f32 {
        self.inner.fps()
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        let mut damaged = 0;
        loop {
            let captured = self.inner.next()?;
            let (width, height) = self.turn.size((captured.width, captured.height));
            match captured.picture.clone().turned(self.turn) {
                Ok(picture) => return Ok(Captured { width, height, picture, ..captured }),
                Err(error) if damaged < DAMAGED_RUN_MAX => {
                    damaged += 1;
                    tracing::debug!(%error, "a frame is left out");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
