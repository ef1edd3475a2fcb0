//! What targets begin with: recorded exchanges of real servers, and batches as an agent writes them.

use std::path::{Path, PathBuf};

use clause9_agent::decode::DECODERS;
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::inference::Cell;
use clause9_shared::objective;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{Coverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::{self, Batch, ClosedWindow, Stream};
use clause9_shared::wire::codec::Encode as _;

use crate::laws::{BETWEEN, ENCODINGS};

/// Names the folder in which a target finds its seeds.
const CORPUS: &str = "CLAUSE9_CORPUS";

/// Writes seeds into the folder that was named, if one was, before the target looks there.
pub fn plant(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(corpus) = std::env::var_os(CORPUS) else {
        return;
    };
    std::fs::create_dir_all(&corpus).expect("the folder for seeds");
    let seeds = seeds();
    assert!(!seeds.is_empty(), "no seeds");
    for (number, seed) in seeds.iter().enumerate() {
        let path = Path::new(&corpus).join(format!("seed-{number:03}"));
        std::fs::write(path, seed).expect("a seed is written");
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// Recordings whose name ends so, by name.
fn recorded(ending: &str) -> Vec<(String, Vec<u8>)> {
    let folder = tests().join("fixtures/wire");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("recorded exchanges")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned();
            Some((name, std::fs::read(path).ok()?))
        })
        .collect();
    found.sort();
    found
}

/// Request and response of each recording.
pub fn decoders() -> Vec<Vec<u8>> {
    let responses = recorded(".response.http");
    let response = |name: &str| responses.iter().find(|(other, _)| other == name);
    let requests = recorded(".request.http");
    let pairs = requests
        .iter()
        .filter_map(|(name, request)| Some((request, &response(name)?.1)));
    pairs
        .map(|(request, response)| [request, &[BETWEEN][..], &dechunked(response)].concat())
        .collect()
}

/// A response with its chunks put together, if it came in chunks.
fn dechunked(response: &[u8]) -> Vec<u8> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n");
    let head = end.expect("a head") + 4;
    let (head, mut body) = response.split_at(head);
    if !head
        .to_ascii_lowercase()
        .windows(7)
        .any(|seven| seven == b"chunked")
    {
        return response.to_vec();
    }
    let mut whole = head.to_vec();
    while let Some(line) = body.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&body[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let Some(chunk) = body
            .get(line + 2..line + 2 + size)
            .filter(|c| !c.is_empty())
        else {
            break;
        };
        whole.extend_from_slice(chunk);
        body = &body[line + 2 + size + 2..];
    }
    whole
}

/// Recorded calls, as they are and with the two directions changed round.
pub fn grpc() -> Vec<Vec<u8>> {
    let framed = |(_, text): (String, Vec<u8>)| {
        let text = String::from_utf8(text).expect("a text");
        let hex = text
            .trim_end()
            .rsplit_once("# ")
            .expect("hex at the end")
            .1
            .to_owned();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        };
        let message: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
        let length = u32::try_from(message.len()).expect("a short message");
        [&[0][..], &length.to_be_bytes(), &message].concat()
    };
    let requests = recorded(".request.txtpb").into_iter().map(framed);
    let responses = recorded(".response.txtpb").into_iter().map(framed);
    let seed = |request: &[u8], response: &[u8]| {
        let length = u16::try_from(request.len()).expect("a short message");
        [&length.to_be_bytes()[..], request, response].concat()
    };
    requests
        .zip(responses)
        .flat_map(|(request, response)| [seed(&request, &response), seed(&response, &request)])
        .collect()
}

/// Bodies of recorded responses, streams among them.
pub fn events() -> Vec<Vec<u8>> {
    let bodies = recorded(".response.http").into_iter().map(|(_, response)| {
        let response = dechunked(&response);
        let end = response.windows(4).position(|four| four == b"\r\n\r\n");
        response[end.expect("a head") + 4..].to_vec()
    });
    let streams = bodies.filter(|body| body.starts_with(b"data"));
    let written =
        [&b"data: a\r\n\r\ndata\n\ndata:b\ndata: c\n\n: note\nevent: x\ndata: [DONE]\n\n"[..]];
    streams.chain(written.map(<[u8]>::to_vec)).collect()
}

/// The same text in each encoding.
pub fn unpacking() -> Vec<Vec<u8>> {
    // "hello hello hello" by gzip, zlib, zstd and brotli.
    const PACKED: [&[u8]; 4] = [
        &[
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40,
            0x27, 0, 0xd6, 0x48, 0x0b, 0x69, 0x11, 0, 0, 0,
        ],
        &[
            0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0, 0x3a, 0xd5, 6,
            0x7c,
        ],
        &[
            0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0, b'h', b'e', b'l', b'l', b'o',
        ],
        &[0x0b, 2, 0x80, b'h', b'e', b'l', b'l', b'o', 3],
    ];
    let one = |(how, packed): (usize, &[u8])| {
        let how = u8::try_from(how).expect("few encodings");
        [&[how][..], packed].concat()
    };
    let twice = [
        (ENCODINGS.len() - 2, PACKED[3]),
        (ENCODINGS.len() - 1, &b"hello"[..]),
    ];
    PACKED
        .into_iter()
        .enumerate()
        .chain(twice)
        .map(one)
        .collect()
}

/// Recorded requests, and such that two readers might read in two ways.
pub fn connection() -> Vec<Vec<u8>> {
    let heads: [&[u8]; 8] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET http://a:80/x HTTP/1.1\r\nHost: a:80\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ];
    let written = heads.into_iter().map(<[u8]>::to_vec);
    let requests = recorded(".request.http").into_iter();
    written
        .chain(requests.map(|(_, request)| request))
        .collect()
}

/// Outcomes as people send them.
pub fn outcomes() -> Vec<Vec<u8>> {
    let lines = [
        r#"{"request_id":"a","label":1,"available_at":"2026-01-01T00:00:00Z"}"#,
        r#"{"request_id":"b","row":2,"attributes":{"sex":"male"}}"#,
        r#"{"request_id":"c","label":"yes","available_at":"2026-02-28T23:59:59.999999Z"}"#,
        r#"{"request_id":"d","label":1.5e-3}"#,
    ];
    let each = lines.iter().map(|line| line.as_bytes().to_vec());
    each.chain([
        lines.join("\n").into_bytes(),
        lines.join("\r\n").into_bytes(),
    ])
    .collect()
}

/// A batch of the test's toy system with the recorded exchanges that fit it, its summary alone, and an empty one.
pub fn batches() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(tests().join("fixtures/agent/objectives.yaml"));
    let document = objective::load("objectives.yaml", &text.expect("objectives"));
    let document = document.expect("objectives without a mistake");
    let mut baseline = BaselineBuilder::new(&document, "reference");
    for n in 0..100 {
        baseline.observe(0, Cell::Float(f64::from(n)));
        baseline.observe_score(f64::from(n) / 100.0);
        baseline.end_row();
    }
    let baseline = baseline
        .finish(Digest::of(b"reference"))
        .expect("a baseline");
    let plan = CapturePlan::new(&document, &baseline).expect("a plan");
    let (mut summary, mut known) = (plan.empty_traffic(), Vec::new());
    let exchange = crate::laws::toy();
    for decoder in DECODERS {
        if let Ok(inference) = decoder.decode(&exchange) {
            let _ = plan.observe_all(&inference, &mut summary, &mut known);
        }
    }
    assert!(!known.is_empty(), "the toy's exchange fits its objectives");
    let summary = summary.to_bytes();
    let batch = |items| Batch {
        boot: BootId(7),
        sequence: Sequence(1),
        created_at: Timestamp::EPOCH,
        clock: Clock::Live,
        system: document.system.id.clone(),
        watermark: Timestamp::EPOCH,
        watching_since: Timestamp::EPOCH,
        items,
        losses: Vec::new(),
        restored: None,
    };
    let key = PaneKey {
        system: document.system.id.clone(),
        model: "toy".into(),
        model_version: "1".into(),
        baseline: plan.baseline().digest(),
        plan: plan.digest(),
        salt: Digest::of(b"salt"),
        clock: Clock::Live,
        pane: document.panes.length,
        shell: None,
    };
    let coverage = Coverage {
        seen: 1,
        sampled: 1,
        ..Coverage::default()
    };
    let item = ClosedWindow {
        key,
        pane: PaneStart(Timestamp::EPOCH),
        stream: Stream::Traffic(coverage),
        summary: summary.clone(),
    };
    let payload = |batch: &Batch| batch::seal(batch, &crate::laws::key())[4 + 32 + 64..].to_vec();
    let whole = payload(&batch(vec![item]));
    let restored = Batch {
        restored: Some(Timestamp::EPOCH),
        ..batch(Vec::new())
    };
    let envelope = [&b"C9B1"[..], &[1; 96], &whole].concat();
    let empty = payload(&batch(Vec::new()));
    vec![whole, summary, empty, payload(&restored), envelope]
}
