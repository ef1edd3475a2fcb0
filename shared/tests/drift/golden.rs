//! Every column and window of the public data sets, against `NumPy` and `SciPy` on the raw rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clause9_shared::metric::{Estimate, Measurement, Unmeasurable};
use serde_json::Value;

use crate::case::Case;
use crate::system::{Column, System, named};

/// Widest bound of the Kolmogorov-Smirnov distance.
const KS_WIDTH: f64 = 0.02;

/// How a metric's values relate to the reference values of one case.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    agree: u32,
    within: u32,
    differ: u32,
    widest: f64,
}

/// What is checked: a metric, where its reference value stands, and how near it must be, relatively.
struct Check {
    metric: &'static str,
    path: &'static str,
    tolerance: f64,
}

const fn check(metric: &'static str, path: &'static str) -> Check {
    Check {
        metric,
        path,
        tolerance: 1e-9,
    }
}

const fn p_value(metric: &'static str, path: &'static str) -> Check {
    Check {
        metric,
        path,
        tolerance: 1e-6,
    }
}

const NUMERIC: &[Check] = &[
    check("missing_rate", "/missing_rate"),
    check("mean", "/mean"),
    check("standard_deviation", "/std"),
    check("quantile.25", "/q25"),
    check("median", "/median"),
    check("quantile.75", "/q75"),
    check("ks", "/ks"),
    p_value("ks.p", "/ks_p_kolmogorov"),
    check("wasserstein", "/wasserstein"),
    check("wasserstein_over_ref_std", "/wasserstein_over_ref_std"),
    check("psi.floor", "/deciles/psi"),
    check("js_distance.plain", "/deciles/js_distance_base_2"),
    check("js_distance.nats", "/deciles/js_distance_base_e"),
    check("hellinger.plain", "/deciles/hellinger"),
    check("kl.floor", "/deciles/kl_floored_chunk_vs_ref"),
    check("l_infinity.plain", "/deciles/l_infinity"),
    check("total_variation.plain", "/deciles/total_variation"),
    check("psi.uniform20", "/uniform20/psi"),
    check("js_distance.uniform20", "/uniform20/js_distance_base_2"),
    check("hellinger.uniform20", "/uniform20/hellinger"),
    check("kl.uniform20", "/uniform20/kl_floored_chunk_vs_ref"),
    check("l_infinity.uniform20", "/uniform20/l_infinity"),
    check("total_variation.uniform20", "/uniform20/total_variation"),
];

const CATEGORICAL: &[Check] = &[
    check("missing_rate", "/missing_rate"),
    check("unseen", "/unseen_rate"),
    check("psi.floor", "/psi"),
    check("js_distance.plain", "/js_distance_base_2"),
    check("js_distance.nats", "/js_distance_base_e"),
    check("hellinger.plain", "/hellinger"),
    check("kl.floor", "/kl_floored_chunk_vs_ref"),
    check("l_infinity.plain", "/l_infinity"),
    check("total_variation.plain", "/total_variation"),
    check("chi2", "/chi2"),
    p_value("chi2.p", "/chi2_p"),
    check("chi2.yates", "/chi2_yates"),
    p_value("chi2.yates.p", "/chi2_yates_p"),
    check("chi2.fit", "/gof_chi2"),
    p_value("chi2.fit.p", "/gof_chi2_p"),
];

/// A metric's relation to a reference value; an error says what is wrong.
fn compare(
    found: &Measurement,
    expected: Option<f64>,
    tolerance: f64,
    tally: &mut Tally,
) -> Result<(), String> {
    let (found, expected) = match (found, expected) {
        (Ok(found), Some(expected)) => (found, expected),
        (Err(Unmeasurable::Undefined(_)), None) => {
            tally.agree += 1;
            return Ok(());
        }
        (found, expected) => return Err(format!("{found:?}, reference {expected:?}")),
    };
    let Estimate { value, bound, .. } = found;
    let slack = 1e-12 + tolerance * expected.abs();
    if let Some((low, high)) = bound {
        tally.widest = tally.widest.max(high - low);
        if *value < *low || *value > *high {
            return Err(format!("{value} outside its own bound"));
        }
    }
    let tiny = expected.abs() < 1e-300 && value.abs() < 1e-300;
    if tiny || (value - expected).abs() <= slack {
        tally.agree += 1;
        return Ok(());
    }
    if bound.is_some_and(|(low, high)| low - slack <= expected && expected <= high + slack) {
        tally.within += 1;
        return Ok(());
    }
    tally.differ += 1;
    Err(format!("{value} in {bound:?}, reference {expected}"))
}

/// Tallies by metric.
type Tallies = BTreeMap<&'static str, Tally>;

/// Checks a case; gives tallies by metric, and widths of the Kolmogorov-Smirnov bound by column.
fn run(case: &Case) -> (Tallies, Vec<(String, f64, f64)>) {
    let system = System::new(&case.reference);
    let mut tallies: Tallies = BTreeMap::new();
    let (mut wrong, mut widths) = (Vec::new(), vec![(0.0_f64, 0.0_f64); case.reference.len()]);
    for (window, from, to) in &case.windows {
        let rows: Vec<Column> = case.analysis.iter().map(|c| c.rows(*from, *to)).collect();
        let pane = system.count(&rows);
        for (i, (name, column)) in case.reference.iter().enumerate() {
            let expected = &case.expected[name][window];
            let checks = match column {
                Column::Numbers(_) => NUMERIC,
                Column::Names(_) => CATEGORICAL,
            };
            for check in checks {
                let reference = expected.pointer(check.path).and_then(Value::as_f64);
                let found = system.measure(named(check.metric), i, &pane);
                let tally = tallies.entry(check.metric).or_default();
                if let Err(what) = compare(&found, reference, check.tolerance, tally) {
                    wrong.push(format!("{window} {name} {}: {what}", check.metric));
                }
                let width = found
                    .ok()
                    .and_then(|f| f.bound)
                    .map_or(0.0, |(low, high)| high - low);
                match check.metric {
                    "ks" => widths[i].0 = widths[i].0.max(width),
                    "wasserstein_over_ref_std" => widths[i].1 = widths[i].1.max(width),
                    _ => {}
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    let names = case.reference.iter().zip(widths);
    let widths = names.filter(|((_, column), _)| matches!(column, Column::Numbers(_)));
    (
        tallies,
        widths
            .map(|((name, _), (ks, w1))| (name.clone(), ks, w1))
            .collect(),
    )
}

#[test]
fn t5_drift_agrees_with_reference_libraries_on_every_column_and_window() {
    let mut report = String::from("metric | case | agree | within bound | widest bound\n");
    for name in [
        "car_loan",
        "car_loan_quality",
        "car_price",
        "german_credit",
        "elec2",
    ] {
        let Some(case) = Case::read(name) else {
            assert_eq!(
                name, "elec2",
                "the data of {name} is not where the tests expect it"
            );
            println!("elec2 is not beside the checkout and was left out");
            continue;
        };
        let (tallies, widths) = run(&case);
        for (metric, tally) in tallies {
            let Tally {
                agree,
                within,
                widest,
                ..
            } = tally;
            writeln!(
                report,
                "{metric} | {name} | {agree} | {within} | {widest:.3e}"
            )
            .unwrap();
        }
        for (column, ks, w1) in widths {
            writeln!(
                report,
                "bound of {name}/{column}: ks {ks:.5}, w1/sd {w1:.3e}"
            )
            .unwrap();
            assert!(
                ks <= KS_WIDTH,
                "{name}/{column}: the bound of ks is {ks} wide"
            );
        }
    }
    println!("{report}");
}
