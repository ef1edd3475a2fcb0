//! Positions of river 0.26.1.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clause9_shared::detector::{
    Adwin, AdwinSettings, Ddm, DdmSettings, Detector, Direction, Eddm, EddmSettings, HddmA,
    HddmASettings, HddmW, HddmWSettings, Kswin, KswinSettings, PageHinkley, PageHinkleySettings,
    Signal, run,
};
use serde_json::Value;

/// A table: headers, and columns of texts.
struct Table(HashMap<String, Vec<String>>);

#[expect(clippy::disallowed_methods, reason = "a test that reads recorded data")]
fn table(path: &Path) -> Table {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let mut columns: HashMap<String, Vec<String>> =
        headers.iter().map(|h| (h.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        for (header, value) in headers.iter().zip(&record.unwrap()) {
            columns.get_mut(header).unwrap().push(value.to_owned());
        }
    }
    Table(columns)
}

impl Table {
    fn column(&self, name: &str) -> &[String] {
        &self.0[name]
    }
}

/// A case's rows: the reference's, then the analysis's with labels joined by id.
struct Case {
    reference: Table,
    analysis: Table,
    target: String,
    labels: Option<HashMap<String, String>>,
}

impl Case {
    fn read(folder: &Path, target: &str) -> Self {
        let labels = folder.join("labels.csv.gz");
        let labels = labels.is_file().then(|| {
            let table = table(&labels);
            let ids = table.column("id").iter().cloned();
            ids.zip(table.column(target).iter().cloned()).collect()
        });
        Self {
            reference: table(&folder.join("reference.csv.gz")),
            analysis: table(&folder.join("analysis.csv.gz")),
            target: target.to_owned(),
            labels,
        }
    }

    /// A column of both files, one after the other; the target of the analysis by its id.
    fn column(&self, name: &str) -> Vec<String> {
        let mut values = self.reference.column(name).to_vec();
        match &self.labels {
            Some(labels) if name == self.target => {
                let ids = self.analysis.column("id").iter();
                values.extend(ids.map(|id| labels.get(id).cloned().unwrap_or_default()));
            }
            Some(_) | None => values.extend_from_slice(self.analysis.column(name)),
        }
        values
    }

    fn numbers(&self, name: &str) -> Vec<Option<f64>> {
        let column = self.column(name);
        column.iter().map(|text| text.parse().ok()).collect()
    }

    /// The stream of the golden file's name, rows without a value left out.
    fn stream(&self, name: &str) -> Vec<f64> {
        if let Some(column) = name.strip_prefix("value:") {
            return self.numbers(column).into_iter().flatten().collect();
        }
        let target = self.numbers(&self.target);
        let (prediction, wrong): (_, fn(f64, f64) -> f64) = match name.strip_prefix("error:") {
            Some(decision) => (decision, |a, b| {
                f64::from(u8::from(a.to_bits() != b.to_bits()))
            }),
            None => ("y_pred", |a, b| (a - b).abs()),
        };
        target
            .into_iter()
            .zip(self.numbers(prediction))
            .filter_map(|(a, b)| a.zip(b))
            .map(|(a, b)| wrong(a, b))
            .collect()
    }
}

fn number(parameters: &Value, name: &str) -> f64 {
    parameters[name].as_f64().unwrap()
}

fn count(parameters: &Value, name: &str) -> u64 {
    parameters[name].as_u64().unwrap()
}

fn adwin(p: &Value) -> Adwin {
    Adwin::new(AdwinSettings {
        delta: number(p, "delta"),
        clock: count(p, "clock"),
        max_buckets: usize::try_from(count(p, "max_buckets")).unwrap(),
        min_window: count(p, "min_window_length"),
        grace: count(p, "grace_period"),
    })
    .unwrap()
}

/// The detector of the golden file's name and parameters.
fn detector(name: &str, p: &Value) -> Box<dyn Detector> {
    match name {
        "ADWIN" | "ADWIN_strict" => Box::new(adwin(p)),
        "PageHinkley" | "PageHinkley_up" => {
            let direction = match p["mode"].as_str().unwrap() {
                "up" => Direction::Up,
                "both" => Direction::Both,
                mode => panic!("{mode}"),
            };
            let settings = PageHinkleySettings {
                min_instances: count(p, "min_instances"),
                delta: number(p, "delta"),
                threshold: number(p, "threshold"),
                alpha: number(p, "alpha"),
                direction,
            };
            Box::new(PageHinkley::new(settings).unwrap())
        }
        "DDM" => {
            let settings = DdmSettings {
                warm_start: count(p, "warm_start"),
                warning: number(p, "warning_threshold"),
                drift: number(p, "drift_threshold"),
            };
            Box::new(Ddm::new(settings).unwrap())
        }
        "EDDM" => {
            let settings = EddmSettings {
                warm_start: count(p, "warm_start"),
                alpha: number(p, "alpha"),
                beta: number(p, "beta"),
            };
            Box::new(Eddm::new(settings).unwrap())
        }
        "HDDM_A" => {
            let settings = HddmASettings {
                drift: number(p, "drift_confidence"),
                warning: number(p, "warning_confidence"),
            };
            Box::new(HddmA::new(settings).unwrap())
        }
        "HDDM_W" => {
            let settings = HddmWSettings {
                drift: number(p, "drift_confidence"),
                warning: number(p, "warning_confidence"),
                lambda: number(p, "lambda_val"),
            };
            Box::new(HddmW::new(settings).unwrap())
        }
        "KSWIN" => {
            let settings = KswinSettings {
                alpha: number(p, "alpha"),
                window: usize::try_from(count(p, "window_size")).unwrap(),
                newest: usize::try_from(count(p, "stat_size")).unwrap(),
                seed: count(p, "seed"),
            };
            Box::new(Kswin::new(settings).unwrap())
        }
        other => panic!("no detector {other}"),
    }
}

fn positions(value: &Value) -> Vec<u64> {
    let list = value.as_array().unwrap();
    list.iter().map(|at| at.as_u64().unwrap()).collect()
}

/// Compares every stream and detector; gives back how many.
fn check(case: &Case, golden: &Value) -> usize {
    let mut compared = 0;
    for (name, stream) in golden["streams"].as_object().unwrap() {
        let values = case.stream(name);
        assert_eq!(Some(values.len() as u64), stream["n"].as_u64(), "{name}");
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let expected = stream["mean"].as_f64().unwrap();
        assert!(
            (mean - expected).abs() < 1e-9 * expected.abs().max(1.0),
            "{name}"
        );
        for (kind, expected) in stream["detectors"].as_object().unwrap() {
            let what = format!("{kind} on {name}");
            let mut detector = detector(kind, &expected["parameters"]);
            let found = run(detector.as_mut(), values.iter().copied());
            let drift = positions(&expected["drift"]);
            if kind == "KSWIN" {
                // It draws from another generator: counts agree to 30 %.
                let (found, expected) = (found.drift.len() as f64, drift.len() as f64);
                assert!(
                    (found - expected).abs() <= 0.3 * expected,
                    "{what}: {found} {expected}"
                );
            } else {
                assert_eq!(found.drift, drift, "{what}");
                if let Some(warnings) = expected.get("warning_starts") {
                    assert_eq!(
                        found.warning_starts,
                        positions(warnings),
                        "warnings of {what}"
                    );
                }
            }
            compared += 1;
            if kind.starts_with("ADWIN") {
                check_window(&expected["parameters"], expected, &values, &what);
            }
        }
    }
    compared
}

/// Width and mean after each cut, and the window at the end.
fn check_window(parameters: &Value, expected: &Value, values: &[f64], what: &str) {
    let near = |found: f64, expected: &Value, tolerance: f64| {
        let expected = expected.as_f64().unwrap();
        let scale = expected.abs().max(1e-3);
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{what}: {found} {expected}"
        );
    };
    let mut detector = adwin(parameters);
    let mut cuts = expected
        .get("width_and_mean_after_cut")
        .map_or_else(Vec::new, |cuts| cuts.as_array().unwrap().clone())
        .into_iter();
    for value in values {
        if detector.update(*value) == Signal::Drift {
            let (width, mean) = detector.after_cut().unwrap();
            let cut = cuts.next().unwrap();
            near(width, &cut[0], 0.0);
            near(mean, &cut[1], 1e-9);
        }
    }
    assert!(cuts.next().is_none(), "{what}");
    let (width, mean, variance) = detector.window().unwrap();
    near(width, &expected["final"]["width"], 0.0);
    near(mean, &expected["final"]["mean"], 1e-9);
    near(variance * width, &expected["final"]["variance"], 1e-6);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_position_on_car_loans_is_rivers() {
    let case = Case::read(&root().join("demo/cases/car_loan"), "repaid");
    let golden = serde_json::from_str(include_str!("car_loan.json")).unwrap();
    assert_eq!(check(&case, &golden), 8 + 4 * 4);
}

/// Cases that are no part of the project, where they lie beside it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that looks for data beside the checkout"
)]
fn beside(case: &str) -> Option<(PathBuf, Value)> {
    let folder = std::env::var_os("CLAUSE9_ORACLES")
        .map_or_else(|| root().join("../shared/oracles"), PathBuf::from)
        .join(case);
    let text = std::fs::read_to_string(folder.join("detectors.json")).ok()?;
    Some((folder, serde_json::from_str(&text).unwrap()))
}

#[test]
fn positions_on_cases_beside_the_checkout_are_rivers() {
    for (name, target) in [("car_price", "y_true"), ("elec2", "up")] {
        match beside(name) {
            Some((folder, golden)) => {
                assert!(check(&Case::read(&folder, target), &golden) > 20, "{name}");
            }
            None => eprintln!("{name} is not beside the checkout: not checked"),
        }
    }
}
