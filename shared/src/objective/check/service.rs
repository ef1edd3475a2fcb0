//! Checks of what is said of how the model is served.

use super::Findings;
use crate::objective::document::Objective;
use crate::objective::service::MAX_LIMITS;
use crate::service::Facet;
use crate::sketch::{SummaryKey, SummaryKind, SummaryOf};

pub(super) fn check(findings: &mut Findings<'_>) {
    let Some(service) = &findings.document().service else {
        return;
    };
    if let Some(slow) = service.slow_after
        && !(slow > 0.0 && slow.is_finite())
    {
        findings.at(
            "/service/slow_after",
            format!(
                "no answer takes {slow} seconds; write the seconds after which one is slow, as 0.5"
            ),
        );
    }
    for facet in Facet::NUMBERS {
        let limits = service.limits.of(facet);
        let at = format!("/service/limits/{}", facet.as_str());
        if limits.len() > MAX_LIMITS {
            findings.at(
                &at,
                format!("{} limits, at most {MAX_LIMITS} are counted; keep those that are levels of objectives", limits.len()),
            );
        }
        for (i, limit) in limits.iter().enumerate() {
            if !(*limit > 0.0 && limit.is_finite()) {
                findings.at(
                    &format!("{at}/{i}"),
                    format!("{limit} is no limit; write a number above 0"),
                );
            } else if i > 0 && limits[i - 1] >= *limit {
                findings.at(
                    &format!("{at}/{i}"),
                    format!(
                        "{limit} does not follow {}; write limits in ascending order",
                        limits[i - 1]
                    ),
                );
            }
        }
    }
}

/// An objective on how the model is served needs that to be counted.
pub(super) fn check_objective(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let document = findings.document();
    let reads = objective.metric.reads(document, &objective.of);
    let of_service = |of: &SummaryOf| matches!(of, SummaryOf::Service(_));
    check_distinct(findings, at, objective, &reads);
    let document = findings.document();
    if document.service.is_none() && reads.iter().any(|key| of_service(&key.of)) {
        let metric = objective.metric.spec().name;
        findings.at(
            &format!("{at}/metric"),
            format!("metric `{metric}` is of how the model is served, which is not counted; add `service: {{}}` to the file"),
        );
    }
}

/// An objective on different values needs these to be counted.
fn check_distinct(
    findings: &mut Findings<'_>,
    at: &str,
    objective: &Objective,
    reads: &[SummaryKey],
) {
    let mut features = findings.document().features.iter();
    let named = features.find(|f| Some(&f.name) == objective.of.feature.as_ref());
    let needed = reads.iter().any(|key| key.kind == SummaryKind::Distinct);
    if let Some(feature) = named.filter(|f| needed && !f.distinct) {
        let (metric, name) = (objective.metric.spec().name, &feature.name);
        findings.at(
            &format!("{at}/metric"),
            format!("metric `{metric}` is of different values, which are not counted; add `distinct: true` to feature `{name}`"),
        );
    }
}
