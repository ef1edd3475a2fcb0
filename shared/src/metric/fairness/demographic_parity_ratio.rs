//! Demographic parity ratio: whether a group gets the positive decision as often as the reference.
use super::compare::{RATIO, measure_ratio};
use super::key;
use crate::fairness::Rate;
use crate::metric::{Measurement, Metric, MetricSpec, Seen, StreamKind};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;

/// A group's rate of positive decisions over the reference group's rate.
#[derive(Debug)]
pub(in crate::metric) struct DemographicParityRatio;

impl Metric for DemographicParityRatio {
    const SPEC: MetricSpec = MetricSpec {
        name: "demographic_parity_ratio",
        title: "Demographic parity ratio",
        good: Comparator::AtLeast,
        meaning: "How often the group gets the positive decision, compared with the attribute's \
                  reference group. 1 is parity; the four-fifths rule asks for at least 0.8. \
                  Above 1 the group is favoured: state a second objective with an upper level to \
                  watch the other direction.",
        formula: "(positive / rows of the group) / (positive / rows of the reference group). \
                  Interval: Koopman's score interval at 95 %. The ledger reads the four counts \
                  themselves and is exact at any group size.",
        edge_cases: "No row of one of the two groups: undefined. No positive decision in the \
                     reference group: undefined, though the ledger still takes the counts. Rows \
                     whose attribute is unknown or not listed are in neither group. Libraries \
                     that show the smaller over the larger rate never show a value above 1; \
                     this one has a direction.",
        cannot_tell: "Whether the groups' cases deserve the same decisions: it looks at no label. \
                      Whether the group is treated worse within each kind of case, or better in \
                      each and worse over all. How cases with an unknown attribute fare. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
        stream: StreamKind::ByAttribute,
        needs_label: false,
        ..RATIO
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        vec![key(Rate::Selection, of)]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        measure_ratio(seen, Rate::Selection)
    }
}
