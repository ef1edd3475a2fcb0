//! What users have today, made again for comparison: a proxy that logs as the inference logger of `KServe` does. It
//! reads a request whole before the model sees it and an answer whole before the client does, and puts
//! both into a queue of [`QUEUE`] events that [`WORKERS`] threads post as `CloudEvents`; when the queue is full,
//! the client waits. Threads and blocking sockets instead of Go's runtime; for loopback only.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use clap::Args;

use super::Bench;
use crate::http::{Answer, Connection};

/// Events that may wait.
const QUEUE: usize = 100;
/// Threads that post events.
const WORKERS: usize = 5;

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen on loopback.
    #[arg(long)]
    port: u16,
    /// The model server's port.
    #[arg(long)]
    upstream: u16,
    /// The port to which events are posted.
    #[arg(long)]
    sink: u16,
}

/// Half of an exchange.
struct Event {
    kind: &'static str,
    id: String,
    body: Vec<u8>,
}

impl Bench for Options {
    fn run(&self, _: &mut dyn Write) -> anyhow::Result<()> {
        let (queue, events) = sync_channel(QUEUE);
        let events = Arc::new(Mutex::new(events));
        for _ in 0..WORKERS {
            let (events, sink) = (Arc::clone(&events), self.sink);
            std::thread::spawn(move || post(&events, sink));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .with_context(|| format!("port {} is taken", self.port))?;
        for stream in listener.incoming() {
            let (stream, queue, upstream) = (stream?, queue.clone(), self.upstream);
            std::thread::spawn(move || {
                // A client that leaves ends its connection's thread and nothing else.
                let _ = converse(stream, upstream, &queue);
            });
        }
        Ok(())
    }
}

fn post(events: &Mutex<Receiver<Event>>, sink: u16) -> anyhow::Result<()> {
    let mut connection = Connection::open(sink)?;
    loop {
        let event = events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()?;
        let headers = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", event.id.as_str()),
            ("ce-source", "http://localhost:9081/"),
            ("ce-type", event.kind),
        ];
        connection.send("POST", "/", &headers, &event.body)?;
    }
}

fn converse(stream: TcpStream, upstream: u16, queue: &SyncSender<Event>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut client = BufReader::new(stream);
    let mut model = Connection::open(upstream)?;
    for number in 0_u64.. {
        let Some((target, headers, body)) = request(&mut client)? else {
            return Ok(());
        };
        let id = format!("{upstream}-{number}");
        log(queue, "org.kserve.inference.request", &id, &body)?;
        let headers: Vec<_> = headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let answer = model.send("POST", &target, &headers, &body)?;
        log(queue, "org.kserve.inference.response", &id, &answer.body)?;
        client.get_mut().write_all(&bytes(&answer))?;
    }
    Ok(())
}

fn log(queue: &SyncSender<Event>, kind: &'static str, id: &str, body: &[u8]) -> anyhow::Result<()> {
    let (id, body) = (id.to_owned(), body.to_vec());
    queue
        .send(Event { kind, id, body })
        .ok()
        .context("nobody posts events")
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

/// A POST, whole; none at the connection's end.
fn request(client: &mut BufReader<TcpStream>) -> anyhow::Result<Option<Request>> {
    let mut line = String::new();
    if client.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).context("no target")?.to_owned();
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        line.clear();
        client.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "host" => {}
            other => headers.push((other.to_owned(), value.trim().to_owned())),
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    Ok(Some((target, headers, body)))
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let mut head = format!("{}\r\n", answer.status_line);
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    [head.as_bytes(), &answer.body].concat()
}
