//! A file of concatenated JPEGs as an endless camera.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::fit;
use super::pace::Paced;
use super::{CameraError, Captured, Picture, Settings, Source, unix_us};
use crate::media::jpeg::{self, Cutter, Info};

/// Bytes read from the file at a time.
const READ_BYTES: usize = 64 * 1024;
/// Most broken frames whose places are remembered; beyond that every frame is checked each time.
const BROKEN_REMEMBERED_MAX: usize = 4096;

/// Plays an `.mjpeg` file in a loop, reading it as it goes.
///
/// A frame of the right size passes through untouched; others are decoded and letterboxed. Each
/// frame is checked on the first round, broken ones are left out and counted.
#[derive(Debug)]
pub struct Mjpeg {
    path: PathBuf,
    reader: Reader,
    size: (u32, u32),
    paced: Paced,
    seq: u64,
    /// The first frame, read when the file was opened.
    first: Option<Bytes>,
}

impl Mjpeg {
    /// Opens the file and finds its first whole frame, which also gives the size when none is
    /// asked for.
    ///
    /// # Errors
    /// [`CameraError::Io`], [`CameraError::NoFrames`], and settings out of bounds.
    pub fn open(path: &Path, settings: &Settings) -> Result<Mjpeg, CameraError> {
        settings.check()?;
        let mut reader = Reader::open(path)?;
        let (first, info) = reader.next_frame()?;
        Ok(Mjpeg {
            path: path.to_owned(),
            reader,
            size: settings.size.unwrap_or_else(|| fit::own_size(info.width, info.height)),
            paced: Paced::new(settings.fps),
            seq: 0,
            first: Some(first),
        })
    }

    /// Frames of the file that were left out because they were cut short or damaged, each counted
    /// once a round.
    pub fn broken(&self) -> u64 {
        self.reader.broken()
    }

    /// The next picture at once, without waiting until it is due.
    ///
    /// # Errors
    /// [`CameraError::Io`], [`CameraError::NoFrames`] when the file has changed, and
    /// [`CameraError::Jpeg`].
    pub fn picture(&mut self) -> Result<Picture, CameraError> {
        let (frame, info) = match self.first.take() {
            Some(frame) => {
                let info = jpeg::info(&frame)?;
                (frame, info)
            }
            None => self.reader.next_frame()?,
        };
        let (width, height) = self.size;
        if (info.width, info.height) == self.size {
            return Ok(Picture::Jpeg(frame));
        }
        let (inner_width, inner_height) = fit::inner_size((info.width, info.height), width, height);
        let rgb = jpeg::decode_covering(&frame, inner_width, inner_height)?;
        Ok(Picture::Rgb(Arc::new(fit::letterbox(&rgb, width, height))))
    }
}

impl Source for Mjpeg {
    fn describe(&self) -> String {
        let (width, height) = self.size;
        format!("{} {width}x{height} at {} fps", self.path.display(), self.fps())
    }

    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn fps(&self) -> f32 {
        self.paced.fps()
    }

    fn next(&mut self) -> Result<Captured, CameraError> {
        self.paced.sleep();
        let captured_at_us = unix_us();
        let picture = self.picture()?;
        let seq = self.seq;
        self.seq += 1;
        let (width, height) = self.size;
        Ok(Captured { seq, captured_at_us, width, height, picture })
    }
}

/// Reads whole, sound frames from the file, round and round.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    file: File,
    chunk: Vec<u8>,
    /// The part of `chunk` that is not cut yet.
    from: usize,
    to: usize,
    cutter: Cutter,
    rounds: u64,
    /// Sound frames since the file was last at its beginning.
    sound: u64,
    /// Places of frames that do not decode, found on the first round.
    damaged_at: BTreeSet<u64>,
    damaged: u64,
}

impl Reader {
    fn open(path: &Path) -> Result<Reader, CameraError> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        Ok(Reader {
            path: path.to_owned(),
            file,
            chunk: vec![0; READ_BYTES],
            from: 0,
            to: 0,
            cutter: Cutter::new(),
            rounds: 0,
            sound: 0,
            damaged_at: BTreeSet::new(),
            damaged: 0,
        })
    }

    fn broken(&self) -> u64 {
        self.cutter.broken() + self.damaged
    }

    fn next_frame(&mut self) -> Result<(Bytes, Info), CameraError> {
        loop {
            let frame = self.whole_frame()?;
            if let Some(info) = self.sound(&frame) {
                self.sound += 1;
                return Ok((frame, info));
            }
            self.damaged += 1;
        }
    }

    fn whole_frame(&mut self) -> Result<Bytes, CameraError> {
        loop {
            let mut input = &self.chunk[self.from..self.to];
            let frame = self.cutter.cut(&mut input);
            self.from = self.to - input.len();
            if let Some(frame) = frame {
                return Ok(frame);
            }
            let read = self.file.read(&mut self.chunk);
            self.to = read.map_err(|error| unreadable(&self.path, error))?;
            self.from = 0;
            if self.to == 0 {
                if let Some(frame) = self.cutter.end_of_stream() {
                    return Ok(frame);
                }
                self.rewind()?;
            }
        }
    }

    /// Goes back to the beginning of the file, if that is of any use.
    fn rewind(&mut self) -> Result<(), CameraError> {
        let broken = self.broken();
        if self.sound == 0 {
            return Err(CameraError::NoFrames { path: self.path.clone(), broken });
        }
        if self.rounds == 0 && broken > 0 {
            tracing::warn!(file = %self.path.display(), broken, "broken frames are left out");
        }
        self.sound = 0;
        self.rounds += 1;
        let start = self.file.seek(SeekFrom::Start(0));
        start.map_err(|error| unreadable(&self.path, error))?;
        Ok(())
    }

    /// The size of a frame that decodes. The full check is made on the first round only: the file
    /// is expected to stay as it is.
    fn sound(&mut self, frame: &Bytes) -> Option<Info> {
        let at = self.cutter.last_origin();
        let known = self.rounds > 0 && self.damaged_at.len() < BROKEN_REMEMBERED_MAX;
        if known {
            return if self.damaged_at.contains(&at) { None } else { jpeg::info(frame).ok() };
        }
        let info = jpeg::verify(frame).ok();
        if info.is_none() && self.damaged_at.len() < BROKEN_REMEMBERED_MAX {
            self.damaged_at.insert(at);
        }
        info
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> CameraError {
    CameraError::Io { path: path.to_owned(), source }
}
