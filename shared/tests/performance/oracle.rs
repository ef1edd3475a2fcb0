//! The cases: rows in time order, labels that came apart, windows, and the reference values.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A case and the columns that matter here.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    target: &'static str,
    score: &'static str,
    decision: Option<&'static str>,
    chunk: usize,
    /// Which calendar period is a window: how many letters of the timestamp, if any.
    period: usize,
    timestamp: Option<&'static str>,
    apart: bool,
}

pub(crate) const CAR_LOAN: Case = Case {
    name: "car_loan",
    target: "repaid",
    score: "y_pred_proba",
    decision: Some("y_pred"),
    chunk: 5000,
    period: 7,
    timestamp: Some("timestamp"),
    apart: true,
};

pub(crate) const GERMAN_CREDIT: Case = Case {
    name: "german_credit",
    target: "credit_risk",
    score: "y_pred_proba",
    decision: Some("y_pred"),
    chunk: 125,
    period: 0,
    timestamp: None,
    apart: false,
};

pub(crate) const CAR_PRICE: Case = Case {
    name: "car_price",
    target: "y_true",
    score: "y_pred",
    decision: None,
    chunk: 6000,
    period: 0,
    timestamp: Some("timestamp"),
    apart: true,
};

/// Too large to be kept here; checked wherever the folder of reference values stands beside a checkout.
pub(crate) const ELEC2: Case = Case {
    name: "elec2",
    target: "up",
    score: "y_pred_proba",
    decision: Some("y_pred"),
    chunk: 1488,
    period: 0,
    timestamp: Some("timestamp"),
    apart: false,
};

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The score, or the predicted number.
    pub(crate) score: f64,
    pub(crate) decision: bool,
    /// The label, where it is known; 1 and 0 of a binary one.
    pub(crate) label: Option<f64>,
    /// When the label came, if that is known.
    pub(crate) came: String,
    pub(crate) timestamp: String,
}

impl Row {
    pub(crate) fn positive(&self) -> bool {
        self.label.unwrap() > 0.5
    }
}

/// A file of the case: from the repository, or from beside it.
#[expect(clippy::disallowed_methods, reason = "tests read their data")]
fn read(case: &str, file: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let beside = root.ancestors().skip(1).map(|a| a.join("shared/oracles"));
    let folders = [root.join("tests/oracles"), root.join("demo/cases")];
    let places: Vec<PathBuf> = folders.into_iter().chain(beside).collect();
    let mut found = places.iter().map(|place| place.join(case).join(file));
    std::fs::read(found.find(|path| path.exists())?).ok()
}

impl Case {
    /// Whether the case's data is at hand.
    pub(crate) fn present(&self) -> bool {
        read(self.name, "performance.json").is_some()
    }

    /// A file of reference values.
    pub(crate) fn values(&self, file: &str) -> Value {
        let bytes = read(self.name, file).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    fn table(&self, file: &str) -> Vec<BTreeMap<String, String>> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(read(self.name, file).unwrap().as_slice())
            .read_to_string(&mut text)
            .unwrap();
        csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .map(Result::unwrap)
            .collect()
    }

    /// All rows of `reference` or `analysis`.
    pub(crate) fn rows(&self, part: &str) -> Vec<Row> {
        let apart: BTreeMap<String, (f64, String)> = if self.apart && part == "analysis" {
            let labels = self.table("labels.csv.gz");
            let of = |row: BTreeMap<String, String>| {
                let came = row.get("available_at").cloned().unwrap_or_default();
                (row["id"].clone(), (row[self.target].parse().unwrap(), came))
            };
            labels.into_iter().map(of).collect()
        } else {
            BTreeMap::new()
        };
        let table = self.table(&format!("{part}.csv.gz"));
        let of = |row: &BTreeMap<String, String>| {
            let late = apart.get(&row["id"]);
            let own = row.get(self.target).and_then(|text| text.parse().ok());
            Row {
                score: row[self.score].parse().unwrap(),
                decision: self.decision.is_some_and(|column| row[column] == "1"),
                label: late.map(|(label, _)| *label).or(own),
                came: late.map(|(_, came)| came.clone()).unwrap_or_default(),
                timestamp: self.timestamp.map_or_else(String::new, |c| row[c].clone()),
            }
        };
        table.iter().map(of).collect()
    }

    /// The windows of rows by the names that reference values give them.
    pub(crate) fn windows<'a>(&self, rows: &'a [Row]) -> BTreeMap<String, Vec<&'a Row>> {
        let mut windows: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            let whole = (at / self.chunk + 1) * self.chunk <= rows.len();
            let rest = if whole { "" } else { ":partial" };
            let size = format!("size:{}{rest}", at / self.chunk);
            windows.entry(size).or_default().push(row);
            windows.entry("all".into()).or_default().push(row);
            if self.period > 0 {
                let period = format!("period:{}", &row.timestamp[..self.period]);
                windows.entry(period).or_default().push(row);
            }
        }
        windows
    }
}

/// Every window of both parts that has reference values in `file`, with its labelled rows.
pub(crate) fn each(case: &Case, file: &str, mut check: impl FnMut(&str, &[&Row], &Value)) {
    let values = case.values(file);
    for part in ["reference", "analysis"] {
        let rows = case.rows(part);
        let expected = values[part].as_object().unwrap();
        let windows = case.windows(&rows);
        let named = format!("{} {part}", case.name);
        assert_eq!(
            windows.keys().collect::<Vec<_>>(),
            expected
                .keys()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>(),
            "{named}"
        );
        for (window, rows) in &windows {
            check(&format!("{named} {window}"), rows, &expected[window]);
        }
    }
}

/// Fails unless a figure is the reference value to 1e-9 relative, or both have none.
pub(crate) fn same(found: Option<f64>, expected: &Value, what: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let room = 1e-9 * expected.abs() + 1e-12;
            assert!(
                (found - expected).abs() <= room,
                "{what}: {found} {expected}"
            );
        }
        (None, None) => {}
        (found, expected) => panic!("{what}: {found:?} {expected:?}"),
    }
}
