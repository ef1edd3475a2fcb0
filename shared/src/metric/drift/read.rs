//! What drift metrics read: counts of the window and of the baseline over the same cells, their
//! common refinement, their moments.

use crate::baseline::{Law, Shape};
use crate::drift::cells::Cells;
use crate::drift::shift::Moments as Sample2;
use crate::drift::{Bracketed, Grid, Known};
use crate::metric::{
    Answers, CasesOfGroups, Estimate, Grade, IntervalFrom, Measurement, MetricSpec, NO_END, Needs,
    Sample, SampleKind, Seen, StreamKind, Unmeasurable, feature_key, other_kind,
};
use crate::objective::document::{Comparator, Document, FeatureType, Subject};
use crate::sketch::{Categories, CutCounts, Histogram, Hygiene, Moments, SummaryKey, SummaryKind};

/// What all drift metrics say, to be filled in. Shown, not judged, unless a metric says otherwise.
pub(super) const DRIFT: MetricSpec = MetricSpec {
    name: "",
    title: "",
    unit: "1",
    good: Comparator::AtMost,
    range: (0.0, 1.0),
    meaning: "",
    formula: "",
    edge_cases: "",
    cannot_tell: "",
    reference: "",
    grade: Grade::B,
    stream: StreamKind::Traffic,
    sample: SampleKind::Unjudged,
    needs: Needs::Feature,
    needs_score: false,
    needs_decision: false,
    needs_label: false,
    answers: Answers::Any,
    interval: IntervalFrom::Formula,
    groups: CasesOfGroups::Apart,
};

/// Of a share of windows without any change, which is no property of this window that could be
/// estimated.
pub(super) const NO_P_VALUE: IntervalFrom = IntervalFrom::Nothing(
    "a p-value estimates nothing: it is itself what chance makes of the figure beside it, which has \
     an interval",
);

/// The summaries that hold a feature's cells: decile cells or categories, and what was unusable.
pub(super) fn cell_summaries(document: &Document, of: &Subject) -> Vec<SummaryKey> {
    let feature = document
        .features
        .iter()
        .find(|f| Some(&f.name) == of.feature.as_ref());
    let cells = feature.map(|feature| match feature.kind {
        FeatureType::Numeric => SummaryKind::CutCounts,
        FeatureType::Categorical => SummaryKind::Categories,
    });
    let kinds = cells.map(|cells| [cells, SummaryKind::Hygiene]);
    let keys = kinds.into_iter().flatten();
    keys.filter_map(|kind| feature_key(of, kind)).collect()
}

/// The summaries that hold where a numeric feature's values lie.
pub(super) fn shape_summaries(_: &Document, of: &Subject) -> Vec<SummaryKey> {
    let kinds = [
        SummaryKind::Histogram,
        SummaryKind::CutCounts,
        SummaryKind::Moments,
    ];
    let keys = kinds.into_iter();
    keys.filter_map(|kind| feature_key(of, kind)).collect()
}

/// What was wrong with a feature's values.
pub(super) fn hygiene_summary(_: &Document, of: &Subject) -> Vec<SummaryKey> {
    feature_key(of, SummaryKind::Hygiene).into_iter().collect()
}

/// A feature's categories.
pub(super) fn category_summary(_: &Document, of: &Subject) -> Vec<SummaryKey> {
    let key = feature_key(of, SummaryKind::Categories);
    key.into_iter().collect()
}

/// A feature's counts at and between fixed points.
pub(super) fn point_summary(_: &Document, of: &Subject) -> Vec<SummaryKey> {
    let key = feature_key(of, SummaryKind::CutCounts);
    key.into_iter().collect()
}

/// A feature's moments.
pub(super) fn moment_summary(_: &Document, of: &Subject) -> Vec<SummaryKey> {
    feature_key(of, SummaryKind::Moments).into_iter().collect()
}

/// How the subject's feature was distributed in the reference.
pub(super) fn law<'a>(seen: &Seen<'a>) -> Result<&'a Law, Unmeasurable> {
    let feature = seen.of.feature.as_ref();
    feature
        .and_then(|feature| seen.baseline.features.get(feature))
        .ok_or(Unmeasurable::Undefined(
            "the feature is not in the baseline",
        ))
}

/// Counts of the window and of the baseline over cells: deciles or categories (the last one holds
/// what is not listed), then, if wanted, values that are missing or invalid.
pub(super) fn cells(seen: &Seen<'_>, with_missing: bool) -> Result<Cells, Unmeasurable> {
    let (mut window, mut baseline, missing) = match law(seen)? {
        Law::Numeric {
            counts,
            missing,
            invalid,
            ..
        } => {
            let cuts = window_points(seen)?;
            let hygiene = hygiene(seen)?;
            let unusable = hygiene.missing_total() + hygiene.invalid_total();
            (cuts.counts(), counts.clone(), (unusable, missing + invalid))
        }
        Law::Categorical {
            counts,
            other,
            missing,
            ..
        } => {
            let found = categories(seen)?;
            let window = [found.counts(), &[found.unlisted()]].concat();
            let baseline = [counts.as_slice(), &[*other]].concat();
            (window, baseline, (found.missing(), *missing))
        }
    };
    if with_missing {
        window.push(missing.0);
        baseline.push(missing.1);
    }
    compared(window, baseline)
}

/// Cells of two sides, or what they lack.
pub(super) fn compared(window: Vec<u64>, baseline: Vec<u64>) -> Result<Cells, Unmeasurable> {
    if window.iter().all(|count| *count == 0) {
        return Err(Unmeasurable::NoData);
    }
    if baseline.iter().all(|count| *count == 0) {
        return Err(Unmeasurable::Undefined(
            "the baseline has no rows of the feature",
        ));
    }
    Cells::new(window, baseline).ok_or(Unmeasurable::Undefined(
        "window and baseline have different cells",
    ))
}

/// What was wrong with the subject's values.
pub(super) fn hygiene<'a>(seen: &Seen<'a>) -> Result<&'a Hygiene, Unmeasurable> {
    let summary = seen.of_feature(SummaryKind::Hygiene)?;
    Hygiene::of(summary).ok_or_else(|| other_kind("hygiene"))
}

/// The subject's categories.
pub(super) fn categories<'a>(seen: &Seen<'a>) -> Result<&'a Categories, Unmeasurable> {
    let summary = seen.of_feature(SummaryKind::Categories)?;
    Categories::of(summary).ok_or_else(|| other_kind("categories"))
}

/// The window's counts at and between fixed points.
pub(super) fn window_points<'a>(seen: &Seen<'a>) -> Result<&'a CutCounts, Unmeasurable> {
    let summary = seen.of_feature(SummaryKind::CutCounts)?;
    CutCounts::of(summary).ok_or_else(|| other_kind("cut counts"))
}

/// The window's moments.
pub(super) fn moments<'a>(seen: &Seen<'a>) -> Result<&'a Moments, Unmeasurable> {
    let summary = seen.of_feature(SummaryKind::Moments)?;
    Moments::of(summary).ok_or_else(|| other_kind("moments"))
}

/// The reference's law in full.
pub(super) fn shape<'a>(seen: &Seen<'a>) -> Result<&'a Shape, Unmeasurable> {
    law(seen)?.shape().ok_or(Unmeasurable::Undefined(
        "the baseline does not hold the law of the feature's numbers; build it again",
    ))
}

/// Window and baseline on their common refinement.
pub(super) fn grid(seen: &Seen<'_>) -> Result<Grid, Unmeasurable> {
    let histogram = Histogram::of(seen.of_feature(SummaryKind::Histogram)?)
        .ok_or_else(|| other_kind("histogram"))?;
    let points = window_points(seen)?;
    if histogram.total() == 0 {
        return Err(Unmeasurable::NoData);
    }
    let shape = shape(seen)?;
    if shape.histogram.total() == 0 {
        return Err(Unmeasurable::Undefined(
            "the baseline has no numbers of the feature",
        ));
    }
    let baseline = Known {
        histogram: &shape.histogram,
        points: &shape.points,
    };
    Grid::refine(Known { histogram, points }, baseline).ok_or(Unmeasurable::Undefined(
        "window and baseline were not counted in the same cells",
    ))
}

/// Between which values the window's mean minus the baseline's lies; none where values were too
/// large to be added up.
pub(super) fn shift(seen: &Seen<'_>) -> Result<Option<(f64, f64)>, Unmeasurable> {
    let (window, baseline) = (moments(seen)?, &shape(seen)?.moments);
    if window.beyond() > 0 || baseline.beyond() > 0 {
        return Ok(None);
    }
    let Some((here, there)) = window.mean().zip(baseline.mean()) else {
        return Ok(None);
    };
    // Half a step of the fixed point on each side, and the rounding of a few floating operations.
    let step = libm::ldexp(1.0, window.scale_exponent() - 40);
    let rounding = 8.0 * f64::EPSILON * (here.abs() + there.abs() + window.center().abs());
    let slack = step + rounding;
    Ok(Some((here - there - slack, here - there + slack)))
}

/// Moments of the window and of the baseline, both of at least one number, in scales from the common
/// centre, so that no square leaves the range of floating point; and what a scale is in the feature's
/// unit.
pub(super) fn both_moments(seen: &Seen<'_>) -> Result<([Sample2; 2], f64), Unmeasurable> {
    let window = moments(seen)?;
    if window.total() == 0 {
        return Err(Unmeasurable::NoData);
    }
    let baseline = &shape(seen)?.moments;
    if window.beyond() > 0 || baseline.beyond() > 0 {
        return Err(Unmeasurable::Undefined(
            "values are too far from the baseline's to be added up",
        ));
    }
    let same = window.scale_exponent() == baseline.scale_exponent()
        && window.center().to_bits() == baseline.center().to_bits();
    if !same {
        return Err(Unmeasurable::Undefined(
            "window and baseline were not added up in the same scale",
        ));
    }
    let sample = |moments: &Moments| {
        moments.mean_in_scales().map(|mean| Sample2 {
            n: moments.n(),
            mean,
            variance: moments.variance_in_scales().unwrap_or(0.0),
        })
    };
    let both = sample(window).zip(sample(baseline));
    let (window, baseline) = both.ok_or(Unmeasurable::Undefined(
        "the baseline has no numbers of the feature",
    ))?;
    Ok(([window, baseline], shape(seen)?.moments.unit()))
}

/// A value that is shown and never judged.
pub(super) fn shown(value: f64, of: u64) -> Measurement {
    if !value.is_finite() {
        return Err(Unmeasurable::Undefined("the value is no finite number"));
    }
    Ok(Estimate {
        value,
        interval: None,
        bound: None,
        support: of,
        sample: Sample::Unjudged { of },
    })
}

/// The same with an interval.
pub(super) fn shown_within(value: f64, interval: (f64, f64), of: u64) -> Measurement {
    let finite = interval.0.is_finite() && interval.1.is_finite();
    Ok(Estimate {
        interval: finite.then(|| holding(value, interval)),
        ..shown(value, of)?
    })
}

/// An interval drawn out to the value beside it. That of a law without what chance adds can end below a
/// value that contains chance, and one clipped at zero above a value that does not.
pub(super) const fn holding(value: f64, (low, high): (f64, f64)) -> (f64, f64) {
    (low.min(value), high.max(value))
}

/// The same with a bracket of the raw rows' value; an end that nothing bounds is [`NO_END`].
pub(super) fn shown_bracketed(found: Bracketed, of: u64) -> Measurement {
    let exact = found.low.to_bits() == found.high.to_bits();
    Ok(Estimate {
        bound: (!exact).then_some((found.low, found.high.min(NO_END))),
        ..shown(found.value, of)?
    })
}
