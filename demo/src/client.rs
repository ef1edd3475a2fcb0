//! A plain HTTP/1.1 client: one connection, kept open, opened again when it broke. What sends the
//! replayed traffic and reads the collector's API.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A connection to one server.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Bytes,
}

/// A header to send.
pub(crate) type Header<'a> = (&'a str, &'a str);

impl Connection {
    /// A connection that opens when it is first used.
    pub(crate) const fn to(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
        }
    }

    /// Asks for a path.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &[Header<'_>],
    ) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, headers, Bytes::new()).await
    }

    /// Posts a JSON body.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[Header<'_>],
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, headers, body.into()).await
    }

    /// Asks for a path and reads the JSON that is answered with status 200.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        let answer = self.get(path, &[]).await?;
        answer.json().with_context(|| format!("GET {path}"))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[Header<'_>],
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        let typed = headers.iter().any(|(name, _)| *name == "content-type");
        if !body.is_empty() && !typed {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        let answer = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        let answer = answer
            .map_err(|_| anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs()))
            .flatten();
        if answer.is_err() {
            self.open = None;
        }
        answer.with_context(|| format!("cannot talk to http://{}{path}", self.address))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let usable = match &mut self.open {
            Some(open) => open.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.open = Some(self.connect().await?);
        }
        let open = self.open.as_mut().context("not connected")?;
        let response = open.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        Ok(Answer {
            status,
            body: body.to_bytes(),
        })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(sender)
    }
}

impl Answer {
    /// The body as JSON; an error that shows the beginning of it for any status but 200.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let shown: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(300)
            .collect();
        ensure!(self.status == 200, "status {}: {shown}", self.status);
        serde_json::from_slice(&self.body)
            .with_context(|| format!("not the JSON expected: {shown}"))
    }
}
