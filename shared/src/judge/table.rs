//! The table of verdicts (statistics, section 5.5), from the top: the first row that holds, decides.

use super::{Compiled, LedgerState, Sums, words};
use crate::ledger::Ledger;
use crate::metric::{Estimate, Grade, Measurement};
use crate::objective::document::Comparator;
use crate::verdict::{Running, Verdict, VerdictState};

/// Most cases that are ever named as needed; beyond, the answer is "more than that".
const MOST_NEEDED: f64 = 1e12;

/// In how many stretches, each as long as silence may last, there must be enough cases for one
/// measurement: a quiet week between two others says nothing against either.
const THIN: u32 = 4;

/// What the table reads, gathered once.
pub(super) struct Facts<'a> {
    pub(super) compiled: &'a Compiled,
    pub(super) state: &'a LedgerState,
    /// The window's estimate, if it rests on enough cases to be a measurement.
    pub(super) measured: Option<&'a Estimate>,
    pub(super) window: &'a Measurement,
    pub(super) running: Option<Running>,
    pub(super) evidence: i64,
    pub(super) alert_evidence: Option<i64>,
}

pub(super) fn verdict(compiled: &Compiled, state: &LedgerState, window: &Measurement) -> Verdict {
    let facts = Facts {
        compiled,
        state,
        measured: window
            .as_ref()
            .ok()
            .filter(|e| e.support >= compiled.objective.min_support.max(1)),
        window,
        running: compiled.running(state),
        evidence: state.action.evidence(),
        alert_evidence: state.alert.as_ref().map(Ledger::evidence),
    };
    let found = facts.state_of();
    let needed = match found {
        VerdictState::Inconclusive => facts.needed(),
        VerdictState::Nonconforming
        | VerdictState::Warning
        | VerdictState::Watch
        | VerdictState::Conforming
        | VerdictState::NoData => None,
    };
    Verdict {
        state: found,
        grade: facts.grade(found),
        evidence: facts.evidence,
        alert_evidence: facts.alert_evidence,
        nonconformity_at: compiled.nonconformity_at,
        warning_at: compiled.warning_at,
        since: facts.since(found),
        confirmed_at: state.confirmed_at,
        running: facts.running,
        blocks: state.blocks,
        support: state.support,
        needed,
        labels: compiled.without_label(state),
        because: words::because(found, &facts, needed),
    }
}

impl Facts<'_> {
    fn state_of(&self) -> VerdictState {
        if self.state.confirmed_at.is_some() {
            VerdictState::Nonconforming
        } else if self.warns() {
            VerdictState::Warning
        } else if self.window_is_wrong() || self.mean_is_wrong() {
            VerdictState::Watch
        } else if self.clears() && self.enough() && !self.stale() {
            VerdictState::Conforming
        } else if self.state.support > 0 {
            VerdictState::Inconclusive
        } else {
            VerdictState::NoData
        }
    }

    fn warns(&self) -> bool {
        let at = self.compiled.warning_at;
        self.evidence >= at || self.alert_evidence.is_some_and(|evidence| evidence >= at)
    }

    pub(super) fn window_is_wrong(&self) -> bool {
        self.measured.is_some_and(|e| self.wrong(e.value))
    }

    /// Whether the cycle's mean is on the wrong side, on enough cases to be a measurement.
    pub(super) fn mean_is_wrong(&self) -> bool {
        self.enough() && self.running.is_some_and(|r| self.wrong(r.mean))
    }

    fn wrong(&self, value: f64) -> bool {
        let level = self.compiled.objective.levels.action;
        match self.compiled.objective.comparator {
            Comparator::AtLeast => value < level,
            Comparator::AtMost => value > level,
        }
    }

    /// Whether the whole confidence sequence is on the good side of the level or its margin.
    pub(super) fn clears(&self) -> bool {
        !self.impossible() && self.running.is_some_and(|r| self.room(&r).0 >= 0.0)
    }

    /// How strong the evidence is that a state rests on: that of the running mean where conformity is
    /// shown by it, else that of the ledger.
    fn grade(&self, found: VerdictState) -> Grade {
        let ledger = self.compiled.grade;
        match found {
            VerdictState::Conforming => ledger.max(self.state.sums.grade()),
            VerdictState::Nonconforming
            | VerdictState::Warning
            | VerdictState::Watch
            | VerdictState::Inconclusive
            | VerdictState::NoData => ledger,
        }
    }

    /// Whether the running mean lies, with all of its interval, where the metric cannot be: then its
    /// approximation does not hold, and nothing is claimed by it.
    pub(super) fn impossible(&self) -> bool {
        let (least, most) = self.compiled.objective.metric.spec().range;
        self.running.is_some_and(|r| r.high < least || r.low > most)
    }

    /// How far the near end, and the mean, are on the good side of the level or its margin.
    fn room(&self, running: &Running) -> (f64, f64) {
        let objective = &self.compiled.objective;
        let level = match objective.comparator {
            Comparator::AtLeast => objective.levels.action - objective.margin,
            Comparator::AtMost => objective.levels.action + objective.margin,
        };
        let bound = Compiled::labelled_levels(self.state).map_or(level, |(_, kept)| kept);
        match objective.comparator {
            Comparator::AtLeast => (running.low - bound, running.mean - bound),
            Comparator::AtMost => (bound - running.high, bound - running.mean),
        }
    }

    pub(super) fn enough(&self) -> bool {
        self.state.support >= self.compiled.objective.min_support.max(1)
    }

    pub(super) fn stale(&self) -> bool {
        let allowed = self.compiled.stale_after;
        self.state.silent >= allowed || self.state.thin >= allowed.saturating_mul(THIN)
    }

    fn since(&self, found: VerdictState) -> Option<u32> {
        match found {
            VerdictState::Nonconforming => self.state.confirmed_since,
            VerdictState::Warning if self.evidence < self.compiled.warning_at => {
                self.state.alert.as_ref().and_then(Ledger::since)
            }
            VerdictState::Warning
            | VerdictState::Watch
            | VerdictState::Conforming
            | VerdictState::Inconclusive
            | VerdictState::NoData => self.state.action.since(),
        }
    }

    /// How many cases are missing until the running mean has its first entry.
    fn missing_to_approximate(&self) -> u64 {
        match &self.state.sums {
            Sums::Normal { taken, waiting } if taken.of == 0 => {
                let enough = self.compiled.approximates_from;
                enough.saturating_sub(waiting.cases)
            }
            Sums::Normal { .. } | Sums::Rate { .. } | Sums::TwoRates { .. } | Sums::Unjudged => 0,
        }
    }

    /// About how many more cases would decide: the sequence's width falls with the root of the
    /// cases, so `(width / room)^2` times as many are needed at the present mean.
    fn needed(&self) -> Option<u64> {
        let missing = self
            .compiled
            .objective
            .min_support
            .saturating_sub(self.state.support);
        let missing = missing.max(self.missing_to_approximate());
        let by_width = self.running.and_then(|running| {
            let (near_end, mean) = self.room(&running);
            let cases = self.state.support as f64;
            if near_end >= 0.0 || mean <= 0.0 {
                return None;
            }
            let times = (mean - near_end) / mean;
            Some((cases * (times * times - 1.0)).clamp(1.0, MOST_NEEDED))
        });
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 1 and a million million"
        )]
        let by_width = by_width.map_or(0, |cases| cases.ceil() as u64);
        Some(missing.max(by_width)).filter(|needed| *needed > 0)
    }
}
