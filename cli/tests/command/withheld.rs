//! Figures of small groups are withheld, and so is what would tell them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{run, schema};

const OBJECTIVES: &str = r#"clause9: objectives/v1
system:
  id: groups
  name: Groups
  intended_purpose: A test.
  owner: head
  role: user
  models: [{ name: m, source: own }]
panes: { length: 1d }
features: [{ name: x, type: numeric, unit: "1", from: { input: x } }]
outputs:
  score: { from: { output: score } }
  decision: { rule: { score_at_least: 0.5 }, positive_means: yes }
  label: { positive: 1, negative: 0 }
attributes:
  - { name: area, from: { request: { input: area } }, groups: [town, country, island], reference: town }
  - { name: sex, from: { request: { input: sex } }, groups: [f, m], reference: m }
  - { name: both, of: [area, sex] }
objectives:
  - id: island-parity
    version: 1
    statement: Islands are treated alike.
    policy: "4"
    metric: demographic_parity_ratio
    of: { attribute: area, group: island }
    comparator: at_least
    levels: { action: 0.8 }
    window: 1d
    min_support: 1
    evaluate_every: 7d
    owner: head
    approver: committee
    effective_from: 2023-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: "9.1", claim: evidences }]
"#;

/// 600 rows: of islands 7 in the first 300, 40 in the others.
fn measured(at: &Path, objectives: &str, windows: &[&str]) -> Value {
    let mut rows = String::from("x,score,area,sex,label\n");
    for i in 0..600_u32 {
        let island = if i < 300 { i < 7 } else { i < 340 };
        let area = match (island, i % 3) {
            (true, _) => "island",
            (false, 0) => "country",
            (false, _) => "town",
        };
        let sex = if i % 2 == 0 { "f" } else { "m" };
        writeln!(rows, "{},0.{},{area},{sex},{}", i % 9, 1 + i % 8, i % 2).unwrap();
    }
    fs::write(at.join("rows.csv"), rows).unwrap();
    fs::write(at.join("objectives.yaml"), objectives).unwrap();
    let args = [
        "profile",
        "rows.csv",
        "--baseline",
        "rows.csv",
        "--objectives",
        "objectives.yaml",
        "--json",
        "report.json",
        "--html",
        "page.html",
        "--csv",
        "rows.out.csv",
    ];
    let ran = run(at, &[&args[..], windows].concat());
    let report = fs::read(at.join("report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report: Value = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    report
}

fn row<'a>(
    report: &'a Value,
    window: &str,
    metric: &str,
    attribute: &str,
    group: &str,
) -> &'a Value {
    let mut rows = report["rows"].as_array().unwrap().iter();
    rows.find(|r| {
        r["window"] == window
            && r["metric"] == metric
            && r["subject"]["attribute"] == attribute
            && r["subject"]["group"].as_str().unwrap_or("") == group
    })
    .unwrap_or_else(|| panic!("{metric} of {attribute} {group} in {window}"))
}

fn hidden(row: &Value) -> bool {
    let said = row["undefined"].as_str().unwrap_or("");
    let hidden = said.starts_with("withheld: ");
    if hidden {
        assert_eq!(
            (row["value"].clone(), row["n"].clone()),
            (Value::Null, Value::Null),
            "{row}"
        );
        assert!(row["interval"].is_null() && row["bound"].is_null());
    }
    hidden
}

const SELECTED: &str = "selection_rate.group";

#[test]
fn a_small_group_is_withheld_with_the_next_smallest_and_what_compares_them() {
    let folder = tempfile::tempdir().unwrap();
    let report = measured(folder.path(), OBJECTIVES, &["--window", "rows:300"]);
    let group = |window: &str, group: &str| hidden(row(&report, window, SELECTED, "area", group));
    assert_eq!(
        ["town", "country", "island"].map(|g| group("size:0", g)),
        [false, true, true]
    );
    assert_eq!(
        ["town", "country", "island"].map(|g| group("size:1", g)),
        [false, false, false],
        "40 are enough, and the windows are of different rows"
    );
    let spread = "demographic_parity_difference.spread";
    assert!(hidden(row(&report, "size:0", spread, "area", "")));
    assert!(!hidden(row(&report, "size:0", spread, "sex", "")));
    assert!(hidden(row(
        &report,
        "size:0",
        "accuracy.group",
        "area",
        "island"
    )));
    for sex in ["f", "m"] {
        assert!(!hidden(row(&report, "size:0", SELECTED, "sex", sex)));
        for (area, withheld) in [("town", false), ("country", true), ("island", true)] {
            let both = format!("{area} & {sex}");
            assert_eq!(
                hidden(row(&report, "size:0", SELECTED, "both", &both)),
                withheld,
                "sums over the other part would tell, and no more is withheld: {both}"
            );
        }
    }
    let verdicts = report["verdicts"].as_array().unwrap();
    for verdict in verdicts {
        assert!(verdict["support"].is_null() && verdict["running"].is_null());
        assert_eq!(verdict["value"].is_null(), verdict["window"] == "size:0");
        assert!(
            verdict["because"]
                .as_str()
                .unwrap()
                .contains("rest on every case")
        );
    }
    let note = report["notes"].as_array().unwrap().iter().any(|note| {
        note.as_str()
            .unwrap()
            .starts_with("figures of groups of fewer than 20 cases are withheld in 1 of 2")
    });
    assert!(note, "{}", report["notes"]);
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("withheld"), "the page says so");
}

#[test]
fn nothing_follows_from_another_cut_of_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let windows = ["--window", "rows:300", "--window", "all"];
    let report = measured(folder.path(), OBJECTIVES, &windows);
    // The first 300 would be all less the second.
    let shown = |window: &str| {
        ["town", "country", "island"]
            .iter()
            .filter(|g| !hidden(row(&report, window, SELECTED, "area", g)))
            .count()
    };
    assert_eq!([shown("size:0"), shown("size:1"), shown("all")], [1, 1, 3]);
}

#[test]
fn sums_before_the_first_small_group_are_told() {
    let folder = tempfile::tempdir().unwrap();
    // 37 islands in the first 330 rows, 10 in those after.
    let report = measured(folder.path(), OBJECTIVES, &["--window", "rows:330"]);
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), 2);
    assert!(
        verdicts[0]["support"].as_u64().unwrap() > 0,
        "{}",
        verdicts[0]
    );
    assert!(verdicts[1]["support"].is_null(), "{}", verdicts[1]);
    assert!(
        !verdicts[0]["because"]
            .as_str()
            .unwrap()
            .contains("withheld")
    );
}

#[test]
fn an_option_sets_the_number_and_replay_withholds_alike() {
    let folder = tempfile::tempdir().unwrap();
    let out = ["--window", "rows:300", "--windows-out", "kept"];
    let shown = [&out[..], &["--least-group", "1"]].concat();
    let report = measured(folder.path(), OBJECTIVES, &shown);
    assert!(!hidden(row(&report, "size:0", SELECTED, "area", "island")));
    let replay = |more: &[&str]| -> Value {
        let args = [
            "replay",
            "--objectives",
            "objectives.yaml",
            "--windows",
            "kept",
            "--json",
        ];
        let ran = run(folder.path(), &[&args[..], more].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))
    };
    let blocks = |report: &Value| {
        report["objectives"][0]["blocks"]
            .as_array()
            .unwrap()
            .clone()
    };
    let withheld = blocks(&replay(&[]));
    assert!(withheld[0]["value"].is_null() && withheld[0]["support"].is_null());
    assert!(
        withheld[0]["undefined"]
            .as_str()
            .unwrap()
            .starts_with("withheld: ")
    );
    assert!(!withheld[1]["value"].is_null());
    for block in &withheld {
        assert!(block["verdict"]["support"].is_null() && block["verdict"]["running"].is_null());
        assert!(
            block["verdict"]["because"]
                .as_str()
                .unwrap()
                .starts_with("withheld: ")
        );
    }
    let all = blocks(&replay(&["--least-group", "1"]));
    assert!(!all[0]["value"].is_null() && all[0]["support"].as_u64().unwrap() > 0);
}

#[test]
fn rows_that_were_cut_in_two_ways_are_replayed_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (out, cuts) in [("one", &["rows:300"][..]), ("both", &["all", "rows:300"])] {
        let cuts = cuts.iter().flat_map(|cut| ["--window", cut]);
        let more: Vec<&str> = cuts.chain(["--windows-out", out]).collect();
        measured(at, OBJECTIVES, &more);
    }
    let replay = |more: &[&str]| {
        let args = ["replay", "--objectives", "objectives.yaml", "--json"];
        run(at, &[&args[..], more].concat())
    };
    let refused = replay(&["--windows", "both"]);
    assert_ne!(refused.code, Some(0));
    let asks = "choose one with --cut: all, rows:300";
    assert!(refused.err.contains(asks), "{}", refused.err);
    let wrong = replay(&["--windows", "both", "--cut", "1d"]);
    assert!(
        wrong.err.contains("there are: all, rows:300"),
        "{}",
        wrong.err
    );
    let chosen = replay(&["--windows", "both", "--cut", "rows:300"]);
    assert_eq!(chosen.code, Some(0), "{}", chosen.err);
    assert_eq!(chosen.out, replay(&["--windows", "one"]).out);
}

#[test]
fn the_objectives_file_sets_the_number() {
    let folder = tempfile::tempdir().unwrap();
    let with = |least: u64| {
        let reports = format!("reports: {{ least_group: {least} }}\nobjectives:\n");
        let text = OBJECTIVES.replace("objectives:\n", &reports);
        let report = measured(folder.path(), &text, &["--window", "rows:300"]);
        hidden(row(&report, "size:0", SELECTED, "area", "island"))
    };
    assert!(!with(1) && !with(7) && with(8));
    let text = OBJECTIVES.replace("objectives:\n", "reports: { least: 3 }\nobjectives:\n");
    fs::write(folder.path().join("wrong.yaml"), text).unwrap();
    let ran = run(folder.path(), &["check", "wrong.yaml"]);
    assert!(
        ran.out.contains("unknown key `least`"),
        "{}{}",
        ran.out,
        ran.err
    );
}
