//! The file of what was chosen: read at the start, written in one step.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::gui::model::settings::Settings;
use crate::gui::talk::Fault;

/// Its name in the data folder.
const FILE_NAME: &str = "app.toml";
/// A file of settings is not as long as this.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where they are kept.
#[derive(Clone)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    pub(super) fn of(data: &Path) -> Self {
        Self { path: data.join(FILE_NAME) }
    }

    /// What was chosen; the beginning where there is no file. Blocking.
    pub(super) fn read(&self) -> Settings {
        let whole = std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() <= BYTES_MAX);
        let text = whole.then(|| std::fs::read_to_string(&self.path).ok()).flatten();
        text.map(|text| Settings::from_text(&text)).unwrap_or_default()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::of(folder.path());
        assert_eq!(file.read(), Settings::default());
        let settings = Settings { text_size: 2, ..Settings::default() };
        file.write(&Settings::default()).unwrap();
        file.write(&settings).unwrap();
        assert_eq!(file.read(), settings);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        assert!(File::of(&folder.path().join("gone")).write(&settings).unwrap_err().said.is_some());
    }
}
