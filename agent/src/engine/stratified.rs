//! Groups that are sampled more often: what the rate for all leaves out may still be counted by group.

use clause9_shared::inference::Inference;
use clause9_shared::plan::{Prediction, Strata};
use clause9_shared::window::PaneStart;

use crate::engine::{Engine, model_pane};
use crate::sample::Tag;

impl Engine {
    /// Counts the rows of an exchange that the rate for all leaves out by their groups, where their
    /// groups' rates keep them; whether there were such.
    pub(super) fn for_groups(
        &mut self,
        start: PaneStart,
        (drawn, tag): (Tag, Option<Tag>),
        inference: &mut Inference,
    ) -> bool {
        if !self.may_be_for_groups(drawn) {
            return false;
        }
        self.settings.plan.prepare(inference);
        let place = (start, None);
        let Ok(fitting) = self.fit(place, inference, false) else {
            return false;
        };
        let plan = &self.settings.plan;
        let model = model_pane(&mut self.panes, plan, place, inference);
        let rows = &mut self.rows;
        rows.clear();
        let kept = |share| drawn.is_within(share);
        if plan.gather_for_groups(&fitting, kept, &mut model.gathered, rows) == 0 {
            return false;
        }
        model.coverage.seen += 1;
        model.coverage.sampled_out += 1;
        model.coverage.for_groups += 1;
        self.tally.for_groups += 1;
        let origin = std::sync::Arc::clone(&model.origin);
        if let Some(tag) = tag
            && self.memory.insert(tag, origin, &self.rows, &mut self.tally)
        {
            self.join_waiting(tag);
        }
        true
    }

    /// Whether an exchange that the rate for all leaves out may be counted for a group.
    pub(super) fn may_be_for_groups(&self, drawn: Tag) -> bool {
        let strata = self.settings.plan.strata();
        strata.is_some_and(|strata| drawn.is_within(strata.most()))
    }

    /// Whether a case of such an exchange is counted for its group.
    pub(super) fn is_for_groups(&self, drawn: Tag, case: &Prediction) -> bool {
        let share = |strata: &Strata| strata.share(&case.groups);
        let share = self.settings.plan.strata().and_then(share);
        share.is_some_and(|share| drawn.is_within(share))
    }
}
