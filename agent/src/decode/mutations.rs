//! Recorded and written exchanges with something wrong in them: every decoder gives an inference whose
//! tensors are whole and within the bounds, or a reason. A longer run than the usual one:
//! `PROPTEST_CASES=1000000 cargo test -p clause9-agent --profile ci mutations`.

use bytes::Bytes;
use http::HeaderValue;
use proptest::prelude::*;
use proptest::sample::Index;

use super::body::MAX_BODY;
use super::recorded::Recorded;
use super::{DECODERS, Decoder, JsonRows, MAX_COLUMNS, MAX_ROWS, agreement};
use crate::exchange::{Exchange, Message, Target};

/// Exchanges to begin with: all that decode.
fn seeds() -> Vec<Exchange> {
    let recorded = DECODERS.iter().flat_map(|decoder| decoder.recorded());
    let recorded = recorded.map(Recorded::exchange);
    recorded.chain(agreement::exchanges()).collect()
}

/// One thing that goes wrong with bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
    /// Part of another body.
    Splice(Index, Bytes),
}

/// Pieces that parsers stumble over.
const TOKENS: [&[u8]; 22] = [
    b"null",
    b"[",
    b"]",
    b"{",
    b"}",
    b"[]",
    b"{}",
    b"\"",
    b"1e999",
    b"-0",
    b"18446744073709551615",
    b"-9223372036854775809",
    b"{\"b64\":\"AA==\"}",
    b"{\"b64\":",
    b"\\ud800",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"data: ",
    b"\r\n\r\n",
    b"\"shape\":[99999,99999]",
    b"\"binary_data_size\":4294967296",
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let bodies: Vec<Bytes> = seeds().iter().map(|e| e.request.body.joined()).collect();
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        (at(), any::<Vec<u8>>()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), proptest::sample::select(&TOKENS[..]))
            .prop_map(|(at, token)| Change::Insert(at, token.to_vec())),
        (at(), 1_usize..40).prop_map(|(at, length)| Change::Remove(at, length)),
        (at(), 1_usize..200).prop_map(|(at, length)| Change::Repeat(at, length)),
        at().prop_map(Change::Cut),
        (at(), proptest::sample::select(bodies), at(), 1_usize..300).prop_map(
            |(at, body, from, length)| {
                let from = from.index(body.len().max(1)).min(body.len());
                let end = body.len().min(from + length);
                Change::Splice(at, body.slice(from..end))
            }
        ),
    ]
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Self::Set(at, byte) => {
                let at = place(at, bytes);
                if let Some(found) = bytes.get_mut(at) {
                    *found = *byte;
                }
            }
            Self::Flip(at, bits) => {
                let at = place(at, bytes);
                if let Some(found) = bytes.get_mut(at) {
                    *found ^= bits;
                }
            }
            Self::Insert(at, more) => {
                let at = place(at, bytes);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = place(at, bytes);
                let end = bytes.len().min(at + length);
                bytes.drain(at..end);
            }
            Self::Repeat(at, length) => {
                let at = place(at, bytes);
                let end = bytes.len().min(at + length);
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            Self::Cut(at) => {
                let at = place(at, bytes);
                bytes.truncate(at);
            }
            Self::Splice(at, more) => {
                let at = place(at, bytes);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
}

/// What a head may say of a body, whatever that is.
#[derive(Clone, Debug)]
struct Head {
    content_type: Option<&'static str>,
    encoding: Option<&'static str>,
    json_length: Option<&'static str>,
}

fn head() -> impl Strategy<Value = Head> {
    let types = [
        "application/json",
        "text/csv",
        "application/jsonlines",
        "text/event-stream",
        "application/octet-stream",
        "image/png",
    ];
    (
        proptest::option::of(proptest::sample::select(types.to_vec())),
        proptest::option::weighted(
            0.1,
            proptest::sample::select(vec!["gzip", "deflate", "zstd", "br"]),
        ),
        proptest::option::weighted(
            0.1,
            proptest::sample::select(vec!["0", "10", "244", "4096", "x"]),
        ),
    )
        .prop_map(|(content_type, encoding, json_length)| Head {
            content_type,
            encoding,
            json_length,
        })
}

impl Head {
    fn write(&self, message: &mut Message) {
        let value = |text: Option<&'static str>| text.map(HeaderValue::from_static);
        message.content_type = value(self.content_type);
        message.content_encoding = value(self.encoding);
        message.json_length = value(self.json_length);
    }
}

/// That an inference is what later code relies on.
fn check(decoder: &dyn Decoder, exchange: &Exchange) {
    let Ok(inference) = decoder.decode(exchange) else {
        return;
    };
    let name = decoder.name();
    assert!(inference.rows <= MAX_ROWS, "{name}: rows");
    assert!(inference.model.len() <= 256, "{name}: model");
    assert!(inference.model_version.len() <= 256, "{name}: version");
    for tensors in [&inference.inputs, &inference.outputs] {
        let (mut columns, mut values) = (0, 0);
        for tensor in tensors {
            let cells = inference.rows * tensor.columns;
            assert_eq!(tensor.values.len(), cells, "{name}: {}", tensor.name);
            assert!(tensor.name.len() <= 256, "{name}: name");
            columns += tensor.columns;
            values += cells;
        }
        assert!(columns <= MAX_COLUMNS, "{name}: columns");
        assert!(values <= MAX_BODY, "{name}: values");
    }
}

fn changed(message: &mut Message, changes: &[Change]) {
    let mut bytes = message.body.joined().to_vec();
    for change in changes {
        change.make(&mut bytes);
    }
    message.body = [Bytes::from(bytes)].into_iter().collect();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases * 8,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_decoder_takes_any_change_of_any_exchange(
        seed in any::<Index>(),
        request in proptest::collection::vec(change(), 0..5),
        response in proptest::collection::vec(change(), 0..5),
        heads in proptest::option::weighted(0.3, (head(), head())),
    ) {
        let seeds = seeds();
        let mut exchange = seed.get(&seeds).clone();
        changed(&mut exchange.request, &request);
        changed(&mut exchange.response, &response);
        if let Some((request, response)) = heads {
            request.write(&mut exchange.request);
            response.write(&mut exchange.response);
        }
        for decoder in DECODERS {
            check(*decoder, &exchange);
        }
        for (rows, answers) in [("", ""), ("/instances", "/predictions"), ("/inputs/0/data", "/outputs")] {
            check(&JsonRows::new("/", "m", rows, answers).unwrap(), &exchange);
        }
    }

    #[test]
    fn every_path_is_taken_or_not(path in "/?[/a-z0-9:._]{0,40}", method in "[A-Z]{1,7}") {
        let method = method.parse().unwrap();
        for decoder in DECODERS {
            let _ = decoder.matches(&method, &path);
            let _ = decoder.addressed(&path);
        }
        let mut exchange = seeds().remove(0);
        exchange.target = Target::of(&path);
        for decoder in DECODERS {
            check(*decoder, &exchange);
        }
    }
}

#[test]
fn no_path_is_taken_by_two_protocols() {
    for exchange in seeds() {
        let path = exchange.target.path();
        let takes = |decoder: &&&dyn Decoder| decoder.matches(&exchange.method, path);
        assert_eq!(DECODERS.iter().filter(takes).count(), 1, "{path}");
    }
}
