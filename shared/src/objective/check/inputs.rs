//! Checks of features.

use super::{Findings, MAX_FEATURES, MAX_MISSING_VALUES};
use crate::objective::document::{Feature, FeatureType};

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
}

fn check_feature(findings: &mut Findings<'_>, at: &str, feature: &Feature) {
    let name = &feature.name;
    check_place(findings, at, feature);
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

/// A feature stands in the request or in the answer.
fn check_place(findings: &mut Findings<'_>, at: &str, feature: &Feature) {
    match &feature.from.output {
        None => findings.text(&format!("{at}/from/input"), &feature.from.input),
        Some(output) => {
            findings.text(&format!("{at}/from/output"), output);
            if !feature.from.input.is_empty() {
                findings.at_key(
                    &format!("{at}/from/output"),
                    format!(
                        "feature `{}` stands in the request or in the answer, not in both; remove `input` or `output`",
                        feature.name
                    ),
                );
            }
        }
    }
}

/// Whether a text could be a unit: printable, no spaces, brackets in order. Not a UCUM parser.
pub(super) fn plausible_unit(unit: &str) -> Result<(), &'static str> {
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
