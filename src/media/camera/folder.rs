//! A folder of still pictures as an endless camera.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::fit;
use super::pace::Paced;
use super::{CameraError, Captured, Picture, Settings, Source, unix_us};
use crate::media::jpeg::{self, Rgb};
use crate::media::picture::{self, INPUT_BYTES_MAX, PictureError};

/// Most pictures of a folder.
pub const FOLDER_PICTURES_MAX: usize = 100_000;
/// Most bytes of pictures that are kept ready between rounds.
pub const FOLDER_CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Extensions of files that are taken for pictures.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "bmp", "gif"];

/// Shows the pictures of a folder in the order of their names, round and round.
///
/// A JPEG of the right size passes through untouched; others are decoded and letterboxed. The list
/// of names is read once; a file that changes is read anew, one that does not decode is left out.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    names: Vec<PathBuf>,
    /// Index of the picture that comes next.
    at: usize,
    size: (u32, u32),
    paced: Paced,
    seq: u64,
    cache: Cache,
}

impl Folder {
    /// Lists the folder and finds its first picture, which also gives the size when none is asked
    /// for.
    ///
    /// # Errors
    /// [`CameraError::Io`], [`CameraError::NoPictures`], [`CameraError::TooManyPictures`], and
    /// settings out of bounds.
    pub fn open(path: &Path, settings: &Settings) -> Result<Folder, CameraError> {
        settings.check()?;
        let mut folder = Folder {
            path: path.to_owned(),
            names: list(path)?,
            at: 0,
            size: settings.size.unwrap_or((0, 0)),
            paced: Paced::new(settings.fps),
            seq: 0,
            cache: Cache::default(),
        };
        // The first picture that decodes; a size of nought makes it give its own.
        folder.picture()?;
        folder.at = 0;
        Ok(folder)
    }

    /// The next picture at once, without waiting until it is due.
    ///
    /// # Errors
    /// [`CameraError::NoPictures`] when none of the files decodes any more.
    pub fn picture(&mut self) -> Result<Picture, CameraError> {
        for _ in 0..self.names.len() {
            let index = self.at;
            self.at = (self.at + 1) % self.names.len();
            if let Some(picture) = self.ready(index) {
                return Ok(picture);
            }
        }
        Err(CameraError::NoPictures { path: self.path.clone(), skipped: self.names.len() })
    }

    /// The picture of one file, from the cache if the file is as it was.
    fn ready(&mut self, index: usize) -> Option<Picture> {
        let path = &self.names[index];
        let print = print_of(path);
        if let Some(known) = self.cache.find(index, print) {
            return known;
        }
        let picture = match prepare(path, &mut self.size) {
            Ok(picture) => Some(picture),
            Err(why) => {
                tracing::warn!(file = %path.display(), %why, "picture is left out");
                None
            }
        };
        self.cache.keep(index, print, picture.clone());
        picture
    }
}

impl Source for Folder {
    fn describe(&self) -> String {
        let (width, height) = self.size;
        format!("{} pictures of {} {width}x{height} at {} fps", self.names.len(), self.path.display(), self.fps())
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

/// The picture files directly in `folder`, by name.
fn list(folder: &Path) -> Result<Vec<PathBuf>, CameraError> {
    let unreadable = |source| CameraError::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let extension = path.extension().map(|ext| ext.to_ascii_lowercase());
        let known = extension.as_ref().and_then(|ext| ext.to_str()).is_some_and(|ext| EXTENSIONS.contains(&ext));
        if !known || !path.is_file() {
            continue;
        }
        if names.len() == FOLDER_PICTURES_MAX {
            return Err(CameraError::TooManyPictures { path: folder.to_owned() });
        }
        names.push(path);
    }
    names.sort();
    if names.is_empty() {
        return Err(CameraError::NoPictures { path: folder.to_owned(), skipped: 0 });
    }
    Ok(names)
}

/// Why a file of the folder is left out.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Reads one file and brings it to `size`, or sets `size` from it when that is nought.
fn prepare(path: &Path, size: &mut (u32, u32)) -> Result<Picture, Unusable> {
    let length = std::fs::metadata(path)?.len();
    if length > INPUT_BYTES_MAX as u64 {
        return Err(PictureError::InputTooLong { bytes: length }.into());
    }
    let bytes = std::fs::read(path)?;
    // An upright JPEG that needs no scaling and decodes as a whole goes out as it is.
    if let Ok(info) = jpeg::verify(&bytes)
        && picture::is_upright(&bytes)
    {
        let own = (info.width, info.height);
        if *size == (0, 0) {
            *size = fit::own_size(own.0, own.1);
        }
        if own == *size {
            return Ok(Picture::Jpeg(Bytes::from(bytes)));
        }
    }
    let decoded = picture::decode(&bytes)?;
    if *size == (0, 0) {
        *size = fit::own_size(decoded.width, decoded.height);
    }
    let rgb: Rgb = decoded.into_rgb();
    Ok(Picture::Rgb(Arc::new(fit::letterbox(&rgb, size.0, size.1))))
}

/// Time of the last change and length: by these a changed file is told from an unchanged one.
type Print = Option<(SystemTime, u64)>;

fn print_of(path: &Path) -> Print {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Pictures made ready earlier, up to [`FOLDER_CACHE_BYTES_MAX`]; files that do not decode are
/// remembered too, so that each is reported once.
#[derive(Debug, Default)]
struct Cache {
    entries: BTreeMap<usize, (Print, Option<Picture>)>,
    bytes: usize,
}

impl Cache {
    fn find(&self, index: usize, print: Print) -> Option<Option<Picture>> {
        let (known, picture) = self.entries.get(&index)?;
        (*known == print).then(|| picture.clone())
    }

    fn keep(&mut self, index: usize, print: Print, picture: Option<Picture>) {
        if let Some((_, Some(old))) = self.entries.remove(&index) {
            self.bytes -= cost(&old);
        }
        let cost = picture.as_ref().map_or(0, cost);
        if self.bytes + cost <= FOLDER_CACHE_BYTES_MAX {
            self.bytes += cost;
            self.entries.insert(index, (print, picture));
        }
    }
}

fn cost(picture: &Picture) -> usize {
    match picture {
        Picture::Jpeg(bytes) => bytes.len(),
        Picture::Rgb(rgb) => rgb.data.len(),
        Picture::Yuv(yuv) => yuv.data.len(),
    }
}
