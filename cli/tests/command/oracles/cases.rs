//! The cases: data, an objectives file that says what their columns are, and how they are cut.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::compare::Report;
use crate::{cases as demo_cases, run};

/// One case.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Where the oracle files are.
    pub(super) folder: PathBuf,
    /// Where the data is.
    data: PathBuf,
    about: Value,
}

/// Names the folder of the Elec2 case.
const ELEC2: &str = "CLAUSE9_ELEC2";

/// Whether the Elec2 case is here.
pub(super) fn has_elec2() -> bool {
    std::env::var_os(ELEC2).is_some()
}

/// The cases that are here. Elec2 may not be passed on; who has it names its folder in
/// `CLAUSE9_ELEC2`.
pub(super) fn all(oracles: &Path) -> Vec<Case> {
    let here = |name: &'static str| (name, oracles.join(name), oracles.join(name));
    let demo = |name: &'static str| (name, oracles.join(name), demo_cases().join(name));
    let mut all = vec![
        demo("car_loan"),
        here("car_loan_quality"),
        here("car_price"),
        demo("german_credit"),
    ];
    if let Some(folder) = std::env::var_os(ELEC2) {
        all.push(("elec2", PathBuf::from(&folder), PathBuf::from(&folder)));
    }
    let cases = all.into_iter().map(|(name, folder, data)| {
        let about = std::fs::read_to_string(folder.join("case.json")).unwrap();
        Case {
            name,
            folder,
            data,
            about: serde_json::from_str(&about).unwrap(),
        }
    });
    cases.collect()
}

/// A column's short name.
pub(super) fn short(column: &str) -> String {
    column.replace(" & ", "_and_").chars().take(64).collect()
}

impl Case {
    fn words(&self, key: &str) -> Vec<String> {
        let list = self.about[key].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|v| v.as_str().unwrap().to_owned())
            .collect()
    }

    fn word(&self, key: &str) -> Option<String> {
        self.about[key].as_str().map(str::to_owned)
    }

    fn has_labels(&self) -> bool {
        self.data.join("labels.csv.gz").exists() || self.about["labels_in_analysis"] == true
    }

    /// The objectives file: features are the case's columns, with its score, decision and target.
    fn document(&self) -> Value {
        let task = self.word("task").unwrap();
        let mut numeric = self.words("numeric");
        let mut categorical = self.words("categorical");
        numeric.extend(self.word("score"));
        categorical.extend(self.word("decision"));
        if self.has_labels() {
            match task.as_str() {
                "regression" => numeric.extend(self.word("target")),
                _ => categorical.extend(self.word("target")),
            }
        }
        let feature = |name: &String, kind: &str| {
            let mut feature =
                json!({ "name": short(name), "type": kind, "from": { "input": name } });
            if kind == "numeric" {
                feature["unit"] = json!("1");
            }
            feature
        };
        let features: Vec<Value> = numeric
            .iter()
            .map(|n| feature(n, "numeric"))
            .chain(categorical.iter().map(|n| feature(n, "categorical")))
            .collect();
        let mut outputs = json!({
            "value": { "from": { "output": self.word("score") }, "unit": "1" },
            "label": { "type": "numeric" },
        });
        if task != "regression" {
            outputs = json!({
                "score": { "from": { "output": self.word("score") } },
                "decision": { "rule": self.rule(), "positive_means": "positive" },
            });
            if self.has_labels() {
                outputs["label"] = json!({ "positive": 1, "negative": 0 });
            }
        }
        json!({
            "clause9": "objectives/v1",
            // Oracles know groups of any size.
            "reports": { "least_group": 1 },
            "system": {
                "id": "case", "name": self.name, "intended_purpose": "testing",
                "owner": "tester", "role": "developer",
                "models": [{ "name": "model", "source": "own" }],
            },
            "panes": { "length": "31d" },
            "features": features,
            "outputs": outputs,
            "attributes": self.attributes(),
            "objectives": [{
                "id": "drift", "version": 1, "statement": "inputs stay", "policy": "none",
                "metric": "psi", "of": { "feature": features[0]["name"] }, "comparator": "at_most",
                "levels": { "action": 2 }, "window": "31d", "min_support": 10,
                "evaluate_every": "31d", "owner": "tester", "approver": "another tester",
                "effective_from": "1990-01-01T00:00:00Z",
                "references": [{ "scheme": "own", "id": "1", "claim": "context" }],
            }],
        })
    }

    /// How a score becomes a decision: by a threshold, where the case's decisions all agree with one,
    /// so that performance can be expected without labels; else the column says it.
    fn rule(&self) -> Value {
        match self.name {
            "car_loan" | "car_loan_quality" => json!({ "score_at_least": 0.65 }),
            "german_credit" => json!({ "score_at_least": 0.6 }),
            _ => {
                json!({ "output": { "from": { "output": self.word("decision") }, "positive": 1 } })
            }
        }
    }

    /// Rows of a window.
    pub(super) fn chunk_size(&self) -> u64 {
        self.about["chunk_size"].as_u64().unwrap()
    }

    /// Rows of the reference.
    pub(super) fn reference_rows(&self) -> u64 {
        match self.name {
            "german_credit" => 500,
            "elec2" => 10_000,
            _ => 50_000,
        }
    }

    /// How far expected performance may be off where half a case is added to each side of a pool.
    pub(super) fn pools(&self) -> f64 {
        if self.reference_rows() < 1000 {
            0.02
        } else {
            0.002
        }
    }

    /// The width of a column's values, for what bins of a ten-thousandth of it can move.
    pub(super) fn widest(&self, column: &str) -> f64 {
        let file = super::json(&self.folder.join("drift.json")).unwrap();
        let all = &file["columns"][column]["all"];
        let (low, high) = (all["min"].as_f64(), all["max"].as_f64());
        high.zip(low).map_or(0.0, |(high, low)| high - low)
    }

    fn attributes(&self) -> Vec<Value> {
        let privileged = &self.about["privileged"];
        let groups = |name: &str| match name {
            "sex" => vec!["female", "male"],
            _ => vec!["25_or_younger", "over_25"],
        };
        let names = self.words("sensitive");
        let mut all: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "name": name, "from": { "request": { "input": name } },
                    "groups": groups(name), "reference": privileged[name],
                })
            })
            .collect();
        if let [first, second] = names.as_slice() {
            let both = format!("{first} & {second}");
            all.push(json!({ "name": short(&both), "of": names }));
        }
        all
    }

    /// Runs the command, cut as the oracle files are.
    pub(super) fn run(&self) -> Report {
        let size = format!("rows:{}", self.about["chunk_size"]);
        let mut more = vec!["--window", size.as_str(), "--window", "all"];
        match self.about["period"].as_str() {
            Some("M") => more.extend(["--window", "month"]),
            Some("Y") => more.extend(["--window", "year"]),
            Some(_) | None => {}
        }
        self.run_with(&more)
    }

    /// Runs the command with what was known at an instant.
    pub(super) fn run_as_of(&self, instant: &str) -> Report {
        let size = format!("rows:{}", self.about["chunk_size"]);
        self.run_with(&["--window", &size, "--window", "all", "--as-of", instant])
    }

    fn run_with(&self, more: &[&str]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let text = self.document().to_string();
        std::fs::write(folder.path().join("objectives.yaml"), text).unwrap();
        let file = |name: &str| self.data.join(name).display().to_string();
        let (current, reference, labels) = (
            file("analysis.csv.gz"),
            file("reference.csv.gz"),
            file("labels.csv.gz"),
        );
        let mut args = vec![
            "profile",
            &current,
            "--baseline",
            &reference,
            "--objectives",
            "objectives.yaml",
            "--json",
            "-",
        ];
        let (target, id, time) = (self.word("target"), self.word("id"), self.word("timestamp"));
        if Path::new(&labels).exists() {
            args.extend(["--labels", &labels, "--id", id.as_deref().unwrap()]);
        }
        if self.has_labels() {
            args.extend(["--label", target.as_deref().unwrap()]);
        }
        if let Some(time) = &time {
            args.extend(["--timestamp", time]);
        }
        args.extend(more);
        let ran = run(folder.path(), &args);
        assert!(
            matches!(ran.code, Some(0 | 1)) && ran.err.is_empty(),
            "{}: {}{}",
            self.name,
            ran.out.chars().take(2000).collect::<String>(),
            ran.err
        );
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        crate::schema::assert_valid(&report);
        Report::new(report)
    }
}
