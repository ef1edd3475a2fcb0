//! One figure of an oracle against one row of a report.

use std::collections::HashMap;

use serde_json::Value;

use super::names::{Kind, Wanted};

/// Of what a row is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    feature: Option<String>,
    attribute: Option<String>,
    group: Option<String>,
}

impl Subject {
    pub(super) fn feature(name: &str) -> Self {
        Self {
            feature: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn attribute(name: &str) -> Self {
        Self {
            attribute: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn group(attribute: &str, group: &str) -> Self {
        Self {
            group: Some(group.to_owned()),
            ..Self::attribute(attribute)
        }
    }

    fn of(row: &Value) -> Self {
        let word = |key: &str| row[key].as_str().map(str::to_owned);
        Self {
            feature: word("feature"),
            attribute: word("attribute"),
            group: word("group"),
        }
    }
}

/// A report by window, subject and metric.
pub(super) struct Report {
    report: Value,
    rows: HashMap<(String, Subject, String), usize>,
}

/// What a comparison gave.
pub(super) enum Found {
    Agrees,
    /// The metric is binned; the oracle is within its bound, which is so wide, on so many cases.
    Within(f64, u64),
    /// The definitions differ, and why.
    Apart(&'static str),
    Differs(String),
    /// The report has no such row.
    Absent,
}

impl Report {
    pub(super) fn new(report: Value) -> Self {
        let rows = report["rows"].as_array().unwrap().iter().enumerate();
        let rows = rows.map(|(i, row)| {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            (
                (word("window"), Subject::of(&row["subject"]), word("metric")),
                i,
            )
        });
        Self {
            rows: rows.collect(),
            report,
        }
    }

    pub(super) fn coverage(&self) -> &Value {
        &self.report["coverage"]
    }

    /// What the report says, if it says a number.
    pub(super) fn value(&self, window: &str, subject: &Subject, metric: &str) -> Option<f64> {
        let key = (window.to_owned(), subject.clone(), metric.to_owned());
        let row = self.rows.get(&key)?;
        self.report["rows"][*row]["value"].as_f64()
    }

    pub(super) fn compare(
        &self,
        window: &str,
        subject: &Subject,
        wanted: &Wanted,
        value: &Value,
    ) -> Found {
        // The oracles call a shorter rest the window that it is.
        let key = (window.to_owned(), subject.clone(), wanted.metric.to_owned());
        let Some(row) = self.rows.get(&key) else {
            return Found::Absent;
        };
        judge(&self.report["rows"][*row], wanted, value)
    }
}

/// Whether a row says what an oracle says.
pub(super) fn judge(row: &Value, wanted: &Wanted, oracle: &Value) -> Found {
    let value = row["value"].as_f64();
    let Some(oracle) = oracle.as_f64() else {
        return match value {
            None => Found::Agrees,
            Some(value) => Found::Differs(format!("{value}, but the oracle has none")),
        };
    };
    let Some(value) = value else {
        let one_label = row["undefined"]
            .as_str()
            .is_some_and(|u| u.contains("only one label"));
        if wanted.metric == "balanced_accuracy" && one_label {
            return Found::Apart(
                "`balanced_accuracy` where only one label occurs: scikit-learn takes the rate of the label that there is, here it is undefined",
            );
        }
        let no_threshold = row["undefined"]
            .as_str()
            .is_some_and(|u| u.contains("no threshold on the score"));
        if wanted.metric.starts_with("expected_") && no_threshold {
            return Found::Apart(
                "expected performance where decisions are no threshold on the score: the oracle takes them as they are, here it is undefined",
            );
        }
        return Found::Differs(format!(
            "no value ({}), but the oracle has {oracle}",
            row["undefined"]
        ));
    };
    let n = row["n"].as_f64().unwrap_or(0.0);
    let told = |value: f64| match wanted.kind {
        Kind::Value | Kind::P => value,
        Kind::Count => value * n,
        Kind::Square => value * value,
        Kind::Nats => value * std::f64::consts::LN_2.sqrt(),
        Kind::NatsSquare => value * value * std::f64::consts::LN_2,
    };
    let value = match wanted.kind {
        Kind::Count => told(value).round(),
        Kind::Value | Kind::P | Kind::Square | Kind::Nats | Kind::NatsSquare => told(value),
    };
    let near = |allowed: f64| (value - oracle).abs() <= (allowed * oracle.abs()).max(1e-12);
    let agrees = match wanted.kind {
        Kind::Value | Kind::Count | Kind::Square | Kind::Nats | Kind::NatsSquare => near(1e-9),
        Kind::P => {
            (value - oracle).abs() <= 1e-6 * oracle.abs() || (value < 1e-300 && oracle < 1e-300)
        }
    };
    let bound = &row["bound"];
    if let (Some(low), Some(high)) = (bound[0].as_f64(), bound[1].as_f64()) {
        let (low, high) = (told(low), told(high));
        // The bound is of exact arithmetic; the oracle was rounded.
        let slack = 1e-12_f64.max(1e-12 * oracle.abs());
        if (low - slack..=high + slack).contains(&oracle) {
            return Found::Within(high - low, row["n"].as_u64().unwrap_or(0));
        }
        return Found::Differs(format!(
            "{value} in [{low}, {high}], the oracle has {oracle}"
        ));
    }
    if agrees {
        Found::Agrees
    } else {
        Found::Differs(format!("{value}, the oracle has {oracle}"))
    }
}
