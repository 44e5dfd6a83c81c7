//! Pictures for the window, decoded at the size that they are shown in, and files that are looked at before they are sent.

use std::path::Path;
use std::sync::Arc;

use egui::ColorImage;
use tokio::sync::Semaphore;

use crate::gui::said::Said;
use crate::gui::talk::{Fault, Staged, StagedBody};
use crate::media::jpeg;
use crate::media::picture::{self, Format};
use crate::node::hidden;
use crate::node::limits::PICTURE_BYTES_MAX;
use crate::node::text::harmless;

/// Pixels of the longer side of what is shown before it is sent.
const PREVIEW_SIDE: u32 = 320;
/// Files that are looked at at one time: each may be a large picture in memory.
const STAGING_MAX: usize = 1;

/// Turns of what is looked at before it is sent.
static STAGING: Semaphore = Semaphore::const_new(STAGING_MAX);

/// A picture whose longer side has `side_max` pixels at most.
pub(super) fn decode(file: &[u8], side_max: u32) -> Result<ColorImage, Fault> {
    let side_max = side_max.max(1);
    if Format::guess(file) == Some(Format::Jpeg) && picture::is_upright(file) {
        // libjpeg makes an eighth, a quarter or half of the pixels in the first place.
        let info = jpeg::info(file).map_err(|error| Fault::of(&error))?;
        let (width, height) = fit(info.width, info.height, side_max);
        let rgb = jpeg::decode_covering(file, width, height).map_err(|error| Fault::of(&error))?;
        return shrink(rgb.width, rgb.height, false, rgb.data, (width, height));
    }
    let decoded = picture::decode(file).map_err(|error| Fault::of(&error))?;
    let size = fit(decoded.width, decoded.height, side_max);
    shrink(decoded.width, decoded.height, decoded.has_alpha, decoded.data, size)
}

/// The size with the same form whose longer side is `side_max`; never a larger one.
fn fit(width: u32, height: u32, side_max: u32) -> (u32, u32) {
    let side = width.max(height).max(1);
    if side <= side_max {
        return (width, height);
    }
    let part = |length: u32| (u64::from(length) * u64::from(side_max) / u64::from(side)).max(1) as u32;
    (part(width), part(height))
}

fn shrink(width: u32, height: u32, alpha: bool, data: Vec<u8>, size: (u32, u32)) -> Result<ColorImage, Fault> {
    let broken = || Fault::own(Said::new("fault-picture-damaged"), "the picture's size and data do not agree");
    let pixels = |(width, height): (u32, u32)| [width as usize, height as usize];
    if alpha {
        let whole = image::RgbaImage::from_raw(width, height, data).ok_or_else(broken)?;
        let small = if size == (width, height) { whole } else { image::imageops::thumbnail(&whole, size.0, size.1) };
        Ok(ColorImage::from_rgba_unmultiplied(pixels(size), &small))
    } else {
        let whole = image::RgbImage::from_raw(width, height, data).ok_or_else(broken)?;
        let small = if size == (width, height) { whole } else { image::imageops::thumbnail(&whole, size.0, size.1) };
        Ok(ColorImage::from_rgb(pixels(size), &small))
    }
}

/// Looks at what is to be sent, off the async threads, when it is its turn.
pub(super) async fn in_turn(look: impl FnOnce() -> Result<Staged, Fault> + Send + 'static) -> Result<Staged, Fault> {
    // never closed
    let _turn = STAGING.acquire().await;
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|died| Err(Fault::of(&died)))
}

/// Looks at a file that is to be sent: a picture, with what it can hide, or any other file.
pub(super) fn stage(path: &Path) -> Result<Staged, Fault> {
    let broken = |error: std::io::Error| Fault::file("fault-file-read", path, &error);
    let metadata = std::fs::metadata(path).map_err(broken)?;
    if metadata.is_dir() {
        let said = Said::new("fault-folder-sent").text("path", path.display());
        return Err(Fault::own(said, format!("{} is a folder", path.display())));
    }
    // A pipe or a device is not even opened: that may wait for ever, or never end.
    if !metadata.is_file() {
        let said = Said::new("fault-no-file").text("path", path.display());
        return Err(Fault::own(said, format!("{} is no file", path.display())));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(clip) = super::sound::clip_of(path, metadata.len()) {
        return Ok(Staged { name: harmless(&name, " "), bytes: metadata.len(), body: StagedBody::Clip(clip) });
    }
    if metadata.len() <= PICTURE_BYTES_MAX && looks_like_a_picture(path) {
        let file = std::fs::read(path).map_err(broken)?;
        // One that cannot be decoded goes as the file that it is.
        if let Ok(staged) = stage_picture(name.clone(), file) {
            return Ok(staged);
        }
    }
    Ok(Staged { name: harmless(&name, " "), bytes: metadata.len(), body: StagedBody::File(path.to_owned()) })
}

fn looks_like_a_picture(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 64];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head));
    read.is_ok_and(|read| Format::guess(&head[..read]).is_some())
}

fn stage_picture(name: String, file: Vec<u8>) -> Result<Staged, Fault> {
    let preview = Arc::new(decode(&file, PREVIEW_SIDE)?);
    let (capacity, _) = hidden::capacity(&file, false).map_err(|error| Fault::of(&error))?;
    let bytes = file.len() as u64;
    Ok(Staged { name: harmless(&name, " "), bytes, body: StagedBody::Picture { file, preview, capacity } })
}

/// A picture that was pasted: as PNG, as there is no file of it.
pub(super) fn stage_pasted(pasted: &ColorImage) -> Result<Staged, Fault> {
    let [width, height] = pasted.size;
    let (width, height) = (u32::try_from(width).unwrap_or(u32::MAX), u32::try_from(height).unwrap_or(u32::MAX));
    let opaque = pasted.pixels.iter().all(|pixel| pixel.is_opaque());
    let data: Vec<u8> = if opaque {
        pasted.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect()
    } else {
        pasted.pixels.iter().flat_map(egui::Color32::to_srgba_unmultiplied).collect()
    };
    let png = picture::encode_png(width, height, !opaque, &data).map_err(|error| Fault::of(&error))?;
    stage_picture("picture.png".to_owned(), png)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_and_keep_their_form() {
        assert_eq!(fit(4_000, 3_000, 320), (320, 240));
        assert_eq!(fit(3_000, 4_000, 320), (240, 320));
        assert_eq!(fit(100, 50, 320), (100, 50));
        assert_eq!(fit(60_000, 1, 320), (320, 1));
    }

    #[test]
    fn a_pasted_picture_comes_back_pixel_for_pixel() {
        let pixels = (0..64 * 48).map(|n: u32| egui::Color32::from_rgb(n as u8, (n / 64) as u8, 9)).collect();
        let pasted = ColorImage::new([64, 48], pixels);
        let staged = stage_pasted(&pasted).unwrap();
        let StagedBody::Picture { file, preview, .. } = &staged.body else { panic!("no picture") };
        assert_eq!(preview.pixels, pasted.pixels);
        assert_eq!(decode(file, 32).unwrap().size, [32, 24]);
        assert_eq!(decode(file, 0).unwrap().size, [1, 1]);
    }

    #[test]
    fn what_is_no_picture_goes_as_a_file_and_a_folder_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("false.png");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\nbut no more").unwrap();
        assert!(matches!(stage(&path).unwrap().body, StagedBody::File(_)));
        assert!(stage(folder.path()).unwrap_err().said.is_some());
        assert!(stage(&folder.path().join("gone")).is_err());
        assert!(decode(b"nothing", 100).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_and_a_device_are_refused_before_they_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket.png");
        let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [socket.as_path(), Path::new("/dev/null"), Path::new("/dev/zero")] {
            assert_eq!(stage(path).unwrap_err().said.unwrap().key(), "fault-no-file");
        }
    }

    #[tokio::test]
    async fn files_are_looked_at_in_turn() {
        let turn = STAGING.acquire().await.unwrap();
        let waits = tokio::spawn(in_turn(|| Err(Fault::new("looked", None))));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(turn);
        assert_eq!(waits.await.unwrap().unwrap_err().error, "looked");
    }
}
