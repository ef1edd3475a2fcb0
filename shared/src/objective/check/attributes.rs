//! Checks of protected attributes and their intersections.

use std::collections::BTreeSet;

use super::{Findings, GROUPS, MAX_ATTRIBUTES, listed, strata};
use crate::objective::document::{Attribute, AttributeSource};
use crate::objective::intersection::combined;

pub(super) fn check(findings: &mut Findings<'_>) {
    let document = findings.document();
    if document.attributes.len() > MAX_ATTRIBUTES {
        findings.count(
            "/attributes",
            "attributes",
            document.attributes.len(),
            MAX_ATTRIBUTES,
        );
    }
    findings.unique(
        "attribute",
        document.attributes.iter().map(|a| &a.name),
        |i| format!("/attributes/{i}/name"),
    );
    for (i, attribute) in document.attributes.iter().enumerate() {
        let at = format!("/attributes/{i}");
        strata::check(findings, &at, attribute);
        if attribute.of.is_empty() {
            check_attribute(findings, &at, attribute);
        } else {
            check_intersection(findings, &at, attribute);
        }
    }
}

fn check_intersection(findings: &mut Findings<'_>, at: &str, attribute: &Attribute) {
    let all = &findings.document().attributes;
    let name = &attribute.name;
    let pointer = format!("{at}/of");
    if attribute.from != AttributeSource::Parts {
        findings.at_key(
            &format!("{at}/from"),
            format!("`{name}` follows from the attributes under `of`; remove `from`"),
        );
    }
    if attribute.of.len() < 2 {
        findings.at(
            &pointer,
            format!("`{name}` is of one attribute; name at least two"),
        );
    }
    let known = findings.problems.len();
    let plain = || all.iter().filter(|a| a.of.is_empty()).map(|a| &a.name);
    for (i, part) in attribute.of.iter().enumerate() {
        let pointer = format!("{pointer}/{i}");
        if !plain().any(|plain| plain == part) {
            let message = format!(
                "`{part}` is no attribute that an intersection can be of; those are: {}",
                listed(plain())
            );
            findings.at(&pointer, message);
        } else if attribute.of[..i].contains(part) {
            findings.at(
                &pointer,
                format!("`{part}` is named twice; remove one of them"),
            );
        }
    }
    if findings.problems.len() > known {
        return;
    }
    match combined(all, attribute) {
        None => findings.at(
            &pointer,
            format!(
                "the groups of {} have more than {} combinations; name fewer attributes, or coarser groups",
                listed(&attribute.of),
                GROUPS.end()
            ),
        ),
        Some((groups, reference)) => {
            for (key, written) in [
                ("groups", attribute.groups != groups),
                ("reference", attribute.reference != reference),
            ] {
                if written {
                    findings.at_key(
                        &format!("{at}/{key}"),
                        format!("the `{key}` of `{name}` follow from its parts; remove `groups` and `reference`"),
                    );
                    break;
                }
            }
        }
    }
}

fn check_attribute(findings: &mut Findings<'_>, at: &str, attribute: &Attribute) {
    match &attribute.from {
        AttributeSource::Request(path) => {
            if path.output.is_some() {
                findings.at_key(
                    &format!("{at}/from/request/output"),
                    format!(
                        "attribute `{}` cannot stand in the answer; name the `input` that holds it",
                        attribute.name
                    ),
                );
            } else {
                findings.text(&format!("{at}/from/request/input"), &path.input);
            }
        }
        AttributeSource::Outcome => {}
        AttributeSource::Parts => findings.at(
            &format!("{at}/from"),
            format!(
                "nothing says where `{}` comes from; add `from`, or `of` with the attributes that it is the intersection of",
                attribute.name
            ),
        ),
    }
    let groups = &attribute.groups;
    let pointer = format!("{at}/groups");
    if !GROUPS.contains(&groups.len()) {
        let message = format!(
            "attribute `{}` has {} groups; list between {} and {}, any other value counts as unknown",
            attribute.name,
            groups.len(),
            GROUPS.start(),
            GROUPS.end()
        );
        findings.at(&pointer, message);
    }
    let mut seen = BTreeSet::new();
    for (i, group) in groups.iter().enumerate() {
        let pointer = format!("{pointer}/{i}");
        if group.trim().is_empty() {
            findings.at(
                &pointer,
                "a group's name is empty; write the value that stands for it",
            );
        } else if !seen.insert(group) {
            findings.at(
                &pointer,
                format!("group `{group}` is listed twice; remove one of them"),
            );
        }
    }
    if !groups.contains(&attribute.reference) {
        let message = format!(
            "the reference group `{}` is not among the groups of `{}`; its groups are: {}",
            attribute.reference,
            attribute.name,
            listed(groups)
        );
        findings.at(&format!("{at}/reference"), message);
    }
}
