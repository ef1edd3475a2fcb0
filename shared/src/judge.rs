//! An objective compiled into integer bets, the ledgers it keeps, and the verdicts it gives.
//!
//! Blocks enter in the collector's seal order, each once. Nothing here is recomputed with hindsight:
//! state in, block in, state out. Payoffs are integers; whoever replays needs integer arithmetic only.
//! What a verdict means for people, and who closes it, is not decided here.

use serde::{Deserialize, Serialize};

use crate::bet::fixed::{self, exact, exact_list, exact_option};
use crate::bet::{Bets, Payoffs, RateSums};
use crate::canonical;
use crate::confidence::{running_difference, running_ratio};
use crate::digest::Digest;
use crate::ledger::Ledger;
use crate::metric::{Grade, Measurement, Sample, Seen, Unmeasurable};
use crate::objective::document::Objective;
use crate::verdict::{Running, Verdict};

mod compile;
mod families;
mod sums;
mod table;
mod unlabelled;
mod waiting;
mod words;

use sums::Whole;

pub use families::{Family, Named, families};
pub use sums::Sums;
pub use unlabelled::Open;
pub use waiting::Waiting;

/// An objective with its bets, frozen. Content-addressed by [`Compiled::digest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compiled {
    /// The objective as written.
    pub objective: Objective,
    /// How the ledger is justified.
    pub grade: Grade,
    /// H: how many blocks are sealed in one surveillance cycle. The error bound is for so many
    /// steps; then the ledger is renewed ([`Compiled::cycle_is_over`]).
    pub steps_per_cycle: u32,
    /// What the evidence must reach for a warning: ln H, in 2^-32 nats.
    #[serde(with = "exact")]
    pub warning_at: i64,
    /// What the evidence must reach for a nonconformity: ln(H / alpha), in 2^-32 nats.
    #[serde(with = "exact")]
    pub nonconformity_at: i64,
    /// After how many blocks in a row without a measurement the past no longer speaks for now.
    pub stale_after: u32,
    /// How many cases a block must have for its estimate to enter the running mean, beyond the
    /// objective's least support; counts of fewer wait. 0 of what was compiled before this was known.
    #[serde(
        with = "fixed::exact_count",
        default,
        skip_serializing_if = "is_nothing"
    )]
    pub approximates_from: u64,
    /// Bets against the action level.
    pub action: Bets,
    /// Bets against the alert level, which can at most warn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Bets>,
}

/// Why an objective cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

/// Everything that a ledger remembers between blocks. Plain integers and sums; stored with the
/// evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerState {
    /// Blocks taken in this epoch.
    pub blocks: u32,
    /// Cases in this epoch.
    #[serde(with = "fixed::exact_count")]
    pub support: u64,
    /// Blocks in a row, up to now, in which nothing could be measured.
    pub silent: u32,
    /// Blocks in a row, up to now, that together were not enough for a measurement.
    #[serde(default)]
    pub thin: u32,
    /// Cases in those blocks: fewer than the objective's minimum support.
    #[serde(with = "fixed::exact_count", default)]
    pub heard: u64,
    /// The ledger of the action level.
    pub action: Ledger,
    /// The ledger of the alert level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Ledger>,
    /// The block at which the action ledger first reached the nonconformity threshold. Stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<u32>,
    /// From which block on that breach is estimated to have begun. Stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_since: Option<u32>,
    /// Sums of the running mean.
    pub sums: Sums,
    /// Cases without a label, where the objective assumes something of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
}

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It was bet on; without payoffs if one of two groups was empty, which says nothing of a ratio.
    Judged,
    /// Too small for the normal approximation: its counts wait for the next blocks'.
    Pooled,
    /// Nothing to bet on. It counts as a step all the same.
    Empty,
}

/// What one block did to a ledger: the payoffs that were used and the evidence after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The number of the block in this epoch, from 1.
    pub block: u32,
    /// What became of it.
    pub taken: Taken,
    /// The payoffs that were used at the action level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payoffs: Option<Payoffs>,
    /// What each bet at the action level gained, in 2^-32 nats.
    #[serde(with = "exact_list", default, skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<i64>,
    /// Evidence after the block, in 2^-32 nats.
    #[serde(with = "exact")]
    pub evidence: i64,
    /// Evidence at the alert level after the block.
    #[serde(
        with = "exact_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub alert_evidence: Option<i64>,
}

impl Compiled {
    /// Its content address.
    pub fn digest(&self) -> Digest {
        // Every float here was read from JSON or YAML or computed from finite levels.
        canonical::digest("clause9/compiled-objective/v1", self).unwrap_or_else(|e| {
            Digest::tagged("clause9/not-canonical/v1", e.to_string().as_bytes())
        })
    }

    /// A ledger that has seen nothing.
    pub fn start(&self) -> LedgerState {
        LedgerState {
            blocks: 0,
            support: 0,
            silent: 0,
            thin: 0,
            heard: 0,
            action: Ledger::new(self.action.len()),
            alert: self.alert.as_ref().map(|bets| Ledger::new(bets.len())),
            confirmed_at: None,
            confirmed_since: None,
            sums: Sums::new(
                self.objective.metric.spec().sample,
                self.objective.levels.action,
            ),
            open: None,
        }
    }

    /// Whether the surveillance cycle has had all its blocks. Then a new ledger ([`Compiled::start`])
    /// begins a new epoch, unless a nonconformity is open; the error bound covers no further steps.
    pub const fn cycle_is_over(&self, state: &LedgerState) -> bool {
        state.blocks >= self.steps_per_cycle
    }

    /// Measures one sealed block and takes it. Where the normal approximation is needed, a block that is
    /// not enough for it is measured again together with the next ones. Where the objective assumes
    /// something of cases without a label, the block is all of a pane, with its traffic beside it.
    pub fn take(&self, state: &mut LedgerState, seen: Seen<'_>) -> (Measurement, Step) {
        if !self.objective.labels.is_as_observed() {
            return self.take_completed(state, seen);
        }
        let metric = self.objective.metric;
        let block = metric.measure(seen);
        let nothing = matches!(
            block,
            Err(Unmeasurable::NoData | Unmeasurable::LacksSummary(_))
        );
        let whole = match &state.sums {
            Sums::Normal { waiting, .. } if !nothing => {
                let counts = waiting.with(seen.summary, &metric.reads(seen.document, seen.of));
                let whole = metric.measure(Seen {
                    summary: &counts,
                    ..seen
                });
                Whole {
                    sample: sample_of(&whole),
                    counts: Some(counts),
                }
            }
            Sums::Normal { .. } | Sums::Rate { .. } | Sums::TwoRates { .. } | Sums::Unjudged => {
                Whole::default()
            }
        };
        let step = self.enter(state, sample_of(&block).as_ref(), whole);
        (block, step)
    }

    /// Takes one sealed block of which only a measurement is at hand: one too small for the normal
    /// approximation is passed over, and so is one whose cases without a label are not known but asked
    /// for. A block in which nothing could be measured still counts as a step.
    pub fn step(&self, state: &mut LedgerState, block: &Measurement) -> Step {
        if !self.objective.labels.is_as_observed() {
            return self.enter_completed(state, None);
        }
        let sample = sample_of(block);
        let whole = Whole {
            sample: sample.clone(),
            counts: None,
        };
        self.enter(state, sample.as_ref(), whole)
    }

    fn enter(&self, state: &mut LedgerState, block: Option<&Sample>, whole: Whole) -> Step {
        state.blocks = state.blocks.saturating_add(1);
        let earlier = state.sums.earlier();
        let enough = self.objective.min_support.max(self.approximates_from);
        let (taken, ready) = state.sums.take(block, whole, enough);
        let cases = match taken {
            Taken::Empty => 0,
            Taken::Pooled | Taken::Judged => block.map_or(0, Sample::cases),
        };
        state.hear(cases, self.objective.min_support);
        let settled = ready
            .as_ref()
            .and_then(|sample| self.settle(&self.action, sample, &earlier));
        let alert = match (&self.alert, &ready) {
            (Some(bets), Some(sample)) => self.settle(bets, sample, &earlier),
            (Some(_) | None, _) => None,
        };
        self.book(state, taken, settled, alert)
    }

    /// Books what the bets at both levels gained on the block that was just counted.
    fn book(
        &self,
        state: &mut LedgerState,
        taken: Taken,
        settled: Option<(Vec<i64>, Payoffs)>,
        alert: Option<(Vec<i64>, Payoffs)>,
    ) -> Step {
        if let Some((gains, _)) = &settled {
            state.action.book(state.blocks, gains);
        }
        if let (Some(ledger), Some((gains, _))) = (&mut state.alert, alert) {
            ledger.book(state.blocks, &gains);
        }
        let evidence = state.action.evidence();
        if evidence >= self.nonconformity_at && state.confirmed_at.is_none() {
            state.confirmed_at = Some(state.blocks);
            state.confirmed_since = state.action.since();
        }
        let (gains, payoffs) = settled.map_or((Vec::new(), None), |(g, p)| (g, Some(p)));
        Step {
            block: state.blocks,
            taken,
            payoffs,
            gains,
            evidence,
            alert_evidence: state.alert.as_ref().map(Ledger::evidence),
        }
    }

    /// What bets gain on a sample. Cases that may depend on each other, m at a time, count for the
    /// m-th part: by Hölder's inequality the m-th root of their product is fair, however they hang
    /// together.
    fn settle(
        &self,
        bets: &Bets,
        sample: &Sample,
        earlier: &RateSums,
    ) -> Option<(Vec<i64>, Payoffs)> {
        let (mut gains, payoffs) = bets.settle(sample, earlier)?;
        for gain in &mut gains {
            *gain = gain.div_euclid(i64::from(self.objective.cluster.max(1)));
        }
        Some((gains, payoffs))
    }

    /// The verdict after the blocks so far, given the value shown for the window.
    pub fn verdict(&self, state: &LedgerState, window: &Measurement) -> Verdict {
        table::verdict(self, state, window)
    }

    /// The running mean of the epoch, at every time at once with confidence `1 - alpha`.
    pub fn running(&self, state: &LedgerState) -> Option<Running> {
        let (alpha, cluster) = (self.objective.alpha, self.objective.cluster);
        match &state.sums {
            Sums::Rate { cases } => cases.running(alpha, cluster),
            Sums::TwoRates {
                reference,
                compared,
            } => {
                let each = (
                    reference.running(alpha / 2.0, cluster)?,
                    compared.running(alpha / 2.0, cluster)?,
                );
                match &self.action {
                    Bets::Difference(_) => Some(running_difference(each.0, each.1)),
                    Bets::Rate(_)
                    | Bets::TwoRates(_)
                    | Bets::Normal(_)
                    | Bets::Cells(_)
                    | Bets::Pairs(_)
                    | Bets::Agreement(_) => {
                        let (_, largest) = self.objective.metric.spec().range;
                        running_ratio(each.0, each.1, largest)
                    }
                }
            }
            Sums::Normal { taken, .. } => taken.running(alpha, self.objective.min_support, cluster),
            Sums::Unjudged => None,
        }
    }
}

impl LedgerState {
    /// Counts the cases of a block. A block with cases ends silence, but a trickle does not keep an old
    /// verdict alive: what counts then is when there last was enough for a measurement.
    fn hear(&mut self, cases: u64, min_support: u64) {
        let earlier = self.support.saturating_add(cases);
        self.support = self.sums.support().unwrap_or(earlier);
        self.heard = self.heard.saturating_add(cases);
        self.silent = if cases > 0 {
            0
        } else {
            self.silent.saturating_add(1)
        };
        if self.heard >= min_support.max(1) {
            (self.thin, self.heard) = (0, 0);
        } else {
            self.thin = self.thin.saturating_add(1);
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over the field"
)]
const fn is_nothing(count: &u64) -> bool {
    *count == 0
}

/// What a block brings to the ledger.
fn sample_of(block: &Measurement) -> Option<Sample> {
    match block {
        Ok(estimate) => Some(estimate.sample.clone()),
        Err(Unmeasurable::NoReferenceHits {
            reference,
            compared,
        }) => Some(Sample::TwoRates {
            reference: *reference,
            compared: *compared,
        }),
        Err(Unmeasurable::NoData | Unmeasurable::Undefined(_) | Unmeasurable::LacksSummary(_)) => {
            None
        }
    }
}
