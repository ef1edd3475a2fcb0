//! Where the key is, and the next one if there is to be another. Shell.

use std::path::{Path, PathBuf};

use crate::keyfile;
use crate::log::Signer;

/// Where what signs is found.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// In a file; the next one in a file beside it, or with a program.
    File {
        /// The file.
        path: PathBuf,
        /// Who signs next, if that is configured.
        next: Option<Signer>,
    },
    /// With programs.
    Programs {
        /// Who signs.
        current: Signer,
        /// Who signs next.
        next: Option<Signer>,
    },
}

/// What there is to sign with, by now.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// The one that signs.
    pub(crate) current: Signer,
    /// The one that signs next.
    pub(crate) next: Option<Signer>,
}

/// The file of the key that comes after the one in a file.
pub(crate) fn next_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

impl Keys {
    /// Looks what there is; makes a first key if there is none, unless the register has one already.
    pub(crate) fn ring(&self, known: bool) -> anyhow::Result<Ring> {
        match self {
            Self::Programs { current, next } => Ok(Ring {
                current: current.clone(),
                next: next.clone(),
            }),
            Self::File { path, next } => {
                let key = match keyfile::read(path)? {
                    Some(key) => key,
                    None if known => anyhow::bail!(
                        "{} is gone, by which the register's checkpoints are signed: restore it, or see docs/evidence.md for a \
                         key that is lost",
                        path.display()
                    ),
                    None => keyfile::read_or_create(path)?,
                };
                // A next key that cannot be read is none yet: the present one signs on.
                let beside = keyfile::read(&next_file(path)).unwrap_or_else(|error| {
                    tracing::error!(error = format!("{error:#}"), "the next key cannot be read");
                    None
                });
                let beside = beside.map(|key| Signer::File(Box::new(key)));
                Ok(Ring {
                    current: Signer::File(Box::new(key)),
                    next: beside.or_else(|| next.clone()),
                })
            }
        }
    }

    /// Puts the next key in the place of the current one. What programs hold is for people to swap.
    pub(crate) fn take_over(&self) -> anyhow::Result<()> {
        match self {
            Self::File { path, .. } => keyfile::replace(path, &next_file(path)),
            Self::Programs { .. } => Ok(()),
        }
    }
}
