//! Empty groups, missing labels, one class, unknown groups, counts at the end of 64 bits.

use clause9_shared::metric::{Answers, MetricId, Needs, Unmeasurable};
use clause9_shared::sketch::PaneSummary;

use crate::case::{ATTRIBUTES, Row, measure, pane, windows};

/// Every metric of an attribute, on every subject that fits.
fn all(pane: &PaneSummary) -> Vec<(String, Result<f64, Unmeasurable>)> {
    let mut found = Vec::new();
    for metric in MetricId::ALL {
        let spec = metric.spec();
        match spec.answers {
            Answers::Any | Answers::TwoValued => {}
            Answers::Classes | Answers::ClassScores | Answers::Number | Answers::List => continue,
        }
        let subjects: Vec<Option<&str>> = match spec.needs {
            Needs::Attribute => vec![None],
            Needs::AttributeGroup => vec![Some("female")],
            Needs::Group => vec![Some("female"), Some("male")],
            Needs::Nothing
            | Needs::Feature
            | Needs::NumericFeature
            | Needs::CategoricalFeature
            | Needs::Class
            | Needs::ClassOfGroup
            | Needs::ClassOfAttributeGroup => continue,
        };
        for group in subjects {
            let value = measure(pane, spec.name, Some("sex"), group);
            if let Ok(estimate) = &value {
                let (low, high) = spec.range;
                assert!(
                    low <= estimate.value && estimate.value <= high,
                    "{} {}",
                    spec.name,
                    estimate.value
                );
                for (low, high) in estimate.interval.into_iter().chain(estimate.bound) {
                    assert!(
                        low <= high && !low.is_nan() && !high.is_nan(),
                        "{}",
                        spec.name
                    );
                }
            }
            found.push((spec.name.to_owned(), value.map(|estimate| estimate.value)));
        }
    }
    assert!(found.len() > 90, "{}", found.len());
    found
}

fn row(sex: Option<&str>, label: bool, decision: bool) -> Row {
    Row {
        label,
        decision,
        score: if decision { 0.8 } else { 0.3 },
        groups: [sex.map(str::to_owned), None, None],
    }
}

#[test]
fn nothing_seen_is_no_data_for_every_metric() {
    for (metric, value) in all(&pane(&[])) {
        assert_eq!(value, Err(Unmeasurable::NoData), "{metric}");
    }
}

#[test]
fn one_group_alone_is_never_compared() {
    let rows: Vec<Row> = (0..20)
        .map(|i| row(Some("male"), i % 2 == 0, i % 3 == 0))
        .collect();
    let pane = pane(&rows);
    for (metric, value) in all(&pane) {
        let alone = metric.contains(".group") || metric == "unknown_group_rate";
        let defined = alone || metric == "generalised_entropy.between_groups";
        assert!(defined || value.is_err(), "{metric}: {value:?}");
    }
    let other = measure(&pane, "selection_rate.group", Some("sex"), Some("female"));
    assert!(matches!(other, Err(Unmeasurable::Undefined(_))));
}

#[test]
fn every_combination_of_few_cases_has_a_defined_result() {
    // All ways in which up to two of eight kinds of case occur, and one kind many times.
    let kinds: Vec<Row> = ["male", "female"]
        .into_iter()
        .flat_map(|sex| {
            [(true, true), (true, false), (false, true), (false, false)]
                .map(|(label, decision)| row(Some(sex), label, decision))
        })
        .collect();
    for first in &kinds {
        for second in &kinds {
            let mut rows = vec![first.clone(); 3];
            rows.push(second.clone());
            for (metric, value) in all(&pane(&rows)) {
                match value {
                    Ok(value) => assert!(value.is_finite(), "{metric} {value}"),
                    Err(Unmeasurable::Undefined(_) | Unmeasurable::NoReferenceHits { .. }) => {}
                    Err(Unmeasurable::NoData | Unmeasurable::LacksSummary(_)) => {
                        panic!("{metric} {value:?}")
                    }
                }
            }
        }
    }
}

#[test]
fn cases_of_unknown_group_are_in_no_group_and_widen_what_is_left_open() {
    let (_, mut rows) = windows().swap_remove(4);
    let known = pane(&rows);
    let of = |pane: &PaneSummary, metric: &str| {
        let found = measure(pane, metric, Some("sex"), Some("female"));
        found.unwrap().value
    };
    let value = of(&known, "demographic_parity_difference");
    assert_eq!(
        of(&known, "demographic_parity_difference.lowest").to_bits(),
        value.to_bits()
    );
    for row in rows.iter_mut().step_by(10) {
        row.groups[0] = Some("not listed".to_owned());
    }
    let open = pane(&rows);
    let rate = measure(&open, "unknown_group_rate", Some("sex"), None).unwrap();
    assert!((rate.value - 0.1).abs() < 1e-12);
    for metric in [
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "false_positive_rate_difference",
    ] {
        let [low, high] = ["lowest", "highest"].map(|end| of(&open, &format!("{metric}.{end}")));
        for figure in [of(&known, metric), of(&open, metric)] {
            assert!(
                low < figure && figure < high,
                "{metric}: {low} {figure} {high}"
            );
        }
    }
}

#[test]
fn a_group_or_attribute_that_is_not_declared_is_said() {
    let pane = pane(&[row(Some("male"), true, true)]);
    for (attribute, group) in [("sex", "other"), ("region", "north")] {
        let found = measure(&pane, "accuracy_difference", Some(attribute), Some(group));
        assert!(
            matches!(found, Err(Unmeasurable::Undefined(_))),
            "{found:?}"
        );
    }
    assert_eq!(ATTRIBUTES.len(), 3);
}
