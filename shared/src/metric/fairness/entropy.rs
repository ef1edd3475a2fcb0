//! Inequality of benefits over cases, and the part of it that lies between groups.

use super::spread::SPREAD;
use super::{GROUP, Groups, labelled, shown};
use crate::fairness::{Rate, Table, between_groups, generalised_entropy, theil};
use crate::metric::{
    CasesOfGroups, IntervalFrom, Measurement, MetricSpec, Needs, Seen, Unmeasurable, other_kind,
};
use crate::objective::document::Subject;
use crate::sketch::{Confusion, SummaryKey, SummaryKind, SummaryOf};

const INEQUALITY: MetricSpec = MetricSpec {
    range: (0.0, 100.0),
    needs: Needs::Nothing,
    interval: IntervalFrom::Recounting,
    edge_cases: "No labelled decision: no data. No case with a benefit (all wrongly refused): \
                 undefined.",
    cannot_tell: "Who is worse off: it looks at cases, not at groups. What a benefit is worth to \
                  anyone. It is shown, never judged.",
    reference: "AIF360 0.6 (theil_index) on a real data set, to 1e-12; exponent 2 from the single \
                benefits by hand.",
    ..GROUP
};

fn all(_: &Subject) -> SummaryKey {
    SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion)
}

#[inline(never)]
fn measure(seen: &Seen<'_>, index: fn(&Table) -> Option<f64>) -> Measurement {
    let confusion = Confusion::of(seen.summary(&all(seen.of))?);
    let confusion = confusion.ok_or_else(|| other_kind("confusion"))?;
    let count = |label, decision| confusion.count(Some(label), Some(decision), Some(0));
    let table = Table {
        true_positive: count(true, true),
        false_positive: count(false, true),
        false_negative: count(true, false),
        true_negative: count(false, false),
    };
    if table.total() == 0 {
        return Err(Unmeasurable::NoData);
    }
    let nobody = Unmeasurable::Undefined("no case has a benefit");
    Ok(shown(index(&table).ok_or(nobody)?, None, table.total()))
}

metric! {
    /// The generalised entropy of benefits.
    GeneralisedEntropy, all, |seen: Seen<'_>| measure(&seen, generalised_entropy), INEQUALITY, {
        name: "generalised_entropy",
        title: "Generalised entropy of benefits",
        meaning: "How unequally decisions serve single cases, where a case's benefit is 2 if it is \
                  wrongly favoured, 1 if rightly decided, 0 if wrongly refused. 0 is equality.",
        formula: "half of mean((b / mean b)^2 - 1) over cases, b = decision - label + 1 (Speicher et \
                  al. 2018, exponent 2).",
    }
}

metric! {
    /// The Theil index of benefits.
    TheilIndex, all, |seen: Seen<'_>| measure(&seen, theil), INEQUALITY, {
        name: "theil_index",
        title: "Theil index of benefits",
        meaning: "How unequally decisions serve single cases, by the Theil index, where a case's \
                  benefit is 2 if it is wrongly favoured, 1 if rightly decided, 0 if wrongly \
                  refused. 0 is equality.",
        formula: "mean of (b / mean b) ln(b / mean b) over cases, b = decision - label + 1, 0 ln 0 = \
                  0 (the generalised entropy of exponent 1).",
    }
}

metric! {
    /// The part of the generalised entropy that lies between groups.
    EntropyBetweenGroups, labelled, |seen: Seen<'_>| {
        let groups = Groups::of(&seen, Rate::Accuracy)?;
        let tables: Vec<Table> = groups.all().map(|group| groups.table(Some(group))).collect();
        let total = tables.iter().fold(0_u64, |sum, table| sum.saturating_add(table.total()));
        let nobody = || groups.nothing(Rate::Accuracy, "no case has a benefit");
        Ok(shown(between_groups(&tables).ok_or_else(nobody)?, None, total))
    }, SPREAD, {
        groups: CasesOfGroups::AddedUp,
        name: "generalised_entropy.between_groups",
        title: "Generalised entropy between groups",
        range: (0.0, 100.0),
        meaning: "The part of the generalised entropy of benefits that lies between the groups of an \
                  attribute: the index if each case had the mean benefit of its group. 0 if all \
                  groups have the same mean benefit.",
        formula: "sum over groups of n (mean benefit / overall mean benefit)^2 - n, over 2 N \
                  (Speicher et al. 2018, exponent 2).",
        edge_cases: "No labelled decision: no data. No case with a benefit: undefined. Groups without \
                     cases have no part in it; rows whose attribute is unknown or not listed are \
                     left out.",
        cannot_tell: "Which group is worse off. Whether the part is more than chance: it is shown, \
                      never judged.",
        reference: "The definition (Speicher et al. 2018): the part between groups is at most the \
                    whole, and 0 where mean benefits are equal, in the tests.",
    }
}
