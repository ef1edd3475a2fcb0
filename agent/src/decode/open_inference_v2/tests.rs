use clause9_shared::inference::{Cell, Owned, Tensor, Values};
use proptest::prelude::*;

use super::*;
use crate::decode::recorded::exchange;

fn decode(exchange: &Exchange) -> Result<Inference, UndecodableReason> {
    OpenInferenceV2.decode(exchange)
}

#[test]
fn mlserver_two_rows_of_four_columns() {
    let inference = decode(&recorded!("mlserver-v2-infer").exchange()).unwrap();
    assert_eq!(
        (&*inference.model, &*inference.model_version),
        ("credit", "v1")
    );
    assert_eq!(inference.request_id.as_deref(), Some("req-1"));
    assert_eq!(inference.rows, 2);
    let input = inference.input("predict").unwrap();
    assert_eq!(
        input.values,
        Values::Float(vec![0.1, 0.2, 0.3, 0.4, -1.0, -2.0, 0.0, 1.0])
    );
    assert_eq!(input.cell(1, 1), Cell::Float(-2.0));
    assert_eq!(
        inference.output("predict").unwrap().values,
        Values::Int(vec![1, 0])
    );
    let proba = inference.output("predict_proba").unwrap();
    assert_eq!(proba.cell(1, 1), Cell::Float(5.698_068_702_614_638e-6));
}

#[test]
fn the_id_is_the_servers_if_the_client_gave_none() {
    let inference = decode(&recorded!("mlserver-v2-infer-noid").exchange()).unwrap();
    assert_eq!(
        inference.request_id.as_deref(),
        Some("4e69951f-a6cb-47d5-8aea-93a92dd6dc32")
    );
}

#[test]
fn triton_and_kserve_decode_too() {
    let triton = decode(&recorded!("triton-v2-infer").exchange()).unwrap();
    assert_eq!(
        (triton.rows, triton.request_id.as_deref()),
        (2, Some("t-1"))
    );
    assert_eq!(
        triton.output("proba").unwrap().cell(0, 1),
        Cell::Float(0.737_211_229_229_967_6)
    );
    let kserve = decode(&recorded!("kserve-v2-infer").exchange()).unwrap();
    assert_eq!((kserve.rows, &*kserve.model_version), (1, ""));
    assert_eq!(
        kserve.output("output-0").unwrap().values,
        Values::Int(vec![1])
    );
}

#[test]
fn errors_of_the_server_have_their_reason() {
    for recorded in [
        recorded!("mlserver-v2-bad-shape"),
        recorded!("mlserver-v2-bad-json"),
        recorded!("mlserver-v2-unknown-model"),
        recorded!("triton-v2-bad-shape"),
    ] {
        let refused = decode(&recorded.exchange());
        assert_eq!(refused, Err(UndecodableReason::UpstreamError));
    }
}

#[test]
fn triton_answers_with_raw_tensors() {
    let inference = decode(&recorded!("triton-v2-infer-binary").exchange()).unwrap();
    assert_eq!(
        (&*inference.model, &*inference.model_version, inference.rows),
        ("credit", "1", 1)
    );
    assert_eq!(inference.request_id.as_deref(), Some("t-bin"));
    let widened = [0.1_f32, 0.2, 0.3, 0.4].map(f64::from).to_vec();
    assert_eq!(inference.input("x").unwrap().values, Values::Float(widened));
    assert_eq!(
        inference.output("label").unwrap().values,
        Values::Int(vec![1])
    );
    assert_eq!(
        inference.output("proba").unwrap().values,
        Values::Float(vec![0.262_788_770_770_032_4, 0.737_211_229_229_967_6])
    );
}

/// A request with a JSON text of that length and raw tensors after it, answered by nothing.
fn binary(length: &str, json: &str, tail: &[u8]) -> Result<Vec<Tensor>, UndecodableReason> {
    let body = [json.as_bytes(), tail].concat();
    let mut exchange = exchange("/v2/models/m/infer", body, r#"{"outputs":[]}"#);
    exchange.request.json_length = Some(length.parse().unwrap());
    exchange.request.content_type = Some("application/octet-stream".parse().unwrap());
    decode(&exchange).map(|inference| inference.inputs)
}

#[test]
fn raw_tensors_follow_in_order_beside_those_in_json() {
    use UndecodableReason::{Malformed, Unsupported};

    let json = concat!(
        r#"{"inputs":[{"name":"a","shape":[2],"datatype":"INT64","parameters":{"binary_data_size":16}},"#,
        r#"{"name":"b","shape":[2],"datatype":"FP32","data":[1,2]},"#,
        r#"{"name":"c","shape":[2,1],"datatype":"BYTES","parameters":{"binary_data_size":10,"x":null}}]}"#,
    );
    let length = json.len().to_string();
    let mut tail = Vec::new();
    tail.extend(i64::MIN.to_le_bytes());
    tail.extend(i64::MAX.to_le_bytes());
    tail.extend([0, 0, 0, 0, 2, 0, 0, 0, 0xc3, 0xa9]);
    let tensors = binary(&length, json, &tail).unwrap();
    let values: Vec<_> = tensors.into_iter().map(|t| t.values).collect();
    assert_eq!(
        values,
        [
            Values::Int(vec![i64::MIN, i64::MAX]),
            Values::Float(vec![1.0, 2.0]),
            Values::Text(vec!["".into(), "é".into()]),
        ]
    );

    let longer = (json.len() + tail.len() + 1).to_string();
    let more = [&tail[..], b"x"].concat();
    let both = json.replace(
        r#""data":[1,2]"#,
        r#""data":[1,2],"parameters":{"binary_data_size":8}"#,
    );
    let none = json.replace(r#","data":[1,2]"#, "");
    let shape = json.replace("[2,1]", "[2,2]");
    let below = json.replace("10", "-1");
    let huge = json.replace("10", "18446744073709551615");
    for (length, json, tail, reason) in [
        ("0", json, &tail, Unsupported),
        ("-1", json, &tail, Malformed),
        ("nine", json, &tail, Malformed),
        (&longer, json, &tail, Malformed),
        (&length, json, &more, Malformed),
        (&length, json, &tail[..25].to_vec(), Malformed),
        (&both.len().to_string(), &both, &tail, Malformed),
        (&none.len().to_string(), &none, &tail, Malformed),
        (&shape.len().to_string(), &shape, &tail, Malformed),
        (&below.len().to_string(), &below, &tail, Malformed),
        (&huge.len().to_string(), &huge, &tail, Malformed),
    ] {
        assert_eq!(binary(length, json, tail), Err(reason), "{length} {json}");
    }
}

#[test]
fn only_inference_paths_match() {
    let is = |method: &Method, path: &str| OpenInferenceV2.matches(method, path);
    assert!(is(&Method::POST, "/v2/models/m/infer"));
    assert!(is(&Method::POST, "/v2/models/m/versions/3/infer"));
    for path in [
        "/v2/models/m",
        "/v2/models/m/ready",
        "/v2/models//infer",
        "/v2/models/a/b/infer",
        "/v2/models/m/versions//infer",
        "/v2/health/live",
        "/",
    ] {
        assert!(!is(&Method::POST, path), "{path}");
    }
    assert!(!is(&Method::GET, "/v2/models/m/infer"));
}

/// One input tensor of that type and data, answered by one whole number per row.
fn one(datatype: &str, shape: &str, data: &str) -> Result<Values, UndecodableReason> {
    let request = format!(
        r#"{{"inputs":[{{"name":"x","datatype":"{datatype}","data":{data},"shape":{shape}}}]}}"#
    );
    let response = r#"{"outputs":[]}"#;
    let inference = decode(&exchange("/v2/models/m/infer", request, response))?;
    Ok(inference.inputs.into_iter().next().unwrap().values)
}

#[test]
fn values_keep_their_type_and_precision() {
    assert_eq!(
        one("INT64", "[1]", "[-9223372036854775808]"),
        Ok(Values::Int(vec![i64::MIN]))
    );
    assert_eq!(
        one("UINT64", "[1]", "[18446744073709551615]"),
        Ok(Values::Uint(vec![u64::MAX]))
    );
    assert_eq!(
        one("UINT64", "[2]", "[18446744073709551615,1]"),
        Ok(Values::Uint(vec![u64::MAX, 1]))
    );
    assert_eq!(
        one("FP64", "[3]", "[1,2.5,-3]"),
        Ok(Values::Float(vec![1.0, 2.5, -3.0]))
    );
    assert_eq!(
        one("BOOL", "[3]", "[true,0,1]"),
        Ok(Values::Bool(vec![true, false, true]))
    );
    assert_eq!(one("INT32", "[2]", "[1.0,2]"), Ok(Values::Int(vec![1, 2])));
    assert_eq!(
        one("BYTES", "[1,2]", r#"[["a","\u00e9"]]"#),
        Ok(Values::Text(vec!["a".into(), "é".into()]))
    );
    let gaps = Values::Mixed(vec![Owned::Float(1.0), Owned::Missing]);
    assert_eq!(one("FP32", "[2,1]", "[[1],[null]]"), Ok(gaps));
    assert_eq!(
        one("FP32", "[1,1]", "[null]"),
        Ok(Values::Mixed(vec![Owned::Missing]))
    );
    assert_eq!(one("FP32", "[0]", "[]"), Ok(Values::Mixed(vec![])));
    // Python writes and reads numbers that JSON has not.
    let Ok(Values::Float(odd)) = one("FP32", "[4]", "[1,NaN,Infinity,-Infinity]") else {
        panic!("four numbers");
    };
    assert!(odd[1].is_nan());
    assert_eq!((odd[2], odd[3]), (f64::INFINITY, f64::NEG_INFINITY));
}

#[test]
fn wrong_values_counts_and_depths_are_refused() {
    use UndecodableReason::{Malformed, Unsupported};
    for (datatype, shape, data, reason) in [
        ("INT64", "[1]", "[1.5]", Malformed),
        ("INT64", "[1]", r#"["1"]"#, Malformed),
        ("UINT8", "[1]", "[-1]", Malformed),
        ("FP32", "[2]", "[1]", Malformed),
        ("INT32", "[1]", "[NaN]", Malformed),
        ("FP32", "[1]", "[nan]", Malformed),
        ("FP32", "[1]", "[1e999]", Malformed),
        ("FP32", "[1]", "7", Malformed),
        ("COMPLEX", "[1]", "[1]", Malformed),
        ("BYTES", "[1]", "[1]", Malformed),
        ("FP32", "[1]", "[[[[[[[[[1]]]]]]]]]", Malformed),
        ("FP32", "[4294967296,4294967296]", "[]", Malformed),
        ("FP32", "[]", "[1]", Unsupported),
        ("FP32", "[0,9223372036854775807]", "[]", Unsupported),
    ] {
        assert_eq!(
            one(datatype, shape, data),
            Err(reason),
            "{datatype} {shape} {data}"
        );
    }
    assert!(one("FP32", "[1]", "[[[[[[[[1]]]]]]]]").is_ok());
}

#[test]
fn outputs_that_are_not_per_case_are_left_out() {
    let inference = decode(&exchange(
        "/v2/models/m/infer",
        r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1,2]}]}"#,
        r#"{"outputs":[{"name":"batch","datatype":"FP32","shape":[1],"data":[1]},
            {"name":"y","datatype":"INT8","shape":[2,1],"data":[[1],[2]]}]}"#,
    ))
    .unwrap();
    assert!(inference.output("batch").is_none());
    assert_eq!(
        inference.output("y").unwrap().values,
        Values::Int(vec![1, 2])
    );
}

proptest! {
    #[test]
    fn whole_numbers_survive_both_integer_types(values in proptest::collection::vec(any::<i64>(), 1..20)) {
        let text = serde_json::to_string(&values).unwrap();
        prop_assert_eq!(one("INT64", &format!("[{}]", values.len()), &text), Ok(Values::Int(values)));
    }
}
