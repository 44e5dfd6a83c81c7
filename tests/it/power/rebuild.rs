//! From a log to the folder that a disk may hold after a power cut: pure.
//!
//! A disk keeps what was written to a file before a sync of it began that has ended, and the names that a folder had
//! before a sync of it. Of everything else it keeps what it likes, in whatever order, down to single sectors. A rename is
//! one step of the file system's journal: the old name or the new one, never both or neither.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::log::{Op, Record};

/// What a disk writes as one.
const SECTOR_BYTES: usize = 512;
/// The ending of SQLite's shared memory, which is no more than memory.
const SHARED_MEMORY: &str = "-shm";

/// What becomes of something that no sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Lost,
    /// Each sector by itself.
    Torn,
}

/// Decides over what no sync covers. Names are kept or lost.
pub(super) trait Fates {
    fn of_write(&mut self) -> Fate;
    fn of_sector(&mut self) -> bool;
    fn of_name(&mut self) -> bool;
}

/// Every file and folder, by its path below the recorded one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) folders: BTreeSet<String>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Puts everything into `top`, which is there.
    pub(super) fn write(&self, top: &Path) {
        for folder in &self.folders {
            std::fs::create_dir(top.join(folder)).unwrap();
        }
        for (path, bytes) in &self.files {
            std::fs::write(top.join(path), bytes).unwrap();
        }
    }

    /// What is in `top` below `part`, as a log of it would have it.
    pub(super) fn read(top: &Path, part: &str) -> Self {
        let mut tree = Self::default();
        let mut waiting = vec![part.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(top.join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
                if entry.path().is_dir() {
                    waiting.push(path);
                } else if !path.ends_with(SHARED_MEMORY) {
                    tree.files.insert(path, std::fs::read(entry.path()).unwrap());
                }
            }
            tree.folders.insert(folder);
        }
        tree
    }
}

/// A name leads to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Folder,
    /// An index of [`Disk::files`].
    File(usize),
}

#[derive(Debug, Clone)]
enum Change<'a> {
    Write(u64, &'a [u8]),
    Resize(u64),
}

#[derive(Debug, Default)]
struct File<'a> {
    durable: Vec<u8>,
    /// With the number of the record.
    pending: Vec<(usize, Change<'a>)>,
}

/// One step of the journal: what these names lead to from now on.
#[derive(Debug)]
struct Names<'a> {
    number: usize,
    set: Vec<(&'a str, Option<Target>)>,
}

/// A disk and what is on its way to it.
#[derive(Debug, Default)]
pub(super) struct Disk<'a> {
    files: Vec<File<'a>>,
    by_inode: HashMap<u64, usize>,
    durable: BTreeMap<&'a str, Target>,
    pending: Vec<Names<'a>>,
    /// The names that programs see.
    seen: BTreeMap<&'a str, Target>,
    begun: HashMap<u64, usize>,
    /// What the shim could not follow, and maps through which more than memory is written.
    pub(super) unknown: Vec<String>,
}

impl<'a> Disk<'a> {
    /// The disk when these records have been made.
    pub(super) fn after(records: &[Record<'a>]) -> Self {
        let mut disk = Self::default();
        for (number, record) in records.iter().enumerate() {
            disk.apply(number, &record.op);
        }
        disk
    }

    fn apply(&mut self, number: usize, op: &Op<'a>) {
        match *op {
            Op::Create { path, inode } => {
                self.by_inode.insert(inode, self.files.len());
                self.name(number, vec![(path, Some(Target::File(self.files.len())))]);
                self.files.push(File::default());
            }
            Op::MakeFolder { path } => self.name(number, vec![(path, Some(Target::Folder))]),
            Op::Write { inode, offset, bytes } => self.change(inode, number, Change::Write(offset, bytes)),
            Op::Resize { inode, bytes } => self.change(inode, number, Change::Resize(bytes)),
            Op::SyncBegin { sync, .. } | Op::SyncNamesBegin { sync, .. } => drop(self.begun.insert(sync, number)),
            Op::SyncEnd { inode, sync } => {
                if let (Some(begun), Some(&file)) = (self.begun.remove(&sync), self.by_inode.get(&inode)) {
                    self.files[file].sync(begun);
                }
            }
            Op::SyncNamesEnd { folder, sync } => {
                if let Some(begun) = self.begun.remove(&sync) {
                    self.sync_names(folder, begun);
                }
            }
            Op::Rename { from, to } => match self.seen.get(from).copied() {
                Some(target @ Target::File(_)) => self.name(number, vec![(from, None), (to, Some(target))]),
                _ => self.unknown.push(format!("{from} becomes {to}")),
            },
            Op::Remove { path } => self.name(number, vec![(path, None)]),
            Op::Link { from, to } => match self.seen.get(from).copied() {
                Some(target) => self.name(number, vec![(to, Some(target))]),
                None => self.unknown.push(format!("{to} is linked to {from}")),
            },
            Op::Map { path } if path.ends_with(SHARED_MEMORY) => {}
            Op::Map { path } | Op::Unknown { path } => self.unknown.push(path.to_owned()),
        }
    }

    fn name(&mut self, number: usize, set: Vec<(&'a str, Option<Target>)>) {
        for &(path, target) in &set {
            assign(&mut self.seen, path, target);
        }
        self.pending.push(Names { number, set });
    }

    fn change(&mut self, inode: u64, number: usize, change: Change<'a>) {
        match self.by_inode.get(&inode) {
            Some(&file) => self.files[file].pending.push((number, change)),
            None => self.unknown.push(format!("inode {inode}")),
        }
    }

    /// What stands in `folder` is as it was when the sync began.
    fn sync_names(&mut self, folder: &str, begun: usize) {
        let is_in = |path: &str| path.rsplit_once('/').map_or("", |(parent, _)| parent) == folder;
        for step in std::mem::take(&mut self.pending) {
            if step.number < begun && step.set.iter().any(|(path, _)| is_in(path)) {
                step.apply(&mut self.durable);
            } else {
                self.pending.push(step);
            }
        }
    }

    /// What is found after a cut now.
    pub(super) fn cut(&self, fates: &mut impl Fates) -> Tree {
        let mut names = self.durable.clone();
        for step in &self.pending {
            if fates.of_name() {
                step.apply(&mut names);
            }
        }
        let files: Vec<Vec<u8>> = self.files.iter().map(|file| file.cut(fates)).collect();
        tree(&names, &files)
    }

    /// What programs see now.
    pub(super) fn seen(&self) -> Tree {
        let files: Vec<Vec<u8>> = self.files.iter().map(|file| file.cut(&mut Everything)).collect();
        tree(&self.seen, &files)
    }
}

impl<'a> Names<'a> {
    fn apply(&self, names: &mut BTreeMap<&'a str, Target>) {
        for &(path, target) in &self.set {
            assign(names, path, target);
        }
    }
}

fn assign<'a>(names: &mut BTreeMap<&'a str, Target>, path: &'a str, target: Option<Target>) {
    match target {
        Some(target) => names.insert(path, target),
        None => names.remove(path),
    };
}

/// What can be reached from the top: a name in a folder that is lost is lost too.
fn tree(names: &BTreeMap<&str, Target>, files: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::default();
    for (&path, target) in names {
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        if parent.is_some_and(|parent| !tree.folders.contains(parent)) || path.ends_with(SHARED_MEMORY) {
            continue;
        }
        match *target {
            Target::Folder => drop(tree.folders.insert(path.to_owned())),
            Target::File(file) => drop(tree.files.insert(path.to_owned(), files[file].clone())),
        }
    }
    tree
}

impl File<'_> {
    fn sync(&mut self, begun: usize) {
        for (number, change) in std::mem::take(&mut self.pending) {
            match number < begun {
                true => change.apply(&mut self.durable, &mut Everything),
                false => self.pending.push((number, change)),
            }
        }
    }

    fn cut(&self, fates: &mut impl Fates) -> Vec<u8> {
        let mut content = self.durable.clone();
        for (_, change) in &self.pending {
            change.apply(&mut content, fates);
        }
        content
    }
}

impl Change<'_> {
    fn apply(&self, content: &mut Vec<u8>, fates: &mut impl Fates) {
        let fate = fates.of_write();
        match (self, fate) {
            (_, Fate::Lost) => {}
            (Self::Resize(bytes), _) => content.resize(*bytes as usize, 0),
            (Self::Write(offset, bytes), fate) => {
                let start = *offset as usize;
                // The size is on the disk though a sector may not be: that reads as zeros.
                content.resize(content.len().max(start + bytes.len()), 0);
                let mut at = 0;
                while at < bytes.len() {
                    let end = bytes.len().min((start + at) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - start);
                    if fate == Fate::Kept || fates.of_sector() {
                        content[start + at..start + end].copy_from_slice(&bytes[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
}

/// No cut at all.
struct Everything;

impl Fates for Everything {
    fn of_write(&mut self) -> Fate {
        Fate::Kept
    }

    fn of_sector(&mut self) -> bool {
        true
    }

    fn of_name(&mut self) -> bool {
        true
    }
}

/// The cruellest disk: nothing that was not synced is there.
pub(super) struct Nothing;

impl Fates for Nothing {
    fn of_write(&mut self) -> Fate {
        Fate::Lost
    }

    fn of_sector(&mut self) -> bool {
        false
    }

    fn of_name(&mut self) -> bool {
        false
    }
}

mod tests {
    use super::*;

    fn disk<'a>(ops: &[Op<'a>]) -> Disk<'a> {
        let records: Vec<_> = ops.iter().map(|op| Record { op: op.clone(), end: 0 }).collect();
        Disk::after(&records)
    }

    fn write<'a>(inode: u64, offset: u64, bytes: &'a [u8]) -> Op<'a> {
        Op::Write { inode, offset, bytes }
    }

    fn synced<'a>(inode: u64) -> [Op<'a>; 2] {
        [Op::SyncBegin { inode, sync: 1 }, Op::SyncEnd { inode, sync: 1 }]
    }

    fn names_synced(folder: &str) -> [Op<'_>; 2] {
        [Op::SyncNamesBegin { folder, sync: 2 }, Op::SyncNamesEnd { folder, sync: 2 }]
    }

    const A: Op<'_> = Op::Create { path: "a", inode: 7 };

    fn file(disk: &Disk<'_>, path: &str) -> Option<Vec<u8>> {
        assert_eq!(disk.unknown, Vec::<String>::new());
        disk.cut(&mut Nothing).files.get(path).cloned()
    }

    /// Keeps what it is told to, in turn.
    struct Told(std::vec::IntoIter<bool>, Fate);

    impl Told {
        fn new(kept: impl Into<Vec<bool>>, write: Fate) -> Self {
            Self(kept.into().into_iter(), write)
        }
    }

    impl Fates for Told {
        fn of_write(&mut self) -> Fate {
            self.1
        }

        fn of_sector(&mut self) -> bool {
            self.0.next().unwrap()
        }

        fn of_name(&mut self) -> bool {
            self.0.next().unwrap()
        }
    }

    #[test]
    fn a_name_lasts_from_the_sync_of_its_folder_and_bytes_from_that_of_their_file() {
        let mut ops = vec![A, write(7, 0, b"one")];
        ops.extend(synced(7));
        assert_eq!(file(&disk(&ops), "a"), None, "the name is not on the disk");
        ops.extend(names_synced(""));
        assert_eq!(file(&disk(&ops), "a"), Some(b"one".to_vec()));
        ops.push(write(7, 3, b", two"));
        assert_eq!(file(&disk(&ops), "a"), Some(b"one".to_vec()));
        assert_eq!(disk(&ops).seen().files["a"], b"one, two");
        ops.push(Op::Remove { path: "a" });
        assert_eq!(file(&disk(&ops), "a"), Some(b"one".to_vec()), "the removal is not on the disk either");
        assert!(disk(&ops).seen().files.is_empty());
    }

    #[test]
    fn what_is_written_during_a_sync_is_not_covered_by_it() {
        let mut ops = vec![A];
        ops.extend(names_synced(""));
        let [begin, end] = synced(7);
        ops.extend([write(7, 0, b"before"), begin, write(7, 0, b"during"), Op::Create { path: "b", inode: 8 }]);
        assert_eq!(file(&disk(&ops), "a"), Some(Vec::new()), "it has not ended");
        ops.push(end);
        assert_eq!(file(&disk(&ops), "a"), Some(b"before".to_vec()));
    }

    #[test]
    fn a_rename_is_the_old_name_or_the_new_one() {
        let mut ops = vec![Op::MakeFolder { path: "d" }, A, write(7, 0, b"x")];
        ops.extend(synced(7));
        ops.extend(names_synced(""));
        ops.push(Op::Rename { from: "a", to: "d/b" });
        let places = |disk: &Disk<'_>, kept: bool| {
            disk.cut(&mut Told::new([kept], Fate::Lost)).files.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(places(&disk(&ops), false), ["a"]);
        assert_eq!(places(&disk(&ops), true), ["d/b"]);
        ops.extend(names_synced("d"));
        assert_eq!(file(&disk(&ops), "a"), None);
        assert_eq!(file(&disk(&ops), "d/b"), Some(b"x".to_vec()));
    }

    #[test]
    fn what_stands_in_a_folder_that_is_lost_is_lost() {
        let mut ops = vec![Op::MakeFolder { path: "d" }, Op::Create { path: "d/a", inode: 7 }];
        ops.extend(names_synced("d"));
        assert_eq!(disk(&ops).cut(&mut Nothing), Tree::default());
        ops.extend(names_synced(""));
        assert!(file(&disk(&ops), "d/a").is_some());
    }

    #[test]
    fn a_write_is_torn_where_sectors_meet() {
        let bytes = [1; 1_000];
        let mut ops = vec![A, write(7, 0, &[9; 600])];
        ops.extend(synced(7));
        ops.extend(names_synced(""));
        ops.push(write(7, 100, &bytes));
        // Of 412, 512 and 76 bytes the second part is there.
        let torn = disk(&ops).cut(&mut Told::new([false, true, false], Fate::Torn));
        let wanted = [[9; 512].as_slice(), &[1; 512], &[0; 76]].concat();
        assert!(torn.files["a"] == wanted);
    }

    #[test]
    fn a_name_that_is_given_again_leads_to_another_file_though_the_inode_is_the_same() {
        let mut ops = vec![A, write(7, 0, b"old")];
        ops.extend(synced(7));
        ops.extend(names_synced(""));
        ops.extend([Op::Remove { path: "a" }, A, write(7, 0, b"new")]);
        ops.extend(synced(7));
        assert_eq!(file(&disk(&ops), "a"), Some(b"old".to_vec()));
        ops.extend(names_synced(""));
        assert_eq!(file(&disk(&ops), "a"), Some(b"new".to_vec()));
    }

    #[test]
    fn maps_are_found_and_shared_memory_is_none() {
        let ops = [Op::Create { path: "a-shm", inode: 7 }, Op::Map { path: "a-shm" }];
        assert!(disk(&ops).unknown.is_empty());
        assert!(disk(&ops).seen().files.is_empty());
        assert_eq!(disk(&[A, Op::Map { path: "a" }]).unknown, ["a"]);
    }
}
