//! What a witness does (C2SP tlog-witness): it remembers of each log the newest checkpoint that it saw, and cosigns a newer one
//! only if that begins with it. Core: keeping what it remembers is the caller's business, and must be done before it answers.

use std::fmt::Write as _;

use ed25519_dalek::SigningKey;

use super::checkpoint::{Checkpoint, decimal};
use super::merkle::{self, Hash};
use super::note::{KeyName, MAX_NOTE, Note, SignatureLine, VerifierKey, signature_lines};

/// Most hashes that a request may bring.
const MAX_HASHES: usize = 63;
/// Most bytes of a request.
pub const MAX_REQUEST: usize = MAX_NOTE + 64 * (MAX_HASHES + 1);
/// Media type of the answer that says which size the witness knows.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// A checkpoint that is to be cosigned, with the proof that it begins with one of another size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the one that the witness is thought to know; 0: none.
    pub old: u64,
    /// The proof.
    pub proof: Vec<Hash>,
    /// The checkpoint, with the log's signature.
    pub note: Note,
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Not the lines that a request consists of.
    #[error("not a request: it is `old SIZE`, hashes, an empty line and a signed checkpoint")]
    Malformed,
    /// The checkpoint is older than what it is to be held against.
    #[error("the old size is larger than the checkpoint's")]
    Backwards,
    /// A log that the witness does not watch.
    #[error("the log `{0}` is not known here")]
    UnknownLog(String),
    /// Nobody that is trusted for the log signed it.
    #[error("the checkpoint is not signed by a key that is trusted for its log")]
    Unsigned,
    /// The witness knows another size: answered with it.
    #[error("the newest checkpoint that was cosigned has the size {0}")]
    Conflict(u64),
    /// It does not begin with what the witness saw: another history of the same log.
    #[error("the checkpoint does not begin with the one that was cosigned before")]
    Inconsistent,
}

impl Declined {
    /// The status of the answer over HTTP.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed | Self::Backwards => 400,
            Self::UnknownLog(_) => 404,
            Self::Unsigned => 403,
            Self::Conflict(_) => 409,
            Self::Inconsistent => 422,
        }
    }
}

/// A log that a witness watches.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Keys that are trusted for it, all of one name, its origin.
    pub keys: Vec<VerifierKey>,
    /// The newest checkpoint that was cosigned.
    pub newest: Option<Checkpoint>,
}

impl AddCheckpoint {
    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, Declined> {
        let text = std::str::from_utf8(bytes).map_err(|_| Declined::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(Declined::Malformed)?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| decimal(line.strip_prefix("old ")?));
        let proof: Result<Vec<Hash>, _> = lines.map(str::parse).collect();
        let proof = proof.map_err(|_| Declined::Malformed)?;
        if proof.len() > MAX_HASHES {
            return Err(Declined::Malformed);
        }
        Ok(Self {
            old: old.ok_or(Declined::Malformed)?,
            proof,
            note: Note::parse(note.as_bytes()).map_err(|_| Declined::Malformed)?,
        })
    }

    /// The checkpoint that it is about.
    pub fn checkpoint(&self) -> Result<Checkpoint, Declined> {
        self.note.text().parse().map_err(|_| Declined::Malformed)
    }
}

impl std::fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

impl Watched {
    /// Whether a checkpoint is to be cosigned: then it is the newest from now on.
    pub fn check(&self, request: &AddCheckpoint) -> Result<Checkpoint, Declined> {
        let checkpoint = request.checkpoint()?;
        let mut signed = false;
        for key in &self.keys {
            signed |= key
                .verify(&request.note)
                .map_err(|_| Declined::Unsigned)?
                .is_some();
        }
        if !signed {
            return Err(Declined::Unsigned);
        }
        if request.old > checkpoint.size {
            return Err(Declined::Backwards);
        }
        let known = self.newest.as_ref().map_or(0, |newest| newest.size);
        if known != request.old {
            return Err(Declined::Conflict(known));
        }
        let before = self
            .newest
            .as_ref()
            .map_or_else(Hash::empty, |newest| newest.root);
        let (old, new) = ((known, before), (checkpoint.size, checkpoint.root));
        merkle::check_consistency(old, new, &request.proof).map_err(|_| Declined::Inconsistent)?;
        Ok(checkpoint)
    }
}

/// The lines of an answer: a cosignature, made at a time in seconds since 1970.
pub fn cosigned(note: &Note, name: &KeyName, key: &SigningKey, now: u64) -> String {
    let mut text = String::new();
    let line = SignatureLine::cosign(note.text(), name, key, now);
    // Writing to a text does not fail.
    let _ = writeln!(text, "{line}");
    text
}

/// The cosignature of an answer that is by a witness's key, has a time and verifies: the first. What else stands there is
/// nobody's.
pub fn believed(answer: &str, note: &Note, witness: &VerifierKey) -> Option<SignatureLine> {
    let lines = signature_lines(answer.strip_suffix('\n')?).ok()?;
    let verifies = |line: &SignatureLine| {
        let alone = Note::new(note.text().to_owned(), vec![line.clone()]).ok()?;
        witness.verify(&alone).ok()??.time.filter(|time| *time > 0)
    };
    lines.into_iter().find(|line| verifies(line).is_some())
}
