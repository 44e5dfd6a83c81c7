//! The file of what was chosen: read at the start, written in one step.

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item};

use crate::gui::model::settings::Settings;
use crate::gui::talk::Fault;

/// Its name in the data folder.
const FILE_NAME: &str = "app.toml";
/// A file of settings is not as long as this.
const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Broken files that are kept.
const ASIDE_MAX: u32 = 1_000;

/// Where they are kept.
#[derive(Clone)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    pub(super) fn of(data: &Path) -> Self {
        Self { path: data.join(FILE_NAME) }
    }

    /// What was chosen; the beginning where there is no file. One that cannot be read is put aside and told: it says whose
    /// keys were compared. Blocking.
    pub(super) fn read(&self) -> (Settings, Option<Fault>) {
        match self.text() {
            Ok(text) => (Settings::from_text(&text), None),
            Err(error) if error.kind() == ErrorKind::NotFound => (Settings::default(), None),
            Err(error) => {
                let lies = self.put_aside().unwrap_or_else(|_| self.path.clone());
                (Settings::default(), Some(Fault::file("fault-settings-read", &lies, &error)))
            }
        }
    }

    fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        std::fs::File::open(&self.path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > BYTES_MAX || !is_whole(&text) {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(text)
    }

    /// Gives the file a name of which none is there yet.
    fn put_aside(&self) -> io::Result<PathBuf> {
        for number in 1..=ASIDE_MAX {
            let number = if number > 1 { format!("-{number}") } else { String::new() };
            let aside = self.path.with_file_name(format!("{FILE_NAME}{number}.bad"));
            match std::fs::symlink_metadata(&aside) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return std::fs::rename(&self.path, &aside).map(|()| aside);
                }
                _ => {}
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// Keeps it, readable by its owner alone: it names people. Blocking.
    pub(super) fn write(&self, settings: &Settings) -> Result<(), Fault> {
        let write = || -> std::io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            let mut draft = tempfile::NamedTempFile::new_in(folder)?;
            draft.write_all(settings.to_text().as_bytes())?;
            draft.as_file().sync_all()?;
            draft.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error| Fault::file("fault-settings", &self.path, &error))
    }
}

/// Whether the text can be read, and all that it says of keys.
fn is_whole(text: &str) -> bool {
    let Ok(document) = text.parse::<DocumentMut>() else { return false };
    let verified = document
        .get("verified")
        .is_none_or(|keys| keys.as_array().is_some_and(|keys| keys.iter().all(|key| key.as_str().is_some())));
    let known = document.get("known").is_none_or(|known| {
        known.as_table().is_some_and(|known| known.iter().all(|(_, key)| Item::as_str(key).is_some()))
    });
    verified && known
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::of(folder.path());
        assert_eq!(file.read(), (Settings::default(), None));
        let settings = Settings { text_size: 2, ..Settings::default() };
        file.write(&Settings::default()).unwrap();
        file.write(&settings).unwrap();
        assert_eq!(file.read(), (settings.clone(), None));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        assert!(File::of(&folder.path().join("gone")).write(&settings).unwrap_err().said.is_some());
    }

    #[test]
    fn a_broken_file_is_told_and_kept_beside_whatever_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::of(folder.path());
        let path = |name: &str| folder.path().join(name);
        let broken: [&[u8]; 4] = [b"[[[", b"verified = 7\n", b"known = { bob = 1 }\n", b"\xff"];
        for (bytes, aside) in broken.iter().zip(["app.toml.bad", "app.toml-2.bad", "app.toml-3.bad", "app.toml-4.bad"])
        {
            std::fs::write(path(FILE_NAME), bytes).unwrap();
            let (settings, fault) = file.read();
            assert_eq!(settings, Settings::default());
            let fault = fault.unwrap();
            assert_eq!(fault.said.unwrap().key(), "fault-settings-read");
            assert!(fault.error.contains(aside), "{}", fault.error);
            file.write(&settings).unwrap();
            assert_eq!(file.read(), (settings, None));
        }
        assert_eq!(std::fs::read(path("app.toml.bad")).unwrap(), broken[0]);
        assert_eq!(std::fs::read(path("app.toml-4.bad")).unwrap(), broken[3]);
        // what cannot be read at all
        std::fs::remove_file(path(FILE_NAME)).unwrap();
        std::fs::create_dir(path(FILE_NAME)).unwrap();
        assert!(file.read().1.is_some());
        assert!(path("app.toml-5.bad").is_dir());
    }
}
