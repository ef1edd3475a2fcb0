//! Outcomes: late labels and attributes, joined to the predictions they are about, into blocks keyed
//! by the prediction's pane and the pane of their arrival.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_shared::plan::Outcome;
use clause9_shared::sampling::Shell;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{OutcomeCoverage, PaneStart};
use serde::Serialize;

use crate::engine::remembering::Found;
use crate::engine::{Engine, Origin};
use crate::sample::Tag;

/// Most outcome blocks in one pane of arrival.
const MAX_BLOCKS: usize = 2048;

/// What arrived in one pane.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Per pane of the predictions, model and version; and shell, if shells are kept apart.
    pub(super) blocks: BTreeMap<(Arc<Origin>, Option<Shell>), Block>,
    /// What could not be joined to anything.
    pub(super) unjoined: OutcomeCoverage,
}

/// What outcomes added to one pane's predictions.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) coverage: OutcomeCoverage,
    pub(super) summary: PaneSummary,
}

/// What became of the outcomes of one delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutcomeReport {
    /// They added a label or an attribute.
    pub joined: u64,
    /// They repeated what was known; the first one counts.
    pub repeated: u64,
    /// Their request is not known yet.
    pub waiting: u64,
    /// Their request has no such row.
    pub unknown_row: u64,
    /// Their values are not listed in the objectives file.
    pub unlisted_value: u64,
    /// They were let go because a bound was reached.
    pub dropped: u64,
    /// Their requests were left out by the sampling rule.
    pub sampled_out: u64,
}

/// What became of one outcome.
pub(super) enum Fate {
    Joined,
    Repeated,
    UnknownRow,
    UnlistedValue,
    Dropped,
    UnknownRequest,
    /// It was remembered once.
    ForgottenRequest,
    SampledOut,
}

impl Engine {
    pub(super) fn outcomes(&mut self, outcomes: Vec<Outcome>, now: Timestamp) -> OutcomeReport {
        let mut report = OutcomeReport::default();
        for outcome in outcomes {
            let arrival = self.arrival(&outcome, now);
            let tag = self.settings.sampler.tag(outcome.request_id.as_bytes());
            match self.join(arrival, tag, &outcome) {
                Fate::SampledOut => report.sampled_out += 1,
                Fate::Joined => report.joined += 1,
                Fate::Repeated => report.repeated += 1,
                Fate::UnknownRow => report.unknown_row += 1,
                Fate::UnlistedValue => report.unlisted_value += 1,
                Fate::Dropped => report.dropped += 1,
                // Taken for forgotten, it may be one that nobody heard of yet: it waits like them.
                Fate::UnknownRequest | Fate::ForgottenRequest => {
                    if self.waiting.insert(tag, (arrival, now), outcome) {
                        report.waiting += 1;
                    } else {
                        self.count_dropped(arrival, 1);
                        report.dropped += 1;
                    }
                }
            }
        }
        report
    }

    /// The pane in which an outcome arrived: by its own time on a replayed clock, else now; never a
    /// closed pane, and never one after the present one.
    pub(super) fn arrival(&self, outcome: &Outcome, now: Timestamp) -> PaneStart {
        let length = self.settings.plan.document().panes.length;
        let at = match (self.settings.clock, outcome.available_at) {
            (Clock::Replay, Some(at)) => at.min(now),
            (Clock::Live, _) | (Clock::Replay, None) => now,
        };
        self.not_closed(PaneStart::of(at, length))
    }

    /// That pane, or the first one that is not closed.
    pub(super) fn not_closed(&self, pane: PaneStart) -> PaneStart {
        self.watermark
            .map_or(pane, |watermark| pane.max(PaneStart(watermark)))
    }

    /// Outcomes that came before their request.
    pub(super) fn join_waiting(&mut self, tag: Tag) {
        for (arrival, outcome) in self.waiting.take(tag) {
            let _ = self.join(self.not_closed(arrival), tag, &outcome);
        }
    }

    pub(super) fn join(&mut self, arrival: PaneStart, tag: Tag, outcome: &Outcome) -> Fate {
        // Left out on purpose: nothing to wait for, and nothing lost.
        let whole = self.settings.sampler.keeps(tag);
        if !whole && !self.may_be_for_groups(tag) {
            return self.sampled_out(arrival);
        }
        let place = match self.memory.find(tag, &mut self.tally) {
            Found::At(place) => place,
            Found::Forgotten => return Fate::ForgottenRequest,
            Found::Unknown if self.may_be_capped(tag, arrival) => {
                return self.sampled_out(arrival);
            }
            Found::Unknown => return Fate::UnknownRequest,
        };
        let shell = self.shell(tag);
        let row = usize::try_from(outcome.row).unwrap_or(usize::MAX);
        let Some(mut prediction) = self.memory.prediction(place, row) else {
            self.unjoined(arrival).unknown_row += 1;
            self.tally.unknown_row += 1;
            return Fate::UnknownRow;
        };
        if !whole && !self.is_for_groups(tag, &prediction) {
            return self.sampled_out(arrival);
        }
        let Some(key) = self.memory.origin(place) else {
            return Fate::UnknownRequest;
        };
        let arrivals = self.arrivals.entry(arrival).or_default();
        let key = (Arc::clone(key), shell);
        if arrivals.blocks.len() >= MAX_BLOCKS && !arrivals.blocks.contains_key(&key) {
            arrivals.unjoined.dropped += 1;
            self.tally.outcomes_dropped += 1;
            return Fate::Dropped;
        }
        let block = arrivals.blocks.entry(key).or_insert_with(|| Block {
            coverage: OutcomeCoverage::default(),
            summary: self.empty_outcomes.clone(),
        });
        let plan = &self.settings.plan;
        let into = &mut block.summary;
        let joined = if whole {
            plan.join(&mut prediction, outcome, into)
        } else {
            plan.join_for_groups(&mut prediction, outcome, into)
        };
        if whole {
            block.coverage.labels += joined.labels;
            block.coverage.attributes += joined.attributes;
        } else {
            block.coverage.for_groups += joined.labels + joined.attributes;
        }
        block.coverage.repeated += joined.repeated;
        block.coverage.unlisted_value += joined.unlisted;
        if joined.labels + joined.attributes > 0 {
            self.memory
                .store((tag, place), outcome.row, &prediction, arrival);
            self.tally.joined += 1;
            Fate::Joined
        } else if joined.unlisted > 0 {
            self.tally.unlisted_value += 1;
            Fate::UnlistedValue
        } else {
            self.tally.repeated += 1;
            Fate::Repeated
        }
    }

    fn sampled_out(&mut self, arrival: PaneStart) -> Fate {
        self.unjoined(arrival).sampled_out += 1;
        self.tally.outcomes_sampled_out += 1;
        Fate::SampledOut
    }

    /// What arrived in a pane and could not be joined.
    pub(super) fn unjoined(&mut self, arrival: PaneStart) -> &mut OutcomeCoverage {
        &mut self.arrivals.entry(arrival).or_default().unjoined
    }

    pub(super) fn count_dropped(&mut self, arrival: PaneStart, outcomes: u64) {
        self.unjoined(arrival).dropped += outcomes;
        self.tally.outcomes_dropped += outcomes;
    }
}
