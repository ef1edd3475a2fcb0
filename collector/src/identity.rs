//! The collector's own key, with which it signs answers that others carry. In the register's folder, created on first need. Shell.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::digest::{Digest, parse_hex, to_hex};
use clause9_shared::wire::answer;
use ed25519_dalek::SigningKey;

use crate::config::CollectorConfig;

/// Name of the file in the register's folder.
const FILE: &str = "identity.key";

/// The id that agents are told to believe.
pub fn identity(config: &CollectorConfig) -> anyhow::Result<Digest> {
    let plan = config.resolve()?;
    Ok(answer::signer(&signing_key(&plan.store)?))
}

/// The key of the register in a folder.
pub(crate) fn signing_key(store: &Path) -> anyhow::Result<SigningKey> {
    let path = store.join(FILE);
    let read = || match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let cannot = || format!("cannot use {}", path.display());
    let found = if let Some(text) = read().with_context(cannot)? {
        text
    } else {
        create(&path).with_context(cannot)?;
        read().with_context(cannot)?.unwrap_or_default()
    };
    let bytes = parse_hex(found.trim_end()).with_context(|| {
        format!(
            "{} does not hold 64 lower-case hex digits; restore it, or delete it to have a new one and tell the agents",
            path.display()
        )
    })?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// Writes a new key, unless somebody was quicker; a crash leaves all of it or nothing.
fn create(path: &Path) -> anyhow::Result<()> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("no random numbers from the operating system: {e}"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
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
            Ok(()) | Err(_) => fs::File::open(folder)?.sync_all(),
        }
    })();
    drop(fs::remove_file(&unfinished));
    let done: io::Result<()> = done;
    Ok(done?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_to_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("new");
        let first = signing_key(&store).unwrap();
        assert_eq!(signing_key(&store).unwrap(), first);
        let mode = fs::metadata(store.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&store).unwrap().count(), 1);
        fs::write(store.join(FILE), "short").unwrap();
        let said = signing_key(&store).unwrap_err().to_string();
        assert!(said.contains("does not hold 64"), "{said}");
    }
}
