use clause9_shared::inference::{Cell, Owned, Values};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::decode::recorded::{called, framed};

fn decode(exchange: &Exchange) -> Result<Inference, UndecodableReason> {
    OpenInferenceGrpc.decode(exchange)
}

#[test]
fn mlserver_answers_typed_and_raw_contents() {
    let typed = decode(&recorded!(grpc "mlserver-v2-grpc").exchange()).unwrap();
    assert_eq!((&*typed.model, &*typed.model_version), ("credit", "v1"));
    assert_eq!(typed.request_id.as_deref(), Some("grpc-1"));
    assert_eq!(typed.rows, 2);
    let input = [0.1_f32, 0.2, 0.3, 0.4, -1.0, -2.0, 0.0, 1.0].map(f64::from);
    let values = &typed.input("predict").unwrap().values;
    assert_eq!(*values, Values::Float(input.to_vec()));
    let label = &typed.output("predict").unwrap().values;
    assert_eq!(*label, Values::Int(vec![1, 0]));
    let proba = typed.output("predict_proba").unwrap();
    assert_eq!(proba.cell(1, 1), Cell::Float(5.698_068_702_614_638e-6));

    let raw = decode(&recorded!(grpc "mlserver-v2-grpc-raw").exchange()).unwrap();
    assert_eq!((raw.rows, raw.request_id.as_deref()), (1, Some("grpc-raw")));
    let values = &raw.input("predict").unwrap().values;
    assert_eq!(*values, Values::Float(input[..4].to_vec()));
    let label = &raw.output("predict").unwrap().values;
    assert_eq!(*label, Values::Int(vec![1]));
}

#[test]
fn a_call_that_failed_has_no_prediction() {
    let recorded = || recorded!(grpc "mlserver-v2-grpc").exchange();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("5"));
    trailers.insert(
        "grpc-message",
        HeaderValue::from_static("Model nope not found"),
    );
    let mut failed = recorded();
    failed.response.end_with(&trailers);
    assert_eq!(decode(&failed), Err(UndecodableReason::UpstreamError));
    // Trailers alone: the status stands among the headers.
    trailers.insert(
        "content-type",
        HeaderValue::from_static("application/grpc+proto"),
    );
    failed.response = Message::of(&trailers);
    failed.response.end_with(&trailers);
    assert_eq!(decode(&failed), Err(UndecodableReason::UpstreamError));
    // No trailers were seen; but without an answer, the call cannot have gone well.
    failed.response.trailers = None;
    assert_eq!(decode(&failed), Err(UndecodableReason::UpstreamError));
    let mut unknown = recorded();
    unknown.response.trailers = None;
    assert!(decode(&unknown).is_ok());
}

/// A message behind a prefix that says so.
fn prefixed(compressed: u8, length: usize, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![compressed];
    framed.extend(u32::try_from(length).unwrap().to_be_bytes());
    framed.extend(message);
    framed
}

#[test]
fn messages_may_be_compressed_and_must_be_whole() {
    use UndecodableReason::{Malformed, Unsupported};
    let recorded = recorded!(grpc "mlserver-v2-grpc").exchange();
    let whole = recorded.request.body.joined();
    let message = &whole[PREFIX..];
    let with = |body: Vec<u8>, encoding: Option<&'static str>| {
        let mut exchange = recorded.clone();
        exchange.request.body = [Bytes::from(body)].into_iter().collect();
        exchange.request.grpc_encoding = encoding.map(HeaderValue::from_static);
        decode(&exchange)
    };
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, message).unwrap();
    let packed = packer.finish().unwrap();
    let compressed = prefixed(1, packed.len(), &packed);
    assert_eq!(with(compressed.clone(), Some("gzip")), decode(&recorded));
    assert_eq!(with(whole.to_vec(), Some("gzip")), decode(&recorded));
    assert_eq!(with(compressed.clone(), Some("snappy")), Err(Unsupported));
    for body in [
        vec![],
        vec![0, 0, 0],
        prefixed(0, message.len() + 1, message),
        prefixed(0, message.len() - 1, message),
        prefixed(2, message.len(), message),
        [whole.as_ref(), whole.as_ref()].concat(),
        framed(&message[..message.len() - 1]),
    ] {
        assert_eq!(with(body, None), Err(Malformed));
    }
    assert_eq!(
        with(prefixed(1, message.len(), message), Some("gzip")),
        Err(Malformed)
    );
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [
        &varint(number << 3 | 2)[..],
        &varint(bytes.len() as u64),
        bytes,
    ]
    .concat()
}

/// A request with one tensor of that type, shape and contents, answered by nothing.
fn one(datatype: &str, shape: &[u64], contents: &[u8]) -> Result<Values, UndecodableReason> {
    let shape: Vec<u8> = shape.iter().flat_map(|n| varint(*n)).collect();
    let tensor = [
        field(1, b"x"),
        field(2, datatype.as_bytes()),
        field(3, &shape),
        field(5, contents),
    ];
    let request = [field(1, b"m"), field(5, &tensor.concat())].concat();
    let exchange = called(PATH, framed(&request), framed(&field(1, b"m")));
    decode(&exchange).map(|inference| inference.inputs.into_iter().next().unwrap().values)
}

#[test]
fn each_type_goes_with_its_own_contents() {
    use UndecodableReason::{Malformed, Unsupported};
    let minus_one = u64::MAX;
    let packed = |numbers: &[u64]| numbers.iter().flat_map(|n| varint(*n)).collect::<Vec<_>>();
    for (datatype, contents, values) in [
        ("BOOL", field(1, &[1, 0]), Values::Bool(vec![true, false])),
        (
            "INT8",
            field(2, &packed(&[minus_one, 7])),
            Values::Int(vec![-1, 7]),
        ),
        (
            "INT64",
            field(3, &packed(&[1 << 63, 7])),
            Values::Int(vec![i64::MIN, 7]),
        ),
        (
            "UINT32",
            field(4, &packed(&[5, 6])),
            Values::Uint(vec![5, 6]),
        ),
        (
            "UINT64",
            field(5, &packed(&[minus_one, 6])),
            Values::Uint(vec![u64::MAX, 6]),
        ),
        (
            "FP64",
            field(7, &[[0; 8], 2.5_f64.to_le_bytes()].concat()),
            Values::Float(vec![0.0, 2.5]),
        ),
        (
            "BYTES",
            [field(8, b""), field(8, "é".as_bytes())].concat(),
            Values::Text(vec!["".into(), "é".into()]),
        ),
        (
            "BYTES",
            [field(8, b"\xff"), field(8, b"a")].concat(),
            Values::Mixed(vec![Owned::Missing, Owned::Text("a".into())]),
        ),
        // Numbers that are not packed.
        ("INT32", vec![0x10, 3, 0x10, 4], Values::Int(vec![3, 4])),
    ] {
        assert_eq!(one(datatype, &[2], &contents), Ok(values), "{datatype}");
    }
    for (datatype, shape, contents, reason) in [
        ("INT64", &[2][..], field(7, &[0; 16]), Malformed),
        ("INT64", &[3], field(3, &[1, 2]), Malformed),
        ("FP16", &[1], field(6, &[0; 4]), Malformed),
        ("FP32", &[1], field(6, &[0; 3]), Malformed),
        ("fp32", &[1], field(6, &[0; 4]), Malformed),
        ("FP32", &[u64::MAX, 2], field(6, &[0; 4]), Malformed),
        ("FP32", &[], field(6, &[0; 4]), Unsupported),
        ("FP32", &[1; 17], field(6, &[0; 4]), Unsupported),
        ("FP32", &[0, 5000], vec![], Unsupported),
    ] {
        assert_eq!(
            one(datatype, shape, &contents),
            Err(reason),
            "{datatype} {shape:?}"
        );
    }
}

#[test]
fn raw_contents_stand_for_all_tensors_or_none() {
    let tensor = |contents: &[u8]| {
        [
            field(1, b"x"),
            field(2, b"BF16"),
            field(3, &[1]),
            contents.to_vec(),
        ]
        .concat()
    };
    let with = |tensor: Vec<u8>, raws: &[&[u8]]| {
        let raws: Vec<u8> = raws.iter().flat_map(|raw| field(7, raw)).collect();
        let request = [field(1, b"m"), field(5, &tensor), raws].concat();
        decode(&called(PATH, framed(&request), framed(&field(1, b"m"))))
    };
    let values = with(tensor(&[]), &[&[0x80, 0x3f]]).unwrap().inputs;
    assert_eq!(values[0].values, Values::Float(vec![1.0]));
    for refused in [
        with(tensor(&[]), &[]),
        with(tensor(&[]), &[&[0x80]]),
        with(tensor(&[]), &[&[0x80, 0x3f], &[0x80, 0x3f]]),
        with(tensor(&field(5, &field(6, &[0; 4]))), &[&[0x80, 0x3f]]),
    ] {
        assert_eq!(refused, Err(UndecodableReason::Malformed));
    }
}

#[test]
fn only_the_one_method_matches() {
    let is = |path: &str| OpenInferenceGrpc.matches(&Method::POST, path);
    assert!(is(PATH));
    assert!(!is("/inference.GRPCInferenceService/ServerLive"));
    assert!(!is("/inference.GRPCInferenceService/ModelStreamInfer"));
    assert!(!OpenInferenceGrpc.matches(&Method::GET, PATH));
}

proptest! {
    #[test]
    fn typed_integers_survive(values in proptest::collection::vec(any::<i64>(), 1..30)) {
        let packed: Vec<u8> = values.iter().flat_map(|n| varint(n.cast_unsigned())).collect();
        let read = one("INT64", &[values.len() as u64], &field(3, &packed));
        prop_assert_eq!(read, Ok(Values::Int(values)));
    }
}
