//! Population stability index: how far a feature's law has moved from the baseline.
use crate::baseline::Law;
use crate::bet::{Bets, Divergence, NoBet};
use crate::interval;
use crate::metric::drift::ball;
use crate::metric::{
    Against, Estimate, Grade, Measurement, Metric, MetricSpec, Needs, Sample, SampleKind, Seen,
    StreamKind, Unmeasurable, feature_key, other_kind,
};
use crate::objective::document::{Comparator, Document, FeatureType, Subject};
use crate::sketch::{Categories, CutCounts, Hygiene, SummaryKey, SummaryKind};

/// The population stability index of a feature against the frozen baseline, bias removed.
#[derive(Debug)]
pub(crate) struct Psi;

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
                  2 (B - 1) / ne^2 for the part that remains when nothing has moved; the running \
                  mean reads it, and rests on a normal approximation where it shows conformity. \
                  The ledger reads the counts alone: each of its bets is fair to every law within \
                  the level of the baseline's smoothed one, at any number of rows.",
        edge_cases: "No rows: no data. The value shown is corrected for its bias and not \
                     clipped: it may be slightly below zero when nothing has moved, and then lies \
                     outside the interval, which is clipped at zero. Numeric features: values that are missing, no \
                     finite number or of the wrong type form one cell of their own; values out of \
                     the plausible range stay in the outer cells. Categories that the baseline \
                     does not list form one cell. Conventional PSI puts a floor under empty cells \
                     instead of smoothing, leaves missing values out and does not remove the \
                     bias: with 100 rows and 10 cells it shows about 0.09 where nothing has moved.",
        cannot_tell: "Whether the change harms anyone, which way values moved, movements within a \
                      cell, or changes in how features go together. It is not a p-value: 0.1 and \
                      0.2 are conventions.",
        reference: "Index, interval and standard error recomputed with NumPy and SciPy's noncentral \
                    chi-square law: agree to 1e-9 absolute.",
        grade: Grade::A,
        stream: StreamKind::Traffic,
        sample: SampleKind::Cells,
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

    fn measure(seen: Seen<'_>) -> Measurement {
        let (window, baseline) = cells(&seen)?;
        estimate(&window, &baseline)
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        ball::bets(against, Divergence::Psi, against.level)
    }

    /// A drift level must be larger than what the baseline's own size leaves open.
    fn refuses(against: Against<'_>) -> Option<String> {
        ball::refuses(against, Divergence::Psi, against.level)
    }
}

/// Counts of the window and of the baseline, cell by cell.
fn cells(seen: &Seen<'_>) -> Result<(Vec<u64>, Vec<u64>), Unmeasurable> {
    let law = seen
        .of
        .feature
        .as_ref()
        .and_then(|feature| seen.baseline.features.get(feature))
        .ok_or(Unmeasurable::Undefined(
            "the feature is not in the baseline",
        ))?;
    let (window, baseline) = match law {
        Law::Numeric {
            counts,
            missing,
            invalid,
            ..
        } => {
            let cuts = CutCounts::of(seen.of_feature(SummaryKind::CutCounts)?)
                .ok_or_else(|| other_kind("cut counts"))?;
            let hygiene = Hygiene::of(seen.of_feature(SummaryKind::Hygiene)?)
                .ok_or_else(|| other_kind("hygiene"))?;
            let unusable = hygiene.missing_total() + hygiene.invalid_total();
            (
                [cuts.counts(), &[unusable]].concat(),
                [counts.as_slice(), &[missing + invalid]].concat(),
            )
        }
        Law::Categorical {
            counts,
            other,
            missing,
            ..
        } => {
            let found = Categories::of(seen.of_feature(SummaryKind::Categories)?)
                .ok_or_else(|| other_kind("categories"))?;
            (
                [found.counts(), &[found.unlisted(), found.missing()]].concat(),
                [counts.as_slice(), &[*other, *missing]].concat(),
            )
        }
    };
    if window.len() == baseline.len() {
        Ok((window, baseline))
    } else {
        Err(Unmeasurable::Undefined(
            "window and baseline have different cells",
        ))
    }
}

/// The index with its bias removed, from counts of equal length.
fn estimate(window: &[u64], baseline: &[u64]) -> Measurement {
    let (total, reference) = (window.iter().sum::<u64>(), baseline.iter().sum::<u64>());
    if total == 0 {
        return Err(Unmeasurable::NoData);
    }
    if reference == 0 {
        return Err(Unmeasurable::Undefined(
            "the baseline has no rows of the feature",
        ));
    }
    let (n, n0, cells) = (total as f64, reference as f64, window.len() as f64);
    let (mut index, mut gradient, mut squares) = (0.0, [0.0; 2], [0.0; 2]);
    for (c, a) in window.iter().zip(baseline) {
        let q = (*c as f64 + 0.5) / (n + 0.5 * cells);
        let p = (*a as f64 + 0.5) / (n0 + 0.5 * cells);
        let log = libm::log(q / p);
        index += (q - p) * log;
        // Slopes of the index in q and in p.
        for (i, (share, slope)) in [(q, log + 1.0 - p / q), (p, 1.0 - q / p - log)]
            .into_iter()
            .enumerate()
        {
            gradient[i] += share * slope;
            squares[i] += share * slope * slope;
        }
    }
    let effective = n * n0 / (n + n0);
    let degrees = cells - 1.0;
    let spread = |i: usize, n: f64| (squares[i] - gradient[i] * gradient[i]).max(0.0) / n;
    let variance = spread(0, n) + spread(1, n0) + 2.0 * degrees / (effective * effective);
    let value = index - degrees / effective;
    let (low, high) = interval::noncentrality(effective * index, degrees);
    Ok(Estimate {
        value,
        interval: Some((low / effective, high / effective)),
        bound: None,
        support: total,
        sample: Sample::Cells {
            counts: window.to_vec(),
            estimate: value,
            std_error: variance.sqrt(),
            least: total,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn value_interval_and_standard_error_agree_with_scipy() {
        let window = [120, 90, 100, 110, 80, 5];
        let baseline = [1000, 1000, 1000, 1000, 1000, 20];
        let found = estimate(&window, &baseline).unwrap();
        near(found.value, 0.015_609_919_850_425_3);
        let (low, high) = found.interval.unwrap();
        near(low, 0.0);
        near(high, 0.053_701_954_590_319_5);
        let of = found.sample.cases();
        let Sample::Cells { std_error, .. } = found.sample else {
            panic!("an index is a sample of cells")
        };
        near(std_error, 0.016_781_354_591_533_3);
        assert_eq!((of, found.support), (505, 505));
    }

    #[test]
    fn empty_cells_are_finite_and_nothing_is_no_data() {
        let found = estimate(&[1000, 0], &[500, 500]).unwrap();
        assert!(found.value.is_finite() && found.value > 1.0);
        assert_eq!(estimate(&[0, 0], &[5, 5]), Err(Unmeasurable::NoData));
        assert!(estimate(&[5, 5], &[0, 0]).is_err());
    }
}
