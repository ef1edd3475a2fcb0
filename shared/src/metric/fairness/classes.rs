//! Decisions of several classes: how far the groups' laws of decided classes lie apart.

use super::{GROUP, attribute, index, shown};
use crate::fairness::law_distance;
use crate::metric::{
    Answers, IntervalFrom, Measurement, Seen, StreamKind, Unmeasurable, other_kind,
};
use crate::objective::document::Subject;
use crate::sketch::{ClassTable, SummaryKey, SummaryKind, SummaryOf};

fn decisions(of: &Subject) -> SummaryKey {
    SummaryKey::new(
        SummaryOf::Decision(of.attribute.clone()),
        SummaryKind::ClassTable,
    )
}

/// Decided cases of a group by class, those of unlisted classes last.
fn law(table: &ClassTable, group: u8) -> Vec<u64> {
    let labels = || (0..table.classes()).map(Some).chain([None]);
    labels()
        .map(|decision| {
            let counts = labels().map(|label| table.count(label, decision, Some(group)));
            counts.fold(0, u64::saturating_add)
        })
        .collect()
}

#[inline(never)]
fn measure(seen: &Seen<'_>) -> Measurement {
    let table = ClassTable::of(seen.summary(&decisions(seen.of))?);
    let table = table.ok_or_else(|| other_kind("class table"))?;
    let attribute = attribute(seen)?;
    let reference = law(table, index(attribute, Some(&attribute.reference))?);
    let compared = law(table, index(attribute, seen.of.group.as_deref())?);
    let total = |law: &[u64]| law.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let support = total(&reference).saturating_add(total(&compared));
    let Some(distance) = law_distance(&reference, &compared) else {
        let groups = 0..table.groups();
        return Err(if groups.map(|g| total(&law(table, g))).all(|n| n == 0) {
            Unmeasurable::NoData
        } else {
            Unmeasurable::Undefined("a group has no decision")
        });
    };
    Ok(shown(distance, None, support))
}

metric! {
    /// Total variation between two groups' laws of decided classes.
    DecidedClassDistance, decisions, |seen: Seen<'_>| measure(&seen), GROUP, {
        name: "decided_class_distance",
        title: "Distance of decided classes",
        range: (0.0, 1.0),
        stream: StreamKind::ByAttribute,
        needs_label: false,
        interval: IntervalFrom::Recounting,
        answers: Answers::Classes,
        meaning: "How differently the classes are decided in the group and in the reference group: the \
                  share of the group's decisions that would have to be others for both to have the \
                  same shares of every class. 0 is parity.",
        formula: "half the sum over classes of |share in the group - share in the reference group| \
                  (total variation), decisions of unlisted classes as one class of their own.",
        edge_cases: "No decision in one of the groups: undefined. Rows whose attribute is unknown or \
                     not listed are in neither group.",
        cannot_tell: "Which class the group gets more often, and whether its cases deserve it. \
                      Whether the distance is more than chance: with many classes and few cases it is \
                      large where nothing is wrong, so it is shown and never judged.",
        reference: "Half the L1 distance of shares by hand in the tests, to 1e-12.",
    }
}
