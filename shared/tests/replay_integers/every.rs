//! Every metric that a ledger judges by integers, each on systems that have what it reads: one that
//! scores and decides between two, one that chooses among classes, one that predicts
//! numbers, one that ranks items.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::canonical;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Tensor, Values};
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{MetricId, Needs, SampleKind, Seen};
use clause9_shared::objective::document::{Document, Objective, Scalar};
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::service::Served;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use serde_json::{Value, json};

use super::{Register, record, replay};

/// Metrics that none of these systems has.
const ELSEWHERE: [&str; 0] = [];
const ROWS: usize = 240;
const BLOCKS: u64 = 5;

/// A job with too long a name to be listed: the baseline knows it by its hash, so that it is not new.
static LONG: LazyLock<String> = LazyLock::new(|| "keeper of ".repeat(30));

/// Steele, Lea and Flood's `SplitMix64`.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let at = of
            .iter()
            .enumerate()
            .find(|(i, _)| self.unit() * ((of.len() - i) as f64) < 1.0);
        at.map_or(of[of.len() - 1], |(_, text)| text)
    }
}

/// What a row is: its feature, group, score, class and number, and what turned out to be true.
struct Row {
    age: f64,
    job: &'static str,
    sex: &'static str,
    score: f64,
    positive: bool,
    class: &'static str,
    truth: &'static str,
    value: f64,
    target: f64,
}

fn row(random: &mut Random, wrong: bool) -> Row {
    let shift = if wrong { 0.35 } else { 0.0 };
    let (score, u) = (random.unit(), random.unit());
    let class = random.one_of(&["low", "middle", "high"]);
    let value = 100.0 * random.unit();
    let error = 10.0 * (random.unit() - 0.5) * if wrong { 4.0 } else { 1.0 };
    let right = random.unit() < 0.8 - shift;
    Row {
        age: (20.0 + 60.0 * (random.unit() + shift)).round(),
        job: if wrong {
            "new"
        } else if u > 0.95 {
            LONG.as_str()
        } else {
            random.one_of(&["clerk", "miner", "nurse"])
        },
        sex: if u < 0.1 {
            "?"
        } else {
            random.one_of(&["female", "male"])
        },
        score,
        positive: random.unit() < (score - shift).max(0.05),
        class,
        truth: if right {
            class
        } else {
            random.one_of(&["low", "middle", "high"])
        },
        value,
        target: value + error,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Score,
    Class,
    Number,
    List,
}

/// Whether cases are in groups, of which some are decided otherwise.
fn grouped(kind: Kind) -> bool {
    matches!(kind, Kind::Score | Kind::Class)
}

/// The classes as a list of items, that of the row first.
fn ranked(row: &Row) -> String {
    let others = ["low", "middle", "high"];
    let others = others.iter().filter(|item| **item != row.class);
    let others: Vec<&str> = others.copied().collect();
    format!("{} {}", row.class, others.join(" "))
}

fn document(kind: Kind) -> Value {
    let output = |name: &str| json!({ "output": name });
    let outputs = match kind {
        Kind::Score => json!({
            "score": { "from": output("p") },
            "decision": {
                "rule": { "score_at_least": 0.5 }, "positive_means": "approved",
                "costs": { "unit": "1", "false_positive": 5, "false_negative": 2, "true_positive": -1 }
            },
            "label": { "positive": 1, "negative": 0 }
        }),
        Kind::Class => json!({
            "decision": {
                "rule": { "class": { "from": output("c"), "classes": ["low", "middle", "high"],
                    "scores": output("q") } },
                "costs": { "unit": "1", "by_class": [[0, 1, 3], [1, 0, 1], [8, 2, 0]] }
            },
            "label": { "type": "class" }
        }),
        Kind::Number => json!({
            "value": { "from": output("y"), "unit": "EUR" }, "label": { "type": "numeric" }
        }),
        Kind::List => json!({
            "ranking": { "from": output("items"), "at": 2 }, "label": { "type": "relevance" }
        }),
    };
    let attributes = if grouped(kind) {
        json!([{ "name": "sex", "from": "outcome", "groups": ["male", "female"], "reference": "male" }])
    } else {
        json!([])
    };
    json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "every", "name": "Every", "intended_purpose": "Tests.", "owner": "head",
            "role": "user", "models": [{ "name": "every", "source": "own" }]
        },
        "panes": { "length": "1d" },
        "features": [
            { "name": "age", "type": "numeric", "unit": "a", "from": { "input": "age" }, "range": { "min": 20, "max": 90 } },
            { "name": "job", "type": "categorical", "from": { "input": "job" } },
            { "name": "flag", "type": "numeric", "unit": "1", "from": { "input": "flag" } }
        ],
        "outputs": outputs, "attributes": attributes, "objectives": [],
        "service": {
            "slow_after": 0.3,
            "limits": {
                "latency": [0.1, 0.7], "first_byte": [0.1], "request_bytes": [40], "response_bytes": [40]
            }
        }
    })
}

fn baseline(document: &Document, kind: Kind) -> Baseline {
    let mut random = Random(7);
    let mut builder = BaselineBuilder::new(document, "reference.csv");
    for _ in 0..4000 {
        let row = row(&mut random, false);
        builder.observe(0, Cell::Float(row.age));
        builder.observe(1, Cell::Text(row.job));
        builder.observe(2, Cell::Float(flag(&row)));
        match kind {
            Kind::Score => {
                builder.observe_score(row.score);
                builder.observe_label(Cell::Int(i64::from(row.positive)));
            }
            Kind::Class => {
                builder.observe_decision(Cell::Text(row.class));
                builder.observe_label(Cell::Text(row.truth));
            }
            Kind::Number => {
                builder.observe_value(row.value);
                builder.observe_label(Cell::Float(row.target));
            }
            Kind::List => {}
        }
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

/// A flag that is seldom set, and more often where things go wrong.
fn flag(row: &Row) -> f64 {
    f64::from(u8::from(row.age > 75.0))
}

fn tensor(name: &str, values: Values) -> Tensor {
    Tensor {
        name: name.into(),
        columns: 1,
        values,
    }
}

/// How a row was answered: the older the applicant, the slower.
fn served(row: &Row) -> Served {
    let slowness = row.age / 100.0;
    Served {
        latency: Some(slowness * slowness),
        first_byte: Some(slowness / 8.0),
        request_bytes: Some(row.age),
        response_bytes: Some(if row.age > 50.0 { 0.0 } else { 30.0 }),
        status: Some(match row.job {
            "new" => 500,
            "clerk" => 404,
            _ => 200,
        }),
    }
}

/// Scores of the three classes: the decided one's is what is left of the score's halves for the others.
fn scores(rows: &[Row]) -> Values {
    let of = |row: &Row| {
        let left = row.score / 2.0;
        ["low", "middle", "high"].map(|class| {
            if class == row.class {
                1.0 - left
            } else {
                left / 2.0
            }
        })
    };
    Values::Float(rows.iter().flat_map(of).collect())
}

/// Both streams of a block in one, as the sum of blocks is judged. The last ones go wrong.
fn pane(plan: &CapturePlan, kind: Kind, block: u64) -> PaneSummary {
    let mut random = Random(1000 + block);
    let rows: Vec<Row> = (0..ROWS).map(|_| row(&mut random, block >= 3)).collect();
    let texts = |of: fn(&Row) -> &'static str| {
        Values::Text(rows.iter().map(|row| of(row).into()).collect())
    };
    let floats = |of: fn(&Row) -> f64| Values::Float(rows.iter().map(of).collect());
    let output = match kind {
        Kind::Score => tensor("p", floats(|row| row.score)),
        Kind::Class => tensor("c", texts(|row| row.class)),
        Kind::Number => tensor("y", floats(|row| row.value)),
        Kind::List => tensor(
            "items",
            Values::Text(rows.iter().map(|row| ranked(row).into()).collect()),
        ),
    };
    let mut ages = floats(|row| row.age);
    if let Values::Float(ages) = &mut ages {
        (ages[3], ages[5], ages[7]) = (f64::NAN, f64::INFINITY, 1e9);
    }
    let inference = Inference {
        model: "every".into(),
        model_version: "1".into(),
        request_id: Some("r".into()),
        arrived_at: Timestamp::EPOCH,
        rows: ROWS,
        inputs: vec![
            tensor("age", ages),
            tensor("job", texts(|row| row.job)),
            tensor("flag", floats(flag)),
        ],
        outputs: if kind == Kind::Class {
            let mut each = tensor("q", scores(&rows));
            each.columns = 3;
            vec![output, each]
        } else {
            vec![output]
        },
    };
    let (mut traffic, mut late) = (plan.empty_traffic(), plan.empty_outcomes());
    let mut predictions = Vec::new();
    plan.observe_all(&inference, &mut traffic, &mut predictions)
        .unwrap();
    for row in &rows {
        plan.serve(&served(row), &mut traffic);
    }
    for (i, (prediction, row)) in predictions.iter_mut().zip(&rows).enumerate() {
        let label = match kind {
            Kind::Score => Scalar::Number(f64::from(u8::from(row.positive))),
            Kind::Class | Kind::List => Scalar::Text(row.truth.into()),
            Kind::Number => Scalar::Number(row.target),
        };
        let attributes = [("sex".parse().unwrap(), row.sex.to_owned())];
        let outcome = Outcome {
            request_id: "r".into(),
            row: u32::try_from(i).unwrap(),
            label: (i % 11 > 0).then_some(label),
            attributes: attributes.into_iter().filter(|_| grouped(kind)).collect(),
            available_at: None,
        };
        plan.join(prediction, &outcome, &mut late);
    }
    let mut entries: Vec<_> = traffic
        .iter()
        .chain(late.iter())
        .map(|(k, s)| (k.clone(), s.clone()))
        .collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(entries.windows(2).all(|pair| pair[0].0 != pair[1].0));
    PaneSummary::new(entries)
}

/// Of what a metric can be taken here.
fn subjects(needs: Needs, kind: Kind) -> Vec<Value> {
    let features = |names: &[&str]| {
        names
            .iter()
            .map(|name| json!({ "feature": name }))
            .collect()
    };
    match needs {
        Needs::Nothing => vec![json!({})],
        Needs::Feature => features(&["age", "job"]),
        Needs::NumericFeature => features(&["age", "flag"]),
        Needs::CategoricalFeature => features(&["job"]),
        Needs::AttributeGroup | Needs::Group if grouped(kind) => {
            vec![json!({ "attribute": "sex", "group": "female" })]
        }
        Needs::Attribute if grouped(kind) => vec![json!({ "attribute": "sex" })],
        Needs::Class if kind == Kind::Class => vec![json!({ "class": "middle" })],
        Needs::ClassOfGroup | Needs::ClassOfAttributeGroup
            if kind == Kind::Class && grouped(kind) =>
        {
            vec![json!({ "class": "middle", "attribute": "sex", "group": "female" })]
        }
        Needs::AttributeGroup
        | Needs::Group
        | Needs::Attribute
        | Needs::Class
        | Needs::ClassOfGroup
        | Needs::ClassOfAttributeGroup => Vec::new(),
    }
}

/// An objective on the metric at the first level that its bets take.
fn objective(
    metric: MetricId,
    of: &Value,
    document: &Document,
    baseline: &Baseline,
) -> Option<Objective> {
    let levels = [0.1, 0.02, 0.3, 0.7, 5.0, 40.0];
    let sides = ["at_most", "at_least"];
    let mut all = levels
        .iter()
        .flat_map(|level| sides.map(|side| (*level, side)));
    all.find_map(|(level, side)| {
        let spec = metric.spec();
        let objective: Objective = serde_json::from_value(json!({
            "id": spec.name.replace(['.', '_'], "-"), "version": 1, "statement": "As at approval.",
            "policy": "4.1", "metric": spec.name, "of": of, "comparator": side,
            "levels": { "action": level }, "window": "1d", "min_support": 20,
            "evaluate_every": "7d", "owner": "head", "approver": "committee",
            "effective_from": "2026-01-01T00:00:00Z", "references": [],
            // Bets on pairs want cases that stand alone.
            "cluster": if spec.name.contains(".pairs") { 1 } else { 2 }
        }))
        .unwrap();
        Compiled::new(document, &objective, baseline)
            .is_ok()
            .then_some(objective)
    })
}

/// Judges every metric of one system; gives those of which a block was judged.
fn judge(folder: &Path, kind: Kind) -> BTreeSet<&'static str> {
    fs::create_dir_all(folder.join("blobs")).unwrap();
    let mut register = Register {
        folder,
        items: Vec::new(),
    };
    let document: Document = serde_json::from_value(document(kind)).unwrap();
    let baseline = baseline(&document, kind);
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    let text = canonical::to_json(&document).unwrap();
    let name = register.keep(Digest::of(text.as_bytes()), text.as_bytes());
    let panes: Vec<PaneSummary> = (0..BLOCKS).map(|block| pane(&plan, kind, block)).collect();
    let mut judged = BTreeSet::new();
    for metric in MetricId::ALL {
        let exact = match metric.spec().sample {
            SampleKind::Rate | SampleKind::TwoRates | SampleKind::Cells => true,
            SampleKind::Normal | SampleKind::Unjudged => false,
        };
        let of = if exact {
            subjects(metric.spec().needs, kind)
        } else {
            Vec::new()
        };
        for of in of {
            let Some(objective) = objective(*metric, &of, &document, &baseline) else {
                continue;
            };
            let measured = |summary: &PaneSummary| {
                metric.measure(Seen {
                    document: &document,
                    baseline: &baseline,
                    of: &objective.of,
                    summary,
                    beside: clause9_shared::metric::Beside::default(),
                })
            };
            if !panes.iter().any(|pane| measured(pane).is_ok()) {
                continue;
            }
            // The last block holds two panes.
            let mut blocks: Vec<Vec<PaneSummary>> =
                panes.iter().map(|pane| vec![pane.clone()]).collect();
            let last = blocks.pop().unwrap();
            blocks.last_mut().unwrap().extend(last);
            let from = register.items.len();
            record(
                &mut register,
                &objective,
                (&document, &baseline),
                name,
                blocks.into_iter(),
            );
            let paid = |item: &Value| !item["record"]["body"]["step"]["payoffs"].is_null();
            assert!(
                register.items[from..].iter().all(paid),
                "{}",
                metric.spec().name
            );
            judged.insert(metric.spec().name);
        }
    }
    let verdicts = json!({ "items": register.items });
    fs::write(folder.join("verdicts.json"), verdicts.to_string()).unwrap();
    judged
}

#[test]
fn t8_every_metric_that_is_judged_by_integers_is_replayed_to_the_bit() {
    let mut judged = BTreeSet::new();
    for kind in [Kind::Score, Kind::Class, Kind::Number, Kind::List] {
        let folder = tempfile::tempdir().unwrap();
        judged.extend(judge(folder.path(), kind));
        let steps = fs::read_to_string(folder.path().join("verdicts.json")).unwrap();
        let steps = serde_json::from_str::<Value>(&steps).unwrap()["items"]
            .as_array()
            .unwrap()
            .len();
        let Some((well, said)) = replay(folder.path()) else {
            return;
        };
        assert!(well, "{said}");
        assert_eq!(
            said,
            format!("{steps} steps, {steps} of them from the counts, 0 differ\n")
        );
    }
    let all = MetricId::ALL.iter().map(|metric| metric.spec());
    let exact =
        all.filter(|spec| !matches!(spec.sample, SampleKind::Normal | SampleKind::Unjudged));
    let missing: Vec<_> = exact
        .map(|spec| spec.name)
        .filter(|name| !judged.contains(name) && !ELSEWHERE.contains(name))
        .collect();
    assert!(missing.is_empty(), "not replayed: {missing:?}");
}
