//! Records: what is appended to the register. One header for all, one body per type. Below it what makes the register one
//! that strangers can check, a module for each public specification.

pub mod body;
pub mod checkpoint;
pub mod merkle;
pub mod note;
pub mod pen;
pub mod policy;
pub mod proof;
pub mod tiles;
pub mod witness;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, NotCanonical};
use crate::digest::Digest;
use crate::ids::SystemId;
use crate::time::{Clock, Timestamp};

/// Version of the record format.
pub const SCHEMA_VERSION: u32 = 1;

/// The header that every record has (data model of the register).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Record type, as `measurement`.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// Version of the record format.
    pub schema_version: u32,
    /// When what it tells became so, on the system's clock.
    pub created_at: Timestamp,
    /// When the collector wrote it, on the wall clock.
    pub received_at: Timestamp,
    /// Who says it: a program with the digest of its build, or an agent.
    pub author: String,
    /// The AI system, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<SystemId>,
    /// Which clock `created_at` is on. Replayed time can never pass as live.
    pub clock: Clock,
    /// The record that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub supersedes: Option<Digest>,
    /// What it rests on or belongs to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refs: Vec<Ref>,
    /// How long it is kept.
    pub retention_class: String,
}

/// A pointer from a record to what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// What the target is to the record, as `objective`, `block`, `measurement`, `batch`.
    pub role: String,
    /// Its content address.
    pub digest: Digest,
}

/// Types of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A program started, with its build and configuration digests.
    Started,
    /// An objectives file came into use.
    Objectives,
    /// A baseline came into use.
    Baseline,
    /// Who may write for which system was changed while a program ran.
    Agents,
    /// A batch was stored, with what its items brought.
    Batch,
    /// A batch or item was refused, with its reason.
    Refusal,
    /// A block was sealed: counts of all replicas, added.
    Block,
    /// A value, its interval and its support over a window, with coverage beside it.
    Measurement,
    /// What the machine says of an objective.
    Verdict,
    /// A measurement that should exist and does not.
    Gap,
    /// A candidate nonconformity was raised.
    Nonconformity,
    /// Which of many features are named as broken together has changed.
    Together,
    /// Which key signs the register's checkpoints.
    Key,
    /// A pane was sealed: what it covers, and which records of the system stand since its seal before.
    Seal,
}

impl RecordKind {
    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Objectives => "objectives",
            Self::Baseline => "baseline",
            Self::Agents => "agents",
            Self::Batch => "batch",
            Self::Refusal => "refusal",
            Self::Block => "block",
            Self::Measurement => "measurement",
            Self::Verdict => "verdict",
            Self::Gap => "gap",
            Self::Nonconformity => "nonconformity",
            Self::Together => "together",
            Self::Key => "key",
            Self::Seal => "seal",
        }
    }
}

/// A record: header and body. Its name is the digest of its canonical JSON, which does not contain
/// that digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The common header.
    pub header: Header,
    /// What the type adds, as canonical JSON will have it.
    pub body: serde_json::Value,
}

impl Evidence {
    /// The bytes that are stored and hashed.
    pub fn to_canonical(&self) -> Result<String, NotCanonical> {
        canonical::to_json(self)
    }
}

/// One name for the names of several records, in their order: whoever has all of them has it, and whoever lacks one has not.
pub fn census<'d>(records: impl Iterator<Item = &'d Digest>) -> Digest {
    let all: Vec<u8> = records.flat_map(|digest| *digest.as_bytes()).collect();
    Digest::tagged("clause9/records-of-a-seal/v1", &all)
}

/// The name of a record, from its canonical bytes.
pub fn digest(canonical: &str) -> Digest {
    Digest::tagged("clause9/record/v1", canonical.as_bytes())
}
