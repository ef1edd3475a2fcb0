//! Degenerate data: every metric has a defined result, and no number that is none. T9.

use clause9_shared::metric::{Measurement, Unmeasurable, beside};

use crate::random::Dice;
use crate::system::{Column, System, metrics_of, named};

fn names(values: &[&str]) -> Column {
    Column::Names(values.iter().map(|value| Box::from(*value)).collect())
}

/// Every metric of a window against a reference.
fn all(reference: &Column, window: &Column) -> Vec<(&'static str, Measurement)> {
    let system = System::new(&[("x".to_owned(), reference.clone())]);
    let pane = system.count(std::slice::from_ref(window));
    let measured =
        metrics_of(reference).map(|metric| (metric.spec().name, system.measure(metric, 0, &pane)));
    measured.collect()
}

fn is_number(name: &str, found: &Measurement) {
    let Ok(found) = found else { return };
    assert!(found.value.is_finite(), "{name}: {found:?}");
    for (low, high) in found.interval.into_iter().chain(found.bound) {
        assert!(
            low.is_finite() && high.is_finite() && low <= high,
            "{name}: {found:?}"
        );
    }
    if let Some((low, high)) = found.bound {
        assert!(
            low <= found.value && found.value <= high,
            "{name}: {found:?}"
        );
    }
}

#[test]
fn wild_numbers_give_numbers_or_say_why_not() {
    let smallest = f64::from_bits(1);
    let columns: &[&[f64]] = &[
        &[],
        &[f64::NAN],
        &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY],
        &[0.0],
        &[-0.0, 0.0],
        &[1.0; 5],
        &[1.0, 2.0],
        &[smallest, -smallest, 0.0, f64::MIN_POSITIVE],
        &[f64::MAX, f64::MIN],
        &[f64::MAX; 3],
        &[1e300, 1.0, -1e300, f64::INFINITY],
        &[1.0, 1e30],
        &[3.0, 3.0, f64::NAN, 4.0, 1e-320],
    ];
    // A reference without rows is no baseline at all.
    for reference in &columns[1..] {
        for window in columns {
            let found = all(
                &Column::Numbers(reference.to_vec()),
                &Column::Numbers(window.to_vec()),
            );
            for (name, found) in &found {
                is_number(name, found);
            }
        }
    }
}

#[test]
fn an_empty_window_is_no_data_for_every_metric() {
    for (reference, window) in [
        (
            Column::Numbers(vec![1.0, 2.0, 3.0]),
            Column::Numbers(vec![]),
        ),
        (names(&["a", "b"]), names(&[])),
    ] {
        for (name, found) in all(&reference, &window) {
            assert_eq!(found, Err(Unmeasurable::NoData), "{name}");
        }
    }
}

#[test]
fn a_reference_without_values_is_undefined_not_zero() {
    let (reference, window) = (
        Column::Numbers(vec![f64::NAN; 3]),
        Column::Numbers(vec![1.0]),
    );
    let system = System::new(&[("x".to_owned(), reference)]);
    let pane = system.count(&[window]);
    for metric in ["ks", "wasserstein", "psi.floor", "chi2", "mean_shift"] {
        let found = system.measure(named(metric), 0, &pane);
        assert!(
            matches!(found, Err(Unmeasurable::Undefined(_))),
            "{metric}: {found:?}"
        );
    }
}

#[test]
fn t9_categories_may_be_one_or_none_or_a_million() {
    let many: Vec<String> = (0..1_000_000_i64)
        .map(|i| format!("c{}", i * 7919 % 1_000_003))
        .collect();
    let many = Column::Names(many.into_iter().map(String::into_boxed_str).collect());
    let columns = [
        names(&["a"]),
        names(&["a", "a", ""]),
        names(&[""]),
        names(&["a", "b", "c"]),
        many,
    ];
    for reference in &columns {
        for window in &columns {
            for (name, found) in all(reference, window) {
                is_number(name, &found);
            }
        }
    }
}

#[test]
fn only_what_the_reference_did_not_have_is_new_however_many_categories_it_had() {
    let wide = |n: u32| -> Column {
        let each = (0..n).map(|i| format!("c{i}").into());
        Column::Names(each.collect())
    };
    let measured = |reference: Column, window: Column| {
        let system = System::new(&[("x".to_owned(), reference)]);
        let pane = system.count(&[window]);
        let found = system.measure(named("unseen"), 0, &pane);
        found.map(|found| (found.value, found.bound))
    };
    let window = names(&["c0", "never", "never", "c99"]);
    assert_eq!(measured(wide(100), window.clone()), Ok((0.5, None)));
    assert_eq!(measured(wide(2_000), wide(2_000)), Ok((0.0, None)));
    // Beyond what is remembered nothing is claimed.
    let found = measured(wide(5_000), window);
    assert!(
        matches!(found, Err(Unmeasurable::Undefined(_))),
        "{found:?}"
    );
    let none = measured(wide(5_000), names(&["", ""]));
    assert_eq!(none, Err(Unmeasurable::NoData));
}

#[test]
fn no_interval_excludes_the_value_beside_it() {
    let mut dice = Dice(9);
    let mut columns: Vec<(Column, Column)> = Vec::new();
    let wild = [
        vec![1e300, 2e300, -1e300, 1e307],
        vec![f64::MAX, f64::MIN, 1.0, 2.0],
        vec![1.5e307, 1.6e307, 1.7e307],
        vec![0.0, 1.0, 2.0, 3.0],
        vec![3.0; 5],
        vec![1e-310, 2e-310, 0.0],
    ];
    for reference in &wild {
        for window in &wild {
            columns.push((
                Column::Numbers(reference.clone()),
                Column::Numbers(window.clone()),
            ));
        }
    }
    for size in [1, 3, 20, 200] {
        for categories in [2, 12, 63, 100] {
            let mut drawn = |n: usize| {
                let each = (0..n).map(|_| {
                    let u = dice.unit();
                    format!("c{:.0}", (u * u * f64::from(categories)).floor()).into()
                });
                Column::Names(each.collect())
            };
            columns.push((drawn(400), drawn(size)));
        }
        let mut drawn = |n: usize| Column::Numbers((0..n).map(|_| dice.unit()).collect());
        columns.push((drawn(300), drawn(size)));
    }
    for (reference, window) in columns {
        let system = System::new(&[("x".to_owned(), reference.clone())]);
        let pane = system.count(std::slice::from_ref(&window));
        let resampled = system.resampled(0, &pane, 99);
        for metric in metrics_of(&reference) {
            let Ok(found) = system.measure(metric, 0, &pane) else {
                continue;
            };
            let own = resampled.iter().find(|(of, _)| *of == metric);
            let made = own.and_then(|(_, made)| beside(metric, found.value, *made));
            for (low, high) in found.interval.into_iter().chain(made) {
                let name = metric.spec().name;
                assert!(
                    low <= found.value && found.value <= high,
                    "{name}: {} beside {low} to {high}",
                    found.value
                );
                if name == "psi.smoothed" {
                    assert!(low >= 0.0, "an index of laws is never below zero: {low}");
                }
            }
        }
    }
}

#[test]
fn the_same_rows_are_no_drift_in_any_order() {
    let mut dice = Dice(5);
    let values: Vec<f64> = (0..500).map(|_| dice.unit() * 100.0).collect();
    let mut turned = values.clone();
    turned.reverse();
    let measured = all(&Column::Numbers(values), &Column::Numbers(turned));
    for name in [
        "ks",
        "wasserstein",
        "energy",
        "psi.floor",
        "js_distance",
        "hellinger",
        "chi2",
        "mean_shift",
        "welch",
    ] {
        let found = measured.iter().find(|(metric, _)| *metric == name).unwrap();
        let value = found.1.as_ref().unwrap().value;
        assert!(value.abs() < 1e-12, "{name} is {value}");
    }
}
