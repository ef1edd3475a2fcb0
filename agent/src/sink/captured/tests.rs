use super::*;

const LINE: &str = r#"{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"1,2\n","encoding":"CSV"},"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT","data":"eyJwIjoxfQ==","encoding":"BASE64"}},"eventMetadata":{"eventId":"e-1","inferenceId":"mine","inferenceTime":"2026-01-01T00:00:00Z"},"eventVersion":"0"}"#;

fn whole(text: &str) -> Whole {
    match line(text).unwrap().unwrap().pop() {
        Some(Item::Whole(whole)) => *whole,
        other @ (None | Some(Item::Half(_) | Item::Record(_) | Item::Outcome(_))) => {
            panic!("{other:?}")
        }
    }
}

fn labels(text: &str) -> Vec<(String, u32, Scalar)> {
    let items = line(text).unwrap().unwrap().into_iter();
    let items = items.map(|item| match item {
        Item::Outcome(o) => (o.request_id, o.row, o.label.unwrap()),
        other @ (Item::Half(_) | Item::Whole(_) | Item::Record(_)) => panic!("{other:?}"),
    });
    items.collect()
}

#[test]
fn a_captured_line_is_an_exchange_with_the_callers_id() {
    let told = whole(LINE);
    assert_eq!(told.request_id.unwrap(), "mine");
    assert_eq!(told.target.unwrap(), "/invocations");
    assert_eq!(&*told.request.body.joined(), b"1,2\n");
    let (status, response) = told.response.unwrap();
    assert_eq!(
        (status.as_u16(), &*response.body.joined()),
        (200, &br#"{"p":1}"#[..])
    );
    assert_eq!(told.key, Some(Key::new("sagemaker", "e-1")));
    // Captured without its answer.
    let start = LINE.find(",\"endpointOutput\"").unwrap();
    let end = LINE.find("},\"eventMetadata\"").unwrap();
    let alone = whole(&format!("{}{}", &LINE[..start], &LINE[end..]));
    assert!(alone.response.is_none() && alone.served.status.is_none());
}

#[test]
fn ground_truth_is_a_label_for_each_row() {
    let truth = |data: &str, encoding: &str| {
        let data = serde_json::Value::from(data);
        labels(&format!(
            r#"{{"groundTruthData":{{"data":{data},"encoding":"{encoding}"}},"eventMetadata":{{"eventId":"mine"}},"eventVersion":"0"}}"#
        ))
    };
    let one = |row, label| ("mine".to_owned(), row, label);
    assert_eq!(truth("1", "CSV"), [one(0, Scalar::Number(1.0))]);
    let two = [
        one(0, Scalar::Text("good".into())),
        one(1, Scalar::Text("bad".into())),
    ];
    assert_eq!(truth("good\nbad\n", "CSV"), two);
    assert_eq!(truth("[\"good\",\"bad\"]", "JSON"), two);
    assert_eq!(truth("true", "JSON"), [one(0, Scalar::Bool(true))]);
    assert_eq!(truth("MQ==", "BASE64"), [one(0, Scalar::Number(1.0))]);
}

#[test]
fn lines_that_lack_something_are_refused_and_others_are_not_ours() {
    assert!(line(r#"{"specversion":"1.0"}"#).is_none());
    assert!(line(r#"{"captureData":null}"#).is_none());
    for (text, why) in [
        (
            r#"{"captureData":{"endpointInput":{"data":"","encoding":"CSV"}}}"#,
            "the line has no `eventMetadata`",
        ),
        (
            r#"{"captureData":{},"eventMetadata":{"eventId":"e"}}"#,
            "the line has no `endpointInput`",
        ),
        (
            r#"{"captureData":{"endpointInput":{"data":"","encoding":"XML"}}}"#,
            "not an event at column",
        ),
        (
            r#"{"captureData":{"endpointInput":{"data":"%","encoding":"BASE64"}},"eventMetadata":{"eventId":"e"}}"#,
            "`data` is not base64",
        ),
        (
            r#"{"groundTruthData":{"data":"","encoding":"CSV"},"eventMetadata":{"eventId":"e"}}"#,
            "the ground truth has not 1 to",
        ),
        (
            r#"{"groundTruthData":{"data":"{","encoding":"JSON"},"eventMetadata":{"eventId":"e"}}"#,
            "not ",
        ),
        (
            r#"{"captureData":{},"eventMetadata":{"eventId":""}}"#,
            "an id must have",
        ),
        (r#"{"captureData":"#, "not JSON"),
    ] {
        let error = line(text).unwrap().unwrap_err();
        assert!(error.starts_with(why), "{text}: {error}");
    }
}
