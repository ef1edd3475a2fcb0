//! One class against the rest, by group: two groups and three classes, counted by hand.

use clause9_shared::baseline::Baseline;
use clause9_shared::ids::Name;
use clause9_shared::metric::{Beside, Measurement, MetricId, Needs, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::sketch::{ClassTable, PaneSummary, Summary, SummaryKey, SummaryOf};
use serde_json::json;

fn document() -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": { "id": "s", "name": "S", "intended_purpose": "Advises.", "owner": "a",
            "role": "user", "models": [{ "name": "m", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [],
        "outputs": {
            "decision": { "rule": { "class": { "from": { "output": "kind" },
                "classes": ["car", "home", "other"] } } },
            "label": { "type": "class" }
        },
        "attributes": [{ "name": "sex", "from": "outcome", "groups": ["female", "male"],
            "reference": "male" }],
        "objectives": []
    }))
    .unwrap()
}

fn baseline() -> Baseline {
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "s",
        "source": { "name": "none.csv", "digest": "sha256:".to_owned() + &"00".repeat(32) },
        "rows": 0, "features": {}
    }))
    .unwrap()
}

/// Labels by decisions of each group: rows are labels. Decisions of no listed class come beside.
const FEMALE: [[u64; 3]; 3] = [[8, 1, 1], [2, 5, 3], [0, 2, 8]];
const MALE: [[u64; 3]; 3] = [[18, 2, 0], [1, 9, 0], [4, 0, 6]];

fn pane(female: &[[u64; 3]; 3], male: &[[u64; 3]; 3]) -> PaneSummary {
    let mut labelled = ClassTable::new(3, 2).unwrap();
    let mut decided = ClassTable::new(3, 2).unwrap();
    for (group, table) in (0..).zip([female, male]) {
        for (label, row) in (0..).zip(table) {
            for (decision, count) in (0..).zip(row) {
                for _ in 0..*count {
                    labelled.add(Some(label), Some(decision), Some(group));
                    decided.add(None, Some(decision), Some(group));
                }
            }
        }
    }
    // Of no group, and one decision of the women's for a class that is not listed.
    labelled.add(Some(0), Some(1), None);
    if female.iter().flatten().sum::<u64>() > 0 {
        decided.add(None, None, Some(0));
        labelled.add(Some(0), None, Some(0));
    }
    let by = || Some(Name::new("sex").unwrap());
    let mut all = [
        (SummaryOf::Decision(by()), Summary::ClassTable(decided)),
        (
            SummaryOf::DecisionByLabel(by()),
            Summary::ClassTable(labelled),
        ),
    ]
    .map(|(of, summary)| (SummaryKey::new(of, summary.kind()), summary));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    PaneSummary::new(all.into())
}

fn measure(pane: &PaneSummary, metric: &str, class: Option<&str>, group: &str) -> Measurement {
    let of = Subject {
        attribute: Some(Name::new("sex").unwrap()),
        group: Some(group.to_owned()),
        class: class.map(str::to_owned),
        ..Subject::default()
    };
    let (document, baseline) = (document(), baseline());
    let metric = MetricId::by_name(metric).unwrap_or_else(|| panic!("no metric {metric}"));
    metric.measure(Seen {
        document: &document,
        baseline: &baseline,
        of: &of,
        summary: pane,
        beside: Beside::default(),
    })
}

#[test]
fn rates_of_a_class_in_a_group_are_those_counted_by_hand() {
    let pane = pane(&FEMALE, &MALE);
    let of = |metric: &str, group| {
        let found = measure(&pane, metric, Some("car"), group).unwrap();
        let (low, high) = found.interval.unwrap();
        assert!(low <= found.value && found.value <= high, "{metric}");
        (found.value, found.support)
    };
    let is = |metric: &str, group, hits: f64, cases: u32| {
        let (value, support) = of(metric, group);
        assert!(
            (value - hits / f64::from(cases)).abs() < 1e-12,
            "{metric} {value}"
        );
        assert_eq!(support, u64::from(cases), "{metric}");
    };
    is("class_decided_rate.group", "female", 10.0, 31);
    is("class_decided_rate.group", "male", 23.0, 40);
    is("class_recall.group", "female", 8.0, 10);
    is("class_recall.group", "male", 18.0, 20);
    is("class_precision.group", "female", 8.0, 10);
    is("class_precision.group", "male", 18.0, 23);
    is("class_false_positive_rate.group", "female", 2.0, 20);
    is("class_false_positive_rate.group", "male", 5.0, 20);
    for (metric, expected) in [
        ("class_decided_rate_difference", 10.0 / 31.0 - 23.0 / 40.0),
        ("class_decided_rate_ratio", (10.0 / 31.0) / (23.0 / 40.0)),
        ("class_recall_difference", 0.8 - 0.9),
        ("class_recall_ratio", 0.8 / 0.9),
        ("class_precision_difference", 0.8 - 18.0 / 23.0),
        ("class_precision_ratio", 0.8 / (18.0 / 23.0)),
        ("class_false_positive_rate_difference", 0.1 - 0.25),
        ("class_false_positive_rate_ratio", 0.1 / 0.25),
    ] {
        let (value, _) = of(metric, "female");
        assert!(
            (value - expected).abs() < 1e-12,
            "{metric} {value} {expected}"
        );
    }
}

#[test]
fn figures_over_all_classes_of_a_group_are_of_its_cases_alone() {
    let pane = pane(&FEMALE, &MALE);
    let of = |metric, group| measure(&pane, metric, None, group).unwrap().value;
    assert!((of("multiclass_accuracy.group", "female") - 21.0 / 30.0).abs() < 1e-12);
    assert!((of("multiclass_accuracy.group", "male") - 33.0 / 40.0).abs() < 1e-12);
    // 2 right decisions over labels and decisions of each class.
    let f1 = (16.0 / 20.0 + 10.0 / 18.0 + 16.0 / 22.0) / 3.0;
    assert!((of("macro_f1.group", "female") - f1).abs() < 1e-12);
}

#[test]
fn groups_and_classes_without_cases_have_no_rate() {
    let empty = [[0; 3]; 3];
    let all = || {
        let of_classes = |metric: &&MetricId| {
            let needs = metric.spec().needs;
            matches!(needs, Needs::ClassOfGroup | Needs::ClassOfAttributeGroup)
        };
        MetricId::ALL
            .iter()
            .filter(of_classes)
            .map(|m| m.spec().name)
    };
    assert_eq!(all().count(), 12);
    for metric in all() {
        let found = measure(&pane(&empty, &empty), metric, Some("car"), "female");
        assert_eq!(found, Err(Unmeasurable::NoData), "{metric}");
        let alone = measure(&pane(&FEMALE, &empty), metric, Some("car"), "male");
        assert!(
            matches!(alone, Err(Unmeasurable::Undefined(_))),
            "{metric} {alone:?}"
        );
        for (class, group) in [
            (Some("boat"), "female"),
            (None, "female"),
            (Some("car"), "none"),
        ] {
            let unknown = measure(&pane(&FEMALE, &MALE), metric, class, group);
            assert!(
                matches!(unknown, Err(Unmeasurable::Undefined(_))),
                "{metric}"
            );
        }
        let lacking = measure(&PaneSummary::default(), metric, Some("car"), "female");
        assert!(
            matches!(lacking, Err(Unmeasurable::LacksSummary(_))),
            "{metric}"
        );
    }
    // Nobody was decided to be `other` among the men who are labelled `car`: a share of 0, not none.
    let none = [[20, 0, 0], [1, 9, 0], [4, 6, 0]];
    let found = measure(
        &pane(&FEMALE, &none),
        "class_recall.group",
        Some("other"),
        "male",
    );
    assert!(found.unwrap().value.abs() < 1e-12);
    let ratio = measure(
        &pane(&FEMALE, &none),
        "class_recall_ratio",
        Some("other"),
        "female",
    );
    assert!(matches!(ratio, Err(Unmeasurable::NoReferenceHits { .. })));
}
