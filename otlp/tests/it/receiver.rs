//! A receiver that answers as it is told to, and keeps what came. HTTP/1.1 over plain sockets.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// With a status, and a further line of the head.
    Status(u16, &'static str),
    /// All but so many records are taken.
    Partly(i64),
    /// With bytes that are no message.
    Garbled,
    /// Well, a second later.
    Slow,
    /// Not at all.
    Silent,
    /// The connection is closed.
    Gone,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) head: String,
    /// Bodies of the events in it, if it has events.
    pub(crate) events: Vec<String>,
    /// The spans in it, if it has spans.
    pub(crate) spans: Vec<Span>,
}

#[derive(Debug)]
struct State {
    manners: Vec<Manner>,
    came: Vec<Came>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Answers requests in these manners, one after the other, and with 200 after them.
    pub(crate) fn open(manners: &[Manner]) -> Self {
        Self::serve(manners, None)
    }

    /// The same behind TLS, as `localhost`.
    pub(crate) fn behind_tls() -> Self {
        let chain = vec![CertificateDer::from_pem_file(identity("server-1.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(identity("server-1.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        Self::serve(&[], Some(Arc::new(config.unwrap())))
    }

    fn serve(manners: &[Manner], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let manners = manners.iter().rev().copied().collect();
        let came = Vec::new();
        let state = Arc::new(Mutex::new(State { manners, came }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || match tls {
                    None => answer_all(stream, &state),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        answer_all(StreamOwned::new(connection, stream), &state)
                    }
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.state.lock().unwrap().came.clone()
    }
}

/// A file of the identities that tests have.
pub(crate) fn identity(name: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests");
    tests.join("fixtures/identity").join(name)
}

fn answer_all(stream: impl Read + Write, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        for line in head.lines() {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let manner = {
            let mut state = state.lock().unwrap();
            let at = Instant::now();
            let (events, spans) = (events(&path, &body), spans(&path, &body));
            let came = Came {
                at,
                path,
                head,
                events,
                spans,
            };
            state.came.push(came);
            state.manners.pop().unwrap_or(Manner::Status(200, ""))
        };
        let (status, line, body) = match manner {
            Manner::Status(status, line) => (status, line, Vec::new()),
            Manner::Partly(rejected) => (200, "", partly(rejected)),
            Manner::Garbled => (200, "", b"<html>".to_vec()),
            Manner::Slow => {
                std::thread::sleep(Duration::from_secs(1));
                (200, "", Vec::new())
            }
            Manner::Silent => loop {
                // Until the other side gives up.
                if stream.read(&mut [0; 64])? == 0 {
                    return Ok(());
                }
            },
            Manner::Gone => return Ok(()),
        };
        let head = format!(
            "HTTP/1.1 {status} S\r\n{line}content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let stream = stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)?;
    }
}

fn partly(rejected: i64) -> Vec<u8> {
    let partial_success = Some(ExportLogsPartialSuccess {
        rejected_log_records: rejected,
        error_message: "no room".into(),
    });
    ExportLogsServiceResponse { partial_success }.encode_to_vec()
}

fn events(path: &str, body: &[u8]) -> Vec<String> {
    if !path.ends_with("/v1/logs") {
        return Vec::new();
    }
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|r| r.scope_logs);
    scopes
        .flat_map(|s| s.log_records)
        .map(|record| format!("{:?}", record.body.and_then(|b| b.value)))
        .collect()
}

fn spans(path: &str, body: &[u8]) -> Vec<Span> {
    if !path.ends_with("/v1/traces") {
        return Vec::new();
    }
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let of = request.resource_spans.into_iter();
    let scopes = of.flat_map(|r| r.scope_spans);
    scopes.flat_map(|s| s.spans).collect()
}
