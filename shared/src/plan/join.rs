//! Counting what an outcome adds to what is known of a prediction.

use crate::objective::document::Scalar;
use crate::plan::observe::count;
use crate::plan::slots::{AttributeSlot, LabelSlots, Slots, SourceSlot};
use crate::plan::value::{as_cell, is_value};
use crate::plan::{Joined, Outcome, Prediction};
use crate::sketch::{Confusion, Losses, PaneSummary, ScoreCells};

impl Slots {
    pub(super) fn join(
        &self,
        prediction: &mut Prediction,
        outcome: &Outcome,
        into: &mut PaneSummary,
    ) -> Joined {
        let mut joined = Joined::default();
        prediction.groups.resize(self.attributes.len(), None);
        let label_is_new = outcome
            .label
            .as_ref()
            .is_some_and(|label| self.take_label(prediction, label, &mut joined));
        if label_is_new {
            self.by_label.count(prediction, Some(0), into);
        }
        for (index, slot) in self.attributes.iter().enumerate() {
            let group_is_new = slot.take_group(index, prediction, outcome, &mut joined);
            let group = prediction.groups[index];
            if group_is_new {
                slot.count_decision(prediction, group, into);
            }
            let complete = prediction.label.is_some() && group.is_some();
            if complete && (group_is_new || label_is_new) {
                slot.by_label.count(prediction, group, into);
            }
        }
        joined.unlisted += self.undocumented(outcome);
        joined
    }

    /// Takes the label if it is documented and the first one; whether it was taken.
    fn take_label(&self, prediction: &mut Prediction, label: &Scalar, joined: &mut Joined) -> bool {
        let cell = as_cell(label);
        let documented = self.label.as_ref();
        let value = documented.and_then(|documented| {
            let positive = is_value(cell, &documented.positive);
            (positive || is_value(cell, &documented.negative)).then_some(positive)
        });
        match value {
            None => joined.unlisted += 1,
            Some(_) if prediction.label.is_some() => joined.repeated += 1,
            Some(positive) => {
                prediction.label = Some(positive);
                joined.labels += 1;
                return true;
            }
        }
        false
    }

    /// Attributes in an outcome that are not expected there.
    fn undocumented(&self, outcome: &Outcome) -> u64 {
        let expected = |wanted: &crate::ids::Name| {
            self.attributes.iter().any(|slot| match &slot.source {
                SourceSlot::Outcome { name, .. } => name == wanted,
                SourceSlot::Request { .. } => false,
            })
        };
        outcome
            .attributes
            .keys()
            .filter(|name| !expected(name))
            .count() as u64
    }
}

impl AttributeSlot {
    /// Takes the group if it is documented and the first one; whether it was taken.
    fn take_group(
        &self,
        index: usize,
        prediction: &mut Prediction,
        outcome: &Outcome,
        joined: &mut Joined,
    ) -> bool {
        let value = match &self.source {
            SourceSlot::Request { .. } => None,
            SourceSlot::Outcome { name, .. } => outcome.attributes.get(name),
        };
        let Some(value) = value else { return false };
        match self.group(value) {
            None => joined.unlisted += 1,
            Some(_) if prediction.groups[index].is_some() => joined.repeated += 1,
            Some(group) => {
                prediction.groups[index] = Some(group);
                joined.attributes += 1;
                return true;
            }
        }
        false
    }

    fn count_decision(&self, prediction: &Prediction, group: Option<u8>, into: &mut PaneSummary) {
        match self.source {
            SourceSlot::Outcome {
                decision: Some(place),
                ..
            } => {
                count(into, place, Confusion::of_mut, |c| {
                    c.add(None, prediction.decision, group);
                });
            }
            SourceSlot::Outcome { decision: None, .. } | SourceSlot::Request { .. } => {}
        }
    }
}

impl LabelSlots {
    /// Counts a labelled prediction in the tables that there are.
    fn count(&self, prediction: &Prediction, group: Option<u8>, into: &mut PaneSummary) {
        if let Some(place) = self.decision {
            count(into, place, Confusion::of_mut, |c| {
                c.add(prediction.label, prediction.decision, group);
            });
        }
        if let Some(place) = self.score {
            count(into, place, ScoreCells::of_mut, |c| {
                c.add(prediction.score, prediction.label, group);
            });
        }
        if let (Some(place), Some(positive)) = (self.losses, prediction.label) {
            count(into, place, Losses::of_mut, |l| {
                l.add(prediction.score, positive, group);
            });
        }
    }
}
