//! Requests made to be read differently by two readers, as raw bytes over a real socket, with a model
//! server behind the agent that records every byte. Each is either refused with nothing passed on, or
//! what is passed on can be read in one way only.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::agent_world::{Running, config, connect, until};

/// What becomes of a request and of the one that follows it on the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Answered with this status; not a byte of either is passed on.
    Refused(u16),
    /// Both are passed on.
    Passes,
    /// It is passed on with one framing; the connection is closed before the second.
    PassesAlone,
    /// Answered with 400. It may have been passed on as far as it was understood, and visibly not
    /// whole; the second is not.
    BrokenOff,
}
use Fate::{BrokenOff, Passes, PassesAlone, Refused};

/// `@` stands for the start line and host that most of them share, `~` for CR LF.
const CASES: &[(&str, &str, Fate)] = &[
    // Two lengths, or none that is a number.
    (
        "two lengths",
        "@Content-Length: 5~Content-Length: 6~~hello",
        Refused(400),
    ),
    (
        "two lengths in one line",
        "@Content-Length: 5, 6~~hello",
        Refused(400),
    ),
    (
        "one length twice in one line",
        "@Content-Length: 5, 5~~hello",
        Refused(400),
    ),
    (
        "one length in two lines",
        "@Content-Length: 5~Content-Length: 5~~hello",
        Passes,
    ),
    (
        "a length with a sign",
        "@Content-Length: +5~~hello",
        Refused(400),
    ),
    (
        "a length below nothing",
        "@Content-Length: -1~~hello",
        Refused(400),
    ),
    (
        "a length in hexadecimal",
        "@Content-Length: 0x5~~hello",
        Refused(400),
    ),
    (
        "a length in two words",
        "@Content-Length: 5 5~~hello",
        Refused(400),
    ),
    (
        "a length of nothing",
        "@Content-Length: ~~hello",
        Refused(400),
    ),
    (
        "a length with a vertical tab",
        "@Content-Length: \x0b5~~hello",
        Refused(400),
    ),
    (
        "a length beyond 64 bits",
        "@Content-Length: 99999999999999999999~~hello",
        Refused(400),
    ),
    // A length and chunks: chunks win, the length is not passed on, and the connection ends.
    (
        "a length, then chunks",
        "@Content-Length: 5~Transfer-Encoding: chunked~~0~~",
        PassesAlone,
    ),
    (
        "chunks, then a length",
        "@Transfer-Encoding: chunked~Content-Length: 5~~0~~",
        PassesAlone,
    ),
    // Codings.
    (
        "chunks in capitals",
        "@TRANSFER-ENCODING: CHUNKED~~5~hello~0~~",
        Passes,
    ),
    (
        "a coding that is not chunked",
        "@Transfer-Encoding: gzip~~hello",
        Refused(400),
    ),
    (
        "a coding that ends like it",
        "@Transfer-Encoding: xchunked~~0~~",
        Refused(400),
    ),
    (
        "a coding that begins like it",
        "@Transfer-Encoding: chunkedx~~0~~",
        Refused(400),
    ),
    (
        "chunked with a parameter",
        "@Transfer-Encoding: chunked;q=1~~0~~",
        Refused(400),
    ),
    (
        "chunked in quotes",
        "@Transfer-Encoding: \"chunked\"~~0~~",
        Refused(400),
    ),
    (
        "chunked, but not last",
        "@Transfer-Encoding: chunked, identity~~0~~",
        Refused(400),
    ),
    (
        "chunked after another",
        "@Transfer-Encoding: gzip, chunked~~0~~",
        Refused(400),
    ),
    (
        "chunked after nothing done",
        "@Transfer-Encoding: identity, chunked~~0~~",
        Refused(400),
    ),
    (
        "chunked twice in one line",
        "@Transfer-Encoding: chunked, chunked~~0~~",
        Refused(400),
    ),
    (
        "chunked in two lines",
        "@Transfer-Encoding: chunked~Transfer-Encoding: chunked~~0~~",
        Refused(400),
    ),
    (
        "chunked after an empty one",
        "@Transfer-Encoding: ~Transfer-Encoding: chunked~~0~~",
        Refused(400),
    ),
    (
        "chunked after a vertical tab",
        "@Transfer-Encoding: \x0bchunked~~0~~",
        Refused(400),
    ),
    (
        "chunks in HTTP/1.0",
        "POST /case HTTP/1.0~Host: m~Transfer-Encoding: chunked~~0~~",
        Refused(400),
    ),
    // Chunks that are none.
    (
        "a chunk's size that is none",
        "@Transfer-Encoding: chunked~~zz~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk's size with 0x",
        "@Transfer-Encoding: chunked~~0x5~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk's size with a sign",
        "@Transfer-Encoding: chunked~~-5~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk's size beyond 64 bits",
        "@Transfer-Encoding: chunked~~10000000000000005~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk's size in two words",
        "@Transfer-Encoding: chunked~~5 5~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk's size without CR",
        "@Transfer-Encoding: chunked~~5\nhello~0~~",
        BrokenOff,
    ),
    (
        "a chunk that is longer than it says",
        "@Transfer-Encoding: chunked~~4~hello~0~~",
        BrokenOff,
    ),
    (
        "a chunk that ends in LF",
        "@Transfer-Encoding: chunked~~5~hello\n0~~",
        BrokenOff,
    ),
    (
        "an extension with LF in it",
        "@Transfer-Encoding: chunked~~5;a\nb~hello~0~~",
        BrokenOff,
    ),
    (
        "an extension",
        "@Transfer-Encoding: chunked~~5;name=value~hello~0~~",
        Passes,
    ),
    (
        "a chunk's size with zeros and capitals",
        "@Transfer-Encoding: chunked~~0000A~0123456789~0~~",
        Passes,
    ),
    (
        "trailers that would frame",
        "@Transfer-Encoding: chunked~Trailer: content-length~~5~hello~0~Content-Length: 9~Host: evil~~",
        Passes,
    ),
    // Lines.
    ("a folded line", "@X-Folded: a~ b~~", Refused(400)),
    (
        "a folded coding",
        "@Transfer-Encoding:~ chunked~~0~~",
        Refused(400),
    ),
    (
        "a space before the colon",
        "@Transfer-Encoding : chunked~~0~~",
        Refused(400),
    ),
    (
        "a tab before the colon",
        "@Content-Length\t: 5~~hello",
        Refused(400),
    ),
    (
        "a space before the first name",
        "POST /case HTTP/1.1~ Host: m~~",
        Refused(400),
    ),
    (
        "a line without a colon",
        "@Content-Length 5~~hello",
        Refused(400),
    ),
    ("a name of nothing", "@: 5~~", Refused(400)),
    (
        "a name with NUL",
        "@Content-Length\0: 5~~hello",
        Refused(400),
    ),
    ("a value with NUL", "@X-Value: a\0b~~", Refused(400)),
    (
        "a value with CR",
        "@X-Value: a\rTransfer-Encoding: chunked~~",
        Refused(400),
    ),
    (
        "lines that end in LF",
        "POST /case HTTP/1.1\nHost: m\nContent-Length: 5\n\nhello",
        Passes,
    ),
    // Start lines and hosts.
    (
        "no host",
        "POST /case HTTP/1.1~Content-Length: 0~~",
        Refused(400),
    ),
    ("two hosts", "@Host: evil~Content-Length: 0~~", Refused(400)),
    (
        "a host with a path",
        "POST /case HTTP/1.1~Host: m/x~Content-Length: 0~~",
        Refused(400),
    ),
    (
        "a host with a user",
        "POST /case HTTP/1.1~Host: u%AT%m~Content-Length: 0~~",
        Refused(400),
    ),
    (
        "a host in two words",
        "POST /case HTTP/1.1~Host: m evil~Content-Length: 0~~",
        Refused(400),
    ),
    (
        "a target with another host",
        "POST http://evil/case HTTP/1.1~Host: m~Content-Length: 0~~",
        Refused(400),
    ),
    (
        "a target with the same host",
        "POST http://m/case HTTP/1.1~Host: m~Content-Length: 0~~",
        Passes,
    ),
    (
        "a target of another protocol",
        "POST ftp://m/case HTTP/1.1~Host: m~Content-Length: 0~~",
        Refused(400),
    ),
    (
        "a tunnel",
        "CONNECT evil:443 HTTP/1.1~Host: evil:443~~",
        Refused(405),
    ),
    (
        "two spaces in the start line",
        "POST  /case HTTP/1.1~Host: m~~",
        Refused(400),
    ),
    (
        "a target with a space",
        "POST /case x HTTP/1.1~Host: m~~",
        Refused(400),
    ),
    (
        "a target with NUL",
        "POST /case\0 HTTP/1.1~Host: m~~",
        Refused(400),
    ),
    (
        "a version that does not exist",
        "POST /case HTTP/1.2~Host: m~~",
        Refused(400),
    ),
    (
        "HTTP/2 as a text",
        "POST /case HTTP/2.0~Host: m~~",
        Refused(400),
    ),
    ("HTTP/0.9", "GET /case~~", Refused(400)),
    (
        "a switch to HTTP/2 in the clear",
        "@Connection: Upgrade, HTTP2-Settings~Upgrade: h2c~HTTP2-Settings: AAMAAABk~Content-Length: 0~~",
        Passes,
    ),
];

const NEXT: &str = "GET /next HTTP/1.1\r\nHost: m\r\n\r\n";

fn bytes_of(number: usize, text: &str) -> Vec<u8> {
    let text = text
        .replace('@', "POST /case HTTP/1.1~Host: m~")
        .replace('~', "\r\n");
    let text = text.replace("%AT%", "@");
    text.replace("/case", &format!("/case-{number}-"))
        .into_bytes()
}

/// One request as a strict reader reads it, or why none would.
fn read_strictly(bytes: &[u8]) -> Result<Option<(String, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|e| e.to_string())?;
    let mut lines = head.split("\r\n");
    let start: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [_, target, "HTTP/1.1"] = start[..] else {
        return Err(format!("start line {start:?}"));
    };
    let (mut lengths, mut codings, mut hosts) = (Vec::new(), Vec::new(), 0);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(format!("line {line:?}"))?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty()
            || !name.bytes().all(token)
            || value.bytes().any(|b| b < b' ' && b != b'\t')
        {
            return Err(format!("line {line:?}"));
        }
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                lengths.push(value.trim().parse::<usize>().map_err(|e| e.to_string())?);
            }
            "transfer-encoding" => codings.push(value.trim().to_ascii_lowercase()),
            "host" => hosts += 1,
            "upgrade" => return Err(format!("line {line:?}")),
            _ => {}
        }
    }
    let rest = &bytes[end + 4..];
    let body = match (
        &lengths[..],
        &codings.iter().map(String::as_str).collect::<Vec<_>>()[..],
        hosts,
    ) {
        ([], [], 1) => Some(0),
        ([length], [], 1) => (rest.len() >= *length).then_some(*length),
        ([], ["chunked"], 1) => chunks(rest)?,
        framing => return Err(format!("framing {framing:?} in {head:?}")),
    };
    Ok(body.map(|length| (target.to_owned(), end + 4 + length)))
}

/// How many bytes chunks take, once all are there.
fn chunks(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|w| w == b"\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes[at..at + line]).map_err(|e| e.to_string())?;
        let size = usize::from_str_radix(text, 16).map_err(|_| format!("chunk {text:?}"))?;
        at += line + 2;
        let Some(ending) = bytes.get(at + size..at + size + 2) else {
            return Ok(None);
        };
        if ending != b"\r\n" {
            return Err(format!("after a chunk of {size}: {ending:?}"));
        }
        at += size + 2;
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

/// A model server that records each connection and answers each whole request.
struct Recorder {
    port: u16,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
        let log = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                log.lock().unwrap().push(Vec::new());
                let number = log.lock().unwrap().len() - 1;
                std::thread::spawn(move || record(stream, &log, number));
            }
        });
        Self { port, connections }
    }

    /// Targets of whole requests, in the order of connections.
    fn whole(&self) -> Vec<String> {
        let mut targets = Vec::new();
        for connection in self.connections.lock().unwrap().iter() {
            let mut rest = &connection[..];
            while let Some((target, length)) = read_strictly(rest).unwrap() {
                targets.push(target);
                rest = &rest[length..];
            }
        }
        targets
    }

    fn mentions(&self, what: &str) -> bool {
        let all = self.connections.lock().unwrap();
        all.iter()
            .any(|c| String::from_utf8_lossy(c).contains(what))
    }
}

fn record(mut stream: TcpStream, log: &Mutex<Vec<Vec<u8>>>, number: usize) {
    let (mut answered, mut buffer) = (0, [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        let whole = {
            let mut all = log.lock().unwrap();
            all[number].extend_from_slice(&buffer[..read]);
            read_strictly(&all[number][answered..]).unwrap_or_else(|e| panic!("{e}"))
        };
        if let Some((_, length)) = whole {
            answered += length;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).unwrap();
        }
    }
}

/// Statuses of all answers until the connection ends, or until that many came.
fn statuses(stream: &mut TcpStream, most: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    while statuses.len() < most
        && let Some(answer) = crate::agent_world::read_message(stream, false)
    {
        statuses.push(answer.status());
    }
    statuses
}

#[test]
fn what_two_readers_could_read_differently_is_refused_or_passed_on_in_one_reading() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start();
    let agent = Running::start(config(folder.path(), recorder.port, None));
    let (mut expected_next, mut wrong) = (0, Vec::new());
    for (number, (name, text, fate)) in CASES.iter().enumerate() {
        let mut stream = connect(agent.port);
        let case = [bytes_of(number, text), NEXT.into()].concat();
        stream.write_all(&case).unwrap();
        let answers = statuses(&mut stream, 2);
        let target = format!("/case-{number}-");
        let passed = recorder.whole().iter().filter(|t| **t == target).count();
        let as_said = match fate {
            Refused(status) => answers == [*status] && !recorder.mentions(&target),
            Passes => (&answers[..], passed) == (&[200, 200], 1),
            PassesAlone => (&answers[..], passed) == (&[200], 1),
            BrokenOff => answers == [400] && passed == 0,
        };
        expected_next += usize::from(*fate == Passes);
        if !as_said {
            wrong.push(format!("{name}: {answers:?}, passed on {passed} times"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Again at the end, when everything that was under way has arrived.
    let mut last = connect(agent.port);
    last.write_all(b"GET /last HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    assert_eq!(statuses(&mut last, 1), [200]);
    let whole = recorder.whole();
    assert_eq!(
        whole.iter().filter(|t| *t == "/next").count(),
        expected_next
    );
    for (number, (name, _, fate)) in CASES.iter().enumerate() {
        let times = whole
            .iter()
            .filter(|t| **t == format!("/case-{number}-"))
            .count();
        assert_eq!(
            times,
            usize::from(matches!(fate, Passes | PassesAlone)),
            "{name}"
        );
    }
    assert!(agent.metric("clause9_requests_refused_total{reason=\"malformed\"}") > 30);
    assert_eq!(agent.metric("clause9_upstream_errors_total"), 0);
    assert!(agent.metric("clause9_requests_refused_total{reason=\"ambiguous\"}") > 10);
}

#[test]
fn heads_are_bounded_in_lines_and_bytes_and_so_are_extensions_of_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::start();
    let agent = Running::start(config(folder.path(), recorder.port, None));
    let get = |lines: &str| format!("GET /case HTTP/1.1\r\nHost: m\r\n{lines}\r\n");
    let lines = |n: usize, length: usize| {
        let line = |i| format!("X-{i}: {}\r\n", "v".repeat(length));
        get(&(0..n).map(line).collect::<String>())
    };
    let chunk = |extension: usize| {
        let head = "POST /case HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(extension))
    };
    let long = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: m\r\n\r\n", "p".repeat(length));
    for (request, expected) in [
        (lines(90, 500), &[200][..]),
        (lines(250, 1), &[200]),
        (lines(257, 1), &[431]),
        (lines(90, 900), &[431]),
        (long(60_000), &[200]),
        (long(70_000), &[414, 431]),
        (chunk(1000), &[200]),
        (chunk(20_000), &[400]),
    ] {
        let mut stream = connect(agent.port);
        let mut writing = stream.try_clone().unwrap();
        let whole = request.clone();
        // The agent may stop reading before the end.
        let writer = std::thread::spawn(move || drop(writing.write_all(whole.as_bytes())));
        let statuses = statuses(&mut stream, 1);
        writer.join().unwrap();
        let start: String = request.chars().take(80).collect();
        assert!(
            statuses.iter().all(|s| expected.contains(s)),
            "{start}: {statuses:?}"
        );
        assert!(!statuses.is_empty() || expected[0] != 200, "{start}");
    }
    until("four whole requests", || recorder.whole().len() == 4);
}
