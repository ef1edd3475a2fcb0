use clause9_shared::inference::{Cell, Owned, Values};
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
fn errors_of_the_server_and_binary_tensors_have_their_reasons() {
    use UndecodableReason::{Unsupported, UpstreamError};
    for (recorded, reason) in [
        (recorded!("mlserver-v2-bad-shape"), UpstreamError),
        (recorded!("mlserver-v2-bad-json"), UpstreamError),
        (recorded!("mlserver-v2-unknown-model"), UpstreamError),
        (recorded!("triton-v2-bad-shape"), UpstreamError),
        (recorded!("triton-v2-infer-binary"), Unsupported),
    ] {
        assert_eq!(decode(&recorded.exchange()), Err(reason));
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
}

#[test]
fn wrong_values_counts_and_depths_are_refused() {
    use UndecodableReason::{Malformed, Unsupported};
    for (datatype, shape, data, reason) in [
        ("INT64", "[1]", "[1.5]", Malformed),
        ("INT64", "[1]", r#"["1"]"#, Malformed),
        ("UINT8", "[1]", "[-1]", Malformed),
        ("FP32", "[2]", "[1]", Malformed),
        ("FP32", "[1]", "[NaN]", Malformed),
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
