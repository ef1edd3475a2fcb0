use super::*;

const OBJECTIVES: &str = include_str!("../../decode/agreement/objectives.yaml");

fn naming() -> Naming {
    let document = clause9_shared::objective::load("o.yaml", OBJECTIVES).unwrap();
    Naming::new(&document)
}

fn read(text: &str) -> Result<Record, String> {
    match record(text, &naming())? {
        Item::Record(record) => Ok(*record),
        other @ (Item::Half(_) | Item::Whole(_) | Item::Outcome(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_a_case_under_the_objectives_names() {
    let record = read(
        r#"{"id":"a","time":"2026-01-01T00:00:00Z","inputs":{"age":30,"debt":null,"shoe":9},
            "outputs":{"score":0.5},"label":true,"label_time":"2026-02-01T00:00:00Z","latency":0.25,"status":200}"#,
    )
    .unwrap();
    let cell = |name: &str| record.inference.input(name).unwrap().cell(0, 0);
    assert_eq!(cell("age"), clause9_shared::inference::Cell::Int(30));
    assert_eq!(cell("debt"), clause9_shared::inference::Cell::Missing);
    assert!(record.inference.input("shoe").is_none() && record.inference.input("income").is_none());
    // The score stands where the document reads it.
    assert_eq!(record.inference.outputs[0].name.as_ref(), "p");
    assert_eq!(record.served.latency, Some(0.25));
    let outcome = record.outcome.unwrap();
    assert_eq!(outcome.label, Some(Scalar::Bool(true)));
    assert_eq!(
        outcome.available_at.unwrap().to_string(),
        "2026-02-01T00:00:00Z"
    );
    assert!(record.answered);
    assert!(!read(r#"{"inputs":{"age":30}}"#).unwrap().answered);
}

#[test]
fn what_is_no_record_is_refused_without_repeating_its_values() {
    let long = "x".repeat(257);
    let many = (0..=MAX_VALUES).map(|i| format!(r#""v{i}":1"#));
    let many = many.collect::<Vec<_>>().join(",");
    for (text, why) in [
        ("{".to_owned(), "not JSON at column 1"),
        (r#"["secret"]"#.to_owned(), "not a record but a list"),
        ("{}".to_owned(), "not a record: missing field `inputs`"),
        (
            r#"{"inputs":{},"input":{}}"#.to_owned(),
            "not a record: unknown field `input`",
        ),
        (
            r#"{"inputs":{"a":[1]}}"#.to_owned(),
            "not a record: a value of the wrong type at column",
        ),
        (
            r#"{"inputs":{"a":{"secret":1}}}"#.to_owned(),
            "not a record: a value of the wrong type at column",
        ),
        (
            r#"{"inputs":{"a":1,"a":2}}"#.to_owned(),
            "not a record: duplicate name of a value",
        ),
        (
            r#"{"inputs":{},"id":""}"#.to_owned(),
            "an id must have 1 to 256 bytes",
        ),
        (
            format!(r#"{{"inputs":{{}},"id":"{long}"}}"#),
            "an id must have 1 to 256 bytes",
        ),
        (
            format!(r#"{{"inputs":{{"{long}":1}}}}"#),
            "not a record: name of a value has more than 256",
        ),
        (
            format!(r#"{{"inputs":{{{many}}}}}"#),
            "not a record: more than 2048 values",
        ),
        (
            r#"{"inputs":{},"time":"secret"}"#.to_owned(),
            "not a record: a value of the wrong type",
        ),
        (
            r#"{"inputs":{},"label":1}"#.to_owned(),
            "a label or an attribute needs an `id`",
        ),
        (
            format!(r#"{{"id":"a","inputs":{{}},"label":"{long}"}}"#),
            "a label or an attribute has more than 256",
        ),
        (
            r#"{"inputs":{},"latency":-1}"#.to_owned(),
            "`latency` must be",
        ),
        (
            r#"{"inputs":{},"status":99}"#.to_owned(),
            "`status` must be",
        ),
        (
            format!(r#"{{"inputs":{{}},"model":"{long}"}}"#),
            "a model's name or version",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(why), "{error}");
        assert!(!error.contains("secret") && !error.contains(&long));
    }
}

#[test]
fn deliveries_are_split_into_objects_within_a_bound() {
    assert_eq!(split("{}\n\n {\"a\":1} \r\n", true).unwrap().len(), 2);
    assert_eq!(
        split(" [ {\"a\": [1]} , 2 ]", false).unwrap(),
        ["{\"a\": [1]}", "2"]
    );
    assert_eq!(split("{}", false).unwrap(), ["{}"]);
    assert!(
        split("[{},", false)
            .unwrap_err()
            .starts_with("not a list in JSON at line 1")
    );
    let lines = "{}\n".repeat(super::super::MAX_ITEMS + 1);
    assert!(
        split(&lines, true)
            .unwrap_err()
            .starts_with("more than 10000 items")
    );
    let list = format!("[{}0]", "0,".repeat(super::super::MAX_ITEMS));
    assert!(
        split(&list, false)
            .unwrap_err()
            .starts_with("more than 10000 items")
    );
}

#[test]
fn the_schema_is_up_to_date() {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/schema/record.v1.schema.json"
    );
    expect_test::expect_file![path].assert_eq(&text);
}
