use clause9_shared::inference::{Cell, Values};

use super::*;
use crate::decode::recorded::exchange;

fn decode(path: &str, request: &str, response: &str) -> Result<Inference, UndecodableReason> {
    PredictV1.decode(&exchange(path, request.to_owned(), response.to_owned()))
}

const PATH: &str = "/v1/models/m:predict";

#[test]
fn kserve_answers_two_rows() {
    let exchange = recorded!("kserve-v1-predict").exchange();
    let inference = PredictV1.decode(&exchange).unwrap();
    assert_eq!((&*inference.model, inference.rows), ("credit", 2));
    let input = inference.input("instances").unwrap();
    assert_eq!(input.cell(1, 0), Cell::Float(-1.0));
    assert_eq!(
        input.values,
        Values::Float(vec![0.1, 0.2, 0.3, 0.4, -1.0, -2.0, 0.0, 1.0])
    );
    assert_eq!(
        inference.output("predictions").unwrap().values,
        Values::Int(vec![1, 0])
    );
    let failed = recorded!("kserve-v1-bad").exchange();
    assert_eq!(
        PredictV1.decode(&failed),
        Err(UndecodableReason::UpstreamError)
    );
}

#[test]
fn tensorflow_serving_answers_rows_and_columns() {
    let rows = decode(
        "/v1/models/m/versions/3:predict",
        r#"{"signature_name":"serving_default","instances":[
            {"text":{"b64":"w6k="},"n":[1,2]},{"text":"b","n":[3,4]}]}"#,
        r#"{"predictions":[{"class":"a","p":[0.5,0.5]},{"class":"b","p":[0.25,0.75]}]}"#,
    )
    .unwrap();
    assert_eq!((&*rows.model, &*rows.model_version), ("m", "3"));
    let text = rows.input("text").unwrap();
    assert_eq!(text.values, Values::Text(vec!["é".into(), "b".into()]));
    assert_eq!(rows.input("n").unwrap().cell(1, 1), Cell::Int(4));
    assert_eq!(rows.output("p").unwrap().cell(1, 1), Cell::Float(0.75));

    let columns = decode(
        "/v1/models/m/labels/stable:predict",
        r#"{"inputs":{"text":["a","b"],"n":[[1,2],[3,4]],"learning":false}}"#,
        r#"{"outputs":[[0.5],[0.75]]}"#,
    )
    .unwrap();
    assert_eq!((&*columns.model_version, columns.rows), ("stable", 2));
    assert_eq!(columns.input("n").unwrap().columns, 2);
    assert!(columns.input("learning").is_none());
    let output = columns.output("predictions").unwrap();
    assert_eq!(output.values, Values::Float(vec![0.5, 0.75]));
}

#[test]
fn answers_that_are_not_one_per_row_are_left_out() {
    let inference = decode(PATH, r#"{"instances":[1,2]}"#, r#"{"predictions":[1]}"#).unwrap();
    assert_eq!(inference.rows, 2);
    assert!(inference.outputs.is_empty());
}

#[test]
fn bodies_without_rows_are_malformed() {
    for (request, response) in [
        (r#"{"x":1}"#, r#"{"predictions":[1]}"#),
        (r#"{"instances":[1]}"#, r#"{"x":1}"#),
        ("", r#"{"predictions":[1]}"#),
        (r#"{"instances":[1]}"#, ""),
    ] {
        let refused = decode(PATH, request, response);
        assert_eq!(refused, Err(UndecodableReason::Malformed), "{request}");
    }
}

#[test]
fn only_predictions_match() {
    let is = |path: &str| PredictV1.matches(&Method::POST, path);
    assert!(is(PATH) && is("/v1/models/m/versions/1:predict"));
    for path in [
        "/v1/models/m",
        "/v1/models/m:explain",
        "/v1/models/m:classify",
        "/v1/models/:predict",
        "/v1/models/a/b:predict",
        "/v1/models/m/versions/:predict",
        "/v2/models/m:predict",
    ] {
        assert!(!is(path), "{path}");
    }
    assert!(!PredictV1.matches(&Method::GET, PATH));
    assert_eq!(PredictV1.addressed(PATH), Some("m"));
}

#[test]
fn numbers_that_are_none_and_a_mark_of_the_byte_order_lose_nothing_else() {
    let decoded = decode(
        PATH,
        "\u{feff}{\"instances\":[[0.5,NaN],[0.25,1.5]]}",
        r#"{"predictions":[{"p":NaN,"why":"NaN came in"},{"p":0.5,"why":"fine"}]}"#,
    )
    .unwrap();
    let input = decoded.input("instances").unwrap();
    assert!(matches!(input.cell(0, 1), Cell::Float(x) if x.is_nan()));
    assert_eq!(input.cell(1, 1), Cell::Float(1.5));
    assert!(matches!(decoded.output("p").unwrap().cell(0, 0), Cell::Float(x) if x.is_nan()));
    assert_eq!(
        decoded.output("why").unwrap().cell(0, 0),
        Cell::Text("NaN came in")
    );
}
