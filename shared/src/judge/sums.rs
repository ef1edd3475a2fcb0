//! What is remembered for the running mean and for the payoffs of later blocks.

use serde::{Deserialize, Serialize};

use super::Taken;
use crate::bet::{Pool, RateSums};
use crate::confidence::{NormalSequence, RateSequence};
use crate::metric::{Sample, SampleKind};

/// Sums of the cycle's running mean, by kind of sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sums {
    /// Of a share.
    Rate {
        /// Its cases.
        cases: RateSequence,
    },
    /// Of two groups' shares.
    TwoRates {
        /// The reference group's cases.
        reference: RateSequence,
        /// The compared group's cases.
        compared: RateSequence,
    },
    /// Of an estimate; of counts over cells, too, whose ledger reads the counts.
    Normal {
        /// Blocks that were taken.
        taken: NormalSequence,
        /// Blocks too small by themselves, which wait for the next ones.
        waiting: Pool,
    },
    /// Of nothing: no objective can name a metric that is never judged.
    Unjudged,
}

impl Sums {
    /// Nothing seen. A share's first centre is the level: a guess near the truth, made before data.
    pub(super) fn new(kind: SampleKind, level: f64) -> Self {
        match kind {
            SampleKind::Rate => Self::Rate {
                cases: RateSequence::new(level),
            },
            SampleKind::TwoRates => Self::TwoRates {
                reference: RateSequence::new(0.5),
                compared: RateSequence::new(0.5),
            },
            SampleKind::Normal | SampleKind::Cells => Self::Normal {
                taken: NormalSequence::default(),
                waiting: Pool::default(),
            },
            SampleKind::Unjudged => Self::Unjudged,
        }
    }

    /// Two groups' counts of earlier blocks, which set the payoffs of the next one.
    pub(super) fn earlier(&self) -> RateSums {
        match self {
            Self::TwoRates {
                reference,
                compared,
            } => RateSums {
                reference: (reference.hits, reference.of),
                compared: (compared.hits, compared.of),
            },
            Self::Rate { .. } | Self::Normal { .. } | Self::Unjudged => RateSums::default(),
        }
    }

    /// Takes a sample; gives back what can be bet on now.
    pub(super) fn take(
        &mut self,
        sample: &Sample,
        cases: u64,
        min_support: u64,
    ) -> (Taken, Option<Sample>) {
        if cases == 0 {
            return (Taken::Empty, None);
        }
        match (self, sample) {
            (Self::Rate { cases }, Sample::Rate { hits, of }) => {
                cases.add(*hits, *of);
                (Taken::Judged, Some(sample.clone()))
            }
            (
                Self::TwoRates {
                    reference,
                    compared,
                },
                Sample::TwoRates {
                    reference: r,
                    compared: c,
                },
            ) => {
                reference.add(r.0, r.1);
                compared.add(c.0, c.1);
                (Taken::Judged, Some(sample.clone()))
            }
            (Self::Normal { taken, waiting }, Sample::Normal { .. }) => {
                let Some(pooled) = waiting.add(sample, min_support) else {
                    return (Taken::Pooled, None);
                };
                taken.add(&pooled);
                let ready = Sample::Normal {
                    estimate: pooled.estimate,
                    std_error: pooled.std_error,
                    of: pooled.cases,
                    least: pooled.least,
                };
                (Taken::Judged, Some(ready))
            }
            (Self::Normal { taken, waiting }, Sample::Cells { .. }) => {
                // The bets are exact at any size and take the block at once; only the running mean
                // waits for enough cases.
                if let Some(pooled) = waiting.add(sample, min_support) {
                    taken.add(&pooled);
                }
                (Taken::Judged, Some(sample.clone()))
            }
            (
                Self::Rate { .. } | Self::TwoRates { .. } | Self::Normal { .. } | Self::Unjudged,
                _,
            ) => (Taken::Empty, None),
        }
    }
}
