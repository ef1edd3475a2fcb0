//! Secrets in the state folder: the agent's signing key, the system's key, the outcomes' token.
//! Each is created on first need, readable by its owner alone, and never logged.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clause9_shared::digest::parse_hex;
use clause9_shared::ids::AgentId;
use ed25519_dalek::SigningKey;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("cannot use the {what} file {}", path.display())]
    File {
        /// Which secret.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not hold 32 bytes in hex.
    #[error("the {what} file {} does not hold 64 lower-case hex digits; restore it, or delete it to have a new one", path.display())]
    Content {
        /// Which secret.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(String),
}

/// A secret, and whether it was created just now.
#[derive(Clone, Copy)]
pub struct Secret {
    /// The 32 bytes.
    pub bytes: [u8; 32],
    /// Whether there was none before.
    pub created: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// Reads a secret of 32 bytes in hex, or creates one where there is no file.
pub fn load_or_create(what: &'static str, path: &Path) -> Result<Secret, IdentityError> {
    match load(what, path) {
        Err(IdentityError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
        found => {
            return found.map(|bytes| Secret {
                bytes,
                created: false,
            });
        }
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| IdentityError::Random(e.to_string()))?;
    match create(path, &bytes) {
        Ok(()) => Ok(Secret {
            bytes,
            created: true,
        }),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => load(what, path).map(|bytes| Secret {
            bytes,
            created: false,
        }),
        Err(source) => Err(IdentityError::File {
            what,
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads a secret that must exist.
pub fn load(what: &'static str, path: &Path) -> Result<[u8; 32], IdentityError> {
    let text = fs::read_to_string(path).map_err(|source| IdentityError::File {
        what,
        path: path.to_owned(),
        source,
    })?;
    parse_hex(text.trim_end()).ok_or_else(|| IdentityError::Content {
        what,
        path: path.to_owned(),
    })
}

/// Writes a new secret so that a crash leaves all of it or nothing.
fn create(path: &Path, bytes: &[u8; 32]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(hex(bytes).as_bytes())?;
        file.sync_all()?;
        fs::hard_link(&unfinished, path)
    })();
    let _ = fs::remove_file(&unfinished);
    written
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The agent's signing key from the state folder, and the id that follows from it.
pub fn signing_key(state_dir: &Path) -> Result<(SigningKey, AgentId), IdentityError> {
    let secret = load_or_create("identity", &state_dir.join("identity.key"))?;
    let key = SigningKey::from_bytes(&secret.bytes);
    let id = AgentId::of_key(key.verifying_key().as_bytes());
    Ok((key, id))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_created_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (_, first) = signing_key(&state).unwrap();
        let (_, second) = signing_key(&state).unwrap();
        assert_eq!(first, second);
        let mode = fs::metadata(state.join("identity.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        fs::write(&path, "abc").unwrap();
        assert!(matches!(
            signing_key(folder.path()),
            Err(IdentityError::Content { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc");
    }
}
