//! Checks of groups that are sampled more often than others.

use super::{Findings, listed};
use crate::objective::document::{Attribute, AttributeSource, Objective};

/// What `sampled_at_least` of one attribute says.
pub(super) fn check(findings: &mut Findings<'_>, at: &str, attribute: &Attribute) {
    if attribute.sampled_at_least.is_empty() {
        return;
    }
    let name = &attribute.name;
    let pointer = format!("{at}/sampled_at_least");
    if !matches!(attribute.from, AttributeSource::Request(_)) {
        findings.at_key(
            &pointer,
            format!("the groups of `{name}` do not stand in the request, so no request can be kept for them; remove `sampled_at_least`"),
        );
        return;
    }
    let all = &findings.document().attributes;
    let first = all.iter().find(|a| !a.sampled_at_least.is_empty());
    if let Some(first) = first.filter(|first| first.name != *name) {
        let message = format!(
            "`{}` has `sampled_at_least`, and only one attribute can; remove it here or there",
            first.name
        );
        findings.at_key(&pointer, message);
    }
    for (group, share) in &attribute.sampled_at_least {
        let pointer = format!("{pointer}/{}", escaped(group));
        if !attribute.groups.contains(group) {
            let message = format!(
                "`{name}` has no group `{group}`; its groups are: {}",
                listed(&attribute.groups)
            );
            findings.at_key(&pointer, message);
        } else if !(*share > 0.0 && *share <= 1.0) {
            findings.at(
                &pointer,
                format!("a share of {share} of the requests of `{group}` cannot be kept; write more than 0 and at most 1"),
            );
        }
    }
}

/// A name as part of a JSON Pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Where groups are sampled at different rates, cases of several groups do not add up.
pub(super) fn check_objective(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let spec = objective.metric.spec();
    let Some(name) = objective
        .of
        .attribute
        .as_ref()
        .filter(|_| spec.groups.are_added_up())
    else {
        return;
    };
    let document = findings.document();
    let mut strata = document
        .attributes
        .iter()
        .filter(|a| !a.sampled_at_least.is_empty());
    let by = |stratum: &&Attribute| {
        let of = document.attributes.iter().find(|a| a.name == *name);
        stratum.name == *name || of.is_some_and(|of| of.of.contains(&stratum.name))
    };
    if let Some(stratum) = strata.find(by) {
        let message = format!(
            "`{}` adds up cases of several groups, and `sampled_at_least` of `{}` lets some count more often than others; choose a metric that compares two groups, or remove `sampled_at_least`",
            spec.name, stratum.name
        );
        findings.at(&format!("{at}/of/attribute"), message);
    }
}
