//! The documented reference that live traffic is compared with: counts and cuts frozen at approval,
//! content-addressed. Built from a reference file; holds no row and no raw value but the cuts.

use std::collections::BTreeMap;

mod builder;
mod categories;
mod check;
mod errors;
mod joint;
mod labels;
mod numbers;
mod refreeze;

pub use builder::{BaselineBuilder, MAX_DISTINCT, MAX_ROWS};
pub use check::BaselineError;
pub use errors::{ErrorCell, Errors, MeanAndScatter};
pub use joint::Joint;
pub use refreeze::RefreezeError;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::ids::{Name, SystemId};
use crate::sketch::{ClassTable, Confusion, CutCounts, Histogram, Moments, ScoreCells, Unlisted};

/// The first line of every baseline file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// Version 1 of the format.
    #[serde(rename = "baseline/v1")]
    V1,
}

/// A frozen reference. Its name is the digest of its canonical JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Format and version: `baseline/v1`.
    pub clause9: Format,
    /// The AI system it belongs to.
    pub system: SystemId,
    /// Where it comes from.
    pub source: Source,
    /// Rows that were counted.
    pub rows: u64,
    /// Each feature's law.
    pub features: BTreeMap<Name, Law>,
    /// The score's law, if the reference has scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Law>,
    /// The law of predicted numbers, if the reference has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Law>,
    /// The law of labels that are numbers, if the reference has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Law>,
    /// How far predicted numbers lay from their labels, if the reference has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Errors>,
    /// What the reference's labels say, if it has labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labelled: Option<Labelled>,
    /// How the numeric features go together, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<Joint>,
}

/// The labelled rows of the reference, where labels are no numbers. What is estimated without labels rests on them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// Rows with a label.
    pub rows: u64,
    /// Scores by label, if scores are watched: one group, no case without a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<ScoreCells>,
    /// Decisions by label, if two-valued decisions are watched: one group, no case without a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Confusion>,
    /// Decisions by label, if one of several classes is decided on: one group, no case without a
    /// label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassTable>,
}

/// Longest text of a baseline in bytes.
pub const MAX_TEXT: usize = 16 << 20;
/// Longest name of a category in bytes; longer ones are counted among the others.
pub const MAX_CATEGORY: usize = 256;
/// Most cuts of a law.
pub const MAX_LAW_CUTS: usize = 16;

impl Baseline {
    /// Reads a baseline and checks that it does not contradict itself.
    pub fn from_json(text: &str) -> Result<Self, BaselineError> {
        if text.len() > MAX_TEXT {
            return Err(BaselineError::TooLong(text.len()));
        }
        let baseline: Self =
            serde_json::from_str(text).map_err(|e| BaselineError::Json(e.to_string()))?;
        baseline.check()?;
        Ok(baseline)
    }

    /// The baseline's one canonical text.
    pub fn to_json(&self) -> Result<String, BaselineError> {
        canonical::to_json(self).map_err(|e| BaselineError::Json(e.to_string()))
    }

    /// The baseline's name: the digest of its canonical text. Of a baseline that was built by hand
    /// around a number that JSON cannot hold it is the digest of nothing; no such baseline passes
    /// [`Baseline::check`].
    pub fn digest(&self) -> Digest {
        let text = canonical::to_json(self).unwrap_or_default();
        Self::named_by(text.as_bytes())
    }

    /// The name that bytes have if they are a baseline's canonical text.
    pub fn named_by(bytes: &[u8]) -> Digest {
        Digest::tagged("clause9/baseline/v1", bytes)
    }
}

/// Where a baseline comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is, for people: a file's name, without its folders.
    pub name: String,
    /// Digest of the reference file's bytes as read.
    pub digest: Digest,
}

/// A law of numbers in full, as agents count live traffic: with the same cells, centre and scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Its centred log-linear cells.
    pub histogram: Histogram,
    /// Counts at and between the cuts, the atoms (values of which there are at least two and that
    /// are at least 0.5 % of the reference, the most frequent ones, at most 32), the edges of twenty
    /// equal bins from the smallest to the largest value, and splits: half-way between values, so
    /// that no cell that can hold several numbers holds more than 2 % of the reference.
    pub points: CutCounts,
    /// Count, sum and sum of squares.
    pub moments: Moments,
}

impl Law {
    /// The law of numbers in full, if it is one and has it.
    pub fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Numeric { shape, .. } => shape.as_deref(),
            Self::Categorical { .. } => None,
        }
    }
}

/// How a feature was distributed in the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// Numbers.
    Numeric {
        /// Middle of the histogram: the reference's median.
        center: f64,
        /// Scale of the histogram: 2 to this power, near the reference's interquartile range.
        scale_exponent: i32,
        /// Strictly ascending cuts, at most 16: the distinct deciles, interpolated linearly at
        /// position q (n - 1) of the sorted values.
        cuts: Vec<f64>,
        /// Counts between the cuts: one more than cuts. Cell i holds values from cut i-1 on, up to
        /// but not including cut i.
        counts: Vec<u64>,
        /// Values missing in the reference.
        missing: u64,
        /// Values that are no finite number.
        invalid: u64,
        /// The law in full. A baseline without it can be judged by its cells alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<Box<Shape>>,
    },
    /// Names of categories.
    Categorical {
        /// The categories, sorted by bytes, at most 64. All of the reference; where it has more, the most
        /// frequent ones of one half of its rows.
        categories: Vec<String>,
        /// Their counts: in all rows, or in the other half, so that it is not luck that is frozen.
        counts: Vec<u64>,
        /// Values of further categories of the reference.
        other: u64,
        /// Values missing in the reference.
        missing: u64,
        /// Rows of the half that all counts here are of; absent where they are of all rows. A row is in
        /// one half or the other by a hash of its number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counted: Option<u64>,
        /// Hashes of every category of the reference that is not listed, 16 digits each, ascending:
        /// 64-bit `SipHash`, at most 4,096 of them. Absent where all are listed, where there are more, and
        /// in baselines built before they were kept; then new categories are told only if all are listed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        unlisted: Option<Unlisted>,
    },
}
