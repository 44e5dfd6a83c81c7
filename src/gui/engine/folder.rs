//! Folders, listed for the chooser of files.

use std::path::{Path, PathBuf};

use crate::gui::talk::{Fault, Folder, FolderEntry};
use crate::node::text::one_line;

/// Entries of a folder that are listed at most.
const ENTRIES_MAX: usize = 5_000;

/// Lists a folder; without one the home. Folders come first, hidden files not at all. Blocking.
pub(super) fn list(path: Option<&Path>) -> Result<Folder, Fault> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => directories::UserDirs::new().map_or_else(|| PathBuf::from("."), |dirs| dirs.home_dir().to_owned()),
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let fault = |error: std::io::Error| Fault::file("fault-folder-list", &path, &error);
    let mut entries: Vec<FolderEntry> = std::fs::read_dir(&path)
        .map_err(fault)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // what a link points to is what is chosen
            let metadata = std::fs::metadata(entry.path()).ok()?;
            let shown = !name.starts_with('.') && (metadata.is_dir() || metadata.is_file());
            shown.then(|| FolderEntry {
                name: one_line(&name),
                path: entry.path(),
                is_folder: metadata.is_dir(),
                bytes: metadata.len(),
            })
        })
        .take(ENTRIES_MAX)
        .collect();
    entries.sort_by_key(|entry| (!entry.is_folder, entry.name.to_lowercase()));
    Ok(Folder { parent: path.parent().map(Path::to_owned), path, entries })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_hidden_files_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        for name in ["b.txt", "A.txt", ".hidden"] {
            std::fs::write(place.path().join(name), "12345").unwrap();
        }
        std::fs::create_dir(place.path().join("z")).unwrap();
        let folder = list(Some(place.path())).unwrap();
        let names: Vec<&str> = folder.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["z", "A.txt", "b.txt"]);
        assert_eq!((folder.entries[1].bytes, folder.entries[0].is_folder), (5, true));
        assert_eq!(folder.parent.as_deref(), place.path().parent());
        assert!(list(Some(&place.path().join("gone"))).is_err());
        assert!(list(Some(&place.path().join("b.txt"))).is_err());
    }
}
