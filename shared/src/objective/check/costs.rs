//! Checks of what decisions cost.

use super::{Findings, inputs::plausible_unit};
use crate::objective::costs::{Costs, MAX_COST};
use crate::objective::document::{Decision, Scalar};

const AT: &str = "/outputs/decision/costs";

/// Checks what a decision is said to cost.
pub(super) fn check(findings: &mut Findings<'_>, decision: &Decision) {
    let Some(costs) = &decision.costs else { return };
    if let Err(why) = plausible_unit(&costs.unit) {
        findings.at(
            &format!("{AT}/unit"),
            format!(
                "`{}` is not a unit in UCUM: {why}; write one, as `[EUR]`, or `1`",
                costs.unit
            ),
        );
    }
    match decision.classes() {
        None => check_two(findings, costs),
        Some(classes) => check_classes(findings, costs, classes),
    }
    let all = costs.by_cell();
    if let Some(first) = all.first()
        && all.iter().all(|cost| cost.to_bits() == first.to_bits())
    {
        findings.at_key(
            AT,
            "every decision costs the same, so that no decision is better than another; state what right and wrong ones cost",
        );
    }
}

fn too_large(findings: &mut Findings<'_>, pointer: &str, cost: f64) {
    if cost.abs() > MAX_COST {
        findings.at(
            pointer,
            format!("a cost of {cost} is beyond {MAX_COST} either way; use a larger unit"),
        );
    }
}

fn check_two(findings: &mut Findings<'_>, costs: &Costs) {
    if !costs.by_class.is_empty() {
        findings.at_key(
            &format!("{AT}/by_class"),
            "decisions are two-valued; write `false_positive` and `false_negative` in place of `by_class`",
        );
        return;
    }
    for (key, cost) in costs.named() {
        let pointer = format!("{AT}/{key}");
        match cost {
            Some(cost) => too_large(findings, &pointer, cost),
            None if key.starts_with("false") => findings.at(
                &pointer,
                format!("`{key}` is missing; state what such a decision costs, if nothing then 0"),
            ),
            None => {}
        }
    }
}

fn check_classes(findings: &mut Findings<'_>, costs: &Costs, classes: &[Scalar]) {
    for (key, cost) in costs.named() {
        if cost.is_some() {
            findings.at_key(
                &format!("{AT}/{key}"),
                format!(
                    "none of several classes is positive; write `by_class` in place of `{key}`"
                ),
            );
        }
    }
    let n = classes.len();
    let wanted = format!("list {n} costs for each of the {n} classes, in their order");
    if costs.by_class.len() != n {
        findings.at(
            &format!("{AT}/by_class"),
            format!("{} lists of costs; {wanted}", costs.by_class.len()),
        );
    }
    for (i, row) in costs.by_class.iter().enumerate() {
        if row.len() != n {
            findings.at(
                &format!("{AT}/by_class/{i}"),
                format!("{} costs; {wanted}", row.len()),
            );
        }
        for (j, cost) in row.iter().enumerate() {
            too_large(findings, &format!("{AT}/by_class/{i}/{j}"), *cost);
        }
    }
}
