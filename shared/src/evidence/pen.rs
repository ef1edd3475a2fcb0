//! Writing a record: its header, its canonical bytes and its name. Core: who writes and when are parameters.

use serde::Serialize;

use super::{Evidence, Header, RecordKind, Ref, SCHEMA_VERSION};
use crate::digest::Digest;
use crate::ids::SystemId;
use crate::time::{Clock, Timestamp};

/// Retention class of records of monitoring (at least six months by law for logs; kept ten years).
const RETENTION: &str = "monitoring";

/// Who writes, and when: everything of a header that does not depend on the record.
#[derive(Clone, Debug)]
pub struct Pen {
    /// The program with its build digest.
    pub author: String,
    /// The wall clock.
    pub now: Timestamp,
}

/// What a record is about, for its header.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The system.
    pub system: Option<SystemId>,
    /// Which clock `created_at` is on.
    pub clock: Clock,
    /// The record that is replaced.
    pub supersedes: Option<Digest>,
    /// What it rests on.
    pub refs: Vec<Ref>,
}

/// A record with its bytes and its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Header and body.
    pub record: Evidence,
    /// The canonical bytes.
    pub canonical: String,
    /// The name: the digest of the bytes.
    pub digest: Digest,
}

/// A body has no canonical form: a number that JSON cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("a {kind} record cannot be written: {cause}")]
pub struct Unwritable {
    kind: &'static str,
    cause: String,
}

impl Unwritable {
    /// Of such a record, for such a reason.
    pub const fn new(kind: &'static str, cause: String) -> Self {
        Self { kind, cause }
    }
}

impl Pen {
    /// Writes a record. `created_at` is on the clock of `about`.
    pub fn write<B: Serialize>(
        &self,
        kind: RecordKind,
        created_at: Timestamp,
        about: About,
        body: &B,
    ) -> Result<Written, Unwritable> {
        let unwritable = |cause: String| Unwritable {
            kind: kind.as_str(),
            cause,
        };
        let record = Evidence {
            header: Header {
                kind,
                schema_version: SCHEMA_VERSION,
                created_at,
                received_at: self.now,
                author: self.author.clone(),
                system: about.system,
                clock: about.clock,
                supersedes: about.supersedes,
                refs: about.refs,
                retention_class: RETENTION.to_owned(),
            },
            body: serde_json::to_value(body).map_err(|e| unwritable(e.to_string()))?,
        };
        let canonical = record
            .to_canonical()
            .map_err(|e| unwritable(e.to_string()))?;
        let digest = super::digest(&canonical);
        Ok(Written {
            record,
            canonical,
            digest,
        })
    }
}

/// A pointer with its role.
pub fn reference(role: &str, digest: Digest) -> Ref {
    Ref {
        role: role.to_owned(),
        digest,
    }
}
