//! One law for each target: bytes in, panic if it does not hold.

use bytes::Bytes;
use clause9_agent::decode::{DECODERS, Decoder as _, JsonRows};
use clause9_agent::exchange::{Body, Exchange, Message, Target};
use clause9_agent::fuzzing;
use clause9_shared::inference::Inference;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch::{self, Envelope};
use clause9_shared::wire::codec::{Decode, Encode};
use clause9_shared::wire::enrol;
use ed25519_dalek::{Signer as _, SigningKey};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// Between a request and its response: a control byte that no text has.
pub const BETWEEN: u8 = 0x1e;
/// How bodies may be compressed, by a target's first byte.
pub const ENCODINGS: [&str; 6] = ["gzip", "deflate", "zstd", "br", "gzip, br", "identity"];
/// Versions of the batch: what envelopes begin with, and what is signed before the payload.
const VERSIONS: [(&[u8], &[u8]); 2] = [
    (b"C9B1", b"clause9/batch/v1\0"),
    (b"C9B2", b"clause9/batch/v2\0"),
];
/// Bounds of `agent/src/decode` that what comes after it relies on.
const MAX_ROWS: usize = 100_000;
const MAX_COLUMNS: usize = 2048;
const MAX_NAME: usize = 256;

/// A request and a response as they are recorded, with [`BETWEEN`] between them.
pub fn decoders(data: &[u8]) {
    let Some(exchange) = exchange(data) else {
        return;
    };
    for decoder in DECODERS {
        if let Ok(inference) = decoder.decode(&exchange) {
            whole(decoder.name(), &inference);
        }
    }
    for (rows, answers) in [
        ("", ""),
        ("/instances", "/predictions"),
        ("/inputs/0/data", "/outputs"),
    ] {
        let own = JsonRows::new("/", "m", rows, answers).expect("known to be good");
        if let Ok(inference) = own.decode(&exchange) {
            whole("a protocol of one's own", &inference);
        }
    }
}

/// That an inference is what later code relies on.
fn whole(name: &str, inference: &Inference) {
    assert!(inference.rows <= MAX_ROWS, "{name}: rows");
    assert!(inference.model.len() <= MAX_NAME, "{name}: model");
    assert!(inference.model_version.len() <= MAX_NAME, "{name}: version");
    for tensors in [&inference.inputs, &inference.outputs] {
        let mut columns = 0;
        for tensor in tensors {
            let cells = inference.rows * tensor.columns;
            assert_eq!(tensor.values.len(), cells, "{name}: {}", tensor.name);
            assert!(tensor.name.len() <= MAX_NAME, "{name}: name");
            columns += tensor.columns;
        }
        assert!(columns <= MAX_COLUMNS, "{name}: columns");
    }
}

fn exchange(data: &[u8]) -> Option<Exchange> {
    let between = data.iter().position(|byte| *byte == BETWEEN)?;
    let (asked, request_headers, request) = parts(&data[..between])?;
    let (answered, response_headers, response) = parts(&data[between + 1..])?;
    let mut words = asked.split(' ');
    let method: Method = words.next()?.parse().ok()?;
    let uri: http::Uri = words.next()?.parse().ok()?;
    let status = answered.split(' ').nth(1)?.parse::<StatusCode>().ok()?;
    Some(Exchange {
        pane: PaneStart(Timestamp::EPOCH),
        arrived_at: Timestamp::EPOCH,
        method,
        target: Target::of(uri.path()),
        status,
        request_id: clause9_agent::exchange::request_id(&request_headers),
        request: message(&request_headers, request),
        response: message(&response_headers, response),
    })
}

/// First line, headers (those that are none are left out) and body.
fn parts(bytes: &[u8]) -> Option<(&str, HeaderMap, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let (first, lines) = head.split_once("\r\n").unwrap_or((head, ""));
    let headers = lines.split("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let name: HeaderName = name.parse().ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    Some((first, headers.collect(), &bytes[end + 4..]))
}

fn message(headers: &HeaderMap, body: &[u8]) -> Message {
    // In two pieces, as bodies mostly come.
    let (first, second) = body.split_at(body.len() / 2);
    let pieces = [first, second].map(Bytes::copy_from_slice);
    Message {
        body: Body::from_iter(pieces),
        ..Message::of(headers)
    }
}

/// Both directions of a call: the length of the first in two bytes, then both bodies.
pub fn grpc(data: &[u8]) {
    let Some((length, bodies)) = data.split_first_chunk() else {
        return;
    };
    let first = usize::from(u16::from_be_bytes(*length)).min(bodies.len());
    let (request, response) = bodies.split_at(first);
    let headers = |encoding| {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/grpc");
        headers.insert(http::header::CONTENT_TYPE, kind);
        headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
        headers
    };
    for encoding in ["identity", "gzip"] {
        let headers = headers(encoding);
        let exchange = Exchange {
            pane: PaneStart(Timestamp::EPOCH),
            arrived_at: Timestamp::EPOCH,
            method: Method::POST,
            target: Target::of("/inference.GRPCInferenceService/ModelInfer"),
            status: StatusCode::OK,
            request_id: None,
            request: message(&headers, request),
            response: message(&headers, response),
        };
        for decoder in DECODERS {
            if let Ok(inference) = decoder.decode(&exchange) {
                whole(decoder.name(), &inference);
            }
        }
    }
}

/// See [`fuzzing::events`].
pub fn events(data: &[u8]) {
    fuzzing::events(data);
}

/// See [`fuzzing::unpacked`].
pub fn unpacking(data: &[u8]) {
    if let Some((how, packed)) = data.split_first() {
        let how = usize::from(*how) % ENCODINGS.len();
        fuzzing::unpacked(ENCODINGS[how], packed);
    }
}

/// See [`fuzzing::connection`].
pub fn connection(data: &[u8]) {
    fuzzing::connection(data);
}

/// See [`fuzzing::outcomes`].
pub fn outcomes(data: &[u8]) {
    fuzzing::outcomes(data);
}

/// An envelope of each kind, and the same bytes as a batch and as a summary, which no signature keeps out here. Whatever
/// can be read is written as the same bytes again: there is one encoding of each value.
pub fn batches(data: &[u8]) {
    if let Ok(envelope) = Envelope::parse(data) {
        let _ = envelope.open();
    }
    let _ = enrol::open(data);
    for (magic, domain) in VERSIONS {
        let sealed = signed(magic, domain, data);
        let opened = Envelope::parse(&sealed).ok().and_then(|e| e.open().ok());
        if let Some(batch) = opened {
            assert!(
                batch::seal(&batch, &key()) == sealed,
                "a batch has another encoding, too"
            );
            for item in &batch.items {
                summary(&item.summary);
            }
        }
    }
    summary(data);
}

/// An envelope of any payload.
fn signed(magic: &[u8], domain: &[u8], payload: &[u8]) -> Vec<u8> {
    let key = key();
    let signature = key.sign(&[domain, payload].concat()).to_bytes();
    [magic, key.verifying_key().as_bytes(), &signature, payload].concat()
}

/// Whose batches are read here.
pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn summary(bytes: &[u8]) {
    if let Ok(summary) = PaneSummary::from_bytes(bytes) {
        assert!(
            summary.to_bytes() == bytes,
            "a summary has another encoding, too"
        );
    }
}

/// One exchange of the test's toy system.
pub fn toy() -> Exchange {
    let request = br#"POST /v2/models/toy/infer HTTP/1.1

{"id":"a","inputs":[{"name":"x","datatype":"FP64","shape":[2,1],"data":[1.5,2]}]}"#;
    let response = br#"HTTP/1.1 200 OK

{"model_name":"toy","model_version":"1","id":"a","outputs":[{"name":"p","datatype":"FP64","shape":[2,1],"data":[0.75,0.25]}]}"#;
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\n\n", "\r\n\r\n");
    let both = [
        lines(request).as_bytes(),
        &[BETWEEN],
        lines(response).as_bytes(),
    ]
    .concat();
    exchange(&both).expect("a whole exchange")
}
