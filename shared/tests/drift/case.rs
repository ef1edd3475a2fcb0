//! The public data sets and what reference libraries say of them.
#![expect(clippy::disallowed_methods, reason = "a test that reads its data")]

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::system::Column;

/// One data set with its windows and reference values.
pub(crate) struct Case {
    pub(crate) reference: Vec<(String, Column)>,
    pub(crate) analysis: Vec<Column>,
    /// Window, first row, row after the last.
    pub(crate) windows: Vec<(String, usize, usize)>,
    /// Reference values by column, then window.
    pub(crate) expected: Value,
}

type Table = HashMap<String, Vec<Box<str>>>;

impl Case {
    /// The case of that name; None if its data is not here.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let data = folders(name)
            .into_iter()
            .find(|f| f.join("analysis.csv.gz").exists())?;
        let oracle = oracle(name, "drift.json")?;
        let reference = table(&data.join("reference.csv.gz"))?;
        let mut analysis = table(&data.join("analysis.csv.gz"))?;
        if let Some(labels) = table(&data.join("labels.csv.gz")) {
            join(&mut analysis, &labels);
        }
        let columns = oracle["columns"].as_object().unwrap();
        let kind = |column: &str| {
            columns[column]
                .as_object()
                .unwrap()
                .values()
                .next()
                .unwrap()
        };
        let parsed = |table: &Table, name: &str| {
            let numbers = kind(name).get("mean").is_some();
            column(&table[name], numbers)
        };
        let windows = oracle["chunks"].as_object().unwrap().iter();
        Some(Self {
            reference: columns
                .keys()
                .map(|name| (name.clone(), parsed(&reference, name)))
                .collect(),
            analysis: columns.keys().map(|name| parsed(&analysis, name)).collect(),
            windows: windows
                .map(|(name, rows)| {
                    let row = |i: usize| usize::try_from(rows[i].as_u64().unwrap()).unwrap();
                    (name.clone(), row(0), row(1))
                })
                .collect(),
            expected: oracle["columns"].clone(),
        })
    }
}

/// A file of reference values of a case; None if it is not here.
pub(crate) fn oracle(name: &str, file: &str) -> Option<Value> {
    let found = folders(name)
        .into_iter()
        .find_map(|f| text(&f.join(file)))?;
    Some(serde_json::from_str(&found).unwrap())
}

/// Where a case may lie: its reference values beside these tests, its data there or with the
/// demonstration, or all of it beside the checkout.
fn folders(name: &str) -> [PathBuf; 3] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [
        root.join("tests/oracles").join(name),
        root.join("demo/cases").join(name),
        root.join("../shared/oracles").join(name),
    ]
}

fn text(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let mut text = String::new();
    if path.extension().is_some_and(|e| e == "gz") {
        GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    Some(text)
}

fn table(path: &Path) -> Option<Table> {
    let text = text(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(&record.unwrap()) {
            column.push(Box::from(field));
        }
    }
    Some(names.into_iter().zip(columns).collect())
}

/// Adds the labels, which come in the order of their arrival, as columns.
fn join(analysis: &mut Table, labels: &Table) {
    let rows: HashMap<&str, usize> = labels["id"]
        .iter()
        .enumerate()
        .map(|(row, id)| (&**id, row))
        .collect();
    let ids = analysis["id"].clone();
    for (name, values) in labels.iter().filter(|(name, _)| *name != "id") {
        let joined = ids.iter().map(|id| {
            rows.get(&**id)
                .map_or_else(Box::default, |row| values[*row].clone())
        });
        analysis.insert(name.clone(), joined.collect());
    }
}

fn column(fields: &[Box<str>], numbers: bool) -> Column {
    if numbers {
        let number = |field: &str| {
            if field.is_empty() {
                f64::NAN
            } else {
                field.parse().unwrap()
            }
        };
        Column::Numbers(fields.iter().map(|field| number(field)).collect())
    } else {
        Column::Names(fields.to_vec())
    }
}
