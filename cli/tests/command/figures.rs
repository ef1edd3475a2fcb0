//! Figures of data at the edges: what is shown is right, or says that it is not known.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{run, schema};

/// A report of one file against another.
fn measured(at: &Path, reference: &str, current: &str, more: &[&str]) -> Value {
    fs::write(at.join("reference.csv"), reference).unwrap();
    fs::write(at.join("current.csv"), current).unwrap();
    let args = [
        "profile",
        "current.csv",
        "--baseline",
        "reference.csv",
        "--json",
        "report.json",
    ];
    let ran = run(at, &[&args[..], more].concat());
    let report = fs::read(at.join("report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report: Value = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    report
}

fn row<'a>(report: &'a Value, metric: &str, feature: &str) -> &'a Value {
    let mut rows = report["rows"].as_array().unwrap().iter();
    rows.find(|r| {
        r["metric"] == metric && r["subject"]["feature"].as_str().unwrap_or("") == feature
    })
    .unwrap_or_else(|| panic!("{metric} of {feature}"))
}

/// 400 numbers between -1 and 1, without a pattern that matters.
fn spread(i: u32) -> f64 {
    f64::from((i * 7919) % 401) / 200.0 - 1.0
}

#[test]
fn very_large_and_very_small_numbers_neither_overflow_nor_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |moved: f64| {
        let mut text = String::from("plain,large,small\n");
        for i in 0..400 {
            let x = spread(i) + moved;
            writeln!(text, "{x},{:e},{:e}", x * 1e300, x * 1e-300).unwrap();
        }
        text
    };
    let report = measured(folder.path(), &rows(0.0), &rows(1.7), &[]);
    let value = |metric: &str, feature: &str| {
        let row = row(&report, metric, feature);
        row["value"].as_f64().unwrap_or_else(|| panic!("{row}"))
    };
    for metric in ["mean_shift", "welch", "variance_ratio", "wasserstein.std"] {
        let plain = value(metric, "plain");
        assert!(plain > 0.5, "{metric}");
        for feature in ["large", "small"] {
            let found = value(metric, feature);
            assert!(
                (found / plain - 1.0).abs() < 0.02,
                "{metric} of {feature}: {found}, not {plain}"
            );
        }
    }
    let deviation = value("standard_deviation", "plain");
    assert!((value("standard_deviation", "large") / deviation / 1e300 - 1.0).abs() < 1e-6);
    assert!((value("standard_deviation", "small") / deviation / 1e-300 - 1.0).abs() < 1e-6);
}

#[test]
fn beyond_the_last_cell_a_bound_has_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |wild: f64| {
        let mut text = String::from("x\n");
        for i in 0..400 {
            writeln!(text, "{}", if i == 7 { wild } else { spread(i) }).unwrap();
        }
        text
    };
    let report = measured(folder.path(), &rows(0.5), &rows(1e12), &[]);
    let bound = &row(&report, "wasserstein", "x")["bound"];
    assert!(bound[0].is_number() && bound[1].is_null(), "{bound}");
}

/// Scores, decisions and labels: of scores within a two-thousandth of one half if they crowd.
fn scored(crowded: bool, label: impl Fn(u32) -> u32) -> String {
    let mut text = String::from("p,dec,label\n");
    for i in 0..400 {
        let x = spread(i);
        let p = 0.5 + x * if crowded { 0.0005 } else { 0.49 };
        writeln!(text, "{p:.9},{},{}", u32::from(x > 0.1), label(i)).unwrap();
    }
    text
}

const ROLES: [&str; 6] = ["--score", "p", "--decision", "dec", "--label", "label"];

#[test]
fn an_interval_reaches_over_what_cells_leave_open_and_holds_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let label = |i: u32| u32::from(spread(i) + spread(i * 13 + 5) > 0.0);
    for crowded in [false, true] {
        let rows = scored(crowded, label);
        let report = measured(folder.path(), &rows, &rows, &ROLES);
        let mut both = 0;
        for row in report["rows"].as_array().unwrap() {
            let ends = |of: &str| Some((row[of][0].as_f64()?, row[of][1].as_f64()?));
            let Some(((low, high), value)) = ends("interval").zip(row["value"].as_f64()) else {
                continue;
            };
            // One that says so is of the laws that the counts were drawn from, without what chance adds.
            if row["interval_from"] == "resampling" || row["metric"] == "psi.smoothed" {
                continue;
            }
            assert!(low <= value && value <= high, "{row}");
            if let Some((from, to)) = ends("bound") {
                both += 1;
                assert!(low <= from && to <= high, "{row}");
            }
        }
        assert!(both > 3, "{both} figures have both");
        let slope = &row(&report, "calibration_slope", "")["bound"];
        assert!(
            slope.is_array() && slope[0].is_null() && slope[1].is_null(),
            "of cells, and no bound is known: {slope}"
        );
    }
}

#[test]
fn an_expected_area_needs_no_decision_and_both_labels() {
    let folder = tempfile::tempdir().unwrap();
    let label = |i: u32| u32::from(spread(i) + spread(i * 13 + 5) > 0.0);
    let rows = scored(false, label);
    let report = measured(folder.path(), &rows, &rows, &ROLES);
    assert!(row(&report, "expected_roc_auc", "")["value"].is_number());
    assert!(row(&report, "expected_roc_auc.raw", "")["value"].is_number());
    assert!(row(&report, "expected_recall", "")["value"].is_null());
    let roles = ["--score", "p", "--label", "label"];
    let one = scored(false, |_| 1);
    let report = measured(folder.path(), &one, &rows, &roles);
    for metric in ["expected_specificity", "expected_roc_auc"] {
        let why = row(&report, metric, "")["undefined"].as_str().unwrap_or("");
        assert!(why.contains("one label only"), "{metric}: {why}");
    }
}

#[test]
fn figures_of_labels_without_a_formula_are_counted_again_if_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    // Labels come as scores say, in two groups alike.
    let rows = |from: u32| {
        let mut text = String::from("score,label,sex\n");
        for i in from..from + 600 {
            let score = f64::from((i * 7919) % 1009) / 1009.0;
            let label = f64::from((i * 104_729) % 1013) / 1013.0 < score;
            let sex = if i % 2 == 0 { "female" } else { "male" };
            writeln!(text, "{score},{},{sex}", u8::from(label)).unwrap();
        }
        text
    };
    let roles = ["--score", "score", "--label", "label", "--attribute", "sex"];
    let of = |more: &[&str]| {
        let more = [&roles[..], more].concat();
        measured(folder.path(), &rows(0), &rows(600), &more)
    };
    let found = of(&["--resamples", "199"]);
    for metric in [
        "ece",
        "mce",
        "brier_reliability",
        "gain_10",
        "accuracy_difference.spread",
    ] {
        let row = row(&found, metric, "");
        assert_eq!(row["interval_from"], "resampling", "{row}");
        let end = |i: usize| row["interval"][i].as_f64().unwrap();
        let value = row["value"].as_f64().unwrap();
        assert!(
            end(0) <= value && value <= end(1) && end(0) < end(1),
            "{row}"
        );
    }
    let least = row(&found, "ece", "")["interval"][0].as_f64().unwrap();
    assert!(least < 0.02, "{least}");
    let none = of(&["--resamples", "0"]);
    assert_eq!(row(&none, "ece", "")["no_interval"], "--resamples is 0");
}
