//! The names of the register's files survive a loss of power, too: a file that was synced in a folder that
//! nobody synced is not found again. SQLite syncs the folder of its files, and does not look whether
//! that failed; who made the folder is to sync the one above.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes a folder, with those above it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

/// Makes sure that the files in a folder will be found again. Those above are synced at each start: the
/// one that made them may have ended before it came to it.
pub(crate) fn keep_names(folder: &Path) -> io::Result<()> {
    let folder = folder.canonicalize()?;
    File::open(&folder)?.sync_all()?;
    for above in folder.ancestors().skip(1) {
        match File::open(above).and_then(|opened| opened.sync_all()) {
            Err(error) if !made_elsewhere(&error) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a folder cannot be synced because it is not for this program to change, or of a file system
/// that has no such thing: it was not made here.
fn made_elsewhere(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::InvalidInput
    )
}
