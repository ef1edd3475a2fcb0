//! `clause9 profile`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use clause9_shared::digest::Digest;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::wire::codec::Decode as _;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::{Ran, cases, run, schema};

/// One row of made-up data: the same for the same number.
struct Row {
    amount: Option<f64>,
    city: &'static str,
    member: bool,
    score: f64,
    label: u8,
    at: String,
}

fn row(i: u64, moved: bool) -> Row {
    let noise = (i.wrapping_mul(2_654_435_761) % 1000) as f64 / 1000.0;
    let score = (noise * 0.8 + 0.1).min(1.0);
    Row {
        amount: (i % 17 != 3).then_some(noise * 100.0 + if moved { 60.0 } else { 0.0 }),
        city: ["Ulm", "Köln", "Bonn, am Rhein"][usize::try_from(i % 3).unwrap()],
        member: i.is_multiple_of(4),
        score,
        label: u8::from((i.wrapping_mul(40_503) % 100) as f64 / 100.0 < score),
        at: format!("2024-0{}-{:02}T10:00:00Z", 1 + i / 200 % 6, 1 + i % 28),
    }
}

const HEADER: &str = "id,amount,city,member,score,label,at";

fn csv(rows: std::ops::Range<u64>, moved: bool) -> String {
    let mut text = format!("{HEADER}\n");
    for i in rows {
        let r = row(i, moved);
        let amount = r.amount.map_or(String::new(), |x| x.to_string());
        writeln!(
            text,
            "r{i},{amount},\"{}\",{},{},{},{}",
            r.city, r.member, r.score, r.label, r.at
        )
        .unwrap();
    }
    text
}

fn jsonl(rows: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for i in rows {
        let r = row(i, false);
        let line = serde_json::json!({
            "id": format!("r{i}"), "amount": r.amount, "city": r.city, "member": r.member,
            "score": r.score, "label": r.label, "at": r.at,
        });
        writeln!(text, "{line}").unwrap();
    }
    text
}

fn parquet(path: &Path, rows: std::ops::Range<u64>) {
    let all: Vec<Row> = rows.clone().map(|i| row(i, false)).collect();
    let texts = |of: &dyn Fn(&Row) -> String| -> ArrayRef {
        Arc::new(all.iter().map(|r| Some(of(r))).collect::<StringArray>())
    };
    let numbers = |of: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(all.iter().map(of).collect::<Float64Array>())
    };
    let ids: StringArray = rows.map(|i| Some(format!("r{i}"))).collect();
    let members: BooleanArray = all.iter().map(|r| Some(r.member)).collect();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("amount", numbers(&|r| r.amount)),
        ("city", texts(&|r| r.city.to_owned())),
        ("member", Arc::new(members)),
        ("score", numbers(&|r| Some(r.score))),
        ("label", numbers(&|r| Some(f64::from(r.label)))),
        ("at", texts(&|r| r.at.clone())),
    ])
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A folder with 1,200 rows of reference and as many of the same kind.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reference.csv"), csv(0..1200, false)).unwrap();
    fs::write(folder.path().join("current.csv"), csv(1200..2400, false)).unwrap();
    folder
}

const ROLES: [&str; 6] = ["--score", "score", "--label", "label", "--id", "id"];

fn profile(folder: &Path, current: &str, more: &[&str]) -> Ran {
    let mut args = vec!["profile", current, "--baseline", "reference.csv"];
    args.extend(more);
    run(folder, &args)
}

/// The report of a run that must end well, or with problems in the data.
fn report(folder: &Path, current: &str, more: &[&str]) -> Value {
    let ran = profile(
        folder,
        current,
        &[&ROLES[..], more, &["--json", "-"]].concat(),
    );
    assert!(matches!(ran.code, Some(0 | 1)), "{}{}", ran.out, ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    schema::assert_valid(&report);
    report
}

fn find<'a>(report: &'a Value, window: &str, metric: &str, feature: Option<&str>) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    let found = rows.iter().find(|r| {
        r["window"] == window
            && r["metric"] == metric
            && r["subject"]["feature"].as_str() == feature
    });
    found.unwrap_or_else(|| panic!("no {metric} in {window}"))
}

#[test]
fn every_format_says_the_same() {
    let folder = world();
    let at = folder.path();
    let plain = fs::read(at.join("current.csv")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&plain).unwrap();
    fs::write(at.join("current.csv.gz"), gz.finish().unwrap()).unwrap();
    fs::write(
        at.join("current.csv.zst"),
        zstd::encode_all(&plain[..], 1).unwrap(),
    )
    .unwrap();
    fs::write(at.join("current.jsonl"), jsonl(1200..2400)).unwrap();
    parquet(&at.join("current.parquet"), 1200..2400);
    let expected = report(at, "current.csv", &["--window", "rows:500"]);
    assert_eq!(expected["coverage"]["labelled"], 1200);
    assert_eq!(
        find(&expected, "size:0", "missing_rate", Some("amount"))["n"],
        500
    );
    for name in [
        "current.csv.gz",
        "current.csv.zst",
        "current.jsonl",
        "current.parquet",
    ] {
        let found = report(at, name, &["--window", "rows:500"]);
        assert_eq!(found["rows"], expected["rows"], "{name}");
        assert_eq!(found["coverage"], expected["coverage"], "{name}");
        let windows = |r: &Value| {
            r["windows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|w| w["traffic"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(windows(&found), windows(&expected), "{name}");
    }
}

#[test]
fn a_broken_row_is_counted_and_listed_and_never_ends_the_run() {
    let folder = world();
    let at = folder.path();
    let mut text = csv(1200..2400, false);
    let line = text.match_indices('\n').nth(10).unwrap().0 + 1;
    text.insert_str(line, "one cell too few\n");
    text.push_str("r,1,2,3,4,5,6,7,8\n");
    fs::write(at.join("broken.csv"), &text).unwrap();
    let ran = profile(
        at,
        "broken.csv",
        &[&ROLES[..], &["--json", "report.json"]].concat(),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("2 rows could not be read"), "{}", ran.out);
    let report: Value = serde_json::from_slice(&fs::read(at.join("report.json")).unwrap()).unwrap();
    schema::assert_valid(&report);
    let coverage = &report["coverage"];
    assert_eq!(
        (&coverage["rows"], &coverage["counted"]),
        (&1202.into(), &1200.into())
    );
    assert_eq!(coverage["refused_rows"][0]["line"], 12);
    assert_eq!(coverage["refused_rows"][1]["line"], 1203);
    let whole = jsonl(1200..2400);
    fs::write(at.join("broken.jsonl"), format!("{{\"id\":\n[1]\n{whole}")).unwrap();
    let ran = profile(at, "broken.jsonl", &ROLES);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("broken.jsonl:1: not JSON"), "{}", ran.out);
    assert!(
        ran.out.contains("broken.jsonl:2: not a JSON object"),
        "{}",
        ran.out
    );
}

#[test]
fn windows_of_rows_and_of_time_hold_every_row_once() {
    let folder = world();
    let more = [
        "--window", "rows:500", "--window", "month", "--window", "7d", "--window", "all",
    ];
    let found = report(
        folder.path(),
        "current.csv",
        &[&more[..], &["--timestamp", "at"]].concat(),
    );
    let windows = found["windows"].as_array().unwrap();
    let rows = |cut: &str| -> u64 {
        let mine = windows.iter().filter(|w| w["cut"] == cut);
        mine.map(|w| w["rows"].as_u64().unwrap()).sum()
    };
    for cut in ["rows:500", "month", "7d", "all"] {
        assert_eq!(rows(cut), 1200, "{cut}");
    }
    let names: Vec<&str> = windows
        .iter()
        .map(|w| w["window"].as_str().unwrap())
        .collect();
    assert_eq!(
        &names[..4],
        ["size:0", "size:1", "size:2:partial", "period:2024-01"]
    );
    assert_eq!(windows[2]["partial"], true);
    assert_eq!(windows[3]["start"], "2024-01-01T00:00:00Z");
    assert_eq!(windows[3]["end"], "2024-02-01T00:00:00Z");
}

#[test]
fn the_draft_passes_the_check_and_measures_the_same() {
    let folder = world();
    let at = folder.path();
    let more = [
        "--attribute",
        "city",
        "--attribute",
        "member",
        "--attribute",
        "city & member",
        "--timestamp",
        "at",
        "--draft-objectives",
        "draft.yaml",
    ];
    let inferred = report(at, "current.csv", &more);
    let ran = run(at, &["check", "draft.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let args = [
        "--objectives",
        "draft.yaml",
        "--timestamp",
        "at",
        "--json",
        "-",
    ];
    let args = [&args[..], &ROLES].concat();
    let ran = profile(at, "current.csv", &args);
    let drafted: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    // The tipping point is that of an objective, which the draft has.
    let rows = |report: &Value| -> Vec<Value> {
        let rows = report["rows"].as_array().unwrap().iter();
        rows.filter(|r| r["metric"] != "accuracy.tipping_point")
            .cloned()
            .collect()
    };
    assert_eq!(rows(&drafted), rows(&inferred));
    assert_eq!(inferred["objectives"]["inferred"], true);
    assert_eq!(drafted["verdicts"].as_array().unwrap().len(), 2);
    let crossed = inferred["rows"].as_array().unwrap().iter();
    let crossed = crossed
        .filter(|r| r["subject"]["group"] == "Köln & true")
        .count();
    assert!(crossed > 0, "groups of two columns together are measured");
}

#[test]
fn a_baseline_file_serves_as_the_reference_it_was_made_of() {
    let folder = world();
    let at = folder.path();
    report(at, "current.csv", &["--draft-objectives", "draft.yaml"]);
    let made = run(
        at,
        &[
            "baseline",
            "--objectives",
            "draft.yaml",
            "--reference",
            "reference.csv",
            "--score",
            "score",
            "--label",
            "label",
            "--out",
            "baseline.json",
        ],
    );
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    let with = |reference: &str| {
        let args = [
            "profile",
            "current.csv",
            "--baseline",
            reference,
            "--objectives",
            "draft.yaml",
            "--json",
            "-",
        ];
        let ran = run(at, &[&args[..], &ROLES].concat());
        serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))
    };
    let (data, file) = (with("reference.csv"), with("baseline.json"));
    assert_eq!(data["rows"], file["rows"]);
    assert_eq!(data["reference"]["baseline"], file["reference"]["baseline"]);
    assert_eq!(file["reference"]["is_baseline_file"], true);
    // Without a document, its columns are those of the baseline.
    let alone = run(
        at,
        &[
            "profile",
            "current.csv",
            "--baseline",
            "baseline.json",
            "--json",
            "-",
        ],
    );
    assert_eq!(alone.code, Some(0), "{}{}", alone.out, alone.err);
}

#[test]
fn late_labels_are_joined_by_id_and_the_first_one_counts() {
    let folder = world();
    let at = folder.path();
    let mut labels = "id,truth,available_at\n".to_owned();
    for i in 1200..1900_u64 {
        let day = 1 + i % 28;
        writeln!(
            labels,
            "r{i},{},2024-0{}-{day:02} 00:00:00",
            i % 2,
            1 + i % 7
        )
        .unwrap();
    }
    labels.push_str("r1200,1,2024-01-01\nnobody,1,2024-01-01\n,1,2024-01-01\n");
    fs::write(at.join("labels.csv"), labels).unwrap();
    let run_as_of = |more: &[&str]| {
        let args = [
            "--score",
            "score",
            "--label",
            "truth",
            "--labels",
            "labels.csv",
            "--id",
            "id",
            "--json",
            "-",
        ];
        let ran = profile(at, "current.csv", &[&args[..], more].concat());
        serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))
    };
    let found = run_as_of(&[]);
    let coverage = &found["coverage"];
    assert_eq!(
        (&coverage["labelled"], &coverage["unlabelled"]),
        (&700.into(), &500.into())
    );
    let of_labels = &coverage["labels"];
    assert_eq!(
        (
            &of_labels["repeated"],
            &of_labels["unknown"],
            &of_labels["refused"]
        ),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(find(&found, "all", "accuracy", None)["n"], 700);
    let then = run_as_of(&["--timestamp", "at", "--as-of", "2024-04-01"]);
    let coverage = &then["coverage"];
    let sum: u64 = ["counted", "after_as_of", "refused"]
        .iter()
        .map(|k| coverage[k].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 1200);
    assert!(coverage["after_as_of"].as_u64().unwrap() > 0);
    assert!(coverage["labelled"].as_u64().unwrap() < 500);
}

#[test]
fn a_breach_over_several_windows_is_nonconforming_and_ends_with_1() {
    let folder = world();
    let at = folder.path();
    report(at, "current.csv", &["--draft-objectives", "draft.yaml"]);
    fs::write(at.join("moved.csv"), csv(1200..4200, true)).unwrap();
    let args = [
        &[
            "--objectives",
            "draft.yaml",
            "--window",
            "rows:300",
            "--json",
            "r.json",
        ][..],
        &ROLES,
    ]
    .concat();
    let ran = profile(at, "moved.csv", &args);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("nonconforming  drift-1"), "{}", ran.out);
    let report: Value = serde_json::from_slice(&fs::read(at.join("r.json")).unwrap()).unwrap();
    schema::assert_valid(&report);
    let verdicts = report["verdicts"].as_array().unwrap();
    let drift: Vec<&Value> = verdicts
        .iter()
        .filter(|v| v["objective"] == "drift-1")
        .collect();
    assert_eq!(drift.len(), 10);
    assert_eq!(drift[9]["state"], "nonconforming");
    assert_ne!(drift[0]["state"], "conforming");
    // Together: the drafted drift objectives, of which the moved one is named.
    let together = report["together"].as_array().unwrap();
    for family in together {
        let all = family["objectives"].as_array().unwrap();
        let broken = family["broken"].as_array().unwrap();
        assert!(all.len() > 1 && broken.iter().all(|id| all.contains(id)));
        if all.iter().any(|id| id == "drift-1") {
            assert!(broken.iter().any(|id| id == "drift-1"), "{family}");
            assert!(family["any"].as_f64() > family["nonconformity_at"].as_f64());
        }
    }
    let features: usize = verdicts
        .iter()
        .filter(|v| v["window"] == "size:0" && v["metric"] == "psi")
        .count();
    assert_eq!(together.is_empty(), features < 2);
}

#[test]
fn whole_rows_are_compared_where_that_is_asked_for() {
    let folder = world();
    let at = folder.path();
    let measured = |report: &Value| {
        let rows = report["rows"].as_array().unwrap().clone();
        rows.iter()
            .any(|r| r["metric"] == "mahalanobis" && r["value"].is_number())
    };
    assert!(!measured(&report(at, "current.csv", &[])));
    assert!(measured(&report(at, "current.csv", &["--jointly"])));
    // A baseline file says whether it can.
    report(at, "current.csv", &["--draft-objectives", "draft.yaml"]);
    let build = |out: &str, more: &[&str]| {
        let given = [
            "baseline",
            "--objectives",
            "draft.yaml",
            "--reference",
            "reference.csv",
        ];
        let ran = run(at, &[&given[..], &["--out", out], more].concat());
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    };
    build("alone.json", &[]);
    build("joint.json", &["--jointly"]);
    let with = |baseline: &str| {
        let given = [
            "profile",
            "current.csv",
            "--objectives",
            "draft.yaml",
            "--jointly",
        ];
        run(
            at,
            &[
                &given[..],
                &["--baseline", baseline, "--json", "j.json"],
                &ROLES,
            ]
            .concat(),
        )
    };
    let refused = with("alone.json");
    assert_eq!(refused.code, Some(2), "{}", refused.out);
    assert!(
        refused.out.contains("clause9 baseline --jointly"),
        "{}",
        refused.out
    );
    assert!(matches!(with("joint.json").code, Some(0 | 1)));
    let read = fs::read(at.join("j.json")).unwrap();
    assert!(measured(&serde_json::from_slice(&read).unwrap()));
}

#[test]
fn detectors_speak_of_streams_in_the_files_order_and_judge_nothing() {
    let folder = world();
    let at = folder.path();
    let rows = csv(1200..2700, false) + csv(2700..4200, true).split_once('\n').unwrap().1;
    fs::write(at.join("turned.csv"), rows).unwrap();
    let args = [
        "--detectors",
        "amount",
        "--detectors",
        "score",
        "--detectors",
        "error",
    ];
    let report = report(at, "turned.csv", &args);
    let detectors = report["detectors"].as_array().unwrap();
    let of = |stream: &str, detector: &str| {
        let found = detectors
            .iter()
            .find(|d| d["stream"] == stream && d["detector"] == detector);
        found.unwrap_or_else(|| panic!("{stream} {detector}"))
    };
    assert_eq!(detectors.len(), 3 + 3 + 7);
    let adwin = of("amount", "adwin");
    let there = (1200..4200_u64).filter(|i| i % 17 != 3).count();
    assert_eq!(adwin["values"], there as u64);
    let first = adwin["drift_at"][0].as_u64().unwrap();
    assert!((1400..1700).contains(&first), "{adwin}");
    assert_eq!(of("score", "adwin")["drifts"], 0);
    assert_eq!(of("error", "ddm")["values"], 3000);
    let unknown = profile(
        at,
        "turned.csv",
        &[&ROLES[..], &["--detectors", "city"]].concat(),
    );
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.out.contains("--detectors city"), "{}", unknown.out);
}

#[test]
fn mistakes_name_what_is_there() {
    let folder = world();
    let at = folder.path();
    let cases: [(&[&str], &str); 7] = [
        (
            &["--score", "skore"],
            "there is no column `skore`, which was given as --score; there are in reference.csv: `id`, `amount`",
        ),
        (&["--label", "city"], "column `city` has 3 values"),
        (
            &["--window", "7d", "--timestamp", "when"],
            "there is no column `when`, which was given as --timestamp; there are: `id`, `amount`",
        ),
        (
            &["--attribute", "city", "--reference-group", "city=Rom"],
            "attribute `city` needs two groups and more, `Rom` among them",
        ),
        (
            &["--reference-group", "x=y"],
            "--reference-group x=y names no --attribute",
        ),
        (&["--objectives", "none.yaml"], "cannot read none.yaml"),
        (
            &["--labels", "current.csv", "--id", "id", "--as-of", "soon"],
            "--as-of soon is no point in time",
        ),
    ];
    for (args, expected) in cases {
        let ran = profile(at, "current.csv", args);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains(expected), "{args:?}: {all}");
        assert_eq!(ran.code, Some(2), "{args:?}: {all}");
    }
    for (name, text, expected) in [
        ("x.dat", "a\n1\n", "its name does not tell its format"),
        ("x.parquet", "a\n1\n", "not a Parquet file"),
        ("x.csv.gz", "a\n1\n", "not a complete gzip file"),
        ("x.csv.zst", "a\n1\n", "not a complete zstd file"),
        ("empty.csv", "", "no column is there to be compared"),
    ] {
        fs::write(at.join(name), text).unwrap();
        let ran = profile(at, name, &[]);
        assert!(ran.out.contains(expected), "{name}: {}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(2), "{name}");
    }
}

#[test]
fn the_page_needs_nothing_and_the_windows_can_be_read_again() {
    let folder = world();
    let at = folder.path();
    let more = [
        "--attribute",
        "city",
        "--window",
        "rows:400",
        "--html",
        "page.html",
        "--csv",
        "rows.csv",
        "--windows-out",
        "windows",
    ];
    let found = report(at, "current.csv", &more);
    let page = fs::read_to_string(at.join("page.html")).unwrap();
    for outside in ["<script", "http://", "https://", "src=", "@import"] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
    for part in [
        "<svg",
        "ROC curve",
        "Calibration",
        "Distribution of amount",
        "Köln",
        "prefers-color-scheme",
    ] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    let lines = fs::read_to_string(at.join("rows.csv"))
        .unwrap()
        .lines()
        .count();
    assert_eq!(lines, found["rows"].as_array().unwrap().len() + 1);
    let index: Value =
        serde_json::from_slice(&fs::read(at.join("windows/index.json")).unwrap()).unwrap();
    let windows = index["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 3);
    for (window, listed) in windows.iter().zip(found["windows"].as_array().unwrap()) {
        let name = window["files"]["traffic"].as_str().unwrap();
        let bytes = fs::read(at.join("windows").join(name)).unwrap();
        let summary = PaneSummary::from_bytes(&bytes).unwrap();
        assert_eq!(Value::from(summary.digest().to_string()), listed["traffic"]);
    }
    assert_eq!(
        found["current"]["digest"],
        Digest::of(&fs::read(at.join("current.csv")).unwrap()).to_string()
    );
}

#[test]
fn odd_numbers_and_empty_windows_give_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut reference = "x,c,s,y\n".to_owned();
    let mut current = reference.clone();
    for i in 0..60 {
        writeln!(
            reference,
            "{},only,0.{},{}",
            f64::from(i) * 1e300,
            i % 10,
            i % 2
        )
        .unwrap();
        let odd =
            ["NaN", "inf", "-inf", "5e-324", "-0", "", "1e308"][usize::try_from(i % 7).unwrap()];
        writeln!(
            current,
            "{odd},{},0.5,1",
            if i % 2 == 0 { "only" } else { "" }
        )
        .unwrap();
    }
    fs::write(at.join("reference.csv"), reference).unwrap();
    fs::write(at.join("odd.csv"), current).unwrap();
    fs::write(at.join("none.csv"), "x,c,s,y\n").unwrap();
    for name in ["odd.csv", "none.csv"] {
        let args = [
            "--score",
            "s",
            "--label",
            "y",
            "--json",
            "-",
            "--html",
            "page.html",
            "--window",
            "rows:7",
        ];
        let ran = profile(at, name, &args);
        // NaN and infinity are counted as invalid values of rows that can be read.
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.out, ran.err);
    }
    let args = [
        "--score",
        "s",
        "--label",
        "y",
        "--json",
        "report.json",
        "--window",
        "rows:7",
    ];
    profile(at, "odd.csv", &args);
    let report: Value = serde_json::from_slice(&fs::read(at.join("report.json")).unwrap()).unwrap();
    schema::assert_valid(&report);
    for row in report["rows"].as_array().unwrap() {
        assert_ne!(row["value"].is_null(), row["undefined"].is_null(), "{row}");
    }
}

#[test]
fn the_loan_data_is_found_to_have_moved() {
    let folder = tempfile::tempdir().unwrap();
    let case = cases().join("car_loan");
    let file = |name: &str| case.join(name).display().to_string();
    let ran = run(
        folder.path(),
        &[
            "profile",
            &file("analysis.csv.gz"),
            "--baseline",
            &file("reference.csv.gz"),
            "--objectives",
            &file("objectives.yaml"),
            "--score",
            "y_pred_proba",
            "--label",
            "repaid",
            "--labels",
            &file("labels.csv.gz"),
            "--id",
            "id",
            "--timestamp",
            "timestamp",
            "--window",
            "7d",
        ],
    );
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("nonconforming  car-value-drift"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("conforming     car-value-missing"),
        "{}",
        ran.out
    );
}
