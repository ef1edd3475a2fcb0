//! Checks of levels: whether they can be met and missed, and whether they stand in order.

use super::Findings;
use crate::metric::{MetricSpec, Needs};
use crate::objective::document::{Comparator, Objective};

pub(super) fn check(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let spec = objective.metric.spec();
    if objective.comparator != spec.good && !is_either_way(spec) {
        let message = format!(
            "`{}` is contrary to `{}`, whose good side is {}; write `{}`",
            word(objective.comparator),
            spec.name,
            side(spec.good),
            word(spec.good)
        );
        findings.at(&format!("{at}/comparator"), message);
        return;
    }
    let levels = &objective.levels;
    let mut within = true;
    for (key, level) in [
        ("target", levels.target),
        ("alert", levels.alert),
        ("action", Some(levels.action)),
    ] {
        if let Some(level) = level {
            within &= check_range(findings, &format!("{at}/levels/{key}"), spec, level);
        }
    }
    if within {
        check_breachable(findings, at, objective, spec);
        check_order(findings, at, objective);
        check_margin(findings, at, objective, spec);
    }
}

/// Whether a metric may be too high as well as too low: parity with another group lies in between,
/// and so does a mean that has not moved.
fn is_either_way(spec: &MetricSpec) -> bool {
    match spec.needs {
        Needs::AttributeGroup | Needs::ClassOfAttributeGroup => true,
        Needs::Attribute | Needs::Group | Needs::ClassOfGroup => {
            spec.range.0 < 0.0 || spec.range.1 > 1.0
        }
        Needs::NumericFeature => spec.range.0 < 0.0,
        Needs::Nothing | Needs::Feature | Needs::CategoricalFeature | Needs::Class => false,
    }
}

fn check_range(findings: &mut Findings<'_>, at: &str, spec: &MetricSpec, level: f64) -> bool {
    let (least, most) = spec.range;
    let within = (least..=most).contains(&level);
    if !within {
        let (least, most) = spec.ends();
        let message = format!(
            "the level {level} is impossible: `{}` lies between {least} and {most}; write a level within",
            spec.name
        );
        findings.at(at, message);
    }
    within
}

/// The good end of the range can be reached but not missed: such an objective holds the system to
/// nothing.
fn check_breachable(
    findings: &mut Findings<'_>,
    at: &str,
    objective: &Objective,
    spec: &MetricSpec,
) {
    let action = objective.levels.action;
    let never = match objective.comparator {
        Comparator::AtLeast => action <= spec.range.0,
        Comparator::AtMost => action >= spec.range.1,
    };
    if never {
        let message = format!(
            "`{}` can never be {} {action}, so this objective can never be breached; write a level that can be missed",
            spec.name,
            match objective.comparator {
                Comparator::AtLeast => "below",
                Comparator::AtMost => "above",
            }
        );
        findings.at(&format!("{at}/levels/action"), message);
    }
}

fn check_order(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let levels = &objective.levels;
    let better = |a: f64, b: f64| match objective.comparator {
        Comparator::AtLeast => a > b,
        Comparator::AtMost => a < b,
    };
    let good = side(objective.comparator);
    if let Some(alert) = levels.alert
        && !better(alert, levels.action)
    {
        let message = format!(
            "the alert level {alert} must be on the good side of the action level {}, so {good} it; it warns before a breach",
            levels.action
        );
        findings.at(&format!("{at}/levels/alert"), message);
    }
    let (name, limit) = match levels.alert {
        Some(alert) => ("alert", alert),
        None => ("action", levels.action),
    };
    if let Some(target) = levels.target
        && better(limit, target)
    {
        let message = format!(
            "the target {target} is on the bad side of the {name} level {limit}; write one {good} it"
        );
        findings.at(&format!("{at}/levels/target"), message);
    }
}

fn check_margin(findings: &mut Findings<'_>, at: &str, objective: &Objective, spec: &MetricSpec) {
    let pointer = format!("{at}/margin");
    let margin = objective.margin;
    if !(margin.is_finite() && margin >= 0.0) {
        findings.at(
            &pointer,
            format!("the margin {margin} is negative; write 0 or more, or move the action level"),
        );
        return;
    }
    let action = objective.levels.action;
    let reaches = match objective.comparator {
        Comparator::AtLeast => action - margin <= spec.range.0,
        Comparator::AtMost => action + margin >= spec.range.1,
    };
    if margin > 0.0 && reaches {
        findings.at(
            &pointer,
            format!("the margin {margin} around the action level {action} reaches the end of what `{}` can be, so nothing is a breach; write a smaller one", spec.name),
        );
    }
}

fn word(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::AtLeast => "at_least",
        Comparator::AtMost => "at_most",
    }
}

fn side(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::AtLeast => "above",
        Comparator::AtMost => "below",
    }
}
