//! `clause9 plan`, where labels come for some cases only.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{folder, run};

/// A baseline of the folder's objectives file.
fn build(at: &Path) {
    let mut rows =
        String::from("car_value,salary_range,debt_to_income_ratio,loan_length,probability\n");
    for i in 0..2000_u32 {
        writeln!(
            rows,
            "{},{},0.{},{},0.{}",
            1000 + i,
            i % 4,
            1 + i % 7,
            12 + i % 5,
            1 + i % 9
        )
        .unwrap();
    }
    fs::write(at.join("reference.csv"), rows).unwrap();
    let args = [
        "baseline",
        "--objectives",
        "objectives.yaml",
        "--reference",
        "reference.csv",
    ];
    let built = run(at, &[&args[..], &["--out", "baseline.json"]].concat());
    assert_eq!(built.code, Some(0), "{}", built.err);
}

#[test]
fn a_plan_reckons_with_the_share_of_cases_whose_label_comes_and_with_its_delay() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let plan = |more: &[&str]| {
        let args = [
            "plan",
            "--objectives",
            "objectives.yaml",
            "--baseline",
            "baseline.json",
        ];
        run(at, &[&args[..], more].concat())
    };
    let by_labels = |more: &[&str]| -> Value {
        let ran = plan(&[&["--json"], more].concat());
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        let all = told["objectives"].as_array().unwrap();
        let of = all.iter().find(|o| o["metric"] == "accuracy");
        of.unwrap_or_else(|| panic!("{}", ran.out)).clone()
    };
    // So few in a pane that one pane is not enough.
    let few = ["--rows", "60"];
    let labelled = [&few[..], &["--labelled", "0.4"]].concat();
    let (all, some) = (by_labels(&few), by_labels(&labelled));
    assert_eq!(
        (
            all["assumed"]["labelled"].as_f64(),
            some["assumed"]["labelled"].as_f64()
        ),
        (Some(1.0), Some(0.4))
    );
    let panes = |told: &Value| told["forecast"]["blocks_to_confirm"].as_u64().unwrap();
    assert!(panes(&some) > panes(&all), "{some}");
    // 90 days of delay in panes of a week.
    assert_eq!(some["forecast"]["blocks_of_delay"], 13);
    let told = plan(&["--labelled", "0.4"]).out;
    assert!(
        told.contains("0.4 of them labelled") && told.contains("13 panes later"),
        "{told}"
    );
    let path = at.join("objectives.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let from = "label_delay: 90d\n";
    assert!(text.contains(from), "{text}");
    fs::write(
        &path,
        text.replace(from, "label_delay: 90d\n    expected_labelled: 0.4\n"),
    )
    .unwrap();
    assert_eq!(by_labels(&few)["assumed"], some["assumed"]);
    let said = plan(&["--labelled", "0"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("`0` is no share above 0 and at most 1"),
        "{}",
        said.err
    );
}

/// An objective on women's decisions beside men's, whose sex stands in the request.
const BY_SEX: &str = "attributes:
  - name: sex
    from: { request: { input: sex } }
    groups: [female, male]
    reference: male
  - name: age
    from: { request: { input: age } }
    groups: [old, young]
    reference: young
  - name: sex_age
    of: [sex, age]

objectives:
  - id: parity
    version: 1
    statement: Women and men are granted loans alike.
    policy: Policy 1
    metric: demographic_parity_difference
    of: { attribute: sex, group: female }
    comparator: at_most
    levels: { action: 0.1 }
    window: 7d
    min_support: 10
    evaluate_every: 31d
    owner: head of credit
    approver: head of quality
    effective_from: 1970-01-01T00:00:00Z
    references:
      - { scheme: iso42001_clause, id: \"9.1\", edition: \"2023\", claim: evidences }
";

#[test]
fn a_plan_reckons_with_groups_that_are_kept_at_a_share_of_their_own() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let text = fs::read_to_string(at.join("objectives.yaml")).unwrap();
    let (before, rest) = text.split_once("objectives:\n").unwrap();
    let assumed = |share: &str, of: &str| -> (u64, f64) {
        let by_sex = BY_SEX
            .replacen(
                "    reference: male\n",
                &format!("    reference: male\n{share}"),
                1,
            )
            .replace("attribute: sex, group: female", of);
        fs::write(at.join("by_sex.yaml"), format!("{before}{by_sex}{rest}")).unwrap();
        let args = "plan --objectives by_sex.yaml --baseline baseline.json --json --rows 10000 --rate 0.1 --compared-share 0.1";
        let ran = run(at, &args.split(' ').collect::<Vec<_>>());
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        let all = told["objectives"].as_array().unwrap();
        let of = all.iter().find(|o| o["objective"] == "parity");
        let of = of.unwrap_or_else(|| panic!("{}", ran.out));
        (
            of["assumed"]["cases"].as_u64().unwrap(),
            of["assumed"]["compared_share"].as_f64().unwrap(),
        )
    };
    let women = "attribute: sex, group: female";
    let plain = assumed("", women);
    assert_eq!(plain.0, 1000);
    assert!((plain.1 - 0.1).abs() < 1e-12);
    // 900 men at a tenth, 1,000 women of 1,000.
    let (cases, share) = assumed("    sampled_at_least: { female: 1 }\n", women);
    assert_eq!(cases, 1900);
    assert!((share - 1000.0 / 1900.0).abs() < 1e-12, "{share}");
    let of = "attribute: sex_age, group: female & old";
    assert_eq!(assumed("    sampled_at_least: { female: 1 }\n", of).0, 1900);
    // Less than all are kept at asks for nothing.
    assert_eq!(
        assumed("    sampled_at_least: { female: 0.05 }\n", women),
        plain
    );
}
