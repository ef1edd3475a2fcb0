//! Building baselines, from small references and from the demonstration's real one.
#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::needless_raw_string_hashes,
    reason = "a test's own values are what they are, to the bit; expect-test writes hashes"
)]

mod loan;

use std::io::Read;

use clause9_shared::baseline::{Baseline, BaselineBuilder, BaselineError, Law, Source};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Values};
use clause9_shared::objective::Document;
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::PaneSummary;
use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

fn source() -> Digest {
    Digest::of(b"reference")
}

/// A baseline of one column of `amount`s.
fn of_amounts(amounts: &[f64]) -> Law {
    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    for amount in amounts {
        builder.observe(1, Cell::Float(*amount));
        builder.end_row();
    }
    builder
        .finish(source())
        .unwrap()
        .features
        .remove(&"amount".parse().unwrap())
        .unwrap()
}

/// A law but for the bytes of its shape, and the atoms.
fn show(law: &Law) -> String {
    let mut json = serde_json::to_value(law).unwrap();
    let shape = json.as_object_mut().unwrap().remove("shape");
    let atoms = law.shape().map(|shape| shape.points.atoms());
    assert_eq!(shape.is_some(), atoms.is_some());
    atoms.map_or(json.to_string(), |atoms| format!("{json} {atoms:?}"))
}

#[test]
fn cuts_are_the_distinct_deciles_and_atoms_what_is_there_often() {
    let numbers: Vec<f64> = (1..=100).map(f64::from).collect();
    expect![[r#"{"kind":"numeric","center":50.0,"scale_exponent":6,"cuts":[10.9,20.8,30.7,40.6,50.5,60.4,70.3,80.2,90.10000000000001],"counts":[10,10,10,10,10,10,10,10,10,10],"missing":0,"invalid":0} []"#]]
        .assert_eq(&show(&of_amounts(&numbers)));
    expect![[r#"{"kind":"numeric","center":3.0,"scale_exponent":2,"cuts":[3.0],"counts":[0,5],"missing":0,"invalid":0} [3.0]"#]]
        .assert_eq(&show(&of_amounts(&[3.0; 5])));
    expect![[r#"{"kind":"numeric","center":0.0,"scale_exponent":-2,"cuts":[0.0,0.09999999999999964],"counts":[0,9,1],"missing":2,"invalid":1} [0.0]"#]]
        .assert_eq(&show(&of_amounts(&[0.0, 0.0, -0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, -1.0, f64::NAN])));
    expect![[r#"{"kind":"numeric","center":0.0,"scale_exponent":0,"cuts":[],"counts":[0],"missing":1,"invalid":0} []"#]]
        .assert_eq(&show(&of_amounts(&[-1.0])));
}

proptest! {
    #[test]
    fn every_baseline_that_is_built_can_be_used(
        amounts in prop::collection::vec(prop_oneof![
            3 => (-5..5_i32).prop_map(f64::from),
            3 => -1e6..1e6_f64,
            1 => any::<f64>(),
            1 => prop::sample::select(vec![0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE / 8.0]),
        ], 1..300),
    ) {
        let law = of_amounts(&amounts);
        let Law::Numeric { cuts, counts, missing, invalid, .. } = &law else { unreachable!() };
        prop_assert!(cuts.len() <= 9);
        let usable = amounts.len() as u64 - missing - invalid;
        prop_assert_eq!(counts.iter().sum::<u64>(), usable);
        let shape = law.shape().unwrap();
        prop_assert_eq!(shape.points.total(), usable);
        for cell in shape.points.cells().filter(|cell| cell.low == cell.high) {
            let count = amounts.iter().filter(|x| **x == cell.low).count() as u64;
            prop_assert!(cell.count <= count, "-1 stands for missing");
            prop_assert!(cell.count == count || cell.low == -1.0);
        }
    }
}

#[test]
fn all_of_a_few_categories_are_listed_and_what_is_none_is_other() {
    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    for i in 0..64 {
        for _ in 0..(if i < 3 { 5 } else { 1 }) {
            builder.observe(2, Cell::Text(&format!("c{i:02}")));
            builder.end_row();
        }
    }
    let odd = [
        Cell::Text("unknown"),
        Cell::Missing,
        Cell::Int(9),
        Cell::Float(f64::INFINITY),
    ];
    let long = "x".repeat(300);
    for cell in odd.into_iter().chain([Cell::Text(&long)]) {
        builder.observe(2, cell);
        builder.end_row();
    }
    let baseline = builder.finish(source()).unwrap();
    let Law::Categorical {
        categories,
        counts,
        other,
        missing,
        counted,
        ..
    } = &baseline.features[&"purpose".parse().unwrap()]
    else {
        unreachable!()
    };
    assert_eq!((categories.len(), *counted), (64, None));
    assert_eq!(
        (categories[0].as_str(), categories[63].as_str()),
        ("c00", "c63"),
        "by bytes"
    );
    assert_eq!((counts[2], counts[3]), (5, 1));
    assert_eq!((*other, *missing), (2, 3));
    assert!(baseline.score.is_none());
}

/// Where nothing has moved, the listed categories of many are as frequent in live traffic as in the law: their
/// luck in the reference chose them and is not frozen.
#[test]
fn of_many_categories_the_law_is_of_other_rows_than_those_that_chose_them() {
    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    let mut state = 7_u64;
    let rows = 40_000;
    for _ in 0..rows {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let name = format!("c{}", (state >> 33) % 2_000);
        builder.observe(2, Cell::Text(&name));
        builder.end_row();
    }
    let baseline = builder.finish(source()).unwrap();
    let Law::Categorical {
        categories,
        counts,
        counted,
        ..
    } = &baseline.features[&"purpose".parse().unwrap()]
    else {
        unreachable!()
    };
    assert_eq!(categories.len(), 64);
    let of = counted.unwrap();
    assert!((19_500..=20_500).contains(&of), "{of}");
    // 64 of 2,000; the luckiest ones of all rows have about 1.6 times as much.
    let share = counts.iter().sum::<u64>() as f64 / of as f64;
    assert!((0.029..=0.035).contains(&share), "{share}");
    let read = Baseline::from_json(&baseline.to_json().unwrap()).unwrap();
    assert_eq!(read, baseline);
}

#[test]
fn rows_without_a_value_are_missing_and_two_values_are_a_mistake() {
    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    builder.observe_score(0.5);
    builder.end_row();
    builder.end_row();
    let Some(Law::Numeric { missing, .. }) = builder.finish(source()).unwrap().score else {
        unreachable!()
    };
    assert_eq!(missing, 1);

    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    builder.observe(0, Cell::Int(1));
    builder.observe(0, Cell::Int(1));
    builder.end_row();
    assert_eq!(
        builder.finish(source()),
        Err(BaselineError::Repeated("wild".into()))
    );

    let mut builder = BaselineBuilder::new(&loan::document(), "x.csv");
    builder.observe(3, Cell::Int(1));
    assert_eq!(
        builder.finish(source()),
        Err(BaselineError::NoSuchFeature(3))
    );

    let builder = BaselineBuilder::new(&loan::document(), "x.csv");
    assert_eq!(builder.finish(source()), Err(BaselineError::Empty));
}

#[test]
fn a_baseline_reads_back_as_it_was_written() {
    let baseline = loan::baseline(&loan::document());
    let text = baseline.to_json().unwrap();
    let read = Baseline::from_json(&text).unwrap();
    assert_eq!(read, baseline);
    assert_eq!(read.digest(), baseline.digest());
    let pretty = serde_json::to_string_pretty(&baseline).unwrap();
    assert_eq!(
        Baseline::from_json(&pretty).unwrap().digest(),
        baseline.digest(),
        "the digest is of what it says"
    );
}

fn refused(edit: impl Fn(&mut Value)) -> String {
    let mut json = serde_json::to_value(loan::baseline(&loan::document())).unwrap();
    edit(&mut json);
    Baseline::from_json(&json.to_string())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_baseline_that_contradicts_itself_is_refused() {
    let amount = |edit: fn(&mut Value)| refused(move |b| edit(&mut b["features"]["amount"]));
    let purpose = |edit: fn(&mut Value)| refused(move |b| edit(&mut b["features"]["purpose"]));
    let all = [
        refused(|b| b["rows"] = json!(999)),
        refused(|b| b["rows"] = json!(0)),
        refused(|b| b["clause9"] = json!("baseline/v2")),
        refused(|b| b["extra"] = json!(1)),
        refused(|b| b["score"] = b["features"]["purpose"].clone()),
        amount(|l| l["cuts"][0] = json!(1e9)),
        amount(|l| l["cuts"][8] = l["cuts"][7].clone()),
        amount(|l| _ = l["counts"].as_array_mut().unwrap().pop()),
        amount(|l| l["scale_exponent"] = json!(1001)),
        amount(|l| l["missing"] = json!(u64::MAX)),
        purpose(|l| l["categories"] = json!(["home", "car", "travel"])),
        purpose(|l| l["categories"] = json!(["car", "car", "home"])),
        purpose(|l| l["categories"] = json!(["car", "home"])),
        purpose(|l| l["other"] = json!(1)),
        amount(|l| l["shape"]["moments"] = l["shape"]["histogram"].clone()),
        amount(|l| l["shape"]["histogram"] = json!("0g")),
        refused(|b| b["features"]["amount"]["shape"] = b["features"]["wild"]["shape"].clone()),
        refused(|b| b["labelled"] = json!({ "rows": 1001 })),
        refused(|b| b["labelled"] = json!({ "rows": 7, "decisions": "0100" })),
    ];
    expect![[r#"
        the law of `amount` cannot be: counts do not add up to the rows; build the baseline again
        the reference has no rows; a baseline needs at least one
        not a baseline: unknown variant `baseline/v2`, expected `baseline/v1` at line 1 column 24; build it with `clause9 baseline`
        not a baseline: unknown field `extra`, expected one of `clause9`, `system`, `source`, `rows`, `features`, `score`, `value`, `target`, `errors`, `labelled`, `joint` at line 1 column 49656; build it with `clause9 baseline`
        the law of `score` cannot be: they are numbers; build the baseline again
        the law of `amount` cannot be: cuts must be finite, strictly ascending and at most 16; build the baseline again
        the law of `amount` cannot be: cuts must be finite, strictly ascending and at most 16; build the baseline again
        the law of `amount` cannot be: there must be one count more than cuts; build the baseline again
        the law of `amount` cannot be: centre or scale is out of bounds; build the baseline again
        the law of `amount` cannot be: counts do not add up to the rows; build the baseline again
        the law of `purpose` cannot be: categories must be sorted by bytes, each once; build the baseline again
        the law of `purpose` cannot be: categories must be sorted by bytes, each once; build the baseline again
        the law of `purpose` cannot be: there must be one count for each category; build the baseline again
        the law of `purpose` cannot be: counts do not add up to the rows; build the baseline again
        not a baseline: not a summary: a length is beyond its limit at line 1 column 3455; build it with `clause9 baseline`
        not a baseline: expected the bytes of a summary in hex at line 1 column 1309; build it with `clause9 baseline`
        the law of `amount` cannot be: its shape has another centre or scale; build the baseline again
        the law of `labelled` cannot be: more rows have a label than there are; build the baseline again
        the law of `labelled` cannot be: its counts are not those of its labelled rows; build the baseline again"#]].assert_eq(&all.join("\n"));
}

/// The numbers of the real reference: nothing is lost between the file and its baseline.
#[test]
fn the_car_loan_reference_becomes_a_baseline() {
    let packed = include_bytes!("../../demo/cases/car_loan/reference.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut text)
        .unwrap();
    let mut document = loan::document_json();
    document["features"] = json!([
        { "name": "car_value", "type": "numeric", "unit": "EUR", "from": { "input": "car_value" } },
        { "name": "salary_range", "type": "categorical", "from": { "input": "salary_range" } },
        { "name": "loan_length", "type": "numeric", "unit": "mo", "from": { "input": "loan_length" } },
    ]);
    let mut builder = BaselineBuilder::new(&loan::document_of(document), "reference.csv.gz");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let columns = [
        column("car_value"),
        column("salary_range"),
        column("loan_length"),
    ];
    let score = column("y_pred_proba");
    for record in reader.records() {
        let record = record.unwrap();
        builder.observe(0, Cell::Float(record[columns[0]].parse().unwrap()));
        builder.observe(1, Cell::Text(&record[columns[1]]));
        builder.observe(2, Cell::Float(record[columns[2]].parse().unwrap()));
        builder.observe_score(record[score].parse().unwrap());
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(text.as_bytes())).unwrap();
    let laws: Vec<String> = baseline
        .features
        .values()
        .chain(&baseline.score)
        .map(show)
        .collect();
    expect![[r#"
        50000 rows
        {"kind":"numeric","center":21902.0,"scale_exponent":15,"cuts":[11744.0,13494.0,15624.0,18283.600000000002,21904.0,26738.0,33619.59999999999,44064.0,60684.49999999999],"counts":[4998,5000,5001,5001,5000,4998,5002,4999,5001,5000],"missing":0,"invalid":0} []
        {"kind":"numeric","center":16.0,"scale_exponent":3,"cuts":[6.0,7.0,11.0,14.0,16.0,18.0,19.0,20.0,21.0],"counts":[0,7930,6590,4333,4268,6415,4280,5109,5713,5362],"missing":0,"invalid":0} [6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0]
        {"kind":"categorical","categories":["0 - 20K €","20K - 40K €","40K - 60K €","60K+ €"],"counts":[19918,15047,9977,5058],"other":0,"missing":0}
        {"kind":"numeric","center":0.52,"scale_exponent":0,"cuts":[0.01,0.02,0.04,0.09,0.52,0.9,0.95,0.98,0.99],"counts":[3803,3929,5752,6080,5402,4907,3959,5986,3236,6946],"missing":0,"invalid":0} [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.87, 0.88, 0.89, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0]
        sha256:f41a208afa3d2009ec11014c306408f301db1e8cc6b8782078f8082e421a3d18"#]].assert_eq(&format!(
        "{} rows\n{}\n{}",
        baseline.rows,
        laws.join("\n"),
        baseline.digest()
    ));
}

/// Panes of some random exchanges, as counted with a baseline, and how many rows they have.
fn counted(document: &Document, baseline: &Baseline, seed: u64) -> (PaneSummary, u64) {
    let plan = CapturePlan::new(document, baseline).unwrap();
    let mut dice = loan::Dice(seed);
    let (mut pane, mut rows) = (plan.empty_traffic(), 0);
    for _ in 0..40 {
        let exchange = loan::random_exchange(&mut dice, 5);
        for observation in plan.observations(&exchange).unwrap() {
            let _ = plan.observe(observation, &mut pane);
            rows += 1;
        }
    }
    (pane, rows)
}

fn approved() -> Source {
    Source {
        name: "panes from 2026-01-01 to 2026-02-01".to_owned(),
        digest: Digest::of(b"panes"),
    }
}

#[test]
fn a_reference_that_comes_by_live_freezes_to_the_laws_it_was_built_into() {
    let document = loan::document();
    let baseline = loan::baseline(&document);
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    let mut pane = plan.empty_traffic();
    // The same draws as the baseline's, as one exchange.
    let mut dice = loan::Dice(1);
    let (mut wild, mut numbers, mut purpose, mut scores) = (vec![], vec![], vec![], vec![]);
    for i in 0..1000 {
        wild.push(dice.wild());
        numbers.extend([0.0, dice.unit() * 5000.0]);
        purpose.push(["car", "home", "travel"][i % 3].into());
        scores.push(dice.unit());
    }
    let exchange = loan::exchange(
        1000,
        vec![
            loan::tensor("wild", 1, Values::Float(wild)),
            loan::tensor("numbers", 2, Values::Float(numbers)),
            loan::tensor("purpose", 1, Values::Text(purpose)),
        ],
        vec![loan::tensor("probability", 1, Values::Float(scores))],
    );
    for observation in plan.observations(&exchange).unwrap() {
        let _ = plan.observe(observation, &mut pane);
    }
    let again = baseline.refrozen(&pane, approved()).unwrap();
    assert_eq!(again.features, baseline.features);
    assert_eq!(again.score, baseline.score);
    assert_eq!(again.rows, baseline.rows);
    assert_eq!(again.source, approved());
    assert_ne!(again.digest(), baseline.digest());
}

#[test]
fn what_panes_hold_is_what_their_baseline_expects_and_it_can_be_counted_with() {
    let document = loan::document();
    let baseline = loan::baseline(&document);
    for seed in 0..20 {
        let (pane, rows) = counted(&document, &baseline, seed);
        let frozen = baseline.refrozen(&pane, approved()).unwrap();
        assert_eq!(frozen.rows, rows);
        let read = Baseline::from_json(&frozen.to_json().unwrap()).unwrap();
        assert_eq!(read, frozen);
        // The same traffic against it lies on the same cells, and freezes to the same laws.
        let (with_it, _) = counted(&document, &frozen, seed);
        let twice = frozen.refrozen(&with_it, approved()).unwrap();
        assert_eq!(twice, frozen);
    }
}

#[test]
fn panes_of_nothing_or_of_other_cells_make_no_baseline() {
    let document = loan::document();
    let baseline = loan::baseline(&document);
    let empty = CapturePlan::new(&document, &baseline)
        .unwrap()
        .empty_traffic();
    let refused = |panes: &PaneSummary| {
        let refused = baseline.refrozen(panes, approved());
        refused.unwrap_err().to_string()
    };
    expect!["the reference has no rows; a baseline needs at least one"].assert_eq(&refused(&empty));
    expect!["the panes hold no counts of feature/amount; name the objectives file that they were counted with"]
        .assert_eq(&refused(&PaneSummary::default()));
    let mut builder = BaselineBuilder::new(&document, "x.csv");
    for amount in [1.0, 2.0, 3.0] {
        builder.observe(1, Cell::Float(amount));
        builder.observe(2, Cell::Text("car"));
        builder.end_row();
    }
    let other = builder.finish(source()).unwrap();
    let (panes, _) = counted(&document, &other, 1);
    expect![
        "the panes count feature/amount in other cells; name the baseline that they were counted with"
    ]
    .assert_eq(&refused(&panes));
}
