//! What a document is called, and which of its objectives hold when.

use crate::canonical::{self, NotCanonical};
use crate::digest::Digest;
use crate::ids::ObjectiveId;
use crate::objective::document::{Document, Objective};
use crate::time::Timestamp;

/// The domain in which documents are named.
const DOMAIN: &str = "clause9/objectives/v1";

impl Document {
    /// The name that bytes have if they are a document's canonical JSON.
    pub fn named_by(bytes: &[u8]) -> Digest {
        Digest::tagged(DOMAIN, bytes)
    }

    /// The name of what the document says: the digest of its canonical JSON in the domain
    /// `clause9/objectives/v1`. Comments, order of keys, quoting and defaults that are written out
    /// do not change it. An error only for a document made in code with NaN or an infinity.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        canonical::digest(DOMAIN, self)
    }

    /// The version of an objective that is in force at a point in time: it judges the windows that
    /// start there. At most one is, in a checked document.
    pub fn in_force(&self, id: &ObjectiveId, at: Timestamp) -> Option<&Objective> {
        self.objectives
            .iter()
            .find(|o| o.id == *id && o.in_force_at(at))
    }
}

impl Objective {
    /// Whether this version is in force: from `effective_from` on, and before `effective_to`.
    pub fn in_force_at(&self, at: Timestamp) -> bool {
        self.effective_from <= at && self.effective_to.is_none_or(|end| at < end)
    }
}
