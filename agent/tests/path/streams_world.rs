//! What the tests of HTTP/2 share: a model server and a client that see every frame. No test lives
//! here.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clause9_agent::config::AgentConfig;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::agent_world::{Raw, Running, config, toy};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the model server saw of a request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: http::request::Parts,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// A model server that speaks HTTP/2 with prior knowledge.
#[derive(Clone)]
pub(crate) struct Model2 {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Whole requests.
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    /// Why streams were broken off, as far as the server was told.
    pub(crate) resets: Arc<Mutex<Vec<Reason>>>,
    /// Bytes of `/flood` that were taken from the server.
    pub(crate) sent: Arc<AtomicUsize>,
    /// Requests under way or done.
    pub(crate) begun: Arc<AtomicUsize>,
    /// Each connection ends after one request.
    goes_away: bool,
}

impl Model2 {
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    pub(crate) async fn start_with(goes_away: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let model = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            seen: Arc::default(),
            resets: Arc::default(),
            sent: Arc::default(),
            begun: Arc::default(),
            goes_away,
        };
        let served = model.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(served.clone().serve(stream));
            }
        });
        model
    }

    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        // One stream that is not read shall not stop the others here.
        let mut builder = h2::server::Builder::new();
        builder.initial_connection_window_size(16 << 20);
        let Ok(mut connection) = builder.handshake(stream).await else {
            return;
        };
        self.connections.fetch_add(1, Ordering::SeqCst);
        while let Some(Ok((request, respond))) = connection.accept().await {
            self.begun.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(self.clone().answer(request, respond));
            if self.goes_away {
                connection.graceful_shutdown();
            }
        }
    }

    async fn answer(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let path = request.uri().path().to_owned();
        let grpc = || Response::builder().header("content-type", "application/grpc");
        match path.as_str() {
            "/only-trailers" => {
                let head = grpc().header("grpc-status", "5").body(()).unwrap();
                respond.send_response(head, true).unwrap();
            }
            "/refuse" => respond.send_reset(Reason::REFUSED_STREAM),
            "/calm" => respond.send_reset(Reason::ENHANCE_YOUR_CALM),
            "/" | "/v2/models/wait/infer" => {
                let reason = poll_fn(|cx| respond.poll_reset(cx)).await;
                self.resets.lock().unwrap().extend(reason);
            }
            "/v2/models/open/infer" => {
                let mut stream = respond.send_response(Response::new(()), false).unwrap();
                stream.send_data("begun".into(), false).unwrap();
                let reason = poll_fn(|cx| stream.poll_reset(cx)).await;
                self.resets.lock().unwrap().extend(reason);
            }
            "/half/cancel" => half(respond, Reason::CANCEL).await,
            "/half/error" => half(respond, Reason::INTERNAL_ERROR).await,
            "/half/none" => half(respond, Reason::NO_ERROR).await,
            "/flood" => {
                let stream = respond.send_response(Response::new(()), false).unwrap();
                push(stream, 64 << 20, &self.sent).await;
            }
            "/never-reads" => {
                poll_fn(|cx| respond.poll_reset(cx)).await.ok();
                drop(request);
            }
            "/v2/models/toy/infer" => {
                let seen = read_whole(request).await.unwrap();
                let asked = Raw {
                    head: String::new(),
                    body: seen.body.clone(),
                };
                let answer = toy(&asked);
                let body = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                let head = Response::builder().header("content-type", "application/json");
                let mut stream = respond
                    .send_response(head.body(()).unwrap(), false)
                    .unwrap();
                self.seen.lock().unwrap().push(seen);
                stream
                    .send_data(answer[body..].to_vec().into(), true)
                    .unwrap();
            }
            _ => self.echo(request, respond).await,
        }
    }

    /// Sends back what comes as it comes, and a status after it.
    async fn echo(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let head = Response::builder().header("content-type", "application/grpc");
        let mut stream = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        let (head, mut body) = request.into_parts();
        let mut whole = Vec::new();
        while let Some(piece) = body.data().await {
            match piece {
                Ok(piece) => {
                    let _ = body.flow_control().release_capacity(piece.len());
                    whole.extend_from_slice(&piece);
                    stream.send_data(piece, false).unwrap();
                }
                Err(error) => {
                    self.resets.lock().unwrap().extend(error.reason());
                    return;
                }
            }
        }
        let trailers = body.trailers().await.unwrap();
        let mut status = HeaderMap::new();
        status.insert("grpc-status", "0".parse().unwrap());
        status.insert("grpc-message", "well%20done".parse().unwrap());
        self.seen.lock().unwrap().push(Seen {
            head,
            body: whole,
            trailers,
        });
        stream.send_trailers(status).unwrap();
    }
}

async fn half(mut respond: SendResponse<Bytes>, reason: Reason) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    send(&mut stream, Bytes::from_static(b"half")).await;
    // Until it has been sent: a reset would overtake it.
    stream.reserve_capacity(1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.send_reset(reason);
}

async fn read_whole(request: Request<RecvStream>) -> Result<Seen, h2::Error> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await?;
    Ok(Seen {
        head,
        body,
        trailers,
    })
}

/// Sends one piece as soon as the other side takes it; false if it takes no more.
pub(crate) async fn send(stream: &mut SendStream<Bytes>, mut piece: Bytes) -> bool {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return false;
        };
        let part = piece.split_to(room.min(piece.len()));
        if stream.send_data(part, false).is_err() {
            return false;
        }
    }
    true
}

/// Sends that many bytes, each the low byte of its place, as fast as they are taken.
pub(crate) async fn push(mut stream: SendStream<Bytes>, bytes: usize, taken: &AtomicUsize) {
    let block: Bytes = (0..16 << 10).map(low_byte).collect();
    for _ in 0..bytes / block.len() {
        if !send(&mut stream, block.clone()).await {
            return;
        }
        taken.fetch_add(block.len(), Ordering::SeqCst);
    }
    let _ = stream.send_data(Bytes::new(), true);
}

pub(crate) fn low_byte(place: usize) -> u8 {
    u8::try_from(place % 256).unwrap()
}

/// A client's connection with prior knowledge.
pub(crate) async fn client(port: u16) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    client_on(stream).await
}

pub(crate) async fn client_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> SendRequest<Bytes> {
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender
}

pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://model.example{path}"))
        .body(())
        .unwrap()
}

pub(crate) fn grpc(path: &str) -> Request<()> {
    let mut request = post(path);
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc+proto".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    request
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// Nothing came after the head.
    pub(crate) head_only: bool,
}

/// Sends a request with a body and reads the whole answer.
pub(crate) async fn ask2(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &[u8],
) -> Result<Got, h2::Error> {
    futures_ready(sender).await?;
    let (answer, mut stream) = sender.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        // The whole answer may have come by then, which ends the stream.
        let _ = stream.send_data(Bytes::copy_from_slice(body), true);
    }
    read_answer(answer.await?).await
}

pub(crate) async fn futures_ready(sender: &mut SendRequest<Bytes>) -> Result<(), h2::Error> {
    poll_fn(|cx| sender.poll_ready(cx)).await
}

pub(crate) async fn read_answer(answer: Response<RecvStream>) -> Result<Got, h2::Error> {
    let (head, mut stream) = answer.into_parts();
    let head_only = stream.is_end_stream();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(Got {
        trailers: stream.trailers().await?,
        head,
        body,
        head_only,
    })
}

/// An agent in front of a server that speaks HTTP/2 as that scheme says.
pub(crate) fn agent_for(scheme: &str, port: u16) -> (tempfile::TempDir, Running) {
    agent_of(|config| config.upstream = Some(format!("{scheme}://127.0.0.1:{port}")))
}

pub(crate) fn agent_of(change: impl FnOnce(&mut AgentConfig)) -> (tempfile::TempDir, Running) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), 1, None);
    change(&mut config);
    let agent = Running::start(config);
    agent.set_clock("2020-01-01T00:00:30Z");
    (folder, agent)
}

/// Waits, without keeping the others from running, until something is true.
pub(crate) async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let patient = tokio::time::timeout(PATIENCE, async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(patient.await.is_ok(), "waited in vain for {what}");
}
