//! How features go together: comparisons of whole rows. Shown, never judged: what may raise an alarm
//! are the features themselves.
use super::family;
use super::read::{DRIFT, NO_P_VALUE, compared, shown, shown_bracketed};
use crate::baseline::{Joint, Law};
use crate::drift::cells::Cells;
use crate::drift::joint::{
    self, CorrelationChange, JointMoments, Mahalanobis as Distance, Reconstruction,
};
use crate::drift::{Bracketed, Grid, Known, divergence};
use crate::metric::{IntervalFrom, Measurement, MetricSpec, Needs, Seen, Unmeasurable, other_kind};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{
    CutCounts, Gram, Histogram, Projections, Summary, SummaryKey, SummaryKind, SummaryOf,
};

const MOMENTS: MetricSpec = MetricSpec {
    interval: IntervalFrom::Nothing(
        "sums of rows and of their squares are kept, not the fourth moments that its scatter depends \
         on, and they cannot be resampled",
    ),
    range: (0.0, 1e12),
    needs: Needs::Nothing,
    edge_cases: "No rows: no data. Only where the baseline was built to keep how its numeric features \
                 go together. Numbers are standardised by the baseline's mean and deviation and \
                 clipped to 16 deviations; one that is missing counts as the mean; a feature that \
                 does not vary in the baseline is left out.",
    cannot_tell: "Changes that leave means, spreads and correlations as they are, or anything of \
                  categorical features. Whether the change harms anyone.",
    reference: "NumPy and SciPy on the standardised raw rows: agrees to 1e-6 relative (sums are in \
                steps of 2^-26 of a deviation).",
    ..DRIFT
};

const P_VALUE: MetricSpec = MetricSpec {
    interval: NO_P_VALUE,
    good: Comparator::AtLeast,
    range: (0.0, 1.0),
    cannot_tell: "How large a change is, or whether it matters: with enough rows every change is \
                  significant. Looked at window after window, p below 0.05 comes up in one of twenty \
                  though nothing has moved; therefore it is shown and never judged.",
    ..MOMENTS
};

const WAVES: MetricSpec = MetricSpec {
    interval: IntervalFrom::Nothing(
        "the means of the waves are kept, not how they scatter together",
    ),
    range: (-2.0, 2.0),
    cannot_tell: "Which features moved, or whether that harms anyone. With 32 waves small changes of \
                  many features are told better than a large change of one.",
    reference: "The same features recomputed with NumPy on the raw rows: agrees to 1e-9 absolute.",
    ..MOMENTS
};

const DIRECTIONS: MetricSpec = MetricSpec {
    interval: IntervalFrom::Nothing(
        "the directions are counted each for itself, not how they scatter together",
    ),
    range: (-1.0, 100.0),
    cannot_tell: "Which features moved, or whether that harms anyone. A change along a few features \
                  of many is spread thin over random directions.",
    reference: "The same figure by `psi` and `ks` of a feature that holds the rows along a direction: \
                equal.",
    ..MOMENTS
};

family! { MOMENTS, gram_summary;
    /// Squared Fréchet distance.
    Frechet {
        name: "frechet",
        title: "Fréchet distance, squared",
        meaning: "How far apart the rows of window and baseline are if both are taken as normal with \
                  their means and covariances: zero only if both agree.",
        formula: "|m - m0|^2 + tr(S + S0 - 2 (S0^1/2 S S0^1/2)^1/2), in standardised units (Dowson \
                  and Landau 1982).",
    } = |seen: &Seen<'_>| {
        let (window, baseline, _) = moments(seen)?;
        shown(joint::frechet(&window, &baseline), window.n)
    };

    /// Mean squared error of reconstruction.
    PcaError {
        name: "pca_error",
        title: "PCA reconstruction error",
        meaning: "How badly rows are described by the baseline's leading principal components: rises \
                  where features stop going together as they did, even if each looks the same alone.",
        formula: "tr(M) - tr(V' M V), M the window's second moments around the baseline's mean and V \
                  the leading components of the baseline that explain 65 % of its variance: the mean \
                  squared distance from what they describe, in standardised units.",
    } = |seen: &Seen<'_>| {
        let (found, n) = reconstructed(seen)?;
        shown(found.window, n)
    };

    /// The error over the baseline's own.
    PcaErrorRatio {
        name: "pca_error.ratio",
        title: "PCA reconstruction error over the baseline's own",
        meaning: "The reconstruction error of the window over that of the baseline itself: 1 where \
                  features go together as they did.",
        formula: "`pca_error` of the window / `pca_error` of the baseline. Undefined where the \
                  components describe the baseline fully.",
    } = |seen: &Seen<'_>| {
        let (found, n) = reconstructed(seen)?;
        if found.baseline > 0.0 {
            shown(found.window / found.baseline, n)
        } else {
            Err(Unmeasurable::Undefined("the components describe the baseline fully"))
        }
    };

    /// Cosine between the centroids.
    CentroidCosine {
        name: "centroid_cosine",
        title: "Cosine between centroids",
        good: Comparator::AtLeast,
        range: (-1.0, 1.0),
        meaning: "The cosine of the angle between the mean vectors of window and baseline, in the \
                  features' own units: 1 where embeddings on average point the same way.",
        formula: "m m0 / (|m| |m0|), with m = m0 + s0 times the standardised mean, by feature.",
        cannot_tell: "Anything useful of features in different units: the largest one decides. It is \
                      for embeddings.",
    } = centroid_cosine;

    /// Distance of the means.
    Mahalanobis {
        name: "mahalanobis",
        title: "Mahalanobis distance of the means",
        meaning: "How far the mean of rows has moved, in the measure of the covariance: a small shift \
                  against the grain counts for more than a large one along it.",
        formula: "sqrt((m - m0)' S^-1 (m - m0)), S the pooled covariance with divisor n + n0 - 2, \
                  inverted where it has rank.",
    } = |seen: &Seen<'_>| {
        let (found, n) = distance(seen)?;
        shown(found.distance, n)
    };

    /// What a linear classifier makes of it.
    LinearAuc {
        name: "linear_auc",
        title: "Area of a linear domain classifier",
        range: (0.5, 1.0),
        meaning: "How well the best linear classifier would tell rows of the window from rows of the \
                  baseline, were both normal: 0.5 not at all, 1 without error.",
        formula: "The normal law's distribution function at `mahalanobis` / sqrt(2). No classifier is \
                  trained, so that nothing is fitted to chance but the means.",
    } = |seen: &Seen<'_>| {
        let (found, n) = distance(seen)?;
        shown(found.auc, n)
    };

    /// Hotelling's statistic.
    Hotelling {
        name: "hotelling",
        title: "Hotelling's T squared",
        range: (0.0, 1e300),
        meaning: "The squared Mahalanobis distance of the means over what chance makes of it.",
        formula: "n n0 / (n + n0) times the square of `mahalanobis`.",
    } = |seen: &Seen<'_>| {
        let (found, n) = distance(seen)?;
        shown(found.hotelling, n)
    };

    /// Largest change of a correlation.
    CorrelationShift {
        name: "correlation_change",
        title: "Largest change of a correlation",
        range: (0.0, 2.0),
        meaning: "The largest absolute change, over all pairs of numeric features, of their \
                  correlation coefficient, among pairs ranked by how sure the change is.",
        formula: "|r - r0| of the pair with the largest |atanh r - atanh r0|.",
    } = |seen: &Seen<'_>| {
        let (found, n) = correlation(seen)?;
        shown(found.change.abs(), n)
    };
}

family! { P_VALUE, gram_summary;
    /// p of Hotelling's statistic.
    HotellingP {
        name: "hotelling.p",
        title: "Hotelling's test, p-value",
        meaning: "The share of windows without any change that would show at least this `hotelling`.",
        formula: "Upper tail of Fisher's law at (N - r - 1) / ((N - 2) r) T^2 with r and N - r - 1 \
                  degrees of freedom, N rows of both and r the rank.",
    } = |seen: &Seen<'_>| {
        let (found, n) = distance(seen)?;
        shown(found.p_value.ok_or(FEW)?, n)
    };

    /// p of the largest change of a correlation.
    CorrelationShiftP {
        name: "correlation_change.p",
        title: "Change of correlations, p-value",
        meaning: "The share of windows without any change that would show a pair whose correlation \
                  changed at least so much, at most.",
        formula: "Both normal tails at |atanh r - atanh r0| / sqrt(1/(n - 3) + 1/(n0 - 3)) of that \
                  pair, times the number of pairs, at most 1 (Bonferroni).",
    } = |seen: &Seen<'_>| {
        let (found, n) = correlation(seen)?;
        shown(found.p_value, n)
    };
}

family! { WAVES, wave_summary;
    /// Squared maximum mean discrepancy.
    Mmd {
        name: "mmd",
        title: "Maximum mean discrepancy, squared",
        meaning: "How far apart the distributions of whole rows are, by the means of random waves: \
                  around zero where nothing has moved, and sometimes below.",
        formula: "|f - f0|^2 - (1 - |f|^2) / (n - 1) - (1 - |f0|^2) / (n0 - 1), f the mean of cosine \
                  and sine of 32 waves drawn once for the baseline, of length about the root of the \
                  number of features (Rahimi and Recht 2007).",
    } = mmd;
}

family! { DIRECTIONS, direction_summaries;
    /// Mean index along the directions.
    DirectionPsi {
        name: "projection_psi",
        title: "Population stability index along projections",
        meaning: "The population stability index, bias removed, averaged over 16 random directions \
                  through the space of standardised rows, drawn once for the baseline.",
        formula: "Mean over directions of `psi` of the rows along it, over the baseline's deciles.",
    } = direction_psi;

    /// Largest distance along the directions.
    DirectionKs {
        name: "projection_ks",
        title: "Kolmogorov-Smirnov distance along projections",
        range: (0.0, 1.0),
        meaning: "The largest Kolmogorov-Smirnov distance over 16 random directions through the space \
                  of standardised rows, drawn once for the baseline.",
        formula: "Largest over directions of `ks` of the rows along it. Bound: from the largest ends.",
    } = direction_ks;
}

const FEW: Unmeasurable = Unmeasurable::Undefined("too few rows, or features that do not vary");

fn gram_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Joint, SummaryKind::Gram)
}

fn gram_summary(_: &Document, _: &Subject) -> Vec<SummaryKey> {
    vec![gram_key()]
}

fn wave_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Joint, SummaryKind::Projections)
}

fn wave_summary(_: &Document, _: &Subject) -> Vec<SummaryKey> {
    vec![wave_key()]
}

fn direction_key(direction: u8, kind: SummaryKind) -> SummaryKey {
    SummaryKey::new(SummaryOf::Direction(direction), kind)
}

fn direction_summaries(_: &Document, _: &Subject) -> Vec<SummaryKey> {
    let kinds = [SummaryKind::Histogram, SummaryKind::CutCounts];
    let each = (0_u8..).take(crate::drift::frame::DIRECTIONS);
    each.flat_map(|d| kinds.map(|kind| direction_key(d, kind)))
        .collect()
}

fn joint_law<'a>(seen: &Seen<'a>) -> Result<&'a Joint, Unmeasurable> {
    seen.baseline.joint.as_ref().ok_or(Unmeasurable::Undefined(
        "the baseline does not hold how its features go together; build it so",
    ))
}

/// Moments of the window and of the baseline, of the dimensions that vary in the baseline, and the
/// reference's law.
fn moments<'a>(seen: &Seen<'a>) -> Result<(JointMoments, JointMoments, &'a Joint), Unmeasurable> {
    let gram = Gram::of(seen.summary(&gram_key())?).ok_or_else(|| other_kind("sums"))?;
    let window = gram.moments().ok_or(Unmeasurable::NoData)?;
    let law = joint_law(seen)?;
    let none = Unmeasurable::Undefined("the baseline has no rows");
    let baseline = law.gram.moments().ok_or(none)?;
    if gram.space() != law.gram.space() {
        return Err(Unmeasurable::Undefined(
            "window and baseline were not standardised alike",
        ));
    }
    Ok((window, baseline, law))
}

fn reconstructed(seen: &Seen<'_>) -> Result<(Reconstruction, u64), Unmeasurable> {
    let (window, baseline, _) = moments(seen)?;
    Ok((joint::reconstruction(&window, &baseline), window.n))
}

fn distance(seen: &Seen<'_>) -> Result<(Distance, u64), Unmeasurable> {
    let (window, baseline, _) = moments(seen)?;
    let found = joint::mahalanobis(&window, &baseline).ok_or(FEW)?;
    Ok((found, window.n))
}

fn correlation(seen: &Seen<'_>) -> Result<(CorrelationChange, u64), Unmeasurable> {
    let (window, baseline, _) = moments(seen)?;
    let found = joint::correlation_change(&window, &baseline).ok_or(FEW)?;
    Ok((found, window.n))
}

fn centroid_cosine(seen: &Seen<'_>) -> Measurement {
    let (window, baseline, law) = moments(seen)?;
    let own = |of: &JointMoments| -> Vec<f64> {
        let units = law.means.iter().zip(&law.deviations).zip(&of.mean);
        units
            .map(|((mean, deviation), z)| mean + deviation * z)
            .collect()
    };
    let found = joint::cosine(&own(&window), &own(&baseline));
    let none = Unmeasurable::Undefined("a mean vector has no length");
    shown(found.ok_or(none)?, window.n)
}

fn mmd(seen: &Seen<'_>) -> Measurement {
    let waves = Projections::of(seen.summary(&wave_key())?).ok_or_else(|| other_kind("waves"))?;
    let here = waves.means().ok_or(Unmeasurable::NoData)?;
    let law = joint_law(seen)?;
    let none = Unmeasurable::Undefined("the baseline has no rows");
    let there = law.waves.means().ok_or(none)?;
    let found = joint::mean_discrepancy((&here, waves.n()), (&there, law.waves.n()));
    shown(found.ok_or(FEW)?, waves.n())
}

/// What a summary of rows along a direction is.
fn along<'a, T>(
    seen: &Seen<'a>,
    direction: u8,
    kind: SummaryKind,
    of: fn(&Summary) -> Option<&T>,
) -> Result<&'a T, Unmeasurable> {
    of(seen.summary(&direction_key(direction, kind))?).ok_or_else(|| other_kind("projections"))
}

fn direction_psi(seen: &Seen<'_>) -> Measurement {
    let (mut sum, mut directions, mut of) = (0.0, 0_u32, 0);
    for direction in (0_u8..).take(crate::drift::frame::DIRECTIONS) {
        let cuts = along(seen, direction, SummaryKind::CutCounts, CutCounts::of)?;
        of = cuts.total();
        if of == 0 {
            return Err(Unmeasurable::NoData);
        }
        let Some(Law::Numeric { counts, .. }) =
            joint_law(seen)?.directions.get(usize::from(direction))
        else {
            return Err(Unmeasurable::Undefined("the baseline has fewer directions"));
        };
        let cells: Cells = compared(cuts.counts(), counts.clone())?;
        let found = divergence::smoothed_psi(&cells);
        sum += found.value - found.bias;
        directions += 1;
    }
    shown(sum / f64::from(directions), of)
}

fn direction_ks(seen: &Seen<'_>) -> Measurement {
    let (mut most, mut of) = (
        Bracketed {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        },
        0,
    );
    for direction in (0_u8..).take(crate::drift::frame::DIRECTIONS) {
        let histogram = along(seen, direction, SummaryKind::Histogram, Histogram::of)?;
        let points = along(seen, direction, SummaryKind::CutCounts, CutCounts::of)?;
        of = histogram.total();
        if of == 0 {
            return Err(Unmeasurable::NoData);
        }
        let law = joint_law(seen)?.directions.get(usize::from(direction));
        let grid = law.and_then(Law::shape).and_then(|shape| {
            let baseline = Known {
                histogram: &shape.histogram,
                points: &shape.points,
            };
            Grid::refine(Known { histogram, points }, baseline)
        });
        let grid = grid.ok_or(Unmeasurable::Undefined(
            "window and baseline were not counted in the same cells",
        ))?;
        let found = grid.largest_differences().larger;
        most = Bracketed {
            value: most.value.max(found.value),
            low: most.low.max(found.low),
            high: most.high.max(found.high),
        };
    }
    shown_bracketed(most, of)
}
