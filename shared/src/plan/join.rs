//! Counting what an outcome adds to what is known of a prediction.

use crate::objective::document::Scalar;
use crate::plan::lists::Relevant;
use crate::plan::observe::{count, count_decision};
use crate::plan::prediction::{Answer, Groups, Prediction};
use crate::plan::slots::{AttributeSlot, LabelReader, LabelSlots, Slots, SourceSlot};
use crate::plan::strata::Strata;
use crate::plan::value::{as_cell, class_of, is_value};
use crate::plan::{Joined, Outcome};
use crate::sketch::{CaseLoss, Histogram, Losses, PaneSummary, Residuals, ScoreCells};

impl Slots {
    /// Counts what an outcome adds; where only the tables by groups that are sampled alike count the
    /// case, in those.
    pub(super) fn join(
        &self,
        prediction: &mut Prediction,
        outcome: &Outcome,
        only: Option<&Strata>,
        into: &mut PaneSummary,
    ) -> Joined {
        let mut joined = Joined::default();
        let known: Groups = (0..self.attributes.len())
            .map(|attribute| prediction.groups.get(attribute))
            .collect();
        let mut groups = known;
        let label_is_new = outcome
            .label
            .as_ref()
            .is_some_and(|label| self.take_label(prediction, label, &mut joined));
        let loss = prediction.label.and_then(Answer::sign);
        let loss = loss.and_then(|positive| CaseLoss::of(prediction.score, positive));
        if label_is_new && only.is_none() {
            self.by_label
                .count(prediction, loss.as_ref(), Some(0), into);
            self.judge_list(prediction, outcome, into);
            if let (Some(slot), Some(scores)) = (&self.class_scores, &prediction.scores)
                && let Some(class) = prediction.label.and_then(Answer::class)
            {
                slot.count(scores, class, into);
            }
        }
        for (index, slot) in self.attributes.iter().enumerate() {
            slot.take_group(index, &mut groups, outcome, &mut joined);
        }
        self.combine(&mut groups);
        prediction.groups = groups;
        for (index, slot) in self.attributes.iter().enumerate() {
            if only.is_some_and(|strata| !strata.holds(index)) {
                continue;
            }
            let group = groups.get(index);
            let group_is_new = group.is_some() && known.get(index).is_none();
            if let (true, true, Some(place)) = (group_is_new, slot.late, slot.decision) {
                count_decision(into, place, None, prediction.decision, group);
            }
            let complete = prediction.label.is_some() && group.is_some();
            if complete && (group_is_new || label_is_new) {
                slot.by_label.count(prediction, loss.as_ref(), group, into);
            }
        }
        joined.unlisted += self.undocumented(outcome);
        joined
    }

    /// Takes the label if it is documented and the first one; whether it was taken.
    fn take_label(&self, prediction: &mut Prediction, label: &Scalar, joined: &mut Joined) -> bool {
        match self.label.as_ref().and_then(|reader| reader.read(label)) {
            None => joined.unlisted += 1,
            Some(_) if prediction.label.is_some() => joined.repeated += 1,
            Some(label) => {
                prediction.label = Some(label);
                joined.labels += 1;
                return true;
            }
        }
        false
    }

    /// Counts a ranked list by a label that was taken.
    fn judge_list(&self, prediction: &Prediction, outcome: &Outcome, into: &mut PaneSummary) {
        let relevant = || Relevant::read(outcome.label.as_ref()?);
        if let (Some(slot), Some(items)) = (&self.list, &prediction.items)
            && let Some(relevant) = relevant()
        {
            slot.judge(items, &relevant, into);
        }
    }

    /// Attributes in an outcome that are not expected there.
    fn undocumented(&self, outcome: &Outcome) -> u64 {
        let expected = |wanted: &crate::ids::Name| {
            self.attributes.iter().any(|slot| match &slot.source {
                SourceSlot::Outcome(name) => name == wanted,
                SourceSlot::Request(_) | SourceSlot::Parts(_) => false,
            })
        };
        outcome
            .attributes
            .keys()
            .filter(|name| !expected(name))
            .count() as u64
    }
}

impl LabelReader {
    /// What a label says; none if it is not documented.
    fn read(&self, label: &Scalar) -> Option<Answer> {
        let cell = as_cell(label);
        match self {
            Self::Signs { positive, negative } => {
                let is_positive = is_value(cell, positive);
                (is_positive || is_value(cell, negative)).then_some(Answer::Sign(is_positive))
            }
            Self::Classes(classes) => class_of(cell, classes).map(Answer::Class),
            Self::Numbers => cell
                .number()
                .filter(|label| label.is_finite())
                .map(Answer::Number),
            Self::Relevance => Relevant::read(label).map(|relevant| Answer::Sign(relevant.any())),
        }
    }
}

impl AttributeSlot {
    /// Takes the group if it is documented and the first one.
    fn take_group(
        &self,
        index: usize,
        groups: &mut Groups,
        outcome: &Outcome,
        joined: &mut Joined,
    ) {
        let value = match &self.source {
            SourceSlot::Request(_) | SourceSlot::Parts(_) => None,
            SourceSlot::Outcome(name) => outcome.attributes.get(name),
        };
        let Some(value) = value else { return };
        match self.group(value) {
            None => joined.unlisted += 1,
            Some(_) if groups.get(index).is_some() => joined.repeated += 1,
            group @ Some(_) => {
                groups.set(index, group);
                joined.attributes += 1;
            }
        }
    }
}

impl LabelSlots {
    /// Counts a labelled prediction, with its losses if it has a score, in the tables that there are.
    fn count(
        &self,
        prediction: &Prediction,
        loss: Option<&CaseLoss>,
        group: Option<u8>,
        into: &mut PaneSummary,
    ) {
        let (label, decision) = (prediction.label, prediction.decision);
        if let Some(place) = self.decision {
            count_decision(into, place, label, decision, group);
        }
        if let (Some(place), Some(positive)) = (self.score, label.and_then(Answer::sign)) {
            count(into, place, ScoreCells::of_mut, |c| {
                c.add(prediction.score, Some(positive), group);
            });
            if let (Some(place), Some(loss)) = (self.losses, loss) {
                count(into, place, Losses::of_mut, |l| l.add_case(loss, group));
            }
        }
        let numbers = label
            .and_then(Answer::number)
            .zip(decision.and_then(Answer::number));
        if let Some((truth, predicted)) = numbers {
            if let Some(place) = self.residuals {
                count(into, place, Residuals::of_mut, |r| {
                    r.add(truth, predicted, group);
                });
            }
            if let Some(place) = self.errors {
                count(into, place, Histogram::of_mut, |h| {
                    h.add((predicted - truth).abs());
                });
            }
        }
    }
}
