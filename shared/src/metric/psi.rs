//! Population stability index: how far a feature's law has moved from the baseline.
use crate::metric::{
    Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable, feature_key,
};
use crate::objective::document::{Comparator, Document, FeatureType, Subject};
use crate::sketch::{SummaryKey, SummaryKind};

/// The population stability index of a feature against the frozen baseline, bias removed.
#[derive(Debug)]
pub struct Psi;

impl Metric for Psi {
    const SPEC: MetricSpec = MetricSpec {
        name: "psi",
        title: "Population stability index",
        unit: "1",
        good: Comparator::AtMost,
        range: (0.0, 100.0),
        meaning: "How far the feature's distribution has moved from the frozen baseline: the \
                  symmetrised Kullback-Leibler divergence between the two, over the baseline's \
                  decile cells (or its categories) and a cell for values that are missing or \
                  invalid. Zero means the same shares in every cell.",
        formula: "PSI = sum over cells of (q - p) ln(q / p), with q = (c + 1/2) / (n + B/2) from \
                  the window's counts c and p = (a + 1/2) / (n0 + B/2) from the baseline's counts \
                  a (Krichevsky-Trofimov smoothing), B cells. The value shown has its bias under \
                  no change removed: PSI - (B - 1) / ne, ne = n n0 / (n + n0). Interval: \
                  inversion of the noncentral chi-square law of ne PSI with B - 1 degrees of \
                  freedom at 95 %. Standard error: delta method over both samples, plus \
                  2 (B - 1) / ne^2 for the part that remains when nothing has moved.",
        edge_cases: "No rows: no data. The value may be slightly below zero when nothing has \
                     moved; it is not clipped. Numeric features: values that are missing, no \
                     finite number or of the wrong type form one cell of their own; values out of \
                     the plausible range stay in the outer cells. Categories that the baseline \
                     does not list form one cell. Conventional PSI puts a floor under empty cells \
                     instead of smoothing, leaves missing values out and does not remove the \
                     bias: with 100 rows and 10 cells it shows about 0.09 where nothing has moved.",
        cannot_tell: "Whether the change harms anyone, which way values moved, movements within a \
                      cell, or changes in how features go together. It is not a p-value: 0.1 and \
                      0.2 are conventions.",
        grade: Grade::B,
        stream: StreamKind::Traffic,
        needs: Needs::Feature,
        needs_score: false,
        needs_decision: false,
        needs_label: false,
    };

    fn reads(document: &Document, of: &Subject) -> Vec<SummaryKey> {
        let feature = document
            .features
            .iter()
            .find(|f| Some(&f.name) == of.feature.as_ref());
        let Some(feature) = feature else {
            return Vec::new();
        };
        let cells = match feature.kind {
            FeatureType::Numeric => SummaryKind::CutCounts,
            FeatureType::Categorical => SummaryKind::Categories,
        };
        [cells, SummaryKind::Hygiene]
            .into_iter()
            .filter_map(|kind| feature_key(of, kind))
            .collect()
    }

    fn measure(_: Seen<'_>) -> Result<Estimate, Unmeasurable> {
        unimplemented!()
    }
}
