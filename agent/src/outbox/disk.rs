//! What the outbox asks of a disk: a folder of files, one level deep. Few enough operations that each can
//! be made to fail, or be forgotten by a loss of power, in a simulation.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder of files.
///
/// What is written is there after a crash of the process. After a loss of power it is there for certain only
/// if [`Disk::sync`] came back without an error since, and the file's name only if
/// [`Disk::sync_folder`] did.
pub trait Disk: Send + Sync {
    /// An open file.
    type File: Send + Sync;

    /// Names and lengths of the files.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// Makes a file that is not there yet.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file that is there, to be read and written.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Fills the bytes from there on; an error if the file ends before.
    fn read_at(&self, file: &Self::File, at: u64, into: &mut [u8]) -> io::Result<()>;
    /// Writes the bytes there.
    fn write_at(&self, file: &Self::File, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns once what the file holds survives a loss of power.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Returns once names that were made and removed survive a loss of power.
    fn sync_folder(&self) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A folder of the file system, closed to others.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at that path; it need not be there yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Disk for Folder {
    type File = File;

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        // Whatever kept it from being made before may be over.
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&self.path)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if let (true, Ok(name)) = (about.is_file(), entry.file_name().into_string()) {
                files.push((name, about.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(0o600);
        options.open(self.path.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).open(self.path.join(name))
    }

    fn read_at(&self, file: &File, at: u64, into: &mut [u8]) -> io::Result<()> {
        file.read_exact_at(into, at)
    }

    fn write_at(&self, file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}
