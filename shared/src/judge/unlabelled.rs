//! Blocks of which some cases have no label, judged by what the objective assumes of those.
//!
//! Each case of a pane enters once, with its label or as one that has none: a block here is all of a
//! pane's cases once labels have had their time, not what one seal brings. Were late labels entered by
//! themselves, wrong decisions whose labels come last would be bet on alone.

use serde::{Deserialize, Serialize};

use super::{Compiled, LedgerState, Step, Sums, Taken};
use crate::bet::fixed::exact_count;
use crate::bet::{Bets, Payoffs, RateBets, RateSums};
use crate::metric::{Measurement, Sample, Seen};
use crate::objective::Unlabelled;
use crate::objective::document::Comparator;
use crate::performance::binary::Share;
use crate::performance::labels::{Completed, gamma_level};
use crate::verdict::WithoutLabel;

/// What a ledger remembers of cases without a label in this epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Decided cases.
    #[serde(with = "exact_count")]
    pub cases: u64,
    /// Those of them that have a label.
    #[serde(with = "exact_count")]
    pub known: u64,
    /// Hits if all others were decided rightly.
    #[serde(with = "exact_count")]
    pub right_hits: u64,
    /// Cases that then count.
    #[serde(with = "exact_count")]
    pub right_of: u64,
    /// Hits if all others were decided wrongly.
    #[serde(with = "exact_count")]
    pub wrong_hits: u64,
    /// Cases that then count.
    #[serde(with = "exact_count")]
    pub wrong_of: u64,
    /// Hits of labelled cases at which a breach begins, whatever is assumed of the others.
    pub breach: f64,
    /// Hits of labelled cases from which (or up to which) on the objective is kept with its margin,
    /// whatever is assumed of the others.
    pub kept: f64,
}

impl Compiled {
    /// Takes a block with the traffic that it is of. Where that is not at hand, nothing is bet on.
    pub(super) fn take_completed(
        &self,
        state: &mut LedgerState,
        seen: Seen<'_>,
    ) -> (Measurement, Step) {
        let metric = self.objective.metric;
        let block = metric.measure(seen);
        let step = self.enter_completed(state, metric.completed(seen).ok());
        (block, step)
    }

    pub(super) fn enter_completed(
        &self,
        state: &mut LedgerState,
        block: Option<Completed>,
    ) -> Step {
        state.blocks = state.blocks.saturating_add(1);
        let (mut action, mut alert) = (None, None);
        if let Some(block) = &block {
            if let Sums::Rate { cases } = &mut state.sums {
                cases.add(block.labelled.0, block.labelled.1);
            }
            state.open.get_or_insert_default().add(self, block);
            action = self.settle_completed(&self.action, block);
            let bets = self.alert.as_ref();
            alert = bets.and_then(|bets| self.settle_completed(bets, block));
        }
        let labelled = block.map_or(0, |block| block.labelled.1);
        state.hear(labelled, self.objective.min_support);
        let taken = if block.is_some() {
            Taken::Judged
        } else {
            Taken::Empty
        };
        self.book(state, taken, action, alert)
    }

    fn settle_completed(&self, bets: &Bets, block: &Completed) -> Option<(Vec<i64>, Payoffs)> {
        let Bets::Rate(rate) = bets else {
            return None;
        };
        match self.objective.labels {
            Unlabelled::AsObserved => self.settle(bets, &sample(block.labelled), &none()),
            Unlabelled::WorstCase => self.settle(bets, &sample(block.right), &none()),
            Unlabelled::Sensitivity(factor) => {
                let level = self.shifted(rate.level, block, factor)?;
                let shifted = RateBets::new(level, rate.comparator).ok()?;
                let rows = shifted.payoffs.clone();
                let (gains, _) =
                    self.settle(&Bets::Rate(shifted), &sample(block.labelled), &none())?;
                Some((gains, Payoffs::Rate { level, rows }))
            }
        }
    }

    /// The level of labelled cases at which all cases meet one, if the others keep the objective better
    /// by this factor of the odds (or, below 1, worse). None without a labelled case.
    fn shifted(&self, level: f64, block: &Completed, factor: f64) -> Option<f64> {
        let (known, cases) = (block.labelled.1, block.right.1);
        if known == 0 || cases == 0 {
            return None;
        }
        let factor = match self.objective.comparator {
            Comparator::AtLeast => factor,
            Comparator::AtMost => factor.recip(),
        };
        gamma_level(level, known as f64 / cases as f64, factor)
    }

    /// The levels of this epoch's labelled cases: where a breach begins, and where the objective is
    /// surely kept. None where cases without a label are taken to fare as labelled ones do, or before
    /// there is a labelled case.
    pub(super) fn labelled_levels(state: &LedgerState) -> Option<(f64, f64)> {
        let open = state.open?;
        let labelled = match &state.sums {
            Sums::Rate { cases } if cases.of > 0 => cases.of as f64,
            Sums::Rate { .. } | Sums::TwoRates { .. } | Sums::Normal { .. } | Sums::Unjudged => {
                return None;
            }
        };
        Some((open.breach / labelled, open.kept / labelled))
    }

    /// What is told of cases without a label.
    pub(super) fn without_label(&self, state: &LedgerState) -> Option<WithoutLabel> {
        let open = state.open?;
        let level = self.objective.levels.action;
        let breached = Self::labelled_levels(state).map(|(breach, _)| breach);
        let reach = |share: &f64| match self.objective.comparator {
            Comparator::AtLeast => *share > 0.0,
            Comparator::AtMost => *share < 1.0,
        };
        let (right, wrong) = (
            open.right_hits as f64 - open.wrong_hits as f64,
            open.right_of as f64 - open.wrong_of as f64,
        );
        let slope = right - level * wrong;
        let flips = (level * open.wrong_of as f64 - open.wrong_hits as f64) / slope;
        Some(WithoutLabel {
            cases: open.cases,
            known: open.known,
            breached_at: breached.filter(reach),
            tipping: (slope != 0.0).then_some(flips),
        })
    }
}

impl Open {
    fn add(&mut self, compiled: &Compiled, block: &Completed) {
        let objective = &compiled.objective;
        let level = objective.levels.action;
        let lenient = match objective.comparator {
            Comparator::AtLeast => level - objective.margin,
            Comparator::AtMost => level + objective.margin,
        };
        let worst = |(hits, of): Share, level: f64| {
            level * of as f64 - (hits as f64 - block.labelled.0 as f64)
        };
        let labelled = block.labelled.1 as f64;
        let (breach, kept) = match objective.labels {
            Unlabelled::AsObserved => (level * labelled, lenient * labelled),
            Unlabelled::WorstCase => (worst(block.right, level), worst(block.wrong, lenient)),
            Unlabelled::Sensitivity(factor) => {
                let scaled = |level: f64, factor: f64| {
                    let found = compiled.shifted(level, block, factor);
                    found.map(|level| level * labelled)
                };
                (
                    scaled(level, factor).unwrap_or(0.0),
                    // Where nothing is labelled there are no odds to go by.
                    scaled(lenient, factor.recip()).unwrap_or(worst(block.wrong, lenient)),
                )
            }
        };
        self.breach += breach;
        self.kept += kept;
        for (sum, more) in [
            (&mut self.cases, block.cases),
            (&mut self.known, block.known),
            (&mut self.right_hits, block.right.0),
            (&mut self.right_of, block.right.1),
            (&mut self.wrong_hits, block.wrong.0),
            (&mut self.wrong_of, block.wrong.1),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

const fn sample((hits, of): Share) -> Sample {
    Sample::Rate { hits, of }
}

/// Earlier blocks, which shares do not read.
fn none() -> RateSums {
    RateSums::default()
}
