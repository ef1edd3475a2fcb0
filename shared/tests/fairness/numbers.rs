//! Predicted numbers and decisions of several classes, by group.

use clause9_shared::ids::Name;
use clause9_shared::metric::Unmeasurable;
use clause9_shared::sketch::{ClassTable, PaneSummary, Residuals, Summary, SummaryKey, SummaryOf};

use crate::case::measure;

fn sex() -> Name {
    Name::new("sex").unwrap()
}

fn pane(of: SummaryOf, summary: Summary) -> PaneSummary {
    PaneSummary::new(vec![(SummaryKey::new(of, summary.kind()), summary)])
}

/// Labels and predictions by sex (female 0, male 1): residuals are what numpy is given below.
const FEMALE: [(f64, f64); 5] = [
    (10.0, 12.0),
    (20.0, 19.0),
    (30.0, 34.5),
    (7.0, 7.25),
    (50.0, 40.0),
];
const MALE: [(f64, f64); 4] = [(10.0, 10.5), (11.0, 9.0), (12.0, 12.0), (400.0, 401.0)];

fn predicted(female: &[(f64, f64)], male: &[(f64, f64)]) -> PaneSummary {
    let mut residuals = Residuals::new(16.0, 3, 2).unwrap();
    for (group, rows) in [(0, female), (1, male)] {
        for (label, prediction) in rows {
            residuals.add(*label, *prediction, Some(group));
        }
    }
    residuals.add(1.0, 9.0, None);
    pane(SummaryOf::Error(Some(sex())), Summary::Residuals(residuals))
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1.0),
        "{found} {expected}"
    );
}

#[test]
fn means_of_residuals_and_their_difference_are_numpys_and_scipys() {
    let pane = predicted(&FEMALE, &MALE);
    let of = |metric, group| measure(&pane, metric, Some("sex"), Some(group)).unwrap();
    near(of("mean_error.group", "female").value, -0.85, 1e-9);
    near(of("mean_error.group", "male").value, -0.125, 1e-9);
    near(of("mean_absolute_error.group", "female").value, 3.55, 1e-9);
    near(of("mean_absolute_error.group", "male").value, 0.875, 1e-9);
    assert_eq!(of("mean_error.group", "female").support, 5);
    // (4 + 1 + 20.25 + 0.0625 + 100) / 5, and (0.25 + 4 + 0 + 1) / 4.
    near(of("mse.group", "female").value, 25.0625, 1e-9);
    near(of("mse.group", "male").value, 1.3125, 1e-9);
    near(of("rmse.group", "female").value, 25.0625_f64.sqrt(), 1e-9);
    assert!(of("rmse.group", "male").interval.is_none());
    for (metric, value, (low, high)) in GOLDEN {
        let found = of(metric, "female");
        near(found.value, value, 1e-9);
        let interval = found.interval.unwrap();
        near(interval.0, low, 1e-6);
        near(interval.1, high, 1e-6);
    }
}

/// scipy 1.17: `stats.ttest_ind(female, male, equal_var=False)`, difference and its 95 % interval.
const GOLDEN: [(&str, f64, (f64, f64)); 2] = [
    (
        "mean_error_difference",
        -0.725,
        (-7.483_613_532, 6.033_613_532),
    ),
    (
        "mean_absolute_error_difference",
        2.675,
        (-2.167_437_132, 7.517_437_132),
    ),
];

#[test]
fn groups_without_cases_or_with_one_have_no_difference() {
    let nobody = predicted(&[], &[]);
    let of = |pane: &PaneSummary, metric| measure(pane, metric, Some("sex"), Some("female"));
    for metric in [
        "mean_error.group",
        "mse.group",
        "rmse.group",
        "mean_error_difference",
        "mean_absolute_error_difference",
    ] {
        assert_eq!(of(&nobody, metric), Err(Unmeasurable::NoData), "{metric}");
    }
    let one = predicted(&FEMALE[..1], &MALE);
    assert!(of(&one, "mean_error.group").unwrap().interval.is_none());
    let alone = of(&one, "mean_error_difference");
    assert!(
        matches!(alone, Err(Unmeasurable::Undefined(_))),
        "{alone:?}"
    );
    let huge = predicted(&[(0.0, 1e300), (0.0, 1.0)], &MALE);
    let huge = of(&huge, "mean_error_difference");
    assert!(matches!(huge, Err(Unmeasurable::Undefined(_))), "{huge:?}");
}

#[test]
fn decided_classes_are_as_far_apart_as_the_decisions_that_must_change() {
    let mut table = ClassTable::new(3, 2).unwrap();
    let mut add = |decision, group, cases| {
        for _ in 0..cases {
            table.add(None, decision, Some(group));
        }
    };
    // Female: 5, 3, 2 of ten. Male: 4, 8, 4, and 4 of no listed class, of twenty.
    add(Some(0), 0, 5);
    add(Some(1), 0, 3);
    add(Some(2), 0, 2);
    add(Some(0), 1, 4);
    add(Some(1), 1, 8);
    add(Some(2), 1, 4);
    add(None, 1, 4);
    let of = |table: &ClassTable| {
        let pane = pane(
            SummaryOf::Decision(Some(sex())),
            Summary::ClassTable(table.clone()),
        );
        measure(&pane, "decided_class_distance", Some("sex"), Some("female"))
    };
    let found = of(&table).unwrap();
    near(found.value, 0.3, 1e-12);
    assert_eq!(found.support, 30);
    let mut empty = ClassTable::new(3, 2).unwrap();
    assert_eq!(of(&empty), Err(Unmeasurable::NoData));
    empty.add(None, Some(1), Some(1));
    assert!(matches!(of(&empty), Err(Unmeasurable::Undefined(_))));
}
