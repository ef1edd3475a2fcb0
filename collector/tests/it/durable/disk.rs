//! A disk that may lose power: what it is sure to hold, and what it was only told. A change of a file is
//! sure after the next sync of that file, a name after the next sync of its folder, and neither
//! stands for the other. That is what POSIX promises; most file systems keep more.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::events::{Event, INDEX};
use super::script::Lot;

/// What a disk writes at once, or not at all: the least that any promises, and what many do.
const SECTORS: [usize; 2] = [512, 4096];

/// A change of a file's content.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Resize(length) => to.resize(*length, 0),
        }
    }

    /// Some sectors of it.
    fn torn(&self, sector: usize, lot: &mut Lot) -> Vec<Self> {
        match self {
            Self::Resize(length) => vec![Self::Resize(*length)],
            Self::Write { at, bytes } => {
                let mut parts = Vec::new();
                let mut from = 0;
                while from < bytes.len() {
                    let to = (((at + from) / sector + 1) * sector - at).min(bytes.len());
                    if lot.below(2) == 0 {
                        let (at, bytes) = (at + from, bytes[from..to].to_vec());
                        parts.push(Self::Write { at, bytes });
                    }
                    from = to;
                }
                parts
            }
        }
    }
}

#[derive(Debug, Default)]
struct File {
    sure: Vec<u8>,
    told: Vec<Change>,
    /// As programs see it.
    seen: Vec<u8>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Folder,
    File(usize),
}

/// A change of a folder: a name with what it stands for from then on.
type Naming = (PathBuf, Option<Named>);

/// What survives of that which is not sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    Nothing,
    /// As after a kill.
    All,
    /// Each change or not, by lot.
    Some,
    /// All up to one change, and some sectors of that.
    Torn,
}

/// The disk, and what it was told.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    sure: BTreeMap<PathBuf, Named>,
    told: Vec<Naming>,
}

impl Disk {
    /// Names as programs see them.
    fn seen(&self) -> BTreeMap<PathBuf, Named> {
        named(&self.sure, &self.told)
    }

    fn file(&mut self, path: &Path) -> &mut File {
        match self.seen().get(path) {
            Some(Named::File(index)) => &mut self.files[*index],
            Some(Named::Folder) | None => panic!("{} is no file", path.display()),
        }
    }

    /// Takes a system call in. True if more is sure than before.
    pub(crate) fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Folder(path) => self.told.push((path.clone(), Some(Named::Folder))),
            Event::Create(path) => {
                if !self.seen().contains_key(path) {
                    self.files.push(File::default());
                    let made = Named::File(self.files.len() - 1);
                    self.told.push((path.clone(), Some(made)));
                }
            }
            Event::Write { path, at, bytes } => {
                let (at, bytes) = (*at, bytes.clone());
                self.file(path).tell(Change::Write { at, bytes });
            }
            Event::Resize(path, length) => self.file(path).tell(Change::Resize(*length)),
            Event::Failed(path) => self.fail(path),
            Event::Unlink(path) => self.told.push((path.clone(), None)),
            Event::Link(from, to) => {
                let same = self.seen().get(from).copied();
                self.told.push((to.clone(), same));
            }
            Event::Sync(path) => return self.sync(path),
            Event::Answer(_) | Event::Restart => {}
        }
        false
    }

    /// What a file was to hold is forgotten; programs see it until the power goes. Names stay to be synced.
    fn fail(&mut self, path: &Path) {
        if let Some(Named::File(index)) = self.seen().get(path) {
            self.files[*index].told.clear();
        }
    }

    fn sync(&mut self, path: &Path) -> bool {
        let seen = self.seen();
        if let Some(Named::File(index)) = seen.get(path) {
            let File { sure, told, .. } = &mut self.files[*index];
            let changed = !told.is_empty();
            told.drain(..).for_each(|change| change.apply(sure));
            return changed;
        }
        let (kept, waiting) = std::mem::take(&mut self.told)
            .into_iter()
            .partition::<Vec<_>, _>(|(name, _)| name.parent() == Some(path));
        self.told = waiting;
        self.sure = named(&self.sure, &kept);
        !kept.is_empty()
    }

    /// What is found after the power went.
    pub(crate) fn image(&self, survives: Survives, lot: &mut Lot) -> Image {
        let names: Vec<_> = match survives {
            Survives::Nothing => Vec::new(),
            Survives::All | Survives::Torn => self.told.clone(),
            Survives::Some => {
                let kept = self.told.iter().filter(|_| lot.below(2) == 0);
                kept.cloned().collect()
            }
        };
        let names = named(&self.sure, &names);
        let mut image = Image::default();
        for (path, what) in &names {
            // What stands in a folder that is gone is gone.
            let mut folders = path.ancestors().skip(1).filter(|f| *f != Path::new(""));
            if !folders.all(|f| names.get(f) == Some(&Named::Folder)) {
                continue;
            }
            match what {
                Named::Folder => {
                    image.folders.insert(path.clone());
                }
                Named::File(index) => {
                    let content = self.files[*index].content(survives, lot);
                    image.files.insert(path.clone(), content);
                }
            }
        }
        image
    }
}

fn named(sure: &BTreeMap<PathBuf, Named>, told: &[Naming]) -> BTreeMap<PathBuf, Named> {
    let mut names = sure.clone();
    for (name, what) in told {
        match what {
            Some(what) => names.insert(name.clone(), *what),
            None => names.remove(name),
        };
    }
    names
}

impl File {
    fn tell(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.told.push(change);
    }

    fn content(&self, survives: Survives, lot: &mut Lot) -> Vec<u8> {
        let mut content = self.sure.clone();
        match survives {
            Survives::Nothing => {}
            Survives::All => content.clone_from(&self.seen),
            Survives::Some => {
                let kept = self.told.iter().filter(|_| lot.below(2) == 0);
                kept.for_each(|c| c.apply(&mut content));
            }
            Survives::Torn if self.told.is_empty() => {}
            Survives::Torn => {
                let torn = lot.below(self.told.len());
                self.told[..torn].iter().for_each(|c| c.apply(&mut content));
                let sector = SECTORS[lot.below(SECTORS.len())];
                let parts = self.told[torn].torn(sector, lot);
                for part in parts {
                    part.apply(&mut content);
                }
            }
        }
        content
    }
}

/// What a disk holds.
#[derive(Debug, Default, Hash)]
pub(crate) struct Image {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// Equal images have equal numbers.
    pub(crate) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether a folder below `root` holds what this image says: else the model is wrong.
    pub(crate) fn assert_is(&self, root: &Path, folder: &str) {
        let found = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(root).unwrap().to_owned();
            (below, std::fs::read(path).unwrap())
        });
        let found: BTreeMap<_, _> = found
            .filter(|(p, _)| !p.to_string_lossy().ends_with(INDEX))
            .collect();
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<_> {
            files.iter().map(|(p, c)| (p.clone(), c.len())).collect()
        };
        assert_eq!(names(&self.files), names(&found));
        assert!(self.files == found, "other bytes than were recorded");
    }

    /// Lays it out in a folder, where nothing else of it is left.
    pub(crate) fn lay_out(&self, root: &Path, tops: &[&str]) {
        for top in tops {
            let _ = std::fs::remove_dir_all(root.join(top));
        }
        for folder in &self.folders {
            std::fs::create_dir(root.join(folder)).unwrap();
        }
        for (path, content) in &self.files {
            std::fs::write(root.join(path), content).unwrap();
        }
    }
}

#[test]
fn a_disk_keeps_what_was_synced_and_a_name_only_with_its_folder() {
    let path = |p: &str| PathBuf::from(p);
    let write = |bytes: &[u8]| Event::Write {
        path: path("a/b"),
        at: 0,
        bytes: bytes.to_vec(),
    };
    let mut disk = Disk::default();
    let nothing = |disk: &Disk| disk.image(Survives::Nothing, &mut Lot::new(1));
    let steps = [
        (Event::Folder(path("a")), false),
        (Event::Create(path("a/b")), false),
        (write(b"one"), false),
        (Event::Sync(path("a/b")), true),
        (Event::Sync(path("a")), true),
    ];
    for (step, surer) in steps {
        assert_eq!(disk.take(&step), surer, "{step:?}");
        assert!(nothing(&disk).files.is_empty(), "{step:?}");
    }
    assert!(disk.take(&Event::Sync(path(""))));
    assert_eq!(nothing(&disk).files[&path("a/b")], b"one");
    disk.take(&write(b"two"));
    assert_eq!(nothing(&disk).files[&path("a/b")], b"one");
    let all = disk.image(Survives::All, &mut Lot::new(1));
    assert_eq!(all.files[&path("a/b")], b"two");
    disk.take(&Event::Failed(path("a/b")));
    disk.take(&Event::Sync(path("a/b")));
    assert_eq!(nothing(&disk).files[&path("a/b")], b"one", "forgotten");
    disk.take(&Event::Unlink(path("a/b")));
    assert_eq!(nothing(&disk).files[&path("a/b")], b"one");
    disk.take(&Event::Sync(path("a")));
    assert!(nothing(&disk).files.is_empty());
}
