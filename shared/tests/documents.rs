//! The checked-in schemas and the reference of the format say what the code does.
//! `UPDATE_EXPECT=1 cargo test -p clause9-shared --test documents` writes the schemas and
//! the reference's table of metrics anew.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the core reads no file, its tests compare files; a test may stop where it stands"
)]

use std::path::{Path, PathBuf};

use clause9_shared::metric::{Answers, MetricId, Needs};
use clause9_shared::objective::document::{Comparator, Subject};
use clause9_shared::objective::{Document, load, schema};
use clause9_shared::sketch::SummaryOf;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_checked_in_schemas_are_generated_from_the_types() {
    for (path, generated) in [
        (
            "docs/schema/objectives.v1.schema.json",
            schema::objectives(),
        ),
        ("docs/schema/baseline.v1.schema.json", schema::baseline()),
    ] {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(root().join(path), &generated).unwrap();
        }
        assert!(
            read(path) == generated,
            "{path} is stale; run UPDATE_EXPECT=1 cargo test -p clause9-shared --test documents"
        );
    }
}

/// The code blocks of a kind in a Markdown text.
fn blocks<'a>(markdown: &'a str, kind: &str) -> Vec<&'a str> {
    markdown
        .split(&format!("```{kind}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

fn example() -> Document {
    let markdown = read("docs/objectives.md");
    let text = blocks(&markdown, "yaml")[0];
    load("docs/objectives.md", text).unwrap_or_else(|p| panic!("{p:#?}"))
}

#[test]
fn the_example_of_the_reference_passes_and_shows_every_key() {
    let json = serde_json::to_value(example()).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema::objectives()).unwrap();
    let mut written = std::collections::BTreeSet::new();
    keys(&json, &mut written);
    // The other examples are parts, each to be put in place of the first one's.
    for part in &blocks(&read("docs/objectives.md"), "yaml")[1..] {
        let part = clause9_shared::yaml::from_str::<serde_json::Value>("part", part).unwrap();
        keys(&part.value, &mut written);
        let mut whole = json.clone();
        for (key, value) in part.value.as_object().unwrap() {
            whole[key] = value.clone();
        }
        whole["objectives"] = serde_json::json!([]);
        let text = serde_json::to_string(&whole).unwrap();
        let problems = load("part", &text).unwrap_err();
        assert_eq!(
            problems.len(),
            1,
            "only objectives are lacking: {problems:?}"
        );
    }
    let structures = schema["$defs"].as_object().unwrap().values();
    for structure in structures.chain([&schema]) {
        for key in structure["properties"].as_object().into_iter().flatten() {
            // Only objectives on a decision among classes have it, and the example's is between two.
            assert!(
                written.contains(key.0) || key.0 == "class",
                "the example lacks `{}`",
                key.0
            );
        }
    }
}

fn keys(value: &serde_json::Value, into: &mut std::collections::BTreeSet<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        into.insert(key.clone());
        keys(inner, into);
    }
    for inner in value.as_array().into_iter().flatten() {
        keys(inner, into);
    }
}

/// Whether a metric is of how the model is served.
fn of_service(metric: MetricId) -> bool {
    let reads = metric.reads(&example(), &Subject::default());
    let of = |of: &SummaryOf| matches!(of, SummaryOf::Service(_));
    reads.iter().any(|key| of(&key.of))
}

/// A metric's row in the reference.
fn row(metric: MetricId) -> String {
    let spec = metric.spec();
    let good = match spec.good {
        Comparator::AtLeast => "at_least",
        Comparator::AtMost => "at_most",
    };
    let (of, subject) = match spec.needs {
        Needs::Nothing => ("nothing", None),
        Needs::Feature => ("a feature", Some("the feature")),
        Needs::NumericFeature => ("a numeric feature", Some("the feature")),
        Needs::CategoricalFeature => ("a categorical feature", Some("the feature")),
        Needs::AttributeGroup => (
            "an attribute and one of its groups, not the reference",
            Some("the attribute (from the request or later)"),
        ),
        Needs::Group => (
            "an attribute and one of its groups",
            Some("the attribute (from the request or later)"),
        ),
        Needs::Attribute => (
            "an attribute",
            Some("the attribute (from the request or later)"),
        ),
        Needs::Class => ("a class of the decision", None),
        Needs::ClassOfGroup => (
            "a class of the decision, an attribute and one of its groups",
            Some("the attribute (from the request or later)"),
        ),
        Needs::ClassOfAttributeGroup => (
            "a class of the decision, an attribute and one of its groups, not the reference",
            Some("the attribute (from the request or later)"),
        ),
    };
    let reads: Vec<&str> = [
        (spec.answers == Answers::Number, "value"),
        (spec.answers == Answers::List, "ranking"),
        (spec.answers == Answers::ClassScores, "scores of classes"),
        (spec.needs_score, "score"),
        (spec.needs_decision, "decision"),
        (spec.needs_label, "label"),
    ]
    .into_iter()
    .filter_map(|(needed, what)| needed.then_some(what))
    .chain(subject)
    .chain(of_service(metric).then_some("service"))
    .collect();
    let (low, high) = spec.ends();
    let (name, reads) = (spec.name, reads.join(", "));
    format!("| [`{name}`](metrics/{name}.md) | `{good}` | {of} | {low} to {high} | {reads} |\n")
}

#[test]
fn the_references_table_of_metrics_is_printed_from_the_metric_table() {
    const PATH: &str = "docs/objectives.md";
    const BEGIN: &str = "<!-- Printed from the metric table: UPDATE_EXPECT=1 cargo test -p clause9-shared --test documents -->\n";
    const END: &str = "<!-- End of what is printed. -->\n";
    let mut table =
        "| metric | good side | `of` | levels | reads |\n|---|---|---|---|---|\n".to_owned();
    table.extend(MetricId::ALL.iter().map(|metric| row(*metric)));
    let found = read(PATH);
    let (before, rest) = found.split_once(BEGIN).expect("where the table begins");
    let (_, after) = rest.split_once(END).expect("where the table ends");
    let printed = format!("{before}{BEGIN}\n{table}\n{END}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(root().join(PATH), &printed).unwrap();
    }
    assert!(
        read(PATH) == printed,
        "{PATH} is stale; run UPDATE_EXPECT=1 cargo test -p clause9-shared --test documents"
    );
}

#[test]
fn the_reference_names_every_key() {
    let markdown = read("docs/objectives.md");
    let schema: serde_json::Value = serde_json::from_str(&schema::objectives()).unwrap();
    for key in schema["$defs"]["Objective"]["properties"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(markdown.contains(&format!("`{key}`")), "key {key}");
    }
}

#[test]
fn the_demonstrations_objectives_pass() {
    let path = "demo/cases/car_loan/objectives.yaml";
    load(path, &read(path)).unwrap_or_else(|p| panic!("{p:#?}"));
}

#[test]
fn comments_order_of_keys_and_written_defaults_do_not_change_the_digest() {
    let text = include_str!("objective_errors/base.yaml");
    let digest = |text: &str| load("base.yaml", text).unwrap().digest().unwrap();
    let edited = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "`{from}`");
        digest(&text.replace(from, to))
    };
    let same = digest(text);
    assert_eq!(edited("role: user\n", "role: user # a comment\n"), same);
    assert_eq!(edited("min: 0, max: 100000", "max: 1e5, min: 0"), same);
    assert_eq!(edited("name: loan-model", "name: 'loan-model'"), same);
    let defaults = "min_support: 200\n    alpha: 5e-2\n    cycle: 8760h\n    margin: 0";
    assert_eq!(edited("min_support: 200", defaults), same);
    assert_ne!(edited("min_support: 200", "min_support: 201"), same);
    assert_ne!(edited("role: user", "role: provider"), same);
}

#[test]
fn the_digest_of_the_example_stays_what_it_was() {
    // A change here renames every document that evidence refers to: it needs a new format version.
    expect_test::expect!["sha256:d2ee3110ddad043fd1a0defa49b8cffd3c5c26bade45ff820f24f3617c57b0da"]
        .assert_eq(&example().digest().unwrap().to_string());
}

#[test]
fn one_version_is_in_force_at_a_time_and_its_end_is_the_nexts_beginning() {
    let document = example();
    let id = "accuracy".parse().unwrap();
    let version = |at: &str| {
        document
            .in_force(&id, at.parse().unwrap())
            .map(|o| o.version)
    };
    assert_eq!(version("2025-12-31T23:59:59Z"), None);
    assert_eq!(version("2026-01-01T00:00:00Z"), Some(1));
    assert_eq!(version("2026-06-30T23:59:59.999999Z"), Some(1));
    assert_eq!(version("2026-07-01T00:00:00Z"), Some(2));
    assert_eq!(version("2099-01-01T00:00:00Z"), Some(2));
    let unknown = "nothing".parse().unwrap();
    assert!(
        document
            .in_force(&unknown, "2026-07-01T00:00:00Z".parse().unwrap())
            .is_none()
    );
}
