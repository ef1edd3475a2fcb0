//! One connection to the receiver, kept as long as it holds: HTTP/1.1 for `http/protobuf`, HTTP/2 for gRPC. Shell.

use std::time::{Duration, SystemTime};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::Protocol;
use crate::reply::{self, MAX_ANSWER, Reply};
use crate::settings::Settings;
use crate::{Failed, Signal};

/// What stands before a message of gRPC: whether it is packed, and its length.
const PREFIX: usize = 5;

/// The connection that is open, if one is.
#[derive(Debug, Default)]
pub(crate) struct Connection(Option<Open>);

#[derive(Debug)]
enum Open {
    Http(http1::SendRequest<Full<Bytes>>),
    Grpc(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Lets it go, so that the next request makes a new one.
    pub(crate) fn close(&mut self) {
        self.0 = None;
    }

    /// Sends a message and gives what the answer means.
    pub(crate) async fn send(
        &mut self,
        to: &Settings,
        signal: Signal,
        message: &Bytes,
    ) -> Result<Reply, Failed> {
        let request = request(to, signal, message).ok_or(Failed::Refused)?;
        let answer = match self.ready(to).await? {
            Open::Http(sender) => sender.send_request(request).await,
            Open::Grpc(sender) => sender.send_request(request).await,
        };
        let (head, body) = answer.map_err(|_| Failed::Broken)?.into_parts();
        let (body, trailers) = read(body).await?;
        Ok(match to.protocol {
            Protocol::Http => reply::of_http(signal, head.status, &head.headers, &body, until),
            // What fails before the call (a proxy that is overloaded) is answered as HTTP is.
            Protocol::Grpc if !head.status.is_success() => {
                reply::of_http(signal, head.status, &head.headers, &[], until)
            }
            Protocol::Grpc => {
                // Without a message, the headers are the trailers.
                let end = trailers.as_ref().unwrap_or(&head.headers);
                reply::of_grpc(signal, end, &body)
            }
        })
    }

    async fn ready(&mut self, to: &Settings) -> Result<&mut Open, Failed> {
        let usable = match &mut self.0 {
            Some(Open::Http(sender)) => sender.ready().await.is_ok(),
            Some(Open::Grpc(sender)) => sender.ready().await.is_ok(),
            None => false,
        };
        if !usable {
            self.0 = None;
        }
        match &mut self.0 {
            Some(open) => Ok(open),
            none @ None => Ok(none.insert(open(to).await?)),
        }
    }
}

async fn open(to: &Settings) -> Result<Open, Failed> {
    let at = &to.endpoint;
    let stream = TcpStream::connect((at.host.as_str(), at.port)).await;
    let stream = stream.map_err(|_| Failed::Connect)?;
    // Small requests that are answered at once; it works without, too.
    drop(stream.set_nodelay(true));
    match &at.tls {
        None => speak(to.protocol, TokioIo::new(stream)).await,
        Some((config, name)) => {
            let connector = TlsConnector::from(std::sync::Arc::clone(config));
            let stream = connector.connect(name.clone(), stream).await;
            let stream = stream.map_err(|error| {
                tracing::debug!(%error, "otlp: TLS finds no agreement");
                Failed::Connect
            })?;
            speak(to.protocol, TokioIo::new(stream)).await
        }
    }
}

async fn speak<S: Read + Write + Unpin + Send + 'static>(
    protocol: Protocol,
    stream: S,
) -> Result<Open, Failed> {
    // How a connection ends, whoever sends next finds out.
    Ok(match protocol {
        Protocol::Http => {
            let made = http1::handshake(stream).await;
            let (sender, driver) = made.map_err(|_| Failed::Connect)?;
            tokio::spawn(driver);
            Open::Http(sender)
        }
        Protocol::Grpc => {
            let made = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, driver) = made.map_err(|_| Failed::Connect)?;
            tokio::spawn(driver);
            Open::Grpc(sender)
        }
    })
}

/// The request, as the protocol has it. None if its address cannot be written, which the settings have tried.
fn request(to: &Settings, signal: Signal, message: &Bytes) -> Option<Request<Full<Bytes>>> {
    let at = &to.endpoint;
    let (uri, media, body) = match to.protocol {
        Protocol::Http => {
            let path = format!("{}/v1/{}", at.path, signal.as_str());
            (path, "application/x-protobuf", message.clone())
        }
        Protocol::Grpc => {
            let scheme = if at.tls.is_some() { "https" } else { "http" };
            let uri = format!("{scheme}://{}{}", at.authority, signal.call());
            (uri, "application/grpc", framed(message))
        }
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.parse::<Uri>().ok()?;
    *request.headers_mut() = to.headers.clone();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let agent = concat!("clause9-otlp/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    match to.protocol {
        Protocol::Http => {
            let host = HeaderValue::try_from(at.authority.as_str()).ok()?;
            headers.insert(header::HOST, host);
        }
        Protocol::Grpc => {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
    Some(request)
}

fn framed(message: &Bytes) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}

/// The body of an answer, up to a limit, and what comes behind it.
async fn read(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), Failed> {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| Failed::Broken)?.into_data() {
            Ok(data) if bytes.len() + data.len() > MAX_ANSWER => return Err(Failed::Broken),
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok().or(trailers),
        }
    }
    Ok((bytes, trailers))
}

/// From now until a date of HTTP; none if it is no date.
fn until(date: &str) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}
