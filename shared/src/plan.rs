//! The capture plan: which summaries an agent keeps, derived from the objectives file and the
//! baseline; and the two acts of counting, an observation and an outcome. No I/O, no clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::digest::Digest;
use crate::ids::Name;
use crate::inference::Inference;
use crate::objective::document::{Document, Scalar};
use crate::sketch::PaneSummary;
use crate::time::Timestamp;

/// Which summaries are kept, with everything resolved that observing needs.
#[derive(Clone, Debug)]
pub struct CapturePlan {
    document: Document,
    baseline: Baseline,
    digest: Digest,
    // resolved positions go here
}

/// Why a baseline does not fit an objectives file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It was built for another system.
    #[error(
        "the baseline is of system `{baseline}`, the objectives of `{document}`; build a baseline for this system"
    )]
    OtherSystem {
        /// System of the baseline.
        baseline: Name,
        /// System of the objectives.
        document: Name,
    },
    /// A feature is not in the baseline, or is of another type there.
    #[error(
        "feature `{0}` is not in the baseline, or has another type there; build the baseline again"
    )]
    Feature(Name),
    /// The plan keeps too many summaries.
    #[error("the plan would keep {0} summaries, the limit is {max}; watch fewer features or attributes", max = crate::sketch::MAX_SUMMARIES)]
    TooManySummaries(usize),
}

/// What an exchange lacks for this plan; it is counted as undecodable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaMismatch(pub String);

/// What is remembered of a prediction until its outcome comes. A few bytes, no raw input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The score, if there is one within 0 to 1.
    pub score: Option<f64>,
    /// The decision, if there is one.
    pub decision: Option<bool>,
    /// Per attribute of the plan: the group's index, once known.
    pub groups: Vec<Option<u8>>,
    /// The label, once known.
    pub label: Option<bool>,
}

/// A late record: what turned out to be true of one case, or a protected attribute of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The id of the request that the model answered.
    pub request_id: String,
    /// The row within the request, from 0. Default: 0.
    #[serde(default)]
    pub row: u32,
    /// The label.
    #[serde(default)]
    pub label: Option<Scalar>,
    /// Protected attributes by name.
    #[serde(default)]
    pub attributes: BTreeMap<Name, String>,
    /// When it became known. Replayed outcomes must have it; live ones default to their arrival.
    #[serde(default)]
    pub available_at: Option<Timestamp>,
}

/// What an outcome added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// A label was joined.
    pub labels: u64,
    /// Attribute values were joined.
    pub attributes: u64,
    /// Values that were known already; the first one counts.
    pub repeated: u64,
    /// Values that the objectives file does not list.
    pub unlisted: u64,
}

impl CapturePlan {
    /// Derives the plan.
    pub fn new(document: &Document, baseline: &Baseline) -> Result<Self, PlanError> {
        let _ = (document, baseline);
        unimplemented!()
    }

    /// The objectives file it comes from.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The baseline it comes from.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The name of what is counted and how: unchanged by edits that do not touch counting.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A pane's traffic stream with nothing in it.
    pub fn empty_traffic(&self) -> PaneSummary {
        unimplemented!()
    }

    /// A pane's outcome stream with nothing in it.
    pub fn empty_outcomes(&self) -> PaneSummary {
        unimplemented!()
    }

    /// Whether an exchange has what the plan reads; checked before any row is counted.
    pub fn check(&self, inference: &Inference) -> Result<(), SchemaMismatch> {
        let _ = inference;
        unimplemented!()
    }

    /// Counts one row of a checked exchange into a traffic summary of this plan.
    pub fn observe(&self, inference: &Inference, row: usize, into: &mut PaneSummary) -> Prediction {
        let _ = (inference, row, into);
        unimplemented!()
    }

    /// Counts what an outcome adds to what is known of a prediction into an outcome summary.
    pub fn join(
        &self,
        prediction: &mut Prediction,
        outcome: &Outcome,
        into: &mut PaneSummary,
    ) -> Joined {
        let _ = (prediction, outcome, into);
        unimplemented!()
    }
}
