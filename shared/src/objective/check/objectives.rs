//! Checks of each objective by itself: its texts, its subject, and what its metric reads.

use super::{Findings, MAX_OBJECTIVES, levels, listed, references, timing};
use crate::metric::Needs;
use crate::objective::document::{FeatureType, Objective, Outputs};

pub(super) fn check(findings: &mut Findings<'_>) {
    let objectives = &findings.document().objectives;
    findings.count(
        "/objectives",
        "objectives",
        objectives.len(),
        MAX_OBJECTIVES,
    );
    for (i, objective) in objectives.iter().enumerate() {
        let at = format!("/objectives/{i}");
        check_words(findings, &at, objective);
        check_subject(findings, &at, objective);
        check_outputs(findings, &at, objective);
        levels::check(findings, &at, objective);
        timing::check(findings, &at, objective);
        references::check(findings, &at, objective);
        if objective.min_support == 0 {
            findings.at(
                &format!("{at}/min_support"),
                "a measurement of no case says nothing; write at least 1",
            );
        }
        let alpha = objective.alpha;
        if !(alpha > 0.0 && alpha <= 0.5) {
            findings.at(
                &format!("{at}/alpha"),
                format!("a chance of a false nonconformity of {alpha} is outside what can be promised; write more than 0 and at most 0.5"),
            );
        }
    }
}

fn check_words(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    findings.text(&format!("{at}/statement"), &objective.statement);
    findings.text(&format!("{at}/policy"), &objective.policy);
    findings.text(&format!("{at}/owner"), &objective.owner);
    findings.text(&format!("{at}/approver"), &objective.approver);
    let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    if same(&objective.owner, &objective.approver) && !objective.owner.trim().is_empty() {
        findings.at(
            &format!("{at}/approver"),
            format!(
                "`{}` cannot approve what it answers for; name another role",
                objective.approver.trim()
            ),
        );
    }
}

fn check_subject(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let of = &objective.of;
    let metric = objective.metric.spec().name;
    let (feature, attribute, group, wanted) = match objective.metric.spec().needs {
        Needs::Nothing => (false, false, false, "all cases, so `of` names nothing"),
        Needs::Feature => (true, false, false, "a feature: `of: { feature: .. }`"),
        Needs::NumericFeature => (
            true,
            false,
            false,
            "a numeric feature: `of: { feature: .. }`",
        ),
        Needs::CategoricalFeature => (
            true,
            false,
            false,
            "a categorical feature: `of: { feature: .. }`",
        ),
        Needs::AttributeGroup | Needs::Group => (
            false,
            true,
            true,
            "a group of an attribute: `of: { attribute: .., group: .. }`",
        ),
        Needs::Attribute => (
            false,
            true,
            false,
            "a whole attribute: `of: { attribute: .. }`",
        ),
    };
    for (key, needed, named) in [
        ("feature", feature, of.feature.is_some()),
        ("attribute", attribute, of.attribute.is_some()),
        ("group", group, of.group.is_some()),
    ] {
        let pointer = format!("{at}/of/{key}");
        if needed && !named {
            findings.at(
                &pointer,
                format!("metric `{metric}` is of {wanted}; add `{key}`"),
            );
        } else if named && !needed {
            findings.at_key(
                &pointer,
                format!("metric `{metric}` is of {wanted}; remove `{key}`"),
            );
        }
    }
    if feature {
        check_feature_known(findings, at, objective);
    }
    if attribute {
        check_group_known(findings, at, objective);
    }
}

fn check_feature_known(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let features = &findings.document().features;
    let Some(name) = &objective.of.feature else {
        return;
    };
    let pointer = format!("{at}/of/feature");
    let Some(feature) = features.iter().find(|f| f.name == *name) else {
        let message = format!(
            "there is no feature `{name}`; add it under `features`, or name one that is there: {}",
            listed(features.iter().map(|f| &f.name))
        );
        findings.at(&pointer, message);
        return;
    };
    let spec = objective.metric.spec();
    let (wanted, word) = match spec.needs {
        Needs::NumericFeature => (FeatureType::Numeric, "numeric"),
        Needs::CategoricalFeature => (FeatureType::Categorical, "categorical"),
        Needs::Nothing
        | Needs::Feature
        | Needs::AttributeGroup
        | Needs::Group
        | Needs::Attribute => return,
    };
    if feature.kind != wanted {
        let fitting = features.iter().filter(|f| f.kind == wanted);
        let message = format!(
            "metric `{}` is of a {word} feature, and `{name}` is none; those that are: {}",
            spec.name,
            listed(fitting.map(|f| &f.name))
        );
        findings.at(&pointer, message);
    }
}

fn check_group_known(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let attributes = &findings.document().attributes;
    let Some(name) = &objective.of.attribute else {
        return;
    };
    let Some(attribute) = attributes.iter().find(|a| a.name == *name) else {
        let message = format!(
            "there is no attribute `{name}`; add it under `attributes`, or name one that is there: {}",
            listed(attributes.iter().map(|a| &a.name))
        );
        findings.at(&format!("{at}/of/attribute"), message);
        return;
    };
    let Some(group) = &objective.of.group else {
        return;
    };
    let others = attribute
        .groups
        .iter()
        .filter(|g| **g != attribute.reference);
    let pointer = format!("{at}/of/group");
    let compared = match objective.metric.spec().needs {
        Needs::AttributeGroup => true,
        Needs::Nothing
        | Needs::Feature
        | Needs::NumericFeature
        | Needs::CategoricalFeature
        | Needs::Group
        | Needs::Attribute => false,
    };
    if compared && *group == attribute.reference {
        let message = format!(
            "`{group}` is the reference group of `{name}` and would be compared with itself; the other groups are: {}",
            listed(others)
        );
        findings.at(&pointer, message);
    } else if !attribute.groups.contains(group) {
        let message = format!(
            "attribute `{name}` has no group `{group}`; those beside its reference are: {}",
            listed(others)
        );
        findings.at(&pointer, message);
    }
}

fn check_outputs(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let Outputs {
        score,
        decision,
        value,
        label,
    } = &findings.document().outputs;
    let has_classes = decision.as_ref().is_some_and(|d| d.classes().is_some());
    let metric = objective.metric.spec();
    for (key, needed, there) in [
        ("score", metric.needs_score, score.is_some()),
        ("decision", metric.needs_decision, decision.is_some()),
        ("value", metric.needs_value, value.is_some()),
        ("label", metric.needs_label, label.is_some()),
    ] {
        if needed && !there {
            findings.at(
                &format!("{at}/metric"),
                format!(
                    "metric `{}` reads a {key}, but `outputs` has none; add `{key}` there",
                    metric.name
                ),
            );
        }
    }
    if metric.needs_classes && !has_classes {
        findings.at(
            &format!("{at}/metric"),
            format!(
                "metric `{}` is of decisions between several classes; list them under \
                 `outputs.decision.rule.class`, or name a metric of two",
                metric.name
            ),
        );
    }
}
