//! Checks of each objective by itself: its texts, its subject, and what its metric reads.

use super::{
    Findings, MAX_OBJECTIVES, levels, listed, references, service, strata, timing, unlabelled,
};
use crate::metric::{Answers, MetricId, Needs};
use crate::objective::document::{Decision, FeatureType, Objective, Outputs};

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
        service::check_objective(findings, &at, objective);
        levels::check(findings, &at, objective);
        timing::check(findings, &at, objective);
        unlabelled::check(findings, &at, objective);
        references::check(findings, &at, objective);
        strata::check_objective(findings, &at, objective);
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
    let (keys, wanted): (&[&str], _) = match objective.metric.spec().needs {
        Needs::Nothing => (&[], "all cases, so `of` names nothing"),
        Needs::Feature => (&["feature"], "a feature: `of: { feature: .. }`"),
        Needs::NumericFeature => (&["feature"], "a numeric feature: `of: { feature: .. }`"),
        Needs::CategoricalFeature => (&["feature"], "a categorical feature: `of: { feature: .. }`"),
        Needs::AttributeGroup | Needs::Group => (
            &["attribute", "group"],
            "a group of an attribute: `of: { attribute: .., group: .. }`",
        ),
        Needs::Attribute => (&["attribute"], "a whole attribute: `of: { attribute: .. }`"),
        Needs::Class => (&["class"], "a class of the decision: `of: { class: .. }`"),
        Needs::ClassOfGroup | Needs::ClassOfAttributeGroup => (
            &["class", "attribute", "group"],
            "a class of the decision in a group of an attribute: `of: { class: .., attribute: .., group: .. }`",
        ),
    };
    for (key, named) in [
        ("feature", of.feature.is_some()),
        ("attribute", of.attribute.is_some()),
        ("group", of.group.is_some()),
        ("class", of.class.is_some()),
    ] {
        let needed = keys.contains(&key);
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
    if keys.contains(&"feature") {
        check_feature_known(findings, at, objective);
    }
    if keys.contains(&"attribute") {
        check_group_known(findings, at, objective);
    }
    check_class_known(findings, at, objective);
}

fn check_class_known(findings: &mut Findings<'_>, at: &str, objective: &Objective) {
    let decision = findings.document().outputs.decision.as_ref();
    let classes = decision.and_then(Decision::classes);
    if let (Some(class), Some(classes)) = (&objective.of.class, classes)
        && !classes.iter().any(|known| known.to_string() == *class)
    {
        let message = format!(
            "the decision has no class `{class}`; its classes are: {}",
            listed(classes)
        );
        findings.at(&format!("{at}/of/class"), message);
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
        | Needs::Attribute
        | Needs::Class
        | Needs::ClassOfGroup
        | Needs::ClassOfAttributeGroup => return,
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
        Needs::AttributeGroup | Needs::ClassOfAttributeGroup => true,
        Needs::Nothing
        | Needs::Feature
        | Needs::NumericFeature
        | Needs::CategoricalFeature
        | Needs::Group
        | Needs::Attribute
        | Needs::Class
        | Needs::ClassOfGroup => false,
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
        ranking,
        label,
    } = &findings.document().outputs;
    let metric = objective.metric.spec();
    let classes = decision.as_ref().is_some_and(|d| d.classes().is_some());
    let lacking = match metric.answers {
        Answers::Any | Answers::TwoValued => None,
        Answers::Classes => {
            (!classes).then_some("a decision among classes, but `outputs` has none; list `classes`")
        }
        Answers::Number => value
            .is_none()
            .then_some("a predicted number, but `outputs` has none; add `value`"),
        Answers::ClassScores => {
            let scores = decision.as_ref().and_then(|d| d.class_scores());
            scores.is_none().then_some(
                "a score of each class, but `outputs.decision` has none; add `scores` beside `classes`",
            )
        }
        Answers::List => ranking
            .is_none()
            .then_some("a ranked list, but `outputs` has none; add `ranking`"),
    };
    if let Some(lacking) = lacking {
        findings.at(
            &format!("{at}/metric"),
            format!("metric `{}` reads {lacking} there", metric.name),
        );
        return;
    }
    let costs = decision.as_ref().is_some_and(|d| d.costs.is_some());
    if objective.metric == MetricId::Cost && decision.is_some() && !costs {
        findings.at(
            &format!("{at}/metric"),
            "metric `cost` reads what decisions cost, but `outputs.decision` does not say it; add `costs` there",
        );
    }
    for (key, needed, there) in [
        ("score", metric.needs_score, score.is_some()),
        ("decision", metric.needs_decision, decision.is_some()),
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
}
