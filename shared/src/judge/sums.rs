//! What is remembered for the running mean and for the payoffs of later blocks.

use serde::{Deserialize, Serialize};

use super::{Taken, Waiting};
use crate::bet::{Pooled, RateSums};
use crate::confidence::{NormalSequence, RateSequence};
use crate::metric::{Grade, Sample, SampleKind};
use crate::sketch::PaneSummary;

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
        waiting: Waiting,
    },
    /// Of nothing: no objective can name a metric that is never judged.
    Unjudged,
}

/// A block together with what waited for it.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// What is measured of all of it, if anything.
    pub(super) sample: Option<Sample>,
    /// Its counts; none if only a measurement is at hand.
    pub(super) counts: Option<PaneSummary>,
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
                waiting: Waiting::default(),
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

    /// Takes a block; gives back what can be bet on now.
    pub(super) fn take(
        &mut self,
        block: Option<&Sample>,
        whole: Whole,
        min_support: u64,
    ) -> (Taken, Option<Sample>) {
        if let Self::Normal { taken, waiting } = self {
            return take_normal(taken, waiting, block, whole, min_support);
        }
        let Some(sample) = block.filter(|sample| sample.cases() > 0) else {
            return (Taken::Empty, None);
        };
        match (self, sample) {
            (Self::Rate { cases }, Sample::Rate { hits, of }) => cases.add(*hits, *of),
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
            }
            (
                Self::Rate { .. } | Self::TwoRates { .. } | Self::Normal { .. } | Self::Unjudged,
                _,
            ) => return (Taken::Empty, None),
        }
        (Taken::Judged, Some(sample.clone()))
    }

    /// How strong what the running mean shows is: exact of shares, a normal approximation otherwise.
    pub(super) const fn grade(&self) -> Grade {
        match self {
            Self::Rate { .. } | Self::TwoRates { .. } | Self::Unjudged => Grade::A,
            Self::Normal { .. } => Grade::B,
        }
    }

    /// Cases in the running mean and those that wait, where the two differ from the blocks' own.
    pub(super) fn support(&self) -> Option<u64> {
        match self {
            Self::Normal { taken, waiting } => Some(taken.of.saturating_add(waiting.cases)),
            Self::Rate { .. } | Self::TwoRates { .. } | Self::Unjudged => None,
        }
    }
}

/// Takes a block whose running mean needs a normal approximation. Bets on counts over cells are exact at
/// any size and take the block at once; others wait, as the running mean does, until what is there is
/// enough.
fn take_normal(
    taken: &mut NormalSequence,
    waiting: &mut Waiting,
    block: Option<&Sample>,
    whole: Whole,
    min_support: u64,
) -> (Taken, Option<Sample>) {
    let block = block.filter(|sample| sample.cases() > 0);
    if block.is_none() && whole.counts.is_none() {
        return (Taken::Empty, None);
    }
    let pooled = whole
        .sample
        .as_ref()
        .and_then(|sample| Pooled::of(sample, min_support));
    if let Some(pooled) = &pooled {
        taken.add(pooled);
        *waiting = Waiting::default();
    } else {
        let cases = whole.sample.as_ref().map_or(waiting.cases, Sample::cases);
        waiting.keep(whole.counts, cases);
    }
    if let Some(sample @ Sample::Cells { .. }) = block {
        return (Taken::Judged, Some(sample.clone()));
    }
    match (pooled, whole.sample) {
        (Some(pooled), Some(Sample::Normal { .. })) => {
            let ready = Sample::Normal {
                estimate: pooled.estimate,
                std_error: pooled.std_error,
                of: pooled.cases,
                least: pooled.least,
            };
            (Taken::Judged, Some(ready))
        }
        (Some(_) | None, _) => (Taken::Pooled, None),
    }
}
