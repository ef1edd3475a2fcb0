//! The head of the tree at a size (C2SP tlog-checkpoint): the text of a signed note.

use std::fmt;
use std::str::FromStr;

use super::merkle::Hash;
use super::note::KeyName;

/// Which log, how many leaves, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin, which is its key's name.
    pub origin: KeyName,
    /// Leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a text is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: it is three lines, the log's origin, its size and its root in base64")]
pub struct NotACheckpoint;

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    /// Strict: there is one text for each checkpoint. Extension lines, which no proof covers, are refused.
    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let text = text.strip_suffix('\n').ok_or(NotACheckpoint)?;
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or(NotACheckpoint);
        let (origin, size, root) = (next()?, next()?, next()?);
        let number = decimal(size).ok_or(NotACheckpoint)?;
        if lines.next().is_some() {
            return Err(NotACheckpoint);
        }
        Ok(Self {
            origin: origin.parse().map_err(|_| NotACheckpoint)?,
            size: number,
            root: root.parse().map_err(|_| NotACheckpoint)?,
        })
    }
}

impl fmt::Display for Checkpoint {
    /// The note's text, with the newline at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// A number without leading zeros or a sign.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
