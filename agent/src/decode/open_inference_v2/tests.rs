use bytes::Bytes;
use clause9_shared::inference::{Cell, Owned, Values};
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::exchange::Body;

macro_rules! wire {
    ($name:literal) => {
        (
            include_bytes!(concat!(
                "../../../../tests/fixtures/wire/",
                $name,
                ".request.http"
            )),
            include_bytes!(concat!(
                "../../../../tests/fixtures/wire/",
                $name,
                ".response.http"
            )),
        )
    };
}

/// Splits recorded bytes into first line, headers and body.
fn recorded(bytes: &[u8]) -> (String, http::HeaderMap, Bytes) {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let (first, lines) = head.split_once("\r\n").unwrap();
    let headers = lines
        .split("\r\n")
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            let name: http::HeaderName = name.parse().unwrap();
            (name, value.parse::<HeaderValue>().unwrap())
        })
        .collect();
    (
        first.to_owned(),
        headers,
        Bytes::copy_from_slice(&bytes[end + 4..]),
    )
}

fn exchange((request, response): (&[u8], &[u8])) -> Exchange {
    let (line, headers, request_body) = recorded(request);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (status, response_headers, response_body) = recorded(response);
    let mut exchange = json(target, request_body, response_body);
    exchange.method = method.parse().unwrap();
    exchange.status = status.split(' ').nth(1).unwrap().parse().unwrap();
    let bodies = (exchange.request.body, exchange.response.body);
    exchange.request = Message {
        body: bodies.0,
        ..Message::of(&headers)
    };
    exchange.response = Message {
        body: bodies.1,
        ..Message::of(&response_headers)
    };
    exchange
}

fn json(target: &str, request: impl Into<Bytes>, response: impl Into<Bytes>) -> Exchange {
    let message = |body: Bytes| Message {
        body: [body].into_iter().collect(),
        ..Message::default()
    };
    Exchange {
        pane: PaneStart(Timestamp::EPOCH),
        arrived_at: Timestamp::EPOCH,
        method: Method::POST,
        target: target.parse().unwrap(),
        status: StatusCode::OK,
        request_id: None,
        request: message(request.into()),
        response: message(response.into()),
    }
}

fn decode(exchange: &Exchange) -> Result<Inference, UndecodableReason> {
    OpenInferenceV2.decode(exchange)
}

#[test]
fn mlserver_two_rows_of_four_columns() {
    let inference = decode(&exchange(wire!("mlserver-v2-infer").map_bytes())).unwrap();
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

trait Bytewise {
    fn map_bytes(self) -> (&'static [u8], &'static [u8]);
}

impl<const A: usize, const B: usize> Bytewise for (&'static [u8; A], &'static [u8; B]) {
    fn map_bytes(self) -> (&'static [u8], &'static [u8]) {
        (self.0, self.1)
    }
}

#[test]
fn the_id_is_the_servers_if_the_client_gave_none() {
    let inference = decode(&exchange(wire!("mlserver-v2-infer-noid").map_bytes())).unwrap();
    assert_eq!(
        inference.request_id.as_deref(),
        Some("4e69951f-a6cb-47d5-8aea-93a92dd6dc32")
    );
}

#[test]
fn triton_and_kserve_decode_too() {
    let triton = decode(&exchange(wire!("triton-v2-infer").map_bytes())).unwrap();
    assert_eq!(
        (triton.rows, triton.request_id.as_deref()),
        (2, Some("t-1"))
    );
    assert_eq!(
        triton.output("proba").unwrap().cell(0, 1),
        Cell::Float(0.737_211_229_229_967_6)
    );
    let kserve = decode(&exchange(wire!("kserve-v2-infer").map_bytes())).unwrap();
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
        (wire!("mlserver-v2-bad-shape").map_bytes(), UpstreamError),
        (wire!("mlserver-v2-bad-json").map_bytes(), UpstreamError),
        (
            wire!("mlserver-v2-unknown-model").map_bytes(),
            UpstreamError,
        ),
        (wire!("triton-v2-bad-shape").map_bytes(), UpstreamError),
        (wire!("triton-v2-infer-binary").map_bytes(), Unsupported),
    ] {
        assert_eq!(decode(&exchange(recorded)), Err(reason));
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
    let inference = decode(&json("/v2/models/m/infer", request, response))?;
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
fn cut_off_and_compressed_bodies_have_their_reasons() {
    let mut cut = exchange(wire!("mlserver-v2-infer").map_bytes());
    cut.response.body.truncated = true;
    assert_eq!(decode(&cut), Err(UndecodableReason::Truncated));
    let mut packed = exchange(wire!("mlserver-v2-infer").map_bytes());
    packed.request.content_encoding = Some(HeaderValue::from_static("gzip"));
    assert_eq!(decode(&packed), Err(UndecodableReason::Unsupported));
}

#[test]
fn outputs_that_are_not_per_case_are_left_out() {
    let inference = decode(&json(
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
    fn pieces_of_a_body_do_not_matter(cuts in proptest::collection::vec(0_usize..400, 0..12)) {
        let whole = exchange(wire!("mlserver-v2-infer").map_bytes());
        let mut split = whole.clone();
        let pieces = |body: &Body| -> Body {
            let bytes = body.joined();
            let mut at: Vec<usize> = cuts.iter().map(|c| (*c).min(bytes.len())).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            at.windows(2).map(|w| bytes.slice(w[0]..w[1])).collect()
        };
        split.request.body = pieces(&whole.request.body);
        split.response.body = pieces(&whole.response.body);
        prop_assert_eq!(decode(&split), decode(&whole));
    }

    #[test]
    fn no_bytes_make_it_panic(request: Vec<u8>, response: Vec<u8>) {
        let _ = decode(&json("/v2/models/m/infer", request, response));
    }

    #[test]
    fn whole_numbers_survive_both_integer_types(values in proptest::collection::vec(any::<i64>(), 1..20)) {
        let text = serde_json::to_string(&values).unwrap();
        prop_assert_eq!(one("INT64", &format!("[{}]", values.len()), &text), Ok(Values::Int(values)));
    }
}
