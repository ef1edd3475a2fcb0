//! What the machine says of an objective: one of six states, never a truth value, never conforming
//! for lack of data. A person's conclusion is an evaluation and lives elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bet::fixed::{exact, exact_count, exact_option};
use crate::metric::Grade;

/// The six states, in order of precedence (statistics, section 5.5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    /// A breach is confirmed with the documented error chance; stays until the nonconformity is closed.
    Nonconforming,
    /// Evidence of a breach passed the warning threshold.
    Warning,
    /// A point estimate is on the wrong side, nothing more.
    Watch,
    /// The confidence sequence is on the good side of the action level (or its documented margin).
    Conforming,
    /// Too little data to say; how much more is needed is said.
    Inconclusive,
    /// Nothing was measured.
    NoData,
}

impl VerdictState {
    /// Every state, in order of precedence.
    pub const ALL: [Self; 6] = [
        Self::Nonconforming,
        Self::Warning,
        Self::Watch,
        Self::Conforming,
        Self::Inconclusive,
        Self::NoData,
    ];

    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nonconforming => "nonconforming",
            Self::Warning => "warning",
            Self::Watch => "watch",
            Self::Conforming => "conforming",
            Self::Inconclusive => "inconclusive",
            Self::NoData => "no_data",
        }
    }
}

/// A verdict with everything it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The state.
    pub state: VerdictState,
    /// The grade of the evidence.
    pub grade: Grade,
    /// Evidence of a breach at the action level, in 2^-32 nats. Far below zero before any block.
    #[serde(with = "exact")]
    pub evidence: i64,
    /// Evidence at the alert level, if there is one: it can at most warn.
    #[serde(
        with = "exact_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub alert_evidence: Option<i64>,
    /// What the evidence must reach for a nonconformity, in 2^-32 nats.
    #[serde(with = "exact")]
    pub nonconformity_at: i64,
    /// What the evidence must reach for a warning, in 2^-32 nats.
    #[serde(with = "exact")]
    pub warning_at: i64,
    /// The block of this epoch, from 1, with which the breach is estimated to have begun; only if
    /// the evidence is ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u32>,
    /// The block at which the nonconformity was confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<u32>,
    /// The confidence sequence of the cycle's running mean, if there is one yet.
    pub running: Option<Running>,
    /// Blocks that the ledger has taken in this epoch.
    pub blocks: u32,
    /// Cases in this epoch.
    #[serde(with = "exact_count")]
    pub support: u64,
    /// For `inconclusive`: about how many more cases would decide, at least what is missing to the
    /// least support; beyond that by the width of the confidence sequence at the present mean.
    pub needed: Option<u64>,
    /// What cases without a label leave open, where the objective assumes something of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<WithoutLabel>,
    /// The state in plain words.
    pub because: String,
}

/// What cases without a label leave open in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithoutLabel {
    /// Decided cases.
    pub cases: u64,
    /// Those of them that have a label.
    pub known: u64,
    /// What the value of labelled cases must be beyond for a breach, whatever is assumed of the others;
    /// null if no value is: too few cases have a label.
    pub breached_at: Option<f64>,
    /// Which share of the cases without a label must have been decided rightly for all cases to be exactly
    /// at the action level. Below 0 or above 1 nothing that they are changes the side. Null if it does
    /// not depend on them.
    pub tipping: Option<f64>,
}

/// Where the cycle's running mean lies, at every time at once with confidence 1 - alpha.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The running mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}
