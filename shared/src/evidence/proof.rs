//! A proof in one file that an entry is in a log (C2SP tlog-proof): index, hashes, and the checkpoint with its signatures.

use std::fmt;

use super::checkpoint::{Checkpoint, NotACheckpoint, decimal};
use super::merkle::{self, Hash, MAX_PROOF, NotProved};
use super::note::{BadNote, Note};

const FIRST: &str = "c2sp.org/tlog-proof@v1";

/// A proof of inclusion. What it proves is for [`Self::check`] to say, and whose checkpoint it is for who verifies the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// Which leaf.
    pub index: u64,
    /// From the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Note,
}

/// Why a text is not a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// Not the lines that it consists of.
    #[error("not a proof: it is `{FIRST}`, an index, hashes, an empty line and a checkpoint")]
    Lines,
    /// The checkpoint is no note.
    #[error("the proof's checkpoint is not a signed note: {0}")]
    Note(#[from] BadNote),
    /// The note is no checkpoint.
    #[error("the proof's note is not a checkpoint: {0}")]
    Checkpoint(#[from] NotACheckpoint),
    /// It proves nothing.
    #[error("the proof does not hold: {0}")]
    NotProved(#[from] NotProved),
}

impl LogProof {
    /// Reads a proof. One with an `extra` line is refused: nothing vouches for what stands there.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadProof> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadProof::Lines)?;
        let (head, note) = text.split_once("\n\n").ok_or(BadProof::Lines)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST) {
            return Err(BadProof::Lines);
        }
        let index = lines
            .next()
            .and_then(|line| decimal(line.strip_prefix("index ")?));
        let hashes: Result<Vec<Hash>, _> = lines.map(str::parse).collect();
        let hashes = hashes.map_err(|_| BadProof::Lines)?;
        if hashes.len() > MAX_PROOF {
            return Err(BadProof::Lines);
        }
        Ok(Self {
            index: index.ok_or(BadProof::Lines)?,
            hashes,
            note: Note::parse(note.as_bytes())?,
        })
    }

    /// Checks that a leaf with this hash is at the index in the tree of the checkpoint, and gives that.
    pub fn check(&self, leaf: Hash) -> Result<Checkpoint, BadProof> {
        let checkpoint: Checkpoint = self.note.text().parse()?;
        let tree = (checkpoint.size, checkpoint.root);
        merkle::check_inclusion(leaf, self.index, tree, &self.hashes)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}\nindex {}", self.index)?;
        self.hashes
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}
