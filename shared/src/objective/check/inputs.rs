//! Checks of features and of protected attributes.

use std::collections::BTreeSet;

use super::{Findings, GROUPS, MAX_ATTRIBUTES, MAX_FEATURES, MAX_MISSING_VALUES, listed};
use crate::objective::document::{Attribute, AttributeSource, Feature, FeatureType};

pub(super) fn check(findings: &mut Findings<'_>) {
    let document = findings.document();
    findings.count(
        "/features",
        "features",
        document.features.len(),
        MAX_FEATURES,
    );
    findings.unique("feature", document.features.iter().map(|f| &f.name), |i| {
        format!("/features/{i}/name")
    });
    for (i, feature) in document.features.iter().enumerate() {
        check_feature(findings, &format!("/features/{i}"), feature);
    }
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
        check_attribute(findings, &format!("/attributes/{i}"), attribute);
    }
}

fn check_feature(findings: &mut Findings<'_>, at: &str, feature: &Feature) {
    let name = &feature.name;
    findings.text(&format!("{at}/from/input"), &feature.from.input);
    let unit = format!("{at}/unit");
    match (feature.kind, &feature.unit) {
        (FeatureType::Numeric, None) => findings.at(
            &unit,
            format!(
                "numeric feature `{name}` has no unit; add `unit` in UCUM, \"1\" for a pure number"
            ),
        ),
        (FeatureType::Categorical, Some(_)) => findings.at_key(
            &unit,
            format!("categorical feature `{name}` has a unit; remove it"),
        ),
        (FeatureType::Numeric, Some(text)) => {
            if let Err(why) = plausible_unit(text) {
                findings.at(
                    &unit,
                    format!("`{text}` is not a unit in UCUM: {why}; write one, as `mo`, `kg/m2` or `[EUR]`"),
                );
            }
        }
        (FeatureType::Categorical, None) => {}
    }
    if let Some(range) = feature.range {
        match feature.kind {
            FeatureType::Categorical => findings.at_key(
                &format!("{at}/range"),
                format!("categorical feature `{name}` has a range of numbers; remove it"),
            ),
            FeatureType::Numeric if range.min >= range.max => findings.at(
                &format!("{at}/range"),
                format!(
                    "the range from {} to {} is empty; `min` must be below `max`",
                    range.min, range.max
                ),
            ),
            FeatureType::Numeric => {}
        }
    }
    let missing = feature.missing.values.len();
    if missing > MAX_MISSING_VALUES {
        findings.at(
            &format!("{at}/missing/values"),
            format!("{missing} values stand for missing, the limit is {MAX_MISSING_VALUES}; keep the ones that occur"),
        );
    }
}

/// Whether a text could be a unit: printable, no spaces, brackets in order. Not a UCUM parser.
fn plausible_unit(unit: &str) -> Result<(), &'static str> {
    const LONGEST: usize = 64;
    if unit.is_empty() {
        return Err("it is empty");
    }
    if unit.len() > LONGEST {
        return Err("it is longer than 64 characters");
    }
    if !unit.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("it has a space or a character outside ASCII");
    }
    let mut open = Vec::new();
    for c in unit.chars() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return Err("its brackets do not pair up"),
            _ => {}
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err("its brackets do not pair up")
    }
}

fn check_attribute(findings: &mut Findings<'_>, at: &str, attribute: &Attribute) {
    match &attribute.from {
        AttributeSource::Request(path) => {
            findings.text(&format!("{at}/from/request/input"), &path.input);
        }
        AttributeSource::Outcome => {}
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
