//! What a capture plan keeps, how it reads cells, and what it counts when.
#![expect(
    clippy::unwrap_used,
    clippy::needless_raw_string_hashes,
    reason = "a test's own values are what they are; expect-test writes hashes"
)]

mod loan;

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::ids::Name;
use clause9_shared::inference::{Inference, Owned, Values};
use clause9_shared::metric::{Answers, MetricId, Needs};
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{Answer, CapturePlan, Joined, Outcome, PlanError, Prediction};
use clause9_shared::sketch::{
    Categories, ClassTable, Confusion, CutCounts, Defect, Histogram, Hygiene, Moments, PaneSummary,
    Residuals, ScoreCells, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use expect_test::{Expect, expect};
use loan::{exchange, tensor};
use serde_json::{Value, json};

fn keys(pane: &PaneSummary) -> String {
    let keys = pane
        .iter()
        .map(|(key, _)| format!("{} {:?}", key.of, key.kind));
    keys.collect::<Vec<_>>().join("\n")
}

fn get<'a, T>(
    pane: &'a PaneSummary,
    of: SummaryOf,
    kind: SummaryKind,
    as_kind: fn(&'a Summary) -> Option<&'a T>,
) -> &'a T {
    as_kind(pane.get(&SummaryKey::new(of, kind)).unwrap()).unwrap()
}

fn feature(name: &str) -> SummaryOf {
    SummaryOf::Feature(name.parse().unwrap())
}

fn sex() -> Option<Name> {
    "sex".parse().ok()
}

fn region() -> Option<Name> {
    "region".parse().ok()
}

#[test]
fn a_plan_keeps_what_its_document_asks_for() {
    let plan = loan::plan();
    expect![[r#"
        feature/amount Histogram
        feature/amount CutCounts
        feature/amount Hygiene
        feature/amount Moments
        feature/purpose Categories
        feature/purpose Hygiene
        feature/wild Histogram
        feature/wild CutCounts
        feature/wild Hygiene
        feature/wild Moments
        score Histogram
        score CutCounts
        score Hygiene
        score Moments
        decision Confusion
        decision/region Confusion
        joint Gram
        joint Projections
        direction/0 Histogram
        direction/0 CutCounts
        direction/1 Histogram
        direction/1 CutCounts
        direction/2 Histogram
        direction/2 CutCounts
        direction/3 Histogram
        direction/3 CutCounts
        direction/4 Histogram
        direction/4 CutCounts
        direction/5 Histogram
        direction/5 CutCounts
        direction/6 Histogram
        direction/6 CutCounts
        direction/7 Histogram
        direction/7 CutCounts
        direction/8 Histogram
        direction/8 CutCounts
        direction/9 Histogram
        direction/9 CutCounts
        direction/10 Histogram
        direction/10 CutCounts
        direction/11 Histogram
        direction/11 CutCounts
        direction/12 Histogram
        direction/12 CutCounts
        direction/13 Histogram
        direction/13 CutCounts
        direction/14 Histogram
        direction/14 CutCounts
        direction/15 Histogram
        direction/15 CutCounts"#]]
    .assert_eq(&keys(&plan.empty_traffic()));
    expect![[r#"
        decision/sex Confusion
        score_by_label ScoreCells
        score_by_label Losses
        score_by_label/region ScoreCells
        score_by_label/region Losses
        score_by_label/sex ScoreCells
        score_by_label/sex Losses
        decision_by_label Confusion
        decision_by_label/region Confusion
        decision_by_label/sex Confusion"#]]
    .assert_eq(&keys(&plan.empty_outcomes()));
    assert!(plan.keeps(&SummaryKey::new(feature("amount"), SummaryKind::CutCounts)));
    assert!(!plan.keeps(&SummaryKey::new(feature("amount"), SummaryKind::Categories)));
}

fn digest_after(edit: impl Fn(&mut Value)) -> clause9_shared::digest::Digest {
    let baseline = loan::baseline(&loan::document());
    let mut json = loan::document_json();
    edit(&mut json);
    CapturePlan::new(&loan::document_of(json), &baseline)
        .unwrap()
        .digest()
}

#[test]
fn the_digest_changes_with_what_is_counted_and_with_nothing_else() {
    let before = loan::plan().digest();
    let unchanged: [fn(&mut Value); 5] = [
        |d| d["objectives"][0]["statement"] = json!("Another."),
        |d| d["objectives"][0]["levels"] = json!({ "action": 0.5, "alert": 0.3 }),
        |d| d["objectives"] = json!([]),
        |d| d["system"]["owner"] = json!("somebody else"),
        |d| d["attributes"][0]["reference"] = json!("south"),
    ];
    for (i, edit) in unchanged.into_iter().enumerate() {
        assert_eq!(digest_after(edit), before, "edit {i}");
    }
    let changed: [fn(&mut Value); 8] = [
        |d| d["features"][1]["from"]["input"] = json!("figures"),
        |d| d["features"][1]["from"]["column"] = json!(0),
        |d| d["features"][1]["missing"]["values"] = json!([-2]),
        |d| d["features"][1]["unit"] = json!("USD"),
        |d| d["features"][0]["range"]["max"] = json!(2e3),
        |d| d["outputs"]["decision"]["rule"] = json!({ "score_at_least": 0.6 }),
        |d| d["outputs"]["label"]["positive"] = json!("yes"),
        |d| d["attributes"][1]["groups"] = json!(["male", "female"]),
    ];
    let mut seen = vec![before];
    for (i, edit) in changed.into_iter().enumerate() {
        let after = digest_after(edit);
        assert!(!seen.contains(&after), "edit {i}");
        seen.push(after);
    }
    let mut other = loan::baseline(&loan::document());
    other.source.name = "another.csv".into();
    assert_ne!(
        CapturePlan::new(&loan::document(), &other)
            .unwrap()
            .digest(),
        before
    );
}

fn refused(edit: impl Fn(&mut Value), expected: &Expect) {
    let baseline = loan::baseline(&loan::document());
    let mut json = loan::document_json();
    edit(&mut json);
    let error = CapturePlan::new(&loan::document_of(json), &baseline).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    refused(
        |d| d["system"]["id"] = json!("other"),
        &expect![[
            "the baseline is of system `loan`, the objectives of `other`; build a baseline for this system"
        ]],
    );
    refused(
        |d| d["features"][0]["name"] = json!("new"),
        &expect![[
            "feature `new` is not in the baseline, or has another type there; build the baseline again"
        ]],
    );
    refused(
        |d| d["features"][2]["type"] = json!("numeric"),
        &expect![[
            "feature `purpose` is not in the baseline, or has another type there; build the baseline again"
        ]],
    );
    refused(
        |d| d["features"][1]["name"] = json!("wild"),
        &expect![
            "feature `amount` is not in the baseline, or has another type there; build the baseline again"
        ],
    );
    refused(
        |d| d["attributes"][0]["groups"] = json!(vec!["g"; 65]),
        &expect!["the decision needs 2 to 16 classes"],
    );
    let groups: Vec<String> = (0..64).map(|i| i.to_string()).collect();
    let attribute = |i: usize| json!({ "name": format!("a{i}"), "from": "outcome", "groups": groups, "reference": "0" });
    refused(
        |d| d["attributes"] = (0..12).map(attribute).collect(),
        &expect![
            "the plan's summaries could take 40026509 bytes, the limit is 8388608; watch fewer features or attributes"
        ],
    );
    let mut baseline = loan::baseline(&loan::document());
    baseline.rows += 1;
    let error = CapturePlan::new(&loan::document(), &baseline).unwrap_err();
    assert!(matches!(error, PlanError::Baseline(_)), "{error}");
}

#[test]
fn too_many_summaries_are_refused() {
    let mut json = loan::document_json();
    let feature = |i: usize| json!({ "name": format!("f{i}"), "type": "categorical", "from": { "input": "purpose" } });
    json["features"] = (0..1100).map(feature).collect();
    let document = loan::document_of(json);
    let mut builder = clause9_shared::baseline::BaselineBuilder::new(&document, "x");
    builder.end_row();
    let baseline = builder
        .finish(clause9_shared::digest::Digest::of(b""))
        .unwrap();
    let error = CapturePlan::new(&document, &baseline).unwrap_err();
    assert_eq!(error, PlanError::TooManySummaries(2205));
    let mut json = loan::document_json();
    json["objectives"] = json!([]);
    json["features"] = (0..257).map(feature).collect();
    let document = loan::document_of(json);
    let mut builder = clause9_shared::baseline::BaselineBuilder::new(&document, "x");
    builder.end_row();
    let baseline = builder
        .finish(clause9_shared::digest::Digest::of(b""))
        .unwrap();
    let error = CapturePlan::new(&document, &baseline).unwrap_err();
    assert_eq!(error, PlanError::TooManyFeatures(257));
}

/// One exchange of as many rows as amounts, each value of its own type.
fn amounts(values: Vec<Owned>) -> Inference {
    let rows = values.len();
    let pairs = values
        .into_iter()
        .flat_map(|value| [Owned::Missing, value])
        .collect();
    exchange(
        rows,
        vec![tensor("numbers", 2, Values::Mixed(pairs))],
        vec![tensor("probability", 1, Values::Float(vec![0.7; rows]))],
    )
}

fn observed(plan: &CapturePlan, inference: &Inference) -> (PaneSummary, Vec<Prediction>) {
    let mut pane = plan.empty_traffic();
    let observations = plan.observations(inference).unwrap();
    let predictions = observations
        .map(|observation| plan.observe(observation, &mut pane))
        .collect();
    (pane, predictions)
}

#[test]
fn each_odd_number_is_counted_as_what_it_is() {
    let plan = loan::plan();
    let (pane, _) = observed(
        &plan,
        &amounts(vec![
            Owned::Missing,
            Owned::Float(-1.0),
            Owned::Int(-1),
            Owned::Text("n/a".into()),
            Owned::Text("12".into()),
            Owned::Float(f64::NAN),
            Owned::Float(f64::INFINITY),
            Owned::Float(f64::NEG_INFINITY),
            Owned::Float(f64::MIN_POSITIVE / 2.0),
            Owned::Float(12.0),
            Owned::Int(12),
            Owned::Uint(12),
            Owned::Bool(true),
        ]),
    );
    let hygiene = get(&pane, feature("amount"), SummaryKind::Hygiene, Hygiene::of);
    let defects: Vec<_> = Defect::ALL
        .iter()
        .map(|d| (d.as_str(), hygiene.count(*d)))
        .collect();
    expect![[r#"[("missing", 4), ("not_a_number", 1), ("positive_infinity", 1), ("negative_infinity", 1), ("wrong_type", 1), ("subnormal", 1), ("out_of_range", 0)]"#]]
        .assert_eq(&format!("{defects:?}"));
    assert_eq!((hygiene.rows(), hygiene.usable()), (13, 5));
    assert_eq!(
        get(
            &pane,
            feature("amount"),
            SummaryKind::Histogram,
            Histogram::of
        )
        .total(),
        5
    );
    assert_eq!(
        get(
            &pane,
            feature("amount"),
            SummaryKind::CutCounts,
            CutCounts::of
        )
        .total(),
        5
    );
    let absent = get(
        &pane,
        feature("purpose"),
        SummaryKind::Categories,
        Categories::of,
    );
    assert_eq!(
        (absent.missing(), absent.total()),
        (13, 13),
        "an absent tensor's values are missing"
    );
    let wild = get(&pane, feature("wild"), SummaryKind::Hygiene, Hygiene::of);
    assert_eq!(wild.missing_total(), 13);
}

#[test]
fn what_is_out_of_range_is_marked_and_counted() {
    let plan = loan::plan();
    let wild = tensor("wild", 1, Values::Float(vec![1e3, 1001.0, -5e3, f64::NAN]));
    let scores = tensor(
        "probability",
        1,
        Values::Float(vec![1.5, 1.0, -0.5, f64::NAN]),
    );
    let (pane, predictions) = observed(&plan, &exchange(4, vec![wild], vec![scores]));
    let hygiene = get(&pane, feature("wild"), SummaryKind::Hygiene, Hygiene::of);
    assert_eq!(hygiene.count(Defect::OutOfRange), 2);
    assert_eq!(
        hygiene.missing_total(),
        1,
        "this feature's policy takes NaN for missing"
    );
    assert_eq!(
        get(
            &pane,
            feature("wild"),
            SummaryKind::Histogram,
            Histogram::of
        )
        .total(),
        3
    );
    let hygiene = get(&pane, SummaryOf::Score, SummaryKind::Hygiene, Hygiene::of);
    assert_eq!(
        (hygiene.count(Defect::OutOfRange), hygiene.invalid_total()),
        (2, 1)
    );
    let known: Vec<_> = predictions
        .iter()
        .map(|p| (p.score, p.decision.and_then(Answer::sign)))
        .collect();
    assert_eq!(
        known,
        [
            (None, None),
            (Some(1.0), Some(true)),
            (None, None),
            (None, None)
        ]
    );
    let decisions = get(
        &pane,
        SummaryOf::Decision(None),
        SummaryKind::Confusion,
        Confusion::of,
    );
    assert_eq!(
        decisions.count(None, None, Some(0)),
        3,
        "no decision is no decision, not a negative one"
    );
}

#[test]
fn categories_are_listed_unlisted_or_missing() {
    let plan = loan::plan();
    let purposes =
        ["car", "home", "home", "boat", "unknown", "9"].map(|text| Owned::Text(text.into()));
    let more = [
        Owned::Int(9),
        Owned::Float(9.0),
        Owned::Missing,
        Owned::Float(f64::INFINITY),
    ];
    let values: Vec<_> = purposes.into_iter().chain(more).collect();
    let rows = values.len();
    let (pane, _) = observed(
        &plan,
        &exchange(
            rows,
            vec![tensor("purpose", 1, Values::Mixed(values))],
            vec![tensor("probability", 1, Values::Float(vec![0.1; rows]))],
        ),
    );
    let found = get(
        &pane,
        feature("purpose"),
        SummaryKind::Categories,
        Categories::of,
    );
    assert_eq!(found.counts(), [1, 2, 0], "car, home, travel");
    assert_eq!((found.unlisted(), found.missing()), (2, 5));
    let hygiene = get(&pane, feature("purpose"), SummaryKind::Hygiene, Hygiene::of);
    assert_eq!((hygiene.missing_total(), hygiene.invalid_total()), (5, 1));
}

#[test]
fn the_servers_own_decision_is_compared_with_the_documented_value() {
    let mut json = loan::document_json();
    json["outputs"]["decision"]["rule"] =
        json!({ "output": { "from": { "output": "decision" }, "positive": 1 } });
    let document = loan::document_of(json);
    let plan = CapturePlan::new(&document, &loan::baseline(&document)).unwrap();
    let decided = |values: Values| {
        let rows = values.len();
        let outputs = vec![
            tensor("probability", 1, Values::Float(vec![0.9; rows])),
            tensor("decision", 1, values),
        ];
        let inputs = vec![tensor("wild", 1, Values::Float(vec![1.0; rows]))];
        let (_, predictions) = observed(&plan, &exchange(rows, inputs, outputs));
        predictions
            .iter()
            .map(|p| p.decision.and_then(Answer::sign))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        decided(Values::Int(vec![1, 0, 2])),
        [Some(true), Some(false), Some(false)]
    );
    assert_eq!(
        decided(Values::Bool(vec![true, false])),
        [Some(true), Some(false)]
    );
    assert_eq!(
        decided(Values::Float(vec![1.0, f64::NAN])),
        [Some(true), None]
    );
    assert_eq!(decided(Values::Mixed(vec![Owned::Missing])), [None]);
}

#[test]
fn an_exchange_that_lacks_what_is_read_is_refused_in_plain_words() {
    let plan = loan::plan();
    let wild = || tensor("wild", 1, Values::Float(vec![1.0, 2.0]));
    let score = || tensor("probability", 1, Values::Float(vec![0.5, 0.5]));
    let table = [
        (
            exchange(2, vec![], vec![score()]),
            expect![[
                "the request has none of the inputs that the objectives file names; compare the names under `from` with the model's input names"
            ]],
        ),
        (
            exchange(3, vec![wild()], vec![score()]),
            expect!["input `wild` holds 2 values, not 1 for each of 3 rows"],
        ),
        (
            exchange(
                2,
                vec![tensor("numbers", 1, Values::Int(vec![1, 2]))],
                vec![score()],
            ),
            expect!["input `numbers` has 1 columns, the objectives file names column 1 (from 0)"],
        ),
        (
            exchange(2, vec![wild()], vec![]),
            expect!["the response has no output `probability`, which the objectives file names"],
        ),
        (
            exchange(
                2,
                vec![wild()],
                vec![tensor("probability", 2, Values::Float(vec![0.5; 2]))],
            ),
            expect!["output `probability` holds 2 values, not 2 for each of 2 rows"],
        ),
        (
            exchange(
                2,
                vec![tensor("wild", usize::MAX, Values::Float(vec![]))],
                vec![score()],
            ),
            expect![["input `wild` holds 0 values, not 18446744073709551615 for each of 2 rows"]],
        ),
    ];
    for (inference, expected) in table {
        let mismatch = plan.observations(&inference).err().unwrap();
        expected.assert_eq(&mismatch.to_string());
    }
    assert!(
        plan.observations(&exchange(2, vec![wild()], vec![score()]))
            .is_ok()
    );
}

fn outcome(label: Option<Scalar>, attributes: &[(&str, &str)]) -> Outcome {
    let attributes = attributes
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), (*value).to_owned()));
    Outcome {
        request_id: "r-1".into(),
        row: 0,
        label,
        attributes: attributes.collect(),
        available_at: None,
    }
}

fn prediction(plan: &CapturePlan) -> Prediction {
    let south = tensor("region", 1, Values::Text(vec!["south".into()]));
    let score = tensor("probability", 1, Values::Float(vec![0.7]));
    let (pane, mut predictions) = observed(plan, &exchange(1, vec![south], vec![score]));
    let by_region = get(
        &pane,
        SummaryOf::Decision(region()),
        SummaryKind::Confusion,
        Confusion::of,
    );
    assert_eq!(by_region.count(None, Some(true), Some(1)), 1);
    predictions.remove(0)
}

/// Totals of: decisions by sex, by label, by label and region, by label and sex.
fn totals(pane: &PaneSummary) -> [u64; 4] {
    [
        SummaryOf::Decision(sex()),
        SummaryOf::DecisionByLabel(None),
        SummaryOf::DecisionByLabel(region()),
        SummaryOf::DecisionByLabel(sex()),
    ]
    .map(|of| get(pane, of, SummaryKind::Confusion, Confusion::of).total())
}

#[test]
fn a_fact_is_counted_once_when_it_is_complete_whatever_comes_first() {
    let plan = loan::plan();
    let label = || Some(Scalar::Number(1.0));

    let (mut known, mut first, mut second) = (
        prediction(&plan),
        plan.empty_outcomes(),
        plan.empty_outcomes(),
    );
    plan.join(&mut known, &outcome(label(), &[]), &mut first);
    assert_eq!(totals(&first), [0, 1, 1, 0]);
    plan.join(
        &mut known,
        &outcome(None, &[("sex", "female")]),
        &mut second,
    );
    assert_eq!(totals(&second), [1, 0, 0, 1]);
    first.merge(&second).unwrap();

    let (mut known, mut turned) = (prediction(&plan), plan.empty_outcomes());
    plan.join(
        &mut known,
        &outcome(None, &[("sex", "female")]),
        &mut turned,
    );
    assert_eq!(totals(&turned), [1, 0, 0, 0]);
    plan.join(&mut known, &outcome(label(), &[]), &mut turned);

    let (mut known, mut at_once) = (prediction(&plan), plan.empty_outcomes());
    let joined = plan.join(
        &mut known,
        &outcome(label(), &[("sex", "female")]),
        &mut at_once,
    );
    assert_eq!(
        joined,
        Joined {
            labels: 1,
            attributes: 1,
            ..Joined::default()
        }
    );
    assert_eq!(turned, first);
    assert_eq!(at_once, first);

    let by_sex = get(
        &first,
        SummaryOf::DecisionByLabel(sex()),
        SummaryKind::Confusion,
        Confusion::of,
    );
    assert_eq!(by_sex.count(Some(true), Some(true), Some(0)), 1);
    let scores = get(
        &first,
        SummaryOf::ScoreByLabel(sex()),
        SummaryKind::ScoreCells,
        ScoreCells::of,
    );
    let cell = scores.cells(Some(0)).next().unwrap();
    assert!(cell.low <= 0.7 && 0.7 <= cell.high && cell.count.positive == 1);
}

#[test]
fn the_first_word_counts_and_the_rest_is_reported() {
    let plan = loan::plan();
    let (mut known, mut pane) = (prediction(&plan), plan.empty_outcomes());
    let mut join = |label: Option<Scalar>, attributes: &[(&str, &str)]| {
        plan.join(&mut known, &outcome(label, attributes), &mut pane)
    };
    let unlisted = |n| Joined {
        unlisted: n,
        ..Joined::default()
    };
    assert_eq!(
        join(Some(Scalar::Text("1".into())), &[]),
        unlisted(1),
        "a text is not a number"
    );
    assert_eq!(
        join(Some(Scalar::Number(2.0)), &[("sex", "x"), ("age", "old")]),
        unlisted(3)
    );
    assert_eq!(
        join(None, &[("region", "north")]),
        unlisted(1),
        "it stands in the request"
    );
    assert_eq!(
        join(Some(Scalar::Bool(true)), &[("sex", "male")]),
        Joined {
            labels: 1,
            attributes: 1,
            ..Joined::default()
        }
    );
    assert_eq!(
        join(Some(Scalar::Number(0.0)), &[("sex", "female")]),
        Joined {
            repeated: 2,
            ..Joined::default()
        }
    );
    assert_eq!(totals(&pane), [1, 1, 1, 1]);
    assert_eq!(known.label, Some(Answer::Sign(true)));
}

#[test]
fn a_prediction_survives_being_written_down() {
    let prediction = prediction(&loan::plan());
    let text = serde_json::to_string(&prediction).unwrap();
    expect![[r#"{"score":0.7,"decision":true,"groups":[1,null],"label":null}"#]].assert_eq(&text);
    assert_eq!(
        serde_json::from_str::<Prediction>(&text).unwrap(),
        prediction
    );
}

/// The metrics that fit the loan system, whose answers are a score and a decision between two.
fn fitting() -> impl Iterator<Item = &'static MetricId> {
    MetricId::ALL
        .iter()
        .filter(|metric| match metric.spec().answers {
            Answers::Any | Answers::TwoValued => true,
            Answers::Classes | Answers::ClassScores | Answers::Number | Answers::List => false,
        })
}

/// An objective of each metric on each subject of the loan system that it can be of.
fn objectives() -> Value {
    let mut objectives = Vec::new();
    for metric in fitting() {
        let spec = metric.spec();
        let subjects = match spec.needs {
            Needs::Nothing | Needs::Class | Needs::ClassOfGroup | Needs::ClassOfAttributeGroup => {
                vec![json!({})]
            }
            Needs::Feature => ["wild", "amount", "purpose"]
                .map(|feature| json!({ "feature": feature }))
                .to_vec(),
            Needs::NumericFeature => ["wild", "amount"]
                .map(|feature| json!({ "feature": feature }))
                .to_vec(),
            Needs::CategoricalFeature => vec![json!({ "feature": "purpose" })],
            Needs::AttributeGroup | Needs::Group => vec![
                json!({ "attribute": "region", "group": "south" }),
                json!({ "attribute": "sex", "group": "female" }),
            ],
            Needs::Attribute => ["region", "sex"]
                .map(|attribute| json!({ "attribute": attribute }))
                .to_vec(),
        };
        objectives.extend(subjects.into_iter().map(|of| {
            json!({ "id": spec.name, "version": 1, "statement": "It stays.", "policy": "4.2",
                "metric": metric, "of": of, "comparator": spec.good, "levels": { "action": 0.2 },
                "window": "1d", "min_support": 10, "evaluate_every": "7d", "owner": "credit",
                "approver": "risk", "effective_from": "2020-01-01T00:00:00Z", "references": [] })
        }));
    }
    objectives.into()
}

#[test]
fn whatever_a_metric_reads_the_plan_keeps_or_says_that_it_does_not() {
    let baseline = loan::baseline(&loan::document());
    let mut json = loan::document_json();
    json["objectives"] = objectives();
    json["service"] = json!({ "slow_after": 0.25, "limits": { "latency": [0.5] } });
    for feature in json["features"].as_array_mut().unwrap() {
        feature["distinct"] = json!(true);
    }
    let plan = CapturePlan::new(&loan::document_of(json.clone()), &baseline).unwrap();
    assert_eq!(plan.unmet(), []);
    assert!(plan.met().is_ok());

    json["outputs"].as_object_mut().unwrap().remove("label");
    let plan = CapturePlan::new(&loan::document_of(json.clone()), &baseline).unwrap();
    let unmet: BTreeSet<_> = plan.unmet().into_iter().map(|(id, ..)| id).collect();
    let labelled = fitting().filter(|m| m.spec().needs_label);
    let labelled: BTreeSet<_> = labelled.map(|m| m.spec().name.parse().unwrap()).collect();
    assert_eq!(unmet, labelled);
}

#[test]
fn a_plan_that_lacks_what_an_objective_reads_is_not_served() {
    let baseline = loan::baseline(&loan::document());
    let mut json = loan::document_json();
    json["objectives"][0]["metric"] = "accuracy".into();
    json["outputs"].as_object_mut().unwrap().remove("label");
    let plan = CapturePlan::new(&loan::document_of(json), &baseline).unwrap();
    let refused = plan.met().unwrap_err().to_string();
    expect![[
        "objective `drift` version 1 reads the summary `decision_by_label` (Confusion), which no agent keeps; remove these objectives, or keep what they read"
    ]]
    .assert_eq(&refused);
}

/// A system that decides on one of three classes.
fn classes() -> Value {
    let mut json = loan::document_json();
    json["objectives"] = json!([]);
    json["outputs"] = json!({
        "decision": { "rule": { "class": { "from": { "output": "probability" }, "classes": ["a", 2, true] } } },
        "label": { "type": "class" }
    });
    json
}

#[test]
fn classes_are_counted_by_label_and_group() {
    let json = classes();
    let document = loan::document_of(json);
    let plan = CapturePlan::new(&document, &loan::baseline(&document)).unwrap();
    let texts = ["a", "b", "a"].map(Into::into).to_vec();
    let inputs = vec![
        tensor("purpose", 1, Values::Text(vec!["car".into(); 3])),
        tensor(
            "region",
            1,
            Values::Text(["south", "north", "west"].map(Into::into).to_vec()),
        ),
    ];
    let inference = exchange(
        3,
        inputs,
        vec![tensor("probability", 1, Values::Text(texts))],
    );
    let (pane, predictions) = observed(&plan, &inference);
    let table =
        |pane: &PaneSummary, of| get(pane, of, SummaryKind::ClassTable, ClassTable::of).clone();
    let all = table(&pane, SummaryOf::Decision(None));
    assert_eq!(
        (
            all.count(None, Some(0), Some(0)),
            all.count(None, None, Some(0))
        ),
        (2, 1)
    );
    let by_region = table(&pane, SummaryOf::Decision(region()));
    assert_eq!(
        (
            by_region.count(None, Some(0), Some(1)),
            by_region.count(None, Some(0), None)
        ),
        (1, 1)
    );
    let mut late = plan.empty_outcomes();
    let mut known = predictions[0].clone();
    let outcome = |label| Outcome {
        request_id: "r".into(),
        row: 0,
        label: Some(label),
        attributes: [("sex".parse().unwrap(), "male".to_owned())].into(),
        available_at: None,
    };
    assert_eq!(
        plan.join(&mut known, &outcome(Scalar::Text("c".into())), &mut late)
            .unlisted,
        1
    );
    let joined = plan.join(&mut known, &outcome(Scalar::Number(2.0)), &mut late);
    assert_eq!((joined.labels, joined.repeated), (1, 1));
    assert_eq!(known.label, Some(Answer::Class(1)));
    for (of, group) in [(None, 0), (region(), 1), (sex(), 1)] {
        let table = table(&late, SummaryOf::DecisionByLabel(of));
        assert_eq!(
            (table.count(Some(1), Some(0), Some(group)), table.total()),
            (1, 1)
        );
    }
}

#[test]
fn predicted_numbers_and_their_errors_are_counted() {
    let mut json = loan::document_json();
    json["objectives"] = json!([]);
    json["outputs"] = json!({
        "value": { "from": { "output": "price" }, "unit": "[EUR]" },
        "label": { "type": "numeric" }
    });
    let document = loan::document_of(json);
    let mut builder = clause9_shared::baseline::BaselineBuilder::new(&document, "x");
    for i in 0..1000 {
        builder.observe_value(f64::from(i));
        builder.observe_label(clause9_shared::inference::Cell::Int(i64::from(i) + 3));
        builder.end_row();
    }
    let baseline = builder
        .finish(clause9_shared::digest::Digest::of(b""))
        .unwrap();
    let target = baseline.target.as_ref().unwrap().shape().unwrap();
    assert_eq!(target.moments.mean(), Some(502.5));
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    expect![[r#"
        error Histogram
        error Residuals
        error/region Residuals
        error/sex Residuals"#]]
    .assert_eq(&keys(&plan.empty_outcomes()));
    let prices = vec![
        Owned::Float(100.0),
        Owned::Text("?".into()),
        Owned::Float(250.0),
    ];
    let inputs = vec![tensor("purpose", 1, Values::Text(vec!["car".into(); 3]))];
    let inference = exchange(3, inputs, vec![tensor("price", 1, Values::Mixed(prices))]);
    let (pane, mut predictions) = observed(&plan, &inference);
    let moments = get(&pane, SummaryOf::Value, SummaryKind::Moments, Moments::of);
    assert_eq!((moments.n(), moments.mean()), (2, Some(175.0)));
    let mut late = plan.empty_outcomes();
    for prediction in &mut predictions {
        let outcome = Outcome {
            request_id: "r".into(),
            row: 0,
            label: Some(Scalar::Number(110.0)),
            attributes: BTreeMap::new(),
            available_at: None,
        };
        assert_eq!(plan.join(prediction, &outcome, &mut late).labels, 1);
        let outcome = Outcome {
            label: None,
            attributes: [("sex".parse().unwrap(), "female".to_owned())].into(),
            ..outcome
        };
        plan.join(prediction, &outcome, &mut late);
    }
    for (of, group) in [(None, 0), (sex(), 0)] {
        let residuals = get(
            &late,
            SummaryOf::Error(of),
            SummaryKind::Residuals,
            Residuals::of,
        );
        let group = residuals.group(Some(group));
        assert_eq!((group.n(), group.mean_absolute_error()), (2, Some(75.0)));
        assert_eq!(group.mean_error(), Some(65.0));
    }
    let errors = get(
        &late,
        SummaryOf::Error(None),
        SummaryKind::Histogram,
        Histogram::of,
    );
    assert_eq!(errors.total(), 2);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn an_intersection_is_known_when_all_its_parts_are() {
    let mut json = loan::document_json();
    json["objectives"] = json!([]);
    let attributes = json["attributes"].as_array_mut().unwrap();
    attributes.push(json!({ "name": "both", "of": ["sex", "region"] }));
    attributes.push(json!({ "name": "area", "from": { "request": { "input": "purpose" } }, "groups": ["car", "home"], "reference": "car" }));
    attributes.push(json!({ "name": "place", "of": ["region", "area"] }));
    let document = loan::document_of(json);
    assert_eq!(document.attributes[2].groups[1], "female & south");
    assert_eq!(document.attributes[2].reference, "male & north");
    let plan = CapturePlan::new(&document, &loan::baseline(&document)).unwrap();
    let inputs = vec![
        tensor(
            "purpose",
            1,
            Values::Text(["car", "home", "boat"].map(Into::into).to_vec()),
        ),
        tensor(
            "region",
            1,
            Values::Text(["south", "south", "north"].map(Into::into).to_vec()),
        ),
    ];
    let scores = Values::Float(vec![0.7, 0.2, 0.9]);
    let (pane, mut predictions) = observed(
        &plan,
        &exchange(3, inputs, vec![tensor("probability", 1, scores)]),
    );
    let by = |name: &str| name.parse::<Name>().ok();
    let early = get(
        &pane,
        SummaryOf::Decision(by("place")),
        SummaryKind::Confusion,
        Confusion::of,
    );
    assert_eq!(early.count(None, Some(true), Some(2)), 1, "south and car");
    assert_eq!(early.count(None, Some(false), Some(3)), 1, "south and home");
    assert_eq!(early.count(None, Some(true), None), 1, "boat is no group");
    let mut late = plan.empty_outcomes();
    let outcome = |label, sex: Option<&str>| Outcome {
        request_id: "r".into(),
        row: 0,
        label,
        attributes: sex
            .map(|s| ("sex".parse().unwrap(), s.to_owned()))
            .into_iter()
            .collect(),
        available_at: None,
    };
    let counted = |late: &PaneSummary| {
        let decided = get(
            late,
            SummaryOf::Decision(by("both")),
            SummaryKind::Confusion,
            Confusion::of,
        );
        let labelled = get(
            late,
            SummaryOf::DecisionByLabel(by("both")),
            SummaryKind::Confusion,
            Confusion::of,
        );
        (
            decided.count(None, Some(true), Some(1)),
            labelled.count(Some(false), Some(true), Some(1)),
        )
    };
    plan.join(
        &mut predictions[0],
        &outcome(Some(Scalar::Number(0.0)), None),
        &mut late,
    );
    assert_eq!(counted(&late), (0, 0));
    let joined = plan.join(
        &mut predictions[0],
        &outcome(None, Some("female")),
        &mut late,
    );
    assert_eq!((joined.attributes, counted(&late)), (1, (1, 1)));
    plan.join(
        &mut predictions[0],
        &outcome(Some(Scalar::Number(1.0)), Some("male")),
        &mut late,
    );
    assert_eq!(counted(&late), (1, 1), "the first ones count");
}
