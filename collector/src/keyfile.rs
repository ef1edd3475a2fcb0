//! Keys in files: 64 hex digits that only their owner may read. Shell.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::digest::{parse_hex, to_hex};
use ed25519_dalek::SigningKey;

use crate::store::keep_names;

/// The key in a file; none if there is no such file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Option<SigningKey>> {
    let cannot = || format!("cannot use {}", path.display());
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot),
    };
    let bytes = parse_hex(text.trim_end()).with_context(|| {
        format!(
            "{} does not hold 64 lower-case hex digits; restore it",
            path.display()
        )
    })?;
    Ok(Some(SigningKey::from_bytes(&bytes)))
}

/// The key in a file, made on first need.
pub(crate) fn read_or_create(path: &Path) -> anyhow::Result<SigningKey> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    create(path).with_context(|| format!("cannot use {}", path.display()))?;
    read(path)?.with_context(|| format!("{} is gone again", path.display()))
}

/// Writes a new key, unless somebody was quicker; a crash leaves all of it or nothing.
pub(crate) fn create(path: &Path) -> anyhow::Result<()> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("no random numbers from the operating system: {e}"))?;
    let folder = folder(path);
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(to_hex(&bytes).as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => keep_names(folder),
        }
    })();
    drop(fs::remove_file(&unfinished));
    let done: io::Result<()> = done;
    Ok(done?)
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Gives a file to whom another one belongs: a key that an administrator makes is for the collector to read.
pub(crate) fn give_as(path: &Path, other: &Path) -> anyhow::Result<()> {
    let (own, owner) = (fs::metadata(path)?, fs::metadata(other)?);
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).with_context(
            || {
                format!(
                    "cannot give {} to the owner of {}",
                    path.display(),
                    other.display()
                )
            },
        )?;
    }
    Ok(())
}

/// Puts a key in the place of another, which is gone then.
pub(crate) fn replace(path: &Path, by: &Path) -> anyhow::Result<()> {
    let done = fs::rename(by, path).and_then(|()| keep_names(folder(path)));
    done.with_context(|| {
        format!(
            "cannot put {} in the place of {}",
            by.display(),
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_to_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("some.key");
        assert!(read(&path).unwrap().is_none());
        let first = read_or_create(&path).unwrap();
        assert_eq!(read_or_create(&path).unwrap(), first);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let next = path.with_extension("next");
        create(&next).unwrap();
        let second = read(&next).unwrap().unwrap();
        replace(&path, &next).unwrap();
        assert_eq!(
            (read(&path).unwrap(), read(&next).unwrap()),
            (Some(second), None)
        );
        fs::write(&path, "short").unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("does not hold 64"), "{said}");
    }
}
