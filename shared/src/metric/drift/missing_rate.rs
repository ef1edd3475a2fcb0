//! Missing rate: how often a feature's value is not there.
use crate::metric::{
    Grade, Measurement, Metric, MetricSpec, Needs, SampleKind, Seen, StreamKind, feature_key,
    other_kind, share,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{Hygiene, SummaryKey, SummaryKind};

/// The share of rows in which a feature has no usable value.
#[derive(Debug)]
pub(crate) struct MissingRate;

impl Metric for MissingRate {
    const SPEC: MetricSpec = MetricSpec {
        name: "missing_rate",
        title: "Missing rate",
        unit: "1",
        good: Comparator::AtMost,
        range: (0.0, 1.0),
        meaning: "The share of rows in which the feature's value is absent, null, or one of the \
                  values that the objectives file declares to mean \"not known\".",
        formula: "missing / rows, both counted over every observed row of the window. Interval: \
                  Wilson's score interval at 95 %.",
        edge_cases: "No rows: no data. Values of the wrong type, infinite values and values out \
                     of the declared range are counted on their own and are not missing. NaN is \
                     missing unless the feature's policy says otherwise.",
        cannot_tell: "Why values are missing, or whether those that are present are right: a \
                      sensor stuck at a default value has a missing rate of zero. A declared \
                      placeholder that was forgotten in the objectives file counts as present. Rows of one request count as \
                      independent cases for now: where they go together, the evidence is \
                      weaker than it says.",
        reference: "Counts are exact: pandas' isna().mean() agrees to the last bit. The interval agrees \
                    with statsmodels' proportion_confint (wilson) to 1e-9.",
        grade: Grade::A,
        stream: StreamKind::Traffic,
        sample: SampleKind::Rate,
        needs: Needs::Feature,
        needs_score: false,
        needs_decision: false,
        needs_label: false,
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        feature_key(of, SummaryKind::Hygiene).into_iter().collect()
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let summary = seen.of_feature(SummaryKind::Hygiene)?;
        let hygiene = Hygiene::of(summary).ok_or_else(|| other_kind("hygiene"))?;
        share(hygiene.missing_total(), hygiene.rows())
    }
}
