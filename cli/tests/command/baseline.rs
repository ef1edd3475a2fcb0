//! `clause9 baseline`.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clause9_shared::baseline::{Baseline, Law};
use clause9_shared::digest::Digest;
use expect_test::{Expect, expect};

use crate::{Ran, cases, folder, run};

const HEADER: &str = "car_value,salary_range,debt_to_income_ratio,loan_length,p";

/// Builds from these rows under the usual header.
fn build(folder: &Path, rows: &str, more: &[&str]) -> Ran {
    fs::write(folder.join("data.csv"), format!("{HEADER}\n{rows}")).unwrap();
    build_from(folder, "data.csv", more)
}

fn build_from(folder: &Path, reference: &str, more: &[&str]) -> Ran {
    let args = [
        "baseline",
        "--objectives",
        "objectives.yaml",
        "--out",
        "b.json",
        "--reference",
    ];
    let args: Vec<_> = args
        .iter()
        .chain(&[reference])
        .chain(more)
        .copied()
        .collect();
    run(folder, &args)
}

fn built(folder: &Path) -> Baseline {
    let text = fs::read_to_string(folder.join("b.json")).unwrap();
    let baseline = Baseline::from_json(&text).unwrap();
    assert_eq!(baseline.to_json().unwrap(), text, "the file is canonical");
    baseline
}

#[expect(clippy::needless_pass_by_value, reason = "as expect! makes it")]
fn refused(ran: Ran, folder: &Path, expected: Expect) {
    expected.assert_eq(&format!("{}{}", ran.out, ran.err));
    assert_eq!(ran.code, Some(1));
    assert!(!folder.join("b.json").exists(), "nothing is written");
}

#[test]
fn the_demonstrations_reference_becomes_a_baseline() {
    let folder = folder();
    let reference = cases().join("car_loan/reference.csv.gz");
    let ran = build_from(
        folder.path(),
        reference.to_str().unwrap(),
        &["--score", "y_pred_proba"],
    );
    let expected = "b.json: written: system car-loan, 50000 rows, 4 features, scores from `y_pred_proba`, digest sha256:";
    assert!(ran.out.starts_with(expected), "{}", ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let baseline = built(folder.path());
    assert_eq!(baseline.source.name, "reference.csv.gz");
    assert_eq!(
        baseline.source.digest,
        Digest::of(&fs::read(reference).unwrap())
    );
    assert!(ran.out.contains(&baseline.digest().to_string()));
    assert_eq!(baseline.rows, 50_000);
    assert!(baseline.score.is_some());
    let salaries = &baseline.features[&"salary_range".parse().unwrap()];
    let Law::Categorical {
        categories, counts, ..
    } = salaries
    else {
        panic!("{salaries:?}");
    };
    assert_eq!(categories.len(), 4);
    assert_eq!(counts.iter().sum::<u64>(), 50_000);
}

#[test]
fn a_plain_file_and_its_gzip_count_the_same() {
    let folder = folder();
    let rows = "1,a,0.5,12,0.1\n2,b,,24,0.9\n3,a, 0.25 ,36,\n";
    assert_eq!(build(folder.path(), rows, &["--score", "p"]).code, Some(0));
    let plain = built(folder.path());
    let gz = fs::File::create(folder.path().join("data.csv.gz")).unwrap();
    let mut gz = flate2::write::GzEncoder::new(gz, flate2::Compression::default());
    gz.write_all(&fs::read(folder.path().join("data.csv")).unwrap())
        .unwrap();
    gz.finish().unwrap();
    assert_eq!(
        build_from(folder.path(), "data.csv.gz", &["--score", "p"]).code,
        Some(0)
    );
    let zipped = built(folder.path());
    assert_eq!(
        (plain.rows, &plain.features, &plain.score),
        (3, &zipped.features, &zipped.score)
    );
    let ratio = &plain.features[&"debt_to_income_ratio".parse().unwrap()];
    let Law::Numeric {
        missing, counts, ..
    } = ratio
    else {
        panic!("{ratio:?}");
    };
    assert_eq!((*missing, counts.iter().sum::<u64>()), (1, 2));
}

#[test]
fn json_for_programs() {
    let folder = folder();
    let ran = build(
        folder.path(),
        "1,a,0.5,12,0.1\n",
        &["--score", "p", "--json"],
    );
    let expected = format!(
        "{{\"ok\":true,\"out\":\"b.json\",\"rows\":1,\"features\":4,\"score\":true,\"digest\":\"{}\"}}\n",
        built(folder.path()).digest()
    );
    assert_eq!(ran.out, expected);
    let ran = build(folder.path(), "1,a,x,12,0.1\n", &["--score", "p", "--json"]);
    expect![[r#"
        {"ok":false,"problem":"data.csv:2: row 1, column `debt_to_income_ratio`: `x` is not a number; write one, leave the cell empty, or list the value under `missing` of the feature"}
    "#]].assert_eq(&ran.out);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn mistakes_in_the_data_name_row_and_column() {
    let folder = folder();
    let at = folder.path();
    let score = &["--score", "p"][..];
    refused(
        build(at, "1,a,0.5,12,0.1\n2,b,much,24,0.9\n", score),
        at,
        expect![[r#"
            data.csv:3: row 2, column `debt_to_income_ratio`: `much` is not a number; write one, leave the cell empty, or list the value under `missing` of the feature
        "#]],
    );
    refused(
        build(at, "1,a,0.5,12,0.1\n2,b,1,24,7\n", score),
        at,
        expect![[r#"
            data.csv:3: row 2, column `p`: `7` is not a score from 0 to 1; name the column of probabilities
        "#]],
    );
    refused(
        build(at, "1,a,0.5,12,0.1\n1,000,b,1,24,0.5\n", score),
        at,
        expect![[r#"
            data.csv:3: the row has 6 cells, the header 5; quote cells that hold a comma
        "#]],
    );
    refused(
        build(at, "", score),
        at,
        expect![[r#"
        data.csv: the reference has no rows; a baseline needs at least one
    "#]],
    );
    refused(
        build(at, "1,a,0.5,12,0.1\n", &["--score", "proba"]),
        at,
        expect![[r#"
            data.csv:1: there is no column `proba` for the score; there are: `car_value`, `salary_range`, `debt_to_income_ratio`, `loan_length`, `p`
        "#]],
    );
}

#[test]
fn mistakes_in_the_file_name_it_and_what_it_has() {
    let folder = folder();
    let at = folder.path();
    let score = &["--score", "p"][..];
    fs::write(at.join("other.csv"), "car_value,salary,p\n1,a,0.5\n").unwrap();
    refused(
        build_from(at, "other.csv", score),
        at,
        expect![[r#"
        other.csv:1: there is no column `salary_range`, which is a feature of the objectives file; there are: `car_value`, `salary`, `p`
    "#]],
    );
    fs::write(
        at.join("twice.csv"),
        format!("{HEADER},p\n1,a,0.5,12,0.1,0.2\n"),
    )
    .unwrap();
    refused(
        build_from(at, "twice.csv", score),
        at,
        expect![[r#"
        twice.csv:1: two columns are called `p`; rename one of them
    "#]],
    );
    fs::write(at.join("plain.csv.gz"), HEADER).unwrap();
    refused(
        build_from(at, "plain.csv.gz", score),
        at,
        expect![[r#"
        plain.csv.gz: not a complete gzip file: invalid gzip header; write it again
    "#]],
    );
    fs::write(
        at.join("latin.csv"),
        [HEADER.as_bytes(), b"\n1,\xe9,0.5,12,0.1\n"].concat(),
    )
    .unwrap();
    refused(
        build_from(at, "latin.csv", score),
        at,
        expect![[r#"
        latin.csv:2: not UTF-8; save the file in UTF-8
    "#]],
    );
}

#[test]
fn a_truncated_gzip_is_refused() {
    let folder = folder();
    let whole = fs::read(cases().join("car_loan/reference.csv.gz")).unwrap();
    fs::write(folder.path().join("cut.csv.gz"), &whole[..whole.len() / 2]).unwrap();
    let ran = build_from(folder.path(), "cut.csv.gz", &["--score", "y_pred_proba"]);
    assert!(ran.out.contains("not a complete gzip file"), "{}", ran.out);
    assert_eq!(ran.code, Some(1));
    assert!(!folder.path().join("b.json").exists());
}

#[test]
fn mistakes_in_the_objectives_come_first() {
    let folder = folder();
    let path = folder.path().join("objectives.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("min_support: 200", "min_support: 0")).unwrap();
    refused(
        build(folder.path(), "1,a,0.5,12,0.1\n", &[]),
        folder.path(),
        expect![[r#"
            objectives.yaml:59:18: a measurement of no case says nothing; write at least 1
            59 |     min_support: 0
               |                  ^
        "#]],
    );
}

#[test]
fn a_watched_score_without_a_column_is_noted() {
    let folder = folder();
    let ran = build(folder.path(), "1,a,0.5,12,0.1\n", &[]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.err
            .starts_with("note: the objectives file watches a score"),
        "{}",
        ran.err
    );
    assert!(built(folder.path()).score.is_none());
}

#[test]
fn faults_of_the_disk_end_with_2() {
    let folder = folder();
    let ran = build_from(folder.path(), "none.csv", &[]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("error: cannot read none.csv: "),
        "{}",
        ran.err
    );
    fs::create_dir(folder.path().join("b.json")).unwrap();
    let ran = build(folder.path(), "1,a,0.5,12,0.1\n", &["--score", "p"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("error: cannot write b.json: "),
        "{}",
        ran.err
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3,
        "no half file is left"
    );
}
