//! What an earlier run left in the write-ahead log may be seen and yet not be on disk: its sync failed, or the
//! run was killed before it. SQLite takes it for committed when it opens the log, and puts what is new behind
//! it; a loss of power then takes both. A sync alone does not help: after a failure the kernel may take what
//! it forgot for written. So the log is written again, over itself, and synced.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::{FILE, StoreError};

/// Bytes that are written again at once.
const PART: usize = 1 << 16;

/// Writes the log again, while no other program can write to it.
pub(super) fn write_again(connection: &mut Connection, folder: &Path) -> Result<(), StoreError> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let path = of(folder);
    over_itself(&path).map_err(|source| StoreError::Log { path, source })?;
    Ok(writing.rollback()?)
}

fn of(folder: &Path) -> PathBuf {
    let mut name = OsString::from(FILE);
    name.push("-wal");
    folder.join(name)
}

/// Whatever a loss of power leaves of this, each byte is the one that was there or the one that was seen.
fn over_itself(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut part = vec![0; PART];
    let mut at = 0;
    loop {
        let read = read_at(&file, &mut part, at)?;
        if read == 0 {
            return file.sync_all();
        }
        file.write_all_at(&part[..read], at)?;
        at += read as u64;
    }
}

fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(into, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
