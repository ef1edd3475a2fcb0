//! The data set, as rows and as the summaries of a window.

use std::io::Read as _;

use clause9_shared::baseline::Baseline;
use clause9_shared::ids::Name;
use clause9_shared::metric::{Measurement, MetricId, Seen};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::sketch::{
    Confusion, Losses, PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use serde_json::{Value, json};

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) label: bool,
    pub(crate) decision: bool,
    pub(crate) score: f64,
    /// By attribute.
    pub(crate) groups: [Option<String>; 3],
}

/// The attributes: two of the data and their intersection, with the group each is compared with.
pub(crate) const ATTRIBUTES: [(&str, &str, &[&str], &str); 3] = [
    ("sex", "sex", &["female", "male"], "male"),
    (
        "age_band",
        "age_band",
        &["25_or_younger", "over_25"],
        "over_25",
    ),
    (
        "sex_age_band",
        "sex & age_band",
        &[
            "female & 25_or_younger",
            "female & over_25",
            "male & 25_or_younger",
            "male & over_25",
        ],
        "male & over_25",
    ),
];

fn table(gzip: &[u8]) -> Vec<Row> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_string(&mut text)
        .unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let columns = ["credit_risk", "y_pred", "y_pred_proba", "sex", "age_band"].map(at);
    let row = |record: csv::Result<csv::StringRecord>| {
        let record = record.unwrap();
        let [label, decision, score, sex, age] = columns.map(|c| record[c].to_owned());
        Row {
            label: label == "1",
            decision: decision == "1",
            score: score.parse().unwrap(),
            groups: [
                Some(sex.clone()),
                Some(age.clone()),
                Some(format!("{sex} & {age}")),
            ],
        }
    };
    reader.records().map(row).collect()
}

/// The windows that the golden file is of.
pub(crate) fn windows() -> Vec<(&'static str, Vec<Row>)> {
    let reference = table(include_bytes!(
        "../../../demo/cases/german_credit/reference.csv.gz"
    ));
    let analysis = table(include_bytes!(
        "../../../demo/cases/german_credit/analysis.csv.gz"
    ));
    let chunks = ["size:0", "size:1", "size:2", "size:3"];
    let mut windows: Vec<_> = chunks
        .into_iter()
        .zip(analysis.chunks(125).map(<[Row]>::to_vec))
        .collect();
    windows.push(("analysis", analysis));
    windows.push(("reference", reference));
    windows
}

/// The golden file.
pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("german_credit.json")).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The system.
pub(crate) fn document() -> Document {
    let attributes = ATTRIBUTES.map(|(name, _, groups, reference)| {
        json!({ "name": name, "from": "outcome", "groups": groups, "reference": reference })
    });
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": { "id": "credit", "name": "Credit", "intended_purpose": "Advises.",
            "owner": "credit", "role": "user", "models": [{ "name": "credit", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [],
        "outputs": {
            "score": { "from": { "output": "probability" } },
            "decision": { "rule": { "score_at_least": 0.6 }, "positive_means": "granted" },
            "label": { "positive": 1, "negative": 0 }
        },
        "attributes": attributes,
        "objectives": []
    }))
    .unwrap()
}

pub(crate) fn baseline() -> Baseline {
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "credit",
        "source": { "name": "none.csv", "digest": "sha256:".to_owned() + &"00".repeat(32) },
        "rows": 0, "features": {}
    }))
    .unwrap()
}

/// The summaries of rows.
pub(crate) fn pane(rows: &[Row]) -> PaneSummary {
    let mut entries = Vec::new();
    let mut keep = |of: SummaryOf, summary: Summary| {
        entries.push((SummaryKey::new(of, summary.kind()), summary));
    };
    for (i, (attribute, _, groups, _)) in ATTRIBUTES.iter().enumerate() {
        let by = || Some(name(attribute));
        let count = u8::try_from(groups.len()).unwrap();
        let mut decisions = Confusion::new(count).unwrap();
        let mut labelled = Confusion::new(count).unwrap();
        let mut scores = ScoreCells::new(count).unwrap();
        let mut losses = Losses::new(count).unwrap();
        for row in rows {
            let group = row.groups[i].as_deref();
            let at = group.and_then(|group| groups.iter().position(|g| *g == group));
            let at = at.map(|at| u8::try_from(at).unwrap());
            decisions.add(None, Some(row.decision), at);
            labelled.add(Some(row.label), Some(row.decision), at);
            scores.add(Some(row.score), Some(row.label), at);
            losses.add(Some(row.score), row.label, at);
        }
        keep(SummaryOf::Decision(by()), Summary::Confusion(decisions));
        keep(
            SummaryOf::DecisionByLabel(by()),
            Summary::Confusion(labelled),
        );
        keep(SummaryOf::ScoreByLabel(by()), Summary::ScoreCells(scores));
        keep(SummaryOf::ScoreByLabel(by()), Summary::Losses(losses));
    }
    let mut all = Confusion::new(1).unwrap();
    for row in rows {
        all.add(Some(row.label), Some(row.decision), Some(0));
    }
    keep(SummaryOf::DecisionByLabel(None), Summary::Confusion(all));
    PaneSummary::new(entries)
}

/// A metric of a group, an attribute or nothing.
pub(crate) fn measure(
    pane: &PaneSummary,
    metric: &str,
    attribute: Option<&str>,
    group: Option<&str>,
) -> Measurement {
    let of = Subject {
        attribute: attribute.map(name),
        group: group.map(str::to_owned),
        ..Subject::default()
    };
    let (document, baseline) = (document(), baseline());
    let metric = MetricId::by_name(metric).unwrap_or_else(|| panic!("no metric {metric}"));
    let keys = metric.reads(&document, &of);
    assert!(keys.iter().all(|key| key.kind != SummaryKind::Histogram));
    metric.measure(Seen {
        document: &document,
        baseline: &baseline,
        of: &of,
        summary: pane,
        beside: clause9_shared::metric::Beside::default(),
    })
}
