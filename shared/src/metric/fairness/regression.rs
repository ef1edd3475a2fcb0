//! Predicted numbers by group: mean residual and mean loss, and how they differ from the reference
//! group's.

use super::{GROUP, attribute, index, normal};
use crate::fairness::{Measured, Moments, welch};
use crate::metric::{
    Answers, Measurement, MetricSpec, Needs, SampleKind, Seen, Unmeasurable, other_kind,
};
use crate::objective::document::Subject;
use crate::sketch::{GroupResiduals, Residuals, SummaryKey, SummaryKind, SummaryOf};

const ERRORS: MetricSpec = MetricSpec {
    range: (-1e12, 1e12),
    sample: SampleKind::Normal,
    needs_decision: false,
    answers: Answers::Number,
    reference: "numpy on the raw residuals of a seeded data set, to 1e-9; Welch's interval: scipy \
                (ttest_ind, equal_var=False), to 1e-6.",
    ..GROUP
};

fn errors(of: &Subject) -> SummaryKey {
    SummaryKey::new(
        SummaryOf::Error(of.attribute.clone()),
        SummaryKind::Residuals,
    )
}

/// Mean and variance of something of a group's residuals, from its sum of squared distances.
type Figure = fn(&GroupResiduals<'_>) -> Option<(f64, f64)>;

fn residual(group: &GroupResiduals<'_>) -> Option<(f64, f64)> {
    Some((group.mean_error()?, group.error_deviations()))
}

fn absolute(group: &GroupResiduals<'_>) -> Option<(f64, f64)> {
    Some((
        group.mean_absolute_error()?,
        group.absolute_error_deviations(),
    ))
}

#[inline(never)]
fn residuals<'a>(seen: &Seen<'a>) -> Result<&'a Residuals, Unmeasurable> {
    let summary = seen.summary(&errors(seen.of))?;
    Residuals::of(summary).ok_or_else(|| other_kind("residuals"))
}

#[inline(never)]
fn moments(seen: &Seen<'_>, group: Option<&str>, figure: Figure) -> Result<Moments, Unmeasurable> {
    let residuals = residuals(seen)?;
    let of = residuals.group(Some(index(attribute(seen)?, group)?));
    let beyond = Unmeasurable::Undefined("residuals of the group are too large to be added up");
    if of.beyond() > 0 {
        return Err(beyond);
    }
    let Some((mean, deviations)) = figure(&of) else {
        return Err(nothing(residuals));
    };
    Ok(Moments {
        of: of.n(),
        mean,
        variance: deviations / (of.n() as f64 - 1.0).max(1.0),
    })
}

/// No data if no listed group has a labelled prediction.
fn nothing(residuals: &Residuals) -> Unmeasurable {
    let any = (0..residuals.groups()).any(|group| residuals.group(Some(group)).n() > 0);
    if any {
        Unmeasurable::Undefined("a group has no labelled prediction")
    } else {
        Unmeasurable::NoData
    }
}

#[inline(never)]
fn of_group(seen: &Seen<'_>, figure: Figure) -> Measurement {
    let found = moments(seen, seen.of.group.as_deref(), figure)?;
    let std_error = (found.variance / found.of as f64).max(0.0).sqrt();
    let half = 1.959_963_984_540_054 * std_error;
    let measured = Measured {
        value: found.mean,
        interval: (found.of > 1).then_some((found.mean - half, found.mean + half)),
        std_error: Some(std_error),
    };
    normal(measured, found.of, found.of)
}

#[inline(never)]
fn between(seen: &Seen<'_>, figure: Figure) -> Measurement {
    let reference = attribute(seen)?.reference.clone();
    let reference = moments(seen, Some(&reference), figure)?;
    let compared = moments(seen, seen.of.group.as_deref(), figure)?;
    let few = Unmeasurable::Undefined("a group has fewer than two labelled predictions");
    let found = welch(reference, compared).ok_or(few)?;
    let of = reference.of.saturating_add(compared.of);
    normal(found, of, reference.of.min(compared.of))
}

const OF_GROUP: MetricSpec = MetricSpec {
    needs: Needs::Group,
    edge_cases: "No labelled prediction in the group: undefined. Residuals too large to be added up \
                 (2^43 scales apart): undefined, never left out silently. With one case there is no \
                 interval.",
    ..ERRORS
};

const BETWEEN: MetricSpec = MetricSpec {
    edge_cases: "Fewer than two labelled predictions in a group: undefined. Residuals too large to be \
                 added up (2^43 scales apart): undefined. Rows whose attribute is unknown or not \
                 listed are in neither group.",
    ..ERRORS
};

metric! {
    /// Mean of prediction less label in one group.
    GroupMeanError, errors, |seen: Seen<'_>| of_group(&seen, residual), OF_GROUP, {
        name: "mean_error.group",
        title: "Mean error of a group",
        meaning: "The mean of prediction less label over the group's labelled cases, in the unit of \
                  the prediction. Above 0 the group's predictions are too high. An objective may \
                  limit either side.",
        formula: "mean of (prediction - label). Interval and standard error: normal approximation \
                  with the variance (n - 1) of the residuals.",
        cannot_tell: "Errors that cancel: see the mean absolute error. Whether errors matter more at \
                      some sizes of the label.",
    }
}

metric! {
    /// Mean absolute error in one group.
    GroupMeanAbsoluteError, errors, |seen: Seen<'_>| of_group(&seen, absolute), OF_GROUP, {
        name: "mean_absolute_error.group",
        title: "Mean absolute error of a group",
        range: (0.0, 1e12),
        meaning: "The mean absolute difference of prediction and label over the group's labelled \
                  cases, in the unit of the prediction.",
        formula: "mean of |prediction - label|. Interval and standard error: normal approximation \
                  with the variance (n - 1) of the absolute residuals.",
        cannot_tell: "Which way predictions are wrong. Rare large errors weigh no more than many \
                      small ones.",
    }
}

metric! {
    /// Difference in mean error.
    MeanErrorDifference, errors, |seen: Seen<'_>| between(&seen, residual), BETWEEN, {
        name: "mean_error_difference",
        title: "Mean error difference",
        meaning: "Regression parity: the group's mean of prediction less label, minus the reference \
                  group's, in the unit of the prediction. 0 is parity; above 0 the group's predictions \
                  are set higher for equal labels.",
        formula: "mean of (prediction - label) of the group minus that of the reference group. \
                  Interval: Welch's (1947) at 95 %. Standard error: root of the sum of both \
                  variances of the mean.",
        cannot_tell: "At which labels the groups differ. Labels that are themselves biased hide it.",
    }
}

metric! {
    /// Difference in mean absolute error.
    MeanAbsoluteErrorDifference, errors, |seen: Seen<'_>| between(&seen, absolute), BETWEEN, {
        name: "mean_absolute_error_difference",
        title: "Mean absolute error difference",
        meaning: "How much worse (above 0) or better the group is predicted than the reference group: \
                  the difference in mean absolute error, in the unit of the prediction.",
        formula: "mean of |prediction - label| of the group minus that of the reference group. \
                  Interval: Welch's (1947) at 95 %.",
        cannot_tell: "Which way predictions are wrong. A group whose labels vary more is harder to \
                      predict for any model.",
    }
}
