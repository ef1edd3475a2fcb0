//! How many different values a feature has.

use super::SERVICE;
use crate::metric::{
    Estimate, Measurement, Metric, MetricSpec, Needs, Sample, SampleKind, Seen, Unmeasurable,
    feature_key, other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::distinct::{Distinct, STD_ERROR};
use crate::sketch::{SummaryKey, SummaryKind};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;

const DISTINCT: MetricSpec = MetricSpec {
    unit: "1",
    range: (0.0, 1e300),
    needs: Needs::Feature,
    sample: SampleKind::Unjudged,
    edge_cases: "No value: no data. Missing values are left out; a number is the text it is written \
                 as, so 1 and 1.0 are one value, and all that is not a number is one. Kept for \
                 features with `distinct: true` only.",
    cannot_tell: "Which values there are, or how often each comes. Differences between windows below \
                  the error. Rows of one request count as independent cases.",
    reference: "Exact counts from 1 to 1,000,000 values: within three standard errors at each; over \
                200 seeds without bias and with the theoretical error. Hash: the vectors of the \
                SipHash paper.",
    ..SERVICE
};

/// Different values.
#[derive(Debug)]
pub(in crate::metric) struct DistinctCount;

impl Metric for DistinctCount {
    const SPEC: MetricSpec = MetricSpec {
        name: "distinct_count",
        title: "Different values",
        meaning: "About how many different values the feature has in the window.",
        formula: "`HyperLogLog` of 2048 registers over a seeded 64-bit hash, with Ertl's estimator \
                  (2017): relative standard error 2.3 %. Interval: the estimate over 1 +- 1.96 \
                  standard errors, within the bound. Bound: at least the registers in use, at most \
                  the values counted.",
        ..DISTINCT
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        feature_key(of, SummaryKind::Distinct).into_iter().collect()
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        counted(&seen, 1.0)
    }
}

/// Different values among all.
#[derive(Debug)]
pub(in crate::metric) struct Uniqueness;

impl Metric for Uniqueness {
    const SPEC: MetricSpec = MetricSpec {
        name: "uniqueness",
        title: "Uniqueness",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        meaning: "Different values over values: 1 where none comes twice, near 0 where few come over \
                  and over.",
        formula: "`distinct_count` over the feature's values in the window, interval and bound \
                  likewise. It falls with the number of rows: compare windows of like size.",
        ..DISTINCT
    };

    fn reads(document: &Document, of: &Subject) -> Vec<SummaryKey> {
        DistinctCount::reads(document, of)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let summary = seen.of_feature(SummaryKind::Distinct)?;
        let total = Distinct::of(summary).map_or(0, Distinct::total);
        counted(&seen, total.max(1) as f64)
    }
}

/// The count over a number.
fn counted(seen: &Seen<'_>, over: f64) -> Measurement {
    let summary = seen.of_feature(SummaryKind::Distinct)?;
    let distinct = Distinct::of(summary).ok_or_else(|| other_kind("different values"))?;
    let n = distinct.total();
    if n == 0 {
        return Err(Unmeasurable::NoData);
    }
    let (low, high) = (distinct.used() as f64, n as f64);
    let estimate = distinct.estimate();
    let within = |x: f64| x.clamp(low, high) / over;
    Ok(Estimate {
        value: within(estimate),
        interval: Some((
            within(estimate / (1.0 + Z * STD_ERROR)),
            within(estimate / (1.0 - Z * STD_ERROR)),
        )),
        bound: (low < high).then_some((low / over, high / over)),
        support: n,
        sample: Sample::Unjudged { of: n },
    })
}
