//! Bytes that mean no good, at the real program's door: each is refused with its reason, nothing of it is
//! kept as a batch, and the program's memory stays as it was.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;

use clause9_shared::ids::{BootId, Name};
use clause9_shared::wire::batch::{self, Batch, MAX_ENVELOPE};
use ed25519_dalek::Signer;

use crate::http::{all, get, request, request_with};
use crate::kill::{alive, start};
use crate::ports::free_address;
use crate::world::{Agents, Files, key};

/// Rounds after the first, whose memory is compared with it.
const ROUNDS: usize = 6;
/// What the memory may have grown by after them, in KiB: what two of their hundred large bodies take.
const GROWN: u64 = 32 * 1024;
/// Most memory at any time, in KiB: what a start takes, and a few bodies under way.
const MOST: u64 = 256 * 1024;

/// Killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// A line of what the kernel says of its memory, in KiB.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// An envelope of any payload, signed by an agent, in its own name or another's.
fn envelope(by: u8, name_of: u8, payload: &[u8]) -> Vec<u8> {
    let signed = [b"clause9/batch/v1\0", payload].concat();
    let mut bytes = b"C9B1".to_vec();
    bytes.extend_from_slice(key(name_of).verifying_key().as_bytes());
    bytes.extend_from_slice(&key(by).sign(&signed).to_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// What stands behind magic, key and signature.
fn payload(batch: &Batch) -> Vec<u8> {
    batch::seal(batch, &key(1))[4 + 32 + 64..].to_vec()
}

/// A batch whose number of items is written as a lie.
fn lying(agents: &Agents, items: u64) -> Vec<u8> {
    let mut batch = agents.batch(900, 0, Vec::new());
    batch.boot = BootId(9);
    let mut payload = payload(&batch);
    assert_eq!(payload.pop(), Some(0), "no items");
    let mut left = items;
    while left >= 0x80 {
        payload.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    payload.push(u8::try_from(left).unwrap());
    payload
}

/// What is sent, how it is answered, and why.
type Sent = (&'static str, Vec<u8>, u16, &'static str);

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut zipper = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zipper.write_all(bytes).unwrap();
    zipper.finish().unwrap()
}

/// Bytes that are no batch of anybody who may send one.
fn no_batches(agents: &Agents) -> Vec<Sent> {
    let bomb = zipped(&vec![0; 256 << 20]);
    assert!(bomb.len() < 1 << 20);
    let large = vec![0x61; MAX_ENVELOPE - 200];
    let items = |n| envelope(1, 1, &lying(agents, n));
    let malformed = [
        ("nothing", Vec::new()),
        ("a large nothing", vec![0; MAX_ENVELOPE]),
        ("a bomb", bomb.clone()),
        ("a bomb in a batch", envelope(1, 1, &bomb)),
        ("much that is no batch", envelope(1, 1, &large)),
        ("more items than may be", items(4097)),
        ("items without end", items(u64::MAX)),
        ("items that are not there", items(4096)),
    ];
    let mut all: Vec<Sent> = malformed
        .map(|(what, b)| (what, b, 400, "malformed"))
        .into();
    all.push((
        "much of nobody",
        envelope(9, 9, &large),
        403,
        "unknown_agent",
    ));
    all.push((
        "much in another's name",
        envelope(9, 1, &large),
        400,
        "bad_signature",
    ));
    all.push((
        "a byte too much",
        vec![0; MAX_ENVELOPE + 1],
        413,
        "too_large",
    ));
    all
}

/// Batches that are not what they should be, or not whose.
fn batches(agents: &Agents) -> Vec<Sent> {
    let good = agents.batch(1, 0, vec![agents.heartbeat(0)]);
    let other = Batch {
        system: Name::new("other").unwrap(),
        boot: BootId(9),
        ..good.clone()
    };
    let sealed = batch::seal(&good, &key(1));
    let forged = envelope(9, 1, &payload(&good));
    vec![
        ("a batch, zipped", zipped(&sealed), 400, "malformed"),
        ("a batch in another's name", forged, 400, "bad_signature"),
        (
            "another's system",
            batch::seal(&other, &key(1)),
            403,
            "unknown_system",
        ),
        ("a number twice", sealed, 409, "replayed_sequence"),
    ]
}

/// Sends a body in chunks without saying how long it is, until the other side has had enough.
fn endless(to: SocketAddr) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    let head = "POST /v1/batches HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![0; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..2 * MAX_ENVELOPE / 0x10000 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    // It is cut off while it still sends.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn round(to: SocketAddr, sent: &[Sent]) {
    for (what, bytes, status, reason) in sent {
        for headers in ["", "content-encoding: gzip\r\n"] {
            // Whoever is told that a body is too large may be cut off while sending it.
            let Ok(answer) = request_with(to, "POST", "/v1/batches", headers, bytes) else {
                assert_eq!(*status, 413, "{what}");
                continue;
            };
            assert_eq!(answer.status, *status, "{what}: {}", answer.text());
            assert_eq!(answer.json()["refused"], *reason, "{what}");
        }
    }
    let cut = endless(to);
    assert!(cut.is_empty() || cut.starts_with("HTTP/1.1 413"), "{cut}");
}

#[test]
fn what_means_no_good_is_refused_with_its_reason_kept_nowhere_and_takes_no_memory() {
    let address = free_address().unwrap();
    let files = Files::new(&address.to_string(), &[1]);
    let program = Program(start(&files));
    alive(address);
    let agents = Agents::new();
    let first = agents.hourly(1, 0);
    assert_eq!(
        request(address, "POST", "/v1/batches", &first)
            .unwrap()
            .status,
        200
    );
    let sent = [no_batches(&agents), batches(&agents)].concat();
    // Twice, so that what is taken once and kept for reuse is there.
    round(address, &sent);
    round(address, &sent);
    let before = program.memory("VmRSS:");
    for _ in 0..ROUNDS {
        round(address, &sent);
        let again = request(address, "POST", "/v1/batches", &first)
            .unwrap()
            .json();
        assert_eq!(again["items"][0]["status"], "duplicate");
    }
    let (after, most) = (program.memory("VmRSS:"), program.memory("VmHWM:"));
    println!("{before} KiB before, {after} KiB after {ROUNDS} rounds, {most} KiB at most");
    assert!(after < before + GROWN, "from {before} KiB to {after} KiB");
    assert!(most < MOST, "{most} KiB");
    assert_eq!(all(address, "/v1/evidence?type=batch&limit=100").len(), 1);
    let refusals = all(address, "/v1/evidence?type=refusal&limit=100");
    // Of a trusted agent each, of others the first of its reason in the hour.
    assert!((8..20).contains(&refusals.len()), "{}", refusals.len());
    assert_eq!(get(address, "/ready").status, 200);
}
