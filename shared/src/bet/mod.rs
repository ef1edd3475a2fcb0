//! Bets against an objective: payoffs per case that cannot gain in expectation while the objective
//! is kept. Their sums are the evidence of a breach (statistics, sections 5.1 to 5.4).
//!
//! A bet is a vector of log-payoffs l over cells with `sum q_b exp(l_b) <= 1` for every conforming
//! law q. What a block pays is the dot product of its counts with l: integers only, so that
//! replaying needs neither logarithms nor floats. This module knows nothing of time or verdicts.

use serde::{Deserialize, Serialize};

use crate::metric::{Sample, SampleKind};
use crate::objective::document::Comparator;

pub mod agreement;
pub mod breach;
pub mod cells;
pub mod difference;
pub(crate) mod directions;
pub mod divergence;
pub mod fixed;
pub mod half_space;
pub mod normal;
pub mod pairs;
pub mod rate;
pub mod ratio;
pub mod reference;
pub mod scores;
pub mod sizes;
pub mod support;
pub mod transport;
pub mod two_groups;

pub use agreement::{Agreement, AgreementBets};
pub use breach::Breach;
pub use cells::{CellBets, Tolerance};
pub use difference::DifferenceBets;
pub use divergence::Divergence;
pub use normal::{NormalBets, Pooled};
pub use pairs::PairBets;
pub use rate::RateBets;
pub use ratio::RatioBets;
pub use two_groups::RateSums;

/// How many bets each family has that has not its own for each level.
pub const BETS: usize = 4;

/// A family of bets against one level of an objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Bets {
    /// On a share of cases: payoffs fixed at compilation.
    Rate(RateBets),
    /// On a ratio of two groups' shares: payoffs set before each block from earlier blocks.
    TwoRates(RatioBets),
    /// On a difference of two groups' shares: payoffs set before each block from earlier blocks.
    Difference(DifferenceBets),
    /// On an estimate that is about normal (grade B).
    Normal(NormalBets),
    /// On counts over cells against a convex set of laws: payoffs fixed at compilation, each with
    /// its certificate.
    Cells(CellBets),
    /// On an area under the ROC curve: payoffs of ordered pairs, fixed at compilation.
    Pairs(PairBets),
    /// On the agreement of label and decision: payoffs of pairs of cases, fixed at compilation, each with
    /// its certificate.
    Agreement(AgreementBets),
}

/// Payoffs as they were used on one block, in 2^-32 nats: one row for each bet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Payoffs {
    /// Those of the compiled objective.
    Compiled,
    /// For [hit, miss], against a level that follows from how many of the block's cases have a label.
    Rate {
        /// That level.
        level: f64,
        /// One row for each bet.
        rows: Vec<[i64; 2]>,
    },
    /// For [reference hit, reference miss, compared hit, compared miss], set from earlier blocks.
    TwoRates {
        /// One row for each bet.
        rows: Vec<[i64; 4]>,
    },
    /// The distance from the level towards the breach, in standard errors times 2^32.
    Normal {
        /// That distance.
        #[serde(with = "fixed::exact")]
        z: i64,
    },
}

impl Bets {
    /// The family for a kind of sample against a level. Says what to do where no bet exists.
    pub fn new(kind: SampleKind, level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        match kind {
            SampleKind::Rate => RateBets::new(level, comparator).map(Self::Rate),
            SampleKind::TwoRates => RatioBets::new(level, comparator).map(Self::TwoRates),
            SampleKind::Normal => NormalBets::new(level, comparator).map(Self::Normal),
            SampleKind::Cells => Err(NoBet(
                "its metric must say which laws conform; no bet fits all".to_owned(),
            )),
            SampleKind::Unjudged => Err(NoBet(
                "the metric is shown, never judged; name one that is".to_owned(),
            )),
        }
    }

    /// How many bets.
    pub const fn len(&self) -> usize {
        match self {
            Self::Rate(bets) => bets.payoffs.len(),
            Self::TwoRates(bets) => bets.strengths.len(),
            Self::Difference(bets) => bets.gaps.len(),
            Self::Normal(bets) => bets.strengths.len(),
            Self::Cells(bets) => bets.bets.len(),
            Self::Pairs(bets) => bets.payoffs.len(),
            Self::Agreement(bets) => bets.bets.len(),
        }
    }

    /// Whether it bets on pairs of cases, which must not depend on each other.
    pub const fn are_on_pairs(&self) -> bool {
        match self {
            Self::Pairs(_) | Self::Agreement(_) => true,
            Self::Rate(_)
            | Self::TwoRates(_)
            | Self::Difference(_)
            | Self::Normal(_)
            | Self::Cells(_) => false,
        }
    }

    /// Whether there is no bet at all.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What each bet gains on a block, in 2^-32 nats, with the payoffs used; nothing if the sample
    /// is of another kind or cannot be bet on. `earlier` holds the two groups' counts of earlier
    /// blocks; it is read for ratios and differences only.
    pub fn settle(&self, sample: &Sample, earlier: &RateSums) -> Option<(Vec<i64>, Payoffs)> {
        match (self, sample) {
            (Self::Rate(bets), Sample::Rate { hits, of }) => {
                Some((bets.gains(*hits, *of), Payoffs::Compiled))
            }
            (
                Self::TwoRates(_) | Self::Difference(_),
                Sample::TwoRates {
                    reference,
                    compared,
                },
            ) => {
                let rows = self.rows(earlier, reference.1, compared.1)?;
                let gains = two_groups::gains(&rows, *reference, *compared);
                Some((gains, Payoffs::TwoRates { rows }))
            }
            (Self::Cells(bets), Sample::Cells { counts, .. }) => {
                Some((bets.gains(counts)?, Payoffs::Compiled))
            }
            (Self::Pairs(bets), Sample::Cells { counts, .. }) => {
                Some((bets.gains_of_cells(counts)?, Payoffs::Compiled))
            }
            (Self::Agreement(bets), Sample::Cells { counts, .. }) => {
                Some((bets.gains(counts)?, Payoffs::Compiled))
            }
            (
                Self::Normal(bets),
                Sample::Normal {
                    estimate,
                    std_error,
                    ..
                },
            ) => {
                let z = bets.distance(*estimate, *std_error)?;
                Some((bets.gains(z), Payoffs::Normal { z }))
            }
            (
                Self::Rate(_)
                | Self::TwoRates(_)
                | Self::Difference(_)
                | Self::Normal(_)
                | Self::Cells(_)
                | Self::Pairs(_)
                | Self::Agreement(_),
                _,
            ) => None,
        }
    }

    /// The payoffs of two groups' bets for a block of these sizes.
    fn rows(&self, earlier: &RateSums, reference: u64, compared: u64) -> Option<Vec<[i64; 4]>> {
        match self {
            Self::TwoRates(bets) => bets.payoffs(earlier, reference, compared),
            Self::Difference(bets) => bets.payoffs(earlier, reference, compared),
            Self::Rate(_)
            | Self::Normal(_)
            | Self::Cells(_)
            | Self::Pairs(_)
            | Self::Agreement(_) => None,
        }
    }
}

/// Why a level cannot be bet against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoBet(pub String);
